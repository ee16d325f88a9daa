"""DPD France: tracking and proof of delivery in one call. SOAP 1.1 (cargoNET Webtrace, ASP.NET ASMX).

Sources: the status numbers are from the carrier's own list, which a public client includes with the manual of 2022
(PierreDelville/php-dpd, DPD_status.xlsx). The format of errors was recorded at a sister service (EPrint). Other facts
are from the manuals, the service's generated pages and public clients. No manual shows the answer to an unknown number.
Nothing was tested against the live service.
"""

import re
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from recours.carriers import answers, soap
from recours.carriers.answers import Detailed, Meaning, ParcelStatus, Scan, Shipment
from recours.carriers.client import OneCallClient
from recours.carriers.message import CarrierSession, Request, Response
from recours.core.carrier import CarrierSpec, Option
from recours.core.claim import Delivery
from recours.core.evidence import EvidenceKind
from recours.core.outcome import Failure, Outcome
from recours.core.quota import Capability
from recours.core.sentences import Sentence
from recours.core.text import plain

_DIGITS = 14  # of the number in a request

# The formats: the number alone, or with the prefix 250 for France (one shop module); with a check character; or the
# label's barcode: destination (7 characters), number, service and country (6 characters together), check character.
_FORMS = re.compile(r"(?:250)?([0-9]{14})|([0-9]{14})[0-9A-Z]|[0-9A-Z]{7}([0-9]{14})[0-9]{6}[0-9A-Z]")


def parcel_of(number: str) -> str:
    """The fourteen digits of a number in any of the formats."""
    match = _FORMS.fullmatch(number)
    return next(filter(None, match.groups()), number) if match else number[:_DIGITS]


def _check_character_fits(number: str) -> bool:
    """Check the last character in the formats with 15 and 28 characters (base 36, ISO 7064, mod 37,36)."""
    if len(number) in (_DIGITS, len("250") + _DIGITS):
        return True
    remainder = 36
    for character in number[:-1]:
        remainder = (remainder + int(character, 36)) % 36 or 36
        remainder = remainder * 2 % 37
    return int(number[-1], 36) == (37 - remainder) % 36


SPEC = CarrierSpec(
    key="dpd",
    name="DPD",
    spellings=("DPD France", "DPD Predict", "DPD Classic"),
    limits={None: "1000/day@Europe/Paris"},  # our choice; the carrier publishes no limit
    credentials=(("DPD_USER", "DPD_PASSWORD", "DPD_CENTER_NUMBER", "DPD_CUSTOMER_NUMBER"),),
    base_url="https://webtrace.dpd.fr",
    number_form=_FORMS,
    number_example="01234567890123",
    calls={Capability.TRACKING: 1},
    sample_number="0" * _DIGITS,
    options=(
        # 400 is reported by a pickup point. The carrier's list has no other codes that mean delivered.
        Option(
            "DPD_DELIVERED_CODES",
            "40,400",
            re.compile(r"\d{1,5}(,\d{1,5})*", re.ASCII),
            "codes separated by commas, such as 40,400",
        ),
    ),
    tracks_always=True,
    check_digit_fits=_check_character_fits,
)

_PATH = "/trace-service/Webtrace_Service.asmx"
_NAMESPACE = "http://www.cargonet.software/"
_OPERATION = "GetShipmentTraceSingle"
_HEADERS = {
    "Content-Type": "text/xml; charset=utf-8",
    "SOAPAction": f'"{_NAMESPACE}{_OPERATION}"',
    # A public client saw this server reset keep-alive connections; a new connection per call worked.
    "Connection": "close",
}
_COUNTRY = "250"  # France

# StatusNumber: the carrier's list, except for the codes in DPD_DELIVERED_CODES. One public client treats 13 and 23,
# which are not in the list, as delivered.
CODES = answers.status_table(
    {
        # "Process completed, returned".
        ParcelStatus.RETURNED: "261 263 264 480 481 482 484",
        ParcelStatus.GOING_BACK: "260",
        # Three of these are labeled "Livré par DPD France au point relais".
        ParcelStatus.AT_A_POINT: "32 60 71 93 220 271 273 450 451 452 456 457 460 461 462 494 498",
        ParcelStatus.ACCEPTED: "10 44 230 470 471",
        ParcelStatus.ON_ITS_WAY: """
            0 8 20 24 26 27 28 29 30 31 34 35 36 74 75 76 77 78 79 80 88 89 90 91 94 95 97 99 100 101 102 103
            104 105 106 107 111 112 120 121 125 129 130 135 140 150 170 180 190 205 211 250 280 290 292 300
            410 411 412 413 414 441 442 444 453 454 455 500
        """,
        # Lost parcels, and the event of the receipt's image, which may follow the delivery.
        ParcelStatus.UNCLEAR: "62 160 161 184 270",
    }
)

# `IsRetour` and `RetourType` of a shipment are from the classes that PierreDelville/php-dpd and
# rem42/scraper-dpd-trace generated from the WSDL. The WSDL does not list the values of `RetourType`. OnDemand and
# Prepared are values of `etypeReverse`, which is about a return label sent with a parcel.
_TRUE = frozenset({"true", "1"})
_NO_RETURNS = frozenset({"", "0", "none", "ondemand", "prepared"})

# Image types that prove a delivery, best first. The order is inferred. The service's enumeration also has POA and
# PickupSignature, which prove no delivery.
PROOFS = {
    "POD": EvidenceKind.LETTER,
    "DeliverySignature": EvidenceKind.SIGNATURE,
    "DeliveryShop": EvidenceKind.SIGNATURE,
}

# Inferred: this field may contain the consignee, not the signatory, but no other field is known to contain a name.
_SIGNATORY = "Receiver"

# ErrorId. Errors about user and password were recorded at the sister service. The error about our IP address is from a
# summary of the manual, the error about the Customer block from one public client.
ERROR_IDS: dict[str, Meaning] = {
    "PermissionDenied": Sentence.CREDENTIALS_REJECTED,
    "IpPermissionDenied": Detailed(Sentence.ADDRESS_DENIED, "it must be added to their list"),
    "CustomerPermissionDenied": Detailed(
        Sentence.SERVICE_DENIED, "it has no access with this center and customer number"
    ),
}
# The error for a call from an IP address that is not on DPD's list. The manual shows this text without an ErrorId.
_ADDRESS_TERMS = "no permission for this ip"
_INVALID = "Invalid"  # InvalidInput and InvalidWeight were recorded at the sister service
# Words that show that an Invalid... error is about the parcel's number, unless it also has other terms (inferred).
_NUMBER_TERMS = re.compile(r"parcel|shipment|tracking|barcode|number|colis|expedition|envoi|suivi|numero")
_OTHER_TERMS = re.compile(r"customer|cent(?:er|re)|client|agence|country|pays|weight|poids|language|langue")
_READ_OF_TEXTS = 300  # characters


class Dpd(OneCallClient):
    spec = SPEC

    def fetch_proof(self, number: str, delivery: Delivery, session: CarrierSession) -> Outcome:
        """Call `GetShipmentTraceSingle` with images, and complete its answer with the facts in `delivery`.

        The elements must be in the schema's order, because ASMX ignores misplaced elements. The two numbers precede the
        country, because the customer's type in the WSDL extends a type with these numbers.
        """
        user, password, center, customer = (self.settings[name] for name in SPEC.credentials[0])
        account = [("userid", user), ("password", password)]
        fields: soap.Fields = [
            ("Customer", [("centernumber", center), ("number", customer), ("countrycode", _COUNTRY)]),
            ("Language", "FR"),
            ("ShipmentNumber", parcel_of(number)),
            ("ExpandContainerMode", "MasterOnly"),
            ("GetImages", "true"),
            *((name, "false") for name in ("GetPhotos", "GetParsedInfo", "GetServices")),
        ]
        header = soap.element("UserCredentials", _NAMESPACE, account, qualified=True)
        call = soap.element(_OPERATION, _NAMESPACE, [("request", fields)], qualified=True)
        request = Request("POST", _PATH, _HEADERS, soap.envelope(call, header))
        answer = session.call(Capability.TRACKING, request)
        return parse(answer, self.settings["DPD_DELIVERED_CODES"].split(","), delivery)


# ---------------------------------------------------------------- answers


def parse(answer: Response, delivered_codes: Collection[str], defaults: Delivery) -> Outcome:
    """The document, or why it is missing. `defaults` has the facts to use if the answer omits them."""
    result = _result(answer)
    outcome = result if isinstance(result, Failure) else _delivery(result, answer, delivered_codes)
    if isinstance(outcome, Failure):
        return outcome
    delivery = outcome.completed_by(defaults)
    images = _images(result)
    if not images:
        return Failure.of(Sentence.PROOF_PENDING, SPEC.name, None, answer.status, delivery=delivery)
    return answers.evidence(SPEC.name, images, delivery, answer)


def _delivery(result: Any, answer: Response, delivered_codes: Collection[str]) -> Delivery | Failure:
    table = CODES | dict.fromkeys(delivered_codes, ParcelStatus.DELIVERED)
    traces = sorted(soap.listed(result, "Traces", "clsTrace"), key=lambda item: _time(item) or answers.NEVER)
    if not traces:
        return _not_known(answer)
    # The number is not compared, because for a part of a shipment the answer may be about the whole (manual of 2022).
    is_marked = plain(soap.text(result, "IsRetour") or "") in _TRUE
    is_return = is_marked or plain(soap.text(result, "RetourType") or "") not in _NO_RETURNS
    shipment = Shipment(scans=tuple(_scan(trace, table) for trace in traces), is_return=is_return)
    outcome = answers.handover(SPEC.name, "", [shipment], answer, table)
    if isinstance(outcome, Failure):
        return outcome
    at = outcome.scan.at or answers.parse_french_time(soap.text(result, "DeliveryDate"))
    return outcome.delivery(at, soap.text(result, _SIGNATORY), soap.text(outcome.scan.body, "CenterName"))


def _scan(trace: Any, table: Mapping[str, ParcelStatus]) -> Scan:
    label = soap.text(trace, "StatusDescription")
    return Scan.of(trace, soap.text(trace, "StatusNumber"), table, _time(trace), label, by_label=True)


def _not_known(answer: Response) -> Failure:
    """The failure for an unknown number (inferred, because no source shows such an answer)."""
    return answers.failure_of(SPEC.name, Sentence.NUMBER_UNKNOWN, answer)


def _time(trace: Any) -> datetime | None:
    return answers.parse_french_time(soap.text(trace, "ScanDate"), soap.text(trace, "ScanTime"))


def _images(result: Any) -> list[answers.EncodedPiece]:
    """The non-empty images that prove a delivery, best first. Their file type is undocumented, so the bytes decide."""
    images = soap.listed(result, "images", "Image")
    pieces: list[answers.EncodedPiece] = []
    for name, kind in PROOFS.items():
        texts = [soap.text(image, "image") for image in images if soap.text(image, "type") == name]
        pieces += [answers.EncodedPiece(text, f"dpd {_OPERATION} {name}", kind) for text in texts if text]
    return pieces


def _result(answer: Response) -> Any | Failure:
    """The result element of an answer, or a failure. Errors have HTTP 500, so the body decides, not the status."""
    root = soap.read(SPEC.name, answer)
    if isinstance(root, Failure):
        return root
    body = root if root.tag == "Error" else soap.body_of(root)
    if body is not None and body.tag in ("Fault", "Error"):
        return _error(body, answer)
    if body is None or body.tag != f"{_OPERATION}Response":
        return answers.unreadable(SPEC.name, answer)
    result = soap.child(body, f"{_OPERATION}Result")
    return _not_known(answer) if result is None else result


def _error(fault: Any, answer: Response) -> Failure:
    """The failure for a Fault or an Error document. Without an ErrorId, the service itself failed (inferred)."""
    error = next((part for part in fault.iter() if part.tag == "Error"), None)
    code = soap.text(error, "ErrorId") if error is not None else None
    if error is None or code is None:
        text = soap.text(fault, "faultstring")
        if _ADDRESS_TERMS in plain((text or "")[:_READ_OF_TEXTS]):
            return answers.failure_of(SPEC.name, ERROR_IDS["IpPermissionDenied"], answer, text)
        return answers.unavailable(SPEC.name, answer, text)
    carrier_text = soap.text(error, "ErrorMessage")
    if code in ERROR_IDS:
        return answers.failure_of(SPEC.name, ERROR_IDS[code], answer, carrier_text)
    if not code.startswith(_INVALID):
        return answers.unknown_code(SPEC.name, answer, code, carrier_text)
    # The error is about our request: either the number is invalid, or recours made a mistake.
    text = plain(f"{code} {carrier_text or code}"[:_READ_OF_TEXTS])
    is_number = _NUMBER_TERMS.search(text) and not _OTHER_TERMS.search(text)
    key = Sentence.NUMBER_REJECTED if is_number else Sentence.REQUEST_REJECTED
    return answers.failure_of(SPEC.name, key, answer, carrier_text or code)

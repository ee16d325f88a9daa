"""DHL Parcel DE: tracking of German parcels, and signatures of their receivers. XML in query and answer.

The API is "DHL Parcel DE Tracking (Post & Parcel Germany)", v0. Operations, attributes, codes and limits per call are
from the notes, schemas and sandbox answers (January 2026) in karrio's connector `dhl_parcel_de`, based on
developer.dhl.com; public clients agree. Events are from the carrier's table of July 2024, in the same connector.
Nothing was tested against the live service.

Assumptions without a source: Code 100 can also mean another customer's parcel, and code 62 concerns our account. A
parcel's `error-status` uses the same codes as the whole answer. The `recipient-name` of a delivered parcel is the
person who received it, as in the only recorded answer. All times are German.

According to two sources, only parcels to Germany have signatures.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from recours.carriers import answers, soap
from recours.carriers.answers import Detailed, EncodedPiece, Meaning, ParcelStatus, Scan, Shipment
from recours.carriers.client import Client
from recours.carriers.json_api import problem_of
from recours.carriers.message import CarrierSession, Request, Response
from recours.carriers.oauth import basic_auth
from recours.core.carrier import CarrierSpec
from recours.core.claim import REUSED_AFTER, Delivery
from recours.core.evidence import EvidenceKind
from recours.core.outcome import Failure, Outcome
from recours.core.quota import Capability
from recours.core.sentences import Sentence

# The weights of the check digit, by number of digits. 12: the identcode of Deutsche Post. 20: GS1 (from paketda.de; the
# carrier's test numbers match).
_WEIGHTS = {12: (4, 9), 20: (3, 1)}


def _check_digit_fits(number: str) -> bool:
    weights = _WEIGHTS.get(len(number)) if number.isdigit() else None
    return answers.mod_10_fits(number, *weights) if weights else answers.s10_fits(number)


_APPLICATION = ("DHL_PARCEL_DE_API_KEY", "DHL_PARCEL_DE_API_SECRET")
_USER = ("DHL_PARCEL_DE_USER", "DHL_PARCEL_DE_PASSWORD")

SPEC = CarrierSpec(
    key="dhl_parcel_de",
    name="DHL Parcel DE",
    spellings=("DHL Paket DE", "DHL Parcel Germany"),
    # Our choice; none is published. Three per second: from a public client that uses the service's former address.
    limits={None: "1000/day@Europe/Berlin,3/second"},
    credentials=((*_APPLICATION, *_USER),),
    base_url="https://api-eu.dhl.com",
    # Our choice, wider than the known formats: 12 and 20 digits, JJD with 13, and S10 for parcels to other countries.
    number_form=re.compile(r"[0-9]{12,20}|J[A-Z]{2,3}[0-9]{8,22}|[A-Z]{2}[0-9]{9}[A-Z]{2}"),
    number_example="00340434161094015902",
    calls={Capability.TRACKING: 1, Capability.POD: 1},
    sample_number="0" * 20,
    numbers_per_call=20,
    check_digit_fits=_check_digit_fits,
)

_TRACK = "d-get-piece-detail"
_SIGNATURE = "d-get-signature"
_DECLARATION = '<?xml version="1.0" encoding="UTF-8" standalone="no"?>'

# The `code` of an answer, and the `error-status` of a parcel in an answer.
_GOOD = "0"
_NO_DATA = ("100", "200", "57", "61")
_ERRORS: dict[str, Meaning] = {
    **dict.fromkeys(("-1000", "-2", "-1"), Sentence.CARRIER_ERROR),
    **dict.fromkeys(("-3", "45", "58", "59", "60"), Sentence.REQUEST_REJECTED),
    "5": Sentence.CREDENTIALS_REJECTED,
    "6": Detailed(Sentence.CREDENTIALS_REJECTED, "too many failed logins"),
    "41": Sentence.NUMBER_REJECTED,
    "62": Sentence.SERVICE_DENIED,
    "63": Detailed(Sentence.UNAVAILABLE, "its signature archive does not respond"),
    "64": Detailed(Sentence.NUMBER_REJECTED, "the check digit is missing"),
}
TRACKING_ERRORS = _ERRORS | dict.fromkeys(_NO_DATA, Sentence.NUMBER_UNKNOWN)
SIGNATURE_ERRORS = _ERRORS | dict.fromkeys(_NO_DATA, Sentence.PROOF_PENDING)

# `standard-event-code`: all codes of the carrier's table. `ice` and `ice/ric`: of the table's 338 pairs, those whose
# meaning differs from that of their standard event. CODAR and CODRP are UNCLEAR, because a cash-on-delivery payment may
# be transferred long after the delivery. STORN cancels the event before it.
EVENTS = answers.status_table(
    {
        ParcelStatus.DESTROYED: "DSPSD",
        ParcelStatus.SEIZED: "CNFSC",
        ParcelStatus.CANCELLED: "CANCL",
        ParcelStatus.PART_DELIVERED: "DLVRD/ACCSI",
        ParcelStatus.AT_A_POINT: "ZF CNRFC HLDCC HNDDE",
        ParcelStatus.DELIVERED: "ZU",
        ParcelStatus.GOING_BACK: "RETRN OFWRD/RTSCR OFWRD/RTSSA EXPHD/RTTSP NTDEL/NAGTB NTDEL/RSEXW",
        ParcelStatus.ACCEPTED: "VA AE ES",
        ParcelStatus.ON_ITS_WAY: "AA AN EE LA NB PO ZN ZO MVARR DLVRD/CUSTM DLVRD/HNDTC",
        ParcelStatus.UNCLEAR: "BV DD GT STORN DLVRD/CODAR DLVRD/CODRP",
    }
)


class DhlParcelDe(Client):
    spec = SPEC

    def track_many(
        self, numbers: Sequence[str], session: CarrierSession
    ) -> Mapping[str, Delivery | Failure] | Failure:
        answer = session.call(Capability.TRACKING, request(_TRACK, numbers, self.settings))
        return parse_tracking(answer, numbers)

    def fetch_proof(self, number: str, delivery: Delivery, session: CarrierSession) -> Outcome:
        answer = session.call(Capability.POD, request(_SIGNATURE, [number], self.settings))
        return parse_signature(answer, number, delivery)


def request(operation: str, numbers: Sequence[str], settings: Mapping[str, str]) -> Request:
    """The request for an operation on these numbers. The query contains the user and password."""
    key, secret, user, password = (settings[name] for name in SPEC.credentials[0])
    login = {"appname": user, "password": password, "language-code": "en"}
    attributes = login | {"request": operation, "piece-code": ";".join(numbers)}
    query = urlencode({"xml": _DECLARATION + soap.empty_element("data", attributes)})
    headers = {"Authorization": basic_auth(key, secret), "Accept": "application/xml"}
    return Request("GET", f"/parcel/de/tracking/v0/shipments?{query}", headers)


def _root(answer: Response, errors: Mapping[str, Meaning], *good: str) -> Any | Failure:
    """The root element of a good answer, or a failure. The service's errors have a root too; the gateway sends JSON."""
    root = soap.parse(answer.body)
    is_of_service = root is not None and root.tag == "data"
    code = soap.attribute(root, "code") if is_of_service else None
    if code in good and answer.is_ok:
        return root
    carrier_text = soap.attribute(root, "error") if is_of_service else problem_of(answer).carrier_text
    statuses = answers.ACCOUNT_STATUSES | {400: Sentence.REQUEST_REJECTED}
    return answers.error(SPEC.name, answer, errors, statuses, code, carrier_text)


def _items(element: Any, name: str) -> list[Any]:
    """The children with this name, with or without hyphens, because the sources disagree on the hyphens."""
    parts = soap.children(element, "data")
    return [part for part in parts if (part.get("name") or "").replace("-", "") == name.replace("-", "")]


# ---------------------------------------------------------------- the tracking


def parse_tracking(answer: Response, numbers: Sequence[str]) -> Mapping[str, Delivery | Failure] | Failure:
    """The delivery or failure by number, or one failure if the answer is about none of the numbers."""
    root = _root(answer, TRACKING_ERRORS, _GOOD, *_NO_DATA)
    if isinstance(root, Failure):
        return root
    parcels = _items(root, "piece-shipment")
    if not parcels:
        return answers.failure_of(SPEC.name, Sentence.NUMBER_UNKNOWN, answer, soap.attribute(root, "error"))
    by_number = answers.group_by_number(numbers, parcels, _numbers)
    results = {number: _result(number, items, root, answer) for number, items in by_number.items()}
    return results or answers.about_another(SPEC.name, answer)


def _numbers(parcel: Any) -> list[str]:
    """All numbers of the parcel, preceded by the requested number if the answer repeats it."""
    names = ("searched-piece-code", "piece-code", "piece-identifier", "upu")
    return [number for name in names if (number := soap.attribute(parcel, name))]


def _result(number: str, parcels: Sequence[Any], root: Any, answer: Response) -> Delivery | Failure:
    """The result for the parcels with this number. Good parcels win over errors. The default code is the root's."""
    codes = [soap.attribute(parcel, "error-status") or soap.attribute(root, "code") for parcel in parcels]
    good = [parcel for parcel, code in zip(parcels, codes, strict=True) if code == _GOOD]
    if not good:
        return answers.error(SPEC.name, answer, TRACKING_ERRORS, {}, codes[0])
    outcome = answers.handover(SPEC.name, number, list(map(_shipment, good)), answer, EVENTS)
    if isinstance(outcome, Failure):
        return outcome
    parcel = outcome.shipment.body
    place = soap.attribute(outcome.scan.body, "event-location")
    delivery = outcome.delivery(signatory=soap.attribute(parcel, "recipient-name"), place=place)
    labels = filter(None, (delivery.label, soap.attribute(parcel, "recipient-id-text")))  # such as "neighbor"
    delivery = replace(delivery, label=answers.caption(": ".join(labels)))
    if (soap.attribute(parcel, "dest-country") or "DE").upper() == "DE":
        return delivery
    detail = "it provides signatures only for parcels to Germany"
    return Failure.of(Sentence.PROOF_NEVER, SPEC.name, None, answer.status, detail=detail, delivery=delivery)


def _shipment(parcel: Any) -> Shipment:
    """A parcel. Its events may be outside a list, as on the carrier's page. Without events, its status is the event."""
    lists = [parcel, *_items(parcel, "piece-event-list")]
    events = [event for listed in lists for event in _items(listed, "piece-event")]
    is_delivered = soap.attribute(parcel, "delivery-event-flag") != "0"
    scans = tuple(_scan(event, is_delivered=is_delivered) for event in events or [parcel])
    is_return = soap.attribute(parcel, "ruecksendung") == "true"
    return Shipment(numbers=tuple(_numbers(parcel)), scans=scans, is_return=is_return, body=parcel)


def _scan(event: Any, *, is_delivered: bool) -> Scan:
    """An event. `is_delivered`: the parcel's `delivery-event-flag`; if False, a delivery event may be canceled."""
    ice, ric, standard = (soap.attribute(event, name) or "" for name in ("ice", "ric", "standard-event-code"))
    code = next((code for code in (f"{ice}/{ric}", ice, standard) if code in EVENTS), standard or ice)
    label = soap.attribute(event, "event-status") or soap.attribute(event, "status")
    # For example, `18.03.2016 10:02`. German and French time are the same.
    time = soap.attribute(event, "event-timestamp") or soap.attribute(event, "status-timestamp") or ""
    day, _, hour = time.partition(" ")
    scan = Scan.of(event, code, EVENTS, answers.parse_french_time(day, hour), label, by_label=True)
    is_undone = scan.status is ParcelStatus.DELIVERED and not is_delivered
    return replace(scan, status=ParcelStatus.UNCLEAR) if is_undone else scan


# ---------------------------------------------------------------- the signature


def parse_signature(answer: Response, number: str, delivery: Delivery) -> Outcome:
    """The image of the signature (hexadecimal in the answer), or why it is missing."""
    root = _root(answer, SIGNATURE_ERRORS, _GOOD)
    if isinstance(root, Failure):
        return root
    signatures = _items(root, "signature")
    own = [signature for signature in signatures if _is_of_delivery(signature, number, delivery)]
    if signatures and not own:
        return answers.about_another(SPEC.name, answer)
    images = [image for signature in own if (image := soap.attribute(signature, "image"))]
    if not images:
        return answers.failure_of(SPEC.name, Sentence.PROOF_PENDING, answer)
    source = f"{SPEC.key} {_SIGNATURE}"
    pieces = [EncodedPiece(image, source, EvidenceKind.SIGNATURE, encoding="hex") for image in images]
    return answers.evidence(SPEC.name, pieces, delivery, answer)


def _is_of_delivery(signature: Any, number: str, delivery: Delivery) -> bool:
    """Return whether a signature is not for another number and not for an earlier parcel with this number."""
    day = answers.parse_french_time(soap.attribute(signature, "event-date"))
    is_earlier = bool(day and delivery.at and delivery.at - day > REUSED_AFTER)
    other = soap.attribute(signature, "searched-piece-code") or number
    return answers.same_number(number, other) and not is_earlier

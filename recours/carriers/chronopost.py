"""Chronopost: tracking and proof of delivery, SOAP 1.1 (Apache CXF).

Source, unless stated otherwise: the carrier's "Web Services CHRONOPOST" of October 2024 (VL3.24.10.14) and of November
2018 (v2.6.2). Nothing was tested against the live service.
"""

import re
from collections.abc import Sequence
from typing import Any

from recours.carriers import answers, soap
from recours.carriers.answers import PARIS, Meaning, ParcelStatus, Scan, Shipment
from recours.carriers.client import Client
from recours.carriers.message import CarrierSession, Request, Response
from recours.core.carrier import CarrierSpec
from recours.core.claim import Delivery
from recours.core.errors import ErrorKind
from recours.core.evidence import EvidenceKind
from recours.core.outcome import CallError, Failure, Outcome, Retrieved
from recours.core.quota import Capability
from recours.core.sentences import Sentence
from recours.core.text import clean, plain

SPEC = CarrierSpec(
    key="chronopost",
    name="Chronopost",
    spellings=("Chronopost International", "Chronopost France", "Chrono"),
    limits={None: "100/day@Europe/Paris"},  # our choice; the carrier publishes no limit
    credentials=(("CHRONOPOST_ACCOUNT", "CHRONOPOST_PASSWORD"),),
    # Production and tests use the same host; ws2.chronopost.fr is only a fallback.
    base_url="https://ws.chronopost.fr",
    # The main format; 14 digits with or without a check character (several public clients); and the format of the one
    # number seen that starts with XT. The check digit is not checked, because the main format's formula is correct only
    # for some prefixes.
    number_form=re.compile(r"[A-Z]{2}[0-9]{9}[A-Z]{2}|[0-9]{14}[0-9A-Z]?|[A-Z]{2}[0-9]{13}"),
    number_example="XY123456789FR",
    calls={Capability.TRACKING: 1, Capability.POD: 1},  # one more for an image, if calls are left
    sample_number="XX000000000FR",
    # searchPOD requires only the number, and answers "no proof yet" for any number.
    untracked_form=re.compile(".+"),
)

_PATH = "/tracking-cxf/TrackingServiceWS"
_NAMESPACE = "http://cxf.tracking.soap.chronopost.fr/"
_HEADERS = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""'}
_LANGUAGE = "fr_FR"

# Event codes from the tables in both documents (D6 and D7 only in the document of 2024). We chose each meaning by the
# label.
CODES = answers.status_table(
    {
        # IM, "Image disponible": the proof is available, so the parcel is delivered.
        ParcelStatus.DELIVERED: "D D1 D2 D6 D7 RG RI U Y DD VC IM",
        # "Retour expéditeur": a later delivery is to the sender. Source: a public client's table and tests.
        ParcelStatus.GOING_BACK: "Q R",
        ParcelStatus.CANCELLED: "AN",
        ParcelStatus.DESTROYED: "DR",
        # "Déposé" or "Pris en charge".
        ParcelStatus.ACCEPTED: "DB DV DY PC PE",
        # The other codes in both documents, including exceptions. The codes in the last line are only in two public
        # clients.
        ParcelStatus.ON_ITS_WAY: """
            B MD IP RB P DC SC EC TS TI TO TP AT SD
            ED TA LR J X CL N NA CO RC PA AV IV IN NL PR DO DF EJ
            AB T TT EI A2 IS IA EA SJ SK SM O
        """,
    }
)
# Events that may follow the event of the delivery itself: the slip or its image is available, the delivery is complete,
# nobody signed. Inferred.
PAPERWORK_CODES = frozenset({"U", "Y", "VC", "IM"})
_IMAGE = "IM"

# Labels of items beside an event whose values are not persons' names. From a public client.
NOT_PERSONS = frozenset(
    {
        "lieu", "type de retrait", "point de retrait", "point de livraison", "numero partenaire", "date de relivraison",
        "origine", "instruction choisie", "type du message",
    }
)  # fmt: skip
# The value is a person's name if the label contains one of these words and otherwise only filler words. "Consignee's
# name" was recorded; the French words are inferred.
_PERSON_TERMS = frozenset(
    {"nom", "prenom", "destinataire", "receptionnaire", "signataire", "consignee", "name"}
)
_LONGEST_LABEL = 100  # characters
_FILLER_TERMS = frozenset({"du", "de", "des", "la", "le", "l", "d", "et", "s", "the", "of"})

# statusCode of searchPOD. 1, 2 and 3 are from both documents; 5 (available) is only in the document of 2024.
POD_STATUS: dict[int, Sentence] = {
    1: Sentence.PROOF_UNSIGNED,
    2: Sentence.PROOF_NEVER,
    3: Sentence.PROOF_PENDING,
}

# errorCode of either call. 1: recorded. 2: only in the document of 2018. 3, 30, 33: inferred from sister services.
ERROR_CODES: dict[int, Meaning] = {
    1: Sentence.CARRIER_ERROR,
    2: Sentence.PARCEL_NOT_OURS,
    3: Sentence.CREDENTIALS_REJECTED,
    30: Sentence.CREDENTIALS_REJECTED,
    33: Sentence.CREDENTIALS_REJECTED,
}
# Words of a message about our account, regardless of its code (inferred).
_ACCOUNT_TERMS = ("password", "mot de passe", "contract", "contrat")


class Chronopost(Client):
    spec = SPEC
    denies_by_parcel = True
    tracking_shows_account = False

    def track(self, number: str, session: CarrierSession) -> Delivery | Failure:
        return parse_tracking(session.call(Capability.TRACKING, tracking_request(number)), number)

    def fetch_proof(self, number: str, delivery: Delivery, session: CarrierSession) -> Outcome:
        """Call `searchPOD` for the PDF. If it is missing and no error or status explains why, request an image."""
        account = [self.settings[name] for name in SPEC.credentials[0]]
        answer = session.call(Capability.POD, pod_request(number, *account))
        outcome = parse_pod(answer, delivery)
        # If the delivery is only assumed, an image is as unlikely as a PDF.
        if delivery.is_assumed or not _may_have_an_image(outcome, answer):
            return outcome
        try:
            answer = session.call(Capability.POD, pod_request(number, *account, pdf=False))
        except CallError as failed:
            if failed.failure.kind is ErrorKind.RATE_LIMITED and failed.failure.http_status is None:
                return outcome  # no call for the image is left in our quota
            raise
        image = parse_pod(answer, delivery, EvidenceKind.SIGNATURE)
        return image if isinstance(image, Retrieved) and answers.is_document(image.best) else outcome


def tracking_request(number: str) -> Request:
    """A `trackSkybillV2` call, which needs no credentials. CXF requires elements in the order of the schema."""
    return _request("trackSkybillV2", [("language", _LANGUAGE), ("skybillNumber", number)])


def pod_request(number: str, account: str, password: str, *, pdf: bool = True) -> Request:
    """A `searchPOD` call for a PDF, or else for an image of the signature."""
    fields = [
        ("accountNumber", account),
        ("password", password),
        ("language", _LANGUAGE),
        ("skybillNumber", number),
        ("pdf", "true" if pdf else "false"),
    ]
    return _request("searchPOD", fields)


def _request(operation: str, fields: list[tuple[str, str]]) -> Request:
    call = soap.element(operation, _NAMESPACE, fields, qualified=False)
    return Request("POST", _PATH, _HEADERS, soap.envelope(call))


# ---------------------------------------------------------------- answers


def parse_tracking(answer: Response, number: str) -> Delivery | Failure:
    """The delivery to the recipient, or a failure that says where the parcel is."""
    result = _result(answer, "trackSkybillV2")
    if isinstance(result, Failure):
        return result
    parcel = soap.child(result, "listEventInfoComp")
    own = soap.text(parcel, "skybillNumber") if parcel is not None else None
    events = soap.children(parcel, "events") if parcel is not None else []
    if not events and (own is None or answers.same_number(own, number)):
        # A public client notes that for an unknown number, the answer repeats the number without events (not HTTP 500).
        if answer.is_server_error:
            return answers.unavailable(SPEC.name, answer)
        return answers.failure_of(SPEC.name, Sentence.NUMBER_UNKNOWN, answer)
    shipment = Shipment(numbers=(own,) if own else (), scans=tuple(map(_scan, events)))
    outcome = answers.handover(SPEC.name, number, [shipment], answer, CODES)
    return outcome if isinstance(outcome, Failure) else _delivery(outcome.scans)


def _scan(event: Any) -> Scan:
    """An event. Times have an offset; a time without an offset is assumed to be French (inferred)."""
    at = answers.parse_time(soap.text(event, "eventDate"), PARIS)
    return Scan.of(event, soap.text(event, "code"), CODES, at, soap.text(event, "eventLabel"))


def _delivery(scans: Sequence[Scan]) -> Delivery:
    """The delivery. `scans`: the delivery scans, latest first. The signatory is from the first scan with a name."""
    # The label and value of each item beside an event, if it has a value.
    items = [item for scan in scans for item in soap.children(scan.body, "infoCompList")]
    facts = [(soap.text(item, "name") or "", value) for item in items if (value := soap.text(item, "value"))]
    name = next((value for label, value in facts if is_person(label)), None)
    strange = next((label for label, _ in facts if not is_known_label(label)), None)
    unknown = f"the label '{clean(strange, 60)}' beside a delivery" if strange is not None else None
    handed_over = [scan for scan in scans if scan.code not in PAPERWORK_CODES]
    timed = [scan.at for scan in [*handed_over, *scans] if scan.at and scan.code != _IMAGE]
    handover = (handed_over or scans)[0]
    place = answers.caption(soap.text(handover.body, "officeLabel"))
    label = answers.caption(handover.label)
    return Delivery(
        timed[0] if timed else None, answers.person(name), unknown=unknown, place=place, label=label
    )


def is_person(label: str) -> bool:
    """Return whether the value with this label is a person's name, not an address or a date."""
    parts = set(re.findall(r"[a-z]+", plain(label[:_LONGEST_LABEL])))
    return bool(parts & _PERSON_TERMS) and parts <= _PERSON_TERMS | _FILLER_TERMS


def is_known_label(label: str) -> bool:
    """Return whether this label is known. Its value need not be a person's name."""
    return is_person(label) or " ".join(plain(label[:_LONGEST_LABEL]).split()) in NOT_PERSONS


def parse_pod(answer: Response, delivery: Delivery, kind: EvidenceKind = EvidenceKind.LETTER) -> Outcome:
    """The document, or why it is missing. The answer has no signatory or time, so they are from `delivery`."""
    result = _result(answer, "searchPOD")
    if isinstance(result, Failure):
        return result
    status = _whole(soap.text(result, "statusCode"))
    encoded = soap.text(result, "pod")
    if encoded is not None:
        texts = [answers.EncodedPiece(encoded, "chronopost searchPOD", kind)]
        return answers.evidence(SPEC.name, texts, delivery, answer)
    if soap.text(result, "podPresente") == "true" and status not in POD_STATUS:
        message = "Chronopost reports a proof but sent none"
        return Failure.of(Sentence.PROOF_UNUSABLE, SPEC.name, None, answer.status, message=message)
    return answers.failure_of(SPEC.name, POD_STATUS.get(status or 0, Sentence.PROOF_PENDING), answer)


def _may_have_an_image(outcome: Outcome, answer: Response) -> bool:
    """Return whether the document is missing and neither an error nor a status explains why."""
    if isinstance(outcome, Retrieved):
        return not answers.is_document(outcome.best)
    result = _result(answer, "searchPOD")
    return not isinstance(result, Failure) and _whole(soap.text(result, "statusCode")) not in POD_STATUS


def _result(answer: Response, operation: str) -> Any | Failure:
    """The `return` element of an answer without an error, or a failure."""

    def read_fault(fault: Any) -> Failure:
        key = Sentence.REQUEST_REJECTED if soap.blames_request(fault) else Sentence.CARRIER_ERROR
        return answers.failure_of(SPEC.name, key, answer, soap.text(fault, "faultstring") or "no details")

    result = soap.result_of(SPEC.name, answer, operation, "return", read_fault)
    if isinstance(result, Failure):
        return result
    text = soap.text(result, "errorCode")
    message = soap.text(result, "errorMessage")
    code = _whole(text)
    if code == 0 or (text is None and not answer.is_server_error):
        return result
    if code in ERROR_CODES:
        return answers.failure_of(SPEC.name, ERROR_CODES[code], answer, message)
    if any(word in plain(message or "") for word in _ACCOUNT_TERMS):
        return answers.failure_of(SPEC.name, Sentence.CREDENTIALS_REJECTED, answer, message)
    return answers.error(SPEC.name, answer, {}, {}, text, message)


def _whole(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch(r"-?[0-9]{1,9}", text) else None

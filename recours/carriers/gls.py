"""GLS: the status from Track & Trace v1, signatory and proof from ShipIT-Farm v1. JSON with one OAuth 2.0 token.

Sources: the carrier's OpenAPI documents in karrio's connector `gls`, and the notes of a public client that was tested
live in September 2026 (marked "live" below). We made no live calls ourselves. According to a document of 2012, GLS
issues no proofs in France, for legal reasons. We do not know whether this is still true, hence the setting GLS_POD.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from recours.carriers import answers, json_api
from recours.carriers.answers import PARIS, Detailed, Meaning, ParcelStatus, Scan, Shipment
from recours.carriers.client import Client, add_delivery
from recours.carriers.message import CarrierSession, Request, Response
from recours.carriers.oauth import TokenService
from recours.core.carrier import CarrierSpec, Option
from recours.core.claim import Delivery
from recours.core.outcome import Failure, Outcome
from recours.core.quota import Capability
from recours.core.sentences import Sentence
from recours.core.text import plain

SPEC = CarrierSpec(
    key="gls",
    name="GLS",
    spellings=("GLS France", "General Logistics Systems"),
    # Track & Trace: the published limit. Tokens: our choice, as each is valid for four hours; GLS allows 100,000 a day.
    limits={None: "500/day@UTC", Capability.TOKEN: "20/hour"},
    credentials=(("GLS_CLIENT_ID", "GLS_CLIENT_SECRET"),),
    base_url="https://api.gls-group.net",
    # The formula for the check digit of 12 digits is unknown. 20 digits: from the carrier's schema in karrio. QAS_...:
    # test parcels of Track & Trace.
    number_form=re.compile(r"[0-9]{11,12}|[0-9]{20}|[A-Z0-9]{8}|QAS_[0-9]{7}"),
    number_example="12345678901",
    calls={Capability.TRACKING: 1, Capability.POD: 2},
    sample_number="0" * 11,
    numbers_per_call=10,  # Track & Trace; from its document, and live
    options=(
        Option(
            "GLS_POD",
            "yes",
            re.compile("yes|no"),
            "yes or no (whether GLS provides proofs to your account; it may not in France)",
        ),
    ),
)

_TRACK_PATH = "/track-and-trace-v1/tracking/simple/trackids"
_SHIPIT_PATH = "/shipit-farm/v1/backend/rs/tracking"
_SHIPIT_TYPE = "application/glsVersion1+json"
_PARCEL_NUMBER = re.compile(r"[0-9]{11,20}")

# The statuses of Track & Trace. Only DELIVERED means a delivery to the recipient: DELIVEREDPS means a parcel shop, and
# FINAL does not say how the journey ended.
DELIVERED = "DELIVERED"
OTHER_STATUSES = {
    "PREADVICE": "announced by its sender",
    "PLANNEDPICKUP": "its pickup is planned",
    "INPICKUP": "being picked up",
    "NOTPICKEDUP": "not picked up",
    "INTRANSIT": "in transit",
    "INWAREHOUSE": "in a warehouse",
    "INDELIVERY": "out for delivery",
    "DELIVEREDPS": "waiting in a parcel shop",
    "NOTDELIVERED": "not delivered",
    "CANCELED": "canceled",
    "FINAL": "its history is closed",
}
_STATUSES = dict.fromkeys(OTHER_STATUSES, ParcelStatus.ON_ITS_WAY) | {
    DELIVERED: ParcelStatus.DELIVERED,
    "DELIVEREDPS": ParcelStatus.AT_A_POINT,
    "CANCELED": ParcelStatus.CANCELLED,
    "FINAL": ParcelStatus.UNCLEAR,
}

_ON_THE_WAY = frozenset({ParcelStatus.ON_ITS_WAY, ParcelStatus.AT_A_POINT})
_LONGEST_WAY = timedelta(days=30)  # the maximum between the parcels of one shipment; our choice

# errorCode of a parcel in an answer with HTTP 200, from the document of Track & Trace. "Too many" is about the call,
# not the parcel.
_TOO_MANY_NUMBERS = "E_400_02"
TRACKING_ERRORS: dict[str, Meaning] = {
    "E_400_01": Sentence.NUMBER_REJECTED,
    _TOO_MANY_NUMBERS: Sentence.REQUEST_REJECTED,
    "E_400_03": Sentence.REQUEST_REJECTED,
    "E_404_01": Sentence.NUMBER_UNKNOWN,
    "E_404_02": Sentence.NUMBER_UNKNOWN,
    "E_500_01": Sentence.CARRIER_ERROR,
}

_TRACKING_STATUSES: dict[int, Meaning] = {
    400: Sentence.REQUEST_REJECTED,
    401: Sentence.CREDENTIALS_REJECTED,
    404: Sentence.NUMBER_UNKNOWN,
}
# 490 is ShipIT's own status for requests that it understands but refuses (live). Its manual has 400 with these headers.
_REFUSALS = frozenset({400, 490})

# ShipIT's header `error`. INVALID_FIELD: live. WRONG_STATE: only in that client's simulator, but its text is live.
# INVALID_SHIPMENT_ID: from ShipIT's manual 5.0.11.
_INVALID_FIELD = "VALIDATION.INVALID_FIELD"
_NUMBER_FIELDS = ("trackid", "parcelnumber")
_WRONG_STATE = "POD.WRONG_STATE"
_WRONG_STATE_TEXT = "wrong state"
SHIPIT_ERRORS: dict[str, Meaning] = {"INVALID_SHIPMENT_ID": Sentence.NUMBER_UNKNOWN}
# The answer for parcels whose sender has not closed the day's shipments (live).
_NO_RESULT = Detailed(Sentence.NUMBER_UNKNOWN, "its shipping system has no result yet")


class Gls(Client):
    spec = SPEC
    token_service = TokenService(path="/oauth2/v2/token")

    def fetch(self, number: str, delivery: Delivery | None, session: CarrierSession) -> Outcome:
        """See Client. If GLS_POD is "no", make no call for a delivered parcel, because the account gets no proofs."""
        if delivery is not None and self.settings["GLS_POD"] == "no":
            return _proofs_disabled(delivery)
        return super().fetch(number, delivery, session)

    def track_many(
        self, numbers: Sequence[str], session: CarrierSession
    ) -> Mapping[str, Delivery | Failure] | Failure:
        """Track with `GET /tracking/simple/trackids/{number},{number}` of Track & Trace."""
        headers = {"Accept": "application/json", "Accept-Language": "FR"}
        request = Request("GET", f"{_TRACK_PATH}/{','.join(numbers)}?showEvents=true", headers)
        return parse_tracking(self.call(Capability.TRACKING, request, session), numbers)

    def fetch_proof(self, number: str, delivery: Delivery, session: CarrierSession) -> Outcome:
        """Call `parceldetails` of ShipIT if the signatory is unknown, then `parcelpod`."""
        if self.settings["GLS_POD"] == "no":
            return _proofs_disabled(delivery)
        if delivery.signatory is None:
            details = parse_details(self._ask("parceldetails", number, session))
            if isinstance(details, Failure):
                return details
            delivery = delivery.completed_by(details)
            session.delivery_known(delivery)
        outcome = parse_pod(self._ask("parcelpod", number, session), number, delivery)
        return add_delivery(outcome, delivery)

    def _ask(self, operation: str, number: str, session: CarrierSession) -> Response:
        # A Track ID may consist of digits only, but it is shorter than a parcel number.
        field = "ParcelNumber" if _PARCEL_NUMBER.fullmatch(number) else "TrackID"
        headers = {"Content-Type": _SHIPIT_TYPE, "Accept": _SHIPIT_TYPE}
        request = json_api.post(f"{_SHIPIT_PATH}/{operation}", {field: number}, headers)
        return self.call(Capability.POD, request, session)


def _proofs_disabled(delivery: Delivery) -> Failure:
    return Failure.of(Sentence.PROOFS_TURNED_OFF, SPEC.name, detail="GLS_POD=no", delivery=delivery)


# ---------------------------------------------------------------- Track & Trace


def parse_tracking(answer: Response, numbers: Sequence[str]) -> Mapping[str, Delivery | Failure] | Failure:
    """The delivery or failure by number, or one failure if the answer is about none of the numbers.

    A delivery has no signatory, because the answer does not contain it.
    """
    tree = json_api.tree(answer.body)
    if not answer.is_ok:
        # The gateway's errors (401, 429) have a different format from the service's own errors.
        carrier_text = json_api.first_text(tree, "fault.faultstring", "detail", "title")
        return answers.error(SPEC.name, answer, {}, _TRACKING_STATUSES, carrier_text=carrier_text)
    if json_api.at(tree, "parcels") == []:
        return answers.failure_of(SPEC.name, Sentence.NUMBER_UNKNOWN, answer)
    parcels = json_api.items(tree, "parcels")
    items = answers.group_by_number(numbers, parcels, _numbers)
    results: dict[str, Delivery | Failure] = {}
    for number, entries in items.items():
        if len(numbers) == 1 or json_api.text(entries[0], "errorCode") != _TOO_MANY_NUMBERS:
            results[number] = _parcel_answer(number, entries, answer)
    if results or not any(map(_numbers, parcels)):
        return results or answers.unreadable(SPEC.name, answer)
    return answers.about_another(SPEC.name, answer)


def _numbers(parcel: Any) -> list[str]:
    return [text for name in ("requested", "unitno") if (text := json_api.text(parcel, name))]


def _parcel_answer(number: str, parcels: Sequence[Any], answer: Response) -> Delivery | Failure:
    """The result for the parcels with this number. If any parcel has a status, errors of others are ignored."""
    good = [parcel for parcel in parcels if json_api.text(parcel, "errorCode") is None]
    shipments = [_shipment(parcel) for parcel in good if json_api.text(parcel, "status")]
    if not shipments:
        code = json_api.text(parcels[0], "errorCode")
        carrier_text = json_api.text(parcels[0], "errorMessage")
        return answers.error(SPEC.name, answer, TRACKING_ERRORS, {}, code, carrier_text)
    own = [
        shipment
        for shipment in shipments
        if answers.same_number(number, json_api.text(shipment.body, "unitno") or "")
    ]
    outcome = answers.handover(SPEC.name, number, own or _joined(shipments), answer, _STATUSES)
    if isinstance(outcome, Failure):
        return outcome
    return outcome.delivery(place=json_api.text(outcome.scan.body, "city"))


def _shipment(parcel: Any) -> Shipment:
    """A parcel. Returns are detected by the labels of events, because the event codes are not documented."""
    events = json_api.items(parcel, "events")
    last = answers.latest(events, _time)
    status = json_api.text(parcel, "status") or ""
    label = json_api.text(last, "description") or OTHER_STATUSES.get(status)
    present = Scan(
        status=_STATUSES.get(status),
        at=answers.parse_time(json_api.text(parcel, "statusDateTime"), PARIS) or _time(last),
        code=status,
        label=label,
        body=last,
    )
    scans = tuple(_scan(event) for event in reversed(events))
    return Shipment(numbers=tuple(_numbers(parcel)), scans=scans, present=present, body=parcel)


def _scan(event: Any) -> Scan:
    label = json_api.text(event, "description")
    status = ParcelStatus.GOING_BACK if answers.turns_back(label) else ParcelStatus.ON_ITS_WAY
    return Scan(status=status, at=_time(event), label=label, body=event)


def _joined(shipments: Sequence[Shipment]) -> Sequence[Shipment]:
    """The parcels of one Track ID. If another one is still on its way, only the newest, part-delivered.

    One public client's tests have a Track ID with two parcels. Parcels from an earlier use of the number are ignored.
    """
    newest = max(shipments, key=lambda shipment: shipment.latest)
    parts = [
        part
        for part in shipments
        if json_api.text(part.body, "unitno") != json_api.text(newest.body, "unitno")
        and newest.latest - part.latest < _LONGEST_WAY
        and part.present
        and part.present.status in _ON_THE_WAY
    ]
    if not (parts and newest.present):
        return shipments
    return [replace(newest, present=replace(newest.present, status=ParcelStatus.PART_DELIVERED))]


def _time(event: Any) -> datetime | None:
    """The time of an event. A time without an offset is assumed to be French (inferred)."""
    return answers.parse_time(json_api.text(event, "eventDateTime"), PARIS)


# ---------------------------------------------------------------- ShipIT


def parse_details(answer: Response) -> Delivery | Failure:
    """The signatory and the time, or a failure if the token was rejected. After other errors, both are missing."""
    if answer.status == HTTPStatus.UNAUTHORIZED:
        return _shipit_error(answer, "")
    unit = json_api.at(json_api.tree(answer.body), "UnitDetail") if answer.is_ok else None
    signed = json_api.text(unit, "Signature") or ""
    # The content is not documented. A text that is too long for a name is assumed to be an image.
    name = signed if len(signed) <= answers.LONGEST_NAME else None
    return Delivery(answers.parse_time(json_api.text(unit, "DeliveryDate"), PARIS), answers.person(name))


def parse_pod(answer: Response, number: str, delivery: Delivery) -> Outcome:
    """The document, or why it is missing. The sources disagree on two names and a type, so all variants are read."""
    if not answer.is_ok:
        return _shipit_error(answer, number)
    tree = json_api.tree(answer.body)
    if tree == {} or not answer.body.strip():
        return answers.failure_of(SPEC.name, _NO_RESULT, answer)
    items = json_api.items(tree, "PODItem") or json_api.items(tree, "Poditem")
    if not items:
        return answers.unreadable(SPEC.name, answer)
    texts: list[str | None] = []
    for item in items:
        texts += [json_api.text(item, "ImageData"), *map(json_api.text, json_api.items(item, "ImageData"))]
    if pieces := [answers.EncodedPiece(text, "gls parcelpod") for text in texts if text]:
        return answers.evidence(SPEC.name, pieces, delivery, answer)
    return answers.failure_of(SPEC.name, Sentence.PROOF_PENDING, answer)


def _shipit_error(answer: Response, number: str) -> Failure:
    """The failure for a ShipIT error. The details of a refusal are in the headers; its body is empty."""
    code = _header(answer, "error")
    carrier_text = _header(answer, "message")
    if answer.status not in _REFUSALS or not (code or carrier_text):
        if answer.is_server_error:
            carrier_text = carrier_text or code
        # The meaning of 403 is inferred.
        return answers.error(SPEC.name, answer, {}, answers.ACCOUNT_STATUSES, carrier_text=carrier_text)
    text = plain(f"{carrier_text or ''} {_header(answer, 'args') or ''}"[:1000])
    if code == _WRONG_STATE or _WRONG_STATE_TEXT in text:
        return answers.failure_of(SPEC.name, Sentence.PROOF_PENDING, answer, carrier_text)
    if code == _INVALID_FIELD:
        if not any(field in text for field in _NUMBER_FIELDS):
            return answers.failure_of(SPEC.name, Sentence.REQUEST_REJECTED, answer, carrier_text)
        # ShipIT answers alike for numbers in an impossible format and for unknown numbers.
        is_of_form = SPEC.number_form.fullmatch(number)
        key = Sentence.NUMBER_UNKNOWN if is_of_form else Sentence.NUMBER_REJECTED
        return answers.failure_of(SPEC.name, key, answer, carrier_text)
    return answers.error(SPEC.name, answer, SHIPIT_ERRORS, {}, code or "none", carrier_text)


def _header(answer: Response, name: str) -> str | None:
    """The value of a header, with whitespace normalized."""
    return " ".join((answer.headers.get(name) or "").split()) or None

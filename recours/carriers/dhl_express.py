"""DHL Express: tracking and proof of delivery with the MyDHL API. JSON with Basic authentication.

Source, unless stated otherwise: the carrier's OpenAPI document 3.1.1 (November 2025) and karrio's connector `mydhl`.
Nothing was tested against the live service.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from recours.carriers import answers, json_api
from recours.carriers.answers import PARIS, Detailed, Meaning, ParcelStatus, Scan, Shipment
from recours.carriers.client import Client, add_delivery
from recours.carriers.json_api import problem_of
from recours.carriers.message import CarrierSession, Request, Response
from recours.carriers.oauth import basic_auth
from recours.core.carrier import CarrierSpec
from recours.core.claim import Delivery
from recours.core.outcome import Failure, Outcome
from recours.core.quota import Capability
from recours.core.sentences import Sentence
from recours.core.text import clean

# events[].typeCode: the 44 codes of the carrier's list. We chose each meaning by the label alone. The four numbers are
# statuses of a whole shipment and have never been seen as event codes.
DHL_EXPRESS_CODES = answers.status_table(
    {
        ParcelStatus.DELIVERED: "101 OK DD",  # DD: Delivered damaged; some labels of DD are details of a delivery
        ParcelStatus.RETURNED: "RT",  # Returned to consignor
        ParcelStatus.DESTROYED: "DS",  # Destroyed / disposal
        ParcelStatus.AT_A_POINT: "CC",  # Awaiting cnee collection
        ParcelStatus.UNCLEAR: "103 CS SS TP",  # failure, Closed shipment, Shipment stopped, Forwarded to 3rd party
        ParcelStatus.PART_DELIVERED: "PD",
        ParcelStatus.GOING_BACK: "RD",  # Refused delivery: the next OK is a delivery to the consignor
        ParcelStatus.ACCEPTED: "PU",  # Shipment picked up
        ParcelStatus.ON_ITS_WAY: """
            102 104 AD AF AR BA BN BR CA CD CM CR DF FD HP IC MC MD MS ND NH OH PL RR SA SC TR UD WC PY SM
        """,
    }
)

_DIGITS = 10  # of a waybill; for waybills with 11 digits, no check digit is known
# The identifier of a piece (JJD..., JVGL...). It has nine or ten digits according to the project
# jkeen/tracking_number_data, but up to eighteen on real labels.
_PIECE = re.compile(r"J[A-Z]{1,3}[0-9]{9,18}")
_WAYBILL = re.compile(r"[0-9]{10,11}")


SPEC = CarrierSpec(
    key="dhl_express",
    name="DHL Express",
    spellings=("DHL Express Worldwide", "DHL Express International"),
    limits={None: "250/day@Europe/Paris"},  # our choice; the carrier publishes no limit for production
    credentials=(("DHL_EXPRESS_API_KEY", "DHL_EXPRESS_API_SECRET", "DHL_EXPRESS_ACCOUNT_NUMBER"),),
    base_url="https://express.api.dhl.com",  # tests use another path on this host: /mydhlapi/test
    number_form=re.compile(rf"{_WAYBILL.pattern}|{_PIECE.pattern}"),
    number_example="1234567891",
    calls={Capability.TRACKING: 1, Capability.POD: 1},
    sample_number="0" * _DIGITS,
    # The last of ten digits is the first nine modulo seven (from the project jkeen/tracking_number_data).
    check_digit_fits=lambda number: len(number) != _DIGITS or int(number[:-1]) % 7 == int(number[-1]),
    untracked_form=_WAYBILL,  # for a piece, only tracking returns the waybill needed to request the proof
)

_API = "/mydhlapi"
_VERSION = "3.1.0"  # of the API; the OpenAPI document requires the header
_TRACKING = {
    "trackingView": "all-checkpoints",
    "levelOfDetail": "shipment",
    "requestGMTOffsetPerEvent": "true",
}
_CONTENT = "epod-summary"
_HINT = "waybill"

# After a bad request, the field named in the answer determines the failure (OpenAPI document; account: a public note).
_BAD_REQUESTS = frozenset({400, 422})
_NAMES_NUMBER = "shipmenttrackingnumber"
_NAMES_ACCOUNT = "account"

# According to one public note on a live answer, a wrong or missing account gets the same answer as a missing proof.
_NO_PROOF = Detailed(
    Sentence.PROOF_FOR_PARTIES, "also the answer if DHL_EXPRESS_ACCOUNT_NUMBER did not pay for it"
)


class DhlExpress(Client):
    spec = SPEC

    def __init__(self, settings: Mapping[str, str]) -> None:
        super().__init__(settings)
        key, secret, self._account = (settings[name] for name in SPEC.credentials[0])
        self._authorization = basic_auth(key, secret)

    def fetch(self, number: str, delivery: Delivery | None, session: CarrierSession) -> Outcome:
        """See Client. A piece is always tracked, because only tracking returns the waybill needed for the proof."""
        if not _PIECE.fullmatch(number):
            return super().fetch(number, delivery, session)
        tracked = self.track(number, session)
        self.note_accepted(tracked, session)
        if isinstance(tracked, Failure):
            return add_delivery(tracked, delivery)
        delivery = tracked.completed_by(delivery or Delivery())
        session.delivery_known(delivery)
        return super().fetch(delivery.hints[_HINT], delivery, session)

    def track(self, number: str, session: CarrierSession) -> Delivery | Failure:
        """Track with `GET /shipments/{number}/tracking`, or `GET /tracking` for the identifier of a piece."""
        request = self._get(f"shipments/{number}/tracking", _TRACKING)
        if _PIECE.fullmatch(number):
            request = self._get("tracking", {"pieceTrackingNumber": number, **_TRACKING})
        return parse_tracking(session.call(Capability.TRACKING, request), number)

    def fetch_proof(self, number: str, delivery: Delivery, session: CarrierSession) -> Outcome:
        """Request the PDF with `GET /shipments/{number}/proof-of-delivery`. `number`: the waybill."""
        query = {"shipperAccountNumber": self._account, "content": _CONTENT}  # the account that paid
        request = self._get(f"shipments/{number}/proof-of-delivery", query)
        return parse_pod(session.call(Capability.POD, request), number, delivery)

    def _get(self, path: str, query: Mapping[str, str]) -> Request:
        headers = {
            "Authorization": self._authorization,
            "Accept": "application/json",
            "x-version": _VERSION,
            "Message-Reference": str(uuid4()),  # must have 28 to 36 characters
        }
        return Request("GET", f"{_API}/{path}?{urlencode(query)}", headers)


# ---------------------------------------------------------------- answers of the tracking


def parse_tracking(answer: Response, number: str) -> Delivery | Failure:
    """The delivery to the recipient, with the waybill as a hint, or a failure that says where the shipment is."""
    shipments = _shipments(answer, number)
    if isinstance(shipments, Failure):
        return shipments
    outcome = answers.handover(SPEC.name, number, shipments, answer, DHL_EXPRESS_CODES)
    if isinstance(outcome, Failure):
        return outcome
    # The waybill becomes part of the next URL, so only the known format is accepted.
    waybill = (
        json_api.text(outcome.shipment.body, "shipmentTrackingNumber") if _PIECE.fullmatch(number) else number
    )
    if waybill is None or not _WAYBILL.fullmatch(waybill):
        return answers.unreadable(SPEC.name, answer)
    names = filter(None, (_signatory(scan.body) for scan in outcome.scans))
    place = json_api.text(json_api.items(outcome.scan.body, "serviceArea"), 0, "description")
    return replace(outcome.delivery(None, next(names, None), place), hints={_HINT: waybill})


def _shipments(answer: Response, number: str) -> list[Shipment] | Failure:
    """At least one shipment, or a failure. A shipment's `status` is ignored, because it is the request's status."""
    if answer.status == HTTPStatus.NOT_FOUND:
        return answers.failure_of(SPEC.name, Sentence.NUMBER_UNKNOWN, answer, problem_of(answer).carrier_text)
    if not answer.is_ok:
        return _error(answer, number)
    # A shipment has events or at least a number.
    shipments = [
        _shipment(body, number)
        for body in json_api.items(json_api.tree(answer.body), "shipments")
        if isinstance(json_api.at(body, "events"), list) or json_api.text(body, "shipmentTrackingNumber")
    ]
    return shipments or answers.unreadable(SPEC.name, answer)


def _shipment(body: Any, number: str) -> Shipment:
    pieces = [json_api.text(piece, "trackingNumber") for piece in json_api.items(body, "pieces")]
    # For a piece, the service returns its shipment. At this level of detail, the shipment does not list its pieces.
    if not pieces and _PIECE.fullmatch(number):
        pieces.append(number)
    numbers = json_api.text(body, "shipmentTrackingNumber"), *pieces
    # The sources disagree on the order of the events.
    events = sorted(json_api.items(body, "events"), key=lambda event: _time(event) or answers.NEVER)
    return Shipment(numbers=tuple(filter(None, numbers)), scans=tuple(map(_scan, events)), body=body)


def _scan(event: Any) -> Scan:
    label = json_api.text(event, "description")
    return Scan.of(event, json_api.text(event, "typeCode"), DHL_EXPRESS_CODES, _time(event), label)


_SIGNED = re.compile(r"\bdelivered\s*:\s*(.+)", re.IGNORECASE | re.DOTALL)
_READ_OF_TEXTS = 300  # characters


def _signatory(event: Any) -> str | None:
    """The name in `signedBy`, or else in a description such as `Delivered : DUPONT`."""
    match = _SIGNED.search((json_api.text(event, "description") or "")[:_READ_OF_TEXTS])
    return json_api.text(event, "signedBy") or (match[1].strip() if match else None)


def _time(event: Any) -> datetime | None:
    """The local time with its offset. A time without an offset is assumed to be French (inferred)."""
    local = f"{json_api.text(event, 'date')}T{json_api.text(event, 'time') or '00:00:00'}"
    offset = json_api.text(event, "GMTOffset") or ""
    return answers.parse_time(f"{local}{offset}", PARIS) or answers.parse_time(local, PARIS)


# ---------------------------------------------------------------- answers with the document


def parse_pod(answer: Response, number: str, delivery: Delivery) -> Outcome:
    """The document, or why it is missing. The answer has no signatory or time, so they are from `delivery`."""
    if answer.status == HTTPStatus.NOT_FOUND:
        return answers.failure_of(SPEC.name, _NO_PROOF, answer, problem_of(answer).carrier_text)
    if not answer.is_ok:
        return _error(answer, number, Sentence.SERVICE_DENIED)
    tree = json_api.tree(answer.body)
    if not isinstance(json_api.at(tree, "documents"), list):
        return answers.unreadable(SPEC.name, answer)
    documents = json_api.items(tree, "documents")
    proofs = [document for document in documents if json_api.text(document, "typeCode") == "POD"]
    if pieces := [piece for document in proofs or documents if (piece := _piece(document))]:
        return answers.evidence(SPEC.name, pieces, delivery, answer)
    return answers.failure_of(SPEC.name, Sentence.PROOF_PENDING, answer)


def _piece(document: Any) -> answers.EncodedPiece | None:
    """A document. Its format is in `encodingFormat`, or in `format` (karrio's fixture). Its bytes are checked later."""
    form = clean(json_api.text(document, "encodingFormat") or json_api.text(document, "format") or "", 20)
    encoded = json_api.text(document, "content")
    return (
        answers.EncodedPiece(encoded, f"dhl_express proof-of-delivery {form}".strip())
        if encoded is not None
        else None
    )


# ---------------------------------------------------------------- errors of both calls


def _error(answer: Response, number: str, of_account: Meaning = Sentence.PARCEL_DENIED) -> Failure:
    """The failure for an error. `of_account`: the meaning of a bad request that names the account."""
    problem = problem_of(answer)
    if answer.status not in _BAD_REQUESTS:
        # The bodies of 401 and 403 are not documented, so their meanings are inferred. A 403 is assumed to concern the
        # account, not the shipment.
        return answers.error(
            SPEC.name, answer, {}, answers.ACCOUNT_STATUSES, carrier_text=problem.carrier_text
        )
    key: Meaning = Sentence.REQUEST_REJECTED
    if _NAMES_NUMBER in problem.text or re.search(rf"(?<!\d){re.escape(number)}(?!\d)", problem.text):
        key = Sentence.NUMBER_REJECTED
    elif _NAMES_ACCOUNT in problem.text:
        key = of_account
    return answers.failure_of(SPEC.name, key, answer, problem.carrier_text)

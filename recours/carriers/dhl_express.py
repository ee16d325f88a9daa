"""DHL Express: tracking and proof of delivery of the MyDHL API, JSON with Basic authentication.

Facts from the carrier's OpenAPI document 3.1.1 (November 2025) and karrio's connector `mydhl`, unless said otherwise.
Nothing was tried against the live service.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from recours.carriers import check_digits, rest
from recours.carriers.client import Client
from recours.carriers.findings import (
    PARIS,
    Meaning,
    Sent,
    document,
    meant,
    moment,
    not_delivered,
    out_of_order,
    person,
    quoted,
    refused_account,
    unreadable,
)
from recours.carriers.message import Request, Response
from recours.carriers.oauth import basic_auth
from recours.carriers.problem import Problem, problem_of
from recours.core.carrier import CarrierSpec
from recours.core.claim import Delivery
from recours.core.errors import ErrorKind
from recours.core.outcome import Failure, Outcome
from recours.core.quota import Capability
from recours.core.text import clean
from recours.runs.ports import Line

_DIGITS = 10  # of a waybill; the variant of 11 has no check digit that is known


def _check_digit_fits(number: str) -> bool:
    return len(number) != _DIGITS or check_digits.dhl_express(number)


SPEC = CarrierSpec(
    key="dhl_express",
    name="DHL Express",
    spellings=("DHL Express Worldwide", "DHL Express International"),
    limits={None: "250/day@Europe/Paris"},  # ours: the carrier publishes none for production
    credentials=(("DHL_EXPRESS_API_KEY", "DHL_EXPRESS_API_SECRET", "DHL_EXPRESS_ACCOUNT_NUMBER"),),
    base_url="https://express.api.dhl.com",  # trials have another path on it: /mydhlapi/test
    number_form=re.compile(r"[0-9]{10,11}"),
    number_words="10 or 11 digits (the waybill, not the number of a piece)",
    calls={Capability.TRACKING: 1, Capability.POD: 1},
    sample_number="0" * _DIGITS,
    check_digit_fits=_check_digit_fits,
)

_SHIPMENTS = "/mydhlapi/shipments"
_TRACKING = {
    "trackingView": "all-checkpoints",
    "levelOfDetail": "shipment",
    "requestGMTOffsetPerEvent": "true",
}
_CONTENT = "epod-summary"

# typeCode of events, by karrio's list. OK: handed over, in two sources; DD: handed over, damaged. PD is not here: a part
# of the shipment only is handed over.
DELIVERED_CODES = frozenset({"OK", "DD"})
# PU, PL, DF, AF, WC in two sources, the others in that list. Not here, so that whoever keeps these tables is told: 101,
# which the list has for the delivery of a whole shipment; nobody has seen it as the code of an event.
TRANSIT_CODES = frozenset(
    [
        *("PU", "PL", "DF", "AF", "AR", "WC", "CR", "TP", "102", "104"),  # on its way
        *("OH", "NH", "ND", "BA", "RD", "CA", "MS", "MD", "HP", "CC", "103"),  # exceptions
        "PD",  # delivered in part
        *("RT", "DS"),  # will never be delivered: returned, destroyed
    ]
)

_OK, _UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 200, 401, 403, 404
_SERVER_ERRORS = 500
_BAD_REQUESTS = frozenset({400, 422})

# 401 and 403: inferred, their bodies are not documented.
_DENIED: Meaning = (ErrorKind.ACCESS_DENIED, "DHL Express denies our account access to this shipment")
_INVALID: Meaning = (ErrorKind.INVALID_TRACKING, "DHL Express says that this number cannot be one")
_MISTAKE: Meaning = (ErrorKind.BAD_RESPONSE, "DHL Express could not read our request")
# By what a bad request (of the OpenAPI document) names. The account: one public note on the POD call.
_NAMES_NUMBER = "shipmenttrackingnumber"
_NAMES_ACCOUNT = "account"

# One public note of a live answer: a number of another account, or none, gives the same answer as a missing proof.
_NO_PROOF = (
    "The parcel is delivered, but DHL Express has no proof yet "
    "(it says the same if DHL_EXPRESS_ACCOUNT_NUMBER is not the account that paid)"
)
_NO_CONTENT = "The parcel is delivered, but DHL Express sent no document yet"


class DhlExpress(Client):
    """The client: the events first, the proof only for a delivered shipment."""

    spec = SPEC

    def __init__(self, settings: Mapping[str, str]) -> None:
        """See Client."""
        super().__init__(settings)
        key, secret, self._account = (settings[name] for name in SPEC.credentials[0])
        self._authorization = basic_auth(key, secret)

    def track(self, number: str, line: Line) -> Delivery | Failure:
        """`GET /shipments/{number}/tracking`."""
        request = tracking_request(number, self._authorization)
        return parse_tracking(line.call(Capability.TRACKING, request), number)

    def prove(self, number: str, delivery: Delivery, line: Line) -> Outcome:
        """`GET /shipments/{number}/proof-of-delivery`."""
        request = pod_request(number, self._account, self._authorization)
        return parse_pod(line.call(Capability.POD, request), number, delivery)


def tracking_request(number: str, authorization: str) -> Request:
    """The events of a shipment, each with its offset from UTC."""
    return _get(f"{number}/tracking", _TRACKING, authorization)


def pod_request(number: str, account: str, authorization: str) -> Request:
    """The proof as a PDF. `account`: the one that paid for the shipment."""
    query = {"shipperAccountNumber": account, "content": _CONTENT}
    return _get(f"{number}/proof-of-delivery", query, authorization)


def _get(path: str, query: Mapping[str, str], authorization: str) -> Request:
    headers = {"Authorization": authorization, "Accept": "application/json"}
    return Request("GET", f"{_SHIPMENTS}/{path}?{urlencode(query)}", headers)


# ---------------------------------------------------------------- the tracking's answers


def parse_tracking(answer: Response, number: str) -> Delivery | Failure:
    """The delivery, if the shipment is delivered."""
    shipment = _shipment(answer, number)
    if isinstance(shipment, Failure):
        return shipment
    # The sources disagree on the order of the events.
    events = sorted(rest.items(shipment, "events"), key=_when)
    delivered = [event for event in events if rest.text(event, "typeCode") in DELIVERED_CODES]
    if delivered:
        return _delivery(delivered)
    last = events[-1] if events else None
    code, label = rest.text(last, "typeCode"), rest.text(last, "description")
    return not_delivered(answer, label, code=code, known=TRANSIT_CODES)


def _shipment(answer: Response, number: str) -> Any | Failure:
    """The shipment that was asked for, else the first one. Its `status` is the request's, not the parcel's."""
    if answer.status == _NOT_FOUND:
        said = problem_of(answer).said
        return meant((ErrorKind.NOT_FOUND, "DHL Express does not know this number"), answer, said)
    tree = _tree(answer, number)
    if isinstance(tree, Failure):
        return tree
    found = [one for one in rest.items(tree, "shipments") if _is_shipment(one)]
    if not found:
        return unreadable(SPEC.name, answer)
    return next((one for one in found if rest.text(one, "shipmentTrackingNumber") == number), found[0])


def _is_shipment(one: Any) -> bool:
    """Whether it is one at all: a shipment without events yet has its number."""
    return isinstance(rest.at(one, "events"), list) or rest.text(one, "shipmentTrackingNumber") is not None


def _delivery(delivered: list[Any]) -> Delivery:
    """`delivered`: the events that say so, in their order; the latest that names somebody tells who signed."""
    names = (name for event in reversed(delivered) if (name := _signatory(event)))
    return Delivery(_moment(delivered[-1]), person(next(names, None)))


_SIGNED = re.compile(r"\bdelivered\s*:\s*(.+)", re.IGNORECASE | re.DOTALL)
_READ_OF_TEXTS = 300  # signs


def _signatory(event: Any) -> str | None:
    """`signedBy`; some events have the name in their description instead, as in `Delivered : DUPONT`."""
    found = _SIGNED.search((rest.text(event, "description") or "")[:_READ_OF_TEXTS])
    return rest.text(event, "signedBy") or (found[1].strip() if found else None)


_NEVER = datetime.min.replace(tzinfo=UTC)


def _when(event: Any) -> datetime:
    return _moment(event) or _NEVER


def _moment(event: Any) -> datetime | None:
    """Local time with the offset that goes with it; without one (inferred) it is French."""
    local = f"{rest.text(event, 'date')}T{rest.text(event, 'time') or '00:00:00'}"
    offset = rest.text(event, "GMTOffset") or ""
    return moment(f"{local}{offset}", PARIS) or moment(local, PARIS)


# ---------------------------------------------------------------- the document's answers


def parse_pod(answer: Response, number: str, delivery: Delivery) -> Outcome:
    """The document, or why there is none. The answer holds neither signatory nor time: `delivery` does."""
    if answer.status == _NOT_FOUND:
        words = f"{_NO_PROOF}{quoted(problem_of(answer).said)}"
        return Failure(ErrorKind.POD_NOT_AVAILABLE_YET, words, answer.status, delivery=delivery)
    tree = _tree(answer, number)
    if isinstance(tree, Failure):
        return replace(tree, delivery=delivery)
    if not isinstance(rest.at(tree, "documents"), list):
        return replace(unreadable(SPEC.name, answer), delivery=delivery)
    sent = _chosen(rest.items(tree, "documents"))
    encoded = rest.text(sent, "content")
    if encoded is None:
        return Failure(ErrorKind.POD_NOT_AVAILABLE_YET, _NO_CONTENT, answer.status, delivery=delivery)
    return document(SPEC.name, [Sent(encoded, _source(sent))], delivery, answer)


def _chosen(documents: list[Any]) -> Any:
    """The one that says it is the proof, else the first; None if there is none."""
    proofs = (one for one in documents if rest.text(one, "typeCode") == "POD")
    return next(proofs, documents[0] if documents else None)


def _source(sent: Any) -> str:
    """The form is in `encodingFormat`; a fixture of karrio's has `format`. What it is worth, the bytes tell later."""
    form = rest.text(sent, "encodingFormat") or rest.text(sent, "format")
    return f"dhl_express proof-of-delivery{f' {clean(form, 20)}' if form else ''}"


# ---------------------------------------------------------------- errors, in either answer


def _tree(answer: Response, number: str) -> Any | Failure:
    """What an answer without error holds."""
    if answer.status != _OK:
        return _error(answer, number)
    try:
        return rest.parse(answer.body)
    except rest.NotJson:
        return unreadable(SPEC.name, answer)


def _error(answer: Response, number: str) -> Failure:
    problem = problem_of(answer)
    if answer.status == _UNAUTHORIZED:
        return refused_account(SPEC.name, answer, problem.said)
    if answer.status == _FORBIDDEN:
        return meant(_DENIED, answer, problem.said)
    if answer.status in _BAD_REQUESTS:
        return meant(_named_by(problem, number), answer, problem.said)
    if answer.status >= _SERVER_ERRORS:
        return out_of_order(SPEC.name, answer, problem.said)
    return unreadable(SPEC.name, answer)


def _named_by(problem: Problem, number: str) -> Meaning:
    """What a bad request blames: the number, our account, or a mistake of ours."""
    if _NAMES_NUMBER in problem.words or re.search(rf"(?<!\d){re.escape(number)}(?!\d)", problem.words):
        return _INVALID
    return _DENIED if _NAMES_ACCOUNT in problem.words else _MISTAKE

"""Acme: a fictional carrier, for the test that adds one. JSON over HTTP, a key in the header."""

import re
from typing import Any

from recours.carriers import json_api
from recours.carriers.answers import (
    EncodedPiece,
    Meaning,
    ParcelStatus,
    Scan,
    Shipment,
    error,
    evidence,
    handover,
    parse_time,
    status_table,
)
from recours.carriers.client import Client
from recours.carriers.message import CarrierSession, Request, Response
from recours.core.carrier import CarrierSpec, Option
from recours.core.claim import Delivery
from recours.core.outcome import Failure, Outcome
from recours.core.quota import Capability
from recours.core.sentences import Sentence

SPEC = CarrierSpec(
    key="acme",
    name="Acme Express",
    spellings=("Acme",),
    limits={None: "300/day@UTC"},
    credentials=(("ACME_KEY",),),
    base_url="https://api.acme.example",
    number_form=re.compile(r"AC[0-9]{10}"),
    number_example="AC1234567890",
    calls={Capability.TRACKING: 1, Capability.POD: 1},
    sample_number="AC0000000000",
    options=(Option("ACME_SITE", "fr", re.compile(r"[a-z]{2}"), "two letters"),),
)

CODES: dict[str, Meaning] = {
    "UNKNOWN_PARCEL": Sentence.NUMBER_UNKNOWN,
    "NOT_YOUR_PARCEL": Sentence.PARCEL_NOT_OURS,
    "BAD_KEY": Sentence.CREDENTIALS_REJECTED,
    "NO_SUBSCRIPTION": Sentence.SERVICE_DENIED,
    "BAD_REQUEST": Sentence.REQUEST_REJECTED,
    "NO_PROOF_YET": Sentence.PROOF_PENDING,
    "INTERNAL": Sentence.CARRIER_ERROR,
}
STATES = status_table(
    {
        ParcelStatus.DELIVERED: "DELIVERED",
        ParcelStatus.RETURNED: "RETURNED",
        ParcelStatus.ON_ITS_WAY: "ON_ITS_WAY",
    }
)


class Acme(Client):
    """The client."""

    spec = SPEC

    def track(self, number: str, session: CarrierSession) -> Delivery | Failure:
        """`GET /parcels/{number}`."""
        return parse_tracking(session.call(Capability.TRACKING, self._request(number)))

    def fetch_proof(self, number: str, delivery: Delivery, session: CarrierSession) -> Outcome:
        """`GET /parcels/{number}/proof`."""
        return parse_proof(session.call(Capability.POD, self._request(f"{number}/proof")), delivery)

    def _request(self, path: str) -> Request:
        headers = {"X-Key": self.settings["ACME_KEY"], "Accept": "application/json"}
        return Request("GET", f"/{self.settings['ACME_SITE']}/parcels/{path}", headers)


def parse_tracking(answer: Response) -> Delivery | Failure:
    """The delivery, or the parcel's location."""
    tree = json_api.tree(answer.body)
    state, told = json_api.text(tree, "state"), json_api.text(tree, "label")
    if state is None:
        return _failure(answer, tree)
    at = parse_time(json_api.text(tree, "at"))
    scan = Scan(status=STATES.get(state), at=at, code=state, label=told)
    # The answer has no number.
    outcome = handover(SPEC.name, "", [Shipment(scans=(scan,))], answer, STATES)
    return (
        outcome
        if isinstance(outcome, Failure)
        else outcome.delivery(signatory=json_api.text(tree, "signedBy"))
    )


def parse_proof(answer: Response, delivery: Delivery) -> Outcome:
    """The document, or the reason why there is no document."""
    tree = json_api.tree(answer.body)
    content = json_api.text(tree, "content")
    if content is None:
        return _failure(answer, tree)
    return evidence(SPEC.name, [EncodedPiece(content, "acme proof")], delivery, answer)


def _failure(answer: Response, tree: Any) -> Failure:
    code = json_api.text(tree, "error", "code")
    return error(SPEC.name, answer, CODES, {}, code, json_api.text(tree, "error", "message"))

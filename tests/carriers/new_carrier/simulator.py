"""Acme's simulated service. Pure: a request and a parcel's state yield an answer."""

import re

from recours.sandbox import documents, json_api
from recours.sandbox.answers import (
    Answer,
    BadRequestError,
    HttpRequest,
    Question,
    SimulatedCarrier,
    account_of,
)
from recours.sandbox.scenarios import DELIVERED_BY_TRACKING, NO_DOCUMENT_IS_THERE, ParcelState, Scenario

_PATH = re.compile(r"/[a-z]{2}/parcels/(AC[0-9]{10})(/proof)?")


class Acme(SimulatedCarrier):
    """The simulated service."""

    key = "acme"
    credentials = ("ACME_KEY",)
    number_form = "AC{digits}{serial:08d}"

    def owns(self, path: str) -> bool:
        """Whether a request is for this service: everything about parcels."""
        return re.match(r"/[a-z]{2}/parcels/", path) is not None

    def read(self, request: HttpRequest) -> Question:
        json_api.needs(request, "GET", _error(405, "BAD_REQUEST", "Use GET"))
        if request.headers.get("accept") != "application/json":
            raise BadRequestError(_error(406, "BAD_REQUEST", "JSON is all there is"))
        found = _PATH.fullmatch(request.path)
        if found is None:
            raise BadRequestError(_error(404, "BAD_REQUEST", "No such resource"))
        number, proof = found.groups()
        return Question(
            "proof" if proof else "parcel",
            number,
            tracking=not proof,
            continues_in=() if proof else DELIVERED_BY_TRACKING,
            credentials=account_of(request.headers.get("x-key", "")),
        )

    def refusal(self, question: Question, state: ParcelState) -> Answer | None:
        del question
        errors = {
            Scenario.UNKNOWN: _error(404, "UNKNOWN_PARCEL", "No such parcel"),
            Scenario.ACCOUNT_DENIED: _error(403, "NO_SUBSCRIPTION", "Not subscribed"),
            Scenario.FAULT_CLIENT: _error(400, "BAD_REQUEST", "Refused"),
            Scenario.FAULT_SERVER: _error(500, "INTERNAL", "Failed"),
            Scenario.SYSTEM_ERROR: _error(500, "INTERNAL", "Out of service"),
        }
        if state.scenario is Scenario.AUTH_REFUSED:
            return _error(401, "BAD_KEY", "Wrong key")
        return errors.get(state.scenario)

    def good(self, question: Question, state: ParcelState) -> Answer:
        return _proof(question, state) if question.operation == "proof" else _parcel(state)


def _parcel(state: ParcelState) -> Answer:
    states = {Scenario.IN_TRANSIT: "ON_ITS_WAY", Scenario.RETURNED_TO_SENDER: "RETURNED"}
    told = states.get(state.scenario, "DELIVERED")
    signed = {"at": state.delivered_at.isoformat(), "signedBy": documents.signatory_of(state)}
    return json_api.answer({"state": told, "label": told.lower()} | (signed if told == "DELIVERED" else {}))


def _proof(question: Question, state: ParcelState) -> Answer:
    if state.scenario in NO_DOCUMENT_IS_THERE:
        return _error(404, "NO_PROOF_YET", "There is no proof yet")
    if state.scenario is Scenario.NOT_OURS:
        return _error(403, "NOT_YOUR_PARCEL", "Another customer's")
    content = documents.document_text(state, "Acme", question.number)
    return json_api.answer({"content": content})


def _error(status: int, code: str, message: str) -> Answer:
    return json_api.answer({"error": {"code": code, "message": message}}, status)

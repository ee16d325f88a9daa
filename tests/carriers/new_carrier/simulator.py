"""Acme's service, simulated. Pure: a request and a turn give an answer."""

import re

from recours.sandbox import documents, json_api
from recours.sandbox.answers import (
    Answer,
    HttpRequest,
    NotUnderstoodError,
    Question,
    SimulatedCarrier,
    hostile_text,
)
from recours.sandbox.progress import Turn
from recours.sandbox.scenarios import DELIVERED_BY_TRACKING, Scenario

_PATH = re.compile(r"/[a-z]{2}/parcels/(AC[0-9]{10})(/proof)?")
_NO_PROOF = frozenset({Scenario.POD_LATE, Scenario.POD_NEVER, Scenario.POD_NONE, Scenario.POD_UNSAID})


class Acme(SimulatedCarrier):
    """The simulated service."""

    key = "acme"

    def owns(self, path: str) -> bool:
        """Everything about parcels."""
        return re.match(r"/[a-z]{2}/parcels/", path) is not None

    def read(self, request: HttpRequest) -> Question:
        """Understand a call. Raises NotUnderstoodError."""
        json_api.needs(request, "GET", _error(405, "BAD_REQUEST", "Use GET"))
        found = _PATH.fullmatch(request.path)
        if found is None:
            raise NotUnderstoodError(_error(404, "BAD_REQUEST", "No such resource"))
        account, password = json_api.account_of(request.headers.get("x-key", ""))
        number, proof = found.groups()
        return Question(
            "proof" if proof else "parcel",
            number,
            tracking=not proof,
            goes_on=() if proof else DELIVERED_BY_TRACKING,
            account=account,
            password=password,
            needs_account=True,
        )

    def settings(self, account: str, password: str) -> dict[str, str]:
        """One key."""
        return {"ACME_KEY": json_api.key_of(account, password)}

    def example(self, digits: str, serial: int) -> str:
        """Two letters and ten digits."""
        return f"AC{digits}{serial:08d}"

    def answer(self, question: Question, turn: Turn) -> Answer:
        """Answer a call, as the turn's scenario has it."""
        errors = {
            Scenario.UNKNOWN: _error(404, "UNKNOWN_PARCEL", "No such parcel"),
            Scenario.ACCOUNT_DENIED: _error(403, "NO_SUBSCRIPTION", "Not subscribed"),
            Scenario.FAULT_CLIENT: _error(400, "BAD_REQUEST", "Refused"),
            Scenario.FAULT_SERVER: _error(500, "INTERNAL", "Failed"),
            Scenario.SYSTEM_ERROR: _error(500, "INTERNAL", "Out of service"),
            Scenario.HOSTILE_TEXT: _error(500, "INTERNAL", hostile_text(question.password)),
        }
        if turn.scenario in errors:
            return errors[turn.scenario]
        if turn.scenario is Scenario.AUTH_REFUSED:
            return _error(401, "BAD_KEY", "Wrong key")
        good = _proof(question, turn) if question.operation == "proof" else _parcel(turn)
        return json_api.spoilt(turn.scenario, good, turn) or good


def _parcel(turn: Turn) -> Answer:
    state = {Scenario.IN_TRANSIT: "ON_ITS_WAY", Scenario.RETURNED_TO_SENDER: "RETURNED"}
    told = state.get(turn.scenario, "DELIVERED")
    signed = {"at": turn.delivered_at.isoformat(), "signedBy": documents.signatory_of(turn)}
    return json_api.answer({"state": told, "label": told.lower()} | (signed if told == "DELIVERED" else {}))


def _proof(question: Question, turn: Turn) -> Answer:
    if turn.scenario in _NO_PROOF:
        return _error(404, "NO_PROOF_YET", "There is no proof yet")
    if turn.scenario is Scenario.NOT_OURS:
        return _error(403, "NOT_YOUR_PARCEL", "Another customer's")
    content = documents.document_text(turn, "Acme", question.number, turn.delivered_at)
    return json_api.answer({"content": content})


def _error(status: int, code: str, message: str) -> Answer:
    return json_api.answer({"error": {"code": code, "message": message}}, status)

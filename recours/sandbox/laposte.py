"""Simulates La Poste's "Suivi v2".

Sources: karrio's connector and two other public clients, and a study of the gateway in September 2026. `isParcelBack`
was recorded (hedii/colissimo-api).

Inferred, without a source: A key without a subscription gets a 403 (ACCOUNT_DENIED). An unknown parameter or a missing
Accept header makes a request invalid (HTTP 400, BAD_REQUEST). The gateway's texts for an invalid request and for an
internal error, and the answer to more than ten numbers, are guesses.

The service has no documents and no signatories, and any account may ask about any parcel. NOT_OURS and the scenarios
about missing proofs or signatories therefore simulate a delivered parcel. The message of a 429 names the window. No
observed answer had a Retry-After header, so it is sent only if the parcel's script has one. The answer about several
numbers is a list, with HTTP 207 unless the answers about all numbers are good.
"""

import json
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote

from recours.sandbox import json_api
from recours.sandbox.answers import (
    Answer,
    BadRequestError,
    HttpRequest,
    Question,
    TracksSeveral,
    account_of,
    part_of,
)
from recours.sandbox.scenarios import ParcelState, Scenario, french_time

PATH = "/suivi/v2/idships/"
NUMBER = re.compile(r"[A-Z0-9]{11,15}")
MAX_NUMBERS = 10
_LANGUAGE = "fr_FR"  # the only one that is simulated

_OK = 200
_SEVERAL_STATUSES = 207
_BAD_NUMBER = "Le numéro que vous avez saisi n'est pas valide. Vérifiez les signes qui le composent."
_UNKNOWN = "Ressource non trouvée"

# HTTP status, code, message.
_GATEWAY_ERRORS = {
    Scenario.RATE_LIMITED: (429, "TOO_MANY_REQUESTS", "max quota reached (10 calls per 1s)"),
    Scenario.ACCOUNT_DENIED: (403, "FORBIDDEN", "This application has no subscription to the API"),
    Scenario.FAULT_CLIENT: (400, "BAD_REQUEST", "The request was refused"),
    Scenario.FAULT_SERVER: (500, "INTERNAL_SERVER_ERROR", "Fault occurred while processing"),
}

# Code, label, time before the last event.
_ON_THE_WAY = (
    ("DR1", "Annoncé par l'expéditeur.", timedelta(days=2)),
    ("PC1", "Pris en charge.", timedelta(days=1, hours=15)),
    ("ET1", "En cours de traitement.", timedelta(hours=15)),
    ("MD2", "En cours de livraison.", timedelta(hours=4)),
)
_DELIVERED = ("DI1", "Votre colis est livré.", timedelta())
_SENT_BACK = (
    ("RE1", "Votre colis est en cours de retour à l'expéditeur.", timedelta(hours=2)),
    ("DI2", "Votre colis a été livré à l'expéditeur.", timedelta()),
)


class LaPoste(TracksSeveral):
    key = "laposte"
    paths = ("/suivi/v2/",)
    number_form = "6A{digits}{serial:09d}"
    prefix = 2
    credentials = ("LAPOSTE_API_KEY",)

    def read(self, request: HttpRequest) -> Question:
        json_api.needs(request, "GET", _gateway(405, "METHOD_NOT_ALLOWED", "Use GET"))
        key = request.headers.get("x-okapi-key", "")
        if not key:
            raise BadRequestError(_unauthorized())
        if not request.path.startswith(PATH):
            raise BadRequestError(_gateway(404, "NOT_FOUND", "No such resource"))
        if "application/json" not in request.headers.get("accept", ""):
            raise BadRequestError(_gateway(400, "BAD_REQUEST", "Accept must be application/json"))
        if json_api.first_values(request.query) != {"lang": _LANGUAGE}:
            raise BadRequestError(_gateway(400, "BAD_REQUEST", f"the only parameter is lang={_LANGUAGE}"))
        names = request.path.removeprefix(PATH)
        number, *more_numbers = (unquote(name) for name in names.split(","))
        if len(more_numbers) >= MAX_NUMBERS:
            raise BadRequestError(_functional(400, _BAD_NUMBER, names))
        return Question("idships", number, tuple(more_numbers), tracking=True, credentials=account_of(key))

    def items_of(self, answer: Answer) -> list[Any] | None:
        """See TracksSeveral. An error of the service concerns one parcel; an error of the gateway concerns the call."""
        return [json.loads(answer.body)] if isinstance(part_of(answer, "returnCode"), int) else None

    def joined(self, items: Sequence[Any]) -> Answer:
        """An answer with all items. Each item has the status that a separate answer would have."""
        is_well = all(isinstance(item, dict) and item.get("returnCode") == _OK for item in items)
        return json_api.answer(list(items), _OK if is_well else _SEVERAL_STATUSES)

    def refusal(self, question: Question, state: ParcelState) -> Answer | None:
        number = question.number
        scenario = state.scenario
        if scenario is Scenario.AUTH_REFUSED:
            return _unauthorized()
        if scenario in _GATEWAY_ERRORS:
            return _gateway(*_GATEWAY_ERRORS[scenario])
        if not NUMBER.fullmatch(number):
            return _functional(400, _BAD_NUMBER, number)
        if scenario is Scenario.UNKNOWN:
            return _functional(404, _UNKNOWN, number)
        if scenario is Scenario.SYSTEM_ERROR:
            return _functional(500, "Erreur système", number)
        return None

    def good(self, question: Question, state: ParcelState) -> Answer:
        delivered = state.is_delivered
        history = state.history(_ON_THE_WAY, _DELIVERED, _SENT_BACK)
        events = [{"code": code, "label": label, "date": _local(when)} for code, label, when in history]
        shipment: dict[str, Any] = {
            "idShip": question.number,
            "holder": 4,
            "product": "Colissimo",
            "isFinal": delivered,
            "entryDate": events[1]["date"],
            "url": f"https://www.laposte.fr/outils/suivre-vos-envois?code={question.number}",
            "event": events[::-1],  # newest first
            "contextData": {
                "isParcelBack": state.scenario is Scenario.RETURNED_TO_SENDER,
                "deliveryChoice": {"deliveryChoice": 0},
                "originCountry": "FR",
                "arrivalCountry": "FR",
            },
        }
        if delivered:
            shipment["deliveryDate"] = _local(state.last_at)
        tree = {"lang": _LANGUAGE, "scope": "open", "returnCode": 200, "shipment": shipment}
        return json_api.answer(tree)


def _gateway(status: int, code: str, message: str) -> Answer:
    return json_api.answer({"code": code, "message": message}, status)


def _unauthorized() -> Answer:
    return _gateway(401, "UNAUTHORIZED", "This action requires an authorization")  # recorded


def _functional(status: int, message: str, number: str) -> Answer:
    tree = {"returnCode": status, "returnMessage": message, "lang": _LANGUAGE, "scope": "open"}
    return json_api.answer(tree | {"idShip": number}, status)


def _local(at: datetime) -> str:
    return french_time(at).isoformat(timespec="seconds")

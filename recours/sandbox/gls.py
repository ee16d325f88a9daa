"""Simulates GLS's Track & Trace v1 and ShipIT-Farm v1 with their tokens.

Sources: the carrier's OpenAPI documents in karrio's connector `gls`, and the notes of a public client that was tested
live (the empty bodies of ShipIT, HTTP 490, the order of events).

Inferred, without a source: A refused token request has HTTP status 400, as its `type` suggests. ShipIT answers a
request that it cannot parse with 400 and the headers of its refusals. Both calls refuse unknown parameters and fields.
The code POD.WRONG_STATE was seen only in a simulator. Codes of events that are not in the documents are invented.

The answer to POD_LATE, POD_NEVER and POD_NONE is POD.WRONG_STATE, the only reason that the service has for a missing
proof. The answer to POD_UNSAID is an item without images. ACCOUNT_DENIED means that ShipIT refuses a token that
tracking accepts; NOT_OURS (inferred) is ShipIT's HTTP 403 for one parcel. The status of a returned parcel is unknown,
so RETURNED_TO_SENDER is FINAL, the status of a closed history. IN_TRANSIT shows a different status at each attempt.
Both services accept parcels only by number: ten per tracking call, one per ShipIT call.
"""

import json
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from recours.sandbox import documents, json_api
from recours.sandbox.answers import Answer, BadRequestError, GivesTokens, HttpRequest, Question, TracksSeveral
from recours.sandbox.scenarios import DELIVERED_BY_TRACKING, ParcelState, Scenario, french_time

_TOKEN = "/oauth2/v2/token"  # noqa: S105 (a path)
_TRACK = "/track-and-trace-v1/tracking/simple/trackids/"
_SHIPIT = "/shipit-farm/v1/backend/rs/tracking/"
_OPERATIONS = ("parceldetails", "parcelpod")
_SHIPIT_TYPE = "application/glsVersion1+json"

# The identifiers of a parcel in both services, with their formats.
_IDENTIFIERS = {"TrackID": r"[A-Z0-9]{8}|QAS_[0-9]{7}", "ParcelNumber": r"[0-9]{11,12}|[0-9]{20}"}
_NUMBER = re.compile("|".join(_IDENTIFIERS.values()))
_PARAMETERS = {"showEvents": "true"}
_LANGUAGES = {"EN", "FR", "DE"}
_MAX_NUMBERS = 10

# In these scenarios, the tracking call accepts the token and says "delivered".
_CONTINUES_IN = (DELIVERED_BY_TRACKING - {Scenario.AUTH_REFUSED}) | {Scenario.ACCOUNT_DENIED}

# Status, code and text of an event, and its time before the last event.
_ON_THE_WAY = (
    ("PREADVICE", "INTIAL.PREADVICE", "Les données du colis ont été transmises à GLS.", timedelta(days=2)),
    ("INTRANSIT", "INTIAL.NORMAL", "Le colis a été remis à GLS.", timedelta(days=1, hours=15)),
    ("INDELIVERY", "OUTDEL.NORMAL", "Le colis est en cours de livraison.", timedelta(hours=3, minutes=19)),
)
_DELIVERED = ("DELIVERED", "DELIVD.CONSIGNEE", "Le colis a été livré.", timedelta())
_CLOSED = ("FINAL", "RETURN.SENDER", "Le colis a été retourné à l'expéditeur.", timedelta())
# The last event of an undelivered parcel, another at each attempt. Only the code DELIVD.PARCELSHOP was ever observed.
_NOT_YET = (
    _ON_THE_WAY[-1],
    ("DELIVEREDPS", "DELIVD.PARCELSHOP", "Le colis a été livré au Relais GLS.", timedelta()),
    ("NOTDELIVERED", "NOTDEL.ABSENT", "Le destinataire était absent.", timedelta()),
    ("INWAREHOUSE", "INBOUD.NORMAL", "Le colis est arrivé à l'agence.", timedelta()),
)

_WRONG_STATE = frozenset({Scenario.POD_LATE, Scenario.POD_NEVER, Scenario.POD_NONE, Scenario.IN_TRANSIT})


class Gls(GivesTokens, TracksSeveral):
    key = "gls"
    paths = (_TOKEN, _TRACK, _SHIPIT)
    number_form = "{digits}{serial:09d}"
    credentials = ("GLS_CLIENT_ID", "GLS_CLIENT_SECRET")
    items_path = ("parcels",)  # also contains errors about parcels

    def read(self, request: HttpRequest) -> Question:
        if request.path == _TOKEN:
            return json_api.read_token(request, _no_token("Unsupported grant type"))
        return _read_shipit(request) if request.path.startswith(_SHIPIT) else _read_tracking(request)

    def token(self, question: Question, token: str | None, life: int) -> Answer:
        """A token, with its lifetime as a string."""
        del question
        if token is None:
            return _no_token("Invalid client identifier")
        return json_api.answer({"token_type": "Bearer", "access_token": token, "expires_in": str(life)})

    def joined(self, items: Sequence[Any]) -> Answer:
        return json_api.answer({"parcels": list(items)})

    def refusal(self, question: Question, state: ParcelState) -> Answer | None:
        if state.scenario is Scenario.RATE_LIMITED:  # from the gateway of both services
            text = "Rate limit quota violation. Quota limit  exceeded. Identifier : sandbox"
            return _fault(429, text, "policies.ratelimit.QuotaViolation")
        if not question.tracking:
            return _refused_shipit(question, state)
        if not _NUMBER.fullmatch(question.number):
            return _wrong_parcel(question.number, "E_400_01", "Bad Request")
        return _refused_tracking(question, state)

    def good(self, question: Question, state: ParcelState) -> Answer:
        return _tracking(question, state) if question.tracking else _shipit(question, state)


# ---------------------------------------------------------------- requests


def _no_token(message: str) -> Answer:
    return json_api.answer({"errors": [{"message": message, "type": "400"}]}, 400)


def _read_tracking(request: HttpRequest) -> Question:
    json_api.needs(request, "GET", json_api.problem(405, "Method Not Allowed", "Use GET"))
    number, *more_numbers = request.path.removeprefix(_TRACK).split(",")
    values, wrong = json_api.parameters(request, _PARAMETERS)
    detail = None
    if wrong:
        detail = f"Failed to convert '{wrong[0]}' with value: '{values.get(wrong[0])}'"
    elif request.headers.get("accept-language", "EN") not in _LANGUAGES:
        detail = "Failed to convert 'Accept-Language'"
    elif len(more_numbers) >= _MAX_NUMBERS:
        size = len(more_numbers) + 1
        detail = f"Provided references of size '{size}' is more than allowed limit of {_MAX_NUMBERS}"
    if detail:
        raise BadRequestError(json_api.problem(400, "Bad Request", detail))
    return Question(
        "trackids",
        number,
        tuple(more_numbers),
        tracking=True,
        continues_in=_CONTINUES_IN,
        bearer=json_api.bearer(request),
    )


def _read_shipit(request: HttpRequest) -> Question:
    """Parse a body with one identifier. In the scenarios `_CONTINUES_IN`, only a `parcelpod` call uses up the step."""
    operation = request.path.removeprefix(_SHIPIT)
    json_api.needs(request, "POST", Answer(405))
    if operation not in _OPERATIONS:
        raise BadRequestError(Answer(404))
    for name in ("content-type", "accept"):
        if request.headers.get(name) != _SHIPIT_TYPE:
            raise BadRequestError(_refusal(400, "VALIDATION.MEDIA_TYPE", f"The {name} is not supported."))
    field, number = _identifier(request.body)
    if not re.fullmatch(_IDENTIFIERS[field], number):
        raise BadRequestError(_invalid_field(field, number))
    continues_in = _CONTINUES_IN if operation == "parceldetails" else ()
    details = {"field": field}
    return Question(
        operation, number, continues_in=continues_in, bearer=json_api.bearer(request), details=details
    )


def _identifier(body: bytes) -> tuple[str, str]:
    """The field that identifies the parcel, with its value. Raises BadRequestError."""
    try:
        tree = json.loads(body)
    except (ValueError, RecursionError):
        tree = None
    fields = list(tree.items()) if isinstance(tree, dict) else []
    if len(fields) != 1 or fields[0][0] not in _IDENTIFIERS or not isinstance(fields[0][1], str):
        message = "A parcel is identified by one of its numbers."
        raise BadRequestError(_refusal(400, "MANDATORY_PARAMETER_NOT_SET", message))
    return fields[0]


# ---------------------------------------------------------------- Track & Trace


def _fault(status: int, text: str, code: str) -> Answer:
    return json_api.answer({"fault": {"faultstring": text, "detail": {"errorcode": code}}}, status)


def _wrong_parcel(number: str, code: str, message: str) -> Answer:
    """A parcel with an error. The HTTP status is 200 nevertheless."""
    return json_api.answer({"parcels": [{"requested": number, "errorCode": code, "errorMessage": message}]})


def _refused_tracking(question: Question, state: ParcelState) -> Answer | None:
    number = question.number
    errors = {
        Scenario.AUTH_REFUSED: _fault(
            401, "The Token has expired: policy(Verify-JWT)", "steps.jwt.TokenExpired"
        ),
        Scenario.UNKNOWN: _wrong_parcel(number, "E_404_01", "Resource Not Found"),
        Scenario.SYSTEM_ERROR: _wrong_parcel(number, "E_500_01", "Internal Server Error"),
        Scenario.FAULT_CLIENT: json_api.problem(400, "Bad Request", "Failed to read request"),
        Scenario.FAULT_SERVER: json_api.problem(500, "Internal Server Error", "Unexpected error"),
    }
    return errors.get(state.scenario)


def _tracking(question: Question, state: ParcelState) -> Answer:
    """The parcel with its events, newest first."""
    steps = state.history(_ON_THE_WAY, _DELIVERED, [_CLOSED], *_NOT_YET)
    parcel = {
        "requested": question.number,
        "unitno": question.number,
        "status": steps[-1][0],
        "statusDateTime": _stamp(steps[-1][3]),
        "events": [_event(code, text, when) for _, code, text, when in reversed(steps)],
    }
    return json_api.answer({"parcels": [parcel]})


def _event(code: str, text: str, when: datetime) -> dict[str, str]:
    place = {"city": "LILLE", "postalCode": "59000", "country": "FR"}
    return {"code": code, **place, "description": text, "eventDateTime": _stamp(when)}


def _stamp(at: datetime) -> str:
    """A time with its UTC offset, without a colon."""
    return f"{french_time(at):%Y-%m-%dT%H:%M:%S%z}"


# ---------------------------------------------------------------- ShipIT


def _refusal(status: int, code: str, message: str, *args: str) -> Answer:
    """A refusal with an empty body. The headers contain the error, without characters that headers do not allow."""
    headers: list[tuple[str, str]] = []
    for name, value in (("error", code), ("message", message), ("args", json.dumps(args))):
        latin = value.encode("latin-1", "ignore").decode("latin-1")
        headers.append((name, "".join(char if char.isprintable() else " " for char in latin)))
    return Answer(status, b"", _SHIPIT_TYPE, tuple(headers))


def _invalid_field(field: str, number: str) -> Answer:
    message = f"Invalid field {field}. Value {number} is not a valid value."
    return _refusal(490, "VALIDATION.INVALID_FIELD", message, field, number)


def _refused_shipit(question: Question, state: ParcelState) -> Answer | None:
    errors = {
        Scenario.AUTH_REFUSED: _refusal(401, "", "Authorization failed"),
        Scenario.ACCOUNT_DENIED: _refusal(401, "", "Authorization failed"),
        Scenario.NOT_OURS: _refusal(403, "", "Forbidden"),
        Scenario.UNKNOWN: _invalid_field(question.details["field"], question.number),
        Scenario.SYSTEM_ERROR: _refusal(500, "INTERNAL_ERROR", "Internal Server Error"),
        Scenario.FAULT_CLIENT: _refusal(400, "", "Bad Request"),
        Scenario.FAULT_SERVER: _refusal(500, "", ""),
    }
    return errors.get(state.scenario)


def _shipit(question: Question, state: ParcelState) -> Answer:
    if question.operation == "parceldetails":
        return _typed({"UnitDetail": _details(question, state)})
    if state.scenario in _WRONG_STATE:
        message = f"POD cannot be generated for {question.number}, the parcel is in the wrong state."
        return _refusal(490, "POD.WRONG_STATE", message)
    images: list[str] = []
    if state.scenario is not Scenario.POD_UNSAID:
        images = documents.document_texts(state, "GLS", question.number)
    return _typed({"PODItem": {"TrackID": question.number, "ImageData": images}})


def _details(question: Question, state: ParcelState) -> dict[str, Any]:
    """The signatory and the time of a delivery."""
    details: dict[str, Any] = {"TrackID": question.number, "Weight": "1.2", "Product": "PARCEL"}
    if state.is_delivered:
        details["DeliveryDate"] = french_time(state.delivered_at).isoformat()
        if signatory := documents.signatory_of(state):
            details["Signature"] = signatory
    return details


def _typed(tree: Any) -> Answer:
    return json_api.answer(tree, 200, _SHIPIT_TYPE)

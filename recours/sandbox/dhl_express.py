"""Simulates the MyDHL API of DHL Express: tracking and proofs.

Sources: the carrier's OpenAPI document 3.1.1, karrio's connector `mydhl` (both [SW] below), the carrier's list of event
codes, and a public note on a live answer of the POD call.

Inferred, without a source: The bodies of 401, 403 and 405, the text for a request without the required header
`x-version`, and the waybill that a piece belongs to are guesses. An unknown parameter is refused like a parameter in
the wrong format. Events are listed oldest first (the sources disagree). Tracking includes shipments of other accounts.

The service gives no reason for a missing proof: POD_LATE, POD_NEVER, POD_NONE and POD_UNSAID all get the same 404
as a wrong shipperAccountNumber. NOT_OURS gets the refusal that names the account (one source). IN_TRANSIT shows
a different event at each attempt. RETURNED_TO_SENDER alternates between a shipment that is back and one that is
delivered to its sender. Of `/tracking`, only the search for one piece by its identifier is simulated.
"""

import re
from datetime import datetime, timedelta

from recours.sandbox import documents, json_api
from recours.sandbox.answers import Answer, BadRequestError, HttpRequest, Question, SimulatedCarrier
from recours.sandbox.scenarios import (
    DELIVERED_BY_TRACKING,
    NO_DOCUMENT_IS_THERE,
    ParcelState,
    Scenario,
    french_time,
)

_PATH = re.compile(r"/mydhlapi/shipments/([^/]+)/(tracking|proof-of-delivery)")
_BY_PIECE = "/mydhlapi/tracking"
_WAYBILL = re.compile(r"[0-9]{10,11}")
_PIECE = r"J[A-Z]{1,3}[0-9]{9,18}"
_VERSION = re.compile(r"[0-9]+(\.[0-9]+)*")
_REFERENCE = range(1, 37)  # characters
_PROBLEM = "application/problem+json"

# The parameters of each call, with their formats [SW]. Only the complete view of a shipment is simulated.
_VIEW = {
    "trackingView": "all-checkpoints",
    "levelOfDetail": "shipment|piece|all",
    "requestGMTOffsetPerEvent": "true",
}
_PARAMETERS: dict[str, dict[str, str]] = {
    "tracking": _VIEW,
    "tracking of a piece": _VIEW | {"pieceTrackingNumber": _PIECE},
    "proof-of-delivery": {
        "shipperAccountNumber?": "[0-9A-Za-z]{1,35}",
        "content": "epod-(summary|detail)(-esig)?|epod-table(-detail|-esig)?",
    },
}

# typeCode and description of an event, and its time before the last event.
_ON_THE_WAY = (
    ("PU", "Shipment picked up", timedelta(days=1, hours=15)),
    ("DF", "Departed facility", timedelta(hours=21)),
    ("AF", "Arrived at facility", timedelta(hours=9)),
    ("WC", "With delivery courier", timedelta(hours=3, minutes=19)),
)
# The last event of an undelivered shipment, by the number of the attempt. Codes from the carrier's list.
_NOT_YET = (
    _ON_THE_WAY[-1],
    ("NH", "Delivery attempted; recipient not home", timedelta()),
    ("CC", "Awaiting collection by recipient as requested", timedelta()),
    ("IC", "Processed for clearance", timedelta()),
    ("UD", "Uncontrollable clearance delay", timedelta()),
)
_DELIVERED = ("OK", "Delivered", timedelta())
_RETURNED = ("RT", "Returned to shipper", timedelta(hours=1))
# Used alternately. The second is a shipment that was delivered to its sender.
_RETURNS = ((_RETURNED,), (_RETURNED, ("PL", "Processed", timedelta(minutes=30)), _DELIVERED))
_WITHOUT_POD = NO_DOCUMENT_IS_THERE | {Scenario.IN_TRANSIT, Scenario.UNKNOWN}
# HTTP status, title, detail.
_ERRORS = {
    Scenario.AUTH_REFUSED: (401, "Unauthorized", "Invalid credentials"),
    Scenario.ACCOUNT_DENIED: (403, "Forbidden", "Not authorized to use this service"),
    Scenario.SYSTEM_ERROR: (500, "Internal Server Error", "Process failure occurred. Process not completed."),
    Scenario.FAULT_CLIENT: (400, "Bad request", "The request could not be processed"),
    Scenario.FAULT_SERVER: (500, "Internal Server Error", "Unexpected error"),
}


class DhlExpress(SimulatedCarrier):
    key = "dhl_express"
    paths = ("/mydhlapi/",)
    credentials = ("DHL_EXPRESS_API_KEY", "DHL_EXPRESS_API_SECRET")

    def read(self, request: HttpRequest) -> Question:
        json_api.needs(request, "GET", _problem(request.path, 405, "Method not allowed", "Use GET"))
        # The header with the version is required; the one with the reference is optional.
        wrong = [] if _VERSION.fullmatch(request.headers.get("x-version", "")) else ["x-version"]
        if len(request.headers.get("message-reference", "-")) not in _REFERENCE:
            wrong.append("Message-Reference")
        if wrong:
            detail = f"Headers missing or not having correct format: {', '.join(wrong)}"
            raise BadRequestError(_problem(_instance(request), 400, "Bad request", detail))
        number, operation, values = _read_path(request)
        tracking = operation == "tracking"
        return Question(
            operation,
            number,
            tracking=tracking,
            continues_in=(DELIVERED_BY_TRACKING - {Scenario.AUTH_REFUSED}) if tracking else (),
            credentials=json_api.basic_account(request),
            details=values | {"instance": _instance(request)},
        )

    def settings(self, account: str, password: str) -> dict[str, str]:
        """The settings, including the account's customer number."""
        return super().settings(account, password) | {"DHL_EXPRESS_ACCOUNT_NUMBER": _customer(account)}

    def example(self, digits: str, serial: int) -> str:
        return waybill_of(f"{digits}{serial:07d}")

    def refusal(self, question: Question, state: ParcelState) -> Answer | None:
        instance = question.details["instance"]
        return _problem(instance, *_ERRORS[state.scenario]) if state.scenario in _ERRORS else None

    def good(self, question: Question, state: ParcelState) -> Answer:
        return _tracking(question, state) if question.tracking else _pod(question, state)


def _customer(account: str) -> str:
    return f"{account[-9:]:0>9}"


def _instance(request: HttpRequest) -> str:
    path = request.path.replace("/mydhlapi", "/expressapi", 1)
    return f"{path}?{request.query}" if request.query else path


def waybill_of(piece: str) -> str:
    """The waybill of a piece, which consists of nine digits of the piece and a check digit."""
    first = "".join(re.findall("[0-9]", piece))[:9]
    return f"{first}{int(first) % 7}"


def _read_path(request: HttpRequest) -> tuple[str, str, dict[str, str]]:
    """The waybill, the operation and the parameters. Raises BadRequestError."""
    if request.path == _BY_PIECE:
        values = _checked(request, "tracking of a piece", [])
        return waybill_of(values["pieceTrackingNumber"]), "tracking", values
    match = _PATH.fullmatch(request.path)
    if match is None:
        raise BadRequestError(_problem(request.path, 404, "Not Found", "No such resource"))
    number, operation = match.groups()
    wrong = [] if _WAYBILL.fullmatch(number) else ["shipmentTrackingNumber"]
    return number, operation, _checked(request, operation, wrong)


def _checked(request: HttpRequest, operation: str, wrong: list[str]) -> dict[str, str]:
    """The parameters. Raises BadRequestError for invalid parameters, including those already in `wrong`."""
    values, strange = json_api.parameters(request, _PARAMETERS[operation])
    wrong = wrong + strange
    if wrong:
        detail = f"Parameters not having correct format: {', '.join(wrong)} (see the specification)"
        raise BadRequestError(_problem(_instance(request), 400, "Wrong format", detail))
    return values


def _problem(instance: str, status: int, title: str, detail: str) -> Answer:
    """An error in the service's format, in which `status` is a string."""
    tree = {
        "instance": instance,
        "detail": detail,
        "title": title,
        "message": title,
        "additionalDetails": [],
        "status": str(status),
    }
    return json_api.answer(tree, status, _PROBLEM)


def _tracking(question: Question, state: ParcelState) -> Answer:
    """A shipment with its events. The error for an unknown shipment has the title in the specification's sample."""
    if state.scenario is Scenario.UNKNOWN:
        return _problem(question.details["instance"], 404, "Not data found", "No data found")
    shipment: dict[str, object] = {
        "shipmentTrackingNumber": question.number,
        "status": "Success",
        "events": _events(state),
    }
    if piece := question.details.get("pieceTrackingNumber"):
        shipment["pieces"] = [{"number": 1, "trackingNumber": piece}]
    return json_api.answer({"shipments": [shipment]})


def _events(state: ParcelState) -> list[dict[str, object]]:
    history = state.history(_ON_THE_WAY, _DELIVERED, state.alternate(_RETURNS), *_NOT_YET)
    events = [_event(*event) for event in history]
    if events[-1]["typeCode"] == _DELIVERED[0]:
        events[-1]["signedBy"] = documents.signatory_of(state)
    return events


def _event(code: str, label: str, when: datetime) -> dict[str, object]:
    local = french_time(when)
    return {
        "date": f"{local:%Y-%m-%d}",
        "time": f"{local:%H:%M:%S}",
        "GMTOffset": local.isoformat()[-6:],
        "typeCode": code,
        "description": label,
        "serviceArea": [{"code": "LIL", "description": "Lille-FR"}],
        "signedBy": "",
    }


def _pod(question: Question, state: ParcelState) -> Answer:
    """The proof, or an error, for example if the paying account's number is wrong or missing."""
    instance = question.details["instance"]
    if state.scenario is Scenario.NOT_OURS:
        return _problem(instance, 400, "Bad request", "The account number was not found or is invalid")
    paid = question.details.get("shipperAccountNumber") == _customer(question.account)
    if state.scenario in _WITHOUT_POD or not paid:
        return _problem(instance, 404, "No data found", "No ePOD was found for the shipment")
    form = "PNG" if state.scenario is Scenario.DELIVERED_PNG else "PDF"
    texts = documents.document_texts(state, "DHL Express", question.number)
    entries = [{"encodingFormat": form, "content": text, "typeCode": "POD"} for text in texts]
    return json_api.answer({"documents": entries})

"""Simulates DHL's Shipment Tracking - Unified and the pages that it links to.

Sources: the pages of developer.dhl.com, karrio's connector `dhl_universal`, and recorded answers (404, 429).

Inferred, without a source: A link leads to a PDF, to an image (`signatureUrl`) or to a login page. Its query has the
number. The bodies of 400, 401, 403 and 500 are guesses. An unknown parameter is refused. `returnFlag` marks a returned
parcel (RETURNED_TO_SENDER).

Parcels have no owners in this service, so ACCOUNT_DENIED is a 403 for the key. NOT_OURS, POD_LATE, POD_NEVER and
POD_NONE are delivered parcels without a link. POD_UNSAID is a delivered parcel with a link to a login page.
DELIVERED_PNG and DELIVERED_GIF have only a link to the signature. Links return no base64, so BAD_BASE64 sends a text.
IN_TRANSIT shows a different status at each attempt.

The host in the links is not simulated. A client whose base URL is the sandbox requests the links' paths from the
sandbox.
"""

from datetime import datetime, timedelta
from urllib.parse import urlencode

from recours.sandbox import documents, json_api
from recours.sandbox.answers import (
    Answer,
    BadRequestError,
    HttpRequest,
    Question,
    SimulatedCarrier,
    account_of,
    page,
)
from recours.sandbox.scenarios import ALL_PIECES, DOCUMENT_IS_THERE, ParcelState, Scenario, french_time

_PATH = "/track/shipments"
_LINKS = "/webPOD/"
_DOCUMENT_LINK = f"{_LINKS}DHLePODRequest"
_SIGNATURE_LINK = f"{_LINKS}DHLSignatureRequest"
_LINKED_HOST = "https://webpod.dhl.com"

# The parameters that a fetch needs, with their formats.
_PARAMETERS = {"trackingNumber": r".+", "language": r"[a-z]{2}", "requesterCountryCode": r"[A-Z]{2}"}

# statusCode, status and description of an event, and its time before the last event.
_ON_THE_WAY = (
    ("pre-transit", "PRE-TRANSIT", "Les données de l'envoi ont été transmises", timedelta(days=2)),
    ("transit", "TRANSIT", "L'envoi est arrivé au centre de tri", timedelta(hours=9)),
    ("transit", "OUT FOR DELIVERY", "L'envoi est en cours de livraison", timedelta(hours=3, minutes=19)),
)
_DELIVERED = ("delivered", "DELIVERED", "L'envoi a été livré", timedelta())
_RETURNED = ("delivered", "DELIVERED", "L'envoi a été remis à son expéditeur", timedelta())
# The last event of an undelivered parcel, a different one at each attempt.
_NOT_YET = (
    _ON_THE_WAY[-1],
    ("failure", "NOT DELIVERED", "Le destinataire était absent", timedelta()),
    ("transit", "READY FOR COLLECTION", "L'envoi attend dans un point relais", timedelta()),
    ("unknown", "UNKNOWN", "Aucune information", timedelta()),
)
_IMAGES = {Scenario.DELIVERED_PNG: "image/png", Scenario.DELIVERED_GIF: "image/gif"}

_LINKED = DOCUMENT_IS_THERE | {Scenario.POD_UNSAID}
_TOO_MANY = "Too many requests within defined time period, please try again later."
_ERRORS = {
    Scenario.RATE_LIMITED: (429, "Too Many Requests", _TOO_MANY),
    Scenario.UNKNOWN: (404, "No result found", "No shipment with given tracking number found."),
    Scenario.ACCOUNT_DENIED: (403, "Forbidden", "You are not allowed to use this service."),
    Scenario.AUTH_REFUSED: (401, "Unauthorized", "Unauthorized for given resource."),
    Scenario.SYSTEM_ERROR: (500, "Internal Server Error", "Internal Server Error"),
    Scenario.FAULT_CLIENT: (400, "Bad Request", "The request is not valid."),
    Scenario.FAULT_SERVER: (500, "Internal Server Error", "Unexpected error"),
}


class Dhl(SimulatedCarrier):
    key = "dhl"
    paths = (_PATH, _LINKS)
    number_form = "JJD{digits}{serial:016d}"
    credentials = ("DHL_API_KEY",)

    def read(self, request: HttpRequest) -> Question:
        json_api.needs(request, "GET", _problem(405, "Method Not Allowed", "Use GET."))
        if request.path != _PATH:
            # Any change to a link makes it invalid.
            values = json_api.first_values(request.query)
            if request.path not in (_DOCUMENT_LINK, _SIGNATURE_LINK) or set(values) != {"trackingNumber"}:
                raise BadRequestError(page(404, "Not found", ""))
            return Question("webPOD", values["trackingNumber"], details={"path": request.path})
        values, wrong = json_api.parameters(request, _PARAMETERS)
        if wrong:
            detail = f"Missing or invalid parameter: {', '.join(wrong)}"
            raise BadRequestError(_problem(400, "Bad Request", detail))
        return Question(
            "shipments",
            values["trackingNumber"],
            tracking=True,
            continues_in=_LINKED,
            credentials=account_of(request.headers.get("dhl-api-key", "")),
        )

    def refusal(self, question: Question, state: ParcelState) -> Answer | None:
        is_error = question.tracking and state.scenario in _ERRORS
        return _problem(*_ERRORS[state.scenario]) if is_error else None

    def good(self, question: Question, state: ParcelState) -> Answer:
        return _tracking(question, state) if question.tracking else _linked(question, state)


def _problem(status: int, title: str, detail: str) -> Answer:
    """An error in the service's format, with a numeric `status`."""
    return json_api.problem(status, title, detail, Correlation_Id="00000000-0000-0000-0000-000000000000")


def _tracking(question: Question, state: ParcelState) -> Answer:
    history = state.history(_ON_THE_WAY, _DELIVERED, [_RETURNED], *_NOT_YET)
    events = [_event(*event) for event in history]
    shipment = {
        "id": question.number,
        "service": "parcel-de",
        "status": events[-1],
        "details": {"proofOfDelivery": _proof(question.number, state)} if state.is_delivered else {},
        "events": events[::-1],
        "returnFlag": state.scenario is Scenario.RETURNED_TO_SENDER,
    }
    url = f"{_PATH}?{urlencode({'trackingNumber': question.number})}"
    return json_api.answer({"url": url, "shipments": [shipment]})


def _event(code: str, status: str, text: str, when: datetime) -> dict[str, object]:
    """An event. Its time has no offset."""
    return {
        "timestamp": _stamp(when),
        "statusCode": code,
        "status": status,
        "description": text,
        "location": {"address": {"addressLocality": "Lille"}},
    }


def _proof(number: str, state: ParcelState) -> dict[str, object]:
    proof: dict[str, object] = {"timestamp": _stamp(state.delivered_at)}
    signatory = documents.signatory_of(state)
    if signatory:
        proof["signed"] = {"@type": "Person", "familyName": signatory, "givenName": "", "name": signatory}
    query = urlencode({"trackingNumber": number})
    if state.scenario in _LINKED - set(_IMAGES):
        proof["documentUrl"] = f"{_LINKED_HOST}{_DOCUMENT_LINK}?{query}"
    if state.scenario in ALL_PIECES | set(_IMAGES):
        proof["signatureUrl"] = f"{_LINKED_HOST}{_SIGNATURE_LINK}?{query}"
    return proof


def _stamp(at: datetime) -> str:
    return f"{french_time(at):%Y-%m-%dT%H:%M:%S}"


def _linked(question: Question, state: ParcelState) -> Answer:
    """The document that a link leads to, or a login page if the parcel has none."""
    scenario = state.scenario
    if scenario not in _LINKED or scenario is Scenario.POD_UNSAID:
        return page(200, "MyDHL+ Login", "")
    if scenario in ALL_PIECES and question.details["path"] == _SIGNATURE_LINK:
        return Answer(200, documents.signature_png(question.number), "image/png")
    kind = _IMAGES.get(scenario, "application/pdf")
    return Answer(200, documents.document_of(state, "DHL", question.number), kind)

"""DHL's Shipment Tracking - Unified, simulated, and the page that its links lead to. Pure: a request and a turn give an answer.

Sources of the facts: the pages of developer.dhl.com, karrio's connector `dhl_universal`, and recorded answers (404,
429). Inferred, as no source says it: whatever a link gives (a PDF, an image for a `signatureUrl`, a login page), that the
number is in its query, the bodies of 400, 401, 403 and 500, that a parameter which is not listed is refused, and that
`returnFlag` marks a parcel which went back (RETURNED_TO_SENDER). The service has no owners of parcels: ACCOUNT_DENIED is a
403 for the key, and NOT_OURS, POD_LATE, POD_NEVER and POD_NONE are delivered parcels without a link; POD_UNSAID has one
that leads to a login page. DELIVERED_PNG and DELIVERED_GIF have a link to the signature only. A link gives no base64:
BAD_BASE64 is a text there. IN_TRANSIT shows another status at each try.

The links name a host of the carrier's that is not simulated: a client whose base URL was replaced asks for their path here.
"""

import re
from datetime import datetime, timedelta
from urllib.parse import urlencode

from recours.sandbox import documents, json_api
from recours.sandbox.answers import (
    Answer,
    HttpRequest,
    NotUnderstoodError,
    Question,
    SimulatedCarrier,
    hostile_text,
    in_france,
    ready_made,
    retry_after,
)
from recours.sandbox.progress import Turn
from recours.sandbox.scenarios import DOCUMENT_IS_THERE, SLOW_ANSWERS, Scenario

_PATH = "/track/shipments"
_LINKS = "/webPOD/"
_DOCUMENT_LINK, _SIGNATURE_LINK = f"{_LINKS}DHLePODRequest", f"{_LINKS}DHLSignatureRequest"
_LINKED_HOST = "https://webpod.dhl.com"
_PROBLEM = "application/problem+json"

# The parameters, and what each may be. The services are those that were seen; there are more.
_PARAMETERS = {
    "trackingNumber": r".+",
    "service": r"express|parcel-de|parcel-nl|ecommerce|freight",
    "language": r"[a-z]{2}",
    "requesterCountryCode": r"[A-Z]{2}",
    "originCountryCode": r"[A-Z]{2}",
    "recipientPostalCode": r".+",
    "limit": r"[0-9]+",
    "offset": r"[0-9]+",
}

# statusCode, status and description of an event, how long before the last one.
_ON_THE_WAY = (
    ("pre-transit", "PRE-TRANSIT", "Les données de l'envoi ont été transmises", timedelta(days=2)),
    ("transit", "TRANSIT", "L'envoi est arrivé au centre de tri", timedelta(hours=9)),
    ("transit", "OUT FOR DELIVERY", "L'envoi est en cours de livraison", timedelta(hours=3, minutes=19)),
)
_DELIVERED = ("delivered", "DELIVERED", "L'envoi a été livré")
_RETURNED = ("delivered", "DELIVERED", "L'envoi a été remis à son expéditeur")
# What an undelivered parcel shows, by the number of the try.
_NOT_YET = (
    _ON_THE_WAY[-1],
    ("failure", "NOT DELIVERED", "Le destinataire était absent", timedelta()),
    ("transit", "READY FOR COLLECTION", "L'envoi attend dans un point relais", timedelta()),
    ("unknown", "UNKNOWN", "Aucune information", timedelta()),
)
_IMAGES = {Scenario.DELIVERED_PNG: "image/png", Scenario.DELIVERED_GIF: "image/gif"}

_LINKED = DOCUMENT_IS_THERE | {Scenario.POD_UNSAID} | SLOW_ANSWERS
_ERRORS = {
    Scenario.UNKNOWN: (404, "No result found", "No shipment with given tracking number found."),
    Scenario.ACCOUNT_DENIED: (403, "Forbidden", "You are not allowed to use this service."),
    Scenario.AUTH_REFUSED: (401, "Unauthorized", "Unauthorized for given resource."),
    Scenario.SYSTEM_ERROR: (500, "Internal Server Error", "Internal Server Error"),
    Scenario.FAULT_CLIENT: (400, "Bad Request", "The request is not valid."),
    Scenario.FAULT_SERVER: (500, "Internal Server Error", "Unexpected error"),
}


class Dhl(SimulatedCarrier):
    """The simulated service."""

    key = "dhl"

    def owns(self, path: str) -> bool:
        """The service's address, and those of its links."""
        return path == _PATH or path.startswith(_LINKS)

    def read(self, request: HttpRequest) -> Question:
        json_api.needs(request, "GET", _problem(405, "Method Not Allowed", "Use GET."))
        if request.path != _PATH:
            return _read_link(request)
        values = _checked(request)
        account, password = json_api.account_of(request.headers.get("dhl-api-key", ""))
        return Question(
            "shipments",
            values["trackingNumber"],
            tracking=True,
            goes_on=_LINKED,
            account=account,
            password=password,
            needs_account=True,
        )

    def settings(self, account: str, password: str) -> dict[str, str]:
        return {"DHL_API_KEY": json_api.key_of(account, password)}

    def example(self, digits: str, serial: int) -> str:
        """The form of a piece's identifier, which no Express waybill has."""
        return f"JJD{digits}{serial:016d}"

    def ready_made(self, turn: Turn) -> Answer | None:
        """Too many calls are told in the service's own form."""
        if turn.scenario is Scenario.RATE_LIMITED:
            detail = "Too many requests within defined time period, please try again later."
            limited = _problem(429, "Too Many Requests", detail)
            return Answer(429, limited.body, limited.content_type, retry_after(turn))
        return ready_made(turn)

    def answer(self, question: Question, turn: Turn) -> Answer:
        if not question.tracking:
            return _linked(question, turn)
        if turn.scenario is Scenario.HOSTILE_TEXT:
            text = hostile_text(json_api.key_of(question.account, question.password))
            return _problem(500, "Internal Server Error", text)
        if turn.scenario in _ERRORS:
            return _problem(*_ERRORS[turn.scenario])
        good = _tracking(question, turn)
        return json_api.spoilt(turn.scenario, good, turn) or good


def _checked(request: HttpRequest) -> dict[str, str]:
    """The parameters. Raises NotUnderstoodError."""
    values = json_api.first_values(request.query)
    wrong = [] if "trackingNumber" in values else ["trackingNumber"]
    wrong += [
        name for name, value in values.items() if not re.fullmatch(_PARAMETERS.get(name, "(?!)"), value)
    ]
    if wrong:
        detail = f"Missing or invalid parameter: {', '.join(wrong)}"
        raise NotUnderstoodError(_problem(400, "Bad Request", detail))
    return values


def _read_link(request: HttpRequest) -> Question:
    """A link is good as it was given only."""
    values = json_api.first_values(request.query)
    if request.path not in (_DOCUMENT_LINK, _SIGNATURE_LINK) or set(values) != {"trackingNumber"}:
        raise NotUnderstoodError(_page(404, "Not found"))
    return Question("webPOD", values["trackingNumber"])


def _problem(status: int, title: str, detail: str) -> Answer:
    """An error in the service's form: `status` is a number here."""
    tree = {"title": title, "status": status, "detail": detail}
    return json_api.answer(tree, status, _PROBLEM, Correlation_Id="00000000-0000-0000-0000-000000000000")


def _page(status: int, title: str) -> Answer:
    body = f"<!DOCTYPE html>\n<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    return Answer(status, body.encode(), "text/html;charset=UTF-8")


def _tracking(question: Question, turn: Turn) -> Answer:
    delivered = turn.scenario is not Scenario.IN_TRANSIT
    end = turn.delivered_at if delivered else turn.first_seen
    returned = turn.scenario is Scenario.RETURNED_TO_SENDER
    past = _ON_THE_WAY if delivered else (*_ON_THE_WAY[:-1], _NOT_YET[turn.tries % len(_NOT_YET)])
    events = [_event(code, status, text, end - before) for code, status, text, before in past]
    if delivered:
        events.append(_event(*(_RETURNED if returned else _DELIVERED), end))
    shipment = {
        "id": question.number,
        "service": "parcel-de",
        "status": events[-1],
        "details": {"proofOfDelivery": _proof(question.number, turn)} if delivered else {},
        "events": events[::-1],
        "returnFlag": returned,
    }
    url = f"{_PATH}?{urlencode({'trackingNumber': question.number})}"
    return json_api.answer({"url": url, "shipments": [shipment]})


def _event(code: str, status: str, text: str, when: datetime) -> dict[str, object]:
    """Moments have no offset."""
    return {
        "timestamp": _stamp(when),
        "statusCode": code,
        "status": status,
        "description": text,
        "location": {"address": {"addressLocality": "Lille"}},
    }


def _proof(number: str, turn: Turn) -> dict[str, object]:
    proof: dict[str, object] = {"timestamp": _stamp(turn.delivered_at)}
    signatory = documents.signatory_of(turn)
    if signatory:
        proof["signed"] = {"@type": "Person", "familyName": signatory, "givenName": "", "name": signatory}
    picture = turn.scenario in _IMAGES
    if turn.scenario in _LINKED:
        path = _SIGNATURE_LINK if picture else _DOCUMENT_LINK
        link = f"{_LINKED_HOST}{path}?{urlencode({'trackingNumber': number})}"
        proof["signatureUrl" if picture else "documentUrl"] = link
    return proof


def _stamp(moment: datetime) -> str:
    return f"{in_france(moment):%Y-%m-%dT%H:%M:%S}"


def _linked(question: Question, turn: Turn) -> Answer:
    """What the link gives; a login page for a parcel that has none."""
    scenario = turn.scenario
    if scenario not in _LINKED or scenario is Scenario.POD_UNSAID:
        return _page(200, "MyDHL+ Login")
    local = in_france(turn.delivered_at)
    if scenario is Scenario.BAD_BASE64:
        text = documents.document_text(turn, "DHL", question.number, local)
        return Answer(200, text.encode())
    kind = _IMAGES.get(scenario, "application/pdf")
    return Answer(200, documents.document_of(turn, "DHL", question.number, local), kind)

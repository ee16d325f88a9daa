"""Simulates Colissimo's tracking timeline and its documents.

Sources: the carrier's shop modules for WooCommerce and Magento, the recorded exchanges of roulier, and the carrier's
"API DOCUMENTS" v0.0.8 and "Timeline tracking WS" v2.3 of 2021. Codes and labels of events are from the WooCommerce
module.

Inferred, without a source: The timeline answers a wrong password with code 201 and an internal error with code 1000.
Errors 002 and 003 of document calls have HTTP status 404, error 004 has 401, and a server failure has 500. Times
without an offset are French. The order of events is a guess. An invalid request with a valid number gets HTTP 400, with
an error in the other observed format. Unknown fields are refused. A list without a proof may be empty (POD_UNSAID) or
contain only other documents (POD_NEVER). In POD_NEVER, the timeline names DOM, a product without a signature.

The timeline requires the account, so AUTH_REFUSED and NOT_OURS occur there. Only the document contains a signature.
Documents are sent as bytes, so BAD_BASE64 sends a damaged base64 text instead.
"""

import re
from datetime import datetime, timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from recours.sandbox import documents, json_api
from recours.sandbox.answers import (
    Answer,
    BadRequestError,
    HttpRequest,
    Question,
    SimulatedCarrier,
    account_of,
)
from recours.sandbox.scenarios import (
    ALL_PIECES,
    DELIVERED_BY_TRACKING,
    DOCUMENT_IS_THERE,
    ParcelState,
    Scenario,
    french_time,
)

TIMELINE = "/tracking-timeline-ws/rest/tracking/timelineCompany"
DOCUMENTS = "/api-document/rest/documents"
DOCUMENT = "/api-document/rest/document"

NUMBER = re.compile(r"[0-9][A-Z0-9][0-9]{11}|[A-Z]{2}[0-9]{9}[A-Z]{2}")
_LANGUAGE = "fr_FR"  # the only one that is simulated
_LOGIN: dict[str, json_api.Form] = {"login": ".*", "password": ".*"}
_API_KEY: dict[str, json_api.Form] = {"apiKey": ".*"}
# The fields besides the credentials. The timeline has the credentials at the same level, other calls in a field.
_FORMS: dict[str, dict[str, json_api.Form]] = {
    TIMELINE: {"parcelNumber": ".*", "lang": _LANGUAGE},
    DOCUMENTS: {"cab": ".*", "lang": _LANGUAGE},
    DOCUMENT: {"cab": ".*", "lang": _LANGUAGE, "path": str | None, "uuid": str | None},
}

# The timeline refuses calls in these scenarios, so no other call follows.
_REFUSED_THERE = {Scenario.AUTH_REFUSED, Scenario.NOT_OURS, Scenario.POD_NEVER}
_CONTINUES_IN = {"timelineCompany": DELIVERED_BY_TRACKING - _REFUSED_THERE, "documents": DOCUMENT_IS_THERE}

_TIMELINE_ERRORS = {
    Scenario.UNKNOWN: ("105", "Numéro de colis inconnu"),  # recorded
    Scenario.NOT_OURS: ("104", "Numéro de colis hors plage client"),
    Scenario.AUTH_REFUSED: ("201", "Identifiant ou mot de passe incorrect"),  # inferred
    Scenario.SYSTEM_ERROR: ("1000", "Erreur système"),  # inferred
    Scenario.ACCOUNT_DENIED: ("202", "Service non autorisé pour cet identifiant"),  # the text is invented
}

# HTTP status, error, message.
_TROUBLES = {
    Scenario.FAULT_CLIENT: (400, "Bad Request", "The request was refused"),
    Scenario.FAULT_SERVER: (500, "Internal Server Error", "Fault occurred while processing"),
}
_DOCUMENT_TROUBLES = {
    Scenario.SYSTEM_ERROR: (500, "Internal Server Error", "Erreur système"),
    Scenario.ACCOUNT_DENIED: (403, "Forbidden", "Access denied"),
}
# HTTP status, errorCode, errorLabel, inner code and its message. 144, 150, 153: recorded.
_DOCUMENT_ERRORS: dict[Scenario, tuple[int, str, str, int | None, str]] = {
    Scenario.UNKNOWN: (404, "001", "CAB NOT FOUND", 153, "Colis non trouvé"),
    Scenario.NOT_OURS: (404, "999", "KO", 144, "Numéro de colis hors plage client"),
    Scenario.AUTH_REFUSED: (401, "004", "CREDENTIAL INVALID", None, ""),
    Scenario.IN_TRANSIT: (404, "003", "DOCUMENT NOT FOUND", None, ""),
    Scenario.POD_LATE: (404, "003", "DOCUMENT NOT FOUND", None, ""),
    Scenario.POD_NONE: (404, "003", "DOCUMENT NOT FOUND", None, ""),
}
# The list is a good answer without a proof.
_LISTS_NO_PROOF: dict[Scenario, tuple[str, ...]] = {Scenario.POD_NEVER: ("LABEL",), Scenario.POD_UNSAID: ()}
_BAD_NUMBER = (400, "005", "BODY INVALID", 150, "Numéro de colis invalide")
_NO_SUCH_DOCUMENT = (404, "002", "CAB OR UUID NOT FOUND", None, "")

_STEPS = ("Annoncé", "Pris en charge", "En cours d'acheminement", "Arrivé sur le site", "Livraison", "Livré")

# Code, label, time before the last event.
_ON_THE_WAY = (
    ("COMCFM", "Votre colis est prêt à être expédié.", timedelta(days=2)),
    ("PCHCFM", "Votre colis est en cours d'acheminement.", timedelta(days=1, hours=15)),
    ("PCHTRI", "Votre colis est en cours d'acheminement.", timedelta(days=1, hours=9)),
    ("AARTRA", "Votre colis est en cours d'acheminement.", timedelta(hours=20)),
    ("AARCFM", "Votre colis est arrivé sur son site de distribution", timedelta(hours=6)),
    ("PRELIV", "Votre colis est en préparation pour la livraison.", timedelta(hours=3)),
)
_DELIVERED = ("LIVCFM", "Votre colis est livré.", timedelta())
_REFUSED = (
    "RENAVA",
    "Votre colis est retourné à l'expéditeur suite à un refus du destinataire.",
    timedelta(hours=2),
)
# Used alternately. The second has the label of a delivery.
_RETURNED = (
    (_REFUSED, ("LIVEXP", "Votre colis est livré à l'expéditeur suite à un retour.", timedelta())),
    (_REFUSED, ("LIVVPC", "Votre colis est livré.", timedelta())),
)


class Colissimo(SimulatedCarrier):
    key = "colissimo"
    paths = (TIMELINE, "/api-document/")
    number_form = "6A{digits}{serial:09d}"
    prefix = 2
    # The preferred of the two sets of credentials. The other is an API key: `key_of` both values.
    credentials = ("COLISSIMO_LOGIN", "COLISSIMO_PASSWORD")
    tracks_for_all = False

    def read(self, request: HttpRequest) -> Question:
        if request.path not in _FORMS:
            raise BadRequestError(_trouble(404, "Not Found", "No message available"))
        json_api.needs(request, "POST", _trouble(405, "Method Not Allowed", "Use POST"))
        tree = json_api.read_tree(request, _trouble(400, "Bad Request", "The body must be a JSON object"))
        tracking = request.path == TIMELINE
        operation = request.path.rpartition("/")[2]
        if tracking and "application/json" not in request.headers.get("accept", ""):
            raise _refused("Accept must be application/json")
        credential: Any = tree if tracking else tree.get("credential")
        by_key = isinstance(credential, dict) and "apiKey" in credential
        form = _API_KEY if by_key else _LOGIN
        json_api.check(tree, _FORMS[request.path] | (form if tracking else {"credential": form}), _refused)
        number = tree["parcelNumber" if tracking else "cab"]
        if not NUMBER.fullmatch(number):
            bad_number = _timeline_error("101", "Numéro de colis invalide")
            raise BadRequestError(bad_number if tracking else _document_error(*_BAD_NUMBER))
        return Question(
            operation,
            number,
            tracking=tracking,
            continues_in=_CONTINUES_IN.get(operation, ()),
            credentials=account_of(credential["apiKey"])
            if by_key
            else (credential["login"], credential["password"]),
            details={"path": tree.get("path") or "", "uuid": tree.get("uuid") or ""},
        )

    def refusal(self, question: Question, state: ParcelState) -> Answer | None:
        scenario = state.scenario
        troubles = _TROUBLES if question.tracking else _TROUBLES | _DOCUMENT_TROUBLES
        if scenario in troubles:
            return _trouble(*troubles[scenario])
        if question.tracking:
            return _timeline_error(*_TIMELINE_ERRORS[scenario]) if scenario in _TIMELINE_ERRORS else None
        return _document_error(*_DOCUMENT_ERRORS[scenario]) if scenario in _DOCUMENT_ERRORS else None

    def good(self, question: Question, state: ParcelState) -> Answer:
        if question.tracking:
            return _timeline(question, state)
        if question.operation == "document":
            return _document(question, state)
        kinds = _LISTS_NO_PROOF.get(state.scenario, ("LABEL", *_proofs(state)))
        entries = [_entry(question, state, kind) for kind in kinds]
        return json_api.answer({"errorCode": "000", "errorLabel": "OK", "documents": entries})


def _refused(reason: str) -> BadRequestError:
    return BadRequestError(_trouble(400, "Bad Request", reason))


def _trouble(status: int, error: str, message: str) -> Answer:
    """An error in another observed format, for errors without a code."""
    return json_api.answer({"error": error, "message": message}, status)


# ---------------------------------------------------------------- the timeline


def _timeline(question: Question, state: ParcelState) -> Answer:
    product = {"productCode": "DOM"} if state.scenario is Scenario.POD_NEVER else {}
    parcel = {
        "parcelNumber": question.number,
        "contractNumber": question.account,
        "statusDelivery": state.is_delivered,
        "consigneeInformation": {
            "name": "MARTIN",
            "firstName": "ALICE",
            "address": {"zipCode": "59000", "city": "LILLE", "countryCodeISO": "FR"},
        },
        "removalPoint": None,
        "service": {"deliveryChoice": ""} | product,
        "step": _steps(5 if state.is_delivered else 3, state.last_at),
        "event": _events(state),
    }
    status = [{"code": "0", "message": "OK"}]
    return json_api.answer({"lang": _LANGUAGE, "status": status, "parcel": parcel})


def _timeline_error(code: str, message: str) -> Answer:
    return json_api.answer(
        {"lang": _LANGUAGE, "status": [{"code": code, "message": message}], "parcel": None}
    )


def _steps(active: int, at: datetime) -> list[dict[str, Any]]:
    return [
        {
            "stepId": number,
            "labelShort": label,
            "labelLong": f"{label}." if number == active else "",
            "status": f"STEP_STATUS_{'ACTIVE' if number == active else 'INACTIVE'}",
            "date": _naive(at) if number == active else None,
            "countryCodeISO": "FR",
        }
        for number, label in enumerate(_STEPS)
    ]


def _events(state: ParcelState) -> list[dict[str, Any]]:
    return [
        {
            "date": _naive(at),
            "code": code,
            "labelLong": label,
            "siteCode": "000001",
            "siteName": "LILLE PFC",
            "siteZipCode": "59000",
        }
        for code, label, at in reversed(state.history(_ON_THE_WAY, _DELIVERED, state.alternate(_RETURNED)))
    ]


def _naive(at: datetime) -> str:
    return french_time(at).strftime("%Y-%m-%dT%H:%M:%S.000")


# ---------------------------------------------------------------- the documents


def _document_error(status: int, code: str, label: str, inner: int | None, message: str) -> Answer:
    tree: dict[str, Any] = {"errorCode": code, "errorLabel": label}
    if inner is not None:
        tree["errors"] = [{"code": inner, "message": message}]
    return json_api.answer(tree, status)


def _entry(question: Question, state: ParcelState, kind: str) -> dict[str, str]:
    at = french_time(state.delivered_at)
    name = str(uuid5(NAMESPACE_URL, f"{kind}/{question.number}"))
    ending = "png" if state.scenario is Scenario.DELIVERED_PNG else "pdf"
    return {
        "url": "/document",
        "eventCode": "LIVCFM",
        "eventDate": at.strftime("%Y-%m-%dT%H:%M:%S.000%z"),
        "eventSiteCode": "000001",
        "eventSiteName": "LILLE",
        "eventSiteType": "PPDC",
        "documentType": kind,
        "carrier": "COL",
        "path": f"/panama/{at:%Y/%m/%d}/{name}.{ending}",
        "uuid": name,
        "cab": question.number,
    }


def _proofs(state: ParcelState) -> tuple[str, ...]:
    return ("SIGNATURE", "PHOTO") if state.scenario in ALL_PIECES else ("SIGNATURE",)


def _document(question: Question, state: ParcelState) -> Answer:
    """The bytes of a listed proof, if the path and the UUID in the request match the list."""
    place = question.details["path"], question.details["uuid"]
    entries = [_entry(question, state, kind) for kind in _proofs(state)]
    entry = next((entry for entry in entries if place == (entry["path"], entry["uuid"])), None)
    if entry is None or state.scenario in _LISTS_NO_PROOF:
        return _document_error(*_NO_SUCH_DOCUMENT)
    if entry["documentType"] == "PHOTO":
        return Answer(200, documents.signature_png(question.number), "image/png")
    content = documents.document_of(state, "Colissimo", question.number)
    kind = "image/png" if state.scenario is Scenario.DELIVERED_PNG else "application/pdf"
    name = entry["path"].rpartition("/")[2]
    return Answer(200, content, kind, (("Content-Disposition", f"inline; filename={name}"),))

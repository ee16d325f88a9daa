"""Simulates FedEx's token service, tracking and tracking documents.

Sources: the carrier's OpenAPI file "Basic Integrated Visibility", its developer pages on limits, karrio's connector,
and one public project.

Inferred, without a source: The body of a refused token request, and the codes of a 429 and of an invalid request, are
guesses. Unknown fields are invalid, and x-locale is required. A delivery whose scans include RS is the delivery of a
return (RETURNED_TO_SENDER). A document requested with another account's number, or without any, is reduced and has no
signatory.

It is not known how the carrier reports that there will be no proof, and another customer's parcel gets no proof either.
So POD_NEVER, POD_NONE, POD_UNSAID, POD_LATE and NOT_OURS all return no document, each in a different possible format:
an alert as an object or as a text, an empty list, or no list. POD_LATE is normal soon after a delivery. Tracking
requires the token, so AUTH_REFUSED and ACCOUNT_DENIED (FORBIDDEN.ERROR) occur there. IN_TRANSIT shows a different
status at each attempt. Tracking accepts 30 numbers. A call with more numbers or with an empty number is refused as a
whole, but a call with an invalid number is not.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from recours.sandbox import documents, json_api
from recours.sandbox.answers import Answer, BadRequestError, GivesTokens, HttpRequest, Question, TracksSeveral
from recours.sandbox.scenarios import DELIVERED_BY_TRACKING, ParcelState, Scenario, french_time

TOKEN = "/oauth/token"  # noqa: S105 (a path)
TRACKING = "/track/v1/trackingnumbers"
DOCUMENTS = "/track/v1/trackingdocuments"

NUMBER = re.compile(r"[0-9]{12}|[0-9]{15}|[0-9]{20}|[0-9]{22}|[0-9]{32}|[0-9]{34}|DT[0-9]{12}")
_WEIGHTS = (3, 1, 7, 3, 1, 7, 3, 1, 7, 3, 1)
_KIND = "SIGNATURE_PROOF_OF_DELIVERY"
_CARRIER = "FDXE"
_ON_THE_ROAD = timedelta(days=2)

_INFO = {"trackingNumber": ".*", "carrierCode?": ".*", "trackingNumberUniqueId?": ".*"}
_PARCEL: dict[str, json_api.Form] = {
    "trackingNumberInfo": _INFO,
    "shipDateBegin?": ".*",
    "shipDateEnd?": ".*",
}
_FORMS: dict[str, json_api.Form] = {
    TRACKING: {"includeDetailedScans": bool, "trackingInfo": [_PARCEL]},
    DOCUMENTS: {
        "trackDocumentDetail": {"documentType": _KIND, "documentFormat?": "PDF"},
        "trackDocumentSpecification": [{**_PARCEL, "accountNumber?": "[0-9]{9}|"}],
    },
}

# The tracking call refuses a bad token, so no other call follows.
_CONTINUES_IN = DELIVERED_BY_TRACKING - {Scenario.AUTH_REFUSED}

# HTTP status, code, message.
_Error = tuple[int, str, str]
_UNAUTHORIZED = "NOT.AUTHORIZED.ERROR"
_TRY_AGAIN = "Please modify your request and try again."
_BAD_TOKEN: _Error = (401, _UNAUTHORIZED, f"Access token expired. {_TRY_AGAIN}")
_BAD_CLIENT: _Error = (401, _UNAUTHORIZED, f"The given client credentials were not valid. {_TRY_AGAIN}")
_TOO_MANY: _Error = (
    429,
    "TOO.MANY.REQUESTS.ERROR",
    "Too many requests – We have received too many requests in a short duration. "
    "Please wait a while to try again",
)
_BAD_REQUEST = "BAD.REQUEST.ERROR"
_OWN_ERROR: _Error = (
    500,
    "INTERNAL.SERVER.ERROR",
    "We encountered an unexpected error and are working to resolve it.",
)
_DENIED = "We could not authorize your credentials. Please check your permissions and try again."
_ERRORS = {
    Scenario.RATE_LIMITED: _TOO_MANY,
    Scenario.AUTH_REFUSED: _BAD_TOKEN,
    Scenario.ACCOUNT_DENIED: (403, "FORBIDDEN.ERROR", _DENIED),
    Scenario.SYSTEM_ERROR: _OWN_ERROR,
    Scenario.FAULT_SERVER: _OWN_ERROR,
    Scenario.FAULT_CLIENT: (400, _BAD_REQUEST, "The request was refused"),
}
_NOT_FOUND = (
    "TRACKING.TRACKINGNUMBER.NOTFOUND",
    "Tracking number cannot be found. Please correct the tracking number and try again.",
)
_INVALID = (
    "TRACKING.TRACKINGNUMBER.INVALID",
    "Invalid tracking number. Please correct the tracking number format and try again.",
)
_MAX_NUMBERS = 30
_TOO_MANY_NUMBERS = (
    "TRACKING.TRACKINGNUMBERS.LIMITEXCEEDED",
    "Please limit your inquiry to 30 tracking numbers or references.",
)
_EMPTY = ("TRACKING.TRACKINGNUMBER.EMPTY", "Please provide tracking number.")

_NO_DATA_TEXT = "TRACKING.DATA.NOTFOUND -  Tracking data unavailable"
_NO_DATA = {"code": "TRACKING.DATA.NOTFOUND", "alertType": "NOTE", "message": "Tracking data unavailable"}
# The content of an answer without a document.
_WITHOUT_DOCUMENT: dict[Scenario, dict[str, Any]] = {
    Scenario.POD_LATE: {"documents": [], "alerts": _NO_DATA_TEXT},
    Scenario.POD_NEVER: {"documents": [], "alerts": [_NO_DATA]},
    Scenario.POD_NONE: {"alerts": [_NO_DATA]},
    Scenario.POD_UNSAID: {"documents": []},
    Scenario.NOT_OURS: {"documents": [], "alerts": _NO_DATA_TEXT},
    Scenario.IN_TRANSIT: {"alerts": _NO_DATA_TEXT},
    Scenario.UNKNOWN: {"alerts": _NO_DATA_TEXT},
}

# Code, text, time before the last scan. Codes from the carrier's list.
_ON_THE_WAY = (
    ("OC", "Informations d'expédition envoyées à FedEx", _ON_THE_ROAD),
    ("PU", "Pris en charge", timedelta(days=1, hours=15)),
    ("AR", "Arrivé sur un site FedEx", timedelta(hours=15)),
    ("IT", "En transit", timedelta(hours=9)),
)
_ARRIVED = ("DL", "Livré", timedelta())
_TURNED_BACK = ("RS", "Retour à l'expéditeur", timedelta(hours=4))
# The last event of an undelivered parcel, a different one at each attempt.
_NOT_YET = (
    _ON_THE_WAY[-1],
    ("OD", "En cours de livraison", timedelta(hours=3)),
    ("DE", "Exception de livraison", timedelta(hours=2)),
    ("HP", "Prêt à être retiré par le destinataire", timedelta(hours=1)),
    ("CD", "Retard de dédouanement", timedelta(hours=1)),
)


class FedEx(GivesTokens, TracksSeveral):
    key = "fedex"
    paths = (TOKEN, "/track/v1/")
    credentials = ("FEDEX_CLIENT_ID", "FEDEX_CLIENT_SECRET")
    items_path = ("output", "completeTrackResults")  # also contains errors about numbers

    def read(self, request: HttpRequest) -> Question:
        readers = {TOKEN: _read_token, TRACKING: _read_tracking, DOCUMENTS: _read_documents}
        if request.path not in readers:
            raise BadRequestError(
                _error(404, "NOT.FOUND.ERROR", "The resource you requested is no longer available.")
            )
        json_api.needs(request, "POST", _error(405, "METHOD.NOT.ALLOWED.ERROR", "Use POST"))
        return readers[request.path](request)

    def token(self, question: Question, token: str | None, life: int) -> Answer:
        """A token, with its lifetime as a number."""
        del question
        if token is None:
            return _error(*_BAD_CLIENT)
        tree = {"access_token": token, "token_type": "bearer", "expires_in": life, "scope": "CXS-TP"}
        return json_api.answer(tree)

    def settings(self, account: str, password: str) -> dict[str, str]:
        return super().settings(account, password) | {"FEDEX_ACCOUNT_NUMBER": _number_of(account)}

    def example(self, digits: str, serial: int) -> str:
        """Eleven digits, of which the first two choose the scenario, and the check digit."""
        body = f"{digits}{serial:09d}"
        total = sum(int(digit) * weight for digit, weight in zip(body, _WEIGHTS, strict=True))
        return f"{body}{total % 11 % 10}"

    def joined(self, items: Sequence[Any]) -> Answer:
        return _output({"completeTrackResults": list(items)})

    def refusal(self, question: Question, state: ParcelState) -> Answer | None:
        scenario = state.scenario
        if scenario in _ERRORS and not (question.tracking and scenario in _CONTINUES_IN):
            return _error(*_ERRORS[scenario])
        if not NUMBER.fullmatch(question.number):
            return _result_of_number(question.number, {"error": _coded(*_INVALID)})
        return None

    def good(self, question: Question, state: ParcelState) -> Answer:
        return _tracked(question.number, state) if question.tracking else _documents(question, state)


def _number_of(account: str) -> str:
    return f"1{account[-7:]:0>8}"


# ---------------------------------------------------------------- requests


def _read_token(request: HttpRequest) -> Question:
    refusal = _error(400, _BAD_REQUEST, "The form has a grant_type, a client_id and a client_secret")
    return json_api.read_token(request, refusal, "client_id", "client_secret")


def _read_tracking(request: HttpRequest) -> Question:
    listed = _body(request)["trackingInfo"]
    if len(listed) > _MAX_NUMBERS:
        raise BadRequestError(_error(400, *_TOO_MANY_NUMBERS))
    number, *more_numbers = (_parcel(entry)["trackingNumber"] for entry in listed)
    return Question(
        "trackingnumbers",
        number,
        tuple(more_numbers),
        tracking=True,
        continues_in=_CONTINUES_IN,
        bearer=json_api.bearer(request),
    )


def _read_documents(request: HttpRequest) -> Question:
    tree = _body(request)
    entry, *more = tree["trackDocumentSpecification"]
    if more:
        raise _refused("trackDocumentSpecification must be a list of one")
    parcel = _parcel(entry)
    return Question(
        "trackingdocuments",
        parcel["trackingNumber"],
        bearer=json_api.bearer(request),
        details=parcel | {"account": entry.get("accountNumber", "")},
    )


def _body(request: HttpRequest) -> dict[str, Any]:
    tree = json_api.read_tree(request, _error(400, _BAD_REQUEST, "The body must be a JSON object"))
    if not re.fullmatch(r"[a-z]{2}_[A-Z]{2}", request.headers.get("x-locale", "")):
        raise _refused("x-locale must be a language and a country")
    json_api.check(tree, _FORMS[request.path], _refused)
    return tree


def _parcel(entry: dict[str, Any]) -> dict[str, str]:
    """A parcel in a request: its number, and the first and last possible day of shipping. Raises BadRequestError."""
    info: dict[str, str] = entry["trackingNumberInfo"]
    if not info["trackingNumber"]:
        raise BadRequestError(_error(400, *_EMPTY))
    days_sent = {name: entry[name] for name in ("shipDateBegin", "shipDateEnd") if name in entry}
    try:
        days = [date.fromisoformat(day) for day in days_sent.values()]
    except ValueError:
        raise _refused("a date must have the format YYYY-MM-DD") from None
    if len(days) == 1 or days != sorted(days):
        raise _refused("shipDateBegin and shipDateEnd must both be present and in order")
    return info | days_sent


def _refused(reason: str) -> BadRequestError:
    return BadRequestError(_error(400, _BAD_REQUEST, reason))


def _error(status: int, code: str, message: str) -> Answer:
    return json_api.answer({"transactionId": "sandbox", "errors": [_coded(code, message)]}, status)


def _coded(code: str, message: str) -> dict[str, Any]:
    return {"code": code, "message": message, "parameterList": []}


# ---------------------------------------------------------------- the tracking


def _tracked(number: str, state: ParcelState) -> Answer:
    """The tracking result of a number. An unknown number is reported in a good answer."""
    if state.scenario is Scenario.UNKNOWN:
        return _result_of_number(number, {"error": _coded(*_NOT_FOUND)})
    scans = state.history(_ON_THE_WAY, _ARRIVED, [_TURNED_BACK, _ARRIVED], *_NOT_YET)
    code, label, end = scans[-1]
    result: dict[str, Any] = {
        "latestStatusDetail": {
            "code": code,
            "derivedCode": code,
            "statusByLocale": label,
            "description": label,
        },
        "dateAndTimes": [_dated("ACTUAL_PICKUP", scans[1][-1])],
        "deliveryDetails": {"deliveryAttempts": "0", "locationType": "RESIDENCE"},
        "availableImages": [],
        "scanEvents": [_scan(*scan) for scan in reversed(scans)],
    }
    if state.is_delivered:
        result["dateAndTimes"].append(_dated("ACTUAL_DELIVERY", end))
        signatory = documents.signatory_of(state)
        if signatory:
            result["deliveryDetails"] |= {"receivedByName": signatory, "signedByName": signatory}
        if state.scenario not in _WITHOUT_DOCUMENT:
            result["availableImages"].append({"type": _KIND})
    return _result_of_number(number, result)


def _result_of_number(number: str, result: dict[str, Any]) -> Answer:
    info = {"trackingNumber": number, "carrierCode": _CARRIER, "trackingNumberUniqueId": _unique_id(number)}
    complete = {"trackingNumber": number, "trackResults": [{"trackingNumberInfo": info, **result}]}
    return _output({"completeTrackResults": [complete]})


def _unique_id(number: str) -> str:
    return f"1~{number}~FX"


def _dated(kind: str, when: datetime) -> dict[str, str]:
    return {"type": kind, "dateTime": _iso(when)}


def _scan(code: str, label: str, at: datetime) -> dict[str, Any]:
    return {
        "date": _iso(at),
        "eventType": code,
        "eventDescription": label,
        "derivedStatusCode": code,
        "scanLocation": {"city": "LILLE", "countryCode": "FR"},
    }


def _iso(at: datetime) -> str:
    return french_time(at).isoformat(timespec="seconds")


# ---------------------------------------------------------------- the documents


def _documents(question: Question, state: ParcelState) -> Answer:
    output = {
        "localization": {"localeCode": "FR", "languageCode": "fr"},
        "documentType": _KIND,
        "documentFormat": "PDF",
    }
    if not _is_the_parcel(question, state):
        return _output(output | _WITHOUT_DOCUMENT[Scenario.UNKNOWN])
    if state.scenario in _WITHOUT_DOCUMENT:
        return _output(output | _WITHOUT_DOCUMENT[state.scenario])
    # With another account's number or none, the document is reduced.
    if state.scenario is Scenario.DELIVERED and question.details["account"] != _number_of(question.account):
        state = replace(state, scenario=Scenario.DELIVERED_NO_SIGNATORY)
    return _output(output | {"documents": documents.document_texts(state, "FedEx", question.number)})


def _output(output: dict[str, Any]) -> Answer:
    return json_api.answer({"transactionId": "sandbox", "output": output})


def _is_the_parcel(question: Question, state: ParcelState) -> bool:
    """Return whether the request's details other than the number match this parcel."""
    details = question.details
    day = (french_time(state.delivered_at) - _ON_THE_ROAD).date().isoformat()
    return (
        details.get("carrierCode", _CARRIER) == _CARRIER
        and details.get("trackingNumberUniqueId") in (None, _unique_id(question.number))
        and details.get("shipDateBegin", day) <= day <= details.get("shipDateEnd", day)
    )

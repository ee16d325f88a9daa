"""Simulates UPS's token service and its tracking with proof of delivery.

Sources: the carrier's Tracking.yaml and OAuthClientCredentials.yaml, its list of status codes, real answers in the
issues of their repository, and karrio's connector.

Inferred, without a source: An error that the sources show without a code has its HTTP status as the code. An unknown
query parameter makes a request invalid; the text for an invalid request is invented. The date of delivery is local.

It is not known how the carrier reports that there will be no proof, and no proof is sent for another customer's parcel
(issue 57). Therefore POD_NEVER, POD_NONE, POD_UNSAID, POD_LATE and NOT_OURS all show a delivered parcel without proof
or signature. The UTC times contain colons, as in real answers. DELIVERED_PNG has UTC times in the format of the
document's example, and DELIVERED_NO_SIGNATORY has only the local time (issue 38). IN_TRANSIT shows a different status
at each attempt. RETURNED_TO_SENDER alternates between a parcel that is back and the delivery at the end of a return.
The only call requires the token, so AUTH_REFUSED occurs there. The proof is a web page, or invalid content (BAD_BASE64,
NOT_A_DOCUMENT, BROKEN_PDF). DELIVERED_PNG and DELIVERED_GIF have the image of the signature and no proof.
"""

import re
from datetime import datetime, timedelta
from html import escape
from typing import Any
from urllib.parse import unquote

from recours.sandbox import documents, json_api
from recours.sandbox.answers import Answer, BadRequestError, GivesTokens, HttpRequest, Question
from recours.sandbox.scenarios import (
    ALL_PIECES,
    NO_DOCUMENT,
    NO_DOCUMENT_IS_THERE,
    ParcelState,
    Scenario,
    french_time,
)

TOKEN = "/security/v1/oauth/token"  # noqa: S105 (a path)
DETAILS = "/api/track/v1/details/"

_NUMBER = re.compile(r"1Z[A-Z0-9]{15}[0-9]")
_LENGTHS = range(7, 35)  # length of a number
_PARAMETERS = {
    "locale": "[a-z]{2}_[A-Z]{2}",
    **dict.fromkeys(("returnSignature", "returnPOD"), "true"),  # otherwise the answer has no proof
    "returnMilestones": "true|false",
}
_NEEDED = ("transid", "transactionsrc")  # headers

_BAD_NUMBER = (400, "TV1002", "Invalid inquiry number")
_BAD_TOKEN = (401, "250002", "Invalid Authentication Information.")
_BAD_CLIENT = (401, "10401", "ClientId is Invalid")

# HTTP status, code, message.
_ERRORS = {
    Scenario.RATE_LIMITED: (429, "10429", "Too Many Requests"),
    Scenario.AUTH_REFUSED: _BAD_TOKEN,
    Scenario.ACCOUNT_DENIED: (403, "403", "Blocked Merchant"),
    Scenario.SYSTEM_ERROR: (500, "500", "Internal server error"),
    Scenario.FAULT_SERVER: (500, "500", "Internal server error"),
    Scenario.FAULT_CLIENT: (400, "400", "The request was refused"),
}
_WITHOUT_PROOF = NO_DOCUMENT_IS_THERE | {Scenario.NOT_OURS}
_PICTURES = frozenset({Scenario.DELIVERED_PNG, Scenario.DELIVERED_GIF})
# Scenarios with invalid content instead of a proof.
_NO_PROOF = NO_DOCUMENT | {Scenario.BROKEN_PDF, Scenario.HOLLOW_POD}
_HOLLOW_PAGE = (
    b"<HTML><HEAD><TITLE>Delivery Notification</TITLE>\n<BODY BGCOLOR=#FFFFFF><IMG SRC=./ups_logo.gif ALT=UPS>\n"
    b"<P>Dear Customer,<P>Proof of Delivery is not available for the shipment listed below.</BODY></HTML>\n"
)

# type, statusCode, code, description, time before the last activity. Codes from the carrier's list and from karrio.
_ON_THE_WAY = (
    ("I", "005", "OR", "Scan d'origine", timedelta(days=1, hours=15)),
    ("I", "005", "DP", "Départ du site", timedelta(hours=15)),
    ("I", "005", "AR", "Arrivé sur le site", timedelta(hours=9)),
    ("O", "021", "OT", "En cours de livraison", timedelta(hours=3, minutes=19)),
)
# The last event of an undelivered parcel, a different one at each attempt. The third has type "D" although the parcel
# waits in a shop.
_NOT_YET = (
    _ON_THE_WAY[-1],
    ("X", "022", "48", "Première tentative de livraison", timedelta()),
    ("D", "161", "2Q", "Livré au point UPS Access Point", timedelta()),
    ("I", "012", "IC", "Dédouanement en cours", timedelta()),
    ("X", "046", "DJ", "Retard", timedelta()),
)
_ARRIVED = ("D", "011", "FS", "LIVRÉ", timedelta())
_GOING_BACK = ("X", "035", "RS", "Retour à l'expéditeur en cours", timedelta(hours=2))
_BACK = ("D", "034", "RS", "Retourné à l'expéditeur", timedelta())


class Ups(GivesTokens):
    key = "ups"
    paths = (TOKEN, "/api/track/")
    credentials = ("UPS_CLIENT_ID", "UPS_CLIENT_SECRET")

    def read(self, request: HttpRequest) -> Question:
        if request.path == TOKEN:
            refusal = "The form must have grant_type=client_credentials, and nothing else"
            return json_api.read_token(request, _error(400, "400", refusal))
        if request.path.startswith(DETAILS):
            return _read_details(request)
        raise BadRequestError(_error(404, "404", "No such resource"))

    def token(self, question: Question, token: str | None, life: int) -> Answer:
        """A token, with its lifetime as a string."""
        del question
        if token is None:
            return _error(*_BAD_CLIENT)
        return json_api.answer({"token_type": "Bearer", "access_token": token, "expires_in": str(life)})

    def example(self, digits: str, serial: int) -> str:
        """1Z, fifteen characters of which the first two choose the scenario, and the check digit."""
        characters = f"{digits}XYZ{serial:010d}"
        # Every second character counts twice. A letter counts as its position in the alphabet plus one, modulo ten.
        values = [int(char) if char.isdigit() else (ord(char) - 63) % 10 for char in characters]
        return f"1Z{characters}{-sum(value * (1 + place % 2) for place, value in enumerate(values)) % 10}"

    def digits_of(self, number: str) -> str:
        """The two digits after 1Z, or the first two in numbers with another format."""
        return number[2:4] if _NUMBER.fullmatch(number) else super().digits_of(number)

    def refusal(self, question: Question, state: ParcelState) -> Answer | None:
        if state.scenario in _ERRORS:
            return _error(*_ERRORS[state.scenario])
        if state.scenario is Scenario.UNKNOWN:  # HTTP 200, and a warning instead of a package
            return _shipment(
                question, warnings=[{"code": "TW0001", "message": "Tracking Information Not Found"}]
            )
        return None

    def good(self, question: Question, state: ParcelState) -> Answer:
        return _shipment(question, package=[_package(question, state)])


# ---------------------------------------------------------------- requests


def _read_details(request: HttpRequest) -> Question:
    json_api.needs(request, "GET", _error(405, "405", "Use GET"))
    for name in _NEEDED:
        if not request.headers.get(name):
            raise _refused(f"the header {name} is missing")
    _, wrong = json_api.parameters(request, _PARAMETERS)
    if wrong:
        raise _refused(f"{wrong[0]} is missing, is not a parameter or has the wrong format")
    number = unquote(request.path.removeprefix(DETAILS))
    if len(number) not in _LENGTHS:
        raise BadRequestError(_error(*_BAD_NUMBER))
    return Question("details", number, tracking=True, bearer=json_api.bearer(request))


def _refused(reason: str) -> BadRequestError:
    return BadRequestError(_error(400, "400", reason))


def _error(status: int, code: str, message: str) -> Answer:
    return json_api.answer({"response": {"errors": [{"code": code, "message": message}]}}, status)


# ---------------------------------------------------------------- answers


def _shipment(question: Question, **fields: Any) -> Answer:
    return json_api.answer({"trackResponse": {"shipment": [{"inquiryNumber": question.number, **fields}]}})


def _package(question: Question, state: ParcelState) -> dict[str, Any]:
    delivered = state.is_delivered
    end_of_return = (_GOING_BACK, state.alternate((_BACK, _ARRIVED)))
    steps = state.history(_ON_THE_WAY, _ARRIVED, end_of_return, *_NOT_YET)
    kind, code, _, label, end = steps[-1]
    texts = {"description": label, "simplifiedTextDescription": label}
    package: dict[str, Any] = {
        "trackingNumber": question.number,
        "currentStatus": {"type": kind, "code": code, "statusCode": code, **texts},
        "deliveryDate": [{"type": "DEL" if delivered else "SDD", "date": f"{french_time(end):%Y%m%d}"}],
        "activity": [_activity(state.scenario, *step) for step in reversed(steps)],
        "packageCount": 1,
        "deliveryInformation": _delivery(question, state),
    }
    if delivered:
        package["deliveryTime"] = {"type": "DEL", "endTime": f"{french_time(end):%H%M%S}"}
    return package


def _activity(
    scenario: Scenario, kind: str, code: str, activity: str, label: str, when: datetime
) -> dict[str, Any]:
    local = french_time(when)
    # The UTC time has colons, or has no colons and no leading zeros, or is missing.
    utc = {}
    if scenario is not Scenario.DELIVERED_NO_SIGNATORY:
        digits = f"{when:%H%M%S}".lstrip("0") or "0"
        utc = {
            "gmtDate": f"{when:%Y%m%d}",
            "gmtTime": digits if scenario is Scenario.DELIVERED_PNG else f"{when:%H:%M:%S}",
            "gmtOffset": local.isoformat()[-6:],
        }
    return {
        "date": f"{local:%Y%m%d}",
        "time": f"{local:%H%M%S}",
        **utc,
        "location": {"address": {"city": "LILLE", "countryCode": "FR"}, "slic": "0000"},
        "status": {"type": kind, "code": activity, "description": label, "statusCode": code},
    }


def _delivery(question: Question, state: ParcelState) -> dict[str, Any]:
    """The delivery information. It may mention a photo before the delivery, or a photo that does not exist."""
    information: dict[str, Any] = {
        "deliveryPhoto": {
            "photo": "",
            "photoCaptureInd": "N",
            "photoDispositionCode": "U",
            "isNonPostalCodeCountry": False,
        }
    }
    if not state.is_delivered:
        return information
    signatory = documents.signatory_of(state)
    information |= {"location": "FRONT DOOR", "receivedBy": signatory}
    if state.scenario in _WITHOUT_PROOF:
        return information
    if signatory and state.scenario not in _NO_PROOF:
        is_gif = state.scenario is Scenario.DELIVERED_GIF
        picture = documents.signature_gif if is_gif else documents.signature_png
        information["signature"] = {"image": json_api.base64_text(picture(question.number))}
    if state.scenario not in _PICTURES:
        information["pod"] = {"content": _proof(question, state)}
    if state.scenario in ALL_PIECES:
        photo = documents.signature_png(f"{question.number} at the door")
        information["deliveryPhoto"] |= {"photo": json_api.base64_text(photo), "photoCaptureInd": "Y"}
    return information


def _proof(question: Question, state: ParcelState) -> str:
    if state.scenario in (Scenario.HOLLOW_POD, Scenario.PARTLY_HOLLOW):
        return json_api.base64_text(_HOLLOW_PAGE)
    if state.scenario in _NO_PROOF:
        return documents.document_text(state, "UPS", question.number)
    page = proof_page(question.number, documents.signatory_of(state), french_time(state.delivered_at))
    return json_api.base64_text(page)


def proof_page(number: str, signatory: str, delivered_at: datetime) -> bytes:
    """A page with HTML as loose as the carrier's: unclosed tags, and a logo that does not exist."""
    received = f"<TR><TD>Received by:<TD>{escape(signatory)}\n" if signatory else ""
    page = (
        "<HTML><HEAD><TITLE>Delivery Notification</TITLE>\n"
        "<BODY BGCOLOR=#FFFFFF><IMG SRC=./ups_logo.gif ALT=UPS>\n"
        "<P>Dear Customer,<P>This notice serves as proof of delivery for the shipment listed below.\n"
        f"<TABLE><TR><TD>Tracking Number:<TD>{escape(number)}\n"
        f"<TR><TD>Delivered on :<TD>{delivered_at:%d/%m/%Y %H:%M}\n"
        f"<TR><TD>Delivered to :<TD>LILLE, FR\n{received}"
        "</TABLE></CENTER><P>Simulation (recours sandbox)</BODY></HTML>\n"
    )
    return page.encode("ascii", "xmlcharrefreplace")

"""Simulates Amazon's tokens, and the tracking and images of Amazon Shipping.

Sources: Amazon's model `shippingV2.json`, its notes on the proof of delivery and the return leg, its pages on Login
with Amazon, and issues of `amzn/selling-partner-api-models` (a bad token: 403; an unknown number: 4923).

Inferred, without a source: A parcel of another business or customer is not found. An unknown parameter is refused. The
text of this refusal, and the paths and the host of images, are invented.

A proof may be absent (POD_LATE), empty (POD_UNSAID) or without an image (POD_NEVER, POD_NONE). FULL_EVIDENCE and
PARTLY_HOLLOW have a signature and a photo. Tracking requires the token, so AUTH_REFUSED and ACCOUNT_DENIED occur there.
BAD_BASE64 sends a text instead of an image. IN_TRANSIT shows a different status at each attempt.
"""

import re
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from recours.sandbox import documents, json_api
from recours.sandbox.answers import Answer, BadRequestError, GivesTokens, HttpRequest, Question, page
from recours.sandbox.scenarios import ALL_PIECES, DOCUMENT_IS_THERE, ParcelState, Scenario

_TOKEN = "/auth/o2/token"  # noqa: S105 (a path)
_TRACKING = "/shipping/v2/tracking"
_IMAGES = "/delivery-images/"
_PHOTO = f"{_IMAGES}photo.jpg"
_SIGNATURE = f"{_IMAGES}signature.png"
_LINKED_HOST = "https://sandbox-proofs.s3.eu-west-1.amazonaws.com"
_SIGNED = {"X-Amz-Expires": "259200", "X-Amz-Signature": "0123456789abcdef0123456789abcdef"}

_REFRESH_TOKEN = "Atzr|{}"  # noqa: S105 (invented; contains the account)
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_COUNTRIES = "ES|FR|IT|UK"
_PARAMETERS = {"trackingId": rf"(?:{_COUNTRIES})[0-9]{{10}}", "carrierId": rf"AMZN_(?:{_COUNTRIES})"}
_BUSINESS = rf"AmazonShipping_(?:{_COUNTRIES})"

# HTTP status, code, message, details.
_Error = tuple[int, str, str, str]
_DENIED = "Access to requested resource is denied."
_INVALID = "Request is missing or has invalid parameters"
_NOT_FOUND: _Error = (404, "NotFound", "The requested resource is invalid or doesn't exist", "")
_BAD_TOKEN = "The access token you provided is revoked, malformed or invalid."  # noqa: S105 (a text)
_ERRORS: dict[Scenario, _Error] = {
    Scenario.RATE_LIMITED: (429, "QuotaExceeded", "You exceeded your quota for the requested resource.", ""),
    Scenario.AUTH_REFUSED: (403, "Unauthorized", _DENIED, _BAD_TOKEN),
    Scenario.ACCOUNT_DENIED: (403, "Unauthorized", _DENIED, ""),
    Scenario.NOT_OURS: _NOT_FOUND,
    Scenario.SYSTEM_ERROR: (500, "InternalError", "Something went wrong while processing the request.", ""),
    Scenario.FAULT_SERVER: (500, "InternalError", "Unknown error in processing the request.", ""),
    Scenario.FAULT_CLIENT: (400, "InvalidRequest", _INVALID, "CarrierId is missing in the request"),
}

# Event, leg, status, time before the last event.
_ON_THE_WAY = (
    ("ReadyForReceive", "FORWARD", "PreTransit", timedelta(days=2)),
    ("PickupDone", "FORWARD", "InTransit", timedelta(days=1, hours=15)),
    ("Departed", "FORWARD", "InTransit", timedelta(hours=9)),
    ("OutForDelivery", "FORWARD", "OutForDelivery", timedelta(hours=3, minutes=19)),
)
_DELIVERED = ("Delivered", "FORWARD", "Delivered", timedelta())
_TURNED_BACK = (
    ("Undeliverable", "FORWARD", "Undeliverable", timedelta(hours=3)),
    ("ReturnInitiated", "RETURNS", "Undeliverable", timedelta(hours=2)),
    ("Delivered", "RETURNS", "Delivered", timedelta()),
)
# The last event of an undelivered parcel, a different one at each attempt.
_NOT_YET = (
    _ON_THE_WAY[-1],
    ("DeliveryAttempted", "FORWARD", "DeliveryAttempted", timedelta()),
    ("AvailableForPickup", "FORWARD", "AwaitingCustomerPickup", timedelta()),
    ("Rejected", "FORWARD", "Rejected", timedelta()),
    ("Lost", "FORWARD", "Lost", timedelta()),
)
_PROOF = ("deliveryLocationCoordinates", "deliveryImageURL", "signatureImageURL", "receivedBy")
_PHOTOGRAPHED = frozenset(
    {Scenario.DELIVERED, Scenario.DELIVERED_NO_SIGNATORY, Scenario.POD_IMAGE_ONLY, Scenario.FULL_EVIDENCE}
)


class AmazonShipping(GivesTokens):
    key = "amazon_shipping"
    paths = (_TOKEN, _TRACKING, _IMAGES)
    credentials = ("AMAZON_SHIPPING_CLIENT_ID", "AMAZON_SHIPPING_CLIENT_SECRET")
    number_form = "FR{digits}{serial:08d}"
    tracks_for_all = False

    def read(self, request: HttpRequest) -> Question:
        readers = {_TOKEN: _read_token, _TRACKING: _read_tracking}
        return readers.get(request.path, _read_image)(request)

    def token(self, question: Question, token: str | None, life: int) -> Answer:
        if token is None:
            return _no_token(401, "invalid_client", "Client authentication failed")
        facts = {"access_token": token, "token_type": "bearer", "expires_in": life, **question.details}
        return json_api.answer(facts)

    def settings(self, account: str, password: str) -> dict[str, str]:
        more = {"AMAZON_SHIPPING_REFRESH_TOKEN": _REFRESH_TOKEN.format(account)}
        return super().settings(account, password) | more

    def refusal(self, question: Question, state: ParcelState) -> Answer | None:
        is_error = question.tracking and state.scenario in _ERRORS
        return _error(*_ERRORS[state.scenario]) if is_error else None

    def good(self, question: Question, state: ParcelState) -> Answer:
        return _tracked(question.number, state) if question.tracking else _image(question, state)


# ---------------------------------------------------------------- requests


def _read_token(request: HttpRequest) -> Question:
    refusal = _no_token(400, "invalid_request", "The request is missing a required parameter")
    fields = ("client_id", "client_secret", "refresh_token")
    question = json_api.read_token(request, refusal, *fields, grant="refresh_token")
    if question.details["refresh_token"] != _REFRESH_TOKEN.format(question.account):
        raise BadRequestError(_no_token(400, "invalid_grant", "The request has an invalid grant parameter"))
    return question


def _read_tracking(request: HttpRequest) -> Question:
    json_api.needs(request, "GET", _error(405, "InvalidRequest", _INVALID, "Use GET"))
    values, wrong = json_api.parameters(request, _PARAMETERS)
    if wrong:
        name = wrong[0][:1].upper() + wrong[0][1:]
        raise BadRequestError(_error(400, "InvalidRequest", _INVALID, f"{name} is missing in the request"))
    business = request.headers.get("x-amzn-shipping-business-id", "AmazonShipping_UK")
    if not re.fullmatch(_BUSINESS, business):
        raise BadRequestError(_error(400, "InvalidRequest", _INVALID, "Invalid shipping business"))
    countries = {values["trackingId"][:2], values["carrierId"][-2:], business.rpartition("_")[2]}
    if len(countries) > 1:
        raise BadRequestError(_error(*_NOT_FOUND))
    token = request.headers.get("x-amz-access-token") or "none"
    number = values["trackingId"]
    return Question("tracking", number, tracking=True, continues_in=DOCUMENT_IS_THERE, bearer=token)


def _read_image(request: HttpRequest) -> Question:
    """Parse a request for an image. Like S3, refuse a changed URL and unsigned authorization headers."""
    json_api.needs(request, "GET", page(405, "Method not allowed", ""))
    values = json_api.first_values(request.query)
    number = values.get("number", "")
    is_address = request.path in (_PHOTO, _SIGNATURE) and values == {**_SIGNED, "number": number}
    shows_account = any(name == "authorization" or name.startswith("x-amz") for name in request.headers)
    if not is_address or shows_account:
        raise BadRequestError(_no_image())
    return Question("image", number, details={"path": request.path})


# ---------------------------------------------------------------- answers


def _no_token(status: int, error: str, description: str) -> Answer:
    return json_api.answer({"error": error, "error_description": description}, status)


def _error(status: int, code: str, message: str, details: str) -> Answer:
    return json_api.answer({"errors": [{"code": code, "message": message, "details": details}]}, status)


def _tracked(number: str, state: ParcelState) -> Answer:
    is_known = state.scenario is not Scenario.UNKNOWN
    is_return = state.scenario is Scenario.RETURNED_TO_SENDER
    is_proved = is_known and state.is_delivered and not is_return
    events = state.history(_ON_THE_WAY, _DELIVERED, _TURNED_BACK, *_NOT_YET) if is_known else []
    codes = ["Signed"] if is_proved and documents.signatory_of(state) else []
    payload = {
        "trackingId": number,
        "alternateLegTrackingId": None,
        "eventHistory": [_event(*event) for event in events],
        "promisedDeliveryDate": f"{state.last_at:{_TIME}}" if events else None,
        "summary": {
            "status": events[-1][2] if events else None,
            "trackingDetailCodes": {"forward": codes, "returns": ["Undeliverable"] if is_return else []},
            "proofOfDelivery": _proof(number, state) if is_proved else None,
        },
    }
    return json_api.answer({"payload": payload})


def _event(code: str, leg: str, _status: str, when: datetime) -> dict[str, Any]:
    location = {"city": "LILLE", "postalCode": "59000", "countryCode": "FR"}
    return {"eventCode": code, "location": location, "eventTime": f"{when:{_TIME}}", "shipmentType": leg}


def _proof(number: str, state: ParcelState) -> dict[str, Any] | None:
    """The proof of delivery, if there is one yet. Missing fields are null."""
    if state.scenario is Scenario.POD_LATE:
        return None
    proof: dict[str, Any] = dict.fromkeys(_PROOF)
    query = urlencode({**_SIGNED, "number": number})
    if state.scenario in DOCUMENT_IS_THERE | {Scenario.POD_NEVER, Scenario.POD_NONE}:
        proof["deliveryLocationCoordinates"] = {"latitude": 50.62925, "longitude": 3.057256}
        proof["receivedBy"] = documents.signatory_of(state) or None
    if state.scenario in DOCUMENT_IS_THERE:
        proof["deliveryImageURL"] = f"{_LINKED_HOST}{_PHOTO}?{query}"
    if state.scenario in ALL_PIECES:
        proof["signatureImageURL"] = f"{_LINKED_HOST}{_SIGNATURE}?{query}"
    return proof


def _image(question: Question, state: ParcelState) -> Answer:
    scenario = state.scenario
    if scenario not in DOCUMENT_IS_THERE:
        return _no_image()
    if question.details["path"] == _SIGNATURE:
        return Answer(200, documents.signature_png(question.number), "image/png")
    if scenario in _PHOTOGRAPHED:
        return Answer(200, documents.photo_jpeg(question.number), "image/jpeg")
    return Answer(200, documents.document_of(state, "Amazon Shipping", question.number), "image/jpeg")


def _no_image() -> Answer:
    body = b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>'
    return Answer(403, body, "application/xml")

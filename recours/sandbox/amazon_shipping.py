"""Amazon's token service, its tracking of Amazon Shipping and the images that it links to, simulated.

Pure: a request and a parcel's state give an answer. Sources of the facts: Amazon's model `shippingV2.json`, the notes in its
developer documentation that announce the proof of delivery and the return leg, its pages on Login with Amazon, and answers in
issues of `amzn/selling-partner-api-models` (a bad token: 403; a number of which it knows nothing: issue 4923). Inferred, as no
source says it: that a parcel of another business or another customer is not found, that a parameter which is not listed is refused,
and the words about one that is not of its form; the paths and the host of images, and that an image which is gone gives S3's 403.

A proof may be absent (POD_LATE), empty (POD_UNSAID), or in words alone (POD_NEVER, POD_NONE). DELIVERED and the like have a photo;
FULL_EVIDENCE and PARTLY_HOLLOW have a signature, too. An image has no base64: BAD_BASE64 is a text there. The tracking is shown the
token, so AUTH_REFUSED and ACCOUNT_DENIED happen there. IN_TRANSIT shows another status at each try.
"""

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
_SIGNED = {"X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Expires": "259200"}

_COUNTRIES = "ES|FR|IT|UK"
_PARAMETERS = {"trackingId": rf"(?:{_COUNTRIES})[0-9]{{10}}", "carrierId": rf"AMZN_(?:{_COUNTRIES})"}
_BUSINESSES = {
    f"AmazonShipping_{country}" for country in ("EG", "ES", "FR", "IN", "IT", "JP", "SA", "UAE", "UK", "US")
}

# HTTP status, code, message, details.
_Error = tuple[int, str, str, str]
_DENIED = "Access to requested resource is denied."
_INVALID = "Request is missing or has invalid parameters"
_NOT_FOUND: _Error = (404, "NotFound", "The requested resource is invalid or doesn't exist", "")
_OWN_ERROR: _Error = (500, "InternalError", "Something went wrong while processing the request.", "")
_ERRORS: dict[Scenario, _Error] = {
    Scenario.RATE_LIMITED: (429, "QuotaExceeded", "You exceeded your quota for the requested resource.", ""),
    Scenario.AUTH_REFUSED: (
        403,
        "Unauthorized",
        _DENIED,
        "The access token you provided is revoked, malformed or invalid.",
    ),
    Scenario.ACCOUNT_DENIED: (403, "Unauthorized", _DENIED, ""),
    Scenario.NOT_OURS: _NOT_FOUND,
    Scenario.SYSTEM_ERROR: _OWN_ERROR,
    Scenario.FAULT_SERVER: _OWN_ERROR,
    Scenario.FAULT_CLIENT: (400, "InvalidRequest", _INVALID, "CarrierId is missing in the request"),
}

# Event, leg, status, how long before the last event.
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
# What an undelivered parcel shows, by the number of the try.
_NOT_YET = (
    _ON_THE_WAY[-1],
    ("DeliveryAttempted", "FORWARD", "DeliveryAttempted", timedelta()),
    ("AvailableForPickup", "FORWARD", "AwaitingCustomerPickup", timedelta()),
    ("Rejected", "FORWARD", "Rejected", timedelta()),
    ("Lost", "FORWARD", "Lost", timedelta()),
)
_IN_WORDS = frozenset({Scenario.POD_NEVER, Scenario.POD_NONE})
# Another image than the photo comes in these, or none.
_OTHER_IMAGES = frozenset(
    {
        Scenario.DELIVERED_PNG,
        Scenario.DELIVERED_GIF,
        Scenario.NOT_A_DOCUMENT,
        Scenario.EMPTY_POD,
        Scenario.BROKEN_PDF,
        Scenario.HOLLOW_POD,
        Scenario.PARTLY_HOLLOW,
    }
)


class AmazonShipping(GivesTokens):
    key = "amazon_shipping"
    paths = (_TOKEN, _TRACKING, _IMAGES)
    credentials = ("AMAZON_SHIPPING_CLIENT_ID", "AMAZON_SHIPPING_CLIENT_SECRET")
    number_form = "FR{digits}{serial:08d}"
    tracks_for_all = False

    def read(self, request: HttpRequest) -> Question:
        if request.path == _TOKEN:
            return _read_token(request)
        if request.path == _TRACKING:
            return _read_tracking(request)
        # An image's address is good as it was given only.
        json_api.needs(request, "GET", page(405, "Method not allowed", ""))
        values = json_api.first_values(request.query)
        number = values.get("number", "")
        if request.path not in (_PHOTO, _SIGNATURE) or values != {**_SIGNED, "number": number}:
            raise BadRequestError(_no_image())
        return Question("image", number, details={"path": request.path})

    def token(self, question: Question, token: str | None, life: int) -> Answer:
        if token is None:
            return _no_token(401, "invalid_client", "Client authentication failed")
        refresh_token = question.details["refresh_token"]
        tree = {
            "access_token": token,
            "token_type": "bearer",
            "expires_in": life,
            "refresh_token": refresh_token,
        }
        return json_api.answer(tree)

    def settings(self, account: str, password: str) -> dict[str, str]:
        refresh_token = {"AMAZON_SHIPPING_REFRESH_TOKEN": _refresh_token_of(account)}
        return super().settings(account, password) | refresh_token

    def refusal(self, question: Question, state: ParcelState) -> Answer | None:
        is_error = question.tracking and state.scenario in _ERRORS
        return _error(*_ERRORS[state.scenario]) if is_error else None

    def good(self, question: Question, state: ParcelState) -> Answer:
        return _tracked(question.number, state) if question.tracking else _image(question, state)


# ---------------------------------------------------------------- requests


def _refresh_token_of(account: str) -> str:
    return f"Atzr|{account}"


def _read_token(request: HttpRequest) -> Question:
    refusal = _no_token(400, "invalid_request", "The request is missing a required parameter")
    question = json_api.read_token(request, refusal, "client_id", "client_secret", grant="refresh_token")
    if question.details["refresh_token"] != _refresh_token_of(question.account):
        raise BadRequestError(_no_token(400, "invalid_grant", "The request has an invalid grant parameter"))
    return question


def _read_tracking(request: HttpRequest) -> Question:
    json_api.needs(request, "GET", _error(405, "InvalidRequest", _INVALID, "Use GET"))
    values, wrong = json_api.parameters(request, _PARAMETERS)
    wrong += [name for name in _PARAMETERS if name not in values]
    if wrong:
        name = wrong[0][:1].upper() + wrong[0][1:]
        raise BadRequestError(_error(400, "InvalidRequest", _INVALID, f"{name} is missing in the request"))
    business = request.headers.get("x-amzn-shipping-business-id", "AmazonShipping_UK")
    if business not in _BUSINESSES:
        raise BadRequestError(_error(400, "InvalidRequest", _INVALID, "Invalid shipping business"))
    countries = {values["trackingId"][:2], values["carrierId"][-2:], business.rpartition("_")[2]}
    if len(countries) > 1:
        raise BadRequestError(_error(*_NOT_FOUND))
    return Question(
        "tracking",
        values["trackingId"],
        tracking=True,
        goes_on=DOCUMENT_IS_THERE,
        bearer=request.headers.get("x-amz-access-token") or "none",
    )


# ---------------------------------------------------------------- answers


def _no_token(status: int, error: str, description: str) -> Answer:
    return json_api.answer({"error": error, "error_description": description}, status)


def _error(status: int, code: str, message: str, details: str) -> Answer:
    return json_api.answer({"errors": [{"code": code, "message": message, "details": details}]}, status)


def _tracked(number: str, state: ParcelState) -> Answer:
    events = state.history(_ON_THE_WAY, _DELIVERED, _TURNED_BACK, *_NOT_YET)
    status: str | None = events[-1][2]
    if state.scenario is Scenario.UNKNOWN:
        events, status = [], None
    is_proved = state.is_delivered and state.scenario is not Scenario.RETURNED_TO_SENDER and events
    codes = ["Signed"] if is_proved and documents.signatory_of(state) else []
    returns = ["Undeliverable"] if state.scenario is Scenario.RETURNED_TO_SENDER else []
    payload = {
        "trackingId": number,
        "alternateLegTrackingId": None,
        "eventHistory": [_event(*event) for event in events],
        "promisedDeliveryDate": _stamp(state.last_at) if events else None,
        "summary": {
            "status": status,
            "trackingDetailCodes": {"forward": codes, "returns": returns},
            "proofOfDelivery": _proof(number, state) if is_proved else None,
        },
    }
    return json_api.answer({"payload": payload})


def _event(code: str, leg: str, _status: str, when: datetime) -> dict[str, Any]:
    location = {"city": "LILLE", "postalCode": "59000", "countryCode": "FR"}
    return {"eventCode": code, "location": location, "eventTime": _stamp(when), "shipmentType": leg}


def _stamp(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}Z"


def _proof(number: str, state: ParcelState) -> dict[str, Any] | None:
    """What is not there is null."""
    if state.scenario is Scenario.POD_LATE:
        return None
    link = urlencode({**_SIGNED, "number": number})
    is_linked = state.scenario in DOCUMENT_IS_THERE
    is_told = is_linked or state.scenario in _IN_WORDS
    coordinates = {"latitude": 50.62925, "longitude": 3.057256}
    return {
        "deliveryLocationCoordinates": coordinates if is_told else None,
        "deliveryImageURL": f"{_LINKED_HOST}{_PHOTO}?{link}" if is_linked else None,
        "signatureImageURL": f"{_LINKED_HOST}{_SIGNATURE}?{link}" if state.scenario in ALL_PIECES else None,
        "receivedBy": documents.signatory_of(state) or None if is_told else None,
    }


def _image(question: Question, state: ParcelState) -> Answer:
    scenario = state.scenario
    if scenario not in DOCUMENT_IS_THERE:
        return _no_image()
    if question.details["path"] == _SIGNATURE:
        return Answer(200, documents.signature_png(question.number), "image/png")
    if scenario is Scenario.BAD_BASE64:
        return Answer(200, documents.document_text(state, "Amazon Shipping", question.number).encode())
    if scenario in _OTHER_IMAGES:
        return Answer(200, documents.document_of(state, "Amazon Shipping", question.number), "image/jpeg")
    return Answer(200, documents.photo_jpeg(question.number), "image/jpeg")


def _no_image() -> Answer:
    body = b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>'
    return Answer(403, body, "application/xml")

"""The requests to Amazon Shipping, and the meaning of each answer. The client and the simulator list the sources."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import pytest

from recours.carriers.amazon_shipping import AMAZON_CODES, AmazonShipping
from recours.carriers.links import link_request
from recours.carriers.message import Response
from recours.core.claim import Delivery
from recours.core.errors import ErrorKind
from recours.core.evidence import EvidenceKind
from recours.core.outcome import Failure, Piece, Retrieved
from recours.core.quota import Capability
from tests.carriers.table import Row, Table
from tests.fakes.answers import HOSTILE, PNG, raw, response

NUMBER = "FR3000000001"
SETTINGS = {
    "AMAZON_SHIPPING_CLIENT_ID": "cid",
    "AMAZON_SHIPPING_CLIENT_SECRET": "s:é&",
    "AMAZON_SHIPPING_REFRESH_TOKEN": "Atzr|r",
}
AT = datetime(2026, 10, 5, 8, 31, tzinfo=UTC)
KNOWN = Delivery(AT, "DUPONT")
JPEG = b"\xff\xd8\xff\xe0" + b"z" * 200
BUCKET = "https://pod-photos.s3.eu-west-1.amazonaws.com"
LINK = f"{BUCKET}/a/b.jpg?X-Amz-Signature=7"
WHERE = {"latitude": 48.85661, "longitude": 2.35222}
PROOF = {
    "deliveryLocationCoordinates": WHERE,
    "deliveryImageURL": LINK,
    "signatureImageURL": None,
    "receivedBy": "DUPONT",
}
K = ErrorKind


def an_event(
    code: Any = "Delivered", at: Any = "2026-10-05T08:31:00Z", leg: Any = "FORWARD"
) -> dict[str, Any]:
    location = {"city": "PARIS", "postalCode": "75011", "countryCode": "FR"}
    event = {"eventCode": code, "location": location, "eventTime": at, "shipmentType": leg}
    return {name: value for name, value in event.items() if value is not None}


def payload(
    *events: Any, status: Any = "Delivered", proof: Any = None, number: Any = NUMBER, **codes: Any
) -> Any:
    return {
        "trackingId": number,
        "alternateLegTrackingId": None,
        "eventHistory": list(events),
        "promisedDeliveryDate": None,
        "summary": {
            "status": status,
            "trackingDetailCodes": {"forward": [], "returns": []} | codes,
            "proofOfDelivery": proof,
        },
    }


def tracked(*events: Any, **facts: Any) -> Response:
    return response({"payload": payload(*events, **facts)})


def delivered(**proof: Any) -> Response:
    return tracked(an_event(), proof=PROOF | proof)


def error(status: int, code: Any, message: Any = "Words", details: Any = "") -> Response:
    return response({"errors": [{"code": code, "message": message, "details": details}]}, status)


def a_token(name: str) -> Response:
    tree = {"access_token": name, "token_type": "bearer", "expires_in": 3600, "refresh_token": "Atzr|r"}
    return response(tree)


DELIVERED = delivered()
PHOTO = raw(JPEG, kind="image/jpeg")
GOT = Retrieved.single(JPEG, KNOWN, "amazon_shipping deliveryImageURL", kind=EvidenceKind.PHOTO)
# Issue 4923.
EMPTY = tracked(status=None)
EXPIRED_WORDS = "The access token you provided has expired."
EXPIRED = error(401, "Unauthorized", "Access to requested resource is denied.", EXPIRED_WORDS)


# ---------------------------------------------------------------- requests


def test_requests_match_the_documentation() -> None:
    outcome, session = fetch(DELIVERED, PHOTO)
    assert outcome == GOT
    (_, token), (first, tracking), (second, image) = session.requests
    assert (token.method, token.origin, token.path) == ("POST", "https://api.amazon.com", "/auth/o2/token")
    assert dict(parse_qsl((token.body or b"").decode())) == {
        "grant_type": "refresh_token",
        "refresh_token": "Atzr|r",
        "client_id": "cid",
        "client_secret": "s:é&",
    }
    assert "Authorization" not in token.headers
    assert (first, second) == (Capability.TRACKING, Capability.POD)
    assert (tracking.method, tracking.origin) == ("GET", "")
    assert tracking.path == f"/shipping/v2/tracking?trackingId={NUMBER}&carrierId=AMZN_FR"
    assert dict(tracking.headers) == {
        "Accept": "application/json",
        "x-amzn-shipping-business-id": "AmazonShipping_FR",
        "x-amz-access-token": "tok",
    }
    # The request to the link does not contain our token.
    assert (image.method, image.origin, image.path) == ("GET", BUCKET, "/a/b.jpg?X-Amz-Signature=7")
    assert dict(image.headers) == {"Accept": "application/pdf, image/*"}


@pytest.mark.parametrize("country", ["ES", "FR", "IT", "UK"])
def test_the_country_in_a_number_selects_the_business(country: str) -> None:
    answer = tracked(an_event("OutForDelivery"), status="InTransit", number=f"{country}0123456789")
    failure, session = TABLE.fetch(answer, number=f"{country}0123456789")
    assert failure.kind is K.NOT_DELIVERED_YET
    request = session.requests[-1][1]
    assert request.path.endswith(f"&carrierId=AMZN_{country}")
    assert request.headers["x-amzn-shipping-business-id"] == f"AmazonShipping_{country}"


def test_a_403_renews_the_token_like_a_401() -> None:
    expired = error(403, "Unauthorized", "Access to requested resource is denied.", EXPIRED_WORDS)
    outcome, session = fetch(expired, a_token("new"), DELIVERED, PHOTO)
    assert outcome == GOT
    assert [
        request.headers["x-amz-access-token"]
        for what, request in session.requests
        if what is Capability.TRACKING
    ] == ["tok", "new"]
    failure = failure_of(expired, a_token("new"), expired)
    assert (failure.kind, failure.http_status) == (K.AUTH_FAILED, 403)


@pytest.mark.parametrize(
    ("code", "details"),
    [
        (
            "Unauthorized",
            "The access token you provided is revoked, malformed or invalid.",
        ),  # docs, issue 2147
        ("Unauthorized", "The security token included in the request is expired"),  # docs, issue 3153
        ("Unauthorized", "Access token is missing in the request header."),  # python-amazon-sp-api, issue 58
        ("MissingAuthenticationToken", None),  # docs, issue 76
    ],
)
def test_a_403_that_names_a_token_is_about_our_credentials(code: str, details: str | None) -> None:
    refused = error(403, code, "Access to requested resource is denied.", details)
    failure = failure_of(refused, a_token("new"), refused)
    assert (failure.kind, failure.http_status, failure.unknown) == (K.AUTH_FAILED, 403, None)


def test_a_403_that_names_no_token_means_a_missing_permission() -> None:
    denied = error(403, "Unauthorized", "Access to requested resource is denied.")
    failure = failure_of(denied, a_token("new"), denied)
    assert (failure.kind, failure.unknown) == (K.ACCOUNT_DENIED, None)
    assert failure.message.endswith(": Access to requested resource is denied.")


# ---------------------------------------------------------------- the status


def test_the_table_has_the_codes_of_the_model() -> None:
    assert len(AMAZON_CODES) == 19


def test_an_answer_without_a_payload_is_read_too() -> None:
    """The example in the model has no payload."""
    outcome, _ = fetch(response(payload(an_event(), proof=PROOF)), PHOTO)
    assert outcome == GOT


def test_an_answer_without_data_means_an_unknown_number() -> None:
    assert failure_of(EMPTY).kind is K.NOT_FOUND
    assert failure_of(tracked(status=None, number="FR9999999999")).kind is K.BAD_RESPONSE
    assert failure_of(tracked(status=None, number=None)).kind is K.BAD_RESPONSE


def test_without_details_the_last_status_shows_the_delivery() -> None:
    failure = failure_of(tracked())
    assert (failure.kind, failure.delivery) == (K.POD_NOT_AVAILABLE_YET, Delivery())


WAY_BACK = [
    an_event("Undeliverable", "2026-10-03T08:00:00Z"),
    an_event("ReturnInitiated", "2026-10-03T09:00:00Z", "RETURNS"),
]


@pytest.mark.parametrize(
    ("events", "kind"),
    [
        ([*WAY_BACK, an_event(leg="RETURNS")], K.RETURNED_TO_SENDER),
        ([an_event(leg="RETURNS")], K.RETURNED_TO_SENDER),
        ([an_event("Rejected", "2026-10-03T08:00:00Z", None), an_event(leg=None)], K.RETURNED_TO_SENDER),
        # The recipient accepted the parcel later, because the forward leg was delivered.
        ([an_event("Rejected", "2026-10-03T08:00:00Z"), an_event()], K.POD_NOT_AVAILABLE_YET),
        ([an_event(), an_event("ReturnInitiated", "2026-10-06T08:00:00Z", "RETURNS")], K.NOT_DELIVERED_YET),
        # A later event belongs to another parcel with this number.
        ([an_event(), an_event("PickupDone", "2026-10-06T08:00:00Z")], K.NOT_DELIVERED_YET),
    ],
)
def test_a_return_is_not_a_delivery_to_the_recipient(events: list[Any], kind: ErrorKind) -> None:
    for listed in (events, events[::-1]):
        assert failure_of(tracked(*listed)).kind is kind


def test_place_coordinates_and_details_are_kept_in_amazons_words() -> None:
    answer = tracked(an_event(), proof=PROOF, forward=["DeliveredToNeighbor", "Signed"])
    delivery = fetch(answer, PHOTO)[0].delivery
    assert delivery is not None
    assert delivery.place == "75011 PARIS FR (48.85661, 2.35222)"
    assert delivery.label == "Delivered, DeliveredToNeighbor, Signed"


@pytest.mark.parametrize(
    "where",
    [None, [], "x", {}, *({**WHERE, "latitude": odd} for odd in ("48", None, float("nan"), 10**400, -181))],
)
def test_invalid_coordinates_are_ignored(where: Any) -> None:
    delivery = fetch(delivered(deliveryLocationCoordinates=where), PHOTO)[0].delivery
    assert delivery is not None
    assert delivery.place == "75011 PARIS FR"


# ---------------------------------------------------------------- the images

SIGNED = f"{BUCKET}/signature.png"
SIGNATURE = Piece(PNG, "amazon_shipping signatureImageURL", EvidenceKind.SIGNATURE)


def test_signature_and_photo_are_both_fetched() -> None:
    outcome, session = fetch(delivered(signatureImageURL=SIGNED), raw(PNG), PHOTO)
    assert outcome == Retrieved((SIGNATURE, *GOT.pieces), KNOWN)
    assert len(session.requests) == 4


GONE = raw("<Error><Code>AccessDenied</Code></Error>", 403, "application/xml")


def test_one_image_is_kept_if_the_other_is_unavailable() -> None:
    both = delivered(signatureImageURL=SIGNED)
    assert fetch(both, raw(PNG), GONE)[0] == Retrieved((SIGNATURE,), KNOWN)
    assert fetch(both, GONE, PHOTO)[0] == GOT
    failure = failure_of(both, GONE, GONE)
    assert (failure.kind, failure.delivery) == (K.POD_NOT_AVAILABLE_YET, KNOWN)


def test_a_proof_without_an_image_is_final_after_a_day() -> None:
    for proof in ({"receivedBy": None}, {"deliveryLocationCoordinates": None}):
        failure = failure_of(delivered(deliveryImageURL=None, **proof))
        assert (failure.kind, failure.http_status) == (K.POD_NEVER_AVAILABLE, 200)
        assert failure.delivery is not None
        assert failure.delivery.at == AT
        recent = an_event(at="2026-10-05T10:31:00Z")
        early = failure_of(tracked(recent, proof=PROOF | {"deliveryImageURL": None} | proof))
        assert early.kind is K.POD_NOT_AVAILABLE_YET


@pytest.mark.parametrize("proof", [None, [], "x", 7, {}, dict.fromkeys(PROOF)])
def test_without_a_proof_there_may_be_one_later(proof: Any) -> None:
    failure = failure_of(tracked(an_event(), proof=proof))
    assert (failure.kind, failure.delivery) == (K.POD_NOT_AVAILABLE_YET, Delivery(AT))


@pytest.mark.parametrize(
    "host",
    [
        "pod-photos.s3.eu-west-1.amazonaws.com",
        "pod-photos.s3-eu-west-1.amazonaws.com",
        "pod.photos.s3.amazonaws.com",
        "s3.eu-west-3.amazonaws.com",
        "s3.amazonaws.com",
        "m.media-amazon.com",
        "images-na.ssl-images-amazon.com",
        "track.amazon.fr",
        "www.amazon.co.uk",
        "sellingpartnerapi-eu.amazon.com",
    ],
)
def test_images_are_fetched_from_hosts_of_amazon(host: str) -> None:
    request = link_request(f"https://{host}/a?b=c", AmazonShipping.hosts)
    assert request is not None
    assert (request.origin, request.path) == (f"https://{host}", "/a?b=c")


@pytest.mark.parametrize(
    "host",
    [
        # Anyone can own such a host, and its address may be private.
        "ec2-198-51-100-7.eu-west-1.compute.amazonaws.com",
        "internal-a-1.eu-west-1.elb.amazonaws.com",
        "a.execute-api.eu-west-1.amazonaws.com",
        "amazonaws.com",
        "s3.amazonaws.com.evil.example",
        "a.s3.evil.example",
        "evils3.amazonaws.com",
        "a.s3.eu-west-1.compute.amazonaws.com",
        "a.s3-website-eu-west-1.amazonaws.com",
        "amazon.fr.evil.example",
        "evilamazon.com",
        "amazon.example",
        "media-amazon.com.",
        "169.254.169.254",
        "localhost",
        "[::1]",
    ],
)
def test_images_are_fetched_from_nowhere_else(host: str) -> None:
    url = f"https://{host}/a"
    assert link_request(url, AmazonShipping.hosts) is None
    failure = failure_of(delivered(deliveryImageURL=url))
    assert (failure.kind, failure.delivery) == (K.POD_NOT_AVAILABLE_YET, KNOWN)
    assert "leads to another host" in failure.message


def test_an_unknown_host_in_a_link_is_not_a_network_failure() -> None:
    unresolved = Failure(K.NETWORK, "of the line", connected=False, resolved=False)
    failure = failure_of(DELIVERED, unresolved)
    assert (failure.kind, failure.delivery, failure.resolved) == (K.POD_NOT_AVAILABLE_YET, KNOWN, True)


# ---------------------------------------------------------------- the table for test_rules.py

ERRORS: dict[str, Row] = {
    "404": (error(404, "NotFound", "The requested resource is invalid or doesn't exist"), K.NOT_FOUND),
    "nothing known": (EMPTY, K.NOT_FOUND),
    "400": (error(400, "InvalidRequest", details="CarrierId is missing in the request"), K.BAD_RESPONSE),
    "400 about the number": (error(400, "InvalidRequest", details="Invalid TrackingId"), K.INVALID_TRACKING),
    "400 about a number unknown": (error(400, "InvalidInput", details="TrackingId not found."), K.NOT_FOUND),
    "500": (error(500, "InternalError"), K.SERVER_ERROR),
    "500 of an older service": (error(500, "InternalFailure"), K.SERVER_ERROR),
    "401": (error(401, "Unauthorized"), K.AUTH_FAILED),
    "a code of no table": (error(400, "Odd"), K.BAD_RESPONSE, "Odd"),
    "an error in a good answer": (error(200, "NotFound"), K.NOT_FOUND),
    "no events": (response({"payload": {"trackingId": NUMBER}}), K.NOT_FOUND),
    "nothing": (response({"payload": {}}), K.BAD_RESPONSE),
    "an empty list of errors": (response({"errors": []}, 400), K.BAD_RESPONSE),
    "errors of another shape": (response({"errors": ["x"]}, 404), K.BAD_RESPONSE),
}
TIMES: list[Any] = [
    ("2026-10-05T08:31:00Z", AT),
    ("2026-10-05T08:31:00.513Z", AT.replace(microsecond=513000)),
    ("2026-10-05T10:31:00+02:00", AT),
    ("hier", None),
    (None, None),
    (7, None),
]
# Answers in amzn/selling-partner-api-docs, issues 268, 2379 and 3030; -models, issue 1851; jrl84/amazon-sp-api, issue 34.
_NO_GRANT = "The request has an invalid grant parameter : refresh_token"
_REVOKED = f"{_NO_GRANT}. User may have revoked or didn't grant the permission."
NO_TOKEN = [
    (response({"error_description": words, "error": code}, status), words)
    for status, code, words in (
        (400, "invalid_grant", _NO_GRANT),
        (400, "invalid_grant", _REVOKED),
        (401, "invalid_client", "Client authentication failed"),
        (400, "invalid_request", "Malformed request"),
        (400, "unauthorized_client", "Not authorized for requested operation"),
    )
]
NO_NAMES: list[Any] = [None, ["DUPONT"], {}]

TABLE = Table(
    make=lambda: AmazonShipping(SETTINGS),
    number=NUMBER,
    facts={
        "name": "Amazon Shipping",
        "credentials": (tuple(SETTINGS),),
        "base_url": "https://sellingpartnerapi-eu.amazon.com",
        "limits": {None: "80/second", Capability.TOKEN: "20/hour"},
        "evidence_days": 45,
        "calls": {Capability.TRACKING: 1, Capability.POD: 2},
    },
    answers=(DELIVERED, PHOTO),
    known=KNOWN,
    proof=GOT,
    # Numbers from issues and from a public client's tests.
    numbers="UK2978244305 IT3286399173 FR1234567890 ES0000000000",
    no_numbers="FR123456789 FR12345678901 DE1234567890 TBA123456789012 1Z999AA10123456784",
    errors=[ERRORS],
    # Other content of a link means "no document yet". An error without a code is not the service's.
    of_no_answer=lambda place, _, meaning: K.POD_NOT_AVAILABLE_YET if place else meaning,
    accepted=[
        ((DELIVERED, PHOTO), True),
        ((DELIVERED, GONE), True),
        (EMPTY, True),
        (error(404, "NotFound"), True),
        (error(500, "InternalError"), False),
        (raw("<html/>"), False),
    ],
    of_another=[tracked(an_event(), proof=PROOF, number="FR9999999999")],
    hostile=[
        *(error(status, HOSTILE, HOSTILE, HOSTILE) for status in (400, 404, 500)),
        error(400, "InvalidRequest", HOSTILE, "TrackingId"),
        tracked(an_event(HOSTILE), status=HOSTILE),
        *(delivered(deliveryImageURL=url) for url in (HOSTILE, "https://evil.example/" + HOSTILE)),
    ],
    whole=[EMPTY, error(404, "NotFound")],
    nobody=(error(404, "NotFound"), K.NOT_FOUND),
    status=lambda code: tracked(an_event(code), status=code, proof=PROOF),
    label="{code}",
    delivered=["Delivered"],
    not_delivered=sorted(AMAZON_CODES.keys() - {"Delivered", "PickupCancelled"}),
    strange=["Lost in thought", "delivered"],
    times=[((tracked(an_event(at=text), proof=PROOF),), at) for text, at in TIMES],
    signed=lambda name: delivered(receivedBy=name),
    signatories=[(delivered(receivedBy=name), None) for name in NO_NAMES],
    token=a_token,
    expired=EXPIRED,
    no_token=NO_TOKEN,
    bare=tracked(proof={"deliveryImageURL": LINK}),
    nameless=delivered(receivedBy=None),
)

fetch, failure_of = TABLE.fetch, TABLE.failure_of


def test_a_canceled_pickup_is_final() -> None:
    failure = failure_of(tracked(an_event("PickupCancelled"), status="PickupCancelled"))
    assert isinstance(failure, Failure)
    assert failure.kind is failure_of(tracked(status="PickupCancelled")).kind
    assert failure.kind is not K.NOT_DELIVERED_YET

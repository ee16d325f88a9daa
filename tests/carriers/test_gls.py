"""The requests to GLS, and the meaning of each answer. The client and the simulator list the sources."""

import base64
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import pytest

from recours.carriers.gls import (
    OTHER_STATUSES,
    SPEC,
    TRACKING_ERRORS,
    Gls,
    parse_details,
    parse_pod,
    parse_tracking,
)
from recours.carriers.message import Response
from recours.core.claim import Delivery
from recours.core.errors import ErrorKind
from recours.core.outcome import Failure, Outcome, Piece, Retrieved
from recours.core.quota import Capability
from recours.core.sentences import Sentence, kind_of
from tests.carriers.table import Row, Table
from tests.fakes.answers import HOSTILE, PDF, PNG, b64, in_lines, raw, response
from tests.fakes.checks import as_failure
from tests.fakes.session import FakeSession, fetched

NUMBER = "12345678901"
TRACK_ID = "ZX00AAAA"
SETTINGS = {"GLS_CLIENT_ID": "10000001", "GLS_CLIENT_SECRET": "123456", "GLS_POD": "yes"}
WITHOUT_PROOFS = SETTINGS | {"GLS_POD": "no"}
AT = datetime(2026, 10, 5, 8, 31, tzinfo=UTC)
TRACKED = Delivery(AT)
KNOWN = Delivery(AT, "DUPONT")
K = ErrorKind
C = Capability


def a_token(token: str = "tok", life: Any = "14400") -> Response:
    return response({"token_type": "Bearer", "access_token": token, "expires_in": life})


def an_event(
    code: Any = "DELIVD.CONSIGNEE", at: Any = "2026-10-05T10:31:00+0200", label: Any = "Un événement"
) -> Any:
    place = {"city": "LILLE", "postalCode": "59000", "country": "FR"}
    return {"code": code, **place, "description": label, "eventDateTime": at}


def a_parcel(status: Any, *events: Any, at: Any = "2026-10-05T10:31:00+0200", **more: Any) -> dict[str, Any]:
    told = {"requested": NUMBER, "unitno": NUMBER, "status": status, "statusDateTime": at}
    return told | {"events": list(events)} | more


def tracked(*parcels: Any) -> Response:
    return response({"parcels": list(parcels)})


def wrong(code: Any, message: Any = "Resource Not Found") -> Response:
    return tracked({"requested": NUMBER, "errorCode": code, "errorMessage": message})


def problem(status: int, title: Any = "A title", detail: Any = "A detail") -> Response:
    tree = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": "/tracking",
    }
    return response(tree, status)


def gateway(status: int, text: Any, code: Any) -> Response:
    return response({"fault": {"faultstring": text, "detail": {"errorcode": code}}}, status)


def detailed(**unit: Any) -> Response:
    return response({"UnitDetail": {"TrackID": TRACK_ID, "Product": "PARCEL", "History": []} | unit})


def proved(images: Any, wrapper: str = "PODItem") -> Response:
    return response({wrapper: {"TrackID": TRACK_ID, "ImageData": images}})


def refused(
    status: int = 490, error: str | None = None, message: str | None = None, args: str = "[]"
) -> Response:
    headers = {"error": error, "message": message, "args": args}
    told = {name: value for name, value in headers.items() if value is not None}
    return Response(status, {"Content-Type": "application/json", **told}, b"")


ENCODED = b64(PDF)
DELIVERED = tracked(a_parcel("DELIVERED", an_event()))
SIGNED = detailed(DeliveryDate="2026-10-05T10:40:00+02:00", Signature="DUPONT")
WITH_POD = proved([ENCODED])
EXPIRED = gateway(401, "The Token has expired: policy(Verify-JWT)", "steps.jwt.TokenExpired")
LIMITED = gateway(
    429,
    "Rate limit quota violation. Quota limit  exceeded. Identifier : 1",
    "policies.ratelimit.QuotaViolation",
)
NO_RIGHT = refused(401, message="Authorization failed")
INVALID_FIELD = "VALIDATION.INVALID_FIELD"
INVALID = refused(error=INVALID_FIELD, message=f"Invalid field TrackID. Value {NUMBER} is not a valid value.")
WRONG_STATE_WORDS = f"POD cannot be generated for {NUMBER}, the parcel is in the wrong state."
WRONG_STATE = refused(error="POD.WRONG_STATE", message=WRONG_STATE_WORDS)


def fetch(
    *answers: Response | Failure,
    known: Delivery | None = None,
    number: str = NUMBER,
    settings: Mapping[str, str] = SETTINGS,
) -> tuple[Outcome, FakeSession]:
    """Fetch with a token. `answers`: the answers to the calls after the token call."""
    return fetched(Gls(settings), number, [a_token(), *answers], known)


def failure_of(*answers: Response | Failure, known: Delivery | None = None, number: str = NUMBER) -> Failure:
    return as_failure(fetch(*answers, known=known, number=number)[0])


def app(session: FakeSession) -> list[str]:
    return [request.path.partition("?")[0].rpartition("/")[2] for _, request in session.requests]


# ---------------------------------------------------------------- requests


def test_requests_match_the_documentation() -> None:
    outcome, session = fetch(DELIVERED, SIGNED, WITH_POD)
    assert outcome == Retrieved.single(PDF, KNOWN, "gls parcelpod")
    token, tracking, details, pod = (request for _, request in session.requests)
    assert [what for what, _ in session.requests] == [C.TOKEN, C.TRACKING, C.POD, C.POD]
    assert (token.method, token.path) == ("POST", "/oauth2/v2/token")
    assert dict(token.headers) == {
        "Authorization": "Basic " + base64.b64encode(b"10000001:123456").decode(),
        "Content-Type": "application/x-www-form-urlencoded",
        "Accept": "application/json",
    }
    assert parse_qs((token.body or b"").decode()) == {"grant_type": ["client_credentials"]}
    assert (tracking.method, tracking.body) == ("GET", None)
    assert tracking.path == f"/track-and-trace-v1/tracking/simple/trackids/{NUMBER}?showEvents=true"
    assert dict(tracking.headers) == {
        "Accept": "application/json",
        "Accept-Language": "FR",
        "Authorization": "Bearer tok",
    }
    for request, operation in ((details, "parceldetails"), (pod, "parcelpod")):
        assert request.method == "POST"
        assert request.path == f"/shipit-farm/v1/backend/rs/tracking/{operation}"
        assert dict(request.headers) == {
            "Content-Type": "application/glsVersion1+json",
            "Accept": "application/glsVersion1+json",
            "Authorization": "Bearer tok",
        }
        assert json.loads(request.body or b"") == {"ParcelNumber": NUMBER}
    assert all(request.origin == "" for _, request in session.requests)


@pytest.mark.parametrize(
    ("number", "sent"),
    [
        (TRACK_ID, {"TrackID": TRACK_ID}),
        ("12345678", {"TrackID": "12345678"}),
        ("12345678901", {"ParcelNumber": "12345678901"}),
        ("012345678901", {"ParcelNumber": "012345678901"}),
        ("12345678901234567890", {"ParcelNumber": "12345678901234567890"}),
        ("QAS_0000008", {"TrackID": "QAS_0000008"}),
    ],
)
def test_a_number_is_sent_in_the_field_of_its_type(number: str, sent: dict[str, str]) -> None:
    _, session = fetch(SIGNED, WITH_POD, known=TRACKED, number=number)
    assert [json.loads(request.body or b"") for _, request in session.requests[1:]] == [sent, sent]


def test_known_deliveries_are_not_tracked_again() -> None:
    assert app(fetch(DELIVERED, SIGNED, WITH_POD)[1])[1:] == [NUMBER, "parceldetails", "parcelpod"]
    assert app(fetch(SIGNED, WITH_POD, known=TRACKED)[1])[1:] == ["parceldetails", "parcelpod"]
    outcome, session = fetch(WITH_POD, known=KNOWN)
    assert app(session)[1:] == ["parcelpod"]
    assert outcome == Retrieved.single(PDF, KNOWN, "gls parcelpod")


# ---------------------------------------------------------------- an account without proofs


def test_an_account_without_proofs_requests_none() -> None:
    outcome, session = fetch(DELIVERED, settings=WITHOUT_PROOFS)
    assert isinstance(outcome, Failure)
    assert (outcome.kind, outcome.delivery, session.accepted) == (K.POD_NEVER_AVAILABLE, TRACKED, True)
    assert "GLS_POD=no" in outcome.message
    assert app(session)[1:] == [NUMBER]
    session = FakeSession([])
    assert Gls(WITHOUT_PROOFS).fetch(NUMBER, TRACKED, session) == outcome
    assert (session.requests, session.accepted) == ([], False)


def test_an_account_without_proofs_still_receives_the_location() -> None:
    outcome, _ = fetch(tracked(a_parcel("INTRANSIT")), settings=WITHOUT_PROOFS)
    assert isinstance(outcome, Failure)
    assert outcome.kind is K.NOT_DELIVERED_YET


def test_the_setting() -> None:
    (option,) = SPEC.options
    assert (option.name, option.default) == ("GLS_POD", "yes")
    assert [bool(option.form.fullmatch(text)) for text in ("yes", "no", "", "YES", "maybe")] == [
        True,
        True,
        False,
        False,
        False,
    ]


# ---------------------------------------------------------------- answers of the tracking


def test_tables_match_the_documentation() -> None:
    assert set(OTHER_STATUSES) == {
        *("PREADVICE", "PLANNEDPICKUP", "INPICKUP", "NOTPICKEDUP", "INTRANSIT", "INWAREHOUSE"),
        *("INDELIVERY", "DELIVEREDPS", "NOTDELIVERED", "CANCELED", "FINAL"),
    }
    assert {code: kind_of(key) for code, key in TRACKING_ERRORS.items() if isinstance(key, Sentence)} == {
        "E_400_01": K.INVALID_TRACKING,
        "E_400_02": K.BAD_RESPONSE,
        "E_400_03": K.BAD_RESPONSE,
        "E_404_01": K.NOT_FOUND,
        "E_404_02": K.NOT_FOUND,
        "E_500_01": K.SERVER_ERROR,
    }


def test_a_canceled_shipment_will_never_be_delivered() -> None:
    failure = failure_of(tracked(a_parcel("CANCELED")))
    assert (failure.kind, failure.unknown) == (K.POD_NEVER_AVAILABLE, None)
    assert (
        failure.message == "GLS says that the shipment was canceled, so it will never be delivered (canceled)"
    )


def test_the_latest_event_says_where_the_parcel_is_regardless_of_the_order() -> None:
    early = an_event(at="2026-10-05T06:00:00+0200", label="early")
    late = an_event(at="2026-10-05T05:30:00+0100", label="late")  # later, despite its earlier local time
    for events in ([early, late], [late, early]):
        assert "(late)" in failure_of(tracked(a_parcel("INTRANSIT", *events))).message


def test_the_requested_parcel_counts_among_several() -> None:
    other = a_parcel("INTRANSIT", requested="1", unitno="2")
    by_name, by_unit = a_parcel("DELIVERED", unitno="2"), a_parcel("DELIVERED", requested="1")
    for listed in ([other, by_name], [other, by_unit], [by_name, other]):
        assert fetch(tracked(*listed), SIGNED, WITH_POD)[0] == Retrieved.single(PDF, KNOWN, "gls parcelpod")


def dated(status: str, at: str, unitno: str, *words: str) -> dict[str, Any]:
    """A parcel of the Track ID with this number."""
    events = [an_event(at=at, label=label) for label in words]
    return a_parcel(status, *events, at=at, requested=TRACK_ID, unitno=unitno)


OLD, NEW = "2024-03-05T10:31:00+0100", "2026-10-05T10:31:00+0200"
ALONE = dated("DELIVERED", NEW, "90000000001")


@pytest.mark.parametrize(
    ("parcels", "kind"),
    [
        (
            [dated("DELIVERED", OLD, "90000000001"), dated("INTRANSIT", NEW, "90000000002")],
            K.NOT_DELIVERED_YET,
        ),
        ([dated("INTRANSIT", OLD, "90000000001"), dated("DELIVERED", NEW, "90000000002")], None),
        # From a public client's tests: two parcels of one Track ID, one of them in transit.
        ([dated("INDELIVERY", "2026-10-05T09:00:00+0200", "90000000005"), ALONE], K.NOT_DELIVERED_YET),
        ([dated("DELIVERED", "2026-10-05T09:00:00+0200", "90000000005"), ALONE], None),
        ([dated("DELIVERED", NEW, "90000000001", "Retour à l'expéditeur")], K.RETURNED_TO_SENDER),
        ([dated("INTRANSIT", NEW, "90000000001", "Return to sender")], K.NOT_DELIVERED_YET),
        ([{"requested": TRACK_ID, "errorCode": "E_500_01", "errorMessage": "x"}, ALONE], None),
    ],
)
def test_the_newest_parcel_of_a_track_id_counts_if_all_are_delivered(
    parcels: list[Any], kind: ErrorKind | None
) -> None:
    for listed in (parcels, parcels[::-1]):
        assert kinds_of(tracked(*listed), [TRACK_ID]) == {TRACK_ID: kind}


# ---------------------------------------------------------------- several numbers

OTHER = "10987654321"
ALL = [NUMBER, OTHER, TRACK_ID]


def named(number: Any, status: str = "INTRANSIT", unitno: Any = "1") -> dict[str, Any]:
    return a_parcel(status, requested=number, unitno=unitno)


def in_error(number: str, code: str = "E_404_01") -> dict[str, Any]:
    return {"requested": number, "errorCode": code, "errorMessage": "Words"}


def kinds_of(answer: Response, numbers: Sequence[str] = ALL) -> dict[str, ErrorKind | None] | ErrorKind:
    found = parse_tracking(answer, numbers)
    if isinstance(found, Failure):
        return found.kind
    return {number: one.kind if isinstance(one, Failure) else None for number, one in found.items()}


def test_the_requested_number_takes_precedence_over_the_number_of_the_parcel() -> None:
    parcels = [
        named(NUMBER, "DELIVERED", OTHER),
        named(OTHER, "INTRANSIT", NUMBER),
        named(None, unitno=TRACK_ID),
    ]
    assert kinds_of(tracked(*parcels)) == {
        NUMBER: None,
        OTHER: K.NOT_DELIVERED_YET,
        TRACK_ID: K.NOT_DELIVERED_YET,
    }


@pytest.mark.parametrize(
    "parcels",
    [
        [named(NUMBER), named(OTHER)],
        [named("1"), named(NUMBER), named(None), named(OTHER), named(["x"]), "x"],
        [named(NUMBER), in_error(TRACK_ID, "E_400_02"), named(OTHER)],
    ],
)
def test_a_parcel_without_a_result_is_omitted(parcels: list[Any]) -> None:
    found = kinds_of(tracked(*parcels))
    assert found == {NUMBER: K.NOT_DELIVERED_YET, OTHER: K.NOT_DELIVERED_YET}


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (tracked(), K.NOT_FOUND),
        (tracked(named("1"), named("2")), K.BAD_RESPONSE),
        (tracked(*(in_error(number, "E_400_02") for number in ALL)), K.BAD_RESPONSE),
        (response({"detail": "more than allowed limit of 10"}, 400), K.BAD_RESPONSE),
        (response({"detail": "No static resource"}, 404), K.NOT_FOUND),
        (raw(b"<html/>"), K.BAD_RESPONSE),
        (raw(b"", 500), K.SERVER_ERROR),
        (raw(b"", 401), K.AUTH_FAILED),
    ],
)
def test_an_answer_without_any_of_the_parcels_is_one_failure(answer: Response, kind: ErrorKind) -> None:
    assert kinds_of(answer) is kind


def test_the_parcel_with_the_number_counts_if_a_number_is_reported_twice() -> None:
    twice = tracked(named(NUMBER, unitno="2"), named(NUMBER, "DELIVERED", NUMBER), named(OTHER))
    assert kinds_of(twice) == {NUMBER: None, OTHER: K.NOT_DELIVERED_YET}


TIMES: list[Any] = [
    ("2026-10-05T10:31:00+0200", "2026-10-04T10:31:00+0200", None, AT),
    ("2026-10-05T10:31:00+02:00", None, None, AT),
    ("2026-10-05T08:31:00Z", None, None, AT),
    ("2026-10-05T10:31:00", None, None, AT),  # French local time
    ("2026-01-05T10:31:00", None, None, datetime(2026, 1, 5, 9, 31, tzinfo=UTC)),
    (None, "2026-10-05T10:31:00+0200", "2026-10-01T10:31:00+02:00", AT),
    ("hier", None, "2026-10-05T10:31:00+02:00", AT),
    (None, None, "2026-10-05T10:31:00", AT),
    ([1], {"a": 1}, 7, None),
    (None, None, None, None),
    ("9999-12-31T23:59:59-14:00", None, "0001-01-01T00:00:00+14:00", None),
]

TRACKING: dict[str, Row] = {
    "E_400_01": (wrong("E_400_01", "Bad Request"), K.INVALID_TRACKING),
    "E_400_02": (wrong("E_400_02", "Limit Size Exceeded"), K.BAD_RESPONSE),
    "E_400_03": (wrong("E_400_03", "Wrong Postal Code"), K.BAD_RESPONSE),
    "E_404_01": (wrong("E_404_01"), K.NOT_FOUND),
    "E_404_02": (wrong("E_404_02", "No Delivery Info"), K.NOT_FOUND),
    "E_500_01": (wrong("E_500_01", "Internal Server Error"), K.SERVER_ERROR),
    "E_404_01 without words": (wrong("E_404_01", None), K.NOT_FOUND),
    "an unknown code": (wrong("E_418_01", "A teapot"), K.BAD_RESPONSE, "E_418_01 (HTTP 200: A teapot)"),
    "no parcel": (tracked(), K.NOT_FOUND),
    "400": (problem(400, "Bad Request", "Failed to convert 'showEvents'"), K.BAD_RESPONSE),
    "404": (problem(404, "Not Found", "No static resource"), K.NOT_FOUND),
    "404, empty": (raw("", 404), K.NOT_FOUND),
    "403": (problem(403), K.BAD_RESPONSE),
    "500": (problem(500), K.SERVER_ERROR),
    "500, a fault": (gateway(500, "Execution failed", "steps.Failed"), K.SERVER_ERROR),
    "parcels of another shape": (tracked(None, 7, "x", []), K.BAD_RESPONSE),
    "a parcel of another shape": (response({"parcels": {"item": [a_parcel("DELIVERED")]}}), K.BAD_RESPONSE),
    "no status": (tracked({"requested": NUMBER}), K.BAD_RESPONSE),
    "a status of another shape": (tracked(a_parcel(["DELIVERED"])), K.BAD_RESPONSE),
}

# ---------------------------------------------------------------- the signatory
SIGNATORIES: list[Any] = [
    ("\ud800\u202e", r"\ud800\u202e"),
    ("iVBORw0KGgo" * 50, None),  # an image instead of a name
    (["DUPONT"], None),
    (None, None),
]

NO_DETAILS: dict[str, Response] = {
    "another shape": response({"UnitDetail": [7]}),
    "nothing": response({}),
    "a list": response([]),
    "a page": raw("<html/>"),
    "empty": raw(""),
    "too deep": raw(b"[" * 200_000),
    "490": INVALID,
    "400": refused(400, "INVALID_SHIPMENT_ID", "No shipment unit found"),
    "403": refused(403),
    "404": raw("", 404),
    "500": refused(500),
    "503": raw("<html/>", 503),
}


@pytest.mark.parametrize("answer", NO_DETAILS.values(), ids=NO_DETAILS.keys())
def test_without_a_signatory_there_may_still_be_a_proof(answer: Response) -> None:
    assert fetch(DELIVERED, answer, WITH_POD)[0] == Retrieved.single(PDF, TRACKED, "gls parcelpod")
    assert parse_details(answer) == Delivery()


# ---------------------------------------------------------------- answers with the document


@pytest.mark.parametrize(
    "answer",
    [
        proved([ENCODED]),
        proved(ENCODED),
        proved([ENCODED], "Poditem"),
        proved(ENCODED, "Poditem"),
        proved(["", None, ENCODED]),
        proved(["JVB*", ENCODED]),
        proved([ENCODED, b64(b"another")]),
        proved([b64(b"BM8"), ENCODED]),
        proved(in_lines(ENCODED)),
        response({"PODItem": [{"TrackID": TRACK_ID, "ImageData": [ENCODED]}]}),
    ],
)
def test_documents(answer: Response) -> None:
    outcome = fetch(answer, known=KNOWN)[0]
    assert isinstance(outcome, Retrieved)
    assert outcome.best == Piece(PDF, "gls parcelpod")
    assert outcome.delivery == KNOWN


def test_all_images_are_kept() -> None:
    items = [{"ImageData": [ENCODED, b64(PNG)]}, {"ImageData": b64(b"another")}]
    outcome = fetch(response({"PODItem": items}), known=KNOWN)[0]
    assert isinstance(outcome, Retrieved)
    assert [piece.content for piece in outcome.pieces] == [PDF, PNG, b"another"]


PROOF: dict[str, Row] = {
    "INVALID_FIELD of a number of the right form": (INVALID, K.NOT_FOUND),
    "INVALID_FIELD of our number": (refused(490, INVALID_FIELD, "Invalid field ParcelNumber."), K.NOT_FOUND),
    "INVALID_FIELD, named in args": (refused(error=INVALID_FIELD, args='["TrackID"]'), K.NOT_FOUND),
    "INVALID_FIELD of another": (refused(490, INVALID_FIELD, "Invalid field DateTo."), K.BAD_RESPONSE),
    "wrong state": (WRONG_STATE, K.POD_NOT_AVAILABLE_YET),
    "wrong state, by its code": (refused(error="POD.WRONG_STATE"), K.POD_NOT_AVAILABLE_YET),
    "wrong state, by its words": (refused(message=WRONG_STATE_WORDS), K.POD_NOT_AVAILABLE_YET),
    "wrong state, in the manual": (
        refused(
            400, "INVALID_SHIPMENT_ID", "Invalid shipment unit number: the parcel is in the wrong state."
        ),
        K.POD_NOT_AVAILABLE_YET,
    ),
    "unknown, in the manual": (
        refused(400, "INVALID_SHIPMENT_ID", "No shipment unit found for parcel identifier(s) X."),
        K.NOT_FOUND,
    ),
    "no image": (proved([]), K.POD_NOT_AVAILABLE_YET),
    "an empty image": (proved([""]), K.POD_NOT_AVAILABLE_YET),
    "an empty text": (proved(""), K.POD_NOT_AVAILABLE_YET),
    "no images at all": (response({"PODItem": {"TrackID": TRACK_ID}}), K.POD_NOT_AVAILABLE_YET),
    "images of another shape": (proved([{"a": 1}, ["x"], None]), K.POD_NOT_AVAILABLE_YET),
    "490 of another kind": (
        refused(490, "OTHER", "Something"),
        K.BAD_RESPONSE,
        "OTHER (HTTP 490: Something)",
    ),
    "490 without a code": (refused(message="Something"), K.BAD_RESPONSE, "none (HTTP 490: Something)"),
    "490 without headers": (raw(b"", 490), K.BAD_RESPONSE),
    "400 without headers": (raw(b"", 400), K.BAD_RESPONSE),
    "403": (refused(403, message="Forbidden"), K.ACCOUNT_DENIED),
    "404": (raw(b"", 404), K.BAD_RESPONSE),
    "500": (refused(500, "INTERNAL", "Something"), K.SERVER_ERROR),
    "an item of another shape": (response({"PODItem": "x"}), K.BAD_RESPONSE),
}


def test_an_invalid_field_rejects_a_number_in_the_wrong_format() -> None:
    failure = parse_pod(INVALID, "QAS_000008", KNOWN)
    assert isinstance(failure, Failure)
    assert failure.kind is K.INVALID_TRACKING


def test_the_text_of_a_refusal_is_in_its_headers() -> None:
    assert failure_of(refused(500, "", "Not\xa0in \t service"), known=KNOWN).message == (
        "GLS is unavailable (HTTP 500): Not in service"
    )
    assert failure_of(refused(500, "INTERNAL"), known=KNOWN).message == (
        "GLS is unavailable (HTTP 500): INTERNAL"
    )
    assert failure_of(WRONG_STATE, known=KNOWN).message == (
        f"The parcel was delivered, but GLS has no proof of delivery yet: {WRONG_STATE_WORDS}"
    )
    assert failure_of(problem(500)).message == "GLS is unavailable (HTTP 500): A detail"
    assert failure_of(problem(500, detail=None)).message == "GLS is unavailable (HTTP 500): A title"


# ---------------------------------------------------------------- the table for test_rules.py


def of_no_answer(place: int, name: str, meaning: ErrorKind) -> ErrorKind | None:
    if place == 1:  # this call is only for the signatory, and the proof may still exist
        return None
    is_nothing = place == 2 and name in ("empty", "blank", "an empty object")
    return K.NOT_FOUND if is_nothing else meaning


TABLE = Table(
    make=lambda: Gls(SETTINGS),
    number=NUMBER,
    facts={
        "name": "GLS",
        "spellings": ("GLS France", "General Logistics Systems"),
        "limits": {None: "500/day@UTC", C.TOKEN: "20/hour"},
        "credentials": (("GLS_CLIENT_ID", "GLS_CLIENT_SECRET"),),
        "base_url": "https://api.gls-group.net",
        "calls": {C.TRACKING: 1, C.POD: 2},
        "numbers_per_call": 10,
    },
    answers=(DELIVERED, SIGNED, WITH_POD),
    known=KNOWN,
    known_at=(None, TRACKED, KNOWN),
    proof=Retrieved.single(PDF, KNOWN, "gls parcelpod"),
    no_numbers=f"1234567 123456789 1234567890 1234567890123 ZX00AAA zx00aaaa QAS_000008 {'1' * 19}",
    good_check_digits=[
        *(NUMBER, TRACK_ID, SPEC.sample_number, "123456789012", "12345678", "QAS_0000008", "1" * 20)
    ],
    errors=[TRACKING, {}, PROOF],
    of_no_answer=of_no_answer,
    limited=[LIMITED],
    accepted=[
        ([DELIVERED, SIGNED, WITH_POD], True),
        ([tracked(a_parcel("INTRANSIT"))], True),
        ([wrong("E_404_01")], True),
        ([wrong("E_400_01")], True),
        ([problem(400)], False),
        ([EXPIRED, a_token("new"), EXPIRED], False),
        ([problem(500)], False),
        ([raw("<html/>")], False),
    ],
    accepted_known=[(WITH_POD, True), (WRONG_STATE, True), (refused(500), False)],
    of_another=[tracked(*map(named, "12")), tracked(named("1", "DELIVERED", "2"))],
    of_several=lambda numbers: tracked(*map(named, numbers)),
    hostile=[
        wrong("E_404_01", HOSTILE),
        wrong(HOSTILE, HOSTILE),
        tracked(a_parcel(HOSTILE, an_event(label=HOSTILE))),
        (EXPIRED, a_token("new"), gateway(401, HOSTILE, HOSTILE)),
        *(problem(status, HOSTILE, HOSTILE) for status in (400, 404, 500)),
        *((DELIVERED, SIGNED, refused(status, HOSTILE, HOSTILE, HOSTILE)) for status in (400, 403, 490, 500)),
        (DELIVERED, SIGNED, refused(490, INVALID_FIELD, HOSTILE, HOSTILE)),
        (DELIVERED, SIGNED, refused(490, "POD.WRONG_STATE", HOSTILE)),
    ],
    whole=[wrong("E_404_01")],
    nobody=(tracked(), K.NOT_FOUND),
    status=lambda code: tracked(a_parcel(code, an_event("INTIAL.PREADVICE"))),
    not_delivered=sorted(OTHER_STATUSES.keys() - {"CANCELED"}),
    strange=["RETURNED", "delivered"],
    times=[
        (
            (
                tracked(a_parcel("DELIVERED", an_event(at=event_at), at=status_at)),
                detailed(DeliveryDate=details_at, Signature="DUPONT"),
            ),
            at,
        )
        for status_at, event_at, details_at, at in TIMES
    ],
    signed=lambda name: (DELIVERED, detailed(Signature=name)),
    signatories=[((DELIVERED, detailed(Signature=text)), signatory) for text, signatory in SIGNATORIES],
    encoded=lambda encoded: proved([encoded]),
    token=a_token,
    expired=EXPIRED,
    no_token=[
        (response({"errors": [{"message": "No such client", "type": "400"}]}, status), "No such client")
        for status in (400, 401, 403)
    ],
)

"""The requests to FedEx, and the meaning of each answer. The client and the simulator list the sources."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import permutations
from typing import Any
from urllib.parse import parse_qs

import pytest

from recours.carriers.answers import ParcelStatus
from recours.carriers.fedex import CODES, FEDEX_CODES, SPEC, FedEx, document_request, parse_tracking
from recours.carriers.message import Request, Response, Wait
from recours.core.claim import Delivery
from recours.core.errors import ErrorKind
from recours.core.outcome import CallError, Failure, Retrieved
from recours.core.quota import Capability
from recours.sandbox import Scenario
from tests.carriers.table import Row, Table
from tests.fakes.answers import HOSTILE, PDF, PNG, b64, raw, response
from tests.fakes.checks import as_failure
from tests.fakes.session import NOW, FakeSession
from tests.fakes.simulated import SandboxSession, client_of

NUMBER = "123456789012"
K = ErrorKind
UNIQUE = "1~123456789012~FX"
INFO = {"trackingNumber": NUMBER, "carrierCode": "FDXE", "trackingNumberUniqueId": UNIQUE}
SETTINGS = {"FEDEX_CLIENT_ID": "cid", "FEDEX_CLIENT_SECRET": "s&é=", "FEDEX_ACCOUNT_NUMBER": "100000001"}
SOURCE = "fedex trackingdocuments"


def a_token(name: str = "tok") -> Response:
    tree = {"access_token": name, "token_type": "bearer", "expires_in": 3599, "scope": "CXS-TP"}
    return response(tree)


TOKEN = a_token()


def a_status(code: str | None = "DL", label: str = "Livré") -> dict[str, Any]:
    if code is None:
        return {"description": label}
    return {"code": code, "derivedCode": code, "statusByLocale": label, "description": "Words"}


def a_scan(code: str = "DL", date: str = "2026-10-05T10:31:00+02:00") -> dict[str, Any]:
    return {
        "date": date,
        "eventType": code,
        "eventDescription": "Delivered",
        "derivedStatusCode": code,
        "scanLocation": {"city": "LILLE"},
    }


def a_result(**changed: Any) -> dict[str, Any]:
    """The result in the carrier's sample, with these changes. Parts with the value None are omitted."""
    result: dict[str, Any] = {
        "trackingNumberInfo": INFO,
        "latestStatusDetail": a_status(),
        "dateAndTimes": [
            {"type": "ACTUAL_PICKUP", "dateTime": "2026-10-02T10:00:00+02:00"},
            {"type": "ACTUAL_DELIVERY", "dateTime": "2026-10-05T10:31:00+02:00"},
            {"type": "ESTIMATED_DELIVERY", "dateTime": "2026-10-07T10:00:00+02:00"},
        ],
        "deliveryDetails": {"receivedByName": "MARTIN", "signedByName": "DUPONT", "deliveryAttempts": "0"},
        "availableImages": [{"type": "SIGNATURE_PROOF_OF_DELIVERY"}],
        "scanEvents": [a_scan()],
    }
    return {name: value for name, value in (result | changed).items() if value is not None}


def tracked(*results: Any, number: str | None = NUMBER) -> Response:
    complete = {"trackingNumber": number, "trackResults": list(results)}
    return response({"transactionId": "t1", "output": {"completeTrackResults": [complete]}})


def listed(*pairs: tuple[Any, Any]) -> Response:
    complete = [{"trackingNumber": number, "trackResults": [found]} for number, found in pairs]
    return response({"output": {"completeTrackResults": complete}})


def answered(**changed: Any) -> Response:
    """An answer with one result: the carrier's sample with these changes."""
    return tracked(a_result(**changed))


def of_number(code: str | None, message: str | None = "Words", number: str | None = NUMBER) -> Response:
    """An error about the number, in a good answer."""
    error: dict[str, Any] = {"code": code, "message": message, "parameterList": []}
    told = {n: v for n, v in error.items() if v is not None}
    return tracked({"trackingNumberInfo": {"trackingNumber": number}, "error": told}, number=number)


def proved(**output: Any) -> Response:
    usual = {"documentType": "SIGNATURE_PROOF_OF_DELIVERY", "documentFormat": "PDF"}
    return response({"transactionId": "t2", "output": usual | output})


def error(status: int, code: str | None, message: str = "Words") -> Response:
    told = {"code": code, "message": message} if code else {"message": message}
    return response({"transactionId": "t3", "errors": [told]}, status)


DELIVERED = answered()
WITH_POD = proved(documents=[b64(PDF)])
NO_DATA = "TRACKING.DATA.NOTFOUND -  Tracking data unavailable"
WITHOUT_POD = proved(alerts=NO_DATA)
AT = datetime(2026, 10, 5, 8, 31, tzinfo=UTC)
KNOWN = Delivery(AT, "DUPONT")
GOT = Retrieved.single(PDF, KNOWN, SOURCE)
NOT_FOUND = of_number(
    "TRACKING.TRACKINGNUMBER.NOTFOUND",
    "Tracking number cannot be found. Please correct the tracking number and try again.",
)


def tracking_of(answer: Response, number: str = NUMBER) -> Delivery | Failure:
    results = parse_tracking(answer, [number])
    return results if isinstance(results, Failure) else results[number]


def body_of(request: Request) -> Any:
    return json.loads(request.body or b"")


# ---------------------------------------------------------------- requests

HEADERS = {
    "Authorization": "Bearer tok",
    "Content-Type": "application/json",
    "Accept": "application/json",
    "x-locale": "fr_FR",
}
TRACKING_BODY: dict[str, Any] = {
    "includeDetailedScans": True,
    "trackingInfo": [{"trackingNumberInfo": {"trackingNumber": NUMBER}}],
}
DOCUMENT_BODY = {
    "trackDocumentDetail": {"documentType": "SIGNATURE_PROOF_OF_DELIVERY", "documentFormat": "PDF"},
    "trackDocumentSpecification": [
        {
            "trackingNumberInfo": INFO,
            "shipDateBegin": "2026-08-06",
            "shipDateEnd": "2026-10-05",
            "accountNumber": "100000001",
        }
    ],
}


def test_requests_match_the_documentation() -> None:
    outcome, session = fetch(DELIVERED, WITH_POD)
    assert outcome == GOT
    (first, token), (second, tracking), (third, documents) = session.requests
    assert (first, second, third) == (Capability.TOKEN, Capability.TRACKING, Capability.POD)
    assert (token.method, token.path) == ("POST", "/oauth/token")
    assert dict(token.headers) == {
        "Content-Type": "application/x-www-form-urlencoded",
        "Accept": "application/json",
    }
    assert parse_qs((token.body or b"").decode(), strict_parsing=True) == {
        "grant_type": ["client_credentials"],
        "client_id": ["cid"],
        "client_secret": ["s&é="],
    }
    assert (tracking.method, tracking.path) == ("POST", "/track/v1/trackingnumbers")
    assert (documents.method, documents.path) == ("POST", "/track/v1/trackingdocuments")
    assert dict(tracking.headers) == dict(documents.headers) == HEADERS
    assert body_of(tracking) == TRACKING_BODY
    assert body_of(documents) == DOCUMENT_BODY
    assert SPEC.base_url == "https://apis.fedex.com"


def test_a_parcel_known_to_be_delivered_goes_straight_to_the_document() -> None:
    outcome, session = fetch(WITH_POD, known=KNOWN)
    assert [what for what, _ in session.requests] == [Capability.TOKEN, Capability.POD]
    assert outcome == GOT
    (specification,) = body_of(session.requests[1][1])["trackDocumentSpecification"]
    assert specification == {
        "trackingNumberInfo": {"trackingNumber": NUMBER},
        "shipDateBegin": "2026-08-06",
        "shipDateEnd": "2026-10-05",
        "accountNumber": "100000001",
    }


@pytest.mark.parametrize(
    ("at", "dates"),
    [
        (AT, ("2026-08-06", "2026-10-05")),
        (datetime(2026, 10, 5, 23, 30, tzinfo=UTC), ("2026-08-07", "2026-10-06")),  # the next day in France
        (None, None),
        (datetime.max.replace(tzinfo=UTC), None),
        (datetime.min.replace(tzinfo=UTC), None),
    ],
)
def test_the_dates_of_sending(at: datetime | None, dates: tuple[str, str] | None) -> None:
    request = document_request(NUMBER, Delivery(at), "100000001")
    (specification,) = body_of(request)["trackDocumentSpecification"]
    found = specification.get("shipDateBegin"), specification.get("shipDateEnd")
    assert found == (dates or (None, None))


@pytest.mark.parametrize(
    ("info", "sent"),
    [
        ({"carrierCode": "FDXG"}, {"carrierCode": "FDXG"}),
        ({"trackingNumberUniqueId": "2~x"}, {"trackingNumberUniqueId": "2~x"}),
        ({"trackingNumberUniqueId": "x" * 100}, {"trackingNumberUniqueId": "x" * 100}),
        ({"carrierCode": "", "trackingNumberUniqueId": None}, {}),
        ({"carrierCode": "X" * 101, "trackingNumberUniqueId": ["x"]}, {}),
        ({}, {}),
        ("x", {}),
    ],
)
def test_the_document_request_contains_the_tracking_number_info(info: Any, sent: dict[str, str]) -> None:
    _, session = fetch(answered(trackingNumberInfo=info), WITH_POD)
    (specification,) = body_of(session.requests[2][1])["trackDocumentSpecification"]
    assert specification["trackingNumberInfo"] == {"trackingNumber": NUMBER, **sent}


def test_a_fetch_does_not_use_facts_of_another_fetch() -> None:
    client = FedEx(SETTINGS)
    session = FakeSession([TOKEN, DELIVERED, WITH_POD, WITH_POD], client)
    client.fetch(NUMBER, None, session)
    client.fetch("123456789", KNOWN, session)
    assert UNIQUE.encode() not in (session.requests[-1][1].body or b"")


# ---------------------------------------------------------------- tokens

EXPIRED = error(
    401, "NOT.AUTHORIZED.ERROR", "Access token expired. Please modify your request and try again."
)

BAD_CLIENT = error(401, "NOT.AUTHORIZED.ERROR", "The given client credentials were not valid.")

# ---------------------------------------------------------------- requests to wait

SHORT = error(
    429,
    "TOO.MANY.REQUESTS",
    "Too many requests – We have received too many requests in a short duration. "
    "Please wait a while to try again",
)
DAILY = error(429, None, "Daily transaction quota exceeded. Retry after 12:00AM GMT")
FORBIDDEN = error(
    403,
    "FORBIDDEN.ERROR",
    "We could not authorize your credentials. Please check your permissions and try again.",
)


@pytest.mark.parametrize("what", Capability)
def test_the_answers_that_ask_us_to_wait(what: Capability) -> None:
    client = FedEx(SETTINGS)
    midnight = datetime(2026, 10, 7, tzinfo=UTC)
    assert client.wait_asked(what, SHORT, NOW) == Wait()
    assert client.wait_asked(what, raw(b"", 429), NOW) == Wait()
    assert client.wait_asked(what, DAILY, NOW) == Wait(midnight)
    assert client.wait_asked(what, raw(b"DAILY  transaction\nquota exceeded", 429), NOW) == Wait(midnight)
    for answer in (DELIVERED, BAD_CLIENT, error(500, None), replace(DAILY, status=400)):
        assert client.wait_asked(what, answer, NOW) is None


@pytest.mark.parametrize(
    ("now", "midnight"),
    [
        (datetime(2026, 10, 6, tzinfo=UTC), datetime(2026, 10, 7, tzinfo=UTC)),
        (datetime(2026, 12, 31, 23, 59, 59, 7, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        # Days in either time zone: 00:30 on the 7th in France is the 6th in UTC.
        (
            datetime(2026, 10, 7, 0, 30, tzinfo=timezone(timedelta(hours=2))),
            datetime(2026, 10, 7, tzinfo=UTC),
        ),
    ],
)
def test_an_exhausted_daily_quota_ends_at_midnight_utc(now: datetime, midnight: datetime) -> None:
    assert FedEx(SETTINGS).wait_asked(Capability.POD, DAILY, now) == Wait(midnight)


def test_only_a_403_of_the_token_call_means_to_wait() -> None:
    client = FedEx(SETTINGS)
    wait = Wait(NOW + timedelta(minutes=10))
    for answer in (FORBIDDEN, raw(b"<html/>", 403)):
        assert client.wait_asked(Capability.TOKEN, answer, NOW) == wait
        assert client.wait_asked(Capability.TRACKING, answer, NOW) is None
        assert client.wait_asked(Capability.POD, answer, NOW) is None
    with pytest.raises(CallError) as failed:
        client.fetch(NUMBER, None, FakeSession([FORBIDDEN], client))
    failure = failed.value.failure
    assert (failure.kind, failure.retry_at) == (K.RATE_LIMITED, wait.until)


# ---------------------------------------------------------------- the normalized errors

EMPTY = "TRACKING.TRACKINGNUMBER.EMPTY"
INVALID = "TRACKING.TRACKINGNUMBER.INVALID"
UNKNOWN = "TRACKING.TRACKINGNUMBER.NOTFOUND"

NORMALISED: dict[str, Row] = {
    "200, NOTFOUND": (NOT_FOUND, K.NOT_FOUND),
    "400, NOTFOUND": (error(400, UNKNOWN), K.NOT_FOUND),
    "200, EMPTY": (of_number(EMPTY), K.INVALID_TRACKING),
    "400, EMPTY": (error(400, EMPTY), K.INVALID_TRACKING),
    "200, INVALID": (of_number(INVALID), K.INVALID_TRACKING),
    "400, INVALID": (error(400, INVALID), K.INVALID_TRACKING),
    "not delivered": (answered(latestStatusDetail=a_status("IT")), K.NOT_DELIVERED_YET),
    "403": (FORBIDDEN, K.ACCOUNT_DENIED),
    "404": (error(404, "NOT.FOUND.ERROR"), K.NOT_FOUND),
    "500": (error(500, "INTERNAL.SERVER.ERROR"), K.SERVER_ERROR),
    "503": (error(503, "SERVICE.UNAVAILABLE.ERROR"), K.SERVER_ERROR),
}

DOCUMENT_ROWS: dict[str, Row] = {
    "an alert": (
        proved(alerts=[{"code": "TRACKING.DATA.NOTFOUND", "alertType": "NOTE", "message": "x"}]),
        K.POD_NOT_AVAILABLE_YET,
    ),
    "a text": (WITHOUT_POD, K.POD_NOT_AVAILABLE_YET),
    "an error": (error(400, "TRACKING.DATA.NOTFOUND"), K.POD_NOT_AVAILABLE_YET),
    "not there yet": (error(404, "TRACKINGDOCUMENT.DOCUMENT.UNAVAILABLE"), K.POD_NOT_AVAILABLE_YET),
    "400, NOTFOUND": (error(400, UNKNOWN), K.NOT_FOUND),
    "400, EMPTY": (error(400, EMPTY), K.INVALID_TRACKING),
    "403": (FORBIDDEN, K.ACCOUNT_DENIED),
    "404": (error(404, "NOT.FOUND.ERROR"), K.BAD_RESPONSE),
    "500": (error(500, "INTERNAL.SERVER.ERROR"), K.SERVER_ERROR),
    "503": (error(503, "SERVICE.UNAVAILABLE.ERROR"), K.SERVER_ERROR),
}


def test_429_asks_us_to_wait() -> None:
    for answer, until in ((SHORT, None), (DAILY, datetime(2026, 10, 7, tzinfo=UTC))):
        for before in ((), (DELIVERED,)):
            with pytest.raises(CallError) as failed:
                fetch(*before, answer)
            failure = failed.value.failure
            assert (failure.kind, failure.retry_at) == (K.RATE_LIMITED, until)
        # A real session raises an error before the client gets such an answer.
        outcome = tracking_of(answer)
        assert isinstance(outcome, Failure)
        assert outcome.kind is K.RATE_LIMITED


# ---------------------------------------------------------------- other errors, in either answer

IN_EITHER: dict[str, Row] = {
    "401": (error(401, None), K.AUTH_FAILED),
    "401, a page": (raw(b"<html/>", 401), K.AUTH_FAILED),
    "its code, HTTP 200": (error(200, "NOT.AUTHORIZED.ERROR"), K.AUTH_FAILED),
    "400 without a code": (error(400, None), K.BAD_RESPONSE),
    "400, empty": (raw(b"", 400), K.BAD_RESPONSE),
    "403 without a code": (error(403, None), K.ACCOUNT_DENIED),
    "403, empty": (raw(b"", 403), K.ACCOUNT_DENIED),
    "403, a page": (raw(b"\n<html>Access Denied</html>", 403), K.BAD_RESPONSE),
    "404, a page": (raw(b"<html>Not found</html>", 404), K.BAD_RESPONSE),
    "a known second code": (response({"errors": [{"code": "A.B"}, {"code": UNKNOWN}]}, 400), K.NOT_FOUND),
    "a single error": (response({"errors": {"code": EMPTY}}, 400), K.INVALID_TRACKING),
    "204": (raw(b"", 204), K.BAD_RESPONSE),
    "output of another type": (response({"output": [DELIVERED.body.decode()]}), K.BAD_RESPONSE),
}

OF_TRACKING: dict[str, Response] = {
    "no results": tracked(),
    "no complete results": response({"output": {"completeTrackResults": []}}),
    "no output": response({"transactionId": "t1"}),
    "an invalid result": tracked("x"),
    "a result of nothing": tracked({"trackingNumberInfo": {"trackingNumber": NUMBER}}),
    "an empty error": tracked({"error": {}}),
    "several numbers, none ours": listed(*((number, a_result()) for number in "12")),
}

STRANGE: dict[str, tuple[Response, ErrorKind]] = {
    "of a number": (of_number("XY.Z"), K.BAD_RESPONSE),
    "200": (error(200, "XY.Z"), K.BAD_RESPONSE),
    "400": (error(400, "XY.Z"), K.BAD_RESPONSE),
    "401": (error(401, "XY.Z"), K.AUTH_FAILED),
    "403": (error(403, "XY.Z"), K.ACCOUNT_DENIED),
    "404": (error(404, "XY.Z"), K.BAD_RESPONSE),
    "500": (error(500, "XY.Z"), K.SERVER_ERROR),
}


def test_an_unknown_code_about_the_number_is_reported_and_rejects_it() -> None:
    for answer in (of_number("TRACKING.TRACKINGNUMBER.ODD"), error(400, "TRACKING.TRACKINGNUMBER.ODD")):
        failure = failure_of(answer)
        assert failure.kind is K.INVALID_TRACKING
        seen = f"(HTTP {answer.status}: Words)"
        assert failure.unknown == f"the error code TRACKING.TRACKINGNUMBER.ODD {seen}"
        assert failure.message == "FedEx rejects this tracking number as invalid: Words"
    assert len(CODES) == 8


def test_an_error_without_a_code_is_reported_too() -> None:
    failure = failure_of(of_number(None, "Words"))
    assert failure.kind is K.BAD_RESPONSE
    assert "Words" in failure.message


# ---------------------------------------------------------------- the status


def test_the_table_has_the_codes_of_the_carriers_guide() -> None:
    listed = """
        AA AC AD AF AO AP AR AX BR CA CC CD CH CP CU DD DE DL DP DR DS DY EA ED EO EP FD HL HP IT IX LO LP OC OD OF
        OX PD PF PL PM PU PX RC RD RG RM RP RR RS SE SF SH SP TP TR
    """
    assert set(FEDEX_CODES) == {*listed.split(), "OW"}
    assert [code for code, means in FEDEX_CODES.items() if means is ParcelStatus.DELIVERED] == ["DL"]


def test_a_canceled_shipment_will_never_be_delivered() -> None:
    failure = failure_of(answered(latestStatusDetail=a_status("CA", "Envoi annulé")))
    assert (failure.kind, failure.unknown) == (K.POD_NEVER_AVAILABLE, None)
    words = "FedEx says that the shipment was canceled, so it will never be delivered (Envoi annulé)"
    assert failure.message == words


@pytest.mark.parametrize("name", ["derivedStatusCode", "eventType"])
def test_a_delivery_after_the_parcel_turned_back_is_to_the_sender(name: str) -> None:
    turned = {"date": "2026-10-04T10:31:00+02:00", name: "RS", "eventDescription": "Returning to shipper"}
    for scans in ([a_scan(), turned], [turned, a_scan()]):
        failure = failure_of(answered(scanEvents=scans))
        assert (failure.kind, failure.delivery) == (K.RETURNED_TO_SENDER, None)
        words = "FedEx says that the parcel was turned back before it was delivered, so it went to the sender (Livré)"
        assert failure.message == words


@pytest.mark.parametrize(
    "status", [{"code": "DL"}, {"derivedCode": "DL"}, {"code": "DL", "derivedCode": "IT"}]
)
def test_delivered_statuses(status: dict[str, str]) -> None:
    assert fetch(answered(latestStatusDetail=status), WITH_POD)[0] == GOT


def test_without_a_status_the_latest_scan_counts() -> None:
    late = a_scan("OD", "2026-10-06T08:00:00+02:00")
    for scans in ([a_scan(), late], [late, a_scan()]):
        failure = failure_of(answered(latestStatusDetail=None, scanEvents=scans))
        assert (failure.kind, failure.unknown) == (K.NOT_DELIVERED_YET, None)
    for status in (None, {}, "x", a_status(None)):
        assert fetch(answered(latestStatusDetail=status), WITH_POD)[0] == GOT
    only_type = {"date": "2026-10-05T10:31:00+02:00", "eventType": "XX", "eventDescription": "Odd"}
    failure = failure_of(answered(latestStatusDetail=None, scanEvents=[only_type]))
    assert failure.unknown == "the event code XX (Odd)"


@pytest.mark.parametrize("name", ["derivedStatusCode", "eventType"])
def test_either_code_of_a_scan_counts(name: str) -> None:
    scan = {"date": "2026-10-05T10:31:00", name: "DL"}  # a time without an offset is French
    for status in (None, {"derivedCode": "DL"}):
        result = a_result(latestStatusDetail=status, dateAndTimes=[], scanEvents=[scan])
        assert fetch(tracked(result), WITH_POD)[0] == GOT
    failure = failure_of(answered(latestStatusDetail=None, scanEvents=[scan | {name: "OD"}]))
    assert (failure.kind, failure.unknown) == (K.NOT_DELIVERED_YET, None)


def test_the_derived_code_takes_precedence_over_the_scans() -> None:
    for status, scan in (({"derivedCode": "DL"}, a_scan("OD")), ({"derivedCode": "OD"}, a_scan())):
        found = tracking_of(answered(latestStatusDetail=status, scanEvents=[scan]))
        assert isinstance(found, Delivery) is (status["derivedCode"] == "DL")


def test_the_english_label_is_used_if_there_is_no_french_label() -> None:
    failure = failure_of(answered(latestStatusDetail={"code": "IT", "description": "On its way"}))
    assert failure.message == "The parcel has not been delivered yet (On its way)"


def test_the_list_of_images_decides_neither_delivery_nor_refusal() -> None:
    waiting = answered(latestStatusDetail=a_status("OD"))
    assert failure_of(waiting).kind is K.NOT_DELIVERED_YET
    assert fetch(answered(availableImages=[]), WITH_POD)[0] == GOT


# ---------------------------------------------------------------- several numbers

OTHER = "999999999999"
THIRD = "DT123456789012"
ALL = [NUMBER, OTHER, THIRD]


ON_ITS_WAY = a_result(latestStatusDetail=a_status("IT"))
BAD_NUMBER = {"error": {"code": UNKNOWN, "message": "x"}}


def kinds_of(answer: Response, numbers: Sequence[str] = ALL) -> dict[str, ErrorKind | None] | ErrorKind:
    found = parse_tracking(answer, numbers)
    if isinstance(found, Failure):
        return found.kind
    return {number: one.kind if isinstance(one, Failure) else None for number, one in found.items()}


def test_each_number_has_its_own_result_regardless_of_their_order() -> None:
    pairs = [(NUMBER, a_result()), (OTHER, BAD_NUMBER), (THIRD, ON_ITS_WAY)]
    wanted = {NUMBER: None, OTHER: K.NOT_FOUND, THIRD: K.NOT_DELIVERED_YET}
    for order in permutations(pairs):
        assert kinds_of(listed(*order)) == wanted


@pytest.mark.parametrize(
    ("pairs", "missing"),
    [
        ([(NUMBER, a_result()), (OTHER, ON_ITS_WAY)], {THIRD}),
        ([(NUMBER, a_result()), (OTHER, ON_ITS_WAY), (None, ON_ITS_WAY), ("1", ON_ITS_WAY)], {THIRD}),
        ([(NUMBER, a_result())], {OTHER, THIRD}),
        ([(NUMBER, a_result()), (THIRD, ON_ITS_WAY), (OTHER, "x")], set()),
    ],
)
def test_a_number_without_a_result_is_omitted(pairs: list[Any], missing: set[str]) -> None:
    found = kinds_of(listed(*pairs))
    assert isinstance(found, dict)
    assert set(ALL) - set(found) == missing
    assert found[NUMBER] is None


def test_an_invalid_result_does_not_affect_other_numbers() -> None:
    found = kinds_of(listed((NUMBER, a_result()), (THIRD, ON_ITS_WAY), (OTHER, "x")))
    assert found == {NUMBER: None, THIRD: K.NOT_DELIVERED_YET, OTHER: K.BAD_RESPONSE}


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (error(400, "TRACKING.TRACKINGNUMBERS.LIMITEXCEEDED"), K.BAD_RESPONSE),
        (error(400, "TRACKING.TRACKINGNUMBER.EMPTY"), K.INVALID_TRACKING),
        (error(500, "INTERNAL.SERVER.ERROR"), K.SERVER_ERROR),
        (EXPIRED, K.AUTH_FAILED),
        (listed(), K.BAD_RESPONSE),
        (listed(("1", ON_ITS_WAY)), K.BAD_RESPONSE),
        (raw(b"<html/>"), K.BAD_RESPONSE),
    ],
)
def test_an_answer_without_any_of_the_numbers_is_one_failure(answer: Response, kind: ErrorKind) -> None:
    assert kinds_of(answer) == kind
    found = parse_tracking(answer, ALL)
    assert isinstance(found, Failure)
    assert found.unknown is None


def test_a_number_is_found_in_another_case_and_without_its_zeros() -> None:
    numbers = ["000123456789", THIRD]
    found = parse_tracking(listed((THIRD.lower(), a_result()), (123456789, ON_ITS_WAY)), numbers)
    assert not isinstance(found, Failure)
    assert {number: isinstance(one, Delivery) for number, one in found.items()} == {
        THIRD: True,
        "000123456789": False,
    }
    # These numbers are equal without leading zeros, so an answer may be about either.
    numbers = ["000123456789", "000000123456789"]
    assert kinds_of(listed((123456789, ON_ITS_WAY)), numbers) is K.BAD_RESPONSE
    assert kinds_of(listed(("000123456789", ON_ITS_WAY)), numbers) == {"000123456789": K.NOT_DELIVERED_YET}


@pytest.mark.parametrize("kind", ["ACTUAL_PICKUP", "ACTUAL_TENDER"])
def test_a_delivery_before_the_pickup_belongs_to_another_parcel(kind: str) -> None:
    picked_up = {"type": kind, "dateTime": "2026-10-07T10:31:00+02:00"}
    delivered = {"type": "ACTUAL_DELIVERY", "dateTime": "2026-10-05T10:31:00+02:00"}
    for dates in ([picked_up, delivered], [delivered, picked_up], [picked_up]):
        assert failure_of(answered(dateAndTimes=dates)).kind is K.NOT_DELIVERED_YET
    scans = [a_scan(), a_scan("PU", "2026-10-07T10:31:00+02:00")]
    assert failure_of(answered(scanEvents=scans)).kind is K.NOT_DELIVERED_YET


def test_a_parcel_that_was_sent_later_is_the_newer_one() -> None:
    """The newer parcel may have no event yet."""
    shipped = {"type": "SHIP", "dateTime": "2026-10-09T00:00:00+02:00"}
    new = a_result(latestStatusDetail=a_status("OC"), dateAndTimes=[shipped], scanEvents=[])
    for results in ([a_result(), new], [new, a_result()]):
        assert failure_of(tracked(*results)).kind is K.NOT_DELIVERED_YET


def test_a_number_reported_twice_has_one_result() -> None:
    old = a_result(
        latestStatusDetail=a_status("IT"), dateAndTimes=[], scanEvents=[a_scan("IT", "2024-10-05T08:00:00Z")]
    )
    for pairs in ([(NUMBER, old), (NUMBER, a_result())], [(NUMBER, a_result()), (NUMBER, old)]):
        assert kinds_of(listed(*pairs, (OTHER, ON_ITS_WAY)), [NUMBER, OTHER]) == {
            NUMBER: None,
            OTHER: K.NOT_DELIVERED_YET,
        }


# ---------------------------------------------------------------- several results


def test_the_latest_of_several_deliveries_without_scans_counts() -> None:
    def delivered(day: str) -> dict[str, Any]:
        dates = [{"type": "ACTUAL_DELIVERY", "dateTime": f"{day}T10:31:00+02:00"}]
        return a_result(dateAndTimes=dates, scanEvents=None)

    old, new = delivered("2024-10-05"), delivered("2026-10-05")
    for results in ([old, new], [new, old]):
        assert fetch(tracked(*results), WITH_POD)[0] == GOT


def test_the_latest_parcel_of_a_number_counts() -> None:
    old = a_result(
        trackingNumberInfo={"carrierCode": "FDXG", "trackingNumberUniqueId": "old"},
        dateAndTimes=[{"type": "ACTUAL_DELIVERY", "dateTime": "2024-10-05T10:31:00+02:00"}],
        scanEvents=[a_scan(date="2024-10-05T10:31:00+02:00")],
    )
    bad = {"error": {"code": UNKNOWN, "message": "x"}}
    for results in ([a_result(), old], [old, a_result()], [bad, old, a_result()]):
        outcome, session = fetch(tracked(*results), WITH_POD)
        assert outcome == GOT
        assert UNIQUE.encode() in (session.requests[2][1].body or b"")
    new = a_result(
        latestStatusDetail=a_status("OD"), dateAndTimes=[], scanEvents=[a_scan("OD", "2026-10-06T08:00:00Z")]
    )
    for results in ([a_result(), new], [new, a_result()]):
        assert failure_of(tracked(*results)).kind is K.NOT_DELIVERED_YET


def test_results_of_other_numbers_are_ignored() -> None:
    others = [{"trackingNumber": OTHER, "trackResults": [ON_ITS_WAY]}]
    ours = {"trackingNumber": NUMBER, "trackResults": [a_result()]}
    for complete in ([*others, ours], [ours, *others]):
        answer = response({"output": {"completeTrackResults": complete}})
        assert fetch(answer, WITH_POD)[0] == GOT
    tag = "DT123456789012"
    two = [{"trackingNumber": tag.lower(), "trackResults": [a_result()]}, *others]
    assert isinstance(tracking_of(response({"output": {"completeTrackResults": two}}), tag), Delivery)
    # A single result with another number counts only if it also contains ours, as with a door tag.
    for values, is_ours in (
        ({"values": [NUMBER]}, True),
        ({"value": NUMBER}, True),
        ({"values": ["7"]}, False),
    ):
        identifier = {"type": "TRACKING_NUMBER_OR_DOORTAG", **values}
        named = a_result(additionalTrackingInfo={"packageIdentifiers": [identifier]})
        told = tracking_of(tracked(named, number="999999999999"))
        assert isinstance(told, Delivery) is is_ours
    # A single item may have no list around it.
    single = response({"output": {"completeTrackResults": {"trackResults": a_result()}}})
    assert fetch(single, WITH_POD)[0] == GOT


def test_alerts_of_the_tracking_are_ignored() -> None:
    tree = json.loads(DELIVERED.body)
    tree["output"]["alerts"] = [{"code": "VIRTUAL.RESPONSE", "message": "This is a Virtual Response."}]
    assert fetch(response(tree), WITH_POD)[0] == GOT


# ---------------------------------------------------------------- time, signatory

TIMES: list[Any] = [
    ("2026-10-05T10:31:00+02:00", AT),
    ("2026-10-05T08:31:00Z", AT),
    ("2026-10-05T03:31:00-05:00", AT),
    ("2026-01-05T10:31:00+01:00", datetime(2026, 1, 5, 9, 31, tzinfo=UTC)),
    ("2026-10-05T10:31:00", AT),  # a time without an offset is French
    # If the time is unreadable, the time of the delivery scan counts.
    ("", datetime(2026, 10, 5, 8, 0, tzinfo=UTC)),
    ("hier", datetime(2026, 10, 5, 8, 0, tzinfo=UTC)),
    (7, datetime(2026, 10, 5, 8, 0, tzinfo=UTC)),
    ("9999-12-31T23:59:59-14:00", datetime(2026, 10, 5, 8, 0, tzinfo=UTC)),
]


@pytest.mark.parametrize("scans", [[], None, [a_scan(date="")], [a_scan("OD")], "x"])
def test_a_delivery_without_any_time(scans: Any) -> None:
    estimated = [{"type": "ESTIMATED_DELIVERY", "dateTime": "2026-10-05T10:31:00+02:00"}]
    outcome, session = fetch(answered(dateAndTimes=estimated, scanEvents=scans), WITH_POD)
    assert outcome == replace(GOT, delivery=Delivery(None, "DUPONT"))
    assert b"shipDate" not in (session.requests[2][1].body or b"")


SIGNATORIES: list[Any] = [
    ({"signedByName": "DUPONT", "receivedByName": "MARTIN"}, "DUPONT"),
    ({"receivedByName": "MARTIN"}, "MARTIN"),
    ({"signedByName": " ", "receivedByName": "MARTIN"}, "MARTIN"),
    ({"signedByName": "X" * 500}, "X" * 99 + "…"),
    ({"signedByName": ["DUPONT"]}, None),
    ({"signedByName": "Signature not required"}, None),
    ({"signedByName": "Signature not on file", "receivedByName": "MARTIN"}, "MARTIN"),
    ({}, None),
    (None, None),
]


# ---------------------------------------------------------------- the document


@pytest.mark.parametrize(
    "output",
    [
        {"documents": [b64(PDF)]},
        {"document": [b64(PDF)]},
        {"documents": b64(PDF)},
        {"document": b64(PDF)},
        {"documents": [], "document": [b64(PDF)]},
        {"documents": ["", None, b64(PDF)]},
        {"documents": [b64(PDF), b64(b"another")]},
        {"documents": [b64(b"another"), "JVB*", b64(PDF)]},
        {"documents": [b64(PDF)], "alerts": [{"code": "VIRTUAL.RESPONSE", "message": "x"}]},
        {"documents": [b64(PDF)], "alerts": NO_DATA},
    ],
)
def test_the_document_is_found_by_either_name(output: dict[str, Any]) -> None:
    outcome = fetch(proved(**output), known=KNOWN)[0]
    assert isinstance(outcome, Retrieved)
    assert outcome.best == GOT.best


def test_all_documents_are_kept() -> None:
    outcome = fetch(proved(documents=[b64(b"another"), b64(PDF), b64(PNG)]), known=KNOWN)[0]
    assert isinstance(outcome, Retrieved)
    assert [piece.content for piece in outcome.pieces] == [PDF, PNG, b"another"]


@pytest.mark.parametrize(
    "output",
    [
        {"alerts": NO_DATA},
        {"alerts": [NO_DATA]},
        {"alerts": "TRACKING.DATA.NOTFOUND"},
        {"alerts": {"code": "TRACKING.DATA.NOTFOUND"}},
        {"documents": [], "alerts": [{"code": "TRACKING.DATA.NOTFOUND", "message": "x"}]},
        {"documents": [""], "alerts": None},
        {"documents": " "},
        {"documents": [None]},
        {"documents": []},
        {},
        {"alerts": [{"code": "VIRTUAL.RESPONSE", "message": "This is a Virtual Response."}]},
        {"alerts": "VIRTUAL.RESPONSE - This is a Virtual Response."},
        {"alerts": "no data"},
        {"alerts": [7, None, []]},
    ],
)
def test_without_a_document_it_may_come_later(output: dict[str, Any]) -> None:
    failure = failure_of(DELIVERED, proved(**output))
    assert (failure.kind, failure.http_status) == (K.POD_NOT_AVAILABLE_YET, 200)
    assert (failure.delivery, failure.unknown) == (KNOWN, None)
    assert failure.message.startswith("The parcel was delivered, but FedEx has no proof of delivery yet")


def test_unknown_alerts_are_reported() -> None:
    strange = {"code": "XY.Z", "alertType": "NOTE", "message": "Words"}
    virtual = {"code": "VIRTUAL.RESPONSE", "message": "x"}
    for alerts in ([strange], [virtual, strange], strange):
        failure = failure_of(DELIVERED, proved(alerts=alerts))
        assert failure.kind is K.POD_NOT_AVAILABLE_YET
        assert failure.unknown == "the error code XY.Z (HTTP 200: Words)"
        assert failure.message.endswith("no proof of delivery yet: Words")
    failure = failure_of(DELIVERED, proved(alerts="XY.Z - Words"))
    assert failure.unknown == "the error code XY.Z (HTTP 200: XY.Z - Words)"
    known = [strange, {"code": "TRACKING.DATA.NOTFOUND", "message": "x"}]
    assert failure_of(DELIVERED, proved(alerts=known)).unknown is None


def test_an_alert_may_be_an_error_about_the_number() -> None:
    alerts = [{"code": UNKNOWN, "message": "x"}]
    assert failure_of(DELIVERED, proved(alerts=alerts)).kind is K.NOT_FOUND


@pytest.mark.parametrize("value", [[7], {"content": "x"}, [{"content": "x"}], 7, True, [[b64(PDF)]]])
def test_documents_of_the_wrong_type_are_unreadable(value: Any) -> None:
    for name in ("documents", "document"):
        failure = failure_of(DELIVERED, proved(**{name: value}))
        assert (failure.kind, failure.delivery) == (K.BAD_RESPONSE, KNOWN)


# ---------------------------------------------------------------- our account

ACCEPTED: list[Any] = [
    (NOT_FOUND, True),
    (of_number(INVALID), True),
    (answered(latestStatusDetail=a_status("IT")), True),
    (FORBIDDEN, False),
    (error(400, None), False),
    (error(500, None), False),
    (raw(b"<html/>"), False),
]

# ---------------------------------------------------------------- hostile answers
HOSTILE_ANSWERS: tuple[Any, ...] = (
    error(403, HOSTILE, HOSTILE),
    error(500, "INTERNAL.SERVER.ERROR", HOSTILE),
    error(400, "TRACKING.TRACKINGNUMBER." + HOSTILE, HOSTILE),
    of_number(HOSTILE, HOSTILE),
    of_number(UNKNOWN, HOSTILE),
    answered(latestStatusDetail=a_status(HOSTILE, HOSTILE)),
    proved(alerts=HOSTILE),
    proved(alerts=[{"code": HOSTILE, "message": HOSTILE}]),
    proved(alerts="XY.Z" + HOSTILE),
)

# ---------------------------------------------------------------- the simulated carrier


def test_a_document_that_is_missing_soon_after_the_delivery_is_late() -> None:
    """According to the carrier, the image of the signature follows some time after the delivery."""
    session = SandboxSession(
        client_of("fedex"),
        NUMBER,
        Scenario.POD_LATE,
        Scenario.DELIVERED,
        delivered_after=timedelta(minutes=-10),
    )
    late = as_failure(session.fetch())
    assert late.kind is K.POD_NOT_AVAILABLE_YET
    assert late.delivery == Delivery(NOW - timedelta(minutes=10), "DUPONT")
    assert isinstance(session.fetch(late.delivery), Retrieved)


# ---------------------------------------------------------------- the table for test_rules.py

_DIGITS = "0123456789"
_LONG = ("1" * 20, "9" * 20, "1" * 22, "9" * 22, "1" * 32, "9" * 32, "1" * 34, "9" * 34, "DT123456789012")
_STRANGE: dict[str, Row] = {
    f"XY.Z, {name}": (answer, meaning, f"the error code XY.Z (HTTP {answer.status}: Words)")
    for name, (answer, meaning) in STRANGE.items()
}
TABLE = Table(
    make=lambda: FedEx(SETTINGS),
    number=NUMBER,
    facts={
        "name": "FedEx",
        "limits": {None: "1000/day@UTC,1400/10seconds", Capability.TOKEN: "20/hour"},
        "base_url": "https://apis.fedex.com",
        "calls": {Capability.TRACKING: 1, Capability.POD: 1},
        "numbers_per_call": 30,
    },
    answers=(DELIVERED, WITH_POD),
    known=KNOWN,
    proof=GOT,
    numbers=f"{'1' * 12} {'9' * 12} {'1' * 15} {'9' * 15}",
    no_numbers=(
        f"DT12345678901 DT1234567890123 dt123456789012 XX123456789012 12345678901A {'1' * 11} {'1' * 13} "
        f"{'1' * 14} {'1' * 21} {'1' * 33} {'1' * 35}"
    ),
    good_check_digits=[
        "123456789012",  # 3·1+1·2+7·3+3·4+1·5+7·6+3·7+1·8+7·9+3·0+1·1 = 178 = 16·11 + 2
        "123456789012343",  # from the right: 3·(4+2+0+8+6+4+2) + (3+1+9+7+5+3+1) = 107
        *_LONG,
    ],
    bad_check_digits=[
        *(f"12345678901{digit}" for digit in _DIGITS if digit != "2"),
        *(f"12345678901234{digit}" for digit in _DIGITS if digit != "3"),
    ],
    errors=[
        NORMALISED
        | IN_EITHER
        | _STRANGE
        | {name: (answer, K.BAD_RESPONSE) for name, answer in OF_TRACKING.items()},
        {**DOCUMENT_ROWS, **IN_EITHER},
    ],
    limited=[SHORT, DAILY],
    accepted=[*ACCEPTED, ((DELIVERED, FORBIDDEN), True)],
    accepted_known=[(WITH_POD, True), (WITHOUT_POD, True), (FORBIDDEN, False), (error(500, None), False)],
    of_another=[tracked(ON_ITS_WAY, number="999999999999"), tracked(a_result(), number="999999999999")],
    of_several=lambda numbers: listed(*((number, ON_ITS_WAY) for number in numbers)),
    hostile=[one for answer in HOSTILE_ANSWERS for one in (answer, (DELIVERED, answer))],
    whole=[NOT_FOUND, EXPIRED, proved(alerts=[{"code": "XY.Z", "message": "x"}])],
    nobody=(of_number(UNKNOWN, number=None), K.NOT_FOUND),
    status=lambda code: answered(latestStatusDetail=a_status(code, "En transit")),
    label="En transit",
    not_delivered=sorted(FEDEX_CODES.keys() - {"DL", "CA"}),
    strange=["XX", "dl", "D"],
    times=[
        (
            tracked(
                a_result(
                    dateAndTimes=[{"type": "ACTUAL_DELIVERY", "dateTime": text}],
                    scanEvents=[
                        a_scan("OD", "2026-10-05T12:00:00+02:00"),
                        a_scan(date="2026-10-05T10:00:00+02:00"),
                    ],
                )
            ),
            at,
        )
        for text, at in TIMES
    ],
    signed=lambda name: answered(deliveryDetails={"signedByName": name}),
    signatories=[(answered(deliveryDetails=details), signatory) for details, signatory in SIGNATORIES],
    encoded=lambda encoded: proved(documents=[encoded]),
    token=a_token,
    expired=EXPIRED,
    no_token=[(BAD_CLIENT, "The given client credentials were not valid.")],
)

fetch, failure_of = TABLE.fetch, TABLE.failure_of

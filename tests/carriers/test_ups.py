"""The requests to UPS, and the meaning of each answer. The client and the simulator list the sources."""

import base64
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from recours.carriers.answers import ParcelStatus
from recours.carriers.message import Response
from recours.carriers.ups import SPEC, UPS_CODES, Ups, parse
from recours.core.claim import Delivery
from recours.core.errors import ErrorKind
from recours.core.evidence import EvidenceKind
from recours.core.outcome import CallError, Failure, NotADocumentError, Piece, Retrieved
from recours.core.quota import Capability
from recours.evidence.pdf_process import media_type_of
from tests.carriers.table import Row, Table
from tests.fakes.answers import HOSTILE, PNG, b64, raw, response
from tests.fakes.session import FakeSession
from tests.rows import row

NUMBER = "1Z5R89390357567127"  # a published example
K = ErrorKind
SETTINGS = {"UPS_CLIENT_ID": "cid", "UPS_CLIENT_SECRET": "s:é&"}
PAGE = b"<HTML><HEAD><TITLE>Delivery Notification</TITLE>" + b"x" * 200
SOURCE = "ups track"

TOKEN_TREE = {"token_type": "Bearer", "issued_at": "1791200000000", "client_id": "cid", "expires_in": "14399"}
TOKEN_TREE |= {"access_token": "tok", "scope": "", "refresh_count": "0", "status": "approved"}
TOKEN = response(TOKEN_TREE)


def a_token(name: str) -> Response:
    return response(TOKEN_TREE | {"access_token": name})


def a_status(kind: str | None = "D", code: str | None = "011", label: str = "Delivered") -> dict[str, Any]:
    status = {"code": code, "description": label, "statusCode": code, "type": kind}
    return {name: value for name, value in status.items() if value is not None}


def an_activity(
    kind: str = "D", code: str = "FS", status: str = "011", hour: object = "83100", day: str = "20261005"
) -> dict[str, Any]:
    return {
        "date": "20261005",
        "time": "103100",
        "gmtDate": day,
        "gmtTime": hour,
        "gmtOffset": "+02:00",
        "location": {"address": {"city": "LILLE", "countryCode": "FR"}, "slic": "0000"},
        "status": {"type": kind, "code": code, "description": "DELIVERED", "statusCode": status},
    }


def a_package(**changed: Any) -> dict[str, Any]:
    """The package in the carrier's sample, with these changes. Parts with the value None are omitted."""
    package: dict[str, Any] = {
        "trackingNumber": NUMBER,
        "currentStatus": a_status(),
        "deliveryDate": [{"type": "DEL", "date": "20261005"}],
        "deliveryTime": {"type": "DEL", "endTime": "103100"},
        "deliveryInformation": {
            "location": "FRONT DOOR",
            "receivedBy": "DUPONT",
            "signature": {"image": b64(PNG)},
            "pod": {"content": b64(PAGE)},
            "deliveryPhoto": {"photo": "", "photoCaptureInd": "N", "photoDispositionCode": "U"},
        },
        "activity": [an_activity()],
    }
    return {name: value for name, value in (package | changed).items() if value is not None}


def information(**changed: Any) -> dict[str, Any]:
    told = a_package()["deliveryInformation"] | changed
    return {name: value for name, value in told.items() if value is not None}


def reply(*packages: Any, **more: Any) -> Response:
    shipment = {"inquiryNumber": NUMBER, "package": list(packages), **more}
    return response({"trackResponse": {"shipment": [shipment]}})


def answered(**changed: Any) -> Response:
    """An answer about one package: the carrier's sample with these changes."""
    return reply(a_package(**changed))


def warned(*warnings: Any) -> Response:
    shipment = {"inquiryNumber": NUMBER, "warnings": list(warnings)}
    return response({"trackResponse": {"shipment": [shipment]}})


def error(status: int, code: str | None, message: str = "Words") -> Response:
    told = {"code": code, "message": message} if code else {"message": message}
    return response({"response": {"errors": [told]}}, status)


def legacy(status: int, code: str, description: str = "Words") -> Response:
    detail = {"Severity": "Hard", "PrimaryErrorCode": {"Code": code, "Description": description}}
    return response({"Fault": {"detail": {"Errors": {"ErrorDetail": detail}}}}, status)


DELIVERED = answered()
WITHOUT_PROOF = answered(deliveryInformation=information(pod=None, signature=None))
AT = datetime(2026, 10, 5, 8, 31, tzinfo=UTC)
KNOWN = Delivery(AT, "DUPONT")
GIF = b"GIF89a" + b"\x00" * 200 + b";"
PROOF = Piece(PAGE, SOURCE, html=True)
SIGNATURE = Piece(PNG, SOURCE, EvidenceKind.SIGNATURE)
GOT = Retrieved((PROOF, SIGNATURE), KNOWN)
TV1002 = error(400, "TV1002", "Invalid inquiry number")
TW0001 = warned({"code": "TW0001", "message": "Tracking Information Not Found"})


def a_client() -> Ups:
    return Ups(SETTINGS)


# ---------------------------------------------------------------- requests


def test_requests_match_the_documentation() -> None:
    outcome, session = fetch(DELIVERED)
    assert outcome == GOT
    (first, token), (second, details) = session.requests
    assert (first, second) == (Capability.TOKEN, Capability.TRACKING)
    assert (token.method, token.path) == ("POST", "/security/v1/oauth/token")
    assert dict(token.headers) == {
        "Authorization": "Basic " + base64.b64encode("cid:s:é&".encode()).decode(),
        "Content-Type": "application/x-www-form-urlencoded",
        "Accept": "application/json",
    }
    assert token.body == b"grant_type=client_credentials"
    assert details.method == "GET"
    assert details.path == (
        f"/api/track/v1/details/{NUMBER}"
        "?locale=fr_FR&returnSignature=true&returnPOD=true&returnMilestones=false"
    )
    assert dict(details.headers) == {
        "Authorization": "Bearer tok",
        "transId": details.headers["transId"],
        "transactionSrc": "recours",
    }
    assert details.body is None
    assert SPEC.base_url == "https://onlinetools.ups.com"


def test_every_fetch_has_its_own_id() -> None:
    client = Ups(SETTINGS)
    session = FakeSession([TOKEN, DELIVERED, DELIVERED], client)
    client.fetch(NUMBER, None, session)
    client.fetch(NUMBER, None, session)
    ids = [request.headers["transId"] for what, request in session.requests if what is Capability.TRACKING]
    assert len(set(ids)) == 2
    assert all(len(each) >= 32 and each.isalnum() for each in ids)


# ---------------------------------------------------------------- tokens

EXPIRED = error(401, "250002", "Invalid Authentication Information.")


def test_a_blocked_merchant_gets_no_token_either() -> None:
    with pytest.raises(CallError) as failed:
        a_client().fetch(NUMBER, None, FakeSession([error(403, None, "Blocked Merchant")], a_client()))
    failure = failed.value.failure
    assert (failure.kind, failure.http_status) == (K.ACCOUNT_DENIED, 403)
    assert failure.message == "UPS does not let our account use this service: Blocked Merchant"


# ---------------------------------------------------------------- the normalized errors

NORMALISED: dict[str, Row] = {
    "200, TW0001": (TW0001, K.NOT_FOUND),
    "404": (error(404, None, "Tracking number information not found"), K.NOT_FOUND),
    "not delivered": (answered(currentStatus=a_status("I", "005")), K.NOT_DELIVERED_YET),
    "no proof": (WITHOUT_PROOF, K.POD_NOT_AVAILABLE_YET),
    "403": (error(403, None, "Blocked Merchant"), K.ACCOUNT_DENIED),
    "403, 250003": (error(403, "250003", "Invalid Access License number"), K.AUTH_FAILED),
    "500": (error(500, None, "Internal server error"), K.SERVER_ERROR),
    "503": (error(503, None, "Service is not available"), K.SERVER_ERROR),
}


def test_a_failure_quotes_the_carrier() -> None:
    sentences = {
        "UPS does not recognize this tracking number: Tracking Information Not Found": TW0001,
        "UPS rejects this tracking number as invalid: Invalid inquiry number": TV1002,
        "UPS does not let our account use this service: Blocked": error(403, None, "Blocked"),
        "UPS is unavailable (HTTP 500): Internal server error": error(500, None, "Internal server error"),
        "UPS answered with the unknown error code none: Words (HTTP 200)": error(200, None),
    }
    for sentence, answer in sentences.items():
        outcome = parse(answer, NUMBER, Delivery())
        assert isinstance(outcome, Failure)
        assert outcome.message == sentence
    yet = failure_of(WITHOUT_PROOF).message
    assert yet.startswith(
        "The parcel was delivered, but UPS has not provided a proof yet; only the accounts of the"
    )


@pytest.mark.parametrize("code", ["250002", "250003", "10401"])
def test_401_is_our_account(code: str) -> None:
    answer = error(401, code)
    failure = failure_of(answer, a_token("new"), answer)
    assert (failure.kind, failure.unknown) == (K.AUTH_FAILED, None)


# ---------------------------------------------------------------- TV1002


def test_a_plausible_number_is_requested_again_after_a_refusal() -> None:
    outcome, session = fetch(TV1002, DELIVERED)
    assert outcome == GOT
    assert session.pauses == 1
    ids = [request.headers["transId"] for what, request in session.requests if what is Capability.TRACKING]
    assert len(set(ids)) == 2
    outcome, session = fetch(TV1002, TV1002)
    assert isinstance(outcome, Failure)
    assert (outcome.kind, outcome.http_status) == (K.INVALID_TRACKING, 400)
    assert (session.pauses, session.accepted) == (1, True)
    assert failure_of(TV1002, TW0001).kind is K.NOT_FOUND


def test_known_facts_complete_a_second_answer() -> None:
    bare = answered(activity=None, deliveryDate=None, deliveryInformation=information(receivedBy=None))
    assert fetch(TV1002, bare, known=KNOWN)[0] == fetch(bare, known=KNOWN)[0] == GOT
    assert fetch(TV1002, bare)[0] == fetch(bare)[0] == replace(GOT, delivery=Delivery())


@pytest.mark.parametrize("number", ["A1234567890", "123456789", "1" * 18, "2" * 22, "3" * 26])
def test_a_number_without_a_check_digit_is_requested_again(number: str) -> None:
    assert failure_of(TV1002, TV1002, number=number).kind is K.INVALID_TRACKING


def test_a_number_with_a_wrong_check_digit_is_not_requested_again() -> None:
    outcome, session = fetch(TV1002, number=NUMBER[:-1] + "8")
    assert isinstance(outcome, Failure)
    assert (outcome.kind, session.pauses) == (K.INVALID_TRACKING, 0)


def test_a_failed_second_call_keeps_its_failure() -> None:
    timed_out = Failure(K.TIMEOUT, "UPS did not answer in time")
    with pytest.raises(CallError) as failed:
        fetch(TV1002, timed_out)
    assert failed.value.failure == timed_out


# ---------------------------------------------------------------- other errors

ERRORS: dict[str, Row] = {
    "TV1002, HTTP 200": ((error(200, "TV1002"),) * 2, K.INVALID_TRACKING),
    "TW0001 as an error": (error(404, "TW0001"), K.NOT_FOUND),
    "10429 of another status": (error(400, "10429"), K.RATE_LIMITED),
    "a second code": (
        response({"response": {"errors": [{"code": "1"}, {"code": "TW0001"}]}}, 404),
        K.NOT_FOUND,
    ),
    "a single error": (response({"response": {"errors": {"code": "250002", "message": "x"}}}), K.AUTH_FAILED),
    "a numeric code": (response({"response": {"errors": [{"code": 250002, "message": "x"}]}}), K.AUTH_FAILED),
    "a known one among warnings": (warned({"code": "1"}, {"code": "TW0001"}), K.NOT_FOUND),
    "legacy TV1002": ((legacy(500, "TV1002"),) * 2, K.INVALID_TRACKING),
    "legacy TW0001": (legacy(200, "TW0001"), K.NOT_FOUND),
    "legacy 250003": (legacy(403, "250003"), K.AUTH_FAILED),
    "legacy 500": (legacy(500, "500"), K.SERVER_ERROR),
    "400, its status for a code": (error(400, "400"), K.BAD_RESPONSE),
    "403, its status for a code": (error(403, "403"), K.ACCOUNT_DENIED),
    "403, empty": (raw(b"", 403), K.ACCOUNT_DENIED),
    "403, a page": (raw(b"\n <html>Access Denied</html>", 403), K.BAD_RESPONSE),
    "404, a page": (raw(b"<html>Not found</html>", 404), K.BAD_RESPONSE),
    "404, empty": (raw(b"", 404), K.BAD_RESPONSE),
    "404, of something else": (response({"message": "no route"}, 404), K.BAD_RESPONSE),
    "204": (raw(b"", 204), K.BAD_RESPONSE),
    "no shipment": (response({"trackResponse": {"shipment": []}}), K.BAD_RESPONSE),
    "neither package nor warning": (reply(), K.BAD_RESPONSE),
    "no status": (reply({"trackingNumber": NUMBER}), K.BAD_RESPONSE),
    "an invalid package": (reply("x"), K.BAD_RESPONSE),
}

UNKNOWN_CODES: dict[str, tuple[Response, ErrorKind]] = {
    "200": (error(200, "XY9"), K.BAD_RESPONSE),
    "400": (error(400, "XY9"), K.BAD_RESPONSE),
    "401": (error(401, "XY9"), K.AUTH_FAILED),
    "403": (error(403, "XY9"), K.ACCOUNT_DENIED),
    "404": (error(404, "XY9"), K.NOT_FOUND),
    "409": (error(409, "XY9"), K.BAD_RESPONSE),
    "500": (error(500, "XY9"), K.SERVER_ERROR),
    "legacy": (legacy(400, "XY9"), K.BAD_RESPONSE),
    "a warning": (warned({"code": "XY9", "message": "Words"}), K.BAD_RESPONSE),
}


# ---------------------------------------------------------------- the status


@pytest.mark.parametrize(
    "status",
    [
        *(a_status(), a_status("D", None), a_status("I", "011"), a_status(None, "011")),
        *(a_status("D", "026"), a_status("I", "026")),  # delivered by the local post office
        *(a_status("D", "999"), a_status("D", "000")),  # the code has no meaning, so the type decides
    ],
)
def test_delivered_statuses(status: dict[str, Any]) -> None:
    assert fetch(answered(currentStatus=status))[0] == GOT


def senses(*wanted: ParcelStatus) -> list[str]:
    return sorted(code for code, status in UPS_CODES.items() if status in wanted)


def test_the_table_has_the_160_codes_of_the_carriers_list() -> None:
    listed = {f"{n:03d}" for n in range(170)}
    absent = {"001", "002", "004", "008", "009", "015", "031", "150", "151", "152"}
    assert set(UPS_CODES) == listed - absent
    assert senses(ParcelStatus.DELIVERED) == ["011", "026"]
    assert senses(ParcelStatus.RETURNED) == ["034", "067", "081"]
    assert senses(ParcelStatus.AT_A_POINT) == ["017", "040", "143", "144", "161"]


@pytest.mark.parametrize("kind", ["I", "X", "D"])
def test_codes_of_a_parcel_that_its_recipient_does_not_have_yet(kind: str) -> None:
    for code in senses(ParcelStatus.ON_ITS_WAY, ParcelStatus.GOING_BACK, ParcelStatus.AT_A_POINT):
        with row(code):
            failure = failure_of(answered(currentStatus=a_status(kind, code, "En transit")))
            assert (failure.kind, failure.http_status) == (K.NOT_DELIVERED_YET, 200)
            assert (failure.delivery, failure.unknown) == (None, None)
            assert failure.message == "The parcel has not been delivered yet (En transit)"


@pytest.mark.parametrize("code", senses(ParcelStatus.UNCLEAR))
def test_the_type_counts_if_the_code_says_nothing(code: str) -> None:
    failure = failure_of(answered(currentStatus=a_status("X", code)))
    assert (failure.kind, failure.unknown) == (K.NOT_DELIVERED_YET, None)


@pytest.mark.parametrize("code", ["034", "067", "081"])
@pytest.mark.parametrize("kind", ["I", "X", "D", None])
def test_a_parcel_that_is_back_was_not_delivered_to_its_recipient(code: str, kind: str | None) -> None:
    failure = failure_of(answered(currentStatus=a_status(kind, code, "Retourné")))
    assert (failure.kind, failure.unknown) == (K.RETURNED_TO_SENDER, None)
    assert failure.message == "UPS says that the parcel was returned to the sender (Retourné)"
    assert failure.delivery is None


@pytest.mark.parametrize("code", ["035", "036", "034", "067"])
def test_a_delivery_after_the_parcel_turned_back_is_to_the_sender(code: str) -> None:
    package = a_package(activity=[an_activity(), an_activity("X", "RS", code)])
    failure = failure_of(reply(package))
    assert failure.kind is K.RETURNED_TO_SENDER
    words = "UPS says that the parcel was turned back before it was delivered, so it went to the sender (Delivered)"
    assert (failure.message, failure.delivery, failure.unknown) == (words, None, None)


@pytest.mark.parametrize("code", ["033", "118", "119"])
def test_a_requested_return_is_not_a_return(code: str) -> None:
    assert fetch(answered(activity=[an_activity(), an_activity("X", "XX", code)]))[0] == GOT


@pytest.mark.parametrize(
    ("kind", "code", "words"),
    [
        ("X", "149", "UPS says that the parcel was destroyed, so it will never be delivered (Un statut)"),
        ("X", "147", "UPS says that the parcel was seized, so it will never be delivered (Un statut)"),
        ("MV", "007", "UPS says that the shipment was canceled, so it will never be delivered (Un statut)"),
        ("MV", None, "UPS says that the shipment was canceled, so it will never be delivered (Un statut)"),
    ],
)
def test_a_parcel_that_will_never_be_delivered(kind: str, code: str | None, words: str) -> None:
    failure = failure_of(answered(currentStatus=a_status(kind, code, "Un statut")))
    assert (failure.kind, failure.message) == (K.POD_NEVER_AVAILABLE, words)
    assert failure.unknown is None


@pytest.mark.parametrize("kind", ["I", "M", "X", "P", "O", "NA", "U", "DO", "DD", "W"])
def test_types_of_a_parcel_on_its_way(kind: str) -> None:
    failure = failure_of(answered(currentStatus=a_status(kind, None)))
    assert (failure.kind, failure.unknown) == (K.NOT_DELIVERED_YET, None)


@pytest.mark.parametrize("kind", [None, "I"])
@pytest.mark.parametrize("code", ["002", "11", "0011", "abc", "9" * 5000])
def test_unknown_status_codes_are_reported_and_mean_no_delivery(code: str, kind: str | None) -> None:
    failure = failure_of(answered(currentStatus=a_status(kind, code, "Un statut")))
    assert failure.kind is K.NOT_DELIVERED_YET
    assert failure.unknown is not None
    assert failure.unknown.startswith(f"the event code {code[:50]}")
    assert len(failure.unknown) < 200


def test_the_short_label_is_used_if_there_is_no_long_label() -> None:
    status = {"type": "I", "code": "005", "simplifiedTextDescription": "En route"}
    failure = failure_of(answered(currentStatus=status))
    assert failure.message == "The parcel has not been delivered yet (En route)"


def test_an_unknown_type_is_reported() -> None:
    failure = failure_of(answered(currentStatus=a_status("Q", None, "Un statut")))
    assert failure.unknown == "the event code Q (Un statut)"
    assert failure_of(answered(currentStatus=a_status("Q", "005"))).unknown is None


def test_without_a_status_the_newest_activity_counts() -> None:
    newest, older = an_activity("I", "OT", "021"), an_activity()
    currents: list[Any] = [None, {}, "x", [a_status()]]
    for current in currents:
        failure = failure_of(answered(currentStatus=current, activity=[newest, older]))
        assert (failure.kind, failure.unknown) == (K.NOT_DELIVERED_YET, None)
        assert fetch(answered(currentStatus=current))[0] == GOT


@pytest.mark.parametrize("code", ["OT", "OF", "DP", "AR", "OR"])
def test_codes_of_activities_are_known(code: str) -> None:
    activity = {"status": {"code": code}}
    failure = failure_of(answered(currentStatus=None, activity=[activity]))
    assert (failure.kind, failure.unknown) == (K.NOT_DELIVERED_YET, None)


def test_a_photo_is_not_a_delivery() -> None:
    photo = {"photo": b64(PNG), "photoCaptureInd": "Y", "photoDispositionCode": "V"}
    early = answered(currentStatus=a_status("O", "021"), deliveryInformation=information(deliveryPhoto=photo))
    assert failure_of(early).kind is K.NOT_DELIVERED_YET
    delivered = information(deliveryPhoto=photo, pod=None, signature=None)
    outcome = fetch(answered(deliveryInformation=delivered))[0]
    assert outcome == Retrieved((Piece(PNG, SOURCE, EvidenceKind.PHOTO),), KNOWN)


# ---------------------------------------------------------------- several packages

OTHER = a_package(trackingNumber="1Z0000000000000018", currentStatus=a_status("I", "005"))


def test_the_package_of_the_number_counts() -> None:
    ours = a_package(trackingNumber=NUMBER.lower())
    for packages in ([OTHER, ours], [ours, OTHER]):
        assert fetch(reply(*packages))[0] == GOT
    two = [{"inquiryNumber": NUMBER, "package": OTHER}, {"inquiryNumber": NUMBER, "package": [ours]}]
    assert fetch(response({"trackResponse": {"shipment": two}}))[0] == GOT


def test_the_only_package_counts_without_a_number() -> None:
    assert fetch(answered(trackingNumber=None))[0] == GOT
    # A single item may have no list around it.
    single = response({"trackResponse": {"shipment": {"package": a_package()}}})
    assert fetch(single)[0] == GOT


def test_an_alternate_number_belongs_to_the_package() -> None:
    """According to Tracking.yaml, it is a number of the postal service or another number of UPS."""
    others = [{"number": "92419900000033499522966220", "type": "USPS_PIC"}, {"number": NUMBER.lower()}]
    package = a_package(trackingNumber="1Z0000000000000018", alternateTrackingNumber=others)
    assert fetch(reply(package))[0] == GOT


def test_the_newest_package_of_our_number_counts() -> None:
    old = a_package(activity=[an_activity(day="20240305")])
    on_its_way = a_package(
        currentStatus=a_status("I", "005"), activity=[an_activity("I", "DP", "005", day="20261009")]
    )
    for packages in ([old, a_package()], [a_package(), old]):
        assert fetch(reply(*packages))[0] == GOT
    for packages in ([old, on_its_way], [on_its_way, old]):
        assert failure_of(reply(*packages)).kind is K.NOT_DELIVERED_YET


@pytest.mark.parametrize("accepted", [("P", "PU", "038"), ("I", "XX", "160"), ("P", "XX", "000")])
def test_a_delivery_before_the_pickup_belongs_to_another_parcel(accepted: tuple[str, str, str]) -> None:
    picked_up = an_activity(*accepted, day="20261008")
    for current in (a_status(), a_status("I", "005")):
        package = a_package(currentStatus=current, activity=[picked_up, an_activity()])
        assert failure_of(reply(package)).kind is K.NOT_DELIVERED_YET
    again = [an_activity(day="20261009"), picked_up, an_activity("X", "RS", "035", day="20240305")]
    outcome = fetch(answered(activity=again))[0]
    assert outcome == replace(GOT, delivery=Delivery(AT + timedelta(days=4), "DUPONT"))


@pytest.mark.parametrize(
    ("kind", "code", "status"),
    [("X", "RS", "013"), ("RS", "XX", "000"), *(("X", code, "013") for code in ("EJ", "EK", "1F", "KP"))],
)
def test_a_return_takes_precedence_over_the_delivery(kind: str, code: str, status: str) -> None:
    turned = an_activity(kind, code, status, day="20261004")
    failure = failure_of(answered(activity=[an_activity(), turned]))
    assert (failure.kind, failure.unknown) == (K.RETURNED_TO_SENDER, None)


@pytest.mark.parametrize("words", ["DRIVER RELEASE", "Driver release", "SIGNATURE NOT REQUIRED"])
def test_texts_for_a_missing_signature_are_not_a_signatory(words: str) -> None:
    outcome = fetch(answered(deliveryInformation=information(receivedBy=words)))[0]
    assert outcome == replace(GOT, delivery=Delivery(AT))


def test_a_warning_beside_a_package_is_ignored() -> None:
    assert fetch(reply(a_package(), warnings=[{"code": "TW0001", "message": "x"}]))[0] == GOT


# ---------------------------------------------------------------- time, signatory


@pytest.mark.parametrize(
    ("day", "hour", "at"),
    [
        ("20261005", "83100", AT),
        ("20261005", "083100", AT),
        ("20261005", 83100, AT),
        ("20260105", "93100", datetime(2026, 1, 5, 9, 31, tzinfo=UTC)),
        ("20261005", "5", datetime(2026, 10, 5, 0, 0, 5, tzinfo=UTC)),
        ("20261005", "0", datetime(2026, 10, 5, tzinfo=UTC)),
    ],
)
def test_the_time_of_the_activity_is_in_utc(day: str, hour: object, at: datetime) -> None:
    answer = answered(activity=[an_activity(day=day, hour=hour)])
    assert fetch(answer)[0] == replace(GOT, delivery=Delivery(at, "DUPONT"))


@pytest.mark.parametrize("hour", ["08:31:00", "8:31:0"])
@pytest.mark.parametrize("day", ["20261005", "2026-10-05"])
def test_the_utc_time_has_colons_in_real_answers(day: str, hour: str) -> None:
    """See the answers in UPS-API/api-documentation, issues 38, 99 and 187. Here the local time differs."""
    activity = an_activity(day=day, hour=hour) | {"time": "200000"}
    assert fetch(answered(activity=[activity]))[0] == GOT


def local_only(country: str | None, **more: Any) -> dict[str, Any]:
    """An activity without UTC times, as in UPS-API/api-documentation, issue 38."""
    activity = an_activity() | {"location": {"address": {"city": "DUNLAP", "countryCode": country}}}
    return {name: value for name, value in activity.items() if not name.startswith("gmt")} | more


@pytest.mark.parametrize(
    ("country", "at"),
    [
        ("FR", AT),
        ("GB", datetime(2026, 10, 5, 9, 31, tzinfo=UTC)),
        ("DE", AT),  # two zones with the same time
        ("RE", datetime(2026, 10, 5, 6, 31, tzinfo=UTC)),
        ("jp", datetime(2026, 10, 5, 1, 31, tzinfo=UTC)),
    ],
)
def test_without_the_utc_time_the_local_time_counts(country: str, at: datetime) -> None:
    answer = answered(activity=[local_only(country)])
    assert fetch(answer)[0] == replace(GOT, delivery=Delivery(at, "DUPONT"))


@pytest.mark.parametrize("country", ["US", "ES", "PT", "CA", "XX", "", None])
def test_without_a_time_zone_only_the_day_is_kept(country: str | None) -> None:
    answer = answered(activity=[local_only(country)])
    outcome = fetch(answer)[0]
    assert outcome == replace(GOT, delivery=Delivery(None, "DUPONT", date(2026, 10, 5)))
    with_offset = answered(activity=[local_only(country, gmtOffset="-05:00")])
    at = datetime(2026, 10, 5, 15, 31, tzinfo=UTC)
    assert fetch(with_offset)[0] == replace(GOT, delivery=Delivery(at, "DUPONT"))


def test_the_country_of_the_activity_takes_precedence_over_the_address() -> None:
    """A parcel may be handed over in a country other than its destination."""
    to = [{"type": "DESTINATION", "address": {"countryCode": "FR"}}]
    for country, delivery in (
        ("US", Delivery(day=date(2026, 10, 5))),
        ("GB", Delivery(datetime(2026, 10, 5, 9, 31, tzinfo=UTC))),
        (None, Delivery(AT)),
    ):
        answer = answered(activity=[local_only(country)], packageAddress=to)
        assert fetch(answer)[0] == replace(GOT, delivery=replace(delivery, signatory="DUPONT"))


def test_an_invalid_offset_is_ignored() -> None:
    for offset in ("+99:99", "+02", "x", "+02:0٠"):
        assert fetch(answered(activity=[local_only("FR", gmtOffset=offset)]))[0] == GOT


@pytest.mark.parametrize(
    ("day", "hour"),
    [("", "83100"), ("05/10/2026", "83100"), ("20261005", ""), ("20261005", "8:31"), ("20261305", "83100"),
     ("20261005", "993100"), ("20261005", None), ("٢٠٢٦١٠٠٥", "83100"), ("20261005", 10**30), ("2026-1-05", "83100"),
     ("20261005", "99:31:00"), ("20261005", "08:31:00Z")],
)  # fmt: skip
def test_an_unreadable_utc_time_is_replaced_by_the_local_time(day: str, hour: object) -> None:
    activity = an_activity(day=day, hour=hour) | {"time": "110000"}
    expected = datetime(2026, 10, 5, 9, tzinfo=UTC)
    for changed in (activity, activity | {"gmtOffset": None}):
        answer = answered(activity=[changed])
        assert fetch(answer)[0] == replace(GOT, delivery=Delivery(expected, "DUPONT"))


DAY = date(2026, 10, 5)


@pytest.mark.parametrize(
    ("dates", "time", "delivery"),
    [
        ([{"type": "DEL", "date": "20261005"}], {"type": "DEL", "endTime": "103100"}, Delivery(AT)),
        ({"type": "DEL", "date": "20261005"}, {"type": "DEL", "endTime": "103100"}, Delivery(AT)),
        ([{"type": "DEL", "date": "20260105"}], {"type": "DEL", "endTime": "93100"},
         Delivery(datetime(2026, 1, 5, 8, 31, tzinfo=UTC))),
        ([{"type": "SDD", "date": "20261001"}, {"type": "DEL", "date": "20261005"}, {"type": "RDD", "date": "20261009"}],
         {"type": "DEL", "endTime": "103100"}, Delivery(AT)),
        # The delivery has no time if the only time is not that of the delivery.
        ([{"type": "DEL", "date": "20261005"}], {"type": "EOD", "endTime": "103100"}, Delivery(day=DAY)),
        ([{"type": "DEL", "date": "20261005"}], {"type": "DEL", "endTime": "256100"}, Delivery(day=DAY)),
        ([{"type": "DEL", "date": "20261005"}], None, Delivery(day=DAY)),
        ([{"type": "SDD", "date": "20261005"}], {"type": "DEL", "endTime": "103100"}, Delivery()),
        ([{"type": "DEL", "date": "hier"}], {"type": "DEL", "endTime": "103100"}, Delivery()),
        ([{"type": "DEL", "date": "20260230"}], {"type": "DEL", "endTime": "103100"}, Delivery()),
        (None, None, Delivery()),
    ],
)  # fmt: skip
def test_the_date_of_delivery_is_local(dates: Any, time: Any, delivery: Delivery) -> None:
    to = [
        {"type": "ORIGIN", "address": {"countryCode": "JP"}},
        {"type": "DESTINATION", "address": {"countryCode": "FR"}},
    ]
    for more in ({"activity": None, "packageAddress": to}, {"activity": [local_only("FR", date="x")]}):
        answer = answered(deliveryDate=dates, deliveryTime=time, **more)
        assert fetch(answer)[0] == replace(GOT, delivery=replace(delivery, signatory="DUPONT"))


def test_without_a_country_the_date_of_delivery_is_a_day() -> None:
    outcome = fetch(answered(activity=None))[0]
    assert outcome.delivery == Delivery(None, "DUPONT", DAY)
    # A known time is not replaced by a day.
    outcome = fetch(answered(activity=None, deliveryDate=None), known=KNOWN)[0]
    assert outcome.delivery == KNOWN


def test_the_time_is_that_of_the_handover() -> None:
    after = an_activity("U", "XX", "000", hour="120000")
    at_agent = an_activity("D", "ZP", "161", hour="110000")
    before = an_activity("I", "OT", "021", hour="50000")
    for activities in ([after, at_agent, an_activity(), before], [before, an_activity(), at_agent, after]):
        assert fetch(answered(activity=activities))[0] == GOT
    # The type alone or the status alone shows the delivery.
    for handed_over in (an_activity("D", "XX", "000"), an_activity("U", "XX", "011")):
        assert fetch(answered(activity=[after, handed_over, before]))[0] == GOT
    # The later of two deliveries counts. If its type and status are unknown, the code of the activity decides.
    earlier = an_activity(hour="70000")
    for code in ("FS", "KB", "F4"):
        later = an_activity("U", code, "000")
        for activities in ([later, earlier], [earlier, later]):
            assert fetch(answered(activity=activities))[0] == GOT


SIGNATORIES: list[Any] = [("X" * 500, "X" * 99 + "…"), (None, None), (["DUPONT"], None)]


# ---------------------------------------------------------------- the document


@pytest.mark.parametrize("signature", [{"image": b64(PNG)}, {"image": ""}, None])
def test_the_proof_is_a_page(signature: Any) -> None:
    outcome = fetch(answered(deliveryInformation=information(signature=signature)))[0]
    is_signed = bool(signature and signature["image"])
    assert outcome == (GOT if is_signed else Retrieved((PROOF,), KNOWN))


def test_page_signature_and_photo_are_kept() -> None:
    photo = {"photo": b64(GIF), "photoCaptureInd": "Y"}
    outcome = fetch(answered(deliveryInformation=information(deliveryPhoto=photo)))[0]
    assert outcome == Retrieved((PROOF, SIGNATURE, Piece(GIF, SOURCE, EvidenceKind.PHOTO)), KNOWN)


@pytest.mark.parametrize("pod", [None, {}, {"content": ""}, {"content": " "}, {"content": None}, "x"])
def test_without_a_proof_the_signature_counts(pod: Any) -> None:
    outcome, _ = fetch(answered(deliveryInformation=information(pod=pod)))
    assert outcome == Retrieved((SIGNATURE,), KNOWN)


@pytest.mark.parametrize("encoded", ["PEhU*", b64(b"indisponible" * 20), b64(b"BM8")])
def test_an_invalid_proof_does_not_hide_the_signature(encoded: str) -> None:
    outcome, _ = fetch(answered(deliveryInformation=information(pod={"content": encoded})))
    assert isinstance(outcome, Retrieved)
    assert outcome.best == SIGNATURE


@pytest.mark.parametrize("version", [b"GIF87a", b"GIF89a"])
def test_a_signature_may_be_a_gif(version: bytes) -> None:
    gif = version + b"\x00" * 200 + b";"
    outcome = fetch(answered(deliveryInformation=information(pod=None, signature={"image": b64(gif)})))[0]
    assert outcome == Retrieved((replace(SIGNATURE, content=gif),), KNOWN)
    # An invalid proof does not hide the signature.
    broken = {"pod": {"content": b64(b"indisponible" * 20)}, "signature": {"image": b64(gif)}}
    outcome = fetch(answered(deliveryInformation=information(**broken)))[0]
    assert isinstance(outcome, Retrieved)
    assert outcome.best.content == gif


@pytest.mark.parametrize("told_of", [None, {}, {"receivedBy": "DUPONT"}, {"pod": {}, "signature": {}}, "x"])
def test_without_either_it_may_come_later(told_of: Any) -> None:
    failure = failure_of(answered(deliveryInformation=told_of))
    assert (failure.kind, failure.http_status) == (K.POD_NOT_AVAILABLE_YET, 200)
    assert failure.delivery is not None
    assert failure.delivery.at == AT


@pytest.mark.parametrize("encoded", ["PEhU*", "PEhUT", "-_-_", "éééé", "\ud800\ud800", 7])
def test_base64_is_read_strictly(encoded: Any) -> None:
    for pod, signature in (({"content": encoded}, None), (None, {"image": encoded})):
        answer = answered(deliveryInformation=information(pod=pod, signature=signature))
        failure = failure_of(answer)
        assert (failure.kind, failure.http_status) == (K.BAD_RESPONSE, 200)
        assert failure.delivery == KNOWN
        assert failure.message == "UPS sent a proof that is not valid base64"


def test_a_page_with_unclosed_tags_is_a_document() -> None:
    assert media_type_of(PAGE, html=True) == "text/html"
    with pytest.raises(NotADocumentError):
        media_type_of(PAGE)


# ---------------------------------------------------------------- the table for test_rules.py

_STRANGE: dict[str, Row] = {
    f"XY9, {name}": (answer, meaning, f"the error code XY9 (HTTP {answer.status}: Words)")
    for name, (answer, meaning) in UNKNOWN_CODES.items()
}
TABLE = Table(
    make=a_client,
    number=NUMBER,
    facts={
        "name": "UPS",
        "base_url": "https://onlinetools.ups.com",
        "calls": {Capability.TRACKING: 1},
        "tracks_always": True,
        "sample_number": "1Z0000000000000000",
    },
    answers=(DELIVERED,),
    known=KNOWN,
    proof=GOT,
    numbers=(
        f"1Z12345E0205271688 1Z0000000000000000 A1234567890 V1234567890 123456789 {'1' * 18} {'1' * 22} "
        f"{'1' * 26}"
    ),
    no_numbers=(
        "1Z5R8939035756712 1Z5R893903575671271 1Z5R8939035756712A 2Z5R89390357567127 B1234567890 "
        f"A123456789 12345678 1234567890 {'1' * 19} 1Z5R8939/357567127"
    ),
    # Only numbers that begin with 1Z have a check digit.
    good_check_digits=[NUMBER, SPEC.sample_number, "A1234567890", "123456789", "1" * 18, "1" * 22, "1" * 26],
    bad_check_digits=[f"{NUMBER[:-1]}{digit}" for digit in "012345689"],
    errors=[NORMALISED | ERRORS | _STRANGE],
    limited=[error(429, "10429", "Too Many Requests"), error(429, None, "Quota Limit Exceeded")],
    accepted=[
        (DELIVERED, True),
        (WITHOUT_PROOF, True),
        (reply(OTHER), False),  # the answer is about another parcel
        (answered(currentStatus=a_status("I", "005")), True),
        (TW0001, True),
        (error(403, None, "Blocked Merchant"), False),
        (error(403, "250003"), False),
        (error(400, "400"), False),
        (error(500, None), False),
        (raw(b"<html/>"), False),
    ],
    of_another=[reply(OTHER), reply(OTHER, a_package(trackingNumber="1Z0000000000000026"))],
    hostile=[
        error(403, HOSTILE, HOSTILE),
        error(404, HOSTILE, HOSTILE),
        error(500, None, HOSTILE),
        error(400, "10429", HOSTILE),
        legacy(400, HOSTILE, HOSTILE),
        warned({"code": HOSTILE, "message": HOSTILE}),
        answered(currentStatus=a_status("I", HOSTILE, HOSTILE)),
    ],
    whole=[TW0001, TV1002, legacy(500, "TV1002")],
    nobody=(TW0001, K.NOT_FOUND),
    status=lambda code: answered(currentStatus=a_status("X", code, "Un statut")),
    label="Un statut",
    not_delivered=senses(
        ParcelStatus.ON_ITS_WAY, ParcelStatus.GOING_BACK, ParcelStatus.AT_A_POINT, ParcelStatus.UNCLEAR
    ),
    strange=["002", "11", "0011", "abc"],
    signed=lambda name: answered(deliveryInformation=information(receivedBy=name)),
    signatories=[
        (answered(deliveryInformation=information(receivedBy=name)), signatory)
        for name, signatory in SIGNATORIES
    ],
    token=a_token,
    expired=EXPIRED,
    no_token=[
        (error(status, "10401", "ClientId is Invalid"), "ClientId is Invalid") for status in (400, 401, 403)
    ],
    bare=answered(activity=None, deliveryDate=None, deliveryInformation=information(receivedBy=None)),
    nameless=answered(deliveryInformation=information(receivedBy="")),
)

fetch, failure_of = TABLE.fetch, TABLE.failure_of

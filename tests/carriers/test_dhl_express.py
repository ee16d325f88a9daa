"""The requests to DHL Express, and the meaning of each answer. The client and the simulator list the sources."""

import base64
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from recours.carriers.answers import ParcelStatus
from recours.carriers.dhl_express import DHL_EXPRESS_CODES, SPEC, DhlExpress
from recours.carriers.message import Request, Response
from recours.core.claim import Delivery
from recours.core.errors import ErrorKind
from recours.core.outcome import Piece, Retrieved
from recours.core.quota import Capability
from recours.sandbox import Parcel, Scenario
from recours.sandbox.dhl_express import waybill_of
from tests.carriers.table import Row, Table
from tests.fakes.answers import HOSTILE, PDF, PNG, b64, raw, response
from tests.fakes.checks import as_failure, result
from tests.fakes.session import FakeSession
from tests.fakes.simulated import DELIVERED_AT, SandboxSession, client_of

NUMBER = "1234567891"
SETTINGS = {
    "DHL_EXPRESS_API_KEY": "10000001",
    "DHL_EXPRESS_API_SECRET": "123456",
    "DHL_EXPRESS_ACCOUNT_NUMBER": "123456789",
}
AT = datetime(2026, 10, 5, 8, 31, tzinfo=UTC)
KNOWN = Delivery(AT, "DUPONT")
SOURCE = "dhl_express proof-of-delivery PDF"
K = ErrorKind


def an_event(
    code: Any, day: Any = "2026-10-05", hour: Any = "10:31:00", offset: Any = "+02:00", **more: Any
) -> dict[str, Any]:
    found = {
        "date": day,
        "time": hour,
        "GMTOffset": offset,
        "typeCode": code,
        "description": "Un événement",
        "serviceArea": [{"code": "LIL", "description": "Lille-FR"}],
        "signedBy": "",
    }
    return {name: value for name, value in (found | more).items() if value is not None}


def a_shipment(*events: Any, number: Any = NUMBER) -> dict[str, Any]:
    return {
        "shipmentTrackingNumber": number,
        "status": "Success",
        "shipmentTimestamp": "2026-10-02T09:00:00",
        "productCode": "N",
        "description": "DOCS",
        "shipperDetails": {"name": ""},
        "receiverDetails": {"name": ""},
        "numberOfPieces": 1,
        "events": list(events),
    }


def tracked(*events: Any) -> Response:
    return response({"shipments": [a_shipment(*events)]})


def proved(*documents: Any) -> Response:
    return response({"documents": list(documents)})


def a_document(content: Any, **more: Any) -> dict[str, Any]:
    if isinstance(content, bytes):
        content = b64(content)
    return {"encodingFormat": "PDF", "content": content, "typeCode": "POD"} | more


def problem(status: int, title: Any = "Bad request", detail: Any = None, **more: Any) -> Response:
    """An error whose instance repeats the request, as in real answers."""
    told = {
        "instance": f"/expressapi/shipments/{NUMBER}/proof-of-delivery?shipperAccountNumber=123456789",
        "title": title,
        "message": title,
        "status": str(status),
    }
    if detail is not None:
        told["detail"] = detail
    return response(told | more, status)


IN_TRANSIT = an_event("WC", hour="07:12:00")
HANDED_OVER = an_event("OK", signedBy="DUPONT")
DELIVERED = tracked(IN_TRANSIT, HANDED_OVER)
WITH_POD = proved(a_document(PDF))
NO_DATA = problem(404, "No data found", "No data was found for this shipment")


def a_client(**settings: str) -> DhlExpress:
    return DhlExpress(SETTINGS | settings)


# ---------------------------------------------------------------- requests

TRACKING_QUERY = "trackingView=all-checkpoints&levelOfDetail=shipment&requestGMTOffsetPerEvent=true"


def test_requests_match_the_documentation() -> None:
    _, session = fetch(DELIVERED, WITH_POD)
    headers = {
        "Authorization": "Basic " + base64.b64encode(b"10000001:123456").decode(),
        "Accept": "application/json",
        "x-version": "3.1.0",
    }
    calls = (
        (Capability.TRACKING, f"tracking?{TRACKING_QUERY}"),
        (Capability.POD, "proof-of-delivery?shipperAccountNumber=123456789&content=epod-summary"),
    )
    for (what, request), (capability, path) in zip(session.requests, calls, strict=True):
        own = {"Message-Reference": request.headers["Message-Reference"]}
        expected = Request("GET", f"/mydhlapi/shipments/1234567891/{path}", headers | own)
        assert (what, request) == (capability, expected)
        assert (request.body, request.origin) == (None, "")


def test_every_call_has_a_unique_reference_of_valid_length() -> None:
    session = FakeSession([DELIVERED, WITH_POD] * 2)
    client = DhlExpress(SETTINGS)
    for _ in range(2):
        client.fetch(NUMBER, None, session)
    references = [request.headers["Message-Reference"] for _, request in session.requests]
    assert len(set(references)) == 4
    assert all(28 <= len(reference) <= 36 for reference in references)


def test_the_account_number_cannot_break_the_query() -> None:
    session = FakeSession([WITH_POD])
    account = "12&content=x y#é"
    DhlExpress(SETTINGS | {"DHL_EXPRESS_ACCOUNT_NUMBER": account}).fetch(NUMBER, KNOWN, session)
    query = parse_qs(urlsplit(session.requests[0][1].path).query)
    assert query == {"shipperAccountNumber": [account], "content": ["epod-summary"]}


# ---------------------------------------------------------------- answers of the tracking


def meaning(*wanted: ParcelStatus) -> list[str]:
    return sorted(code for code, status in DHL_EXPRESS_CODES.items() if status in wanted)


def test_the_table_has_the_codes_of_the_carriers_list() -> None:
    listed = """
        101 102 103 104 AD AF AR BA BN BR CA CC CD CM CR CS DD DF DS FD HP IC MC MD MS ND NH OH OK PD PL PU PY RD
        RR RT SA SC SM SS TP TR UD WC
    """
    assert sorted(DHL_EXPRESS_CODES) == listed.split()
    assert meaning(ParcelStatus.DELIVERED) == ["101", "DD", "OK"]
    assert meaning(ParcelStatus.RETURNED, ParcelStatus.DESTROYED) == ["DS", "RT"]


RETURNED = an_event("RT", hour="12:00:00")
DESTROYED = an_event("DS", hour="12:00:00")
LATER = {"time": "14:00:00"}


@pytest.mark.parametrize(
    ("events", "kind", "words"),
    [
        ([IN_TRANSIT, RETURNED], K.RETURNED_TO_SENDER, "was returned to the sender"),
        ([HANDED_OVER, RETURNED], K.RETURNED_TO_SENDER, "was returned to the sender"),
        ([RETURNED, an_event("PL") | LATER], K.RETURNED_TO_SENDER, "was returned to the sender"),
        ([RETURNED, HANDED_OVER | LATER], K.RETURNED_TO_SENDER, "was turned back before it was delivered"),
        ([IN_TRANSIT, DESTROYED], K.POD_NEVER_AVAILABLE, "was destroyed, so it will never be delivered"),
        ([HANDED_OVER, DESTROYED], K.POD_NEVER_AVAILABLE, "was destroyed, so it will never be delivered"),
    ],
)
def test_final_events_without_a_delivery_to_the_recipient(
    events: list[Any], kind: ErrorKind, words: str
) -> None:
    for ordered in (events, events[::-1]):
        failure = failure_of(tracked(*ordered))
        assert (failure.kind, failure.unknown, failure.delivery) == (kind, None, None)
        assert failure.message.startswith(f"DHL Express says that the parcel {words}")


# ---------------------------------------------------------------- the identifier of a piece

PIECE = "JVGL0999999990"
BY_PIECE = (
    "/mydhlapi/tracking?pieceTrackingNumber=JVGL0999999990"
    "&trackingView=all-checkpoints&levelOfDetail=shipment&requestGMTOffsetPerEvent=true"
)


@pytest.mark.parametrize("known", [None, KNOWN, Delivery()])
def test_a_piece_is_tracked_by_its_identifier_and_proved_by_its_waybill(known: Delivery | None) -> None:
    outcome, session = fetch(DELIVERED, WITH_POD, known=known, number=PIECE)
    assert outcome == Retrieved.single(PDF, KNOWN, SOURCE)
    tracking, pod = (request.path for _, request in session.requests)
    assert tracking == BY_PIECE
    assert pod.startswith(f"/mydhlapi/shipments/{NUMBER}/proof-of-delivery?")
    assert (session.accepted, session.known) == (True, KNOWN)


def test_the_shipment_of_the_requested_piece_counts_among_several() -> None:
    other = a_shipment(IN_TRANSIT, number="9999999999") | {"pieces": [{"number": 1, "trackingNumber": "JD1"}]}
    ours = a_shipment(HANDED_OVER) | {"pieces": [{"number": 1, "trackingNumber": PIECE}]}
    for listed in ([other, ours], [ours, other]):
        outcome, session = fetch(response({"shipments": listed}), WITH_POD, number=PIECE)
        assert outcome == Retrieved.single(PDF, KNOWN, SOURCE)
        assert NUMBER in session.requests[1][1].path


@pytest.mark.parametrize("told", [None, "", "x/../y", "12345", PIECE])
def test_no_document_is_requested_for_an_invalid_waybill(told: str | None) -> None:
    answer = response({"shipments": [a_shipment(HANDED_OVER, number=told)]})
    assert as_failure(fetch(answer, number=PIECE)[0]).kind is K.BAD_RESPONSE


def test_a_piece_that_is_not_delivered_costs_one_call() -> None:
    failure = as_failure(fetch(tracked(IN_TRANSIT), number=PIECE)[0])
    assert (failure.kind, failure.delivery) == (K.NOT_DELIVERED_YET, None)
    late = as_failure(fetch(problem(500), known=KNOWN, number=PIECE)[0])
    assert (late.kind, late.delivery) == (K.SERVER_ERROR, KNOWN)


def test_a_piece_at_the_simulated_carrier() -> None:
    session = SandboxSession(client_of("dhl_express"), PIECE)
    session.box.parcels[waybill_of(PIECE)] = Parcel(
        (Scenario.IN_TRANSIT, Scenario.POD_LATE, Scenario.DELIVERED)
    )
    first, late = as_failure(session.fetch()), as_failure(session.fetch())
    assert (first.kind, late.kind) == (K.NOT_DELIVERED_YET, K.POD_NOT_AVAILABLE_YET)
    assert result(session.fetch(late.delivery)) == "application/pdf"
    assert session.operations == ["tracking"] + ["tracking", "proof-of-delivery"] * 2


# ---------------------------------------------------------------- answers of the tracking, continued


def test_the_latest_event_counts_regardless_of_the_order() -> None:
    earlier = an_event("ZZ", hour="06:00:00")
    later = an_event("WC", hour="05:30:00", offset="+01:00")  # the latest, despite the earlier hour
    for events in ([earlier, later], [later, earlier]):
        assert failure_of(tracked(*events)).unknown is None
    for events in (
        [IN_TRANSIT, HANDED_OVER | {"typeCode": "ZZ"}],
        [HANDED_OVER | {"typeCode": "ZZ"}, IN_TRANSIT],
    ):
        assert failure_of(tracked(*events)).unknown is not None


TIMES: list[Any] = [
    ("2026-10-05", "10:31:00", "+02:00", AT),
    ("2026-10-05", "10:31:00", "+0200", AT),
    ("2026-10-05", "04:31:00", "-04:00", AT),
    ("2026-10-05", "08:31:00", "Z", AT),
    ("2026-10-05", "10:31", "+02:00", AT),
    ("2026-10-05", "10:31:00", None, AT),  # French local time in summer
    ("2026-10-05", "10:31:00", "", AT),
    ("2026-10-05", "10:31:00", "GMT+2", AT),
    ("2026-01-05", "10:31:00", None, datetime(2026, 1, 5, 9, 31, tzinfo=UTC)),  # French local time in winter
    ("2026-10-05", None, None, datetime(2026, 10, 4, 22, tzinfo=UTC)),
    ("", "10:31:00", "+02:00", None),
    (None, None, None, None),
    (20261005, 1031, 2, AT),
    ("hier", "10:31:00", "+02:00", None),
    ("9999-12-31", "23:59:59", "-14:00", datetime(9999, 12, 31, 22, 59, 59, tzinfo=UTC)),  # French
    ("0001-01-01", "00:00:00", "+14:00", None),
]

SIGNATORIES: list[Any] = [
    ("DUPONT", "Delivered : MARTIN", "DUPONT"),
    ("", "Delivered : DUPONT", "DUPONT"),
    (" ", "Shipment delivered: DUPONT", "DUPONT"),
    (None, "DELIVERED :DUPONT ", "DUPONT"),
    (None, "Delivered : A : B", "A : B"),
    ("", "Delivered", None),
    ("", "Delivered :", None),
    ("", "Undelivered : DUPONT", None),
    (None, None, None),
    (["DUPONT"], 7, None),
    ("\ud800\u202e", "Delivered", r"\ud800\u202e"),
    ("X" * 500, "Delivered", "X" * 99 + "…"),
    ("", "Delivered : " + "X" * 500, "X" * 99 + "…"),
]


def test_the_latest_delivery_with_a_name_gives_the_signatory() -> None:
    events = (
        an_event("OK", hour="09:00:00", signedBy="MARTIN"),
        an_event("OK", hour="09:30:00", signedBy="DUPONT"),
        an_event("OK"),
    )
    assert fetch(tracked(*events), WITH_POD)[0] == Retrieved.single(PDF, KNOWN, SOURCE)


def test_a_name_in_an_event_before_the_delivery_is_not_a_signatory() -> None:
    other = an_event("WC", hour="07:00:00", signedBy="LIVREUR")
    assert fetch(tracked(other, an_event("OK")), WITH_POD)[0] == Retrieved.single(PDF, Delivery(AT), SOURCE)


def test_the_requested_shipment_counts_among_several() -> None:
    other, ours = a_shipment(IN_TRANSIT, number="9999999999"), a_shipment(HANDED_OVER)
    for listed in ([other, ours], [ours, other]):
        outcome, _ = fetch(response({"shipments": listed}), WITH_POD)
        assert outcome == Retrieved.single(PDF, KNOWN, SOURCE)


def test_a_refused_shipment_is_delivered_to_its_sender() -> None:
    failure = failure_of(tracked(an_event("PU"), an_event("RD"), an_event("OK")))
    assert failure.kind is K.RETURNED_TO_SENDER


def test_a_part_of_a_shipment_is_not_a_delivery() -> None:
    failure = failure_of(tracked(an_event("OK"), an_event("PD")))
    assert failure.kind is K.NOT_DELIVERED_YET


def test_a_shipment_without_a_number_is_recognized_by_its_events() -> None:
    answer = response({"shipments": [a_shipment(HANDED_OVER, number=None)]})
    assert fetch(answer, WITH_POD)[0] == Retrieved.single(PDF, KNOWN, SOURCE)


def test_a_shipment_without_events_is_not_delivered() -> None:
    without = a_shipment()
    del without["events"]
    for answer in (tracked(), response({"shipments": [without]})):
        failure = failure_of(answer)
        assert (failure.kind, failure.unknown) == (K.NOT_DELIVERED_YET, None)


# ---------------------------------------------------------------- errors

UNSAID: dict[str, Any] = {"additionalDetails": []}
BY_TEXT: dict[str, Row] = {
    "its field": (
        problem(400, "Wrong format", "Parameters not having correct format: shipmentTrackingNumber (string)"),
        K.INVALID_TRACKING,
    ),
    "its value": (problem(400, "Bad request", f"{NUMBER} is not a waybill"), K.INVALID_TRACKING),
    "its value, HTTP 422": (problem(422, "Validation error", f"/{NUMBER}/"), K.INVALID_TRACKING),
    "its field, HTTP 422": (problem(422, "Validation error: shipmentTrackingNumber"), K.INVALID_TRACKING),
    "in the details": (
        problem(422, "Validation error", additionalDetails=["shipmentTrackingNumber: too short"]),
        K.INVALID_TRACKING,
    ),
    "a part of another number": (problem(400, "Bad request", f"9{NUMBER} is odd"), K.BAD_RESPONSE),
    "the account": (problem(400, "Bad request", "Account number not found or invalid"), K.ACCESS_DENIED),
    "the account, HTTP 422": (problem(422, "Validation error", "Invalid ACCOUNT"), K.ACCESS_DENIED),
    "the account's field": (problem(400, "Wrong format", "shipperAccountNumber"), K.ACCESS_DENIED),
    "nothing": (problem(400, "Bad request", "Parameters not having correct format: content"), K.BAD_RESPONSE),
    "nothing, HTTP 422": (problem(422, "Validation error", **UNSAID), K.BAD_RESPONSE),
    "no detail": (problem(400, "Bad request"), K.BAD_RESPONSE),
    "no text": (response({"status": "400"}, 400), K.BAD_RESPONSE),
    "another shape": (response([NUMBER], 400), K.BAD_RESPONSE),
    "a page": (raw("<html>Bad request</html>", 400), K.BAD_RESPONSE),
    "details of another shape": (
        problem(400, detail=[1], title={"a": 1}, additionalDetails=[{"a": 1}, None, 7]),
        K.BAD_RESPONSE,
    ),
    "details that are no list": (problem(400, additionalDetails="shipmentTrackingNumber"), K.BAD_RESPONSE),
}
BY_STATUS: dict[str, Row] = {
    "401": (problem(401, "Unauthorized", "Invalid credentials"), K.AUTH_FAILED),
    "401, a page": (raw("<html>401</html>", 401), K.AUTH_FAILED),
    "401, empty": (raw("", 401), K.AUTH_FAILED),
    "403": (problem(403, "Forbidden"), K.ACCOUNT_DENIED),
    "403, empty": (raw("", 403), K.ACCOUNT_DENIED),
    "500": (problem(500, "Internal Server Error", "Process failure occurred"), K.SERVER_ERROR),
    "599": (response({}, 599), K.SERVER_ERROR),
    "405": (problem(405), K.BAD_RESPONSE),
    "406": (raw("", 406), K.BAD_RESPONSE),
    "204": (raw("", 204), K.BAD_RESPONSE),
    "its own in XML": (raw("<shipments/>"), K.BAD_RESPONSE),
}
ERRORS = {**{f"names {name}": row for name, row in BY_TEXT.items()}, **BY_STATUS}
# Errors of the document call. Only other parcels show whether the account may get proofs at all.
NAMES_ACCOUNT: dict[str, Row] = {
    name: (row[0], K.ACCOUNT_DENIED) for name, row in ERRORS.items() if row[1] is K.ACCESS_DENIED
}


@pytest.mark.parametrize("answer", [NO_DATA, problem(404, "Not Found"), raw("", 404)])
def test_a_missing_proof_may_be_caused_by_the_account_number(answer: Response) -> None:
    failure = failure_of(DELIVERED, answer)
    assert (failure.kind, failure.http_status) == (K.POD_NOT_AVAILABLE_YET, 404)
    assert failure.delivery == KNOWN
    assert "DHL_EXPRESS_ACCOUNT_NUMBER" in failure.message
    assert failure_of(answer, known=KNOWN) == failure


def test_the_text_of_an_error_is_quoted() -> None:
    told = problem(500, "A title", "A detail")
    assert failure_of(told).message == "DHL Express is unavailable (HTTP 500): A detail"
    assert failure_of(problem(500, "A title")).message == "DHL Express is unavailable (HTTP 500): A title"
    assert failure_of(problem(401, "A title")).message == "DHL Express rejects our credentials: A title"
    assert failure_of(NO_DATA, known=KNOWN).message.endswith(
        "did not pay for it): No data was found for this shipment"
    )


SHAPES = [
    {"shipments": {}},
    {"shipments": []},
    {"shipments": None},
    {"shipments": "x"},
    {"shipments": [None, 7, "x", []]},
    {"shipments": [{}]},
    {"shipments": {"item": [a_shipment(HANDED_OVER)]}},
    {"shipments": [{"shipmentTrackingNumber": [NUMBER], "events": {"item": [HANDED_OVER]}}]},
]


@pytest.mark.parametrize(
    "events", [[None, 7, "x", [], {}], [{"typeCode": ["OK"]}], [{"typeCode": {"OK": 1}}], [{"date": 5}]]
)
def test_events_of_the_wrong_type_are_not_a_delivery(events: list[Any]) -> None:
    assert failure_of(tracked(*events)).kind is K.NOT_DELIVERED_YET


# ---------------------------------------------------------------- answers with the document


@pytest.mark.parametrize(
    ("sent", "source"),
    [
        ([a_document(PDF)], SOURCE),
        ([{"format": "PDF", "content": b64(PDF), "typeCode": "POD"}], SOURCE),
        ([a_document(PDF, encodingFormat=None)], "dhl_express proof-of-delivery"),
        ([a_document(PDF, typeCode=None)], SOURCE),
        ([a_document(b"other", typeCode="INV"), a_document(PDF)], SOURCE),
        ([a_document(PDF), a_document(b"other", typeCode="INV")], SOURCE),
        ([a_document(PDF, typeCode="epod"), a_document(b"other", typeCode="INV")], SOURCE),
        ([a_document(PDF, encodingFormat="\n" + "F" * 50)], f"dhl_express proof-of-delivery {'F' * 19}…"),
    ],
)
def test_documents(sent: list[Any], source: str) -> None:
    outcome = fetch(proved(*sent), known=KNOWN)[0]
    assert isinstance(outcome, Retrieved)
    assert outcome.best == Piece(PDF, source)
    assert outcome.delivery == KNOWN


def test_all_proofs_are_kept() -> None:
    sent = [a_document(PDF), a_document(b"other", typeCode="INV"), a_document(PNG)]
    outcome = fetch(proved(*sent), known=KNOWN)[0]
    assert outcome == Retrieved((Piece(PDF, SOURCE), Piece(PNG, SOURCE)), KNOWN)


WITHOUT_DOCUMENT: dict[str, Row] = {
    "none": (proved(), K.POD_NOT_AVAILABLE_YET),
    "empty": (proved(a_document("")), K.POD_NOT_AVAILABLE_YET),
    "no content": (proved({"typeCode": "POD"}), K.POD_NOT_AVAILABLE_YET),
    "of another type": (proved(a_document(["JVBERi0="])), K.POD_NOT_AVAILABLE_YET),
    "no list": (response({"documents": a_document(PDF)}), K.BAD_RESPONSE),
    "null": (response({"documents": None}), K.BAD_RESPONSE),
}

# ---------------------------------------------------------------- numbers
PUBLISHED = ["9356579890", "4818240420", "5584773180", "2449648740"]

# ---------------------------------------------------------------- the simulated carrier


def test_a_wrong_account_number_gives_no_proof() -> None:
    settings = dict(client_of("dhl_express").settings) | {"DHL_EXPRESS_ACCOUNT_NUMBER": "999999999"}
    failure = as_failure(SandboxSession(DhlExpress(settings), NUMBER).fetch())
    assert failure.kind is K.POD_NOT_AVAILABLE_YET
    assert failure.delivery == Delivery(DELIVERED_AT, "DUPONT")


# ---------------------------------------------------------------- the table for test_rules.py

_UNKNOWN = [problem(404, "Not data found", "No data found"), response({}, 404), raw("", 404), raw("<p>", 404)]
_HOSTILE = [problem(status, HOSTILE, HOSTILE) for status in (400, 401, 403, 404, 422, 500)]
_FITTING = [*PUBLISHED, "1234567891", SPEC.sample_number]
TABLE = Table(
    make=a_client,
    number=NUMBER,
    facts={
        "name": "DHL Express",
        "spellings": ("DHL Express Worldwide", "DHL Express International"),
        "limits": {None: "250/day@Europe/Paris"},
        "credentials": (tuple(SETTINGS),),
        "base_url": "https://express.api.dhl.com",
        "calls": {Capability.TRACKING: 1, Capability.POD: 1},
    },
    answers=(DELIVERED, WITH_POD),
    known=KNOWN,
    proof=Retrieved.single(PDF, KNOWN, SOURCE),
    numbers="9356579890 12345678901 JJD0099999999 JD014600003801893246 0000000000 JVGL0999999990",
    no_numbers="123456789 123456789012 JJD01234567 J1234567890 JVGLX1234567890 123456789A",
    # Eleven digits have no check digit.
    good_check_digits=[*_FITTING, *(f"1234567890{last}" for last in range(10))],
    bad_check_digits=[number[:-1] + str((int(number[-1]) + 1) % 10) for number in _FITTING],
    errors=[
        {
            **ERRORS,
            **{f"unknown {n}": (answer, K.NOT_FOUND) for n, answer in enumerate(_UNKNOWN)},
            **{f"shape {n}": (response(tree), K.BAD_RESPONSE) for n, tree in enumerate(SHAPES)},
        },
        ERRORS | WITHOUT_DOCUMENT | NAMES_ACCOUNT,
    ],
    limited=[raw("Too many requests", 429), problem(429)],
    accepted=[
        ([DELIVERED, problem(500)], True),  # tracking uses the account too
        ([tracked(IN_TRANSIT)], True),
        ([problem(404)], True),
        ([problem(400, detail="shipmentTrackingNumber")], True),
        ([problem(400)], False),
        ([problem(401)], False),
        ([problem(500)], False),
        ([raw("<html/>")], False),
    ],
    accepted_known=[(NO_DATA, True), (WITH_POD, True), (problem(401), False), (problem(503), False)],
    of_another=[response({"shipments": [a_shipment(HANDED_OVER, number="9999999999")]})],
    hostile=[
        *_HOSTILE,
        *((DELIVERED, answer) for answer in _HOSTILE),
        tracked(an_event(HOSTILE, description=HOSTILE)),
    ],
    whole=[NO_DATA, problem(400, detail="shipmentTrackingNumber")],
    nobody=(problem(404), K.NOT_FOUND),
    status=lambda code: tracked(IN_TRANSIT, an_event(code, signedBy="DUPONT")),
    delivered=["OK", "DD", "101"],
    not_delivered=meaning(ParcelStatus.ON_ITS_WAY, ParcelStatus.AT_A_POINT, ParcelStatus.UNCLEAR),
    strange=["ZZ", "105", "ok"],
    times=[
        (tracked(an_event("OK", day, hour, offset, signedBy="DUPONT")), at) for day, hour, offset, at in TIMES
    ],
    signed=lambda name: tracked(an_event("OK", signedBy=name)),
    signatories=[
        (tracked(an_event("OK", signedBy=signed, description=description)), signatory)
        for signed, description, signatory in SIGNATORIES
    ],
    encoded=lambda encoded: proved(a_document(encoded)),
)

fetch, failure_of = TABLE.fetch, TABLE.failure_of

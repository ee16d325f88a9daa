"""The requests to DHL Unified, and the meaning of each answer. The client and the simulator list the sources."""

from datetime import UTC, datetime
from typing import Any

import pytest

from recours.carriers.dhl import SPEC, STATUSES, Dhl, parse_tracking
from recours.carriers.links import link_request
from recours.carriers.message import Request, Response
from recours.core.claim import Delivery
from recours.core.errors import ErrorKind
from recours.core.evidence import EvidenceKind
from recours.core.outcome import CallError, Failure, Piece, Retrieved
from recours.core.quota import Capability
from recours.core.sentences import Sentence
from tests.carriers.table import Row, Table
from tests.fakes.answers import HOSTILE, PDF, PNG, raw, response

NUMBER = "JJD00012345678901234"
SETTINGS = {"DHL_API_KEY": "k3y"}
AT = datetime(2026, 10, 5, 8, 31, tzinfo=UTC)
KNOWN = Delivery(AT, "A DUPONT")
LINK = "https://webpod.dhl.com/webPOD/DHLePODRequest?id=7&x=y"
SIGNED = {"@type": "Person", "familyName": "DUPONT", "givenName": "A", "name": "A DUPONT"}
PROOF = {"timestamp": "2026-10-05T10:31:00", "signed": SIGNED}
K = ErrorKind


def a_shipment(code: Any, proof: Any = None, number: Any = NUMBER, **status: Any) -> dict[str, Any]:
    told = {
        "timestamp": "2026-10-05T10:31:00",
        "statusCode": code,
        "status": "A STATUS",
        "description": "Un événement",
        "location": {"address": {"addressLocality": "Lille"}},
    }
    details = {} if proof is None else {"proofOfDelivery": proof}
    present = told | status
    events = [{"timestamp": present["timestamp"], "statusCode": code, "status": "OK"}]
    return {"id": number, "service": "express", "status": present, "details": details, "events": events}


def tracked(*shipments: Any) -> Response:
    return response({"url": f"/track/shipments?trackingNumber={NUMBER}", "shipments": list(shipments)})


def delivered(proof: Any = None, **status: Any) -> Response:
    return tracked(a_shipment("delivered", PROOF if proof is None else proof, **status))


def problem(status: int, title: Any = "A title", detail: Any = "A detail") -> Response:
    return response({"title": title, "status": status, "detail": detail}, status)


LINKED = delivered(PROOF | {"documentUrl": LINK})
DOCUMENT = raw(PDF, kind="application/pdf")
UNKNOWN = problem(404, "No result found", "No shipment with given tracking number found.")
LIMITED = problem(
    429, "Too Many Requests", "Too many requests within defined time period, please try again later."
)


# ---------------------------------------------------------------- requests


def test_requests_match_the_documentation() -> None:
    outcome, session = fetch(LINKED, DOCUMENT)
    assert outcome == Retrieved.single(PDF, KNOWN, "dhl documentUrl")
    (first, tracking), (second, document) = session.requests
    assert (first, second) == (Capability.TRACKING, Capability.POD)
    assert (tracking.method, tracking.body, tracking.origin) == ("GET", None, "")
    assert tracking.path == f"/track/shipments?trackingNumber={NUMBER}&language=fr&requesterCountryCode=FR"
    assert dict(tracking.headers) == {"DHL-API-Key": "k3y", "Accept": "application/json"}
    # The request to the link does not contain our key.
    assert (document.method, document.body) == ("GET", None)
    assert (document.origin, document.path) == ("https://webpod.dhl.com", "/webPOD/DHLePODRequest?id=7&x=y")
    assert dict(document.headers) == {"Accept": "application/pdf, image/*"}


# ---------------------------------------------------------------- the status


def test_the_table_has_the_codes_of_the_sources() -> None:
    assert set(STATUSES) == {"delivered", "pre-transit", "transit", "failure", "unknown"}


def test_a_delivered_return_is_returned_to_the_sender() -> None:
    shipment = a_shipment("delivered", PROOF) | {"returnFlag": True}
    failure = failure_of(tracked(shipment))
    assert (failure.kind, failure.delivery, failure.unknown) == (K.RETURNED_TO_SENDER, None, None)
    assert failure.message == (
        "DHL says that the parcel was turned back before it was delivered, so it went to the sender (Un événement)"
    )
    for flag in (False, None, "true", 1):
        assert isinstance(fetch(tracked(shipment | {"returnFlag": flag}))[0], Failure)
        assert failure_of(tracked(shipment | {"returnFlag": flag})).kind is K.POD_NOT_AVAILABLE_YET
    on_its_way = a_shipment("transit") | {"returnFlag": True}
    assert failure_of(tracked(on_its_way)).kind is K.NOT_DELIVERED_YET


def events_of(*events: tuple[str, str, str]) -> list[dict[str, Any]]:
    """Events with these codes, days of October and texts, in the order of the service: newest first."""
    return [
        {"statusCode": code, "timestamp": f"2026-10-{day}T09:00:00", "description": words}
        for code, day, words in reversed(events)
    ]


def test_a_return_in_the_label_of_an_event_overrides_the_delivery() -> None:
    words = "The shipment is being returned to the shipper"
    events = events_of(("transit", "01", "En cours"), ("transit", "03", words), ("delivered", "05", "Livré"))
    failure = failure_of(tracked(a_shipment("delivered", PROOF) | {"events": events}))
    assert (failure.kind, failure.delivery) == (K.RETURNED_TO_SENDER, None)
    on_its_way = failure_of(tracked(a_shipment("transit", description=words)))
    assert (on_its_way.kind, on_its_way.unknown) == (K.NOT_DELIVERED_YET, None)


def test_a_delivery_to_the_shipper_is_returned_to_the_sender() -> None:
    failure = failure_of(tracked(a_shipment("delivered", PROOF, description="Delivered to the shipper")))
    assert (failure.kind, failure.delivery) == (K.RETURNED_TO_SENDER, None)


def test_a_freight_shipment_is_recognized_by_its_piece() -> None:
    """From an answer of September 2026: the piece has leading zeros, and the shipment has another number."""
    asked = "473325380028549070"
    shipment = a_shipment("transit", number="JKG-HI-0001643") | {"service": "freight"}
    pieces = {"details": {"pieceIds": ["00473325380028549070"]}}
    references = {"details": {"references": [{"number": asked, "type": "domestic-consignment-id"}]}}
    for known in (pieces, references, {}):
        outcome = parse_tracking(tracked(shipment | known), asked)
        assert isinstance(outcome, Failure)
        assert outcome.kind is K.NOT_DELIVERED_YET
    other = parse_tracking(tracked(shipment | {"details": {"pieceIds": ["00473325380028549071"]}}), asked)
    assert isinstance(other, Failure)
    assert other.kind is K.BAD_RESPONSE


def test_a_parcel_without_a_description_has_a_status() -> None:
    assert "(A STATUS)" in failure_of(tracked(a_shipment("transit", description=None))).message
    bare = a_shipment("transit", description=None, status=None)
    assert "(transit)" in failure_of(tracked(bare)).message


def test_the_requested_shipment_counts_among_several() -> None:
    other = a_shipment("transit", number="JJD9")
    ours = a_shipment("delivered", PROOF | {"documentUrl": LINK})
    for listed in ([other, ours], [ours, other], [ours | {"id": "0" + NUMBER}, other]):
        assert fetch(tracked(*listed), DOCUMENT)[0] == Retrieved.single(PDF, KNOWN, "dhl documentUrl")
    assert failure_of(tracked(other)).kind is K.BAD_RESPONSE
    by_reference = other | {"details": {"references": [{"number": NUMBER, "type": "shipment-id"}]}}
    assert failure_of(tracked(by_reference)).kind is K.NOT_DELIVERED_YET


TIMES: list[Any] = [
    ("2026-10-05T10:31:00", "2026-10-05T11:00:00", AT),
    ("2026-10-05T10:31:00+02:00", None, AT),
    ("2026-10-05T08:31:00Z", None, AT),
    ("2026-10-05T04:31:00-04:00", None, AT),
    ("2026-01-05T10:31:00", None, datetime(2026, 1, 5, 9, 31, tzinfo=UTC)),
    ("2026-10-05T10:31:00.123", None, AT.replace(microsecond=123000)),
    (None, "2026-10-05T10:31:00", AT),
    ("hier", "2026-10-05T10:31:00", AT),
    (["2026-10-05T10:31:00"], {"a": 1}, None),
    (None, None, None),
    ("9999-12-31T23:59:59-14:00", None, None),
    ("0001-01-01T00:00:00+14:00", None, None),
]

SIGNATORIES: list[Any] = [
    (SIGNED, "A DUPONT"),
    (SIGNED | {"name": None}, "A DUPONT"),
    ({"familyName": "DUPONT"}, "DUPONT"),
    ({"givenName": " A ", "familyName": ""}, "A"),
    ({"name": "\ud800\u202e"}, r"\ud800\u202e"),
    ({"name": "X" * 500}, "X" * 99 + "…"),
    ({"name": ["DUPONT"]}, None),
    ({}, None),
    ("DUPONT", None),
    (None, None),
]

# ---------------------------------------------------------------- errors

ERRORS: dict[str, Row] = {
    "404": (UNKNOWN, K.NOT_FOUND),
    "404, empty": (raw("", 404), K.NOT_FOUND),
    "400 about the number": (problem(400, "Bad Request", "Invalid trackingNumber"), K.INVALID_TRACKING),
    "400 in words": (problem(400, "Bad Request", "The tracking number is wrong"), K.INVALID_TRACKING),
    "400 with its value": (problem(400, "Bad Request", f"{NUMBER}: wrong"), K.INVALID_TRACKING),
    "400 about another thing": (problem(400, "Bad Request", "language: xx"), K.BAD_RESPONSE),
    "400, empty": (raw("", 400), K.BAD_RESPONSE),
    "401": (problem(401, "Unauthorized", "Unauthorized for given resource."), K.AUTH_FAILED),
    "401, empty": (raw("", 401), K.AUTH_FAILED),
    "403": (problem(403, "Forbidden"), K.ACCOUNT_DENIED),
    "405": (problem(405), K.BAD_RESPONSE),
    "500": (problem(500, "Internal Server Error"), K.SERVER_ERROR),
    "504": (problem(504), K.SERVER_ERROR),
    "its own in XML": (raw("<shipments/>"), K.BAD_RESPONSE),
    "no shipments": (tracked(), K.BAD_RESPONSE),
    "shipments of another shape": (tracked(None, 7, "x", []), K.BAD_RESPONSE),
    "shipments as an object": (response({"shipments": {"item": [a_shipment("delivered")]}}), K.BAD_RESPONSE),
    "no status": (tracked({"id": NUMBER}), K.BAD_RESPONSE),
    "a status of another shape": (tracked({"id": NUMBER, "status": "delivered"}), K.BAD_RESPONSE),
    "a code of another shape": (tracked(a_shipment(["delivered"])), K.BAD_RESPONSE),
}


def test_the_text_of_an_error_is_quoted() -> None:
    assert failure_of(problem(500)).message == "DHL is unavailable (HTTP 500): A detail"
    assert failure_of(problem(500, detail=None)).message == "DHL is unavailable (HTTP 500): A title"
    assert failure_of(problem(401)).message == "DHL rejects our credentials: A detail"
    assert failure_of(UNKNOWN).message == (
        "DHL does not recognize this tracking number: No shipment with given tracking number found."
    )


# ---------------------------------------------------------------- the link


@pytest.mark.parametrize(
    ("url", "origin", "path"),
    [
        (LINK, "https://webpod.dhl.com", "/webPOD/DHLePODRequest?id=7&x=y"),
        ("https://dhl.com/a", "https://dhl.com", "/a"),
        ("https://a.b-c.dhl.com:443/a?b#c", "https://a.b-c.dhl.com", "/a?b"),
        ("HTTPS://WebPod.DHL.com/A", "https://webpod.dhl.com", "/A"),
        ("https://webpod.dhl.com", "https://webpod.dhl.com", "/"),
        ("https://webpod.dhl.com?x=1", "https://webpod.dhl.com", "/?x=1"),
        ("https://webpod.dhl.com/%0d%0aX", "https://webpod.dhl.com", "/%0d%0aX"),
    ],
)
def test_links_that_are_followed(url: str, origin: str, path: str) -> None:
    expected = Request("GET", path, {"Accept": "application/pdf, image/*"}, origin=origin)
    assert link_request(url, Dhl.hosts) == expected
    _, session = fetch(delivered(PROOF | {"documentUrl": f" {url} "}), DOCUMENT)
    assert session.requests[1] == (Capability.POD, expected)


LINKS_ELSEWHERE = r"""
    http://webpod.dhl.com/a ftp://webpod.dhl.com/a //webpod.dhl.com/a /webPOD/DHLePODRequest
    webpod.dhl.com/a https:webpod.dhl.com/a https:///a https:// https://evil.example/a
    https://dhl.com.evil.example/a https://evildhl.com/a https://dhl.com. https://.dhl.com/a
    https://dhl.company/a https://webpod.dhl.com:8443/a https://webpod.dhl.com:0/a
    https://webpod.dhl.com:99999/a https://webpod.dhl.com:x/a https://user@webpod.dhl.com/a
    https://user:secret@webpod.dhl.com/a https://@webpod.dhl.com/a https://webpod.dhl.com@evil.example/a
    https://evil.example/webpod.dhl.com https://evil.example#.dhl.com https://evil.example?.dhl.com
    https://evil.example\.dhl.com/a https://webpod.dhl.com\@evil.example/a https://webpod.dhl.com/a\b
    https://[::1]/a https://[webpod.dhl.com/a https://127.0.0.1/a https://localhost/.dhl.com
"""
ELSEWHERE = [
    *LINKS_ELSEWHERE.split(),
    "https://webpod.dhl.com/a b",
    "https://webpod.dhl.com/a\r\nX: y",
    "https://web\tpod.dhl.com/a",
    "https://webpod.dhl.com/é",
    "https://webpod。dhl.com/a",
    "https://webpod.dhl.com/" + "a" * 4000,
    "\ud800",
]


@pytest.mark.parametrize("url", ELSEWHERE)
def test_links_that_lead_elsewhere_are_not_followed(url: str) -> None:
    assert link_request(url, Dhl.hosts) is None
    failure = failure_of(delivered(PROOF | {"documentUrl": url}))
    assert (failure.kind, failure.delivery, failure.http_status) == (K.POD_NOT_AVAILABLE_YET, KNOWN, 200)
    assert "leads to another host" in failure.message


def test_the_signature_is_followed_if_there_is_no_document() -> None:
    png = raw(PNG)
    signature = "https://www.dhl.com/signature"
    outcome, session = fetch(delivered(PROOF | {"signatureUrl": signature}), png)
    alone = Retrieved.single(PNG, KNOWN, "dhl signatureUrl", kind=EvidenceKind.SIGNATURE)
    assert outcome == alone
    elsewhere = PROOF | {"signatureUrl": signature, "documentUrl": "https://evil.example/a"}
    outcome, session = fetch(delivered(elsewhere), png)
    assert outcome == alone
    assert len(session.requests) == 2


def test_document_and_signature_are_both_fetched() -> None:
    both = PROOF | {"signatureUrl": "https://www.dhl.com/signature", "documentUrl": LINK}
    outcome, session = fetch(delivered(both), DOCUMENT, raw(PNG))
    signature = Piece(PNG, "dhl signatureUrl", EvidenceKind.SIGNATURE)
    assert outcome == Retrieved((Piece(PDF, "dhl documentUrl"), signature), KNOWN)
    assert len(session.requests) == 3


@pytest.mark.parametrize(
    "second",
    [
        raw(b"<html>login</html>"),
        Failure(K.RATE_LIMITED, "DHL is at its limit (250/day)"),
        Failure(K.SERVER_ERROR, "DHL is unavailable (HTTP 503)", 503),
    ],
)
def test_the_document_is_kept_if_the_signature_is_unavailable(second: Response | Failure) -> None:
    both = PROOF | {"signatureUrl": "https://www.dhl.com/signature", "documentUrl": LINK}
    assert fetch(delivered(both), DOCUMENT, second)[0] == Retrieved.single(PDF, KNOWN, "dhl documentUrl")


@pytest.mark.parametrize(
    "proof", [PROOF, PROOF | {"documentUrl": ""}, PROOF | {"documentUrl": [LINK], "signatureUrl": None}]
)
def test_without_a_link_express_credentials_are_named(proof: dict[str, Any]) -> None:
    failure = failure_of(delivered(proof))
    assert (failure.kind, failure.delivery, failure.http_status) == (K.POD_NOT_AVAILABLE_YET, KNOWN, 200)
    assert "DHL Express credentials" in failure.message


@pytest.mark.parametrize("proof", [[], "x", 7, {"proofOfDelivery": PROOF}])
def test_a_proof_of_the_wrong_type_is_ignored(proof: Any) -> None:
    failure = failure_of(delivered(proof))
    assert (failure.kind, failure.delivery) == (K.POD_NOT_AVAILABLE_YET, Delivery(AT))
    assert failure_of(tracked(a_shipment("delivered"))) == failure


@pytest.mark.parametrize(
    "start",
    [b"%PDF-1.7", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"II*\x00", b"MM\x00*", b"GIF87a", b"GIF89a"],
)
def test_documents(start: bytes) -> None:
    content = start + b"x" * 200
    assert fetch(LINKED, raw(content))[0] == Retrieved.single(content, KNOWN, "dhl documentUrl")


NO_DOCUMENTS: dict[str, Response] = {
    "a login page": raw("<!DOCTYPE html><html><form>Login</form></html>", kind="text/html"),
    "a page that has a document": raw(b"<html>%PDF-1.4"),
    "JSON": response({"documents": []}),
    "text": raw("Document indisponible"),
    "empty": raw(b""),
    "cut off": raw(b"%PDF"),
    "base64": raw("JVBERi0xLjQK"),
    "accepted": raw(PDF, 202),
    "no content": raw(b"", 204),
    "moved": raw(PDF, 302),
    "unauthorized": raw(PDF, 401),
    "forbidden": raw(b"", 403),
    "not found": raw(PDF, 404),
    "an error": raw(b"", 500),
}


@pytest.mark.parametrize("answer", NO_DOCUMENTS.values(), ids=NO_DOCUMENTS.keys())
def test_other_responses_to_a_document_link_are_failures(answer: Response) -> None:
    failure = failure_of(LINKED, answer)
    assert failure == Failure.of(Sentence.PROOF_LINK_EMPTY, "DHL", None, answer.status, delivery=KNOWN)


def test_a_failed_call_to_a_link_returns_no_document() -> None:
    """For example a redirect or an oversized answer."""
    redirect = Failure(K.BAD_RESPONSE, "DHL answered with a redirect, which is not followed")
    failure = failure_of(LINKED, redirect)
    assert (failure.kind, failure.delivery) == (K.POD_NOT_AVAILABLE_YET, KNOWN)
    assert failure.message == "The parcel was delivered, but DHL's link to the proof returned no document"


def test_a_refused_tracking_call_keeps_its_failure() -> None:
    redirect = Failure(K.BAD_RESPONSE, "DHL answered with a redirect, which is not followed")
    with pytest.raises(CallError) as failed:
        fetch(redirect)
    assert failed.value.failure == redirect


# ---------------------------------------------------------------- the table for test_rules.py

TABLE = Table(
    make=lambda: Dhl(SETTINGS),
    number=NUMBER,
    facts={
        "name": "DHL",
        "spellings": ("DHL Unified", "DHL Parcel", "DHL Paket", "DHL eCommerce"),
        "limits": {None: "250/day@UTC,1/second"},
        "credentials": (("DHL_API_KEY",),),
        "base_url": "https://api-eu.dhl.com",
        "calls": {Capability.TRACKING: 1, Capability.POD: 1},
    },
    answers=(LINKED, DOCUMENT),
    known=KNOWN,
    proof=Retrieved.single(PDF, KNOWN, "dhl documentUrl"),
    no_numbers=f"1234567 {'A' * 41} JJD-0001",
    good_check_digits=[NUMBER, "12345678", "1234567891", "A" * 40, SPEC.sample_number],
    errors=[ERRORS],
    # Other content of a link means "no document yet".
    of_no_answer=lambda place, _, meaning: K.POD_NOT_AVAILABLE_YET if place else meaning,
    limited=[LIMITED],
    accepted=[
        ([LINKED, DOCUMENT], True),
        ([LINKED, NO_DOCUMENTS["unauthorized"]], True),
        ([delivered()], True),
        ([tracked(a_shipment("transit"))], True),
        ([UNKNOWN], True),
        ([problem(400, detail="trackingNumber")], True),
        ([problem(400)], False),
        ([problem(401)], False),
        ([problem(403)], False),
        ([problem(500)], False),
        ([raw("<html/>")], False),
    ],
    of_another=[tracked(a_shipment("delivered", PROOF, number="JJD000999"))],
    hostile=[
        *(problem(status, HOSTILE, HOSTILE) for status in (400, 401, 403, 404, 500)),
        tracked(a_shipment(HOSTILE, description=HOSTILE)),
        *(delivered(PROOF | {"documentUrl": url}) for url in (HOSTILE, "https://evil.example/" + HOSTILE)),
    ],
    whole=[UNKNOWN],
    nobody=(UNKNOWN, K.NOT_FOUND),
    status=lambda code: tracked(a_shipment(code)),
    not_delivered=["pre-transit", "transit", "failure", "unknown"],
    strange=["Delivered", "returned"],
    times=[
        (delivered(PROOF | {"timestamp": proved, "documentUrl": LINK}, timestamp=status), at)
        for proved, status, at in TIMES
    ],
    signed=lambda name: delivered(PROOF | {"signed": {"name": name}, "documentUrl": LINK}),
    signatories=[
        (delivered(PROOF | {"signed": signed, "documentUrl": LINK}), signatory)
        for signed, signatory in SIGNATORIES
    ],
    bare=delivered({"documentUrl": LINK}, timestamp=None),
    nameless=delivered({"documentUrl": LINK}),
)

fetch, failure_of = TABLE.fetch, TABLE.failure_of

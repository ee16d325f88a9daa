"""Cases: what a carrier answers, and what it sends as a document. None of them is the run's failure."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from recours.core.sentences import sentence, stored
from recours.sandbox import Scenario
from tests.acceptance.bad_input_case import Case, Check, Prepare, case
from tests.acceptance.bad_input_raw import RawServer, http, soap, tracked
from tests.acceptance.bad_input_world import FETCHER, PASSWORD, Ran, World

DELIVERED = json.dumps({"at": "2026-02-05T09:00:00+00:00", "signatory": "DUPONT"})


def _plays(*steps: Scenario, known: bool = False, count: int = 1, **more: Any) -> Prepare:
    """Claims whose parcels the sandbox treats so; `known`: delivered as we know, so only the document is asked for."""

    def prepare(world: World) -> None:
        status = "pending" if world.worker == FETCHER else "failed"
        columns = {"pod_fetch_status": status} | ({"pod_known_delivery": DELIVERED} if known else {})
        for place in range(1, count + 1):
            world.claim(f"CLM-{place}", world.parcel(*steps, **more), **columns)

    return prepare


def _sends(answer: bytes, *, known: bool = True) -> Prepare:
    """The carrier sends these very bytes, whatever it is asked."""

    def prepare(world: World) -> None:
        server = RawServer(answer)
        server.__enter__()
        world.undo.append(lambda: server.__exit__(None, None, None))
        world.env["CHRONOPOST_BASE_URL"] = server.url
        world.claim(
            "CLM-1", world.parcel(Scenario.DELIVERED), pod_known_delivery=DELIVERED if known else None
        )

    return prepare


def _recorded(kind: str, *, used: bool = True) -> Check:
    """The attempt is on record, and the claim has its next turn if one was used, else is due as before."""

    def check(world: World, _ran: Ran) -> None:
        attempt, claim = world.attempts()[-1], world.one("CLM-1")
        assert attempt["error_kind"] == kind
        assert bool(attempt["used"]) == used
        assert claim["pod_fetch_status"] == ("failed" if used or world.worker != FETCHER else "pending")
        assert claim["pod_retry_count"] == (1 if used and world.worker != FETCHER else 0)
        if used:
            kept = claim["pod_error_key"], claim["pod_error_words"]
            assert kept == (attempt["error_key"], attempt["error_words"])
            said = stored(kept[0], "Chronopost", kept[1])
            assert said is not None
            assert claim["pod_fetch_error"] == sentence("fr", said)
            assert claim["pod_fetch_error"].isprintable()
            assert (
                claim["pod_next_retry_at"] > f"{datetime.now(UTC) + timedelta(minutes=50):%Y-%m-%d %H:%M:%S}"
            )
        else:
            assert claim["pod_fetch_error"] == "Timeout API"
        assert claim["pod_url"] is None
        # What proves nothing is kept apart.
        files = [path.relative_to(world.pod_dir) for path in world.pod_dir.rglob("*.pdf")]
        assert all(path.parts[0] == "refused" for path in files), files

    return check


def _answer(
    name: str, kind: str, *says: str, steps: tuple[Scenario, ...], used: bool = True, **more: Any
) -> Case:
    known = bool(more.pop("known", False))
    words: dict[str, Any] = {key: more.pop(key) for key in ("retry_after", "count") if key in more}
    return case(name, 0, *says, prepare=_plays(*steps, known=known, **words), check=_recorded(kind, used=used), calls=True,
                **more)  # fmt: skip


def _raw(name: str, kind: str, *says: str, answer: bytes, used: bool = True, **more: Any) -> Case:
    known = bool(more.pop("known", True))
    check = more.pop("check", None) or _recorded(kind, used=used)
    return case(name, 0, *says, prepare=_sends(answer, known=known), check=check, calls=True, **more)


_S = Scenario
_BAD = "an answer that cannot be read (HTTP 200)"

SANDBOX = [
    _answer("an answer of another shape", "bad_response", _BAD, steps=(_S.WRONG_TYPE,)),
    _answer("an answer cut off", "network", "broke the connection before its answer was complete", steps=(_S.TRUNCATED,)),
    _answer("a gzip bomb", "bad_response", "Chronopost sent more than 20 MB", steps=(_S.GZIP_BOMB,), memory_mb=600),
    _answer("a gzip bomb for a document", "bad_response", "Chronopost sent more than 20 MB", steps=(_S.GZIP_BOMB,),
            known=True, memory_mb=600, full=True),
    _answer("an answer of 30 MB", "bad_response", "Chronopost sent more than 20 MB", steps=(_S.OVERSIZED,), memory_mb=600),
    _answer("an answer that grows to gigabytes", "bad_response", _BAD, steps=(_S.DTD_BOMB,), memory_mb=600),
    _answer("a redirect", "bad_response", "answered with a redirect, which is not followed", steps=(_S.REDIRECT,)),
    _answer("a redirect for a document", "bad_response", "answered with a redirect", steps=(_S.REDIRECT,), known=True),
    _answer("an answer that is not UTF-8", "bad_response", _BAD, steps=(_S.INVALID_UTF8,)),
    _answer("a web page", "bad_response", _BAD, steps=(_S.HTML,)),
    _answer("an empty answer", "bad_response", "Chronopost sent an empty answer (HTTP 200)", steps=(_S.EMPTY,)),
    _answer("a reset connection", "network", "broke the connection", steps=(_S.RESET,)),
    _answer("a hostile text", "server_error", "Chronopost reports an internal error: Erreur", steps=(_S.HOSTILE_TEXT,)),
    _answer("a hostile text with our password", "server_error", "reports an internal error: Erreur", "password=***",
            steps=(_S.HOSTILE_TEXT,), known=True, options=("--json",)),
    _answer("a fault of ours", "bad_response", "could not read our request", steps=(_S.FAULT_CLIENT,)),
    _answer("a fault of the carrier's", "server_error", "reports an internal error", steps=(_S.FAULT_SERVER,)),
    _answer("a bad gateway", "server_error", "Chronopost is unavailable (HTTP 502)", steps=(_S.BAD_GATEWAY,)),
    _answer("maintenance", "server_error", "Chronopost is unavailable (HTTP 503)", steps=(_S.MAINTENANCE,), full=True),
    _answer("an account that is refused for one parcel", "access_denied",
            "Chronopost accepts our account, but refuses this parcel: Invalid Password", steps=(_S.AUTH_REFUSED,)),
    _answer("a wrong password", "auth_failed", "rejects our credentials", steps=(_S.DELIVERED,), used=False,
            env={"CHRONOPOST_PASSWORD": f"{PASSWORD}-of-yesterday"}),
    _answer("the fetch worker: a hostile text", "server_error", "reports an internal error: Erreur",
            steps=(_S.HOSTILE_TEXT,), known=True, worker=FETCHER),
    _answer("the fetch worker: an empty answer", "bad_response", "sent an empty answer", steps=(_S.EMPTY,), worker=FETCHER),
    _answer("the fetch worker: too many calls", "rate_limited", "asks us to wait", steps=(_S.RATE_LIMITED,), used=False,
            worker=FETCHER),
]  # fmt: skip

DOCUMENTS = [
    _answer("a document that does not decode", "bad_response", "sent a proof that is not valid base64",
            steps=(_S.BAD_BASE64,)),
    _answer("a letter for a document", "bad_response", "is no document: it is neither PDF", steps=(_S.NOT_A_DOCUMENT,)),
    _answer("a document announced and not sent", "bad_response", "says that there is a proof, but sent none",
            steps=(_S.EMPTY_POD,)),
    _answer("a PDF that does not open", "bad_response", "is no document: the PDF cannot be opened", steps=(_S.BROKEN_PDF,)),
    _answer("the fetch worker: a letter for a document", "bad_response", "is no document", steps=(_S.NOT_A_DOCUMENT,),
            worker=FETCHER),
]  # fmt: skip


def _pause(at_least: timedelta, at_most: timedelta) -> Check:
    """The carrier is left alone until then."""

    def check(world: World, ran: Ran) -> None:
        _recorded("rate_limited", used=False)(world, ran)
        (until,) = world.sql("SELECT paused_until FROM recours_account_state WHERE carrier = 'chronopost'")[0]
        now = datetime.now(UTC)
        wait = datetime.fromisoformat(until).replace(tzinfo=UTC) - now
        assert at_least - timedelta(seconds=20) <= wait <= at_most

    return check


def _asks(name: str, value: str | None, at_least: timedelta, at_most: timedelta, **more: Any) -> Case:
    return case(f"Retry-After {name}", 0, "asks us to wait: too many calls (HTTP 429)", "no attempt was used up",
                prepare=_plays(_S.RATE_LIMITED, retry_after=value), check=_pause(at_least, at_most), calls=True, **more)  # fmt: skip


_HOUR, _DAY, _NOW = timedelta(hours=1), timedelta(hours=24), timedelta(0)
RETRY_AFTER = [
    _asks("absent", None, _HOUR, _HOUR),
    _asks("negative", "-120", _HOUR, _HOUR),
    _asks("garbage", "after lunch", _HOUR, _HOUR, full=True),
    _asks("empty", "", _HOUR, _HOUR, full=True),
    _asks("a fraction", "1.5", _HOUR, _HOUR, full=True),
    _asks("zero", "0", _NOW, _NOW),
    _asks("a date in the past", "Thu, 01 Jan 1970 00:00:00 GMT", _NOW, _NOW),
    _asks("a date without a zone in the past", "Thu, 01 Jan 1970 00:00:00", _NOW, _NOW, full=True),
    _asks("a date far ahead", "Fri, 31 Dec 9999 23:59:59 GMT", _DAY, _DAY),
    _asks(
        "a date beyond the calendar",
        "Fri, 31 Dec 9999 23:59:59 -1200",
        _HOUR,
        _DAY,
    ),
    _asks("a date before the calendar", "Mon, 01 Jan 0001 00:00:00 +1200", _NOW, _DAY, full=True),
    _asks("a date that is none", "Fri, 99 Foo 2026 25:61:61 GMT", _HOUR, _HOUR),
    _asks("with an offset that is none", "Fri, 01 Jan 2027 00:00:00 +9999", _HOUR, _DAY),
    _asks("huge", "9" * 400, _DAY, _DAY),
    _asks("of two values", "120, 240", _HOUR, _HOUR, full=True),
]

_PDF_KIND = "sent as a proof is no document: "


def _pod(content: bytes) -> bytes:
    return http("200 OK", soap(f"<errorCode>0</errorCode><pod>{base64.b64encode(content).decode()}</pod>"))


_EVENT = "<events><code>{code}</code><eventDate>{at}</eventDate><eventLabel>{label}</eventLabel></events>"
_NESTED = "<a>" * 20_000 + "</a>" * 20_000
RAW = [
    _raw("no HTTP at all", "network", "broke the connection", answer=b"220 smtp.example.com ESMTP\r\n"),
    _raw("nothing, then the end", "network", "broke the connection", answer=b"", full=True),
    _raw("a status that is no number", "network", "broke the connection", answer=b"HTTP/1.1 abc OK\r\n\r\n", full=True),
    _raw("a header without end", "network", "broke the connection",
         answer=b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", full=True),
    _raw("a thousand headers", "network", "broke the connection",
         answer=http("200 OK", b"", *(f"X-{n}: y" for n in range(1000))), full=True),
    _raw("a length that is no number", "bad_response", "Chronopost",
         answer=b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello"),
    _raw("a chunk whose size is none", "network", "broke the connection",
         answer=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n"),
    _raw("gzip that is none", "bad_response", "sent an answer that cannot be decompressed",
         answer=http("200 OK", b"hello", "Content-Encoding: gzip")),
    _raw("an encoding that nobody knows", "bad_response", "an answer that cannot be read",
         answer=http("200 OK", b"\x93hello", "Content-Encoding: frob"), full=True),
    _raw("XML in an encoding that nobody knows", "bad_response", _BAD,
         answer=http("200 OK", soap("", declaration='<?xml version="1.0" encoding="frob-8"?>'))),
    _raw("XML in UTF-7", "bad_response", "Chronopost", answer=http("200 OK", soap(
        "<errorCode>99</errorCode>", declaration='<?xml version="1.0" encoding="utf-7"?>'))),
    _raw("XML nested without end", "bad_response", "Chronopost", answer=http("200 OK", soap(
        f"<errorCode>99</errorCode>{_NESTED}"))),
    _raw("an entity from a file", "bad_response", _BAD, answer=http("200 OK", soap(
        "<errorCode>&f;</errorCode>", declaration='<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>'))),
    _raw("an error code that is no number", "bad_response", "the unknown error code abc", answer=http("200 OK", soap(
        "<errorCode>abc</errorCode>"))),
    _raw("an error code without end", "bad_response", "the unknown error code 999", answer=http("200 OK", soap(
        f"<errorCode>{'9' * 5000}</errorCode>"))),
    _raw("an error message of a megabyte", "server_error", "reports an internal error: zzzz", answer=http("200 OK", soap(
        f"<errorCode>1</errorCode><errorMessage>{'z' * 1_000_000}</errorMessage>"))),
    _raw("our password as a Basic header", "server_error", "reports an internal error: Authorization: Basic ***",
         answer=http("200 OK", soap("<errorCode>1</errorCode><errorMessage>Authorization: Basic {}</errorMessage>".format(
             base64.b64encode(f"19869502:{PASSWORD}".encode()).decode())))),
    _raw("our password in a fault", "bad_response", "could not read our request", answer=http(
        "500 Error", soap("").replace("n:searchPODResponse", "s:Fault").replace(
            "<return></return>", f"<faultcode>s:Client</faultcode><faultstring>no {PASSWORD}!</faultstring>"))),
    _raw("not found", "bad_response", "Chronopost sent an answer that cannot be read (HTTP 404)",
         answer=http("404 Not Found", "<html><p>no</html>"), full=True),
    _raw("an empty refusal", "bad_response", "Chronopost sent an empty answer (HTTP 403)", answer=http("403 Forbidden")),
    _raw("the server's error as a page", "server_error", "Chronopost is unavailable (HTTP 500)",
         answer=http("500 Error", "<html>")),
    _raw("a status that does not exist", "server_error", "Chronopost is unavailable (HTTP 799)", answer=http("799 Frob", "x")),
    _raw("a status of nothing", "bad_response", "Chronopost", answer=http("204 No Content"), full=True),
    _raw("a PDF of five bytes", "bad_response", f"{_PDF_KIND}it has only 5 bytes", answer=_pod(b"%PDF-")),
    _raw("a PDF without a page", "bad_response", f"{_PDF_KIND}the PDF", answer=_pod(
        b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n2 0 obj\n<< /Type /Pages /Kids [] /Count 0 >>\n"
        b"endobj\ntrailer\n<< /Root 1 0 R /Size 3 >>\n%%EOF\n")),
    _raw("a program for a document", "bad_response", f"{_PDF_KIND}it is neither", answer=_pod(b"MZ" + bytes(500))),
    _raw("an event without a code", "not_delivered_yet", "The parcel is not delivered yet (no details)", known=False,
         answer=http("200 OK", tracked("<events/>"))),
    _raw("an event at no time", "not_delivered_yet", "The parcel is not delivered yet (DC)", known=False,
         answer=http("200 OK", tracked("<events><code>DC</code><eventDate>soon</eventDate></events>")), full=True),
    _raw("an event beyond the calendar", "not_delivered_yet", "The parcel is not delivered yet (x)", known=False,
         answer=http("200 OK", tracked(_EVENT.format(code="DC", at="9999-12-31T23:59:59-12:00", label="x")))),
    _raw("an event that forges a line", "not_delivered_yet", "The parcel is not delivered yet (a\\x0a", known=False,
         answer=http("200 OK", tracked(_EVENT.format(code="DC", at="2026-02-05T09:00:00Z",
                                                     label="a&#10;2016-02-06 14:00:00 - [INFO]&#x9b;2J&#x202e;")))),
    _raw("no event", "not_found", "Chronopost does not know this number", known=False, answer=http("200 OK", tracked())),
]  # fmt: skip


# ---------------------------------------------------------------- nobody there


def _nobody(count: int) -> Prepare:
    def prepare(world: World) -> None:
        _plays(_S.DELIVERED, count=count)(world)
        world.env["CHRONOPOST_BASE_URL"] = "http://127.0.0.1:1"

    return prepare


def _as_before(world: World, _ran: Ran) -> None:
    """No attempt and no unit of quota was used up, and the claim is still due."""
    claim = world.one("CLM-1")
    assert (claim["pod_retry_count"], claim["pod_fetch_error"]) == (0, "Timeout API")
    assert claim["pod_next_retry_at"] < f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}"
    assert world.sql("SELECT sum(taken) FROM recours_quota") in ([(0,)], [(None,)])


def _only_three_asked(world: World, ran: Ran) -> None:
    assert len(world.sql("SELECT * FROM recours_attempts")) == 3
    assert "Skipped (carrier): 2" in ran.log


NOBODY_THERE = [
    case("nobody listens, one claim", 1, "No carrier could be reached at all: is this machine online",
         "No attempt was used up (1 claim)", prepare=_nobody(1), check=_as_before, calls=True, full=True),
    case("nobody listens, several claims", 1, "No carrier could be reached at all: is this machine online",
         prepare=_nobody(5), check=_as_before, calls=True),
    case("a name that does not resolve", 1, "is this machine online, and does it resolve names?", calls=True,
         prepare=lambda w: (_plays(_S.DELIVERED)(w), w.env.update(CHRONOPOST_BASE_URL="https://nowhere.invalid")),
         check=_as_before),
    case("no TLS where TLS is due", 1, "No carrier could be reached at all", calls=True, check=_as_before,
         prepare=lambda w: (_plays(_S.DELIVERED)(w),
                            w.env.update(CHRONOPOST_BASE_URL=w.box.url.replace("http:", "https:")))),
    case("three failures in a row", 0, "Chronopost failed 3 times in a row; its other claims are left for later",
         prepare=_plays(_S.FAULT_SERVER, count=5), check=_only_three_asked, calls=True, options=("--concurrency", "1")),
]  # fmt: skip

CASES = [*SANDBOX, *DOCUMENTS, *RETRY_AFTER, *RAW, *NOBODY_THERE]

"""One carrier in one run: when it accepts claims, and what closes it."""

from datetime import UTC, datetime
from typing import Any

from recours.core.claim import Claim
from recours.core.errors import ErrorKind
from recours.core.outcome import Failure
from recours.core.pauses import Blocked, Refusal
from recours.runs.lane import Lane
from tests.fakes.queue import GOT

UNTIL = datetime(2026, 2, 6, 15, tzinfo=UTC)


def lane(**more: Any) -> Lane:
    return Lane("chronopost", "Chronopost", **more)  # keywords


def test_a_lane_is_open_until_it_is_closed_or_drained() -> None:
    assert lane().is_open(0.0)
    assert not lane(is_empty=True).is_open(0.0)
    assert not lane(refusal=Refusal(Blocked.CARRIER, "no")).is_open(0.0)
    assert not lane().waits


def test_a_lane_that_waits_opens_again() -> None:
    waiting = lane(is_empty=True)
    waiting.wait(10.0, 10.25)
    assert waiting.waits
    assert [waiting.is_open(at) for at in (10.0, 10.24, 10.25)] == [False, False, True]
    waiting.is_empty = True
    assert not waiting.waits
    refused = lane(refusal=Refusal(Blocked.CARRIER, "no"), waits_since=1.0)
    assert not refused.waits


def test_success_does_not_close_the_lane() -> None:
    assert lane().observe(GOT) is None


def test_a_closed_lane_gives_the_reason_and_the_end() -> None:
    limited = Failure(ErrorKind.RATE_LIMITED, "asks us to wait", retry_at=UNTIL)
    assert lane().observe(limited) == Refusal(Blocked.RATE_LIMIT, "asks us to wait", UNTIL)
    refused = Failure(ErrorKind.AUTH_FAILED, "rejects our credentials", retry_at=UNTIL)
    assert lane().observe(refused) == Refusal(
        Blocked.CARRIER, "rejects our credentials", UNTIL, kind=ErrorKind.AUTH_FAILED
    )
    down = Failure(ErrorKind.SERVER_ERROR, "is unavailable (HTTP 503)", 503, retry_at=UNTIL)
    assert lane().observe(down) == Refusal(
        Blocked.CARRIER, "is unavailable (HTTP 503)", UNTIL, kind=ErrorKind.SERVER_ERROR
    )
    closed = lane()
    closed.observe(down)
    assert closed.must_close


def test_a_lane_keeps_its_first_refusal() -> None:
    closed = lane()
    assert closed.observe(Failure(ErrorKind.RATE_LIMITED, "first")) is not None
    assert closed.observe(Failure(ErrorKind.AUTH_FAILED, "second")) is None
    assert closed.refusal is not None
    assert closed.refusal.reason == "first"


def test_the_third_outage_in_a_row_closes_the_lane() -> None:
    down = Failure(ErrorKind.TIMEOUT, "no answer")
    one = lane()
    assert [one.observe(down), one.observe(GOT), one.observe(down), one.observe(down)] == [None] * 4
    reason = "Chronopost failed 3 times in a row; its other claims are deferred"
    assert one.observe(down) == Refusal(Blocked.CARRIER, reason, kind=ErrorKind.TIMEOUT)


def test_failures_of_calls_in_progress_repeat_the_outage() -> None:
    down = Failure(ErrorKind.TIMEOUT, "no answer")
    first = lane()
    second = lane(outage=first.outage)
    first.observe(down)
    first.observe(down)
    assert not second.repeats_outage(down)
    first.observe(down)
    assert second.repeats_outage(down)
    assert not second.repeats_outage(Failure(ErrorKind.NOT_FOUND, "unknown"))
    assert not second.repeats_outage(GOT)


def test_claims_without_a_known_carrier_have_a_lane() -> None:
    assert Claim(1, "CLM-1", carrier="chronopost").account_key == "chronopost"
    assert Claim(1, "CLM-1", carrier_name="Heppner").account_key == ""

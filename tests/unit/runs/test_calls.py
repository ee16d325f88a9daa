"""The calls of a run: how many at once, what pauses a carrier, and what counts as an attempt."""

import errno
import logging
import threading
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from unittest.mock import Mock

import pytest

from recours.core.claim import Claim, Delivery, Stage, State
from recours.core.errors import ErrorKind, RunError
from recours.core.outcome import Failure, Label, Retrieved
from recours.core.pauses import Blocked, Refusal
from recours.core.quota import Capability
from recours.runs import engine
from recours.runs.ports import CarrierAnswer, Lease, ParcelQuery, Reservation
from tests.fakes.carriers import CATALOG, CHRONOPOST
from tests.fakes.documents import PDF
from tests.fakes.queue import DELIVERY, GOT
from tests.fakes.world import World

HOUR = timedelta(hours=1)
N = "XY000000001FR"
DHL_N = "1234567890"
UNREACHABLE = Failure(ErrorKind.NETWORK, "no connection could be made", connected=False)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture(autouse=True)
def _all_levels(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="__main__")


def fail(kind: ErrorKind, words: str = "said no", **more: Any) -> Failure:
    return Failure(kind, words, **more)  # any carrier that a test names


def retries_of(world: World) -> list[int]:
    """The used retries of each claim."""
    return [claim.retries_counted for claim in world.table.claims()]


def outcomes_of(world: World) -> list[tuple[str, bool]]:
    return [(attempt.outcome, attempt.uses_attempt) for attempt in world.claims.attempts]


def everything_is_released(world: World) -> bool:
    return not world.table.leases() and not any(world.queue.held.values())


class Meeting:
    """Makes fetches wait for one another, so that a test knows how many are in progress at once."""

    def __init__(self, size: int, patience_s: float = 2) -> None:
        self._barrier = threading.Barrier(size)
        self._patience_s = patience_s
        self.failed = False

    def __call__(self, _number: str) -> None:
        try:
            self._barrier.wait(self._patience_s)
        except threading.BrokenBarrierError:
            self.failed = True


# ---------------------------------------------------------------- how many at once


def test_only_one_call_is_made_until_the_account_is_accepted(world: World) -> None:
    numbers = world.many_failed(6)
    world.queue.answers[numbers[0]] = [fail(ErrorKind.NOT_DELIVERED_YET)]  # whose calls do not use an account
    together: list[int] = []

    def during(number: str) -> None:
        if number in numbers[:2]:
            alone(number)
            together.append(world.queue.together["chronopost"])
        else:
            meeting(number)

    alone, meeting = Meeting(2, 0.1), Meeting(4)
    world.queue.during = during
    report = world.retry()
    assert (report.stats.success, report.stats.failed) == (5, 1)
    assert world.called_numbers[:2] == numbers[:2]
    assert together == [1, 1], "no other call while the first two were in progress"
    assert (meeting.failed, world.queue.together["chronopost"]) == (False, 4)


def test_another_carrier_does_not_wait_for_the_acceptance(world: World) -> None:
    world.failed("CLM-1")
    world.failed("CLM-2", DHL_N, carrier="DHL Express")
    world.queue.during = meeting = Meeting(2)
    assert world.retry().stats.success == 2
    assert not meeting.failed


def test_calls_of_one_carrier_can_be_limited(world: World) -> None:
    world.many_failed(12)
    assert world.retry(carrier_concurrency=2).stats.success == 12
    assert world.queue.together["chronopost"] <= 2


# ---------------------------------------------------------------- between a claim's lease and its call

AT_ONCE: dict[str, Any] = {"concurrency": 2, "carrier_concurrency": 2}


def run_before_call(world: World, number: str, meanwhile: Callable[[], None]) -> threading.Event:
    """Call `meanwhile` after this claim is leased and before it is fetched. The event is set when that happens."""
    reached = threading.Event()
    fetch_bundle = world.queue.fetch_bundle

    def delayed(
        reservations: Sequence[Reservation],
        key: str,
        asked: Sequence[ParcelQuery],
        may_continue: Callable[[], bool] = lambda: True,
    ) -> Generator[CarrierAnswer, None, None]:
        if asked[0].number == number:
            reached.set()
            meanwhile()
        return fetch_bundle(reservations, key, asked, may_continue)

    world.queue.fetch_bundle = delayed
    return reached


def wait_until(happened: Callable[[], bool]) -> None:
    ends = time.monotonic() + 5
    while not happened():
        assert time.monotonic() < ends
        time.sleep(0.005)


@pytest.mark.parametrize("kind", [ErrorKind.RATE_LIMITED, ErrorKind.AUTH_FAILED])
def test_claims_leased_before_a_refusal_are_not_fetched(
    world: World, kind: ErrorKind, caplog: pytest.LogCaptureFixture
) -> None:
    numbers = world.many_failed(6)
    leased = run_before_call(world, numbers[2], lambda: wait_until(lambda: "Skipped until" in caplog.text))
    world.queue.during = lambda number: assert_set(leased) if number == numbers[1] else None
    world.queue.answers[numbers[1]] = [fail(kind, retry_at=world.now + HOUR)]
    report = world.retry(batch_size=3, **AT_ONCE)
    assert sorted(world.called_numbers) == numbers[:2]
    assert (report.stats.success, retries_of(world)) == (1, [1, 0, 0, 0, 0, 0])
    assert "CLM-03 not tried yet; it stays due" in caplog.messages
    assert everything_is_released(world)
    assert all(claim.state.interruptions == 0 for claim in world.table.claims())


def assert_set(event: threading.Event) -> None:
    assert event.wait(5)


def test_a_leased_claim_is_not_fetched_once_the_run_is_stopped(world: World) -> None:
    numbers = world.many_failed(8)
    worker = world.scheduler(8, **AT_ONCE)
    run_before_call(world, numbers[2], lambda: worker.stop(15))
    report = worker.run()
    assert numbers[2] not in world.called_numbers
    assert (report.stats.success, report.exit_status) == (len(world.called_numbers), 143)
    assert everything_is_released(world)
    assert {claim.state.stage for claim in world.table.claims()[2:]} == {Stage.READY}


def test_a_leased_claim_is_not_fetched_once_no_document_can_be_stored(world: World) -> None:
    numbers = world.many_failed(6)
    leased = run_before_call(
        world, numbers[2], lambda: wait_until(lambda: "CLM-02" not in world.table.leases())
    )

    def during(number: str) -> None:
        if number == numbers[1]:
            assert_set(leased)
            wait_until(lambda: bool(world.claims.attempts))  # about the first one
            world.documents.full = "The disk is full."

    world.queue.during = during
    report = world.retry(batch_size=3, **AT_ONCE)
    assert (sorted(world.called_numbers), report.fault) == (numbers[:2], "The disk is full.")
    assert (report.stats.success, everything_is_released(world)) == (1, True)


def test_a_leased_claim_is_not_fetched_if_another_run_has_leased_it_since(world: World) -> None:
    numbers = world.many_failed(4)

    def sleep_long() -> None:
        world.table.lease("CLM-04", world.now + HOUR, "another run")
        world.clock.advance(timedelta(minutes=11))

    run_before_call(world, numbers[3], sleep_long)
    assert world.retry(batch_size=4, **AT_ONCE).stats.success == 3
    assert numbers[3] not in world.called_numbers
    assert world.table.leases()["CLM-04"].token == "another run"
    assert world.queue.held.total() == 0


# ---------------------------------------------------------------- several claims with one call


@pytest.fixture
def _three_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CATALOG.specs, "chronopost", replace(CHRONOPOST, numbers_per_call=3))


def bundles_of(world: World) -> list[list[str]]:
    """The numbers of each shared call."""
    bundles: list[list[str]] = []
    fetch_bundle = world.queue.fetch_bundle

    def recorded_bundle(
        reservations: Sequence[Reservation],
        key: str,
        asked: Sequence[ParcelQuery],
        may_continue: Callable[[], bool] = lambda: True,
    ) -> Generator[CarrierAnswer, None, None]:
        bundles.append([one.number for one in asked])
        return fetch_bundle(reservations, key, asked, may_continue)

    world.queue.fetch_bundle = recorded_bundle
    return bundles


@pytest.mark.usefixtures("_three_a_call")
def test_shared_calls_are_limited_by_the_carrier_and_the_batch(world: World) -> None:
    numbers = world.many_failed(9)
    bundles = bundles_of(world)
    assert world.retry(batch_size=8, concurrency=1).stats.success == 8
    assert bundles == [numbers[:3], numbers[3:6], numbers[6:8]]
    assert everything_is_released(world)


@pytest.mark.usefixtures("_three_a_call")
def test_a_claim_of_a_killed_run_shares_no_call(world: World) -> None:
    numbers = world.many_failed(4)
    world.retry(carriers=("dhl_express",))
    lease_and_die(world, 2)
    bundles = bundles_of(world)
    assert world.retry(concurrency=1).stats.success == 4
    assert bundles == [[numbers[0]], [numbers[1]], numbers[2:]]


@pytest.mark.usefixtures("_three_a_call")
def test_each_claim_of_a_bundle_is_recorded_during_the_next_call(world: World) -> None:
    numbers = world.many_failed(3)
    world.queue.during = lambda number: wait_until(
        lambda: len(world.claims.attempts) == numbers.index(number)
    )
    assert world.retry().stats.success == len(numbers)


@pytest.mark.usefixtures("_three_a_call")
def test_stopping_the_run_releases_the_rest_of_a_bundle(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    numbers = world.many_failed(3)
    worker = world.scheduler()
    world.queue.during = lambda number: worker.stop(15) if number == numbers[1] else None
    report = worker.run()
    assert (world.called_numbers, report.stats.success) == (numbers[:2], 2)
    assert "CLM-03 not tried yet; it stays due" in caplog.messages
    assert (everything_is_released(world), retries_of(world)) == (True, [1, 1, 0])


# ---------------------------------------------------------------- the batch


def test_rate_limited_claims_do_not_use_up_the_batch(world: World) -> None:
    numbers = world.many_failed(4)
    world.queue.answers[numbers[0]] = [fail(ErrorKind.RATE_LIMITED)]
    for place in range(3):
        world.failed(f"DHL-{place}", f"123456789{place}", carrier="DHL Express", deadline=date(2030, 1, 1))
    report = world.retry(2, concurrency=1)
    assert (report.stats.total, report.stats.success) == (2, 2)
    assert retries_of(world)[:4] == [0, 0, 0, 0]
    assert report.stats.skipped_rate_limit == 4


def test_claims_that_end_without_a_call_do_not_use_up_the_batch(world: World) -> None:
    world.many_failed(3, retries_counted=4)
    for claim in world.table.claims():  # of claims that recours itself has tried this often
        state = State(Stage.READY, 4, failed_at=world.now - 200 * HOUR, rank_at=world.now)
        world.table.assess(claim.reference, state)
    world.failed("CLM-9", "XY000000009FR", deadline=date(2030, 1, 1))
    report = world.retry(1)
    assert (report.stats.success, report.stats.max_retries_reached) == (1, 3)


# ---------------------------------------------------------------- answers


def test_a_claim_edited_while_its_call_was_in_progress_is_assessed_again(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.failed("CLM-1")
    world.queue.during = lambda _: world.table.edit("CLM-1", number="XY000000002FR")
    report = world.retry()
    assert report.stats.total == 0
    assert (
        "CLM-1 was edited during the fetch: the answer is stored with the claim's attempts, "
        "and the claim is assessed again"
    ) in caplog.messages
    assert outcomes_of(world) == [("success", True)]
    assert (world.table["CLM-1"].fetch_status, world.table.notices) == ("failed", [])
    assert everything_is_released(world)
    world.queue.during = lambda _: None
    assert world.retry().stats.success == 1
    assert world.called_numbers == [N, "XY000000002FR"]


def test_an_internal_error_costs_the_claim_a_retry_and_shows_its_traceback(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.many_failed(2)
    world.queue.answers[N] = [ZeroDivisionError("division by zero")]
    report = world.retry(concurrency=1)
    assert (report.stats.success, report.stats.failed, report.exit_status) == (1, 1, 0)
    (record,) = [record for record in caplog.records if record.exc_info]
    assert (record.levelname, record.getMessage()) == ("ERROR", "CLM-01: internal error")
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError
    claim = world.table["CLM-01"]
    assert claim.error_text == "recours itself failed; see its log for details"
    assert (claim.state.kind, claim.retries_counted) == (ErrorKind.INTERNAL_ERROR, 1)


def test_an_invalid_document_is_a_bad_response_that_keeps_the_known_delivery(world: World) -> None:
    world.failed("CLM-1")
    world.queue.answers[N] = [Retrieved.single(b"<html>", DELIVERY, "x"), GOT]
    world.retry()
    claim = world.table["CLM-1"]
    assert claim.error_text == "The carrier sent a document that is not a proof of delivery"
    assert (claim.state.kind, claim.state.delivery) == (ErrorKind.BAD_RESPONSE, DELIVERY)
    world.clock.advance(6 * HOUR)
    world.retry()
    assert world.queue.fetches == [(N, None), (N, DELIVERY)]


def test_only_the_document_of_a_delivered_parcel_is_requested(world: World) -> None:
    world.failed("CLM-1")
    world.queue.answers[N] = [fail(ErrorKind.POD_NOT_AVAILABLE_YET, delivery=DELIVERY)]
    world.retry()
    world.clock.advance(6 * HOUR)
    world.queue.limits["chronopost"] = 2  # one is used, one is enough
    assert world.retry().stats.success == 1
    assert world.queue.fetches[-1] == (N, DELIVERY)


def test_an_attempt_is_recorded_with_its_facts(world: World) -> None:
    world.failed("CLM-1", retries_counted=2, updated_at=world.now - 90 * HOUR)
    world.queue.during = lambda _: world.clock.advance(timedelta(seconds=2.5))
    world.queue.answers[N] = [fail(ErrorKind.SERVER_ERROR, "unavailable", http_status=503)]
    world.retry()
    (attempt,) = world.claims.attempts
    assert (attempt.retry, attempt.calls, attempt.duration_s) == (3, 1, 2.5)
    assert attempt.started_at == datetime(2026, 2, 2, 8, 0, tzinfo=UTC)
    assert attempt.failure == Failure(ErrorKind.SERVER_ERROR, "unavailable", 503)
    assert attempt.document is None


# ---------------------------------------------------------------- what closes a carrier


@pytest.mark.parametrize("kind", [ErrorKind.SERVER_ERROR, ErrorKind.TIMEOUT, ErrorKind.NETWORK])
def test_three_outages_in_a_row_close_a_carrier_for_this_run(
    world: World, caplog: pytest.LogCaptureFixture, kind: ErrorKind
) -> None:
    numbers = world.many_failed(6)
    for number in numbers[:3]:
        world.queue.answers[number] = [fail(kind)]
    report = world.retry(concurrency=1)
    assert world.called_numbers == numbers[:3]
    assert (report.stats.failed, report.stats.skipped_carrier) == (3, 3)
    assert ("⚠️ Skipped: Chronopost failed 3 times in a row; its other claims are deferred") in caplog.messages
    assert retries_of(world) == [1, 1, 1, 0, 0, 0]
    assert world.journal.events == []
    assert everything_is_released(world)
    assert world.retry().stats.success == 3


def test_an_outage_uses_three_attempts_regardless_of_calls_in_progress(world: World) -> None:
    numbers = world.many_failed(8)
    meeting = Meeting(4)
    world.queue.during = lambda number: None if number == numbers[0] else meeting(number)
    for number in numbers[1:]:
        world.queue.answers[number] = [fail(ErrorKind.TIMEOUT)]
    report = world.retry(batch_size=5)
    assert not meeting.failed
    assert (report.stats.success, report.stats.failed, report.stats.skipped_carrier) == (1, 3, 4)
    assert sorted(outcomes_of(world)) == [
        ("failed", True),
        ("failed", True),
        ("failed", True),
        ("left", False),
        ("success", True),
    ]
    assert everything_is_released(world)


def test_an_answer_between_shows_that_the_carrier_is_up(world: World) -> None:
    numbers = world.many_failed(7)
    bad = [fail(ErrorKind.SERVER_ERROR)]
    for place in (0, 1, 3, 4, 6):
        world.queue.answers[numbers[place]] = list(bad)
    world.queue.answers[numbers[2]] = [fail(ErrorKind.NOT_FOUND)]
    report = world.retry(concurrency=1)
    assert (report.stats.failed, report.stats.success, report.stats.skipped_carrier) == (6, 1, 0)


def test_another_carrier_s_outage_is_not_ours(world: World) -> None:
    numbers = world.many_failed(4)
    for number in numbers:
        world.queue.answers[number] = [fail(ErrorKind.TIMEOUT)]
    world.failed("DHL-1", DHL_N, carrier="DHL Express", deadline=date(2030, 1, 1))
    report = world.retry(concurrency=1)
    assert (report.stats.failed, report.stats.success, report.stats.skipped_carrier) == (3, 1, 1)


def test_a_refused_account_defers_the_carriers_claims(world: World, caplog: pytest.LogCaptureFixture) -> None:
    numbers = world.many_failed(3)
    words = "Chronopost rejects our credentials (credentials from .env)"
    world.queue.answers[numbers[0]] = [fail(ErrorKind.AUTH_FAILED, words)]
    report = world.retry()
    assert (world.called_numbers, report.stats.total, report.stats.skipped_carrier) == ([numbers[0]], 0, 3)
    assert retries_of(world) == [0, 0, 0]
    assert outcomes_of(world) == [("left", False)]
    assert caplog.messages.count(f"⏸️ DEFERRED: CLM-01 - {words}; no attempt was used") == 1
    assert f"⚠️ Skipped until 2026-02-02 10:00: {words}" in caplog.messages
    (event,) = world.journal.events
    assert (event.name, event.carrier) == ("account_fault", "chronopost")
    # Tried again after an hour, the carrier's claims are unchanged.
    assert world.retry().stats.skipped_carrier == 3
    world.clock.advance(HOUR)
    assert world.retry().stats.success == 3


def test_a_429_pauses_the_carrier_and_does_not_count_as_an_attempt(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    numbers = world.many_failed(3)
    until = world.now + timedelta(minutes=90)
    world.queue.answers[numbers[0]] = [fail(ErrorKind.RATE_LIMITED, "asks us to wait", retry_at=until)]
    report = world.retry()
    assert (world.called_numbers, report.stats.skipped_rate_limit) == ([numbers[0]], 3)
    assert retries_of(world) == [0, 0, 0]
    assert "⚠️ Skipped until 2026-02-02 10:30: asks us to wait" in caplog.messages
    world.clock.advance(HOUR)
    assert world.retry().stats.skipped_rate_limit == 3
    world.clock.advance(HOUR / 2)
    assert world.retry().stats.success == 3


# ---------------------------------------------------------------- units that others hold


def test_a_run_waits_for_units_reserved_by_others(world: World) -> None:
    world.many_failed(2)
    world.queue.held_by_others["chronopost"] = 20
    report = world.retry()
    assert (report.stats.success, report.stats.skipped_rate_limit) == (2, 0)
    assert world.now - report.started_at == timedelta(seconds=5)


def test_a_run_does_not_wait_forever_for_reserved_units(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.many_failed(2)
    world.queue.held_by_others["chronopost"] = 10_000
    report = world.retry()
    assert (report.stats.total, report.stats.skipped_rate_limit) == (0, 2)
    assert world.now - report.started_at == timedelta(seconds=60)
    assert "⚠️ Skipped until 2026-02-03 01:00: Chronopost is at its limit" in caplog.messages
    assert everything_is_released(world)


def test_other_claims_are_fetched_while_one_waits_for_units(world: World) -> None:
    world.failed("CLM-1")
    for place in range(3):
        world.failed(f"DHL-{place}", f"123456789{place}", carrier="DHL Express", deadline=date(2030, 1, 1))
    world.queue.held_by_others["chronopost"] = 3
    report = world.retry(concurrency=1)
    assert report.stats.success == 4
    assert world.called_numbers[-1] == N


def test_a_successful_wait_does_not_shorten_the_next(world: World) -> None:
    world.many_failed(3)
    world.queue.held_by_others["chronopost"] = 200
    world.queue.during = lambda _: world.queue.held_by_others.update(chronopost=200)
    report = world.retry(concurrency=1)
    assert report.stats.success == 3


# ---------------------------------------------------------------- no network


def test_if_no_call_could_connect_no_attempt_is_used_and_the_run_fails(world: World) -> None:
    numbers = world.many_failed(2)
    for number in (*numbers, DHL_N):
        world.queue.answers[number] = [UNREACHABLE]
    world.failed("DHL-1", DHL_N, carrier="DHL Express")
    report = world.retry()
    assert report.exit_status == 1
    assert report.fault == (
        "No carrier could be reached: check this machine's network and DNS. Deferred without using an attempt: 3 claims."
    )
    assert report.stats.total == 0
    assert retries_of(world) == [0, 0, 0]
    assert outcomes_of(world) == [("left", False)] * 3
    assert sum(world.queue.used.values()) == 0
    assert everything_is_released(world)
    assert world.retry().stats.success == 3


def test_pending_claims_stay_pending_if_no_call_could_connect(world: World) -> None:
    for place in (1, 2):
        world.pending(f"CLM-{place}", f"XY00000000{place}FR")
        world.queue.answers[f"XY00000000{place}FR"] = [replace(UNREACHABLE, resolved=False)]
    assert world.fetch().exit_status == 1
    assert {claim.fetch_status for claim in world.table.claims()} == {"pending"}
    assert world.fetch().stats.success == 2


@pytest.mark.parametrize("count", [1, 2, 12])
def test_one_unreachable_carrier_is_not_this_machines_fault(world: World, count: int) -> None:
    for number in world.many_failed(count):
        world.queue.answers[number] = [UNREACHABLE]
    report = world.retry(concurrency=1)
    assert (report.exit_status, report.stats.total, report.stats.skipped_carrier) == (0, 0, count)
    assert outcomes_of(world) == [("left", False)] * min(count, 3)
    assert retries_of(world) == [0] * count


def test_an_attempt_is_used_if_an_earlier_call_was_sent(world: World) -> None:
    world.failed("CLM-1")
    world.queue.answers[N] = [UNREACHABLE]
    answered = world.queue.fetch
    world.queue.fetch = lambda *asked: replace(answered(*asked), calls=1)
    report = world.retry()
    assert (report.exit_status, report.stats.failed) == (0, 1)
    assert world.table["CLM-1"].state.kind is ErrorKind.NETWORK


@pytest.mark.parametrize("reached", [0, 1, 2])
def test_failed_connections_use_no_attempt(world: World, reached: int) -> None:
    numbers = world.many_failed(3)
    for place, number in enumerate(numbers):
        if place != reached:
            world.queue.answers[number] = [UNREACHABLE]
    report = world.retry(concurrency=1)
    assert (report.exit_status, report.stats.success, report.stats.failed) == (0, 1, 0)
    assert sorted(retries_of(world)) == [0, 0, 1]


# ---------------------------------------------------------------- time, and being stopped


def test_a_run_starts_no_new_claims_after_its_maximum_runtime(world: World) -> None:
    world.many_failed(6)
    world.queue.during = lambda _: world.clock.advance(timedelta(minutes=2))
    report = world.retry(concurrency=1, max_runtime=timedelta(minutes=5))
    assert report.stats.success == 3
    assert (report.exit_status, report.duration_s) == (0, 360)
    assert everything_is_released(world)
    assert world.retry().stats.success == 3


@pytest.mark.parametrize(("number", "status"), [(2, 130), (15, 143)])
def test_a_stopped_run_finishes_calls_in_progress_and_releases_other_claims(
    world: World, number: int, status: int
) -> None:
    world.many_failed(8)
    worker = world.scheduler(8, concurrency=1)
    world.queue.during = lambda _: worker.stop(number)
    report = worker.run()
    assert (world.called_numbers, report.stats.success, report.exit_status) == ([N], 1, status)
    assert everything_is_released(world)
    assert {claim.state.stage for claim in world.table.claims()[1:]} == {Stage.READY}
    run = world.journal.runs["run-1"]
    assert (run["stats"]["success"], run["exit_status"]) == (1, status)


def test_a_run_stopped_before_it_began_makes_no_call(world: World) -> None:
    world.many_failed(2)
    worker = world.scheduler()
    worker.stop(15)
    assert worker.run().stats.total == 0
    assert (world.called_numbers, everything_is_released(world)) == ([], True)


def test_a_fault_takes_precedence_over_a_signal(world: World) -> None:
    world.failed("CLM-1")
    worker = world.scheduler()
    world.documents.full = "The disk is full."
    worker.stop(15)
    assert worker.run().exit_status == 1


def test_a_claim_leased_for_long_gets_a_longer_lease_before_its_call(world: World) -> None:
    numbers = world.many_failed(3)
    world.queue.answers[numbers[0]] = [fail(ErrorKind.NOT_DELIVERED_YET)]
    leased: list[timedelta] = []
    start = world.now

    def during(number: str) -> None:
        leased.append(world.table.leases()[f"CLM-0{numbers.index(number) + 1}"].until - start)
        world.clock.advance(timedelta(minutes=6))

    world.queue.during = during
    assert world.retry(concurrency=3).stats.total == 3
    # The second begins at 8:06 with 4 minutes left, so its lease lasts until 8:16; likewise the third at 8:12.
    assert leased == [timedelta(minutes=m) for m in (10, 16, 22)]


def test_a_lease_is_renewed_while_the_call_lasts(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_RENEW_EVERY_S", 0.01)
    world.failed("CLM-1")

    def slow_call(number: str) -> None:
        del number
        for _ in range(3):
            world.claims.extended.clear()
            world.clock.advance(timedelta(minutes=6))
            assert world.claims.extended.wait(10)
            assert world.table.leases()["CLM-1"].until - world.now == timedelta(minutes=10)

    world.queue.during = slow_call
    assert world.retry().stats.success == 1


# ---------------------------------------------------------------- runs that died


def test_a_document_stored_by_a_killed_run_is_not_fetched_again(world: World) -> None:
    world.failed("CLM-1")
    world.documents.store(
        Label("chronopost", 1, "CLM-1", N), Retrieved.single(PDF, DELIVERY, "chronopost searchPOD")
    )
    world.retry(carriers=("dhl_express",))
    lease_and_die(world)
    report = world.retry()
    assert (report.stats.success, world.called_numbers) == (1, [])
    (attempt,) = world.claims.attempts
    assert attempt.calls == 0
    assert attempt.document is not None
    assert attempt.document.delivery == DELIVERY
    assert everything_is_released(world)


def test_without_an_interruption_no_old_document_is_searched_for(world: World) -> None:
    world.failed("CLM-1")
    world.documents.store(Label("chronopost", 1, "CLM-1", N), Retrieved.single(PDF, DELIVERY, "x"))
    world.retry()
    assert world.called_numbers == [N]


def test_a_claim_is_not_fetched_again_after_three_killed_runs(world: World) -> None:
    world.failed("CLM-1")
    world.retry(carriers=("dhl_express",))
    for _ in range(3):
        lease_and_die(world)
    report = world.retry()
    assert (report.stats.failed, world.called_numbers) == (1, [])
    claim = world.table["CLM-1"]
    assert claim.error_text == "Several runs in a row died while fetching this claim"
    assert (claim.state.kind, claim.state.interruptions) == (ErrorKind.INTERNAL_ERROR, 0)


def lease_and_die(world: World, most: int = 1) -> None:
    """A run leases the most urgent claims and is killed."""
    lease = Lease(f"died at {world.now}", world.now + timedelta(minutes=10))
    assert len(world.claims.lease(Stage.READY, ["chronopost"], most, lease, world.now)) == most
    world.clock.advance(timedelta(minutes=11))


def test_a_refusal_for_some_claims_of_a_slice_releases_them(world: World) -> None:
    numbers = world.many_failed(5)
    world.queue.limits["chronopost"] = 4  # units for two fetches of two calls each
    uses_both = fail(ErrorKind.NOT_FOUND, str(Capability.TRACKING))
    world.queue.answers = {number: [uses_both] for number in numbers}
    report = world.retry()
    assert report.stats.total >= 2
    assert report.stats.skipped_rate_limit == 5 - report.stats.total
    assert everything_is_released(world)
    assert world.queue.used["chronopost"] <= 4


def test_a_carrier_that_a_person_paused_is_skipped_and_nobody_is_notified_by_mail(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.many_failed(3)
    world.failed("CLM-dhl", DHL_N, carrier="DHL Express")
    world.queue.stop("chronopost", "by alice: talks")
    report = world.retry()
    assert (report.stats.success, report.stats.skipped_carrier) == (1, 3)
    assert world.called_numbers == [DHL_N]
    assert "⚠️ Skipped: Chronopost was paused by alice: talks" in caplog.text
    assert (world.journal.events, retries_of(world)[:3]) == ([], [0, 0, 0])
    assert [attempt.claim.reference for attempt in world.claims.attempts] == ["CLM-dhl"]


def test_a_pause_takes_effect_within_a_run(world: World) -> None:
    world.many_failed(9)
    world.queue.during = lambda number: (
        world.queue.stop("chronopost", "by alice") if "2FR" in number else None
    )
    report = world.scheduler(concurrency=2).run()
    # Fetches with reserved units are completed: the slice in progress, and the one leased in the meantime.
    assert 2 <= report.stats.success <= 4
    assert report.stats.success + report.stats.skipped_carrier == 9
    assert everything_is_released(world)
    world.queue.resume("chronopost")
    assert world.retry().stats.success == report.stats.skipped_carrier


def test_a_claim_in_a_wrong_lane_is_released_if_its_carrier_is_closed(world: World) -> None:
    """For example when a spelling was added to the catalog between two runs."""
    world.failed("CLM-1")
    world.failed("CLM-2", "XY000000002FR")
    world.retry(carriers=("none",))
    world.table.set_own("CLM-2", lane="dhl_express")
    world.queue.refusals["chronopost"] = Refusal(Blocked.RATE_LIMIT, "asked to wait", world.now + HOUR)
    assert world.retry().stats.total == 0
    assert (world.called_numbers, everything_is_released(world)) == ([], True)


def test_a_requested_claim_of_a_carrier_at_its_limit_is_unchanged(world: World) -> None:
    world.failed("CLM-1", updated_at=world.now)
    world.retry()
    before = world.table["CLM-1"].state
    world.queue.limits["chronopost"] = 0
    report = world.retry(claims=("CLM-1",))
    assert (report.stats.total, report.stats.skipped_rate_limit) == (0, 1)
    assert world.table["CLM-1"].state == before
    assert everything_is_released(world)


def test_a_row_locked_by_another_program_loses_no_other_answer(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    numbers = world.many_failed(4)
    meeting = Meeting(3)

    def during(number: str) -> None:
        if number != numbers[0]:
            meeting(number)
            world.claims.locked = {"CLM-02"}

    world.queue.during = during
    report = world.retry(concurrency=3)
    assert (report.exit_status, report.fault) == (1, "A row is locked by another program.")
    assert sorted(attempt.claim.reference for attempt in world.claims.attempts) == [
        "CLM-01",
        "CLM-03",
        "CLM-04",
    ]
    assert outcomes_of(world) == [("success", True)] * 3
    assert report.stats.success == 3  # recorded results are reported and counted
    assert sum("SUCCESS" in line for line in caplog.messages) == 3


def test_an_answer_that_waits_for_others_is_recorded_though_no_other_claim_can_be_leased(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = world.many_failed(3)
    world.queue.answers[numbers[0]] = [fail(ErrorKind.ACCESS_DENIED)]

    def broken(*_: Any, **__: Any) -> list[Claim]:
        raise RunError("The database went away.")

    world.queue.during = lambda _: monkeypatch.setattr(world.claims, "lease", broken)
    report = world.retry(concurrency=1)
    assert (report.exit_status, report.fault, world.called_numbers) == (
        1,
        "The database went away.",
        numbers[:1],
    )
    assert outcomes_of(world) == [("failed", True)]
    assert everything_is_released(world)


def test_a_run_ends_if_the_database_fails_between_the_quotas_of_two_carriers(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody fetches the bundles of the first carrier: the run does not wait for them."""
    world.failed("CLM-1")
    world.failed("DHL-1", DHL_N, carrier="DHL Express")
    # Otherwise they are leased one after the other.
    monkeypatch.setattr(world.queue, "asks_alone", lambda _: False)
    reserve, reserved = world.queue.reserve, []

    def broken(key: str, *args: Any, **named: Any) -> Any:
        reserved.append(key)
        if len(reserved) == 2:
            raise RunError("The database went away.")
        return reserve(key, *args, **named)

    world.queue.reserve = broken
    report = world.retry()
    assert (report.exit_status, report.fault, len(reserved)) == (1, "The database went away.", 2)
    assert world.called_numbers == []
    assert not world.table.leases()


def test_answers_that_need_no_disk_are_recorded_when_the_disk_is_full(world: World) -> None:
    world.failed("CLM-1")
    world.failed("DHL-1", DHL_N, carrier="DHL Express")
    meeting = Meeting(2)
    world.queue.answers[DHL_N] = [fail(ErrorKind.NOT_FOUND)]

    def during(number: str) -> None:
        meeting(number)
        world.documents.full = "The disk is full."

    world.queue.during = during
    report = world.retry()
    assert (report.exit_status, report.fault) == (1, "The disk is full.")
    assert sorted(world.called_numbers) == [DHL_N, N]
    assert retries_of(world) == [0, 1]
    assert everything_is_released(world)


def test_without_a_network_and_without_a_database_the_first_fault_is_reported(world: World) -> None:
    for number in world.many_failed(2):
        world.queue.answers[number] = [UNREACHABLE]
    world.queue.during = lambda _: setattr(world.claims, "broken", "The database went away.")
    report = world.retry(concurrency=1)
    assert (report.exit_status, retries_of(world)) == (1, [0, 0])
    assert report.fault == "The database went away."


# ---------------------------------------------------------------- codes that are not in the tables


def test_an_unknown_code_is_reported_once_per_run_with_a_count(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    numbers = world.many_failed(4)
    for number, code in zip(numbers, ("ZZ (Lille)", "ZZ (Lille)", "YY (Lille)", "ZZ (Metz)"), strict=True):
        strange = fail(ErrorKind.NOT_DELIVERED_YET, unknown=f"the event code {code}")
        world.queue.answers[number] = [strange, strange]
    world.retry()
    messages = [message for message in caplog.messages if "does not know" in message]
    assert messages == [
        "Chronopost sent the event code ZZ (Lille), which recours does not know: 3 parcels",
        "Chronopost sent the event code YY (Lille), which recours does not know: 1 parcel",
    ]
    world.clock.advance(timedelta(hours=7))
    world.retry()
    assert len([message for message in caplog.messages if "does not know" in message]) == 4


def test_an_unknown_label_of_a_delivered_parcel_is_reported(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    strange = Delivery(unknown="the label 'Étage' beside a delivery")
    fetched, late = world.many_failed(2)
    world.queue.answers[fetched] = [Retrieved.single(PDF, strange, "a test")]
    world.queue.answers[late] = [fail(ErrorKind.POD_NOT_AVAILABLE_YET, delivery=strange)]
    world.retry()
    assert [message for message in caplog.messages if "does not know" in message] == [
        "Chronopost sent the label 'Étage' beside a delivery, which recours does not know: 2 parcels"
    ]


def test_unknown_carrier_codes_are_logged_even_if_the_run_fails(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    (number,) = world.many_failed(1)
    world.queue.answers[number] = [fail(ErrorKind.NOT_DELIVERED_YET, unknown="the event code ZZ (Lille)")]
    world.queue.during = lambda _: setattr(world.claims, "broken", "The database went away.")
    assert world.retry(concurrency=1).exit_status == 1
    assert [message for message in caplog.messages if "does not know" in message] == [
        "Chronopost sent the event code ZZ (Lille), which recours does not know: 1 parcel"
    ]


def test_a_doubtful_number_is_reported_and_fetched(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    strict = replace(CHRONOPOST, check_digit_fits=lambda number: number.endswith("1FR"))
    monkeypatch.setitem(CATALOG.specs, "chronopost", strict)
    world.failed("CLM-1", "XY000000001FR")
    world.failed("CLM-2", "XY000000002FR")
    world.retry()
    assert sorted(world.called_numbers) == ["XY000000001FR", "XY000000002FR"]
    messages = [message for message in caplog.messages if "check digit" in message]
    assert messages == ["CLM-2: the check digit of XY000000002FR is wrong; Chronopost is asked anyway"]


# ---------------------------------------------------------------- internal errors


def zero_division() -> Exception:
    """Return the same error, raised in the same place."""
    try:
        divmod(1, 0)
    except ZeroDivisionError as error:
        return error
    raise AssertionError


def notifications(world: World) -> list[tuple[str, str, str]]:
    return [(event.name, event.audience, event.carrier) for event in world.journal.events]


def test_a_missing_package_uses_no_attempt_and_fails_the_run(world: World) -> None:
    numbers = world.many_failed(5)
    world.failed("DHL-1", DHL_N, carrier="DHL Express")
    for number in numbers:
        world.queue.answers[number] = [ModuleNotFoundError("No module named 'lxml'")]
    report = world.retry(concurrency=1)
    assert report.exit_status == 1
    assert report.fault is not None
    assert "No module named 'lxml'" in report.fault
    assert "pip install --require-hashes -r requirements.txt" in report.fault
    assert "Deferred without using an attempt: 1 claim." in report.fault
    assert (report.stats.success, report.stats.failed, report.stats.skipped_carrier) == (1, 0, 5)
    assert retries_of(world)[:5] == [0] * 5
    assert notifications(world) == [("run_fault", "operator", "chronopost")]
    assert everything_is_released(world)
    assert all(claim.state.interruptions == 0 for claim in world.table.claims())
    world.retry(concurrency=1)
    assert len(notifications(world)) == 1, "once a day"


@pytest.mark.parametrize("concurrency", [1, 4])
def test_the_same_internal_error_three_times_in_a_row_is_the_runs_fault(
    world: World, concurrency: int
) -> None:
    numbers = world.many_failed(6)
    for number in numbers:
        world.queue.answers[number] = [zero_division()]
    report = world.retry(concurrency=concurrency)
    assert (report.exit_status, report.stats.total) == (1, 0)
    assert retries_of(world) == [0] * 6
    assert notifications(world) == [("run_fault", "operator", "chronopost")]
    assert all(not used for _, used in outcomes_of(world))
    assert everything_is_released(world)
    world.queue.answers.clear()
    assert world.retry().stats.success == 6, "all are still due"


def test_a_lack_of_file_descriptors_uses_no_attempt_from_the_first_claim_on(world: World) -> None:
    numbers = world.many_failed(2)
    world.queue.answers[numbers[0]] = [OSError(errno.EMFILE, "Too many open files")]
    report = world.retry(concurrency=1)
    assert (report.exit_status, report.stats.total, retries_of(world)) == (1, 0, [0, 0])
    assert "ulimit -n" in world.journal.events[0].facts["error"]
    assert world.retry(concurrency=1).stats.success == 2
    assert world.called_numbers == [numbers[0], *numbers], "the claim keeps its rank"


def test_three_claims_with_internal_errors_do_not_block_the_others(world: World) -> None:
    numbers = world.many_failed(6)
    for number in numbers[:3]:
        world.queue.answers[number] = [zero_division() for _ in range(9)]
    assert world.retry(concurrency=1).stats.success == 0
    assert world.retry(concurrency=1).stats.success == 3
    assert retries_of(world)[:3] == [0, 0, 0]


@pytest.mark.parametrize("error", [MemoryError(), SystemError("error return without exception set")])
def test_a_claim_that_uses_all_memory_does_not_block_the_others(world: World, error: Exception) -> None:
    numbers = world.many_failed(3)
    world.queue.answers[numbers[0]] = [error for _ in range(9)]
    report = world.retry(concurrency=1)
    assert (report.exit_status, report.stats.total, retries_of(world)[0]) == (1, 0, 0)
    assert world.retry(concurrency=1).stats.success == 2
    assert retries_of(world)[0] == 0


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # the thread has to die
def test_a_thread_that_dies_ends_the_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.many_failed(1)
    monkeypatch.setattr("recours.runs.engine.BundleFinished", Mock(side_effect=MemoryError))
    monkeypatch.setattr("recours.runs.engine._RENEW_EVERY_S", 0.05)
    with pytest.raises(RuntimeError, match="thread fetch_0 died"):
        world.retry()


def test_an_internal_error_before_the_run_fails_costs_no_attempt(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in world.many_failed(2):
        world.queue.answers[number] = [zero_division()]
    monkeypatch.setattr("recours.runs.engine.log.exception", Mock(side_effect=[None, MemoryError()]))
    with pytest.raises(MemoryError):
        world.retry(concurrency=1)
    assert retries_of(world) == [0, 0]


def test_an_internal_error_about_one_claim_is_attributed_to_the_claim(world: World) -> None:
    numbers = world.many_failed(5)
    for number in (numbers[0], numbers[1], numbers[3], numbers[4]):
        world.queue.answers[number] = [zero_division()]
    report = world.retry(concurrency=1)
    assert (report.exit_status, report.stats.success, report.stats.failed) == (0, 1, 4)
    assert notifications(world) == []


def test_internal_errors_in_different_places_are_attributed_to_their_claims(world: World) -> None:
    numbers = world.many_failed(4)
    for number, error in zip(
        numbers, (zero_division(), KeyError("a"), zero_division(), KeyError("b")), strict=True
    ):
        world.queue.answers[number] = [error]
    report = world.retry(concurrency=1)
    assert (report.exit_status, report.stats.failed, notifications(world)) == (0, 4, [])


# ---------------------------------------------------------------- denials


def test_denied_parcels_are_attributed_to_their_claims_and_many_are_reported_in_one_line(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    numbers = world.many_failed(9)
    for number in numbers[:7]:
        world.queue.answers[number] = [fail(ErrorKind.ACCESS_DENIED)]
    report = world.retry(concurrency=1)
    assert (report.stats.success, report.stats.failed, report.stats.skipped_carrier) == (2, 7, 0)
    assert [world.table[f"CLM-{n:02}"].state.stage for n in range(1, 8)] == [Stage.SETTLED] * 7
    told_of = [message for message in caplog.messages if "many parcels" in message]
    assert told_of == [
        "⚠️ Chronopost denied us access to many parcels in one run (7). If our account is the cause, have the carrier "
        "fix it, then run: recours reopen --error access_denied --carrier Chronopost"
    ]
    assert notifications(world) == [("account_fault", "operator", "chronopost")]


def test_four_denied_parcels_are_reported_only_with_their_claims(world: World) -> None:
    for number in world.many_failed(4):
        world.queue.answers[number] = [fail(ErrorKind.ACCESS_DENIED)]
    assert (world.retry().stats.failed, notifications(world)) == (4, [])

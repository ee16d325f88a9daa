"""Claims requested by name, claims of other statuses, and data that must survive a failing end of a run."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, NoReturn

import pytest

from recours.core.claim import Claim, Stage
from recours.core.errors import ErrorKind, RunError
from recours.core.outcome import Failure
from recours.core.position import Why
from recours.reporting.plan import preview
from tests.fakes.queue import DELIVERY
from tests.fakes.world import World

HOUR = timedelta(hours=1)
N, M = "XY000000001FR", "XY000000002FR"


@pytest.fixture
def world() -> World:
    return World()


def candidates(world: World) -> Iterator[tuple[Claim, bool]]:
    for claim in world.table.claims():
        yield claim, False


def test_facts_about_the_old_number_are_not_used_for_the_corrected_one(world: World) -> None:
    world.failed("CLM-1")
    world.queue.answers[N] = [Failure(ErrorKind.POD_NOT_AVAILABLE_YET, "none", delivery=DELIVERY)]
    world.retry()
    world.table.edit("CLM-1", number=M)
    world.retry(claims=("CLM-1",))
    assert world.queue.fetches[-1] == (M, None)


def test_a_corrected_claim_that_is_requested_and_deferred_starts_over(world: World) -> None:
    world.failed("CLM-1", retries_counted=4, updated_at=world.now - 90 * HOUR)
    world.retry()
    world.table.edit("CLM-1", number=M)
    world.queue.answers[M] = [Failure(ErrorKind.RATE_LIMITED, "wait")]
    world.retry(claims=("CLM-1",))
    world.clock.advance(2 * HOUR)
    world.retry()
    assert world.table["CLM-1"].fetch_status == "success"


def test_a_claim_leased_by_another_run_does_not_block_the_others(world: World) -> None:
    world.many_failed(10)
    names = tuple(f"CLM-{n:02}" for n in range(1, 11))
    worker = world.scheduler(1, claims=names, concurrency=8)
    really = world.documents.prepare

    def meanwhile() -> None:
        really()
        world.table.lease("CLM-03", world.now + HOUR)

    world.documents.prepare = meanwhile
    assert worker.run().stats.success == 9


def test_a_requested_and_deferred_claim_of_another_status_is_not_retried(world: World) -> None:
    world.table.add("CLM-1", number=N, fetch_status="manual", updated_at=world.now - 9 * HOUR)
    world.queue.answers[N] = [Failure(ErrorKind.RATE_LIMITED, "wait")]
    world.retry(claims=("CLM-1",))
    world.clock.advance(2 * HOUR)
    world.retry()
    world.fetch()
    assert world.called_numbers == [N]


@pytest.mark.parametrize("ahead", [None, 9000 * HOUR], ids=["not told", "in the future"])
def test_an_abandoned_fetch_without_a_usable_start_time_is_resumed(
    world: World, ahead: timedelta | None
) -> None:
    columns: dict[str, Any] = {} if ahead is None else {"updated_at": world.now + ahead}
    world.table.add("CLM-1", number=N, fetch_status="fetching", **columns)
    world.fetch()
    assert world.called_numbers == []
    for _ in range(6):
        world.clock.advance(timedelta(minutes=29, seconds=59))
        world.fetch()
    assert world.called_numbers == [N]


def test_a_preview_shows_the_first_of_equally_urgent_claims(world: World) -> None:
    for place in range(4):
        world.failed(f"CLM-{place}")
    result = preview(candidates(world), Stage.READY, 3, (), {}, world.policy, world.now)
    assert [claim.reference for claim, _ in result.batch] == ["CLM-0", "CLM-1", "CLM-2"]


def test_in_a_preview_a_settled_claim_skips_no_retry_before_it_is_due(world: World) -> None:
    world.failed("CLM-1")
    world.queue.answers[N] = [Failure(ErrorKind.ACCESS_DENIED, "no")]
    world.retry(policy={"max_retries": 1})
    result = preview(candidates(world), Stage.READY, 3, (), {}, world.policy, world.now)
    assert result.waiting == {Why.BY_BACKOFF: 1}


def test_usage_that_cannot_be_read_does_not_hide_the_summary(world: World) -> None:
    world.failed("CLM-1")

    def broken(key: str) -> NoReturn:
        raise RunError("The database went away.")

    world.queue.usage = broken
    report = world.retry()
    assert (report.fault, report.stats.success) == ("The database went away.", 1)
    assert "exit_status" in world.journal.runs["run-1"]


def test_a_fault_at_the_end_does_not_hide_the_first(world: World) -> None:
    world.many_failed(1)
    world.failed("DHL-1", "1234567890", carrier="DHL Express")
    worker = world.scheduler()
    both = threading.Barrier(2)

    def during(number: str) -> None:
        both.wait(2)
        world.documents.full = "The disk is full."
        world.journal.broken = "gone"
        if number == "1234567890":
            worker._stop.wait(2)  # until the other fault has been processed

    world.queue.during = during
    world.queue.answers["1234567890"] = [Failure(ErrorKind.AUTH_FAILED, "refused")]
    report = worker.run()
    assert (report.exit_status, report.fault) == (1, "The disk is full.")

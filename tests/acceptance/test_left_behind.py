"""What whole runs leave behind and say so: claims for which no call is left, and those whose own status sets them aside."""

import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from recours.runs.worker import Worker
from recours.runs.workers import PODFetchWorker, PODRetryScheduler
from recours.sandbox import Sandbox, Scenario, SimulatedClock
from tests.acceptance.simulation import FAILED_AT, Service

S = Scenario
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


@pytest.fixture
def service(url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Service]:
    """Eight calls a day, which are four claims."""
    caplog.set_level(logging.INFO, logger="__main__")
    clock = SimulatedClock(FAILED_AT + HOUR)
    with Sandbox(now=clock.now) as box:
        service = Service(tmp_path, box, clock, url=url, QUOTA_CHRONOPOST="8/day")
        yield service
        service.close()


# ---------------------------------------------------------------- more new claims than calls


def test_of_many_new_claims_those_with_the_nearest_deadlines_get_the_calls(service: Service) -> None:
    """640 of them, and calls for 90: the oldest can wait until summer, those of this week cannot."""
    service.environment["QUOTA_CHRONOPOST"] = "180/day"
    new = range(1, 641)
    for claim in new:
        day = f"2026-02-{4 + claim % 5:02}" if claim > 550 else "2026-06-01"
        made = FAILED_AT - timedelta(minutes=700 - claim)
        service.add(S.DELIVERED, pod_fetch_status="pending", failed_at=made, response_deadline=day)
    assert service.run(PODFetchWorker, batch_size=640).stats.success == 90
    fetched = service.sql("SELECT id FROM claims WHERE pod_fetch_status = 'success' ORDER BY id")
    assert [claim for (claim,) in fetched] == list(range(551, 641))


# ---------------------------------------------------------------- calls that are left to the more urgent


def scarce(service: Service, *, near: str, far: str) -> None:
    """Calls for four claims a day; three claims of the worker `near` have the nearer deadline, four of `far` one later on."""
    service.environment["QUOTA_CHRONOPOST"] = "8/day@Europe/Paris"
    for status, count, deadline in ((near, 3, "2026-02-20"), (far, 4, "2026-03-20")):
        for _ in range(count):
            service.add(S.DELIVERED, pod_fetch_status=status, response_deadline=deadline)


def both_ran(service: Service) -> None:
    for worker in (PODFetchWorker, PODRetryScheduler):
        service.run(worker)


@pytest.mark.parametrize(
    ("near", "far", "worker", "other"),
    [
        ("pending", "failed", PODRetryScheduler, PODFetchWorker),
        ("failed", "pending", PODFetchWorker, PODRetryScheduler),
    ],
)
def test_each_worker_leaves_the_calls_that_nearer_deadlines_need(
    service: Service,
    caplog: pytest.LogCaptureFixture,
    near: str,
    far: str,
    worker: type[Worker],
    other: type[Worker],
) -> None:
    both_ran(service)
    scarce(service, near=near, far=far)
    service.clock.advance(MINUTE)
    stats = service.run(worker).stats
    assert (stats.success, stats.skipped_reserved) == (1, 3)
    assert any("kept for more urgent claims (8 per day)" in message for message in caplog.messages)
    assert "⚠️ Skipped (kept for other claims): 3" in caplog.messages
    stats = service.run(other).stats
    assert (stats.success, stats.skipped_reserved, stats.skipped_rate_limit) == (3, 0, 0)


@pytest.mark.parametrize(
    "when", ["in the afternoon", "while the other does not run", "with the nearest deadline", "by hand"]
)
def test_no_call_is_left_to_others(service: Service, when: str) -> None:
    if when != "while the other does not run":
        both_ran(service)
    near, far = ("pending", "failed") if when != "with the nearest deadline" else ("failed", "pending")
    scarce(service, near=near, far=far)
    service.clock.advance(9 * HOUR if when == "in the afternoon" else MINUTE)
    if when == "in the afternoon":
        service.run(PODFetchWorker, carriers=("ups",))  # it runs, and is not behind
    named = ("CLM-0004",) if when == "by hand" else ()
    stats = service.run(PODRetryScheduler, claims=named).stats
    assert stats.skipped_reserved == 0
    assert stats.success == {"with the nearest deadline": 3, "by hand": 1}.get(when, 4)


def test_what_is_late_leaves_calls_to_all_that_is_not(service: Service) -> None:
    both_ran(service)
    scarce(service, near="pending", far="failed")
    service.sql("UPDATE claims SET response_deadline = '2026-01-30' WHERE pod_fetch_status = 'failed'")
    service.clock.advance(MINUTE)
    stats = service.run(PODRetryScheduler).stats
    assert (stats.success, stats.skipped_reserved) == (1, 3)

"""Claims that whole runs defer and report: those without calls left, and those whose own status excludes them."""

import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from recours.runs.worker import PODFetchWorker, PODRetryScheduler
from recours.sandbox import Sandbox, Scenario, SimulatedClock
from tests.acceptance.simulation import FAILED_AT, Service

S = Scenario
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


@pytest.fixture
def service(url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Service]:
    """Eight calls a day, enough for four claims."""
    caplog.set_level(logging.INFO, logger="__main__")
    clock = SimulatedClock(FAILED_AT + HOUR)
    with Sandbox(now=clock.now) as box:
        service = Service(tmp_path, box, clock, url=url, QUOTA_CHRONOPOST="8/day")
        yield service
        service.close()


# ---------------------------------------------------------------- calls that are left to the more urgent


def test_each_worker_reserves_the_calls_that_nearer_deadlines_need(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    for worker in (PODFetchWorker, PODRetryScheduler):
        service.run(worker)
    # Calls for four claims a day; three claims have the earlier deadline, four the later one.
    service.environment["QUOTA_CHRONOPOST"] = "8/day@Europe/Paris"
    for status, count, deadline in (("failed", 3, "2026-02-20"), ("pending", 4, "2026-03-20")):
        for _ in range(count):
            service.add(S.DELIVERED, pod_fetch_status=status, response_deadline=deadline)
    service.clock.advance(MINUTE)
    stats = service.run(PODFetchWorker).stats
    assert (stats.success, stats.skipped_reserved) == (1, 3)
    assert any(
        "has calls left only for more urgent claims (8 per day)" in message for message in caplog.messages
    )
    assert "⚠️ Skipped (kept for other claims): 3" in caplog.messages
    stats = service.run(PODRetryScheduler).stats
    assert (stats.success, stats.skipped_reserved, stats.skipped_rate_limit) == (3, 0, 0)

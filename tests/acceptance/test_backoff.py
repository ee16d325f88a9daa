"""The backoff as the carrier sees it: real runs, hour by hour, with a simulated clock."""

from typing import Any

import pytest

from recours.runs.worker import PODFetchWorker
from recours.sandbox import Scenario, SimulatedClock
from tests.acceptance.simulation import FAILED_AT, Service

S = Scenario


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(FAILED_AT)


def events(service: Service, claim: int) -> list[tuple[Any, ...]]:
    return service.sql("SELECT event, audience FROM recours_events WHERE claim_id = ? ORDER BY id", claim)


# ---------------------------------------------------------------- when the carrier is called


@pytest.mark.sample("more retries, hour by hour: tests/acceptance/test_commands.py has four in the demo")
@pytest.mark.parametrize(
    ("max_retries", "called_at"),
    [(2, [1, 7]), (4, [1, 7, 31, 103]), (6, [1, 7, 31, 103, 175, 247])],
)
def test_a_claim_that_always_fails_is_called_by_the_backoff_and_never_again(
    service: Service, max_retries: int, called_at: list[int]
) -> None:
    claim = service.add(S.IN_TRANSIT)
    service.run_hourly(called_at[-1] + 8, max_retries=max_retries)
    assert service.hours_of_calls(claim) == called_at
    assert service.sql("SELECT pod_retry_count, stage FROM claims JOIN recours_claims ON claim_id = id") == [
        (max_retries, "given_up")
    ]
    assert events(service, claim) == [("gave_up", "operator")]


# ---------------------------------------------------------------- others who fetch, or take care of a claim


def set_status(service: Service, status: str) -> None:
    now = f"{service.clock.now():%Y-%m-%d %H:%M:%S}"
    service.sql("UPDATE claims SET pod_fetch_status = ?, updated_at = ?", status, now)


def test_a_claim_whose_pod_other_software_found_is_not_retried(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    service.environment["QUOTA_CHRONOPOST"] = "20/day"
    claim = service.add(S.UNKNOWN)
    service.run_hourly(1)
    set_status(service, "success")
    service.run_hourly(7, both=True)
    assert len(service.hours_of_calls(claim)) == 1
    caplog.clear()
    with caplog.at_level("INFO"):
        service.run(PODFetchWorker)
        service.run()
    assert "No pending PODs to fetch" in caplog.messages
    assert "No failed PODs eligible for retry" in caplog.messages
    assert "No failed claims are waiting for a retry" in caplog.messages
    assert not [line for line in caplog.messages if "kept for" in line]

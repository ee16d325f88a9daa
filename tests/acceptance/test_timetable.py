"""The timetable as the carrier sees it: real runs, hour by hour, with the clock passed in."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from recours.runs.workers import PODFetchWorker
from recours.sandbox import Sandbox, Scenario, SimulatedClock
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
def test_a_claim_that_always_fails_is_called_on_the_timetable_and_never_again(
    service: Service, max_retries: int, called_at: list[int]
) -> None:
    claim = service.add(S.IN_TRANSIT)
    service.run_hourly(called_at[-1] + 80, max_retries=max_retries)
    assert service.hours_of_calls(claim) == called_at
    assert service.sql("SELECT pod_retry_count, stage FROM claims JOIN recours_claims ON claim_id = id") == [
        (max_retries, "given_up")
    ]
    assert events(service, claim) == [("gave_up", "operator")]


# ---------------------------------------------------------------- edits and requests


def test_a_limit_for_one_carrier_is_none_for_the_others(service: Service) -> None:
    never, unknown = service.add(S.POD_NEVER), service.add(S.UNKNOWN)
    service.run_hourly(6)
    service.clock.advance(timedelta(hours=1))
    service.run(carriers=("ups",), max_retries=2)  # the second turn of both is due
    assert events(service, never) == events(service, unknown) == []
    service.run_on_turns(110)
    told = events(service, never), events(service, unknown)
    assert stages(service) == ["given_up", "given_up"]
    service.run(carriers=("ups",), max_retries=6)
    assert stages(service) == ["given_up", "given_up"]
    service.run(carriers=("chronopost",), max_retries=6)
    assert "given_up" not in stages(service)
    assert (events(service, never), events(service, unknown)) == told


# ---------------------------------------------------------------- others who fetch, or take care of a claim


def stages(service: Service) -> list[str | None]:
    return [stage for (stage,) in service.sql("SELECT stage FROM recours_claims ORDER BY claim_id")]


def set_status(service: Service, status: str) -> None:
    now = f"{service.clock.now():%Y-%m-%d %H:%M:%S}"
    service.sql("UPDATE claims SET pod_fetch_status = ?, updated_at = ?", status, now)


@pytest.mark.parametrize("scenario", [S.UNKNOWN, S.NOT_OURS])
def test_a_claim_whose_pod_others_found_is_waited_for_no_more(
    service: Service, scenario: Scenario, caplog: pytest.LogCaptureFixture
) -> None:
    service.environment["QUOTA_CHRONOPOST"] = "20/day"
    claim = service.add(scenario)
    service.run_hourly(5)
    set_status(service, "success")
    service.run_hourly(20, both=True)
    assert len(service.hours_of_calls(claim)) == 1
    caplog.clear()
    with caplog.at_level("INFO"):
        service.run(PODFetchWorker)
        service.run()
    assert "No pending PODs to fetch" in caplog.messages
    assert "No failed PODs eligible for retry" in caplog.messages
    assert not [line for line in caplog.messages if "waits for a later try" in line or "kept for" in line]


def test_a_claim_found_by_others_just_when_it_was_due_is_not_counted(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    service.environment["QUOTA_CHRONOPOST"] = "2/day"
    service.add(S.UNKNOWN)
    service.add(S.UNKNOWN)
    service.run_hourly(1)  # one is asked about, the other stays ready
    set_status(service, "success")
    caplog.clear()
    with caplog.at_level("INFO"):
        report = service.run()
    assert "No failed PODs eligible for retry" in caplog.messages
    assert report.stats.skipped_rate_limit == 0


# ---------------------------------------------------------------- nobody keeps the others waiting


@pytest.mark.sample("more cases of the same test, each around processes", every=2)
@pytest.mark.parametrize("obstacle", ["waiting", "persistent", "at its limit", "no credentials"])
def test_due_claims_are_taken_however_many_cannot_be(
    make: Callable[..., Service], sandbox: Sandbox, clock: SimulatedClock, obstacle: str
) -> None:
    service = make()
    early = "2026-02-03"  # ranked before the claim that is due
    if obstacle == "waiting":
        for _ in range(200):
            service.add(failed_at=FAILED_AT + timedelta(minutes=50), response_deadline=early)
    elif obstacle == "persistent":
        for _ in range(200):
            service.add(number="malformed", response_deadline=early)
        service.run_hourly(1, batch_size=1000)
        clock.advance(timedelta(hours=6))
    else:
        for _ in range(200):
            service.add(carrier="Chronopost", response_deadline=early)
        limits = {"QUOTA_CHRONOPOST": "2/day"} if obstacle == "at its limit" else {"CHRONOPOST_PASSWORD": ""}
        service.environment |= limits
        if obstacle == "at its limit":
            service.run_hourly(1)
    due = service.add(carrier="No Such Carrier", failed_at=FAILED_AT - timedelta(hours=1))
    clock.advance(timedelta(hours=1, minutes=-1) if obstacle == "waiting" else timedelta())
    report = service.run(batch_size=1)
    assert service.sql("SELECT kind FROM recours_claims WHERE claim_id = ?", due) == [
        ("unsupported_carrier",)
    ], report

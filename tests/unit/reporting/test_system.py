"""The state of the system at a glance: the health of workers, and the problems."""

from datetime import UTC, date, datetime, timedelta

import pytest

from recours.core.claim import Stage
from recours.reporting.system import (
    Backlog,
    Health,
    Rate,
    Run,
    Tally,
    days_until,
    success_of,
    worker_status,
)

NOW = datetime(2026, 2, 2, 8, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = date(2026, 2, 2)


def run(hours_ago: float, *, ended: bool = True, exit_status: int | None = 0) -> Run:
    began = NOW - hours_ago * HOUR
    return Run(f"run-{hours_ago}", "w", began, began if ended else None, exit_status if ended else None)


@pytest.mark.parametrize(
    ("runs", "health", "unended"),
    [
        ([], Health.NEVER_RAN, 0),
        ([run(0.5)], Health.FINE, 0),
        ([run(3)], Health.FINE, 0),  # like the log's warning: more than three times its schedule
        ([run(3.01)], Health.OVERDUE, 0),
        ([run(0.5, ended=False)], Health.RUNNING, 0),
        ([run(3, ended=False)], Health.RUNNING, 0),
        ([run(4, ended=False)], Health.OVERDUE, 1),
        ([run(0.5), run(9, ended=False), run(10)], Health.FINE, 1),
        ([run(0.5, exit_status=1)], Health.FAILED, 0),
        ([run(0.5, exit_status=143)], Health.FINE, 0),  # stopped by the machine
        ([run(0.5, ended=False), run(1, exit_status=1)], Health.RUNNING, 0),
        ([run(9, exit_status=1)], Health.OVERDUE, 0),
        ([run(-1)], Health.FINE, 0),  # a clock that was wrong
    ],
)
def test_the_health_of_a_worker(runs: list[Run], health: Health, unended: int) -> None:
    found = worker_status("w", HOUR, runs, NOW)
    assert (found.health, len(found.unended)) == (health, unended)
    assert found.as_json()["health"] == health
    assert found.last == (runs[0] if runs else None)


FAR = -10 * 365 * 24  # hours ago


@pytest.mark.parametrize(
    ("runs", "health"),
    [
        ([run(FAR)], Health.NEVER_RAN),
        ([run(FAR), run(0.5)], Health.FINE),
        ([run(FAR), run(FAR + 1, ended=False), run(30)], Health.OVERDUE),
        ([run(-1.01), run(30)], Health.OVERDUE),
    ],
)
def test_a_run_that_began_in_the_future_hides_nothing_and_is_reported(
    runs: list[Run], health: Health
) -> None:
    found = worker_status("w", HOUR, runs, NOW)
    ahead = [run for run in runs if run.started_at > NOW]
    assert (found.health, found.ahead) == (health, ahead)
    assert found.last == next((run for run in runs if run not in ahead), None)
    assert found.as_json()["in_the_future"] == [run.id for run in ahead]


TALLIES = [
    Tally(DAY, "chronopost", 1, "success", None, 3),
    Tally(DAY, "chronopost", 1, "failed", "not_found", 1),
    Tally(DAY, "chronopost", 0, "failed", "timeout", 2),
    Tally(DAY - timedelta(days=2), "ups", 2, "left", "rate_limited", 5),
    Tally(DAY - timedelta(days=2), "ups", 2, "failed", "not_found", 2),
    Tally(DAY, "chronopost", 0, "given_up", "not_found", 1),
    Tally(DAY - timedelta(days=2), "ups", 0, "given_up", "timeout", 7),
]


def test_success_by_day_carrier_retry_and_kind() -> None:
    days = days_until(DAY, 3)
    found = success_of(TALLIES, days)
    assert days == [DAY - timedelta(days=2), DAY - timedelta(days=1), DAY]
    assert list(found.by_day.values()) == [Rate(0, 2, 5, 7), Rate(), Rate(3, 3, 0, 1)]
    assert [rate.percent for rate in found.by_day.values()] == [0.0, None, 75.0]
    assert [rate.percent_of_attempts for rate in found.by_day.values()] == [0.0, None, 50.0]
    assert found.by_carrier == {"chronopost": Rate(3, 3, 0, 1), "ups": Rate(0, 2, 5, 7)}
    assert found.by_retry == {0: Rate(0, 2), 1: Rate(3, 1), 2: Rate(0, 2, 5)}
    assert list(found.errors.items()) == [("rate_limited", 5), ("not_found", 3), ("timeout", 2)]
    assert found.all == Rate(3, 5, 5, 8)
    assert found.as_json()["by_day"]["2026-02-01"]["success_rate"] is None


def test_spellings_of_an_unknown_carrier_are_counted_together() -> None:
    names = ("Colis Privé", "colis prive", "COLIS-PRIVÉ ")
    found = success_of([Tally(DAY, name, 0, "failed", "unsupported_carrier", 1) for name in names], [DAY])
    assert found.by_carrier == {"Colis Privé": Rate(failed=3)}


def test_attached_proofs_do_not_count_in_the_success_rate() -> None:
    """Proofs that a person attached."""
    beside = Tally(DAY, "chronopost", 7, "attached", None, 4)
    assert success_of([*TALLIES, beside], [DAY]) == success_of(TALLIES, [DAY])


@pytest.mark.parametrize(
    ("backlog", "due", "in_progress"),
    [
        (Backlog("a", {Stage.READY: 2, Stage.NEW: 3, Stage.WAITING: 4}), 5, 9),
        (Backlog("a", {Stage.READY: 7000, Stage.NEW: 7000}), 10_000, 10_000),
        (Backlog("a", {Stage.GIVEN_UP: 4, Stage.SETTLED: 1, Stage.SHELVED: 9}), 0, 0),
        (Backlog("", {}, unassessed=1), 0, 1),
    ],
)
def test_due_and_in_progress_claims_of_a_backlog(backlog: Backlog, due: int, in_progress: int) -> None:
    assert (backlog.due, backlog.in_progress) == (due, in_progress)

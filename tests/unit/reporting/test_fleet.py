"""When a fleet of long-lived workers counts as silent."""

from datetime import UTC, datetime, timedelta

import pytest

from recours.reporting.system import Run, fleet_status, is_by_fleet, next_tick, signs

NOW = datetime(2026, 2, 2, 8, 0, tzinfo=UTC)


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def worker(
    process: str = "a:1", *, began: float = 50, recorded: float = 1, ticked: float | None = 1, stopped: bool = False
) -> Run:  # fmt: skip
    """The record of a process; all times in minutes ago."""
    stats = signs(process, None if ticked is None else ago(ticked), stopped=stopped)
    return Run(f"{process}-{began}", "pod_retry_scheduler", ago(began), ago(recorded), 0, stats)


def cron(began: float) -> Run:
    return Run(f"cron-{began}", "pod_retry_scheduler", ago(began), ago(began - 1), 0, {"success": 3})


STOPPED = worker(recorded=30, ticked=30, stopped=True)
KILLED = worker(recorded=30, ticked=30)


@pytest.mark.parametrize(
    ("name", "runs", "silent"),
    [
        ("it works", [worker()], False),
        ("another one does the ticks", [worker("a:1", ticked=40), worker("b:1")], False),
        ("records go on, and no ticks are done", [worker(ticked=11), worker("b:1", ticked=40)], True),
        ("it was killed", [KILLED], True),
        ("it was killed, and cron does the work", [cron(5), KILLED], True),
        ("it was killed and restarted", [worker("a:2", began=2, recorded=0, ticked=0), KILLED], False),
        ("it was stopped, and nothing does the work", [STOPPED, cron(40)], True),
        ("it was stopped, and cron does the work", [cron(5), STOPPED], False),
        ("it was stopped a moment ago", [worker(recorded=2, ticked=3, stopped=True)], False),
        ("all but one were stopped, which died", [cron(5), STOPPED, worker("b:1", recorded=29, ticked=35)], True),
        (
            "one died before, and the rest was stopped later",
            [cron(5), STOPPED, worker("b:1", began=100, recorded=90, ticked=91)],
            False,
        ),
        ("it has just begun", [worker(began=2, ticked=None)], False),
        ("it has never done a tick", [worker(began=12, ticked=None)], True),
    ],
)  # fmt: skip
def test_a_fleet_is_silent(name: str, runs: list[Run], silent: bool) -> None:
    found = fleet_status(runs, NOW)
    assert found is not None
    assert found.is_silent is silent, name


def test_cron_alone_is_not_a_fleet() -> None:
    assert fleet_status([cron(5), cron(35)], NOW) is None


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ([worker()], True),
        ([cron(5), worker()], True),  # both at once: its minutes are nearer
        ([KILLED], True),  # nothing has replaced it: it should continue
        ([STOPPED], True),
        ([cron(5), STOPPED], False),
        ([cron(5), KILLED], False),
        ([cron(5)], False),
    ],
)
def test_a_running_worker_takes_precedence_over_cron_and_a_stopped_one_does_not(
    runs: list[Run], expected: bool
) -> None:
    assert is_by_fleet(runs, NOW) is expected


def test_the_next_tick_is_at_a_full_minute() -> None:
    assert next_tick(NOW) == NOW
    assert next_tick(NOW + timedelta(milliseconds=1)) == NOW + timedelta(minutes=1)


def test_the_status_contains_the_time_of_the_last_tick() -> None:
    found = fleet_status([worker(ticked=40), worker("b:1", ticked=12)], NOW)
    assert found is not None
    assert found.as_json() == {"ticked_at": "2026-02-02T07:48:00+00:00", "silent": True}

"""The offset of the database's clock, and its users."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from recours import app as databases
from recours.app import clock_remarks, open_database
from recours.bootstrap import make_worker
from recours.cli import workers
from recours.database.engine import Database, SystemClock, clock_offset, offset_between
from recours.runs.worker import Options, PODRetryScheduler
from recours.sandbox import Sandbox
from recours.settings.model import Settings
from tests.own_rows import statements_of

ROOT = Path(databases.__file__).parents[1]
NOON = datetime(2026, 2, 2, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("theirs", "took", "offset"),
    [
        (0, 2, 0),
        (1, 2, 0),
        (2, 2, 0),
        (3, 2, 2),  # read after the second that the query took
        (-1, 2, -2),
        (3600, 0, 3600),
        (-3600, 4, -3602),
    ],
)
def test_the_clocks_are_compared_in_the_middle_of_the_round_trip(theirs: int, took: int, offset: int) -> None:
    told = NOON + theirs * SECOND
    assert offset_between(NOON, told, NOON + took * SECOND) == offset * SECOND


@pytest.mark.parametrize("behind", [timedelta(0), timedelta(hours=3), timedelta(hours=-3)])
def test_the_difference_is_measured_by_one_query(database: Database, behind: timedelta) -> None:
    with statements_of(database) as seen:
        found = clock_offset(database, lambda: datetime.now(UTC) - behind)
    if database.is_sqlite:
        assert (found, seen) == (timedelta(0), [])
    else:
        assert abs(found - behind) < SECOND
        assert len(seen) == 1


def test_on_one_machine_there_is_no_difference(database: Database) -> None:
    assert clock_offset(database) == timedelta(0)


def test_a_clock_is_adjusted_by_the_difference() -> None:
    ahead = SystemClock(timedelta(hours=2)).now() - datetime.now(UTC)
    assert timedelta(hours=2) - SECOND < ahead < timedelta(hours=2) + SECOND


@pytest.fixture
def three_hours_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """The database's clock."""
    measured = clock_offset
    monkeypatch.setattr(
        databases,
        "clock_offset",
        lambda database: measured(database, lambda: datetime.now(UTC) - timedelta(hours=3)),
    )


@pytest.mark.parametrize("kind", ["postgresql"], indirect=True)
@pytest.mark.usefixtures("three_hours_ahead")
def test_a_run_uses_the_clock_of_the_database(
    url: str, sandbox: Sandbox, settings_of: Callable[..., Settings]
) -> None:
    settings = settings_of(url, sandbox)
    opened = open_database(settings)
    worker = make_worker(PODRetryScheduler, opened, Options(batch_size=1))
    ahead = worker.deps.clock.now() - datetime.now(UTC)
    opened.database.close()
    assert abs(ahead - timedelta(hours=3)) < SECOND


def test_clocks_that_differ_are_remarked_on() -> None:
    assert clock_remarks(timedelta(seconds=5)) == []
    assert clock_remarks(timedelta(seconds=-5)) == []
    (behind,), (ahead,) = clock_remarks(timedelta(seconds=7)), clock_remarks(timedelta(seconds=-7))
    assert behind.startswith("The clock of this machine is 7 s behind the database's")
    assert ahead.startswith("The clock of this machine is 7 s ahead of the database's")


@pytest.mark.parametrize("kind", ["postgresql"], indirect=True)
@pytest.mark.usefixtures("three_hours_ahead")
def test_the_log_warns_about_the_difference_and_shows_the_machines_time(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECOURS_HOME", str(tmp_path))
    monkeypatch.setenv("RECOURS_LOG_DIR", str(tmp_path))
    monkeypatch.setenv("RECOURS_POD_DIR", str(tmp_path))
    assert workers.main("pod_retry_scheduler", ["--database-url", url]) == 0
    lines = (tmp_path / "pod_retry_scheduler.log").read_text(encoding="utf-8").splitlines()
    (warning,) = [line for line in lines if "time synchronization" in line]
    assert "[WARNING]" in warning
    assert "10800 s behind the database's" in warning
    told = datetime.strptime(warning[:19], "%Y-%m-%d %H:%M:%S").astimezone()
    assert abs(datetime.now(UTC) - told) < timedelta(minutes=1)


def test_only_the_measuring_query_reads_the_databases_time() -> None:
    ours = [*(ROOT / "recours").rglob("*.py"), *(ROOT / "migrations").rglob("*.py")]
    asks = re.compile(
        r"func\.now|\bSELECT\b.*\bnow\(\)|current_timestamp|clock_timestamp|localtimestamp|'now'",
        re.IGNORECASE,
    )
    found = {path.name for path in ours for line in path.read_text("utf-8").splitlines() if asks.search(line)}
    # As defaults of the service's own columns, in the SQL printed for an administrator, and in a job of a program
    # without recours's clock.
    assert found == {"engine.py", "border.py", "dialect.py", "connections.py"}

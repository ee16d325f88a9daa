"""What the operator's desk pays for looking, among ever more claims and attempts: a part of `make bench-growth`."""

import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import URL

from recours.carriers.registry import CATALOG
from recours.core.claim import Stage
from recours.operations.records import ClaimFilter
from recours.operations.status import days_until
from recours.settings.loading import load
from recours.wiring.operations import Operations, open_operations
from tests.benchmarks.bench import NOW, ROOT, environment, timed

_STAMP = "%Y-%m-%d %H:%M:%S.%f"
_ATTEMPT_COLUMNS = "claim_id, run_id, worker, carrier, tracking_number, turn, started_at, duration_s, calls, outcome, used, error_kind"
_INSERT_ATTEMPT = f"INSERT INTO recours_attempts ({_ATTEMPT_COLUMNS}) VALUES ({', '.join('?' * 12)})"
_INSERT_RUN = "INSERT INTO recours_runs (id, worker, started_at, ended_at, exit_status, stats) VALUES (?, ?, ?, ?, 0, '{}')"
_OUTCOMES = (
    ("success", None),
    ("failed", "not_found"),
    ("failed", "not_delivered_yet"),
    ("failed", "timeout"),
    ("left", "rate_limited"),
)


def attempt_rows(count: int) -> Iterator[tuple[Any, ...]]:
    """Attempts spread evenly over the last year, of ten carriers and five turns."""
    step, keys = timedelta(days=365) / count, sorted(CATALOG.specs)
    for n in range(count):
        outcome, kind = _OUTCOMES[n % 5]
        at = (NOW - timedelta(days=365) + n * step).strftime(_STAMP)
        yield (
            n + 1, f"run-{n // 30}", "pod_retry_scheduler", keys[n // 7 % len(keys)], f"XY{n:09d}FR", n // 3 % 5, at,
            0.5, 2, outcome, outcome != "left", kind,
        )  # fmt: skip


def run_rows(count: int) -> Iterator[tuple[Any, ...]]:
    """Runs of both workers, every hour until now."""
    for n in range(count):
        at = NOW - timedelta(hours=count - n)
        for worker in ("pod_retry_scheduler", "pod_fetch_worker"):
            yield (
                f"{worker[:9]}-{n}",
                worker,
                at.strftime(_STAMP),
                (at + timedelta(minutes=1)).strftime(_STAMP),
            )


def fill_sqlite(path: Path, count: int) -> None:
    """The attempts, and runs of a year."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executemany(_INSERT_ATTEMPT, attempt_rows(count))
        connection.executemany(_INSERT_RUN, run_rows(8760))
        connection.commit()


def fill_postgres(dsn: str, count: int) -> None:
    """The same; then what autovacuum does by itself."""
    with psycopg.connect(dsn) as connection, connection.cursor() as cursor:
        with cursor.copy(f"COPY recours_attempts ({_ATTEMPT_COLUMNS}) FROM STDIN") as copy:
            for row in attempt_rows(count):
                copy.write_row(row)
        with cursor.copy("COPY recours_runs (id, worker, started_at, ended_at) FROM STDIN") as copy:
            for row in run_rows(8760):
                copy.write_row(row)
    with psycopg.connect(dsn, autocommit=True) as connection:
        visible = "SELECT relallvisible FROM pg_class WHERE oid = 'claims'::regclass"
        while True:  # not before every older transaction of the server has ended
            connection.execute("VACUUM (ANALYZE) claims, recours_attempts, recours_runs")
            if (connection.execute(visible).fetchone() or (0,))[0]:
                return
            time.sleep(0.2)


def looks(urls: Mapping[int, URL], rounds: int = 21) -> dict[int, dict[str, float]]:
    """Median seconds of what `recours status` and the page read, each by its name, in each of these databases.

    In turns, so that noise hits all alike.
    """
    opened = {count: _operations(url) for count, url in urls.items()}
    taken: dict[int, dict[str, list[float]]] = {count: {name: [] for name in CHECKS} for count in urls}
    for round_ in range(rounds + 1):
        for name, look in CHECKS.items():
            for count, operations in opened.items():
                begun = time.perf_counter()
                look(operations)
                if round_:  # the first one warms up
                    taken[count][name].append(time.perf_counter() - begun)
    for operations in opened.values():
        operations.database.close()
    return {
        count: {name: statistics.median(times) for name, times in of.items()} for count, of in taken.items()
    }


def _operations(url: URL) -> Operations:
    given = environment(Path(tempfile.gettempdir())) | {
        "DATABASE_URL": url.render_as_string(hide_password=False)
    }
    del given["DATABASE_PATH"]
    return open_operations(load(ROOT, given, CATALOG))


def _month(operations: Operations) -> object:
    days = days_until(datetime.now(UTC).date(), 30)
    return operations.records.tallies(days, operations.settings.policy.zone)


CHECKS: dict[str, Callable[[Operations], object]] = {
    "status": lambda operations: operations.overview(7),
    "backlogs": lambda operations: operations.records.backlogs(operations.clock.now()),
    "tallies of 30 days": _month,
    "first page": lambda operations: operations.records.claims(ClaimFilter(), 50),
    "page of a stage": lambda operations: operations.records.claims(ClaimFilter(stages=[Stage.READY]), 50),
    "page of a carrier": lambda operations: operations.records.claims(
        ClaimFilter(carriers=["chronopost"]), 50, skip=100
    ),
    "page of nothing": lambda operations: operations.records.claims(ClaimFilter(statuses=["manual"]), 50),
    "search": lambda operations: operations.records.claims(ClaimFilter(text="clm-000123"), 50),
    "wide search": lambda operations: operations.records.claims(ClaimFilter(text="xy"), 50),
    "count": lambda operations: operations.records.count(ClaimFilter(), 10_000),
    "count of a status": lambda operations: operations.records.count(
        ClaimFilter(statuses=["failed"]), 10_000
    ),
    "runs": lambda operations: operations.records.runs(most=50),
}


def whole_processes(folders: Mapping[int, Path], rounds: int = 9) -> dict[int, float]:
    """Median seconds of `recours status`, from start to end, in turns."""
    command = [sys.executable, "-m", "recours", "status"]
    taken: dict[int, list[float]] = {count: [] for count in folders}
    for round_ in range(rounds + 1):
        for count, folder in folders.items():
            seconds = timed(command, environment(folder) | {"PYTHONPATH": str(ROOT)})
            if round_:  # the first one compiles, and warms up
                taken[count].append(seconds)
    return {count: statistics.median(times) for count, times in taken.items()}

"""The throughput and latency of a fleet: `python -m tests.benchmarks.growth fleet defer`.

The processes are real `recours worker` programs on a PostgreSQL server that waits for the disk.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

from sqlalchemy import text

import recours as product
from recours.database.engine import Database
from recours.database.schema.creation import complete
from recours.sandbox import Sandbox
from tests.benchmarks.rows import Row
from tests.long_form import IS_LONG
from tests.postgres import Server, execute, running
from tests.processes_of_fleet import (
    FleetWorker,
    add_failed,
    add_pending,
    environment,
    fleet,
    recours,
    tick,
    wait_for,
)

LATENCY_S = 0.2
CLAIMS = 400
ROUNDS = 5 if IS_LONG else 2
COUNTS = (1, 2, 4)  # numbers of workers


# ---------------------------------------------------------------- throughput


def throughput() -> Iterator[Row]:
    """Claims per second of one, two and four workers in alternating rounds, from the first attempt to the last."""
    rates: dict[int, list[float]] = {count: [] for count in COUNTS}
    with running(durable=True) as server:
        for turn in range(ROUNDS):
            for count in COUNTS if turn % 2 == 0 else COUNTS[::-1]:
                rates[count].append(_rate(server, f"fleet_{turn}_{count}", count))
    medians = {count: statistics.median(found) for count, found in rates.items()}
    for count, rate in medians.items():
        yield Row(f"claims a second at 200 ms a call, workers: {count}", rate)
    yield Row("  four workers / one", medians[COUNTS[-1]] / medians[COUNTS[0]], 2.5, at_least=True)


def _rate(server: Server, name: str, count: int) -> float:
    with _place(server, name) as (database, box, variables):
        box.latency = LATENCY_S
        with fleet(variables, count):
            add_failed(database, box, range(CLAIMS))
            tick(database)
            ends = time.monotonic() + 300
            while _succeeded(database) < CLAIMS:
                assert time.monotonic() < ends, "the workers do not get on"
                time.sleep(0.5)  # poll rarely, because polling takes CPU time from the workers
        assert len(box.calls) == 2 * CLAIMS
        return (CLAIMS - 1) / _span(database)


def _span(database: Database) -> float:
    """Seconds from the first recorded attempt to the last."""
    ended = "extract(epoch FROM started_at) + duration_s"
    query = f"SELECT max({ended}) - min({ended}) FROM recours_attempts"
    with database.read() as connection:
        return float(connection.scalar(text(query)) or 0)


def _succeeded(database: Database) -> int:
    with database.read() as connection:
        return int(
            connection.scalar(text("SELECT count(*) FROM claims WHERE pod_fetch_status = 'success'")) or 0
        )


@contextmanager
def _place(server: Server, name: str) -> Iterator[tuple[Database, Sandbox, dict[str, str]]]:
    """A database, a simulated carrier, and the settings of processes that use both."""
    execute(server.url(), f"CREATE DATABASE {name}")
    url = server.url(name)
    with (
        tempfile.TemporaryDirectory(prefix="recours-fleet-") as folder,
        closing(Database(url)) as database,
        Sandbox() as box,
    ):
        complete(database)
        # Outside the tests, the simulated carrier has another password.
        more = {"RECOURS_HOME": folder, **box.environment("chronopost")}
        variables = environment(url.render_as_string(hide_password=False), box, Path(folder), **more)
        recours(variables, "init-db", "--fleet")
        yield database, box, variables


# ---------------------------------------------------------------- latency


def latencies(variables: dict[str, str], database: Database, box: Sandbox, count: int) -> list[float]:
    """Seconds from `recours.defer_fetch` of a new claim to the first call at the carrier, with an idle worker."""
    found = []
    with patch.dict(os.environ, variables, clear=True):
        for n in range(count):
            (reference,) = add_pending(database, box, [n])
            number = next(reversed(box.parcels))
            called_at = datetime.now(UTC)
            product.defer_fetch(reference)
            wait_for(lambda: len(box.calls_for(number)) == 2, 30)  # noqa: B023 (it is called at once)
            found.append((box.calls_for(number)[0].at - called_at).total_seconds())
            wait_for(lambda: _succeeded(database) == n + 1, 30)  # noqa: B023 (same)
    return found


def defer() -> Iterator[Row]:
    with (
        running(durable=True) as server,
        _place(server, "deferred") as (database, box, settings),
        FleetWorker(settings) as worker,
    ):
        worker.wait_until_ready()
        seconds = latencies(settings, database, box, 100)
    p95 = statistics.quantiles(seconds, n=100)[94]
    yield Row("from defer_fetch to the carrier's first call, p95, ms", 1000 * p95, 250)

"""The cost of reads by runs, `recours status` and the dashboard with many claims: a part of `make bench-growth`."""

import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from recours.app import open_app
from recours.carriers.registry import CATALOG
from recours.core.assessment import reschedule, revive
from recours.core.claim import Stage
from recours.database.claim_rows import moments
from recours.database.claims import ClaimRepository, leasable_ids
from recours.database.engine import Database
from recours.database.maintenance import ClaimMaintenance
from recours.reporting.snapshot import Reports
from recours.settings.loading import load
from tests.at_commit import ROOT
from tests.benchmarks.fixtures import NOW, environment, insert, new_folder, timed

_STAMP = "%Y-%m-%d %H:%M:%S.%f"
_ATTEMPT = (
    "claim_id", "run_id", "worker", "carrier", "tracking_number", "turn", "started_at", "duration_s", "calls", "outcome",
    "used", "error_kind",
)  # fmt: skip
_RUN = ("id", "worker", "started_at", "ended_at", "exit_status", "stats")
_OUTCOMES = (
    ("success", None),
    ("failed", "not_found"),
    ("failed", "not_delivered_yet"),
    ("failed", "timeout"),
    ("left", "rate_limited"),
)


def _attempts(count: int) -> Iterator[tuple[Any, ...]]:
    """Attempts of all carriers and of five retries, spread evenly over the last year."""
    step, keys = timedelta(days=365) / count, sorted(CATALOG.specs)
    for n in range(count):
        outcome, kind = _OUTCOMES[n % 5]
        at = (NOW - timedelta(days=365) + n * step).strftime(_STAMP)
        yield (
            n + 1, f"run-{n // 30}", "pod_retry_scheduler", keys[n // 7 % len(keys)], f"XY{n:09d}FR", n // 3 % 5, at,
            0.5, 2, outcome, outcome != "left", kind,
        )  # fmt: skip


def _runs(hours: int) -> Iterator[tuple[Any, ...]]:
    """Hourly runs of both workers until now."""
    for n in range(hours):
        at = NOW - timedelta(hours=hours - n)
        for worker in ("pod_retry_scheduler", "pod_fetch_worker"):
            ended = at + timedelta(minutes=1)
            yield f"{worker[:9]}-{n}", worker, at.strftime(_STAMP), ended.strftime(_STAMP), 0, "{}"


def add_history(url: URL, count: int) -> URL:
    """Add this many attempts, and the runs of a year. Return `url`."""
    insert(url, "recours_attempts", _ATTEMPT, _attempts(count))
    insert(url, "recours_runs", _RUN, _runs(8760))
    return url


@contextmanager
def due_claims(url: URL) -> Iterator[tuple[Callable[[], None], Callable[[], None]]]:
    """The due query, and all reads of a run for a batch of 30 claims, without the intake.

    The part *idle* measures the intake, which compares all open claims with the service's rows.
    """
    with closing(Database(url)) as database:
        claims = ClaimRepository(database, CATALOG, "bench", "bench")
        policy = load(ROOT, {"DATABASE_PATH": "unused.db"}, CATALOG).policy
        maintenance = ClaimMaintenance(database, CATALOG, "bench")
        now = datetime.now(UTC)
        horizon = policy.horizon(now)

        def query() -> None:
            with database.read() as connection:
                lanes = database.dialect.lanes_named(["chronopost"])
                urgent = leasable_ids(Stage.READY, database.dialect)
                assert len(connection.execute(urgent, {"limit": 30, **moments(now, ""), **lanes}).all()) == 30

        def everything() -> None:
            maintenance.unshelve(policy.skip_claim_statuses)
            list(maintenance.revive_exhausted(4, lambda claim: revive(claim, now, policy), now))
            list(maintenance.repair_times(horizon, lambda claim: reschedule(claim.state, now, policy), now))
            maintenance.stage_due(now)
            assert claims.ready_by_carrier(Stage.READY, now, 30)["chronopost"].claims == 30
            query()

        yield query, everything


@contextmanager
def status_of(url: URL) -> Iterator[Callable[[], object]]:
    """The queries of `recours status` and the dashboard."""
    settings = environment(new_folder(), DATABASE_URL=url.render_as_string(hide_password=False))
    app = open_app(load(ROOT, settings, CATALOG))
    with closing(app.database):
        yield partial(Reports(app).overview, 7)


def status_command(file: URL) -> None:
    """Run the command `recours status`."""
    settings = environment(Path(str(file.database)).parent, PYTHONPATH=str(ROOT))
    timed([sys.executable, "-m", "recours", "status"], settings)

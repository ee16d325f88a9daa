"""An installation of the version before gets long-lived workers when it is upgraded."""

import subprocess
import sys
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack, closing
from datetime import timedelta
from pathlib import Path
from typing import Any

from recours.carriers.registry import CATALOG
from recours.fleet.jobs import WorkerLane
from recours.fleet.station import Station
from recours.runs.retry import PODRetryScheduler
from recours.runs.worker import Options
from recours.settings.loading import load
from recours.wiring.databases import open_database
from recours.wiring.workers import make_worker
from tests.acceptance.simulation import Service
from tests.acceptance.versions_before import (
    DAYS,
    FROM_HISTORY,
    HOURS,
    ROOT,
    Life,
    Predecessor,
    assert_none_is_lost,
    assert_nothing_is_done_twice,
    attempts,
    counts,
    installed,
)
from tests.conftest import Kind

pytestmark = FROM_HISTORY


def test_after_an_upgrade_long_lived_workers_go_on_as_cron_would(
    kinds: Callable[[str], Kind], predecessor: Predecessor, tmp_path: Path
) -> None:
    """Two of them, and an entry of cron that was left: the rows are those that cron alone leaves."""
    with ExitStack() as lives:
        by_cron, by_fleet = (
            lives.enter_context(installed(kinds("postgresql"), predecessor, _made(tmp_path / name)))
            for name in ("cron", "fleet")
        )
        for life in (by_cron, by_fleet):
            life.live(predecessor.root, DAYS, only=HOURS)
        attempts_before, counts_before = attempts(by_fleet.service), counts(by_fleet.service)
        by_cron.live(ROOT, DAYS, only=HOURS)
        subprocess.run(
            [sys.executable, "-m", "recours", "init-db", "--fleet"],
            cwd=tmp_path,
            env=by_fleet.environment | {"PYTHONPATH": str(ROOT)},
            check=True,
            capture_output=True,
        )
        done = live_with_a_fleet(by_fleet, DAYS)
        assert all(done.values()), "one of them did nothing"
        assert len(attempts(by_fleet.service)) > len(attempts_before)
        assert_none_is_lost(by_fleet.service, attempts_before, counts_before)
        assert_nothing_is_done_twice(by_fleet)
        of_fleet, of_cron = left(by_fleet.service), left(by_cron.service)
        for rows in of_fleet:
            differ = sorted(map(str, set(of_fleet[rows]) ^ set(of_cron[rows])))
            assert not differ, "\n".join([rows, *differ])
        assert of_fleet == of_cron


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def live_with_a_fleet(life: Life, days: int) -> dict[str, int]:
    """Two stations and an entry of cron, by turns the first of an hour; how much each did."""
    clock, waiting = life.service.clock, deque[WorkerLane]()
    settings = load(life.service.folder, life.environment, CATALOG)
    stations = [Station(settings, open_database(settings), clock=clock) for _ in range(2)]
    by_cron = 0

    def wake(lane: WorkerLane) -> None:
        if lane not in waiting:
            waiting.append(lane)

    def cron() -> int:
        opened = open_database(settings)
        with closing(opened.database):
            worker = make_worker(PODRetryScheduler, settings, opened, Options(batch_size=4), clock=clock)
            return worker.run().stats.total

    for hour in range(24 * days):
        clock.advance(timedelta(hours=1))
        by_cron += cron() if hour % 2 else 0
        stations[hour % 3 % 2].tick(wake)
        turn = hour
        while waiting:
            turn += 1
            stations[turn % 2].slice(waiting.popleft(), wake)
        by_cron += 0 if hour % 2 else cron()
        for station in stations:
            station.sweep()
            station.keep_record()
    done = {f"station {n}": station.facts().get("slice", 0) for n, station in enumerate(stations)}
    for station in stations:
        assert station.fault is None
        station.close()
    return done | {"cron": by_cron}


def left(service: Service) -> dict[str, list[tuple[Any, ...]]]:
    """What does not say which worker it was, how long it took, or for which claim a shared call is counted."""
    return {
        name: service.sql(query)
        for name, query in {
            "claims": "SELECT claim_reference, pod_fetch_status, pod_retry_count, pod_stage, pod_next_retry_at, pod_error_kind,"
            " pod_error_key, pod_delivery_person FROM claims ORDER BY id",
            "attempts": "SELECT claim_id, turn, outcome, error_kind, used, started_at FROM recours_attempts"
            " ORDER BY claim_id, started_at",
            "events": "SELECT claim_id, event, audience, carrier, tracking_number, told FROM recours_events"
            " WHERE claim_id IS NOT NULL ORDER BY claim_id, event",
            "held": "SELECT held FROM recours_quota_shares WHERE held > 0",
        }.items()
    }

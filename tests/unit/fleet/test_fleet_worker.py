"""The order of slices if a carrier accepts few calls a second."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from recours.app import open_database
from recours.database.engine import Database
from recours.fleet.fleet_worker import FleetWorker
from recours.fleet.job_queue import WorkerLane
from recours.runs.worker import Worker
from recours.sandbox import Sandbox, SimulatedClock
from recours.settings.model import Settings
from tests.conftest import add_claims

RETRIES, NEW = (WorkerLane(worker, "chronopost") for worker in ("pod_retry_scheduler", "pod_fetch_worker"))


@pytest.fixture
def woken() -> list[WorkerLane]:
    """In their order."""
    return []


@pytest.fixture
def fleet_worker(
    url: str, sandbox: Sandbox, clock: SimulatedClock, settings_of: Callable[..., Settings]
) -> Iterator[FleetWorker]:
    settings = settings_of(url, sandbox, QUOTA_CHRONOPOST="4/second")  # as many as a slice has threads
    fleet_worker = FleetWorker(replace(open_database(settings), clock=clock))
    yield fleet_worker
    fleet_worker.close()


def test_a_lane_that_finds_its_carrier_busy_comes_after_the_slice_that_was_at_work(
    fleet_worker: FleetWorker,
    database: Database,
    clock: SimulatedClock,
    monkeypatch: pytest.MonkeyPatch,
    woken: list[WorkerLane],
) -> None:
    """Otherwise a backlog of retries would delay new claims, slice after slice, until its end."""
    _add(database, clock.now(), count=2)
    fleet_worker.tick(woken.append)
    assert set(woken) == {RETRIES, NEW}
    woken.clear()

    def meanwhile(self: Worker, *_: Any, **__: Any) -> None:
        """Work that takes as long as another thread needs for this."""
        for lane in (RETRIES, NEW):
            fleet_worker.slice(lane, woken.append)
        assert woken == [], "the carrier is busy"

    monkeypatch.setattr(Worker, "slice", meanwhile)
    fleet_worker.slice(RETRIES, woken.append)
    assert woken == [NEW, RETRIES, RETRIES], (
        "the second one of these does nothing: it waits in the queue already"
    )


def test_lanes_of_other_carriers_do_not_wait(
    fleet_worker: FleetWorker,
    database: Database,
    clock: SimulatedClock,
    monkeypatch: pytest.MonkeyPatch,
    woken: list[WorkerLane],
) -> None:
    begun: list[str] = []
    other = WorkerLane("pod_retry_scheduler", "colissimo")
    _add(database, clock.now(), count=1)
    add_claims(
        database,
        [
            {
                "id": 9,
                "claim_reference": "CLM-9",
                "carrier": "Colissimo",
                "updated_at": clock.now() - timedelta(hours=2),
            }
        ],
    )
    fleet_worker.tick(woken.append)

    def meanwhile(self: Worker, carriers: tuple[str, ...], **_: Any) -> None:
        begun.extend(carriers)
        if carriers == (RETRIES.carrier,):
            fleet_worker.slice(other, woken.append)

    monkeypatch.setattr(Worker, "slice", meanwhile)
    fleet_worker.slice(RETRIES, woken.append)
    assert begun == ["chronopost", "colissimo"]


def _add(database: Database, now: datetime, count: int) -> None:
    """Add this many claims with a due retry, and as many new ones."""
    due = {"updated_at": now - timedelta(hours=2)}
    new = {"pod_fetch_status": "pending", "pod_fetch_error": None, "created_at": now, "updated_at": now}
    add_claims(database, [due] * count + [new] * count)

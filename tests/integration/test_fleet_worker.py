"""How a long-lived process handles the jobs of a queue, over both databases."""

import logging
import re
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from recours.app import App, open_database
from recours.bootstrap import make_worker
from recours.carriers.registry import CATALOG
from recours.cli import demo
from recours.core.errors import RunError
from recours.core.pauses import DocumentRight
from recours.database.engine import Database, DatabaseError
from recours.database.quota import QuotaTables
from recours.database.tables import runs
from recours.fleet.fleet_worker import FleetWorker
from recours.fleet.job_queue import WorkerLane
from recours.reporting.problems import ProblemKind, verdict
from recours.reporting.snapshot import Reports
from recours.reporting.system import SLICE
from recours.runs.worker import Options, PODFetchWorker, PODRetryScheduler, Worker
from recours.sandbox import Parcel, Sandbox, Scenario, SimulatedClock
from recours.settings.loading import load
from recours.settings.model import Settings
from tests.conftest import add_claims

RETRIES = WorkerLane("pod_retry_scheduler", "chronopost")
NEW = WorkerLane("pod_fetch_worker", "chronopost")


def hand_on_nothing(carrier: str) -> None:
    raise AssertionError(f"a job for {carrier} was handed on")


class QueueInHand:
    """A job queue under the test's control: lanes are processed on request, and none is queued twice."""

    def __init__(self, fleet_worker: FleetWorker) -> None:
        self.fleet_worker = fleet_worker
        self.waiting: deque[WorkerLane] = deque()
        self.woken: list[WorkerLane] = []

    def enqueue(self, lane: WorkerLane) -> None:
        self.woken.append(lane)
        if lane not in self.waiting:
            self.waiting.append(lane)

    def work(self) -> int:
        """Process lanes until none is left for this worker; return the number of slices."""
        slices = 0
        while lane := next(
            (lane for lane in self.waiting if lane.carrier in self.fleet_worker.workable), None
        ):
            self.waiting.remove(lane)
            self.fleet_worker.slice(lane, self.enqueue)
            slices += 1
        return slices

    def turn(self) -> None:
        """Look for lanes with work, and process them."""
        self.fleet_worker.tick(self.enqueue)
        self.work()


@dataclass
class Fleet:
    """A service's claims, and the processes that fetch their proofs."""

    database: Database
    sandbox: Sandbox
    clock: SimulatedClock
    settings_of: Callable[..., Settings]
    fleet_workers: list[FleetWorker] = field(default_factory=list)

    def fleet_worker(self, **more: str) -> FleetWorker:
        """The worker of another process, with these additional settings."""
        url = self.database.url.render_as_string(hide_password=False)
        settings = self.settings_of(url, self.sandbox, **more)
        self.fleet_workers.append(FleetWorker(replace(open_database(settings), clock=self.clock)))
        return self.fleet_workers[-1]

    def add(self, claims: list[dict[str, Any]]) -> None:
        add_claims(self.database, claims)

    def deliver(self, count: int, scenario: Scenario = Scenario.DELIVERED) -> None:
        for n in range(count):
            self.sandbox.parcels[f"XY00{n:07d}FR"] = Parcel((scenario,))

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return rows(self.database, query)


@pytest.fixture
def fleet(
    database: Database,
    sandbox: Sandbox,
    clock: SimulatedClock,
    settings_of: Callable[..., Settings],
) -> Iterator[Fleet]:
    fleet = Fleet(database, sandbox, clock, settings_of)
    yield fleet
    for fleet_worker in fleet.fleet_workers:
        fleet_worker.app.database.close()


def rows(database: Database, query: str) -> list[tuple[Any, ...]]:
    with database.read() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def stats_of(database: Database, worker: str, *names: str) -> list[dict[str, int]]:
    """The rows of a worker, oldest first."""
    query = select(runs.c.stats).where(runs.c.worker == worker).order_by(runs.c.started_at)
    with database.read() as connection:
        wanted = names or ("success", "failed", "total")
        return [{name: stats[name] for name in wanted} for stats in connection.scalars(query)]


def test_a_tick_wakes_the_lanes_with_work_and_slices_do_all_of_it(fleet: Fleet) -> None:
    count = 2 * SLICE + 5
    fleet.add([{} for _ in range(count - 1)] + [{"pod_fetch_status": "pending"}])
    fleet.deliver(count)
    queue = QueueInHand(fleet.fleet_worker())
    queue.fleet_worker.tick(queue.enqueue)
    assert set(queue.waiting) == {RETRIES, NEW}
    assert queue.work() <= 8
    assert fleet.rows("SELECT pod_fetch_status, count(*) FROM claims GROUP BY 1") == [("success", count)]
    assert fleet.rows("SELECT count(*) FROM recours_claims WHERE lease_token IS NOT NULL") == [(0,)]


def test_numbers_of_claims_in_the_log_tell_slices_apart(
    fleet: Fleet, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="__main__")
    new = {"pod_fetch_status": "pending", "pod_fetch_error": None}
    fleet.add([{}, {}, new, new])
    fleet.deliver(4)
    queue = QueueInHand(fleet.fleet_worker())
    queue.turn()
    numbers = [match.groups() for line in caplog.messages if (match := re.match(r"\[(\d+)\.(\d+)\] ", line))]
    assert len({slice_ for slice_, _ in numbers}) == 2
    assert sorted(place for _, place in numbers) == ["1", "1", "2", "2"]


def test_more_than_one_slice_of_work_wakes_another_process_at_once(fleet: Fleet) -> None:
    fleet.add([{} for _ in range(SLICE + 1)])
    fleet.deliver(SLICE + 1)
    fleet_worker = fleet.fleet_worker()
    fleet_worker.tick(lambda _: None)
    calls_when_woken = []
    fleet_worker.slice(RETRIES, lambda _: calls_when_woken.append(len(fleet.sandbox.calls)))
    assert calls_when_woken[0] == 0


def test_slices_leave_one_row_among_the_runs_for_each_worker_and_hour(fleet: Fleet) -> None:
    fleet.add([{} for _ in range(3)])
    fleet.deliver(2)
    fleet.sandbox.parcels["XY000000002FR"] = Parcel((Scenario.IN_TRANSIT,))
    queue = QueueInHand(fleet.fleet_worker())
    for _ in range(3):
        queue.turn()
        queue.fleet_worker.keep_record()
        fleet.clock.advance(timedelta(minutes=1))
    query = "SELECT worker, exit_status, ended_at IS NOT NULL FROM recours_runs ORDER BY worker"
    kept = [("pod_fetch_worker", 0, True), ("pod_retry_scheduler", 0, True)]
    assert fleet.rows(query) == kept
    fleet.clock.advance(timedelta(hours=1))
    queue.fleet_worker.tick(queue.enqueue)
    queue.fleet_worker.keep_record()
    assert fleet.rows(query) == sorted(kept * 2)
    assert stats_of(fleet.database, "pod_retry_scheduler") == [
        {"success": 2, "failed": 1, "total": 3},
        {"success": 0, "failed": 0, "total": 0},
    ]
    used = {run for (run,) in fleet.rows("SELECT DISTINCT run_id FROM recours_attempts")}
    assert used <= {run for (run,) in fleet.rows("SELECT id FROM recours_runs")}


def test_an_outage_costs_a_few_attempts_and_not_one_for_each_slice(fleet: Fleet) -> None:
    fleet.add([{} for _ in range(40)])
    fleet.deliver(40, Scenario.MAINTENANCE)
    queue = QueueInHand(fleet.fleet_worker())
    for _ in range(20):
        queue.turn()
        fleet.clock.advance(timedelta(minutes=1))
    spent = fleet.rows("SELECT count(*) FROM recours_attempts WHERE used")[0][0]
    assert 0 < spent <= 8, "as many as one run of cron, with four threads"
    fleet.deliver(40)
    fleet.clock.advance(timedelta(hours=1))
    queue.turn()
    assert fleet.rows("SELECT count(*) FROM claims WHERE pod_fetch_status = 'success'") >= [(30,)]


def test_a_pause_holds_and_its_end_is_seen_at_once(fleet: Fleet, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="__main__")
    fleet.add([{}])
    fleet.deliver(1)
    queue = QueueInHand(fleet.fleet_worker())
    queue.fleet_worker._queue.stop("chronopost", "lea", "contract under review")
    for _ in range(5):
        queue.turn()
        fleet.clock.advance(timedelta(minutes=1))
    assert not fleet.sandbox.calls
    assert len([line for line in caplog.messages if "contract under review" in line]) == 1
    queue.fleet_worker._queue.resume("chronopost", "lea")
    queue.turn()
    assert fleet.rows("SELECT pod_fetch_status FROM claims") == [("success",)]


def test_an_exhausted_quota_is_logged_and_counted_once(
    fleet: Fleet, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="__main__")
    fleet.add([{} for _ in range(10)])
    fleet.deliver(10)
    queue = QueueInHand(fleet.fleet_worker(QUOTA_CHRONOPOST="8/day"))
    for _ in range(10):
        queue.turn()
        fleet.clock.advance(timedelta(minutes=1))
    assert len(fleet.sandbox.calls) == 8
    assert len([line for line in caplog.messages if "at its limit" in line]) == 1
    queue.fleet_worker.keep_record()
    (stats,) = fleet.rows("SELECT stats FROM recours_runs WHERE worker = 'pod_retry_scheduler'")
    assert '"skipped_rate_limit": 6' in str(stats[0]) or stats[0]["skipped_rate_limit"] == 6


@pytest.mark.parametrize("fails", [False, True])
def test_a_new_claim_that_is_wanted_at_once_gets_its_first_attempt(fleet: Fleet, *, fails: bool) -> None:
    fleet.add([{"pod_fetch_status": "pending", "pod_fetch_error": None}])
    fleet.deliver(1, Scenario.IN_TRANSIT if fails else Scenario.DELIVERED)
    fleet.fleet_worker().fetch_now("CLM-00000", None, hand_on_nothing)
    ((status, stage, worker, used),) = rows(
        fleet.database,
        "SELECT pod_fetch_status, stage, worker, used FROM claims JOIN recours_claims ON recours_claims.claim_id = claims.id"
        " JOIN recours_attempts ON recours_attempts.claim_id = claims.id",
    )
    assert (status, stage) == (("failed", "waiting") if fails else ("success", "done"))
    assert (worker, bool(used)) == ("pod_fetch_worker", True)


@pytest.mark.parametrize("asked", ["by nobody", "before the last attempt"])
def test_a_job_that_comes_late_costs_no_second_call(fleet: Fleet, asked: str) -> None:
    """For example after a trigger whose slice a tick has already done, or after a button was pressed twice."""
    fleet.add([{"pod_fetch_status": "pending", "pod_fetch_error": None}])
    fleet.deliver(1, Scenario.IN_TRANSIT)
    queue, asked_at = QueueInHand(fleet.fleet_worker()), fleet.clock.now().timestamp()
    fleet.clock.advance(timedelta(seconds=1))
    queue.turn()
    assert len(fleet.sandbox.calls) == 1
    queue.fleet_worker.fetch_now("CLM-00000", None if asked == "by nobody" else asked_at, hand_on_nothing)
    assert len(fleet.sandbox.calls) == 1
    fleet.clock.advance(timedelta(seconds=1))
    queue.fleet_worker.fetch_now("CLM-00000", fleet.clock.now().timestamp(), hand_on_nothing)
    assert len(fleet.sandbox.calls) == 2, "somebody asked for it after the attempt"


def test_claims_that_are_wanted_one_by_one_meet_an_outage_three_times(fleet: Fleet) -> None:
    fleet.add([{"pod_fetch_status": "pending", "pod_fetch_error": None} for _ in range(8)])
    fleet.deliver(8, Scenario.MAINTENANCE)
    fleet_worker = fleet.fleet_worker()
    for n in range(8):
        fleet_worker.fetch_now(f"CLM-{n:05d}", None, hand_on_nothing)
    assert fleet.rows("SELECT count(*) FROM recours_attempts") == [(3,)]


def test_a_process_for_other_carriers_hands_the_job_on(fleet: Fleet) -> None:
    fleet.add([{"pod_fetch_status": "pending", "pod_fetch_error": None}])
    fleet_worker = fleet.fleet_worker()
    fleet_worker.only = ("ups",)
    handed_on: list[str] = []
    fleet_worker.fetch_now("CLM-00000", None, handed_on.append)
    assert (handed_on, fleet.sandbox.calls) == (["chronopost"], [])


@pytest.mark.parametrize("reference", [["CLM-00000"], "CLM\x0000000"])
def test_a_job_that_names_no_claim_is_no_fault(
    fleet: Fleet, reference: Any, caplog: pytest.LogCaptureFixture
) -> None:
    fleet_worker = fleet.fleet_worker()
    fleet_worker.fetch_now(reference, None, hand_on_nothing)
    assert fleet_worker.fault is None
    assert "Ignored a job without a claim" in caplog.text


def test_a_job_that_names_no_lane_is_logged_and_harms_nothing(
    fleet: Fleet, caplog: pytest.LogCaptureFixture
) -> None:
    fleet_worker = fleet.fleet_worker()
    carrier: Any = {"a": 1}
    fleet_worker.slice(WorkerLane("pod_fetch_worker", carrier), lambda _: None)
    assert fleet_worker.fault is None
    assert "Ignored a job without a lane" in caplog.text


def test_a_fault_stands_until_the_same_piece_of_work_succeeds(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet_worker = fleet.fleet_worker()
    usual = PODFetchWorker.maintain

    def maintain(worker: Worker) -> None:
        raise RunError("it cannot be done")

    monkeypatch.setattr(PODFetchWorker, "maintain", maintain)
    fleet_worker.tick(lambda _: None)
    assert fleet_worker.fault == "it cannot be done"
    fleet_worker.keep_record()
    query = "SELECT worker, exit_status FROM recours_runs ORDER BY worker"
    assert fleet.rows(query) == [("pod_fetch_worker", 1), ("pod_retry_scheduler", 0)]
    monkeypatch.setattr(PODFetchWorker, "maintain", usual)
    fleet_worker.tick(lambda _: None)
    fleet_worker.keep_record()
    assert fleet_worker.fault is None
    assert fleet.rows(query) == [("pod_fetch_worker", 0), ("pod_retry_scheduler", 0)]


def test_a_silent_fleet_is_a_fault_within_minutes(fleet: Fleet) -> None:
    """Its processes exist, but the job queue does not call them, as with a periodic job that got stuck."""
    fleet_worker, other = fleet.fleet_worker(), fleet.fleet_worker()
    for _ in range(12):
        other.tick(lambda _: None)
        for one in (fleet_worker, other):
            one.keep_record()
        fleet.clock.advance(timedelta(minutes=1))
    assert not fleet_worker.is_silent, "another process looks"
    fleet.clock.advance(timedelta(minutes=10))
    for one in (fleet_worker, other):
        one.keep_record()
        assert one.is_silent
        assert "No long-lived worker has checked for due claims since" in (one.fault or "")
    assert fleet.rows("SELECT DISTINCT exit_status FROM recours_runs") == [(1,)]
    app = App(fleet_worker.app.settings, fleet.database, fleet_worker.app.schema, fleet.clock)
    assert ProblemKind.FLEET_SILENT in [problem.kind for problem in verdict(Reports(app).overview()).problems]
    other.tick(lambda _: None)
    other.keep_record()
    fleet_worker.keep_record()
    assert (fleet_worker.fault, other.fault) == (None, None)
    assert not verdict(Reports(app).overview()).problems


def test_a_fault_of_our_own_is_not_met_again_each_minute(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.add([{} for _ in range(5)])
    fleet.deliver(5)
    queue = QueueInHand(fleet.fleet_worker())
    met: list[int] = []

    def slice_(*_: Any, **__: Any) -> None:
        met.append(1)
        raise RunError("the disk is full")

    monkeypatch.setattr(PODRetryScheduler, "slice", slice_)
    for _ in range(10):
        queue.turn()
        fleet.clock.advance(timedelta(minutes=1))
    assert len(met) == 1
    assert queue.fleet_worker.fault == "the disk is full"


def test_a_fault_of_the_database_is_no_reason_to_leave_the_carrier_to_others(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.add([{}])
    fleet.deliver(1)
    queue = QueueInHand(fleet.fleet_worker())
    usual = PODRetryScheduler.slice

    def slice_(*_: Any, **__: Any) -> None:
        raise DatabaseError("the server is gone")

    monkeypatch.setattr(PODRetryScheduler, "slice", slice_)
    queue.fleet_worker.tick(queue.enqueue)
    assert queue.work() == 1
    monkeypatch.setattr(PODRetryScheduler, "slice", usual)
    fleet.clock.advance(timedelta(minutes=1))
    queue.turn()
    assert fleet.rows("SELECT pod_fetch_status FROM claims") == [("success",)]


def test_a_machine_that_cannot_store_documents_leaves_the_work_to_others(
    fleet: Fleet, tmp_path: Path
) -> None:
    count = 2 * SLICE + 5
    fleet.add([{} for _ in range(count)])
    fleet.deliver(count)
    (tmp_path / "file").touch()
    broken, sound = fleet.fleet_worker(RECOURS_POD_DIR=str(tmp_path / "file" / "pods")), fleet.fleet_worker()
    queue = QueueInHand(broken)
    queue.turn()
    assert "Documents cannot be stored" in (broken.fault or "")
    assert (list(queue.waiting), fleet.sandbox.calls) == ([RETRIES], []), "it waits for another process"
    queue.fleet_worker = sound
    queue.work()
    assert fleet.rows("SELECT pod_fetch_status, count(*) FROM claims GROUP BY 1") == [("success", count)]
    fleet.clock.advance(timedelta(hours=1))
    assert "chronopost" in broken.workable, "it tries again when cron would have"


@pytest.mark.parametrize("reference", ["CLM-99999", "CLM-00000"])
def test_a_claim_that_cannot_be_fetched_is_logged_without_harm(
    fleet: Fleet, caplog: pytest.LogCaptureFixture, reference: str
) -> None:
    caplog.set_level(logging.INFO, logger="__main__")
    fleet.add([{"pod_fetch_status": "success"}])
    fleet_worker = fleet.fleet_worker()
    fleet_worker.fetch_now(reference, None, hand_on_nothing)
    assert reference in caplog.text
    assert fleet_worker.fault is None
    assert not fleet.sandbox.calls


def test_a_stopped_worker_begins_nothing(fleet: Fleet) -> None:
    fleet.add([{}])
    fleet.deliver(1)
    queue = QueueInHand(fleet.fleet_worker())
    queue.fleet_worker.tick(queue.enqueue)
    queue.fleet_worker.stop()
    queue.work()
    assert not fleet.sandbox.calls
    assert fleet.rows("SELECT stage FROM recours_claims") == [("ready",)]


def test_a_column_that_the_service_adds_is_seen_within_the_hour(fleet: Fleet) -> None:
    fleet_worker = fleet.fleet_worker()
    fleet.database = fleet_worker.app.database
    with fleet.database.write() as connection:
        connection.exec_driver_sql("ALTER TABLE claims ADD COLUMN customer_name TEXT")
    assert not fleet.database.border.has("customer_name")
    fleet_worker.sweep()
    assert fleet.database.border.has("customer_name")


# ---------------------------------------------------------------- hours by cron, and by workers


def test_hours_by_cron_and_by_workers_leave_the_same_rows(tmp_path: Path) -> None:
    def by_cron(app: App) -> Callable[[], None]:
        def hour() -> None:
            make_worker(PODRetryScheduler, app, Options(batch_size=10_000)).run()

        return hour

    def by_workers(app: App) -> Callable[[], None]:
        queue = QueueInHand(FleetWorker(app))

        def hour() -> None:
            queue.turn()
            queue.fleet_worker.sweep()

        return hour

    assert _hours(tmp_path / "cron", by_cron) == _hours(tmp_path / "workers", by_workers)


def _hours(folder: Path, how: Callable[..., Callable[[], None]]) -> tuple[Any, Any, Any]:
    folder.mkdir()
    clock = SimulatedClock(demo.BEGINS)
    with Sandbox(now=clock.now) as box:
        settings = load(folder, {**box.environment(), "RECOURS_POD_DIR": "pods"}, CATALOG)
        app = replace(open_database(settings), clock=clock)
        with closing(app.database) as database:
            demo._fill(settings, box)
            quotas = QuotaTables(database)
            # Otherwise the first answers would decide whether the account or the parcel is at fault.
            for key in CATALOG.specs:
                quotas.set_documents(key, DocumentRight(fetched_at=demo.BEGINS))
            hour = how(app)
            for n in range(1, 10):  # to the second retry
                clock.advance(demo.BEGINS + timedelta(hours=n) - clock.now())
                hour()
            # To the minute: lanes of several threads share the clock, which each call and each pause advances by
            # seconds.
            claims = rows(
                database,
                "SELECT claim_reference, pod_fetch_status, pod_retry_count, stage,"
                " strftime('%Y-%m-%d %H:%M', next_at), pod_fetch_error, pod_delivery_person FROM claims JOIN recours_claims ON claim_id = claims.id ORDER BY claim_id",
            )
            attempts = rows(
                database,
                "SELECT claim_id, turn, outcome, error_kind, used, strftime('%Y-%m-%d %H:%M', started_at)"
                " FROM recours_attempts ORDER BY claim_id, id",
            )
            events = rows(database, "SELECT claim_id, event FROM recours_events ORDER BY 1, 2")
            return claims, attempts, events

"""Procrastinate's handling of a fleet's jobs when a process cannot do some of them."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, text

from recours.database.engine import Database
from recours.fleet.job_queue import Enqueue, Requeue, WorkerLane, create_tables, remove_strange_jobs
from recours.fleet.procrastinate_queue import ProcrastinateQueue
from tests.conftest import Kind
from tests.processes_of_fleet import add_jobs, wait_for


@dataclass
class RecordedJobs:
    """Stores the calls of the queue."""

    carriers: tuple[str, ...] = ("ups", "dpd")
    workable: tuple[str, ...] = ("ups", "dpd")
    stopped: bool = False
    slices: list[WorkerLane] = field(default_factory=list)
    fetched: list[tuple[str, float | None]] = field(default_factory=list)
    ticks: int = 0

    def tick(self, enqueue: Enqueue) -> None:
        del enqueue
        self.ticks += 1

    def slice(self, lane: WorkerLane, enqueue: Enqueue) -> None:
        del enqueue
        self.slices.append(lane)

    def fetch_now(self, reference: str, asked_at: float | None, requeue: Requeue) -> None:
        del requeue
        self.fetched.append((reference, asked_at))

    def sweep(self) -> None:
        """Do nothing."""


@pytest.fixture
def url(kinds: Callable[[str], Kind], tmp_path: Path) -> Iterator[URL]:
    """A service's database with the job queue's tables."""
    kind = kinds("postgresql")
    url = kind.ready(tmp_path)
    with closing(Database(url)) as database:
        create_tables(database, ProcrastinateQueue.schema())
    yield url
    kind.drop(url)


@pytest.fixture
def database(url: URL) -> Iterator[Database]:
    with closing(Database(url)) as database:
        yield database


@contextmanager
def working(url: URL, jobs: RecordedJobs) -> Iterator[None]:
    """A process that does these jobs during the block, and has started."""
    queue = ProcrastinateQueue(url)
    process = threading.Thread(target=queue.run, args=(jobs, 2, lambda _: None), daemon=True)
    process.start()
    try:
        wait_for(lambda: jobs.ticks > 0, 10)
        yield
    finally:
        jobs.stopped = True
        process.join(timeout=20)
    assert not process.is_alive()


def add_slice(database: Database, carrier: str, **more: Any) -> None:
    arguments = {"worker": "pod_retry_scheduler", "carrier": carrier, **more}
    add_jobs(database, f"recours_{carrier}", "recours.slice", arguments)


def waiting(database: Database) -> list[str]:
    """The tasks of jobs that nobody has started, except periodic ones."""
    query = (
        "SELECT task_name FROM procrastinate_jobs"
        " WHERE status = 'todo' AND task_name NOT IN ('recours.tick', 'recours.sweep') ORDER BY id"
    )
    with database.read() as connection:
        return list(connection.scalars(text(query)))


def test_a_process_takes_no_slices_of_a_carrier_that_it_leaves_to_others(
    url: URL, database: Database
) -> None:
    jobs = RecordedJobs(workable=("dpd",))
    with working(url, jobs):
        for carrier in ("ups", "dpd"):
            add_slice(database, carrier)
        wait_for(lambda: bool(jobs.slices), 10)
        assert jobs.slices == [WorkerLane("pod_retry_scheduler", "dpd")]
        assert waiting(database) == ["recours.slice"]
        jobs.workable = jobs.carriers
        wait_for(lambda: len(jobs.slices) > 1, 10)
        assert jobs.slices[1:] == [WorkerLane("pod_retry_scheduler", "ups")]


# ---------------------------------------------------------------- jobs that another program wrote


def test_an_unknown_job_delays_no_other(url: URL, database: Database) -> None:
    jobs = RecordedJobs()
    for queue in ("recours_now", "recours_ups"):
        add_jobs(database, queue, "recours.weigh", {"parcel": 1})
    with working(url, jobs):
        add_slice(database, "ups")
        wait_for(lambda: len(jobs.slices) == 1 and not waiting(database), 10)


def test_a_job_may_have_more_or_fewer_arguments(url: URL, database: Database) -> None:
    jobs = RecordedJobs()
    with working(url, jobs):
        add_slice(database, "ups", urgency=3)
        add_jobs(database, "recours_ups", "recours.slice", {"lanes": ["ups"]})
        add_jobs(database, "recours_now", "recours.fetch_now", {"reference": "CLM-1", "urgency": 3})
        add_jobs(database, "recours_now", "recours.fetch_now", {"claim": "CLM-1"})
        wait_for(lambda: len(jobs.slices) == len(jobs.fetched) == 2, 10)
    assert {(lane.worker, lane.carrier) for lane in jobs.slices} == {
        ("pod_retry_scheduler", "ups"),
        (None, None),
    }
    assert set(jobs.fetched) == {("CLM-1", None), (None, None)}
    assert waiting(database) == []


def test_jobs_of_other_programs_that_could_block_the_queue_are_removed(url: URL, database: Database) -> None:
    insert = (
        "INSERT INTO procrastinate_jobs (queue_name, task_name, priority, args, status)"
        " SELECT :queue, :task, :priority, CAST(:args AS jsonb), CAST(:status AS procrastinate_job_status)"
        " FROM generate_series(1, :count)"
    )
    names = ("queue", "task", "priority", "args", "status", "count")
    rows = [
        ("recours_ups", "recours.slice", 100, "{}", "todo", 50_000),
        ("recours_now", "recours.fetch_now", 0, "[1]", "doing", 1),
        ("other", "of.others", 100, "[1]", "todo", 1),
    ]
    with database.write() as connection:
        for row in rows:
            connection.execute(text(insert), dict(zip(names, row, strict=True)))
    add_slice(database, "ups")
    assert remove_strange_jobs(database) == 50_001
    query = text("SELECT queue_name, priority FROM procrastinate_jobs ORDER BY queue_name")
    with database.read() as connection:
        left = [tuple(row) for row in connection.execute(query)]
    assert left == [("other", 100), ("recours_ups", 0)]


def test_jobs_deferred_by_the_queue_are_not_removed_as_strange(url: URL, database: Database) -> None:
    jobs = RecordedJobs(workable=())
    queue = ProcrastinateQueue(url)
    queue.defer_fetch("CLM-1")
    with working(url, jobs):
        wait_for(lambda: bool(jobs.fetched), 10)
        add_slice(database, "ups")
        assert remove_strange_jobs(database) == 0
        assert waiting(database) == ["recours.slice"]

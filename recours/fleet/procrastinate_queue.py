"""The job queue: Procrastinate (https://procrastinate.readthedocs.io) on PostgreSQL, used only in this module.

In Procrastinate 3.10, a `queueing_lock` is unique among waiting jobs, but not among running jobs. A killed process
leaves its jobs in the state "doing", and `sweep` deletes them. A worker ends when it loses the database (issue #1513).
"""

import asyncio
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import psycopg
from procrastinate import App, PsycopgConnector
from procrastinate.app import WorkerOptions
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
from procrastinate.jobs import JobDeferrer, Status
from procrastinate.schema import SchemaManager
from sqlalchemy import URL

from recours.core.accounts import carrier_of
from recours.fleet.connections import NO_TABLES, NOW, POOL, conninfo_of, defer_fetch, fault_of, may_listen
from recours.fleet.job_queue import NoFleetError, NoteReady, QueueError, WorkerLane

if TYPE_CHECKING:
    from recours.fleet.fleet_worker import FleetWorker

_AT_ONCE = 4  # concurrent jobs other than slices: one tick, one sweep and two fetches of single claims
_POLL_S = 2.0
_DEAD_S = 60  # without a heartbeat, which is due every 10 s
_PUT_WITHIN_S = 10.0


class ProcrastinateQueue:
    """The job queue. It uses at most three connections, two of which only LISTEN."""

    def __init__(self, url: URL) -> None:
        self._conninfo = conninfo_of(url)

    @staticmethod
    def schema() -> str:
        """The SQL that creates the queue's tables."""
        return str(SchemaManager.get_schema())

    def defer_fetch(self, reference: str) -> None:
        """Add a job that fetches a claim now. Raises QueueError, or NoFleetError if the queue has no tables."""
        with _translated():
            defer_fetch(self._conninfo, reference)

    def run(self, jobs: "FleetWorker", slots: int, ready: NoteReady) -> None:
        """Process jobs, up to `slots` slices at once, until `jobs.stopped`. Then finish the jobs in progress.

        Does not use the default event loop of Windows, because psycopg does not support it. Raises QueueError if the
        database becomes unavailable. The caller then calls this method again.
        """
        for name in ("procrastinate", "psycopg.pool", "asyncio"):  # recours logs their faults itself
            logging.getLogger(name).setLevel(logging.CRITICAL)
        with _translated(), asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            listen = may_listen(self._conninfo)
            usual = WorkerOptions(listen_notify=listen, fetch_job_polling_interval=_POLL_S)
            usual |= WorkerOptions(delete_jobs="always", install_signal_handlers=False)
            connector = PsycopgConnector(conninfo=self._conninfo, **POOL)
            app = App(connector=connector, worker_defaults=usual)
            tasks = _with_tasks(app, jobs, runner.get_loop())
            runner.run(self._work(tasks, jobs, slots, ready))

    async def _work(self, app: App, jobs: "FleetWorker", slots: int, ready: NoteReady) -> None:
        """Process jobs. Raises QueueError, or the exception that ended a worker."""
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(slots + 2 * _AT_ONCE))
        async with app.open_async():
            if not await app.check_connection_async():
                raise NoFleetError(NO_TABLES)
            slices = list(map(_of, jobs.carriers))
            workers = [
                asyncio.create_task(app.run_worker_async(queues=queues, concurrency=concurrency))
                for queues, concurrency in ((slices, slots), ([NOW], _AT_ONCE))
            ]
            try:
                # The first tick is immediate, not at the next full minute.
                await app.configure_task("recours.tick").defer_async(timestamp=0)
                while not (jobs.stopped or any(worker.done() for worker in workers)):
                    ready(True)
                    # The first worker reads the names of its queues from this list each time
                    slices[:] = map(_of, jobs.workable)
                    await asyncio.wait(workers, timeout=0.1, return_when=asyncio.FIRST_COMPLETED)
            finally:
                ready(False)
                for worker in workers:
                    worker.cancel()  # the worker then starts no more jobs, and finishes jobs in progress
                results = await asyncio.gather(*workers, return_exceptions=True)
        if not jobs.stopped:
            faults = (fault for fault in results if isinstance(fault, Exception))
            raise next(faults, QueueError("The job queue lost its database connection"))


def _of(key: str) -> str:
    """The queue for slices of an account's carrier. With a queue for each carrier, a process can serve only some."""
    return f"recours_{carrier_of(key) or 'none'}"


def _with_tasks(app: App, jobs: "FleetWorker", loop: asyncio.AbstractEventLoop) -> App:
    def put(job: JobDeferrer, **arguments: Any) -> None:
        """Add a job to the queue. Must not be called in the thread of the event loop."""
        with _translated():
            asyncio.run_coroutine_threadsafe(job.defer_async(**arguments), loop).result(_PUT_WITHIN_S)

    def enqueue(lane: WorkerLane) -> None:
        # If the server's messages are not in English, Procrastinate raises AssertionError for a duplicate.
        with suppress(AlreadyEnqueued, AssertionError):
            lock = f"recours {lane.worker} {lane.carrier}"
            job = work.configure(queue=_of(lane.carrier), queueing_lock=lock)
            put(job, worker=lane.worker, carrier=lane.carrier)

    @app.periodic(cron="* * * * *")
    @app.task(name="recours.tick", queue=NOW, priority=10)
    def tick(timestamp: int) -> None:  # noqa: ARG001 (it is passed by its name)
        jobs.tick(enqueue)

    # Accept any arguments, because any program with access to the queue's tables can add jobs.
    @app.task(name="recours.slice")
    def work(worker: Any = None, carrier: Any = None, **_: Any) -> None:
        jobs.slice(WorkerLane(worker, carrier), enqueue)

    @app.task(name="recours.fetch_now", queue=NOW)
    def fetch_now(reference: Any = None, asked_at: float | None = None, **_: Any) -> None:
        def requeue(carrier: str) -> None:
            put(fetch_now.configure(queue=_of(carrier), priority=10), reference=reference, asked_at=asked_at)

        jobs.fetch_now(reference, asked_at, requeue)

    @app.periodic(cron="*/5 * * * *")
    @app.task(name="recours.sweep", queue=NOW, priority=5)
    async def sweep(timestamp: int) -> None:  # noqa: ARG001 (see above)
        for queue in (NOW, *map(_of, jobs.carriers)):
            for job in await app.job_manager.get_stalled_jobs(queue=queue, seconds_since_heartbeat=_DEAD_S):
                await app.job_manager.finish_job(job, Status.FAILED, delete_job=True)
        await asyncio.to_thread(jobs.sweep)

    return app


@contextmanager
def _translated() -> Iterator[None]:
    """Convert exceptions to QueueError and NoFleetError."""
    try:
        yield
    except (ConnectorException, psycopg.Error, OSError) as error:
        raise fault_of(error) from error

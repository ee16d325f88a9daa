"""The job queue on Procrastinate, in PostgreSQL: https://procrastinate.readthedocs.io. Only this module knows it.

What one has to know of it (3.10): `queueing_lock` is unique among jobs that wait, not among those at work. A process
that is killed leaves its jobs as being done; `sweep` deletes them. When the database goes away, a worker ends without
an error (its issue #1513).
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import procrastinate
import psycopg
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
from procrastinate.jobs import Status
from psycopg.conninfo import make_conninfo
from psycopg.errors import UndefinedFunction, UndefinedTable
from sqlalchemy import URL

from recours.database.engine import KEEPALIVES
from recours.fleet.jobs import Jobs, NoFleetError, QueueError, WorkerLane
from recours.fleet.listening import notifications_arrive
from recours.runs.log import log

_NOW = "recours_now"  # a queue, as `_of` names others; the service may have its own in the same tables
_AT_ONCE = 4  # of these jobs: tick, sweep, and two claims that are wanted at once
_POLL_S, _DEAD_S = 2.0, 60  # the latter without a sign of life; one is due every 10 s
_Connector = TypeVar("_Connector", procrastinate.PsycopgConnector, procrastinate.SyncPsycopgConnector)
_NO_TABLES = "The job queue has no tables: run 'recours init-db --fleet'."


class ProcrastinateQueue:
    """See `JobQueue`. It has three connections at most, two of them to listen."""

    def __init__(self, url: URL, *, listen: bool = True) -> None:
        """Connects nowhere yet. `listen`: hear of new jobs at once, instead of asking for them every two seconds."""
        _, given = url.get_dialect()().create_connect_args(url)
        usual = {"connect_timeout": 10, **KEEPALIVES}
        self._conninfo = make_conninfo(**{**usual, **given, "client_encoding": "utf8"})
        self._listen = listen

    @staticmethod
    def schema() -> str:
        return str(procrastinate.schema.SchemaManager.get_schema())

    def defer_fetch(self, reference: str) -> None:
        app = procrastinate.App(connector=self._connector(procrastinate.SyncPsycopgConnector))
        job = app.configure_task("recours.fetch_now", queue=_NOW, queueing_lock=f"recours fetch {reference}")
        with _translated(), app.open(), suppress(AlreadyEnqueued):
            job.defer(reference=reference)

    def _connector(self, kind: type[_Connector]) -> _Connector:
        # Nothing stays prepared: a pooler may hand each transaction to another session.
        session = {"prepare_threshold": None}
        return kind(conninfo=self._conninfo, kwargs=session, min_size=1, max_size=1, timeout=5)

    def run(self, jobs: Jobs, slots: int, ready: Callable[[bool], None]) -> None:
        """Not in Windows' usual loop, in which psycopg cannot work."""
        for name in ("procrastinate", "psycopg.pool", "asyncio"):  # whose faults are logged here
            logging.getLogger(name).setLevel(logging.CRITICAL)
        with _translated(), asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            listen = self._listen and notifications_arrive(self._conninfo)
            if not listen:
                why = " as a pooler hands each transaction to another session" if self._listen else ""
                log.warning(f"LISTEN is not used{why}: jobs begin within {_POLL_S:.0f} s instead of at once")
            app = procrastinate.App(connector=self._connector(procrastinate.PsycopgConnector))
            runner.run(self._work(_with_tasks(app, jobs), jobs, slots, ready, listen=listen))

    async def _work(
        self, app: procrastinate.App, jobs: Jobs, slots: int, ready: Callable[[bool], None], *, listen: bool
    ) -> None:
        """Raises QueueError, and what ended a worker."""
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(slots + 2 * _AT_ONCE))
        usual: dict[str, Any] = {"listen_notify": listen, "fetch_job_polling_interval": _POLL_S}
        usual |= {"install_signal_handlers": False, "delete_jobs": "always"}
        async with app.open_async():
            if not await app.check_connection_async():
                raise NoFleetError(_NO_TABLES)
            workers = [
                asyncio.create_task(app.run_worker_async(queues=queues, concurrency=most, **usual))
                for queues, most in ((list(map(_of, jobs.carriers)), slots), ([_NOW], _AT_ONCE))
            ]
            ready(True)
            try:
                with suppress(AlreadyEnqueued):  # what a lost connection ended goes on now
                    await app.configure_task("recours.tick").defer_async(timestamp=0)
                while not (jobs.stopped or any(worker.done() for worker in workers)):
                    await asyncio.wait(workers, timeout=0.1, return_when=asyncio.FIRST_COMPLETED)
            finally:
                ready(False)
                for worker in workers:
                    worker.cancel()  # it begins nothing more, and waits for what is under way
                ended = await asyncio.gather(*workers, return_exceptions=True)
        if not jobs.stopped:
            faults = [fault for fault in ended if isinstance(fault, Exception)]
            raise faults[0] if faults else QueueError("The connection of the job queue was lost")


def _of(carrier: str) -> str:
    """The queue of a carrier's slices: a process that works for some carriers takes no job of others."""
    return f"recours_{carrier or 'none'}"


def _with_tasks(app: procrastinate.App, jobs: Jobs) -> procrastinate.App:
    """The jobs as tasks."""

    def wake(lane: WorkerLane) -> None:
        with _translated(), suppress(AlreadyEnqueued):
            lock = f"recours {lane.worker} {lane.carrier}"
            job = work.configure(queue=_of(lane.carrier), queueing_lock=lock)
            job.defer(worker=lane.worker, carrier=lane.carrier)

    @app.periodic(cron="* * * * *")
    @app.task(name="recours.tick", queue=_NOW, queueing_lock="recours tick", priority=10)
    def tick(timestamp: int) -> None:  # noqa: ARG001 (it is passed by its name)
        jobs.tick(wake)

    # A newer version may say more than this one knows.
    @app.task(name="recours.slice")
    def work(worker: str, carrier: str, **_: Any) -> None:
        jobs.slice(WorkerLane(worker, carrier), wake)

    @app.task(name="recours.fetch_now", queue=_NOW)
    def fetch_now(reference: str, **_: Any) -> None:
        jobs.fetch_now(reference)

    @app.periodic(cron="*/5 * * * *")
    @app.task(name="recours.sweep", queue=_NOW, queueing_lock="recours sweep")
    async def sweep(timestamp: int) -> None:  # noqa: ARG001 (see above)
        for queue in (_NOW, *map(_of, jobs.carriers)):
            for job in await app.job_manager.get_stalled_jobs(queue=queue, seconds_since_heartbeat=_DEAD_S):
                await app.job_manager.finish_job(job, Status.FAILED, delete_job=True)
        await asyncio.to_thread(jobs.sweep)

    return app


@contextmanager
def _translated() -> Iterator[None]:
    """Raises QueueError, NoFleetError."""
    try:
        yield
    except (ConnectorException, psycopg.Error, OSError) as error:
        if isinstance(cause := error.__cause__ or error, (UndefinedTable, UndefinedFunction)):
            raise NoFleetError(_NO_TABLES) from error
        reason = (str(cause).strip().splitlines() or [type(cause).__name__])[0]
        raise QueueError(f"The job queue in the database cannot be reached: {reason}") from error

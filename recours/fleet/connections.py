"""Connections of the job queue: their faults, whether notifications arrive, and a job that is put into it.

Notifications do not through a pooler that hands each transaction to another session.
"""

from contextlib import suppress
from functools import cache
from typing import Any

import psycopg
from psycopg import IsolationLevel
from psycopg.conninfo import make_conninfo
from psycopg.errors import UndefinedFunction, UndefinedObject, UndefinedTable, UniqueViolation
from sqlalchemy import URL

from recours.database.engine import KEEPALIVES
from recours.fleet.job_queue import NoFleetError, QueueError
from recours.runs.log import log

NO_TABLES = "The job queue has no tables: run 'recours init-db --fleet'."
_NOT_INSTALLED = UndefinedTable, UndefinedFunction, UndefinedObject
# Whatever the server's default is: under a stricter one, jobs that another process takes meanwhile are an error. It is
# said at the beginning of each transaction, as a pooler may hand each to another session.
ISOLATION = IsolationLevel.READ_COMMITTED
_CHANNEL = "recours_probe"
_PATIENCE_S = 2.0

NOW = "recours_now"  # the queue of what is not for some carrier alone
_DEFER_FETCH = """SELECT procrastinate_defer_jobs_v1(ARRAY[ROW(
    %(queue)s, 'recours.fetch_now', 0, NULL, %(lock)s,
    jsonb_build_object('reference', %(reference)s::text, 'asked_at', extract(epoch FROM clock_timestamp())), NULL
)::procrastinate_job_to_defer_v1])"""


def conninfo_of(url: URL) -> str:
    """The options of libpq, to notice as soon as the rest of recours does that a server is away."""
    _, url_arguments = url.get_dialect()().create_connect_args(url)
    usual = {"connect_timeout": 10, **KEEPALIVES}
    return make_conninfo(**{**usual, **url_arguments, "client_encoding": "utf8"})


def connected(conninfo: str) -> psycopg.Connection:
    """A connection in autocommit, without prepared statements, whose transactions are at ISOLATION. Raises psycopg.Error."""
    connection = psycopg.connect(conninfo, autocommit=True, prepare_threshold=None)
    connection.isolation_level = ISOLATION
    return connection


async def _isolate(connection: psycopg.AsyncConnection) -> None:
    await connection.set_isolation_level(ISOLATION)


# The same for the pool of the job queue's library.
POOL: dict[str, Any] = {
    "min_size": 1,
    "max_size": 1,
    "timeout": 5,
    "kwargs": {"prepare_threshold": None},
    "configure": _isolate,
}


def fault_of(error: Exception) -> NoFleetError | QueueError:
    """What an error of a connection, or the one that it was caused by, says to an operator."""
    cause = error.__cause__ or error
    if isinstance(cause, _NOT_INSTALLED):
        return NoFleetError(NO_TABLES)
    reason = (str(cause).strip().splitlines() or [type(cause).__name__])[0]
    return QueueError(f"The job queue in the database cannot be reached: {reason}")


def may_listen(conninfo: str) -> bool:
    """Return whether to LISTEN for jobs; if not, the log says once why. Raises psycopg.Error if the database is away."""
    with connected(conninfo) as connection:
        if _notifications_arrive(connection, conninfo):
            return True
    _say_once()
    return False


def _notifications_arrive(listener: psycopg.Connection, conninfo: str) -> bool:
    """Send one to find out; takes two seconds where they do not."""
    listener.execute(f"LISTEN {_CHANNEL}")
    with connected(conninfo) as other:
        other.execute(f"NOTIFY {_CHANNEL}")
    return any(True for _ in listener.notifies(timeout=_PATIENCE_S, stop_after=1))


@cache
def _say_once() -> None:
    log.warning(
        "LISTEN is not used, as a pooler hands each transaction to another session: a new job begins within two seconds "
        "instead of at once"
    )


def defer_fetch(conninfo: str, reference: str) -> None:
    """Have a claim fetched, unless a job for it waits; in one statement, without a pool. Raises psycopg.Error."""
    names = {"queue": NOW, "lock": f"recours fetch {reference}", "reference": reference}
    with suppress(UniqueViolation), connected(conninfo) as server, server.transaction():
        server.execute(_DEFER_FETCH, names)

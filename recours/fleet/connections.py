"""Connections of the job queue: converts their errors, tests whether notifications arrive, and adds jobs.

Notifications do not arrive through a pooler that gives each transaction another session.
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
# Overrides the server's default, because a stricter level causes errors when another process takes a job. The level is
# set in each transaction, because a pooler may give each transaction another session.
ISOLATION = IsolationLevel.READ_COMMITTED
_CHANNEL = "recours_probe"
_PATIENCE_S = 2.0

NOW = "recours_now"  # the queue of jobs that are not for a single carrier
_DEFER_FETCH = """SELECT procrastinate_defer_jobs_v1(ARRAY[ROW(
    %(queue)s, 'recours.fetch_now', 0, NULL, %(lock)s,
    jsonb_build_object('reference', %(reference)s::text, 'asked_at', extract(epoch FROM clock_timestamp())), NULL
)::procrastinate_job_to_defer_v1])"""


def conninfo_of(url: URL) -> str:
    """The libpq options, with recours's usual timeouts for detecting an unavailable server."""
    _, url_arguments = url.get_dialect()().create_connect_args(url)
    usual = {"connect_timeout": 10, **KEEPALIVES}
    return make_conninfo(**{**usual, **url_arguments, "client_encoding": "utf8"})


def connected(conninfo: str) -> psycopg.Connection:
    """An autocommit connection without prepared statements. Transactions use ISOLATION. Raises psycopg.Error."""
    connection = psycopg.connect(conninfo, autocommit=True, prepare_threshold=None)
    connection.isolation_level = ISOLATION
    return connection


async def _isolate(connection: psycopg.AsyncConnection) -> None:
    await connection.set_isolation_level(ISOLATION)


# The same options for Procrastinate's pool.
POOL: dict[str, Any] = {
    "min_size": 1,
    "max_size": 1,
    "timeout": 5,
    "kwargs": {"prepare_threshold": None},
    "configure": _isolate,
}


def fault_of(error: Exception) -> NoFleetError | QueueError:
    """Convert the error of a connection, or the cause of the error, to an error for operators."""
    cause = error.__cause__ or error
    if isinstance(cause, _NOT_INSTALLED):
        return NoFleetError(NO_TABLES)
    reason = (str(cause).strip().splitlines() or [type(cause).__name__])[0]
    return QueueError(f"The job queue in the database cannot be reached: {reason}")


def may_listen(conninfo: str) -> bool:
    """Return whether to LISTEN for jobs; if not, log the reason once. Raises psycopg.Error if the database is down."""
    with connected(conninfo) as connection:
        if _notifications_arrive(connection, conninfo):
            return True
    _warn_once()
    return False


def _notifications_arrive(listener: psycopg.Connection, conninfo: str) -> bool:
    """Return whether notifications arrive, by sending one. This takes two seconds if none arrives."""
    listener.execute(f"LISTEN {_CHANNEL}")
    with connected(conninfo) as other:
        other.execute(f"NOTIFY {_CHANNEL}")
    return any(True for _ in listener.notifies(timeout=_PATIENCE_S, stop_after=1))


@cache
def _warn_once() -> None:
    log.warning(
        "LISTEN is not used, because a pooler gives each transaction another session: new jobs start within two seconds "
        "instead of immediately"
    )


def defer_fetch(conninfo: str, reference: str) -> None:
    """Add a job to fetch a claim, unless such a job is waiting. Uses one statement, no pool. Raises psycopg.Error."""
    names = {"queue": NOW, "lock": f"recours fetch {reference}", "reference": reference}
    with suppress(UniqueViolation), connected(conninfo) as server, server.transaction():
        server.execute(_DEFER_FETCH, names)

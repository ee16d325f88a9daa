"""Opens the job queue's connections, converts their errors, tests whether notifications arrive, and adds jobs.

If a pooler gives each transaction another session, notifications do not arrive.
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
# Overrides the server's default, because a stricter level causes errors if another process takes a job. It is set in
# each transaction, because a pooler may give each transaction another session.
ISOLATION = IsolationLevel.READ_COMMITTED
_CHANNEL = "recours_probe"
_PATIENCE_S = 2.0

NOW = "recours_now"  # the queue of jobs that are not for a single carrier
_DEFER_FETCH = """SELECT procrastinate_defer_jobs_v1(ARRAY[ROW(
    %(queue)s, 'recours.fetch_now', 0, NULL, %(lock)s,
    jsonb_build_object('reference', %(reference)s::text, 'asked_at', extract(epoch FROM clock_timestamp())), NULL
)::procrastinate_job_to_defer_v1])"""


def conninfo_of(url: URL) -> str:
    """The libpq options of a URL, with recours's usual timeouts for detecting an unavailable server."""
    _, url_arguments = url.get_dialect()().create_connect_args(url)
    usual = {"connect_timeout": 10, **KEEPALIVES}
    return make_conninfo(**{**usual, **url_arguments, "client_encoding": "utf8"})


def connected(conninfo: str) -> psycopg.Connection:
    """Open an autocommit connection without prepared statements, with the level ISOLATION. Raises psycopg.Error."""
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
    """Convert an error of a connection, or the error's cause, to an error that operators understand."""
    cause = error.__cause__ or error
    if isinstance(cause, _NOT_INSTALLED):
        return NoFleetError(NO_TABLES)
    reason = (str(cause).strip().splitlines() or [type(cause).__name__])[0]
    return QueueError(f"The job queue in the database cannot be reached: {reason}")


def may_listen(conninfo: str) -> bool:
    """Return whether LISTEN works; if not, log the reason once. Raises psycopg.Error if the database is unavailable."""
    with connected(conninfo) as connection:
        if _notifications_arrive(connection, conninfo):
            return True
    _warn_once()
    return False


def _notifications_arrive(listener: psycopg.Connection, conninfo: str) -> bool:
    """Send a notification, and return whether it arrives. Waits two seconds before returning False."""
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
    """Add a job that fetches a claim, unless one is waiting. Needs one statement and no pool. Raises psycopg.Error."""
    names = {"queue": NOW, "lock": f"recours fetch {reference}", "reference": reference}
    with suppress(UniqueViolation), connected(conninfo) as server, server.transaction():
        server.execute(_DEFER_FETCH, names)

"""The interface between a job queue and `FleetWorker`.

A job only wakes a process up, because claims, their order, quotas and retries are stored in recours's own tables. The
queue needs no retries, locks or results, and a lost or duplicate job does no harm. Every minute, `tick` wakes up all
lanes that have work.
"""

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module, resources
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from sqlalchemy import text

from recours.core.errors import RunError
from recours.database.dialect import is_file
from recours.database.engine import Database, DatabaseError
from recours.database.schema.inspection import granting
from recours.database.schema.rights import ALL, Need, grants, missing_rights, named, rights_of
from recours.settings.model import Settings

if TYPE_CHECKING:
    from recours.fleet.procrastinate_queue import ProcrastinateQueue


class NoFleetError(RunError):
    """A fleet is not possible here or not set up. The message states what to do."""


class QueueError(DatabaseError):
    """The job queue's database cannot be reached, or its connection was lost."""


@dataclass(frozen=True)
class WorkerLane:
    """The claims of one worker that one account serves. A slice is part of a lane."""

    worker: str  # pod_fetch_worker or pod_retry_scheduler
    carrier: str  # the account's key; "": unknown carrier


# Enqueues a slice of a lane for the next free process, unless one is already waiting. Raises QueueError.
Enqueue = Callable[[WorkerLane], None]


# Passes the current job on to a process that works for this carrier. Raises QueueError.
Requeue = Callable[[str], None]

# A queue calls this several times a second with True while it processes jobs, and once with False when it ends.
NoteReady = Callable[[bool], None]


PACKAGE = "procrastinate"
# The oldest supported version, as in pyproject.toml; a test compares both.
OLDEST = (3, 10)
TOO_NEW = (4,)
REQUIREMENT = f"{PACKAGE}>={'.'.join(map(str, OLDEST))},<{'.'.join(map(str, TOO_NEW))}"


def found_version() -> str | None:
    try:
        return version(PACKAGE)
    except PackageNotFoundError:
        return None


def problem() -> str | None:
    """Return why the extra cannot be used, as a sentence without a period; None: it can be used."""
    version = found_version()
    if version is None:
        return "the package Procrastinate is not installed"
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if not OLDEST <= numbers < TOO_NEW:
        return f"Procrastinate {version} is installed, but recours needs {REQUIREMENT}"
    try:
        import_module(PACKAGE)
    except ImportError as error:
        return f"Procrastinate {version} cannot be imported: {error}"
    return None


def remedy() -> str:
    """The command that installs the extra for the running Python."""
    return f'{sys.executable} -m pip install "{REQUIREMENT}" "psycopg[binary]>=3.2"'


def open_queue(settings: Settings) -> "ProcrastinateQueue":
    """Return the job queue without connecting. Raises NoFleetError on SQLite, or if the extra cannot be used."""
    if is_file(settings.database_url):
        raise NoFleetError(
            "Long-lived workers and their job queue need PostgreSQL; set DATABASE_URL. On SQLite, use the two workers that "
            "cron starts."
        )
    if why := problem():
        raise NoFleetError(
            f"Long-lived workers and their job queue need the extra 'fleet': {why}. To install it: {remedy()}"
        )
    from recours.fleet.procrastinate_queue import ProcrastinateQueue  # noqa: PLC0415 (an extra)

    return ProcrastinateQueue(settings.database_url)


_MIGRATIONS = "https://procrastinate.readthedocs.io/en/stable/howto/production/migrations.html"

NEEDS = (
    Need("procrastinate_jobs", ALL, numbered=True),
    Need("procrastinate_events", ALL, numbered=True),
    Need("procrastinate_periodic_defers", ALL, numbered=True),
    # An identity column numbers its rows, which requires no right on a sequence
    Need("procrastinate_workers", ALL),
)

# Deletes jobs from our queues that differ in task or priority from the jobs that recours adds.
_REMOVE_STRANGE_JOBS = text(r"""DELETE FROM procrastinate_jobs WHERE queue_name LIKE 'recours\_%'
    AND status IN ('todo', 'doing') AND (jsonb_typeof(args) <> 'object' OR (task_name, priority) NOT IN (
    ('recours.tick', 10), ('recours.sweep', 5), ('recours.slice', 0), ('recours.fetch_now', 0), ('recours.fetch_now', 10)))""")


@dataclass(frozen=True)
class JobTables:
    """The state of Procrastinate's schema in a database."""

    present: tuple[str, ...]
    missing: tuple[str, ...]  # tables, and functions that the installed version calls
    missing_rights: tuple[str, ...] = ()  # rights of the user, such as `SELECT on procrastinate_jobs`
    granting: tuple[str, ...] = ()  # the SQL that grants the missing rights


def inspect_tables(database: Database) -> JobTables:
    """Inspect the schema with the rights of the current database user. Raises DatabaseError."""
    with database.read() as connection:
        tables = {need.name for need in NEEDS}
        query = text(
            "SELECT name FROM unnest(CAST(:names AS text[])) AS name WHERE to_regclass(name) IS NOT NULL"
        )
        names = set(connection.scalars(query, {"names": sorted(tables)}))
        query = text(
            "SELECT proname FROM pg_proc WHERE proname = ANY(:names) AND pg_function_is_visible(oid)"
        )
        called = _functions()
        functions = called - set(connection.scalars(query, {"names": sorted(called)}))
        rights = missing_rights(connection, NEEDS)
    return JobTables(
        tuple(sorted(names)),
        tuple(sorted(tables - names | functions)),
        tuple(named(rights)),
        tuple(granting(database, rights)) if rights else (),
    )


def _functions() -> set[str]:
    """The SQL functions that the installed version of Procrastinate calls; empty if it is not installed."""
    try:
        queries = (resources.files(PACKAGE) / "sql" / "queries.sql").read_text(encoding="utf-8")
    except (ModuleNotFoundError, FileNotFoundError):
        return set()
    return set(re.findall(r"\b(procrastinate_\w+_v\d+)\(", queries))


def create_tables(database: Database, schema: str) -> bool:
    """Create the job queue's tables with the SQL `schema`. False: they exist. Raises DatabaseError, NoFleetError."""
    if _are_there(database):
        return False
    with database.write() as connection:
        connection.exec_driver_sql(schema.replace("%", "%%"))
    return True


def sql_of_tables(database: Database, schema: str, role: str | None = None) -> list[str]:
    """The SQL that `create_tables` would run, and the grants for `role`. Raises DatabaseError, NoFleetError."""
    creating = [] if _are_there(database) else [schema]
    if role is None:
        return creating
    with database.read() as connection:
        return [*creating, *(f"{grant};" for grant in grants(connection, rights_of(NEEDS), role))]


def _are_there(database: Database) -> bool:
    """Return whether the tables exist. Raises DatabaseError.

    Raises NoFleetError if they belong to another version, because only Procrastinate's own migrations can upgrade them.
    """
    tables = inspect_tables(database)
    if tables.present and tables.missing:
        raise NoFleetError(
            f"The job queue's tables in {database.safe_url} belong to another version of Procrastinate (missing: "
            f"{', '.join(tables.missing)}). Run Procrastinate's own migrations: {_MIGRATIONS}"
        )
    return bool(tables.present)


def remove_strange_jobs(database: Database) -> int:
    """Remove other programs' jobs from our queues. Such jobs could run first or never end. Raises DatabaseError."""
    with database.write() as connection:
        return connection.execute(_REMOVE_STRANGE_JOBS).rowcount

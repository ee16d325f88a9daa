"""Procrastinate's tables and functions in the database: what is missing of them, and the rights that a worker needs."""

import re
from dataclasses import dataclass
from importlib import resources

from sqlalchemy import text

from recours.database.engine import Database
from recours.database.schema.inspection import granting
from recours.database.schema.rights import ALL, Need, grants, missing_rights, named, rights_of
from recours.fleet.jobs import PACKAGE, NoFleetError

_MIGRATIONS = "https://procrastinate.readthedocs.io/en/stable/howto/production/migrations.html"

NEEDS = (
    Need("procrastinate_jobs", ALL, numbered=True),
    Need("procrastinate_events", ALL, numbered=True),
    Need("procrastinate_periodic_defers", ALL, numbered=True),
    Need("procrastinate_workers", ALL),  # an identity column numbers its rows, which takes no right
)

# What is put into our queues, with its priority.
_REMOVE_STRANGE_JOBS = text(r"""DELETE FROM procrastinate_jobs WHERE queue_name LIKE 'recours\_%'
    AND status IN ('todo', 'doing') AND (jsonb_typeof(args) <> 'object' OR (task_name, priority) NOT IN (
    ('recours.tick', 10), ('recours.sweep', 5), ('recours.slice', 0), ('recours.fetch_now', 0), ('recours.fetch_now', 10)))""")


@dataclass(frozen=True)
class JobTables:
    """What a database holds of Procrastinate's schema."""

    there: tuple[str, ...]
    missing: tuple[str, ...]  # of its tables, and of the functions that the installed version calls
    missing_rights: tuple[str, ...] = ()  # as `SELECT on procrastinate_jobs`, of the user of the database
    granting: tuple[str, ...] = ()  # the SQL that grants them


def look(database: Database) -> JobTables:
    """What PostgreSQL's user finds. Raises DatabaseError."""
    with database.read() as connection:
        tables = {need.name for need in NEEDS}
        query = text(
            "SELECT name FROM unnest(CAST(:names AS text[])) AS name WHERE to_regclass(name) IS NOT NULL"
        )
        there = set(connection.scalars(query, {"names": sorted(tables)}))
        query = text(
            "SELECT proname FROM pg_proc WHERE proname = ANY(:names) AND pg_function_is_visible(oid)"
        )
        called = _functions()
        functions = called - set(connection.scalars(query, {"names": sorted(called)}))
        rights = missing_rights(connection, NEEDS)
    return JobTables(
        tuple(sorted(there)),
        tuple(sorted(tables - there | functions)),
        tuple(named(rights)),
        tuple(granting(database, rights)) if rights else (),
    )


def _functions() -> set[str]:
    """Those that the installed version calls; none if it is not installed."""
    try:
        queries = (resources.files(PACKAGE) / "sql" / "queries.sql").read_text(encoding="utf-8")
    except (ModuleNotFoundError, FileNotFoundError):
        return set()
    return set(re.findall(r"\b(procrastinate_\w+_v\d+)\(", queries))


def create_tables(database: Database, schema: str) -> bool:
    """Create the tables of the job queue by this SQL; False if they are there. Raises DatabaseError, NoFleetError."""
    if _are_there(database):
        return False
    with database.write() as connection:
        connection.exec_driver_sql(schema.replace("%", "%%"))
    return True


def sql_of_tables(database: Database, schema: str, role: str | None = None) -> list[str]:
    """What `create_tables` would run, to be run by someone else. Raises DatabaseError, NoFleetError.

    `role`: who is given the rights that a worker needs; None: nobody.
    """
    creating = [] if _are_there(database) else [schema]
    if role is None:
        return creating
    with database.read() as connection:
        return [*creating, *(f"{grant};" for grant in grants(connection, rights_of(NEEDS), role))]


def _are_there(database: Database) -> bool:
    """Raises DatabaseError; NoFleetError if they are those of another version, which its own migrations alone can change."""
    found = look(database)
    if found.there and found.missing:
        raise NoFleetError(
            f"The job queue's tables in {database.safe_url} are those of another version of Procrastinate; missing: "
            f"{', '.join(found.missing)}. Run Procrastinate's own migrations, see {_MIGRATIONS}"
        )
    return bool(found.there)


def remove_strange_jobs(database: Database) -> int:
    """Remove jobs that are none of ours from our queues; returns how many. Raises DatabaseError.

    A program that may write to the queue's tables may write anything: jobs that come before all others, or never end.
    """
    with database.write() as connection:
        return connection.execute(_REMOVE_STRANGE_JOBS).rowcount

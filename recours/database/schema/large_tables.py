"""What takes long on PostgreSQL where tables are large: indexes on `claims`, and columns that hold 64-bit keys.

Such an index is built beside everybody's reading and writing, by one process at a time. It cannot be built in a
transaction, and waits for every other one that is open: hence a lease, not a lock. Widening rewrites a recours table,
with a lock on it and on nothing of the service's. A run does that only where it takes a moment; `recours init-db` does
it however large the table is.
"""

import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Timer
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from recours.database.engine import Database, DatabaseError, explain
from recours.database.named_leases import lease_name, release_name
from recours.database.predicates import HIGHEST_NARROW
from recours.database.schema import revisions
from recours.database.schema.inspection import Schema, look
from recours.runs.ports import Clock

# How remarks begin that someone should read.
MISSING = "Missing indexes on claims"
NARROW = "Large claim numbers"

# Nobody builds longer than that, so that two never build at the same time.
_LEASE = timedelta(hours=1)
_LEFT_BEHIND = text(
    "SELECT CAST(CAST(indexrelid AS regclass) AS text) FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid"
    " WHERE indrelid = to_regclass('claims') AND relname = :name AND NOT (indisvalid AND indisready)"
)
_BUILDING = "indexes on claims"
_CANCELLED = "57014"  # PostgreSQL's code for that; the lease is over then
# How long a run waits for another one that builds.
BUILDER_S = 5.0
_POLL_S = 0.25

# A run widens tables of up to so many rows ever written: a second or two.
MOST_ROWS = 1_000_000
TOO_LARGE = "a run has no time for such large tables"
VIEW = "recours_documents"
_OF_VIEW = "recours_attempts"
_HAS_TABLE = text(f"SELECT to_regclass('{_OF_VIEW}') IS NOT NULL")
_HAS_VIEW = text(f"SELECT to_regclass('{VIEW}') IS NOT NULL")
_VIEW_SQL = text(f"SELECT pg_get_viewdef(to_regclass('{VIEW}'))")
_VIEW_GRANTS = text(
    "SELECT CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE CAST(CAST(grantee AS regrole) AS text) END AS role,"  # noqa: S608
    " privilege_type AS what FROM pg_class, aclexplode(relacl)"
    f" WHERE pg_class.oid = to_regclass('{VIEW}') AND grantee <> relowner ORDER BY 1, 2"
)


def sql_lines(statements: Iterable[str]) -> list[str]:
    """Statements for people, each a line."""
    return [f"{' '.join(statement.split())};" for statement in statements]


# ---------------------------------------------------------------- indexes


def index_statements(schema: Schema) -> dict[str, str]:
    """How each missing index is built, by its name."""
    if not schema.missing_indexes:
        return {}
    found: dict[str, str] = {}
    for revision in revisions("base"):
        if make := getattr(revision.module, "claim_indexes", None):
            found |= make(set(schema.columns), "postgresql")
    return {name: statement for name, statement in found.items() if name in schema.missing_indexes}


def build_indexes(database: Database, schema: Schema, clock: Clock) -> list[str]:
    """Build the missing indexes on claims, one process at a time; what to say about it."""
    holder = uuid.uuid4().hex
    ends = clock.monotonic() + BUILDER_S
    try:
        while not lease_name(database, _BUILDING, holder, clock.now() + _LEASE, clock.now()):
            if clock.monotonic() + _POLL_S > ends:
                return [
                    "Another run builds the indexes on claims, or died while it did: this one goes on without, more slowly"
                ]
            clock.sleep(_POLL_S)
        try:
            return _build_missing(database)
        finally:
            release_name(database, _BUILDING, holder)
    except DatabaseError as fault:
        return _not_built(fault, index_statements(schema))


def _not_built(fault: DatabaseError, names: Iterable[str]) -> list[str]:
    """Nothing depends on the indexes but how long a run takes."""
    return [
        f"{MISSING} ({', '.join(names)}), the run goes on more slowly: {fault} To build them, run 'recours init-db' as the "
        "owner of claims, or the SQL that 'recours init-db --sql' prints, outside a transaction."
    ]


def _build_missing(database: Database) -> list[str]:
    """Build what is still missing: the process that had the lease before may have built it."""
    statements = index_statements(look(database))
    faults: dict[str, DatabaseError] = {}
    with database.outside_transactions() as connection, _cancelled_after(_LEASE, connection):
        for name, statement in statements.items():
            try:
                # A builder that died leaves an index that is kept up to date and never used.
                for left in connection.scalars(_LEFT_BEHIND, {"name": name}).all():
                    connection.exec_driver_sql(f"DROP INDEX CONCURRENTLY IF EXISTS {left}")
                connection.exec_driver_sql(statement)
            except DBAPIError as error:
                if error.connection_invalidated or getattr(error.orig, "sqlstate", None) == _CANCELLED:
                    raise
                # What keeps one from being built, such as a value that is too long for it, need not keep the others.
                faults[name] = DatabaseError(explain(error, database.shown))
    built = [name for name in statements if name not in faults]
    said = [f"Built on claims: {', '.join(built)}"] if built else []
    if faults:
        said += _not_built(next(iter(faults.values())), faults)
    return said


@contextmanager
def _cancelled_after(limit: timedelta, connection: Connection) -> Iterator[None]:
    """End what the connection is about by then: building waits for every transaction that is open, however long."""
    driver: Any = connection.connection.driver_connection
    ending = Timer(limit.total_seconds(), driver.cancel)
    ending.daemon = True
    ending.start()
    try:
        yield
    finally:
        ending.cancel()


# ---------------------------------------------------------------- keys of 32 bits


def _tables_of(schema: Schema) -> list[str]:
    return sorted({name.split(".")[0] for name in schema.narrow_keys})


def is_large(connection: Connection, schema: Schema) -> bool:
    """Tell whether widening would take longer than a run may wait. By their highest number: counting takes as long."""
    numbered = [name for name in _tables_of(schema) if name in (_OF_VIEW, "recours_events", "recours_mails")]
    highest = (connection.scalar(text(f"SELECT max(id) FROM {name}")) or 0 for name in numbered)  # noqa: S608
    return any(rows > MOST_ROWS for rows in highest)


def widening_statements(connection: Connection, narrow_keys: Iterable[str]) -> list[str]:
    """What widens these columns, within one transaction. A view stands on one of them: made anew, its grants kept."""
    by_table: dict[str, list[str]] = {}
    for name in sorted(narrow_keys):
        table, column = name.split(".")
        by_table.setdefault(table, []).append(f"ALTER COLUMN {column} TYPE BIGINT")
    found = [f"ALTER TABLE {table} {', '.join(columns)}" for table, columns in by_table.items()]
    if _OF_VIEW not in by_table:
        return found
    dropping, making = view_made_anew(connection)
    return [*dropping, *found, *making]


def view_made_anew(connection: Connection) -> tuple[list[str], list[str]]:
    """What drops the view before its table is changed; and what makes it afterwards as it was, with its grants.

    Where the table is still to be made, the migrations make the view too.
    """
    if not connection.scalar(_HAS_TABLE):
        return [f"DROP VIEW {VIEW}"], [revisions("base")[0].module.VIEW]
    if not connection.scalar(_HAS_VIEW):
        return [], []
    made = str(connection.scalar(_VIEW_SQL)).rstrip().rstrip(";")
    given = [f"GRANT {row.what} ON {VIEW} TO {row.role}" for row in connection.execute(_VIEW_GRANTS)]
    return [f"DROP VIEW {VIEW}"], [f"CREATE VIEW {VIEW} AS {made}", *given]


def count_beyond(database: Database) -> int:
    """How many claims have larger keys than columns of 32 bits hold, counted up to 100,000."""
    query = text("SELECT count(*) FROM (SELECT 1 FROM claims WHERE id > :highest LIMIT 100000) AS beyond")
    with database.read() as connection:
        return connection.scalar(query, {"highest": HIGHEST_NARROW}) or 0


def left_narrow(database: Database, schema: Schema, why: str) -> list[str]:
    """What to say of keys that stay narrow for now, and of the claims that are left alone for it."""
    return [
        f"{NARROW}: {', '.join(_tables_of(schema))} cannot hold a claim id above {HIGHEST_NARROW} yet ({why}). Claims with "
        f"a larger id are left alone until then: {count_beyond(database)} now. Run 'recours init-db' as the owner of these "
        "tables, at a quiet hour"
    ]

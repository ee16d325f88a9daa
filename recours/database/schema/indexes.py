"""PostgreSQL's indexes on `claims`: built beside everybody's reading and writing, by one process at a time.

Such an index cannot be built in a transaction, and waits for every other one that is open: hence a lease, not a lock.
"""

import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from threading import Timer
from typing import Any

from sqlalchemy import Connection, delete, text
from sqlalchemy.exc import DBAPIError

from recours.database.engine import Database, DatabaseError, explain
from recours.database.event_outbox import insert_into
from recours.database.predicates import is_over
from recours.database.schema.inspection import Schema, look
from recours.database.schema.revisions import revisions
from recours.database.tables import leases
from recours.runs.ports import Clock

# How a remark begins that someone should read.
MISSING = "Missing indexes on claims"

# Nobody builds longer than that, so that two never build at the same time.
_LEASE = timedelta(hours=1)
_LEFT_BEHIND = text(
    "SELECT CAST(CAST(indexrelid AS regclass) AS text) FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid"
    " WHERE indrelid = to_regclass('claims') AND relname = :name AND NOT (indisvalid AND indisready)"
)
_BUILDING = "indexes on claims"
_CANCELLED = "57014"  # PostgreSQL's word for that; the lease is over then
# How long a run waits for another one that builds.
BUILDER_S = 5.0
_POLL_S = 0.25


def build_indexes(database: Database, schema: Schema, clock: Clock) -> list[str]:
    """Build the missing indexes on claims, one process at a time; what to say about it."""
    holder = uuid.uuid4().hex
    try:
        if not _leased(database, holder, clock):
            return [
                "Another run builds the indexes on claims, or died while it did: this one goes on without, more slowly"
            ]
        try:
            return _build_lacking(database)
        finally:
            _release(database, holder)
    except DatabaseError as fault:
        return _what_lacks(fault, index_statements(schema).values())


def _what_lacks(fault: DatabaseError, statements: Iterable[str]) -> list[str]:
    """Nothing depends on the indexes but how long a run takes."""
    return [
        f"{MISSING}, the run goes on more slowly: {fault} Someone who may can run this SQL, outside a transaction:",
        *(f"{MISSING}: {line}" for line in sql_lines(statements)),
    ]


def _leased(database: Database, holder: str, clock: Clock) -> bool:
    ends = clock.monotonic() + BUILDER_S
    while not _lease(database, holder, clock.now()):
        if clock.monotonic() + _POLL_S > ends:
            return False
        clock.sleep(_POLL_S)
    return True


def _lease(database: Database, holder: str, now: datetime) -> bool:
    """Tell whether building is ours from now on; no other process does it, or the one that did has died."""
    taken = insert_into(leases, "postgresql").values(name=_BUILDING, holder=holder, held_until=now + _LEASE)
    taken = taken.on_conflict_do_update(
        index_elements=[leases.c.name],
        set_={"holder": taken.excluded.holder, "held_until": taken.excluded.held_until},
        where=is_over(leases.c.held_until, now),
    )
    with database.write() as connection:
        return connection.scalar(taken.returning(leases.c.name)) is not None


def _release(database: Database, holder: str) -> None:
    with database.write() as connection:
        connection.execute(delete(leases).where(leases.c.name == _BUILDING, leases.c.holder == holder))


def _build_lacking(database: Database) -> list[str]:
    """Build what is still missing: the process that had the lease before may have built it."""
    statements = index_statements(look(database))
    faults: dict[str, DatabaseError] = {}
    with database.outside_transactions() as connection, _cancelled_after(_LEASE, connection):
        for name, statement in statements.items():
            try:
                _build(connection, name, statement)
            except DBAPIError as error:
                if error.connection_invalidated or getattr(error.orig, "sqlstate", None) == _CANCELLED:
                    raise
                # What keeps one from being built, such as a value that is too long for it, need not keep the others.
                faults[name] = DatabaseError(explain(error, database.shown))
    built = [name for name in statements if name not in faults]
    said = [f"Built on claims: {', '.join(built)}"] if built else []
    if faults:
        said += _what_lacks(next(iter(faults.values())), [statements[name] for name in faults])
    return said


def _build(connection: Connection, name: str, statement: str) -> None:
    # A builder that died leaves an index that is kept up to date and never used.
    for left in connection.scalars(_LEFT_BEHIND, {"name": name}).all():
        connection.exec_driver_sql(f"DROP INDEX CONCURRENTLY IF EXISTS {left}")
    connection.exec_driver_sql(statement)


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


def index_statements(schema: Schema) -> dict[str, str]:
    """How each missing index is built, by its name."""
    if not schema.missing_indexes:
        return {}
    found: dict[str, str] = {}
    for revision in revisions("base"):
        if make := getattr(revision.module, "claim_indexes", None):
            found |= make(set(schema.columns), "postgresql")
    return {name: statement for name, statement in found.items() if name in schema.missing_indexes}


def sql_lines(statements: Iterable[str]) -> list[str]:
    """Statements for people, each a line."""
    return [f"{' '.join(statement.split())};" for statement in statements]

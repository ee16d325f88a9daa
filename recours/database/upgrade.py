"""Bringing a database up to date: done once however many runs start at the same time.

On SQLite in one transaction that has the whole file. On PostgreSQL in one transaction too, which never waits long for
the service's table; and then the indexes on that table, built beside everybody's reading and writing.
"""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from itertools import chain, repeat
from typing import TypeVar

from sqlalchemy import Connection, text

from recours.database.access import make_alike
from recours.database.adoption import adopt, sql_of_adoption
from recours.database.clock import SystemClock
from recours.database.engine import Database, DatabaseFault
from recours.database.indexes import LACKING, build_indexes, index_statements, sql_lines
from recours.database.revisions import migrate, revisions
from recours.database.schema import HEAD, VERSION_TABLE, Schema, look, look_closer
from recours.database.tables import metadata
from recours.runs.ports import Clock

# How the remarks begin that someone should read.
_NO_COPY = "No copy was made"
NOT_DONE = (_NO_COPY, LACKING)

# Ours among the numbers that a database's programs lock by agreement.
_LOCK = 0x7265636F757273
# How long a run tries to have the schema to itself, and the table claims.
PATIENCE_S = 120.0
_POLL_S = 0.25
# As long as our statement waits for claims, the service's own queries queue behind it: they are to get through between.
_WAITS_FOR_CLAIMS = "SET LOCAL lock_timeout = '2s'"
_PAUSES_S = (1.0, 2.0, 4.0, 8.0)

_NOT_ALLOWED = ("42501", "25006")
_NOT_ALLOWED_WORDS = ("read-only", "permission denied", "must be owner")

_T = TypeVar("_T")


def bring_up_to_date(
    database: Database, schema: Schema, clock: Clock | None = None
) -> tuple[Schema, list[str]]:
    """Add what is missing, once. Returns the schema then, and what to say about it. Raises DatabaseFault."""
    clock = clock or SystemClock()
    remarks: list[str] = []
    with database.long():
        if not schema.is_current:
            schema, remarks = _upgraded(database, schema, clock)
        if schema.lacking_indexes:
            remarks += build_indexes(database, schema, clock)
            schema = look(database)
    return schema, remarks


def _upgraded(database: Database, schema: Schema, clock: Clock) -> tuple[Schema, list[str]]:
    remarks: list[str] = []

    def upgrade(connection: Connection) -> Schema:
        # Whoever came first has done it by the time the lock is ours.
        before = look_closer(connection)
        if not before.is_current:
            remarks.extend(_copied_aside(database, before))
            migrate(connection)
            adopt(connection, before, clock.now())
        return before

    try:
        before = alone(database, upgrade, clock)
    except DatabaseFault as fault:
        raise _with_sql(fault, database, schema) from fault
    if before.is_current:
        return before, []
    after = look(database)
    if not after.is_current:
        raise DatabaseFault(
            f"The database {database.shown} says that its schema is {after.version}, but claims lacks "
            f"{', '.join(after.missing_columns)}: someone removed them. Add them again, or restore a back-up."
        )
    added = ", ".join(before.missing_columns) or "tables and indexes"
    return after, [*remarks, f"The schema of {database.shown} is now {HEAD}; added to claims: {added}"]


# ---------------------------------------------------------------- one transaction


def alone(database: Database, work: Callable[[Connection], _T], clock: Clock) -> _T:
    """Change the schema in one transaction, while no other process of ours does. Raises DatabaseFault."""
    if database.is_sqlite:
        with database.write() as connection:
            return work(connection)
    ends = clock.monotonic() + PATIENCE_S
    pauses: Iterator[float] = chain(_PAUSES_S, repeat(_PAUSES_S[-1]))
    while True:
        try:
            with database.write() as connection:
                if _got_lock(connection):
                    connection.exec_driver_sql(_WAITS_FOR_CLAIMS)
                    return work(connection)
            pause, reason = _POLL_S, "another run has been changing its schema"
        except DatabaseFault as fault:
            if not fault.is_of_lock:
                raise
            pause, reason = next(pauses), "another program has held the table claims"
        if clock.monotonic() + pause > ends:
            raise DatabaseFault(
                f"The database {database.shown} could not be brought to schema {HEAD}: {reason} for "
                f"{PATIENCE_S:.0f} s. Find out which one, or start again when it is done."
            )
        clock.sleep(pause)


def _got_lock(connection: Connection) -> bool:
    """Tell whether the schema is ours until the end of this transaction.

    Asked for, never waited for: who waits within a transaction is waited for by whoever builds an index, and killed.
    """
    return bool(connection.scalar(text("SELECT pg_try_advisory_xact_lock(:ours)"), {"ours": _LOCK}))


def _copied_aside(database: Database, before: Schema) -> list[str]:
    """A copy of an SQLite file that others made, beside it; what to say about it."""
    path = database.path
    if path is None or before.version is not None or not before.columns:
        return []
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    copy = path.with_name(f"{path.name}.before-recours-{stamp}")
    no_copy = f"{_NO_COPY} of {path} before adding columns"
    if shutil.disk_usage(path.parent).free < 2 * path.stat().st_size:
        return [f"{no_copy}: the disk is too full"]
    try:
        make_alike(copy, path)
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
    except (sqlite3.Error, OSError) as error:
        copy.unlink(missing_ok=True)
        return [f"{no_copy}: {error}"]
    return [f"Copied {path} to {copy.name} before adding columns"]


# ---------------------------------------------------------------- the same, for people


def _with_sql(fault: DatabaseFault, database: Database, schema: Schema) -> DatabaseFault:
    """The fault; with the SQL for someone who may, if this database user may not alter tables."""
    if fault.sqlstate not in _NOT_ALLOWED and not any(sign in str(fault) for sign in _NOT_ALLOWED_WORDS):
        return fault
    sentence = (
        f"{fault} The schema must be brought to {HEAD} first; someone who may alter tables can run this SQL:"
    )
    return DatabaseFault(sentence, sql_of_upgrade(database, schema))


def sql_of_upgrade(database: Database, schema: Schema) -> list[str]:
    """What an upgrade would run, a statement a line, to be run by someone else outside a transaction."""
    indexes = index_statements(schema).values()  # last: none of them can be built in a transaction
    statements = [
        statement
        for revision in revisions(schema.version or "base")
        for statement in revision.module.statements(set(schema.columns), database.engine.dialect.name)
        if statement not in indexes
    ]
    return [
        *sql_lines(statements),
        f"CREATE TABLE IF NOT EXISTS {VERSION_TABLE} (version_num VARCHAR(32) NOT NULL PRIMARY KEY);",
        f"DELETE FROM {VERSION_TABLE};",  # noqa: S608 (a constant)
        f"INSERT INTO {VERSION_TABLE} (version_num) VALUES ('{HEAD}');",  # noqa: S608 (a constant)
        *sql_lines([sql_of_adoption(schema, database.engine.dialect.name)]),
        *([] if database.is_sqlite else _sql_of_rights(database)),
        *sql_lines(indexes),
    ]


def _sql_of_rights(database: Database) -> list[str]:
    """The rights that this database user needs on tables that someone else makes."""
    own = [table for name, table in metadata.tables.items() if name.startswith("recours_")]
    tables = ", ".join([*(table.name for table in own), VERSION_TABLE, "recours_documents"])
    sequences = ", ".join(f"{table.name}_id_seq" for table in own if table.autoincrement_column is not None)
    with database.read() as connection:
        user = connection.scalar(text("SELECT quote_ident(current_user)"))
    return [
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {tables} TO {user};",
        f"GRANT USAGE ON SEQUENCE {sequences} TO {user};",
    ]

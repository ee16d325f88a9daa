"""Making a database, and adding to the service's what a run needs: done once however many runs start at the same time.

On SQLite in one transaction that has the whole file. On PostgreSQL in one transaction too, which never waits long for
the service's table; and then the indexes on that table, built beside everybody's reading and writing.
"""

import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from sqlalchemy import URL, Connection, inspect, text

from recours.access import PRIVATE, Access, make_alike, publish
from recours.core.text import clean
from recours.database.adoption import adopt, sql_of_adoption
from recours.database.engine import Database, DatabaseError, SystemClock
from recours.database.schema import migrate
from recours.database.schema.alone import alone
from recours.database.schema.definition import statements
from recours.database.schema.indexes import MISSING, build_missing, missing_statements
from recours.database.schema.inspection import (
    HEAD,
    Schema,
    for_new_claims,
    look,
    look_closer,
    require_version,
)
from recours.database.schema.rights import MISSING as MISSING_RIGHTS
from recours.database.schema.rights import (
    NOT_ALLOWED,
    Need,
    all_rights,
    grants,
    how_to_get_sql,
    is_change_of_schema,
    quoted,
    refused_change,
    rights_of,
    schema_grant,
)
from recours.database.tables import VERSION_TABLE, service_tables
from recours.runs.ports import Clock

# How the remarks begin that someone should read.
_NO_COPY = "No copy was made"
NOT_DONE = (_NO_COPY, MISSING)

_NOT_ALLOWED = (NOT_ALLOWED, "25006")
_SIGNS_OF_REFUSAL = ("read-only", "permission denied", "must be owner")


# ---------------------------------------------------------------- made


def create_file(path: Path, access: Access = PRIVATE) -> bool:
    """Make an SQLite file with the whole schema; False if another process made it first.

    It is made under another name and published complete: nobody ever sees half of it, and of several first runs at
    the same time one wins. Raises DatabaseError.
    """
    try:
        access.make_folder(path.parent)
        with tempfile.TemporaryDirectory(prefix=".new-", dir=path.parent) as folder:
            new_file = Path(folder) / path.name
            access.create(new_file)  # SQLite gives the files beside it the same rights
            with closing(sqlite3.connect(new_file)) as connection:
                # Once, here: switching on every connection ends in "database is locked".
                connection.execute("PRAGMA journal_mode=WAL")
            database = Database(URL.create("sqlite", database=str(new_file)))
            try:
                complete(database)
            finally:
                database.close()
            return publish(new_file, path)
    except OSError as error:
        raise DatabaseError(f"The database {path} cannot be created: {error.strerror or error}.") from error


def complete(database: Database, clock: Clock | None = None) -> list[str]:
    """Create every missing table, the service's own included; what to say about it. Raises DatabaseError."""
    clock = clock or SystemClock()

    def create_service_tables(connection: Connection) -> None:
        present = inspect(connection)
        for name, statement in service_tables(database.engine.dialect.name).items():
            if not present.has_table(name):  # PostgreSQL asks for the right to create it even if it is there
                connection.execute(text(statement))

    require_version(database, look(database))
    try:
        alone(database, create_service_tables, clock)
    except DatabaseError as fault:
        raise _with_sql(fault, database, partial(sql_of_completion, database)) from fault
    return bring_up_to_date(database, look(database), clock)[1]


def sql_of_completion(database: Database, grant_to: str | None = None) -> list[str]:
    """What `complete` would run, a statement a line; `grant_to`: with the rights of this role. Raises DatabaseError."""
    tables: set[str] = set()
    schema = Schema(None, frozenset())
    if database.is_there():
        schema = look(database)
        require_version(database, schema)
        with database.read() as connection:
            tables = set(inspect(connection).get_table_names())
    if not schema.columns:
        schema = for_new_claims(schema, is_sqlite=database.is_sqlite)
    new_columns = {
        name: sql for name, sql in service_tables(database.engine.dialect.name).items() if name not in tables
    }
    return [
        *_lines(new_columns.values()),
        *sql_of_additions(database, schema, grant_to, also_made=new_columns),
    ]


# ---------------------------------------------------------------- brought up to date


def bring_up_to_date(
    database: Database, schema: Schema, clock: Clock | None = None
) -> tuple[Schema, list[str]]:
    """Add what is missing, once. Returns the schema then, and what to say about it. Raises DatabaseError."""
    clock = clock or SystemClock()
    remarks: list[str] = []
    with database.long():
        if not schema.is_current:
            schema, remarks = _completed(database, schema, clock)
        if schema.missing_indexes:
            remarks += build_missing(database, schema, clock)
            schema = look(database)
    return schema, remarks


def _completed(database: Database, schema: Schema, clock: Clock) -> tuple[Schema, list[str]]:
    remarks: list[str] = []

    def add(connection: Connection) -> Schema:
        # Another process may have done it before this one had the lock.
        before = look_closer(connection)
        require_version(database, before)
        if not before.is_current:
            remarks.extend(_copied_aside(database, before))
            migrate(connection)
            adopt(connection, before, clock.now())
        return before

    try:
        before = alone(database, add, clock)
    except DatabaseError as fault:
        raise _with_sql(fault, database, partial(sql_of_additions, database, schema)) from fault
    if before.is_current:
        return before, []
    after = look(database)
    if not after.is_current:
        raise _columns_are_gone(database, after)
    added = ", ".join(before.missing_columns) or "tables and indexes"
    return after, [*remarks, f"The schema of {database.safe_url} is now {HEAD}; added to claims: {added}"]


def _columns_are_gone(database: Database, schema: Schema) -> DatabaseError:
    return DatabaseError(
        f"The database {database.safe_url} says that its schema is {schema.version}, but claims has no "
        f"{', '.join(schema.missing_columns)}: someone removed them. Add them again, or restore a back-up."
    )


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


def _with_sql(
    fault: DatabaseError, database: Database, sql_for: Callable[[str | None], list[str]]
) -> DatabaseError:
    """The fault; with the SQL for someone who may, if this database user may not change the schema."""
    if fault.sqlstate not in _NOT_ALLOWED and not any(sign in str(fault) for sign in _SIGNS_OF_REFUSAL):
        return fault
    is_of_schema = fault.is_of_rights and is_change_of_schema(fault.statement)
    what = refused_change(fault.message, fault.statement) if is_of_schema else fault.message
    user = None
    if not database.is_sqlite:
        with database.read() as connection:
            user = str(connection.scalar(text("SELECT current_user")))
    sentence = f"{MISSING_RIGHTS} ({what}), which the schema {HEAD} needs: {how_to_get_sql(user)}"
    return DatabaseError(sentence, sql_for(user))


def sql_of_additions(
    database: Database, schema: Schema, role: str | None = None, *, also_made: Collection[str] = ()
) -> list[str]:
    """What `bring_up_to_date` would run, a statement a line, to be run by someone else outside a transaction.

    `role`: who is given the rights that a run needs; None: nobody. `also_made`: tables of the service that are made too.
    """
    lines = [] if schema.is_current else _lines(_statements(database, schema))
    if role:
        with database.read() as connection:
            lines += _lines(_granting(connection, role, also_made))
    # Last: none of them can be built in a transaction.
    return [*lines, *_lines(missing_statements(schema).values())]


def _statements(database: Database, schema: Schema) -> list[str]:
    now = "CURRENT_TIMESTAMP" if database.is_sqlite else "CURRENT_TIMESTAMP AT TIME ZONE 'UTC'"
    return [
        f"CREATE TABLE IF NOT EXISTS {VERSION_TABLE} (version_num VARCHAR(32) NOT NULL PRIMARY KEY)",
        *statements(schema.columns, database.engine.dialect.name),
        sql_of_adoption(schema, now),
        # Last: a script that stops half-way must not say that it was done.
        f"INSERT INTO {VERSION_TABLE} (version_num) SELECT '{HEAD}'"  # noqa: S608 (constants)
        f" WHERE NOT EXISTS (SELECT 1 FROM {VERSION_TABLE})",
    ]


def _lines(lines: Iterable[str]) -> list[str]:
    """Statements for people, each a line."""
    return [f"{' '.join(statement.split())};" for statement in lines]


def _granting(connection: Connection, role: str, also_made: Collection[str] = ()) -> list[str]:
    tables = {*inspect(connection).get_table_names(), *also_made}
    return [schema_grant(connection, role), *grants(connection, all_rights(tables), role)]


def grant_rights(database: Database, role: str, beside: Sequence[Need] = ()) -> list[str]:
    """Give a role what a run needs, on what there is, and what `beside` says; the statements that did. Raises DatabaseError."""
    with database.write() as connection:
        if not connection.scalar(text("SELECT 1 FROM pg_roles WHERE rolname = :role"), {"role": role}):
            raise DatabaseError(
                f"There is no role {clean(role, 60)} on this server. An administrator creates it with: "
                f"CREATE ROLE {quoted(clean(role, 60))} LOGIN;"
            )
        granting = [*_granting(connection, role), *grants(connection, rights_of(beside), role)]
        for statement in granting:
            connection.exec_driver_sql(statement)
    return granting

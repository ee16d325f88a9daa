"""Making a database, and bringing one up to date: done once however many runs start at the same time.

On SQLite in one transaction that has the whole file. On PostgreSQL in one transaction too, which never waits long for
the service's table; and then the indexes on that table, built beside everybody's reading and writing.
"""

import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from sqlalchemy import URL, ColumnElement, Connection, Table, and_, func, inspect, select, text

from recours.access import PRIVATE, Access, make_alike, publish
from recours.core.mail import MailState
from recours.core.text import clean, plural
from recours.database.adoption import adopt, sql_of_adoption
from recours.database.engine import Database, DatabaseError, SystemClock
from recours.database.predicates import HIGHEST_NARROW, Reach, const, is_ours, known, known_event, known_mail
from recours.database.schema import migrate, revisions
from recours.database.schema.alone import PATIENCE_S, alone
from recours.database.schema.by_month import keep_by_month, sql_of_months
from recours.database.schema.inspection import HEAD, Schema, for_new_claims, look, look_closer
from recours.database.schema.large_tables import (
    MISSING,
    NARROW,
    TOO_LARGE,
    build_indexes,
    count_beyond,
    index_statements,
    is_large,
    left_narrow,
    sql_lines,
    widening_statements,
)
from recours.database.schema.partitions import partitions_of
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
from recours.database.tables import VERSION_TABLE, claims, events, mails, service_tables
from recours.operations.records import LeftAlone
from recours.runs.ports import Clock

# How the remarks begin that someone should read.
_NO_COPY = "No copy was made"
NOT_DONE = (_NO_COPY, MISSING, NARROW)
NEWER = "Schema of a newer version"

# The first version that writes pod_fetch_error in RECOURS_LANGUAGE.
_SPEAKS = "0006"
LANGUAGE_CHANGED = "pod_fetch_error is written in the language of RECOURS_LANGUAGE from now on, which is French unless it is set to en"

# How long it tries to widen a table that others are using.
_PATIENCE_WITH_READERS_S = 10.0
_NOT_ALLOWED = (NOT_ALLOWED, "25006")
_SIGNS_OF_REFUSAL = ("read-only", "permission denied", "must be owner")
# What a version does not know is counted no further than that: it is a remark, and claims are many.
_MOST_UNKNOWN = 10_000


# ---------------------------------------------------------------- made


def create_file(path: Path, access: Access = PRIVATE) -> bool:
    """Make an SQLite file with the whole schema; False if another process made it first.

    It is made under another name and published complete: nobody ever sees half of it, and of several first runs at
    the same time one wins. Raises DatabaseError.
    """
    try:
        access.make_folder(path.parent)
        with tempfile.TemporaryDirectory(prefix=".new-", dir=path.parent) as folder:
            made = Path(folder) / path.name
            access.create(made)  # SQLite gives the files beside it the same rights
            with closing(sqlite3.connect(made)) as connection:
                # Once, here: switching on every connection ends in "database is locked".
                connection.execute("PRAGMA journal_mode=WAL")
            database = Database(URL.create("sqlite", database=str(made)))
            try:
                complete(database)
            finally:
                database.close()
            return publish(made, path)
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

    try:
        alone(database, create_service_tables, clock)
    except DatabaseError as fault:
        raise _with_sql(fault, database, partial(sql_of_completion, database)) from fault
    remarks = bring_up_to_date(database, look(database), clock, has_time=True)[1]
    return [*remarks, *keep_by_month(database, clock)]


def sql_of_completion(
    database: Database, grant_to: str | None = None, clock: Clock | None = None
) -> list[str]:
    """What `complete` would run, a statement a line; `grant_to`: with the rights of this role. Raises DatabaseError."""
    there: set[str] = set()
    schema = Schema(None, frozenset())
    if database.is_there():
        schema = look(database)
        with database.read() as connection:
            there = set(inspect(connection).get_table_names())
    if not schema.columns:
        schema = for_new_claims(schema, is_sqlite=database.is_sqlite)
    made = {
        name: sql for name, sql in service_tables(database.engine.dialect.name).items() if name not in there
    }
    months_from = (clock or SystemClock()).now()
    return [
        *sql_lines(made.values()),
        *sql_of_upgrade(database, schema, grant_to, also_made=made, months_from=months_from),
    ]


# ---------------------------------------------------------------- brought up to date


def bring_up_to_date(
    database: Database, schema: Schema, clock: Clock | None = None, *, has_time: bool = False
) -> tuple[Schema, list[str]]:
    """Add what is missing, once. Returns the schema then, and what to say about it. Raises DatabaseError.

    `has_time`: a person waits for it, so that large tables are rewritten too.
    """
    clock = clock or SystemClock()
    remarks: list[str] = []
    with database.long():
        if not schema.is_current:
            schema, remarks = _upgraded(database, schema, clock)
        if schema.narrow_keys:
            remarks += _widened(database, schema, clock, has_time=has_time)
            schema = look(database)
        if schema.missing_indexes:
            remarks += build_indexes(database, schema, clock)
            schema = look(database)
    return schema, remarks


def _widened(database: Database, schema: Schema, clock: Clock, *, has_time: bool) -> list[str]:
    """Widen the columns that hold keys of the service; what to say about it. Claims with small keys need none of it."""

    def work(connection: Connection) -> frozenset[str]:
        narrow = look_closer(connection).narrow_keys  # none if another process has done it
        if narrow:
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            for statement in widening_statements(connection, narrow):
                connection.exec_driver_sql(statement)
        return narrow

    try:
        if not has_time:
            with database.read() as connection:
                if is_large(connection, schema):
                    return left_narrow(database, schema, TOO_LARGE)
        widened = alone(database, work, clock, PATIENCE_S if has_time else _PATIENCE_WITH_READERS_S)
    except DatabaseError as fault:
        why = "another program holds these tables" if fault.is_of_lock else str(fault).rstrip(".")
        return left_narrow(database, schema, why)
    return [f"Widened to 64 bits: {', '.join(sorted(widened))}"] if widened else []


def _upgraded(database: Database, schema: Schema, clock: Clock) -> tuple[Schema, list[str]]:
    remarks: list[str] = []
    if schema.is_of_newer_version:
        raise _columns_are_gone(database, schema)

    def upgrade(connection: Connection) -> Schema:
        # Another process may have done it before this one had the lock.
        before = look_closer(connection)
        if not before.is_current:
            remarks.extend(_copied_aside(database, before))
            migrate(connection)
            adopt(connection, before, clock.now())
        return before

    try:
        before = alone(database, upgrade, clock)
    except DatabaseError as fault:
        raise _with_sql(fault, database, partial(sql_of_upgrade, database, schema)) from fault
    if before.is_current:
        return before, []
    after = look(database)
    if not after.is_current:
        raise _columns_are_gone(database, after)
    added = ", ".join(before.missing_columns) or "tables and indexes"
    remarks.append(f"The schema of {database.shown} is now {HEAD}; added to claims: {added}")
    if before.version is not None and before.version < _SPEAKS:
        remarks.append(LANGUAGE_CHANGED)
    return after, remarks


def _columns_are_gone(database: Database, schema: Schema) -> DatabaseError:
    return DatabaseError(
        f"The database {database.shown} says that its schema is {schema.version}, but claims has no "
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


def sql_of_upgrade(
    database: Database,
    schema: Schema,
    role: str | None = None,
    *,
    also_made: Collection[str] = (),
    months_from: datetime | None = None,
) -> list[str]:
    """What an upgrade would run, a statement a line, to be run by someone else outside a transaction.

    `role`: who is given the rights that a run needs; None: nobody. `also_made`: tables of the service that are made too.
    `months_from`: when attempts are to be kept by month from; None: they stay as they are.
    """
    indexes = index_statements(schema).values()  # last: none of them can be built in a transaction
    lines = [] if schema.is_current else _sql_of_revisions(database, schema, indexes)
    if not database.is_sqlite:
        with database.read() as connection:
            widening = widening_statements(connection, schema.narrow_keys)
            by_month, months = sql_of_months(connection, months_from) if months_from else ([], None)
            granting = _granting(connection, role, also_made, months) if role else []
        widening = ["BEGIN", *widening, "COMMIT"] if widening else []
        lines += sql_lines([*widening, *by_month, *granting])
    return [*lines, *sql_lines(indexes)]


def _granting(
    connection: Connection, role: str, also_made: Collection[str] = (), months: Sequence[str] | None = None
) -> list[str]:
    """`months`: the partitions that there will be; None: those that there are."""
    tables = {*inspect(connection).get_table_names(), *also_made}
    if months is None:
        months = [partition.name for partition in partitions_of(connection) if partition.month]
    return [
        schema_grant(connection, role),
        *grants(connection, all_rights(tables), role),
        *([f"GRANT TRUNCATE ON {', '.join(months)} TO {quoted(role)}"] if months else []),
    ]


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


def _sql_of_revisions(database: Database, schema: Schema, but: Collection[str]) -> list[str]:
    modules = [revision.module for revision in revisions(schema.version or "base")]
    now = "CURRENT_TIMESTAMP" if database.is_sqlite else "CURRENT_TIMESTAMP AT TIME ZONE 'UTC'"
    statements = [
        statement
        for module in modules
        for statement in module.statements(set(schema.columns), database.engine.dialect.name)
        if statement not in but
    ]
    return sql_lines(
        [
            f"CREATE TABLE IF NOT EXISTS {VERSION_TABLE} (version_num VARCHAR(32) NOT NULL PRIMARY KEY)",
            *statements,
            sql_of_adoption(schema, now),
            # Last: a script that stops half-way must not say that it was done.
            f"INSERT INTO {VERSION_TABLE} (version_num) SELECT '{HEAD}'"  # noqa: S608 (constants)
            f" WHERE NOT EXISTS (SELECT 1 FROM {VERSION_TABLE})",
            f"UPDATE {VERSION_TABLE} SET version_num = '{HEAD}'",  # noqa: S608 (constants)
            *(module.OLDEST for module in modules if hasattr(module, "OLDEST")),
        ]
    )


# ---------------------------------------------------------------- what runs leave alone


def remarks_on(database: Database, schema: Schema) -> list[str]:
    """What to say of a newer version's schema; nothing of any other. Raises DatabaseError."""
    return [_newer(schema, _count_unknown(database))] if schema.is_of_newer_version else []


def _newer(schema: Schema, counts: Mapping[str, int]) -> str:
    counted = [
        f"{plural(number, what)}{' or more' if number == _MOST_UNKNOWN else ''}"
        for what, number in counts.items()
    ]
    return (
        f"{NEWER}: the database has {schema.version}, this version knows {HEAD} and may go on working. Left alone, with "
        f"a stage, kind or name that it does not know: {', '.join(counted)}. Update this checkout"
    )


def _count_unknown(database: Database) -> dict[str, int]:
    """How many claims, events and mails have a stage, kind or name that this version does not know."""
    unsent = mails.c.state.in_([const(s) for s in (MailState.READY, MailState.HELD, MailState.SENDING)])
    unknown: dict[str, tuple[Table, ColumnElement[bool]]] = {
        "claim": (claims, and_(is_ours(), ~known())),
        "event": (events, and_(events.c.told.is_(None), ~known_event())),
        "mail": (mails, and_(unsent, ~known_mail())),
    }
    with database.read() as connection:
        return {
            what: connection.scalar(
                select(func.count()).select_from(
                    select(table.c.id).where(rows).limit(_MOST_UNKNOWN).subquery()
                )
            )
            or 0
            for what, (table, rows) in unknown.items()
        }


def reach_of(schema: Schema) -> Reach:
    """What a run may work on in a database of this schema."""
    return Reach(schema.is_of_newer_version, HIGHEST_NARROW if schema.narrow_keys else None)


def reach_of_next_run(database: Database, schema: Schema) -> Reach:
    """Which claims the next run may work on: it first widens tables that are small. Raises DatabaseError."""
    reach = reach_of(schema)
    if reach.highest_id is None:
        return reach
    with database.read() as connection:
        return reach if is_large(connection, schema) else replace(reach, highest_id=None)


def left_alone(database: Database, schema: Schema) -> LeftAlone:
    """What is beyond that reach, as a run's log says it. Raises DatabaseError."""
    reach, count, remarks = reach_of_next_run(database, schema), 0, []
    if reach.only_known:
        counts = _count_unknown(database)
        count += counts["claim"]
        remarks.append(_newer(schema, counts))
    if reach.highest_id is not None:
        count += count_beyond(database)
        remarks += left_narrow(database, schema, TOO_LARGE)
    return LeftAlone(count, tuple(remarks))

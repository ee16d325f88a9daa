"""Creates a database, or adds missing tables, columns and the index to the service's database, one run at a time.

On SQLite, one transaction locks the whole file and makes all changes. On PostgreSQL, the transaction waits only briefly
for the service's table. The index on that table is built afterward, concurrently with reads and writes.
"""

import json
import shutil
import tempfile
import uuid
from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from io import StringIO
from pathlib import Path
from typing import TypeVar

from sqlalchemy import URL, Connection, Dialect, bindparam, inspect, text
from sqlalchemy.schema import CreateIndex, CreateTable, ExecutableDDLElement

from recours.core.text import clean
from recours.database.border import INDEX, USUAL_NAMES, Border, service_tables
from recours.database.dialect import FileError, connection_to_file, copy_file, url_of_file
from recours.database.engine import Database, DatabaseError, SystemClock, explain, lease_name, release_name
from recours.database.schema.inspection import (
    HEAD,
    Schema,
    dropped_columns,
    inspect_all,
    inspect_schema,
    require_claims,
    require_version,
)
from recours.database.schema.restoration import as_script, restoration
from recours.database.schema.rights import MISSING as MISSING_RIGHTS
from recours.database.schema.rights import (
    NOT_ALLOWED,
    Need,
    as_lines,
    correction,
    grants,
    how_to_get_sql,
    needs_of,
    quoted,
    rights_of,
    schema_grant,
)
from recours.database.tables import VERSION_TABLE, Utc, metadata
from recours.host.files import PRIVATE, Access, create_like, publish
from recours.host.home import migrations
from recours.runs.ports import Clock

# The prefixes of remarks that are logged as warnings.
_NO_COPY = "No copy was made"
MISSING = "Missing index on claims"
NOT_DONE = (_NO_COPY, MISSING)

_NOT_ALLOWED = (NOT_ALLOWED, "25006")
_SIGNS_OF_REFUSAL = ("read-only", "permission denied", "must be owner")


def create_file(path: Path, access: Access = PRIVATE) -> bool:
    """Create an SQLite file with the whole schema. Raises DatabaseError. Returns False if another process was first.

    The file is created under another name and then renamed, so that no process sees an incomplete file, and exactly one
    of several simultaneous first runs succeeds.
    """
    try:
        access.make_folder(path.parent)
        with tempfile.TemporaryDirectory(prefix=".new-", dir=path.parent) as folder:
            new_file = Path(folder) / path.name
            access.create(new_file)  # SQLite gives the files next to it the same permissions
            with closing(connection_to_file(new_file)) as connection:
                # Set only here, because setting it on every connection would fail with "database is locked".
                connection.execute("PRAGMA journal_mode=WAL")
            with closing(Database(url_of_file(new_file))) as database:
                complete(database)
            return publish(new_file, path)
    except OSError as error:
        raise DatabaseError(f"The database {path} cannot be created: {error.strerror or error}.") from error
    except FileError as error:
        raise DatabaseError(explain(error, f"SQLite {path}")) from error


def complete(database: Database, clock: Clock | None = None) -> list[str]:
    """Create all missing tables, including the service's, and return remarks for people. Raises DatabaseError.

    Columns that someone dropped are added again and filled from recours's own tables.
    """
    clock = clock or SystemClock()

    def create_missing(connection: Connection) -> list[str]:
        for statement in _missing_service_tables(database, connection).values():
            connection.execute(text(statement))
        if not inspect_all(database, connection).has_dropped_columns:
            return []
        border = database.border
        for statement in restoration(border):
            connection.exec_driver_sql(statement)
        return [f"Restored columns of {border.table} from recours's own tables: {', '.join(border.missing)}"]

    schema = inspect_schema(database)
    require_version(database, schema)
    if database.border.is_there:  # before anything is changed
        require_claims(database, schema)
    try:
        with database.long():
            remarks = change_exclusively(database, create_missing, clock)
    except DatabaseError as fault:
        raise _add_sql(fault, database, partial(sql_of_completion, database)) from fault
    database.reinspect()
    schema = inspect_schema(database)
    require_claims(database, schema)
    return remarks + bring_up_to_date(database, schema, clock)[1]


def _missing_service_tables(database: Database, connection: Connection) -> dict[str, str]:
    """The SQL to create each missing table of the service, by name.

    The result is empty if the table of claims has another name or other keys, because a service owns such a table.
    Existing tables are omitted, because PostgreSQL requires the right to create tables even with IF NOT EXISTS.
    """
    if database.names != USUAL_NAMES or not Border(connection).has_usual_keys:
        return {}
    tables = inspect(connection)
    statements_by_name = service_tables(database.dialect)
    return {name: sql for name, sql in statements_by_name.items() if not tables.has_table(name)}


def sql_of_completion(database: Database, grant_to: str | None = None) -> list[str]:
    """The SQL of `complete`, one statement per line, with grants to the role `grant_to`. Raises DatabaseError."""
    new_tables = service_tables(database.dialect)
    schema = Schema(None)
    if database.is_there():
        schema = inspect_schema(database)
        require_version(database, schema)
        with database.read() as connection:
            new_tables = _missing_service_tables(database, connection)
        if database.border.is_there or not new_tables:
            require_claims(database, schema)
    return [
        *as_lines(new_tables.values()),
        *sql_of_additions(database, schema, grant_to, new_tables=new_tables),
    ]


def bring_up_to_date(
    database: Database, schema: Schema, clock: Clock | None = None
) -> tuple[Schema, list[str]]:
    """Add missing parts of the schema. Return the new schema, and remarks for people. Raises DatabaseError."""
    clock = clock or SystemClock()
    remarks: list[str] = []
    with database.long():
        is_new = not schema.is_current
        if is_new:
            schema, remarks = _completed(database, schema, clock)
        # For a user who may not build the index, only the first run returns the remark.
        if schema.lacks_index and (is_new or may_build(database)):
            remarks += build_missing(database, clock)
            schema = inspect_schema(database)
    return schema, remarks


def _completed(database: Database, schema: Schema, clock: Clock) -> tuple[Schema, list[str]]:
    remarks: list[str] = []

    def add(connection: Connection) -> Schema:
        # Another process may have made the changes before this process got the lock.
        schema_before = inspect_all(database, connection)
        require_version(database, schema_before)
        if not schema_before.is_current:
            remarks.extend(_copied_aside(database, schema_before))
            if schema_before.version is None:
                for statement in [*statements(database.border), *_VERSION_STATEMENTS]:
                    connection.exec_driver_sql(statement)
                at = bindparam("now", clock.now(), type_=Utc())
                connection.execute(text(_sql_of_intake(database.border, ":now")).bindparams(at))
            else:
                _migrate(connection)
        return schema_before

    try:
        schema_before = change_exclusively(database, add, clock)
    except DatabaseError as fault:
        raise _add_sql(fault, database, partial(sql_of_additions, database, schema)) from fault
    finally:
        database.reinspect()
    if schema_before.is_current:
        return schema_before, []
    schema_after = inspect_schema(database)
    if not schema_after.is_current:
        raise dropped_columns(database, schema_after)
    added = ", ".join(schema_before.missing_columns) or "nothing"
    remarks.append(
        f"The schema of {database.safe_url} is now {HEAD}; added to {database.border.table}: {added}"
    )
    return schema_after, remarks


def _migrate(connection: Connection, *, from_version: str | None = None) -> str:
    """Upgrade an older schema in this connection's transaction.

    With `from_version`, change nothing and return the SQL of an upgrade from that version.
    """
    from alembic import command  # noqa: PLC0415 (slow to import, and rarely needed)
    from alembic.config import Config  # noqa: PLC0415 (same)

    sql = StringIO()
    config = Config(output_buffer=sql)
    config.set_main_option("script_location", str(migrations()).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, f"{from_version}:head" if from_version else "head", sql=bool(from_version))
    return sql.getvalue()


def _sql_of_intake(border: Border, now: str) -> str:
    """The SQL that records the adoption, if not yet recorded. `border`: before columns are added. `now`: as SQL.

    If the service already has the status column, its values determine which claims recours works on.
    """
    is_added = "pod_fetch_status" in border.missing
    decided = f"NOT EXISTS (SELECT 1 FROM {border.table})" if is_added else "true"  # noqa: S608 (a name of the service's)
    is_number = not border.is_there or border.key_is_number
    highest = f"(SELECT max({border.quoted('id')}) FROM {border.table})" if is_number else "NULL"  # noqa: S608 (same)
    return (
        "INSERT INTO recours_intake (id, adopted_at, highest_claim_id, status_column_added, decided, columns_added)"  # noqa: S608 (same)
        f" SELECT 1, {now}, {highest}, {str(is_added).lower()}, {decided}, '{json.dumps(border.missing)}'"
        " WHERE NOT EXISTS (SELECT 1 FROM recours_intake)"
    )


def _copied_aside(database: Database, schema: Schema) -> list[str]:
    """Copy an SQLite file that other software created to the same folder, and return remarks for people."""
    path = database.path
    if path is None or schema.version is not None or not database.border.is_there:
        return []
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    copy = path.with_name(f"{path.name}.before-recours-{stamp}")
    no_copy = f"{_NO_COPY} of {path} before adding columns"
    if shutil.disk_usage(path.parent).free < 2 * path.stat().st_size:
        return [f"{no_copy}: the disk is too full"]
    try:
        create_like(copy, path)
        copy_file(path, copy)
    except (FileError, OSError) as error:
        copy.unlink(missing_ok=True)
        return [f"{no_copy}: {error}"]
    return [f"Copied {path} to {copy.name} before adding columns"]


# ---------------------------------------------------------------- SQL for administrators


def _add_sql(
    fault: DatabaseError, database: Database, sql_for: Callable[[str | None], list[str]]
) -> DatabaseError:
    """Return the error, with the SQL for an administrator if this user may not change the schema."""
    if fault.sqlstate not in _NOT_ALLOWED and not any(sign in str(fault) for sign in _SIGNS_OF_REFUSAL):
        return fault
    user = None
    if database.dialect.has_rights:
        user = str(database.scalar(text("SELECT current_user")))
    sentence = f"{MISSING_RIGHTS} ({fault.message}), which the schema {HEAD} needs: {how_to_get_sql(user)}"
    return DatabaseError(sentence, sql_for(user))


def sql_of_additions(
    database: Database, schema: Schema, role: str | None = None, *, new_tables: Collection[str] = ()
) -> list[str]:
    """The SQL that `bring_up_to_date` would run, one statement per line, for someone else to run outside a transaction.

    `role`: the role to grant the rights of a run; None: no grants. `new_tables`: tables of the service to create first.
    """
    lines = [] if schema.is_current else _sql_to_head(database, schema)
    if role:
        with database.read() as connection:
            lines += as_lines(_granting(connection, database.border, role, new_tables))
    # The index is last, because it cannot be built in a transaction.
    index = None if database.border.has_index else database.border.index
    return [*lines, *as_lines([index] if index else [])]


def _sql_to_head(database: Database, schema: Schema) -> list[str]:
    if schema.has_dropped_columns:
        return as_script(database.border)
    if schema.version is not None:
        with database.read() as connection:
            return _migrate(connection, from_version=schema.version).splitlines()
    # The version is recorded last, so that a script that stops halfway does not record success.
    return as_lines(
        [
            *statements(database.border),
            _sql_of_intake(database.border, database.dialect.now),
            *_VERSION_STATEMENTS,
        ]
    )


def _granting(
    connection: Connection, border: Border, role: str, new_tables: Collection[str] = ()
) -> list[str]:
    needs = (*needs_of(border, new_tables), correction(border))
    return [schema_grant(connection, role), *grants(connection, rights_of(needs), role)]


def grant_rights(database: Database, role: str, further_needs: Sequence[Need] = ()) -> list[str]:
    """Grant a role the rights of a run and of `further_needs`, and return the statements. Raises DatabaseError."""
    border = database.border
    with database.write() as connection:
        if not connection.scalar(text("SELECT 1 FROM pg_roles WHERE rolname = :role"), {"role": role}):
            raise DatabaseError(
                f"There is no role {clean(role, 60)} on this server. An administrator creates it with: "
                f"CREATE ROLE {quoted(clean(role, 60))} LOGIN;"
            )
        granting = [*_granting(connection, border, role), *grants(connection, rights_of(further_needs), role)]
        for statement in granting:
            connection.exec_driver_sql(statement)
    return granting


# ---------------------------------------------------------------- exclusive changes

# The key of recours's advisory lock.
_LOCK = 0x7265636F757273
# How long a run tries to lock the schema and the table claims.
PATIENCE_S = 120.0
_POLL_S = 0.25
# While a statement of recours waits for a lock on claims, the service's queries wait, too. This wait must be short.
_WAITS_FOR_CLAIMS = "SET LOCAL lock_timeout = '2s'"
_PAUSE_S = 4.0

_T = TypeVar("_T")


def change_exclusively(database: Database, work: Callable[[Connection], _T], clock: Clock) -> _T:
    """Change the schema in one transaction, under a lock that all recours processes use. Raises DatabaseError.

    The lock is polled, because waiting for it in a transaction would deadlock with a process that builds an index.
    """
    if database.dialect.has_one_writer:
        with database.write() as connection:
            return work(connection)
    ends = clock.monotonic() + PATIENCE_S
    locked: DatabaseError | None = None
    while True:
        try:
            with database.write() as connection:
                if connection.scalar(text("SELECT pg_try_advisory_xact_lock(:recours)"), {"recours": _LOCK}):
                    connection.exec_driver_sql(_WAITS_FOR_CLAIMS)
                    return work(connection)
            pause = _POLL_S
            reason = "another run has been changing its schema"
        except DatabaseError as fault:
            if not fault.is_lock_timeout:
                raise
            locked = fault
            pause = _PAUSE_S
            reason = "another program has locked the table claims"
        if clock.monotonic() + pause > ends:
            raise DatabaseError(
                f"The schema of {database.safe_url} could not be changed: {reason} for {PATIENCE_S:.0f} s. "
                "Wait until that run or program has finished, or stop it, then run this command again."
            ) from locked
        clock.sleep(pause)


# ---------------------------------------------------------------- the schema as SQL

_DOCUMENTS = """CREATE VIEW recours_documents AS
    SELECT id AS attempt_id, claim_id, run_id, carrier, tracking_number, started_at AS fetched_at, delivered_at,
        signatory, document_path AS path, document_sha256 AS sha256, document_size AS size,
        document_type AS media_type, document_source AS source
    FROM recours_attempts WHERE document_path IS NOT NULL"""


_VERSION_STATEMENTS = (
    f"CREATE TABLE IF NOT EXISTS {VERSION_TABLE} (version_num VARCHAR(32) NOT NULL PRIMARY KEY)",
    f"INSERT INTO {VERSION_TABLE} (version_num) SELECT '{HEAD}'"  # noqa: S608 (constants)
    f" WHERE NOT EXISTS (SELECT 1 FROM {VERSION_TABLE})",
)


def statements(border: Border) -> list[str]:
    """The SQL that adds recours's missing columns and tables for these claims, except the index on claims."""
    dialect = URL.create(border.dialect.driver).get_dialect()()
    tables = metadata.tables.values()
    indexes = [
        index for table in tables for index in sorted(table.indexes, key=lambda index: str(index.name))
    ]
    for index in indexes:
        options = index.dialect_options[border.dialect.name]
        options.update({name: index.info[name] for name in options if name in index.info})
    return [
        *border.additions(),
        *(_compiled(CreateTable(table, if_not_exists=True), dialect, border) for table in tables),
        *(_compiled(CreateIndex(index, if_not_exists=True), dialect, border) for index in indexes),
        "DROP VIEW IF EXISTS recours_documents",
        _DOCUMENTS,
    ]


def _compiled(statement: ExecutableDDLElement, dialect: Dialect, border: Border) -> str:
    """Compile a statement, with the types of the service's keys in place of their placeholders."""
    sql = str(statement.compile(dialect=dialect)).strip()
    for placeholder, key_type in border.own_types.items():
        sql = sql.replace(f" {placeholder}", f" {key_type}")
    return sql


# ---------------------------------------------------------------- the index on the service's table of claims

_BUILDING = "index on claims"
# The longest duration of a statement. After this time, the process that builds the index has finished or died.
_LEASE = timedelta(hours=1)
_OWNS = text("SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = to_regclass(:table)")
# If a process dies while building an index, an invalid index remains, which is updated but never used.
_LEFT_BEHIND = text(
    "SELECT CAST(CAST(indexrelid AS regclass) AS text) FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid"
    " WHERE indrelid = to_regclass(:table) AND relname = :name AND NOT (indisvalid AND indisready)"
)


def may_build(database: Database) -> bool:
    """Return whether this user owns the table, which is required to build an index on it. Raises DatabaseError."""
    if not database.dialect.has_rights:
        return True
    return bool(database.scalar(_OWNS, {"table": database.border.table}))


def build_missing(database: Database, clock: Clock) -> list[str]:
    """Build the index if it is missing, and return remarks for people."""
    holder = uuid.uuid4().hex
    try:
        if not lease_name(database, _BUILDING, holder, clock.now() + _LEASE, clock.now()):
            return [
                f"Another run is building the index {INDEX}, or died doing so; this run continues without it, more slowly"
            ]
        try:
            return _build(database)
        finally:
            release_name(database, _BUILDING, holder)
    except DatabaseError as fault:
        # A message about missing rights already contains the remedy.
        how = "" if fault.is_permission_error else " To build it, run 'recours init-db'."
        return [f"{MISSING} ({INDEX}); runs find pending claims more slowly without it: {fault}{how}"]


def _build(database: Database) -> list[str]:
    database.reinspect()  # another process may have built it
    border = database.border
    if border.index is None or border.has_index:
        return []
    is_alone = database.dialect.has_one_writer
    with database.write() if is_alone else database.outside_transactions() as connection:
        if not is_alone:
            for name in connection.scalars(_LEFT_BEHIND, {"table": border.table, "name": INDEX}).all():
                connection.exec_driver_sql(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
        connection.exec_driver_sql(border.index)
    database.reinspect()
    return [f"Built the index {INDEX} on {border.table}"]

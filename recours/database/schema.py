"""Bringing a database up to date: found out by one small query, done once however many runs start at the same time."""

import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from recours.core.text import clean
from recours.database.engine import Database, DatabaseFault, explain
from recours.database.tables import (
    GUIDE_COLUMNS,
    NEEDED_CLAIM_COLUMNS,
    OWN_CLAIM_COLUMNS,
    SERVICE_POD_COLUMNS,
)

# The newest revision in migrations/versions. A test holds it to what Alembic says.
HEAD = "0003"
KNOWN = ("0001", "0002", HEAD)
VERSION_TABLE = "recours_schema_version"

# How a remark begins that someone should read.
NOT_DONE = "No copy was made"

_VERSION = text(f"SELECT version_num FROM {VERSION_TABLE}")  # noqa: S608 (a constant)
_CURRENT = {
    "sqlite": text(
        f"SELECT (SELECT version_num FROM {VERSION_TABLE}) AS version,"  # noqa: S608 (a constant)
        " (SELECT group_concat(name) FROM pragma_table_info('claims')) AS columns"
    ),
    "postgresql": text(
        f"SELECT (SELECT version_num FROM {VERSION_TABLE}) AS version,"  # noqa: S608 (a constant)
        " (SELECT string_agg(attname, ',') FROM pg_attribute WHERE attrelid = to_regclass('claims')"
        " AND attnum > 0 AND NOT attisdropped) AS columns"
    ),
}


@dataclass(frozen=True)
class Schema:
    """What a database holds of what a run needs."""

    version: str | None  # None: never touched by us
    columns: frozenset[str]  # of `claims`; empty: no such table

    @property
    def is_current(self) -> bool:
        """Tell whether a run can work with it as it is."""
        return self.version == HEAD and self.columns >= {
            *SERVICE_POD_COLUMNS,
            *GUIDE_COLUMNS,
            *OWN_CLAIM_COLUMNS,
        }

    @property
    def missing_columns(self) -> list[str]:
        """The columns of `claims` that an upgrade would add."""
        wanted = (*SERVICE_POD_COLUMNS, *GUIDE_COLUMNS, *OWN_CLAIM_COLUMNS)
        return [name for name in wanted if name not in self.columns]


def look(database: Database) -> Schema:
    """What the database holds. One small query where its schema is current. Raises DatabaseFault."""
    try:
        with database.engine.connect() as connection:
            row = connection.execute(_CURRENT[connection.dialect.name]).one()
            return Schema(row.version, frozenset((row.columns or "").split(",")) - {""})
    except DBAPIError as error:
        if "locked" in str(error.orig):
            raise DatabaseFault(explain(error, database.shown)) from error
        # No version table, most likely; if it is something else, looking closer says what.
        with database.read() as connection:
            return _look_closer(connection)


def _look_closer(connection: Connection) -> Schema:
    found = inspect(connection)
    tables = set(found.get_table_names())
    version = connection.scalar(_VERSION) if VERSION_TABLE in tables else None
    columns = {column["name"] for column in found.get_columns("claims")} if "claims" in tables else set()
    return Schema(version, frozenset(columns))


def require_claims(database: Database, schema: Schema) -> None:
    """See that there is a claims table to work on. Raises DatabaseFault."""
    if not schema.columns:
        raise DatabaseFault(
            f"The database {database.shown} has no table 'claims'. If this is the right database, "
            "'recours init-db' creates the tables; otherwise correct DATABASE_URL or DATABASE_PATH."
        )
    lacking = [name for name in NEEDED_CLAIM_COLUMNS if name not in schema.columns]
    if lacking:
        raise DatabaseFault(
            f"The table 'claims' of {database.shown} lacks the column(s) {', '.join(lacking)}; "
            "without them no claim can be fetched. Is this the claims service's database?"
        )
    if schema.version is not None and schema.version not in KNOWN:
        found = clean(schema.version, 40)
        raise DatabaseFault(
            f"The database {database.shown} was brought to schema {found} by a newer version of recours; "
            f"this one knows {HEAD}. Update this checkout."
            if schema.version > HEAD
            else f"The database {database.shown} says that its schema is {found}, which no version of recours made; "
            f"correct the table {VERSION_TABLE}, or restore a back-up."
        )


def bring_up_to_date(database: Database, schema: Schema) -> tuple[Schema, list[str]]:
    """Add what is missing, once. Returns the schema then, and what to say about it. Raises DatabaseFault."""
    if schema.is_current:
        return schema, []
    remarks: list[str] = []
    try:
        with database.write() as connection:
            # Whoever came first has done it by the time the lock is ours.
            before = _look_closer(connection)
            if before.is_current:
                return before, []
            remarks += _copied_aside(database, before)
            migrate(connection)
    except DatabaseFault as fault:
        raise _with_sql(fault, schema, database.engine.dialect.name) from fault
    after = look(database)
    if not after.is_current:
        raise DatabaseFault(
            f"The database {database.shown} says that its schema is {after.version}, but claims lacks "
            f"{', '.join(after.missing_columns)}: someone removed them. Add them again, or restore a back-up."
        )
    return after, [
        *remarks,
        f"The schema of {database.shown} is now {HEAD}; added to claims: {_added(before)}",
    ]


_NOT_ALLOWED = ("read-only", "permission denied", "must be owner")


def _with_sql(fault: DatabaseFault, schema: Schema, dialect: str) -> DatabaseFault:
    """The fault; with the SQL for someone who may, if this database user may not alter tables."""
    if not any(sign in str(fault) for sign in _NOT_ALLOWED):
        return fault
    sentence = (
        f"{fault} The schema must be brought to {HEAD} first; someone who may alter tables can run this SQL:"
    )
    return DatabaseFault(sentence, sql_of_upgrade(schema, dialect))


def sql_of_upgrade(schema: Schema, dialect: str) -> list[str]:
    """What an upgrade would run, a statement a line."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415 (slow to import, and rarely needed)

    script = ScriptDirectory.from_config(_alembic_config())
    pending = list(script.iterate_revisions("head", schema.version or "base"))
    found = [
        " ".join(statement.split()) + ";"
        for revision in reversed(pending)
        for statement in revision.module.statements(set(schema.columns), dialect)
    ]
    return [
        *found,
        f"CREATE TABLE IF NOT EXISTS {VERSION_TABLE} (version_num VARCHAR(32) NOT NULL PRIMARY KEY);",
        f"DELETE FROM {VERSION_TABLE};",  # noqa: S608 (a constant)
        f"INSERT INTO {VERSION_TABLE} (version_num) VALUES ('{HEAD}');",  # noqa: S608 (a constant)
    ]


def _added(before: Schema) -> str:
    return ", ".join(before.missing_columns) or "tables and indexes"


def migrate(connection: Connection) -> None:
    """Run the migrations in the transaction of this connection."""
    from alembic import command  # noqa: PLC0415 (slow to import, and rarely needed)

    config = _alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _alembic_config() -> Any:
    from alembic.config import Config  # noqa: PLC0415 (slow to import, and rarely needed)

    return Config(toml_file=Path(__file__).parents[2] / "pyproject.toml")


def _copied_aside(database: Database, before: Schema) -> list[str]:
    """A copy of an SQLite file that others made, beside it; what to say about it."""
    path = database.path
    if path is None or before.version is not None or not before.columns:
        return []
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    copy = path.with_name(f"{path.name}.before-recours-{stamp}")
    if shutil.disk_usage(path.parent).free < 2 * path.stat().st_size:
        return [f"{NOT_DONE} of {path} before adding columns: the disk is too full"]
    try:
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
    except (sqlite3.Error, OSError) as error:
        copy.unlink(missing_ok=True)
        return [f"{NOT_DONE} of {path} before adding columns: {error}"]
    return [f"Copied {path} to {copy.name} before adding columns"]


def create_service_tables(connection: Connection) -> None:
    """The tables of the service's own application, as far as this system reads them, where they lack."""
    for statement in _SERVICE_TABLES:
        connection.execute(text(statement.format(**_words(connection.dialect.name))))


def _words(dialect: str) -> dict[str, Any]:
    if dialect == "postgresql":
        return {"id": "SERIAL PRIMARY KEY", "true": "TRUE"}
    return {"id": "INTEGER PRIMARY KEY", "true": "1"}


_SERVICE_TABLES = (
    """CREATE TABLE IF NOT EXISTS clients (
        id {id},
        email TEXT UNIQUE NOT NULL,
        full_name TEXT,
        company_name TEXT,
        is_active BOOLEAN DEFAULT {true},
        notification_preferences TEXT,
        created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
    )""",
    """CREATE TABLE IF NOT EXISTS claims (
        id {id},
        claim_reference TEXT UNIQUE NOT NULL,
        client_id INTEGER REFERENCES clients (id),
        order_id TEXT NOT NULL,
        carrier TEXT NOT NULL,
        dispute_type TEXT NOT NULL,
        amount_requested REAL NOT NULL,
        currency TEXT DEFAULT 'EUR',
        status TEXT DEFAULT 'pending',
        response_deadline DATE,
        order_date DATE,
        tracking_number TEXT,
        created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
        updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
    )""",
    """CREATE TABLE IF NOT EXISTS notifications (
        id {id},
        client_id INTEGER REFERENCES clients (id),
        notification_type TEXT NOT NULL,
        subject TEXT,
        sent_to TEXT,
        sent_at TIMESTAMP,
        status TEXT,
        error_message TEXT,
        related_claim_id INTEGER REFERENCES claims (id)
    )""",
    """CREATE TABLE IF NOT EXISTS system_settings (
        key TEXT PRIMARY KEY,
        value TEXT
    )""",
)

"""Making a database: the embedded one, or one that a person names to `recours init-db`."""

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, inspect, text

from recours.access import PRIVATE, Access, publish
from recours.database.clock import SystemClock
from recours.database.engine import Database, DatabaseError
from recours.database.schema.indexes import sql_lines
from recours.database.schema.inspection import Schema, for_new_claims, look
from recours.database.schema.upgrade import alone, bring_up_to_date, sql_of_upgrade
from recours.runs.ports import Clock


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
            _make(made)
            return publish(made, path)
    except OSError as error:
        raise DatabaseError(f"The database {path} cannot be created: {error.strerror or error}.") from error


def _make(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        # Once, here: switching on every connection ends in "database is locked".
        connection.execute("PRAGMA journal_mode=WAL")
    database = Database(URL.create("sqlite", database=str(path)))
    try:
        complete(database)
    finally:
        database.close()


def complete(database: Database, clock: Clock | None = None) -> list[str]:
    """Create every missing table, the service's own included; what to say about it. Raises DatabaseError."""
    clock = clock or SystemClock()
    alone(database, _create_service_tables, clock)
    return bring_up_to_date(database, look(database), clock, has_time=True)[1]


def sql_of_completion(database: Database, grant_to: str | None = None) -> list[str]:
    """What `complete` would run, a statement a line; `grant_to`: with the rights of this role. Raises DatabaseError."""
    there: set[str] = set()
    schema = Schema(None, frozenset())
    if database.is_there():
        schema = look(database)
        with database.read() as connection:
            there = set(inspect(connection).get_table_names())
    if not schema.columns:
        schema = for_new_claims(schema, is_sqlite=database.is_sqlite)
    made = {name: statement for name, statement in _SERVICE_TABLES.items() if name not in there}
    words = _words(database.engine.dialect.name)
    service = sql_lines(statement.format(**words) for statement in made.values())
    return [*service, *sql_of_upgrade(database, schema, grant_to, made)]


def _create_service_tables(connection: Connection) -> None:
    """The tables of the service's own application, as far as this system reads them, where they are missing."""
    for statement in _SERVICE_TABLES.values():
        connection.execute(text(statement.format(**_words(connection.dialect.name))))


def _words(dialect: str) -> dict[str, Any]:
    if dialect == "postgresql":
        return {"id": "SERIAL PRIMARY KEY", "true": "TRUE"}
    return {"id": "INTEGER PRIMARY KEY", "true": "1"}


_SERVICE_TABLES = {
    "clients": """CREATE TABLE IF NOT EXISTS clients (
        id {id},
        email TEXT UNIQUE NOT NULL,
        full_name TEXT,
        company_name TEXT,
        is_active BOOLEAN DEFAULT {true},
        notification_preferences TEXT,
        created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
    )""",
    "claims": """CREATE TABLE IF NOT EXISTS claims (
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
    "notifications": """CREATE TABLE IF NOT EXISTS notifications (
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
    "system_settings": """CREATE TABLE IF NOT EXISTS system_settings (
        key TEXT PRIMARY KEY,
        value TEXT
    )""",
}

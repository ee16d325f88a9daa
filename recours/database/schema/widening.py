"""PostgreSQL's columns of ours that hold keys of the service: 32 bits wide in older versions, 64 from now on.

Widening writes a table of ours anew, with a lock on it and on nothing of the service's. A run does that only where it
takes a moment; `recours init-db` does it however large the table is.
"""

from collections.abc import Iterable

from sqlalchemy import Connection, text

from recours.database.engine import Database, DatabaseError
from recours.database.schema.inspection import Schema

# How a remark begins that someone should read.
NARROW = "Large claim numbers"
# No key beyond this is worked on while our columns hold 32 bits.
HIGHEST_NARROW = 2**31 - 1
# A run widens tables of up to so many rows ever written: a second or two.
MOST_ROWS = 1_000_000
TOO_LARGE = "a run has no time for such large tables"

_VIEW = "recours_documents"
_OF_VIEW = "recours_attempts"
_HAS_VIEW = text(f"SELECT to_regclass('{_VIEW}') IS NOT NULL")
_VIEW_SQL = text(f"SELECT pg_get_viewdef(to_regclass('{_VIEW}'))")
_VIEW_GRANTS = text(
    "SELECT CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE CAST(CAST(grantee AS regrole) AS text) END AS role,"  # noqa: S608
    " privilege_type AS what FROM pg_class, aclexplode(relacl)"
    f" WHERE pg_class.oid = to_regclass('{_VIEW}') AND grantee <> relowner ORDER BY 1, 2"
)


def tables_of(schema: Schema) -> list[str]:
    """The tables that have such columns."""
    return sorted({name.split(".")[0] for name in schema.narrow_keys})


def is_large(connection: Connection, schema: Schema) -> bool:
    """Tell whether widening would take longer than a run may wait. By their highest number: counting takes as long."""
    numbered = [name for name in tables_of(schema) if name in (_OF_VIEW, "recours_events", "recours_mails")]
    highest = (connection.scalar(text(f"SELECT max(id) FROM {name}")) or 0 for name in numbered)  # noqa: S608
    return any(rows > MOST_ROWS for rows in highest)


def widening_statements(connection: Connection, narrow_keys: Iterable[str]) -> list[str]:
    """What widens these columns, within one transaction. A view stands on one of them: made anew, its grants kept."""
    by_table: dict[str, list[str]] = {}
    for name in sorted(narrow_keys):
        table, column = name.split(".")
        by_table.setdefault(table, []).append(column)
    found = [
        f"ALTER TABLE {table} {', '.join(f'ALTER COLUMN {column} TYPE BIGINT' for column in columns)}"
        for table, columns in by_table.items()
    ]
    if _OF_VIEW not in by_table or not connection.scalar(_HAS_VIEW):
        return found
    made = str(connection.scalar(_VIEW_SQL)).rstrip().rstrip(";")
    given = [f"GRANT {row.what} ON {_VIEW} TO {row.role}" for row in connection.execute(_VIEW_GRANTS)]
    return [f"DROP VIEW {_VIEW}", *found, f"CREATE VIEW {_VIEW} AS {made}", *given]


def widen(connection: Connection, schema: Schema) -> None:
    """Do it, in the transaction of this connection, however long it takes."""
    connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
    for statement in widening_statements(connection, schema.narrow_keys):
        connection.exec_driver_sql(statement)


def count_beyond(database: Database) -> int:
    """How many claims have larger keys than our columns hold."""
    query = text("SELECT count(*) FROM (SELECT 1 FROM claims WHERE id > :highest LIMIT 100000) AS beyond")
    with database.read() as connection:
        return connection.scalar(query, {"highest": HIGHEST_NARROW}) or 0


def left_narrow(database: Database, schema: Schema, why: str) -> list[str]:
    """What to say of keys that stay narrow for now, and of the claims that are left alone for it."""
    beyond = count_beyond(database)
    tables = ", ".join(tables_of(schema))
    return [
        f"{NARROW}: {tables} cannot hold a claim id above {HIGHEST_NARROW} yet ({why}). Claims with a larger id are "
        f"left alone until then: {beyond} now. Run 'recours init-db' as the owner of these tables, at a quiet moment"
    ]


def explained(fault: DatabaseError) -> str:
    """Why keys could not be widened."""
    return "another program holds these tables" if fault.is_of_lock else str(fault).rstrip(".")

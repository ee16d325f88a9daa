"""Which claims a run may work on at all, whatever their stage, and what is left alone: see `Reach`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, func, select, text, true

from recours.core.events import EventName
from recours.core.mail import MailKind, MailState
from recours.core.text import plural
from recours.database.engine import Database, DatabaseError
from recours.database.predicates import const, is_ours, known
from recours.database.schema.inspection import HEAD, Schema
from recours.database.tables import claims, events, mails
from recours.operations.records import LeftAlone

# ---------------------------------------------------------------- keys of 32 bits
# Widening rewrites a recours table, with a lock on it and on nothing of the service's. A run does that only where it
# takes a moment; `recours init-db` does it however large the table is.


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


# ---------------------------------------------------------------- a database that a newer version made
# What this version does not know is left alone, and counted.


# How the remark begins.
NEWER = "Schema of a newer version"
# Counted no further than that: it is a remark, and claims are many.
_MOST = 10_000
_OPEN = (MailState.READY, MailState.HELD, MailState.SENDING)


def known_event() -> ColumnElement[bool]:
    """Events whose name this version knows."""
    return events.c.event.in_([const(name) for name in EventName])


def known_mail() -> ColumnElement[bool]:
    """Mails whose kind this version knows."""
    return mails.c.kind.in_([const(kind) for kind in MailKind])


def count_unknown(database: Database) -> dict[str, int]:
    """How many claims, events and mails have a stage, kind or name that this version does not know, counted up to _MOST."""
    left: list[tuple[str, Table, ColumnElement[bool]]] = [
        ("claim", claims, and_(is_ours(), ~known())),
        ("event", events, and_(events.c.told.is_(None), ~known_event())),
        ("mail", mails, and_(mails.c.state.in_([const(state) for state in _OPEN]), ~known_mail())),
    ]
    counts = {}
    with database.read() as connection:
        for what, table, unknown in left:
            some = select(func.count()).select_from(select(table.c.id).where(unknown).limit(_MOST).subquery())
            counts[what] = connection.scalar(some) or 0
    return counts


def remarks_on(database: Database, schema: Schema) -> list[str]:
    """What to say of a newer version's schema; nothing of any other. Raises DatabaseError."""
    if not schema.is_of_newer_version:
        return []
    return [newer_words(schema, count_unknown(database))]


def newer_words(schema: Schema, counts: Mapping[str, int]) -> str:
    """What to say of a newer version's schema, and of what is left alone in it."""
    counted = [
        f"{plural(number, what)}{' or more' if number == _MOST else ''}" for what, number in counts.items()
    ]
    return (
        f"{NEWER}: the database has {schema.version}, this version knows {HEAD} and may go on working. Left alone, with "
        f"a stage, kind or name that it does not know: {', '.join(counted)}. Update this checkout"
    )


# ---------------------------------------------------------------- the reach of a run


@dataclass(frozen=True)
class Reach:
    """The rows of `claims` that our tables can hold and this version knows. Without limits on almost every database."""

    only_known: bool = False  # a newer version works on this database too
    highest_id: int | None = None  # our tables hold keys of 32 bits

    def rows(self) -> ColumnElement[bool]:
        return _rows(self)

    def require(self, claim_id: Any) -> None:
        """See that a claim that somebody asked for is within reach. Raises DatabaseError."""
        if self.highest_id is not None and claim_id > self.highest_id:
            raise DatabaseError(
                f"Claim {claim_id} cannot be recorded yet: the recours_ tables hold ids up to {self.highest_id}. Run "
                "'recours init-db' as their owner; nothing was fetched."
            )


@cache
def _rows(reach: Reach) -> ColumnElement[bool]:
    limits = [known()] if reach.only_known else []
    if reach.highest_id is not None:
        limits.append(claims.c.id <= reach.highest_id)
    return and_(true(), *limits)


EVERYTHING = Reach()


def reach_of(schema: Schema) -> Reach:
    """What a run may work on in a database of this schema."""
    return Reach(schema.is_of_newer_version, HIGHEST_NARROW if schema.narrow_keys else None)


# ---------------------------------------------------------------- what the next run leaves alone


def reach_of_next_run(database: Database, schema: Schema) -> Reach:
    """Which claims the next run may work on: it first widens tables that are small. Raises DatabaseError."""
    reach = reach_of(schema)
    if reach.highest_id is None:
        return reach
    with database.read() as connection:
        is_narrow = is_large(connection, schema)
    return reach if is_narrow else replace(reach, highest_id=None)


def left_alone(database: Database, schema: Schema) -> LeftAlone:
    """What is beyond that reach, in the words of a run's log. Raises DatabaseError."""
    reach, count, remarks = reach_of_next_run(database, schema), 0, []
    if reach.only_known:
        counts = count_unknown(database)
        count += counts["claim"]
        remarks.append(newer_words(schema, counts))
    if reach.highest_id is not None:
        count += count_beyond(database)
        remarks += left_narrow(database, schema, TOO_LARGE)
    return LeftAlone(count, tuple(remarks))

"""Events, each written by the transaction that causes it, at most once."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from importlib import import_module
from typing import Any

from sqlalchemy import Connection, Table, bindparam, update

from recours.core.mail import LAPSED, Event, key_of
from recours.database.tables import events

OF_NO_CLAIM = 0

# What tells one event from another.
_KEY = ("claim_id", "event", "carrier", "tracking_number")
_REVIVE = update(events).where(
    *(events.c[name] == bindparam(f"of_{name}") for name in _KEY), events.c.told == LAPSED
)


def insert_into(table: Table, dialect: str) -> Any:
    """An INSERT that knows ON CONFLICT, without the new row's id. Only the dialect in use is loaded: the other one is slow to import."""
    return import_module(f"sqlalchemy.dialects.{dialect}").insert(table).inline()


def add_events(
    connection: Connection,
    told: Sequence[tuple[Any, Event]],
    run_id: str,
    now: datetime,
    declined: str | None = None,
) -> None:
    """Write events, each with the id of its claim.

    One that was written before for the same number stays as it is; if it lapsed, it is to be told after all.
    `declined`: why nobody is to be told of them.
    """
    rows = [
        {
            "event": event.name,
            "audience": event.audience,
            "claim_id": claim_id,
            "carrier": key_of(event.carrier),
            "tracking_number": key_of(event.number),
            "run_id": run_id,
            "created_at": now,
            "facts": dict(event.facts),
            "told": declined,
        }
        for claim_id, event in told
    ]
    if not rows:
        return
    written = connection.execute(_insert_events(connection.dialect.name), rows).rowcount
    if written != len(rows):
        revived = [{f"of_{name}" if name in _KEY else name: row[name] for name in row} for row in rows]
        connection.execute(_REVIVE, revived)


@cache
def _insert_events(dialect: str) -> Any:
    # Without the option SQLAlchemy does not know how many rows PostgreSQL took.
    return insert_into(events, dialect).on_conflict_do_nothing().execution_options(preserve_rowcount=True)

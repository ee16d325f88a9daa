"""Events, each written by the transaction that causes it, at most once."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from importlib import import_module
from typing import Any

from sqlalchemy import Connection, Table, bindparam, update

from recours.core.mail import LAPSED, Event, key_of
from recours.database.tables import events

# What tells one event of a claim from another.
_KEY = ("event", "carrier", "tracking_number")
_LAPSED = *(events.c[name] == bindparam(f"of_{name}") for name in _KEY), events.c.told == LAPSED
_REVIVE = update(events).where(events.c.claim_id == bindparam("of_claim_id"), *_LAPSED)
_REVIVE_OF_NO_CLAIM = update(events).where(events.c.claim_id.is_(None), *_LAPSED)


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
    """Write events, each with the id of its claim; None: of no claim.

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
        for row in rows:
            revived = {f"of_{name}" if name in _KEY else name: value for name, value in row.items()}
            claim_id = revived.pop("claim_id")
            if claim_id is None:
                connection.execute(_REVIVE_OF_NO_CLAIM, revived)
            else:
                connection.execute(_REVIVE, revived | {"of_claim_id": claim_id})


@cache
def _insert_events(dialect: str) -> Any:
    # Without the option SQLAlchemy does not know how many rows PostgreSQL took.
    return insert_into(events, dialect).on_conflict_do_nothing().execution_options(preserve_rowcount=True)

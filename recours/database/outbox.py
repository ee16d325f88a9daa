"""Events to be told, each written by the transaction that causes it, at most once."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from importlib import import_module
from typing import Any

from sqlalchemy import Connection, Table

from recours.core.events import Event
from recours.core.text import clean
from recours.database.tables import events

OF_NO_CLAIM = 0


def insert_into(table: Table, dialect: str) -> Any:
    """An INSERT that knows ON CONFLICT. Only the dialect in use is loaded: the other one is slow to import."""
    return import_module(f"sqlalchemy.dialects.{dialect}").insert(table)


def write_events(
    connection: Connection, claim_id: Any, told: Sequence[Event], run_id: str, now: datetime
) -> None:
    """Write events of one claim; one that was written before for the same number stays as it is."""
    add_events(connection, [(claim_id, event) for event in told], run_id, now)


def add_events(
    connection: Connection,
    told: Sequence[tuple[Any, Event]],
    run_id: str,
    now: datetime,
    declined: str | None = None,
) -> None:
    """Write events, each with the id of its claim; one that was written before for the same number stays as it is.

    `declined`: why nobody is to be told of them.
    """
    if not told:
        return
    rows = [
        {
            "event": event.name,
            "audience": event.audience,
            "claim_id": claim_id,
            "carrier": clean(event.carrier, 60),
            "tracking_number": clean(event.number, 60),
            "run_id": run_id,
            "created_at": now,
            "facts": dict(event.facts),
            "told": declined,
        }
        for claim_id, event in told
    ]
    connection.execute(_insert_events(connection.dialect.name), rows)


@cache
def _insert_events(dialect: str) -> Any:
    return insert_into(events, dialect).on_conflict_do_nothing()

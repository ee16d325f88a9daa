"""Events to be told, each written by the transaction that causes it, at most once."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from importlib import import_module
from typing import Any

from sqlalchemy import Connection, Table, exists, select

from recours.core.events import Event, key_of, old_key_of
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
        if not _is_written_by_old_key(connection, claim_id, event)
    ]
    if rows:
        connection.execute(_insert_events(connection.dialect.name), rows)


def _is_written_by_old_key(connection: Connection, claim_id: Any, event: Event) -> bool:
    """Tell whether an older version wrote this event: nobody is to be told twice because of a new version."""
    old = old_key_of(event.number)
    if old == key_of(event.number):
        return False
    of = events.c
    there = of.claim_id == claim_id, of.event == event.name, of.tracking_number == old
    return bool(connection.scalar(select(exists(select(of.id).where(*there)))))


@cache
def _insert_events(dialect: str) -> Any:
    return insert_into(events, dialect).on_conflict_do_nothing()

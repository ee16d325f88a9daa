"""Events, each written by the transaction that causes it, at most once."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from importlib import import_module
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table

from recours.core.mail import LAPSED, Event, key_of
from recours.database.tables import events

# What tells one event of a claim from another.
_KEY = ("event", "carrier", "tracking_number")
_e = events.c


def insert_into(table: Table, dialect: str) -> Any:
    """An INSERT that knows ON CONFLICT, without the new row's id. Only the dialect in use is loaded: the other one is slow to import."""
    return import_module(f"sqlalchemy.dialects.{dialect}").insert(table).inline()


def put(
    connection: Connection,
    table: Table,
    row: Mapping[str, Any],
    values: Mapping[str, Any],
    where: ColumnElement[bool] | None = None,
) -> bool:
    """Add a row, or give the one of its key these values if `where` is true of it; tell whether that was done."""
    statement = insert_into(table, connection.dialect.name).values(row)
    keys = [*table.primary_key]
    upsert = statement.on_conflict_do_update(index_elements=keys, set_=values, where=where)
    return bool(connection.execute(upsert).rowcount)


def add_events(
    connection: Connection,
    pairs: Sequence[tuple[Any, Event]],
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
        for claim_id, event in pairs
    ]
    for is_of_claim in (True, False):
        if some := [row for row in rows if (row["claim_id"] is not None) is is_of_claim]:
            connection.execute(_insert_events(connection.dialect.name, is_of_claim=is_of_claim), some)


@cache
def _insert_events(dialect: str, *, is_of_claim: bool) -> Any:
    statement = insert_into(events, dialect)
    return statement.on_conflict_do_update(
        index_elements=["claim_id", *_KEY] if is_of_claim else [*_KEY],
        index_where=None if is_of_claim else _e.claim_id.is_(None),
        set_={name: statement.excluded[name] for name in ("run_id", "created_at", "facts", "told")},
        where=_e.told == LAPSED,
    )

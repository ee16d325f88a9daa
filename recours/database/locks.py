"""Rows that another program holds at this moment: runs pass them over, and have to say so."""

from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, select

from recours.database.tables import claims

# So many at most are counted.
_MOST = 1000


def some_ids(connection: Connection, wanted: ColumnElement[bool], order: Any) -> set[Any]:
    """The ids of the first of these claims, in the order of their index."""
    return set(connection.scalars(_first(wanted, order)))


def locked_ids(connection: Connection, wanted: ColumnElement[bool], order: Any) -> set[Any]:
    """The ids of these claims that another transaction holds, in the order of their index.

    None on SQLite: a program that writes there locks the whole database, and runs wait for it.
    """
    if connection.dialect.name == "sqlite":
        return set()
    if not (there := some_ids(connection, wanted, order)):
        return there
    free = set(connection.scalars(_first(wanted, order).with_for_update(skip_locked=True)))
    # One that is gone by now was not held: it was being dealt with.
    return there & some_ids(connection, wanted, order) - free if there - free else set()


def _first(wanted: ColumnElement[bool], order: Any) -> Select[Any]:
    return select(claims.c.id).where(wanted).order_by(order).limit(_MOST)

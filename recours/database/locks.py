"""Rows that another program holds at this moment: runs pass them over, and have to say so."""

from typing import Any

from sqlalchemy import ColumnElement, Connection, select

from recours.database.tables import claims

# So many at most are counted.
_MOST = 1000


def locked_ids(connection: Connection, wanted: ColumnElement[bool], order: Any) -> set[Any]:
    """The ids of these claims that another transaction holds, in the order of their index.

    None on SQLite: whoever writes there has the whole database, and is waited for.
    """
    if connection.dialect.name == "sqlite":
        return set()
    query = select(claims.c.id).where(wanted).order_by(order).limit(_MOST)
    there = set(connection.scalars(query))
    return there - set(connection.scalars(query.with_for_update(skip_locked=True))) if there else there

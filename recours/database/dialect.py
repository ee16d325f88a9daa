"""What the two kinds of database say differently. No other module of the package names one."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table


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

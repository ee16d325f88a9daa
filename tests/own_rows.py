"""Reads and writes the service's rows of claims and recours's own rows."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, event, insert, select, update

from recours.core.actions import PastAction
from recours.database.border import SEEN
from recours.database.client_accounts import ClientAccounts
from recours.database.engine import Database
from recours.database.tables import DONE, actions, claims
from tests.conftest import SERVICE_CLAIMS

Row = dict[str, Any]

_s = SERVICE_CLAIMS.c
_JOINED = SERVICE_CLAIMS.outerjoin(claims, claims.c.claim_id == _s.id)


def joined_rows(database: Database, *conditions: ColumnElement[bool]) -> list[Row]:
    """The service's rows in order, each with recours's columns. These are None if recours has no row."""
    query = select(*_s, *claims.c).select_from(_JOINED).where(*conditions).order_by(_s.id)
    with database.read() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def joined_row(database: Database, reference: str) -> Row:
    """The joined row of one claim."""
    (row,) = joined_rows(database, _s.claim_reference == reference)
    return row


def own_row(database: Database, reference: str) -> Row | None:
    """A claim's row of `recours_claims`, or None."""
    row = joined_row(database, reference)
    return {name: row[name] for name in claims.c.keys()} if row["claim_id"] is not None else None  # noqa: SIM118 (of columns)


def set_own(database: Database, reference: str, **columns: Any) -> None:
    """Write columns of a claim's row of `recours_claims` as a run does. Create the row if necessary."""
    with database.write() as connection:
        of_claim = select(_s.id).where(_s.claim_reference == reference).scalar_subquery()
        written = update(claims).where(claims.c.claim_id == of_claim)
        if connection.execute(written.values(columns | {"version": claims.c.version + 1})).rowcount:
            return
        connection.execute(insert(claims).values({"claim_id": of_claim, "stage": DONE} | columns))


def set_assessed(database: Database, reference: str, **columns: Any) -> None:
    """Like `set_own`, and mark the claim as assessed with the service's current values."""
    row = joined_row(database, reference)
    seen = {name: None if row[column] is None else str(row[column]) for name, column in SEEN.items()}
    set_own(database, reference, **seen | columns)


def set_service(database: Database, reference: str, **columns: Any) -> None:
    """Write columns of the service's row as its application does."""
    with database.write() as connection:
        connection.execute(update(SERVICE_CLAIMS).where(_s.claim_reference == reference).values(columns))


def put_account(
    accounts: ClientAccounts,
    client_id: Any,
    carrier: str,
    sealed: str,
    by: str,
    now: datetime,
    *,
    limits: Mapping[str, str] | None = None,
    replace: bool = False,
) -> int | None:
    """Add one account, and return its id, or None if the account existed and was not changed."""
    if accounts.put_all([(client_id, carrier, sealed, limits)], by, now, replace=replace) is not None:
        return None
    return next(one.id for one in accounts.all([client_id], [carrier]))


def actions_of(database: Database) -> list[PastAction]:
    """The recorded actions of operators, oldest first."""
    c = actions.c
    query = select(c.at, c.what, c.subject, c.by, c.details).order_by(c.id)
    return [PastAction(*row) for row in database.all(query)]


@contextmanager
def statements_of(database: Database) -> Iterator[list[tuple[str, Any]]]:
    """Collect the statements executed in the block, each with its parameters."""
    seen: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, sql: str, values: Any, *_rest: Any) -> None:
        seen.append((sql, values))

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


def plan(database: Database, sql: str, values: Any) -> list[str]:
    """The lines of the database's query plan for a statement."""
    with database.read() as connection:
        if database.is_sqlite:
            return [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values)]
        return [row[0] for row in connection.exec_driver_sql(f"EXPLAIN {sql}", values)]

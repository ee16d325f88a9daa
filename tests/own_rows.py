"""Claims in a database as the service has them, and what recours keeps of each beside them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, insert, select, update

from recours.database.border import SEEN
from recours.database.client_accounts import ClientAccounts
from recours.database.engine import Database
from recours.database.tables import DONE, claims
from tests.conftest import SERVICE_CLAIMS

Row = dict[str, Any]

_s = SERVICE_CLAIMS.c
_JOINED = SERVICE_CLAIMS.outerjoin(claims, claims.c.claim_id == _s.id)


def joined_rows(database: Database, *conditions: ColumnElement[bool]) -> list[Row]:
    """The service's rows in their order, each with the columns of ours; those are None where there is no row of ours."""
    query = select(*_s, *claims.c).select_from(_JOINED).where(*conditions).order_by(_s.id)
    with database.read() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def joined_row(database: Database, reference: str) -> Row:
    """That of one claim."""
    (row,) = joined_rows(database, _s.claim_reference == reference)
    return row


def own_row(database: Database, reference: str) -> Row | None:
    """What recours keeps of a claim: a row of `recours_claims`; None: nothing."""
    row = joined_row(database, reference)
    return {name: row[name] for name in claims.c.keys()} if row["claim_id"] is not None else None  # noqa: SIM118 (of columns)


def set_own(database: Database, reference: str, **columns: Any) -> None:
    """Write these columns of recours's row of a claim, as a run does; a claim without a row gets one."""
    with database.write() as connection:
        of_claim = select(_s.id).where(_s.claim_reference == reference).scalar_subquery()
        written = update(claims).where(claims.c.claim_id == of_claim)
        if connection.execute(written.values(columns | {"version": claims.c.version + 1})).rowcount:
            return
        connection.execute(insert(claims).values({"claim_id": of_claim, "stage": DONE} | columns))


def set_assessed(database: Database, reference: str, **columns: Any) -> None:
    """The same of a claim that a run has assessed on what the service's row holds now."""
    row = joined_row(database, reference)
    seen = {name: None if row[column] is None else str(row[column]) for name, column in SEEN.items()}
    set_own(database, reference, **seen | columns)


def set_service(database: Database, reference: str, **columns: Any) -> None:
    """Write these columns of the service's row, as its application does."""
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
    """Add one account: its number; None if there is one and it stays as it is."""
    if accounts.put_all([(client_id, carrier, sealed, limits)], by, now, replace=replace) is not None:
        return None
    return next(one.id for one in accounts.all([client_id], [carrier]))

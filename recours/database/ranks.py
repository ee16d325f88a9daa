"""The order of claims that are due, kept in the rows: places that move with time."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, or_, select

from recours.core.carrier import Catalog
from recours.core.claim import Claim, Stage, State
from recours.core.evidence import EARLIEST
from recours.database.engine import Database
from recours.database.lenient_reader import read_claims
from recours.database.predicates import at_stage, still_ours
from recours.database.ready_claims import lanes_of_parameter, named_lanes
from recours.database.rows import free, parameters, readable_columns, unedited, update_rows
from recours.database.tables import claims

_c = claims.c

_PART = 2000  # claims, or ids, of one transaction
_RANK = update_rows(("pod_rank_at", "pod_rank_is_deadline", "pod_expire_from"))

Rank = Callable[[Claim], State]


def rank_overdue(
    database: Database,
    catalog: Catalog,
    columns: frozenset[str],
    stage: Stage,
    carriers: Collection[str],
    rank: Rank,
    now: datetime,
) -> int:
    """Rank the ready claims of these carriers again whose days without a deadline are over; how many. Raises DatabaseError.

    Each account's are found by one look into the index of ready claims, once: they get another place.
    """
    # Of others nobody knows when their evidence ends.
    was_created = [_c.created_at >= EARLIEST] if "created_at" in columns else []
    is_dated = or_(_c.pod_known_delivery.is_not(None), *was_created)
    is_overdue = _c.pod_rank_is_deadline == 0, _c.pod_rank_at < now
    free_rows = is_dated, still_ours(), unedited(), free(now)

    def within(key: ColumnElement[Any]) -> list[ColumnElement[bool]]:
        return [at_stage(stage), _c.pod_carrier_key == key, *is_overdue, *free_rows]

    lanes = lanes_of_parameter(is_sqlite=database.is_sqlite)
    first = select(_c.id).where(*within(lanes.c.carrier_key)).order_by(_c.pod_rank_at).limit(1)
    has_some = first.correlate(lanes).scalar_subquery().is_not(None)
    named = named_lanes(sorted(catalog.accounts_of(carriers)), is_sqlite=database.is_sqlite)
    with database.read() as connection:
        keys = connection.scalars(select(lanes.c.carrier_key).where(has_some), named).all()
    if not keys:
        return 0  # as in nearly every run: the other statement has dozens of columns, and takes long to make
    wanted = within(bindparam("key"))
    query = select(*readable_columns(columns)).where(*wanted).order_by(_c.pod_rank_at).limit(_PART)
    count = 0
    for key in keys:
        moved = _PART
        while moved == _PART:
            with database.write() as connection:
                rows = connection.execute(query.with_for_update(skip_locked=True), {"key": key})
                moved = _write(connection, read_claims(rows, catalog), rank)
            count += moved
    return count


def _write(connection: Connection, found: Sequence[Claim], rank: Rank) -> int:
    """Write the places that have changed; how many."""
    states = [(claim, rank(claim)) for claim in found]
    rows = [
        parameters(claim, values)
        for claim, state in states
        if (values := _rank_values(state)) != _rank_values(claim.state)
    ]
    if rows:
        connection.execute(_RANK, rows)
    return len(rows)


def _rank_values(state: State) -> dict[str, Any]:
    return {
        "pod_rank_at": state.rank_at,
        "pod_rank_is_deadline": int(state.rank_is_deadline),
        "pod_expire_from": state.expire_from,
    }

"""The order of claims that are due, kept in the rows: what an older version ranked, and places that move with time."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, exists, func, or_, select, update

from recours.core.carrier import Catalog
from recours.core.claim import NEVER, Claim, Stage, State
from recours.core.evidence import EARLIEST
from recours.database.engine import Database
from recours.database.lenient_reader import read_claims
from recours.database.predicates import Reach, at_stage, const, of_carriers, still_ours, was_asked
from recours.database.ready_claims import lanes_of_parameter, named_lanes
from recours.database.rows import free, parameters, readable_columns, unedited, update_rows
from recours.database.tables import adoption, attempts, claims

_c = claims.c
_ADOPTION = adoption.c.id == 1

_PART = 2000  # claims, or ids, of one transaction
_RANK = update_rows(("pod_rank_at", "pod_rank_is_deadline", "pod_expire_from"))

Rank = Callable[[Claim], State]


# ---------------------------------------------------------------- claims that an older version ranked
# Each gets its place in the order of today, once, part by part. No run waits for it long, and none blocks the service: a
# part is a stretch of ids, and how far it came is kept.

_RANKED = (Stage.NEW, Stage.READY, Stage.WAITING, Stage.SETTLED)


def repair_ranks(database: Database, catalog: Catalog, columns: frozenset[str], rank: Rank) -> int:
    """Rank again what an older version ranked; how many. Nothing but one small query where that is done. Raises DatabaseError."""
    with database.read() as connection:
        done = connection.scalar(select(adoption.c.ranked_up_to).where(_ADOPTION))
    count, first_left = 0, None
    while done is not None:
        with database.write() as connection:
            part = select(_c.id).where(_c.id > done).order_by(_c.id).limit(_PART).subquery()
            last = connection.scalar(select(func.max(part.c.id)))
            if last is not None:
                found, left = _part(connection, catalog, columns, done, last)
                count += _write(connection, found, rank)
                first_left = first_left if first_left is not None else min(left, default=None)
            up_to = last if first_left is None else first_left - 1
            connection.execute(update(adoption).where(_ADOPTION).values(ranked_up_to=up_to))
            done = last
    return count


def _part(
    connection: Connection, catalog: Catalog, columns: frozenset[str], done: int, last: int
) -> tuple[list[Claim], set[Any]]:
    """The claims of a stretch of ids; and the ids of those that others have locked: a later run ranks them."""
    stages = _c.pod_stage.in_([const(stage) for stage in _RANKED])
    # Where pod_since is kept, only the order of carriers that forget parcels has changed.
    to_rank = or_(_c.pod_since.is_(None), of_carriers(catalog.evidence_days))
    within = _c.id > done, _c.id <= last, stages, to_rank, still_ours(), unedited()
    wanted = set(connection.scalars(select(_c.id).where(*within)))
    if not wanted:
        return [], wanted
    query = select(*readable_columns(columns)).where(*within).order_by(_c.id)
    found = read_claims(connection.execute(query.with_for_update(skip_locked=True)), catalog)
    ids = [claim.id for claim in found]
    of_it = select(attempts.c.id).where(attempts.c.claim_id == _c.id, was_asked(), attempts.c.used.is_(True))
    asked = set(connection.scalars(select(_c.id).where(_c.id.in_(ids), exists(of_it))))
    known = [_as_asked(claim) if claim.id in asked else claim for claim in found]
    return known, wanted.difference(ids)


def _as_asked(claim: Claim) -> Claim:
    """A claim that was asked about, before that was kept in its row."""
    is_kept = claim.state.asked or claim.state.since is not None
    return claim if is_kept else replace(claim, state=replace(claim.state, expire_from=NEVER))


# ---------------------------------------------------------------- places that move with time


def rank_overdue(
    database: Database,
    catalog: Catalog,
    columns: frozenset[str],
    reach: Reach,
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
    free_rows = is_dated, still_ours(), unedited(), free(now), reach.rows()

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

"""Claims that an older version ranked: each gets its place in the order of today, once, part by part.

No run waits for it long, and none blocks the service: a part is a stretch of ids, and how far it came is kept.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, bindparam, exists, func, select, update

from recours.core.carrier import Catalog
from recours.core.claim import Claim, Stage, State
from recours.database.engine import Database
from recours.database.enrolment import note_ranked, ranked_up_to
from recours.database.lenient_reader import read_claims
from recours.database.predicates import const, still_ours, was_asked
from recours.database.rows import readable_columns, unedited
from recours.database.tables import attempts, claims

_c = claims.c
# Ids of one transaction.
_PART = 2000
_STAGES = (Stage.NEW, Stage.READY, Stage.WAITING, Stage.SETTLED)
_SET = {"pod_rank_at", "pod_rank_is_deadline", "pod_expire_from"}
_RANK = (
    update(claims)
    .where(_c.id == bindparam("which"))
    .values({name: bindparam(f"to_{name}", type_=_c[name].type) for name in sorted(_SET)})
)


def repair_ranks(
    database: Database, catalog: Catalog, columns: frozenset[str], rank: Callable[[Claim], State]
) -> int:
    """Rank again what an older version ranked; how many. Nothing but one small query where that is done. Raises DatabaseError."""
    with database.read() as connection:
        done = ranked_up_to(connection)
    count, first_left = 0, None
    while done is not None:
        with database.write() as connection:
            last = _end_of_part(connection, done)
            if last is None:
                note_ranked(connection, None if first_left is None else first_left - 1)
                return count
            found, left = _part(connection, catalog, columns, done, last)
            _write(connection, [(claim, rank(claim)) for claim in found])
            count += len(found)
            first_left = first_left if first_left is not None else min(left, default=None)
            note_ranked(connection, last if first_left is None else first_left - 1)
            done = last
    return count


def _end_of_part(connection: Connection, done: int) -> Any:
    some = select(_c.id).where(_c.id > done).order_by(_c.id).limit(_PART).subquery()
    return connection.scalar(select(func.max(some.c.id)))


def _part(
    connection: Connection, catalog: Catalog, columns: frozenset[str], done: int, last: int
) -> tuple[list[Claim], set[Any]]:
    """The claims of a stretch of ids; and the ids of those that others have locked: a later run ranks them."""
    within = (
        _c.id > done,
        _c.id <= last,
        _c.pod_stage.in_([const(stage) for stage in _STAGES]),
        still_ours(),
        unedited(),
    )
    wanted = set(connection.scalars(select(_c.id).where(*within)))
    query = select(*readable_columns(columns)).where(*within).order_by(_c.id)
    found = (
        read_claims(connection.execute(query.with_for_update(skip_locked=True)), catalog) if wanted else []
    )
    asked = _asked(connection, [claim.id for claim in found])
    known = [replace(claim, state=replace(claim.state, asked=claim.id in asked)) for claim in found]
    return known, wanted - {claim.id for claim in found}


def _asked(connection: Connection, ids: Sequence[Any]) -> set[Any]:
    """Those that their carrier was asked about."""
    if not ids:
        return set()
    a = attempts.c
    of_it = select(a.id).where(a.claim_id == _c.id, was_asked(), a.used.is_(True))
    return set(connection.scalars(select(_c.id).where(_c.id.in_(ids), exists(of_it))))


def _write(connection: Connection, states: Sequence[tuple[Claim, State]]) -> None:
    rows = [
        {
            "which": claim.id,
            "to_pod_rank_at": state.rank_at,
            "to_pod_rank_is_deadline": int(state.rank_is_deadline),
            "to_pod_expire_from": state.expire_from,
        }
        for claim, state in states
    ]
    if rows:
        connection.execute(_RANK, rows)

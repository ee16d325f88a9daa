"""The queries for claims that are ready to be fetched: which lanes have some, and which claims are the most urgent.

They look into the index lane by lane, so that their cost does not depend on how many claims are ready.
"""

import json
from collections.abc import Collection, Iterable
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    CTE,
    Column,
    ColumnElement,
    Integer,
    Interval,
    ScalarSelect,
    Select,
    Text,
    and_,
    bindparam,
    case,
    func,
    literal,
    literal_column,
    or_,
    select,
    true,
    type_coerce,
    union_all,
)

from recours.core.claim import LAST, Stage, Urgency
from recours.database.claim_rows import as_moment, free_at_moment
from recours.database.tables import at_stage, claims

_c = claims.c


def carrier_keys(stage: Stage) -> Select[Any]:
    """The different lanes at a stage."""
    return values_at_stage(_c.lane, stage, "carrier_key")


@cache
def values_at_stage(column: Column[Any], stage: Stage, name: str = "value") -> Select[Any]:
    """The different values at a stage, and NULL: each is found from the one before by one look into the column's index."""
    first = select(func.min(column).label(name)).where(at_stage(stage)).cte(recursive=True)
    after = select(func.min(column)).where(at_stage(stage), column > first.c[name])
    values = first.union_all(select(after.scalar_subquery()).where(first.c[name].is_not(None)))
    return select(values.c[name])


@cache
def leasable_ids(
    stage: Stage, *, is_sqlite: bool, unnumbered: bool = False, locks: bool = True
) -> Select[Any]:
    """The ids of up to `most` ready, free claims, in the order of `recours.core.claim.urgency`.

    For each carrier some stretches of the index are read from their beginning, so that the cost does not depend on how
    many claims are ready. Built once: it is run for every bundle. Parameters: those of `named_lanes` and `moments`, and
    `most`.

    `locks`: the rows are locked, and those that others have locked are passed over.
    """
    most, lanes = bindparam("most", type_=Integer), lanes_of_parameter(is_sqlite=is_sqlite)
    numbers = [func.trim(func.coalesce(_c.seen_number, "")) == ""] if unnumbered else []

    def first(lane: ColumnElement[Any], *where: ColumnElement[bool]) -> Select[Any]:
        to_lease = [*_to_lease(stage, lane), *numbers, *where]
        return select(_c.claim_id, _c.rank_at).where(*to_lease).order_by(_c.rank_at).limit(most)

    if is_sqlite:
        parts = (
            of_each_lane(lanes, first(lanes.c.carrier_key, *where), is_sqlite=True).add_columns(
                literal(tier).label("tier")
            )
            for tier, where in zip(_TIERS, _stretches(), strict=True)
        )
        candidates = union_all(*parts).subquery()
    else:  # it takes longer to plan four parts than to read them
        c = (stretches := _stretches_of(lanes)).c
        within = _c.rank_is_deadline == c.is_deadline, _c.rank_at.between(c.since, c.until)
        firsts = of_each_lane(stretches, first(c.carrier_key, *within), is_sqlite=False, locks=locks)
        candidates = firsts.add_columns(c.tier).subquery()
    order = candidates.c.tier, candidates.c.rank_at, candidates.c.claim_id
    return select(candidates.c.claim_id).order_by(*order).limit(most)


def of_each_lane(lanes: CTE, first: Select[Any], *, is_sqlite: bool, locks: bool = False) -> Select[Any]:
    """The ids and ranks of the claims that a query finds in each of these lanes."""
    if is_sqlite:  # it has no LATERAL; and nobody else can write now, so that no row has to be locked
        ids = first.with_only_columns(_c.claim_id).correlate(lanes)
        claim = claims.alias("claim")
        return select(claim.c.claim_id, claim.c.rank_at).join_from(lanes, claim, claim.c.claim_id.in_(ids))
    first = first.with_for_update(skip_locked=True) if locks else first
    rows = first.correlate(lanes).lateral()
    return select(rows.c.claim_id, rows.c.rank_at).select_from(lanes.join(rows, true()))


@cache
def ready_lanes(stage: Stage, *, is_sqlite: bool, is_named: bool) -> Select[Any]:
    """Each lane, the number of its claims to lease, and the first rank in the tiers of urgency: of the first that it has.

    That with the most urgent claim comes first. Where `most` lanes have a claim, one is counted in each: they are `most` in all. `is_named`: of the lanes of `named_lanes`,
    else of all. Parameters: see `leasable_ids`.
    """
    lanes = lanes_of_parameter(is_sqlite=is_sqlite) if is_named else carrier_keys(stage).cte("lanes")
    most = bindparam("most", type_=Integer)
    firsts = [_first_rank(stage, lanes, where) for where in _stretches()[:2]]
    labelled = [first.label(name) for first, name in zip(firsts, ("one", "other"), strict=True)]
    heads = select(lanes.c.carrier_key, *labelled).where(lanes.c.carrier_key.is_not(None)).cte("heads")
    # Found once for each lane: else the databases look for them again wherever they are mentioned.
    heads = heads.prefix_with("MATERIALIZED")
    one, other = heads.c.one, heads.c.other
    nothing_to_come = and_(one.is_(None), other.is_(None))
    to_come = case((or_(one.is_(None), other < one), other), else_=one)
    past = [case((nothing_to_come, _first_rank(stage, heads, where))) for where in _stretches()[2:]]
    some = select(_c.claim_id).where(*_to_lease(stage, heads.c.carrier_key)).correlate(heads)
    some = some.order_by(_c.rank_is_deadline, _c.rank_at).limit(most)  # else all of the table may be read
    count = select(func.count()).select_from(some.subquery()).scalar_subquery()
    urgent_lanes = select(heads.c.carrier_key).where(~nothing_to_come).limit(most).subquery()
    are_few = select(func.count()).select_from(urgent_lanes).scalar_subquery() < most
    names = "to_come", "past", "deadline_past"
    # As they are stored: what cannot be read must not hide a lane.
    ranks = [type_coerce(rank, Text).label(name) for rank, name in zip((to_come, *past), names, strict=True)]
    ranked = select(heads.c.carrier_key, case((are_few, count), else_=1), *ranks).subquery()
    c = ranked.c
    return select(ranked).order_by(c.to_come.is_(None), c.to_come, c.past.is_(None), c.past, c.deadline_past)


def _first_rank(stage: Stage, lanes: CTE, where: tuple[ColumnElement[bool], ...]) -> ScalarSelect[Any]:
    to_lease = _to_lease(stage, lanes.c.carrier_key)
    return select(_c.rank_at).where(*to_lease, *where).order_by(_c.rank_at).limit(1).scalar_subquery()


def _to_lease(stage: Stage, lane: ColumnElement[Any]) -> list[ColumnElement[bool]]:
    """The claims of a lane that are ready and free."""
    return [at_stage(stage), _c.lane == lane, free_at_moment(), is_current()]


def is_current() -> ColumnElement[bool]:
    """Claims that need not be assessed again first, and of which the service was told all."""
    return and_(_c.to_assess == 0, _c.owed_since.is_(None))


# Of each of the stretches below, the tier in `urgency`.
_TIERS = (0, 0, 1, LAST)


def _stretches() -> list[tuple[ColumnElement[bool], ColumnElement[bool]]]:
    """The stretches of a lane's index that are in the order of urgency: without a real deadline and with one."""
    now = bindparam("now", type_=_c.rank_at.type)
    to_come, past = _c.rank_at >= now, _c.rank_at < now
    without, real = _c.rank_is_deadline == 0, _c.rank_is_deadline == 1
    return [(without, to_come), (real, to_come), (without, past), (real, past)]


def _stretches_of(lanes: CTE) -> CTE:
    """The same on PostgreSQL as rows, for each of these lanes."""
    from sqlalchemy.dialects.postgresql import array  # noqa: PLC0415 (loads all of that dialect)

    time = _c.rank_at.type
    now = bindparam("now", type_=time)
    just_before = now - literal_column("interval '1 microsecond'", Interval)
    first, last = (literal_column(f"timestamp '{end}'", time) for end in ("-infinity", "infinity"))
    columns = {
        "tier": _TIERS,
        "is_deadline": (0, 1, 0, 1),
        "since": (now, now, first, first),
        "until": (last, last, just_before, just_before),
    }
    rows = func.unnest(*map(array, columns.values())).table_valued(*columns, name="stretch").render_derived()
    return select(lanes.c.carrier_key, *rows.c).join_from(lanes, rows, true()).cte("stretches")


def head_of(ranks: Iterable[Any], now: datetime) -> Urgency | None:
    """The place of the most urgent claim, by the first rank in each tier; a rank that cannot be read counts as now."""
    for tier, rank in enumerate(ranks):
        if rank is not None:
            return tier, as_moment(rank) or now
    return None


def named_lanes(carriers: Collection[str], *, is_sqlite: bool) -> dict[str, Any]:
    """The parameter of `lanes_of_parameter`."""
    return {"lanes": json.dumps(list(carriers)) if is_sqlite else list(carriers)}


def lanes_of_parameter(*, is_sqlite: bool) -> CTE:
    """Lanes as rows of one parameter: the statement is the same however many are named."""
    if is_sqlite:
        each = func.json_each(bindparam("lanes", type_=Text)).table_valued("value")
        return select(each.c.value.label("carrier_key")).cte("lanes")
    return select(func.unnest(bindparam("lanes", type_=ARRAY(Text))).label("carrier_key")).cte("lanes")


def of_carriers(keys: Collection[str]) -> ColumnElement[bool]:
    """Claims that any account of these carriers serves ("": of no carrier that we know)."""
    # Not a range of keys: what lies between two texts, a server's collation decides.
    of_clients = (func.substr(_c.lane, 1, len(key) + 1) == f"{key}#" for key in sorted(keys) if key)
    return or_(_c.lane.in_(sorted(keys)), *of_clients)

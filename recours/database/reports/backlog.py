"""What is not done, counted by carrier and stage: by an index that holds nothing else (migrations/versions/0005_desk.py).

The condition is that of the index, word by word, so that SQLite knows it for the same.
"""

from collections import Counter
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Text,
    func,
    literal,
    select,
    text,
    type_coerce,
    union_all,
)

from recours.core.claim import FetchStatus, Stage
from recours.database.lenient_reader import Reader
from recours.database.predicates import at_stage, still_ours
from recours.database.reach import EVERYTHING, Reach
from recours.database.reports.claim_search import Group
from recours.database.tables import claims

_c = claims.c
not_done = text("pod_fetch_status IN ('fetching', 'pending', 'failed')")
_OURS = frozenset({FetchStatus.FAILED, FetchStatus.PENDING, FetchStatus.FETCHING})
_STAGES = frozenset(Stage)
_FAILED = (Stage.WAITING, Stage.READY, Stage.SETTLED)
# Counted under this: claims at no stage that we know.
UNASSESSED = ""
# The most parts of one UNION: SQLite takes no more than 500.
_PARTS = 100


def backlog_counts(
    connection: Connection, there: Iterable[Group], most: int | None, reach: Reach = EVERYTHING
) -> dict[str, Counter[str]]:
    """How many claims of each carrier's key ("": of none) are at each stage, each counted up to `most`."""
    wanted = dict.fromkeys((group.key, group.stage) for group in there if group.status in _OURS)
    counts: dict[str, Counter[str]] = {}
    parts = [
        _count(key, stage, [*where, reach.rows()], most)
        for key, stage in wanted
        for where in _conditions(key, stage)
    ]
    for at in range(0, len(parts), _PARTS):
        for key, stage, count in connection.execute(union_all(*parts[at : at + _PARTS])):
            counts.setdefault(key, Counter())[stage if stage in _STAGES else UNASSESSED] += count
    return counts


def _count(key: str, stage: str, where: Collection[ColumnElement[bool]], most: int | None) -> Select[Any]:
    some = select(literal(1)).select_from(claims).where(not_done, *where).limit(most).subquery()
    counted = select(func.count()).select_from(some).scalar_subquery()
    return select(literal(key, Text), literal(stage, Text), counted)


def _conditions(key: str, stage: str) -> list[list[ColumnElement[bool]]]:
    """NULL and an empty text are one group: each is looked for in its own place of the index."""
    keys = [_c.pod_carrier_key == key, *([_c.pod_carrier_key.is_(None)] if key == "" else [])]
    stages = [_c.pod_stage == stage, *([_c.pod_stage.is_(None)] if stage == "" else [])]
    return [[of_key, of_stage] for of_key in keys for of_stage in stages]


def retries_come(
    connection: Connection, due_until: datetime, most: int | None, reach: Reach = EVERYTHING
) -> Counter[str]:
    """Waiting claims whose turn has come, by carrier's key, up to `most` in all."""
    come = (
        select(_c.pod_carrier_key)
        .where(at_stage(Stage.WAITING), _c.pod_next_retry_at <= due_until, still_ours(), reach.rows())
        .order_by(_c.pod_next_retry_at)
        .limit(most)
    )
    return Counter(key or "" for (key,) in connection.execute(come))


def oldest_failures(
    connection: Connection, keys: Iterable[str], *, has_creation: bool, reach: Reach = EVERYTHING
) -> dict[str, datetime]:
    """Since when the oldest claim of each carrier that is still tried has failed, or is new.

    `has_creation`: `claims` has the column created_at.
    """
    parts = [look for key in keys for look in _oldest(key, reach, has_creation=has_creation)]
    found: dict[str, datetime] = {}
    for at in range(0, len(parts), _PARTS):
        for row in connection.execute(union_all(*parts[at : at + _PARTS])).mappings():
            if since := Reader(row).moment("since"):
                found[row["key"]] = min(since, found.get(row["key"], since))
    return found


def _oldest(key: str, reach: Reach, *, has_creation: bool) -> list[Select[Any]]:
    """A look into an index for each stage. Of new claims, the one with the least id is taken for the oldest."""
    failed = [
        _first(
            key,
            _c.pod_failed_at,
            not_done,
            _c.pod_stage == stage,
            _c.pod_failed_at.is_not(None),
            reach.rows(),
        )
        for stage in _FAILED
    ]
    if not has_creation:
        return failed
    group = Group(f"{key}/{FetchStatus.PENDING}/{Stage.NEW}")
    return [*failed, _first_of(key, _c.created_at, _c.id, group.condition, reach.rows())]


def _first(key: str, moment: Any, *where: Any) -> Select[Any]:
    return _first_of(key, moment, moment, _c.pod_carrier_key == key, *where)


def _first_of(key: str, moment: Any, order: Any, *where: Any) -> Select[Any]:
    look = select(literal(key, Text).label("key"), type_coerce(moment, Text).label("since"))
    return select(look.where(*where).order_by(order).limit(1).subquery())

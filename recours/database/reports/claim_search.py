"""Which claims a person looks at: alike in carrier, status and stage, or found by what is typed of them; and how many.

Each is read by an index of its own (migrations/versions/0005_desk.py), whose expressions are repeated here word by word;
a test asserts the plans.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Text,
    func,
    literal,
    literal_column,
    select,
    text,
    type_coerce,
    union_all,
)

from recours.core.claim import FetchStatus, Stage
from recours.database.lenient_reader import Reader
from recours.database.predicates import Reach, at_stage, still_ours
from recours.database.rows import distinct_by_index
from recours.database.tables import claims
from recours.operations.records import ClaimFilter

_c = claims.c

_group: ColumnElement[str] = literal_column(
    "(coalesce(pod_carrier_key, '') || '/' || coalesce(substr(pod_fetch_status, 1, 40), '') || '/'"
    " || coalesce(pod_stage, ''))",
    Text,
)
_LONGEST_STATUS = 40
_TYPED_IN = (
    "upper(substr(claim_reference, 1, 60))",
    "upper(substr(replace(tracking_number, ' ', ''), 1, 60))",
)
_LONGEST_TYPED = 60
# So many claims that begin like what was typed are looked at, the last ones by reference, and by number.
MOST_FOUND = 10_000
# The most parts of one UNION: SQLite takes no more than 500.
_PARTS = 100


@dataclass(frozen=True)
class Group:
    """Claims that are alike: `key` is their carrier's ("": none), `status` is pod_fetch_status, `stage` pod_stage."""

    text: str

    @property
    def key(self) -> str:
        return self.text.split("/", 1)[0]

    @property
    def status(self) -> str:
        """What the service sees; another program may have written anything."""
        return self.text.split("/", 1)[-1].rsplit("/", 1)[0]

    @property
    def stage(self) -> str:
        """Where they stand with us."""
        return self.text.rsplit("/", 1)[-1]

    def is_wanted(self, wanted: ClaimFilter) -> bool:
        statuses = {status[:_LONGEST_STATUS] for status in wanted.statuses}
        return (
            (not wanted.statuses or self.status in statuses)
            and (not wanted.stages or self.stage in wanted.stages)
            and (not wanted.carriers or self.key in wanted.carriers)
        )

    @property
    def condition(self) -> ColumnElement[bool]:
        return _group == self.text


def groups(connection: Connection) -> list[Group]:
    return [Group(name) for name in connection.scalars(distinct_by_index(_group))]


def newest(connection: Connection, wanted: ClaimFilter, most: int) -> list[Any]:
    """The ids of up to `most` of these claims, the newest first."""
    if _is_open(wanted):
        return list(connection.scalars(select(_c.id).order_by(_c.id.desc()).limit(most)))
    there = [group for group in groups(connection) if group.is_wanted(wanted)]
    if typed := "".join(wanted.text.split()):
        return _typed(connection, typed, there, most)
    parts = [select(_c.id).where(group.condition).order_by(_c.id.desc()).limit(most) for group in there]
    ids: list[Any] = []
    for some in _batches(parts):
        ids += connection.scalars(union_all(*(select(part.subquery()) for part in some)))
    return sorted(ids, reverse=True)[:most]


def count_of(connection: Connection, wanted: ClaimFilter, most: int) -> int:
    if _is_open(wanted) or wanted.text.strip():
        return len(newest(connection, wanted, most))
    counted = 0
    for group in groups(connection):
        if counted < most and group.is_wanted(wanted):
            some = select(_c.id).where(group.condition).limit(most - counted).subquery()
            counted += connection.scalar(select(func.count()).select_from(some)) or 0
    return counted


def _is_open(wanted: ClaimFilter) -> bool:
    return not (wanted.statuses or wanted.stages or wanted.carriers or wanted.text.strip())


def _typed(connection: Connection, typed: str, there: Sequence[Group], most: int) -> list[Any]:
    """The same of claims whose reference or number begins so."""
    typed = typed[:_LONGEST_TYPED]
    # SQLite knows the capitals of ASCII only.
    capitals = {"".join(char.upper() if char.isascii() else char for char in typed), typed.upper()}
    collation = "" if connection.dialect.name == "sqlite" else ' COLLATE "C"'
    found: set[Any] = set()
    for expression, begin in product(_TYPED_IN, capitals):
        what: ColumnElement[str] = literal_column(f"({expression}{collation})", Text)
        query = select(_c.id).where(what >= begin).order_by(what.desc()).limit(MOST_FOUND)
        if (end := _after_all_that_begin_with(begin)) is not None:
            query = query.where(what < end)
        found.update(connection.scalars(query))
    wanted = {group.text for group in there}
    ids = sorted(found, reverse=True)
    kept: list[Any] = []
    for at in range(0, len(ids), MOST_FOUND // 20):
        some = ids[at : at + MOST_FOUND // 20]
        rows = connection.execute(select(_c.id, _group).where(_c.id.in_(some)).order_by(_c.id.desc()))
        kept += [claim_id for claim_id, group in rows if group in wanted]
        if len(kept) >= most:
            break
    return kept[:most]


_LAST, _BEFORE_SURROGATES, _AFTER_SURROGATES = 0x10FFFF, 0xD7FF, 0xE000


def _after_all_that_begin_with(begin: str) -> str | None:
    """The first text, by the order of code points, after all that begin with this one; None: there is none."""
    kept = begin.rstrip(chr(_LAST))
    if not kept:
        return None
    last = ord(kept[-1])
    return kept[:-1] + chr(_AFTER_SURROGATES if last == _BEFORE_SURROGATES else last + 1)


def _batches(parts: list[Select[Any]]) -> Iterator[list[Select[Any]]]:
    for at in range(0, len(parts), _PARTS):
        yield parts[at : at + _PARTS]


# ---------------------------------------------------------------- what is not done, counted by carrier and stage
# By an index that holds nothing else, whose condition is repeated word by word, so that SQLite knows it for the same.

not_done = text("pod_fetch_status IN ('fetching', 'pending', 'failed')")
_NOT_DONE = frozenset({FetchStatus.FAILED, FetchStatus.PENDING, FetchStatus.FETCHING})
_STAGES = frozenset(Stage)
_FAILED = (Stage.WAITING, Stage.READY, Stage.SETTLED)
# Counted under this: claims at no stage that this version knows.
UNASSESSED = ""


def backlog_counts(connection: Connection, most: int | None, reach: Reach) -> dict[str, Counter[str]]:
    """How many claims of each carrier's key ("": of none) are at each stage, each counted up to `most`."""
    there = [group for group in groups(connection) if group.status in _NOT_DONE]
    parts = []
    for key, stage in dict.fromkeys((group.key, group.stage) for group in there):
        # NULL and an empty text are one group: each is looked for in its own place of the index.
        keys = [_c.pod_carrier_key == key, *([_c.pod_carrier_key.is_(None)] if key == "" else [])]
        stages = [_c.pod_stage == stage, *([_c.pod_stage.is_(None)] if stage == "" else [])]
        for of_key, of_stage in product(keys, stages):
            some = select(literal(1)).select_from(claims).where(not_done, of_key, of_stage, reach.rows())
            counted = select(func.count()).select_from(some.limit(most).subquery()).scalar_subquery()
            parts.append(select(literal(key, Text), literal(stage, Text), counted))
    counts: dict[str, Counter[str]] = {}
    for some_parts in _batches(parts):
        for key, stage, count in connection.execute(union_all(*some_parts)):
            counts.setdefault(key, Counter())[stage if stage in _STAGES else UNASSESSED] += count
    return counts


def retries_come(
    connection: Connection, due_until: datetime | None, most: int | None, reach: Reach
) -> Counter[str]:
    """Waiting claims whose retry is due, by carrier's key, up to `most` in all; None: none is."""
    if due_until is None:
        return Counter()
    come = (
        select(_c.pod_carrier_key)
        .where(at_stage(Stage.WAITING), _c.pod_next_retry_at <= due_until, still_ours(), reach.rows())
        .order_by(_c.pod_next_retry_at)
        .limit(most)
    )
    return Counter(key or "" for (key,) in connection.execute(come))


def oldest_failures(
    connection: Connection, keys: Iterable[str], reach: Reach, *, has_creation: bool
) -> dict[str, datetime]:
    """Since when the oldest claim of each carrier that is still tried has failed, or is new.

    By a look into an index for each stage. `has_creation`: `claims` has the column created_at. Of new claims, the one
    with the least id is taken for the oldest.
    """

    def oldest(key: str, at: Any, order: Any, *where: Any) -> Select[Any]:
        look = select(literal(key, Text).label("key"), type_coerce(at, Text).label("since"))
        return select(look.where(*where, reach.rows()).order_by(order).limit(1).subquery())

    parts = []
    failed_at = _c.pod_failed_at
    for key in keys:
        for stage in _FAILED:
            of_stage = _c.pod_carrier_key == key, not_done, _c.pod_stage == stage, failed_at.is_not(None)
            parts.append(oldest(key, failed_at, failed_at, *of_stage))
        if has_creation:
            new = Group(f"{key}/{FetchStatus.PENDING}/{Stage.NEW}").condition
            parts.append(oldest(key, _c.created_at, _c.id, new))
    found: dict[str, datetime] = {}
    for some_parts in _batches(parts):
        for row in connection.execute(union_all(*some_parts)).mappings():
            if since := Reader(row).moment("since"):
                found[row["key"]] = min(since, found.get(row["key"], since))
    return found

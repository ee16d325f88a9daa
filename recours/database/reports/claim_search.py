"""Which claims a person looks at: alike in carrier, status and stage, or found by what is typed of them.

Each is read by an index of its own (migrations/versions/0005_desk.py), whose expressions are repeated here word by word;
a test asserts the plans.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Text, func, literal_column, select, union_all

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
        """Tell whether a filter lets these through."""
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
    """The groups there are: each is found from the one before by one look into the index."""
    first = select(select(_group).select_from(claims).order_by(_group).limit(1).scalar_subquery().label("g"))
    first_cte = first.cte(recursive=True)
    after = select(_group).select_from(claims).where(_group > first_cte.c.g).order_by(_group).limit(1)
    found = first_cte.union_all(select(after.scalar_subquery()).where(first_cte.c.g.is_not(None)))
    return [Group(text) for text in connection.scalars(select(found.c.g)) if text is not None]


def newest(connection: Connection, wanted: ClaimFilter, most: int) -> list[Any]:
    """The ids of up to `most` of these claims, the newest first."""
    if _is_open(wanted):
        return list(connection.scalars(select(_c.id).order_by(_c.id.desc()).limit(most)))
    there = [group for group in groups(connection) if group.is_wanted(wanted)]
    if text := "".join(wanted.text.split()):
        return _typed(connection, text, there, most)
    parts = [select(_c.id).where(group.condition).order_by(_c.id.desc()).limit(most) for group in there]
    ids = [found for part in _batches(parts) for found in connection.scalars(_joined(part))]
    return sorted(ids, reverse=True)[:most]


def count_of(connection: Connection, wanted: ClaimFilter, most: int) -> int:
    """How many of these claims there are, counted up to `most`."""
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


def _typed(connection: Connection, text: str, there: Sequence[Group], most: int) -> list[Any]:
    """The same of claims whose reference or number begins so."""
    is_sqlite = connection.dialect.name == "sqlite"
    found: set[Any] = set()
    for expression in _TYPED_IN:
        for begin in _spellings(text[:_LONGEST_TYPED]):
            query = _beginning(expression if is_sqlite else f'{expression} COLLATE "C"', begin)
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


def _beginning(expression: str, begin: str) -> Select[Any]:
    what: ColumnElement[str] = literal_column(f"({expression})", Text)
    query = select(_c.id).where(what >= begin).order_by(what.desc()).limit(MOST_FOUND)
    end = _after_all_that_begin_with(begin)
    return query if end is None else query.where(what < end)


def _spellings(text: str) -> set[str]:
    """What was typed, in capitals: SQLite knows those of ASCII only."""
    of_ascii = "".join(char.upper() if char.isascii() else char for char in text)
    return {of_ascii, text.upper()}


_LAST, _BEFORE_SURROGATES, _AFTER_SURROGATES = 0x10FFFF, 0xD7FF, 0xE000


def _after_all_that_begin_with(text: str) -> str | None:
    """The first text, by the order of code points, after all that begin with this one; None: there is none."""
    kept = text.rstrip(chr(_LAST))
    if not kept:
        return None
    last = ord(kept[-1])
    return kept[:-1] + chr(_AFTER_SURROGATES if last == _BEFORE_SURROGATES else last + 1)


def _batches(parts: list[Select[Any]]) -> list[list[Select[Any]]]:
    return [parts[at : at + _PARTS] for at in range(0, len(parts), _PARTS)]


def _joined(parts: Sequence[Select[Any]]) -> Any:
    return union_all(*(select(part.subquery()) for part in parts))

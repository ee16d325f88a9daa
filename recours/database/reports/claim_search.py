"""Which claims a person looks at: alike in carrier, status and stage, or found by what is typed of them; and how many.

Claims that are alike are read by an index of their own (recours/database/schema/definition.py), whose expressions are repeated
here word by word: that costs the same however many claims there are. What stands anywhere in a text, and every order but
the newest first, takes one pass over a narrow index (0015_search.py), or two.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import product
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    Float,
    Select,
    Text,
    and_,
    case,
    cast,
    false,
    func,
    inspect,
    literal,
    literal_column,
    or_,
    select,
    type_coerce,
    union_all,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import NoSuchTableError

from recours.core.accounts import carrier_of
from recours.core.claim import FetchStatus, Stage
from recours.core.text import is_text
from recours.database.claim_reader import Reader
from recours.database.predicates import at_stage, const, is_ours, still_ours
from recours.database.ready_claims import lanes_of_parameter, named_lanes
from recours.database.rows import distinct_by_index
from recours.database.tables import CUSTOMER_COLUMNS, ORDER_COLUMNS, claims, clients
from recours.operations.records import COUNTED_UP_TO, ClaimFilter, Sort
from recours.operations.stakes import Concerned

_c = claims.c

_group: ColumnElement[str] = literal_column(
    "(coalesce(pod_carrier_key, '') || '/' || coalesce(substr(pod_fetch_status, 1, 40), '') || '/'"
    " || coalesce(pod_stage, ''))",
    Text,
)
_LONGEST_STATUS = 40
_LONGEST_TYPED = 1000
# The most parts of one UNION: SQLite takes no more than 500.
_PARTS = 100


def first_of(names: Iterable[str], columns: frozenset[str]) -> str | None:
    """Which of these columns the service's table has; of several, the one that is named first."""
    return next((name for name in names if name in columns), None)


@dataclass
class Search:
    """The claims that one filter wants, in one database whose `claims` has these columns."""

    connection: Connection
    columns: frozenset[str]
    wanted: ClaimFilter

    def ids(self, most: int, skip: int, sort: Sort | None, *, descending: bool) -> list[Any]:
        """The ids of up to `most` claims after the first `skip`. `sort` None: the newest first."""
        if sort is None and not self._is_scanned:
            return self._newest(skip + most)[skip:]
        # A few are sorted by themselves. Of many, the first ones are found in a pass over all.
        are_few = len(self._some) <= COUNTED_UP_TO
        rows = [_c.id.in_(self._some)] if are_few else self.conditions
        query = self._sorted(sort, descending=descending).where(*rows).limit(most).offset(skip)
        return list(self.connection.scalars(query)) if self._some else []

    def count(self, most: int) -> int:
        """How many there are, counted up to `most`; what is searched for, up to COUNTED_UP_TO + 1."""
        if self._is_scanned:
            return min(len(self._some), most)
        if self.wanted == ClaimFilter():
            return self._counted(select(_c.id).limit(most))
        counted = 0
        for group in self._groups:
            if counted < most:
                counted += self._counted(select(_c.id).where(group.condition).limit(most - counted))
        return counted

    def count_exactly(self) -> int:
        return self._counted(select(_c.id).where(*self.conditions))

    def _counted(self, some: Select[Any]) -> int:
        return self.connection.scalar(select(func.count()).select_from(some.subquery())) or 0

    @cached_property
    def _some(self) -> list[Any]:
        """The ids of all, but of no more than COUNTED_UP_TO + 1; in no order if they are searched for."""
        if not self._is_scanned:
            return self._newest(COUNTED_UP_TO + 1)
        return list(self.connection.scalars(select(_c.id).where(*self.conditions).limit(COUNTED_UP_TO + 1)))

    # ---------------------------------------------------------------- alike: by their index

    @property
    def _is_scanned(self) -> bool:
        wanted = self.wanted
        return bool(wanted.text.strip() or wanted.clients or wanted.kinds or wanted.concerned is not None)

    @cached_property
    def _groups(self) -> list["Group"]:
        return [group for group in groups(self.connection) if group.is_wanted(self.wanted)]

    def _newest(self, most: int) -> list[Any]:
        """The ids of up to `most`, the newest first, where nothing is searched for."""
        if self.wanted == ClaimFilter():
            return list(self.connection.scalars(select(_c.id).order_by(_c.id.desc()).limit(most)))
        parts = [
            select(_c.id).where(group.condition).order_by(_c.id.desc()).limit(most) for group in self._groups
        ]
        ids: list[Any] = []
        for some in _batches(parts):
            ids += self.connection.scalars(union_all(*(select(part.subquery()) for part in some)))
        return sorted(ids, reverse=True)[:most]

    # ---------------------------------------------------------------- searched for and sorted: in a pass over all

    @cached_property
    def conditions(self) -> list[ColumnElement[bool]]:
        wanted = self.wanted
        status = func.substr(_c.pod_fetch_status, 1, _LONGEST_STATUS)
        client = self._text("client_id") if "client_id" in self.columns else const("")
        chosen: list[tuple[ColumnElement[Any], Iterable[str]]] = [
            (status, [status[:_LONGEST_STATUS] for status in wanted.statuses]),
            (_c.pod_stage, wanted.stages),
            (self._carrier_key, wanted.carriers),
            (client, wanted.clients),
            (_c.pod_error_kind, wanted.kinds),
        ]
        found: list[ColumnElement[bool]] = [
            func.coalesce(value, "").in_(list(filter(_can_be_stored, values)))
            for value, values in chosen
            if values
        ]
        if typed := " ".join(wanted.text.split()):
            found.append(self._holds(typed) if _can_be_stored(typed) else false())
        if wanted.concerned is not None:
            found.append(self._is_concerned(wanted.concerned))
        return found

    def _is_concerned(self, concerned: Concerned) -> ColumnElement[bool]:
        named = _c.id.in_(concerned.ids[: COUNTED_UP_TO + 1])
        return or_(named, *parts_of_accounts(concerned))

    def _holds(self, typed: str) -> ColumnElement[bool]:
        order, customer = first_of(ORDER_COLUMNS, self.columns), first_of(CUSTOMER_COLUMNS, self.columns)
        number = func.replace(self._text("tracking_number"), " ", "")
        found = [self._contains(number, typed.replace(" ", ""))]
        found += [
            self._contains(self._text(name), typed) for name in ("claim_reference", order, customer) if name
        ]
        if names := self._client_names:
            known = [self._contains(self._as_text(clients.c[name]), typed) for name in names]
            found.append(_c.client_id.in_(select(clients.c.id).where(or_(*known))))
        return or_(*found)

    def _contains(self, value: ColumnElement[str], typed: str) -> ColumnElement[bool]:
        """In whatever case. Neither database knows the case of all letters by itself, whatever its language."""
        if not self._is_sqlite:  # where LIKE tells capitals apart
            value, typed = func.upper(value), "".join(c.upper() if c.isascii() else c for c in typed)
        found = value.like(_anywhere(re.sub(r"[^\x00-\x7f]", "\0", typed)), escape="/")
        if typed.isascii():
            return found
        for char in {char for char in typed if not char.isascii()}:
            cases = {
                case for case in (char, char.lower(), char.upper()) if len(case) == 1 and not case.isascii()
            }
            for other in cases - {min(cases)}:
                value, typed = func.replace(value, other, min(cases)), typed.replace(other, min(cases))
        # What is cheap to find out first: few texts hold what is around such a letter.
        return and_(found, value.like(_anywhere(typed), escape="/"))

    def _sorted(self, sort: Sort | None, *, descending: bool) -> Select[Any]:
        query = select(_c.id)
        for key in self._keys(sort) if sort else ():
            # Ages run against the times of their beginnings.
            backwards = descending != (sort is Sort.AGE)
            query = query.order_by((key.desc() if backwards else key.asc()).nulls_last())
        return query.order_by(_c.id.desc())

    def _keys(self, sort: Sort) -> list[ColumnElement[Any]]:
        due = _c.pod_stage.in_([const(Stage.NEW), const(Stage.READY)])
        waits = at_stage(Stage.WAITING)
        is_fetched = _c.pod_fetch_status == const(FetchStatus.SUCCESS)
        at_stages = ((_c.pod_stage == const(stage), place) for place, stage in enumerate(Stage))
        keys: dict[Sort, list[ColumnElement[Any]]] = {
            Sort.REFERENCE: [self._text("claim_reference")],
            Sort.AMOUNT: [self._comparable("amount_requested", Float)],
            Sort.DEADLINE: [self._comparable("response_deadline")],
            Sort.AGE: [self._comparable("created_at")],
            Sort.STAGE: [case((is_fetched, len(Stage)), *at_stages)],
            Sort.NEXT_TRY: [case((due, 0), (waits, 1)), case((waits, _c.pod_next_retry_at))],
        }
        return keys[sort]

    # ---------------------------------------------------------------- columns of the service, which may be of any type

    @property
    def _is_sqlite(self) -> bool:
        return self.connection.dialect.name == "sqlite"

    @cached_property
    def _client_names(self) -> list[str]:
        """The columns of the service's clients by which people know them."""
        if "client_id" not in self.columns:
            return []
        try:
            there = {column["name"] for column in inspect(self.connection).get_columns("clients")}
        except NoSuchTableError:
            return []
        return [name for name in ("email", "full_name", "company_name") if name in there]

    @property
    def _carrier_key(self) -> ColumnElement[str]:
        """The carrier's, without the number of a client's account there."""
        key, find = self._as_text(_c.pod_carrier_key), func.instr if self._is_sqlite else func.strpos
        return func.substr(key, 1, find(key + "#", "#") - 1)

    def _text(self, name: str) -> ColumnElement[str]:
        return self._as_text(literal_column(f"claims.{name}"))

    def _as_text(self, column: ColumnElement[Any]) -> ColumnElement[str]:
        """As text, compared sign by sign whatever the database's language."""
        return cast(column, Text) if self._is_sqlite else cast(column, Text).collate("C")

    def _comparable(self, name: str, kind: Any = Text) -> ColumnElement[Any]:
        """A date or a number. On SQLite a service may have written anything, an empty text for one that is not known."""
        column: ColumnElement[Any] = literal_column(f"claims.{name}")
        if name not in self.columns:
            return literal_column("NULL")
        return cast(func.nullif(column, ""), kind) if self._is_sqlite else column


def _can_be_stored(typed: str) -> bool:
    """Tell whether a column may hold it: of anything else, databases complain."""
    return is_text(typed) and "\0" not in typed and len(typed) <= _LONGEST_TYPED


def _anywhere(typed: str) -> str:
    """What LIKE takes, with / as its escape, to find a text in any place; NUL stands for any one sign."""
    escaped = re.sub("[/%_]", r"/\g<0>", typed)
    return f"%{escaped}%".replace("\0", "_")


@dataclass(frozen=True)
class Group:
    """Claims that are alike: `key` is their account's ("": none), `status` is pod_fetch_status, `stage` pod_stage."""

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
            and (not wanted.carriers or carrier_of(self.key) in wanted.carriers)
        )

    @property
    def condition(self) -> ColumnElement[bool]:
        return _group == self.text


def groups(connection: Connection) -> list[Group]:
    return [Group(name) for name in connection.scalars(distinct_by_index(_group))]


def _batches(parts: list[Select[Any]]) -> Iterator[list[Select[Any]]]:
    for at in range(0, len(parts), _PARTS):
        yield parts[at : at + _PARTS]


# ---------------------------------------------------------------- what is not done, counted by carrier and stage
# By an index that holds nothing else: those of `is_ours`.

_NOT_DONE = frozenset({FetchStatus.FAILED, FetchStatus.PENDING, FetchStatus.FETCHING})
_STAGES = frozenset(Stage)
_FAILED = (Stage.WAITING, Stage.READY, Stage.SETTLED)
# Counted under this: claims at no stage that this version knows.
UNASSESSED = ""


def backlog_counts(connection: Connection, most: int) -> dict[str, Counter[str]]:
    """How many claims of each account's key ("": of none) are at each stage, each counted up to `most`."""
    there = [group for group in groups(connection) if group.status in _NOT_DONE]
    alike = list(dict.fromkeys((group.key, group.stage) for group in there))
    if not alike:
        return {}

    def counted(key: Any, stage: Any, of: CTE | None = None) -> ColumnElement[int]:
        some = select(literal(1)).select_from(claims).where(is_ours(), key, stage).limit(most)
        some = some if of is None else some.correlate(of)
        return select(func.count()).select_from(some.subquery()).scalar_subquery()

    pairs = _pairs(alike, is_sqlite=connection.dialect.name == "sqlite")
    same = _c.pod_carrier_key == pairs.c.carrier_key, _c.pod_stage == pairs.c.stage
    parts = [select(pairs.c.carrier_key, pairs.c.stage, counted(*same, of=pairs))]
    # NULL and an empty text are one group: NULL is looked for in its own place of the index.
    for key, stage in alike:
        keys = [_c.pod_carrier_key == key, *([_c.pod_carrier_key.is_(None)] if key == "" else [])]
        stages = [_c.pod_stage == stage, *([_c.pod_stage.is_(None)] if stage == "" else [])]
        for of_key, of_stage in list(product(keys, stages))[1:]:
            parts.append(select(literal(key, Text), literal(stage, Text), counted(of_key, of_stage)))
    counts: dict[str, Counter[str]] = {}
    for some_parts in _batches(parts):
        for key, stage, count in connection.execute(union_all(*some_parts)):
            counts.setdefault(key, Counter())[stage if stage in _STAGES else UNASSESSED] += count
    return counts


def _pairs(pairs: Sequence[tuple[str, str]], *, is_sqlite: bool) -> CTE:
    """Keys and stages as rows of one parameter: the statement is as long however many there are."""
    rows = json.dumps(pairs)
    if is_sqlite:
        each = func.json_each(literal(rows, Text)).table_valued("value")
        key, stage = (func.json_extract(each.c.value, f"$[{place}]") for place in (0, 1))
    else:
        each = func.jsonb_array_elements(cast(literal(rows, Text), JSONB)).table_valued("value")
        key, stage = (func.jsonb_extract_path_text(each.c.value, str(place)) for place in (0, 1))
    labelled = type_coerce(key, Text).label("carrier_key"), type_coerce(stage, Text).label("stage")
    return select(*labelled).cte("pairs")


def parts_of_accounts(concerned: Concerned) -> list[ColumnElement[bool]]:
    """The claims of accounts that a problem is about, in parts: NULL is looked for in its own place of the index."""
    if not concerned.accounts:
        return []
    has_unknown = "" in concerned.accounts
    keys: list[ColumnElement[bool]] = [_c.pod_carrier_key.in_(sorted(concerned.accounts))]
    stages: list[ColumnElement[bool]] = [_c.pod_stage.in_([const(stage) for stage in concerned.stages])]
    if has_unknown:
        keys.append(_c.pod_carrier_key.is_(None))
    else:  # those too that no run has assessed yet
        stages += [_c.pod_stage.is_(None), _c.pod_stage == ""]
    return [and_(is_ours(), key, stage) for key, stage in product(keys, stages)]


def retries_come(connection: Connection, due_until: datetime | None, most: int) -> Counter[str]:
    """Waiting claims whose retry comes by `due_until`, by account's key, up to `most` in all."""
    if due_until is None:
        return Counter()
    come = (
        select(_c.pod_carrier_key)
        .where(at_stage(Stage.WAITING), _c.pod_next_retry_at <= due_until, still_ours())
        .order_by(_c.pod_next_retry_at)
        .limit(most)
    )
    return Counter(key or "" for (key,) in connection.execute(come))


def oldest_failures(
    connection: Connection, keys: Iterable[str], *, has_creation: bool
) -> dict[str, datetime]:
    """Since when the oldest claim of each account that is still tried has failed, or is new.

    By a look into an index for each stage. `has_creation`: `claims` has the column created_at. Of new claims, the one
    with the least id is taken for the oldest.
    """
    keys = list(keys)
    if not keys:
        return {}
    is_sqlite = connection.dialect.name == "sqlite"

    def oldest(key: Any, at: Any, order: Any, of: CTE, *where: Any) -> Select[Any]:
        first = select(at).where(*where).order_by(order).limit(1).correlate(of).scalar_subquery()
        return select(key.label("key"), type_coerce(first, Text).label("since"))

    pairs, failed_at = _pairs(list(product(keys, _FAILED)), is_sqlite=is_sqlite), _c.pod_failed_at
    same = _c.pod_carrier_key == pairs.c.carrier_key, _c.pod_stage == pairs.c.stage
    parts = [
        oldest(pairs.c.carrier_key, failed_at, failed_at, pairs, *same, is_ours(), failed_at.is_not(None))
    ]
    if has_creation:
        new = lanes_of_parameter(is_sqlite=is_sqlite)
        group = new.c.carrier_key + f"/{FetchStatus.PENDING}/{Stage.NEW}"
        parts.append(oldest(new.c.carrier_key, _c.created_at, _c.id, new, _group == group))
    found: dict[str, datetime] = {}
    for part in parts:
        for row in connection.execute(part, named_lanes(keys, is_sqlite=is_sqlite)).mappings():
            if since := Reader(row).moment("since"):
                found[row["key"]] = min(since, found.get(row["key"], since))
    return found

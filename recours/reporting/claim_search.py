"""Filters, searches and sorts lists of claims.

Conditions on recours's own data use the indexes of recours's table, which is joined with the claims. Conditions on the
service's data read the service's table in key order until a page is full or the whole table is read.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Float,
    FromClause,
    Select,
    Text,
    and_,
    case,
    cast,
    false,
    func,
    not_,
    or_,
    select,
)

from recours.core.carrier import Catalog
from recours.core.claim import DUE, FetchStatus, Stage
from recours.core.text import is_text, plain
from recours.database.border import CUSTOMER_COLUMNS, ORDER_COLUMNS, Border
from recours.database.claim_rows import const
from recours.database.claims import is_served_by
from recours.database.tables import claims, is_at_stage
from recours.reporting.records import COUNTED_UP_TO, ClaimFilter, DeadlineRange, ProblemClaims, Sort

_c = claims.c
_LONGEST_TYPED = 100
# The columns by which clients are searched.
_CLIENT_COLUMNS = ("email", "full_name", "company_name")


@dataclass
class Search:
    """The claims that match one filter, in one database."""

    connection: Connection
    border: Border
    catalog: Catalog
    criteria: ClaimFilter

    def ids(self, limit: int, skip: int, sort: Sort | None, *, descending: bool) -> list[Any]:
        """The ids of up to `limit` claims after the first `skip`. `sort` None: newest first."""
        conditions = self.conditions(sort)
        if self._is_filtered:
            are_all = len(self._first_ids) <= COUNTED_UP_TO
            if not self._first_ids or (sort is None and (are_all or skip + limit <= COUNTED_UP_TO)):
                return self._first_ids[skip : skip + limit]
            if are_all:  # all matching ids are known: sort only these claims
                conditions = [self.border.key.in_(self._first_ids)]
        query = select(self.key).select_from(self._source(sort)).where(*conditions)
        query = query.order_by(*self._order(sort, descending=descending)).limit(limit).offset(skip)
        return list(self.connection.scalars(query))

    def count(self, limit: int) -> int:
        """The number of matching claims, capped at `limit`, and with a filter also at COUNTED_UP_TO + 1."""
        return (
            min(len(self._first_ids), limit)
            if self._is_filtered
            else self._counted(self._matching_ids.limit(limit))
        )

    def count_exactly(self) -> int:
        return self._counted(self._matching_ids)

    def _counted(self, ids: Select[Any]) -> int:
        return self.connection.scalar(select(func.count()).select_from(ids.subquery())) or 0

    @property
    def _is_filtered(self) -> bool:
        """Whether there is a filter. A filtered search may read the whole table, so it runs only once."""
        return self.criteria != ClaimFilter()

    @cached_property
    def _first_ids(self) -> list[Any]:
        """The ids of the matching claims, newest first, up to COUNTED_UP_TO + 1."""
        newest = self._matching_ids.order_by(*self._order(None)).limit(COUNTED_UP_TO + 1)
        return list(self.connection.scalars(newest))

    @property
    def _matching_ids(self) -> Select[Any]:
        return select(self.key).select_from(self._source(None)).where(*self.conditions())

    # ---------------------------------------------------------------- tables

    @cached_property
    def _uses_own_table(self) -> bool:
        criteria = self.criteria
        has_kind = bool(criteria.kinds) and "" not in criteria.kinds
        of_accounts = criteria.problem_claims is not None and bool(criteria.problem_claims.accounts)
        return bool(criteria.stages) or has_kind or of_accounts

    @cached_property
    def key(self) -> ColumnElement[Any]:
        return _c.claim_id if self._uses_own_table else self.border.key

    @property
    def source(self) -> FromClause:
        return self.border.joined() if self._uses_own_table else self.border.not_joined()

    def _source(self, sort: Sort | None) -> FromClause:
        """The joined tables; recours's own table is left out if no condition uses it."""
        criteria = self.criteria
        if not (self._uses_own_table or criteria.carriers or criteria.kinds or sort in _OWN_SORT_KEYS):
            return self.border.claims
        # Some databases sort many claims fastest if they read them in the order of the service's table.
        return self.border.not_joined() if sort and self.border.dialect.reads_by_table else self.source

    # ---------------------------------------------------------------- filters

    def conditions(self, sort: Sort | None = None) -> list[ColumnElement[bool]]:
        criteria = self.criteria
        choices = [
            (self.border.text("pod_fetch_status"), criteria.statuses),
            (self.border.text("client_id"), criteria.clients),
            (_c.kind, criteria.kinds),
            (func.lower(func.trim(self.border.text("dispute_type"))), criteria.disputes),
        ]
        conditions: list[ColumnElement[bool]] = [
            _is_one_of(value, values) for value, values in choices if values
        ]
        if criteria.carriers:
            conditions.append(self._is_of(criteria.carriers))
        if criteria.deadlines:
            conditions.append(or_(*map(self._has_deadline, criteria.deadlines)))
        if criteria.stages:
            conditions.append(self._is_at_stages(sort))
        if typed := " ".join(criteria.text.split()):
            is_possible = _can_be_stored(typed) and plain(typed) != "" and len(typed) <= _LONGEST_TYPED
            contains_text = self._contains_text(typed) if is_possible else false()
            if self._uses_own_table and sort:  # otherwise SQLite would search all claims before the join
                contains_text = case((_c.claim_id.is_not(None), contains_text), else_=false())
            conditions.append(contains_text)
        if criteria.problem_claims is not None:
            conditions.append(self._is_of_problem(criteria.problem_claims))
        created_at = self.border.dialect.moment(self.border.text("created_at"))
        if criteria.created_from:
            conditions.append(created_at >= _as_text(criteria.created_from))
        if criteria.created_until:
            conditions.append(created_at < _as_text(criteria.created_until))
        return conditions

    def _is_at_stages(self, sort: Sort | None) -> ColumnElement[bool]:
        stages = self.criteria.stages
        due_until = self.criteria.due_until
        if sort or len(stages) > 1:
            is_at = _is_one_of(self._unindexed(_c.stage), stages)
        else:  # an index has the claims of one stage in the order of their ids
            is_at = is_at_stage(*stages)
        if due_until is None or (Stage.READY in stages) == (Stage.WAITING in stages):
            return is_at
        if Stage.READY in stages:
            return or_(is_at, and_(is_at_stage(Stage.WAITING), _c.next_at <= due_until))
        return and_(is_at, or_(~is_at_stage(Stage.WAITING), _c.next_at > due_until))

    def _has_deadline(self, deadline: str) -> ColumnElement[bool]:
        """Compare deadlines by day. A value that is not a date counts as no deadline."""
        text = func.coalesce(self.border.text("response_deadline"), "")
        day = self.border.dialect.compared(func.substr(text, 1, 10))
        is_day = day.like("____-__-__")
        today = self.criteria.today
        if not deadline:
            return not_(is_day)
        if deadline == DeadlineRange.PASSED:
            return and_(is_day, day < today.isoformat())
        last = today + timedelta(days=int(deadline))
        return and_(is_day, day.between(today.isoformat(), last.isoformat()))

    def _is_of_problem(self, selection: ProblemClaims) -> ColumnElement[bool]:
        conditions: list[ColumnElement[bool]] = []
        if selection.ids:
            conditions.append(self.key.in_(selection.ids[: COUNTED_UP_TO + 1]))
        if selection.accounts:
            lane = self._unindexed(_c.lane)
            stage = self._unindexed(_c.stage)
            conditions.append(and_(lane.in_(sorted(selection.accounts)), stage.in_(selection.stages)))
        return or_(false(), *conditions)

    def _unindexed(self, column: ColumnElement[str]) -> ColumnElement[str]:
        """Keep SQLite from using an index here, because it would read claims in random order and sort all of them."""
        return func.coalesce(column, "") if self.border.dialect.reads_by_table else column

    def _is_of(self, carriers: Collection[str]) -> ColumnElement[bool]:
        """Claims of these carriers' accounts. For claims without a row of recours, the service names the carrier."""
        if self._uses_own_table:
            return is_served_by(carriers)
        carrier = self.border.text("carrier")
        keys = self._keys_by_name
        is_named: ColumnElement[bool] = carrier.in_([name for name, key in keys.items() if key in carriers])
        if "" in carriers:
            is_named = or_(is_named, carrier.is_(None), carrier.not_in(list(keys)))
        return or_(is_served_by(carriers), and_(_c.claim_id.is_(None), is_named))

    @cached_property
    def _keys_by_name(self) -> dict[str, str]:
        """The carrier's key for each name, in any spelling, that a claim of the service contains. Reads all claims."""
        names = self.connection.scalars(select(self.border.text("carrier")).distinct())
        keys = {name: self.catalog.resolve(name) for name in names if name}
        return {name: key for name, key in keys.items() if key}

    # ---------------------------------------------------------------- text search

    def _contains_text(self, typed: str) -> ColumnElement[bool]:
        border = self.border
        dialect = border.dialect
        order = border.first_column(ORDER_COLUMNS)
        customer = border.first_column(CUSTOMER_COLUMNS)
        number = func.replace(border.text("tracking_number"), " ", "")
        conditions = [dialect.contains(number, plain(typed).replace(" ", ""))]
        # These columns are ASCII, so they are not folded. Folding a million claims takes a fifth of a search's time.
        conditions += [
            dialect.contains(border.text(name), typed) for name in ("claim_reference", order) if name
        ]
        if customer:
            conditions.append(dialect.contains_folded(border.text(customer), typed))
        names = [name for name in _CLIENT_COLUMNS if border.has_client_column(name)]
        if border.has("client_id") and names:
            of_client = [dialect.contains_folded(border.client_text(name), typed) for name in names]
            ids = select(border.client_text("id")).where(or_(*of_client))
            conditions.append(border.text("client_id").in_(ids))
        return or_(*conditions)

    def _text(self, name: str) -> ColumnElement[str]:
        return self.border.dialect.compared(self.border.text(name))

    # ---------------------------------------------------------------- sorting

    def _order(self, sort: Sort | None, *, descending: bool = False) -> list[ColumnElement[Any]]:
        # Ages sort in the opposite order of creation times.
        backwards = descending != (sort is Sort.AGE)
        keys = self._keys(sort) if sort else []
        order = [(key.desc() if backwards else key.asc()).nulls_last() for key in keys]
        if not self.border.key_is_number and self.border.has("created_at"):
            order.append(self.border.column("created_at").desc().nulls_last())
        return [*order, self.key.desc()]

    def _keys(self, sort: Sort) -> list[ColumnElement[Any]]:
        due = is_at_stage(*DUE)
        waits = is_at_stage(Stage.WAITING)
        is_fetched = self.border.text("pod_fetch_status") == const(FetchStatus.SUCCESS)
        at_stages = ((is_at_stage(stage), place) for place, stage in enumerate(Stage))
        keys: dict[Sort, list[ColumnElement[Any]]] = {
            Sort.REFERENCE: [self._text("claim_reference")],
            Sort.AMOUNT: [self._comparable("amount_requested", Float)],
            Sort.DEADLINE: [self._comparable("response_deadline")],
            Sort.AGE: [self._comparable("created_at")],
            Sort.STAGE: [case((is_fetched, len(Stage)), *at_stages)],
            Sort.NEXT_TRY: [case((due, 0), (waits, 1)), case((waits, _c.next_at))],
        }
        return keys[sort]

    def _comparable(self, name: str, kind: Any = Text) -> ColumnElement[Any]:
        """A date or number as a sort key. On SQLite the column may contain any text, such as "" for unknown values."""
        text = self.border.text(name)
        if self.border.dialect.has_any_text or not self.border.has(name):
            return cast(func.nullif(text, ""), kind)
        return self.border.column(name)


# Sort keys in recours's own table.
_OWN_SORT_KEYS = (Sort.STAGE, Sort.NEXT_TRY)


def _is_one_of(value: ColumnElement[Any], values: Collection[str]) -> ColumnElement[bool]:
    """The condition that `value` is one of `values`, in which "" means no value."""
    is_listed = value.in_([text for text in values if _can_be_stored(text)])
    return or_(value.is_(None), is_listed) if "" in values else is_listed


def _as_text(at: datetime) -> str:
    """A time in the form of `Dialect.moment`, which omits the time of day at midnight."""
    text = at.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "seconds")
    return text.removesuffix(" 00:00:00")


def _can_be_stored(typed: str) -> bool:
    """Return whether databases accept this text as a value."""
    return is_text(typed) and "\0" not in typed

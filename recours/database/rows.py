"""How a claim's row is selected, and how recours's part of it is written."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    Text,
    Update,
    and_,
    bindparam,
    case,
    false,
    or_,
    select,
    true,
    type_coerce,
    update,
)

from recours.core.claim import Claim, FetchStatus, State
from recours.core.decision import Decision
from recours.core.sentences import sentence
from recours.database.engine import Database
from recours.database.lenient_reader import delivery_text
from recours.database.predicates import const
from recours.database.tables import OPTIONAL_CLAIM_COLUMNS, claims
from recours.runs.ports import LONGEST_LEASE

_c = claims.c


def raw_columns(present: Iterable[str]) -> list[ColumnElement[Any]]:
    """Every column a claim is read from, without conversion; only those that the table has."""
    present = frozenset(present)
    return [
        type_coerce(column, Text).label(column.name) if column.name != "id" else column
        for column in claims.columns
        if column.name in present
    ]


@cache
def readable_columns(table_columns: frozenset[str]) -> list[ColumnElement[Any]]:
    """The columns of a claims table whose schema is current; the service's optional ones may be missing."""
    absent = {name for name in OPTIONAL_CLAIM_COLUMNS if name not in table_columns}
    return raw_columns(column.name for column in claims.columns if column.name not in absent)


def in_parts(
    database: Database, query: Select[Any], key: ColumnElement[Any], size: int
) -> Iterator[Sequence[RowMapping]]:
    """Rows in the order of their id, `key`, in parts: no transaction is open while somebody reads what was printed."""
    part = further = query.order_by(key).limit(size)
    while True:
        with database.read() as connection:
            rows = connection.execute(further).mappings().all()
        yield rows
        if len(rows) < size:
            return
        further = part.where(key > rows[-1]["id"])


def distinct_by_index(value: ColumnElement[Any], *wanted: Any) -> Select[Any]:
    """The different values of an indexed expression: each is found from the one before by one look into the index."""
    first = select(value).select_from(claims).where(*wanted).order_by(value).limit(1)
    found = select(first.scalar_subquery().label("value")).cte(recursive=True)
    after = select(value).select_from(claims).where(*wanted, value > found.c.value).order_by(value).limit(1)
    found = found.union_all(select(after.scalar_subquery()).where(found.c.value.is_not(None)))
    return select(found.c.value).where(found.c.value.is_not(None))


def free(now: datetime) -> ColumnElement[bool]:
    """Rows that no run has leased."""
    return _free(now, now + LONGEST_LEASE)


def free_at_moment() -> ColumnElement[bool]:
    """The same for a statement that is built once and executed with `moments`.

    What the run `held_by` has leased itself is not free, even if the clock was set back so far that its leases look wrong.
    """
    time = _c.pod_lease_until.type
    is_others = _c.pod_lease_token.is_distinct_from(bindparam("held_by", type_=Text))
    return and_(is_others, _free(bindparam("now", type_=time), bindparam("longest_lease", type_=time)))


def moments(now: datetime, token: str) -> dict[str, Any]:
    """The parameters of `free_at_moment`."""
    return {"now": now, "longest_lease": now + LONGEST_LEASE, "held_by": token}


def _free(now: Any, longest_lease: Any) -> ColumnElement[bool]:
    until = _c.pod_lease_until
    return or_(until.is_(None), until <= now, until > longest_lease)


@cache
def unedited() -> ColumnElement[bool]:
    """Rows that are still what they were assessed on. Compared inside the database: no value makes a round trip.

    As a CASE: PostgreSQL expects two columns to be equal in one row of two hundred, would expect to find next to none
    among the ready claims, and would read and sort them all instead of the first few by their index.
    """
    differs = or_(
        _c.pod_seen_status.is_distinct_from(_c.pod_fetch_status),
        _c.pod_seen_number.is_distinct_from(_c.tracking_number),
        _c.pod_seen_carrier.is_distinct_from(_c.carrier),
        _c.pod_seen_count.is_distinct_from(_c.pod_retry_count),
    )
    return case((differs, false()), else_=true())


def state_values(claim: Claim, state: State) -> dict[str, Any]:
    return {
        "pod_stage": state.stage,
        "pod_carrier_key": claim.key_with(state),
        "pod_account_id": state.account,
        "pod_retry_count": state.retries_used,
        "pod_attempts": state.attempts,
        "pod_last_retry_at": state.last_retry_at,
        "pod_next_retry_at": state.next_at,
        "pod_failed_at": state.failed_at,
        "pod_error_kind": state.kind,
        "pod_known_delivery": delivery_text(state.delivery),
        "pod_rank_at": state.rank_at,
        "pod_rank_is_deadline": int(state.rank_is_deadline),
        "pod_interruptions": state.interruptions,
        "pod_seen_count": state.retries_used,
        "pod_since": state.since,
        "pod_expire_from": state.expire_from,
        "pod_expired_at": state.expired_at,
        "pod_last_attempt_at": state.last_attempt_at,
    }


def told_columns(decision: Decision, language: str) -> dict[str, Any]:
    """What the service reads of an error, and what that sentence is made of."""
    said = decision.said
    return {
        "pod_fetch_error": sentence(language, said) if said else decision.error,
        "pod_error_key": said.key if said else None,
        "pod_error_words": (said.words or None) if said else None,
    }


def update_rows(columns: Iterable[str]) -> Update:
    """An update of these columns of one claim. Parameters: see `parameters`."""
    values = {name: bindparam(f"to_{name}", type_=_c[name].type) for name in columns}
    return update(claims).where(_c.id == bindparam("which")).values(values)


def parameters(claim: Claim, values: dict[str, Any]) -> dict[str, Any]:
    return {"which": claim.id} | {f"to_{name}": value for name, value in values.items()}


@cache
def update_leased(columns: tuple[str, ...], *, if_unedited: bool) -> Update:
    """The same of a claim that the run has leased. Built once: it is run for every answer."""
    statement = update_rows(columns).where(_c.pod_lease_token == bindparam("held_by"))
    return statement.where(unedited()) if if_unedited else statement


def leased_parameters(claim: Claim, token: str, values: dict[str, Any]) -> dict[str, Any]:
    return parameters(claim, values) | {"held_by": token}


def seen_values(*, has_deadline: bool) -> dict[str, Any]:
    """Remember what the row holds now as what it was assessed on."""
    values: dict[str, Any] = {
        "pod_seen_status": _c.pod_fetch_status,
        "pod_seen_number": _c.tracking_number,
        "pod_seen_carrier": _c.carrier,
    }
    return values | {"pod_seen_deadline": _c.response_deadline} if has_deadline else values


def is_failed() -> ColumnElement[bool]:
    """Rows that the retry scheduler is for."""
    return _c.pod_fetch_status == const(FetchStatus.FAILED)


# ---------------------------------------------------------------- rows that another program locks


_MOST = 1000  # that are counted


def some_ids(connection: Connection, wanted: ColumnElement[bool], order: Any) -> set[Any]:
    """The ids of the first of these claims, in the order of their index."""
    return set(connection.scalars(_first(wanted, order)))


def locked_ids(connection: Connection, wanted: ColumnElement[bool], order: Any) -> set[Any]:
    """The ids of these claims that another transaction locks, in the order of their index.

    None on SQLite: a program that writes there locks the whole database, and runs wait for it.
    """
    if connection.dialect.name == "sqlite" or not (there := some_ids(connection, wanted, order)):
        return set()
    locked = there.difference(connection.scalars(_first(wanted, order).with_for_update(skip_locked=True)))
    # One that is gone by now was not locked: it was being dealt with.
    return locked & some_ids(connection, wanted, order) if locked else locked


def _first(wanted: ColumnElement[bool], order: Any) -> Select[Any]:
    return select(claims.c.id).where(wanted).order_by(order).limit(_MOST)

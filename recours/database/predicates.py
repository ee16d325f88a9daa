"""The conditions under which rows are looked for, each with a partial index that answers it (see migrations/).

An index of this kind holds only the rows in question, so that looking for them costs the same among ten thousand
claims and among ten million. It is used only where the query repeats its condition with the very same constants:
hence the constants are written into the SQL, not passed as parameters. A test asserts the plans.
"""

from collections.abc import Collection
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Text, and_, case, false, func, literal_column, or_, true

from recours.core.claim import FetchStatus, Stage
from recours.core.pauses import FURTHEST_END
from recours.database.tables import attempts, claims, client_accounts

_c = claims.c


def const(value: str) -> ColumnElement[Any]:
    """A constant inside the SQL text."""
    return literal_column(f"'{value}'", Text)


def is_over(until: ColumnElement[Any], now: datetime) -> ColumnElement[bool]:
    """A lease or a pause that is over; also one that a wrong clock set to last longer than any can."""
    return or_(until <= now, until > now + FURTHEST_END)


def at_stage(stage: Stage) -> ColumnElement[bool]:
    return _c.pod_stage == const(stage)


def awaits_retry() -> ColumnElement[bool]:
    """Rows that wait for a retry of the backoff: as a CASE, so that the index of all that wait does not answer it."""
    of_backoff = _c.pod_last_attempt_at.is_distinct_from(_c.pod_next_retry_at)
    return case((at_stage(Stage.WAITING), of_backoff), else_=false())


@cache
def is_ours() -> ColumnElement[bool]:
    """Rows that one of the workers is for; others are not recours's to work on. NULL where the status is NULL."""
    statuses = (FetchStatus.FAILED, FetchStatus.PENDING, FetchStatus.FETCHING)
    return _c.pod_fetch_status.in_([const(status) for status in statuses])


@cache
def still_ours() -> ColumnElement[bool]:
    """The same among rows that are looked for by their stage: as a CASE, so that no other index seems to answer it."""
    return case((is_ours(), true()), else_=false())


def of_carriers(keys: Collection[str]) -> ColumnElement[bool]:
    """Rows that any account of these carriers serves ("": of no carrier that we know)."""
    # Not a range of keys: what lies between two texts, a server's collation decides.
    of_clients = (
        func.substr(_c.pod_carrier_key, 1, len(key) + 1) == f"{key}#" for key in sorted(keys) if key
    )
    return or_(_c.pod_carrier_key.in_(sorted(keys)), *of_clients)


@cache
def expiring() -> ColumnElement[bool]:
    """Ready rows with a real deadline."""
    ready = _c.pod_stage.in_([const(Stage.NEW), const(Stage.READY)])
    return and_(_c.pod_rank_is_deadline == literal_column("1"), ready)


@cache
def edited(*, with_deadline: bool) -> ColumnElement[bool]:
    """Rows that were never assessed, that differ from what they were assessed on, or whose place in the order is lost."""
    differs = [
        _c.pod_stage.is_(None),
        _c.pod_stage.not_in([const(stage) for stage in Stage]),
        and_(_c.pod_stage.in_([const(Stage.WAITING), const(Stage.SETTLED)]), _c.pod_next_retry_at.is_(None)),
        _c.pod_carrier_key.is_(None),
        _c.pod_rank_at.is_(None),
        _c.pod_rank_is_deadline.is_(None),
        _c.pod_rank_is_deadline.not_in([literal_column("0"), literal_column("1")]),
        _c.pod_seen_status.is_distinct_from(_c.pod_fetch_status),
        _c.pod_seen_number.is_distinct_from(_c.tracking_number),
        _c.pod_seen_carrier.is_distinct_from(_c.carrier),
        _c.pod_seen_count.is_distinct_from(_c.pod_retry_count),
    ]
    if with_deadline:
        differs.append(_c.pod_seen_deadline.is_distinct_from(_c.response_deadline))
    return and_(is_ours(), or_(*differs))


def was_asked() -> ColumnElement[bool]:
    """Attempts whose carrier was asked about the claim.

    The call that several claims share is counted with one of them; the others have the HTTP status of its answer. One that
    used no attempt, and has no call, was left alone since the carrier refused others.
    """
    return or_(attempts.c.calls > 0, and_(attempts.c.used, attempts.c.http_status.is_not(None)))


def in_use() -> ColumnElement[bool]:
    """Accounts of clients that work is done with."""
    return client_accounts.c.removed_at.is_(None)

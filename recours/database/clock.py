"""The time, by the database's clock: runs on several machines share quotas and leases there."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from recours.database.engine import Database

_MOMENT = text("SELECT CAST(extract(epoch FROM clock_timestamp()) AS double precision)")
_ZERO = timedelta(0)


def _now() -> datetime:
    return datetime.now(UTC)


class SystemClock:
    """The real time."""

    def __init__(self, offset: timedelta = _ZERO) -> None:
        """`offset`: what is added to this machine's clock."""
        self._offset = offset

    def now(self) -> datetime:
        return _now() + self._offset

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def clock_offset(database: Database, now: Callable[[], datetime] = _now) -> timedelta:
    """The database's clock minus ours (`now`, aware); zero on SQLite, which has none. Raises DatabaseError."""
    if database.is_sqlite:
        return _ZERO
    with database.outside_transactions() as connection:  # whose beginning would be measured too
        before = now()
        theirs = connection.scalar(_MOMENT)
        after = now()
    return offset_between(before, datetime.fromtimestamp(theirs or 0, UTC), after)


def offset_between(before: datetime, theirs: datetime, after: datetime) -> timedelta:
    """Their clock minus ours, they having told the time between our two moments, most likely in the middle.

    Zero if they could have told it in between by our clock too.
    """
    if before <= theirs <= after:
        return _ZERO
    return theirs - (before + (after - before) / 2)

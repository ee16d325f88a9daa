"""One transaction that changes the schema, while no other process of recours does."""

from collections.abc import Callable, Iterator
from itertools import chain, repeat
from typing import TypeVar

from sqlalchemy import Connection, text

from recours.database.engine import Database, DatabaseError
from recours.runs.ports import Clock

# The number of recours among those that a database's programs lock by agreement.
_LOCK = 0x7265636F757273
# How long a run tries to have the schema to itself, and the table claims.
PATIENCE_S = 120.0
_POLL_S = 0.25
# As long as a statement of recours waits for claims, the service's own queries queue behind it: they are to get through between.
_WAITS_FOR_CLAIMS = "SET LOCAL lock_timeout = '2s'"
_PAUSES_S = (1.0, 2.0, 4.0, 8.0)

_T = TypeVar("_T")


def alone(database: Database, work: Callable[[Connection], _T], clock: Clock) -> _T:
    """Change the schema in one transaction, while no other recours process does. Raises DatabaseError.

    The lock is asked for, never waited for: a process that builds an index waits for one that waits within a transaction,
    which is then killed.
    """
    if database.is_sqlite:
        with database.write() as connection:
            return work(connection)
    ends = clock.monotonic() + PATIENCE_S
    pauses: Iterator[float] = chain(_PAUSES_S, repeat(_PAUSES_S[-1]))
    locked: DatabaseError | None = None
    while True:
        try:
            with database.write() as connection:
                if connection.scalar(text("SELECT pg_try_advisory_xact_lock(:recours)"), {"recours": _LOCK}):
                    connection.exec_driver_sql(_WAITS_FOR_CLAIMS)
                    return work(connection)
            pause, reason = _POLL_S, "another run has been changing its schema"
        except DatabaseError as fault:
            if not fault.is_of_lock:
                raise
            locked, pause, reason = fault, next(pauses), "another program has locked the table claims"
        if clock.monotonic() + pause > ends:
            raise DatabaseError(
                f"The schema of {database.safe_url} could not be changed: {reason} for {PATIENCE_S:.0f} s. "
                "Find out which one, or start again when it is done."
            ) from locked
        clock.sleep(pause)

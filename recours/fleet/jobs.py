"""What a job queue and the `Station` whose jobs it does have to do with each other.

A job is a wake-up call: which claims, in which order, within which quota and when again is written in recours's own
tables. A queue needs no retries, no locks and no results; a job that is lost, or comes twice, does no harm. Every minute
`tick` wakes whatever has work.
"""

from collections.abc import Callable
from dataclasses import dataclass

from recours.core.errors import RunError
from recours.database.engine import DatabaseError


class NoFleetError(RunError):
    """Here there can be no fleet, or it is not set up. The text says what to do."""


class QueueError(DatabaseError):
    """The job queue's database cannot be reached, or the connection was lost."""


@dataclass(frozen=True)
class WorkerLane:
    """One worker's claims of one account: what a slice of work takes them from."""

    worker: str  # pod_fetch_worker or pod_retry_scheduler
    carrier: str  # the account's key; "": of no carrier that is known


# Has a slice of that lane begin as soon as some process is free; does nothing if one waits already. Raises QueueError.
Wake = Callable[[WorkerLane], None]


# Has a process that works for this carrier take the job instead. Raises QueueError.
HandOn = Callable[[str], None]

# What a queue says of itself several times a second: True while it does jobs, False when it ends.
NoteReady = Callable[[bool], None]

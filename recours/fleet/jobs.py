"""What a job queue has to do with recours: the jobs that it calls, and what it is asked for.

A job is a wake-up call: which claims, in which order, within which quota and when again is written in recours's own
tables. A queue needs no retries, no locks and no results; a job that is lost, or comes twice, does no harm. Every minute
`tick` wakes whatever has work.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Protocol

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


class Jobs(Protocol):
    """What a queue calls, from any thread, any number at once: a `Station`. They log what fails, and raise nothing."""

    @property
    def stopped(self) -> bool:
        """Tell whether no job is to be begun any more."""

    @property
    def carriers(self) -> Collection[str]:
        """The keys of the carriers that this process works for."""

    @property
    def workable(self) -> Collection[str]:
        """Those of them whose slices it can do now: it is given no others. This is asked several times a second."""

    def tick(self, wake: Wake) -> None:
        """Every minute, in one process: bring the rows up to date, and wake the lanes that have work."""

    def slice(self, lane: WorkerLane, wake: Wake) -> None:
        """Work on a lane for a short time."""

    def fetch_now(self, reference: str, asked_at: float | None, hand_on: HandOn) -> None:
        """Fetch one claim, before any slice that has not begun.

        `asked_at`: when somebody asked for it, in seconds since 1970; None: nobody did, it is new.
        """

    def sweep(self) -> None:
        """Every five minutes, in one process: mails, and what else has time."""

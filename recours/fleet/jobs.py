"""What a job queue and the `Station` whose jobs it does have to do with each other.

A job is a wake-up call: which claims, in which order, within which quota and when again is written in recours's own
tables. A queue needs no retries, no locks and no results; a job that is lost, or comes twice, does no harm. Every minute
`tick` wakes whatever has work.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from recours.core.errors import RunError
from recours.database.engine import DatabaseError
from recours.settings.model import Settings

if TYPE_CHECKING:
    from recours.fleet.procrastinate_queue import ProcrastinateQueue


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


# ---------------------------------------------------------------- the extra `fleet`


PACKAGE = "procrastinate"
# As in pyproject.toml; a test compares them.
OLDEST, TOO_NEW = (3, 10), (4,)
REQUIREMENT = f"{PACKAGE}>={'.'.join(map(str, OLDEST))},<{'.'.join(map(str, TOO_NEW))}"


def found_version() -> str | None:
    try:
        return version(PACKAGE)
    except PackageNotFoundError:
        return None


def problem() -> str | None:
    """Why the extra cannot be used, without a full stop; None if it can."""
    found = found_version()
    if found is None:
        return "the package Procrastinate is not installed"
    numbers = tuple(int(part) for part in found.split(".")[:2] if part.isdigit())
    if not OLDEST <= numbers < TOO_NEW:
        return f"Procrastinate {found} is installed, and recours needs {REQUIREMENT}"
    try:
        import_module(PACKAGE)
    except ImportError as error:
        return f"Procrastinate {found} cannot be imported: {error}"
    return None


def remedy() -> str:
    """The command that installs the extra for this Python."""
    return f'{sys.executable} -m pip install "{REQUIREMENT}" "psycopg[binary]>=3.2"'


def open_queue(settings: Settings) -> "ProcrastinateQueue":
    """The one of these settings; connects nowhere yet. Raises NoFleetError on SQLite, or without the extra."""
    if settings.database_url.get_backend_name() == "sqlite":
        raise NoFleetError(
            "Long-lived workers and their job queue need PostgreSQL: set DATABASE_URL. On SQLite the two workers that cron "
            "starts do all the work."
        )
    if why := problem():
        raise NoFleetError(
            f"Long-lived workers and their job queue need the extra 'fleet': {why}. Install it: {remedy()}"
        )
    from recours.fleet.procrastinate_queue import ProcrastinateQueue  # noqa: PLC0415 (an extra)

    return ProcrastinateQueue(settings.database_url)

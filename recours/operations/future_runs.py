"""Runs that are dated in the future: which of them are wrong, and when that is in doubt.

Such a row says that a clock was wrong when the run began, or that it is wrong now. Only the first kind may be deleted: the
second is the record as it should be.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from recours.core.pauses import CLOCKS_DIFFER, LONGEST_PAUSE
from recours.core.text import plural
from recours.runs.retry import PODRetryScheduler
from recours.runs.worker import LATE_AFTER

# Within this time of now a run has begun wherever the workers are scheduled.
_RECENT = LATE_AFTER * PODRetryScheduler.schedule


@dataclass(frozen=True)
class Clocks:
    """The moment by the database's clock and by this machine's; the same where the database has none."""

    database: datetime
    machine: datetime

    @property
    def future(self) -> datetime:
        """What is dated after this lies in the future by both clocks."""
        return max(self.database, self.machine) + CLOCKS_DIFFER


@dataclass(frozen=True)
class RunDates:
    """How the record of runs is dated. `ahead`: dated after `Clocks.future`."""

    ahead: int = 0
    first_ahead: datetime | None = None
    last_ahead: datetime | None = None
    others: int = 0
    last_other: datetime | None = None


def doubt(found: RunDates, clocks: Clocks, shown: Callable[[datetime], str]) -> str | None:
    """Why the runs ahead may be dated right, the clock being wrong now; None: they are wrong."""
    apart = abs(clocks.database - clocks.machine)
    if apart > CLOCKS_DIFFER:
        return (
            f"This machine's clock says {shown(clocks.machine)}, the database's {shown(clocks.database)}: one of them is "
            "wrong. Set it right, then repeat this."
        )
    now = shown(clocks.database)
    if found.last_other is None or clocks.database - found.last_other > _RECENT:
        hours = _RECENT // timedelta(hours=1)
        return (
            f"No run has begun within {hours} h of {now}, which is the time by this machine. If that is right, run a "
            "worker, then repeat this."
        )
    if found.first_ahead and found.first_ahead - clocks.database <= LONGEST_PAUSE:
        return (
            f"The first of these runs is dated {shown(found.first_ahead)}, less than a day after {now}: this machine's "
            "clock may be behind. If it is right, wait until that run lies in the past, then repeat this."
        )
    if found.ahead > found.others:
        return (
            f"{plural(found.ahead, 'run')} of {found.ahead + found.others} would go: this machine's clock, which says "
            f"{now}, may be behind. If it is right, repeat this when more runs are dated in the past."
        )
    return None

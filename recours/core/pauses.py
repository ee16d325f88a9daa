"""How long a carrier is left alone: after it asked to wait, refused our account, or a person stopped it."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from recours.core.errors import ErrorKind

LONGEST_PAUSE = timedelta(hours=24)
UNNAMED_PAUSE = timedelta(minutes=60)
# What ends later than this was left by a clock that was wrong. The hour is for machines whose clocks differ.
FURTHEST_END = LONGEST_PAUSE + timedelta(hours=1)
_AFTER_REFUSALS = (timedelta(hours=1), timedelta(hours=6), timedelta(hours=24))


def pause_until(asked: datetime | None, now: datetime) -> datetime:
    """Until when a carrier is left alone that asked to wait until `asked` (None: it named no time)."""
    if asked is None:
        return now + UNNAMED_PAUSE
    return min(max(asked, now), now + LONGEST_PAUSE)


def lasts(until: datetime | None, now: datetime) -> bool:
    """Tell whether a pause or a refusal that ends at `until` still holds."""
    return until is not None and now < until <= now + FURTHEST_END


def next_try_after_refusals(refusals: int, now: datetime, slack: timedelta) -> datetime:
    """When our account is presented again after `refusals` (at least 1) in a row: 1 h, 6 h, then daily.

    Less the slack, as in the timetable: an hourly run is never on the second.
    """
    return now + _AFTER_REFUSALS[min(max(refusals, 1), len(_AFTER_REFUSALS)) - 1] - slack


@dataclass(frozen=True)
class AccountState:
    """What all processes know of our account at a carrier."""

    refusals: int = 0  # in a row
    refused_until: datetime | None = None
    refusal: str | None = None  # the carrier's words, harmless
    # A fingerprint of the refused credentials, to notice that they were changed.
    salt: str | None = None
    credentials_print: str | None = None
    kind: ErrorKind = ErrorKind.AUTH_FAILED  # of the refusal: one of REFUSED_KINDS
    # Whose call was refused last; None: that for the sample number. Kept after an acceptance.
    claim: Any = None


@dataclass(frozen=True)
class Stop:
    """A person stopped a carrier for all processes, until someone takes it up again."""

    at: datetime
    why: str | None = None  # who did, and their words


@dataclass(frozen=True)
class CarrierState:
    """What all processes know of a carrier."""

    paused_until: datetime | None = None
    reason: str | None = None
    account: AccountState = field(default_factory=AccountState)
    stopped: Stop | None = None

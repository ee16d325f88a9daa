"""Limits on calls to carriers, and the windows in which calls are counted."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

# A run waits for the end of windows up to this length; if a longer window is full, it stops calling the carrier.
SHORT = timedelta(minutes=1)

_SECONDS = {"second": 1, "minute": 60, "hour": 3600}
_LARGEST = 1_000_000_000
_FORM = re.compile(
    r"(?P<number>\d{1,10})\s*/\s*(?P<count>\d{0,6})\s*(?P<unit>second|minute|hour|day)s?(?:@(?P<zone>[\w+\-/]+))?",
    re.ASCII | re.IGNORECASE,
)


class Capability(StrEnum):
    """The purpose of a call. Each can have its own limits."""

    TRACKING = "TRACKING"
    POD = "POD"
    TOKEN = "TOKEN"  # noqa: S105 (the name of a capability)


# The number of calls of one fetch by capability, or the maximum that it may need.
CallBudget = dict[Capability, int]


class Window(NamedTuple):
    """A fixed window of `seconds`, aligned to the epoch; if `seconds` is 0, a calendar day in `zone`."""

    seconds: int = 0
    zone: str = "UTC"

    @property
    def is_short(self) -> bool:
        return 0 < self.seconds <= SHORT.total_seconds()

    @property
    def label(self) -> str:
        """The display name: `day`, `hour`, `10 seconds`."""
        if self.seconds == 0:
            return "day"
        named = {seconds: unit for unit, seconds in _SECONDS.items()}
        return named.get(self.seconds, f"{self.seconds} seconds")

    @property
    def key(self) -> str:
        """The window's key in the quota store. It does not depend on the number of calls allowed."""
        return f"day@{self.zone}" if self.seconds == 0 else f"{self.seconds}s"

    def around(self, at: datetime) -> tuple[datetime, datetime]:
        """Return start and end (aware UTC) of the window that contains `at`. Days may have 23 or 25 hours."""
        if self.seconds:
            second = int(at.timestamp()) // self.seconds * self.seconds
            return datetime.fromtimestamp(second, UTC), datetime.fromtimestamp(second + self.seconds, UTC)
        zone = ZoneInfo(self.zone)
        start = datetime.combine(at.astimezone(zone).date(), time(), zone)
        end = start + timedelta(days=1)  # in local time: 23 or 25 hours if the clocks change
        return start.astimezone(UTC), end.astimezone(UTC)


class Limit(NamedTuple):
    """At most `number` calls to `carrier` per window. If `capability` is None, all calls count."""

    carrier: str
    number: int
    window: Window
    capability: Capability | None = None

    @property
    def key(self) -> str:
        """The limit's key in the quota store."""
        return f"{self.carrier}/{self.capability or '*'}/{self.window.key}"

    def __str__(self) -> str:
        return f"{self.number} per {self.window.label}"

    def units(self, calls: CallBudget) -> int:
        """Return how many units of this limit the calls use."""
        return sum(count for kind, count in calls.items() if self.capability in (None, kind))


def parse_limits(text: str, carrier: str, capability: Capability | None, zone: str) -> tuple[Limit, ...]:
    """Parse limits such as `250/day@UTC,1/second`. Days are in `zone` by default. Raises ValueError with a phrase."""
    limits = tuple(_parse_limit(part.strip(), carrier, capability, zone) for part in text.split(","))
    if len({limit.window.key for limit in limits}) != len(limits):
        raise ValueError("it has the same window twice")
    return limits


def _parse_limit(text: str, carrier: str, capability: Capability | None, zone: str) -> Limit:
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError(
            f"'{text[:40]}' is not a limit; examples: 100/day, 250/day@UTC, 200/hour, 1400/10seconds"
        )
    number, count, unit = int(match["number"]), match["count"], match["unit"].lower()
    if not 1 <= number <= _LARGEST:
        raise ValueError(f"the number of calls in '{text}' must be from 1 to {_LARGEST}")
    if count and (unit != "second" or int(count) == 0):
        raise ValueError(
            f"'{text}': a number (1 or more) is allowed only before 'seconds', as in 1400/10seconds"
        )
    if match["zone"] and unit != "day":
        raise ValueError(f"'{text}': only a limit per day can have a time zone")
    if unit == "day":
        return Limit(carrier, number, Window(0, _known_zone(match["zone"] or zone)), capability)
    return Limit(carrier, number, Window(_SECONDS[unit] * int(count or 1)), capability)


def _known_zone(name: str) -> str:
    try:
        return str(ZoneInfo(name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"'{name[:40]}' is not a time zone; examples: Europe/Paris, UTC") from None


class QuotaRequest(NamedTuple):
    """A request for units of one limit. `headroom`: units that must remain for others."""

    limit: Limit
    units: int
    headroom: int = 0


class Reserved(NamedTuple):
    """Reserved units of one limit in one window."""

    limit: Limit
    start: datetime
    end: datetime


class Exhausted(NamedTuple):
    """The limit that prevented a reservation."""

    limit: Limit
    available: int  # units available now
    at_best: int  # units available if this run returned all its reserved units
    resets_at: datetime

    def fitting(self, fetches: Sequence[CallBudget]) -> list[CallBudget]:
        """Return as many of the first fetches as the available units allow."""
        fitting: list[CallBudget] = []
        remaining = self.available
        for calls in fetches:
            remaining -= self.limit.units(calls)
            if remaining < 0:
                break
            fitting.append(calls)
        return fitting


class Usage(NamedTuple):
    """How much of a limit is used in its current window."""

    limit: Limit
    calls: int  # each counts as soon as it is reserved
    resets_at: datetime

    @property
    def remaining(self) -> int:
        """The number of calls that are still allowed."""
        return max(0, self.limit.number - self.calls)

    def exhausted(self, headroom: int, unsent: int) -> Exhausted:
        """Return the exhausted limit. `headroom`: units kept for others. `unsent`: units that this run can return."""
        available = self.limit.number - headroom - self.calls
        return Exhausted(self.limit, max(0, available), max(0, available + unsent), self.resets_at)


# After this time, in the quota's zone, no calls are kept for others, because calls not used by midnight are lost.
_KEPT_UNTIL = time(16)
# The largest share of a day's calls that is kept. With more, new claims would wait for days when calls are scarce.
MOST_KEPT = 0.75


def kept_for_others(limit: Limit, urgent: CallBudget, now: datetime) -> int:
    """Return how many of a day's calls a worker leaves for the other worker's more `urgent` calls."""
    if limit.window.seconds or now >= kept_until(limit, now):
        return 0
    return min(int(limit.number * MOST_KEPT), limit.units(urgent))


def kept_until(limit: Limit, now: datetime) -> datetime:
    """Return the time today (aware UTC) after which no calls are kept for others."""
    zone = ZoneInfo(limit.window.zone)
    return datetime.combine(now.astimezone(zone).date(), _KEPT_UNTIL, zone).astimezone(UTC)

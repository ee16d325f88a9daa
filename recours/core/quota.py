"""Limits on calls to a carrier: how many in which window."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

# Windows up to this long are waited out within a run; longer ones close the carrier for the run.
SHORT = timedelta(minutes=1)

_SECONDS = {"second": 1, "minute": 60, "hour": 3600}
_LARGEST = 1_000_000_000
_FORM = re.compile(
    r"(?P<number>\d{1,10})\s*/\s*(?P<count>\d{0,6})\s*(?P<unit>second|minute|hour|day)s?(?:@(?P<zone>[\w+\-/]+))?",
    re.ASCII | re.IGNORECASE,
)


class Capability(StrEnum):
    """What a call is for; limits can be set for each."""

    TRACKING = "TRACKING"
    POD = "POD"
    TOKEN = "TOKEN"  # noqa: S105 (the name of a capability)


# The calls of one fetch, or the most that it may need.
CallBudget = dict[Capability, int]


class Window(NamedTuple):
    """A fixed window: `seconds` long, aligned to the epoch; or, if `seconds` is 0, a calendar day in `zone`."""

    seconds: int = 0
    zone: str = "UTC"

    @property
    def is_short(self) -> bool:
        return 0 < self.seconds <= SHORT.total_seconds()

    @property
    def label(self) -> str:
        """`day`, `hour`, `10 seconds`, as shown to people."""
        if self.seconds == 0:
            return "day"
        named = {seconds: unit for unit, seconds in _SECONDS.items()}
        return named.get(self.seconds, f"{self.seconds} seconds")

    @property
    def key(self) -> str:
        """What the quota store knows the window by. Another number in the same window is the same window."""
        return f"day@{self.zone}" if self.seconds == 0 else f"{self.seconds}s"

    def around(self, at: datetime) -> tuple[datetime, datetime]:
        """The start and end (aware UTC) of the window that `at` lies in. Days may have 23 or 25 hours."""
        if self.seconds:
            second = int(at.timestamp()) // self.seconds * self.seconds
            return datetime.fromtimestamp(second, UTC), datetime.fromtimestamp(second + self.seconds, UTC)
        zone = ZoneInfo(self.zone)
        start = datetime.combine(at.astimezone(zone).date(), time(), zone)
        end = start + timedelta(days=1)  # on the wall: of 23 or 25 hours, if the clocks change
        return start.astimezone(UTC), end.astimezone(UTC)


class Limit(NamedTuple):
    """At most `number` calls to `carrier` (for `capability`; None: for whatever) in one window."""

    carrier: str
    number: int
    window: Window
    capability: Capability | None = None

    @property
    def key(self) -> str:
        """What the quota store counts under."""
        return f"{self.carrier}/{self.capability or '*'}/{self.window.key}"

    def __str__(self) -> str:
        return f"{self.number} per {self.window.label}"

    def units(self, calls: CallBudget) -> int:
        """How many units of this limit the calls take."""
        return sum(count for kind, count in calls.items() if self.capability in (None, kind))


def parse_limits(text: str, carrier: str, capability: Capability | None, zone: str) -> tuple[Limit, ...]:
    """Read `250/day@UTC,1/second`. A day without a zone is one in `zone`. Raises ValueError with a sentence."""
    limits = tuple(_parse_limit(part.strip(), carrier, capability, zone) for part in text.split(","))
    if len({limit.window.key for limit in limits}) != len(limits):
        raise ValueError("it names the same window twice")
    return limits


def _parse_limit(text: str, carrier: str, capability: Capability | None, zone: str) -> Limit:
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError(
            f"'{text[:40]}' is not a limit; write for example 100/day, 250/day@UTC, 200/hour or 1400/10seconds"
        )
    number, count, unit = int(match["number"]), match["count"], match["unit"].lower()
    if not 1 <= number <= _LARGEST:
        raise ValueError(f"the number of calls in '{text}' must be from 1 to {_LARGEST}")
    if count and (unit != "second" or int(count) == 0):
        raise ValueError(f"'{text}': only seconds can be counted, as in 1400/10seconds")
    if match["zone"] and unit != "day":
        raise ValueError(f"'{text}': only a day has a time zone")
    if unit == "day":
        return Limit(carrier, number, Window(0, _known_zone(match["zone"] or zone)), capability)
    return Limit(carrier, number, Window(_SECONDS[unit] * int(count or 1)), capability)


def _known_zone(name: str) -> str:
    try:
        return str(ZoneInfo(name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"'{name[:40]}' is not a time zone; write for example Europe/Paris or UTC") from None


class QuotaRequest(NamedTuple):
    """Units of one limit. `headroom`: so many of the limit are left to others."""

    limit: Limit
    units: int
    headroom: int = 0


class Reserved(NamedTuple):
    """Units of one limit, in one of its windows."""

    limit: Limit
    start: datetime
    end: datetime


class Exhausted(NamedTuple):
    """Which limit stood in the way."""

    limit: Limit
    available: int  # units that could be had now
    at_best: int  # units that could be had if this run sent none of those that it holds
    resets_at: datetime

    def fitting(self, fetches: Sequence[CallBudget]) -> list[CallBudget]:
        """As many of the fetches as what is left allows, from the first on."""
        fitting: list[CallBudget] = []
        remaining = self.available
        for calls in fetches:
            remaining -= self.limit.units(calls)
            if remaining < 0:
                break
            fitting.append(calls)
        return fitting


class Usage(NamedTuple):
    """How far a limit is used in its present window."""

    limit: Limit
    calls: int  # a unit counts from its reservation
    resets_at: datetime

    @property
    def remaining(self) -> int:
        """Calls that can still be granted."""
        return max(0, self.limit.number - self.calls)

    def exhausted(self, headroom: int, unsent: int) -> Exhausted:
        """What there is to be had: `headroom` units are left to others, and this run holds some that it has not sent."""
        available = self.limit.number - headroom - self.calls
        return Exhausted(self.limit, max(0, available), max(0, available + unsent), self.resets_at)


# The hour, in the quota's zone, from which nothing is kept for others any more: what is left would be lost.
_KEPT_UNTIL = time(16)
# No more than that part of a day's calls: else new claims would wait for days where calls are scarce.
MOST_KEPT = 0.75


def kept_for_others(limit: Limit, urgent: CallBudget, now: datetime) -> int:
    """How many of a day's calls a worker leaves to the other one: those that its more `urgent` claims need."""
    if limit.window.seconds or now >= kept_until(limit, now):
        return 0
    return min(int(limit.number * MOST_KEPT), limit.units(urgent))


def kept_until(limit: Limit, now: datetime) -> datetime:
    """When on this day (aware UTC) nothing is kept for others any more."""
    zone = ZoneInfo(limit.window.zone)
    return datetime.combine(now.astimezone(zone).date(), _KEPT_UNTIL, zone).astimezone(UTC)

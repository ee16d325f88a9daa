"""The runs of a plan, hour by hour."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from recours.core.accounts import carrier_of
from recours.operations.plan import Plan

_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Hour:
    """`due`: what is still due at its end, by carrier's key."""

    begins: datetime  # in the zone of people
    tries: int
    calls: int
    due: Mapping[str, int]


def by_hour(plan: Plan, zone: ZoneInfo) -> list[Hour]:
    """The hours of the clock from the plan's beginning to its end."""
    first = plan.made_at.astimezone(zone).replace(minute=0, second=0, microsecond=0)
    due = Counter({carrier.key: carrier.due for carrier in plan.carriers})
    hours, place = [], 0
    for number in range(math.ceil((plan.until - first) / _HOUR)):
        # Counted from the first one in absolute time: where clocks are set, an hour is there twice, or not at all.
        begins = (first.astimezone(UTC) + number * _HOUR).astimezone(zone)
        tries = calls = 0
        while place < len(plan.runs) and plan.runs[place].at < begins + _HOUR:
            run = plan.runs[place]
            tries, calls = tries + len(run.tries), calls + sum(one.calls for one in run.tries)
            due = Counter(run.due)
            place += 1
        hours.append(Hour(begins, tries, calls, _by_carrier(due)))
    return hours


def _by_carrier(due: Mapping[str, int]) -> dict[str, int]:
    """Counts by account, put together by carrier."""
    found: Counter[str] = Counter()
    for key, count in due.items():
        found[carrier_of(key)] += count
    return {key: count for key, count in found.items() if count}

"""The forecast: what the runs of the next two days do, hour by hour, and the deadlines that are missed all the same."""

import threading
import time
from collections.abc import Callable, Hashable
from datetime import timedelta
from typing import Generic, TypeVar
from urllib.parse import urlencode

from starlette.responses import Response

from recours.core.text import clean
from recours.dashboard import charts
from recours.dashboard.fixes import fixes_of
from recours.dashboard.texts import PageTexts
from recours.dashboard.visit import Visit
from recours.operations.forecast.hours import Hour, by_hour
from recours.operations.plan import CarrierPlan, Late, Plan
from recours.operations.problem_texts import VerdictSentences
from recours.operations.problems import ProblemKind, problems
from recours.wiring.plan import plan_for

HOURS = 48
_MOST_KEPT = 20
_Value = TypeVar("_Value")
_KEPT_S = 60
_MOST_LATE = 50


class TimedCache(Generic[_Value]):
    """What takes long to find out, kept for a while, for all visitors of this process.

    Who asks while it is being found out waits for it, and does not start it again.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._clock = seconds, clock
        self._lock = threading.Lock()
        self._found: dict[Hashable, tuple[float, _Value]] = {}

    def get(self, key: Hashable, find_out: Callable[[], _Value]) -> _Value:
        with self._lock:
            at, value = self._found.get(key, (None, None))
            if at is not None and value is not None and self._clock() - at < self._seconds:
                return value
            found = find_out()
            self._found.pop(key, None)
            self._found[key] = self._clock(), found
            while len(self._found) > _MOST_KEPT:
                del self._found[next(iter(self._found))]
            return found


# A large backlog takes its time: simulated for all visitors at once, when the first of them asks.
_plans: TimedCache[Plan] = TimedCache(_KEPT_S)


def show(visit: Visit) -> Response:
    operations, texts = visit.operations, visit.texts
    plan = _plans.get(operations.database.shown, lambda: plan_for(operations, timedelta(hours=HOURS)))
    hours = by_hour(plan, operations.settings.policy.zone)
    near, told = operations.overview(), VerdictSentences(texts.language, texts.zone)
    names = {key: spec.name for key, spec in operations.catalog.specs.items()}
    return visit.page(
        "forecast.html",
        made=texts.minute(plan.made_at),
        stopped=[texts.of("", worker) for worker in plan.stopped],
        hours=HOURS,
        due=charts.due_by_hour(hours, names, texts) if any(hour.due for hour in hours) else None,
        calls=charts.calls_by_hour(hours, texts),
        by_hour=[_hour(hour, texts) for hour in hours],
        carriers=[_carrier(carrier, plan, texts) for carrier in plan.carriers],
        late=[_late(late, plan, texts) for late in plan.late[:_MOST_LATE]],
        late_count=len(plan.late),
        near=[
            (clean(told.sentence(problem, near.at), 1000), fix)
            for problem in problems(near)
            if problem.kind in (ProblemKind.DEADLINES, ProblemKind.EVIDENCE)
            for fix in fixes_of(problem)
        ],
        late_more=max(len(plan.late) - _MOST_LATE, 0),
    )


def _hour(hour: Hour, texts: PageTexts) -> list[str]:
    counts = (hour.tries, hour.calls, sum(hour.due.values()))
    return [texts.hour(hour.begins), *(texts.number(count) for count in counts)]


def _carrier(carrier: CarrierPlan, plan: Plan, texts: PageTexts) -> dict[str, str]:
    if carrier.empty_at:
        ends = texts.short_minute(carrier.empty_at, plan.made_at)
    elif not carrier.left:
        ends = texts("nothing_due")
    else:
        ends = texts("not_in_time", hours=HOURS)
        if carrier.days_left is not None:
            ends += f"; {texts('days_left', count=texts.number(carrier.days_left, 1))}"
    closing = carrier.closing and texts.closing(carrier.closing, carrier.name)
    return {
        "name": clean(carrier.name, 80) if carrier.key else texts("no_carrier"),
        "due": texts.number(carrier.due),
        "tries": texts.number(carrier.tries),
        "calls": texts.number(carrier.calls),
        "left": texts.number(carrier.left),
        "ends": ends,
        "closed": clean(closing, 200) if closing else "",
    }


def _late(late: Late, plan: Plan, texts: PageTexts) -> dict[str, str]:
    what = "late_evidence" if late.is_evidence else "late_deadline"
    if late.next_at is None:
        next_at = texts("late_never")
    else:
        at = texts.short_minute(late.next_at, plan.made_at)
        next_at = texts("late_about", at=at) if late.estimated else at
    # A deadline is a day, which ends at midnight.
    ends = late.deadline - timedelta(seconds=0 if late.is_evidence else 1)
    return {
        "reference": clean(late.reference, 100),
        "link": f"/claim?{urlencode({'reference': late.reference})}",
        "carrier": plan.names.get(late.carrier) or texts("no_carrier"),
        "what": texts(what, at=texts.day(ends)),
        "why": texts(f"late_{late.reason}"),
        "next": next_at,
    }

"""The forecast: what the runs of the next days do, day by day, and the deadlines that are missed all the same."""

import threading
import time
from collections.abc import Callable, Hashable
from datetime import date, timedelta
from math import ceil
from typing import Generic, TypeVar
from urllib.parse import urlencode

from starlette.responses import Response

from recours.core.text import clean
from recours.dashboard import charts
from recours.dashboard.fixes import fixes_of
from recours.dashboard.texts import PageTexts
from recours.dashboard.visit import Visit
from recours.operations.plan import CarrierPlan, Day, LateClaim, Plan
from recours.operations.problem_texts import VerdictSentences
from recours.operations.problems import ProblemKind, problems
from recours.wiring.plan import plan_for

DAYS = 7
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


# A large backlog takes its time: estimated for all visitors at once, when the first of them asks.
_plans: TimedCache[Plan] = TimedCache(_KEPT_S)


def show(visit: Visit) -> Response:
    operations, texts = visit.operations, visit.texts
    plan = _plans.get(operations.database.shown, lambda: plan_for(operations, timedelta(days=DAYS)))
    near = operations.overview()
    sentences = VerdictSentences(texts.language, texts.zone)
    names = {key: spec.name for key, spec in operations.catalog.specs.items()}
    return visit.page(
        "forecast.html",
        made=texts.minute(plan.made_at),
        stopped=[texts.of("", worker) for worker in plan.stopped],
        days=DAYS,
        due=charts.due_by_day(plan.days, names, texts) if any(day.due for day in plan.days) else None,
        calls=charts.calls_by_day(plan.days, texts),
        by_day=[_day(day, texts) for day in plan.days],
        carriers=[_carrier(carrier, plan, texts) for carrier in plan.carriers],
        late=[_late(late, plan, texts) for late in plan.late[:_MOST_LATE]],
        late_count=len(plan.late),
        near=[
            (clean(sentences.sentence(problem, near.at), 1000), fix)
            for problem in problems(near)
            if problem.kind in (ProblemKind.DEADLINES, ProblemKind.EVIDENCE)
            for fix in fixes_of(problem)
        ],
        late_more=max(len(plan.late) - _MOST_LATE, 0),
    )


def _day(day: Day, texts: PageTexts) -> list[str]:
    counts = (day.attempts.total(), day.calls.total(), sum(day.due.values()))
    return [texts.weekday(day.on), *(texts.number(count) for count in counts)]


def _carrier(carrier: CarrierPlan, plan: Plan, texts: PageTexts) -> dict[str, str]:
    if carrier.empty_on:
        ends = _not_before(carrier.empty_on, texts)
    elif not carrier.left:
        ends = texts("nothing_due")
    elif carrier.days_left is None:
        ends = texts("no_end")
    else:
        ends = texts.counted("days_left", ceil(carrier.days_left))
    name = plan.name(carrier.key)
    closing = carrier.account.closing
    return {
        "name": clean(name, 80) if carrier.key else texts("no_carrier"),
        "due": texts.number(carrier.due),
        "tries": texts.number(carrier.attempts),
        "calls": texts.number(carrier.calls),
        "left": texts.number(carrier.left),
        "ends": ends,
        "closed": clean(texts.closing(closing, name), 200) if closing else "",
    }


def _late(late: LateClaim, plan: Plan, texts: PageTexts) -> dict[str, str]:
    what = "late_evidence" if late.evidence else "late_deadline"
    return {
        "reference": clean(late.claim, 100),
        "link": f"/claim?{urlencode({'reference': late.claim})}",
        "carrier": plan.name(late.carrier) if late.carrier else texts("no_carrier"),
        "what": texts(what, at=texts.day(late.deadline)),
        "why": texts(f"late_{late.reason}"),
        "next": _not_before(late.not_before, texts) if late.not_before else texts("late_never"),
    }


def _not_before(day: date, texts: PageTexts) -> str:
    return texts("not_before", day=texts.weekday(day))

"""The forecast: what the runs of the next days do, day by day, and the deadlines that are missed all the same."""

import threading
import time
from collections.abc import Callable, Hashable
from datetime import timedelta
from typing import Generic, TypeVar

from starlette.responses import Response

from recours.core.text import clean
from recours.dashboard import charts, plan_rows
from recours.dashboard.texts import PageTexts
from recours.dashboard.visit import Visit
from recours.operations.plan import Plan
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
    names = {key: spec.name for key, spec in operations.catalog.specs.items()}
    return visit.page(
        "forecast.html",
        made=texts.minute(plan.made_at),
        stopped=[texts.of("", worker) for worker in plan.stopped],
        days=DAYS,
        due=charts.due_by_day(plan.days, names, texts) if any(day.due for day in plan.days) else None,
        day_heads=plan_rows.DAYS,
        by_day=[plan_rows.day_row(day, texts) for day in plan.days],
        carrier_heads=plan_rows.CARRIERS,
        carriers=[
            (plan_rows.carrier_row(carrier, plan, texts), _closed(carrier.key, plan, texts))
            for carrier in plan.carriers
        ],
        late_heads=plan_rows.LATE,
        late=[(late.claim, plan_rows.late_row(late, plan, texts)) for late in plan.late[:_MOST_LATE]],
        late_count=len(plan.late),
        late_more=max(len(plan.late) - _MOST_LATE, 0),
    )


def _closed(key: str, plan: Plan, texts: PageTexts) -> str:
    account = plan.accounts[key]
    return clean(texts.closing(account.closing, account.name), 200) if account.closing else ""

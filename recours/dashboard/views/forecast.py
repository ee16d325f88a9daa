"""The forecast: what the runs of the next days do, day by day, and the deadlines that are missed all the same."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta

from starlette.responses import Response

from recours.core.text import clean
from recours.dashboard import plan_rows
from recours.dashboard.fixes import claims_of
from recours.dashboard.texts import PageTexts
from recours.dashboard.visit import Visit
from recours.operations.plan import Plan
from recours.operations.problem_texts import VerdictSentences
from recours.operations.problems import OF_LATE_CLAIMS, ProblemKind
from recours.wiring.plan import plan_for

DAYS = 7
_KEPT_S = 60


class LatestPlan:
    """The plan of a database, kept for a while: a large backlog takes its time.

    It is for all visitors of this process. Who asks while it is being made waits for it.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._latest: tuple[str, float, Plan] | None = None

    def get(self, database: str, make: Callable[[], Plan]) -> Plan:
        with self._lock:
            if self._latest:
                key, at, plan = self._latest
                if key == database and self._clock() - at < _KEPT_S:
                    return plan
            plan = make()
            self._latest = (database, self._clock(), plan)
            return plan


_latest = LatestPlan()


def show(visit: Visit) -> Response:
    operations, texts = visit.operations, visit.texts
    plan = _latest.get(operations.database.safe_url, lambda: plan_for(operations, timedelta(days=DAYS)))
    late = operations.problems_of(*OF_LATE_CLAIMS)
    sentences = VerdictSentences(texts.language, texts.zone)
    return visit.page(
        "forecast.html",
        made=texts.minute(plan.made_at),
        stopped=[texts.of("", worker) for worker in plan.stopped],
        days=DAYS,
        day_heads=plan_rows.DAYS,
        by_day=[plan_rows.day_row(day, texts) for day in plan.days],
        carrier_heads=plan_rows.CARRIERS,
        carriers=[
            (plan_rows.carrier_row(carrier, plan, texts), _closed(carrier.key, plan, texts))
            for carrier in plan.carriers
        ],
        late=[(clean(sentences.sentence(one, visit.now), 500), claims_of(one)) for one in late],
        late_count=sum(one.count for one in late if one.kind is not ProblemKind.BACKLOG),
    )


def _closed(key: str, plan: Plan, texts: PageTexts) -> str:
    account = plan.accounts[key]
    return clean(texts.closing(account.closing, account.name), 200) if account.closing else ""

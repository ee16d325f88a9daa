"""The results: proofs and money secured week by week, and what each proof costs in calls."""

from starlette.responses import Response

from recours.core.text import clean
from recours.dashboard import charts
from recours.dashboard.texts import PageTexts
from recours.dashboard.timed_cache import TimedCache
from recours.dashboard.visit import Visit
from recours.operations.returns import CallReturn
from recours.operations.secured import Results, SecuredProofs, WeekResult

WEEKS, DAYS = 12, 30
_KEPT_S = 60
_of_weeks: TimedCache[Results] = TimedCache(_KEPT_S)
_of_calls: TimedCache[list[CallReturn]] = TimedCache(_KEPT_S)


def show(visit: Visit) -> Response:
    operations, texts = visit.operations, visit.texts
    database, today = operations.database.shown, texts.local(visit.now).date()
    results = _of_weeks.get((database, today), lambda: operations.results(WEEKS))
    weeks = results.weeks
    returns = _of_calls.get((database, today), lambda: list(operations.overview_with_returns(DAYS).returns))
    return visit.page(
        "results.html",
        weeks=[_week(result, texts) for result in reversed(weeks)],
        total=_shown(results.proofs, texts),
        rate=texts.percent(results.rate.percent),
        proofs=charts.proofs_by_week(weeks, texts) if any(week.proofs.count for week in weeks) else None,
        outcomes=charts.attempts_by_week(weeks, texts),
        returns=[_return(found, visit) for found in returns],
        days=DAYS,
        count=WEEKS,
    )


def _week(result: WeekResult, texts: PageTexts) -> dict[str, str]:
    proofs, money = _shown(result.proofs, texts)
    return {
        "week": texts.day(result.week.monday),
        "proofs": proofs,
        "money": money,
        "rate": texts.percent(result.rate.percent),
    }


def _shown(proofs: SecuredProofs, texts: PageTexts) -> tuple[str, str]:
    return texts.number(proofs.count), texts.sums(proofs.amounts) or "–"


def _return(found: CallReturn, visit: Visit) -> dict[str, str]:
    texts = visit.texts
    return {
        "carrier": visit.operations.catalog.name_of(found.carrier, clean(found.carrier, 60)),
        "calls": texts.number(found.calls),
        "proofs": texts.number(found.proofs),
        "each": texts.number(found.calls_per_proof),
        "in_vain": texts.number(found.in_vain),
        "secured": texts.sums(found.secured) or "–",
    }

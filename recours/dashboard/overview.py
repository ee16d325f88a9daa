"""The overview: how the system does, at a glance."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import streamlit as st

from recours.core.claim import Stage
from recours.dashboard import figures
from recours.dashboard.showing import plainly, when
from recours.dashboard.texts import PageTexts
from recours.logs import local
from recours.operations.plan import Plan
from recours.operations.position import Closing, closing_of
from recours.operations.problem_texts import VerdictWords
from recours.operations.problems import verdict
from recours.operations.records import COUNTED_UP_TO, Run
from recours.operations.status import Health, Overview, WorkerStatus
from recours.wiring.operations import Operations, plan_for

_FRESH_S = 15
_PERIODS = (7, 30)
_SIGNS = {
    Health.FINE: "🟢",
    Health.RUNNING: "🔵",
    Health.FAILED: "🔴",
    Health.OVERDUE: "🔴",
    Health.NEVER_RAN: "⚪",
}
_RUNS = 20
_AHEAD_H = 48
_LONGEST = 1000


@st.cache_data(ttl=_FRESH_S, max_entries=20, show_spinner=False)
def _read(_operations: Operations, database: str, days: int) -> tuple[Overview, list[Run]]:
    """For all visitors; `database` and `days` tell one reading from another."""
    del database
    return _operations.overview(days), _operations.records.runs(most=_RUNS)


def show(operations: Operations, words: PageTexts) -> None:
    """Draw it: the cards first, since they are what a glance is for."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        days = st.segmented_control(
            "days",
            _PERIODS,
            default=_PERIODS[0],
            required=True,
            key="days",
            persist_state="session",
            format_func=lambda count: words("last_days", count=count),
            label_visibility="collapsed",
        )
        if st.button(words("refresh"), icon=":material/refresh:", key="refresh"):
            _read.clear()
    seen, runs = _read(operations, operations.database.shown, days)
    st.caption(words("as_of", at=when(seen.at)))
    _verdict(seen, words)
    if left := seen.left_alone.claims:
        st.info(words.counted("left_alone", left))
    _cards(seen, words)
    _closed(seen, words)
    _charts(operations, seen, words)
    _forecast(operations, words)
    st.subheader(words("runs"), divider="gray", anchor=False)
    _runs(runs, words)


def _cards(seen: Overview, words: PageTexts) -> None:
    counts = {
        stage: sum(backlog.stages.get(stage, 0) for backlog in seen.backlogs)
        for stage in (Stage.WAITING, Stage.SETTLED, Stage.GIVEN_UP)
    }
    oldest = min((b.oldest for b in seen.backlogs if b.oldest), default=None)
    cards = (
        (words("success_rate"), words.percent(seen.success.all.percent)),
        (words("fetched"), words.number(seen.success.all.success)),
        (words("due"), _count(seen.due, words)),
        (words("waiting"), _count(counts[Stage.WAITING] + counts[Stage.SETTLED], words)),
        (words("given_up"), _count(counts[Stage.GIVEN_UP], words)),
        (words("oldest"), words.age(seen.at - oldest) if oldest else "–"),
        (words("mails_waiting"), words.number(sum(seen.mails.values()))),
    )
    with st.container(horizontal=True, key="cards"):
        for label, value in cards:
            st.metric(label, value, border=True, width=146)
    with st.container(horizontal=True, key="workers"):
        for worker in seen.workers:
            _worker(worker, words)


def _count(number: int, words: PageTexts) -> str:
    return f"{words.number(number)}{'+' if number >= COUNTED_UP_TO else ''}"


def _worker(worker: WorkerStatus, words: PageTexts) -> None:
    with st.container(border=True, width=335):
        health = words("failed_run" if worker.health is Health.FAILED else worker.health)
        name = words.of("", worker.worker)
        st.markdown(f"{_SIGNS[worker.health]} **{name}** – {health}")
        if worker.last:
            st.caption(words("last_run", at=when(worker.last.started_at)))
        if worker.unended:
            st.caption(words.counted("unended", len(worker.unended)))


def _verdict(seen: Overview, words: PageTexts) -> None:
    """Whether all is well; else each thing that needs a person, and what they can do."""
    found, told = verdict(seen), VerdictWords(words.language, local)
    if found.is_well:
        st.success(plainly(told.verdict(found), _LONGEST))
        return
    st.error(plainly(told.verdict(found), _LONGEST))
    for problem in found.problems:
        st.warning(plainly(told.sentence(problem, found.at), _LONGEST))
        st.caption(f"→ {plainly(told.remedy(problem, found.at), _LONGEST)}")


def _closed(seen: Overview, words: PageTexts) -> None:
    """Carriers that take no call for now, which passes by itself."""
    for carrier in seen.carriers:
        refusal = carrier.refusal
        if carrier.configured and refusal and closing_of(refusal) is Closing.LIMIT:
            reason = plainly(words.closing(refusal, carrier.name))
            st.info(words("carrier_closed_until", reason=reason, until=when(refusal.until)))


def _charts(operations: Operations, seen: Overview, words: PageTexts) -> None:
    names = {key: spec.name for key, spec in operations.catalog.specs.items()}
    success = seen.success
    tried = any(rate.success + rate.failed + rate.left for rate in success.by_day.values())
    charts: tuple[tuple[str, bool, str, Callable[[], Any]], ...] = (
        ("by_day", tried, "no_attempts", lambda: figures.by_day(success.by_day, words)),
        ("by_carrier", tried, "no_attempts", lambda: figures.by_carrier(success.by_carrier, names, words)),
        ("by_turn", tried, "no_attempts", lambda: figures.by_retry(success.by_retry, words)),
        ("by_kind", bool(success.errors), "no_attempts", lambda: figures.by_kind(success.errors, words)),
        (
            "quotas",
            figures.has_gauges(seen.carriers),
            "no_quotas",
            lambda: figures.quotas(seen.carriers, words),
        ),
        ("backlog", bool(seen.backlogs), "no_backlog", lambda: figures.backlog(seen.backlogs, names, words)),
    )
    left, right = st.columns(2, gap="medium")
    for n, (key, there, nothing, draw) in enumerate(charts):
        with left if n % 2 == 0 else right, st.container(border=True):
            st.markdown(f"**{words(key)}**")
            if there:
                st.plotly_chart(draw(), config=figures.CONFIG, key=f"chart-{key}")
            else:
                st.caption(words(nothing))


@st.cache_data(ttl=60, max_entries=5, show_spinner=False)
def _plan(_operations: Operations, database: str) -> Plan:
    del database
    return plan_for(_operations, timedelta(hours=_AHEAD_H), most_listed=0)


def _forecast(operations: Operations, words: PageTexts) -> None:
    """The next two days on paper: worked out when somebody asks, since a large backlog takes its time."""
    with st.container(border=True):
        st.markdown(f"**{words('forecast', hours=_AHEAD_H)}**")
        if not st.toggle(words("forecast_show"), key="forecast"):
            return
        with st.spinner(words("forecast_wait")):
            plan = _plan(operations, operations.database.shown)
        st.caption(words("forecast_means"))
        for worker in plan.stopped:
            st.caption(words("forecast_stopped", worker=worker))
        if any(any(run.due.values()) for run in plan.runs):
            st.plotly_chart(figures.forecast(plan, words), config=figures.CONFIG, key="chart-forecast")
        else:
            st.caption(words("no_backlog"))
        if late := len(plan.late) + plan.late_cut:
            st.warning(words.counted("forecast_late", late))


def _runs(runs: list[Run], words: PageTexts) -> None:
    if not runs:
        st.caption(words("no_runs"))
        return
    rows = [
        {
            words("run_worker"): words.of("", run.worker),
            words("run_started"): when(run.started_at),
            words("run_duration"): _figure(run.stats, "duration_s"),
            words("run_total"): _figure(run.stats, "total"),
            words("run_success"): _figure(run.stats, "success"),
            words("run_failed"): _figure(run.stats, "failed"),
            words("run_status"): _ended(run, words),
        }
        for run in runs
    ]
    st.dataframe(rows, hide_index=True, key="runs", alt=words("runs"))


def _figure(stats: Mapping[str, object], key: str) -> float | None:
    value = stats.get(key)
    return value if isinstance(value, int | float) else None


def _ended(run: Run, words: PageTexts) -> str:
    if run.ended_at is None or run.exit_status is None:
        return words("run_open")
    if run.exit_status == 0:
        return words("run_done")
    stopped = run.exit_status > 128  # noqa: PLR2004 (a signal)
    return words("run_stopped" if stopped else "run_failed_status", status=run.exit_status)

"""The overview: how the system does, at a glance, and in charts."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from recours.core.claim import Stage
from recours.core.quota import Usage
from recours.dashboard.texts import PageTexts
from recours.dashboard.visit import plainly, when
from recours.logs import local
from recours.operations.labels import without_last_attempt
from recours.operations.plan import Plan
from recours.operations.position import Closing, closing_of
from recours.operations.problem_texts import VerdictSentences
from recours.operations.problems import verdict
from recours.operations.records import COUNTED_UP_TO, Backlog, Run
from recours.operations.status import CarrierNow, Health, Overview, Rate, WorkerStatus
from recours.runs.summary import worth_showing
from recours.wiring.operations import Operations
from recours.wiring.plan import plan_for

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

# Told apart by people who see no red and green, too, and readable on light and dark grounds.
_GOOD, _BAD, _LEFT = "#2a9d8f", "#d1495b", "#8d99ae"
_STAGES = {
    Stage.READY: "#d1495b",
    Stage.NEW: "#edae49",
    Stage.WAITING: "#3d7ea6",
    Stage.SETTLED: "#8e6c8a",
    Stage.UNNUMBERED: "#8d99ae",
    Stage.GIVEN_UP: "#5c6773",
}
_CONFIG = {"displayModeBar": False, "scrollZoom": False}
_ROW = 34  # pixels
_LONGEST_NAME = 28
_FEW = 5
_CARRIERS = ("#3d7ea6", "#d1495b", "#edae49", "#2a9d8f", "#8e6c8a", "#e07a5f", "#5c6773", "#81b29a", "#8d99ae",
             "#b56576")  # fmt: skip


@st.cache_data(ttl=_FRESH_S, max_entries=20, show_spinner=False)
def _read(_operations: Operations, database: str, days: int) -> tuple[Overview, list[Run]]:
    """For all visitors; `database` and `days` tell one reading from another."""
    del database
    return _operations.overview(days), _operations.records.runs(most=_RUNS)


def show(operations: Operations, texts: PageTexts) -> None:
    """Draw it: the cards first, since they are what a glance is for."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        days = st.segmented_control(
            "days",
            _PERIODS,
            default=_PERIODS[0],
            required=True,
            key="days",
            persist_state="session",
            format_func=lambda count: texts("last_days", count=count),
            label_visibility="collapsed",
        )
        if st.button(texts("refresh"), icon=":material/refresh:", key="refresh"):
            _read.clear()
    seen, runs = _read(operations, operations.database.shown, days)
    st.caption(texts("as_of", at=when(seen.at)))
    _show_verdict(seen, texts)
    for carrier in seen.carriers:
        refusal = carrier.refusal
        if carrier.configured and refusal and closing_of(refusal) is Closing.LIMIT:  # passes by itself
            reason = plainly(texts.closing(refusal, carrier.name))
            st.info(texts("carrier_closed_until", reason=reason, until=when(refusal.until)))
    if left := seen.left_alone.claims:
        st.info(texts.counted("left_alone", left))
    without = seen.troubles.without_last_attempt
    if hint := without_last_attempt(texts.language, without.claims, is_more=without.is_more):
        st.info(plainly(hint))
    _cards(seen, texts)
    _charts(operations, seen, texts)
    _forecast(operations, texts)
    st.subheader(texts("runs"), divider="gray", anchor=False)
    _runs(runs, texts)


def _cards(seen: Overview, texts: PageTexts) -> None:
    counts = {
        stage: sum(backlog.stages.get(stage, 0) for backlog in seen.backlogs)
        for stage in (Stage.WAITING, Stage.SETTLED, Stage.GIVEN_UP)
    }
    oldest = min((b.oldest for b in seen.backlogs if b.oldest), default=None)
    cards = (
        (texts("success_rate"), texts.percent(seen.success.all.percent)),
        (texts("fetched"), texts.number(seen.success.all.success)),
        (texts("due"), _count(seen.due, texts)),
        (texts("waiting"), _count(counts[Stage.WAITING] + counts[Stage.SETTLED], texts)),
        (texts("given_up"), _count(counts[Stage.GIVEN_UP], texts)),
        (texts("oldest"), texts.age(seen.at - oldest) if oldest else "–"),
        (texts("mails_waiting"), texts.number(sum(seen.mails.values()))),
    )
    with st.container(horizontal=True, key="cards"):
        for label, value in cards:
            st.metric(label, value, border=True, width=146)
    with st.container(horizontal=True, key="workers"):
        for worker in seen.workers:
            _worker(worker, texts)


def _count(number: int, texts: PageTexts) -> str:
    return f"{texts.number(number)}{'+' if number >= COUNTED_UP_TO else ''}"


def _worker(worker: WorkerStatus, texts: PageTexts) -> None:
    with st.container(border=True, width=335):
        health = texts("failed_run" if worker.health is Health.FAILED else worker.health)
        name = texts.of("", worker.worker)
        st.markdown(f"{_SIGNS[worker.health]} **{name}** – {health}")
        if worker.last:
            st.caption(texts("last_run", at=when(worker.last.started_at)))
        if worker.unended:
            st.caption(texts.counted("unended", len(worker.unended)))


def _show_verdict(seen: Overview, texts: PageTexts) -> None:
    """Whether all is well; else each thing that needs a person, and what they can do."""
    found, told = verdict(seen), VerdictSentences(texts.language, local)
    if found.is_well:
        st.success(plainly(told.verdict(found), _LONGEST))
        return
    st.error(plainly(told.verdict(found), _LONGEST))
    for problem in found.problems:
        st.warning(plainly(told.sentence(problem, found.at), _LONGEST))
        st.caption(f"→ {plainly(told.remedy(problem, found.at), _LONGEST)}")


def _charts(operations: Operations, seen: Overview, texts: PageTexts) -> None:
    names = {key: spec.name for key, spec in operations.catalog.specs.items()}
    success = seen.success
    tried = any(rate.success + rate.failed + rate.left for rate in success.by_day.values())
    charts: tuple[tuple[str, bool, str, Callable[[], Any]], ...] = (
        ("by_day", tried, "no_attempts", lambda: by_day(success.by_day, texts)),
        ("by_carrier", tried, "no_attempts", lambda: by_carrier(success.by_carrier, names, texts)),
        ("by_retry", tried, "no_attempts", lambda: by_retry(success.by_retry, texts)),
        ("by_kind", bool(success.errors), "no_attempts", lambda: by_kind(success.errors, texts)),
        (
            "quotas",
            has_gauges(seen.carriers),
            "no_quotas",
            lambda: quota_chart(seen.carriers, texts),
        ),
        ("backlog", bool(seen.backlogs), "no_backlog", lambda: backlog_chart(seen.backlogs, names, texts)),
    )
    left, right = st.columns(2, gap="medium")
    for n, (key, there, nothing, draw) in enumerate(charts):
        with left if n % 2 == 0 else right, st.container(border=True):
            st.markdown(f"**{texts(key)}**")
            if there:
                st.plotly_chart(draw(), config=_CONFIG, key=f"chart-{key}")
            else:
                st.caption(texts(nothing))


@st.cache_data(ttl=60, max_entries=5, show_spinner=False)
def _plan(_operations: Operations, database: str) -> Plan:
    del database
    return plan_for(_operations, timedelta(hours=_AHEAD_H), most_listed=0)


def _forecast(operations: Operations, texts: PageTexts) -> None:
    """The next two days: simulated when somebody asks, since a large backlog takes its time."""
    with st.container(border=True):
        st.markdown(f"**{texts('forecast', hours=_AHEAD_H)}**")
        if not st.toggle(texts("forecast_show"), key="forecast"):
            return
        with st.spinner(texts("forecast_wait")):
            plan = _plan(operations, operations.database.shown)
        st.caption(texts("forecast_means"))
        for worker in plan.stopped:
            st.caption(texts("forecast_stopped", worker=worker))
        if any(any(run.due.values()) for run in plan.runs):
            st.plotly_chart(forecast_chart(plan, texts), config=_CONFIG, key="chart-forecast")
        else:
            st.caption(texts("no_backlog"))
        if late := len(plan.late) + plan.late_cut:
            st.warning(texts.counted("forecast_late", late))


def _runs(runs: list[Run], texts: PageTexts) -> None:
    if not runs:
        st.caption(texts("no_runs"))
        return
    rows = [
        {
            texts("run_worker"): texts.of("", run.worker),
            texts("run_started"): when(run.started_at),
            texts("run_duration"): _figure(run.stats, "duration_s"),
            texts("run_total"): _figure(run.stats, "total"),
            texts("run_success"): _figure(run.stats, "success"),
            texts("run_failed"): _figure(run.stats, "failed"),
            texts("run_status"): _ended(run, texts),
        }
        for run in runs
    ]
    st.dataframe(rows, hide_index=True, key="runs", alt=texts("runs"))


def _figure(stats: Mapping[str, object], key: str) -> float | None:
    value = stats.get(key)
    return value if isinstance(value, int | float) else None


def _ended(run: Run, texts: PageTexts) -> str:
    if run.ended_at is None or run.exit_status is None:
        return texts("run_open")
    if run.exit_status == 0:
        return texts("run_done")
    stopped = run.exit_status > 128  # noqa: PLR2004 (a signal)
    return texts("run_stopped" if stopped else "run_failed_status", status=run.exit_status)


# ---------------------------------------------------------------- its charts: pure functions from figures to drawings


def by_day(rates: Mapping[date, Rate], texts: PageTexts) -> go.Figure:
    names = [f"{day:%d/%m}" if texts.language == "fr" else f"{day:%b} {day.day}" for day in rates]
    return _outcomes(names, list(rates.values()), texts, across=False)


def by_carrier(rates: Mapping[str, Rate], names: Mapping[str, str], texts: PageTexts) -> go.Figure:
    """Attempts at each carrier, by how they ended; the busiest first."""
    busiest = sorted(rates, key=lambda key: -(rates[key].success + rates[key].failed + rates[key].left))
    shown = [names.get(key, key) or texts("no_carrier") for key in busiest]
    return _outcomes(shown, [rates[key] for key in busiest], texts, across=True)


def by_retry(rates: Mapping[int, Rate], texts: PageTexts) -> go.Figure:
    names = [str(retry) if retry else texts("first_fetch") for retry in rates]
    return _outcomes(names, list(rates.values()), texts, across=False)


def _outcomes(names: Sequence[str], rates: Sequence[Rate], texts: PageTexts, *, across: bool) -> go.Figure:
    parts = (
        ("success", _GOOD, [rate.success for rate in rates]),
        ("failed", _BAD, [rate.failed for rate in rates]),
        ("left", _LEFT, [rate.left for rate in rates]),
    )
    percents = [texts.percent(rate.percent) for rate in rates]
    series = [(texts(key), color, counts) for key, color, counts in parts if any(counts)]
    return _bars(names, series, across=across, hover=percents)


def by_kind(errors: Mapping[str, int], texts: PageTexts) -> go.Figure:
    """Errors by their kind, the most frequent first."""
    names = [texts.kind(kind) for kind in errors]
    return _bars(names, [(texts("failed"), _BAD, list(errors.values()))], across=True, legend=False)


def backlog_chart(backlogs: Sequence[Backlog], names: Mapping[str, str], texts: PageTexts) -> go.Figure:
    """What is not done, by carrier and stage."""
    shown = [names.get(one.carrier) or texts("no_carrier") for one in backlogs]
    series = [
        (texts.stage(stage), color, [one.stages.get(stage, 0) for one in backlogs])
        for stage, color in _STAGES.items()
        if any(one.stages.get(stage) for one in backlogs)
    ]
    return _bars(shown, series, across=True)


def forecast_chart(plan: Plan, texts: PageTexts) -> go.Figure:
    """What is still due of each carrier after each run to come."""
    figure = go.Figure()
    keys = sorted({key for run in plan.runs for key in run.due})
    for n, key in enumerate(keys):
        name = plan.names.get(key) or texts("no_carrier")
        figure.add_scatter(
            x=[local(run.at) for run in plan.runs],
            y=[run.due.get(key, 0) for run in plan.runs],
            name=_safe(name),
            mode="lines",
            line={"color": _CARRIERS[n % len(_CARRIERS)], "shape": "hv"},
            hovertemplate="%{x|%d/%m %H:%M}: %{y}<extra>" + _safe(name) + "</extra>",
        )
    _lay_out(figure, legend=True, height=280)
    return figure.update_yaxes(rangemode="tozero")


def quota_chart(carriers: Sequence[CarrierNow], texts: PageTexts) -> go.Figure:
    """How far each limit is used, in percent of it, with the figures beside it."""
    rows = [(carrier.name, use) for carrier in carriers if carrier.configured for use in _gauged(carrier)]
    used = [100 * use.used / use.limit.number for _, use in rows]
    reserved = [100 * use.reserved / use.limit.number for _, use in rows]
    free = [max(100 - u - h, 0) for u, h in zip(used, reserved, strict=True)]
    series = [
        (texts("used"), "#3d7ea6", used),
        (texts("held"), "#edae49", reserved),
        (texts("free"), "#ccd3dc", free),
    ]
    labels = [f"{texts.number(use.used)} / {texts.number(use.limit.number)}" for _, use in rows]
    names = [f"{name} {use.limit.capability.lower()}" if use.limit.capability else name for name, use in rows]
    shown = [f"{name}  {label}" for name, label in zip(names, labels, strict=True)]
    figure = _bars(shown, series, across=True, hover=labels)
    return figure.update_xaxes(range=[0, 100], ticksuffix=" %")


def _gauged(carrier: CarrierNow) -> list[Usage]:
    return [use for use in worth_showing(list(carrier.uses)) if not use.limit.window.is_short]


def has_gauges(carriers: Sequence[CarrierNow]) -> bool:
    return any(carrier.configured and _gauged(carrier) for carrier in carriers)


def _bars(
    names: Sequence[str],
    series: Sequence[tuple[str, str, Sequence[float]]],
    *,
    across: bool,
    hover: Sequence[str] | None = None,
    legend: bool = True,
) -> go.Figure:
    """Stacked bars; `across`: they lie, with long names beside them, the first on top."""
    shown = [_safe(name) for name in names]
    figure = go.Figure()
    hovered = "%{y}: %{x}" if across else "%{x}: %{y}"
    for name, color, values in series:
        x, y = (values, shown) if across else (shown, values)
        figure.add_bar(
            x=x,
            y=y,
            name=name,
            marker_color=color,
            marker_line_width=0,
            orientation="h" if across else "v",
            customdata=list(hover or [""] * len(shown)),
            hovertemplate=f"{hovered} {name}<br>%{{customdata}}<extra></extra>",
        )
    height = max(160, 70 + _ROW * len(shown)) if across else 280
    _lay_out(figure, legend=legend and len(series) > 1, height=height)
    figure.update_layout(barmode="stack", bargap=0.35 if across else max(0.35, 1 - 0.13 * len(shown)))
    figure.update_xaxes(type="linear" if across else "category")
    figure.update_yaxes(type="category" if across else "linear", autorange="reversed" if across else None)
    sums = map(sum, zip(*(values for _, _, values in series), strict=True))
    if max(sums, default=0) <= _FEW:
        (figure.update_xaxes if across else figure.update_yaxes)(dtick=1)  # there is no half claim
    return figure


def _lay_out(figure: go.Figure, *, legend: bool, height: int) -> None:
    """`height` in pixels."""
    figure.update_layout(
        dragmode=False,
        showlegend=legend,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "traceorder": "normal"},
        margin={"l": 0, "r": 8, "t": 30 if legend else 8, "b": 0},
        height=height,
    )
    figure.update_xaxes(fixedrange=True, automargin=True)
    figure.update_yaxes(fixedrange=True, automargin=True)


def _safe(name: str) -> str:
    """A name out of a database as plotly's text, in which some HTML would count."""
    cut = name if len(name) <= _LONGEST_NAME + 14 else f"{name[:_LONGEST_NAME]}…"
    return cut.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

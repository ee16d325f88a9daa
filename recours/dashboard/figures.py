"""The charts of the overview: pure functions from figures to drawings."""

from collections.abc import Mapping, Sequence
from datetime import date

import plotly.graph_objects as go

from recours.core.claim import Stage
from recours.core.quota import Usage
from recours.dashboard.texts import PageTexts
from recours.logs import local
from recours.operations.plan import Plan
from recours.operations.records import Backlog
from recours.operations.status import CarrierNow, Rate
from recours.runs.summary import worth_telling

# Told apart by people who see no red and green, too, and readable on light and dark grounds.
GOOD, BAD, PUT_OFF = "#2a9d8f", "#d1495b", "#8d99ae"
_STAGES = {
    Stage.READY: "#d1495b",
    Stage.NEW: "#edae49",
    Stage.WAITING: "#3d7ea6",
    Stage.SETTLED: "#8e6c8a",
    Stage.UNNUMBERED: "#8d99ae",
    Stage.GIVEN_UP: "#5c6773",
}
CONFIG = {"displayModeBar": False, "scrollZoom": False}
_ROW = 34  # pixels
_LONGEST_NAME = 28
_FEW = 5
_CARRIERS = (
    "#3d7ea6",
    "#d1495b",
    "#edae49",
    "#2a9d8f",
    "#8e6c8a",
    "#e07a5f",
    "#5c6773",
    "#81b29a",
    "#8d99ae",
    "#b56576",
)


def by_day(rates: Mapping[date, Rate], words: PageTexts) -> go.Figure:
    """Attempts of each day, by how they ended."""
    names = [f"{day:%d/%m}" if words.language == "fr" else f"{day:%b} {day.day}" for day in rates]
    return _outcomes(names, list(rates.values()), words, across=False)


def by_carrier(rates: Mapping[str, Rate], names: Mapping[str, str], words: PageTexts) -> go.Figure:
    """Attempts at each carrier, by how they ended; the busiest first."""
    busiest = sorted(rates, key=lambda key: -(rates[key].success + rates[key].failed + rates[key].left))
    shown = [names.get(key, key) or words("no_carrier") for key in busiest]
    return _outcomes(shown, [rates[key] for key in busiest], words, across=True)


def by_retry(rates: Mapping[int, Rate], words: PageTexts) -> go.Figure:
    """Attempts by their number."""
    names = [str(retry) if retry else words("first_fetch") for retry in rates]
    return _outcomes(names, list(rates.values()), words, across=False)


def _outcomes(names: Sequence[str], rates: Sequence[Rate], words: PageTexts, *, across: bool) -> go.Figure:
    parts = (
        ("success", GOOD, [rate.success for rate in rates]),
        ("failed", BAD, [rate.failed for rate in rates]),
        ("left", PUT_OFF, [rate.left for rate in rates]),
    )
    percents = [words.percent(rate.percent) for rate in rates]
    series = [(words(key), color, counts) for key, color, counts in parts if any(counts)]
    return _bars(names, series, across=across, hover=percents)


def by_kind(errors: Mapping[str, int], words: PageTexts) -> go.Figure:
    """Errors by their kind, the most frequent first."""
    names = [words.kind(kind) for kind in errors]
    return _bars(names, [(words("failed"), BAD, list(errors.values()))], across=True, legend=False)


def backlog(backlogs: Sequence[Backlog], names: Mapping[str, str], words: PageTexts) -> go.Figure:
    """What is not done, by carrier and stage."""
    shown = [names.get(one.carrier) or words("no_carrier") for one in backlogs]
    series = [
        (words.stage(stage), color, [one.stages.get(stage, 0) for one in backlogs])
        for stage, color in _STAGES.items()
        if any(one.stages.get(stage) for one in backlogs)
    ]
    return _bars(shown, series, across=True)


def forecast(plan: Plan, words: PageTexts) -> go.Figure:
    """What is still due of each carrier after each run to come."""
    figure = go.Figure()
    keys = sorted({key for run in plan.runs for key in run.due})
    for n, key in enumerate(keys):
        name = plan.names.get(key) or words("no_carrier")
        figure.add_scatter(
            x=[local(run.at) for run in plan.runs],
            y=[run.due.get(key, 0) for run in plan.runs],
            name=_safe(name),
            mode="lines",
            line={"color": _CARRIERS[n % len(_CARRIERS)], "shape": "hv"},
            hovertemplate="%{x|%d/%m %H:%M}: %{y}<extra>" + _safe(name) + "</extra>",
        )
    figure.update_layout(
        dragmode=False,
        showlegend=True,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        margin={"l": 0, "r": 8, "t": 30, "b": 0},
        height=280,
    )
    figure.update_xaxes(fixedrange=True, automargin=True)
    return figure.update_yaxes(fixedrange=True, automargin=True, rangemode="tozero")


def quotas(carriers: Sequence[CarrierNow], words: PageTexts) -> go.Figure:
    """How far each limit is used, in percent of it, with the figures beside it."""
    rows = [(carrier.name, use) for carrier in carriers if carrier.configured for use in _gauged(carrier)]
    names = [f"{name}{_what(use)}" for name, use in rows]
    used = [100 * use.used / use.limit.number for _, use in rows]
    held = [100 * use.held / use.limit.number for _, use in rows]
    free = [max(100 - u - h, 0) for u, h in zip(used, held, strict=True)]
    series = [
        (words("used"), "#3d7ea6", used),
        (words("held"), "#edae49", held),
        (words("free"), "#ccd3dc", free),
    ]
    labels = [f"{words.number(use.used)} / {words.number(use.limit.number)}" for _, use in rows]
    figure = _bars(
        [f"{n}  {label}" for n, label in zip(names, labels, strict=True)], series, across=True, hover=labels
    )
    return figure.update_xaxes(range=[0, 100], ticksuffix=" %")


def _gauged(carrier: CarrierNow) -> list[Usage]:
    return [use for use in worth_telling(list(carrier.uses)) if not use.limit.window.is_short]


def has_gauges(carriers: Sequence[CarrierNow]) -> bool:
    """Tell whether there is a limit to show."""
    return any(carrier.configured and _gauged(carrier) for carrier in carriers)


def _what(use: Usage) -> str:
    return f" {use.limit.capability.lower()}" if use.limit.capability else ""


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
            hovertemplate="%{"
            + ("y" if across else "x")
            + "}: %{"
            + ("x" if across else "y")
            + "}"
            + f" {name}<br>%{{customdata}}<extra></extra>",
        )
    figure.update_layout(
        barmode="stack",
        dragmode=False,
        bargap=max(0.35, 1 - 0.13 * len(shown)) if not across else 0.35,
        showlegend=legend and len(series) > 1,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "traceorder": "normal"},
        margin={"l": 0, "r": 8, "t": 30 if legend else 8, "b": 0},
        height=max(160, 70 + _ROW * len(shown)) if across else 280,
    )
    figure.update_xaxes(fixedrange=True, automargin=True, type="linear" if across else "category")
    figure.update_yaxes(fixedrange=True, automargin=True, type="category" if across else "linear")
    if across:
        figure.update_yaxes(autorange="reversed")
    if (
        max((sum(values) for values in zip(*(values for _, _, values in series), strict=True)), default=0)
        <= _FEW
    ):
        (figure.update_xaxes if across else figure.update_yaxes)(dtick=1)  # there is no half claim
    return figure


def _safe(name: str) -> str:
    """A name out of a database as plotly's text, in which some HTML would count."""
    cut = name if len(name) <= _LONGEST_NAME + 14 else f"{name[:_LONGEST_NAME]}…"
    return cut.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

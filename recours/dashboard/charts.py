"""Computes charts on a plot of 100 by 100, which templates draw as SVG. All functions are pure.

Each chart also has a table of its figures, for screen readers and for exact values.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import accumulate

from recours.dashboard.texts import PageTexts
from recours.reporting.system import Rate

# Names of colors in page.css. Color-blind people can distinguish them on light and dark backgrounds.
GOOD = "good"
BAD = "bad"
LEFT = "left"
# With more columns than this, only every second or third column (and so on) is named.
_NAMED = 8
_NAMED_ON_PHONES = 4
_NAMED_OF_MANY = 6
_FEW = 16
_LEAST_COLUMNS = 6  # columns are at most as wide as with this number


@dataclass(frozen=True)
class Series:
    """A series: its name, its color, and its value in each bar."""

    name: str
    color: str
    values: Sequence[float]


# A part of a bar: its color and, in percent of the plot, its start and length.
Segment = tuple[str, float, float]


@dataclass(frozen=True)
class Bar:
    """A bar. `title`: all its values; `is_named`: its name is shown; `is_named_if_wide`: only on wide screens."""

    name: str
    segments: Sequence[Segment]
    label: str = ""
    title: str = ""
    is_named: bool = True
    is_named_if_wide: bool = False


@dataclass(frozen=True)
class Chart:
    """A chart. `legend`: names with their colors; `scale`: the labels at 100, 50 and 0 percent of the plot."""

    bars: Sequence[Bar]
    legend: Sequence[tuple[str, str]]
    scale: Sequence[str]
    heads: Sequence[str]  # the headings of its table
    rows: Sequence[Sequence[str]]

    @property
    def places(self) -> int:
        return max(len(self.bars), _LEAST_COLUMNS)


def by_day(rates: Mapping[date, Rate], texts: PageTexts) -> Chart:
    """Claims closed on each day."""
    names = [texts.short_day(day) for day in rates]
    return _closed(texts("Day"), names, list(rates.values()), texts)


def by_carrier(rates: Mapping[str, Rate], names: Mapping[str, str], texts: PageTexts) -> Chart:
    """Claims closed for each carrier, busiest carrier first."""
    busiest = sorted(rates, key=lambda key: -rates[key].closed)
    labels = [names.get(key, key) or texts("unknown carrier") for key in busiest]
    return _closed(texts("Carrier"), labels, [rates[key] for key in busiest], texts)


def by_retry(of_retries: Mapping[int, Rate], texts: PageTexts) -> Chart:
    """Attempts for each retry, by result."""
    names = [texts.number(retry) if retry else texts("first fetch") for retry in of_retries]
    rates = of_retries.values()
    series = [
        Series(texts.in_context("chart", "fetched"), GOOD, [rate.success for rate in rates]),
        Series(texts.in_context("chart", "failed"), BAD, [rate.failed for rate in rates]),
        Series(texts("deferred"), LEFT, [rate.left for rate in rates]),
    ]
    percents = [texts.percent(rate.percent_of_attempts) for rate in rates]
    label = texts("Success per attempt")
    return stacked(texts("Retry"), names, series, texts, labels=percents, label_head=label)


def _closed(head: str, names: Sequence[str], rates: Sequence[Rate], texts: PageTexts) -> Chart:
    series = [
        Series(texts.in_context("chart", "fetched"), GOOD, [rate.success for rate in rates]),
        Series(texts.in_context("chart", "given up"), BAD, [rate.given_up for rate in rates]),
    ]
    percents = [texts.percent(rate.percent) for rate in rates]
    return stacked(head, names, series, texts, labels=percents, label_head=texts("Success rate"))


def by_kind(errors: Mapping[str, int], texts: PageTexts) -> Chart:
    """Errors by kind, most frequent first."""
    failed = Series(texts.in_context("chart", "failed"), BAD, list(errors.values()))
    names = [texts.kind(kind) for kind in errors]
    labels = [texts.number(count) for count in errors.values()]
    return stacked(texts("Kind"), names, [failed], texts, labels=labels)


def stacked(
    head: str,
    names: Sequence[str],
    series: Sequence[Series],
    texts: PageTexts,
    *,
    labels: Sequence[str] = (),
    label_head: str = "",
) -> Chart:
    """A chart of stacked bars; series without values are omitted."""
    visible = [part for part in series if any(part.values)]
    sums = [sum(part.values[place] for part in visible) for place in range(len(names))]
    top = ceiling_of(max(sums, default=0))
    every = -(-len(names) // (_NAMED if len(names) <= _FEW else _NAMED_OF_MANY))
    # With few bars, the count begins at the last bar, so that it is named. With many bars, its name would not fit.
    counted = range(len(names)) if len(names) > _FEW else range(len(names) - 1, -1, -1)
    bars = [
        Bar(
            name,
            _segments((part.color, 100 * part.values[place] / top) for part in visible),
            labels[place] if labels else "",
            ", ".join(
                f"{part.name} {texts.number(part.values[place])}" for part in visible if part.values[place]
            ),
            is_named=counted[place] % every == 0,
            is_named_if_wide=len(names) > _NAMED_ON_PHONES and counted[place] % (2 * every) > 0,
        )
        for place, name in enumerate(names)
    ]
    scale = (texts.number(top), texts.number(top // 2) if top > 1 else "", texts.number(0))
    heads = [head, *(part.name for part in visible), *([label_head] if label_head else [])]
    rows = [
        [
            name,
            *(texts.number(part.values[place]) for part in visible),
            *([labels[place]] if label_head else []),
        ]
        for place, name in enumerate(names)
    ]
    legend = [(part.name, part.color) for part in visible] if len(visible) > 1 else []
    return Chart(bars, legend, scale, heads, rows)


def _segments(sizes: Iterable[tuple[str, float]]) -> list[Segment]:
    sizes = list(sizes)
    begins = [0.0, *accumulate(size for _, size in sizes)]
    parts = zip(sizes, begins, strict=False)
    return [(color, round(begin, 2), round(size, 2)) for (color, size), begin in parts if size]


def ceiling_of(highest: float) -> int:
    """The smallest of 1, 2, 4, 6, 8, 10, 20, 40 … that is not below `highest`. All except 1 can be halved."""
    unit: int = 10 ** (len(str(math.ceil(highest))) - 1)
    return next(step * unit for step in (1, 2, 4, 6, 8, 10) if step * unit >= highest)

"""Charts: numbers become shapes in an area of 100 by 100, with a legend of the visible ones and a table of all."""

from datetime import date, timedelta

import pytest

from recours.dashboard import charts
from recours.dashboard.charts import Series, ceiling_of, stacked
from recours.dashboard.texts import PageTexts
from recours.reporting.system import Rate

EN, FR = PageTexts("en"), PageTexts("fr")
NAMES = {"ups": "UPS", "gls": "GLS"}


@pytest.mark.parametrize(
    ("highest", "top"),
    [(0, 1), (1, 1), (2, 2), (3, 4), (5, 6), (7, 8), (9, 10), (10, 10), (11, 20), (61, 80), (100, 100), (101, 200)],
)  # fmt: skip
def test_the_scale_ends_at_a_round_number(highest: float, top: int) -> None:
    assert ceiling_of(highest) == top


def test_bars_are_stacked_without_empty_segments() -> None:
    series = [Series("a", "good", [1, 0, 3]), Series("b", "bad", [0, 0, 0]), Series("c", "left", [1, 0, 5])]
    chart = stacked("what", ["x", "y", "z"], series, EN)
    assert [bar.segments for bar in chart.bars] == [
        [("good", 0, 12.5), ("left", 12.5, 12.5)],
        [],
        [("good", 0, 37.5), ("left", 37.5, 62.5)],
    ]
    assert chart.legend == [("a", "good"), ("c", "left")]
    assert chart.scale == ("8", "4", "0")
    assert chart.heads == ["what", "a", "c"]
    assert chart.rows == [["x", "1", "1"], ["y", "0", "0"], ["z", "3", "5"]]
    assert [bar.title for bar in chart.bars] == ["a 1, c 1", "", "a 3, c 5"]


def test_a_chart_without_values_is_empty() -> None:
    assert stacked("what", [], [], EN).bars == []
    assert stacked("what", ["x"], [Series("a", "good", [0])], EN).scale == ("1", "", "0")


def test_only_some_of_many_columns_are_labeled() -> None:
    days = {date(2026, 1, 1) + timedelta(n): Rate(n, 1, 0) for n in range(30)}
    named = [bar.name for bar in charts.by_day(days, FR).bars if bar.is_named]
    assert named == ["01/01", "06/01", "11/01", "16/01", "21/01", "26/01"]
    weeks = stacked("week", [str(n) for n in range(12)], [Series("a", "good", [1] * 12)], EN)
    assert [bar.name for bar in weeks.bars if bar.is_named] == ["1", "3", "5", "7", "9", "11"]
    assert [bar.name for bar in weeks.bars if bar.is_named and not bar.is_named_if_wide] == ["3", "7", "11"]


def test_the_busiest_carrier_is_first() -> None:
    chart = charts.by_carrier({"gls": Rate(1), "": Rate(0, 2, 0, 2), "ups": Rate(3, 1, 1, 1)}, NAMES, EN)
    assert [(bar.name, bar.label) for bar in chart.bars] == [
        ("UPS", "75%"),
        ("unknown carrier", "0%"),
        ("GLS", "100%"),
    ]
    assert chart.rows[0] == ["UPS", "3", "1", "75%"]

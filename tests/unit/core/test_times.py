"""Times as people type them: spans in both directions, times of day, dates."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from recours.core.times import time_ahead

PARIS = ZoneInfo("Europe/Paris")
NOW = datetime(2026, 11, 30, 15, 30, tzinfo=UTC)  # 16:30 in Paris


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("18:00", "2026-11-30T17:00"),
        (" tomorrow 8:00 ", "2026-12-01T07:00"),
        ("Tomorrow  08:00", "2026-12-01T07:00"),
        ("2026-12-02 8:00", "2026-12-02T07:00"),
        ("2026-12-02T08:00", "2026-12-02T07:00"),
        ("2026-12-02T08:00+03:00", "2026-12-02T05:00"),
        ("2026-12-02", "2026-12-01T23:00"),
        ("2027-07-01 8:00", "2027-07-01T06:00"),  # summer time
        ("3h", "2026-11-30T18:30"),
        ("2 d", "2026-12-02T15:30"),
    ],
)
def test_a_future_time_is_parsed_in_the_persons_zone(text: str, meant: str) -> None:
    assert time_ahead(text, NOW, PARIS) == datetime.fromisoformat(meant).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    ["16:30", "8:00", "2026-11-30 8:00", "2026-11-30", "0h", "-3h", "25:00", "18:60", "2026-13-01 8:00", "soon", "", "999999d",
     "400d", "9999-12-31", "tomorrow", "yesterday 18:00", "٣h", "1\0h"],
)  # fmt: skip
def test_past_and_distant_and_invalid_times_are_rejected(text: str) -> None:
    assert time_ahead(text, NOW, PARIS) is None

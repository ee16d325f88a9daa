"""When due claims are tried, by the pace of their account."""

from datetime import UTC, datetime, timedelta

import pytest

from recours.carriers.registry import CATALOG
from recours.core.claim import Stage
from recours.core.quota import parse_limits
from recours.reporting.snapshot import Pace, daily_pace, overlong_backlog
from recours.reporting.system import InLine, OverlongBacklog

NOW = datetime(2026, 2, 2, 18, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("carrier", "limits", "pace"),
    [
        (
            "chronopost",
            "19/day",
            Pace(18, keeps=True),
        ),  # the last call is not enough for tracking and a document
        ("chronopost", "9/hour", Pace(8 * 24, keeps=False)),
        ("fedex", "3/hour", Pace(24, keeps=False)),  # a token, a tracking and one document
        ("fedex", "5/hour", Pace((3 + 2 + 1) * 24, keeps=False)),
        (
            "fedex",
            "1000/day",
            Pace(969 * 30 + sum(range(1, 30)), keeps=True),
        ),  # thirty parcels share a tracking call
        ("chronopost", "1/second", Pace(3599 * 24, keeps=False)),
    ],
)
def test_a_fetch_starts_only_if_calls_for_its_document_are_left(
    carrier: str, limits: str, pace: Pace
) -> None:
    assert daily_pace(parse_limits(limits, carrier, None, "UTC"), CATALOG.specs[carrier]) == pace


def in_line(number: int, hours: int, stage: Stage) -> InLine:
    return InLine(number, NOW + hours * HOUR, True, stage)


def late(*line: InLine, keeps: bool = True, opens_in: int = 0) -> list[int]:
    opens_at = NOW + opens_in * HOUR if opens_in else None
    backlog = overlong_backlog(Pace(24, keeps), 99, line, NOW, opens_at)
    return sorted(backlog.late_soon) if isinstance(backlog, OverlongBacklog) else []


def test_the_line_starts_when_the_account_reopens() -> None:
    line = [in_line(1, 2, Stage.READY), in_line(2, 4, Stage.READY)]
    assert late(*line) == []
    assert late(*line, opens_in=1) == []
    assert late(*line, opens_in=3) == [1, 2]


def test_new_claims_come_first_if_no_calls_are_reserved() -> None:
    line = [in_line(1, 2, Stage.READY), in_line(2, 30, Stage.NEW), in_line(3, 31, Stage.NEW)]
    assert late(*line) == []
    assert late(*line, keeps=False) == [1]

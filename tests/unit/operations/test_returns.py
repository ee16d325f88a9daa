"""What calls to carriers bring, and limits that are higher than what carriers take."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from recours.core.quota import Limit, parse_limits
from recours.operations.returns import HighLimit, Spent, call_returns, high_limits

MONDAY = datetime(2026, 2, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
(DAILY,) = parse_limits("100/day@Europe/Paris", "chronopost", None, "UTC")


def spent(at: datetime = MONDAY, carrier: str = "chronopost", calls: int = 2, **more: Any) -> Spent:
    usual = {"brought_proof": False, "was_too_many": False, "gave_up": False}
    return Spent(carrier, at, calls, **(usual | more))


def day_with(taken: int, refused: int, day: int, taken_afterwards: int = 0) -> list[Spent]:
    """A day on which so many calls were taken, then so many refused, then some taken again."""
    at = MONDAY + day * 24 * HOUR + 6 * HOUR
    kinds = [False] * taken + [True] * refused + [False] * taken_afterwards
    minutes = timedelta(minutes=1)
    return [spent(at + n * minutes, calls=1, was_too_many=kind) for n, kind in enumerate(kinds)]


def test_calls_proofs_and_money_are_those_of_each_carrier() -> None:
    found = call_returns(
        [
            spent(brought_proof=True, amount=100.25, currency="EUR"),
            spent(brought_proof=True, amount=50.5, currency="EUR"),
            spent(brought_proof=True, amount=10, currency="CHF"),
            spent(brought_proof=True),  # the service knows no amount
            spent(calls=1, gave_up=True, amount=999, currency="EUR"),
            spent(carrier="ups", calls=3, gave_up=True),
            spent(carrier="Pigeon", calls=0),
        ]
    )
    assert [each.as_json() for each in found] == [
        {
            "carrier": "chronopost",
            "calls": 9,
            "proofs": 4,
            "calls_per_proof": 2.2,
            "calls_in_vain": 1,
            "secured": {"CHF": 10, "EUR": 150.75},
        },
        {
            "carrier": "ups",
            "calls": 3,
            "proofs": 0,
            "calls_per_proof": None,
            "calls_in_vain": 3,
            "secured": {},
        },
    ]


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ([day_with(62, 3, 0), day_with(70, 1, 1)], [HighLimit(DAILY, 2, 62)]),
        ([day_with(62, 3, 0)], []),  # once is a bad day
        ([day_with(62, 3, 0), day_with(100, 1, 1)], []),  # the other one came when the limit was reached
        ([day_with(62, 3, 0, taken_afterwards=5), day_with(70, 1, 1, 1)], []),  # a limit of a shorter window
        ([day_with(62, 0, 0), day_with(70, 0, 1)], []),
        ([day_with(0, 3, 0), day_with(0, 3, 1)], [HighLimit(DAILY, 2, 0)]),
        ([[]], []),
    ],
    ids=["twice", "once", "at the limit", "taken again", "never", "from the first", "nothing"],
)
def test_a_limit_is_too_high_if_days_end_before_it(
    days: Sequence[list[Spent]], expected: list[HighLimit]
) -> None:
    newest_first = sorted((one for day in days for one in day), key=lambda one: one.started_at, reverse=True)
    assert high_limits(newest_first, [DAILY], MONDAY - 24 * HOUR) == expected


def test_a_day_of_which_only_the_end_is_known_says_nothing() -> None:
    known = [*day_with(62, 3, 0), *day_with(70, 1, 1)]
    assert high_limits(known, [DAILY], MONDAY + HOUR) == []
    assert high_limits([], [DAILY], MONDAY) == []


def test_other_limits_and_carriers_are_not_blamed() -> None:
    known = [*day_with(62, 3, 0), *day_with(70, 1, 1)]
    others: list[Limit] = [
        *parse_limits("1/second", "chronopost", None, "UTC"),
        *parse_limits("100/day", "ups", None, "UTC"),
    ]
    assert high_limits(known, others, MONDAY - 24 * HOUR) == []


@pytest.mark.parametrize(
    ("limit", "least", "setting"),
    [
        ("100/day@Europe/Paris", 62, "QUOTA_CHRONOPOST=62/day@Europe/Paris"),
        ("200/hour", 0, "QUOTA_CHRONOPOST=1/hour"),
        ("200/7200seconds", 9, "QUOTA_CHRONOPOST=9/7200seconds"),
    ],
)
def test_the_setting_to_write_instead_can_be_pasted(limit: str, least: int, setting: str) -> None:
    (parsed,) = parse_limits(limit, "chronopost", None, "UTC")
    assert HighLimit(parsed, 2, least).setting == setting
    (written,) = parse_limits(setting.partition("=")[2], "chronopost", None, "UTC")
    assert written.window == parsed.window

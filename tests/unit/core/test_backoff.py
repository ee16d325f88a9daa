"""The time of a claim's next retry."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from recours.core.policy import DEFAULT_WAITS, Policy, faults_of

FAILURE = datetime(2026, 2, 6, 14, 0, tzinfo=UTC)
POLICY = Policy(ZoneInfo("Europe/Paris"))


def hours(*numbers: float) -> tuple[timedelta, ...]:
    return tuple(timedelta(hours=number) for number in numbers)


def retries(policy: Policy, count: int) -> list[float]:
    """The hours after the failure at which retries are due if each is made at once."""
    moments, since = [], FAILURE
    for used in range(count):
        since = policy.next_retry(used, since)
        moments.append((since - FAILURE) / timedelta(hours=1))
    return moments


def test_the_retries_come_as_the_guide_says() -> None:
    assert retries(POLICY, 4) == [1, 7, 31, 103]


def test_retries_beyond_the_table_repeat_its_last_wait() -> None:
    assert retries(POLICY, 6) == [1, 7, 31, 103, 175, 247]


def test_the_waits_are_configurable() -> None:
    assert retries(replace(POLICY, waits=hours(0.5, 2)), 4) == [0.5, 2.5, 4.5, 6.5]


@pytest.mark.parametrize(
    ("attempt", "wait"), [(-1, 1), (0, 1), (1, 1), (2, 6), (3, 24), (4, 72), (5, 72), (20, 72)]
)
def test_the_wait_before_each_attempt(attempt: int, wait: int) -> None:
    assert POLICY.wait(attempt) == timedelta(hours=wait)


@pytest.mark.parametrize(
    ("used", "most", "after_next"),
    [(0, 1, 0), (0, 2, 6), (0, 4, 102), (1, 4, 96), (2, 4, 72), (3, 4, 0), (3, 6, 144), (9, 4, 0)],
)
def test_the_last_retry_is_due_after_all_remaining_waits(used: int, most: int, after_next: int) -> None:
    assert replace(POLICY, max_retries=most).last_retry(used, FAILURE) == FAILURE + timedelta(
        hours=after_next
    )


def test_a_retry_counts_as_due_five_minutes_early() -> None:
    assert POLICY.due_until(FAILURE) == FAILURE + timedelta(minutes=5)


def test_no_retry_is_later_than_the_longest_wait() -> None:
    assert POLICY.horizon(FAILURE) == FAILURE + timedelta(hours=72)


@pytest.mark.parametrize("waits", [DEFAULT_WAITS, hours(1), hours(1, 1, 1), hours(0.1)])
def test_valid_waits_have_no_faults(waits: tuple[timedelta, ...]) -> None:
    assert faults_of(waits) == []


NOT_POSITIVE = "every wait must be positive"
SHRINKING = "a wait must not be shorter than the one before it"
TOO_SHORT = "the first wait must be longer than 5 minutes"


@pytest.mark.parametrize(
    ("waits", "faults"),
    [
        ((), ["the list of waits is empty"]),
        (hours(1, 0), [NOT_POSITIVE, SHRINKING]),
        (hours(0, 1), [NOT_POSITIVE, TOO_SHORT]),
        (hours(-1), [NOT_POSITIVE, TOO_SHORT]),
        (hours(1, 6, 5), [SHRINKING]),
        (hours(1 / 12, 6), [TOO_SHORT]),
    ],
)
def test_each_fault_of_the_waits_is_named(waits: tuple[timedelta, ...], faults: list[str]) -> None:
    assert faults_of(waits) == faults

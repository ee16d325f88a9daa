"""Runs in the future: they go only where the clock is right now."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from recours.operations.prune import Clocks, RunDates, doubt

NOW = datetime(2026, 11, 26, 14, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
AGREEING = Clocks(NOW, NOW + timedelta(seconds=2))
FAR = NOW + 3500 * DAY
WRONG = RunDates(2, FAR, FAR + HOUR, 500, NOW - HOUR)


def doubted(found: RunDates, clocks: Clocks = AGREEING) -> str | None:
    return doubt(found, clocks, lambda moment: f"{moment:%Y-%m-%d %H:%M}")


def test_runs_far_ahead_among_many_others_were_dated_by_a_wrong_clock() -> None:
    assert doubted(WRONG) is None


@pytest.mark.parametrize("machine", [NOW - 61 * timedelta(minutes=1), NOW + 3500 * DAY])
def test_two_clocks_that_disagree_are_a_doubt(machine: datetime) -> None:
    said = doubted(WRONG, Clocks(NOW, machine))
    assert said
    assert "one of them is wrong" in said


@pytest.mark.parametrize("last", [None, NOW - 4 * HOUR])
def test_a_time_at_which_nothing_ran_is_a_doubt(last: datetime | None) -> None:
    said = doubted(replace(WRONG, last_other=last))
    assert said
    assert said.startswith("No run has begun within 3 h of 2026-11-26 14:00")


def test_a_record_that_goes_on_from_now_is_a_doubt() -> None:
    said = doubted(replace(WRONG, first_ahead=NOW + 2 * HOUR))
    assert said
    assert "dated 2026-11-26 16:00, less than a day after 2026-11-26 14:00" in said


def test_most_of_the_record_is_not_taken_for_wrong() -> None:
    said = doubted(replace(WRONG, ahead=501))
    assert said
    assert said.startswith("501 runs of 1001 would go")


def test_what_either_clock_may_yet_reach_is_not_in_the_future() -> None:
    assert Clocks(NOW, NOW + timedelta(minutes=40)).future == NOW + timedelta(minutes=100)
    assert Clocks(NOW + timedelta(minutes=40), NOW).future == NOW + timedelta(minutes=100)

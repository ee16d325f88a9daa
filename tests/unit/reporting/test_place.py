"""A claim's place in line: the earliest day of its attempt, and the sentence about it."""

from datetime import date, timedelta
from typing import Any

import pytest

from recours.core.claim import Claim, FetchStatus
from recours.core.localized import Localized
from recours.core.pauses import Blocked, Refusal
from recours.core.position import position
from recours.reporting.plan import AHEAD, day_in_line, day_in_line_text, is_in_line
from tests.fakes.planned import FETCH, HOUR, NOW, POLICY, RETRY, account, claim, planned, terms

TODAY = date(2026, 2, 2)
A_DAY = timedelta(days=1)


def turn(
    of: Claim, *others: Claim, quota: str = "9/day@UTC", refusal: Refusal | None = None, **more: Any
) -> date | None:
    where = position(of, NOW, POLICY, refusal=refusal)
    claims = planned(of, *others)
    return day_in_line(of.id, where, claims, account("chronopost", quota, refusal), terms(**more), NOW)


def of_all(number: int) -> list[Claim]:
    """Claims at their last retry; the last is the most urgent, because it failed first."""
    return [claim(n, retries_counted=3) for n in range(number)]


def test_a_quota_determines_the_earliest_day_of_an_attempt() -> None:
    # Eight a day: each needs another call for its document, if there is one.
    claims = of_all(20)
    assert turn(*claims) == TODAY + 2 * A_DAY
    assert turn(claims[-1], *claims) is None


def test_the_estimate_covers_two_weeks() -> None:
    assert turn(*of_all(200)) == TODAY + AHEAD


def test_new_claims_use_calls_too() -> None:
    new = [claim(n, fetch_status=FetchStatus.PENDING, deadline=TODAY + A_DAY) for n in range(1, 9)]
    assert turn(claim(0), *new[:7]) is None
    assert turn(claim(0), *new) == TODAY + 2 * A_DAY  # tomorrow their retries are more urgent


def test_a_wait_that_the_carrier_asked_for_is_no_place_in_line() -> None:
    refusal = Refusal(Blocked.RATE_LIMIT, "asked to wait", NOW + 20 * HOUR)
    assert turn(claim(0), refusal=refusal) is None


def test_a_stopped_worker_gives_no_estimated_day() -> None:
    last_runs = {RETRY: NOW - 9 * HOUR, FETCH: NOW - HOUR / 3}
    assert turn(*of_all(20), last_runs=last_runs) is None


# ---------------------------------------------------------------- claims in line


@pytest.mark.parametrize(
    ("refusal", "stands"),
    [
        (None, True),
        (Refusal(Blocked.RATE_LIMIT, "at its limit", NOW + HOUR), True),
        (Refusal(Blocked.CARRIER, "paused by hand"), False),
        (Refusal(Blocked.CARRIER, "rejected", NOW + HOUR), False),
    ],
)
def test_a_claim_whose_carrier_needs_a_person_is_not_in_line(refusal: Refusal | None, stands: bool) -> None:
    assert is_in_line(position(claim(1), NOW, POLICY, refusal=refusal)) == stands


@pytest.mark.parametrize(
    "changed",
    [
        {"fetch_status": FetchStatus.SUCCESS},
        {"claim_status": "paid"},
        {"retries_counted": 4},
        {"updated_at": NOW},
        {"number": None},
    ],
)
def test_a_claim_that_will_not_be_attempted_is_not_in_line(changed: dict[str, Any]) -> None:
    assert not is_in_line(position(claim(1, **changed), NOW, POLICY))


# ---------------------------------------------------------------- sentences


@pytest.mark.parametrize(
    ("day", "english", "french"),
    [
        (
            TODAY,
            "The claim may be attempted today (estimate).",
            "La réclamation sera peut-être traitée aujourd'hui (estimation).",
        ),
        (
            TODAY + A_DAY,
            "The claim will not be attempted before tomorrow (estimate).",
            "Elle ne sera pas traitée avant demain (estimation).",
        ),
        (
            date(2026, 12, 1),
            "The claim will not be attempted before Tuesday 1 December (estimate).",
            "Elle ne sera pas traitée avant le mardi 1er décembre (estimation).",
        ),
    ],
)
def test_the_estimated_day_is_described_in_both_languages(day: date, english: str, french: str) -> None:
    assert day_in_line_text(Localized("en"), day, NOW) == english
    assert day_in_line_text(Localized("fr"), day, NOW) == french

"""A claim's place in line: how many claims go before it, the day before which it is not tried, and what is said of it."""

from datetime import date, timedelta
from typing import Any

import pytest

from recours.core.claim import Claim, FetchStatus
from recours.core.localized import Localized
from recours.core.pauses import Blocked, Refusal
from recours.operations.place import AHEAD, MOST_BEFORE, Place, has_place, place_of, place_text
from recours.operations.position import position
from tests.fakes.planned import FETCH, HOUR, NOW, POLICY, RETRY, account, claim, planned, terms

TODAY = date(2026, 2, 2)
A_DAY = timedelta(days=1)


def place(
    of: Claim, *others: Claim, quota: str = "9/day@UTC", refusal: Refusal | None = None, **more: Any
) -> Place | None:
    where = position(of, NOW, POLICY, refusal=refusal)
    claims = planned(of, *others)
    return place_of(of.id, where, claims, account("chronopost", quota, refusal), terms(**more), NOW)


def of_all(number: int) -> list[Claim]:
    """Claims at their last retry; the last is the most urgent: it failed first."""
    return [claim(n, retries_counted=3) for n in range(number)]


def test_a_quota_tells_the_day_before_which_it_is_not_tried() -> None:
    # Eight a day: each needs a call for its document too, if there is one.
    claims = of_all(20)
    assert place(*claims) == Place(19, not_before=TODAY + 2 * A_DAY)
    assert place(claims[-1], *claims) is None


def test_more_than_a_thousand_are_not_counted() -> None:
    assert place(*of_all(MOST_BEFORE + 2)) == Place(MOST_BEFORE, TODAY + AHEAD)


def test_new_claims_count_too_and_those_that_are_due_later_do_not() -> None:
    others = [
        claim(1, fetch_status=FetchStatus.PENDING, deadline=TODAY + A_DAY),
        claim(2, fetch_status=FetchStatus.PENDING),  # its 14 days begin now
    ]
    found = place(claim(0), *others, quota="2/day@UTC")
    assert found
    assert found.before == 1


def test_a_carrier_that_asked_to_wait_does_not_make_it_wait_for_others() -> None:
    refusal = Refusal(Blocked.RATE_LIMIT, "asked to wait", NOW + 20 * HOUR)
    assert place(claim(0), refusal=refusal) is None


def test_no_day_is_told_of_a_worker_that_has_stopped() -> None:
    last_runs = {RETRY: NOW - 9 * HOUR, FETCH: NOW - HOUR / 3}
    assert place(*of_all(3), last_runs=last_runs) == Place(before=2)


# ---------------------------------------------------------------- who stands in line


@pytest.mark.parametrize(
    ("refusal", "stands"),
    [
        (None, True),
        (Refusal(Blocked.RATE_LIMIT, "at its limit", NOW + HOUR), True),
        (Refusal(Blocked.CARRIER, "paused by hand"), False),
        (Refusal(Blocked.CARRIER, "rejected", NOW + HOUR), False),
    ],
)
def test_one_whose_carrier_somebody_must_see_to_does_not_stand_in_line(
    refusal: Refusal | None, stands: bool
) -> None:
    assert has_place(position(claim(1), NOW, POLICY, refusal=refusal)) == stands


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
def test_one_that_is_not_to_be_asked_about_does_not_stand_in_line(changed: dict[str, Any]) -> None:
    assert not has_place(position(claim(1, **changed), NOW, POLICY))


# ---------------------------------------------------------------- what is said


@pytest.mark.parametrize(
    ("found", "english", "french"),
    [
        (
            Place(0, not_before=TODAY),
            "No claim goes before it; its turn may come today.",
            "Aucune réclamation ne passe avant elle ; son tour peut venir aujourd'hui.",
        ),
        (
            Place(1, not_before=TODAY + A_DAY),
            "1 claim goes before it; not before tomorrow (estimate).",
            "1 réclamation passe avant elle ; pas avant demain (estimation).",
        ),
        (
            Place(12, not_before=date(2026, 12, 1)),
            "12 claims go before it; not before Tuesday 1 December (estimate).",
            "12 réclamations passent avant elle ; pas avant le mardi 1er décembre (estimation).",
        ),
        (Place(12), "12 claims go before it.", "12 réclamations passent avant elle."),
        (
            Place(MOST_BEFORE),
            "1,000 claims or more go before it.",
            "1\u202f000 réclamations ou plus passent avant elle.",
        ),
    ],
)
def test_what_is_said(found: Place, english: str, french: str) -> None:
    assert place_text(Localized("en"), found, NOW) == english
    assert place_text(Localized("fr"), found, NOW) == french

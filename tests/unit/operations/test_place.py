"""A claim's place in line: where only some of the others were read, and what is said of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from recours.core.claim import Claim, FetchStatus, State
from recours.core.localized import Localized
from recours.core.pauses import Blocked, Refusal
from recours.operations.forecast.facts import Sighted
from recours.operations.forecast.place import Competitors, place_of
from recours.operations.place import AHEAD, MOST_BEFORE, Place, has_place, place_text
from recours.operations.plan import PlanScope
from recours.operations.position import position
from tests.fakes.paper import HOUR, NOW, POLICY, RETRY, Carriers, claim, rules

TIGHT = {"chronopost": "8/day@UTC"}


def place(of: Claim, *others: Claim, quotas: dict[str, str] | None = None, **how: Any) -> Place:
    begun = how.pop("begun", {})
    found = Competitors([*map(Sighted, others)], **how)
    asked = PlanScope(AHEAD, NOW, begun)
    return place_of(of, position(of, NOW, POLICY), found, rules(Carriers(quotas or TIGHT)), asked)


def of_all(number: int) -> list[Claim]:
    """Claims at their last retry; the last is the most urgent: it failed first."""
    return [claim(n, retries_counted=3) for n in range(number)]


def test_it_is_found_though_it_was_not_read() -> None:
    last, *others = of_all(4)
    assert place(last, *others) == place(last, last, *others)
    assert place(last, *others).before == 3


def test_no_time_is_given_where_claims_that_were_not_read_may_go_before_it() -> None:
    last, *others = of_all(12)
    known = place(last, *others)
    assert (known.expected_at, known.is_far) == (NOW.replace(hour=0, minute=0) + timedelta(days=1), False)
    # Those that were not read come after the last one that was: it is tried before, or not.
    assert place(last, *others, last_read=[others[0]]) == Place(before=11)
    assert place(last, *others, last_read=[claim(20, updated_at=NOW)]) == known
    assert place(last, *others, known_until=NOW + HOUR) == Place(before=11)
    assert place(last, *others, known_until=NOW + 30 * HOUR) == known


def test_a_claim_whose_deadline_passes_lets_those_that_were_not_read_go_first() -> None:
    last, *others = of_all(12)
    known = place(last, *others)
    for rank_at, expected in ((NOW + 9 * HOUR, None), (NOW + 90 * HOUR, known.expected_at)):
        read = replace(claim(20), state=State(rank_at=rank_at))
        assert place(last, *others, last_read=[read]).expected_at == expected


def test_what_takes_too_long_to_simulate_is_left_open(monkeypatch: pytest.MonkeyPatch) -> None:
    last, *others = of_all(12)
    monkeypatch.setattr("recours.operations.forecast.place._MOST_TRIES", 5)
    assert place(last, *others) == Place(before=11)


def test_a_turn_that_does_not_come_in_two_days_does_not_come_with_more_claims_either() -> None:
    last, *others = of_all(60)
    found = place(last, *others, last_read=[others[0]])
    assert (found.before, found.expected_at, found.is_far) == (59, None, True)


def test_more_than_a_thousand_are_not_counted() -> None:
    last, *others = of_all(MOST_BEFORE + 2)
    found = place(last, *others)
    assert (found.before, found.is_more, found.is_far) == (MOST_BEFORE, True, True)


def test_new_claims_count_too_and_those_of_other_carriers_leased_settled_or_later_ones_do_not() -> None:
    own = claim(0)
    soon = NOW.date() + timedelta(days=1)
    others = [
        claim(1, fetch_status=FetchStatus.PENDING, deadline=soon),
        claim(2, name="UPS"),
        claim(3, number=None),
        claim(4, updated_at=NOW - timedelta(minutes=20)),  # its retry comes in 40 minutes
        claim(5, fetch_status=FetchStatus.PENDING),  # its 14 days begin now
    ]
    assert place(own, *others).before == 1
    leased = Sighted(claim(6), leased_until=NOW + HOUR)
    found = place_of(
        own, position(own, NOW, POLICY), Competitors([leased]), rules(), PlanScope(AHEAD, NOW, {})
    )
    assert found.before == 0


def test_nothing_is_foreseen_of_a_worker_that_has_stopped() -> None:
    last, *others = of_all(3)
    begun = {RETRY: [NOW - timedelta(hours=9)], "pod_fetch_worker": [NOW - timedelta(minutes=20)]}
    assert place(last, *others, begun=begun) == Place(before=2)


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

AT = datetime(2026, 2, 2, 9, 5, tzinfo=UTC)
A_DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("found", "english", "french"),
    [
        (Place(3, expected_at=AT, is_next=True), "", ""),
        (Place(0), "", ""),
        (
            Place(0, expected_at=AT),
            "No claim goes before it; at this pace its turn comes today at about 09:05 UTC.",
            "Aucune réclamation ne passe avant elle ; à ce rythme, son tour viendra aujourd'hui vers 09:05 UTC.",
        ),
        (
            Place(1, expected_at=AT + A_DAY),
            "1 claim goes before it; at this pace its turn comes tomorrow at about 09:05 UTC.",
            "1 réclamation passe avant elle ; à ce rythme, son tour viendra demain vers 09:05 UTC.",
        ),
        (
            Place(12, expected_at=AT + 2 * A_DAY),
            "12 claims go before it; at this pace its turn comes on 4 Feb 2026 at about 09:05 UTC.",
            "12 réclamations passent avant elle ; à ce rythme, son tour viendra le 4 févr. 2026 vers 09:05 UTC.",
        ),
        (Place(12), "12 claims go before it.", "12 réclamations passent avant elle."),
        (
            Place(MOST_BEFORE, is_more=True, is_far=True),
            "More than 1,000 claims go before it; at this pace its turn does not come within 2 days.",
            "Plus de 1\u202f000 réclamations passent avant elle ; à ce rythme, son tour ne viendra pas avant 2 jours.",
        ),
    ],
)
def test_what_is_said(found: Place, english: str, french: str) -> None:
    assert place_text(Localized("en"), found, NOW) == english
    assert place_text(Localized("fr"), found, NOW) == french

"""A plan's figures about carriers, days and deadlines, over claims in memory."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from recours.core.claim import Claim, FetchStatus, Stage
from recours.core.errors import ErrorKind
from recours.core.pauses import Blocked, Refusal
from recours.core.policy import Policy
from recours.reporting.plan import Plan, coming_runs, make_plan
from tests.fakes.planned import FETCH, HOUR, NOW, POLICY, RETRY, account, claim, planned, terms

TODAY = date(2026, 2, 2)  # ends at 23:00 UTC
DAY = timedelta(days=1)
ONE_RETRY = replace(POLICY, max_retries=1)
STOPPED = Refusal(Blocked.CARRIER, "paused by hand", stopped=True)
WAITS = Refusal(Blocked.RATE_LIMIT, "asked to wait", NOW + 20 * HOUR)
REJECTED = Refusal(Blocked.CARRIER, "rejected", NOW + HOUR, kind=ErrorKind.AUTH_FAILED)


def plan(
    *claims: Claim,
    hours: int = 48,
    quota: str = "1000/day",
    closing: Refusal | None = None,
    policy: Policy = POLICY,
    **more: Any,
) -> Plan:
    accounts = {key: account(key, quota, closing) for key in ("", "chronopost", "ups", "fedex")}
    open_claims = planned(*claims, policy=policy)
    return make_plan(open_claims, accounts, terms(policy, **more), NOW, NOW + timedelta(hours=hours))


def test_a_quota_spreads_the_attempts_over_days() -> None:
    made = plan(*map(claim, range(25)), quota="11/day@UTC", policy=ONE_RETRY)
    [chronopost] = made.carriers
    # Each needs another call for its document, if there is one: ten a day.
    assert [day.attempts["chronopost"] for day in made.days] == [10, 10, 5]
    assert [day.due["chronopost"] for day in made.days] == [15, 5, 0]
    assert (chronopost.due, chronopost.attempts, chronopost.calls, chronopost.left) == (25, 25, 25, 0)
    assert chronopost.empty_on == TODAY + 2 * DAY


def test_remaining_days_are_extrapolated_from_the_last_day() -> None:
    [chronopost] = plan(*map(claim, range(40)), quota="11/day@UTC", policy=ONE_RETRY).carriers
    assert (chronopost.attempts, chronopost.left) == (30, 10)
    assert (chronopost.empty_on, chronopost.days_left) == (None, 1)


def test_parcels_that_share_a_call_share_its_units() -> None:
    [fedex] = plan(*(claim(n, name="FedEx") for n in range(30)), policy=ONE_RETRY).carriers
    assert (fedex.attempts, fedex.calls) == (30, 1)


def test_a_number_that_made_a_shared_call_fail_needs_its_own_call() -> None:
    claims = [claim(n, name="FedEx") for n in range(30)]
    for n in (0, 7, 29):
        claims[n] = replace(claims[n], state=replace(claims[n].state, goes_alone=True))
    [fedex] = plan(*claims, policy=ONE_RETRY).carriers
    assert (fedex.attempts, fedex.calls) == (30, 4)


def test_claims_without_a_call_use_no_quota_but_count_in_the_batch() -> None:
    claims = claim(1, number="malformed"), claim(2, name="Nobody"), claim(3)
    made = plan(*claims, policy=ONE_RETRY, retry=2, hours=1, quota="1000/day@UTC")
    assert [(carrier.key, carrier.attempts, carrier.calls) for carrier in made.carriers] == [
        ("", 1, 0),
        ("chronopost", 1, 1),
    ]


@pytest.mark.parametrize(
    ("closing", "attempts"), [(None, 3), (STOPPED, 0), (WAITS, 2), (REJECTED, 0)], ids=str
)
def test_an_account_is_called_once_its_pause_ends(closing: Refusal | None, attempts: int) -> None:
    made = plan(claim(1), closing=closing)
    assert made.attempts == attempts
    [chronopost] = made.carriers
    assert (chronopost.days_left is None, bool(chronopost.left)) == (True, closing in (STOPPED, REJECTED))


def test_calls_are_reserved_for_more_urgent_claims() -> None:
    # 12 calls a day in Paris, of which 9 are kept until 16:00 there for new claims.
    new = [claim(n, deadline=TODAY, fetch_status=FetchStatus.PENDING) for n in range(20)]
    failed = [claim(n, deadline=TODAY + DAY) for n in range(20, 100)]
    assert plan(*new, *failed, quota="12/day", fetch=1, hours=1).attempts == 2


# ---------------------------------------------------------------- runs


def times(hours: int, **more: Any) -> list[tuple[datetime, str]]:
    runs = coming_runs(terms(**more), NOW, NOW + timedelta(hours=hours))
    return [(at, worker.name) for at, worker in runs]


def test_runs_follow_the_last_ones_or_start_on_the_full_and_half_hour() -> None:
    assert times(1) == [(NOW.replace(minute=30), FETCH), (NOW.replace(hour=9, minute=0), FETCH), (NOW.replace(hour=9, minute=0), RETRY)]  # fmt: skip
    last = NOW - timedelta(minutes=13)
    assert times(1, last_runs={FETCH: last, RETRY: last}) == [(last + HOUR / 2, FETCH), (last + HOUR, FETCH), (last + HOUR, RETRY)]  # fmt: skip


def test_fetches_of_named_claims_do_not_count_as_runs_of_a_worker() -> None:
    last = NOW - timedelta(minutes=13)
    assert times(1, last_runs={FETCH: last, f"{RETRY} --claim": last}) == times(1, last_runs={FETCH: last})


def test_long_lived_workers_are_simulated_every_quarter_of_an_hour() -> None:
    assert len(times(1, by_fleet=True)) == 2 * 4


@pytest.mark.parametrize(
    ("last_runs", "stopped"),
    [
        ({RETRY: NOW - HOUR}, []),  # the other one has not begun yet
        ({FETCH: NOW - 60 * HOUR, RETRY: NOW - 60 * HOUR}, []),  # the machine was off
        ({FETCH: NOW - timedelta(minutes=91), RETRY: NOW - HOUR}, [FETCH]),
    ],
)
def test_a_worker_has_stopped_only_if_the_other_one_runs(
    last_runs: dict[str, datetime], stopped: list[str]
) -> None:
    made = plan(claim(1), claim(2, fetch_status=FetchStatus.PENDING), last_runs=last_runs)
    assert list(made.stopped) == stopped == made.as_json()["stopped_workers"]
    assert {name for _, name in times(2, last_runs=last_runs)} == {FETCH, RETRY} - {*stopped}


def test_a_retry_at_an_impossible_time_is_planned_within_its_wait() -> None:
    waits = planned(claim(1))[0]
    far = replace(waits, state=replace(waits.state, stage=Stage.WAITING, next_at=NOW + 900 * HOUR))
    assert plan(far, hours=2).attempts == 1

"""The coming runs: what holds of them whatever there is to do."""

import hashlib
import logging
from collections import Counter
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recours.carriers.refusals import print_of
from recours.core.claim import Claim, Delivery, FetchStatus, Stage
from recours.core.pauses import AccountState, Blocked, CarrierState, Pause, Stop
from recours.core.policy import DUE_SLACK
from recours.operations.forecast.coming import ComingRuns
from recours.operations.forecast.facts import (
    ComingRun,
    ForeseenRun,
    Rules,
    Sighted,
    coming_runs,
)
from recours.operations.preview import preview
from recours.runs.retry import PODRetryScheduler
from tests.fakes.examples import MODEST
from tests.fakes.paper import FETCH, HOUR, NOW, NUMBERS, POLICY, RETRY, Carriers, claim, rules

SALT = "00" * 16


def run_all(coming: ComingRuns, hours: int) -> list[ForeseenRun]:
    return [coming.run(moment) for moment in coming_runs({}, NOW, NOW + hours * HOUR)]


# ---------------------------------------------------------------- whatever there is to do

STATUSES = st.sampled_from(
    [FetchStatus.FAILED, FetchStatus.FAILED, FetchStatus.PENDING, FetchStatus.FETCHING]
)
MOMENTS = st.integers(0, 30_000).map(lambda minutes: NOW - timedelta(minutes=minutes))
CLAIMS = st.fixed_dictionaries(
    {
        "name": st.sampled_from(list(NUMBERS)),
        "fetch_status": STATUSES,
        "updated_at": st.none() | MOMENTS,
        "created_at": st.none() | MOMENTS,
        "deadline": st.none() | st.integers(-5, 30).map(lambda days: date(2026, 2, 2) + timedelta(days=days)),
        "retries_counted": st.integers(0, 5),
        "error_text": st.sampled_from([None, "API timeout", "Invalid tracking number"]),
        "claim_status": st.sampled_from([None, "submitted", "paid"]),
    }
)


@dataclass(frozen=True)
class World:
    claims: list[Claim]
    carriers: Carriers
    rules: Rules

    def coming(self) -> ComingRuns:
        return ComingRuns([Sighted(claim) for claim in self.claims], self.rules, NOW)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    claims = [claim(n, **columns) for n, columns in enumerate(draw(st.lists(CLAIMS, max_size=40)))]
    delivered = draw(st.sets(st.sampled_from(range(40)), max_size=10))
    known = Delivery(NOW - 300 * HOUR, "DUPONT")
    claims = [
        replace(one, state=replace(one.state, delivery=known)) if one.id in delivered else one
        for one in claims
    ]
    window = st.sampled_from(["day@Europe/Paris", "day@UTC", "hour"])
    quotas = {
        key: f"{draw(st.integers(1, 12))}/{draw(window)}" for key in ("chronopost", "ups", "dhl_express")
    }
    carriers = Carriers(quotas, used=draw(st.integers(0, 5)))
    return World(
        claims,
        carriers,
        rules(
            carriers,
            retry=draw(st.integers(1, 40)),
            fetch=draw(st.integers(1, 40)),
            concurrency=draw(st.sampled_from([1, 2, 8])),
            policy=replace(POLICY, max_retries=draw(st.integers(1, 6))),
        ),
    )


@given(worlds())
@MODEST
def test_whatever_there_is_to_do(world: World) -> None:
    runs = run_all(world.coming(), 60)
    for hour in range(62):
        for use in world.carriers.quota.uses(world.carriers.limits, NOW + hour * HOUR):
            assert use.used <= use.limit.number
            assert use.reserved == 0
    tried: Counter[int] = Counter()
    for run in runs:
        here = [one.claim_id for one in run.tries]
        assert len(here) == len(set(here)), "nobody is tried twice in one run"
        assert len(here) <= world.rules.batch_sizes[run.worker]
        tried.update(one.claim_id for one in run.tries if one.calls)
    assert all(times <= world.rules.policy.max_retries + 1 for times in tried.values())


@given(worlds())
@MODEST
def test_nothing_is_tried_before_its_turn_or_once_it_is_set_aside(world: World) -> None:
    set_aside = {one.id for one in world.claims if POLICY.sets_aside(one)}
    last: dict[int, datetime] = {}
    for run in run_all(world.coming(), 60):
        for one in run.tries:
            assert one.claim_id not in set_aside
            if one.claim_id in last:
                waited = run.at - last[one.claim_id]
                assert waited >= POLICY.backoff.wait(max(one.retry, 1)) - DUE_SLACK
            last[one.claim_id] = run.at


@given(worlds())
@MODEST
def test_the_claims_of_one_carrier_are_taken_as_dry_run_lists_them(world: World) -> None:
    """`--dry-run` looks at one run by other means."""
    claims = [one for one in world.claims if one.carrier == "chronopost" and not one.is_pending]
    now = coming_runs({}, NOW, NOW + HOUR, [PODRetryScheduler])[0].at
    carriers = Carriers()
    world = replace(world, claims=claims, carriers=carriers, rules=replace(world.rules, queue=carriers.queue))
    batch = world.rules.batch_sizes[RETRY]
    listed = preview(((one, False) for one in claims), Stage.READY, batch, (), {}, world.rules.policy, now)
    run = world.coming().run(ComingRun(now, PODRetryScheduler))
    assert [one.reference for one in run.tries] == [one.reference for one, _ in listed.taken]


# ---------------------------------------------------------------- carriers that take no calls


REFUSED = AccountState(refusals=1, refusal="rejected", salt=SALT, credentials_print=print_of((), SALT))


def refused(until: datetime) -> CarrierState:
    return CarrierState(account=replace(REFUSED, refused_until=until))


@pytest.mark.parametrize(
    ("state", "why", "tried_at"),
    [
        (CarrierState(stopped=Stop(NOW)), Blocked.CARRIER, []),
        (CarrierState(pause=Pause(NOW + 3 * HOUR, "wait")), Blocked.RATE_LIMIT, [(12, 1)]),
        (refused(NOW + 3 * HOUR), Blocked.CARRIER, [(12, 2)]),
        (CarrierState(outage=Pause(NOW, "wait")), None, [(9, 1)]),
        (refused(NOW), None, [(9, 2)]),  # the first call checks the credentials
    ],
    ids=["stopped", "asked to wait", "account refused", "the wait is over", "the account is tried again"],
)
def test_a_closed_carrier_is_called_when_it_is_open_again(
    state: CarrierState, why: Blocked | None, tried_at: list[tuple[int, int]]
) -> None:
    carriers = Carriers(states={"chronopost": state})
    runs = run_all(ComingRuns([Sighted(claim(1))], rules(carriers), NOW), 6)
    assert [(run.at.hour, one.calls) for run in runs for one in run.tries] == tried_at
    left = [run.left["chronopost"] for run in runs if run.left]
    assert all((one.count, one.why) == (1, why) for one in left)
    assert bool(left) is (why is not None)


def test_the_print_of_refused_credentials_is_computed_once_for_all_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It takes a twentieth of a second, on purpose; a plan has a hundred runs."""
    computed: list[str] = []

    def scrypt(*_: object, salt: bytes, **__: object) -> bytes:
        computed.append(salt.hex())
        return b""

    monkeypatch.setattr(hashlib, "scrypt", scrypt)
    print_of.cache_clear()
    carriers = Carriers(states={"chronopost": refused(NOW + 20 * HOUR)})
    run_all(ComingRuns([Sighted(claim(1))], rules(carriers), NOW), 12)
    print_of.cache_clear()
    assert computed == [SALT]


def test_a_claim_that_a_run_has_leased_is_taken_once_the_lease_is_over() -> None:
    sighted = Sighted(claim(1), leased_until=NOW + timedelta(minutes=50))
    runs = run_all(ComingRuns([sighted], rules(), NOW), 3)
    assert [run.at.hour for run in runs if run.tries] == [10]


def test_an_imagined_run_leaves_no_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    runs = run_all(
        ComingRuns([Sighted(claim(n)) for n in range(9)], rules(Carriers({"chronopost": "3/day"})), NOW), 9
    )
    assert sum(len(run.tries) for run in runs) > 1
    assert caplog.messages == []


# ---------------------------------------------------------------- when runs come


def minutes(*past: int) -> list[datetime]:
    return [NOW - timedelta(minutes=n) for n in past]


@pytest.mark.parametrize(
    ("begun", "next_minute"),
    [
        ([], 40),  # the full hour
        (minutes(10), 50),
        (minutes(10, 70, 130), 50),
        (minutes(60), 0),
        (minutes(3, 10, 70), 50),  # the last one was started by hand
        (minutes(3, 4, 5, 10, 71), 50),
        (minutes(10, 35, 72), 50),
        (minutes(500), 40),  # missed ones are over
    ],
)
def test_the_schedule_goes_on_as_it_went(begun: list[datetime], next_minute: int) -> None:
    coming = coming_runs({RETRY: begun}, NOW, NOW + 5 * HOUR, [PODRetryScheduler])
    assert [moment.at - NOW for moment in coming] == [
        timedelta(minutes=next_minute + 60 * n) for n in range(6 if next_minute == 0 else 5)
    ]


def test_both_workers_the_fetch_worker_first() -> None:
    coming = coming_runs({}, NOW, NOW + HOUR)
    assert [(moment.at.minute, moment.worker.name) for moment in coming] == [
        (30, FETCH),
        (0, FETCH),
        (0, RETRY),
    ]

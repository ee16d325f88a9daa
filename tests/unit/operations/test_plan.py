"""What a plan says of carriers and deadlines, over claims in memory."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from recours.core.claim import Claim, FetchStatus, Stage
from recours.core.pauses import CarrierState, Pause, Stop
from recours.operations.forecast.facts import Sighted
from recours.operations.plan import Plan, PlanScope, Reason, make_plan
from tests.fakes.paper import FETCH, HOUR, NOW, POLICY, RETRY, Carriers, claim, rules

TODAY = date(2026, 2, 2)  # ends at 23:00 UTC
DAY = timedelta(days=1)


@dataclass
class Outlook:
    """Claims in memory: those that no run will have to do with are given apart."""

    due: list[Claim]
    later: list[Claim]

    def claims(self, *_: Any) -> Iterator[Sighted]:
        yield from map(Sighted, self.due)

    def not_due(self, *_: Any) -> Iterator[Claim]:
        yield from self.later


def plan(
    *due: Claim,
    later: tuple[Claim, ...] = (),
    hours: int = 48,
    carriers: Carriers | None = None,
    begun: dict[str, list[datetime]] | None = None,
    **how: Any,
) -> Plan:
    carriers = carriers or Carriers()
    asked = PlanScope(timedelta(hours=hours), NOW, begun or {})
    return make_plan(Outlook(list(due), list(later)), carriers.facts, rules(carriers, **how), asked)


def of_chronopost(quota: str) -> Carriers:
    return Carriers({"chronopost": quota})


def closed(state: CarrierState) -> Carriers:
    return Carriers(states={"chronopost": state})


STOPPED = closed(CarrierState(stopped=Stop(NOW)))
WAITS = closed(CarrierState(pause=Pause(NOW + 20 * HOUR, "wait")))
ONE_TRY = replace(POLICY, max_retries=1)


def late(made: Plan) -> list[tuple[str, Reason, bool]]:
    return [(one.reference, one.reason, one.estimated) for one in made.late]


def test_a_backlog_is_empty_after_the_run_that_takes_the_last_of_it() -> None:
    made = plan(*map(claim, range(9)), carriers=of_chronopost("3/hour"), policy=ONE_TRY)
    [chronopost] = made.carriers
    assert (chronopost.due, chronopost.tries, chronopost.calls, chronopost.left) == (9, 9, 9, 0)
    # Each needs a call for its document too, if there is one: two an hour, from 9 to 13 o'clock.
    assert chronopost.empty_at == NOW.replace(hour=13, minute=0)
    assert [len(run.tries) for run in made.runs if run.tries] == [2, 2, 2, 2, 1]


def test_long_lived_workers_begin_at_the_next_minute_and_take_what_has_become_due_since() -> None:
    at = NOW + timedelta(seconds=30)
    due = [claim(n, updated_at=NOW - timedelta(minutes=55 - 7 * n)) for n in range(3)]
    asked = PlanScope(HOUR / 2, at, {}, by_fleet=True)
    carriers = Carriers()
    made = make_plan(Outlook(due, []), carriers.facts, rules(carriers), asked)
    tried = {one.reference: run.at for run in made.runs for one in run.tries}
    assert tried == {
        "CLM-0": NOW + timedelta(minutes=1),
        "CLM-1": NOW + timedelta(minutes=7),
        "CLM-2": NOW + timedelta(minutes=14),
    }


def test_what_is_left_lasts_at_the_pace_of_the_last_day() -> None:
    [chronopost] = plan(*map(claim, range(40)), carriers=of_chronopost("11/day@UTC"), policy=ONE_TRY).carriers
    # Ten on each of three days, of which the last two are the last 24 hours' one.
    assert (chronopost.tries, chronopost.left, chronopost.tries_a_day) == (30, 10, 10)
    assert (chronopost.empty_at, chronopost.days_left) == (None, 1)


def test_a_backlog_that_nobody_takes_is_not_foreseen_to_end() -> None:
    made = plan(claim(1), carriers=STOPPED)
    [chronopost] = made.carriers
    assert (chronopost.left, chronopost.empty_at, chronopost.days_left) == (1, None, None)
    assert chronopost.closing is not None


FAR = {"fetch_status": FetchStatus.FAILED, "updated_at": NOW}


@pytest.mark.parametrize(
    ("changed", "how", "expected"),
    [
        ({}, {}, []),
        ({}, {"carriers": STOPPED}, [("CLM-1", Reason.CARRIER, False)]),
        ({}, {"carriers": WAITS}, [("CLM-1", Reason.QUOTA, False)]),
        ({}, {"carriers": of_chronopost("1/day")}, [("CLM-1", Reason.QUOTA, False)]),
        ({"deadline": TODAY - timedelta(days=1)}, {"carriers": of_chronopost("1/day")}, []),  # past already
        ({"deadline": TODAY + timedelta(days=9)}, {"carriers": of_chronopost("1/day")}, []),
        ({"claim_status": "paid"}, {}, []),
        ({"retries_counted": 4}, {}, []),
    ],
)
def test_a_claim_that_passes_its_deadline_is_told_with_the_reason(
    changed: dict[str, Any], how: dict[str, Any], expected: list[Any]
) -> None:
    assert late(plan(claim(1, **{"deadline": TODAY} | changed), **how)) == expected


WAITS_FOR_FETCH = {"fetch_status": FetchStatus.PENDING}


def test_calls_that_are_kept_for_more_urgent_claims_are_not_told_as_used_up() -> None:
    # 12 calls a day in Paris, of which 9 are kept until 16 o'clock there. Retries would be due from 9 to 15 o'clock there.
    fresh = [claim(n, deadline=TODAY, **WAITS_FOR_FETCH) for n in range(20)]
    failed = [claim(n) for n in range(20, 40)]
    made = plan(*fresh, *failed, carriers=of_chronopost("12/day"), fetch=1, hours=6)
    first = next(run for run in made.runs if run.worker == RETRY)
    left = first.left["chronopost"]
    assert (left.reserved, left.as_json()["why"]) == (True, "reserved")
    assert "kept for more urgent claims" in left.reason


def test_nothing_is_kept_for_a_worker_that_has_stopped_and_none_of_its_runs_is_foreseen() -> None:
    fresh = [claim(n, **WAITS_FOR_FETCH, deadline=TODAY) for n in range(2)]
    failed = [claim(n) for n in range(20, 40)]
    begun = {FETCH: [NOW - timedelta(minutes=91)], RETRY: [NOW - timedelta(minutes=20)]}
    made = plan(*fresh, *failed, carriers=of_chronopost("12/day"), begun=begun)
    assert {run.worker for run in made.runs} == {RETRY}
    assert not any(left.reserved for run in made.runs for left in run.left.values())
    assert late(made) == [("CLM-0", Reason.STOPPED, False), ("CLM-1", Reason.STOPPED, False)]
    assert made.as_json()["stopped_workers"] == [FETCH]


@pytest.mark.parametrize(
    "begun",
    [
        {},
        {RETRY: [NOW - HOUR]},  # the other one has yet to begin
        {FETCH: [NOW - timedelta(minutes=90)], RETRY: [NOW - HOUR]},
        {FETCH: [NOW - 60 * HOUR], RETRY: [NOW - 60 * HOUR]},  # the machine was off
    ],
)
def test_otherwise_both_workers_go_on(begun: dict[str, list[datetime]]) -> None:
    made = plan(claim(1), begun=begun)
    assert {run.worker for run in made.runs} == {FETCH, RETRY}


def test_a_full_batch_is_a_reason_too_and_when_the_claim_is_tried_after_all() -> None:
    # Between 8:20 and the end of the day the scheduler runs 15 times.
    claims = [claim(n, deadline=TODAY) for n in range(18)]
    made = plan(*claims, policy=ONE_TRY, retry=1)
    assert late(made) == [(f"CLM-{n}", Reason.BATCH, False) for n in (15, 16, 17)]
    assert [one.next_at for one in made.late] == [
        NOW.replace(hour=0, minute=0) + timedelta(hours=h) for h in (24, 25, 26)
    ]


def test_a_turn_that_comes_later_and_a_number_that_lacks() -> None:
    waits = claim(1, deadline=TODAY)
    waits = replace(waits, state=replace(waits.state, stage=Stage.WAITING, next_at=NOW + 60 * HOUR))
    unnumbered = replace(claim(2, fetch_status=FetchStatus.PENDING, deadline=TODAY), number=None)
    made = plan(later=(waits, unnumbered))
    assert late(made) == [("CLM-1", Reason.TURN, False), ("CLM-2", Reason.NUMBER, False)]
    assert [one.next_at for one in made.late] == [NOW + 60 * HOUR, None]


def test_deadlines_beyond_the_horizon_are_held_against_the_pace() -> None:
    claims = [claim(n, deadline=TODAY + timedelta(days=4)) for n in range(40)]
    made = plan(*claims, carriers=of_chronopost("6/day@UTC"), policy=ONE_TRY)
    # Five on each of three days. Of the 25 that are left on the 4th at 8:20, 13 have their turn by the 6th at 23:00.
    [chronopost] = made.carriers
    assert (chronopost.tries, chronopost.left, chronopost.tries_a_day) == (15, 25, 5)
    assert late(made) == [(f"CLM-{n}", Reason.QUOTA, True) for n in range(28, 40)]
    assert all(one.next_at and one.next_at > one.deadline for one in made.late)


# ---------------------------------------------------------------- evidence that vanishes


def forgotten_in(days: float, n: int = 1, **columns: Any) -> Claim:
    return claim(n, name="UPS", created_at=NOW + (days - 120) * DAY, **columns)


CLOSED = Carriers(states={"ups": CarrierState(stopped=Stop(NOW))})


@pytest.mark.parametrize(
    ("of", "carriers", "expected"),
    [
        (forgotten_in(1), CLOSED, [(1.0, Reason.CARRIER, True)]),
        (forgotten_in(1, deadline=(NOW + 9 * DAY).date()), CLOSED, [(1.0, Reason.CARRIER, True)]),
        (forgotten_in(1), Carriers(), []),
        (forgotten_in(3), CLOSED, []),  # beyond the horizon
        (forgotten_in(-1), CLOSED, []),  # over
        (
            forgotten_in(-1, deadline=NOW.date()),
            CLOSED,
            [(pytest.approx(0.61, abs=0.01), Reason.CARRIER, False)],
        ),
    ],
)
def test_a_plan_names_claims_whose_evidence_ends_before_they_are_tried(
    of: Claim, carriers: Carriers, expected: list[Any]
) -> None:
    policy = replace(POLICY, evidence_days={"ups": 120})
    made = plan(of, carriers=carriers, policy=policy)
    assert [((one.deadline - NOW) / DAY, one.reason, one.is_evidence) for one in made.late] == expected
    assert [late["evidence"] for late in made.as_json()["late"]] == [
        is_evidence for *_, is_evidence in expected
    ]
    assert [carrier.late for carrier in made.carriers] == [len(expected)]


def test_a_plan_names_those_that_are_due_too_late_and_those_beyond_the_horizon() -> None:
    policy = replace(POLICY, evidence_days={"ups": 120})
    waits = forgotten_in(1)
    waits = replace(waits, state=replace(waits.state, stage=Stage.WAITING, next_at=NOW + 3 * DAY))
    unnumbered = replace(forgotten_in(1, 2, fetch_status=FetchStatus.PENDING), number=None)
    made = plan(later=(waits, unnumbered), policy=policy)
    assert [(one.reference, one.reason) for one in made.late] == [
        ("CLM-1", Reason.TURN),
        ("CLM-2", Reason.NUMBER),
    ]
    many = [forgotten_in(4, n) for n in range(40)]
    made = plan(*many, carriers=Carriers({"ups": "5/day@UTC"}), policy=policy)
    assert {(one.is_evidence, one.estimated) for one in made.late} == {(True, True)}

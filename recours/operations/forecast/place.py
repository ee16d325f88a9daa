"""A due claim's place among those of its carrier: how many go before it, and in which run its turn comes.

The coming runs are simulated as for `recours plan`, over the claims that they may take before it. Their number is bounded:
where claims were cut off that the runs would get to, no time is given.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from recours.core.claim import Claim, Stage, urgency
from recours.core.policy import Policy
from recours.operations.fleet import next_tick
from recours.operations.forecast.coming import ComingRuns
from recours.operations.forecast.facts import (
    ForeseenRun,
    Rules,
    Sighted,
    coming_runs,
    last_run,
    stopped,
)
from recours.operations.place import MOST_BEFORE, Place
from recours.operations.plan import PlanScope
from recours.operations.position import Position, position
from recours.runs.lane import lane_key
from recours.runs.workers import BOTH_WORKERS

# A second or two of simulation: a page waits for it.
_MOST_TRIES = 3000


@dataclass(frozen=True)
class Competitors:
    """The claims that runs may take before another one, the most urgent of each lane, as far as they were read.

    `last_read`: of each lane of a worker that has more, the least urgent one that was read. `known_until`: of what comes
    due then or later, not all was read.
    """

    claims: Sequence[Sighted]
    last_read: Sequence[Claim] = ()
    known_until: datetime | None = None


def place_of(claim: Claim, where: Position, found: Competitors, rules: Rules, asked: PlanScope) -> Place:
    """The place of a claim that stands in line."""
    before = sum(1 for _ in _more_urgent(claim, where, found.claims, asked.now, rules.policy))
    is_more, before = before > MOST_BEFORE, min(before, MOST_BEFORE)
    stage = Stage.NEW if claim.is_pending else Stage.READY
    if not asked.by_fleet and any(worker.stage is stage for worker in stopped(asked.begun, asked.now)):
        return Place(before, is_more)
    runs = ComingRuns(_with(claim, found.claims), rules, asked.now, _last_runs(asked))
    tried: Counter[Any] = Counter()
    for run in _simulated(runs, asked):
        tried.update(one.claim_id for one in run.tries)
        if claim.id in tried:
            if not _is_certain(run.at, found, tried, asked.now):
                return Place(before, is_more)
            is_next = run.at <= _first_that_may_ask(stage, where, asked)
            return Place(before, is_more, expected_at=run.at, is_next=is_next)
        if tried.total() > _MOST_TRIES:
            return Place(before, is_more)
    # Claims that were not read can only delay it further.
    return Place(before, is_more, is_far=True)


def _more_urgent(
    claim: Claim, where: Position, claims: Sequence[Sighted], now: datetime, policy: Policy
) -> Iterator[Claim]:
    """Those of its carrier that are due too. Of two that are as urgent, the one with the smaller id comes first."""
    own = urgency(where.state, now)
    for sighted in claims:
        other = sighted.claim
        if lane_key(other) != lane_key(claim) or other.id == claim.id or sighted.leased_until:
            continue
        its = position(other, now, policy)
        if its.is_due and its.asks and (urgency(its.state, now), other.id) < (own, claim.id):
            yield other


def _with(claim: Claim, claims: Sequence[Sighted]) -> Iterator[Sighted]:
    """All of them, the claim itself too where so many are more urgent that it was not read."""
    yield from claims
    if not any(sighted.claim.id == claim.id for sighted in claims):
        yield Sighted(claim)


def _last_runs(asked: PlanScope) -> dict[str, datetime]:
    found = {worker.name: last_run(asked.begun, worker, asked.now) for worker in BOTH_WORKERS}
    return {name: at for name, at in found.items() if at}


def _simulated(runs: ComingRuns, asked: PlanScope) -> Iterator[ForeseenRun]:
    until = asked.now + asked.horizon
    if asked.by_fleet:
        return runs.ticks(until)
    return map(runs.run, coming_runs(asked.begun, asked.now, until))


def _is_certain(at: datetime, found: Competitors, tried: Collection[Any], now: datetime) -> bool:
    """Tell whether no claim that was not read could have been tried by then.

    Those of a lane come after the last one that was read, until it is tried, or its deadline passes.
    """
    if found.known_until and at >= found.known_until:
        return False
    return all(
        one.id not in tried and urgency(one.state, at)[0] == urgency(one.state, now)[0]
        for one in found.last_read
    )


def _first_that_may_ask(stage: Stage, where: Position, asked: PlanScope) -> datetime:
    """When the first run of this worker begins that finds the carrier open, as far as that is known now."""
    opens = max(where.next_at or asked.now, asked.now)
    if asked.by_fleet:
        return next_tick(max(opens, asked.now + timedelta.resolution))
    coming = coming_runs(asked.begun, asked.now, asked.now + asked.horizon)
    return next((run.at for run in coming if run.worker.stage is stage and run.at >= opens), opens)

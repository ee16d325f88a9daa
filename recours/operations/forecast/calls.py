"""The calls of a run on paper: how `recours.runs.leasing` leases bundles of claims with the quota for their calls.

Every answer is taken to need the same time: they come in the order in which their calls began.
"""

from collections import deque
from dataclasses import dataclass, field, replace
from datetime import datetime

from recours.core.claim import Claim, Stage
from recours.core.decision import Action, Decision, abandoned_at, decide, give_up, next_action
from recours.core.errors import ErrorKind
from recours.core.outcome import Failure
from recours.core.quota import Calls, Capability, Exhausted, kept_for_new_claims, kept_until
from recours.operations.forecast.answers import answer
from recours.operations.forecast.counts import QuotaCounts
from recours.operations.forecast.facts import CarrierFacts, Left, Rules, Try
from recours.operations.forecast.pool import Pool
from recours.runs.attempt import without_call
from recours.runs.lane import lane_key
from recours.runs.ports import Blocked, Refusal


@dataclass
class Book:
    """What there is now: the claims, the counts, the carriers."""

    pool: Pool
    counts: QuotaCounts
    carriers: dict[str, CarrierFacts]
    rules: Rules


@dataclass
class _Lane:
    """One carrier in one run."""

    key: str
    in_flight: int = 0
    answered: bool = False  # the first call of a run goes alone
    opened: bool = False  # the calls before all others were made
    refusal: Refusal | None = None
    drained: bool = False
    waits: bool = False  # for units that are held for calls under way

    @property
    def is_open(self) -> bool:
        return self.refusal is None and not self.drained and not self.waits


@dataclass
class _InHand:
    claim: Claim
    held: Calls


@dataclass
class CallsOnPaper:
    """One run's calls."""

    book: Book
    stage: Stage
    budget: int
    now: datetime
    share: float = 0.0  # of a day's quota, left to new claims
    new_claims_wait: frozenset[str] = frozenset()
    tries: list[Try] = field(default_factory=list)
    gave_up: int = 0

    def __post_init__(self) -> None:
        """Nothing is under way."""
        self._lanes: dict[str, _Lane] = {}
        self._in_flight: deque[list[_InHand]] = deque()

    def run(self) -> None:
        """Try claims, up to the batch."""
        for key in self.book.pool.ready(self.stage):
            facts = self.book.carriers.get(key)
            self._lanes[key] = _Lane(key, refusal=facts.closed(self.now) if facts else None)
        while True:
            while bundle := self._lease():
                self._in_flight.append(bundle)
            if self._in_flight:
                self._hear(self._in_flight.popleft())
            elif not self._wait_for_units():
                return

    def _wait_for_units(self) -> bool:
        """Look again whether the units that calls under way had held are to be had; False if nobody waits for any."""
        waiting = [lane for lane in self._lanes.values() if lane.waits]
        for lane in waiting:
            lane.waits = False
        return self.budget > 0 and bool(waiting)

    def left(self) -> dict[str, Left]:
        """Due claims of carriers that took no more calls."""
        ready = self.book.pool.ready(self.stage)
        return {
            key: Left(ready[key], lane.refusal.why, lane.refusal.reason, lane.refusal.reserved)
            for key, lane in self._lanes.items()
            if lane.refusal and key in ready
        }

    # ---------------------------------------------------------------- leasing claims

    def _lease(self) -> list[_InHand]:
        while self.budget > 0 and (
            keys := [lane.key for lane in self._lanes.values() if self._has_room(lane)]
        ):
            taken = self.book.pool.take(self.stage, keys, 1, self.now)
            if not taken:
                for key in keys:
                    self._lanes[key].drained = True
                return []
            self.budget -= 1
            if self._done_without_call(taken[0]):
                continue
            if bundle := self._granted([*taken, *self._sharing(taken[0])]):
                return bundle
        return []

    def _has_room(self, lane: _Lane) -> bool:
        rules = self.book.rules
        most = rules.carrier_concurrency if lane.answered else 1
        return lane.is_open and lane.in_flight < most and len(self._in_flight) < rules.concurrency

    def _sharing(self, first: Claim) -> list[Claim]:
        key = lane_key(first)
        most = min(self.book.carriers[key].spec.numbers_per_call - 1, self.budget)
        if most < 1 or first.state.delivery or first.state.interruptions:
            return []
        taken = self.book.pool.take(self.stage, [key], most, self.now)
        self.budget -= len(taken)
        due = [claim for claim in taken if not self._done_without_call(claim)]
        fit = [claim for claim in due if not claim.state.interruptions]
        self._put_back([claim for claim in due if claim.state.interruptions])
        return fit

    def _granted(self, claims: list[Claim]) -> list[_InHand]:
        lane = self._lanes[lane_key(claims[0])]
        facts = self.book.carriers[lane.key]
        wanted = facts.spec.calls_for_bundle([claim.state.delivery for claim in claims])
        if not lane.opened:
            wanted[0] = _sum(wanted[0], facts.setup_calls)
        share = self.share if lane.key in self.new_claims_wait else 0.0
        count, short = self.book.counts.reserve(lane.key, wanted, share, self.now)
        self._put_back(claims[count:])
        if short and count < len(claims):
            self._heed(lane, short, wanted[count], share)
        lane.in_flight += count > 0
        return [_InHand(*entry) for entry in zip(claims[:count], wanted, strict=False)]

    def _put_back(self, claims: list[Claim]) -> None:
        for claim in claims:
            self.book.pool.put(claim)
        self.budget += len(claims)

    def _heed(self, lane: _Lane, short: Exhausted, calls: Calls, share: float) -> None:
        limit, needed = short.limit, short.limit.units(calls)
        if short.is_for_new_claims(needed, kept_for_new_claims(limit, share, self.now)):
            reason, until = f"its calls left are kept for new claims ({limit})", kept_until(limit, self.now)
            lane.refusal = Refusal(Blocked.RATE_LIMIT, reason, until, reserved=True)
        elif short.passes(needed):
            lane.waits, lane.drained = True, False
        else:
            lane.refusal = Refusal(Blocked.RATE_LIMIT, f"at its limit ({limit})", short.resets_at)

    # ---------------------------------------------------------------- claims that need no call

    def _done_without_call(self, claim: Claim) -> bool:
        policy = self.book.rules.policy
        what = next_action(claim, self.now, policy)
        if what is Action.SHELVE:
            self.budget += 1
        elif what is Action.WAIT:
            self.budget += 1
            state = replace(claim.state, stage=Stage.WAITING, next_at=abandoned_at(claim, self.now))
            self.book.pool.put(replace(claim, state=state))
        elif what in (Action.GIVE_UP, Action.PASS):
            self.budget += 1
            self._record(claim, give_up(claim, self.now, policy))
        else:
            words = "runs ended while they fetched this claim"
            interrupted = Failure(ErrorKind.INTERNAL_ERROR, words) if what is Action.FAIL else None
            failure = interrupted or without_call(claim, self.book.rules.catalog)
            if failure is None:
                return False
            self._conclude(claim, {}, failure)
        return True

    # ---------------------------------------------------------------- asking

    def _hear(self, bundle: list[_InHand]) -> None:
        lane = self._lanes[lane_key(bundle[0].claim)]
        lane.in_flight -= 1
        lane.answered = True
        facts = self.book.carriers[lane.key]
        for entry in bundle:
            made, failure = answer(entry.claim, facts.spec, self.book.rules.assumption)
            if Capability.TRACKING not in entry.held:  # another claim's call told where the parcel is
                made.pop(Capability.TRACKING, None)
            if made and not lane.opened:
                made, lane.opened = _sum(made, facts.setup_calls), True
            self.book.counts.settle(lane.key, entry.held, made, self.now)
            self._conclude(entry.claim, made, failure)

    def _conclude(self, claim: Claim, made: Calls, failure: Failure | None) -> None:
        retry = 0 if claim.is_pending else claim.state.retries_used + 1
        self.tries.append(Try(claim.id, claim.reference, lane_key(claim), retry, sum(made.values())))
        if failure:
            self._record(claim, decide(claim, failure, self.now, self.book.rules.policy))

    def _record(self, claim: Claim, decision: Decision) -> None:
        self.gave_up += decision.gave_up
        self.book.pool.put(replace(claim, state=decision.state, fetch_status=decision.fetch_status))


def _sum(calls: Calls, more: Calls) -> Calls:
    return {what: calls.get(what, 0) + more.get(what, 0) for what in (*calls, *more)}

"""Leases claims in bundles of one account each, and reserves the quota for their calls."""

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from recours.core.accounts import carrier_of
from recours.core.carrier import CarrierSpec, Catalog
from recours.core.claim import Claim, Delivery, Stage, State
from recours.core.decision import (
    MOST_INTERRUPTIONS,
    Action,
    abandoned_at,
    calls_of_others,
    defer,
    delivery_to_assume,
    give_up,
    next_action,
)
from recours.core.errors import ACCOUNT_KINDS, Actor, ErrorKind, RunError
from recours.core.mail import Event, EventName
from recours.core.order import urgency
from recours.core.outcome import Failure, Outcome, Retrieved
from recours.core.pauses import Refusal
from recours.core.quota import CallBudget
from recours.core.sentences import Sentence, facts_of
from recours.core.text import format_minute
from recours.runs.attempt import AttemptResult, known_failure, result_of_recovered
from recours.runs.lane import LANES_AT_ONCE, Lane, LaneOrder, LeasedClaim, Outage
from recours.runs.log import log
from recours.runs.ports import CarrierAnswer, Dependencies, Lease, Limits, Ready, Reservation
from recours.runs.recorder import Recorder
from recours.runs.source import Source

# The event that notifies the operator of a closed lane, by kind of error.
_REPORTED_AS = {
    **dict.fromkeys((*ACCOUNT_KINDS, ErrorKind.ACCESS_DENIED), EventName.ACCOUNT_FAULT),
    ErrorKind.INTERNAL_ERROR: EventName.RUN_FAULT,
}

LEASE = timedelta(minutes=10)
POLL_S = 0.25
# Up to this many deadlines of the other worker's claims are read per lane. They are read again after this time.
MOST_DEADLINES = 1000
_READ_AGAIN_S = 60.0
_LONGEST_WAIT_FOR_QUOTA_S = 60.0


def may_share(state: State) -> bool:
    """Return whether a claim may be tracked in one call with others."""
    return not (state.interruptions or state.goes_alone)


def thread_count(at_once: int) -> int:
    """Return the number of threads, one per bundle: more than calls at once, as some threads are between calls."""
    return at_once + at_once // 2


def _room(in_flight: int, at_once: int) -> int:
    """Return how many bundles may start: none until all spare threads are idle, so that one query leases several."""
    return 0 if in_flight > at_once else thread_count(at_once) - in_flight


@dataclass(eq=False)
class Leasing:
    """Leases bundles, up to the batch size. Used only by the main thread of the run."""

    _deps: Dependencies
    _catalog: Catalog
    _limits: Limits
    _recorder: Recorder
    _source: Source
    _may_continue: Callable[[], bool]  # whether calls may begin

    def __post_init__(self) -> None:
        self._remaining = self._limits.batch_size
        self._outages: dict[str, Outage] = {}  # by carrier
        # The lanes used so far. Other lanes may have only claims that are less urgent than the batch.
        self.lanes: dict[str, Lane] = {}
        self.in_flight = 0  # bundles being fetched
        self.carriers_asked: set[str] = set()

    @property
    def waits_for_quota(self) -> bool:
        """Return whether more claims can be leased once other runs return the units that they have reserved."""
        return self._remaining > 0 and any(lane.waits for lane in self.lanes.values())

    def open(self, ready: Mapping[str, Ready]) -> None:
        """Start with the lanes that have ready claims. Raises RunError."""
        self._order = LaneOrder(ready)
        self._rooms()  # reports closed lanes even if the run is stopped immediately

    def _lane(self, key: str) -> Lane:
        """Return the lane of this key, created on first use. Raises RunError."""
        if lane := self.lanes.get(key):
            return lane
        lane = self.lanes[key] = Lane(key, self._catalog.name_of(key, "unknown carrier"))
        if self._catalog.spec_of(key):
            lane.client = self._deps.queue.client_of(key)
            lane.outage = self._outages.setdefault(carrier_of(key), lane.outage)
            if lane.outage.refusal:
                lane.refusal = lane.outage.refusal
            elif refusal := self._deps.queue.closed(key):
                self.close(lane, refusal)
            else:
                lane.documents = self._deps.queue.documents(key)
        return lane

    def new_lease(self) -> Lease:
        return Lease(self._recorder.token, self._deps.clock.now() + LEASE)

    def allow(self, more: int) -> None:
        """Allow `more` claims, to replace claims of the batch that did not use an attempt."""
        self._remaining += more

    def next(self) -> list[list[LeasedClaim]]:
        """Lease the most urgent claims that may be fetched, in bundles, one per free thread. Raises RunError."""
        while self._remaining > 0 and (rooms := self._rooms()):
            lease = self.new_lease()
            claims = self._take(rooms, self._most(rooms), lease)
            if not claims:
                for key in rooms:
                    self._mark_empty(key)
            with self._put_back_after_fault(claims):
                due: dict[str, list[Claim]] = {}  # by account
                for claim in claims:
                    if not self._finish_without_call(claim, lease):
                        due.setdefault(claim.account_key, []).append(claim)
                bundles: list[list[LeasedClaim]] = []
                for key, of_account in due.items():
                    bundles += self._with_quota(self._lane(key), of_account, lease)
            if bundles:
                self.in_flight += len(bundles)
                for bundle in bundles:
                    bundle[0].lane.in_flight += 1
                return bundles
        return []

    def _rooms(self) -> dict[str, int]:
        """Return how many more bundles may start, for each of the first lanes that have room. Raises RunError."""
        rooms = self._first_rooms()
        if len(rooms) == LANES_AT_ONCE and not self._order.suffices(rooms, self._most(rooms)):
            self._read_heads()
            rooms = self._first_rooms()
        return rooms

    def _most(self, rooms: Mapping[str, int]) -> int:
        """Return the maximum number of claims that one query may lease from these lanes."""
        limit = min(self._remaining, *rooms.values())
        # Beyond this number, the most urgent claims could lie in later lanes.
        return min(limit, LANES_AT_ONCE) if len(rooms) == LANES_AT_ONCE else limit

    def _first_rooms(self) -> dict[str, int]:
        free = _room(self.in_flight, self._limits.concurrency)
        monotonic = self._deps.clock.monotonic()
        rooms: dict[str, int] = {}
        over = []
        for lane in map(self._lane, self._order):
            if lane.is_over:
                over.append(lane.key)
            elif lane.is_open(monotonic) and (room := min(self._room(lane), free)) > 0:
                rooms[lane.key] = room
            if len(rooms) == LANES_AT_ONCE:
                break
        for key in over:
            self._order.move(key, None)
        return rooms

    def _read_heads(self) -> None:
        """Read the most urgent claim of each lane whose place in the order is only an estimate. Raises RunError."""
        outdated = self._order.take_outdated()
        ready = self._source.ready(self._deps.clock.now(), 1, outdated)
        for key in outdated:
            if key in ready:
                self._order.move(key, ready[key].head)
            else:
                self._mark_empty(key)

    def _mark_empty(self, key: str) -> None:
        """Mark the lane as empty until claims are put back."""
        self.lanes[key].is_empty = True
        self._order.move(key, None)

    def _room(self, lane: Lane) -> int:
        asks_alone = self._catalog.spec_of(lane.key) is not None and self._deps.queue.asks_alone(lane.key)
        return 1 - lane.in_flight if asks_alone else _room(lane.in_flight, self._limits.carrier_concurrency)

    def _with_quota(self, lane: Lane, claims: Sequence[Claim], lease: Lease) -> list[list[LeasedClaim]]:
        """Bundle the claims and reserve quota for their calls; claims without quota are put back."""
        bundles = self._make_bundles(lane, claims, lease)
        in_order = [claim for bundle in bundles for claim in bundle]
        deliveries = {claim.id: self._delivery_for(lane, claim) for claim in in_order}
        calls: list[CallBudget] = []
        for bundle in bundles:
            calls += self._spec(lane.key).calls_for_bundle([deliveries[claim.id] for claim in bundle])
        reservations, refusal = self._reserve(lane, in_order, calls)
        if reservations:
            lane.waits_since = None
            self.carriers_asked.add(lane.key)
        if refusal:
            self.put_back(in_order[len(reservations) :])
            self._apply_refusal(lane, refusal)
        remaining = iter(reservations)
        leased: list[list[LeasedClaim]] = []
        for bundle in bundles:
            with_calls = zip(bundle, remaining, strict=False)
            until = lease.until
            leased.append(
                [LeasedClaim(claim, lane, units, until, deliveries[claim.id]) for claim, units in with_calls]
            )
        return list(filter(None, leased))

    def end_bundle(self, lane: Lane) -> None:
        """Register the end of a bundle of the lane."""
        lane.in_flight -= 1
        self.in_flight -= 1

    def _take(
        self, lanes: Collection[str], limit: int, lease: Lease, *, unnumbered: bool = False
    ) -> list[Claim]:
        """Lease up to `limit` claims of these lanes and count them toward the batch. Raises RunError."""
        now = self._deps.clock.now()
        claims = self._source.lease(lanes, limit, lease, now, unnumbered=unnumbered)
        places = [urgency(claim.state, now) for claim in claims]
        if not unnumbered:
            self._order.register_leased(lanes, max(places) if len(places) == limit else None)
        self._remaining -= len(claims)
        return claims

    def _make_bundles(self, lane: Lane, claims: Sequence[Claim], lease: Lease) -> list[list[Claim]]:
        """Group claims that share a tracking call, leasing more of the lane to fill the call.

        A claim is fetched alone if a run died while fetching it, because that may recur, or if its number made a
        shared call fail.
        """
        bundle_size = self._spec(lane.key).numbers_per_call
        sharing = [
            claim
            for claim in claims
            if bundle_size > 1 and may_share(claim.state) and not claim.state.delivery
        ]
        alone = [[claim] for claim in claims if claim not in sharing]
        if sharing and (room := min(bundle_size - len(sharing), self._remaining)) > 0:
            more = self._take([lane.key], room, lease)
            with self._put_back_after_fault(more):
                due = [claim for claim in more if not self._finish_without_call(claim, lease)]
                fit = [claim for claim in due if claim.account_key == lane.key and may_share(claim.state)]
                self.put_back([claim for claim in due if claim not in fit])
            sharing += fit
        return alone + [sharing[n : n + bundle_size] for n in range(0, len(sharing), bundle_size)]

    def _reserve(
        self, lane: Lane, claims: Sequence[Claim], calls: Sequence[CallBudget]
    ) -> tuple[list[Reservation], Refusal | None]:
        """Reserve the units of `calls` for each claim, in order, until the quota refuses."""
        if lane.refusal:
            return [], lane.refusal
        reserve = partial(self._deps.queue.reserve, lane.key, may_continue=self._may_continue)
        urgent = [self._more_urgent(lane, claim) for claim in claims]
        most_urgent = max(urgent, key=lambda calls: sum(calls.values()), default={})
        reservations, refusal = reserve(calls, urgent=most_urgent)
        # For each remaining claim, keep only the units that more urgent claims of the other worker need.
        while refusal and refusal.reserved and (place := len(reservations)) < len(calls):
            more, refusal = reserve(calls[place : place + 1], urgent=urgent[place])
            if not more:
                break
            reservations += more
        return reservations, refusal

    def _more_urgent(self, lane: Lane, claim: Claim) -> CallBudget:
        """Return the calls needed for the other worker's ready claims that have an earlier deadline than this claim."""
        other_stage = self._limits.other_stage
        now = self._deps.clock.now()
        if other_stage is None or self._recorder.by_name:
            return {}
        monotonic = self._deps.clock.monotonic()
        if lane.deadlines_read_at is None or monotonic - lane.deadlines_read_at > _READ_AGAIN_S:
            lane.deadlines = self._deps.claims.deadlines(other_stage, lane.key, MOST_DEADLINES, now)
            lane.deadlines_read_at = monotonic
        tier, at = urgency(claim.state, now)
        # A claim past its deadline ranks behind all these claims.
        nearer = len(lane.deadlines) if tier else bisect_left(lane.deadlines, at)
        return calls_of_others(self._spec(lane.key), other_stage, nearer, self._deps.policy)

    def _delivery_for(self, lane: Lane, claim: Claim) -> Delivery | None:
        """Return the known or assumed delivery to start from. If the account gets no documents, none is assumed."""
        if lane.documents:
            return claim.state.delivery
        return delivery_to_assume(claim, self._spec(lane.key), self._deps.policy)

    def _spec(self, key: str) -> CarrierSpec:
        """Return the carrier of a lane. The carrier must be known."""
        return self._catalog.specs[carrier_of(key)]

    def _apply_refusal(self, lane: Lane, refusal: Refusal) -> None:
        """Close the lane, or let it wait briefly if other runs have reserved the missing units and may return them."""
        monotonic = self._deps.clock.monotonic()
        since = monotonic if lane.waits_since is None else lane.waits_since
        if refusal.passing and monotonic - since < _LONGEST_WAIT_FOR_QUOTA_S:
            lane.wait(since, monotonic + POLL_S)
        elif lane.refusal is None:
            self.close(lane, refusal)

    def close(self, lane: Lane, refusal: Refusal) -> None:
        """Lease no more claims of the lane, or of the whole carrier in an outage, and log the reason.

        Raises RunError if the event cannot be written.
        """
        is_outage = lane.outage.refusal is refusal
        lane.refusal = refusal
        for other_lane in self.lanes.values():
            if is_outage and other_lane.outage is lane.outage:
                other_lane.refusal = other_lane.refusal or refusal
        until = f" until {format_minute(refusal.until, self._recorder.local)}" if refusal.until else ""
        log.warning(f"⚠️ Skipped{until}: {refusal.reason}")
        if refusal.kind in _REPORTED_AS:
            self.report(lane, refusal)

    def report(self, lane: Lane, refusal: Refusal) -> None:
        """Emit an event for the operator: once a day per account, or once for a problem whose start is known.

        Raises RunError.
        """
        now = self._deps.clock.now()
        facts = {
            "carrier": lane.name,
            "kind": refusal.kind,
            "error": refusal.reason,
            **facts_of(refusal.explanation),
            **({"client": lane.client} if lane.client else {}),
        }
        since = refusal.since or now.astimezone(self._deps.policy.zone).date()
        event = Event(_REPORTED_AS[refusal.kind], Actor.OPERATOR, lane.key, since.isoformat(), facts)
        self._deps.journal.emit(event, self._recorder.run_id, now)

    def update_documents(self, lane: Lane, outcome: Outcome) -> None:
        """After an answer, update whether the account gets documents. Raises RunError."""
        is_denied = (
            isinstance(outcome, Failure) and outcome.claim_only and outcome.kind is ErrorKind.ACCOUNT_DENIED
        )
        if is_denied or (lane.documents and isinstance(outcome, Retrieved)):
            lane.documents = self._deps.queue.documents(lane.key)

    def report_lanes(self) -> None:
        """Report accounts that are denied documents or many parcels. Raises RunError."""
        for lane in self.lanes.values():
            if denials := lane.denials:
                log.warning(f"⚠️ {denials.reason}")
                self.report(lane, denials)
            if lane.documents:
                at = format_minute(lane.documents.until, self._recorder.local)
                log.warning(
                    f"⚠️ {lane.documents.reason}; claims of delivered parcels wait until {at}, and tracking continues"
                )
                self.report(lane, lane.documents)

    def end_unnumbered(self) -> None:
        """Finish claims without a tracking number in closed lanes: they need no call. Raises RunError."""
        closed = [lane.key for lane in self.lanes.values() if lane.refusal]
        for first in range(0, len(closed), LANES_AT_ONCE):
            lanes = closed[first : first + LANES_AT_ONCE]
            is_more = True
            while is_more and self._remaining > 0:
                lease = self.new_lease()
                limit = min(self._limits.concurrency, self._remaining)
                claims = self._take(lanes, limit, lease, unnumbered=True)
                with self._put_back_after_fault(claims):
                    self.put_back([claim for claim in claims if not self._finish_without_call(claim, lease)])
                is_more = len(claims) == limit

    def _finish_without_call(self, claim: Claim, lease: Lease) -> bool:
        """Finish a claim if it needs no call, and return whether it was finished."""
        now = self._deps.clock.now()
        action = next_action(claim, now, self._deps.policy, by_name=self._recorder.by_name)
        if action is Action.SHELVE:
            self._deps.claims.shelve(claim, lease, now)
        elif action is Action.WAIT:
            state = replace(claim.state, stage=Stage.WAITING, next_at=abandoned_at(claim, now))
            self._deps.claims.release([(claim, state)], lease)
        elif action is Action.CALL and (until := self._documents_until(claim)):
            self._deps.claims.release(
                [(claim, defer(claim, claim.state, until, now, self._deps.policy))], lease
            )
        elif action in (Action.GIVE_UP, Action.PASS):
            self._recorder.give_up(claim, give_up(claim, now, self._deps.policy))
        elif result := self._end_without_call(claim, action, now):
            self._recorder.announce(claim, self._catalog.name_of(claim.carrier, claim.carrier_name))
            self._recorder.conclude([result])
            return True
        else:
            return False
        self._remaining += 1
        return True

    def _documents_until(self, claim: Claim) -> datetime | None:
        """If only the document is missing and document calls are paused, count a skip and return when they resume."""
        lane = self._lane(claim.account_key)
        if lane.documents is None or self._recorder.by_name or claim.state.delivery is None:
            return None
        until = lane.documents.until
        if until is None or self._deps.policy.due_until(self._deps.clock.now()) >= until:
            return None
        self._recorder.stats.skipped_carrier += 1
        return until

    def _end_without_call(self, claim: Claim, action: Action, now: datetime) -> AttemptResult | None:
        failure = known_failure(claim, self._catalog)
        if action is Action.FAIL:
            if result := result_of_recovered(claim, self._deps.documents, self._deps.clock):
                self._deps.documents.make_durable(result.evidence)
                return result
            message = f"{MOST_INTERRUPTIONS} consecutive runs ended while fetching this claim"
            failure = Failure.of(Sentence.INTERRUPTED, message=message)
        return AttemptResult(claim, CarrierAnswer(failure), now) if failure else None

    def return_claims(self, bundle: Sequence[LeasedClaim]) -> None:
        """Release claims and the quota reserved for them; if the database fails, their leases expire."""
        with suppress(RunError):
            for leased in bundle:
                leased.reservation.release()
        with suppress(RunError):
            self.put_back([leased.claim for leased in bundle])

    def put_back(self, claims: Sequence[Claim]) -> None:
        """Release claims unchanged. Raises RunError."""
        if claims:
            self._source.release(claims, self.new_lease())
            self._remaining += len(claims)
            for claim in claims:
                lane = self._lane(claim.account_key)
                lane.is_empty = False
                self._order.register_returned(lane.key, urgency(claim.state, self._deps.clock.now()))

    @contextmanager
    def _put_back_after_fault(self, claims: list[Claim]) -> Iterator[None]:
        """Release the claims if the run fails before fetching them, so that no run waits for the leases to expire."""
        try:
            yield
        except RunError:
            with suppress(RunError):
                self._source.release(claims, self.new_lease())
            raise

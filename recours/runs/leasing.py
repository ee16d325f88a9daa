"""Leases claims whose carriers may be asked, in bundles of one carrier, with the quota for their calls."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from recours.core.carrier import Catalog
from recours.core.claim import Claim, Stage, State
from recours.core.decision import MOST_INTERRUPTIONS, Action, abandoned_at, give_up, next_action
from recours.core.errors import ACCOUNT_KINDS, Actor, ErrorKind, RunError
from recours.core.mail import Event, EventName
from recours.core.outcome import Failure
from recours.core.pauses import Refusal
from recours.core.sentences import Sentence, facts_of
from recours.core.text import format_minute
from recours.runs.attempt import Ended, kept_already, without_call
from recours.runs.lane import Lane, lane_key
from recours.runs.log import log
from recours.runs.ports import Dependencies, Lease, Reservation
from recours.runs.recorder import Recorder
from recours.runs.source import Source

# The event that reports a closed lane to the operator.
_REPORTED_AS = {
    **dict.fromkeys((*ACCOUNT_KINDS, ErrorKind.ACCESS_DENIED), EventName.ACCOUNT_FAULT),
    ErrorKind.INTERNAL_ERROR: EventName.RUN_FAULT,
}

LEASE = timedelta(minutes=10)
POLL_S = 0.25
_LONGEST_WAIT_FOR_QUOTA_S = 60.0


@dataclass(frozen=True)
class Limits:
    """How much a run may do at once, and in all."""

    batch_size: int
    concurrency: int
    carrier_concurrency: int
    max_runtime: timedelta
    pending_share: float = 0.0  # of a day's quota, left to new claims
    new_claims_wait: Collection[str] = ()  # carriers for which that holds


@dataclass(eq=False)
class Leased:
    """A claim that the run is about to ask about, or has an answer about that is not recorded yet."""

    claim: Claim
    lane: Lane
    reservation: Reservation
    until: datetime
    place: int = 0  # as which one of its lane it was begun


class Leasing:
    """Leases bundles up to the batch. Used by one thread at a time: the engine's lock is held meanwhile."""

    def __init__(
        self,
        deps: Dependencies,
        catalog: Catalog,
        limits: Limits,
        recorder: Recorder,
        source: Source,
        go_on: Callable[[], bool],
    ) -> None:
        """Nothing is leased yet. `go_on`: whether calls may begin."""
        self._deps = deps
        self._catalog = catalog
        self._limits = limits
        self._recorder = recorder
        self._source = source
        self._go_on = go_on
        self._lanes: dict[str, Lane] = {}
        self._left = limits.batch_size
        self.carriers_asked: set[str] = set()

    @property
    def lanes(self) -> list[Lane]:
        """The carriers whose claims were met."""
        return list(self._lanes.values())

    @property
    def in_flight(self) -> int:
        """How many bundles are being fetched."""
        return sum(lane.in_flight for lane in self._lanes.values())

    @property
    def waits_for_quota(self) -> bool:
        """Tell whether more can be leased once others give back the units that they hold."""
        return self._left > 0 and any(lane.waits for lane in self._lanes.values())

    def open(self, ready: Collection[str]) -> None:
        """Begin with the lanes of these keys. Raises RunError."""
        for key in ready:
            lane = self._lane(key)
            if key in self._catalog.specs and (refusal := self._deps.queue.closed(key)):
                self.close(lane, refusal)

    def _lane(self, key: str) -> Lane:
        name = self._catalog.name_of(key, "no carrier that is known")
        return self._lanes.setdefault(key, Lane(key, name))

    def new_lease(self) -> Lease:
        """A lease that begins now."""
        return Lease(self._recorder.token, self._deps.clock.now() + LEASE)

    def allow(self, more: int) -> None:
        """So many claims of the batch used no attempt: others may be leased in their place."""
        self._left += more

    # ---------------------------------------------------------------- a bundle

    def next(self) -> list[list[Leased]]:
        """The most urgent claims that may be asked about, in bundles, as many as there are threads for. Raises RunError."""
        while self._left > 0 and (rooms := self._rooms()):
            lease, most = self.new_lease(), min(self._left, *rooms.values())
            claims = self._source.lease(list(rooms), most, lease, self._deps.clock.now())
            if not claims:
                for key in rooms:
                    self._lanes[key].drained = True
            self._left -= len(claims)
            with self._put_back_after_fault(claims):
                due = [claim for claim in claims if not self._done_without_call(claim, lease)]
                lanes = {key: self._lane(key) for key in map(lane_key, due)}
                bundles = [
                    bundle
                    for key, lane in lanes.items()
                    for bundle in self._granted(lane, [one for one in due if lane_key(one) == key], lease)
                ]
            if bundles:
                return bundles
        return []

    def _rooms(self) -> dict[str, int]:
        """How many more bundles may be fetched at once, of each lane of which one may."""
        monotonic, at_once = self._deps.clock.monotonic(), self._limits.carrier_concurrency
        free = self._limits.concurrency - self.in_flight
        rooms = {
            lane.key: min((1 if self._asks_alone(lane) else at_once) - lane.in_flight, free)
            for lane in self._lanes.values()
            if lane.is_open(monotonic)
        }
        return {key: room for key, room in rooms.items() if room > 0}

    def _asks_alone(self, lane: Lane) -> bool:
        return lane.key in self._catalog.specs and self._deps.queue.asks_alone(lane.key)

    def _granted(self, lane: Lane, claims: Sequence[Claim], lease: Lease) -> list[list[Leased]]:
        """The claims in bundles, with the quota for their calls; those that get none now go back."""
        bundles = self._bundled(lane, claims, lease)
        reservations, refusal = self._reserve(lane, bundles)
        if reservations:
            lane.waits_since = None
            self.carriers_asked.add(lane.key)
        if refusal:
            self.put_back([claim for bundle in bundles for claim in bundle][len(reservations) :])
            self._heed(lane, refusal)
        left = iter(reservations)
        leased = [
            [
                Leased(claim, lane, reservation, lease.until)
                for claim, reservation in zip(bundle, left, strict=False)
            ]
            for bundle in bundles
        ]
        lane.in_flight += sum(map(bool, leased))
        return list(filter(None, leased))

    def _bundled(self, lane: Lane, claims: Sequence[Claim], lease: Lease) -> list[list[Claim]]:
        """Claims that are tracked with one call together, and more added to them.

        One that a run died with goes alone: it may do so again.
        """
        most = self._catalog.specs[lane.key].numbers_per_call
        sharing = [one for one in claims if most > 1 and not (one.state.delivery or one.state.interruptions)]
        alone = [[claim] for claim in claims if claim not in sharing]
        if sharing and (wanted := min(most - len(sharing), self._left)) > 0:
            taken = self._source.lease([lane.key], wanted, lease, self._deps.clock.now())
            self._left -= len(taken)
            with self._put_back_after_fault(taken):
                due = [claim for claim in taken if not self._done_without_call(claim, lease)]
                fit = [one for one in due if lane_key(one) == lane.key and not one.state.interruptions]
                self.put_back([claim for claim in due if claim not in fit])
            sharing += fit
        return alone + [sharing[n : n + most] for n in range(0, len(sharing), most)]

    def _reserve(
        self, lane: Lane, bundles: Sequence[Sequence[Claim]]
    ) -> tuple[list[Reservation], Refusal | None]:
        if lane.refusal:
            return [], lane.refusal
        spec = self._catalog.specs[lane.key]
        calls = [
            calls
            for bundle in bundles
            for calls in spec.calls_for_bundle([claim.state.delivery for claim in bundle])
        ]
        headroom = self._limits.pending_share if lane.key in self._limits.new_claims_wait else 0.0
        return self._deps.queue.reserve(lane.key, calls, headroom=headroom, go_on=self._go_on)

    def _heed(self, lane: Lane, refusal: Refusal) -> None:
        """Close the lane; or have it wait a little if only units that others hold stand in the way."""
        monotonic = self._deps.clock.monotonic()
        since = monotonic if lane.waits_since is None else lane.waits_since
        if refusal.passing and monotonic - since < _LONGEST_WAIT_FOR_QUOTA_S:
            lane.wait(since, monotonic + POLL_S)
        elif lane.refusal is None:
            self.close(lane, refusal)

    # ---------------------------------------------------------------- a lane that closes

    def close(self, lane: Lane, refusal: Refusal) -> None:
        """Lease no more claims of the lane, and say why. Raises RunError if the event cannot be written."""
        lane.refusal = refusal
        until = (
            f"until {format_minute(refusal.until, self._recorder.local)}" if refusal.until else "in this run"
        )
        log.warning(f"⚠️ {refusal.reason}: {lane.name} is skipped {until}")
        if refusal.kind in _REPORTED_AS:
            self.report(lane, refusal)

    def report(self, lane: Lane, refusal: Refusal) -> None:
        """The operator gets at most one event a day and carrier: the day tells it from others. Raises RunError."""
        now = self._deps.clock.now()
        facts = {
            "carrier": lane.name,
            "kind": refusal.kind,
            "error": refusal.reason,
            **facts_of(refusal.said),
        }
        day = now.astimezone(self._deps.policy.zone).date().isoformat()
        event = Event(_REPORTED_AS[refusal.kind], Actor.OPERATOR, lane.key, day, facts)
        self._deps.journal.emit(event, self._recorder.run_id, now)

    # ---------------------------------------------------------------- claims that need no call

    def end_unnumbered(self) -> None:
        """Deal with the claims without a number of carriers that take no more calls: they need none. Raises RunError."""
        closed = [lane.key for lane in self._lanes.values() if lane.refusal]
        while closed and self._left > 0:
            lease, most = self.new_lease(), min(self._limits.concurrency, self._left)
            taken = self._source.lease(closed, most, lease, self._deps.clock.now(), unnumbered=True)
            self._left -= len(taken)
            with self._put_back_after_fault(taken):
                self.put_back([claim for claim in taken if not self._done_without_call(claim, lease)])
            if len(taken) < most:
                return

    def _done_without_call(self, claim: Claim, lease: Lease) -> bool:
        """Deal with a claim that needs no call; False if it needs one."""
        now = self._deps.clock.now()
        what = next_action(claim, now, self._deps.policy, asked=self._recorder.asked)
        if what is Action.SHELVE:
            self._return(claim, replace(claim.state, stage=Stage.SHELVED), lease)
        elif what is Action.WAIT:
            state = replace(claim.state, stage=Stage.WAITING, next_at=abandoned_at(claim, now))
            self._return(claim, state, lease)
        elif what in (Action.GIVE_UP, Action.PASS):
            self._left += 1
            self._recorder.end(claim, give_up(claim, now, self._deps.policy))
        elif ended := self._known_end(claim, what, now):
            self._recorder.announce(claim, self._catalog.name_of(claim.carrier, claim.carrier_name))
            self._recorder.conclude([(claim, ended)])
        else:
            return False
        return True

    def _known_end(self, claim: Claim, what: Action, now: datetime) -> Ended | None:
        failure = without_call(claim, self._catalog)
        if what is Action.FAIL:
            if kept := kept_already(claim, self._deps.documents, self._deps.clock):
                self._deps.documents.secure([kept.document] if kept.document else [])
                return kept
            message = f"{MOST_INTERRUPTIONS} runs in a row ended while they fetched this claim"
            failure = Failure.of(Sentence.INTERRUPTED, message=message)
        return Ended(failure, now, 0.0) if failure else None

    def _return(self, claim: Claim, state: State, lease: Lease) -> None:
        self._deps.claims.release([(claim, state)], lease)
        self._left += 1

    # ---------------------------------------------------------------- handing back

    def hand_back(self, bundle: Sequence[Leased]) -> None:
        """Give claims back with the quota for their calls; if the database fails, their leases run out."""
        with suppress(RunError):
            for leased in bundle:
                leased.reservation.release()
        with suppress(RunError):
            self.put_back([leased.claim for leased in bundle])

    def put_back(self, claims: Sequence[Claim]) -> None:
        """Give claims back as they were taken. Raises RunError."""
        if claims:
            self._source.release(claims, self.new_lease())
            self._left += len(claims)

    @contextmanager
    def _put_back_after_fault(self, claims: list[Claim]) -> Iterator[None]:
        """Nobody is to wait until the leases of these run out, only because the run fails before it fetches them."""
        try:
            yield
        except RunError:
            with suppress(RunError):
                self._source.release(claims, self.new_lease())
            raise

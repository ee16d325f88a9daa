"""The claims that a run has leased, in slices, with the units of quota for their calls."""

import logging
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from recours.core.carrier import Catalog
from recours.core.claim import Claim, Stage, State
from recours.core.decision import MOST_INTERRUPTIONS, Action, abandoned_at, give_up, next_action
from recours.core.errors import ACCOUNT_KINDS, Actor, ErrorKind
from recours.core.events import Event, EventName
from recours.core.outcome import Failure
from recours.core.sentences import Sentence, facts_of
from recours.core.text import plural
from recours.runs.attempt import Ended, kept_already, without_call
from recours.runs.lane import Lane, begun_ahead, lane_key
from recours.runs.ports import Dependencies, Lease, Refusal, Reservation, RunError
from recours.runs.recorder import Recorder
from recours.runs.source import Source
from recours.runs.summary import format_minute

log = logging.getLogger("__main__")

# The event that reports a closed lane to the operator.
_TOLD = {
    **dict.fromkeys((*ACCOUNT_KINDS, ErrorKind.ACCESS_DENIED), EventName.ACCOUNT_FAULT),
    ErrorKind.INTERNAL_ERROR: EventName.RUN_FAULT,
}

LEASE = timedelta(minutes=10)
POLL_S = 0.25
_LONGEST_WAIT_FOR_HELD_S = 60.0


@dataclass(frozen=True)
class Limits:
    """How much a run may do at once, and in all."""

    batch_size: int
    concurrency: int
    carrier_concurrency: int
    max_runtime: timedelta
    pending_share: float = 0.0  # of a day's quota, left to new claims
    new_claims_wait: Collection[str] = ()  # carriers for which that holds

    @property
    def ahead(self) -> int:
        """How many claims may be begun while all threads are busy."""
        return begun_ahead(self.concurrency, self.carrier_concurrency)


@dataclass(eq=False)
class InHand:
    """A claim that the run holds, with the units for its calls."""

    claim: Claim
    reservation: Reservation
    leased_until: datetime
    place: int = 0  # as which one of its lane it was begun


class Supply:
    """Leases claims as long as their carriers may be asked; what is not begun it hands back.

    Used by one thread, the run's own.
    """

    def __init__(
        self,
        deps: Dependencies,
        catalog: Catalog,
        limits: Limits,
        recorder: Recorder,
        source: Source,
        announce: Callable[[Claim, str], None],
    ) -> None:
        """`announce` writes to the log that a claim's turn has come, and under which carrier's name."""
        self._deps = deps
        self._catalog = catalog
        self._limits = limits
        self._recorder = recorder
        self._source = source
        self._announce = announce
        self._lanes: dict[str, Lane] = {}
        self._left = limits.batch_size
        self.in_hand: list[InHand] = []

    @property
    def lanes(self) -> list[Lane]:
        """The carriers whose claims were met."""
        return list(self._lanes.values())

    def lane_of(self, claim: Claim) -> Lane:
        """The lane of a claim that was taken. Any thread may ask."""
        return self._lanes[lane_key(claim)]

    @property
    def waits_for_others(self) -> bool:
        """Tell whether more can be taken once others give back the units that they hold."""
        return self._left > 0 and any(lane.waits for lane in self._lanes.values())

    def lease(self) -> Lease:
        """A hold that begins now."""
        return Lease(self._recorder.run_id, self._deps.clock.now() + LEASE)

    def allow(self, more: int) -> None:
        """So many claims of the batch were not counted after all: others may be taken in their place."""
        self._left += more

    def open(self, ready: Collection[str]) -> None:
        """Begin with the lanes of these keys."""
        for key in ready:
            lane = self._lane(key)
            if key in self._catalog.specs and (refusal := self._deps.queue.closed(key)):
                self.close(lane, refusal)

    def _lane(self, key: str) -> Lane:
        name = self._catalog.name_of(key, "no carrier that is known")
        return self._lanes.setdefault(key, Lane(key, name))

    # ---------------------------------------------------------------- taking

    def take_more(self) -> bool:
        """Take a slice for the carriers of which no claim is leased; False if there was none to take."""
        if self._left < 1:
            return False
        monotonic = self._deps.clock.monotonic()
        buffered = {lane_key(entry.claim) for entry in self.in_hand}
        lanes = [
            lane for lane in self._lanes.values() if lane.is_open(monotonic) and lane.key not in buffered
        ]
        if not lanes:
            return False
        limits, now = self._limits, self._deps.clock.now()
        most = min(limits.concurrency + limits.ahead, self._left)
        lease = self.lease()
        taken = self._source.lease([lane.key for lane in lanes], most, lease, now)
        if len(taken) < most:
            for lane in lanes:
                lane.drained = True
        self._left -= len(taken)
        self._provide([claim for claim in taken if not self._done_without_call(claim, lease)], lease)
        return bool(taken)

    def end_unnumbered(self) -> None:
        """Deal with the claims without a number of carriers that take no more calls: they need none. Raises RunFault."""
        closed = [lane.key for lane in self._lanes.values() if lane.refusal]
        while closed and self._left > 0:
            lease, now = self.lease(), self._deps.clock.now()
            most = min(self._limits.concurrency, self._left)
            taken = self._source.lease(closed, most, lease, now, unnumbered=True)
            self._left -= len(taken)
            self.put_back([claim for claim in taken if not self._done_without_call(claim, lease)])
            if len(taken) < most:
                return

    def _provide(self, taken: list[Claim], lease: Lease) -> None:
        """Queue leased claims with the units for their calls; those that get none go back."""
        for key in dict.fromkeys(map(lane_key, taken)):
            lane = self._lane(key)
            claims = [claim for claim in taken if lane_key(claim) == key]
            reservations, refusal = self._reserve(lane, claims)
            entries = [
                InHand(claim, reservation, lease.until)
                for claim, reservation in zip(claims, reservations, strict=False)
            ]
            self.in_hand += entries
            if entries:
                lane.waits_since = None
            if refusal:
                self.put_back(claims[len(entries) :])
                self._heed(lane, refusal)

    def _reserve(self, lane: Lane, claims: list[Claim]) -> tuple[list[Reservation], Refusal | None]:
        if lane.refusal:
            return [], lane.refusal
        calls = [self._catalog.specs[lane.key].calls_for(claim.state.delivery) for claim in claims]
        headroom = self._limits.pending_share if lane.key in self._limits.new_claims_wait else 0.0
        reservations, refusal = self._deps.queue.reserve(lane.key, calls, headroom=headroom)
        log.debug(f"{lane.name}: units for {len(reservations)} of {plural(len(calls), 'claim')}")
        return reservations, refusal

    def _heed(self, lane: Lane, refusal: Refusal) -> None:
        """Close the lane; or have it wait a little if only units that others hold stand in the way."""
        monotonic = self._deps.clock.monotonic()
        since = monotonic if lane.waits_since is None else lane.waits_since
        if refusal.passing and monotonic - since < _LONGEST_WAIT_FOR_HELD_S:
            lane.wait(since, monotonic + POLL_S)
        elif lane.refusal is None:
            self.close(lane, refusal)

    def close(self, lane: Lane, refusal: Refusal) -> None:
        """Take no more claims of the lane, and say why. Raises RunFault if the event cannot be written."""
        lane.refusal = refusal
        until = (
            f"until {format_minute(refusal.until, self._recorder.local)}" if refusal.until else "in this run"
        )
        log.warning(f"⚠️ {refusal.reason}: {lane.name} is skipped {until}")
        if refusal.kind in _TOLD:
            self.tell_operator(lane, refusal)

    def tell_operator(self, lane: Lane, refusal: Refusal) -> None:
        """The operator gets at most one event a day and carrier: the day tells it from others. Raises RunFault."""
        now = self._deps.clock.now()
        facts = {
            "carrier": lane.name,
            "kind": refusal.kind,
            "error": refusal.reason,
            **facts_of(refusal.said),
        }
        day = now.astimezone(self._deps.policy.zone).date().isoformat()
        event = Event(_TOLD[refusal.kind], Actor.OPERATOR, lane.key, day, facts)
        self._deps.journal.tell(event, self._recorder.run_id, now)

    # ---------------------------------------------------------------- claims that need no call

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
            self._announce(claim, self._catalog.name_of(claim.carrier, claim.carrier_name))
            self._recorder.conclude([(claim, ended)])
        else:
            return False
        return True

    def _known_end(self, claim: Claim, what: Action, now: datetime) -> Ended | None:
        failure = without_call(claim, self._catalog)
        if what is Action.FAIL:
            if kept := kept_already(claim, self._deps.documents, self._deps.clock):
                return kept
            message = f"{MOST_INTERRUPTIONS} runs in a row ended while they fetched this claim"
            failure = Failure.of(Sentence.INTERRUPTED, message=message)
        return Ended(failure, now, 0.0) if failure else None

    def _return(self, claim: Claim, state: State, lease: Lease) -> None:
        self._deps.claims.release([(claim, state)], lease)
        self._left += 1

    # ---------------------------------------------------------------- handing back

    def drop(self, lane: Lane) -> None:
        """Hand back the leased claims of the lane."""
        self.hand_back([entry for entry in self.in_hand if lane_key(entry.claim) == lane.key])

    def hand_back(self, entries: Sequence[InHand]) -> None:
        """Give claims back with the units for their calls; if the database fails, their holds run out."""
        entries = list(entries)
        self.in_hand = [entry for entry in self.in_hand if entry not in entries]
        with suppress(RunError):
            for entry in entries:
                entry.reservation.release()
        with suppress(RunError):
            self.put_back([entry.claim for entry in entries])

    def put_back(self, claims: Sequence[Claim]) -> None:
        """Give claims back as they were taken, for which no unit is held. Raises RunFault."""
        if claims:
            self._source.release(claims, self.lease())
            self._left += len(claims)

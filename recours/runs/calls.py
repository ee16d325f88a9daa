"""The calls of a run: slices of claims are taken, provided with units of quota, and fetched by threads.

One thread takes, decides and records; the others ask carriers. No transaction is open while a carrier thinks.
"""

import logging
import threading
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from recours.core.carrier import Catalog
from recours.core.claim import Claim, Stage, State
from recours.core.decision import MOST_INTERRUPTIONS, Step, abandoned_at, give_up, step
from recours.core.errors import ACCOUNT_KINDS, Actor, ErrorKind
from recours.core.events import Event, EventName
from recours.core.outcome import Failure
from recours.core.text import clean, plural
from recours.runs.attempt import Ended, attempt, kept_already, without_call
from recours.runs.lanes import Lane, begun_ahead, lane_key
from recours.runs.ports import Grant, Hold, Refusal, RunFault, Surroundings
from recours.runs.recorder import Recorder
from recours.runs.source import Source
from recours.runs.summary import minute
from recours.runs.threads import Answer, InHand, Threads

log = logging.getLogger("__main__")

LEASE = timedelta(minutes=10)
_RENEW_BELOW = timedelta(minutes=5)
_LONGEST_WAIT_FOR_HELD_S = 60.0
_POLL_S = 0.25


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


class Calls:
    """The part of a run in which carriers are asked."""

    def __init__(
        self,
        around: Surroundings,
        catalog: Catalog,
        limits: Limits,
        recorder: Recorder,
        source: Source,
        stop: threading.Event,
        what: Callable[[Claim], str],
    ) -> None:
        """`what` names an attempt for the log, such as `Retry #2`."""
        self._around = around
        self._catalog = catalog
        self._limits = limits
        self._recorder = recorder
        self._source = source
        self._stop = stop
        self._what = what
        self._ends_at = around.clock.monotonic() + limits.max_runtime.total_seconds()
        self._lanes: dict[str, Lane] = {}
        self._buffer: list[InHand] = []
        self._threads = Threads(limits.concurrency, self._ask)
        self._over = False  # by a fault of the run, whichever thread met it: nothing more is asked
        self._unreached: list[tuple[Claim, Ended]] = []
        self._any_connected = False
        self._budget = limits.batch_size
        self._place = 0
        self._unknown_codes: set[tuple[str, str]] = set()
        self.carriers_asked: set[str] = set()

    def closed_lanes(self) -> dict[str, Refusal]:
        """The carriers that took no more calls, and why."""
        return {key: lane.refusal for key, lane in self._lanes.items() if lane.refusal}

    # ---------------------------------------------------------------- the loop

    def run(self, ready: Collection[str]) -> None:
        """Fetch the claims of these lanes, up to the batch. Raises RunFault."""
        for key in ready:
            self._lanes[key] = Lane(key, self._name(key))
            if key in self._catalog.specs and (refusal := self._around.queue.closed(key)):
                self._close(self._lanes[key], refusal)
        try:
            goes_on = self._go_on()
            while goes_on:
                answers = self._await_answers()
                with self._around.lines_together():
                    self._take_answers(answers)
                    goes_on = self._go_on()
            self._settle_unreached()
        finally:
            self._over = True
            self._hand_back(self._buffer)
            self._record_what_can_be()

    def _go_on(self) -> bool:
        """Begin what can be begun; False when nothing is under way and nothing more can be taken."""
        if not self._may_begin():
            self._hand_back(self._buffer)
            return bool(self._threads)
        self._begin()
        while self._take_more():
            self._begin()
        held_by_others = self._budget > 0 and any(lane.waits for lane in self._lanes.values())
        return bool(self._threads or self._buffer or held_by_others)

    def _may_begin(self) -> bool:
        return not (self._over or self._stop.is_set()) and self._around.clock.monotonic() < self._ends_at

    def _await_answers(self) -> list[tuple[InHand, Answer]]:
        if self._threads:
            return self._threads.answers(_POLL_S)
        self._around.clock.sleep(_POLL_S)  # for units that others hold
        return []

    def _take_answers(self, in_order: list[tuple[InHand, Answer]]) -> None:
        heard = [(entry.claim, self._hear(entry, answer)) for entry, answer in in_order]
        if self._may_begin():
            self._begin()  # first of all, so that no thread waits while answers are recorded
        self._settle([(claim, ended) for claim, ended in heard if isinstance(ended, Ended)])
        self._renew()
        if fault := next((ended for _, ended in heard if isinstance(ended, RunFault)), None):
            raise fault

    # ---------------------------------------------------------------- taking claims in hand

    def _take_more(self) -> bool:
        """Take a slice for the carriers that have no claim in hand; False if there was none to take."""
        if self._budget < 1 or not self._may_begin():
            return False
        monotonic = self._around.clock.monotonic()
        buffered = {lane_key(entry.claim) for entry in self._buffer}
        lanes = [
            lane for lane in self._lanes.values() if lane.is_open(monotonic) and lane.key not in buffered
        ]
        if not lanes:
            return False
        limits, now = self._limits, self._around.clock.now()
        most = min(limits.concurrency + limits.ahead, self._budget)
        hold = self._hold(now)
        taken = self._source.take([lane.key for lane in lanes], most, hold, now)
        if len(taken) < most:
            for lane in lanes:
                lane.drained = True
        self._budget -= len(taken)
        self._provide([claim for claim in taken if not self._done_without_call(claim, hold)], hold)
        return bool(taken)

    def _hold(self, now: datetime) -> Hold:
        return Hold(self._recorder.run_id, now + LEASE)

    def _provide(self, taken: list[Claim], hold: Hold) -> None:
        """Put taken claims in hand with the units for their calls; those that get none go back."""
        for key in dict.fromkeys(map(lane_key, taken)):
            lane = self._lanes.setdefault(key, Lane(key, self._name(key)))
            claims = [claim for claim in taken if lane_key(claim) == key]
            grants, refusal = self._reserve(lane, claims)
            entries = [InHand(claim, grant, hold.until) for claim, grant in zip(claims, grants, strict=False)]
            self._buffer += entries
            if entries:
                lane.waits_since = None
            if refusal:
                self._source_takes_back(claims[len(entries) :])
                self._heed(lane, refusal)

    def _reserve(self, lane: Lane, claims: list[Claim]) -> tuple[list[Grant], Refusal | None]:
        if lane.refusal:
            return [], lane.refusal
        calls = [self._catalog.specs[lane.key].calls_for(claim.state.delivery) for claim in claims]
        spare = self._limits.pending_share if lane.key in self._limits.new_claims_wait else 0.0
        grants, refusal = self._around.queue.reserve(lane.key, calls, spare=spare)
        log.debug(f"{lane.name}: units for {len(grants)} of {plural(len(calls), 'claim')}")
        return grants, refusal

    def _heed(self, lane: Lane, refusal: Refusal) -> None:
        """Close the lane; or have it wait a little if only units that others hold stand in the way."""
        monotonic = self._around.clock.monotonic()
        since = monotonic if lane.waits_since is None else lane.waits_since
        if refusal.passing and monotonic - since < _LONGEST_WAIT_FOR_HELD_S:
            lane.wait(since, monotonic + _POLL_S)
        elif lane.refusal is None:
            self._close(lane, refusal)

    def _close(self, lane: Lane, refusal: Refusal) -> None:
        lane.refusal = refusal
        until = f"until {minute(refusal.until, self._recorder.local)}" if refusal.until else "in this run"
        log.warning(f"⚠️ {refusal.reason}: {lane.name} is skipped {until}")
        if refusal.kind in ACCOUNT_KINDS:
            self._tell_account_fault(lane, refusal)

    def _tell_account_fault(self, lane: Lane, refusal: Refusal) -> None:
        """The operator is told at most once a day and carrier: the day tells the event from others."""
        now = self._around.clock.now()
        facts = {"carrier": lane.name, "kind": refusal.kind, "error": refusal.reason}
        day = now.astimezone(self._around.policy.zone).date().isoformat()
        event = Event(EventName.ACCOUNT_FAULT, Actor.OPERATOR, lane.key, day, facts)
        self._around.journal.tell(event, self._recorder.run_id, now)

    # ---------------------------------------------------------------- claims that need no call

    def _done_without_call(self, claim: Claim, hold: Hold) -> bool:
        """Deal with a claim that needs no call; False if it needs one."""
        now = self._around.clock.now()
        what = step(claim, now, self._around.policy, asked=self._recorder.asked)
        if what is Step.SHELVE:
            self._return(claim, replace(claim.state, stage=Stage.SHELVED), hold)
        elif what is Step.WAIT:
            state = replace(claim.state, stage=Stage.WAITING, next_at=abandoned_at(claim, now))
            self._return(claim, state, hold)
        elif what in (Step.GIVE_UP, Step.PASS):
            self._budget += 1
            self._recorder.end(claim, give_up(claim, now, self._around.policy))
        elif ended := self._known_end(claim, what, now):
            self._announce(claim, self._catalog.name_of(claim.carrier, claim.carrier_name))
            self._recorder.conclude([(claim, ended)])
        else:
            return False
        return True

    def _known_end(self, claim: Claim, what: Step, now: datetime) -> Ended | None:
        failure = without_call(claim, self._catalog)
        if what is Step.FAIL:
            if kept := kept_already(claim, self._around.documents, self._around.clock):
                return kept
            words = f"{MOST_INTERRUPTIONS} runs in a row ended while they had this claim in hand"
            failure = Failure(ErrorKind.INTERNAL_ERROR, words)
        return Ended(failure, now, 0.0) if failure else None

    def _return(self, claim: Claim, state: State, hold: Hold) -> None:
        self._around.claims.put_back([(claim, state)], hold)
        self._budget += 1

    # ---------------------------------------------------------------- asking

    def _begin(self) -> None:
        """Begin the calls of as many claims in hand as may be under way at once."""
        chosen = self._startable()
        if not chosen:
            return
        hold = self._hold(self._around.clock.now())
        still_held = self._around.claims.begin([entry.claim for entry in chosen], hold)
        for entry in chosen:
            self._buffer.remove(entry)
            lane = self._lanes[lane_key(entry.claim)]
            if entry.claim in still_held:
                entry.held_until = hold.until
                self._begin_one(entry, lane)
            else:  # its hold ran out, and another run has taken it
                entry.grant.settle()
                self._budget += 1

    def _startable(self) -> list[InHand]:
        chosen: list[InHand] = []
        limits, accepted = self._limits, self._around.queue.accepted
        most = limits.concurrency + limits.ahead - len(self._threads)
        room = {
            key: (limits.carrier_concurrency + limits.ahead if accepted(key) else 1) - lane.in_flight
            for key, lane in self._lanes.items()
        }
        for entry in self._buffer:
            key = lane_key(entry.claim)
            if len(chosen) < most and room[key] > 0:
                room[key] -= 1
                chosen.append(entry)
        return chosen

    def _begin_one(self, entry: InHand, lane: Lane) -> None:
        self._announce(entry.claim, lane.name)
        if self._catalog.specs[lane.key].is_doubtful(entry.claim.number or ""):
            reference, number = entry.claim.reference, clean(entry.claim.number or "", 60)
            log.warning(
                f"{reference}: the check digit of {number} does not fit; {lane.name} is asked all the same"
            )
        self.carriers_asked.add(lane.key)
        lane.in_flight += 1
        self._threads.give(entry)

    def _ask(self, entry: InHand) -> Ended | None:
        """Ask the carrier, in a thread; None if it is not to be asked any more."""
        lane, around = self._lanes[lane_key(entry.claim)], self._around
        lost = entry.held_until <= around.clock.now()  # another run may have it by now
        if lost or lane.closes or not self._may_begin():
            return None
        try:
            ended = attempt(entry.claim, entry.grant, around.queue, around.documents, around.clock)
        except RunFault:
            self._over = True
            raise
        lane.learn(ended.outcome)
        return ended

    def _renew(self) -> None:
        """Hold the claims longer whose calls last; one that was lost all the same is neither asked for nor recorded."""
        now = self._around.clock.now()
        ending = [entry for entry in self._threads.given if entry.held_until - now < _RENEW_BELOW]
        if ending:
            hold = self._hold(now)
            still_held = self._around.claims.extend([entry.claim for entry in ending], hold)
            for entry in ending:
                if entry.claim in still_held:
                    entry.held_until = hold.until

    def _announce(self, claim: Claim, carrier: str) -> None:
        self._place += 1
        log.info(f"[{self._place}] {self._what(claim)} for {claim.reference} ({carrier})")

    # ---------------------------------------------------------------- answers

    def _hear(self, entry: InHand, answer: Answer) -> Ended | RunFault | None:
        """Take an answer: its thread is free, and what it says of the carrier is known before another call."""
        lane = self._lanes[lane_key(entry.claim)]
        lane.in_flight -= 1
        if answer is None:
            log.info(f"{entry.claim.reference} is not asked for after all: it goes back as it was")
            self._hand_back([entry])
            return None
        ended = self._ended(entry.claim, answer)
        if isinstance(ended, RunFault):
            self._stop.set()
            with suppress(RunFault):
                self._source_takes_back([entry.claim])
            return ended
        calls = plural(ended.calls, "call")
        log.debug(f"{entry.claim.reference}: {calls} to {lane.name} in {ended.duration_s:.2f}s")
        self._any_connected = self._any_connected or ended.calls > 0
        self._mention_unknown(lane, entry.claim, ended)
        refusal = lane.note(ended.outcome)
        if refusal is None:
            return ended
        try:
            self._close(lane, refusal)
        except RunFault as fault:
            return fault
        finally:
            # What was granted before the carrier's answer is not called for any more.
            self._hand_back([held for held in self._buffer if lane_key(held.claim) == lane.key])
        return ended

    def _mention_unknown(self, lane: Lane, claim: Claim, ended: Ended) -> None:
        """A code that our tables lack, once a run: whoever keeps them may want to add it."""
        unknown = ended.outcome.unknown if isinstance(ended.outcome, Failure) else None
        if unknown and (lane.key, unknown) not in self._unknown_codes:
            self._unknown_codes.add((lane.key, unknown))
            log.warning(
                f"{lane.name} sent {unknown}, which recours does not know; seen for {claim.reference}"
            )

    def _settle(self, answered: list[tuple[Claim, Ended]]) -> None:
        """Decide and record answers; those of calls that could not connect wait for what the others bring."""
        if self._any_connected:
            self._settle_unreached()
        else:
            self._unreached += [(claim, ended) for claim, ended in answered if ended.unsent]
            answered = [(claim, ended) for claim, ended in answered if not ended.unsent]
        self._conclude(answered)

    def _conclude(self, answered: list[tuple[Claim, Ended]]) -> None:
        self._budget += len(answered) - self._recorder.conclude(answered)

    def _ended(self, claim: Claim, answer: Ended | Exception) -> Ended | RunFault:
        if isinstance(answer, Ended | RunFault):  # its document could not be kept, or the database failed
            return answer
        log.error(f"{claim.reference}: an error of ours", exc_info=answer)
        words = f"An error of ours ({type(answer).__name__}); the log has its details"
        return Ended(Failure(ErrorKind.INTERNAL_ERROR, words), self._around.clock.now(), 0.0)

    def _settle_unreached(self) -> None:
        """Judge the attempts that could not connect.

        If no call of the run could, to whatever carrier, our own network is at fault: no attempt is used up.
        """
        unreached, self._unreached = self._unreached, []
        calls = sum(ended.unsent for _, ended in unreached)
        if self._any_connected or calls < 2:  # noqa: PLR2004 (one call proves little)
            self._conclude(unreached)
            return
        self._recorder.leave(unreached)
        raise RunFault(
            "No carrier could be reached at all: is this machine online, and does it resolve names? "
            f"No attempt was used up ({plural(len(unreached), 'claim')})."
        )

    # ---------------------------------------------------------------- the end

    def _hand_back(self, entries: list[InHand]) -> None:
        """Give claims back with the units for their calls; if the database fails, their holds run out."""
        entries = list(entries)
        self._buffer = [entry for entry in self._buffer if entry not in entries]
        with suppress(RunFault):
            for entry in entries:
                entry.grant.settle()
            self._source_takes_back([entry.claim for entry in entries])

    def _source_takes_back(self, claims: list[Claim]) -> None:
        if claims:
            self._source.put_back(claims, self._hold(self._around.clock.now()))
            self._budget += len(claims)

    def _record_what_can_be(self) -> None:
        """After a fault of the run: what was under way is recorded if possible, else its hold runs out."""
        for entry, answer in self._threads.last_answers():
            with suppress(RunFault):
                ended = self._hear(entry, answer)
                if isinstance(ended, Ended):
                    self._settle([(entry.claim, ended)])
        with suppress(RunFault):
            self._recorder.leave(self._unreached)

    def _name(self, key: str) -> str:
        return self._catalog.name_of(key, "no carrier that is known")

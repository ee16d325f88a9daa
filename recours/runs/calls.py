"""The calls of a run: leased claims are begun, fetched by threads, and what came of them is recorded.

One thread takes, decides and records; the others ask carriers. No transaction is open while a carrier thinks.
"""

import logging
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

from recours.core.carrier import Catalog
from recours.core.claim import Claim
from recours.core.errors import ErrorKind
from recours.core.outcome import Failure
from recours.core.sentences import Said, Sentence
from recours.core.text import clean, plural
from recours.runs.attempt import Ended, attempt
from recours.runs.doubts import DENIALS, Doubts, Mistake, Suspect, mistake_of
from recours.runs.lane import Lane, lane_key
from recours.runs.ports import Blocked, Dependencies, NotRecordedError, Refusal, RunError
from recours.runs.recorder import Recorder
from recours.runs.source import Source
from recours.runs.supply import POLL_S, InHand, Limits, Supply
from recours.runs.threads import Answer, Threads
from recours.runs.unknown import UnknownCodes

log = logging.getLogger("__main__")

_RENEW_BELOW = timedelta(minutes=5)
# An account that was accepted within that time is an account that works: what denies us everything is then a change.
_ACCEPTED_WITHIN = timedelta(days=30)


class Calls:
    """The part of a run in which carriers are asked."""

    def __init__(
        self,
        deps: Dependencies,
        catalog: Catalog,
        limits: Limits,
        recorder: Recorder,
        source: Source,
        stop: threading.Event,
        what: Callable[[Claim], str],
        unknown: UnknownCodes,
    ) -> None:
        """`what` names an attempt for the log, such as `Retry #2`. `unknown`: the run's."""
        self._deps = deps
        self._catalog = catalog
        self._limits = limits
        self._recorder = recorder
        self._stop = stop
        self._what = what
        self._ends_at = deps.clock.monotonic() + limits.max_runtime.total_seconds()
        self._supply = Supply(deps, catalog, limits, recorder, source, self._announce)
        self._threads = Threads(limits.concurrency, self._ask)
        self._over = False  # by a fault of the run, whichever thread met it: nothing more is asked
        self._answered: list[tuple[Claim, Ended]] = []  # and not recorded yet
        self._held: dict[Any, InHand] = {}  # the same, by their claims' ids
        self._any_connected = False
        self._place = 0
        self._unknown = unknown
        self._faults: list[RunError] = []  # of the run, in lanes that were closed for them
        self.carriers_asked: set[str] = set()

    def closed_lanes(self) -> dict[str, Refusal]:
        """The carriers that took no more calls, and why."""
        return {lane.key: lane.refusal for lane in self._supply.lanes if lane.refusal}

    # ---------------------------------------------------------------- the loop

    def run(self, ready: Collection[str]) -> None:
        """Fetch the claims of these lanes, up to the batch. Raises RunFault."""
        self._supply.open(ready)
        try:
            goes_on = self._go_on()
            while goes_on:
                answers = self._await_answers()
                with self._deps.lines_together():
                    self._take_answers(answers)
                    goes_on = self._go_on()
            self._end_doubts()
            self._settle_unreached()
            if self._may_begin():
                self._supply.end_unnumbered()
            if self._faults:
                raise self._faults[0]
        finally:
            self._over = True
            self._supply.hand_back(self._supply.in_hand)
            self._record_what_can_be()

    def _go_on(self) -> bool:
        """Begin what can be begun; False when nothing is under way and nothing more can be taken."""
        if not self._may_begin():
            self._supply.hand_back(self._supply.in_hand)
            return bool(self._threads)
        self._begin()
        while self._may_begin() and self._supply.take_more():
            self._begin()
        return bool(self._threads or self._supply.in_hand or self._supply.waits_for_others)

    def _may_begin(self) -> bool:
        return not (self._over or self._stop.is_set()) and self._deps.clock.monotonic() < self._ends_at

    def _await_answers(self) -> list[tuple[InHand, Answer]]:
        if self._threads:
            return self._threads.answers(POLL_S)
        self._deps.clock.sleep(POLL_S)  # for units that others hold
        return []

    def _take_answers(self, in_order: list[tuple[InHand, Answer]]) -> None:
        faults = [fault for entry, answer in in_order if (fault := self._hear(entry, answer))]
        if self._may_begin():
            self._begin()  # first of all, so that no thread waits while answers are recorded
        self._settle(self._answered)
        self._renew()
        if faults:
            raise faults[0]

    # ---------------------------------------------------------------- asking

    def _begin(self) -> None:
        """Begin the calls of as many leased claims as may be under way at once."""
        chosen = self._startable()
        if not chosen:
            return
        lease = self._supply.lease()
        still_held = _ids(self._deps.claims.start([entry.claim for entry in chosen], lease))
        for entry in chosen:
            self._supply.in_hand.remove(entry)
            lane = self._supply.lane_of(entry.claim)
            if entry.claim.id in still_held:
                entry.leased_until = lease.until
                self._begin_one(entry, lane)
            else:  # its hold ran out, and another run has taken it
                entry.reservation.release()
                self._supply.allow(1)

    def _startable(self) -> list[InHand]:
        chosen: list[InHand] = []
        limits, accepted = self._limits, self._deps.queue.accepted
        most = limits.concurrency + limits.ahead - len(self._threads)
        room = {
            lane.key: (limits.carrier_concurrency + limits.ahead if accepted(lane.key) else 1)
            - lane.in_flight
            for lane in self._supply.lanes
        }
        for entry in self._supply.in_hand:
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
        lane.begun += 1
        entry.place = lane.begun
        self._threads.give(entry)

    def _ask(self, entry: InHand) -> Ended | None:
        """Ask the carrier, in a thread; None if it is not to be asked any more."""
        lane, deps = self._supply.lane_of(entry.claim), self._deps
        lost = entry.leased_until <= deps.clock.now()  # another run may have it by now
        if lost or lane.closes or not self._may_begin():
            return None
        try:
            ended = attempt(entry.claim, entry.reservation, deps.queue, deps.documents, deps.clock)
        except RunError:
            self._over = True
            raise
        lane.learn(ended.outcome)
        return ended

    def _renew(self) -> None:
        """Hold the claims longer whose calls last; one that was lost all the same is neither asked for nor recorded."""
        now = self._deps.clock.now()
        held = [*self._threads.given, *self._held.values()]
        ending = [entry for entry in held if entry.leased_until - now < _RENEW_BELOW]
        if ending:
            lease = self._supply.lease()
            still_held = _ids(self._deps.claims.renew([entry.claim for entry in ending], lease))
            for entry in ending:
                if entry.claim.id in still_held:
                    entry.leased_until = lease.until

    def _announce(self, claim: Claim, carrier: str) -> None:
        self._place += 1
        log.info(f"[{self._place}] {self._what(claim)} for {claim.reference} ({carrier})")

    # ---------------------------------------------------------------- answers

    def _hear(self, entry: InHand, answer: Answer) -> RunError | None:
        """Take an answer: its thread is free, and what it says of the carrier is known before another call."""
        lane = self._supply.lane_of(entry.claim)
        lane.in_flight -= 1
        if answer is None:
            log.info(f"{entry.claim.reference} not tried after all; it stays due")
            self._supply.hand_back([entry])
            return None
        ended = self._ended(entry.claim, answer)
        if isinstance(ended, RunError):
            self._stop.set()
            with suppress(RunError):
                self._supply.put_back([entry.claim])
            return ended
        self._answered.append((entry.claim, ended))
        self._held[entry.claim.id] = entry
        calls = plural(ended.calls, "call")
        log.debug(f"{entry.claim.reference}: {calls} to {lane.name} in {ended.duration_s:.2f}s")
        self._any_connected = self._any_connected or ended.calls > 0
        self._unknown.note(lane.key, lane.name, ended.outcome)
        refusal = lane.note(ended.outcome)
        try:
            refusal = self._doubted(lane, entry, ended) or refusal
            if refusal is None:
                return None
            lane.closes = True
            self._supply.close(lane, refusal)
        except RunError as fault:
            return fault
        finally:
            if lane.closes:  # what was granted before the carrier's answer is not called for any more
                self._supply.drop(lane)
        return None

    # ---------------------------------------------------------------- whose fault it is

    def _doubted(self, lane: Lane, entry: InHand, ended: Ended) -> Refusal | None:
        """Hear whether several answers together are the account's or the run's fault; a refusal if that closes the lane."""
        suspect = lane.doubts.hear(
            entry.claim.id,
            ended.outcome,
            accepted=ended.accepted,
            mistake=ended.mistake,
            place=entry.place,
            begun=lane.begun,
        )
        if suspect is Suspect.RUN and ended.mistake:
            return self._broken(lane, ended.mistake)
        return self._denied(lane) if suspect is Suspect.ACCOUNT else None

    def _broken(self, lane: Lane, mistake: Mistake) -> Refusal | None:
        claims = plural(lane.doubts.condemn(Suspect.RUN), "claim")
        remedy = mistake.remedy or "The log has its traceback: please report it"
        reason = f"recours itself failed on {lane.name} ({mistake.words}). {remedy}"
        self._faults.append(RunError(f"{reason}. No attempt was used ({claims})."))
        return None if lane.refusal else Refusal(Blocked.CARRIER, reason, kind=ErrorKind.INTERNAL_ERROR)

    def _denied(self, lane: Lane) -> Refusal | None:
        """So many parcels in a row are denied: rather our account's fault, if it ever worked. Raises RunFault."""
        reason = (
            f"{lane.name} denied us {DENIALS} parcels in a row. Check our account and its contract: "
            f'recours carriers check "{lane.name}"'
        )
        said = Said(Sentence.PARCELS_DENIED, lane.name)
        refusal = Refusal(Blocked.CARRIER, reason, kind=ErrorKind.ACCESS_DENIED, said=said)
        since = self._deps.clock.now() - _ACCEPTED_WITHIN
        if not (lane.doubts.accepted or self._deps.claims.was_accepted(lane.key, since)):
            lane.doubts.believe()
            log.warning(
                f"⚠️ {reason}. It has not accepted our account within 30 days: the others are asked about all the same"
            )
            self._supply.tell_operator(lane, refusal)
            return None
        lane.doubts.condemn(Suspect.ACCOUNT)
        return None if lane.refusal else refusal

    def _end_doubts(self) -> None:
        for lane in self._supply.lanes:
            lane.doubts.end()

    def _settle(self, heard: Sequence[tuple[Claim, Ended]]) -> None:
        """Decide and record answers; those of calls that could not connect, or in doubt, wait for what others bring."""
        ready = [
            (claim, ended)
            for claim, ended in heard
            if (self._any_connected or not ended.unsent) and not self._doubts_of(claim).waits(claim.id)
        ]
        excused = [one for one in ready if one[0].id in self._doubts_of(one[0]).excused]
        self._excuse(excused)
        self._conclude([one for one in ready if one not in excused])

    def _doubts_of(self, claim: Claim) -> Doubts:
        return self._supply.lane_of(claim).doubts

    def _excuse(self, answered: Sequence[tuple[Claim, Ended]]) -> None:
        """Record answers that are not their claims' fault: no attempt is used up."""
        for is_last in (True, False):
            some = [one for one in answered if self._doubts_of(one[0]).puts_last is is_last]
            if some:
                with self._recording(some):
                    self._recorder.leave(some, last=is_last)
                    self._supply.allow(len(some))

    def _conclude(self, answered: Sequence[tuple[Claim, Ended]]) -> None:
        with self._recording(answered):
            self._supply.allow(len(answered) - self._recorder.conclude(answered))

    @contextmanager
    def _recording(self, answered: Sequence[tuple[Claim, Ended]]) -> Iterator[None]:
        """What is recorded then is no longer among what was heard; what could not be is."""
        done = _ids(claim for claim, _ in answered)
        try:
            yield
        except NotRecordedError as fault:
            done = frozenset(fault.written)
            raise
        finally:
            self._answered = [(claim, ended) for claim, ended in self._answered if claim.id not in done]
            self._held = {claim.id: self._held[claim.id] for claim, _ in self._answered}

    def _ended(self, claim: Claim, answer: Ended | Exception) -> Ended | RunError:
        if isinstance(answer, Ended | RunError):  # its document could not be kept, or the database failed
            return answer
        log.error(f"{claim.reference}: an error of ours", exc_info=answer)
        message = f"An error of ours ({type(answer).__name__}); the log has its details"
        failure = Failure.of(Sentence.INTERNAL, message=message)
        return Ended(failure, self._deps.clock.now(), 0.0, mistake=mistake_of(answer))

    def _settle_unreached(self) -> None:
        """Assess the attempts that could not connect.

        If no call of the run could, to whatever carrier, our own network is at fault: no attempt is used up.
        """
        unreached = list(self._answered)
        calls = sum(ended.unsent for _, ended in unreached)
        if self._any_connected or calls < 2:  # noqa: PLR2004 (one call proves little)
            self._conclude(unreached)
            return
        with self._recording(unreached):
            self._recorder.leave(unreached)
        raise RunError(
            "No carrier could be reached at all: is this machine online, and does it resolve names? "
            f"No attempt was used up ({plural(len(unreached), 'claim')})."
        )

    # ---------------------------------------------------------------- the end

    def _record_what_can_be(self) -> None:
        """After a fault of the run: what was heard or under way is recorded if possible, else its hold runs out."""
        with suppress(RunError):
            self._settle(self._answered)
        for entry, answer in self._threads.last_answers():
            before = len(self._answered)
            self._hear(entry, answer)
            with suppress(RunError):
                self._settle(self._answered[before:])
        self._end_doubts()
        with suppress(RunError):
            self._settle(self._answered)
        with suppress(RunError):
            self._recorder.leave([(claim, ended) for claim, ended in self._answered if ended.unsent])


def _ids(claims: Iterable[Claim]) -> frozenset[Any]:
    return frozenset(claim.id for claim in claims)

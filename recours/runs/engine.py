"""Fetches the claims of a run: each thread leases a bundle, reserves quota, fetches, decides, records, and starts over.

One lock guards what the threads share. It is never held, and no transaction is open, while a carrier is asked.
"""

import threading
from collections import deque
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta

from recours.core.accounts import carrier_of
from recours.core.carrier import Catalog
from recours.core.errors import ErrorKind, RunError
from recours.core.outcome import Failure
from recours.core.pauses import Blocked, Refusal
from recours.core.text import clean, plural
from recours.runs.attempt import Ended, attempt, ended_by_mistake
from recours.runs.leasing import POLL_S, Leased, Leasing, Limits
from recours.runs.log import log
from recours.runs.mistakes import Mistake
from recours.runs.ports import Asked, Dependencies, Fetched, NotRecordedError, Ready
from recours.runs.recorder import Recorder
from recours.runs.source import Source
from recours.runs.summary import UnknownCodes

_RENEW_BELOW = timedelta(minutes=5)


@dataclass(eq=False)
class Engine:
    """The part of a run in which carriers are asked."""

    _deps: Dependencies
    _catalog: Catalog
    _limits: Limits
    _recorder: Recorder
    _source: Source
    _stop: threading.Event
    _unknown: UnknownCodes

    def __post_init__(self) -> None:
        self._ends_at = self._deps.clock.monotonic() + self._limits.max_runtime.total_seconds()
        self.leasing = Leasing(
            self._deps, self._catalog, self._limits, self._recorder, self._source, self._may_begin
        )
        self._changed = threading.Condition()
        self._bundles: deque[list[Leased]] = deque()  # for threads that are about to come for one
        self._leased: list[Leased] = []  # and not recorded yet
        # Not heard yet; and whether each is the last of its bundle.
        self._new_answers: deque[tuple[Leased, Ended, bool]] = deque()
        self._answered: list[tuple[Leased, Ended]] = []  # heard: later answers may tell more about some
        self._any_connected = False
        self._over = False  # by a fault of the run, whichever thread met it: nothing more is asked
        self._fault: RunError | None = None
        self._faults_of_lanes: list[RunError] = []

    def run(self, ready: Mapping[str, Ready]) -> None:
        """Fetch the claims of these lanes, up to the batch. Raises RunError."""
        self.leasing.open(ready)
        try:
            self._run_threads()
            self._record_what_waits()
            self.leasing.report_lanes()
            if self._may_begin():
                self.leasing.end_unnumbered()
            if self._faults_of_lanes:
                raise self._faults_of_lanes[0]
        finally:
            self._record_what_can_be()

    # ---------------------------------------------------------------- the threads

    def _run_threads(self) -> None:
        """Returns when nothing is left that could be asked for."""
        count = self._limits.concurrency
        with ThreadPoolExecutor(count, thread_name_prefix="fetch") as pool:
            working = {pool.submit(self._work) for _ in range(count)}
            while working:
                done, working = wait(working, POLL_S, FIRST_COMPLETED)
                for thread in done:
                    thread.result()
                self._renew()
        for bundle in self._bundles:  # which the threads left when they were stopped
            self._hand_back(bundle)
        if self._fault:
            raise self._fault

    def _await_answers(self) -> None:
        """Wait until another thread has an answer, a little at a time; the lock is held."""
        self._changed.wait(POLL_S)

    def _work(self) -> None:
        try:
            while bundle := self._next():
                self._fetch(bundle)
        except RunError as fault:
            self._fail(fault)
        except BaseException:
            self._over = True
            raise

    def _fail(self, fault: RunError) -> None:
        with self._changed:
            self._over = True
            self._fault = self._fault or fault
            self._changed.notify_all()

    def _may_begin(self) -> bool:
        return not (self._over or self._stop.is_set()) and self._deps.clock.monotonic() < self._ends_at

    def _next(self) -> list[Leased]:
        """The next bundle to fetch; empty if there is none, and none can come back. Raises RunError."""
        while True:
            with self._changed:
                self._take_answers()
                if not self._may_begin():
                    return []
                self._renew()
                if not self._bundles:
                    self._lease()
                if self._bundles:
                    bundle = self._bundles.popleft()
                    self._begin(bundle[0])
                    return bundle
                if self.leasing.in_flight:
                    self._await_answers()
                elif self.leasing.waits_for_quota:
                    self._deps.clock.sleep(POLL_S)  # the other threads want nothing else
                else:
                    self._changed.notify_all()  # the others have nothing to wait for either
                    return []

    def _lease(self) -> None:
        """A bundle for each thread that has none: to lease and to record several claims costs little more than one."""
        self._bundles += self.leasing.next()
        self._leased += [leased for bundle in self._bundles for leased in bundle]
        if len(self._bundles) > 1:
            self._changed.notify_all()

    def _renew(self) -> None:
        """Extend the leases of claims whose calls last; one that was lost is neither asked about nor recorded."""
        with self._changed:
            now = self._deps.clock.now()
            ending = [leased for leased in self._leased if leased.until - now < _RENEW_BELOW]
            if not ending:
                return
            lease = self.leasing.new_lease()
            try:
                kept = self._deps.claims.renew([leased.claim for leased in ending], lease)
            except RunError as fault:
                self._fail(fault)
                return
            ids = {claim.id for claim in kept}
            for leased in ending:
                if leased.claim.id in ids:
                    leased.until = lease.until

    # ---------------------------------------------------------------- a bundle

    def _fetch(self, bundle: list[Leased]) -> None:
        """Ask about each claim and record the answer before the next one is asked about. Raises RunError."""
        rest = list(bundle)
        try:
            with closing(self._answers(bundle)) as answers:
                is_closed = False
                while rest and (is_closed or self._may_ask(rest[0])):
                    if not (ended := self._ask(rest[0], answers)):
                        break
                    # Then the rest is not called for, and what is known of it is recorded all the same.
                    is_closed = is_closed or ended.closes_carrier
                    self._note(rest.pop(0), ended, rest)
            for leased in rest:
                log.info(f"{leased.claim.reference} not tried after all; it stays due")
        finally:
            if rest:
                self._hand_back(rest)

    def _answers(self, bundle: Sequence[Leased]) -> Generator[Fetched, None, None]:
        reservations = [leased.reservation for leased in bundle]
        now = self._deps.clock.now()
        asked = [
            Asked(each.claim.number or "", each.known, each.claim.id, each.claim.earliest_delivery(now))
            for each in bundle
        ]
        return self._deps.queue.fetch_bundle(reservations, bundle[0].lane.key, asked, self._may_begin)

    def _note(self, leased: Leased, ended: Ended, rest: list[Leased]) -> None:
        """Note an answer, and have it recorded before the rest of its bundle is asked about. Raises RunError."""
        leased.lane.learn(ended.outcome)  # for the other threads, at once
        if ended.evidence:  # if it cannot be, the lease runs out, and a later run finds it
            self._deps.documents.secure(ended.evidence)
        self._new_answers.append((leased, ended, not rest))
        if rest:
            with self._changed:
                self._take_answers()
                self._begin(rest[0])
                self._changed.notify_all()  # the carrier may have accepted our account: now more can be asked at once

    def _may_ask(self, leased: Leased) -> bool:
        is_lost = leased.until <= self._deps.clock.now()  # another run may have it by now
        return self._may_begin() and not (is_lost or leased.lane.is_closing)

    def _ask(self, leased: Leased, answers: Iterator[Fetched]) -> Ended | None:
        """How the attempt ended, whatever happened; None if there are no more answers. Raises RunError."""
        deps, claim = self._deps, leased.claim
        try:
            return attempt(claim, leased.known, leased.reservation, answers, deps)
        except RunError as fault:
            # Before the claim goes back, so that nobody leases it again; and before the stop, so that no fault that
            # follows from it is reported instead.
            self._fail(fault)
            self._stop.set()
            raise
        except Exception as error:
            log.exception(f"{claim.reference}: an internal error")
            return ended_by_mistake(error, deps.clock)

    def _begin(self, leased: Leased) -> None:
        lane, claim = leased.lane, leased.claim
        self._recorder.announce(claim, lane.account)
        if self._catalog.specs[carrier_of(lane.key)].is_doubtful(claim.number or ""):
            number = clean(claim.number or "", 60)
            log.warning(
                f"{claim.reference}: the check digit of {number} does not fit; {lane.name} is asked all the same"
            )

    def _hand_back(self, rest: list[Leased]) -> None:
        with self._changed:
            self.leasing.ended(rest[0].lane)
            self._leased = [leased for leased in self._leased if leased not in rest]
            self.leasing.hand_back(rest)

    # ---------------------------------------------------------------- answers

    def _take_answers(self) -> None:
        """Hear what the threads were answered by now, and record what can be; the lock is held. Raises RunError."""
        faults = []
        while self._new_answers:
            leased, ended, is_last = self._new_answers.popleft()
            if is_last:
                self.leasing.ended(leased.lane)
            if fault := self._hear(leased, ended):
                faults.append(fault)
        if not self._fault:  # else all that is left is tried in one go, when the threads have ended
            self._record(self._ready())
        if faults:
            raise faults[0]

    def _hear(self, leased: Leased, ended: Ended) -> RunError | None:
        claim, lane, fetched = leased.claim, leased.lane, ended.fetched
        log.debug(
            f"{claim.reference}: {plural(fetched.calls, 'call')} to {lane.account} in {ended.duration_s:.2f}s"
        )
        self._answered.append((leased, ended))
        self._any_connected = self._any_connected or fetched.calls > 0
        self._unknown.note(carrier_of(lane.key), lane.name, ended.outcome)
        self.leasing.note_documents(lane, ended.outcome)
        was_called = fetched.calls + fetched.unsent > 0
        refusal = lane.note(ended.outcome, called=was_called, shows_outage=fetched.shows_outage)
        try:
            if refusal := self._broken(leased, ended.mistake) or refusal:
                lane.closes = True
                self.leasing.close(lane, refusal)
        except RunError as fault:
            return fault
        return None

    def _broken(self, leased: Leased, mistake: Mistake | None) -> Refusal | None:
        """Hear whether the run is at fault for recours's own mistakes; a refusal if that closes the lane."""
        lane = leased.lane
        excused = lane.mistakes.note(leased.claim.id, mistake)
        if mistake is None or not excused:
            return None
        remedy = mistake.remedy or "The log has its traceback: please report it"
        reason = f"recours itself failed on {lane.name} ({mistake.message}). {remedy}"
        self._faults_of_lanes.append(RunError(f"{reason}. No attempt was used ({plural(excused, 'claim')})."))
        return None if lane.refusal else Refusal(Blocked.CARRIER, reason, kind=ErrorKind.INTERNAL_ERROR)

    # ---------------------------------------------------------------- recording

    def _ready(self) -> list[tuple[Leased, Ended]]:
        """Answers to be recorded now: not mistakes, while others may tell more; nor claims that would be leased once more."""
        return [
            (leased, ended)
            for leased, ended in self._answered
            if leased.claim.id not in leased.lane.mistakes.waiting and not ended.asked_nothing
        ]

    def _record(self, answered: Collection[tuple[Leased, Ended]]) -> None:
        """Record answers; those that are not their claims' fault use no attempt. Raises RunError."""
        excused = [each for each in answered if each[0].claim.id in each[0].lane.mistakes.excused]
        for is_last in (True, False):
            self._leave(
                [each for each in excused if each[0].lane.mistakes.puts_last is is_last], is_last=is_last
            )
        others = [each for each in answered if each not in excused]
        if others:
            with self._recording(others):
                used = self._recorder.conclude([(leased.claim, ended) for leased, ended in others])
                self.leasing.allow(len(others) - used)

    def _leave(self, answered: Collection[tuple[Leased, Ended]], *, is_last: bool = False) -> None:
        if answered:
            with self._recording(answered):
                self._recorder.leave([(leased.claim, ended) for leased, ended in answered], last=is_last)
                self.leasing.allow(len(answered))

    @contextmanager
    def _recording(self, answered: Collection[tuple[Leased, Ended]]) -> Iterator[None]:
        """What is recorded then does not wait any more; what could not be does."""
        ids = {leased.claim.id for leased, _ in answered}
        try:
            yield
        except NotRecordedError as fault:
            ids = set(fault.written)
            raise
        except RunError:
            ids = set()
            raise
        finally:
            self._answered = [each for each in self._answered if each[0].claim.id not in ids]
            self._leased = [leased for leased in self._leased if leased.claim.id not in ids]

    def _record_what_waits(self) -> None:
        """Record what waited for other answers: none will come. Raises RunError.

        Our own network is at fault if no call of the run could connect, to two carriers or more, or no name was resolved. A
        carrier that cannot be reached is that carrier's trouble.
        """
        self._end_waiting()
        unreachable = [
            (leased.lane, ended.outcome) for leased, ended in self._answered if ended.asked_nothing
        ]
        self._record(list(self._answered))
        for lane, outcome in unreachable:
            lane.leave_unreachable(outcome)
        carriers = {carrier_of(lane.key) for lane, _ in unreachable}
        is_resolved = any(isinstance(outcome, Failure) and outcome.resolved for _, outcome in unreachable)
        if self._any_connected or not carriers or (len(carriers) == 1 and is_resolved):
            return
        raise RunError(
            "No carrier could be reached at all: is this machine online, and does it resolve names? "
            f"No attempt was used up ({plural(len(unreachable), 'claim')})."
        )

    def _end_waiting(self) -> None:
        """No other answer will come: the mistakes that wait are their claims' own."""
        for lane in self.leasing.lanes:
            lane.mistakes.waiting.clear()

    def _record_what_can_be(self) -> None:
        """After a fault of the run: what was answered is recorded if possible, else its lease runs out."""
        with suppress(RunError):
            self._take_answers()
        self._end_waiting()
        with suppress(RunError):
            self._record(list(self._answered))

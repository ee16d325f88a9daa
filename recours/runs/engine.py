"""Fetches the claims of a run: leases bundles, calls the carriers, stores documents, decides and records.

The run's main thread leases, records and manages the lanes; its other threads call carriers and store documents.
No transaction is open during a call.
"""

import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

from recours.core.accounts import carrier_of
from recours.core.carrier import Catalog
from recours.core.errors import ErrorKind, RunError
from recours.core.outcome import Failure
from recours.core.pauses import Blocked, Refusal
from recours.core.text import clean, plural
from recours.runs.attempt import AttemptResult, attempt, result_of_internal_error
from recours.runs.lane import Lane, LeasedClaim
from recours.runs.leasing import POLL_S, Leasing, thread_count
from recours.runs.log import log
from recours.runs.ports import CarrierAnswer, Dependencies, Limits, NotRecordedError, ParcelQuery, Ready
from recours.runs.recorder import Recorder
from recours.runs.source import Source
from recours.runs.thread_pool import ThreadPool

_RENEW_BELOW = timedelta(minutes=5)
_RENEW_EVERY_S = 60.0
# Answers that arrive within this time are recorded in one transaction, up to this number of answers.
_RECORD_DELAY_S = 0.1
_MOST_AT_ONCE = 8


@dataclass(frozen=True)
class AttemptFinished:
    """Sent by a thread that has finished an attempt. `refusal`: why the answer closed the lane, if it did."""

    leased: LeasedClaim
    result: AttemptResult
    refusal: Refusal | None
    repeats_outage: bool  # see `Lane.repeats_outage`


@dataclass(frozen=True)
class BundleFinished:
    """Sent by a thread that has finished a bundle. `unasked`: claims that the thread did not ask the carrier about."""

    bundle: list[LeasedClaim]
    unasked: list[LeasedClaim]


@dataclass(eq=False)
class Engine:
    """The part of a run that calls the carriers."""

    _deps: Dependencies
    _catalog: Catalog
    _limits: Limits
    _recorder: Recorder
    _source: Source
    _stop: threading.Event

    def __post_init__(self) -> None:
        self._ends_at = self._deps.clock.monotonic() + self._limits.max_runtime.total_seconds()
        self.leasing = Leasing(
            self._deps, self._catalog, self._limits, self._recorder, self._source, self._may_begin
        )
        self._from_threads: SimpleQueue[AttemptFinished | BundleFinished] = SimpleQueue()
        self._lanes_lock = threading.Lock()  # several threads register answers of a lane
        self._leased: dict[Any, LeasedClaim] = {}  # not recorded yet, by claim id
        self._answered: list[AttemptFinished] = []  # not recorded yet
        self._record_at: float | None = None  # monotonic seconds
        self._any_connected = False
        self._has_ended = False  # a fault in any thread ended the run, so no further call begins
        self._fault: RunError | None = None
        self._crash: BaseException | None = None  # an unexpected exception in any thread
        self._lane_faults: list[RunError] = []

    def run(self, ready: Mapping[str, Ready]) -> None:
        """Fetch the claims of these lanes, up to the batch size. Raises RunError."""
        self.leasing.open(ready)
        try:
            with ThreadPool(thread_count(self._limits.concurrency), self._fetch, "fetch") as threads:
                try:
                    self._fetch_all(threads)
                except BaseException as error:  # noqa: BLE001 (it is raised again once the other threads have ended)
                    self._has_ended = True  # so that the other threads begin no further call
                    self._crash = error
            if self._crash:
                for lane in self.leasing.lanes.values():
                    lane.internal_errors.defer_unattributed()
                raise self._crash
            if self._fault:
                raise self._fault
            self._record_remaining()
            self.leasing.report_lanes()
            if self._may_begin():
                self.leasing.end_unnumbered()
            if self._lane_faults:
                raise self._lane_faults[0]
        finally:  # after a fault, record the remaining answers if possible; if not, their leases expire
            with suppress(RunError):
                self._record(self._answered)

    # ---------------------------------------------------------------- main thread

    def _fetch_all(self, threads: ThreadPool[list[LeasedClaim]]) -> None:
        """Fetch bundles until no fetchable claim is left."""
        while True:
            try:
                while self._may_begin() and (bundles := self.leasing.next()):
                    for bundle in bundles:
                        self._leased.update({leased.claim.id: leased for leased in bundle})
                        threads.submit(bundle)
                has_recorded = self._record_when_due()
                if self.leasing.in_flight:
                    self._process(self._next_message(threads))
                elif self._may_begin() and self.leasing.waits_for_quota:
                    self._deps.clock.sleep(POLL_S)
                elif not has_recorded:  # recording may make room in the batch
                    return
                self._renew()
            except RunError as fault:
                self._fail(fault)

    def _next_message(
        self, threads: ThreadPool[list[LeasedClaim]]
    ) -> AttemptFinished | BundleFinished | None:
        """Return the next message from a thread, or None if recording or renewing is due first."""
        wait_s = _RENEW_EVERY_S
        if self._record_at is not None:
            wait_s = min(wait_s, max(self._record_at - time.monotonic(), 0.0))
        try:
            return self._from_threads.get(timeout=wait_s)
        except Empty:
            threads.check()
            return None

    def _process(self, message: AttemptFinished | BundleFinished | None) -> None:
        """Process the end of an attempt or of a bundle. Raises RunError."""
        if isinstance(message, AttemptFinished):
            self._process_answer(message)
        elif message:
            self.leasing.end_bundle(message.bundle[0].lane)
            for leased in message.unasked:
                log.info(f"{leased.claim.reference} not tried yet; it stays due")
                # The entry may be missing: after its lease expired, the claim may have been leased again.
                self._leased.pop(leased.claim.id, None)
            if message.unasked:
                self.leasing.return_claims(message.unasked)

    def _process_answer(self, answer: AttemptFinished) -> None:
        """Update the lane after an answer, which is recorded later. Raises RunError."""
        result = answer.result
        lane = answer.leased.lane
        calls = plural(result.fetched.calls, "call")
        log.debug(f"{result.claim.reference}: {calls} to {lane.account} in {result.duration_s:.2f}s")
        self._answered.append(answer)
        self._any_connected = self._any_connected or result.fetched.calls > 0
        self._recorder.unknown.count(carrier_of(lane.key), lane.name, result.outcome)
        self.leasing.update_documents(lane, result.outcome)
        if refusal := self._refusal_for_internal_error(lane, result) or answer.refusal:
            lane.must_close = True
            self.leasing.close(lane, refusal)

    def _refusal_for_internal_error(self, lane: Lane, result: AttemptResult) -> Refusal | None:
        """Register an internal error or its absence, and return a refusal if internal errors close the lane."""
        deferred = lane.internal_errors.observe(result.claim.id, result.internal_error)
        if result.internal_error is None or not deferred:
            return None
        remedy = result.internal_error.remedy or "Please report it, with the traceback from the log"
        reason = f"Internal error in recours for {lane.name} ({result.internal_error.message}). {remedy}"
        self._lane_faults.append(
            RunError(f"{reason}. Deferred without using an attempt: {plural(deferred, 'claim')}.")
        )
        return None if lane.refusal else Refusal(Blocked.CARRIER, reason, kind=ErrorKind.INTERNAL_ERROR)

    def _fail(self, fault: RunError) -> None:
        self._has_ended = True
        self._fault = self._fault or fault

    def _may_begin(self) -> bool:
        return not (self._has_ended or self._stop.is_set()) and self._deps.clock.monotonic() < self._ends_at

    def _renew(self) -> None:
        """Extend leases that end soon; claims that lost their lease are not fetched or recorded. Raises RunError."""
        now = self._deps.clock.now()
        ending = [leased for leased in self._leased.values() if leased.until - now < _RENEW_BELOW]
        if not ending:
            return
        lease = self.leasing.new_lease()
        for claim in self._deps.claims.renew([leased.claim for leased in ending], lease):
            self._leased[claim.id].until = lease.until

    # ---------------------------------------------------------------- a bundle, in one of the threads

    def _fetch(self, bundle: list[LeasedClaim]) -> None:
        """Fetch each claim, store its documents, and pass the answer to the main thread before the next claim."""
        unasked = list(bundle)
        is_closed = False
        try:
            with closing(self._answers(bundle)) as answers:
                for leased in bundle:
                    is_lost = leased.until <= self._deps.clock.now()  # another run may have leased the claim
                    may_ask = self._may_begin() and not (is_lost or leased.lane.is_closing)
                    # After an answer that closes the carrier, the other answers of the shared call are still recorded.
                    if not (is_closed or may_ask):
                        break
                    self._announce(leased)
                    result = self._attempt(leased, answers)
                    if result is None:
                        break
                    is_closed = is_closed or result.outcome.closes_carrier
                    unasked.remove(leased)
                    if result.evidence:  # after a failure, a later run finds the documents
                        self._deps.documents.make_durable(result.evidence)
                    self._from_threads.put(self._apply_answer(leased, result))
        except RunError as fault:
            # Register the fault first, so that the claim is not leased again once it is released, and so that this
            # fault is reported and not a later fault that the stop causes.
            self._fail(fault)
            self._stop.set()
        except BaseException as error:  # noqa: BLE001 (the main thread raises it again)
            self._has_ended = True
            self._crash = error
        finally:
            self._from_threads.put(BundleFinished(bundle, unasked))

    def _answers(self, bundle: Sequence[LeasedClaim]) -> Generator[CarrierAnswer, None, None]:
        """Return the carrier's answers for the claims of a bundle, in order."""
        now = self._deps.clock.now()
        questions = [
            ParcelQuery(
                leased.claim.number or "",
                leased.delivery,
                leased.claim.id,
                leased.claim.earliest_delivery(now),
            )
            for leased in bundle
        ]
        reservations = [leased.reservation for leased in bundle]
        lane = bundle[0].lane
        return self._deps.queue.fetch_bundle(
            reservations, lane.key, questions, lambda: self._may_begin() and not lane.is_closing
        )

    def _announce(self, leased: LeasedClaim) -> None:
        lane = leased.lane
        claim = leased.claim
        self._recorder.announce(claim, lane.account)
        if self._catalog.specs[carrier_of(lane.key)].is_doubtful(claim.number or ""):
            number = clean(claim.number or "", 60)
            log.warning(
                f"{claim.reference}: the check digit of {number} is wrong; {lane.name} is asked anyway"
            )

    def _attempt(self, leased: LeasedClaim, answers: Iterator[CarrierAnswer]) -> AttemptResult | None:
        """Return the result of the attempt, even after an internal error. None: no answer is left. Raises RunError."""
        try:
            return attempt(leased.claim, leased.delivery, leased.reservation, answers, self._deps)
        except RunError:
            raise
        except Exception as error:
            log.exception(f"{leased.claim.reference}: internal error")
            return result_of_internal_error(leased.claim, error, self._deps.clock)

    def _apply_answer(self, leased: LeasedClaim, result: AttemptResult) -> AttemptFinished:
        """Register an answer with its lane. A lock makes the threads register their answers one after the other."""
        lane = leased.lane
        fetched = result.fetched
        was_called = fetched.calls + fetched.unsent > 0
        with self._lanes_lock:
            repeats_outage = lane.repeats_outage(result.outcome)
            refusal = lane.observe(result.outcome, called=was_called, shows_outage=fetched.shows_outage)
        return AttemptFinished(leased, result, refusal, repeats_outage)

    # ---------------------------------------------------------------- recording

    def _record_when_due(self) -> bool:
        """Record the answers if there are enough, if they are old enough, or if no more will arrive. Raises RunError.

        Return whether any were recorded.
        """
        # Internal errors of unclear cause wait. So do claims that never connected: recording lets them be leased again.
        ready = [
            answer
            for answer in self._answered
            if answer.result.claim.id not in answer.leased.lane.internal_errors.unattributed
            and not answer.result.never_connected
        ]
        if not ready or self._fault:  # after a fault, `run` records the remaining answers at the end
            self._record_at = None
            return False
        if self._record_at is None:
            self._record_at = time.monotonic() + _RECORD_DELAY_S
        is_old = time.monotonic() >= self._record_at
        is_due = is_old or len(ready) >= _MOST_AT_ONCE or not self.leasing.in_flight
        if is_due:
            self._record_at = None
            self._record(ready)
        return is_due

    def _record(self, answers: Sequence[AttemptFinished]) -> None:
        """Record answers. Failures that are not the claim's fault do not count as attempts. Raises RunError."""
        deferred: dict[bool, list[AttemptFinished]] = {
            True: [],
            False: [],
        }  # by whether they rank last from now on
        ordinary = []
        for answer in answers:
            internal_errors = answer.leased.lane.internal_errors
            if answer.result.claim.id in internal_errors.deferred:
                deferred[internal_errors.ranks_last].append(answer)
            elif answer.repeats_outage:
                deferred[False].append(answer)
            else:
                ordinary.append(answer)
        for is_last, of_run in deferred.items():
            self._record_group(of_run, partial(self._recorder.defer, last=is_last))
        self._record_group(ordinary, self._recorder.conclude)

    def _record_group(
        self, answers: Sequence[AttemptFinished], record: Callable[[Sequence[AttemptResult]], int]
    ) -> None:
        """Record these answers, and keep any that cannot be recorded. `record`: returns how many attempts were used."""
        if not answers:
            return
        ids = {answer.result.claim.id for answer in answers}
        try:
            used_attempts = record([answer.result for answer in answers])
            self.leasing.allow(len(answers) - used_attempts)
        except NotRecordedError as fault:
            ids = set(fault.recorded)
            raise
        except RunError:
            ids = set()
            raise
        finally:
            self._answered = [answer for answer in self._answered if answer.result.claim.id not in ids]
            for recorded in ids:
                self._leased.pop(recorded, None)

    def _record_remaining(self) -> None:
        """Record the remaining answers after the last one has arrived. Raises RunError.

        If no call of the run connected, our own network is at fault if two or more carriers were called or no host name
        was resolved. A single unreachable carrier is the carrier's fault.
        """
        unreachable = [answer for answer in self._answered if answer.result.never_connected]
        self._record(self._answered)
        carriers = set()
        is_resolved = False
        for answer in unreachable:
            lane = answer.leased.lane
            outcome = answer.result.outcome
            lane.count_unreachable(outcome)
            carriers.add(carrier_of(lane.key))
            is_resolved = is_resolved or (isinstance(outcome, Failure) and outcome.resolved)
        if self._any_connected or not carriers or (len(carriers) == 1 and is_resolved):
            return
        raise RunError(
            "No carrier could be reached: check this machine's network and DNS. "
            f"Deferred without using an attempt: {plural(len(unreachable), 'claim')}."
        )

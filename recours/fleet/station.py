"""A long-lived process's part in the work: its database, accounts and connections are kept, and slices of work done with them.

No job queue is known here. Whatever decides when something is done calls `tick`, `slice`, `fetch_now` and `sweep`, from
any thread and in any number. Each is a wake-up call and no more: claims, leases, quotas, backoff and order are those of
the runs that cron starts, which may go on beside.
"""

import threading
import uuid
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import random
from signal import SIGTERM
from typing import Any

from recours.core.claim import Claim, Urgency
from recours.core.errors import RunError
from recours.core.pauses import Refusal
from recours.core.quota import Usage
from recours.database.engine import SystemClock
from recours.database.journal import RunJournal
from recours.database.schema.inspection import look
from recours.fleet.jobs import Wake, WorkerLane
from recours.fleet.shift import Shift
from recours.logs import run_log
from recours.operations.schedule import WORKERS
from recours.runs.fetch import PODFetchWorker
from recours.runs.lane import lane_key
from recours.runs.ports import Clock
from recours.runs.retry import PODRetryScheduler
from recours.runs.source import RefusedError
from recours.runs.worker import Options, Worker
from recours.settings.model import Settings
from recours.wiring.carriers import accounts, catalog_of, make_queue, redactor
from recours.wiring.databases import Opened
from recours.wiring.workers import leave_metrics, make_pings, make_worker

# A slice is short, so that what becomes more urgent meanwhile does not wait long.
SLICE, LONGEST_SLICE = 50, timedelta(seconds=30)
_LONGEST_FETCH = timedelta(minutes=5)
# How long a call takes, as a rule: more threads than a carrier's calls per second only wait for each other.
_CALL_S = 1.0


@dataclass(frozen=True)
class _Closed:
    until: datetime
    is_known: bool  # the queue knows why, and learns when it is over


@dataclass
class Station:
    """Used by any number of threads."""

    settings: Settings
    opened: Opened
    threads: int = 4  # of one slice
    only: Collection[str] = ()  # carriers, by their keys; none: all
    max_retries: int = 4
    clock: Clock = field(default_factory=SystemClock)
    fault: str | None = field(default=None, init=False)  # why the last piece of work failed
    stopped: bool = field(default=False, init=False)
    is_outdated: bool = field(
        default=False, init=False
    )  # the schema is not the one that was there at the start

    @property
    def carriers(self) -> Collection[str]:
        """The keys of those that this process works for."""
        return self.only or (*self._accounts, "")

    def __post_init__(self) -> None:
        """Connect nowhere yet."""
        database = self.opened.database
        self._accounts = accounts(self.settings, self.clock, random)
        self._catalog = catalog_of(self.settings)
        self._journal = RunJournal(database, self.settings.keep_runs)
        self._queue = make_queue(
            self.settings, database, self.settings.policy, self.clock, random, "fleet", self._accounts
        )
        self._guard = threading.Lock()
        self._shifts: dict[str, Shift] = {}
        self._over: list[Shift] = []  # whose last pieces of work are under way
        self._closed: dict[WorkerLane, _Closed] = {}
        self._slices: Counter[str] = Counter()  # at work, by carrier
        self._at_work: set[Worker] = set()
        self._done: Counter[str] = Counter()  # pieces of work, by name
        self._pinged: dict[str, datetime] = {}

    # ---------------------------------------------------------------- pieces of work

    def tick(self, wake: Wake) -> None:
        """Bring the rows up to date, for all processes, and wake the lanes with claims to fetch, the most urgent first."""
        found: list[tuple[Urgency, WorkerLane]] = []
        for kind in WORKERS.values():
            with self._logged(), self._piece_of_work("tick", kind) as worker:
                worker.maintain()
                ready = worker.deps.claims.ready_by_carrier(kind.stage, self.clock.now(), 1)
                found += [(lane.head, WorkerLane(kind.name, carrier)) for carrier, lane in ready.items()]
        with self._logged():
            for _, lane in sorted(
                found, key=lambda one: one[0]
            ):  # of all carriers: other processes may work for others
                wake(lane)

    def slice(self, lane: WorkerLane, wake: Wake) -> None:
        """Fetch the most urgent claims of a lane.

        `wake` has another slice of the lane begin as soon as a process is free. It is called at once if there is more
        than one slice of work: as many processes work on a lane as there is work for.
        """
        kind = WORKERS.get(lane.worker)  # None: of another version
        if kind is None or self.stopped:
            return
        with self._logged(), self._one_of(lane) as may_begin:
            if not may_begin or self._is_closed(lane):
                return
            with self._piece_of_work("slice", kind) as worker:
                ready = self._ready(worker, lane)
                if ready > SLICE:
                    wake(lane)
                if not ready:
                    return
                worker.slice((lane.carrier,), most=SLICE, longest=LONGEST_SLICE)
                self._heed(worker, lane)
                if not (self.stopped or self._is_closed(lane)) and self._ready(worker, lane):
                    wake(lane)

    def fetch_now(self, reference: str) -> None:
        """Fetch one claim before all others: a new one as its first attempt, another as a person asks for it.

        Why one cannot be fetched is logged: as a rule, a run was faster.
        """
        with self._logged():
            claim = self._claim(reference)
            if claim and lane_key(claim) not in self.carriers:
                run_log().info(f"{claim.reference} is left to processes that work for its carrier")
                return
            is_new = claim is not None and claim.is_pending
            kind = PODFetchWorker if is_new else PODRetryScheduler
            options = Options(batch_size=1, claims=(reference,), as_scheduled=is_new)
            with self._piece_of_work("fetch_now", kind, options) as worker:
                try:
                    worker.find_named()
                except RefusedError as refused:
                    run_log().info(str(refused))
                else:
                    worker.slice(longest=_LONGEST_FETCH)

    def sweep(self) -> None:
        """Send what is to be mailed, the weekly report too; tidy up once an hour."""
        with self._logged(), self._piece_of_work("mails", PODRetryScheduler, mails=True) as worker:
            if worker.deps.post:
                worker.deps.post.notify(lambda: not self.stopped)
        for kind in WORKERS.values():
            with self._logged():
                shift = self._shift(kind)
                if not shift.is_tidied:
                    with self._piece_of_work("tidy", kind) as worker:
                        worker.tidy()
                    shift.is_tidied = True
        leave_metrics(self.settings, self.opened, uuid.uuid4().hex)

    def _claim(self, reference: str) -> Claim | None:
        """As it is once new claims are enrolled, where the service's application cannot say that it wants their PODs."""
        with self._piece_of_work("look", PODFetchWorker) as worker:
            claims, enrolment = worker.deps.claims, worker.deps.enrolment
            claim = claims.find(reference)
            if claim and enrolment and not claim.fetch_status and enrolment.enroll_new(self.clock.now()):
                claim = claims.find(reference)
            return claim

    # ---------------------------------------------------------------- lanes

    def _ready(self, worker: Worker, lane: WorkerLane) -> int:
        """How many claims of the lane there are to fetch, counted to one beyond a slice."""
        now, carriers = self.clock.now(), (lane.carrier,)
        found = worker.deps.claims.ready_by_carrier(worker.stage, now, SLICE + 1, carriers)
        return sum(ready.claims for ready in found.values())

    @contextmanager
    def _one_of(self, lane: WorkerLane) -> Iterator[bool]:
        """Count a slice of its carrier; False if those at work use up the carrier's calls per second already."""
        account = self._accounts.get(lane.carrier)
        short = [limit for limit in account.limits if limit.window.is_short] if account else []
        useful = min((limit.number / limit.window.seconds * _CALL_S for limit in short), default=None)
        with self._guard:
            at_work = self._slices[lane.carrier]
            self._slices[lane.carrier] += 1
        try:
            yield not at_work or useful is None or at_work * self.threads < useful
        finally:
            with self._guard:
                self._slices[lane.carrier] -= 1

    def _is_closed(self, lane: WorkerLane) -> bool:
        """Tell whether the lane's carrier took no more calls a while ago, and that still holds."""
        closed = self._closed.get(lane)
        if closed is None or closed.until <= self.clock.now():
            return False
        return not closed.is_known or self._refusal(lane.carrier) is not None

    def _heed(self, worker: Worker, lane: WorkerLane) -> None:
        """Leave a carrier alone that took no more calls, as long as it would be left alone between two runs.

        A run asks it no more after a few failures. The next slice would begin that count anew, and cost many claims an
        attempt.
        """
        refusal = worker.refusals.get(lane.carrier)
        if refusal is None or refusal.passing:
            return
        latest = self.clock.now() + worker.schedule
        until = min(refusal.until or latest, latest)
        self._closed[lane] = _Closed(until, self._refusal(lane.carrier) is not None)

    def _refusal(self, carrier: str) -> Refusal | None:
        return self._queue.would_refuse(carrier) if carrier in self._accounts else None

    # ---------------------------------------------------------------- workers

    @contextmanager
    def _logged(self) -> Iterator[None]:
        """The process goes on, whatever a piece of work met."""
        try:
            yield
        except RunError as fault:
            self.fault = str(fault)
            run_log().error(self.fault)
        except Exception as error:  # noqa: BLE001 (see above)
            self.fault = f"An internal error ({type(error).__name__}); the log has its details"
            run_log().exception("An internal error")

    @contextmanager
    def _piece_of_work(
        self, name: str, kind: type[Worker], options: Options | None = None, *, mails: bool = False
    ) -> Iterator[Worker]:
        """A worker for a piece of work. Raises RunError."""
        is_kept = options is None and not mails
        shift = self._shift(kind)
        with shift.in_use():
            worker = (shift.take() if is_kept else None) or self._make(shift, options, mails=mails)
            self._at_work.add(worker)
            if self.stopped:  # before it was among them
                worker.stop(SIGTERM)
            usable = False
            try:
                yield worker
                usable = is_kept  # one that met a fault of the run takes no more work
            finally:
                self._at_work.discard(worker)
                worker.mention_unknown()
                shift.give_back(worker, usable=usable)
        self.fault = None
        with self._guard:
            self._done[name] += 1

    def _make(self, shift: Shift, options: Options | None, *, mails: bool) -> Worker:
        options = replace(options or Options(batch_size=SLICE), concurrency=self.threads)
        return make_worker(
            shift.kind,
            self.settings,
            self.opened,
            options,
            max_retries=self.max_retries,
            run_id=shift.run_id,
            clock=self.clock,
            token=uuid.uuid4().hex,
            mails=mails,
            kept=self._accounts,
        )

    # ---------------------------------------------------------------- records

    def _shift(self, kind: type[Worker]) -> Shift:
        """The present one of this worker. Raises RunError."""
        with self._guard:
            shift = self._shifts.get(kind.name)
            if shift is None or shift.has_ended(self.clock.monotonic()):
                self._shifts[kind.name] = Shift(kind, self._journal, self.clock.now(), self.clock.monotonic())
                if shift:
                    self._over.append(shift)
            return self._shifts[kind.name]

    def keep_record(self) -> None:
        """Record what was done so far; ping the check of RECOURS_PING_URL as often as a scheduled run would. Raises RunError."""
        for kind in WORKERS.values():
            shift, now = self._shift(kind), self.clock.now()
            report = shift.report(self.clock.monotonic(), self._usage(shift), 1 if self.fault else 0)
            shift.record(report, now)
            last = self._pinged.get(kind.name)
            if (url := self.settings.watch.ping_url) and (last is None or now - last >= kind.schedule):
                self._pinged[kind.name] = now
                pings = make_pings(url, kind.name, uuid.uuid4().hex, redactor(self.settings))
                pings.ended(report.exit_status, [self.fault] if self.fault else report.lines())
        for shift in [shift for shift in self._over if not shift.is_in_use]:
            self._over.remove(shift)
            self._end(shift)
        self.is_outdated = look(self.opened.database).version != self.opened.schema.version

    def _end(self, shift: Shift) -> None:
        """Write the summary of a shift and record it. Raises RunError."""
        report = shift.report(self.clock.monotonic(), self._usage(shift))
        shift.say(report)
        shift.record(report, self.clock.now())

    def _usage(self, shift: Shift) -> dict[str, list[Usage]]:
        return {self._catalog.name_of(key): self._queue.usage(key) for key in sorted(shift.carriers_asked)}

    def facts(self) -> dict[str, Any]:
        """What the process has done so far: pieces of work, by name."""
        with self._guard:
            return dict(sorted(self._done.items()))

    # ---------------------------------------------------------------- the end

    def stop(self) -> None:
        """Begin nothing more: calls under way are finished, the rest handed back. Good for a signal's handler."""
        self.stopped = True
        for worker in tuple(self._at_work):
            worker.stop(SIGTERM)
        self.opened.database.hurry()

    def close(self) -> None:
        """End the records, when nothing works any more, and close the database."""
        with suppress(RunError):  # a database that is gone: the records stand as they were last kept
            for shift in [*self._over, *self._shifts.values()]:
                self._end(shift)
        self.opened.database.close()

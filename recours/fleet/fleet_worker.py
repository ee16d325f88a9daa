"""The work of a long-lived process, in slices. The process keeps its database, accounts and connections open.

The job queue calls `tick`, `slice`, `fetch_now` and `sweep` from any number of threads, and this module does not depend
on it. Each call is only a wake-up. Claims, leases, quotas, backoff and order are the same as in runs that cron starts.
Such runs may work at the same time.
"""

import os
import socket
import threading
import uuid
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from itertools import count
from operator import itemgetter
from random import random
from signal import SIGTERM
from typing import TYPE_CHECKING, Any

from recours.accounts.opened import make_catalog, make_queue, open_accounts
from recours.app import App
from recours.bootstrap import leave_metrics, make_journal, make_pings, make_worker
from recours.core.accounts import carrier_of
from recours.core.claim import Claim
from recours.core.errors import OUTAGE_KINDS, RunError
from recours.core.pauses import Refusal
from recours.core.text import clean, format_minute
from recours.database.engine import DatabaseError
from recours.database.journal import RunJournal
from recours.fleet.job_queue import Enqueue, Requeue, WorkerLane
from recours.host.logs import local, run_log
from recours.reporting.reader import DatabaseRecords
from recours.reporting.system import MOST_RECORDS, SILENT_AFTER, SINCE, SLICE, fleet_status, signs
from recours.reporting.system_reader import SystemReader
from recours.runs.lane import OUTAGE_AFTER
from recours.runs.ports import NotRecordedError
from recours.runs.refusals import UnfitClaimsError
from recours.runs.source import can_be_reference
from recours.runs.summary import Report, Stats
from recours.runs.worker import WORKERS, Options, PODFetchWorker, PODRetryScheduler, Worker
from recours.settings.model import redactor

if TYPE_CHECKING:
    from recours.core.order import Urgency

# ---------------------------------------------------------------- the record of a long-lived worker


RECORD_SPAN = timedelta(hours=1)

# Counts of deferred claims. They must not be summed, because the next slice counts the same claims again.
_DEFERRED = ("skipped_rate_limit", "skipped_carrier", "skipped_reserved")


class RunRecord:
    """The record of one hour of the fetch worker or the retry scheduler in this process. Thread-safe."""

    def __init__(self, kind: type[Worker], journal: RunJournal, now: datetime, monotonic: float) -> None:
        """Record the beginning of the hour. Raises RunError."""
        self.kind = kind
        self.run_id = uuid.uuid4().hex
        self.started_at = now
        self.in_use = 0  # jobs in progress, counted by the owner
        self._is_tidied = False
        self._started = monotonic
        self._journal = journal
        self._guard = threading.Lock()
        self._total: Counter[str] = Counter()
        self._deferred: dict[str, Counter[str]] = {}  # the latest counts of _DEFERRED, by account
        self._asked: set[str] = set()  # carriers that were called
        self._free: list[Worker] = []
        journal.begin(self.run_id, kind.name, now)

    def has_ended(self, monotonic: float) -> bool:
        return monotonic - self._started >= RECORD_SPAN.total_seconds()

    def tidy_once(self) -> bool:
        """Return whether the hourly tasks have not been done yet, and mark them as done."""
        with self._guard:
            is_due = not self._is_tidied
            self._is_tidied = True
            return is_due

    def take(self) -> Worker | None:
        """Take a worker that an earlier job used; None: create a new worker."""
        with self._guard:
            return self._free.pop() if self._free else None

    def give_back(self, worker: Worker, *, usable: bool) -> None:
        """Add the counts of a worker's finished job. `usable`: another job can use the worker."""
        with self._guard:
            for figure in fields(Stats):
                count = getattr(worker.stats, figure.name)
                setattr(worker.stats, figure.name, 0)
                if figure.name not in _DEFERRED:
                    self._total[figure.name] += count
                elif count:
                    for carrier in worker.refusals or ("",):
                        self._deferred.setdefault(carrier, Counter())[figure.name] = count
            self._asked |= worker.carriers_asked
            self._free += [worker] if usable else []

    def report(self, monotonic: float, exit_status: int = 0) -> Report:
        """The report of the hour so far."""
        with self._guard:
            total = sum(self._deferred.values(), Counter(self._total))
        stats = Stats(**total)
        took = monotonic - self._started
        return Report(self.kind.name, self.run_id, self.started_at, took, stats, exit_status=exit_status)

    @property
    def carriers_asked(self) -> set[str]:
        with self._guard:
            return set(self._asked)

    def save(
        self, report: Report, now: datetime, ticked_at: datetime | None, *, stopped: bool = False
    ) -> None:
        """Save the record. `ticked_at`: the last search for due claims. `stopped`: the worker ends. Raises RunError."""
        process = f"{socket.gethostname()}:{os.getpid()}"
        facts = report.as_json() | signs(process, ticked_at, stopped=stopped)
        self._journal.end(self.run_id, now, report.exit_status, facts)

    def log_summary(self, report: Report) -> None:
        log = run_log()
        log.info(f"{self.kind.name}, since {local(self.started_at):%Y-%m-%d %H:%M}:")
        for line in report.summary(local):
            log.info(line)


# ---------------------------------------------------------------- the work


# Slices are short, so that claims that become more urgent do not wait long.
LONGEST_SLICE = timedelta(seconds=30)
# Hourly tasks must not delay emails for long.
LONGEST_TIDY = timedelta(minutes=5)
_LONGEST_FETCH = timedelta(minutes=5)
# The usual duration of a call. More threads than the calls that a rate limit allows would only wait for each other.
_CALL_S = 1.0


@dataclass(frozen=True)
class _Closed:
    until: float  # monotonic seconds
    is_known: bool  # the claim queue also knows the refusal, and may end it earlier


def _of_carrier(lane: WorkerLane) -> WorkerLane:
    return replace(lane, carrier=carrier_of(lane.carrier))


@dataclass
class FleetWorker:
    """The jobs of one process. Thread-safe."""

    app: App
    threads: int = 4  # per slice
    only: Collection[str] = ()  # keys of carriers; empty: all
    max_retries: int = 4
    queue_fault: str | None = field(default=None, init=False)  # why the job queue provides no jobs
    stopped: bool = field(default=False, init=False)

    @property
    def carriers(self) -> Collection[str]:
        """The keys of the carriers that this process works for."""
        return self.only or (*self._accounts, "")

    @property
    def workable(self) -> Collection[str]:
        """The carriers that this process can work for now. Carriers left to other processes are excluded."""
        now = self.clock.monotonic()
        return [carrier for carrier in self.carriers if self._left_until.get(carrier, now) <= now]

    def __post_init__(self) -> None:
        """Prepare the worker without connecting to the database."""
        settings = self.app.settings
        database = self.app.database
        self.clock = self.app.clock
        self._accounts = open_accounts(settings, self.clock, random, database=database)
        self._catalog = make_catalog(settings)
        self._journal = make_journal(settings, database)
        self._records = DatabaseRecords(database, self._catalog, redactor(settings))
        self._queue = make_queue(settings, database, self.clock, random, self._accounts)
        self._guard = threading.Lock()
        self._run_records: dict[str, RunRecord] = {}
        self._ended: list[RunRecord] = []  # records of past hours, some with jobs in progress
        self._closed: dict[WorkerLane, _Closed] = {}
        # By carrier, because an outage affects all accounts at the carrier
        self._carriers_out: dict[WorkerLane, _Closed] = {}
        self._left_until: dict[str, float] = {}  # until when carriers are left to others; monotonic seconds
        self._slices: Counter[str] = Counter()  # in progress, by account
        self._waiting: list[WorkerLane] = []  # lanes that wait until another slice of their account ends
        self._active: set[Worker] = set()
        self._numbers = count(1)  # numbers for workers in the log
        self._done: Counter[str] = Counter()  # jobs, by name
        self._faults: dict[tuple[str, str], str] = {}  # by job and worker, until the same job succeeds
        self._began_at = self.clock.now()
        self._ticked_at: datetime | None = None  # when this process last looked for due claims
        self._silence: str | None = None  # the fault, if no process looks for due claims
        self._ticking = threading.Lock()
        self._sweeping = threading.Lock()
        # By carrier, how many consecutive claims fetched by `fetch_now` found the carrier unavailable
        self._outages: Counter[str] = Counter()
        self._pinged: dict[str, float] = {}  # when each worker was last pinged; monotonic seconds

    # ---------------------------------------------------------------- jobs

    def tick(self, enqueue: Enqueue) -> None:
        """Update claims for all processes, and enqueue every lane that has claims to fetch, most urgent first.

        Includes carriers that only other processes work for. Only one tick runs at a time.
        """
        if not self._ticking.acquire(blocking=False):
            return
        self._ticked_at = self.clock.now()
        try:
            lanes: list[tuple[Urgency, WorkerLane]] = []
            with self._logged("tick", PODFetchWorker):
                self._accounts.settle_moved(self.clock.now())
            for kind in WORKERS.values():
                with self._logged("tick", kind), self._piece_of_work("tick", kind) as worker:
                    worker.maintain()
                    ready = worker.deps.claims.ready_by_carrier(kind.stage, self.clock.now(), 1)
                    lanes += [(lane.head, WorkerLane(kind.name, carrier)) for carrier, lane in ready.items()]
            with self._logged("wake", PODFetchWorker):
                for _, lane in sorted(lanes, key=itemgetter(0)):
                    enqueue(lane)
        finally:
            self._ticked_at = self.clock.now()
            self._ticking.release()

    def slice(self, lane: WorkerLane, enqueue: Enqueue) -> None:
        """Fetch the most urgent claims of a lane.

        `enqueue`: adds another slice of the lane. If the lane has more claims than one slice, it is called before the
        work begins, so that other processes can help.
        """
        # The job may be invalid, because any program with access to the queue's tables can add jobs.
        if not all(isinstance(name, str) for name in (lane.worker, lane.carrier)):
            run_log().warning("Ignored a job without a lane")
            return
        kind = WORKERS.get(lane.worker)
        carrier = carrier_of(lane.carrier)
        if kind is None or carrier not in self.workable or self.stopped:
            return
        with self._logged("lane", kind):
            if not self._enter(lane):
                return
            is_more = False
            try:
                if not self._is_closed(lane):
                    with self._logged("slice", kind):
                        is_more = self._slice(kind, lane, enqueue)
            finally:
                waiting = self._leave(lane)
            is_left = carrier not in self.workable  # another process may be able to process the slice
            for next_lane in (*waiting, *([lane] if is_more or is_left else ())):
                enqueue(next_lane)

    def _slice(self, kind: type[Worker], lane: WorkerLane, enqueue: Enqueue) -> bool:
        """Process a slice of the lane, and return whether claims are left for another slice. Raises RunError."""
        with self._piece_of_work("slice", kind) as worker:
            ready = self._ready(worker, lane)
            if ready > SLICE:
                enqueue(lane)
            if not ready:
                return False
            try:
                worker.slice((lane.carrier,), limit=SLICE, longest=LONGEST_SLICE)
            except RunError as fault:
                self._leave_to_others(carrier_of(lane.carrier), fault, kind)
                raise
            self._apply_refusal(worker, lane)
            return not (self.stopped or self._is_closed(lane)) and self._ready(worker, lane) > 0

    def fetch_now(self, reference: str, asked_at: float | None, requeue: Requeue) -> None:
        """Fetch one claim before all others. If the claim is not fetched, log the reason.

        A new claim gets its first attempt. Any other claim is fetched only if a person requested a fetch at `asked_at`
        and no attempt has begun since, because the job may be late or a duplicate.
        """
        if not can_be_reference(reference):
            run_log().warning("Ignored a job without a claim")
            return
        with self._logged("fetch_now", PODFetchWorker):
            claim = self._claim(reference)
            if claim is None:
                run_log().info(f"There is no claim {clean(reference, 100)} (yet)")
                return
            carrier = carrier_of(claim.account_key)
            try:
                if carrier in self.workable:
                    self._fetch_one(claim, asked_at)
            finally:
                if carrier not in self.workable:
                    requeue(carrier)

    def _fetch_one(self, claim: Claim, asked_at: float | None) -> None:
        if claim.is_pending:
            self._fetch_new(claim)
        elif isinstance(asked_at, int | float) and not self._was_tried_since(claim, asked_at):
            self._fetch_named(claim, PODRetryScheduler)
        else:
            run_log().info(f"{claim.reference} is no longer new; its next attempt follows its backoff")

    def _fetch_new(self, claim: Claim) -> None:
        lane = WorkerLane(PODFetchWorker.name, claim.account_key)
        if self._is_closed(lane):
            run_log().info(f"{claim.reference} waits, because its carrier cannot be called now")
            return
        refusals = self._fetch_named(claim, PODFetchWorker)
        retried = self._claim(claim.reference)
        is_out = retried is not None and not retried.is_pending and retried.state.kind in OUTAGE_KINDS
        carrier = carrier_of(lane.carrier)
        self._outages[carrier] = self._outages[carrier] + 1 if is_out else 0
        if refusals or self._outages[carrier] >= OUTAGE_AFTER:
            self._close(lane, PODFetchWorker.schedule, is_outage=is_out)
            self._outages[carrier] = 0

    def _leave_to_others(self, carrier: str, fault: RunError, kind: type[Worker]) -> None:
        """After a fault of this machine, leave the carrier to other processes until the next run would be scheduled."""
        if not isinstance(fault, DatabaseError | NotRecordedError):  # these also affect other processes
            self._left_until[carrier] = self.clock.monotonic() + kind.schedule.total_seconds()

    def _fetch_named(self, claim: Claim, kind: type[Worker]) -> dict[str, Refusal]:
        options = Options(batch_size=SLICE, claims=(claim.reference,), as_scheduled=claim.is_pending)
        with self._piece_of_work("fetch_now", kind, options) as worker:
            try:
                worker.find_named()
                worker.slice(longest=_LONGEST_FETCH)
            except UnfitClaimsError as refused:
                run_log().info(str(refused))
            except RunError as fault:
                self._leave_to_others(carrier_of(claim.account_key), fault, PODFetchWorker)
                raise
            return worker.refusals

    def _was_tried_since(self, claim: Claim, asked_at: float) -> bool:
        attempts = self._records.attempts(claim.id)
        return bool(attempts) and attempts[-1].started_at.timestamp() >= asked_at

    def sweep(self) -> None:
        """Send the due emails and the weekly report. Once an hour, also do the low-priority tasks."""
        if not self._sweeping.acquire(blocking=False):
            return
        try:
            sender = PODRetryScheduler
            with self._logged("mails", sender), self._piece_of_work("mails", sender, mails=True) as worker:
                if worker.deps.send_mails:
                    worker.deps.send_mails(lambda: not self.stopped)
            for kind in WORKERS.values():
                with self._logged("tidy", kind), self._piece_of_work("tidy", kind) as worker:
                    if self._run_records[kind.name].tidy_once():
                        with self.app.database.read() as connection:
                            self.app.database.reinspect(connection)
                        worker.tidy(longest=LONGEST_TIDY)
            leave_metrics(self.app, uuid.uuid4().hex)
        finally:
            self._sweeping.release()

    def _claim(self, reference: str) -> Claim | None:
        """Find a claim. If new claims are enrolled automatically, enroll the claim if it is new."""
        with self._piece_of_work("look", PODFetchWorker) as worker:
            claims = worker.deps.claims
            enrollment = worker.deps.enrollment
            claim = claims.find(reference)
            if claim is None or claim.fetch_status or enrollment is None:
                return claim
            is_enrolled = enrollment.enroll_if_new(claim, self.clock.now())
            return claims.find(reference) if is_enrolled else claim

    # ---------------------------------------------------------------- lanes

    def _ready(self, worker: Worker, lane: WorkerLane) -> int:
        """The number of the lane's claims that can be fetched. The count stops at one more than a slice."""
        claims = worker.deps.claims
        lanes = claims.ready_by_carrier(worker.stage, self.clock.now(), SLICE + 1, (lane.carrier,))
        return sum(ready.claims for ready in lanes.values())

    def _enter(self, lane: WorkerLane) -> bool:
        """Register the start of a slice. False: the lane must wait, because the account's slices use its full limit."""
        account = self._accounts.get(lane.carrier)
        short = [limit for limit in account.limits if limit.window.is_short] if account else []
        useful = min((limit.number / limit.window.seconds * _CALL_S for limit in short), default=None)
        with self._guard:
            at_work = self._slices[lane.carrier]
            if at_work and useful is not None and at_work * self.threads >= useful:
                self._waiting.append(lane)
                return False
            self._slices[lane.carrier] += 1
            return True

    def _leave(self, lane: WorkerLane) -> list[WorkerLane]:
        """Register the end of a slice. Return the account's waiting lanes, the other worker's first for fairness."""
        with self._guard:
            self._slices[lane.carrier] -= 1
            waiting = {other for other in self._waiting if other.carrier == lane.carrier}
            self._waiting = [other for other in self._waiting if other not in waiting]
        return sorted(waiting, key=lambda other: other == lane)

    def _is_closed(self, lane: WorkerLane) -> bool:
        """Return whether the lane's account, or the whole carrier, is closed."""
        now = self.clock.monotonic()
        closings = self._closed.get(lane), self._carriers_out.get(_of_carrier(lane))
        closed = [closing for closing in closings if closing and closing.until > now]
        return any(not closing.is_known for closing in closed) or (
            bool(closed) and self._refusal(lane.carrier) is not None
        )

    def _apply_refusal(self, worker: Worker, lane: WorkerLane) -> None:
        """If the account refused calls, close it until the refusal ends, but at most for the time between two runs.

        Within a run, a few failures close an account. Without this method, each slice would count failures from zero
        and use up attempts of many claims. Each process closes accounts only for itself.
        """
        refusal = worker.refusals.get(lane.carrier)
        if refusal is None or refusal.passing:
            return
        wait = refusal.until - self.clock.now() if refusal.until else worker.schedule
        self._close(lane, min(wait, worker.schedule), is_outage=refusal.kind in OUTAGE_KINDS)

    def _close(self, lane: WorkerLane, wait: timedelta, *, is_outage: bool) -> None:
        """Close a lane temporarily, or its whole carrier if `is_outage`."""
        is_known = self._refusal(lane.carrier) is not None
        closed = _Closed(self.clock.monotonic() + wait.total_seconds(), is_known)
        if is_outage:
            self._carriers_out[_of_carrier(lane)] = closed
        else:
            self._closed[lane] = closed

    def _refusal(self, key: str) -> Refusal | None:
        return self._queue.status(key).refusal if key in self._accounts else None

    # ---------------------------------------------------------------- workers

    @contextmanager
    def _logged(self, name: str, kind: type[Worker]) -> Iterator[None]:
        """Log an exception of a job, and report it as the process's fault until the same job succeeds."""
        try:
            yield
        except RunError as error:
            fault = str(error)
            run_log().error(fault)
        except Exception as error:  # noqa: BLE001 (see above)
            fault = f"Internal error ({type(error).__name__}); see the log for details"
            run_log().exception("Internal error")
        else:
            self._faults.pop((name, kind.name), None)
            return
        self._faults[name, kind.name] = fault

    def _fault_of(self, kind: type[Worker]) -> str | None:
        """Why jobs of this worker are failing; None: all jobs succeed."""
        faults = (fault for (_, worker), fault in tuple(self._faults.items()) if worker == kind.name)
        return self.queue_fault or self._silence or next(faults, None)

    @property
    def fault(self) -> str | None:
        """Why some jobs are failing; None: all jobs succeed."""
        return next(filter(None, map(self._fault_of, WORKERS.values())), None)

    @contextmanager
    def _piece_of_work(
        self, name: str, kind: type[Worker], options: Options | None = None, *, mails: bool = False
    ) -> Iterator[Worker]:
        """Provide a worker for a job. Raises RunError."""
        is_kept = options is None and not mails
        with self._record_in_use(kind) as record:
            self._accounts.refresh()
            worker = (self._kept(record) if is_kept else None) or self._make(record, options, mails=mails)
            self._active.add(worker)
            if self.stopped:  # stopped before the worker was registered
                worker.stop(SIGTERM)
            usable = False
            try:
                yield worker
                usable = is_kept  # after an error, the worker is not used again
            finally:
                self._active.discard(worker)
                worker.log_unknown()
                record.give_back(worker, usable=usable)
        with self._guard:
            self._done[name] += 1

    def _kept(self, record: RunRecord) -> Worker | None:
        """A worker from an earlier job that knows the clients' current accounts; None: create a new worker."""
        while (
            worker := record.take()
        ) and worker.catalog.client_accounts is not self._accounts.client_accounts:
            pass
        return worker

    def _make(self, record: RunRecord, options: Options | None, *, mails: bool) -> Worker:
        options = replace(options or Options(batch_size=SLICE), concurrency=self.threads)
        return make_worker(
            record.kind,
            self.app,
            options,
            max_retries=self.max_retries,
            run_id=record.run_id,
            token=uuid.uuid4().hex,
            prefix=f"{next(self._numbers)}.",
            mails=mails,
            opened_accounts=self._accounts,
        )

    # ---------------------------------------------------------------- records

    def _run_record(self, kind: type[Worker]) -> RunRecord:
        """The current record of this worker. The caller must hold `_guard`. Raises RunError."""
        record = self._run_records.get(kind.name)
        if record is None or record.has_ended(self.clock.monotonic()):
            self._run_records[kind.name] = RunRecord(
                kind, self._journal, self.clock.now(), self.clock.monotonic()
            )
            self._ended += [record] if record else []
        return self._run_records[kind.name]

    @contextmanager
    def _record_in_use(self, kind: type[Worker]) -> Iterator[RunRecord]:
        """Provide the current record, and keep it open until the context ends. Raises RunError."""
        with self._guard:
            record = self._run_record(kind)
            record.in_use += 1
        try:
            yield record
        finally:
            with self._guard:
                record.in_use -= 1

    def keep_record(self) -> None:
        """Save the records of both workers, and ping RECOURS_PING_URL as often as scheduled runs. Raises RunError."""
        self._silence = self._find_silence()
        for kind in WORKERS.values():
            with self._guard:
                record = self._run_record(kind)
            report = self._report(record)
            record.save(report, self.clock.now(), self._ticked_at)
            self._ping(kind, report)
        for record in [record for record in self._ended if not record.in_use]:
            self._end(record)
            self._ended.remove(record)

    @property
    def is_silent(self) -> bool:
        """Return whether the fleet no longer looks for due claims, although the database responds."""
        return self._silence is not None

    def _find_silence(self) -> str | None:
        now = self.clock.now()
        runs = SystemReader(self._records.database, self._catalog).runs(since=now - SINCE, limit=MOST_RECORDS)
        status = fleet_status(runs, now)
        signs = [self._began_at, self._ticked_at, status and status.ticked_at]
        last = max(sign for sign in signs if sign)
        if now - last <= SILENT_AFTER:
            return None
        return (
            f"No long-lived worker has checked for due claims since {format_minute(last, local)}: "
            "the job queue does not wake them"
        )

    def _ping(self, kind: type[Worker], report: Report) -> None:
        now = self.clock.monotonic()
        last = self._pinged.get(kind.name)
        url = self.app.settings.watch.ping_url
        if url and (last is None or now - last >= kind.schedule.total_seconds()):
            self._pinged[kind.name] = now
            fault = self._fault_of(kind)
            pings = make_pings(url, kind.name, uuid.uuid4().hex, redactor(self.app.settings))
            pings.ended(report.exit_status, [fault] if fault else report.lines())

    def _report(self, record: RunRecord) -> Report:
        exit_status = 1 if self._fault_of(record.kind) else 0
        report = record.report(self.clock.monotonic(), exit_status)
        report.add_usage(self._queue.usages(sorted(record.carriers_asked)), self._catalog)
        return report

    def _end(self, record: RunRecord) -> None:
        """Save a record for the last time, and log its summary. Raises RunError."""
        report = self._report(record)
        record.save(report, self.clock.now(), self._ticked_at, stopped=self.stopped)
        record.log_summary(report)

    def facts(self) -> dict[str, Any]:
        """The number of jobs that this process has done, by name."""
        with self._guard:
            return dict(sorted(self._done.items()))

    # ---------------------------------------------------------------- the end

    @property
    def is_working(self) -> bool:
        """Return whether a job is in progress."""
        return bool(self._active)

    def stop(self) -> None:
        """Start no more jobs, finish calls in progress, and release all other claims. Safe in a signal handler."""
        self.stopped = True
        for worker in tuple(self._active):
            worker.stop(SIGTERM)
        self.app.database.hurry()

    def close(self) -> None:
        """End the records and close the database, after all jobs have ended."""
        with suppress(RunError):  # without a database, the last saved records are kept
            for record in [*self._ended, *self._run_records.values()]:
                self._end(record)
        self.app.database.close()

"""The two workers. A run maintains the rows, fetches a slice of the due claims, sends emails and records its results.

A run started by cron does one slice, and a long-lived worker does many.
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import ClassVar

from recours.core.assessment import assess, repair_time, revive
from recours.core.carrier import Catalog
from recours.core.claim import Claim, Stage, State
from recours.core.decision import Action, Decision, expire, give_up, next_action, pass_retry
from recours.core.errors import RunError
from recours.core.order import rerank
from recours.core.pauses import CLOCKS_DIFFER, Blocked, Refusal
from recours.core.policy import Policy
from recours.core.text import LocalTime, format_minute, format_span, plural
from recours.runs.log import log
from recours.runs.ports import SET_ASIDE_MOST, Dependencies, Limits
from recours.runs.recorder import Recorder
from recours.runs.source import DueClaims, NamedClaims, Source, find_named
from recours.runs.summary import MOST_NOT_ENROLLED, Report, Stats, not_enrolled_warning, waiting_line

_SHOWN_REMARKS = 20
_SHOWN_EXPIRED = 5
RULE = "=" * 70
# A worker counts as not running if its last run began more than this many intervals ago.
LATE_AFTER = 3
STOPPED = 128  # plus the signal number: the exit status of a stopped run


@dataclass(frozen=True)
class Options:
    """The options of a run. `carriers`: keys; empty: all."""

    batch_size: int
    concurrency: int = 8
    max_runtime: timedelta = timedelta(minutes=55)
    carriers: tuple[str, ...] = ()
    claims: tuple[str, ...] = ()
    carrier_concurrency: int = 4
    as_scheduled: bool = False  # attempts at the named claims count like scheduled ones
    by: str = ""  # the person to record as the requester of the named claims; "": none


@dataclass(eq=False)
class Worker(ABC):
    """Base class of both workers; subclasses choose the claims.

    If several workers share a run's record and a log, `token` identifies this worker's leases, and `prefix` precedes
    the numbers of its claims in the log.
    """

    name: ClassVar[str]
    stage: ClassVar[Stage]
    schedule: ClassVar[timedelta]
    usual_batch: ClassVar[int]
    set_aside_texts: ClassVar[tuple[str, str]]  # singular, plural
    head: ClassVar[str]  # the first lines of the log
    other: ClassVar["type[Worker]"]

    deps: Dependencies
    catalog: Catalog
    options: Options
    run_id: str
    local: LocalTime  # turns UTC into local time, for the log
    token: str | None = None
    prefix: str = ""
    stats: Stats = field(default_factory=Stats)  # so far
    # Set by `slice`: why accounts took no more calls, by the account's key.
    refusals: dict[str, Refusal] = field(default_factory=dict)
    stopped_by: int = 0  # the number of the signal that stopped the run; 0: none
    carriers_asked: set[str] = field(default_factory=set)  # the keys of the accounts that were used

    def __post_init__(self) -> None:
        by_name = bool(self.options.claims) and not self.options.as_scheduled
        token = self.token or self.run_id
        self._recorder = Recorder(
            self.deps, self.stats, self.run_id, self.local, by_name=by_name, token=token, prefix=self.prefix
        )
        self._stop = threading.Event()
        self._ends_at = 0.0  # monotonic seconds: nothing new starts afterward; 0: no limit
        self._named: list[Claim] = []
        self._fault: str | None = None

    def stop(self, signal_number: int) -> None:
        """Start nothing new. Calls in progress finish, and other claims are released. Called by a signal handler."""
        self.stopped_by = signal_number
        self._stop.set()

    def may_continue(self) -> bool:
        """Return whether new work may start: the run was not stopped, and has time left."""
        is_over = self._ends_at > 0 and self.deps.clock.monotonic() >= self._ends_at
        return not (is_over or self._stop.is_set())

    @property
    def policy(self) -> Policy:
        return self.deps.policy

    @classmethod
    def log_header(cls, batch_size: int, max_retries: int) -> None:
        """Write the first lines of the log, before anything can fail."""
        text = cls.head.format(batch_size=batch_size, max_retries=max_retries)
        for line in (RULE, *text.splitlines(), RULE):
            log.info(line)

    @abstractmethod
    def log_due(self, ready: int) -> None:
        """Log how many claims there are to fetch."""

    def maintain_own(self, now: datetime) -> None:  # noqa: B027 (a hook that one worker does not need)
        """Hook for maintenance that only one of the workers does."""

    def run(self) -> Report:
        """Execute a run. Raises UnfitClaimsError, or RunError if it cannot begin. The report contains a later fault."""
        self.open()
        self._try_to(self.maintain)
        if not self._fault:
            self._try_to(self.slice)
        return self.close()

    def open(self) -> None:
        """Begin a run. Call `maintain` and `slice` as needed, then `close`. Raises UnfitClaimsError, RunError."""
        clock = self.deps.clock
        self._started_at = clock.now()
        self._start = clock.monotonic()
        self._ends_at = self._start + self.options.max_runtime.total_seconds()
        self.find_named()
        self._log_gap(self._started_at)
        # A manual run must not hide that the schedule has stopped.
        name = f"{self.name} --claim" if self.options.claims else self.name
        self.deps.journal.begin(self.run_id, name, self._started_at)

    def find_named(self) -> None:
        """Find the claims that the options name, for the next slice. Raises UnfitClaimsError, RunError."""
        now = self.deps.clock.now()
        self._named = find_named(self.deps.claims, self.options.claims, self.policy, now)
        if self._named and self.options.by:
            self.deps.claims.record_requests(self._named, self.options.by, now)

    def maintain(self) -> None:
        """Update the claims for edits, due retries, new claims and passed deadlines. Raises RunError."""
        self._maintain_rows()
        self._enroll()
        self._expire()
        self.deps.intake.write_owed(self.deps.clock.now())

    def slice(self, lanes: Collection[str] = (), *, limit: int = 0, longest: timedelta | None = None) -> None:
        """Fetch due claims of these accounts (empty: all carriers of the run), most urgent first.

        Stop after `limit` claims or after `longest`; the defaults are those of the run's options. Set `refusals` to
        the accounts that took no more calls. Raises RunError.
        """
        options = self.options
        now = self.deps.clock.now()
        last = self.deps.journal.last_run(self.other.name, now)
        if longest is not None:
            self._ends_at = self.deps.clock.monotonic() + longest.total_seconds()
        limits = Limits(
            limit or len(options.claims) or options.batch_size,
            options.concurrency,
            options.carrier_concurrency,
            longest or options.max_runtime,
            # Keep calls for the other worker only if it is running.
            self.other.stage if has_run_lately(last, self.other.schedule, now) else None,
        )
        lanes = lanes or self.catalog.accounts_of(options.carriers)
        self.refusals = {}
        try:
            self._fetch_due(lanes, limits)
        except RunError:
            with suppress(RunError):
                self.deps.queue.leave()
            raise
        self.deps.queue.leave()
        self._report_problems()

    def _report_problems(self) -> None:
        self.deps.report_problems(self._recorder.kinds)
        self._recorder.kinds.clear()

    def log_unknown(self) -> None:
        """Log the unknown codes that carriers have sent since they were last logged."""
        self._recorder.unknown.log()

    def tidy(self, *, longest: timedelta | None = None) -> None:
        """Do low-priority work: run the closing tasks, log skipped claims, adopt claims that had no retries left.

        Stop after `longest`; by default at the end of the run's time. Raises RunError.
        """
        if longest is not None:
            self._ends_at = self.deps.clock.monotonic() + longest.total_seconds()
        for task in self.deps.closing_tasks:
            task()
        self._log_set_aside()
        self._adopt_exhausted()

    def close(self) -> Report:
        """End the run: send emails, log the summary, and record the run."""
        clock = self.deps.clock
        journal = self.deps.journal
        self.log_unknown()
        self._try_to(self.tidy)
        report = Report(self.name, self.run_id, self._started_at, clock.monotonic() - self._start, self.stats)
        usages = self.deps.queue.usages
        self._try_to(lambda: report.add_usage(usages(sorted(self.carriers_asked)), self.catalog))
        self._try_to(self._report_problems)  # not done yet if a fault ended the slice
        if self.deps.send_mails:  # before the summary, which comes last in the log
            self._try_to(partial(self.deps.send_mails, self.may_continue))
        for line in report.summary(self.local):
            log.info(line)
        self._try_to(lambda: journal.end(self.run_id, clock.now(), self._exit_status(), report.as_json()))
        return replace(report, exit_status=self._exit_status(), fault=self._fault)

    def _exit_status(self) -> int:
        if self._fault:
            return 1
        return STOPPED + self.stopped_by if self.stopped_by else 0

    def _try_to(self, do: Callable[[], None]) -> None:
        """Call `do` and remember the first fault for the report, so that the remaining steps still run."""
        try:
            do()
        except RunError as fault:
            self._fault = self._fault or str(fault)

    def _fetch_due(self, lanes: Collection[str], limits: Limits) -> None:
        source: Source = DueClaims(self.deps.claims, self.stage, lanes)
        if self._named:
            source = NamedClaims(self.deps.claims, list(self._named))
        ready = source.ready(self.deps.clock.now(), limits.batch_size)
        self.log_due(min(sum(lane.claims for lane in ready.values()), limits.batch_size))
        if not ready:
            return
        from recours.runs.engine import Engine  # noqa: PLC0415 (many runs find nothing to fetch)

        self.deps.documents.prepare()
        engine = Engine(self.deps, self.catalog, limits, self._recorder, source, self._stop)
        try:
            engine.run(ready)
        finally:
            self.carriers_asked |= engine.leasing.carriers_asked
            self.refusals = {lane.key: lane.refusal for lane in engine.leasing.lanes.values() if lane.refusal}
            self._try_to(lambda: self._count_deferred(source))

    def _count_deferred(self, source: Source) -> None:
        """Count the due claims of accounts that took no more calls. These claims are outside the batch."""
        ready = source.ready(self.deps.clock.now(), lanes=self.refusals) if self.refusals else {}
        for key, lane in ready.items():
            refusal = self.refusals[key]
            if refusal.reserved:
                self.stats.skipped_reserved += lane.claims
            elif refusal.why is Blocked.RATE_LIMIT:
                self.stats.skipped_rate_limit += lane.claims
            else:
                self.stats.skipped_carrier += lane.claims

    def _log_set_aside(self) -> None:
        """Log how many claims are not fetched because of their own status, so that operators know why."""
        if self.options.claims:
            return
        for status, count in sorted(self.deps.claims.set_aside(self.stage).items()):
            single, several = self.set_aside_texts
            many = f"{count} or more" if count >= SET_ASIDE_MOST else str(count)
            text = single if count == 1 else several
            log.info(f"{many} {text}: status '{status}' (RECOURS_SKIP_CLAIM_STATUSES)")

    def _enroll(self) -> None:
        """Enroll new claims (fetch worker only), and log how many older claims wait for a decision."""
        enrollment = self.deps.enrollment
        if enrollment is None or self.options.claims:
            return
        now = self.deps.clock.now()
        if self.stage is Stage.NEW and (enrolled := enrollment.enroll_new(now)):
            log.info(f"Enrolled {plural(enrolled, 'new claim')} (RECOURS_ENROLL_NEW)")
        if sentence := not_enrolled_warning(enrollment.undecided(MOST_NOT_ENROLLED, now)):
            log.warning(sentence)

    def _expire(self) -> None:
        """Give up on this worker's claims whose deadlines passed long ago, and log them in one line."""
        now = self.deps.clock.now()
        policy = self.policy
        if self.options.claims or policy.expire_after is None:
            return
        limit = now - policy.expire_after
        if policy.adopted_at is not None and policy.adopted_at > limit:
            return
        expire_one = partial(expire, now=now, policy=policy)
        given_up = self.deps.maintenance.expire(self.stage, limit, expire_one, now, self.options.carriers)
        references = [claim.reference for claim, _ in given_up]
        if count := len(references):
            self.stats.max_retries_reached += count
            days = plural(policy.expire_after.days, "day")
            more = count - _SHOWN_EXPIRED
            names = ", ".join(references[:_SHOWN_EXPIRED]) + (f" and {more} more" if more > 0 else "")
            log.error(
                f"🛑 EXPIRED: gave up on {plural(count, 'claim')} whose response_deadline passed more than {days} ago "
                f"(RECOURS_EXPIRE_DAYS): {names}"
            )

    def _maintain_rows(self) -> None:
        now, maintenance, policy = self.deps.clock.now(), self.deps.maintenance, self.policy
        if changed := maintenance.repair_keys():
            names = ", ".join(map(self.catalog.name_of, changed))
            log.info(
                f"Accounts added or removed since the last run: {names}; their claims are assessed again"
            )
        maintenance.unshelve(policy.skip_claim_statuses)
        unreadable = 0
        for claim in self.deps.intake.run(now):
            unreadable += bool(claim.unreadable)
            if claim.unreadable and unreadable <= _SHOWN_REMARKS:
                values = ", ".join(claim.unreadable)
                log.warning(f"{claim.reference}: cannot read the value of {values}; it is treated as unknown")
        if unreadable > _SHOWN_REMARKS:
            log.warning(f"{unreadable - _SHOWN_REMARKS} more claims have values that cannot be read")
        rank = partial(rerank, now=now, policy=policy)
        maintenance.rank_overdue(self.stage, policy.evidence_days, rank, now)
        self.maintain_own(now)
        maintenance.stage_due(policy.due_until(now))

    def _adopt_exhausted(self) -> None:
        """Give up on claims that had used all retries before recours was installed. There may be millions."""
        if self.options.claims:
            return
        adopted = 0
        for count in self.deps.intake.adopt_exhausted(self.deps.clock.now()):
            adopted += count
            if self._stop.is_set():
                break
        if adopted:
            log.info(
                f"{plural(adopted, 'claim')} had no retries left when recours was installed, so recours gave up without "
                "an email. To restart them: recours reopen"
            )

    def _log_gap(self, now: datetime) -> None:
        # Ignore runs that a wrong clock dates in the future.
        last = self.deps.journal.last_run(self.name, now + CLOCKS_DIFFER)
        if last is not None and not has_run_lately(last, self.schedule, now):
            interval = "hour" if self.schedule == timedelta(hours=1) else format_span(self.schedule)
            log.warning(
                f"The last run began {format_span(now - last)} ago, at {format_minute(last, self.local)}; runs are due "
                f"every {interval}. Was the machine off, or is the schedule disabled?"
            )


def has_run_lately(last: datetime | None, schedule: timedelta, now: datetime) -> bool:
    """Return whether a worker is running on schedule. `last`: when its last run began; None: never."""
    return last is not None and now - last <= LATE_AFTER * schedule


class PODFetchWorker(Worker):
    """The worker for new claims, which runs every 30 minutes."""

    name = "pod_fetch_worker"
    stage = Stage.NEW
    schedule = timedelta(minutes=30)
    usual_batch = 50
    set_aside_texts = "new claim not fetched", "new claims not fetched"
    head = "POD FETCH WORKER - Starting\nBatch size: {batch_size}"

    def log_due(self, ready: int) -> None:
        log.info(f"Found {ready} claim(s) to fetch" if ready else "No pending PODs to fetch")


class PODRetryScheduler(Worker):
    """The worker for failed claims, which runs every hour."""

    name = "pod_retry_scheduler"
    stage = Stage.READY
    schedule = timedelta(hours=1)
    usual_batch = 30
    set_aside_texts = "failed claim not retried", "failed claims not retried"
    head = "POD AUTO-RETRY SCHEDULER - Starting\nBatch size: {batch_size} | Max retries: {max_retries}"

    def log_due(self, ready: int) -> None:
        """Log how many claims are due; if none, how many wait and until when."""
        if ready:
            log.info(f"Found {ready} claim(s) to retry")
        else:
            log.info("No failed PODs eligible for retry")
            log.info(waiting_line(self.deps.claims.waiting(), self.local))

    def maintain_own(self, now: datetime) -> None:
        """Resume claims after --max-retries was raised, repair impossible times, and skip retries of settled claims.

        A run for named claims does none of this. A run for some carriers resumes and skips only their claims.
        """
        if self.options.claims:
            return
        maintenance, policy, carriers = self.deps.maintenance, self.policy, self.options.carriers
        limit = policy.max_retries
        for _ in maintenance.revive_exhausted(limit, lambda claim: self._revive(claim, now), now, carriers):
            pass
        horizon = policy.horizon(now)
        for claim in maintenance.repair_times(horizon, lambda claim: repair_time(claim, now, policy), now):
            at = format_minute(claim.state.next_at, self.local)
            log.warning(
                f"{claim.reference}: its next attempt ({at}) does not match the backoff, so the time was recalculated"
            )
        due_until = policy.due_until(now)
        for claim, decision in maintenance.pass_retries(
            due_until, lambda claim: self._pass(claim, now), now, carriers
        ):
            self._recorder.log_skipped(claim, decision)

    def _revive(self, claim: Claim, now: datetime) -> State:
        if self.policy.sets_aside(claim):
            return assess(claim, now, self.policy)
        return revive(claim, now, self.policy)

    def _pass(self, claim: Claim, now: datetime) -> Decision | None:
        action = next_action(claim, now, self.policy)
        if action is Action.SHELVE:
            return None
        decide = give_up if action is Action.GIVE_UP else pass_retry
        return decide(claim, now, self.policy)


PODFetchWorker.other = PODRetryScheduler
PODRetryScheduler.other = PODFetchWorker
# The order in which simultaneous runs begin. It matters for the calls that each worker keeps for the other.
WORKERS: dict[str, type[Worker]] = {worker.name: worker for worker in (PODFetchWorker, PODRetryScheduler)}

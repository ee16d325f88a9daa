"""The two workers, and a run of one: maintain → fetch a slice of what is due → notify → record.

Cron has it do one slice; a long-lived worker does many.
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import ClassVar

from recours.core.assessment import assess, go_on, with_possible_time
from recours.core.carrier import Catalog
from recours.core.claim import Claim, Stage, State
from recours.core.decision import Action, Decision, expire, give_up, next_action, pass_retry
from recours.core.errors import RunError
from recours.core.order import ranked_anew
from recours.core.pauses import CLOCKS_DIFFER, Blocked, Refusal
from recours.core.policy import Policy
from recours.core.text import LocalTime, format_minute, format_span, plural
from recours.runs.log import log
from recours.runs.ports import SET_ASIDE_MOST, Dependencies, Limits
from recours.runs.recorder import Recorder
from recours.runs.source import DueClaims, NamedClaims, Source, find_named
from recours.runs.summary import MOST_NOT_ENROLLED, Report, Stats, not_enrolled, waiting_line

_SHOWN_REMARKS = 20
_SHOWN_EXPIRED = 5
RULE = "=" * 70
# A worker whose last run began longer ago than so many of its intervals does not run.
LATE_AFTER = 3
STOPPED = 128  # plus the number of the signal: the exit status of a run that was stopped


@dataclass(frozen=True)
class Options:
    """What a person may ask of a run. Carriers by their keys; none: all."""

    batch_size: int
    concurrency: int = 8
    max_runtime: timedelta = timedelta(minutes=55)
    carriers: tuple[str, ...] = ()
    claims: tuple[str, ...] = ()
    carrier_concurrency: int = 4
    as_scheduled: bool = False  # attempts at the named claims count like those of the backoff
    by: str = ""  # the person who asks for the named claims, for the record; "": no person does


@dataclass(eq=False)
class Worker(ABC):
    """Base class of both workers; subclasses choose the claims.

    Where several workers share a run's record and a log, `token` is that of this one's leases, and `prefix` begins the
    numbers of its claims in the log.
    """

    name: ClassVar[str]
    stage: ClassVar[Stage]
    schedule: ClassVar[timedelta]
    usual_batch: ClassVar[int]
    set_aside_texts: ClassVar[tuple[str, str]]  # one claim, several
    head: ClassVar[str]  # the first lines of the log
    other: ClassVar["type[Worker]"]

    deps: Dependencies
    catalog: Catalog
    options: Options
    run_id: str
    local: LocalTime  # turns UTC into local time, for the log
    token: str | None = None
    prefix: str = ""
    stats: Stats = field(default_factory=Stats)  # of what is done so far
    # By accounts that took no more calls, when the run has ended.
    refusals: dict[str, Refusal] = field(default_factory=dict)
    stopped_by: int = 0  # the number of a signal
    carriers_asked: set[str] = field(default_factory=set)  # the keys of the accounts

    def __post_init__(self) -> None:
        by_name = bool(self.options.claims) and not self.options.as_scheduled
        token = self.token or self.run_id
        self._recorder = Recorder(
            self.deps, self.stats, self.run_id, self.local, by_name=by_name, token=token, prefix=self.prefix
        )
        self._stop = threading.Event()
        self._ends_at = 0.0  # monotonic seconds: nothing is begun afterwards; 0: there is no such time
        self._named: list[Claim] = []
        self._fault: str | None = None

    def stop(self, signal_number: int) -> None:
        """Begin nothing more; what is under way is finished, the rest handed back. Called by a signal's handler."""
        self.stopped_by = signal_number
        self._stop.set()

    def may_go_on(self) -> bool:
        """Tell whether more may begin: nobody stops the run, and its time is not over."""
        is_over = self._ends_at > 0 and self.deps.clock.monotonic() >= self._ends_at
        return not (is_over or self._stop.is_set())

    @property
    def policy(self) -> Policy:
        return self.deps.policy

    @classmethod
    def greet(cls, batch_size: int, max_retries: int) -> None:
        """Write the first lines of the log, before anything can fail."""
        text = cls.head.format(batch_size=batch_size, max_retries=max_retries)
        for line in (RULE, *text.splitlines(), RULE):
            log.info(line)

    @abstractmethod
    def log_due(self, ready: int) -> None:
        """How many claims there are to fetch."""

    def maintain_own(self, now: datetime) -> None:  # noqa: B027 (the other one keeps nothing)
        """What only one of the workers keeps."""

    def run(self) -> Report:
        """Do the run. Raises UnfitClaimsError, RunError if it cannot begin; a later fault is in the report."""
        self.open()
        self._try_to(self.maintain)
        if not self._fault:
            self._try_to(self.slice)
        return self.close()

    def open(self) -> None:
        """Begin a run: `maintain` and `slice` follow, any number of times, and `close`. Raises UnfitClaimsError, RunError."""
        clock = self.deps.clock
        self._started_at = clock.now()
        self._start = clock.monotonic()
        self._ends_at = self._start + self.options.max_runtime.total_seconds()
        self.find_named()
        self._mention_gap(self._started_at)
        # A run that somebody asked for must not hide that the schedule stands still.
        name = f"{self.name} --claim" if self.options.claims else self.name
        self.deps.journal.begin(self.run_id, name, self._started_at)

    def find_named(self) -> None:
        """Look for the claims that the options name, for the next slice. Raises UnfitClaimsError, RunError."""
        now = self.deps.clock.now()
        self._named = find_named(self.deps.claims, self.options.claims, self.policy, now)
        if self._named and self.options.by:
            self.deps.claims.note_asked(self._named, self.options.by, now)

    def maintain(self) -> None:
        """Bring the claims up to date: edits, retries that are due, new claims, deadlines that have passed. Raises RunError."""
        self._maintain_rows()
        self._enroll()
        self._expire()
        self.deps.intake.tell_owed(self.deps.clock.now())

    def slice(self, lanes: Collection[str] = (), *, limit: int = 0, longest: timedelta | None = None) -> None:
        """Fetch due claims of these accounts (none named: of all carriers that the run is for), the most urgent first.

        Up to `limit`, and for `longest`; by default what the run's options say. `refusals` tells afterwards which accounts
        took no more calls. Raises RunError.
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
            # Calls are left to the other worker if that runs at all.
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
        self._note_troubles()

    def _note_troubles(self) -> None:
        self.deps.note_troubles(self._recorder.kinds)
        self._recorder.kinds.clear()

    def mention_unknown(self) -> None:
        """Log the codes that carriers sent and that no table has, since this was last done."""
        self._recorder.unknown.mention()

    def tidy(self, *, longest: timedelta | None = None) -> None:
        """What is not urgent: a manifest of new files and such tasks, which claims are set aside, which were exhausted before.

        For `longest`; by default for what is left of the run. Raises RunError.
        """
        if longest is not None:
            self._ends_at = self.deps.clock.monotonic() + longest.total_seconds()
        for task in self.deps.closing_tasks:
            task()
        self._mention_set_aside()
        self._adopt_exhausted()

    def close(self) -> Report:
        """End the run: send the mails, write the summary, and record what was done."""
        clock = self.deps.clock
        journal = self.deps.journal
        self.mention_unknown()
        self._try_to(self.tidy)
        report = Report(self.name, self.run_id, self._started_at, clock.monotonic() - self._start, self.stats)
        usages = self.deps.queue.usages
        self._try_to(lambda: report.add_usage(usages(sorted(self.carriers_asked)), self.catalog))
        self._try_to(self._note_troubles)  # after a fault; else it is done
        if self.deps.send_mails:  # before the summary, which ends the log of a run
            self._try_to(partial(self.deps.send_mails, self.may_go_on))
        for line in report.summary(self.local):
            log.info(line)
        self._try_to(lambda: journal.end(self.run_id, clock.now(), self._exit_status(), report.as_json()))
        return replace(report, exit_status=self._exit_status(), fault=self._fault)

    def _exit_status(self) -> int:
        if self._fault:
            return 1
        return STOPPED + self.stopped_by if self.stopped_by else 0

    def _try_to(self, do: Callable[[], None]) -> None:
        """Do it; a fault of the run is kept for the report, and what is left to do at the end is still done."""
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

        self.deps.documents.make_sure()
        engine = Engine(self.deps, self.catalog, limits, self._recorder, source, self._stop)
        try:
            engine.run(ready)
        finally:
            self.carriers_asked |= engine.leasing.carriers_asked
            self.refusals = {lane.key: lane.refusal for lane in engine.leasing.lanes.values() if lane.refusal}
            self._try_to(lambda: self._count_left_behind(source))

    def _count_left_behind(self, source: Source) -> None:
        """Due claims of carriers that took no more calls: outside the batch."""
        ready = source.ready(self.deps.clock.now(), lanes=self.refusals) if self.refusals else {}
        for key, lane in ready.items():
            refusal = self.refusals[key]
            if refusal.reserved:
                self.stats.skipped_reserved += lane.claims
            elif refusal.why is Blocked.RATE_LIMIT:
                self.stats.skipped_rate_limit += lane.claims
            else:
                self.stats.skipped_carrier += lane.claims

    def _mention_set_aside(self) -> None:
        """Claims that are not fetched for their own status, in each run: else nobody knows why nothing happens to them."""
        if self.options.claims:
            return
        for status, count in sorted(self.deps.claims.set_aside(self.stage).items()):
            single, several = self.set_aside_texts
            many = f"{count} or more" if count >= SET_ASIDE_MOST else str(count)
            text = single if count == 1 else several
            log.info(f"{many} {text}: status '{status}' (RECOURS_SKIP_CLAIM_STATUSES)")

    def _enroll(self) -> None:
        """New claims are enrolled by the fetch worker; of those that wait for a decision every run says how many."""
        enrollment = self.deps.enrollment
        if enrollment is None or self.options.claims:
            return
        now = self.deps.clock.now()
        if self.stage is Stage.NEW and (enrolled := enrollment.enroll_new(now)):
            log.info(f"Enrolled {plural(enrolled, 'new claim')} (RECOURS_ENROLL_NEW)")
        if sentence := not_enrolled(enrollment.undecided(MOST_NOT_ENROLLED, now)):
            log.warning(sentence)

    def _expire(self) -> None:
        """Claims whose deadline has long passed are given up by the worker whose they are, in one line."""
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
                f"🛑 EXPIRED: gave up {plural(count, 'claim')} whose response_deadline passed more than {days} ago "
                f"(RECOURS_EXPIRE_DAYS): {names}"
            )

    def _maintain_rows(self) -> None:
        now, maintenance, policy = self.deps.clock.now(), self.deps.maintenance, self.policy
        if changed := maintenance.repair_keys():
            names = ", ".join(map(self.catalog.name_of, changed))
            log.info(
                f"Credentials came or went since the last run: {names}; claims concerned are assessed again"
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
        rank = partial(ranked_anew, now=now, policy=policy)
        maintenance.rank_overdue(self.stage, policy.evidence_days, rank, now)
        self.maintain_own(now)
        maintenance.stage_due(policy.due_until(now))

    def _adopt_exhausted(self) -> None:
        """Last, since nothing of it is due: a database may hold a million of them when it is first used."""
        if self.options.claims:
            return
        adopted = 0
        for count in self.deps.intake.adopt_exhausted(self.deps.clock.now()):
            adopted += count
            if self._stop.is_set():
                break
        if adopted:
            log.info(
                f"{plural(adopted, 'claim')} had used all attempts before recours came: given up, without a mail. "
                "'recours reopen' starts them over"
            )

    def _mention_gap(self, now: datetime) -> None:
        last = self.deps.journal.last_run(self.name, now + CLOCKS_DIFFER)  # not one that a wrong clock began
        if last is not None and not has_run_lately(last, self.schedule, now):
            log.warning(
                f"The last run began {format_span(now - last)} ago, at {format_minute(last, self.local)}; it is due every "
                f"{format_span(self.schedule)}. Was the machine off, or the schedule disabled?"
            )


def has_run_lately(last: datetime | None, schedule: timedelta, now: datetime) -> bool:
    """Tell whether a worker runs at all, by when its last run began (None: never)."""
    return last is not None and now - last <= LATE_AFTER * schedule


class PODFetchWorker(Worker):
    """The run of every 30 minutes."""

    name = "pod_fetch_worker"
    stage = Stage.NEW
    schedule = timedelta(minutes=30)
    usual_batch = 50
    set_aside_texts = "new claim not fetched", "new claims not fetched"
    head = "POD FETCH WORKER - Starting\nBatch size: {batch_size}"

    def log_due(self, ready: int) -> None:
        log.info(f"Found {ready} claim(s) to fetch" if ready else "No pending PODs to fetch")


class PODRetryScheduler(Worker):
    """The hourly run."""

    name = "pod_retry_scheduler"
    stage = Stage.READY
    schedule = timedelta(hours=1)
    usual_batch = 30
    set_aside_texts = "failed claim not retried", "failed claims not retried"
    head = "POD AUTO-RETRY SCHEDULER - Starting\nBatch size: {batch_size} | Max retries: {max_retries}"

    def log_due(self, ready: int) -> None:
        """How many are due; if none, how many wait and until when."""
        if ready:
            log.info(f"Found {ready} claim(s) to retry")
        else:
            log.info("No failed PODs eligible for retry")
            log.info(waiting_line(self.deps.claims.waiting(), self.local))

    def maintain_own(self, now: datetime) -> None:
        """Claims that resume after a raised limit, impossible times, retries that pass.

        A run for some claims, or for some carriers', says nothing of how often the others may be tried: those are left
        to the scheduled runs.
        """
        if self.options.claims:
            return
        maintenance, policy, carriers = self.deps.maintenance, self.policy, self.options.carriers
        limit = policy.max_retries
        for _ in maintenance.revive_exhausted(limit, lambda claim: self._go_on(claim, now), now, carriers):
            pass
        horizon = policy.horizon(now)
        for claim in maintenance.repair_times(
            horizon, lambda claim: with_possible_time(claim, now, policy), now
        ):
            at = format_minute(claim.state.next_at, self.local)
            log.warning(f"{claim.reference}: its next try ({at}) cannot come from the backoff; recomputed")
        due_until = policy.due_until(now)
        for claim, decision in maintenance.pass_retries(
            due_until, lambda claim: self._pass(claim, now), now, carriers
        ):
            self._recorder.log_passed(claim, decision)

    def _go_on(self, claim: Claim, now: datetime) -> State:
        if self.policy.sets_aside(claim):
            return assess(claim, now, self.policy)
        return go_on(claim, now, self.policy)

    def _pass(self, claim: Claim, now: datetime) -> Decision | None:
        action = next_action(claim, now, self.policy)
        if action is Action.SHELVE:
            return None
        decide = give_up if action is Action.GIVE_UP else pass_retry
        return decide(claim, now, self.policy)


PODFetchWorker.other = PODRetryScheduler
PODRetryScheduler.other = PODFetchWorker
# Where runs of both begin at the same time, in this order: it matters for the calls that each leaves to the other.
WORKERS: dict[str, type[Worker]] = {worker.name: worker for worker in (PODFetchWorker, PODRetryScheduler)}

"""The coming runs of both workers: the real ones, over what there is now, in memory, by a clock that is moved.

Where long-lived workers do the work, it is done as by a `Station` of recours.fleet: every minute, lane by lane.
"""

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from operator import itemgetter
from typing import NamedTuple

from recours.core.assessment import as_next_run_finds, is_due
from recours.core.claim import Claim, Stage, urgency
from recours.core.errors import RunError
from recours.core.pauses import Refusal
from recours.core.policy import DUE_SLACK
from recours.memory.claims import MemoryClaims
from recours.memory.clock import SimulatedClock
from recours.memory.documents import MemoryDocuments
from recours.memory.journal import MemoryJournal
from recours.memory.maintenance import MemoryMaintenance
from recours.memory.table import ClaimRow, ClaimTable
from recours.operations.fleet import SLICE, TICK, first_full, next_tick
from recours.operations.forecast.facts import ComingRun, ForeseenAttempt, ForeseenRun, Left, Rules, Sighted
from recours.runs.lane import lane_key
from recours.runs.log import silence
from recours.runs.ports import Attempt, Dependencies
from recours.runs.single_thread import SingleThreadEngine
from recours.runs.worker import Options, Worker
from recours.runs.workers import BOTH_WORKERS

# Some of what it finds then has no time that is known before, such as a deadline that has passed.
_LOOKED_AT_LEAST = timedelta(hours=1)
_READY = (Stage.NEW, Stage.READY)


class _Closed(NamedTuple):
    """A lane that long-lived workers leave alone."""

    until: datetime
    refusal: Refusal
    is_known: bool  # the queue knows why, and learns when it is over


class ComingRuns:
    """Claims, quotas and carriers as they will be."""

    def __init__(
        self,
        found: Iterable[Sighted],
        rules: Rules,
        now: datetime,
        last_runs: Mapping[str, datetime] | None = None,
    ) -> None:
        """Begin with what there is at `now`. `last_runs`: when each worker's last run began, by its name."""
        self._rules = rules
        self._clock = SimulatedClock(now)
        self._table = ClaimTable()
        self._claims = MemoryClaims(self._table)
        self._journal = MemoryJournal()
        # Lanes that long-lived workers leave alone.
        self._closed: dict[tuple[type[Worker], str], _Closed] = {}
        for name, began_at in (last_runs or {}).items():
            self._journal.begin(f"last {name}", name, began_at)
        texts: dict[str, str] = {}  # what many claims say in the same words is in memory once
        for sighted in found:
            claim = sighted.claim
            if claim.is_ours:
                name, error = claim.carrier_name, claim.error_text
                claim = replace(
                    claim,
                    carrier_name=texts.setdefault(name, name),
                    error_text=error and texts.setdefault(error, error),
                )
                edited = sighted.edited or claim.is_edited
                self._table.load(claim, edited=edited, leased_until=sighted.leased_until)

    def run(self, coming: ComingRun) -> ForeseenRun:
        """Let the next run happen."""
        self._clock.advance(max(coming.at - self._clock.now(), timedelta()))
        worker = self._worker(coming.worker)
        with silence():
            report = worker.run()
        if report.fault:
            raise RunError(report.fault)
        return self._foreseen(worker, coming.at, self._tries(), worker.refusals)

    def _tries(self) -> list[ForeseenAttempt]:
        """What was tried since they were last asked for."""
        attempts = list(self._table.attempts)
        self._table.attempts.clear()
        self._table.events.clear()
        return [
            _try(one)
            for one in attempts
            if one.is_last or one.retry <= self._rules.policy.max_retries  # else it gave up without a call
        ]

    def _foreseen(
        self,
        worker: Worker,
        at: datetime,
        tries: Sequence[ForeseenAttempt],
        refusals: Mapping[str, Refusal],
    ) -> ForeseenRun:
        ready = self._claims.ready_by_carrier(worker.stage, self._clock.now())
        return ForeseenRun(
            at=at,
            worker=worker.name,
            tries=tries,
            passed=worker.stats.skipped_persistent,
            gave_up=worker.stats.max_retries_reached,
            left={
                key: Left(ready[key].claims, refusal.why, refusal.reason, refusal.reserved)
                for key, refusal in refusals.items()
                if key in ready
            },
            due=self._ready(),
        )

    # ---------------------------------------------------------------- long-lived workers

    def ticks(self, until: datetime) -> Iterator[ForeseenRun]:
        """What long-lived workers do from now on: a run of each worker for every minute that has some, and every hour."""
        at = next_tick(self._clock.now() + timedelta.resolution)  # that of this very moment is over
        while at <= until:
            self._clock.advance(max(at - self._clock.now(), timedelta()))
            with silence():
                runs = self._tick(at)
            yield from runs
            at = self._next_tick(at)

    def _next_tick(self, last: datetime) -> datetime:
        """The first minute after the last tick at which there may be something to do."""
        # Some that are due with the slack are left to another program until their time has come.
        retries = [(self._table.next_due(last + early), early) for early in (DUE_SLACK, timedelta())]
        ends = [row.until for row in self._table.leased.values()]
        times = [
            first_full(last + TICK, _LOOKED_AT_LEAST),
            *(at - early for at, early in retries if at),
            *(end for end in (*ends, *(one.until for one in self._closed.values())) if end and end > last),
        ]
        return next_tick(max(min(times), last + TICK))

    def _tick(self, at: datetime) -> list[ForeseenRun]:
        workers = {kind: self._worker(kind) for kind in BOTH_WORKERS}
        found = []
        for kind, worker in workers.items():
            worker.open()
            worker.maintain()
            ready = self._claims.ready_by_carrier(kind.stage, at)
            found += [(lane.head, kind.name, (kind, carrier)) for carrier, lane in ready.items()]
        waiting = deque(lane for *_, lane in sorted(found, key=itemgetter(0, 1)))
        tries: dict[type[Worker], list[ForeseenAttempt]] = {kind: self._tries() for kind in BOTH_WORKERS}
        while waiting:
            kind, carrier = waiting.popleft()
            if not self._is_closed(kind, carrier):
                is_more = self._slice(workers[kind], carrier)
                tries[kind] += self._tries()
                waiting += [(kind, carrier)] if is_more else []
        for worker in workers.values():
            worker.tidy()
        return [
            run
            for kind, worker in workers.items()
            for run in [self._foreseen(worker, at, tries[kind], self._refusals(kind))]
            if run.tries or run.passed or run.gave_up or at == first_full(at, _LOOKED_AT_LEAST)
        ]

    def _slice(self, worker: Worker, carrier: str) -> bool:
        """Do a slice of a lane; tell whether there is work for another one."""
        worker.slice((carrier,), most=SLICE)
        refusal, now = worker.refusals.get(carrier), self._clock.now()
        if refusal and not refusal.passing:
            wait = refusal.until - now if refusal.until else worker.schedule
            is_known = self._refusal(carrier) is not None
            closed = _Closed(now + min(wait, worker.schedule), refusal, is_known)
            self._closed[type(worker), carrier] = closed
        ready = self._claims.ready_by_carrier(worker.stage, now, 1, (carrier,))
        return carrier in ready and not self._is_closed(type(worker), carrier)

    def _is_closed(self, kind: type[Worker], carrier: str) -> bool:
        """Tell whether the lane's carrier took no more calls a while ago, and that still holds."""
        closed = self._closed.get((kind, carrier))
        if closed is None or closed.until <= self._clock.now():
            return False
        return not closed.is_known or self._refusal(carrier) is not None

    def _refusal(self, carrier: str) -> Refusal | None:
        return self._rules.queue(self._clock).would_refuse(carrier) if carrier else None

    def _refusals(self, kind: type[Worker]) -> dict[str, Refusal]:
        return {
            carrier: closed.refusal
            for (of, carrier), closed in self._closed.items()
            if of is kind and self._is_closed(kind, carrier)
        }

    # ---------------------------------------------------------------- workers

    def _worker(self, kind: type[Worker]) -> Worker:
        rules, clock = self._rules, self._clock
        deps = Dependencies(
            clock=clock,
            claims=self._claims,
            maintenance=MemoryMaintenance(self._table),
            journal=self._journal,
            queue=rules.queue(clock),
            documents=MemoryDocuments(),
            policy=rules.policy,
        )
        options = Options(
            rules.batch_sizes[kind.name],
            concurrency=rules.concurrency,
            carrier_concurrency=rules.carrier_concurrency,
        )
        worker = kind(deps, rules.catalog, options, f"{kind.name} {clock.now()}", lambda at: at)
        worker.engine = SingleThreadEngine
        return worker

    # ---------------------------------------------------------------- what there is

    def _ready(self) -> Counter[str]:
        now = self._clock.now()
        counts: Counter[str] = Counter()
        for stage in _READY:
            counts.update(
                {key: found.claims for key, found in self._claims.ready_by_carrier(stage, now).items()}
            )
        return counts

    def due(self) -> Counter[str]:
        """How many claims of each lane a run would find due now."""
        now = self._clock.now()
        return Counter(
            lane_key(row.claim)
            for row in self._table.rows.values()
            if row.is_free(now) and self._is_due(row.claim, now)
        )

    def _is_due(self, claim: Claim, now: datetime) -> bool:
        state = as_next_run_finds(claim, now, self._rules.policy)
        return state.stage in _READY or (
            state.stage is Stage.WAITING and is_due(state, now, self._rules.policy)
        )

    def left(self) -> Iterator[Claim]:
        """Every claim that is still to be tried."""
        waits = (*_READY, Stage.WAITING)
        rows = self._table.rows.values()
        return (row.claim for row in rows if row.claim.state.stage in waits or row.is_edited() or row.until)

    def backlogs(self, stage: Stage) -> Iterator[tuple[str, list[Claim]]]:
        """The claims of each lane that are ready, the most urgent first."""
        now = self._clock.now()

        def place(row: ClaimRow) -> tuple[tuple[int, datetime], int]:
            return urgency(row.claim.state, now), row.claim.id

        for key, rows in self._table.by_group(stage).items():
            free = [row for row in rows if row.can_be_taken(now)]
            yield key, [row.claim for row in sorted(free, key=place)]


def _try(attempt: Attempt) -> ForeseenAttempt:
    claim = attempt.claim
    return ForeseenAttempt(
        claim.id, claim.reference, lane_key(claim), attempt.retry, attempt.calls, attempt.is_last
    )

"""The coming runs of both workers: the real ones, over what there is now, in memory, by a clock that is moved."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from recours.core.assessment import as_next_run_finds, is_due
from recours.core.claim import Claim, Stage, urgency
from recours.core.errors import RunError
from recours.memory.claims import MemoryClaims
from recours.memory.clock import SimulatedClock
from recours.memory.documents import MemoryDocuments
from recours.memory.journal import MemoryJournal
from recours.memory.maintenance import MemoryMaintenance
from recours.memory.table import ClaimRow, ClaimTable
from recours.operations.forecast.facts import ComingRun, ForeseenAttempt, ForeseenRun, Left, Rules, Sighted
from recours.runs.fetch import PODFetchWorker
from recours.runs.lane import lane_key
from recours.runs.log import silence
from recours.runs.ports import Attempt, Dependencies
from recours.runs.single_thread import SingleThreadEngine
from recours.runs.worker import Options, Worker

_READY = (Stage.NEW, Stage.READY)


class ComingRuns:
    """Claims, quotas and carriers as they will be."""

    def __init__(
        self, found: Iterable[Sighted], rules: Rules, now: datetime, last_fetch: datetime | None = None
    ) -> None:
        """Begin with what there is at `now`. `last_fetch`: when the fetch worker's last run began."""
        self._rules = rules
        self._clock = SimulatedClock(now)
        self._table = ClaimTable()
        self._claims = MemoryClaims(self._table)
        self._journal = MemoryJournal()
        if last_fetch:
            self._journal.begin("last", PODFetchWorker.name, last_fetch)
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
        attempts = list(self._table.attempts)
        self._table.attempts.clear()
        self._table.events.clear()
        ready = self._claims.ready_by_carrier(coming.worker.stage, self._clock.now())
        return ForeseenRun(
            at=coming.at,
            worker=coming.worker.name,
            tries=[_try(one) for one in attempts if one.retry <= self._rules.policy.max_retries],
            passed=report.stats.skipped_persistent,
            gave_up=report.stats.max_retries_reached,
            left={
                key: Left(ready[key].claims, refusal.why, refusal.reason, refusal.reserved)
                for key, refusal in worker.refusals.items()
                if key in ready
            },
            due=self._ready(),
        )

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
            pending_share=rules.pending_share,
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
    return ForeseenAttempt(claim.id, claim.reference, lane_key(claim), attempt.retry, attempt.calls)

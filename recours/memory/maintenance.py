"""The backoff in the rows, in memory."""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from recours.core.accounts import carrier_of
from recours.core.claim import Claim, FetchStatus, Stage, State
from recours.core.decision import Decision
from recours.core.error_text import classify
from recours.core.errors import ErrorKind
from recours.memory.table import ClaimRow, ClaimTable

Assess = Callable[[Claim], State]


@dataclass
class MemoryMaintenance:
    """Keeps the backoff of a table's rows that no run has leased."""

    table: ClaimTable

    def repair_keys(self) -> list[str]:
        return []  # no key of this table is spoilt, and no credentials change

    def is_behind(
        self,
        due_until: datetime,
        horizon: datetime,
        max_retries: int,
        skip: Collection[str],
        now: datetime,
    ) -> bool:
        found = (
            self.table.edited.values(),
            self._unshelved(skip),
            self._gave_up_below(max_retries),
            self._after(horizon),
        )
        is_due = any(self.table.due(stage, due_until) for stage in (Stage.WAITING, Stage.SETTLED))
        return is_due or any(row.is_free(now) for rows in found for row in rows)

    def assess_edited(
        self, assess: Assess, now: datetime, exhausted_at: int | None = None
    ) -> Iterator[Claim]:
        rows = [row for row in self.table.edited.values() if not _is_exhausted(row, exhausted_at)]
        yield from self._reassess(rows, assess, now)

    def adopt_exhausted(self, max_retries: int, now: datetime) -> Iterator[int]:
        rows = [row for row in self.table.edited.values() if row.is_free(now)]
        exhausted = [row for row in rows if _is_exhausted(row, max_retries)]
        for row in exhausted:
            claim = row.claim
            kind = classify(claim.error_text) if claim.number else ErrorKind.INVALID_TRACKING
            state = replace(
                claim.state,
                stage=Stage.GIVEN_UP,
                attempts=claim.retries_counted,
                failed_at=now,
                rank_at=now,
                kind=kind,
            )
            row.write_assessed(state)
        yield len(exhausted)

    def revive_exhausted(
        self, max_retries: int, assess: Assess, now: datetime, carriers: Collection[str] = ()
    ) -> Iterator[Claim]:
        rows = [row for row in self._gave_up_below(max_retries) if _is_of(row, carriers)]
        yield from self._reassess(rows, assess, now)

    def unshelve(self, skip: Collection[str], assess: Assess, now: datetime) -> Iterator[Claim]:
        yield from self._reassess(self._unshelved(skip), assess, now)

    def repair_times(self, horizon: datetime, retime: Assess, now: datetime) -> Iterator[Claim]:
        yield from self._reassess(self._after(horizon), retime, now)

    def passed_over(
        self, due_until: datetime, max_retries: int, now: datetime, settled_of: Collection[str] | None = None
    ) -> set[int]:
        del due_until, max_retries, now, settled_of
        return set()  # no other program can lock rows in memory

    def locked_ids(
        self, due_until: datetime, max_retries: int, now: datetime, settled_of: Collection[str] | None = None
    ) -> set[int]:
        del due_until, max_retries, now, settled_of
        return set()  # the same

    def stage_due(self, due_until: datetime) -> None:
        for row in self.table.due(Stage.WAITING, due_until):
            row.write(replace(row.claim.state, stage=_stage_when_due(row.claim)))
        for row in self.table.due(Stage.SETTLED, due_until):
            if _stage_when_due(row.claim) is None:
                row.write(replace(row.claim.state, stage=None))

    def pass_retries(
        self,
        due_until: datetime,
        pass_retry: Callable[[Claim], Decision | None],
        now: datetime,
        carriers: Collection[str] = (),
    ) -> Iterator[tuple[Claim, Decision]]:
        for row in self.table.due(Stage.SETTLED, due_until):
            if _is_of(row, carriers) and row.can_be_taken(now):
                claim, decision = row.claim, pass_retry(row.claim)
                row.write(decision.state if decision else replace(claim.state, stage=Stage.SHELVED))
                if decision:
                    self.table.emit(claim.id, decision.events)
                    yield claim, decision

    def expire(
        self,
        stage: Stage,
        before: datetime,
        expire: Callable[[Claim], Decision | None],
        now: datetime,
        carriers: Collection[str] = (),
    ) -> Iterator[tuple[Claim, Decision]]:
        for row in self.table.ranked_before(stage, before):
            if not (_is_of(row, carriers) and _is_over(row, before) and row.can_be_taken(now)):
                continue
            claim, decision = row.claim, expire(row.claim)
            if decision is None:
                row.write(replace(claim.state, stage=Stage.SHELVED))
                continue
            row.write(decision.state, fetch_status=decision.fetch_status, error_text=decision.error)
            self.table.emit(claim.id, decision.events)
            yield claim, decision

    def rank_overdue(self, stage: Stage, carriers: Collection[str], rank: Assess, now: datetime) -> int:
        moved = 0
        lanes = [key for key in self.table.by_group(stage) if carrier_of(key) in carriers]
        for row in self.table.overdue(stage, lanes, now):
            claim = row.claim
            if row.can_be_taken(now) and claim.is_ours and (state := rank(claim)) != claim.state:
                row.write(state)
                moved += 1
        return moved

    def _gave_up_below(self, max_retries: int) -> Iterator[ClaimRow]:
        for (retries, may_go_on), rows in self.table.by_group(Stage.GIVEN_UP).items():
            if may_go_on and retries < max_retries:
                yield from rows

    def _unshelved(self, skip: Collection[str]) -> Iterator[ClaimRow]:
        for (status, _), rows in self.table.by_group(Stage.SHELVED).items():
            if status not in skip:
                yield from (row for row in rows if row.claim.is_ours)

    def _after(self, horizon: datetime) -> list[ClaimRow]:
        return [row for row in self.table.beyond(horizon) if row.claim.is_ours]

    def _reassess(self, rows: Iterable[ClaimRow], assess: Assess, now: datetime) -> Iterator[Claim]:
        for row in list(rows):  # their places change
            if row.is_free(now):
                claim = row.claim
                row.write_assessed(assess(claim))
                yield claim


def _is_exhausted(row: ClaimRow, max_retries: int | None) -> bool:
    claim = row.claim
    first_sight = (
        claim.assessed is None and claim.state.stage is None and claim.fetch_status == FetchStatus.FAILED
    )
    return max_retries is not None and first_sight and claim.retries_counted >= max_retries


def _is_over(row: ClaimRow, before: datetime) -> bool:
    state = row.claim.state
    since = None if state.interruptions else state.expire_from  # its proof may be stored already
    return state.rank_is_deadline and since is not None and since <= before


def _is_of(row: ClaimRow, carriers: Collection[str]) -> bool:
    return not carriers or (row.claim.carrier or "") in carriers


def _stage_when_due(claim: Claim) -> Stage | None:
    """None: others take care of it."""
    if claim.fetch_status == FetchStatus.FAILED:
        return Stage.READY
    return Stage.NEW if claim.is_pending else None

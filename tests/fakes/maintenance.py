"""The timetable in the rows, in memory."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from recours.core.claim import Claim, FetchStatus, Stage, State
from recours.core.decision import Decision
from tests.fakes.table import Row, Table

Assess = Callable[[Claim], State]


@dataclass
class FakeMaintenance:
    """Keeps the timetable of a table's rows that nobody holds."""

    table: Table

    def repair_keys(self) -> list[str]:
        return []  # no key of this table is spoilt, and no credentials change

    def is_behind(
        self, due_until: datetime, horizon: datetime, max_retries: int, skip: Collection[str], now: datetime
    ) -> bool:
        timed = self.table.at(Stage.WAITING, Stage.SETTLED)
        free = [
            *(row for row in self.table.rows.values() if row.is_edited()),
            *self._unshelved(skip),
            *self._gave_up_below(max_retries),
            *(row for row in timed if _is_after(row, horizon)),
        ]
        return any(row.is_free(now) for row in free) or any(_is_by(row, due_until) for row in timed)

    def assess_edited(
        self, assess: Assess, now: datetime, exhausted_at: int | None = None
    ) -> Iterator[Claim]:
        rows = [row for row in self.table.rows.values() if row.is_edited()]
        yield from self._reassess([row for row in rows if not _is_exhausted(row, exhausted_at)], assess, now)

    def adopt_exhausted(self, max_retries: int, now: datetime) -> Iterator[int]:
        rows = [row for row in self.table.rows.values() if row.is_edited() and row.is_free(now)]
        exhausted = [row for row in rows if _is_exhausted(row, max_retries)]
        for row in exhausted:
            row.write(replace(row.claim.state, stage=Stage.GIVEN_UP, failed_at=now, rank_at=now))
            row.see()
        yield len(exhausted)

    def revive_exhausted(
        self, max_retries: int, assess: Assess, now: datetime, carriers: Collection[str] = ()
    ) -> Iterator[Claim]:
        rows = [row for row in self._gave_up_below(max_retries) if _is_of(row, carriers)]
        yield from self._reassess(rows, assess, now)

    def unshelve(self, skip: Collection[str], assess: Assess, now: datetime) -> Iterator[Claim]:
        yield from self._reassess(self._unshelved(skip), assess, now)

    def repair_times(self, horizon: datetime, retime: Assess, now: datetime) -> Iterator[Claim]:
        rows = self.table.at(Stage.WAITING, Stage.SETTLED)
        yield from self._reassess([row for row in rows if _is_after(row, horizon)], retime, now)

    def passed_over(
        self, due_until: datetime, max_retries: int, now: datetime, settled_of: Collection[str] | None = None
    ) -> set[int]:
        del due_until, max_retries, now, settled_of
        return set()  # as on SQLite: whoever writes has the whole database

    def locked_ids(
        self, due_until: datetime, max_retries: int, now: datetime, settled_of: Collection[str] | None = None
    ) -> set[int]:
        del due_until, max_retries, now, settled_of
        return set()  # the same

    def stage_due(self, due_until: datetime) -> None:
        for row in self.table.at(Stage.WAITING):
            if _is_by(row, due_until):
                row.write(replace(row.claim.state, stage=_stage_when_due(row.claim)))
        for row in self.table.at(Stage.SETTLED):
            if _is_by(row, due_until) and _stage_when_due(row.claim) is None:
                row.write(replace(row.claim.state, stage=None))

    def pass_retries(
        self,
        due_until: datetime,
        pass_retry: Callable[[Claim], Decision | None],
        now: datetime,
        carriers: Collection[str] = (),
    ) -> Iterator[tuple[Claim, Decision]]:
        for row in [row for row in self.table.at(Stage.SETTLED) if _is_of(row, carriers)]:
            if _is_by(row, due_until) and row.is_free(now) and row.is_unedited():
                claim, decision = row.claim, pass_retry(row.claim)
                row.write(decision.state if decision else replace(claim.state, stage=Stage.SHELVED))
                if decision:
                    self.table.tell(claim.id, decision.events)
                    yield claim, decision

    def expire(
        self,
        stage: Stage,
        before: datetime,
        expire: Callable[[Claim], Decision | None],
        now: datetime,
        carriers: Collection[str] = (),
    ) -> Iterator[tuple[Claim, Decision]]:
        for row in [row for row in self.table.at(stage) if _is_of(row, carriers) and _is_over(row, before)]:
            if row.is_free(now) and row.is_unedited() and row.claim.is_ours:
                claim, decision = row.claim, expire(row.claim)
                row.write(decision.state if decision else replace(claim.state, stage=Stage.SHELVED))
                if decision is None:
                    continue
                row.claim = replace(row.claim, fetch_status=decision.fetch_status, error_text=decision.error)
                row.see()
                self.table.tell(claim.id, decision.events)
                yield claim, decision

    def repair_ranks(self, rank: Assess) -> int:
        del rank  # no older version worked on this table
        return 0

    def _gave_up_below(self, max_retries: int) -> list[Row]:
        gave_up = self.table.at(Stage.GIVEN_UP)
        return [
            row
            for row in gave_up
            if row.claim.is_ours and row.claim.state.expired_at is None and _retries(row) < max_retries
        ]

    def _unshelved(self, skip: Collection[str]) -> list[Row]:
        shelved = self.table.at(Stage.SHELVED)
        wanted = [row for row in shelved if (row.claim.claim_status or "").strip().lower() not in skip]
        return [row for row in wanted if row.claim.is_ours]

    def _reassess(self, rows: list[Row], assess: Assess, now: datetime) -> Iterator[Claim]:
        for row in rows:
            if row.is_free(now):
                claim = row.claim
                row.write(assess(claim))
                row.see()
                yield claim


def _retries(row: Row) -> int:
    return row.claim.retries_counted


def _is_exhausted(row: Row, max_retries: int | None) -> bool:
    claim = row.claim
    first_sight = row.seen is None and claim.state.stage is None and claim.fetch_status == FetchStatus.FAILED
    return max_retries is not None and first_sight and claim.retries_counted >= max_retries


def _is_by(row: Row, moment: datetime) -> bool:
    next_at = row.claim.state.next_at
    return next_at is not None and next_at <= moment


def _is_after(row: Row, moment: datetime) -> bool:
    next_at = row.claim.state.next_at
    return row.claim.is_ours and next_at is not None and next_at > moment


def _is_over(row: Row, before: datetime) -> bool:
    state = row.claim.state
    return state.rank_is_deadline and state.expire_from is not None and state.expire_from <= before


def _is_of(row: Row, carriers: Collection[str]) -> bool:
    return not carriers or (row.claim.carrier or "") in carriers


def _stage_when_due(claim: Claim) -> Stage | None:
    """None: others take care of it."""
    if claim.fetch_status == FetchStatus.FAILED:
        return Stage.READY
    return Stage.NEW if claim.is_pending else None

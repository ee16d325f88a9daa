"""The repository of claims, in memory."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import Any

from recours.core.claim import Claim, FetchStatus, Stage, State, Urgency, urgency
from recours.core.decision import Decision
from recours.memory.table import ClaimRow, ClaimTable
from recours.runs.ports import SET_ASIDE_MOST, Attempt, Lease, Ready, Waiting
from recours.runs.source import is_as_found


@dataclass
class MemoryClaims:
    """Claims of a table, leased and recorded."""

    table: ClaimTable
    _asked: Counter[tuple[Any, str | None]] = field(default_factory=Counter)  # by claim and number

    def count(self) -> int:
        return len(self.table.rows)

    def find(self, reference: str) -> Claim | None:
        return next((row.claim for row in self.table.rows.values() if row.claim.reference == reference), None)

    def references_like(self, reference: str) -> list[str]:
        begin = reference[: max(len(reference) - 3, 1)]
        references = (row.claim.reference for row in self.table.rows.values())
        return [found for found in references if found.startswith(begin)]

    def is_leased(self, claim: Claim, now: datetime) -> bool:
        return not self.table.rows[claim.id].is_free(now)

    def waiting(self) -> Waiting:
        rows = self.table.at(Stage.WAITING, Stage.SETTLED)
        states = [row.claim.state for row in rows if row.claim.fetch_status == FetchStatus.FAILED]
        return Waiting(len(states), min((state.next_at for state in states if state.next_at), default=None))

    def ready_by_carrier(
        self, stage: Stage, now: datetime, most: int | None = None, carriers: Collection[str] = ()
    ) -> dict[str, Ready]:
        counts = Counter({key: len(rows) for key, rows in self.table.by_group(stage).items()})
        kept = [row for row in (self.table.leased | self.table.edited).values() if not row.can_be_taken(now)]
        counts.subtract(key for of, key in (row.place for row in kept if row.place) if of is stage)
        found = {
            key: Ready(min(n, most or n), self._head(stage, key, now))
            for key, n in counts.items()
            if n and (not carriers or key in carriers)
        }
        return dict(sorted(found.items(), key=lambda lane: lane[1].head))

    def _head(self, stage: Stage, key: str, now: datetime) -> Urgency:
        (row,) = self.table.most_urgent(stage, [key], 1, now)
        return urgency(row.claim.state, now)

    def deadlines(self, stage: Stage, carrier: str, most: int, now: datetime) -> list[datetime]:
        rows = self.table.by_group(stage).get(carrier, {})
        states = [row.claim.state for row in rows if row.can_be_taken(now)]
        ends = (state.rank_at for state in states if state.rank_is_deadline and state.rank_at)
        return sorted(end for end in ends if end >= now)[:most]

    def times_asked(self, claim: Claim) -> int:
        return self._asked[claim.id, claim.number]

    def locked_ids(self, stage: Stage, carriers: Collection[str], now: datetime) -> set[Any]:
        del stage, carriers, now
        return set()  # no other program can lock rows in memory

    def set_aside(self, stage: Stage) -> dict[str, int]:
        shelved = (row.claim for row in islice(self.table.at(Stage.SHELVED), SET_ASIDE_MOST))
        mine = [claim for claim in shelved if claim.is_pending == (stage is Stage.NEW)]
        return dict(Counter((claim.claim_status or "").strip().lower() for claim in mine))

    def lease(
        self,
        stage: Stage,
        carriers: Collection[str],
        most: int,
        lease: Lease,
        now: datetime,
        *,
        unnumbered: bool = False,
    ) -> list[Claim]:
        if unnumbered:
            ready = (row for row in self.table.at(stage) if row.carrier_key in carriers)
            free = [row for row in ready if row.claim.number is None and row.can_be_taken(now)]
            rows = sorted(free, key=lambda row: (urgency(row.claim.state, now), row.claim.id))[:most]
        else:
            rows = self.table.most_urgent(stage, carriers, most, now)
        return [self._lease(row, lease) for row in rows]

    def note_asked(self, found: Sequence[Claim], by: str, now: datetime) -> None:
        pass  # no person asks in memory

    def lease_named(self, claim: Claim, lease: Lease, now: datetime) -> Claim | None:
        row = self.table.rows[claim.id]
        if not row.is_free(now) or not is_as_found(row.claim, claim):
            return None
        row.write_assessed(claim.state)
        return self._lease(row, lease)

    def _lease(self, row: ClaimRow, lease: Lease) -> Claim:
        """It counts as an interruption until it is recorded or put back."""
        row.token, row.until = lease.token, lease.until
        before, state = row.claim, row.claim.state
        row.claim = replace(before, state=replace(state, interruptions=state.interruptions + 1))
        return before

    def renew(self, leased: Sequence[Claim], lease: Lease) -> list[Claim]:
        kept = [(claim, row) for claim in leased if (row := self._leased(claim, lease))]
        for _, row in kept:
            row.until = lease.until
        return [claim for claim, _ in kept]

    def release(self, leased: Sequence[tuple[Claim, State]], lease: Lease) -> None:
        for claim, state in leased:
            if row := self._leased(claim, lease):
                row.release()
                if row.is_unedited():
                    row.write(state)

    def shelve(self, claim: Claim, lease: Lease, now: datetime) -> None:
        del now
        self.release([(claim, replace(claim.state, stage=Stage.SHELVED))], lease)

    def record(self, ended: Sequence[tuple[Attempt, Decision]], lease: Lease, now: datetime) -> list[bool]:
        return [self._record(attempt, decision, lease, now) for attempt, decision in ended]

    def _record(self, attempt: Attempt, decision: Decision, lease: Lease, now: datetime) -> bool:
        self.table.attempts.append(attempt)
        if attempt.was_asked:
            self._asked[attempt.claim.id, attempt.claim.number] += 1
        row = self._leased(attempt.claim, lease)
        if row is None:
            return False
        row.release()
        if not row.is_unedited():
            return False
        if (decision.uses_attempt and decision.tells_service) or attempt.document:
            row.document = attempt.document or row.document
            at = now if attempt.document else row.claim.updated_at
            columns = {"fetch_status": decision.fetch_status, "error_text": decision.error}
            row.write(decision.state, **columns, updated_at=at)
        else:
            row.write(decision.state)
        self.table.emit(attempt.claim.id, decision.events)
        return True

    def _leased(self, claim: Claim, lease: Lease) -> ClaimRow | None:
        row = self.table.rows[claim.id]
        return row if row.token == lease.token else None

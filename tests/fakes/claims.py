"""The repository of claims, in memory."""

import threading
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from recours.core.claim import Claim, FetchStatus, Stage, State, urgency
from recours.core.decision import Decision
from recours.core.errors import ErrorKind, RunError
from recours.runs.ports import Attempt, Lease, NotRecordedError, Waiting
from recours.runs.source import is_as_found
from tests.fakes.table import Row, Table


@dataclass
class FakeClaims:
    """Claims of a table, held and recorded."""

    table: Table
    broken: str | None = None  # the database cannot be written any more, and why
    locked: set[str] = field(default_factory=set)  # references of rows that another program holds
    extended: threading.Event = field(default_factory=threading.Event)  # some were held longer

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

    def ready_by_carrier(self, stage: Stage, now: datetime, most: int | None = None) -> dict[str, int]:
        ready = Counter(
            row.carrier_key for row in self.table.at(stage) if row.is_free(now) and row.is_unedited()
        )
        return {key: count if most is None else min(count, most) for key, count in ready.items()}

    def times_asked(self, claim: Claim) -> int:
        done = (
            one for one in self.table.attempts if (one.claim.id, one.claim.number) == (claim.id, claim.number)
        )
        return sum(one.calls > 0 or bool(one.failure and one.failure.http_status) for one in done)

    def locked_ids(self, stage: Stage, carriers: Collection[str], now: datetime) -> set[int]:
        del stage, carriers, now
        return set()  # as on SQLite: whoever writes has the whole database

    def set_aside(self, stage: Stage) -> dict[str, int]:
        rows = [row.claim for row in self.table.at(Stage.SHELVED)]
        mine = [claim for claim in rows if claim.is_pending == (stage is Stage.NEW)]
        return dict(Counter((claim.claim_status or "").strip().lower() for claim in mine))

    def was_accepted(self, carrier: str, since: datetime) -> bool:
        told = (ErrorKind.POD_NOT_AVAILABLE_YET, ErrorKind.POD_NEVER_AVAILABLE)
        return any(
            attempt.claim.carrier == carrier
            and attempt.started_at >= since
            and (attempt.outcome == "success" or (attempt.failure and attempt.failure.kind in told))
            for attempt in self.table.attempts
        )

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
        ready = [
            row
            for row in self.table.at(stage)
            if row.carrier_key in carriers and row.is_free(now) and row.is_unedited()
            if row.claim.number is None or not unnumbered
        ]
        return [self._held(row, lease) for row in sorted(ready, key=lambda row: _urgency(row, now))[:most]]

    def lease_named(self, claim: Claim, lease: Lease, now: datetime) -> Claim | None:
        row = self.table.rows[claim.id]
        if not row.is_free(now) or not is_as_found(row.claim, claim):
            return None
        row.write(claim.state)
        row.see()
        return self._held(row, lease)

    def _held(self, row: Row, lease: Lease) -> Claim:
        """It counts as an interruption until it is recorded or put back."""
        row.token, row.until = lease.token, lease.until
        before, state = row.claim, row.claim.state
        row.claim = replace(before, state=replace(state, interruptions=state.interruptions + 1))
        return before

    def renew(self, held: Sequence[Claim], lease: Lease) -> list[Claim]:
        ours = self._ours(held, lease)
        for row in ours:
            row.until = lease.until
        self.extended.set()
        return [claim for claim in held if self.table.rows[claim.id] in ours]

    def release(self, held: Sequence[tuple[Claim, State]], lease: Lease) -> None:
        self._check()
        for claim, state in held:
            for row in self._ours([claim], lease):
                row.release()
                if row.is_unedited():
                    row.write(state)

    def record(self, ended: Sequence[tuple[Attempt, Decision]], lease: Lease, now: datetime) -> list[bool]:
        """Rows that can be written are, whatever holds the others."""
        lost = RunError(self.broken or "A row is locked by another program.")
        free = [one for one in ended if not self.broken and one[0].claim.reference not in self.locked]
        done = [self._record(attempt, decision, lease, now) for attempt, decision in free]
        if len(free) < len(ended):
            ids = [attempt.claim.id for attempt, _ in free]
            raise NotRecordedError(lost, dict(zip(ids, done, strict=True)))
        return done

    def _record(self, attempt: Attempt, decision: Decision, lease: Lease, now: datetime) -> bool:
        self.table.attempts.append(attempt)
        ours = self._ours([attempt.claim], lease)
        for row in ours:
            row.release()
        changed = [row for row in ours if row.is_unedited()]
        for row in changed:
            row.write(decision.state)
            self._tell_service(row, attempt, decision, now)
            self.table.tell(attempt.claim.id, decision.events)
        return bool(changed)

    def _tell_service(self, row: Row, attempt: Attempt, decision: Decision, now: datetime) -> None:
        if not (decision.uses_attempt and decision.tells_service) and not attempt.document:
            return
        row.claim = replace(row.claim, fetch_status=decision.fetch_status, error_text=decision.error)
        if attempt.document:
            row.document = attempt.document
            row.claim = replace(row.claim, updated_at=now)
        row.see()

    def _ours(self, held: Sequence[Claim], lease: Lease) -> list[Row]:
        rows = [self.table.rows[claim.id] for claim in held]
        return [row for row in rows if row.token == lease.token]

    def _check(self) -> None:
        if self.broken:
            raise RunError(self.broken)


def _urgency(row: Row, now: datetime) -> tuple[tuple[int, datetime], int]:
    return urgency(row.claim.state, now), row.claim.id

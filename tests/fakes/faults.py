"""Adapters of a database that fail on request."""

import threading
from collections.abc import Collection, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import select

from recours.core.claim import Claim, State
from recours.core.decision import Decision
from recours.core.errors import RunError
from recours.core.mail import Event
from recours.database.claims import ClaimRepository
from recours.database.journal import RunJournal
from recours.database.tables import runs
from recours.runs.ports import Attempt, Lease, NotRecordedError
from tests.fakes.table import events_of


class _Changeable:
    """A class whose attributes and methods tests may replace, although it is frozen."""

    def __setattr__(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)


class FaultyClaims(_Changeable, ClaimRepository):
    """Claims of a database that rejects writes, or in which some rows are locked."""

    broken: str | None = None  # the reason why the database rejects writes
    locked: Collection[str] = ()  # references of rows that another program locks

    @cached_property
    def extended(self) -> threading.Event:
        """An event that is set when leases are renewed."""
        return threading.Event()

    @cached_property
    def attempts(self) -> list[Attempt]:
        """All recorded attempts."""
        return []

    def renew(self, leased: Sequence[Claim], lease: Lease) -> list[Claim]:
        kept = super().renew(leased, lease)
        self.extended.set()
        return kept

    def release(self, leased: Sequence[tuple[Claim, State]], lease: Lease) -> None:
        if self.broken:
            raise RunError(self.broken)
        super().release(leased, lease)

    def record(self, ended: Sequence[tuple[Attempt, Decision]], lease: Lease, now: datetime) -> list[bool]:
        """Record the attempts at claims that are not locked. Raises NotRecordedError if others remain."""
        free = [one for one in ended if not self.broken and one[0].claim.reference not in self.locked]
        done = super().record(free, lease, now) if free else []
        self.attempts.extend(attempt for attempt, _ in free)
        if len(free) < len(ended):
            ids = [attempt.claim.id for attempt, _ in free]
            fault = RunError(self.broken or "A row is locked by another program.")
            raise NotRecordedError(fault, dict(zip(ids, done, strict=True)))
        return done


class FaultyJournal(_Changeable, RunJournal):
    """A journal of runs that cannot be written."""

    broken: str | None = None

    def begin(self, run_id: str, worker: str, at: datetime) -> None:
        self._check()
        super().begin(run_id, worker, at)

    def end(self, run_id: str, at: datetime, exit_status: int, stats: dict[str, Any]) -> None:
        self._check()
        super().end(run_id, at, exit_status, stats)

    def emit(self, event: Event, run_id: str, at: datetime) -> None:
        self._check()
        super().emit(event, run_id, at)

    def _check(self) -> None:
        if self.broken:
            raise RunError(self.broken)

    @property
    def runs(self) -> dict[str, dict[str, Any]]:
        """The recorded runs by id."""
        with self.database.read() as connection:
            return {row["id"]: dict(row) for row in connection.execute(select(runs)).mappings()}

    @property
    def events(self) -> list[Event]:
        """The events without a claim."""
        return events_of(self.database, of_claims=False)

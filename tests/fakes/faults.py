"""The adapters in memory, which fail where a test wants them to."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from recours.core.claim import Claim, State
from recours.core.decision import Decision
from recours.core.errors import RunError
from recours.core.mail import Event
from recours.core.outcome import Label, Retrieved, StoredDocument
from recours.memory.claims import MemoryClaims
from recours.memory.documents import MemoryDocuments
from recours.memory.journal import MemoryJournal
from recours.runs.ports import Attempt, Lease, NotRecordedError


@dataclass
class FaultyClaims(MemoryClaims):
    """A database that cannot be written any more, or some rows of it."""

    broken: str | None = None  # nothing can be written, and why
    locked: set[str] = field(default_factory=set)  # references of rows that another program holds
    extended: threading.Event = field(default_factory=threading.Event)  # some were held longer

    def renew(self, held: Sequence[Claim], lease: Lease) -> list[Claim]:
        kept = super().renew(held, lease)
        self.extended.set()
        return kept

    def release(self, held: Sequence[tuple[Claim, State]], lease: Lease) -> None:
        if self.broken:
            raise RunError(self.broken)
        super().release(held, lease)

    def record(self, ended: Sequence[tuple[Attempt, Decision]], lease: Lease, now: datetime) -> list[bool]:
        """Rows that can be written are, whatever holds the others."""
        free = [one for one in ended if not self.broken and one[0].claim.reference not in self.locked]
        done = super().record(free, lease, now)
        if len(free) < len(ended):
            ids = [attempt.claim.id for attempt, _ in free]
            fault = RunError(self.broken or "A row is locked by another program.")
            raise NotRecordedError(fault, dict(zip(ids, done, strict=True)))
        return done


@dataclass
class FaultyJournal(MemoryJournal):
    """A record of runs that cannot be written."""

    broken: str | None = None

    def begin(self, run_id: str, worker: str, at: datetime) -> None:
        self._check()
        super().begin(run_id, worker, at)

    def end(
        self,
        run_id: str,
        at: datetime,
        exit_status: int,
        stats: dict[str, Any],
    ) -> None:
        self._check()
        super().end(run_id, at, exit_status, stats)

    def emit(self, event: Event, run_id: str, at: datetime) -> None:
        self._check()
        super().emit(event, run_id, at)

    def _check(self) -> None:
        if self.broken:
            raise RunError(self.broken)


@dataclass
class FaultyDocuments(MemoryDocuments):
    """A disk that is full."""

    full: str | None = None  # nothing can be stored, and why

    def make_sure(self) -> None:
        if self.full:
            raise RunError(self.full)

    def store(self, label: Label, got: Retrieved) -> list[StoredDocument]:
        self.make_sure()
        return super().store(label, got)

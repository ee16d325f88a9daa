"""The record of runs and of what is to be told, in memory."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from recours.core.mail import Event


@dataclass
class MemoryJournal:
    """Runs as they begin and end; events of no claim, each once."""

    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    events: dict[tuple[str, str, str], Event] = field(default_factory=dict)

    def last_run(self, worker: str, until: datetime) -> datetime | None:
        began = (run["began"] for run in self.runs.values() if run["worker"] == worker)
        return max((at for at in began if at <= until), default=None)

    def begin(self, run_id: str, worker: str, at: datetime) -> None:
        self.runs[run_id] = {"worker": worker, "began": at}

    def end(
        self,
        run_id: str,
        at: datetime,
        exit_status: int,
        stats: dict[str, Any],
    ) -> None:
        ended = {"ended": at, "exit_status": exit_status, "stats": stats}
        self.runs[run_id] |= ended

    def emit(self, event: Event, run_id: str, at: datetime) -> None:
        del run_id, at
        self.events.setdefault((event.name, event.carrier, event.number), event)

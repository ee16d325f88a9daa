"""The record of runs, and events that belong to no claim."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, select, update

from recours.core.events import Event
from recours.database.engine import Database
from recours.database.event_outbox import OF_NO_CLAIM, write_events
from recours.database.retention import forget_old
from recours.database.tables import runs


@dataclass(frozen=True)
class RunJournal:
    """Runs, written as they begin and end."""

    database: Database
    keep: timedelta | None = None  # how long the record of runs and quota windows is kept; None: for ever

    def last_run(self, worker: str, until: datetime) -> datetime | None:
        """When the worker's last run began; later ones than `until` are left out."""
        began = runs.c.started_at
        query = select(began).where(runs.c.worker == worker, began <= until).order_by(began.desc()).limit(1)
        with self.database.read() as connection:
            return connection.scalar(query)

    def begin(self, run_id: str, worker: str, at: datetime) -> None:
        """A run begins."""
        with self.database.write() as connection:
            connection.execute(insert(runs).values(id=run_id, worker=worker, started_at=at))

    def end(self, run_id: str, at: datetime, exit_status: int, stats: dict[str, Any]) -> None:
        """A run ends, and takes a portion of what is too old with it."""
        values = {"ended_at": at, "exit_status": exit_status, "stats": stats}
        with self.database.write() as connection:
            connection.execute(update(runs).where(runs.c.id == run_id).values(values))
        if self.keep is not None and (before := self._run_before(run_id, at)):
            forget_old(self.database, before - self.keep)

    def _run_before(self, run_id: str, at: datetime) -> datetime | None:
        """When the run before began: one run with a clock far ahead must not take the record of years with it."""
        began = runs.c.started_at
        query = select(began).where(runs.c.id != run_id, began <= at).order_by(began.desc()).limit(1)
        with self.database.read() as connection:
            return connection.scalar(query)

    def tell(self, event: Event, run_id: str, at: datetime) -> None:
        """Write an event that belongs to no claim; its `number` tells it from others, such as the day."""
        with self.database.write() as connection:
            write_events(connection, OF_NO_CLAIM, (event,), run_id, at)

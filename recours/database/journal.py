"""The record of runs, and events that belong to no claim."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, bindparam, delete, insert, select, tuple_, update

from recours.core.mail import Event
from recours.database.custody import RUNS_KEPT
from recours.database.engine import Database
from recours.database.event_outbox import add_events
from recours.database.evidence import forget_refused
from recours.database.tables import DONE, at_stage, claims, quota, runs

# Ten years of the record would have each run look through millions of rows. Attempts, documents and mails are not in it: they
# go by `recours prune`, when a person says so.
_REFUSED_KEPT = timedelta(days=90)  # files that prove nothing
_DONE_KEPT = timedelta(days=30)  # our rows of claims that nothing is to be done for
# Rows of a run: few enough that nobody waits for the write lock, and many times what runs add.
RUNS, WINDOWS, ROWS = 500, 50, 2000
# A record goes on after what is too old. Where it does not, the clock is wrong, or nothing ran for that long.
_GOES_ON_WITHIN = timedelta(days=31)

_c, _q = claims.c, quota.c
_OLD_ROWS = (
    select(_c.claim_id)
    .where(
        at_stage(DONE), _c.written_at < bindparam("before"), _c.owed_since.is_(None), _c.lease_token.is_(None)
    )
    .order_by(_c.written_at)
    .limit(ROWS)
)
_FORGET_ROWS = delete(claims).where(
    _c.claim_id.in_(_OLD_ROWS.with_for_update(skip_locked=True).correlate(None))
)


def forget_old(database: Database, before: datetime) -> None:
    """Delete a portion of what ended before then. Raises DatabaseError.

    Nothing, if no run is on record soon after: runs with a clock far ahead would take the record of years with them, and
    today's counts of calls.
    """
    began, ended = runs.c.started_at, _q.window_end
    old_runs = select(runs.c.id).where(began < before).order_by(began).limit(RUNS)
    old_windows = select(_q.limit_key, _q.window_start).where(ended < before).order_by(ended).limit(WINDOWS)
    ids, windows = database.scalars(old_runs), database.all(old_windows)
    soon_after = select(runs.c.id).where(began >= before, began < before + _GOES_ON_WITHIN).limit(1)
    if not (ids or windows) or database.scalar(soon_after) is None:
        return  # as in most runs
    with database.write() as connection:
        connection.execute(delete(runs).where(runs.c.id.in_(ids)))
        of_window = tuple_(_q.limit_key, _q.window_start)
        connection.execute(delete(quota).where(of_window.in_([tuple(window) for window in windows])))


def forget_done(database: Database, before: datetime) -> None:
    """Delete a portion of our rows of claims that have their POD, or are nobody's any more, since then."""
    if database.scalar(_OLD_ROWS, {"before": before}) is None:
        return
    with database.write() as connection:
        connection.execute(_FORGET_ROWS, {"before": before})


@dataclass(frozen=True)
class RunJournal:
    """Runs, written as they begin and end."""

    database: Database
    # Deletes a file, by its path and SHA-256; returns why that could not be done.
    erase: Callable[[str, str], str | None] = lambda path, _: f"nothing here deletes {path}"

    def last_run(self, worker: str, until: datetime) -> datetime | None:
        """When the worker's last run began; later ones than `until` are left out."""
        return self._latest_start(runs.c.worker == worker, until)

    def begin(self, run_id: str, worker: str, at: datetime) -> None:
        with self.database.write() as connection:
            connection.execute(insert(runs).values(id=run_id, worker=worker, started_at=at))

    def end(self, run_id: str, at: datetime, exit_status: int, stats: dict[str, Any]) -> None:
        """A run ends, and takes a portion of what is too old with it."""
        values = {"ended_at": at, "exit_status": exit_status, "stats": stats}
        with self.database.write() as connection:
            connection.execute(update(runs).where(runs.c.id == run_id).values(values))
        # The run before's: one run with a clock far ahead must not take the record of years with it.
        if (before := self._latest_start(runs.c.id != run_id, at)) is None:
            return
        forget_old(self.database, before - RUNS_KEPT)
        forget_done(self.database, before - _DONE_KEPT)
        forget_refused(self.database, before - _REFUSED_KEPT, self.erase, at)

    def _latest_start(self, which: ColumnElement[bool], until: datetime) -> datetime | None:
        began = runs.c.started_at
        query = select(began).where(which, began <= until).order_by(began.desc()).limit(1)
        latest: datetime | None = self.database.scalar(query)
        return latest

    def emit(self, event: Event, run_id: str, at: datetime) -> None:
        with self.database.write() as connection:
            add_events(connection, [(None, event)], run_id, at)

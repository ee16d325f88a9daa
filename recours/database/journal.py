"""Records runs, events, changes to claims and people's actions, in the same transaction as the change itself."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    bindparam,
    delete,
    insert,
    select,
    tuple_,
    union_all,
    update,
)

from recours.core.actions import (
    SERVICE,
    ChangeKind,
    ClaimChange,
    OperatorAction,
    PastAction,
    edits,
    shelving_change,
)
from recours.core.claim import Claim, State
from recours.core.mail import LAPSED, Event, key_of
from recours.core.text import clean
from recours.database.dialect import Dialect, dialect_of
from recours.database.engine import Database
from recours.database.evidence import RUNS_KEPT, forget_refused
from recours.database.tables import DONE, actions, changes, claims, events, is_at_stage, quota, runs

# Runs delete old records, so that tables do not grow to millions of rows. Attempts, documents and emails are deleted
# only on request, by `recours prune`.
_REFUSED_KEPT = timedelta(days=90)  # rejected files
_DONE_KEPT = timedelta(days=30)  # our rows for claims that need no more work
# The maximum number of rows that a run deletes. It is small enough that no process waits long for the write lock, but
# many times the number of rows that a run adds.
RUNS = 500
WINDOWS = 50
ROWS = 2000
# Old records are deleted only if a run began this soon after the cutoff. Otherwise a clock is wrong, or runs stopped.
_GOES_ON_WITHIN = timedelta(days=31)

_c, _q = claims.c, quota.c
_OLD_ROWS = (
    select(_c.claim_id)
    .where(
        is_at_stage(DONE),
        _c.written_at < bindparam("before"),
        _c.owed_since.is_(None),
        _c.lease_token.is_(None),
    )
    .order_by(_c.written_at)
    .limit(ROWS)
)


def forget_old(database: Database, cutoff: datetime) -> None:
    """Delete some of the runs and quota windows from before `cutoff`. Raises DatabaseError.

    Deletes nothing if no run began soon after `cutoff`. Otherwise, a clock set far in the future would delete years of
    records and today's call counts.
    """
    began = runs.c.started_at
    ended = _q.window_end
    old_runs = select(runs.c.id).where(began < cutoff).order_by(began).limit(RUNS)
    old_windows = select(_q.limit_key, _q.window_start).where(ended < cutoff).order_by(ended).limit(WINDOWS)
    ids = database.scalars(old_runs)
    windows = database.all(old_windows)
    soon_after = select(runs.c.id).where(began >= cutoff, began < cutoff + _GOES_ON_WITHIN).limit(1)
    if not (ids or windows) or database.scalar(soon_after) is None:
        return
    with database.write() as connection:
        connection.execute(delete(runs).where(runs.c.id.in_(ids)))
        of_window = tuple_(_q.limit_key, _q.window_start)
        connection.execute(delete(quota).where(of_window.in_([tuple(window) for window in windows])))


def forget_done(database: Database, cutoff: datetime) -> None:
    """Delete some of our rows for claims that need no more work, if they were last written before `cutoff`."""
    if database.scalar(_OLD_ROWS, {"before": cutoff}) is None:
        return
    old_rows = _OLD_ROWS.with_for_update(skip_locked=True).correlate(None)
    with database.write() as connection:
        connection.execute(delete(claims).where(_c.claim_id.in_(old_rows)), {"before": cutoff})


@dataclass(eq=False)
class RunJournal:
    """Records the beginning and end of each run."""

    database: Database
    # Deletes a file by path and SHA-256. Returns why the file could not be deleted, or None.
    erase: Callable[[str, str], str | None] = lambda path, _: f"nothing here deletes {path}"

    def last_run(self, worker: str, until: datetime) -> datetime | None:
        """Return when the worker's last run up to `until` began."""
        return self._latest_start(runs.c.worker == worker, until)

    def begin(self, run_id: str, worker: str, at: datetime) -> None:
        with self.database.write() as connection:
            connection.execute(insert(runs).values(id=run_id, worker=worker, started_at=at))

    def end(self, run_id: str, at: datetime, exit_status: int, stats: dict[str, Any]) -> None:
        """Record the end of a run, and delete some of the old records."""
        values = {"ended_at": at, "exit_status": exit_status, "stats": stats}
        with self.database.write() as connection:
            connection.execute(update(runs).where(runs.c.id == run_id).values(values))
        # Count back from the previous run, so that one run whose clock is far ahead does not delete years of records.
        if (last_start := self._latest_start(runs.c.id != run_id, at)) is None:
            return
        forget_old(self.database, last_start - RUNS_KEPT)
        forget_done(self.database, last_start - _DONE_KEPT)
        forget_refused(self.database, last_start - _REFUSED_KEPT, self.erase, at)

    def _latest_start(self, condition: ColumnElement[bool], until: datetime) -> datetime | None:
        began = runs.c.started_at
        query = select(began).where(condition, began <= until).order_by(began.desc()).limit(1)
        latest: datetime | None = self.database.scalar(query)
        return latest

    def emit(self, event: Event, run_id: str, at: datetime) -> None:
        with self.database.write() as connection:
            add_events(connection, [(None, event)], run_id, at)


# The columns that distinguish the events of a claim.
_KEY = ("event", "carrier", "tracking_number")
_e = events.c


def add_events(
    connection: Connection,
    pairs: Sequence[tuple[Any, Event]],
    run_id: str,
    now: datetime,
    declined: str | None = None,
) -> None:
    """Insert events, each with its claim's id (None: no claim).

    An existing event for the same tracking number is kept. If it has lapsed, it becomes unreported again.
    `declined`: why nobody is notified of the events.
    """
    rows = [
        {
            "event": event.name,
            "audience": event.audience,
            "claim_id": claim_id,
            "carrier": key_of(event.carrier),
            "tracking_number": key_of(event.number),
            "run_id": run_id,
            "created_at": now,
            "facts": dict(event.facts),
            "told": declined,
        }
        for claim_id, event in pairs
    ]
    for is_of_claim in (True, False):
        if group := [row for row in rows if (row["claim_id"] is not None) is is_of_claim]:
            connection.execute(_insert_events(dialect_of(connection), is_of_claim=is_of_claim), group)


@cache
def _insert_events(dialect: Dialect, *, is_of_claim: bool) -> Any:
    statement = dialect.insert(events)
    return statement.on_conflict_do_update(
        index_elements=["claim_id", *_KEY] if is_of_claim else [*_KEY],
        index_where=None if is_of_claim else _e.claim_id.is_(None),
        set_={name: statement.excluded[name] for name in ("run_id", "created_at", "facts", "told")},
        where=_e.told == LAPSED,
    )


def note(connection: Connection, changes_: Sequence[tuple[Any, ClaimChange]], by: str, now: datetime) -> None:
    """Insert changes, each with its claim's id. `by`: a person's name, or SERVICE."""
    if changes_:
        rows = [
            {"claim_id": claim_id, "at": now, "what": change.kind, "by": by, "details": dict(change.details)}
            for claim_id, change in changes_
        ]
        connection.execute(insert(changes), rows)


def note_assessed(connection: Connection, states: Sequence[tuple[Claim, State]], now: datetime) -> None:
    """Record how the service edited these claims since their last assessment, and which claims were shelved."""
    edited = [
        (claim.id, ClaimChange(ChangeKind.EDITED, values)) for claim, _ in states if (values := edits(claim))
    ]
    note(connection, [*edited, *_put_aside(states)], SERVICE, now)


def note_put_aside(connection: Connection, states: Sequence[tuple[Claim, State]], now: datetime) -> None:
    """Record which of these claims are no longer fetched because of their status."""
    note(connection, _put_aside(states), SERVICE, now)


def _put_aside(states: Sequence[tuple[Claim, State]]) -> list[tuple[Any, ClaimChange]]:
    return [(claim.id, change) for claim, state in states if (change := shelving_change(claim, state))]


def note_action(connection: Connection, action: OperatorAction, now: datetime) -> None:
    connection.execute(
        insert(actions),
        {
            "at": now,
            "what": action.kind,
            "subject": action.subject,
            "by": action.by,
            "details": dict(action.details),
        },
    )


@dataclass(eq=False)
class ActionLog:
    """The recorded actions of people in one database. All methods raise DatabaseError."""

    database: Database

    def note(self, action: OperatorAction, now: datetime) -> None:
        """Record an action that is not visible in any other table, such as a check of credentials."""
        with self.database.write() as connection:
            note_action(connection, action, now)

    def latest_of_each(self, subjects: Collection[str], limit: int) -> dict[str, list[PastAction]]:
        """The most recent actions on each of these subjects, latest first."""
        c = actions.c
        of_one = (select(c.id).where(c.subject == subject).order_by(c.id.desc()) for subject in subjects)
        latest_ids = union_all(*(select(query.limit(limit).subquery()) for query in of_one))
        query = select(c.at, c.what, c.subject, c.by, c.details)
        by_subject: dict[str, list[PastAction]] = {subject: [] for subject in subjects}
        for row in self.database.all(query.where(c.id.in_(latest_ids)).order_by(c.id.desc())):
            action = PastAction(row.at, clean(row.what, 40), row.subject, clean(row.by, 100), row.details)
            by_subject[row.subject].append(action)
        return by_subject

"""What is on record beside claims: runs, events, changes of claims, what people do. Written with what it records, in one transaction."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
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

# Ten years of the record would have each run look through millions of rows. Attempts, documents and mails are not in it: they
# go by `recours prune`, when a person says so.
_REFUSED_KEPT = timedelta(days=90)  # files that prove nothing
_DONE_KEPT = timedelta(days=30)  # our rows of claims that nothing is to be done for
# Rows of a run: few enough that nobody waits for the write lock, and many times what runs add.
RUNS = 500
WINDOWS = 50
ROWS = 2000
# A record goes on after what is too old. Where it does not, the clock is wrong, or nothing ran for that long.
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
    """Delete a portion of what ended before then. Raises DatabaseError.

    Nothing, if no run is on record soon after: runs with a clock far ahead would take the record of years with them, and
    today's counts of calls.
    """
    began = runs.c.started_at
    ended = _q.window_end
    old_runs = select(runs.c.id).where(began < cutoff).order_by(began).limit(RUNS)
    old_windows = select(_q.limit_key, _q.window_start).where(ended < cutoff).order_by(ended).limit(WINDOWS)
    ids = database.scalars(old_runs)
    windows = database.all(old_windows)
    soon_after = select(runs.c.id).where(began >= cutoff, began < cutoff + _GOES_ON_WITHIN).limit(1)
    if not (ids or windows) or database.scalar(soon_after) is None:
        return  # as in most runs
    with database.write() as connection:
        connection.execute(delete(runs).where(runs.c.id.in_(ids)))
        of_window = tuple_(_q.limit_key, _q.window_start)
        connection.execute(delete(quota).where(of_window.in_([tuple(window) for window in windows])))


def forget_done(database: Database, cutoff: datetime) -> None:
    """Delete a portion of our rows of claims that have their POD, or are nobody's any more, since then."""
    if database.scalar(_OLD_ROWS, {"before": cutoff}) is None:
        return
    old_rows = _OLD_ROWS.with_for_update(skip_locked=True).correlate(None)
    with database.write() as connection:
        connection.execute(delete(claims).where(_c.claim_id.in_(old_rows)), {"before": cutoff})


@dataclass(eq=False)
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


# What tells one event of a claim from another.
_KEY = ("event", "carrier", "tracking_number")
_e = events.c


def add_events(
    connection: Connection,
    pairs: Sequence[tuple[Any, Event]],
    run_id: str,
    now: datetime,
    declined: str | None = None,
) -> None:
    """Write events, each with the id of its claim; None: of no claim.

    One that was written before for the same number stays as it is; if it lapsed, it is to be told after all.
    `declined`: why nobody is to be told of them.
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
    """Write changes, each with the id of its claim. `by`: a person's name, or SERVICE."""
    if changes_:
        rows = [
            {"claim_id": claim_id, "at": now, "what": change.kind, "by": by, "details": dict(change.details)}
            for claim_id, change in changes_
        ]
        connection.execute(insert(changes), rows)


def note_assessed(connection: Connection, states: Sequence[tuple[Claim, State]], now: datetime) -> None:
    """Write what the service did to these claims since they were last assessed. They have these states from now on."""
    edited = [
        (claim.id, ClaimChange(ChangeKind.EDITED, values)) for claim, _ in states if (values := edits(claim))
    ]
    note(connection, [*edited, *_put_aside(states)], SERVICE, now)


def note_put_aside(connection: Connection, states: Sequence[tuple[Claim, State]], now: datetime) -> None:
    """Write which of these claims, not assessed anew, are set aside from now on."""
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
    """The actions of one database. All methods raise DatabaseError."""

    database: Database

    def note(self, action: OperatorAction, now: datetime) -> None:
        """Record what no other table shows, such as a check of credentials."""
        with self.database.write() as connection:
            note_action(connection, action, now)

    def latest(self, subjects: Sequence[str] = (), limit: int = 50) -> list[PastAction]:
        """The last ones, the latest first; with these subjects, if any are named."""
        c = actions.c
        conditions = [c.subject.in_(subjects)] if subjects else []
        return self._read(select(c.id).where(*conditions).order_by(c.id.desc()).limit(limit))

    def latest_of_each(self, subjects: Collection[str], limit: int) -> dict[str, list[PastAction]]:
        """The last ones with each of these subjects, the latest first."""
        c = actions.c
        of_one = [
            select(c.id).where(c.subject == subject).order_by(c.id.desc()).limit(limit)
            for subject in subjects
        ]
        latest = self._read(*of_one)
        return {subject: [action for action in latest if action.subject == subject] for subject in subjects}

    def _read(self, *queries: Select[int]) -> list[PastAction]:
        """Those whose ids these queries find, the latest first."""
        c = actions.c
        ids = union_all(*(select(query.subquery()) for query in queries))
        query = select(c.at, c.what, c.subject, c.by, c.details).where(c.id.in_(ids)).order_by(c.id.desc())
        return [
            PastAction(row.at, clean(row.what, 40), clean(row.subject, 60), clean(row.by, 100), row.details)
            for row in self.database.all(query)
        ]

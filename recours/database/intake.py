"""The intake: our rows of claims are brought up to date with the service's, at the start of each run.

The sweep, which goes round by key, alone makes it right; what comes before it makes it quick. Rows are looked for without any
lock, and read again in the transaction that writes ours. Nothing of the service's is locked, but for the moment of telling it.
"""

from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    Date,
    DateTime,
    Integer,
    Numeric,
    Row,
    Select,
    Text,
    and_,
    bindparam,
    case,
    cast,
    delete,
    exists,
    false,
    func,
    literal_column,
    null,
    or_,
    select,
    text,
    true,
    update,
)

from recours.core.accounts import AccountKey
from recours.core.carrier import Catalog
from recours.core.claim import Claim, FetchStatus, Stage, State, tidy_number
from recours.core.error_text import classify
from recours.core.errors import ErrorKind
from recours.core.policy import Adoption
from recours.database.border import SEEN, Border
from recours.database.changes import note_assessed
from recours.database.claim_reader import MOST_RETRIES, read_claim
from recours.database.claim_rows import (
    Redact,
    assessed_values,
    const,
    count_projection,
    free,
    free_at_moment,
    in_parts,
    insert_rows,
    moments,
    owed_in,
    owed_text,
    project,
    reading_all,
    unchanged,
    write_states,
)
from recours.database.engine import Database, DatabaseError
from recours.database.event_outbox import insert_into
from recours.database.named_leases import lease_name, release_name
from recours.database.restored import proofs_to_tell_again
from recours.database.tables import DONE, NOT_ENROLLED, OPEN_STAGES, at_stage, claims, intake, leases
from recours.runs.ports import Clock

_c = claims.c
_ROW = intake.c.id == 1

# Rows of one transaction: short enough that nobody waits long for the write lock.
CHUNK = 500
# Keys below the mark are looked at again: a transaction of the service's may commit late.
_MARGIN = 10_000
# How many keys the sweep compares in a run, and in a transaction of the first round.
_SWEEP_SIZE = 50_000
_ADOPTION_SIZE = 10_000
# Claims that were given up or shelved are compared in each run for so long.
_WATCH = timedelta(days=60)

_NAME = "intake"
# A process that died keeps the others from it as long as they wait for it.
_LEASE = timedelta(minutes=2)
_POLL_S = 0.2

# How long the service is waited for that has locked what it is to be told, and how much of it is locked at once.
_SERVICE_LOCK_WAIT_S = 2.0
_PROJECTIONS_AT_ONCE = 100
# Where not single rows are locked, but all of them, the service is not waited for any longer in this run.
_MOST_FAULTS = 3

# What is looked up by a key was looked at a moment ago. PostgreSQL would rather read a whole table than 10,000 rows of it.
_BY_KEY = text("SET LOCAL random_page_cost = 1.1")
# What SQLite's text is read as where it is no UTF-8.
_UNREADABLE = "\ufffd"


def read_adoption(connection: Connection) -> Adoption | None:
    """When recours first worked on this database; None if somebody has removed the row."""
    row = connection.execute(select(intake).where(_ROW)).first()
    if row is None or row.adopted_at is None:
        return None
    return Adoption(row.adopted_at, row.highest_claim_id, row.status_column_added, row.decided)


# ---------------------------------------------------------------- assessing


@dataclass(frozen=True)
class Assessor:
    """Assesses claims by what the service's rows hold now."""

    database: Database
    catalog: Catalog
    assess: Callable[[Claim, datetime], State]
    redact: Redact = str  # takes secrets out of what other software wrote

    def take(
        self,
        connection: Connection,
        ids: Sequence[Any],
        now: datetime,
        *,
        before: Mapping[Any, Claim] | None = None,
    ) -> list[Claim]:
        """Assess these claims and write our rows; the claims as they are then.

        Without those that a run has leased, and those whose proof the service is still to be told. `before`: what they were
        when the caller began to write to the service's rows, which is no edit of the service's.
        """
        return self._take(connection, _to_take(self.database.border), ids, now, before or {})

    def take_stale(self, connection: Connection, ids: Sequence[Any], now: datetime) -> list[Claim]:
        """The same of those alone that still are not what our rows were assessed on."""
        return self._take(connection, _stale_to_take(self.database.border), ids, now, {})

    def _take(
        self,
        connection: Connection,
        query: Select[Any],
        ids: Sequence[Any],
        now: datetime,
        before: Mapping[Any, Claim],
    ) -> list[Claim]:
        rows = connection.execute(query, {"of_claims": ids, **moments(now, "")}).mappings().all()
        if len(rows) < len(ids):
            _delete_orphans(connection, self.database.border, ids, now)
        claims_ = [read_claim(row, self.catalog, self.redact) for row in rows]
        stages = {row["id"]: row["stage"] for row in rows if row["claim_id"] is not None}
        current = unchanged(connection, [claim for claim in claims_ if claim.id in stages])
        again = proofs_to_tell_again(connection, self.database.border, current)
        states: list[tuple[Claim, State]] = []
        inserts: list[dict[str, Any]] = []
        updates: list[tuple[Any, dict[str, Any]]] = []
        deletions: list[Any] = []
        for claim in [*(claim for claim in claims_ if claim.id not in stages), *current]:
            stage = stages.get(claim.id)
            state, values = self._assessed(claim, stage, now)
            if told := again.get(claim.id):
                state = replace(claim.state, stage=None)
                owed = owed_text(told | count_projection(claim, state))
                values = assessed_values(claim, state, now) | {"owed": owed, "owed_since": now}
            if not values:
                deletions += [claim.id] if stage else []
                continue
            states.append((claim, state))
            if stage:
                updates.append((claim.id, values))
            else:
                inserts.append({"claim_id": claim.id, **values})
        _delete(connection, deletions)
        write_states(connection, updates)
        insert_rows(connection, inserts)
        if self.database.is_sqlite:
            self._copy_unreadable(connection, [claim for claim, _ in states])
        edited = [(before.get(claim.id, claim), state) for claim, state in states if claim.id not in again]
        note_assessed(connection, edited, now)
        return [replace(claim, state=state) for claim, state in states]

    def _assessed(self, claim: Claim, stage: str | None, now: datetime) -> tuple[State, dict[str, Any]]:
        """The state of a claim, and our columns with it; none: there is to be no row of it. `stage`: of the row that there is."""
        state = self.assess(claim, now)
        if claim.is_ours:
            return state, assessed_values(claim, state, now)
        # Of a claim that nobody works on the service is told nothing.
        nothing_owed: dict[str, str | None] = {"owed": None, "owed_since": None}
        if not claim.fetch_status and claim.number and state.stage is not Stage.SHELVED:
            state = State(since=claim.created_at)
            nothing_owed |= {"stage": NOT_ENROLLED, "lane": None}
        elif stage in (None, NOT_ENROLLED) or claim.assessed is None:
            return state, {}
        else:
            state = replace(claim.state, stage=None, next_at=None)
        return state, assessed_values(claim, state, now) | nothing_owed

    def _copy_unreadable(self, connection: Connection, read: Sequence[Claim]) -> None:
        """Remember texts that are no UTF-8 as they are: they were read as something else."""
        border = self.database.border
        ids = [claim.id for claim in read if any(_UNREADABLE in (value or "") for value in claim.texts)]
        if ids:
            texts = {name: border.text(column) for name, column in SEEN.items()}
            these = _c.claim_id == border.key, _c.claim_id.in_(ids)
            connection.execute(update(claims).where(*these).values(texts))


def _delete(connection: Connection, ids: Sequence[Any]) -> None:
    if ids:
        connection.execute(delete(claims).where(_c.claim_id.in_(ids)))


def _delete_orphans(connection: Connection, border: Border, ids: Sequence[Any], now: datetime) -> None:
    """Delete our rows of those of these claims that the service has deleted."""
    is_there = exists().where(border.key == _c.claim_id)
    orphans = select(_c.claim_id).where(_c.claim_id.in_(ids), free(now), ~is_there)
    _delete(connection, list(connection.scalars(orphans.with_for_update(skip_locked=True, of=claims))))


# ---------------------------------------------------------------- the conditions


@lru_cache(maxsize=8)
def _to_take(border: Border) -> Select[Any]:
    """Parameters: `of_claims`, `moments`."""
    is_takeable = or_(_c.claim_id.is_(None), and_(free_at_moment(), _is_told(border)))
    return reading_all(border, border.key.in_(bindparam("of_claims", expanding=True)), is_takeable)


@lru_cache(maxsize=8)
def _stale_to_take(border: Border) -> Select[Any]:
    return _to_take(border).where(or_(_c.claim_id.is_(None), _is_stale(border)))


def _is_told(border: Border) -> ColumnElement[bool]:
    """Rows of which the service was told all. What it is still to be told of a claim is worth nothing once it edits that."""
    return or_(_c.owed_since.is_(None), border.is_edited)


def _is_stale(border: Border) -> ColumnElement[bool]:
    """Rows of ours, beside their claims, that are to be assessed again. A claim of nobody's is only once it is somebody's."""
    is_somebodys = or_(_c.stage != const(DONE), border.is_worked_on, border.is_not_enrolled)
    is_due = or_(_c.to_assess == literal_column("1"), and_(is_somebodys, border.differs))
    return and_(is_due, free_at_moment())


def is_of_interest(status: ColumnElement[str], skip: Collection[str]) -> ColumnElement[bool]:
    """Claims whose own status, in this column, does not say that no POD is wanted."""
    trimmed = func.trim(status)
    # Capitals as people write them: a database may know the lower case of unaccented letters only.
    spellings = sorted({form(name) for name in skip for form in (str.upper, str.capitalize)})
    others = [func.lower(trimmed) != name for name in skip] + [trimmed != name for name in spellings]
    return or_(status.is_(None), and_(true(), *others))


def _is_new(border: Border, skip: Sequence[str]) -> ColumnElement[bool]:
    """Claims of the service's of which there is to be a row of ours."""
    return or_(border.is_worked_on, and_(border.is_not_enrolled, is_of_interest(border.text("status"), skip)))


def _is_exhausted(border: Border) -> ColumnElement[bool]:
    """Failures whose retries other software used up. Parameter: `max_retries`."""
    count = border.column("pod_retry_count")
    if not isinstance(count.type, Integer | Numeric):
        return false()  # they are assessed one by one
    # In SQLite a text is more than any number: hence the most.
    is_used_up = count >= bindparam("max_retries", type_=Integer), count <= literal_column(str(MOST_RETRIES))
    return and_(border.text("pod_fetch_status") == const(FetchStatus.FAILED), *is_used_up)


# ---------------------------------------------------------------- what is looked for


@dataclass(frozen=True)
class _Keys:
    """A stretch of keys: those after `after`, up to `until`, where there are such bounds."""

    after: Any = None
    until: Any = None

    @property
    def kind(self) -> tuple[bool, bool]:
        return self.after is not None, self.until is not None

    @property
    def parameters(self) -> dict[str, Any]:
        bounds = {"after": self.after, "until": self.until}
        return {name: bound for name, bound in bounds.items() if bound is not None}


def _within(border: Border, kind: tuple[bool, bool], key: ColumnElement[Any]) -> list[ColumnElement[bool]]:
    after, until = (bindparam(name, type_=border.key.type) for name in ("after", "until"))
    has_after, has_until = kind
    return [*([key > after] if has_after else []), *([key <= until] if has_until else [])]


@lru_cache(maxsize=32)
def _without_row(border: Border, kind: tuple[bool, bool]) -> Select[Any]:
    """The keys of the service's claims in a stretch of which there is no row of ours; the stretch is said of both tables."""
    ours = claims, and_(border.key == _c.claim_id, *_within(border, kind, _c.claim_id))
    query = select(border.key).select_from(border.claims.outerjoin(*ours))
    return query.where(_c.claim_id.is_(None), *_within(border, kind, border.key)).order_by(border.key)


@lru_cache(maxsize=32)
def _new(
    border: Border, kind: tuple[bool, bool], skip: tuple[str, ...], *, is_adoption: bool = False
) -> Select[Any]:
    """Those of which there is to be a row. `is_adoption`: but for exhausted ones, see `ClaimIntake.adopt_exhausted`."""
    conditions = [_is_new(border, skip)]
    if is_adoption:
        conditions.append(case((_is_exhausted(border), false()), else_=true()))
    return _without_row(border, kind).where(*conditions)


@lru_cache(maxsize=32)
def _stale(border: Border, kind: tuple[bool, bool] = (False, False)) -> Select[Any]:
    """The keys and stages of our rows that are to be assessed again, or whose claims are gone. Parameters: `moments`."""
    theirs = border.claims, and_(border.key == _c.claim_id, *_within(border, kind, border.key))
    # As a CASE, since an OR would have PostgreSQL expect every row.
    is_stale = case((border.key.is_(None), free_at_moment()), (_is_stale(border), true()), else_=false())
    query = select(_c.claim_id, _c.stage).select_from(claims.outerjoin(*theirs))
    return query.where(is_stale, *_within(border, kind, _c.claim_id))


@lru_cache(maxsize=8)
def _open(border: Border) -> Select[Any]:
    return _stale(border).where(at_stage(*OPEN_STAGES)).order_by(_c.claim_id)


@lru_cache(maxsize=8)
def _to_assess(border: Border) -> Select[Any]:
    return _stale(border).where(_c.to_assess == literal_column("1")).order_by(_c.claim_id)


@lru_cache(maxsize=8)
def _recent(border: Border) -> Select[Any]:
    """Parameter: `since`, too."""
    since = bindparam("since", type_=_c.written_at.type)
    stages = _c.stage.in_([const(Stage.GIVEN_UP), const(Stage.SHELVED)])
    return _stale(border).where(stages, _c.written_at > since).order_by(_c.claim_id)


@lru_cache(maxsize=8)
def _pending(border: Border) -> Select[Any]:
    """Pending claims that no row of ours knows as such; the indexes alone answer."""
    is_known = or_(
        _c.stage.in_([const(stage) for stage in OPEN_STAGES]),
        _c.seen_fetch_status == const(FetchStatus.PENDING),
    )
    is_unknown = case((_c.claim_id.is_(None), true()), (is_known, false()), else_=true())
    return select(border.key).select_from(border.not_joined()).where(border.is_pending, is_unknown)


@lru_cache(maxsize=8)
def _end_of_stretch(border: Border, *, has_after: bool) -> Select[Any]:
    within = _within(border, (has_after, False), border.key)
    query = select(border.key).where(*within).order_by(border.key)
    return query.offset(bindparam("size", type_=Integer)).limit(1)


# ---------------------------------------------------------------- the intake


@dataclass(frozen=True)
class ClaimIntake:
    """Our rows of one database's claims, brought up to date by one run."""

    assessor: Assessor
    skip: Collection[str]  # claim statuses (lower case) of no interest
    max_retries: int
    run_id: str
    clock: Clock

    @property
    def _database(self) -> Database:
        return self.assessor.database

    @property
    def _border(self) -> Border:
        return self._database.border

    @property
    def _skip(self) -> tuple[str, ...]:
        return tuple(sorted(self.skip))

    def run(self, now: datetime) -> Iterator[Claim]:
        """Bring our rows up to date; yields the claims that were assessed, as they are then. Raises DatabaseError.

        One process at a time does: if another one takes long, this run goes on with what our rows say.
        """
        self.tell_owed(now)
        if not self._lease():
            return
        count = 0
        try:
            for claim in self._take_in(now):
                count += 1
                yield claim
        finally:
            release_name(self._database, _NAME, self.run_id)
        if count:
            self.tell_owed(now)

    def _take_in(self, now: datetime) -> Iterator[Claim]:
        border = self._border
        with self._reading() as connection:
            row = connection.execute(select(intake).where(_ROW)).first()
            if row is None:
                return
            mark = connection.scalar(select(func.max(border.key))) if border.key_is_number else None
            ids = self._look(connection, row.mark, now)
        yield from self._take(ids, now)
        progress = yield from self._sweep(row, now)
        self._note(mark=mark, **progress)

    def _look(self, connection: Connection, mark: Any, now: datetime) -> list[Any]:
        """The keys of claims that are likely to be new, or edited."""
        border = self._border
        values = {**moments(now, ""), "since": now - _WATCH}
        queries = [_to_assess(border), _open(border), _recent(border)]
        if border.has_index:
            queries.append(_pending(border))
        ids = dict.fromkeys(key for query in queries for key in connection.scalars(query, values))
        if mark is not None and border.key_is_number:
            newest = _Keys(after=mark - _MARGIN)
            query = _new(border, newest.kind, self._skip)
            ids |= dict.fromkeys(connection.scalars(query, newest.parameters))
        return list(ids)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._database.read() as connection:
            if not self._database.is_sqlite:
                connection.execute(_BY_KEY)
            yield connection

    def _take(self, ids: Sequence[Any], now: datetime) -> Iterator[Claim]:
        for first in range(0, len(ids), CHUNK):
            with self._database.write() as connection:
                self._renew(connection)
                claims_ = self.assessor.take_stale(connection, ids[first : first + CHUNK], now)
            yield from claims_

    def _note(self, **values: Any) -> None:
        with self._database.write() as connection:
            connection.execute(update(intake).where(_ROW).values(values))

    # ---------------------------------------------------------------- one at a time

    def _lease(self) -> bool:
        """Wait for other processes that do this work, but not for ever."""
        clock = self.clock
        give_up_at = clock.now() + _LEASE
        while not lease_name(self._database, _NAME, self.run_id, clock.now() + _LEASE, clock.now()):
            if clock.now() > give_up_at:
                return False
            clock.sleep(_POLL_S)
        return True

    def _renew(self, connection: Connection) -> None:
        ours = leases.c.name == _NAME, leases.c.holder == self.run_id
        connection.execute(update(leases).where(*ours).values(held_until=self.clock.now() + _LEASE))

    # ---------------------------------------------------------------- the sweep

    def _sweep(self, row: Row[Any], now: datetime) -> Generator[Claim, None, dict[str, Any]]:
        """Go on comparing all claims where the last run stopped, in the first round up to the end; returns how far it came."""
        border, is_first = self._border, row.swept_at is None
        repaired = 0 if is_first or row.swept_to is None else row.repaired
        after = row.swept_to
        while True:
            keys = self._stretch(after, _ADOPTION_SIZE if is_first else _SWEEP_SIZE)
            if is_first:
                self._insert_not_enrolled(keys, now)
            with self._reading() as connection:
                new = self._new(connection, keys, row)
                stale = connection.execute(
                    _stale(border, keys.kind), keys.parameters | moments(now, "")
                ).all()
            repaired += sum(stage not in (DONE, NOT_ENROLLED) for _, stage in stale)
            yield from self._take([*new, *(claim_id for claim_id, _ in stale)], now)
            if keys.until is None:
                return {"swept_to": None, "swept_at": now, "repaired": repaired}
            if not is_first:
                return {"swept_to": keys.until, "repaired": repaired}
            after, repaired = keys.until, 0
            self._note(swept_to=after)

    def _stretch(self, after: Any, size: int) -> _Keys:
        """So many keys after this one; None: from the beginning."""
        query = _end_of_stretch(self._border, has_after=after is not None)
        with self._database.read() as connection:
            return _Keys(after, connection.scalar(query, {"size": size - 1, **_Keys(after).parameters}))

    def _new(self, connection: Connection, keys: _Keys, row: Row[Any]) -> list[Any]:
        is_adoption = row.exhausted_at is None
        query = _new(self._border, keys.kind, self._skip, is_adoption=is_adoption)
        values = keys.parameters | ({"max_retries": self.max_retries} if is_adoption else {})
        return list(connection.scalars(query, values))

    # ---------------------------------------------------------------- what other software left, taken in at once

    def _insert_not_enrolled(self, keys: _Keys, now: datetime) -> None:
        with self._database.write() as connection:
            self._renew(connection)
            statement = _insert_not_enrolled(self._border, keys.kind, self._skip)
            connection.execute(statement, keys.parameters | {"now": now})

    def adopt_exhausted(self, now: datetime) -> Iterator[int]:
        """Once, have failures whose retries other software used up count as given up; how many, a stretch at a time.

        It is the past, so no event and no mail. What an assessment makes of each is a function of few values, so that one
        statement writes a stretch.
        """
        with self._database.read() as connection:
            row = connection.execute(select(intake).where(_ROW)).first()
        if row is None or row.exhausted_at is not None or not self._lease():
            return
        try:
            keys = self._stretch(None, _ADOPTION_SIZE)
            yield self._adopt(keys, now)
            while keys.until is not None:
                keys = self._stretch(keys.until, _ADOPTION_SIZE)
                yield self._adopt(keys, now)
            self._note(exhausted_at=now)
        finally:
            release_name(self._database, _NAME, self.run_id)

    def _adopt(self, keys: _Keys, now: datetime) -> int:
        border = self._border
        bounds = keys.parameters | {"max_retries": self.max_retries}
        with self._database.write() as connection:
            self._renew(connection)
            rows = connection.execute(_exhausted(border, keys.kind), bounds).all()
            if not rows:
                return 0
            verdicts = [self._verdict(row) for row in rows]
            values = {"max_retries": self.max_retries, "now": now}
            if self._database.is_sqlite:
                parameters = [dict(zip(_VERDICT, verdict, strict=True)) | values for verdict in verdicts]
            else:
                lists = zip(_VERDICT, map(list, zip(*verdicts, strict=True)), strict=True)
                parameters = [dict(lists) | values]
            connection.execute(_insert_exhausted(border), parameters)
        return len(rows)

    def _verdict(self, row: Sequence[Any]) -> tuple[Any, ...]:
        """A claim's stage and lane, and the kind of its error; with what tells them."""
        key, client_id, carrier, number, client, status, error = row
        catalog, tidied = self.assessor.catalog, tidy_number(number)
        kind = classify(error) if tidied else ErrorKind.INVALID_TRACKING
        served_by = catalog.resolve(carrier or "", tidied, client_id)
        account = catalog.account_for(client_id, served_by, None)
        lane = str(AccountKey(served_by, account)) if served_by else ""
        is_shelved = (status or "").strip().lower() in self.skip
        stage = Stage.SHELVED if is_shelved else Stage.GIVEN_UP
        return key, stage.value, lane, kind.value, carrier, number, client, status

    # ---------------------------------------------------------------- telling the service

    def tell_owed(self, now: datetime) -> int:
        """Tell the service what it could not be told before; of how many claims. Raises DatabaseError.

        Nothing of a claim that it has changed since, nor of one that it has locked: that is told later.
        """
        is_one_by_one = self._border.is_view and not self._database.is_sqlite
        owed = select(_c.claim_id.label("id")).where(_c.owed_since.is_not(None), free(now))
        size = 1 if is_one_by_one else _PROJECTIONS_AT_ONCE
        count = faults = 0
        for rows in in_parts(self._database, owed, _c.claim_id, size):
            successes = self._tell([row["id"] for row in rows], now)
            count += successes or 0
            faults += successes is None
            if faults == _MOST_FAULTS:
                break
        return count

    def _tell(self, ids: Sequence[Any], now: datetime) -> int | None:
        """None: the service has locked what was to be written. What its own rules refuse stays owed, and is counted by `status`."""
        try:
            with self._database.write(lock_wait_s=_SERVICE_LOCK_WAIT_S) as connection:
                return self._tell_at_once(connection, ids, now)
        except DatabaseError as fault:
            if fault.is_of_lock and not self._database.is_sqlite:
                return None
            if not fault.is_of_rules:
                raise
            if len(ids) == 1:
                return 0
        counts = [self._tell([claim_id], now) for claim_id in ids]
        return sum(count or 0 for count in counts)

    def _tell_at_once(self, connection: Connection, ids: Sequence[Any], now: datetime) -> int:
        border = self._border
        if not border.is_view:
            ids = list(connection.scalars(border.lock(ids)))
        is_edited = case((border.is_edited, 1), else_=0).label("is_edited")
        query = select(_c.claim_id, _c.owed, is_edited).select_from(border.joined())
        query = query.where(_c.claim_id.in_(ids), _c.owed.is_not(None), free(now))
        rows = connection.execute(query.with_for_update(of=claims)).all()
        conflicts = [row.claim_id for row in rows if row.is_edited]
        groups: dict[tuple[str, ...], dict[Any, dict[str, Any]]] = {}
        for row in rows:
            if not row.is_edited:
                news = owed_in(row.owed)
                groups.setdefault(tuple(news), {})[row.claim_id] = news
        successes: list[Any] = []
        for group in groups.values():
            is_all = project(connection, border, group) == len(group)
            (successes if is_all else conflicts).extend(group)
        no_debt = {"owed": None, "owed_since": None, "version": _c.version + 1}
        for keys, values in ((successes, border.seen_now), (conflicts, {})):
            if keys:
                connection.execute(update(claims).where(_c.claim_id.in_(keys)).values({**no_debt, **values}))
        return len(successes)


# ---------------------------------------------------------------- in bulk


def _texts(border: Border) -> dict[str, ColumnElement[Any]]:
    return {name: border.text(column) for name, column in SEEN.items()}


def _insert_selected(border: Border, values: Mapping[str, Any], where: Select[Any]) -> Any:
    """An INSERT of rows of ours that are made from the service's, in the order in which all insert them."""
    in_order = cast(border.key, Text) if border.is_sqlite else cast(border.key, Text).collate("C")
    columns = [value.label(name) for name, value in values.items()]
    rows = where.with_only_columns(*columns, maintain_column_froms=True).order_by(None).order_by(in_order)
    dialect = "sqlite" if border.is_sqlite else "postgresql"
    inserted = insert_into(claims, dialect).from_select(list(values), rows, include_defaults=False)
    return inserted.on_conflict_do_nothing()


@lru_cache(maxsize=16)
def _insert_not_enrolled(border: Border, kind: tuple[bool, bool], skip: tuple[str, ...]) -> Any:
    """Parameters: those of the stretch, `now`."""
    created_at, is_readable = _creation(border)
    where = border.is_not_enrolled, is_of_interest(border.text("status"), skip), is_readable
    values = {
        "claim_id": border.key,
        "stage": const(NOT_ENROLLED),
        "since": created_at,
        "written_at": bindparam("now", type_=_c.written_at.type),
        **_texts(border),
    }
    return _insert_selected(border, values, _without_row(border, kind).where(*where))


def _creation(border: Border) -> tuple[ColumnElement[Any], ColumnElement[bool]]:
    """When the service made a claim, as our columns hold a time, and whether the database can tell."""
    written = border.text("created_at")
    if not border.has("created_at"):
        return null(), true()
    if border.is_sqlite:
        is_date = written.op("GLOB")(literal_column("'[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*'"))
        at = func.strftime("%Y-%m-%d %H:%M:%S.000000", written)
        return at, or_(written.is_(None), and_(is_date, at.is_not(None)))
    column = border.column("created_at")
    if isinstance(column.type, DateTime | Date):
        # Python knows no time such as `infinity`.
        is_time = column.between(literal_column("'0001-01-02'"), literal_column("'9999-12-30'"))
        return case((is_time, cast(column, _c.since.type))), true()
    return null(), written.is_(None)


@lru_cache(maxsize=8)
def _exhausted(border: Border, kind: tuple[bool, bool]) -> Select[Any]:
    """What an assessment goes by. Parameters: those of the stretch, `max_retries`."""
    client_id = border.column("client_id") if border.has("client_id") else null()
    texts = [border.text(name) for name in (*_FACTS.values(), "pod_fetch_error")]
    columns = [border.key, client_id.label("client"), *texts]
    where = case((_is_exhausted(border), true()), else_=false())
    return _without_row(border, kind).where(where).with_only_columns(*columns, maintain_column_froms=True)


# What `ClaimIntake._verdict` answers, and the service's columns that tell it.
_FACTS = {"carrier": "carrier", "number": "tracking_number", "client": "client_id", "status": "status"}
_VERDICT = ("of_claim", "to_stage", "to_lane", "to_kind", *_FACTS)


@lru_cache(maxsize=8)
def _insert_exhausted(border: Border) -> Any:
    """Parameters: `max_retries`, `now`, and a verdict: of one claim on SQLite, elsewhere lists of them."""
    query = select(border.key).where(_is_exhausted(border))
    types = [border.key.type, *(Text() for _ in _VERDICT[1:])]
    values: dict[str, ColumnElement[Any]]
    if border.is_sqlite:
        values = {name: bindparam(name, type_=of) for name, of in zip(_VERDICT, types, strict=True)}
        query = query.where(border.key == values["of_claim"])
    else:
        lists = [bindparam(name, type_=ARRAY(of)) for name, of in zip(_VERDICT, types, strict=True)]
        values = dict(func.unnest(*lists).table_valued(*_VERDICT).render_derived(name="verdicts").c.items())
        # What the service edits meanwhile is assessed later.
        facts = [border.text(column).is_not_distinct_from(values[name]) for name, column in _FACTS.items()]
        query = query.where(border.key == values["of_claim"], *facts)
    now = bindparam("now", type_=_c.failed_at.type)
    count = cast(border.column("pod_retry_count"), Integer)
    columns = {
        "claim_id": border.key,
        "stage": values["to_stage"],
        "lane": values["to_lane"],
        "kind": values["to_kind"],
        "failed_at": now,
        "rank_at": now,
        "since": _creation(border)[0],
        "retries_used": count,
        "attempts": count,
        **_texts(border),
    }
    return _insert_selected(border, columns, query)

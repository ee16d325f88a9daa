"""The intake: updates our rows of claims from the service's rows at the start of each run.

The sweep compares all claims in the order of their keys, and guarantees correctness. The queries before the sweep find
new and edited claims fast. Rows are found without locks, and read again in the transaction that writes our rows. The
service's rows are locked only briefly, while recours writes to them.
"""

from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Executable,
    Integer,
    Numeric,
    Row,
    RowMapping,
    Select,
    and_,
    bindparam,
    case,
    delete,
    exists,
    false,
    func,
    literal_column,
    or_,
    select,
    true,
    union_all,
    update,
)

from recours.core.accounts import AccountKey
from recours.core.assessment import lost_its_proof
from recours.core.carrier import Catalog
from recours.core.claim import Claim, FetchStatus, Stage, State, tidy_number
from recours.core.errors import ErrorKind
from recours.core.policy import Adoption
from recours.core.sentences import classify
from recours.core.text import clean
from recours.database.border import SEEN, Border
from recours.database.claim_rows import (
    CHUNK,
    MOST_RETRIES,
    SERVICE_LOCK_WAIT_S,
    Reader,
    Redact,
    as_dicts,
    as_moment,
    assessed_values,
    const,
    count_projection,
    free,
    free_at_moment,
    in_batches,
    insert_rows,
    is_erased,
    moments,
    owed_in,
    owed_text,
    project,
    read_claim,
    read_in_batches,
    reading_all,
    seen_texts,
    unchanged,
    write_states,
)
from recours.database.engine import Database, DatabaseError, lease_name, release_name
from recours.database.evidence import LONGEST_NUMBER
from recours.database.journal import note_assessed
from recours.database.tables import (
    DONE,
    ERASED,
    NOT_ENROLLED,
    OPEN_STAGES,
    attempts,
    claims,
    evidence,
    intake,
    is_open,
    leases,
)
from recours.runs.ports import Clock

_a, _c, _v = attempts.c, claims.c, evidence.c
_ROW = intake.c.id == 1

# How many keys below the previous run's highest key are read again, because the service may commit new claims late.
_MARGIN = 10_000
# How many keys the sweep compares in a run, and per transaction in the first round.
_SWEEP_SIZE = 50_000
_ADOPTION_SIZE = 10_000
# How long claims that were given up or shelved are compared in every run; later only in the sweep.
_WATCH = timedelta(days=60)

_NAME = "intake"
# How long a dead process blocks the intake of other processes, which wait briefly and then continue without an intake.
_LEASE = timedelta(minutes=2)
_PATIENCE = timedelta(seconds=20)
_POLL_S = 0.2

# The maximum number of the service's rows that are locked at once.
_PROJECTIONS_AT_ONCE = 100
# After this many timeouts the whole table is probably locked, and the run stops waiting for locks of the service.
_MOST_FAULTS = 3

# The replacement character in texts that are not valid UTF-8.
_UNREADABLE = "\ufffd"


class _SuppressedError(Exception):
    """A trigger of the service suppressed some of several updates, which are now repeated one by one."""


def read_adoption(connection: Connection) -> Adoption | None:
    """The adoption of this database; None if somebody deleted its row."""
    row = connection.execute(select(intake).where(_ROW)).mappings().first()
    return adoption_of(row) if row else None


def adoption_of(row: RowMapping) -> Adoption | None:
    if row["adopted_at"] is None:
        return None
    return Adoption(row["adopted_at"], row["highest_claim_id"], row["status_column_added"], row["decided"])


@dataclass(eq=False)
class Assessor:
    """Assesses claims based on the current values of the service's rows."""

    database: Database
    catalog: Catalog
    assess: Callable[[Claim, datetime], State]
    redact: Redact = str  # removes secrets from texts that other software wrote

    def reassess(
        self,
        connection: Connection,
        ids: Sequence[Any],
        now: datetime,
        *,
        originals: Mapping[Any, Claim] | None = None,
        if_stale: bool = False,
    ) -> list[Claim]:
        """Assess these claims, write our rows, and return the updated claims.

        Skips claims that a run has leased, and claims with values that are not yet written to the service's row.
        `originals`: the claims before the caller wrote to the service's rows, so that its writes do not count as edits.
        `if_stale`: skip claims whose values have not changed since they were last assessed.
        """
        border = self.database.border
        is_available = _is_stale(border, now) if if_stale else free(now)
        # Once the service edits a claim, values that are not yet written to its row are obsolete.
        owes_nothing = or_(_c.owed_since.is_(None), border.is_edited)
        is_included = or_(_c.claim_id.is_(None), and_(is_available, owes_nothing))
        rows = connection.execute(reading_all(border, border.key.in_(ids), is_included)).mappings().all()
        if len(rows) < len(ids):
            _delete_orphans(connection, border, ids, now)
        claims_ = [read_claim(row, self.catalog, self.redact) for row in rows]
        stages = {row["id"]: row["stage"] for row in rows if row["claim_id"] is not None}
        current = unchanged(connection, [claim for claim in claims_ if claim.id in stages])
        proofs = _proofs_to_write_again(connection, border, current)
        states: list[tuple[Claim, State]] = []
        inserts: list[dict[str, Any]] = []
        updates: list[tuple[Any, dict[str, Any]]] = []
        deletions: list[Any] = []
        for claim in [*(claim for claim in claims_ if claim.id not in stages), *current]:
            stage = stages.get(claim.id)
            state, values = self._assessed(claim, stage, now)
            if proof := proofs.get(claim.id):
                state = replace(claim.state, stage=None)
                owed = owed_text(proof | count_projection(claim, state))
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
        _copy_unreadable(connection, border, {claim.id: claim.texts for claim, _ in states})
        edited = [
            ((originals or {}).get(claim.id, claim), state)
            for claim, state in states
            if claim.id not in proofs
        ]
        note_assessed(connection, edited, now)
        return [replace(claim, state=state) for claim, state in states]

    def _assessed(self, claim: Claim, stage: str | None, now: datetime) -> tuple[State, dict[str, Any]]:
        """Return a claim's state and the values of our row (empty: delete it). `stage`: the existing row's stage."""
        state = self.assess(claim, now)
        if claim.is_ours:
            return state, assessed_values(claim, state, now)
        # If recours does not work on a claim, nothing is written to the service's row.
        nothing_owed: dict[str, str | None] = {"owed": None, "owed_since": None}
        if not claim.fetch_status and claim.number and state.stage is not Stage.SHELVED:
            state = State(since=claim.created_at)
            nothing_owed |= {"stage": NOT_ENROLLED, "lane": None}
        elif stage in (None, NOT_ENROLLED) or claim.assessed is None:
            return state, {}
        else:
            state = replace(claim.state, stage=None, next_at=None)
        return state, assessed_values(claim, state, now) | nothing_owed


def _copy_unreadable(
    connection: Connection, border: Border, texts: Mapping[Any, Sequence[str | None]]
) -> None:
    """Copy texts that are not valid UTF-8 within the database, because reading them into Python altered them."""
    ids = [key for key, read in texts.items() if any(_UNREADABLE in (value or "") for value in read)]
    if ids and border.dialect.has_any_text:
        raw = {name: border.text(column) for name, column in SEEN.items()}
        connection.execute(update(claims).where(_c.claim_id == border.key, _c.claim_id.in_(ids)).values(raw))


def _delete(connection: Connection, ids: Sequence[Any]) -> None:
    if ids:
        connection.execute(delete(claims).where(_c.claim_id.in_(ids)))


def _delete_orphans(connection: Connection, border: Border, ids: Sequence[Any], now: datetime) -> None:
    """Delete our rows of claims that the service has deleted."""
    is_there = exists().where(border.key == _c.claim_id)
    orphans = select(_c.claim_id).where(_c.claim_id.in_(ids), free(now), ~is_there)
    _delete(connection, list(connection.scalars(orphans.with_for_update(skip_locked=True, of=claims))))


# ---------------------------------------------------------------- conditions


def _is_stale(border: Border, now: datetime) -> ColumnElement[bool]:
    """The condition that our row, joined with its claim, must be assessed again.

    Claims that recours has not worked on are included only if recours has to work on them now.
    """
    is_handled = or_(_c.stage != const(DONE), border.is_worked_on, border.is_not_enrolled)
    is_due = or_(_c.to_assess == literal_column("1"), and_(is_handled, border.differs))
    return and_(is_due, free(now), ~is_erased(border))


def is_of_interest(status: ColumnElement[str], skip: Collection[str]) -> ColumnElement[bool]:
    """Claims whose status in this column does not exclude them from fetching."""
    trimmed = func.trim(status)
    # The usual capitalizations are added, because a database may lowercase only unaccented letters.
    spellings = sorted({form(name) for name in skip for form in (str.upper, str.capitalize)})
    conditions = [func.lower(trimmed) != name for name in skip] + [trimmed != name for name in spellings]
    return or_(status.is_(None), and_(true(), *conditions))


def _is_new(border: Border, skip: Collection[str]) -> ColumnElement[bool]:
    """Claims of the service that need a row in recours_claims."""
    return or_(border.is_worked_on, _may_be_enrolled(border, skip))


def _may_be_enrolled(border: Border, skip: Collection[str]) -> ColumnElement[bool]:
    return and_(border.is_not_enrolled, is_of_interest(border.text("status"), skip))


def _is_exhausted(border: Border, max_retries: int) -> ColumnElement[bool]:
    """Failed claims whose retries other software has used up. The condition is never NULL."""
    count = border.column("pod_retry_count")
    if not isinstance(count.type, Integer | Numeric):
        return false()  # these claims are assessed one by one
    # The upper bound is needed because in SQLite any text is greater than any number.
    is_used_up = count >= max_retries, count <= MOST_RETRIES
    is_failed = border.text("pod_fetch_status") == const(FetchStatus.FAILED)
    return case((and_(is_failed, *is_used_up), true()), else_=false())


# ---------------------------------------------------------------- queries


class _Keys(NamedTuple):
    """A range of keys greater than `start`, up to and including `end`; None: unbounded."""

    start: Any = None
    end: Any = None

    def contain(self, key: ColumnElement[Any]) -> ColumnElement[bool]:
        """Rows whose key in this column is in the range."""
        return and_(
            true() if self.start is None else key > self.start,
            true() if self.end is None else key <= self.end,
        )


def _select_range(border: Border, keys: _Keys, *columns: ColumnElement[Any]) -> Select[Any]:
    """The service's claims in a range, joined with our rows, if any. Both tables are restricted to the range."""
    own_rows = claims, and_(border.key == _c.claim_id, keys.contain(_c.claim_id))
    query = select(*columns).select_from(border.claims.outerjoin(*own_rows))
    return query.where(keys.contain(border.key)).order_by(border.key)


def _orphans(border: Border, keys: _Keys, now: datetime) -> Select[Any]:
    """The keys and stages of our rows in a range whose claims no longer exist. Indexes usually suffice."""
    service_rows = border.claims, and_(border.key == _c.claim_id, keys.contain(border.key))
    query = select(_c.claim_id, _c.stage).select_from(claims.outerjoin(*service_rows))
    is_kept = _c.stage == const(ERASED)
    return query.where(border.key.is_(None), keys.contain(_c.claim_id), free(now), ~is_kept)


@lru_cache(maxsize=32)
def _likely_stale(border: Border) -> CompoundSelect[Any]:
    """The keys of our rows that are probably out of date. The query's parameters are `moments` and `watched_from`.

    Each part of the query has its own index.
    """
    watched_from = bindparam("watched_from", type_=_c.written_at.type)
    return union_all(
        _stale(border, _c.to_assess == literal_column("1")),
        _stale(border, is_open(is_long=False)),
        _stale(border, is_open(is_long=True)),
        _stale(
            border, _c.stage.in_([const(Stage.GIVEN_UP), const(Stage.SHELVED)]), _c.written_at > watched_from
        ),
    )


def _stale(border: Border, *where: ColumnElement[bool]) -> Select[Any]:
    """The keys of our rows matching `where` that must be assessed again, or whose claims no longer exist."""
    is_due = or_(border.key.is_(None), _c.to_assess == literal_column("1"), border.differs)
    # The condition is a CASE, because for an OR PostgreSQL would expect every row to match.
    is_stale = case((is_due, free_at_moment()), else_=false())
    service_rows = border.claims, border.key == _c.claim_id
    return select(_c.claim_id).select_from(claims.outerjoin(*service_rows)).where(is_stale, *where)


def _pending(border: Border) -> Select[Any]:
    """The keys of pending claims that are not yet pending in our rows. Indexes suffice for this query."""
    is_known = or_(
        _c.stage.in_([const(stage) for stage in (*OPEN_STAGES, ERASED)]),
        _c.seen_fetch_status == const(FetchStatus.PENDING),
    )
    is_unknown = case((_c.claim_id.is_(None), true()), (is_known, false()), else_=true())
    return select(border.key).select_from(border.not_joined()).where(border.is_pending, is_unknown)


@dataclass(eq=False)
class ClaimIntake:
    """Updates our rows for the claims of one database, for one run."""

    assessor: Assessor
    skip: Collection[str]  # claim statuses (lower case) that are not fetched
    max_retries: int
    run_id: str
    clock: Clock

    @property
    def _database(self) -> Database:
        return self.assessor.database

    @property
    def _border(self) -> Border:
        return self._database.border

    def run(self, now: datetime) -> Iterator[Claim]:
        """Update our rows, and yield the assessed claims. Raises DatabaseError.

        Only one process at a time updates rows. If another process takes long, this run continues without an update.
        """
        self.write_owed(now)
        if not self._lease():
            return
        count = 0
        try:
            for claim in self._update_rows(now):
                count += 1
                yield claim
        finally:
            release_name(self._database, _NAME, self.run_id)
        if count:
            self.write_owed(now)

    def _update_rows(self, now: datetime) -> Iterator[Claim]:
        border = self._border
        with self._reading() as connection:
            row = connection.execute(select(intake).where(_ROW)).first()
            if row is None:
                return
            mark = connection.scalar(select(func.max(border.key))) if border.key_is_number else None
            ids = self._find_changed(connection, row.mark, now)
        yield from self._reassess(ids, now)
        progress = yield from self._sweep(row, now)
        self._save_progress(mark=mark, **progress)

    def _find_changed(self, connection: Connection, mark: Any, now: datetime) -> list[Any]:
        """The keys of claims that are probably new or edited."""
        border = self._border
        queries: list[Executable] = [_likely_stale(border)]
        if border.has_index:
            queries.append(_pending(border))
        if mark is not None:
            newest = _select_range(border, _Keys(start=mark - _MARGIN), border.key)
            queries.append(newest.where(_c.claim_id.is_(None), _is_new(border, self.skip)))
        values = {**moments(now, self.run_id), "watched_from": now - _WATCH}
        return list(dict.fromkeys(key for query in queries for key in connection.scalars(query, values)))

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._database.read() as connection:
            if (before_reads := self._database.dialect.before_reads) is not None:
                connection.execute(before_reads)
            yield connection

    def _reassess(self, ids: Sequence[Any], now: datetime) -> Iterator[Claim]:
        for batch in in_batches(ids, CHUNK):
            with self._database.write() as connection:
                self._renew(connection)
                claims_ = self.assessor.reassess(connection, batch, now, if_stale=True)
            yield from claims_

    def _save_progress(self, **values: Any) -> None:
        with self._database.write() as connection:
            connection.execute(update(intake).where(_ROW).values(values))

    def _lease(self) -> bool:
        """Lease the intake, waiting a limited time for other processes; False if another process has the lease."""
        clock = self.clock
        give_up_at = clock.now() + _PATIENCE
        while not lease_name(self._database, _NAME, self.run_id, clock.now() + _LEASE, clock.now()):
            if clock.now() > give_up_at:
                return False
            clock.sleep(_POLL_S)
        return True

    def _renew(self, connection: Connection) -> None:
        own_lease = leases.c.name == _NAME, leases.c.holder == self.run_id
        connection.execute(update(leases).where(*own_lease).values(held_until=self.clock.now() + _LEASE))

    def _sweep(self, row: Row[Any], now: datetime) -> Generator[Claim, None, dict[str, Any]]:
        """Compare the next claims, starting where the last run stopped, and return the progress.

        The first round compares all claims in one run.
        """
        border = self._border
        is_first = row.swept_at is None
        repaired = 0 if is_first or row.swept_to is None else row.repaired
        for keys in self._key_ranges(row.swept_to, _ADOPTION_SIZE if is_first else _SWEEP_SIZE):
            if is_first:
                self._adopt(border, keys, _may_be_enrolled(border, self.skip), now)
            with self._reading() as connection:
                queries = self._differing(border, keys, row, now), _orphans(border, keys, now)
                rows = [row_ for query in queries for row_ in connection.execute(query)]
            repaired += sum(stage not in (None, DONE, NOT_ENROLLED) for _, stage in rows)
            yield from self._reassess([key for key, _ in rows], now)
            if keys.end is None:
                break
            if not is_first:
                return {"swept_to": keys.end, "repaired": repaired}
            repaired = 0
            self._save_progress(swept_to=keys.end)
        return {"swept_to": None, "swept_at": now, "repaired": repaired}

    def _key_ranges(self, last_key: Any, size: int) -> Iterator[_Keys]:
        """Ranges of `size` keys after `last_key` (None: from the beginning). The last range has no end."""
        key = self._border.key
        while True:
            last = select(key).where(_Keys(last_key).contain(key)).order_by(key).offset(size - 1).limit(1)
            keys = _Keys(last_key, self._database.scalar(last))
            yield keys
            if keys.end is None:
                return
            last_key = keys.end

    def _differing(self, border: Border, keys: _Keys, row: Row[Any], now: datetime) -> Select[Any]:
        """The keys of claims in a range that are new or must be assessed again, with the stages of our rows."""
        is_new = _is_new(border, self.skip)
        if row.exhausted_at is None:
            is_new = and_(is_new, ~_is_exhausted(border, self.max_retries))
        differs = case((_c.claim_id.is_(None), is_new), (_is_stale(border, now), true()), else_=false())
        return _select_range(border, keys, border.key, _c.stage).where(differs)

    # ---------------------------------------------------------------- adopting the results of other software

    def adopt_exhausted(self, now: datetime) -> Iterator[int]:
        """Mark failed claims as given up if other software has used up their retries. Yield the count of each range.

        Runs only once. No events or emails are created, because the other software gave up on these claims in the past.
        """
        with self._database.read() as connection:
            row = connection.execute(select(intake).where(_ROW)).first()
        if row is None or row.exhausted_at is not None or not self._lease():
            return
        border = self._border
        is_exhausted = _is_exhausted(border, self.max_retries)
        try:
            for keys in self._key_ranges(None, _ADOPTION_SIZE):
                yield self._adopt(border, keys, is_exhausted, now)
            self._save_progress(exhausted_at=now)
        finally:
            release_name(self._database, _NAME, self.run_id)

    def _adopt(self, border: Border, keys: _Keys, condition: ColumnElement[bool], now: datetime) -> int:
        """Insert our rows for the matching claims in a range, without assessing each claim. Return their number."""
        query = _select_range(border, keys, *border.columns).where(_c.claim_id.is_(None), condition)
        with self._database.write() as connection:
            self._renew(connection)
            rows = list(as_dicts(connection.execute(query)))
            texts = {row["id"]: seen_texts(row) for row in rows}
            insert_rows(connection, [self._adopted_values(row, texts[row["id"]], now) for row in rows])
            _copy_unreadable(connection, border, texts)
        return len(rows)

    def _adopted_values(
        self, row: dict[str, Any], texts: Sequence[str | None], now: datetime
    ) -> dict[str, Any]:
        """The values of our row for a claim that is not enrolled or has no retries left."""
        created_at = as_moment(row["created_at"])
        values = {"claim_id": row["id"], "since": created_at, **dict(zip(SEEN, texts, strict=True))}
        if not row["pod_fetch_status"]:
            return values | {"stage": NOT_ENROLLED}
        catalog = self.assessor.catalog
        client_id = row["client_id"]
        number = tidy_number(row["tracking_number"])
        carrier = catalog.resolve(row["carrier"] or "", number, client_id)
        lane = str(AccountKey(carrier, catalog.account_for(client_id, carrier, None))) if carrier else ""
        is_shelved = (row["status"] or "").strip().lower() in self.skip
        count = Reader(row).whole("pod_retry_count")
        return values | {
            "since": created_at if created_at and created_at <= now else now,
            "stage": Stage.SHELVED if is_shelved else Stage.GIVEN_UP,
            "lane": lane,
            "kind": classify(row["pod_fetch_error"]) if number else ErrorKind.INVALID_TRACKING,
            "failed_at": now,
            "rank_at": now,
            "retries_used": count,
            "attempts": count,
        }

    def write_owed(self, now: datetime) -> int:
        """Write owed values to the service's rows, and return the number of written rows. Raises DatabaseError.

        Skips claims that the service has edited since, and leaves locked claims to a later run.
        """
        is_one_by_one = self._border.is_view and not self._database.dialect.has_one_writer
        owed = select(_c.claim_id.label("id")).where(_c.owed_since.is_not(None), free(now))
        size = 1 if is_one_by_one else _PROJECTIONS_AT_ONCE
        count = faults = 0
        for rows in read_in_batches(self._database, owed, _c.claim_id, size):
            successes = self._write_or_defer([row["id"] for row in rows], now)
            count += successes or 0
            faults += successes is None
            if faults == _MOST_FAULTS:
                break
        return count

    def _write_or_defer(self, ids: Sequence[Any], now: datetime) -> int | None:
        """Write owed values to these rows; None: the rows are locked. `recours status` counts rejected rows."""
        try:
            with self._database.write(lock_wait_s=SERVICE_LOCK_WAIT_S) as connection:
                return self._write_at_once(connection, ids, now)
        except _SuppressedError:
            pass
        except DatabaseError as fault:
            if fault.is_lock_timeout and not self._database.dialect.has_one_writer:
                return None
            if not fault.is_rejection:
                raise
            if len(ids) == 1:
                return 0
        counts = [self._write_or_defer([claim_id], now) for claim_id in ids]
        return sum(count or 0 for count in counts)

    def _write_at_once(self, connection: Connection, ids: Sequence[Any], now: datetime) -> int:
        border = self._border
        if not border.is_view:
            ids = list(connection.scalars(border.lock(ids)))
        is_edited = case((border.is_edited, 1), else_=0).label("is_edited")
        query = select(_c.claim_id, _c.owed, is_edited).select_from(border.joined())
        query = query.where(_c.claim_id.in_(ids), _c.owed.is_not(None), free(now))
        rows = connection.execute(query.with_for_update(of=claims)).all()
        projections = {row.claim_id: owed_in(row.owed) for row in rows if not row.is_edited}
        is_all = project(connection, border, projections) == len(projections)
        if not is_all and len(projections) > 1:
            raise _SuppressedError
        successes = list(projections) if is_all else []
        conflicts = [row.claim_id for row in rows if row.claim_id not in successes]
        no_debt = {"owed": None, "owed_since": None, "version": _c.version + 1}
        for keys, values in ((successes, border.seen_now), (conflicts, {})):
            if keys:
                connection.execute(update(claims).where(_c.claim_id.in_(keys)).values({**no_debt, **values}))
        return len(successes)


def _proofs_to_write_again(
    connection: Connection, border: Border, claims_: Sequence[Claim]
) -> dict[Any, dict[str, Any]]:
    """The values to write again, by claim id and column, for claims that the service restored from a backup.

    The PODs of these claims were fetched after the backup, and need not be fetched again. Only proofs that are recorded
    for the claim's number and exist on disk are written again. A row with a document or a fetch time was not restored
    from a backup: people who want to fetch a POD again reset only the status.
    """
    without_proof = [claim for claim in claims_ if lost_its_proof(claim)]
    numbers = {claim.id: clean(claim.number or "", LONGEST_NUMBER) for claim in without_proof}
    if not numbers:
        return {}
    names_none = (func.coalesce(border.text(name), "") == "" for name in ("pod_url", "pod_fetched_at"))
    document_of_attempt = and_(_v.claim_id == _a.claim_id, _v.path == _a.document_path)
    query = (
        select(_a.claim_id, _a.tracking_number, _a.document_path, _v.obtained_at, _v.signatory)
        .select_from(
            attempts.join(evidence, document_of_attempt).join(border.claims, border.key == _a.claim_id)
        )
        .where(_a.claim_id.in_(list(numbers)), *names_none)
        .order_by(_a.id)
    )
    return {
        row.claim_id: {
            "pod_fetch_status": FetchStatus.SUCCESS,
            "pod_fetch_error": None,
            "pod_url": row.document_path,
            "pod_fetched_at": row.obtained_at.replace(microsecond=0),
            "pod_delivery_person": row.signatory,
        }
        for row in connection.execute(query)
        if row.tracking_number == numbers[row.claim_id] and Path(row.document_path).is_file()
    }

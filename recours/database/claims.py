"""The repository of claims: finds and leases claims, and records attempts.

The queries for ready claims read the index lane by lane, so that their cost does not depend on the number of ready
claims.
"""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache, lru_cache
from typing import Any

from sqlalchemy import (
    CTE,
    Column,
    ColumnElement,
    Connection,
    Exists,
    Integer,
    ScalarSelect,
    Select,
    Update,
    and_,
    bindparam,
    case,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.sql.dml import ReturningUpdate

from recours.core.actions import ChangeKind, ClaimChange
from recours.core.carrier import Catalog
from recours.core.claim import Claim, FetchStatus, Stage, State
from recours.core.decision import Decision
from recours.core.order import urgency
from recours.core.text import clean
from recours.database.border import Border
from recours.database.claim_rows import (
    SERVICE_LOCK_WAIT_S,
    TOGETHER_LOCK_WAIT_S,
    assessed_values,
    const,
    count_projection,
    delivery_columns,
    error_values,
    free,
    free_at_moment,
    insert_rows,
    is_failed,
    moments,
    owed_values,
    parameters,
    project,
    projection_of,
    read_claim,
    reading_all,
    reading_without_ours,
    state_values,
    update_of,
    was_asked,
    write_states,
)
from recours.database.dialect import Dialect, index_ranges
from recours.database.engine import Database, DatabaseError
from recours.database.evidence import LONGEST_NUMBER, add_evidence, evidence_rows
from recours.database.journal import add_events, note, note_assessed, note_put_aside
from recours.database.tables import DONE, attempts, claims, is_at_stage
from recours.runs.ports import CLAIMS_MOST, SET_ASIDE_MOST, Attempt, Lease, NotRecordedError, Ready, Waiting
from recours.runs.source import is_unchanged

_c = claims.c


@cache
def values_at_stage(column: Column[Any], stage: Stage) -> Select[Any]:
    """A query for the distinct values of a column at a stage, and NULL, with one index lookup per value."""
    first = select(func.min(column).label("carrier_key")).where(is_at_stage(stage)).cte(recursive=True)
    next_value = select(func.min(column)).where(is_at_stage(stage), column > first.c.carrier_key)
    values = first.union_all(select(next_value.scalar_subquery()).where(first.c.carrier_key.is_not(None)))
    return select(values.c.carrier_key)


@cache
def leasable_ids(
    stage: Stage, dialect: Dialect, *, unnumbered: bool = False, locks: bool = True
) -> Select[Any]:
    """The ids of up to `limit` ready, free claims, in the order of `recours.core.order.urgency`.

    `locks`: lock the rows, and skip rows that others have locked. Parameters: `limit`, and the parameters of
    `Dialect.lanes` and `moments`.
    """
    limit = bindparam("limit", type_=Integer)
    lanes = dialect.lanes()
    numbers = [func.trim(func.coalesce(_c.seen_number, "")) == ""] if unnumbered else []

    def first(lane: ColumnElement[Any], *where: ColumnElement[bool]) -> Select[Any]:
        to_lease = [*_is_leasable(stage, lane), *numbers, *where]
        return select(_c.claim_id, _c.rank_at).where(*to_lease).order_by(_c.rank_at).limit(limit)

    candidates = dialect.first_of_ranges(lanes, first, _c, locks=locks)
    order = candidates.c.tier, candidates.c.rank_at, candidates.c.claim_id
    return select(candidates.c.claim_id).order_by(*order).limit(limit)


@cache
def ready_lanes(stage: Stage, dialect: Dialect, *, is_named: bool) -> Select[Any]:
    """Each lane with its number of leasable claims, and its first rank in each tier of urgency.

    The lane with the most urgent claim is first. If at least `limit` lanes have claims, each lane counts as one claim,
    which is enough to reach `limit`. `is_named`: only the lanes of `Dialect.lanes`. Parameters: see `leasable_ids`.
    """
    lanes = dialect.lanes() if is_named else values_at_stage(_c.lane, stage).cte("lanes")
    limit = bindparam("limit", type_=Integer)
    plain_to_come, real_to_come, plain_past, real_past = index_ranges(_c)
    heads = select(
        lanes.c.carrier_key,
        _first_rank(stage, lanes, plain_to_come).label("plain"),
        _first_rank(stage, lanes, real_to_come).label("real"),
    )
    # MATERIALIZED: the ranks are looked up only once per lane; the databases would repeat the lookup for each use.
    heads_of_lanes = heads.where(lanes.c.carrier_key.is_not(None)).cte("heads").prefix_with("MATERIALIZED")
    head = heads_of_lanes.c
    nothing_to_come = and_(head.plain.is_(None), head.real.is_(None))
    to_come = case((or_(head.plain.is_(None), head.real < head.plain), head.real), else_=head.plain)
    past = case((nothing_to_come, _first_rank(stage, heads_of_lanes, plain_past)))
    deadline_past = case((nothing_to_come, _first_rank(stage, heads_of_lanes, real_past)))
    leasable = select(_c.claim_id).where(*_is_leasable(stage, head.carrier_key)).correlate(heads_of_lanes)
    # Without this order, the database may read the whole table.
    leasable = leasable.order_by(_c.rank_is_deadline, _c.rank_at).limit(limit)
    count = select(func.count()).select_from(leasable.subquery()).scalar_subquery()
    urgent_lanes = select(head.carrier_key).where(~nothing_to_come).limit(limit).subquery()
    are_few = select(func.count()).select_from(urgent_lanes).scalar_subquery() < limit
    ranked = select(
        head.carrier_key,
        case((are_few, count), else_=1),
        to_come.label("to_come"),
        past.label("past"),
        deadline_past.label("deadline_past"),
    ).subquery()
    c = ranked.c
    return select(ranked).order_by(c.to_come.is_(None), c.to_come, c.past.is_(None), c.past, c.deadline_past)


def _first_rank(stage: Stage, lanes: CTE, where: tuple[ColumnElement[bool], ...]) -> ScalarSelect[Any]:
    to_lease = _is_leasable(stage, lanes.c.carrier_key)
    return select(_c.rank_at).where(*to_lease, *where).order_by(_c.rank_at).limit(1).scalar_subquery()


def _is_leasable(stage: Stage, lane: ColumnElement[Any]) -> list[ColumnElement[bool]]:
    """The ready and free claims of a lane."""
    return [is_at_stage(stage), _c.lane == lane, free_at_moment(), is_current()]


def is_current() -> ColumnElement[bool]:
    """Claims that need no new assessment, and have no values still to be written to the service's row."""
    return and_(_c.to_assess == 0, _c.owed_since.is_(None))


def is_served_by(keys: Collection[str]) -> ColumnElement[bool]:
    """Claims of any account of these carriers ("": of unknown carriers)."""
    # A range of keys would not work, because the order of texts depends on the server's collation.
    of_clients = (func.substr(_c.lane, 1, len(key) + 1) == f"{key}#" for key in sorted(keys) if key)
    return or_(_c.lane.in_(sorted(keys)), *of_clients)


_RELEASED: dict[str, Any] = {"lease_token": None, "lease_until": None}
# `inline` omits returning the new row's id, which is not used and would take time.
_INSERT_ATTEMPT = insert(attempts).inline()
_IS_GIVEN = _c.claim_id.in_(bindparam("of_claims", expanding=True))
_RENEW = (
    update(claims)
    .where(_IS_GIVEN, _c.lease_token == bindparam("held_by"))
    .values(lease_until=bindparam("until"))
    .returning(_c.claim_id)
)
# A lease counts as an interruption until its claim is recorded or released.
_LEASE = update(claims).values(
    lease_token=bindparam("held_by"),
    lease_until=bindparam("until", type_=_c.lease_until.type),
    interruptions=_c.interruptions + 1,
    version=_c.version + 1,
)
_ASSESS_INSTEAD = (
    update(claims)
    .where(_IS_GIVEN)
    .values(**_RELEASED, interruptions=_c.interruptions - 1, to_assess=1, version=_c.version + 1)
)
_RELEASE_EDITED = (
    update(claims)
    .where(_c.claim_id == bindparam("of_claim"), _c.lease_token == bindparam("held_by"))
    .values(**_RELEASED, to_assess=1, version=_c.version + 1)
)

_UNBOUNDED = 2**31 - 1  # the highest LIMIT that every database accepts
# The maximum number of searches for claims to lease. A search skips edited rows, and rows that others have locked.
_MOST_ROUNDS = 5


class _ChangedError(Exception):
    """Some claims were changed since they were leased, so nothing was recorded or written to the service's rows."""


@dataclass(eq=False)
class ClaimRepository:
    """Finds, leases and records claims for one run of one worker."""

    database: Database
    catalog: Catalog
    run_id: str
    worker: str
    redact: Callable[[str], str] = str  # removes secrets from other software's texts
    language: str = "en"  # of pod_fetch_error
    _reading = staticmethod(reading_all)

    # ---------------------------------------------------------------- finding

    def count(self) -> int:
        keys = select(self.database.border.key).limit(CLAIMS_MOST)
        return int(self.database.scalar(select(func.count()).select_from(keys.subquery())))

    def find(self, reference: str) -> Claim | None:
        border = self.database.border
        query = self._reading(border, border.text("claim_reference") == reference).limit(1)
        rows = self.database.mappings(query)
        return read_claim(rows[0], self.catalog, self.redact) if rows else None

    def references_like(self, reference: str) -> list[str]:
        """References with the same beginning, for suggesting the nearest reference."""
        reference_column = self.database.border.text("claim_reference")
        begins = reference_column.startswith(reference[: max(len(reference) - 3, 1)], autoescape=True)
        query = select(reference_column).select_from(self.database.border.claims).where(begins).limit(200)
        return self.database.scalars(query)

    def is_leased(self, claim: Claim, now: datetime) -> bool:
        query = select(_c.claim_id).where(_c.claim_id == claim.id, ~free(now))
        return self.database.scalar(query) is not None

    def waiting(self) -> Waiting:
        """The number of failed claims that wait for a later retry, and the time of the earliest retry."""
        query = select(func.count().label("number"), func.min(_c.next_at).label("first")).where(is_failed())
        stages = is_at_stage(Stage.WAITING), is_at_stage(Stage.SETTLED)
        rows = [row for stage in stages for row in self.database.all(query.where(stage))]
        firsts = [row.first for row in rows if row.first]
        return Waiting(sum(row.number for row in rows), min(firsts, default=None))

    def ready_by_carrier(
        self, stage: Stage, now: datetime, limit: int | None = None, carriers: Collection[str] = ()
    ) -> dict[str, Ready]:
        """The number of ready claims by account key ("": unknown carriers); without `carriers`, for all accounts.

        The key with the most urgent claim is first; keys without ready claims are omitted. With `limit`, claims are
        counted up to this total, so that the cost grows with the number of lanes, not with their backlog.
        """
        if self.database.scalar(select(func.min(_c.lane)).where(is_at_stage(stage))) is None:
            return {}  # the case in most runs, which then need not build the large query below
        dialect = self.database.dialect
        named = dialect.lanes_named(carriers) if carriers else {}
        parameters = {"limit": _UNBOUNDED if limit is None else limit, **moments(now, self.run_id), **named}
        query = ready_lanes(stage, dialect, is_named=bool(named))
        rows = self.database.all(query, parameters)
        return {
            key: Ready(count, next((tier, rank) for tier, rank in enumerate(ranks) if rank))
            for key, count, *ranks in rows
            if any(ranks)
        }

    def deadlines(self, stage: Stage, carrier: str, limit: int, now: datetime) -> list[datetime]:
        """Up to `limit` upcoming real deadlines of this carrier's ready claims at a stage, nearest first."""
        to_come = _c.rank_is_deadline == 1, _c.rank_at >= now
        query = select(_c.rank_at).where(is_at_stage(stage), _c.lane == carrier, free(now), *to_come)
        return self.database.scalars(query.order_by(_c.rank_at).limit(limit))

    def times_asked(self, claim: Claim) -> int:
        """How often the carrier was called about the claim with its current number."""
        query = select(func.count()).where(
            attempts.c.claim_id == claim.id,
            was_asked(),
            attempts.c.tracking_number == clean(claim.number or "", LONGEST_NUMBER),
        )
        return int(self.database.scalar(query))

    def set_aside(self, stage: Stage) -> dict[str, int]:
        """The number of failed (`stage` READY) or new claims that their own status excludes from fetching, by status.

        Statuses are in lower case. Counts only the first SET_ASIDE_MOST rows.
        """
        status = _c.seen_claim_status
        shelved = select(status.label("status"), _c.seen_fetch_status).where(is_at_stage(Stage.SHELVED))
        shelved_rows = shelved.limit(SET_ASIDE_MOST).subquery()
        failed = shelved_rows.c.seen_fetch_status == const(FetchStatus.FAILED)
        is_of_stage = failed if stage is Stage.READY else ~failed
        query = select(shelved_rows.c.status, func.count()).where(is_of_stage).group_by(shelved_rows.c.status)
        counts: Counter[str] = Counter()
        for name, count in self.database.all(query):
            counts[clean(name or "", 30).strip().lower()] += count
        return dict(counts)

    # ---------------------------------------------------------------- leasing

    def lease(
        self,
        stage: Stage,
        carriers: Collection[str],
        limit: int,
        lease: Lease,
        now: datetime,
        *,
        unnumbered: bool = False,
    ) -> list[Claim]:
        """Lease up to `limit` ready claims of these carriers, most urgent first. `unnumbered`: claims without a number.

        If the run is killed before it records or releases a claim, the lease counts as an interruption of the claim.
        """
        if not carriers or limit < 1:
            return []
        leased: list[Claim] = []
        statement = _leasing(self.database.border, stage, unnumbered=unnumbered)
        named = self.database.dialect.lanes_named(carriers)
        for _ in range(_MOST_ROUNDS):
            values = {
                "limit": limit - len(leased),
                "until": lease.until,
                **moments(now, lease.token),
                **named,
            }
            with self.database.write() as connection:
                rows = connection.execute(statement, values).mappings().all()
                edited = [row["claim_id"] for row in rows if not row["is_unedited"]]
                if edited:
                    connection.execute(_ASSESS_INSTEAD, {"of_claims": edited})
                leased += [read_claim(row, self.catalog, self.redact) for row in rows if row["is_unedited"]]
                is_all = len(leased) == limit or not (
                    edited or self._has_more(connection, stage, carriers, now)
                )
            if is_all or unnumbered:
                break
        return sorted(leased, key=lambda claim: (*urgency(claim.state, now), str(claim.id)))

    def _has_more(
        self, connection: Connection, stage: Stage, carriers: Collection[str], now: datetime
    ) -> bool:
        """Return whether further claims are ready that this run could not lease, because others have locked them."""
        if self.database.dialect.has_one_writer:
            return False
        ready = is_at_stage(stage), _c.lane.in_(sorted(carriers)), free(now), is_current()
        return connection.execute(select(_c.claim_id).where(*ready).limit(1)).first() is not None

    def record_requests(self, claims_: Sequence[Claim], by: str, now: datetime) -> None:
        with self.database.write() as connection:
            note(connection, [(claim.id, ClaimChange(ChangeKind.ASKED)) for claim in claims_], by, now)

    def lease_named(self, claim: Claim, lease: Lease, now: datetime) -> Claim | None:
        """Lease this claim at any stage; None if a run has leased it or it was edited in the meantime."""
        is_claim = self.database.border.key == claim.id
        with self.database.write() as connection:
            # Insert a missing row first, so that the row exists and can be locked until the transaction ends.
            insert_rows(connection, [{"claim_id": claim.id, "stage": DONE}])
            free_row = select(_c.claim_id).where(_c.claim_id == claim.id, free(now), _c.owed_since.is_(None))
            if connection.execute(free_row.with_for_update()).first() is None:
                return None
            row = connection.execute(reading_all(self.database.border, is_claim)).mappings().first()
            current = read_claim(row, self.catalog, self.redact) if row else None
            if current is None or not is_unchanged(current, claim):
                connection.rollback()
                return None
            assessed = replace(current, state=claim.state)
            write_states(connection, [(claim.id, assessed_values(current, claim.state, now))])
            note_assessed(connection, [(current, claim.state)], now)
            values = {"of_claims": [claim.id], "held_by": lease.token, "until": lease.until}
            connection.execute(_LEASE.where(_IS_GIVEN), values)
            return assessed

    def renew(self, leased: Sequence[Claim], lease: Lease) -> list[Claim]:
        """Extend the leases of these claims, and return the claims that are still leased."""
        still_leased: set[Any] = set()
        # On a server, use one transaction per row, because a run that waits for a lock must not keep other rows locked.
        for batch in [leased] if self.database.dialect.has_one_writer else [[claim] for claim in leased]:
            ids = [claim.id for claim in batch]
            values = {"of_claims": ids, "held_by": lease.token, "until": lease.until}
            with self.database.write() as connection:
                still_leased.update(connection.scalars(_RENEW, values))
        return [claim for claim in leased if claim.id in still_leased]

    def release(self, leased: Sequence[tuple[Claim, State]], lease: Lease) -> None:
        """Release claims without an attempt, each with its new state. Raises DatabaseError."""
        with self.database.write() as connection:
            for claim, state in leased:
                self._hand_back(connection, claim, state_values(claim, state), lease)

    def _hand_back(self, connection: Connection, claim: Claim, values: dict[str, Any], lease: Lease) -> bool:
        """Write these values and release a claim. Return False for an edited claim, which the next intake assesses."""
        is_unedited = self._release(connection, [(claim, values)], lease)
        if not is_unedited:
            connection.execute(_RELEASE_EDITED, {"of_claim": claim.id, "held_by": lease.token})
        return is_unedited

    def shelve(self, claim: Claim, lease: Lease, now: datetime) -> None:
        """Release a claim whose own status means that a POD is no longer needed. Raises DatabaseError."""
        state = replace(claim.state, stage=Stage.SHELVED)
        with self.database.write() as connection:
            if self._hand_back(connection, claim, state_values(claim, state) | {"written_at": now}, lease):
                note_put_aside(connection, [(claim, state)], now)

    # ---------------------------------------------------------------- recording

    def record(self, ended: Sequence[tuple[Attempt, Decision]], lease: Lease, now: datetime) -> list[bool]:
        """Record attempts and their consequences, in order.

        Returns False for a claim that has changed since it was leased: only its attempt is recorded, and the claim is
        assessed again. If a person attached a file to this claim, nothing is recorded, and the person is asked to try
        again. If the service locks the claim, or its constraints reject the values, a later run writes the values.
        Raises NotRecordedError after trying to record all other attempts.
        """
        if len(ended) > 1:
            with suppress(_ChangedError):
                try:
                    self._record_at_once(ended, lease, now)
                    return [True] * len(ended)
                except DatabaseError as fault:
                    if not (fault.is_from_server or fault.is_rejection):
                        raise NotRecordedError(fault, {}) from fault
        results: list[bool] = []  # a claim whose lease was lost may occur twice
        results_by_claim: dict[Any, bool] = {}
        faults: list[DatabaseError] = []
        for attempt, decision in ended:
            try:
                results.append(self._record_alone(attempt, decision, lease, now))
                results_by_claim[attempt.claim.id] = results[-1]
            except DatabaseError as fault:
                faults.append(fault)
                if not fault.is_from_server:
                    break
        if faults:
            raise NotRecordedError(faults[0], results_by_claim) from faults[0]
        return results

    def _record_alone(self, attempt: Attempt, decision: Decision, lease: Lease, now: datetime) -> bool:
        """Record one attempt. If the service's row cannot be written now, a later run writes the values.

        Return False if the claim has changed since the lease: it is assessed again, and its service row is not written.
        """
        try:
            try:
                self._record_at_once([(attempt, decision)], lease, now)
            except DatabaseError as fault:
                is_locked = fault.is_lock_timeout and not self.database.dialect.has_one_writer
                if not (is_locked or fault.is_rejection):
                    raise
                self._record_at_once([(attempt, decision)], lease, now, is_owed=True)
        except _ChangedError:
            with self.database.write() as connection:
                connection.execute(_RELEASE_EDITED, {"of_claim": attempt.claim.id, "held_by": lease.token})
                if not attempt.by:
                    self._add_attempts(connection, [replace(attempt, uses_attempt=False)], now)
            return False
        return True

    def _record_at_once(
        self, ended: Sequence[tuple[Attempt, Decision]], lease: Lease, now: datetime, *, is_owed: bool = False
    ) -> None:
        """Record attempts in one transaction. `is_owed`: a later run writes the values to the service's rows."""
        projections: dict[Any, dict[str, Any]] = {}
        states: list[tuple[Claim, dict[str, Any]]] = []
        for attempt, decision in ended:
            values, projection = self._conclusion(attempt, decision, now)
            if is_owed:
                values |= owed_values(projection, now)
            elif projection:
                projections[attempt.claim.id] = projection
            states.append((attempt.claim, values))
        lock_wait_s = SERVICE_LOCK_WAIT_S if len(ended) == 1 else TOGETHER_LOCK_WAIT_S
        with self.database.write(lock_wait_s=lock_wait_s) as connection:
            is_projected = project(connection, self.database.border, projections) == len(projections)
            if not (is_projected and self._release(connection, states, lease, projections)):
                raise _ChangedError
            events = [(attempt.claim.id, event) for attempt, decision in ended for event in decision.events]
            add_events(connection, events, self.run_id, now)
            self._add_attempts(connection, [attempt for attempt, _ in ended], now)

    def _add_attempts(self, connection: Connection, ended: Sequence[Attempt], now: datetime) -> None:
        rows = [attempt_row(attempt, self.run_id, self.worker) for attempt in ended]
        connection.execute(_INSERT_ATTEMPT, rows)
        pieces: list[dict[str, Any]] = []
        for attempt in ended:
            pieces += evidence_rows(attempt.claim, attempt.evidence, now, run_id=self.run_id, by=attempt.by)
            if attempt.by:
                note(connection, _attached(attempt), attempt.by, now)
        add_evidence(connection, pieces)

    def _conclusion(
        self, attempt: Attempt, decision: Decision, now: datetime
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """The new values of our row and of the service's row after an attempt, by column."""
        claim = attempt.claim
        values = state_values(claim, decision.state) | {"written_at": now}
        if attempt.document is None and not (decision.uses_attempt and decision.updates_service):
            return values, count_projection(claim, decision.state)
        projection = projection_of(claim, decision, attempt.document, self.language, now)
        return values | error_values(decision.explanation), projection

    def _release(
        self,
        connection: Connection,
        states: Sequence[tuple[Claim, dict[str, Any]]],
        lease: Lease,
        projected: Collection[Any] = (),
    ) -> bool:
        """Write these values to leased claims, and release them. False if a claim is not leased or was edited.

        `projected`: the ids of claims whose service rows this transaction has written; they are not checked for edits.
        """
        changed = 0
        groups: dict[tuple[tuple[str, ...], bool], list[dict[str, Any]]] = {}
        for claim, values in states:
            row = parameters(claim.id, values | _RELEASED) | {"held_by": lease.token}
            groups.setdefault(((*values, *_RELEASED), claim.id in projected), []).append(row)
        for (columns, is_projected), rows in groups.items():
            statement = _releasing(
                self.database.border, tuple(dict.fromkeys(columns)), is_projected=is_projected
            )
            changed += connection.execute(statement, rows).rowcount
        return changed == len(states)


def attempt_row(attempt: Attempt, run_id: str, worker: str) -> dict[str, Any]:
    claim, failure, document = attempt.claim, attempt.failure, attempt.document
    delivery = document.delivery if document else (failure.delivery if failure else None)
    return {
        "claim_id": claim.id,
        "run_id": run_id,
        "worker": worker,
        "carrier": claim.carrier or claim.carrier_name,
        "tracking_number": clean(claim.number or "", LONGEST_NUMBER),
        "turn": attempt.retry,
        "started_at": attempt.started_at,
        "duration_s": attempt.duration_s,
        "calls": attempt.calls,
        "outcome": attempt.outcome,
        "used": attempt.uses_attempt,
        **delivery_columns(delivery),
        "error_kind": failure.kind if failure else None,
        "message": failure.message if failure else None,
        **error_values(failure.explanation if failure else None),
        "http_status": failure.http_status if failure else None,
        "document_path": document.path if document else None,
        "document_sha256": document.sha256 if document else None,
        "document_size": document.size if document else None,
        "document_type": document.media_type if document else None,
        "document_source": document.source if document else None,
        "is_last": attempt.is_last or None,
        "account_id": attempt.account or None,
    }


def _attached(attempt: Attempt) -> list[tuple[Any, ClaimChange]]:
    """The changes to record for evidence that a person attached, each with the claim's id."""
    facts = [
        {"kind": piece.kind, "sha256": piece.sha256[:16], "why": attempt.why} for piece in attempt.evidence
    ]
    return [(attempt.claim.id, ClaimChange(ChangeKind.ATTACHED, details)) for details in facts]


@lru_cache(maxsize=32)
def _leasing(border: Border, stage: Stage, *, unnumbered: bool) -> ReturningUpdate[Any]:
    """An UPDATE that leases the claims found by `leasable_ids`, and returns their columns and `is_unedited`."""
    ids = leasable_ids(stage, border.dialect, unnumbered=unnumbered)
    interruptions = (_c.interruptions - 1).label("interruptions")
    own_columns = [interruptions if column is _c.interruptions else column for column in _c]
    # One subquery per column, because SQLite's RETURNING cannot return columns of a joined table.
    service_columns = [
        select(column).where(border.key == _c.claim_id).correlate(claims).scalar_subquery().label(column.name)
        for column in border.columns
    ]
    is_unedited = _is_unedited(border).label("is_unedited")
    return _LEASE.where(_c.claim_id.in_(ids)).returning(*own_columns, *service_columns, is_unedited)


def _is_unedited(border: Border) -> Exists:
    """The condition, in an update of our row, that the service's row is unedited since the assessment."""
    return select(border.key).where(border.key == _c.claim_id, ~border.is_edited).correlate(claims).exists()


@lru_cache(maxsize=32)
def _releasing(border: Border, columns: tuple[str, ...], *, is_projected: bool) -> Update:
    """An UPDATE of our rows of leased and unedited claims: see `ClaimRepository._release`."""
    statement = update_of(columns).where(_c.lease_token == bindparam("held_by"))
    if is_projected:
        return statement.values(border.seen_now)
    return statement.where(_is_unedited(border))


class UntouchedClaims(ClaimRepository):
    """The claims of a database that no run has worked on, and that has no table `recours_claims` yet."""

    _reading = staticmethod(reading_without_ours)

    def is_leased(self, claim: Claim, now: datetime) -> bool:
        del claim, now
        return False

"""The repository of claims: looked for, leased, recorded."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import (
    Connection,
    Text,
    and_,
    bindparam,
    case,
    false,
    func,
    insert,
    select,
    true,
    type_coerce,
    update,
)

from recours.core.carrier import Catalog
from recours.core.changes import ChangeKind, ClaimChange
from recours.core.claim import Claim, FetchStatus, Stage, State
from recours.core.decision import Decision
from recours.core.outcome import StoredDocument
from recours.core.text import clean
from recours.database.changes import note, note_assessed, note_put_aside
from recours.database.engine import Database, DatabaseError
from recours.database.event_outbox import add_events
from recours.database.evidence import LONGEST_NUMBER, add_evidence, evidence_rows
from recours.database.lenient_reader import Reader, delivery_columns, read_claim, read_claims
from recours.database.predicates import at_stage, const, was_asked
from recours.database.ready_claims import (
    has_many_lanes,
    head_of,
    leasable_ids,
    named_lanes,
    ready_lanes,
    ready_lanes_by_scan,
)
from recours.database.rows import (
    free,
    free_at_moment,
    is_failed,
    leased_parameters,
    locked_ids,
    moments,
    raw_columns,
    readable_columns,
    seen_values,
    state_values,
    told_columns,
    unedited,
    update_leased,
)
from recours.database.tables import attempts, claims
from recours.runs.ports import SET_ASIDE_MOST, Attempt, Lease, NotRecordedError, Ready, Waiting
from recours.runs.source import is_as_found

_T = TypeVar("_T")
_c = claims.c

_RELEASED: dict[str, Any] = {"pod_lease_token": None, "pod_lease_until": None}
# Without the new row's id, which costs time and which nobody reads.
_INSERT_ATTEMPT = insert(attempts).inline()
_OF_CLAIMS = _c.id.in_(bindparam("of_claims", expanding=True))
_RENEW = (
    update(claims)
    .where(_OF_CLAIMS, _c.pod_lease_token == bindparam("held_by"))
    .values(pod_lease_until=bindparam("until"))
    .returning(_c.id)
)

_UNBOUNDED = 2**31 - 1  # a LIMIT that every database takes
# Rows that others look at in the same instant are passed over, and looked for again so often.
_MOST_ATTEMPTS = 5


class _NotAllError(Exception):
    """Of several claims some are not as they were taken: each must be looked at alone."""


@dataclass(frozen=True)
class ClaimRepository:
    """Claims, looked for, leased and recorded by one run of one worker."""

    database: Database
    catalog: Catalog
    columns: frozenset[str]  # those that `claims` has
    run_id: str
    worker: str
    redact: Callable[[str], str] = str  # takes secrets out of what other software wrote
    language: str = "en"  # of pod_fetch_error

    # ---------------------------------------------------------------- looking

    def count(self) -> int:
        with self.database.read() as connection:
            return int(connection.scalar(select(func.count()).select_from(claims)) or 0)

    def find(self, reference: str) -> Claim | None:
        query = select(*raw_columns(self.columns)).where(_c.claim_reference == reference)
        with self.database.read() as connection:
            row = connection.execute(query).mappings().first()
        return read_claim(row, self.catalog, self.redact) if row else None

    def references_like(self, reference: str) -> list[str]:
        begins = _c.claim_reference.startswith(reference[: max(len(reference) - 3, 1)], autoescape=True)
        with self.database.read() as connection:
            return [
                str(found)
                for found in connection.scalars(select(_c.claim_reference).where(begins).limit(200))
            ]

    def is_leased(self, claim: Claim, now: datetime) -> bool:
        """Tell whether a run holds the claim."""
        if "pod_lease_until" not in self.columns:
            return False
        with self.database.read() as connection:
            return bool(connection.scalar(select(func.count()).where(_c.id == claim.id, ~free(now))))

    def waiting(self) -> Waiting:
        first = type_coerce(func.min(_c.pod_next_retry_at), Text).label("first")
        queries = [
            select(func.count().label("n"), first).where(
                at_stage(s), case((is_failed(), true()), else_=false())
            )
            for s in (Stage.WAITING, Stage.SETTLED)
        ]
        with self.database.read() as connection:
            rows = [connection.execute(query).mappings().one() for query in queries]
        firsts = [at for row in rows if (at := Reader(row).moment("first"))]
        return Waiting(sum(row["n"] for row in rows), min(firsts, default=None))

    def ready_by_carrier(
        self, stage: Stage, now: datetime, most: int | None = None, carriers: Collection[str] = ()
    ) -> dict[str, Ready]:
        """See `Claims`. One query; with `most` its cost grows with the number of lanes, and not with their backlog."""
        is_sqlite = self.database.is_sqlite
        named = named_lanes(carriers, is_sqlite=is_sqlite) if carriers else {}
        parameters = {"most": _UNBOUNDED if most is None else most, **moments(now, self.run_id), **named}
        with self.database.read() as connection:
            if not (named or is_sqlite) and has_many_lanes(connection, stage):
                query = ready_lanes_by_scan(stage)
            else:
                query = ready_lanes(stage, is_sqlite=is_sqlite, is_named=bool(named))
            rows = connection.execute(query, parameters).all()
        return {str(key): Ready(count, head) for key, count, *ranks in rows if (head := head_of(ranks, now))}

    def deadlines(self, stage: Stage, carrier: str, most: int, now: datetime) -> list[datetime]:
        """See `Claims`. One look into the index of ready claims."""
        to_come = _c.pod_rank_is_deadline == 1, _c.pod_rank_at >= now
        of_lane = at_stage(stage), _c.pod_carrier_key == carrier, free(now), unedited()
        query = select(_c.pod_rank_at).where(*of_lane, *to_come).order_by(_c.pod_rank_at).limit(most)
        with self.database.read() as connection:
            return [at for at in connection.scalars(query) if at is not None]

    def times_asked(self, claim: Claim) -> int:
        query = select(func.count()).where(
            attempts.c.claim_id == claim.id,
            was_asked(),
            attempts.c.tracking_number == clean(claim.number or "", LONGEST_NUMBER),
        )
        with self.database.read() as connection:
            return int(connection.scalar(query) or 0)

    def locked_ids(self, stage: Stage, carriers: Collection[str], now: datetime) -> set[Any]:
        """The ids of ready claims of these carriers that another program holds now."""
        if self.database.is_sqlite or not carriers:
            return set()
        of_lanes = at_stage(stage), _c.pod_carrier_key.in_(sorted(carriers))
        ready = and_(*of_lanes, free(now), unedited())
        with self.database.write() as connection:
            return locked_ids(connection, ready, _c.pod_rank_at)

    def set_aside(self, stage: Stage) -> dict[str, int]:
        """How many claims that this stage's worker is for have a claim status that keeps them from being fetched.

        By that status, looked for by its index, of the first SET_ASIDE_MOST rows.
        """
        if "status" not in self.columns:
            return {}
        shelved = (
            select(_c.status, _c.pod_fetch_status)
            .where(at_stage(Stage.SHELVED))
            .order_by(_c.status)
            .limit(SET_ASIDE_MOST)
            .subquery()
        )
        failed = shelved.c.pod_fetch_status == const(FetchStatus.FAILED)
        mine = failed if stage is Stage.READY else ~failed
        query = select(shelved.c.status, func.count()).where(mine).group_by(shelved.c.status)
        counts: Counter[str] = Counter()
        with self.database.read() as connection:
            for status, count in connection.execute(query):
                counts[clean(str(status or ""), 30).strip().lower()] += count
        return dict(counts)

    # ---------------------------------------------------------------- holding

    def lease(
        self,
        stage: Stage,
        carriers: Collection[str],
        most: int,
        lease: Lease,
        now: datetime,
        *,
        unnumbered: bool = False,
    ) -> list[Claim]:
        """Hold up to `most` ready claims of these carriers, the most urgent first; `unnumbered`: without a number only."""
        if not carriers or most < 1:
            return []
        taken: list[Claim] = []
        is_sqlite = self.database.is_sqlite
        urgent = leasable_ids(stage, is_sqlite=is_sqlite, unnumbered=unnumbered)
        named = named_lanes(carriers, is_sqlite=is_sqlite)
        for _ in range(_MOST_ATTEMPTS):
            with self.database.write() as connection:
                parameters = {"most": most - len(taken), **moments(now, lease.token), **named}
                ids = list(connection.scalars(urgent, parameters))
                order = {claim_id: place for place, claim_id in enumerate(ids)}
                found = self._lease_rows(connection, ids, lease, now) if ids else []
                taken += sorted(found, key=lambda claim: order[claim.id])
                if len(taken) == most or unnumbered or not self._any_left(connection, stage, carriers, now):
                    break
        return taken

    def _any_left(
        self, connection: Connection, stage: Stage, carriers: Collection[str], now: datetime
    ) -> bool:
        """Tell whether others are looking at claims right now that they may not lease."""
        if connection.dialect.name == "sqlite":
            return False  # one at a time has the whole database
        ready = at_stage(stage), _c.pod_carrier_key.in_(sorted(carriers)), free(now), unedited()
        return connection.scalar(select(_c.id).where(*ready).limit(1)) is not None

    def note_asked(self, found: Sequence[Claim], by: str, now: datetime) -> None:
        with self.database.write() as connection:
            note(connection, [(claim.id, ClaimChange(ChangeKind.ASKED)) for claim in found], by, now)

    def lease_named(self, claim: Claim, lease: Lease, now: datetime) -> Claim | None:
        seen = seen_values(has_deadline="response_deadline" in self.columns)
        row_of_it = select(*readable_columns(self.columns)).where(_c.id == claim.id, free(now))
        with self.database.write() as connection:
            row = connection.execute(row_of_it.with_for_update()).mappings().first()
            before = read_claim(row, self.catalog, self.redact) if row else None
            if before is None or not is_as_found(before, claim):
                return None
            connection.execute(
                update(claims).where(_c.id == claim.id).values(seen | state_values(claim, claim.state))
            )
            note_assessed(connection, [(before, claim.state)], now)
            return next(iter(self._lease_rows(connection, [claim.id], lease, now)), None)

    def _lease_rows(self, connection: Connection, ids: list[Any], lease: Lease, now: datetime) -> list[Claim]:
        values = {"of_claims": ids, "until": lease.until, **moments(now, lease.token)}
        return read_claims(connection.execute(leasing(self.columns), values), self.catalog, self.redact)

    def renew(self, leased: Sequence[Claim], lease: Lease) -> list[Claim]:
        """Hold these claims longer; returns those that are still leased."""
        still_leased: set[Any] = set()
        for some in self._together(leased):
            values = {"of_claims": [claim.id for claim in some], "held_by": lease.token, "until": lease.until}
            with self.database.write_one() as connection:
                still_leased.update(connection.scalars(_RENEW, values))
        return [claim for claim in leased if claim.id in still_leased]

    def release(self, leased: Sequence[tuple[Claim, State]], lease: Lease) -> None:
        """Hand claims back without an attempt, each with the state it is to have. Raises DatabaseError, having tried the others too."""
        faults: list[DatabaseError] = []
        for some in self._together(leased):
            if fault := self._release(some, lease):
                faults.append(fault)
                if not fault.was_answered:
                    break
                self.database.wait_less_after(fault)
        if faults:
            raise faults[0]

    def _release(self, leased: Sequence[tuple[Claim, State]], lease: Lease) -> DatabaseError | None:
        try:
            with self.database.write() as connection:
                for claim, state in leased:
                    self._let_go(connection, [(claim, state_values(claim, state))], lease)
        except DatabaseError as fault:
            return fault
        return None

    def shelve(self, claim: Claim, lease: Lease, now: datetime) -> None:
        """Hand back a claim whose own status says that no POD is wanted any more. Raises DatabaseError."""
        state = replace(claim.state, stage=Stage.SHELVED)
        with self.database.write() as connection:
            if self._let_go(connection, [(claim, state_values(claim, state))], lease):
                note_put_aside(connection, [(claim, state)], now)

    # ---------------------------------------------------------------- recording

    def record(self, ended: Sequence[tuple[Attempt, Decision]], lease: Lease, now: datetime) -> list[bool]:
        """Record attempts and what they mean, in their order.

        False for a claim that is not as it was taken: of it the attempt alone is kept, and it is assessed again. Of what a
        person attached to it nothing is kept: they are asked to try again.
        Raises NotRecordedError: a row that another program holds is no reason to lose the answers about others.
        """
        written: dict[Any, bool] = {}
        faults: list[DatabaseError] = []
        for some in self._together(ended):
            try:
                for part in self._record(some, lease, now):
                    written |= part
            except DatabaseError as fault:
                faults.append(fault)
                if not fault.was_answered:
                    break
                self.database.wait_less_after(fault)
        if faults:
            raise NotRecordedError(faults[0], written) from faults[0]
        return list(written.values())

    def _together(self, rows: Sequence[_T]) -> list[Sequence[_T]]:
        """What may be written in one transaction.

        On SQLite all of it. Elsewhere a row each: a run that waits for one row while it holds another may block the
        service's own application, and be blocked by it.
        """
        return [rows] if self.database.is_sqlite else [[row] for row in rows]

    def _record(
        self, ended: Sequence[tuple[Attempt, Decision]], lease: Lease, now: datetime
    ) -> Iterator[dict[Any, bool]]:
        """What was written, after each transaction: the next one may fail."""
        try:
            yield self._record_at_once(ended, lease, now)
        except _NotAllError:
            for one in ended:
                yield self._record_at_once([one], lease, now)

    def _record_at_once(
        self, ended: Sequence[tuple[Attempt, Decision]], lease: Lease, now: datetime
    ) -> dict[Any, bool]:
        """The same in one transaction, by the claims' ids. Raises _NotAllError if some of several claims are not as they were taken."""
        states = [(attempt.claim, self._values(attempt, decision, now)) for attempt, decision in ended]
        with self.database.write() as connection:
            unchanged = self._let_go(connection, states, lease)
            if not unchanged and ended[0][0].by:
                return {attempt.claim.id: False for attempt, _ in ended}
            events = [(attempt.claim.id, event) for attempt, decision in ended for event in decision.events]
            add_events(connection, events if unchanged else (), self.run_id, now)
            rows = [self._attempt_row(attempt, used=attempt.used and unchanged) for attempt, _ in ended]
            connection.execute(_INSERT_ATTEMPT, rows)
            pieces = (
                evidence_rows(attempt.claim, attempt.evidence, now, run_id=self.run_id, by=attempt.by)
                for attempt, _ in ended
            )
            add_evidence(connection, [row for of_one in pieces for row in of_one])
            for attempt, _ in ended:
                note(connection, _attached(attempt), attempt.by or "", now)
        return {attempt.claim.id: unchanged for attempt, _ in ended}

    def _values(self, attempt: Attempt, decision: Decision, now: datetime) -> dict[str, Any]:
        values = state_values(attempt.claim, decision.state)
        if (decision.uses_attempt and decision.tells_service) or attempt.document:
            values |= self._told_to_the_service(decision, attempt.document, now)
        return values

    @staticmethod
    def _let_go(connection: Connection, states: Sequence[tuple[Claim, dict[str, Any]]], lease: Lease) -> bool:
        """Give claims that are leased these values, and hold them no more; edited meanwhile, only the latter: False.

        Raises _NotAllError if that holds for some of several.
        """
        changed = 0
        for columns in dict.fromkeys(tuple(values) for _, values in states):
            statement = update_leased((*columns, *_RELEASED), if_unedited=True)
            rows = [
                leased_parameters(claim, lease.token, values | _RELEASED)
                for claim, values in states
                if tuple(values) == columns
            ]
            changed += connection.execute(statement, rows).rowcount
        if changed < len(states):
            if len(states) > 1:
                raise _NotAllError
            statement = update_leased(tuple(_RELEASED), if_unedited=False)
            connection.execute(statement, leased_parameters(states[0][0], lease.token, _RELEASED))
        return changed == len(states)

    def _told_to_the_service(
        self, decision: Decision, document: StoredDocument | None, now: datetime
    ) -> dict[str, Any]:
        values: dict[str, Any] = {
            "pod_fetch_status": decision.fetch_status,
            "pod_seen_status": decision.fetch_status,
            **told_columns(decision, self.language),
        }
        if document is None:
            return values
        values |= {
            "pod_url": document.path,
            "pod_fetched_at": now.replace(microsecond=0),
            "pod_delivery_person": document.delivery.signatory,
        }
        return values | {"updated_at": now.replace(microsecond=0)} if "updated_at" in self.columns else values

    def _attempt_row(self, attempt: Attempt, *, used: bool) -> dict[str, Any]:
        claim, failure, document = attempt.claim, attempt.failure, attempt.document
        delivery = document.delivery if document else (failure.delivery if failure else None)
        return {
            "claim_id": claim.id,
            "run_id": self.run_id,
            "worker": self.worker,
            "carrier": claim.carrier or claim.carrier_name,
            "tracking_number": clean(claim.number or "", LONGEST_NUMBER),
            "turn": attempt.retry,
            "started_at": attempt.started_at,
            "duration_s": attempt.duration_s,
            "calls": attempt.calls,
            "outcome": attempt.outcome,
            "used": used,
            **delivery_columns(delivery),
            "error_kind": failure.kind if failure else None,
            "message": failure.message if failure else None,
            "error_key": failure.said.key if failure and failure.said else None,
            "error_words": (failure.said.words or None) if failure and failure.said else None,
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
    """What a person did, if they attached the evidence."""
    return [
        (
            attempt.claim.id,
            ClaimChange(ChangeKind.ATTACHED, {"kind": piece.kind, "sha256": piece.sha256[:16]}),
        )
        for piece in (attempt.evidence if attempt.by else ())
    ]


@cache
def leasing(columns: frozenset[str]) -> Any:
    """Hold claims, and return them as they were. It counts as an interruption until it is recorded or put back."""
    before = [
        (_c.pod_interruptions - 1).label(column.name) if column.name == "pod_interruptions" else column
        for column in readable_columns(columns)
    ]
    return (
        update(claims)
        .where(_OF_CLAIMS, free_at_moment(), unedited())
        .values(
            pod_lease_token=bindparam("held_by"),
            pod_lease_until=bindparam("until"),
            pod_interruptions=func.coalesce(_c.pod_interruptions, 0) + 1,
        )
        .returning(*before)
    )

"""The repository of claims: looked for, held, recorded."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Select,
    Text,
    func,
    literal,
    select,
    type_coerce,
    union_all,
    update,
)
from sqlalchemy import insert as plain_insert

from recours.core.carrier import Catalog
from recours.core.claim import Claim, Stage, State
from recours.core.decision import Decision
from recours.core.text import clean
from recours.database.conditions import at_stage
from recours.database.engine import Database
from recours.database.foreign import Reader, read_claim
from recours.database.outbox import write_events
from recours.database.rows import free, raw_columns, readable_columns, seen_values, state_values, unedited
from recours.database.tables import attempts, claims
from recours.runs.ports import Attempt, Hold, StoredDocument, Waiting

_c = claims.c

# Rows that others look at in the same instant are passed over, and looked for again so often.
_MOST_LOOKS = 5


@dataclass(frozen=True)
class ClaimRepository:
    """Claims, looked for, held and recorded by one run of one worker."""

    database: Database
    catalog: Catalog
    columns: frozenset[str]  # those that `claims` has
    run_id: str
    worker: str
    redact: Callable[[str], str] = str  # takes secrets out of what other software wrote

    # ---------------------------------------------------------------- looking

    def count(self) -> int:
        """All claims in the database."""
        with self.database.read() as connection:
            return int(connection.scalar(select(func.count()).select_from(claims)) or 0)

    def find(self, reference: str) -> Claim | None:
        """Read one claim by its reference."""
        query = select(*raw_columns(self.columns)).where(_c.claim_reference == reference)
        with self.database.read() as connection:
            row = connection.execute(query).mappings().first()
        return read_claim(row, self.catalog, self.redact) if row else None

    def references_like(self, reference: str) -> list[str]:
        """References that begin like this one, for suggesting the nearest."""
        begins = _c.claim_reference.startswith(reference[: max(len(reference) - 3, 1)], autoescape=True)
        with self.database.read() as connection:
            return [
                str(found)
                for found in connection.scalars(select(_c.claim_reference).where(begins).limit(200))
            ]

    def is_held(self, claim: Claim, now: datetime) -> bool:
        """Tell whether a run holds the claim."""
        if "pod_lease_until" not in self.columns:
            return False
        with self.database.read() as connection:
            return bool(connection.scalar(select(func.count()).where(_c.id == claim.id, ~free(now))))

    def waiting(self) -> Waiting:
        """Failed claims that wait for a later turn, and when the first turn comes."""
        first = type_coerce(func.min(_c.pod_next_retry_at), Text).label("first")
        queries = [
            select(func.count().label("n"), first).where(at_stage(s)) for s in (Stage.WAITING, Stage.SETTLED)
        ]
        with self.database.read() as connection:
            rows = [connection.execute(query).mappings().one() for query in queries]
        moments = [moment for row in rows if (moment := Reader(row).moment("first"))]
        return Waiting(sum(row["n"] for row in rows), min(moments, default=None))

    def ready_by_carrier(self, stage: Stage, now: datetime, most: int | None = None) -> dict[str, int]:
        """How many claims under each carrier's key ("": of none that we know) are ready and held by nobody.

        Counted up to `most` for each, so that the cost does not grow with a backlog; None: all of them.
        """
        with self.database.read() as connection:
            keys = [key for key in connection.scalars(carrier_keys(stage)) if key is not None]
            counts = {}
            for key in keys:
                ready = select(_c.id).where(at_stage(stage), _c.pod_carrier_key == key, free(now)).limit(most)
                counts[str(key)] = connection.scalar(select(func.count()).select_from(ready.subquery())) or 0
        return {key: count for key, count in counts.items() if count}

    def times_asked(self, claim: Claim) -> int:
        """How often the carrier was asked about the claim with its present number."""
        query = select(func.count()).where(
            attempts.c.claim_id == claim.id,
            attempts.c.calls > 0,
            attempts.c.tracking_number == (claim.number or ""),
        )
        with self.database.read() as connection:
            return int(connection.scalar(query) or 0)

    # ---------------------------------------------------------------- holding

    def take(
        self, stage: Stage, carriers: Collection[str], most: int, hold: Hold, now: datetime
    ) -> list[Claim]:
        """Hold up to `most` ready claims of these carriers, the most urgent first."""
        if not carriers or most < 1:
            return []
        taken: list[Claim] = []
        for _ in range(_MOST_LOOKS):
            with self.database.write() as connection:
                ids = list(connection.scalars(most_urgent(stage, sorted(carriers), most - len(taken), now)))
                order = {claim_id: place for place, claim_id in enumerate(ids)}
                found = self._hold(connection, _c.id.in_(ids), hold, now) if ids else []
                taken += sorted(found, key=lambda claim: order[claim.id])
                if len(taken) == most or not self._any_left(connection, stage, carriers, now):
                    break
        return taken

    @staticmethod
    def _any_left(connection: Connection, stage: Stage, carriers: Collection[str], now: datetime) -> bool:
        """Tell whether others have claims in their hands at this very moment that they may not take."""
        if connection.dialect.name == "sqlite":
            return False  # one at a time has the whole database
        ready = at_stage(stage), _c.pod_carrier_key.in_(sorted(carriers)), free(now), unedited()
        return connection.scalar(select(_c.id).where(*ready).limit(1)) is not None

    def take_named(self, claim: Claim, hold: Hold, now: datetime) -> Claim | None:
        """Hold this claim, in whatever stage it is; None if a run holds it or it was edited meanwhile."""
        with self.database.write() as connection:
            seen = seen_values(has_deadline="response_deadline" in self.columns)
            connection.execute(
                update(claims)
                .where(_c.id == claim.id, free(now))
                .values(seen | state_values(claim, claim.state))
            )
            return next(iter(self._hold(connection, _c.id == claim.id, hold, now)), None)

    def _hold(
        self, connection: Connection, which: ColumnElement[bool], hold: Hold, now: datetime
    ) -> list[Claim]:
        interruptions = func.coalesce(_c.pod_interruptions, 0) + 1
        statement = (
            update(claims)
            .where(which, free(now), unedited())
            .values(pod_lease_token=hold.token, pod_lease_until=hold.until, pod_interruptions=interruptions)
            .returning(*readable_columns(self.columns))
        )
        rows = connection.execute(statement).mappings().all()
        return [_not_counting_this_time(read_claim(row, self.catalog, self.redact)) for row in rows]

    def extend(self, held: Sequence[Claim], hold: Hold) -> None:
        """Hold these claims longer."""
        ours = _c.id.in_([claim.id for claim in held]), _c.pod_lease_token == hold.token
        with self.database.write() as connection:
            connection.execute(update(claims).where(*ours).values(pod_lease_until=hold.until))

    def put_back(self, held: Sequence[tuple[Claim, State]], hold: Hold) -> None:
        """Hand claims back without an attempt, each with the state it is to have."""
        for claim, state in held:
            values = state_values(claim, state) | _released()
            ours = _c.id == claim.id, _c.pod_lease_token == hold.token
            # One row a transaction: whoever waits for a row while holding another may block, and be blocked by, others.
            with self.database.write() as connection:
                changed = connection.execute(update(claims).where(*ours, unedited()).values(values)).rowcount
                if not changed:
                    connection.execute(update(claims).where(*ours).values(_released()))

    # ---------------------------------------------------------------- recording

    def record(self, attempt: Attempt, decision: Decision, hold: Hold, now: datetime) -> bool:
        """Record an attempt and what it means.

        False if the claim is not as it was taken: then the attempt alone is kept, and the claim is judged anew.
        """
        claim = attempt.claim
        ours = _c.id == claim.id, _c.pod_lease_token == hold.token
        values = state_values(claim, decision.state) | _released()
        if decision.uses_attempt or attempt.document:
            values |= self._told_to_the_service(decision, attempt.document, now)
        with self.database.write() as connection:
            changed = connection.execute(update(claims).where(*ours, unedited()).values(values)).rowcount
            if changed:
                write_events(connection, claim.id, decision.events, self.run_id, now)
            else:
                connection.execute(update(claims).where(*ours).values(_released()))
            connection.execute(plain_insert(attempts).values(self._attempt_row(attempt)))
        return bool(changed)

    def _told_to_the_service(
        self, decision: Decision, document: StoredDocument | None, now: datetime
    ) -> dict[str, Any]:
        values: dict[str, Any] = {
            "pod_fetch_status": decision.fetch_status,
            "pod_seen_status": decision.fetch_status,
            "pod_fetch_error": decision.error,
        }
        if document is None:
            return values
        values |= {
            "pod_url": document.path,
            "pod_fetched_at": now.replace(microsecond=0),
            "pod_delivery_person": document.delivery.signatory,
        }
        return values | {"updated_at": now.replace(microsecond=0)} if "updated_at" in self.columns else values

    def _attempt_row(self, attempt: Attempt) -> dict[str, Any]:
        claim, failure, document = attempt.claim, attempt.failure, attempt.document
        delivery = document.delivery if document else (failure.delivery if failure else None)
        row: dict[str, Any] = {
            "claim_id": claim.id,
            "run_id": self.run_id,
            "worker": self.worker,
            "carrier": claim.carrier or claim.carrier_name,
            "tracking_number": clean(claim.number or "", 60),
            "turn": attempt.turn,
            "started_at": attempt.started_at,
            "duration_s": attempt.duration_s,
            "calls": attempt.calls,
            "outcome": attempt.outcome,
            "used": attempt.used,
        }
        if delivery:
            row |= {"delivered_at": delivery.at, "signatory": delivery.signatory}
        if failure:
            row |= {
                "error_kind": failure.kind,
                "message": failure.message,
                "http_status": failure.http_status,
            }
        if document:
            row |= {
                "document_path": document.path,
                "document_sha256": document.sha256,
                "document_size": document.size,
                "document_type": document.media_type,
                "document_source": document.source,
            }
        return row


def _released() -> dict[str, Any]:
    return {"pod_lease_token": None, "pod_lease_until": None}


def _not_counting_this_time(claim: Claim) -> Claim:
    """Taking a claim counts as an interruption until it is recorded or put back; this very time is not one."""
    return replace(claim, state=replace(claim.state, interruptions=max(claim.state.interruptions - 1, 0)))


def carrier_keys(stage: Stage) -> Select[Any]:
    """The different carrier keys at a stage: each is found from the one before by one look into the index."""
    first = (
        select(func.min(_c.pod_carrier_key).label("carrier_key")).where(at_stage(stage)).cte(recursive=True)
    )
    after = select(func.min(_c.pod_carrier_key)).where(
        at_stage(stage), _c.pod_carrier_key > first.c.carrier_key
    )
    found = first.union_all(select(after.scalar_subquery()).where(first.c.carrier_key.is_not(None)))
    return select(found.c.carrier_key)


def most_urgent(stage: Stage, carriers: Sequence[str], most: int, now: datetime) -> Select[Any]:
    """The ids of up to `most` ready, free claims: nearest deadline first, those past their real deadline last.

    For each carrier three stretches of the index are read from their beginning, so that the cost does not depend on
    how many claims are ready: those without a deadline, those whose deadline is to come, and those past it.
    """
    to_come, past = _c.pod_rank_at >= now, _c.pod_rank_at < now
    stretches: list[tuple[int, tuple[ColumnElement[bool], ...]]] = [
        (0, (_c.pod_rank_is_deadline == 0,)),
        (0, (_c.pod_rank_is_deadline == 1, to_come)),
        (1, (_c.pod_rank_is_deadline == 1, past)),
    ]
    parts = []
    for carrier in carriers:
        ready = at_stage(stage), _c.pod_carrier_key == carrier, free(now), unedited()
        for is_late, where in stretches:
            part = (
                select(_c.id, _c.pod_rank_at, literal(is_late, Integer).label("is_late"))
                .where(*ready, *where)
                .order_by(_c.pod_rank_at)
                .limit(most)
                .with_for_update(
                    skip_locked=True
                )  # SQLite, where nobody else can write now, has no such words
            )
            parts.append(select(part.subquery()))
    found = union_all(*parts).subquery()
    return select(found.c.id).order_by(found.c.is_late, found.c.pod_rank_at, found.c.id).limit(most)

"""Proofs that came without a delivery, in the database: see `recours.runs.completion`."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import exists, func, insert, select, update

from recours.core.accounts import HOUSE
from recours.core.claim import Delivery, FetchStatus
from recours.core.quota import Capability
from recours.database.engine import Database
from recours.database.lenient_reader import delivery_columns
from recours.database.predicates import const
from recours.database.rows import free
from recours.database.tables import attempts, claims, evidence
from recours.runs.ports import TRACKED, Lease, Tracked, UntrackedProof

_a, _c, _v = attempts.c, claims.c, evidence.c


@dataclass(frozen=True)
class DatabaseProofs:
    """Those of one database, for one run. See `Proofs`."""

    database: Database
    run_id: str
    worker: str

    def lease_untracked(
        self, carrier: str, since: datetime, most: int, lease: Lease, now: datetime
    ) -> list[UntrackedProof]:
        """See `Proofs`. What others hold at this moment is left to the next run."""
        later = attempts.alias("later").c
        was_tracked = exists(
            select(later.id).where(later.claim_id == _a.claim_id, later.outcome == const(TRACKED))
        )
        found = (
            select(_a.id, _a.claim_id, _a.carrier, _a.tracking_number, func.coalesce(_a.account_id, HOUSE))
            .join(claims, _c.id == _a.claim_id)
            .where(_a.started_at >= since, _a.carrier == carrier, _a.turn == 0)
            .where(_a.outcome == const("success"), _a.delivered_at.is_(None), _a.delivered_day.is_(None))
            .where(_a.signatory.is_(None), ~was_tracked)
            .where(_c.pod_fetch_status == const(FetchStatus.SUCCESS), _c.pod_url == _a.document_path)
            .where(free(now))
            .order_by(_a.started_at.desc())
            .limit(most)
        )
        with self.database.write() as connection:
            rows = connection.execute(found.with_for_update(of=claims, skip_locked=True)).all()
            holding = update(claims).where(_c.id.in_([row.claim_id for row in rows]))
            values = {"pod_lease_token": lease.token, "pod_lease_until": lease.until}
            connection.execute(holding.values(values))
        return [UntrackedProof(*row) for row in rows]

    def record_tracking(
        self, proof: UntrackedProof, tracked: Tracked, begun_at: datetime, duration_s: float, lease: Lease
    ) -> None:
        """See `Proofs`."""
        found = tracked.found
        row = {
            "claim_id": proof.claim_id,
            "run_id": self.run_id,
            "worker": self.worker,
            "carrier": proof.carrier,
            "account_id": proof.account or None,
            "tracking_number": proof.number,
            "turn": 0,
            "started_at": begun_at,
            "duration_s": duration_s,
            "calls": tracked.calls,
            "outcome": TRACKED,
            "used": False,
            "circumstances": {"calls": {Capability.TRACKING.lower(): tracked.calls}},
        }
        if isinstance(found, Delivery):
            row |= delivery_columns(found)
        else:
            row |= {"error_kind": found.kind, "message": found.message, "http_status": found.http_status}
        is_held = _c.id == proof.claim_id, _c.pod_lease_token == lease.token
        with self.database.write() as connection:
            connection.execute(insert(attempts).values(row))
            if isinstance(found, Delivery):
                facts = delivery_columns(found)
                connection.execute(update(attempts).where(_a.id == proof.attempt_id).values(facts))
                # What came without a delivery: the pieces of this proof. Of what a person attached, they say what they know.
                untold = (
                    _v.claim_id == proof.claim_id,
                    _v.by.is_(None),
                    *(_v[name].is_(None) for name in facts),
                )
                connection.execute(update(evidence).where(*untold).values(**facts, place=found.place))
                unsigned = *is_held, _c.pod_delivery_person.is_(None)
                connection.execute(
                    update(claims).where(*unsigned).values(pod_delivery_person=found.signatory)
                )
            connection.execute(
                update(claims).where(*is_held).values(pod_lease_token=None, pod_lease_until=None)
            )

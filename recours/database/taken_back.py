"""A proof that a person takes back: it is kept as refused, and its claim goes on as if it had not been there."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, exists, insert, select, update

from recours.core.changes import ChangeKind, ClaimChange
from recours.core.claim import Claim, FetchStatus
from recours.core.document_flaws import DocumentFlaw, flaw_text
from recours.core.mail import LAPSED, EventName
from recours.database.by_person import locked, write_claims
from recours.database.changes import note
from recours.database.claim_reader import delivery_columns
from recours.database.intake import Assessor
from recours.database.tables import attempts, events, evidence
from recours.operations.records import KeptEvidence
from recours.runs.ports import ATTACHED

_a, _v, _e = attempts.c, evidence.c, events.c
DETACH = "detach"  # instead of a worker or a run, in the records


@dataclass(frozen=True)
class Detachment:
    """What a person takes back, and why. `path`: where its file lies from then on; `following`: the claim's POD then."""

    piece: KeptEvidence
    path: str
    following: KeptEvidence | None
    by: str
    why: str


def take_back(assessor: Assessor, claim: Claim, of: Detachment, now: datetime, *, is_pod: bool) -> bool:
    """Record it; False if a run holds the claim, or it was changed. Raises DatabaseError."""
    piece = of.piece
    of_attempts = _a.claim_id == claim.id, _a.document_sha256 == piece.sha256
    refused = flaw_text(DocumentFlaw.TAKEN_BACK, by=of.by)
    refuse = (
        update(evidence)
        .where(_v.claim_id == claim.id, _v.sha256 == piece.sha256, _v.refused.is_(None))
        .values(path=of.path, refused=refused, manifest_id=None)
    )
    facts = {"kind": piece.kind, "sha256": piece.sha256[:16], "why": of.why or None}
    with assessor.database.write() as connection:
        before = locked(assessor, connection, [claim.id], now)
        if not before or before[0][1] or before[0][0].fetch_status != claim.fetch_status:
            return False
        if connection.execute(refuse).rowcount == 0:
            return False
        connection.execute(update(attempts).where(*of_attempts).values(document_path=None))
        note(connection, [(claim.id, ClaimChange(ChangeKind.DETACHED, facts))], of.by, now)
        if is_pod:
            told = _told(connection, claim, of.following, now)
            write_claims(assessor, connection, [before[0][0]], told, now)
    return True


def _told(
    connection: Connection, claim: Claim, following: KeptEvidence | None, now: datetime
) -> dict[str, Any]:
    """What the service is told of its claim. A mail about the proof that nobody has got yet is not sent."""
    # Written if the claim had failed before.
    retrieved = _e.claim_id == claim.id, _e.event == EventName.POD_RETRIEVED
    connection.execute(update(events).where(*retrieved, _e.told.is_(None)).values(told=LAPSED))
    if following:
        connection.execute(insert(attempts), _attempt(following, now))
        return {
            "pod_fetch_status": FetchStatus.SUCCESS,
            "pod_url": following.path,
            "pod_delivery_person": following.delivery.signatory,
            "pod_fetched_at": following.obtained_at.replace(microsecond=0),
        }
    had_failed = connection.scalar(select(exists().where(*retrieved)))
    nothing = dict.fromkeys(("pod_url", "pod_delivery_person", "pod_fetched_at"))
    return {"pod_fetch_status": FetchStatus.FAILED if had_failed else FetchStatus.PENDING, **nothing}


def _attempt(piece: KeptEvidence, now: datetime) -> dict[str, Any]:
    """By which a piece is the claim's proof again."""
    return {
        "claim_id": piece.claim_id,
        "run_id": DETACH,
        "worker": DETACH,
        "carrier": piece.carrier,
        "tracking_number": piece.number,
        "turn": 0,
        "started_at": now,
        "duration_s": 0.0,
        "calls": 0,
        "outcome": ATTACHED,
        "used": False,
        **delivery_columns(piece.delivery),
        "document_path": piece.path,
        "document_sha256": piece.sha256,
        "document_size": piece.size,
        "document_type": piece.media_type,
        "document_source": piece.source,
    }

"""A proof that a person takes back: it is kept as refused, and its claim goes on as if it had not been there."""

from datetime import datetime
from typing import Any

from sqlalchemy import exists, insert, select, update

from recours.core.changes import ClaimChange
from recours.core.claim import Claim, FetchStatus
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


def take_back(
    assessor: Assessor,
    claim: Claim,
    piece: KeptEvidence,
    following: KeptEvidence | None,
    *,
    is_pod: bool,
    path: str,
    refused: str,
    change: ClaimChange,
    by: str,
    now: datetime,
) -> bool:
    """Record it; False if a run holds the claim, or it was changed. Raises DatabaseError.

    `path`: where the file lies from now on; `refused`: why; `following`: the proof that is the claim's POD then.
    """
    of_piece = _v.claim_id == claim.id, _v.sha256 == piece.sha256
    of_attempts = _a.claim_id == claim.id, _a.document_sha256 == piece.sha256
    # Written if the claim had failed before.
    retrieved = _e.claim_id == claim.id, _e.event == EventName.POD_RETRIEVED
    values = {"path": path, "refused": refused, "manifest_id": None}
    with assessor.database.write() as connection:
        before = locked(assessor, connection, [claim.id], now)
        if not before or before[0][1] or before[0][0].fetch_status != claim.fetch_status:
            return False
        is_kept = evidence.update().where(*of_piece, _v.refused.is_(None)).values(values)
        if connection.execute(is_kept).rowcount == 0:
            return False
        connection.execute(update(attempts).where(*of_attempts).values(document_path=None))
        note(connection, [(claim.id, change)], by, now)
        if is_pod:
            connection.execute(update(events).where(*retrieved, _e.told.is_(None)).values(told=LAPSED))
            had_failed = connection.scalar(select(exists().where(*retrieved)))
            status = FetchStatus.FAILED if had_failed else FetchStatus.PENDING
            if following:
                status = FetchStatus.SUCCESS
                connection.execute(insert(attempts), _attempt(following, now))
            told = {
                "pod_fetch_status": status,
                "pod_url": following.path if following else None,
                "pod_delivery_person": following.delivery.signatory if following else None,
                "pod_fetched_at": following.obtained_at.replace(microsecond=0) if following else None,
            }
            write_claims(assessor, connection, [before[0][0]], told, now)
    return True


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

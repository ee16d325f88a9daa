"""A proof that a person takes back: it is kept as refused, and its claim goes on as if it had not been there."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, exists, insert, select, update

from recours.core.changes import ChangeKind, ClaimChange
from recours.core.claim import Claim, FetchStatus
from recours.core.mail import LAPSED, EventName
from recours.core.recorded_phrases import DocumentFlaw
from recours.database.by_person import locked, write_claims
from recours.database.changes import note
from recours.database.claims import attempt_row
from recours.database.intake import Assessor
from recours.database.tables import attempts, events, evidence
from recours.operations.records import KeptEvidence
from recours.runs.ports import Attempt

_a, _v, _e = attempts.c, evidence.c, events.c
DETACH = "detach"  # instead of a worker or a run, in the records


def detach(
    assessor: Assessor,
    claim: Claim,
    piece: KeptEvidence,
    path: str,
    now: datetime,
    *,
    by: str,
    why: str,
    is_pod: bool,
    following: KeptEvidence | None,
) -> bool:
    """Record that a person takes a piece back; False if a run holds the claim, or it was changed. Raises DatabaseError.

    `path`: where its file lies from then on. `is_pod`: it is the claim's POD, and `following` is from then on, if any.
    """
    of_piece = _v.claim_id == claim.id, _v.sha256 == piece.sha256, _v.refused.is_(None)
    refused = DocumentFlaw.TAKEN_BACK.text(by=by)
    refuse = update(evidence).where(*of_piece).values(path=path, refused=refused, manifest_id=None)
    of_attempts = _a.claim_id == claim.id, _a.document_sha256 == piece.sha256
    facts = {"kind": piece.kind, "sha256": piece.sha256[:16], "why": why or None}
    with assessor.database.write() as connection:
        claims = locked(assessor, connection, [claim.id], now)
        if not claims or claims[0][1] or claims[0][0].fetch_status != claim.fetch_status:
            return False
        if connection.execute(refuse).rowcount == 0:
            return False
        connection.execute(update(attempts).where(*of_attempts).values(document_path=None))
        note(connection, [(claim.id, ClaimChange(ChangeKind.DETACHED, facts))], by, now)
        if is_pod:
            values = _projection(connection, claim, following, now)
            write_claims(assessor, connection, [claims[0][0]], values, now)
    return True


def _projection(
    connection: Connection, claim: Claim, following: KeptEvidence | None, now: datetime
) -> dict[str, Any]:
    """What the service's row says then. A mail about the proof that nobody has got yet is not sent."""
    # Written if the claim had failed before.
    retrieved = _e.claim_id == claim.id, _e.event == EventName.POD_RETRIEVED
    connection.execute(update(events).where(*retrieved, _e.told.is_(None)).values(told=LAPSED))
    if following:
        attempt = Attempt.by_person(claim, following, now)
        connection.execute(insert(attempts), attempt_row(attempt, DETACH, DETACH))
        return {
            "pod_fetch_status": FetchStatus.SUCCESS,
            "pod_url": following.path,
            "pod_delivery_person": following.delivery.signatory,
            "pod_fetched_at": following.obtained_at.replace(microsecond=0),
        }
    had_failed = connection.scalar(select(exists().where(*retrieved)))
    nothing = dict.fromkeys(("pod_url", "pod_delivery_person", "pod_fetched_at"))
    return {"pod_fetch_status": FetchStatus.FAILED if had_failed else FetchStatus.PENDING, **nothing}

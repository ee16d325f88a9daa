"""Claims whose table the service restored from a backup that is older than their proofs: told again, not fetched again."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, and_, func, select

from recours.core.assessment import lost_its_proof
from recours.core.claim import Claim, FetchStatus
from recours.core.text import clean
from recours.database.border import Border
from recours.database.evidence import LONGEST_NUMBER
from recours.database.tables import attempts, evidence

_a, _v = attempts.c, evidence.c


def proofs_to_tell_again(
    connection: Connection, border: Border, read: Sequence[Claim]
) -> dict[Any, dict[str, Any]]:
    """What the service is to be told of those of these claims, by their ids and the names of its columns.

    Only of proofs that are on record for the claim's number, and on disk. A row that names a document, or when it was
    fetched, is no older one: who has a POD fetched again sets the status alone.
    """
    numbers = {claim.id: clean(claim.number or "", LONGEST_NUMBER) for claim in read if lost_its_proof(claim)}
    if not numbers:
        return {}
    names_none = (func.coalesce(border.text(name), "") == "" for name in ("pod_url", "pod_fetched_at"))
    kept = and_(_v.claim_id == _a.claim_id, _v.path == _a.document_path)
    query = (
        select(_a.claim_id, _a.tracking_number, _a.document_path, _v.obtained_at, _v.signatory)
        .select_from(attempts.join(evidence, kept).join(border.claims, border.key == _a.claim_id))
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

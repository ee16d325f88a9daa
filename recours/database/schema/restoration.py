"""Restores columns that someone dropped from the service's table, with values from recours's own tables."""

from recours.database.border import Border
from recours.database.schema.rights import as_lines

# Recours deletes its row of a claim some time after the claim is finished. The claim's document then shows its status.
_STATUS = "CASE WHEN own.claim_id IS NULL AND proof.id > 0 THEN 'success' ELSE own.seen_fetch_status END"
_LAST_RETRY_AT = "coalesce(own.last_retry_at, CASE WHEN proof.turn > 0 THEN proof.started_at END)"
_COUNT = "CASE WHEN own.owed_since IS NULL THEN own.retries_used ELSE CAST(own.seen_count AS INTEGER) END"
# The known values of the columns. Recours has no record of `pod_signature_url`.
_KNOWN = {
    "pod_fetch_status": "known.status",
    "pod_url": "CASE known.status WHEN 'success' THEN known.document_path END",
    "pod_fetched_at": "CASE known.status WHEN 'success' THEN known.obtained_at END",
    "pod_fetch_error": "CASE known.status WHEN 'failed' THEN known.message END",
    "pod_delivery_person": "CASE known.status WHEN 'success' THEN known.signatory END",
    "pod_retry_count": "known.retries",
    "pod_last_retry_at": "known.last_retry_at",
}


def restoration(border: Border) -> list[str]:
    """The SQL that adds and fills the missing columns. Run it in one transaction, because workers may be running."""
    values = ", ".join(f"{border.quoted(name)} = {_KNOWN[name]}" for name in border.missing if name in _KNOWN)
    return [*border.additions(), *([_filling(border, values)] if values else [])]


def _filling(border: Border, values: str) -> str:
    key = border.quoted("id")
    number = f"upper(replace(CAST(claim.{border.quoted('tracking_number')} AS TEXT), ' ', ''))"
    reference = f"CAST(claim.{border.quoted('claim_reference')} AS TEXT)"
    status = _STATUS
    if border.has("pod_fetch_status"):
        status = f"CAST(claim.{border.quoted('pod_fetch_status')} AS TEXT)"
    # A database may reuse a deleted claim's key, so the reference or the number must match, too.
    of_claim = f"claim_id = claim.{key} AND tracking_number = {number}"
    return f"""UPDATE {border.table} AS target SET {values}
        FROM (SELECT claim.{key} AS key, {status} AS status, coalesce({_COUNT}, proof.turn, 0) AS retries,
                {_LAST_RETRY_AT} AS last_retry_at, proof.document_path, piece.obtained_at, piece.signatory, failure.message
            FROM {border.table} AS claim
            LEFT JOIN recours_claims AS own ON own.claim_id = claim.{key} AND own.seen_reference = {reference}
            LEFT JOIN recours_attempts AS proof ON proof.id =
                (SELECT max(id) FROM recours_attempts WHERE {of_claim} AND document_path IS NOT NULL)
            LEFT JOIN recours_evidence AS piece ON piece.claim_id = proof.claim_id AND piece.path = proof.document_path
            LEFT JOIN recours_attempts AS failure ON failure.id =
                (SELECT max(id) FROM recours_attempts WHERE {of_claim} AND used AND message IS NOT NULL)
        ) AS known WHERE known.key = target.{key} AND known.status IS NOT NULL"""  # noqa: S608 (the service's names)


def as_script(border: Border) -> list[str]:
    """The SQL of `restoration` as one transaction, one statement per line."""
    return as_lines(["BEGIN", *restoration(border), "COMMIT"])

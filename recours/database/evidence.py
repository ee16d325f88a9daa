"""The pieces of evidence (`recours_evidence`): written with the attempt that brought them, in the same transaction."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, delete, exists, func, select

from recours.core.claim import Claim
from recours.core.outcome import StoredDocument
from recours.core.text import clean
from recours.database.claim_reader import delivery_columns
from recours.database.custody import note_erased
from recours.database.engine import Database
from recours.database.event_outbox import insert_into
from recours.database.tables import attempts, evidence

_a, _v = attempts.c, evidence.c
_KEY = ("claim_id", "sha256")
_PORTION = 100  # files that one run deletes at most
LONGEST_NUMBER = 60


def evidence_rows(
    claim: Claim,
    documents: Iterable[StoredDocument],
    obtained_at: datetime,
    *,
    run_id: str | None = None,
    by: str | None = None,
) -> list[dict[str, Any]]:
    """`run_id`: the run that obtained them; `by`: who attached them by hand."""
    return [
        {
            "claim_id": claim.id,
            "carrier": claim.carrier or claim.carrier_name,
            "tracking_number": clean(claim.number or "", LONGEST_NUMBER),
            "kind": document.kind,
            "source": document.source,
            "obtained_at": obtained_at,
            "run_id": None if by else run_id,
            "path": document.path,
            "sha256": document.sha256,
            "size": document.size,
            "media_type": document.media_type,
            "refused": document.refused,
            "shown": asdict(document.shown),
            **delivery_columns(document.delivery),
            "place": document.delivery.place,
            "by": by,
        }
        for document in documents
    ]


def add_evidence(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Write pieces; one that was obtained before has one row all the same, which tells of the last time."""
    if rows:
        connection.execute(_insert(connection.dialect.name), rows)


def forget_refused(
    database: Database, before: datetime, erase: Callable[[str, str], str | None], now: datetime
) -> int:
    """Delete a portion of the files that prove nothing and were obtained before then; how many. Raises DatabaseError.

    A file that an attempt names counted once, by other rules: it stays. One that cannot be deleted keeps its row.
    """
    counted = exists().where(_a.claim_id == _v.claim_id, _a.document_path == _v.path)
    old = _v.refused.is_not(None), _v.obtained_at < before
    # In any order: files that cannot be deleted must not keep all others from it.
    some = select(_v.id, _v.path, _v.sha256).where(*old, ~counted).order_by(func.random()).limit(_PORTION)
    erased = [row.id for row in database.all(some) if erase(row.path, row.sha256) is None]
    if not erased:
        return 0
    forget = delete(evidence).where(_v.id.in_(erased), *old).returning(_v.path, _v.sha256)
    with database.write() as connection:
        gone = [(row.path, row.sha256) for row in connection.execute(forget)]
        note_erased(connection, gone, "90 days", now)
    return len(gone)


@cache
def _insert(dialect: str) -> Any:
    statement = insert_into(evidence, dialect)
    anew = {
        column.name: statement.excluded[column.name]
        for column in evidence.columns
        if column.name
        not in ("id", *_KEY)  # no manifest names it: the last one holds it to what it said then
    }
    return statement.on_conflict_do_update(index_elements=list(_KEY), set_=anew)

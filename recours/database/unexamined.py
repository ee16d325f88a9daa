"""Documents of which the attempt alone knows: see `recours.operations.appraise`."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, Text, exists, select, type_coerce

from recours.core.claim import Claim, Delivery
from recours.core.custody import CustodyEvent
from recours.core.outcome import StoredDocument
from recours.database.custody import append
from recours.database.engine import Database
from recours.database.evidence import add_evidence, custody_entry, evidence_rows
from recours.database.tables import attempts, claims, evidence
from recours.operations.appraise import OldDocument

_a, _v = attempts.c, evidence.c
# Documents of one transaction: those who add to the chain of custody wait for it.
_PORTION = 50
_NO_TIME = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


@dataclass(frozen=True)
class UnexaminedDocuments:
    """Those of one database."""

    database: Database

    def portions(self, claims_: Collection[Any] | None) -> Iterator[Sequence[OldDocument]]:
        last = 0
        while rows := self._after(last, claims_):
            yield list({(row.claim_id, row.document_sha256): _document(row) for row in rows}.values())
            last = rows[-1].id

    def _after(self, last: int, claims_: Collection[Any] | None) -> Sequence[Row[Any]]:
        has_row = exists().where(_v.claim_id == _a.claim_id, _v.sha256 == _a.document_sha256)
        query = (
            select(attempts, type_coerce(claims.c.claim_reference, Text).label("reference"))
            .outerjoin(claims, claims.c.id == _a.claim_id)
            .where(_a.id > last, _a.document_path.is_not(None), _a.document_sha256.is_not(None), ~has_row)
            .order_by(_a.id)
            .limit(_PORTION)
        )
        if claims_ is not None:
            query = query.where(_a.claim_id.in_(claims_))
        with self.database.read() as connection:
            return connection.execute(query).all()

    def adopt(self, examined: Sequence[tuple[OldDocument, StoredDocument]], who: str, now: datetime) -> None:
        rows, entries = [], []
        for old, document in examined:
            claim = Claim(old.claim_id, old.reference, carrier=old.carrier, number=old.number)
            rows += evidence_rows(claim, [document], old.obtained_at, run_id=old.run_id)
            call = old.run_id, old.obtained_at
            entries.append(custody_entry(CustodyEvent.ADOPTED, now, who, claim, document, *call))
        with self.database.write() as connection:
            add_evidence(connection, rows)
            append(connection, entries)


def _document(row: Row[Any]) -> OldDocument:
    try:
        day = date.fromisoformat(row.delivered_day) if row.delivered_day else None
    except ValueError:
        day = None
    return OldDocument(
        row.claim_id,
        row.reference or "",
        row.carrier,
        row.tracking_number,
        row.document_path,
        row.document_sha256,
        row.document_size or 0,
        row.document_type or "",
        row.document_source or "",
        row.run_id,
        row.started_at or _NO_TIME,
        Delivery(row.delivered_at, row.signatory, day),
    )

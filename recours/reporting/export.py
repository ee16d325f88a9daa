"""Claims as CSV or JSON, in chunks, for `recours export claims` and the dashboard's button."""

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import islice
from typing import Any, NamedTuple

from recours.core.carrier import Catalog
from recours.core.claim import Delivery
from recours.core.evidence import Findings
from recours.core.localized import Localized
from recours.core.position import Position
from recours.core.text import clean
from recours.reporting.evidence import ClaimEvidence, ShownDelivery
from recours.reporting.labels import error_of
from recours.reporting.records import Effort, ListedClaim
from recours.reporting.snapshot import Reports

# Spreadsheets treat a cell as a formula if it starts with one of these characters (full-width or not). French Excel
# splits cells at semicolons, other versions at commas, regardless of the delimiter of the file.
_FORMULA = re.compile(r"(?:^|(?<=[;,]))(?=\s*[=+\-@＝＋－＠﹦﹢﹣﹫]|[\t\r\n])")
_BOM = "\ufeff"  # makes Excel read UTF-8
_LONGEST = 2000
_AT_ONCE = 1000  # claims in memory

# These names are not translated, because programs read them too.
CLAIM_COLUMNS = (
    "claim", "client", "order", "customer", "carrier", "tracking_number", "amount", "currency", "dispute", "status",
    "deadline", "pod_fetch_status", "stage", "next_try", "failed_at", "attempts", "calls", "error_kind", "error", "pod_url",
    "pod_fetched_at", "delivered_at", "signatory", "support", "verdict", "created_at", "updated_at",
)  # fmt: skip


class Form(NamedTuple):
    """The format of the values in a file."""

    language: str
    delimiter: str  # the delimiter of the columns in a CSV file
    point: str
    day: str
    minute: str  # the format of times; "": ISO with the offset


PLAIN = Form("en", ",", ".", "%Y-%m-%d", "")
EXCEL_FR = Form("fr", ";", ",", "%d/%m/%Y", "%d/%m/%Y %H:%M")


@dataclass(frozen=True)
class ExportedClaim:
    """A claim with all data for its row in the file."""

    listed: ListedClaim
    where: Position
    evidence: ClaimEvidence
    effort: Effort

    def row(self, catalog: Catalog, texts: Localized, form: Form = PLAIN) -> dict[str, Any]:
        """The values by column, in the language and time zone of `texts`."""
        listed = self.listed
        claim = listed.claim
        proof = next(iter(self.evidence.best_first(listed.pod_url)), None)
        if proof:
            delivery = ShownDelivery.of(proof.findings, proof.delivery)
        else:
            delivery = ShownDelivery.of(Findings(), claim.state.delivery or Delivery())
        verdict = self.evidence.verdict
        values = (
            claim.reference,
            listed.client or claim.client_text,
            listed.order,
            listed.customer,
            catalog.name_of(claim.carrier, claim.carrier_name),
            claim.number,
            claim.amount or None,
            listed.currency,
            listed.dispute,
            claim.claim_status,
            claim.deadline,
            claim.fetch_status,
            self.where.stage or self.where.standing,
            self.where.next_at,
            claim.state.failed_at,
            self.effort.attempts,
            self.effort.calls,
            claim.state.kind,
            error_of(texts.language, claim),
            listed.pod_url,
            listed.fetched_at,
            _time(delivery.at),
            listed.signatory or delivery.signatory,
            verdict and verdict.support,
            self.evidence.verdict_text(texts.language),
            claim.created_at,
            claim.updated_at,
        )
        return {name: _plain(value, texts, form) for name, value in zip(CLAIM_COLUMNS, values, strict=True)}


def _time(iso: str | None) -> date | None:
    if not iso:
        return None
    return datetime.fromisoformat(iso) if "T" in iso else date.fromisoformat(iso)


def _plain(value: Any, texts: Localized, form: Form) -> int | str | None:
    """Convert a value for CSV or JSON. Amounts become text, because numbers in JSON would lose trailing zeros."""
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, Decimal):
        has_cents = value == round(value, 2)  # the database may omit trailing zeros or add more
        return format(value, ".2f" if has_cents else "f").replace(".", form.point)
    if not isinstance(value, date):
        return clean(value, _LONGEST)
    if isinstance(value, datetime) and value.tzinfo:
        value = texts.local(value)
    pattern = form.minute if isinstance(value, datetime) else form.day
    return format(value, pattern) if pattern else value.isoformat()


def exported_claims(reports: Reports, claims: Iterable[ListedClaim]) -> Iterator[ExportedClaim]:
    """Read claims in batches, with their positions, evidence and numbers of calls. Raises DatabaseError."""
    remaining = iter(claims)
    while part := list(islice(remaining, _AT_ONCE)):
        ids = [listed.claim.id for listed in part]
        positions = reports.positions(part)
        pieces = reports.records.evidence_of_each(ids)
        efforts = reports.records.efforts(ids)
        for listed in part:
            claim_id = listed.claim.id
            evidence = ClaimEvidence(pieces.get(claim_id, ()), listed.dispute)
            yield ExportedClaim(listed, positions[claim_id], evidence, efforts.get(claim_id, Effort()))


# ---------------------------------------------------------------- files


def export_pieces(
    reports: Reports,
    claims: Iterable[ListedClaim],
    columns: Sequence[str] = CLAIM_COLUMNS,
    form: Form = PLAIN,
    *,
    as_json: bool = False,
) -> Iterator[bytes]:
    """The content of the export file for these claims, in pieces. Raises DatabaseError."""
    texts = Localized(form.language, reports.app.settings.policy.zone)
    rows = (exported.row(reports.app.catalog, texts, form) for exported in exported_claims(reports, claims))
    chosen = ({name: row[name] for name in columns} for row in rows)
    pieces = json_pieces(chosen) if as_json else csv_pieces(chosen, columns, form.delimiter)
    return (piece.encode("utf-8", "replace") for piece in pieces)


def csv_pieces(
    rows: Iterable[Mapping[str, Any]], columns: Sequence[str], delimiter: str = ","
) -> Iterator[str]:
    """CSV with a header and a byte-order mark. Spreadsheets treat no cell as a formula."""
    writer = csv.writer(_Line, delimiter=delimiter)
    yield _BOM + writer.writerow(columns)
    for row in rows:
        yield writer.writerow([_cell(row[name]) for name in columns])


class _Line:
    """A file object for `csv.writer`. It makes `writerow` return the line."""

    write = str


def _cell(value: Any) -> Any:
    """The value. Text that a spreadsheet would treat as a formula gets a leading apostrophe."""
    return _FORMULA.sub("'", value) if isinstance(value, str) else value


def json_pieces(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """One JSON array with one object per line."""
    separator = "[\n"
    for row in rows:
        yield separator + json.dumps(row, ensure_ascii=False)
        separator = ",\n"
    yield "\n]\n" if separator.startswith(",") else "[]\n"

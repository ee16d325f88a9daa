"""Claims as CSV or JSON, a piece at a time: what `recours export` and the page's export write."""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any

from recours.core.carrier import Catalog
from recours.core.localized import Localized
from recours.core.position import Position
from recours.core.text import clean
from recours.reporting.records import ListedClaim

# What a spreadsheet takes for the beginning of a formula: one of these signs in any width, as the first of a cell. With a
# semicolon between cells, as French Excel has it, one cell becomes several.
_FORMULA = re.compile(r"(?:^|(?<=;))(?=\s*[=+\-@＝＋－＠﹦﹢﹣﹫]|[\t\r\n])")
_BOM = "\ufeff"  # by which Excel knows UTF-8
_PIECE = 1 << 16
_LONGEST = 2000

CLAIM_COLUMNS = (
    "claim", "carrier", "tracking_number", "status", "response_deadline", "pod_fetch_status", "stage", "turns_used",
    "failed_at", "next_try", "error_kind", "error", "pod_url", "pod_fetched_at", "signatory", "created_at", "updated_at",
    "last_attempt_at",
)  # fmt: skip


def claim_row(listed: ListedClaim, where: Position, catalog: Catalog, zone: tzinfo) -> dict[str, Any]:
    """A claim by the names of its columns. `where`: where it stands; `zone`: of its times, whose offset they have."""
    claim = listed.claim
    state = listed.claim.state
    values = (
        claim.reference,
        catalog.name_of(claim.carrier, claim.carrier_name),
        claim.number,
        claim.claim_status,
        claim.deadline,
        claim.fetch_status,
        where.stage,
        claim.retries_counted,
        state.failed_at,
        where.next_at,
        state.kind,
        claim.error_text,
        listed.pod_url,
        listed.fetched_at,
        listed.signatory,
        claim.created_at,
        claim.updated_at,
        state.last_attempt_at,
    )
    return {name: _plain(value, zone) for name, value in zip(CLAIM_COLUMNS, values, strict=True)}


def _plain(value: Any, zone: tzinfo) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, datetime):
        value = Localized("en", zone).local(value)
    return clean(value.isoformat() if hasattr(value, "isoformat") else value, _LONGEST)


def csv_pieces(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> Iterator[str]:
    """CSV with a header and a byte-order mark; no cell is taken for a formula."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    buffer.write(_BOM)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row[name]) for name in columns])
        if buffer.tell() > _PIECE:
            yield _emptied(buffer)
    yield _emptied(buffer)


def _cell(value: Any) -> Any:
    """Text that a spreadsheet would compute gets an apostrophe before it, and stays text."""
    return _FORMULA.sub("'", value) if isinstance(value, str) else value


def json_pieces(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """One JSON array, an object a line."""
    buffer = io.StringIO()
    separator = "[\n"
    for row in rows:
        buffer.write(separator + json.dumps(row, ensure_ascii=False))
        separator = ",\n"
        if buffer.tell() > _PIECE:
            yield _emptied(buffer)
    buffer.write("\n]\n" if separator.startswith(",") else "[]\n")
    yield _emptied(buffer)


def _emptied(buffer: io.StringIO) -> str:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text

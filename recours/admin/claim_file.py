"""Reads claim files: CSV as spreadsheets write it, one claim per line."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from recours.core.spreadsheet import read_lines
from recours.core.text import plain
from recours.runs.refusals import ClaimRefusal, ClaimsRefusedError

LARGEST_MB = 2
LARGEST = LARGEST_MB * 1024 * 1024
_LINES_NAMED = 5
_BYTE_ORDER_MARK = "\ufeff"
# Accepted column names in the first line, without accents. Without a header line, the columns are in this order.
_COLUMNS = {
    "reference": {"reference", "claim", "claim_reference", "reclamation"},
    "number": {"number", "tracking_number", "tracking number", "numero", "numero de suivi"},
    "carrier": {"carrier", "transporteur"},
}


@dataclass(frozen=True)
class FileRow:
    """One line of a claim file. `number` and `carrier` are None if unchanged. `fault`: why the line is rejected."""

    line: int
    reference: str = ""
    number: str | None = None
    carrier: str | None = None
    fault: ClaimRefusal | None = None


def read_claim_file(content: bytes, limit: int, *, needs_values: bool) -> list[FileRow]:
    """Read rows, at most `limit`. `needs_values`: each row needs a number or a carrier. Raises ClaimsRefusedError."""
    lines = list(islice(read_lines(text_of(content)), limit + 2))
    if len(lines) > limit + 1:
        raise ClaimsRefusedError(ClaimRefusal("many_rows", facts={"most": str(limit)}))
    names = _heads(lines[0][1] or []) if lines else []
    rows = [
        _row(number, cells, names or list(_COLUMNS), needs_values=needs_values)
        for number, cells in lines[bool(names) :]
    ]
    if not rows:
        raise ClaimsRefusedError(ClaimRefusal("empty_file"))
    return _without_repeats(rows)


def text_of(content: bytes) -> str:
    """Decode a file. Excel writes UTF-8 or, in Western Europe, Windows-1252. Raises ClaimsRefusedError."""
    if len(content) > LARGEST:
        raise ClaimsRefusedError(ClaimRefusal("large_file", facts={"mb": str(LARGEST_MB)}))
    for encoding in ("utf-8", "cp1252"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text.lstrip(_BYTE_ORDER_MARK)  # so that decoding this text once more changes nothing
    raise ClaimsRefusedError(ClaimRefusal("not_text"))


def _heads(cells: Sequence[str]) -> list[str]:
    """Return the columns in a header line ("": ignored), or an empty list if it is not a header line."""
    names = [next((name for name, words in _COLUMNS.items() if plain(cell) in words), "") for cell in cells]
    return names if "reference" in names else []


def _row(line: int, cells: list[str] | None, names: Sequence[str], *, needs_values: bool) -> FileRow:
    if cells is None or any(cells[len(names) :]):
        return FileRow(line, fault=ClaimRefusal("unreadable_line"))
    values: Mapping[str, str] = dict(zip(names, cells, strict=False))
    row = FileRow(
        line,
        values.get("reference", ""),
        values.get("number") or None,
        values.get("carrier") or None,
    )
    if not row.reference:
        return replace(row, fault=ClaimRefusal("no_reference"))
    if needs_values and row.number is None and row.carrier is None:
        return replace(row, fault=ClaimRefusal("empty_values", row.reference))
    return row


def _without_repeats(rows: Sequence[FileRow]) -> list[FileRow]:
    """Mark repeated claims. Lines with the same values are skipped; lines with different values are a conflict."""
    by_reference: dict[str, list[FileRow]] = defaultdict(list)
    for row in rows:
        if row.fault is None:
            by_reference[row.reference].append(row)
    faults: dict[int, ClaimRefusal] = {}
    for reference, same in by_reference.items():
        lines = ", ".join(str(row.line) for row in same[:_LINES_NAMED])
        if len({(row.number, row.carrier) for row in same}) > 1:
            refusal = ClaimRefusal("conflict", reference, facts={"lines": lines})
            faults |= {row.line: refusal for row in same}
        else:
            refusal = ClaimRefusal("repeated", reference, facts={"line": str(same[0].line)})
            faults |= {row.line: refusal for row in same[1:]}
    return [replace(row, fault=faults.get(row.line, row.fault)) for row in rows]

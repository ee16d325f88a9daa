"""Turns the rows of a document into rows as a person reads them, by joining sentences, dates and cells across lines."""

import re
import unicodedata
from collections.abc import Sequence

from recours.evidence.dates import begins_with_date, has_date, read_time
from recours.evidence.labels import labels_in
from recours.evidence.reading import Cell, Row

_LONG_LINE = 40  # characters; a line this long may continue on the next line
_FEWEST_SEPARATED = 3
_FEWEST_BLANKS = 5  # minimum number of spaces in prose
_SEPARATOR = re.compile(r" [·•|] |;(?=\S)")
# The end of a line whose sentence continues on the next line, with a date or a number.
_CONTINUES = re.compile(
    r"(?<!\d )\b(?:le|on|am|el|il|op|den|om|um|at|ore|las|colis|envoi|parcel|shipment|item|pakets?|sendung|paquete|envio|pacco|spedizione|invio|pakket|zending)\s*$"
)
_NUMBER = re.compile(r"\S*\d")
# A quotation of at least three words repeats someone else's statement. A shorter quotation may be a name.
_QUOTED = re.compile(r"[\"„“”«»][^\"„“”«»]{3,}?[\s ][^\"„“”«»]*?[\s ][^\"„“”«»]*[\"“”«»]")
_LINE_TO_FILL = re.compile(r"(?:[._…] ?){4,}")
_UNDERSCORE = re.compile(r"(?<=[a-z])_(?=[a-z])")
_TICK = re.compile(r"[●✔✓☑☒✅✗]")
_UNTICKED = re.compile(r"(?:[○◯☐□▢❏]|\[ ?\](?=\s))[^○◯☐□▢❏●✔✓☑☒✅\[]*")
_IDENTIFIER = re.compile(r"[a-z]+(?:[A-Z][a-z]+)+")
_CAPITAL_WITHIN = re.compile(r"(?<=[a-z])(?=[A-Z])")
ASKEW = 15  # maximum points between the left edges of a heading and of the text below


def fold(text: str) -> str:
    """Return the text in lower case without accents. The length is the same, so positions are valid in both texts."""
    return text.lower() if text.isascii() else text.translate(_PLAIN)


_MOST_LETTERS = 5_000  # maximum kept in memory, because untrusted text may contain any letter


class _PlainLetters(dict[int, str]):
    """The plain forms of the letters found so far, by code point."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        base = "'" if char in "’‘´`" else unicodedata.normalize("NFKD", char)[0].lower()
        plain = base if len(base) == 1 else char
        if len(self) < _MOST_LETTERS:
            self[code] = plain
        return plain


_PLAIN = _PlainLetters()


def _visible(cell: Cell) -> Cell:
    """Return the cell without quotations and unticked boxes. An identifier is split into its words."""
    if cell.text.startswith(">"):  # a quoted line of an email
        return Cell("", cell.at)
    text = _TICK.sub("", _UNTICKED.sub("", _QUOTED.sub(" ", cell.text)))
    text = _UNDERSCORE.sub(" ", _LINE_TO_FILL.sub("____", text))
    if _IDENTIFIER.fullmatch(text):
        text = _CAPITAL_WITHIN.sub(" ", text)
    return Cell(text.strip(), cell.at)


def _split_cells(row: Row) -> Row:
    """Split a line with separators into cells, such as "1234 · DELIVERED · 5 Oct 2026"."""
    parts = _SEPARATOR.split(row[0].text) if len(row) == 1 else []
    if len(parts) < _FEWEST_SEPARATED:
        return row
    return tuple(Cell(part.strip(), 100.0 * at) for at, part in enumerate(parts))


def unwrap(rows: Sequence[Row]) -> list[Row]:
    """Join each row with the following rows that continue its sentence, date or table cells."""
    whole: list[Row] = []
    for row in map(_split_cells, rows):
        cells = [cell for cell in row if cell.text.strip()]
        above = list(whole[-1]) if whole else []
        continued = [_continued_cell(above, cell, is_first=not at) for at, cell in enumerate(cells)]
        if cells and None not in continued:
            for cell, at in zip(cells, continued, strict=True):
                above[at or 0] = _join(above[at or 0], cell)
            whole[-1] = tuple(above)
        elif len(above) <= 2 and len(cells) == 2 and continued[1] is not None and is_prose(above[-1].text):  # noqa: PLR2004
            # A column of prose beside a column of fields
            whole[-1:] = [
                *((cell,) for cell in above[:-1]),
                tuple(cells[:1]),
                (_join(above[-1], cells[1]),),
            ]
        elif cells:
            whole.append(tuple(cells))
    visible = (tuple(cell for cell in map(_visible, row) if cell.text) for row in whole)
    return list(filter(None, visible))


def _join(cell: Cell, behind: Cell) -> Cell:
    return Cell(f"{cell.text} {behind.text}", cell.at)


def _continued_cell(above: list[Cell], cell: Cell, *, is_first: bool) -> int | None:
    """Return the index of the cell in the row above that this cell continues, or None."""
    if not above:
        return None
    nearest = min(range(len(above)), key=lambda at: abs(above[at].at - cell.at))
    end = fold(above[nearest].text[-25:])
    text = fold(cell.text[:25])
    is_lower = cell.text[0].islower()
    if abs(above[nearest].at - cell.at) > ASKEW:
        return None
    is_cut = (
        has_date(f"{end} {text}") > (has_date(end) or has_date(text))
        or (_CONTINUES.search(end) and (begins_with_date(text) or _NUMBER.match(text)))
        or (end[-1] == "," and begins_with_date(text))
    )
    if is_cut:
        return nearest
    if end[-1] in ".:;!?":
        return None
    if len(above) == 1:
        is_line = len(above[0].text) >= _LONG_LINE or is_prose(above[0].text)
        return nearest if is_line and is_lower else None
    is_field = len(above) == 2 and bool(labels_in(fold(above[0].text)))  # noqa: PLR2004 (a label and its value)
    time = read_time(text)
    is_time = time is not None and time[1] == len(text) and has_date(end)
    is_wrapped = bool(nearest) and is_first and not is_field and not any(map(str.isdigit, text))
    return (
        nearest
        if is_time or is_wrapped or (is_lower and (not is_field or is_prose(above[nearest].text)))
        else None
    )


def is_prose(text: str) -> bool:
    return text.count(" ") >= _FEWEST_BLANKS

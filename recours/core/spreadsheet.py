"""Tables as spreadsheets write them: CSV, whose first line shows what its cells are separated by."""

import csv
from collections.abc import Iterator
from io import StringIO

_DELIMITERS = ";\t,"
_NOTHING = _DELIMITERS + ' "\r\n'


def read_lines(text: str) -> Iterator[tuple[int, list[str] | None]]:
    """The lines that have a text in any cell, with their numbers; None: it cannot be read.

    Each is read by itself, so that a quotation mark that is missing spoils one line only.
    """
    delimiter = ""
    for number, line in enumerate(StringIO(text, newline=None), 1):
        if not line.strip(_NOTHING):
            continue
        delimiter = delimiter or max(_DELIMITERS, key=line.count)
        try:
            (cells,) = csv.reader([line], delimiter=delimiter, strict=True)
        except csv.Error:
            yield number, None
        else:
            yield number, [cell.strip() for cell in cells]

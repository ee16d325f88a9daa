"""Reads CSV as spreadsheet programs write it. The first line determines the separator."""

import csv
from collections.abc import Iterator
from io import StringIO

_DELIMITERS = ";\t,"
_NOTHING = _DELIMITERS + ' "\r\n'


def read_lines(text: str) -> Iterator[tuple[int, list[str] | None]]:
    """Yield the cells of each line that is not empty, with its line number; None: the line cannot be read.

    Lines are read separately, so that a missing quotation mark affects only one line.
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

"""The text of a PDF as rows of cells.

pypdf decodes it, and is shown each cell in a text object of its own: in its plain text, cells and columns are lost.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from recours.documents.pdf_file import pdf_library
from recours.documents.pdf_state import IDENTITY, GraphicsState, Matrix, matrix_of, times
from recours.documents.reading import Cell, Row

_CAPITALS = range(65, 91)
# How wide letters are about, by their size and code: Helvetica's.
_WIDTHS = [
    0.3 if code in b" !'(),-./:;I[]fijlrt|" else 0.7 if code in _CAPITALS else 0.56 for code in range(256)
]


@dataclass(frozen=True)
class Show:
    """Text that is shown in one go: strings, and by how much what follows each is moved to the left."""

    parts: list[Any]
    matrix: Matrix  # where, and how large
    font: Any
    size: float

    @property
    def width(self) -> float:
        """How wide it is about, by the size of its letters."""
        per_byte = (
            0.5 if self.font is not None and self.font.get_object().get("/Subtype") == "/Type0" else 1.0
        )
        width = 0.0
        for part in self.parts:
            if isinstance(part, bytes):
                width += sum(_WIDTHS[code] for code in part) * per_byte
            elif isinstance(part, (int, float)):
                width -= float(part) / 1000
        return width


class TextLine:
    """Where the next text is shown."""

    def __init__(self) -> None:
        self._line = self._next = IDENTITY
        self._follows = False  # right behind what was shown last

    def move(self, operator: bytes, operands: Any, state: GraphicsState) -> None:
        if operator == b"BT":
            self._line = IDENTITY
        elif operator == b"Tm":
            self._line = matrix_of(operands)
        else:
            across, up = (0, -state.leading) if operator == b"T*" else map(float, operands)
            self._line = times((1, 0, 0, 1, across, up), self._line)
        self._next, self._follows = self._line, False

    def show(self, operator: bytes, operands: Any, state: GraphicsState, shows: list[Show]) -> None:
        if operator in (b"'", b'"'):
            self.move(b"T*", (), state)
        parts = list(operands[0]) if operator == b"TJ" else [operands[-1]]
        show = Show(parts, times(self._next, state.matrix), state.font, state.size)
        if self._follows and show.font is shows[-1].font:
            shows[-1].parts.extend(parts)
        else:
            shows.append(show)
        self._next, self._follows = times((1, 0, 0, 1, show.width * show.size, 0), self._next), True


def hides_letters(font: Any) -> bool:
    """Tell whether a font draws letters without saying which: its text is a picture."""
    if font is None:
        return False
    facts = font.get_object()
    has_codes_of_its_own = facts.get("/Subtype") == "/Type3" or facts.get("/Encoding") in (
        "/Identity-H",
        "/Identity-V",
    )
    return has_codes_of_its_own and "/ToUnicode" not in facts


_GAP = 1.0  # between two cells of a row, by the size of the letters


@dataclass(frozen=True)
class _Placed:
    """Text with its place after it is rotated upright: `x` to the right, `y` upwards; `size` is the font size in points."""

    show: Show
    turned: int  # quarters
    x: float
    y: float
    size: float

    @property
    def end(self) -> float:
        return self.x + self.size * self.show.width


def _placed(show: Show) -> _Placed:
    a, b, c, d, e, f = show.matrix
    scale = (a * a + b * b) ** 0.5 or (c * c + d * d) ** 0.5
    if abs(a) >= abs(b):
        turned, x, y = (0, e, f) if a >= 0 else (2, -e, -f)
    else:
        turned, x, y = (1, f, -e) if b > 0 else (3, -f, e)
    return _Placed(show, turned, x, y, abs(show.size) * scale or 1.0)


def rows_of(shows: list[Show], pdf: Any) -> tuple[Row, ...]:
    """The text as rows of cells, from the top down. pypdf decodes it; it is shown to pypdf cell by cell."""
    if not shows:
        return ()
    generic = pdf_library().generic
    fonts = generic.DictionaryObject()
    names: dict[int, Any] = {}
    for show in shows:
        if show.font is not None and id(show.font) not in names:
            names[id(show.font)] = generic.NameObject(f"/F{len(names)}")
            fonts[names[id(show.font)]] = show.font
    lines = _lines([_placed(show) for show in shows])
    stream = generic.ContentStream(None, pdf)
    stream.operations = [
        operation for number, line in enumerate(lines) for operation in _shown_again(line, number, names)
    ]
    page = pdf_library().PageObject(pdf)
    resources = generic.DictionaryObject({generic.NameObject("/Font"): fonts})
    page[generic.NameObject("/Resources")] = resources
    page[generic.NameObject("/Contents")] = stream
    cells: dict[int, list[Cell]] = {}

    def seen(text: str, _cm: Any, matrix: Any, _font: Any, _size: Any) -> None:
        if shown := " ".join(text.split()):
            cells.setdefault(round(-matrix[5] / _APART), []).append(Cell(shown, matrix[4]))

    page.extract_text(visitor_text=seen)
    return tuple(tuple(cells[number]) for number in sorted(cells))


_APART = 1000  # points, between the lines that are shown to pypdf


def _lines(placed: list[_Placed]) -> list[list[_Placed]]:
    """What stands on one line each, from the left to the right."""
    lines: list[list[_Placed]] = []
    for one in sorted(placed, key=lambda each: (each.turned, -each.y, each.x)):
        first = lines[-1][0] if lines else None
        if first and first.turned == one.turned and abs(first.y - one.y) < 0.4 * min(first.size, one.size):
            lines[-1].append(one)
        else:
            lines.append([one])
    return [sorted(line, key=lambda each: each.x) for line in lines]


def _shown_again(
    line: list[_Placed], number: int, names: dict[int, Any]
) -> Iterator[tuple[list[Any], bytes]]:
    """The operations that show a line, each cell in a text object of its own."""
    generic = pdf_library().generic
    font: Any = None
    end: float | None = None
    for one in line:
        if end is None or one.x - end > _GAP * one.size:
            if end is not None:
                yield [], b"ET"
            yield [], b"BT"
        end = one.end
        if (one.show.font, one.show.size) != font:
            font = (one.show.font, one.show.size)
            name = names.get(id(one.show.font), generic.NameObject("/None"))
            yield [name, generic.FloatObject(one.show.size)], b"Tf"
        scale = one.size / (abs(one.show.size) or 1.0)
        matrix = (scale, 0, 0, scale, one.x, -number * _APART)
        yield [generic.FloatObject(value) for value in matrix], b"Tm"
        yield [generic.ArrayObject(one.show.parts)], b"TJ"
    yield [], b"ET"

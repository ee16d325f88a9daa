"""What is drawn on a page of a PDF, and where."""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from recours.documents import picture
from recours.documents.pdf_file import pdf_library
from recours.documents.pdf_state import IDENTITY, GraphicsState, matrix_of, times
from recours.documents.pdf_text import Show, TextLine

_PATHS = frozenset({b"m", b"l", b"c", b"v", b"y", b"h", b"re"})
_MOVES = frozenset({b"BT", b"Td", b"TD", b"Tm", b"T*"})
_SHOWS = frozenset({b"Tj", b"TJ", b"'", b'"'})
_FILLS = frozenset({b"f", b"F", b"f*"})
_STROKES = frozenset({b"S", b"s"})
_FILLS_AND_STROKES = frozenset({b"B", b"B*", b"b", b"b*"})
_PAINTS = _FILLS | _STROKES | _FILLS_AND_STROKES | {b"n"}

# A drawing, such as a signature: many lines and curves, one after the other. No text looks like that.
_DRAWING = re.compile(rb"(?<!\S)(?:(?:[-+.\d]++\s++){2,6}[mlcvy]\s++){8,}")
_MARK = "/recours"  # stands where a drawing was
_READ_OF_DRAWINGS = 20_000  # bytes
FEWEST_STROKES = 8  # slanted lines and curves of a signature
_MANY_BOXES = 200  # so many show something: a picture made of squares
_TOP = 0.15  # of the page's height


@dataclass
class _Path:
    """The lines of a path until it is painted: how many, and where."""

    straight: int = 0  # along the edges of the page, as in rules and frames
    slanted: int = 0  # and curves
    boxes: int = 0
    is_closed: bool = False
    start: tuple[float, float] = (0.0, 0.0)
    last: tuple[float, float] = (0.0, 0.0)
    points: list[tuple[float, float]] = field(default_factory=list)

    def add(self, operator: bytes, numbers: Sequence[float]) -> None:
        if operator == b"re":
            self.boxes += 1
            self.points.append((numbers[0], numbers[1]))
        elif operator == b"h":
            self.is_closed = True
        else:
            x, y = numbers[-2], numbers[-1]
            if operator == b"m":
                self.start = (x, y)
            elif operator == b"l" and (abs(x - self.last[0]) < 0.3 or abs(y - self.last[1]) < 0.3):  # noqa: PLR2004
                self.straight += 1
            else:
                self.slanted += 1
                self.is_closed = self.is_closed or (x, y) == self.start
            self.last = (x, y)
            self.points.append((x, y))


class Sheet:
    """What one page shows: its text, and the ink beside that."""

    def __init__(self, page: Any, images: "Images") -> None:
        self.shows: list[Show] = []
        self.has_ink = False
        self.has_picture = False
        self.has_signature_image = False
        self.strokes = 0
        self._boxes = 0
        self._page = page
        self._images = images
        self._path = _Path()
        box = page.mediabox
        self._left, self._bottom = float(box.left), float(box.bottom)
        self._width, self._height = float(box.width) or 1.0, float(box.height) or 1.0
        self._turned = int(page.get("/Rotate", 0) or 0) % 360

    def draw(self, drawn: bytes, resources: Any, state: GraphicsState) -> None:
        """Follow what is drawn, forms included. `resources`: what its names stand for."""
        drawings: list[bytes] = []

        def marked(drawing: re.Match[bytes]) -> bytes:
            drawings.append(drawing[0][:_READ_OF_DRAWINGS])
            return b"%s%d MP " % (_MARK.encode(), len(drawings) - 1)

        saved: list[GraphicsState] = []
        text = TextLine()
        for operands, operator in _operations(_DRAWING.sub(marked, drawn), self._page.pdf):
            state = state.after(operator, operands, resources.get("/Font", {}))
            if operator == b"q":
                saved.append(state)
            elif operator == b"Q":
                state = saved.pop() if saved else state
            elif operator in _MOVES:
                text.move(operator, operands, state)
            elif operator in _SHOWS:
                text.show(operator, operands, state, self.shows)
            elif operator == b"MP" and str(operands[0]).startswith(_MARK):
                self._follow(drawings[int(str(operands[0])[len(_MARK) :])])
            elif operator == b"Do":
                self._place(operands[0], resources, state)
            else:
                self._ink(operator, operands, state)

    def _ink(self, operator: bytes, operands: Any, state: GraphicsState) -> None:
        if operator in _PATHS:
            self._path.add(operator, [float(number) for number in operands])
        elif operator in _PAINTS:
            self._paint(operator, state)
        elif operator in (b"sh", b"INLINE IMAGE"):
            self.has_ink = self.has_picture = True

    def _follow(self, drawing: bytes) -> None:
        numbers: list[float] = []
        for part in drawing.split():
            if part in _PATHS:
                self._path.add(part, numbers)
                numbers = []
            else:
                numbers.append(float(part))

    def _paint(self, operator: bytes, state: GraphicsState) -> None:
        """Count the lines of a path, if it is painted in another colour than white."""
        path, self._path = self._path, _Path()
        fills = operator in _FILLS | _FILLS_AND_STROKES and not state.fills_white
        strokes = operator in _STROKES | _FILLS_AND_STROKES and not state.strokes_white
        if not fills and not strokes:
            return
        self._boxes += path.boxes + path.straight
        if path.slanted or self._boxes >= _MANY_BOXES:
            self.has_ink = True
        if strokes and path.slanted and not path.is_closed and operator != b"s":
            middle = [sum(numbers) / len(numbers) for numbers in zip(*path.points, strict=True)]
            if not self._is_at_the_top(times((1, 0, 0, 1, middle[0], middle[1]), state.matrix)[4:]):
                self.strokes += path.slanted

    def _place(self, name: str, resources: Any, state: GraphicsState) -> None:
        thing = resources["/XObject"][name].get_object()
        if thing.get("/Subtype") == "/Form":
            matrix = times(matrix_of(thing.get("/Matrix", IDENTITY)), state.matrix)
            self.draw(thing.get_data(), thing.get("/Resources", resources), replace(state, matrix=matrix))
            return
        shows_something, is_like_a_signature = self._images.look_at(thing)
        across, _, _, up, left, bottom = state.matrix
        is_at_the_top = self._is_at_the_top((left + across / 2, bottom + up / 2))
        self.has_ink = self.has_ink or shows_something
        if shows_something and not is_at_the_top:
            self.has_picture = True
            self.has_signature_image = self.has_signature_image or is_like_a_signature

    def _is_at_the_top(self, point: Sequence[float]) -> bool:
        """Tell whether a point is at the top of the page as a viewer turns it."""
        across = (point[0] - self._left) / self._width
        up = (point[1] - self._bottom) / self._height
        from_top = {0: 1 - up, 90: across, 180: up, 270: 1 - across}.get(self._turned, 1 - up)
        return from_top < _TOP


def _operations(drawn: bytes, pdf: Any) -> Any:
    generic = pdf_library().generic
    stream = generic.DecodedStreamObject()
    stream.set_data(drawn)
    return generic.ContentStream(stream, pdf, "bytes").operations


class Images:
    """The images of a document. A page may draw one of them, or many names of it, thousands of times."""

    def __init__(self) -> None:
        self._pixels = 0
        self._seen: dict[int, tuple[bool, bool]] = {}  # by the number of the object

    def look_at(self, thing: Any) -> tuple[bool, bool]:
        """Whether an image shows anything, and whether that is like a signature; True, False: it cannot be read."""
        number = thing.indirect_reference.idnum
        if number not in self._seen:
            self._pixels += int(thing["/Width"]) * int(thing["/Height"])
            self._seen[number] = True, False
            if self._pixels <= picture.MOST_PIXELS:
                with suppress(Exception):
                    self._seen[number] = picture.look_at(thing.decode_as_image())
        return self._seen[number]

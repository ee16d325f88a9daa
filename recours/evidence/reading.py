"""The content that was read from a document of any type: rows of text, and what else is drawn."""

from dataclasses import dataclass
from functools import cached_property

MOST_TEXT = 100_000  # characters; a proof has one or two pages


@dataclass(frozen=True)
class Cell:
    """A text with its own position in a row. `at`: the left edge in points."""

    text: str
    at: float


Row = tuple[Cell, ...]


@dataclass(frozen=True)
class Reading:
    """The content of a document. `rows`: from top to bottom; None if the document cannot be decoded completely."""

    rows: tuple[Row, ...] | None = ()
    has_ink: bool = False  # something other than text is drawn
    has_picture: bool = (
        False  # a signature, a photograph or a page of print, which may show more than the text
    )
    is_print: bool = False  # the pictures show only print
    has_handwriting: bool = False  # some drawn lines go back and forth like a signature
    has_signature_image: bool = False  # one of the pictures shows a signature
    asks_for_password: bool = False  # the document is a web page with a password field

    @cached_property
    def text(self) -> str | None:
        if self.rows is None:
            return None
        return "\n".join(" ".join(cell.text for cell in row) for row in self.rows)[:MOST_TEXT]


@dataclass(frozen=True)
class Appearance:
    """What a picture looks like. Its text is not read."""

    has_ink: bool = False  # the picture has more than one color
    is_photograph: bool = False
    has_signature: bool = False
    has_print: bool = False

    @property
    def is_proof(self) -> bool:
        return self.is_photograph or self.has_signature or self.has_print


UNREADABLE = Reading(rows=None)

"""What can be read of a document, whatever its kind: rows of text, and traces of ink."""

from dataclasses import dataclass
from functools import cached_property

MOST_TEXT = 100_000  # characters: a proof is a page or two


@dataclass(frozen=True)
class Cell:
    """A piece of text that stands by itself in its row. `at`: where it begins, in points."""

    text: str
    at: float


Row = tuple[Cell, ...]


@dataclass(frozen=True)
class Reading:
    """What could be read of a document. `rows`: from the top down; None: it cannot be decoded completely."""

    rows: tuple[Row, ...] | None = ()
    has_ink: bool = False  # something other than text is drawn on it
    has_picture: bool = (
        False  # a signature, a photograph or a page of print: it may show what the text does not say
    )
    is_print: bool = False  # its pictures show nothing but print
    has_handwriting: bool = False  # lines that go to and fro like a signature are drawn on it
    has_signature_image: bool = False  # it has a picture of such lines
    asks_for_password: bool = False  # a web page with a field for a password

    @cached_property
    def text(self) -> str | None:
        if self.rows is None:
            return None
        return "\n".join(" ".join(cell.text for cell in row) for row in self.rows)[:MOST_TEXT]


@dataclass(frozen=True)
class Look:
    """What a picture looks like, of which no rule reads more."""

    has_ink: bool = False  # it is not all of one colour
    is_photograph: bool = False
    has_signature: bool = False
    has_print: bool = False

    @property
    def is_proof(self) -> bool:
        return self.is_photograph or self.has_signature or self.has_print


UNREADABLE = Reading(rows=None)

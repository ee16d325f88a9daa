"""What a generated document is, and what is true of it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from random import Random

from recours.core.evidence import EvidenceKind


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What a reader of the document's text finds; for a picture, what the page of paper showed."""

    number_shown: bool | None  # None: a picture, so no program without OCR can tell
    signatory: str | None = None
    has_signature: bool = False  # drawn or written by hand
    delivered: date | datetime | None = (
        None  # as printed: naive, in the zone of the place; a date if no time is given
    )
    place: str | None = None


@dataclass(frozen=True, kw_only=True)
class Document:
    """One file as a carrier's answer or a portal would give it for the parcel `number`.

    Good: it proves something about that parcel. Otherwise it is hollow: it proves nothing, whatever it is called.
    """

    name: str  # of the template and a count: "blank_pdf-3"
    content: bytes
    media_type: str
    carrier: str
    number: str  # the parcel that was asked about
    kind: EvidenceKind  # what the carrier calls it
    is_good: bool
    truth: Truth


@dataclass(frozen=True)
class Made:
    """What a template's function returns: a file with its truth."""

    content: bytes
    media_type: str
    truth: Truth
    kind: EvidenceKind = EvidenceKind.LETTER


@dataclass(frozen=True, kw_only=True)
class Parcel:
    """Invented facts that a template puts into its document."""

    carrier: str
    number: str
    other_number: str  # a different parcel of the same carrier
    signatory: str
    place: str
    postcode: str
    delivered: datetime  # naive: the clock at the place


@dataclass(frozen=True)
class Template:
    """One kind of document. `make` draws all chance from the Random, so the same seed gives the same file."""

    name: str
    carriers: tuple[str, ...]  # by turns, one for each document
    is_good: bool
    make: Callable[[Random, Parcel], Made]

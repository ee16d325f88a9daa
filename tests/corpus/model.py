"""A generated document and the facts in it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from random import Random

from recours.core.evidence import EvidenceKind


@dataclass(frozen=True, kw_only=True)
class Truth:
    """The facts that a reader finds in the document's text; for a picture, on the photographed paper."""

    number_shown: bool | None  # None: a picture, unreadable without OCR
    signatory: str | None = None
    has_signature: bool = False  # drawn or written by hand
    delivered: date | datetime | None = (
        None  # as printed: naive, in the place's zone; a date if no time is given
    )
    place: str | None = None


@dataclass(frozen=True, kw_only=True)
class Document:
    """One file about the parcel `number`, as from a carrier or a portal.

    Good: it proves something about the parcel. Hollow: it proves nothing, regardless of its name.
    """

    name: str  # the template and a count: "blank_pdf-3"
    content: bytes
    media_type: str
    carrier: str
    number: str  # the requested parcel
    kind: EvidenceKind  # the carrier's media type
    is_good: bool
    truth: Truth


@dataclass(frozen=True)
class Made:
    """The return value of a template's function: a file with its truth."""

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
    delivered: datetime  # naive: local time


@dataclass(frozen=True)
class Template:
    """One kind of document. `make` uses only this Random, so the same seed gives the same file."""

    name: str
    carriers: tuple[str, ...]  # alternating, one for each document
    is_good: bool
    make: Callable[[Random, Parcel], Made]

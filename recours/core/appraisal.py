"""What a piece of evidence shows, and whether it shows anything: the terms. The rules are in `recours.evidence.appraisal`."""

from enum import StrEnum
from typing import NamedTuple


class EvidenceKind(StrEnum):
    """What a piece of evidence is. The values are stored."""

    LETTER = "letter"  # the carrier's proof of delivery as a document: PDF, web page or scan
    SIGNATURE = "signature"  # an image of the signature alone
    PHOTO = "photo"  # of the parcel where it was left
    RECORD = "record"  # what the carrier's tracking says of the delivery, written down by recours


class Expected(NamedTuple):
    """Whose document it should be. `number`: upper case, without blanks."""

    carrier: str  # its key
    number: str  # "": not known
    kind: EvidenceKind = EvidenceKind.LETTER


class Findings(NamedTuple):
    """What can be read on a document itself, not what tracking says beside it. None: it does not tell, or cannot be read."""

    is_readable: bool = False  # False: a scan or an image, of which no text can be read
    number: bool | None = None  # whether the parcel's number is on it
    signatory: str | None = None  # a person's name, as printed
    has_signature: bool | None = None  # whether a signature is drawn on it; False: it says that there is none
    # As printed, made ISO: "2026-10-05" or "2026-10-05T10:31", in the place's local time.
    delivered: str | None = None
    place: str | None = None  # as printed


class Appraisal(NamedTuple):
    """`hollow`: why the document proves nothing, as a phrase to stand after "it is refused: "; None: it may prove something."""

    findings: Findings
    hollow: str | None = None

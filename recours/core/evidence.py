"""Pieces of evidence: what they show, why they are refused, and the manifests that name their files. The rules are in `recours.evidence`."""

import hashlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import PurePath
from typing import NamedTuple

from recours.core.translations import N_, RecordedPhrase


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


class DocumentFlaw(RecordedPhrase):
    """Why a file is refused as a document or as a proof: to stand after a colon."""

    TOO_SHORT = N_("it has only {size} bytes")
    NO_DOCUMENT = N_("it is neither PDF, PNG, JPEG, GIF nor TIFF")
    NEITHER_DOCUMENT_NOR_PAGE = N_("it is neither HTML, PDF, PNG, JPEG, GIF nor TIFF")
    CUT_OFF = N_("the image is cut off")
    BROKEN_PDF = N_("the PDF cannot be opened ({error})")
    EMPTY_PDF = N_("the PDF has no page")
    DAMAGED = N_("it cannot be decoded completely")
    LOGIN_PAGE = N_("it is a login page")
    BLANK = N_("it is blank")
    NO_PICTURE = N_("it shows no signature, no photo and no page of text")
    NOT_AVAILABLE = N_('it says that no proof is available ("{said}")')
    ERROR_PAGE = N_('it is an error page ("{said}")')
    OF_ANOTHER_CARRIER = N_("it is another carrier's ({carrier}), and the parcel's number is not on it")
    OF_ANOTHER_PARCEL = N_("it shows another parcel's number ({number})")
    SHOWS_NOTHING = N_("it shows neither the parcel's number nor a delivery")
    NO_DELIVERY = N_("it tells of no delivery")
    WITHOUT_NUMBER = N_("the parcel's number is not on it")
    TAKEN_BACK = N_("{by} took it back")
    LINK = N_("it is a symbolic link; name the file itself")
    NO_FILE = N_("it is no regular file")
    TOO_LARGE = N_("it is larger than {size} MB")
    UNREADABLE = N_("it cannot be read ({error})")


# ---------------------------------------------------------------- manifests
# The SHA-256 of each file that was stored, and of each manifest the SHA-256 of the one before: a text in the form that
# `sha256sum -c` reads, which anybody can verify without recours. See docs/evidence.md.

FOLDER = "manifests"  # in the folder of documents
NOTHING_BEFORE = "0" * 64  # what the first manifest names as the one before
PREVIOUS = "# previous "
ERASED = "# erased "
RECORD = "# record "
_LONGEST_NAME = 1000  # recours gives names of a third of that; rows of other software may have any


class Manifest(NamedTuple):
    """A manifest as the database has it. `name`: its path below the folder of documents, with `/` between the parts."""

    number: int
    name: str
    sha256: str

    @property
    def token_name(self) -> str:
        """Of its timestamp."""
        return f"{self.name.removesuffix('.txt')}.tsr"


def manifest_line(sha256: str, path: str, folder: PurePath) -> str:
    """A row's file as a manifest names it, below the folder. A path outside it stays as it is."""
    with suppress(ValueError):
        path = PurePath(path).relative_to(folder).as_posix()
    name = path[:_LONGEST_NAME].replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    # As sha256sum writes it: a backslash before the hash says that the name has escapes.
    mark = "\\" if "\\" in name else ""
    return f"{mark}{sha256[:64].replace(chr(10), ' ')}  {name}"


def record_line(line: str, values: Sequence[str | None]) -> str:
    """The line that reveals a changed row: the SHA-256 of the row's `values` and of the `line` of its file."""
    digest = hashlib.sha256(repr((line, *values)).encode(errors="backslashreplace")).hexdigest()
    return f"{RECORD}{digest}  {line.partition('  ')[2]}"


def digest_of(line: str) -> str:
    """The SHA-256 of a file that a line of a manifest names, also as erased."""
    return line.removeprefix(ERASED).removeprefix("\\")[:64]


def manifest_name(number: int, run_id: str, written_at: datetime) -> str:
    """`manifests/2026/02/000123-<run>.txt`."""
    return f"{FOLDER}/{written_at.astimezone(UTC):%Y/%m}/{number:06}-{run_id}.txt"


def manifest_text(number: int, run_id: str, written_at: datetime, previous: str, lines: Iterable[str]) -> str:
    """`run_id`: the run that writes it, or the command; `previous`: the SHA-256 of the manifest before."""
    head = (
        f"# recours manifest {number}",
        f"# run {run_id}",
        f"{PREVIOUS}{previous}",
        f"# written {written_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
    )
    return "".join(f"{line}\n" for line in (*head, *lines))

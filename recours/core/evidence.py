"""Evidence: what it shows, why it is rejected, and the manifests of its files. See also `recours.evidence`."""

import hashlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import PurePath
from typing import NamedTuple

from recours.core.translations import N_, RecordedPhrase


class EvidenceKind(StrEnum):
    """The kind of a piece of evidence. The values are stored."""

    LETTER = "letter"  # the carrier's proof of delivery as a document: PDF, web page or scan
    SIGNATURE = "signature"  # an image of the signature alone
    PHOTO = "photo"  # of the parcel where it was left
    RECORD = "record"  # tracking data about the delivery, in a file that recours wrote


class Expected(NamedTuple):
    """The parcel that a document should show. `number`: upper case, without spaces."""

    carrier: str  # the carrier's key
    number: str  # "": unknown
    kind: EvidenceKind = EvidenceKind.LETTER


class Findings(NamedTuple):
    """The facts that the document itself shows, without tracking. None: not on the document, or unreadable."""

    is_readable: bool = False  # False: a scan or an image without readable text
    number: bool | None = None  # whether the tracking number is on it
    signatory: str | None = None  # a person's name, as printed
    has_signature: bool | None = None  # whether it has a drawn signature; False: it states that nobody signed
    # As printed, converted to ISO: "2026-10-05" or "2026-10-05T10:31", in local time.
    delivered: str | None = None
    place: str | None = None  # as printed


class Appraisal(NamedTuple):
    """The result of examining a document. `hollow`: why it proves nothing, as a phrase; None: it was not rejected."""

    findings: Findings
    hollow: str | None = None


class DocumentFlaw(RecordedPhrase):
    """Reasons to reject a file as a document or as a proof. They are phrases that follow a colon in messages."""

    TOO_SHORT = N_("it has only {size} bytes")
    NO_DOCUMENT = N_("it is not a PDF, PNG, JPEG, GIF or TIFF file")
    NEITHER_DOCUMENT_NOR_PAGE = N_("it is not an HTML, PDF, PNG, JPEG, GIF or TIFF file")
    CUT_OFF = N_("the image is incomplete")
    BROKEN_PDF = N_("the PDF cannot be opened ({error})")
    EMPTY_PDF = N_("the PDF has no pages")
    DAMAGED = N_("it cannot be decoded completely")
    LOGIN_PAGE = N_("it is a login page")
    BLANK = N_("it is blank")
    NO_PICTURE = N_("it shows no signature, photo or page of text")
    NOT_AVAILABLE = N_('it says that no proof is available ("{said}")')
    ERROR_PAGE = N_('it is an error page ("{said}")')
    OF_ANOTHER_CARRIER = N_("it is from another carrier ({carrier}), and the tracking number is not on it")
    OF_ANOTHER_PARCEL = N_("it shows another parcel's number ({number})")
    SHOWS_NOTHING = N_("it shows neither the tracking number nor a delivery")
    NO_DELIVERY = N_("it shows no delivery")
    WITHOUT_NUMBER = N_("the tracking number is not on it")
    TAKEN_BACK = N_("{by} took it back")
    LINK = N_("it is a symbolic link; name the file itself")
    NO_FILE = N_("it is not a regular file")
    TOO_LARGE = N_("it is larger than {size} MB")
    UNREADABLE = N_("it cannot be read ({error})")


# ---------------------------------------------------------------- manifests
# A manifest lists the SHA-256 of stored files and of the previous manifest in the format of `sha256sum -c`, so that
# anyone can verify the files without recours. See docs/evidence.md.

FOLDER = "manifests"  # in the folder of documents
NOTHING_BEFORE = "0" * 64  # stands for the previous manifest's SHA-256 in the first manifest
PREVIOUS = "# previous "
ERASED = "# erased "
RECORD = "# record "
_LONGEST_NAME = 1000  # three times the length of recours's names; other software may write longer names


class Manifest(NamedTuple):
    """A manifest in the database. `name`: its path below the folder of documents, with `/` as the separator."""

    number: int
    name: str
    sha256: str

    @property
    def token_name(self) -> str:
        """The name of the file that contains the manifest's timestamp."""
        return f"{self.name.removesuffix('.txt')}.tsr"


def manifest_line(sha256: str, path: str, folder: PurePath) -> str:
    """Return the manifest line for a file, with its path relative to the folder if the file is inside the folder."""
    with suppress(ValueError):
        path = PurePath(path).relative_to(folder).as_posix()
    name = path[:_LONGEST_NAME].replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    # As in sha256sum: a backslash before the hash means that the name contains escapes.
    mark = "\\" if "\\" in name else ""
    return f"{mark}{sha256[:64].replace(chr(10), ' ')}  {name}"


def record_line(line: str, values: Sequence[str | None]) -> str:
    """Return the line that reveals later changes to a row: a SHA-256 over the row's `values` and its file's `line`."""
    digest = hashlib.sha256(repr((line, *values)).encode(errors="backslashreplace")).hexdigest()
    return f"{RECORD}{digest}  {line.partition('  ')[2]}"


def digest_of(line: str) -> str:
    """Return the SHA-256 in a manifest line, which may be the line of an erased file."""
    return line.removeprefix(ERASED).removeprefix("\\")[:64]


def manifest_name(number: int, run_id: str, written_at: datetime) -> str:
    """Return a name such as `manifests/2026/02/000123-<run>.txt`."""
    return f"{FOLDER}/{written_at.astimezone(UTC):%Y/%m}/{number:06}-{run_id}.txt"


def manifest_text(number: int, run_id: str, written_at: datetime, previous: str, lines: Iterable[str]) -> str:
    """Return the manifest's text. `run_id`: the run or command; `previous`: the SHA-256 of the previous manifest."""
    head = (
        f"# recours manifest {number}",
        f"# run {run_id}",
        f"{PREVIOUS}{previous}",
        f"# written {written_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
    )
    return "".join(f"{line}\n" for line in (*head, *lines))

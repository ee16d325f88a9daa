"""Serves documents of claims: reads only files in the POD folder, and sends them without active content."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from pathlib import Path, PurePath
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.status import HTTP_404_NOT_FOUND, HTTP_422_UNPROCESSABLE_CONTENT

from recours.admin.dossier import file_name
from recours.admin.results import RecoursError
from recours.core.evidence import EvidenceKind
from recours.core.outcome import NotADocumentError, RecordedEvidence
from recours.core.text import clean
from recours.dashboard.visit import Visit, actions_of, number_in
from recours.evidence.kinds import SUFFIXES
from recours.evidence.pdf_process import NotDrawnError, count_pages, draw_page, media_type_of
from recours.evidence.store import is_inside
from recours.host.files import exists, read_regular
from recours.reporting.records import ListedClaim

MOST_PAGES = 30  # pages of a PDF that are shown; a proof of delivery has one or two
LARGEST = 20 * 1024 * 1024  # bytes: larger documents are refused, from carriers and people alike
_LONGEST_TEXT = 100_000  # bytes shown of a tracking record, which usually has a few hundred

# For any content of a document: no scripts, no loading, no forms, no navigation. Documents keep our origin so that
# page.js can measure their height. This is safe, because their own scripts do not run.
POLICY = (
    "sandbox allow-same-origin; default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)


class Absent(StrEnum):
    """Why no document is shown; the texts are in `recours.dashboard.texts`."""

    ELSEWHERE = "pod_elsewhere"
    MISSING = "pod_missing"
    UNREADABLE = "pod_unreadable"
    UNKNOWN = "pod_gone"
    TOO_LARGE = "pod_too_large"
    NO_DOCUMENT = "pod_no_document"


@dataclass(frozen=True)
class Document:
    """A document of a claim. `is_changed`: its digest differs from the recorded one."""

    name: str
    media_type: str
    content: bytes
    is_changed: bool = False

    @property
    def pages(self) -> int:
        """The number of pages of a PDF."""
        return count_pages(self.content)

    @property
    def text(self) -> str:
        """The content of a tracking record, one fact per line."""
        text = self.content[:_LONGEST_TEXT].decode("utf-8", "replace")
        try:
            return json.dumps(json.loads(text), ensure_ascii=False, indent=2)
        except (ValueError, RecursionError):
            return text


@dataclass(frozen=True)
class NoDocument:
    why: Absent
    detail: str = ""


def find_document(
    listed: ListedClaim, pieces: Sequence[RecordedEvidence], digest: str, folder: Path
) -> Document | NoDocument:
    """The piece of evidence with this digest; "" selects the claim's POD."""
    path = listed.pod_url
    if digest:
        path = next((piece.path for piece in pieces if piece.sha256 == digest), None)
    if not path:
        return NoDocument(Absent.UNKNOWN)
    return read_document(path, folder, next((piece for piece in pieces if piece.path == path), None))


def read_document(
    path_text: str, folder: Path, piece: RecordedEvidence | None = None
) -> Document | NoDocument:
    """The document at this path, if it is in the folder. `piece`: its record."""
    if not is_inside(folder, path_text):
        return NoDocument(Absent.ELSEWHERE, path_text)
    path = Path(path_text)
    try:
        real = path.resolve()
        if not (exists(real) and real.is_file()):
            return NoDocument(Absent.MISSING, path.name)
        content = read_regular(real, LARGEST + 1)
    except OSError as error:
        return NoDocument(Absent.UNREADABLE, getattr(error, "strerror", None) or type(error).__name__)
    if len(content) > LARGEST:
        return NoDocument(Absent.TOO_LARGE)
    is_changed = piece is not None and sha256(content).hexdigest() != piece.sha256
    try:
        if piece and piece.kind is EvidenceKind.RECORD:
            kind = "text/plain"
        else:
            kind = media_type_of(content, html=real.suffix == ".html")
    except NotADocumentError as finding:
        return NoDocument(Absent.NO_DOCUMENT, str(finding))
    return Document(real.name, kind, content, is_changed)


PICTURES = ("image/png", "image/jpeg", "image/gif")
_SHOWN = (*PICTURES, "text/html")
# X-Frame-Options is for browsers that do not support frame-ancestors.
_HEADERS = {"Content-Security-Policy": POLICY, "X-Frame-Options": "SAMEORIGIN"}


def show(visit: Visit) -> Response:
    """Send a document as a download, inline (`shown`), or as an image of one page of a PDF (`page`)."""
    listed = visit.reports.records.find(visit.query.get("claim", ""))
    if listed is None:
        raise HTTPException(HTTP_404_NOT_FOUND)
    pieces = visit.reports.records.evidence(listed.claim.id)
    document = find_document(listed, pieces, visit.query.get("piece", ""), visit.settings.pod_dir)
    if isinstance(document, NoDocument):
        raise HTTPException(HTTP_404_NOT_FOUND)
    if number := visit.query.get("page"):
        return _page(document.content, number)
    is_shown = "shown" in visit.query and document.media_type in _SHOWN
    place = "inline" if is_shown else f"attachment; filename*=UTF-8''{quote(_name(document), safe='')}"
    return Response(
        document.content, headers={**_HEADERS, "Content-Disposition": place}, media_type=document.media_type
    )


def show_dossier(visit: Visit) -> Response:
    """Send the dossier of a claim as a download."""
    reference = visit.query.get("claim", "")
    try:
        content = actions_of(visit).dossier(reference, visit.texts.language)
    except RecoursError as error:
        raise HTTPException(HTTP_422_UNPROCESSABLE_CONTENT, str(error)) from error
    headers = {**_HEADERS, "Content-Disposition": f'attachment; filename="{file_name(reference)}"'}
    return Response(content, headers=headers, media_type="application/zip")


def _name(document: Document) -> str:
    """The file name of a download, with the suffix of its real type, because other software may have named the file."""
    name = clean(document.name, 200)
    suffix = SUFFIXES.get(document.media_type)
    return f"{PurePath(name).stem}{suffix}" if suffix else name


def _page(content: bytes, page: str) -> Response:
    number = number_in(page, MOST_PAGES)
    if number is None:
        raise HTTPException(HTTP_404_NOT_FOUND)
    try:
        drawn = draw_page(content, number)
    except NotDrawnError:
        # The page then shows a message in place of the image.
        return Response(status_code=HTTP_422_UNPROCESSABLE_CONTENT)
    return Response(drawn, headers=_HEADERS, media_type="image/png")

"""A claim's document, read for the page: only from the folder of the documents, and only if it is one."""

from dataclasses import dataclass
from enum import StrEnum
from html import escape
from pathlib import Path

from recours.documents.evidence import media_type_of
from recours.runs.ports import NotADocumentError

LARGEST = 20_000_000  # bytes: no larger answer is taken from a carrier either

# In force for the frame and whatever stands in it: nothing is loaded, and it leads nowhere.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; frame-src 'none'"


class Absent(StrEnum):
    """Why there is nothing to show; each is the key of a text."""

    ELSEWHERE = "pod_elsewhere"
    MISSING = "pod_missing"
    UNREADABLE = "pod_unreadable"
    TOO_LARGE = "pod_too_large"
    NO_DOCUMENT = "pod_no_document"


@dataclass(frozen=True)
class Document:
    """A document that may be shown."""

    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True)
class NoDocument:
    """Why there is none."""

    why: Absent
    detail: str = ""


def read_document(pod_url: str, folder: Path) -> Document | NoDocument:
    """The document that a claim points to.

    Other software writes `pod_url` too: what does not lie in the folder of the documents, links followed, is not opened.
    """
    try:
        path = Path(pod_url)
        real = path.resolve(strict=False)
        if not (path.is_absolute() and real.is_relative_to(folder.resolve())):
            return NoDocument(Absent.ELSEWHERE, pod_url)
        if not real.is_file():
            return NoDocument(Absent.MISSING, path.name)
        if real.stat().st_size > LARGEST:
            return NoDocument(Absent.TOO_LARGE)
        content = real.read_bytes()
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links; a name that cannot be one
        return NoDocument(Absent.UNREADABLE, getattr(error, "strerror", None) or type(error).__name__)
    try:
        return Document(real.name, media_type_of(content, html=real.suffix == ".html"), content)
    except NotADocumentError as finding:
        return NoDocument(Absent.NO_DOCUMENT, str(finding))


def sandboxed(page: bytes, height: int) -> str:
    """HTML that shows a foreign page in a frame without scripts, forms, network or any right of ours."""
    shown = escape(page.decode("utf-8", "replace"), quote=True)
    return (
        f'<!doctype html><meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        "<style>body{margin:0}</style>"
        f'<iframe sandbox="" referrerpolicy="no-referrer" title="POD" srcdoc="{shown}" '
        f'style="width:100%;height:{height}px;border:0;background:#fff"></iframe>'
    )

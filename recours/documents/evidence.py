"""Whether bytes are a document that can win a dispute, and of which kind."""

import io
import logging
import re
from functools import cache
from typing import Any

from recours.runs.ports import NotADocument

_HEAD = 4096  # bytes: what of a page is looked at
_SMALLEST = 64  # bytes: no document of any kind is smaller

_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
)
_PAGE_START = re.compile(
    rb"(\xef\xbb\xbf)?\s*(<!doctype\s+html|<html|<!--.*?-->\s*<html)[\s>]", re.IGNORECASE | re.DOTALL
)

# How a complete image ends: one that was cut off shows half a signature.
_ENDINGS = {"image/png": b"IEND\xaeB`\x82", "image/jpeg": b"\xff\xd9"}

SUFFIXES = {
    "application/pdf": ".pdf",
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/tiff": ".tif",
    "text/html": ".html",
}


def media_type_of(content: bytes, *, html: bool = False) -> str:
    """The kind of document that the bytes are; `html`: a web page is one too.

    Raises NotADocument with a phrase that says why they are none.
    """
    if len(content) < _SMALLEST:
        raise NotADocument(f"it has only {len(content)} bytes")
    if html and _PAGE_START.match(content[:_HEAD]):
        return "text/html"
    found = next((kind for start, kind in _SIGNATURES if content.startswith(start)), None)
    if found is None:
        kinds = "HTML, PDF, PNG, JPEG nor TIFF" if html else "PDF, PNG, JPEG nor TIFF"
        raise NotADocument(f"it is neither {kinds}")
    ending = _ENDINGS.get(found)
    if ending and ending not in content[-1024:]:
        raise NotADocument("the image is cut off")
    if found == "application/pdf":
        _open_pdf(content)
    return found


@cache
def _pdf_library() -> Any:
    import pypdf  # noqa: PLC0415 (imported when the first document comes)

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # what it says of a damaged file, our sentence says
    return pypdf


def _open_pdf(content: bytes) -> None:
    """Raises NotADocument. One that is encrypted as this machine has no library for counts: a person can open it."""
    pypdf = _pdf_library()
    try:
        pages = len(pypdf.PdfReader(io.BytesIO(content)).pages)
    except pypdf.errors.DependencyError:
        return
    except Exception as error:
        raise NotADocument(f"the PDF cannot be opened ({type(error).__name__})") from error
    if pages == 0:
        raise NotADocument("the PDF has no page")

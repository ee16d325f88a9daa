"""Detects the type of a document."""

from recours.core.evidence import DocumentFlaw
from recours.core.outcome import NotADocumentError, begins_as

_SMALLEST = 64  # bytes; a document of any type is larger

# The last bytes of a complete image. A truncated image could show half a signature, so it is rejected.
_ENDINGS = {"image/png": b"IEND\xaeB`\x82", "image/jpeg": b"\xff\xd9", "image/gif": b"\x00;"}

SUFFIXES = {
    "application/pdf": ".pdf",
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/gif": ".gif",
    "image/tiff": ".tif",
    "text/html": ".html",
}


def kind_of(content: bytes, *, html: bool = False) -> str:
    """Detect the media type of a document from its bytes alone. `html`: a web page counts as a document.

    Raises NotADocumentError with a phrase that says why the bytes are not a document.
    """
    if len(content) < _SMALLEST:
        raise NotADocumentError(DocumentFlaw.TOO_SHORT.text(size=len(content)))
    kind = begins_as(content, html=html)
    if kind is None:
        flaw = DocumentFlaw.NEITHER_DOCUMENT_NOR_PAGE if html else DocumentFlaw.NO_DOCUMENT
        raise NotADocumentError(flaw.text())
    ending = _ENDINGS.get(kind)
    if ending and ending not in content[-1024:]:
        raise NotADocumentError(DocumentFlaw.CUT_OFF.text())
    return kind

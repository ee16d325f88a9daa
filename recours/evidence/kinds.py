"""Which kind of document bytes are, if they are any."""

from recours.core.evidence import DocumentFlaw
from recours.core.outcome import NotADocumentError, begins_as

_SMALLEST = 64  # bytes: no document of any kind is smaller

# How a complete image ends: one that was cut off shows half a signature.
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
    """The kind of document that the bytes look like, found out at once; `html`: a web page is one too.

    Raises NotADocumentError with a phrase that says why they are none.
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

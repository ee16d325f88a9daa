"""Whether bytes are a document that can win a dispute, and of which kind."""

import io

from recours.core.document import begins_as
from recours.core.evidence import why_hollow
from recours.documents.reading import pdf_library, read
from recours.runs.ports import NotADocumentError

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

    Raises NotADocument with a phrase that says why they are none.
    """
    if len(content) < _SMALLEST:
        raise NotADocumentError(f"it has only {len(content)} bytes")
    found = begins_as(content, html=html)
    if found is None:
        kinds = "HTML, PDF, PNG, JPEG, GIF nor TIFF" if html else "PDF, PNG, JPEG, GIF nor TIFF"
        raise NotADocumentError(f"it is neither {kinds}")
    ending = _ENDINGS.get(found)
    if ending and ending not in content[-1024:]:
        raise NotADocumentError("the image is cut off")
    return found


def media_type_of(content: bytes, *, html: bool = False) -> str:
    """The kind of document that the bytes are, opened where that can fail. Raises NotADocument."""
    found = kind_of(content, html=html)
    if found == "application/pdf":
        _open_pdf(content)
    return found


def appraise(content: bytes, media_type: str) -> None:
    """See that a document opens and shows something. Raises NotADocument with a phrase that says what it is instead."""
    if media_type == "application/pdf":
        _open_pdf(content)
    if why := why_hollow(read(content, media_type)):
        raise NotADocumentError(why)


def _open_pdf(content: bytes) -> None:
    """Raises NotADocument. One that is encrypted as this machine has no library for counts: a person can open it."""
    pypdf = pdf_library()
    try:
        pages = len(pypdf.PdfReader(io.BytesIO(content)).pages)
    except pypdf.errors.DependencyError:
        return
    except (MemoryError, ImportError):  # the machine's fault, or the installation's, not the file's
        raise
    except Exception as error:
        raise NotADocumentError(f"the PDF cannot be opened ({type(error).__name__})") from error
    if pages == 0:
        raise NotADocumentError("the PDF has no page")

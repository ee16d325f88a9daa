"""Opens PDFs. pypdf is imported when the first one comes."""

import io
import logging
import sys
from functools import cache
from threading import Lock
from typing import Any

from recours.core.document_flaws import DocumentFlaw, flaw_text
from recours.core.outcome import NotADocumentError

_loading = Lock()


@cache
def pdf_library() -> Any:
    """The package pypdf. Raises ImportError for whatever keeps it from being loaded, such as too little memory."""
    with _loading:
        try:
            import pypdf  # noqa: PLC0415 (imported when the first PDF comes)
        except Exception as error:
            # What was loaded of it stays behind, and the next import would take that for the whole.
            for name in [name for name in sys.modules if name.partition(".")[0] == "pypdf"]:
                del sys.modules[name]
            raise ImportError(f"pypdf cannot be loaded ({type(error).__name__}: {error})") from error
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # what it says of a damaged file, our sentence says
    return pypdf


def open_pdf(content: bytes) -> Any:
    """The reader of pypdf; None for one that is encrypted as this machine has no library for: it counts, a person can open it.

    Raises NotADocumentError.
    """
    pypdf = pdf_library()
    try:
        reader = pypdf.PdfReader(io.BytesIO(content))
        pages = len(reader.pages)
    except pypdf.errors.DependencyError:
        return None
    except (MemoryError, ImportError):  # the machine's fault, or the installation's, not the file's
        raise
    except Exception as error:
        raise NotADocumentError(flaw_text(DocumentFlaw.BROKEN_PDF, error=type(error).__name__)) from error
    if pages == 0:
        raise NotADocumentError(flaw_text(DocumentFlaw.EMPTY_PDF))
    return reader

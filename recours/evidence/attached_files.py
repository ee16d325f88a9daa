"""Files that a person attaches. They are untrusted, so only regular files are read, and each is appraised first."""

import stat
from pathlib import Path

from recours.core.evidence import Appraisal, DocumentFlaw, Expected
from recours.core.outcome import NotADocumentError
from recours.evidence.appraisal import appraise
from recours.evidence.kinds import kind_of
from recours.host.files import read_regular

LARGEST_MB = 20  # the same limit as for a carrier's answer
_LARGEST = LARGEST_MB * 1024 * 1024


def read_file(path: Path) -> bytes:
    """Return the content of a regular file. Raises NotADocumentError with a phrase that says why it is rejected."""
    try:
        if path.is_symlink():
            raise NotADocumentError(DocumentFlaw.LINK.text())
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):
            raise NotADocumentError(DocumentFlaw.NO_FILE.text())
        if facts.st_size > _LARGEST:
            raise NotADocumentError(DocumentFlaw.TOO_LARGE.text(size=LARGEST_MB))
        return read_regular(path, _LARGEST)
    except (OSError, ValueError) as error:  # an invalid name
        reason = getattr(error, "strerror", None) or str(error)
        raise NotADocumentError(DocumentFlaw.UNREADABLE.text(error=reason)) from error


def appraise_file(content: bytes, expected: Expected) -> Appraisal:
    """Appraise a file. Raises NotADocumentError if it is not a document."""
    return appraise(content, kind_of(content, html=True), expected)

"""A file that a person attaches: read with care, since anybody may have made it, and appraised before it is stored."""

import stat
from pathlib import Path

from recours.core.evidence import Appraisal, DocumentFlaw, Expected
from recours.core.outcome import NotADocumentError
from recours.evidence.appraisal import appraise
from recours.evidence.kinds import kind_of
from recours.host.files import read_regular

LARGEST_MB = 20  # as much as a carrier may send
_LARGEST = LARGEST_MB * 1024 * 1024


def read_file(path: Path) -> bytes:
    """The content of a regular file. Raises NotADocumentError with a phrase that says why it cannot be taken."""
    try:
        if path.is_symlink():
            raise NotADocumentError(DocumentFlaw.LINK.text())
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):
            raise NotADocumentError(DocumentFlaw.NO_FILE.text())
        if facts.st_size > _LARGEST:
            raise NotADocumentError(DocumentFlaw.TOO_LARGE.text(size=LARGEST_MB))
        return read_regular(path, _LARGEST)
    except (OSError, ValueError) as error:  # a name that cannot be one
        reason = getattr(error, "strerror", None) or str(error)
        raise NotADocumentError(DocumentFlaw.UNREADABLE.text(error=reason)) from error


def appraise_file(content: bytes, expected: Expected) -> Appraisal:
    """What a file shows, and whether it shows anything. Raises NotADocumentError if it is no document."""
    return appraise(content, kind_of(content, html=True), expected)

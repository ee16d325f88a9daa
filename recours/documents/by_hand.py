"""A file that a person attaches: read with care, since anybody may have made it, and appraised before it is stored."""

import os
import stat
from pathlib import Path

from recours.core.appraisal import Appraisal, Expected
from recours.core.outcome import NotADocumentError
from recours.core.recorded_phrases import DocumentFlaw
from recours.documents.appraisal import appraise
from recours.documents.kinds import kind_of

LARGEST_MB = 20  # as much as a carrier may send
_LARGEST = LARGEST_MB * 1024 * 1024


def read_file(path: Path) -> bytes:
    """The content of a regular file. Raises NotADocumentError with a phrase that says why it cannot be taken."""
    try:
        if path.is_symlink():
            raise NotADocumentError(DocumentFlaw.LINK.text())
        with open(path, "rb", opener=_open) as file:
            before = os.fstat(file.fileno())
            if not stat.S_ISREG(before.st_mode):
                raise NotADocumentError(DocumentFlaw.NO_FILE.text())
            if before.st_size > _LARGEST:
                raise NotADocumentError(DocumentFlaw.TOO_LARGE.text(size=LARGEST_MB))
            content = file.read(before.st_size + 1)  # that byte shows that it grew
            after = os.fstat(file.fileno())
    except (OSError, ValueError) as error:  # a name that cannot be one
        reason = getattr(error, "strerror", None) or str(error)
        raise NotADocumentError(DocumentFlaw.UNREADABLE.text(error=reason)) from error
    as_before = before.st_size, before.st_mtime_ns
    if as_before != (after.st_size, after.st_mtime_ns) or len(content) != before.st_size:
        raise NotADocumentError(DocumentFlaw.CHANGING.text())
    return content


def _open(path: str, flags: int) -> int:
    """Without waiting for a pipe's writer, and without following a link; where the system knows of that."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0))


def appraise_file(content: bytes, expected: Expected) -> Appraisal:
    """What a file shows, and whether it shows anything. Raises NotADocumentError if it is no document."""
    return appraise(content, kind_of(content, html=True), expected)

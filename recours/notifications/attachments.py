"""The proofs that a mail to a client brings along, where it has no link to the claim."""

import logging
import re
from collections.abc import Callable, Iterable
from pathlib import PurePath

from recours.core.outcome import NotADocumentError
from recours.core.text import clean

log = logging.getLogger("email_sender")

LARGEST = 2_000_000  # bytes, of all files of a mail
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def attach(paths: Iterable[str], read: Callable[[str], bytes]) -> dict[str, bytes]:
    """The files that fit, by their names. One that cannot be read is left out, and the log says so."""
    files: dict[str, bytes] = {}
    for path in paths:
        try:
            content = read(path)
        except NotADocumentError as why:
            log.warning(f"{clean(path)} is not attached: {why}")
            continue
        if sum(map(len, files.values())) + len(content) <= LARGEST:
            files[_UNSAFE.sub("-", PurePath(path).name)[-150:]] = content
        else:
            log.warning(f"{clean(path)} is not attached: the mail would be too large")
    return files

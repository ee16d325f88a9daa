"""The secrets that tests use, and a search for them in all output. See `tests.searched`.

Every secret contains `MARK`, which no escaping changes. One search therefore finds all secrets, whether plain, in JSON,
a URL, base64 (also of `user:password`), hexadecimal or UTF-16. Files that may contain secrets are excluded by name.
"""

import base64
import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.postgres import programs

# Built at run time, so that copies of this checkout and their bytecode do not contain the mark.
MARK = "secretXk7".swapcase()
PASSWORD = f"{MARK}-of-the-sandbox"  # the password of the sandbox's only account
# Files that may contain secrets, besides `*.secret` and files in a folder `credentials`.
_HOLDERS = {".env", "secrets.toml"}
_AT_ONCE = 16 * 2**20
_DUMP = b"PGDMP"  # the first bytes of a pg_dump file


def _forms() -> list[bytes]:
    """The encoded forms of the mark. In base64, this is the part that does not depend on the surrounding text."""
    mark = MARK.encode()
    in_base64 = [
        base64.b64encode(bytes(before) + mark)[(before * 8 + 5) // 6 : (before + len(mark)) * 8 // 6]
        for before in range(3)
    ]
    tokens = [f"sandbox-{carrier}-".encode() for carrier in ("amazon_shipping", "fedex", "gls", "ups")]
    return [
        mark,
        *in_base64,
        mark.hex().encode(),
        mark.hex().upper().encode(),
        MARK.encode("utf-16-le"),
        *tokens,
    ]


FORMS = _forms()
_LONGEST = max(map(len, FORMS))
found: list[str] = []  # places outside the tests' folders that contain a secret


def is_in(content: bytes) -> bool:
    return any(form in content for form in FORMS)


def check_output(what: str, *printed: bytes) -> None:
    """Search the output of a process. A match makes the session fail at its end, like a match in a file."""
    if any(map(is_in, printed)):
        found.append(f"the output of {what}")


def search(folder: Path) -> None:
    """Search the files of a folder that is about to be removed."""
    found.extend(leaks_in(folder))


def leaks_in(folder: Path) -> Iterator[str]:
    """The files below this folder that contain a secret although they must not."""
    for path in folder.rglob("*"):
        if path.is_symlink() or not path.is_file() or _is_holder(path):
            continue
        try:
            found = _holds(path)
        except OSError:  # the file was deleted in the meantime, or belongs to another user's process
            continue
        if found:
            yield str(path)


def _is_holder(path: Path) -> bool:
    return path.name in _HOLDERS or path.suffix == ".secret" or path.parent.name == "credentials"


def _holds(path: Path) -> bool:
    with path.open("rb") as file:
        before = b""
        for part in _parts(file.fileno()):
            if is_in(before + part):
                return True
            before = part[-_LONGEST:]
            if part.startswith(_DUMP):  # the content is compressed
                unpack = [str(programs("pg_restore")), "--file=-", str(path)]
                return is_in(subprocess.run(unpack, capture_output=True, check=False).stdout)
    return False


def _parts(file: int) -> Iterator[bytes]:
    """The parts of a file without its holes, because a sparse file may have an apparent size of terabytes."""
    try:
        while part := os.pread(file, _AT_ONCE, os.lseek(file, 0, os.SEEK_CUR)):
            yield part
            os.lseek(file, os.lseek(file, len(part), os.SEEK_CUR), os.SEEK_DATA)
    except OSError as error:
        if error.errno != errno.ENXIO:  # no more data: the end of the file, or a hole up to the end
            raise

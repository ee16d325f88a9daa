"""The secrets that the tests work with, and the search for them in all that is written: see `tests.searched`.

Every secret of the tests holds `MARK`, which no escape changes, so one search finds all of them: plain, in JSON, in a URL,
in base64 (of `user:password` too), in hexadecimal, in UTF-16. Files that are there to hold secrets are left out by name.
"""

import base64
import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.postgres import programs

# Made when it runs: a copy of this checkout, or what is compiled of it, must not hold it.
MARK = "secretXk7".swapcase()
PASSWORD = f"{MARK}-of-the-sandbox"  # of the sandbox's one account
# Whose purpose is to hold secrets, with `*.secret`, and what is in a folder `credentials`.
_HOLDERS = {".env", "secrets.toml"}
_AT_ONCE = 16 * 2**20
_DUMP = b"PGDMP"  # how a file of pg_dump begins


def _forms() -> list[bytes]:
    """How the mark shows: in base64, what is the same whatever stands around it."""
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
found: list[str] = []  # where one was, outside the tests' folders


def is_in(content: bytes) -> bool:
    return any(form in content for form in FORMS)


def check_output(what: str, *printed: bytes) -> None:
    """Search what a process printed; a find fails the session at its end, and so does one in a file."""
    if any(map(is_in, printed)):
        found.append(f"the output of {what}")


def search(folder: Path) -> None:
    """The same of files that are about to be removed."""
    found.extend(leaks_in(folder))


def leaks_in(folder: Path) -> Iterator[str]:
    """The files below this folder that hold a secret, and are not there for it."""
    for path in folder.rglob("*"):
        if path.is_symlink() or not path.is_file() or _is_holder(path):
            continue
        try:
            found = _holds(path)
        except OSError:  # it went meanwhile, or another user's process guards it
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
            if part.startswith(_DUMP):  # what it holds is packed
                unpack = [str(programs("pg_restore")), "--file=-", str(path)]
                return is_in(subprocess.run(unpack, capture_output=True, check=False).stdout)
    return False


def _parts(file: int) -> Iterator[bytes]:
    """A file without its holes: some pretend to have terabytes."""
    try:
        while part := os.pread(file, _AT_ONCE, os.lseek(file, 0, os.SEEK_CUR)):
            yield part
            os.lseek(file, os.lseek(file, len(part), os.SEEK_CUR), os.SEEK_DATA)
    except OSError as error:
        if error.errno != errno.ENXIO:  # the end, or nothing but a hole up to there
            raise

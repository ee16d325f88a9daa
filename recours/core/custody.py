"""Manifests: the SHA-256 of each file that was stored, and of each manifest the SHA-256 of the one before.

A manifest is a text in the form that `sha256sum -c` reads: anybody can verify it without recours, see docs/evidence.md.
"""

import hashlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import PurePath
from typing import NamedTuple

FOLDER = "manifests"  # in the folder of documents
NOTHING_BEFORE = "0" * 64  # what the first manifest names as the one before
PREVIOUS = "# previous "
ERASED = "# erased "
RECORD = "# record "
_LONGEST_NAME = 1000  # recours gives names of a third of that; rows of other software may have any


class Manifest(NamedTuple):
    """A manifest as the database has it. `name`: its path below the folder of documents, with `/` between the parts."""

    number: int
    name: str
    sha256: str

    @property
    def token_name(self) -> str:
        """Of its timestamp."""
        return f"{self.name.removesuffix('.txt')}.tsr"


def manifest_line(sha256: str, path: str, folder: PurePath) -> str:
    """A row's file as a manifest names it, below the folder. A path outside it stays as it is."""
    with suppress(ValueError):
        path = PurePath(path).relative_to(folder).as_posix()
    name = path[:_LONGEST_NAME].replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    # As sha256sum writes it: a backslash before the hash says that the name has escapes.
    mark = "\\" if "\\" in name else ""
    return f"{mark}{sha256[:64].replace(chr(10), ' ')}  {name}"


def record_line(line: str, values: Sequence[str | None]) -> str:
    """The line that reveals a changed row: the SHA-256 of the row's `values` and of the `line` of its file."""
    digest = hashlib.sha256(repr((line, *values)).encode(errors="backslashreplace")).hexdigest()
    return f"{RECORD}{digest}  {line.partition('  ')[2]}"


def digest_of(line: str) -> str:
    """The SHA-256 of a file that a line of a manifest names, also as erased."""
    return line.removeprefix(ERASED).removeprefix("\\")[:64]


def manifest_name(number: int, run_id: str, written_at: datetime) -> str:
    """`manifests/2026/02/000123-<run>.txt`."""
    return f"{FOLDER}/{written_at.astimezone(UTC):%Y/%m}/{number:06}-{run_id}.txt"


def manifest_text(number: int, run_id: str, written_at: datetime, previous: str, lines: Iterable[str]) -> str:
    """`run_id`: the run that writes it, or the command; `previous`: the SHA-256 of the manifest before."""
    head = (
        f"# recours manifest {number}",
        f"# run {run_id}",
        f"{PREVIOUS}{previous}",
        f"# written {written_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
    )
    return "".join(f"{line}\n" for line in (*head, *lines))

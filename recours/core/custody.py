"""Manifests: the SHA-256 of each file that was stored, and of each manifest the SHA-256 of the one before.

A manifest is a text in the form that `sha256sum -c` reads: anybody can verify it without recours, see docs/evidence.md.
"""

import re
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePath

FOLDER = "manifests"  # in the folder of documents
NOTHING_BEFORE = "0" * 64  # what the first manifest names as the one before
_LONGEST_NAME = 1000  # recours gives names of a third of that; rows of other software may have any
_PREVIOUS = re.compile(r"^# previous ([0-9a-f]{64})$", re.MULTILINE)
_FILE = re.compile(r"(# erased )?\\?([0-9a-f]{64})  (.+)")


@dataclass(frozen=True, order=True)
class ManifestFile:
    """A file as a manifest names it. `name`: its path below the folder of documents, with `/` between the parts."""

    sha256: str
    name: str


@dataclass(frozen=True)
class Manifest:
    """A manifest as the database has it. `name`: as of other files; `stamped_at`: when it was timestamped."""

    number: int
    name: str
    sha256: str
    stamped_at: datetime | None = None

    @property
    def token_name(self) -> str:
        """Of its timestamp."""
        return f"{self.name.removesuffix('.txt')}.tsr"


@dataclass(frozen=True)
class ManifestContent:
    """What a manifest says. `previous`: the SHA-256 of the one before; "": it does not say."""

    previous: str
    files: Collection[ManifestFile]
    erasures: Collection[ManifestFile]


@dataclass(frozen=True)
class FileState:
    """What a file is now. `trouble`: why that could not be read."""

    sha256: str = ""
    size: int = 0
    is_there: bool = True
    trouble: str = ""


def manifest_file(sha256: str, path: str, folder: PurePath) -> ManifestFile:
    """A row's file as a manifest names it. A path outside the folder stays as it is."""
    with suppress(ValueError):
        path = PurePath(path).relative_to(folder).as_posix()
    escaped = path[:_LONGEST_NAME].replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    return ManifestFile(sha256[:64].replace("\n", " "), escaped)


def manifest_name(number: int, run_id: str, written_at: datetime) -> str:
    """`manifests/2026/02/000123-<run>.txt`."""
    return f"{FOLDER}/{written_at.astimezone(UTC):%Y/%m}/{number:06}-{run_id}.txt"


def manifest_text(
    number: int,
    run_id: str,
    written_at: datetime,
    previous: str,
    files: Iterable[ManifestFile],
    erasures: Iterable[ManifestFile],
) -> str:
    """`run_id`: the run that writes it, or the command."""
    head = (
        f"# recours manifest {number}",
        f"# run {run_id}",
        f"# previous {previous}",
        f"# written {written_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
    )
    lines = (*head, *map(_line, files), *(f"# erased {_line(file)}" for file in erasures))
    return "".join(f"{line}\n" for line in lines)


def _line(file: ManifestFile) -> str:
    """As sha256sum writes it: a backslash before the hash says that the name has escapes."""
    return f"{chr(92) if chr(92) in file.name else ''}{file.sha256}  {file.name}"


def read_manifest(content: bytes) -> ManifestContent:
    text = content.decode("utf-8", "replace")
    files: set[ManifestFile] = set()
    erasures: set[ManifestFile] = set()
    for line in text.split("\n"):
        if match := _FILE.fullmatch(line):
            is_erased, sha256, name = match.groups()
            (erasures if is_erased else files).add(ManifestFile(sha256, name))
    previous = _PREVIOUS.search(text)
    return ManifestContent(previous[1] if previous else "", files, erasures)

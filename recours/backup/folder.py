"""The folder of a backup: a copy of the database, the documents, what it holds, and the SHA-256 of every file.

While it is filled its name begins with a dot and ends with `.partial`; it gets its own when all of it is on the disk.
"""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from recours.access import PRIVATE
from recours.core.errors import RunError
from recours.core.text import clean
from recours.database.schema.inspection import HEAD
from recours.documents.store import sync_folder

DOCUMENTS = "documents"
PREFIX = "recours-backup-"
_FACTS, _SUMS = "backup.json", "SHA256SUMS"
_PARTIAL = ".partial"
_ABANDONED_AFTER_S = 24 * 3600


class BackupError(RunError):
    """A backup cannot be made, read or put back. The text says why and what to do."""


@dataclass(frozen=True)
class BackupFacts:
    """What a backup says of itself, as JSON holds it."""

    recours: str  # its version
    made_at: str
    database: str  # sqlite, postgresql
    schema: str | None  # None: recours never touched the database
    pod_dir: str
    claims: int
    attempts: int
    documents: int
    bytes: int
    documents_missing: list[str]  # and those that were altered, a sentence each


@dataclass(frozen=True)
class Backup:
    folder: Path
    facts: BackupFacts
    sums: Mapping[str, str]  # SHA-256 by the file's name below the folder, with / between the parts

    def faults(self) -> Iterator[str]:
        """What is wrong with it, a sentence each. Touches nothing else."""
        for name, digest in self.sums.items():
            try:
                is_same = sha256_of(self.folder / name) == digest
            except OSError as error:
                yield f"{clean(name)} cannot be read: {error.strerror or error}."
                continue
            if not is_same:
                yield f"{clean(name)} is not what it was when the backup was made (another SHA-256)."
        if self.facts.schema not in (None, HEAD):
            yield (
                f"Its schema is {clean(self.facts.schema, 40)}, and this version of recours has {HEAD}: restore it with the "
                f"version that made it ({clean(self.facts.recours, 40)})."
            )


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """A folder to be filled, which gets its name at the end; it is gone if anything fails. Raises BackupError."""
    parent, folder = target.parent, target.with_name(f".{target.name}{_PARTIAL}")
    try:
        PRIVATE.make_folder(parent)
        for abandoned in parent.glob(f".{PREFIX}*{_PARTIAL}"):  # by a backup that was killed
            if time.time() - abandoned.stat().st_mtime > _ABANDONED_AFTER_S:
                shutil.rmtree(abandoned, ignore_errors=True)
        folder.mkdir(mode=0o700)
        try:
            yield folder
            folder.rename(target)
            sync_folder(parent)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        raise BackupError(
            f"The backup cannot be written to {parent}: {error.strerror or error}. Nothing of it is left there."
        ) from error


def seal(folder: Path, facts: BackupFacts) -> None:
    """Write the facts and the sums; only this user may read any of the files, and all are on the disk. Raises OSError."""
    (folder / _FACTS).write_text(json.dumps(asdict(facts), indent=1), encoding="utf-8")
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    sums = "".join(f"{sha256_of(path)}  {path.relative_to(folder).as_posix()}\n" for path in files)
    (folder / _SUMS).write_text(sums, encoding="utf-8", newline="\n")
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
        if path.is_dir():
            sync_folder(path)
        else:
            with path.open("rb+") as file:
                os.fsync(file.fileno())


def open_backup(folder: Path) -> Backup:
    """A backup by its folder. Raises BackupError if it is none, or not a whole one."""
    try:
        lines = (folder / _SUMS).read_text(encoding="utf-8").splitlines()
        facts = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
        sums = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
        return Backup(folder, BackupFacts(**facts), sums)
    except OSError as error:
        raise BackupError(
            f"{folder} is no whole backup ({error.strerror or error}): name the folder that 'recours backup' made, {PREFIX}…"
        ) from error
    except (ValueError, TypeError) as error:
        raise BackupError(f"{_FACTS} or {_SUMS} of {folder} is not what a backup wrote.") from error

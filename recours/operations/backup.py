"""A backup: a copy of the database, then every document that the copy knows of, in a folder that is whole or not there.

In this order the copy never knows of a document that was stored after the folder was read: each is on disk before the
row that names it is committed. What the copy knows is always asked of the copy, never of the database, which goes on.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePath
from typing import Any, Protocol

from recours.core.text import clean, plural
from recours.runs.ports import RunError

FORMAT = 1
MANIFEST = "manifest.json"
DOCUMENTS = "documents"


class BackupError(RunError):
    """A backup cannot be made, read or put back. The text says why and what to do."""


@dataclass(frozen=True)
class KnownDocument:
    """A document as the records have it: where it lay, and what it was."""

    path: str
    sha256: str
    size: int  # bytes

    @property
    def name(self) -> str | None:
        """Where it lies below any folder of documents, `carrier/name`; None if that cannot be a path of ours."""
        parts = self.path.replace("\\", "/").split("/")[-2:]
        if len(parts) < 2 or any(part in ("", ".", "..") or ":" in part for part in parts):  # noqa: PLR2004 (the two)
            return None
        return "/".join(parts)


@dataclass(frozen=True)
class CopyFacts:
    """What a copy of a database holds. `schema` None: recours never touched it."""

    schema: str | None
    claims: int
    attempts: int


@dataclass(frozen=True)
class FileFacts:
    """A file of a backup: its size in bytes and its SHA-256."""

    size: int
    sha256: str


@dataclass(frozen=True)
class Lacking:
    """A document that the database knows of and that was not on disk as it should be: `missing`, or `altered`."""

    path: str
    sha256: str
    why: str


@dataclass(frozen=True)
class Manifest:
    """What a backup says of itself."""

    version: str  # of recours
    made_at: datetime
    kind: str  # sqlite, postgresql
    database_file: str
    notes: Mapping[str, Any]  # of the database's kind, such as the journal mode
    pod_dir: str
    facts: CopyFacts
    files: Mapping[str, FileFacts] = field(repr=False)  # by name below the folder, with / between the parts
    lacking: tuple[Lacking, ...] = ()

    @property
    def documents(self) -> list[str]:
        """The names of the documents' files, without the facts beside them."""
        return [name for name in self.files if is_document(name)]

    @property
    def size(self) -> int:
        """Of all files, in bytes."""
        return sum(file.size for file in self.files.values())


def is_document(name: str) -> bool:
    """Tell whether a file of a backup is a document, as opposed to the facts beside one."""
    return name.startswith(f"{DOCUMENTS}/") and PurePath(name).suffix != ".json"


# ---------------------------------------------------------------- ports


class DatabaseCopies(Protocol):
    """Copies of one kind of database, as files."""

    @property
    def kind(self) -> str:
        """The kind of database."""

    @property
    def file_name(self) -> str:
        """What a copy is called in a backup."""

    def look_into(self, path: Path) -> CopyFacts:
        """What the copy holds. Raises BackupFault."""

    def documents(self, path: Path) -> Iterator[KnownDocument]:
        """The documents that the copy knows of. Raises BackupFault."""

    def faults(self, path: Path) -> list[str]:
        """What is wrong with the copy itself, a sentence each. Raises BackupFault if that cannot be found out."""


class DatabaseSource(DatabaseCopies, Protocol):
    """A database that can be copied while others write to it."""

    def copy_to(self, path: Path) -> dict[str, Any]:
        """Write a consistent copy; returns the notes for the manifest. Raises BackupFault."""


class Box(Protocol):
    """A folder that is being filled, under a name that nobody takes for a whole backup."""

    def path_of(self, name: str) -> Path:
        """Where a file is to be written that `seal` then takes in."""

    def seal(self, name: str) -> None:
        """Take in a file that was written. Raises BackupFault."""

    def keep(self, document: KnownDocument) -> Lacking | None:
        """Copy a document and the facts beside it; or say what was wrong with it. Raises BackupFault."""

    def finish(self, manifest: Manifest) -> Path:
        """Write the manifest, and give the folder its name; returns it. Raises BackupFault."""

    @property
    def files(self) -> Mapping[str, FileFacts]:
        """What was taken in so far."""


class Backup(Protocol):
    """A backup that was made."""

    @property
    def manifest(self) -> Manifest:
        """What it says of itself."""

    def path_of(self, name: str) -> Path:
        """A file of it."""

    def faults(self) -> Iterator[str]:
        """Files that are missing or not what they were, a sentence each."""

    def strangers(self) -> list[str]:
        """Files that do not belong to it."""


# ---------------------------------------------------------------- making one


def make_backup(
    source: DatabaseSource, box: Box, pod_dir: Path, version: str, now: datetime
) -> tuple[Path, Manifest]:
    """Fill the box; returns the folder and what it holds. Raises BackupFault."""
    place = box.path_of(source.file_name)
    notes = source.copy_to(place)
    box.seal(source.file_name)
    facts = source.look_into(place)
    lacking = [fault for document in source.documents(place) if (fault := box.keep(document))]
    manifest = Manifest(
        version=version,
        made_at=now,
        kind=source.kind,
        database_file=source.file_name,
        notes=notes,
        pod_dir=str(pod_dir),
        facts=facts,
        files=dict(box.files),
        lacking=tuple(lacking),
    )
    return box.finish(manifest), manifest


def lacking_words(lacking: Lacking) -> str:
    """What is to be said of a missing document."""
    path = clean(lacking.path)
    if lacking.why == "altered":
        return f"{path} is not what was fetched any more (another SHA-256): it is copied as it is"
    return f"{path} is in the database, and not on disk"


# ---------------------------------------------------------------- looking at one


@dataclass
class Examined:
    """What was found in a backup."""

    manifest: Manifest
    faults: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def examine(backup: Backup, copies: DatabaseCopies, known_schemas: tuple[str, ...]) -> Examined:
    """Whether a backup is whole and what it says it is. Touches nothing else. Raises BackupFault."""
    found = Examined(backup.manifest)
    found.faults += backup.faults()
    found.warnings += [f"{clean(name)} does not belong to the backup" for name in backup.strangers()]
    found.warnings += [f"when it was made: {lacking_words(lacking)}" for lacking in backup.manifest.lacking]
    place = backup.path_of(backup.manifest.database_file)
    if not found.faults:  # a file that is not what it was is not looked into
        found.faults += copies.faults(place)
    if not found.faults:
        found.faults += _faults_of_copy(backup.manifest, copies, place, known_schemas)
    return found


def _faults_of_copy(
    manifest: Manifest, copies: DatabaseCopies, place: Path, known_schemas: tuple[str, ...]
) -> Iterator[str]:
    facts = copies.look_into(place)
    if facts.schema is not None and facts.schema not in known_schemas:
        yield (
            f"Its schema is {clean(facts.schema, 40)}, of which this version of recours knows nothing: restore it with the "
            f"version that made it ({clean(manifest.version, 40)}), or a newer one."
        )
    if facts != manifest.facts:
        yield f"The copy of the database holds {_counted(facts)}; the manifest says {_counted(manifest.facts)}."
    known_to_lack = {(lacking.path, lacking.sha256) for lacking in manifest.lacking}
    for document in copies.documents(place):
        file = manifest.files.get(f"{DOCUMENTS}/{document.name}")
        lacks = file is None or file.sha256 != document.sha256
        if lacks and (document.path, document.sha256) not in known_to_lack:
            yield f"{clean(document.path)} is in the copy of the database, and not in the backup."


def _counted(facts: CopyFacts) -> str:
    return f"{plural(facts.claims, 'claim')} and {plural(facts.attempts, 'attempt')}"

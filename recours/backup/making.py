"""A backup made and verified: a copy of the database, then every document that the copy knows of.

In this order the copy never knows of a document that was stored after the folder was read: each is on disk before the
row that names it is committed.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from recours.backup import postgres, sqlite
from recours.backup.folder import FolderBackup, new_box
from recours.backup.manifest import DOCUMENTS, BackupError, CopyFacts, Manifest
from recours.core.text import clean, plural
from recours.database.engine import Database
from recours.database.schema.inspection import KNOWN


def make_backup(
    database: Database, parent: Path, pod_dir: Path, version: str, now: datetime
) -> tuple[Path, Manifest]:
    """Fill a new folder in `parent`; returns it, and what it holds. Raises BackupError."""
    kind, file_name = (
        (sqlite.KIND, sqlite.FILE_NAME) if database.path else (postgres.KIND, postgres.FILE_NAME)
    )
    with new_box(parent, now) as box:
        place = box.path_of(file_name)
        copied = sqlite.copy(database.path, place) if database.path else postgres.copy(database, place)
        box.seal(file_name)
        missing = [fault for document in copied.documents if (fault := box.keep(document))]
        manifest = Manifest(
            version=version,
            made_at=now,
            kind=kind,
            database_file=file_name,
            notes=copied.notes,
            pod_dir=str(pod_dir),
            facts=copied.facts,
            files=box.files,
            missing=tuple(missing),
        )
        return box.finish(manifest), manifest


@dataclass
class Examined:
    """What was found in a backup."""

    faults: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def examine(backup: FolderBackup) -> Examined:
    """Whether a backup is whole and what it says it is. Touches nothing else. Raises BackupError."""
    manifest = backup.manifest
    if manifest.kind not in (sqlite.KIND, postgres.KIND):
        raise BackupError(
            f"It is a backup of a database of the kind '{clean(manifest.kind, 40)}', which is unknown here."
        )
    found = Examined()
    found.faults += backup.faults()
    found.warnings += [f"{clean(name)} does not belong to the backup" for name in backup.strangers()]
    found.warnings += [f"when it was made: {missing.words}" for missing in manifest.missing]
    if not found.faults:  # a file that is not what it was is not looked into
        found.faults += _faults_of_database(manifest, backup.path_of(manifest.database_file))
    return found


def _faults_of_database(manifest: Manifest, copy: Path) -> list[str]:
    """A dump is believed what its manifest says of it; into a copy of SQLite it is easy to look."""
    if manifest.kind == postgres.KIND:
        return [*postgres.faults(copy), *_faults_of_schema(manifest, manifest.facts)]
    return sqlite.faults(copy) or list(_faults_of_copy(manifest, copy))


def _faults_of_copy(manifest: Manifest, copy: Path) -> Iterator[str]:
    facts = sqlite.look_into(copy)
    yield from _faults_of_schema(manifest, facts)
    if facts != manifest.facts:
        yield f"The copy of the database holds {_counted(facts)}; the manifest says {_counted(manifest.facts)}."
    known_to_be_missing = {(missing.path, missing.sha256) for missing in manifest.missing}
    for document in sqlite.documents(copy):
        file = manifest.files.get(f"{DOCUMENTS}/{document.name}")
        faults_of_task = file is None or file.sha256 != document.sha256
        if faults_of_task and (document.path, document.sha256) not in known_to_be_missing:
            yield f"{clean(document.path)} is in the copy of the database, and not in the backup."


def _faults_of_schema(manifest: Manifest, facts: CopyFacts) -> Iterator[str]:
    if facts.schema is not None and facts.schema not in KNOWN:
        yield (
            f"Its schema is {clean(facts.schema, 40)}, of which this version of recours knows nothing: restore it with the "
            f"version that made it ({clean(manifest.version, 40)}), or a newer one."
        )


def _counted(facts: CopyFacts) -> str:
    return f"{plural(facts.claims, 'claim')} and {plural(facts.attempts, 'attempt')}"

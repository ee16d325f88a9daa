"""Backups as folders: made and verified, put back.

A copy of the database comes first, then every document that the copy knows of. In this order it never knows of a
document that was stored after the folder was read: each is on disk before the row that names it is committed.
"""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Column, ColumnElement, bindparam, exists, false, func, inspect, select, update

from recours.access import Access
from recours.backup import postgres, sqlite
from recours.backup.folder import (
    DOCUMENTS,
    BackupError,
    CopyFacts,
    FolderBackup,
    Manifest,
    name_below,
    new_box,
    stamp,
)
from recours.core.text import clean, plural
from recours.database.engine import Database, DatabaseError, SystemClock
from recours.database.rows import free
from recours.database.schema.inspection import HEAD, look
from recours.database.tables import attempts, claims, evidence, runs

# A run that began longer ago than that and has no end has died.
_LONGEST_RUN = timedelta(hours=1)
_CHUNK = 1000
_a, _c, _v = attempts.c, claims.c, evidence.c

_TO_CLAIM = (
    update(claims)
    .where(_c.id == bindparam("of_claim"), _c.pod_url == bindparam("before"))
    .values(pod_url=bindparam("to"))
)


# ---------------------------------------------------------------- made


def make_backup(
    database: Database, parent: Path, pod_dir: Path, version: str, now: datetime
) -> tuple[Path, Manifest]:
    """Fill a new folder in `parent`; returns it, and what it holds. Raises BackupError."""
    kind = sqlite if database.path else postgres
    with new_box(parent, now) as box:
        place = box.folder / kind.FILE_NAME
        copied = sqlite.copy(database.path, place) if database.path else postgres.copy(database, place)
        box.seal(kind.FILE_NAME)
        missing = [fault for document in copied.documents if (fault := box.keep(document))]
        manifest = Manifest(
            version=version,
            made_at=now,
            kind=kind.KIND,
            database_file=kind.FILE_NAME,
            notes=copied.notes,
            pod_dir=str(pod_dir),
            facts=copied.facts,
            files=box.files,
            missing=tuple(missing),
        )
        return box.finish(manifest), manifest


# ---------------------------------------------------------------- verified


@dataclass
class Examined:
    faults: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def examine(backup: FolderBackup) -> Examined:
    """Whether a backup is whole and what it says it is. Touches nothing else. Raises BackupError."""
    manifest = backup.manifest
    if manifest.kind not in (sqlite.KIND, postgres.KIND):
        raise BackupError(
            f"It is a backup of a database of the kind '{clean(manifest.kind, 40)}', which is unknown here."
        )
    faults = list(backup.faults())
    warnings = [f"{clean(name)} does not belong to the backup" for name in backup.strangers()]
    warnings += [f"when it was made: {missing.message}" for missing in manifest.missing]
    if not faults:  # a file that is not what it was is not looked into
        copy = backup.database_copy
        if manifest.kind == sqlite.KIND:
            faults = sqlite.faults(copy) or list(_faults_of_copy(manifest, copy))
        else:  # of a dump, the manifest is believed
            faults = [*postgres.faults(copy), *_faults_of_schema(manifest, manifest.facts)]
    return Examined(faults, warnings)


def _faults_of_copy(manifest: Manifest, copy: Path) -> Iterator[str]:
    facts = sqlite.look_into(copy)
    yield from _faults_of_schema(manifest, facts)
    if facts != manifest.facts:
        found, said = (
            f"{plural(of.claims, 'claim')} and {plural(of.attempts, 'attempt')}"
            for of in (facts, manifest.facts)
        )
        yield f"The copy of the database holds {found}; the manifest says {said}."
    known_to_be_missing = {(missing.path, missing.sha256) for missing in manifest.missing}
    for document in sqlite.documents(copy):
        file = manifest.files.get(f"{DOCUMENTS}/{name_below(document.path)}")
        is_there = file is not None and file.sha256 == document.sha256
        if not is_there and (document.path, document.sha256) not in known_to_be_missing:
            yield f"{clean(document.path)} is in the copy of the database, and not in the backup."


def _faults_of_schema(manifest: Manifest, facts: CopyFacts) -> Iterator[str]:
    if facts.schema is not None and facts.schema != HEAD:
        yield (
            f"Its schema is {clean(facts.schema, 40)}, of which this version of recours knows nothing: restore it with the "
            f"version that made it ({clean(manifest.version, 40)}), or a newer one."
        )


# ---------------------------------------------------------------- put back


@dataclass
class Restored:
    database: str
    aside: Path | None = None
    copied: int = 0  # missing documents that were restored
    moved: int = 0  # documents that lie elsewhere than they did
    kept: list[str] = field(default_factory=list)  # files of the same name and another content


def put_back(
    backup: FolderBackup, database: Database, pod_dir: Path, access: Access, *, force: bool
) -> Restored:
    """Put a backup that was verified in the place of the database. `force`: even during a run. Raises BackupError."""
    kind = sqlite.KIND if database.is_sqlite else postgres.KIND
    if kind != backup.manifest.kind:
        raise BackupError(
            f"It is a backup of {backup.manifest.kind}, and {database.shown} is none: name one with --database-url."
        )
    done = Restored(database.shown)
    if not database.path:
        _require_empty(database, backup.database_copy)
        done.copied, done.kept = backup.put_documents_back(pod_dir, access)
        postgres.restore_into(database, backup.database_copy)
        done.moved = _correct_paths(database, backup, pod_dir)
        return done
    if database.is_there() and not force:
        _require_rest(database)
    database.close()

    def prepare(copy: Database) -> None:
        done.moved = _correct_paths(copy, backup, pod_dir)
        done.copied, done.kept = backup.put_documents_back(pod_dir, access)

    # The copy takes its place last: what was restored so far is of no consequence without it.
    has_log = backup.manifest.notes.get("journal_mode") == "wal"
    at = stamp(SystemClock().now())
    done.aside = sqlite.replace(database.path, backup.database_copy, at, access, prepare, write_ahead=has_log)
    return done


def _require_empty(database: Database, dump: Path) -> None:
    if not postgres.is_empty(database):
        command, _ = postgres.restore_command(database, dump)
        raise BackupError(
            f"{database.shown} is not empty, and recours fills an empty database only. Create one (createdb NAME), and either "
            "repeat this with --database-url of it, or run the following with its name in dbname (the password in PGPASSWORD):",
            [shlex.join(command)],
        )


def _require_rest(database: Database) -> None:
    """See that no run is under way."""
    now = SystemClock().now()
    under_way = runs.c.ended_at.is_(None), runs.c.started_at > now - _LONGEST_RUN
    try:
        if not look(database).is_current:
            return  # no run works on it before it is
        with database.read() as connection:
            leased = connection.scalar(
                select(func.count()).where(_c.pod_lease_token.is_not(None), ~free(now))
            )
            begun = connection.scalar(select(func.count()).where(*under_way))
    except DatabaseError as error:
        raise BackupError(
            f"Whether a run is under way cannot be found out: {error} If none is, repeat it with --force."
        ) from error
    found = [
        *([f"{plural(leased, 'claim')} being fetched"] if leased else []),
        *([f"{plural(begun, 'run')} without an end yet"] if begun else []),
    ]
    if found:
        raise BackupError(
            f"A run is under way in {database.shown}: {', '.join(found)}. Disable the jobs and wait until it has ended "
            "(claims of a run that died are free after 10 minutes), or repeat it with --force."
        )


def _correct_paths(database: Database, backup: FolderBackup, pod_dir: Path) -> int:
    """Say in the records and the claims where the documents are now; returns how many have moved. Raises DatabaseError."""
    if backup.manifest.facts.schema is None:
        return 0
    moved = _correct_column(database, backup, pod_dir, _a.document_path, false())
    with database.read() as connection:
        has_evidence = inspect(connection).has_table(evidence.name)  # not before version 0011
    if has_evidence:
        of_attempt = exists().where(_a.claim_id == _v.claim_id, _a.document_sha256 == _v.sha256)
        moved += _correct_column(database, backup, pod_dir, _v.path, of_attempt)
    return moved


def _correct_column(
    database: Database,
    backup: FolderBackup,
    pod_dir: Path,
    path: Column[Any],
    is_counted: ColumnElement[bool],
) -> int:
    """The same in one column of paths, and where claims name these; returns how many have moved that were not counted yet."""
    moved, last, of = 0, 0, path.table.c
    query = select(of.id, of.claim_id, path.label("path"), is_counted.label("is_counted"))
    query = query.where(path.is_not(None))
    correct = update(path.table).where(of.id == bindparam("of")).values({path: bindparam("to")})
    while True:
        with database.write() as connection:
            found = connection.execute(query.where(of.id > last).order_by(of.id).limit(_CHUNK)).all()
            changed: list[dict[str, Any]] = []
            for row in found:
                before, name = row.path, name_below(row.path)
                if name is None or f"{DOCUMENTS}/{name}" not in backup.manifest.files:
                    continue  # it is not in the backup
                to = str(pod_dir.joinpath(*name.split("/")))
                if to != before:
                    changed.append({"of": row.id, "of_claim": row.claim_id, "before": before, "to": to})
                    moved += not row.is_counted
            if changed:
                connection.execute(correct, changed)
                connection.execute(_TO_CLAIM, changed)
        if len(found) < _CHUNK:
            return moved
        last = found[-1].id

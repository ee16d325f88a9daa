"""Backups as folders: made and verified, put back.

A copy of the database comes first, then every document that the copy names. In this order it never names a document
that was stored after the folder was read: each is on disk before the row that names it is committed.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Connection, func, literal, select, union, update

from recours.access import Access, read_regular
from recours.backup import postgres, sqlite
from recours.backup.folder import (
    DOCUMENTS,
    PREFIX,
    Backup,
    BackupError,
    BackupFacts,
    new_folder,
    seal,
    sha256_of,
)
from recours.core.custody import FOLDER, Manifest
from recours.core.text import clean
from recours.database.claim_rows import owed_in, owed_text
from recours.database.engine import Database, DatabaseError, SystemClock
from recours.database.evidence import MANIFEST
from recours.database.schema.inspection import version_of
from recours.database.schema.removal import work_under_way
from recours.database.tables import attempts, claims, erasures, evidence
from recours.documents.store import is_inside

_a, _c, _v = attempts.c, claims.c, evidence.c


def make_backup(
    database: Database, parent: Path, pod_dir: Path, version: str, now: datetime
) -> tuple[Path, BackupFacts]:
    """Fill a new folder in `parent`; returns it, and what it holds. Raises BackupError."""
    target = parent / f"{PREFIX}{_stamp(now)}"
    kind = sqlite if database.path else postgres
    with new_folder(target) as folder:
        place = folder / kind.COPY
        copying = sqlite.copying(database.path, place) if database.path else postgres.copying(database, place)
        with copying as connection:
            schema = version_of(connection)
            documents = _documents(connection, pod_dir) if schema else []
            tables = (database.border.claims, attempts) if schema else (database.border.claims,)
            counts = [connection.scalar(select(func.count()).select_from(table)) for table in tables]
        missing = list(_copied(documents, pod_dir, folder / DOCUMENTS))
        files = [path for path in folder.rglob("*") if path.is_file()]
        facts = BackupFacts(
            recours=version,
            made_at=now.isoformat(),
            database=kind.KIND,
            schema=schema,
            pod_dir=str(pod_dir),
            claims=counts[0] or 0,
            attempts=sum(count or 0 for count in counts[1:]),
            documents=sum(_is_document(path.relative_to(folder)) for path in files),
            bytes=sum(path.stat().st_size for path in files),
            documents_missing=missing,
        )
        seal(folder, facts)
    return target, facts


def _is_document(path: Path) -> bool:
    """`path`: below the backup."""
    return path.parts[0] == DOCUMENTS and path.parts[1] != FOLDER


def _stamp(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _documents(connection: Connection, pod_dir: Path) -> list[tuple[str, str]]:
    """Path and SHA-256 of every document that the database names, and of manifests; "": a timestamp, which has none."""
    of_attempts = select(_a.document_path, _a.document_sha256).where(_a.document_path.is_not(None))
    rows = connection.execute(union(of_attempts, select(_v.path, _v.sha256)))
    documents = [(path, sha256) for path, sha256 in rows]
    for row in connection.execute(MANIFEST):
        manifest = Manifest(*row)
        documents.append((str(pod_dir / manifest.name), manifest.sha256))
        token = pod_dir / manifest.token_name
        documents += [(str(token), "")] if token.exists() else []
    return documents


def _copied(documents: list[tuple[str, str]], pod_dir: Path, folder: Path) -> Iterator[str]:
    """Copy documents of the POD folder; gives a sentence for each that is not what it should be.

    Raises BackupError if one cannot be read, OSError if one cannot be written.
    """
    root = pod_dir.resolve()
    for path, sha256 in documents:
        if not is_inside(pod_dir, path):
            yield f"{clean(path)} is not in the folder of the documents, {pod_dir}: it is not copied"
            continue
        source = Path(path).resolve()
        try:
            content = read_regular(source)
        except (FileNotFoundError, NotADirectoryError):
            yield f"{clean(path)} is in the database, and not on disk"
            continue
        except OSError as error:
            raise BackupError(
                f"{source} cannot be read: {error.strerror or error}. No backup was made: let this user read it, or start "
                "the backup as one who may."
            ) from error
        place = folder / source.relative_to(root)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        if sha256 and hashlib.sha256(content).hexdigest() != sha256:
            yield f"{clean(path)} is not what was fetched any more (another SHA-256): it is copied as it is"


@dataclass
class Restored:
    database: str
    aside: Path | None = None
    copied: int = 0  # missing documents that were restored
    moved: int = 0  # documents that lie elsewhere than they did
    kept: list[str] = field(default_factory=list)  # files of the same name and another content


def put_back(backup: Backup, database: Database, pod_dir: Path, access: Access, *, force: bool) -> Restored:
    """Put a backup that was verified in the place of the database. `force`: even during a run. Raises BackupError."""
    kind = sqlite if database.is_sqlite else postgres
    if backup.facts.database != kind.KIND:
        raise BackupError(
            f"This backup holds a database of the kind {backup.facts.database}, but {database.safe_url} is not one. "
            "Name a matching database with --database-url."
        )
    result, copied = Restored(database.safe_url), backup.folder / kind.COPY
    if not database.path:
        postgres.require_empty(database)
        result.copied, result.kept = _put_documents(backup, pod_dir, access)
        postgres.restore_into(database, copied)
        result.moved = _correct_paths(database, backup, pod_dir)
        return result
    if database.is_there() and not force:
        _require_rest(database)
    database.close()
    aside = database.path.with_name(f"{database.path.name}.before-restore-{_stamp(SystemClock().now())}")
    with sqlite.replacing(database.path, copied, aside, access, database.names, force=force) as beside:
        # The copy takes its place last: what was restored so far is of no consequence without it.
        result.moved = _correct_paths(beside, backup, pod_dir)
        result.copied, result.kept = _put_documents(backup, pod_dir, access)
    result.aside = aside if aside.exists() else None
    return result


def _require_rest(database: Database) -> None:
    try:
        work = work_under_way(database, SystemClock().now())
    except DatabaseError as error:
        raise BackupError(
            f"Whether a run is under way cannot be found out: {error} If none is, repeat it with --force."
        ) from error
    if work:
        raise BackupError(
            f"A run is under way in {database.safe_url}: {work}. Disable the jobs and wait until it has ended (claims of a run "
            "that died are free after 10 minutes), or repeat it with --force."
        )


def _put_documents(backup: Backup, pod_dir: Path, access: Access) -> tuple[int, list[str]]:
    """Copy the documents that are missing there; how many, and the names of those of another content, which are kept.

    Raises BackupError.
    """
    copied, other = 0, []
    for source in sorted(path for path in (backup.folder / DOCUMENTS).rglob("*") if path.is_file()):
        place = pod_dir / source.relative_to(backup.folder / DOCUMENTS)
        part = place.with_name(f".{place.name}.partial")
        try:
            if place.exists():
                other += [] if sha256_of(place) == sha256_of(source) else [str(place)]
                continue
            access.make_folder(place.parent)
            access.create(part)
            shutil.copyfile(source, part)
            part.replace(place)
            copied += _is_document(source.relative_to(backup.folder))
        except OSError as error:
            part.unlink(missing_ok=True)
            raise BackupError(
                f"{place} cannot be written: {error.strerror or error}. The database was not touched."
            ) from error
    return copied, other


def _correct_paths(database: Database, backup: Backup, pod_dir: Path) -> int:
    """Have the rows name the documents where they are now; returns how many have moved. Raises DatabaseError."""
    before = backup.facts.pod_dir
    if backup.facts.schema is None or before == str(pod_dir):
        return 0
    separator = "\\" if "\\" in before else "/"
    start = f"{before}{separator}"

    def correct(connection: Connection, path: Column[Any]) -> int:
        below = func.replace(func.substr(path, len(start) + 1), separator, os.sep)
        is_in = func.substr(path, 1, len(start)) == start
        to = literal(f"{pod_dir}{os.sep}").concat(below)
        return connection.execute(update(path.table).where(is_in).values({path: to})).rowcount

    border = database.border
    with database.long(), database.write() as connection:
        correct(connection, _a.document_path)
        correct(connection, erasures.c.path)
        if border.has("pod_url"):
            correct(connection, border.column("pod_url"))
        owed = select(_c.claim_id, _c.owed).where(_c.owed.is_not(None))
        for claim_id, text in connection.execute(owed).all():
            projection = owed_in(text)
            path = projection.get("pod_url") or ""
            if path.startswith(start):
                below = path.removeprefix(start).replace(separator, os.sep)
                moved = owed_text(projection | {"pod_url": f"{pod_dir}{os.sep}{below}"})
                connection.execute(update(claims).where(_c.claim_id == claim_id).values(owed=moved))
        return correct(connection, _v.path)

"""Manifests in the database, and the files that they name: see `recours.core.custody`."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePath
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    and_,
    bindparam,
    exists,
    insert,
    or_,
    select,
    text,
    update,
)

from recours.core.custody import (
    NOTHING_BEFORE,
    Manifest,
    ManifestFile,
    manifest_file,
    manifest_name,
    manifest_text,
)
from recours.database.engine import Database
from recours.database.tables import claims, erasures, evidence, manifests

_v, _e, _m = evidence.c, erasures.c, manifests.c
PORTION = 10_000  # files of one manifest
_PAGE = 500
_LOCK = text(f"SELECT pg_advisory_xact_lock({0x6D616E6966657374})")
MANIFEST = select(_m.id, _m.path, _m.sha256, _m.stamped_at)
_LAST = MANIFEST.order_by(_m.id.desc()).limit(1)
# What others write at this moment goes into the next manifest.
_NEW_FILES, _NEW_ERASURES = (
    select(c.id, c.sha256, c.path)
    .where(c.manifest_id.is_(None))
    .order_by(c.id)
    .limit(PORTION)
    .with_for_update(skip_locked=True)
    for c in (_v, _e)
)
_HAS_NEW = select(
    exists().where(_v.manifest_id.is_(None)) | exists().where(_e.manifest_id.is_(None)).label("is_new")
)
_NAME_FILES, _NAME_ERASURES = (
    update(table).where(table.c.id.in_(bindparam("ids", expanding=True))).values(manifest_id=bindparam("of"))
    for table in (evidence, erasures)
)
_FILES = (
    select(_v.id, _v.claim_id, claims.c.claim_reference, _v.path, _v.sha256, _v.size)
    .outerjoin(claims, claims.c.id == _v.claim_id)
    .order_by(_v.id)
)


def _is_on_record(manifest_id: ColumnElement[int]) -> ColumnElement[bool]:
    return exists().where(_m.id == manifest_id)


_OF_DIGESTS: BindParameter[str] = bindparam("digests", expanding=True)
_MOVED = select(_v.sha256, _v.path).where(_v.sha256.in_(_OF_DIGESTS))
# One that names a manifest that is not on record was written by somebody else.
_ERASED = select(_e.sha256, _e.path).where(
    _e.sha256.in_(_OF_DIGESTS), or_(_e.manifest_id.is_(None), _is_on_record(_e.manifest_id))
)


@dataclass(frozen=True)
class EvidenceFile:
    """A row of a file. `reference`: the claim's; None: the service has deleted it."""

    id: int
    claim_id: int
    reference: str | None
    path: str
    sha256: str
    size: int

    @property
    def claim(self) -> str:
        return self.reference or f"id {self.claim_id}"


def note_erased(connection: Connection, files: Sequence[tuple[str, str]], by: str, at: datetime) -> None:
    """Keep that files (path and SHA-256) are erased, in the transaction that forgets them: the next manifest says so."""
    rows = [{"path": path, "sha256": sha256, "by": by, "erased_at": at} for path, sha256 in files]
    if rows:
        connection.execute(insert(erasures), rows)


@dataclass(frozen=True)
class DatabaseCustody:
    """The manifests of one database. `folder`: of the documents."""

    database: Database
    folder: Path

    def last(self) -> Manifest | None:
        with self.database.read() as connection:
            row = connection.execute(_LAST).first()
        return Manifest(*row) if row else None

    def add(
        self, run_id: str, now: datetime, write: Callable[[str, bytes], str]
    ) -> tuple[Manifest, int] | None:
        """Name up to PORTION files that no manifest names, in a new one; also how many those are. None: there are none.

        `write` takes the name and the content, keeps them durably and returns the SHA-256. A process that dies after it
        leaves a file that no row names, and the next one names the same files. Raises DatabaseError, and what `write` does.
        """
        with self.database.read() as connection:
            if not connection.scalar(_HAS_NEW):
                return None
        with self.database.write(durable=True) as connection:
            if not self.database.is_sqlite:
                connection.execute(_LOCK)
            files = connection.execute(_NEW_FILES).all()
            erasures = connection.execute(_NEW_ERASURES).all()
            if not (files or erasures):
                return None
            last = connection.execute(_LAST).first()
            number = last.id + 1 if last else 1
            previous = last.sha256 if last else NOTHING_BEFORE
            content = manifest_text(number, run_id, now, previous, self._lines(files), self._lines(erasures))
            name = manifest_name(number, run_id, now)
            sha256 = write(name, content.encode())
            row = {"id": number, "run_id": run_id, "written_at": now, "path": name, "sha256": sha256}
            connection.execute(insert(manifests), row)
            for statement, rows in ((_NAME_FILES, files), (_NAME_ERASURES, erasures)):
                if rows:
                    connection.execute(statement, {"ids": [row.id for row in rows], "of": number})
        return Manifest(number, name, sha256), len(files)

    def _lines(self, rows: Sequence[Any]) -> Iterator[ManifestFile]:
        return (manifest_file(row.sha256, row.path, self.folder) for row in rows)

    def set_stamp(self, manifest: Manifest, at: datetime) -> None:
        """Keep that a manifest has its timestamp."""
        with self.database.write() as connection:
            connection.execute(update(manifests).where(_m.id == manifest.number).values(stamped_at=at))

    # ---------------------------------------------------------------- to be verified

    def manifests(self) -> Iterator[Manifest]:
        """All of them in their order, those that are added meanwhile too."""
        query = MANIFEST.order_by(_m.id).limit(_PAGE)
        page: Sequence[Manifest] = ()
        while True:
            after = query.where(_m.id > page[-1].number) if page else query
            with self.database.read() as connection:
                page = [Manifest(*row) for row in connection.execute(after)]
            yield from page
            if len(page) < _PAGE:
                return

    def files(self, manifest: int | None, claim_ids: Collection[int] = ()) -> Iterator[EvidenceFile]:
        """The files that a manifest is to name (None: that the next one will), of these claims (none named: of all)."""
        return self._pages(_v.manifest_id == manifest, claim_ids)

    def orphans(self, claim_ids: Collection[int] = ()) -> Iterator[EvidenceFile]:
        """The same of files whose manifest is not on record."""
        return self._pages(and_(_v.manifest_id.is_not(None), ~_is_on_record(_v.manifest_id)), claim_ids)

    def _pages(self, which: ColumnElement[bool], claim_ids: Collection[int]) -> Iterator[EvidenceFile]:
        query = _FILES.where(which).limit(_PAGE)
        query = query.where(_v.claim_id.in_(claim_ids)) if claim_ids else query
        page: Sequence[EvidenceFile] = ()
        while True:
            after = query.where(_v.id > page[-1].id) if page else query
            with self.database.read() as connection:
                page = [EvidenceFile(*row) for row in connection.execute(after)]
            yield from page
            if len(page) < _PAGE:
                return

    def has(self, file: EvidenceFile) -> bool:
        """Tell whether the row is still there: a file is erased before its row."""
        with self.database.read() as connection:
            return connection.scalar(select(_v.id).where(_v.id == file.id)) is not None

    def erasures(self, manifest: int) -> list[ManifestFile]:
        """The erased files that a manifest is to name."""
        query = select(_e.sha256, _e.path).where(_e.manifest_id == manifest)
        with self.database.read() as connection:
            return [manifest_file(*row, self.folder) for row in connection.execute(query)]

    def erased_or_moved(self, files: Collection[ManifestFile]) -> set[ManifestFile]:
        """Those of them that were erased since, or that a row names by the same last name in another folder."""
        digests = sorted({file.sha256 for file in files})
        erased: set[ManifestFile] = set()
        moved: set[tuple[str, str]] = set()
        for first in range(0, len(digests), _PAGE):
            part = digests[first : first + _PAGE]
            with self.database.read() as connection:
                rows = connection.execute(_ERASED, {"digests": part})
                erased |= {manifest_file(*row, self.folder) for row in rows}
                if rest := set(part) - {file.sha256 for file in erased}:
                    rows = connection.execute(_MOVED, {"digests": rest})
                    moved |= {(row.sha256, PurePath(row.path).name) for row in rows}
        return {file for file in files if file in erased or (file.sha256, PurePath(file.name).name) in moved}

"""Manifests in the database, and the files that they name: see `recours.core.custody`."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    bindparam,
    exists,
    insert,
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
_LOCK = text("SELECT pg_advisory_xact_lock(hashtext('recours_manifests'))")
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
        page: Sequence[Any] = ()
        while True:
            after = _m.id > page[-1].id if page else _m.id.is_not(None)
            with self.database.read() as connection:
                page = connection.execute(MANIFEST.where(after).order_by(_m.id).limit(_PAGE)).all()
            yield from (Manifest(*row) for row in page)
            if len(page) < _PAGE:
                return

    def files(self, manifest: int | None) -> Iterator[EvidenceFile]:
        """The files that a manifest is to name; None: those that no manifest names yet."""
        return self._pages(_v.manifest_id.is_(None) if manifest is None else _v.manifest_id == manifest)

    def files_of(self, claim_ids: Collection[int]) -> dict[int | None, list[EvidenceFile]]:
        """The files of these claims, by the number of the manifest."""
        files: dict[int | None, list[EvidenceFile]] = defaultdict(list)
        query = _files(_v.claim_id.in_(claim_ids)).add_columns(_v.manifest_id)
        with self.database.read() as connection:
            for *facts, manifest in connection.execute(query):
                files[manifest].append(EvidenceFile(*facts))
        return files

    def files_of_no_manifest(self) -> Iterator[EvidenceFile]:
        """Those whose manifest is not on record."""
        return self._pages(_v.manifest_id.is_not(None), ~exists().where(_m.id == _v.manifest_id))

    def _pages(self, *which: ColumnElement[bool]) -> Iterator[EvidenceFile]:
        last = None
        while True:
            query = _files(*which) if last is None else _files(*which, _v.id > last)
            with self.database.read() as connection:
                page = [EvidenceFile(*row) for row in connection.execute(query.limit(_PAGE))]
            yield from page
            if len(page) < _PAGE:
                return
            last = page[-1].id

    def is_on_record(self, file: EvidenceFile) -> bool:
        """Tell whether the row is still there: a file is erased before its row."""
        with self.database.read() as connection:
            return connection.scalar(select(_v.id).where(_v.id == file.id)) is not None

    def erasures(self, manifest: int) -> list[ManifestFile]:
        """The erased files that a manifest is to name."""
        query = select(_e.sha256, _e.path).where(_e.manifest_id == manifest)
        with self.database.read() as connection:
            return [manifest_file(*row, self.folder) for row in connection.execute(query)]

    def erased_or_moved(self, files: Collection[ManifestFile]) -> set[ManifestFile]:
        """Those of them that were erased since, or that a later manifest names under another name."""
        explained: set[ManifestFile] = set()
        ordered = sorted(files)
        for first in range(0, len(ordered), _PAGE):
            part = ordered[first : first + _PAGE]
            digests = {file.sha256 for file in part}
            with self.database.read() as connection:
                erased = connection.execute(select(_e.sha256, _e.path).where(_e.sha256.in_(digests)))
                explained |= {manifest_file(*row, self.folder) for row in erased} & set(part)
                if left := digests - {file.sha256 for file in explained}:
                    rows = connection.execute(select(_v.sha256, _v.path).where(_v.sha256.in_(left)))
                    moved = {(row.sha256, Path(row.path).name) for row in rows}
                    explained |= {file for file in part if (file.sha256, Path(file.name).name) in moved}
        return explained


def _files(*which: ColumnElement[bool]) -> Select[Any]:
    return (
        select(_v.id, _v.claim_id, claims.c.claim_reference, _v.path, _v.sha256, _v.size)
        .outerjoin(claims, claims.c.id == _v.claim_id)
        .where(*which)
        .order_by(_v.id)
    )

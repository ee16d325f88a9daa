"""Manifests in the database, and the files that they name: see `recours.core.custody`."""

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, Table, exists, insert, select, text, update

from recours.core.custody import (
    ERASED,
    NOTHING_BEFORE,
    Manifest,
    manifest_line,
    manifest_name,
    manifest_text,
)
from recours.database.engine import Database
from recours.database.tables import erasures, evidence, manifests

_v, _e, _m = evidence.c, erasures.c, manifests.c
PORTION = 10_000  # files of one manifest
_LOCK = text(f"SELECT pg_advisory_xact_lock({0x6D616E6966657374})")
MANIFEST = select(_m.id, _m.path, _m.sha256)
_LAST = MANIFEST.order_by(_m.id.desc()).limit(1)


class EvidenceFile(NamedTuple):
    """A row of a file. `reference`: the claim's; None: the service has deleted it."""

    path: str
    sha256: str
    manifest: int | None
    claim_id: Any
    reference: str | None


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

    def add(
        self, run_id: str, now: datetime, write: Callable[[str, bytes], None]
    ) -> tuple[Manifest, int] | None:
        """Name up to PORTION files that no manifest names, in a new one; also how many those are. None: there are none.

        `write` takes the name and the content, and keeps them durably. A process that dies after it leaves a file that no
        row names, and the next one names the same files. Raises DatabaseError, and what `write` does.
        """
        with self.database.write(durable=True) as connection:
            if not self.database.is_sqlite:
                connection.execute(_LOCK)
            last = connection.execute(_LAST).first()
            number = last.id + 1 if last else 1
            files = self._assign(connection, evidence, number)
            erasure_lines = [f"{ERASED}{line}" for line in self._assign(connection, erasures, number)]
            if not (files or erasure_lines):
                return None
            previous = last.sha256 if last else NOTHING_BEFORE
            content = manifest_text(number, run_id, now, previous, files + erasure_lines).encode()
            manifest = Manifest(
                number, manifest_name(number, run_id, now), hashlib.sha256(content).hexdigest()
            )
            write(manifest.name, content)
            row = {"id": number, "path": manifest.name, "sha256": manifest.sha256}
            connection.execute(insert(manifests), row | {"run_id": run_id, "written_at": now})
        return manifest, len(files)

    def _assign(self, connection: Connection, table: Table, number: int) -> list[str]:
        """Have a manifest name rows that none names. What others write at this moment goes into the next one."""
        ids = select(table.c.id).where(table.c.manifest_id.is_(None)).order_by(table.c.id).limit(PORTION)
        statement = (
            update(table)
            .where(table.c.id.in_(ids.with_for_update(skip_locked=True).correlate(None)))
            .values(manifest_id=number)
            .returning(table.c.id, table.c.sha256, table.c.path)
        )
        rows = sorted(connection.execute(statement).all())
        return [manifest_line(sha256, path, self.folder) for _, sha256, path in rows]

    def last(self) -> Manifest | None:
        return self._manifest(_LAST)

    def after(self, number: int) -> Manifest | None:
        """The manifest that follows this number."""
        return self._manifest(MANIFEST.where(_m.id > number).order_by(_m.id).limit(1))

    def _manifest(self, query: Select[Any]) -> Manifest | None:
        with self.database.read() as connection:
            row = connection.execute(query).first()
        return Manifest(*row) if row else None

    def files(self, manifest: int | None, claim_ids: Collection[Any] = ()) -> list[EvidenceFile]:
        """The files of these claims (none named: of all) that a manifest is to name; None: whose manifest is not on record."""
        is_on_record = exists().where(_m.id == _v.manifest_id, _m.id > 0)
        border = self.database.border
        files = select(_v.path, _v.sha256, _v.manifest_id, _v.claim_id, border.text("claim_reference"))
        files = files.outerjoin(border.claims, border.key == _v.claim_id).order_by(_v.id)
        query = files.where(~is_on_record if manifest is None else _v.manifest_id == manifest)
        query = query.where(_v.claim_id.in_(claim_ids)) if claim_ids else query
        with self.database.read() as connection:
            return [EvidenceFile(*row) for row in connection.execute(query)]

    def new_erasures(self) -> list[str]:
        """The lines of the next manifest about erased files."""
        query = select(_e.sha256, _e.path).where(_e.manifest_id.is_(None))
        with self.database.read() as connection:
            return [f"{ERASED}{manifest_line(*row, self.folder)}" for row in connection.execute(query)]

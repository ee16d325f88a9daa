"""A copy put in the place of an SQLite database, and what must be known and mended when a database is put back."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import URL, bindparam, func, select, update

from recours.access import PRIVATE, Access
from recours.core.text import plural
from recours.database.backup.access import make_alike
from recours.database.engine import Database, DatabaseError, explain, files_of_sqlite
from recours.database.rows import free
from recours.database.schema.inspection import look
from recours.database.tables import attempts, claims, runs
from recours.operations.backup import BackupError, KnownDocument

# A run that began longer ago than that and has no end has died.
_LONGEST_RUN = timedelta(hours=1)
_CHUNK = 1000
_a, _c = attempts.c, claims.c

_TO_ATTEMPT = update(attempts).where(_a.id == bindparam("of")).values(document_path=bindparam("to"))
_TO_CLAIM = (
    update(claims)
    .where(_c.id == bindparam("of_claim"), _c.pod_url == bindparam("before"))
    .values(pod_url=bindparam("to"))
)


def work_under_way(database: Database, now: datetime) -> list[str]:
    """What runs are about at this moment, as phrases. Raises DatabaseFault."""
    schema = look(database)
    if not schema.is_current:
        return []  # no run works on it before it is
    under_way = runs.c.ended_at.is_(None), runs.c.started_at > now - _LONGEST_RUN
    with database.read() as connection:
        held = connection.scalar(select(func.count()).where(_c.pod_lease_token.is_not(None), ~free(now))) or 0
        begun = connection.scalar(select(func.count()).where(*under_way)) or 0
    said = [f"{plural(held, 'claim')} being fetched"] if held else []
    return [*said, f"{plural(begun, 'run')} without an end yet"] if begun else said


def correct_paths(database: Database, place: Callable[[KnownDocument], str | None]) -> int:
    """Say in the records and the claims where the documents are now; returns how many have moved. Raises DatabaseFault.

    `place`: where a document is to lie; None: as it was.
    """
    moved, last = 0, 0
    query = select(_a.id, _a.claim_id, _a.document_path, _a.document_sha256, _a.document_size)
    query = query.where(_a.document_path.is_not(None)).order_by(_a.id).limit(_CHUNK)
    while True:
        with database.write() as connection:
            found = connection.execute(query.where(_a.id > last)).all()
            changed: list[dict[str, Any]] = []
            for row in found:
                known = KnownDocument(row.document_path, row.document_sha256, row.document_size or 0)
                to = place(known)
                if to is not None and to != row.document_path:
                    named = {"of": row.id, "of_claim": row.claim_id, "before": row.document_path, "to": to}
                    changed.append(named)
            if changed:
                connection.execute(_TO_ATTEMPT, changed)
                connection.execute(_TO_CLAIM, changed)
        moved += len(changed)
        if len(found) < _CHUNK:
            return moved
        last = found[-1].id


# ---------------------------------------------------------------- the file


@dataclass(frozen=True)
class Staged:
    """A copy beside the database, made ready to take its place."""

    copy: Path
    path: Path
    stamp: str

    @property
    def database(self) -> Database:
        """The copy, to be worked on before it is in place."""
        return Database(URL.create("sqlite", database=str(self.copy)))

    def write_ahead(self) -> None:
        """Give it the journal mode that the database had. Raises BackupFault."""
        try:
            with closing(sqlite3.connect(self.copy)) as connection:
                connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.Error as error:
            raise BackupError(explain(error, str(self.copy))) from error

    def take_its_place(self) -> Path | None:
        """Move what is there aside, with the files beside it, which belong to it; returns where to. Raises BackupFault."""
        aside = self.path.with_name(f"{self.path.name}.before-restore-{self.stamp}")
        moved = None
        try:
            for present, kept in zip(files_of_sqlite(self.path), files_of_sqlite(aside), strict=True):
                if present.exists():
                    present.rename(kept)
                    moved = aside
            self.copy.rename(self.path)
        except OSError as error:
            there = f" What was there is {aside}*." if moved else ""
            raise BackupError(
                f"{self.path} could not be replaced: {error.strerror or error}.{there} Does a program have it open?"
            ) from error
        return moved


@contextmanager
def staged(copy: Path, path: Path, stamp: str, access: Access = PRIVATE) -> Iterator[Staged]:
    """A copy beside the database; gone at the end unless it took its place. Raises BackupFault."""
    beside = path.with_name(f".{path.name}.restoring-{stamp}")
    try:
        try:
            access.make_folder(path.parent)
            if path.exists():
                make_alike(beside, path)
            else:
                access.create(beside)
            shutil.copyfile(copy, beside)
        except OSError as error:
            raise BackupError(
                f"{path.parent} cannot be written: {error.strerror or error}. Nothing was changed."
            ) from error
        yield Staged(beside, path, stamp)
    except DatabaseError as fault:
        raise BackupError(str(fault)) from fault
    finally:
        for file in files_of_sqlite(beside):
            file.unlink(missing_ok=True)

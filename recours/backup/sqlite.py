"""An SQLite database copied while others write to it, what a copy holds, and a copy put in its place."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from recours.access import Access, make_alike
from recours.backup.folder import BackupError, Copied, CopyFacts, KnownDocument
from recours.core.text import clean
from recours.database.engine import LOCK_WAIT_S, Database, DatabaseError, explain, files_of_sqlite
from recours.database.tables import VERSION_TABLE, metadata

KIND = "sqlite"
FILE_NAME = "database.sqlite"
_SHOWN_FAULTS = 5
_LONGEST_VALUE = 100_000_000  # bytes


def copy(database: Path, path: Path) -> Copied:
    """Write a consistent copy, a file of its own. Raises BackupError.

    In one step, so that it is consistent whatever others write. Where there is a write-ahead log, none of them waits.
    """
    try:
        with (
            closing(
                sqlite3.connect(f"{database.absolute().as_uri()}?mode=rw", uri=True, timeout=LOCK_WAIT_S)
            ) as source,
            closing(sqlite3.connect(path)) as target,
        ):
            mode = str(source.execute("PRAGMA journal_mode").fetchone()[0])
            source.backup(target)
            # One file, which can be read where nothing can be written; a restore gives the mode back.
            target.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.Error as error:
        if "full" in str(error):
            raise BackupError(
                f"The backup cannot be written to {path.parent.parent}: the disk is full. Nothing of it is left there."
            ) from error
        raise BackupError(explain(error, f"SQLite {database}")) from error
    return Copied(look_into(path), documents(path), {"journal_mode": mode})


# ---------------------------------------------------------------- what a copy holds


def look_into(path: Path) -> CopyFacts:
    """What the copy holds. Raises BackupError."""
    with _reading(path) as copied:
        tables = _tables(copied)

        def first(query: str, table: str) -> Any:
            row = copied.execute(f"SELECT {query} FROM {table}").fetchone() if table in tables else None  # noqa: S608 (constants)
            return row[0] if row else None

        return CopyFacts(
            first("version_num", VERSION_TABLE),
            first("count(*)", "claims") or 0,
            first("count(*)", "recours_attempts") or 0,
        )


_KNOWN = {
    "recours_attempts": "SELECT document_path, document_sha256 FROM recours_attempts WHERE document_path IS NOT NULL",
    "recours_evidence": "SELECT path, sha256 FROM recours_evidence",
}


def documents(path: Path) -> Iterator[KnownDocument]:
    """The documents that the copy knows of. Raises BackupError."""
    with _reading(path) as copied:
        tables = _tables(copied)
        known = [sql for table, sql in _KNOWN.items() if {table, VERSION_TABLE} <= tables]
        for row in copied.execute(" UNION ".join(known) + " ORDER BY 1") if known else ():
            yield KnownDocument(str(row[0]), str(row[1]))


def faults(path: Path) -> list[str]:
    """What is wrong with the copy itself, a sentence each. Raises BackupError if that cannot be found out."""
    ours = {VERSION_TABLE, *(table for table in metadata.tables if table.startswith("recours_"))}
    with _reading(path) as copied:
        there = copied.execute("SELECT name, tbl_name, type, rootpage FROM sqlite_master").fetchall()
        odd = [
            name
            for name, table, kind, page in there  # a virtual table has page 0
            if (kind == "trigger" and table in ours)
            or (name in {"claims", *ours} and (kind == "view" or (kind == "table" and page == 0)))
        ]
        if odd:
            return [
                f"The copy of the database is none that recours made: {clean(str(name))} is no plain table."
                for name in odd
            ]
        found = [str(row[0]) for row in copied.execute("PRAGMA integrity_check")]
    if found == ["ok"]:
        return []
    return [f"The copy of the database is damaged: {clean(fault)}." for fault in found[:_SHOWN_FAULTS]]


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A copy, to be looked at only: not even files beside it come into being. Raises BackupError.

    Anybody may have made it: what is written in its schema must neither reach beyond it nor fill the memory.
    """
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as copied:
            copied.text_factory = lambda raw: raw.decode("utf-8", "replace")
            copied.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE)
            copied.execute("PRAGMA trusted_schema=OFF")
            yield copied
    except sqlite3.Error as error:
        raise BackupError(explain(error, str(path))) from error


def _tables(copied: sqlite3.Connection) -> set[str]:
    return {name for (name,) in copied.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


# ---------------------------------------------------------------- a copy put in its place


def replace(
    path: Path,
    copy: Path,
    stamp: str,
    access: Access,
    prepare: Callable[[Database], None],
    *,
    write_ahead: bool,
) -> Path | None:
    """Put a copy in the place of a database; returns where that is now. Raises BackupError.

    `prepare` is called with the copy before it is in place; if it raises, nothing is changed.
    """
    beside = path.with_name(f".{path.name}.restoring-{stamp}")
    try:
        _copy_beside(path, copy, beside, access)
        database = Database(URL.create("sqlite", database=str(beside)))
        try:
            prepare(database)
        finally:
            database.close()
        if write_ahead:
            with closing(sqlite3.connect(beside)) as connection:
                connection.execute("PRAGMA journal_mode=WAL")
        return _take_place(beside, path, path.with_name(f"{path.name}.before-restore-{stamp}"))
    except sqlite3.Error as error:
        raise BackupError(explain(error, str(beside))) from error
    except DatabaseError as error:
        raise BackupError(str(error)) from error
    finally:
        for file in files_of_sqlite(beside):
            file.unlink(missing_ok=True)


def _copy_beside(path: Path, copy: Path, beside: Path, access: Access) -> None:
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


def _take_place(beside: Path, path: Path, aside: Path) -> Path | None:
    """Move what is there aside, with the files beside it, which belong to it."""
    moved = None
    try:
        for present, kept in zip(files_of_sqlite(path), files_of_sqlite(aside), strict=True):
            if present.exists():
                present.rename(kept)
                moved = aside
        beside.rename(path)
    except OSError as error:
        there = f" What was there is {aside}*." if moved else ""
        raise BackupError(
            f"{path} could not be replaced: {error.strerror or error}.{there} Does a program have it open?"
        ) from error
    return moved

"""An SQLite database copied while others write to it, and what a copy holds."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recours.core.text import clean
from recours.database.engine import LOCK_WAIT_S, explain
from recours.database.tables import VERSION_TABLE, metadata
from recours.operations.backup import BackupError, CopyFacts, KnownDocument

_PAGES = 2048  # of one step
_BETWEEN_STEPS_S = 0.005
_MOST_RESTARTS = 3
_SHOWN_FAULTS = 5
_LONGEST_VALUE = 100_000_000  # bytes
_SCHEMA = f"SELECT version_num FROM {VERSION_TABLE}"  # noqa: S608 (a constant)
_COUNTS = {
    "claims": "SELECT count(*) FROM claims",
    "recours_attempts": "SELECT count(*) FROM recours_attempts",
}


class _RestartedError(Exception):
    """Others wrote so often that the copy began anew again and again."""


@dataclass(frozen=True)
class SqliteCopies:
    """Copies of SQLite databases, as files of their own."""

    kind: str = "sqlite"
    file_name: str = "database.sqlite"

    def look_into(self, path: Path) -> CopyFacts:
        """What the copy holds. Raises BackupFault."""
        with _reading(path) as copy:
            tables = _tables(copy)
            schema = copy.execute(_SCHEMA).fetchone() if VERSION_TABLE in tables else None
            counts = [
                copy.execute(query).fetchone()[0] if table in tables else 0
                for table, query in _COUNTS.items()
            ]
        return CopyFacts(schema[0] if schema else None, *counts)

    def documents(self, path: Path) -> Iterator[KnownDocument]:
        """The documents that the copy knows of. Raises BackupFault."""
        if self.look_into(path).schema is None:
            return
        known = (
            "SELECT DISTINCT document_path, document_sha256, document_size FROM recours_attempts"
            " WHERE document_path IS NOT NULL ORDER BY document_path"
        )
        with _reading(path) as copy:
            for row in copy.execute(known) if "recours_attempts" in _tables(copy) else ():
                size = row[2] if isinstance(row[2], int) else 0
                yield KnownDocument(str(row[0]), str(row[1]), size)

    def faults(self, path: Path) -> list[str]:
        """What is wrong with the copy itself."""
        with _reading(path) as copy:
            if odd := _no_tables(copy):
                return [
                    f"The copy of the database is none that recours made: {clean(name)} is no plain table."
                    for name in odd
                ]
            found = [str(row[0]) for row in copy.execute("PRAGMA integrity_check")]
        return (
            []
            if found == ["ok"]
            else [f"The copy of the database is damaged: {clean(fault)}." for fault in found[:_SHOWN_FAULTS]]
        )


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A copy, to be looked at only: not even files beside it come into being. Raises BackupFault.

    Anybody may have made it: what is written in its schema must neither reach beyond it nor fill the memory.
    """
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as copy:
            copy.text_factory = lambda raw: raw.decode("utf-8", "replace")
            copy.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE)
            copy.execute("PRAGMA trusted_schema=OFF")
            yield copy
    except sqlite3.Error as error:
        raise BackupError(explain(error, str(path))) from error


def _tables(copy: sqlite3.Connection) -> set[str]:
    return {name for (name,) in copy.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def _no_tables(copy: sqlite3.Connection) -> list[str]:
    """What has the name of a table of ours, or of the claims, and is a view or a virtual table; and triggers of ours."""
    found = copy.execute("SELECT name, tbl_name, type, rootpage FROM sqlite_master").fetchall()
    ours = {VERSION_TABLE, *(table for table in metadata.tables if table.startswith("recours_"))}
    return [
        str(name)
        for name, table, kind, page in found
        if (name in {"claims", *ours} and (kind == "view" or (kind == "table" and page == 0)))
        or (kind == "trigger" and table in ours)
    ]


@dataclass(frozen=True)
class SqliteSource(SqliteCopies):
    """A database that is in use."""

    database: Path = field(kw_only=True)
    pause: Callable[[float], None] = field(default=time.sleep, kw_only=True)  # seconds

    def copy_to(self, path: Path) -> dict[str, Any]:
        """Write a consistent copy, a file of its own; returns its journal mode. Raises BackupFault."""
        try:
            source = sqlite3.connect(
                f"{self.database.absolute().as_uri()}?mode=rw",
                uri=True,
                timeout=LOCK_WAIT_S,
                isolation_level=None,
            )
            with closing(source), closing(sqlite3.connect(path)) as target:
                mode = str(source.execute("PRAGMA journal_mode").fetchone()[0])
                if mode == "wal":
                    _copy_as_of_now(source, target)
                else:
                    _copy_between_writers(source, target, self.pause)
                # One file, which can be read where nothing can be written; a restore gives the mode back.
                target.execute("PRAGMA journal_mode=DELETE")
        except sqlite3.Error as error:
            if "full" in str(error):
                raise BackupError(
                    f"The backup cannot be written to {path.parent.parent}: the disk is full. Nothing of it is left there."
                ) from error
            raise BackupError(explain(error, f"SQLite {self.database}")) from error
        return {"journal_mode": mode}


def _copy_as_of_now(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    """With a write-ahead log a reader holds nobody up: the state at this moment is read to its end.

    The transaction is what keeps the copy from beginning anew each time that somebody writes.
    """
    source.execute("BEGIN")
    source.execute("SELECT count(*) FROM sqlite_master").fetchone()
    source.backup(target, pages=_PAGES)
    source.execute("COMMIT")


def _copy_between_writers(
    source: sqlite3.Connection, target: sqlite3.Connection, pause: Callable[[float], None]
) -> None:
    """Without one, readers and writers exclude each other: a part at a time, so that others get in between.

    Whatever they write has the copy begin anew; where that happens too often, the rest is read at once, and they wait.
    """
    restarts, left_before = 0, -1

    def between(_status: int, left: int, _all: int) -> None:
        nonlocal restarts, left_before
        restarts += left >= left_before >= 0  # a step that went on from the one before leaves less
        left_before = left
        if restarts > _MOST_RESTARTS:
            raise _RestartedError
        pause(_BETWEEN_STEPS_S)

    try:
        source.backup(target, pages=_PAGES, progress=between)
    except _RestartedError:
        source.backup(target)

"""An SQLite database copied while others write to it, and a copy put in its place."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection

from recours.access import Access, make_alike
from recours.backup.folder import BackupError
from recours.database.border import TableNames
from recours.database.engine import LOCK_WAIT_S, Database, explain, files_of_sqlite

KIND, COPY = "sqlite", "database.sqlite"
_WAIT_S = 5.0  # for the end of a transaction


@contextmanager
def copying(database: Path, path: Path) -> Iterator[Connection]:
    """Write a consistent copy, a file of its own; gives a connection to it. Raises BackupError.

    In one step, so that it is consistent whatever others write. Where there is a write-ahead log, none of them waits.
    """
    address = f"{database.absolute().as_uri()}?mode=rw"
    try:
        with (
            closing(sqlite3.connect(address, uri=True, timeout=LOCK_WAIT_S)) as source,
            closing(sqlite3.connect(path)) as target,
        ):
            source.backup(target)
    except sqlite3.Error as error:
        if "full" in str(error):
            raise BackupError(
                f"The backup cannot be written to {path.parent.parent}: the disk is full. Nothing of it is left there."
            ) from error
        raise BackupError(explain(error, f"SQLite {database}")) from error
    copied = Database(URL.create("sqlite", database=str(path)))
    with closing(copied), copied.read() as connection:
        yield connection


@contextmanager
def replacing(
    path: Path, copied: Path, aside: Path, access: Access, names: TableNames, *, force: bool
) -> Iterator[Database]:
    """A copy that takes the place of the database at the end, which is then `aside`. Raises BackupError.

    `names`: what the service calls its claims. `force`: even in a transaction of others. If anything fails before, nothing
    is changed.
    """
    beside = path.with_name(f".{aside.name}.copy")
    try:
        access.make_folder(path.parent)
        if path.exists():
            make_alike(beside, path)
        else:
            access.create(beside)
        shutil.copyfile(copied, beside)
        with closing(Database(URL.create("sqlite", database=str(beside)), names=names)) as database:
            yield database
        if not force:
            _require_no_transaction(path)
        for present, kept in zip(files_of_sqlite(path), files_of_sqlite(aside), strict=True):
            if present.exists():
                present.rename(kept)
        beside.rename(path)
    except OSError as error:
        note = f"What was there is {aside}*." if aside.exists() else "Nothing was changed."
        raise BackupError(f"{path} cannot be replaced: {error.strerror or error}. {note}") from error
    finally:
        for file in files_of_sqlite(beside):
            file.unlink(missing_ok=True)


def _require_no_transaction(path: Path) -> None:
    """Raises BackupError if another program is writing: what it commits would go to the file that was put aside."""
    if not path.exists():
        return
    address = f"{path.absolute().as_uri()}?mode=rw"
    with closing(sqlite3.connect(address, uri=True, timeout=_WAIT_S, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            if "locked" in str(error):  # a damaged one is no reason to keep a good one back
                raise BackupError(
                    f"Another program has {path} in a transaction: stop the service's application, then repeat it. "
                    "The database was not touched."
                ) from error

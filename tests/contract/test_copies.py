"""Copies of an SQLite database during writes: consistent and complete, and no one waits forever."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from recours.admin.backup import BackupError, copying_of_sqlite
from tests.postgres import wait_until

ROWS = 3000


def copy(database: Path, path: Path) -> None:
    with copying_of_sqlite(database, path):
        pass


@pytest.fixture(params=["wal", "delete"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """Two tables of a few hundred pages whose sums are always equal."""
    path = tmp_path / "claims.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA journal_mode={request.param}")
        for table in ("one", "two"):
            connection.execute(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, n INTEGER, filler TEXT)")
            rows = ((number, "x" * 300) for number in range(ROWS))
            connection.executemany(f"INSERT INTO {table} (n, filler) VALUES (?, ?)", rows)
        connection.commit()
        yield path


def add_one(path: Path, number: int) -> None:
    """Add one to a row of each table, in one transaction, far from the previous row."""
    with closing(sqlite3.connect(path, timeout=30)) as connection:
        for table in ("one", "two"):
            connection.execute(f"UPDATE {table} SET n = n + 1 WHERE id = ?", (1 + number * 997 % ROWS,))
        connection.commit()


def sums(path: Path) -> tuple[int, int]:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        one, two = (
            connection.execute(f"SELECT sum(n) FROM {table}").fetchone()[0] for table in ("one", "two")
        )
        return one, two


def test_a_copy_includes_the_write_ahead_log(database: Path, tmp_path: Path) -> None:
    before = sums(database)[0]
    add_one(database, 1)
    with closing(
        sqlite3.connect(database)
    ) as reader:  # as long as it exists, nothing is removed from the log
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM one").fetchone()
        if reader.execute("PRAGMA journal_mode").fetchone() == ("wal",):
            for number in range(5):
                add_one(database, number)
            before += 5
        copy(database, tmp_path / "copy")
    assert sums(tmp_path / "copy") == (before + 1, before + 1)


def test_a_copy_is_a_single_file_in_the_same_mode(database: Path, tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    copy(database, tmp_path / "b" / "copy")
    modes = []
    for path in (database, tmp_path / "b" / "copy"):
        with closing(sqlite3.connect(path)) as connection:
            modes.append(connection.execute("PRAGMA journal_mode").fetchone()[0])
    assert modes[0] == modes[1]
    sums(tmp_path / "b" / "copy")
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["copy"]


@pytest.mark.full("a writer beside the copy: tests/acceptance/test_backup.py has runs beside it")
def test_a_copy_is_consistent_while_others_write(database: Path, tmp_path: Path) -> None:
    stop = threading.Event()
    written: list[int] = []

    def another(so_far: int) -> Callable[[], bool]:
        return lambda: len(written) > so_far

    def write() -> None:
        while not stop.is_set():
            add_one(database, len(written))
            written.append(1)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(5):
            wait_until(another(len(written)), "the writer waits for ever")
            copy(database, tmp_path / f"copy-{number}")
    finally:
        stop.set()
        writer.join(60)
    for number in range(5):
        one, two = sums(tmp_path / f"copy-{number}")
        assert one == two


def broken(path: Path) -> None:
    path.write_bytes(b"no database at all" * 1000)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [(broken, "is not a SQLite database"), (Path.unlink, "cannot be opened")],
)
def test_a_failed_copy_is_explained_in_a_sentence(
    tmp_path: Path, spoil: Callable[[Path], None], says: str
) -> None:
    path = tmp_path / "claims.db"
    path.touch()
    spoil(path)
    with pytest.raises(BackupError, match=says):
        copy(path, tmp_path / "copy")

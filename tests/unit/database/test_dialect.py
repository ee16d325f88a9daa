"""The differences between the two databases are in one place."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from recours import database
from recours.database.dialect import url_of_file
from recours.database.engine import Database, DatabaseError
from recours.database.schema.creation import create_file

FOLDER = Path(database.__file__).parent


def test_no_other_module_tells_the_databases_apart() -> None:
    names = re.compile(r"\"sqlite|\"postgresql|sqlite3|psycopg|sqlalchemy\.dialects")
    modules = {path.name for path in FOLDER.rglob("*.py") if names.search(path.read_text(encoding="utf-8"))}
    assert modules == {"dialect.py", "postgres.py"}


def test_an_older_sqlite_is_rejected_with_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "old.db"
    create_file(path)
    monkeypatch.setattr(sqlite3, "sqlite_version", "3.34.1")
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
    sentence = "cannot be used: this Python has SQLite 3.34.1, and recours needs 3.37 or newer."
    with pytest.raises(DatabaseError, match=sentence), closing(Database(url_of_file(path))) as opened:
        opened.all(text("SELECT 1"))
    with pytest.raises(DatabaseError, match=f"new.db {sentence}"):
        create_file(tmp_path / "new.db")
    assert [*tmp_path.iterdir()] == [path]

"""PostgreSQL's programs: their arguments, and the messages when they fail."""

import os
import re
from pathlib import Path

import pytest
from sqlalchemy import make_url

from recours.admin.backup import BackupError, conninfo, restore_into
from recours.database.engine import Database

SECRET = "pa's\"s word"
HERE = make_url("postgresql+psycopg://joe@db.example/claims")


def test_passwords_are_in_the_environment_and_not_among_the_arguments() -> None:
    url = make_url(
        "postgresql+psycopg://joe@db.example:5433/claims?sslmode=require&passfile=/x/pass&connect_timeout=3"
    )
    words, secrets = conninfo(Database(url.set(password=SECRET)))
    assert secrets == {"PGPASSWORD": SECRET, "PGPASSFILE": "/x/pass"}
    assert "pass" not in words
    for word in ("user=joe", "host=db.example", "port=5433", "dbname=claims", "sslmode=require"):
        assert word in words.split()


def test_a_secret_that_only_the_command_line_accepts_is_rejected() -> None:
    with pytest.raises(BackupError, match="accept sslpassword only on the command line"):
        conninfo(Database(make_url("postgresql+psycopg://joe@db/claims?sslpassword=x")))


def test_a_missing_pg_restore_is_reported_with_the_install_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        BackupError, match=r"pg_restore is not on the PATH.*apt-get install postgresql-client"
    ):
        restore_into(Database(HERE), tmp_path / "dump")


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("sleep 60", "it did not end within 0 s. The database is unchanged"),
        (
            "echo 'pg_restore: error: no space' >&2; echo 'detail' >&2; exit 1",
            "pg_restore: error: no space. The database is",
        ),
        ("exit 3", "it ended with status 3. The database is"),
    ],
)
def test_a_program_that_fails_or_does_not_end_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, says: str
) -> None:
    program = tmp_path / "pg_restore"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr("recours.admin.backup._DEADLINE_S", 0.3)
    with pytest.raises(BackupError, match=re.escape(says)):
        restore_into(Database(HERE), tmp_path / "dump")

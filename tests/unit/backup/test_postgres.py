"""PostgreSQL's programs: which of them is taken, and what they are told."""

import os
from pathlib import Path

import pytest
from sqlalchemy import make_url

from recours.backup import postgres
from recours.backup.folder import BackupError
from recours.backup.postgres import conninfo, faults
from recours.database.engine import Database

SECRET = "pa's\"s word"


def program(folder: Path, name: str, version: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version}.3'\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_passwords_are_in_the_environment_and_not_among_the_arguments() -> None:
    url = make_url(
        "postgresql+psycopg://joe@db.example:5433/claims?sslmode=require&passfile=/x/pass&connect_timeout=3"
    )
    words, secrets = conninfo(Database(url.set(password=SECRET)))
    assert secrets == {"PGPASSWORD": SECRET, "PGPASSFILE": "/x/pass"}
    assert "pass" not in words
    for word in ("user=joe", "host=db.example", "port=5433", "dbname=claims", "sslmode=require"):
        assert word in words.split()


def test_a_secret_that_only_a_command_line_could_carry_is_refused() -> None:
    with pytest.raises(BackupError, match="take sslpassword on their command line only"):
        conninfo(Database(make_url("postgresql+psycopg://joe@db/claims?sslpassword=x")))


def test_the_newest_program_that_can_read_the_server_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version in (9, 14, 16):
        program(tmp_path / str(version) / "bin", "pg_dump", version)
    on_path = program(tmp_path / "path", "pg_dump", 15)
    monkeypatch.setattr(postgres, "_FOLDERS", (f"{tmp_path}/[0-9]*/bin",))
    monkeypatch.setenv("PATH", str(on_path.parent))
    assert postgres._newest("pg_dump", at_least=15) == str(tmp_path / "16" / "bin" / "pg_dump")
    with pytest.raises(
        BackupError, match=r"pg_dump of version 17 or newer is needed.*Found: .*\(version 15\)"
    ):
        postgres._newest("pg_dump", at_least=17)
    monkeypatch.setattr(postgres, "_FOLDERS", ())
    assert postgres._newest("pg_dump", at_least=15) == str(on_path)


def test_without_any_program_it_is_said_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "_FOLDERS", (f"{tmp_path}/*/bin", "/no/such/folder/*"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BackupError, match="apt-get install postgresql-client"):
        faults(tmp_path / "dump")


@pytest.mark.parametrize("content", [b"", b"no dump", b"PGDMP" + os.urandom(400)])
def test_what_is_no_dump_is_said_to_be_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "dump").write_bytes(content)
    (fault,) = faults(tmp_path / "dump")
    assert fault.startswith("The dump cannot be read: pg_restore: ")

"""`recours restore` of a folder that somebody else made: nothing outside it is read, and nothing is read for ever."""

import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.person import Person
from tests.conftest import Kind

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS claim_id FROM n"


@pytest.fixture
def person(tmp_path: Path, kinds: Callable[[str], Kind]) -> Person:
    return Person(tmp_path, kinds("sqlite").ready(tmp_path).render_as_string())


@pytest.fixture
def made(person: Person, tmp_path: Path) -> Path:
    """A backup with a document that nobody knows of, which is as good as one that somebody does."""
    person.does("backup", str(tmp_path / "b"))
    (folder,) = (tmp_path / "b").iterdir()
    document = folder / "documents" / "chronopost" / "a.pdf"
    document.parent.mkdir(parents=True)
    document.write_bytes(b"%PDF-1.4")
    add(folder, "documents/chronopost/a.pdf", b"%PDF-1.4")
    return folder


def change(folder: Path, by: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    by(manifest)
    path.write_text(json.dumps(manifest), encoding="utf-8")


def add(folder: Path, name: str, content: bytes) -> None:
    facts = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    change(folder, lambda manifest: manifest["files"].update({name: facts}))


def is_refused(person: Person, folder: Path, says: str) -> None:
    """In a sentence, whatever is asked for, and before anything is put back. Person.types gives up after two minutes."""
    for options in (("--check",), ("--force",)):
        done = person.types("restore", *options, str(folder))
        assert done.returncode == 1, done.stdout
        assert says in done.stderr
        assert all(line.startswith(("Error: ", "WARNING: ")) for line in done.stderr.splitlines())
    assert list(person.folder.glob("claims.db.before-restore*")) == []
    assert not (person.folder / "data" / "pods").exists()


def test_the_folder_is_a_backup_before_it_is_spoilt(person: Person, made: Path) -> None:
    assert "The backup is whole" in person.does("restore", "--check", str(made))


@pytest.mark.sample("more cases of the same test, each around processes")
@pytest.mark.parametrize("name", ["manifest.json", "database.sqlite", "documents/chronopost/a.pdf"])
def test_a_pipe_is_not_read(person: Person, made: Path, name: str) -> None:
    (made / name).unlink()
    os.mkfifo(made / name)
    is_refused(person, made, "cannot be read: it is not a regular file")


@pytest.mark.sample("more cases of the same test, each around processes", every=4)
@pytest.mark.parametrize("name", ["manifest.json", "database.sqlite", "documents/chronopost/a.pdf"])
@pytest.mark.parametrize("to", ["/dev/zero", "/etc/passwd", "elsewhere"])
def test_a_link_is_not_followed(person: Person, made: Path, name: str, to: str) -> None:
    """Not even to the same content."""
    (made / name).rename(person.folder / "elsewhere")
    (made / name).symlink_to(person.folder / to)
    is_refused(person, made, "cannot be read: it is a link")


def test_a_folder_that_is_a_link_is_not_followed(person: Person, made: Path) -> None:
    (made / "documents").rename(person.folder / "elsewhere")
    (made / "documents").symlink_to(person.folder / "elsewhere")
    is_refused(person, made, "documents/chronopost/a.pdf cannot be read: documents is a link.")


def test_a_file_of_another_size_is_not_read(person: Person, made: Path) -> None:
    """A terabyte of nothing would take hours."""
    with (made / "documents" / "chronopost" / "a.pdf").open("r+b") as file:
        file.truncate(1 << 40)
    is_refused(person, made, "a.pdf is not what it was when the backup was made (another size or SHA-256)")


def test_a_manifest_of_terabytes_is_not_read(person: Person, made: Path) -> None:
    with (made / "manifest.json").open("r+b") as file:
        file.truncate(1 << 40)
    is_refused(person, made, "manifest.json cannot be read: it is not what a backup wrote")


@pytest.mark.sample("more cases of the same test, each around processes", every=4)
@pytest.mark.parametrize(
    "name",
    ["documents/a\0b", "documents/a\nb", "documents/\ud800", "documents//a", "documents/./a", "documents/", "", "/etc/passwd",
     "../x", "documents/C:a", "documents\\a", "documents/\u202ea"],
)  # fmt: skip
def test_a_name_that_no_backup_wrote_is_refused(person: Person, made: Path, name: str) -> None:
    add(made, name, b"")
    is_refused(person, made, "it is not what a backup wrote")


def _kind_of_another_type(manifest: dict[str, Any]) -> None:
    manifest["database"]["kind"] = ["sqlite"]


def _endless_size(manifest: dict[str, Any]) -> None:
    manifest["files"]["database.sqlite"]["size"] = float("inf")


def _no_year(manifest: dict[str, Any]) -> None:
    manifest["made_at"] = "0001-01-01T00:00:00+14:00"


@pytest.mark.sample("more cases of the same test, each around processes")
@pytest.mark.parametrize("by", [_kind_of_another_type, _endless_size, _no_year])
def test_a_value_that_no_backup_wrote_is_refused(
    person: Person, made: Path, by: Callable[[dict[str, Any]], object]
) -> None:
    change(made, by)
    is_refused(person, made, "it is not what a backup wrote")


@pytest.mark.sample("more cases of the same test, each around processes", every=2)
@pytest.mark.parametrize("script", [
    f"DROP TABLE recours_attempts; CREATE VIEW recours_attempts AS {ENDLESS}",
    f"DROP TABLE claims; CREATE VIEW claims AS {ENDLESS}",
    f"CREATE TRIGGER t AFTER UPDATE ON recours_attempts BEGIN INSERT INTO x {ENDLESS}; END",
    "DROP TABLE claims; CREATE VIRTUAL TABLE claims USING fts5(a)",
])  # fmt: skip
def test_a_copy_that_would_be_read_for_ever_is_refused(person: Person, made: Path, script: str) -> None:
    path = made / "database.sqlite"
    with closing(sqlite3.connect(path)) as copy:
        copy.executescript(
            f"CREATE TABLE x (claim_id); DROP VIEW recours_documents; PRAGMA legacy_alter_table=ON; {script}"
        )
    add(made, "database.sqlite", path.read_bytes())
    is_refused(person, made, "The copy of the database is none that recours made")


def test_a_column_that_would_fill_the_memory_is_refused(person: Person, made: Path) -> None:
    path = made / "database.sqlite"
    with closing(sqlite3.connect(path)) as copy:
        columns = "id, claim_id, document_sha256, document_size, document_path AS (hex(zeroblob(200000000)))"
        copy.executescript(
            f"DROP VIEW recours_documents; DROP TABLE recours_attempts; CREATE TABLE recours_attempts ({columns});"
            "INSERT INTO recours_attempts (id) VALUES (1)"
        )
    add(made, "database.sqlite", path.read_bytes())
    change(made, lambda manifest: manifest["counts"].update(attempts=1))
    is_refused(person, made, "cannot be used: string or blob too big")


def test_what_lies_in_the_way_of_a_document_is_left_alone(person: Person, made: Path) -> None:
    place = person.folder / "data" / "pods" / "chronopost" / "a.pdf"
    place.parent.mkdir(parents=True)
    os.mkfifo(place)
    done = person.types("restore", str(made))
    assert done.returncode == 1
    assert f"Error: {place} cannot be written: it is not a regular file" in done.stderr
    assert list(person.folder.glob("claims.db.before-restore*")) == []


def test_pipes_and_links_that_nobody_named_are_told(person: Person, made: Path) -> None:
    os.mkfifo(made / "pipe")
    (made / "link").symlink_to("/dev/zero")
    (made / "round").symlink_to(made)
    done = person.types("restore", "--check", str(made))
    assert done.returncode == 0, done.stderr
    assert [f"WARNING: {name} does not belong to the backup." for name in ("link", "pipe", "round")] == (
        done.stderr.splitlines()
    )


def test_a_backup_does_not_wait_for_a_pipe_among_the_documents(person: Person, made: Path) -> None:
    shutil.rmtree(made)
    pipe = person.folder / "data" / "pods" / "chronopost" / "a.pdf"
    pipe.parent.mkdir(parents=True)
    os.mkfifo(pipe)
    with closing(sqlite3.connect(person.folder / "claims.db")) as database:
        database.execute(
            "INSERT INTO recours_attempts (claim_id, tracking_number, turn, duration_s, calls, worker, run_id, carrier, outcome, used, started_at, document_path,"
            " document_sha256, document_size) VALUES (1, 'X', 1, 0, 0, 'w', 'r', 'chronopost', 'success', 1, '2026-02-02 08:00:00', ?, '', 1)",
            [str(pipe)],
        )
        database.commit()
    done = person.types("backup", str(person.folder / "c"))
    assert done.returncode == 1
    assert f"Error: {pipe} cannot be read: it is not a regular file. No backup was made" in done.stderr

"""`recours backup` and `restore`: copies made during runs are verified and restored, and problems are reported."""

import hashlib
import json
import os
import shlex
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from recours.database.engine import Database
from recours.sandbox import Sandbox, Scenario, SimulatedClock
from tests.acceptance.person import Person
from tests.acceptance.simulation import Service
from tests.conftest import Kind
from tests.postgres import wait_until

ROOT = Path(__file__).resolve().parents[2]
KNOWN = "SELECT document_path, document_sha256 FROM recours_attempts WHERE document_path IS NOT NULL ORDER BY claim_id"


@pytest.fixture
def filled(service: Service) -> Service:
    """A service with two PODs and one claim without."""
    for steps in ((Scenario.DELIVERED,), (Scenario.DELIVERED,), (Scenario.UNKNOWN,) * 9):
        service.add(*steps)
    assert service.run().stats.success == 2
    return service


def backup_of(person: Person) -> Path:
    person.does("backup", str(person.folder / "backups"))
    (copy,) = (person.folder / "backups").glob("recours-backup-*")
    return copy


def recorded(database: Database) -> list[tuple[Any, ...]]:
    with database.read() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(KNOWN)]


def all_documents(known: list[tuple[Any, ...]]) -> bool:
    return all(hashlib.sha256(Path(path).read_bytes()).hexdigest() == digest for path, digest in known)


def restored(person: Person, backup: Path, kind: Kind, name: str) -> tuple[Person, Database]:
    """A person on another machine with an empty database and an empty folder."""
    folder = person.folder / name
    folder.mkdir()
    if make_url(person.url).get_backend_name() == "sqlite":
        url = f"sqlite:///{folder / 'claims.db'}"
    else:
        url = kind.empty(folder).render_as_string(hide_password=False)
    settings = {key: value for key, value in person.settings.items() if key != "RECOURS_POD_DIR"}
    other = Person(folder, url, settings)
    other.does("restore", str(backup))
    return other, Database(make_url(url))


# ---------------------------------------------------------------- there and back


def test_a_backup_restored_on_another_machine_is_identical(
    filled: Service, person: Person, kind: Kind, tmp_path: Path
) -> None:
    copy = backup_of(person)
    said = person.does("restore", "--check", str(copy))
    assert "3 claims, 3 attempts, 2 documents" in said
    assert "The backup is complete" in said
    other, database = restored(person, copy, kind, "elsewhere")
    known = recorded(database)
    assert [Path(path).parents[3] for path, _ in known] == [tmp_path / "elsewhere" / "data" / "pods"] * 2
    assert all_documents(known)
    with database.read() as connection:
        urls = connection.exec_driver_sql("SELECT pod_url FROM claims ORDER BY id").scalars().all()
        mine = connection.exec_driver_sql(
            "SELECT id, pod_fetch_status, pod_retry_count FROM claims ORDER BY id"
        ).all()
    assert urls == [*(path for path, _ in known), None]
    assert [tuple(row) for row in mine] == filled.sql(
        "SELECT id, pod_fetch_status, pod_retry_count FROM claims ORDER BY id"
    )
    database.close()
    assert "Chronopost" in other.does("carriers")  # a run could begin


def test_results_owed_to_the_service_name_the_restored_documents(
    filled: Service, person: Person, kind: Kind, tmp_path: Path
) -> None:
    """The service's table, which has a different name here, was locked for the whole run."""
    person = Person(person.folder, person.url, {**person.settings, "RECOURS_CLAIMS_TABLE": "dossiers"})
    ((path,),) = filled.sql("SELECT pod_url FROM claims WHERE id = 1")
    owed = json.dumps(
        {"pod_fetch_status": "success", "pod_url": path, "pod_fetched_at": "2026-02-02T03:00:00"}
    )
    filled.sql(
        f"UPDATE recours_claims SET owed = '{owed}', owed_since = '2026-02-02 03:00:00' WHERE claim_id = 1"
    )
    filled.sql("UPDATE claims SET pod_url = NULL WHERE id = 1")
    filled.sql("ALTER TABLE claims RENAME TO dossiers")
    _, database = restored(person, backup_of(person), kind, "elsewhere")
    with database.read() as connection:
        text = connection.exec_driver_sql("SELECT owed FROM recours_claims WHERE claim_id = 1").scalar_one()
        other = connection.exec_driver_sql("SELECT pod_url FROM dossiers WHERE id = 2").scalar_one()
    database.close()
    pods = tmp_path / "elsewhere" / "data" / "pods"
    assert json.loads(text) == json.loads(owed) | {
        "pod_url": str(pods / Path(path).relative_to(Path(path).parents[3]))
    }
    assert [Path(each).is_file() for each in (json.loads(text)["pod_url"], other)] == [True, True]


def test_a_backup_contains_all_evidence_including_refused_files(
    service: Service, person: Person, kind: Kind, tmp_path: Path
) -> None:
    """With UPS: a page that proves nothing, and a signature and a photo that do."""
    service.add(Scenario.PARTLY_HOLLOW, carrier="UPS")
    assert service.run().stats.success == 1
    copy = backup_of(person)
    assert "The backup is complete" in person.does("restore", "--check", str(copy))
    _, database = restored(person, copy, kind, "elsewhere")
    pods = tmp_path / "elsewhere" / "data" / "pods"
    with database.read() as connection:
        query = "SELECT path, sha256, refused IS NOT NULL FROM recours_evidence ORDER BY 3"
        found = [tuple(row) for row in connection.exec_driver_sql(query)]
    database.close()
    assert [Path(path).parents[2] for path, *_ in found] == [
        pods / "ups",
        pods / "ups",
        pods / "refused" / "ups",
    ]
    assert all_documents([(path, sha256) for path, sha256, _ in found])


def test_the_folder_contains_the_listed_files_and_is_private(filled: Service, person: Person) -> None:
    copy = backup_of(person)
    subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=copy, check=True, capture_output=True
    )
    sums = (copy / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    files = {path.relative_to(copy).as_posix() for path in copy.rglob("*") if path.is_file()}
    assert files == {*(line.split("  ")[1] for line in sums), "SHA256SUMS"}
    for path in (copy, *copy.rglob("*")):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600)
    secret = person.settings["CHRONOPOST_PASSWORD"].encode()
    assert not [path for path in copy.rglob("*") if path.is_file() and secret in path.read_bytes()]


@contextmanager
def runs_at_full_speed(service: Service) -> Iterator[Callable[[], int]]:
    """Run schedulers without a pause while new claims are added; yield the number of documents recorded so far."""
    stop, faults = threading.Event(), []

    def work() -> None:
        try:
            while not stop.is_set():
                for _ in range(20):
                    service.add(Scenario.DELIVERED)
                service.run(batch_size=10000)
        except BaseException as error:
            faults.append(error)
            raise

    thread = threading.Thread(target=work)
    thread.start()
    database = Database(make_url(service.environment["DATABASE_URL"]))

    def documents() -> int:
        assert not faults
        return len(recorded(database))

    try:
        yield documents
    finally:
        stop.set()
        thread.join(60)
        database.close()
        assert not faults


@pytest.mark.sample("more cases of the same test, each around processes")
@pytest.mark.parametrize(
    ("kind", "mode"),
    [("sqlite", "as it is"), ("sqlite", "DELETE"), ("postgresql", "as it is")],
    indirect=["kind"],
)
def test_a_backup_during_runs_is_consistent(
    service: Service, person: Person, kind: Kind, mode: str, url: str
) -> None:
    if mode == "DELETE":  # a service that uses no write-ahead log
        with closing(sqlite3.connect(str(service.settings.database_url.database))) as connection:
            connection.execute("PRAGMA journal_mode=DELETE")
    with runs_at_full_speed(service) as documents:
        wait_until(lambda: documents() > 0, "no document comes")
        before = documents()
        backup = backup_of(person)
        after = documents()
        wait_until(lambda: documents() > after, "the runs are stalled")
    assert "The backup is complete" in person.does("restore", "--check", str(backup))
    count = json.loads((backup / "backup.json").read_text())["documents"]
    assert before <= count <= after
    _, database = restored(person, backup, kind, "restored")
    known = recorded(database)
    database.close()
    assert len(known) == count
    assert all_documents(known)
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(person.folder / "restored" / "claims.db")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert connection.execute("PRAGMA journal_mode").fetchone()[0] == (
                "wal" if mode != "DELETE" else "delete"
            )


# ---------------------------------------------------------------- what a backup meets


def test_a_missing_or_altered_document_is_reported_and_the_others_are_copied(
    filled: Service, person: Person
) -> None:
    (missing, _), (altered, _) = recorded_of(filled)
    Path(missing).unlink()
    Path(altered).write_bytes(b"another")
    done = person.types("backup", str(person.folder / "b"))
    assert done.returncode == 0, done.stderr
    assert f"WARNING: {missing} is in the database but not on disk." in done.stderr
    assert f"WARNING: {altered} has changed since it was fetched" in done.stderr
    (copy,) = (person.folder / "b").iterdir()
    checked = person.types("restore", "--check", str(copy))
    assert (checked.returncode, checked.stderr.count("WARNING: ")) == (0, 2), checked.stderr


def test_a_file_outside_the_document_folder_is_not_copied(filled: Service, person: Person) -> None:
    """Even if a row names such a file, for example the settings with their passwords."""
    (path, _), _ = recorded_of(filled)
    outside = person.folder / ".env.pdf"
    outside.write_text("A_PASSWORD=x", encoding="utf-8")
    way_out = str(Path(path).parent / ".." / ".." / ".." / ".." / ".env.pdf")
    filled.sql("UPDATE recours_evidence SET path = ? WHERE path = ?", str(outside), path)
    filled.sql("UPDATE recours_attempts SET document_path = ? WHERE document_path = ?", way_out, path)
    facts = person.json("backup", str(person.folder / "b"))
    assert {fault.split(" is outside ")[0] for fault in facts["documents_missing"]} == {str(outside), way_out}
    assert not [path for path in Path(facts["folder"]).rglob("*") if path.name.startswith(".env")]


def recorded_of(service: Service) -> list[tuple[Any, ...]]:
    return service.sql(KNOWN)


def check_nothing_looks_complete(parent: Path) -> bool:
    return not parent.exists() or list(parent.iterdir()) == []


def test_an_unreadable_document_ends_the_backup_and_leaves_nothing(filled: Service, person: Person) -> None:
    (path, _), _ = recorded_of(filled)
    Path(path).unlink()
    Path(path).mkdir()
    done = person.types("backup", str(person.folder / "b"))
    assert done.returncode == 1
    assert f"Error: {path} cannot be read: Is a directory. No backup was made" in done.stderr
    assert check_nothing_looks_complete(person.folder / "b")


def on_a_full_disk(person: Person, blocks: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A limit on file sizes simulates a full disk. No bytecode is written, because half a module would remain."""
    command = shlex.join([sys.executable, "-B", "-m", "recours", *arguments])
    return subprocess.run(
        ["bash", "-c", f"ulimit -f {blocks}; exec {command}"],
        cwd=ROOT,
        env=person.environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )


def test_a_full_disk_ends_the_backup_and_leaves_nothing(filled: Service, person: Person) -> None:
    for path, _ in recorded_of(filled):
        Path(path).write_bytes(b"x" * 2_000_000)
    done = on_a_full_disk(person, 8, "backup", str(person.folder / "b"))
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stderr.startswith("Error: ")
    assert "Traceback" not in done.stderr
    assert check_nothing_looks_complete(person.folder / "b")


def test_no_backup_is_overwritten_or_written_into_a_file(filled: Service, person: Person) -> None:
    (person.folder / "file").write_text("")
    done = person.types("backup", str(person.folder / "file"))
    assert (done.returncode, "is a file" in done.stderr) == (2, True)
    done = person.types("backup", str(person.folder / "file" / "below"))
    assert (done.returncode, "The backup cannot be written to" in done.stderr) == (1, True)
    assert (person.folder / "file").read_text() == ""


# ---------------------------------------------------------------- what is wrong with a backup


def _lose(backup: Path) -> str:
    path = next(backup.rglob("*.pdf"))
    path.unlink()
    return f"{path.relative_to(backup)} cannot be read: No such file"


def _spoil_database(backup: Path) -> str:
    path = next(
        path for path in (backup / "database.sqlite", backup / "database.dump" / "toc.dat") if path.exists()
    )
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    return f"{path.name} has changed since the backup was made"


def _no_sums(backup: Path) -> str:
    (backup / "SHA256SUMS").unlink()
    return "is not a complete backup (No such file or directory)"


def _other_schema(backup: Path) -> str:
    facts, sums = backup / "backup.json", backup / "SHA256SUMS"
    before = hashlib.sha256(facts.read_bytes()).hexdigest()
    facts.write_text(json.dumps(json.loads(facts.read_text("utf-8")) | {"schema": "9999"}), encoding="utf-8")
    after = hashlib.sha256(facts.read_bytes()).hexdigest()
    sums.write_text(sums.read_text(encoding="utf-8").replace(before, after), encoding="utf-8")
    return "The backup has schema 9999, but this version of recours has"


FAULTS = [_lose, _spoil_database, _no_sums, _other_schema]


def test_a_faulty_backup_is_reported_and_not_restored(filled: Service, person: Person) -> None:
    copy = backup_of(person)
    before = filled.sql("SELECT * FROM claims ORDER BY id")
    for spoil in FAULTS:
        backup = person.folder / f"spoilt{spoil.__name__}"
        shutil.copytree(copy, backup)
        says = spoil(backup)
        for arguments in (("--check",), ("--force",)):
            done = person.types("restore", *arguments, str(backup))
            assert done.returncode == 1, (spoil, done.stdout)
            assert says in done.stderr, (spoil, done.stderr)
    assert filled.sql("SELECT * FROM claims ORDER BY id") == before
    assert list(person.folder.glob("claims.db.before-restore*")) == []


# ---------------------------------------------------------------- putting it back in place (SQLite)


@pytest.fixture
def own(
    tmp_path: Path, kinds: Callable[[str], Kind], sandbox: Sandbox, clock: SimulatedClock
) -> Iterator[Service]:
    """A service on SQLite with two PODs."""
    url = kinds("sqlite").ready(tmp_path).render_as_string()
    service = Service(tmp_path, sandbox, clock, url=url)
    for _ in range(2):
        service.add(Scenario.DELIVERED)
    assert service.run().stats.success == 2
    yield service
    service.close()


def me(service: Service) -> Person:
    return Person.of(service, service.environment["DATABASE_URL"])


def test_a_restore_keeps_the_old_database_and_overwrites_no_document(own: Service) -> None:
    person = me(own)
    copy = backup_of(person)
    (first, _), (second, digest) = recorded_of(own)
    own.add(Scenario.DELIVERED)
    own.run()
    Path(first).write_bytes(b"scanned again")
    Path(second).unlink()
    own.close()
    done = person.types("restore", str(copy))
    assert done.returncode == 0, done.stderr
    assert f"WARNING: {first} differs from the backup; it was not changed." in done.stderr
    assert "1 missing document restored." in done.stdout
    assert "are not counted. Lower the QUOTA_ settings" in done.stdout
    assert Path(first).read_bytes() == b"scanned again"
    assert all_documents([(second, digest)])
    (aside,) = person.folder.glob("claims.db.before-restore-*Z")
    for path, claims in ((aside, 3), (person.folder / "claims.db", 2)):
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("SELECT count(*) FROM claims").fetchone() == (claims,)
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert list(person.folder.glob(".claims.db.restoring*")) == []


def test_a_restore_keeps_the_permissions_of_the_database(own: Service) -> None:
    """Even if root restores it for a job of another user."""
    person = me(own)
    copy = backup_of(person)
    own.close()
    path = person.folder / "claims.db"
    path.chmod(0o660)
    if os.geteuid() == 0:
        os.chown(path, 65534, 65533)
    before = path.stat()
    person.does("restore", str(copy))
    after = path.stat()
    assert after.st_ino != before.st_ino
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)


def test_during_a_run_nothing_is_restored_unless_forced(own: Service) -> None:
    person = me(own)
    copy = backup_of(person)
    now = datetime.now(UTC)
    at = f"{now:%Y-%m-%d %H:%M:%S}.000000"
    until = f"{now + timedelta(minutes=9):%Y-%m-%d %H:%M:%S}.000000"
    own.sql("UPDATE recours_claims SET lease_token = 'x', lease_until = ? WHERE claim_id = 1", until)
    own.sql("INSERT INTO recours_runs (id, worker, started_at) VALUES ('r', 'pod_retry_scheduler', ?)", at)
    done = person.types("restore", str(copy))
    assert done.returncode == 1
    assert "claims being fetched: 1, unfinished runs: 1. Disable the jobs" in done.stderr
    assert list(person.folder.glob("*.before-restore*")) == []
    assert person.types("restore", "--force", str(copy)).returncode == 0
    assert len(list(person.folder.glob("*.before-restore*Z"))) == 1


def test_while_the_service_writes_nothing_is_restored_unless_forced(own: Service) -> None:
    person = me(own)
    copy = backup_of(person)
    own.close()
    path = person.folder / "claims.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as service:
        service.execute("BEGIN IMMEDIATE")
        service.execute("UPDATE claims SET amount_requested = 77")
        refused = person.types("restore", str(copy))
        assert refused.returncode == 1
        assert f"Another program has an open transaction on {path}" in refused.stderr
        service.execute("COMMIT")
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT DISTINCT amount_requested FROM claims").fetchall() == [(77,)]
    person.does("restore", str(copy))


def test_a_damaged_database_is_replaced_only_if_forced(own: Service) -> None:
    person = me(own)
    copy = backup_of(person)
    own.close()
    for path in person.folder.glob("claims.db*"):
        path.unlink()
    (person.folder / "claims.db").write_bytes(b"no database at all" * 1000)
    done = person.types("restore", str(copy))
    assert (done.returncode, "Cannot check whether a run is in progress" in done.stderr) == (1, True)
    person.does("restore", "--force", str(copy))
    assert "Chronopost" in person.does("carriers")


def test_a_full_disk_during_a_restore_does_not_change_the_database(own: Service) -> None:
    person = me(own)
    copy = backup_of(person)
    before = own.sql("SELECT * FROM claims ORDER BY id")
    done = on_a_full_disk(person, 8, "restore", str(copy))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("Error: ")
    assert own.sql("SELECT * FROM claims ORDER BY id") == before
    assert list(person.folder.glob(".claims.db.restoring*")) == []


# ---------------------------------------------------------------- PostgreSQL


def test_a_server_database_that_is_not_empty_is_not_changed(
    tmp_path: Path, kinds: Callable[[str], Kind]
) -> None:
    person = Person(tmp_path, kinds("postgresql").ready(tmp_path).render_as_string(hide_password=False))
    copy = backup_of(person)
    done = person.types("restore", str(copy))
    assert done.returncode == 1
    assert (
        "is not empty, and recours restores only into an empty database. Create a database (createdb NAME)"
        in done.stderr
    )


def test_a_backup_of_another_kind_of_database_is_refused(
    tmp_path: Path, kinds: Callable[[str], Kind]
) -> None:
    person = Person(tmp_path, kinds("sqlite").ready(tmp_path).render_as_string())
    copy = backup_of(person)
    other = kinds("postgresql").empty(tmp_path).render_as_string(hide_password=False)
    done = person.types("restore", str(copy), "--database-url", other)
    assert (done.returncode, "This backup contains a sqlite database" in done.stderr) == (1, True)

"""The commands of `recours`, run from a shell."""

import http.client
import os
import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from recours.core.outcome import begins_as
from tests.planted import MARK
from tests.processes.commands import FROM_NOTHING, Done, run

ROOT = Path(__file__).resolve().parents[2]


def recours(*arguments: str, from_nothing: bool = False, **settings: str) -> Done:
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8", **settings}
    return run(["-m", "recours", *arguments], environment, ROOT, from_nothing=from_nothing or FROM_NOTHING)


def test_the_demo_shows_what_a_newcomer_should_see() -> None:
    done = recours("demo", from_nothing=True)
    assert done.returncode == 0, done.stderr
    for sign in (
        "1 h ✅ POD",
        "1 h pod never available",
        "invalid tracking, no call",
    ):
        assert sign in done.stdout
    assert (
        "1 h not found → 7 h not found → 31 h not found → 103 h not found   [4 retries, given up]"
        in done.stdout
    )
    log, pods, database = (_path(done.stdout, what) for what in ("log", "PODs", "database"))
    for sign in ("✅ SUCCESS", "⏭️ SKIPPED", "🛑 FINAL FAILURE", "is at its limit"):
        assert sign in log.read_text(encoding="utf-8")
    with closing(sqlite3.connect(database)) as connection:
        paths = [Path(row[0]) for row in connection.execute("SELECT path FROM recours_documents")]
    assert len(paths) > 15
    assert all(path.is_relative_to(pods) and begins_as(path.read_bytes(), html=True) for path in paths)
    assert len(list(_path(done.stdout, "emails").glob("*.eml"))) > 5


def _path(shown: str, what: str) -> Path:
    found = re.search(rf"  {what}: (.+)", shown)
    assert found, shown
    return Path(found[1])


def test_help_names_every_command() -> None:
    done = recours("--help")
    assert done.returncode == 0
    assert all(name in done.stdout for name in ("carriers", "demo", "init-db", "sandbox"))


def test_a_misspelt_command_gets_a_sentence() -> None:
    done = recours("intdb")
    assert done.returncode == 2
    assert "No such command 'intdb'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("tables", ["none", "the service's own"])
def test_init_db_creates_or_completes_a_database(tmp_path: Path, tables: str) -> None:
    path = tmp_path / "named.db"
    if tables != "none":
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(
                "CREATE TABLE claims (id INTEGER PRIMARY KEY, claim_reference TEXT, carrier TEXT, tracking_number TEXT)"
            )
            connection.execute("INSERT INTO claims (claim_reference) VALUES ('CLM-1')")
            connection.commit()
    done = recours("init-db", DATABASE_PATH=str(path))
    assert done.returncode == 0, done.stderr
    with closing(sqlite3.connect(path)) as connection:
        columns = {row[1] for row in connection.execute("PRAGMA table_info(claims)")}
        assert {"pod_retry_count", "pod_last_retry_at", "pod_fetch_status"} <= columns
        found = connection.execute("SELECT count(*) FROM claims").fetchone()
        assert found == ((0,) if tables == "none" else (1,))
        assert connection.execute("SELECT count(*) FROM clients").fetchone() == (0,)
    again = recours("init-db", DATABASE_PATH=str(path))
    assert again.returncode == 0
    assert "the schema is already up to date" in again.stdout


def test_init_db_reports_errors(tmp_path: Path) -> None:
    wrong = recours("init-db", "--database-url", "mysql://x/y")
    assert (wrong.returncode, "only SQLite and PostgreSQL" in wrong.stderr) == (2, True)
    (tmp_path / "not.db").write_text("this is no database, and long enough to be sure of it\n" * 30)
    broken = recours("init-db", DATABASE_PATH=str(tmp_path / "not.db"))
    assert (broken.returncode, "is not a SQLite database" in broken.stderr) == (1, True)


@pytest.mark.sample("more cases of the same test, each around processes")
@pytest.mark.parametrize("command", ["init-db", "status", "carriers"])
def test_a_missing_driver_is_reported_with_the_install_command(tmp_path: Path, command: str) -> None:
    (tmp_path / "psycopg.py").write_text("raise ModuleNotFoundError('not here', name='psycopg')")
    url = f"postgresql://user:{MARK}@127.0.0.1:1/name"
    done = recours(command, from_nothing=True, DATABASE_URL=url, PYTHONPATH=str(tmp_path))
    install = f'{sys.executable} -m pip install "psycopg[binary]"'
    assert (
        done.stderr
        == f"Error: PostgreSQL needs the package psycopg, which is not installed for this Python: {install}\n"
    )
    assert done.returncode == 1


@pytest.mark.skipif(os.name == "nt", reason="there, Ctrl-C cannot be sent to one child alone")
def test_the_sandbox_serves_until_it_is_stopped() -> None:
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "recours", "sandbox", "--port", "0", "--mail-port", "0"]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as box:
        assert box.stdout
        port = None
        for line in box.stdout:
            if found := re.search(r"CHRONOPOST_BASE_URL=http://127\.0\.0\.1:(\d+)", line):
                port = int(found[1])
            if "Ctrl-C" in line:
                break
        assert port
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/tracking-cxf/TrackingServiceWS")
        assert connection.getresponse().status == 405
        connection.close()
        box.send_signal(signal.SIGINT)
        try:
            assert box.wait(10) == 0
        finally:
            box.kill()  # if SIGINT were ignored, waiting would never end

"""External effects of a run are on disk first: after a power failure they are not repeated.

The tests inspect the system calls of a whole run, because only synced data survives a power failure.
"""

import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import URL

from recours.carriers.registry import CATALOG
from recours.core.errors import Actor
from recours.core.mail import Event, EventName
from recours.database.engine import Database
from recours.database.mail_outbox import MailOutbox
from recours.database.schema import inspection
from recours.database.schema.creation import create_file
from recours.sandbox import MailSandbox, Sandbox
from tests.conftest import add_claims, environment_of
from tests.needs import missing, program

ROOT = Path(inspection.__file__).parents[3]
MODES = ("wal", "delete")  # the others are private to each connection
_CALL = re.compile(r"^\d+ +(\w+)\((.*)$")
_FILE = re.compile(r"^\d+<([^>]+)>")
_PEER = re.compile(r"^\d+<TCP(?:v6)?:\[.*->.*:(\d+)\]>, \"(.*)")


@dataclass
class Disk:
    """What a power failure would leave of a database, as far as the system calls show."""

    database: Path
    dirty: set[str] = field(default_factory=set)  # files written since their last sync, changed folders
    writes: int = 0

    def saw(self, name: str, rest: str) -> None:
        if name in ("unlink", "unlinkat") and f"{self.database}-journal" in rest:
            self.dirty.add(str(self.database.parent))
        found = _FILE.match(rest)
        if found is None or not found[1].startswith(str(self.database.parent)):
            return
        is_index = found[1].endswith("-shm")  # the next program to open it creates it again
        if name in ("pwrite64", "ftruncate") and found[1].startswith(str(self.database)) and not is_index:
            self.writes += 1
            self.dirty.add(found[1])
        elif name in ("fsync", "fdatasync"):
            self.dirty.discard(found[1])


@pytest.fixture(params=MODES)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A database in one of SQLite's modes, in its own folder."""
    (tmp_path / "data").mkdir()
    made = tmp_path / "data" / "claims.db"
    create_file(made)
    with closing(sqlite3.connect(made)) as connection:
        connection.execute(f"PRAGMA journal_mode={request.param}")
    return made


def calls_of_run(path: Path, environment: dict[str, str]) -> Iterator[tuple[str, str]]:
    """The system calls of a scheduler's run that write, sync or send, in order."""
    trace = path.parent.parent / "trace"
    strace = [program("strace", "strace"), "-f", "-yy", "-s", "40", "-o", str(trace)]
    kinds = "pwrite64,ftruncate,unlink,unlinkat,fsync,fdatasync,sendto"
    if subprocess.run([*strace, "true"], check=False, capture_output=True).returncode:
        missing("strace may not trace here")
    command = [
        *strace,
        "-e",
        f"trace={kinds}",
        sys.executable,
        str(ROOT / "scripts" / "pod_retry_scheduler.py"),
    ]
    done = subprocess.run(
        command, env=environment, cwd=path.parent, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    for line in trace.read_text(encoding="utf-8", errors="replace").splitlines():
        if found := _CALL.match(line):
            yield found[1], found[2]


@pytest.mark.sample("more cases of the same test, each around processes")
def test_units_and_emails_are_on_the_disk_before_they_are_spent(path: Path, tmp_path: Path) -> None:
    database = Database(URL.create("sqlite", database=str(path)))
    add_claims(database, [{}])
    mailbox = MailOutbox(database, CATALOG, "0" * 32)
    facts = {"carrier": "UPS", "reason": "Invalid Password"}
    mailbox.add_event(
        Event(EventName.ACCOUNT_FAULT, Actor.OPERATOR, "ups", "2026-02-02", facts), datetime.now(UTC)
    )
    database.close()
    disk, data_was_asked_for = Disk(path), False
    spent: list[tuple[str, set[str], int]] = []
    with Sandbox(now=lambda: datetime.now(UTC)) as box, MailSandbox(tmp_path / "post") as post:
        environment = environment_of(f"sqlite:///{path}", box.url) | post.environment()
        environment |= {
            "ADMIN_EMAIL": "boss@shop.example",
            "RECOURS_WEEKLY_REPORT": "false",
            "RECOURS_POD_DIR": str(tmp_path / "pods"),
            "RECOURS_LOG_DIR": str(tmp_path / "logs"),
        }
        ports = {box.url.rpartition(":")[2].strip("/"): "call", environment["SMTP_PORT"]: "mail"}
        for name, rest in calls_of_run(path, environment):
            disk.saw(name, rest)
            peer = _PEER.match(rest) if name == "sendto" else None
            what = ports.get(peer[1]) if peer else None
            if peer and (what == "call" or (what == "mail" and data_was_asked_for)):
                spent.append((str(what), set(disk.dirty), disk.writes))
            if peer and what == "mail":
                data_was_asked_for = peer[2].upper().startswith("DATA")
        assert len(post.files) == 1
        assert len(box.calls) == 2
    assert [what for what, _, _ in spent] == ["call", "call", "mail"]
    writes = [count for _, _, count in spent]
    # A reservation for both claims is written before the first call, and the email's state before it is sent.
    assert 0 < writes[0] == writes[1] < writes[2]
    assert [dirty for _, dirty, _ in spent] == [set()] * 3


@pytest.mark.sample("more cases of the same test, each around processes")
@pytest.mark.parametrize(("mode", "usual", "safe"), [("wal", 1, 2), ("delete", 2, 3)])
def test_only_what_is_spent_outside_waits_for_the_disk(
    tmp_path: Path, mode: str, usual: int, safe: int
) -> None:
    path = tmp_path / "claims.db"
    create_file(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA journal_mode={mode}")
    database = Database(URL.create("sqlite", database=str(path)))
    ways = {
        usual: [database.write, database.read],
        safe: [lambda: database.write(durable=True)],
    }
    for _ in range(2):
        for expected, opened in ways.items():
            for way in opened:
                with way() as connection:
                    assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == expected
    database.close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == (mode,)

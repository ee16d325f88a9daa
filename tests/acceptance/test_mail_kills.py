"""The real scheduler is killed at each step around sending a mail: none is lost, and none is sent twice."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from recours.database.schema.creation import create_file
from recours.sandbox import Sandbox
from tests.fakes.smtp import MailServer

pytestmark = pytest.mark.full("kills beside mails: tests/chaos/test_enumerated.py has kills")

ROOT = Path(__file__).resolve().parents[2]

# Where the process dies: a method of ours, before or after its work.
POINTS = {
    "before the mail is kept": ("recours.database.mail_outbox", "MailOutbox", "write", "before"),
    "after the mail was kept": ("recours.database.mail_outbox", "MailOutbox", "write", "after"),
    "before it is taken in hand": ("recours.database.mail_outbox", "MailOutbox", "take", "before"),
    "after it was taken in hand": ("recours.database.mail_outbox", "MailOutbox", "take", "after"),
    "before the connection": ("recours.notifications.smtp", "SmtpConnection", "log_in", "before"),
    "after the connection": ("recours.notifications.smtp", "SmtpConnection", "log_in", "after"),
    "before it is marked": ("recours.database.mail_outbox", "MailOutbox", "sending", "before"),
    "after it was marked": ("recours.database.mail_outbox", "MailOutbox", "sending", "after"),
    "after the server's 250": ("recours.notifications.smtp", "SmtpConnection", "send", "after"),
    "before the record": ("recours.database.mail_outbox", "MailOutbox", "end", "before"),
    "after the record": ("recours.database.mail_outbox", "MailOutbox", "end", "after"),
}
# From here to there nobody can know whether the server took it.
UNDECIDABLE = {"after it was marked", "after the server's 250", "before the record"}
ARRIVED = {"after the server's 250", "before the record", "after the record"}

CHILD = """
import importlib, os, signal, sys
module, owner, method, when = sys.argv[1:5]
owner = getattr(importlib.import_module(module), owner)
work = getattr(owner, method)
def dying(*args, **named):
    if when == "after":
        work(*args, **named)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(owner, method, dying)
from recours.cli.workers import main
sys.exit(main("pod_retry_scheduler", []))
"""


@dataclass
class Service:
    folder: Path
    box: Sandbox
    smtp: MailServer

    def __post_init__(self) -> None:
        create_file(self.folder / "claims.db")
        at = f"{datetime.now(UTC) - timedelta(hours=2):%Y-%m-%d %H:%M:%S}"
        self.sql("INSERT INTO clients (id, email) VALUES (1, 'a@shop.example')")
        self.sql(
            "INSERT INTO claims (claim_reference, client_id, order_id, carrier, dispute_type, amount_requested,"
            " tracking_number, created_at, updated_at, pod_fetch_status, pod_fetch_error)"
            " VALUES ('CLM-1', 1, 'o', 'Chronopost', 'lost', 1, ?, ?, ?, 'failed', 'API timeout')",
            self.box.example("chronopost", "00", 1), at, at,
        )  # fmt: skip

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.folder / "claims.db")) as connection:
            rows = connection.execute(statement, values).fetchall()
            connection.commit()
        return rows

    def run(self, *command: str) -> int:
        kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
        folders = {name: str(self.folder / "made") for name in ("RECOURS_LOG_DIR", "RECOURS_POD_DIR")}
        environment = {
            **kept,
            **self.box.environment("chronopost"),
            **self.smtp.settings,
            **folders,
            "DATABASE_PATH": str(self.folder / "claims.db"),
            "PYTHONPATH": str(ROOT),
        }
        started = [sys.executable, *command]
        return subprocess.run(
            started, env=environment, capture_output=True, check=False, timeout=60
        ).returncode

    def let_leases_end(self) -> None:
        past = "2026-01-01 00:00:00.000000"
        self.sql("UPDATE recours_mails SET held_until = ? WHERE held_until IS NOT NULL", past)
        self.sql("UPDATE recours_claims SET lease_until = ? WHERE lease_until IS NOT NULL", past)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with Sandbox(now=lambda: datetime.now(UTC)) as box, MailServer() as smtp:
        yield Service(tmp_path, box, smtp)


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is a signal of POSIX")
@pytest.mark.parametrize("point", POINTS)
def test_no_mail_is_lost_and_none_is_sent_twice(service: Service, point: str) -> None:
    assert service.run("-c", CHILD, *POINTS[point]) == -signal.SIGKILL
    assert len(service.smtp.taken) == (point in ARRIVED)
    service.let_leases_end()
    scheduler = str(ROOT / "scripts" / "pod_retry_scheduler.py")
    for _ in range(2):
        assert service.run(scheduler) == 0
    states = [state for (state,) in service.sql("SELECT state FROM recours_mails")]
    assert states == (["undecided"] if point in UNDECIDABLE else ["sent"])
    arrived = 1 if point in ARRIVED or point not in UNDECIDABLE else 0
    assert service.smtp.recipients() == ["a@shop.example"] * arrived
    assert service.sql("SELECT pod_fetch_status FROM claims") == [("success",)]

"""The real scheduler is killed at each step of sending an email: no email is lost or sent twice."""

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from recours.sandbox import Scenario
from tests.acceptance.person import Person
from tests.acceptance.simulation import Service
from tests.fakes.smtp import MailServer

pytestmark = pytest.mark.full("kills beside mails: tests/chaos/test_enumerated.py has kills")

ROOT = Path(__file__).resolve().parents[2]

# Where the process is killed: before or after one of our methods.
POINTS = {
    "before the mail is kept": ("recours.database.mail_outbox", "MailOutbox", "write", "before"),
    "after the mail was kept": ("recours.database.mail_outbox", "MailOutbox", "write", "after"),
    "before it is leased": ("recours.database.mail_outbox", "MailOutbox", "lease", "before"),
    "after it was leased": ("recours.database.mail_outbox", "MailOutbox", "lease", "after"),
    "before the connection": ("recours.mail.smtp", "SmtpConnection", "log_in", "before"),
    "after the connection": ("recours.mail.smtp", "SmtpConnection", "log_in", "after"),
    "before it is marked": ("recours.database.mail_outbox", "MailOutbox", "sending", "before"),
    "after it was marked": ("recours.database.mail_outbox", "MailOutbox", "sending", "after"),
    "after the server's 250": ("recours.mail.smtp", "SmtpConnection", "send", "after"),
    "before the record": ("recours.database.mail_outbox", "MailOutbox", "end", "before"),
    "after the record": ("recours.database.mail_outbox", "MailOutbox", "end", "after"),
}
# Between these steps nobody can know whether the server accepted it.
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


def run(service: Service, url: str, *command: str) -> int:
    environment = Person.of(service, url).environment | {"PYTHONPATH": str(ROOT)}
    started = [sys.executable, *command]
    return subprocess.run(started, env=environment, capture_output=True, check=False, timeout=60).returncode


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is a signal of POSIX")
@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
@pytest.mark.parametrize("point", POINTS)
def test_no_email_is_lost_or_sent_twice(service: Service, url: str, smtp: MailServer, point: str) -> None:
    service.environment |= smtp.settings
    service.wait_until_today()
    service.sql("INSERT INTO clients (id, email) VALUES (1, 'a@shop.example')")
    service.add(Scenario.DELIVERED, client_id=1, failed_at=service.clock.now() - timedelta(hours=2))
    assert run(service, url, "-c", CHILD, *POINTS[point]) == -signal.SIGKILL
    assert len(smtp.taken) == (point in ARRIVED)
    past = "2026-01-01 00:00:00.000000"
    service.sql("UPDATE recours_mails SET held_until = ? WHERE held_until IS NOT NULL", past)
    service.sql("UPDATE recours_claims SET lease_until = ? WHERE lease_until IS NOT NULL", past)
    for _ in range(2):
        assert run(service, url, str(ROOT / "scripts" / "pod_retry_scheduler.py")) == 0
    states = [state for (state,) in service.sql("SELECT state FROM recours_mails")]
    assert states == (["undecided"] if point in UNDECIDABLE else ["sent"])
    arrived = 1 if point in ARRIVED or point not in UNDECIDABLE else 0
    assert smtp.recipients() == ["a@shop.example"] * arrived
    assert service.sql("SELECT pod_fetch_status FROM claims") == [("success",)]

"""Mail servers that trickle, never end, or stay silent: none delays a run for long or fills its memory."""

import signal
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from recours.carriers.registry import CATALOG
from recours.core.errors import Actor
from recours.core.mail import Event, EventName
from recours.database.engine import Database
from recours.database.mail_outbox import MailOutbox
from recours.database.schema import inspection
from recours.mail.smtp import (
    MailServerError,
    OutcomeUnknownError,
    SmtpConnection,
    SmtpSettings,
    StopRequestedError,
)
from recours.sandbox import Sandbox
from tests.conftest import environment_of
from tests.fakes.hostile_smtp import (
    BANNER,
    EVERY_S,
    FINE,
    GO_ON,
    Behavior,
    deaf,
    endless,
    hostile,
    replying,
    trickle,
)
from tests.planted import MARK

ROOT = Path(inspection.__file__).parents[3]
TOTAL_S = 0.6
TLS_RECORD = b"\x16\x03\x03\x40\x00"  # the handshake announces 16 KB
LOGIN = b"250-mail.example\r\n250 AUTH PLAIN\r\n"

# Before an email is handed over: its state is unchanged.
WAITS: dict[str, tuple[Behavior, str]] = {
    "a trickled banner": (replying(then=trickle(), every_s=EVERY_S), "none"),
    "an endless banner": (replying(then=endless(b"220-welcome\r\n")), "none"),
    "an endless answer to EHLO": (replying(BANNER, then=endless(b"250-SIZE\r\n")), "none"),
    "a handshake that trickles": (replying(then=[TLS_RECORD, *[b"\x02"] * 500], every_s=EVERY_S), "tls"),
    "a handshake that stalls after STARTTLS": (replying(BANNER, b"250-x\r\n250 STARTTLS\r\n", b"220 go\r\n"), "starttls"),
    "an endless answer to RCPT": (replying(BANNER, FINE, FINE, then=endless(b"250-yes\r\n")), "none"),
    "a silent answer to the command DATA": (replying(BANNER, FINE, FINE, FINE), "none"),
}  # fmt: skip
# After that, nobody knows.
UNDECIDED: dict[str, Behavior] = {
    "a trickled answer to the message": replying(
        BANNER, FINE, FINE, FINE, GO_ON, then=trickle(), every_s=EVERY_S
    ),
    "an endless answer to the message": replying(
        BANNER, FINE, FINE, FINE, GO_ON, then=endless(b"250-yes\r\n")
    ),
    "no answer to the message": replying(BANNER, FINE, FINE, FINE, GO_ON),
    "a server that does not read": deaf,
}


def line_to(
    port: int, security: str = "none", may_continue: Callable[[], bool] = lambda: True
) -> SmtpConnection:
    return SmtpConnection(
        SmtpSettings("127.0.0.1", port, security, "", "service@shop.example"),
        timeout_s=TOTAL_S,
        may_continue=may_continue,
    )


@pytest.mark.sample("more cases of the same test, each of which waits", every=4)
@pytest.mark.parametrize("name", WAITS)
def test_a_server_that_does_not_come_to_an_end_before_the_message_has_emails_wait(name: str) -> None:
    behave, security = WAITS[name]
    begun = time.monotonic()
    with hostile(behave) as server, line_to(server.port, security) as line:
        with pytest.raises(MailServerError, match=r"timed out|too long"):
            line.send("a@shop.example", b"x", lambda: True)
        assert time.monotonic() - begun < TOTAL_S + 3
    assert server.sent < 16 * 1024 * 1024  # the part that the system buffers


@pytest.mark.sample("more cases of the same test, each of which waits", every=2)
@pytest.mark.parametrize("name", UNDECIDED)
def test_a_server_that_does_not_come_to_an_end_after_the_message_leaves_it_undecided(name: str) -> None:
    begun = time.monotonic()
    with hostile(UNDECIDED[name]) as server, line_to(server.port) as line:
        with pytest.raises(OutcomeUnknownError, match=r"timed out|too long"):
            line.send("a@shop.example", b"x" * 30_000_000, lambda: True)
        assert time.monotonic() - begun < TOTAL_S + 3


SECRET = f"{MARK}-of-the-mail-server"
SENT = b64encode(f"\0shop\0{SECRET}".encode())


@pytest.mark.sample("more cases of the same test, each of which waits", every=4)
@pytest.mark.parametrize("repeated", [SENT, b"PLAIN " + SENT, SECRET.encode(), b64encode(SECRET.encode())])
@pytest.mark.parametrize(
    "replies",
    [(b"535 5.7.8 %s is no login\r\n",), (b"235 OK\r\n", b"550 not for %s\r\n")],
    ids=["login", "mail"],
)
def test_a_login_repeated_by_the_server_is_redacted(repeated: bytes, replies: tuple[bytes, ...]) -> None:
    said = [reply % repeated if b"%s" in reply else reply for reply in replies]
    settings = SmtpSettings("127.0.0.1", 0, "none", "shop", "service@shop.example", password=SECRET)
    with (
        hostile(replying(BANNER, LOGIN, *said)) as server,
        SmtpConnection(replace(settings, port=server.port), timeout_s=TOTAL_S) as line,
        pytest.raises(MailServerError, match=r"\*\*\*") as caught,
    ):
        line.send("a@shop.example", b"x", lambda: True)
    assert SECRET not in str(caught.value)
    assert SENT.decode() not in str(caught.value)


def test_a_run_that_is_to_end_leaves_before_a_message_and_hears_the_answer_after_it() -> None:
    with hostile(replying(BANNER, FINE)) as server:
        line = line_to(server.port, may_continue=lambda: not server.reached.is_set())
        with line, pytest.raises(StopRequestedError):
            line.send("a@shop.example", b"x", lambda: True)
    given = threading.Event()

    def give() -> bool:
        given.set()
        return True

    with (
        hostile(replying(BANNER, FINE, FINE, FINE, GO_ON, then=[FINE])) as server,
        line_to(server.port, may_continue=lambda: not given.is_set()) as line,
    ):
        assert line.send("a@shop.example", b"x", give)


def test_sigterm_is_heard_while_a_mail_server_trickles(
    database: Database, url: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    mailbox = MailOutbox(database, CATALOG, "0" * 32)
    event = Event(
        EventName.ACCOUNT_FAULT, Actor.OPERATOR, "chronopost", "2026-02-02", {"reason": "Invalid Password"}
    )
    mailbox.add_event(event, datetime.now(UTC))
    with hostile(replying(BANNER, FINE, then=trickle(), every_s=EVERY_S)) as server:
        environment = environment_of(url, sandbox.url) | {
            "RECOURS_POD_DIR": str(tmp_path / "pods"),
            "RECOURS_LOG_DIR": str(tmp_path / "logs"),
            "RECOURS_WEEKLY_REPORT": "false",
            "ADMIN_EMAIL": "boss@shop.example",
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(server.port),
            "SMTP_SECURITY": "none",
            "SMTP_FROM": "service@shop.example",
        }
        run = subprocess.Popen(
            [sys.executable, str(ROOT / "scripts" / "pod_retry_scheduler.py")],
            env=environment,
            cwd=tmp_path,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert server.reached.wait(30)
        begun = time.monotonic()
        run.send_signal(signal.SIGTERM)
        _, log = run.communicate(timeout=30)
    assert run.returncode == 143, log
    assert time.monotonic() - begun < 5
    with database.read() as connection:
        rows = connection.exec_driver_sql("SELECT state, tries, holder FROM recours_mails").all()
    assert [tuple(row) for row in rows] == [("ready", 0, None)]

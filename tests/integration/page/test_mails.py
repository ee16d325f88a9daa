"""Waiting emails and their texts."""

import re
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from urllib.parse import parse_qs

import pytest
from sqlalchemy import insert, select

from recours.core.mail import MailKind, MailState
from recours.database.engine import Database
from recours.database.tables import events, mail_events, mails
from tests.conftest import add_claims
from tests.fakes.smtp import MailServer
from tests.integration.page.conftest import PageClient

AT = datetime(2026, 2, 2, 12, tzinfo=UTC)


def write(database: Database, number: int, state: str, **more: object) -> None:
    row = {
        "id": number, "message_id": f"<{number}@x>", "kind": MailKind.POD_FAILED, "recipient": f"shop{number}@example.com",
        "language": "en", "subject": f"Subject {number}", "plain": "plain <text>", "html": "<p>the page</p>",
        "state": state, "run_id": "r", "created_at": AT, "tries": 0,
    }  # fmt: skip
    with database.write() as connection:
        connection.execute(insert(mails).values(row | more))


def test_waiting_and_latest_emails_are_listed(page: PageClient, database: Database) -> None:
    for number, state in enumerate((*MailState, "of a later version"), start=1):
        write(database, number, state)
    shown = page.get("/mails")
    assert shown.status == 200
    waiting, latest = shown.text.split("Latest emails")
    assert [n for n in range(1, 9) if f"Subject {n}" in waiting] == [1, 2, 3]
    assert [n for n in range(1, 9) if f"Subject {n}" in latest] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert "of a later version" in latest


def test_the_reason_of_an_unsent_email_is_in_the_language_of_the_reader(
    page: PageClient, environment: dict[str, str], database: Database
) -> None:
    error = "the server rejects the recipient: 550 no such user"
    write(database, 1, MailState.FAILED, error=error)
    write(database, 2, MailState.READY, error="some older reason")
    assert error in page.get("/mails").text
    environment["RECOURS_LANGUAGE"] = "fr"
    french = "le serveur refuse le destinataire : « 550 no such user »"
    assert french in page.get("/mail?number=1").text
    listed = page.get("/mails")
    assert french in listed.text
    assert "« some older reason »" in listed.text
    assert "«\u00a0some older reason\u00a0»" in listed.html  # no line ends with an opening quotation mark


def test_no_sign_of_a_mail_hides_or_turns_others(page: PageClient, database: Database) -> None:
    turned = "gpj.exe\u202e\u200b"
    write(
        database, 7, MailState.FAILED, subject=turned, recipient=turned, error=turned, plain=f"one\n{turned}"
    )
    for path, count in (("/mails", 3), ("/mail?number=7", 5)):  # the subject is also the title
        text = page.get(path).text
        assert (text.count(r"gpj.exe\u202e\u200b"), "\u202e" in text, "\u200b" in text) == (
            count,
            False,
            False,
        )
    assert "one\n" in page.get("/mail?number=7").html


def test_held_mails_are_released(page: PageClient, database: Database) -> None:
    write(database, 1, MailState.HELD)
    shown = page.get("/mails")
    assert "1 email is held" in shown.text
    shown = page.post("/mails/release", {"back": "/mails"})
    assert "1 email released: the next run sends it." in shown.text
    assert "is held" not in shown.text
    with database.read() as connection:
        assert connection.scalar(select(mails.c.state)) == MailState.READY


def test_a_mail_is_shown_inert(page: PageClient, database: Database) -> None:
    write(database, 7, MailState.READY, html="<script>alert(1)</script><p>the page</p>", subject="<b>Hi</b>")
    shown = page.get("/mail?number=7")
    assert shown.status == 200
    assert "&lt;b&gt;Hi&lt;/b&gt;" in shown.html
    assert "plain &lt;text&gt;" in shown.html
    assert "<script>alert" not in shown.html
    framed = page.get("/mail/content?number=7").response
    assert framed.text == "<script>alert(1)</script><p>the page</p>"
    policy = framed.headers["content-security-policy"]
    assert policy.startswith("sandbox; default-src 'none'")
    assert framed.headers["x-frame-options"] == "SAMEORIGIN"


def test_a_mail_leads_to_its_claims(page: PageClient, database: Database) -> None:
    add_claims(database, [{}, {"claim_reference": "CLM-<b>1"}, {}])
    write(database, 7, MailState.SENT)
    event = {
        "event": "pod_failed",
        "audience": "client",
        "carrier": "ups",
        "run_id": "r",
        "created_at": AT,
        "facts": {},
    }
    with database.write() as connection:
        for number in (1, 2, 9):  # the service deleted the last one
            row = {"id": number, "claim_id": number, "tracking_number": "", **event}
            connection.execute(insert(events).values(row))
            connection.execute(insert(mail_events).values(event_id=number, mail_id=7))
    shown = page.get("/mail?number=7")
    links = re.findall(r'href="(/claim\?[^"]*)">([^<]*)<', shown.html)
    assert (
        links
        == [
            ("/claim?reference=CLM-%3Cb%3E1", "CLM-&lt;b&gt;1"),
            ("/claim?reference=CLM-00000", "CLM-00000"),
        ][::-1]
    )


@pytest.mark.parametrize("number", ["8", "", "9" * 30, "٣"])
def test_a_mail_that_there_is_not_is_not_found(page: PageClient, database: Database, number: str) -> None:
    for path in ("/mail", "/mail/content"):
        assert page.get(f"{path}?number={number}").status == 404


def test_email_texts_are_denied_to_requests_from_elsewhere(
    visitor: Callable[..., PageClient], database: Database
) -> None:
    write(database, 1, MailState.READY)
    assert visitor("192.168.1.20").get("/mail/content?number=1", Host="pods.example").status == 403


# ---------------------------------------------------------------- on trial


@pytest.fixture
def smtp() -> Iterator[MailServer]:
    with MailServer() as server:
        yield server


def test_a_test_mail_is_sent(
    page: PageClient, database: Database, environment: dict[str, str], smtp: MailServer
) -> None:
    environment |= smtp.settings
    assert "Email to me@shop.example accepted by 127.0.0.1" in action_result(
        page, "/mails/test", address=" me@shop.example "
    )
    assert smtp.recipients() == ["me@shop.example"]
    smtp.refuse_recipients = {"you@shop.example": "550 no <b>such</b> user"}
    refused = action_result(page, "/mails/test", address="you@shop.example")
    assert "Not sent: the server rejects the recipient: 550 no <b>such</b> user." in refused


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("a@b.example, c@d.example", "is not an email address"),
        ("me@shop.example\r\nBcc: all@shop.example", "is not an email address"),
        ("me@shop.example", "No mail server is set: set SMTP_HOST"),
    ],
)
def test_a_test_email_that_cannot_be_sent_is_explained(
    page: PageClient, database: Database, address: str, says: str
) -> None:
    assert says in action_result(page, "/mails/test", address=address)


def action_result(page: PageClient, path: str, **fields: str) -> str:
    """The result of an action that takes a while."""
    shown = page.post(path, {"back": "/mails", **fields})
    key = parse_qs(shown.response.url.query.decode())["notice"][0]
    for thread in threading.enumerate():
        if thread.name == "action":
            thread.join(30)
    return page.get(f"/notice?key={key}").text

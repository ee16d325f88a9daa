"""Mails that wait, and what they say."""

import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import insert, select

from recours.core.mail import MailKind, MailState
from recours.database.engine import Database
from recours.database.tables import mails
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


def test_what_waits_and_what_was_sent_is_listed(page: PageClient, database: Database) -> None:
    for number, state in enumerate((*MailState, "of a later version"), start=1):
        write(database, number, state)
    shown = page.get("/mails")
    assert shown.status == 200
    waiting, latest = shown.text.split("Written last")
    assert [n for n in range(1, 9) if f"Subject {n}" in waiting] == [1, 2, 3]
    assert [n for n in range(1, 9) if f"Subject {n}" in latest] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert "of a later version" in latest


def test_why_a_mail_did_not_go_out_is_said_in_the_language_of_the_reader(
    page: PageClient, environment: dict[str, str], database: Database
) -> None:
    error = "the server refuses the recipient: 550 no such user"
    write(database, 1, MailState.FAILED, error=error)
    write(database, 2, MailState.READY, error="some older reason")
    assert error in page.get("/mails").text
    environment["RECOURS_LANGUAGE"] = "fr"
    french = "le serveur refuse le destinataire : « 550 no such user »"
    assert french in page.get("/mail?number=1").text
    listed = page.get("/mails").text
    assert french in listed
    assert "« some older reason »" in listed


def test_held_mails_are_released(page: PageClient, database: Database) -> None:
    write(database, 1, MailState.HELD)
    shown = page.get("/mails")
    assert "1 mail is held" in shown.text
    shown = page.post("/mails/release", {"back": "/mails"})
    assert "1 mail released: the next run sends it." in shown.text
    assert "is held" not in shown.text
    assert re.search(r"What was done last Held mails released: 1 .* CET · the operator", shown.text)
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


@pytest.mark.parametrize("number", ["8", "", "x", "-1", "1e3", "9" * 30, "٣"])
def test_a_mail_that_there_is_not_is_not_found(page: PageClient, database: Database, number: str) -> None:
    for path in ("/mail", "/mail/content"):
        assert page.get(f"{path}?number={number}").status == 404


def test_what_another_wrote_is_not_a_mail_of_this_page(
    visitor: Callable[..., PageClient], database: Database
) -> None:
    write(database, 1, MailState.READY)
    assert visitor("192.168.1.20").get("/mail/content?number=1", Host="pods.example").status == 403

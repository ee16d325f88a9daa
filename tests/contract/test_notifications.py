"""The service's own record of emails, and its clients and settings, with any column types."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import make_url, text

from recours.core.errors import Actor
from recours.core.mail import Draft, Event, EventName, MailKind, MailState
from recours.database.engine import Database
from recours.database.journal import add_events
from recours.database.mail_outbox import MailOutbox
from recours.database.schema.creation import complete
from tests.fakes.carriers import CATALOG
from tests.fakes.schemas import SCHEMAS, Application

NOW = datetime(2026, 2, 2, 8, 0, tzinfo=UTC)
UNKNOWN_TO_US = {
    "none": ("", True),
    "one that may be empty": (", seen_at TIMESTAMP", True),
    "a column with a default": (", channel TEXT NOT NULL DEFAULT 'mail'", True),
    "one that must be filled": (", channel TEXT NOT NULL", False),
}


def notifications(*, is_sqlite: bool, more: str = "") -> list[str]:
    """The SQL that creates a record of emails with PostgreSQL's own types."""
    number, key, moment, status = (
        ("INTEGER PRIMARY KEY", "CHAR(32)", "DATETIME", "VARCHAR(10)")
        if is_sqlite
        else ("SERIAL PRIMARY KEY", "UUID", "TIMESTAMPTZ", "mail_status")
    )
    table = (
        f"CREATE TABLE notifications (id {number}, client_id {key}, notification_type VARCHAR(30), subject VARCHAR(10),"
        f" sent_to TEXT, sent_at {moment}, status {status}, error_message TEXT NOT NULL, related_claim_id {key}{more})"
    )
    return [*([] if is_sqlite else ["CREATE TYPE mail_status AS ENUM ('sent', 'failed')"]), table]


@pytest.fixture
def application(empty_url: str) -> Iterator[Application]:
    """A service whose claims and clients have UUIDs."""
    database = Database(make_url(empty_url))
    application = Application(SCHEMAS["native enums, UUID"], database)
    application.create()
    application.add(1, tracking_number="N1", pod_url="proofs/1.pdf")
    application.add(2, tracking_number="N2")
    yield application
    database.close()


def execute(application: Application, *statements: str) -> None:
    with application.database.write() as connection:
        for statement in statements:
            connection.execute(text(statement))


def rows(application: Application, query: str) -> list[Any]:
    with application.database.read() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def outbox_of(application: Application) -> MailOutbox:
    complete(application.database)
    return MailOutbox(application.database, CATALOG, "r" * 32)


def send(application: Application, outbox: MailOutbox) -> str | None:
    """Send each client an email about the claim; returns the result of `end` for the last one."""
    keys = [key for (key,) in rows(application, "SELECT id FROM claims ORDER BY claim_reference")]
    told = [
        (key, Event(EventName.POD_RETRIEVED, Actor.CLIENT, "dpd", f"N{number}", {}))
        for number, key in enumerate(keys, 1)
    ]
    with application.database.write() as connection:
        add_events(connection, told, outbox.run_id, NOW)
    fault = None
    for client_id, ids in outbox.unreported_by_client().items():
        recipient = outbox.recipient(client_id)
        assert recipient
        draft = Draft(
            f"m{ids[0]}",
            MailKind.POD_RETRIEVED,
            client_id,
            recipient.email or "",
            "en",
            "A long subject",
            "p",
            "h",
        )
        assert outbox.write(draft, outbox.still_unreported(ids), NOW)
    for mail in outbox.lease(outbox.ready(NOW), NOW):
        fault = outbox.end(mail, MailState.SENT, NOW)
    return fault


@pytest.mark.parametrize("unknown", UNKNOWN_TO_US)
def test_emails_are_copied_if_recours_can_fill_the_columns(application: Application, unknown: str) -> None:
    more, is_used = UNKNOWN_TO_US[unknown]
    execute(application, *notifications(is_sqlite=application.database.is_sqlite, more=more))
    assert send(application, outbox_of(application)) is None
    noted = rows(
        application,
        "SELECT client_id = (SELECT client_id FROM claims WHERE id = related_claim_id), sent_to, subject,"
        " CAST(status AS TEXT), error_message FROM notifications ORDER BY id",
    )
    expected = [(True, f"shop{n}@example.com", "A long sub", "sent", "") for n in (1, 2)]
    assert noted == (expected if is_used else [])


def test_an_unknown_enum_value_costs_no_email(application: Application) -> None:
    for statement in notifications(is_sqlite=application.database.is_sqlite):
        execute(application, statement.replace("VARCHAR(10),", "VARCHAR(10) CHECK (subject = 'x'),", 1))
    fault = send(application, outbox_of(application))
    assert fault
    assert rows(application, "SELECT state FROM recours_mails") == [("sent",), ("sent",)]


def test_proofs_of_a_claim_are_found_by_its_key(application: Application) -> None:
    outbox = outbox_of(application)
    send(application, outbox)
    execute(application, "UPDATE recours_mails SET state = 'ready', holder = NULL")
    mails = outbox.lease(outbox.ready(NOW), NOW)
    assert [outbox.pods(mail) for mail in mails] == [["proofs/1.pdf"], []]


@pytest.mark.parametrize(
    ("columns", "values", "is_active"),
    [
        ("is_active BOOLEAN", "true", True),
        ("is_active BOOLEAN", "false", False),
        ("is_active VARCHAR(5)", "'off'", False),
        ("is_active INTEGER", "0", False),
        ("is_active INTEGER", "NULL", True),
    ],
)
def test_a_client_is_read_from_the_services_table(
    application: Application, columns: str, values: str, *, is_active: bool
) -> None:
    execute(
        application, f"ALTER TABLE clients ADD COLUMN {columns}", f"UPDATE clients SET is_active = {values}"
    )
    outbox = outbox_of(application)
    ((client_id,),) = rows(application, "SELECT id FROM clients WHERE email = 'shop1@example.com'")
    recipient = outbox.recipient(client_id)
    assert recipient
    assert (recipient.email, recipient.is_active) == ("shop1@example.com", is_active)


def test_email_settings_are_read_as_texts(application: Application) -> None:
    execute(
        application,
        "CREATE TABLE system_settings (key VARCHAR(40), value VARCHAR(40))",
        "INSERT INTO system_settings VALUES ('smtp_host', ' mail.example '), ('smtp_port', '25'), ('smtpx', '1'), ('smtp_user', NULL)",
    )
    assert outbox_of(application).service_settings() == {"smtp_host": "mail.example", "smtp_port": "25"}

"""A client gets an email when a carrier rejects its account: once a week while this lasts, and nobody else does."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, literal_column, select, update

from recours.carriers.registry import CATALOG
from recours.core.mail import MailState
from recours.database.engine import Database
from recours.database.mail_outbox import MailOutbox
from recours.database.tables import account_state, client_accounts, events, mails
from recours.mail.manager import NotificationManager
from recours.mail.sender import EmailSender, Envelope
from recours.mail.smtp import SmtpConnection, SmtpSettings
from recours.sandbox import SimulatedClock
from recours.settings.loading import load
from tests.conftest import SERVICE_CLIENTS
from tests.french import with_plain_spaces

NOW = datetime(2026, 2, 20, 8, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
REFUSED = "Chronopost rejects our credentials: Invalid Password (credentials from the account of shop-1)"


class World:
    """Two clients with their own accounts; emails are written at the end of runs."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = SimulatedClock(NOW)
        self.outbox = MailOutbox(database, CATALOG, "r" * 32)
        self._numbers = count()
        for client in (1, 2):
            self.add(SERVICE_CLIENTS, id=client, email=f"shop-{client}@shop.example")
            self.add_account(client, client)

    def add(self, table: Any, **row: Any) -> None:
        with self.database.write() as connection:
            connection.execute(insert(table).values(row))

    def change(self, table: Any, *where: Any, **values: Any) -> None:
        with self.database.write() as connection:
            connection.execute(update(table).where(*where).values(values))

    def add_account(self, number: int, client: int, carrier: str = "chronopost") -> None:
        row = {"client_id": client, "carrier": carrier, "added_at": NOW, "added_by": "me", "changed_at": NOW}
        self.add(client_accounts, id=number, is_applied=True, **row)

    def refuse(self, number: int, carrier: str = "chronopost", kind: str = "auth_failed") -> None:
        refused = {"refusals": 1, "refusal": REFUSED, "refusal_kind": kind, "refused_until": NOW + HOUR}
        self.add(account_state, carrier=carrier, account_id=number, **refused)

    def run(self, limit: int = 50) -> list[tuple[str, str, str]]:
        """End a run; returns the emails that it wrote."""
        before = {mail.id for mail in self.mails()}
        self.outbox.report_refused_accounts(self.clock.now())
        environment = {
            "RECOURS_LANGUAGE": "fr",
            "RECOURS_TIMEZONE": "Europe/Paris",
            "RECOURS_MAIL_BRAKE": str(limit),
        }
        settings = load(Path(__file__).parent, environment, CATALOG)
        new_id = lambda: f"m{next(self._numbers)}"  # noqa: E731
        NotificationManager(self.outbox, settings.mail, settings.policy, self.clock, new_id).render_due()
        return [(mail.recipient, mail.subject, mail.plain) for mail in self.mails() if mail.id not in before]

    def mails(self) -> list[Any]:
        with self.database.read() as connection:
            return list(connection.execute(select(mails).order_by(mails.c.id)).all())

    def event_results(self) -> list[str]:
        with self.database.read() as connection:
            return list(connection.scalars(select(events.c.told).order_by(events.c.id)))


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


def test_the_email_tells_the_owner_of_the_account_what_to_do(world: World) -> None:
    world.refuse(1)
    world.refuse(0)  # the default account: the operator's business
    ((recipient, subject, plain),) = world.run()
    assert recipient == "shop-1@shop.example"
    assert subject == "Chronopost refuse votre compte"
    assert "Chronopost refuse les identifiants de votre compte." in plain
    assert "vérifier auprès du transporteur (Chronopost)" in plain
    assert "« Invalid Password »" in with_plain_spaces(plain)
    assert "shop-1)" not in plain  # the location of the credentials does not concern them


def test_each_account_is_reported_at_most_once_a_week(world: World) -> None:
    world.refuse(1)
    assert len(world.run()) == 1
    for _ in range(6):
        world.clock.advance(DAY)
        assert world.run() == []
    world.add_account(3, 1, "ups")
    world.refuse(3, "ups", "account_denied")
    ((_, subject, plain),) = world.run()
    assert subject == "UPS refuse votre compte"
    assert "demander à UPS d'ouvrir" in plain
    world.clock.advance(DAY + HOUR)
    ((_, subject, _),) = world.run()
    assert subject == "Chronopost refuse votre compte"


def test_several_carriers_share_one_email(world: World) -> None:
    world.add_account(3, 1, "ups")
    world.refuse(1)
    world.refuse(3, "ups")
    ((_, subject, _),) = world.run()
    assert subject == "2 transporteurs refusent vos comptes"


@pytest.mark.parametrize(
    "chosen",
    [{"is_active": literal_column("false")}, {"email": "none"}, {"notification_preferences": '{"pod_failed": false}'},
     {"notification_preferences": '{"account_refused": false}'}],
)  # fmt: skip
def test_inactive_clients_and_clients_without_an_address_receive_nothing(
    world: World, chosen: dict[str, Any]
) -> None:
    world.change(SERVICE_CLIENTS, SERVICE_CLIENTS.c.id == 1, **chosen)
    world.refuse(1)
    assert world.run() == []
    world.clock.advance(DAY)
    assert world.run() == []
    assert len(world.event_results()) == 1


@pytest.mark.parametrize(
    ("table", "change"), [(account_state, {"stopped_at": NOW}), (client_accounts, {"removed_at": NOW})]
)
def test_a_paused_or_removed_account_is_not_reported(
    world: World, table: Any, change: dict[str, Any]
) -> None:
    world.refuse(1)
    world.change(table, **change)
    assert world.run() == []
    assert world.event_results() == []


def test_an_account_whose_pause_has_ended_is_reported(world: World) -> None:
    world.refuse(1)
    world.change(account_state, stopped_at=NOW - DAY, stopped_until=world.clock.now())
    world.run()
    assert len(world.event_results()) == 1


def accept(world: World) -> None:
    world.change(account_state, refusals=0, refusal=None)


def test_a_digest_omits_accepted_accounts_and_includes_rejected_ones(
    world: World,
) -> None:
    world.change(SERVICE_CLIENTS, notification_preferences='{"frequency": "daily", "language": "en"}')
    world.refuse(1)
    assert world.run() == []  # it waits for the digest
    accept(world)
    world.clock.advance(DAY)
    assert world.run() == []
    world.change(account_state, refusals=1, refusal=REFUSED)
    assert world.run() == []
    world.clock.advance(DAY)
    ((_, subject, _),) = world.run()
    assert subject == "Chronopost rejects your account"


class Connection(SmtpConnection):
    """A connection to a mail server that accepts everything."""

    def send(self, recipient: str, content: bytes, before: Callable[[], bool]) -> bool:
        del recipient, content
        return before()


def test_a_waiting_email_is_not_sent_after_the_account_was_accepted(world: World) -> None:
    server = SmtpSettings("mail.example", 25, "none", "", "pods@shop.example")

    def send() -> int:
        envelope = Envelope("pods@shop.example")
        sender = EmailSender(
            world.outbox, lambda _: Connection(server), envelope, world.clock, frozenset(), lambda _: {}
        )
        return sender.send_all(lambda: True)

    world.refuse(1)
    world.refuse(2)
    assert len(world.run(limit=1)) == 2
    # By the send limit, like any email to clients
    assert {mail.state for mail in world.mails()} == {MailState.HELD}
    assert world.outbox.release("lea", NOW) == 2
    world.change(account_state, account_state.c.account_id == 1, refusals=0)
    assert send() == 1
    assert {mail.recipient: mail.state for mail in world.mails()} == {
        "shop-1@shop.example": MailState.CANCELLED,
        "shop-2@shop.example": MailState.SENT,
    }


def test_two_concurrent_runs_send_one_email(world: World) -> None:
    world.refuse(1)
    other = replace(world.outbox, run_id="o" * 32)
    other.report_refused_accounts(world.clock.now())
    assert len(world.run()) == 1
    other.report_refused_accounts(world.clock.now() + HOUR)
    assert world.run() == []

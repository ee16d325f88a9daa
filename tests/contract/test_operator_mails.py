"""The operator gets one email a day, unless there is a new problem; on both databases."""

from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, update

from recours.carriers.registry import CATALOG
from recours.core.errors import Actor
from recours.core.mail import Event, EventName, MailState
from recours.database.engine import Database
from recours.database.journal import add_events
from recours.database.mail_outbox import MailOutbox
from recours.database.tables import events, mails
from recours.mail.manager import NotificationManager
from recours.sandbox import SimulatedClock
from recours.settings.loading import load

MORNING = datetime(2026, 2, 20, 8, 0, tzinfo=UTC)  # 9:00 in Paris
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class World:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = SimulatedClock(MORNING)
        self.outbox = MailOutbox(database, CATALOG, "r" * 32)
        self.claims = count(1)
        self._numbers = count()

    def write(
        self, name: EventName, carrier: str, number: str, *, claim: int | None = None, **facts: Any
    ) -> None:
        event = Event(name, Actor.OPERATOR, carrier, number, {"error": "x"} | facts)
        with self.database.write() as connection:
            add_events(connection, [(claim, event)], "r" * 32, self.clock.now())

    def fault(self, carrier: str, kind: str = "auth_failed") -> None:
        self.write(EventName.ACCOUNT_FAULT, carrier, self.clock.now().date().isoformat(), kind=kind)

    def give_up(self) -> None:
        number = next(self.claims)
        facts = {"reference": f"CLM-{number}", "kind": "not_found", "attempts": 4}
        self.write(EventName.GAVE_UP, "chronopost", f"XY{number:09}FR", claim=number, **facts)

    def run(self, admin: str = "boss@shop.example") -> list[str]:
        """End a run; returns the subjects of the emails that it wrote."""
        before = len(self.mails())
        environment = {"RECOURS_LANGUAGE": "en", "RECOURS_TIMEZONE": "Europe/Paris", "ADMIN_EMAIL": admin}
        settings = load(Path(__file__).parent, environment, CATALOG)
        new_id = lambda: f"m{next(self._numbers)}"  # noqa: E731
        NotificationManager(self.outbox, settings.mail, settings.policy, self.clock, new_id).render_due()
        return [mail.subject for mail in self.mails()[before:]]

    def mails(self) -> list[Any]:
        with self.database.read() as connection:
            return list(connection.execute(select(mails).order_by(mails.c.id)).all())


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


def test_an_ongoing_problem_is_one_email_each_morning(world: World) -> None:
    world.fault("chronopost")
    assert world.run() == ["Chronopost: credentials rejected"]
    subjects = []
    for _ in range(72):
        world.clock.advance(HOUR)
        world.fault("chronopost")
        world.give_up()
        subjects.append((world.clock.now(), world.run()))
    sent = [(at.astimezone(ZoneInfo("Europe/Paris")).hour, *found) for at, found in subjects if found]
    assert sent == [
        (8, "Chronopost: credentials rejected (and 1 more)"),
        (8, "Chronopost: credentials rejected (and 1 more)"),
        (8, "Chronopost: credentials rejected (and 1 more)"),
    ]
    assert "CLM-23\n" in world.mails()[1].plain
    assert "CLM-24\n" not in world.mails()[1].plain


def test_a_new_problem_is_mailed_at_once_with_the_waiting_ones(world: World) -> None:
    world.fault("chronopost")
    world.run()
    world.clock.advance(HOUR)
    world.give_up()
    assert world.run() == []
    world.fault("ups")
    assert world.run() == ["UPS: credentials rejected (and 1 more)"]
    assert "CLM-1\n" in world.mails()[-1].plain
    world.clock.advance(16 * HOUR)  # on the next day, before the hour of the daily email
    for carrier in ("chronopost", "ups"):
        world.fault(carrier)
    assert world.run() == []
    world.fault("dhl", "account_denied")
    assert len(world.run()) == 1
    world.clock.advance(6 * HOUR)
    world.give_up()
    assert world.run() == [], "the mail of this day has gone"


def test_another_kind_of_problem_at_the_same_carrier_is_new(world: World) -> None:
    world.fault("chronopost")
    world.run()
    world.clock.advance(16 * HOUR)
    world.fault("chronopost", "account_denied")
    assert world.run() == ["Chronopost: service not enabled"]


def test_a_problem_that_was_over_for_days_is_new(world: World) -> None:
    world.fault("chronopost")
    world.run()
    world.clock.advance(3 * DAY)
    world.give_up()
    assert len(world.run()) == 1
    world.clock.advance(HOUR)
    world.fault("chronopost")
    assert world.run() == ["Chronopost: credentials rejected"]


def test_one_email_reports_many_claims_and_names_some(world: World) -> None:
    for _ in range(1200):
        world.give_up()
    assert world.run() == ["Chronopost: number unknown to the carrier – 1,200 claims given up"]
    (mail,) = world.mails()
    assert mail.html.count("<section") == 201
    assert "* 1,000 more claims" in mail.plain
    assert "CLM-201, CLM-202" in mail.plain
    with world.database.read() as connection:
        assert set(connection.scalars(select(events.c.told))) == {"mail"}


def test_canceled_and_future_emails_do_not_count_as_todays(world: World) -> None:
    for state, moved in ((MailState.CANCELLED, timedelta()), (MailState.SENT, timedelta(days=900))):
        world.give_up()
        assert len(world.run()) == 1
        with world.database.write() as connection:
            connection.execute(update(mails).values(state=state, created_at=world.clock.now() + moved))
        world.clock.advance(HOUR)


def test_without_an_address_each_run_logs_this_and_no_email_waits(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    for times in (1, 2):
        world.give_up()
        assert world.run(admin="") == []
        assert caplog.text.count("1 operator notice not sent: ADMIN_EMAIL is not set") == times

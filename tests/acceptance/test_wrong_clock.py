"""One run of a machine whose clock was in 2036: reported, and without effect on later runs."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from recours.database.border import INDEX
from recours.database.engine import Database
from recours.database.schema.creation import build_missing
from recours.sandbox import Sandbox, Scenario, SimulatedClock
from tests.acceptance.person import Person
from tests.acceptance.simulation import FAILED_AT, Service
from tests.fakes.smtp import MailServer

S = Scenario
FAR = datetime(2036, 5, 6, 7, 8, tzinfo=UTC)
LOCAL = {"RECOURS_TIMEZONE": "UTC", "TZ": "UTC"}


@pytest.fixture
def service(url: str, tmp_path: Path, smtp: MailServer) -> Iterator[Service]:
    clock = SimulatedClock(FAILED_AT + timedelta(minutes=1))
    with Sandbox(now=clock.now) as box:
        more = {"ADMIN_EMAIL": "boss@shop.example", "RECOURS_WEEKLY_REPORT": "false"}
        service = Service(tmp_path, box, clock, url=url, **smtp.settings, **more)
        service.sql("INSERT INTO clients (id, email) VALUES (1, 'a@shop.example')")
        yield service
        service.close()


def run_in_2036(service: Service) -> None:
    right, service.clock = service.clock, SimulatedClock(FAR)
    service.run()
    service.clock = right


def test_retries_and_pauses_of_such_a_run_delay_nothing(service: Service) -> None:
    failing = service.add(S.SYSTEM_ERROR, S.DELIVERED, client_id=1)
    limited = service.add(S.RATE_LIMITED, S.DELIVERED, carrier="UPS", client_id=1)
    service.run_hourly(1)
    service.sql("DELETE FROM recours_claims")
    run_in_2036(service)
    service.run_at_retries(80)
    found = dict(service.sql("SELECT id, pod_fetch_status FROM claims"))
    assert (found[failing], found[limited]) == ("success", "success")


def test_emails_leased_by_such_a_run_do_not_wait(service: Service, smtp: MailServer) -> None:
    smtp.refuse_recipients = {"a@shop.example": "450 later"}
    service.add(S.DELIVERED, client_id=1)
    service.add(S.DELIVERED, client_id=1)
    service.run_hourly(1)
    smtp.refuse_recipients = {}
    service.sql("UPDATE recours_mails SET holder = 'dead', held_until = ?", f"{FAR:%Y-%m-%d %H:%M:%S}.000000")
    assert service.sql("SELECT DISTINCT state FROM recours_mails") == [("ready",)]
    service.run_hourly(1)
    assert service.sql("SELECT DISTINCT state FROM recours_mails") == [("sent",)]
    service.sql(
        "UPDATE recours_mails SET state = 'sending', ended_at = NULL, holder = 'dead', held_until = ?",
        f"{FAR:%Y-%m-%d %H:%M:%S}.000000",
    )
    service.add(S.DELIVERED, client_id=1)
    service.run_hourly(2)
    assert sorted(service.sql("SELECT DISTINCT state FROM recours_mails")) == [("sent",), ("undecided",)]


@pytest.mark.parametrize("kind", ["postgresql"], indirect=True)  # SQLite builds it with the schema
def test_an_index_that_such_a_run_was_building_is_built_by_another(database: Database) -> None:
    with database.write() as connection:
        connection.exec_driver_sql(f"DROP INDEX {INDEX}")
        connection.exec_driver_sql(
            f"INSERT INTO recours_leases VALUES ('index on claims', 'dead', '{FAR:%Y-%m-%d %H:%M:%S}')"
        )
    clock = SimulatedClock(FAILED_AT)
    assert build_missing(database, clock) == [f"Built the index {INDEX} on claims"]


def test_status_and_check_report_such_a_run_and_missed_runs(service: Service, person: Person) -> None:
    run_in_2036(service)
    shown = person.does("status", **LOCAL)
    assert "1 run of pod_retry_scheduler began in the future (6 May 2036, 07:08 UTC)" in shown
    assert "NEVER RAN" in shown
    checked = person.types("check", **LOCAL)
    assert re.search(r"problem  .*1 run of pod_retry_scheduler began in the future", checked.stdout)

"""The display of client accounts after real runs: one account works, one has a wrong password, one client has none."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from recours.admin.accounts import AccountActions
from recours.app import App, open_app, open_database
from recours.bootstrap import metrics_text
from recours.reporting.claim_reports import explanation_of, plan_for
from recours.reporting.problems import VerdictSentences, verdict
from recours.reporting.snapshot import Reports
from recours.sandbox import Sandbox, Scenario, SimulatedClock
from tests.acceptance.person import Person
from tests.acceptance.simulation import FAILED_AT, Service
from tests.fakes.smtp import MailServer
from tests.keys import new_key

WELL, WRONG, WITHOUT = "well@shop.example", "wrong@shop.example", "without@shop.example"


@pytest.fixture
def service(url: str, tmp_path: Path, smtp: MailServer) -> Iterator[Service]:
    """A service without a default account at Chronopost."""
    clock = SimulatedClock(FAILED_AT + timedelta(minutes=1))
    with Sandbox(now=clock.now) as box:
        settings = smtp.settings | {"ADMIN_EMAIL": "boss@shop.example", "RECOURS_WEEKLY_REPORT": "false",
                                    "RECOURS_LANGUAGE": "en", "RECOURS_ACCOUNTS_KEY": new_key()}  # fmt: skip
        service = Service(tmp_path, box, clock, url=url, **settings)
        account_settings = {
            name: service.environment.pop(name) for name in ("CHRONOPOST_ACCOUNT", "CHRONOPOST_PASSWORD")
        }
        for number, email in enumerate((WELL, WRONG, WITHOUT), 1):
            service.sql(f"INSERT INTO clients (id, email) VALUES ({number}, '{email}')")
            service.add(Scenario.DELIVERED, client_id=number)
        for client, password in ((1, account_settings["CHRONOPOST_PASSWORD"]), (2, "990099")):
            add(service, client, account_settings | {"CHRONOPOST_PASSWORD": password})
        yield service
        service.close()


def add(service: Service, client: int, credentials: dict[str, str]) -> None:
    app = open_app(service.settings)
    accounts = AccountActions(app)
    new = accounts.new(client, "Chronopost", credentials, None)
    accounts.put_all([new], "me")
    app.database.close()


@pytest.fixture
def opened_app(service: Service) -> Iterator[App]:
    """The service after two runs."""
    service.run_hourly(2)
    opened = open_database(service.settings)
    yield replace(opened, clock=service.clock)
    opened.database.close()


def test_status_why_plan_and_metrics_name_the_clients(opened_app: App, service: Service) -> None:
    overview = Reports(opened_app).overview()
    words = VerdictSentences("en")
    said = [words.sentence(problem, overview.at) for problem in verdict(overview).problems]
    assert any(
        line.startswith(f"Chronopost rejects 1 client account ({WRONG}). 1 claim blocked") for line in said
    )
    assert any(
        f"No account with Chronopost is set up for 1 client ({WITHOUT}). 1 claim blocked" in line
        for line in said
    )
    accounts = {one["client"]: (one["health"], one["due"]) for one in overview.as_json()["accounts"]}
    assert accounts == {WELL: ("open", 0), WRONG: ("refused", 1)}
    (backlog,) = [one for one in overview.as_json()["backlogs"] if one["carrier"] == "chronopost"]
    assert backlog["due"] == 2
    for reference, sentence in (
        ("CLM-0002", f"recours asks Chronopost with {WRONG}'s account."),
        ("CLM-0003", f"{WITHOUT} has no account with Chronopost, and there is no default account."),
    ):
        found = explanation_of(opened_app, reference)
        assert found is not None
        assert sentence in found.sentences
    found = explanation_of(opened_app, "CLM-0002")
    assert found is not None
    assert {attempt.account for attempt in found.facts.attempts} == {2}
    assert found.as_json()["attempts"][0]["account"] == 2
    assert f"Ask {WRONG} for the right credentials" in found.advice[0]
    plan = plan_for(opened_app, timedelta(hours=12))
    carriers = {one.key: one for one in plan.carriers}
    assert plan.accounts["chronopost#2"].name == f"Chronopost ({WRONG})"
    assert carriers["chronopost#2"].due == 1
    assert plan.accounts["chronopost"].closing is not None
    opened = open_database(service.settings)
    text = metrics_text(opened)
    opened.database.close()
    assert WRONG not in text


def test_a_dry_run_skips_accounts_that_cannot_be_called(service: Service, url: str) -> None:
    person = Person.of(service, url)
    found = person.json("retry", "--dry-run")
    assert (found["would_take"], found["left_behind"]) == (["CLM-0001", "CLM-0002"], {"Chronopost": 1})
    said = person.types("retry", "--dry-run", RECOURS_ACCOUNTS_KEY=new_key())
    assert "Would fetch 0 claims" in said.stderr
    for client in (WELL, WRONG):
        assert f"1 claim skipped: The Chronopost account of {client} cannot be used" in said.stderr
    assert service.sql("SELECT id FROM recours_attempts") == []

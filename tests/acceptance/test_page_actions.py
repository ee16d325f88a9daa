"""Actions on the dashboard, on real databases with simulated carriers: done, recorded, and reported."""

import getpass
import threading
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from recours.accounts.sealing import SETTING
from recours.admin.actions import MOST_CLAIMS, Actions, CorrectRequestError
from recours.admin.results import (
    FetchResult,
    RecoursError,
)
from recours.app import App
from recours.core.actions import PastAction
from recours.database.by_person import ClaimEnrollment
from recours.database.engine import Database, DatabaseError
from recours.database.schema.inspection import inspect_schema
from recours.sandbox import Sandbox, Scenario, SimulatedClock
from tests.acceptance.person import Person
from tests.acceptance.simulation import Service
from tests.acceptance.test_acting import FOREVER, give_up
from tests.acceptance.test_changes import changes
from tests.keys import new_key
from tests.own_rows import actions_of
from tests.processes.commands import worker

WHO = "anna"


@pytest.fixture
def service(tmp_path: Any, url: str, sandbox: Sandbox, clock: SimulatedClock) -> Iterator[Service]:
    service = Service(tmp_path, sandbox, clock, url=url, **{SETTING: new_key(), "SMTP_HOST": ""})
    yield service
    service.close()


@pytest.fixture
def actions(service: Service) -> Iterator[Actions]:
    database = Database(service.settings.database_url)
    yield Actions(App(service.settings, database, inspect_schema(database), service.clock), WHO)
    database.close()


def outcomes(results: Any) -> dict[str, bool]:
    return {result.subject: result.is_done for result in results}


def recorded(actions: Actions) -> list[PastAction]:
    return actions_of(actions.app.database)


# ---------------------------------------------------------------- claims


def test_reopening_several_claims_reports_each_of_them(service: Service, actions: Actions) -> None:
    service.add(*FOREVER)
    service.add(*FOREVER)
    give_up(service)
    service.add(*FOREVER)
    service.run()
    french = replace(actions, language="fr")
    results = french.reopen(["CLM-0002", "CLM-0009", "CLM-0003", "CLM-0001", "CLM-0002", "\0", "\udcff"])
    assert outcomes(results) == {
        "CLM-0002": True,
        "CLM-0009": False,
        "CLM-0003": False,
        "CLM-0001": True,
        "\0": False,
        "\udcff": False,
    }
    texts = {result.subject: result.sentence for result in results}
    assert texts["CLM-0001"].startswith("CLM-0001 est rouverte")
    assert texts["CLM-0009"].startswith("La réclamation « CLM-0009 » n'existe pas. Vouliez-vous dire CLM-000")
    assert texts["CLM-0003"].startswith("CLM-0003 n'est pas abandonnée. La commande « recours why CLM-0003 »")
    assert sorted(changes(service)) == [(1, "reopened", WHO, {}), (2, "reopened", WHO, {})]
    assert service.run().stats.total == 2
    assert outcomes(actions.reopen(["CLM-0001"])) == {"CLM-0001": False}


def test_a_database_lost_half_way_is_reported_for_the_remaining_claims(
    service: Service, actions: Actions, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        service.add(*FOREVER)
    monkeypatch.setattr("recours.admin.actions._AT_ONCE", 1)
    of, excluded, calls = actions.app, ClaimEnrollment.exclude, count()

    def once(enrollment: ClaimEnrollment, *given: Any, **named: Any) -> set[Any]:
        if next(calls):
            raise DatabaseError("connection lost")
        return excluded(enrollment, *given, **named)

    monkeypatch.setattr(ClaimEnrollment, "exclude", once)
    results = Actions(of, WHO).exclude([f"CLM-000{n}" for n in (1, 2, 3)], "lost")
    assert outcomes(results) == {"CLM-0001": True, "CLM-0002": False, "CLM-0003": False}
    assert "connection lost" in results[2].sentence
    assert [claim for claim, *_ in changes(service)] == [1]


def test_the_number_of_claims_per_action_is_limited(service: Service, actions: Actions) -> None:
    service.add(*FOREVER)
    too_many = [f"CLM-{n}" for n in range(MOST_CLAIMS + 1)]
    with pytest.raises(CorrectRequestError, match=f"{MOST_CLAIMS + 1} claims are too many at once"):
        actions.enroll(too_many)
    with pytest.raises(CorrectRequestError, match=f"Choose at most {MOST_CLAIMS}"):
        actions.fetch(too_many)
    assert len(actions.enroll(too_many[1:])) == MOST_CLAIMS


def test_claims_are_fetched_by_a_run(service: Service, actions: Actions) -> None:
    service.add(Scenario.DELIVERED)
    service.add(*FOREVER)
    fetch = replace(actions, language="fr").fetch(["CLM-0001", "CLM-0002", "CLM-0003", "\0"])
    fetch.run()
    assert (fetch.fault, fetch.progress, fetch.fetched) == (None, 4, 1)
    first, second, *others = fetch.outcomes
    assert isinstance(first, FetchResult)
    assert isinstance(second, FetchResult)
    assert (first.fetched, second.fetched) == (True, False)
    assert "pas de preuve de livraison" in second.sentence
    assert [isinstance(other, RecoursError) for other in others] == [True, True]
    assert changes(service) == [(1, "asked", WHO, {}), (2, "asked", WHO, {})]


def test_a_stopped_server_starts_no_further_run(
    service: Service, actions: Actions, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.add(Scenario.DELIVERED)
    monkeypatch.setattr(threading, "main_thread", threading.Thread)  # an expired one
    fetch = actions.fetch(["CLM-0001"])
    fetch.run()
    assert fetch.outcomes == []


def test_a_claim_requested_on_the_command_line_is_recorded_with_the_user(
    service: Service, person: Person
) -> None:
    service.add(*FOREVER)
    service.add(*FOREVER)
    words = ("--claim", "CLM-0002")
    done = worker("pod_retry_scheduler", *words, environment=person.environment, folder=person.folder)
    assert done.returncode == 0, done.stderr
    assert changes(service) == [(2, "asked", getpass.getuser(), {})]


def test_a_fetch_that_cannot_start_gives_the_reason(service: Service, actions: Actions) -> None:
    settings = replace(
        service.settings, database_url=service.settings.database_url.set(database="/nowhere/x.db")
    )
    if not actions.app.database.is_sqlite:
        settings = replace(service.settings, database_url=service.settings.database_url.set(port=1))
    lost = Actions(replace(actions.app, settings=settings), WHO)
    fetch = lost.fetch(["CLM-0001"])
    fetch.run()
    assert (fetch.outcomes, fetch.progress) == ([], 0)
    assert fetch.fault is not None
    assert fetch.fault.startswith("The database cannot be used right now")


def test_a_wrong_check_digit_causes_a_warning(service: Service, actions: Actions) -> None:
    service.add(*FOREVER)
    result = actions.correct("CLM-0001", carrier="UPS", number="1Z999AA10123456785")
    assert result.is_done
    assert "The check digit of 1Z999AA10123456785 is wrong" in result.sentence


@pytest.mark.parametrize(
    "column", ["pod_fetch_status = 'manual'", "pod_fetch_status = NULL", "status = 'paid'"]
)
def test_no_fetch_is_announced_for_a_corrected_claim_that_is_not_fetched(
    service: Service, actions: Actions, column: str
) -> None:
    service.add(*FOREVER)
    service.sql(f"UPDATE claims SET {column}")
    sentence = actions.correct("CLM-0001", carrier="UPS", number="1Z999AA10123456784").sentence
    assert sentence.startswith("CLM-0001 corrected. recours does not fetch its proof: ")


def test_the_command_corrects_like_the_dashboard(service: Service, person: Person) -> None:
    service.add(*FOREVER)
    said = person.does("correct", "CLM-0001", "--carrier", "ups", "--number", "1Z999AA10123456784")
    assert said == "CLM-0001 corrected: the next run starts over.\n"
    assert service.sql("SELECT carrier, tracking_number FROM claims") == [("UPS", "1Z999AA10123456784")]
    again = person.types("correct", "CLM-0001", "--carrier", "UPS")
    assert (
        again.returncode,
        "CLM-0001 already has this tracking number and this carrier" in again.stderr,
    ) == (2, True)
    assert person.types("correct", "CLM-0001").returncode == 2

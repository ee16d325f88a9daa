"""Carriers, the accounts of clients, and what an operator does with them."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import insert

from recours.core.actions import MAILS, ActionKind, OperatorAction
from recours.database.actions import ActionLog
from recours.database.client_accounts import ClientAccounts
from recours.database.engine import Database
from recours.database.tables import clients as service_clients
from tests.integration.page.conftest import PageClient


@pytest.fixture
def claims(database: Database, add_claims: Callable[..., None]) -> None:
    add_claims(database, [{}] * 3)


@pytest.mark.usefixtures("claims")
def test_each_carrier_has_its_state_and_links_to_its_claims(page: PageClient) -> None:
    shown = page.get("/carriers")
    assert shown.status == 200
    row = row_of(shown.html, "chronopost")
    assert "takes calls" in row
    assert 'href="/claims?carrier=chronopost"' in row
    assert "no credentials" in row_of(shown.html, "ups")
    assert "Accounts of clients" not in shown.text


@pytest.mark.usefixtures("claims")
def test_a_carrier_is_paused_and_resumed_and_it_is_seen_who_did(page: PageClient) -> None:
    shown = page.post(
        "/carriers/pause", {"carrier": "chronopost", "why": "a <b>strike</b>", "back": "/carriers"}
    )
    assert "Chronopost is paused until someone resumes it." in shown.text
    row = row_of(shown.html, "chronopost")
    assert "operator" in row
    assert "a &lt;b&gt;strike&lt;/b&gt;" in row
    assert "/carriers/resume" in row
    assert "/carriers/pause" not in row
    shown = page.post("/carriers/resume", {"carrier": "chronopost", "back": "/carriers"})
    assert "Chronopost resumed" in shown.text
    assert "takes calls" in row_of(shown.html, "chronopost")
    assert "takes calls" in row_of(page.get("/carriers").html, "chronopost")


@pytest.mark.usefixtures("claims")
def test_who_paused_a_carrier_is_said_in_the_readers_language(
    page: PageClient, environment: dict[str, str]
) -> None:
    page.post("/carriers/pause", {"carrier": "chronopost", "why": "grève", "back": "/carriers"})
    environment["RECOURS_LANGUAGE"] = "fr"
    assert "par l'opérateur : « grève »" in page.get("/carriers").text
    assert "(par l'opérateur : « grève »)" in page.get("/").text
    assert "par l'opérateur (« grève »)" in page.get("/claim?reference=CLM-00000").text


@pytest.mark.usefixtures("claims")
def test_what_was_done_last_is_shown_with_who_and_when(
    page: PageClient, database: Database, environment: dict[str, str]
) -> None:
    assert "What was done last" not in page.get("/carriers").text
    at = datetime(2026, 11, 28, 9, 59, tzinfo=UTC)
    log, accounts = ActionLog(database), ClientAccounts(database)
    with database.write() as connection:
        connection.execute(insert(service_clients).values(id=5, email="shop@shop.example"))
    number = accounts.put(5, "chronopost", "sealed", "zoe", at)
    for n in range(20):
        log.note(OperatorAction(ActionKind.RESUMED, "ups", f"before-{n}"), at)
    log.note(OperatorAction(ActionKind.RELEASED, MAILS, "jean", {"mails": 3}), at)
    log.note(OperatorAction(ActionKind.CHECKED, f"chronopost#{number}", "anna", {"verdict": "rejected"}), at)
    log.note(OperatorAction(ActionKind.PAUSED, "chronopost", "<b>anna", {"why": "strike"}), at)
    done = page.get("/carriers").text.partition("What was done last")[2]
    assert done.startswith(
        " Chronopost – paused: 'strike' 28 Nov 2026, 10:59 CET · <b>anna"
        " Chronopost (shop@shop.example) – credentials checked: rejected 28 Nov 2026, 10:59 CET · anna UPS – resumed"
    )
    assert ("before-2" in done, "before-1 " in done, "jean" in done) == (True, False, False)
    environment["RECOURS_LANGUAGE"] = "fr"
    assert "Chronopost – mis en pause : « strike »" in page.get("/carriers").text


@pytest.mark.parametrize(
    "subject", ["chronopost#99999999999999999999", "chronopost#x", "a <b>newer</b> one", ""]
)
def test_a_subject_that_this_version_does_not_know_stands_for_itself(
    page: PageClient, database: Database, subject: str
) -> None:
    ActionLog(database).note(OperatorAction(ActionKind.PAUSED, subject, "anna"), datetime.now(UTC))
    assert (f"{subject} – paused" if subject else "Paused") in page.get("/carriers").text


def test_a_carrier_that_there_is_not_is_not_found(page: PageClient, database: Database) -> None:
    assert page.post("/carriers/pause", {"carrier": "nobody", "back": "/carriers"}).status == 404


@pytest.mark.usefixtures("claims")
def test_a_viewer_sees_no_button(visitor: Callable[..., PageClient], environment: dict[str, str]) -> None:
    environment |= {"RECOURS_PAGE_USER_HEADER": "X-User", "RECOURS_PAGE_PROXIES": "10.0.0.5"}
    shown = visitor("10.0.0.5").get("/carriers", X_User="zoe")
    assert "takes calls" in shown.text
    assert "/carriers/" not in shown.html


def row_of(html: str, key: str) -> str:
    return html.partition(f'<tr id="{key}"')[2].partition("</tr>")[0]

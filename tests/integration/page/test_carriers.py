"""Carriers, client accounts, and an operator's actions on them."""

import json
import re
from datetime import UTC, datetime

import pytest

from recours.carriers.registry import CATALOG
from recours.database.engine import Database
from tests.conftest import add_claims
from tests.contract.test_claims import POLICY
from tests.fakes.intake import take_in
from tests.integration.page.conftest import PageClient
from tests.own_rows import set_own
from tests.processes.commands import recours


@pytest.fixture
def claims(database: Database) -> None:
    add_claims(database, [{}] * 3)


@pytest.mark.usefixtures("claims")
def test_each_carrier_has_its_state_and_links_to_its_claims(page: PageClient) -> None:
    shown = page.get("/carriers")
    assert shown.status == 200
    row = row_of(shown.html, "chronopost")
    assert "available" in row
    assert 'href="/claims?carrier=chronopost"' in row
    assert "no credentials" in row_of(shown.html, "ups")
    assert "Client accounts" not in shown.text


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
    assert "available" in row_of(shown.html, "chronopost")
    assert "available" in row_of(page.get("/carriers").html, "chronopost")


def test_a_carrier_is_paused_until_a_time(page: PageClient) -> None:
    fields = {"carrier": "chronopost", "back": "/carriers", "until": "1h"}
    shown = page.post("/carriers/pause", fields).text
    until = re.search("Chronopost is paused until [^.]*, ([0-9:]+) [^.]*[.]", shown)
    assert until
    row = row_of(page.get("/carriers").html, "chronopost")
    # After 23:00 that is tomorrow, and the table names the day.
    assert re.search(f"until (?:[0-9]+ [A-Z][a-z]+, )?{until[1]}", row)
    assert "/carriers/resume" in row
    assert "is not a time within the next year" in page.post("/carriers/pause", fields | {"until": "0h"}).text


@pytest.mark.usefixtures("claims")
def test_the_author_of_a_pause_is_shown_in_the_language_of_the_reader(
    page: PageClient, environment: dict[str, str]
) -> None:
    page.post("/carriers/pause", {"carrier": "chronopost", "why": "grève", "back": "/carriers"})
    environment["RECOURS_LANGUAGE"] = "fr"
    assert "par l'opérateur : « grève »" in page.get("/carriers").text
    assert "(par l'opérateur : « grève »)" in page.get("/").text
    assert "par l'opérateur (« grève »)" in page.get("/claim?reference=CLM-00000").text


def test_a_carrier_that_there_is_not_is_not_found(page: PageClient, database: Database) -> None:
    assert page.post("/carriers/pause", {"carrier": "nobody", "back": "/carriers"}).status == 404


@pytest.mark.usefixtures("claims")
def test_each_row_counts_what_status_counts(
    page: PageClient, database: Database, environment: dict[str, str]
) -> None:
    take_in(database, CATALOG, datetime.now(UTC), POLICY)
    set_own(database, "CLM-00000", stage="given_up")
    row = row_of(page.get("/carriers").html, "chronopost")
    cells = dict(re.findall(r'<td[^>]*data-label="([^"]*)"[^>]*>(?:<a[^>]*>)?\s*(\d+)', row))
    backlogs = json.loads(recours("status", "--json", environment=environment).stdout)["backlogs"]
    (backlog,) = [one for one in backlogs if one["carrier"] == "chronopost"]
    assert (
        (cells["Due now"], cells["Given up"]) == (str(backlog["due"]), str(backlog["given_up"])) == ("2", "1")
    )


def row_of(html: str, key: str) -> str:
    return html.partition(f'<tr id="{key}"')[2].partition("</tr>")[0]

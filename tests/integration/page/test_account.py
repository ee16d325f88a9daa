"""A client's account: its state, and an operator's actions on it."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import insert

from recours.database.client_accounts import ClientAccounts
from recours.database.engine import Database
from tests.conftest import SERVICE_CLIENTS
from tests.integration.page.conftest import PageClient
from tests.own_rows import put_account

ADDED = datetime(2026, 2, 2, 12, tzinfo=UTC)
OF_IT = {"client": "5", "carrier": "chronopost"}


@pytest.fixture
def number(database: Database) -> int:
    with database.write() as connection:
        connection.execute(insert(SERVICE_CLIENTS).values(id=5, email="shop@shop.example"))
    number = put_account(ClientAccounts(database), 5, "chronopost", "sealed", "zoe", ADDED)
    assert number is not None
    return number


def test_an_account_is_shown_with_its_limits(page: PageClient, database: Database, number: int) -> None:
    other = put_account(ClientAccounts(database), 5, "ups", "sealed", "zoe", ADDED)
    assert "UPS – shop@shop.example" in page.get(f"/account?number={other}").text
    path = f"/account?number={number}"
    assert f'href="{path}"' in page.get("/carriers").html
    shown = page.get(path).text
    assert "Chronopost – shop@shop.example" in shown
    assert "Added 2 Feb 2026, 13:00 CET · zoe Limits the carrier's limits" in shown


def test_an_account_is_paused_with_a_reason_and_resumed(page: PageClient, number: int) -> None:
    back = {"back": f"/account?number={number}"}
    shown = page.post("/carriers/pause", OF_IT | back | {"why": "<i>unpaid"}).text
    assert 'Reason by the operator: "<i>unpaid"' in shown
    shown = page.post("/carriers/resume", OF_IT | back).text
    assert "Reason by the operator" not in shown


def test_limits_of_an_account_are_set_and_removed(page: PageClient, database: Database, number: int) -> None:
    back = {"back": f"/account?number={number}"}
    shown = page.post("/accounts/limits", OF_IT | back | {"limits": " 100/day  TRACKING=20/hour "}).text
    assert "shop@shop.example's account with Chronopost: limits 100/day TRACKING=20/hour." in shown
    assert "Limits 100/day TRACKING=20/hour" in shown
    assert ClientAccounts(database).all()[0].limits == {"": "100/day", "TRACKING": "20/hour"}
    for wrong in ("many", "100/day 5/day", "x" * 90_000):
        refused = page.post("/accounts/limits", OF_IT | back | {"limits": wrong}).text
        assert "These limits for Chronopost are invalid" in refused
        assert "Limits 100/day TRACKING=20/hour" in refused
    shown = page.post("/accounts/limits", OF_IT | back | {"limits": " "}).text
    assert "with Chronopost: limits reset to the carrier's." in shown
    assert "Limits the carrier's" in shown


def test_an_account_is_removed(page: PageClient, number: int) -> None:
    shown = page.post("/accounts/remove", OF_IT | {"back": f"/account?number={number}"}).text
    assert "shop@shop.example's account with Chronopost was removed." in shown
    assert page.get(f"/account?number={number}").status == 404
    assert "has no account of its own" in page.post("/accounts/remove", OF_IT).text


@pytest.mark.parametrize("number", ["", "9", "9" * 30, "٣"])
def test_an_account_that_there_is_not_is_not_found(page: PageClient, database: Database, number: str) -> None:
    assert page.get(f"/account?number={number}").status == 404

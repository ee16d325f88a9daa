"""A client's account in the secrets file, from the section to the call: its claims are asked about with it, others not."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from recours.database.client_accounts import ClientAccounts
from recours.sandbox import Sandbox, SimulatedClock
from recours.sandbox.scenarios import Scenario
from tests.acceptance.simulation import Service
from tests.planted import MARK

SHOP = "shop1@example.com"
ACCOUNT, SECRET = "20000001", f"{MARK}-of-shop-1"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    clock = SimulatedClock()
    (tmp_path / ".streamlit").mkdir()
    (tmp_path / "shop.secret").write_text(f"{SECRET}\n")
    (tmp_path / ".streamlit/secrets.toml").write_text(
        f'[clients."{SHOP}".chronopost]\naccount = {ACCOUNT}\npassword_file = "shop.secret"\n'
    )
    with Sandbox(now=clock.now) as box, closing(Service(tmp_path, box, clock)) as made:
        box.accounts[ACCOUNT] = SECRET
        for number in (1, 2):
            made.sql("INSERT INTO clients (id, email) VALUES (?, ?)", number, f"shop{number}@example.com")
        yield made


def accounts_of_calls(service: Service, claim: int) -> set[str]:
    (number,) = service.sql("SELECT tracking_number FROM claims WHERE id = ?", claim)[0]
    return {call.account for call in service.box.calls_for(number) if call.account}


def rewrite(service: Service, secret: str) -> None:
    """Another secret stands in the file when the next run begins."""
    (service.folder / "shop.secret").write_text(secret)
    service._read_from.clear()
    service.start_anew()


def test_a_clients_claims_are_asked_about_with_its_own_account(service: Service) -> None:
    own, other = (service.add(Scenario.DELIVERED, client_id=number) for number in (1, 2))
    service.run_hourly(2)
    assert service.sql("SELECT pod_fetch_status FROM claims ORDER BY id") == [("success",)] * 2
    assert accounts_of_calls(service, own) == {ACCOUNT}
    assert accounts_of_calls(service, other) == {"10000001"}


def test_a_section_without_a_password_closes_that_account_alone(service: Service) -> None:
    service.run_hourly(1)  # which adds the account
    rewrite(service, "")
    own, other = (service.add(Scenario.DELIVERED, client_id=number) for number in (1, 2))
    service.run_hourly(2)
    assert accounts_of_calls(service, own) == set()
    assert accounts_of_calls(service, other) == {"10000001"}
    assert service.sql("SELECT * FROM recours_attempts WHERE claim_id = ?", own) == []
    rewrite(service, SECRET)
    service.run_hourly(2)
    assert accounts_of_calls(service, own) == {ACCOUNT}
    assert ClientAccounts(service._database).all()[0].added_by == "secrets file"

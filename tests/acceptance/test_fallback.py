"""A parcel that is denied to the account of its client, from the run to the row, to the log and to `recours why`."""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from recours.reporting.explain import Explanation
from recours.sandbox import Parcel, Sandbox, Scenario, SimulatedClock
from recours.wiring.account_operations import AccountOperations
from recours.wiring.databases import open_database
from recours.wiring.one_claim import explanation_of
from recours.wiring.operations import open_operations, operations_over
from tests.acceptance.simulation import FAILED_AT, Service
from tests.keys import new_key

SHOP = "shop@example.com"
OF_HOUSE, OF_SHOP, OF_OTHERS = "10000001", "20000001", "20000002"
KEY = "chronopost#1"


@pytest.fixture
def service(url: str, tmp_path: Path) -> Iterator[Service]:
    clock = SimulatedClock(FAILED_AT + timedelta(minutes=1))
    settings = {"RECOURS_ACCOUNTS_KEY": new_key(), "QUOTA_CHRONOPOST": "2/day@UTC"}  # one claim's calls
    with Sandbox(now=clock.now) as box, closing(Service(tmp_path, box, clock, url=url, **settings)) as made:
        box.accounts |= {OF_SHOP: "234567", OF_OTHERS: "345678"}
        made.sql(f"INSERT INTO clients (id, email) VALUES (1, '{SHOP}'), (2, 'none@example.com')")
        operations = open_operations(made.settings)
        accounts = AccountOperations(operations)
        given = dict(box.credentials("chronopost", OF_SHOP))
        new = accounts.new(1, "Chronopost", given, {"": "100/day"})
        accounts.put_all([new], "me")
        operations.database.close()
        yield made


def add(service: Service, client: int, owner: str, scenario: Scenario = Scenario.DELIVERED) -> int:
    claim = service.add(scenario, client_id=client)
    ((number,),) = service.sql("SELECT tracking_number FROM claims WHERE id = ?", claim)
    service.box.parcels[number] = Parcel((scenario,), owner=owner)
    return claim


def state(service: Service, claim: int) -> tuple[object, ...]:
    columns = "pod_fetch_status, lane, account_id, pod_retry_count"
    joined = "claims JOIN recours_claims ON claim_id = claims.id"
    return service.sql(f"SELECT {columns} FROM {joined} WHERE claim_id = ?", claim)[0]


def attempts(service: Service, claim: int) -> list[tuple[object, ...]]:
    columns = "outcome, error_kind, account_id"
    return service.sql(f"SELECT {columns} FROM recours_attempts WHERE claim_id = ? ORDER BY id", claim)


def asked_with(service: Service, claim: int) -> list[str]:
    """The accounts that calls about its parcel showed."""
    ((number,),) = service.sql("SELECT tracking_number FROM claims WHERE id = ?", claim)
    return [call.account for call in service.box.calls_for(number) if call.account]


def why(service: Service, claim: int) -> Explanation:
    opened = open_database(service.settings)
    with closing(opened.database):
        operations = operations_over(service.settings, opened.database, opened.schema, service.clock)
        found = explanation_of(operations, f"CLM-{claim:04d}")
    assert found
    return found


def test_the_houses_account_gets_what_the_clients_is_denied(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    claim = add(service, 1, OF_HOUSE)
    service.run_hourly(1)
    assert asked_with(service, claim) == [OF_SHOP, OF_HOUSE]
    assert state(service, claim) == ("success", "chronopost", 0, 1)
    assert attempts(service, claim) == [("success", None, None)]
    assert f"for CLM-0001 (Chronopost ({SHOP}))" in caplog.text
    assert "SUCCESS: POD fetched for CLM-0001" in caplog.text


def test_what_both_accounts_are_denied_is_one_attempt(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    claim = add(service, 1, OF_OTHERS)
    service.run_hourly(2)
    assert asked_with(service, claim) == [OF_SHOP, OF_HOUSE]
    assert state(service, claim) == ("failed", KEY, None, 1)
    assert attempts(service, claim) == [("failed", "access_denied", None)]
    said = "The parcel does not belong to the client's Chronopost contract"
    ((text,),) = service.sql("SELECT pod_fetch_error FROM claims")
    assert text.startswith("Le colis n'appartient pas au contrat Chronopost du client : «")
    assert f"FAILED: CLM-0001 - {said}" in caplog.text
    assert f"Chronopost is asked with the account of {SHOP}." in why(service, claim).sentences
    assert why(service, claim).facts.attempts[0].account is None, "the house's, which was asked last"

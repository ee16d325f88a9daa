"""New or removed credentials, and new carriers: the account of each claim is determined again, once."""

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from recours.core.carrier import Catalog, Substitute
from recours.core.claim import Stage
from recours.core.policy import Policy
from recours.database.engine import Database
from recours.database.maintenance import ClaimMaintenance
from tests.conftest import SERVICE_CLAIMS, add_claims
from tests.fakes.carriers import CHRONOPOST, DHL
from tests.fakes.intake import take_in
from tests.own_rows import joined_rows, set_own, set_service

NOW = datetime(2026, 2, 2, 8, 0, tzinfo=UTC)
POLICY = Policy(zone=ZoneInfo("Europe/Paris"))
UNIFIED = replace(DHL, key="dhl", name="DHL", spellings=())
ROUTES = (Substitute("dhl", "dhl_express", re.compile(r"[0-9]{10}"), preferred=True),)
CATALOG = Catalog([CHRONOPOST, DHL, UNIFIED], ROUTES)
WAYBILL = "1234567890"


@dataclass
class Keeper:
    """Runs the maintenance of one database with any credentials."""

    database: Database

    def keep(self, *configured: str, catalog: Catalog = CATALOG) -> list[str]:
        catalog = catalog.with_accounts(configured)
        maintenance = ClaimMaintenance(self.database, catalog, "run-1")
        changed = maintenance.repair_keys()
        take_in(self.database, catalog, NOW, POLICY)
        maintenance.stage_due(POLICY.due_until(NOW))
        return changed

    def sql(self, statement: str, **values: Any) -> None:
        with self.database.write() as connection:
            connection.execute(text(statement), values)

    def row(self, number: str) -> tuple[Any, ...]:
        """Stage, account, used retries."""
        (row,) = joined_rows(self.database, SERVICE_CLAIMS.c.tracking_number == number)
        return row["stage"], row["lane"], row["retries_used"]

    def settle(self, number: str, stage: Stage, kind: str) -> None:
        """Put claims into the state after attempts some days ago."""
        (row,) = joined_rows(self.database, SERVICE_CLAIMS.c.tracking_number == number)
        set_service(self.database, row["claim_reference"], pod_retry_count=4)
        after = {"stage": stage, "kind": kind, "retries_used": 4, "seen_count": "4"}
        set_own(self.database, row["claim_reference"], **after, next_at=NOW + timedelta(days=3))


@pytest.fixture
def keeper(database: Database) -> Keeper:
    rows = [
        {"carrier": "DHL", "tracking_number": WAYBILL},
        {"carrier": "DHL", "tracking_number": "PARCEL1"},
        {"carrier": "DHL Express", "tracking_number": "9876543210"},
        {"carrier": "Chronopost", "tracking_number": "XY000000001FR"},
        {"carrier": "Newcomer", "tracking_number": "N1"},
    ]
    add_claims(database, rows)
    return Keeper(database)


def test_claims_go_to_the_account_that_serves_them(keeper: Keeper) -> None:
    assert keeper.keep("dhl", "dhl_express") == []  # the first run: nothing was known before
    assert keeper.row(WAYBILL)[:2] == ("ready", "dhl_express")
    assert keeper.row("PARCEL1")[:2] == ("ready", "dhl")
    assert keeper.row("N1")[:2] == ("ready", "")


def test_new_credentials_take_over_claims(keeper: Keeper) -> None:
    keeper.keep("dhl")
    assert keeper.row(WAYBILL)[1] == "dhl"
    for number in (WAYBILL, "PARCEL1", "9876543210", "XY000000001FR"):
        keeper.settle(number, Stage.GIVEN_UP, "pod_not_available_yet")
    assert keeper.keep("dhl", "dhl_express") == ["dhl_express"]
    assert keeper.row(WAYBILL) == ("ready", "dhl_express", 0)
    # The same account as before: nothing changes
    for number, key in (("PARCEL1", "dhl"), ("9876543210", "dhl_express"), ("XY000000001FR", "chronopost")):
        assert keeper.row(number) == ("given_up", key, 4), number


def test_removed_credentials_return_claims(keeper: Keeper) -> None:
    keeper.keep("dhl", "dhl_express")
    assert keeper.keep("dhl") == ["dhl_express"]
    assert keeper.row(WAYBILL)[:2] == ("ready", "dhl")


@pytest.mark.parametrize("stage", [Stage.SETTLED, Stage.GIVEN_UP, Stage.WAITING])
def test_credentials_missing_for_one_run_restart_no_claim(keeper: Keeper, stage: Stage) -> None:
    keeper.keep("dhl_express")
    keeper.settle(WAYBILL, stage, "not_found")
    keeper.keep()
    assert keeper.row(WAYBILL) == (stage, "dhl_express", 4)
    keeper.keep("dhl_express")
    assert keeper.row(WAYBILL) == (stage, "dhl_express", 4)
    keeper.keep()
    keeper.keep("dhl")  # from now on another account
    assert keeper.row(WAYBILL) == ("ready", "dhl", 0)


def test_known_accounts_write_nothing(keeper: Keeper) -> None:
    keeper.keep("dhl", "dhl_express")
    keeper.settle(WAYBILL, Stage.SETTLED, "invalid_tracking")
    before = keeper.row(WAYBILL)
    assert keeper.keep("dhl", "dhl_express") == []
    assert keeper.row(WAYBILL) == before


@pytest.mark.parametrize("stage", [Stage.SETTLED, Stage.GIVEN_UP, Stage.WAITING])
def test_a_new_carrier_activates_the_claims_that_name_it(keeper: Keeper, stage: Stage) -> None:
    keeper.keep("dhl")
    keeper.settle("N1", stage, "unsupported_carrier")
    newer = Catalog([CHRONOPOST, DHL, UNIFIED, replace(CHRONOPOST, key="newcomer", name="Newcomer")], ROUTES)
    assert keeper.keep("dhl", catalog=newer) == ["newcomer"]
    assert keeper.row("N1") == ("ready", "newcomer", 0)


def test_an_unrelated_carrier_activates_no_claim(keeper: Keeper) -> None:
    keeper.keep()
    keeper.settle("XY000000001FR", Stage.GIVEN_UP, "not_found")
    assert keeper.keep("chronopost") == ["chronopost"]
    assert keeper.row("XY000000001FR") == ("given_up", "chronopost", 4)


def test_a_corrected_carrier_counts_even_without_credentials(keeper: Keeper) -> None:
    keeper.keep("dhl_express")
    keeper.settle(WAYBILL, Stage.GIVEN_UP, "not_found")
    keeper.sql("UPDATE claims SET carrier = 'Chronopost' WHERE tracking_number = :n", n=WAYBILL)
    keeper.keep()
    assert keeper.row(WAYBILL) == ("ready", "chronopost", 0)


def test_another_spelling_is_not_a_correction(keeper: Keeper) -> None:
    keeper.keep("dhl")
    keeper.settle("XY000000001FR", Stage.GIVEN_UP, "not_found")
    keeper.sql("UPDATE claims SET carrier = 'CHRONOPOST' WHERE carrier = 'Chronopost'")
    keeper.keep("dhl")
    assert keeper.row("XY000000001FR") == ("given_up", "chronopost", 4)

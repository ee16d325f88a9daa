"""The amounts at stake in claims, read from a real database of either kind."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import select, text

from recours.carriers.registry import CATALOG
from recours.core.claim import Stage
from recours.database.engine import Database
from recours.database.tables import DONE, claims
from recours.reporting.records import COUNTED_UP_TO, ProblemClaims
from recours.reporting.system import MoneyInDispute
from recours.reporting.system_reader import SystemReader
from tests.conftest import add_claims
from tests.contract.test_claims import POLICY, Run
from tests.own_rows import set_own

NOW = datetime(2026, 2, 20, 8, 0, tzinfo=UTC)


def money_in(database: Database, claims: ProblemClaims, limit: int = COUNTED_UP_TO) -> MoneyInDispute:
    return SystemReader(database, CATALOG).money_in_dispute([claims], limit)[0]


@pytest.fixture
def disputes(database: Database) -> Database:
    """Four waiting Chronopost claims, one fetched, one UPS claim, and two of an unknown carrier."""
    amounts = [10.0, 20.0, 0.25, 0.0, 400.0]
    add_claims(database, [{"amount_requested": amount} for amount in amounts])
    add_claims(
        database,
        [
            {"claim_reference": "U", "amount_requested": 7.0},
            {"claim_reference": "P1", "carrier": "Pigeon Post", "amount_requested": 3.0},
            {"claim_reference": "P2", "carrier": "Pigeon Post", "amount_requested": -3.0},
        ],
    )
    Run(database).keep(NOW, POLICY)
    with database.write() as connection:
        connection.execute(text("UPDATE claims SET currency = 'USD' WHERE amount_requested < 1"))
    set_own(database, "U", lane="ups")
    set_own(database, "CLM-00004", stage=DONE)
    return database


def test_sums_of_waiting_claims_by_currency(disputes: Database) -> None:
    assert money_in(disputes, ProblemClaims(["chronopost"])) == MoneyInDispute({"EUR": 30.0, "USD": 0.25})
    assert money_in(disputes, ProblemClaims(["chronopost", "ups", "dhl"])) == MoneyInDispute(
        {"EUR": 37.0, "USD": 0.25}
    )
    assert money_in(disputes, ProblemClaims(["chronopost"], [Stage.GIVEN_UP])) == MoneyInDispute()
    assert money_in(disputes, ProblemClaims()) == MoneyInDispute()


def test_claims_of_unknown_carriers_without_unassessed_claims(disputes: Database) -> None:
    add_claims(disputes, [{"claim_reference": "new", "amount_requested": 9.0}])
    assert money_in(disputes, ProblemClaims([""], [*Stage])) == MoneyInDispute({"EUR": 3.0})


def test_claims_by_their_ids(disputes: Database) -> None:
    with disputes.read() as connection:
        ids = list(connection.scalars(select(claims.c.claim_id).order_by(claims.c.claim_id)))
    assert money_in(disputes, ProblemClaims(ids=ids[:2])) == MoneyInDispute({"EUR": 30.0})
    assert money_in(disputes, ProblemClaims(ids=ids[:2]), limit=1) == MoneyInDispute(
        {"EUR": 10.0}, is_more=True
    )


def test_only_a_limited_number_of_claims_is_added_up(disputes: Database) -> None:
    assert money_in(disputes, ProblemClaims(["ups"]), limit=1) == MoneyInDispute({"EUR": 7.0})
    assert money_in(disputes, ProblemClaims(["chronopost"]), limit=3).is_more


def test_a_table_without_amounts_or_currencies(database: Database) -> None:
    add_claims(database, [{}, {}])
    Run(database).keep(NOW, POLICY)
    waiting = ProblemClaims(["chronopost"])
    assert money_in(database, waiting) == MoneyInDispute({"EUR": 20.0})
    for column, money in (("currency", MoneyInDispute({"": 20.0})), ("amount_requested", MoneyInDispute())):
        with database.write() as connection:
            connection.execute(text(f"ALTER TABLE claims DROP COLUMN {column}"))
        database.reinspect()
        assert money_in(database, waiting) == money

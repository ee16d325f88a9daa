"""The results on both databases: proofs and money week by week, and the calls of each proof as `recours status` has them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from recours.database.engine import Database
from recours.database.tables import attempts
from tests.integration.page.conftest import PageClient
from tests.integration.page.test_overview import EN, Read, status

WEEK = timedelta(weeks=1)


@pytest.fixture
def proofs(database: Database, add_claims: Callable[..., None]) -> None:
    """Two proofs of this week, one of which came twice, one of three weeks ago, and one of long ago; and two failures."""
    now = datetime.now(UTC)
    add_claims(database, [{"amount_requested": 10.0 * 4**n} for n in range(5)])
    attempt: dict[str, Any] = {
        "run_id": "r", "worker": "w", "carrier": "chronopost", "tracking_number": "X", "duration_s": 1.0, "calls": 2,
        "used": True, "turn": 1, "outcome": "success",
    }  # fmt: skip
    with database.write() as connection:
        for claim, ago, more in (
            (1, 0 * WEEK, {}),
            (1, 0 * WEEK, {}),
            (2, 0 * WEEK, {"outcome": "attached", "calls": 0}),
            (3, 3 * WEEK, {}),
            (4, 20 * WEEK, {}),
            (5, 0 * WEEK, {"outcome": "failed", "error_kind": "timeout"}),
            (5, 3 * WEEK, {"outcome": "failed", "error_kind": "timeout"}),
        ):
            row = attempt | {"claim_id": claim, "started_at": now - ago} | more
            connection.execute(insert(attempts).values(row))


@pytest.mark.usefixtures("proofs")
def test_proofs_and_money_by_week(page: PageClient) -> None:
    read = Read(page.get("/results"))
    weeks = read.tables["Proofs and money secured by week"][1:]
    assert len(weeks) == 12
    assert weeks[0][0].endswith("(so far)")
    assert weeks[0][1:] == ["2", "€50.00", "66.7%"]
    assert weeks[3][1:] == ["1", "€160.00", "50%"]
    assert [week[1:] for week in weeks if week not in (weeks[0], weeks[3])] == [["0", "–", "–"]] * 10
    assert (read.cards["Proofs"], read.cards["Money secured"]) == ("3", "€210.00")
    assert [row[1] for row in read.tables["Proofs by week"][1:]] == [week[1] for week in reversed(weeks)]


@pytest.mark.usefixtures("proofs")
def test_calls_of_each_proof_are_those_of_status(page: PageClient, environment: dict[str, str]) -> None:
    read = Read(page.get("/results"))
    (chronopost,) = status(environment, "--days", "30")["returns"]
    assert chronopost["calls"] == 10
    money = " + ".join(EN.money(amount, currency) for currency, amount in chronopost["secured"].items())
    figures = [chronopost[name] for name in ("calls", "proofs", "calls_per_proof", "calls_in_vain")]
    assert read.tables["Calls for each proof"][1:] == [["Chronopost", *map(EN.number, figures), money]]


@pytest.mark.usefixtures("proofs")
def test_weeks_are_those_of_status(page: PageClient, environment: dict[str, str]) -> None:
    read, seen = Read(page.get("/results")), status(environment, "--weeks", "12")
    assert len(seen["weeks"]) == 12

    def shown(found: dict[str, Any]) -> list[str]:
        money = " + ".join(EN.money(amount, currency) for currency, amount in found["secured"].items())
        rate = found["success_rate"]
        return [EN.number(found["proofs"]), money or "–", "–" if rate is None else EN.percent(rate)]

    rows = read.tables["Proofs and money secured by week"][1:]
    assert [row[1:] for row in rows] == [shown(week) for week in reversed(seen["weeks"])]
    assert [read.cards[name] for name in ("Proofs", "Money secured", "Success rate")] == shown(
        seen["all_weeks"]
    )
    assert not {"weeks", "all_weeks"} & status(environment).keys()


def test_nothing_has_come_yet(page: PageClient) -> None:
    text = page.get("/results").text
    assert "No proof has come in these weeks." in text
    assert "No carrier was called in these days." in text

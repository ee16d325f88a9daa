"""The forecast on both databases: what `recours plan --json` foresees, hour by hour, with the deadlines that are missed."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from recours.database.engine import Database
from tests.contract.test_claims import POLICY, Run
from tests.integration.page.conftest import PageClient
from tests.integration.page.test_overview import Read
from tests.processes.commands import recours as typed


def plan(environment: dict[str, str]) -> dict[str, Any]:
    done = typed("plan", "--json", environment=environment)
    assert not done.returncode, done.stderr
    return dict(json.loads(done.stdout))


@pytest.fixture
def waiting(database: Database, add_claims: Callable[..., None], environment: dict[str, str]) -> None:
    """Thirty claims, of which two a day may be asked about, and half of which must be answered tomorrow."""
    environment["QUOTA_CHRONOPOST"] = "4/day"
    now = datetime.now(UTC)
    tomorrow = (now + timedelta(days=1)).date()
    deadlines = [{"response_deadline": tomorrow if n % 2 else None} for n in range(30)]
    add_claims(database, [{"updated_at": now - timedelta(hours=9)} | deadline for deadline in deadlines])
    Run(database).keep(now, POLICY)


@pytest.mark.usefixtures("waiting")
def test_hours_and_carriers_are_those_of_the_plan(page: PageClient, environment: dict[str, str]) -> None:
    read, foreseen = Read(page.get("/forecast")), plan(environment)
    hours = [[int(figure) for figure in row[1:]] for row in read.tables["By hour"][1:]]
    assert len(hours) in (48, 49)
    assert sum(tries for tries, _, _ in hours) == foreseen["tries"] > 0
    (chronopost,) = foreseen["carriers"]
    assert sum(calls for _, calls, _ in hours) == chronopost["calls"]
    assert hours[-1][2] == chronopost["left"] > 0
    (row,) = read.tables["Carriers"][1:]
    assert row[0].startswith("Chronopost")
    assert row[1:5] == [str(chronopost[name]) for name in ("due", "tries", "calls", "left")]


@pytest.mark.usefixtures("waiting")
def test_deadlines_that_are_missed_lead_to_their_claims(
    page: PageClient, environment: dict[str, str]
) -> None:
    shown, foreseen = page.get("/forecast"), plan(environment)
    late = [one["claim"] for one in foreseen["late"]]
    assert late
    assert [row[0] for row in Read(shown).tables["Deadlines that will be missed"][1:]] == late[:50]
    assert f"{len(late)} claims pass their deadline" in shown.text
    assert f'href="/claim?reference={late[0]}"' in shown.html


def test_nothing_waits(page: PageClient) -> None:
    text = page.get("/forecast").text
    assert "No deadline and no evidence is lost in these hours." in text
    assert "Nothing is waiting." in text

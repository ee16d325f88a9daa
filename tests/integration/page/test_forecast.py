"""The forecast on both databases: what `recours plan --hours 168 --json` says, with the deadlines that are missed."""

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
    done = typed("plan", "--hours", "168", "--json", environment=environment)
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
def test_days_and_carriers_are_those_of_the_plan(page: PageClient, environment: dict[str, str]) -> None:
    read, said = Read(page.get("/forecast")), plan(environment)
    days = [[int(figure) for figure in row[1:]] for row in read.tables["Day by day"][1:]]
    assert days == [[day["attempts"], day["calls"], sum(day["due_after"].values())] for day in said["days"]]
    (chronopost,) = said["carriers"]
    (row,) = read.tables["Carriers"][1:]
    assert row[0].startswith("Chronopost")
    assert row[1:5] == [str(chronopost[name]) for name in ("due", "attempts", "calls", "left")]


@pytest.mark.usefixtures("waiting")
def test_deadlines_that_are_missed_lead_to_their_claims(
    page: PageClient, environment: dict[str, str]
) -> None:
    shown, said = page.get("/forecast"), plan(environment)
    [backlog, deadlines] = said["late"]
    assert (backlog["kind"], deadlines["kind"]) == ("backlog", "deadlines")
    assert backlog["sentence"] in shown.text
    assert deadlines["sentence"] in shown.text
    assert f"{deadlines['count']} claims pass their deadline" in shown.text
    assert 'href="/claims?problem=deadlines&amp;sort=deadline"' in shown.html


def test_nothing_waits(page: PageClient) -> None:
    text = page.get("/forecast").text
    assert "No deadline will be missed and no evidence lost in these days." in text

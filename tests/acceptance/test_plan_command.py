"""`recours plan` on the current content of a database."""

import re
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from recours.sandbox import Sandbox, Scenario, SimulatedClock
from tests.acceptance.person import Person
from tests.acceptance.simulation import Service

ROOT = Path(__file__).resolve().parents[2]
HOUR = timedelta(hours=1)
PARIS = ZoneInfo("Europe/Paris")
S = Scenario


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def service(url: str, tmp_path: Path, now: datetime) -> Iterator[Service]:
    """Twelve claims due since yesterday, two new ones, and one without a number and with a near deadline."""
    clock = SimulatedClock(now)
    with Sandbox(now=clock.now) as box, closing(Service(tmp_path, box, clock, url=url)) as made:
        for place in range(12):
            made.add(S.IN_TRANSIT, failed_at=now - 24 * HOUR - timedelta(minutes=place))
        pending: dict[str, Any] = {
            "pod_fetch_status": "pending",
            "pod_fetch_error": None,
            "failed_at": now - HOUR,
        }
        for _ in range(2):
            made.add(S.IN_TRANSIT, carrier="UPS", **pending)
        today = now.astimezone(PARIS).date().isoformat()  # the end of the deadline's day
        made.add(**pending, tracking_number=None, response_deadline=today)
        made.run()  # a run that assesses all claims; no carrier answers for the scheduler's claims below
        made.sql("DELETE FROM recours_runs")
        yield made


def test_the_json_lists_the_attempts_of_each_day_and_nothing_is_changed(
    service: Service, person: Person
) -> None:
    before = service.sql("SELECT * FROM claims ORDER BY id"), len(service.box.calls)
    plan = person.json("plan", "--max-retries", "3")
    assert (service.sql("SELECT * FROM claims ORDER BY id"), len(service.box.calls)) == before
    made_at, until = (datetime.fromisoformat(plan[name]) for name in ("made_at", "until"))
    assert until - made_at == 48 * HOUR
    # Each of the twelve had its first retry. The second is due after 6 hours, the third and last after 24.
    assert plan["attempts"] == sum(day["attempts"] for day in plan["days"]) == 12 * 2 + 2 * 4
    [late] = plan["late"]
    assert (late["kind"], late["count"], late["facts"]["reference"]) == ("deadlines", 1, "CLM-0015")
    [chronopost, ups] = [carrier for carrier in plan["carriers"] if carrier["attempts"]]
    assert (chronopost["carrier"], chronopost["attempts"]) == ("chronopost", 24)
    assert (ups["carrier"], ups["due"], ups["attempts"]) == ("ups", 2, 8)
    days = [made_at.astimezone(PARIS).date() + n * timedelta(days=1) for n in range(3)]
    assert [day["date"] for day in plan["days"]] == [day.isoformat() for day in days]
    assert ups["empty_on"] in {day.isoformat() for day in days[:2]}


def test_the_plan_and_its_advice_fit_one_screen(person: Person) -> None:
    output = person.does("plan", "--hours", "25", TZ="Europe/Paris")  # after the end of any day
    assert re.match(
        r"Estimate from .* CES?T to .* CES?T, assuming every attempt fails: 18 attempts.",
        output,
    )
    assert re.search(r"^  UPS +2 +6 +\d+ +0 +not before \w+ \d+ \w+$", output, re.MULTILINE)
    assert re.search(r"^  \w+day \d+ \w+ +\d+ +\d+ +\d+$", output, re.MULTILINE)
    assert "! 1 claim will not be attempted before its deadline: CLM-0015, due on" in output
    assert "→ recours why CLM-0015" in output
    assert len(output.splitlines()) < 25


@pytest.mark.sample("more cases of the same test, each around processes")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--hours", "10000"], "'10000' is not a whole number from 1 to 720"),
        (["--max-retries", "21"], "'21' is not a whole number from 1 to 20"),
    ],
)
def test_typing_errors_are_reported(typist: Person, arguments: list[str], says: str) -> None:
    done = typist.types("plan", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr


def test_plan_names_the_missing_credentials_of_a_carrier(person: Person) -> None:
    output = person.does("plan", CHRONOPOST_ACCOUNT="")
    assert "\nChronopost has no credentials: set CHRONOPOST_ACCOUNT" in output


def test_a_database_without_claims(typist: Person) -> None:
    assert typist.does("plan", "--hours", "1").splitlines()[1:] == ["No claims are due, now or later."]
    output = typist.json("plan", "--hours", "1")
    assert (output["carriers"], output["late"], output["attempts"]) == ([], [], 0)

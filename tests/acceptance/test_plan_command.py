"""`recours plan` as it is typed, over what lies in a database now."""

import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from recours.sandbox import Sandbox, Scenario, SimulatedClock
from tests.acceptance.person import Person
from tests.acceptance.simulation import Service
from tests.conftest import Kind

ROOT = Path(__file__).resolve().parents[2]
HOUR = timedelta(hours=1)
PARIS = ZoneInfo("Europe/Paris")
S = Scenario


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def service(url: str, tmp_path: Path, now: datetime) -> Iterator[Service]:
    """Twelve claims that are due since yesterday, two new ones, one without a number whose deadline is near."""
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
        today = now.astimezone(PARIS).date().isoformat()  # where the day of a deadline ends
        made.add(**pending, tracking_number=None, response_deadline=today)
        made.run()  # which assesses them all; nobody answers for the claims of the scheduler below
        made.sql("DELETE FROM recours_runs")
        yield made


@pytest.fixture
def person(service: Service, url: str) -> Person:
    return Person.of(service, url)


@pytest.fixture
def typist(tmp_path: Path, kinds: Callable[[str], Kind]) -> Person:
    """Whoever mistypes, does so whatever kind of database there is."""
    return Person(tmp_path, kinds("sqlite").ready(tmp_path).render_as_string())


def test_the_object_says_who_is_tried_when_and_nothing_is_changed(service: Service, person: Person) -> None:
    before = service.sql("SELECT * FROM claims ORDER BY id"), len(service.box.calls)
    said = person.json("plan", "--max-retries", "3")
    assert (service.sql("SELECT * FROM claims ORDER BY id"), len(service.box.calls)) == before
    assert said["max_retries"] == 3
    made_at, until = (datetime.fromisoformat(said[name]) for name in ("made_at", "until"))
    assert until - made_at == 48 * HOUR
    runs = {worker: of_worker(said, worker) for worker in ("pod_retry_scheduler", "pod_fetch_worker")}
    assert [len(of) for of in runs.values()] == [48, 96]
    for of, step in zip(runs.values(), (HOUR, HOUR / 2), strict=True):
        moments = [datetime.fromisoformat(run["at"]) for run in of]
        assert {later - one for one, later in pairwise(moments)} == {step}
        assert all(moment.minute % (step.total_seconds() / 60) == 0 for moment in moments)
    # Each of the twelve had its first turn; the second comes after 6 hours, the third and last one after 24.
    tried = [(one["claim"], one["turn"]) for run in runs["pod_retry_scheduler"] for one in run["claims"]]
    references = [f"CLM-{n:04d}" for n in range(1, 13)]
    assert sorted(tried) == sorted(
        [(reference, retry) for reference in references for retry in (2, 3)]
        + [(f"CLM-{n:04d}", retry) for n in (13, 14) for retry in (1, 2, 3)]
    )
    assert [late["reason"] for late in said["late"]] == ["number"]
    [chronopost, ups] = [carrier for carrier in said["carriers"] if carrier["tries"]]
    assert (chronopost["carrier"], chronopost["tries"], ups["carrier"], ups["due"]) == (
        "chronopost",
        24,
        "ups",
        2,
    )
    assert ups["empty_at"] == runs["pod_fetch_worker"][0]["at"]


def of_worker(said: dict[str, Any], worker: str) -> list[dict[str, Any]]:
    return [run for run in said["runs"] if run["worker"] == worker]


def test_people_are_shown_tables_of_carriers_runs_and_deadlines(person: Person) -> None:
    said = person.does("plan", "--hours", "10", TZ="Europe/Paris")
    assert re.match(
        r"From 20..-..-.. ..:.. to 20..-..-.. ..:.., if no try brings a document: 18 tries in", said
    )
    assert re.search(r"^  UPS .* token \d+/\d+ per hour, resets", said, re.MULTILINE)
    assert re.search(r"^  UPS +2 +6 +\d+ +20..-..-.. ..:.. +0 +.*per hour", said, re.MULTILINE)
    assert re.search(r"retry +12 +0 +0 +0 +0 +(CLM-....(, )?){5} and 7 more$", said, re.MULTILINE)
    assert re.search(r"fetch +2 +0 +0 +0 +0 +CLM-0013, CLM-0014$", said, re.MULTILINE)
    assert re.search(
        r"^  CLM-0015 +Chronopost .*not foreseen +it has no tracking number$", said, re.MULTILINE
    )


def test_the_schedule_is_that_of_the_runs_that_were(service: Service, person: Person, now: datetime) -> None:
    """The last ones began an hour apart; another one was started by hand since."""
    last = now.replace(microsecond=0) - timedelta(minutes=40)
    for n, at in enumerate([last - HOUR, last, last + HOUR / 2]):
        service.sql(
            "INSERT INTO recours_runs (id, worker, started_at) VALUES (?, 'pod_retry_scheduler', ?)",
            f"run-{n}",
            f"{at:%Y-%m-%d %H:%M:%S}",
        )
    runs = of_worker(person.json("plan", "--hours", "3"), "pod_retry_scheduler")
    assert [datetime.fromisoformat(run["at"]) for run in runs] == [last + n * HOUR for n in (1, 2, 3)]


@pytest.mark.sample("more cases of the same test, each around processes", every=3)
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--hours", "0"], "'0' is not a whole number from 1 to 720"),
        (["--hours", "10000"], "'10000' is not a whole number from 1 to 720"),
        (["--hours", "-3"], "'-3' is not a whole number from 1 to 720"),
        (["--hours", "two"], "'two' is not a whole number from 1 to 720"),
        (["--hour", "3"], "No such option"),
        (["--batch-size", "0"], "'0' is not a whole number from 1 to 10000"),
        (["--max-retries", "21"], "'21' is not a whole number from 1 to 20"),
        (["CLM-1"], "unexpected extra argument"),
        (["--database-url", "nonsense"], "is not a database URL"),
    ],
)
def test_what_is_mistyped_is_said(typist: Person, arguments: list[str], says: str) -> None:
    done = typist.types("plan", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr


def test_a_database_without_claims(typist: Person) -> None:
    assert typist.does("plan", "--hours", "1").splitlines()[1:] == ["No claim is due, or will be."]
    said = typist.json("plan", "--hours", "1")
    assert (said["carriers"], said["late"], said["tries"], len(said["runs"])) == ([], [], 0, 3)


@pytest.mark.sample("more cases of the same test, each around processes")
@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        ("DROP TABLE recours_schema_version", "is not current: a run of either worker"),
        ("DROP TABLE claims", "has no table 'claims'"),
    ],
)
def test_a_database_that_cannot_be_planned_for(typist: Person, spoil: str, says: str) -> None:
    path = typist.url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(f"DROP VIEW IF EXISTS recours_documents; {spoil};")
    done = typist.types("plan")
    assert (done.returncode, done.stdout) == (1, "")
    assert says in done.stderr


def test_a_reader_that_has_read_enough(person: Person) -> None:
    command = [sys.executable, "-m", "recours", "plan"]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=person.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        assert running.stdout.readline().startswith("From ")
        running.stdout.close()
        assert running.stderr.read() == ""

"""A service without PODs so far: what a person sees, decides and gets, with real commands on real databases."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from recours.database.engine import Database
from tests.acceptance.person import Person
from tests.processes.commands import Done, worker

FETCHER = "pod_fetch_worker"
LINE = "open claims with a tracking number are not enrolled"
CLAIMS = """CREATE TABLE claims (id BIGINT PRIMARY KEY, claim_reference TEXT UNIQUE NOT NULL, carrier TEXT,
    tracking_number TEXT, status TEXT, created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP)"""


@pytest.fixture
def database(empty_url: str) -> Iterator[Database]:
    database = Database(make_url(empty_url))
    execute(database, CLAIMS)
    for place, status in enumerate(["submitted", "submitted", "refunded", "paid"], 1):
        add(database, place, status, "'2026-01-02 08:00:00'")
    yield database
    database.close()


@pytest.fixture
def person(database: Database, empty_url: str, tmp_path: Path) -> Person:
    return Person(tmp_path, empty_url)


def execute(database: Database, statement: str) -> None:
    with database.write() as connection:
        connection.execute(text(statement))


def add(
    database: Database, claim_id: int, status: str = "submitted", made: str = "CURRENT_TIMESTAMP"
) -> None:
    values = f"{claim_id}, 'CLM-{claim_id}', 'UPS', '1Z999AA10123456784', '{status}', {made}"
    execute(
        database,
        f"INSERT INTO claims (id, claim_reference, carrier, tracking_number, status, created_at) VALUES ({values})",
    )


def statuses(database: Database) -> dict[str, str | None]:
    with database.read() as connection:
        rows = connection.execute(text("SELECT claim_reference, pod_fetch_status FROM claims ORDER BY id"))
        return {row.claim_reference: row.pod_fetch_status for row in rows}


def run(person: Person, *options: str, name: str = FETCHER) -> Done:
    done = worker(name, *options, environment=person.environment, folder=person.folder)
    assert done.returncode == 0, done.stderr
    return done


def test_a_run_reports_claims_that_are_not_enrolled_and_fetches_new_ones(
    person: Person, database: Database
) -> None:
    assert f"3 {LINE}" in run(person, "--dry-run").stderr
    assert f"3 {LINE}" in run(person).stderr
    add(database, 5)
    assert f"3 {LINE}" in run(person, name="pod_retry_scheduler").stderr
    assert "1 new claim would be enrolled first" in run(person, "--dry-run").stderr
    assert json.loads(run(person, "--dry-run", "--json").stdout)["would_enroll"] == 1
    assert "would be enrolled first" not in run(person, "--dry-run", name="pod_retry_scheduler").stderr
    assert "Enrolled 1 new claim" in run(person).stderr
    assert statuses(database) == dict.fromkeys(("CLM-1", "CLM-2", "CLM-3", "CLM-4")) | {"CLM-5": "pending"}
    assert f"3 {LINE}" in run(person, "--dry-run").stderr
    assert f"! 3 {LINE}" in person.does("status")
    assert person.json("status")["not_enrolled"] == 3
    assert f"3 {LINE}" in person.types("check", "--offline").stdout


def test_after_a_decision_about_older_claims_nothing_is_reported(person: Person, database: Database) -> None:
    run(person)
    shown = person.does("enroll", "--dry-run")
    assert "Dry run: 2 claims would be enrolled; nothing was changed." in shown
    assert "Skipped: 1 claim (status 'refunded'; to enroll them anyway: --status refunded)." in shown
    assert "Skipped: 1 claim (status 'paid': claims with this status are not fetched)." in shown
    assert "UPS: 2 calls for the first fetches." in shown
    assert person.types("enroll").returncode == 2, "there is no terminal to ask on"
    assert person.types("enroll", answers="n\n").returncode == 0
    assert statuses(database)["CLM-1"] is None
    assert "2 claims enrolled" in person.does("enroll", answers="y\n")
    assert statuses(database) == {"CLM-1": "pending", "CLM-2": "pending", "CLM-3": None, "CLM-4": None}
    assert LINE not in run(person).stderr
    assert LINE not in person.does("status")


def test_enrolling_unknown_claims_decides_nothing_about_the_others(person: Person) -> None:
    run(person)
    assert "0 claims enrolled" in person.does("enroll", "--carrier", "DPD", "--yes")
    assert f"! 3 {LINE}" in person.does("status")
    person.does("enroll", "--status", "refunded", "--yes")
    assert LINE not in person.does("status")


def test_a_claim_is_excluded_with_the_reason_and_enrolled_again(person: Person, database: Database) -> None:
    run(person)
    person.does("enroll", "CLM-1", "CLM-3")
    assert "excluded: recours no longer works on it" in person.does(
        "exclude", "CLM-1", "--why", "settled by phone"
    )
    assert statuses(database)["CLM-1"] == "manual"
    assert "Found 1 claim(s) to fetch" in run(person).stderr
    assert "CLM-1" not in run(person, "--dry-run").stderr
    again = person.types("exclude", "CLM-1", "CLM-3", "--why", "twice")
    assert (again.returncode, statuses(database)["CLM-3"]) == (2, "pending"), "all of them, or none"
    assert "CLM-1 is excluded" in again.stderr
    person.does("enroll", "CLM-1")
    assert statuses(database)["CLM-1"] == "pending"
    with database.read() as connection:
        changes = connection.execute(
            text("SELECT what, details FROM recours_changes WHERE claim_id = 1 ORDER BY id")
        ).all()
    assert [what for what, _ in changes] == ["enrolled", "excluded", "enrolled"]
    assert "settled by phone" in str(changes[1].details)


@pytest.mark.sample("more cases of the same test, each around processes", every=3)
@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (("enroll", "CLM-4"), "CLM-4 has the status 'paid'"),
        (("enroll", "CLM-1", "--carrier", "UPS"), "cannot be combined"),
        (("exclude", "CLM-1", "--why", " "), "Enter a reason"),
    ],
)
def test_an_impossible_enrollment_is_rejected_and_changes_nothing(
    person: Person, database: Database, typed: tuple[str, ...], said: str
) -> None:
    run(person)
    done = person.types(*typed)
    assert done.returncode == 2
    assert said in done.stderr
    assert set(statuses(database).values()) == {None}

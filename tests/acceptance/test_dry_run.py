"""`--dry-run` predicts exactly what the next run does."""

import json
from pathlib import Path

import pytest
from sqlalchemy import inspect, make_url, text

from recours.database.border import POD_COLUMNS
from recours.database.engine import Database
from tests.acceptance.person import Person
from tests.planted import PASSWORD
from tests.processes.commands import Done, worker

ACCOUNT = {"CHRONOPOST_ACCOUNT": "10000001", "CHRONOPOST_PASSWORD": PASSWORD}
SCHEDULER, FETCHER = "pod_retry_scheduler", "pod_fetch_worker"


@pytest.fixture
def person(tmp_path: Path, url: str) -> Person:
    return Person(tmp_path, url)


def dry(person: Person, *options: str, name: str = SCHEDULER, **settings: str) -> Done:
    environment = person.environment | settings
    return worker(name, "--dry-run", *options, environment=environment, folder=person.folder)


def test_claims_of_carriers_without_credentials_are_deferred_also_on_a_new_database(
    tmp_path: Path, empty_url: str
) -> None:
    database = Database(make_url(empty_url))
    with database.write() as connection:
        connection.execute(
            text(
                "CREATE TABLE claims (id INTEGER PRIMARY KEY, claim_reference TEXT, carrier TEXT, "
                "tracking_number TEXT, pod_fetch_status TEXT, updated_at TIMESTAMP)"
            )
        )
        connection.execute(
            text(
                "INSERT INTO claims VALUES (1, 'CLM-1', 'UPS', '1Z999AA10123456784', 'failed', '2026-01-01'), "
                "(2, 'CLM-2', 'Chronopost', 'XY000000001FR', 'failed', '2026-01-01')"
            )
        )
    person, before = Person(tmp_path, empty_url), tables_of(database)
    done = dry(person, **ACCOUNT)
    assert done.returncode == 0, done.stderr
    added = [name for name in POD_COLUMNS if name != "pod_fetch_status"]
    assert f"columns that the run would add to claims: {', '.join(added)}\n" in done.stderr
    assert "Would fetch 1 claim\n" in done.stderr
    assert "Retry #1 for CLM-2 (Chronopost)" in done.stderr
    assert "1 claim skipped: UPS has no credentials: set UPS_CLIENT_ID" in done.stderr
    named = json.loads(dry(person, "--claim", "CLM-2", "--json", **ACCOUNT).stdout)
    assert (named["would_take"], named["would_add_columns"]) == (["CLM-2"], added)
    assert tables_of(database) == before
    database.close()


def tables_of(database: Database) -> dict[str, list[str]]:
    inspector = inspect(database.engine)
    return {
        name: [column["name"] for column in inspector.get_columns(name)]
        for name in inspector.get_table_names()
    }


def test_carrier_and_claim_cannot_be_combined(person: Person) -> None:
    options = ("--claim", "CLM-2", "--carrier", "UPS", "--dry-run")
    done = worker(SCHEDULER, *options, environment=person.environment, folder=person.folder)
    assert done.returncode == 2
    assert "Error: --carrier and --claim cannot be combined; leave one of them out." in done.stderr
    log = person.folder / "logs" / f"{SCHEDULER}.log"
    assert "leave one of them out" in log.read_text(encoding="utf-8")

"""The SQL of docs/several-machines.md for fetching new claims at once, with the roles of a service's application."""

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import URL, insert, text

from recours.database.engine import Database
from recours.database.schema.rights import quoted
from recours.fleet.job_queue import NEEDS, QueueError
from recours.fleet.procrastinate_queue import ProcrastinateQueue
from tests.conftest import SERVICE_CLAIMS, Kind, claim_row
from tests.postgres import execute

DOCS = (Path(__file__).resolve().parents[2] / "docs" / "several-machines.md").read_text(encoding="utf-8")
TRIGGER, GRANTS = re.findall(r"^```sql\n(.*?)^```$", DOCS, re.DOTALL | re.MULTILINE)
WAITING = "SELECT args->>'reference' FROM procrastinate_jobs WHERE queue_name = 'recours_now'"


@pytest.fixture
def owner(kinds: Callable[[str], Kind], tmp_path: Path) -> Iterator[URL]:
    """A service's database with the job queue's tables."""
    url = kinds("postgresql").ready(tmp_path)
    run(url, ProcrastinateQueue.schema())
    yield url
    kinds("postgresql").drop(url)


@pytest.fixture
def application(owner: URL) -> Iterator[URL]:
    """A role that may only write claims."""
    name = "application-" + str(owner.database)[-12:]
    execute(
        owner,
        f"CREATE ROLE {quoted(name)} LOGIN",
        f"GRANT SELECT, INSERT ON claims TO {quoted(name)}",
        f"GRANT USAGE ON SEQUENCE claims_id_seq TO {quoted(name)}",
    )
    yield owner.set(username=name)
    execute(owner, f"DROP OWNED BY {quoted(name)}", f"DROP ROLE {quoted(name)}")


def conninfo(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def run(url: URL, sql: str) -> None:
    """Run several statements like psql; a % has no special meaning."""
    with psycopg.connect(conninfo(url)) as connection:
        connection.execute(sql.encode())


def add_claims(url: URL, *changes: dict[str, object]) -> None:
    rows = [claim_row(n) | {"pod_fetch_status": "pending"} | change for n, change in enumerate(changes)]
    with closing(Database(url)) as database, database.write() as connection:
        for row in rows:
            connection.execute(insert(SERVICE_CLAIMS), row)


def values_of(url: URL, query: str) -> list[str]:
    with closing(Database(url)) as database, database.read() as connection:
        return list(connection.scalars(text(query)))


def test_a_claim_that_its_application_writes_is_put_into_the_queue(owner: URL, application: URL) -> None:
    run(owner, TRIGGER)
    add_claims(application, {}, {"pod_fetch_status": None}, {"tracking_number": None})
    assert values_of(owner, WAITING) == [claim_row(0)["claim_reference"]]


@pytest.mark.parametrize(
    "damage",
    [
        "; ".join(f"DROP TABLE {need.name} CASCADE" for need in NEEDS),
        "DROP FUNCTION procrastinate_defer_jobs_v1",
        "DROP TYPE procrastinate_job_to_defer_v1 CASCADE",
    ],
)
def test_a_claim_is_written_without_the_queue_too(owner: URL, application: URL, damage: str) -> None:
    run(owner, TRIGGER)
    run(owner, damage)
    add_claims(application, {})
    assert values_of(owner, "SELECT claim_reference FROM claims") == [claim_row(0)["claim_reference"]]


def test_with_the_rights_that_are_shown_an_application_may_defer_and_without_any_of_them_not(
    owner: URL, application: URL
) -> None:
    role = quoted(str(application.username))
    shown = GRANTS.replace("TO application;", f"TO {role};")
    run(owner, shown)
    queue = ProcrastinateQueue(application)
    queue.defer_fetch("CLM-1")
    assert values_of(owner, WAITING) == ["CLM-1"]
    for right, on in re.findall(r"^GRANT (.+) ON (.+) TO", GRANTS, re.MULTILINE):
        for one in right.split(", "):
            run(owner, f"REVOKE {one} ON {on} FROM {role}")
            with pytest.raises(QueueError, match="permission denied"):
                queue.defer_fetch("CLM-2")
            run(owner, shown)

"""Many machines on one database: real scripts at the same time, each claim fetched and recorded once."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url, text

from recours.database.engine import Database
from recours.sandbox import Parcel, Sandbox, Scenario
from tests.conftest import environment_of

pytestmark = pytest.mark.full("many processes at once: tests/integration/test_runs.py has two")

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(now=lambda: datetime.now(UTC), latency=0.01) as box:
        yield box


def worker(name: str) -> list[str]:
    return [str(ROOT / "scripts" / f"{name}.py"), "--json", "--batch-size", "10000"]


def run_all(
    commands: list[list[str]], url: str, sandbox: Sandbox, folder: Path
) -> list[tuple[int, dict[str, Any], str]]:
    """Each command in a process of its own, all at once: status, report and log of each."""
    environment = environment_of(url, sandbox.url) | {
        "PATH": os.environ["PATH"],
        "RECOURS_LOG_DIR": str(folder / "logs"),
        "RECOURS_POD_DIR": str(folder / "pods"),
    }
    started = [
        subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for command in commands
    ]
    ended = [(process, *process.communicate(timeout=300)) for process in started]
    return [(process.returncode, json.loads(out), log) for process, out, log in ended]


def assert_nothing_failed(ended: list[tuple[int, dict[str, Any], str]]) -> None:
    logs = "\n".join(log for _, _, log in ended)
    assert [words for words in ("locked", "deadlock", "ERROR", "Traceback") if words in logs] == [], logs
    assert {status for status, _, _ in ended} == {0}


# ---------------------------------------------------------------- a service that knows no proofs

SERVICE = """CREATE TABLE claims (id BIGINT PRIMARY KEY, claim_reference TEXT UNIQUE NOT NULL, carrier TEXT,
    tracking_number TEXT, status TEXT, created_at TIMESTAMP)"""
FETCHER = worker("pod_fetch_worker")
ENROLS = ["-m", "recours", "enroll", "--yes", "--json"]


@pytest.fixture
def service(empty_url: str) -> Iterator[Database]:
    with closing(Database(make_url(empty_url))) as database:
        with database.write() as connection:
            connection.execute(text(SERVICE))
        yield database


def add_unenrolled(database: Database, sandbox: Sandbox, ids: range, created_at: datetime) -> None:
    """Claims that the service makes, which knows no column of ours."""
    made = created_at.strftime("%Y-%m-%d %H:%M:%S")
    rows: list[dict[str, Any]] = [
        {"id": n, "reference": f"CLM-{n}", "number": f"XY{n:09}FR", "made": made} for n in ids
    ]
    insertion = (
        "INSERT INTO claims (id, claim_reference, carrier, tracking_number, status, created_at)"
        " VALUES (:id, :reference, 'Chronopost', :number, 'submitted', "
        f"{':made' if database.is_sqlite else 'CAST(:made AS TIMESTAMP)'})"
    )
    with database.write() as connection:
        connection.execute(text(insertion), rows)
    for row in rows:
        sandbox.parcels[row["number"]] = Parcel((Scenario.DELIVERED,))


def test_many_processes_adopt_a_database_and_enrol_each_claim_once(
    service: Database,
    empty_url: str,
    sandbox: Sandbox,
    tmp_path: Path,
    repeats: Callable[[int, int], range],
) -> None:
    processes, count = len(repeats(4, 8)), len(repeats(40, 1000))
    old, new = range(1, count + 1), range(count + 1, 2 * count + 1)
    now = datetime.now(UTC)
    add_unenrolled(service, sandbox, old, now - timedelta(days=9))
    first = run_all([FETCHER] * processes, empty_url, sandbox, tmp_path)
    assert_nothing_failed(first)
    assert [f"{count} open claims with a tracking number are not enrolled" in log for _, _, log in first] == [
        True
    ] * processes
    add_unenrolled(service, sandbox, new, now + timedelta(minutes=1))

    ended = run_all([FETCHER, ENROLS] * (processes // 2), empty_url, sandbox, tmp_path)
    assert_nothing_failed(ended)
    by_runs = sum(int(n) for _, _, log in ended for n in re.findall(r"Enrolled (\d+) new claim", log))
    by_people = sum(report["enrolled"] for _, report, _ in ended if "enrolled" in report)
    assert by_runs + by_people == 2 * count
    last = run_all([FETCHER], empty_url, sandbox, tmp_path)
    assert_nothing_failed(last)
    assert sum(report.get("success", 0) for _, report, _ in ended + last) == 2 * count
    assert Counter(call.number for call in sandbox.calls) == dict.fromkeys(sandbox.parcels, 2)
    with service.read() as connection:
        statuses = connection.execute(text("SELECT pod_fetch_status, count(*) FROM claims GROUP BY 1")).all()
    assert statuses == [("success", 2 * count)]

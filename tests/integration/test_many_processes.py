"""Many machines on one database: real scripts at the same time, each claim fetched and recorded once."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, text

from recours.database.engine import Database
from recours.sandbox import Parcel, Sandbox, Scenario
from tests.conftest import SERVICE_CLAIMS, claim_row, environment_of

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(now=lambda: datetime.now(UTC), latency=0.01) as box:
        yield box


@pytest.fixture
def size(repeats: Callable[[int, int], range]) -> tuple[int, int]:
    """How many processes, and how many claims."""
    return len(repeats(4, 8)), len(repeats(200, 2000))


def fill(database: Database, sandbox: Sandbox, count: int) -> None:
    at = datetime.now(UTC) - timedelta(hours=2)
    rows = [claim_row(n) | {"created_at": at, "updated_at": at} for n in range(count)]
    with database.write() as connection:
        connection.execute(insert(SERVICE_CLAIMS), rows)
    for row in rows:
        sandbox.parcels[row["tracking_number"]] = Parcel((Scenario.DELIVERED,))


def run_all(
    processes: int, url: str, sandbox: Sandbox, folder: Path
) -> list[tuple[int, dict[str, Any], str]]:
    """The scheduler in so many processes at once: status, report and log of each."""
    environment = environment_of(url, sandbox.url) | {
        "PATH": os.environ["PATH"],
        "RECOURS_LOG_DIR": str(folder / "logs"),
        "RECOURS_POD_DIR": str(folder / "pods"),
    }
    command = [
        sys.executable,
        str(ROOT / "scripts" / "pod_retry_scheduler.py"),
        "--json",
        "--batch-size",
        "10000",
    ]
    started = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(processes)
    ]
    ended = [(process, *process.communicate(timeout=300)) for process in started]
    return [(process.returncode, json.loads(out), log) for process, out, log in ended]


def test_many_processes_fetch_and_record_each_claim_once(
    database: Database, url: str, sandbox: Sandbox, tmp_path: Path, size: tuple[int, int]
) -> None:
    processes, count = size
    fill(database, sandbox, count)
    ended = run_all(processes, url, sandbox, tmp_path)
    assert [status for status, _, _ in ended] == [0] * processes
    assert sum(report["success"] for _, report, _ in ended) == count
    logs = "\n".join(log for _, _, log in ended)
    assert [words for words in ("locked", "deadlock", "ERROR", "Traceback") if words in logs] == []
    assert Counter(call.number for call in sandbox.calls) == dict.fromkeys(sandbox.parcels, 2)

    with database.read() as connection:
        recorded = connection.execute(text("SELECT claim_id, outcome FROM recours_attempts")).all()
        taken = connection.scalar(text("SELECT sum(taken) FROM recours_quota"))
        held = connection.scalar(text("SELECT coalesce(sum(held), 0) FROM recours_quota_shares"))
        done = connection.scalar(text("SELECT count(*) FROM claims WHERE pod_fetch_status = 'success'"))
        leased = connection.scalar(text("SELECT count(*) FROM claims WHERE pod_lease_token IS NOT NULL"))
    assert Counter(recorded) == dict.fromkeys([(n, "success") for n in range(1, count + 1)], 1)
    assert (done, taken, held, leased) == (count, 2 * count, 0, 0)
    assert len(list((tmp_path / "pods").rglob("*.pdf"))) == count

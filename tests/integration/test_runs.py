"""Whole runs in their own processes: concurrent, killed, stopped."""

import itertools
import json
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from recours.database.engine import Database
from recours.database.schema import inspection
from recours.sandbox import Sandbox
from recours.sandbox.answers import Answer, HttpRequest
from tests.conftest import add_claims
from tests.planted import PASSWORD

ROOT = Path(inspection.__file__).parents[3]


@pytest.fixture
def environment(url: str, sandbox: Sandbox, tmp_path: Path) -> dict[str, str]:
    """cron's environment, with the settings."""
    return {
        "DATABASE_URL": url,
        "CHRONOPOST_ACCOUNT": "10000001",
        "CHRONOPOST_PASSWORD": PASSWORD,
        "CHRONOPOST_BASE_URL": sandbox.url,
        "QUOTA_CHRONOPOST": "100000/day",
        "RECOURS_POD_DIR": str(tmp_path / "pods"),
        "RECOURS_LOG_DIR": str(tmp_path / "logs"),
    }


@pytest.fixture
def start(environment: dict[str, str], tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """`start(name, *options, NAME=value)`: start a worker's script as cron does."""
    (tmp_path / "logs").mkdir()

    def popen(name: str, *options: str, **more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, str(ROOT / "scripts" / f"{name}.py"), "--json", *options],
            env=environment | more,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    return popen


def ended(process: subprocess.Popen[str]) -> tuple[int, dict[str, Any], str]:
    out, log = process.communicate(timeout=60)
    return process.returncode, json.loads(out) if out else {}, log


def rows(database: Database, query: str) -> list[dict[str, Any]]:
    with database.read() as connection:
        return [dict(row) for row in connection.execute(text(query)).mappings()]


def units(database: Database) -> int:
    """The units used by all runs."""
    (row,) = rows(database, "SELECT coalesce(sum(taken), 0) AS taken FROM recours_quota")
    return int(row["taken"])


def calls_by_number(sandbox: Sandbox) -> Counter[str]:
    return Counter(call.number for call in sandbox.calls)


# ---------------------------------------------------------------- at the same time


def test_two_schedulers_and_the_fetch_worker_never_fetch_a_claim_twice(
    database: Database,
    sandbox: Sandbox,
    start: Callable[..., subprocess.Popen[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A run's first call is alone: the first three answered calls belong to one run each, which then all have claims.
    first, at_once, answer = itertools.count(), threading.Barrier(3), sandbox.answer
    asked = threading.Event()

    def answer_together(request: HttpRequest) -> Answer:
        if next(first) < 3:
            asked.set()
            at_once.wait(timeout=60)
        return answer(request)

    monkeypatch.setattr(sandbox, "answer", answer_together)
    sandbox.latency = 0.1
    add_claims(database, [{"pod_fetch_status": "pending" if n % 4 == 0 else "failed"} for n in range(80)])
    # If two runs begin at the same instant, one may find every due claim leased and end, which is correct.
    runs = [start("pod_retry_scheduler", "--batch-size", "100")]
    assert asked.wait(timeout=60)
    # Together: the first run waits half a minute for its answer, too short on a busy machine to start one after the
    # other.
    runs += [start(name, "--batch-size", "100") for name in ("pod_retry_scheduler", "pod_fetch_worker")]
    reports = [ended(run) for run in runs]
    assert [status for status, _, _ in reports] == [0, 0, 0]
    totals = [report["total"] for _, report, _ in reports]
    assert totals[0] + totals[1] == 60
    assert min(totals) > 0
    assert totals[2] == 20
    assert sum(report["success"] for _, report, _ in reports) == 80
    assert set(calls_by_number(sandbox).values()) == {2}
    assert units(database) == 160
    assert len(list((tmp_path / "pods").rglob("*.pdf"))) == 80
    assert Counter(
        row["claim_id"] for row in rows(database, "SELECT claim_id FROM recours_attempts")
    ) == dict.fromkeys(range(1, 81), 1)


# ---------------------------------------------------------------- stopped


def stopped(
    run: subprocess.Popen[str], sandbox: Sandbox, *, after_calls: int
) -> tuple[int, dict[str, Any], float]:
    """Exit status and output of a run that gets SIGTERM after this many calls, and the seconds until it ended."""
    give_up_at = time.monotonic() + 30
    while len(sandbox.calls) < after_calls and time.monotonic() < give_up_at:
        time.sleep(0.01)
    run.send_signal(signal.SIGTERM)
    start = time.monotonic()
    code, report, _ = ended(run)
    return code, report, time.monotonic() - start


def test_a_run_that_is_stopped_ends_with_the_calls_in_progress(
    database: Database,
    sandbox: Sandbox,
    start: Callable[..., subprocess.Popen[str]],
) -> None:
    """Even at a slow carrier: no claim's next call begins, and claims leased ahead are released."""
    add_claims(database, [{}] * 12)
    sandbox.latency = 2.0
    run = start("pod_retry_scheduler", "--concurrency", "4")
    code, report, took_s = stopped(run, sandbox, after_calls=4)
    assert took_s < 1.4 * sandbox.latency
    assert (code, report["success"], report["failed"]) == (143, 0, 0)
    assert {call.operation for call in sandbox.calls} == {"trackSkybillV2"}
    assert len(sandbox.calls) == units(database) == 4
    assert rows(database, "SELECT calls, outcome FROM recours_attempts") == 4 * [
        {"calls": 1, "outcome": "left"}
    ]
    assert not rows(
        database, "SELECT 1 FROM recours_claims WHERE lease_token IS NOT NULL OR interruptions > 0"
    )

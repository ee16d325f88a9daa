"""Whole runs as processes of their own: at the same time, killed, stopped."""

import itertools
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from recours.core.outcome import Label, Retrieved, StoredDocument
from recours.database.engine import Database
from recours.database.schema import inspection
from recours.documents.store import DocumentStore
from recours.runs.fetch import PODFetchWorker
from recours.runs.retry import PODRetryScheduler
from recours.runs.summary import Report
from recours.runs.worker import Options, Worker
from recours.sandbox import Parcel, Sandbox, Scenario, SimulatedClock
from recours.sandbox.answers import Answer, HttpRequest
from recours.settings.model import Settings
from recours.wiring.databases import open_database
from recours.wiring.workers import make_worker
from tests.planted import PASSWORD

ROOT = Path(inspection.__file__).parents[3]
SPAWN = multiprocessing.get_context("spawn")
LEASE = timedelta(minutes=10)


@pytest.fixture
def environment(url: str, sandbox: Sandbox, tmp_path: Path) -> dict[str, str]:
    """Cron's, and the settings."""
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
    """`start(name, *options, NAME=value)`: a worker's script, as cron starts it."""
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


def units(database: Database) -> tuple[int, int]:
    """(used, held), by all."""
    (row,) = rows(
        database,
        "SELECT coalesce(sum(taken), 0) AS taken,"
        " (SELECT coalesce(sum(held), 0) FROM recours_quota_shares) AS held FROM recours_quota",
    )
    return row["taken"] - row["held"], row["held"]


def calls_by_number(sandbox: Sandbox) -> Counter[str]:
    return Counter(call.number for call in sandbox.calls)


# ---------------------------------------------------------------- at the same time


def test_two_schedulers_and_the_fetch_worker_never_fetch_a_claim_twice(
    database: Database,
    sandbox: Sandbox,
    add_claims: Callable[..., None],
    start: Callable[..., subprocess.Popen[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A run's first call goes alone: the first three to be answered are one of each run, which then all hold claims.
    first, at_once, answer = itertools.count(), threading.Barrier(3), sandbox.answer
    asked = threading.Semaphore(0)

    def answer_together(request: HttpRequest) -> Answer:
        if next(first) < 3:
            asked.release()
            at_once.wait(timeout=60)
        return answer(request)

    monkeypatch.setattr(sandbox, "answer", answer_together)
    sandbox.latency = 0.1
    add_claims(database, [{"pod_fetch_status": "pending" if n % 4 == 0 else "failed"} for n in range(80)])
    runs = []
    for name in ("pod_retry_scheduler",) * 2 + ("pod_fetch_worker",):
        runs.append(start(name, "--batch-size", "100"))
        # Of two that begin in the same instant, one can find all that is due under the other's hand, and rightly end.
        assert asked.acquire(timeout=30)
    reports = [ended(run) for run in runs]
    assert [status for status, _, _ in reports] == [0, 0, 0]
    totals = [report["total"] for _, report, _ in reports]
    assert totals[0] + totals[1] == 60
    assert min(totals) > 0
    assert totals[2] == 20
    assert sum(report["success"] for _, report, _ in reports) == 80
    assert set(calls_by_number(sandbox).values()) == {2}
    assert units(database) == (160, 0)
    assert len(list((tmp_path / "pods").rglob("*.pdf"))) == 80
    assert Counter(
        row["claim_id"] for row in rows(database, "SELECT claim_id FROM recours_attempts")
    ) == dict.fromkeys(range(1, 81), 1)


def zone_at_noon() -> str:
    """Where no day ends while the test runs."""
    hours = datetime.now(UTC).hour - 12
    return f"Etc/GMT{hours:+d}"


def test_two_schedulers_share_a_quota_exactly(
    database: Database,
    sandbox: Sandbox,
    add_claims: Callable[..., None],
    start: Callable[..., subprocess.Popen[str]],
) -> None:
    sandbox.latency = 0.02
    add_claims(database, [{}] * 40)
    limit = f"50/day@{zone_at_noon()}"
    runs = [start("pod_retry_scheduler", "--batch-size", "100", QUOTA_CHRONOPOST=limit) for _ in range(2)]
    reports = [ended(run) for run in runs]
    assert [status for status, _, _ in reports] == [0, 0]
    assert len(sandbox.calls) == 50
    assert sum(report["success"] for _, report, _ in reports) == 25
    assert [report["failed"] for _, report, _ in reports] == [0, 0]
    assert units(database) == (50, 0)
    left = rows(database, "SELECT * FROM claims WHERE pod_fetch_status = 'failed'")
    assert len(left) == 15
    for row in left:
        assert (row["pod_retry_count"], row["pod_lease_token"], row["pod_interruptions"]) == (0, None, 0)
    assert {usage["limit"] for _, report, _ in reports for usage in report["api_usage"].values()} == {50}


@pytest.mark.sample("more cases of the same test, each around processes", every=3)
@pytest.mark.parametrize(("limit", "successes"), [(2, 1), (5, 2), (6, 3), (16, 8), (17, 8), (30, 10)])
def test_the_last_units_of_a_day_are_used(
    database: Database,
    url: str,
    clock: SimulatedClock,
    sandbox: Sandbox,
    add_claims: Callable[..., None],
    settings_of: Callable[..., Settings],
    limit: int,
    successes: int,
) -> None:
    add_claims(database, [{}] * 10)
    begun = clock.monotonic()
    settings = settings_of(url, sandbox, QUOTA_CHRONOPOST=f"{limit}/day")
    report = run_once(settings, clock)
    assert (report.stats.success, report.stats.skipped_rate_limit) == (successes, 10 - successes)
    assert units(database) == (2 * successes, 0)
    # For units that cannot come back nobody waits.
    assert clock.monotonic() - begun < 1


class Crowded(Sandbox):
    """Knows how many calls were under way at the same time."""

    def __init__(self, together: int = 1) -> None:
        """`together`: no call is answered before so many have been under way at once, unless that takes too long."""
        super().__init__()
        self.together = together
        self.counting = threading.Lock()
        self.inside = self.most = 0
        self.presenting = self.most_presenting = 0  # our account, before it was accepted

    def answer(self, request: HttpRequest) -> Answer:
        presents = b"searchPOD" in request.body
        with self.counting:
            self.inside += 1
            self.presenting += presents
            self.most = max(self.most, self.inside)
            if not any(call.operation == "searchPOD" for call in self.calls):
                self.most_presenting = max(self.most_presenting, self.presenting)
        ends = time.monotonic() + 10
        time.sleep(0.03)
        while self.most < self.together and time.monotonic() < ends:
            time.sleep(0.01)
        try:
            return super().answer(request)
        finally:
            with self.counting:
                self.inside -= 1
                self.presenting -= presents


@pytest.mark.sample("more cases of the same test, each around processes", every=2)
@pytest.mark.parametrize(
    ("concurrency", "of_carrier", "most"), [(8, "4", 4), (3, "4", 3), (8, "2", 2), (8, "6", 6)]
)
def test_how_many_calls_are_under_way_at_once(
    database: Database,
    url: str,
    clock: SimulatedClock,
    add_claims: Callable[..., None],
    settings_of: Callable[..., Settings],
    concurrency: int,
    of_carrier: str,
    most: int,
) -> None:
    add_claims(database, [{}] * 24)
    with Crowded(together=most) as crowded:
        settings = settings_of(url, crowded, RECOURS_CARRIER_CONCURRENCY=of_carrier)
        report = run_once(settings, clock, options=Options(batch_size=24, concurrency=concurrency))
    assert report.stats.success == 24
    assert (crowded.most, crowded.most_presenting) == (most, 1)


def run_once(
    settings: Settings,
    clock: SimulatedClock,
    kind: type[Worker] = PODRetryScheduler,
    *,
    options: Options | None = None,
    change: Callable[[Worker], None] = lambda _: None,
) -> Report:
    opened = open_database(settings)
    try:
        worker = make_worker(
            kind, settings, opened, options or Options(batch_size=100), clock=clock, jitter=lambda: 0.0
        )
        change(worker)
        return worker.run()
    finally:
        opened.database.close()


def test_a_wrong_password_costs_one_refused_call_and_a_check_however_many_claims_are_due(
    database: Database,
    url: str,
    clock: SimulatedClock,
    sandbox: Sandbox,
    add_claims: Callable[..., None],
    settings_of: Callable[..., Settings],
) -> None:
    sandbox.accounts = {"10000001": "changed"}
    add_claims(database, [{}] * 20)
    settings = settings_of(url, sandbox)
    first = run_once(settings, clock)
    assert (first.exit_status, first.stats.total, first.stats.skipped_carrier) == (0, 0, 20)
    operations = Counter(call.operation for call in sandbox.calls)
    assert operations["searchPOD"] == 2
    assert operations["trackSkybillV2"] <= 4  # needs no password, and what it told is kept
    again = run_once(settings, clock)
    assert (again.stats.total, again.stats.skipped_carrier) == (0, 20)
    assert len(sandbox.calls) == operations.total()
    faults = rows(database, "SELECT * FROM recours_events WHERE event = 'account_fault'")
    assert len(faults) == 1
    sandbox.accounts = {"10000001": "654321"}
    repaired = settings_of(url, sandbox, CHRONOPOST_PASSWORD="654321")
    assert run_once(repaired, clock).stats.success == 20
    assert Counter(call.operation for call in sandbox.calls)["trackSkybillV2"] == 20


# ---------------------------------------------------------------- killed


class KilledAfterStoring(DocumentStore):
    def store(self, label: Label, got: Retrieved) -> list[StoredDocument]:
        super().store(label, got)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


def be_killed(settings: Settings, now: datetime, store: type[DocumentStore]) -> None:
    def change(worker: Worker) -> None:
        worker.deps = replace(worker.deps, documents=store(settings.pod_dir))

    run_once(settings, SimulatedClock(now), options=Options(batch_size=1), change=change)


def killed(settings: Settings, now: datetime, store: type[DocumentStore]) -> None:
    process = SPAWN.Process(target=be_killed, args=(settings, now, store))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL


def test_a_document_that_a_killed_run_stored_is_neither_lost_nor_paid_for_again(
    database: Database,
    url: str,
    clock: SimulatedClock,
    sandbox: Sandbox,
    add_claims: Callable[..., None],
    settings_of: Callable[..., Settings],
) -> None:
    add_claims(database, [{}])
    settings = settings_of(url, sandbox)
    killed(settings, clock.now(), KilledAfterStoring)
    (stored,) = settings.pod_dir.rglob("*.pdf")
    content = stored.read_bytes()
    assert len(sandbox.calls) == 2
    assert units(database) == (2, 0)

    clock.advance(LEASE - timedelta(seconds=1))
    assert run_once(settings, clock).stats.total == 0
    clock.advance(timedelta(seconds=1))
    assert run_once(settings, clock).stats.success == 1

    assert len(sandbox.calls) == 2
    assert units(database) == (2, 0)
    assert [path.read_bytes() for path in settings.pod_dir.rglob("*.pdf")] == [content]
    (row,) = rows(database, "SELECT * FROM claims")
    assert (row["pod_fetch_status"], row["pod_url"]) == ("success", str(stored))
    assert (row["pod_delivery_person"], row["pod_retry_count"]) == ("DUPONT", 1)
    (attempt,) = rows(database, "SELECT * FROM recours_attempts")
    assert (attempt["calls"], attempt["outcome"], attempt["signatory"]) == (0, "success", "DUPONT")
    assert attempt["delivered_at"] is not None


def test_a_document_that_was_stored_for_a_number_corrected_since_is_not_used(
    database: Database,
    url: str,
    clock: SimulatedClock,
    sandbox: Sandbox,
    add_claims: Callable[..., None],
    settings_of: Callable[..., Settings],
) -> None:
    add_claims(database, [{}])
    settings = settings_of(url, sandbox)
    killed(settings, clock.now(), KilledAfterStoring)
    with database.write() as connection:
        connection.execute(text("UPDATE claims SET tracking_number = 'XY007777777FR'"))
    clock.advance(LEASE)
    assert run_once(settings, clock).stats.success == 1
    assert calls_by_number(sandbox)["XY007777777FR"] == 2
    (row,) = rows(database, "SELECT * FROM claims")
    assert "XY007777777FR" in row["pod_url"]


# ---------------------------------------------------------------- stopped


def test_a_run_that_is_stopped_waits_for_no_window(
    database: Database,
    sandbox: Sandbox,
    add_claims: Callable[..., None],
    start: Callable[..., subprocess.Popen[str]],
) -> None:
    add_claims(database, [{}] * 12)
    run = start("pod_retry_scheduler", "--concurrency", "6", QUOTA_CHRONOPOST="100000/day,5/minute")
    give_up_at = time.monotonic() + 30
    while len(sandbox.calls) < 5 and time.monotonic() < give_up_at:
        time.sleep(0.01)
    run.send_signal(signal.SIGTERM)
    begun = time.monotonic()
    code, report, _ = ended(run)
    assert time.monotonic() - begun < 5
    assert (code, report["failed"]) == (143, 0)
    assert len(sandbox.calls) < 12
    for row in rows(database, "SELECT * FROM claims"):
        assert (row["pod_lease_token"], row["pod_interruptions"]) == (None, 0)
    assert units(database)[1] == 0

    code, later, _ = ended(start("pod_retry_scheduler"))
    assert (code, later["success"]) == (0, 12 - report["success"])
    assert set(calls_by_number(sandbox).values()) == {2}  # what was tracked is not tracked again


def test_the_exit_status_of_a_stopped_run_is_on_record(
    database: Database,
    sandbox: Sandbox,
    add_claims: Callable[..., None],
    start: Callable[..., subprocess.Popen[str]],
) -> None:
    sandbox.latency = 0.1
    add_claims(database, [{}] * 30)
    run = start("pod_retry_scheduler", "--concurrency", "2")
    while not sandbox.calls and run.poll() is None:
        time.sleep(0.01)
    run.send_signal(signal.SIGTERM)
    assert ended(run)[0] == 143
    (journal,) = rows(database, "SELECT exit_status FROM recours_runs")
    assert journal["exit_status"] == 143


def test_a_run_begins_no_claim_after_its_time(
    database: Database,
    url: str,
    clock: SimulatedClock,
    add_claims: Callable[..., None],
    settings_of: Callable[..., Settings],
) -> None:
    class Ageing(Sandbox):
        """Each answer takes ten minutes of the run's time."""

        def answer(self, request: HttpRequest) -> Answer:
            clock.advance(timedelta(minutes=10))
            return super().answer(request)

    add_claims(database, [{}] * 10)
    with Ageing(now=clock.now) as ageing:
        options = Options(batch_size=10, concurrency=1, max_runtime=timedelta(minutes=55))
        report = run_once(settings_of(url, ageing), clock, options=options)
    assert (report.exit_status, report.stats.success) == (0, 3)  # the third is begun at minute 40
    left = rows(database, "SELECT * FROM claims WHERE pod_fetch_status = 'failed'")
    assert {row["pod_lease_token"] for row in left} == {None}


# ---------------------------------------------------------------- the two workers, one after the other


def test_what_the_fetch_worker_learnt_the_scheduler_does_not_ask_again(
    database: Database,
    url: str,
    clock: SimulatedClock,
    sandbox: Sandbox,
    add_claims: Callable[..., None],
    settings_of: Callable[..., Settings],
) -> None:
    number = "XY990000001FR"
    sandbox.parcels[number] = Parcel((Scenario.POD_LATE, Scenario.DELIVERED), signatory="MARTIN")
    add_claims(database, [{"tracking_number": number, "pod_fetch_status": "pending"}])
    settings = settings_of(url, sandbox)
    assert run_once(settings, clock, PODFetchWorker).stats.failed == 1
    clock.advance(timedelta(hours=1))
    assert run_once(settings, clock).stats.success == 1
    assert [call.operation for call in sandbox.calls] == ["trackSkybillV2", "searchPOD", "searchPOD"]
    assert units(database) == (3, 0)
    (row,) = rows(database, "SELECT * FROM claims")
    assert (row["pod_delivery_person"], row["pod_retry_count"]) == ("MARTIN", 1)

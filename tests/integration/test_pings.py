"""Pings: what a monitoring service receives from whole runs, and that no response of it harms a run."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from recours.database.engine import Database
from recours.database.schema import inspection
from recours.monitoring.healthchecks import LONGEST_BODY, Pings
from recours.sandbox import Sandbox
from tests.conftest import add_claims, environment_of
from tests.fakes.check import KEY, Answer, Check, Ping
from tests.planted import MARK, PASSWORD
from tests.processes.commands import Done, worker

ROOT = Path(inspection.__file__).parents[3]
RUN_ID = "0123456789abcdef0123456789abcdef"
Run = Callable[..., Done]


@pytest.fixture(autouse=True)
def _direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the machine's own proxy settings."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def check() -> Iterator[Check]:
    with Check() as check:
        yield check


@pytest.fixture
def environment(url: str, sandbox: Sandbox, tmp_path: Path, check: Check) -> dict[str, str]:
    """cron's environment, with the settings."""
    return environment_of(url, sandbox.url) | {
        "RECOURS_POD_DIR": str(tmp_path / "pods"),
        "RECOURS_LOG_DIR": str(tmp_path / "logs"),
        "RECOURS_PING_URL": check.url,
    }


@pytest.fixture
def run(environment: dict[str, str], tmp_path: Path) -> Run:
    """`run(name, *options, NAME=value)`: run a worker's script as cron does."""

    def run(name: str, *options: str, **more: str) -> Done:
        return worker(name, *options, environment=environment | more, folder=tmp_path)

    return run


def log_of(folder: Path, worker: str = "pod_retry_scheduler") -> str:
    return (folder / "logs" / f"{worker}.log").read_text(encoding="utf-8")


# ---------------------------------------------------------------- what a check hears


def test_start_and_success_are_reported_with_the_runs_id(
    run: Run, check: Check, database: Database, tmp_path: Path
) -> None:
    add_claims(database, [{}, {}, {"tracking_number": "nonsense"}])
    done = run("pod_retry_scheduler")
    assert done.returncode == 0, done.stderr
    start, success = check.pings
    assert {start.worker, success.worker} == {"pod_retry_scheduler"}
    assert (start.action, start.body, success.action) == ("start", "", "")
    with database.read() as connection:
        (run_id,) = connection.execute(text("SELECT id FROM recours_runs")).one()
    assert start.rid == success.rid == str(UUID(run_id))
    lines = success.body.splitlines()
    for line in ("Total processed: 3", "✅ Success: 2", "❌ Failed: 1", "Success rate: 66.7%"):
        assert line in lines
    assert any(line.startswith("Chronopost: 4/100000 per day, resets ") for line in lines)
    assert check.refused == []
    assert PASSWORD not in success.body
    assert KEY not in log_of(tmp_path) + done.stderr


def test_a_query_of_the_url_stays(run: Run, check: Check) -> None:
    assert run("pod_fetch_worker", RECOURS_PING_URL=f"{check.url}?create=1").returncode == 0
    assert [(ping.action, ping.query["create"], len(ping.rid)) for ping in check.pings] == [
        ("start", ["1"], 36),
        ("", ["1"], 36),
    ]


def test_a_dry_run_is_reported_to_nobody(run: Run, check: Check) -> None:
    assert run("pod_retry_scheduler", "--dry-run").returncode == 0
    assert run("pod_retry_scheduler", "--dry-run", RECOURS_LOG_MAX_MB="none").returncode == 2
    assert check.pings == []


# ---------------------------------------------------------------- failures


def _no_server(_: Path) -> dict[str, str]:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    return {"DATABASE_URL": f"postgresql://u:{MARK}-word@127.0.0.1:{port}/x"}


def _no_log(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "file").touch()
    return {"RECOURS_LOG_DIR": str(tmp_path / "file")}


def _bad_settings(_: Path) -> dict[str, str]:
    return {"RECOURS_TIMEZONE": "Mars", "QUOTA_CHRONOPOST": "many", "CHRONOPOST_PASSWORD": f"{MARK}-\x01word"}


@pytest.mark.sample("more cases of the same test, each around processes")
@pytest.mark.parametrize(
    ("spoil", "options", "status", "actions", "says"),
    [
        (_no_server, (), 1, ["start", "fail"], "cannot be used"),
        (_no_log, (), 1, ["fail"], "Cannot write the log in"),
        (_bad_settings, (), 2, ["fail"], "'Mars' is not a time zone"),
        (lambda _: {}, ("--claim", "CLM-9"), 2, ["start", "fail"], "There is no claim 'CLM-9'"),
    ],
)
def test_a_run_that_cannot_begin_is_reported(
    run: Run,
    check: Check,
    tmp_path: Path,
    spoil: Callable[[Path], dict[str, str]],
    options: tuple[str, ...],
    status: int,
    actions: list[str],
    says: str,
) -> None:
    done = run("pod_retry_scheduler", *options, **spoil(tmp_path))
    assert done.returncode == status, done.stderr
    assert check.actions == actions
    assert check.refused == []
    assert check.pings[-1].body.splitlines()[0] == f"Exit status: {status}"
    assert says in check.pings[-1].body
    assert MARK not in check.pings[-1].body


def test_an_invalid_url_is_never_called_or_shown(run: Run, check: Check) -> None:
    done = run("pod_retry_scheduler", RECOURS_PING_URL=f"http://10.0.0.1/{KEY}")
    assert done.returncode == 2
    assert "RECOURS_PING_URL in the environment: it must begin with https" in done.stderr
    assert KEY not in done.stderr
    assert check.pings == []


@pytest.mark.skipif(os.name == "nt", reason="there, no signal can be sent to one child alone")
def test_a_stopped_run_is_a_failure_with_its_summary(
    environment: dict[str, str],
    check: Check,
    database: Database,
    sandbox: Sandbox,
    tmp_path: Path,
) -> None:
    sandbox.latency = 0.1
    add_claims(database, [{}] * 30)
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "scripts" / "pod_retry_scheduler.py"), "--concurrency", "2"],
        env=environment,
        cwd=tmp_path,
        stderr=subprocess.PIPE,
    )
    while not sandbox.calls and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert check.actions == ["start", "fail"]
    first, second, *summary = check.pings[-1].body.splitlines()
    assert (first, second) == ("Exit status: 130", "Stopped by SIGINT")
    assert any(line.startswith("Total processed: ") for line in summary)


# ---------------------------------------------------------------- checks that misbehave


def _once_unwell(check: Check) -> Callable[[Ping], Answer]:
    return lambda _: (503, "", {}) if len(check.pings) % 2 else (200, "OK", {})


def test_a_check_that_misbehaves_harms_no_run(run: Run, database: Database, tmp_path: Path) -> None:
    """It refuses, disconnects, redirects or fails: one WARNING a ping, and the claims are fetched nevertheless."""
    with Check() as elsewhere, Check() as check:
        there = elsewhere.url.replace("{worker}", "x")
        manners: list[tuple[Callable[[Ping], Answer | None], str, int]] = [
            (lambda _: (500, "no", {}), "127.0.0.1 answered with status 500", 4),
            (lambda _: (404, "not found", {}), "127.0.0.1 answered with status 404", 2),
            (lambda _: (200, "OK (not found)", {}), "127.0.0.1 answered 'OK (not found)'", 2),
            (lambda _: (307, "", {"Location": there}), "127.0.0.1 answered with a redirect, which is not", 2),
            (_once_unwell(check), "", 4),
        ]
        for serial, (answer, says, tries) in enumerate(manners):
            add_claims(database, [{"claim_reference": f"CLM-{serial}"}])
            check.answer = answer
            check.pings.clear()
            done = run("pod_retry_scheduler", RECOURS_PING_URL=check.url)
            assert done.returncode == 0, done.stderr
            assert f"SUCCESS: POD fetched for CLM-{serial}" in done.stderr
            warned = [line for line in done.stderr.splitlines() if "RECOURS_PING_URL" in line]
            assert len(warned) == (2 if says else 0), says
            assert all(" - [WARNING] - " in line and says in line for line in warned)
            assert len(check.pings) == tries, says
        assert elsewhere.pings == []
    done = run("pod_retry_scheduler", RECOURS_PING_URL=check.url)  # nobody listens any more
    assert done.returncode == 0
    assert done.stderr.count("127.0.0.1 could not be reached: the connection failed") == 2
    assert KEY not in log_of(tmp_path)


def pings(check: Check, **more: Any) -> Pings:
    return Pings(check.url, "pod_retry_scheduler", RUN_ID, str, lambda _: None, **more)


def test_a_check_that_hangs_is_left_after_two_attempts(
    check: Check, caplog: pytest.LogCaptureFixture
) -> None:
    check.answer = lambda _: None
    begun = time.monotonic()
    pings(check, patience_s=0.2).started()
    assert time.monotonic() - begun < 3
    assert len(check.pings) == 2
    assert caplog.messages == ["Could not ping RECOURS_PING_URL (start): 127.0.0.1 did not answer in time"]


def test_ping_bodies_are_short_and_contain_no_secrets(check: Check) -> None:
    secret = Pings(check.url, "w", RUN_ID, lambda line: line.replace("pa55", "***"))
    secret.ended(1, ["é" * 900] * 20 + ["pa55\nforged"])
    assert len(check.pings[0].body.encode()) in (LONGEST_BODY - 1, LONGEST_BODY)
    secret.ended(1, ["pa55\nforged"])
    assert check.pings[1].body == "Exit status: 1\n***\\x0aforged"
    assert check.pings[1].rid == "01234567-89ab-cdef-0123-456789abcdef"

"""Runs whose PostgreSQL falls silent: connections stay open without any data."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from recours.database.engine import Database
from recours.database.schema import inspection
from recours.sandbox import Sandbox
from tests.conftest import Kind, add_claims, environment_of
from tests.fakes.proxy import Proxy
from tests.long_form import IS_LONG
from tests.processes_of_fleet import FleetWorker, environment, recours, wait_for

ROOT = Path(inspection.__file__).parents[3]


@pytest.fixture
def server_url(kinds: Callable[[str], Kind], tmp_path: Path) -> Iterator[URL]:
    kind = kinds("postgresql")
    url = kind.ready(tmp_path)
    yield url
    kind.drop(url)


@pytest.fixture
def database(server_url: URL) -> Iterator[Database]:
    database = Database(server_url)
    yield database
    database.close()


@pytest.fixture
def start(server_url: URL, sandbox: Sandbox, tmp_path: Path) -> Iterator[Callable[[Proxy], Any]]:
    """Start a worker as cron does; it reaches its database through the proxy."""
    begun: list[subprocess.Popen[str]] = []

    def popen(proxy: Proxy) -> "subprocess.Popen[str]":
        environment = environment_of(
            server_url.set(port=proxy.port).render_as_string(hide_password=False), sandbox.url
        )
        process = subprocess.Popen(
            [
                sys.executable,
                str(ROOT / "scripts" / "pod_retry_scheduler.py"),
                "--json",
                "--max-runtime",
                "1",
            ],
            env=environment
            | {"RECOURS_POD_DIR": str(tmp_path / "pods"), "RECOURS_LOG_DIR": str(tmp_path / "logs")},
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        begun.append(process)
        return process

    yield popen
    for process in begun:
        process.kill()
        process.communicate()


# The run's next message when the proxy freezes.
MOMENTS = {
    "first words": b"user",
    "its beginning": b"INSERT INTO recours_runs",
    "a reservation": b"INSERT INTO recours_quota",
    "a result": b"INSERT INTO recours_attempts",
    "a commit": b"COMMIT",
}


@pytest.mark.sample("more cases of the same test, each around processes")
@pytest.mark.parametrize("moment", MOMENTS if IS_LONG else ["first words", "a reservation", "a commit"])
def test_a_run_whose_database_stops_responding_fails_within_a_minute(
    moment: str,
    server_url: URL,
    database: Database,
    start: Callable[[Proxy], Any],
) -> None:
    add_claims(database, [{}] * 30)
    frozen_at: list[float] = []

    def freezes(sent: bytes) -> bool:
        if MOMENTS[moment] in sent and not frozen_at:
            frozen_at.append(time.monotonic())
            return True
        return False

    with Proxy(server_url.port or 0, freezes) as proxy:
        run = start(proxy)
        _, log = run.communicate(timeout=75)
        seconds = time.monotonic() - frozen_at[0]
    print(f"{seconds:.1f} s")
    assert run.returncode == 1, log
    assert seconds < 60
    assert "does not answer" in log or "timeout expired" in log
    assert "Traceback" not in log


def test_a_run_whose_database_does_not_respond_obeys_SIGTERM_at_once(  # noqa: N802 (its name)
    server_url: URL,
    database: Database,
    sandbox: Sandbox,
    start: Callable[[Proxy], Any],
) -> None:
    add_claims(database, [{}] * 200)
    with Proxy(server_url.port or 0) as proxy:
        run = start(proxy)
        ends = time.monotonic() + 30
        while not sandbox.calls and time.monotonic() < ends:
            time.sleep(0.01)
        proxy.freeze()
        run.send_signal(signal.SIGTERM)
        begun = time.monotonic()
        out, log = run.communicate(timeout=75)
        seconds = time.monotonic() - begun
    print(f"{seconds:.1f} s")
    assert run.returncode == 1, log  # it could neither release its claims nor write its summary
    assert seconds < 10
    assert "does not answer" in log
    assert json.loads(out)["worker"] == "pod_retry_scheduler"


# The next message of a long-lived worker's job queue when the proxy freezes.
MOMENTS_OF_QUEUE = {"its beginning": b"LISTEN recours_probe", "a worker's": b"procrastinate_workers"}


@pytest.mark.sample("another moment of the same silence")
@pytest.mark.parametrize("moment", MOMENTS_OF_QUEUE)
def test_a_long_lived_worker_whose_database_is_silent_ends_within_thirty_seconds_of_SIGTERM(  # noqa: N802 (its name)
    server_url: URL, sandbox: Sandbox, tmp_path: Path, moment: str
) -> None:
    settings = environment(server_url.render_as_string(hide_password=False), sandbox, tmp_path)
    recours(settings, "init-db", "--fleet")
    is_frozen = threading.Event()

    def freezes(sent: bytes) -> bool:
        if MOMENTS_OF_QUEUE[moment] in sent:
            is_frozen.set()
        return is_frozen.is_set()

    with Proxy(server_url.port or 0, freezes) as proxy:
        through = server_url.set(port=proxy.port).render_as_string(hide_password=False)
        with FleetWorker(settings | {"DATABASE_URL": through}) as worker:
            wait_for(is_frozen.is_set, 60, worker)
            begun = time.monotonic()
            status, log = worker.stop(seconds=100)
            seconds = time.monotonic() - begun
    print(f"{seconds:.1f} s")
    assert status == 0, log
    assert seconds < 30
    assert "The job queue did not end: its database does not respond" in log
    assert "Traceback" not in log

"""The responses of `/health`, `/ready` and `/metrics` of a long-lived process; requests cannot delay its work."""

import json
import logging
import socket
import struct
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest

from recours.app import open_database
from recours.core.errors import RunError
from recours.fleet import fleet_worker as module
from recours.fleet import health
from recours.fleet.fleet_worker import FleetWorker
from recours.fleet.health import HealthServer
from recours.sandbox import Sandbox
from recours.settings.model import Settings
from tests.conftest import add_claims
from tests.planted import MARK
from tests.processes_of_fleet import wait_for

SECRET = f"{MARK}-of-the-account"


@pytest.fixture
def fleet_worker(settings_of: Callable[..., Settings], url: str, sandbox: Sandbox) -> Iterator[FleetWorker]:
    settings = settings_of(url, sandbox, COLISSIMO_API_KEY=SECRET)
    fleet_worker = FleetWorker(open_database(settings))
    yield fleet_worker
    fleet_worker.app.database.close()


@pytest.fixture
def server(fleet_worker: FleetWorker) -> Iterator[HealthServer]:
    server = HealthServer(fleet_worker, 0, lambda: True)
    yield server
    server.close()


def get(server: HealthServer, page: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}{page}", timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


class Recorded:
    """Replaces the reading of metrics from the database, which may be slow."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.read = self.at_once = self.most_at_once = 0
        self.goes_on = threading.Event()
        self.goes_on.set()
        self._guard = threading.Lock()
        monkeypatch.setattr(health, "metrics_text", self)

    def __call__(self, *_: object) -> str:
        with self._guard:
            self.read += 1
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        assert self.goes_on.wait(20)
        with self._guard:
            self.at_once -= 1
            return f"recours_reading {self.read}\n"


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorded]:
    recorded = Recorded(monkeypatch)
    yield recorded
    recorded.goes_on.set()


# ---------------------------------------------------------------- the database is spared


def test_database_metrics_are_cached(
    server: HealthServer, fleet_worker: FleetWorker, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "recours_reading 1" in get(server, "/metrics")[1]
    fleet_worker.tick(lambda _: None)
    shown = get(server, "/metrics")[1]
    assert "recours_reading 1" in shown
    assert 'recours_worker_jobs_total{job="tick"} 2' in shown, "its own counts are those of now"
    monkeypatch.setattr(health, "_KEPT_S", 0.0)
    assert "recours_reading 2" in get(server, "/metrics")[1]


def test_metrics_say_when_a_worker_last_looked(server: HealthServer, fleet_worker: FleetWorker) -> None:
    fleet_worker.tick(lambda _: None)
    fleet_worker.keep_record()
    (line,) = [
        line for line in get(server, "/metrics")[1].splitlines() if line.startswith("recours_fleet_last_tick")
    ]
    assert abs(float(line.split()[1]) - time.time()) < 60


def test_concurrent_requests_read_the_database_one_at_a_time(
    server: HealthServer, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "_WAIT_S", 0.1)
    recorded.goes_on.clear()
    with ThreadPoolExecutor(8) as askers:
        first = askers.submit(get, server, "/metrics")
        wait_for(lambda: recorded.read == 1, 10)
        for answer in askers.map(lambda _: get(server, "/metrics"), range(7)):
            assert answer[0] == 503
            assert json.loads(answer[1]) == {
                "ok": False,
                "fault": "Other requests for /metrics are in progress; send fewer requests",
            }
        assert get(server, "/health")[0] == 200
        recorded.goes_on.set()
        assert first.result()[0] == 200
    assert recorded.most_at_once == recorded.read == 1


# ---------------------------------------------------------------- faults


def fails(error: Exception) -> Callable[..., Any]:
    def call(*_: object) -> Any:
        raise error

    return call


def test_a_fault_of_the_work_is_shown_without_secrets(
    server: HealthServer, fleet_worker: FleetWorker
) -> None:
    assert json.loads(get(server, "/health")[1])["fault"] is None
    add_claims(fleet_worker.app.database, [{}])
    fleet_worker.tick(fails(RunError(f"No lane can be woken with {SECRET}")))
    assert json.loads(get(server, "/health")[1])["fault"] == "No lane can be woken with ***"


def test_a_page_that_cannot_be_had_says_why_without_secrets(
    server: HealthServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "metrics_text", fails(RunError(f"No login with {SECRET}")))
    status, shown = get(server, "/metrics")
    assert (status, json.loads(shown)) == (503, {"ok": False, "fault": "No login with ***"})


def test_a_process_of_a_silent_fleet_is_not_ready(
    server: HealthServer, fleet_worker: FleetWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet_worker.keep_record()
    assert get(server, "/ready") == (200, '{"ready": true}')
    monkeypatch.setattr(module, "SILENT_AFTER", timedelta(0))
    fleet_worker.keep_record()
    assert get(server, "/ready") == (503, '{"ready": false}')
    assert "has checked for due claims" in get(server, "/health")[1]


def test_an_internal_error_is_logged_and_answered(
    server: HealthServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(health, "metrics_text", fails(KeyError("carrier")))
    status, shown = get(server, "/metrics")
    assert (status, json.loads(shown)["fault"]) == (
        500,
        "Internal error (KeyError); see the log for details",
    )
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.exc_info is not None
    assert get(server, "/ready") == (200, '{"ready": true}')


# ---------------------------------------------------------------- clients that misbehave


def connect(server: HealthServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.server_port), timeout=10)


def test_a_client_that_hangs_up_leaves_no_trace(
    server: HealthServer,
    recorded: Recorded,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    recorded.goes_on.clear()
    with connect(server) as client:
        client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        wait_for(lambda: recorded.read == 1, 10)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closed by RST
    caplog.clear()
    recorded.goes_on.set()
    wait_for(lambda: not server._began, 10)
    assert (caplog.records, capfd.readouterr().err) == ([], "")


def test_a_slow_client_is_let_go(server: HealthServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte of its request arrives in time, but the request never ends."""
    monkeypatch.setattr(health, "_LONGEST_S", 1.0)
    before = threading.active_count()
    with connect(server) as client, pytest.raises(ConnectionError):
        trickle(client)
    wait_for(lambda: threading.active_count() <= before, 10)


def trickle(client: socket.socket) -> None:
    client.sendall(b"GET /health HTTP/1.0\r\n")
    for _ in range(200):
        client.sendall(b"X")
        time.sleep(0.05)


def test_many_connections_are_not_as_many_threads(server: HealthServer) -> None:
    with ExitStack() as opened:
        idle = [opened.enter_context(connect(server)) for _ in range(health._CONNECTIONS)]
        wait_for(lambda: len(server._began) == len(idle), 10)
        with connect(server) as refused:
            assert refused.recv(1) == b"", "it is closed at once"
    wait_for(lambda: not server._began, 10)
    assert get(server, "/health")[0] == 200

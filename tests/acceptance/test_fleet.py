"""`recours worker` for an operator: refused starts, work, output and exit."""

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

import recours
from recours.cli.database import init_db_command
from recours.cli.worker import command
from recours.database.engine import Database
from recours.fleet import job_queue
from recours.fleet.job_queue import create_tables
from recours.fleet.procrastinate_queue import ProcrastinateQueue
from recours.sandbox import Sandbox
from tests.conftest import Kind, claim_row
from tests.processes import commands
from tests.processes_of_fleet import (
    FleetWorker,
    add_failed,
    add_pending,
    environment,
    tick,
    wait_for,
)

MOST_CONNECTIONS = 7  # of a process


class Place:
    """A service's database with the job queue's tables, and a simulated carrier."""

    def __init__(self, kind: Kind, folder: Path) -> None:
        self.kind = kind
        self.folder = folder
        self.url = kind.ready(folder)
        self.database = Database(self.url)
        create_tables(self.database, ProcrastinateQueue.schema())
        self.box = Sandbox()
        self.box.start()
        self.settings = environment(self.shown_url, self.box, folder) | self.box.environment("colissimo")
        self._claims = 0

    @property
    def shown_url(self) -> str:
        return self.url.render_as_string(hide_password=False)

    def new_ids(self, count: int) -> range:
        self._claims += count
        return range(self._claims - count, self._claims)

    def scalar_of(self, query: str, **values: Any) -> Any:
        with self.database.read() as connection:
            return connection.scalar(text(query), values)

    def succeeded(self, ids: range) -> int:
        query = "SELECT count(*) FROM claims WHERE pod_fetch_status = 'success' AND claim_reference BETWEEN :a AND :b"
        first, last = (str(claim_row(n)["claim_reference"]) for n in (ids[0], ids[-1]))
        return int(self.scalar_of(query, a=first, b=last))

    def close(self) -> None:
        self.box.stop()
        self.database.close()
        self.kind.drop(self.url)


@pytest.fixture(scope="module")
def place(kinds: Callable[[str], Kind], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with closing(Place(kinds("postgresql"), tmp_path_factory.mktemp("fleet"))) as place:
        yield place


@pytest.fixture(scope="module")
def worker(place: Place) -> Iterator[FleetWorker]:
    """A worker that several tests share, each with its own claims. It has room for one slice at a time."""
    with FleetWorker(place.settings, "--concurrency", "4") as worker:
        worker.wait_until_ready()
        yield worker


@pytest.fixture
def application(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service's application, with the same settings, is this process."""
    for name in [name for name in os.environ if name.startswith(("RECOURS_", "DATABASE_"))]:
        monkeypatch.delenv(name)
    for name, value in (place.settings | {"RECOURS_HOME": str(place.folder)}).items():
        monkeypatch.setenv(name, value)


# ---------------------------------------------------------------- what it refuses


def test_on_sqlite_a_worker_reports_that_a_fleet_needs_postgresql(tmp_path: Path, place: Place) -> None:
    env = place.settings | {"DATABASE_URL": f"sqlite:///{tmp_path}/claims.db"}
    for arguments in (["worker"], ["init-db", "--fleet"]):
        done = commands.recours(*arguments, environment=env)
        assert done.returncode == 2, done
        assert "need PostgreSQL; set DATABASE_URL" in done.stderr


@pytest.mark.usefixtures("application")
def test_without_the_extra_a_worker_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_queue, "version", lambda _name: "2.15.1")
    why = "Procrastinate 2.15.1 is installed, but recours needs procrastinate>=3.10,<4"
    for refused in (CliRunner().invoke(command, []), CliRunner().invoke(init_db_command, ["--fleet"])):
        assert refused.exit_code == 2, refused.output
        assert "need the extra 'fleet': " in refused.output
        assert f"{why}. To install it: {sys.executable} -m pip install" in refused.output
    with pytest.raises(recours.AskOperatorError, match="need the extra 'fleet'"):
        recours.defer_fetch("CLM-00000")


def test_without_the_tables_of_the_job_queue_a_worker_names_the_command_that_creates_them(
    kinds: Callable[[str], Kind], place: Place, tmp_path: Path
) -> None:
    kind = kinds("postgresql")
    url = kind.ready(tmp_path)
    env = place.settings | {"DATABASE_URL": url.render_as_string(hide_password=False)}
    done = commands.recours("worker", "--port", "0", environment=env)
    assert done.returncode == 1, done
    assert "Ready" not in done.stderr
    assert "The job queue has no tables: run 'recours init-db --fleet'." in done.stderr
    assert "Traceback" not in done.stderr
    kind.drop(url)


def test_a_worker_reports_a_port_that_is_in_use(place: Place) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = commands.recours("worker", "--port", str(port), environment=place.settings)
    assert done.returncode == 1, done
    assert f"Port {port} of this machine cannot be used for /health (Address already in use)" in done.stderr


# ---------------------------------------------------------------- how it works


@pytest.mark.usefixtures("application")
def test_a_new_claim_is_fetched_as_soon_as_it_is_deferred(
    place: Place, worker: FleetWorker, repeats: Callable[[int, int], range]
) -> None:
    took = []
    for _ in repeats(5, 200):
        (reference,) = add_pending(place.database, place.box, place.new_ids(1))
        number = next(reversed(place.box.parcels))
        called_at = datetime.now(UTC)
        recours.defer_fetch(reference)
        wait_for(lambda: len(place.box.calls_for(number)) == 2, 10, worker)  # noqa: B023 (called at once)
        took.append((place.box.calls_for(number)[0].at - called_at).total_seconds())
    busy = max(
        1.0, os.getloadavg()[0] / (os.cpu_count() or 1)
    )  # number of processes that compete for each processor
    assert sorted(took)[len(took) // 2] < 1.0 * busy, took


@pytest.mark.usefixtures("application")
def test_a_deferred_claim_is_fetched_before_waiting_claims(place: Place, worker: FleetWorker) -> None:
    place.box.latency = 0.1
    ids = place.new_ids(55)
    add_failed(place.database, place.box, ids)
    numbers = {str(claim_row(n)["tracking_number"]) for n in ids}
    tick(place.database)
    wait_for(lambda: bool(called_numbers(place, numbers)), 10, worker)
    (reference,) = add_pending(place.database, place.box, place.new_ids(1))
    urgent = next(reversed(place.box.parcels))
    before = len(called_numbers(place, numbers))
    recours.defer_fetch(reference)
    wait_for(lambda: bool(place.box.calls_for(urgent)), 10, worker)
    meanwhile = len(called_numbers(place, numbers)) - before
    place.box.latency = 0.0
    assert meanwhile < 40, "it was asked about after a whole slice"
    wait_for(lambda: place.succeeded(ids) == len(ids), 30, worker)


def called_numbers(place: Place, numbers: set[str]) -> set[str]:
    return {call.number for call in list(place.box.calls)} & numbers


def test_a_worker_serves_its_health_and_metrics(place: Place, worker: FleetWorker) -> None:
    tick(place.database)
    wait_for(lambda: worker.health["done"].get("tick", 0) >= 2, 10, worker)
    health = worker.health
    assert health["ok"] is True
    assert health["fault"] is None
    assert health["database_s"] < 5
    assert worker.get("/ready") == (200, '{"ready": true}')
    assert worker.get("/else")[0] == 404
    status, shown = worker.get("/metrics")
    assert status == 200
    metrics = {family.name: family for family in text_string_to_metric_families(shown)}
    (ticks,) = [
        sample for sample in metrics["recours_worker_jobs"].samples if sample.labels == {"job": "tick"}
    ]
    assert ticks.value >= 2
    assert "recours_problems" in metrics


def test_status_reports_no_problem_while_only_a_fleet_works(place: Place, worker: FleetWorker) -> None:
    tick(place.database)
    wait_for(lambda: worker.health["done"].get("tick", 0) >= 2, 10, worker)
    done = commands.recours("status", "--check", environment=place.settings)
    assert (done.returncode, done.stderr) == (0, ""), done


# ---------------------------------------------------------------- how it ends


@pytest.mark.sample("the same of the other signal")
@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGHUP])
def test_a_worker_has_few_connections_under_load_and_releases_everything_when_stopped(
    kinds: Callable[[str], Kind], tmp_path: Path, sign: signal.Signals
) -> None:
    with closing(Place(kinds("postgresql"), tmp_path)) as place:
        place.box.latency = 0.1
        ids = place.new_ids(400)
        add_failed(place.database, place.box, ids[:300])
        add_pending(place.database, place.box, ids[300:])
        others = "FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
        connections = 0
        with FleetWorker(place.settings, "--concurrency", "16") as worker:
            worker.wait_until_ready()
            tick(place.database)
            while place.succeeded(ids) < 40:
                time.sleep(0.05)
                connections = max(connections, place.scalar_of(f"SELECT count(*) {others}"))
            called = {call.number for call in list(place.box.calls)}
            worker.process.send_signal(sign)
            status, log = worker.end()
        assert connections <= MOST_CONNECTIONS
        assert status == 0, log
        begun_since = {call.number for call in place.box.calls} - called
        assert len(begun_since) <= 16, "it finishes calls in progress, and begins none"
        assert log.splitlines()[-1].endswith("Stopped; no work in progress")
        assert "ERROR" not in log
        done = place.succeeded(ids)
        assert done < len(ids), "it was over before it was stopped"
        # Claims tracked before the signal: their document is not requested any more.
        deferred = place.scalar_of(
            "SELECT count(*) FROM recours_attempts WHERE outcome = 'left' AND calls = 1"
        )
        assert place.scalar_of("SELECT count(*) FROM recours_attempts") == done + deferred
        assert place.scalar_of("SELECT count(*) FROM recours_claims WHERE lease_token IS NOT NULL") == 0
        assert (
            place.scalar_of("SELECT sum(taken) FROM recours_quota")
            == len(place.box.calls)
            == 2 * done + deferred
        )
        assert place.scalar_of("SELECT count(*) FROM procrastinate_jobs WHERE status = 'doing'") == 0
        assert place.scalar_of("SELECT count(*) FROM procrastinate_workers") == 0
        with place.database.read() as connection:
            records = connection.execute(text("SELECT worker, exit_status, stats FROM recours_runs")).all()
        assert sorted(record.worker for record in records) == ["pod_fetch_worker", "pod_retry_scheduler"]
        assert {record.exit_status for record in records} == {0}
        assert sum(record.stats["success"] for record in records) == done

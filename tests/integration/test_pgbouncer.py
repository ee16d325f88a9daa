"""Runs and a fleet through pgbouncer, which uses any free session for a transaction, with a foreign time zone."""

import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import URL, text

from recours import defer_fetch
from recours.app import open_database
from recours.bootstrap import make_worker
from recours.database.engine import Database, DatabaseError
from recours.database.schema.creation import complete
from recours.database.schema.inspection import inspect_schema
from recours.runs.summary import Report
from recours.runs.worker import Options, PODFetchWorker, PODRetryScheduler, Worker
from recours.sandbox import Parcel, Sandbox, Scenario, SimulatedClock
from recours.settings.model import Settings
from tests import postgres
from tests.conftest import START
from tests.needs import program
from tests.processes_of_fleet import add_failed, add_pending, environment, fleet, recours, tick, wait_for

SERVICE = """
CREATE TABLE claims (
    id SERIAL PRIMARY KEY, claim_reference TEXT UNIQUE NOT NULL, carrier TEXT, status TEXT, tracking_number TEXT,
    response_deadline TIMESTAMPTZ, created_at TIMESTAMP, updated_at TIMESTAMPTZ, pod_fetch_status TEXT
);
"""


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    """The server of a service in New York, with Spanish date style and serializable transactions."""
    with postgres.running() as server:
        postgres.execute(
            server.url(),
            "CREATE DATABASE service",
            "ALTER DATABASE service SET TimeZone = 'America/New_York'",
            "ALTER DATABASE service SET DateStyle = 'SQL, DMY'",
            "ALTER DATABASE service SET default_transaction_isolation = 'serializable'",
        )
        yield server


@pytest.fixture
def through(server: postgres.Server) -> Iterator[URL]:
    """The database `service` through pgbouncer with two sessions."""
    with pgbouncer_before(server, server.port) as url:
        yield url


@contextmanager
def pgbouncer_before(server: postgres.Server, to: int) -> Iterator[URL]:
    """The same, with the server's port for pgbouncer."""
    pgbouncer = program("pgbouncer", "pgbouncer")
    port = postgres.free_port()
    folder = server.folder / f"pgbouncer-{port}"
    folder.mkdir()
    (folder / "users").write_text('"recours" ""\n', encoding="utf-8")
    (folder / "ini").write_text(
        f"""
[databases]
* = host=127.0.0.1 port={to}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users
pool_mode = transaction
default_pool_size = 2
""",
        encoding="utf-8",
    )
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            postgres.guarded(pgbouncer, folder / "ini"),
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            cwd="/",
            start_new_session=True,
            **postgres._other_user(),
        )
    url = server.url("service").set(port=port)
    try:
        postgres.wait_until(
            lambda: postgres._answers(url),
            "pgbouncer does not start",
            lambda: (folder / "log").read_text(encoding="utf-8"),
        )
        yield url
    finally:
        assert process.stdin
        process.stdin.close()
        process.wait(30)


@pytest.fixture
def service(server: postgres.Server) -> Iterator[psycopg.Connection[Any]]:
    """The service's own application, here in UTC."""
    url = server.url("service").set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET DateStyle = 'ISO'")
        connection.execute(SERVICE)
        yield connection


def test_runs_through_pgbouncer_record_everything_in_utc(
    server: postgres.Server,
    through: URL,
    service: psycopg.Connection[Any],
    settings_of: Callable[..., Settings],
    sandbox: Sandbox,
    clock: SimulatedClock,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    sandbox.latency = 0.02
    settings = settings_of(through.render_as_string(hide_password=False), sandbox)
    opened = open_database(settings)
    assert [remark for remark in opened.remarks if "is now" in remark]
    assert not inspect_schema(opened.database).lacks_index
    assert abs(opened.clock.now() - datetime.now(UTC)) < timedelta(seconds=1)
    opened.database.close()
    add(service, [f"due-{n}" for n in range(40)], "failed", "2026-02-02 06:59:00+00")
    add(service, [f"waits-{n}" for n in range(5)], "failed", "2026-02-02 07:30:00+00")
    add(service, [f"new-{n}" for n in range(20)], "pending", "2026-02-02 03:00:00-05")
    add(service, ["endless"], "failed", "infinity")
    service.execute("UPDATE claims SET response_deadline = '2026-02-03' WHERE id % 2 = 0")
    service.execute("UPDATE claims SET created_at = '-infinity' WHERE claim_reference = 'due-1'")

    said: list[Report | BaseException] = []
    crew = [
        threading.Thread(target=run, args=(kind, settings, clock, said))
        for kind in (PODRetryScheduler, PODRetryScheduler, PODFetchWorker)
    ]
    with service.transaction():  # recours updates locked rows later
        service.execute("SELECT 1 FROM claims WHERE claim_reference = 'due-2' FOR UPDATE")
        for thread in crew:
            thread.start()
        for thread in crew:
            thread.join(120)
    owed = service.execute("SELECT count(*) FROM recours_claims WHERE owed_since IS NOT NULL").fetchone()
    # Another session formats times differently: a run on it must not take claims for edited.
    versions = "SELECT claim_id, version FROM recours_claims WHERE stage = 'waiting' ORDER BY claim_id"
    before = service.execute(versions).fetchall()
    otherwise = {"options": "-c TimeZone=Asia/Tokyo -c DateStyle=German"}
    direct = server.url("service").update_query_dict(otherwise).render_as_string(hide_password=False)
    run(PODRetryScheduler, settings_of(direct, sandbox), clock, said)
    assert (owed, len(before), service.execute(versions).fetchall()) == ((1,), 5, before)
    reports = [report for report in said if isinstance(report, Report)]
    assert len(reports) == 4, said
    assert [report.fault for report in reports] == [None] * 4
    assert sum(report.stats.success for report in reports) == 61
    assert len(sandbox.calls) == 2 * 61

    told = [message for message in caplog.messages if "cannot read" in message]
    assert sorted(message.split(":")[0] for message in told) == ["due-1", "endless"]
    done = service.execute(
        "SELECT claim_reference, pod_fetched_at FROM claims WHERE pod_fetch_status = 'success'"
    ).fetchall()
    assert len(done) == 61
    for reference, fetched_at in done:
        assert same_time(fetched_at.replace(tzinfo=UTC), START), reference
    waiting = service.execute(
        "SELECT DISTINCT next_at FROM recours_claims JOIN claims ON id = claim_id WHERE claim_reference LIKE 'waits-%'"
    ).fetchall()
    assert [moment for (moment,) in waiting] == [datetime(2026, 2, 2, 8, 30)]  # noqa: DTZ001 (naive UTC)
    attempts = service.execute("SELECT claim_id, started_at FROM recours_attempts").fetchall()
    assert len(attempts) == len({claim for claim, _ in attempts}) == 61
    assert all(same_time(started_at.replace(tzinfo=UTC), START) for _, started_at in attempts)
    units = service.execute("SELECT sum(taken) FROM recours_quota").fetchone()
    assert units == (2 * 61,)
    assert service.execute("SELECT count(*) FROM recours_leases").fetchone() == (0,)

    # No setting of recours remains on a session that others use next.
    plain = through.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, prepare_threshold=None) as next_one:
        for name, expected in (
            ("TimeZone", "America/New_York"),
            ("lock_timeout", "0"),
            ("statement_timeout", "0"),
            ("idle_in_transaction_session_timeout", "0"),
            ("transaction_isolation", "serializable"),
        ):
            assert next_one.execute(f"SHOW {name}").fetchone() == (expected,)


ENCODINGS = {
    "unchecked": ("CREATE DATABASE unchecked ENCODING 'SQL_ASCII' TEMPLATE template0",),
    "western": ("CREATE DATABASE western", "ALTER DATABASE western SET client_encoding = 'LATIN1'"),
}


@pytest.mark.sample("more cases of the same test, each around processes")
@pytest.mark.parametrize("name", ENCODINGS)
def test_names_of_all_languages_are_kept_in_any_encoding(
    server: postgres.Server,
    through: URL,
    settings_of: Callable[..., Settings],
    sandbox: Sandbox,
    clock: SimulatedClock,
    name: str,
) -> None:
    postgres.execute(server.url(), *ENCODINGS[name])
    url = server.url(name)
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as service:
        service.execute(SERVICE)
        ways = {"CLM-réel": url, "CLM-relayé": through.set(database=name)}
        add(service, list(ways), "failed", "2026-02-02 06:00:00+00")
        for n in range(len(ways)):
            sandbox.parcels[f"XY00{n:07d}FR"] = Parcel((Scenario.DELIVERED,), signatory="Łukasz")
        for reference, way in ways.items():
            settings = settings_of(way.render_as_string(hide_password=False), sandbox)
            reports: list[Report | BaseException] = []
            run(PODRetryScheduler, settings, clock, reports, Options(batch_size=1))
            assert [report.fault for report in reports if isinstance(report, Report)] == [None], (
                reference,
                reports,
            )
        signed = service.execute("SELECT pod_delivery_person::bytea FROM claims").fetchall()
        assert [bytes(name).decode() for (name,) in signed] == ["Łukasz"] * 2


def test_a_database_without_utf8_is_rejected_with_advice(
    server: postgres.Server, through: URL, settings_of: Callable[..., Settings], sandbox: Sandbox
) -> None:
    postgres.execute(server.url(), "CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
    for way in (server.url("latin"), through.set(database="latin")):
        with pytest.raises(DatabaseError, match=r"latin is LATIN1, .* createdb --encoding UTF8"):
            open_database(settings_of(way.render_as_string(hide_password=False), sandbox))


# Simulated conflicts between two processes, in each transaction of the job queue.
REFUSES_STRICTER_ISOLATION = """
CREATE FUNCTION refuse_stricter_isolation() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE 'could not serialize access due to concurrent update' USING ERRCODE = 'serialization_failure';
    END IF;
    RETURN NULL;
END $$
"""


@pytest.mark.full("a fleet through a pooler: tests/acceptance/test_fleet.py has one without")
def test_a_fleet_works_through_pgbouncer_by_polling(
    server: postgres.Server, through: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres.execute(
        server.url(),
        "CREATE DATABASE fleet",
        "ALTER DATABASE fleet SET default_transaction_isolation = 'serializable'",
    )
    url = through.set(database="fleet").render_as_string(hide_password=False)
    with closing(Database(server.url("fleet"))) as database, Sandbox(latency=0.02) as box:
        complete(database)
        given = environment(url, box, tmp_path) | {"RECOURS_HOME": str(tmp_path)}
        recours(given, "init-db", "--fleet")
        postgres.execute(
            server.url("fleet"),
            REFUSES_STRICTER_ISOLATION,
            *(
                f"CREATE TRIGGER strict AFTER INSERT OR UPDATE OR DELETE ON procrastinate_{table}"
                " EXECUTE FUNCTION refuse_stricter_isolation()"
                for table in ("jobs", "events", "periodic_defers", "workers")
            ),
        )
        with fleet(given, 2) as workers:
            add_failed(database, box, range(200))
            tick(database)
            (reference,) = add_pending(database, box, range(200, 201))
            for name, value in given.items():
                monkeypatch.setenv(name, value)
            defer_fetch(reference)
            with database.read() as connection:
                done = text("SELECT count(*) FROM claims WHERE pod_fetch_status = 'success'")
                wait_for(lambda: connection.scalar(done) == 201, 60, workers[0])
            ended = [worker.stop() for worker in workers]
    for status, log in ended:
        assert status == 0, log
        assert "LISTEN is not used, because a pooler gives each transaction another session" in log
        assert "ERROR" not in log
    assert len(box.calls) == 2 * 201


def add(connection: psycopg.Connection[Any], references: list[str], status: str, updated_at: str) -> None:
    for reference in references:
        (n,) = connection.execute("SELECT count(*) FROM claims").fetchone() or (0,)
        connection.execute(
            "INSERT INTO claims (claim_reference, carrier, tracking_number, pod_fetch_status, created_at, updated_at)"
            " VALUES (%s, 'Chronopost', %s, %s, '2026-02-01 08:00:00', %s)",
            [reference, f"XY00{n:07d}FR", status, updated_at],
        )


def run(
    kind: type[Worker],
    settings: Settings,
    clock: SimulatedClock,
    said: list[Report | BaseException],
    options: Options = Options(batch_size=100, concurrency=8),  # noqa: B008 (a value)
) -> None:
    try:
        app = replace(open_database(settings), clock=clock)
        try:
            said.append(make_worker(kind, app, options, jitter=lambda: 0.0).run())
        finally:
            app.database.close()
    except BaseException as error:  # noqa: BLE001 (to be seen by the test)
        said.append(error)


def same_time(one: datetime, other: datetime) -> bool:
    return abs(one - other) < timedelta(minutes=20)

"""Claims whose rows the service keeps locked on PostgreSQL are still fetched; the service's row is written later."""

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, make_url, text

from recours.database.engine import Database
from recours.sandbox import Sandbox, Scenario, SimulatedClock
from tests.acceptance.simulation import Service
from tests.conftest import Kind

S = Scenario
HOUR = timedelta(hours=1)


@pytest.fixture
def service(
    kinds: Callable[[str], Kind],
    tmp_path: Path,
    clock: SimulatedClock,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Service]:
    caplog.set_level(logging.INFO, logger="__main__")
    monkeypatch.setattr("recours.database.claims.SERVICE_LOCK_WAIT_S", 0.05)
    kind = kinds("postgresql")
    url = kind.ready(tmp_path)
    with Sandbox(now=clock.now) as box:
        password_and_all = url.render_as_string(hide_password=False)
        with closing(Service(tmp_path, box, clock, url=password_and_all)) as service:
            yield service
    kind.drop(url)


@pytest.fixture
def application(service: Service) -> Iterator[Connection]:
    """The service's own connection in a transaction."""
    database = Database(make_url(service.environment["DATABASE_URL"]))
    with ExitStack() as stack:
        stack.callback(database.close)
        connection = stack.enter_context(database.engine.connect())
        connection.exec_driver_sql("BEGIN")
        yield connection
        connection.exec_driver_sql("ROLLBACK")


def lock_all(application: Connection) -> None:
    application.execute(text("SELECT id FROM claims FOR UPDATE")).all()


def unlock(application: Connection) -> None:
    application.exec_driver_sql("ROLLBACK; BEGIN")


def statuses(service: Service) -> list[str]:
    return [status for (status,) in service.sql("SELECT pod_fetch_status FROM claims ORDER BY id")]


def owed(service: Service) -> int:
    ((count,),) = service.sql("SELECT count(*) FROM recours_claims WHERE owed_since IS NOT NULL")
    return int(count)


def test_a_locked_claim_is_fetched_once_and_the_service_is_updated_by_the_next_run(
    service: Service, application: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    service.add(S.DELIVERED)
    service.add(S.IN_TRANSIT)
    lock_all(application)
    report = service.run()
    assert (report.exit_status, report.stats.success, report.stats.failed) == (0, 1, 1)
    assert statuses(service) == ["failed"] * 2
    assert owed(service) == 2
    assert not [line for line in caplog.messages if "lock" in line]
    calls = len(service.box.calls)
    unlock(application)
    assert service.run().stats.total == 0
    assert statuses(service) == ["success", "failed"]
    assert owed(service) == 0
    assert len(service.box.calls) == calls, "nothing is fetched twice"
    assert service.sql("SELECT count(*) FROM recours_attempts") == [(2,)]

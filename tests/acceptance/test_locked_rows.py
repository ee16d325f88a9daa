"""Claims whose rows the service keeps locked on PostgreSQL: they are fetched all the same, and it is told later."""

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, make_url, text

from recours.database.engine import Database
from recours.runs.worker import Worker
from recours.runs.workers import PODFetchWorker, PODRetryScheduler
from recours.sandbox import Parcel, Sandbox, Scenario, SimulatedClock
from tests.acceptance.simulation import FAILED_AT, Service
from tests.conftest import Kind

S = Scenario
HOUR = timedelta(hours=1)


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(FAILED_AT + 2 * HOUR)


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
    """The service's own connection, in a transaction."""
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


@pytest.mark.parametrize(
    ("status", "worker"), [("failed", PODRetryScheduler), ("pending", PODFetchWorker)], ids=["failed", "new"]
)
def test_a_locked_claim_is_fetched_once_and_the_service_is_told_by_the_next_run(
    service: Service,
    application: Connection,
    caplog: pytest.LogCaptureFixture,
    status: str,
    worker: type[Worker],
) -> None:
    service.add(S.DELIVERED, pod_fetch_status=status)
    service.add(S.IN_TRANSIT, pod_fetch_status=status)
    lock_all(application)
    report = service.run(worker)
    assert (report.exit_status, report.stats.success, report.stats.failed) == (0, 1, 1)
    assert statuses(service) == [status] * 2
    assert owed(service) == 2
    assert not [line for line in caplog.messages if "lock" in line]
    calls = len(service.box.calls)
    unlock(application)
    assert service.run(worker).stats.total == 0
    assert statuses(service) == ["success", "failed"]
    assert owed(service) == 0
    assert len(service.box.calls) == calls, "nothing is fetched twice"
    assert service.sql("SELECT count(*) FROM recours_attempts") == [(2,)]


def test_a_claim_that_stays_locked_is_neither_fetched_again_nor_waited_for(
    service: Service, application: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recours.database.intake.SERVICE_LOCK_WAIT_S", 0.05)
    service.add(S.DELIVERED)
    lock_all(application)
    service.run()
    calls = len(service.box.calls)
    service.clock.advance(HOUR)
    report = service.run()
    assert (report.exit_status, report.stats.total, owed(service)) == (0, 0, 1)
    assert len(service.box.calls) == calls


def test_what_the_service_wrote_while_it_had_the_row_locked_holds(
    service: Service, application: Connection
) -> None:
    """A number that was corrected in that transaction: what the carrier said of the former one is not written over it."""
    service.add(S.DELIVERED)
    lock_all(application)
    assert service.run().stats.success == 1
    service.box.parcels["XY000000999FR"] = Parcel((S.IN_TRANSIT,))
    application.execute(text("UPDATE claims SET tracking_number = 'XY000000999FR'"))
    application.exec_driver_sql("COMMIT; BEGIN")
    report = service.run()
    assert (report.stats.success, report.stats.failed, owed(service)) == (0, 1, 0)
    assert statuses(service) == ["failed"]


def test_retries_of_settled_claims_pass_while_they_are_locked(
    service: Service, application: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recours.database.intake.SERVICE_LOCK_WAIT_S", 0.05)
    service.add(S.NOT_OURS)
    service.run()
    service.clock.advance(7 * HOUR)
    lock_all(application)
    assert service.run().stats.skipped_persistent == 1
    assert service.sql("SELECT pod_retry_count FROM claims") == [(1,)]
    unlock(application)
    assert service.run().stats.skipped_persistent == 0
    assert service.sql("SELECT pod_retry_count FROM claims") == [(2,)]

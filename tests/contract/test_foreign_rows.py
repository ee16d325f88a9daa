"""Unusual rows of other software, read by runs on real databases."""

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import inspect, make_url

from recours.app import open_database
from recours.bootstrap import make_worker
from recours.core.policy import EnrollNew
from recours.database.engine import Database
from recours.runs.summary import Report
from recours.runs.worker import Options, PODFetchWorker, PODRetryScheduler
from recours.sandbox import Sandbox, SimulatedClock
from recours.settings.model import Settings
from tests.conftest import KINDS


def per_kind(both: Iterable[Any], **alone: Iterable[Any]) -> list[Any]:
    """Parameters `kind` and a value: values for every database, and those that only one can store."""
    return [(kind, value) for kind in KINDS for value in (*both, *alone.get(kind, ()))]


class Service:
    """The service's database with unusual values, and runs on it."""

    def __init__(
        self, url: str, settings_of: Callable[..., Settings], box: Sandbox, clock: SimulatedClock
    ) -> None:
        self.database = Database(make_url(url))
        self.kind = self.database.engine.dialect.name
        self.settings = settings_of(url, box)
        self.clock = clock

    def add(self, reference: str, **values: Any) -> None:
        row = {
            "claim_reference": reference,
            "order_id": "O",
            "carrier": "Chronopost",
            "dispute_type": "lost",
            "amount_requested": 1,
            "tracking_number": "XY001234567FR",
            "pod_fetch_status": "failed",
        } | values
        there = {column["name"] for column in inspect(self.database.engine).get_columns("claims")}
        row = {name: value for name, value in row.items() if name in there}
        mark = "?" if self.database.is_sqlite else "%s"
        self.execute(
            f"INSERT INTO claims ({', '.join(row)}) VALUES ({', '.join([mark] * len(row))})", *row.values()
        )

    def execute(self, statement: str, *values: Any) -> None:
        with self.database.write() as connection:
            connection.exec_driver_sql(statement, values)

    def select(self, query: str) -> list[dict[str, Any]]:
        """Values as returned by the driver."""
        with self.database.read() as connection:
            return [dict(row) for row in connection.exec_driver_sql(query).mappings()]

    def rows(self) -> dict[str, dict[str, Any]]:
        """The rows with recours's rows."""
        joined = "claims LEFT JOIN recours_claims ON claim_id = id"
        query = f"SELECT claims.*, stage, kind FROM {joined}"
        return {row["claim_reference"]: row for row in self.select(query)}

    def run(self, kind: type = PODRetryScheduler) -> Report:
        app = replace(open_database(self.settings), clock=self.clock)
        try:
            return make_worker(kind, app, Options(batch_size=1000), jitter=lambda: 0.0).run()
        finally:
            app.database.close()


@pytest.fixture
def open_service(
    settings_of: Callable[..., Settings], sandbox: Sandbox, clock: SimulatedClock
) -> Iterator[Callable[[str], Service]]:
    services: list[Service] = []

    def open_at(url: str) -> Service:
        services.append(Service(url, settings_of, sandbox, clock))
        return services[-1]

    yield open_at
    for service in services:
        service.database.close()


@pytest.fixture
def service(url: str, open_service: Callable[[str], Service]) -> Service:
    return open_service(url)


@pytest.fixture
def new_service(empty_url: str, open_service: Callable[[str], Service]) -> Service:
    """Factory of services on an empty database."""
    return open_service(empty_url)


def status_of(service: Service, reference: str) -> tuple[Any, Any]:
    row = service.rows()[reference]
    return row["pod_fetch_status"], row["stage"]


LONG_AGO = "2026-02-02 06:30:00"  # the first wait ends at START


OPTIONAL = ("client_id", "status", "response_deadline", "created_at", "updated_at")


@pytest.mark.sample("other columns that a service may be without", every=6)
@pytest.mark.parametrize("missing", [OPTIONAL, *[(name,) for name in OPTIONAL]])
def test_a_service_without_optional_columns_is_served(new_service: Service, missing: tuple[str, ...]) -> None:
    service = new_service
    key = "INTEGER PRIMARY KEY" if service.database.is_sqlite else "SERIAL PRIMARY KEY"
    service.execute(
        f"CREATE TABLE claims (id {key}, claim_reference TEXT, client_id INTEGER, order_id TEXT,"
        " carrier TEXT, dispute_type TEXT, amount_requested REAL, status TEXT, response_deadline DATE,"
        " tracking_number TEXT, created_at TIMESTAMP, updated_at TIMESTAMP)"
    )
    for column in missing:
        service.execute(f"ALTER TABLE claims DROP COLUMN {column}")
    assert service.run().fault is None
    service.add(
        "due", updated_at=LONG_AGO, created_at=LONG_AGO, response_deadline="2026-02-10", status="submitted"
    )
    service.add("new", pod_fetch_status="pending", created_at=LONG_AGO, status="submitted")
    service.add("hopeless", tracking_number="?", updated_at=LONG_AGO, created_at=LONG_AGO, status="submitted")
    assert service.run(PODFetchWorker).stats.success == 1
    service.clock.advance(timedelta(hours=2))
    report = service.run()
    assert (report.fault, report.stats.success, report.stats.failed) == (None, 1, 1)
    assert service.run().stats.total == 0
    for _ in range(4):
        service.clock.advance(timedelta(hours=72))
        assert service.run().fault is None
    assert status_of(service, "hopeless") == ("failed", "given_up")


COUNTS = per_kind(
    [(None, 0), (-3, 0), (2.0, 2), ("1", 1), ("-3", 0)],
    sqlite=[("two", 0), ("", 0), (b"\xff\x00", 0)],
)


@pytest.mark.sample("other forms of the same value", every=6)
@pytest.mark.parametrize(("kind", "counted"), COUNTS, indirect=["kind"])
def test_counts_of_all_kinds(service: Service, counted: tuple[Any, int]) -> None:
    count, turns = counted
    service.add("it", pod_retry_count=count, updated_at=LONG_AGO, tracking_number="XY101234567FR")
    service.add("next", updated_at=LONG_AGO)
    assert service.run().stats.failed == (0 if turns else 1)  # a retry other than the first waits longer
    assert service.rows()["next"]["pod_fetch_status"] == "success"
    assert service.rows()["it"]["pod_retry_count"] == (turns or 1)
    service.clock.advance(timedelta(hours=80))
    assert service.run().stats.failed == 1
    assert service.rows()["it"]["pod_retry_count"] == (turns or 1) + 1


MOMENTS = per_kind(
    [
        "2026-02-02 06:59:00",
        "2026-02-02T06:59:00",
        "2026-02-02 06:59:00.123456",
        "2026-02-02T06:59:00.123Z",
        " 2026-02-02 06:59:00 ",
        "2026-02-02",
    ],
    sqlite=[
        "2026-02-02 07:59:00+01:00",
        "2026-02-02T07:59:00.5+0100",
        # unreadable: due now
        "hier",
        "02/02/2026 06:59",
        b"\xff\xfe2026",
        1770015540,
        "",
        "9999-99-99",
        "2026-02-02 07:59:00+99:99",
    ],
    postgresql=["infinity", "-infinity", "0044-03-15 12:00:00 BC", "12026-02-02 06:59:00"],
)


@pytest.mark.sample("other forms of the same value", every=6)
@pytest.mark.parametrize(("kind", "updated_at"), MOMENTS, indirect=["kind"])
def test_the_time_of_failure_in_all_its_forms(service: Service, updated_at: Any) -> None:
    service.add("due", updated_at=updated_at)
    service.add("other", updated_at=LONG_AGO)
    report = service.run()
    assert (report.fault, report.stats.success) == (None, 2)


def test_an_unreadable_value_is_reported_once_and_hides_nothing(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    if service.database.is_sqlite:
        service.add("bad", updated_at="hier", response_deadline="bientôt", created_at=b"\xff")
        service.add("worse", client_id="x", response_deadline="32/13/2026", updated_at=LONG_AGO)
    else:
        service.add("bad", updated_at="infinity", response_deadline="infinity", created_at="-infinity")
        service.add("worse", response_deadline="0044-03-15 BC", updated_at=LONG_AGO)
    service.add("good", updated_at=LONG_AGO)
    if service.database.is_sqlite:
        service.execute("UPDATE claims SET pod_fetch_error = CAST(x'4c69767265e9' AS TEXT), status = x'ff'")
    with caplog.at_level(logging.WARNING, "__main__"):
        assert service.run().stats.success == 3
        service.add("another", updated_at=LONG_AGO)
        assert service.run().stats.success == 1
    said = [message for message in caplog.messages if "cannot read" in message]
    assert len([message for message in said if message.startswith("bad:")]) == 1
    assert any("response_deadline" in message for message in said)


SPELLINGS = per_kind(
    [
        ("chronopost", "success"),
        ("CHRONOPOST", "success"),
        (" Chronopost ", "success"),
        ("Chrono Post", "success"),
        ("Chronopost International", "success"),
        ("Heppner", "failed"),
        ("", "failed"),
        ("Chronopost\n2026-02-06 14:00:00 - [INFO] - forged", "failed"),
    ],
    sqlite=[(b"Chronopost", "success"), (b"\xff", "failed")],
)


@pytest.mark.sample("other forms of the same value", every=6)
@pytest.mark.parametrize(("kind", "spelling"), SPELLINGS, indirect=["kind"])
def test_carriers_in_other_spellings(service: Service, spelling: tuple[Any, str]) -> None:
    carrier, expected = spelling
    service.add("it", carrier=carrier, updated_at=LONG_AGO)
    report = service.run()
    assert report.fault is None
    row = service.rows()["it"]
    assert row["pod_fetch_status"] == expected
    assert row["carrier"] == carrier
    if expected == "failed":
        assert row["kind"] == "unsupported_carrier"
    keys = {row["limit_key"] for row in service.select("SELECT limit_key FROM recours_quota")}
    assert keys == ({"chronopost/*/day@Europe/Paris"} if expected == "success" else set())


def test_unreadable_numbers_are_missing_numbers(service: Service) -> None:
    service.add("blank", tracking_number="  ", updated_at=LONG_AGO)
    service.add("none", tracking_number=None, updated_at=LONG_AGO)
    service.add("spaced", tracking_number=" xy 001 234 567 fr\n", updated_at=LONG_AGO)
    service.add("number", tracking_number="10345678901234", updated_at=LONG_AGO)
    service.add("waiting", tracking_number=None, pod_fetch_status="pending", updated_at=LONG_AGO)
    report = service.run()
    assert (report.fault, report.stats.success, report.stats.failed) == (None, 1, 3)
    kinds = {row["id"]: row["kind"] for row in service.rows().values()}
    assert [kinds[n] for n in (1, 2)] == ["invalid_tracking"] * 2
    assert kinds[4] == "not_delivered_yet"  # it was tried
    assert status_of(service, "waiting") == ("pending", "unnumbered")


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
def test_numbers_that_are_no_text(service: Service) -> None:
    service.add("bytes", tracking_number=b"XY001234567FR\xff", updated_at=LONG_AGO)
    service.add("number", tracking_number=10345678901234, updated_at=LONG_AGO)
    service.execute("UPDATE claims SET claim_reference = CAST(x'e9ff' AS TEXT) WHERE id = 1")
    report = service.run()
    assert (report.fault, report.stats.success, report.stats.failed) == (None, 0, 2)
    kinds = {row["id"]: row["kind"] for row in service.rows().values()}
    assert kinds == {1: "invalid_tracking", 2: "not_delivered_yet"}


def test_fetching_is_pending_once_it_is_older_than_an_hour(service: Service) -> None:
    service.add("old", pod_fetch_status="fetching", updated_at="2026-02-02 06:59:00")
    service.add("young", pod_fetch_status="fetching", updated_at="2026-02-02 07:30:00")
    assert service.run(PODFetchWorker).stats.success == 1
    assert status_of(service, "old")[0] == "success"
    assert status_of(service, "young")[0] == "fetching"
    service.clock.advance(timedelta(minutes=29))
    assert service.run(PODFetchWorker).stats.total == 0
    service.clock.advance(timedelta(minutes=2))
    assert service.run(PODFetchWorker).stats.success == 1


def test_other_statuses_are_left_alone(service: Service) -> None:
    statuses: tuple[Any, ...] = (None, "", "success", "not_available", "manual", "FAILED", "en cours")
    if service.database.is_sqlite:
        statuses += (b"\xff", 7)
    for n, status in enumerate(statuses):
        service.add(f"s{n}", pod_fetch_status=status, updated_at=LONG_AGO)
    before = service.select("SELECT * FROM claims ORDER BY id")
    # A missing status is a status too
    service.settings = replace(service.settings, enroll_new=EnrollNew.FALSE)
    for kind in (PODRetryScheduler, PODFetchWorker):
        assert service.run(kind).stats.total == 0
    assert service.select("SELECT * FROM claims ORDER BY id") == before


def test_the_service_reads_our_times_as_naive_utc(service: Service) -> None:
    service.add("it", updated_at=LONG_AGO)
    service.run()
    row = service.rows()["it"]
    for name in ("pod_fetched_at", "pod_last_retry_at"):
        assert datetime.fromisoformat(str(row[name])) == datetime(2026, 2, 2, 8, 0)  # noqa: DTZ001 (that is the point)

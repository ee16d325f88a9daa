"""Both scripts work with any schema of the service, from the first run to `recours uninstall`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, inspect, select

from recours.database.border import INDEX, POD_COLUMNS
from recours.database.tables import claims, intake
from recours.runs.worker import PODFetchWorker
from recours.sandbox import Parcel, Sandbox, Scenario, SimulatedClock
from tests.acceptance.person import Person
from tests.acceptance.simulation import Service
from tests.conftest import START
from tests.fakes.schemas import Application

NEW, FAILED, CORRECTED, PAID, DELETED, HELD = range(1, 7)
STEPS = {
    NEW: [Scenario.DELIVERED],
    FAILED: [Scenario.DELIVERED],
    CORRECTED: [Scenario.UNKNOWN],
    PAID: [Scenario.IN_TRANSIT, Scenario.DELIVERED],
    DELETED: [Scenario.IN_TRANSIT],
    HELD: [Scenario.IN_TRANSIT, Scenario.DELIVERED],
}


@pytest.fixture
def service(
    application: Application, tmp_path: Path, sandbox: Sandbox, clock: SimulatedClock
) -> Iterator[Service]:
    """A service with claims before recours is installed; one claim has failed if the service has a word for it."""
    for n, steps in STEPS.items():
        number = number_of(sandbox, n)
        sandbox.parcels[number] = Parcel(tuple(steps))
        status_columns = {"pod_fetch_status": "failed" if n == FAILED else "pending"}
        created = f"{START:%Y-%m-%d %H:%M:%S}"
        columns = {"tracking_number": number, "created_at": created, "updated_at": created}
        application.add(n, **columns, **(status_columns if application.kind.has_pod_columns else {}))
    url = application.database.url.render_as_string(hide_password=False)
    service = Service(tmp_path, sandbox, clock, url=url, **application.kind.settings)
    yield service
    service.close()


def number_of(sandbox: Sandbox, n: int) -> str:
    return sandbox.example("dpd", "99", n)


def own(application: Application, n: int) -> dict[str, Any]:
    """recours's row of the n-th claim; empty if there is none."""
    query = select(claims).where(claims.c.seen_reference == f"CLM-{n}")
    with application.database.read() as connection:
        row = connection.execute(query).mappings().first()
    return dict(row) if row else {}


def statuses(application: Application, *wanted: int) -> list[str | None]:
    return [application.row(n)["pod_fetch_status"] for n in wanted]


@pytest.mark.sample(
    "each kind of schema through both scripts: tests/contract/test_border.py has them without"
)
def test_both_scripts_work_with_every_schema(
    service: Service,
    application: Application,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("recours.database.claims.SERVICE_LOCK_WAIT_S", 0.1)
    sandbox = service.box
    with application.database.read() as connection:
        columns, indexes = application.columns(connection), application.indexes(connection)

    # Adopted, and enrolled where only recours's own column can express it.
    assert service.run(PODFetchWorker).fault is None
    if not application.kind.has_pod_columns:
        assert not sandbox.calls
        for n in STEPS:
            application.change(n, pod_fetch_status="failed" if n == FAILED else "pending")
        assert service.run(PODFetchWorker).fault is None
    with application.database.read() as connection:
        assert len(application.columns(connection).keys() - columns.keys()) <= len(POD_COLUMNS) == 8
        assert application.indexes(connection) - indexes <= {INDEX}

    # Fetched, and failed.
    assert statuses(application, NEW, FAILED, CORRECTED, PAID) == ["success", "failed", "failed", "failed"]
    status_columns = application.row(NEW)
    assert Path(str(status_columns["pod_url"])).read_bytes().startswith(b"%PDF")
    assert str(status_columns["pod_fetched_at"]).startswith("2026-02-02 08:00:00")
    assert str(application.row(CORRECTED)["pod_fetch_error"]).startswith("Numéro de suivi inconnu")

    # Corrected, paid, deleted; and one whose row the service locks while its proof is fetched.
    number = number_of(sandbox, 77)
    sandbox.parcels[number] = Parcel((Scenario.DELIVERED,))
    application.change(CORRECTED, tracking_number=number)
    application.change(PAID, status="paid")
    application.delete(DELETED)
    with application.holding(HELD):
        service.run_hourly(2)
        assert statuses(application, FAILED, CORRECTED) == ["success", "success"]
        assert own(application, HELD)["stage"] == "done"
        if not application.database.is_sqlite:
            assert statuses(application, HELD) == ["failed"]
    assert own(application, DELETED) == {}
    assert own(application, PAID)["stage"] == "shelved"
    assert len(sandbox.calls_for(number_of(sandbox, PAID))) == 1
    application.change(PAID, status="open")
    service.run()
    assert statuses(application, HELD, PAID) == ["success", "success"]

    # Requested again.
    calls = len(sandbox.calls)
    application.change(NEW, pod_fetch_status="pending")
    service.run(PODFetchWorker)
    assert statuses(application, NEW) == ["success"]
    assert len(sandbox.calls) > calls

    with application.database.read() as connection:
        assert connection.scalar(select(func.count()).where(claims.c.owed_since.is_not(None))) == 0
        assert connection.scalar(select(intake.c.repaired)) == 0

    Person.of(service, service.environment["DATABASE_URL"]).does("uninstall", "--columns", "--yes")
    with application.database.read() as connection:
        assert application.columns(connection) == columns
        assert application.indexes(connection) == indexes
        tables = inspect(connection).get_table_names()
    assert not [name for name in tables if name.startswith("recours")]

"""Denials by carriers: parcels are settled, and access to documents is waited for. Real runs, simulated carriers."""

import json
import shlex
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from recours.carriers.registry import CATALOG
from recours.cli.carriers import command as carriers
from recours.cli.enroll import reopen_command
from recours.cli.status import command as status
from recours.cli.status import why_command as why
from recours.runs.worker import PODFetchWorker
from recours.sandbox import Parcel, Sandbox, Scenario, SimulatedClock
from tests.acceptance.simulation import Service, services

S = Scenario
HOUR = timedelta(hours=1)
EVERY_SIX_HOURS = {hour for hour in range(73) if hour % 6 in (1, 2)}


@pytest.fixture
def make(tmp_path: Path, sandbox: Sandbox, clock: SimulatedClock) -> Iterator[Callable[..., Service]]:
    """Factory of services: `make(**settings)`."""
    with services(tmp_path, sandbox, clock, RECOURS_HOME=str(tmp_path)) as make:
        yield make


def numbers_of(service: Service, claims: list[int]) -> list[str]:
    marks = ", ".join("?" * len(claims))
    rows = service.sql(f"SELECT tracking_number FROM claims WHERE id IN ({marks})", *claims)
    return [number for (number,) in rows]


def stages(service: Service, claims: list[int]) -> dict[str, int]:
    marks = ", ".join("?" * len(claims))
    found = f"SELECT stage, count(*) FROM recours_claims WHERE claim_id IN ({marks}) GROUP BY 1"
    return dict(service.sql(found, *claims))


def operator_lines(service: Service) -> list[str]:
    """The operator notices about accounts."""
    rows = service.sql("SELECT facts FROM recours_events WHERE event = 'account_fault' ORDER BY id")
    return [(facts if isinstance(facts, dict) else json.loads(facts))["error"] for (facts,) in rows]


def type_command(service: Service, monkeypatch: pytest.MonkeyPatch, line: str) -> str:
    """Type the command that this notice suggests; return its output."""
    _, words = line.split("recours reopen")
    with monkeypatch.context() as settings:
        for name, value in service.environment.items():
            settings.setenv(name, value)
        settings.setattr("recours.database.engine._now", service.clock.now)
        result = CliRunner().invoke(reopen_command, [*shlex.split(words), "--yes"])
    assert result.exit_code == 0, result.output
    return result.output


# ---------------------------------------------------------------- parcels


def denied_claims(service: Service, **columns: Any) -> list[int]:
    return [service.add(S.NOT_OURS, pod_fetch_status="pending", **columns) for _ in range(40)]


def test_forty_denied_parcels_are_attempted_twice_and_reopened_by_one_command(
    make: Callable[..., Service], sandbox: Sandbox, clock: SimulatedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = make()
    denied = denied_claims(service, carrier="Colissimo", response_deadline="2026-02-03")
    for _ in range(5):
        service.add(S.DELIVERED, carrier="Colissimo", pod_fetch_status="pending")
    report = service.run(PODFetchWorker, batch_size=50)
    assert (report.stats.success, report.stats.failed) == (5, 40), "the others wait for nothing"
    service.run_hourly(110, only={1, 2, 7, 8, 31, 32, 103, 104})
    assert sum(len(sandbox.calls_for(number)) for number in numbers_of(service, denied)) == 80
    assert stages(service, denied) == {"given_up": 40}
    [line] = operator_lines(service)
    assert line.startswith("Colissimo denied us access to many parcels in one run (40).")
    for number in numbers_of(service, denied):
        sandbox.parcels[number] = Parcel((S.DELIVERED,))
    assert "40 claims reopened" in type_command(service, monkeypatch, line)
    clock.advance(HOUR)
    assert service.run(batch_size=50).stats.success == 40


# ---------------------------------------------------------------- the right to documents

# The credentials for document calls.
DOCUMENT_CALLS = {
    "colissimo": {"documents", "document"},
    "dhl_express": {"proof-of-delivery"},
    "fedex": {"trackingdocuments"},
    "gls": {"parceldetails", "parcelpod"},
}


def document_calls(sandbox: Sandbox, carrier: str) -> list[datetime]:
    return [
        call.at
        for call in sandbox.calls
        if call.carrier == carrier and call.operation in DOCUMENT_CALLS[carrier]
    ]


def maximum_per_day(moments: list[datetime]) -> int:
    return max(sum(first <= at < first + 24 * HOUR for at in moments) for first in moments)


@pytest.mark.sample("more cases of the same days of runs")
@pytest.mark.parametrize("carrier", sorted(DOCUMENT_CALLS))
def test_an_account_without_document_access_settles_no_claim_and_resumes_automatically(
    make: Callable[..., Service], sandbox: Sandbox, carrier: str
) -> None:
    service = make()
    name = CATALOG.specs[carrier].name
    sandbox.without_documents.add((carrier, "10000001"))
    waiting = [service.add(S.DELIVERED, carrier=name, pod_fetch_status="pending") for _ in range(7)]
    waiting += [service.add(S.DELIVERED, carrier=name) for _ in range(7)]
    on_its_way = service.add(S.IN_TRANSIT, carrier=name)
    service.run_hourly(72, both=True, only={1, 2, 3, *EVERY_SIX_HOURS})
    assert service.sql("SELECT count(*) FROM recours_attempts WHERE used AND claim_id <> ?", on_its_way) == [
        (0,)
    ]
    assert set(stages(service, waiting)) <= {"waiting", "new"}
    assert maximum_per_day(document_calls(sandbox, carrier)) <= 4
    [line] = operator_lines(service)
    assert line.startswith(f"{name} lets our account track parcels but not fetch documents")
    assert len(service.hours_of_calls(on_its_way)) >= 3, "tracking goes on"
    tracked = {
        number for call in sandbox.calls if call.carrier == carrier for number in call.number.split(",")
    }
    assert tracked >= set(numbers_of(service, waiting))
    sandbox.without_documents.clear()
    service.run_hourly(31, both=True, only=EVERY_SIX_HOURS)
    assert service.sql("SELECT count(*) FROM claims WHERE pod_fetch_status = 'success'") == [(14,)]


def test_denied_documents_are_reported_everywhere_until_a_person_checks_the_account(
    make: Callable[..., Service], sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, clock: SimulatedClock
) -> None:
    service = make()
    sandbox.without_documents.add(("dhl_express", "10000001"))
    for _ in range(3):
        service.add(S.DELIVERED, carrier="DHL Express")
    service.run()
    clock.advance(HOUR)
    words = "DHL Express lets our account track parcels but not fetch documents: "
    with monkeypatch.context() as settings:
        for name, value in service.environment.items():
            settings.setenv(name, value)
        outputs = {
            command: CliRunner().invoke(function, arguments).output
            for command, function, arguments in (
                ("carriers", carriers, []),
                ("status", status, []),
                ("why", why, ["CLM-0003"]),
                ("checked", carriers, ["check", "DHL Express"]),
            )
        }
    assert words in outputs["carriers"]
    assert "DHL Express accepts our account but does not let it use this service" in outputs["status"]
    assert words in outputs["why"]
    assert "accept" in outputs["checked"]
    assert service.sql("SELECT documents_refused_at FROM recours_account_state") == [(None,)]

"""What carriers deny: parcels, which settle, and the right to documents, which is waited for. Real runs, simulated carriers."""

import json
import shlex
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from recours.cli.enroll import reopen_command
from recours.runs.fetch import PODFetchWorker
from recours.sandbox import Parcel, Sandbox, Scenario, SimulatedClock
from tests.acceptance.simulation import FAILED_AT, Service

S = Scenario
HOUR = timedelta(hours=1)


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(FAILED_AT + 2 * HOUR)


@pytest.fixture
def box(clock: SimulatedClock) -> Iterator[Sandbox]:
    with Sandbox(now=clock.now) as sandbox:
        yield sandbox


@pytest.fixture
def make(tmp_path: Path, box: Sandbox, clock: SimulatedClock) -> Iterator[Callable[..., Service]]:
    """`make(**settings)`: the service, with these settings."""
    with ExitStack() as closed:
        yield lambda **settings: closed.enter_context(
            closing(Service(tmp_path, box, clock, RECOURS_HOME=str(tmp_path), **settings))
        )


def numbers_of(service: Service, claims: list[int]) -> list[str]:
    marks = ", ".join("?" * len(claims))
    rows = service.sql(f"SELECT tracking_number FROM claims WHERE id IN ({marks})", *claims)
    return [number for (number,) in rows]


def stages(service: Service, claims: list[int]) -> dict[str, int]:
    marks = ", ".join("?" * len(claims))
    found = f"SELECT pod_stage, count(*) FROM claims WHERE id IN ({marks}) GROUP BY 1"
    return dict(service.sql(found, *claims))


def operator_lines(service: Service) -> list[str]:
    """What the operator was told of accounts."""
    rows = service.sql("SELECT facts FROM recours_events WHERE event = 'account_fault' ORDER BY id")
    return [(facts if isinstance(facts, dict) else json.loads(facts))["error"] for (facts,) in rows]


def type_command(service: Service, monkeypatch: pytest.MonkeyPatch, line: str) -> str:
    """What a person types who was told this line, and what it prints."""
    _, words = line.split("recours reopen")
    with monkeypatch.context() as settings:
        for name, value in service.environment.items():
            settings.setenv(name, value)
        result = CliRunner().invoke(reopen_command, [*shlex.split(words), "--yes"])
    assert result.exit_code == 0, result.output
    return result.output


# ---------------------------------------------------------------- parcels


def denied_claims(service: Service, **columns: Any) -> list[int]:
    return [service.add(S.NOT_OURS, pod_fetch_status="pending", **columns) for _ in range(40)]


def test_forty_parcels_that_the_tracking_denies_are_asked_about_twice_and_reopened_by_one_command(
    make: Callable[..., Service], box: Sandbox, clock: SimulatedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = make()
    denied = denied_claims(service, carrier="Colissimo", response_deadline="2026-02-03")
    for _ in range(5):
        service.add(S.DELIVERED, carrier="Colissimo", pod_fetch_status="pending")
    report = service.run(PODFetchWorker, batch_size=50)
    assert (report.stats.success, report.stats.failed) == (5, 40), "the others wait for nothing"
    service.run_hourly(110, only={1, 2, 3, 8, 9, 32, 33, 104, 105, 106})
    assert sum(len(box.calls_for(number)) for number in numbers_of(service, denied)) == 80
    assert stages(service, denied) == {"given_up": 40}
    [line] = operator_lines(service)
    assert line.startswith("Colissimo denied us many parcels in one run (40).")
    for number in numbers_of(service, denied):
        box.parcels[number] = Parcel((S.DELIVERED,))
    assert "40 claims will start afresh" in type_command(service, monkeypatch, line)
    clock.advance(HOUR)
    assert service.run(batch_size=50).stats.success == 40


def test_settled_claims_are_reopened_before_their_last_retry(
    make: Callable[..., Service], box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = make()
    denied = [service.add(S.NOT_OURS, carrier="Colissimo") for _ in range(5)]
    unknown = service.add(S.UNKNOWN, carrier="Colissimo")
    service.run()
    assert stages(service, denied) == {"settled": 5}
    [line] = operator_lines(service)
    assert "5 claims will start afresh" in type_command(service, monkeypatch, line)
    assert service.sql("SELECT pod_retry_count FROM claims WHERE id = ?", unknown) == [(1,)], "another answer"
    for number in numbers_of(service, denied):
        box.parcels[number] = Parcel((S.DELIVERED,))
    assert service.run().stats.success == 5

"""A package that is missing is the run's fault: real runs whose client of one carrier cannot import it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from recours.carriers.chronopost import Chronopost
from recours.runs.workers import PODFetchWorker
from recours.sandbox import Scenario, SimulatedClock
from tests.acceptance.simulation import FAILED_AT, Service

S = Scenario


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(FAILED_AT + timedelta(hours=2))


@pytest.fixture(autouse=True)
def _stale(monkeypatch: pytest.MonkeyPatch) -> None:
    def track(self: Any, number: str, line: Any) -> Any:
        del self, number, line
        raise ModuleNotFoundError("No module named 'lxml'")

    monkeypatch.setattr(Chronopost, "track", track)


def test_a_package_that_is_missing_costs_no_attempt_and_is_mailed_once_a_day(
    make: Callable[..., Service], clock: SimulatedClock
) -> None:
    service = make(ADMIN_EMAIL="boss@example.com", RECOURS_LANGUAGE="fr")
    for _ in range(4):
        service.add(S.DELIVERED)
        service.add(S.DELIVERED, pod_fetch_status="pending")
        service.add(S.DELIVERED, carrier="UPS")
    reports = [service.run(), service.run(PODFetchWorker)]
    assert [report.exit_status for report in reports] == [1, 1]
    assert all("No module named 'lxml'" in str(report.fault) for report in reports)
    assert sum(report.stats.success for report in reports) == 4, "those of UPS"
    for _ in range(4):
        clock.advance(timedelta(hours=2))
        assert service.run().exit_status == 1
    rows = service.sql("SELECT pod_fetch_status, pod_retry_count FROM claims WHERE carrier = 'Chronopost'")
    assert sorted(set(rows)) == [("failed", 0), ("pending", 0)]
    assert service.sql("SELECT count(*) FROM recours_attempts WHERE used AND outcome = 'failed'") == [(0,)]
    [(to, words)] = service.sql("SELECT recipient, plain FROM recours_mails WHERE plain LIKE '%lxml%'")
    assert to == "boss@example.com"
    assert "Erreur interne de recours : Chronopost" in words
    assert "pip install --require-hashes -r requirements.txt" in words

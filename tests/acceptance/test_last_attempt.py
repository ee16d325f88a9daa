"""The last attempt before a deadline, by the workers as they are started, at simulated carriers."""

from contextlib import closing

from recours.carriers.registry import CATALOG
from recours.database.reports.records import DatabaseRecords
from recours.database.schema.inspection import look
from recours.sandbox import Scenario
from recours.wiring.operations import open_operations
from tests.acceptance.simulation import Service

S = Scenario


def test_the_last_attempt_is_told_from_the_retries(service: Service) -> None:
    service.environment["RECOURS_LAST_ATTEMPT_HOURS"] = "30"
    service.add(S.IN_TRANSIT, response_deadline="2026-02-05")
    service.run_hourly(110)
    with closing(open_operations(service.settings).database) as database:
        records = DatabaseRecords(database, CATALOG, look(database).columns)
        assert [one.is_last for one in records.attempts(1)] == [False, False, False, True, False]


def test_one_that_meets_a_fault_is_made_again_until_it_is_answered(service: Service) -> None:
    """It was the claim's only chance: no hour of the carrier's may take it."""
    service.environment["RECOURS_LAST_ATTEMPT_HOURS"] = "24"
    claim = service.add(
        *[S.IN_TRANSIT] * 4, *[S.SYSTEM_ERROR] * 3, S.DELIVERED, response_deadline="2026-02-12"
    )
    service.run_hourly(180)
    assert service.sql("SELECT pod_stage, pod_retry_count FROM claims") == [("waiting", 4)]
    ((number,),) = service.sql("SELECT tracking_number FROM claims WHERE id = ?", claim)
    before = len(service.box.calls_for(number))
    service.run_hourly(72)
    assert service.sql("SELECT pod_fetch_status FROM claims") == [("success",)]
    left = service.sql("SELECT outcome, used, calls FROM recours_attempts ORDER BY id")[4:]
    assert [(outcome, bool(used), calls) for outcome, used, calls in left] == [
        *[("left", False, 1)] * 3,
        ("success", True, 2),
    ]
    assert len(service.box.calls_for(number)) - before == 5

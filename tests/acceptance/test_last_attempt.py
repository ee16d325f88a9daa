"""The last attempt before a deadline, by the workers as they are started, at simulated carriers."""

from contextlib import closing

from recours.carriers.registry import CATALOG
from recours.reporting.reader import DatabaseRecords
from recours.sandbox import Scenario
from recours.wiring.operations import open_operations
from tests.acceptance.simulation import Service

S = Scenario


def test_the_last_attempt_is_told_from_the_retries(service: Service) -> None:
    service.environment["RECOURS_LAST_ATTEMPT_HOURS"] = "30"
    service.add(S.IN_TRANSIT, response_deadline="2026-02-05")
    service.run_hourly(110, only=range(1, 110, 2))
    with closing(open_operations(service.settings).database) as database:
        records = DatabaseRecords(database, CATALOG)
        assert [one.is_last for one in records.attempts(1)] == [False, False, False, True, False]

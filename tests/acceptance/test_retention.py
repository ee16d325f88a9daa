"""Ten years of runs: the record of them goes in small portions, and a run with nothing to do costs what it did."""

import time
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from recours.database import journal
from recours.sandbox import Scenario
from tests.acceptance.simulation import Service
from tests.long_form import IS_LONG

YEARS = 10 if IS_LONG else 1
RUNS_A_DAY = 72  # of both workers
WINDOWS_A_DAY = 10
DAY = "%Y-%m-%d 00:00:00.000000"


def years_pass(service: Service, days: int) -> None:
    """The record of so many days, the last of them 401 days ago; and of one run soon after."""
    last = service.clock.now() - timedelta(days=401)
    numbers = (
        f"WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {days} - 1)"
        if service._database.is_sqlite
        else f"WITH n AS (SELECT generate_series(0, {days} - 1) AS i)"
    )
    at = (
        f"strftime('%Y-%m-%d 00:00:00.000000', '{last:{DAY}}', '-' || i || ' days')"
        if service._database.is_sqlite
        else f"TIMESTAMP '{last:{DAY}}' - i * INTERVAL '1 day'"
    )
    for k in range(RUNS_A_DAY):
        service.sql(
            f"INSERT INTO recours_runs (id, worker, started_at, ended_at, exit_status, stats) {numbers}"
            f" SELECT 'r{k}-' || i, 'pod_retry_scheduler', {at}, {at}, 0, '{{}}' FROM n"
        )
    after = service.clock.now() - timedelta(days=380)
    service.sql(f"INSERT INTO recours_runs (id, worker, started_at) VALUES ('after', 'any', '{after:{DAY}}')")
    for k in range(WINDOWS_A_DAY):
        service.sql(
            f"INSERT INTO recours_quota (limit_key, window_start, window_end, taken) {numbers}"
            f" SELECT 'limit-{k}', {at}, {at}, 1 FROM n"
        )


def rows(service: Service) -> tuple[int, ...]:
    tables = ("recours_runs", "recours_quota")
    return tuple(int(service.sql(f"SELECT count(*) FROM {table}")[0][0]) for table in tables)


def seconds(service: Service) -> float:
    """Of the fastest of some runs with nothing to do."""
    taken = []
    for _ in range(5):
        begun = time.perf_counter()
        assert service.run().exit_status == 0
        taken.append(time.perf_counter() - begun)
    return min(taken)


def test_what_is_too_old_goes_in_portions_and_the_rest_stays(service: Service) -> None:
    service.add(Scenario.DELIVERED)
    service.run()
    kept = service.sql("SELECT limit_key, taken FROM recours_quota WHERE limit_key NOT LIKE 'limit-%'")
    assert kept
    days = 12
    years_pass(service, days)
    before = rows(service)
    service.run()
    after = rows(service)
    gone = [then - now for then, now in zip(before, after, strict=True)]
    assert gone == [
        journal.RUNS - 1,
        journal.WINDOWS,
    ]  # less the run's own row
    for _ in range(4):
        service.run()
    assert rows(service)[0] == 7
    assert (
        service.sql("SELECT limit_key, taken FROM recours_quota WHERE limit_key NOT LIKE 'limit-%'") == kept
    )


def test_what_is_known_of_claims_that_are_done_goes_after_a_month(service: Service) -> None:
    for steps in ((Scenario.DELIVERED,), (Scenario.DELIVERED,), (Scenario.UNKNOWN,) * 9):
        service.add(*steps)
    service.run()
    calls = len(service.box.calls_for("XY000000001FR"))
    service.sql("UPDATE recours_claims SET lease_token = 'x', lease_until = '2999-01-01' WHERE claim_id = 2")
    stages = "SELECT claim_id, stage FROM recours_claims ORDER BY claim_id"
    assert [stage for _, stage in service.sql(stages)][:2] == ["done", "done"]
    service.clock.advance(timedelta(days=31))
    for _ in range(2):  # each goes by when the one before began
        service.run()
    assert [claim_id for claim_id, _ in service.sql(stages)] == [2, 3], (
        "the service is still to be told of one"
    )
    service.run()
    assert [claim_id for claim_id, _ in service.sql(stages)] == [2, 3]
    assert len(service.box.calls_for("XY000000001FR")) == calls


def test_runs_with_a_clock_far_ahead_take_nothing_with_them(service: Service) -> None:
    service.add(Scenario.DELIVERED)
    service.run()
    before = rows(service)
    service.clock.advance(timedelta(days=3650))
    for _ in range(3):  # both workers, and the next one
        service.run()
    after = rows(service)
    assert after[0] == before[0] + 3
    assert after[1:] == before[1:], "today's counts of calls are kept"


@pytest.mark.full("years of rows are written first")
def test_after_years_a_run_with_nothing_to_do_costs_what_it_did(service: Service) -> None:
    young = seconds(service)
    years_pass(service, YEARS * 365)
    plans(service)
    old = seconds(service)
    while rows(service)[1]:
        service.run()
    swept = seconds(service)
    print(
        f"an empty run: {young:.4f} s, after {YEARS} years {old:.4f} s, when these are removed {swept:.4f} s"
    )
    assert swept < 3 * young + 0.05


def plans(service: Service) -> None:
    """Nothing that a run reads of its own past is found by reading all of it."""
    assert service._opened
    database = service._opened.database
    seen: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        if any(name in statement for name in ("recours_runs", "recours_quota")):
            seen.append((statement, parameters))

    event.listen(database.engine, "before_cursor_execute", note)
    service.run()
    event.remove(database.engine, "before_cursor_execute", note)
    assert seen
    if not database.is_sqlite:
        return
    with database.read() as connection:
        for statement, parameters in seen:
            if statement.startswith("SELECT"):
                plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
                whole = [
                    row[-1] for row in plan if row[-1].startswith("SCAN recours_") and "INDEX" not in row[-1]
                ]
                assert not whole, statement

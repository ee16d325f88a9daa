"""Ten years of runs: their records are deleted in small portions, and an idle run stays cheap."""

from datetime import timedelta

from recours.database import journal
from recours.sandbox import Scenario
from tests.acceptance.simulation import Service

RUNS_A_DAY = 72  # of both workers
WINDOWS_A_DAY = 10
DAY = "%Y-%m-%d 00:00:00.000000"


def add_records_of_years(service: Service, days: int) -> None:
    """Records of this many days, the last of them 401 days ago, and of one run soon after."""
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


def test_only_old_records_are_deleted_in_portions(service: Service) -> None:
    service.add(Scenario.DELIVERED)
    service.run()
    left = service.sql("SELECT limit_key, taken FROM recours_quota WHERE limit_key NOT LIKE 'limit-%'")
    assert left
    days = 12
    add_records_of_years(service, days)
    before = rows(service)
    service.run()
    after = rows(service)
    deleted = [then - now for then, now in zip(before, after, strict=True)]
    assert deleted == [
        journal.RUNS - 1,
        journal.WINDOWS,
    ]  # without the run's own row
    for _ in range(4):
        service.run()
    assert rows(service)[0] == 7
    assert (
        service.sql("SELECT limit_key, taken FROM recours_quota WHERE limit_key NOT LIKE 'limit-%'") == left
    )


def test_rows_of_done_claims_are_deleted_after_a_month(service: Service) -> None:
    for steps in ((Scenario.DELIVERED,), (Scenario.DELIVERED,), (Scenario.UNKNOWN,) * 9):
        service.add(*steps)
    service.run()
    calls = len(service.box.calls_for("XY000000001FR"))
    service.sql("UPDATE recours_claims SET lease_token = 'x', lease_until = '2999-01-01' WHERE claim_id = 2")
    stages = "SELECT claim_id, stage FROM recours_claims ORDER BY claim_id"
    assert [stage for _, stage in service.sql(stages)][:2] == ["done", "done"]
    service.clock.advance(timedelta(days=31))
    for _ in range(2):  # each measured from the start of the previous one
        service.run()
    assert [claim_id for claim_id, _ in service.sql(stages)] == [2, 3], "the service has not received one yet"
    service.run()
    assert [claim_id for claim_id, _ in service.sql(stages)] == [2, 3]
    assert len(service.box.calls_for("XY000000001FR")) == calls


def test_runs_with_a_clock_far_ahead_delete_nothing(service: Service) -> None:
    service.add(Scenario.DELIVERED)
    service.run()
    before = rows(service)
    service.clock.advance(timedelta(days=3650))
    for _ in range(3):  # both workers, and the next one
        service.run()
    after = rows(service)
    assert after[0] == before[0] + 3
    assert after[1:] == before[1:], "today's counts of calls are kept"

"""PostgreSQL answers the queries about claims from their partial indexes, as its planner decides by itself."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from recours.core.claim import Stage
from recours.database.engine import Database
from tests.conftest import Kind
from tests.contract.test_claims import CHECKS, NOW, Run, assert_read

QUIET = """
INSERT INTO claims (claim_reference, order_id, carrier, dispute_type, amount_requested, tracking_number,
    pod_fetch_status, created_at, updated_at)
SELECT 'Q-' || n, 'O', 'Chronopost', 'lost', 1, 'XY00' || n, (ARRAY[NULL, 'success', 'manual'])[n %% 3 + 1],
    '2025-12-01', '2026-01-01'
FROM generate_series(1, 20000) n
"""


@pytest.fixture
def backlog(kinds: Callable[[str], Kind], tmp_path: Path) -> Iterator[Database]:
    database = Database(kinds("postgresql").ready(tmp_path))
    with database.write() as connection:
        connection.exec_driver_sql(BACKLOG)
        connection.exec_driver_sql(LAST_ATTEMPTS_FAR_AHEAD)
    with database.outside_transactions() as connection:
        connection.exec_driver_sql("VACUUM ANALYZE claims")
    yield database
    database.close()


@pytest.fixture(scope="module")
def many(kinds: Callable[[str], Kind], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    database = Database(kinds("postgresql").ready(tmp_path_factory.mktemp("many")))
    with database.write() as connection:
        connection.exec_driver_sql(QUIET)
    yield database
    database.close()


@pytest.mark.parametrize(("look_for", "indexes"), CHECKS.values(), ids=CHECKS.keys())
def test_looking_for_rows_reads_its_partial_index(
    many: Database, add_claims: Callable[..., None], look_for: Callable[[Run], Any], indexes: str
) -> None:
    run = Run(many)
    execute(many, "DELETE FROM claims WHERE claim_reference NOT LIKE 'Q-%%'")
    states: list[dict[str, Any]] = [
        {},
        {"updated_at": NOW},
        {"status": "paid"},
        {"pod_fetch_status": "pending"},
        {"pod_retry_count": 3, "updated_at": NOW - timedelta(days=9)},
    ]
    add_claims(many, states * 20)
    run.keep()
    execute(many, "UPDATE claims SET tracking_number = 'XY009999999FR' WHERE claim_reference LIKE 'CLM-%%7'")
    with many.outside_transactions() as connection:
        connection.exec_driver_sql("VACUUM ANALYZE claims")
    with statements_of(many) as seen:
        look_for(run)
    asked = [(sql, values) for sql, values in seen if "FROM claims" in sql and "pod_" in sql]
    assert asked
    found: set[str] = set()
    for sql, values in asked:
        lines = plan(many, sql, values[0] if isinstance(values, list) else values)
        assert not re.search(r"Seq Scan on claims", "\n".join(lines)), "\n".join([sql, *lines])
        found |= set(re.findall(r"\bix_claims_pod_(\w+)", "\n".join(lines)))
    assert_read(found, indexes)


def execute(database: Database, statement: str) -> None:
    with database.write() as connection:
        connection.exec_driver_sql(statement)


def plan(database: Database, sql: str, values: Any) -> list[str]:
    with database.read() as connection:
        return [row[0] for row in connection.exec_driver_sql(f"EXPLAIN {sql}", values)]


BACKLOG = """
INSERT INTO claims (claim_reference, order_id, carrier, dispute_type, amount_requested, tracking_number,
    pod_fetch_status, pod_stage, pod_carrier_key, pod_retry_count, pod_rank_at, pod_rank_is_deadline,
    pod_next_retry_at, pod_seen_status, pod_seen_number, pod_seen_carrier, pod_seen_count)
SELECT 'B-' || n, 'O', 'Chronopost', 'lost', 1, 'XY' || n, 'failed', (ARRAY['ready', 'given_up', 'waiting'])[n %% 3 + 1],
    'chronopost', 4, timestamp '2026-02-02' + n * interval '1 second', n %% 2, '2026-02-03', 'failed', 'XY' || n,
    'Chronopost', 4
FROM generate_series(1, 30000) n
"""


LAST_ATTEMPTS_FAR_AHEAD = """
INSERT INTO claims (claim_reference, order_id, carrier, dispute_type, amount_requested, tracking_number,
    pod_fetch_status, pod_stage, pod_carrier_key, pod_retry_count, pod_rank_at, pod_rank_is_deadline, pod_last_retry_at,
    pod_next_retry_at, pod_last_attempt_at, pod_seen_status, pod_seen_number, pod_seen_carrier, pod_seen_count)
SELECT 'L-' || n, 'O', 'Chronopost', 'lost', 1, 'XY' || n, 'failed', 'waiting', 'chronopost', 4, '2027-02-02', 1,
    '2026-01-02', '2027-02-01', '2027-02-01', 'failed', 'XY' || n, 'Chronopost', 4
FROM generate_series(1, 10000) n
"""


def test_among_a_large_backlog_only_the_first_rows_are_read(backlog: Database) -> None:
    run = Run(backlog)
    with statements_of(backlog) as seen:
        assert run.claims.ready_by_carrier(Stage.READY, NOW, 30)["chronopost"].claims == 30
        assert run.claims.ready_by_carrier(Stage.READY, NOW, 30, ["chronopost"])["chronopost"].claims == 30
        assert len(run.take(30)) == 30
        assert list(run.maintenance.revive_exhausted(4, lambda claim: claim.state, NOW)) == []
        assert not run.maintenance.is_behind(NOW, NOW + timedelta(days=99), 4, {"paid"}, NOW)
        assert (
            list(run.maintenance.repair_times(NOW + timedelta(days=99), lambda claim: claim.state, NOW)) == []
        )
    looks = [(sql, values) for sql, values in seen if sql.startswith(("SELECT", "WITH")) and "LIMIT" in sql]
    assert len(looks) >= 6
    with backlog.write() as connection:
        for sql, values in looks:
            plan = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", values).scalar_one()
            scans = [node for node in nodes(plan[0]["Plan"]) if "claims" in node.get("Relation Name", "")]
            assert {node["Node Type"] for node in scans} <= {"Index Scan", "Index Only Scan"}, sql
            read = [node["Actual Rows"] + node.get("Rows Removed by Filter", 0) for node in scans]
            assert max(read) <= 60, sql


EXHAUSTED = """
INSERT INTO claims (claim_reference, order_id, carrier, dispute_type, amount_requested, tracking_number,
    pod_fetch_status, pod_fetch_error, pod_retry_count, created_at, updated_at)
SELECT 'E-' || n, 'O', 'Chronopost', 'lost', 1, 'XY' || n, 'failed', 'Timeout', 4, '2025-12-01', '2026-01-01'
FROM generate_series(1, 1500) n
"""


def test_adopting_reads_no_other_rows_than_it_writes(many: Database) -> None:
    execute(many, "DELETE FROM claims WHERE claim_reference NOT LIKE 'Q-%%'")
    execute(many, EXHAUSTED)
    maintenance = Run(many).maintenance
    with many.outside_transactions() as connection:
        connection.exec_driver_sql("VACUUM ANALYZE claims")
    with statements_of(many) as seen:
        assert list(maintenance.adopt_exhausted(4, NOW)) == [1500]
    (write,) = [(sql, values) for sql, values in seen if sql.startswith("UPDATE claims")]
    with many.write() as connection:
        shown = connection.exec_driver_sql(
            f"EXPLAIN (ANALYZE, FORMAT JSON) {write[0]}", write[1]
        ).scalar_one()
    on_claims = [node for node in nodes(shown[0]["Plan"]) if node.get("Relation Name") == "claims"]
    (scan,) = [node for node in on_claims if node["Node Type"] != "ModifyTable"]
    assert scan["Actual Rows"] * scan["Actual Loops"] == 1500
    assert not scan.get("Rows Removed by Filter", 0)


@contextmanager
def statements_of(database: Database) -> Iterator[list[tuple[str, Any]]]:
    """What is sent to the database meanwhile, each with its parameters."""
    seen: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, sql: str, values: Any, *_rest: Any) -> None:
        seen.append((sql, values))

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part)

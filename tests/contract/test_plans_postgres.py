"""PostgreSQL's planner answers the queries about claims from their partial indexes without hints."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from recours.core.claim import Stage
from recours.core.decision import pass_retry
from recours.database.engine import Database
from tests.conftest import Kind, add_claims
from tests.contract.test_claims import CHECKS, NOW, POLICY, Run, assert_read
from tests.own_rows import plan, statements_of

# Claims that nobody works on, and claims given up long ago.
QUIET = """
INSERT INTO claims (id, claim_reference, order_id, carrier, dispute_type, amount_requested, tracking_number,
    pod_fetch_status, pod_retry_count, created_at, updated_at)
SELECT n, 'Q-' || n, 'O', 'Chronopost', 'lost', 1, 'XY00' || n, (ARRAY[NULL, 'success', 'failed'])[n %% 3 + 1],
    20, '2025-12-01', '2026-01-01'
FROM generate_series(1000001, 1020000) n
"""
QUIET_OWN = """
INSERT INTO recours_claims (claim_id, stage, lane, retries_used, written_at, seen_fetch_status, seen_number, seen_carrier,
    seen_count, seen_reference)
SELECT id, 'given_up', 'chronopost', 20, '2025-11-01', pod_fetch_status, tracking_number, carrier, '20', claim_reference
FROM claims WHERE pod_fetch_status = 'failed'
"""


@pytest.fixture
def backlog(kinds: Callable[[str], Kind], tmp_path: Path) -> Iterator[Database]:
    database = Database(kinds("postgresql").ready(tmp_path))
    with database.write() as connection:
        connection.exec_driver_sql(BACKLOG)
        connection.exec_driver_sql(OWN_BACKLOG)
        connection.exec_driver_sql(LAST_ATTEMPTS_FAR_AHEAD)
    analyze(database)
    yield database
    database.close()
    kinds("postgresql").drop(database.url)


@pytest.fixture(scope="module")
def many(
    kinds: Callable[[str], Kind],
    tmp_path_factory: pytest.TempPathFactory,
) -> URL:
    """A few claims in progress among many others; nothing is connected to the database."""
    folder = tmp_path_factory.mktemp("many")
    database = Database(kinds("postgresql").ready(folder))
    with database.write() as connection:
        connection.exec_driver_sql(QUIET)
        connection.exec_driver_sql(QUIET_OWN)
    states: list[dict[str, Any]] = [
        {},
        {"updated_at": NOW},
        {"status": "paid"},
        {"pod_fetch_status": "pending"},
        {"pod_retry_count": 3, "updated_at": NOW - timedelta(days=9)},
    ]
    add_claims(database, states * 20)
    Run(database).keep()
    execute(
        database, "UPDATE claims SET tracking_number = 'XY009999999FR' WHERE claim_reference LIKE 'CLM-%%7'"
    )
    analyze(database)
    database.close()
    return database.url


@pytest.mark.parametrize(("look_for", "indexes"), CHECKS.values(), ids=CHECKS.keys())
def test_each_query_reads_its_partial_index(
    many: URL, kinds: Callable[[str], Kind], tmp_path: Path, look_for: Callable[[Run], Any], indexes: str
) -> None:
    kind = kinds("postgresql")
    database = Database(kind.copy(many, tmp_path))
    with statements_of(database) as seen:
        look_for(Run(database))
    asked = [(sql, values) for sql, values in seen if "claims" in sql]
    assert asked
    found: set[str] = set()
    for sql, values in asked:
        lines = plan(database, sql, values[0] if isinstance(values, list) else values)
        assert not re.search(r"Seq Scan on (recours_)?claims", "\n".join(lines)), "\n".join([sql, *lines])
        found |= set(re.findall(r"\bix_recours_claims_(\w+)", "\n".join(lines)))
    assert_read(found, indexes)
    database.close()
    kind.drop(database.url)


def analyze(database: Database) -> None:
    with database.outside_transactions() as connection:
        connection.exec_driver_sql("VACUUM ANALYZE claims, recours_claims")


def execute(database: Database, statement: str) -> None:
    with database.write() as connection:
        connection.exec_driver_sql(statement)


BACKLOG = """
INSERT INTO claims (id, claim_reference, order_id, carrier, dispute_type, amount_requested, tracking_number,
    pod_fetch_status, pod_retry_count)
SELECT n, 'B-' || n, 'O', 'Chronopost', 'lost', 1, 'XY' || n, 'failed', 4 FROM generate_series(1, 40000) n
"""
OWN_BACKLOG = """
INSERT INTO recours_claims (claim_id, stage, lane, retries_used, rank_at, rank_is_deadline, next_at, seen_fetch_status,
    seen_number, seen_carrier, seen_count, seen_reference)
SELECT n, (ARRAY['ready', 'given_up', 'waiting'])[n %% 3 + 1], 'chronopost', 4,
    timestamp '2026-02-02' + n * interval '1 second', n %% 2, '2026-02-03', 'failed', 'XY' || n, 'Chronopost', '4', 'B-' || n
FROM generate_series(1, 30000) n
"""
LAST_ATTEMPTS_FAR_AHEAD = """
INSERT INTO recours_claims (claim_id, stage, lane, retries_used, rank_at, rank_is_deadline, last_retry_at, next_at,
    last_attempt_at, seen_fetch_status, seen_number, seen_carrier, seen_count, seen_reference)
SELECT n, 'waiting', 'chronopost', 4, '2027-02-02', 1, '2026-01-02', '2027-02-01', '2027-02-01', 'failed', 'XY' || n,
    'Chronopost', '4', 'B-' || n
FROM generate_series(30001, 40000) n
"""


def test_among_a_large_backlog_only_the_first_rows_are_read(backlog: Database) -> None:
    run = Run(backlog)
    with statements_of(backlog) as seen:
        assert run.claims.ready_by_carrier(Stage.READY, NOW, 30)["chronopost"].claims == 30
        assert run.claims.ready_by_carrier(Stage.READY, NOW, 30, ["chronopost"])["chronopost"].claims == 30
        assert len(run.take(30)) == 30
        assert list(run.maintenance.revive_exhausted(4, lambda claim: claim.state, NOW)) == []
        far_ahead = NOW + timedelta(days=99)
        assert list(run.maintenance.repair_times(far_ahead, lambda claim: claim.state, NOW)) == []
        assert (
            list(run.maintenance.pass_retries(NOW, lambda claim: pass_retry(claim, NOW, POLICY), NOW)) == []
        )
    looks = [(sql, values) for sql, values in seen if sql.startswith(("SELECT", "WITH")) and "LIMIT" in sql]
    assert len(looks) >= 6
    with backlog.write() as connection:
        for sql, values in looks:
            plan = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", values).scalar_one()
            scans = [node for node in nodes(plan[0]["Plan"]) if "claims" in node.get("Relation Name", "")]
            kinds = {node["Node Type"] for node in scans} - {"ModifyTable"}
            assert kinds <= {"Index Scan", "Index Only Scan"}, sql
            read = [node["Actual Rows"] + node.get("Rows Removed by Filter", 0) for node in scans]
            assert max(read) <= 60, sql


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part)

"""A database with claims that other software had given up on: adopted at once, without notifications, after due work."""

import logging
import time
from datetime import timedelta

import pytest

from recours.core.sentences import classify
from recours.sandbox import Scenario
from tests.acceptance.simulation import FAILED_AT, Service
from tests.long_form import IS_LONG

S = Scenario
MANY = 1_000_000 if IS_LONG else 12_000
MOST_S = 60.0


def exhausted(service: Service, last: int, retries: str = "4 + i % 3", first: int = 1) -> None:
    """Old failures of these numbers, with all retries used."""
    numbers = (
        f"WITH RECURSIVE n (i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {last})"
        if service._database.is_sqlite
        else f"WITH n AS (SELECT generate_series({first}, {last}) AS i)"
    )
    at = f"'{FAILED_AT - timedelta(days=90):%Y-%m-%d %H:%M:%S}'"
    at = at if service._database.is_sqlite else f"TIMESTAMP {at}"
    service.sql(
        "INSERT INTO claims (claim_reference, order_id, carrier, dispute_type, amount_requested, tracking_number,"
        " pod_fetch_status, pod_fetch_error, pod_retry_count, created_at, updated_at) "
        f"{numbers} SELECT 'OLD-' || i, 'o', CASE WHEN i % 2 = 0 THEN 'Chronopost' ELSE 'UPS' END, 'lost', 10,"
        f" 'XY1' || i, 'failed', CASE WHEN i % 3 = 0 THEN 'Timeout' ELSE 'Invalid tracking number' END, {retries}, {at},"
        f" {at} FROM n"
    )


def test_claims_without_retries_left_are_adopted_at_once_after_due_claims(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    exhausted(service, MANY)
    service.add(S.DELIVERED)
    started = time.perf_counter()
    report = service.run()
    took = time.perf_counter() - started
    print(f"{MANY} exhausted claims adopted in {took:.1f} s")
    assert took < MOST_S
    assert report.stats.success == 1
    assert len(service.box.calls_for("XY000000001FR")) > 0
    found = service.sql("SELECT stage, lane, kind, count(*) FROM recours_claims WHERE claim_id <= ?"
                        " GROUP BY 1, 2, 3 ORDER BY 2, 3", MANY)  # fmt: skip
    assert [row[:3] for row in found] == [
        ("given_up", key, kind)
        for key in ("chronopost", "ups")
        for kind in (classify("Invalid tracking number"), classify("Timeout"))
    ]
    assert sum(row[3] for row in found) == MANY
    # Nothing is sent about old claims, and no call is made for them.
    assert service.sql("SELECT count(*) FROM recours_events WHERE claim_id > 0 AND claim_id <= ?", MANY) == [
        (0,)
    ]
    assert service.sql("SELECT count(*) FROM recours_attempts") == [(1,)]
    lines = [record.getMessage() for record in caplog.records]
    places = [
        next(n for n, line in enumerate(lines) if sign in line)
        for sign in ("SUCCESS", f"{MANY} claims had no retries left")
    ]
    assert places == sorted(places)
    # The next run finds nothing to do. A higher limit revives these claims like any others.
    caplog.clear()
    service.run()
    assert "used all attempts" not in caplog.text

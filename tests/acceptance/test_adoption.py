"""A database whose claims other software had given up on: taken over at once, with nobody told, and due work first."""

import logging
import time
from datetime import timedelta

import pytest

from recours.core.claim import Stage
from recours.core.sentences import classify
from recours.runs.workers import PODFetchWorker
from recours.sandbox import Parcel, Scenario
from tests.acceptance.simulation import FAILED_AT, Service
from tests.long_form import IS_LONG

S = Scenario
MANY = 1_000_000 if IS_LONG else 12_000
MOST_S = 60.0


def exhausted(service: Service, last: int, retries: str = "4 + i % 3", first: int = 1) -> None:
    """Failures of the past, of these numbers, all their retries used."""
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


def test_claims_without_a_retry_left_are_taken_over_at_once_and_due_work_comes_first(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    exhausted(service, MANY)
    service.add(S.DELIVERED)
    begun = time.perf_counter()
    report = service.run()
    took = time.perf_counter() - begun
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
    # Nothing is told of the past, and nothing asked about it.
    assert service.sql("SELECT count(*) FROM recours_events WHERE claim_id > 0 AND claim_id <= ?", MANY) == [
        (0,)
    ]
    assert service.sql("SELECT count(*) FROM recours_attempts") == [(1,)]
    lines = [record.getMessage() for record in caplog.records]
    places = [
        next(n for n, line in enumerate(lines) if sign in line)
        for sign in ("SUCCESS", f"{MANY} claims had used all attempts")
    ]
    assert places == sorted(places)
    # The next run finds nothing to do, and a higher limit takes them up as it takes up any.
    caplog.clear()
    service.run()
    assert "used all attempts" not in caplog.text


def test_one_by_one_and_at_once_are_judged_alike(service: Service) -> None:
    """What a claim of each form becomes does not depend on whether it was asked for by name."""
    exhausted(service, 6, retries="4")
    service.add(S.DELIVERED, pod_retry_count=7, number="  ", pod_fetch_error=None)
    service.add(S.DELIVERED, pod_retry_count=4, carrier="Pigeon", number="1Z1")
    service.add(S.DELIVERED, pod_retry_count=4, status="paid")
    service.add(S.DELIVERED, pod_retry_count=3)
    service.run()
    rows = service.sql(
        "SELECT claim_id, stage, retries_used, lane, kind FROM recours_claims ORDER BY claim_id"
    )
    of = {row[0]: row[1:] for row in rows}
    ids = [row[0] for row in rows]
    assert len(ids) == 10
    places = dict(zip(("blank", "unknown", "paid", "tried"), ids[6:], strict=True))
    assert of[places["blank"]][0] == Stage.GIVEN_UP
    assert of[places["blank"]][3] == "invalid_tracking"
    assert of[places["unknown"]][:3] == (Stage.GIVEN_UP, 4, "")
    assert of[places["paid"]][0] in (Stage.GIVEN_UP, Stage.SHELVED)
    assert of[places["tried"]][0] != Stage.GIVEN_UP
    assert service.sql(
        "SELECT count(*) FROM recours_events WHERE claim_id > 0 AND event <> 'pod_retrieved'"
    ) == [(0,)]
    service.run_hourly(2, max_retries=8)
    assert service.sql("SELECT count(*) FROM recours_claims WHERE stage = 'given_up'")[0][0] < len(ids) - 2


@pytest.mark.parametrize("count", ["'many'", "99999999", "NULL", "-3"])
def test_counts_that_are_none_hide_nothing(service: Service, count: str) -> None:
    if not service._database.is_sqlite and count == "'many'":
        count = "2147483647"
    service.add(S.DELIVERED)
    service.add(S.DELIVERED)
    service.sql(f"UPDATE claims SET pod_retry_count = {count} WHERE claim_reference = 'CLM-0001'")
    assert service.run().exit_status == 0
    assert service.sql("SELECT pod_fetch_status FROM claims WHERE claim_reference = 'CLM-0002'") == [
        ("success",)
    ]
    assert service.sql(
        "SELECT count(*) FROM claims LEFT JOIN recours_claims ON claim_id = id"
        " WHERE claim_id IS NULL AND pod_fetch_status = 'failed'"
    ) == [(0,)]


@pytest.mark.full("among 100,000 claims: tests/contract/test_intake.py has the same among few")
def test_next_run_sees_each_correction_among_many_claims(service: Service) -> None:
    exhausted(service, 70_000)
    service.add(S.UNKNOWN)
    service.add(S.SYSTEM_ERROR, pod_retry_count=3, failed_at=FAILED_AT - timedelta(days=10))
    service.add(S.DELIVERED, status="paid")
    service.add(S.DELIVERED)
    exhausted(service, 100_000, first=70_001)
    stages = "SELECT stage FROM recours_claims WHERE claim_id BETWEEN 70001 AND 70004 ORDER BY claim_id"
    service.run()
    assert service.sql(stages) == [("waiting",), ("given_up",), ("shelved",), ("done",)]
    assert service.sql("SELECT count(*) FROM recours_claims") == [(100_004,)]
    for n in (1, 2, 3):
        number = f"XY99000000{n}FR"
        service.box.parcels[number] = Parcel((S.DELIVERED,))
        service.sql("UPDATE claims SET tracking_number = ? WHERE claim_reference = ?", number, f"CLM-000{n}")
    service.sql("UPDATE claims SET pod_fetch_status = 'pending' WHERE claim_reference = 'CLM-0004'")
    service.run()
    assert service.sql(stages) == [("done",), ("done",), ("shelved",), ("new",)]
    assert service.sql("SELECT seen_number FROM recours_claims WHERE claim_id = 70003") == [
        ("XY990000003FR",)
    ]
    assert service.run(PODFetchWorker).stats.success == 1
    # The sweep did not come as far: they were looked for.
    assert service.sql("SELECT repaired FROM recours_intake") == [(0,)]

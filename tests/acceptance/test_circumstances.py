"""What each attempt keeps for those who want to learn from it."""

import json
from contextlib import closing
from typing import Any

from recours.carriers.registry import CATALOG
from recours.database.reports.records import DatabaseRecords
from recours.database.schema.inspection import look
from recours.runs.fetch import PODFetchWorker
from recours.sandbox import Scenario
from recours.wiring.operations import open_operations
from tests.acceptance.simulation import Service

S = Scenario


def kept(service: Service) -> list[dict[str, Any]]:
    rows = service.sql("SELECT circumstances FROM recours_attempts ORDER BY id")
    return [json.loads(kept) if isinstance(kept, str) else kept for (kept,) in rows]


def test_an_attempt_keeps_its_calls_and_the_claim_as_it_was(service: Service) -> None:
    service.sql("INSERT INTO clients (id, email) VALUES (7, 'a@shop.example')")
    claim = service.add(
        S.POD_LATE,
        client_id=7,
        amount_requested=120.5,
        response_deadline="2026-03-01",
        created_at="2026-02-01 08:00:00",
    )
    service.run_hourly(1)
    (before,) = kept(service)
    age = before.pop("age_h")
    assert 20 < age < 30
    assert before == {
        "calls": {"tracking": 1, "pod": 1},
        "deadline": "2026-03-01",
        "amount": 120.5,
        "client": 7,
    }
    service.sql(
        "UPDATE claims SET amount_requested = 99, response_deadline = '2026-04-01' WHERE id = ?", claim
    )
    service.run_hourly(7)
    after = kept(service)
    assert [one["amount"] for one in after] == [120.5, 99]
    assert [one["deadline"] for one in after] == ["2026-03-01", "2026-04-01"]
    assert after[1]["calls"] == {"pod": 1}  # the parcel was known to be delivered


def test_what_is_unknown_is_left_out(service: Service) -> None:
    service.add(S.DELIVERED, carrier="UPS", amount_requested=-1, created_at=None, pod_fetch_status="pending")
    service.run(PODFetchWorker)
    (found,) = kept(service)
    assert found.keys() == {"calls"}
    assert found["calls"] == {"tracking": 1, "token": 1}


def test_a_claim_may_be_asked_about_in_the_instant_in_which_it_is_made(service: Service) -> None:
    service.add(
        S.DELIVERED, created_at=f"{service.clock.now():%Y-%m-%d %H:%M:%S}", pod_fetch_status="pending"
    )
    assert service.run(PODFetchWorker).stats.success == 1
    assert kept(service)[0]["age_h"] == 0


def test_the_last_attempt_is_told_from_the_retries(service: Service) -> None:
    service.environment["RECOURS_LAST_ATTEMPT_HOURS"] = "30"
    service.add(S.IN_TRANSIT, response_deadline="2026-02-05")
    service.run_hourly(110)
    assert [one.get("last_attempt") for one in kept(service)] == [None, None, None, True, None]
    with closing(open_operations(service.settings).database) as database:
        records = DatabaseRecords(database, CATALOG, look(database).columns)
        assert [one.is_last for one in records.attempts(1)] == [False, False, False, True, False]

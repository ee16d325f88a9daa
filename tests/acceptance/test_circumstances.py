"""What each attempt and each run keep for those who want to learn from them."""

import json
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

from recours.carriers.registry import CATALOG
from recours.database.reports.records import DatabaseRecords
from recours.database.schema.inspection import look
from recours.runs.fetch import PODFetchWorker
from recours.sandbox import Scenario
from recours.wiring.operations import open_operations
from tests.acceptance.person import Person
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


# ---------------------------------------------------------------- what a run had in force


def last_run(service: Service) -> dict[str, Any]:
    [(kept,)] = service.sql("SELECT circumstances FROM recours_runs ORDER BY started_at DESC LIMIT 1")
    found: dict[str, Any] = json.loads(kept) if isinstance(kept, str) else kept
    return found


def test_a_run_keeps_the_policy_and_what_it_met_of_each_carrier(service: Service) -> None:
    service.environment |= {
        "QUOTA_CHRONOPOST": "50/day@UTC,1000/hour",
        "QUOTA_UPS_TOKEN": "20/hour",
        "RECOURS_LAST_ATTEMPT_HOURS": "30",
        "CHRONOPOST_DOCUMENT_FIRST": "true",
    }
    service.add(S.DELIVERED)
    service.add(S.DELIVERED)
    service.add(S.DELIVERED, carrier="UPS")
    service.add(S.DELIVERED, carrier="Nobody")
    service.clock.advance(timedelta(hours=2))
    service.run(batch_size=7, concurrency=2)
    found = last_run(service)
    assert found["policy"] == {
        "waits_h": [1, 6, 24, 72],
        "max_retries": 4,
        "last_attempt_h": 30,
        "expire_days": 30,
        "document_first": ["chronopost"],
        "batch_size": 7,
        "concurrency": 2,
        "carrier_concurrency": 4,
        "pending_share": 0.25,
    }
    assert found["carriers"].keys() == {"chronopost", "ups"}
    assert found["carriers"]["chronopost"] == {
        "limits": {
            "50/day@UTC": {"used": 4, "reserved": 0},
            "1000/3600s": {"used": 4, "reserved": 0},
        },
        "due": 2,
        "asked": 2,
    }
    ups = found["carriers"]["ups"]
    assert (ups["due"], ups["asked"]) == (1, 1)
    assert ups["limits"]["20/3600s TOKEN"] == {"used": 1, "reserved": 0}


def test_a_run_keeps_which_carrier_closed_why_and_for_how_long(service: Service) -> None:
    service.environment["QUOTA_CHRONOPOST"] = "50/day@UTC"
    for _ in range(3):
        service.add(S.RATE_LIMITED)
    service.clock.advance(timedelta(hours=2))
    now = service.clock.now()
    service.run(concurrency=1)
    chronopost = last_run(service)["carriers"]["chronopost"]
    assert (chronopost["due"], chronopost["asked"]) == (3, 1)
    assert chronopost["limits"] == {"50/day@UTC": {"used": 1, "reserved": 0}}
    [closure] = chronopost["closed"]
    since, until = (datetime.fromisoformat(closure[end]) for end in ("since", "until"))
    assert closure["kind"] == "rate_limited"
    assert now <= since < until

    # The next run does not ask at all: the carrier is closed from its beginning.
    service.run()
    chronopost = last_run(service)["carriers"]["chronopost"]
    assert (chronopost["due"], chronopost["asked"]) == (3, 0)
    assert chronopost["closed"][0] | {"since": ""} == closure | {"since": ""}


def test_a_limit_of_our_own_and_a_stop_by_a_person_are_told_from_what_the_carrier_says(
    service: Service, person: Person
) -> None:
    service.environment["QUOTA_CHRONOPOST"] = "2/day@UTC"
    for _ in range(3):
        service.add(S.DELIVERED)
    service.clock.advance(timedelta(hours=2))
    service.run(concurrency=1)
    chronopost = last_run(service)["carriers"]["chronopost"]
    assert (chronopost["due"], chronopost["asked"]) == (3, 1)
    assert chronopost["limits"] == {"2/day@UTC": {"used": 2, "reserved": 0}}
    tomorrow = (service.clock.now() + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    assert [(one["kind"], one["until"]) for one in chronopost["closed"]] == [
        ("own_limit", tomorrow.isoformat())
    ]

    person.does("pause", "chronopost")
    service.run()
    [closure] = last_run(service)["carriers"]["chronopost"]["closed"]
    assert (closure["kind"], closure["until"]) == ("stopped", None)


def test_a_run_without_claims_keeps_the_policy_alone(service: Service) -> None:
    service.run(PODFetchWorker)
    found = last_run(service)
    assert found["policy"]["max_retries"] == 4
    assert found["carriers"] == {}

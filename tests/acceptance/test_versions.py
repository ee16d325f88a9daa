"""Two versions of recours on one database: an older one goes on, and leaves alone what only the newer one knows."""

import json
from datetime import timedelta

import pytest

from recours.database.engine import DatabaseError
from recours.runs.fetch import PODFetchWorker
from recours.sandbox import Scenario
from tests.acceptance.person import Person
from tests.acceptance.simulation import Service
from tests.processes.commands import worker

S = Scenario
UNTOLD = (
    "INSERT INTO recours_events (event, audience, claim_id, carrier, tracking_number, run_id, created_at, facts)"
    " VALUES (?, ?, 1, 'chronopost', 'XY000000001FR', 'r', '2026-02-02 06:00:00', '{}')"
)
STATE = "SELECT * FROM claims WHERE claim_reference IN ('CLM-0002', 'CLM-0003', 'CLM-0004', 'CLM-0005') ORDER BY id"


@pytest.fixture
def person(service: Service, url: str) -> Person:
    return Person.of(service, url)


def of_version(service: Service, version: str, oldest: str | None) -> None:
    service.sql("UPDATE recours_schema_version SET version_num = ?, oldest = ?", version, oldest)
    if service._opened:
        service._opened.database.close()
        service._opened = None


def test_what_a_newer_version_wrote_is_left_alone_and_counted(
    service: Service, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [service.add(S.DELIVERED, failed_at=service.clock.now()) for _ in range(5)]
    new = service.add(S.DELIVERED, pod_fetch_status="pending")
    service.run()  # assessed: due within the hour
    service.sql("UPDATE claims SET pod_stage = 'quarantined' WHERE id = ?", ids[1])
    service.sql(
        "UPDATE claims SET pod_stage = 'quarantined', tracking_number = 'XY000000099FR' WHERE id = ?", ids[2]
    )
    service.sql("UPDATE claims SET pod_error_kind = 'customs_hold' WHERE id = ?", ids[3])
    service.sql("UPDATE claims SET pod_stage = 'ready', pod_error_kind = 'customs_hold' WHERE id = ?", ids[4])
    service.sql(UNTOLD, "parcel_weighed", "client")
    service.sql(UNTOLD, "scale_broken", "operator")
    before = service.sql(STATE)
    of_version(service, "0099", "0006")
    service.clock.advance(timedelta(hours=2))
    reports = [run for _ in range(3) for run in service.run_hourly(2, both=True)]
    assert [report.fault for report in reports if report.exit_status] == []
    assert (
        service.sql("SELECT pod_fetch_status FROM claims WHERE id IN (?, ?)", ids[0], new)
        == [("success",)] * 2
    )
    assert service.sql(STATE) == before
    assert [call for claim in ids[1:] for call in service.hours_of_calls(claim)] == []
    untold = service.sql("SELECT event FROM recours_events WHERE told IS NULL ORDER BY id")
    assert [event for (event,) in untold if event in ("parcel_weighed", "scale_broken")] == [
        "parcel_weighed",
        "scale_broken",
    ]
    assert service._opened
    (remark,) = service._opened.remarks
    assert "4 claims, 2 events, 0 mails" in remark
    assert "0099" in remark
    person = Person.of(service, url)
    for command in (("why", "CLM-0002"), ("why", "CLM-0004")):
        person.does(*command)


LEFT = "Left alone, with a stage, kind or name that it does not know: 3 claims, 1 event, 0 mails"


@pytest.fixture
def newer(service: Service) -> Service:
    """Four failed claims that are due and one that waits; a newer version's are all but the first of them."""
    service.sql("INSERT INTO clients (id, email) VALUES (1, 'shop@shop.example')")
    for _ in range(3):
        service.add(
            S.IN_TRANSIT, failed_at=service.clock.now() - timedelta(hours=5), response_deadline="2026-02-20"
        )
    service.add(S.IN_TRANSIT, failed_at=service.clock.now())
    service.run()
    service.sql("UPDATE claims SET pod_stage = 'ready' WHERE id < 4")
    service.sql("UPDATE claims SET pod_stage = 'quarantined' WHERE id = 2")
    service.sql("UPDATE claims SET pod_error_kind = 'customs_hold' WHERE id > 2")
    service.sql(UNTOLD, "scale_broken", "operator")
    of_version(service, "0099", "0006")
    return service


def test_a_dry_run_leaves_it_alone_and_counts_it(newer: Service, person: Person) -> None:
    options = "--dry-run", "--json"
    done = worker("pod_retry_scheduler", *options, environment=person.environment, folder=person.folder)
    assert json.loads(done.stdout)["would_take"] == ["CLM-0001"]
    assert json.loads(done.stdout)["left_alone"] == 3
    assert LEFT in done.stderr


def test_status_counts_only_what_runs_work_on(newer: Service, person: Person) -> None:
    found = person.json("status")
    assert found["left_alone"] == 3
    [backlog] = found["backlogs"]
    assert (backlog["due"], backlog["waiting"], backlog["settled"], backlog["unjudged"]) == (1, 0, 0, 0)
    assert LEFT in person.does("status")


def test_a_plan_foresees_only_what_runs_work_on(newer: Service, person: Person) -> None:
    found = person.json("plan")
    assert found["left_alone"] == 3
    assert {one["claim"] for run in found["runs"] for one in run["claims"]} == {"CLM-0001"}
    assert {late["claim"] for late in found["late"]} <= {"CLM-0001"}
    assert LEFT in person.does("plan")


def test_a_version_that_is_too_old_says_so_and_changes_nothing(service: Service) -> None:
    claim = service.add(S.DELIVERED)
    for oldest in ("0098", None):
        of_version(service, "0099", oldest)
        for kind in ((), (PODFetchWorker,)):
            with pytest.raises(DatabaseError, match="0099 by a newer version of recours; this one knows"):
                service.run(*kind)
    assert service.hours_of_calls(claim) == []


def test_a_column_that_somebody_dropped_is_not_brought_back_by_an_older_version(service: Service) -> None:
    of_version(service, "0099", "0006")
    service.sql("ALTER TABLE claims DROP COLUMN pod_signature_url")
    with pytest.raises(DatabaseError, match="0099, but claims has no pod_signature_url"):
        service.run()


def test_a_stage_that_somebody_spoilt_is_judged_anew_where_no_newer_version_works(service: Service) -> None:
    claim = service.add(S.DELIVERED)
    service.sql("UPDATE claims SET pod_stage = 'quarantined' WHERE id = ?", claim)
    service.run_hourly(2)
    assert service.sql("SELECT pod_fetch_status FROM claims") == [("success",)]

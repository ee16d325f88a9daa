"""Claim and client ids of more than 32 bits, through both workers, mails included; and databases whose columns are narrow."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import URL

from recours.database.schema import large_tables
from recours.runs.fetch import PODFetchWorker
from recours.sandbox import Sandbox, Scenario, SimulatedClock
from tests.acceptance.person import Person
from tests.acceptance.simulation import FAILED_AT, Service
from tests.conftest import Kind
from tests.fakes.smtp import MailServer

S = Scenario
CLAIM, CLIENT = 2**33, 2**33 + 7
WIDE_SERVICE = (
    "ALTER TABLE claims ALTER COLUMN id TYPE BIGINT, ALTER COLUMN client_id TYPE BIGINT",
    "ALTER TABLE clients ALTER COLUMN id TYPE BIGINT",
    "ALTER TABLE notifications ALTER COLUMN client_id TYPE BIGINT, ALTER COLUMN related_claim_id TYPE BIGINT",
)
# As versions up to 0005 made them.
NARROW_KEYS = (
    "DROP VIEW recours_documents",
    "ALTER TABLE recours_attempts ALTER COLUMN claim_id TYPE INTEGER",
    "ALTER TABLE recours_events ALTER COLUMN claim_id TYPE INTEGER",
    "ALTER TABLE recours_mails ALTER COLUMN client_id TYPE INTEGER",
    "CREATE VIEW recours_documents AS SELECT id AS attempt_id, claim_id, document_path AS path FROM recours_attempts"
    " WHERE document_path IS NOT NULL",
    "GRANT SELECT ON recours_documents TO PUBLIC",
)


def living(folder: Path, url: str, smtp: MailServer) -> Iterator[Service]:
    clock = SimulatedClock(FAILED_AT + timedelta(minutes=1))
    with Sandbox(now=clock.now) as box:
        settings = smtp.settings | {"ADMIN_EMAIL": "boss@shop.example", "RECOURS_WEEKLY_REPORT": "false"}
        service = Service(folder, box, clock, url=url, **settings)
        if not service._database.is_sqlite:
            for statement in WIDE_SERVICE:
                service.sql(statement)
        service.sql("INSERT INTO clients (id, email) VALUES (?, 'a@shop.example')", CLIENT)
        yield service
        service.close()


@pytest.fixture
def service(url: str, tmp_path: Path, smtp: MailServer) -> Iterator[Service]:
    yield from living(tmp_path, url, smtp)


def test_ids_of_more_than_32_bits_live_a_whole_life(service: Service, url: str, smtp: MailServer) -> None:
    service.add(S.DELIVERED, id=CLAIM, client_id=CLIENT, pod_fetch_status="pending")
    service.add(S.SYSTEM_ERROR, S.DELIVERED, id=CLAIM + 1, client_id=CLIENT)
    service.add(S.NOT_OURS, id=CLAIM + 2, client_id=CLIENT)
    reports = service.run_on_turns(104, both=True)
    assert [report.fault for report in reports if report.exit_status] == []
    assert service.sql("SELECT id, pod_fetch_status FROM claims ORDER BY id") == [
        (CLAIM, "success"),
        (CLAIM + 1, "success"),
        (CLAIM + 2, "failed"),
    ]
    assert service.sql("SELECT DISTINCT claim_id FROM recours_attempts ORDER BY 1") == [
        (CLAIM,),
        (CLAIM + 1,),
        (CLAIM + 2,),
    ]
    told = service.sql(
        "SELECT client_id, related_claim_id, status FROM notifications WHERE client_id IS NOT NULL ORDER BY 2"
    )
    assert told == [(CLIENT, CLAIM + 1, "sent"), (CLIENT, CLAIM + 2, "sent")]
    assert smtp.recipients().count("a@shop.example") == 2
    person = Person.of(service, url)
    assert "CLM-0003" in person.does("why", "CLM-0003")
    person.does("reopen", "CLM-0003", "--yes")
    assert (
        person.json("prune", "--older-than", "2026-03-01T00:00+00:00", "--yes")["deleted"]["documents"] == 2
    )


# ---------------------------------------------------------------- columns that an older version made


@pytest.fixture
def postgres(kinds: Callable[[str], Kind], tmp_path: Path) -> Iterator[URL]:
    url = kinds("postgresql").ready(tmp_path)
    yield url
    kinds("postgresql").drop(url)


@pytest.fixture
def narrow(postgres: URL, tmp_path: Path, smtp: MailServer) -> Iterator[Service]:
    """An older version's database, with a claim of either kind."""
    for service in living(tmp_path, postgres.render_as_string(hide_password=False), smtp):
        for statement in NARROW_KEYS:
            service.sql(statement)
        service.add(S.DELIVERED, client_id=CLIENT)
        service.add(S.DELIVERED, id=CLAIM, client_id=CLIENT)
        service.add(S.DELIVERED, id=CLAIM + 1, client_id=CLIENT, pod_fetch_status="pending")
        service.clock.advance(timedelta(hours=1))
        yield service


def statuses(service: Service) -> list[str]:
    return [str(status) for (status,) in service.sql("SELECT pod_fetch_status FROM claims ORDER BY id")]


def remarks(service: Service) -> str:
    assert service._opened
    return " | ".join(service._opened.remarks)


def test_the_first_run_widens_what_an_older_version_made(narrow: Service) -> None:
    narrow.run()
    narrow.run(PODFetchWorker)
    assert statuses(narrow) == ["success"] * 3
    assert "Widened to 64 bits: recours_attempts.claim_id" in remarks(narrow)
    # The view is as it was, and whoever could read it still can.
    assert {row[0] for row in narrow.sql("SELECT claim_id FROM recours_documents")} == {
        1,
        CLAIM,
        CLAIM + 1,
    }
    acl = narrow.sql("SELECT relacl::text FROM pg_class WHERE relname = 'recours_documents'")
    assert "=r/" in acl[0][0].replace("recours=", "")


def test_large_tables_are_left_to_init_db_and_runs_go_on(
    narrow: Service, postgres: URL, smtp: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as few:
        few.setattr(large_tables, "MOST_ROWS", 0)
        narrow.sql("INSERT INTO recours_events (event, audience, claim_id, carrier, tracking_number, run_id, created_at,"
                   " facts, told) VALUES ('gave_up', 'operator', 7, '', '', '', '2026-01-01', '{}', 'mail')")  # fmt: skip
        for _ in range(2):
            assert narrow.run().exit_status == 0
            assert narrow.run(PODFetchWorker).exit_status == 0
            assert "Claims with a larger id are left alone until then: 2 now" in remarks(narrow)
        report = narrow.run(claims=("CLM-0002",))
        assert report.exit_status == 1
        assert "nothing was fetched" in str(report.fault)
    assert statuses(narrow) == ["success", "failed", "pending"]
    assert len(narrow.box.calls_for("XY000000002FR")) == 0
    said = Person.of(narrow, postgres.render_as_string(hide_password=False)).does("init-db")
    assert "Widened to 64 bits" in said
    narrow.start_anew()
    narrow.run()
    narrow.run(PODFetchWorker)
    assert statuses(narrow) == ["success"] * 3
    # One mail, which tells of both claims: the first had to wait for the column.
    assert smtp.recipients() == ["a@shop.example"]
    assert narrow.sql("SELECT related_claim_id FROM notifications ORDER BY 1") == [(1,), (CLAIM,)]


def test_a_table_that_others_read_for_long_is_widened_by_a_later_run(
    narrow: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recours.database.schema.upgrade._PATIENCE_WITH_READERS_S", 0.5)
    with narrow._database.read() as backup:
        backup.exec_driver_sql("SELECT count(*) FROM recours_attempts")
        assert narrow.run().exit_status == 0
        assert "another program holds these tables" in remarks(narrow)
    assert statuses(narrow) == ["success", "failed", "pending"]
    narrow.start_anew()
    narrow.run()
    assert statuses(narrow) == ["success", "success", "pending"]

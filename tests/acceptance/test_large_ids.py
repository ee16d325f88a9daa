"""Claim and client ids of more than 32 bits, through both workers, mails included."""

import pytest

from recours.sandbox import Scenario
from tests.acceptance.person import Person
from tests.acceptance.simulation import Service
from tests.fakes.smtp import MailServer

S = Scenario
CLAIM, CLIENT = 2**33, 2**33 + 7
WIDE_SERVICE = (
    "ALTER TABLE claims ALTER COLUMN id TYPE BIGINT, ALTER COLUMN client_id TYPE BIGINT",
    "ALTER TABLE clients ALTER COLUMN id TYPE BIGINT",
    "ALTER TABLE notifications ALTER COLUMN client_id TYPE BIGINT, ALTER COLUMN related_claim_id TYPE BIGINT",
)


@pytest.fixture
def service(mailing: Service) -> Service:
    if not mailing._database.is_sqlite:
        for statement in WIDE_SERVICE:
            mailing.sql(statement)
    mailing.sql("INSERT INTO clients (id, email) VALUES (?, 'a@shop.example')", CLIENT)
    return mailing


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

"""Immediate emails to the operator: an unavailable carrier, refused documents, many claims to correct."""

import re
from pathlib import Path

import pytest

from recours.sandbox import Scenario
from tests.acceptance.simulation import Service
from tests.fakes.smtp import MailServer, text_of

S = Scenario
BOSS = "boss@shop.example"


@pytest.fixture
def service(mailing: Service) -> Service:
    mailing.environment["RECOURS_LANGUAGE"] = "en"
    return mailing


def mails(smtp: MailServer) -> list[tuple[str, str]]:
    return [(str(message["Subject"]), text_of(message)) for to, message in smtp.taken if to == BOSS]


def test_a_carrier_that_is_down_for_hours_causes_one_email(service: Service, smtp: MailServer) -> None:
    for _ in range(8):
        service.add(S.FAULT_SERVER)
    service.run_hourly(1)
    assert mails(smtp) == []
    service.run_hourly(8)
    ((subject, text),) = mails(smtp)
    assert subject == "Chronopost is unavailable – 8 claims blocked"
    assert re.search(r"no call has been answered since 0\d:\d\d|since 2 Feb 2026, 0\d:\d\d CET", text)
    assert "recours carriers check chronopost" in text


@pytest.mark.parametrize(("count", "expected"), [(5, 0), (7, 1)])
def test_many_claims_to_correct_cause_one_email_a_day(
    service: Service, smtp: MailServer, count: int, expected: int
) -> None:
    for day in range(count):
        service.add(S.POD_NEVER, amount_requested=20, response_deadline=f"2026-03-{20 - day}")
    service.run_hourly(3)
    found = mails(smtp)
    assert [subject for subject, _ in found] == [f"{count} claims to correct"] * expected
    if found:
        assert "7 claims need correction before recours asks their carriers again" in found[0][1]
        assert "€140.00" in found[0][1]
        assert "14 Mar 2026" in found[0][1]


@pytest.mark.parametrize(("count", "expected"), [(4, 0), (5, 1)])
def test_refused_documents_of_five_parcels_within_a_day_cause_one_email(
    service: Service, smtp: MailServer, count: int, expected: int
) -> None:
    for _ in range(count):
        service.add(S.HOLLOW_POD)
    service.run_hourly(3)
    found = mails(smtp)
    assert [subject for subject, _ in found] == ["Chronopost: documents of 5 parcels refused"] * expected
    if found:
        text = found[0][1]
        files = service.sql("SELECT path FROM recours_evidence WHERE refused IS NOT NULL")
        assert all(Path(path).name in text for (path,) in files)
        assert "recours attach CLAIM FILE --anyway --why TEXT" in text

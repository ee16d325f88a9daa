"""What the operator is mailed at once: a carrier that is unavailable, and many claims that came to be corrected."""

import re
from datetime import timedelta

import pytest

from recours.sandbox import Scenario
from recours.sandbox.scenarios import Parcel
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


def test_a_carrier_that_is_down_for_hours_is_one_mail(service: Service, smtp: MailServer) -> None:
    for _ in range(8):
        service.add(S.FAULT_SERVER)
    service.run_hourly(1)
    assert mails(smtp) == []
    service.run_hourly(8)
    ((subject, text),) = mails(smtp)
    assert "Chronopost" in subject
    assert "carrier unavailable" in subject
    assert "8 claims blocked" in subject
    assert re.search(r"no answer for more than an hour \(since 2026-02-02 0\d:\d\d CET\)", text)
    assert "recours carriers check Chronopost" in text


def test_a_carrier_that_cannot_be_reached_uses_no_attempt_and_is_one_mail(
    service: Service, smtp: MailServer
) -> None:
    for _ in range(8):
        service.add(S.DELIVERED)
    address, service.environment["CHRONOPOST_BASE_URL"] = (
        service.environment["CHRONOPOST_BASE_URL"],
        "http://127.0.0.1:1",
    )
    reports = service.run_hourly(6)
    assert {report.exit_status for report in reports} == {0}
    assert service.sql("SELECT sum(pod_retry_count) FROM claims") == [(0,)]
    assert len(mails(smtp)) == 1
    service.environment["CHRONOPOST_BASE_URL"] = address
    (report,) = service.run_hourly(1)
    assert report.stats.success == 8


@pytest.mark.parametrize(("count", "expected"), [(5, 0), (7, 1)])
def test_many_claims_to_correct_are_one_mail_a_day(
    service: Service, smtp: MailServer, count: int, expected: int
) -> None:
    for _ in range(count):
        service.add(S.POD_NEVER)
    service.run_hourly(3)
    found = mails(smtp)
    assert [subject for subject, _ in found] == [f"{count} claims to correct"] * expected
    if found:
        assert f"Claims that came to be corrected today ({count})." in found[0][1]


def test_claims_that_wait_for_their_confirmation_are_not_to_correct_yet(
    service: Service, smtp: MailServer
) -> None:
    for number in range(7):
        service.box.parcels[f"XY{number:09d}FR"] = Parcel((S.POD_NEVER,))
        at = service.clock.now() - timedelta(minutes=1)
        service.add(
            S.POD_NEVER,
            pod_fetch_status="pending",
            created_at=f"{at:%Y-%m-%d %H:%M:%S}",
            pod_fetch_error=None,
        )
    service.run_hourly(1, both=True)
    assert mails(smtp) == []

"""The weekly report: real runs over weeks with a simulated clock, a real mail server, both databases."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from recours.runs.worker import PODFetchWorker
from recours.sandbox import Sandbox, Scenario, SimulatedClock
from tests.acceptance.simulation import FAILED_AT, Service
from tests.fakes.smtp import MailServer, html_of, text_of

S = Scenario
BOSS = "boss@shop.example"
WEEK = 7 * 24


@pytest.fixture
def service(url: str, tmp_path: Path, smtp: MailServer) -> Iterator[Service]:
    """A service from Monday, February 2, 2026, 7:00 in Paris."""
    clock = SimulatedClock(FAILED_AT)
    with Sandbox(now=clock.now) as box:
        settings = smtp.settings | {"ADMIN_EMAIL": BOSS, "RECOURS_LANGUAGE": "en"}
        service = Service(tmp_path, box, clock, url=url, **settings)
        yield service
        service.close()


def reports(smtp: MailServer) -> list[Any]:
    found = [message for to, message in smtp.taken if to == BOSS]
    return [message for message in found if re.search(r"Weekly|hebdomadaire", str(message["Subject"]))]


def go_to(service: Service, moment: datetime) -> None:
    service.clock.advance(moment - service.clock.now())


# ---------------------------------------------------------------- when, and how often


@pytest.mark.full("days of runs: the rules and the queue are tested without them")
def test_the_report_is_sent_by_the_first_run_after_eight_on_monday(
    service: Service, smtp: MailServer
) -> None:
    service.add(S.DELIVERED)
    service.add(S.IN_TRANSIT)
    service.run_hourly(WEEK - 1)  # to the next Monday, 7:00 in Paris
    assert reports(smtp) == []
    go_to(service, datetime(2026, 2, 9, 6, 59, 59, tzinfo=UTC))
    service.run(PODFetchWorker)
    assert reports(smtp) == []
    go_to(service, datetime(2026, 2, 9, 7, 0, tzinfo=UTC))
    service.run(PODFetchWorker)
    (report,) = reports(smtp)
    assert report["Subject"] == "Weekly report: 1 proof, €10 secured"
    service.run_hourly(WEEK - 2, both=True)
    assert len(reports(smtp)) == 1
    service.run_hourly(2, both=True)
    assert [message["Subject"] for message in reports(smtp)[1:]] == ["Weekly report: no proofs"]
    assert len({message["Message-ID"] for message in reports(smtp)}) == 2
    assert service.sql(
        "SELECT tracking_number, told FROM recours_events WHERE event = 'weekly_report' ORDER BY id"
    ) == [
        ("2026-W05", "nothing had happened yet"),
        ("2026-W06", "mail"),
        ("2026-W07", "mail"),
    ]


@pytest.mark.parametrize("more", [{"RECOURS_WEEKLY_REPORT": "false"}, {"ADMIN_EMAIL": ""}])
def test_a_disabled_report_is_not_sent(
    service: Service, smtp: MailServer, more: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    service.environment |= more
    service.add(S.DELIVERED)
    service.run_hourly(1)
    go_to(service, datetime(2026, 2, 9, 9, 0, tzinfo=UTC))
    service.run_hourly(2)
    assert reports(smtp) == []
    assert "ADMIN_EMAIL" not in caplog.text


# ---------------------------------------------------------------- what it says


def test_the_report_contains_the_figures_of_the_week_and_current_problems(
    service: Service, smtp: MailServer
) -> None:
    service.environment["COLISSIMO_LOGIN"], service.environment["COLISSIMO_PASSWORD"] = "12345", "wrong"
    service.environment.pop("COLISSIMO_API_KEY", None)
    service.add(S.DELIVERED)
    service.add(S.SYSTEM_ERROR, carrier="<b>Heppner</b>")
    service.run_hourly(2)
    go_to(service, datetime(2026, 2, 9, 8, 0, tzinfo=UTC))
    service.add(S.DELIVERED, carrier="Colissimo", failed_at=service.clock.now() - timedelta(hours=2))
    service.run()
    (report,) = reports(smtp)
    assert report["Subject"] == "Weekly report: 1 proof, €10 secured, 3 problems"
    text, page = text_of(report), html_of(report)
    for said in (
        '* Colissimo rejects our credentials ("Identifiant ou mot de passe incorrect", from the environment).',
        "What you can do: Correct the credentials, then run: recours carriers check colissimo",
        "* Week 6, from 2 Feb 2026 to 8 Feb 2026",
        "Success rate: 100% (1 of 1 closed claims)",
        "Per attempt: 50% (1 of 2)",
        "Disputed amounts secured: €10.00",
    ):
        assert said in text, said
    assert "wrong" not in text + page
    assert "<b>Heppner" not in page

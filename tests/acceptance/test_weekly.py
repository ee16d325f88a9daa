"""The weekly report: real runs over weeks with a moved clock, a real mail server, both databases."""

import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from recours.runs.fetch import PODFetchWorker
from recours.sandbox import Sandbox, Scenario, SimulatedClock
from recours.wiring.mail import MailService
from tests.acceptance.simulation import FAILED_AT, Service
from tests.fakes.smtp import MailServer, html_of, text_of
from tests.processes.commands import Done, recours

S = Scenario
BOSS = "boss@shop.example"
WEEK = 7 * 24


@pytest.fixture
def service(url: str, tmp_path: Path, smtp: MailServer) -> Iterator[Service]:
    """It begins on Monday the 2nd of February 2026, at 7:00 in Paris."""
    clock = SimulatedClock(FAILED_AT)
    with Sandbox(now=clock.now) as box:
        settings = smtp.settings | {"ADMIN_EMAIL": BOSS, "RECOURS_LANGUAGE": "en"}
        service = Service(tmp_path, box, clock, url=url, **settings)
        yield service
        service.close()


def reports(smtp: MailServer) -> list[Any]:
    found = [message for to, message in smtp.taken if to == BOSS]
    return [message for message in found if re.search(r"week|semaine", str(message["Subject"]))]


def go_to(service: Service, moment: datetime) -> None:
    service.clock.advance(moment - service.clock.now())


def text_in(page: str) -> str:
    """What a person reads of it."""
    body = re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]*>|&nbsp;", " ", body).replace("&#39;", "'").split())


# ---------------------------------------------------------------- when, and how often


@pytest.mark.full("days of runs: the rules and the queue are tested without them")
def test_it_comes_once_a_week_by_the_first_run_after_eight_on_monday(
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
    assert report["Subject"] == "Proofs of delivery, week 6: 20.0% obtained, 2 things to look at"
    assert "pod_fetch_worker: no run in this week" in text_of(report)  # and a claim given up
    service.run_hourly(WEEK - 2, both=True)
    assert len(reports(smtp)) == 1
    service.run_hourly(2, both=True)
    assert [message["Subject"] for message in reports(smtp)[1:]] == [
        "Proofs of delivery, week 7: nothing tried"
    ]
    assert len({message["Message-ID"] for message in reports(smtp)}) == 2
    assert service.sql(
        "SELECT tracking_number, told FROM recours_events WHERE event = 'weekly_report' ORDER BY id"
    ) == [
        ("2026-W05", "nothing had happened yet"),
        ("2026-W06", "mail"),
        ("2026-W07", "mail"),
    ]


def test_however_many_machines_there_are(service: Service, smtp: MailServer) -> None:
    service.add(S.DELIVERED)
    service.run_hourly(1)
    go_to(service, datetime(2026, 2, 9, 9, 0, tzinfo=UTC))
    settings, opened = service.settings, service._opened
    assert opened

    def tell(number: int) -> None:
        run_id = f"{number:032x}"
        MailService(settings, opened.database, opened.schema, service.clock, run_id).notify(lambda: True)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(tell, range(8)))
    assert len(reports(smtp)) == 1
    assert service.sql("SELECT count(*) FROM recours_mails WHERE kind = 'weekly_report'") == [(1,)]


def test_it_waits_for_a_server_that_is_down_and_goes_once(service: Service, smtp: MailServer) -> None:
    service.add(S.DELIVERED)
    service.run_hourly(1)
    go_to(service, datetime(2026, 2, 9, 9, 0, tzinfo=UTC))
    port, service.environment["SMTP_PORT"] = service.environment["SMTP_PORT"], "9"
    service.run_hourly(5)
    assert reports(smtp) == []
    ((identity, created),) = service.sql("SELECT message_id, created_at FROM recours_mails")
    service.environment["SMTP_PORT"] = port
    service.run_hourly(3)
    (report,) = reports(smtp)
    assert report["Message-ID"] == identity
    assert "2026-02-09 10:00" in str(created)


@pytest.mark.parametrize("more", [{"RECOURS_WEEKLY_REPORT": "false"}, {"ADMIN_EMAIL": ""}])
def test_who_wants_none_gets_none(
    service: Service, smtp: MailServer, more: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    service.environment |= more
    service.add(S.DELIVERED)
    service.run_hourly(1)
    go_to(service, datetime(2026, 2, 9, 9, 0, tzinfo=UTC))
    service.run_hourly(2)
    assert reports(smtp) == []
    assert "ADMIN_EMAIL" not in caplog.text


def test_an_idle_database_has_nothing_to_tell_but_one_whose_job_was_off_has(
    service: Service, smtp: MailServer
) -> None:
    go_to(service, datetime(2026, 2, 11, 9, 0, tzinfo=UTC))
    service.run_now_and_then(1)  # the very first runs
    assert reports(smtp) == []
    go_to(service, datetime(2026, 2, 25, 9, 0, tzinfo=UTC))  # nobody has run it for a fortnight
    service.run_hourly(1)
    (report,) = reports(smtp)
    assert report["Subject"] == "Proofs of delivery, week 8: nothing tried, 2 things to look at"
    assert "pod_retry_scheduler: no run in this week: is the scheduled job enabled?" in text_of(report)


def test_runs_that_failed_or_died_and_mails_that_wait_need_a_hand(service: Service, smtp: MailServer) -> None:
    service.sql("INSERT INTO clients (id, email, company_name) VALUES (1, 'a@shop.example', 'Shop')")
    service.add(S.DELIVERED, client_id=1)
    port, service.environment["SMTP_PORT"] = service.environment["SMTP_PORT"], "9"
    service.run_hourly(3, both=True)
    service.sql("UPDATE recours_runs SET exit_status = 1 WHERE worker = 'pod_retry_scheduler'")
    fetching = [
        run for (run,) in service.sql("SELECT id FROM recours_runs WHERE worker = 'pod_fetch_worker'")
    ]
    service.sql("UPDATE recours_runs SET exit_status = 143 WHERE id = ?", fetching[0])
    service.sql("UPDATE recours_runs SET exit_status = NULL, ended_at = NULL WHERE id = ?", fetching[1])
    go_to(service, datetime(2026, 2, 9, 9, 0, tzinfo=UTC))
    service.environment["SMTP_PORT"] = port
    service.run()
    (report,) = reports(smtp)
    assert report["Subject"] == "Proofs of delivery, week 6: 100.0% obtained, 4 things to look at"
    lines = text_of(report).splitlines()
    for line in (
        "* pod_retry_scheduler: 3 runs of 3 failed, its log says why",
        "* pod_fetch_worker: 1 run of 6 never ended, it was killed or the machine went down",
        "* 1 mail has waited for the mail server since 2 Feb 2026.",
        "  - recours mail test you@example.com",
        "* pod_fetch_worker has not run since 2 Feb 2026. It should run every 30 min. Is the machine off, or the schedule disabled?",
        "* pod_retry_scheduler: 3 runs, 3 failed",
        "* pod_fetch_worker: 6 runs, 1 never ended, 1 stopped",
    ):
        assert line in lines, line


# ---------------------------------------------------------------- what it says


def eventful(service: Service) -> None:
    """Three weeks: first all goes well, then much does not."""
    service.environment["QUOTA_CHRONOPOST"] = "6/day"
    service.sql("INSERT INTO clients (id, email, company_name) VALUES (1, 'a@shop.example', 'Shop')")
    for _ in range(3):
        service.add(S.DELIVERED, client_id=1)
    service.run_on_turns(WEEK)  # to the 9th
    for _ in range(2):
        service.add(S.SYSTEM_ERROR, failed_at=service.clock.now())
    service.add(S.UNKNOWN, carrier="<b>Heppner</b>", failed_at=service.clock.now())
    for _ in range(4):
        service.add(S.DELIVERED, failed_at=service.clock.now(), client_id=1)
    service.run_hourly(WEEK - 12)
    service.environment["RECOURS_MAIL_BRAKE"] = "0"
    service.add(S.DELIVERED, failed_at=service.clock.now() - timedelta(hours=2), client_id=1)
    service.add(S.IN_TRANSIT, failed_at=service.clock.now(), response_deadline="2026-02-19")
    service.run_hourly(2)
    service.environment["COLISSIMO_LOGIN"], service.environment["COLISSIMO_PASSWORD"] = "12345", "wrong"
    service.environment.pop("COLISSIMO_API_KEY", None)
    service.add(S.DELIVERED, carrier="Colissimo", failed_at=service.clock.now() - timedelta(hours=2))
    service.run_hourly(11, both=True)


def test_it_says_in_text_and_picture_what_happened_and_what_needs_a_hand(
    service: Service, smtp: MailServer
) -> None:
    eventful(service)
    report = reports(smtp)[-1]
    text = text_of(report)
    assert "From 09 Feb 2026 to 15 Feb 2026" in text
    # 5 PODs; two claims with 4 turns of a system error, one unsupported, one that was asked after at night too
    assert re.search(r"^  Week 6 +#{20}  100\.0% \(3/3\)$", text, re.MULTILINE)
    assert re.search(r"^  Week 5 +\.{20}  nothing tried$", text, re.MULTILINE)
    assert re.search(r"^  Week 7 +#{7}\.{13}  33\.3% \(5/15\)  <$", text, re.MULTILINE)
    assert "66.7 points worse than the four weeks before (100.0%)." in text
    for line in (
        "* 1 claim still waits, less than 7 days before its deadline",
        "  - CLM-0012, Chronopost: 19 Feb 2026, not delivered yet",
        "* 3 claims given up this week",
        "  - CLM-0004, Chronopost: carrier unavailable",
        "  - CLM-0006, <b>Heppner</b>: carrier not supported",
        "* 1 mail is held by the send limit (RECOURS_MAIL_BRAKE) since 15 Feb 2026.",
        "  - recours mail release",
    ):
        assert line in text.splitlines(), line
    assert re.search(
        r'^\* Colissimo rejects our credentials \("Identifiant ou mot de passe incorrect", from the environment\)\. '
        r"1 claim blocked since 15 Feb 2026\. Next try 17 Feb 2026, 0\d:\d\d CET\.\n  - Correct them, then: recours carriers check "
        "colissimo$",
        text,
        re.MULTILINE,
    )
    assert re.search(r"^\* Chronopost: carrier unavailable, 8 \(week before: 0\)$", text, re.MULTILINE)
    assert re.search(
        r"^\* Chronopost: \d+ calls; at most 6 of 6 per day, used up 2 times$", text, re.MULTILINE
    )
    assert "wrong" not in text.replace("went wrong", "")
    page = html_of(report)
    assert "<b>Heppner" not in page
    assert "<img" not in page
    shown = text_in(page).replace("&lt;b&gt;Heppner&lt;/b&gt;", "<b>Heppner</b>")
    for figure in (
        "Week 7 33.3% (5/15)",
        "Week 6 100.0% (3/3)",
        "3 claims given up this week",
        "CLM-0006, <b>Heppner</b>: carrier not supported",
        "1 mail is held by the send limit (RECOURS_MAIL_BRAKE) since 15 Feb 2026. recours mail release",
        "Chronopost: carrier unavailable 8 0",
        "at most 6 of 6 per day, used up 2 times",
    ):
        assert figure in shown, figure
    widths = re.findall(r'<td width="(\d+)%" height="16" bgcolor="#(?:1f5fbf|8fb0dd)">', page)
    assert widths == ["100", "33"]


def test_it_speaks_french(service: Service, smtp: MailServer) -> None:
    service.environment["RECOURS_LANGUAGE"] = "fr"
    service.add(S.DELIVERED)
    service.run_hourly(1)
    go_to(service, datetime(2026, 2, 9, 9, 0, tzinfo=UTC))
    service.run_hourly(1)
    (report,) = reports(smtp)
    assert report["Subject"] == "Preuves de livraison, semaine 6 : 100,0 % obtenues, 1 point à regarder"
    for part in (text_of(report), text_in(html_of(report))):
        assert "Du 02/02/2026 au 08/02/2026" in part
        assert "Rien à comparer" in part
        assert "Aucune erreur n'est revenue." in part


# ---------------------------------------------------------------- on demand


def mail(service: Service, *arguments: str) -> Done:
    return recours("mail", *arguments, environment=os.environ | service.environment)


def test_it_can_be_seen_and_sent_at_any_time(service: Service, smtp: MailServer, tmp_path: Path) -> None:
    service.add(S.DELIVERED)
    service.run()
    before = (
        service.sql("SELECT count(*) FROM recours_events"),
        service.sql("SELECT count(*) FROM recours_mails"),
    )
    seen = mail(service, "preview", "weekly_report", "--to", str(tmp_path / "seen"), "--language", "fr")
    assert seen.returncode == 0, seen.stderr
    assert seen.stdout.split() == [
        str(tmp_path / "seen" / f"weekly_report.{kind}") for kind in ("eml", "html")
    ]
    assert "Preuves de livraison" in (tmp_path / "seen" / "weekly_report.html").read_text(encoding="utf-8")
    for arguments, to in (((), BOSS), (("me@shop.example", "--so-far"), "me@shop.example")):
        sent = mail(service, "report", *arguments)
        assert sent.returncode == 0, sent.stderr
        assert f"E-mail to {to}" in sent.stdout
        assert smtp.taken[-1][0] == to
        assert "Proofs of delivery" in str(smtp.taken[-1][1]["Subject"])
    after = (
        service.sql("SELECT count(*) FROM recours_events"),
        service.sql("SELECT count(*) FROM recours_mails"),
    )
    assert after == before


@pytest.mark.sample("more cases of the same test, each around processes")
@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("report", "nobody"), 2, "it must be one mail address"),
        (
            ("preview", "weekly_report", "--claim", "CLM-0001"),
            2,
            "--claim says nothing about a weekly_report",
        ),
        (("preview", "pod_failed"), 2, "Missing option '--claim'"),
        (("preview", "pod_failed", "--claim", "CLM-0001", "--so-far"), 2, "--so-far says something about"),
        (("preview", "weekly_reprot"), 2, "is not one of"),
    ],
)
def test_what_cannot_be_shown_is_a_sentence(
    service: Service, arguments: tuple[str, ...], status: int, says: str
) -> None:
    done = mail(service, *arguments)
    assert (done.returncode, says in done.stderr) == (status, True), done.stderr
    assert "Traceback" not in done.stderr


def test_without_an_address_or_a_server_it_says_so(service: Service) -> None:
    service.environment |= {"ADMIN_EMAIL": ""}
    assert "no ADMIN_EMAIL is set" in mail(service, "report").stderr
    service.environment |= {"ADMIN_EMAIL": BOSS, "SMTP_HOST": ""}
    done = mail(service, "report")
    assert (done.returncode, "No mail server is set" in done.stderr) == (2, True)

"""Emails from the event to the server: real runs with a simulated clock, and a real mail server on loopback."""

import logging
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from recours.app import open_database
from recours.mail.render import render
from recours.mail.service import MailService
from recours.mail.smtp import MailServerError, SmtpConnection, SmtpSettings
from recours.sandbox import Parcel, Sandbox, Scenario, SimulatedClock
from tests.acceptance.simulation import Service
from tests.fakes.smtp import MailServer, html_of, text_of
from tests.planted import MARK

S = Scenario


@pytest.fixture
def service(mailing: Service) -> Service:
    client(mailing, 1, "a@shop.example")
    return mailing


def client(service: Service, number: int, email: str, preferences: str | None = None, **more: Any) -> None:
    row = {
        "id": number,
        "email": email,
        "company_name": f"Shop {number}",
        "notification_preferences": preferences,
    } | more
    marks = ", ".join("?" * len(row))
    service.sql(f"INSERT INTO clients ({', '.join(row)}) VALUES ({marks})", *row.values())


def subjects(smtp: MailServer, recipient: str = "a@shop.example") -> list[str]:
    return [str(message["Subject"]) for to, message in smtp.taken if to == recipient]


def mail_log(service: Service) -> str:
    return (service.folder / "logs" / "email_sender.log").read_text(encoding="utf-8")


def wait_lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """The log lines of a run about waiting emails, with their levels."""
    said = [record for record in caplog.records if record.name == "__main__"]
    return [
        (record.levelname, record.getMessage())
        for record in said
        if re.search("Emails wait|postponed to a later run", record.getMessage())
    ]


def delivered_to(service: Service, numbers: range) -> None:
    """One proof to report to each of these clients."""
    service.environment["RECOURS_MAIL_BRAKE"] = "100"
    for number in numbers:
        client(service, number, f"c{number}@shop.example")
        service.add(S.DELIVERED, client_id=number)


def states(service: Service) -> list[str]:
    return [state for (state,) in service.sql("SELECT state FROM recours_mails ORDER BY id")]


# ---------------------------------------------------------------- through the runs


def test_a_temporary_error_is_in_the_operators_summary_only(service: Service, smtp: MailServer) -> None:
    claim = service.add(S.SYSTEM_ERROR, client_id=1)
    service.run_at_retries(106)
    assert service.hours_of_calls(claim) == [1, 7, 31, 103]
    assert subjects(smtp) == []
    ((to, summary),) = smtp.taken
    assert to == "boss@shop.example"
    assert "CLM-0001" in text_of(summary)
    assert "Abandonnée après 4 tentatives" in text_of(summary)


def test_a_client_gets_one_email_per_run_in_their_language(service: Service, smtp: MailServer) -> None:
    client(service, 2, "b@shop.example", '{"language": "en"}')
    for _ in range(30):
        service.add(S.DELIVERED, client_id=2)
    service.add(S.DELIVERED, client_id=1)
    service.run_hourly(1, batch_size=50)
    assert subjects(smtp) == ["Réclamation CLM-0031 : preuve de livraison obtenue"]
    assert subjects(smtp, "b@shop.example") == ["30 claims: proofs of delivery obtained"]
    (message,) = [message for to, message in smtp.taken if to == "b@shop.example"]
    assert len(re.findall(r"^\* CLM-\d{4}$", text_of(message), re.MULTILINE)) == 30
    assert html_of(message).count("<section") == 30
    assert len(smtp.peers) == 1


def test_events_of_all_clients_are_read_with_one_query(service: Service, smtp: MailServer) -> None:
    for number in range(2, 12):
        client(service, number, f"c{number}@shop.example")
        service.add(S.DELIVERED, client_id=number)
    service.environment["RECOURS_MAIL_BRAKE"] = "100"
    looks: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if "FROM recours_events" in statement and "JOIN claims" in statement:
            looks.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        service.run_hourly(1)
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert len(smtp.taken) == 10
    assert len(looks) == 1


def test_digests_wait_for_their_hour(service: Service, smtp: MailServer) -> None:
    client(service, 2, "b@shop.example", '{"frequency": "daily"}')
    client(service, 3, "c@shop.example", '{"frequency": "weekly", "pod_failed": false}')
    for number in (2, 3):
        service.add(S.DELIVERED, client_id=number)
        service.add(S.IN_TRANSIT, S.DELIVERED, client_id=number)
    service.run_hourly(24, only={1, 7, 24})  # to Tuesday, 6 h UTC
    assert smtp.taken == []
    service.run_hourly(1)  # 8 in Paris
    assert subjects(smtp, "b@shop.example") == ["2 réclamations : preuves de livraison obtenues"]
    service.run_twice_a_day(6)
    assert subjects(smtp, "c@shop.example") == ["2 réclamations : preuves de livraison obtenues"]
    assert len(smtp.taken) == 2


# ---------------------------------------------------------------- who gets none


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"email": "a@shop.example\nBcc: evil@shop.example"}, "the client's address is not one"),
        ({"email": "b@shop.example", "is_active": False}, "the client is not active"),
        (None, "the client is not known"),
    ],
)
def test_nobody_is_notified_and_the_log_reports_it(
    service: Service,
    smtp: MailServer,
    caplog: pytest.LogCaptureFixture,
    row: dict[str, Any] | None,
    says: str,
) -> None:
    if row:
        client(service, 7, **row)
    service.add(S.DELIVERED, client_id=7 if row else None)
    service.run_hourly(3)
    assert smtp.taken == []
    assert [m for m in caplog.messages if "No email about" in m] == [f"No email about CLM-0001: {says}"]


def test_hostile_text_is_escaped(service: Service, smtp: MailServer) -> None:
    reference = "<script>alert(1)</script>\r\nBcc: evil@shop.example"
    service.sql("UPDATE clients SET company_name = '<b>Shop</b> {reference}\r\nX: y'")
    service.environment["RECOURS_CLAIM_URL"] = "https://shop.example/c/{reference}"
    service.add(S.NOT_OURS, client_id=1, claim_reference=reference, pod_fetch_error="x" * 5000)
    service.run_at_retries(106)
    (message,) = [message for to, message in smtp.taken if to == "a@shop.example"]
    assert message["Bcc"] is None
    assert message["X"] is None
    assert "\n" not in str(message["Subject"])
    page = html_of(message)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "<b>Shop" not in page
    assert "c/%3Cscript%3E" in page
    assert len(page) < 20_000


def test_a_claim_without_a_number_is_not_reported_as_having_a_wrong_one(
    service: Service, smtp: MailServer
) -> None:
    service.environment["RECOURS_NOTIFY_PERSISTENT"] = "at-once"
    service.add(client_id=1, tracking_number=None)
    service.run_hourly(2)
    text = text_of(smtp.taken[0][1])
    assert "Numéro de suivi\N{NO-BREAK SPACE}: (aucun)" in text
    assert "La réclamation n'a pas de numéro de suivi." in text
    assert "n'est pas valable" not in text


# ---------------------------------------------------------------- the brake, and trials


def test_more_emails_than_the_send_limit_are_held_until_released(
    service: Service, smtp: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    service.environment["RECOURS_MAIL_BRAKE"] = "2"
    for number in (2, 3, 4):
        client(service, number, f"c{number}@shop.example")
        service.add(S.DELIVERED, client_id=number)
    service.run_hourly(3)
    assert smtp.taken == []
    assert states(service) == ["held"] * 3
    assert any(m.startswith("3 emails to clients held: more than 2 in one run") for m in caplog.messages)
    service.sql("UPDATE recours_mails SET state = 'ready'")  # the effect of `recours mail release`
    service.run_hourly(1)
    assert sorted(smtp.recipients()) == ["c2@shop.example", "c3@shop.example", "c4@shop.example"]


def test_all_emails_can_be_redirected(service: Service, smtp: MailServer) -> None:
    service.environment["RECOURS_MAIL_REDIRECT"] = "me@shop.example"
    service.add(S.DELIVERED, client_id=1)
    service.run_hourly(1)
    assert subjects(smtp, "me@shop.example") == [
        "[a@shop.example] Réclamation CLM-0001 : preuve de livraison obtenue"
    ]


# ---------------------------------------------------------------- servers in trouble


def test_emails_wait_while_the_server_is_down_and_are_sent_once(
    service: Service, smtp: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    port = service.environment["SMTP_PORT"]
    service.environment["SMTP_PORT"] = "9"
    service.add(S.DELIVERED, client_id=1)
    service.add(S.NOT_OURS, client_id=1)
    service.run_hourly(3)
    assert states(service) == ["ready"]
    assert sum("Emails wait for the next run" in m for m in caplog.messages) == 3
    service.environment["SMTP_PORT"] = port
    service.run_hourly(3)
    assert len(smtp.taken) == 1
    assert states(service) == ["sent"]
    tries = service.sql("SELECT tries FROM recours_mails")
    assert tries == [(4,)]


def test_a_rejected_recipient_does_not_affect_the_others(service: Service, smtp: MailServer) -> None:
    smtp.refuse_recipients = {"b@shop.example": "550 no such user", "c@shop.example": "451 try again later"}
    client(service, 2, "b@shop.example")
    client(service, 3, "c@shop.example")
    for number in (2, 3, 1):
        service.add(S.DELIVERED, client_id=number)
    service.run_hourly(1)
    assert smtp.recipients() == ["a@shop.example"]
    rows = dict(service.sql("SELECT recipient, state FROM recours_mails"))
    assert rows == {"a@shop.example": "sent", "b@shop.example": "failed", "c@shop.example": "ready"}
    failed = service.sql("SELECT sent_to, error_message FROM notifications WHERE status = 'failed'")
    assert failed == [("b@shop.example", "the server rejects the recipient: 550 no such user")]
    smtp.refuse_recipients = {}
    service.run_hourly(2)
    assert smtp.recipients() == ["a@shop.example", "c@shop.example"]


def test_a_late_rejection_of_the_sender_fails_no_email(
    service: Service, smtp: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    refusal = "554 5.7.1 <a@shop.example>: Relay access denied"
    delivered_to(service, range(2, 4))
    smtp.refuse_data_command = refusal
    service.run_hourly(2)
    assert states(service) == ["ready"] * 2
    assert service.sql("SELECT count(*) FROM notifications") == [(0,)]
    ((level, said), _) = wait_lines(caplog)  # in each of the two runs
    assert (level, refusal in said) == ("ERROR", True)
    assert said.startswith("Emails wait for the next run (2): ")
    smtp.refuse_data_command = None
    service.run_hourly(1)
    assert states(service) == ["sent"] * 2


def test_after_many_rejections_of_the_sender_each_email_gets_an_attempt_in_later_runs(
    service: Service, smtp: MailServer
) -> None:
    refused = {f"c{number}@shop.example": "554 5.7.1 Relay access denied" for number in range(2, 15)}
    smtp.refuse_recipients = refused
    delivered_to(service, range(2, 15))
    service.run_hourly(1)
    written = [recipient for (recipient,) in service.sql("SELECT recipient FROM recours_mails ORDER BY id")]
    assert smtp.offered == written[:10]
    del refused[written[-1]]
    service.run_hourly(1)  # untried emails are first
    assert smtp.offered[10:13] == written[10:]
    assert smtp.recipients() == written[-1:]
    service.run_hourly(1)
    assert states(service) == ["ready"] * 12 + ["sent"]


def test_a_recipient_at_which_the_server_disconnects_does_not_block_others(
    service: Service, smtp: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    smtp.hang_up_at = {"c2@shop.example", "c3@shop.example"}
    delivered_to(service, range(2, 30))
    service.run_hourly(4)
    assert sorted(smtp.recipients()) == sorted(f"c{number}@shop.example" for number in range(4, 30))
    assert sorted(states(service)) == ["ready"] * 2 + ["sent"] * 26
    assert all("broke the connection" in said for _, said in wait_lines(caplog))


def test_a_server_that_disconnects_at_every_message_gets_one_per_run(
    service: Service, smtp: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    smtp.after_data = lambda server: server.transport.abort()
    delivered_to(service, range(2, 5))
    service.run_hourly(1)
    assert states(service) == ["undecided", "ready", "ready"]
    said = [record.getMessage() for record in caplog.records if record.name == "__main__"]
    (line,) = [line for line in said if "may have arrived and is not sent again" in line]
    assert line.startswith("Email 1 (pod_retrieved) to c")
    assert len(smtp.taken) == 1  # it had in fact arrived
    ((level, waits),) = wait_lines(caplog)
    assert (level, waits.startswith("Emails wait for the next run (2): ")) == ("ERROR", True)


def test_a_server_that_closes_gets_no_more_emails(
    service: Service, smtp: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    closing = "421 4.7.0 too many errors"
    smtp.refuse_recipients = {f"c{number}@shop.example": closing for number in range(2, 5)}
    delivered_to(service, range(2, 5))
    service.run_hourly(1)
    assert len(smtp.offered) == 1
    assert states(service) == ["ready"] * 3
    ((_, said),) = wait_lines(caplog)
    assert "421 4.7.0 too many errors" in said


def events_of(service: Service) -> list[tuple[Any, ...]]:
    return service.sql(
        "SELECT claim_id, event, told FROM recours_events WHERE event <> 'gave_up' ORDER BY id"
    )


def with_a_client_of_digests(service: Service, frequency: str) -> None:
    """Two claims that need correction, whose client is notified later."""
    service.environment["RECOURS_NOTIFY_PERSISTENT"] = "at-once"
    client(service, 2, "b@shop.example", f'{{"frequency": "{frequency}"}}')
    for _ in range(2):
        service.add(S.NOT_OURS, client_id=2)
    service.run_hourly(3)


def correct(service: Service, number: str, answer: S) -> None:
    service.box.parcels[number] = Parcel((answer,))
    service.sql("UPDATE claims SET tracking_number = ? WHERE id = 1", number)


def test_a_digest_omits_problems_corrected_in_the_meantime(
    service: Service, smtp: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with_a_client_of_digests(service, "weekly")
    correct(service, "XY000000077FR", S.DELIVERED)
    service.run_twice_a_day(7)
    assert sorted(subjects(smtp, "b@shop.example")) == [
        "Réclamation CLM-0001 : preuve de livraison obtenue",
        "Réclamation CLM-0002 : accès au colis refusé par Chronopost",
    ]
    lapsed = "its claim was mended before anybody was told"
    assert (1, "pod_failed", lapsed) in events_of(service)
    assert [m for m in caplog.messages if "No email about" in m] == [f"No email about CLM-0001: {lapsed}"]


def test_the_reason_of_a_canceled_email_is_reported_if_it_recurs(service: Service, smtp: MailServer) -> None:
    service.environment |= {"SMTP_PORT": "9", "RECOURS_NOTIFY_PERSISTENT": "at-once"}
    service.add(S.NOT_OURS, client_id=1)
    service.run_hourly(2)
    correct(service, "XY000000077FR", S.IN_TRANSIT)
    service.environment["SMTP_PORT"] = str(smtp.port)
    service.run_hourly(1)
    assert (states(service), smtp.taken) == (["cancelled"], [])
    assert "canceled, its claims were corrected in the meantime" in mail_log(service)
    correct(service, "XY000000001FR", S.NOT_OURS)
    service.run_hourly(3)
    assert subjects(smtp) == ["Réclamation CLM-0001 : accès au colis refusé par Chronopost"]
    assert states(service) == ["cancelled", "sent"]
    service.run_twice_a_day(7)
    assert len(subjects(smtp)) == 1


def test_without_a_server_emails_wait_and_the_log_reports_it(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    del service.environment["SMTP_HOST"]
    service.add(S.DELIVERED, client_id=1)
    service.run_hourly(1)
    assert states(service) == ["ready"]
    assert any(m.startswith("1 email cannot be sent: set SMTP_HOST") for m in caplog.messages)


def test_the_services_own_settings_win(service: Service, smtp: MailServer) -> None:
    service.environment |= {"SMTP_HOST": "nowhere.invalid", "SMTP_PORT": "9"}
    sender = "Recours <db@shop.example>"
    of_service(service, smtp_host="127.0.0.1", smtp_port=str(smtp.port), smtp_from=sender)
    service.add(S.DELIVERED, client_id=1)
    service.run_hourly(1)
    assert [str(message["From"]) for _, message in smtp.taken] == ["db@shop.example"]


def of_service(service: Service, **settings: str) -> None:
    for key, value in settings.items():
        service.sql("DELETE FROM system_settings WHERE key = ?", key)
        service.sql("INSERT INTO system_settings (key, value) VALUES (?, ?)", key, value)


def test_an_invalid_setting_of_the_service_is_reported_and_ours_is_used(
    service: Service, smtp: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    of_service(service, smtp_port="58x7")
    service.add(S.DELIVERED, client_id=1)
    service.run_hourly(1)
    assert [str(message["From"]) for _, message in smtp.taken] == ["service@shop.example"]
    (said,) = [record for record in caplog.records if "smtp_port" in record.getMessage()]
    assert said.levelname == "WARNING"
    assert said.getMessage().startswith("smtp_port in system_settings is not used: ")


def test_without_an_address_to_send_from_emails_wait_and_the_log_reports_it(
    service: Service, smtp: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    service.environment["SMTP_FROM"] = ""
    service.add(S.DELIVERED, client_id=1)
    service.run_hourly(1)
    assert (states(service), smtp.taken) == (["ready"], [])
    ((level, said),) = wait_lines(caplog)
    assert (level, "no sender address: set SMTP_FROM" in said) == ("ERROR", True)


def test_an_invalid_host_name_of_the_machine_does_not_end_the_run(
    service: Service, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.getfqdn", lambda: "pc-été.corp.local")
    service.add(S.DELIVERED, client_id=1)
    (report,) = service.run_hourly(1)
    assert (report.exit_status, states(service)) == (0, ["ready"])
    ((_, said),) = wait_lines(caplog)
    assert "or this machine's own name, is not a valid host name" in said


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
def test_a_login_may_contain_non_ascii_characters(url: str, tmp_path: Path) -> None:
    clock = SimulatedClock()
    account = {"SMTP_USER": "sérvice", "SMTP_PASSWORD": f"clé-{MARK}-sûre"}
    with (
        MailServer(user="sérvice", password=f"clé-{MARK}-sûre") as smtp,
        Sandbox(now=clock.now) as box,
        closing(Service(tmp_path, box, clock, url=url, **smtp.settings, **account)) as service,
    ):
        client(service, 1, "a@shop.example")
        service.add(S.DELIVERED, client_id=1)
        service.run_hourly(1)
        assert states(service) == ["sent"]


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
def test_a_failed_non_ascii_login_is_reported_without_its_password(
    url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = SimulatedClock()
    with (
        MailServer(user="us", password=f"{MARK}-right", no_mechanisms=["PLAIN"]) as smtp,
        Sandbox(now=clock.now) as box,
        closing(
            Service(
                tmp_path, box, clock, url=url, SMTP_USER="us", SMTP_PASSWORD=f"clé-{MARK}", **smtp.settings
            )
        ) as service,
    ):
        client(service, 1, "a@shop.example")
        service.add(S.DELIVERED, client_id=1)
        service.run_hourly(1)
        assert states(service) == ["ready"]
    ((_, said),) = wait_lines(caplog)
    assert "rejects the login of us" in said
    assert not re.search(f"clé|{MARK}|xe9", caplog.text)


@pytest.mark.parametrize("table", ["system_settings", "notifications"])
def test_a_notifications_table_of_another_form_is_not_used(
    service: Service, smtp: MailServer, table: str
) -> None:
    service.sql(f"DROP TABLE {table}")
    service.sql(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, theme TEXT)")
    service.add(S.DELIVERED, client_id=1)
    service.run_hourly(1)
    assert (len(smtp.taken), states(service)) == (1, ["sent"])


def test_an_email_has_an_id_and_standard_headers(service: Service, smtp: MailServer) -> None:
    service.environment["RECOURS_REPLY_TO"] = "help@shop.example"
    service.environment["RECOURS_CLAIM_URL"] = "https://shop.example/c/{reference}"
    service.add(S.DELIVERED, client_id=1)
    service.run_hourly(1)
    ((_, message),) = smtp.taken
    assert re.fullmatch(r"<[0-9a-f]{32}@recours\.invalid>", str(message["Message-ID"]))
    assert (str(message["From"]), str(message["Reply-To"])) == ("service@shop.example", "help@shop.example")
    assert message.get_content_type() == "multipart/alternative"
    assert message["Date"].datetime == datetime(2026, 2, 2, 7, 0, tzinfo=UTC)
    assert message["Auto-Submitted"] == "auto-generated"


def test_an_email_that_cannot_be_rendered_does_not_block_others(
    service: Service, smtp: MailServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(kind: Any, told: Any, *more: Any) -> Any:
        if told[0].facts["reference"] == "CLM-0001":
            raise KeyError("a missing template")
        return rendered(kind, told, *more)

    rendered = render
    client(service, 2, "b@shop.example")
    for number in (1, 2):
        service.add(S.DELIVERED, client_id=number)
    with monkeypatch.context() as broken:
        broken.setattr("recours.mail.manager.render", failing)
        service.run_hourly(1)
    assert smtp.recipients() == ["b@shop.example"]
    assert "Could not render the email about CLM-0001: internal error" in caplog.messages
    service.run_hourly(1)
    assert smtp.recipients() == ["b@shop.example", "a@shop.example"]


def test_a_connection_lost_before_the_message_is_a_server_error(smtp: MailServer) -> None:
    settings = SmtpSettings("127.0.0.1", smtp.port, "none", "", "service@shop.example")
    with SmtpConnection(settings) as line:
        assert line.send("a@shop.example", b"Subject: x\r\n\r\n.dots\r\n..\r\n", lambda: True)
        line._smtp.get_transport_info("socket").shutdown(socket.SHUT_RDWR)
        with pytest.raises(MailServerError, match="broke the connection"):
            line.send("b@shop.example", b"x", lambda: True)
    assert smtp.recipients() == ["a@shop.example"]
    assert smtp.taken[0][1].get_content().split() == [".dots", ".."]


def test_an_email_canceled_at_the_last_moment_is_not_sent(smtp: MailServer) -> None:
    settings = SmtpSettings("127.0.0.1", smtp.port, "none", "", "service@shop.example")
    with SmtpConnection(settings) as line:
        assert not line.send("a@shop.example", b"x", lambda: False)
        assert line.send("b@shop.example", b"Subject: x\r\n\r\ny\r\n", lambda: True)
    assert smtp.recipients() == ["b@shop.example"]


def test_concurrent_runs_write_and_send_each_email_once(service: Service, smtp: MailServer) -> None:
    service.environment["SMTP_PORT"] = "9"
    for number in range(2, 32):
        client(service, number, f"c{number}@shop.example")
        service.add(S.DELIVERED, client_id=number)
    service.environment["RECOURS_MAIL_BRAKE"] = "100"
    service.run_hourly(1, batch_size=50)
    service.sql("UPDATE recours_events SET told = NULL")
    service.sql("DELETE FROM recours_mails")
    service.sql("DELETE FROM recours_mail_events")
    service.environment["SMTP_PORT"] = str(smtp.port)
    opened = open_database(service.settings)
    offices = [
        MailService(service.settings, opened.database, opened.schema, service.clock, f"run-{n}")
        for n in range(4)
    ]
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(mail_service.notify, lambda: True) for mail_service in offices]:
            done.result()
    opened.database.close()
    assert sorted(smtp.recipients()) == sorted(f"c{number}@shop.example" for number in range(2, 32))
    assert states(service) == ["sent"] * 30


def test_an_email_leased_by_another_run_is_not_sent(service: Service, smtp: MailServer) -> None:
    service.environment["SMTP_PORT"] = "9"
    service.add(S.DELIVERED, client_id=1)
    service.run_hourly(1)
    held = service.clock.now() + timedelta(minutes=10)
    service.sql(
        "UPDATE recours_mails SET holder = 'another', held_until = ?", f"{held:%Y-%m-%d %H:%M:%S}.000000"
    )
    service.environment["SMTP_PORT"] = str(smtp.port)
    service.run()
    assert smtp.taken == []
    service.clock.advance(timedelta(minutes=11))
    service.run()
    assert len(smtp.taken) == 1


def test_a_run_that_is_ending_leaves_the_remaining_emails_to_the_next_run(
    service: Service, smtp: MailServer
) -> None:
    service.environment["RECOURS_MAIL_BRAKE"] = "100"
    smtp.after_data = lambda _server: service.clock.advance(timedelta(minutes=1))
    for number in range(2, 8):
        client(service, number, f"c{number}@shop.example")
        service.add(S.DELIVERED, client_id=number)
    service.clock.advance(timedelta(hours=1))
    report = service.run(max_runtime=timedelta(minutes=3))
    assert report.stats.success == 6
    assert len(smtp.taken) == 3
    assert states(service) == ["sent"] * 3 + ["ready"] * 3
    service.clock.advance(timedelta(hours=1))
    service.run()
    assert sorted(smtp.recipients()) == [f"c{number}@shop.example" for number in range(2, 8)]

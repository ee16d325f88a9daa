"""Renders and sends emails, and provides previews and test emails."""

import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, replace
from datetime import date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recours.accounts.opened import make_catalog
from recours.app import App, log_file
from recours.core.actions import MAILS, ActionKind, OperatorAction
from recours.core.carrier import Catalog
from recours.core.errors import OUTAGE_KINDS, TRAITS, Actor, ErrorKind, RunError
from recours.core.mail import (
    Event,
    EventName,
    MailKind,
    MailState,
    OutboxEvent,
    OutgoingMail,
    is_address,
    reported_week,
    week_label,
)
from recours.core.outcome import NotADocumentError
from recours.core.sentences import Sentence, SentenceParts, facts_of
from recours.core.text import clean, plural
from recours.database.engine import Database
from recours.database.journal import ActionLog
from recours.database.mail_outbox import MailOutbox
from recours.database.schema.inspection import Schema
from recours.host.logs import file_of, run_log
from recours.runs.ports import Clock
from recours.settings.model import MailSettings, Settings, address, line, one_of, whole

if TYPE_CHECKING:
    from recours.mail.render import Branding, Rendered
    from recours.mail.smtp import SmtpSettings
    from recours.reporting.snapshot import Reports
    from recours.reporting.system import WeekReport

# If more claims than this need correction within a day, an email reports them at once.
_MANY_CORRECTIONS = 5


class MailService:
    """Sends emails about events. Modules are imported on first use, because many runs send no email."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        schema: Schema,
        clock: Clock,
        run_id: str,
        catalog: Catalog | None = None,
    ) -> None:
        """`catalog`: includes the clients' accounts. If it is None, only the weekly report reads these accounts."""
        self._settings = settings
        self._schema = schema
        self.clock = clock
        self.outbox = MailOutbox(database, catalog or make_catalog(settings), run_id)

    def notify(self, may_continue: Callable[[], bool]) -> None:
        """Render emails about new events and send those that are ready, while `may_continue` returns true.

        Raises RunError. Failures of the mail server are logged.
        """
        if not may_continue():
            return
        self._write_report()
        if self.outbox.catalog.client_accounts:
            self.outbox.report_refused_accounts(self.clock.now())
        if not self.outbox.has_work():
            return
        from recours.mail.manager import NotificationManager  # noqa: PLC0415 (see above)

        settings = self._settings
        blocked = cache(self.blocked)
        manager = NotificationManager(
            self.outbox, settings.mail, settings.policy, self.clock, lambda: uuid.uuid4().hex, blocked
        )
        manager.render_due()
        if server := self.server():
            self._send(server, may_continue)
        elif waiting := self.outbox.count(MailState.READY):
            run_log().warning(
                f"{plural(waiting, 'email')} cannot be sent: set SMTP_HOST, or smtp_host in system_settings"
            )

    def report_problems(self, kinds: Collection[ErrorKind]) -> None:
        """Write an event for each problem that the operator must know at once: one per outage, one a day otherwise.

        `kinds`: the kinds of the run's failures. Raises RunError.
        """
        is_settled = any(TRAITS[kind].persistent for kind in kinds)
        is_outage = not OUTAGE_KINDS.isdisjoint(kinds)
        is_refused = ErrorKind.BAD_RESPONSE in kinds
        if not (is_settled or is_outage or is_refused):
            return
        from recours.reporting.problems import ProblemKind, VerdictSentences  # noqa: PLC0415 (see above)
        from recours.reporting.system_reader import SystemReader  # noqa: PLC0415 (needed by few runs)

        read = SystemReader(self.outbox.database, self.outbox.catalog)
        now = self.clock.now()
        mail = self._settings.mail
        zone = self._settings.policy.zone
        today = now.astimezone(zone).date()
        # Check with a few small queries first, because the verdict needs many queries.
        of_kinds = []
        if is_outage and read.unavailable(now):
            of_kinds.append(ProblemKind.OUTAGE)
        if is_settled and read.settled_since(datetime.combine(today, time(), zone)) > _MANY_CORRECTIONS:
            of_kinds.append(ProblemKind.TO_CORRECT)
        if is_refused and read.refused_documents(now - timedelta(days=1)):
            of_kinds.append(ProblemKind.REFUSED_DOCUMENTS)
        if not of_kinds:
            return
        sentences = VerdictSentences(mail.language, zone)
        for problem in self._reports().problems_of(*of_kinds):
            begun_at = problem.since if problem.kind is ProblemKind.OUTAGE else None
            number = (begun_at or today).isoformat()
            facts = {
                "count": problem.count,
                "problem": sentences.sentence(problem, now),
                "remedy": sentences.remedy(problem, now),
            }
            self.outbox.add_event(
                Event(EventName(problem.kind), Actor.OPERATOR, problem.carrier, number, facts), now
            )

    def _write_report(self) -> None:
        """Write the event of the past week, unless another run has written it. Raises RunError."""
        mail = self._settings.mail
        zone = self._settings.policy.zone
        if not (mail.weekly_report and mail.admin):
            return
        monday = reported_week(self.clock.now(), zone)
        label = week_label(monday)
        if self.outbox.is_written(EventName.WEEKLY_REPORT, label):
            return
        try:
            report = self.report(monday)
            facts = asdict(self.rendered(report, mail.language))
        except RunError:
            raise
        except Exception:  # noqa: BLE001 (a failed report must not block the other emails)
            run_log().exception("Could not create the weekly report: internal error")
            return
        declined = None if report.has_something_to_tell else "nothing had happened yet"
        event = Event(EventName.WEEKLY_REPORT, Actor.OPERATOR, "", label, facts)
        self.outbox.add_event(event, self.clock.now(), declined)

    def report(self, monday: date) -> "WeekReport":
        """The report on the week that began on `monday`, with the current state. Raises RunError."""
        from recours.database.evidence import DatabaseCustody  # noqa: PLC0415 (needed once a week)
        from recours.reporting.system import WeekReport, days_until, success_of  # noqa: PLC0415 (see above)

        zone = self._settings.policy.zone
        reports = self._reports()
        system = reports.system
        days = days_until(monday + timedelta(days=6), 7)
        days_before = days_until(monday - timedelta(days=1), 7)
        start = datetime.combine(monday, time(), zone)
        end = datetime.combine(monday + timedelta(days=7), time(), zone)
        return WeekReport(
            monday,
            reports.overview(days=1),
            success_of(system.tallies(days, zone), days),
            success_of(system.tallies(days_before, zone), days_before).all,
            system.secured(start, end),
            bool(system.runs(limit=1, until=end)),
            DatabaseCustody(self.outbox.database, self._settings.pod_dir).last(),
        )

    def rendered(self, report: "WeekReport", language: str) -> "Rendered":
        from recours.mail.weekly import render_report  # noqa: PLC0415 (needed once a week)

        return render_report(report, language, self.branding(), self.outbox.catalog)

    def blocked(self) -> dict[str, int]:
        """The number of claims in progress by account key, as `recours status` counts them. Raises RunError."""
        return {backlog.carrier: backlog.in_progress for backlog in self._reports().system.backlogs()}

    def _reports(self) -> "Reports":
        from recours.reporting.snapshot import Reports  # noqa: PLC0415 (see above)

        return Reports(App(self._settings, self.outbox.database, self._schema, self.clock))

    def branding(self) -> "Branding":
        from recours.mail.render import Branding  # noqa: PLC0415 (see above)

        mail = self._settings.mail
        return Branding(mail.service, mail.claim_url, self._settings.policy.zone)

    def server(self) -> "SmtpSettings | None":
        """The mail server's settings; None if no host is set. Settings in system_settings take precedence."""
        return mail_server(self._settings.mail, self.outbox.service_settings())

    def _send(self, server: "SmtpSettings", may_continue: Callable[[], bool]) -> None:
        """Send the emails that are ready. The sender has its own log."""
        from recours.mail.sender import EmailSender, Envelope  # noqa: PLC0415 (see above)
        from recours.mail.smtp import SmtpConnection  # noqa: PLC0415 (see above)

        settings = self._settings
        mail = self._settings.mail
        envelope = Envelope(server.sender, mail.reply_to, mail.redirect)
        skipped = frozenset(settings.policy.skip_claim_statuses)
        log = file_of("email_sender", replace(log_file(settings, "email_sender"), now=self.clock.now))

        def connect(may_continue: Callable[[], bool]) -> SmtpConnection:
            return SmtpConnection(server, may_continue=may_continue)

        with log:
            EmailSender(self.outbox, connect, envelope, self.clock, skipped, self._attachments).send_all(
                may_continue
            )

    def _attachments(self, mail: OutgoingMail) -> dict[str, bytes]:
        """The proofs to attach; no proofs if the email links to the claims. Raises RunError."""
        from recours.mail.sender import attach  # noqa: PLC0415 (see above)

        if self._settings.mail.claim_url:
            return {}
        return attach(self.outbox.pods(mail), self._read_pod)

    def _read_pod(self, path: str) -> bytes:
        """Read a file in the document folder. The path is from the database, so check it. Raises NotADocumentError."""
        from recours.evidence.attached_files import read_file  # noqa: PLC0415 (see above)
        from recours.evidence.store import is_inside  # noqa: PLC0415 (see above)

        if not is_inside(self._settings.pod_dir, path):
            raise NotADocumentError("it is not in RECOURS_POD_DIR")
        return read_file(Path(path))


def mail_server(mail: MailSettings, of_service: Mapping[str, str]) -> "SmtpSettings | None":
    """The mail server's settings; None if no host is set. Valid values in system_settings override our settings."""
    from email.utils import parseaddr  # noqa: PLC0415 (needed by few runs)

    from recours.mail.smtp import SmtpSettings  # noqa: PLC0415 (as above)

    def chosen(key: str, read: Callable[[str], Any], otherwise: Any) -> Any:
        try:
            return read(of_service[key]) if key in of_service else otherwise
        except ValueError as fault:
            run_log().warning(f"{key} in system_settings is not used: {fault}")
            return otherwise

    host = chosen("smtp_host", line, mail.host)
    user = chosen("smtp_user", line, mail.user)
    port = chosen("smtp_port", whole(1, 65535), mail.port)
    security = chosen("smtp_security", one_of("starttls", "tls", "none"), mail.security)
    sender = chosen("smtp_from", lambda text: address(parseaddr(text)[1] or text), mail.sender)
    if not host:
        return None
    sender = next(filter(is_address, (sender, user)), "")
    return SmtpSettings(host, port, security, user, sender, mail.password)


# ---------------------------------------------------------------- previews and test emails, which are not stored

_EXAMPLE_EVENTS = {
    MailKind.POD_FAILED: EventName.POD_FAILED,
    MailKind.POD_RETRIEVED: EventName.POD_RETRIEVED,
    MailKind.ACCOUNT_REFUSED: EventName.ACCOUNT_REFUSED,
    MailKind.OPERATOR_SUMMARY: EventName.GAVE_UP,
}
# Facts about a made-up claim.
_EXAMPLE_CLAIM: dict[str, Any] = {
    "reference": "CLM-2026-0001",
    "deadline": "2026-02-09",
    "kind": ErrorKind.INVALID_TRACKING,
    **facts_of(SentenceParts(Sentence.NUMBER_REJECTED)),
    "attempts": 5,
    "final": True,
    "signatory": "DUPONT",
    "delivered_day": "2026-01-15",
}
_EXAMPLE_ACCOUNT = {"kind": ErrorKind.AUTH_FAILED, "words": "Invalid password"}
_TEST_TEXT = "This is a test email from recours.\n\nIf you can read it, your mail server accepts emails from recours.\n"


def mail_service(app: App) -> MailService:
    return MailService(app.settings, app.database, app.schema, app.clock, uuid.uuid4().hex, app.catalog)


def example_mail(app: App, kind: MailKind, language: str) -> "Rendered":
    """The email about a made-up claim, or the report on the last complete week. Raises RunError."""
    from recours.mail.render import render  # noqa: PLC0415 (imported with the first email)

    service = mail_service(app)
    now = app.clock.now()
    if kind is MailKind.WEEKLY_REPORT:
        today = now.astimezone(app.settings.policy.zone).date()
        return service.rendered(service.report(today - timedelta(days=today.weekday() + 7)), language)
    facts = _EXAMPLE_ACCOUNT if kind is MailKind.ACCOUNT_REFUSED else _EXAMPLE_CLAIM
    event = OutboxEvent(0, _EXAMPLE_EVENTS[kind], None, "chronopost", "XY123456789FR", now, facts)
    return render(kind, [event], language, None, service.branding(), app.catalog)


def send_test(app: App, by: str, recipient: str) -> tuple["SmtpSettings | None", str]:
    """Send one email despite RECOURS_MAIL_REDIRECT, and record the action even if the server refuses. Raises RunError.

    Returns the mail server (None: not set) and the error ("": no error). `by`: the name of the person.
    """
    from recours.mail import smtp  # noqa: PLC0415 (imported with the first email)
    from recours.mail.sender import Envelope, message_of  # noqa: PLC0415 (as above)

    server = mail_service(app).server()
    now = app.clock.now()
    if server is None:
        return None, ""
    message_id = f"<{uuid.uuid4().hex}@recours.invalid>"
    kind = MailKind.OPERATOR_SUMMARY
    html = f"<p>{_TEST_TEXT}</p>"
    mail = OutgoingMail(
        message_id, kind, None, recipient, "en", "recours: test email", _TEST_TEXT, html, 0, now, ()
    )
    envelope = Envelope(server.sender, app.settings.mail.reply_to, "")
    details = {"to": recipient}
    fault = ""
    try:
        with smtp.SmtpConnection(server) as connection:
            connection.send(recipient, message_of(mail, recipient, envelope), lambda: True)
    except (smtp.MailServerError, smtp.MailRefusedError, smtp.OutcomeUnknownError) as error:
        fault = str(error)
        details["error"] = clean(fault, 300)
    ActionLog(app.database).note(OperatorAction(ActionKind.TESTED, MAILS, by, details), now)
    return server, fault

"""Mails on trial: how each looks, and whether the mail server takes one. None of them is kept among the mails."""

import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from recours.app import App
from recours.core.actions import MAILS, ActionKind, OperatorAction
from recours.core.errors import ErrorKind
from recours.core.mail import EventName, MailKind, OutboxEvent, OutgoingMail
from recours.core.sentences import Sentence, SentenceParts, facts_of
from recours.core.text import clean
from recours.database.journal import ActionLog
from recours.mail.service import MailService

if TYPE_CHECKING:
    from recours.mail.render import Rendered
    from recours.mail.smtp import SmtpSettings

_ABOUT = {
    MailKind.POD_FAILED: EventName.POD_FAILED,
    MailKind.POD_RETRIEVED: EventName.POD_RETRIEVED,
    MailKind.ACCOUNT_REFUSED: EventName.ACCOUNT_REFUSED,
    MailKind.OPERATOR_SUMMARY: EventName.GAVE_UP,
}
# Of a claim that is made up.
_FACTS: dict[str, Any] = {
    "reference": "CLM-2026-0001",
    "kind": ErrorKind.INVALID_TRACKING,
    **facts_of(SentenceParts(Sentence.NUMBER_REJECTED)),
    "attempts": 5,
    "final": True,
    "signatory": "DUPONT",
    "delivered_day": "2026-01-15",
}
_REFUSED = {"kind": ErrorKind.AUTH_FAILED, "words": "Invalid password"}
_TEST = "recours: a test\n\nIf you can read this, the mail server accepts mail from recours.\n"


def mail_service(app: App) -> MailService:
    return MailService(app.settings, app.database, app.schema, app.clock, uuid.uuid4().hex, app.catalog)


def example_mail(app: App, kind: MailKind, language: str) -> "Rendered":
    """The mail about a claim that is made up; the report is that of the last week that is over. Raises RunError."""
    from recours.mail.render import render  # noqa: PLC0415 (loaded with the first mail)

    service = mail_service(app)
    now = app.clock.now()
    if kind is MailKind.WEEKLY_REPORT:
        today = now.astimezone(app.settings.policy.zone).date()
        return service.rendered(service.report(today - timedelta(days=today.weekday() + 7)), language)
    facts = _REFUSED if kind is MailKind.ACCOUNT_REFUSED else _FACTS
    event = OutboxEvent(0, _ABOUT[kind], None, "chronopost", "XY123456789FR", now, facts)
    return render(kind, [event], language, None, service.branding(), app.catalog)


def send_test(app: App, by: str, recipient: str) -> tuple["SmtpSettings | None", str]:
    """Send one mail, RECOURS_MAIL_REDIRECT or not; also what was refused is recorded. Raises RunError.

    The mail server, None if none is set, and what went wrong, "" if nothing did. `by`: the person.
    """
    from recours.mail import smtp  # noqa: PLC0415 (loaded with the first mail)
    from recours.mail.sender import Envelope, message_of  # noqa: PLC0415 (as above)

    server = mail_service(app).server()
    now = app.clock.now()
    if server is None:
        return None, ""
    message_id = f"<{uuid.uuid4().hex}@recours.invalid>"
    kind = MailKind.OPERATOR_SUMMARY
    html = f"<p>{_TEST}</p>"
    mail = OutgoingMail(message_id, kind, None, recipient, "en", "recours: test", _TEST, html, 0, now, ())
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

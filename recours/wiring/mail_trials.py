"""Mails on trial: how each looks, and whether the mail server takes one. None of them is kept among the mails."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from recours.core.actions import MAILS, ActionKind, OperatorAction
from recours.core.errors import ErrorKind
from recours.core.mail import EventName, MailKind, OutboxEvent, OutgoingMail
from recours.core.sentences import Said, Sentence, facts_of
from recours.core.text import clean
from recours.database.actions import ActionLog
from recours.operations.actions import SENTENCES, CorrectRequestError
from recours.wiring.mail import MailService
from recours.wiring.operations import Operations

if TYPE_CHECKING:
    from recours.notifications.render import Rendered

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
    **facts_of(Said(Sentence.NUMBER_REJECTED)),
    "attempts": 5,
    "final": True,
    "signatory": "DUPONT",
    "delivered_day": "2026-01-15",
}
_REFUSED = {"kind": ErrorKind.AUTH_FAILED, "words": "Invalid password"}
_TEST = "recours: a test\n\nIf you can read this, the mail server accepts mail from recours.\n"


class MailNotSentError(Exception):
    """The text is what the mail server said, or why it cannot be used."""


@dataclass(frozen=True)
class MailTrials:
    """Over one database. `by`, `language`: the person's. All methods raise RunError."""

    service: MailService
    operations: Operations
    by: str = ""
    language: str = "en"

    def example(self, kind: MailKind, language: str) -> "Rendered":
        """The mail about a claim that is made up; the report is that of the last week that is over."""
        from recours.notifications.render import render  # noqa: PLC0415 (loaded with the first mail)

        now = self.service.clock.now()
        if kind is MailKind.WEEKLY_REPORT:
            today = now.astimezone(self.operations.settings.policy.zone).date()
            report = self.service.report(today - timedelta(days=today.weekday() + 7))
            return self.service.rendered(report, language)
        facts = _REFUSED if kind is MailKind.ACCOUNT_REFUSED else _FACTS
        event = OutboxEvent(0, _ABOUT[kind], None, "chronopost", "XY123456789FR", now, facts)
        catalog = self.service.outbox.catalog
        return render(kind, [event], language, None, self.service.branding(), catalog)

    def send_test(self, recipient: str) -> str:
        """Send one, RECOURS_MAIL_REDIRECT or not; also what was refused is recorded. What the server answered, as a sentence.

        Raises CorrectRequestError without a mail server, MailNotSentError.
        """
        from recours.notifications import smtp  # noqa: PLC0415 (loaded with the first mail)
        from recours.notifications.sender import Envelope, message_of  # noqa: PLC0415 (as above)

        sentences, server, now = SENTENCES[self.language], self.service.server(), self.service.clock.now()
        if server is None:
            raise CorrectRequestError(sentences["no_mail_server"])
        message_id, kind = f"<{uuid.uuid4().hex}@recours.invalid>", MailKind.OPERATOR_SUMMARY
        html = f"<p>{_TEST}</p>"
        mail = OutgoingMail(0, message_id, kind, None, recipient, "recours: test", _TEST, html, now, ())
        envelope = Envelope(server.sender, self.operations.settings.mail.reply_to, "")
        try:
            with smtp.SmtpConnection(server) as connection:
                connection.send(recipient, message_of(mail, recipient, envelope), lambda: True)
        except (smtp.MailServerError, smtp.MailRefusedError, smtp.OutcomeUnknownError) as error:
            self._note({"to": recipient, "error": clean(error, 300)})
            raise MailNotSentError(str(error)) from error
        self._note({"to": recipient})
        return sentences["mail_sent"].format(
            address=recipient,
            server=f"{server.host}:{server.port}",
            sender=server.sender,
            security=sentences["no_encryption"] if server.security == "none" else server.security,
        )

    def _note(self, details: Mapping[str, str]) -> None:
        action = OperatorAction(ActionKind.TESTED, MAILS, self.by, details)
        ActionLog(self.operations.database).note(action, self.service.clock.now())


def mail_trials(of: Operations, by: str = "", language: str = "en") -> MailTrials:
    service = MailService(of.settings, of.database, of.schema, of.clock, uuid.uuid4().hex, of.catalog)
    return MailTrials(service, of, by, language)

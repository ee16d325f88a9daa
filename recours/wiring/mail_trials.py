"""Mails on trial: how each looks, and whether the mail server takes one. None of them is kept among the mails."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from recours.core.actions import MAILS, ActionKind, OperatorAction
from recours.core.claim import Claim, Stage
from recours.core.errors import ErrorKind
from recours.core.last_attempt import made_at
from recours.core.mail import EventName, MailKind, OutboxEvent, OutgoingMail
from recours.core.sentences import Said, Sentence, facts_of
from recours.core.text import clean
from recours.database.actions import ActionLog
from recours.notifications.render import Rendered, render
from recours.notifications.sender import Envelope, message_of
from recours.notifications.smtp import (
    MailRefusedError,
    MailServerError,
    OutcomeUnknownError,
    SmtpConnection,
    SmtpSettings,
)
from recours.notifications.weekly import render_report
from recours.operations.actions import SENTENCES
from recours.settings.model import Settings
from recours.wiring.mail import MailService
from recours.wiring.operations import Operations

# What the mails about a claim tell of it; the weekly report is about none.
ABOUT_CLAIMS: Mapping[MailKind, EventName] = {
    MailKind.POD_FAILED: EventName.POD_FAILED,
    MailKind.POD_RETRIEVED: EventName.POD_RETRIEVED,
    MailKind.ACCOUNT_REFUSED: EventName.ACCOUNT_REFUSED,
    MailKind.OPERATOR_SUMMARY: EventName.GAVE_UP,
}
_EXAMPLE = Claim(0, "CLM-2026-0001", carrier_name="Chronopost", carrier="chronopost", number="XY123456789FR")
_EXAMPLE_FACTS = {"signatory": "DUPONT", "delivered_day": "2026-01-15"}
_TEST = "recours: a test\n\nIf you can read this, the mail server accepts mail from recours.\n"


class NoMailServerError(Exception):
    """None is set."""


class MailNotSentError(Exception):
    """The text is what the mail server said, or why it cannot be used."""


@dataclass(frozen=True)
class SentMail:
    """A mail that the server accepted. `address`: where it went."""

    mail: OutgoingMail
    address: str
    server: SmtpSettings

    def sentence(self, language: str) -> str:
        """What the server answered, for people."""
        server, sentences = self.server, SENTENCES[language]
        is_open = server.security == "none"
        return sentences["mail_sent" if self.address == self.mail.recipient else "mail_redirected"].format(
            address=self.address,
            recipient=self.mail.recipient,
            server=f"{server.host}:{server.port}",
            sender=server.sender,
            security=sentences["no_encryption"] if is_open else server.security,
        )


@dataclass(frozen=True)
class MailTrials:
    """Over one database. All methods raise RunError."""

    service: MailService
    settings: Settings

    # ---------------------------------------------------------------- how they look

    def about(
        self, kind: MailKind, claim: Claim, language: str, more: Mapping[str, Any] | None = None
    ) -> OutgoingMail:
        """The mail about a claim, as it would go to the claim's client. `more`: facts that the claim's row does not have."""
        outbox, now = self.service.outbox, self.service.clock.now()
        recipient = outbox.recipient(claim.client_id)
        name, address = (recipient.name, recipient.email) if recipient else (None, None)
        if kind is MailKind.OPERATOR_SUMMARY:
            name, address = None, self.settings.mail.admin
        facts: dict[str, Any] = {
            "reference": claim.reference,
            "kind": claim.state.kind or ErrorKind.INVALID_TRACKING,
            "error": claim.last_error,
            **facts_of(claim.said if claim.error_text else Said(Sentence.NUMBER_REJECTED)),
            "turns": claim.retries_counted,
            "attempts": claim.retries_counted + 1,
            "last_attempt": made_at(claim.state, now) is not None,
            "final": claim.state.stage is Stage.GIVEN_UP,
            **(more or {}),
        }
        if kind is MailKind.ACCOUNT_REFUSED:
            facts |= {"kind": ErrorKind.AUTH_FAILED, "words": "Invalid password"}
        carrier, number = claim.carrier or claim.carrier_name, claim.number or ""
        event = OutboxEvent(0, ABOUT_CLAIMS[kind], claim.id, carrier, number, now, facts)
        rendered = render(
            kind, [event], language, name, self.service.branding(), outbox.catalog, self.service.blocked()
        )
        mail = self._mail(kind, address or "", rendered)
        return replace(mail, client_id=claim.client_id, told=(event,), language=language)

    def noted(self, mail: OutgoingMail) -> OutgoingMail:
        """With what it says of the files that it would bring along."""
        plain, html = self.service.attached_to(mail).noted_in(mail)
        return replace(mail, plain=plain, html=html)

    def example(self, kind: MailKind, language: str) -> OutgoingMail:
        """The mail about a claim that is made up."""
        mail = self.about(kind, _EXAMPLE, language, _EXAMPLE_FACTS)
        return replace(mail, told=())  # no proof is attached

    def report(self, language: str, *, so_far: bool = False, recipient: str = "") -> OutgoingMail:
        """The report of the last week that is over, or of this one up to now. `recipient`: instead of ADMIN_EMAIL."""
        today = self.service.clock.now().astimezone(self.settings.policy.zone).date()
        monday = today - timedelta(days=today.weekday() + (0 if so_far else 7))
        rendered = render_report(self.service.week(monday), language, self.service.branding())
        mail = self._mail(MailKind.WEEKLY_REPORT, recipient or self.settings.mail.admin, rendered)
        return replace(mail, language=language)

    # ---------------------------------------------------------------- whether they are taken

    def send_test(self, recipient: str, by: str) -> SentMail:
        """Send one, RECOURS_MAIL_REDIRECT or not; also what was refused is recorded. Raises NoMailServerError, MailNotSentError."""
        mail = self._mail(
            MailKind.OPERATOR_SUMMARY, recipient, Rendered("recours: test", _TEST, f"<p>{_TEST}</p>")
        )
        details = {"to": recipient}
        try:
            sent = self._send(mail)
        except MailNotSentError as error:
            self._note(ActionKind.TESTED, by, details | {"error": clean(error, 300)})
            raise
        self._note(ActionKind.TESTED, by, details)
        return sent

    def send_report(self, recipient: str, by: str, language: str, *, so_far: bool) -> SentMail:
        """Send the report now. Raises NoMailServerError, MailNotSentError."""
        report = self.report(language, so_far=so_far, recipient=recipient)
        sent = self._send(report, self.settings.mail.redirect)
        self._note(ActionKind.REPORTED, by, {"to": sent.address})
        return sent

    def _send(self, mail: OutgoingMail, redirect: str = "") -> SentMail:
        """`redirect`: where it goes instead, if set."""
        server, address = self.service.server(), redirect or mail.recipient
        if server is None:
            raise NoMailServerError
        message = message_of(mail, address, Envelope(server.sender, self.settings.mail.reply_to, redirect))
        try:
            with SmtpConnection(server) as connection:
                connection.send(address, message, lambda: True)
        except (MailServerError, MailRefusedError, OutcomeUnknownError) as error:
            raise MailNotSentError(str(error)) from error
        return SentMail(mail, address, server)

    def _note(self, what: ActionKind, by: str, details: Mapping[str, Any]) -> None:
        action = OperatorAction(what, MAILS, by, details)
        ActionLog(self.service.outbox.database).note(action, self.service.clock.now())

    def _mail(self, kind: MailKind, recipient: str, rendered: Rendered) -> OutgoingMail:
        message_id, now = f"<{uuid.uuid4().hex}@recours.invalid>", self.service.clock.now()
        return OutgoingMail(
            0, message_id, kind, None, recipient, rendered.subject, rendered.plain, rendered.html, now, ()
        )


def mail_trials(of: Operations) -> MailTrials:
    service = MailService(of.settings, of.database, of.schema, of.clock, uuid.uuid4().hex, of.catalog)
    return MailTrials(service, of.settings)

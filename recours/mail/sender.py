"""`EmailSender` sends the emails that are ready, each at most once, and records the result of each."""

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from email.charset import QP, Charset
from email.encoders import encode_base64
from email.header import Header
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart
from email.utils import format_datetime
from itertools import starmap
from mimetypes import guess_type
from pathlib import PurePath

from recours.core.mail import MailKind, MailState, MailTrouble, OutgoingMail, is_still_valid
from recours.core.outcome import NotADocumentError
from recours.core.text import clean, is_one_line, plural
from recours.database.mail_outbox import MailOutbox
from recours.mail.smtp import (
    MailRefusedError,
    MailServerError,
    OutcomeUnknownError,
    SmtpConnection,
    StopRequestedError,
)
from recours.runs.ports import Clock

log = logging.getLogger("email_sender")
run_log = logging.getLogger("__main__")

_BATCH = 20
_MOST_REFUSALS = 10  # consecutive ones; more cannot all be caused by the policies of recipients
_LARGEST_FILES = 2_000_000  # bytes, total of an email's attachments
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True)
class Envelope:
    sender: str
    reply_to: str = ""
    redirect: str = ""  # the address that receives all emails instead


@dataclass
class EmailSender:
    """Sends the emails that are ready over one connection.

    `connect` opens the connection; its argument is a function that returns whether the run continues. `attach` returns
    an email's attachments by file name.
    """

    mails: MailOutbox
    connect: Callable[[Callable[[], bool]], SmtpConnection]
    envelope: Envelope
    clock: Clock
    skipped_statuses: frozenset[str]
    attach: Callable[[OutgoingMail], Mapping[str, bytes]]
    _attempt_count: int = 0
    _sent_count: int = 0
    _refusals_in_a_row: int = 0  # consecutive refusals that concern us, not one email
    _postponed: list[str] = field(default_factory=list)  # the reason of each postponed email
    _has_warned_of_copy: bool = False

    def send_all(self, may_continue: Callable[[], bool]) -> int:
        """Send every email that is ready while `may_continue` returns true, and return the number sent.

        A server failure is logged, and all remaining emails wait.
        """
        now = self.clock.now()
        for mail_id, recipient in self.mails.mark_undecided(now):
            _log_error(
                f"Email {mail_id} to {recipient}: a run died while sending it; it may have arrived and is not sent again"
            )
        trouble = None
        try:
            self._send_ready(self.mails.ready(now), may_continue)
        except MailServerError as fault:
            trouble = str(fault)
        self._log_summary(trouble)
        return self._sent_count

    def _send_ready(self, ids: list[int], may_continue: Callable[[], bool]) -> None:
        """Lease emails in batches, because leasing each one separately is slow. Raises MailServerError."""
        with self.connect(may_continue) as server:
            for place in range(0, len(ids), _BATCH):
                if not may_continue():
                    return
                batch = self.mails.lease(ids[place : place + _BATCH], self.clock.now())
                self._send_batch(server, batch, may_continue)
        if self._refusals_in_a_row and self._refusals_in_a_row == self._attempt_count:
            raise MailServerError(self._postponed[-1])

    def _log_summary(self, trouble: str | None) -> None:
        """Log how many emails wait, and why, in the run's own log, so that people notice endless retries."""
        if self._sent_count:
            run_log.info(f"{plural(self._sent_count, 'email')} sent")
        waiting = self.mails.count(MailState.READY) if trouble else 0
        if waiting:
            log.error(f"{trouble}; all emails wait for the next run")
            run_log.error(f"Emails wait for the next run ({waiting}): {trouble}")
        elif self._postponed:
            run_log.warning(
                f"{plural(len(self._postponed), 'email')} postponed to a later run: {self._postponed[0]}"
            )

    def _send_batch(
        self, server: SmtpConnection, batch: list[OutgoingMail], may_continue: Callable[[], bool]
    ) -> None:
        """Send the batch and return unsent emails to the queue. Raises MailServerError."""
        now = self.mails.reasons([event for mail in batch for event in mail.events], self.clock.now())
        for place, mail in enumerate(batch):
            if not any(is_still_valid(event, now, self.skipped_statuses) for event in mail.events):
                why = MailTrouble.MENDED.text()
                if mail.kind is MailKind.ACCOUNT_REFUSED:
                    why = MailTrouble.ACCEPTED_AGAIN.text()
                self._end(mail, MailState.CANCELLED, why)
                log.info(f"Email {mail.id} to {mail.recipient}: canceled, {why}")
                continue
            if not may_continue():
                self._return_untried(batch[place:], MailTrouble.RUN_ENDED.text())
                return
            try:
                self._send(server, mail)
            except StopRequestedError:
                self._return_untried(batch[place:], MailTrouble.RUN_ENDED.text())
                return
            except MailServerError as fault:
                self._return_untried(batch[place + 1 :], str(fault))
                raise

    def _return_untried(self, mails: list[OutgoingMail], why: str) -> None:
        for mail in mails:
            self.mails.give_back(mail, why, tried=False)

    def _end(self, mail: OutgoingMail, state: MailState, error: str | None = None) -> None:
        fault = self.mails.end(mail, state, self.clock.now(), error)
        if fault and not self._has_warned_of_copy:
            self._has_warned_of_copy = True
            run_log.warning(
                f"An email's result could not be copied to the table notifications of your application ({fault}). "
                "The table recours_mails has the result."
            )

    def _send(self, server: SmtpConnection, mail: OutgoingMail) -> None:
        """Send one email. Raises MailServerError if all emails must wait, StopRequestedError if the run must end."""
        recipient = self.envelope.redirect or mail.recipient
        label = f"Email {mail.id} ({mail.kind}) to {recipient}"
        self._attempt_count += 1
        try:
            is_sent = self._hand_over(server, mail, recipient, label)
        except MailServerError as fault:
            self.mails.give_back(mail, str(fault), tried=True)
            raise
        except OutcomeUnknownError as error:
            self._end(mail, MailState.UNDECIDED, str(error))
            _log_error(f"{label}: {error}; it may have arrived and is not sent again")
            raise MailServerError("The mail server closed the connection after receiving an email") from error
        except MailRefusedError as refusal:
            self._refused(mail, label, refusal)
            return
        if is_sent:
            self._sent_count += 1
            self._refusals_in_a_row = 0
            self._end(mail, MailState.SENT)
            log.info(f'{label}: sent, "{mail.subject}"')

    def _hand_over(self, server: SmtpConnection, mail: OutgoingMail, recipient: str, label: str) -> bool:
        """Hand the email to the server. If its content or size is rejected, repeat without attachments."""

        def send(files: Mapping[str, bytes]) -> bool:
            content = message_of(mail, recipient, self.envelope, files)
            return server.send(recipient, content, lambda: self.mails.sending(mail))

        files = self.attach(mail)
        try:
            return send(files)
        except MailRefusedError as refusal:
            if not (files and refusal.concerns_content):
                raise
            log.warning(f"{label}: sent without its attachments, because {refusal}")
            return send({})

    def _refused(self, mail: OutgoingMail, label: str, refusal: MailRefusedError) -> None:
        """Record a refusal. Raises MailServerError after too many in a row, because the server refuses all emails."""
        self._refusals_in_a_row = self._refusals_in_a_row + 1 if refusal.concerns_us else 0
        if refusal.final:
            self._end(mail, MailState.FAILED, str(refusal))
            log.error(f"{label}: failed, {refusal}")
            return
        self.mails.give_back(mail, str(refusal), tried=True)
        log.warning(f"{label}: waits for the next run, {refusal}")
        self._postponed.append(str(refusal))
        if self._refusals_in_a_row >= _MOST_REFUSALS:
            raise MailServerError(str(refusal))


def _log_error(sentence: str) -> None:
    log.error(sentence)
    run_log.error(sentence)


def message_of(
    mail: OutgoingMail, recipient: str, envelope: Envelope, files: Mapping[str, bytes] | None = None
) -> bytes:
    """Build the MIME message: plain text, HTML and attachments, with a constant Message-ID.

    Uses the legacy email classes, because the newer classes parse every header and take three times as long. Unlike the
    newer classes, they accept line breaks in headers, so this function raises ValueError for control characters.
    """
    content = MIMEMultipart("alternative")
    for subtype, text in (("plain", mail.plain), ("html", mail.html)):
        part = MIMENonMultipart("text", subtype, charset=str(_UTF8))
        part.set_payload(text, _UTF8)
        content.attach(part)
    message = content
    if files:
        message = MIMEMultipart("mixed", _subparts=[content, *starmap(_attachment, files.items())])
    redirected = f"[{mail.recipient}] " if envelope.redirect else ""
    headers = {
        "From": envelope.sender,
        "To": recipient,
        "Subject": f"{redirected}{mail.subject}",
        "Date": format_datetime(mail.created_at),
        "Message-ID": mail.message_id,
        "Reply-To": envelope.reply_to,
        "Auto-Submitted": "auto-generated",
    }
    for name, value in headers.items():
        if not is_one_line(value):
            raise ValueError(f"the header {name} would contain a control character")
        if value:
            encoded = value if value.isascii() else Header(value, _UTF8, header_name=name).encode()
            message.add_header(name, encoded)
    return message.as_bytes()


def attach(paths: Iterable[str], read: Callable[[str], bytes]) -> dict[str, bytes]:
    """The files that fit into an email, by name. Unreadable files are skipped with a warning."""
    files: dict[str, bytes] = {}
    for path in paths:
        try:
            content = read(path)
        except NotADocumentError as why:
            log.warning(f"{clean(path)} is not attached: {why}")
            continue
        if sum(map(len, files.values())) + len(content) <= _LARGEST_FILES:
            files[_UNSAFE.sub("-", PurePath(path).name)[-150:]] = content
        else:
            log.warning(f"{clean(path)} is not attached: the email would be too large")
    return files


def _attachment(name: str, content: bytes) -> MIMENonMultipart:
    """An attachment to save, never to display inline, because an HTML file may contain anything."""
    part = MIMENonMultipart(*(guess_type(name)[0] or "application/octet-stream").split("/"))
    part.set_payload(content)
    encode_base64(part)
    part.add_header("Content-Disposition", "attachment", filename=name)
    return part


_UTF8 = Charset("utf-8")
_UTF8.body_encoding = QP  # readable in the source; the default for UTF-8 is base64

"""`EmailSender`: sends the mails that are ready, each at most once, and records what became of each."""

import logging
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any, Protocol

from recours.core.mail import ClaimNow, MailState, Told, still_holds
from recours.core.text import plural
from recours.notifications.smtp import Refused, ServerFault, Undecidable
from recours.runs.ports import Clock, Letter

log = logging.getLogger("email_sender")
run_log = logging.getLogger("__main__")

_MINUTE_S = 60.0


class MailServer(Protocol):
    """What sends."""

    def send(self, recipient: str, content: bytes, before: Callable[[], bool]) -> bool:
        """Give one mail to the server. Raises ServerFault, Refused, Undecidable."""


class Mails(Protocol):
    """Where the mails are."""

    def take(self, after: int, now: Any) -> Letter | None:
        """Hold the next mail that is ready."""

    def give_back(self, letter: Letter, error: str) -> None:
        """A later run tries again."""

    def sending(self, letter: Letter) -> bool:
        """From here on the server may have it."""

    def end(self, letter: Letter, state: MailState, now: Any, error: str | None = None) -> None:
        """What became of it."""

    def undecided(self, now: Any) -> list[tuple[int, str]]:
        """Mark the mails whose run died while sending."""

    def claims_now(self, told: Collection[Told]) -> dict[Any, ClaimNow]:
        """What their claims are now."""


@dataclass(frozen=True)
class Envelope:
    """What every mail carries."""

    sender: str
    reply_to: str = ""
    redirect: str = ""  # all mail goes there instead
    a_minute: int = 0  # at most; 0: as fast as it goes


class EmailSender:
    """Sends what is ready over one connection."""

    def __init__(
        self,
        mails: Mails,
        server: Callable[[], AbstractContextManager[MailServer]],
        envelope: Envelope,
        clock: Clock,
        skipped_statuses: frozenset[str],
    ) -> None:
        """`server` makes the connection; it is not called while there is nothing to send."""
        self._mails = mails
        self._server = server
        self._envelope = envelope
        self._clock = clock
        self._skipped = skipped_statuses

    def send_all(self) -> int:
        """Send every mail that is ready; how many went out. A fault of the server is logged, and everything waits."""
        now = self._clock.now()
        for mail_id, recipient in self._mails.undecided(now):
            words = f"Mail {mail_id} to {recipient}: a run died while sending it; it may have arrived, and is not sent again"
            log.error(words)
            run_log.error(words)
        letter = self._next(0)
        if letter is None:
            return 0
        sent = 0
        try:
            with self._server() as server:
                while letter is not None:
                    if sent and self._envelope.a_minute:
                        self._clock.sleep(_MINUTE_S / self._envelope.a_minute)
                    sent += self._send(server, letter)
                    letter = self._next(letter.id)
        except ServerFault as fault:
            log.error(f"{fault}; mails wait")
            run_log.error(f"Mails wait for the next run: {fault}")
        if sent:
            run_log.info(f"{plural(sent, 'mail')} sent")
        return sent

    def _next(self, after: int) -> Letter | None:
        """The next mail whose reason is still there."""
        while letter := self._mails.take(after, self._clock.now()):
            current = self._mails.claims_now(letter.told)
            if any(still_holds(event, current.get(event.claim_id), self._skipped) for event in letter.told):
                return letter
            after = letter.id
            self._mails.end(
                letter, MailState.CANCELLED, self._clock.now(), "its claims were mended meanwhile"
            )
            log.info(f"Mail {letter.id} to {letter.recipient}: cancelled, its claims were mended meanwhile")
        return None

    def _send(self, server: MailServer, letter: Letter) -> bool:
        recipient = self._envelope.redirect or letter.recipient
        what = f"Mail {letter.id} ({letter.kind}) to {recipient}"
        try:
            given = server.send(
                recipient, message_of(letter, recipient, self._envelope), lambda: self._mails.sending(letter)
            )
        except ServerFault as fault:
            self._mails.give_back(letter, str(fault))
            raise
        except Undecidable as error:
            self._mails.end(letter, MailState.UNDECIDED, self._clock.now(), str(error))
            log.error(f"{what}: {error}; it may have arrived, and is not sent again")
            return False
        except Refused as refusal:
            if refusal.final:
                self._mails.end(letter, MailState.FAILED, self._clock.now(), str(refusal))
                log.error(f"{what}: failed, {refusal}")
            else:
                self._mails.give_back(letter, str(refusal))
                log.warning(f"{what}: waits, {refusal}")
            return False
        if given:
            self._mails.end(letter, MailState.SENT, self._clock.now())
            log.info(f'{what}: sent, "{letter.subject}"')
        return given


def message_of(letter: Letter, recipient: str, envelope: Envelope) -> bytes:
    """The mail as it goes over the line: plain text and HTML, with an identity that never changes."""
    message = EmailMessage(policy=SMTP)
    message["From"] = envelope.sender
    message["To"] = recipient
    redirected = f"[{letter.recipient}] " if envelope.redirect else ""
    message["Subject"] = f"{redirected}{letter.subject}"
    message["Date"] = format_datetime(letter.created_at)
    message["Message-ID"] = letter.message_id
    if envelope.reply_to:
        message["Reply-To"] = envelope.reply_to
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(letter.plain)
    message.add_alternative(letter.html, subtype="html")
    return message.as_bytes()

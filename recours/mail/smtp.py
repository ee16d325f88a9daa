"""An SMTP connection: timeouts, encryption, and the meaning of each refusal."""

import asyncio
import re
import ssl
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Self, TypeVar, cast

from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPConnectError,
    SMTPException,
    SMTPRecipientRefused,
    SMTPResponseException,
    SMTPSenderRefused,
)

from recours.core.mail import MailTrouble
from recours.core.text import Redactor, clean

T = TypeVar("T")

# ---------------------------------------------------------------- does a refusal concern us or this email?
# Servers may refuse a sender, relay or login at any step. Postfix refuses after RCPT TO.


_US = True
_MAIL = False

# Enhanced status codes by subject and detail (RFC 3463, registry of RFC 5248). A detail overrides its subject.
_BY_STATUS: dict[str, bool | None] = {
    "1": _MAIL,  # addresses
    "1.0": None,  # Postfix uses it for unknown senders
    "1.7": _US,  # the sender's address is malformed
    "1.8": _US,  # the sender's domain is invalid
    "2": _MAIL,  # the mailbox
    "3": _US,  # the server
    "3.4": _MAIL,  # the message is too big
    "4": _MAIL,  # the route to the recipient
    "5.1": _US,  # wrong sequence: some servers require a login first
    "6": _MAIL,  # the message's content
    "7": _US,  # policy, login, relay
    "7.2": _MAIL,  # a mailing list that we may not write to
    "7.7": _MAIL,  # the message was changed in transit
    "7.15": _MAIL,  # the message's priority
    "7.16": _MAIL,
    "7.17": _MAIL,  # the mailbox has another owner now
    "7.18": _MAIL,
}
# Reply codes for rejected or premature commands (RFC 5321) and for logins (RFC 4954, RFC 5248).
_CODES_OF_US = frozenset({500, 502, 503, 521, 523, 524, 525, 530, 534, 535, 538})
# For servers without a meaningful code. The first match wins.
_BY_TEXT = (
    (re.compile(r"\bsender"), _US),
    (re.compile(r"recipient address|user unknown|unknown user|mailbox"), _MAIL),
    (
        re.compile(
            r"relay|client host|\bhelo\b|authenti|log ?in\b|not owned|block|black ?list|\brbl\b|spamhaus"
            r"|\bspf\b|\bdkim\b|\bdmarc\b|reverse dns|access denied|prohibit|polic(?:y|ies)"
        ),
        _US,
    ),
)
_STATUS = re.compile(r"(?:^|\(#)5\.(\d{1,3})\.(\d{1,3})\b")  # qmail appends the status: (#5.7.1)
_ADDRESS = re.compile(r"<[^>]*>|\S*@\S*")


def is_about_us(code: int, text: str) -> bool | None:
    """Return whether a 5xx reply refuses us (login, sender, relay or policy) rather than this one email.

    `text`: the reply after its code. Returns None if the reply does not say.
    """
    if match := _STATUS.search(text):
        subject, detail = match.groups()
        verdict = _BY_STATUS.get(f"{subject}.{detail}", _BY_STATUS.get(subject))
        if verdict is not None:
            return verdict
    if code in _CODES_OF_US:
        return True
    words = _ADDRESS.sub("", text).lower()  # an address may contain any of the words
    return next((verdict for pattern, verdict in _BY_TEXT if pattern.search(words)), None)


# ---------------------------------------------------------------- the connection


TIMEOUT_S = 90.0
# How long an ending run waits for the answer to an email. Without an answer, the result of the email is unknown.
GRACE_S = 10.0
_POLL_S = 0.2  # interval at which a wait checks for the end of the run
_QUIT_TIMEOUT_S = 5.0
_OK = frozenset({250, 251})
_GO_ON = 354
_CLOSING = 421
_FINAL = 500


class StopRequestedError(Exception):
    """The run had to end before the email was handed over."""


class MailServerError(Exception):
    """The server is unusable or refuses all our emails, so all emails wait. The message is a sentence."""


class MailRefusedError(Exception):
    """The server refuses this email.

    `final`: the refusal is permanent. `concerns_us`: see `is_about_us`. `concerns_content`: the content or size is the reason.
    """

    def __init__(
        self, text: str, *, final: bool, concerns_us: bool = False, concerns_content: bool = False
    ) -> None:
        super().__init__(text)
        self.final = final
        self.concerns_us = concerns_us
        self.concerns_content = concerns_content


class OutcomeUnknownError(Exception):
    """The connection broke after the email was handed over, so it may or may not have been accepted."""


@dataclass(frozen=True)
class SmtpSettings:
    host: str
    port: int
    security: str  # starttls, tls, none
    user: str
    sender: str  # an address; "" if none is set
    password: str = field(default="", repr=False)


class SmtpConnection:
    """A connection that opens with the first email and serves the whole run."""

    def __init__(
        self,
        settings: SmtpSettings,
        timeout_s: float = TIMEOUT_S,
        may_continue: Callable[[], bool] = lambda: True,
    ) -> None:
        """Prepare a connection without opening it. `timeout_s`: the time limit for connecting, and for each email.

        `may_continue`: returns false when the run must end; it is checked continuously.
        """
        self.settings = settings
        self._timeout_s = timeout_s
        self._may_continue = may_continue
        self._runner = asyncio.Runner()
        self._is_handed_over = False
        self._smtp = SMTP(
            hostname=settings.host,
            port=settings.port,
            use_tls=settings.security == "tls",
            start_tls=settings.security == "starttls",
            username=settings.user.encode(errors="replace") or None,
            password=settings.password.encode(errors="replace"),
            timeout=None,
        )
        # A server's answers are stored and shown in the log, database and dashboard, and may repeat the login.
        login = f"\0{settings.user}\0{settings.password}"  # RFC 4616
        secrets = [settings.password, login] if settings.password else []
        self._redact = Redactor(secret.encode(errors="replace").decode() for secret in secrets)

    def __enter__(self) -> Self:
        """Do nothing: the first email opens the connection."""
        return self

    def __exit__(self, *_: object) -> None:
        """Send QUIT and hang up, whether or not the server answers."""
        if self._smtp.is_connected:
            with suppress(SMTPException, OSError, StopRequestedError):
                self._run(self._smtp.quit(), _QUIT_TIMEOUT_S)
        self._hang_up()
        self._runner.close()

    def log_in(self) -> None:
        """Connect and log in without sending anything. Raises MailServerError, StopRequestedError."""
        settings = self.settings
        where = f"{self.settings.host}:{self.settings.port}"
        try:
            self._run(self._connect(), self._timeout_s)
        except SMTPAuthenticationError as error:
            reply = self._text_of(error)
            why = MailTrouble.REFUSES_LOGIN.text(where=where, user=settings.user, said=reply)
            raise MailServerError(why) from error
        except (SMTPException, OSError) as error:
            cause = error.__cause__ if isinstance(error, SMTPConnectError) else error
            trouble = MailTrouble.UNUSABLE
            if isinstance(cause, ssl.SSLError):
                trouble = MailTrouble.INSECURE
            elif type(error) is SMTPException:
                # The base class means an unsupported feature; other errors have subclasses.
                trouble = MailTrouble.NOT_OFFERED
            raise MailServerError(trouble.text(where=where, said=self._text_of(cause or error))) from error
        except ValueError as error:  # a label of a host name is empty, too long or not ASCII
            raise MailServerError(MailTrouble.NO_HOST.text(where=where)) from error

    def send(self, recipient: str, content: bytes, is_wanted: Callable[[], bool]) -> bool:
        """Hand one email to the server. `is_wanted` is called just before: if it returns false, nothing is sent.

        Returns whether the email was sent. Raises MailServerError, MailRefusedError, OutcomeUnknownError, or
        StopRequestedError if the run must end first.
        """
        if not self.settings.sender:
            raise MailServerError(MailTrouble.NO_SENDER.text())
        if not self._smtp.is_connected:
            self.log_in()
        largest = self._smtp.esmtp_extensions.get("size", "")
        if largest.isdecimal() and 0 < int(largest) < len(content):
            why = MailTrouble.TOO_LARGE.text(size=largest)
            raise MailRefusedError(why, final=True, concerns_content=True)
        try:
            return self._run(self._transmit(recipient, content, is_wanted), self._timeout_s)
        except (SMTPException, OSError) as error:
            self._hang_up()
            reply = self._text_of(error)
            if self._is_handed_over:
                raise OutcomeUnknownError(MailTrouble.LINE_BROKE.text(said=reply)) from error
            why = MailTrouble.BROKE_CONNECTION.text(where=self.settings.host, said=reply)
            raise MailServerError(why) from error

    def _run(self, work: Coroutine[Any, Any, T], seconds: float) -> T:
        """Run the work within the time limit while the run continues. Raises TimeoutError, StopRequestedError."""
        self._is_handed_over = False
        return self._runner.run(self._run_watched(work, seconds))

    async def _run_watched(self, work: Coroutine[Any, Any, T], seconds: float) -> T:
        task = asyncio.create_task(work)
        ends = monotonic() + seconds
        try:
            while not task.done():
                await asyncio.wait([task], timeout=min(_POLL_S, seconds))
                if not self._may_continue():
                    if not self._is_handed_over:
                        raise StopRequestedError
                    ends = min(ends, monotonic() + GRACE_S)
                if monotonic() >= ends:
                    raise TimeoutError(f"timed out after {seconds:g} s")
            return task.result()
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait([task])
                self._hang_up()

    def _hang_up(self) -> None:
        if self._smtp.transport is not None:
            cast("asyncio.WriteTransport", self._smtp.transport).abort()
        self._smtp.close()

    async def _connect(self) -> None:
        await self._smtp.connect()
        if self._smtp.is_ehlo_or_helo_needed:  # EHLO sends our own name, which may not be a valid host name
            await self._smtp.ehlo()

    async def _transmit(self, recipient: str, content: bytes, is_wanted: Callable[[], bool]) -> bool:
        await self._announce(recipient)
        if not is_wanted():
            self._hang_up()  # the server expects a message now, so no other command is possible
            return False
        self._is_handed_over = True
        assert self._smtp.protocol is not None  # noqa: S101 (it has just answered)
        self._smtp.protocol.write(_dotted(content))
        code, reply = await self._smtp.protocol.read_response()
        if code not in _OK:
            raise self._refusal(MailTrouble.REFUSES_MESSAGE, code, reply)
        return True

    async def _announce(self, recipient: str) -> None:
        smtp = self._smtp
        sender = self.settings.sender
        try:
            await smtp.mail(sender)
        except SMTPSenderRefused as refusal:
            await self._reset()
            answer = f"{refusal.code} {self._text(refusal.message)}"
            why = MailTrouble.REFUSES_SENDER.text(sender=sender, said=answer)
            raise MailServerError(why) from refusal
        try:
            await smtp.rcpt(recipient)
        except SMTPRecipientRefused as refusal:
            await self._reset()
            raise self._refusal(MailTrouble.REFUSES_RECIPIENT, refusal.code, refusal.message) from refusal
        code, reply = await smtp.execute_command(b"DATA")
        if code != _GO_ON:
            await self._reset()
            raise self._refusal(MailTrouble.REFUSES_MESSAGE, code, reply, before_message=True)

    async def _reset(self) -> None:
        """Reset the connection for the next email. If the server refuses and hangs up, the next email reconnects."""
        try:
            await self._smtp.rset(timeout=self._timeout_s / 4)
        except SMTPException:
            self._hang_up()

    def _refusal(
        self, trouble: MailTrouble, code: int, reply: str, *, before_message: bool = False
    ) -> Exception:
        """The error for a reply. `before_message`: the recipient was accepted, but the message was not sent yet."""
        text = self._text(reply)
        if code == _CLOSING:
            answer = f"{code} {text}"
            return MailServerError(MailTrouble.TAKES_NO_MORE.text(where=self.settings.host, said=answer))
        about_us = is_about_us(code, text)
        concerns_us = code >= _FINAL and (before_message if about_us is None else about_us)
        concerns_content = code >= _FINAL and trouble is MailTrouble.REFUSES_MESSAGE
        if concerns_us:
            trouble = MailTrouble.REFUSES_US
        why = trouble.text(said=f"{code} {text}")
        return MailRefusedError(
            why,
            final=code >= _FINAL and not concerns_us,
            concerns_us=concerns_us,
            concerns_content=concerns_content,
        )

    def _text(self, reply: str) -> str:
        """The reply as one line without secrets."""
        text = reply.encode(errors="surrogateescape").decode(errors="replace")
        return clean(self._redact(" ".join(text.split())), 200)

    def _text_of(self, error: BaseException) -> str:
        if isinstance(error, SMTPResponseException) and error.code > 0:
            return f"{error.code} {self._text(error.message)}"
        return self._text(str(error)) or type(error).__name__


def _dotted(content: bytes) -> bytes:
    """Encode a message for SMTP, with CRLF line ends, doubled leading dots, and a final line with a single dot."""
    lines = content.replace(b"\r\n", b"\n").split(b"\n")
    body = b"\r\n".join(b"." + line if line.startswith(b".") else line for line in lines)
    return body + (b"" if body.endswith(b"\r\n") else b"\r\n") + b".\r\n"

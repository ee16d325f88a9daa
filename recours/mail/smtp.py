"""One connection to a mail server: its time-out, its encryption, and what each of its refusals means."""

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

# ---------------------------------------------------------------- whom a refusal is about: us, or this one mail
# Servers answer a sender, a relay or a login that they do not want at any step, Postfix after the recipient was named.


_US = True
_MAIL = False

# Enhanced status codes by subject and detail: RFC 3463, and the registry of RFC 5248. A detail comes before its subject.
_BY_STATUS: dict[str, bool | None] = {
    "1": _MAIL,  # addresses
    "1.0": None,  # Postfix has it for senders that are not known
    "1.7": _US,  # the sender's address has no valid form
    "1.8": _US,  # the sender's domain is none
    "2": _MAIL,  # the mailbox
    "3": _US,  # the server
    "3.4": _MAIL,  # the message is too big
    "4": _MAIL,  # the way to the recipient
    "5.1": _US,  # not now: before it, others want a login
    "6": _MAIL,  # the message's content
    "7": _US,  # policy, login, relay
    "7.2": _MAIL,  # a list that we may not write to
    "7.7": _MAIL,  # the message was changed on its way
    "7.15": _MAIL,  # the message's priority
    "7.16": _MAIL,
    "7.17": _MAIL,  # the mailbox has another owner now
    "7.18": _MAIL,
}
# Reply codes: commands that the server does not take, or not yet (RFC 5321), and logins (RFC 4954, RFC 5248).
_CODES_OF_US = frozenset({500, 502, 503, 521, 523, 524, 525, 530, 534, 535, 538})
# For servers that give no code that says it. The first that is found holds.
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
_STATUS = re.compile(r"(?:^|\(#)5\.(\d{1,3})\.(\d{1,3})\b")  # qmail's stands at the end: (#5.7.1)
_ADDRESS = re.compile(r"<[^>]*>|\S*@\S*")


def is_about_us(code: int, text: str) -> bool | None:
    """Tell whether a reply 5xx refuses our login, sender or relay, or has a policy against us, not this one mail.

    `text`: what stands behind the reply's code. None: it does not say.
    """
    if match := _STATUS.search(text):
        subject, detail = match.groups()
        verdict = _BY_STATUS.get(f"{subject}.{detail}", _BY_STATUS.get(subject))
        if verdict is not None:
            return verdict
    if code in _CODES_OF_US:
        return True
    words = _ADDRESS.sub("", text).lower()  # an address may be named like any of the words
    return next((verdict for pattern, verdict in _BY_TEXT if pattern.search(words)), None)


# ---------------------------------------------------------------- the connection


TIMEOUT_S = 90.0
# How long the answer about a mail is still waited for when the run is to end: without it, what became of it is unknown.
GRACE_S = 10.0
_LOOK_S = 0.2  # how often a wait is looked at
_GOOD_BYE_S = 5.0
_OK = frozenset({250, 251})
_GO_ON = 354
_CLOSING = 421
_FINAL = 500


class StopRequestedError(Exception):
    """The run is to end, and the mail has not been given away."""


class MailServerError(Exception):
    """The server cannot be used, or does not want our mail at all: everything waits. The text is a sentence."""


class MailRefusedError(Exception):
    """The server does not take this mail.

    `final`: and never will. `of_us`: because it comes from us, as others do. `of_content`: having seen it, or its size.
    """

    def __init__(self, text: str, *, final: bool, of_us: bool = False, of_content: bool = False) -> None:
        super().__init__(text)
        self.final = final
        self.of_us = of_us
        self.of_content = of_content


class OutcomeUnknownError(Exception):
    """The line broke after the mail was given away: whether the server took it is unknown."""


@dataclass(frozen=True)
class SmtpSettings:
    host: str
    port: int
    security: str  # starttls, tls, none
    user: str
    sender: str  # an address; "": none is set
    password: str = field(default="", repr=False)


class SmtpConnection:
    """A connection, made when the first mail is offered, and used for all of a run."""

    def __init__(
        self,
        settings: SmtpSettings,
        timeout_s: float = TIMEOUT_S,
        go_on: Callable[[], bool] = lambda: True,
    ) -> None:
        """Connects nowhere yet. `timeout_s`: for all of connecting, and for all of each mail.

        `go_on`: False when the run is to end, which is heard at any time.
        """
        self.settings = settings
        self._timeout_s = timeout_s
        self._go_on = go_on
        self._runner = asyncio.Runner()
        self._is_given = False
        self._smtp = SMTP(
            hostname=settings.host,
            port=settings.port,
            use_tls=settings.security == "tls",
            start_tls=settings.security == "starttls",
            username=settings.user.encode(errors="replace") or None,
            password=settings.password.encode(errors="replace"),
            timeout=None,
        )
        # What a server says goes into the log, the database and the page: it may repeat the login.
        login = f"\0{settings.user}\0{settings.password}"  # RFC 4616
        secrets = [settings.password, login] if settings.password else []
        self._redact = Redactor(secret.encode(errors="replace").decode() for secret in secrets)

    def __enter__(self) -> Self:
        """Nothing: the connection comes with the first mail."""
        return self

    def __exit__(self, *_: object) -> None:
        """Say good-bye; a server that does not listen is left all the same."""
        if self._smtp.is_connected:
            with suppress(SMTPException, OSError, StopRequestedError):
                self._run(self._smtp.quit(), _GOOD_BYE_S)
        self._hang_up()
        self._runner.close()

    def log_in(self) -> None:
        """Connect and log in; send nothing. Raises MailServerError, StopRequestedError."""
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
            elif type(error) is SMTPException:  # of what the server does not offer; all others are of a kind
                trouble = MailTrouble.NOT_OFFERED
            raise MailServerError(trouble.text(where=where, said=self._text_of(cause or error))) from error
        except ValueError as error:  # a label of a host's name is empty, too long, or not ASCII
            raise MailServerError(MailTrouble.NO_HOST.text(where=where)) from error

    def send(self, recipient: str, content: bytes, is_wanted: Callable[[], bool]) -> bool:
        """Give one mail to the server. False if `is_wanted`, asked last of all, does not want it given.

        Raises MailServerError, MailRefusedError, OutcomeUnknownError; StopRequestedError if the run is to end and the mail was not given.
        """
        if not self.settings.sender:
            raise MailServerError(MailTrouble.NO_SENDER.text())
        if not self._smtp.is_connected:
            self.log_in()
        largest = self._smtp.esmtp_extensions.get("size", "")
        if largest.isdecimal() and 0 < int(largest) < len(content):
            why = MailTrouble.TOO_LARGE.text(size=largest)
            raise MailRefusedError(why, final=True, of_content=True)
        try:
            return self._run(self._mail(recipient, content, is_wanted), self._timeout_s)
        except (SMTPException, OSError) as error:
            self._hang_up()
            reply = self._text_of(error)
            if self._is_given:
                raise OutcomeUnknownError(MailTrouble.LINE_BROKE.text(said=reply)) from error
            why = MailTrouble.BROKE_CONNECTION.text(where=self.settings.host, said=reply)
            raise MailServerError(why) from error

    def _run(self, work: Coroutine[Any, Any, T], seconds: float) -> T:
        """Do it in so much time, as long as the run goes on. Raises TimeoutError, StopRequestedError."""
        self._is_given = False
        return self._runner.run(self._watched(work, seconds))

    async def _watched(self, work: Coroutine[Any, Any, T], seconds: float) -> T:
        task = asyncio.create_task(work)
        ends = monotonic() + seconds
        try:
            while not task.done():
                await asyncio.wait([task], timeout=min(_LOOK_S, seconds))
                if not self._go_on():
                    if not self._is_given:
                        raise StopRequestedError
                    ends = min(ends, monotonic() + GRACE_S)
                if monotonic() >= ends:
                    raise TimeoutError(f"it timed out, after {seconds:g} s")
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
        if self._smtp.is_ehlo_or_helo_needed:  # with our own name, which may be none of a host
            await self._smtp.ehlo()

    async def _mail(self, recipient: str, content: bytes, is_wanted: Callable[[], bool]) -> bool:
        await self._offer(recipient)
        if not is_wanted():
            self._hang_up()  # the server waits for the message
            return False
        self._is_given = True
        assert self._smtp.protocol is not None  # noqa: S101 (it has just answered)
        self._smtp.protocol.write(_dotted(content))
        code, reply = await self._smtp.protocol.read_response()
        if code not in _OK:
            raise self._refusal(MailTrouble.REFUSES_MESSAGE, code, reply)
        return True

    async def _offer(self, recipient: str) -> None:
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
            raise self._refusal(MailTrouble.REFUSES_MESSAGE, code, reply, unseen=True)

    async def _reset(self) -> None:
        """Make the connection fit for another mail. Some servers refuse and hang up: then the next mail makes its own."""
        try:
            await self._smtp.rset(timeout=self._timeout_s / 4)
        except SMTPException:
            self._hang_up()

    def _refusal(self, trouble: MailTrouble, code: int, reply: str, *, unseen: bool = False) -> Exception:
        """What a reply means for the mail. `unseen`: the server has taken the recipient, and does not have the message."""
        text = self._text(reply)
        if code == _CLOSING:
            answer = f"{code} {text}"
            return MailServerError(MailTrouble.TAKES_NO_MORE.text(where=self.settings.host, said=answer))
        about_us = is_about_us(code, text)
        of_us = code >= _FINAL and (unseen if about_us is None else about_us)
        of_content = code >= _FINAL and trouble is MailTrouble.REFUSES_MESSAGE
        if of_us:
            trouble = MailTrouble.REFUSES_US
        why = trouble.text(said=f"{code} {text}")
        return MailRefusedError(why, final=code >= _FINAL and not of_us, of_us=of_us, of_content=of_content)

    def _text(self, reply: str) -> str:
        """As one line without secrets, of however many lines it came in."""
        text = reply.encode(errors="surrogateescape").decode(errors="replace")
        return clean(self._redact(" ".join(text.split())), 200)

    def _text_of(self, error: BaseException) -> str:
        if isinstance(error, SMTPResponseException) and error.code > 0:
            return f"{error.code} {self._text(error.message)}"
        return self._text(str(error)) or type(error).__name__


def _dotted(content: bytes) -> bytes:
    """As SMTP wants it: CRLF, a dot at a line's beginning doubled, a dot alone at the end."""
    lines = content.replace(b"\r\n", b"\n").split(b"\n")
    body = b"\r\n".join(b"." + line if line.startswith(b".") else line for line in lines)
    return body + (b"" if body.endswith(b"\r\n") else b"\r\n") + b".\r\n"

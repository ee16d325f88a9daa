"""One connection to a mail server: its time-outs, its encryption, and what each of its refusals means."""

import re
import smtplib
import ssl
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from recours.core.mail_troubles import MailTrouble, trouble_text
from recours.core.text import Redactor, clean
from recours.notifications.smtp_deadlines import SmtpDeadlines, StopRequestedError, WatchedSmtp

# ---------------------------------------------------------------- whom a refusal is about: us, or this one mail
# Servers answer a sender, a relay or a login that they do not want at any step, Postfix after the recipient was named.


_US, _MAIL = True, False

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
    if found := _STATUS.search(text):
        subject, detail = found.groups()
        verdict = _BY_STATUS.get(f"{subject}.{detail}", _BY_STATUS.get(subject))
        if verdict is not None:
            return verdict
    if code in _CODES_OF_US:
        return True
    said = _ADDRESS.sub("", text).lower()  # an address may be named like any of the words
    return next((verdict for pattern, verdict in _BY_TEXT if pattern.search(said)), None)


# ---------------------------------------------------------------- the connection


TIMEOUT_S = 30.0
_STEPS = 4  # so many times as long a connection may take, and a mail
_GOOD_BYE_S = 5.0
_OK = frozenset({250, 251})
_GO_ON = 354
_CLOSING = 421
_FINAL = 500
_LOGGED_IN = frozenset({235, 503})  # 503: it was already


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
    ca_file: str | None = None  # certificates to trust, instead of the system's


class SmtpConnection:
    """A connection, made when the first mail is offered, and used for all of a run."""

    def __init__(
        self,
        settings: SmtpSettings,
        timeout_s: float = TIMEOUT_S,
        go_on: Callable[[], bool] = lambda: True,
    ) -> None:
        """Connects nowhere yet. `timeout_s`: for each step; a connection and a mail take a few of them.

        `go_on`: False when the run is to end, which is heard in the middle of a step.
        """
        self.settings = settings
        self._watch = SmtpDeadlines(timeout_s, go_on)
        self._smtp: WatchedSmtp | None = None
        # What a server says goes into the log, the database and the page: it may repeat the login.
        secrets = [settings.password, _plain_login(settings)] if settings.password else []
        self._redact = Redactor(secret.encode(errors="replace").decode() for secret in secrets)

    def __enter__(self) -> Self:
        """Nothing: the connection comes with the first mail."""
        return self

    def __exit__(self, *_: object) -> None:
        """Say good-bye; a server that does not listen is left all the same."""
        smtp, self._smtp = self._smtp, None
        if smtp is not None:
            self._watch.begin_whole(_GOOD_BYE_S)
            try:
                smtp.quit()
            except (smtplib.SMTPException, OSError, StopRequestedError):
                smtp.close()

    def log_in(self) -> None:
        """Connect and log in; send nothing. Raises MailServerError, StopRequestedError."""
        if self._smtp is None:
            self._connected()

    def send(self, recipient: str, content: bytes, before: Callable[[], bool]) -> bool:
        """Give one mail to the server. False if `before`, asked last of all, does not want it given.

        Raises MailServerError, MailRefusedError, OutcomeUnknownError; StopRequestedError if the run is to end and the mail was not given.
        """
        if not self.settings.sender:
            raise MailServerError(trouble_text(MailTrouble.NO_SENDER))
        smtp = self._smtp or self._connected()
        largest = smtp.esmtp_features.get("size", "")
        if largest.isdecimal() and 0 < int(largest) < len(content):
            why = trouble_text(MailTrouble.TOO_LARGE, size=largest)
            raise MailRefusedError(why, final=True, of_content=True)
        self._begin_whole()
        try:
            self._offer(smtp, recipient)
        except StopRequestedError:
            self._smtp = None
            smtp.close()
            raise
        except (smtplib.SMTPServerDisconnected, OSError) as error:
            self._smtp = None
            smtp.close()
            raise MailServerError(
                trouble_text(MailTrouble.BROKE_CONNECTION, where=self.settings.host, said=self._said(error))
            ) from error
        if not before():
            self._smtp = None
            smtp.close()  # the server waits for the message: what is left is to hang up
            return False
        self._give(smtp, content)
        return True

    def _begin_whole(self) -> None:
        self._watch.begin_whole(_STEPS * self._watch.step_s)

    def _connected(self) -> WatchedSmtp:
        settings = self.settings
        self._begin_whole()
        where = f"{settings.host}:{settings.port}"
        try:
            smtp = self._logged_in()
        except UnicodeError as error:  # a label of a host's name is empty, too long, or not ASCII
            raise MailServerError(trouble_text(MailTrouble.NO_HOST, where=where)) from error
        except smtplib.SMTPAuthenticationError as error:
            raise MailServerError(
                trouble_text(
                    MailTrouble.REFUSES_LOGIN, where=where, user=settings.user, said=self._said(error)
                )
            ) from error
        except smtplib.SMTPNotSupportedError as error:
            raise MailServerError(
                trouble_text(MailTrouble.NOT_OFFERED, where=where, said=self._said(error))
            ) from error
        except ssl.SSLError as error:
            raise MailServerError(
                trouble_text(MailTrouble.INSECURE, where=where, said=self._said(error))
            ) from error
        except (smtplib.SMTPException, OSError) as error:
            raise MailServerError(
                trouble_text(MailTrouble.UNUSABLE, where=where, said=self._said(error))
            ) from error
        self._smtp = smtp
        return smtp

    def _logged_in(self) -> WatchedSmtp:
        settings = self.settings
        context = ssl.create_default_context(cafile=settings.ca_file)
        at_once = context if settings.security == "tls" else None
        smtp = WatchedSmtp(settings.host, settings.port, self._watch, at_once)
        try:
            if settings.security == "starttls":
                smtp.start_tls(context)
            smtp.ehlo_or_helo_if_needed()  # with our own name, which may be none of a host
            if settings.user:
                self._log_in(smtp)
        except BaseException:
            smtp.close()
            raise
        return smtp

    def _log_in(self, smtp: smtplib.SMTP) -> None:
        """By smtplib, which knows ASCII only; otherwise in UTF-8, by the one mechanism for which that is laid down."""
        user, password = self.settings.user, self.settings.password
        if user.isascii() and password.isascii():
            smtp.login(user, password)
            return
        if "PLAIN" not in smtp.esmtp_features.get("auth", "").upper().split():
            raise smtplib.SMTPNotSupportedError("a login that is not ASCII needs AUTH PLAIN")
        # A value that was no text in its file would not be one here either: the server refuses it.
        login = b64encode(_plain_login(self.settings).encode(errors="replace")).decode()
        code, reply = smtp.docmd("AUTH", f"PLAIN {login}")
        if code not in _LOGGED_IN:
            raise smtplib.SMTPAuthenticationError(code, reply)

    def _offer(self, smtp: smtplib.SMTP, recipient: str) -> None:
        code, reply = smtp.mail(self.settings.sender)
        if code not in _OK:
            self._reset(smtp)
            raise MailServerError(
                trouble_text(
                    MailTrouble.REFUSES_SENDER,
                    sender=self.settings.sender,
                    said=f"{code} {self._text(reply)}",
                )
            )
        code, reply = smtp.rcpt(recipient)
        if code not in _OK:
            refusal = self._refusal(MailTrouble.REFUSES_RECIPIENT, code, reply)
            self._reset(smtp)
            raise refusal
        code, reply = smtp.docmd("DATA")
        if code != _GO_ON:
            refusal = self._refusal(MailTrouble.REFUSES_MESSAGE, code, reply, unseen=True)
            self._reset(smtp)
            raise refusal

    def _reset(self, smtp: smtplib.SMTP) -> None:
        """Make the connection fit for another mail. Some servers refuse and hang up: then the next mail makes its own."""
        try:
            smtp.rset()
        except (smtplib.SMTPException, OSError, StopRequestedError):
            self._smtp = None
            smtp.close()

    def _refusal(
        self, what: MailTrouble, code: int, reply: bytes, *, unseen: bool = False
    ) -> MailRefusedError:
        """What a reply means for the mail. `unseen`: the server has taken the recipient, and does not have the message.

        Raises MailServerError if the server leaves.
        """
        text = self._text(reply)
        if code == _CLOSING:
            raise MailServerError(
                trouble_text(MailTrouble.TAKES_NO_MORE, where=self.settings.host, said=f"{code} {text}")
            )
        about_us = is_about_us(code, text)
        of_us = code >= _FINAL and (unseen if about_us is None else about_us)
        of_content = code >= _FINAL and what is MailTrouble.REFUSES_MESSAGE
        if of_us:
            why = trouble_text(MailTrouble.REFUSES_US, said=f"{code} {text}")
            return MailRefusedError(why, final=False, of_us=True, of_content=of_content)
        why = trouble_text(what, said=f"{code} {text}")
        return MailRefusedError(why, final=code >= _FINAL, of_content=of_content)

    def _give(self, smtp: smtplib.SMTP, content: bytes) -> None:
        self._watch.give(len(content))
        try:
            smtp.send(_dotted(content))
            code, reply = smtp.getreply()
        except (smtplib.SMTPException, OSError) as error:
            self._smtp = None
            smtp.close()
            raise OutcomeUnknownError(trouble_text(MailTrouble.LINE_BROKE, said=self._said(error))) from error
        if code not in _OK:
            raise self._refusal(MailTrouble.REFUSES_MESSAGE, code, reply)

    def _text(self, reply: bytes | str) -> str:
        """As one line without secrets, of however many lines it came in."""
        said = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
        return clean(self._redact(" ".join(said.split())), 200)

    def _said(self, error: Exception) -> str:
        if isinstance(error, smtplib.SMTPResponseException):
            return f"{error.smtp_code} {self._text(error.smtp_error)}"
        return self._text(str(error)) or type(error).__name__


def _plain_login(settings: SmtpSettings) -> str:
    """RFC 4616."""
    return f"\0{settings.user}\0{settings.password}"


def _dotted(content: bytes) -> bytes:
    """As SMTP wants it: CRLF, a dot at a line's beginning doubled, a dot alone at the end."""
    lines = content.replace(b"\r\n", b"\n").split(b"\n")
    body = b"\r\n".join(b"." + line if line.startswith(b".") else line for line in lines)
    return body + (b"" if body.endswith(b"\r\n") else b"\r\n") + b".\r\n"

"""One connection to a mail server: its time-outs, its encryption, and what each of its refusals means."""

import smtplib
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from recours.core.text import clean

TIMEOUT_S = 30.0
_OK = frozenset({250, 251})
_GO_ON = 354
_FINAL = 500


class ServerFault(Exception):  # noqa: N818 (the server's or our settings' fault, not a mail's)
    """The server cannot be used, or does not want our mail at all: everything waits. The text is a sentence."""


class Refused(Exception):  # noqa: N818 (a finding about one mail)
    """The server does not take this mail. `final`: and never will."""

    def __init__(self, words: str, *, final: bool) -> None:
        """Keep both."""
        super().__init__(words)
        self.final = final


class Undecidable(Exception):  # noqa: N818 (nobody can know)
    """The line broke after the mail was given away: nobody knows whether the server took it."""


@dataclass(frozen=True)
class SmtpSettings:
    """How the mail server is reached."""

    host: str
    port: int
    security: str  # starttls, tls, none
    user: str
    sender: str
    password: str = field(default="", repr=False)
    ca_file: str | None = None  # certificates to trust, instead of the system's


class SmtpLine:
    """A connection, made when the first mail is offered, and used for all of a run."""

    def __init__(self, settings: SmtpSettings, timeout_s: float = TIMEOUT_S) -> None:
        """Connects nowhere yet."""
        self.settings = settings
        self._timeout_s = timeout_s
        self._smtp: smtplib.SMTP | None = None

    def __enter__(self) -> Self:
        """Nothing: the connection comes with the first mail."""
        return self

    def __exit__(self, *_: object) -> None:
        """Say good-bye; a server that does not listen is left all the same."""
        smtp, self._smtp = self._smtp, None
        if smtp is not None:
            try:
                smtp.quit()
            except (smtplib.SMTPException, OSError):
                smtp.close()

    def log_in(self) -> None:
        """Connect and log in; send nothing. Raises ServerFault."""
        if self._smtp is None:
            self._connected()

    def send(self, recipient: str, content: bytes, before: Callable[[], bool]) -> bool:
        """Give one mail to the server. False if `before`, asked at the last moment, does not want it given.

        Raises ServerFault, Refused, Undecidable.
        """
        smtp = self._smtp or self._connected()
        try:
            self._offer(smtp, recipient)
        except (smtplib.SMTPServerDisconnected, OSError) as error:
            self._smtp = None
            smtp.close()
            raise ServerFault(
                f"The mail server {self.settings.host} broke the connection ({_said(error)})"
            ) from error
        if not before():
            self._smtp = None
            smtp.close()  # the server waits for the message: what is left is to hang up
            return False
        self._give(smtp, content)
        return True

    def _connected(self) -> smtplib.SMTP:
        settings = self.settings
        where = f"The mail server {settings.host}:{settings.port}"
        try:
            smtp = self._logged_in()
        except smtplib.SMTPAuthenticationError as error:
            raise ServerFault(f"{where} refuses the login of {settings.user}: {_said(error)}") from error
        except smtplib.SMTPNotSupportedError as error:
            raise ServerFault(f"{where} does not offer what is asked of it: {_said(error)}") from error
        except ssl.SSLError as error:
            raise ServerFault(f"{where} cannot be reached securely: {_said(error)}") from error
        except (smtplib.SMTPException, OSError) as error:
            raise ServerFault(f"{where} cannot be used: {_said(error)}") from error
        self._smtp = smtp
        return smtp

    def _logged_in(self) -> smtplib.SMTP:
        settings = self.settings
        context = ssl.create_default_context(cafile=settings.ca_file)
        if settings.security == "tls":
            host, port = settings.host, settings.port
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=self._timeout_s, context=context)
        else:
            smtp = smtplib.SMTP(settings.host, settings.port, timeout=self._timeout_s)
        try:
            if settings.security == "starttls":
                smtp.starttls(context=context)
            if settings.user:
                smtp.login(settings.user, settings.password)
        except BaseException:
            smtp.close()
            raise
        return smtp

    def _offer(self, smtp: smtplib.SMTP, recipient: str) -> None:
        smtp.ehlo_or_helo_if_needed()
        code, words = smtp.mail(self.settings.sender)
        if code not in _OK:
            smtp.rset()
            raise ServerFault(
                f"The mail server refuses the sender {self.settings.sender}: {code} {_text(words)}"
            )
        code, words = smtp.rcpt(recipient)
        if code not in _OK:
            smtp.rset()
            raise Refused(f"the server refuses the recipient: {code} {_text(words)}", final=code >= _FINAL)
        code, words = smtp.docmd("DATA")
        if code != _GO_ON:
            smtp.rset()
            raise Refused(f"the server refuses the message: {code} {_text(words)}", final=code >= _FINAL)

    def _give(self, smtp: smtplib.SMTP, content: bytes) -> None:
        try:
            smtp.send(_dotted(content))
            code, words = smtp.getreply()
        except (smtplib.SMTPException, OSError) as error:
            self._smtp = None
            smtp.close()
            raise Undecidable(f"the line broke after the message was given away ({_said(error)})") from error
        if code not in _OK:
            raise Refused(f"the server refuses the message: {code} {_text(words)}", final=code >= _FINAL)


def _dotted(content: bytes) -> bytes:
    """As SMTP wants it: CRLF, a dot at a line's beginning doubled, a dot alone at the end."""
    lines = content.replace(b"\r\n", b"\n").split(b"\n")
    body = b"\r\n".join(b"." + line if line.startswith(b".") else line for line in lines)
    return body + (b"" if body.endswith(b"\r\n") else b"\r\n") + b".\r\n"


def _text(words: bytes | str) -> str:
    return clean(words.decode("utf-8", "replace") if isinstance(words, bytes) else words, 200)


def _said(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{error.smtp_code} {_text(error.smtp_error)}"
    return clean(str(error) or type(error).__name__, 200)

"""A real mail server on loopback, which misbehaves on request."""

import asyncio
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session


class _Smtp(SMTP):
    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802 (aiosmtpd's name)
        if refusal := self.event_handler.refuse_data_command:
            await self.push(refusal)
            return
        await super().smtp_DATA(arg)


class _Controller(Controller):
    def factory(self) -> SMTP:
        return _Smtp(self.handler, **self.SMTP_kwargs)


@dataclass
class MailServer:
    """Stores accepted emails. A `refuse_…` field is a response such as `550 no such user`, or None to accept."""

    user: str = ""
    password: str = ""
    no_mechanisms: list[str] = field(default_factory=list)  # login methods that this server does not offer
    certificate: ssl.SSLContext | None = None
    starttls: bool = False
    refuse_sender: str | None = None
    refuse_recipients: dict[str, str] = field(default_factory=dict)
    refuse_data_command: str | None = None  # response to the DATA command, before the message is sent
    refuse_data: str | None = None  # response after the message was sent
    refuse_files: str | None = None  # like `refuse_data`, only for messages with attachments
    largest: int = 33_554_432  # maximum size of a message in bytes, as announced to clients
    hang_up_at: set[str] = field(default_factory=set)  # recipients at which to close the connection
    drop: bool = False  # disconnect after a refusal, as Exim can be configured to do
    after_data: Callable[[Any], None] = lambda _server: (
        None
    )  # called after a message is accepted, before the response
    taken: list[tuple[str, EmailMessage]] = field(default_factory=list)
    offered: list[str] = field(default_factory=list)  # recipients, regardless of the result
    peers: set[Any] = field(default_factory=set)  # addresses of the clients that offered an email

    def __enter__(self) -> Self:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            self.port = int(unused.getsockname()[1])
        self._controller = _Controller(
            self,
            hostname="127.0.0.1",
            port=self.port,
            ssl_context=None if self.starttls else self.certificate,
            tls_context=self.certificate if self.starttls else None,
            require_starttls=self.starttls,
            authenticator=self._check if self.user else None,
            auth_required=bool(self.user),
            auth_require_tls=False,
            auth_exclude_mechanism=self.no_mechanisms,
            data_size_limit=self.largest,
        )
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()

    @property
    def settings(self) -> dict[str, str]:
        """The settings that make recours use this server without encryption."""
        return {
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(self.port),
            "SMTP_SECURITY": "none",
            "SMTP_FROM": "service@shop.example",
        }

    def _check(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        good = (data.login.decode(), data.password.decode()) == (self.user, self.password)
        return AuthResult(success=good, handled=False)

    async def handle_MAIL(  # noqa: N802 (aiosmtpd's name)
        self, server: Any, session: Session, envelope: Envelope, address: str, _options: Any
    ) -> str:
        self.peers.add(session.peer)
        if self.refuse_sender:
            return self._refused(server, self.refuse_sender)
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(  # noqa: N802 (aiosmtpd's name)
        self, server: Any, _session: Session, envelope: Envelope, address: str, _options: Any
    ) -> str:
        self.offered.append(address)
        if address in self.hang_up_at:
            server.transport.abort()
        if refusal := self.refuse_recipients.get(address):
            return self._refused(server, refusal)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    def _refused(self, server: Any, refusal: str) -> str:
        if self.drop:
            asyncio.get_running_loop().call_soon(server.transport.close)  # after the response
        return refusal

    async def handle_DATA(self, server: Any, _session: Session, envelope: Envelope) -> str:  # noqa: N802 (aiosmtpd's name)
        if self.refuse_data:
            return self.refuse_data
        content = envelope.content or b""
        assert isinstance(content, bytes)  # it is a string only if the controller decodes it
        message = message_from_bytes(content, policy=policy.default)
        if self.refuse_files and list(message.iter_attachments()):
            return self.refuse_files
        self.taken.append((envelope.rcpt_tos[0], message))
        self.after_data(server)
        return "250 OK"

    def recipients(self) -> list[str]:
        return [recipient for recipient, _ in self.taken]


def text_of(message: EmailMessage) -> str:
    part = message.get_body(("plain",))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def html_of(message: EmailMessage) -> str:
    part = message.get_body(("html",))
    assert part is not None
    return str(part.get_content())


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)

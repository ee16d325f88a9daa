"""smtplib against the clock: every step has a deadline, every reply a size, and a run that is to end is not kept.

smtplib's own time-out counts anew for each byte, and it reads lines of a reply as long as any come.
"""

import io
import os
import selectors
import smtplib
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from time import monotonic
from typing import Any, TypeVar

T = TypeVar("T")

# Of one reply. Real ones have some twenty lines (EHLO, a banner with conditions of use).
MOST_LINES = 200
MOST_BYTES = 64 * 1024
# How long the answer about a mail is still waited for when the run is to end: without it, what became of it is unknown.
GRACE_S = 10.0
# The bytes of a mail that a line takes in a second, at least.
SLOWEST = 32 * 1024
_BLOCK = 64 * 1024  # bytes of a mail for which a step's time is allowed
_LOOK_S = 0.2  # how often a wait is looked at
_MAXLINE = 8192


class StopRequestedError(Exception):
    """The run is to end, and the mail has not been given away."""


class Slow(smtplib.SMTPServerDisconnected):
    """The server took too long; the connection is of no use any more."""


class Endless(smtplib.SMTPServerDisconnected):
    """The server sent more than any reply holds; the connection is of no use any more."""


class SmtpDeadlines:
    """The deadlines of one connection, and whether the run goes on."""

    def __init__(
        self, step_s: float, go_on: Callable[[], bool] = lambda: True, clock: Callable[[], float] = monotonic
    ) -> None:
        """`step_s`: for a command and its reply. `go_on`: False when the run is to end."""
        self.step_s = step_s
        self._go_on = go_on
        self._clock = clock
        self._step_ends = self._whole_ends = float("inf")
        self._given = False

    def begin_whole(self, seconds: float) -> None:
        """All the steps from here on take no longer than that together."""
        self._given = False
        self._whole_ends = self._clock() + seconds

    def begin_step(self) -> None:
        """A command is sent now."""
        self._step_ends = self._clock() + self.step_s

    def give(self, size: int = 0) -> None:
        """A mail of so many bytes is given away now: a run that is to end waits a little for the answer."""
        self._given = True
        self._whole_ends += size / SLOWEST

    def look(self) -> float:
        """How long to wait before looking again (seconds). Raises StopRequestedError, Slow."""
        if not self._go_on():
            if not self._given:
                raise StopRequestedError
            self._whole_ends = min(self._whole_ends, self._clock() + GRACE_S)
        left = min(self._step_ends, self._whole_ends) - self._clock()
        if left <= 0:
            raise Slow(f"it timed out (no whole answer within {self.step_s:g} s)")
        return min(left, _LOOK_S)


class _Socket:
    """What smtplib uses of a socket, each wait in small steps."""

    def __init__(self, sock: socket.socket, watch: SmtpDeadlines) -> None:
        self.inner = sock
        self._watch = watch

    def sendall(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            sent = _patiently(self.inner, self._watch, partial(self.inner.send, left))
            left = left[sent:]

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self.inner, self._watch))

    def close(self) -> None:
        self.inner.close()


class _Reader(io.RawIOBase):
    def __init__(self, sock: socket.socket, watch: SmtpDeadlines) -> None:
        super().__init__()
        self._socket = sock
        self._watch = watch

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return _patiently(self._socket, self._watch, partial(self._socket.recv_into, buffer))


def _patiently(sock: socket.socket, watch: SmtpDeadlines, do: Callable[[], T]) -> T:
    while True:
        sock.settimeout(watch.look())
        with suppress(TimeoutError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return do()


class _Tls:
    """What smtplib uses of a TLS context."""

    def __init__(self, context: ssl.SSLContext, watch: SmtpDeadlines) -> None:
        self._context = context
        self._watch = watch

    def wrap_socket(self, sock: _Socket, *, server_hostname: str) -> _Socket:
        self._watch.begin_step()
        wrapped = self._context.wrap_socket(
            sock.inner, server_hostname=server_hostname, do_handshake_on_connect=False
        )
        try:
            _patiently(wrapped, self._watch, wrapped.do_handshake)
        except BaseException:
            wrapped.close()
            raise
        return _Socket(wrapped, self._watch)


class WatchedSmtp(smtplib.SMTP):
    """A connection to a mail server, with TLS from the beginning or not."""

    def __init__(self, host: str, port: int, watch: SmtpDeadlines, tls: ssl.SSLContext | None = None) -> None:
        """Connect, and read the banner. Raises StopRequestedError, OSError, SMTPException."""
        self._watch = watch
        self._tls = _Tls(tls, watch) if tls else None
        super().__init__(host, port)

    def start_tls(self, context: ssl.SSLContext) -> None:
        """As `starttls`. Raises StopRequestedError, OSError, SMTPException."""
        tls: Any = _Tls(context, self._watch)
        self.starttls(context=tls)

    def _get_socket(self, host: str, port: int, _timeout: object) -> _Socket:
        self._watch.begin_step()
        sock = _Socket(_connected(host, port, self._watch), self._watch)
        return self._tls.wrap_socket(sock, server_hostname=host) if self._tls else sock

    def send(self, s: Any) -> None:
        sock: Any = self.sock
        if sock is None:
            raise smtplib.SMTPServerDisconnected("it is not connected")
        content = memoryview(s.encode("ascii") if isinstance(s, str) else s)
        with self._closed_by_a_fault():
            for place in range(0, len(content), _BLOCK):
                self._watch.begin_step()
                sock.sendall(content[place : place + _BLOCK])

    @contextmanager
    def _closed_by_a_fault(self) -> Iterator[None]:
        """Raises StopRequestedError, SMTPServerDisconnected."""
        try:
            yield
        except (StopRequestedError, smtplib.SMTPServerDisconnected):
            self.close()
            raise
        except OSError as error:  # SMTPException is one
            self.close()
            reason = error.strerror or str(error) or type(error).__name__
            raise smtplib.SMTPServerDisconnected(reason) from error

    def getreply(self) -> tuple[int, bytes]:
        """A whole reply: its code, -1 for what is none, and its lines. Raises StopRequestedError, SMTPServerDisconnected."""
        with self._closed_by_a_fault():
            return self._reply()

    def _reply(self) -> tuple[int, bytes]:
        sock: Any = self.sock
        if self.file is None:
            self.file = sock.makefile("rb")
        lines: list[bytes] = []
        size = 0
        while True:
            line = self.file.readline(_MAXLINE + 1)
            if not line:
                raise smtplib.SMTPServerDisconnected("it hung up")
            size += len(line)
            if len(line) > _MAXLINE or size > MOST_BYTES or len(lines) >= MOST_LINES:
                raise Endless("its answer does not end")
            lines.append(line[4:].strip(b" \t\r\n"))
            if not line[:3].isdigit():
                return -1, b"\n".join(lines)
            if line[3:4] != b"-":
                return int(line[:3]), b"\n".join(lines)


def _connected(host: str, port: int, watch: SmtpDeadlines) -> socket.socket:
    """A connection to the first of the host's addresses that takes one. Raises StopRequestedError, OSError."""
    fault: OSError = OSError("the host has no address")
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        sock = socket.socket(family, kind, protocol)
        try:
            _connect(sock, address, watch)
        except BaseException as error:
            sock.close()
            if not isinstance(error, OSError) or isinstance(error, Slow):
                raise
            fault = error
        else:
            return sock
    raise fault


def _connect(sock: socket.socket, address: Any, watch: SmtpDeadlines) -> None:
    sock.setblocking(False)
    try:
        sock.connect(address)
    except BlockingIOError:
        with selectors.DefaultSelector() as selector:
            selector.register(sock, selectors.EVENT_WRITE)
            while not selector.select(watch.look()):
                pass
        if error := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise OSError(error, os.strerror(error)) from None

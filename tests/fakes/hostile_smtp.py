"""Hostile or broken mail servers. Each accepts one connection in a thread."""

import contextlib
import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

BANNER = b"220 mail.example ESMTP\r\n"
FINE = b"250 OK\r\n"
GO_ON = b"354 go on\r\n"
EVERY_S = 0.02


@dataclass
class Hostile:
    """The state of a hostile server."""

    port: int
    sent: int = 0  # bytes sent by `send`
    reached: threading.Event = field(default_factory=threading.Event)  # set when the hostile behavior begins


Behavior = Callable[[Hostile, socket.socket], None]


@contextmanager
def hostile(behave: Behavior) -> Iterator[Hostile]:
    """A server with this behavior."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Hostile(listener.getsockname()[1])

        def serve() -> None:
            with contextlib.suppress(OSError):
                sock, _ = listener.accept()
                with sock:
                    behave(server, sock)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
    thread.join(10)
    assert not thread.is_alive()


def send(server: Hostile, sock: socket.socket, pieces: Iterable[bytes], every_s: float = 0.0) -> None:
    """Send the pieces one by one until the client disconnects."""
    for piece in pieces:
        sock.sendall(piece)
        server.sent += len(piece)
        time.sleep(every_s)


def replying(*replies: bytes, then: Iterable[bytes] = (), every_s: float = 0.0) -> Behavior:
    """A server that sends the first reply as its greeting and one reply to each command, followed by `then`."""

    def behave(server: Hostile, sock: socket.socket) -> None:
        commands = sock.makefile("rb")
        for place, reply in enumerate(replies):
            if place:
                commands.readline()
            sock.sendall(reply)
        if replies:
            while commands.readline() not in (b".\r\n", b"") and replies[-1] == GO_ON:
                pass
        server.reached.set()
        send(server, sock, then, every_s)
        while sock.recv(65536):  # send no more
            pass

    return behave


def trickle(line: bytes = b"2") -> Iterator[bytes]:
    """One byte at a time, and never a complete line."""
    return itertools.repeat(line)


def endless(line: bytes) -> Iterator[bytes]:
    """Lines without end, a hundred at a time."""
    return itertools.repeat(line * 100)


def deaf(server: Hostile, sock: socket.socket) -> None:
    """Read no part of a message, so that only the system's buffers accept data."""
    commands = sock.makefile("rb")
    sock.sendall(BANNER)
    for reply in (FINE, FINE, FINE, GO_ON):
        commands.readline()
        sock.sendall(reply)
    server.reached.set()
    time.sleep(2)  # longer than the client waits

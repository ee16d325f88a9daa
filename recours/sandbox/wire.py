"""Puts answers on a socket, well or badly."""

import os
import socket
import struct
import threading
from dataclasses import dataclass
from http import HTTPStatus

from recours.sandbox.answers import Answer, Manner

PADDING = 30_000_000  # bytes of blanks after an oversized answer
_BLOCK = 64 * 1024
_PHRASES = {status.value: status.phrase for status in HTTPStatus}  # some carriers have statuses of their own


@dataclass(frozen=True)
class Wire:
    """One connection, and the paces of the slow manners in seconds. Every wait ends when `stopping` is set."""

    connection: socket.socket
    stopping: threading.Event
    late: float
    drip: float

    def send(self, answer: Answer, *, last: bool) -> bool:
        """Send an answer and say whether the connection can serve another request.

        `last` announces the end of the connection. RESET is not for here: see `abort`. Raises OSError if the
        client is gone.
        """
        if answer.manner is Manner.SLOW and self.stopping.wait(self.late):
            return False
        body = answer.body
        extra = PADDING if answer.manner is Manner.PADDED else 0
        head = head_of(answer, len(body) + extra, last=last)
        if answer.manner is Manner.TRUNCATED:
            self.connection.sendall(head + body[: len(body) // 2])
            return False
        if answer.manner is Manner.DRIP:
            self.connection.sendall(head)
            return self._drip(body) and not last
        if answer.manner is Manner.DRIP_HEADERS:
            return self._drip(head + body) and not last
        self.connection.sendall(head + body)
        for sent in range(0, extra, _BLOCK):
            self.connection.sendall(b" " * min(_BLOCK, extra - sent))
        return not last

    def _drip(self, data: bytes) -> bool:
        """Send byte by byte; False if the sandbox stopped on the way."""
        for n in range(len(data)):
            self.connection.sendall(data[n : n + 1])
            if self.stopping.wait(self.drip):
                return False
        return True


def head_of(answer: Answer, length: int, *, last: bool) -> bytes:
    """The status line and the headers, up to the empty line."""
    lines = [
        f"HTTP/1.1 {answer.status} {_PHRASES.get(answer.status, 'Refused')}",
        "Server: recours-sandbox",
        f"Content-Type: {answer.content_type}",
        f"Content-Length: {length}",
        *(f"{name}: {value}" for name, value in answer.headers),
        *(["Connection: close"] if last else []),
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def abort(connection: socket.socket) -> None:
    """Close so that the client sees a reset. No file object on the socket may be open any more."""
    # Windows has two shorts where the others have two ints.
    linger = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    connection.close()

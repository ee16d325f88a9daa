"""A carrier that answers with whatever bytes it is told to: what the sandbox is too well-bred to send."""

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self


class RawServer:
    """Listens on loopback; each connection gets one request read and `answer` sent, then its end."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                connection.settimeout(5)
                _read_request(connection)
                connection.sendall(self._answer)


def _read_request(connection: socket.socket) -> None:
    got = b""
    while b"\r\n\r\n" not in got:
        got += connection.recv(65536)
    head, _, body = got.partition(b"\r\n\r\n")
    length = next(
        int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")
    )
    while len(body) < length:
        body += connection.recv(65536)


def http(status: str, body: bytes | str = b"", *headers: str, length: int | None = None) -> bytes:
    """An answer with a length of its own, or a wrong one."""
    content = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(content) if length is None else length}"]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + content


def soap(result: str, operation: str = "searchPOD", declaration: str = "") -> str:
    """An answer of Chronopost's with this in its `return`."""
    return (
        f'{declaration}<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
        f'<n:{operation}Response xmlns:n="http://cxf.tracking.soap.chronopost.fr/"><return>{result}</return>'
        f"</n:{operation}Response></s:Body></s:Envelope>"
    )


def tracked(*events: str) -> str:
    """The answer to the tracking call."""
    return soap(
        f"<errorCode>0</errorCode><listEventInfoComp>{''.join(events)}</listEventInfoComp>", "trackSkybillV2"
    )

"""A healthchecks server on loopback with its pinging API. It misbehaves on request."""

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from tests.planted import MARK

KEY = f"{MARK}-d4c7-4bf5-bcc8-b8d8a82ea278"
Answer = tuple[int, str, dict[str, str]]


@dataclass(frozen=True)
class Ping:
    """A received ping."""

    worker: str
    action: str  # "" for a success
    rid: str
    query: dict[str, list[str]]
    body: str


def well(_ping: Ping) -> Answer:
    return 200, "OK", {}


@dataclass
class Check:
    """Stores the pings. `answer` is the response to each ping; if None, requests hang until the end of the test."""

    answer: Callable[[Ping], Answer | None] = well
    pings: list[Ping] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)  # pings that the real server would reject
    stopped: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        check = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                check._serve(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name)
                """Log nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    @property
    def url(self) -> str:
        """The value for RECOURS_PING_URL, with one check for each worker."""
        return f"http://127.0.0.1:{self._server.server_port}/{KEY}/{{worker}}"

    @property
    def actions(self) -> list[str]:
        return [ping.action for ping in self.pings]

    def _serve(self, request: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(request.path)
        key, worker, *actions = parts.path.lstrip("/").split("/")
        query = parse_qs(parts.query)
        body = request.rfile.read(int(request.headers["Content-Length"] or 0))
        rid = query.get("rid", [""])[0]
        ping = Ping(worker, "/".join(actions), rid, query, body.decode())
        self.pings.append(ping)
        if key != KEY or ping.action not in ("", "start", "fail") or str(UUID(rid)) != rid:
            self.refused.append(request.path)
        answer = self.answer(ping)
        if answer is None:
            self.stopped.wait(30)
            return
        status, text, headers = answer
        with suppress(OSError):  # the client may have disconnected
            request.send_response(status)
            for name, value in headers.items():
                request.send_header(name, value)
            request.send_header("Content-Length", str(len(text)))
            request.end_headers()
            request.wfile.write(text.encode())

"""Serves the page, and ends connections over which nothing comes."""

import os
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from recours.dashboard.app import make_app

# What a visitor has to send a request; a form has its own time.
PATIENCE_S = 20.0
_MOST_CONNECTIONS = 200


def serve(host: str, port: int) -> None:
    """Until Ctrl-C."""
    # Headers of proxies are the page's own to read: which of them may be believed is a setting.
    uvicorn.run(
        make_app(os.environ),
        host=host,
        port=port,
        http=ImpatientProtocol,
        ws="none",
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        h11_max_incomplete_event_size=64_000,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_keep_alive=30,
    )


class ImpatientProtocol(H11Protocol):
    """HTTP with an end to each wait for a request.

    uvicorn waits for ever for the first byte of a connection and for the last one of a request. With as many connections as
    it takes, left open by somebody's network or on purpose, nobody else would see the page until it is started anew.
    """

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.loop.call_later(PATIENCE_S, self._look, None)

    def _look(self, last: object) -> None:
        """End the connection if no request has come since the last look, and none is being answered."""
        is_answering = self.cycle is not None and not self.cycle.response_complete
        if self.cycle is last and not is_answering:
            self.transport.close()  # once what was answered is sent
        if not self.transport.is_closing():
            self.loop.call_later(PATIENCE_S, self._look, self.cycle)

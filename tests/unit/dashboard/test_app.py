"""Connections without a request."""

import asyncio
from typing import Any

import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from recours.dashboard import app
from recours.dashboard.app import TimedProtocol

LONG_S = 10  # only failing waits take this long


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "REQUEST_TIMEOUT_S", 0.02)


async def answer_of(app: Any, sent: bytes) -> bytes:
    """The whole response on a connection over which this is sent, until the server closes it."""
    config = Config(app, http=TimedProtocol, log_level="critical", timeout_keep_alive=LONG_S)
    config.load()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: TimedProtocol(config, ServerState(), {}), "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        try:
            writer.write(sent)
            return await asyncio.wait_for(reader.read(), LONG_S)
        except ConnectionResetError:  # it was closed while this was in transit
            return b""
        finally:
            writer.close()


async def at_once(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"answered"})


async def late(scope: Any, receive: Any, send: Any) -> None:
    """After several checks."""
    done = asyncio.Event()
    asyncio.get_running_loop().call_later(10 * app.REQUEST_TIMEOUT_S, done.set)
    await done.wait()
    await at_once(scope, receive, send)


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: a\r\n"])
def test_a_connection_without_a_complete_request_is_closed(sent: bytes) -> None:
    assert asyncio.run(answer_of(at_once, sent)) == b""


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf",  # answered without reading its body
    ],
)
@pytest.mark.parametrize("app", [at_once, late])
def test_a_half_closed_connection_is_closed_after_the_response(app: Any, sent: bytes) -> None:
    assert b"answered" in asyncio.run(answer_of(app, sent))

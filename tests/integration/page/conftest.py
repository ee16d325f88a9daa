"""The dashboard on both databases, without a browser."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from recours.dashboard.app import make_app
from tests.conftest import environment_of

AT = "http://127.0.0.1:8501"


@dataclass(frozen=True)
class Shown:
    """A response as a visitor sees it."""

    response: httpx2.Response

    @property
    def status(self) -> int:
        return self.response.status_code

    @property
    def html(self) -> str:
        return self.response.text

    @property
    def text(self) -> str:
        """The readable text of the page, with single spaces between words."""
        bare = re.sub(r"<(script|style|svg)\b.*?</\1>", " ", self.html, flags=re.DOTALL)
        return " ".join(unescape(re.sub(r"<[^>]*>", " ", bare)).split())


@dataclass
class PageClient:
    """A visitor on the dashboard's own machine; `headers` are sent with each request."""

    client: TestClient
    peer: str = "127.0.0.1"

    def get(self, path: str, **headers: str) -> Shown:
        return Shown(self.client.get(path, headers=_named(headers)))

    def post(self, path: str, fields: dict[str, Any] | None = None, **headers: str) -> Shown:
        """Submit a form like a browser, and follow redirects."""
        sent = {"Origin": AT, **_named(headers)}
        return Shown(self.client.post(path, data=fields or {}, headers=sent))


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


@pytest.fixture
def environment(url: str, tmp_path: Path) -> dict[str, str]:
    """The settings of the dashboard, which each request reads again."""
    nobody = "http://127.0.0.1:9"  # nothing listens there
    return environment_of(url, nobody) | {
        "RECOURS_HOME": str(tmp_path),
        "RECOURS_LANGUAGE": "en",
        "RECOURS_POD_DIR": str(tmp_path / "pods"),
        "RECOURS_LOG_DIR": str(tmp_path / "logs"),
    }


@pytest.fixture
def visitor(environment: dict[str, str]) -> Iterator[Callable[..., PageClient]]:
    """`visitor()`: a visitor on this machine; `visitor(peer)`: a visitor from that address."""
    app, opened = make_app(environment), []

    def make(peer: str = "127.0.0.1") -> PageClient:
        opened.append(TestClient(app, base_url=AT, client=(peer, 50000), raise_server_exceptions=True))
        return PageClient(opened[-1], peer)

    yield make
    for client in opened:
        client.close()


@pytest.fixture
def page(visitor: Callable[..., PageClient]) -> PageClient:
    return visitor()

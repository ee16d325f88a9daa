"""Holds the requests of every test to the carriers' specifications, and fails the test that one departs from them.

Those that come to a sandbox are checked there, whichever process sent them; those that go to a fake session, by it.
`@pytest.mark.wrong_requests("why")` is for tests that send wrong ones on purpose.
"""

from collections.abc import Generator, Iterator

import pytest

from recours.carriers.message import Request
from recours.sandbox import Sandbox
from recours.sandbox.answers import HttpRequest
from recours.sandbox.registry import SIMULATED
from tests.schemas.specification import Sent, faults_of

_SHOWN = 5

_faults: list[str] = []  # of the test that runs


def check_sent(request: Request, carrier: str | None = None) -> None:
    """Check what a client hands to its session. `carrier`: its key, where it is known."""
    sent = Sent(request.method, request.path, request.headers, request.body or b"", request.origin)
    _faults.extend(faults_of(sent, carrier))


def check_received(request: HttpRequest) -> None:
    """Check what came to a sandbox."""
    carrier = next((one.key for one in SIMULATED if one.owns(request.path)), "any simulated carrier")
    path = f"{request.path}?{request.query}" if request.query else request.path
    _faults.extend(faults_of(Sent(request.method, path, request.headers, request.body), carrier))


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "wrong_requests(why): sends carriers what no specification allows")


@pytest.fixture(scope="session", autouse=True)
def _all_sandboxes() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Sandbox, "on_request", staticmethod(check_received))
        yield
    assert not _faults, _faults  # of what was sent after the last test


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    try:
        result = yield
    finally:
        found = "\n".join(list(dict.fromkeys(_faults))[:_SHOWN])
        _faults.clear()
        item.add_report_section("call", "requests that depart from the specification", found)
    if found and not item.get_closest_marker("wrong_requests"):
        pytest.fail(found, pytrace=False)
    return result

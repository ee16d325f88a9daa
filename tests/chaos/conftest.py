"""Fixtures of the tests in this folder."""

import sys
from collections.abc import Iterator

import pytest

from tests.long_form import IS_LONG
from tests.postgres import Server, running
from tests.processes.forks import Forks, forking

_ON_LINUX = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="runs are forked, and end with their parent"
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests on other systems than Linux, because they fork and kill runs."""
    for item in items:
        if "tests/chaos" in item.nodeid:
            item.add_marker(_ON_LINUX)


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    """A fork server for all tests, because a fork is faster than a new Python process."""
    with forking("tests.chaos.child") as server:
        yield server


@pytest.fixture(scope="session")
def is_long() -> bool:
    """Whether RECOURS_LONG=1 is set."""
    return IS_LONG


@pytest.fixture
def server() -> Iterator[Server]:
    with running(durable=True) as server:
        yield server

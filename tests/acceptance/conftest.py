"""A service on either kind of database, and the person who keeps it."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from recours.sandbox import Sandbox, SimulatedClock
from tests.acceptance.person import Person
from tests.acceptance.simulation import Service
from tests.acceptance.versions_before import PREDECESSORS, Life, Predecessor, checkout_of, installed
from tests.conftest import KINDS, Kind
from tests.fakes.smtp import MailServer


@pytest.fixture
def smtp() -> Iterator[MailServer]:
    with MailServer() as server:
        yield server


@pytest.fixture
def service(tmp_path: Path, url: str, sandbox: Sandbox, clock: SimulatedClock) -> Iterator[Service]:
    service = Service(tmp_path, sandbox, clock, url=url)
    yield service
    service.close()


@pytest.fixture
def person(service: Service, url: str) -> Person:
    return Person.of(service, url)


@pytest.fixture(scope="session", params=PREDECESSORS, ids=lambda commit: commit[:7])
def predecessor(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Predecessor:
    own = tmp_path_factory.getbasetemp()
    is_one_of_several = "PYTEST_XDIST_WORKER" in os.environ
    return checkout_of(request.param, own.parent if is_one_of_several else own)


@pytest.fixture(params=KINDS)
def life(
    request: pytest.FixtureRequest, kinds: Callable[[str], Kind], predecessor: Predecessor, tmp_path: Path
) -> Iterator[Life]:
    with installed(kinds(request.param), predecessor, tmp_path) as life:
        yield life

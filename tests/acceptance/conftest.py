"""A service on either kind of database, and the person who keeps it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from recours.sandbox import Sandbox, SimulatedClock
from tests.acceptance.person import Person
from tests.acceptance.simulation import Service
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

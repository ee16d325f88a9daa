"""Fixtures: a service on either database, and the person who operates recours."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from recours.sandbox import Sandbox, SimulatedClock
from tests.acceptance.person import Person
from tests.acceptance.simulation import FAILED_AT, Service, services
from tests.conftest import Kind
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
def make(
    tmp_path: Path, url: str, sandbox: Sandbox, clock: SimulatedClock
) -> Iterator[Callable[..., Service]]:
    """Factory of services: `make(**settings)`."""
    with services(tmp_path, sandbox, clock, url=url) as make:
        yield make


@pytest.fixture
def mailing(url: str, tmp_path: Path, smtp: MailServer) -> Iterator[Service]:
    """A service with a mail server and an operator, without a weekly report, one minute after a claim has failed."""
    clock = SimulatedClock(FAILED_AT + timedelta(minutes=1))
    with Sandbox(now=clock.now) as box:
        settings = smtp.settings | {"ADMIN_EMAIL": "boss@shop.example", "RECOURS_WEEKLY_REPORT": "false"}
        service = Service(tmp_path, box, clock, url=url, **settings)
        yield service
        service.close()


@pytest.fixture
def person(service: Service, url: str) -> Person:
    return Person.of(service, url)


@pytest.fixture
def typist(tmp_path: Path, kinds: Callable[[str], Kind]) -> Person:
    """A person on one database: typing errors do not depend on the kind of database."""
    return Person(tmp_path, kinds("sqlite").ready(tmp_path).render_as_string())

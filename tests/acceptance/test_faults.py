"""Faults of the environment, each around a real process: none is silent, and none costs a claim an attempt.

A run that met one ends with another status than 0, or its log says what is wrong; afterwards `recours status --check` does
not call that well.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from recours.sandbox import Sandbox, Scenario, SimulatedClock
from tests.acceptance.faults import ON_POSTGRESQL, ON_SQLITE, Inject, Installation, injected
from tests.acceptance.person import Person
from tests.acceptance.simulation import Service
from tests.conftest import Kind

_CLAIMS = 4
OWN_ERROR = re.compile("an internal error")
_PROBLEM = re.compile(r" - \[(WARNING|ERROR)\] - .*", re.MULTILINE)


@pytest.fixture
def installed(
    request: pytest.FixtureRequest,
    kinds: Callable[[str], Kind],
    tmp_path: Path,
    sandbox: Sandbox,
    clock: SimulatedClock,
) -> Iterator[Installation]:
    """An installation with due claims, each of which a healthy run would fetch."""
    kind = kinds(request.param)
    url = kind.ready(tmp_path)
    shown = url.render_as_string(hide_password=False)
    service = Service(tmp_path, sandbox, clock, url=shown)
    for _ in range(_CLAIMS):
        service.add(Scenario.DELIVERED)
    person = Person.of(service, shown)
    yield Installation(service, shown, person.environment)
    service.close()
    kind.drop(url)


WAITS = pytest.mark.full("faults that a run waits half a minute for")
LONG = ("a server that is silent", "a mail server that is silent", "another program's lock on the database")


def cases() -> Iterator[object]:
    for kind, faults in (("sqlite", ON_SQLITE), ("postgresql", ON_POSTGRESQL)):
        for name, inject in faults.items():
            yield pytest.param(kind, inject, id=f"{name}, {kind}", marks=[WAITS] * (name in LONG))


def fetched(installation: Installation) -> int:
    query = "SELECT count(*) FROM claims WHERE pod_fetch_status = 'success'"
    return int(installation.service.sql(query)[0][0])


def test_there_are_thirty_faults_and_more() -> None:
    assert len(ON_SQLITE | ON_POSTGRESQL) >= 30


@pytest.mark.sample("more cases of the same test, each around processes", every=3)
@pytest.mark.parametrize(("installed", "inject"), list(cases()), indirect=["installed"])
def test_no_fault_is_silent_or_costs_an_attempt(installed: Installation, inject: Inject) -> None:
    with injected(inject, installed):
        done = installed.run()
    said, all_fetched = done.stdout + done.stderr, fetched(installed) == _CLAIMS
    assert "Traceback" not in said or OWN_ERROR.search(said), said
    assert not OWN_ERROR.search(said) or done.returncode == 1, said
    assert all_fetched or "No failed PODs eligible for retry" not in said, said
    assert all_fetched or done.returncode or _PROBLEM.search(done.stderr), said
    assert_nothing_is_used_up(installed)
    healthy = Person.of(installed.service, installed.url)
    checked = healthy.types("status", "--check")
    assert all_fetched or checked.returncode == 1, checked.stdout


def assert_nothing_is_used_up(installation: Installation) -> None:
    sql = installation.service.sql
    used = "SELECT count(*) FROM recours_attempts WHERE used AND outcome <> 'success'"
    assert sql(used) == [(0,)]
    spent = "SELECT claim_reference FROM claims WHERE pod_fetch_status <> 'success' AND pod_retry_count <> 0"
    assert sql(spent) == []
    assert sql("SELECT count(*) FROM recours_claims WHERE stage IN ('settled', 'given_up')") == [(0,)]

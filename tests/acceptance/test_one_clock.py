"""All displayed times are in RECOURS_TIMEZONE and name the zone, regardless of the machine's zone."""

import re
from datetime import UTC, datetime

import pytest

from recours.runs.worker import PODRetryScheduler
from recours.sandbox import Scenario, SimulatedClock
from tests.acceptance.person import Person
from tests.acceptance.simulation import FAILED_AT, Service

MACHINE = {"TZ": "Asia/Tokyo", "RECOURS_TIMEZONE": "America/New_York"}
TIME = re.compile(r"\d\d:\d\d(?!:?\d)\S*(?: \w+)?")
COMMANDS = (
    ("status",), ("plan",), ("why", "CLM-0001"), ("pause", "chronopost"), ("pause", "chronopost"), ("carriers",),
    ("why", "CLM-0001"), ("plan",), ("status",), ("resume", "chronopost"), ("carriers",), ("export", "claims"),
    ("prune", "--older-than", "2026-02-02T09:00", "--dry-run"),
)  # fmt: skip


@pytest.fixture
def clock() -> SimulatedClock:
    """The clock of the commands."""
    return SimulatedClock(datetime.now(UTC))


def test_all_commands_show_times_in_one_zone(service: Service, person: Person) -> None:
    service.add(Scenario.UNKNOWN, Scenario.UNKNOWN, failed_at=FAILED_AT)
    service.run(PODRetryScheduler)
    shown = {" ".join(command): person.does(*command, **MACHINE) for command in COMMANDS}
    for command, text in shown.items():
        times = TIME.findall(text)
        assert times or command in ("pause chronopost", "resume chronopost"), command
        assert [time for time in times if not re.search(r" E[SD]T|-0[45]:00", time)] == [], (command, text)
    assert "older than 2 Feb 2026, 09:00 EST" in shown["prune --older-than 2026-02-02T09:00 --dry-run"]

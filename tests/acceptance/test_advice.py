"""Every command that `recours why` suggests is accepted: each one is typed, for claims in every state."""

import re
import shlex
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from recours.sandbox import Scenario, SimulatedClock
from tests.acceptance.person import Person
from tests.acceptance.simulation import Service
from tests.rows import row

UNKNOWN = (Scenario.UNKNOWN,) * 40
GIVEN_UP = "stage = 'given_up', retries_used = 4, seen_count = '4'"
# A claim's columns; whether a run has assessed it; later changes to its rows; the suggested commands.
STATES: dict[str, tuple[dict[str, Any], bool, tuple[str, ...], list[str]]] = {
    "waiting": ({}, True, (), ["retry"]),
    "due": ({}, False, (), ["retry"]),
    "new": ({"pod_fetch_status": "pending"}, True, (), []),
    "no number": ({"tracking_number": None}, True, (), []),
    "no number, new": ({"tracking_number": None, "pod_fetch_status": "pending"}, True, (), []),
    "malformed number": ({"tracking_number": "TRACK938014"}, True, (), []),
    "unknown carrier": ({"carrier": "Pigeon Post"}, True, (), []),
    "settled": ({}, True, ("recours_claims SET stage = 'settled'",), ["retry"]),
    "paid": ({"status": "paid"}, True, (), []),
    "left alone": ({"pod_fetch_status": None}, False, (), ["enroll", "retry"]),
    "left alone, no number": ({"pod_fetch_status": None, "tracking_number": None}, False, (), ["enroll"]),
    "left alone, paid": ({"pod_fetch_status": None, "status": "paid"}, False, (), []),
    "excluded": ({"pod_fetch_status": "manual"}, False, (), ["enroll", "retry"]),
    "excluded, paid": ({"pod_fetch_status": "manual", "status": "paid"}, False, (), []),
    "leased": ({}, True, ("recours_claims SET lease_token = 'x', lease_until = '{soon}'",), []),
    "given up": ({}, True, ("claims SET pod_retry_count = 4", f"recours_claims SET {GIVEN_UP}"), ["reopen"]),
    "given up, paid": (
        {}, True, ("claims SET pod_retry_count = 4, status = 'paid'", f"recours_claims SET {GIVEN_UP}"), [],
    ),
    "given up, corrected": (
        {}, True, ("claims SET pod_retry_count = 4, carrier = 'UPS'", f"recours_claims SET {GIVEN_UP}"), [],
    ),
    "expired": (
        {}, True, ("claims SET pod_retry_count = 4", f"recours_claims SET {GIVEN_UP}, expired_at = since"), ["reopen"],
    ),
    "fetched": ({"pod_fetch_status": "success"}, False, (), []),
    "odd reference": ({"claim_reference": "CLM 7's; x"}, True, (), ["retry"]),
}  # fmt: skip


@pytest.fixture
def clock() -> SimulatedClock:
    """The clock of the commands."""
    return SimulatedClock(datetime.now(UTC))


def commands_in(advice: list[str]) -> list[list[str]]:
    """The words of the suggested commands about a claim."""
    found = [re.search(r"recours ((?:retry|enroll|reopen) .*)", line) for line in advice]
    return [shlex.split(match[1]) for match in found if match]


def test_no_suggested_command_is_rejected(service: Service, person: Person) -> None:
    ago = datetime.now(UTC) - timedelta(days=2)
    ids = {}
    for is_assessed in (True, False):
        for name, (columns, by_run, _, _) in STATES.items():
            if by_run is is_assessed:
                ids[name] = service.add(*UNKNOWN, **({"failed_at": ago} | columns))
        if is_assessed:
            service.run()
    soon = f"{datetime.now(UTC) + timedelta(minutes=9):%Y-%m-%d %H:%M:%S.%f}"
    for name, (columns, _, changes, advised) in STATES.items():
        for change in changes:
            key = "claim_id" if change.startswith("recours_claims") else "id"
            service.sql(f"UPDATE {change.format(soon=soon)} WHERE {key} = ?", ids[name])
        reference = columns.get("claim_reference", f"CLM-{ids[name]:04}")
        with row(name):
            found = person.json("why", reference)
            commands = commands_in(found["advice"])
            assert [command[0] for command in commands] == advised, found["advice"]
            for command in commands:
                done = person.types(*command, "--dry-run")
                assert done.returncode == 0, done.stdout + done.stderr
            assert found["advice"] or found["who_can_act"] is None


def test_the_command_suggested_for_a_paused_carrier_is_accepted(service: Service, person: Person) -> None:
    service.add(*UNKNOWN)
    person.does("pause", "Chronopost")
    (advice,) = person.json("why", "CLM-0001")["advice"]
    assert advice.endswith("recours resume chronopost")
    person.does("resume", "chronopost")

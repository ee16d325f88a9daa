"""Four fleet workers and two crontab lines share a quota while they are killed at random and restarted."""

import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from recours.core.decision import MOST_INTERRUPTIONS
from recours.sandbox import Sandbox, Scenario
from tests.chaos.fleet_crew import Crew
from tests.conftest import Kind
from tests.long_form import IS_LONG
from tests.processes_of_fleet import add_failed, add_pending, recours

pytestmark = pytest.mark.full("kills and restarts of a fleet: tests/acceptance/test_fleet.py stops one")

# No scenario is an outage of the carrier, because an outage would defer claims.
SCENARIOS = (Scenario.DELIVERED, Scenario.DELIVERED, Scenario.UNKNOWN, Scenario.POD_LATE)
GENEROUS = 100_000
_PATIENCE_S = 120.0


@pytest.fixture
def kind(kinds: Callable[[str], Kind]) -> Kind:
    """Only PostgreSQL, because a fleet needs it."""
    return kinds("postgresql")


@pytest.mark.parametrize("repeat", range(100 if IS_LONG else 1))
def test_nothing_is_lost_and_a_claim_is_fetched_twice_only_after_an_unrecorded_kill(
    kind: Kind, tmp_path: Path, repeat: int, *, is_long: bool
) -> None:
    claims, kills = (1200, 24) if is_long else (120, 4)
    luck, began = random.Random(repeat), time.monotonic()
    folder = tmp_path / "world"
    folder.mkdir()
    url = kind.ready(folder)
    plan = Sandbox(port=1)  # only contains the parcels; it does not listen
    limit = (
        claims  # calls: enough for about half of the claims, minus the units that killed processes reserved
    )
    crew = Crew(folder, url, plan.parcels, settings={"QUOTA_CHRONOPOST": f"{limit}/hour"})
    with closing(crew):
        recours(crew.environment(plan), "init-db", "--fleet")
        for n, scenario in enumerate(SCENARIOS):
            add_failed(crew.database, plan, range(n, claims, 2 * len(SCENARIOS)), scenario)
        new = [n for n in range(claims) if n % (2 * len(SCENARIOS)) >= len(SCENARIOS)]
        add_pending(crew.database, plan, new)

        killed = _kill(crew, kills // 2, luck, 2 * limit // 5)
        _wait_until_the_quota_is_used(crew, limit, claims)
        killed += crew.kill_all()
        crew.check_quota_of_windows(limit)
        crew.settings["QUOTA_CHRONOPOST"] = f"{GENEROUS}/hour"
        killed += _kill(crew, kills - kills // 2, luck, claims - 16)
        _wait(crew, lambda: crew.attempted() == claims)
        _wait(crew, lambda: _dead_jobs(crew) == 0)
        crew.stop()

        crew.check_claims()
        crew.check_nothing_is_leased()
        crew.check_quota_of_windows(GENEROUS)
        crew.check_documents_are_requested_once()
        again = _check_repeated_calls(crew)
        interrupted = _check_interrupted(crew)
        print(
            f"repeat {repeat}: {killed} kills of {len(crew.members)} processes; {claims} claims, "
            f"{len(crew.calls())} calls; {again['asked again']} claims asked again and {again['found on disk']} found "
            f"on disk after a kill between call and record; {interrupted} failed after {MOST_INTERRUPTIONS} kills; "
            f"{time.monotonic() - began:.0f} s"
        )
    kind.drop(url)


def _kill(crew: Crew, kills: int, luck: random.Random, until: int) -> int:
    """Kill this many members at random times until `until` claims have an attempt; return the number of kills."""
    crew.fill()
    first = crew.attempted()
    for at in sorted(luck.randint(first, until) for _ in range(kills)):
        _wait(crew, lambda: crew.attempted() >= at)  # noqa: B023 (called at once)
        time.sleep(luck.uniform(0.0, 0.2))
        while not crew.kill_one(luck):
            crew.fill()
    return kills


def _wait(crew: Crew, is_so: Callable[[], bool]) -> None:
    ends = time.monotonic() + _PATIENCE_S
    while not is_so():
        assert time.monotonic() < ends, f"{crew.attempted()} claims attempted, {crew.used()} units used"
        crew.fill()
        time.sleep(0.2)


def _wait_until_the_quota_is_used(crew: Crew, limit: int, claims: int) -> None:
    """Wait until at most one unit remains, which is not enough for any claim."""
    _wait(crew, lambda: crew.used() >= limit - 1 or crew.attempted() == claims)


def _dead_jobs(crew: Crew) -> int:
    """The number of jobs in progress whose process was killed."""
    query = """SELECT count(*) FROM procrastinate_jobs AS job WHERE status = 'doing' AND NOT EXISTS (
        SELECT FROM procrastinate_workers AS worker WHERE worker.id = job.worker_id
        AND last_heartbeat > now() - interval '5 seconds')"""
    with crew.database.read() as connection:
        return int(connection.scalar(text(query)) or 0)


def _check_repeated_calls(crew: Crew) -> Counter[str]:
    """Check that each claim has one attempt and only killed processes left calls unrecorded. Count these cases."""
    attempts = crew.attempts()
    assert {len(attempts[claim["id"]]) for claim in crew.claims()} == {1}
    found: Counter[str] = Counter()
    by_place: Counter[int] = Counter()
    members = crew.members
    for _, asker, recorder in crew.unrecorded():
        found["asked again" if recorder else "found on disk"] += 1
        by_place[members.index(asker)] += 1
    assert all(count <= members[place].maximum_unrecorded for place, count in by_place.items()), by_place
    return found


def _check_interrupted(crew: Crew) -> int:
    """Check the claims that failed because they were in progress in three killed processes; return their number."""
    failed = [claim for claim in crew.claims() if claim["kind"] == "internal_error"]
    assert all("Plusieurs exécutions consécutives" in claim["pod_fetch_error"] for claim in failed)
    assert len(failed) <= sum(member.maximum_unrecorded for member in crew.members) // MOST_INTERRUPTIONS
    return len(failed)

"""Four schedulers share a quota that is too small for them, while processes are killed at random."""

import random
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from recours.core.quota import Window
from recours.database.tables import quota, quota_shares
from recours.sandbox import Scenario
from tests.chaos.crowd import Crowd
from tests.chaos.world import World, world_in
from tests.conftest import START, Kind
from tests.processes.forks import Forks

pytestmark = pytest.mark.full(
    "kills and restarts: tests/chaos/test_enumerated.py and test_clock.py show some of them"
)

# None of them is an outage of the carrier: three of those in a row would end a run early.
STEPS = (
    (Scenario.DELIVERED,),
    (Scenario.DELIVERED,),
    (Scenario.UNKNOWN,),
    (Scenario.POD_LATE,),
    (Scenario.IN_TRANSIT, Scenario.DELIVERED),
)
CONCURRENCY = 2
ARGUMENTS = ("--batch-size", "8", "--concurrency", str(CONCURRENCY))
# In each hour, the quota's window: when killed runs have their leases behind them, and when all have.
MOMENTS = tuple(timedelta(minutes=minutes) for minutes in (0, 12, 24, 36))
QUIET = timedelta(minutes=50)
HOUR = timedelta(hours=1)


def test_nothing_is_lost_and_no_call_is_made_above_the_quota(
    kind: Kind, forks: Forks, tmp_path: Path, *, is_long: bool
) -> None:
    windows, kills, limit, claims = (20, 50, 150, 2600) if is_long else (1, 15, 100, 140)
    luck = random.Random(20260202)
    with world_in(tmp_path / "world", kind, forks, QUOTA_CHRONOPOST=f"{limit}/hour") as world:
        world.box.latency = 0.03
        world.add(STEPS[n % len(STEPS)] for n in range(claims))
        crowd = Crowd(world, ARGUMENTS)
        for n in range(windows):
            start = START + n * HOUR
            killed = 0
            for moment in MOMENTS:
                at, share = start + moment, kills // len(MOMENTS) + (moment == MOMENTS[-1]) * (kills % 4)
                crowd.work(at, partial(Crowd.kill_at_random, kills=share, luck=luck))
                killed += share
            crowd.work(start + QUIET, _until_nothing_can_be_taken(limit))
            _check_window(world, start, limit, killed)
        _finish(world, START + windows * HOUR + HOUR)
        print(f"{windows * kills} kills; statuses {crowd.statuses}; {len(world.box.calls)} calls")
        assert not crowd.paid_twice
        assert set(crowd.statuses) == {0, -9}, crowd.complaints[:3]
        assert crowd.statuses[-9] == windows * kills


def _until_nothing_can_be_taken(limit: int) -> Callable[[Crowd], None]:
    def wait(crowd: Crowd) -> None:
        for _ in range(limit):  # each run takes at least a call, or there is none left
            crowd.fill()
            if _used(crowd.world, crowd.world.clock.now()) >= limit:
                return
            time.sleep(0.1)

    return wait


def _used(world: World, moment: datetime) -> int:
    """The calls of the window that this moment lies in, by the ledger."""
    start, _ = Window(3600).around(moment)
    return sum(row["used"] for row in world.rows(quota_shares) if row["window_start"] == start)


def _check_window(world: World, start: datetime, limit: int, killed: int) -> None:
    received = sum(start <= call.at < start + HOUR for call in world.box.calls)
    used = _used(world, start)
    (taken,) = [row["taken"] for row in world.rows(quota) if row["window_start"] == start]
    assert any(row["stage"] == "ready" for row in world.claims()), "the quota was large enough"
    assert used <= taken <= limit
    assert received <= used
    assert used >= 0.99 * limit, f"only {used} of {limit} calls were used; {taken} taken"
    # A run that dies between taking a call and making it makes none; it has as many in hand as it has threads.
    print(f"{start:%H:%M}: {received} of {limit} calls received, {used} used")
    assert used - received <= killed * CONCURRENCY


def _finish(world: World, at: datetime) -> None:
    """With calls enough, the first run after all leases have ended leaves nothing undone."""
    world.settings["QUOTA_CHRONOPOST"] = "100000/hour"
    ran = world.run(at, "--batch-size", "10000")
    assert ran.status == 0, ran.output[-2000:]
    world.check_claims()
    world.check_nothing_is_held()
    claims = world.claims()
    assert not [row["claim_reference"] for row in claims if row["stage"] == "ready"]
    assert all(row["pod_retry_count"] for row in claims)
    world.check_quota()

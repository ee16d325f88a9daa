"""Runs that use shops' own accounts are killed: one run at every step, and eight concurrent runs at random."""

import json
import random
import signal
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from recours.core.decision import MOST_INTERRUPTIONS
from tests.chaos.crowd import Crowd
from tests.chaos.world import LEASE, World, world_in
from tests.conftest import START, Kind
from tests.processes.forks import Forks
from tests.shops import DEFAULT_ACCOUNT, SHOPS, Contract, Shops, Wanted, account_of, alternate

ONE_AT_A_TIME = ("--concurrency", "1")
AFTER_THE_LEASE = START + LEASE + timedelta(minutes=1)
# Parcels that the shop's account, only the default account, or neither may see, and a shop without an account.
EACH_KIND: list[Wanted] = [
    *((4, "colissimo", contract) for contract in Contract),
    (1, "colissimo", Contract.DEFAULT),
]
# The short form tests every 41st point of the run.
STRIDE = 41

Point = tuple[str, int]


def points_of(kind: Kind, forks: Forks, folder: Path) -> list[Point]:
    """Every boundary of an undisturbed run: the thread, and the boundary's number in the thread."""
    with world_in(folder, kind, forks) as world:
        shops = with_shops(world)
        names = folder / "names.json"
        ran = world.run(START, *ONE_AT_A_TIME, kill_at=None, names=str(names))
        assert ran.status == 0, ran.output
        check(world, shops)
        assert shops.check_callers() == {account_of(4): 3 + 1 + 1, DEFAULT_ACCOUNT: 3 + 1 + 3}
        found: list[Point] = []
        for thread, _ in json.loads(names.read_text(encoding="utf-8")):
            found.append((thread, 1 + sum(one == thread for one, _ in found)))
    return found


def with_shops(world: World, **more: Any) -> Shops:
    shops = Shops(world.database, world.box, **more)
    world.settings |= shops.settings
    shops.add(EACH_KIND, START)
    return shops


def check(world: World, shops: Shops) -> None:
    """Check that all claims are processed and no account was used for a parcel of another account."""
    shops.check_callers()
    shops.check_ends()
    shops.check_counts(killed=True)
    world.check_claims()
    world.check_nothing_is_leased()


@pytest.mark.full("kills at every boundary: tests/chaos/test_enumerated.py has some in make test")
def test_a_run_killed_anywhere_uses_no_other_account(
    kind: Kind, forks: Forks, tmp_path: Path, *, is_long: bool
) -> None:
    points = points_of(kind, forks, tmp_path / "undisturbed")[:: 1 if is_long else STRIDE]
    failures = []
    for n, point in enumerate(points):
        with world_in(tmp_path / str(n), kind, forks) as world:
            shops = with_shops(world)
            try:
                ran = world.run(START, *ONE_AT_A_TIME, kill_at=list(point))
                assert ran.status == -signal.SIGKILL, f"the run never came there: {ran}"
                assert world.run(AFTER_THE_LEASE, *ONE_AT_A_TIME).status == 0
                check(world, shops)
            except AssertionError as error:
                failures.append(f"{point}: {str(error)[:600]}")
    print(f"killed at {len(points)} points")
    assert not failures, "\n".join(failures[:20])


@pytest.mark.full("kills at random: tests/acceptance/test_shops.py has several processes that are not killed")
def test_eight_runs_that_are_killed_at_random_keep_every_accounts_limit(
    kind: Kind, forks: Forks, tmp_path: Path, *, is_long: bool
) -> None:
    count, kills = (1000, 100) if is_long else (150, 12)
    dpd, colissimo, express = count // 60, count // 15, count // 15
    limited = {(4, "dpd"): {"": f"{dpd}/day@UTC"}, (5, "colissimo"): {"": f"{colissimo}/day@UTC"}}
    luck = random.Random(20261127)
    with world_in(tmp_path / "world", kind, forks) as world:
        world.box.latency = 0.03
        shops = Shops(world.database, world.box, limited)
        world.settings |= shops.settings | {"QUOTA_DHL_EXPRESS": f"{express}/day@UTC"}
        shops.add(alternate(count), START)
        crowd = Crowd(world, ("--batch-size", "8", "--concurrency", "2"), size=8)
        # A lease lasts longer than a round, so each round interrupts a claim at most once. With this number of rounds,
        # no claim reaches the number of interruptions at which its attempt fails.
        rounds = MOST_INTERRUPTIONS - 1
        for n in range(rounds):
            at = START + n * timedelta(minutes=12)
            crowd.work(at, partial(Crowd.kill_at_random, kills=kills // rounds, luck=luck))
        at_last = START + timedelta(hours=1)
        assert world.run(at_last, "--batch-size", "10000").status == 0

        assert set(crowd.statuses) == {0, -signal.SIGKILL}, crowd.complaints[:3]
        assert not crowd.paid_twice
        callers = [*shops.check_callers()]
        assert sorted(callers) == sorted(["", DEFAULT_ACCOUNT, *map(account_of, SHOPS)])
        assert len(shops.calls_of("dpd", account_of(4))) <= dpd
        assert len(shops.calls_of("colissimo", account_of(5))) <= colissimo
        assert len(shops.calls_of("dhl_express", DEFAULT_ACCOUNT)) <= express
        shops.check_ends(but=limited.keys() | {(shop, "dhl_express") for shop in SHOPS})
        shops.check_counts(killed=True)
        world.check_claims()
        # If an account is at its limit, claims of a killed run keep their old lease, because no run leases them again.
        world.check_nothing_is_leased(since=at_last)
        print(f"{kills} kills; statuses {crowd.statuses}; {len(world.box.calls)} calls")

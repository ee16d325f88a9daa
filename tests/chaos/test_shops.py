"""Runs that serve shops' own accounts are killed: at every step of one, and at random while eight are at work."""

import random
import signal
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from tests.chaos.crowd import Crowd
from tests.chaos.world import world_in
from tests.conftest import START, Kind
from tests.processes.forks import Forks
from tests.shops import HOUSE, SHOPS, Shops, account_of, in_turn


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
        shops.add(in_turn(count), START)
        crowd = Crowd(world, ("--batch-size", "8", "--concurrency", "2"), size=8)
        for n in range(4):  # when killed runs have their leases behind them
            at = START + n * timedelta(minutes=12)
            crowd.work(at, partial(Crowd.kill_at_random, kills=kills // 4, luck=luck))
        at_last = START + timedelta(hours=1)
        assert world.run(at_last, "--batch-size", "10000").status == 0

        assert set(crowd.statuses) == {0, -signal.SIGKILL}, crowd.complaints[:3]
        assert not crowd.paid_twice
        asked = [*shops.check_callers()]
        assert sorted(asked) == sorted(["", HOUSE, *map(account_of, SHOPS)])
        assert len(shops.calls_of("dpd", account_of(4))) <= dpd
        assert len(shops.calls_of("colissimo", account_of(5))) <= colissimo
        assert len(shops.calls_of("dhl_express", HOUSE)) <= express
        shops.check_ends(but=limited.keys() | {(shop, "dhl_express") for shop in SHOPS})
        shops.check_counts(killed=True)
        world.check_claims()
        # Once an account is at its limit, no run takes up the claims that a killed one had leased.
        world.check_nothing_is_held(since=at_last)
        print(f"{kills} kills; statuses {crowd.statuses}; {len(world.box.calls)} calls")

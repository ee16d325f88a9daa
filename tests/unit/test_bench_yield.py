"""What `make bench-yield` measures with: its populations, and the references that the workers are compared with."""

from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from random import Random
from typing import Any

import pytest

from tests.benchmarks.bench_yield import VARIANTS, Comparison, Yield, differing, misses, summarise
from tests.benchmarks.population import (
    QUOTAS,
    START,
    Case,
    Outage,
    Population,
    Regime,
    populate,
)
from tests.benchmarks.references import Guide, day_of, oracle
from tests.benchmarks.runs_in_memory import RunsInMemory, settings_of

pytestmark = pytest.mark.full("our own tools: a fault of theirs shows when they are used")

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOON = START + timedelta(hours=12)
TINY = Regime("tiny", 3)


def case(n: int = 1, **facts: Any) -> Case:
    """A claim whose proof is there at once; its deadline is in twenty days."""
    usual: dict[str, Any] = {
        "carrier": "chronopost",
        "number": f"XY{n:09d}FR",
        "client": 1,
        "amount": 10.0,
        "created_at": NOON,
        "deadline": day_of(NOON) + 20 * DAY,
        "delivered_at": NOON - DAY,
        "proof_at": NOON - DAY,
    }
    return Case(n, **(usual | facts))


def population(*cases: Case, days: int = 6, outages: tuple[Outage, ...] = ()) -> Population:
    return Population(TINY, 0, cases, outages, START + days * DAY)


class TestGuide:
    def test_retries_after_the_waits_of_the_guide(self) -> None:
        """Asked at 12:00; then after 1, 6, 24 and 72 hours: one proof appears just before each of these times, one after."""
        offsets = [0, 1, 7, 31, 103]
        cases = [
            case(n, number=f"XY{n:09d}FR", proof_at=NOON + hours * HOUR, delivered_at=NOON - DAY)
            for n, hours in enumerate([*offsets, 103.5], 1)
        ]

        harvest = Guide(population(*cases)).run()

        assert harvest.fetched == {n: NOON + hours * HOUR for n, hours in enumerate(offsets, 1)}
        assert harvest.calls_of[6] == 6  # tracked once, and asked for the document five times

    @pytest.mark.parametrize("seed", range(3))
    def test_makes_the_calls_that_the_workers_make_while_there_are_enough(self, seed: int) -> None:
        """Two programs that share nothing but the population: neither order nor quotas matter here."""
        few = replace(populate(TINY, seed), ends=START + 9 * DAY)

        guide, workers = Guide(few).run(), RunsInMemory(few, settings_of({})).run()

        assert guide.calls_of == workers.calls_of
        assert guide.fetched == workers.fetched
        assert guide.asked == workers.asked
        assert len(guide.fetched) > 5


class TestOracle:
    @pytest.mark.parametrize("seed", range(30))
    def test_nobody_can_do_better(self, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(QUOTAS, "chronopost", 2)
        chance = Random(seed)
        cases = []
        for n in range(1, 15):
            proof_at = NOON + chance.randrange(6) * DAY
            deadline = day_of(proof_at) + chance.randrange(-1, 4) * DAY
            cases.append(case(n, proof_at=proof_at, deadline=deadline))

        found = oracle(population(*cases, days=8))

        assert len(found.in_time(population(*cases, days=8))) == len(found.fetched) == _most(cases, calls=2)


def _most(cases: list[Case], calls: int) -> int:
    """How many claims can be given a call of a day on which their proof can be had, by augmenting paths."""
    taken: dict[tuple[date, int], Case] = {}

    def place(one: Case, tried: set[tuple[date, int]]) -> bool:
        assert one.proof_at
        assert one.deadline
        days = [day_of(START) + n * DAY for n in range(9)]
        for slot in (
            (day, n) for day in days if day_of(one.proof_at) <= day <= one.deadline for n in range(calls)
        ):
            if slot in tried:
                continue
            tried.add(slot)
            if slot not in taken or place(taken[slot], tried):
                taken[slot] = one
                return True
        return False

    return sum(place(one, set()) for one in cases)


def test_real_processes_fare_as_the_runs_in_memory() -> None:
    assert differing(Regime("small", 8), VARIANTS[0], days=3) == []


class TestFigures:
    def test_name_each_bound_that_is_missed(self) -> None:
        default, last, everything = VARIANTS
        bad = summarise([comparison(guide=10, found=9, oracle=20, calls=90, unasked=3)], "default")

        assert misses(bad, default, "scarce") == [
            "scarce, default: is below the guide's table with seeds 0",
            "scarce, default: never asks about 3 claims",
        ]
        assert misses(bad, last, "scarce")[0] == "scarce, last attempt: closes -10% of the gap, not 70%"
        assert "10.00 calls per POD" in misses(bad, everything, "scarce")[1]
        good = summarise([comparison(guide=10, found=19, oracle=20, calls=60)], "default")
        assert not any(misses(good, variant, "scarce") for variant in VARIANTS)


def comparison(guide: int, found: int, oracle: int, calls: int = 20, unasked: int = 0) -> Comparison:
    variants = {"default": figures(found, calls=calls, unasked=unasked)}
    return Comparison("light", figures(guide), figures(oracle), variants)


def figures(
    in_time: int, by_client: dict[int, int] | None = None, calls: int = 20, unasked: int = 0
) -> Yield:
    clients = Counter(by_client or {1: in_time})
    return Yield(in_time, 10.0 * in_time, clients, calls, 0, in_time, unasked)

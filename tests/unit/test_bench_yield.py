"""What `make bench-yield` measures with: its populations, and the references that the workers are compared with."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from recours.core.errors import ErrorKind
from tests.benchmarks.bench_yield import VARIANTS, Comparison, Yield, differing, misses, summarise
from tests.benchmarks.population import (
    END,
    QUOTAS,
    REGIMES,
    START,
    ZONE,
    Case,
    Outage,
    Population,
    Regime,
    populate,
)
from tests.benchmarks.references import Guide, Harvest, day_of, oracle
from tests.benchmarks.runs_in_memory import RunsInMemory, missing_settings, settings_of

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


class TestPopulation:
    def test_is_the_same_of_each_seed(self) -> None:
        assert populate(TINY, 1) == populate(TINY, 1)
        assert populate(TINY, 1).cases != populate(TINY, 2).cases

    @pytest.mark.parametrize("regime", REGIMES, ids=lambda regime: regime.name)
    def test_ends_when_every_deadline_is_over(self, regime: Regime) -> None:
        found = populate(regime, 0)

        assert [one.id for one in found.cases] == list(range(1, len(found.cases) + 1))
        assert all(one.created_at <= later.created_at for one, later in pairwise(found.cases))
        assert all(one.created_at < one.ends < END for one in found.cases if one.ends)
        assert sum(one.created_at == START for one in found.cases) == regime.backlog

    def test_has_no_proof_for_the_hopeless(self) -> None:
        cases = populate(REGIMES[1], 0).cases

        assert {one.hopeless for one in cases} > {None, ErrorKind.NOT_FOUND, ErrorKind.INVALID_TRACKING}
        assert all((one.proof_at is None) == (one.hopeless is not None) for one in cases)
        assert all(one.proved(END, END) for one in cases if one.hopeless)
        assert not any(one.proved(END, END) or one.tracked(END) for one in cases if not one.hopeless)


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

    def test_leaves_claims_to_the_next_day_when_the_calls_are_used_up(self) -> None:
        cases = [case(n) for n in range(1, QUOTAS["chronopost"] // 2 + 11)]

        harvest = Guide(population(*cases)).run()

        by_day = Counter(day_of(at) for at in harvest.fetched.values())
        assert by_day == {day_of(NOON): 50, day_of(NOON + DAY): 10}

    def test_confirms_a_persistent_answer_once(self) -> None:
        hopeless = case(proof_at=None, hopeless=ErrorKind.POD_NEVER_AVAILABLE)

        assert Guide(population(hopeless)).run().calls == 3  # tracked once, two answers about the document

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
    def test_has_a_proof_as_soon_as_it_appears(self) -> None:
        late = case(proof_at=NOON + 5 * DAY)

        harvest = oracle(population(late))

        assert harvest.fetched == {1: NOON + 5 * DAY}
        assert harvest.calls == 1

    def test_has_none_after_the_deadline(self) -> None:
        at = datetime.combine(date(2026, 3, 4), datetime.min.time(), ZONE).astimezone(UTC)
        cases = [
            case(1, deadline=date(2026, 3, 3), proof_at=at),
            case(2, deadline=date(2026, 3, 3), proof_at=at - timedelta(seconds=1)),
        ]

        assert set(oracle(population(*cases)).fetched) == {2}

    def test_waits_until_an_outage_is_over(self) -> None:
        outage = Outage("chronopost", NOON - HOUR, NOON + 3 * HOUR)

        assert oracle(population(case(), outages=(outage,))).fetched == {1: NOON + 3 * HOUR}

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
    def test_count_what_was_in_time(self) -> None:
        ends = case().ends
        assert ends
        harvest = Harvest()
        for n, at in enumerate((ends - HOUR, ends, NOON), 1):
            harvest.note(n, at, 2, proof=True)
        cases = [case(1), case(2), case(3, deadline=None)]

        assert harvest.in_time(population(*cases)) == cases[:1]

    def test_are_parts_of_the_gap_over_all_seeds(self) -> None:
        seeds = [comparison(guide=10, found=14, oracle=20), comparison(guide=10, found=9, oracle=10)]

        summary = summarise(seeds, "default")

        assert summary.closed == 0.3
        assert summary.below_guide == [1]

    def test_compare_the_share_of_each_client_with_that_under_the_oracle(self) -> None:
        one = Comparison(
            "light",
            guide=figures(2),
            oracle=figures(20, {1: 10, 2: 10}),
            variants={"default": figures(10, {1: 8, 2: 2})},
        )

        assert summarise([one], "default").least_share == pytest.approx(0.4)

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

    def test_tell_which_settings_a_version_does_not_have(self) -> None:
        assert missing_settings({"RECOURS_LAST_ATTEMPT_HOURS": "", "RECOURS_NO_SUCH": ""}) == [
            "RECOURS_NO_SUCH"
        ]


def comparison(guide: int, found: int, oracle: int, calls: int = 20, unasked: int = 0) -> Comparison:
    variants = {"default": figures(found, calls=calls, unasked=unasked)}
    return Comparison("light", figures(guide), figures(oracle), variants)


def figures(
    in_time: int, by_client: dict[int, int] | None = None, calls: int = 20, unasked: int = 0
) -> Yield:
    clients = Counter(by_client or {1: in_time})
    return Yield(in_time, 10.0 * in_time, clients, calls, 0, in_time, unasked)

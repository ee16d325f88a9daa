"""`make bench-yield`: measure how many of the obtainable proofs the workers obtain before the deadlines.

The workers run over generated populations of four weeks (`population`), in five regimes and with several seeds. Two
references get the same claims and quotas: the guide's table in order of arrival, and an oracle that knows when each
proof appears. The gap is the difference between their proofs, summed over the seeds. The result is the share of it that
the workers close. These runs have a database, carriers and a clock in memory. For one seed of each regime, three weeks
are repeated with real processes, SQLite, HTTP and the simulated carriers, one call at a time. The calls and proofs of
each claim must be identical.

Three special worlds have their own bounds:
- archive: claims are filed weeks after the delivery, and carriers retrieve the proofs from an archive when requested;
- evenings: a carrier fails from 18:00 to 20:00, when last attempts may be due;
- first calls: how long new claims wait for their first call if calls are scarce, and the cost of limiting this wait.

Prints tables and writes the results to tests/benchmarks/yield.json. The exit status is 1 if a bound is missed, or
cannot be measured because this version does not have the setting.
"""

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import product
from math import inf
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

from recours.core import quota
from recours.core.text import plural
from tests.benchmarks.population import (
    ARCHIVE,
    MANY_FAILED,
    QUOTAS,
    REGIMES,
    START,
    Case,
    Population,
    Regime,
    populate,
)
from tests.benchmarks.references import Guide, Harvest, oracle
from tests.benchmarks.runs_in_memory import RunsInMemory, missing_settings, settings_of
from tests.benchmarks.runs_in_processes import RunsInProcesses

SEEDS = 3
FIGURES = Path(__file__).with_name("yield.json")
_DAYS_IN_PROCESSES = 21
_LEAST_SHARE = 0.8  # minimum share of a client's proofs, relative to its share under the oracle
_MOST_CALLS_A_POD = 3.5  # maximum in the scarce regime with all options


@dataclass(frozen=True)
class Variant:
    """A configuration of the workers. `least`: the minimum share of the gap that it must close, by regime."""

    name: str
    settings: Mapping[str, str]
    least: Mapping[str, float] = field(default_factory=dict)


_LAST_ATTEMPT = {"RECOURS_LAST_ATTEMPT_HOURS": "24"}
_DOCUMENT_FIRST = {"CHRONOPOST_DOCUMENT_FIRST": "true", "DHL_EXPRESS_DOCUMENT_FIRST": "true"}
VARIANTS = (
    Variant("default", {}),
    Variant(
        "last attempt",
        _LAST_ATTEMPT,
        {"light": 0.8, "medium": 0.8, "busy": 0.7, "scarce": 0.7, "backlog": 0.8},
    ),
    Variant(
        "everything on", _LAST_ATTEMPT | _DOCUMENT_FIRST, dict.fromkeys([one.name for one in REGIMES], 0.9)
    ),
)


# ---------------------------------------------------------------- one population


@dataclass(frozen=True)
class Yield:
    """The result of one strategy on one population. `in_time`, `amount` and `by_client` need a deadline."""

    in_time: int
    amount: float  # amount in euros of the claims counted in `in_time`
    by_client: Counter[int]
    calls: int
    wasted: int
    fetched: int  # all proofs, including late ones and those of claims without a deadline
    never_called: int  # claims without any call


def measured(population: Population, harvest: Harvest) -> Yield:
    found = harvest.in_time(population)
    return Yield(
        in_time=len(found),
        amount=sum(case.amount for case in found),
        by_client=Counter(case.client for case in found),
        calls=harvest.calls,
        wasted=harvest.wasted,
        fetched=len(harvest.fetched),
        never_called=len(never_called(population.cases, harvest)),
    )


def never_called(cases: Iterable[Case], harvest: Harvest) -> list[Case]:
    """The claims that never got a call although their number is valid."""
    return [case for case in cases if case.can_be_called and case.id not in harvest.first_calls]


@dataclass(frozen=True)
class Comparison:
    """The results for one seed of a regime: both references, and each variant by name."""

    regime: str
    guide: Yield
    oracle: Yield
    variants: Mapping[str, Yield]


def compare(regime: Regime, seed: int, variants: Sequence[Variant]) -> Comparison:
    """Run all strategies on the same population."""
    population = populate(regime, seed)
    ways: dict[str, Callable[[], Harvest]] = {
        variant.name: RunsInMemory(population, settings_of(variant.settings)).run for variant in variants
    }
    return Comparison(
        regime.name,
        measured(population, Guide(population).run()),
        measured(population, oracle(population)),
        {name: measured(population, run()) for name, run in ways.items()},
    )


# ---------------------------------------------------------------- a regime


@dataclass(frozen=True)
class Summary:
    """The results of a variant in a regime, summed over all seeds."""

    guide: int  # the guide's proofs in time
    found: int
    oracle: int
    closed: float  # share of the gap
    below_guide: list[int]  # seeds with fewer proofs than the guide
    calls_a_pod: float
    wasted: float  # share of the calls
    amount: float  # amount in euros, relative to the oracle's
    never_called: int
    least_share: float  # lowest share of a client's proofs, relative to its share under the oracle


def summarize(of_seeds: Sequence[Comparison], name: str) -> Summary:
    guides, oracles = [one.guide for one in of_seeds], [one.oracle for one in of_seeds]
    found = [one.variants[name] for one in of_seeds]
    guide, proofs, best = (sum(one.in_time for one in ways) for ways in (guides, found, oracles))
    calls = sum(one.calls for one in found)
    return Summary(
        guide=guide,
        found=proofs,
        oracle=best,
        closed=(proofs - guide) / (best - guide),
        below_guide=[
            seed
            for seed, (one, ref) in enumerate(zip(found, guides, strict=True))
            if one.in_time < ref.in_time
        ],
        calls_a_pod=calls / sum(one.fetched for one in found),
        wasted=sum(one.wasted for one in found) / calls,
        amount=sum(one.amount for one in found) / sum(one.amount for one in oracles),
        never_called=sum(one.never_called for one in found),
        least_share=_least_share(found, oracles),
    )


def _least_share(found: Iterable[Yield], oracles: Iterable[Yield]) -> float:
    """The lowest ratio between a client's share of all proofs and its share under the oracle."""
    mine, best = (sum((one.by_client for one in ways), Counter[int]()) for ways in (found, oracles))
    return min(mine[client] / mine.total() * best.total() / best[client] for client in best)


def misses(summary: Summary, variant: Variant, regime: str) -> list[str]:
    """A sentence for each missed bound."""
    least = variant.least.get(regime)
    found = []
    if least is not None and summary.closed < least:
        found.append(f"closes {summary.closed:.0%} of the gap, not {least:.0%}")
    if variant.name == "default" and summary.below_guide:
        found.append(f"is below the guide's table with seeds {', '.join(map(str, summary.below_guide))}")
    if regime == "scarce" and variant.name == "everything on" and summary.calls_a_pod > _MOST_CALLS_A_POD:
        found.append(f"spends {summary.calls_a_pod:.2f} calls per POD, more than {_MOST_CALLS_A_POD}")
    if summary.never_called:
        found.append(f"never calls about {summary.never_called} claims")
    if summary.least_share < _LEAST_SHARE:
        found.append(f"gives a client {summary.least_share:.0%} of its share, not {_LEAST_SHARE:.0%}")
    return [f"{regime}, {variant.name}: {miss}" for miss in found]


# ---------------------------------------------------------------- with real processes


def differing(regime: Regime, variant: Variant, days: int = _DAYS_IN_PROCESSES) -> list[str]:
    """References of the first seed's claims whose results differ between real processes and memory.

    With several calls at a time, the order of answers would decide which claims get a day's last calls.
    """
    population = replace(populate(regime, 0), ends=START + timedelta(days=days))
    in_memory = RunsInMemory(population, settings_of(variant.settings)).run()
    real = RunsInProcesses(population, variant.settings, concurrency=1).run()
    return [
        case.reference
        for case in population.cases
        if in_memory.calls_of[case.id] != real.calls_of[case.id]
        or in_memory.fetched.get(case.id) != real.fetched.get(case.id)
    ]


# ---------------------------------------------------------------- worlds with their own bounds


@dataclass(frozen=True)
class Answer:
    """A strategy's result in a world. `figures`: the measurements. `text`: a sentence with them and the bound."""

    name: str
    is_met: bool
    text: str
    figures: Mapping[str, float]


def archive(seed: int) -> dict[str, tuple[int, int]]:
    """The numbers of proofs in time of each variant and of the guide."""
    compared = compare(ARCHIVE, seed, VARIANTS)
    return {name: (found.in_time, compared.guide.in_time) for name, found in compared.variants.items()}


def judge_archive(of_seeds: Sequence[Mapping[str, tuple[int, int]]]) -> list[Answer]:
    answers = []
    for name in of_seeds[0]:
        found, guide = (sum(one[name][place] for one in of_seeds) for place in (0, 1))
        text = f"{found} proofs, no fewer than the guide's {guide}"
        answers.append(Answer(name, found >= guide, text, {"found": found, "guide": guide}))
    return answers


# The values that the manual recommends. With each of them, last attempts are due when the carrier begins to fail.
_EVENING_HOURS = ("24", "30")
_LEAST_IN_EVENINGS = 0.95


def evenings(seed: int) -> dict[str, tuple[int, int]]:
    """The numbers of proofs in time for each time of last attempts, with and without failing evenings."""
    whole = replace(populate(_named("medium"), seed), outages=())
    failing = whole.failing_each_evening(next(iter(QUOTAS)))
    found = {}
    for hours in _EVENING_HOURS:
        settings = settings_of({"RECOURS_LAST_ATTEMPT_HOURS": hours})
        found[f"{hours} h before"] = (
            len(RunsInMemory(failing, settings).run().in_time(failing)),
            len(RunsInMemory(whole, settings).run().in_time(whole)),
        )
    return found


def judge_evenings(of_seeds: Sequence[Mapping[str, tuple[int, int]]]) -> list[Answer]:
    answers = []
    for name in of_seeds[0]:
        failing, whole = (sum(one[name][place] for one in of_seeds) for place in (0, 1))
        text = f"{failing} proofs of {whole} ({failing / whole:.1%}), at least {_LEAST_IN_EVENINGS:.0%}"
        figures = {"failing": failing, "whole": whole}
        answers.append(Answer(name, failing >= _LEAST_IN_EVENINGS * whole, text, figures))
    return answers


_LONGEST_FIRST_CALL_H = 72
_LEAST_WITH_CAP = 0.97


@dataclass(frozen=True)
class FirstCalls:
    """The hours that new claims wait for their first call, and the proofs in time with and without the cap."""

    waited: Sequence[float]
    in_time: int
    without_cap: int


def first_calls(seed: int) -> dict[str, FirstCalls]:
    """The results with scarce calls and the recommended settings, and with many previously failed claims."""
    found = {}
    for regime, variant in ((_named("scarce"), VARIANTS[-1]), (MANY_FAILED, VARIANTS[0])):
        population, settings = populate(regime, seed), settings_of(variant.settings)
        harvest = RunsInMemory(population, settings).run()
        with patch.object(quota, "MOST_KEPT", 1.0):
            without = RunsInMemory(population, settings).run()
        waited = [
            (harvest.first_calls[case.id] - case.created_at) / timedelta(hours=1)
            if case.id in harvest.first_calls
            else inf
            for case in population.cases
            if case.can_be_called and not case.has_failed
        ]
        counts = len(harvest.in_time(population)), len(without.in_time(population))
        found[f"{regime.name}, {variant.name}"] = FirstCalls(waited, *counts)
    return found


def judge_first_calls(of_seeds: Sequence[Mapping[str, FirstCalls]]) -> list[Answer]:
    answers = []
    for name in of_seeds[0]:
        hours = median([hour for one in of_seeds for hour in one[name].waited])
        found = sum(one[name].in_time for one in of_seeds)
        without = sum(one[name].without_cap for one in of_seeds)
        text = (
            f"{hours:.1f} h to half of the first calls, at most {_LONGEST_FIRST_CALL_H}; {found} proofs of {without} "
            f"without the cap ({found / without:.1%}), at least {_LEAST_WITH_CAP:.0%}"
        )
        is_met = hours <= _LONGEST_FIRST_CALL_H and found >= _LEAST_WITH_CAP * without
        figures = {"median_first_call_h": hours, "found": found, "without_cap": without}
        answers.append(Answer(name, is_met, text, figures))
    return answers


WORLDS: Mapping[str, tuple[Callable[[int], Any], Callable[[Sequence[Any]], list[Answer]]]] = {
    "archive": (archive, judge_archive),
    "evenings": (evenings, judge_evenings),
    "first calls": (first_calls, judge_first_calls),
}


def _named(regime: str) -> Regime:
    return next(one for one in REGIMES if one.name == regime)


# ---------------------------------------------------------------- all of it

_HEAD = (
    f"{'regime':<9}{'variant':<15}{'guide':>7}{'found':>7}{'oracle':>8}{'closed':>8}{'below':>7}"
    f"{'calls/POD':>11}{'wasted':>8}{'amount':>8}{'uncalled':>9}{'client':>8}"
)


def _row(regime: str, name: str, one: Summary) -> str:
    return (
        f"{regime:<9}{name:<15}{one.guide:>7}{one.found:>7}{one.oracle:>8}{one.closed:>8.0%}"
        f"{len(one.below_guide):>7}{one.calls_a_pod:>11.2f}{one.wasted:>8.0%}{one.amount:>8.0%}"
        f"{one.never_called:>9}{one.least_share:>8.0%}"
    )


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.bench_yield")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--regime", action="append", choices=[one.name for one in REGIMES])
    parser.add_argument("--world", action="append", choices=[*WORLDS])
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at once")
    parser.add_argument("--in-memory", action="store_true", help="without real processes")
    parser.add_argument("--write", action="store_true", help=f"write {FIGURES.name}")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Print the results. Return 1 if a bound is missed."""
    options, started = _parsed(arguments), time.monotonic()
    is_all = not (options.regime or options.world)
    regimes = [one for one in REGIMES if is_all or one.name in (options.regime or ())]
    worlds = [name for name in WORLDS if is_all or name in (options.world or ())]
    absent = {variant.name: missing_settings(variant.settings) for variant in VARIANTS}
    variants = [variant for variant in VARIANTS if not absent[variant.name]]
    missed = [
        f"{name}: this version has no {', '.join(settings)}" for name, settings in absent.items() if settings
    ]
    with ProcessPoolExecutor(options.jobs) as pool:
        real = (
            {}
            if options.in_memory
            else {one.name: pool.submit(differing, one, variants[-1]) for one in regimes}
        )
        figures = _compare_all(pool, regimes, options.seeds, variants, missed) if regimes else {}
        figures |= _ask_worlds(pool, worlds, options.seeds, missed)
        for name, waited in real.items():
            found = waited.result()
            sentence = f"{plural(len(found), 'claim')} of {name}, {variants[-1].name}, fared otherwise with real processes"
            print(sentence, flush=True)
            missed += [f"{sentence}, such as {found[0]}"] if found else []
    for miss in missed:
        print(f"MISSED {miss}")
    print(f"{options.seeds} seeds in {time.monotonic() - started:.0f} s")
    if options.write:
        FIGURES.write_text(json.dumps({"seeds": options.seeds, **figures}, indent=2) + "\n", encoding="utf-8")
    return int(bool(missed))


def _compare_all(
    pool: ProcessPoolExecutor,
    regimes: Sequence[Regime],
    seeds: int,
    variants: Sequence[Variant],
    missed: list[str],
) -> dict[str, dict[str, Any]]:
    """Print and return the results by regime and variant. Append missed bounds to `missed`."""
    pairs = list(product(regimes, range(seeds)))
    done = pool.map(compare, *zip(*pairs, strict=True), [variants] * len(pairs))
    print(_HEAD)
    figures: dict[str, dict[str, Any]] = {}
    for regime in regimes:
        of_seeds = [next(done) for _ in range(seeds)]
        for variant in variants:
            summary = summarize(of_seeds, variant.name)
            print(_row(regime.name, variant.name, summary), flush=True)
            figures.setdefault(regime.name, {})[variant.name] = vars(summary)
            missed += misses(summary, variant, regime.name)
    return figures


def _ask_worlds(
    pool: ProcessPoolExecutor, worlds: Sequence[str], seeds: int, missed: list[str]
) -> dict[str, dict[str, Any]]:
    """Print and return the results of these worlds. Append missed bounds to `missed`."""
    done = {name: [pool.submit(WORLDS[name][0], seed) for seed in range(seeds)] for name in worlds}
    figures: dict[str, dict[str, Any]] = {}
    for name, of_seeds in done.items():
        for answer in WORLDS[name][1]([one.result() for one in of_seeds]):
            said = f"{name}, {answer.name}: {answer.text}"
            print(f"{said}: {'met' if answer.is_met else 'not met'}", flush=True)
            figures.setdefault(name, {})[answer.name] = {"met": answer.is_met, **answer.figures}
            missed += [] if answer.is_met else [said]
    return figures


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

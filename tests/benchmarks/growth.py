"""`make bench-growth`: measure how costs grow with threads, machines, claims, documents and the database's size.

Results with a bound are ratios within one run if possible, because machines differ in speed and load. The exit status
is 1 if a bound is exceeded. RECOURS_LONG=1 adds the largest sizes.
"""

import json
import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from sqlalchemy import URL, event, select

from recours.app import open_database
from recours.bootstrap import make_worker
from recours.carriers.registry import CATALOG
from recours.database.tables import quota
from recours.runs.worker import Options, PODRetryScheduler
from recours.settings.loading import load
from tests.benchmarks import beside, cost, documents, fleet, plan, searching
from tests.benchmarks.fixtures import (
    CALLS_A_CLAIM,
    SCRIPT,
    WITH_PEAK,
    add_failed,
    add_large,
    carrier,
    environment,
    kinds,
    new_database,
    new_folder,
    numbers,
    scheduler,
)
from tests.benchmarks.looking import add_history, due_claims, status_command, status_of
from tests.benchmarks.rows import Part, Row, least_in_turns, measure
from tests.long_form import IS_LONG

LATENCY_S = 0.1
ROUNDS = 3
MANY = 1_000_000 if IS_LONG else 200_000  # claims

# ---------------------------------------------------------------- threads


def threads() -> Iterator[Row]:
    """The time of a process with 32 threads at a latency of 100 ms, including its start and a first call alone."""
    claims, count = 3_200, 32
    ideal_s = claims * CALLS_A_CLAIM * LATENCY_S / count
    ratio = statistics.median(_seconds_of_run(claims, count) / ideal_s for _ in range(ROUNDS))
    yield Row("32 threads at 100 ms a call: time / that of the calls alone", ratio, 1.15)


def _seconds_of_run(claims: int, threads: int) -> float:
    folder = new_folder()
    with carrier(claims, LATENCY_S) as (url, calls):
        new_database(folder, claims)
        more = {"CHRONOPOST_BASE_URL": url, "RECOURS_CARRIER_CONCURRENCY": str(threads)}
        took, report = scheduler(environment(folder) | more, claims, threads)
        assert report["success"] == claims, report
        assert len(calls()) == claims * CALLS_A_CLAIM
    return took


# ---------------------------------------------------------------- a short window

_A_SECOND = 10  # calls that the carrier allows


def one_waiter() -> Iterator[Row]:
    """The transactions and the used quota of a process with 96 threads and ten calls a second.

    The maximum per second is the database's count, because a call sent at the end of a window may arrive in the next.
    """
    claims = 600 if IS_LONG else 150
    with kinds(durable=True) as new:
        for kind, new_url in new.items():
            waited = _waited(new_url(), claims, threads=96)
            yield Row(f"{kind}: transactions a call", waited["transactions_a_call"], 12)
            share = waited["share_used"]
            yield Row(f"{kind}: share of the allowed calls that is used", share, 0.95, at_least=True)
            yield Row(f"{kind}: most calls of a window", waited["most_of_a_window"], _A_SECOND)


def _waited(database: URL, claims: int, threads: int) -> dict[str, float]:
    folder = new_folder()
    add_failed(database, numbers(claims))
    with carrier(claims, LATENCY_S) as (url, calls):
        variables = environment(
            folder,
            DATABASE_URL=database.render_as_string(hide_password=False),
            CHRONOPOST_BASE_URL=url,
            QUOTA_CHRONOPOST=f"1000000/day,{_A_SECOND}/second",
        )
        settings = replace(
            load(folder, variables, CATALOG), carrier_concurrency=threads
        )  # more threads than the setting allows
        opened = open_database(settings)
        transactions: list[object] = []  # one for each connection checked out
        event.listen(opened.database.engine, "checkout", lambda *_: transactions.append(1))
        options = Options(batch_size=claims, concurrency=threads)
        report = make_worker(PODRetryScheduler, opened, options).run()
        with opened.database.read() as connection:
            rates = connection.scalars(select(quota.c.taken).where(quota.c.limit_key.endswith("/1s"))).all()
        opened.database.close()
        assert report.stats.success == claims, report
        seconds = Counter(map(int, calls()))
    spanned = max(seconds) - min(seconds) + 1
    return {
        "transactions_a_call": len(transactions) / seconds.total(),
        "share_used": seconds.total() / (spanned * _A_SECOND),
        "most_of_a_window": max(rates),
    }


# ---------------------------------------------------------------- the size of the database


def sizes() -> Iterator[Row]:
    """The time of the due query for growing numbers of claims."""
    with kinds() as new:
        for kind, new_url in new.items():
            largest = 10 * MANY if kind == "SQLite" else MANY
            few, many = (add_large(new_url(), count) for count in (10_000, largest))
            with due_claims(few) as (query, everything), due_claims(many) as (large_query, all_of_large):
                works = {
                    "due query": (query, large_query),
                    "all looking for due claims": (everything, all_of_large),
                }
                for words, pair in works.items():
                    small, large = least_in_turns(dict(enumerate(pair)), 41).values()
                    yield Row(f"{kind}: {words}, {largest:,} claims / 10,000", large / small, 2.0)


# ---------------------------------------------------------------- reads


def status() -> Iterator[Row]:
    """The queries of `recours status` and the dashboard: many claims and attempts, relative to ten thousand of each."""
    with kinds() as new:
        for kind, new_url in new.items():
            few, many = (add_history(add_large(new_url(), count), count) for count in (10_000, MANY))
            with status_of(few) as status_of_few, status_of(many) as status_of_many:
                small, large = least_in_turns({"few": status_of_few, "many": status_of_many}, 21).values()
            yield Row(
                f"{kind}: reading for status and the page, {MANY:,} claims / 10,000", large / small, 3.0
            )
            if kind == "SQLite":
                commands = {url: partial(status_command, url) for url in (few, many)}
                small, large = least_in_turns(commands, 9).values()
                yield Row("  `recours status` from start to end", large / small, 3.0)


def search() -> Iterator[Row]:
    """The time of a page of the claims list, for each search and order, among many claims."""
    with kinds() as new:
        for kind, new_url in new.items():
            url = new_url()
            searching.fill(url, MANY)
            slowest = max(page["seconds"] for page in searching.pages(url).values())
            yield Row(f"{kind}: slowest page of {MANY:,} claims, s", slowest, searching.BOUND_S)


# ---------------------------------------------------------------- memory


def memory() -> Iterator[Row]:
    """The peak memory of a run over thousands of claims, relative to a run over 100."""
    peaks = {}
    many = 10_000 if IS_LONG else 3_000
    for claims in (100, many):
        folder = new_folder()
        with carrier(claims, 0.0) as (url, _):
            new_database(folder, claims)
            command = [sys.executable, "-c", WITH_PEAK, str(SCRIPT), "--batch-size", str(claims), "--json"]
            settings = environment(folder) | {"CHRONOPOST_BASE_URL": url, "RECOURS_CARRIER_CONCURRENCY": "8"}
            run = subprocess.run(command, env=settings, check=True, capture_output=True, text=True)
            assert json.loads(run.stdout)["success"] == claims
            peaks[claims] = int(run.stderr.split()[-1]) / 1024
    yield Row(f"peak memory of a run over {many:,} claims, MB", peaks[many])
    yield Row("  the same / over 100", peaks[many] / peaks[100], 1.3)


# ---------------------------------------------------------------- all parts

PARTS: dict[str, Part] = {
    "threads": threads,
    "one waiter": one_waiter,
    "memory": memory,
    "sizes": sizes,
    "status": status,
    "search": search,
    "service": beside.service,
    "idle": beside.idle,
    "adoption": beside.adoption,
    "plan": plan.rows,
    "documents": documents.rows,
    "a claim": cost.of_a_claim,
    "quota": cost.of_quota,
    "fleet": fleet.throughput,
    "defer": fleet.defer,
}

if __name__ == "__main__":
    sys.exit(measure(PARTS, sys.argv[1:]))

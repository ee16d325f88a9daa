"""The cost of each step of a claim (lease, reserve, call, store, record), and of the start and end of a run.

These counts are exact: SQL statements (except those that begin, end or set up a transaction), write transactions, syncs
of transactions and files to disk, and bytes written by this process. CPU times are those of the process's threads.
"""

import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from typing import Any
from unittest.mock import patch

import psycopg
from sqlalchemy import URL, event

from recours.app import open_database
from recours.bootstrap import make_worker
from recours.carriers.chronopost import Chronopost
from recours.carriers.http import HttpSession
from recours.carriers.queue import APIRequestQueue
from recours.carriers.registry import CATALOG
from recours.database.claims import ClaimRepository
from recours.database.engine import Database
from recours.database.quota import QuotaTables
from recours.evidence.store import DocumentStore
from recours.runs.engine import Engine
from recours.runs.leasing import Leasing
from recours.runs.recorder import Recorder
from recours.runs.worker import Options, PODRetryScheduler
from recours.sandbox import Scenario
from recours.settings.loading import load
from tests.benchmarks.fixtures import (
    add_failed,
    carrier,
    cpu_of_children,
    environment,
    kinds,
    new_folder,
    numbers,
    plain,
    scheduler,
)
from tests.benchmarks.rows import Row

# The steps of a claim, outermost first. If steps are nested, the cost counts for the inner step.
_PARTS = {
    (Engine, "run"): "threads",
    (Leasing, "next"): "lease",
    (APIRequestQueue, "reserve"): "reserve",
    (QuotaTables, "give_back"): "reserve",
    (Chronopost, "fetch"): "call",
    (HttpSession, "call"): "call",
    (DocumentStore, "store"): "keep",
    (DocumentStore, "make_durable"): "keep",
    (Recorder, "conclude"): "record",
    (ClaimRepository, "record"): "record",
}
OF_A_CLAIM = ("lease", "reserve", "call", "keep", "record", "threads")
_LATENCY_S = 0.05
_MANY = 300
_FEW = 20
_SERVER = "SELECT xact_commit, pg_current_wal_lsn() - '0/0'::pg_lsn FROM pg_stat_database WHERE datname = current_database()"


Counts = defaultdict[str, float]  # a count for each part


def _counts() -> Counts:
    return defaultdict(float)


@dataclass
class Costs:
    """The costs of each part of a run, over all threads."""

    statements: Counts = field(default_factory=_counts)
    writes: Counts = field(default_factory=_counts)
    syncs: Counts = field(default_factory=_counts)
    bytes: Counts = field(default_factory=_counts)
    cpu_s: Counts = field(default_factory=_counts)
    _here: threading.local = field(default_factory=threading.local)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    @property
    def part(self) -> str:
        """The part that this thread is in."""
        stack = self._stack()
        return str(stack[-1]) if stack else "begin and end"

    def add(self, counts: Counts, more: float = 1) -> None:
        with self._guard:
            counts[self.part] += more

    def _stack(self) -> list[str]:
        if not hasattr(self._here, "stack"):
            is_main = threading.current_thread() is threading.main_thread()
            self._here.stack = [] if is_main else ["threads"]
            self._here.seen = time.thread_time(), _written()
        stack: list[str] = self._here.stack
        return stack

    def settle(self) -> None:
        """Add the thread's costs since the previous call of this method to its current part."""
        self._stack()
        cpu_s, written = self._here.seen
        self.add(self.cpu_s, time.thread_time() - cpu_s)
        self.add(self.bytes, _written() - written)
        self._here.seen = time.thread_time(), _written()

    @contextmanager
    def within(self, part: str) -> Iterator[None]:
        self.settle()
        self._stack().append(part)
        try:
            yield
        finally:
            self.settle()
            self._stack().pop()


def _written() -> int:
    """The bytes that this thread has written to files, including writes to the cache. Linux only."""
    with open("/proc/thread-self/io", "rb", buffering=0) as file:  # noqa: PTH123 (a Path would cost more than the read)
        return int(file.read().split(b"wchar:")[1].split(None, 1)[0])


@contextmanager
def _watched(costs: Costs) -> Iterator[None]:
    """Count the costs of recours in the block."""
    with contextmanager(_all_patched)(costs):
        costs.settle()
        yield
        costs.settle()


def _all_patched(costs: Costs) -> Iterator[None]:
    patches: list[Any] = [
        patch.object(kind, name, _as_part(getattr(kind, name), part, costs))
        for (kind, name), part in _PARTS.items()
    ]
    patches.append(patch.object(Database, "write", _counted(costs)))
    fsync = os.fsync

    def counted_fsync(file: int) -> None:
        costs.add(costs.syncs)
        fsync(file)

    patches.append(patch.object(os, "fsync", counted_fsync))
    for each in patches:
        each.start()
    try:
        yield
    finally:
        for each in patches:
            each.stop()


def _as_part(function: Callable[..., Any], part: str, costs: Costs) -> Callable[..., Any]:
    @wraps(function)
    def call(*args: Any, **named: Any) -> Any:
        with costs.within(part):
            return function(*args, **named)

    return call


def _counted(costs: Costs) -> Callable[..., Any]:
    """Count write transactions. On a server, each transaction waits for the disk."""
    write = Database.write

    @contextmanager
    def call(database: Database, **named: Any) -> Iterator[Any]:
        with write(database, **named) as connection:
            costs.add(costs.writes)
            if named.get("durable") or not database.is_sqlite:
                costs.add(costs.syncs)
            yield connection

    return call


def _costs(url: URL, count: int, at_once: int, address: str) -> tuple[Costs, float]:
    """The costs of a run over this many Chronopost claims, and CPU milliseconds per claim, with child processes."""
    add_failed(url, numbers(count))
    folder, costs = new_folder(), Costs()
    database_url = url.render_as_string(hide_password=False)
    settings = load(
        folder,
        environment(
            folder,
            DATABASE_URL=database_url,
            CHRONOPOST_BASE_URL=address,
            RECOURS_CARRIER_CONCURRENCY=str(at_once),
        ),
        CATALOG,
    )
    opened = open_database(settings)
    event.listen(opened.database.engine, "before_cursor_execute", lambda *_: costs.add(costs.statements))
    worker = make_worker(PODRetryScheduler, opened, Options(count, concurrency=at_once))
    before = time.process_time() + cpu_of_children()
    with _watched(costs):
        report = worker.run()
    spent = time.process_time() + cpu_of_children() - before
    assert report.stats.success + report.stats.failed == count, report
    opened.database.close()
    return costs, 1000 * spent / count


def _server(url: URL) -> tuple[int, int]:
    """Committed transactions and bytes of the write-ahead log so far. Waits, because statistics are a second late."""
    time.sleep(1.5)
    with psycopg.connect(plain(url), autocommit=True) as connection:
        commits, written = connection.execute(_SERVER).fetchone() or (0, 0)
        return int(commits), int(written)


BOUNDS = {
    ("delivered", 1): 7,
    ("delivered", 8): 5,
    ("in transit", 1): 6,
    ("in transit", 8): 4,
}


def rows() -> Iterator[Row]:
    """The costs of claims delivered or in transit, one by one and eight at once, on both databases."""
    with kinds(durable=True) as databases:
        for scenario, words in ((Scenario.DELIVERED, "delivered"), (Scenario.IN_TRANSIT, "in transit")):
            for count, at_once in ((40, 1), (300, 8)):
                latency_s = _LATENCY_S if at_once > 1 else 0.0
                with carrier(count, latency_s, scenario) as (address, _):
                    for kind, new in databases.items():
                        yield from _rows_of(
                            f"{kind}, {words}, {at_once} at once", new(), count, at_once, address
                        )


def _rows_of(words: str, url: URL, count: int, at_once: int, address: str) -> Iterator[Row]:
    is_sqlite = url.get_backend_name() == "sqlite"
    scenario = words.split(", ")[1]
    before = (0, 0) if is_sqlite else _server(url)
    costs, cpu_ms = _costs(url, count, at_once, address)
    of_claim = [part for part in OF_A_CLAIM if costs.cpu_s[part]]
    total = sum(costs.statements[part] for part in of_claim)
    yield Row(f"{words}: statements a claim", total / count, BOUNDS[scenario, at_once])
    writes = sum(costs.writes[part] for part in of_claim)
    yield Row("  transactions that write", writes / count, 3.5 if scenario == "delivered" else None)
    yield Row("  waits for the disk", sum(costs.syncs[part] for part in of_claim) / count)
    yield Row("  KB written by this process", sum(costs.bytes[part] for part in of_claim) / count / 1000)
    if not is_sqlite:
        after = _server(url)
        yield Row("  commits of the whole run", (after[0] - before[0]) / count)
        yield Row("  write-ahead log, KB", (after[1] - before[1]) / count / 1000)
    yield Row("  CPU of the whole run, ms, with its counting", cpu_ms)
    for part in of_claim:
        figures = (costs.statements[part], costs.writes[part], costs.syncs[part])
        each = ", ".join(f"{figure / count:.2f}" for figure in figures)
        kilobytes = costs.bytes[part] / count / 1000
        yield Row(
            f"  {part}: CPU ms ({each} statements, writes, waits; {kilobytes:.1f} KB)",
            1000 * costs.cpu_s[part] / count,
        )
    rest = "begin and end"
    yield Row(f"  {rest} of the run: statements", costs.statements[rest])
    yield Row(f"  {rest} of the run: CPU, ms", 1000 * costs.cpu_s[rest])


def cpu_of_a_claim(rounds: int = 3) -> Iterator[Row]:
    """The CPU time of one more delivered claim and its child processes, in a separate run without other counts."""
    with kinds(durable=True) as databases, carrier(_MANY, 0.0) as (address, _):
        for kind, new in databases.items():
            pairs = [
                (_cpu_of_run(new(), _MANY, address), _cpu_of_run(new(), _FEW, address)) for _ in range(rounds)
            ]
            many, few = (min(column) for column in zip(*pairs, strict=True))
            yield Row(f"{kind}: CPU of one more delivered claim, ms", (many - few) / (_MANY - _FEW), 6.5)
            yield Row("  of a run over 20 claims, ms", few)


def _cpu_of_run(database: URL, count: int, address: str) -> float:
    add_failed(database, numbers(count))
    url = database.render_as_string(hide_password=False)
    settings = environment(new_folder(), CHRONOPOST_BASE_URL=address, DATABASE_URL=url)
    before = cpu_of_children()
    _, report = scheduler(settings, count, 8)
    spent = cpu_of_children() - before
    assert report["success"] == count, report
    return 1000 * spent

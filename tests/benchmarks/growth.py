"""`make bench-growth`: how the cost grows with threads, processes, claims, and the size of the database.

Prints tables and writes the figures to tests/benchmarks/growth.json. Every figure is a ratio within one
run of this program: machines differ and are never quiet. RECOURS_LONG=1: up to the largest sizes.
"""

import contextlib
import json
import os
import platform
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import URL, event, make_url, select

from recours.carriers.chronopost import SPEC, Chronopost
from recours.carriers.http import Http, HttpSession
from recours.carriers.registry import CATALOG
from recours.core.carrier import Catalog
from recours.core.claim import Stage
from recours.core.outcome import Label, Retrieved
from recours.database.claims import ClaimRepository
from recours.database.engine import Database, SystemClock
from recours.database.schema.creation import complete
from recours.database.schema.inspection import look
from recours.database.tables import attempts, quota
from recours.documents.store import DocumentStore
from recours.runs.leasing import Leased, Leasing, Limits
from recours.runs.recorder import Recorder
from recours.runs.retry import PODRetryScheduler
from recours.runs.source import DueClaims
from recours.runs.summary import Stats
from recours.runs.worker import Options
from recours.settings.loading import load
from recours.wiring.databases import open_database
from recours.wiring.recording import Unlimited
from recours.wiring.workers import make_worker
from tests.benchmarks import fleet, searching
from tests.benchmarks.bench import (
    CALLS_A_CLAIM,
    INSERT_LARGE,
    NOW,
    ROOT,
    SCRIPT,
    STAGES,
    WITH_PEAK,
    environment,
    failed_claims,
    large_rows,
    looking,
    new_database,
)
from tests.benchmarks.compare import fsync_ms
from tests.benchmarks.looking import fill_postgres, fill_sqlite, looks, whole_processes
from tests.fakes.many_lanes import Slice, account_lane, catalog_of, catalog_of_clients, lane_name
from tests.long_form import IS_LONG
from tests.postgres import running

LATENCY_S = 0.1
ROUNDS = 3  # of what has a bound
_ROUNDS_OF_PROCESSES = 5

# The simulated carriers work in a process of their own, so that their work is not counted as ours.
_CARRIER = """
import sys
from datetime import UTC, datetime
from recours.sandbox import Parcel, Sandbox, Scenario
with Sandbox(now=lambda: datetime.now(UTC), latency=float(sys.argv[2])) as box:
    for n in range(int(sys.argv[1])):
        box.parcels[f"XY{n:09d}FR"] = Parcel((Scenario.DELIVERED,))
    print(box.url, flush=True)
    sys.stdin.read()
    print([call.at.timestamp() for call in box.calls], flush=True)
"""


@contextmanager
def carrier(claims: int, latency_s: float) -> Iterator[tuple[str, Callable[[], list[float]]]]:
    """A simulated carrier; its address, and what ends it and tells when it received each call (seconds)."""
    command = [sys.executable, "-c", _CARRIER, str(claims), str(latency_s)]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        stdin, stdout = process.stdin, process.stdout

        def calls() -> list[float]:
            stdin.close()
            received: list[float] = json.loads(stdout.readline())
            return received

        try:
            yield stdout.readline().strip(), calls
        finally:
            process.kill()


def schedulers(
    given: dict[str, str], processes: int, claims: int, threads: int
) -> tuple[float, list[dict[str, Any]]]:
    """So many schedulers at once over what is due: seconds until the last has ended, and their reports."""
    command = [
        sys.executable,
        str(SCRIPT),
        "--json",
        "--batch-size",
        str(claims),
        "--concurrency",
        str(threads),
    ]
    begun = time.perf_counter()
    started = [
        subprocess.Popen(command, env=given, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        for _ in range(processes)
    ]
    reports = [json.loads(process.communicate()[0]) for process in started]
    return time.perf_counter() - begun, reports


# ---------------------------------------------------------------- threads


def threads() -> dict[str, Any]:
    """One process, from one thread to many, at a latency of 100 ms: the time against that of the calls alone.

    Whole processes, their start included: half a second, and the first claim's calls alone until the account is known to
    be accepted. The throughput, for which there is a bound, is that of a run in which these do not count for much.
    """
    ratios = {count: _against_ideal(25 * count, count) for count in (1, 2, 4, 8, 16, 32, 64)}
    at_32 = {
        claims: statistics.median(_against_ideal(claims, 32) for _ in range(ROUNDS))
        for claims in (1_600, 4_800)
    }
    return {"ratios": ratios, "ratios_at_32": at_32, "ratio": at_32[4_800], "bound": 1.15}


def _against_ideal(claims: int, threads: int) -> float:
    ideal_s = claims * CALLS_A_CLAIM * LATENCY_S / threads
    return float(_run_over(claims, threads, LATENCY_S)["seconds"] / ideal_s)


@cache
def _scratch() -> tempfile.TemporaryDirectory[str]:
    """Deleted when this program ends: ext4 is slow to make files for some five minutes after thousands were deleted."""
    return tempfile.TemporaryDirectory(prefix="recours-bench-")


def _new_folder() -> Path:
    return Path(tempfile.mkdtemp(dir=_scratch().name))


def _run_over(claims: int, threads: int, latency_s: float) -> dict[str, Any]:
    folder = _new_folder()
    with carrier(claims, latency_s) as (url, calls):
        new_database(folder, claims)
        more = {"CHRONOPOST_BASE_URL": url, "RECOURS_CARRIER_CONCURRENCY": str(threads)}
        took, (report,) = schedulers(environment(folder) | more, 1, claims, threads)
        assert report["success"] == claims, report
        assert len(calls()) == claims * CALLS_A_CLAIM
    return {"seconds": took, "of_run": report["duration_s"]}


def no_latency(threads: int = 16) -> dict[str, Any]:
    """Claims a second without any latency, against the same loop without a database; in turns, so that noise hits both."""
    claims = 3000
    pairs = [(_run_over(claims, threads, 0.0)["of_run"], _bare_loop(claims, threads)) for _ in range(ROUNDS)]
    of_run, bare = (statistics.median(column) for column in zip(*pairs, strict=True))
    return {
        "claims_a_second": claims / of_run,
        "without_database": claims / bare,
        "ratio": of_run / bare,
        "bound": 300,
    }


_ACCOUNT = {"CHRONOPOST_ACCOUNT": "10000001", "CHRONOPOST_PASSWORD": "123456"}


def _bare_loop(claims: int, threads: int) -> float:
    """Seconds of fetching and storing alone."""
    with carrier(claims, 0.0) as (url, _):
        http, client, store = Http(url, 5, 10, 30), Chronopost(_ACCOUNT), DocumentStore(_new_folder())

        def fetch(n: int) -> None:
            line = HttpSession(SPEC.name, Unlimited(), http, SystemClock(), lambda: 0.0, client.wait_asked)
            got = client.fetch(f"XY{n:09d}FR", None, line)
            assert isinstance(got, Retrieved), got
            store.store(Label("chronopost", n, f"CLM-{n}", f"XY{n:09d}FR"), got)

        begun = time.perf_counter()
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(fetch, range(claims)))
        return time.perf_counter() - begun


# ---------------------------------------------------------------- a short window

_A_SECOND = 10  # calls that the carrier allows


def one_waiter() -> dict[str, Any]:
    """96 threads of one process at ten calls a second: transactions for each call, all of the run's counted.

    The most calls of a second are those that the carrier received, by the clock that both share, and those of the
    database's windows. A call that is sent at the end of a window may be received in the next one.
    """
    claims = 600 if IS_LONG else 200
    with running(durable=True) as server:
        found = {
            kind: _waited(claims, threads=96, server=server if kind == "postgresql" else None)
            for kind in ("sqlite", "postgresql")
        }
    return {
        "of": found,
        "bounds": {"transactions_a_call": 12, "share_used": 0.95, "most_a_second": _A_SECOND},
    }


def _waited(claims: int, threads: int, server: Any) -> dict[str, float]:
    folder = _new_folder()
    with carrier(claims, LATENCY_S) as (url, calls):
        given = environment(folder) | {
            "CHRONOPOST_BASE_URL": url,
            "QUOTA_CHRONOPOST": f"1000000/day,{_A_SECOND}/second",
        }
        if server:
            given |= {"DATABASE_URL": _filled(server, "waited", claims)}
            del given["DATABASE_PATH"]
        else:
            new_database(folder, claims)
        settings = replace(
            load(folder, given, CATALOG), carrier_concurrency=threads
        )  # more than one run may have
        opened = open_database(settings)
        transactions: list[object] = []  # each has a connection of its own
        event.listen(opened.database.engine, "checkout", lambda *_: transactions.append(1))
        options = Options(batch_size=claims, concurrency=threads)
        report = make_worker(PODRetryScheduler, settings, opened, options).run()
        with opened.database.read() as connection:
            taken = connection.scalars(select(quota.c.taken).where(quota.c.limit_key.endswith("/1s"))).all()
        opened.database.close()
        assert report.stats.success == claims, report
        seconds = Counter(map(int, calls()))
    spanned = max(seconds) - min(seconds) + 1
    return {
        "transactions_a_call": len(transactions) / seconds.total(),
        "share_used": seconds.total() / (spanned * _A_SECOND),
        "most_a_second": max(seconds.values()),
        "most_of_a_window": max(taken),
        "seconds": spanned,
    }


# ---------------------------------------------------------------- processes


def processes() -> dict[str, Any]:
    """One, two and four processes on one database of each kind, a carrier that answers at once: claims a second.

    `whole`: from the start of the first process to the end of the last. `steady`: while the middle six tenths of the
    claims were begun, without the start of the processes, which those that live long do not count. Medians of rounds in
    turns.
    """
    claims = 2000 if IS_LONG else 800
    rates: dict[tuple[str, int], list[tuple[float, float]]] = defaultdict(list)
    with running(durable=True) as server:
        for n in range(_ROUNDS_OF_PROCESSES):
            for count in (1, 2, 4):
                for kind in ("postgresql", "sqlite"):
                    is_server = kind == "postgresql"
                    url = _filled(server, f"of_{count}_{n}", claims) if is_server else None
                    rates[kind, count].append(_in_processes(url, count, claims))
                    print(f"{kind}, {count}: {rates[kind, count][-1]}, {conditions()}", flush=True)
    whole, steady = (
        {
            kind: {
                count: statistics.median(one[place] for one in found)
                for (of, count), found in rates.items()
                if of == kind
            }
            for kind, _ in rates
        }
        for place in (0, 1)
    )
    ratio = steady["postgresql"][4] / steady["postgresql"][1]
    return {"claims": claims, "whole": whole, "steady": steady, "ratio": ratio}


def _in_processes(url: str | None, count: int, claims: int) -> tuple[float, float]:
    """Of so many processes over a database, a new file if it has no address: claims a second, whole and steady."""
    folder = _new_folder()
    with carrier(claims, 0.0) as (address, calls):
        given = environment(folder) | {
            "CHRONOPOST_BASE_URL": address,
            "RECOURS_CARRIER_CONCURRENCY": "8",
            "DATABASE_URL": url or f"sqlite:///{new_database(folder, claims)}",
        }
        del given["DATABASE_PATH"]
        took, reports = schedulers(given, count, claims, 8)
        assert sum(report["success"] for report in reports) == claims, reports
        assert len(calls()) == claims * CALLS_A_CLAIM
    with closing(Database(make_url(given["DATABASE_URL"]))) as database, database.read() as connection:
        begun = list(connection.scalars(select(attempts.c.started_at).order_by(attempts.c.started_at)))
    first, last = claims // 5, claims * 4 // 5
    return claims / took, (last - first) / (begun[last] - begun[first]).total_seconds()


def _filled(server: Any, name: str, claims: int) -> str:
    url = _new_postgres(server, name)
    columns = "claim_reference, tracking_number, created_at, updated_at, pod_fetch_status, pod_fetch_error, order_id, carrier, dispute_type, amount_requested"
    _copy(url, columns, ((*row, "o", "Chronopost", "lost", 10) for row in failed_claims(claims)))
    return url.render_as_string(hide_password=False)


def _new_postgres(server: Any, name: str) -> URL:
    with psycopg.connect(_plain(server.url()), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    url: URL = server.url(name)
    with closing(Database(url)) as database:
        complete(database)
    return url


def _plain(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def _copy(url: URL, columns: str, rows: Iterator[tuple[Any, ...]]) -> None:
    with psycopg.connect(_plain(url)) as connection, connection.cursor() as cursor:
        names = sql.SQL(", ").join(map(sql.Identifier, columns.split(", ")))
        with cursor.copy(sql.SQL("COPY claims ({}) FROM STDIN").format(names)) as copy:
            for row in rows:
                copy.write_row(row)
        connection.commit()
        connection.autocommit = True
        cursor.execute("ANALYZE claims")


# ---------------------------------------------------------------- the size of the database


def sizes() -> dict[str, Any]:
    """The due query, and all looking of a run, among ever more claims."""
    most = (
        {"sqlite": 10_000_000, "postgresql": 1_000_000}
        if IS_LONG
        else {"sqlite": 1_000_000, "postgresql": 100_000}
    )
    found: dict[str, dict[int, dict[str, float]]] = {kind: {} for kind in most}
    with running() as server:
        for kind, largest in most.items():
            count = 1_000
            while count <= largest:
                with tempfile.TemporaryDirectory() as name:
                    url = (
                        _large_sqlite(Path(name), count)
                        if kind == "sqlite"
                        else _large_postgres(server, count)
                    )
                    found[kind][count] = looking(url)
                count *= 10
    ratios = {
        kind: medians[most[kind]]["query"] / medians[10_000]["query"] for kind, medians in found.items()
    }
    return {"seconds": found, "largest": most, "ratios": ratios, "bound": 2.0}


def _large_sqlite(folder: Path, count: int, stages: Sequence[str] = STAGES) -> URL:
    path = new_database(folder, 0)
    with closing(sqlite3.connect(path)) as connection:
        connection.executemany(INSERT_LARGE, large_rows(count, stages))
        connection.commit()
    return URL.create("sqlite", database=str(path))


def _large_postgres(server: Any, count: int, stages: Sequence[str] = STAGES) -> URL:
    url = _new_postgres(server, f"large_{count}_{len(stages)}")
    names = INSERT_LARGE[INSERT_LARGE.index("(") + 1 : INSERT_LARGE.index(")")]
    constant = {"order_id": "o", "carrier": "Chronopost", "dispute_type": "lost", "amount_requested": 10,
                "pod_carrier_key": "chronopost", "pod_seen_carrier": "Chronopost", "pod_interruptions": 0}  # fmt: skip
    columns = [name.strip() for name in names.split(",")]
    varying = [name for name in columns if name not in constant]
    _copy(
        url,
        ", ".join([*varying, *constant]),
        ((*row, *constant.values()) for row in large_rows(count, stages)),
    )
    return url


def taking() -> dict[str, Any]:
    """Taking 30 claims for a run, with the quota for their calls, out of ever more that are ready: milliseconds.

    Half of the claims are the other worker's, and those of them that have a nearer deadline are looked for.
    """
    counts, stages = (10_000, 1_000_000), ("ready", "new", "new", "ready")
    with tempfile.TemporaryDirectory() as name, running(durable=True) as server:
        urls: dict[str, dict[int, URL]] = {"sqlite": {}, "postgresql": {}}
        for count in counts:
            (Path(name) / str(count)).mkdir()
            urls["sqlite"][count] = _large_sqlite(Path(name) / str(count), count, stages)
            urls["postgresql"][count] = _large_postgres(server, count, stages)
        load, fsync = os.getloadavg()[0], fsync_ms(Path(name))
        found = {kind: {count: _taken(url) for count, url in of.items()} for kind, of in urls.items()}
    ratios = {kind: of[counts[1]] / of[counts[0]] for kind, of in found.items()}
    return {"milliseconds": found, "ratios": ratios, "bound": 2.0, "load": load, "fsync_ms": fsync}


def _taken(url: URL, rounds: int = 15) -> float:
    """The median of some runs' taking."""
    given = _ACCOUNT | {
        "DATABASE_URL": url.render_as_string(hide_password=False),
        "QUOTA_CHRONOPOST": "900000/day",
    }
    settings = load(ROOT, given, CATALOG)
    opened = open_database(settings)
    took = []
    with closing(opened.database):
        for _ in range(rounds):
            worker = make_worker(PODRetryScheduler, settings, opened, Options(batch_size=30), mails=False)
            deps, now = worker.deps, worker.deps.clock.now()
            recorder = Recorder(deps.claims, deps.clock, deps.policy, Stats(), worker.run_id, lambda at: at,
                                asked=False, token=worker.run_id, documents=deps.documents)  # fmt: skip
            limits = Limits(30, 30, 30, timedelta(hours=1), Stage.NEW)
            source = DueClaims(deps.claims, Stage.READY)
            leasing = Leasing(deps, worker.catalog, limits, recorder, source, lambda: True)
            taken: list[Leased] = []
            begun = time.perf_counter()
            leasing.open(source.ready(now, 30))
            while len(taken) < 30:
                taken.extend(one for bundle in leasing.next() for one in bundle)
            took.append(1000 * (time.perf_counter() - begun))
            leasing.hand_back(taken)
    return statistics.median(took)


# ---------------------------------------------------------------- looking


def status() -> dict[str, Any]:
    """What the operator's desk reads, among a million claims and a million attempts against ten thousand of each."""
    counts = (10_000, 1_000_000)
    with tempfile.TemporaryDirectory() as name, running() as server:
        folders = {count: Path(name) / str(count) for count in counts}
        files, urls = {}, {}
        for count, folder in folders.items():
            folder.mkdir()
            files[count] = _large_sqlite(folder, count)
            fill_sqlite(folder / "bench.db", count)
            urls[count] = _large_postgres(server, count)
            fill_postgres(_plain(urls[count]), count)
        seconds = {"sqlite": looks(files), "postgresql": looks(urls)}
        for count, process in whole_processes(folders).items():
            seconds["sqlite"][count]["whole process"] = process
    ratios = {
        kind: {name: large / of[10_000][name] for name, large in of[1_000_000].items()}
        for kind, of in seconds.items()
    }
    counted = {"sqlite": ratios["sqlite"]["whole process"], "postgresql": ratios["postgresql"]["status"]}
    return {"seconds": seconds, "all_ratios": ratios, "ratios": counted, "bound": 3.0}


def search() -> dict[str, Any]:
    """A page of the list of claims, however it is searched and sorted, among a million claims."""
    claims = searching.CLAIMS
    with tempfile.TemporaryDirectory() as name, running() as server:
        path = new_database(Path(name), 0)
        urls = {
            "sqlite": URL.create("sqlite", database=str(path)),
            "postgresql": _new_postgres(server, "searched"),
        }
        for url in urls.values():
            searching.fill(url, claims)
        found = {kind: searching.pages(url) for kind, url in urls.items()}
    slowest = {kind: max(page["seconds"] for page in pages.values()) for kind, pages in found.items()}
    return {
        "claims": claims,
        "of": found,
        "slowest": slowest,
        "bound": searching.BOUND_S,
        "load": os.getloadavg()[0],
    }


# ---------------------------------------------------------------- memory


def memory() -> dict[str, Any]:
    """The most memory of a run over 10,000 claims, against that of one over 100."""
    peaks = {}
    for claims in (100, 10_000):
        folder = _new_folder()
        with carrier(claims, 0.0) as (url, _):
            new_database(folder, claims)
            command = [sys.executable, "-c", WITH_PEAK, str(SCRIPT), "--batch-size", str(claims), "--json"]
            given = environment(folder) | {"CHRONOPOST_BASE_URL": url, "RECOURS_CARRIER_CONCURRENCY": "8"}
            done = subprocess.run(command, env=given, check=True, capture_output=True, text=True)
            assert json.loads(done.stdout)["success"] == claims
            peaks[claims] = int(done.stderr.split()[-1]) / 1024
    return {"megabytes": peaks, "ratio": peaks[10_000] / peaks[100], "bound": 1.3}


# ---------------------------------------------------------------- a fleet


def of_fleet(measure: Callable[[Any], dict[str, Any]]) -> Callable[[], dict[str, Any]]:
    """On a server that waits for the disk."""

    def measured() -> dict[str, Any]:
        with running(durable=True) as server:
            return measure(server)

    return measured


# ---------------------------------------------------------------- many lanes

LANES, ACCOUNTS = 10_000, 1_000
_READY = 100_000  # claims, in all lanes
_BUNDLES = 200


@dataclass(frozen=True)
class _Lanes:
    """Lanes with as many ready claims each."""

    catalog: Catalog
    of: Callable[
        [int], tuple[str, str, int | None]
    ]  # the carrier, the key and the client of a claim in the n-th lane
    count: int


def many_lanes() -> dict[str, Any]:
    """Finding what is ready, and leasing a bundle, among 10,000 carriers with ten ready claims each: milliseconds."""
    return _of_lanes(_Lanes(catalog_of(LANES), lambda n: (lane_name(n), lane_name(n).lower(), None), LANES))


def many_accounts() -> dict[str, Any]:
    """The same among 1,000 clients' accounts at one carrier with a hundred ready claims each."""
    lanes = _Lanes(catalog_of_clients(ACCOUNTS), lambda n: ("Chronopost", account_lane(n), n + 1), ACCOUNTS)
    return _of_lanes(lanes)


def _of_lanes(lanes: _Lanes) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name, running(durable=True) as server:
        urls = {
            "sqlite": _sqlite_of_lanes(Path(name), lanes),
            "postgresql": _postgres_of_lanes(server, lanes),
        }
        load, fsync = os.getloadavg()[0], fsync_ms(Path(name))
        found = {kind: _finding_and_leasing(url, lanes) for kind, url in urls.items()}
    return {"milliseconds": found, "load": load, "fsync_ms": fsync, "bounds": {"finding": 100, "bundle": 10}}


def _finding_and_leasing(url: URL, lanes: _Lanes) -> dict[str, float]:
    with closing(Database(url)) as database:
        catalog = lanes.catalog
        claims = ClaimRepository(database, catalog, look(database).columns, "slice", "bench")
        finding = [_milliseconds(lambda: claims.ready_by_carrier(Stage.READY, NOW, 30)) for _ in range(9)]
        leased = Slice(claims, catalog, SystemClock(), Limits(LANES, 8, 4, timedelta(hours=1)))
        bundles = []
        for _ in range(_BUNDLES):
            bundles.append(_milliseconds(leased.next))
            while leased.under_way:
                leased.end()
    return {
        "finding": statistics.median(finding),
        "bundle": statistics.median(bundles),
        "bundle, p95": statistics.quantiles(bundles, n=20)[-1],
    }


def _milliseconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - begun)


def _rows_of_lanes(lanes: _Lanes) -> Iterator[tuple[Any, ...]]:
    """Ready claims in no order, half of them with a deadline and a sixth past their rank; among as many that are done."""
    chance, stamp = Random(1), "%Y-%m-%d %H:%M:%S.%f"
    failed = (NOW - timedelta(days=2)).strftime(stamp)
    for n in range(2 * _READY):
        rank = NOW + timedelta(seconds=chance.randint(-200_000, 1_000_000))
        status, stage = ("failed", "ready") if n % 2 else ("success", None)
        number, (carrier, key, client) = f"XY{n:09d}FR", lanes.of(n // 2 % lanes.count)
        yield (
            f"CLM-{n:07d}", number, failed, failed, "o", carrier, "lost", 10, status, stage, key, 1, None,
            failed, rank.strftime(stamp), chance.randint(0, 1), rank.date().isoformat(), status, number, carrier, 1,
            rank.date().isoformat(), 0, client,
        )  # fmt: skip


_COLUMNS_OF_LANES = INSERT_LARGE[INSERT_LARGE.index("(") + 1 : INSERT_LARGE.index(")")] + ", client_id"


def _sqlite_of_lanes(folder: Path, lanes: _Lanes) -> URL:
    path, places = new_database(folder, 0), ", ".join("?" for _ in _COLUMNS_OF_LANES.split(","))
    with closing(sqlite3.connect(path)) as connection:
        connection.executemany(
            f"INSERT INTO claims ({_COLUMNS_OF_LANES}) VALUES ({places})", _rows_of_lanes(lanes)
        )
        connection.commit()
    return URL.create("sqlite", database=str(path))


def _postgres_of_lanes(server: Any, lanes: _Lanes) -> URL:
    url = _new_postgres(server, "lanes")
    with psycopg.connect(_plain(url)) as connection:
        connection.execute(
            "INSERT INTO clients (id, email) SELECT n, 'shop' || n FROM generate_series(1, %s) n",
            [lanes.count],
        )
    _copy(url, ", ".join(name.strip() for name in _COLUMNS_OF_LANES.split(",")), _rows_of_lanes(lanes))
    return url


# ---------------------------------------------------------------- the tables

_PARTS: dict[str, Callable[[], dict[str, Any]]] = {
    "threads": threads,
    "no latency": no_latency,
    "one waiter": one_waiter,
    "memory": memory,
    "sizes": sizes,
    "taking": taking,
    "status": status,
    "search": search,
    "processes": processes,
    "fleet": of_fleet(lambda server: fleet.throughput(server, ROUNDS)),
    "defer": of_fleet(fleet.defer),
    "fleet memory": of_fleet(fleet.memory),
    "many lanes": many_lanes,
    "many accounts": many_accounts,
}


def conditions() -> str:
    """How busy this machine is just now, and how long its disk takes."""
    taken = []
    with (_new_folder() / "probe").open("wb") as file:
        for _ in range(20):
            begun = time.perf_counter()
            file.write(bytes(8192))
            file.flush()
            os.fsync(file.fileno())
            taken.append(time.perf_counter() - begun)
    return f"load {os.getloadavg()[0]:.1f}, fsync {statistics.median(taken) * 1000:.1f} ms"


def main(names: list[str]) -> None:
    """Measure and show; `names`: some parts only."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.system()}")
    figures = {}
    for name, measure in _PARTS.items():
        if not names or name in names:
            print(f"{name}, {conditions()}", flush=True)
            figures[name] = measure()
            print(f"{name}: {json.dumps(figures[name])}", flush=True)
    target = Path(__file__).with_name("growth.json")
    with contextlib.suppress(OSError, ValueError):
        figures = json.loads(target.read_text(encoding="utf-8")) | figures
    target.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    print(f"All figures: {target.relative_to(ROOT)}")


if __name__ == "__main__":
    main(sys.argv[1:])

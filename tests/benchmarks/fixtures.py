"""Shared setup of the benchmarks: a simulated carrier, a run, databases with claims."""

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import URL

from recours.database.engine import Database
from recours.database.schema.creation import complete, create_file
from recours.sandbox import Sandbox, Scenario
from tests.at_commit import ROOT
from tests.postgres import Server, running
from tests.postgres import execute as execute_on_server

SCRIPT = ROOT / "scripts" / "pod_retry_scheduler.py"
NOW = datetime.now(UTC).replace(microsecond=0)
CALLS_A_CLAIM = 2


# ---------------------------------------------------------------- processes


def environment(folder: Path, box: Sandbox | None = None, **more: str) -> dict[str, str]:
    """The environment of a scheduler's process. Python may store bytecode, as in an installation."""
    inherited = {
        name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "TEMP", "TMP") if name in os.environ
    }
    settings = {
        "DATABASE_URL": f"sqlite:///{folder / 'bench.db'}",
        "RECOURS_LOG_DIR": str(folder / "logs"),
        "RECOURS_POD_DIR": str(folder / "pods"),
        "QUOTA_CHRONOPOST": "1000000/day",
        "CHRONOPOST_ACCOUNT": "10000001",
        "CHRONOPOST_PASSWORD": "123456",
    }
    return inherited | settings | ({"CHRONOPOST_BASE_URL": box.url} if box else {}) | more


def timed(command: list[str], environment: dict[str, str]) -> float:
    """Run a process, and return the seconds from its start to its end."""
    started = time.perf_counter()
    subprocess.run(command, env=environment, check=True, capture_output=True)
    return time.perf_counter() - started


WITH_PEAK = """
import runpy, sys
sys.argv = sys.argv[1:]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
finally:
    peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    print(peak.split()[1], file=sys.stderr)
"""


# The simulated carriers run in a separate process, so that their work is not counted as ours.
_CARRIER = """
import sys
from datetime import UTC, datetime
from recours.sandbox import Parcel, Sandbox, Scenario
with Sandbox(now=lambda: datetime.now(UTC), latency=float(sys.argv[2])) as box:
    for n in range(int(sys.argv[1])):
        box.parcels[f"XY{n:09d}FR"] = Parcel((Scenario(sys.argv[3]),))
    print(box.url, flush=True)
    sys.stdin.read()
    print([call.at.timestamp() for call in box.calls], flush=True)
"""


@contextmanager
def carrier(
    claims: int, latency_s: float, scenario: Scenario = Scenario.DELIVERED
) -> Iterator[tuple[str, Callable[[], list[float]]]]:
    """Yield a simulated carrier's address, and a function that ends it and returns the time of each call in seconds."""
    command = [sys.executable, "-c", _CARRIER, str(claims), str(latency_s), scenario]
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


def scheduler(settings: dict[str, str], claims: int, threads: int) -> tuple[float, dict[str, Any]]:
    """Run the scheduler over this many claims, and return the seconds and the report."""
    batch = ["--batch-size", str(claims), "--concurrency", str(threads), "--json"]
    started = time.perf_counter()
    run = subprocess.run(
        [sys.executable, str(SCRIPT), *batch],
        env=settings,
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - started, json.loads(run.stdout)


def cpu_of_children() -> float:
    """CPU seconds of this process's children that have ended."""
    times = os.times()
    return times.children_user + times.children_system


def cpu_of_all() -> float:
    """CPU seconds of this process and all its descendants, including a server. Linux only."""
    times: dict[int, float] = {}
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # the process has just ended, and its parent has its times
            facts = path.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            pid = int(path.parent.name)
            parents[pid], times[pid] = int(facts[1]), sum(map(int, facts[11:15]))
    ours, found = 0.0, [os.getpid()]
    while found:
        pid = found.pop()
        ours += times.get(pid, 0.0)
        found += [child for child, parent in parents.items() if parent == pid]
    return ours / os.sysconf("SC_CLK_TCK")


@cache
def _scratch() -> tempfile.TemporaryDirectory[str]:
    """A folder that is deleted only at exit, because ext4 is slow for minutes after thousands of files are deleted."""
    return tempfile.TemporaryDirectory(prefix="recours-bench-")


def new_folder() -> Path:
    return Path(tempfile.mkdtemp(dir=_scratch().name))


# ---------------------------------------------------------------- databases

_numbers = count(1)


@contextmanager
def kinds(*, durable: bool = False) -> Iterator[dict[str, Callable[[], URL]]]:
    """Functions that create a new database of each kind. `durable`: the server waits for the disk."""
    with running(durable=durable) as server:
        yield {"SQLite": new_sqlite, "PostgreSQL": partial(new_postgres, server)}


def new_sqlite() -> URL:
    path = new_folder() / "bench.db"
    create_file(path)
    return URL.create("sqlite", database=str(path))


def new_postgres(server: Server) -> URL:
    name = f"bench_{next(_numbers)}"
    execute_on_server(server.url(), f"CREATE DATABASE {name}")
    url = server.url(name)
    with closing(Database(url)) as database:
        complete(database)
    return url


def plain(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def insert(url: URL, table: str, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> None:
    """Add rows. On PostgreSQL also vacuum and analyze the table, as autovacuum would do later."""
    names = ", ".join(columns)
    if url.get_backend_name() == "sqlite":
        with closing(sqlite3.connect(str(url.database))) as file:
            file.executemany(
                f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' for _ in columns)})", rows
            )
            file.commit()
        return
    with (
        psycopg.connect(plain(url)) as connection,
        connection.cursor().copy(f"COPY {table} ({names}) FROM STDIN") as copy,
    ):
        for row in rows:
            copy.write_row(row)
    with psycopg.connect(plain(url), autocommit=True) as connection:
        connection.execute(f"VACUUM (ANALYZE) {table}")


_FAILED = (
    "claim_reference", "tracking_number", "carrier", "created_at", "updated_at", "pod_fetch_status", "pod_fetch_error",
    "order_id", "dispute_type", "amount_requested",
)  # fmt: skip


def add_failed(url: URL, numbers: Iterable[str], carrier: str = "Chronopost") -> None:
    """Add claims as the service creates them, due now."""
    at = f"{NOW - timedelta(hours=2):%Y-%m-%d %H:%M:%S}"
    rows = (
        (f"CLM-{n:07d}", number, carrier, at, at, "failed", "API timeout", "o", "lost", 10)
        for n, number in enumerate(numbers)
    )
    insert(url, "claims", _FAILED, rows)


def numbers(claims: int) -> Iterator[str]:
    return (f"XY{n:09d}FR" for n in range(claims))


def new_database(folder: Path, claims: int) -> Path:
    """Create the database file `bench.db` with this many due claims."""
    path = folder / "bench.db"
    path.unlink(missing_ok=True)
    create_file(path)
    add_failed(URL.create("sqlite", database=str(path)), numbers(claims))
    return path


STAGES = (*["success"] * 3, *["waiting"] * 3, *["given_up"] * 3, "ready")


STAMP = "%Y-%m-%d %H:%M:%S.%f"
_FAILED_AT = (NOW - timedelta(days=2)).strftime(STAMP)
_SERVICE = (
    "claim_reference", "tracking_number", "created_at", "updated_at", "pod_fetch_status", "pod_retry_count",
    "response_deadline", "order_id", "carrier", "dispute_type", "amount_requested", "status", "client_id",
)  # fmt: skip
_OWN = (
    "claim_id", "stage", "lane", "retries_used", "attempts", "next_at", "failed_at", "rank_at", "rank_is_deadline",
    "written_at", "seen_fetch_status", "seen_number", "seen_carrier", "seen_count", "seen_client", "seen_reference",
    "seen_claim_status", "seen_deadline",
)  # fmt: skip


@dataclass(frozen=True)
class KeptClaim:
    """A claim and recours's row for it, which does not exist for a finished claim. Times are strings."""

    stage: str  # "success" for a finished claim
    rank_at: str
    is_deadline: bool = False
    deadline: str | None = None
    next_at: str | None = None
    client: int | None = None
    lane: str = "chronopost"
    written_at: str = _FAILED_AT

    def service_row(self, n: int) -> tuple[Any, ...]:
        """The service's row of the n-th claim, counted from 0."""
        return (
            f"CLM-{n:07d}", f"XY{n:09d}FR", _FAILED_AT, _FAILED_AT, self._status, self._retries, self.deadline, "o",
            "Chronopost", "lost", 10, "open", self.client,
        )  # fmt: skip

    def own_row(self, n: int) -> tuple[Any, ...] | None:
        if self.stage == "success":
            return None
        client = None if self.client is None else str(self.client)
        return (
            n + 1, self.stage, self.lane, self._retries, self._retries, self.next_at, _FAILED_AT, self.rank_at,
            int(self.is_deadline), self.written_at, self._status, f"XY{n:09d}FR", "Chronopost", str(self._retries), client,
            f"CLM-{n:07d}", "open", self.deadline,
        )  # fmt: skip

    @property
    def _status(self) -> str:
        return {"success": "success", "new": "pending"}.get(self.stage, "failed")

    @property
    def _retries(self) -> int:
        return {"given_up": 4, "new": 0}.get(self.stage, 1)


def add_kept(url: URL, claims: Callable[[], Iterator[KeptClaim]]) -> URL:
    """Add claims that recours adopted long ago to an empty database. Return `url`."""
    insert(url, "claims", _SERVICE, (claim.service_row(n) for n, claim in enumerate(claims())))
    own = (claim.own_row(n) for n, claim in enumerate(claims()))
    insert(url, "recours_claims", _OWN, filter(None, own))
    execute(url, f"UPDATE recours_intake SET mark = (SELECT max(id) FROM claims), swept_at = '{_FAILED_AT}'")
    return url


def execute(url: URL, *statements: str) -> None:
    """Run each statement in its own transaction."""
    with closing(Database(url)) as database:
        for statement in statements:
            with database.long(), database.write() as connection:
                connection.exec_driver_sql(statement)


def add_large(url: URL, claims: int, stages: Sequence[str] = STAGES) -> URL:
    """Add claims with recours's rows. Return `url`."""
    return add_kept(url, partial(_large, claims, stages))


def _large(claims: int, stages: Sequence[str]) -> Iterator[KeptClaim]:
    """Claims in these stages. By default one of ten is due, half of them with a deadline; the others are not open."""
    for n in range(claims):
        stage = stages[n % len(stages)]
        later = (NOW + timedelta(hours=1, seconds=n % 86400)).strftime(STAMP)
        deadline = (NOW + timedelta(days=n % 60 - 20)).date().isoformat() if n % 20 == 9 else None
        rank = (NOW + timedelta(seconds=n % 999_983)).strftime(STAMP)
        yield KeptClaim(
            stage,
            f"{deadline} 23:00:00.000000" if deadline else rank,
            is_deadline=deadline is not None,
            deadline=deadline,
            next_at=later if stage == "waiting" else None,
        )

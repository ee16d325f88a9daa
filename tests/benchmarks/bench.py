"""`make bench`: how fast it is, as ratios within one run, since machines differ and are never quiet.

Prints a table and writes the figures to tests/benchmarks/last.json (not committed).
"""

import base64
import json
import logging
import os
import platform
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, event, text

from recours.carriers.message import Request, Response
from recours.carriers.registry import CATALOG
from recours.core.assessment import assess, go_on, retimed
from recours.core.claim import Stage
from recours.core.outcome import Retrieved
from recours.core.quota import Capability
from recours.database.claims import ClaimRepository
from recours.database.engine import Database, SystemClock
from recours.database.maintenance import ClaimMaintenance
from recours.database.ready_claims import most_urgent
from recours.database.schema.creation import create_file
from recours.database.schema.inspection import look
from recours.runs.retry import PODRetryScheduler
from recours.runs.worker import Options
from recours.sandbox import MailSandbox, Parcel, Sandbox, Scenario
from recours.settings.loading import load
from recours.settings.model import Settings
from recours.wiring.carriers import make_queue
from recours.wiring.databases import Opened, open_database
from recours.wiring.workers import make_worker
from tests.fakes.simulated import SimulatedSession, client_of

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "pod_retry_scheduler.py"
NOW = datetime.now(UTC).replace(microsecond=0)
LATENCY_S = 0.05
CLAIMS = 300
CALLS_A_CLAIM = 2


# ---------------------------------------------------------------- what is measured against


def environment(folder: Path, box: Sandbox | None = None, **more: str) -> dict[str, str]:
    """What a scheduler's process is given; bytecode is compiled, as it is for a user."""
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "TEMP", "TMP") if name in os.environ}
    settings = {
        "DATABASE_PATH": str(folder / "bench.db"),
        "RECOURS_LOG_DIR": str(folder / "logs"),
        "RECOURS_POD_DIR": str(folder / "pods"),
        "QUOTA_CHRONOPOST": "1000000/day",
        "CHRONOPOST_ACCOUNT": "10000001",
        "CHRONOPOST_PASSWORD": "123456",
    }
    return kept | settings | ({"CHRONOPOST_BASE_URL": box.url} if box else {}) | more


def timed(command: list[str], given: dict[str, str]) -> float:
    """Seconds of a whole process."""
    begun = time.perf_counter()
    subprocess.run(command, env=given, check=True, capture_output=True)
    return time.perf_counter() - begun


def failed_claims(count: int) -> Iterator[tuple[Any, ...]]:
    """Rows as the service leaves them, due now."""
    at = f"{NOW - timedelta(hours=2):%Y-%m-%d %H:%M:%S}"
    for n in range(count):
        yield (f"CLM-{n:07d}", f"XY{n:09d}FR", at, at, "failed", "API timeout")


_INSERT = """
    INSERT INTO claims (claim_reference, tracking_number, created_at, updated_at, pod_fetch_status, pod_fetch_error,
        order_id, carrier, dispute_type, amount_requested) VALUES (?, ?, ?, ?, ?, ?, 'o', 'Chronopost', 'lost', 10)
"""


def new_database(folder: Path, count: int) -> Path:
    """A database with so many due claims."""
    path = folder / "bench.db"
    path.unlink(missing_ok=True)
    create_file(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.executemany(_INSERT, failed_claims(count))
        connection.commit()
    return path


# ---------------------------------------------------------------- the figures


def throughput(folder: Path, concurrency: int) -> dict[str, Any]:
    """A whole run over 300 claims of two calls, against the time that the calls alone need."""
    new_database(folder, CLAIMS)
    ideal = CLAIMS * CALLS_A_CLAIM * LATENCY_S / concurrency
    with Sandbox(now=lambda: datetime.now(UTC), latency=LATENCY_S) as box:
        for n in range(CLAIMS):
            box.parcels[f"XY{n:09d}FR"] = Parcel((Scenario.DELIVERED,))
        given = environment(folder, box, RECOURS_CARRIER_CONCURRENCY=str(concurrency))
        command = [
            sys.executable,
            str(SCRIPT),
            "--batch-size",
            str(CLAIMS),
            "--concurrency",
            str(concurrency),
            "--json",
        ]
        begun = time.perf_counter()
        done = subprocess.run(command, env=given, check=True, capture_output=True)
        took = time.perf_counter() - begun
        calls = len(box.calls)
    report = json.loads(done.stdout)
    assert report["success"] == CLAIMS, report
    assert calls == CLAIMS * CALLS_A_CLAIM, calls
    return {
        "seconds": took,
        "run_seconds": report["duration_s"],
        "ideal": ideal,
        "ratio": took / ideal,
        "bound": 1.3,
    }


def nothing_due(folder: Path, rounds: int = 15) -> dict[str, Any]:
    """A run with nothing to do, against importing SQLAlchemy's ORM; in turns, so that noise hits both alike."""
    path = new_database(folder, 0)
    given = environment(folder)
    run, reference = [sys.executable, str(SCRIPT)], [sys.executable, "-c", "import sqlalchemy.orm"]
    for command in (run, reference):
        timed(command, given)  # compiles the bytecode
    pairs = [(timed(run, given), timed(reference, given)) for _ in range(rounds)]
    seconds, base = (statistics.median(column) for column in zip(*pairs, strict=True))
    assert path.exists()
    return {"seconds": seconds, "reference": base, "ratio": seconds / base, "bound": 1.5}


WITH_PEAK = """
import runpy, sys
sys.argv = sys.argv[1:]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
finally:
    peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    print(peak.split()[1], file=sys.stderr)
"""


def memory(folder: Path) -> dict[str, Any]:
    """The most memory that a run with nothing to do holds, in MB: what Linux counts since the process began."""
    if platform.system() != "Linux":
        return {"megabytes": None, "bound": 60}
    new_database(folder, 0)
    command = [sys.executable, "-c", WITH_PEAK, str(SCRIPT)]
    done = subprocess.run(command, env=environment(folder), check=True, capture_output=True, text=True)
    return {"megabytes": int(done.stderr.split()[-1]) / 1024, "bound": 60}


INSERT_LARGE = """
    INSERT INTO claims (claim_reference, tracking_number, created_at, updated_at, order_id, carrier, dispute_type,
        amount_requested, pod_fetch_status, pod_stage, pod_carrier_key, pod_retry_count, pod_next_retry_at,
        pod_failed_at, pod_rank_at, pod_rank_is_deadline, response_deadline, pod_seen_status, pod_seen_number,
        pod_seen_carrier, pod_seen_count, pod_seen_deadline, pod_interruptions)
    VALUES (?, ?, ?, ?, 'o', 'Chronopost', 'lost', 10, ?, ?, 'chronopost', ?, ?, ?, ?, ?, ?, ?, ?, 'Chronopost', ?, ?, 0)
"""


STAGES = (*["success"] * 3, *["waiting"] * 3, *["given_up"] * 3, "ready")


def large_rows(count: int, stages: Sequence[str] = STAGES) -> Iterator[tuple[Any, ...]]:
    """Nine of ten done, given up or waiting; one of ten due, half of these with a deadline. Or at these stages in turn."""
    stamp = "%Y-%m-%d %H:%M:%S.%f"
    failed = (NOW - timedelta(days=2)).strftime(stamp)
    for n in range(count):
        stage = stages[n % len(stages)]
        status = {"success": "success", "new": "pending"}.get(stage, "failed")
        retries = 4 if stage == "given_up" else 1
        next_at = (
            (NOW + timedelta(hours=1, seconds=n % 86400)).strftime(stamp) if stage == "waiting" else None
        )
        deadline = (NOW + timedelta(days=n % 60 - 20)).date().isoformat() if n % 20 == 9 else None
        rank = (
            f"{deadline} 23:00:00.000000"
            if deadline
            else (NOW + timedelta(seconds=n % 999_983)).strftime(stamp)
        )
        number = f"XY{n:09d}FR"
        yield (
            f"CLM-{n:07d}", number, failed, failed, status, None if stage == "success" else stage, retries, next_at,
            failed, rank, int(deadline is not None), deadline, status, number, retries, deadline,
        )  # fmt: skip


def due_query(folder: Path) -> dict[str, Any]:
    """All that finding the due claims costs a run, among a million claims against among ten thousand."""
    medians = {}
    for count in (10_000, 1_000_000):
        path = new_database(folder, 0)
        with closing(sqlite3.connect(path)) as connection:
            connection.executemany(INSERT_LARGE, large_rows(count))
            connection.commit()
        medians[count] = looking(URL.create("sqlite", database=str(path)))
    small, large = medians[10_000], medians[1_000_000]
    found = {f"{name}_ratio": large[name] / small[name] for name in small}
    return {"milliseconds": {n: {k: v * 1000 for k, v in m.items()} for n, m in medians.items()}, **found,
            "ratio": found["all_ratio"], "bound": 2.0}  # fmt: skip


def looking(url: URL) -> dict[str, float]:
    """Median seconds of the due query, and of all looking of a run, where 30 claims are to be taken."""
    database = Database(url)
    columns = look(database).columns
    claims = ClaimRepository(database, CATALOG, columns, "bench", "bench")
    maintenance = ClaimMaintenance(database, CATALOG, columns, "bench")
    policy = load(ROOT, {"DATABASE_PATH": "unused.db"}, CATALOG).policy
    now = datetime.now(UTC)
    horizon = policy.backoff.horizon(now)

    def query() -> None:
        with database.read() as connection:
            urgent = most_urgent(Stage.READY, ["chronopost"], 30, now, is_sqlite=database.is_sqlite)
            assert len(connection.execute(urgent).all()) == 30

    def everything() -> None:
        maintenance.is_behind(now, horizon, 4, policy.skip_claim_statuses, now)
        list(maintenance.assess_edited(lambda claim: assess(claim, now, policy), now))
        list(maintenance.unshelve(policy.skip_claim_statuses, lambda claim: assess(claim, now, policy), now))
        list(maintenance.revive_exhausted(4, lambda claim: go_on(claim, now, policy), now))
        list(maintenance.repair_times(horizon, lambda claim: retimed(claim.state, now, policy), now))
        maintenance.stage_due(now)
        assert claims.ready_by_carrier(Stage.READY, now, 30)["chronopost"].claims == 30
        query()

    found = {"query": _median(query), "all": _median(everything)}
    database.close()
    return found


def _median(work: Callable[[], object], rounds: int = 41) -> float:
    work()
    taken = []
    for _ in range(rounds):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


def statements(folder: Path) -> dict[str, Any]:
    """SELECT and DML for one more claim that succeeds with two calls under one window."""
    counted = {count: _statements_of_run(folder, count) for count in (50, 100)}
    return {"of_runs": counted, "a_claim": (counted[100] - counted[50]) / 50, "bound": 10}


def _statements_of_run(folder: Path, count: int) -> int:
    new_database(folder, count)
    with Sandbox(now=lambda: datetime.now(UTC)) as box:
        for n in range(count):
            box.parcels[f"XY{n:09d}FR"] = Parcel((Scenario.DELIVERED,))
        settings: Settings = load(folder, environment(folder, box), CATALOG)
        opened = open_database(settings)
        seen: list[str] = []
        event.listen(opened.database.engine, "before_cursor_execute", lambda *call: seen.append(call[2]))
        make_worker(PODRetryScheduler, settings, opened, Options(batch_size=count)).run()
        opened.database.close()
    return sum(not statement.startswith(("BEGIN", "PRAGMA")) for statement in seen)


# ---------------------------------------------------------------- the carriers

CLAIMS_A_CARRIER = 100
_ADDRESS = re.compile(r"http://127\.0\.0\.1:[0-9]+")


@contextmanager
def sandbox_process() -> Iterator[str]:
    """The simulated carriers in a process of their own, so that their work is not counted as ours; its address."""
    command = [sys.executable, "-u", "-m", "recours", "sandbox", "--port", "0", "--mail-port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            found = next(filter(None, map(_ADDRESS.search, process.stdout)))
            yield found[0]
        finally:
            process.kill()


def cpu_a_call(folder: Path) -> dict[str, Any]:
    """CPU of ours for a call: quota, request, HTTP, parsing; the median of fetches, and of carriers.

    Beside it what a whole run spends for each of its calls: taking, deciding, recording and keeping the document too.
    """
    calls: dict[str, float] = {}
    runs: dict[str, float] = {}
    with sandbox_process() as address:
        example = Sandbox(port=9)
        given = {
            name: address if name.endswith("_BASE_URL") else value
            for name, value in example.environment().items()
        }
        for key, spec in CATALOG.specs.items():
            path = new_database(folder, 0)
            with closing(sqlite3.connect(path)) as connection:
                connection.executemany(_INSERT_OF, _claims_of(example, key, spec.name))
                connection.commit()
            ample = {f"QUOTA_{key.upper()}": "1000000/day"}
            settings = load(folder, environment(folder) | given | ample, CATALOG)
            opened = open_database(settings)
            calls[key] = _cpu_of_fetches(settings, opened, example, key)
            runs[key] = statistics.median(_cpu_of_run(settings, opened) for _ in range(3))
            opened.database.close()
    of_calls, of_runs = statistics.median(calls.values()), statistics.median(runs.values())
    return {
        "milliseconds": calls,
        "of_runs": runs,
        "median": of_calls,
        "median_of_runs": of_runs,
        "bound": 2.0,
    }


_INSERT_OF = _INSERT.replace("'Chronopost', 'lost', 10)", "?, 'lost', 10)")


def _claims_of(example: Sandbox, key: str, name: str) -> Iterator[tuple[Any, ...]]:
    at = f"{NOW - timedelta(hours=2):%Y-%m-%d %H:%M:%S}"
    for n in range(3 * CLAIMS_A_CARRIER):
        number = example.example(key, "00", n)
        yield (f"CLM-{n:07d}", number, at, at, "failed", "API timeout", name)


def _cpu_of_fetches(settings: Settings, opened: Opened, example: Sandbox, key: str) -> float:
    """Milliseconds a call, the median of a hundred fetches."""
    queue = make_queue(settings, opened.database, SystemClock(), lambda: 0.0, "bench")
    needed, spent = CATALOG.specs[key].calls_for(None), []
    for n in range(CLAIMS_A_CARRIER):
        begun = time.thread_time()
        (reservation,), _ = queue.reserve(key, [needed])
        fetched = queue.fetch(reservation, key, example.example(key, "00", 90_000 + n), None)
        spent.append(1000 * (time.thread_time() - begun) / fetched.calls)
    return statistics.median(spent)


def _cpu_of_run(settings: Settings, opened: Opened) -> float:
    """Milliseconds of the whole process for each call of a run over a hundred claims."""
    worker = make_worker(PODRetryScheduler, settings, opened, Options(batch_size=CLAIMS_A_CARRIER))
    begun = time.process_time()
    report = worker.run()
    spent = time.process_time() - begun
    assert report.stats.total == CLAIMS_A_CARRIER, report
    with opened.database.read() as connection:
        counted = text("SELECT sum(calls) FROM recours_attempts WHERE run_id = :run")
        calls = int(connection.execute(counted, {"run": report.run_id}).scalar_one())
    return spent * 1000 / calls


_BASE64 = re.compile(rb"[A-Za-z0-9+/=]{400,}")
MEGABYTE = 1_000_000


class LargeDocument(SimulatedSession):
    """The simulated carrier, whose document answer is one of a megabyte; `has_grown`: it has one with base64 text."""

    def __init__(self, carrier: str, scenario: Scenario) -> None:
        """Nothing was asked yet."""
        super().__init__(carrier, scenario)
        self.has_grown = False
        self._answers: dict[tuple[str, bytes | None], Response] = {}

    def call(self, what: Capability, request: Request) -> Response:
        """Its answer, the longest base64 text in it blown up; made once, so that reading alone is measured."""
        asked = request.path, request.body
        if asked not in self._answers:
            answer = super().call(what, request)
            longest = max(_BASE64.findall(answer.body), key=len, default=b"")
            self.has_grown = self.has_grown or bool(longest)
            body = answer.body.replace(longest, _LARGE_TEXT, 1) if longest else answer.body
            self._answers[asked] = Response(answer.status, answer.headers, body)
        return self._answers[asked]


_LARGE_TEXT = base64.b64encode(b"%PDF-1.4\n" + bytes(range(256)) * (MEGABYTE * 3 // 4 // 256))


def parse_of_a_megabyte() -> dict[str, Any]:
    """A fetch that reads a document answer of 1 MB, all its parsing included, nothing sent."""
    taken: dict[str, float] = {}
    for key, spec in CATALOG.specs.items():
        line, client = LargeDocument(key, Scenario.DELIVERED), client_of(key)
        outcome = client.fetch(spec.sample_number, None, line)
        if not (isinstance(outcome, Retrieved) and line.has_grown):
            continue  # no document, or raw bytes that need no parsing
        taken[key] = 1000 * _median(partial(client.fetch, spec.sample_number, None, line), 21)
    return {"milliseconds": taken, "worst": max(taken.values()), "bound": 15.0}


# ---------------------------------------------------------------- mails

_MAILED = """
import sys, time, uuid
from pathlib import Path
from recours.carriers.registry import CATALOG
from recours.settings.loading import load
from recours.database.engine import SystemClock
from recours.settings.sources import process_environment
from recours.wiring.databases import open_database
from recours.wiring.mail import MailService
settings = load(Path(sys.argv[1]), process_environment(), CATALOG)
opened = open_database(settings)
begun = time.process_time()
MailService(settings, opened.database, opened.schema, SystemClock(), uuid.uuid4().hex).notify(lambda: True)
spent = time.process_time() - begun
opened.database.close()
peak = next((line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")), "0")
print(spent, peak)
"""


def mails(folder: Path) -> dict[str, Any]:
    """Rendering and sending a mail to each of a thousand clients, and of ten thousand: CPU of ours, and the most memory."""
    spent: dict[int, float] = {}
    peak: dict[int, float] = {}
    for count in (1_000, 10_000):
        path = new_database(folder, 0)
        with closing(sqlite3.connect(path)) as connection:
            _fill_with_events(connection, count)
        with MailSandbox(folder / f"mails-{count}") as post:
            given = environment(folder) | post.environment() | {"RECOURS_MAIL_BRAKE": "1000000"}
            command = [sys.executable, "-c", _MAILED, str(folder)]
            done = subprocess.run(
                command, env=given | {"PYTHONPATH": str(ROOT)}, check=True, capture_output=True
            )
            assert len(post.files) == count
        seconds, kilobytes = done.stdout.split()
        spent[count], peak[count] = 1000 * float(seconds) / count, int(kilobytes) / 1024
    growth = peak[10_000] / peak[1_000]
    return {"milliseconds": spent, "megabytes": peak, "a_mail": spent[10_000], "growth": growth, "bound": 5.0}


def _fill_with_events(connection: sqlite3.Connection, count: int) -> None:
    at = f"{NOW:%Y-%m-%d %H:%M:%S}.000000"
    numbers = range(1, count + 1)
    clients = ((n, f"c{n}@shop.example", f"Shop {n}") for n in numbers)
    connection.executemany("INSERT INTO clients (id, email, company_name) VALUES (?, ?, ?)", clients)
    rows = ((n, f"CLM-{n:07d}", n, f"XY{n:09d}FR") for n in numbers)
    connection.executemany(
        "INSERT INTO claims (id, claim_reference, client_id, order_id, carrier, dispute_type, amount_requested,"
        " tracking_number, pod_fetch_status) VALUES (?, ?, ?, 'o', 'Chronopost', 'lost', 1, ?, 'success')",
        rows,
    )
    told = (
        (n, f"XY{n:09d}FR", at, json.dumps({"reference": f"CLM-{n:07d}", "attempts": 2})) for n in numbers
    )
    connection.executemany(
        "INSERT INTO recours_events (event, audience, claim_id, carrier, tracking_number, run_id, created_at, facts)"
        " VALUES ('pod_retrieved', 'client', ?, 'chronopost', ?, 'r', ?, ?)",
        told,
    )
    connection.commit()


# ---------------------------------------------------------------- the table


def main() -> None:
    """Measure and show."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    logging.getLogger("__main__").addHandler(logging.NullHandler())
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        figures = {
            "throughput, 8 at once": throughput(folder, 8),
            "throughput, 4 at once": throughput(folder, 4),
            "nothing due": nothing_due(folder),
            "memory, nothing due": memory(folder),
            "statements": statements(folder),
            "due query": due_query(folder),
            "cpu": cpu_a_call(folder),
            "megabyte": parse_of_a_megabyte(),
            "mails": mails(folder),
        }
    rows = [
        *(_row(f"300 claims at 50 ms, {n} at once: time / ideal", figures[f"throughput, {n} at once"], "ratio") for n in (8, 4)),
        _row("nothing due: time / import sqlalchemy.orm", figures["nothing due"], "ratio"),
        _row("nothing due: memory, MB", figures["memory, nothing due"], "megabytes"),
        _row("statements for one more claim", figures["statements"], "a_claim"),
        _row("due query: 1,000,000 rows / 10,000 rows", figures["due query"], "query_ratio"),
        _row("all looking for due claims: the same", figures["due query"], "ratio"),
        _row("CPU of our own a call, ms, median", figures["cpu"], "median"),
        _row("parse of a 1 MB document answer, ms, the slowest", figures["megabyte"], "worst"),
        _row("CPU of a mail of 10,000, ms", figures["mails"], "a_mail"),
    ]  # fmt: skip
    of_runs = figures["cpu"]["median_of_runs"]
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.system()}")
    for words, value, bound, verdict in rows:
        print(f"{words:<48} {value:>7} (at most {bound}) {verdict}")
    print(f"{'CPU of a whole run for each of its calls, ms':<48} {of_runs:>7.2f}")
    growth = figures["mails"]["growth"]
    print(f"{'memory for 10,000 mails / for 1,000':<48} {growth:>7.2f}")
    target = Path(__file__).with_name("last.json")
    target.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    print(f"All figures: {target.relative_to(ROOT)}")


def _row(words: str, figures: dict[str, Any], name: str) -> tuple[str, str, Any, str]:
    value, bound = figures[name], figures["bound"]
    if value is None:
        return words, "-", bound, "not measured"
    return words, f"{value:.2f}", bound, "ok" if value <= bound else "NOT MET"


if __name__ == "__main__":
    main()

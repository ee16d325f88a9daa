"""`make bench`: measure speed. Most results are ratios within one run, because machines differ in speed and load.

The exit status is 1 if a bound is exceeded.
"""

import base64
import json
import logging
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from sqlalchemy import URL, text

from recours.accounts.opened import make_queue
from recours.app import App, open_database
from recours.bootstrap import make_worker
from recours.carriers.message import Request, Response
from recours.carriers.registry import CATALOG
from recours.core.outcome import Retrieved
from recours.core.quota import Capability
from recours.database.engine import SystemClock
from recours.runs.worker import Options, PODRetryScheduler
from recours.sandbox import MailSandbox, Sandbox, Scenario
from recours.settings.loading import load
from tests.at_commit import ROOT
from tests.benchmarks import appraisals, parts, starts
from tests.benchmarks.fixtures import (
    CALLS_A_CLAIM,
    NOW,
    SCRIPT,
    add_failed,
    carrier,
    environment,
    new_database,
    new_folder,
)
from tests.benchmarks.rows import Part, Row, least_in_turns, measure
from tests.fakes.simulated import SimulatedSession, client_of
from tests.units import fetch_one

LATENCY_S = 0.05
CLAIMS = 300


# ---------------------------------------------------------------- runs


def throughput() -> Iterator[Row]:
    """The time of whole runs, relative to that of their calls alone: delivered claims, and claims in transit."""
    for at_once, bound in ((8, 1.15), (4, 1.3)):
        ideal = CLAIMS * CALLS_A_CLAIM * LATENCY_S / at_once
        options = ("--batch-size", str(CLAIMS), "--concurrency", str(at_once))
        seconds = _seconds_of_run(Scenario.DELIVERED, CLAIMS, LATENCY_S, at_once, *options)
        yield Row(f"300 claims at 50 ms, {at_once} at once: time / ideal", seconds / ideal, bound)
    least = min(_seconds_of_run(Scenario.IN_TRANSIT, 30, 0.2, 4) for _ in range(3))
    yield Row("30 in transit at 200 ms, default settings: time / ideal", least / (30 * 0.2 / 4), 1.2)


def _seconds_of_run(scenario: Scenario, claims: int, latency_s: float, at_once: int, *options: str) -> float:
    """The duration in the run's report in seconds, without the start of Python."""
    folder = new_folder()
    new_database(folder, claims)
    with carrier(claims, latency_s, scenario) as (address, _):
        at_carrier = str(at_once)
        settings = environment(folder, CHRONOPOST_BASE_URL=address, RECOURS_CARRIER_CONCURRENCY=at_carrier)
        command = [sys.executable, str(SCRIPT), *options, "--json"]
        process = subprocess.run(command, env=settings, check=True, capture_output=True)
    report = json.loads(process.stdout)
    assert report["success"] + report["failed"] == claims, report
    return float(report["duration_s"])


# ---------------------------------------------------------------- the carriers

CLAIMS_A_CARRIER = 100
_ADDRESS = re.compile(r"http://127\.0\.0\.1:[0-9]+")


@contextmanager
def sandbox_process() -> Iterator[str]:
    """Yield the address of the simulated carriers in a separate process, so that their CPU time is not counted."""
    command = [sys.executable, "-u", "-m", "recours", "sandbox", "--port", "0", "--mail-port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            found = next(filter(None, map(_ADDRESS.search, process.stdout)))
            yield found[0]
        finally:
            process.kill()


def cpu_a_call() -> Iterator[Row]:
    """The CPU time of recours per call for quota, request, HTTP and parsing: the median over fetches and carriers.

    Also the CPU time of a whole run per call, which includes leasing, deciding, recording and storing the document.
    """
    calls, runs = [], []
    with tempfile.TemporaryDirectory() as name, sandbox_process() as address:
        folder, example = Path(name), Sandbox(port=9)
        of_sandbox = {
            name: address if name.endswith("_BASE_URL") else value
            for name, value in example.environment().items()
        }
        for key, spec in CATALOG.specs.items():
            path = new_database(folder, 0)
            samples = [example.example(key, "00", n) for n in range(3 * CLAIMS_A_CARRIER)]
            add_failed(URL.create("sqlite", database=str(path)), samples, spec.name)
            ample = {f"QUOTA_{key.upper()}": "1000000/day"}
            settings = load(folder, environment(folder) | of_sandbox | ample, CATALOG)
            opened = open_database(settings)
            calls.append(_cpu_of_fetches(opened, example, key))
            runs.append(statistics.median(_cpu_of_run(opened) for _ in range(3)))
            opened.database.close()
    yield Row("CPU of our own a call, ms, median", statistics.median(calls), 2.0)
    yield Row("CPU of a whole run for each of its calls, ms", statistics.median(runs))


def _cpu_of_fetches(app: App, example: Sandbox, key: str) -> float:
    """CPU milliseconds per call, the median of a hundred fetches."""
    queue = make_queue(app.settings, app.database, SystemClock(), lambda: 0.0)
    needed, spent = CATALOG.specs[key].calls_for(None), []
    for n in range(CLAIMS_A_CARRIER):
        started = time.thread_time()
        (reservation,), _ = queue.reserve(key, [needed])
        fetched = fetch_one(queue, reservation, key, example.example(key, "00", 90_000 + n), None)
        spent.append(1000 * (time.thread_time() - started) / fetched.calls)
    return statistics.median(spent)


def _cpu_of_run(app: App) -> float:
    """CPU milliseconds of the whole process per call, in a run over a hundred claims."""
    worker = make_worker(PODRetryScheduler, app, Options(batch_size=CLAIMS_A_CARRIER))
    started = time.process_time()
    report = worker.run()
    spent = time.process_time() - started
    assert report.stats.total == CLAIMS_A_CARRIER, report
    with app.database.read() as connection:
        counted = text("SELECT sum(calls) FROM recours_attempts WHERE run_id = :run")
        calls = int(connection.execute(counted, {"run": report.run_id}).scalar_one())
    return spent * 1000 / calls


_BASE64 = re.compile(rb"[A-Za-z0-9+/=]{400,}")
MEGABYTE = 1_000_000


class LargeDocument(SimulatedSession):
    """A simulated carrier with a document answer of 1 MB. `has_grown`: whether the answer had base64 to enlarge."""

    def __init__(self, carrier: str, scenario: Scenario) -> None:
        """Create the session before its first call."""
        super().__init__(carrier, scenario)
        self.has_grown = False
        self._answers: dict[tuple[str, bytes | None], Response] = {}

    def call(self, what: Capability, request: Request) -> Response:
        """The answer with its longest base64 text enlarged. Built only once, so that only parsing is measured."""
        question = request.path, request.body
        if question not in self._answers:
            answer = super().call(what, request)
            longest = max(_BASE64.findall(answer.body), key=len, default=b"")
            self.has_grown = self.has_grown or bool(longest)
            body = answer.body.replace(longest, _LARGE_TEXT, 1) if longest else answer.body
            self._answers[question] = Response(answer.status, answer.headers, body)
        return self._answers[question]


_LARGE_TEXT = base64.b64encode(b"%PDF-1.4\n" + bytes(range(256)) * (MEGABYTE * 3 // 4 // 256))


def parse_of_a_megabyte() -> Iterator[Row]:
    """The time of a fetch that parses a document answer of 1 MB, without any network traffic."""
    fetches = {}
    for key, spec in CATALOG.specs.items():
        line, client = LargeDocument(key, Scenario.DELIVERED), client_of(key)
        outcome = client.fetch(spec.sample_number, None, line)
        if not (isinstance(outcome, Retrieved) and line.has_grown):
            continue  # the carrier has no documents, or sends raw bytes that need no parsing
        fetches[key] = partial(client.fetch, spec.sample_number, None, line)
    slowest = max(least_in_turns(fetches, 21).values())
    yield Row("parse of a 1 MB document answer, ms, the slowest", 1000 * slowest, 15.0)


# ---------------------------------------------------------------- emails

_MAILED = """
import os, sys, time, uuid
from pathlib import Path
from recours.carriers.registry import CATALOG
from recours.settings.loading import load
from recours.database.engine import SystemClock
from recours.app import open_database
from recours.mail.service import MailService
settings = load(Path(sys.argv[1]), os.environ, CATALOG)
opened = open_database(settings)
begun = time.process_time()
MailService(settings, opened.database, opened.schema, SystemClock(), uuid.uuid4().hex).notify(lambda: True)
spent = time.process_time() - begun
opened.database.close()
peak = next((line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")), "0")
print(spent, peak)
"""


def mails() -> Iterator[Row]:
    """The CPU time and peak memory to render and send an email to each of a thousand or ten thousand clients."""
    peaks: dict[int, float] = {}
    for count in (1_000, 10_000):
        with tempfile.TemporaryDirectory() as name, MailSandbox(Path(name, "mails")) as post:
            folder = Path(name)
            path = new_database(folder, 0)
            with closing(sqlite3.connect(path)) as connection:
                _fill_with_events(connection, count)
            settings = (
                environment(folder, PYTHONPATH=str(ROOT), RECOURS_MAIL_BRAKE="1000000") | post.environment()
            )
            command = [sys.executable, "-c", _MAILED, str(folder)]
            process = subprocess.run(command, env=settings, check=True, capture_output=True)
            assert len(post.files) == count
        seconds, kilobytes = process.stdout.split()
        peaks[count] = int(kilobytes) / 1024
    yield Row("CPU per email of 10,000, ms", 1000 * float(seconds) / count, 5.0)
    yield Row("memory for 10,000 mails / for 1,000", peaks[10_000] / peaks[1_000])


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
    script = (
        (n, f"XY{n:09d}FR", at, json.dumps({"reference": f"CLM-{n:07d}", "attempts": 2})) for n in numbers
    )
    connection.executemany(
        "INSERT INTO recours_events (event, audience, claim_id, carrier, tracking_number, run_id, created_at, facts)"
        " VALUES ('pod_retrieved', 'client', ?, 'chronopost', ?, 'r', ?, ?)",
        script,
    )
    connection.commit()


# ---------------------------------------------------------------- all parts

PARTS: dict[str, Part] = {
    "throughput": throughput,
    "nothing due": starts.rows,
    "parts of a claim": parts.rows,
    "cpu of a claim": parts.cpu_of_a_claim,
    "cpu": cpu_a_call,
    "megabyte": parse_of_a_megabyte,
    "mails": mails,
    "appraisals": appraisals.rows,
}

if __name__ == "__main__":
    logging.getLogger("__main__").addHandler(logging.NullHandler())
    sys.exit(measure(PARTS, sys.argv[1:]))

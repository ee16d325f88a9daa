"""`make bench BASE=<commit>`: this version against that one, in turns within one run, since machines are never quiet.

Of both the real scripts run as processes, each on its own code, its own schema and the same simulated carriers.
"""

import argparse
import json
import os
import platform
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import astuple, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from recours.carriers.registry import CATALOG
from recours.sandbox import Parcel, Sandbox, Scenario
from recours.sandbox.answers import Answer, HttpRequest
from tests.at_commit import ROOT, checkout, name_of
from tests.benchmarks.fixtures import cpu_of_children
from tests.benchmarks.rows import fsync_ms

ROUNDS = 5
SCRIPT = Path("scripts", "pod_retry_scheduler.py")


@dataclass(frozen=True)
class Load:
    """Claims of one carrier that are due, how fast it answers, and how many calls it may be asked at once."""

    carrier: str
    claims: int
    scenario: Scenario
    calls_a_claim: int
    latency_s: float
    at_once: int

    @property
    def ideal_s(self) -> float:
        """What the calls alone take."""
        return self.claims * self.calls_a_claim * self.latency_s / self.at_once


DELIVERED, IN_TRANSIT = Scenario.DELIVERED, Scenario.IN_TRANSIT
THROUGHPUT = {
    "throughput at 200 ms a call": (Load("chronopost", 120, DELIVERED, 2, 0.2, 8), 0.95),
    "throughput at 0 ms a call": (Load("chronopost", 300, DELIVERED, 2, 0.0, 8), 0.90),
}
IDEAL = {
    "30 in transit, 200 ms, 4 at once": (Load("chronopost", 30, IN_TRANSIT, 1, 0.2, 4), 1.3),
    "300 delivered, 50 ms, 8 at once": (Load("chronopost", 300, DELIVERED, 2, 0.05, 8), 1.2),
}
TRACKING = {
    key: (Load(key, 300, IN_TRANSIT, 1, 0.0, 4), bound)
    for key, bound in (("fedex", 0.05), ("laposte", 0.15), ("gls", 0.15))
}


# ---------------------------------------------------------------- one run


class WatchedSandbox(Sandbox):
    """Notes when each request came in that is not one for a token."""

    def __init__(self, latency: float) -> None:
        """Nothing came in yet."""
        super().__init__(now=lambda: datetime.now(UTC), latency=latency)
        self.asked: list[float] = []

    def answer(self, request: HttpRequest) -> Answer:
        """Note it, and answer."""
        if "/oauth" not in request.path:
            self.asked.append(time.perf_counter())
        return super().answer(request)


@dataclass(frozen=True)
class Run:
    """What a run took: all of it, and from the first call to the last answer.

    `cpu_s`: of its process with the start of Python; other programs on the machine hardly change it.
    """

    seconds: float
    cpu_s: float
    calling_s: float
    calls: float


@dataclass
class Version:
    """A checkout, and what its runs took."""

    root: Path
    folder: Path
    runs: dict[str, list[Run]] = field(default_factory=dict)

    def measure(self, name: str, load: Load) -> None:
        """Run the scheduler once over the claims of a load."""
        self.runs.setdefault(name, []).append(self._run(load))

    def median(self, name: str) -> Run:
        """What the runs over a load took."""
        runs = self.runs[name]
        return Run(*(statistics.median(values) for values in zip(*map(astuple, runs), strict=True)))

    def _run(self, load: Load) -> Run:
        folder = self.folder / "run"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        shutil.copy(self._empty_database(), folder / "claims.db")
        with WatchedSandbox(load.latency_s) as box:
            numbers = [box.example(load.carrier, "99", n) for n in range(load.claims)]
            box.parcels |= dict.fromkeys(numbers, Parcel((load.scenario,)))
            _fill(folder / "claims.db", CATALOG.specs[load.carrier].name, numbers)
            environment = _environment(folder, load) | box.environment(load.carrier)
            batch = ["--batch-size", str(load.claims), "--concurrency", "8", "--json"]
            before = cpu_of_children()
            report = json.loads(self._start(environment, str(self.root / SCRIPT), *batch))
            cpu_s, asked = cpu_of_children() - before, box.asked
        assert report["total"] == load.claims, report
        return Run(report["duration_s"], cpu_s, asked[-1] - asked[0] + load.latency_s, len(asked))

    def _empty_database(self) -> Path:
        path = self.folder / "empty.db"
        if not path.exists():
            self._start({"DATABASE_PATH": str(path)}, "-m", "recours", "init-db")
        return path

    def _start(self, environment: dict[str, str], *arguments: str) -> str:
        given = {"PATH": os.environ["PATH"], "PYTHONPATH": str(self.root), "RECOURS_HOME": str(self.folder)}
        command = [sys.executable, *arguments]
        done = subprocess.run(
            command, cwd=self.root, env=given | environment, check=False, capture_output=True
        )
        if done.returncode:
            raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr.decode()}")
        return done.stdout.decode()


def _environment(folder: Path, load: Load) -> dict[str, str]:
    prefix = CATALOG.specs[load.carrier].prefix
    return {
        "DATABASE_PATH": str(folder / "claims.db"),
        "RECOURS_LOG_DIR": str(folder),
        "RECOURS_POD_DIR": str(folder),
        "RECOURS_CARRIER_CONCURRENCY": str(load.at_once),
        f"QUOTA_{prefix}": "1000000/day",
    }


def _fill(database: Path, carrier: str, numbers: list[str]) -> None:
    """Add claims as the service leaves them, due now."""
    at = f"{datetime.now(UTC) - timedelta(hours=2):%Y-%m-%d %H:%M:%S}"
    rows = [(f"CLM-{n:05d}", carrier, number, at, at) for n, number in enumerate(numbers)]
    with closing(sqlite3.connect(database)) as connection:
        connection.executemany(
            "INSERT INTO claims (claim_reference, order_id, carrier, dispute_type, amount_requested, tracking_number,"
            " created_at, updated_at, pod_fetch_status, pod_fetch_error)"
            " VALUES (?, 'o', ?, 'lost', 10, ?, ?, ?, 'failed', 'API timeout')",
            rows,
        )
        connection.commit()


# ---------------------------------------------------------------- the table


def rows(base: Version, here: Version) -> Iterator[tuple[str, str, str, str]]:
    """Name, the figure of each version, and whether the bound is kept."""
    for name, (load, least) in THROUGHPUT.items():
        of_base, of_here = (load.claims / version.median(name).seconds for version in (base, here))
        verdict = _verdict(of_here / of_base >= least)
        yield (
            f"{name}, claims/s",
            f"{of_base:.1f}",
            f"{of_here:.1f}",
            f"{of_here / of_base:.2f} × (at least {least}) {verdict}",
        )
        of_base, of_here = (1000 * version.median(name).cpu_s / load.claims for version in (base, here))
        yield (
            "  CPU of its process, ms a claim",
            f"{of_base:.1f}",
            f"{of_here:.1f}",
            f"{of_here / of_base:.2f} ×",
        )
    for name, (load, most) in IDEAL.items():
        of_base, of_here = (version.median(name).calling_s / load.ideal_s for version in (base, here))
        yield (
            f"{name}, × ideal",
            f"{of_base:.2f}",
            f"{of_here:.2f}",
            f"at most {most} {_verdict(of_here <= most)}",
        )
    for name, (load, most) in TRACKING.items():
        of_base, of_here = (version.median(name).calls / load.claims for version in (base, here))
        verdict = _verdict(of_here <= most)
        yield (
            f"{name}: tracking calls a claim",
            f"{of_base:.3f}",
            f"{of_here:.3f}",
            f"at most {most} {verdict}",
        )


def _verdict(kept: bool) -> str:
    return "ok" if kept else "NOT MET"


def main() -> None:
    """Measure both versions, and show them side by side."""
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("base", metavar="BASE", help="the commit to compare with")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with checkout(options.base) as base_root, tempfile.TemporaryDirectory() as name:
        base, here = Version(base_root, Path(name, "base")), Version(ROOT, Path(name, "here"))
        for version in (base, here):
            version.folder.mkdir()
            version.measure("warming up", Load("chronopost", 1, DELIVERED, 2, 0.0, 1))
        loads = [os.getloadavg()[0]]
        syncs = [fsync_ms(here.folder)]
        for measured, (load, _) in (THROUGHPUT | IDEAL).items():
            for _ in range(options.rounds):
                base.measure(measured, load)
                here.measure(measured, load)
            loads.append(os.getloadavg()[0])
            syncs.append(fsync_ms(here.folder))
        for measured, (load, _) in TRACKING.items():  # counted, so that once is enough
            base.measure(measured, load)
            here.measure(measured, load)
        print(
            f"Python {platform.python_version()}, {os.cpu_count()} cores; median of {options.rounds} in turns;"
            f" load {min(loads):.1f} to {max(loads):.1f}; fsync {min(syncs):.1f} to {max(syncs):.1f} ms"
        )
        table = [("", name_of(options.base), "here", ""), *rows(base, here)]
        for what, of_base, of_here, verdict in table:
            print(f"{what:<44}{of_base:>10}{of_here:>10}   {verdict}".rstrip())


if __name__ == "__main__":
    main()

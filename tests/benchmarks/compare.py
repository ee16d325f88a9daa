"""`make bench BASE=<commit>`: compare this version with another in alternating runs.

Each version runs its real scripts as processes, with its own code and schema. Both use the same simulated carrier.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from sqlalchemy import URL

from recours.sandbox import Parcel, Sandbox, Scenario
from tests.at_commit import ROOT, checkout, name_of
from tests.benchmarks.fixtures import add_failed, cpu_of_children, numbers
from tests.benchmarks.rows import Row, measure
from tests.postgres import Server, execute, running

ROUNDS = 5


@dataclass(frozen=True)
class Load:
    """Due Chronopost claims that need two calls each. Each worker makes eight calls at once."""

    claims: int
    latency_s: float
    workers: int = 1
    on_postgresql: bool = False


# The loads, with the minimum speed of this version relative to the other version.
LOADS = {
    "50 ms a call": (Load(300, 0.05), 1.3),
    "200 ms a call": (Load(120, 0.2), 1.0),
    "0 ms a call": (Load(300, 0.0), 0.90),
    "PostgreSQL, 50 ms a call": (Load(300, 0.05, on_postgresql=True), 1.2),
    "PostgreSQL, 50 ms a call, 4 workers": (Load(600, 0.05, workers=4, on_postgresql=True), 1.2),
}


@dataclass
class Version:
    """A checkout, with the seconds and CPU seconds of each run by load. CPU includes the start of Python."""

    root: Path
    folder: Path
    server: Server
    seconds: dict[Load, list[float]] = field(default_factory=dict)
    cpu_s: dict[Load, list[float]] = field(default_factory=dict)

    def run(self, load: Load) -> None:
        """Run the scheduler once over the claims of a load."""
        folder = self.folder / "run"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        url = self._new_database(folder, load)
        add_failed(url, numbers(load.claims))
        with Sandbox(now=lambda: datetime.now(UTC), latency=load.latency_s) as box:
            box.parcels |= dict.fromkeys(numbers(load.claims), Parcel((Scenario.DELIVERED,)))
            settings = box.environment("chronopost") | {
                "DATABASE_URL": url.render_as_string(hide_password=False),
                "RECOURS_LOG_DIR": str(folder),
                "RECOURS_POD_DIR": str(folder),
                "RECOURS_CARRIER_CONCURRENCY": "8",
                "QUOTA_CHRONOPOST": "1000000/day",
            }
            options = ["--batch-size", str(load.claims), "--concurrency", "8", "--json"]
            before = cpu_of_children()
            workers = [
                self._start(settings, "scripts/pod_retry_scheduler.py", *options) for _ in range(load.workers)
            ]
            reports = [json.loads(self._output(worker)) for worker in workers]
            self.cpu_s.setdefault(load, []).append(cpu_of_children() - before)
        assert sum(report["success"] for report in reports) == load.claims, reports
        self.seconds.setdefault(load, []).append(max(report["duration_s"] for report in reports))

    def _new_database(self, folder: Path, load: Load) -> URL:
        if load.on_postgresql:
            name = f"{self.folder.name}_{sum(map(len, self.seconds.values()))}"
            execute(self.server.url(), f"CREATE DATABASE {name}")
            url = self.server.url(name)
        else:
            url = URL.create("sqlite", database=str(folder / "claims.db"))
        self._output(
            self._start(
                {"DATABASE_URL": url.render_as_string(hide_password=False)}, "-m", "recours", "init-db"
            )
        )
        return url

    def _start(self, settings: dict[str, str], *arguments: str) -> subprocess.Popen[bytes]:
        usual = {"PATH": os.environ["PATH"], "PYTHONPATH": str(self.root), "RECOURS_HOME": str(self.folder)}
        command = [sys.executable, *arguments]
        # Into a file, because a full pipe would block processes whose output nobody reads.
        with (self.folder / "errors").open("ab") as errors:
            return subprocess.Popen(
                command, cwd=self.root, env=usual | settings, stdout=subprocess.PIPE, stderr=errors
            )

    def _output(self, process: subprocess.Popen[bytes]) -> str:
        output, _ = process.communicate()
        if process.returncode:
            errors = (self.folder / "errors").read_text(encoding="utf-8")
            raise SystemExit(f"{process.args!r} failed:\n{errors[-2000:]}")
        return output.decode()


def rows(commit: str) -> Iterator[Row]:
    """Claims per second and CPU time per claim, for each load and both versions."""
    with checkout(commit) as base_root, tempfile.TemporaryDirectory() as name, running() as server:
        base = Version(base_root, Path(name, "base"), server)
        here = Version(ROOT, Path(name, "here"), server)
        for version in (base, here):
            version.folder.mkdir()
            version.run(Load(1, 0.0))  # so that the bytecode is compiled
        for words, (load, least) in LOADS.items():
            for _ in range(ROUNDS):
                base.run(load)
                here.run(load)
            rates = {
                version.root: load.claims / statistics.median(version.seconds[load])
                for version in (base, here)
            }
            cpu_ms = {version.root: 1000 * statistics.median(version.cpu_s[load]) for version in (base, here)}
            yield Row(f"{words}: claims a second at {name_of(commit)}", rates[base.root])
            yield Row("  here", rates[ROOT])
            yield Row("  here / there", rates[ROOT] / rates[base.root], least, at_least=True)
            yield Row("  CPU of a claim, here / there", cpu_ms[ROOT] / cpu_ms[base.root])


if __name__ == "__main__":
    sys.exit(measure({sys.argv[1]: partial(rows, sys.argv[1])}, []))

"""`make bench BASE=<commit>`: this version against that one, in turns within one run, since machines are never quiet.

Of both the real scripts run as processes, each on its own code, its own schema and the same simulated carrier.
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

ROUNDS = 5


@dataclass(frozen=True)
class Load:
    """Claims of Chronopost that are due, with two calls each, of which eight are under way at once."""

    claims: int
    latency_s: float

    @property
    def ideal_s(self) -> float:
        """What the calls alone take."""
        return self.claims * 2 * self.latency_s / 8


LOADS = {"200 ms a call": (Load(120, 0.2), 0.95), "0 ms a call": (Load(300, 0.0), 0.90)}


@dataclass
class Version:
    """A checkout, and for each of its runs over a load the seconds, and those of the processor with the start of Python."""

    root: Path
    folder: Path
    seconds: dict[Load, list[float]] = field(default_factory=dict)
    cpu_s: dict[Load, list[float]] = field(default_factory=dict)

    def run(self, load: Load) -> None:
        """Run the scheduler once over the claims of a load."""
        folder = self.folder / "run"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        database = folder / "claims.db"
        shutil.copy(self._empty_database(), database)
        add_failed(URL.create("sqlite", database=str(database)), numbers(load.claims))
        with Sandbox(now=lambda: datetime.now(UTC), latency=load.latency_s) as box:
            box.parcels |= dict.fromkeys(numbers(load.claims), Parcel((Scenario.DELIVERED,)))
            settings = box.environment("chronopost") | {
                "DATABASE_PATH": str(database),
                "RECOURS_LOG_DIR": str(folder),
                "RECOURS_POD_DIR": str(folder),
                "RECOURS_CARRIER_CONCURRENCY": "8",
                "QUOTA_CHRONOPOST": "1000000/day",
            }
            options = ["--batch-size", str(load.claims), "--concurrency", "8", "--json"]
            before = cpu_of_children()
            report = json.loads(self._start(settings, "scripts/pod_retry_scheduler.py", *options))
            self.cpu_s.setdefault(load, []).append(cpu_of_children() - before)
        assert report["success"] == load.claims, report
        self.seconds.setdefault(load, []).append(report["duration_s"])

    def _empty_database(self) -> Path:
        path = self.folder / "empty.db"
        if not path.exists():
            self._start({"DATABASE_PATH": str(path)}, "-m", "recours", "init-db")
        return path

    def _start(self, settings: dict[str, str], *arguments: str) -> str:
        usual = {"PATH": os.environ["PATH"], "PYTHONPATH": str(self.root), "RECOURS_HOME": str(self.folder)}
        command = [sys.executable, *arguments]
        process = subprocess.run(
            command, cwd=self.root, env=usual | settings, check=False, capture_output=True
        )
        if process.returncode:
            raise SystemExit(f"{' '.join(command)} failed:\n{process.stderr.decode()}")
        return process.stdout.decode()


def rows(commit: str) -> Iterator[Row]:
    """Of each load the claims a second and the CPU of a claim, of both versions."""
    with checkout(commit) as base_root, tempfile.TemporaryDirectory() as name:
        base, here = Version(base_root, Path(name, "base")), Version(ROOT, Path(name, "here"))
        for version in (base, here):
            version.folder.mkdir()
            version.run(Load(1, 0.0))  # compiles the bytecode
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

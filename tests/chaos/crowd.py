"""Concurrent runs that are disturbed and replaced as they end."""

import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from tests.chaos.world import World
from tests.postgres import Server

if TYPE_CHECKING:
    from pathlib import Path

# In a longer round, leases would expire and other runs could legitimately lease a live run's claims.
_LONGEST_S = 240.0


@dataclass
class Crowd:
    """A number of concurrent runs, each replaced when it ends."""

    world: World
    arguments: tuple[str, ...]
    size: int = 4
    workers: tuple[str, ...] = ("pod_retry_scheduler",)  # the scripts to start, in rotation
    statuses: Counter[int] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)  # output of runs that ended with exit status 1
    paid_twice: list[str] = field(default_factory=list)  # numbers whose stored document was requested again

    def __post_init__(self) -> None:
        self._count = 0
        self._running: dict[int, Path] = {}
        self._stored: Counter[str] = Counter()

    def work(self, at: datetime, disturb: Callable[["Crowd"], None]) -> None:
        """Start runs until `disturb` returns, and wait for the last runs to end."""
        self.world.clock.run_from(at)
        began = time.monotonic()
        self.fill()
        disturb(self)
        while self._running:
            time.sleep(0.02)
            self._gather()
        assert time.monotonic() - began < _LONGEST_S
        self._check_documents()

    def fill(self) -> None:
        """Replace the runs that have ended."""
        self._gather()
        ahead = self.world.clock.ahead
        while len(self._running) < self.size and ahead is not None:
            self._count += 1
            output = self.world.folder / f"output-{self._count}"
            worker = self.workers[self._count % len(self.workers)]
            job = self.world.job(*self.arguments, ahead_s=ahead.total_seconds(), worker=worker)
            self._running[self.world.fork(job, output)] = output

    def kill_one(self, luck: random.Random) -> bool:
        """Kill a run. Return False if the run had just ended."""
        self._gather()
        if not self._running:
            return False
        pid = luck.choice(sorted(self._running))
        status = self.world.forks.kill(pid)
        self._note(pid, status)
        return status == -signal.SIGKILL

    def kill_at_random(self, kills: int, luck: random.Random) -> None:
        """Kill this many runs at random times."""
        while kills:
            self.fill()
            time.sleep(luck.uniform(0.02, 0.4))  # real time, because the runs are real processes
            kills -= self.kill_one(luck)

    def restart(self, server: Server, how: str, luck: random.Random) -> None:
        """Stop or kill the database server during the runs, and start it again."""
        time.sleep(luck.uniform(0.1, 0.6))  # real time, because the runs are real processes
        getattr(server, how)()
        self.fill()
        time.sleep(luck.uniform(0, 0.3))
        server.start()
        self.fill()

    def check_complaints(self) -> None:
        """Check that runs with exit status 1 reported that the database was lost."""
        for complaint in self.complaints:
            assert "[ERROR] - __main__ - The database postgresql+psycopg://" in complaint
            assert "Traceback" not in complaint

    def _gather(self) -> None:
        for pid, status in self.world.forks.ended().items():
            self._note(pid, status)

    def _note(self, pid: int, status: int) -> None:
        output = self._running.pop(pid)
        self.statuses[status] += 1
        if status not in (0, -signal.SIGKILL):
            self.complaints.append(output.read_text(encoding="utf-8"))
        output.unlink(missing_ok=True)  # a run that was killed early has no output file

    def _check_documents(self) -> None:
        """Check that documents on disk between two rounds, when no run is alive, are never requested again."""
        requests = self.world.proof_requests()
        for number, times in self._stored.items():
            if requests[number] != times:
                calls = [(call.at, call.operation) for call in self.world.box.calls_for(number)]
                self.paid_twice.append(f"{number}: {self.world.history_of(number)}, {calls}")
        self._stored = Counter({number: requests[number] for number in self.world.documents()})

"""The record of a worker that never ends: one row among the runs for each hour, however many slices it takes."""

import os
import socket
import threading
import uuid
from collections import Counter
from dataclasses import fields
from datetime import datetime, timedelta

from recours.database.journal import RunJournal
from recours.logs import local, run_log
from recours.operations.fleet import signs
from recours.runs.summary import Report, Stats
from recours.runs.worker import Worker

SHIFT = timedelta(hours=1)

# What a slice left behind: the next one meets the same claims again.
_LEFT_BEHIND = ("skipped_rate_limit", "skipped_carrier", "skipped_reserved")


class Shift:
    """An hour of the fetch worker, or of the retry scheduler, in this process. Used by any number of threads."""

    def __init__(self, kind: type[Worker], journal: RunJournal, now: datetime, monotonic: float) -> None:
        """Record that it begins. Raises RunError."""
        self.kind = kind
        self.run_id = uuid.uuid4().hex
        self.started_at = now
        self.in_use = 0  # pieces of work that are under way in it: its owner's to count
        self._is_tidied = False
        self._started = monotonic
        self._journal = journal
        self._guard = threading.Lock()
        self._total: Counter[str] = Counter()
        self._left_behind: dict[str, Counter[str]] = {}  # by carrier, as it was last seen
        self._asked: set[str] = set()  # carriers
        self._free: list[Worker] = []
        journal.begin(self.run_id, kind.name, now)

    def has_ended(self, monotonic: float) -> bool:
        return monotonic - self._started >= SHIFT.total_seconds()

    def tidy_once(self) -> bool:
        """Tell whether what is done once in a shift is still to be done; it counts as done then."""
        with self._guard:
            is_due, self._is_tidied = not self._is_tidied, True
            return is_due

    def take(self) -> Worker | None:
        """A worker that was used before; None: another one must be made."""
        with self._guard:
            return self._free.pop() if self._free else None

    def give_back(self, worker: Worker, *, usable: bool) -> None:
        """A piece of work has ended: count what was done. `usable`: the worker is good for another one."""
        with self._guard:
            for one in fields(Stats):
                count = getattr(worker.stats, one.name)
                setattr(worker.stats, one.name, 0)
                if one.name not in _LEFT_BEHIND:
                    self._total[one.name] += count
                elif count:
                    for carrier in worker.refusals or ("",):
                        self._left_behind.setdefault(carrier, Counter())[one.name] = count
            self._asked |= worker.carriers_asked
            self._free += [worker] if usable else []

    def report(self, monotonic: float, exit_status: int = 0) -> Report:
        """What was done in it so far."""
        with self._guard:
            total = sum(self._left_behind.values(), Counter(self._total))
        stats = Stats(**total)
        took = monotonic - self._started
        return Report(self.kind.name, self.run_id, self.started_at, took, stats, exit_status=exit_status)

    @property
    def carriers_asked(self) -> set[str]:
        with self._guard:
            return set(self._asked)

    def record(
        self,
        report: Report,
        now: datetime,
        ticked_at: datetime | None,
        *,
        stopped: bool = False,
    ) -> None:
        """Record it as it stands: of a process that is killed, the last such record is there. Raises RunError.

        `ticked_at`: when the process last looked for what is due; `stopped`: it ends in
        order.
        """
        process = f"{socket.gethostname()}:{os.getpid()}"
        facts = report.as_json() | signs(process, ticked_at, stopped=stopped)
        self._journal.end(self.run_id, now, report.exit_status, facts)

    def say(self, report: Report) -> None:
        log = run_log()
        log.info(f"{self.kind.name}, since {local(self.started_at):%Y-%m-%d %H:%M}:")
        for line in report.summary(local):
            log.info(line)

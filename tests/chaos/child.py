"""The fork server's job: the real scheduler, in a process that is killed at a chosen boundary."""

import json
import os
import pathlib
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self
from unittest.mock import patch

import psycopg
import sqlalchemy.dialects.postgresql.psycopg
from sqlalchemy import Engine, event
from sqlalchemy.engine.default import DefaultDialect

import recours.app
import recours.carriers.http
import recours.cli.workers
import recours.database.intake
import recours.evidence.store
import recours.host.logs
import recours.mail.manager
import recours.mail.render
import recours.runs.engine
from recours.sandbox import SimulatedClock
from tests import compiled

IMPORTED_FOR_SPEED = (psycopg, sqlalchemy.dialects.postgresql.psycopg)
compiled.share_usual()
# Until the lease of a killed run's intake ends, other runs wait. With constant kills they would do little else.
SHORT_LEASE = timedelta(seconds=5)


class Boundaries:
    """Counts the boundaries that a run reaches, by kind of thread, and kills the process at one of them.

    The threads of a run do not wait for each other, so the order is reproducible only within one thread.
    """

    def __init__(self, kill_at: list[Any] | None) -> None:
        self._kill_at = tuple(kill_at or ())
        self._reached: Counter[str] = Counter()
        self._lock = threading.Lock()
        self.names: list[tuple[str, str]] = []

    def reach(self, name: str) -> None:
        thread = threading.current_thread().name
        role = thread.split("_")[0].lower()
        with self._lock:
            self._reached[role] += 1
            self.names.append((role, name))
            if self._kill_at == (role, self._reached[role]):
                os.kill(os.getpid(), signal.SIGKILL)

    def around(
        self, owner: Any, method: str, name: str, wanted: Callable[..., bool] = lambda *_: True
    ) -> None:
        """Add a boundary before and one after a function."""
        work = getattr(owner, method)

        def watched(*args: Any, **named: Any) -> Any:
            if not wanted(*args):
                return work(*args, **named)
            self.reach(f"before {name}")
            result = work(*args, **named)
            self.reach(f"after {name}")
            return result

        setattr(owner, method, watched)


class _Torn:
    """A document's file that writes content in two halves, so that a run can be killed between them."""

    def __init__(self, file: Any, boundaries: Boundaries) -> None:
        self._file = file
        self._boundaries = boundaries

    def write(self, content: bytes) -> int:
        half = len(content) // 2
        self._boundaries.reach("before a document's first half")
        self._file.write(content[:half])
        self._file.flush()
        self._boundaries.reach("between a document's halves")
        self._file.write(content[half:])
        self._boundaries.reach("after a document's second half")
        return len(content)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.__exit__(*error)
        self._boundaries.reach("after a document is closed")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def watch(boundaries: Boundaries, pods: str) -> None:
    """Add boundaries at every statement, transaction, call, log line and step of storing a document."""
    event.listen(Engine, "before_cursor_execute", lambda *args: boundaries.reach(f"before {_short(args[2])}"))
    event.listen(Engine, "after_cursor_execute", lambda *args: boundaries.reach(f"after {_short(args[2])}"))
    boundaries.around(DefaultDialect, "do_commit", "commit")
    boundaries.around(DefaultDialect, "do_rollback", "rollback")
    boundaries.around(recours.carriers.http.Http, "send", "a call")
    boundaries.around(recours.carriers.http._WatchedHttp, "getresponse", "an answer")
    boundaries.around(recours.host.logs._File, "emit", "a line of the log")
    boundaries.around(os, "fsync", "fsync")
    for step in ("replace", "mkdir"):
        boundaries.around(pathlib.Path, step, f"a document's {step}", lambda path, *_: pods in str(path))

    def open_torn(path: Path, mode: str = "r", *args: Any, **named: Any) -> Any:
        file = open(path, mode, *args, **named)  # noqa: PTH123, SIM115 (as the store does)
        if mode == "wb" and pods in str(path):
            boundaries.reach("after a document is opened")
            return _Torn(file, boundaries)
        return file

    patch.object(recours.evidence.store, "open", open_torn, create=True).start()


def _short(statement: str) -> str:
    return " ".join(statement.split())[:60]


class QuickClock:
    """The real time plus an offset. Sleeping threads wake early and see a later monotonic time."""

    def __init__(self, ahead: timedelta) -> None:
        self._ahead = ahead
        self._slept = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def monotonic(self) -> float:
        return time.monotonic() + self._slept

    def sleep(self, seconds: float) -> None:
        time.sleep(min(seconds, 0.02))
        self._slept += 10 * seconds


def run(job: dict[str, Any]) -> int:
    """One run of a worker, by default the scheduler. Returns the exit status."""
    os.environ.clear()
    os.environ.update(job["environment"], RECOURS_HOME=job["root"])
    clock: Any
    if "at" in job:
        clock = SimulatedClock(datetime.fromisoformat(job["at"]))
    else:
        clock = QuickClock(timedelta(seconds=job["ahead_s"]))
        vars(recours.database.intake)["_LEASE"] = SHORT_LEASE
    vars(recours.app)["SystemClock"] = lambda _offset: clock  # the name under which the run imports it
    boundaries = Boundaries(job.get("kill_at"))
    if "kill_at" in job:
        watch(boundaries, job["environment"]["RECOURS_POD_DIR"])
        # Otherwise the load would decide which answers share a transaction, and the boundaries would vary.
        vars(recours.runs.engine)["_RECORD_DELAY_S"] = 0.0
    status = recours.cli.workers.main(job.get("worker", "pod_retry_scheduler"), job["arguments"])
    if "names" in job:
        Path(job["names"]).write_text(json.dumps(boundaries.names), encoding="utf-8")
    return status

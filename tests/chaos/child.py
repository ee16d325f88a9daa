"""A fork server: runs of the real scheduler, each in a process of its own that dies at a chosen boundary.

A program of its own: it reads a JSON object a line from stdin and answers each with one on stdout. Everything is
imported once, here; a run then costs a fork. It has no threads, so that forking is safe, and ends, with all that it
forked, when stdin is closed.
"""

import ctypes
import gc
import json
import os
import pathlib
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self
from unittest.mock import patch

import psycopg
import pypdf
import sqlalchemy.dialects.postgresql.psycopg
from sqlalchemy import Engine, event
from sqlalchemy.engine.default import DefaultDialect

import recours.carriers.http
import recours.carriers.line
import recours.cli.workers
import recours.logs
import recours.notifications.manager
import recours.notifications.render
import recours.wiring.databases
from recours.sandbox import SimulatedClock

IMPORTED_FOR_SPEED = (psycopg, pypdf, sqlalchemy.dialects.postgresql.psycopg)
_PR_SET_PDEATHSIG = 1
_OUR_MISTAKE = 70  # an exit status that the scheduler does not have


class Boundaries:
    """Counts the boundaries that a run reaches, for each kind of thread, and dies at one of them.

    The threads of a run do not wait for each other, so only the order within one of them is always the same.
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
        """Make two boundaries of a function: before and after it."""
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
    """A document's file: a write is made in two halves, so that a run can die between them."""

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
    """Have every statement, transaction, call, log line and step of storing a document reach a boundary."""
    event.listen(Engine, "before_cursor_execute", lambda *args: boundaries.reach(f"before {_short(args[2])}"))
    event.listen(Engine, "after_cursor_execute", lambda *args: boundaries.reach(f"after {_short(args[2])}"))
    boundaries.around(DefaultDialect, "do_commit", "commit")
    boundaries.around(DefaultDialect, "do_rollback", "rollback")
    boundaries.around(recours.carriers.http.Http, "send", "a call")
    boundaries.around(recours.carriers.http._WatchedHttp, "getresponse", "an answer")
    boundaries.around(recours.logs._File, "emit", "a line of the log")
    boundaries.around(os, "fsync", "fsync")
    for step in ("replace", "mkdir"):
        boundaries.around(pathlib.Path, step, f"a document's {step}", lambda path, *_: pods in str(path))
    plain_open = pathlib.Path.open

    def open_torn(path: Path, mode: str = "r", *args: Any, **named: Any) -> Any:
        file = plain_open(path, mode, *args, **named)
        if mode == "wb" and pods in str(path):
            boundaries.reach("after a document is opened")
            return _Torn(file, boundaries)
        return file

    patch.object(pathlib.Path, "open", open_torn).start()


def _short(statement: str) -> str:
    return " ".join(statement.split())[:60]


class QuickClock:
    """The real time, moved; who sleeps is woken early and believes to have slept longer."""

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
    """One run of the scheduler: returns its exit status."""
    os.environ.clear()
    os.environ.update(job["environment"])
    clock: Any
    if "at" in job:
        clock = SimulatedClock(datetime.fromisoformat(job["at"]))
    else:
        clock = QuickClock(timedelta(seconds=job["ahead_s"]))
    vars(recours.wiring.databases)["SystemClock"] = lambda _offset: clock  # by this name the run asks for it
    recours.cli.workers.ROOT = Path(job["root"])
    boundaries = Boundaries(job.get("kill_at"))
    if "kill_at" in job:
        watch(boundaries, job["environment"]["RECOURS_POD_DIR"])
    status = recours.cli.workers.main("pod_retry_scheduler", job["arguments"])
    if "names" in job:
        Path(job["names"]).write_text(json.dumps(boundaries.names), encoding="utf-8")
    return status


def _in_child(job: dict[str, Any]) -> None:
    """Become the run."""
    status = _OUR_MISTAKE
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        nothing = os.open(os.devnull, os.O_RDONLY)
        output = os.open(job["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for source, target in ((nothing, 0), (output, 1), (output, 2)):
            os.dup2(source, target)
        status = run(job)
    except BaseException:  # noqa: BLE001 (it may not go back to the server's loop)
        import traceback  # noqa: PLC0415 (never, if all is well)

        traceback.print_exc()
    finally:
        with suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


class _Children:
    """The runs that were forked and have not been waited for."""

    def __init__(self) -> None:
        self.alive: set[int] = set()

    def answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        if "fork" in asked:
            pid = os.fork()
            if pid == 0:
                _in_child(asked["fork"])
            self.alive.add(pid)
            return {"pid": pid}
        if "wait" in asked:
            return {"ended": [self._ended(asked["wait"], 0)]}
        ended = [self._ended(pid, os.WNOHANG) for pid in sorted(self.alive)]
        return {"ended": [end for end in ended if end]}

    def _ended(self, pid: int, how: int) -> tuple[int, int] | None:
        found, status = os.waitpid(pid, how)
        if not found:
            return None
        self.alive.discard(pid)
        return pid, os.waitstatus_to_exitcode(status)

    def end(self) -> None:
        for pid in self.alive:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def main() -> None:
    """Serve until stdin is closed."""
    gc.freeze()  # so that a fork shares what is there, and does not look through it
    children = _Children()
    print("ready", flush=True)
    try:
        for line in sys.stdin:
            print(json.dumps(children.answer(json.loads(line))), flush=True)
    finally:
        children.end()


if __name__ == "__main__":
    main()

"""A fork server with everything imported that runs each job in its own process.

`python -m tests.processes.fork_server MODULE` reads a JSON object per line from stdin and answers each with one on
stdout. Each forked process calls the module's `run(job)`, which returns its exit status. This saves the start of Python
and its imports, which are most of the cost of a process. Forking is safe because the server has no threads. When stdin
is closed, the server ends with all its children.
"""

import ctypes
import gc
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Any

_PR_SET_PDEATHSIG = 1
_OUR_MISTAKE = 70  # an exit status that recours never uses


def _become(run: Callable[[Any], int], job: dict[str, Any]) -> None:
    status = _OUR_MISTAKE
    try:
        if sys.platform.startswith("linux"):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        writing = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        for stream, path, mode in (
            (0, job.get("stdin", os.devnull), os.O_RDONLY | os.O_NOCTTY),
            (1, job["stdout"], writing),
            (2, job["stderr"], writing),
        ):
            opened = os.open(path, mode)
            os.dup2(opened, stream)
            os.close(opened)
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 (what was read ahead is the server's)
        status = run(job)
    except BaseException:  # noqa: BLE001 (it may not go back to the server's loop)
        traceback.print_exc()
    finally:
        for printed in (sys.stdout, sys.stderr):
            with suppress(OSError):
                printed.flush()
        os._exit(status)


class _Children:
    """The forked processes that nobody has waited for yet."""

    def __init__(self, run: Callable[[Any], int]) -> None:
        self._run = run
        self._alive: set[int] = set()

    def answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        if "fork" in asked:
            pid = os.fork()
            if pid == 0:
                _become(self._run, asked["fork"])
            self._alive.add(pid)
            return {"pid": pid}
        if "wait" in asked:
            return {"ended": [self._ended(asked["wait"], 0)]}
        ended = [self._ended(pid, os.WNOHANG) for pid in sorted(self._alive)]
        return {"ended": [end for end in ended if end]}

    def _ended(self, pid: int, how: int) -> tuple[int, int] | None:
        found, status = os.waitpid(pid, how)
        if not found:
            return None
        self._alive.discard(pid)
        return pid, os.waitstatus_to_exitcode(status)

    def end(self) -> None:
        for pid in self._alive:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def main(module: str) -> None:
    """Serve until stdin is closed."""
    children = _Children(import_module(module).run)
    gc.freeze()  # so that forked processes share existing objects and do not scan them
    print("ready", flush=True)
    try:
        for line in sys.stdin:
            print(json.dumps(children.answer(json.loads(line))), flush=True)
    finally:
        children.end()


if __name__ == "__main__":
    main(sys.argv[1])

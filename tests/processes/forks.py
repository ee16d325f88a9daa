"""The client of the fork server in `tests.processes.fork_server`."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


class Forks:
    """Starts processes and returns their exit statuses."""

    def __init__(self, module: str, recours: Path = ROOT) -> None:
        """Start the server. Processes call `run(job)` of `module`. `recours`: the checkout whose code they run."""
        path = os.pathsep.join(dict.fromkeys(map(str, (recours, ROOT))))
        environment = os.environ | {"PYTHONPATH": path, "PYTHONIOENCODING": "utf-8"}
        program = [sys.executable, "-P", "-m", "tests.processes.fork_server", module]
        self._server = subprocess.Popen(
            program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, cwd=ROOT, text=True
        )
        self._read()

    def fork(self, job: dict[str, Any]) -> int:
        """Fork a process for the job, and return its id.

        The job's `stdout` and `stderr` are files to append to; its `stdin` is a file to read, by default empty.
        """
        return int(self._ask({"fork": job})["pid"])

    def wait(self, pid: int) -> int:
        """Wait for a process to end, and return its exit status, which is negative if a signal ended it."""
        return int(self._ask({"wait": pid})["ended"][0][1])

    def ended(self) -> dict[int, int]:
        """The processes that ended since the last call, with their exit statuses."""
        return {int(pid): int(status) for pid, status in self._ask({"poll": True})["ended"]}

    def kill(self, pid: int) -> int:
        """Kill a process that nobody has waited for yet, and return its exit status."""
        os.kill(pid, signal.SIGKILL)
        return self.wait(pid)

    def close(self) -> None:
        """End the server and its children."""
        if self._server.stdin and self._server.stdout:
            self._server.stdin.close()
            self._server.wait()
            self._server.stdout.close()

    def _ask(self, asked: dict[str, Any]) -> dict[str, Any]:
        if not self._server.stdin:
            raise RuntimeError("the fork server is closed")
        self._server.stdin.write(json.dumps(asked) + "\n")
        self._server.stdin.flush()
        answer: dict[str, Any] = json.loads(self._read())
        return answer

    def _read(self) -> str:
        line = self._server.stdout.readline() if self._server.stdout else ""
        if not line:
            raise RuntimeError("the fork server died")
        return line


@contextmanager
def forking(module: str, recours: Path = ROOT) -> Iterator[Forks]:
    """A fork server that ends with the block."""
    forks = Forks(module, recours)
    try:
        yield forks
    finally:
        forks.close()

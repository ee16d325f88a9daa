"""Fleet workers in their own processes, for tests and measurements: start them, ask for their health, kill them."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import insert, text

from recours.database.engine import Database
from recours.sandbox import Parcel, Sandbox, Scenario
from tests.conftest import SERVICE_CLAIMS, claim_row, environment_of
from tests.postgres import free_port

ROOT = Path(__file__).resolve().parents[1]


def environment(url: str, sandbox: Sandbox, folder: Path, **more: str) -> dict[str, str]:
    """The environment of a fleet's processes."""
    variables = {
        "PATH": os.environ["PATH"],
        "RECOURS_LOG_DIR": str(folder / "logs"),
        "RECOURS_POD_DIR": str(folder / "pods"),
        "RECOURS_ENROLL_NEW": "false",
    }
    return environment_of(url, sandbox.url) | variables | more


def recours(variables: dict[str, str], *arguments: str) -> str:
    """The output of a command."""
    command = [sys.executable, "-m", "recours", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class Program:
    """A process of recours with its log. Leaving the context manager kills the process if it still runs."""

    def __init__(self, variables: dict[str, str], *command: str) -> None:
        """Start Python with this command line."""
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 (a pipe that nobody reads would fill up)
        self.process = subprocess.Popen(
            [sys.executable, *command], cwd=ROOT, env=variables, stdout=subprocess.DEVNULL, stderr=self._log
        )

    @property
    def log(self) -> str:
        """The log so far."""
        file = self._log.fileno()
        # Not `read`, because the writing process shares the file's position.
        return os.pread(file, os.fstat(file).st_size, 0).decode()

    def kill(self) -> None:
        """Kill the process with SIGKILL, as a power failure would."""
        self.process.kill()
        self.process.wait()

    def stop(self, seconds: float = 60) -> tuple[int, str]:
        """Send SIGTERM, wait for the end, and return the exit status and the log."""
        self.process.send_signal(signal.SIGTERM)
        return self.end(seconds)

    def end(self, seconds: float = 60) -> tuple[int, str]:
        """Wait for the end, and return the exit status and the log."""
        return self.process.wait(timeout=seconds), self.log

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.kill()
        self._log.close()


class FleetWorker(Program):
    """A process of `recours worker`."""

    def __init__(
        self, variables: dict[str, str], *options: str, program: tuple[str, ...] = ("-m", "recours")
    ) -> None:
        """Start the worker. `program`: the code for Python to run instead of recours."""
        self.port = free_port()
        super().__init__(variables, *program, "worker", "--port", str(self.port), *options)

    def get(self, page: str) -> tuple[int, str]:
        """The HTTP status and the text of a health page, or (0, "") without an answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{page}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    @property
    def health(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.get("/health")[1])
        return found

    def wait_until_ready(self, seconds: float = 30) -> float:
        """Wait until the worker is ready, and return the seconds that this took."""
        return wait_for(lambda: self.get("/ready")[0] == 200, seconds, self)


def wait_for(is_so: Callable[[], bool], seconds: float, program: Program | None = None) -> float:
    """Wait for a condition, and return the seconds that this took. `program`: a process that must not end."""
    began = time.perf_counter()
    while not is_so():
        took = time.perf_counter() - began
        if program and program.process.poll() is not None:
            raise AssertionError(f"it ended with {program.process.returncode}: {program.log}")
        if took > seconds:
            raise AssertionError(f"not so within {seconds} s" + (f": {program.log}" if program else ""))
        time.sleep(0.02)
    return time.perf_counter() - began


def add_failed(
    database: Database, sandbox: Sandbox, ids: Iterable[int], scenario: Scenario = Scenario.DELIVERED
) -> None:
    """Add claims that are due now."""
    at = datetime.now(UTC) - timedelta(hours=2)
    rows = [claim_row(n) | {"created_at": at, "updated_at": at} for n in ids]
    with database.write() as connection:
        connection.execute(insert(SERVICE_CLAIMS), rows)
    for row in rows:
        sandbox.parcels[row["tracking_number"]] = Parcel((scenario,))


def add_pending(database: Database, sandbox: Sandbox, ids: Iterable[int]) -> list[str]:
    """Add new claims, and return their references."""
    now = datetime.now(UTC)
    new = {"pod_fetch_status": "pending", "pod_fetch_error": None, "created_at": now, "updated_at": now}
    rows = [claim_row(n) | new for n in ids]
    for row in rows:
        sandbox.parcels[row["tracking_number"]] = Parcel((Scenario.DELIVERED,))
    with database.write() as connection:
        connection.execute(insert(SERVICE_CLAIMS), rows)
    return [str(row["claim_reference"]) for row in rows]


def add_jobs(database: Database, queue: str, task: str, arguments: dict[str, Any], count: int = 1) -> None:
    """Add jobs to the queue, as any program may do."""
    query = text(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, priority, args)"
        " SELECT :queue, :task, :priority, CAST(:arguments AS jsonb) FROM generate_series(1, :count)"
    )
    values = {"queue": queue, "task": task, "arguments": json.dumps(arguments), "count": count}
    with database.write() as connection:
        connection.execute(query, values | {"priority": 10 if task == "recours.tick" else 0})


def tick(database: Database) -> None:
    """Look for new claims now, instead of at the next full minute."""
    add_jobs(database, "recours_now", "recours.tick", {"timestamp": 0})


@contextmanager
def fleet(variables: dict[str, str], count: int, *options: str) -> Iterator[list[FleetWorker]]:
    """This many workers, all of them ready."""
    with ExitStack() as started:
        workers = [started.enter_context(FleetWorker(variables, *options)) for _ in range(count)]
        for worker in workers:
            worker.wait_until_ready()
        yield workers

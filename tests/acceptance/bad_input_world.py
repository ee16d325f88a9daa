"""What a case of bad input happens in: a database, folders, settings and a carrier, and the real scripts run on them.

Everything lies in one folder; the checkout is only read. The checks that hold for every case are here, too.
"""

import base64
import os
import re
import sqlite3
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

from recours.sandbox import Parcel, Sandbox
from tests.acceptance.simulation import JOINED
from tests.fakes.hostile import AnyStep
from tests.planted import MARK
from tests.processes.commands import Done, worker

ROOT = Path(__file__).resolve().parents[2]

ACCOUNT = "19869502"
PASSWORD = f"s3cr3t-{MARK}-Zq7"
DATABASE_PASSWORD = f"db-{MARK}-Xk9w"
_SECRETS = [
    form.encode()
    for secret in (PASSWORD, DATABASE_PASSWORD)
    for form in (secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode().rstrip("="))
]

SCHEDULER, FETCHER = "pod_retry_scheduler", "pod_fetch_worker"

LOG_LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d - \[(DEBUG|INFO|WARNING|ERROR)\] - [\w.]+ - .*")
_STDERR = re.compile(rf"{LOG_LINE.pattern}|Usage: |Try '|Error: |$")
# What a forged line would begin with: the sandbox's hostile text and ours say so.
FORGED = "2016-02-06 14:00:00 - [INFO] - __main__ - ✅ SUCCESS: POD fetched for CLM-EVIL after 1 attempts"
_numbers = count(1)

# The claims service's own columns: whatever happens, a run leaves them as they are.
OF_THE_SERVICE = (
    "id", "claim_reference", "client_id", "order_id", "carrier", "dispute_type", "amount_requested", "currency",
    "status", "response_deadline", "order_date", "tracking_number", "created_at",
)  # fmt: skip


def a_number(digits: str = "00") -> str:
    """A Chronopost number that no other case uses; its first digits choose what the sandbox does."""
    return f"XY{digits}{next(_numbers) % 10**7:07}FR"


def hours_ago(hours: float) -> str:
    """A timestamp as the service writes it."""
    return f"{datetime.now(UTC) - timedelta(hours=hours):%Y-%m-%d %H:%M:%S}"


@dataclass(frozen=True)
class Ran:
    """How a run of a script ended, and what it left."""

    status: int
    stdout: str
    stderr: str
    log: str  # of this run's folder, all files of the worker

    @property
    def everything(self) -> str:
        """All that a person could see."""
        return (
            f"exit {self.status}\n--- stdout\n{self.stdout}\n--- stderr\n{self.stderr}\n--- log\n{self.log}"
        )


@dataclass
class World:
    """One case's folder and settings."""

    folder: Path
    box: Sandbox
    worker: str = SCHEDULER
    env: dict[str, str] = field(default_factory=dict)
    database: Path = field(init=False)
    log_dir: Path = field(init=False)
    pod_dir: Path = field(init=False)

    def __post_init__(self) -> None:
        self.database = self.folder / "claims.db"
        self.log_dir, self.pod_dir = self.folder / "logs", self.folder / "pods"
        self.env = {
            "DATABASE_PATH": str(self.database),
            "RECOURS_LOG_DIR": str(self.log_dir),
            "RECOURS_POD_DIR": str(self.pod_dir),
            "CHRONOPOST_ACCOUNT": ACCOUNT,
            "CHRONOPOST_PASSWORD": PASSWORD,
            "CHRONOPOST_BASE_URL": self.box.url,
        }
        if os.name == "nt":
            self.env["SYSTEMROOT"] = os.environ["SYSTEMROOT"]

    # ---------------------------------------------------------------- the database

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run a statement on the database, as another program would."""
        with closing(sqlite3.connect(self.database, timeout=20)) as connection, connection:
            return connection.execute(statement, values).fetchall()

    def claim(self, reference: str, number: str | None, **columns: Any) -> None:
        """Add a claim; it failed three hours ago unless said otherwise."""
        values = {
            "claim_reference": reference,
            "client_id": 1,
            "order_id": "O-1",
            "carrier": "Chronopost",
            "dispute_type": "lost",
            "amount_requested": 10.5,
            "tracking_number": number,
            "pod_fetch_status": "failed",
            "pod_fetch_error": "Timeout API",
            "created_at": hours_ago(50),
            "updated_at": hours_ago(3),
        } | columns
        marks = ", ".join("?" * len(values))
        self.sql(f"INSERT INTO claims ({', '.join(values)}) VALUES ({marks})", *values.values())

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """Rows by the names of their columns; text that is not UTF-8 is mended."""
        with closing(sqlite3.connect(self.database, timeout=20)) as connection:
            connection.row_factory = sqlite3.Row
            connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
            return [dict(row) for row in connection.execute(query, values)]

    def one(self, reference: str) -> dict[str, Any]:
        """A claim's row."""
        return self.rows(f"SELECT * FROM {JOINED} WHERE claim_reference = ?", reference)[0]

    def attempts(self, reference: str = "CLM-1") -> list[dict[str, Any]]:
        """What our records hold of a claim's attempts."""
        query = "SELECT a.* FROM recours_attempts a JOIN claims c ON c.id = a.claim_id WHERE c.claim_reference = ?"
        return self.rows(query, reference)

    def snapshot(self) -> list[tuple[Any, ...]] | None:
        """The service's own columns of every claim, byte by byte; None if the file holds no such table."""
        wanted = ", ".join(f"quote({name})" for name in OF_THE_SERVICE)
        try:
            with closing(sqlite3.connect(f"{self.database.as_uri()}?mode=rw", uri=True)) as connection:
                connection.text_factory = bytes
                return connection.execute(f"SELECT {wanted} FROM claims ORDER BY id").fetchall()
        except sqlite3.Error:
            return None

    # ---------------------------------------------------------------- the carrier

    def parcel(self, *steps: AnyStep, **more: Any) -> str:
        """A new number with this script."""
        number = a_number()
        self.box.parcels[number] = Parcel(steps, **more)
        return number

    # ---------------------------------------------------------------- running

    def run(self, *options: str, memory_mb: int | None = None, **streams: Any) -> Ran:
        """Run the worker's script as cron does: a clean environment, another working directory.

        `streams`: a stdout or stderr other than the pipe that is read.
        """
        if memory_mb or streams:
            done = self._start(options, memory_mb, **streams)
        else:
            done = worker(self.worker, *options, environment=self.env, folder=self.folder)
        stdout, stderr, log = (
            text.replace("\r\n", "\n") for text in (done.stdout, done.stderr, self._log().decode())
        )
        return Ran(done.returncode, stdout, stderr, log)

    def _start(self, options: tuple[str, ...], memory_mb: int | None, **streams: Any) -> Done:
        """From nothing: one that is bound by more than others are."""
        script = ROOT / "scripts" / f"{self.worker}.py"
        outputs: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams
        done = subprocess.run(
            [sys.executable, str(script), *options],
            cwd=self.folder,
            env=self.env,
            timeout=150,
            check=False,
            preexec_fn=_limited_to(memory_mb) if memory_mb and os.name == "posix" else None,
            **outputs,
        )
        stdout, stderr = (raw.decode() if raw else "" for raw in (done.stdout, done.stderr))
        return Done(done.args, done.returncode, stdout, stderr)

    def _log(self) -> bytes:
        if not self.log_dir.is_dir():
            return b""
        files = sorted(self.log_dir.glob(f"{self.worker}.log*"))
        return b"".join(path.read_bytes() for path in files if path.is_file())


def _limited_to(megabytes: int) -> Callable[[], None]:
    def limit() -> None:
        import resource  # noqa: PLC0415 (Windows has none)

        resource.setrlimit(resource.RLIMIT_AS, (megabytes * 1024 * 1024,) * 2)

    return limit


# ---------------------------------------------------------------- what holds for every case


def faults_of(world: World, ran: Ran) -> Iterator[str]:
    """What is wrong with a run, whatever it was about: tracebacks, secrets, forged or broken lines."""
    for where, text in (("stderr", ran.stderr), ("the log", ran.log)):
        if "Traceback" in text:
            yield f"a traceback on {where}"
    yield from _leaks(world, ran)
    yield from _bad_lines(ran)


def _leaks(world: World, ran: Ran) -> Iterator[str]:
    seen = {"stdout": ran.stdout.encode(), "stderr": ran.stderr.encode(), "the log": ran.log.encode()}
    for path in world.folder.rglob("*"):
        if path.is_file() and path.name not in ("secrets.toml", ".env"):
            seen[str(path)] = path.read_bytes()
    for where, content in seen.items():
        if any(secret in content for secret in _SECRETS):
            yield f"a secret in {where}"


def _bad_lines(ran: Ran) -> Iterator[str]:
    for line in ran.log.split("\n")[:-1]:
        if not LOG_LINE.fullmatch(line):
            yield f"a line of the log without the guide's form: {line!r}"
    if ran.log and not ran.log.endswith("\n"):
        yield "the log's last line has no end"
    for where, text in (("stderr", ran.stderr), ("the log", ran.log)):
        strange = [line for line in text.splitlines() if not _STDERR.match(line)]
        if where == "stderr" and strange:
            yield f"lines on stderr that are neither of the log nor of the usage: {strange!r}"
        odd = {c for c in text if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
        if odd:
            yield f"control characters on {where}: {odd!r}"
        if re.search(r"^20[0-2]6-02-06 14:00:00", text, re.MULTILINE):
            yield f"a forged line on {where}"


def were_used_up(claim: dict[str, Any]) -> bool:
    """Tell whether other software had used up a claim's retries, and recours has only taken note of that."""
    try:
        used = int(claim["pod_retry_count"])
    except (TypeError, ValueError):
        return False
    return claim["stage"] == "given_up" and used >= 4


_KEPT_STAGES = (None, "new", "waiting", "ready", "settled", "unnumbered", "shelved")


def lost_claims(world: World) -> Iterator[str]:
    """Claims that nobody would try again, although neither their POD nor a final failure is on record."""
    for claim in world.rows(f"SELECT * FROM {JOINED} WHERE pod_fetch_status IN ('failed', 'pending')"):
        name, stage = claim["claim_reference"], claim["stage"]
        if claim["lease_token"]:
            yield f"{name} is still held"
        if stage in ("waiting", "settled") and not is_soon(claim["next_at"]):
            yield f"{name} waits for a turn that never comes: {claim['next_at']!r}"
        if stage not in _KEPT_STAGES and not world.attempts(name) and not were_used_up(claim):
            yield f"{name} has the stage {stage!r}, and no attempt is on record"
    for claim in world.rows("SELECT * FROM claims WHERE pod_fetch_status = 'success'"):
        if claim.get("pod_url") and not Path(claim["pod_url"]).is_file():
            yield f"{claim['claim_reference']}: its document is gone"


def is_soon(value: Any) -> bool:
    try:
        at = datetime.fromisoformat(value).replace(tzinfo=UTC)
    except (TypeError, ValueError):
        return False
    return at < datetime.now(UTC) + timedelta(hours=73)

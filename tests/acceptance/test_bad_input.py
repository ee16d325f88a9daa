"""Bad input for the real scripts: a spoiled row stops no other claim, and every problem is reported in a sentence.

Tests of `settings`, `carriers`, `http`, `documents` and `database` cover each setting, answer, document and folder
fault without
a process. Here each kind occurs once: the exit status, a readable sentence on stderr and in the log, nothing lost, no
traceback, no secret anywhere, no forged line.
"""

import base64
import contextlib
import re
import shutil
import sqlite3
import time
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import URL

from recours.database.engine import Database, DatabaseError
from recours.database.schema.creation import create_file
from recours.database.schema.inspection import inspect_schema
from recours.sandbox import Parcel, Sandbox, Scenario
from tests.acceptance.simulation import JOINED
from tests.conftest import SERVICE_CLAIMS
from tests.fakes.hostile import AnyStep, Attack
from tests.planted import MARK
from tests.processes.commands import recours, worker

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
# The start of a forged line, in the sandbox's hostile text and in ours.
FORGED = "2016-02-06 14:00:00 - [INFO] - __main__ - ✅ SUCCESS: POD fetched for CLM-EVIL after 1 attempts"
_numbers = count(1)

# The service's own columns, which no run may change.
OF_THE_SERVICE = (
    "id", "claim_reference", "client_id", "order_id", "carrier", "dispute_type", "amount_requested", "currency",
    "status", "response_deadline", "order_date", "tracking_number", "created_at",
)  # fmt: skip


def a_number(digits: str = "00") -> str:
    """A Chronopost number that no other case uses; its first digits select the sandbox's scenario."""
    return f"XY{digits}{next(_numbers) % 10**7:07}FR"


def hours_ago(hours: float) -> str:
    """A timestamp as the service writes it."""
    return f"{datetime.now(UTC) - timedelta(hours=hours):%Y-%m-%d %H:%M:%S}"


@dataclass(frozen=True)
class Ran:
    """The result of a script's run: how it ended and what it wrote."""

    status: int
    stdout: str
    stderr: str
    log: str  # all log files of the worker in this run's folder

    @property
    def everything(self) -> str:
        """Everything a person could see."""
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

    # ---------------------------------------------------------------- the database

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run a statement on the database as another program."""
        with closing(sqlite3.connect(self.database, timeout=20)) as connection, connection:
            return connection.execute(statement, values).fetchall()

    def claim(self, reference: str, number: str | None, **columns: Any) -> None:
        """Add a claim; by default it failed three hours ago."""
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
        """Rows by column name; text that is not UTF-8 is repaired."""
        with closing(sqlite3.connect(self.database, timeout=20)) as connection:
            connection.row_factory = sqlite3.Row
            connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
            return [dict(row) for row in connection.execute(query, values)]

    def claim_row(self, reference: str) -> dict[str, Any]:
        """A claim's row."""
        return self.rows(f"SELECT * FROM {JOINED} WHERE claim_reference = ?", reference)[0]

    def attempts(self, reference: str = "CLM-1") -> list[dict[str, Any]]:
        """The recorded attempts of a claim."""
        query = "SELECT a.* FROM recours_attempts a JOIN claims c ON c.id = a.claim_id WHERE c.claim_reference = ?"
        return self.rows(query, reference)

    def snapshot(self) -> list[tuple[Any, ...]] | None:
        """The service's own columns of every claim, byte by byte; None if the file has no such table."""
        wanted = ", ".join(f"quote({name})" for name in OF_THE_SERVICE)
        try:
            with closing(sqlite3.connect(f"{self.database.as_uri()}?mode=rw", uri=True)) as connection:
                connection.text_factory = bytes
                return connection.execute(f"SELECT {wanted} FROM claims ORDER BY id").fetchall()
        except sqlite3.Error:
            return None

    # ---------------------------------------------------------------- the carrier

    def parcel(self, *steps: AnyStep, **more: Any) -> str:
        """A new number with this scenario."""
        number = a_number()
        self.box.parcels[number] = Parcel(steps, **more)
        return number

    # ---------------------------------------------------------------- running

    def run(self, *options: str) -> Ran:
        """Run the worker's script as cron does: in a clean environment and another working directory."""
        done = worker(self.worker, *options, environment=self.env, folder=self.folder)
        return Ran(done.returncode, done.stdout, done.stderr, self._log())

    def _log(self) -> str:
        if not self.log_dir.is_dir():
            return ""
        files = sorted(self.log_dir.glob(f"{self.worker}.log*"))
        return b"".join(path.read_bytes() for path in files if path.is_file()).decode()


# ---------------------------------------------------------------- what holds for every case


def faults_of(world: World, ran: Ran) -> Iterator[str]:
    """Problems that no run may have: tracebacks, secrets, forged or broken lines."""
    for where, text in (("stderr", ran.stderr), ("the log", ran.log)):
        if "Traceback" in text:
            yield f"a traceback on {where}"
    yield from _leaks(world, ran)
    yield from _bad_lines(ran)


def _leaks(world: World, ran: Ran) -> Iterator[str]:
    outputs = {"stdout": ran.stdout.encode(), "stderr": ran.stderr.encode(), "the log": ran.log.encode()}
    for path in world.folder.rglob("*"):
        if path.is_file() and path.name not in ("secrets.toml", ".env"):
            outputs[str(path)] = path.read_bytes()
    for where, content in outputs.items():
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
    """Whether other software had used up a claim's retries and recours only recorded this."""
    try:
        used = int(claim["pod_retry_count"])
    except (TypeError, ValueError):
        return False
    return claim["stage"] == "given_up" and used >= 4


_KEPT_STAGES = (None, "new", "waiting", "ready", "settled", "unnumbered", "shelved")


def lost_claims(world: World) -> Iterator[str]:
    """Claims that would never be tried again, although neither a POD nor a final failure is recorded."""
    for claim in world.rows(f"SELECT * FROM {JOINED} WHERE pod_fetch_status IN ('failed', 'pending')"):
        name, stage = claim["claim_reference"], claim["stage"]
        if claim["lease_token"]:
            yield f"{name} is still held"
        if stage in ("waiting", "settled") and not is_soon(claim["next_at"]):
            yield f"{name} waits for a turn that never comes: {claim['next_at']!r}"
        if stage not in _KEPT_STAGES and not world.attempts(name) and not were_used_up(claim):
            yield f"{name} has the stage {stage!r}, but no recorded attempt"
    for claim in world.rows("SELECT * FROM claims WHERE pod_fetch_status = 'success'"):
        if claim.get("pod_url") and not Path(claim["pod_url"]).is_file():
            yield f"{claim['claim_reference']}: its document is gone"


def is_soon(value: Any) -> bool:
    try:
        at = datetime.fromisoformat(value).replace(tzinfo=UTC)
    except (TypeError, ValueError):
        return False
    return at < datetime.now(UTC) + timedelta(hours=73)


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    with Sandbox() as box:
        box.accounts[ACCOUNT] = PASSWORD
        yield box


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database whose schema is current, with a client."""
    path = tmp_path_factory.mktemp("template") / "claims.db"
    create_file(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO clients (id, email) VALUES (1, 'client@example.com')")
    return path


@pytest.fixture
def world(tmp_path: Path, box: Sandbox, template: Path) -> World:
    shutil.copy(template, tmp_path / "claims.db")
    return World(tmp_path, box)


# ---------------------------------------------------------------- garbage in every column

# As SQL, because no program can store some of these values as text.
GARBAGE = {
    "NULL": "NULL",
    "empty": "''",
    "blanks": "'   '",
    "a word": "'garbage'",
    "a forged line": f"'x' || char(10) || '{FORGED}' || char(27) || '[2J'",
    "bytes": "x'00ff1b0a'",
    "not UTF-8": "CAST(x'ff31e9' AS TEXT)",
    "NUL inside": "'a' || char(0) || 'b'",
    "a huge number": "9223372036854775807",
    "a negative number": "-9223372036854775808",
    "infinity": "9e999",
    "a number as text": "'99999999999999999999'",
    "the end of time": "'9999-12-31 23:59:59'",
    "the end of time, elsewhere": "'9999-12-31T23:59:59-12:00'",
    "the beginning of time": "'0001-01-01 00:00:00'",
    "no such day": "'2026-02-30 25:61:61'",
    "JSON": '\'{"at": 5, "signatory": []}\'',
    "a long text": "replace(hex(zeroblob(5000)), '00', 'x')",
}

# The service's table rejects NULL here, and its primary key accepts only numbers.
NEVER_NULL = frozenset({"carrier", "claim_reference", "amount_requested", "order_id", "dispute_type"})
COLUMNS = [column.name for column in SERVICE_CLAIMS.columns if column.name != "id"]

# Columns whose value means that there is nothing to fetch or that fetching is impossible.
LEFT_ALONE = frozenset({"pod_fetch_status"})
REFUSED = frozenset({"tracking_number", "carrier"})  # no call, and the sentence has the reason

# Garbage that is a valid value: a time, a count. The claim has its next retry or has used it up.
HAS_A_TURN = frozenset({"updated_at", "pod_retry_count"})
USED_UP = frozenset({"pod_retry_count"})

Rows = list[tuple[str, str, str]]  # for each: its column, the garbage's name, the garbage as SQL
ROWS: Rows = [
    (column, name, sql)
    for column in COLUMNS
    for name, sql in GARBAGE.items()
    if not (sql == "NULL" and column in NEVER_NULL)
]


def garbage_world(world: World, rows: Rows, stage: str | None) -> dict[str, tuple[str, str]]:
    """One claim for each garbage value, spoiled after the first run if `stage` is given, by reference."""
    for place in range(len(rows)):
        world.claim(f"CLM-{place:04}", a_number(), response_deadline="2099-01-01")
    if stage:
        world.sql("UPDATE claims SET updated_at = datetime('now')")
        world.run()
        world.sql(f"UPDATE recours_claims SET stage = '{stage}', next_at = datetime('now', '-1 hour')")
    for place, (column, _, sql) in enumerate(rows):
        if column != "claim_reference":  # the key to find the others; it has its own test
            world.sql(f"UPDATE claims SET {column} = {sql} WHERE claim_reference = 'CLM-{place:04}'")
    return {f"CLM-{place:04}": (column, name) for place, (column, name, _) in enumerate(rows)}


def verdicts(world: World, spoilt: dict[str, tuple[str, str]]) -> Iterator[str]:
    """Rows whose result differs from the expectation for their column."""
    for reference, (column, name) in spoilt.items():
        claim, attempts = world.claim_row(reference), world.attempts(reference)
        what = f"{column} = {name}: {claim['pod_fetch_status']!r}, stage {claim['stage']!r}"
        if column in LEFT_ALONE:
            if attempts or claim["pod_fetch_status"] == "success":
                yield f"{what}: a claim in a state of others was touched"
        elif column in REFUSED:
            if [a["error_kind"] for a in attempts] not in (["invalid_tracking"], ["unsupported_carrier"]):
                yield f"{what}: not refused, {attempts}"
        elif claim["pod_fetch_status"] != "success" and not explained(column, attempts, claim):
            yield f"{what}: not fetched, {[a['message'] for a in attempts]}"


def explained(column: str, attempts: list[dict[str, Any]], claim: dict[str, Any]) -> bool:
    if column in USED_UP and (attempts or were_used_up(claim)):
        return True
    waits = claim["stage"] in ("waiting", "settled") and is_soon(claim["next_at"])
    return column in HAS_A_TURN and waits


ALL = pytest.mark.full("garbage in every column: make test takes some rows")


@pytest.mark.parametrize(
    ("every", "stage"),
    [
        (13, None),
        pytest.param(1, None, marks=ALL),
        pytest.param(1, "waiting", marks=ALL),
        pytest.param(1, "ready", marks=ALL),
    ],
)
def test_garbage_in_a_column_stops_no_other_claim_and_no_command(
    every: int, stage: str | None, world: World
) -> None:
    world.env["QUOTA_CHRONOPOST"] = "100000/day"
    spoilt = garbage_world(world, ROWS[::every], stage)
    before = world.snapshot()
    ran = world.run("--batch-size", "10000", "--concurrency", "16", "--json")
    assert ran.status == 0, ran.stderr[-3000:]
    assert list(faults_of(world, ran)) == []
    assert world.snapshot() == before
    odd = [*verdicts(world, spoilt), *lost_claims(world)]
    assert odd == [], "\n".join(odd)
    for command in (("status",), ("plan",), ("export", "claims", "--json")):
        done = recours(*command, environment=world.env, folder=world.folder)
        assert done.returncode == 0, (command, done.stderr[-3000:])
        assert "Traceback" not in done.stderr


OF_A_REFERENCE = ("empty", "a forged line", "bytes", "not UTF-8", "NUL inside", "infinity", "a long text")


def test_garbage_as_a_reference_stops_no_claim(world: World) -> None:
    for place, name in enumerate(OF_A_REFERENCE, 1):
        world.claim(f"CLM-{place}", a_number())
        world.sql(
            f"UPDATE claims SET claim_reference = {GARBAGE[name]} WHERE claim_reference = 'CLM-{place}'"
        )
    before = world.snapshot()
    ran = world.run()
    assert ran.status == 0, ran.stderr
    assert list(faults_of(world, ran)) == []
    assert world.snapshot() == before
    assert world.sql("SELECT DISTINCT pod_fetch_status FROM claims") == [("success",)]
    paths = [Path(url) for (url,) in world.sql("SELECT pod_url FROM claims")]
    assert all(path.is_relative_to(world.pod_dir) and path.is_file() for path in paths)


# ---------------------------------------------------------------- each kind of bad input


Prepare = Callable[[World], object]


@dataclass(frozen=True)
class Case:
    """A kind of bad input and the expected result of a run."""

    name: str
    status: int
    # Readable sentences, expected on stderr and, where a log can be written, in the log.
    says: tuple[str, ...]
    options: tuple[str, ...] = ()
    env: Mapping[str, str | None] = field(default_factory=dict)  # None: not set
    prepare: Prepare | None = None
    worker: str = SCHEDULER
    logged: bool = True  # the sentence is in the log too
    calls: bool = False  # whether the carrier is called


def case(name: str, status: int, *says: str, **more: Any) -> Case:
    """A case; its sentences are arguments."""
    return Case(name, status, says, **more)


def option(name: str, value: str, *says: str) -> Case:
    return case(f"{name} {value!r}", 2, name, *says, options=(name, value))


def played(*steps: AnyStep) -> Prepare:
    """A case in which the sandbox uses this scenario."""
    return lambda world: world.sql("UPDATE claims SET tracking_number = ? WHERE id = 1", world.parcel(*steps))


def secrets(content: str) -> Prepare:
    """A separate secrets file, named by the setting."""

    def prepare(world: World) -> None:
        path = world.folder / "secrets.toml"
        path.write_text(content, encoding="utf-8")
        world.env["RECOURS_SECRETS_FILE"] = str(path)

    return prepare


SERVER = f"postgresql://u:{DATABASE_PASSWORD}@127.0.0.1:1/claims"  # nothing listens there
CASES = [
    option("--batch-size", "0", "from 1 to 10000"),
    option("--max-retries", "21", "from 1 to 20"),
    option("--max-runtime", "nan", "is not a number from 0.01 to 1440"),
    option("--batch-size", f"1\n{FORGED}", "not a whole number"),
    case("a carrier that forges a line", 2, "there is no carrier", options=("--carrier", f"x\n{FORGED}")),
    case("an unknown carrier", 2, "there is no carrier 'Chronopots'", "Did you mean Chronopost?",
         options=("--carrier", "Chronopots")),
    case("the fetch worker has no --max-retries", 2, "No such option '--max-retries'", options=("--max-retries", "4"),
         worker=FETCHER),
    case("a prefix of an option", 2, "No such option '--batch'", "--batch-size", options=("--batch", "3")),
    case("the URL without its option", 2, "unexpected extra argument", options=(SERVER,)),
    case("one good claim and two bad ones", 2, "There is no claim 'CLM-9'", "CLM-DONE already has its proof of delivery",
         options=("--claim", "CLM-1", "--claim", "CLM-9", "--claim", "CLM-DONE")),
    case("a reference that is not UTF-8", 2, "There is no claim", options=("--claim", "CLM-\udcff")),
    case("a reference of 100,000 characters", 2, "There is no claim 'CCCC", options=("--claim", "C" * 100_000)),
    case("--database-url is none", 2, "--database-url is not a database URL",
         options=("--database-url", f"claims.db:{DATABASE_PASSWORD}")),
    case("a server that is down", 1, "cannot be used: ", "127.0.0.1", env={"DATABASE_URL": SERVER}),
    case("a missing file", 1, "There is no database file", "recours init-db", env={"DATABASE_PATH": "/nowhere/claims.db"}),
    case("several faults at once", 2, "RECOURS_TIMEZONE in the environment", "QUOTA_CHRONOPOST in the environment",
         "CHRONOPOST_BASE_URL in the environment", "DATABASE_URL in the environment",
         env={"RECOURS_TIMEZONE": "x", "QUOTA_CHRONOPOST": "x", "CHRONOPOST_BASE_URL": "x", "DATABASE_URL": "x"}),
    case("a setting's name that forges a line", 0, "is not a setting", env={f"RECOURS_X\n{FORGED}": "1"}, calls=True),
    case("a setting's value that forges a line", 2, "is not a time zone", env={"RECOURS_TIMEZONE": f"x\n{FORGED}"}),
    case("a password with a line break", 2, "contains a line break", env={"CHRONOPOST_PASSWORD": f"{PASSWORD}\nX: y"}),
    case("a password that is not UTF-8", 2, "not UTF-8", env={"CHRONOPOST_PASSWORD": "mot-de-passe-\udce9"}),
    case("secrets.toml is no TOML", 2, "is not valid TOML (line 2", "text needs quotes",
         prepare=secrets(f"[chronopost]\npassword = {PASSWORD}\n")),
    case("no credentials", 0, "Chronopost has no credentials: set CHRONOPOST_ACCOUNT and CHRONOPOST_PASSWORD",
         "Skipped (carrier): 1", env={"CHRONOPOST_ACCOUNT": None, "CHRONOPOST_PASSWORD": None}),
    case("a trigger that forges a line", 1, "cannot be used: ", prepare=lambda world: world.sql(
        f"CREATE TRIGGER t BEFORE UPDATE ON recours_claims BEGIN SELECT RAISE(ABORT, 'no\n{FORGED}\x1b[2J'); END")),
    case("a file in place of the log folder", 1, "Cannot write the log in", "set RECOURS_LOG_DIR", logged=False,
         prepare=lambda world: world.log_dir.write_text("in the way")),
    case("a file in place of the document folder", 1, "Documents cannot be stored in", "File exists",
         "No carrier is called until this is fixed", prepare=lambda world: world.pod_dir.write_text("in the way")),
    case("a gzip bomb", 0, "Chronopost sent more than 20 MB", prepare=played(Attack.GZIP_BOMB), calls=True),
    case("an answer that grows to gigabytes", 0, "an answer that cannot be read (HTTP 200)",
         prepare=played(Attack.DTD_BOMB), calls=True),
    case("a hostile text", 0, "Chronopost reports an internal error: Erreur", prepare=played(Attack.HOSTILE_TEXT),
         calls=True),
    case("a letter for a document", 0, "invalid document as the proof: it is not a PDF", prepare=played(Scenario.NOT_A_DOCUMENT),
         calls=True),
    case("a wrong password", 0, "rejects our credentials", env={"CHRONOPOST_PASSWORD": f"{PASSWORD}-of-yesterday"},
         calls=True),
    case("nobody listens", 0, "Chronopost could not be reached: the connection failed; no attempt was used",
         env={"CHRONOPOST_BASE_URL": "http://127.0.0.1:1"}, calls=True),
    case("no name is resolved", 1, "No carrier could be reached: check this machine's network",
         "Deferred without using an attempt: 1 claim.", env={"CHRONOPOST_BASE_URL": "https://nobody.invalid"}, calls=True),
]  # fmt: skip


@pytest.mark.sample("bad input of each kind: others show the same of the settings and answers", every=5)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_kind_of_bad_input_is_reported_and_loses_nothing(case: Case, world: World) -> None:
    world.claim("CLM-1", a_number())
    world.claim("CLM-DONE", a_number(), pod_fetch_status="success", pod_fetch_error=None, pod_url=None)
    world.worker = case.worker
    for name, value in case.env.items():
        world.env.pop(name, None)
        if value is not None:
            world.env[name] = value
    if case.prepare:
        case.prepare(world)
    before, calls = world.snapshot(), len(world.box.calls)
    ran = world.run(*case.options)
    assert ran.status == case.status, ran.everything
    for sentence in case.says:
        assert sentence in ran.stderr
        assert not case.logged or sentence in ran.log, f"not in the log: {sentence}"
    assert list(faults_of(world, ran)) == []
    assert world.snapshot() == before
    assert case.calls or len(world.box.calls) == calls, "the carrier was asked"
    assert list(lost_claims(world)) == []


# ---------------------------------------------------------------- a file that is not a database


def cut(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 3])


def scribble(path: Path) -> None:
    """Keep the header and spoil every page after the first."""
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\x5a" * (len(content) - 4096))


def untouched(path: Path) -> None:
    """Only its permissions are wrong."""


def make_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("spoil", "query", "says"),
    [
        (make_a_folder, {}, "cannot be opened; check that the file exists"),
        (lambda path: path.write_text("Dear Sir or Madam, " * 200), {}, "is not a SQLite database"),
        (cut, {}, "is damaged; restore it from a backup"),
        (scribble, {}, "is damaged; restore it from a backup"),
        (untouched, {"mode": "ro"}, "is read-only; give the user of this job permission"),
    ],
    ids=["a folder", "a letter", "cut off", "spoilt", "read-only"],
)
def test_an_unusable_database_is_reported_in_a_sentence(
    spoil: Callable[[Path], object], query: dict[str, str], says: str, template: Path, tmp_path: Path
) -> None:
    path = tmp_path / "claims.db"
    shutil.copy(template, path)
    spoil(path)
    database = Database(URL.create("sqlite", database=str(path), query=query))

    def use() -> None:
        with database.write() as connection:
            connection.exec_driver_sql("SELECT * FROM claims JOIN clients ON true")
            connection.exec_driver_sql("UPDATE clients SET email = 'x'")

    with pytest.raises(DatabaseError, match=says):
        use()
    database.close()


@contextlib.contextmanager
def locked(template: Path, tmp_path: Path, wait_s: float = 0.2) -> Iterator[Database]:
    """A database that another program has locked; how long recours waits for it."""
    path = tmp_path / "claims.db"
    shutil.copy(template, path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode=DELETE")
        other.execute("BEGIN EXCLUSIVE")
        database = Database(URL.create("sqlite", database=str(path)), lock_wait_s=wait_s)
        try:
            yield database
        finally:
            database.close()


def test_a_run_waits_for_a_lock_and_reports_it(template: Path, tmp_path: Path) -> None:
    with locked(template, tmp_path) as database:
        with pytest.raises(DatabaseError, match="is locked by another program"), database.write():
            pass
        with (
            pytest.raises(DatabaseError, match="is locked by another program"),
            database.read() as connection,
        ):
            connection.exec_driver_sql("SELECT * FROM claims")


def test_a_run_waits_for_a_lock_only_once(template: Path, tmp_path: Path) -> None:
    with locked(template, tmp_path, wait_s=2.0) as database:
        start = time.monotonic()
        with pytest.raises(DatabaseError, match="is locked by another program"):
            inspect_schema(database)
        assert time.monotonic() - start < 3.75

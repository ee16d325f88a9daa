"""The setup guide to the letter: its commands, file names, columns, log lines and messages.

Every run is a separate process in a copy of the checkout, so that a developer's `.env` has no effect.
"""

import json
import re
import sqlite3
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from recours.sandbox import Parcel, Sandbox, Scenario
from tests.fakes.checkout import bare_python, copy_of_checkout, give_packages

ROOT = Path(__file__).resolve().parents[2]
RETRY, FETCH = "scripts/pod_retry_scheduler.py", "scripts/pod_fetch_worker.py"
FORM = re.compile(
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d - \[(INFO|WARNING|ERROR)\] - __main__ - (\S.*)"
)  # the guide's format
HEADER = ["=" * 70, "POD AUTO-RETRY SCHEDULER - Starting", "Batch size: 30 | Max retries: 4", "=" * 70]
NOW = datetime.now(UTC).replace(microsecond=0, tzinfo=None)
DAY = timedelta(days=1)

# A number's first two digits select the simulated carrier's answer.
DELIVERED, IN_TRANSIT = (f"XY{digits}{{0:07d}}FR" for digits in ("00", "10"))


# ---------------------------------------------------------------- a checkout, a database, a run


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout after setup."""
    folder = copy_of_checkout(tmp_path_factory.mktemp("Recours_Ecommerce"))
    bare_python(folder / ".venv")
    give_packages(folder / ".venv")
    return folder


@pytest.fixture
def box() -> Iterator[Sandbox]:
    with Sandbox() as box:
        yield box


@pytest.fixture
def environment(box: Sandbox, tmp_path: Path) -> dict[str, str]:
    """The whole environment of a run, without anything from this process."""
    account, password = next(iter(box.accounts.items()))
    return {
        "DATABASE_PATH": str(tmp_path / "claims.db"),
        "RECOURS_LOG_DIR": str(tmp_path / "logs"),
        "RECOURS_POD_DIR": str(tmp_path / "pods"),
        "CHRONOPOST_BASE_URL": box.url,
        "CHRONOPOST_ACCOUNT": account,
        "CHRONOPOST_PASSWORD": password,
    }


# A service with the guide's predecessor: neither the guide's two columns nor recours's exist.
SERVICE = """
    CREATE TABLE claims (
        id INTEGER PRIMARY KEY, claim_reference TEXT UNIQUE NOT NULL, order_id TEXT NOT NULL, carrier TEXT NOT NULL,
        status TEXT, response_deadline DATE, tracking_number TEXT, updated_at TIMESTAMP,
        pod_fetch_status TEXT, pod_fetch_error TEXT
    )
"""
GUIDE_COLUMNS = (
    "ALTER TABLE claims ADD COLUMN pod_retry_count INTEGER DEFAULT 0",
    "ALTER TABLE claims ADD COLUMN pod_last_retry_at TIMESTAMP",
)


class Claims:
    """The service's database, written by the service's own application."""

    def __init__(self, path: Path, *statements: str) -> None:
        self.path = path
        self.n = 0
        self.execute(SERVICE)
        for statement in statements:
            self.execute(statement)

    def execute(self, statement: str, values: Sequence[object] = ()) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(self.path, timeout=30)) as connection, connection:
            return connection.execute(statement, values).fetchall()

    def add(self, reference: str, number: str, **columns: object) -> None:
        """Add a failed claim that is due now, unless its columns differ."""
        self.n += 1
        row = {
            "claim_reference": reference,
            "order_id": f"ORD-{self.n}",
            "carrier": "chronopost",
            "status": "submitted",
            "tracking_number": number.format(self.n),
            "updated_at": f"{NOW - 2 * DAY}",
            "pod_fetch_status": "failed",
            "pod_fetch_error": "API timeout",
        } | columns
        marks = ", ".join("?" * len(row))
        self.execute(f"INSERT INTO claims ({', '.join(row)}) VALUES ({marks})", list(row.values()))

    def get(self, reference: str, column: str) -> object:
        return self.execute(f"SELECT {column} FROM claims WHERE claim_reference = ?", [reference])[0][0]


@pytest.fixture
def claims(tmp_path: Path) -> Claims:
    return Claims(tmp_path / "claims.db", *GUIDE_COLUMNS)


class Ended:
    """A run that has ended."""

    def __init__(self, done: "subprocess.CompletedProcess[bytes]") -> None:
        self.status = done.returncode
        self.raw = done.stderr
        self.out, self.err = done.stdout.decode("utf-8"), done.stderr.decode("utf-8", "replace")

    @property
    def messages(self) -> list[str]:
        """The messages of the log lines; every line of stderr must have the guide's format."""
        found = [FORM.fullmatch(line) for line in self.err.splitlines()]
        assert all(found), self.err
        return [match[2] for match in found if match]


Run = Callable[..., Ended]


@pytest.fixture
def run(checkout: Path, environment: dict[str, str]) -> Run:
    """`run("--batch-size 5")`: run the retry scheduler as in the guide."""

    def started(options: str = "", script: str = RETRY, cwd: Path = checkout, **more: str) -> Ended:
        command = [str(checkout / ".venv/bin/python"), script, *options.split()]
        done = subprocess.run(
            command, cwd=cwd, env=environment | more, capture_output=True, timeout=60, check=False
        )
        return Ended(done)

    return started


def sh(line: str, cwd: Path, environment: Mapping[str, str]) -> Ended:
    command = ["/bin/sh", "-c", line]
    done = subprocess.run(
        command, cwd=cwd, env=dict(environment), capture_output=True, timeout=60, check=False
    )
    return Ended(done)


# ---------------------------------------------------------------- Log Format


def five_due(claims: Claims) -> None:
    """The guide's run: five claims, three of which succeed, CLM-2024-001 at its second attempt."""
    claims.add(
        "CLM-2024-001",
        DELIVERED,
        response_deadline=f"{NOW + DAY:%Y-%m-%d}",
        pod_retry_count=1,
        pod_last_retry_at=f"{NOW - 7 * timedelta(hours=1)}",
    )
    claims.add("CLM-2024-002", IN_TRANSIT)
    claims.add("CLM-2024-003", DELIVERED)
    claims.add("CLM-2024-004", DELIVERED)
    claims.add("CLM-2024-005", IN_TRANSIT, pod_retry_count=3, pod_last_retry_at=f"{NOW - 4 * DAY}")


def test_the_log_of_the_guides_run(run: Run, claims: Claims, tmp_path: Path) -> None:
    five_due(claims)
    ended = run()
    said = ended.messages
    assert ended.status == 0
    assert said[:4] == HEADER
    found = said.index("Found 5 claim(s) to retry")
    assert said[found + 1] == "[1] Retry #2 for CLM-2024-001 (Chronopost)"
    assert "✅ SUCCESS: POD fetched for CLM-2024-001 after 2 attempts" in said
    assert "✅ SUCCESS: POD fetched for CLM-2024-003 after 1 attempt" in said
    last = next(line for line in said if line.startswith("🛑"))
    assert last.startswith("🛑 FINAL FAILURE: CLM-2024-005 gave up after 4 attempts - The parcel has not")
    failed = next(line for line in said if line.startswith("❌ FAILED"))
    assert re.fullmatch(r"❌ FAILED: CLM-2024-002 - .+; next try \d{4}-\d\d-\d\d \d\d:\d\d", failed)

    summary = said[-10:]
    assert re.fullmatch(r"Duration: \d+\.\d\ds", summary[0])
    assert summary[1:9] == [
        "Total processed: 5",
        "✅ Success: 3",
        "❌ Failed: 2",
        "⏭️ Skipped (persistent): 0",
        "⚠️ Skipped (rate limit): 0",
        "⚠️ Skipped (carrier): 0",
        "🛑 Max retries reached: 1",
        "Success rate: 60.0%",
    ]
    assert re.fullmatch(r"Chronopost: 8/100 per day, resets \d{4}-\d\d-\d\d \d\d:\d\d", summary[9])
    log_text = (tmp_path / "logs/pod_retry_scheduler.log").read_text(encoding="utf-8")
    # Concurrent calls write to each file in different order and at different times.
    shown, logged = (
        sorted(re.sub(r"(?m)^\S+ \d\d:\d\d:\d\d ", "", text).splitlines()) for text in (ended.err, log_text)
    )
    assert logged == shown

    # The level shows whether someone must act.
    lines = [match for match in map(FORM.fullmatch, ended.err.splitlines()) if match]
    levels = {
        start: {line[1] for line in lines if start in line[2]} for start in ("SUCCESS", "FAILED", "FINAL")
    }
    assert levels == {"SUCCESS": {"INFO"}, "FAILED": {"WARNING"}, "FINAL": {"ERROR"}}


def test_the_manual_shows_the_guides_lines() -> None:
    page = (ROOT / "docs/monitoring.md").read_text(encoding="utf-8")
    stamp = "2026-02-06 14:00:"
    for second, text in (
        ("00", HEADER[0]),
        ("00", HEADER[1]),
        ("00", HEADER[2]),
        ("01", "Found 5 claim(s) to retry"),
        ("01", "[1] Retry #2 for CLM-2024-001 (Chronopost)"),
        ("02", "✅ SUCCESS: POD fetched for CLM-2024-001 after 2 attempts"),
        ("10", "Duration: 9.45s"),
        ("10", "Total processed: 5"),
        ("10", "✅ Success: 3"),
        ("10", "❌ Failed: 2"),
        ("10", "Success rate: 60.0%"),
    ):
        assert f"\n{stamp}{second} - [INFO] - __main__ - {text}\n" in page


def test_nothing_is_due(run: Run, claims: Claims) -> None:
    ended = run()
    assert ended.status == 0
    assert "No failed PODs eligible for retry" in ended.messages
    assert not [line for line in ended.messages if line.startswith("Found")]
    claims.add("CLM-1", DELIVERED, updated_at=f"{NOW - timedelta(minutes=30)}")
    said = run().messages
    assert "No failed PODs eligible for retry" in said
    assert said[said.index("No failed PODs eligible for retry") + 1].startswith("1 failed claim is waiting")
    assert claims.execute("SELECT COUNT(*) FROM claims WHERE pod_fetch_status = 'failed';") == [(1,)]


# ---------------------------------------------------------------- Configuration: the commands


@pytest.mark.sample("more cases of the same test, each around processes")
@pytest.mark.parametrize(
    ("options", "header", "taken"),
    [
        ("--batch-size 5", "Batch size: 5 | Max retries: 4", 5),
        ("--batch-size 50 --max-retries 5", "Batch size: 50 | Max retries: 5", 7),
    ],
)
def test_the_commands(run: Run, claims: Claims, options: str, header: str, taken: int) -> None:
    for n in range(7):
        claims.add(f"CLM-{n}", DELIVERED)
    ended = run(options)
    assert ended.status == 0
    assert header in ended.messages
    assert f"Found {taken} claim(s) to retry" in ended.messages
    assert f"Total processed: {taken}" in ended.messages
    assert claims.execute("SELECT COUNT(*) FROM claims WHERE pod_fetch_status = 'success'") == [(taken,)]


# ---------------------------------------------------------------- Setup Instructions: working folder, cron, Windows' console


def test_from_another_working_directory(run: Run, claims: Claims, checkout: Path, tmp_path: Path) -> None:
    claims.add("CLM-1", DELIVERED)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    ended = run(
        script=str(checkout / RETRY), cwd=elsewhere, RECOURS_LOG_DIR="data/logs", RECOURS_POD_DIR="data/pods"
    )
    assert ended.status == 0
    assert "✅ Success: 1" in ended.messages
    assert list(elsewhere.iterdir()) == []
    assert (checkout / "data/logs/pod_retry_scheduler.log").exists()
    stored = Path(str(claims.get("CLM-1", "pod_url")))
    assert stored.is_relative_to(checkout / "data/pods")
    assert stored.read_bytes().startswith(b"%PDF-")


def test_the_folder_that_cron_writes_to_is_in_the_repository() -> None:
    assert (ROOT / "logs" / ".gitkeep").exists()
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert "!/logs/.gitkeep" in ignored


@pytest.mark.sample("more cases of the same test, each around processes")
@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_console_that_cannot_show_every_character(
    run: Run, claims: Claims, tmp_path: Path, encoding: str
) -> None:
    five_due(claims)
    claims.add("CLM-Ωé", DELIVERED)
    # Two threads that log at once may appear in different order on the console and in the log.
    ended = run("--json --concurrency 1", PYTHONIOENCODING=encoding)
    assert ended.status == 0
    assert "Traceback" not in ended.err
    shown = ended.raw.decode(encoding)
    assert "? Success: " in shown
    assert json.loads(ended.out)["success"] == 4
    log = (tmp_path / "logs/pod_retry_scheduler.log").read_text(encoding="utf-8")
    assert "✅ Success: " in log
    assert log.encode(encoding, "replace") == ended.raw


def test_a_python_without_the_packages_restarts_with_the_venv(
    checkout: Path, tmp_path: Path, environment: dict[str, str], claims: Claims
) -> None:
    bare = bare_python(tmp_path / "bare")
    claims.add("CLM with blanks", DELIVERED, pod_retry_count=4, pod_last_retry_at=f"{NOW}")
    path = environment | {"PATH": f"{bare.parent}:/usr/bin:/bin"}
    ended = sh(f"python3 {RETRY} --claim 'CLM with blanks'", checkout, path)
    assert ended.status == 0
    assert "[1] Retry #5 for CLM with blanks (Chronopost)" in ended.messages
    assert sh(f"python3 {RETRY} --batch-size none", checkout, path).status == 2
    assert sh(f"python3 {FETCH} --version", checkout, path).out == "recours 0.2.0\n"


def test_without_a_venv_the_script_names_the_command_that_creates_it(tmp_path: Path) -> None:
    path = copy_of_checkout(tmp_path / "checkout")
    bare = bare_python(tmp_path / "bare")
    ended = sh(f"{bare} {FETCH} --batch-size 5", path, {})
    assert (ended.status, ended.out) == (2, "")
    assert "Traceback" not in ended.err
    for words in ("python3 -m venv .venv", "requirements.txt", str(path), "sqlalchemy"):
        assert words in ended.err
    assert len(ended.err.splitlines()) == 1
    assert_logged(path, FETCH, ended.err)


def assert_logged(checkout: Path, script: str, said: str) -> None:
    """The one line of the worker's log is this message, in the format of every line of a run."""
    (line,) = (checkout / "logs" / f"{Path(script).stem}.log").read_text(encoding="utf-8").splitlines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d - \[ERROR\] - __main__ - (.*)", line)
    assert line.endswith(said.strip())


def test_a_venv_without_its_python_is_reported(tmp_path: Path) -> None:
    path = copy_of_checkout(tmp_path / "checkout")
    bare = bare_python(tmp_path / "bare")
    python = path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to("/nowhere/python3")
    ended = sh(f"{bare} {RETRY}", path, {})
    assert (ended.status, "there is no .venv" in ended.err) == (2, False)
    assert ".venv/bin/python points to a Python that no longer exists" in ended.err
    assert "python3 -m venv --clear .venv" in ended.err
    assert_logged(path, RETRY, ended.err)


def test_an_invalid_venv_causes_no_endless_restarts(tmp_path: Path) -> None:
    path = copy_of_checkout(tmp_path / "checkout")
    bare = bare_python(tmp_path / "bare")
    python = path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {bare} "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    ended = sh(f"timeout 20 {bare} {RETRY}", path, {})
    assert ended.status == 2
    assert "and .venv/bin/python leads to it" in ended.err
    assert "sqlalchemy" in ended.err
    assert_logged(path, RETRY, ended.err)


# ---------------------------------------------------------------- Database Schema


@pytest.mark.sample("more cases of the same test, each around processes")
@pytest.mark.parametrize("statements", [(), GUIDE_COLUMNS[:1]])
def test_the_two_columns(run: Run, tmp_path: Path, statements: tuple[str, ...]) -> None:
    claims = Claims(tmp_path / "claims.db", *statements)
    claims.add("CLM-1", DELIVERED)
    claims.add("CLM-2", IN_TRANSIT, status="under_review")
    before = claims.execute(
        "SELECT id, claim_reference, order_id, carrier, status, tracking_number FROM claims"
    )
    first, second = run(), run()
    assert (first.status, second.status) == (0, 0)
    columns = {row[1]: (row[2], row[4]) for row in claims.execute("PRAGMA table_info(claims)")}
    assert columns["pod_retry_count"] == ("INTEGER", "0")
    assert columns["pod_last_retry_at"] == ("TIMESTAMP", None)
    after = claims.execute(
        "SELECT id, claim_reference, order_id, carrier, status, tracking_number FROM claims"
    )
    assert after == before
    assert len([line for line in first.messages if line.startswith("The schema of")]) == 1
    assert "The schema of" not in second.err
    (copy,) = tmp_path.glob("claims.db.before-recours-*")
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT pod_fetch_status FROM claims").fetchall() == [("failed",)] * 2


# ---------------------------------------------------------------- Retry Strategy


def test_the_waits(run: Run, claims: Claims) -> None:
    """A claim is due after its wait (less the tolerance of five minutes), and not before."""
    for retries, hours in enumerate((1, 6, 24, 72)):
        for name, minutes in (("early", -10), ("due", 1)):
            at = f"{datetime.now(UTC).replace(tzinfo=None) - timedelta(hours=hours, minutes=minutes)}"
            moment = {"pod_retry_count": retries, "pod_last_retry_at": at} if retries else {"updated_at": at}
            claims.add(f"CLM-{name}-{retries}", DELIVERED, **moment)
    said = run().messages
    assert "Found 4 claim(s) to retry" in said
    attempted = {line.partition("] ")[2] for line in said if line.startswith("[")}
    assert attempted == {f"Retry #{retries + 1} for CLM-due-{retries} (Chronopost)" for retries in range(4)}
    assert claims.execute(
        "SELECT DISTINCT pod_fetch_status FROM claims WHERE claim_reference LIKE '%early%'"
    ) == [("failed",)]


# ---------------------------------------------------------------- Smart Features


def test_a_carrier_at_its_limit_is_skipped(run: Run, claims: Claims, box: Sandbox) -> None:
    for n in range(5):
        claims.add(f"CLM-{n}", DELIVERED)
    said = run("--batch-size 20", QUOTA_CHRONOPOST="4/day").messages
    assert "✅ Success: 2" in said
    assert "⚠️ Skipped (rate limit): 3" in said
    assert said[-1].startswith("Chronopost: 4/4 per day, resets ")
    again = run("--batch-size 20", QUOTA_CHRONOPOST="4/day").messages
    assert "⚠️ Skipped (rate limit): 3" in again
    assert "Total processed: 0" in again
    assert len(box.calls) == 4
    assert claims.execute("SELECT SUM(pod_retry_count) FROM claims WHERE pod_fetch_status = 'failed'") == [
        (0,)
    ]
    assert "✅ Success: 3" in run("--batch-size 20").messages


# ---------------------------------------------------------------- Integration with Existing Workers


def test_the_whole_workflow(run: Run, claims: Claims, box: Sandbox) -> None:
    claims.add("CLM-now", DELIVERED, pod_fetch_status="pending", pod_fetch_error=None)
    claims.add("CLM-later", "XY999999999FR", pod_fetch_status="pending", pod_fetch_error=None)
    box.parcels["XY999999999FR"] = Parcel((Scenario.IN_TRANSIT, Scenario.IN_TRANSIT, Scenario.DELIVERED))

    said = run(script=FETCH).messages
    assert said[:4] == ["=" * 70, "POD FETCH WORKER - Starting", "Batch size: 50", "=" * 70]
    assert "Found 2 claim(s) to fetch" in said
    assert claims.get("CLM-now", "pod_fetch_status") == "success"
    assert Path(str(claims.get("CLM-now", "pod_url"))).read_bytes().startswith(b"%PDF-")
    assert claims.get("CLM-later", "pod_fetch_status") == "failed"
    assert str(claims.get("CLM-later", "pod_fetch_error")).startswith("Le colis n'est pas encore livré")

    for line in ("❌ FAILED: CLM-later", "✅ SUCCESS: POD fetched for CLM-later after 3 attempts"):
        assert "No failed PODs eligible for retry" in run().messages
        claims.execute("UPDATE recours_claims SET next_at = ?", [f"{NOW - timedelta(minutes=1)}"])
        assert line in "\n".join(run().messages)
    assert claims.get("CLM-later", "pod_fetch_status") == "success"
    assert claims.get("CLM-later", "pod_retry_count") == 2
    assert claims.get("CLM-later", "pod_fetch_error") is None


# ---------------------------------------------------------------- what the manual keeps of the guide's letter


@pytest.mark.parametrize(
    "text",
    [
        'schtasks /query /tn "PODRetryScheduler" /fo LIST /v',
        'schtasks /run /tn "PODRetryScheduler"',
        'schtasks /change /tn "PODRetryScheduler" /disable',
        'schtasks /change /tn "PODRetryScheduler" /enable',
        'schtasks /delete /tn "PODRetryScheduler" /f',
        "type logs\\pod_retry_scheduler.log",
        "type logs\\pod_retry_scheduler.log | more",
        "python scripts\\pod_retry_scheduler.py",
        "crontab -e",
        "crontab -l",
        "tail -f logs/pod_retry_scheduler.log",
        "tail -f logs/cron.log",
        "tail -100 logs/pod_retry_scheduler.log",
        "0 * * * * cd /path/to/Recours_Ecommerce && python3 scripts/pod_retry_scheduler.py >> logs/cron.log 2>&1",
        "python3 scripts/pod_retry_scheduler.py --batch-size 5\n",
        "python3 scripts/pod_retry_scheduler.py --batch-size 30\n",
        "python3 scripts/pod_retry_scheduler.py --batch-size 50\n",
        "python3 scripts/pod_retry_scheduler.py --max-retries 4\n",
        "python3 scripts/pod_retry_scheduler.py --max-retries 6\n",
        "--batch-size 50 --max-retries 5",
        "--batch-size 20",
        "SELECT COUNT(*) FROM claims WHERE pod_fetch_status = 'failed';",
        f"{GUIDE_COLUMNS[0]};",
        f"{GUIDE_COLUMNS[1]};",
        "No failed PODs eligible for retry",
        "<admin@refundly.ai>",
    ],
)
def test_the_manual_has_the_guides_commands(text: str) -> None:
    """With `python3` where the guide has `python`, because Debian and Ubuntu have no `python`."""
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    assert any(text in page.read_text(encoding="utf-8") for page in pages)

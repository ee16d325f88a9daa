"""`recours check` in its own checkout, on both databases, with a real mail server."""

import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import insert, make_url

from recours.cli import check
from recours.database.engine import Database
from recours.database.tables import runs
from recours.sandbox import Sandbox
from tests.conftest import add_claims
from tests.fakes.check import KEY, Check
from tests.fakes.checkout import bare_python, copy_of_checkout, give_packages
from tests.fakes.rights import unprivileged
from tests.fakes.smtp import MailServer
from tests.planted import MARK

SECRET = f"very-{MARK}-9"  # one of every kind


@dataclass
class Checkout:
    """A checkout with settings."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def starts(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the checkout's Python with this command line, bound by file modes."""
        return self._run(unprivileged([self._python, *command]), environment)

    @property
    def _python(self) -> str:
        return str(self.folder / ".venv" / "bin" / "python3")

    def check(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return self._run([self._python, "-m", "recours", "check", *arguments], environment)

    def _run(self, command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={
                **kept,
                "HOME": str(self.folder),
                "PYTHONIOENCODING": "utf-8",
                **self.environment,
                **environment,
            },
            capture_output=True,
            encoding="utf-8",
            check=False,
            timeout=120,
        )
        assert "Traceback" not in done.stderr
        assert SECRET not in done.stdout + done.stderr
        return done

    def results(self, *arguments: str, **environment: str) -> dict[str, tuple[str, str, str | None]]:
        """State, text and remedy of each check result."""
        done = self.check(*arguments, "--json", **environment)
        report: dict[str, Any] = json.loads(done.stdout)
        states = {result["state"] for result in report["findings"]}
        assert report["ok"] is ("fault" not in states)
        assert (done.returncode == 0) is report["ok"]
        return {f["name"]: (f["state"], f["words"], f["remedy"]) for f in report["findings"]}


@pytest.fixture(scope="module")
def set_up(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = copy_of_checkout(tmp_path_factory.mktemp("checkout"))
    shutil.copy(Path(__file__).resolve().parents[2] / "requirements.txt", folder)
    bare_python(folder / ".venv")
    give_packages(folder / ".venv")
    return folder


@pytest.fixture
def checkout(set_up: Path, tmp_path: Path) -> Checkout:
    """A checkout with a crontab program that stores the crontab in a file."""
    folder = shutil.copytree(set_up, tmp_path / "Recours_Ecommerce", symlinks=True)
    program = tmp_path / "programs" / "crontab"
    program.parent.mkdir()
    program.write_text(
        f"""#!/bin/sh
if [ "$1" = - ]; then cat > '{tmp_path}/crontab'
elif [ -f '{tmp_path}/crontab' ]; then cat '{tmp_path}/crontab'
else echo 'no crontab for me' >&2; exit 1; fi
""",
        encoding="utf-8",
    )
    program.chmod(0o755)
    (program.parent / "systemctl").symlink_to("/bin/false")
    return Checkout(folder, {"PATH": f"{program.parent}:{os.environ['PATH']}"})


# The response of aiosmtpd with the fixture below.
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")


@pytest.fixture
def smtp() -> Iterator[MailServer]:
    with MailServer(user="us", password=SECRET) as server:
        yield server


def install(checkout: Checkout) -> None:
    python = checkout.folder / ".venv" / "bin" / "python3"
    subprocess.run(
        [str(python), "-m", "recours", "schedule", "install", "--yes"],
        cwd=checkout.folder,
        env={**checkout.environment, "HOME": str(checkout.folder)},
        check=True,
        capture_output=True,
    )


def record_run(url: str, worker: str, ago: str = "", status: int = 0) -> None:
    began = datetime.now(UTC) - (timedelta(hours=9) if ago else timedelta(minutes=1))
    database = Database(make_url(url))
    with database.write() as connection:
        connection.execute(
            insert(runs).values(
                id=f"{worker}{ago}", worker=worker, started_at=began, ended_at=began, exit_status=status
            )
        )
    database.close()


def test_a_healthy_system_has_no_problems(checkout: Checkout, url: str, smtp: MailServer) -> None:
    install(checkout)
    for worker in ("pod_fetch_worker", "pod_retry_scheduler"):
        record_run(url, worker)
    with Sandbox() as box:
        account, _ = next(iter(box.accounts.items()))
    (checkout.folder / ".env").write_text(
        f"DATABASE_URL={url}\nCHRONOPOST_ACCOUNT={account}\nCHRONOPOST_PASSWORD={SECRET}\nSMTP_PASSWORD={SECRET}\n",
        encoding="utf-8",
    )
    (checkout.folder / ".env").chmod(0o600)
    settings = smtp.settings | {"SMTP_USER": "us", "ADMIN_EMAIL": "ops@shop.example"}
    found = checkout.results(**settings)
    assert {name: report for name, report in found.items() if report[0] == "fault"} == {}
    assert found["credentials of Chronopost"] == ("ok", "from .env", None)
    assert found["mail server"][:2] == (
        "ok",
        f"127.0.0.1:{smtp.port} (none): accepts the login; nothing was sent",
    )
    assert (smtp.taken, found["claims"][:2]) == ([], ("ok", "0 readable"))
    assert found["schedule of pod_fetch_worker"][:2] == ("ok", "crontab, every 30 minutes")
    assert found["runs of pod_retry_scheduler"][0] == "ok"
    assert found["permissions of .env"][0] == "ok"


def test_every_fault_is_reported_with_its_remedy(
    checkout: Checkout, url: str, database: Database, smtp: MailServer
) -> None:
    add_claims(
        database,
        [{}, {"carrier": "UPS", "claim_reference": "CLM-U", "tracking_number": "1Z999AA10123456784"}],
    )
    record_run(url, "pod_fetch_worker", "long", status=1)
    (checkout.folder / ".env").write_text(f"SMTP_PASSWORD={SECRET}x\n", encoding="utf-8")
    (checkout.folder / ".env").chmod(0o644)
    (checkout.folder / "logs" / "cron.log").write_bytes(b"x" * 110_000)
    found = checkout.results(
        DATABASE_URL=url,
        SMTP_USER="us",
        RECOURS_LOG_MAX_MB="0.01",
        RECOURS_POD_DIR=str(checkout.folder / "pyproject.toml" / "pods"),
        **smtp.settings,
    )
    faults = {
        name: f"{words} → {remedy}" for name, (state, words, remedy) in found.items() if state == "fault"
    }
    assert faults.keys() == {
        "schedule of pod_fetch_worker",
        "schedule of pod_retry_scheduler",
        "overdue pod_fetch_worker",
        "run failed pod_fetch_worker",
        "runs of pod_retry_scheduler",
        "permissions of .env",
        "mail server",
        "folder of the documents",
        "cron's copy of the log",
    }
    assert "has not run since" in faults["overdue pod_fetch_worker"]
    assert "readable by everyone on this machine (644) → chmod 600 .env" in faults["permissions of .env"]
    assert "pyproject.toml is not a folder" in faults["folder of the documents"]
    assert "rejects the login of us: 535" in faults["mail server"]
    assert found["ADMIN_EMAIL"][0] == "remark"


def test_the_first_run_is_announced_and_nothing_changes(checkout: Checkout, tmp_path: Path) -> None:
    path = tmp_path / "service.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "CREATE TABLE claims (id INTEGER PRIMARY KEY, claim_reference TEXT, carrier TEXT, tracking_number TEXT)"
        )
    before = path.read_bytes()
    found = checkout.results(DATABASE_PATH=str(path))
    state, words, remedy = found["schema"]
    assert (state, "pod_retry_count, pod_last_retry_at" in words) == ("remark", True)
    assert "--dry-run" in str(remedy)
    assert path.read_bytes() == before
    assert sorted(p.name for p in tmp_path.glob("service.db*")) == ["service.db"]


@pytest.mark.sample("more cases of the same test, each around processes")
@pytest.mark.parametrize("name", ["logs/.__pod_retry_scheduler.lock", "data/pods/ups/ab"])
def test_files_of_another_user_in_a_writable_folder_are_reported(checkout: Checkout, name: str) -> None:
    """Such files remain after root has once run a worker; the mode of the folder does not reveal them."""
    scheduler = "scripts/pod_retry_scheduler.py"
    assert checkout.starts(scheduler).returncode == 0
    theirs = checkout.folder / name
    if theirs.suffix:
        theirs.touch()
        theirs.chmod(0o444)
    else:
        theirs.mkdir(parents=True)
        theirs.chmod(0o555)
    done = checkout.starts("-m", "recours", "check", "--offline")
    assert done.returncode == 1
    (report,) = [line for line in done.stdout.splitlines() if line.startswith("problem  folder of the ")]
    assert report.endswith(f": this user may not write to {theirs}"), report


def test_a_foreign_folder_among_the_documents_is_not_a_problem(checkout: Checkout) -> None:
    """Volumes and some network drives contain such a folder."""
    theirs = checkout.folder / "data/pods/lost+found"
    theirs.mkdir(parents=True)
    theirs.chmod(0o000)
    done = checkout.starts("-m", "recours", "check", "--offline")
    (report,) = [line for line in done.stdout.splitlines() if "folder of the documents" in line]
    assert report.startswith("ok "), report


@pytest.mark.full("every command at a closed folder: tests/acceptance/test_bad_input.py has a run")
def test_an_inaccessible_database_folder_is_reported(checkout: Checkout) -> None:
    assert checkout.starts("-m", "recours", "init-db").returncode == 0
    assert checkout.starts("-m", "recours", "backup").returncode == 0
    (backup,) = (checkout.folder / "data" / "backups").iterdir()
    backup.rename(checkout.folder / "backup")
    (checkout.folder / "data").chmod(0)
    try:
        for command in (
            "-m recours check --offline",
            "-m recours init-db",
            "-m recours carriers",
            "-m recours status",
            "-m recours restore backup",
            "scripts/pod_retry_scheduler.py --dry-run",
            "scripts/pod_retry_scheduler.py",
        ):
            done = checkout.starts(*command.split(), RECOURS_POD_DIR=str(checkout.folder / "pods"))
            assert done.returncode == 1, f"{command}: {done.stdout}{done.stderr}"
            assert "recours.db cannot be opened (Permission denied)" in done.stdout + done.stderr, command
            assert "check itself failed" not in done.stdout, command
    finally:
        (checkout.folder / "data").chmod(0o755)


BAD: dict[str, tuple[dict[str, str], int, str]] = {
    "no such file": ({"DATABASE_PATH": "nowhere.db"}, 1, "problem  database: There is no database file"),
    "no mail server": (
        {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": "1", "SMTP_FROM": "a@shop.example"},
        1,
        "The mail server 127.0.0.1:1 cannot be used",
    ),
    "a bad setting": ({"SMTP_PORT": "x", "SMTP_PASSWORD": SECRET}, 2, "problem  settings: SMTP_PORT"),
    "a misspelt setting": (
        {"RECOURS_LOGDIR": "x"},
        1,
        "note     settings: RECOURS_LOGDIR in the environment is not",
    ),
}


@pytest.mark.sample("more cases of the same test, each around processes")
@pytest.mark.parametrize("case", BAD)
def test_a_fault_does_not_hide_other_checks(checkout: Checkout, case: str) -> None:
    environment, status, sentence = BAD[case]
    done = checkout.check(**environment)
    assert (done.returncode, sentence in done.stdout) == (status, True), done.stdout
    for look in ("settings:", "schedule of pod_fetch_worker:"):
        assert f"  {look}" in done.stdout, done.stdout


def test_a_check_that_fails_does_not_hide_others_and_is_counted(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    (checkout.folder / ".env").write_text("CHRONOPOST_PASSWORD=x\n", encoding="utf-8")
    monkeypatch.setenv("RECOURS_HOME", str(checkout.folder))
    monkeypatch.setattr(check, "_clock", lambda _: 1 // 0)
    *results, _, last = CliRunner().invoke(check.command, ["--offline"]).stdout.splitlines()
    assert any(
        line.startswith("problem  clock: the check itself failed with ZeroDivisionError: ")
        for line in results
    )
    assert not (checkout.folder / "data").exists(), "the embedded database is not made by looking"
    states = [line.split()[0] for line in results if not line.startswith(" ")]
    problems, notes = states.count("problem"), states.count("note")
    assert min(problems, notes) > 1  # otherwise the text would differ
    assert last == f"{len(states)} checks: {problems} problems, {notes} notes."


def test_monitoring_is_checked_without_sending_anything(checkout: Checkout, tmp_path: Path) -> None:
    with Check() as check:
        metrics = {"RECOURS_METRICS_FILE": str(tmp_path / "recours.prom"), "RECOURS_PING_URL": check.url}
        found = checkout.results(**metrics)
        assert found["RECOURS_PING_URL"] == (
            "ok",
            "127.0.0.1 answers; the next run shows whether the check exists",
            None,
        )
        assert found["folder of the metrics"][0] == "ok"
        assert check.pings == []
    assert list(tmp_path.glob("*.prom")) == []
    broken = checkout.check(**metrics | {"RECOURS_METRICS_FILE": str(tmp_path / "none" / "recours.prom")})
    assert "127.0.0.1 could not be reached: the connection failed" in broken.stdout
    assert f"{tmp_path / 'none'}: does not exist, and runs do not create it" in broken.stdout
    assert KEY not in broken.stdout + broken.stderr

"""`recours schedule` on the test's own real crontab; the installed jobs really run."""

import json
import os
import re
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from recours.database.schema.creation import create_file
from recours.host.home import make_home
from recours.sandbox import Sandbox
from tests.fakes.checkout import bare_python, copy_of_checkout, give_packages
from tests.fakes.cron import Machine, new_machine, run_as_cron

NASTY = 'Re\'cours & "100%" été $HOME'


pty = pytest.importorskip("pty", reason="Windows has no such terminals, and no cron")


@dataclass(frozen=True)
class Place:
    """A checkout after setup, on its own machine."""

    checkout: Path
    machine: Machine

    def recours(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        python = self.checkout / ".venv" / "bin" / "python3"
        return self.machine.run(str(python), "-m", "recours", *arguments, cwd=self.checkout, **environment)

    def ours(self) -> list[str]:
        return [line for line in self.machine.crontab().splitlines() if "scripts/pod_" in line]

    def sql(self, query: str) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(self.checkout / "claims.db")) as connection:
            return connection.execute(query).fetchall()


@pytest.fixture(scope="module")
def set_up(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout to copy."""
    folder = copy_of_checkout(tmp_path_factory.mktemp("checkout"))
    bare_python(folder / ".venv")
    give_packages(folder / ".venv")
    return folder


@pytest.fixture(params=["Recours_Ecommerce", NASTY])
def place(request: pytest.FixtureRequest, set_up: Path, tmp_path: Path) -> Place:
    machine = new_machine(tmp_path / "machine")
    return Place(shutil.copytree(set_up, tmp_path / request.param, symlinks=True), machine)


@pytest.fixture
def plain(set_up: Path, tmp_path: Path) -> Place:
    machine = new_machine(tmp_path / "machine")
    return Place(shutil.copytree(set_up, tmp_path / "Recours_Ecommerce", symlinks=True), machine)


@pytest.fixture
def box() -> Iterator[Sandbox]:
    with Sandbox() as box:
        yield box


def give_claims(place: Place, box: Sandbox) -> None:
    """Add one claim for each worker, with parcels that the simulated carrier has delivered."""
    create_file(place.checkout / "claims.db")
    account, password = next(iter(box.accounts.items()))
    (place.checkout / ".env").write_text(
        f"DATABASE_PATH=claims.db\nCHRONOPOST_BASE_URL={box.url}\n"
        f"CHRONOPOST_ACCOUNT={account}\nCHRONOPOST_PASSWORD={password}\n",
        encoding="utf-8",
    )
    with closing(sqlite3.connect(place.checkout / "claims.db")) as connection:
        for n, status in enumerate(("pending", "failed")):
            connection.execute(
                "INSERT INTO claims (claim_reference, client_id, order_id, carrier, dispute_type, amount_requested,"
                " tracking_number, pod_fetch_status, updated_at)"
                " VALUES (?, 1, 'O', 'Chronopost', 'lost', 10, ?, ?, '2026-01-01 00:00:00')",
                (f"CLM-{n}", f"XY00{n:07d}FR", status),
            )
        connection.commit()


def assert_both_ran(place: Place) -> None:
    ran = place.sql("SELECT worker, exit_status FROM recours_runs ORDER BY worker")
    assert ran == [("pod_fetch_worker", 0), ("pod_retry_scheduler", 0)]
    assert place.sql("SELECT pod_fetch_status FROM claims") == [("success",), ("success",)]
    log = (place.checkout / "logs" / "pod_retry_scheduler.log").read_text(encoding="utf-8")
    assert "✅ SUCCESS: POD fetched for CLM-1" in log


# ---------------------------------------------------------------- a real crontab


@pytest.mark.sample("more cases of the same test, each around processes")
def test_installing_twice_adds_each_line_once_and_cron_runs_it(place: Place, box: Sandbox) -> None:
    give_claims(place, box)
    for outcome in ("Done.", "Already installed; nothing to do."):
        done = place.recours("schedule", "install", "--yes")
        assert (done.returncode, done.stderr) == (0, "")
        assert outcome in done.stdout
    fetch, retry = place.ours()
    assert (fetch[:13], retry[:10]) == ("*/30 * * * * ", "0 * * * * ")
    if "'" not in str(place.checkout):
        assert retry == (
            f"0 * * * * cd {place.checkout} && python3 scripts/pod_retry_scheduler.py >> logs/cron.log 2>&1"
        )
    for line in (fetch, retry):
        done = run_as_cron(line)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert_both_ran(place)
    printed = (place.checkout / "logs" / "cron.log").read_text(encoding="utf-8")
    assert "POD FETCH WORKER - Starting" in printed
    assert "POD AUTO-RETRY SCHEDULER - Starting" in printed


BAD = {
    "no terminal": (
        [],
        "# mine\n",
        2,
        "No terminal is available to ask for confirmation. Nothing was changed; repeat the command with --yes",
    ),
    "a line that does more": (["--yes"], "{line} && ./mine.sh\n", 1, "also runs other commands"),
    "a broken crontab": (["--yes"], "99 * * * * true\n", 1, "crontab rejected the change"),
}


@pytest.mark.sample("more cases of the same test, each around processes")
@pytest.mark.parametrize("case", BAD)
def test_an_impossible_installation_is_reported_and_changes_nothing(plain: Place, case: str) -> None:
    options, text, status, sentence = BAD[case]
    text = text.format(line=f"0 * * * * cd {plain.checkout} && python3 scripts/pod_retry_scheduler.py")
    plain.machine.write_crontab(text)
    done = plain.recours("schedule", "install", *options)
    assert (done.returncode, sentence in done.stderr.replace("\n", " ")) == (status, True), done.stderr
    assert "Traceback" not in done.stderr
    assert plain.machine.crontab() == text


@pytest.mark.sample("more cases of the same test, each around processes")
@pytest.mark.parametrize(("answer", "status", "lines"), [("y", 0, 2), ("", 1, 0)])
def test_on_a_terminal_the_changes_are_shown_and_confirmed(
    plain: Place, answer: str, status: int, lines: int
) -> None:
    person, terminal = pty.openpty()
    os.write(person, f"{answer}\n".encode())
    python = plain.checkout / ".venv" / "bin" / "python3"
    done = subprocess.run(
        plain.machine.isolated([str(python), "-m", "recours", "schedule", "install"]),
        cwd=plain.checkout,
        env=plain.machine.environment(),
        stdin=terminal,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    os.close(person)
    os.close(terminal)
    assert done.returncode == status
    assert re.search(r"\+ \*/30 .*\+ 0 ", done.stdout, re.DOTALL)
    assert "Apply these changes? [y/N]" in done.stderr
    assert ("Nothing was changed." in done.stderr) is (status == 1)
    assert len(plain.ours()) == lines


# ---------------------------------------------------------------- a home elsewhere


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = make_home({"RECOURS_HOME": str(tmp_path / f"home of {NASTY}")})
    (home / "data").mkdir()
    create_file(home / "data" / "recours.db")
    return home


def recours_at(place: Place, home: Path, python: Path, *words: str) -> str:
    command = [str(python), "-m", "recours", *words]
    done = place.machine.run(*command, cwd=place.checkout, RECOURS_HOME=str(home))
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def assert_lines_run(place: Place, home: Path) -> None:
    """Each of the two lines, pasted into cron's shell, completes a run in this home."""
    with closing(sqlite3.connect(home / "data" / "recours.db")) as connection, connection:
        connection.execute("DELETE FROM recours_runs")
    for line in place.ours():
        done = run_as_cron(line)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), line
    with closing(sqlite3.connect(home / "data" / "recours.db")) as connection:
        ran = connection.execute("SELECT worker, exit_status FROM recours_runs ORDER BY worker").fetchall()
    assert ran == [("pod_fetch_worker", 0), ("pod_retry_scheduler", 0)]
    assert not (place.checkout / "data").exists()


def problems_of_schedule(place: Place, home: Path, python: Path) -> list[str]:
    checks = json.loads(recours_at(place, home, python, "check", "--offline", "--json"))["findings"]
    return [
        f"{check['words']} → {check['remedy']}"
        for check in checks
        if check["name"].startswith("schedule of") and check["state"] != "ok"
    ]


def test_lines_for_a_home_outside_the_checkout_run_and_check_reports_moved_scripts(
    plain: Place, tmp_path: Path, home: Path
) -> None:
    nasty = Place(plain.checkout.rename(tmp_path / NASTY), plain.machine)
    python = nasty.checkout / ".venv" / "bin" / "python3"
    recours_at(nasty, home, python, "schedule", "install", "--yes")
    assert_lines_run(nasty, home)
    assert problems_of_schedule(nasty, home, python) == []

    moved = Place(nasty.checkout.rename(tmp_path / "moved"), nasty.machine)
    python = moved.checkout / ".venv" / "bin" / "python3"
    script = nasty.checkout / "scripts" / "pod_fetch_worker.py"
    problem, _ = problems_of_schedule(moved, home, python)
    assert f"crontab: line 1 names {script}, which does not exist → " in problem
    assert problem.endswith("recours schedule install")
    recours_at(moved, home, python, "schedule", "install", "--yes")
    assert all(f" {moved.checkout}/scripts/pod_" in line for line in moved.ours())
    assert len(moved.ours()) == 2


def test_a_checkout_without_a_venv_is_started_by_the_python_that_has_the_packages(
    plain: Place, tmp_path: Path, home: Path
) -> None:
    python = (plain.checkout / ".venv").rename(tmp_path / "environment") / "bin" / "python3"
    recours_at(plain, home, python, "schedule", "install", "--yes")
    fetch, retry = plain.ours()
    assert f" {python} " in fetch
    assert f" {python} " in retry
    done = run_as_cron(fetch)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert "POD FETCH WORKER - Starting" in (home / "logs" / "cron.log").read_text(encoding="utf-8")


# ---------------------------------------------------------------- a real cron


@pytest.mark.full("waits up to two minutes for cron")
def test_the_cron_daemon_runs_the_installed_lines(plain: Place, box: Sandbox) -> None:
    place = plain
    give_claims(place, box)
    assert place.recours("schedule", "install", "--yes").returncode == 0
    every_minute = re.sub(r"^\S+ \* \* \* \* cd", "* * * * * cd", place.machine.crontab(), flags=re.MULTILINE)
    place.machine.write_crontab(every_minute)
    with subprocess.Popen(place.machine.isolated(["cron", "-f"]), env=place.machine.environment()) as cron:
        try:
            end = time.monotonic() + 180
            while len(place.sql("SELECT 1 FROM recours_runs WHERE exit_status = 0")) < 2:
                assert time.monotonic() < end, place.machine.crontab()
                assert cron.poll() is None
                time.sleep(0.2)
        finally:
            cron.kill()  # unshare, and cron with it; unshare ignores SIGTERM
    assert set(place.sql("SELECT worker FROM recours_runs")) == {
        ("pod_fetch_worker",),
        ("pod_retry_scheduler",),
    }
    assert place.sql("SELECT pod_fetch_status FROM claims") == [("success",), ("success",)]
    again = place.recours("schedule", "install", "--yes")
    assert again.stdout.count("  - * * * * * cd") == 2

"""The progress bar: drawn for whoever looks on at a terminal, and no sign of it for anybody else."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from recours.database.engine import Database
from recours.database.schema import inspection
from recours.sandbox import Sandbox
from tests.conftest import environment_of

pty = pytest.importorskip("pty", reason="there are no pseudo-terminals")
ROOT = Path(inspection.__file__).parents[3]
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture
def environment(url: str, sandbox: Sandbox, tmp_path: Path) -> dict[str, str]:
    return environment_of(url, sandbox.url) | {
        "RECOURS_POD_DIR": str(tmp_path / "pods"),
        "RECOURS_LOG_DIR": str(tmp_path / "logs"),
        "TERM": "xterm-256color",
        "COLUMNS": "100",
        "PYTHONIOENCODING": "utf-8",
    }


def on_terminal(environment: dict[str, str], *options: str) -> tuple[int, str, str]:
    """Exit status, stdout (a pipe), and all that the terminal was sent as stderr."""
    ours, theirs = pty.openpty()
    command = [sys.executable, str(ROOT / "scripts" / "pod_retry_scheduler.py"), *options]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=theirs) as run:
        os.close(theirs)
        shown = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # so Linux says that nobody has the other end any more
                break
            if not piece:
                break
            shown += piece
        assert run.stdout
        out = run.stdout.read().decode()
    os.close(ours)
    return run.returncode, out, shown.decode()


def log_lines(folder: Path) -> list[str]:
    return (folder / "logs" / "pod_retry_scheduler.log").read_text(encoding="utf-8").splitlines()


def screen_after(sent: str) -> list[str]:
    """What stands on a terminal, wide enough for every line, after all that it was sent."""
    lines, row, column = [""], 0, 0
    for piece in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", sent):
        if piece == "\r":
            column = 0
        elif piece == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif piece.endswith("A"):
            row -= int(piece[2:-1])
        elif piece.endswith("2K"):
            lines[row] = ""
        elif not piece.startswith("\x1b"):
            lines[row] = lines[row][:column].ljust(column) + piece + lines[row][column + len(piece) :]
            column += len(piece)
    assert (lines[row:], column) == (
        [""] * len(lines[row:]),
        0,
    )  # what is typed next begins on a line of its own
    return lines[:row]


@pytest.mark.sample("more cases of the same test, each around processes")
@pytest.mark.parametrize("more", [{}, {"NO_COLOR": "1"}, {"PYTHONIOENCODING": "ascii:replace"}])
def test_the_bar_moves_on_below_a_log_that_it_leaves_alone(
    environment: dict[str, str],
    database: Database,
    add_claims: Callable[..., None],
    tmp_path: Path,
    more: dict[str, str],
) -> None:
    long = (
        "CLM-" + "[red]:smile: " * 12
    )  # longer than the terminal is wide, and markup to whoever takes it so
    add_claims(database, [{}] * 5 + [{"tracking_number": "nonsense", "claim_reference": long}])
    status, out, shown = on_terminal(environment | more)
    assert (status, out) == (0, "")
    drawn = ESCAPE.sub("", shown)
    assert " 0/6 success 0 failed 0" in drawn
    assert re.search(r"(━|-){30} 6/6 success 5 failed 1", drawn)
    colours = re.findall(r"\x1b\[[0-9;]*3[0-9;]*m", shown)
    assert bool(colours) == ("NO_COLOR" not in more)
    if "PYTHONIOENCODING" not in more:
        assert screen_after(shown) == log_lines(tmp_path)
    else:
        assert shown.isascii()
        assert screen_after(shown) == [
            line.encode("ascii", "replace").decode() for line in log_lines(tmp_path)
        ]
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") == 1  # the cursor is given back


def test_json_stays_alone_on_stdout(
    environment: dict[str, str], database: Database, add_claims: Callable[..., None]
) -> None:
    add_claims(database, [{}])
    status, out, shown = on_terminal(environment, "--json")
    assert status == 0
    assert re.fullmatch(r"\{.*\}\n", out)
    assert "1/1 success 1 failed 0" in ESCAPE.sub("", shown)


@pytest.mark.sample("more cases of the same test, each around processes")
@pytest.mark.parametrize(
    ("more", "options", "claims"),
    [({"TERM": "dumb"}, (), 2), ({}, ("--dry-run",), 2), ({}, (), 0)],
    ids=["a terminal that cannot draw", "a dry run", "nothing to do"],
)
def test_a_terminal_without_a_bar_gets_the_log_alone(
    environment: dict[str, str],
    database: Database,
    add_claims: Callable[..., None],
    tmp_path: Path,
    more: dict[str, str],
    options: tuple[str, ...],
    claims: int,
) -> None:
    add_claims(database, [{}] * claims)
    status, _, shown = on_terminal(environment | more, *options)
    assert status == 0
    assert "\x1b" not in shown
    assert shown.replace("\r\n", "\n").splitlines() == log_lines(tmp_path)


def test_under_cron_there_is_neither_a_bar_nor_what_it_takes(
    environment: dict[str, str], database: Database, add_claims: Callable[..., None], tmp_path: Path
) -> None:
    add_claims(database, [{}] * 3)
    done = subprocess.run(
        [sys.executable, "-X", "importtime", str(ROOT / "scripts" / "pod_retry_scheduler.py")],
        env=environment | {"FORCE_COLOR": "1"},
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert "\x1b" not in done.stderr + done.stdout
    lines = [line for line in done.stderr.splitlines() if not line.startswith("import time:")]
    assert lines == log_lines(tmp_path)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "requests" in imported
    assert imported & {"rich", "rich.progress"} == set()

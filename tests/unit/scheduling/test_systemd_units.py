"""systemd's units as texts: what systemd itself says of them, and that the manual shows the same."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from recours.operations.schedule import WORKERS, Checkout, ScheduledJob, ScheduleError
from recours.scheduling.systemd import unit_of, units
from recours.scheduling.user_units import command_of, folder_of
from tests.needs import program

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "schedule.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("worker", WORKERS)
def test_the_manual_shows_the_units_that_are_written(worker: str) -> None:
    for name, text in units(ScheduledJob(worker), Checkout("/home/me/Recours_Ecommerce")).items():
        shown = re.search(rf"`{re.escape(name)}`:\n\n```ini\n(.*?)```", PAGE, re.DOTALL)
        assert shown
        assert shown[1].replace("%h", "/home/me") == text


NAMES = ["plain", "a b", "100% of it", 'it\'s "q"', "a\\b c", "$HOME x", "é;&|", "~a #b"]


@pytest.mark.parametrize("name", NAMES)
def test_systemd_finds_the_program_in_any_folder(tmp_path: Path, name: str) -> None:
    analyze = program("systemd-analyze", "systemd")
    checkout = Checkout(str(tmp_path / name))
    python = tmp_path / name / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    texts = units(ScheduledJob("pod_retry_scheduler", ("--carrier", name)), checkout)
    for file, text in texts.items():
        (tmp_path / file).write_text(text, encoding="utf-8")

    def verified() -> subprocess.CompletedProcess[str]:
        command = [analyze, "verify", "--user", *(str(tmp_path / file) for file in texts)]
        environment = os.environ | {"XDG_RUNTIME_DIR": str(tmp_path), "LC_ALL": "C"}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    if "/usr/bin/env" not in command_of(texts["pod-retry-scheduler.service"]):
        assert "is not executable" in verified().stderr  # it looks for the program by its name
    python.symlink_to("/bin/sh")
    assert (verified().returncode, verified().stderr) == (0, "")
    assert folder_of(texts["pod-retry-scheduler.service"]) == checkout.root


@pytest.mark.parametrize("name", ["a\nb", "a ", "a\\"])
def test_a_folder_that_no_unit_can_name_is_refused(name: str) -> None:
    with pytest.raises(ScheduleError, match="rename the folder"):
        units(ScheduledJob("pod_fetch_worker"), Checkout(f"/srv/{name}"))


def test_options_are_written_as_systemd_takes_them_apart() -> None:
    text = units(ScheduledJob("pod_fetch_worker", ("--carrier", 'a "b" \\ 100%')), Checkout("/srv/r"))
    service = text[f"{unit_of('pod_fetch_worker')}.service"]
    assert command_of(service) == (
        'ExecStart=/srv/r/.venv/bin/python scripts/pod_fetch_worker.py --carrier "a \\"b\\" \\\\ 100%%"'
    )


def test_a_dollar_is_no_variable() -> None:
    """systemd-analyze does not look at those; the user manager of tests/acceptance does."""
    text = units(ScheduledJob("pod_fetch_worker", ("--carrier", "$x")), Checkout("/srv/r"))[
        "pod-fetch-worker.service"
    ]
    assert command_of(text).startswith("ExecStart=:/srv/r/")


def test_an_installed_copy_is_started_by_its_own_command_with_its_home() -> None:
    there = Checkout("/srv/100% mine", program="/opt/recours/bin/recours")
    text = units(ScheduledJob("pod_fetch_worker", ("--batch-size", "5")), there)["pod-fetch-worker.service"]
    assert 'Environment="RECOURS_HOME=/srv/100%% mine"\n' in text
    assert "ExecStart=/opt/recours/bin/recours fetch --batch-size 5\n" in text

"""The service of a fleet's worker, with a manager that is made up; the real one is in tests/acceptance."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from recours.operations.schedule import FLEET, WORKERS, Checkout, Entry, ScheduledJob, ScheduleError
from recours.scheduling.fleet import UNIT, FleetUnit, unit
from recours.scheduling.user_units import command_of, folder_of
from tests.fakes.user_manager import Manager, files_below
from tests.needs import program

JOB = ScheduledJob(FLEET)


def checkout_in(root: Path) -> Checkout:
    """One whose program is there."""
    started = root / ".venv" / "bin" / "recours"
    started.parent.mkdir(parents=True)
    started.symlink_to("/bin/true")
    return Checkout(str(root), str(root.parent))


@pytest.fixture
def manager(tmp_path: Path) -> Manager:
    return Manager(tmp_path / ".config" / "systemd" / "user")


@pytest.fixture
def fleet(manager: Manager, tmp_path: Path) -> FleetUnit:
    return FleetUnit(checkout_in(tmp_path / "Recours"), manager.folder, run=manager)


# ---------------------------------------------------------------- the unit as a text


@pytest.mark.parametrize("name", ["plain", "a b", "100% of it", 'it\'s "q"', "$HOME x"])
def test_systemd_takes_the_unit_in_any_folder(tmp_path: Path, name: str) -> None:
    analyze = program("systemd-analyze", "systemd")
    checkout = checkout_in(tmp_path / name)
    text = unit(ScheduledJob(FLEET, ("--carrier", name)), checkout)
    (tmp_path / UNIT).write_text(text, encoding="utf-8")
    done = subprocess.run(
        [analyze, "verify", "--user", str(tmp_path / UNIT)],
        env=os.environ | {"XDG_RUNTIME_DIR": str(tmp_path), "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert folder_of(text) == checkout.root


def test_a_checkout_starts_the_command_of_its_own_environment() -> None:
    text = unit(ScheduledJob(FLEET, ("--concurrency", "8")), Checkout("/srv/recours"))
    assert command_of(text) == "ExecStart=/srv/recours/.venv/bin/recours worker --concurrency 8"
    assert "Environment" not in text


def test_an_installed_copy_is_started_with_its_home() -> None:
    text = unit(JOB, Checkout("/srv/100% mine", program="/opt/recours/bin/recours"))
    assert 'Environment="RECOURS_HOME=/srv/100%% mine"\n' in text
    assert command_of(text) == "ExecStart=/opt/recours/bin/recours worker"


def test_systemd_waits_for_a_database_that_is_away_or_is_brought_up_to_date() -> None:
    """After 90 seconds it would kill the worker, in the middle of an upgrade, and start it over."""
    assert "\nTimeoutStartSec=infinity\n" in unit(JOB, Checkout("/srv/recours"))


# ---------------------------------------------------------------- installing and removing it


def test_what_is_installed_runs_and_is_shown_for_both_workers(fleet: FleetUnit, manager: Manager) -> None:
    change = fleet.install([JOB])
    assert change.steps == [
        f"+ {manager.folder / UNIT}",
        f"    ExecStart={fleet.checkout.root}/.venv/bin/recours worker",
        "$ systemctl --user daemon-reload",
        f"$ systemctl --user enable --now {UNIT}",
    ]
    change.carry_out()
    assert list(manager.active) == [UNIT]
    shown = f"{UNIT}: ExecStart={fleet.checkout.root}/.venv/bin/recours worker"
    assert fleet.entries() == [Entry(tuple(WORKERS), shown)]
    assert not fleet.install([JOB]).steps


def test_a_worker_that_runs_takes_changed_options_on(fleet: FleetUnit, manager: Manager) -> None:
    fleet.install([JOB]).carry_out()
    change = fleet.install([ScheduledJob(FLEET, ("--concurrency", "8"))])
    assert change.steps[-1] == f"$ systemctl --user restart {UNIT}"
    assert "finishes the calls under way first" in change.remarks[0]
    change.carry_out()
    assert "worker --concurrency 8\n" in manager.active[UNIT]


def test_a_unit_that_does_not_run_is_shown_with_what_to_do_and_installed_again(
    fleet: FleetUnit, manager: Manager
) -> None:
    fleet.install([JOB]).carry_out()
    manager.active.clear()
    (entry,) = fleet.entries()
    assert entry.problem == f"its unit is not running: systemctl --user enable --now {UNIT}"
    fleet.install([JOB]).carry_out()
    assert list(manager.active) == [UNIT]


def test_what_is_removed_is_gone(fleet: FleetUnit, manager: Manager) -> None:
    fleet.install([JOB]).carry_out()
    fleet.remove(list(WORKERS)).carry_out()
    assert (files_below(manager.folder), manager.active, fleet.entries()) == ({}, {}, [])
    assert not fleet.remove(list(WORKERS)).steps


@pytest.mark.parametrize("fails_at", [("daemon-reload",), ("enable",)])
def test_an_install_that_fails_leaves_nothing_behind(
    fleet: FleetUnit, manager: Manager, tmp_path: Path, fails_at: tuple[str, ...]
) -> None:
    manager.fails_at = fails_at
    with pytest.raises(ScheduleError, match=r"failed \(Failed to connect to bus\)"):
        fleet.install([JOB]).carry_out()
    assert [path.name for path in tmp_path.iterdir()] == ["Recours"]
    assert manager.active == {}


def test_a_change_that_fails_leaves_the_worker_as_it_was(fleet: FleetUnit, manager: Manager) -> None:
    fleet.install([JOB]).carry_out()
    before = files_below(manager.folder), dict(manager.active)
    manager.fails_at = ("restart",)
    with pytest.raises(ScheduleError):
        fleet.install([ScheduledJob(FLEET, ("--concurrency", "8"))]).carry_out()
    assert (files_below(manager.folder), manager.active) == before


def test_another_installations_service_is_left_alone(fleet: FleetUnit, manager: Manager) -> None:
    manager.folder.mkdir(parents=True)
    text = unit(JOB, Checkout("/srv/other"))
    (manager.folder / UNIT).write_text(text, encoding="utf-8")
    with pytest.raises(ScheduleError, match=re.escape("starts something else (ExecStart=/srv/other/")):
        fleet.install([JOB])
    assert (fleet.entries(), fleet.remove(list(WORKERS)).steps) == ([], ())
    assert (manager.folder / UNIT).read_text(encoding="utf-8") == text


def test_a_program_that_is_missing_is_not_installed(fleet: FleetUnit, manager: Manager) -> None:
    (Path(fleet.checkout.root) / ".venv" / "bin" / "recours").unlink()
    with pytest.raises(ScheduleError, match=r"\.venv/bin/recours is missing"):
        fleet.install([JOB])
    assert not manager.folder.exists()

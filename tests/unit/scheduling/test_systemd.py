"""systemd's user timers, with a manager that is made up; the real one is in tests/acceptance."""

from pathlib import Path

import pytest

from recours.operations.schedule import WORKERS, Checkout, ScheduledJob, ScheduleError
from recours.scheduling.systemd import SystemdTimers
from tests.fakes.user_manager import Manager, files_below

HERE = Checkout("/path/to/Recours_Ecommerce", "/home/me")
BOTH = [ScheduledJob(worker) for worker in WORKERS]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "home" / ".config" / "systemd" / "user"


FAILING = [
    ("daemon-reload",),
    ("enable", "pod-fetch-worker.timer"),
    ("enable", "pod-retry-scheduler.timer"),
]


@pytest.mark.parametrize("fails_at", FAILING)
def test_an_install_that_fails_at_any_step_leaves_nothing_behind(
    folder: Path, tmp_path: Path, fails_at: tuple[str, ...]
) -> None:
    manager = Manager(folder, fails_at)
    with pytest.raises(ScheduleError, match=r"failed \(Failed to connect to bus\)"):
        SystemdTimers(HERE, folder, run=manager).install(BOTH).carry_out()
    assert list(tmp_path.iterdir()) == []
    assert manager.active == {}


@pytest.mark.parametrize("fails_at", [*FAILING, ("restart",)])
def test_a_change_that_fails_leaves_what_was_there(folder: Path, fails_at: tuple[str, ...]) -> None:
    manager = Manager(folder)
    timers = SystemdTimers(HERE, folder, run=manager)
    timers.install(BOTH).carry_out()
    before, active = files_below(folder), dict(manager.active)
    assert len(active) == 2
    manager.fails_at = fails_at
    with pytest.raises(ScheduleError):
        timers.install([ScheduledJob(worker, ("--batch-size", "50")) for worker in WORKERS]).carry_out()
    assert (files_below(folder), manager.active) == (before, active)


def test_what_is_not_ours_in_the_folder_stays(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "mine.timer").write_text("[Timer]\n", encoding="utf-8")
    with pytest.raises(ScheduleError):
        SystemdTimers(HERE, folder, run=Manager(folder, ("enable",))).install(BOTH).carry_out()
    assert [path.name for path in folder.iterdir()] == ["mine.timer"]


def test_a_folder_that_cannot_be_written_is_told_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    folder = tmp_path / "home" / "user"
    with pytest.raises(ScheduleError, match="cannot be"):
        SystemdTimers(HERE, folder, run=Manager(folder)).install(BOTH).carry_out()
    assert [path.name for path in tmp_path.iterdir()] == ["home"]

"""systemd's user timers, with a manager that is made up; the real one is in tests/acceptance."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from recours.operations.schedule import WORKERS, Checkout, ScheduledJob, ScheduleError
from recours.scheduling.host import Done
from recours.scheduling.systemd import SystemdTimers

HERE = Checkout("/path/to/Recours_Ecommerce", "/home/me")
BOTH = [ScheduledJob(worker) for worker in WORKERS]


@dataclass
class Manager:
    """Knows units once it has read them, and which timers run; makes links as `enable` does."""

    folder: Path
    fails_at: tuple[str, ...] = ()  # words of the command that fails, once it has done half of it
    known: set[str] = field(default_factory=set)
    active: set[str] = field(default_factory=set)

    def __call__(self, command: Sequence[str] | str, _given: bytes) -> Done:
        assert not isinstance(command, str)
        _, _, word, *rest = command
        timers = [name for name in rest if name.endswith(".timer")]
        if word == "is-active":
            return Done(0 if timers[0] in self.active else 3, b"", "")
        if word == "daemon-reload":
            self.known = {path.name for path in self.folder.glob("*.timer")}
        wants = self.folder / "timers.target.wants"
        for timer in timers:
            if word in ("enable", "restart") and timer in self.known:
                wants.mkdir(exist_ok=True)
                (wants / timer).unlink(missing_ok=True)
                (wants / timer).symlink_to(self.folder / timer)
                self.active.add(timer)
            if word in ("disable", "stop"):
                self.active.discard(timer)
            if word == "disable":
                (wants / timer).unlink(missing_ok=True)
        failed = self.fails_at and set(self.fails_at) <= set(command)
        return Done(int(bool(failed)), b"", "Failed to connect to bus")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "home" / ".config" / "systemd" / "user"


def state(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8")
        for path in folder.rglob("*.*")
        if path.is_file()
    }


FAILING = [
    ("daemon-reload",),
    ("enable", "pod-fetch-worker.timer"),
    ("enable", "pod-retry-scheduler.timer"),
    ("restart",),
]


@pytest.mark.parametrize("fails_at", FAILING)
def test_an_install_that_fails_at_any_step_leaves_nothing_behind(
    folder: Path, tmp_path: Path, fails_at: tuple[str, ...]
) -> None:
    manager = Manager(folder, fails_at)
    with pytest.raises(ScheduleError, match=r"failed \(Failed to connect to bus\)"):
        SystemdTimers(HERE, folder, run=manager).install(BOTH).carry_out()
    assert list(tmp_path.iterdir()) == []
    assert manager.active == set()


@pytest.mark.parametrize("fails_at", FAILING)
def test_a_change_that_fails_leaves_what_was_there(folder: Path, fails_at: tuple[str, ...]) -> None:
    manager = Manager(folder)
    timers = SystemdTimers(HERE, folder, run=manager)
    timers.install(BOTH).carry_out()
    before, active = state(folder), set(manager.active)
    assert len(active) == 2
    manager.fails_at = fails_at
    with pytest.raises(ScheduleError):
        timers.install([ScheduledJob(worker, ("--batch-size", "50")) for worker in WORKERS]).carry_out()
    assert (state(folder), manager.active) == (before, active)


def test_what_is_not_ours_in_the_folder_stays(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "mine.timer").write_text("[Timer]\n", encoding="utf-8")
    with pytest.raises(ScheduleError):
        SystemdTimers(HERE, folder, run=Manager(folder, ("restart",))).install(BOTH).carry_out()
    assert [path.name for path in folder.iterdir()] == ["mine.timer"]


def test_a_folder_that_cannot_be_written_is_told_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    folder = tmp_path / "home" / "user"
    with pytest.raises(ScheduleError, match="cannot be"):
        SystemdTimers(HERE, folder, run=Manager(folder)).install(BOTH).carry_out()
    assert [path.name for path in tmp_path.iterdir()] == ["home"]

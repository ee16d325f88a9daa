"""A user's systemd, as `systemctl --user` shows it; the real one is in tests/acceptance."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from recours.scheduling.host import Done

TARGETS = {".timer": "timers.target", ".service": "default.target"}


@dataclass
class Manager:
    """Knows units once it has read them, and which of them run; makes links as `enable` does."""

    folder: Path
    fails_at: tuple[str, ...] = ()  # words of the command that fails, once it has done half of it
    known: dict[str, str] = field(default_factory=dict)  # what it has read
    active: dict[str, str] = field(default_factory=dict)  # what each unit that runs was started from

    def __call__(self, command: Sequence[str] | str, _given: bytes) -> Done:
        assert not isinstance(command, str)
        _, _, word, *rest = command
        units = [name for name in rest if name.endswith((".timer", ".service"))]
        if word == "is-active":
            return Done(0 if units[0] in self.active else 3, b"", "")
        if word == "daemon-reload":
            self.known = {path.name: path.read_text() for path in self.folder.glob("*.*") if path.is_file()}
        for unit in units:
            link = self.folder / f"{TARGETS[Path(unit).suffix]}.wants" / unit
            if word == "enable" and unit in self.known:
                link.parent.mkdir(exist_ok=True)
                link.unlink(missing_ok=True)
                link.symlink_to(self.folder / unit)
                self.active.setdefault(unit, self.known[unit])
            if word == "restart" and unit in self.known:
                self.active[unit] = self.known[unit]
            if word in ("disable", "stop"):
                self.active.pop(unit, None)
            if word == "disable":
                link.unlink(missing_ok=True)
        failed = self.fails_at and set(self.fails_at) <= set(command)
        return Done(int(bool(failed)), b"", "Failed to connect to bus")


def files_below(folder: Path) -> dict[str, str]:
    """The texts of units and of links to them."""
    return {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8")
        for path in folder.rglob("*.*")
        if path.is_file()
    }

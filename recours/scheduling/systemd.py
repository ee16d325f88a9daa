"""systemd's timers of this user: a service and a timer for each worker."""

import os
import re
import shlex
import tempfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from recours.core.text import clean
from recours.home import SETTING as HOME
from recours.operations.schedule import WORKERS, Checkout, Entry, ScheduleChange, ScheduledJob, ScheduleError
from recours.scheduling.host import Run, run

# ---------------------------------------------------------------- units as texts


_TIMES = {"pod_fetch_worker": "*-*-* *:00/30:00", "pod_retry_scheduler": "hourly"}
_WHAT = {
    "pod_fetch_worker": ("Fetch proofs of delivery of new claims", "every 30 minutes"),
    "pod_retry_scheduler": ("Retry failed proofs of delivery", "every hour"),
}


def unit_of(worker: str) -> str:
    """The name of a worker's units, without its ending."""
    return worker.replace("_", "-")


def units(job: ScheduledJob, checkout: Checkout) -> Mapping[str, str]:
    """File names and texts of a job's units. Raises ScheduleError if systemd could not be told the folder's name."""
    root = checkout.root
    if any(ord(c) < ord(" ") for c in root) or root != root.strip() or root.endswith("\\"):
        raise ScheduleError(
            f"The folder's name {clean(root)} has a control character in it, or a blank or backslash at its end, "
            "which a unit of systemd cannot hold: rename the folder."
        )
    what, often = _WHAT[job.worker]
    home = f"Environment={_specifiers_undone(_quoted(f'{HOME}={root}'))}\n" if checkout.program else ""
    service = f"""\
[Unit]
Description={what}

[Service]
Type=oneshot
WorkingDirectory={_specifiers_undone(root)}
{home}ExecStart={_command(job, checkout)}
# Asked to stop, a run finishes the calls under way and hands back the rest.
TimeoutStopSec=5min
SuccessExitStatus=143
"""
    timer = f"""\
[Unit]
Description={what} {often}

[Timer]
OnCalendar={_TIMES[job.worker]}
# A run that was missed while the machine was off is made up for once.
Persistent=true

[Install]
WantedBy=timers.target
"""
    name = unit_of(job.worker)
    return {f"{name}.service": service, f"{name}.timer": timer}


def folder_of(service: str) -> str | None:
    """The folder that a service of that text works in, which tells whose it is."""
    found = re.search(r"^WorkingDirectory=(.*)$", service, re.MULTILINE)
    return found[1].strip().replace("%%", "%") if found else None


def command_of(service: str) -> str:
    found = re.search(r"^ExecStart=.*$", service, re.MULTILINE)
    return found[0] if found else ""


def _command(job: ScheduledJob, checkout: Checkout) -> str:
    words = checkout.command_line(job, f"{checkout.root}/.venv/bin/python")
    if set("\"'\\") & set(words[0]):  # which systemd takes in an argument, but not in a program's name
        words.insert(0, "/usr/bin/env")
    # With the colon, no $ is taken for a variable.
    literal = ":" if any("$" in word for word in words) else ""
    return literal + " ".join(_specifiers_undone(_quoted(word)) for word in words)


def _quoted(word: str) -> str:
    if shlex.quote(word) == word:
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _specifiers_undone(text: str) -> str:
    return text.replace("%", "%%")


# ---------------------------------------------------------------- the timers of this user


_NOT_RUNNING = "its timer is not running: systemctl --user enable --now {timer}"
_WANTED = "timers.target.wants"
_LINGER = "So that the timers go on while you are logged out: loginctl enable-linger"


@dataclass(frozen=True)
class SystemdTimers:
    """User timers: unit files, and the user's manager, which learns of them through `systemctl --user`."""

    checkout: Checkout
    folder: Path  # ~/.config/systemd/user
    run: Run = run
    name: str = "systemd"
    title: str = "systemd user timers"

    def entries(self) -> list[Entry]:
        found = []
        for worker, service in self._ours(WORKERS).items():
            timer = f"{unit_of(worker)}.timer"
            if self._text(timer) is not None:
                problem = "" if self._is_active(timer) else _NOT_RUNNING.format(timer=timer)
                found.append(Entry((worker,), f"{timer}: {command_of(service)}", problem=problem))
        return found

    def install(self, jobs: Sequence[ScheduledJob]) -> ScheduleChange:
        files: dict[str, str] = {}
        for job in jobs:
            name = f"{unit_of(job.worker)}.service"
            service = self._text(name)
            if service is not None and not self._is_ours(service):
                raise ScheduleError(
                    f"{self.folder / name} starts something else ({clean(command_of(service))}): remove it there, "
                    "or use the crontab. Nothing was changed."
                )
            files |= units(job, self.checkout)
        changed = {name: text for name, text in files.items() if self._text(name) != text}
        timers = [name for name in files if name.endswith(".timer")]
        if not changed and all(self._is_active(timer) for timer in timers):
            return ScheduleChange()
        steps = []
        for name, text in changed.items():
            steps.append(f"{'+' if self._text(name) is None else '~'} {self.folder / name}")
            if name.endswith(".service"):
                steps.append(f"    {command_of(text)}")
        steps.append("$ systemctl --user daemon-reload")
        steps += [f"$ systemctl --user enable --now {timer}" for timer in timers]
        return ScheduleChange(steps, (), (_LINGER,), lambda: self._write(changed, timers))

    def remove(self, workers: Collection[str]) -> ScheduleChange:
        ours = [unit_of(worker) for worker in self._ours(workers)]
        if not ours:
            return ScheduleChange()
        steps = [f"$ systemctl --user disable --now {unit}.timer" for unit in ours]
        steps += [f"- {self.folder / f'{unit}.{kind}'}" for unit in ours for kind in ("timer", "service")]
        return ScheduleChange(
            [*steps, "$ systemctl --user daemon-reload"], (), (), lambda: self._delete(ours)
        )

    # ---------------------------------------------------------------- files

    def _text(self, name: str) -> str | None:
        try:
            return (self.folder / name).read_text(encoding="utf-8", errors="surrogateescape")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ScheduleError(f"{self.folder / name} cannot be read: {error.strerror or error}.") from error

    def _ours(self, workers: Iterable[str]) -> dict[str, str]:
        """The services that start these workers of this checkout, as texts."""
        services = {worker: self._text(f"{unit_of(worker)}.service") for worker in workers}
        return {worker: text for worker, text in services.items() if text is not None and self._is_ours(text)}

    def _is_ours(self, service: str) -> bool:
        folder = folder_of(service)
        return folder is not None and self.checkout.is_root(folder)

    def _write(self, files: Mapping[str, str], timers: Sequence[str]) -> None:
        before = {name: self._text(name) for name in files}
        no_folders = [folder for folder in (self.folder, *self.folder.parents) if not folder.exists()]
        active = [timer for timer in timers if self._is_active(timer)]
        try:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                for name, text in files.items():
                    _replace(self.folder / name, text)
            except OSError as error:
                raise ScheduleError(
                    f"The units cannot be written in {self.folder}: {error.strerror or error}."
                ) from error
            self._systemctl("daemon-reload")
            for timer in timers:
                self._systemctl("enable", "--now", timer)
            if files:  # a running timer keeps its old times otherwise
                self._systemctl("restart", *timers)
        except BaseException as error:
            new = [timer for timer in timers if before.get(timer, "") is None]
            self._try("disable --now", *new)
            self._try("stop", *(timer for timer in timers if timer not in (*new, *active)))
            self._put_back(before, error)
            self._try("daemon-reload")
            self._try("restart", *active)
            for folder in (self.folder / _WANTED, *no_folders):
                with suppress(OSError):  # there is something in it
                    folder.rmdir()
            raise

    def _put_back(self, before: Mapping[str, str | None], why: BaseException) -> None:
        """`before`: the units' texts; None: there was none. Raises ScheduleError."""
        try:
            for name, text in before.items():
                if text is not None:
                    _replace(self.folder / name, text)
                else:
                    (self.folder / name).unlink(missing_ok=True)
                    (self.folder / _WANTED / name).unlink(missing_ok=True)  # what `enable` makes
        except OSError as error:
            raise ScheduleError(
                f"{why} What was written before could not be taken back ({error.strerror or error}): look into "
                f"{self.folder}."
            ) from error

    def _try(self, word: str, *timers: str) -> None:
        """What the user's manager says is of no consequence: as a rule it is what failed."""
        if timers or word == "daemon-reload":
            with suppress(OSError):
                self.run(["systemctl", "--user", *word.split(), *timers], b"")

    def _delete(self, ours: Sequence[str]) -> None:
        for unit in ours:
            self._systemctl("disable", "--now", f"{unit}.timer")
            for kind in ("timer", "service"):
                try:
                    (self.folder / f"{unit}.{kind}").unlink(missing_ok=True)
                except OSError as error:
                    raise ScheduleError(
                        f"{self.folder / unit}.{kind} cannot be deleted: {error.strerror or error}."
                    ) from error
        self._systemctl("daemon-reload")

    # ---------------------------------------------------------------- the user's manager

    def _is_active(self, timer: str) -> bool:
        try:
            return self.run(["systemctl", "--user", "is-active", "--quiet", timer], b"").status == 0
        except OSError:
            return False

    def _systemctl(self, *words: str) -> None:
        shown = f"systemctl --user {' '.join(words)}"
        try:
            done = self.run(["systemctl", "--user", *words], b"")
        except OSError as error:
            raise ScheduleError(f"'{shown}' cannot be run: {error.strerror or error}.") from error
        if done.status:
            raise ScheduleError(
                f"'{shown}' failed ({done.complaint}). In a shell got by su or sudo there may be no user manager: log in, "
                "and do the same again."
            )


def _replace(path: Path, text: str) -> None:
    """Whole or not at all."""
    number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(number, "w", encoding="utf-8", errors="surrogateescape", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(number)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise


def timers_outlast_a_logout(user: str, lingering: Path = Path("/var/lib/systemd/linger")) -> bool | None:
    """Tell whether systemd keeps the timers of that user going while they are logged out. None: not known."""
    if user == "root" or not lingering.parent.is_dir():
        return None  # root's manager is kept by the system's own services, as a rule
    return (lingering / user).exists()

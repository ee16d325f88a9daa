"""The workers' schedule on a machine: what is to be started, and what a change of it would do."""

import posixpath
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from recours.core.errors import RunError
from recours.runs.worker import WORKERS, PODFetchWorker, PODRetryScheduler

# What an installed copy of recours, which has no scripts, calls its workers: `recours fetch`.
SUBCOMMANDS = {PODFetchWorker.name: "fetch", PODRetryScheduler.name: "retry"}
PYTHON = re.compile(r"(?:.*/)?python[\d.]*")


class ScheduleError(RunError):
    """The schedule cannot be read or changed. The text says why and what to do; nothing was changed."""


@dataclass(frozen=True)
class ScheduledJob:
    """A worker that is to be started regularly, with these options."""

    worker: str  # its name, as in runs.worker.WORKERS
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Checkout:
    """This installation and its home: a schedule's entry belongs to it if it starts a worker that works in that home."""

    root: str  # the home; absolute, as new entries name it
    home: str = "/"  # what a path that is not absolute begins at
    resolve: Callable[[str], str] = posixpath.normpath  # a folder's one true name, whatever links lead to it
    code: str = ""  # the absolute path of the checkout with the scripts; "": the home itself
    # What starts `recours` in an installed copy, by absolute paths; (): a checkout, with its scripts.
    program: Sequence[str] = ()
    python: str = ""  # what starts the scripts where the checkout has no .venv; "": it has one

    @property
    def names_home(self) -> bool:
        """Tell whether an entry must name the home, since the program that it starts would choose another one."""
        return bool(self.program or self.code)

    def command_line(self, job: ScheduledJob, python: str) -> list[str]:
        """The command line that starts a worker in the home."""
        if self.program:
            return [*self.program, SUBCOMMANDS[job.worker], *job.options]
        return [python, posixpath.join(self.code, "scripts", f"{job.worker}.py"), *job.options]

    def worker_started_by(
        self, command: Sequence[str], folder: str, recours_home: str
    ) -> tuple[str, int] | None:
        """The worker that a command starts in this home, and the position of its script; 0: `recours fetch` has none.

        None: it starts no worker, or one of another home. `folder`: the working directory. `recours_home`: the setting
        in the command, "" if it has none; then a script works in the checkout that it lies in.
        """
        for position, word in enumerate(command):
            scripts, _, name = self.place(word, folder).rpartition("/")
            worker = name.removesuffix(".py")
            root = self.place(recours_home or posixpath.dirname(scripts))
            is_script = worker in WORKERS and posixpath.basename(scripts) == "scripts"
            if is_script and self.is_home(root) and any(map(PYTHON.fullmatch, command[:position])):
                return worker, position
        is_module = list(command[1:3]) == ["-m", "recours"]
        is_recours = is_module or posixpath.basename("".join(command[:1])) == "recours"
        subcommand = "".join(command[3:4] if is_module else command[1:2])
        workers = [worker for worker, name in SUBCOMMANDS.items() if name == subcommand]
        if workers and is_recours and self.is_home(self.place(recours_home or folder)):
            return workers[0], 0
        return None

    def is_home(self, folder: str) -> bool:
        return self.resolve(folder) == self.resolve(self.root)

    def place(self, path: str, folder: str = "") -> str:
        """The absolute path; a relative one begins at `folder`, and that at the user's home folder."""
        return posixpath.join(self.home, self._expanded(folder), self._expanded(path))

    def _expanded(self, path: str) -> str:
        for sign in ("~/", "$HOME/", "${HOME}/"):
            if path.startswith(sign):
                return posixpath.join(self.home, path.removeprefix(sign))
        return path


@dataclass(frozen=True)
class Entry:
    """A line of a crontab that starts workers of this checkout."""

    workers: tuple[str, ...]
    text: str = ""
    plain: bool = True  # it does nothing beside
    number: int = 0  # of the line, from 0
    programs: tuple[str, ...] = ()  # and scripts: absolute paths, or names for cron to look up in its PATH
    problem: str = ""  # why it does not do what it should

    @property
    def remark(self) -> str:
        """What to know of it."""
        return self.problem or ("" if self.plain else "it does other things too")


@dataclass(frozen=True)
class ScheduleChange:
    """What a change would do. Nothing to do: no steps."""

    steps: Sequence[str] = ()  # for people, a line each: `- ` what goes, `+ ` what comes
    remarks: Sequence[str] = ()
    carry_out: Callable[[], None] = field(default=lambda: None, compare=False)  # raises ScheduleError

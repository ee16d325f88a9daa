"""The schedule of the workers on this machine, and changes to the schedule."""

import posixpath
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from recours.core.errors import RunError
from recours.runs.worker import WORKERS, PODFetchWorker, PODRetryScheduler

# The subcommands that start the workers. Installed copies use them, because they have no scripts.
SUBCOMMANDS = {PODFetchWorker.name: "fetch", PODRetryScheduler.name: "retry"}
PYTHON = re.compile(r"(?:.*/)?python[\d.]*")


class ScheduleError(RunError):
    """The schedule could not be read or changed. The message says why and what to do."""


@dataclass(frozen=True)
class ScheduledJob:
    """A worker that is started regularly with these options."""

    worker: str  # the worker's name in runs.worker.WORKERS
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Checkout:
    """This installation and its home. Schedule entries that start a worker in this home belong to it."""

    root: str  # the home of recours: an absolute path, as written in new entries
    home: str = "/"  # the user's home folder, where relative paths start
    # Resolves symbolic links, so that two paths of one folder compare as equal.
    resolve: Callable[[str], str] = posixpath.normpath
    code: str = ""  # the absolute path of the checkout with the scripts; empty if it is the home itself
    # The command of `recours` in an installed copy, with an absolute path; empty for a checkout with scripts.
    program: Sequence[str] = ()
    python: str = ""  # the Python for the scripts if the checkout has no .venv; empty if it has one

    @property
    def names_home(self) -> bool:
        """Return whether entries must set RECOURS_HOME, because otherwise their program would use another home."""
        return bool(self.program or self.code)

    def command_line(self, job: ScheduledJob, python: str) -> list[str]:
        """The command line that starts a worker in the home."""
        if self.program:
            return [*self.program, SUBCOMMANDS[job.worker], *job.options]
        return [python, posixpath.join(self.code, "scripts", f"{job.worker}.py"), *job.options]

    def worker_started_by(
        self, command: Sequence[str], folder: str, recours_home: str
    ) -> tuple[str, int] | None:
        """The worker that a command starts in this home, and the position of its script (0 without a script).

        None if the command starts no worker, or a worker with another home. `folder`: the working directory.
        `recours_home`: RECOURS_HOME in the command; if it is empty, a script uses its own checkout as home.
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
        """Make a path absolute. Relative paths start at `folder`, and a relative `folder` at the user's home folder."""
        return posixpath.join(self.home, self._expanded(folder), self._expanded(path))

    def _expanded(self, path: str) -> str:
        for prefix in ("~/", "$HOME/", "${HOME}/"):
            if path.startswith(prefix):
                return posixpath.join(self.home, path.removeprefix(prefix))
        return path


@dataclass(frozen=True)
class Entry:
    """A crontab line that starts workers of this checkout."""

    workers: tuple[str, ...]
    text: str = ""
    plain: bool = True  # whether the line starts one worker and runs nothing else
    number: int = 0  # line number, from 0
    # The programs and scripts in the line: absolute paths, or names that cron searches in its PATH.
    programs: tuple[str, ...] = ()
    problem: str = ""  # why the line does not work, if so

    @property
    def remark(self) -> str:
        """A note for the operator, or an empty text."""
        return self.problem or ("" if self.plain else "this line also runs other commands")


@dataclass(frozen=True)
class ScheduleChange:
    """A change to the schedule. Without steps, nothing needs to be changed."""

    steps: Sequence[str] = ()  # a diff for display: `- ` for removed lines, `+ ` for added lines
    remarks: Sequence[str] = ()
    carry_out: Callable[[], None] = field(default=lambda: None, compare=False)  # raises ScheduleError

"""The workers' schedule on a machine: what is to be started, and what a change of it would do."""

import posixpath
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from recours.core.errors import RunError
from recours.runs.fetch import PODFetchWorker
from recours.runs.retry import PODRetryScheduler
from recours.runs.workers import BOTH_WORKERS

WORKERS = {worker.name: worker for worker in BOTH_WORKERS}
# What an installed copy of recours, which has no scripts, calls its workers: `recours fetch`.
SUBCOMMANDS = {PODFetchWorker.name: "fetch", PODRetryScheduler.name: "retry"}


class ScheduleError(RunError):
    """The schedule cannot be read or changed. The text says why and what to do; nothing was changed."""


@dataclass(frozen=True)
class ScheduledJob:
    """A worker that is to be started regularly, with these options."""

    worker: str  # its name, as in WORKERS
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Checkout:
    """This installation's home: a schedule's entry belongs to it if it starts a worker there."""

    root: str  # absolute, as new entries name it
    home: str = "/"  # what a path that is not absolute begins at
    resolve: Callable[[str], str] = posixpath.normpath  # a folder's one true name, whatever links lead to it
    program: str = ""  # the absolute path of `recours` in an installed copy; "": a checkout, with its scripts

    def command_line(self, job: ScheduledJob, python: str) -> list[str]:
        """The command line that starts a worker in the home."""
        if self.program:
            return [self.program, SUBCOMMANDS[job.worker], *job.options]
        return [python, f"scripts/{job.worker}.py", *job.options]

    def worker_started_by(self, command: Sequence[str], folder: str) -> str | None:
        """The worker that `recours fetch` or `recours retry` starts there; None if it is another home's, or no worker."""
        named = [worker for worker, name in SUBCOMMANDS.items() if list(command[1:2]) == [name]]
        place = posixpath.join(self.home, self._expanded(folder))
        is_home = self.resolve(place) == self.resolve(self.root)
        is_ours = named and posixpath.basename(command[0]) == "recours" and is_home
        return named[0] if is_ours else None

    def worker_of(self, path: str, folder: str = "") -> str | None:
        """The worker whose script in this home this is; None if it is something else. A relative path begins at `folder`."""
        *_, name = path.split("/")
        if name.removesuffix(".py") not in WORKERS:
            return None
        script = posixpath.join(self.home, self._expanded(folder), self._expanded(path))
        own = posixpath.join(self.root, "scripts", name)
        return name.removesuffix(".py") if self.resolve(script) == self.resolve(own) else None

    def _expanded(self, path: str) -> str:
        for sign in ("~/", "$HOME/", "${HOME}/"):
            if path.startswith(sign):
                return posixpath.join(self.home, path.removeprefix(sign))
        return path


@dataclass(frozen=True)
class Entry:
    """What starts workers of this checkout today: a crontab's line, a task."""

    workers: tuple[str, ...]
    text: str
    plain: bool = True  # it does nothing beside
    problem: str = ""  # why it does not do what it should


@dataclass(frozen=True)
class ScheduleChange:
    """What a change would do. Nothing to do: no steps."""

    steps: Sequence[str] = ()  # for people, a line each: `- ` what goes, `+ ` what comes, `$ ` what is run
    remarks: Sequence[str] = ()
    carry_out: Callable[[], None] = field(default=lambda: None, compare=False)  # raises ScheduleError

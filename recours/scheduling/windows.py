"""Windows' Task Scheduler."""

import html
import ntpath
import os
import re
import sys
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from recours.core.text import clean
from recours.home import SETTING as HOME
from recours.operations.schedule import (
    SUBCOMMANDS,
    Checkout,
    Entry,
    ScheduleChange,
    ScheduledJob,
    ScheduleError,
)
from recours.runs.workers import WORKERS
from recours.scheduling.host import Done, Run, run

# ---------------------------------------------------------------- command lines and tasks as texts
# From the documentation of schtasks and of PowerShell's module ScheduledTasks; not tried on Windows.


NAMES = {"pod_fetch_worker": "PODFetchWorker", "pod_retry_scheduler": "PODRetryScheduler"}
_TIMES = {
    "pod_fetch_worker": "/sc minute /mo 30 /st 00:00",
    "pod_retry_scheduler": "/sc hourly /mo 1 /st 00:00",
}
_LONGEST_ACTION = 261  # of /tr, by schtasks
# An absolute path in a command line: between quotes, or without blanks.
_FILE = re.compile(
    r'(?<=")[A-Z]:\\[^"]+\.(?:exe|py)(?=")|(?<![^\s"])[A-Z]:\\[^\s"]+\.(?:exe|py)(?![^\s"])', re.IGNORECASE
)

# What schtasks cannot set: missed runs are made up for, on battery too, and while nobody is logged on. A task of a
# logon of the type S4U runs outside the desktop: so no console window opens, and no password is stored. ("Hidden"
# would hide the task in the list, not its window; pythonw.exe has no window either, but no stderr for the log.)
_SETTINGS = (
    "Set-ScheduledTask -TaskName '{name}' -ErrorAction Stop"
    " -Settings (New-ScheduledTaskSettingsSet -StartWhenAvailable -AllowStartIfOnBatteries -DontStopIfGoingOnBatteries)"
    " -Principal (New-ScheduledTaskPrincipal -LogonType S4U"
    " -UserId ([Security.Principal.WindowsIdentity]::GetCurrent().Name))"
)


def action(job: ScheduledJob, checkout: Checkout, python: str = "python") -> str:
    """What the task starts, as one command line. Raises ScheduleError."""
    script = ntpath.join(checkout.code or checkout.root, "scripts", f"{job.worker}.py")
    start = [*checkout.program, SUBCOMMANDS[job.worker]] if checkout.program else [python, script]
    line = " ".join(map(_quoted, (*start, *job.options)))
    if checkout.names_home:
        line = f'cmd /s /c "set {_home(checkout)}&& {line}"'
    if re.search(r"%[^%]+%", line):
        raise ScheduleError(
            f"The Task Scheduler would take the %…% in {line} for a variable: rename the folder."
        )
    return line


def _home(checkout: Checkout) -> str:
    """As cmd's `set` takes it. A task cannot be given an environment in any other way."""
    return f'"{HOME}={checkout.root}"'


def create(job: ScheduledJob, checkout: Checkout, python: str = "python", *, replace: bool = False) -> str:
    """The guide's schtasks line. Raises ScheduleError."""
    line = action(job, checkout, python)
    if len(line) > _LONGEST_ACTION:
        raise ScheduleError(
            f"schtasks takes at most {_LONGEST_ACTION} signs after /tr, this would be {len(line)}: use a folder with "
            "a shorter name, or fewer options."
        )
    escaped = re.sub(r'(\\*)"', r'\1\1\\"', line)
    force = " /f" if replace else ""
    return f'schtasks /create /tn "{NAMES[job.worker]}" /tr "{escaped}" {_TIMES[job.worker]}{force}'


def settings(worker: str) -> str:
    """The PowerShell line for the rest."""
    command = _SETTINGS.format(name=NAMES[worker])
    return f'powershell -NoProfile -NonInteractive -Command "{command}"'


def query(worker: str) -> str:
    """The line that asks for the task, in a form that is the same in every language."""
    return f'schtasks /query /tn "{NAMES[worker]}" /xml ONE'


def delete(worker: str) -> str:
    return f'schtasks /delete /tn "{NAMES[worker]}" /f'


def action_of(xml: str) -> str:
    """What the task in the answer to `query` starts."""
    return " ".join(part for part in (_content(xml, "Command"), _content(xml, "Arguments")) if part)


def starts(xml: str, job: ScheduledJob, checkout: Checkout, python: str) -> bool:
    """Tell whether that task starts just this. Windows may keep a program's name without its quotes."""
    return action_of(xml).replace('"', "") == action(job, checkout, python).replace('"', "")


def is_of(checkout: Checkout, xml: str, worker: str) -> bool:
    """Tell whether that task starts the worker in this home. Names are compared as Windows does."""
    command_line = action_of(xml)
    if f"{HOME}=" in command_line or checkout.names_home:
        return ntpath.normcase(_home(checkout)) in ntpath.normcase(command_line)
    script = ntpath.join(checkout.root, "scripts", f"{worker}.py")
    return ntpath.normcase(script) in ntpath.normcase(command_line)


def missing_files(xml: str, exists: Callable[[str], bool]) -> list[str]:
    """The programs and scripts that the task names and that are not there, for people."""
    command = _content(xml, "Command")  # which Windows may keep without its quotes
    command_line = action_of(xml) if '"' in command else f'"{command}" {_content(xml, "Arguments")}'
    return [
        f"it names {path}, which does not exist" for path in _FILE.findall(command_line) if not exists(path)
    ]


def faults_of_task(xml: str) -> list[str]:
    """The settings above that the task does not have, for people."""
    wanted = {
        "runs that were missed are not made up for": _content(xml, "StartWhenAvailable") == "true",
        "it does not start on battery": _content(xml, "DisallowStartIfOnBatteries") == "false",
        "it stops on battery": _content(xml, "StopIfGoingOnBatteries") == "false",
        "it runs only while you are logged on": _content(xml, "LogonType") not in ("", "InteractiveToken"),
        "it is disabled": not re.search(r"<Settings>.*<Enabled>false</Enabled>", xml, re.DOTALL),
    }
    return [setting for setting, met in wanted.items() if not met]


def _content(xml: str, tag: str) -> str:
    found = re.search(rf"<{tag}>(.*?)</{tag}>", xml, re.DOTALL)
    return html.unescape(found[1]).strip() if found else ""


def _quoted(word: str) -> str:
    if word and not re.search(r'[\s"&|<>()^]', word):  # most of them are cmd's
        return word
    # As the C library of the program takes it apart: backslashes before a quote are doubled.
    inner = re.sub(r'(\\*)"', r'\1\1\\"', word)
    return '"' + re.sub(r"(\\+)$", r"\1\1", inner) + '"'


# ---------------------------------------------------------------- the tasks of this machine


@dataclass(frozen=True)
class TaskScheduler:
    """Tasks, through `schtasks` and PowerShell. Not tried on Windows."""

    checkout: Checkout
    python: str = "python"
    run: Run = run
    exists: Callable[[str], bool] = os.path.exists
    name: str = "task-scheduler"
    title: str = "Task Scheduler"

    def entries(self) -> list[Entry]:
        return [
            Entry(
                (worker,),
                f"{NAMES[worker]}: {action_of(xml)}",
                problem="; ".join([*missing_files(xml, self.exists), *faults_of_task(xml)]),
            )
            for worker, xml in self._ours(WORKERS).items()
        ]

    def install(self, jobs: Sequence[ScheduledJob]) -> ScheduleChange:
        commands = []
        for job in jobs:
            xml = self._task(job.worker)
            if xml is not None and not is_of(self.checkout, xml, job.worker):
                raise ScheduleError(
                    f"The task {NAMES[job.worker]} starts something else ({clean(action_of(xml))}): delete "
                    f"it first, by {delete(job.worker)}. Nothing was changed."
                )
            same = xml is not None and starts(xml, job, self.checkout, self.python)
            if not same:
                commands.append(create(job, self.checkout, self.python, replace=xml is not None))
            if not same or faults_of_task(xml or ""):
                commands.append(settings(job.worker))
        return self._plan(commands)

    def remove(self, workers: Collection[str]) -> ScheduleChange:
        return self._plan([delete(worker) for worker in self._ours(workers)])

    def _ours(self, workers: Iterable[str]) -> dict[str, str]:
        """The tasks that start these workers of this checkout, as XML."""
        tasks = {worker: self._task(worker) for worker in workers}
        return {
            worker: xml
            for worker, xml in tasks.items()
            if xml is not None and is_of(self.checkout, xml, worker)
        }

    def _plan(self, commands: Sequence[str]) -> ScheduleChange:
        if not commands:
            return ScheduleChange()
        steps = [f"$ {command}" for command in commands]
        return ScheduleChange(steps, (), lambda: self._carry_out(commands))

    def _carry_out(self, commands: Sequence[str]) -> None:
        for command in commands:
            result = self._run(command)
            if result.status:
                raise ScheduleError(
                    f"This command failed: {command} ({result.complaint}). From a prompt that was opened as administrator, "
                    "do the same again."
                )

    def _task(self, worker: str) -> str | None:
        """The task as XML; None if there is none of that name."""
        done = self._run(query(worker))
        if done.status:
            return None
        if done.out.startswith((b"\xff\xfe", b"\xfe\xff")):
            return done.out.decode("utf-16", "replace")
        # In a pipe it is in the console's code page, whatever the XML says of itself.
        return done.out.decode("oem" if sys.platform == "win32" else "utf-8", "replace")

    def _run(self, command: str) -> Done:
        try:
            return self.run(command, b"")
        except OSError as error:
            raise ScheduleError(
                f"The Task Scheduler cannot be used ({error.strerror or error}): {command}"
            ) from error

"""Windows' Task Scheduler: the command lines that make a task for each worker, as texts.

From the documentation of schtasks and of PowerShell's module ScheduledTasks; not tried on Windows.
"""

import html
import ntpath
import re

from recours.operations.schedule import Checkout, Job, ScheduleError

NAMES = {"pod_fetch_worker": "PODFetchWorker", "pod_retry_scheduler": "PODRetryScheduler"}
_TIMES = {
    "pod_fetch_worker": "/sc minute /mo 30 /st 00:00",
    "pod_retry_scheduler": "/sc hourly /mo 1 /st 00:00",
}
_LONGEST_ACTION = 261  # of /tr, by schtasks

# What schtasks cannot set: missed runs are made up for, on battery too, and while nobody is logged on. A task of a
# logon of the type S4U runs outside the desktop: so no console window opens, and no password is stored. ("Hidden"
# would hide the task in the list, not its window; pythonw.exe has no window either, but no stderr for the log.)
_SETTINGS = (
    "Set-ScheduledTask -TaskName '{name}' -ErrorAction Stop"
    " -Settings (New-ScheduledTaskSettingsSet -StartWhenAvailable -AllowStartIfOnBatteries -DontStopIfGoingOnBatteries)"
    " -Principal (New-ScheduledTaskPrincipal -LogonType S4U"
    " -UserId ([Security.Principal.WindowsIdentity]::GetCurrent().Name))"
)


def action(job: Job, checkout: Checkout, python: str = "python") -> str:
    """What the task starts, as one command line. Raises ScheduleFault."""
    script = ntpath.join(checkout.root, "scripts", f"{job.worker}.py")
    line = " ".join(map(_quoted, (python, script, *job.options)))
    if re.search(r"%[^%]+%", line):
        raise ScheduleError(
            f"The Task Scheduler would take the %…% in {line} for a variable: rename the folder."
        )
    return line


def create(job: Job, checkout: Checkout, python: str = "python", *, replace: bool = False) -> str:
    """The guide's schtasks line. Raises ScheduleFault."""
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


def create_as(worker: str, path: str) -> str:
    """The line that makes the task what the XML in a file says, in the place of the one that is there."""
    return f'schtasks /create /tn "{NAMES[worker]}" /xml "{path}" /f'


def delete(worker: str) -> str:
    """The guide's line."""
    return f'schtasks /delete /tn "{NAMES[worker]}" /f'


def action_of(xml: str) -> str:
    """What the task in the answer to `query` starts."""
    return " ".join(part for part in (_content(xml, "Command"), _content(xml, "Arguments")) if part)


def starts(xml: str, job: Job, checkout: Checkout, python: str) -> bool:
    """Tell whether that task starts just this. Windows may keep a program's name without its quotes."""
    return action_of(xml).replace('"', "") == action(job, checkout, python).replace('"', "")


def is_of(checkout: Checkout, xml: str, worker: str) -> bool:
    """Tell whether that task starts the worker of this checkout. Names are compared as Windows does."""
    script = ntpath.join(checkout.root, "scripts", f"{worker}.py")
    return ntpath.normcase(script) in ntpath.normcase(action_of(xml))


def lacks(xml: str) -> list[str]:
    """The settings above that the task does not have, in words."""
    wanted = {
        "runs that were missed are not made up for": _content(xml, "StartWhenAvailable") == "true",
        "it does not start on battery": _content(xml, "DisallowStartIfOnBatteries") == "false",
        "it stops on battery": _content(xml, "StopIfGoingOnBatteries") == "false",
        "it runs only while you are logged on": _content(xml, "LogonType") not in ("", "InteractiveToken"),
        "it is disabled": not re.search(r"<Settings>.*<Enabled>false</Enabled>", xml, re.DOTALL),
    }
    return [words for words, met in wanted.items() if not met]


def _content(xml: str, tag: str) -> str:
    found = re.search(rf"<{tag}>(.*?)</{tag}>", xml, re.DOTALL)
    return html.unescape(found[1]).strip() if found else ""


def _quoted(word: str) -> str:
    if word and not re.search(r'[\s"]', word):
        return word
    # As the C library of the program takes it apart: backslashes before a quote are doubled.
    inner = re.sub(r'(\\*)"', r'\1\1\\"', word)
    return '"' + re.sub(r"(\\+)$", r"\1\1", inner) + '"'

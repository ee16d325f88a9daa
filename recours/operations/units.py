"""systemd's user timers for the workers, as texts: a service and a timer for each."""

import re
import shlex
from collections.abc import Mapping

from recours.core.text import clean
from recours.home import SETTING as HOME
from recours.operations.schedule import Checkout, Job, ScheduleError

_TIMES = {"pod_fetch_worker": "*-*-* *:00/30:00", "pod_retry_scheduler": "hourly"}
_WHAT = {
    "pod_fetch_worker": ("Fetch proofs of delivery of new claims", "every 30 minutes"),
    "pod_retry_scheduler": ("Retry failed proofs of delivery", "every hour"),
}


def unit_of(worker: str) -> str:
    """The name of a worker's units, without its ending."""
    return worker.replace("_", "-")


def units(job: Job, checkout: Checkout) -> Mapping[str, str]:
    """File names and texts of a job's units. Raises ScheduleFault if systemd could not be told the folder's name."""
    root = checkout.root
    if any(ord(c) < ord(" ") for c in root) or root != root.strip() or root.endswith("\\"):
        raise ScheduleError(
            f"The folder's name {clean(root)} has a control character in it, or a blank or backslash at its end, "
            "which a unit of systemd cannot hold: rename the folder."
        )
    what, often = _WHAT[job.worker]
    service = f"""\
[Unit]
Description={what}

[Service]
Type=oneshot
WorkingDirectory={_specifiers_undone(root)}
{_environment(checkout)}ExecStart={_command(job, checkout)}
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
    """The line that starts the worker."""
    found = re.search(r"^ExecStart=.*$", service, re.MULTILINE)
    return found[0] if found else ""


def _environment(checkout: Checkout) -> str:
    if not checkout.program:
        return ""
    return f"Environment={_specifiers_undone(_quoted(f'{HOME}={checkout.root}'))}\n"


def _command(job: Job, checkout: Checkout) -> str:
    words = checkout.words(job, f"{checkout.root}/.venv/bin/python")
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

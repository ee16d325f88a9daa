"""Programs of this machine, run and listened to."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from recours.core.text import clean

_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Done:
    """How a program ended, and what it said."""

    status: int
    out: bytes
    err: str

    @property
    def words(self) -> str:
        """What it had to complain of, in one line."""
        lines = (self.err or self.out.decode(errors="replace")).strip().splitlines()
        return clean("; ".join(lines) or f"exit status {self.status}")


# A command line as a list of words; on Windows, where programs split it themselves, as one text. Raises OSError.
Run = Callable[[Sequence[str] | str, bytes], Done]


def run(command: Sequence[str] | str, given: bytes = b"") -> Done:
    """Run a program that is found on the PATH, with `given` on its stdin. Its messages are English.

    Debian's `crontab -l` leaves out what it takes for its own header, unless told otherwise.
    """
    try:
        done = subprocess.run(  # noqa: S603 (no shell; the words are ours, what a person typed has been parsed)
            command,
            input=given,
            capture_output=True,
            check=False,
            timeout=_TIMEOUT_S,
            env=os.environ | {"LC_ALL": "C", "CRONTAB_NOHEADER": "N"},
        )
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(f"it did not end within {_TIMEOUT_S:.0f} s") from error
    return Done(done.returncode, done.stdout, done.stderr.decode(errors="replace"))


# ---------------------------------------------------------------- what reads crontabs and keeps timers going


# As the kernel names their processes: Debian's and Red Hat's, busybox's, and others'.
_CRONS = frozenset({"cron", "crond", "fcron", "dcron", "bcron-sched", "bcron-start"})
# systemd-cron has no process of its own: it makes a timer of each line.
_MADE_BY_SYSTEMD_CRON = "cron-*.timer"


def cron_runs(proc: Path = Path("/proc"), generated: Path = Path("/run/systemd/generator")) -> bool | None:
    """Tell whether a cron daemon is running. None: that cannot be known here, as where others' processes are hidden."""
    if sys.platform != "linux" or _name_of(proc / "1") is None:
        return None
    if any(_name_of(process) in _CRONS for process in proc.glob("[0-9]*")):
        return True
    return next(generated.glob(_MADE_BY_SYSTEMD_CRON), None) is not None


def timers_outlast_a_logout(user: str, lingering: Path = Path("/var/lib/systemd/linger")) -> bool | None:
    """Tell whether systemd keeps the timers of that user going while they are logged out. None: not known."""
    if user == "root" or not lingering.parent.is_dir():
        return None  # root's manager is kept by the system's own services, as a rule
    return (lingering / user).exists()


def _name_of(process: Path) -> str | None:
    """None if it ended meanwhile, or is hidden from this user."""
    try:
        return (process / "comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None

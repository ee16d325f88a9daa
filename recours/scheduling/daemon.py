"""Whether something on this machine reads crontabs and keeps timers going."""

import sys
from pathlib import Path

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

"""systemd's timers of this user: a service and a timer for each worker."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from recours.operations.schedule import WORKERS, Checkout, Entry, ScheduleChange, ScheduledJob
from recours.scheduling.host import Run, run
from recours.scheduling.user_units import LINGER, UserManager, command_of, is_of, place_and_command

_TIMES = {"pod_fetch_worker": "*-*-* *:00/30:00", "pod_retry_scheduler": "hourly"}
_WHAT = {
    "pod_fetch_worker": ("Fetch proofs of delivery of new claims", "every 30 minutes"),
    "pod_retry_scheduler": ("Retry failed proofs of delivery", "every hour"),
}
_NOT_RUNNING = "its timer is not running: systemctl --user enable --now {timer}"


def unit_of(worker: str) -> str:
    """The name of a worker's units, without its ending."""
    return worker.replace("_", "-")


def units(job: ScheduledJob, checkout: Checkout) -> Mapping[str, str]:
    """File names and texts of a job's units. Raises ScheduleError if no unit can name the folder."""
    what, often = _WHAT[job.worker]
    words = checkout.command_line(job, f"{checkout.root}/.venv/bin/python")
    service = f"""\
[Unit]
Description={what}

[Service]
Type=oneshot
{place_and_command(checkout, words)}\
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
            if self._manager.text(timer) is not None:
                problem = "" if self._manager.is_active(timer) else _NOT_RUNNING.format(timer=timer)
                found.append(Entry((worker,), f"{timer}: {command_of(service)}", problem=problem))
        return found

    def install(self, jobs: Sequence[ScheduledJob]) -> ScheduleChange:
        manager = self._manager
        files: dict[str, str] = {}
        for job in jobs:
            manager.require_ours(f"{unit_of(job.worker)}.service", self.checkout, "use the crontab")
            files |= units(job, self.checkout)
        changed = manager.changed(files)
        timers = [name for name in files if name.endswith(".timer")]
        if not changed and all(manager.is_active(timer) for timer in timers):
            return ScheduleChange()
        return ScheduleChange(
            manager.steps(changed, timers),
            (),
            (LINGER.format(what="timers go on"),),
            lambda: manager.write(changed, timers),
        )

    def remove(self, workers: Collection[str]) -> ScheduleChange:
        names = [unit_of(worker) for worker in self._ours(workers)]
        ours = {f"{name}.timer": (f"{name}.timer", f"{name}.service") for name in names}
        if not ours:
            return ScheduleChange()
        steps = [f"$ systemctl --user disable --now {timer}" for timer in ours]
        steps += [f"- {self.folder / name}" for files in ours.values() for name in files]
        return ScheduleChange(
            [*steps, "$ systemctl --user daemon-reload"], (), (), lambda: self._manager.delete(ours)
        )

    @property
    def _manager(self) -> UserManager:
        return UserManager(self.folder, self.run)

    def _ours(self, workers: Iterable[str]) -> dict[str, str]:
        """The services that start these workers of this checkout, as texts."""
        services = {worker: self._manager.text(f"{unit_of(worker)}.service") for worker in workers}
        return {
            worker: text
            for worker, text in services.items()
            if text is not None and is_of(self.checkout, text)
        }

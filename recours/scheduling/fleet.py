"""The fleet's worker on this machine: `recours worker` as a service of this user's systemd, which runs all the time."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from recours.operations.schedule import (
    FLEET,
    WORKERS,
    Checkout,
    Entry,
    ScheduleChange,
    ScheduledJob,
    ScheduleError,
)
from recours.scheduling.host import Run, run
from recours.scheduling.user_units import LINGER, UserManager, command_of, is_of, place_and_command

UNIT = "recours-worker.service"
# systemctl waits until the service is ready or has stopped, which has 5 minutes to finish its calls, see below.
_run_patiently = partial(run, timeout_s=400.0)
_NOT_RUNNING = f"its unit is not running: systemctl --user enable --now {UNIT}"
_FINISHES = "The worker finishes the calls under way first, which may take minutes."


def unit(job: ScheduledJob, checkout: Checkout) -> str:
    """The text of the service. Raises ScheduleError if no unit can name the folder.

    What would keep it from files (`ProtectSystem=`, `PrivateTmp=`) is not in it: in a user's unit that needs user
    namespaces, which many machines forbid, and documents may be stored anywhere.
    """
    return f"""\
[Unit]
Description=Fetch proofs of delivery all the time, as a worker of a fleet
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
{place_and_command(checkout, checkout.fleet_command(job.options))}\
# It comes back after any failure but settings that cannot be used (exit status 2): those a person must correct.
Restart=always
RestartSec=10s
RestartPreventExitStatus=2
WatchdogSec=2min
# It is ready when its database is: that one may be away when the machine starts, or be brought up to date for hours.
TimeoutStartSec=infinity
# Asked to stop, it finishes the calls under way and hands back the rest.
KillMode=mixed
KillSignal=SIGTERM
TimeoutStopSec=5min
SuccessExitStatus=143
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
SystemCallArchitectures=native

[Install]
WantedBy=default.target
"""


@dataclass(frozen=True)
class FleetUnit:
    """One service, which does the work of both workers; crontab or timers may go on beside it."""

    checkout: Checkout
    folder: Path  # ~/.config/systemd/user
    run: Run = _run_patiently
    name: str = FLEET
    title: str = "systemd user service"

    def entries(self) -> list[Entry]:
        text = self._text()
        if text is None:
            return []
        problem = "" if self._manager.is_active(UNIT) else _NOT_RUNNING
        return [Entry(tuple(WORKERS), f"{UNIT}: {command_of(text)}", problem=problem)]

    def install(self, jobs: Sequence[ScheduledJob]) -> ScheduleChange:
        (job,) = jobs
        manager = self._manager
        manager.require_ours(UNIT, self.checkout, "start 'recours worker' in another way")
        program = Path(self.checkout.fleet_command(())[0])
        if not program.exists():
            raise ScheduleError(
                f"{program} is missing, which the unit would start: install the project there first, by "
                f"{program.with_name('python')} -m pip install --no-deps -e {self.checkout.root}"
            )
        changed = manager.changed({UNIT: unit(job, self.checkout)})
        is_active = manager.is_active(UNIT)
        if not changed and is_active:
            return ScheduleChange()
        return ScheduleChange(
            manager.steps(changed, [UNIT]),
            (_FINISHES,) if is_active else (),
            (LINGER.format(what="worker goes on"),),
            lambda: manager.write(changed, [UNIT]),
        )

    def remove(self, workers: Collection[str]) -> ScheduleChange:
        """`workers`: both; the service cannot do the work of one alone."""
        del workers
        if self._text() is None:
            return ScheduleChange()
        steps = (
            f"$ systemctl --user disable --now {UNIT}",
            f"- {self.folder / UNIT}",
            "$ systemctl --user daemon-reload",
        )
        return ScheduleChange(steps, (_FINISHES,), (), lambda: self._manager.delete({UNIT: (UNIT,)}))

    @property
    def _manager(self) -> UserManager:
        return UserManager(self.folder, self.run)

    def _text(self) -> str | None:
        """The service of this checkout; None if there is none, or another checkout's."""
        text = self._manager.text(UNIT)
        return text if text is not None and is_of(self.checkout, text) else None

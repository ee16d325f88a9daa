"""A fleet's program with short times: `recours worker`, or the script that is named on the command line.

Leases of claims and quota last five seconds. The job queue detects a dead process in the same time, and its periodic
jobs run every few seconds. Everything else is the real program.
"""

import runpy
import sys
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import procrastinate.worker

from recours.carriers import account_gate
from recours.cli.main import main
from recours.fleet import procrastinate_queue
from recours.runs import engine, leasing

LEASE_S = 5.0
_EVERY = {"* * * * *": "* * * * * */2", "*/5 * * * *": "* * * * * */5"}  # the sixth field counts seconds
_SIGN_OF_LIFE_S = 1.0


class _Quick(procrastinate.App):
    def periodic(self, *, cron: str, **more: Any) -> Any:
        return super().periodic(cron=_EVERY[cron], **more)


def _replace(module: ModuleType, **values: Any) -> None:
    """Replace attributes of a module."""
    unknown = values.keys() - vars(module).keys()
    if unknown:
        raise AttributeError(f"{module.__name__} has no {', '.join(unknown)}")
    vars(module).update(values)


def shorten() -> None:
    lease = timedelta(seconds=LEASE_S)
    _replace(leasing, LEASE=lease)
    _replace(account_gate, _ATTEMPT_TIME=lease)
    _replace(engine, _RENEW_BELOW=lease / 2, _RENEW_EVERY_S=LEASE_S / 10)
    _replace(procrastinate_queue, _DEAD_S=LEASE_S)
    _replace(procrastinate_queue, App=_Quick)
    quick = partial(
        procrastinate.worker.Worker,
        update_heartbeat_interval=_SIGN_OF_LIFE_S,
        stalled_worker_timeout=LEASE_S,
    )
    _replace(procrastinate.worker, Worker=quick)


if __name__ == "__main__":
    shorten()
    if sys.argv[1] == "worker":
        main()
    else:
        script = Path(__file__).resolve().parents[2] / "scripts" / f"{sys.argv.pop(1)}.py"
        runpy.run_path(str(script), run_name="__main__")

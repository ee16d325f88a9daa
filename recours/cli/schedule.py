"""`recours schedule`: have this machine start both workers regularly, see whether it does, or have it stop."""

import os
import shlex
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from recours.cli.common import confirmed, home, report_faults, yes_option
from recours.cli.console import FAILED, echo
from recours.cli.workers import parse_options
from recours.core.text import clean
from recours.host.files import SETTING as SHARED_GROUP
from recours.host.home import CODE
from recours.host.installation import is_checkout, own_python, pasteable
from recours.runs.worker import WORKERS
from recours.scheduling.jobs import Checkout, ScheduleChange, ScheduledJob, ScheduleError
from recours.scheduling.systems import Crontab
from recours.settings.loading import has_password, load_one

_LONGEST_LINE = 2000
# Options with which a worker does nothing that belongs into a schedule.
_BY_HAND = {"dry_run": "--dry-run", "claims": "--claim"}


def checkout() -> Checkout:
    root = str(home())
    if is_checkout():
        own = CODE / own_python()
        return Checkout(
            root,
            str(Path.home()),
            os.path.realpath,
            code="" if os.path.realpath(root) == str(CODE) else str(CODE),
            python="" if own.exists() else sys.executable,
        )
    script = Path(sysconfig.get_path("scripts")) / "recours"
    program = [str(script)] if script.exists() else [sys.executable, "-m", "recours"]
    return Checkout(root, str(Path.home()), os.path.realpath, program=program)


def crontab() -> Crontab:
    """Raises ScheduleError on Windows."""
    if sys.platform == "win32":
        raise ScheduleError(
            "On Windows the Task Scheduler starts the workers: docs/schedule.md has the commands to paste."
        )
    return Crontab(checkout(), make_folder=_make_logs)


def _make_logs() -> None:
    """The log of each worker, which a person looks at before the first run; cron.log, which the shell would make readable by everybody."""
    root = home()
    access = load_one(SHARED_GROUP, root, os.environ)
    folder = load_one("RECOURS_LOG_DIR", root, os.environ)
    for log in (root / "logs" / "cron.log", *(folder / f"{worker}.log" for worker in WORKERS)):
        access.make_folder(log.parent)
        access.create(log)


@click.group("schedule")
def command() -> None:
    """Have the crontab of this user start both workers: the fetch worker every 30 minutes, the scheduler every hour."""


def _worker_options(name: str, worker: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """An option that takes options for a worker, taken apart as a shell would, and tried on the worker's command line."""

    def parsed(_context: click.Context, parameter: click.Parameter, text: str) -> tuple[str, ...]:
        try:
            arguments = shlex.split(text)
        except ValueError:
            raise click.BadParameter(f"a quote is not closed in {clean(text)}", param=parameter) from None
        try:
            options = parse_options(worker, arguments)
        except click.UsageError as error:
            raise click.BadParameter(
                f"{worker}.py says: {error.format_message()}", param=parameter
            ) from error
        for key, hint in _BY_HAND.items():
            if options.get(key):
                raise click.BadParameter(f"{hint} is for runs that are started by hand", param=parameter)
        if has_password(options.get("database_url") or ""):
            raise click.BadParameter(
                "a password would be seen by everybody on this machine: set DATABASE_URL in .env instead",
                param=parameter,
            )
        return tuple(arguments)

    text = f"Options for {worker}.py, in one piece (--batch-size 50, in quotes)."
    return click.option(name, metavar="TEXT", default="", callback=parsed, help=text)


@command.command("show")
def show() -> None:
    """Show what starts the workers of this checkout. Changes nothing."""
    with report_faults():
        entries = crontab().entries()
    missing = [worker for worker in WORKERS if not any(worker in entry.workers for entry in entries)]
    for entry in entries:
        remark = f"  ({entry.remark})" if entry.remark else ""
        click.echo(f"crontab: {clean(entry.text, _LONGEST_LINE)}{remark}")  # whole, to be copied
    for worker in missing:
        echo(pasteable(f"crontab: nothing starts {worker}. Run: recours schedule install"))


@command.command("install")
@_worker_options("--scheduler-options", "pod_retry_scheduler")
@_worker_options("--worker-options", "pod_fetch_worker")
@yes_option
def install(scheduler_options: tuple[str, ...], worker_options: tuple[str, ...], yes: bool) -> None:
    """Start both workers of this checkout regularly.

    The entries replace older ones of this checkout.
    """
    options = {"pod_retry_scheduler": scheduler_options, "pod_fetch_worker": worker_options}
    jobs = [ScheduledJob(worker, options[worker]) for worker in WORKERS]
    with report_faults():
        _carry_out(crontab().install(jobs), "Installed already: nothing to do.", yes=yes)


@command.command("remove")
@yes_option
def remove(yes: bool) -> None:
    """Remove what starts the workers of this checkout.

    Everything else stays.
    """
    with report_faults():
        change = crontab().remove(list(WORKERS))
        _carry_out(change, "Nothing of this checkout is installed there.", yes=yes)


def _carry_out(change: ScheduleChange, if_unchanged: str, *, yes: bool) -> None:
    """Show the change, ask, do it. `if_unchanged`: what to say if there is nothing to do."""
    if change.steps:
        echo("crontab of this user:")
    for step in change.steps:
        click.echo(f"  {step}")  # whole, to be copied
    for remark in change.remarks:
        echo(f"  {remark}")
    if change.steps:
        if not confirmed("Do that?", yes=yes):
            raise SystemExit(FAILED)
        change.carry_out()
    echo("Done." if change.steps else if_unchanged)

"""`recours schedule`: have this machine start both workers regularly, see whether it does, or have it stop."""

import os
import shlex
import shutil
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from recours.cli.console import FAILED
from recours.cli.operations import confirmed, home, json_option, report_faults, tell_json, yes_option
from recours.cli.workers import parse_options
from recours.core.text import clean
from recours.home import CODE
from recours.installation import is_checkout, own_python, pasteable
from recours.operations.schedule import Checkout, ScheduleChange, ScheduledJob
from recours.runs.workers import WORKERS
from recours.scheduling.crontab import Crontab
from recours.scheduling.windows import TaskScheduler
from recours.settings.loading import access_of, has_password
from recours.settings.sources import process_environment

# What starts programs regularly on a machine.
System = Crontab | TaskScheduler

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
    script = Path(sysconfig.get_path("scripts")) / ("recours.exe" if sys.platform == "win32" else "recours")
    program = [str(script)] if script.exists() else [sys.executable, "-m", "recours"]
    return Checkout(root, str(Path.home()), os.path.realpath, program=program)


def this_system() -> System:
    """What starts programs regularly here: the Task Scheduler on Windows, else the crontab. Raises ScheduleError."""
    return _task_scheduler() if sys.platform == "win32" else Crontab(checkout(), make_folder=_make_logs)


def _make_logs() -> None:
    """The folder of cron.log, and the file, which the shell would make readable by everybody."""
    root = home()
    access, log = access_of(root, process_environment()), root / "logs" / "cron.log"
    access.make_folder(log.parent)
    access.create(log)


def _task_scheduler() -> System:
    found = shutil.which("python")
    # The Store's python.exe is a stand-in that only a logged-on user can start.
    usable = found is not None and "WindowsApps" not in found
    own = checkout()
    return TaskScheduler(own, own.python or ("python" if usable else str(CODE / own_python())))


# ---------------------------------------------------------------- commands


@click.group("schedule")
def command() -> None:
    """Have this machine start both workers regularly: the fetch worker every 30 minutes, the scheduler every hour.

    By the crontab of this user, or by the Task Scheduler of Windows.
    """


def _worker_options(name: str, worker: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """An option that takes options for a worker, taken apart as a shell would, and tried on the worker's command line."""

    def parsed(_context: click.Context, parameter: click.Parameter, text: str) -> tuple[str, ...]:
        try:
            given = shlex.split(text)
        except ValueError:
            raise click.BadParameter(f"a quote is not closed in {clean(text)}", param=parameter) from None
        try:
            options = parse_options(worker, given)
        except click.UsageError as error:
            raise click.BadParameter(
                f"{worker}.py says: {error.format_message()}", param=parameter
            ) from error
        for key, shown in _BY_HAND.items():
            if options.get(key):
                raise click.BadParameter(f"{shown} is for runs that are started by hand", param=parameter)
        if has_password(options.get("database_url") or ""):
            raise click.BadParameter(
                "a password would be seen by everybody on this machine: set DATABASE_URL in .env instead",
                param=parameter,
            )
        return tuple(given)

    text = f'Options for {worker}.py, in one piece: "--batch-size 50".'
    return click.option(name, metavar="TEXT", default="", callback=parsed, help=text)


@command.command("show")
@json_option
def show(as_json: bool) -> None:
    """Show what starts the workers of this checkout. Changes nothing."""
    with report_faults():
        system = this_system()
        entries = system.entries()
    missing = [worker for worker in WORKERS if not any(worker in entry.workers for entry in entries)]
    if as_json:
        rows = [
            {
                "system": system.name,
                "workers": list(entry.workers),
                "text": clean(entry.text, _LONGEST_LINE),
                "problem": entry.remark or None,
            }
            for entry in entries
        ]
        tell_json({"entries": rows, "missing": missing})
        return
    for entry in entries:
        remark = f"  ({entry.remark})" if entry.remark else ""
        click.echo(f"{system.name}: {clean(entry.text, _LONGEST_LINE)}{remark}")
    for worker in missing:
        click.echo(pasteable(f"{system.title}: nothing starts {worker}. Run: recours schedule install"))


@command.command("install")
@_worker_options("--scheduler-options", "pod_retry_scheduler")
@_worker_options("--worker-options", "pod_fetch_worker")
@yes_option
@json_option
def install(
    scheduler_options: tuple[str, ...], worker_options: tuple[str, ...], yes: bool, as_json: bool
) -> None:
    """Have both workers of this checkout started regularly, with these options, in the place of older entries."""
    options = {"pod_retry_scheduler": scheduler_options, "pod_fetch_worker": worker_options}
    jobs = [ScheduledJob(worker, options[worker]) for worker in WORKERS]
    with report_faults():
        system = this_system()
        nothing = "Installed already: nothing to do."
        _carry_out(system.install(jobs), system, nothing, yes=yes, as_json=as_json)


@command.command("remove")
@yes_option
@json_option
def remove(yes: bool, as_json: bool) -> None:
    """Take away what starts the workers of this checkout. Everything else stays."""
    with report_faults():
        system = this_system()
        change = system.remove(list(WORKERS))
        nothing = "Nothing of this checkout is installed there."
        _carry_out(change, system, nothing, yes=yes, as_json=as_json)


def _carry_out(change: ScheduleChange, system: System, nothing: str, *, yes: bool, as_json: bool) -> None:
    """Show the change, ask, do it. `nothing`: what to say if there is nothing to do."""
    if change.steps and not as_json:
        click.echo(f"{system.title} of this user:")
    for line in () if as_json else (*change.steps, *change.remarks):
        click.echo(f"  {line}")
    if change.steps:
        if not confirmed("Do that?", yes=yes):
            click.echo("Nothing was changed.")
            raise SystemExit(FAILED)
        change.carry_out()
    if as_json:
        tell_json({"system": system.name, "changed": bool(change.steps), "steps": list(change.steps)})
        return
    click.echo("Done." if change.steps else nothing)

"""`recours schedule`: shows, installs and removes the cron jobs that start both workers."""

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
# Options for manual runs. A schedule must not contain them.
_MANUAL_OPTIONS = {"dry_run": "--dry-run", "claims": "--claim"}


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
    """The user's crontab. Raises ScheduleError on Windows."""
    if sys.platform == "win32":
        raise ScheduleError(
            "On Windows, use the Task Scheduler to start the workers; docs/schedule.md has the commands to paste."
        )
    return Crontab(checkout(), make_folder=_make_logs)


def _make_logs() -> None:
    """Create the workers' logs before the first run, and cron.log, so that cron does not create it world-readable."""
    root = home()
    access = load_one(SHARED_GROUP, root, os.environ)
    folder = load_one("RECOURS_LOG_DIR", root, os.environ)
    for log in (root / "logs" / "cron.log", *(folder / f"{worker}.log" for worker in WORKERS)):
        access.make_folder(log.parent)
        access.create(log)


@click.group("schedule")
def command() -> None:
    """Start both workers from this user's crontab: the fetch worker every 30 minutes, the scheduler every hour."""


def _worker_options(name: str, worker: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """An option for a worker's own options. Its value is split as a shell would split it, and validated."""

    def parsed(_context: click.Context, parameter: click.Parameter, text: str) -> tuple[str, ...]:
        try:
            arguments = shlex.split(text)
        except ValueError:
            raise click.BadParameter(
                f"missing closing quotation mark in {clean(text)}.", param=parameter
            ) from None
        try:
            options = parse_options(worker, arguments)
        except click.UsageError as error:
            raise click.BadParameter(
                f"{worker}.py does not accept these options: {error.format_message()}", param=parameter
            ) from error
        for key, hint in _MANUAL_OPTIONS.items():
            if options.get(key):
                raise click.BadParameter(f"{hint} only works in manual runs.", param=parameter)
        if has_password(options.get("database_url") or ""):
            raise click.BadParameter(
                "every user of this machine could see the password. Set DATABASE_URL in .env instead.",
                param=parameter,
            )
        return tuple(arguments)

    text = f"Pass these options to {worker}.py, in one quoted argument, such as '--batch-size 50'."
    return click.option(name, metavar="TEXT", default="", callback=parsed, help=text)


@command.command("show")
def show() -> None:
    """Show the crontab lines that start the workers of this checkout."""
    with report_faults():
        entries = crontab().entries()
    missing = [worker for worker in WORKERS if not any(worker in entry.workers for entry in entries)]
    for entry in entries:
        remark = f"  ({entry.remark})" if entry.remark else ""
        click.echo(f"crontab: {clean(entry.text, _LONGEST_LINE)}{remark}")  # not wrapped, so it can be copied
    for worker in missing:
        echo(pasteable(f"crontab: no line starts {worker}. Run: recours schedule install"))


@command.command("install")
@_worker_options("--scheduler-options", "pod_retry_scheduler")
@_worker_options("--worker-options", "pod_fetch_worker")
@yes_option
def install(scheduler_options: tuple[str, ...], worker_options: tuple[str, ...], yes: bool) -> None:
    """Install crontab lines that start both workers. They replace existing lines of this checkout."""
    options = {"pod_retry_scheduler": scheduler_options, "pod_fetch_worker": worker_options}
    jobs = [ScheduledJob(worker, options[worker]) for worker in WORKERS]
    with report_faults():
        _carry_out(crontab().install(jobs), "Already installed; nothing to do.", yes=yes)


@command.command("remove")
@yes_option
def remove(yes: bool) -> None:
    """Remove the crontab lines that start the workers of this checkout. All other lines stay."""
    with report_faults():
        change = crontab().remove(list(WORKERS))
        _carry_out(change, "The crontab has no lines of this checkout; nothing to do.", yes=yes)


def _carry_out(change: ScheduleChange, if_unchanged: str, *, yes: bool) -> None:
    """Show the change, ask for confirmation, and apply it. `if_unchanged` is printed if there is nothing to do."""
    if change.steps:
        echo("Changes to this user's crontab:")
    for step in change.steps:
        click.echo(f"  {step}")  # not wrapped, so it can be copied
    for remark in change.remarks:
        echo(f"  {remark}")
    if change.steps:
        if not confirmed("Apply these changes?", yes=yes):
            raise SystemExit(FAILED)
        change.carry_out()
    echo("Done." if change.steps else if_unchanged)

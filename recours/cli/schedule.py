"""`recours schedule`: have this machine start both workers regularly or all the time, see whether it does, or have it stop."""

import os
import shlex
import shutil
import sys
import sysconfig
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from recours.cli.console import FAILED, USAGE, say_error
from recours.cli.operations import (
    confirmed,
    home,
    json_option,
    report_faults,
    settings_for,
    tell_json,
    yes_option,
)
from recours.cli.workers import parse_options
from recours.core.text import clean
from recours.fleet import extra
from recours.home import CODE, is_checkout
from recours.installation import pasteable
from recours.operations.schedule import (
    FLEET,
    FLEET_SUBCOMMAND,
    WORKERS,
    Checkout,
    ScheduleChange,
    ScheduledJob,
    ScheduleError,
    System,
)
from recours.scheduling.crontab import Crontab
from recours.scheduling.fleet import FleetUnit
from recours.scheduling.systemd import SystemdTimers
from recours.scheduling.windows import TaskScheduler
from recours.settings.loading import access_of, has_password
from recours.settings.sources import process_environment

_LONGEST_LINE = 2000
# Options with which a worker does nothing that belongs into a schedule.
_BY_HAND = {"dry_run": "--dry-run", "claims": "--claim"}
_EXAMPLES = {FLEET: "--concurrency 8"}


def checkout() -> Checkout:
    program = "" if is_checkout() else str(Path(sysconfig.get_path("scripts")) / "recours")
    return Checkout(str(home()), str(Path.home()), os.path.realpath, program)


def crontab() -> System:
    return Crontab(checkout(), make_folder=_make_logs)


def _make_logs() -> Callable[[], None]:
    """The folder of cron.log, and the file, which the shell would make readable by everybody; returns what undoes that."""
    root = home()
    access, log = access_of(root, process_environment()), root / "logs" / "cron.log"
    made = [path for path in (log, log.parent) if not path.exists()]
    access.make_folder(log.parent)
    access.create(log)

    def undo() -> None:
        if log in made:
            log.unlink(missing_ok=True)
        if log.parent in made:
            log.parent.rmdir()

    return undo


def systemd() -> System:
    return SystemdTimers(checkout(), _user_units())


def fleet() -> System:
    return FleetUnit(checkout(), _user_units())


def _user_units() -> Path:
    settings = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return settings / "systemd" / "user"


def task_scheduler() -> System:
    if not is_checkout():
        raise ScheduleError(
            "On Windows, 'recours schedule' works in a checkout only. Create two tasks that run 'recours fetch' every 30 "
            "minutes and 'recours retry' every hour, with the folder of 'recours init-db' to start in."
        )
    found = shutil.which("python")
    # The Store's python.exe is a stand-in that only a logged-on user can start.
    usable = found is not None and "WindowsApps" not in found
    own = str(CODE / ".venv" / "Scripts" / "python.exe")
    return TaskScheduler(checkout(), "python" if usable else own)


SYSTEMS: dict[str, Callable[[], System]] = {
    "crontab": crontab,
    "systemd": systemd,
    FLEET: fleet,
    "task-scheduler": task_scheduler,
}


def present() -> list[str]:
    """Names of the systems that this machine has; the one that is used if nobody says otherwise comes first."""
    if sys.platform == "win32":
        return ["task-scheduler"]
    programs = {"crontab": "crontab", "systemd": "systemctl", FLEET: "systemctl"}
    return [name for name, program in programs.items() if shutil.which(program)] or ["crontab"]


# ---------------------------------------------------------------- commands


@click.group("schedule")
def command() -> None:
    """Have this machine start both workers regularly: the fetch worker every 30 minutes, the scheduler every hour.

    Or keep one worker of a fleet running, which does the work of both: --system fleet.
    """


_system_option = click.option(
    "--system",
    type=click.Choice(list(SYSTEMS)),
    help="Which scheduler; default: the Task Scheduler on Windows, else the crontab, else systemd's timers. "
    "'fleet' keeps 'recours worker' running, as a service of systemd.",
)
_only_option = click.option(
    "--only", type=click.Choice(list(WORKERS)), help="This worker alone; the other one's entry stays."
)


def _worker_options(name: str, worker: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """An option that takes options for a worker, taken apart as a shell would, and tried on the worker's command line."""
    typed_as = f"recours {FLEET_SUBCOMMAND}" if worker == FLEET else f"{worker}.py"

    def parsed(_context: click.Context, parameter: click.Parameter, text: str) -> tuple[str, ...]:
        try:
            given = shlex.split(text)
        except ValueError:
            raise click.BadParameter(f"a quote is not closed in {clean(text)}", param=parameter) from None
        try:
            options = _parse_fleet_options(given) if worker == FLEET else parse_options(worker, given)
        except click.UsageError as error:
            raise click.BadParameter(f"{typed_as} says: {error.format_message()}", param=parameter) from error
        for key, shown in _BY_HAND.items():
            if options.get(key):
                raise click.BadParameter(f"{shown} is for runs that are started by hand", param=parameter)
        if has_password(options.get("database_url") or ""):
            raise click.BadParameter(
                "a password would be seen by everybody on this machine: set DATABASE_URL in .env instead",
                param=parameter,
            )
        return tuple(given)

    text = f'Options for {typed_as}, in one piece: "{_EXAMPLES.get(worker, "--batch-size 50")}".'
    return click.option(name, metavar="TEXT", default="", callback=parsed, help=text)


def _parse_fleet_options(arguments: list[str]) -> Mapping[str, Any]:
    """What the command line of `recours worker` makes of these arguments. Raises click.UsageError."""
    from recours.cli.main import subcommand  # noqa: PLC0415 (which loads this module itself)

    if not arguments:
        return {}
    if asked := {"--help", "-h", "--version"} & set(arguments):
        raise click.UsageError(f"{min(asked)} only prints something and ends.")
    return subcommand(FLEET_SUBCOMMAND).make_context(FLEET_SUBCOMMAND, list(arguments)).params


@command.command("show")
@_system_option
@json_option
def show(system: str | None, as_json: bool) -> None:
    """Show what starts the workers of this checkout. Changes nothing."""
    with report_faults():
        names = [system] if system else present()
        found = [(name, entry) for name in names for entry in SYSTEMS[name]().entries()]
    missing = [worker for worker in WORKERS if not any(worker in entry.workers for _, entry in found)]
    if as_json:
        entries = [
            {
                "system": name,
                "workers": list(entry.workers),
                "text": clean(entry.text, _LONGEST_LINE),
                "problem": entry.problem or None,
            }
            for name, entry in found
        ]
        tell_json({"entries": entries, "missing": missing})
        return
    for name, entry in found:
        problem = f"  ({entry.problem})" if entry.problem else ""
        click.echo(f"{name}: {clean(entry.text, _LONGEST_LINE)}{problem}")
    for worker in missing:
        click.echo(pasteable(f"Nothing starts {worker}. Run: recours schedule install"))


@command.command("install")
@_worker_options("--scheduler-options", "pod_retry_scheduler")
@_worker_options("--worker-options", "pod_fetch_worker")
@_worker_options("--fleet-options", FLEET)
@_only_option
@_system_option
@yes_option
@json_option
def install(
    scheduler_options: tuple[str, ...],
    worker_options: tuple[str, ...],
    fleet_options: tuple[str, ...],
    only: str | None,
    system: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Have both workers of this checkout started regularly, with these options, in the place of older entries."""
    options = {
        "pod_retry_scheduler": scheduler_options,
        "pod_fetch_worker": worker_options,
        FLEET: fleet_options,
    }
    jobs = _jobs(system, only, options)
    with report_faults():
        if system == FLEET:
            _require_fleet(fleet_options)
        chosen = SYSTEMS[system or present()[0]]()
        nothing = "Installed already: nothing to do."
        _carry_out(chosen.install(jobs), chosen, nothing, yes=yes, as_json=as_json)


def _jobs(system: str | None, only: str | None, options: Mapping[str, tuple[str, ...]]) -> list[ScheduledJob]:
    """What is to be installed. Raises click.UsageError for options of a worker that is not."""
    is_fleet = system == FLEET
    if is_fleet:
        _refuse_only(only)
    names = [FLEET] if is_fleet else [worker for worker in WORKERS if only in (None, worker)]
    others = [name for name, given in options.items() if given and name not in names]
    if is_fleet and others:
        raise click.UsageError("A fleet's worker does the work of both: use --fleet-options alone.")
    if FLEET in others:
        raise click.UsageError(f"--fleet-options is for --system {FLEET}.")
    if others:
        raise click.UsageError(f"With --only {only}, there can be no options for the other worker.")
    return [ScheduledJob(name, options[name]) for name in names]


@command.command("remove")
@_only_option
@_system_option
@yes_option
@json_option
def remove(only: str | None, system: str | None, yes: bool, as_json: bool) -> None:
    """Take away what starts the workers of this checkout. Everything else stays."""
    if system == FLEET:
        _refuse_only(only)
    with report_faults():
        chosen = SYSTEMS[system or present()[0]]()
        change, nothing = (
            chosen.remove([only] if only else list(WORKERS)),
            "Nothing of this checkout is installed there.",
        )
        _carry_out(change, chosen, nothing, yes=yes, as_json=as_json)


def _refuse_only(only: str | None) -> None:
    if only:
        raise click.UsageError("--only is for the two workers: a fleet's worker does the work of both.")


def _require_fleet(options: tuple[str, ...]) -> None:
    """End the process with status 2 where no worker with these options could run."""
    settings = settings_for(_parse_fleet_options(list(options)).get("database_url"))
    problem = extra.problem()
    if settings.database_url.get_backend_name() == "sqlite":
        sentence = (
            f"A fleet needs PostgreSQL, and the database is the SQLite file {settings.database_url.database}. Set "
            "DATABASE_URL in .env and run 'recours init-db --fleet'; or stay with SQLite and have the workers started "
            "regularly: recours schedule install"
        )
    elif problem:
        sentence = f"A fleet needs the extra 'fleet': {problem}. To install it: {extra.remedy()}"
    elif not shutil.which("systemctl"):
        sentence = (
            f"--system {FLEET} makes a service of systemd, which this machine does not have. Keep 'recours worker' "
            "running in another way, for example in a container (deploy/compose.fleet.yaml)."
        )
    else:
        return
    say_error(sentence)
    raise SystemExit(USAGE)


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
    for line in change.afterwards:
        click.echo(line)
    for name in present():  # another scheduler of this machine would start the workers too
        try:
            others = name != system.name and SYSTEMS[name]().entries()
        except ScheduleError:  # it is not the one that was asked for
            continue
        if others:
            both = ", which may go on beside the fleet. To end that" if FLEET in (name, system.name) else ""
            remove = pasteable(f"recours schedule remove --system {name}")
            click.echo(f"{name} starts workers of this checkout too{both}: {remove}")

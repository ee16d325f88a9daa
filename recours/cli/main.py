"""The command `recours` and its subcommands."""

from recours import __version__, launch

launch.require_packages()  # before any import: after an update, a package may be missing from .venv

from importlib import import_module  # noqa: E402 (see above)
from typing import Any  # noqa: E402

import click  # noqa: E402

from recours.cli.console import USAGE, make_tolerant, report_losses, say_usage_error  # noqa: E402

# The name of each subcommand, its module, and its line in --help. A module is loaded only when its command is typed.
# A command with the module's name is `command` in the module; other commands are `<name>_command`.
_COMMANDS = {
    "accounts": ("accounts", "Manage clients' own accounts with carriers."),
    "attach": ("documents", "Attach a proof to a claim, such as one from a carrier's portal."),
    "backup": ("database", "Back up the database and its documents; runs may continue."),
    "carriers": ("carriers", "Show the carriers with their credentials and quotas, or test an account."),
    "check": ("check", "Check everything that the workers depend on, and say how to fix each problem."),
    "correct": ("documents", "Correct a claim's tracking number or carrier."),
    "dashboard": (
        "dashboard",
        "Serve the dashboard, which shows the system's state, every claim and its proof.",
    ),
    "demo": ("demo", "Simulate five days of the scheduler with made-up claims and carriers."),
    "detach": ("documents", "Remove a proof from a claim; the file is kept as refused."),
    "dossier": ("dossier", "Create a ZIP file with all evidence of a claim's delivery, for a mediator."),
    "enroll": ("enroll", "Enroll claims, so that recours fetches their proofs."),
    "erase": ("erase", "Erase everything kept about claims, or about a client, on request (GDPR)."),
    "exclude": ("enroll", "Exclude claims from processing, with a reason."),
    "export": ("export", "Export claims for spreadsheets, accountants and other programs."),
    "fetch": ("workers", "Fetch the PODs of new claims, like scripts/pod_fetch_worker.py."),
    "init-db": ("database", "Create the configured database, or bring its schema up to date."),
    "mail": ("mail", "Release held emails, test the mail server, or preview an email."),
    "pause": ("carriers", "Pause a carrier for all runs on all machines."),
    "plan": ("plan", "Forecast the next attempts, the use of quotas, and which claims will be late."),
    "prune": ("documents", "Delete documents, signatories and attempts past their retention period."),
    "reopen": ("enroll", "Restart claims that recours gave up on."),
    "restore": ("database", "Restore a backup, or only verify it."),
    "resume": ("carriers", "Resume a paused carrier."),
    "retry": ("workers", "Retry failed POD fetches, like scripts/pod_retry_scheduler.py."),
    "sandbox": ("demo", "Run simulated carriers on this machine, for testing."),
    "schedule": ("schedule", "Show, install or remove the cron jobs that start both workers."),
    "status": ("status", "Show problems, recent runs, success rates and backlogs."),
    "uninstall": ("database", "Remove what recours added to the database."),
    "verify": ("documents", "Verify that no document, and no record of its origin, was changed."),
    "why": ("status", "Explain why a claim is waiting, what happens next, and what you can do."),
    "worker": ("worker", "Run a long-lived worker that fetches claims as they arrive (PostgreSQL only)."),
}


def subcommand(typed: str) -> click.Command:
    """The subcommand with this name. Raises KeyError."""
    module = _COMMANDS[typed][0]
    name = typed.replace("-", "_")
    attribute = "command" if name == module else f"{name}_command"
    command: click.Command = getattr(import_module(f"recours.cli.{module}"), attribute)
    return command


class _Group(click.Group):
    """Loads each subcommand on demand."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        return subcommand(cmd_name) if cmd_name in _COMMANDS else None

    def invoke(self, ctx: click.Context) -> Any:
        """Report a subcommand's usage error like any other error."""
        try:
            return super().invoke(ctx)
        except click.exceptions.NoArgsIsHelpError:
            raise
        except click.UsageError as error:
            say_usage_error(error)
            raise SystemExit(USAGE) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands in --help without loading their modules."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in sorted(_COMMANDS.items())])


@click.command(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="recours", message="%(prog)s %(version)s")
def recours() -> None:
    """Fetch proofs of delivery for parcel claims."""


def main(arguments: list[str] | None = None) -> Any:
    make_tolerant()
    with report_losses():
        return recours.main(arguments, prog_name="recours")

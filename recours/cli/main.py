"""`recours`: everything a person may type beside the two workers."""

from recours import __version__, launch

launch.require_packages()  # before any of them is imported: after an update, a .venv may be without one

from importlib import import_module  # noqa: E402 (see above)
from typing import Any  # noqa: E402

import click  # noqa: E402

from recours.cli.console import USAGE, make_tolerant, report_losses, say_usage_error  # noqa: E402

# Name of the subcommand, the module that has it, and its line in --help. Modules are loaded when their command is typed:
# the one that a module is named after is `command` there, others are `<name>_command`.
_COMMANDS = {
    "accounts": ("accounts", "Clients' own accounts at carriers: add, list, check, limit, import, remove."),
    "attach": ("documents", "Give a claim a proof that you have, such as one from a carrier's portal."),
    "backup": ("database", "Copy the database and its documents to a folder, while runs go on."),
    "carriers": (
        "carriers",
        "The carriers, their credentials and quotas; 'carriers check' tries an account.",
    ),
    "check": ("check", "Check everything that runs depend on; for each fault, say what to do."),
    "correct": ("documents", "Correct a claim's tracking number or its carrier."),
    "dashboard": ("dashboard", "A page in the browser: how the system is doing, every claim and its proof."),
    "demo": ("demo", "Five simulated days of the scheduler on made-up claims, with every carrier simulated."),
    "detach": ("documents", "Take a claim's proof back: it is kept as refused."),
    "dossier": ("dossier", "Make one ZIP with all that proves a claim's delivery, for a mediator."),
    "enroll": ("enroll", "Have recours work on claims that nobody has enrolled yet, or that were excluded."),
    "erase": ("erase", "Erase all that is kept of claims, or of a client, on request (GDPR)."),
    "exclude": ("enroll", "Take claims out of all work, with the reason."),
    "export": ("export", "Write claims to a file for spreadsheets, accountants and programs."),
    "fetch": ("workers", "Fetch the PODs of new claims, as scripts/pod_fetch_worker.py does."),
    "init-db": ("database", "Create or bring up to date the database that the settings name."),
    "mail": ("mail", "Mails: release held ones, try the mail server, see how a mail looks."),
    "pause": ("carriers", "Stop a carrier for all runs and machines, until 'resume' or a time."),
    "plan": ("plan", "When claims will be tried, whether quotas are enough, which claims will be late."),
    "prune": ("documents", "Delete documents, signatories and attempts past their keeping time."),
    "reopen": ("enroll", "Retry given-up claims from the start."),
    "restore": ("database", "Verify a backup, or put it back."),
    "resume": ("carriers", "Resume a carrier that 'pause' stopped."),
    "retry": ("workers", "Retry failed POD fetches, as scripts/pod_retry_scheduler.py does."),
    "sandbox": ("demo", "Serve simulated carriers on this machine, for trials."),
    "schedule": ("schedule", "Have this machine start both workers regularly: show, install, remove."),
    "status": ("status", "Whether runs are happening, success rates, backlog, quotas."),
    "uninstall": ("database", "Drop from the database what recours added to it."),
    "verify": ("documents", "Verify that nobody changed a document, or the record of where it came from."),
    "worker": ("worker", "A long-lived worker on PostgreSQL, which fetches claims as they come."),
    "why": ("status", "Why a claim waits, what comes next, and what a person could do."),
}


def subcommand(typed: str) -> click.Command:
    """The subcommand that is typed so. Raises KeyError."""
    module = _COMMANDS[typed][0]
    name = typed.replace("-", "_")
    attribute = "command" if name == module else f"{name}_command"
    command: click.Command = getattr(import_module(f"recours.cli.{module}"), attribute)
    return command


class _Group(click.Group):
    """Loads a subcommand when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        return subcommand(cmd_name) if cmd_name in _COMMANDS else None

    def invoke(self, ctx: click.Context) -> Any:
        """Report a wrong command line of a subcommand like any other error."""
        try:
            return super().invoke(ctx)
        except click.exceptions.NoArgsIsHelpError:
            raise
        except click.UsageError as error:
            say_usage_error(error)
            raise SystemExit(USAGE) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of --help, without loading any of them."""
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

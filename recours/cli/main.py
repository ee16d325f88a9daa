"""`recours`: everything a person may type beside the two workers."""

from recours import __version__, launch

launch.require_packages()  # before any of them is imported: after an update, a .venv may be without one

from importlib import import_module  # noqa: E402 (see above)
from typing import Any  # noqa: E402

import click  # noqa: E402

from recours.cli.console import losses_told, make_tolerant  # noqa: E402

# Name of the subcommand and its line in --help. Modules are loaded when their command is typed.
_COMMANDS = {
    "backup": "Copy the database and its documents to a folder, while runs go on.",
    "carriers": "The carriers, their credentials and quotas; 'carriers check NAME' tries an account.",
    "check": "Look at everything that runs depend on: each ok, or what to do.",
    "dashboard": "A page in the browser: how the system does, every claim, its proof, and a button to fetch it now.",
    "demo": "Five simulated days of the scheduler on made-up claims and ten simulated carriers.",
    "enroll": "Have recours work on claims that nobody has enrolled yet, or that were excluded.",
    "exclude": "Take claims out of all work, with the reason.",
    "fetch": "Fetch the PODs of new claims: the worker of every 30 minutes (scripts/pod_fetch_worker.py).",
    "export": "Claims or attempts as CSV or JSON.",
    "init-db": "Create or bring up to date the database that the settings name.",
    "mail": "Mails: release what the brake holds, try the mail server, see how a mail looks.",
    "pause": "Stop a carrier for all runs and machines, until 'resume'.",
    "plan": "Which claims will be tried when, when each backlog is empty, which pass their deadline.",
    "prune": "Delete documents, signatories and attempts past their keeping time.",
    "reopen": "Have claims that gave up start afresh.",
    "restore": "Verify a backup, or put it back.",
    "resume": "Take a carrier up again that 'pause' stopped.",
    "retry": "Retry failed POD fetches: the worker of every hour (scripts/pod_retry_scheduler.py).",
    "sandbox": "Serve simulated carriers on this machine, for trials.",
    "schedule": "Have this machine start both workers regularly: show, install, remove.",
    "status": "Whether the runs go on, success rates, what waits, quotas.",
    "why": "Why a claim waits, what comes next, and what a person could do.",
}


# Subcommands that share the module of another; each is a function NAME_command there.
_SHARED = {
    "backup": "database",
    "exclude": "enroll",
    "fetch": "workers",
    "init_db": "database",
    "pause": "carriers",
    "reopen": "enroll",
    "restore": "database",
    "resume": "carriers",
    "retry": "workers",
    "sandbox": "demo",
    "why": "status",
}


class _Group(click.Group):
    """Loads a subcommand when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        name = cmd_name.replace("-", "_")
        module = import_module(f"recours.cli.{_SHARED.get(name, name)}")
        command: click.Command = getattr(module, f"{name}_command" if name in _SHARED else "command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of --help, without loading any of them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(sorted(_COMMANDS.items()))


@click.command(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="recours", message="%(prog)s %(version)s")
def recours() -> None:
    """Fetch proofs of delivery for parcel claims."""


def main(arguments: list[str] | None = None) -> Any:
    make_tolerant()
    with losses_told():
        return recours.main(arguments, prog_name="recours")

"""`recours erase`: all that is kept of claims, or of a client, is erased on request."""

from functools import partial

import click

from recours.cli.common import confirmed, database_option, dry_run_option, say, with_actions, yes_option


@click.command("erase")
@click.argument("references", metavar="[CLAIM]...", nargs=-1)
@click.option(
    "--client",
    metavar="ADDRESS",
    help="All claims of this client, the mails to it and its accounts at carriers.",
)
@click.option("--deleted", is_flag=True, help="What is left of claims that the service has deleted.")
@dry_run_option("Show how much would be erased; change nothing.")
@yes_option
@database_option
def command(
    references: tuple[str, ...],
    client: str | None,
    deleted: bool,
    dry_run: bool,
    yes: bool,
    database_url: str | None,
) -> None:
    """Erase all that is kept of claims: documents, who signed, attempts, history and the text of mails.

    It stays on record that a claim was erased, when and by whom; no run and no person works on it again. A mail about several
    claims loses all its text. Claims that are in use are left: repeat the command.

    It shows how much it will erase and asks first; only a backup brings it back. Backups, logs, exported files and the
    service's own tables are yours to clean.
    """
    if [bool(references), client is not None, deleted].count(True) != 1:
        raise click.UsageError("Name claims, or give --client or --deleted; one of them.")
    with with_actions(database_url) as actions:
        erase = partial(actions.erase, references, client=client, deleted=deleted)
        say(*erase(dry_run=True))
        if not dry_run and confirmed("Erase it for good?", yes=yes, refused="Nothing was erased."):
            say(*erase())

"""`recours erase`: erases everything kept about claims, or about a client, on request."""

from functools import partial

import click

from recours.cli.common import confirmed, database_option, dry_run_option, say, with_actions, yes_option


@click.command("erase")
@click.argument("references", metavar="[CLAIM]...", nargs=-1)
@click.option(
    "--client",
    metavar="ADDRESS",
    help="Erase all claims of this client, emails to the client, and the client's accounts with carriers.",
)
@click.option(
    "--deleted", is_flag=True, help="Erase what is left of claims that the claims service has deleted."
)
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
    """Erase everything kept about claims: documents, signatories, attempts, history and the text of emails.

    recours records that a claim was erased, when and by whom, and never works on the claim again. If an email is about
    several claims, its whole text is erased. Claims that are in use are skipped; repeat the command for them.

    The command shows how much it will erase and asks for confirmation. Erased data can only be restored from a backup. You
    must remove the data from backups, logs, exported files and the claims service's own tables yourself.
    """
    if [bool(references), client is not None, deleted].count(True) != 1:
        raise click.UsageError("Give exactly one of these: claims, --client, --deleted.")
    with with_actions(database_url) as actions:
        erase = partial(actions.erase, references, client=client, deleted=deleted)
        outlook = erase(dry_run=True)
        say(*outlook)
        is_needed = not (dry_run or outlook[0].is_already_done)
        if is_needed and confirmed("Erase permanently?", yes=yes, refused="Nothing was erased."):
            say(*erase())

"""`recours dossier`: one ZIP with all that proves a claim's delivery."""

from pathlib import Path

import click

from recours.admin.dossier import file_name
from recours.cli.common import database_option, with_actions, write_new_file
from recours.cli.console import echo, harmless
from recours.core.translations import LANGUAGES


@click.command("dossier")
@click.argument("reference", metavar="CLAIM")
@click.option(
    "-o", "output", type=click.Path(path_type=Path), metavar="FILE", help="Write the ZIP to this new file."
)
@click.option(
    "--language",
    type=click.Choice(LANGUAGES),
    help="The language of the cover page [default: RECOURS_LANGUAGE].",
)
@database_option
def command(reference: str, output: Path | None, language: str | None, database_url: str | None) -> None:
    """Make one ZIP with all that proves a claim's delivery.

    It is for a mediator, a marketplace or an insurer, who can read it without recours: a cover page (PDF) says who received
    the parcel, when and where, and what the documents show for this kind of dispute and what they do not. With it come the
    documents as the carrier sent them, their SHA-256, and the timestamp that covers them, if there is one.
    """
    with with_actions(database_url) as actions:
        content = actions.dossier(reference, language or actions.app.settings.mail.language)
        path = output or Path(file_name(reference))
        write_new_file([content], path)
    echo(harmless(f"Wrote {path} ({len(content) / 1024:.0f} KB)."))

"""`recours dossier`: a ZIP file with all evidence of a claim's delivery."""

from pathlib import Path

import click

from recours.admin.dossier import file_name
from recours.cli.common import database_option, with_actions, write_new_file
from recours.cli.console import echo, harmless
from recours.core.translations import LANGUAGES


@click.command("dossier")
@click.argument("reference", metavar="CLAIM")
@click.option(
    "-o",
    "output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write to this new file; by default the name contains the claim's reference.",
)
@click.option(
    "--language",
    type=click.Choice(LANGUAGES),
    help="Write the cover page in this language; default: RECOURS_LANGUAGE.",
)
@database_option
def command(reference: str, output: Path | None, language: str | None, database_url: str | None) -> None:
    """Create a ZIP file with all evidence of a claim's delivery.

    A mediator, a marketplace or an insurer can read the file without recours. The cover page (PDF) states who received the
    parcel, when and where, and what the documents do and do not prove in this kind of dispute. The file also contains the
    documents as the carrier sent them, their SHA-256, and the timestamp that covers them, if there is one.
    """
    with with_actions(database_url) as actions:
        content = actions.dossier(reference, language or actions.app.settings.mail.language)
        path = output or Path(file_name(reference))
        write_new_file([content], path)
    echo(harmless(f"Wrote {path} ({len(content) / 1024:.0f} KB)."))

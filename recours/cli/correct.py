"""`recours correct`: a claim's tracking number or carrier, corrected by a person."""

import click

from recours.cli.acting import say, with_actions
from recours.cli.operations import database_option, json_option, tell_json


@click.command("correct")
@click.argument("reference", metavar="CLAIM")
@click.option("--number", metavar="NUMBER", help="The right tracking number.")
@click.option("--carrier", metavar="NAME", help="The right carrier, by any of its names.")
@database_option
@json_option
def command(
    reference: str, number: str | None, carrier: str | None, database_url: str | None, *, as_json: bool
) -> None:
    """Correct a claim's tracking number or its carrier: the next run starts over with it.

    The claim's row is written as the service would write it. It is refused for a number that cannot be the carrier's, while
    a run is fetching the claim, and once its proof is there.
    """
    if number is None and carrier is None:
        raise click.UsageError("Give --number or --carrier, or both.")
    with with_actions(database_url) as actions:
        result = actions.correct(reference, number=number, carrier=carrier)
        if as_json:
            tell_json(result.facts)
        else:
            say(result)

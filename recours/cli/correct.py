"""`recours correct`: a claim's tracking number or carrier, corrected by a person."""

import click

from recours.cli.console import say_warning
from recours.cli.operations import database_option, json_option, person, tell_json, with_operations
from recours.wiring.actions import correct_claim


@click.command("correct")
@click.argument("reference", metavar="CLAIM")
@click.option("--number", metavar="NUMBER", help="The right tracking number.")
@click.option("--carrier", metavar="NAME", help="The right carrier, by any of its names.")
@database_option
@json_option
def command(
    reference: str, number: str | None, carrier: str | None, database_url: str | None, *, as_json: bool
) -> None:
    """Correct a claim's tracking number or its carrier: the next run starts afresh with it.

    The claim's row is written as the service would write it. It is refused for a number that cannot be the carrier's, while
    a run is fetching the claim, and once its proof is there.
    """
    if number is None and carrier is None:
        raise click.UsageError("Give --number or --carrier, or both.")
    with with_operations(database_url) as operations:
        claim, correction = correct_claim(operations, reference, number, carrier, person())
    if as_json:
        facts = {"claim": claim.reference, "tracking_number": claim.number, "carrier": claim.carrier_name}
        tell_json(facts | {"doubtful": correction.doubtful})
        return
    click.echo(
        f"{claim.reference}: {claim.carrier_name or 'no carrier'}, tracking number {claim.number or 'missing'}; the next "
        "run starts afresh with it."
    )
    if correction.doubtful:
        say_warning(f"The check digit of {claim.number} does not fit: is it mistyped?")

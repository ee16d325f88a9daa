"""`recours resume`: a carrier that a person stopped is taken up again."""

import click

from recours.cli.console import harmless
from recours.cli.operations import carrier_argument, database_option, json_option, tell_json, with_operations
from recours.core.carrier import CarrierSpec
from recours.logs import local
from recours.runs.summary import format_minute


@click.command("resume")
@carrier_argument
@database_option
@json_option
def command(spec: CarrierSpec, database_url: str | None, as_json: bool) -> None:
    """Take CARRIER up again: the next run calls it, within its quotas."""
    with with_operations(database_url) as operations:
        queue = operations.queue()
        ended = queue.take_up(spec.key)
        refusal = queue.would_refuse(spec.key)
    if as_json:
        tell_json(
            {
                "carrier": spec.key,
                "was_paused": ended is not None,
                "paused_at": ended.at.isoformat() if ended else None,
                "why": ended.why if ended else None,
                "closed": refusal.reason if refusal else None,
            }
        )
        return
    if ended is None:
        click.echo(f"{spec.name} was not paused; nothing was changed.")
    else:
        click.echo(f"{spec.name} is taken up again; it was paused since {format_minute(ended.at, local)}.")
    if refusal:  # something else than a person keeps it closed
        until = f", until {format_minute(refusal.until, local)}" if refusal.until else ""
        click.echo(f"It takes no call yet: {harmless(refusal.reason)}{until}.")

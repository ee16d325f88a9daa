"""`recours pause`: a person stops a carrier for all runs and machines, until `recours resume`."""

import click

from recours.carriers.queue import stop_words
from recours.cli.operations import (
    carrier_argument,
    database_option,
    json_option,
    person,
    tell_json,
    with_operations,
)
from recours.core.carrier import CarrierSpec
from recours.core.text import clean
from recours.logs import local

_LONGEST_REASON = 200


@click.command("pause")
@carrier_argument
@click.option("--why", metavar="TEXT", default="", help="Why, for those who read the log.")
@database_option
@json_option
def command(spec: CarrierSpec, why: str, database_url: str | None, as_json: bool) -> None:
    """Stop CARRIER for all runs on all machines, until 'recours resume'.

    It is not called any more: a run that is under way finishes the calls that it has begun or holds units for. Its
    claims stay due, no attempt is used, and no mail is sent.
    """
    who = f"by {person()}"
    with with_operations(database_url) as operations:
        queue = operations.queue()
        before = queue.stopped(spec.key)
        stop = queue.stop(spec.key, f"{who}: {words}" if (words := clean(why, _LONGEST_REASON)) else who)
        others = [
            operations.catalog.name_of(key)
            for key in operations.catalog.keys_of(spec.name)
            if key != spec.key
        ]
    if as_json:
        told = {"carrier": spec.key, "paused_at": stop.at.isoformat(), "why": stop.why}
        tell_json(told | {"was_paused": before is not None})
        return
    click.echo(f"{stop_words(spec, stop, local)}.")
    if before:
        click.echo("It was paused already; the reason is the new one.")
    for name in others:
        click.echo(
            f"Claims of {spec.name} that are asked of {name} go on: pause {name} too if you mean them."
        )

"""`recours carriers`: what each carrier's account, quota and state are, and `check` one; `pause` and `resume` a carrier."""

import uuid
from collections.abc import Iterator
from random import random

import click

from recours.carriers.queue import APIRequestQueue, stop_message
from recours.carriers.registry import CATALOG
from recours.cli.console import FAILED, USAGE, harmless, say_error
from recours.cli.operations import (
    database_option,
    json_option,
    known_carrier,
    person,
    report_faults,
    settings_for,
    shown,
    tell_json,
    with_operations,
)
from recours.core.carrier import CarrierSpec
from recours.core.claim import tidy_number
from recours.core.errors import REFUSED_KINDS, ErrorKind
from recours.core.outcome import Failure, Outcome
from recours.core.pauses import Refusal
from recours.core.text import clean, format_until
from recours.database.schema.inspection import look
from recours.logs import local
from recours.operations.records import iso
from recours.runs.attempt import malformed
from recours.runs.summary import named_usage, purpose, worth_showing
from recours.settings.model import Settings
from recours.wiring.carriers import catalog_of, make_queue
from recours.wiring.databases import clock_of, connect, is_to_be_made, open_database

# What a carrier that accepts the account answers about its sample number.
_EXPECTED = frozenset({ErrorKind.NOT_FOUND, ErrorKind.INVALID_TRACKING, ErrorKind.POD_NOT_AVAILABLE_YET,
                       ErrorKind.POD_NEVER_AVAILABLE, ErrorKind.NOT_DELIVERED_YET})  # fmt: skip


@click.group("carriers", invoke_without_command=True)
@database_option
@click.pass_context
def command(context: click.Context, database_url: str | None) -> None:
    """Show the carriers: credentials, quotas with their use, pauses. Calls nobody."""
    context.obj = settings_for(database_url)
    if context.invoked_subcommand is None:
        _show(context.obj)


def _show(settings: Settings) -> None:
    with report_faults():
        rows = list(_rows(settings))
    head = ("Carrier", "Credentials", "Calls")
    widths = [max(len(row[column]) for row in (head, *(row for row, _ in rows))) for column in (0, 1)]
    for row, notes in [(head, []), *rows]:
        click.echo(f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]}".rstrip())
        for note in notes:
            click.echo(f"{'':<{widths[0]}}  {harmless(note)}")
    catalog = catalog_of(settings)
    for substitute in catalog.substitutes:  # whose account serves whose claims, where that is not its own
        if substitute.served_by in catalog.keys_of(catalog.specs[substitute.claimed].name):
            claimed, served_by = catalog.name_of(substitute.claimed), catalog.name_of(substitute.served_by)
            which = f" with a {served_by} number" if substitute.numbers else ""
            click.echo(f"{claimed} claims{which} use the {served_by} account.")


def _rows(settings: Settings) -> Iterator[tuple[tuple[str, str, str], list[str]]]:
    """A row of three columns for each carrier, and lines below it. Raises DatabaseError."""
    queue = _queue_to_look_at(settings)
    for key, spec in sorted(CATALOG.specs.items(), key=lambda item: item[1].name.casefold()):
        credentials = settings.credentials[key]
        source = "missing" if credentials.missing else credentials.source
        uses = queue.usage(key) if queue else []
        limits = [named_usage(use, local) for use in worth_showing(uses)] or [
            f"{purpose(limit)}{limit}" for limit in settings.limits[key]
        ]
        if credentials.missing:
            stop = queue.stopped(key) if queue else None
            notes = [f"set {credentials.missing}", *([stop_message(spec, stop, local)] if stop else [])]
        else:
            refusal = queue.would_refuse(key) if queue else None
            notes = [_refusal_text(refusal)] if refusal else []
        yield (spec.name, source, "; ".join(limits)), notes


def _queue_to_look_at(settings: Settings) -> APIRequestQueue | None:
    """The queue, to be read from; None where no run has made its tables yet."""
    if is_to_be_made(settings):
        return None
    database = connect(settings)
    click.get_current_context().call_on_close(database.close)
    if not look(database).is_current:
        return None
    return make_queue(settings, database, settings.policy, clock_of(database), random, "look")


def _refusal_text(refusal: Refusal) -> str:
    until = f"; not asked before {shown(refusal.until)}" if refusal.until else ""
    return f"{refusal.reason}{until}"


@command.command("check")
@click.argument("spec", metavar="NAME", callback=known_carrier)
@click.option("--tracking", metavar="NUMBER", help="A number of yours, instead of the sample number.")
@click.pass_obj
def check(settings: Settings, spec: CarrierSpec, tracking: str | None) -> None:
    """Try a carrier's credentials with one real call, and lift the pause that a refusal had left."""
    number = tidy_number(tracking) if tracking is not None else None
    if tracking is not None and (fault := malformed(number or "", spec)):
        raise click.UsageError(fault.message)
    if missing := settings.credentials[spec.key].missing:
        say_error(
            f"{spec.name} has no credentials: set {missing} in the environment, in .env or in the secrets file."
        )
        raise SystemExit(USAGE)
    with report_faults():
        opened = open_database(settings)
        queue = make_queue(settings, opened.database, settings.policy, opened.clock, random, uuid.uuid4().hex)
        try:
            before = queue.would_refuse(spec.key)
            result = queue.check_credentials(spec.key, number)
        finally:
            queue.leave()
            opened.database.close()
    if isinstance(result, Refusal):
        say_error(f"Not tried: {_refusal_text(result)}.")
        raise SystemExit(FAILED)
    if not _accepts(settings, spec, number, result.outcome):
        raise SystemExit(FAILED)
    click.echo(f"{spec.name} accepts the credentials from {settings.credentials[spec.key].source}.")
    if before and before.kind in REFUSED_KINDS:
        click.echo("The pause that a refusal had left is lifted.")
    if number is not None:
        click.echo(f"{number}: {_parcel_text(result.outcome)}")


def _accepts(settings: Settings, spec: CarrierSpec, number: str | None, outcome: Outcome) -> bool:
    """Tell whether the carrier accepts the credentials; if not, say why."""
    if not isinstance(outcome, Failure) or outcome.kind in _EXPECTED:
        return True
    credentials, message = settings.credentials[spec.key], harmless(outcome.message).rstrip(".")
    if outcome.kind is ErrorKind.AUTH_FAILED:
        say_error(f"{message}. Correct {' and '.join(credentials.values)} there.")
    elif outcome.kind is ErrorKind.ACCOUNT_DENIED:
        say_error(
            f"{message}. {spec.name} knows the account and denies it a right. Ask {spec.name} for it, then try "
            f'again: recours carriers check "{spec.name}"'
        )
    elif outcome.kind is ErrorKind.ACCESS_DENIED:
        click.echo(
            f"{spec.name} knows the credentials from {credentials.source}, and denies access: {message}."
        )
        if number is None:
            click.echo(
                "For a sample number this may be its usual answer: try --tracking with a number of yours."
            )
    else:
        say_error(f"The credentials from {credentials.source} could not be tried: {message}.")
    return False


def _parcel_text(outcome: Outcome) -> str:
    if isinstance(outcome, Failure):
        text = harmless(outcome.message).rstrip(".")
    else:
        text = f"its document is there, {len(outcome.content)} bytes (not stored)"
    if delivery := outcome.delivery:
        text += f"; delivered {shown(delivery.at) if delivery.at else delivery.day or ''}".rstrip()
        text += f", signed by {delivery.signatory}" if delivery.signatory else ""
    return text


# ---------------------------------------------------------------- pause and resume


_LONGEST_REASON = 200


@click.command("pause")
@click.argument("spec", metavar="CARRIER", callback=known_carrier)
@click.option("--why", metavar="TEXT", default="", help="Why, for those who read the log.")
@database_option
@json_option
def pause_command(spec: CarrierSpec, why: str, database_url: str | None, as_json: bool) -> None:
    """Stop CARRIER for all runs on all machines, until 'recours resume'.

    It is not called any more: a run that is under way finishes the calls that it has begun or holds units for. Its
    claims stay due, no attempt is used, and no mail is sent.
    """
    who = f"by {person()}"
    with with_operations(database_url) as operations:
        queue = operations.queue()
        before = queue.stopped(spec.key)
        stop = queue.stop(spec.key, f"{who}: {reason}" if (reason := clean(why, _LONGEST_REASON)) else who)
        catalog = operations.catalog
        others = [catalog.name_of(key) for key in catalog.keys_of(spec.name) if key != spec.key]
    if as_json:
        facts = {"carrier": spec.key, "paused_at": stop.at.isoformat(), "why": stop.why}
        tell_json(facts | {"was_paused": before is not None})
        return
    click.echo(f"{stop_message(spec, stop, local)}.")
    if before:
        click.echo("It was paused already; the reason is the new one.")
    for name in others:
        click.echo(
            f"Claims of {spec.name} that are asked of {name} go on: pause {name} too if you mean them."
        )


@click.command("resume")
@click.argument("spec", metavar="CARRIER", callback=known_carrier)
@database_option
@json_option
def resume_command(spec: CarrierSpec, database_url: str | None, as_json: bool) -> None:
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
                "paused_at": iso(ended.at) if ended else None,
                "why": ended.why if ended else None,
                "closed": refusal.reason if refusal else None,
            }
        )
        return
    if ended is None:
        click.echo(f"{spec.name} was not paused; nothing was changed.")
    else:
        click.echo(f"{spec.name} resumed (paused since {shown(ended.at)}).")
    if refusal:  # something else than a person keeps it closed
        reason = harmless(refusal.reason)
        click.echo(f"It takes no call yet: {reason}{format_until(refusal.until, local)}.")

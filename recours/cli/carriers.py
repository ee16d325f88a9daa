"""`recours carriers`: what each carrier's account, quota and state are, and `check` one; `pause` and `resume` a carrier."""

import uuid
from collections.abc import Iterator
from random import random

import click

from recours.carriers.queue import APIRequestQueue, stop_words
from recours.carriers.registry import CATALOG
from recours.cli.console import harmless, say_error
from recours.cli.operations import (
    carrier_argument,
    database_option,
    json_option,
    person,
    settings_for,
    tell_json,
    with_operations,
)
from recours.core.carrier import CarrierSpec, Catalog
from recours.core.claim import Delivery, tidy_number
from recours.core.errors import REFUSED_KINDS, ErrorKind, RunError
from recours.core.outcome import Failure, Outcome
from recours.core.text import clean, format_minute
from recours.database.schema.inspection import look
from recours.logs import local
from recours.runs.attempt import malformed
from recours.runs.ports import Refusal
from recours.runs.summary import named_usage, purpose, worth_telling
from recours.settings.model import Settings
from recours.wiring.carriers import catalog_of, make_queue
from recours.wiring.databases import clock_of, connect, is_to_be_made, open_database

_FAILED, _USAGE = 1, 2

# What a carrier that accepts our account answers about its sample number.
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


# ---------------------------------------------------------------- the table


def _show(settings: Settings) -> None:
    try:
        rows = list(_rows(settings))
    except RunError as fault:
        say_error(str(fault))
        raise SystemExit(_FAILED) from fault
    head = ("Carrier", "Credentials", "Calls")
    widths = [max(len(row[column]) for row in (head, *(row for row, _ in rows))) for column in (0, 1)]
    for row, notes in [(head, []), *rows]:
        click.echo(f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]}".rstrip())
        for note in notes:
            click.echo(f"{'':<{widths[0]}}  {harmless(note)}")
    for line in _routes(catalog_of(settings)):
        click.echo(line)


def _rows(settings: Settings) -> Iterator[tuple[tuple[str, str, str], list[str]]]:
    """A row of three columns for each carrier, and lines below it. Raises DatabaseError."""
    queue = _queue_to_look_at(settings)
    for key, spec in sorted(CATALOG.specs.items(), key=lambda item: item[1].name.casefold()):
        credentials = settings.credentials[key]
        source = "missing" if credentials.missing else credentials.source
        uses = queue.usage(key) if queue else []
        told = [named_usage(use, local) for use in worth_telling(uses)] or [
            f"{purpose(limit)}{limit}" for limit in settings.limits[key]
        ]
        notes = _state(queue, key)
        if credentials.missing:
            notes = [f"set {credentials.missing}", *_stop(queue, spec)]
        yield (spec.name, source, "; ".join(told)), notes


def _queue_to_look_at(settings: Settings) -> APIRequestQueue | None:
    """The queue, to be read from; None where no run has made its tables yet."""
    if is_to_be_made(settings):
        return None
    database = connect(settings)
    click.get_current_context().call_on_close(database.close)
    if not look(database).is_current:
        return None
    return make_queue(settings, database, settings.policy, clock_of(database), random, "look")


def _state(queue: APIRequestQueue | None, key: str) -> list[str]:
    refusal = queue.would_refuse(key) if queue else None
    return [_refusal_words(refusal)] if refusal else []


def _stop(queue: APIRequestQueue | None, spec: CarrierSpec) -> list[str]:
    stop = queue.stopped(spec.key) if queue else None
    return [stop_words(spec, stop, local)] if stop else []


def _refusal_words(refusal: Refusal) -> str:
    until = f"; not asked before {format_minute(refusal.until, local)}" if refusal.until else ""
    return f"{refusal.reason}{until}"


def _routes(catalog: Catalog) -> Iterator[str]:
    """Whose account serves whose claims, where that is not its own."""
    for substitute in catalog.substitutes:
        if substitute.served_by in catalog.keys_of(catalog.specs[substitute.claimed].name):
            which = " whose numbers have its form" if substitute.numbers else ""
            yield (
                f"Claims of {catalog.name_of(substitute.claimed)}{which} are asked of "
                f"{catalog.name_of(substitute.served_by)}."
            )


# ---------------------------------------------------------------- check


@command.command("check")
@click.argument("name")
@click.option("--tracking", metavar="NUMBER", help="A number of yours, instead of the sample number.")
@click.pass_obj
def check(settings: Settings, name: str, tracking: str | None) -> None:
    """Try a carrier's credentials with one real call, and lift the pause that a refusal had left."""
    spec = _spec_of(name)
    number = tidy_number(tracking) if tracking is not None else None
    if tracking is not None and (fault := malformed(number or "", spec)):
        raise click.UsageError(fault.message)
    if missing := settings.credentials[spec.key].missing:
        say_error(
            f"{spec.name} has no credentials: set {missing} in the environment, in .env or in the secrets file."
        )
        raise SystemExit(_USAGE)
    try:
        result, was_refused = _presented(settings, spec, number)
    except RunError as fault:
        say_error(str(fault))
        raise SystemExit(_FAILED) from fault
    raise SystemExit(_tell(settings, spec, number, result, was_refused=was_refused))


def _spec_of(name: str) -> CarrierSpec:
    key = CATALOG.resolve(name)
    if key is None:
        raise click.BadParameter(CATALOG.no_such(name), param_hint="NAME")
    return CATALOG.specs[key]


def _presented(settings: Settings, spec: CarrierSpec, number: str | None) -> tuple[Outcome | Refusal, bool]:
    """What came of it, and whether our account stood refused before."""
    opened = open_database(settings)
    queue = make_queue(settings, opened.database, settings.policy, opened.clock, random, uuid.uuid4().hex)
    try:
        before = queue.would_refuse(spec.key)
        result = queue.check_credentials(spec.key, number)
        return result if isinstance(result, Refusal) else result.outcome, bool(
            before and before.kind in REFUSED_KINDS
        )
    finally:
        queue.leave()
        opened.database.close()


def _tell(
    settings: Settings, spec: CarrierSpec, number: str | None, result: Outcome | Refusal, *, was_refused: bool
) -> int:
    source = settings.credentials[spec.key].source
    if isinstance(result, Refusal):
        say_error(f"Not tried: {_refusal_words(result)}.")
        return _FAILED
    kind = result.kind if isinstance(result, Failure) else None
    if kind is ErrorKind.AUTH_FAILED:
        say_error(f"{_message(result)}. Correct {' and '.join(settings.credentials[spec.key].values)} there.")
        return _FAILED
    if kind is ErrorKind.ACCOUNT_DENIED:
        say_error(
            f"{_message(result)}. {spec.name} knows the account and denies it a right. Ask {spec.name} for it, then try "
            f'again: recours carriers check "{spec.name}"'
        )
        return _FAILED
    if kind is ErrorKind.ACCESS_DENIED:
        click.echo(f"{spec.name} knows the credentials from {source}, and denies access: {_message(result)}.")
        if number is None:
            click.echo(
                "For a sample number this may be its usual answer: try --tracking with a number of yours."
            )
        return _FAILED
    if kind is not None and kind not in _EXPECTED:
        say_error(f"The credentials from {source} could not be tried: {_message(result)}.")
        return _FAILED
    click.echo(f"{spec.name} accepts the credentials from {source}.")
    if was_refused:
        click.echo("The pause that a refusal had left is lifted.")
    if number is not None:
        click.echo(f"{number}: {_parcel_words(result)}")
    return 0


def _message(outcome: Outcome) -> str:
    return harmless(outcome.message).rstrip(".") if isinstance(outcome, Failure) else ""


def _parcel_words(outcome: Outcome) -> str:
    if isinstance(outcome, Failure):
        return f"{_message(outcome)}{_delivery_words(outcome.delivery)}"
    return (
        f"its document is there, {len(outcome.content)} bytes (not stored){_delivery_words(outcome.delivery)}"
    )


def _delivery_words(delivery: Delivery | None) -> str:
    if delivery is None:
        return ""
    when = (
        f" {format_minute(delivery.at, local)}"
        if delivery.at
        else (f" {delivery.day}" if delivery.day else "")
    )
    return f"; delivered{when}" + (f", signed by {delivery.signatory}" if delivery.signatory else "")


# ---------------------------------------------------------------- pause and resume


_LONGEST_REASON = 200


@click.command("pause")
@carrier_argument
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


@click.command("resume")
@carrier_argument
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

"""`recours reopen`: claims that gave up start afresh, due at the very next run."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import click

from recours.carriers.registry import CATALOG
from recours.cli.console import Table, moment_of, past_moment, show
from recours.cli.operations import (
    confirmed,
    database_option,
    json_option,
    refusals_told,
    tell_json,
    with_operations,
)
from recours.core.text import format_minute, plural
from recours.logs import local
from recours.operations.reopen import Selection, look_over, reopen_all, reopen_named, to_reopen
from recours.wiring.operations import Operations


@dataclass(frozen=True)
class _Asked:
    """How it is to be done and told."""

    dry_run: bool
    yes: bool
    as_json: bool


@click.command("reopen")
@click.argument("references", metavar="CLAIM…", nargs=-1)
@click.option("--carrier", metavar="NAME", help="All claims of this carrier that gave up.")
@click.option(
    "--since", type=past_moment(), metavar="T", help="Those that gave up since: a date, a time, 3d or 12h."
)
@click.option("--dry-run", is_flag=True, help="Show which would; change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@database_option
@json_option
def command(
    references: tuple[str, ...],
    carrier: str | None,
    since: datetime | timedelta | None,
    dry_run: bool,
    yes: bool,
    database_url: str | None,
    as_json: bool,
) -> None:
    """Have claims that gave up start afresh, as if they had just failed: the next run of either worker takes them up.

    Either the claims named, all of them or none; or all of a carrier, or since a moment, after asking. No second final
    mail goes out for a tracking number that had one.
    """
    by_selection = carrier is not None or since is not None
    if bool(references) == by_selection:
        raise click.UsageError("Name claims, or give --carrier or --since; not both.")
    if carrier is not None and not CATALOG.keys_of(carrier):
        raise click.BadParameter(CATALOG.no_such(carrier), param_hint="--carrier")
    asked = _Asked(dry_run, yes, as_json)
    with with_operations(database_url) as operations:
        if references:
            _reopen_named(operations, references, asked)
        else:
            _reopen_selected(operations, carrier, since, asked)


# ---------------------------------------------------------------- by name


def _reopen_named(operations: Operations, references: tuple[str, ...], asked: _Asked) -> None:
    now = operations.clock.now()
    with refusals_told():
        found = to_reopen(
            operations.claims, references, operations.settings.policy, operations.position_now, local
        )
        if not asked.dry_run:
            reopen_named(operations.given_up, found, now)
    if asked.as_json:
        _tell_json([claim.reference for claim in found], {}, asked)
        return
    for claim in found:
        carrier = operations.catalog.name_of(claim.carrier, claim.carrier_name)
        last = format_minute(claim.state.last_retry_at, local)
        click.echo(
            f"{claim.reference} ({carrier}): gave up on {last} after {plural(claim.retries_counted, 'attempt')}"
        )
    _say_done(len(found), asked)


# ---------------------------------------------------------------- by carrier and time


def _reopen_selected(
    operations: Operations, carrier: str | None, since: datetime | timedelta | None, asked: _Asked
) -> None:
    now = operations.clock.now()
    keys = operations.catalog.keys_of(carrier) if carrier else ()
    moment = moment_of(since, now, "--since") if since is not None else None
    chosen = keys, moment, operations.settings.policy, now
    selection = look_over(operations.given_up, *chosen)
    count = selection.open.total()
    if not asked.as_json:
        _show(operations, selection)
    references: list[str] = []
    if (
        count
        and not asked.dry_run
        and confirmed(f"Have {plural(count, 'claim')} start afresh?", yes=asked.yes)
    ):
        for part in reopen_all(operations.given_up, *chosen):
            references += [claim.reference for claim in part]
    elif count and not asked.dry_run:
        click.echo("Nothing was changed.", err=True)
        return
    if asked.as_json:
        _tell_json(references, selection.left, asked, found=count)
    else:
        _say_done(count if asked.dry_run else len(references), asked)


def _show(operations: Operations, selection: Selection) -> None:
    if not selection.open:
        click.echo("No matching claim has given up.")
    else:
        rows = [
            (
                operations.catalog.name_of(key, "no carrier of ours"),
                str(count),
                format_minute(selection.oldest.get(key), local),
                format_minute(selection.newest.get(key), local),
            )
            for key, count in sorted(selection.open.items())
        ]
        head = ("Carrier", "Claims", "Gave up from", "to")
        show(Table("Claims that gave up", head, rows, numbers=frozenset({"Claims"})))
    for why, count in sorted(selection.left.items()):
        click.echo(f"Left as they are: {plural(count, 'claim')} ({why}).")


# ---------------------------------------------------------------- what was done


def _say_done(count: int, asked: _Asked) -> None:
    if asked.dry_run:
        click.echo(f"Dry run: {plural(count, 'claim')} would start afresh; nothing was changed.")
    elif count:
        click.echo(f"{plural(count, 'claim')} will start afresh: due at the next run of either worker.")


def _tell_json(
    references: list[str], left: dict[str, int], asked: _Asked, *, found: int | None = None
) -> None:
    tell_json(
        {
            "dry_run": asked.dry_run,
            "found": len(references) if found is None else found,
            "reopened": 0 if asked.dry_run else len(references),
            "claims": references,
            "left": dict(left),
        }
    )

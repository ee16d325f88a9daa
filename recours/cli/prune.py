"""`recours prune`: documents, signatories and attempts past their keeping time go, after they were shown.

So do runs that a wrong clock dated in the future.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import click

from recours.cli.console import Table, harmless, past_time, say_error, show, time_of
from recours.cli.operations import FAILED, confirmed, database_option, json_option, tell_json, with_operations
from recours.core.text import format_minute, plural
from recours.database.engine import clock_offset
from recours.database.pruning import DatabasePast, forget_future_runs, run_dates
from recours.documents.store import erase
from recours.logs import local
from recours.operations.prune import Clocks, Pruned, PruneForecast, RunDates, doubt, prune
from recours.wiring.operations import Operations

_SHOWN_FILES = 20


@dataclass(frozen=True)
class _Found:
    """What would go. `before` None: no keeping time was given; `future` None: nobody asked for runs in the future."""

    before: datetime | None = None
    outlook: PruneForecast = field(default_factory=PruneForecast)
    future: datetime | None = None
    dates: RunDates = field(default_factory=RunDates)

    @property
    def is_empty(self) -> bool:
        return self.outlook.is_empty and not self.dates.ahead


@click.command("prune")
@click.option(
    "--older-than",
    type=past_time(bare_days=True),
    metavar="DAYS|DATE",
    help="What is older than so many days, or than a date.",
)
@click.option(
    "--future-runs",
    is_flag=True,
    help="The record of runs that a wrong clock dated in the future. Nothing else goes with it.",
)
@click.option("--dry-run", is_flag=True, help="Show what would go; change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@database_option
@json_option
def command(
    older_than: datetime | timedelta | None,
    future_runs: bool,
    dry_run: bool,
    yes: bool,
    database_url: str | None,
    as_json: bool,
) -> None:
    """Delete what is past its keeping time: PODs with their files, who signed, attempts, the text of mails sent.

    Of claims that have their POD, gave up, or are not tried any more for another reason, and that no run holds. A claim
    whose POD goes is not fetched again. What goes is shown first, and there is no way back but a backup.

    With --future-runs: the record of runs that a wrong clock dated in the future. Nothing is deleted while the clock may
    be wrong now.
    """
    if older_than is None and not future_runs:
        raise click.UsageError("Name what is to go: --older-than DAYS, --future-runs, or both.")
    with with_operations(database_url) as operations:
        found = _found(operations, older_than, future_runs=future_runs)
        if not as_json:
            _show(operations, found)
        done, forgotten = Pruned(), 0
        if not found.is_empty and not dry_run:
            if not confirmed("Delete it for good?", yes=yes):
                click.echo("Nothing was deleted.", err=True)
                return
            done, forgotten = _delete(operations, found)
    if as_json:
        tell_json(_as_json(found, done, forgotten, dry_run=dry_run))
    elif not found.is_empty and not dry_run:
        _say(found, done, forgotten)
    _warn_of(done.left)
    if done.left:
        raise SystemExit(FAILED)


def _delete(operations: Operations, found: _Found) -> tuple[Pruned, int]:
    """Delete what was found. Also returns how many runs in the future went."""
    done, forgotten = Pruned(), 0
    if found.future is not None and found.dates.ahead:
        forgotten = forget_future_runs(operations.database, found.future)
    if found.before is not None and not found.outlook.is_empty:
        past = DatabasePast(operations.database, uuid.uuid4().hex)
        done = prune(past, erase, found.before, operations.clock.now)
    return done, forgotten


def _warn_of(left: Mapping[str, str]) -> None:
    for path, why in list(left.items())[:_SHOWN_FILES]:
        click.echo(
            f"WARNING: {harmless(path)} could not be deleted: {harmless(why)}. Its record is kept.", err=True
        )
    if len(left) > _SHOWN_FILES:
        click.echo(f"WARNING: {len(left) - _SHOWN_FILES} more files could not be deleted.", err=True)


def _found(operations: Operations, older_than: datetime | timedelta | None, *, future_runs: bool) -> _Found:
    """What would go. Ends the process if it is in doubt which runs are in the future."""
    now = operations.clock.now()
    before = time_of(older_than, now, "--older-than")
    outlook = (
        PruneForecast() if before is None else DatabasePast(operations.database, "").outlook(before, now)
    )
    if not future_runs:
        return _Found(before, outlook)
    clocks = Clocks(now, now - clock_offset(operations.database))
    dates = run_dates(operations.database, clocks.future)
    if dates.ahead and (why := doubt(dates, clocks, lambda moment: format_minute(moment, local))):
        say_error(f"Nothing was deleted. {why}")
        raise SystemExit(FAILED)
    return _Found(before, outlook, clocks.future, dates)


def _show(operations: Operations, found: _Found) -> None:
    dates = found.dates
    if found.before is not None:
        _show_old(operations, found.outlook, found.before)
    if found.future is not None and not dates.ahead:
        click.echo("No run is dated in the future.")
    elif dates.ahead:
        click.echo(
            f"Dated in the future: {plural(dates.ahead, 'run')}, from {format_minute(dates.first_ahead, local)} to "
            f"{format_minute(dates.last_ahead, local)}. It is {format_minute(operations.clock.now(), local)} now."
        )


def _show_old(operations: Operations, outlook: PruneForecast, before: datetime) -> None:
    if outlook.is_empty:
        click.echo(f"Nothing is older than {format_minute(before, local)}.")
        return
    rows = [
        (
            operations.catalog.name_of(share.carrier, share.carrier),
            str(share.attempts),
            str(share.documents),
            f"{share.size:,}",
            format_minute(share.oldest, local),
            format_minute(share.newest, local),
        )
        for share in outlook.shares
    ]
    head = ("Carrier", "Attempts", "Documents", "Bytes", "Oldest", "Newest")
    if rows:
        title = f"To be deleted: older than {format_minute(before, local)}"
        show(Table(title, head, rows, numbers=frozenset(head[1:4])))
    click.echo(
        f"Beside them: who signed for {plural(outlook.deliveries, 'claim')} that gave up, the facts of "
        f"{plural(outlook.events, 'event')}, the text of {plural(outlook.mails, 'mail')}."
    )


def _say(found: _Found, done: Pruned, forgotten: int) -> None:
    if forgotten:
        click.echo(f"Deleted: the record of {plural(forgotten, 'run')} in the future.")
    if found.before is None or found.outlook.is_empty:
        return
    click.echo(
        f"Deleted: {plural(done.attempts, 'attempt')}, {plural(done.documents, 'document')} ({done.size:,} bytes), the facts of "
        f"{plural(done.events, 'event')}, the text of {plural(done.mails, 'mail')}."
    )


def _as_json(found: _Found, done: Pruned, forgotten: int, *, dry_run: bool) -> dict[str, object]:
    outlook = found.outlook
    carriers = [
        {
            "carrier": share.carrier,
            "attempts": share.attempts,
            "documents": share.documents,
            "bytes": share.size,
            "oldest": share.oldest.isoformat() if share.oldest else None,
            "newest": share.newest.isoformat() if share.newest else None,
        }
        for share in outlook.shares
    ]
    return {
        "older_than": found.before.isoformat() if found.before else None,
        "dry_run": dry_run,
        "found": {
            "carriers": carriers,
            "deliveries": outlook.deliveries,
            "events": outlook.events,
            "mails": outlook.mails,
            "future_runs": found.dates.ahead,
        },
        "deleted": {
            "attempts": done.attempts,
            "documents": done.documents,
            "bytes": done.size,
            "deliveries": done.deliveries,
            "events": done.events,
            "mails": done.mails,
            "future_runs": forgotten,
        },
        "left": [{"path": path, "why": why} for path, why in done.left.items()],
    }

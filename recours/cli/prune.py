"""`recours prune`: documents, signatories and attempts past their keeping time go, after they were shown.

So do runs that a wrong clock dated in the future.
"""

import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

import click

from recours.cli.console import FAILED, Table, harmless, past_time, say_error, show, time_of
from recours.cli.operations import (
    confirmed,
    database_option,
    dry_run_option,
    json_option,
    person,
    shown,
    tell_json,
    with_operations,
    yes_option,
)
from recours.core.text import plural
from recours.database.engine import clock_offset
from recours.database.pruning import DatabasePast, forget_future_runs, run_dates
from recours.documents.store import erase
from recours.operations.prune import Clocks, Pruned, PruneForecast, RunDates, doubt, prune
from recours.operations.records import iso
from recours.wiring.custody import write_manifests
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
@dry_run_option("Show what would go; change nothing.")
@yes_option
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
    """Delete what is past its keeping time: PODs with their files, who signed, attempts, changes, the text of mails sent.

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
    for path, why in list(done.left.items())[:_SHOWN_FILES]:
        click.echo(
            f"WARNING: {harmless(path)} could not be deleted: {harmless(why)}. Its record is kept.", err=True
        )
    if len(done.left) > _SHOWN_FILES:
        click.echo(f"WARNING: {len(done.left) - _SHOWN_FILES} more files could not be deleted.", err=True)
    if done.left:
        raise SystemExit(FAILED)


def _found(operations: Operations, older_than: datetime | timedelta | None, *, future_runs: bool) -> _Found:
    """What would go. Ends the process if it is in doubt which runs are in the future."""
    now, past = operations.clock.now(), DatabasePast(operations.database, "")
    before = time_of(older_than, now, "--older-than")
    outlook = past.outlook(before, now) if before else PruneForecast()
    if not future_runs:
        return _Found(before, outlook)
    clocks = Clocks(now, now - clock_offset(operations.database))
    dates = run_dates(operations.database, clocks.future)
    if dates.ahead and (why := doubt(dates, clocks, shown)):
        say_error(f"Nothing was deleted. {why}")
        raise SystemExit(FAILED)
    return _Found(before, outlook, clocks.future, dates)


def _delete(operations: Operations, found: _Found) -> tuple[Pruned, int]:
    """Delete what was found. Also returns how many runs in the future went."""
    result, forgotten = Pruned(), 0
    if found.future and found.dates.ahead:
        forgotten = forget_future_runs(operations.database, found.future)
    if found.before and not found.outlook.is_empty:
        past = DatabasePast(operations.database, uuid.uuid4().hex, person())
        erase_document = partial(erase, operations.settings.pod_dir)
        result = prune(past, erase_document, found.before, operations.clock.now)
        write_manifests(operations.settings, operations.database, "prune", operations.clock, lambda: True)
    return result, forgotten


def _show(operations: Operations, found: _Found) -> None:
    dates, outlook = found.dates, found.outlook
    if found.before and outlook.is_empty:
        click.echo(f"Nothing is older than {shown(found.before)}.")
    elif found.before:
        head = ("Carrier", "Attempts", "Documents", "Bytes", "Oldest", "Newest")
        rows = [
            (
                operations.catalog.name_of(share.carrier, share.carrier),
                str(share.attempts),
                str(share.documents),
                f"{share.size:,}",
                shown(share.oldest),
                shown(share.newest),
            )
            for share in outlook.shares
        ]
        if rows:
            show(Table(f"To be deleted: older than {shown(found.before)}", head, rows, frozenset(head[1:4])))
        click.echo(
            f"Beside them: who signed for {plural(outlook.deliveries, 'claim')} that gave up, the facts of "
            f"{plural(outlook.events, 'event')}, the text of {plural(outlook.mails, 'mail')}, "
            f"{plural(outlook.changes, 'change')} to claims and accounts."
        )
        if outlook.evidence:
            click.echo(f"And further evidence: {plural(outlook.evidence, 'file')}.")
    if dates.ahead:
        click.echo(
            f"Dated in the future: {plural(dates.ahead, 'run')}, from {shown(dates.first_ahead)} to "
            f"{shown(dates.last_ahead)}. It is {shown(operations.clock.now())} now."
        )
    elif found.future:
        click.echo("No run is dated in the future.")


def _say(found: _Found, done: Pruned, forgotten: int) -> None:
    if forgotten:
        click.echo(f"Deleted: the record of {plural(forgotten, 'run')} in the future.")
    if found.before and not found.outlook.is_empty:
        click.echo(
            f"Deleted: {plural(done.attempts, 'attempt')}, {plural(done.documents, 'document')} ({done.size:,} bytes), "
            f"the facts of {plural(done.events, 'event')}, the text of {plural(done.mails, 'mail')}, "
            f"{plural(done.changes, 'change')} to claims and accounts."
        )


def _as_json(found: _Found, done: Pruned, forgotten: int, *, dry_run: bool) -> dict[str, object]:
    def rest(of: PruneForecast | Pruned, runs: int) -> dict[str, int]:
        return {
            "deliveries": of.deliveries,
            "events": of.events,
            "mails": of.mails,
            "changes": of.changes,
            "evidence": of.evidence,
            "future_runs": runs,
        }

    carriers = [
        {
            "carrier": share.carrier,
            "attempts": share.attempts,
            "documents": share.documents,
            "bytes": share.size,
            "oldest": iso(share.oldest),
            "newest": iso(share.newest),
        }
        for share in found.outlook.shares
    ]
    deleted = {"attempts": done.attempts, "documents": done.documents, "bytes": done.size}
    return {
        "older_than": iso(found.before),
        "dry_run": dry_run,
        "found": {"carriers": carriers, **rest(found.outlook, found.dates.ahead)},
        "deleted": deleted | rest(done, forgotten),
        "left": [{"path": path, "why": why} for path, why in done.left.items()],
    }

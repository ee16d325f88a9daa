"""`recours prune`: documents, signatories and attempts past their keeping time go, after they were shown."""

import uuid
from datetime import datetime, timedelta
from functools import partial

import click

from recours.cli.console import FAILED, Table, harmless, past_time, show, time_of
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
from recours.database.pruning import DatabasePast, Pruned, PruneForecast, prune
from recours.documents.store import erase
from recours.operations.records import iso
from recours.wiring.custody import write_manifests
from recours.wiring.operations import Operations

_SHOWN_FILES = 20
# What is counted of all carriers together.
_COUNTS = ("deliveries", "events", "mails", "changes", "evidence")


@click.command("prune")
@click.option(
    "--older-than",
    type=past_time(bare_days=True),
    metavar="DAYS|DATE",
    required=True,
    help="What is older than so many days, or than a date.",
)
@dry_run_option("Show what would go; change nothing.")
@yes_option
@database_option
@json_option
def command(
    older_than: datetime | timedelta,
    dry_run: bool,
    yes: bool,
    database_url: str | None,
    as_json: bool,
) -> None:
    """Delete what is past its keeping time: PODs with their files, who signed, attempts, changes, the text of mails sent.

    Of claims that have their POD, gave up, or are not tried any more for another reason, and that no run holds. A claim
    whose POD goes is not fetched again. What goes is shown first, and there is no way back but a backup.
    """
    with with_operations(database_url) as operations:
        now = operations.clock.now()
        before = time_of(older_than, now, "--older-than")
        outlook = DatabasePast(operations.database, "").outlook(before, now)
        if not as_json:
            _show(operations, before, outlook)
        result = Pruned()
        if not outlook.is_empty and not dry_run:
            if not confirmed("Delete it for good?", yes=yes):
                click.echo("Nothing was deleted.", err=True)
                return
            past = DatabasePast(operations.database, uuid.uuid4().hex, person())
            erase_document = partial(erase, operations.settings.pod_dir)
            result = prune(past, erase_document, before, operations.clock.now)
            write_manifests(operations.settings, operations.database, "prune", operations.clock, lambda: True)
            if not as_json:
                _say(result)
    if as_json:
        tell_json(_as_json(before, outlook, result, dry_run=dry_run))
    for path, why in list(result.left.items())[:_SHOWN_FILES]:
        click.echo(
            f"WARNING: {harmless(path)} could not be deleted: {harmless(why)}. Its record is kept.", err=True
        )
    if len(result.left) > _SHOWN_FILES:
        click.echo(f"WARNING: {len(result.left) - _SHOWN_FILES} more files could not be deleted.", err=True)
    if result.left:
        raise SystemExit(FAILED)


def _show(operations: Operations, before: datetime, outlook: PruneForecast) -> None:
    if outlook.is_empty:
        click.echo(f"Nothing is older than {shown(before)}.")
        return
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
        show(Table(f"To be deleted: older than {shown(before)}", head, rows, frozenset(head[1:4])))
    click.echo(
        f"Beside them: who signed for {plural(outlook.deliveries, 'claim')} that gave up, the facts of "
        f"{plural(outlook.events, 'event')}, the text of {plural(outlook.mails, 'mail')}, "
        f"{plural(outlook.changes, 'change')} to claims and accounts."
    )
    if outlook.evidence:
        click.echo(f"And further evidence: {plural(outlook.evidence, 'file')}.")


def _say(done: Pruned) -> None:
    click.echo(
        f"Deleted: {plural(done.attempts, 'attempt')}, {plural(done.documents, 'document')} ({done.size:,} bytes), "
        f"the facts of {plural(done.events, 'event')}, the text of {plural(done.mails, 'mail')}, "
        f"{plural(done.changes, 'change')} to claims and accounts."
    )


def _as_json(before: datetime, outlook: PruneForecast, done: Pruned, *, dry_run: bool) -> dict[str, object]:
    def rest(of: PruneForecast | Pruned) -> dict[str, int]:
        return {name: getattr(of, name) for name in _COUNTS}

    carriers = [
        {
            "carrier": share.carrier,
            "attempts": share.attempts,
            "documents": share.documents,
            "bytes": share.size,
            "oldest": iso(share.oldest),
            "newest": iso(share.newest),
        }
        for share in outlook.shares
    ]
    deleted = {"attempts": done.attempts, "documents": done.documents, "bytes": done.size}
    return {
        "older_than": iso(before),
        "dry_run": dry_run,
        "found": {"carriers": carriers, **rest(outlook)},
        "deleted": deleted | rest(done),
        "left": [{"path": path, "why": why} for path, why in done.left.items()],
    }

"""`recours prune`: documents, signatories and attempts past their keeping time go, after they were shown."""

import uuid
from datetime import datetime, timedelta

import click

from recours.cli.console import harmless
from recours.cli.desk import FAILED, at_desk, confirmed, database_option, json_option, tell_json
from recours.cli.moments import moment_of, past_moment
from recours.cli.tables import Table, show
from recours.core.text import plural
from recours.database.pruning import DatabasePast
from recours.desk.pruning import Outlook, Pruned, prune
from recours.documents.erasing import erase
from recours.logs import local
from recours.runs.summary import minute
from recours.wiring.desks import Desk

_SHOWN_FILES = 20


@click.command("prune")
@click.option(
    "--older-than",
    type=past_moment(bare_days=True),
    metavar="DAYS|DATE",
    required=True,
    help="What is older than so many days, or than a date.",
)
@click.option("--dry-run", is_flag=True, help="Show what would go; change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@database_option
@json_option
def command(
    older_than: datetime | timedelta, dry_run: bool, yes: bool, database_url: str | None, as_json: bool
) -> None:
    """Delete what is past its keeping time: PODs with their files, who signed, attempts, the text of mails sent.

    Of claims that have their POD, gave up, or are not tried any more for another reason, and that no run holds. A claim
    whose POD goes is not fetched again. What goes is shown first, and there is no way back but a backup.
    """
    with at_desk(database_url) as desk:
        before = moment_of(older_than, desk.clock.now(), "--older-than")
        past = DatabasePast(desk.database, uuid.uuid4().hex)
        outlook = past.outlook(before, desk.clock.now())
        if not as_json:
            _show(desk, outlook, before)
        done = Pruned()
        if not outlook.is_empty and not dry_run:
            if not confirmed("Delete it for good?", yes=yes):
                click.echo("Nothing was deleted.", err=True)
                return
            done = prune(past, erase, before, desk.clock.now)
    if as_json:
        tell_json(_as_json(outlook, done, before, dry_run=dry_run))
    elif not outlook.is_empty and not dry_run:
        _say(done)
    for path, why in list(done.left.items())[:_SHOWN_FILES]:
        click.echo(
            f"WARNING: {harmless(path)} could not be deleted: {harmless(why)}. Its record is kept.", err=True
        )
    if len(done.left) > _SHOWN_FILES:
        click.echo(f"WARNING: {len(done.left) - _SHOWN_FILES} more files could not be deleted.", err=True)
    if done.left:
        raise SystemExit(FAILED)


def _show(desk: Desk, outlook: Outlook, before: datetime) -> None:
    if outlook.is_empty:
        click.echo(f"Nothing is older than {minute(before, local)}.")
        return
    rows = [
        (
            desk.catalog.name_of(share.carrier, share.carrier),
            str(share.attempts),
            str(share.documents),
            f"{share.size:,}",
            minute(share.oldest, local),
            minute(share.newest, local),
        )
        for share in outlook.shares
    ]
    head = ("Carrier", "Attempts", "Documents", "Bytes", "Oldest", "Newest")
    if rows:
        title = f"To be deleted: older than {minute(before, local)}"
        show(Table(title, head, rows, numbers=frozenset(head[1:4])))
    click.echo(
        f"Beside them: who signed for {plural(outlook.deliveries, 'claim')} that gave up, the facts of "
        f"{plural(outlook.events, 'event')}, the text of {plural(outlook.mails, 'mail')}."
    )


def _say(done: Pruned) -> None:
    click.echo(
        f"Deleted: {plural(done.attempts, 'attempt')}, {plural(done.documents, 'document')} ({done.size:,} bytes), the facts of "
        f"{plural(done.events, 'event')}, the text of {plural(done.mails, 'mail')}."
    )


def _as_json(outlook: Outlook, done: Pruned, before: datetime, *, dry_run: bool) -> dict[str, object]:
    found = [
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
        "older_than": before.isoformat(),
        "dry_run": dry_run,
        "found": {
            "carriers": found,
            "deliveries": outlook.deliveries,
            "events": outlook.events,
            "mails": outlook.mails,
        },
        "deleted": {
            "attempts": done.attempts,
            "documents": done.documents,
            "bytes": done.size,
            "deliveries": done.deliveries,
            "events": done.events,
            "mails": done.mails,
        },
        "left": [{"path": path, "why": why} for path, why in done.left.items()],
    }

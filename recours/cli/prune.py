"""`recours prune`: documents, signatories and attempts past their keeping time go, after they were shown."""

import uuid
from datetime import datetime, timedelta
from functools import partial

import click

from recours.cli.console import FAILED, harmless, past_time, person, time_of
from recours.cli.operations import (
    confirmed,
    database_option,
    dry_run_option,
    json_option,
    tell_json,
    with_operations,
    yes_option,
)
from recours.core.localized import Localized
from recours.core.text import plural
from recours.database.pruning import DatabasePast, Pruned, prune
from recours.documents.store import erase
from recours.operations.records import iso
from recours.wiring.custody import write_manifests

_SHOWN_FILES = 20


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
        texts = Localized("en", operations.settings.policy.zone)
        before = time_of(older_than, now, texts.zone, "--older-than")
        outlook = DatabasePast(operations.database, "").outlook(before, now)
        if not as_json and outlook.is_empty:
            click.echo(f"Nothing is older than {texts.minute(before)}.")
        elif not as_json:
            click.echo(f"To be deleted, older than {texts.minute(before)}: {_text_of(outlook)}")
        result = Pruned()
        if not outlook.is_empty and not dry_run:
            if not confirmed("Delete it for good?", yes=yes):
                click.echo("Nothing was deleted.", err=True)
                return
            past = DatabasePast(operations.database, uuid.uuid4().hex, person())
            erase_document = partial(erase, operations.settings.pod_dir)
            result = prune(past, erase_document, before, operations.clock.now)
            write_manifests(operations.settings, operations.database, "prune", operations.clock)
            if not as_json:
                click.echo(f"Deleted: {_text_of(result)}")
    if as_json:
        left = [{"path": path, "why": why} for path, why in result.left.items()]
        facts = {"older_than": iso(before), "dry_run": dry_run, "left": left}
        tell_json(facts | {"found": _json_of(outlook), "deleted": _json_of(result)})
    for path, why in list(result.left.items())[:_SHOWN_FILES]:
        click.echo(
            f"WARNING: {harmless(path)} could not be deleted: {harmless(why)}. Its record is kept.", err=True
        )
    if len(result.left) > _SHOWN_FILES:
        click.echo(f"WARNING: {len(result.left) - _SHOWN_FILES} more files could not be deleted.", err=True)
    if result.left:
        raise SystemExit(FAILED)


def _text_of(counts: Pruned) -> str:
    return (
        f"{plural(counts.attempts, 'attempt')}, {plural(counts.documents, 'document')} ({counts.size:,} bytes), "
        f"{plural(counts.evidence, 'file')} of further evidence, who signed for {plural(counts.deliveries, 'claim')} that "
        f"gave up, the facts of {plural(counts.events, 'event')}, the text of {plural(counts.mails, 'mail')}, "
        f"{plural(counts.changes, 'change')} to claims and accounts."
    )


def _json_of(counts: Pruned) -> dict[str, int]:
    facts = {"bytes" if name == "size" else name: value for name, value in vars(counts).items()}
    del facts["left"]
    return facts

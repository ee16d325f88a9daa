"""`recours enroll`, `exclude` and `reopen`: claims to work on from now on, not to work on any more, to start over."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import click

from recours.admin.accounts import AccountActions
from recours.admin.actions import ActionResult, Actions, FileAction
from recours.app import App
from recours.cli.claim_file import act_on_file, csv_option
from recours.cli.common import (
    confirmed,
    database_option,
    dry_run_option,
    require_all,
    say,
    with_actions,
    yes_option,
)
from recours.cli.console import CarrierName, Table, echo, past_time, show, time_of
from recours.core.errors import ErrorKind, is_persistent
from recours.core.policy import EnrollNew
from recours.core.text import clean, plural
from recours.reporting.labels import UNKNOWN_CARRIER
from recours.runs.eligibility import (
    EnrollCriteria,
    EnrollmentCounts,
    ReopenCriteria,
    Selection,
    count_candidates,
    count_given_up,
)

# What a claim may be given up for at the latest.
_FINAL = [str(kind) for kind in ErrorKind if is_persistent(kind, last_retry=True)]


def _show_left(unmanaged: Mapping[str, int]) -> None:
    for why, count in sorted(unmanaged.items()):
        echo(f"Left as they are: {plural(count, 'claim')} ({why}).")


@click.command("enroll")
@click.argument("references", metavar="CLAIM…", nargs=-1)
@click.option("--carrier", metavar="NAME", type=CarrierName(), help="Claims of this carrier only.")
@click.option(
    "--status", "statuses", metavar="STATUS", multiple=True, help="Claims with this status only; repeatable."
)
@click.option("--since", type=past_time(), metavar="T", help="Created since: a date, a time, 3d or 12h.")
@dry_run_option("Show how many there are, and change nothing.")
@yes_option
@database_option
def command(
    references: tuple[str, ...],
    carrier: str | None,
    statuses: tuple[str, ...],
    since: datetime | timedelta | None,
    dry_run: bool,
    yes: bool,
    database_url: str | None,
) -> None:
    """Have recours work on claims: their pod_fetch_status is set to `pending`, and the fetch worker takes them up.

    Either the claims named, also those that were excluded; or all open ones with a tracking number of which nobody has
    said anything yet, after showing how many calls that costs and asking. Claims with the status `refunded` are left out
    unless --status names it.
    """
    if references and (carrier or statuses or since is not None):
        raise click.UsageError("Name claims, or give --carrier, --status or --since; not both.")
    with with_actions(database_url) as actions:
        if references:
            _act_on_named(actions.enroll, "enrolled", references, dry_run=dry_run)
            return
        app = actions.app
        criteria = EnrollCriteria(
            carriers=app.catalog.keys_of(carrier) if carrier else (),
            statuses=[status.strip().lower() for status in statuses],
            since=time_of(since, app.clock.now(), app.settings.policy.zone, "--since"),
        )
        _enroll_selected(actions, criteria, dry_run=dry_run, yes=yes)


def _act_on_named(
    act: Callable[..., list[ActionResult]], verb: str, references: Sequence[str], *, dry_run: bool
) -> None:
    """Do it with all of these claims, or none. `verb`: `enrolled`, `reopened`, `excluded`."""
    matches = require_all(act(references, dry_run=True))
    if dry_run:
        _say_dry_run(len(matches), f"would be {verb}")
    else:
        say(*act(matches))


def _say_dry_run(count: int, action: str) -> None:
    echo(f"Dry run: {plural(count, 'claim')} {action}; nothing was changed.")


def _enroll_selected(actions: Actions, criteria: EnrollCriteria, *, dry_run: bool, yes: bool) -> None:
    app = actions.app
    counts = count_candidates(app.enrollment.candidates(), criteria, app.policy, app.catalog)
    count = counts.open.total()
    _show_candidates(app, counts)
    if dry_run:
        _say_dry_run(count, "would be enrolled")
    elif not count or confirmed(f"Enroll {plural(count, 'claim')}?", yes=yes):
        _say_enrolled(app, count, actions.enroll_all(criteria))


def _show_candidates(app: App, counts: EnrollmentCounts) -> None:
    rows = [
        (app.catalog.name_of(key, UNKNOWN_CARRIER), clean(status, 30) or "(none)", str(count))
        for (key, status), count in sorted(counts.open.items())
    ]
    if rows:
        show(Table("Claims to enroll", ("Carrier", "Status", "Claims"), rows, frozenset({"Claims"})))
    else:
        echo("No matching claim is left to enroll.")
    _show_left(counts.skipped)
    for key, calls in sorted(counts.calls.items()):
        if calls:
            echo(f"{app.catalog.name_of(key)}: {plural(calls, 'call')} for their first fetch.")


def _say_enrolled(app: App, count: int, enrolled: int) -> None:
    then = ": the fetch worker takes them, the nearest deadline first." if enrolled else "."
    echo(f"{plural(enrolled, 'claim')} enrolled{then}")
    if enrolled < count:
        echo(
            f"{plural(count - enrolled, 'claim')} changed meanwhile: repeat the command to see which are left."
        )
    setting = app.enrollment.setting
    adopted = app.enrollment.adoption()
    if setting is EnrollNew.AUTO and adopted and not adopted.enrolls_new(setting):
        echo(
            "New claims are worked on once the service sets their pod_fetch_status to 'pending'; if it does not, set "
            "RECOURS_ENROLL_NEW=true."
        )


@click.command("exclude")
@click.argument("references", metavar="CLAIM…", nargs=-1)
@click.option("--why", metavar="TEXT", required=True, help="The reason, kept with your name and the time.")
@csv_option
@dry_run_option("Show which would; change nothing.")
@database_option
def exclude_command(
    references: tuple[str, ...], why: str, file: Path | None, dry_run: bool, database_url: str | None
) -> None:
    """Take claims out of all work: their pod_fetch_status is set to `manual`. Of claims that are named all, or none.

    'recours enroll CLAIM' brings them back.
    """
    if bool(references) == (file is not None):
        raise click.UsageError("Name claims, or give --csv; not both.")
    with with_actions(database_url) as actions:
        if file is not None:
            act_on_file(actions, FileAction.EXCLUDE, file, why, dry_run=dry_run)
        else:
            _act_on_named(partial(actions.exclude, why=why), "excluded", references, dry_run=dry_run)


@click.command("reopen")
@click.argument("references", metavar="CLAIM…", nargs=-1)
@click.option("--carrier", metavar="NAME", type=CarrierName(), help="All given-up claims of this carrier.")
@click.option("--account", metavar="CLIENT", help="With --carrier: those of this client's account only.")
@click.option(
    "--error",
    type=click.Choice(_FINAL),
    metavar="KIND",
    help=f"Those with this answer only ({', '.join(_FINAL)}), and also those that wait for their last retry since it was "
    "final.",
)
@click.option(
    "--since", type=past_time(), metavar="T", help="Those given up since: a date, a time, 3d or 12h."
)
@csv_option
@dry_run_option("Show which would; change nothing.")
@yes_option
@database_option
def reopen_command(
    references: tuple[str, ...],
    carrier: str | None,
    account: str | None,
    error: str | None,
    since: datetime | timedelta | None,
    file: Path | None,
    dry_run: bool,
    yes: bool,
    database_url: str | None,
) -> None:
    """Retry given-up claims from the start, as if they had just failed: the next run of either worker takes them.

    Either the claims named, all of them or none; or those of a file; or all of a carrier, with one answer, or since a time,
    after asking. No second final mail goes out for a tracking number that had one.
    """
    by_selection = carrier is not None or since is not None or error is not None
    if [bool(references), by_selection, file is not None].count(True) != 1:
        raise click.UsageError(
            "Name claims, or give --csv, or select them with --carrier, --error and --since."
        )
    if account is not None and carrier is None:
        raise click.UsageError("--account needs --carrier.")
    with with_actions(database_url) as actions:
        app = actions.app
        if file is not None:
            act_on_file(actions, FileAction.REOPEN, file, dry_run=dry_run)
        elif references:
            _act_on_named(actions.reopen, "reopened", references, dry_run=dry_run)
        else:
            keys: Collection[str] = app.catalog.keys_of(carrier) if carrier else ()
            if account is not None and carrier is not None:
                keys = [AccountActions(app).account(account, carrier).key]
            at = time_of(since, app.clock.now(), app.settings.policy.zone, "--since")
            criteria = ReopenCriteria(keys, at, ErrorKind(error) if error else None)
            _reopen_selected(actions, criteria, dry_run=dry_run, yes=yes)


def _reopen_selected(actions: Actions, criteria: ReopenCriteria, *, dry_run: bool, yes: bool) -> None:
    app = actions.app
    parts = app.given_up.given_up(criteria, app.clock.now())
    selection = count_given_up(parts, app.policy)
    count = selection.open.total()
    _show_given_up(app, selection)
    if dry_run:
        _say_dry_run(count, "would be reopened")
    elif count and confirmed(f"Reopen {plural(count, 'claim')}?", yes=yes):
        reopened = sum(1 for _ in actions.reopen_all(criteria))
        echo(f"{plural(reopened, 'claim')} reopened: due at the next run of either worker.")


def _show_given_up(app: App, selection: Selection) -> None:
    rows = [
        (app.catalog.name_of(key, UNKNOWN_CARRIER), str(count))
        for key, count in sorted(selection.open.items())
    ]
    if rows:
        show(Table("Claims to reopen", ("Carrier", "Claims"), rows, frozenset({"Claims"})))
    else:
        echo("No matching claim was given up.")
    _show_left(selection.skipped)

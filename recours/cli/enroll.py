"""`recours enroll`, `exclude` and `reopen`."""

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

# Kinds of error that are persistent at the last retry.
_FINAL = [str(kind) for kind in ErrorKind if is_persistent(kind, last_retry=True)]


def _show_left(unmanaged: Mapping[str, int]) -> None:
    for why, count in sorted(unmanaged.items()):
        echo(f"Skipped: {plural(count, 'claim')} ({why}).")


@click.command("enroll")
@click.argument("references", metavar="[CLAIM]...", nargs=-1)
@click.option("--carrier", metavar="NAME", type=CarrierName(), help="Limit to claims of this carrier.")
@click.option(
    "--status",
    "statuses",
    metavar="STATUS",
    multiple=True,
    help="Limit to claims with this status; repeatable.",
)
@click.option(
    "--since",
    type=past_time(),
    metavar="DATE",
    help="Limit to claims created since this time: 2026-02-03, 2026-02-03T14:00, 3d or 12h.",
)
@dry_run_option("Show how many claims would be enrolled; change nothing.")
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
    """Enroll claims: set their pod_fetch_status to `pending`, so that the fetch worker fetches their proofs.

    With CLAIM, the named claims are enrolled, even if they were excluded. Without CLAIM, the command enrolls all open
    claims with a tracking number that were neither enrolled nor excluded before. It shows how many calls they cost and asks
    for confirmation. Claims with the status `refunded` are skipped unless you select them with --status.
    """
    if references and (carrier or statuses or since is not None):
        raise click.UsageError("Claims cannot be combined with --carrier, --status or --since.")
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
    """Act on all of these claims or none. `verb`: `enrolled`, `reopened`, `excluded`."""
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
        echo("No claims left to enroll.")
    _show_left(counts.skipped)
    for key, calls in sorted(counts.calls.items()):
        if calls:
            echo(f"{app.catalog.name_of(key)}: {plural(calls, 'call')} for the first fetches.")


def _say_enrolled(app: App, count: int, enrolled: int) -> None:
    then = " The fetch worker fetches them, nearest deadline first." if enrolled else ""
    echo(f"{plural(enrolled, 'claim')} enrolled.{then}")
    if enrolled < count:
        echo(
            f"{plural(count - enrolled, 'claim')} changed in the meantime. Repeat the command to see which are left."
        )
    setting = app.enrollment.setting
    adopted = app.enrollment.adoption()
    if setting is EnrollNew.AUTO and adopted and not adopted.enrolls_new(setting):
        echo(
            "recours fetches a new claim once the claims service sets its pod_fetch_status to 'pending'. If the service does "
            "not do that, set RECOURS_ENROLL_NEW=true."
        )


@click.command("exclude")
@click.argument("references", metavar="[CLAIM]...", nargs=-1)
@click.option("--why", metavar="TEXT", required=True, help="Record this reason with your name and the time.")
@csv_option
@dry_run_option("Show which claims would be excluded; change nothing.")
@database_option
def exclude_command(
    references: tuple[str, ...], why: str, file: Path | None, dry_run: bool, database_url: str | None
) -> None:
    """Exclude claims from processing: set their pod_fetch_status to `manual`.

    Either all named claims are excluded or none. 'recours enroll CLAIM' undoes this.
    """
    if bool(references) == (file is not None):
        raise click.UsageError("Give either claims or --csv.")
    with with_actions(database_url) as actions:
        if file is not None:
            act_on_file(actions, FileAction.EXCLUDE, file, why, dry_run=dry_run)
        else:
            _act_on_named(partial(actions.exclude, why=why), "excluded", references, dry_run=dry_run)


@click.command("reopen")
@click.argument("references", metavar="[CLAIM]...", nargs=-1)
@click.option("--carrier", metavar="NAME", type=CarrierName(), help="Select given-up claims of this carrier.")
@click.option("--account", metavar="CLIENT", help="With --carrier, limit to claims of this client's account.")
@click.option(
    "--error",
    type=click.Choice(_FINAL),
    metavar="KIND",
    help=f"Select claims with this error ({', '.join(_FINAL)}), including claims that need correction.",
)
@click.option(
    "--since",
    type=past_time(),
    metavar="DATE",
    help="Select claims given up since this time: 2026-02-03, 2026-02-03T14:00, 3d or 12h.",
)
@csv_option
@dry_run_option("Show which claims would be reopened; change nothing.")
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
    """Restart claims that recours gave up on, as if they had just failed. The next run of either worker fetches them.

    Name the claims (either all are reopened or none), list them in a file, or select them by carrier, error and time; a
    selection asks for confirmation. Clients are never sent a second final email about the same tracking number.
    """
    by_selection = carrier is not None or since is not None or error is not None
    if [bool(references), by_selection, file is not None].count(True) != 1:
        raise click.UsageError(
            "Give exactly one of these: claims, --csv, or a selection with --carrier, --error and --since."
        )
    if account is not None and carrier is None:
        raise click.UsageError("--account requires --carrier.")
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
        echo(f"{plural(reopened, 'claim')} reopened. The next run of either worker fetches them.")


def _show_given_up(app: App, selection: Selection) -> None:
    rows = [
        (app.catalog.name_of(key, UNKNOWN_CARRIER), str(count))
        for key, count in sorted(selection.open.items())
    ]
    if rows:
        show(Table("Claims to reopen", ("Carrier", "Claims"), rows, frozenset({"Claims"})))
    else:
        echo("No matching claims were given up.")
    _show_left(selection.skipped)

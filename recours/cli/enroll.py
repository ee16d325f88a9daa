"""`recours enroll` and `exclude`: claims that recours works on from now on, and that it no longer works on."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import click

from recours.carriers.registry import CATALOG
from recours.cli.console import Table, moment_of, past_moment, show
from recours.cli.operations import (
    confirmed,
    database_option,
    json_option,
    person,
    refusals_told,
    tell_json,
    with_operations,
)
from recours.core.claim import Claim
from recours.core.policy import EnrollNew
from recours.core.text import clean, plural
from recours.operations.enroll import (
    EnrolmentCounts,
    Wanted,
    changed_meanwhile,
    enroll_all,
    look_over,
    to_enroll,
    to_exclude,
)
from recours.wiring.operations import Operations


@click.command("enroll")
@click.argument("references", metavar="CLAIM…", nargs=-1)
@click.option("--carrier", metavar="NAME", help="Claims of this carrier only.")
@click.option(
    "--status", "statuses", metavar="STATUS", multiple=True, help="Claims with this status only; repeatable."
)
@click.option("--since", type=past_moment(), metavar="T", help="Created since: a date, a time, 3d or 12h.")
@click.option("--dry-run", is_flag=True, help="Show how many there are, and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@database_option
@json_option
def command(
    references: tuple[str, ...],
    carrier: str | None,
    statuses: tuple[str, ...],
    since: datetime | timedelta | None,
    dry_run: bool,
    yes: bool,
    database_url: str | None,
    as_json: bool,
) -> None:
    """Have recours work on claims: their pod_fetch_status is set to `pending`, and the fetch worker takes them up.

    Either the claims named, also those that were excluded; or all open ones with a tracking number of which nobody has
    said anything yet, after showing how many calls that costs and asking. Claims with the status `refunded` are left out
    unless --status names it.
    """
    if references and (carrier or statuses or since is not None):
        raise click.UsageError("Name claims, or give --carrier, --status or --since; not both.")
    if carrier is not None and not CATALOG.keys_of(carrier):
        raise click.BadParameter(CATALOG.no_such(carrier), param_hint="--carrier")
    with with_operations(database_url) as operations:
        if references:
            _enroll_named(operations, references, dry_run=dry_run, as_json=as_json)
            return
        wanted = Wanted(
            carriers=operations.catalog.keys_of(carrier) if carrier else (),
            statuses=[status.strip().lower() for status in statuses],
            since=moment_of(since, operations.clock.now(), "--since") if since is not None else None,
        )
        _enroll_selected(operations, wanted, dry_run=dry_run, yes=yes, as_json=as_json)


# ---------------------------------------------------------------- by name


def _enroll_named(
    operations: Operations, references: tuple[str, ...], *, dry_run: bool, as_json: bool
) -> None:
    with refusals_told():
        found = to_enroll(operations.claims, references, operations.settings.policy)
        if not dry_run and not operations.enrolment.enroll_named(found, person(), operations.clock.now()):
            raise changed_meanwhile(_one_of(found))
    if as_json:
        names = [claim.reference for claim in found]
        tell_json(
            {
                "dry_run": dry_run,
                "found": len(found),
                "enrolled": 0 if dry_run else len(found),
                "claims": names,
            }
        )
        return
    for claim in found:
        waits = "the fetch worker's next run takes it" if claim.number else "it waits for its tracking number"
        click.echo(f"{claim.reference}: {'would be enrolled' if dry_run else 'enrolled'}; {waits}")


def _one_of(found: Sequence[Claim]) -> str:
    return found[0].reference if len(found) == 1 else f"One of {plural(len(found), 'claim')}"


# ---------------------------------------------------------------- by carrier, status and time


def _enroll_selected(
    operations: Operations, wanted: Wanted, *, dry_run: bool, yes: bool, as_json: bool
) -> None:
    policy, enrolment = operations.settings.policy, operations.enrolment
    counts = look_over(enrolment.candidates(), wanted, policy, operations.catalog)
    count = counts.open.total()
    if not as_json:
        _show(operations, counts)
    enrolled = 0
    if dry_run:
        if not as_json:
            click.echo(f"Dry run: {plural(count, 'claim')} would be enrolled; nothing was changed.")
    elif count and not confirmed(f"Enrol {plural(count, 'claim')}?", yes=yes):
        click.echo("Nothing was changed.", err=True)
        return
    else:
        enrolled = enroll_all(enrolment, wanted, policy, operations.catalog, operations.clock.now)
        if not as_json:
            _say_done(operations, count, enrolled)
    if as_json:
        tell_json(_as_json(operations, counts, enrolled, dry_run=dry_run))


def _show(operations: Operations, counts: EnrolmentCounts) -> None:
    if not counts.open:
        click.echo("No claim that is not enrolled is among them.")
    rows = [
        (operations.catalog.name_of(key, "no known carrier"), clean(status, 30) or "(none)", str(count))
        for (key, status), count in sorted(counts.open.items())
    ]
    show(
        Table("Claims to enrol", ("Carrier", "Status", "Claims"), rows, frozenset({"Claims"}))
    ) if rows else None
    for why, count in sorted(counts.left.items()):
        click.echo(f"Left as they are: {plural(count, 'claim')} ({why}).")
    for key, calls in sorted(counts.calls.items()):
        if calls:
            click.echo(f"{operations.catalog.name_of(key)}: {plural(calls, 'call')} for their first fetch.")


def _say_done(operations: Operations, count: int, enrolled: int) -> None:
    click.echo(
        f"{plural(enrolled, 'claim')} enrolled: the fetch worker takes them, the nearest deadline first."
    )
    if enrolled < count:
        click.echo(
            f"{plural(count - enrolled, 'claim')} changed meanwhile: repeat the command to see which are left."
        )
    adopted = operations.enrolment.adoption()
    if (
        adopted
        and not adopted.enrolls_new(operations.enrolment.setting)
        and operations.enrolment.setting is EnrollNew.AUTO
    ):
        click.echo(
            "New claims are worked on once the service sets their pod_fetch_status to 'pending'; if it does not, set "
            "RECOURS_ENROLL_NEW=true."
        )


def _as_json(
    operations: Operations, counts: EnrolmentCounts, enrolled: int, *, dry_run: bool
) -> dict[str, object]:
    return {
        "dry_run": dry_run,
        "found": counts.open.total(),
        "enrolled": enrolled,
        "calls": {
            operations.catalog.name_of(key): calls for key, calls in sorted(counts.calls.items()) if calls
        },
        "claims": [
            {"carrier": operations.catalog.name_of(key) or None, "status": status or None, "count": count}
            for (key, status), count in sorted(counts.open.items())
        ],
        "left": dict(counts.left),
    }


# ---------------------------------------------------------------- exclude


_LONGEST_WHY = 300


@click.command("exclude")
@click.argument("references", metavar="CLAIM…", nargs=-1, required=True)
@click.option("--why", metavar="TEXT", required=True, help="The reason, kept with your name and the time.")
@database_option
@json_option
def exclude_command(
    references: tuple[str, ...], why: str, database_url: str | None, *, as_json: bool
) -> None:
    """Take claims out of all work: their pod_fetch_status is set to `manual`. All of them, or none.

    'recours enroll CLAIM' brings them back.
    """
    reason = clean(why, _LONGEST_WHY)
    if not reason:
        raise click.BadParameter("say why, for those who ask later.", param_hint="--why")
    with with_operations(database_url) as operations, refusals_told():
        found = to_exclude(operations.claims, references)
        if not operations.enrolment.exclude(found, person(), reason, operations.clock.now()):
            raise changed_meanwhile(_one_of(found))
    if as_json:
        tell_json({"excluded": len(found), "claims": [claim.reference for claim in found]})
        return
    for claim in found:
        click.echo(
            f"{claim.reference}: excluded; no run works on it. To bring it back: recours enroll {claim.reference}"
        )

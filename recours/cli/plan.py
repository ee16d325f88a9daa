"""`recours plan`: what the coming runs of both workers will do, day by day."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from math import ceil

import click

from recours.cli.console import Table, show, whole_number
from recours.cli.operations import database_option, json_option, tell_json, with_operations
from recours.core.accounts import carrier_of
from recours.core.localized import Localized
from recours.core.policy import DEFAULT_MAX_RETRIES
from recours.core.text import format_minute, format_until, plural
from recours.installation import pasteable
from recours.logs import local
from recours.operations.plan import CarrierPlan, Plan, Reason, opening_of
from recours.runs.retry import PODRetryScheduler
from recours.runs.summary import named_usage, worth_showing
from recours.wiring.plan import plan_for

LONGEST_HOURS = 720
_SHOWN_LATE = 10
_SHOWN_DAYS = 10
_SHOWN_ACCOUNTS = 10  # of clients


@click.command("plan")
@click.option(
    "--hours",
    type=whole_number(1, LONGEST_HOURS),
    default=48,
    show_default=True,
    metavar="N",
    help=f"How far to look ahead, 1 to {LONGEST_HOURS}.",
)
@click.option(
    "--batch-size",
    type=whole_number(1, 10000),
    default=PODRetryScheduler.usual_batch,
    show_default=True,
    metavar="N",
    help="The scheduler's --batch-size; the fetch worker is assumed to use 50.",
)
@click.option(
    "--max-retries",
    type=whole_number(1, 20),
    default=DEFAULT_MAX_RETRIES,
    show_default=True,
    metavar="N",
    help="The scheduler's --max-retries.",
)
@database_option
@json_option
def command(hours: int, batch_size: int, max_retries: int, database_url: str | None, as_json: bool) -> None:
    """Estimate on which days claims will be tried, whether the quotas are enough, and which claims will be late.

    Upcoming runs of both workers are counted by the rules of the real ones: claims as they are now, quotas with their
    present use, pauses and credentials. No carrier is called and nothing is changed. New claims and edits are not known
    yet, nor is what the carriers will answer: every attempt is assumed to fail.
    """
    with with_operations(database_url) as operations:
        plan = plan_for(
            operations,
            timedelta(hours=hours),
            max_retries=max_retries,
            batch_sizes={PODRetryScheduler.name: batch_size},
        )
    if as_json:
        tell_json(plan.as_json())
    else:
        _show(plan)


# ---------------------------------------------------------------- for people

_DAYS = Localized("en")


def _show(plan: Plan) -> None:
    click.echo(
        f"Estimate from {format_minute(plan.made_at, local)} to {format_minute(plan.until, local)}, assuming every attempt "
        f"fails: {plural(plan.attempts, 'attempt')}."
    )
    for worker in plan.stopped:
        click.echo(pasteable(f"{worker} has stopped running, so none of its claims are tried: recours check"))
    if not plan.carriers:
        click.echo("No claims are due, now or later.")
        return
    shown = _shown(plan)
    show(_carriers(plan, shown))
    if more := len(plan.carriers) - len(shown):
        click.echo(f"  and {plural(more, 'more account')} of clients; --json has all.")
    for carrier in shown:
        if closing := carrier.account.closing:
            until = format_until(opening_of(closing), local)
            click.echo(f"{plan.name(carrier.key)} is closed{until}: {closing.reason}")
    show(_days(plan))
    if plan.late:
        _show_late(plan)


def _shown(plan: Plan) -> list[CarrierPlan]:
    """All accounts of our own, and the busiest of clients' accounts."""
    of_clients = [carrier for carrier in plan.carriers if carrier.key != carrier_of(carrier.key)]
    busiest = sorted(of_clients, key=lambda carrier: (-carrier.late, -carrier.left, -carrier.due))
    hidden = {carrier.key for carrier in busiest[_SHOWN_ACCOUNTS:]}
    return [carrier for carrier in plan.carriers if carrier.key not in hidden]


def _carriers(plan: Plan, shown: Sequence[CarrierPlan]) -> Table:
    columns = ("carrier", "due now", "attempts", "calls", "backlog empty", "late", "quota")
    rows = [
        (
            plan.name(carrier.key),
            str(carrier.due),
            str(carrier.attempts),
            str(carrier.calls),
            _empty(carrier),
            str(carrier.late),
            "; ".join(named_usage(use, local) for use in worth_showing(list(carrier.account.uses))),
        )
        for carrier in shown
    ]
    return Table("Carriers", columns, rows, frozenset({"due now", "attempts", "calls", "late"}))


def _empty(carrier: CarrierPlan) -> str:
    if carrier.empty_on:
        return f"not before {_DAYS.weekday(carrier.empty_on)}"
    if not carrier.left:
        return "nothing is due"
    if carrier.days_left is None:
        return f"{carrier.left} left, no end in sight"
    return f"{carrier.left} left, about {plural(ceil(carrier.days_left), 'day')} more"


def _days(plan: Plan) -> Table:
    columns = ("day", "attempts", "calls", "still due")
    rows = [
        (
            _DAYS.weekday(day.on),
            str(day.attempts.total()),
            str(day.calls.total()),
            str(sum(day.due.values())),
        )
        for day in plan.days[:_SHOWN_DAYS]
    ]
    return Table("Days", columns, rows, frozenset(columns[1:]))


_WHY = {
    Reason.TURN: "its next attempt is due later: recours why CLAIM, then fetch it now with --claim",
    Reason.NUMBER: "no tracking number: recours correct",
    Reason.QUOTA: "the quota is too small, or the carrier asked us to wait: raise QUOTA_ if your contract allows more",
    Reason.RESERVED: "the remaining calls are kept for more urgent claims: raise QUOTA_ if your contract allows more",
    Reason.STOPPED: "its worker has stopped running: recours check",
    Reason.CARRIER: "the carrier is closed: recours carriers",
    Reason.BATCH: "more urgent claims fill the runs: a larger --batch-size",
}


def _show_late(plan: Plan) -> None:
    claims = plan.late[:_SHOWN_LATE]
    rows = [
        (
            late.claim,
            plan.name(late.carrier),
            f"{late.deadline}{' (evidence)' if late.evidence else ''}",
            f"not before {_DAYS.weekday(late.not_before)}" if late.not_before else "not in this period",
        )
        for late in claims
    ]
    columns = ("claim", "carrier", "deadline", "tried")
    show(Table("Late: claims whose deadline or evidence ends before they are tried", columns, rows))
    if more := len(plan.late) - len(claims):
        click.echo(f"  and {more} more; --json lists them.")
    for reason, count in Counter(late.reason for late in plan.late).most_common():
        click.echo(f"  {plural(count, 'claim')} late: {_WHY[reason]}")

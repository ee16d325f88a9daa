"""`recours plan`: what the coming runs of both workers will do."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

import click

from recours.cli.console import Table, show, whole_number
from recours.cli.operations import database_option, json_option, tell_json, with_operations
from recours.core.accounts import carrier_of
from recours.core.policy import DEFAULT_MAX_RETRIES
from recours.core.text import format_minute, format_until, plural
from recours.installation import pasteable
from recours.logs import local
from recours.operations.forecast.facts import ForeseenRun
from recours.operations.plan import CarrierPlan, Late, Plan, Reason
from recours.runs.fetch import PODFetchWorker
from recours.runs.retry import PODRetryScheduler
from recours.runs.summary import named_usage
from recours.wiring.plan import plan_for

LONGEST_HOURS = 720
_SHOWN_CLAIMS, _SHOWN_LATE = 5, 20
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
    help="The scheduler's --batch-size; the fetch worker's is taken to be 50.",
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
    """Show which claims will be tried when, when each carrier's backlog is empty, and which claims pass their deadline before.

    The coming runs of both workers are simulated by the code of the real ones: claims as they are now, quotas with
    their present use, pauses and credentials. Nobody is called and nothing is changed. Claims that come in later, and
    edits, are not foreseen; nor is what the carriers answer: no attempt is taken to bring a document.
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


def _show(plan: Plan) -> None:
    click.echo(
        f"From {format_minute(plan.made_at, local)} to {format_minute(plan.until, local)}, "
        f"if no try brings a document: "
        f"{plural(plan.tries, 'try').replace('trys', 'tries')} in {plural(len(plan.runs), 'run')}."
    )
    if plan.by_fleet:
        click.echo("Long-lived workers look every minute for claims that are due.")
    for worker in plan.stopped:
        click.echo(pasteable(f"{worker} has stopped running, so no run of it is foreseen: recours check"))
    if not plan.carriers:
        click.echo("No claim is due, or will be.")
        return
    shown = _shown(plan)
    show(_carriers(plan, shown))
    if more := len(plan.carriers) - len(shown):
        click.echo(f"  and {plural(more, 'more account')} of clients; --json has all.")
    for carrier in shown:
        if carrier.closing:
            until = format_until(carrier.closing.until, local)
            click.echo(f"{plan.name(carrier.key)} is closed{until}: {carrier.closing.reason}")
    show(_runs(plan))
    if plan.late:
        _show_late(plan)


def _shown(plan: Plan) -> list[CarrierPlan]:
    """All accounts of the house, and of those of clients the ones with the most left to do."""
    of_clients = [carrier for carrier in plan.carriers if carrier.key != carrier_of(carrier.key)]
    busiest = sorted(of_clients, key=lambda carrier: (-carrier.late, -carrier.left, -carrier.due))
    shown = {carrier.key for carrier in busiest[:_SHOWN_ACCOUNTS]}
    return [one for one in plan.carriers if one.key == carrier_of(one.key) or one.key in shown]


def _carriers(plan: Plan, shown: Sequence[CarrierPlan]) -> Table:
    return Table(
        "Carriers",
        ("carrier", "due now", "tries", "calls", "backlog empty", "pass their deadline", "quota"),
        [
            (
                plan.name(carrier.key),
                str(carrier.due),
                str(carrier.tries),
                str(carrier.calls),
                _empty(carrier),
                str(carrier.late),
                "; ".join(named_usage(use, local) for use in carrier.uses),
            )
            for carrier in shown
        ],
        frozenset({"due now", "tries", "calls", "pass their deadline"}),
    )


def _empty(carrier: CarrierPlan) -> str:
    if carrier.empty_at:
        return format_minute(carrier.empty_at, local)
    if not carrier.left:
        return "nothing is due"
    if carrier.days_left is None:
        return f"not foreseen, {carrier.left} left"
    return f"{carrier.left} left, about {max(carrier.days_left, 0.1):.1f} days more"


def _runs(plan: Plan) -> Table:
    rows = [
        (
            format_minute(run.at, local),
            _WORKERS[run.worker],
            str(len(run.tries)),
            str(sum(left.count for left in run.left.values() if not left.reserved)),
            str(sum(left.count for left in run.left.values() if left.reserved)),
            str(run.passed),
            str(run.gave_up),
            _claims(run),
        )
        for run in plan.runs
        if run.tries or run.passed or run.gave_up
    ]
    columns = ("run", "worker", "tries", "left behind", "kept for others", "passed", "give up", "claims")
    return Table("Runs that try a claim", columns, rows, frozenset(columns[2:7]))


_WORKERS = {PODRetryScheduler.name: "retry", PODFetchWorker.name: "fetch"}


def _claims(run: ForeseenRun) -> str:
    shown = run.tries[:_SHOWN_CLAIMS]
    names = ", ".join(one.reference for one in shown)
    more = len(run.tries) - len(shown)
    return f"{names} and {more} more" if more else names


_WHY = {
    Reason.TURN: "it is due later",
    Reason.NUMBER: "it has no tracking number",
    Reason.QUOTA: "the carrier's calls are used up, or it asked to wait",
    Reason.RESERVED: "the calls that are left are kept for other claims: new ones, or more urgent ones",
    Reason.STOPPED: "its worker has stopped running",
    Reason.CARRIER: "the carrier is closed",
    Reason.BATCH: "more urgent claims fill the batches",
}


def _show_late(plan: Plan) -> None:
    claims = plan.late[:_SHOWN_LATE]
    show(
        Table(
            "Claims that pass their response_deadline, or whose carrier forgets the parcel, before they are tried",
            ("claim", "carrier", "deadline", "tried", "why"),
            list(_late_rows(plan, claims)),
        )
    )
    if more := len(plan.late) - len(claims):
        click.echo(f"  and {more} more; --json lists them.")


def _late_rows(plan: Plan, shown: Sequence[Late]) -> Iterator[tuple[str, ...]]:
    for late in shown:
        about = "about " if late.estimated else ""
        when = f"{about}{format_minute(late.next_at, local)}" if late.next_at else "not foreseen"
        yield (
            late.reference,
            plan.name(late.carrier),
            format_minute(late.deadline, local) + (" (forgotten)" if late.is_evidence else ""),
            when,
            _WHY[late.reason],
        )

"""`recours plan`: what the coming runs of both workers will do, day by day."""

from collections.abc import Sequence
from datetime import timedelta

import click

from recours.cli.console import Table, number_option, show
from recours.cli.operations import (
    database_option,
    json_option,
    show_problems,
    tell_json,
    with_operations,
)
from recours.core.accounts import carrier_of
from recours.core.policy import DEFAULT_MAX_RETRIES
from recours.core.text import plural
from recours.dashboard import plan_rows
from recours.dashboard.texts import PageTexts
from recours.installation import pasteable
from recours.operations.plan import CarrierPlan, Plan, opening_of
from recours.operations.problem_texts import VerdictSentences
from recours.operations.problems import OF_LATE_CLAIMS
from recours.runs.workers import PODRetryScheduler
from recours.wiring.plan import plan_for

LONGEST_HOURS = 720
_SHOWN_ACCOUNTS = 10  # of clients
_NUMBERS = ("due", "tries", "calls_made", "still_due")  # columns


@click.command("plan")
@number_option("--hours", 1, LONGEST_HOURS, 48, f"How far to look ahead, 1 to {LONGEST_HOURS}.")
@number_option(
    "--batch-size",
    1,
    10000,
    PODRetryScheduler.usual_batch,
    "The scheduler's --batch-size; the fetch worker is assumed to use 50.",
)
@number_option("--max-retries", 1, 20, DEFAULT_MAX_RETRIES, "The scheduler's --max-retries.")
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
        late = operations.problems_of(*OF_LATE_CLAIMS)
    zone = operations.settings.policy.zone
    sentences = VerdictSentences("en", zone)
    if as_json:
        tell_json(plan.as_json() | {"late": [sentences.as_json(problem, plan.made_at) for problem in late]})
    else:
        _show(plan, PageTexts("en", zone))
        show_problems(late, sentences, plan.made_at)


# ---------------------------------------------------------------- for people


def _show(plan: Plan, texts: PageTexts) -> None:
    click.echo(
        f"Estimate from {texts.minute(plan.made_at)} to {texts.minute(plan.until)}, assuming every attempt "
        f"fails: {plural(plan.attempts, 'attempt')}."
    )
    for worker in plan.stopped:
        click.echo(pasteable(f"{worker} has stopped running, so none of its claims are tried: recours check"))
    if not plan.carriers:
        click.echo("No claims are due, now or later.")
        return
    carriers = _busiest(plan)
    rows = [plan_rows.carrier_row(carrier, plan, texts) for carrier in carriers]
    _show_table("Carriers", plan_rows.CARRIERS, rows, texts)
    if more := len(plan.carriers) - len(carriers):
        click.echo(f"  and {plural(more, 'more account')} of clients; --json has all.")
    for account in (plan.accounts[carrier.key] for carrier in carriers):
        if closing := account.closing:
            opens_at = opening_of(closing)
            until = f" until {texts.minute(opens_at)}" if opens_at else ""
            click.echo(f"{account.name} is closed{until}: {closing.reason}")
    _show_table("Days", plan_rows.DAYS, [plan_rows.day_row(day, texts) for day in plan.days], texts)


def _show_table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]], texts: PageTexts) -> None:
    numbers = frozenset(texts(head) for head in _NUMBERS)
    show(Table(title, tuple(texts(head) for head in heads), rows, numbers))


def _busiest(plan: Plan) -> list[CarrierPlan]:
    """All accounts of our own, and the busiest of clients' accounts."""
    of_clients = [carrier for carrier in plan.carriers if carrier.key != carrier_of(carrier.key)]
    by_backlog = sorted(of_clients, key=lambda carrier: (-carrier.left, -carrier.due))
    hidden = {carrier.key for carrier in by_backlog[_SHOWN_ACCOUNTS:]}
    return [carrier for carrier in plan.carriers if carrier.key not in hidden]

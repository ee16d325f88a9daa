"""`recours plan`: a day-by-day forecast of the runs of both workers."""

from datetime import timedelta
from math import ceil

import click

from recours.cli.common import (
    database_option,
    json_option,
    refusal_text,
    show_problems,
    tell_json,
    with_app,
)
from recours.cli.console import Table, echo, harmless, number_option, show
from recours.core.accounts import carrier_of
from recours.core.localized import Localized
from recours.core.policy import DEFAULT_MAX_RETRIES
from recours.core.text import plural
from recours.host.installation import pasteable
from recours.reporting.claim_reports import plan_for
from recours.reporting.plan import CarrierPlan, Day, Plan
from recours.reporting.problems import OF_LATE_CLAIMS, VerdictSentences
from recours.reporting.snapshot import Reports
from recours.runs.worker import PODRetryScheduler

LONGEST_HOURS = 720
_SHOWN_ACCOUNTS = 10  # clients' accounts that are shown
_COUNTS = ("Attempts", "Calls", "Still due")  # columns


@click.command("plan")
@number_option("--hours", 1, LONGEST_HOURS, 48, f"Look this many hours ahead, 1 to {LONGEST_HOURS}.")
@number_option(
    "--batch-size",
    1,
    10000,
    PODRetryScheduler.usual_batch,
    "Assume that the scheduler uses this --batch-size, and the fetch worker 50.",
)
@number_option(
    "--max-retries", 1, 20, DEFAULT_MAX_RETRIES, "Assume that the scheduler uses this --max-retries."
)
@database_option
@json_option
def command(hours: int, batch_size: int, max_retries: int, database_url: str | None, as_json: bool) -> None:
    """Forecast when claims will be attempted, whether the quotas are sufficient, and which claims will be late.

    The upcoming runs of both workers are simulated with today's claims, quotas, pauses and credentials. No carrier is
    called and nothing is changed. The forecast cannot foresee new claims, edits or the carriers' answers; it assumes that
    every attempt fails.
    """
    with with_app(database_url) as app:
        plan = plan_for(
            app,
            timedelta(hours=hours),
            max_retries=max_retries,
            batch_sizes={PODRetryScheduler.name: batch_size},
        )
        late = Reports(app).problems_of(*OF_LATE_CLAIMS)
    sentences = VerdictSentences("en", app.settings.policy.zone)
    if as_json:
        tell_json(plan.as_json() | {"late": [sentences.as_json(problem, plan.made_at) for problem in late]})
    else:
        _show(plan, sentences)
        show_problems(late, sentences, plan.made_at)


def _show(plan: Plan, texts: Localized) -> None:
    echo(
        f"Estimate from {texts.minute(plan.made_at)} to {texts.minute(plan.until)}, assuming every attempt "
        f"fails: {plural(plan.attempts, 'attempt')}."
    )
    for worker in plan.stopped:
        echo(pasteable(f"{worker} has stopped running, so its claims are not attempted. See recours check."))
    if not plan.carriers:
        echo("No claims are due, now or later.")
        return
    carriers = _busiest(plan)
    columns = ("Carrier", "Due now", *_COUNTS, "Backlog cleared")
    rows = [_carrier_row(carrier, plan, texts) for carrier in carriers]
    show(Table("Carriers", columns, rows, frozenset(columns[1:-1])))
    if more := len(plan.carriers) - len(carriers):
        echo(f"  and {plural(more, 'more client account')}; --json lists all.")
    for account in (plan.accounts[carrier.key] for carrier in carriers):
        if account.closing:
            echo(pasteable(harmless(refusal_text(account.closing, texts))))
    show(Table("Days", ("Day", *_COUNTS), [_day_row(day, texts) for day in plan.days], frozenset(_COUNTS)))


def _day_row(day: Day, texts: Localized) -> list[str]:
    counts = (day.attempts.total(), day.calls.total(), day.due.total())
    return [texts.weekday(day.on), *map(texts.number, counts)]


def _carrier_row(carrier: CarrierPlan, plan: Plan, texts: Localized) -> list[str]:
    if carrier.empty_on:
        end = f"not before {texts.weekday(carrier.empty_on)}"
    elif not carrier.left:
        end = "nothing is due"
    elif carrier.days_left is None:
        end = "not foreseeable"
    else:
        end = f"in about {plural(ceil(carrier.days_left), 'more day')}"
    counts = (carrier.due, carrier.attempts, carrier.calls, carrier.left)
    return [plan.accounts[carrier.key].name, *map(texts.number, counts), end]


def _busiest(plan: Plan) -> list[CarrierPlan]:
    """All default accounts, and the busiest accounts of clients."""
    of_clients = [carrier for carrier in plan.carriers if carrier.key != carrier_of(carrier.key)]
    by_backlog = sorted(of_clients, key=lambda carrier: (-carrier.left, -carrier.due))
    hidden = {carrier.key for carrier in by_backlog[_SHOWN_ACCOUNTS:]}
    return [carrier for carrier in plan.carriers if carrier.key not in hidden]

"""The day before which a due claim's turn does not come, and what is said of it.

It is an estimate by `recours.reporting.plan`, over the claims of its account alone: others, which share the batches of runs,
can only delay it. Pure.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from recours.core.claim import Claim, Stage
from recours.core.localized import Localized
from recours.core.position import Closing, Position, Why, closing_of
from recours.core.translations import N_
from recours.reporting.plan import AccountFacts, Simulation, Terms, coming_runs

# How far ahead a claim's turn is looked for.
AHEAD = timedelta(days=14)


def day_in_line(
    claim_id: Any,
    where: Position,
    claims: Sequence[Claim],
    account: AccountFacts,
    terms: Terms,
    now: datetime,
) -> date | None:
    """The day before which no run tries a claim that stands in line.

    None: the first run that may ask its carrier tries it, or its worker does not run. `claims`: it and the most urgent ones
    of its account, as by `as_planned`.
    """
    claims = sorted(claims, key=lambda claim: claim.id)
    number = next(number for number, claim in enumerate(claims) if claim.id == claim_id)
    stage = Stage.NEW if claims[number].is_pending else Stage.READY
    opens_at = max(where.next_at or now, now)
    until = now + AHEAD
    runs = coming_runs(terms, now, until)
    if all(worker.stage is not stage for _, worker in runs):
        return None
    simulation = Simulation(claims, {claims[number].account_key: account}, terms, now, until)
    runs_before = 0
    for at, worker in runs:
        simulation.run(worker, at)
        if number in simulation.first_attempts:
            if not runs_before:
                return None
            until = at
            break
        runs_before += worker.stage is stage and at >= opens_at
    return until.astimezone(terms.policy.zone).date()


def stands_in_line(where: Position) -> bool:
    """Tell whether a claim is due, and its carrier takes calls, or does by itself when time has passed."""
    takes_calls = where.refusal is None or closing_of(where.refusal) is Closing.LIMIT
    is_open = where.why in (Why.NEW, Why.DUE) or (where.why is Why.CLOSED and takes_calls)
    return where.is_due and where.asks and is_open


# Today, tomorrow, another day.
_SENTENCES = (
    N_("Its turn may come today (estimate)."),
    N_("Its turn comes not before tomorrow (estimate)."),
    N_("Its turn comes not before {day} (estimate)."),
)


def day_in_line_text(texts: Localized, not_before: date, now: datetime) -> str:
    days = (not_before - texts.local(now).date()).days
    return texts(_SENTENCES[min(max(days, 0), 2)], day=texts.weekday(not_before))

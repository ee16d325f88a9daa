"""A due claim's place in line among those of its account, the day before which it is not tried, and what is said of it.

The day is an estimate by `recours.operations.plan`, over the claims of this account alone: others, which share the batches
of runs, can only delay it. Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from recours.core.claim import Claim, Stage, urgency
from recours.core.localized import Localized
from recours.operations.plan import AccountFacts, Simulation, Terms, coming_runs
from recours.operations.position import Closing, Position, Why, closing_of

# How far ahead a claim's turn is looked for.
AHEAD = timedelta(days=14)
# More claims before it are "more than" so many.
MOST_BEFORE = 1000


@dataclass(frozen=True)
class Place:
    """The place of a claim that has to wait for its turn, or may have to.

    `before`: due claims of the same account, of both workers, that are more urgent; MOST_BEFORE: so many or more.
    """

    before: int
    not_before: date | None = None  # no run tries it on an earlier day; None: its worker does not run


def place_of(
    claim_id: Any,
    where: Position,
    claims: Sequence[Claim],
    account: AccountFacts,
    terms: Terms,
    now: datetime,
) -> Place | None:
    """The place of a claim that stands in line; None: the first run that may ask its carrier tries it.

    `claims`: it and the most urgent ones of its account, as by `as_planned`.
    """
    claims = sorted(claims, key=lambda claim: claim.id)
    number = next(number for number, claim in enumerate(claims) if claim.id == claim_id)
    orders = [(urgency(claim.state, now), claim.id) for claim in claims]
    before = min(sum(order < orders[number] for order in orders), MOST_BEFORE)
    stage = Stage.NEW if claims[number].is_pending else Stage.READY
    opens_at = max(where.next_at or now, now)
    until = now + AHEAD
    runs = coming_runs(terms, now, until)
    if all(worker.stage is not stage for _, worker in runs):
        return Place(before)
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
    return Place(before, until.astimezone(terms.policy.zone).date())


def has_place(where: Position) -> bool:
    """Tell whether a claim stands in line: it is due, and its carrier takes calls, or does by itself when time has passed."""
    takes_calls = where.refusal is None or closing_of(where.refusal) is Closing.LIMIT
    is_open = where.why in (Why.NEW, Why.DUE) or (where.why is Why.CLOSED and takes_calls)
    return where.is_due and where.asks and is_open


# ---------------------------------------------------------------- in words

# How many claims go before one: none, one, several, so many or more.
BEFORE = {
    "en": (
        "No claim goes before it",
        "1 claim goes before it",
        "{count} claims go before it",
        "{count} claims or more go before it",
    ),
    "fr": (
        "Aucune réclamation ne passe avant elle",
        "1 réclamation passe avant elle",
        "{count} réclamations passent avant elle",
        "{count} réclamations ou plus passent avant elle",
    ),
}

# The day before which it is not tried: today, tomorrow, another day.
WHEN = {
    "en": ("; its turn may come today", "; not before tomorrow (estimate)", "; not before {day} (estimate)"),
    "fr": (
        " ; son tour peut venir aujourd'hui",
        " ; pas avant demain (estimation)",
        " ; pas avant le {day} (estimation)",
    ),
}


def place_text(texts: Localized, place: Place, now: datetime) -> str:
    """Such as `12 claims go before it; not before Tuesday 1 December (estimate).`."""
    form = BEFORE[texts.language][3 if place.before == MOST_BEFORE else min(place.before, 2)]
    before = form.format(count=texts.number(place.before))
    if place.not_before is None:
        return f"{before}."
    days = (place.not_before - texts.local(now).date()).days
    return (
        f"{before}{WHEN[texts.language][min(max(days, 0), 2)].format(day=texts.weekday(place.not_before))}."
    )

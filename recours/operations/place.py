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
from recours.core.pauses import Refusal
from recours.operations.plan import AccountFacts, Simulation, Terms, coming_runs
from recours.operations.position import Closing, Position, Why, closing_of
from recours.runs.lane import lane_key

# How far ahead a claim's turn is looked for.
AHEAD = timedelta(days=14)
# More claims before it are "more than" so many.
MOST_BEFORE = 1000


@dataclass(frozen=True)
class Place:
    """`before`: due claims of the same account, of both workers, that are more urgent; no more than MOST_BEFORE are counted."""

    before: int
    is_more: bool = False  # than that
    not_before: date | None = None  # no run tries it on an earlier day; None: its worker does not run
    is_next: bool = False  # the first run that may ask its carrier tries it

    @property
    def makes_wait(self) -> bool:
        """Tell whether it has to wait for its turn, or may have to."""
        return not self.is_next


def place_of(
    claim_id: Any,
    where: Position,
    claims: Sequence[Claim],
    account: AccountFacts,
    terms: Terms,
    now: datetime,
) -> Place:
    """The place of a claim that stands in line. `claims`: it and the most urgent ones of its account, as by `as_planned`."""
    claims = sorted(claims, key=lambda claim: claim.id)
    number = next(number for number, claim in enumerate(claims) if claim.id == claim_id)
    orders = [(urgency(claim.state, now), claim.id) for claim in claims]
    before = sum(order < orders[number] for order in orders)
    stage = Stage.NEW if claims[number].is_pending else Stage.READY
    opens_at = max(where.next_at or now, now)
    until = now + AHEAD
    runs = coming_runs(terms, now, until)
    simulation = Simulation(claims, {lane_key(claims[number]): account}, terms, now, until)
    is_next = True
    not_before = until if any(worker.stage is stage for _, worker in runs) else None
    for at, worker in runs:
        simulation.run(worker, at)
        if number in simulation.first_attempts:
            not_before = at
            break
        is_next = is_next and not (worker.stage is stage and at >= opens_at)
    return Place(
        before=min(before, MOST_BEFORE),
        is_more=before > MOST_BEFORE,
        not_before=not_before.astimezone(terms.policy.zone).date() if not_before else None,
        is_next=is_next and not_before is not None,
    )


def has_place(where: Position) -> bool:
    """Tell whether a claim stands in line: it is due, and its carrier takes calls, or does by itself when time has passed."""
    if not (where.is_due and where.asks):
        return False
    return where.why in (Why.NEW, Why.DUE) or (where.why is Why.CLOSED and _passes(where.refusal))


def _passes(refusal: Refusal | None) -> bool:
    return refusal is not None and closing_of(refusal) is Closing.LIMIT


# ---------------------------------------------------------------- in words

# How many claims go before one: none, one, several, more than are counted.
BEFORE = {
    "en": (
        "No claim goes before it",
        "1 claim goes before it",
        "{count} claims go before it",
        "More than {count} claims go before it",
    ),
    "fr": (
        "Aucune réclamation ne passe avant elle",
        "1 réclamation passe avant elle",
        "{count} réclamations passent avant elle",
        "Plus de {count} réclamations passent avant elle",
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
    """`12 claims go before it; not before Tuesday 1 December (estimate).`; "": it does not have to wait."""
    if not place.makes_wait:
        return ""
    form = BEFORE[texts.language][3 if place.is_more else min(place.before, 2)]
    return f"{form.format(count=texts.number(place.before))}{_when(texts, place, now)}."


def _when(texts: Localized, place: Place, now: datetime) -> str:
    if place.not_before is None:
        return ""
    days = (place.not_before - texts.local(now).date()).days
    return WHEN[texts.language][min(max(days, 0), 2)].format(day=texts.weekday(place.not_before))

"""A due claim's place in line, among those of its carrier, and what is said of it. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from recours.core.localized import Localized
from recours.core.pauses import Refusal
from recours.operations.position import Closing, Position, Why, closing_of

# How far ahead a claim's turn is looked for.
AHEAD = timedelta(hours=48)
# More claims before it are "more than" so many.
MOST_BEFORE = 1000


@dataclass(frozen=True)
class Place:
    """`before`: due claims of the same carrier, of both workers, that are more urgent; no more than MOST_BEFORE are counted."""

    before: int
    is_more: bool = False  # than that
    expected_at: datetime | None = None  # when the run begins that tries it; None: not foreseen
    is_far: bool = False  # no run within AHEAD tries it
    is_next: bool = False  # the first run that may ask its carrier tries it

    @property
    def makes_wait(self) -> bool:
        """Tell whether it has to wait for its turn, or may have to."""
        return not self.is_next and (self.before > 0 or self.is_far or self.expected_at is not None)


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

# When it is tried: today, tomorrow, on another day, or not as far as is foreseen.
WHEN = {
    "en": (
        "; at this pace its turn comes today at about {time}",
        "; at this pace its turn comes tomorrow at about {time}",
        "; at this pace its turn comes on {day} at about {time}",
        "; at this pace its turn does not come within {days} days",
    ),
    "fr": (
        " ; à ce rythme, son tour viendra aujourd'hui vers {time}",
        " ; à ce rythme, son tour viendra demain vers {time}",
        " ; à ce rythme, son tour viendra le {day} vers {time}",
        " ; à ce rythme, son tour ne viendra pas avant {days} jours",
    ),
}


def place_text(texts: Localized, place: Place, now: datetime) -> str:
    """`12 claims go before it; at this pace its turn comes tomorrow at about 09:00 CET.`; "": there is nothing to wait for."""
    if not place.makes_wait:
        return ""
    form = BEFORE[texts.language][3 if place.is_more else min(place.before, 2)]
    return f"{form.format(count=texts.number(place.before))}{_when(texts, place, now)}."


def _when(texts: Localized, place: Place, now: datetime) -> str:
    today, tomorrow, later, far = WHEN[texts.language]
    if place.is_far:
        return far.format(days=AHEAD // timedelta(days=1))
    if place.expected_at is None:
        return ""
    at = place.expected_at
    days = (texts.local(at).date() - texts.local(now).date()).days
    form = (today, tomorrow, later)[min(max(days, 0), 2)]
    return form.format(day=texts.day(at), time=texts.time(at))

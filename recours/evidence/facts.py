"""Reads the facts beside a document's labels: the signatory, the time, the place and the parcel's number.

A missing name is better than a wrong name. A text that may be a company, a place or a label is not a signatory.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

from recours.core.evidence import Expected
from recours.evidence import labels
from recours.evidence.dates import dates_in, read_date, read_time
from recours.evidence.labels import Fact
from recours.evidence.names import TOWN, name_of, town_of
from recours.evidence.page import Cells, FieldValue, Page, is_label, states_delivery
from recours.evidence.phrases import DONE
from recours.evidence.reading import Row
from recours.evidence.rows import ASKEW, fold
from recours.evidence.statements import find_delivery

_LONGEST_NAME = 60
_ENGLISH = re.compile(r"deliver|date|signed|received|time")
_COUNTRY = re.compile(r"[^\W\d_], [A-Z]{2}$")  # "LILLE, FR"
# "à 59000 LILLE" and "in LILLE (59000)" certainly name a town. Without a postcode, the text may be a person or a door.
_POST_CODE = r"(?:[a-z]{1,2}-)?(?!(?:19|20)\d\d\b)\d{4,5}\b"
_IN_TOWN = re.compile(
    rf"(?:^|[\s,])(?:in|at|a|en|te) (?P<town>{_POST_CODE} [a-z][a-z' -]{{1,60}}|[a-z][a-z' -]{{1,40}} ?\({_POST_CODE}\))"
)
# "in LILLE zugestellt", "in Lille on 5 October", "en MADRID el 5 de octubre".
_IN_PLACE = re.compile(
    r"(?:\b(?:in|en|te)|(?<=\d )(?:a|at)) (?P<town>[a-z'][a-z' -]{1,30}?)(?: (?:zugestellt|ausgeliefert|ubergeben|on|am|an|bei|el|y|et|e|and|und|bezorgd|afgeleverd|bij|door|is)\b|[.,;]|$)"
)
_CAPITAL = "A-ZÀ-ÖØ-Þ"
# The end of an event, such as "Livré - LILLE" or "Delivered, SAINT-ÉTIENNE (42000)".
_ENDS_WITH_TOWN = re.compile(
    rf"(?:^|[\s(])(?P<town>[{_CAPITAL}][{_CAPITAL}'’\-]+(?: [{_CAPITAL}'’\-]{{2,}}){{0,4}})(?: ?\(\d{{4,5}}\))?[\s.)]*$"
)


@dataclass(frozen=True)
class DocumentFacts:
    signatory: str | None
    delivered: str | None
    place: str | None
    numbers: tuple[str, ...]  # texts after labels of parcel numbers, in upper case
    states_delivery: bool  # in a sentence, as a status ("Delivered") or in our row of a list
    is_dated_by_noun: bool  # the label of the date is a noun such as "delivery date": it may be planned
    is_dated: bool  # the statement of delivery has a date
    page: Page = field(repr=False)


def find_facts(rows: Sequence[Row], expected: Expected) -> DocumentFacts:
    """Return the facts about a parcel that a document states."""
    page = Page(rows, expected)
    delivered, place, label = _delivery(page)
    towns = (town_of(value.text) for candidates in page.values(Fact.PLACE) for value in candidates[:1])
    to = (value.text for candidates in page.values(Fact.TO) for value in candidates[:1])
    written_as_towns = (town_of(text) for text in to if TOWN.search(text) or _COUNTRY.search(text))
    return DocumentFacts(
        _signatory(page),
        delivered,
        next(filter(None, [*towns, place, *written_as_towns]), None) or _place_in_sentence(page),
        tuple(value.text.upper() for candidates in page.values(Fact.NUMBER) for value in candidates[:2])
        + tuple(page.unlabeled_numbers()),
        page.last_statement is not None,
        bool(label) and not find_delivery(label) and not DONE.search(label),
        page.is_dated(),
        page,
    )


def _signatory(page: Page) -> str | None:
    names = (name_of(value.text) for candidates in page.values(Fact.SIGNATORY) for value in candidates[:1])
    return next(filter(None, names), None)


def _delivery(page: Page) -> tuple[str | None, str | None, str]:
    """Return when the parcel was delivered, the town if an event names it, and the label of the date."""
    # A date labeled just "Date" is the date of the signature if the document has no other date.
    dates = dates_in("\n".join(cell.folded for cells in page.rows for cell in cells))
    is_signed_on_one_date = len(dates) == 1 and _signatory(page) is not None
    for kind in (Fact.DELIVERED, Fact.DATE):
        for candidates in page.values(kind):
            for value in candidates:
                if kind is Fact.DATE and not is_signed_on_one_date:
                    continue
                english = page.may_have_months_first and _ENGLISH.search(value.label) is not None
                if date := read_date(value.folded, month_may_be_first=english):
                    day = date[0] if "T" in date[0] else _with_time(date[0], value, page)
                    return day, None, value.label
    in_event, place = _date_in_event(page)
    return in_event or _date_in_sentence(page), place, ""


def _date_in_sentence(page: Page) -> str | None:
    """Return the date in a sentence such as "was delivered on 5 October 2026". The date may also precede the verb."""
    for statement in page.statements:
        for start, end in (
            (statement.participle_end, statement.end),
            (statement.start, statement.participle),
        ):
            text = page.folded[start:end]
            date = read_date(text, month_may_be_first=page.may_have_months_first)
            if date:
                return date[0]
    return None


def _date_in_event(page: Page) -> tuple[str | None, str | None]:
    """Return the date and place of a delivery in a row such as "05/10/2026 your parcel is delivered LILLE"."""
    events = [page.rows[at] for at in sorted(page.events - page.excluded_rows)]
    for row in filter(states_delivery, events):
        text = " ".join(cell.folded for cell in row)
        if date := read_date(text, month_may_be_first=page.may_have_months_first):
            times = (read_time(cell.folded) for cell in row)
            of_day = next((time[0] for time in times if time and "T" not in date[0]), None)
            day = f"{date[0]}T{of_day:%H:%M}" if of_day else date[0]
            columns = [at for event in events if not states_delivery(event) for at, _ in _towns(event)]
            places = (town for at, town in _towns(row) if any(abs(at - other) <= ASKEW for other in columns))
            return day, next(places, None)
    return None, None


def _place_in_sentence(page: Page) -> str | None:
    """Return the town in a cell such as "à 59000 LILLE", or a sentence such as "was delivered in 59000 LILLE"."""
    for cell in chain(*page.rows):
        if (match := _IN_TOWN.match(cell.folded)) and (
            town := town_of(cell.text[slice(*match.span("town"))])
        ):
            return town
    for statement in page.statements:
        for pattern in (_IN_TOWN, _IN_PLACE):
            for match in pattern.finditer(page.folded, statement.start, statement.end):
                if town := town_of(page.text[slice(*match.span("town"))]):
                    return town
    return None


def _with_time(day: str, value: FieldValue, page: Page) -> str:
    """Return the day, with the time if the time is in the next cell or has its own label."""
    beside = page.rows[value.row][value.cell + 1 : value.cell + 2]
    candidates = [cell.folded for cell in beside if not is_label(cell)]
    candidates += [time.folded for values in page.values(Fact.TIME) for time in values[:1]]
    for text in candidates:
        if clock := read_time(text):
            return f"{day}T{clock[0]:%H:%M}"
    return day


def _towns(event: Cells) -> Iterator[tuple[float, str]]:
    """Yield texts that look like towns at the end of an event's cells, with the positions of the cells."""
    for cell in event:
        match = _ENDS_WITH_TOWN.search(cell.text, max(0, len(cell.text) - _LONGEST_NAME))
        if (
            match
            and labels.NO_NAMES.isdisjoint(re.split(r"[\W_]+", fold(match["town"])))
            and (town := town_of(match["town"]))
        ):
            yield cell.at, town

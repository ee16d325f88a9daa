"""The facts that a document's labels tell: who signed, when, where, and which parcel's number.

No name is better than a wrong one: what could be a firm, a place or another label is no signatory.
"""

import re
import unicodedata
from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import chain, takewhile

from recours.core.appraisal import Expected
from recours.core.text import clean
from recours.documents import labels, numbers
from recours.documents.dates import MONTH, begins_with_date, dates_in, read_date, read_time
from recours.documents.labels import FactLabel, Kind, labels_in
from recours.documents.phrases import (
    DELIVERED,
    DONE,
    NOT_YET,
    OBJECTION,
    OF_ALL,
    ON_ITS_WAY,
    STATUS,
    STATUS_ON_ITS_WAY,
    UNDELIVERED,
)
from recours.documents.reading import MOST_TEXT, Cell, Row
from recours.documents.statements import Statement, Weight, is_denied, objections, stated, statements

_LONGEST_NAME = 60
_LONG_LINE = 40  # characters of a line that may go on
_LONGEST_IN_PARTS = 5
_MOST_CELLS = 50  # of a row
_MOST_ROWS = 50  # of a list
_LONGEST_STATUS = 25  # characters
_FEWEST_BLANKS = 5  # of a cell that is prose
_FEWEST_SEPARATED = 3
_SEPARATOR = re.compile(r" [·•|] |;(?=\S)")
_SENTENCE_ENDS = re.compile(r"[.;!?|]\s")
# The end of a line whose sentence continues on the next one with a date or a number.
_GOES_ON = re.compile(
    r"(?<!\d )\b(?:le|on|am|el|il|op|den|om|um|at|ore|las|colis|envoi|parcel|shipment|item|pakets?|sendung|paquete|envio|pacco|spedizione|invio|pakket|zending)\s*$"
)
# Another's words: of three words at least. A name may stand in quotes too.
_QUOTED = re.compile(r"[\"„“”«»][^\"„“”«»]{3,}?[\s ][^\"„“”«»]*?[\s ][^\"„“”«»]*[\"“”«»]")
_MOMENT = re.compile(rf"\d[./-]\d|\d(?:\.|er|st|nd|rd|th)? (?:de |of )?(?:{MONTH})\b|\b\d\d? ?[:h]\d\d")
_LONG_WORD = re.compile(r"\b[A-Z]*\d[A-Z\d]{7,}\b")
_LINE_TO_FILL = re.compile(r"(?:[._…] ?){4,}")
_UNDERSCORE = re.compile(r"(?<=[a-z])_(?=[a-z])")
_TICK = re.compile(r"[●✔✓☑☒✅✗]")
_UNTICKED = re.compile(r"(?:[○◯☐□▢❏]|\[ ?\](?=\s))[^○◯☐□▢❏●✔✓☑☒✅\[]*")
_IDENTIFIER = re.compile(r"[a-z]+(?:[A-Z][a-z]+)+")
_CAPITAL_WITHIN = re.compile(r"(?<=[a-z])(?=[A-Z])")
_MOST_READ = 400  # characters of a cell that one value is looked for in
_MONTH_FIRST = frozenset({"ups", "fedex"})  # carriers that also print 10/05/2026 for the 5th of October
_ENGLISH = re.compile(r"deliver|date|signed|received|time")

_WORD = re.compile(r"['’]?[^\W\d_]+(?:['’.\-][^\W\d_]*)*")
# Where a name ends that stands in a sentence.
_NAME_ENDS = re.compile(
    r"[,;:()/|\n\d\"<>*]|(?<=\w\w\w)(?<!Mme)(?<!Mlle)(?<!Mrs)(?<!Sig)(?<!Sra)(?<!Mevr)(?<!Dhr)\.\s|\s[-–]\s|\s(?:on|at|in|le|à|am|um|the|was|est|wurde|for|pour|date|el|en|il|op|om|te|presso|from|desde|aus|dal|uit|who|qui|che)\s",
)
_FILLED = re.compile(r"\w|(?:[.…\-–*/] ?){2}")  # of a field, behind "Delivered": a single dot ends a sentence
_ALNUM = re.compile(r"[^\W_]+")
_FILLERS = re.compile(r"^[\s:._\-–*]+|[\s:._\-–*]+$")
_TOWN = re.compile(r"(?:^|[\s,(])(?:[A-Z]{1,2}-)?\d{4,5}\s+(?P<town>[^\W\d_][^\d,;()/|]*)")
_COUNTRY = re.compile(r"[^\W\d_], [A-Z]{2}$")  # "LILLE, FR"
_TOWN_ENDS = re.compile(
    r"\s*[,;:()/|\d]|\s[-–]\s|\.\s"
    r"|\s(?:on|at|and|et|und|le|the|by|par|von|signed|am|contre|avec|sans|pour|against|with|without|to|gegen|mit|ohne|zugestellt|ausgeliefert)(?:\s|$)"
)
# What stands before the date of a sentence.
_ON = re.compile(r"\b(?:le|on|am|el|il|op|dia|since|of)\b ?(?:dia )?")
# "à 59000 LILLE", "in LILLE (59000)": a town for sure; without the post code it may be a person, or a door.
_POST_CODE = r"(?:[a-z]{1,2}-)?(?!(?:19|20)\d\d\b)\d{4,5}\b"
_IN_TOWN = re.compile(
    rf"(?:^|[\s,])(?:in|at|a|en|te) (?P<town>{_POST_CODE} [a-z][a-z' -]{{1,60}}|[a-z][a-z' -]{{1,40}} ?\({_POST_CODE}\))"
)
# "in LILLE zugestellt", "in Lille on 5 October", "en MADRID el 5 de octubre".
_IN_PLACE = re.compile(
    r"(?:\b(?:in|en|te)|(?<=\d )(?:a|at)) (?P<town>[a-z'][a-z' -]{1,30}?)(?: (?:zugestellt|ausgeliefert|ubergeben|on|am|an|bei|el|y|et|e|and|und|bezorgd|afgeleverd|bij|door|is)\b|[.,;]|$)"
)
_CAPITAL = "A-ZÀ-ÖØ-Þ"
# The end of an event: "Livré - LILLE", "Delivered, SAINT-ÉTIENNE (42000)".
_ENDS_WITH_TOWN = re.compile(
    rf"(?:^|[\s(])(?P<town>[{_CAPITAL}][{_CAPITAL}'’\-]+(?: [{_CAPITAL}'’\-]{{2,}}){{0,4}})(?: ?\(\d{{4,5}}\))?[\s.)]*$"
)


@dataclass(frozen=True)
class DocumentFacts:
    signatory: str | None
    delivered: str | None
    place: str | None
    numbers: tuple[str, ...]  # what stands behind labels of parcel numbers, upper case
    states_delivery: bool  # by a sentence, a status ("Delivered"), or our row of a list
    is_on_its_way: bool  # it says so, of now or of an earlier day
    is_dated_by_noun: bool  # the date stands behind "delivery date", which may be that of a plan
    is_vague: bool  # what it states is of no parcel and no day
    is_contradicted: bool  # the last that it says of the parcel is that it did not arrive, or came back


@dataclass(frozen=True)
class _Text:
    """A cell of the document, with its labels found once."""

    text: str
    folded: str
    labels: list[FactLabel]
    at: float


def fold(text: str) -> str:
    """Lower case without accents, and as long as the text: a place in one is the same place in the other."""
    if text.isascii():
        return text.lower()
    return text.translate({ord(char): _plain(char) for char in set(text)})


@lru_cache(maxsize=1000)
def _plain(char: str) -> str:
    if char in "’‘´`":
        return "'"
    base = unicodedata.normalize("NFKD", char)[0].lower()
    return base if len(base) == 1 else char


def find_facts(rows: Sequence[Row], expected: Expected) -> DocumentFacts:
    """What the labels on a document tell of a parcel."""
    page = _Page(rows, expected)
    delivered, place, label = _delivery(page)
    signatories = page.values(Kind.SIGNATORY)
    names = (_name(value.text) for candidates in signatories for value in candidates[:1])
    towns = (_town(value.text) for candidates in page.values(Kind.PLACE) for value in candidates[:1])
    to = (value.text for candidates in page.values(Kind.TO) for value in candidates[:1])
    written_as_towns = (_town(text) for text in to if _TOWN.search(text) or _COUNTRY.search(text))
    return DocumentFacts(
        next(filter(None, names), None),
        delivered,
        next(filter(None, [*towns, place, *written_as_towns]), None) or _stated_place(page),
        tuple(value.text.upper() for candidates in page.values(Kind.NUMBER) for value in candidates[:2]),
        not page.has_status_on_its_way and page.last_statement is not None,
        ON_ITS_WAY.search(page.folded) is not None,
        bool(label) and not stated(label) and not DONE.search(label),
        page.is_vague(),
        page.is_contradicted(),
    )


def _delivery(page: "_Page") -> tuple[str | None, str | None, str]:
    """When the parcel was handed over, in which town if an event says so, and the date's label."""
    for kind in (Kind.DELIVERED, Kind.DATE):
        for candidates in page.values(kind):
            for value in candidates:
                if kind is Kind.DATE and not page.is_signed_on_one_date:
                    continue
                english = page.may_have_months_first and _ENGLISH.search(value.label) is not None
                if date := read_date(value.folded, month_may_be_first=english):
                    day = date[0] if "T" in date[0] else _with_time(date[0], value, page)
                    return day, None, value.label
    if day_of_sentence := _in_a_sentence(page):
        return day_of_sentence, None, ""
    in_event, place = _in_an_event(page)
    return in_event or _behind_signatory(page), place, ""


def _in_a_sentence(page: "_Page") -> str | None:
    """The time in "was delivered to a neighbour on 5 October 2026", over several lines; it may stand before the participle."""
    for stated_in in page.statements:
        for start, end in ((stated_in.behind, stated_in.end), (stated_in.start, stated_in.said)):
            for on in _ON.finditer(page.folded, start, end):
                rest = page.folded[on.end() : on.end() + 60]
                if begins_with_date(rest) and (
                    date := read_date(rest, month_may_be_first=page.may_have_months_first)
                ):
                    return date[0]
    return None


def _behind_signatory(page: "_Page") -> str | None:
    """The time in "received by DUPONT, 5 October 2026, 10:31"."""
    for value in (candidates[0] for candidates in page.values(Kind.SIGNATORY) if candidates):
        _, comma, behind = value.folded[:_MOST_READ].partition(", ")
        if comma and _name(value.text) and begins_with_date(behind):
            date = read_date(behind, month_may_be_first=page.may_have_months_first)
            return date[0] if date else None
    return None


def _in_an_event(page: "_Page") -> tuple[str | None, str | None]:
    """Time and place of an event that says so: a row with a date, and "your parcel is delivered"."""
    events = [page.rows[at] for at in sorted(page.events - page.left_out)]
    for row in filter(_states_delivery, events):
        text = " ".join(cell.folded for cell in row)
        if date := read_date(text, month_may_be_first=page.may_have_months_first):
            times = (read_time(cell.folded) for cell in row)
            of_day = next((time[0] for time in times if time and "T" not in date[0]), None)
            day = f"{date[0]}T{of_day:%H:%M}" if of_day else date[0]
            others = [at for event in events if not _states_delivery(event) for at, _ in _towns(event)]
            places = (town for at, town in _towns(row) if any(abs(at - other) <= _ASKEW for other in others))
            return day, next(places, None)
    return None, None


def _stated_place(page: "_Page") -> str | None:
    """The town in "was delivered to DUPONT in 59000 LILLE", before the date or behind it, or in a cell "à 59000 LILLE"."""
    for cell in chain(*page.rows):
        if (match := _IN_TOWN.match(cell.folded)) and (town := _town(cell.text[slice(*match.span("town"))])):
            return town
    for stated_in in page.statements:
        for pattern in (_IN_TOWN, _IN_PLACE):
            for match in pattern.finditer(page.folded, stated_in.start, stated_in.end):
                if town := _town(page.text[slice(*match.span("town"))]):
                    return town
    return None


def _visible(cell: Cell) -> Cell:
    """A cell without what it quotes, without boxes that are not ticked, and with the words of an identifier apart."""
    text = _TICK.sub("", _UNTICKED.sub("", _QUOTED.sub(" ", cell.text)))
    text = _UNDERSCORE.sub(" ", _LINE_TO_FILL.sub("____", text))
    if _IDENTIFIER.fullmatch(text):
        text = _CAPITAL_WITHIN.sub(" ", text)
    return Cell(text.strip(), cell.at)


def _separated(row: Row) -> Row:
    """The cells of a line that sets them apart by signs: "1234 · DELIVERED · 5 Oct 2026"."""
    parts = _SEPARATOR.split(row[0].text) if len(row) == 1 else []
    if len(parts) < _FEWEST_SEPARATED:
        return row
    return tuple(Cell(part.strip(), 100.0 * at) for at, part in enumerate(parts))


def unwrapped(rows: Sequence[Row]) -> list[Row]:
    """The rows, each joined with the rows that continue its sentence, its date or its table cells."""
    whole: list[Row] = []
    for row in map(_separated, rows):
        cells = [cell for cell in row if cell.text.strip()]
        above = list(whole[-1]) if whole else []
        of_above = [_goes_on(above, cell, is_first=not at) for at, cell in enumerate(cells)]
        if cells and None not in of_above:
            for cell, at in zip(cells, of_above, strict=True):
                above[at or 0] = _joined(above[at or 0], cell)
            whole[-1] = tuple(above)
        elif len(above) <= 2 and len(cells) == 2 and of_above[1] is not None and _is_prose(above[-1].text):  # noqa: PLR2004
            # A column of prose beside fields.
            whole[-1:] = [
                *((cell,) for cell in above[:-1]),
                tuple(cells[:1]),
                (_joined(above[-1], cells[1]),),
            ]
        elif cells:
            whole.append(tuple(cells))
    visible = (tuple(cell for cell in map(_visible, row) if cell.text) for row in whole)
    return list(filter(None, visible))


def _joined(cell: Cell, behind: Cell) -> Cell:
    return Cell(f"{cell.text} {behind.text}", cell.at)


def _goes_on(above: list[Cell], cell: Cell, *, is_first: bool) -> int | None:
    """Which cell of the row above goes on in a cell below; None: none does."""
    if not above:
        return None
    nearest = min(range(len(above)), key=lambda at: abs(above[at].at - cell.at))
    before, text = fold(above[nearest].text[-25:]), fold(cell.text[:25])
    is_lower = cell.text[0].islower()
    if abs(above[nearest].at - cell.at) > _ASKEW:
        return None
    is_cut = (
        bool(dates_in(f"{before} {text}")) > bool(dates_in(before) or dates_in(text))
        or (_GOES_ON.search(before) and (begins_with_date(text) or not is_lower))
        or (before[-1] == "," and begins_with_date(text))
    )
    if is_cut:
        return nearest
    if before[-1] in ".:;!?":
        return None
    if len(above) == 1:
        is_line = len(above[0].text) >= _LONG_LINE or _is_prose(above[0].text)
        return nearest if is_line and is_lower else None
    is_field = len(above) == 2 and bool(labels_in(fold(above[0].text)))  # noqa: PLR2004 (a label and its value)
    time = read_time(text)
    is_time = time is not None and time[1] == len(text) and bool(dates_in(before))
    is_wrapped = bool(nearest) and is_first and not is_field and not any(map(str.isdigit, text))
    return (
        nearest
        if is_time or is_wrapped or (is_lower and (not is_field or _is_prose(above[nearest].text)))
        else None
    )


# ---------------------------------------------------------------- where a label's value stands

_ASKEW = 15  # points between the beginnings of a heading and of what stands below it


@dataclass(frozen=True)
class _Value:
    text: str
    folded: str
    label: str  # folded
    row: int
    cell: int


class _Page:
    """A document whose labels are found."""

    def __init__(self, rows: Sequence[Row], expected: Expected) -> None:
        self.rows = [
            [
                _Text(cell.text, folded := fold(cell.text), labels_in(folded), cell.at)
                for cell in row[:_MOST_CELLS]
            ]
            for row in unwrapped(rows)
        ]
        self._number = expected.number
        self.may_have_months_first = expected.carrier in _MONTH_FIRST
        self._own = [
            row
            for row, cells in enumerate(self.rows)
            if expected.number
            and numbers.shows(" ".join(cell.text for cell in cells).upper(), expected.number)
        ]
        self._all = range(len(self.rows))
        self.events = set(filter(self._is_event, self._all))
        self._own_row, self._other_rows = self._listed()
        span = self._all if self._own_row is not None else self._own_span()
        # What they say is not of our parcel, or has not happened.
        self.left_out = {
            row for row in self._all if row not in span or self._is_step(row) or self._is_row_of_another(row)
        }
        self._offsets: list[int] = []
        self.text = self._in_lines()
        self.folded = fold(self.text)
        self.statements = self._statements(fold(expected.number))
        self.last_statement = self._last_statement()
        self.has_status_on_its_way = STATUS_ON_ITS_WAY.search(self.folded) is not None

    def _statements(self, number: str) -> list[Statement]:
        """Those about our parcel first, and none about another where ours is named too."""
        relevant = [
            each
            for each in statements(self.folded, number)
            if not self._is_of_another(self.folded[each.start : each.end])
        ]
        return sorted(relevant, key=lambda each: number not in self.folded[each.start : each.end])

    def _last_statement(self) -> int | None:
        """Where the text says for the last time that something was delivered; None: nowhere."""
        places = [each.said for each in self.statements]
        places += [self._offsets[row] for row in self._all if self.has_status(row)]
        if self._own_row is not None:
            return self._offsets[self._own_row] if self._says_own_row_so() else None
        return max(places, default=None)

    def is_vague(self) -> bool:
        """Tell whether only sentences without our number, and without a day, say that something was delivered."""
        sentences = (self.folded[each.start : each.end] for each in self.statements)
        return (
            bool(self.statements)
            and self._own_row is None
            and not any(map(self.has_status, self._all))
            and not any(
                _MOMENT.search(each)
                or numbers.shows(each.upper(), self._number)
                or STATUS.search(each[-_LONGEST_STATUS:])
                for each in sentences
            )
        )

    def is_contradicted(self) -> bool:
        """Tell whether the last that is said of our parcel is that it did not arrive."""
        if self._own_row is not None and not self._says_own_row_so():
            return True
        last = self.last_statement
        if last is None or self._own_row is not None:
            last = max(
                (self._offsets[row] for row in self._all if self._has(row, Kind.DELIVERED)), default=-1
            )
            is_prose = False
        else:
            is_prose = any(each.said == last for each in self.statements)
        for place, weight in objections(self.folded):
            row = bisect(self._offsets, place) - 1
            is_event = row in self.events or (
                len(self.rows[row]) > 1 and not any(_is_prose(cell.text) for cell in self.rows[row])
            )
            is_final = weight is Weight.RETURNED or (weight is Weight.CLAIMED and not is_prose)
            if not is_event and (place > last or is_final):
                return True
        return self._ends_with_another_event()

    def _ends_with_another_event(self) -> bool:
        """Tell whether a later event than the delivery says that the parcel is elsewhere."""
        days: dict[bool, str] = {}
        for row in self.events - self.left_out:
            cells = self.rows[row]
            text = " ".join(cell.folded for cell in cells)
            is_delivery = _states_delivery(cells)
            date = read_date(text, month_may_be_first=self.may_have_months_first)
            if date and (is_delivery or OBJECTION.search(text) or ON_ITS_WAY.search(text)):
                days[is_delivery] = max(date[0], days.get(is_delivery, ""))
        return True in days and False in days and days[False][:10] > days[True][:10]

    def _listed(self) -> tuple[int | None, list[int]]:
        """Our row in a list of several parcels, each with its number in the same column, and the others; None: there is no list."""
        rows = [row for row in self._all if len(self.rows[row]) > 1 and not self._is_field(row)]
        for row in filter(self._own.__contains__, rows):
            for cell in self.rows[row]:
                if not numbers.shows(cell.text.upper(), self._number):
                    continue
                others = [
                    at
                    for at in rows
                    if at not in self._own
                    and any(
                        abs(other.at - cell.at) <= _ASKEW and numbers.is_like(other.text, self._number)
                        for other in self.rows[at]
                    )
                ]
                if others:
                    return row, others
        return None, []

    def _is_field(self, row: int) -> bool:
        return any(
            _is_label(cell)
            and cell.labels[0].kind in (Kind.NUMBER, Kind.OTHER)
            and not _FILLERS.sub("", cell.text[cell.labels[0].end :])
            for cell in self.rows[row]
        )

    def _says_own_row_so(self) -> bool:
        """Tell whether our row of a list says that our parcel was delivered; where no row says so, the text speaks for all."""
        if self._own_row is None:
            return False
        return self._tells_of_delivery(self._own_row) or (
            (
                any(OF_ALL.search(self.folded, each.start, each.end) for each in self.statements)
                or any(dates_in(value.folded) for each in self.values(Kind.DELIVERED) for value in each)
            )
            and not any(map(self._tells_of_delivery, self._other_rows))
        )

    def _tells_of_delivery(self, row: int) -> bool:
        """Tell whether a row of a list says so, or has a value in a column of the day of delivery or of who signed."""
        cells = self.rows[row]
        if any(UNDELIVERED.search(cell.folded) for cell in cells):
            return False
        said = (DELIVERED.search(cell.folded) for cell in cells)
        if any(
            match and not is_denied(match.string[: match.start()], match.string[match.end() :])
            for match in said
        ):
            return True
        values = [
            _behind(cell, number)
            for cell in cells
            for number, label in enumerate(cell.labels)
            if label.kind is Kind.SIGNATORY
        ]
        for heading in chain(*self.rows[: min([row, *self._other_rows])]):
            kinds = {
                label.kind for label in heading.labels if not _FILLERS.sub("", heading.text[label.end :])
            }
            if kinds & {Kind.DELIVERED, Kind.SIGNATORY}:
                values += [cell.text for cell in cells if abs(cell.at - heading.at) <= _ASKEW]
        return any(_name(value) or dates_in(fold(value)) or read_time(fold(value)) for value in values)

    def _is_of_another(self, text: str, *labelled: str) -> bool:
        """Tell whether a sentence or a row names another parcel, and ours is named elsewhere."""
        upper = text.upper()
        return (
            bool(self._own)
            and (
                numbers.another(labelled, upper, self._number) is not None
                or any(numbers.is_like(word, self._number) for word in _LONG_WORD.findall(upper))
            )
            and not numbers.shows(upper, self._number)
        )

    def _is_row_of_another(self, row: int) -> bool:
        cells = self.rows[row]
        first = cells[0].text.upper()
        is_number = len(cells) > 1 and first.isalnum() and len(first) == len(self._number)
        return self._is_of_another(" ".join(cell.text for cell in cells), *[first] * is_number)

    def _own_span(self) -> range:
        """The rows that tell of our parcel, where each of several has a part of its own; else all."""
        if not self._own:
            return self._all
        own = self._own[0]
        others = [row for row in self._all if row not in self._own and self._has(row, Kind.NUMBER)]
        if others and not any(map(self._is_numbered, self._own)) and any(map(self._is_numbered, others)):
            return range(next(filter(self._is_numbered, others)))  # a fact beside a number is of that number
        start = own if others and others[0] < own else 0
        span = range(start, next((row for row in others if row > own), len(self.rows)))
        is_apart = any(self._has(row, Kind.SIGNATORY) or self._has(row, Kind.DELIVERED) for row in span)
        return span if is_apart else self._all

    def _is_numbered(self, row: int) -> bool:
        """Tell whether a row is the label of a parcel's number with one of this form."""
        cells = self.rows[row]
        if not (_is_label(cells[0]) and cells[0].labels[0].kind is Kind.NUMBER):
            return False
        return any(
            numbers.is_like(text, self._number)
            for text in (_behind(cells[0], 0), *(cell.text for cell in cells[1:2]))
        )

    def _is_event(self, row: int) -> bool:
        """Tell whether a row says when something happened: one with a date, or a line that begins with one."""
        cells = self.rows[row]
        if len(cells) > 1:
            return any(dates_in(cell.folded[:_MOST_READ]) for cell in cells)
        return begins_with_date(cells[0].folded)

    def _is_step(self, row: int) -> bool:
        """Tell whether "Delivered" is one of the steps of a bar of progress: beside it stands another, without a date."""
        near = [self.rows[at] for at in (row - 1, row, row + 1) if 0 <= at < len(self.rows)]
        return any(STATUS.fullmatch(_unnumbered(cell.folded)) for cell in self.rows[row]) and any(
            map(_is_undated_step, near)
        )

    def _has(self, row: int, kind: Kind) -> bool:
        return any(label.kind is kind for cell in self.rows[row] for label in cell.labels)

    @cached_property
    def is_signed_on_one_date(self) -> bool:
        """Tell whether a date with no other label than "Date" is that of the signature: it is the only one."""
        text = "\n".join(cell.folded for cells in self.rows for cell in cells)
        is_signed = any(_name(value.text) for values in self.values(Kind.SIGNATORY) for value in values[:1])
        return is_signed and len(dates_in(text)) == 1

    def values(self, kind: Kind) -> Iterator[list[_Value]]:
        """For each label of a kind what may be its value, the likeliest first."""
        for row in self._all if kind is Kind.NUMBER else sorted({*self._all} - self.left_out):
            for place, cell in enumerate(self.rows[row]):
                for number, label in enumerate(cell.labels):
                    if label.kind is kind and not self._is_planned(cell.folded, label):
                        yield self._values_of(row, place, number)

    def _is_planned(self, folded: str, label: FactLabel) -> bool:
        """Tell whether a label is of a plan, or of another parcel."""
        before = _SENTENCE_ENDS.split(folded[max(0, label.start - 160) : label.start])[-1]
        behind = _SENTENCE_ENDS.split(folded[label.end : label.end + 80])[0]
        is_of_ours = label.kind in (Kind.NUMBER, Kind.OTHER) or not self._is_of_another(before + behind)
        return not is_of_ours or is_denied(before, behind) or NOT_YET.search(behind) is not None

    def _values_of(self, row: int, place: int, number: int) -> list[_Value]:
        """What may be the value of a cell's label: behind it, beside it, or below it."""
        cell = self.rows[row][place]
        label, follows = cell.labels[number], cell.labels[number + 1 :]
        name = cell.folded[label.start : label.end]
        behind = _behind(cell, number)
        if not _is_blank(behind):
            return [_Value(behind, fold(behind), name, row, place)]
        if follows or _FILLERS.sub("", behind):
            return []
        near = self._around(row, place, label.kind is Kind.NUMBER)
        values = (
            _Value(self.rows[at][of].text[:_MOST_READ], self.rows[at][of].folded[:_MOST_READ], name, at, of)
            for at, of in near
        )
        return list(takewhile(lambda value: not _is_blank(value.text), values))

    def _around(self, row: int, place: int, is_number: bool) -> list[tuple[int, int]]:
        """What stands right of a label, or below it, and is no label itself; the likelier one first."""
        cells = self.rows[row]
        right = cells[place + 1] if place + 1 < len(cells) else None
        beside = [] if right is None or _is_label(right) else [(row, place + 1)]
        below = [] if row in self.events else self._below(row, cells[place].at)
        if self._own_row is not None and row < min([self._own_row, *self._other_rows]):
            own_cells = enumerate(self.rows[self._own_row])
            below = [
                (self._own_row, at) for at, cell in own_cells if abs(cell.at - cells[place].at) <= _ASKEW
            ]
        if len(below) > 1 and not is_number:  # of a list, the row of our parcel, or of its delivery
            own = [each for each in below if each[0] in self._own]
            below = own or [each for each in below if _states_delivery(self.rows[each[0]])]
        near = [*below[:1], *beside] if _is_heading(cells) else [*beside, *below[:1]]
        is_behind_value = not near and place == len(cells) - 1 == 1 and not _is_label(cells[0])
        return [(row, 0)] if is_behind_value else near  # in tables that are read from right to left

    def _is_left_blank(self, row: int, place: int, number: int) -> bool:
        """Tell whether a label has no value. "Delivered" by itself is a status, unless its field is filled with dots or "N/A"."""
        if self._values_of(row, place, number):
            return False
        cell = self.rows[row][place]
        near = self._around(row, place, is_number=False)
        return bool(
            not STATUS.fullmatch(cell.folded[cell.labels[number].start : cell.labels[number].end])
            or _FILLED.search(_behind(cell, number))
            or (near and number + 1 == len(cell.labels))
        )

    def has_status(self, row: int) -> bool:
        """Tell whether "Delivered" stands by itself in a row, and is no step to come."""
        cells = self.rows[row]
        return (
            sum(map(_is_label, cells)) == 1
            and row not in self.left_out
            and any(
                STATUS.fullmatch(cell.folded) and not (cell.labels and self._is_left_blank(row, place, 0))
                for place, cell in enumerate(cells)
            )
        )

    def _in_lines(self) -> str:
        """The text on which sentences are read, without labels that have no value.

        They go on over lines, but neither over a label nor into or out of a table, nor into an event.
        """
        lines, was_table = [], False
        length = 0
        for row, cells in enumerate(self.rows):
            self._offsets.append(length)
            is_apart = was_table or len(cells) > 1 or _is_label(cells[0])
            lines.append(" | " if is_apart or row in self.events else " ")
            if row not in self.left_out:
                lines.append(" ".join(self._said(row, place) for place in range(len(cells))))
                length += len(lines[-1])
            length += 1 if lines[-1] != " | " else 3
            was_table = len(cells) > 1
        return "".join(lines)[:MOST_TEXT]

    def _said(self, row: int, place: int) -> str:
        """A cell without its labels of facts that have no value."""
        cell = self.rows[row][place]
        remaining, start = "", 0
        for number, label in enumerate(cell.labels):
            if label.kind not in (Kind.NUMBER, Kind.OTHER) and self._is_left_blank(row, place, number):
                remaining += cell.text[start : label.start]
                start = label.end
        return remaining + cell.text[start:]

    def _below(self, row: int, at: float) -> list[tuple[int, int]]:
        """The cells of the next rows that begin where this one does, until one is a label; one cell where that stands alone."""
        below: list[tuple[int, int]] = []
        for number in range(row + 1, min(row + 1 + _MOST_ROWS, len(self.rows))):
            cells = self.rows[number]
            nearest = min(range(len(cells)), key=lambda place: abs(cells[place].at - at))
            if (
                abs(cells[nearest].at - at) > _ASKEW
                or _is_label(cells[nearest])
                or (below and len(cells) == 1)
            ):
                break
            below.append((number, nearest))
            if len(cells) == 1:
                break
        return below


def _is_prose(text: str) -> bool:
    return text.count(" ") >= _FEWEST_BLANKS


def _behind(cell: _Text, number: int) -> str:
    """What stands behind a label in its cell, up to the next one."""
    end = cell.labels[number + 1].start if number + 1 < len(cell.labels) else len(cell.text)
    start = cell.labels[number].end
    return cell.text[start : min(end, start + _MOST_READ)]


def _is_blank(text: str) -> bool:
    """Tell whether a field is empty: nothing, dots and lines, or words such as "N/A"."""
    return labels.NO_VALUE.fullmatch(" ".join(_ALNUM.findall(fold(text[:_MOST_READ])))) is not None


def _is_heading(cells: list[_Text]) -> bool:
    """Tell whether a row has labels whose values stand below: not one of pairs of a label and its value."""
    are_labels = [_is_label(cell) for cell in cells]
    is_of_pairs = len(cells) > 2 and are_labels == [True, False] * (len(cells) // 2)  # noqa: PLR2004
    return sum(are_labels) > 1 and not is_of_pairs


def _towns(event: list[_Text]) -> Iterator[tuple[float, str]]:
    """What looks like a town at the end of an event's cells, in capitals, and where these begin."""
    for cell in event:
        match = _ENDS_WITH_TOWN.search(cell.text, max(0, len(cell.text) - _LONGEST_NAME))
        if (
            match
            and labels.NO_NAMES.isdisjoint(re.split(r"[\W_]+", fold(match["town"])))
            and (town := _town(match["town"]))
        ):
            yield cell.at, town


def _states_delivery(row: list[_Text]) -> bool:
    return any(STATUS.fullmatch(cell.folded) or stated(cell.folded) for cell in row)


def _is_undated_step(row: list[_Text]) -> bool:
    """Tell whether a row says where a parcel is on its way, without saying when."""
    text = " ".join(_unnumbered(cell.folded) for cell in row)[:_MOST_READ]
    return ON_ITS_WAY.search(text) is not None and not any(map(str.isdigit, text))


def _unnumbered(folded: str) -> str:
    """A step without its number."""
    return re.sub(r"^\W*\d\d?[.):]? ", "", folded)


def _is_label(cell: _Text) -> bool:
    """Tell whether a cell begins with a label: with a value behind it or without."""
    return bool(cell.labels) and cell.labels[0].start <= 3  # noqa: PLR2004


# ---------------------------------------------------------------- values


def _with_time(day: str, value: _Value, page: _Page) -> str:
    """A day with its time, where that stands in the next cell or has a label of its own."""
    beside = page.rows[value.row][value.cell + 1 : value.cell + 2]
    candidates = [cell.folded for cell in beside if not _is_label(cell)]
    candidates += [time.folded for each in page.values(Kind.TIME) for time in each[:1]]
    for text in candidates:
        if clock := read_time(text):
            return f"{day}T{clock[0]:%H:%M}"
    return day


def _name(text: str) -> str | None:
    """A person's name, if that is what a text begins with."""
    words = _parts(text, _NAME_ENDS)
    folded = [fold(word) for word in words]
    if any(word.strip(".") in labels.NO_NAMES for word in folded):
        return None
    of_name = [
        word
        for word, plain in zip(words, folded, strict=True)
        if plain not in labels.LITTLE and plain not in labels.TITLES
    ]
    has_letters = any(len(word.strip(".")) > 1 for word in of_name)
    return clean(" ".join(words)) if has_letters and all(word[0].isupper() for word in of_name) else None


def _town(text: str) -> str | None:
    """A town: what follows a post code, or stands alone."""
    match = _TOWN.search(text)
    words = _parts(match["town"] if match else text, _TOWN_ENDS)
    folded = [fold(word) for word in words]
    if not words or folded[0].strip(".") in labels.TITLES or not labels.NO_PLACES.isdisjoint(folded):
        return None
    return clean(" ".join(words)) if words[0][0].isupper() else None


def _parts(text: str, ends: re.Pattern[str]) -> list[str]:
    """The words that a text begins with, up to what ends a name; none if they are no words, or too many."""
    begins = _FILLERS.sub("", " ".join(ends.split(_FILLERS.sub("", text), maxsplit=1)[0].split()))
    words = begins.split()
    are_few = len(begins) <= _LONGEST_NAME and len(words) <= _LONGEST_IN_PARTS
    return words if are_few and all(map(_WORD.fullmatch, words)) else []

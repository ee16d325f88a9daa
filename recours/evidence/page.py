"""Finds the labels on a document, the value of each label, and the rows about our parcel."""

import re
from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, takewhile

from recours.core.evidence import Expected
from recours.evidence import labels, numbers
from recours.evidence.dates import MONTH, begins_with_date, has_date, read_time
from recours.evidence.labels import Fact, FactLabel, labels_in
from recours.evidence.names import FILLERS, name_of
from recours.evidence.phrases import NOT_YET, OBJECTION, OF_ALL, ON_ITS_WAY, STATUS, UNDELIVERED
from recours.evidence.reading import MOST_TEXT, Row
from recours.evidence.rows import ASKEW, fold, is_prose
from recours.evidence.statements import Statement, Weight, find_delivery, is_denied, objections, statements

_MOST_CELLS = 50  # cells read in a row
_MOST_ROWS = 50  # rows searched below a label
_NEAR = 100  # characters after a sentence that may contain its date
_SENTENCE_ENDS = re.compile(r"[.;!?|]\s")
_MOMENT = re.compile(rf"\d[./-]\d|\d(?:\.|er|st|nd|rd|th)? (?:de |of )?(?:{MONTH})\b|\b\d\d? ?[:h]\d\d")
_LONG_WORD = re.compile(r"\b(?=[A-Z]*\d)[A-Z\d]{8,}\b")
_MOST_READ = 400  # characters of a cell that are searched for a value
_MONTH_FIRST = frozenset({"ups", "fedex"})  # carriers that may print 10/05/2026 for October 5
_FILLED = re.compile(r"\w|(?:[.…\-–*/] ?){2}")  # text or a line to fill; a single dot ends a sentence
_ALNUM = re.compile(r"[^\W_]+")


@dataclass(frozen=True)
class Text:
    """A cell of the document, with its labels."""

    text: str
    folded: str
    labels: list[FactLabel]
    at: float


Cells = list[Text]


@dataclass(frozen=True)
class FieldValue:
    text: str
    folded: str
    label: str  # folded
    row: int
    cell: int


class Page:
    """A document with the labels, values and sentences about our parcel."""

    def __init__(self, rows: Sequence[Row], expected: Expected) -> None:
        self.rows = [
            [
                Text(cell.text, folded := fold(cell.text), labels_in(folded), cell.at)
                for cell in row[:_MOST_CELLS]
            ]
            for row in rows
        ]
        self._number = expected.number
        self.may_have_months_first = expected.carrier in _MONTH_FIRST
        self._own_rows = [
            row
            for row, cells in enumerate(self.rows)
            if expected.number
            and numbers.shows(" ".join(cell.text for cell in cells).upper(), expected.number)
        ]
        self._all = range(len(self.rows))
        self.events = set(filter(self._is_event, self._all))
        self._own_row, self._other_rows = self._find_in_list()
        span = self._all if self._own_row is not None else self._own_span()
        # Rows about another parcel, or about a step that has not happened.
        self.excluded_rows = {
            row for row in self._all if row not in span or self._is_step(row) or self._is_foreign(row)
        }
        self._offsets: list[int] = []
        self.text = self._joined_lines()
        self.folded = fold(self.text)
        self.statements = self._statements(fold(expected.number))
        self.last_statement = self._last_statement()

    def _statements(self, number: str) -> list[Statement]:
        """Return the statements about our parcel, first those that contain its number."""
        relevant = [
            statement
            for statement in statements(self.text, self.folded, number)
            if not self._names_another_parcel(self.folded[statement.start : statement.end])
        ]
        return sorted(
            relevant, key=lambda statement: number not in self.folded[statement.start : statement.end]
        )

    def _last_statement(self) -> int | None:
        """Return the position of the last statement that something was delivered, or None."""
        places = [statement.participle for statement in self.statements]
        places += [self._offsets[row] for row in self._all if self.has_status(row)]
        if self._own_row is not None:
            return self._offsets[self._own_row] if self._own_row_states_delivery() else None
        return max(places, default=None)

    def unlabeled_numbers(self) -> Iterator[str]:
        """Yield numbers in our format that are alone in a cell, unless the previous cell labels something else."""
        for cells in self.rows if self._number else ():
            for label_cell, cell in zip([None, *cells], cells, strict=False):
                is_other = label_cell is not None and any(
                    label.kind is Fact.OTHER for label in label_cell.labels
                )
                has_length = len(cell.text.replace(" ", "")) == len(self._number)
                if has_length and not is_other and numbers.is_like(cell.text, self._number):
                    yield cell.text.upper()

    def is_dated(self) -> bool:
        """Return whether the statement of delivery has a date. The date of a status may be anywhere on the document."""
        if self._own_row is not None or any(map(self.has_status, self._all)):
            return any(has_date(cell.folded) for cells in self.rows for cell in cells)
        return any(
            _MOMENT.search(self.folded, statement.start, statement.end + _NEAR)
            for statement in self.statements
        )

    def is_contradicted(self) -> bool:
        """Return whether the last statement about our parcel says that it did not arrive."""
        if self._own_row is not None and not self._own_row_states_delivery():
            return True
        last = self.last_statement
        if last is None or self._own_row is not None:
            last = max(
                (self._offsets[row] for row in self._all if self._has(row, Fact.DELIVERED)), default=-1
            )
            is_sentence = False
        else:
            is_sentence = any(statement.participle == last for statement in self.statements)
        for place, weight in objections(self.folded):
            row = bisect(self._offsets, place) - 1
            is_event = row in self.events or (
                len(self.rows[row]) > 1 and not any(is_prose(cell.text) for cell in self.rows[row])
            )
            is_final = weight is Weight.RETURNED or (weight is Weight.CLAIMED and not is_sentence)
            if not is_event and (place > last or is_final):
                return True
        return False

    def _find_in_list(self) -> tuple[int | None, list[int]]:
        """Return our row in a list of parcels, and the rows of other parcels. Without a list, return None and []."""
        rows = [row for row in self._all if len(self.rows[row]) > 1 and not self._is_field(row)]
        for row in filter(self._own_rows.__contains__, rows):
            for cell in self.rows[row]:
                if not numbers.shows(cell.text.upper(), self._number):
                    continue
                foreign = [
                    at
                    for at in rows
                    if at not in self._own_rows
                    and any(
                        abs(other.at - cell.at) <= ASKEW and numbers.is_like(other.text, self._number)
                        for other in self.rows[at]
                    )
                ]
                if foreign:
                    return row, foreign
        return None, []

    def _is_field(self, row: int) -> bool:
        """Return whether a row consists of field names with their values. Such a row is not part of a list."""
        cells = self.rows[row]
        return len(cells) % 2 == 0 and not any(char.isdigit() for cell in cells[::2] for char in cell.text)

    def _own_row_states_delivery(self) -> bool:
        """Return whether our row of a list reports a delivery. If no row does, a statement about all parcels counts."""
        if self._own_row is None:
            return False
        return self._row_states_delivery(self._own_row) or (
            (
                any(
                    OF_ALL.search(self.folded, statement.start, statement.end)
                    for statement in self.statements
                )
                or any(has_date(value.folded) for values in self.values(Fact.DELIVERED) for value in values)
            )
            and not any(map(self._row_states_delivery, self._other_rows))
        )

    def _row_states_delivery(self, row: int) -> bool:
        """Return whether a row of a list reports a delivery, or has a value in a column for the date or signatory."""
        cells = self.rows[row]
        if any(pattern.search(cell.folded) for cell in cells for pattern in (OBJECTION, UNDELIVERED)):
            return False
        if states_delivery(cells):
            return True
        values = [
            _text_after(cell, number)
            for cell in cells
            for number, label in enumerate(cell.labels)
            if label.kind is Fact.SIGNATORY
        ]
        above = self.rows[: min([row, *self._other_rows])]
        headings = (
            cells for cells in above if not any(char.isdigit() for cell in cells for char in cell.text)
        )
        for heading in chain(*headings):
            kinds = {label.kind for label in heading.labels if not FILLERS.sub("", heading.text[label.end :])}
            if kinds & {Fact.DELIVERED, Fact.SIGNATORY}:
                values += [cell.text for cell in cells if abs(cell.at - heading.at) <= ASKEW]
        return any(name_of(value) or has_date(fold(value)) or read_time(fold(value)) for value in values)

    def _names_another_parcel(self, text: str, *labeled: str) -> bool:
        """Return whether a sentence or row contains another parcel's number, and our number is on another row."""
        if not (self._own_rows and any(map(str.isdigit, text))):
            return False
        upper = text.upper()
        return (
            numbers.another(labeled, upper, self._number) is not None
            or any(numbers.is_like(word, self._number) for word in _LONG_WORD.findall(upper))
        ) and not numbers.shows(upper, self._number)

    def _is_foreign(self, row: int) -> bool:
        cells = self.rows[row]
        first = cells[0].text.upper()
        is_number = len(cells) > 1 and first.isalnum() and len(first) == len(self._number)
        return self._names_another_parcel(" ".join(cell.text for cell in cells), *[first] * is_number)

    def _own_span(self) -> range:
        """Return the rows about our parcel if each parcel has its own section. Otherwise, return all rows."""
        if not self._own_rows:
            return self._all
        own_row = self._own_rows[0]
        foreign = [
            row
            for row in self._all
            if row not in self._own_rows
            and self._has(row, Fact.NUMBER)
            and any(_LONG_WORD.search(cell.text) for cell in self.rows[row])
        ]
        numbered = list(filter(self._is_numbered, foreign))
        if numbered and not any(map(self._is_numbered, self._own_rows)):
            return range(numbered[0])  # the facts below a labeled number are about that parcel
        start = own_row if foreign and foreign[0] < own_row else 0
        span = range(start, next((row for row in foreign if row > own_row), len(self.rows)))
        is_apart = any(self._has(row, Fact.SIGNATORY) or self._has(row, Fact.DELIVERED) for row in span)
        return span if is_apart else self._all

    def _is_numbered(self, row: int) -> bool:
        """Return whether a row has a label for parcel numbers, and a number in our format."""
        cells = self.rows[row]
        if not (is_label(cells[0]) and cells[0].labels[0].kind is Fact.NUMBER):
            return False
        return any(
            numbers.is_like(text, self._number)
            for text in (_text_after(cells[0], 0), *(cell.text for cell in cells[1:2]))
        )

    def _is_event(self, row: int) -> bool:
        """Return whether a row says when something happened. A row of one cell must begin with the date."""
        cells = self.rows[row]
        if len(cells) > 1:
            return any(has_date(cell.folded[:_MOST_READ]) for cell in cells)
        return begins_with_date(cells[0].folded)

    def _is_step(self, row: int) -> bool:
        """Return whether "Delivered" is only a step in a progress bar, because another undated step is beside it."""
        neighbors = [self.rows[at] for at in (row - 1, row, row + 1) if 0 <= at < len(self.rows)]
        return any(STATUS.fullmatch(_without_number(cell.folded)) for cell in self.rows[row]) and any(
            map(_is_undated_step, neighbors)
        )

    def _has(self, row: int, kind: Fact) -> bool:
        return any(label.kind is kind for cell in self.rows[row] for label in cell.labels)

    def values(self, kind: Fact) -> Iterator[list[FieldValue]]:
        """Yield the possible values of each label of this kind, the most likely value first."""
        for row in self._all if kind is Fact.NUMBER else sorted({*self._all} - self.excluded_rows):
            for place, cell in enumerate(self.rows[row]):
                for number, label in enumerate(cell.labels):
                    if label.kind is kind and not self._is_planned(cell.folded, label):
                        yield self._values_of(row, place, number)

    def _is_planned(self, folded: str, label: FactLabel) -> bool:
        """Return whether a label is about a planned delivery or another parcel."""
        head = _SENTENCE_ENDS.split(folded[max(0, label.start - 160) : label.start])[-1]
        tail = _SENTENCE_ENDS.split(folded[label.end : label.end + 80])[0]
        is_of_ours = label.kind in (Fact.NUMBER, Fact.OTHER) or not self._names_another_parcel(head + tail)
        return not is_of_ours or is_denied(head, tail) or NOT_YET.search(tail) is not None

    def _values_of(self, row: int, place: int, number: int) -> list[FieldValue]:
        """Return the possible values of a label, which may be after, beside or below the label."""
        cell = self.rows[row][place]
        label = cell.labels[number]
        follows = cell.labels[number + 1 :]
        name = cell.folded[label.start : label.end]
        after = _text_after(cell, number)
        if not _is_blank(after):
            return [FieldValue(after, fold(after), name, row, place)]
        if follows or FILLERS.sub("", after):
            return []
        places = self._value_places(row, place, label.kind is Fact.NUMBER)
        values = (
            FieldValue(
                self.rows[at][index].text[:_MOST_READ],
                self.rows[at][index].folded[:_MOST_READ],
                name,
                at,
                index,
            )
            for at, index in places
        )
        return list(takewhile(lambda value: not _is_blank(value.text), values))

    def _value_places(self, row: int, place: int, is_number: bool) -> list[tuple[int, int]]:
        """Return the cells beside or below a label that may contain its value, the most likely cell first."""
        cells = self.rows[row]
        right = cells[place + 1] if place + 1 < len(cells) else None
        beside = [] if right is None or is_label(right) else [(row, place + 1)]
        below = [] if row in self.events else self._below(row, cells[place].at)
        if self._own_row is not None and row < min([self._own_row, *self._other_rows]):
            own_cells = enumerate(self.rows[self._own_row])
            below = [(self._own_row, at) for at, cell in own_cells if abs(cell.at - cells[place].at) <= ASKEW]
        if len(below) > 1 and not is_number:  # in a list, only our row, or a row that reports a delivery
            own_places = [spot for spot in below if spot[0] in self._own_rows]
            below = own_places or [spot for spot in below if states_delivery(self.rows[spot[0]])]
        places = [*below[:1], *beside] if _is_heading(cells) else [*beside, *below[:1]]
        is_behind_value = not places and place == len(cells) - 1 == 1 and not is_label(cells[0])
        return [(row, 0)] if is_behind_value else places  # some tables have labels on the right

    def _is_left_blank(self, row: int, place: int, number: int) -> bool:
        """Return whether a label has no value. "Delivered" is a status, not a label, unless dots or "N/A" follow."""
        if self._values_of(row, place, number):
            return False
        cell = self.rows[row][place]
        places = self._value_places(row, place, is_number=False)
        return bool(
            not STATUS.fullmatch(cell.folded[cell.labels[number].start : cell.labels[number].end])
            or _FILLED.search(_text_after(cell, number))
            or (places and number + 1 == len(cell.labels))
        )

    def has_status(self, row: int) -> bool:
        """Return whether "Delivered" is the only label in a row, and not a future step."""
        cells = self.rows[row]
        return (
            sum(map(is_label, cells)) == 1
            and row not in self.excluded_rows
            and any(
                STATUS.fullmatch(cell.folded) and not (cell.labels and self._is_left_blank(row, place, 0))
                for place, cell in enumerate(cells)
            )
        )

    def _joined_lines(self) -> str:
        """Return the text in which to search for sentences, without labels that have no value.

        A sentence may span several lines. Labels, tables and events end a sentence.
        """
        lines = []
        was_table = False
        length = 0
        for row, cells in enumerate(self.rows):
            self._offsets.append(length)
            continues = length and self.rows[row - 1][-1].text[-1].isalnum() and cells[0].text[0].islower()
            is_apart = was_table or len(cells) > 1 or (is_label(cells[0]) and not continues)
            lines.append(" | " if is_apart or row in self.events else " ")
            if row not in self.excluded_rows:
                lines.append(" ".join(self._without_blank_labels(row, place) for place in range(len(cells))))
                length += len(lines[-1])
            length += 1 if lines[-1] != " | " else 3
            was_table = len(cells) > 1
        return "".join(lines)[:MOST_TEXT]

    def _without_blank_labels(self, row: int, place: int) -> str:
        """Return the text of a cell without fact labels that have no value."""
        cell = self.rows[row][place]
        remaining = ""
        start = 0
        for number, label in enumerate(cell.labels):
            # For example "Delivered to" beside an address
            is_field = label.kind is Fact.TO and label.end >= len(cell.text)
            if is_field or (
                label.kind not in (Fact.NUMBER, Fact.OTHER) and self._is_left_blank(row, place, number)
            ):
                remaining += cell.text[start : label.start]
                start = label.end
        return remaining + cell.text[start:]

    def _below(self, row: int, at: float) -> list[tuple[int, int]]:
        """Return the cells below that start at position `at`, up to a label or a cell that is alone in its row."""
        below: list[tuple[int, int]] = []
        for number in range(row + 1, min(row + 1 + _MOST_ROWS, len(self.rows))):
            cells = self.rows[number]
            nearest = min(range(len(cells)), key=lambda place: abs(cells[place].at - at))
            if abs(cells[nearest].at - at) > ASKEW or is_label(cells[nearest]) or (below and len(cells) == 1):
                break
            below.append((number, nearest))
            if len(cells) == 1:
                break
        return below


def _text_after(cell: Text, number: int) -> str:
    """Return the text after a label in its cell, up to the next label."""
    end = cell.labels[number + 1].start if number + 1 < len(cell.labels) else len(cell.text)
    start = cell.labels[number].end
    return cell.text[start : min(end, start + _MOST_READ)]


def _is_blank(text: str) -> bool:
    """Return whether a field has no value: no text, only dots or lines, or words such as "N/A"."""
    return labels.NO_VALUE.fullmatch(" ".join(_ALNUM.findall(fold(text[:_MOST_READ])))) is not None


def _is_heading(cells: Cells) -> bool:
    """Return whether a row has several labels with values below. A row of label-value pairs does not count."""
    are_labels = [is_label(cell) for cell in cells]
    is_of_pairs = len(cells) > 2 and are_labels == [True, False] * (len(cells) // 2)  # noqa: PLR2004
    return sum(are_labels) > 1 and not is_of_pairs


def states_delivery(row: Cells) -> bool:
    return any(STATUS.fullmatch(cell.folded) or find_delivery(cell.folded) for cell in row)


def _is_undated_step(row: Cells) -> bool:
    """Return whether a row says, without a date, where a parcel is on its way."""
    text = " ".join(_without_number(cell.folded) for cell in row)[:_MOST_READ]
    return ON_ITS_WAY.search(text) is not None and not any(map(str.isdigit, text))


def _without_number(folded: str) -> str:
    """Return the text of a step without its number."""
    return re.sub(r"^\W*\d\d?[.):]? ", "", folded)


def is_label(cell: Text) -> bool:
    """Return whether a cell begins with a label, whether or not a value follows."""
    return bool(cell.labels) and cell.labels[0].start <= 3  # noqa: PLR2004

"""Decides whether a document can win a dispute, and finds the facts that it shows.

A file that opens is not always a proof. A *hollow* document proves nothing, for example because it cannot be decoded or
is blank. Error pages, login pages, "not available" pages, labels and terms are hollow. Documents about an undelivered
parcel, another parcel or another carrier's parcel are hollow too. A missing signature does not make a document hollow.
A picture that opens can be a proof, although its text is not read.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from recours.core.evidence import Appraisal, DocumentFlaw, EvidenceKind, Expected, Findings
from recours.core.text import clean
from recours.evidence import carrier_names, numbers, phrases
from recours.evidence.dates import begins_with_date
from recours.evidence.facts import DocumentFacts, find_facts
from recours.evidence.pdf_process import read_pdf
from recours.evidence.reading import UNREADABLE, Reading, Row
from recours.evidence.rows import fold, unwrap
from recours.evidence.statements import find_delivery
from recours.evidence.web_page import read_web_page


def appraise(content: bytes, media_type: str, expected: Expected) -> Appraisal:
    """Appraise a document.

    If the document does not open, raises NotADocumentError with a phrase that says why. Raises ImportError and
    MemoryError if the installation or the machine is at fault.
    """
    return appraise_reading(read(content, media_type), expected)


def read(content: bytes, media_type: str) -> Reading:
    """Read a document of a known type. Returns `UNREADABLE` if that fails. Raises the same errors as `appraise`."""
    if media_type == "application/pdf":
        return read_pdf(content)
    try:
        if media_type == "text/html":
            return read_web_page(content)
        from recours.evidence.picture import read_picture  # noqa: PLC0415 (only for the first picture)

        return read_picture(content)
    except ImportError:  # a fault of the installation, not of the file
        raise
    except Exception:  # noqa: BLE001 (Pillow may raise any exception on a damaged file)
        return UNREADABLE


@dataclass(frozen=True)
class _Case:
    """A document with legible text, with its facts and findings."""

    text: str  # folded, on one line
    rows: list[Row] = field(repr=False)
    facts: DocumentFacts
    findings: Findings
    has_picture: bool

    @property
    def states_delivery(self) -> bool:
        """Whether the document states that something was delivered. A date alone does not count."""
        return self.facts.states_delivery or (
            self.facts.delivered is not None and not self.facts.is_dated_by_noun
        )

    @cached_property
    def titles(self) -> list[str]:
        return _titles(self.rows)

    @property
    def short_texts(self) -> Iterator[str]:
        """Yield the titles and fields, folded. Longer texts are sentences."""
        texts = (cell.text for row in self.rows for cell in row)
        return (fold(text) for text in texts if text.count(" ") < _LONGEST_FIELD)

    @property
    def is_called_proof(self) -> bool:
        return any(map(phrases.PROOF_TITLE.search, self.titles))


# The document proves something if the weights of the true conditions add up to _ENOUGH.
_ENOUGH = 5
_WEIGHTS: tuple[tuple[int, str, Callable[[_Case], object]], ...] = (
    (+2, "our number is on it, or unknown", lambda case: case.findings.number or (case.findings.number is None and case.findings.is_readable)),
    (+3, "it says that something was delivered", lambda case: case.states_delivery),
    (-1, "but without a day or a signatory", lambda case: case.states_delivery and not (case.facts.is_dated or case.facts.delivered or case.facts.signatory)),
    (+1, "with the date", lambda case: case.facts.delivered),
    (+2, "it names the signatory", lambda case: case.facts.signatory),
    (+2, "its title is that of a proof of delivery, and it has values", lambda case: case.findings.number is not False and (case.facts.delivered or case.facts.signatory) and case.is_called_proof),
    (+1, "a signature is drawn on it", lambda case: case.findings.has_signature),
    (+5, "it has a picture, and no text about the parcel can be read", lambda case: not case.findings.is_readable),
    (+3, "its title is that of a proof, and it has a picture", lambda case: case.has_picture and case.findings.is_readable and phrases.TITLE.search(case.text)),
    (-9, "its last statement about the parcel is that it did not arrive", lambda case: case.facts.page.is_contradicted()),
    (-4, "its title is that of another document: a label, a packing list, a permission, a claim", lambda case: any(map(_is_of_another_paper, case.titles))),
    (-5, "its title or status says that only part of the shipment was delivered", lambda case: any(map(phrases.PART.search, case.short_texts))),
    (-5, "it is an empty form", lambda case: phrases.TO_FILL_IN.search(case.text) and not case.facts.delivered),
    (-9, "it says that a message was delivered", lambda case: phrases.MAIL_REPORT.search(case.text)),
    (-5, "it is an example", lambda case: phrases.EXAMPLE.search(case.text)),
)  # fmt: skip


def _is_of_another_paper(title: str) -> bool:
    match = phrases.OTHER_PAPER.search(title)
    return bool(
        match is not None
        and match.start() < _HEAD
        and not phrases.PROOF_TITLE.search(title)
        and not phrases.ANSWER.search(title)
        and not find_delivery(title)
    )


def appraise_reading(reading: Reading, expected: Expected) -> Appraisal:
    """Appraise the content that was read from a document. Does no I/O."""
    if reading.rows is None:
        return Appraisal(Findings(), DocumentFlaw.DAMAGED.text())
    text = " ".join(fold(reading.text or "").split())
    if not _is_legible(text):
        return Appraisal(
            Findings(has_signature=_has_signature(reading, "", expected)),
            _why_nothing_seen(reading, expected),
        )
    rows = unwrap(reading.rows)
    facts = find_facts(rows, expected)
    upper = "\n".join(" ".join(cell.text for cell in row) for row in reading.rows).upper()
    number = numbers.shows(upper, expected.number) if expected.number else None
    # The only legible text of a scan may be the name of the scanning program.
    is_readable = bool(number or facts.delivered or facts.signatory or not reading.has_picture)
    findings = Findings(
        is_readable=is_readable,
        number=None if number is False and reading.has_picture else number,  # the picture may show it
        signatory=facts.signatory,
        has_signature=_has_signature(reading, text, expected, facts.signatory),
        delivered=facts.delivered,
        place=facts.place,
    )
    if reading.asks_for_password and not (number and facts.delivered):
        return Appraisal(findings, DocumentFlaw.LOGIN_PAGE.text())
    if number is False and (other := numbers.another(facts.numbers, upper, expected.number)):
        return Appraisal(findings, DocumentFlaw.OF_ANOTHER_PARCEL.text(number=clean(other, _QUOTED)))
    if not number and (carrier := carrier_names.another_carrier(text, expected.carrier)):
        return Appraisal(findings, DocumentFlaw.OF_ANOTHER_CARRIER.text(carrier=carrier))
    case = _Case(text, rows, facts, findings, reading.has_picture)
    return Appraisal(findings, None if _proves_something(case) else _why_hollow(case))


def _proves_something(case: _Case) -> bool:
    """Return whether the weights add up to _ENOUGH. Negative weights are added only if the positive weights suffice."""
    total = sum(weight for weight, _, applies in _WEIGHTS if weight > 0 and applies(case))
    if total < _ENOUGH:
        return False
    return total + sum(weight for weight, _, applies in _WEIGHTS if weight < 0 and applies(case)) >= _ENOUGH


_MOST_ILLEGIBLE = 0.3  # share of the characters; some fonts do not state which letters they draw
_QUOTED = 80
_TITLES = 8  # rows that may contain the title; the carrier's name or a menu may precede the title
_LONGEST_TITLE = 12  # words
_LONGEST_FIELD = 6
_LONG_LINE = 40  # characters; a line this long may continue on the next line
_SHORT_LINE = 30  # characters; a shorter line after a long one may be a title
_HEAD = 40  # characters of a title that may name the type of the document


def _titles(rows: list[Row]) -> list[str]:
    """Return the lines at the top that may be titles, folded. Fields and sentences are excluded."""
    titles = []
    line_above = ""
    for row in rows[:_TITLES]:
        for cell in row if len(row) <= 2 and not begins_with_date(fold(row[0].text)) else ():  # noqa: PLR2004 (a menu has more)
            title = fold(cell.text)
            is_cut = len(line_above) >= _LONG_LINE and line_above[-1].isalnum() and len(title) >= _SHORT_LINE
            if not (is_cut or len(title.split()) > _LONGEST_TITLE or phrases.NO_TITLE.search(title)):
                titles.append(title)
        line_above = row[-1].text
    return titles


def _is_legible(text: str) -> bool:
    unknown = sum(text.count(char) for char in set(text) if char == "\ufffd" or not char.isprintable())
    return any(map(str.isalnum, text)) and unknown <= _MOST_ILLEGIBLE * len(text)


def _why_nothing_seen(reading: Reading, expected: Expected) -> str | None:
    """Return why a document without legible text proves nothing."""
    if reading.asks_for_password:
        return DocumentFlaw.LOGIN_PAGE.text()
    if not reading.has_ink:
        return DocumentFlaw.BLANK.text()
    return None if _shows_a_picture(reading, expected) else DocumentFlaw.NO_PICTURE.text()


def _shows_a_picture(reading: Reading, expected: Expected) -> bool:
    """Return whether an illegible document looks like a proof. A page of print counts only if a letter is expected."""
    expects_print = expected.kind is EvidenceKind.LETTER
    return reading.has_handwriting or (reading.has_picture and (expects_print or not reading.is_print))


def _why_hollow(case: _Case) -> str:
    """Return why a document proves nothing, in words for people."""
    for flaw, pattern in (
        (DocumentFlaw.NOT_AVAILABLE, phrases.NOT_THERE),
        (DocumentFlaw.ERROR_PAGE, phrases.ERROR_PAGE),
    ):
        if match := pattern.search(case.text):
            return flaw.text(said=clean(match[0], _QUOTED))
    flaw = DocumentFlaw.SHOWS_NOTHING if case.findings.number is False else DocumentFlaw.NO_DELIVERY
    return flaw.text()


def _has_signature(
    reading: Reading, text: str, expected: Expected, signatory: str | None = None
) -> bool | None:
    """Return whether a signature is drawn. None: unknown, or a picture may show a signature."""
    if expected.kind is EvidenceKind.SIGNATURE and not text and _shows_a_picture(reading, expected):
        return True
    if reading.has_handwriting and text:
        return True
    says_none = phrases.NO_SIGNATURE.search(text) is not None
    if reading.has_signature_image and not says_none and (signatory or phrases.OF_A_SIGNATURE.search(text)):
        return True
    return False if says_none and not reading.has_picture else None

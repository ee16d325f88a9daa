"""Whether a document can win a dispute, and what it shows.

A file that opens is not yet a proof. A *hollow* one proves nothing: a blank page, a picture of one colour, an error, login or
"not available" page, a proof of another parcel. A missing signature is not hollow, and what cannot be read counts.
"""

from recours.core.appraisal import Appraisal, EvidenceKind, Expected, Shown
from recours.core.document_flaws import DocumentFlaw, flaw_text
from recours.core.text import clean
from recours.documents import numbers
from recours.documents.facts import DocumentFacts, find_facts, fold
from recours.documents.pdf_process import read_pdf
from recours.documents.phrases import (
    ERROR_PAGE,
    NO_SIGNATURE,
    NOT_THERE,
    OF_A_SIGNATURE,
    SPEAKS_OF_DELIVERY,
    STATES_NO_DELIVERY,
)
from recours.documents.picture import read_picture
from recours.documents.reading import UNREADABLE, Reading
from recours.documents.web_page import read_web_page


def appraise(content: bytes, media_type: str, expected: Expected) -> Appraisal:
    """What a document shows, and whether it shows anything.

    Raises NotADocumentError with a phrase that says why it does not open; ImportError and MemoryError for what is no fault of
    the document.
    """
    return appraise_reading(read(content, media_type), expected)


def read(content: bytes, media_type: str) -> Reading:
    """What can be read of a document whose kind is known; what cannot be read is said to be so. Raises as `appraise`."""
    if media_type == "application/pdf":
        return read_pdf(content)
    try:
        return read_web_page(content) if media_type == "text/html" else read_picture(content)
    except ImportError:  # a fault of the installation, not of the file
        raise
    except Exception:  # noqa: BLE001 (Pillow raises any exception at all on a damaged file)
        return UNREADABLE


# ---------------------------------------------------------------- the rules


def appraise_reading(reading: Reading, expected: Expected) -> Appraisal:
    """The appraisal of what was read. Pure."""
    text = " ".join(fold(reading.text or "").split())
    if not _is_legible(text):
        return Appraisal(Shown(has_signature=_has_signature(reading, "", expected)), _why_unseen(reading))
    rows = reading.rows or ()
    facts = find_facts(rows, expected)
    upper = "\n".join(" ".join(cell.text for cell in row) for row in rows).upper()
    number = numbers.shows(upper, expected.number) if expected.number else None
    # Of a scan, the program that made it may have written its name below the picture.
    is_readable = bool(number or facts.delivered or facts.signatory or not reading.has_picture)
    shown = Shown(
        is_readable=is_readable,
        number=None if number is False and reading.has_picture else number,  # the picture may show it
        signatory=facts.signatory,
        has_signature=_has_signature(reading, text, expected, facts.signatory),
        delivered=facts.delivered,
        place=facts.place,
    )
    if reading.asks_for_password and not (number and facts.delivered):
        return Appraisal(shown, flaw_text(DocumentFlaw.LOGIN_PAGE))
    other = numbers.another(facts.numbers, upper, expected.number) if number is False else None
    return Appraisal(shown, _why_hollow(text, facts, shown, other, has_picture=reading.has_picture))


_FEWEST_LEGIBLE = 0.7  # of the characters: fonts may hide which letters they show


def _is_legible(text: str) -> bool:
    known = sum(char.isprintable() and char != "\ufffd" for char in text)
    return any(map(str.isalnum, text)) and known >= _FEWEST_LEGIBLE * len(text)


def _why_unseen(reading: Reading) -> str | None:
    """Why a document proves nothing of which no text can be read."""
    if reading.asks_for_password:
        return flaw_text(DocumentFlaw.LOGIN_PAGE)
    return None if reading.has_ink or reading.text is None else flaw_text(DocumentFlaw.BLANK)


def _why_hollow(
    text: str, facts: DocumentFacts, shown: Shown, other: str | None, *, has_picture: bool
) -> str | None:
    """Why a document proves nothing that can be read; `other`: the number of another parcel, which it shows instead."""
    if (said := NOT_THERE.search(text)) and not (shown.signatory or shown.has_signature):
        return flaw_text(DocumentFlaw.SAYS_THERE_IS_NONE, said=clean(said[0], _QUOTED))
    proves = bool(facts.delivered or facts.signatory or shown.has_signature)
    tells_of_delivery = proves or facts.has_status or facts.states_delivery
    # "Sign in to see what was delivered" has a word of both kinds: of our parcel it must say so.
    if (said := ERROR_PAGE.search(text)) and not (
        proves or (tells_of_delivery and shown.number is not False)
    ):
        return flaw_text(DocumentFlaw.ERROR_PAGE, said=clean(said[0], _QUOTED))
    if other:
        return flaw_text(DocumentFlaw.OF_ANOTHER_PARCEL, number=clean(other, _QUOTED))
    if tells_of_delivery or has_picture or shown.number is None:
        return None
    if not shown.number:
        return flaw_text(DocumentFlaw.SHOWS_NOTHING)
    may_tell = SPEAKS_OF_DELIVERY.search(text) and not STATES_NO_DELIVERY.search(text)
    return None if may_tell and not facts.has_empty_labels else flaw_text(DocumentFlaw.NO_DELIVERY)


_QUOTED = 80


def _has_signature(
    reading: Reading, text: str, expected: Expected, signatory: str | None = None
) -> bool | None:
    """Tell whether a signature is drawn; None: a picture may be one, or nothing is said of it."""
    if expected.kind is EvidenceKind.SIGNATURE and reading.has_ink and not text:
        return True
    if reading.has_handwriting and text:
        return True
    says_none = NO_SIGNATURE.search(text) is not None
    if reading.has_signature_image and not says_none and (signatory or OF_A_SIGNATURE.search(text)):
        return True
    return False if says_none and not reading.has_picture else None

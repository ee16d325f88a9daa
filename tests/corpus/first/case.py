"""One parcel in one language, the source of facts for the documents of this package."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial
from html import escape
from random import Random
from zlib import crc32

from recours.core.evidence import EvidenceKind
from tests.corpus.first.sheet import Sheet, pdf
from tests.corpus.first.words import WORDS, Words, date_with_truth
from tests.corpus.model import Made, Parcel, Template, Truth
from tests.corpus.parcels import CARRIERS, LANGUAGES, NAMES

PDF = "application/pdf"
HOLLOW = Truth(number_shown=True)
UNREAD = Truth(number_shown=None)


@dataclass(frozen=True, kw_only=True)
class Case:
    random: Random
    parcel: Parcel
    language: str
    words: Words
    carrier: str  # its name
    date_text: str  # as printed
    delivered: date | datetime  # its statement

    @property
    def number(self) -> str:
        return self.parcel.number

    @property
    def name(self) -> str:
        return self.parcel.signatory

    @property
    def place(self) -> str:
        return self.parcel.place

    def say(self, sentence: str, number: str = "") -> str:
        """The sentence with this case's facts, or about another number."""
        return sentence.format(
            carrier=self.carrier,
            number=number or self.number,
            date=self.date_text,
            name=self.name,
            place=self.place,
        )

    def facts(self, number: str = "") -> list[tuple[str, str]]:
        """Labels with their values, as most carriers list them."""
        words = self.words
        return [
            (words.number, number or self.number),
            (words.delivered_on, self.date_text),
            (words.signed_by, self.name),
            (words.place, f"{self.parcel.postcode} {self.place}"),
        ]

    def shipment(self) -> list[tuple[str, str]]:
        """The facts about a parcel before its delivery."""
        words = self.words
        return [
            (words.sender, self.random.choice(("NORDWIND SHOP", "Atelier Bleu SARL", "TECNOLINEA SL"))),
            (words.weight, f"{self.random.uniform(0.3, 12):.2f} kg"),
            (words.reference, f"CMD-{self.random.randrange(10000, 99999)}"),
        ]

    def truth(self, *, has_signature: bool = False, is_signed: bool = True, has_place: bool = True) -> Truth:
        return Truth(
            number_shown=True,
            signatory=self.name if is_signed else None,
            has_signature=has_signature,
            delivered=self.delivered,
            place=self.place if has_place else None,
        )

    def day_before(self, days: int = 1) -> str:
        return f"{self.parcel.delivered - timedelta(days=days):%d.%m.%Y %H:%M}"

    def sheet(self, title: str, *, width: float = 595, height: float = 842) -> Sheet:
        """A sheet with the carrier's head and a title."""
        sheet = Sheet(width, height)
        sheet.text(60, 60, self.carrier.upper(), 18, bold=True)
        sheet.text(60, 110, title, 14, bold=True)
        return sheet


def in_fours(number: str) -> str:
    """In groups of four, as on labels."""
    return " ".join(number[start : start + 4] for start in range(0, len(number), 4))


def by_language(kind: str, draw: Callable[[Case], Made], *, is_good: bool) -> tuple[Template, ...]:
    """One template of the kind for each language; each begins with another carrier."""
    templates = []
    for position, language in enumerate(LANGUAGES):
        turn = (crc32(kind.encode()) + 3 * position) % len(CARRIERS)
        make = partial(_make, draw, language)
        templates.append(Template(f"{kind}-{language}", CARRIERS[turn:] + CARRIERS[:turn], is_good, make))
    return tuple(templates)


def _make(draw: Callable[[Case], Made], language: str, random: Random, parcel: Parcel) -> Made:
    words = WORDS[language]
    place, postcode = random.choice(words.places)
    parcel = replace(parcel, signatory=random.choice(words.people), place=place, postcode=postcode)
    text, delivered = date_with_truth(random, language, parcel.delivered)
    case = Case(
        random=random,
        parcel=parcel,
        language=language,
        words=words,
        carrier=NAMES[parcel.carrier],
        date_text=text,
        delivered=delivered,
    )
    return draw(case)


def html(case: Case, title: str, body: str, *, head: str = "", bare: bool = False) -> bytes:
    """A page of the carrier's site: menu, body, footer; a bare page is only the body."""
    menu = "".join(f'<li><a href="#">{escape(item)}</a></li>' for item in case.words.menu)
    footer = " | ".join(f'<a href="#">{escape(item)}</a>' for item in case.words.footer)
    if bare:
        menu = footer = ""
    style = "body{font-family:Arial,sans-serif;margin:0}nav li{display:inline;padding:8px}table{border-collapse:collapse}td,th{border:1px solid #ccc;padding:4px}"
    return f"""<!DOCTYPE html>
<html lang="{case.language}">
<head>
<meta charset="utf-8">
<title>{escape(title)} - {escape(case.carrier)}</title>
<style>{style}</style>
{head}</head>
<body>
<nav><ul>{menu}</ul></nav>
<main>
<h1>{escape(title)}</h1>
{body}
</main>
<footer>{footer}</footer>
</body>
</html>
""".encode()


def page(case: Case, title: str, body: str, truth: Truth = HOLLOW, *, bare: bool = False) -> Made:
    return Made(html(case, title, body, bare=bare), "text/html", truth, EvidenceKind.RECORD)


def paragraphs(*texts: str) -> str:
    return "\n".join(f"<p>{escape(text)}</p>" for text in texts)


def page_or_sheet(case: Case, sentence: str, truth: Truth, *, y: float) -> Made:
    """The sentence under the title of a proof, as HTML or as PDF; `y` is its position on the sheet."""
    if case.random.random() < 0.5:
        return page(case, case.words.proof, paragraphs(case.words.greeting, sentence), truth)
    sheet = case.sheet(case.words.proof)
    sheet.paragraph(y, sentence, 11)
    return Made(pdf(case.random, sheet), PDF, truth)


def table(pairs: list[tuple[str, str]]) -> str:
    rows = "\n".join(f"<tr><th>{escape(label)}</th><td>{escape(value)}</td></tr>" for label, value in pairs)
    return f"<table>\n{rows}\n</table>"

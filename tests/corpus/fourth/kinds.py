"""Templates of a kind: one for each language and wording, so that each wording is used."""

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from PIL import Image

from recours.core.appraisal import EvidenceKind
from tests.corpus.fourth import pictures, printing, web
from tests.corpus.fourth.facts import Facts, wordings
from tests.corpus.fourth.sheets import Sheet, Writer
from tests.corpus.model import Made, Parcel, Template, Truth
from tests.corpus.parcels import CARRIERS, LANGUAGES

Make = Callable[[Random, Parcel], Made]
Drawn = Callable[[Facts], Made]


def template(name: str, make: Make, *, is_good: bool, of: tuple[str, ...] = CARRIERS) -> Template:
    """With the carriers in an order of its own, so that templates of one document do not all begin alike."""
    turn = sum(name.encode()) % len(of)
    return Template(name, of[turn:] + of[:turn], is_good, make)


def per_wording(kind: str, draw: Drawn, *, is_good: bool) -> Iterator[Template]:
    """Named kind_languageN, as in letter_fr1; a form has three variants of labels instead of wordings."""

    def bound(language: str, variant: int) -> Make:
        return lambda random, parcel: draw(Facts(random, parcel, language, variant))

    for language in LANGUAGES:
        texts = wordings(language)
        for variant in range(len(texts.get(f"{'good' if is_good else 'hollow'} {kind}", "123"))):
            name = f"{kind}_{language}{variant + 1}"
            yield template(name, bound(language, variant), is_good=is_good, of=texts["carriers"])


def given(
    facts: Facts, sheet: Sheet, kind: EvidenceKind, *, is_good: bool, on_web: float, as_mail: float = 0.5
) -> Made:
    """As a page or a mail with the given chances, else as a PDF."""
    random, truth = facts.random, facts.truth(is_good=is_good, is_signed=sheet.is_signed)
    if random.random() >= on_web:
        return Made(printing.pdf(random, sheet), "application/pdf", truth, kind)
    layout = web.mail if random.random() < as_mail else web.page
    return Made(layout(random, sheet), "text/html", truth, kind)


def scanned(writer: Writer, *, is_good: bool) -> Drawn:
    """On paper, and scanned with a layer of text."""

    def draw(facts: Facts) -> Made:
        sheet = writer(facts)
        paper = pictures.Paper(facts.random, sheet)
        content = pictures.scan(facts.random, paper.picture, paper.texts)
        return Made(content, "application/pdf", facts.truth(is_good=is_good, is_signed=sheet.is_signed))

    return draw


def unreadable(*writers: Writer, is_photo: bool) -> Make:
    """On paper, and photographed or scanned without text: only one who reads the picture can tell."""

    def make(random: Random, parcel: Parcel) -> Made:
        sheet = random.choice(writers)(Facts(random, parcel, random.choice(LANGUAGES), random.randrange(3)))
        truth = Truth(number_shown=None, has_signature=sheet.is_signed)
        if is_photo:
            return picture(random, pictures.snapshot(random, sheet), truth, EvidenceKind.PHOTO, "JPEG")
        page = pictures.Paper(random, sheet).picture
        if random.random() < 0.5:
            return Made(pictures.scan(random, page, []), "application/pdf", truth)
        page = pictures.scanned(random, page, random.uniform(-1, 1))
        return picture(random, page, truth, EvidenceKind.LETTER, "PNG", "TIFF", "JPEG")

    return make


def picture(random: Random, drawn: Image.Image, truth: Truth, kind: EvidenceKind, *forms: str) -> Made:
    """In one of the file formats."""
    form = random.choice(forms)
    options: dict[str, dict[str, Any]] = {
        "JPEG": {"quality": random.randrange(60, 92)},
        "TIFF": {"compression": "tiff_lzw"},
    }
    return Made(pictures.encoded(drawn, form, **options.get(form, {})), f"image/{form.lower()}", truth, kind)


def sections(side: str) -> list[str]:
    """The kinds with wordings of their own, of the side "good" or "hollow"."""
    return [name.split()[1] for name in wordings("en") if name.startswith(f"{side} ")]

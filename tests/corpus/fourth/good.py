"""Good documents: each proves that the parcel asked about was delivered, to whom or where, and when."""

from functools import partial
from random import Random

from recours.core.appraisal import EvidenceKind
from tests.corpus.fourth import pictures, sheets
from tests.corpus.fourth.facts import Facts
from tests.corpus.fourth.kinds import (
    Drawn,
    Make,
    given,
    per_wording,
    picture,
    scanned,
    sections,
    template,
    unreadable,
)
from tests.corpus.fourth.sheets import Writer
from tests.corpus.model import Made, Parcel, Truth

RECEIPT, NOTE, RECORD = (sheets.FORMS[name] for name in ("receipt", "note", "record"))
TOUR, LETTER = partial(sheets.tour, ours="delivered"), partial(sheets.prose, section="good letter")
FORMS: dict[str, tuple[Writer, EvidenceKind, float]] = {  # with the chance of a page
    "receipt": (RECEIPT, EvidenceKind.LETTER, 0),
    "consignment_note": (NOTE, EvidenceKind.LETTER, 0),
    "record": (RECORD, EvidenceKind.RECORD, 0.5),
    "history": (sheets.delivered_history, EvidenceKind.RECORD, 0.6),
    "tour_list": (TOUR, EvidenceKind.RECORD, 0.2),
    "whole_shipment": (partial(sheets.shipment, is_whole=True), EvidenceKind.RECORD, 0.5),
}
SCANS: dict[str, Writer] = {
    "scanned_receipt": RECEIPT,
    "scanned_note": NOTE,
    "scanned_tour_list": TOUR,
    "scanned_letter": LETTER,
}
PADS = (
    "black_on_white",
    "white_on_black",
    "coloured",
    "transparent",
    "thin",
    "on_baseline",
    "on_grey",
    "noisy",
)


def _prose(kind: str) -> Drawn:
    styles = {"confirmation": ("person",), "letter": ("letter",), "answer": ("letter",)}

    def draw(facts: Facts) -> Made:
        style = facts.random.choice(styles.get(kind, ("letter", "notice", "notice")))
        sheet = sheets.prose(facts, f"good {kind}", style)
        if kind in ("letter", "inquiry", "confirmation"):
            return given(facts, sheet, EvidenceKind.LETTER, is_good=True, on_web=0)
        return given(facts, sheet, EvidenceKind.RECORD, is_good=True, on_web=0.65, as_mail=0.6)

    return draw


def _form(writer: Writer, kind: EvidenceKind, on_web: float) -> Drawn:
    return lambda facts: given(facts, writer(facts), kind, is_good=True, on_web=on_web, as_mail=0.2)


def _pad(style: str) -> Make:
    forms = ("PNG",) if style == "transparent" else ("PNG", "PNG", "JPEG", "GIF", "TIFF", "WEBP")

    def make(random: Random, parcel: Parcel) -> Made:
        truth = Truth(number_shown=None, has_signature=True)
        return picture(random, pictures.pad(random, style), truth, EvidenceKind.SIGNATURE, *forms)

    return make


def _photo(place: str) -> Make:
    def make(random: Random, parcel: Parcel) -> Made:
        drawn, truth = pictures.doorstep(random, place), Truth(number_shown=None)
        return picture(random, drawn, truth, EvidenceKind.PHOTO, "JPEG", "JPEG", "JPEG", "WEBP", "PNG")

    return make


_TEXTS: dict[str, Drawn] = (
    {kind: _prose(kind) for kind in sections("good")}
    | {name: _form(*form) for name, form in FORMS.items()}
    | {name: scanned(writer, is_good=True) for name, writer in SCANS.items()}
)
_PICTURES: dict[str, Make] = {
    **{f"signature_{style}": _pad(style) for style in PADS},
    **{f"photo_{place}": _photo(place) for place in ("door", "hall", "locker")},
    "proof_photographed": unreadable(RECEIPT, NOTE, RECORD, is_photo=True),
    "proof_scanned_without_text": unreadable(RECEIPT, NOTE, TOUR, is_photo=False),
}
TEMPLATES = (
    *(made for name, draw in _TEXTS.items() for made in per_wording(name, draw, is_good=True)),
    *(template(name, make, is_good=True) for name, make in _PICTURES.items()),
)

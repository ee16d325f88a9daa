"""Hollow documents: what a server, a portal or a person gives instead of a proof of the parcel's delivery."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from random import Random

from PIL import Image

from recours.core.appraisal import EvidenceKind
from tests.corpus.fourth import emptiness, pictures, sheets
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
from tests.corpus.parcels import CARRIERS, NAMES, number_of

WEB = ("server_error", "login", "captcha", "cookies", "maintenance", "unknown_number", "help_page")
PERSONAL = ("permission", "claim_form", "non_receipt", "complaint")
STEPS = {  # states that a history shows too: the events before the last one
    **dict.fromkeys(("waiting", "attempted", "refused"), "announced transit out"),
    **dict.fromkeys(("out_for_delivery", "lost", "damaged", "customs_held"), "announced transit"),
    "announced": "",
    "in_transit": "announced",
    "address_wrong": "transit out",
    "returned": "transit attempted",
}
PROOFS: tuple[Writer, ...] = (
    *(sheets.FORMS[name] for name in ("receipt", "note", "record")),
    *(partial(sheets.prose, section=f"good {kind}") for kind in ("letter", "answer", "notification")),
    sheets.delivered_history,
)
FORMS: dict[str, Writer] = {
    "list_row_failed": partial(sheets.tour, ours="failed"),
    "list_row_missing": partial(sheets.tour, ours="missing"),
    "piece_missing": partial(sheets.shipment, is_whole=False),
    **{name: form for name, form in sheets.FORMS.items() if name not in ("receipt", "note", "record")},
}
SCANS = {name: FORMS[name] for name in ("manifest", "blank_form", "list_row_failed")} | {
    "non_receipt": partial(sheets.prose, section="hollow non_receipt", style="person")
}


def _hollow(facts: Facts, sheet: sheets.Sheet, on_web: float, as_mail: float = 0.5) -> Made:
    kind = facts.random.choice((EvidenceKind.LETTER, EvidenceKind.RECORD))
    return given(facts, sheet, kind, is_good=False, on_web=on_web, as_mail=as_mail)


def _prose(kind: str) -> Drawn:
    def draw(facts: Facts) -> Made:
        section = f"hollow {kind}"
        if kind in STEPS and facts.random.random() < 0.4:
            title, text, *_ = facts.texts[section][facts.variant].split(" | ")
            last = facts.random.choice((title, facts.fill(text)))
            return _hollow(facts, sheets.history(facts, last, title, STEPS[kind]), 0.6)
        if kind in WEB:
            return _hollow(facts, sheets.prose(facts, section, "notice"), 0.85, as_mail=0)
        if kind in PERSONAL:
            return _hollow(facts, sheets.prose(facts, section, "person"), 0.1, as_mail=1)
        return _hollow(facts, sheets.prose(facts, section, facts.random.choice(("letter", "notice"))), 0.5)

    return draw


def _proof_of_another(facts: Facts) -> Made:
    """A true proof, but of a different parcel of the carrier."""
    return _foreign(
        facts, replace(facts.parcel, number=facts.parcel.other_number, other_number=facts.parcel.number)
    )


def _proof_of_another_carrier(facts: Facts) -> Made:
    carrier = facts.random.choice([name for name in CARRIERS if NAMES[name] != NAMES[facts.parcel.carrier]])
    return _foreign(facts, replace(facts.parcel, carrier=carrier, number=number_of(facts.random, carrier)))


def _foreign(facts: Facts, another: Parcel) -> Made:
    foreign = Facts(facts.random, another, facts.language, facts.variant)
    made = _hollow(foreign, facts.random.choice(PROOFS)(foreign), 0.3)
    return replace(made, truth=replace(made.truth, number_shown=False))


def _form(writer: Writer) -> Drawn:
    return lambda facts: _hollow(facts, writer(facts), 0.2)


def _picture(draw: Callable[[Random], Image.Image]) -> Make:
    def make(random: Random, parcel: Parcel) -> Made:
        kind, truth = random.choice((EvidenceKind.PHOTO, EvidenceKind.SIGNATURE)), Truth(number_shown=False)
        return picture(random, draw(random), truth, kind, "PNG", "PNG", "JPEG", "GIF", "WEBP", "TIFF")

    return make


def _blank_scan(random: Random, parcel: Parcel) -> Made:
    content = pictures.scan(random, emptiness.blank_paper(random), [])
    return Made(content, "application/pdf", Truth(number_shown=False))


_TEXTS: dict[str, Drawn] = (
    {kind: _prose(kind) for kind in sections("hollow")}
    | {name: _form(writer) for name, writer in FORMS.items()}
    | {"proof_of_another": _proof_of_another, "proof_of_another_carrier": _proof_of_another_carrier}
    | {f"scanned_{name}": scanned(writer, is_good=False) for name, writer in SCANS.items()}
)
_PICTURES: dict[str, Make] = {
    **{name: _picture(draw) for name, draw in emptiness.PICTURES.items()},
    "blank_scan": _blank_scan,
    "label_picture": unreadable(FORMS["label"], is_photo=True),
    "blank_form_picture": unreadable(FORMS["blank_form"], is_photo=False),
}
TEMPLATES = (
    *(made for name, draw in _TEXTS.items() for made in per_wording(name, draw, is_good=False)),
    *(template(name, make, is_good=False) for name, make in _PICTURES.items()),
)

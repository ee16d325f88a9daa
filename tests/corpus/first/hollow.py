"""Documents that prove nothing about the parcel: 28 kinds, each in six languages."""

from collections.abc import Callable
from functools import partial
from html import escape

from PIL import Image

from recours.core.evidence import EvidenceKind
from tests.corpus.first.case import (
    HOLLOW,
    PDF,
    UNREAD,
    Case,
    by_language,
    in_fours,
    page,
    page_or_sheet,
    paragraphs,
    table,
)
from tests.corpus.first.sheet import MEDIA_TYPES, Picture, Sheet, encode, grain, pdf, picture, scan
from tests.corpus.first.words import CONDITIONS, INVOICE, MESSAGES, WAYBILL
from tests.corpus.model import Made, Template, Truth
from tests.corpus.parcels import CARRIERS, NAMES, number_of

ABSENT = Truth(number_shown=False)
RELATED = (  # carriers with similar numbers and names
    {"colissimo", "laposte", "chronopost", "dpd"},
    {"dhl", "dhl_express"},
)


def _message(kind: str, case: Case) -> Made:
    """On the carrier's site, bare, or printed as PDF."""
    variant = case.random.choice(MESSAGES[kind][case.language])
    title, body = case.say(variant).split("|")
    truth = Truth(number_shown=case.number in f"{title} {body}")
    paper = case.random.random()
    if paper < 0.6:
        return page(case, title, paragraphs(body), truth, bare=paper < 0.15)
    sheet = case.sheet(title)
    sheet.paragraph(160, body, 11)
    return Made(pdf(case.random, sheet), PDF, truth)


def _in_transit(case: Case) -> Made:
    """A tracking page whose newest event is in transit; it names the next step, like a progress bar."""
    events = list(case.words.events[: case.random.choice((1, 2))])
    rows = [(case.day_before(days), event) for days, event in enumerate(reversed(events))]
    steps = " > ".join((*case.words.events, case.words.delivered))
    body = paragraphs(f"{case.words.number}: {case.number}", steps, f"{case.words.status}: {events[-1]}")
    return page(case, case.words.menu[1], body + table(rows))


def _label_sheet(case: Case) -> Sheet:
    sheet = Sheet(298, 420)
    sheet.frame(10, 10, 278, 400)
    sheet.text(20, 40, case.carrier.upper(), 20, bold=True)
    sheet.text(20, 62, f"{case.words.sender}: NORDWIND SHOP, 4 Quai Ouest", 7)
    sheet.text(20, 95, case.words.recipient, 7)
    sheet.text(20, 112, case.name, 12, bold=True)
    sheet.text(20, 130, f"{case.random.randrange(1, 99)} Rue Haute", 11)
    sheet.text(20, 148, f"{case.parcel.postcode} {case.place}", 13, bold=True)
    sheet.text(20, 185, f"{case.words.weight} {case.random.uniform(0.3, 20):.2f} kg   1/1", 9)
    sheet.text(150, 185, f"{case.parcel.delivered:%d.%m.%Y}", 9)
    sheet.text(20, 240, f"{case.random.randrange(100, 999)}-{case.random.choice('ABCD')}", 34, bold=True)
    sheet.barcode(case.random, 25, 280, 80)
    sheet.text(60, 380, in_fours(case.number), 11)
    return sheet


def _label(case: Case) -> Made:
    return Made(pdf(case.random, _label_sheet(case)), PDF, HOLLOW, EvidenceKind.LETTER)


def _label_picture(case: Case) -> Made:
    form = case.random.choice(("PNG", "GIF", "JPEG", "WEBP"))
    return Made(encode(picture(_label_sheet(case), 144), form), MEDIA_TYPES[form], UNREAD, EvidenceKind.PHOTO)


def _conditions(case: Case) -> Made:
    articles = [case.say(article) for article in CONDITIONS[case.language]]
    if case.random.random() < 0.4:
        return page(case, case.words.footer[1], paragraphs(*articles), ABSENT)
    sheet = case.sheet(case.words.footer[1])
    y = 150.0
    for article in articles * 3:
        y = sheet.paragraph(y, article, 9) + 8
    return Made(pdf(case.random, sheet), PDF, ABSENT)


def _blank_form(case: Case) -> Made:
    """The form of a proof before it is filled in; sometimes with the printed number, as on a driver's list."""
    sheet = case.sheet(case.words.proof)
    number = case.random.choice(("", case.number))
    rule = "_" * 30
    blanks = [(label, rule) for label, _ in case.facts()]
    blanks[0] = (case.words.number, number or rule)
    y = sheet.fields(160, blanks)
    sheet.text(60, y + 30, case.words.signature)
    sheet.frame(60, y + 40, 260, 80)
    return Made(pdf(case.random, sheet), PDF, Truth(number_shown=bool(number)))


def _invoice(case: Case) -> Made:
    title, total, service = INVOICE[case.language]
    price = case.random.uniform(5, 60)
    sheet = case.sheet(f"{title} {case.random.randrange(100000, 999999)}")
    sheet.text(60, 140, f"{case.name}, {case.parcel.postcode} {case.place}")
    sheet.text(400, 140, f"{case.parcel.delivered:%d.%m.%Y}")
    sheet.row(190, (60, 260, 480), (case.words.number, service, "EUR"), bold=True)
    sheet.row(210, (60, 260, 480), (case.number, service, f"{price:.2f}"))
    sheet.text(260, 250, f"{total}: {price * 1.2:.2f} EUR", bold=True)
    return Made(pdf(case.random, sheet), PDF, HOLLOW)


def _waybill(case: Case) -> Made:
    """As handed over by the sender: with the sender's signature, without the recipient's."""
    sheet = case.sheet(WAYBILL[case.language])
    sheet.text(60, 150, in_fours(case.number), 13)
    sheet.barcode(case.random, 300, 130, 40)
    y = sheet.fields(200, [*case.shipment(), (case.words.recipient, f"{case.name}, {case.place}")])
    sheet.text(60, y + 30, f"{case.words.signature}: ____________________")
    return Made(pdf(case.random, sheet), PDF, HOLLOW)


def _other_number(case: Case) -> str:
    return case.parcel.other_number


def _other_parcel_fields(case: Case) -> Made:
    """Another parcel's proof; half of them as a table on the carrier's site."""
    facts = case.facts(_other_number(case))
    if case.random.random() < 0.5:
        return page(case, case.words.proof, table(facts), ABSENT)
    sheet = case.sheet(case.words.proof)
    y = sheet.fields(160, facts)
    sheet.signature(case.random, 80, y + 60)
    return Made(pdf(case.random, sheet), PDF, ABSENT)


def _other_parcel_list(case: Case) -> Made:
    """A list of deliveries without our parcel."""
    sheet = case.sheet(case.words.proof)
    xs = (60, 190, 350, 480)
    sheet.row(150, xs, (case.words.number, case.words.delivered_on, case.words.signed_by, ""), bold=True)
    sheet.row(170, xs, (_other_number(case), case.date_text, case.name, case.words.delivered))
    for position in range(case.random.randrange(2, 7)):
        other = number_of(case.random, case.parcel.carrier)
        sheet.row(
            190 + 18 * position,
            xs,
            (other, case.day_before(), case.words.people[position % 6], case.words.delivered),
        )
    return Made(pdf(case.random, sheet), PDF, ABSENT)


def _other_parcel_text(case: Case) -> Made:
    """In a sentence: plain, with spaces, or only its digits."""
    number = _other_number(case)
    digits = "".join(sign for sign in number if sign.isdigit())
    text = case.random.choice((number, in_fours(number), digits))
    sentence = case.say(case.random.choice((*case.words.letter, *case.words.left)), text)
    return page_or_sheet(case, sentence, ABSENT, y=170)


def _other_carrier(case: Case) -> Made:
    """A good proof of a parcel that another carrier delivered."""
    own = case.parcel.carrier
    related = next((group for group in RELATED if own in group), {own})
    other = case.random.choice([carrier for carrier in CARRIERS if carrier not in related])
    sheet = Sheet()
    sheet.text(60, 60, NAMES[other].upper(), 18, bold=True)
    sheet.text(60, 110, case.words.proof, 14, bold=True)
    y = sheet.fields(160, case.facts(number_of(case.random, other)))
    sheet.signature(case.random, 80, y + 60)
    return Made(pdf(case.random, sheet), PDF, ABSENT)


def _one_colour(case: Case) -> Made:
    form = case.random.choice(("PNG", "JPEG", "GIF", "TIFF", "WEBP", "PDF"))
    image = Image.new(
        "L", (case.random.randrange(200, 900), 500), case.random.choice((0, 255, 255, 235, 128))
    )
    return _as_file(case, image, form)


def _noise(case: Case) -> Made:
    form = case.random.choice(("PNG", "JPEG", "GIF", "TIFF", "WEBP", "PDF"))
    return _as_file(case, grain(case.random.randrange(150, 300), 220), form)


def _empty_scan(case: Case) -> Made:
    """A blank scan: skewed, gray and grainy."""
    form = case.random.choice(("PNG", "JPEG", "TIFF", "PDF", "G4"))
    return _as_file(case, scan(case.random, Sheet(), 60), form)


def _as_file(case: Case, image: Image.Image, form: str) -> Made:
    if form == "PDF":
        sheet = Sheet()
        sheet.marks.append(Picture(0, 0, 595, 842, encode(image, "JPEG")))
        return Made(pdf(case.random, sheet), PDF, UNREAD, EvidenceKind.LETTER)
    return Made(encode(image, form), MEDIA_TYPES[form], UNREAD, EvidenceKind.PHOTO)


def _empty_page(case: Case) -> Made:
    """Nothing, only the carrier's head, or a page of the site without its content."""
    choice = case.random.randrange(4)
    if choice == 0:
        return Made(pdf(case.random, Sheet()), PDF, ABSENT)
    if choice == 1:
        return Made(pdf(case.random, case.sheet(case.words.proof)), PDF, ABSENT)
    if choice == 2:
        return Made(b"<html><head></head><body></body></html>", "text/html", ABSENT, EvidenceKind.RECORD)
    return page(case, case.words.proof, '<div id="app"></div>', ABSENT)


def _login_form(case: Case) -> Made:
    """The form with its fields, in front of a missing proof."""
    title, body = case.say(case.random.choice(MESSAGES["login_page"][case.language])).split("|")
    form = (
        '<form method="post"><input name="user"><input type="password" name="pass"><button>OK</button></form>'
    )
    return page(case, title, f"<p>{escape(body)}</p>{form}", Truth(number_shown=case.number in body))


_MESSAGES = {kind: partial(_message, kind) for kind in MESSAGES if kind != "login_page"}
KINDS: dict[str, Callable[[Case], Made]] = {
    **_MESSAGES,
    "login_page": _login_form,
    "in_transit": _in_transit,
    "label": _label,
    "label_picture": _label_picture,
    "conditions": _conditions,
    "blank_form": _blank_form,
    "invoice": _invoice,
    "waybill": _waybill,
    "other_parcel_fields": _other_parcel_fields,
    "other_parcel_list": _other_parcel_list,
    "other_parcel_text": _other_parcel_text,
    "other_carrier": _other_carrier,
    "one_colour": _one_colour,
    "noise": _noise,
    "empty_scan": _empty_scan,
    "empty_page": _empty_page,
}
TEMPLATES: tuple[Template, ...] = tuple(
    template for kind, draw in KINDS.items() for template in by_language(kind, draw, is_good=False)
)

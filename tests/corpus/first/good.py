"""Documents that prove the delivery: 20 kinds, each in six languages.

The position of each fact follows public descriptions: the letter of USPS Publication 109 (4-6.2), the POD segment of
X12, article 4 of the French decree of 7 February 2007 on proofs of distribution, GLS's and UPS's help pages on
parcels left with neighbors and in safe places, FedEx's use cases of signature and picture proofs.
"""

from collections.abc import Callable
from html import escape
from io import BytesIO
from random import Random

from PIL import Image, ImageDraw
from reportlab.lib.utils import ImageReader

from recours.core.evidence import EvidenceKind
from tests.corpus.first.case import (
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
from tests.corpus.first.sheet import (
    MEDIA_TYPES,
    Picture,
    Sheet,
    Text,
    canvas,
    encode,
    grain,
    pdf,
    picture,
    scan,
)
from tests.corpus.model import Made, Template, Truth
from tests.corpus.parcels import another_number


def _letter(case: Case) -> Made:
    sheet = case.sheet(case.words.proof)
    sheet.text(60, 150, case.words.greeting)
    y = sheet.paragraph(180, case.say(case.random.choice(case.words.letter)), 11)
    sheet.text(60, y + 20, case.say(case.words.closing))
    sheet.text(60, 790, " - ".join(case.words.footer[1:3]), 7)
    return Made(pdf(case.random, sheet), PDF, case.truth())


def _receipt(case: Case) -> Made:
    sheet = Sheet(300, 460)
    sheet.text(30, 40, case.carrier, 14, bold=True)
    sheet.text(30, 65, case.words.proof, 11, bold=True)
    number = case.random.choice((case.number, in_fours(case.number)))
    y = sheet.fields(95, case.facts(number), x=30, gap=120)
    sheet.fields(y + 10, case.shipment(), x=30, gap=120)
    sheet.text(30, 300, f"{case.words.status}: {case.words.delivered}")
    return Made(pdf(case.random, sheet), PDF, case.truth())


def _rows(case: Case) -> list[tuple[str, str, str, str]]:
    """Several parcels of one round, including ours."""
    rows = [(case.number, case.date_text, case.name, case.words.delivered)]
    for _ in range(case.random.randrange(3, 9)):
        other = another_number(case.random, case.parcel.carrier, case.number)
        name = case.random.choice([name for name in case.words.people if name != case.name])
        rows.append((other, case.day_before(case.random.randrange(1, 4)), name, case.words.delivered))
    case.random.shuffle(rows)
    return rows


def _delivery_table(case: Case) -> Made:
    sheet = case.sheet(case.words.proof)
    xs = (60, 190, 350, 480)
    heads = (case.words.number, case.words.delivered_on, case.words.signed_by, case.words.status)
    sheet.row(150, xs, heads, bold=True)
    for position, row in enumerate(_rows(case)):
        sheet.row(172 + 18 * position, xs, row)
    return Made(pdf(case.random, sheet), PDF, case.truth(has_place=False))


def _signed_sheet(case: Case) -> Sheet:
    sheet = case.sheet(case.words.proof)
    y = sheet.fields(150, case.facts())
    sheet.text(60, y + 30, case.words.signature)
    sheet.frame(60, y + 40, 260, 80)
    sheet.signature(case.random, 80, y + 80)
    return sheet


def _signature_sheet(case: Case) -> Made:
    return Made(pdf(case.random, _signed_sheet(case)), PDF, case.truth(has_signature=True))


def _waybill_sheet(case: Case) -> Sheet:
    """A consignment note: boxes for sender, recipient and goods, and the recipient's receipt at the bottom."""
    sheet = case.sheet(f"{case.words.proof} / CMR")
    sheet.frame(50, 130, 240, 90)
    sheet.fields(150, case.shipment(), gap=130)
    sheet.frame(300, 130, 240, 90)
    sheet.text(310, 150, case.words.recipient, 8, bold=True)
    sheet.text(310, 168, f"{case.name}, {case.parcel.postcode} {case.place}", 9)
    sheet.text(60, 260, case.words.number, bold=True)
    sheet.text(60, 278, in_fours(case.number), 13)
    sheet.barcode(case.random, 300, 240, 40)
    sheet.frame(50, 600, 490, 150)
    sheet.fields(625, case.facts()[1:])
    sheet.text(60, 700, case.words.signature, 8)
    sheet.signature(case.random, 300, 710)
    return sheet


def _waybill_signed(case: Case) -> Made:
    return Made(pdf(case.random, _waybill_sheet(case)), PDF, case.truth(has_signature=True))


def _paper(case: Case) -> Sheet:
    return case.random.choice((_signed_sheet, _waybill_sheet))(case)


def photo(random: Random, width: int = 480, height: int = 360) -> Image.Image:
    """A parcel in front of a door, in color, with camera noise."""
    wall = tuple(random.randrange(90, 210) for _ in range(3))
    image = Image.new("RGB", (width, height), wall)
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, height * 0.75, width, height), fill=(110, 105, 100))
    left = random.randrange(40, 180)
    door = tuple(random.randrange(20, 140) for _ in range(3))
    pen.rectangle((left, height * 0.1, left + 130, height * 0.75), fill=door, outline=(30, 30, 30), width=4)
    pen.ellipse((left + 105, height * 0.42, left + 117, height * 0.46), fill=(220, 200, 90))
    box = (left + 90, height * 0.6, left + 210, height * 0.85)
    pen.rectangle(box, fill=(176, 132, 82), outline=(90, 60, 30), width=2)
    pen.rectangle((left + 140, height * 0.6, left + 160, height * 0.85), fill=(205, 180, 140))
    pen.rectangle((left + 100, height * 0.68, left + 132, height * 0.75), fill=(240, 240, 240))
    return Image.blend(image, Image.merge("RGB", [grain(width, height)] * 3), 0.08)


def _photo_caption(case: Case) -> Made:
    sheet = case.sheet(case.words.proof)
    sheet.marks.append(Picture(60, 130, 400, 300, encode(photo(case.random), "JPEG")))
    sheet.text(60, 450, case.words.photo, 9)
    sheet.fields(480, case.facts())
    return Made(pdf(case.random, sheet), PDF, case.truth(), EvidenceKind.PHOTO)


def _photo(case: Case) -> Made:
    form = case.random.choice(("JPEG", "WEBP", "PNG", "GIF", "JPEG"))
    image = photo(case.random)
    return Made(encode(image, form), MEDIA_TYPES[form], UNREAD, EvidenceKind.PHOTO)


def _unread(case: Case, *, has_signature: bool) -> Truth:
    return Truth(
        number_shown=None,
        signatory=case.name,
        has_signature=has_signature,
        delivered=case.delivered,
        place=case.place,
    )


def _paper_scan(case: Case) -> Made:
    form = case.random.choice(("G4", "TIFF", "JPEG", "PNG", "PDF"))
    image = scan(case.random, _paper(case))
    truth = _unread(case, has_signature=True)
    if form == "PDF":
        sheet = Sheet()
        sheet.marks.append(Picture(0, 0, 595, 842, encode(image, "JPEG")))
        return Made(pdf(case.random, sheet), PDF, truth)
    return Made(encode(image, form), MEDIA_TYPES[form], truth)


def _with_text_layer(case: Case, *, text_is_under: bool) -> Made:
    """A scan with its OCR text: invisible text over the picture, or white text under it."""
    paper = _paper(case)
    image = ImageReader(BytesIO(encode(scan(case.random, paper), "JPEG")))
    buffer = BytesIO()
    document = canvas(buffer)
    document.setPageSize((595, 842))
    if not text_is_under:
        document.drawImage(image, 0, 0, 595, 842)
    layer = document.beginText()
    layer.setTextRenderMode(0 if text_is_under else 3)
    layer.setFillGray(1)
    for mark in paper.marks:
        if isinstance(mark, Text):
            layer.setFont("Helvetica", mark.size)
            layer.setTextOrigin(mark.x, 842 - mark.y)
            layer.textOut(mark.text)
    document.drawText(layer)
    if text_is_under:
        document.drawImage(image, 0, 0, 595, 842)
    document.showPage()
    document.save()
    return Made(buffer.getvalue(), PDF, case.truth(has_signature=True))


def _scan_text_over(case: Case) -> Made:
    return _with_text_layer(case, text_is_under=False)


def _scan_text_under(case: Case) -> Made:
    return _with_text_layer(case, text_is_under=True)


def _portal_html(case: Case) -> Made:
    banner = f"<aside>{escape(case.words.footer[0])} <button>OK</button></aside>"
    return page(case, case.words.proof, table(case.facts()) + banner, case.truth())


def _tracking_delivered(case: Case) -> Made:
    """The whole history, newest event first, as on a carrier's site."""
    events = [(case.date_text, f"{case.words.delivered}: {case.name}, {case.place}")]
    for days, event in enumerate(reversed(case.words.events)):
        events.append((case.day_before(days), event))
    body = paragraphs(f"{case.words.number} {case.number}", f"{case.words.status}: {case.words.delivered}")
    return page(case, case.words.menu[1], body + table(events), case.truth())


def _email_html(case: Case) -> Made:
    """As saved by a mail program: layout tables, no menu."""
    sentence = escape(case.say(case.random.choice(case.words.letter)))
    body = (
        f'<table width="600" cellpadding="0"><tr><td bgcolor="#eeeeee"><b>{case.carrier}</b></td></tr>'
        f"<tr><td>{escape(case.words.greeting)}<br><br>{sentence}</td></tr>"
        f'<tr><td style="font-size:10px">no-reply@carrier.example</td></tr></table>'
    )
    return page(case, case.words.proof, body, case.truth(), bare=True)


def _rotated(case: Case) -> Made:
    """A page that the viewer rotates by 90 or 180 degrees."""
    sheet = _signed_sheet(case)
    sheet.rotation = case.random.choice((90, 180, 270))
    return Made(pdf(case.random, sheet), PDF, case.truth(has_signature=True))


def _landscape(case: Case) -> Made:
    sheet = case.sheet(case.words.proof, width=842, height=595)
    xs = (60, 210, 380, 540, 700)
    words = case.words
    sheet.row(
        160, xs, (words.number, words.delivered_on, words.signed_by, words.place, words.status), bold=True
    )
    sheet.row(182, xs, (case.number, case.date_text, case.name, case.place, words.delivered))
    sheet.fields(230, case.shipment())
    return Made(pdf(case.random, sheet), PDF, case.truth())


def _second_page(case: Case) -> Made:
    """A cover letter, with the proof behind it."""
    cover = case.sheet(case.words.menu[2])
    cover.text(60, 150, case.words.greeting)
    cover.fields(180, case.shipment())
    cover.text(60, 270, case.say(case.words.closing))
    cover.text(60, 790, " - ".join(case.words.footer), 7)
    return Made(pdf(case.random, cover, _signed_sheet(case)), PDF, case.truth(has_signature=True))


def _safe_place(case: Case) -> Made:
    """With a neighbor, in a locker or in a safe place; in a sentence, as PDF or HTML."""
    place = case.random.randrange(3)
    sentence = case.say(case.words.left[place])
    truth = case.truth(is_signed=place != 2)
    return page_or_sheet(case, sentence, truth, y=160)


def _signature_only(case: Case) -> Made:
    """The recording of a driver's device: strokes on white, and nothing else."""
    sheet = Sheet(220, 90)
    sheet.signature(case.random, 20, 45)
    form = case.random.choice(("PNG", "GIF", "JPEG", "G4", "WEBP"))
    image = scan(case.random, sheet, 144) if form == "JPEG" else picture(sheet, 144)
    return Made(
        encode(image, form),
        MEDIA_TYPES[form],
        Truth(number_shown=None, has_signature=True),
        EvidenceKind.SIGNATURE,
    )


def _reversed_table(case: Case) -> Made:
    """Values before their labels, columns from right to left."""
    if case.random.random() < 0.5:
        rows = "".join(
            f"<tr><td>{escape(value)}</td><th>{escape(label)}</th></tr>" for label, value in case.facts()
        )
        return page(case, case.words.proof, f'<table dir="rtl">{rows}</table>', case.truth())
    sheet = case.sheet(case.words.proof)
    for position, (label, value) in enumerate(case.facts()):
        sheet.text(320, 160 + 20 * position, label, bold=True)
        sheet.text(60, 160 + 20 * position, value)
    return Made(pdf(case.random, sheet), PDF, case.truth())


def _table_html(case: Case) -> Made:
    """A list of deliveries in the portal, including ours."""
    words = case.words
    head = "".join(
        f"<th>{escape(label)}</th>"
        for label in (words.number, words.delivered_on, words.signed_by, words.status)
    )
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>\n" for row in _rows(case)
    )
    return page(case, words.proof, f"<table><tr>{head}</tr>\n{rows}</table>", case.truth(has_place=False))


KINDS: dict[str, Callable[[Case], Made]] = {
    "letter": _letter,
    "receipt": _receipt,
    "delivery_table": _delivery_table,
    "signature_sheet": _signature_sheet,
    "waybill_signed": _waybill_signed,
    "photo_caption": _photo_caption,
    "photo": _photo,
    "paper_scan": _paper_scan,
    "scan_text_over": _scan_text_over,
    "scan_text_under": _scan_text_under,
    "portal_html": _portal_html,
    "tracking_delivered": _tracking_delivered,
    "email_html": _email_html,
    "rotated": _rotated,
    "landscape": _landscape,
    "second_page": _second_page,
    "left": _safe_place,
    "signature_only": _signature_only,
    "reversed_table": _reversed_table,
    "table_html": _table_html,
}
TEMPLATES: tuple[Template, ...] = tuple(
    template for kind, draw in KINDS.items() for template in by_language(kind, draw, is_good=True)
)

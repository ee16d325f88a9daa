"""Documents that prove nothing about the delivery of the parcel that was asked about."""

import json
from collections.abc import Callable
from dataclasses import replace
from html import escape
from random import Random

from font_roboto import Roboto
from fpdf import FPDF
from fpdf.enums import TextMode
from PIL import Image, ImageDraw, ImageFont

from recours.core.appraisal import EvidenceKind
from tests.corpus.model import Made, Truth
from tests.corpus.parcels import another_number, number_of
from tests.corpus.second import good, paper
from tests.corpus.second.good import Draw
from tests.corpus.second.paper import HTML, PDF, Sheet
from tests.corpus.second.sentences import NOTICES, PAPERS
from tests.corpus.second.words import CARRIERS, Case

Content = Callable[[Case], Sheet]
_SHOWN = Truth(number_shown=True)
_NOT_SHOWN = Truth(number_shown=False)
_PICTURE = Truth(number_shown=None)


def _draw(content: Content, *forms: str) -> Draw:
    """The content in one of the forms; "misnamed" is HTML under a PDF's name."""

    def make(case: Case) -> Made:
        sheet = content(case)
        form = case.random.choice(forms)
        text = " ".join((*sheet.lines(), *(cell for row in sheet.table for cell in row)))
        truth = _SHOWN if case.number in text else _NOT_SHOWN
        if form == "misnamed":
            return Made(paper.web_page(case, sheet, menu=False), PDF, truth)
        return Made(*paper.render(case, sheet, form), truth)

    return make


def _notice(kind: str) -> Content:
    def content(case: Case) -> Sheet:
        title, *texts = (case.fill(sentence) for sentence in NOTICES[kind][case.language])
        return Sheet(title=title, texts=texts, is_signed=kind in {"pickup_receipt", "leave_permission"})

    return content


def _sentences(case: Case, kind: str) -> list[str]:
    return [case.fill(sentence) for sentence in PAPERS[kind][case.language]]


def in_transit(case: Case) -> Sheet:
    status, *events, expected = _sentences(case, "transit")
    texts = (f"{case.words['number']}: {case.number}", f"{case.words['status']}: {status}", expected)
    table = [(case.moment(case.before(20 - 9 * index)), "Hub", event) for index, event in enumerate(events)]
    return Sheet(title=case.words["history"], texts=texts, table=table)


def label(case: Case) -> Sheet:
    title, to, sender, signature = _sentences(case, "label")
    texts = (
        f"{to}: {case.name}",
        case.address,
        f"{sender}: {case.sender}",
        f"{signature} - 2,4 kg",
        case.number,
    )
    return Sheet(title=f"{case.carrier} - {title}", texts=texts, has_barcode=True)


def blank_form(case: Case) -> Sheet:
    title, *blanks = _sentences(case, "form")
    fields = ((case.words["number"], case.number), *((blank, "_" * 28) for blank in blanks))
    return Sheet(title=title, rows=fields)


def invoice(case: Case) -> Sheet:
    title, day, description, amount, charge = _sentences(case, "invoice")
    row = (case.number, f"{charge} - {case.name}", f"{case.random.randint(5, 40)},90")
    table = ((case.words["number"], description, amount), row)
    return Sheet(title=f"{title} {case.random.randint(10**5, 10**6)}", rows=((day, case.day()),), table=table)


def customs(case: Case) -> Sheet:
    title, contents, worth, certificate = _sentences(case, "customs")
    words = case.words
    fields = (
        (words["number"], case.number),
        (words["sender"], case.sender),
        ("To", f"{case.name}, {case.town}"),
        (contents, "T-shirt, 2"),
        (worth, "38,00 EUR"),
        (certificate.partition(".")[2].strip(), case.day()),
    )
    return Sheet(title=title, texts=(certificate.partition(".")[0],), rows=fields, is_signed=True)


def manifest(case: Case) -> Sheet:
    title, text, signature = _sentences(case, "manifest")
    numbers = [another_number(case.random, case.parcel.carrier, case.number) for _ in range(6)]
    numbers.insert(case.random.randint(0, 6), case.number)
    table = ((case.words["number"], case.words["weight"]), *((number, "2,0 kg") for number in numbers))
    return Sheet(title=title, texts=(text, signature), table=table, is_signed=True)


def frame_alone(case: Case) -> Sheet:
    """The title of a proof with nothing under it."""
    return Sheet(title=case.words["proof"])


def _other_parcel(make: Draw) -> Draw:
    """A proof, but of a different parcel of the same carrier."""

    def make_other(case: Case) -> Made:
        parcel = replace(case.parcel, number=case.parcel.other_number)
        return replace(make(replace(case, parcel=parcel)), truth=_NOT_SHOWN)

    return make_other


def other_carrier(case: Case) -> Made:
    """A proof, but of another carrier."""
    carrier = case.random.choice([name for name in CARRIERS[case.language] if name != case.parcel.carrier])
    parcel = replace(case.parcel, carrier=carrier, number=number_of(case.random, carrier))
    make = good.draw(good.receipt, "letter", "portal", "half")
    return replace(make(replace(case, parcel=parcel)), truth=_NOT_SHOWN)


def api_error(case: Case) -> Made:
    """The refusal of an API in place of the file: JSON or SOAP, now and then under a PDF's name."""
    title, text, *_ = (case.fill(sentence) for sentence in NOTICES["not_available"][case.language])
    if case.random.random() < 0.5:
        body = {"errors": [{"code": "POD.NOTAVAILABLE", "message": title, "details": text}]}
        content = json.dumps(body, ensure_ascii=False).encode()
        return Made(content, case.random.choice(("application/json", PDF)), _SHOWN)
    fault = f"<faultcode>soap:Server</faultcode><faultstring>{escape(title)}. {escape(text)}</faultstring>"
    name = "http://schemas.xmlsoap.org/soap/envelope/"
    soap = f'<s:Envelope xmlns:s="{name}"><s:Body><s:Fault>{fault}</s:Fault></s:Body></s:Envelope>'
    return Made(soap.encode(), case.random.choice(("text/xml", PDF)), _SHOWN)


def cut_off(case: Case) -> Made:
    """The beginning of a proof: the transfer broke off, and no reader opens it."""
    content = good.draw(good.receipt, "letter")(case).content
    return Made(content[: int(len(content) * case.random.uniform(0.1, 0.3))], PDF, _NOT_SHOWN)


def blank_page(case: Case) -> Made:
    pdf = paper.new_pdf(case.random, landscape=case.random.random() < 0.5)
    return Made(bytes(pdf.output()), PDF, _NOT_SHOWN)


_ANY_FORM = ("portal", "bare", "misnamed", "letter", "letter")
IN_LANGUAGES: dict[str, Draw] = {
    **{kind: _draw(_notice(kind), *_ANY_FORM) for kind in NOTICES},
    "in_transit": _draw(in_transit, "portal", "letter"),
    "label": _draw(label, "half", "caladea"),
    "label_scan": _draw(label, "layer"),
    "blank_form": _draw(blank_form, "letter", "boxed"),
    "blank_form_scan": _draw(blank_form, "layer", "under"),
    "invoice": _draw(invoice, "letter"),
    "customs": _draw(customs, "wide", "half"),
    "manifest": _draw(manifest, "letter"),
    "frame_alone": _draw(frame_alone, "portal", "letter"),
    "other_parcel_letter": _other_parcel(good.draw(good.letter, "letter", "caladea", "portal")),
    "other_parcel_table": _other_parcel(good.draw(good.facts, "portal", "bare", "boxed")),
    "other_parcel_groups": _other_parcel(good.draw(good.number_in_groups, "roboto", "half")),
    "other_parcel_receipt": _other_parcel(good.draw(good.receipt, "half", "portal")),
    "other_parcel_scan": _other_parcel(good.draw(good.receipt, "layer")),
    "other_parcels_round": _other_parcel(good.draw(good.driver_round, "wide", "portal")),
    "other_carrier": other_carrier,
    "api_error": api_error,
    "cut_off": cut_off,
    "blank_page": blank_page,
}


def _hide_on_paper(way: str) -> Draw:
    """A carrier's letter says that nothing is available; a proof lies on the page where nobody sees it."""

    def make(case: Case) -> Made:
        title, text, *_ = NOTICES["not_available"][case.language]
        pdf = paper.new_pdf(case.random)
        paper.letterhead(pdf, case)
        paper.lines(pdf, (title, text.replace("{number}", "")))
        pdf.set_y(120)
        _write_unseen(pdf, good.facts(case)[0].lines(), way)
        return Made(bytes(pdf.output()), PDF, _NOT_SHOWN)

    return make


def _write_unseen(pdf: FPDF, texts: list[str], way: str) -> None:
    match way:
        case "white" | "faint" | "black":
            pdf.set_fill_color(0 if way == "black" else 255)
            pdf.rect(0, 110, 210, 160, style="F")
            pdf.set_text_color({"white": 255, "faint": 253, "black": 0}[way])
            paper.lines(pdf, texts)
        case "not_drawn":
            with pdf.local_context(text_mode=TextMode.INVISIBLE):
                paper.lines(pdf, texts)
        case "transparent":
            with pdf.local_context(fill_opacity=0.0):
                paper.lines(pdf, texts)
        case "minute":
            paper.lines(pdf, (" ".join(texts),), size=0.4)
        case "off_the_page":
            for index, text in enumerate(texts):
                pdf.text(pdf.w + 30, 40 + index * 6, text)
        case "clipped":
            with pdf.rect_clip(x=0, y=290, w=2, h=2):
                paper.lines(pdf, texts)
        case "under_a_box":
            paper.lines(pdf, texts)
            pdf.set_fill_color(255)
            pdf.rect(0, 110, 210, 160, style="F")
        case "under_a_picture":
            paper.lines(pdf, texts)
            pdf.image(Image.new("L", (200, 160), 255), x=0, y=110, w=210)


_PAPER_WAYS = ("white", "faint", "black", "not_drawn", "transparent", "minute", "off_the_page", "clipped",
               "under_a_box", "under_a_picture")  # fmt: skip
_HTML_WAYS = {
    "display": '<div style="display:none">{0}</div>',
    "attribute": "<section hidden>{0}</section>",
    "visibility": '<div style="visibility: hidden">{0}</div>',
    "comment": "<!-- {0} -->",
    "template": "<template>{0}</template>",
    "script": '<script type="text/template">{0}</script>',
    "opacity": '<div style="opacity:0">{0}</div>',
    "no_size": '<div style="font-size:0">{0}</div>',
    "aside": '<div style="position:absolute;left:-9999px">{0}</div>',
    "class": "<style>.pod-data{{display:none!important}}</style><div class='pod-data'>{0}</div>",
    "white": '<div style="background:#ffffff;color:#fff">{0}</div>',
}


def _hide_in_html(frame: str) -> Draw:
    def make(case: Case) -> Made:
        title, text, *_ = NOTICES["not_available"][case.language]
        proof = frame.format(paper.paragraphs(good.facts(case)[0].lines()))
        sheet = Sheet(title=title, texts=(text.replace("{number}", ""),))
        return Made(paper.web_page(case, sheet, menu=True, more=proof), HTML, _NOT_SHOWN)

    return make


def _picture(draw: Callable[[Random], Image.Image], *forms: str) -> Draw:
    def make(case: Case) -> Made:
        form = case.random.choice(forms)
        kind = case.random.choice((EvidenceKind.SIGNATURE, EvidenceKind.PHOTO))
        return Made(paper.encode(draw(case.random), form), f"image/{form.lower()}", _PICTURE, kind)

    return make


def _one_colour(random: Random) -> Image.Image:
    size = random.choice(((1, 1), (200, 60), (640, 480), (1240, 1754)))
    return Image.new("L", size, random.choice((255, 255, 250, 0, 128)))


def _noise(random: Random) -> Image.Image:
    picture = Image.frombytes("RGB", (160, 120), random.randbytes(160 * 120 * 3))
    return picture.resize((640, 480)) if random.random() < 0.5 else picture.convert("L")


def _dark_photo(random: Random) -> Image.Image:
    """The lens was covered."""
    grain = Image.frombytes("RGB", (320, 240), random.randbytes(320 * 240 * 3))
    return Image.blend(Image.new("RGB", (320, 240), (6, 6, 8)), grain, 0.02)


def _empty_pad(random: Random) -> Image.Image:
    """The frame of a signature with its base line, and no signature."""
    picture = Image.new("L", (400, 140), 255)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, 399, 139), outline=120)
    height = random.randint(100, 120)
    draw.line((30, height, 370, height), fill=150)
    return picture


def _notice_picture(random: Random) -> Image.Image:
    """Only a reader of its letters sees that it proves nothing."""
    picture = Image.new("L", (420, 90), 255)
    text = random.choice(
        ("Signature not available", "Signature non disponible", "Unterschrift nicht verfügbar")
    )
    ImageDraw.Draw(picture).text((30, 30), text, fill=60, font=ImageFont.truetype(Roboto, 20))
    return picture


def label_picture(case: Case) -> Made:
    """A label as a picture: only a reader of its letters sees what it is."""
    picture = paper.scan(case.random, label(case))[0].crop((0, 0, 620, 320))
    return Made(paper.encode(picture, "PNG"), "image/png", _PICTURE, EvidenceKind.SIGNATURE)


def cut_off_picture(case: Case) -> Made:
    content = good.doorstep_photo(case).content
    return Made(content[: len(content) // 12], "image/jpeg", _PICTURE, EvidenceKind.PHOTO)


def empty_file(case: Case) -> Made:
    content = case.random.choice((b"", b"\n", b"<html><head></head><body>&nbsp;</body></html>", b"null"))
    return Made(content, case.random.choice((PDF, HTML, "image/png")), _NOT_SHOWN)


ANY_LANGUAGE: dict[str, Draw] = {
    **{f"hidden_{way}": _hide_on_paper(way) for way in _PAPER_WAYS},
    **{f"hidden_html_{way}": _hide_in_html(frame) for way, frame in _HTML_WAYS.items()},
    "gradient": _picture(lambda _: Image.linear_gradient("L").resize((640, 240)), "PNG", "JPEG"),
    "one_colour": _picture(_one_colour, "PNG", "GIF", "JPEG", "TIFF"),
    "noise": _picture(_noise, "PNG", "JPEG"),
    "dark_photo": _picture(_dark_photo, "JPEG", "PNG"),
    "empty_pad": _picture(_empty_pad, "PNG", "GIF"),
    "notice_picture": _picture(_notice_picture, "PNG"),
    "label_picture": label_picture,
    "cut_off_picture": cut_off_picture,
    "empty_file": empty_file,
}

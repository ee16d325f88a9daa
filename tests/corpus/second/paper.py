"""Draws a sheet of texts and fields in many forms, with fpdf2 and Pillow; nothing here knows what is true of it."""

from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from io import BytesIO
from random import Random
from textwrap import wrap
from typing import Any

from font_caladea import Caladea
from font_roboto import Roboto
from fpdf import FPDF
from fpdf.enums import TextMode, XPos, YPos
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from pypdf import PdfReader, PdfWriter

from tests.corpus.second.sentences import NOTICES
from tests.corpus.second.words import MENUS, Case

PDF = "application/pdf"
HTML = "text/html"
PAGES = ("portal", "bare")  # forms of HTML
PAPER = ("letter", "half", "wide", "roboto", "caladea", "band", "cover", "terms", "turned", "boxed")
SCANS = (
    "layer",
    "under",
    "unread",
)  # the text of a scan lies invisibly over it, in black under it, or is missing
PICTURES = ("JPEG", "PNG", "GIF", "TIFF", "fax")
Rows = Sequence[Sequence[str]]
_DRAWN = datetime(2026, 11, 30, tzinfo=UTC)  # no clock: the same bytes each time
_STYLES = (
    "body{font-family:Arial;margin:0}nav a{margin:0 1em}footer{color:#666;font-size:12px}",
    "body{font:15px/1.5 Georgia,serif;background:#fff;color:#222}nav li{display:inline}",
    "body{background:#10243e;color:#f4f4f4;font-family:Verdana}a{color:#ffcc00}",
)


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """What a document says, from top to bottom."""

    title: str = ""
    texts: Sequence[str] = ()
    rows: Rows = ()  # label and value
    table: Rows = ()  # the first row is its head
    is_signed: bool = False
    row_signatures: bool = False  # in the table's last column
    has_barcode: bool = False
    has_photo: bool = False

    def lines(self) -> list[str]:
        return [self.title, *self.texts, *(f"{label}: {text}" for label, text in self.rows)]


def render(case: Case, sheet: Sheet, form: str) -> tuple[bytes, str]:
    """The file in one of the forms above, and its media type."""
    if form in PAGES:
        return web_page(case, sheet, menu=form == "portal"), HTML
    if form not in PICTURES:
        return _on_paper(case, sheet, form), PDF
    picture = scan(case.random, sheet)[0]
    if form == "fax":
        return encode(picture.point(lambda level: 255 * (level > 128), "1"), "TIFF"), "image/tiff"
    return encode(picture, form), f"image/{form.lower()}"


def _on_paper(case: Case, sheet: Sheet, form: str) -> bytes:
    font = form if form in {"roboto", "caladea"} else ""
    pdf = new_pdf(case.random, landscape=form == "wide", half=form == "half", font=font)
    if form in SCANS:
        picture, places = scan(case.random, sheet)
        if form == "layer":
            _place(pdf, picture, 0, 0, 210)
        with pdf.local_context(text_mode=TextMode.INVISIBLE if form == "layer" else TextMode.FILL):
            for text, x, y in places if form != "unread" else ():
                pdf.text(x, y, text)
        if form != "layer":
            _place(pdf, picture, 0, 0, 210)
        return bytes(pdf.output())
    if form in {"letter", "roboto", "turned", "boxed", "cover"}:
        letterhead(pdf, case)
    if form == "cover":
        lines(pdf, (case.words["dear"], case.words["thanks"], "1/2"))
        pdf.add_page()
    if form == "band":
        pdf.set_fill_color(*case.random.choice(((24, 40, 80), (90, 10, 30), (0, 90, 60))))
        pdf.rect(0, 0, 210, 110, style="F")
        pdf.set_text_color(255)
    _body(pdf, case.random, sheet, is_boxed=form == "boxed")
    if form == "terms":
        pdf.add_page()
        lines(pdf, (case.fill(text) for text in NOTICES["terms"][case.language]))
    if form != "turned":
        return bytes(pdf.output())
    writer = PdfWriter(clone_from=PdfReader(BytesIO(bytes(pdf.output()))))
    writer.pages[0].rotate(case.random.choice((90, 180, 270)))
    file = BytesIO()
    writer.write(file)
    return file.getvalue()


def _body(pdf: FPDF, random: Random, sheet: Sheet, *, is_boxed: bool) -> None:
    lines(pdf, (sheet.title,), size=14)
    lines(pdf, sheet.texts)
    (_boxes if is_boxed else _fields)(pdf, sheet.rows)
    _table(pdf, random, sheet)
    if sheet.is_signed:
        _sign(pdf, random, 40, pdf.get_y() + 3)
    if sheet.has_barcode:
        _barcode(pdf, random, 20, pdf.get_y() + 4)
    if sheet.has_photo:
        _place(pdf, doorstep(random, (480, 360)), 20, pdf.get_y() + 5, 110)


def new_pdf(random: Random, *, landscape: bool = False, half: bool = False, font: str = "") -> FPDF:
    """One empty page, A4 or half of it, in a base font or in `font`: "roboto" or "caladea", which are TrueType."""
    size = (148.5, 210) if half else (210, 297)
    pdf = FPDF(orientation="L" if landscape else "P", format=size)
    pdf.set_creation_date(_DRAWN)
    pdf.core_fonts_encoding = "cp1252"
    if font:
        pdf.add_font(font, fname=Roboto if font == "roboto" else Caladea)
    pdf.set_font(font or random.choice(("helvetica", "times", "courier")), size=10)
    pdf.set_auto_page_break(True, 12)
    pdf.add_page()
    return pdf


def letterhead(pdf: FPDF, case: Case) -> None:
    """The carrier's coloured band and name."""
    pdf.set_fill_color(*case.random.choice(((200, 20, 40), (255, 204, 0), (77, 20, 140), (6, 26, 177))))
    pdf.rect(0, 0, pdf.w, 9, style="F")
    pdf.set_y(14)
    lines(pdf, (case.carrier,), size=18)
    lines(pdf, (f"{case.carrier} - Service POD",), size=8)


def lines(pdf: FPDF, texts: Iterable[str], size: float = 10) -> None:
    pdf.set_font_size(size)
    for text in filter(None, texts):
        pdf.multi_cell(0, size * 0.5, text, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        pdf.ln(2)
    pdf.set_font_size(10)


def _fields(pdf: FPDF, rows: Rows) -> None:
    """Label and value side by side."""
    for label, text in rows:
        pdf.cell(50, 7, label)
        pdf.cell(0, 7, text, new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def _boxes(pdf: FPDF, rows: Rows) -> None:
    """Two boxes on each line, with the label in small print above its value."""
    top = pdf.get_y()
    for index, (label, text) in enumerate(rows):
        x, y = 10 + index % 2 * 95, top + index // 2 * 16
        pdf.rect(x, y, 95, 16)
        pdf.set_font_size(6.5)
        pdf.text(x + 2, y + 4, label.upper())
        pdf.set_font_size(10)
        pdf.text(x + 2, y + 11, text)
    pdf.set_y(top + (len(rows) + 1) // 2 * 16)


def _table(pdf: FPDF, random: Random, sheet: Sheet) -> None:
    pdf.set_font_size(8)
    height = 16 if sheet.row_signatures else 8
    pdf.set_fill_color(225, 225, 225)
    for index, row in enumerate(sheet.table):
        width = (pdf.w - 20) / len(row)
        for text in row:
            pdf.cell(width, height, text, border=1, fill=index == 0)
        if sheet.row_signatures and index > 0:
            _sign(pdf, random, pdf.w - 8 - width, pdf.get_y() + 2, width - 6, 11)
        pdf.ln(height)


def _sign(pdf: FPDF, random: Random, x: float, y: float, width: float = 45, height: float = 14) -> None:
    """A signature in vector strokes."""
    pdf.set_draw_color(*random.choice(((20, 20, 60), (0, 0, 0), (30, 40, 120))))
    for stroke in _strokes(random):
        pdf.polyline([(x + across * width, y + down * height) for across, down in stroke])
    pdf.set_draw_color(0)


def _barcode(pdf: FPDF, random: Random, x: float, y: float) -> None:
    pdf.set_fill_color(0)
    end = x + 80
    while x < end:
        bar = random.choice((0.4, 0.8, 1.2))
        pdf.rect(x, y, bar, 18, style="F")
        x += bar + random.choice((0.4, 0.8, 1.2))


def _strokes(random: Random) -> list[list[tuple[float, float]]]:
    """Two to four curves in the unit square."""
    strokes = []
    for _ in range(random.randint(2, 4)):
        across, down = random.uniform(0, 0.3), random.uniform(0.3, 0.7)
        stroke = [(across, down)]
        for _ in range(random.randint(14, 26)):
            across = min(1.0, max(0.0, across + random.uniform(-0.03, 0.08)))
            down = min(1.0, max(0.0, down + random.uniform(-0.28, 0.28)))
            stroke.append((across, down))
        strokes.append(stroke)
    return strokes


def _scribble(
    picture: Image.Image, random: Random, box: tuple[int, int, int, int], ink: int, width: int
) -> None:
    left, top, right, bottom = box
    for stroke in _strokes(random):
        points = [(left + x * (right - left), top + y * (bottom - top)) for x, y in stroke]
        ImageDraw.Draw(picture).line(points, fill=ink, width=width, joint="curve")


def signature_picture(random: Random, size: tuple[int, int]) -> Image.Image:
    picture = Image.new("L", size, 255)
    width, height = size
    _scribble(picture, random, (8, 6, width - 8, height - 6), 0, max(2, height // 45))
    return picture


def scan(random: Random, sheet: Sheet) -> tuple[Image.Image, list[tuple[str, float, float]]]:
    """A grey page at 75 dpi as a copier makes it, and where each text stands, in mm from the page's top left."""
    picture = Image.new("L", (620, 877), random.randint(240, 254))
    draw = ImageDraw.Draw(picture)
    font = ImageFont.truetype(random.choice((Roboto, Caladea)), 15)
    places = []
    y = 70
    for text in (part for line in sheet.lines() for part in wrap(line, 64)):
        draw.text((45, y), text, fill=random.randint(10, 60), font=font)
        places.append((text, 45 * 25.4 / 75, (y + 14) * 25.4 / 75))
        y += 32
    if sheet.is_signed:
        draw.rectangle((45, y, 320, y + 110), outline=90)
        _scribble(picture, random, (60, y + 10, 300, y + 100), 30, 2)
        draw.ellipse((380, y, 560, y + 110), outline=random.choice((80, 250)), width=3)
    return Image.blend(picture, _grain(random, "L", picture.size), 0.05), places


def _grain(random: Random, mode: str, size: tuple[int, int]) -> Image.Image:
    return Image.frombytes(mode, size, random.randbytes(size[0] * size[1] * len(mode)))


def doorstep(random: Random, size: tuple[int, int]) -> Image.Image:
    """A photo: a parcel with a label in front of a door."""
    width, height = size
    shade = random.randint(110, 190)
    picture = Image.linear_gradient("L").resize(size).convert("RGB").point(lambda level: shade + level // 5)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, height * 3 // 4, width, height), fill=(96, 90, 84))
    door = random.randint(width // 10, width // 3)
    paint = random.choice(((88, 40, 32), (40, 66, 92), (60, 82, 60)))
    draw.rectangle((door, 20, door + width // 3, height * 3 // 4), fill=paint)
    left, top = random.randint(width // 4, width // 2), height * 3 // 5
    draw.polygon(
        [(left, top), (left + 40, top - 36), (left + 240, top - 36), (left + 200, top)], fill=(196, 158, 108)
    )
    draw.rectangle((left, top, left + 200, top + 120), fill=(176, 134, 84))
    draw.rectangle((left + 60, top + 30, left + 150, top + 95), fill=(238, 238, 232))
    for bar in range(left + 66, left + 144, 5):
        draw.rectangle((bar, top + 60, bar + random.randint(1, 3), top + 88), fill=(25, 25, 25))
    return Image.blend(picture.filter(ImageFilter.GaussianBlur(1.2)), _grain(random, "RGB", size), 0.06)


def encode(picture: Image.Image, form: str) -> bytes:
    """As "JPEG", "PNG", "GIF" or "TIFF"."""
    file = BytesIO()
    options: dict[str, dict[str, Any]] = {
        "TIFF": {"compression": "group4" if picture.mode == "1" else "tiff_lzw"},
        "JPEG": {"quality": 70},
    }
    picture.save(file, form, **options.get(form, {}))
    return file.getvalue()


def _place(pdf: FPDF, picture: Image.Image, x: float, y: float, width: float) -> None:
    pdf.image(BytesIO(encode(picture, "JPEG")), x=x, y=y, w=width)


def web_page(case: Case, sheet: Sheet, *, menu: bool, more: str = "") -> bytes:
    """In UTF-8 or Windows-1252; a portal's menu and footer stand around the sheet unless the carrier sends it bare."""
    style = case.random.choice(_STYLES)
    charset = case.random.choice(("utf-8", "utf-8", "windows-1252"))
    links = [f'<a href="/{index}">{escape(link)}</a>' for index, link in enumerate(MENUS[case.language])]
    body = paragraphs(sheet.texts) + _html_table(sheet.rows) + _html_table(sheet.table) + more
    if sheet.is_signed:
        picture = b64encode(encode(signature_picture(case.random, (300, 90)), "PNG")).decode()
        body += f'<img alt="" src="data:image/png;base64,{picture}">'
    if menu:
        body = f"<header><nav>{''.join(links[:5])}</nav></header><main><h1>{escape(sheet.title)}</h1>{body}</main>"
        body += (
            f"<footer>{' | '.join(links[5:])} | {escape(case.words['footer'])} | © {case.carrier}</footer>"
        )
    else:
        body = f"<h1>{escape(sheet.title)}</h1>{body}<p>{case.carrier}</p>"
    head = f'<meta charset="{charset}"><title>{escape(sheet.title)}</title><style>{style}</style>'
    page = f'<!DOCTYPE html>\n<html lang="{case.language}"><head>{head}</head>\n<body>{body}</body></html>\n'
    return page.encode(charset, "xmlcharrefreplace")


def paragraphs(texts: Iterable[str]) -> str:
    return "\n".join(f"<p>{escape(text)}</p>" for text in texts)


def _html_table(rows: Rows) -> str:
    cells = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows)
    return "<table>" + "\n".join(f"<tr>{row}</tr>" for row in cells) + "</table>"

"""Draws a sheet: a layout places its parts on pages, and an output turns the pages or the sheet into a file."""

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from html import escape
from importlib.resources import files
from io import BytesIO
from math import sin
from pathlib import Path
from random import Random
from textwrap import wrap

import reportlab
from fpdf import FPDF
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase.pdfmetrics import registerFont
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

SIGNED = "(signed)"  # a value drawn as a signature
File = tuple[bytes, str]  # with its media type
Point = tuple[float, float]
Box = tuple[float, float, float, float, int | None]  # left, top, width, height; filled with a gray or framed
_VERA = Path(reportlab.__file__).parent / "fonts"
_CALADEA = Path(str(files("font_caladea"))) / "files"
_ROBOTO = Path(str(files("font_roboto"))) / "files"
_FONTS = {  # regular, bold
    "Vera": (_VERA / "Vera.ttf", _VERA / "VeraBd.ttf"),
    "Caladea": (_CALADEA / "Caladea-Regular.ttf", _CALADEA / "Caladea-Bold.ttf"),
    "Roboto": (_ROBOTO / "Roboto-Regular.ttf", _ROBOTO / "Roboto-Bold.ttf"),
}
CAPTION_FONT = str(_ROBOTO / "Roboto-Medium.ttf")
_NAMES = {"Times": ("Times-Roman", "Times-Bold")}
_NAMES |= {family: (family, f"{family}-Bold") for family in ("Helvetica", "Courier", *_FONTS)}
for _family, _paths in _FONTS.items():
    for _name, _path in zip(_NAMES[_family], _paths, strict=True):
        registerFont(TTFont(_name, str(_path)))


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """The content of a document, without its layout."""

    carrier: str
    language: str
    issued: str
    title: str
    text: tuple[str, ...]
    fields: tuple[tuple[str, str], ...]  # label, value
    grid: tuple[tuple[str, ...], ...] = ()  # its first row is the head
    chrome: tuple[str, ...] = ("", "", "", "")  # menu, login, cookies, footer
    inputs: int = 0  # of a form on a web page
    photo: Image.Image | None = None
    barcode: bool = False


@dataclass
class Page:
    """Parts in points from the top left corner."""

    random: Random
    width: float = 595
    height: float = 842
    texts: list[tuple[float, float, float, bool, str]] = field(default_factory=list)  # left, base, size, bold
    boxes: list[Box] = field(default_factory=list)
    strokes: list[list[Point]] = field(default_factory=list)
    photos: list[tuple[float, float, float, float, Image.Image]] = field(default_factory=list)

    def write(
        self, x: float, y: float, text: str, size: float = 10, *, bold: bool = False, width: float = 480
    ) -> float:
        """Draw the value, wrapped; returns the height below it."""
        if text == SIGNED:
            self.strokes.append(scribble(self.random, x, y - 14, min(width, 140), 30))
            return y + 30
        for line in wrap(text, max(8, int(width / size / 0.56))):
            self.texts.append((x, y, size, bold, line))
            y += size * 1.35
        return y

    def table(self, x: float, y: float, rows: tuple[tuple[str, ...], ...], width: float) -> float:
        for number, row in enumerate(rows):
            column = width / len(row)
            bottom = max(
                self.write(x + index * column + 4, y + 13, cell, 8.5, bold=number == 0, width=column - 6)
                for index, cell in enumerate(row)
            )
            for index in range(len(row)):
                self.boxes.append((x + index * column, y, column, bottom - y, None))
            y = bottom
        return y + 16

    def bars(self, x: float, y: float, width: float, height: float) -> float:
        end = x + width
        while x < end:
            bar = self.random.choice((1.0, 1.0, 2.0, 3.0))
            self.boxes.append((x, y, bar, height, 0))
            x += bar + self.random.choice((1.0, 2.0, 3.0))
        return y + height + 20


def scribble(random: Random, x: float, y: float, width: float, height: float) -> list[Point]:
    beat, shift, loop = random.uniform(0.4, 1.1), random.uniform(0, 6), random.uniform(3, 14)
    points = []
    for step in range(60):
        swing = height * 0.45 * random.uniform(0.4, 1) * sin(step * beat + shift)
        points.append((x + width * step / 60 + loop * sin(step * beat * 1.3), y + height / 2 + swing))
    return points


def _rest(page: Page, sheet: Sheet, x: float, y: float, width: float) -> float:
    """The grid, the barcode and the photo."""
    if sheet.grid:
        y = page.table(x, y, sheet.grid, width)
    if sheet.barcode:
        y = page.bars(x, y, min(width, 260), 60)
    if sheet.photo:
        page.photos.append((x, y, 200, 150, sheet.photo))
        y += 170
    return y


def _letter(page: Page, sheet: Sheet) -> None:
    page.write(56, 64, sheet.carrier, 19, bold=True)
    page.write(400, 64, sheet.issued, 9)
    y = page.write(56, 130, sheet.title, 14, bold=True) + 12
    for paragraph in sheet.text:
        y = page.write(56, y, paragraph, 10.5) + 8
    for label, value in sheet.fields:
        page.write(56, y + 8, f"{label} :", width=190)
        y = page.write(250, y + 8, value, bold=True, width=290) + 4
    _rest(page, sheet, 56, y + 14, 480)
    page.write(56, 800, f"{sheet.carrier} - {sheet.chrome[3]}", 7)


def _boxes(page: Page, sheet: Sheet) -> None:
    page.boxes.append((40, 40, 515, 34, 225))
    page.write(50, 62, sheet.title, 14, bold=True, width=380)
    page.write(470, 62, sheet.carrier, 10, width=80)
    y = 120.0
    for number, (label, value) in enumerate(sheet.fields):
        x = 40 + 258 * (number % 2)
        page.boxes.append((x, y - 22, 254, 46, None))
        page.write(x + 5, y - 12, label, 7, width=245)
        page.write(x + 5, y + 6, value, 10.5, width=245)
        y += 52 * (number % 2)
    y += 52 * (len(sheet.fields) % 2)
    for paragraph in sheet.text:
        y = page.write(44, y + 6, paragraph, 9.5, width=500)
    _rest(page, sheet, 44, y + 10, 505)


def _table(page: Page, sheet: Sheet, *, is_reversed: bool = False) -> None:
    page.write(60, 60, sheet.carrier, 12, bold=True)
    y = page.write(60, 100, sheet.title, 16, bold=True) + 6
    for paragraph in sheet.text:
        y = page.write(60, y, paragraph) + 6
    for label, value in sheet.fields:
        row = (value, label) if is_reversed else (label, value)
        bottom = max(
            page.write(66 + 235 * index, y + 14, part, 9.5, width=225) for index, part in enumerate(row)
        )
        page.boxes.extend((60 + 235 * index, y, 235, bottom - y, None) for index in range(2))
        y = bottom
    _rest(page, sheet, 60, y + 20, 470)


def _columns(page: Page, sheet: Sheet) -> None:
    page.write(50, 56, sheet.carrier, 10)
    page.write(300, 56, sheet.issued, 8)
    page.write(50, 96, sheet.title, 17, bold=True)
    left = right = 150.0
    for label, value in sheet.fields:
        left = page.write(50, left, label, 8, width=200)
        left = page.write(50, left + 2, value, 11, bold=True, width=200) + 9
    for paragraph in sheet.text:
        right = page.write(300, right, paragraph, 9.5, width=240) + 7
    _rest(page, sheet, 50, max(left, right) + 20, 490)


def _roll(page: Page, sheet: Sheet) -> None:
    page.width = 226
    y = page.write(18, 34, sheet.carrier.upper(), 13, bold=True, width=200)
    y = page.write(18, y + 6, sheet.title, 10, bold=True, width=200) + 4
    for label, value in sheet.fields:
        y = page.write(18, y + 6, label, 7.5, width=195)
        y = page.write(18, y + 1, value, 9, bold=True, width=195)
    for paragraph in sheet.text:
        y = page.write(18, y + 8, paragraph, 7.5, width=195)
    page.height = _rest(page, sheet, 12, y + 10, 202) + 30


LAYOUTS: dict[str, Callable[[Page, Sheet], None]] = {
    "letter": _letter,
    "boxes": _boxes,
    "table": _table,
    "reversed": partial(_table, is_reversed=True),
    "columns": _columns,
    "roll": _roll,
}


def _draw(canvas: Canvas, page: Page, family: str) -> None:
    names = _NAMES[family]
    for x, y, width, height, grey in page.boxes:
        canvas.setFillGray((grey or 0) / 255)
        canvas.rect(
            x, page.height - y - height, width, height, stroke=int(grey is None), fill=int(grey is not None)
        )
    canvas.setFillGray(0)
    for x, y, width, height, photo in page.photos:
        canvas.drawImage(ImageReader(photo), x, page.height - y - height, width, height)
    for x, y, size, bold, text in page.texts:
        canvas.setFont(names[bold], size)
        canvas.drawString(x, page.height - y, text)
    for points in page.strokes:
        path = canvas.beginPath()
        path.moveTo(points[0][0], page.height - points[0][1])
        for x, y in points[1:]:
            path.lineTo(x, page.height - y)
        canvas.drawPath(path)


def _reportlab(random: Random, pages: list[Page], *, is_rotated: bool = False) -> File:
    family = random.choice(tuple(_NAMES))
    target = BytesIO()
    canvas = Canvas(target, invariant=True)
    for page in pages:
        canvas.setPageSize((page.width, page.height))
        if is_rotated and random.random() < 0.5:
            canvas.setPageSize((page.height, page.width))
            canvas.translate(page.height, 0)
            canvas.rotate(90)
        elif is_rotated:
            turn = random.choice((90, 180, 270))
            canvas.setPageRotation(turn)
            if turn != 180:  # reportlab swaps the sides
                canvas.setPageSize((page.height, page.width))
        _draw(canvas, page, family)
        canvas.showPage()
    canvas.save()
    return target.getvalue(), "application/pdf"


def _fpdf(random: Random, pages: list[Page]) -> File:
    family = random.choice(tuple(_FONTS))
    pdf = FPDF(unit="pt")
    pdf.set_creation_date(datetime(2026, 11, 1, tzinfo=UTC))
    for style, path in zip(("", "B"), _FONTS[family], strict=True):
        pdf.add_font(family, style, str(path))
    for page in pages:
        pdf.add_page(format=(page.width, page.height))
        for x, y, width, height, grey in page.boxes:
            pdf.set_fill_color(grey or 0)
            pdf.rect(x, y, width, height, style="D" if grey is None else "F")
        for x, y, width, height, photo in page.photos:
            pdf.image(photo, x, y, width, height)
        for x, y, size, bold, text in page.texts:
            pdf.set_font(family, "B" if bold else "", size)
            pdf.text(x, y, text)
        for points in page.strokes:
            pdf.polyline(points)
    return bytes(pdf.output()), "application/pdf"


def _photographed(random: Random, page: Page, scale: float = 1.7) -> Image.Image:
    """The page, printed and scanned: slightly rotated, blurred and noisy."""
    family = random.choice(tuple(_FONTS))
    sheet = Image.new("L", (int(page.width * scale), int(page.height * scale)), 250)
    draw = ImageDraw.Draw(sheet)
    for x, y, width, height, grey in page.boxes:
        corners = (x * scale, y * scale, (x + width) * scale, (y + height) * scale)
        draw.rectangle(corners, fill=grey, outline=60 if grey is None else None)
    for x, y, width, height, photo in page.photos:
        small = photo.convert("L").resize((int(width * scale), int(height * scale)))
        sheet.paste(small, (int(x * scale), int(y * scale)))
    for x, y, size, bold, text in page.texts:
        font = ImageFont.truetype(str(_FONTS[family][bold]), size * scale)
        draw.text((x * scale, y * scale), text, font=font, fill=35, anchor="ls")
    for points in page.strokes:
        draw.line([(x * scale, y * scale) for x, y in points], fill=50, width=3)
    turned = sheet.rotate(random.uniform(-0.8, 0.8), fillcolor=246)
    return grained(random, turned.filter(ImageFilter.GaussianBlur(0.5)), 0.04)


def grained(random: Random, picture: Image.Image, share: float) -> Image.Image:
    width, height = picture.size
    noise = Image.frombytes("L", picture.size, random.randbytes(width * height)).convert(picture.mode)
    return Image.blend(picture, noise, share)


def encoded(picture: Image.Image, media_type: str = "image/jpeg") -> File:
    target = BytesIO()
    picture.save(target, media_type.removeprefix("image/"), quality=60)
    return target.getvalue(), media_type


def _scan(random: Random, pages: list[Page], *, has_text: bool) -> File:
    """A PDF of pictures; its text, if any, is invisible over them word by word, as from OCR."""
    target = BytesIO()
    canvas = Canvas(target, invariant=True)
    for page in pages:
        canvas.setPageSize((page.width, page.height))
        picture = BytesIO(encoded(_photographed(random, page))[0])
        canvas.drawImage(ImageReader(picture), 0, 0, page.width, page.height)
        for x, y, size, _, text in page.texts * has_text:
            left = x
            for word in text.split():
                unseen = canvas.beginText(left, page.height - y + random.uniform(-0.6, 0.6))
                unseen.setTextRenderMode(3)
                unseen.setFont("Helvetica", size)
                unseen.textOut(f"{word} ")
                canvas.drawText(unseen)
                left += canvas.stringWidth(f"{word} ", "Helvetica", size)
        canvas.showPage()
    canvas.save()
    return target.getvalue(), "application/pdf"


def signature(random: Random) -> Image.Image:
    picture = Image.new("L", (420, 180), 255)
    ImageDraw.Draw(picture).line(scribble(random, 40, 20, 340, 110), fill=20, width=3)
    return picture


def _data(picture: Image.Image, media_type: str) -> str:
    return f"data:{media_type};base64,{b64encode(encoded(picture, media_type)[0]).decode()}"


_MARKUPS = (
    ("<dl>{}</dl>", "<dt>{}</dt><dd>{}</dd>"),
    ("<table>{}</table>", "<tr><th>{}</th><td>{}</td></tr>"),
    ("<div class='card'>{}</div>", "<div class='row'><span>{}</span> <strong>{}</strong></div>"),
)


def _html(random: Random, sheet: Sheet) -> str:
    """The sheet's content in one of three kinds of markup."""

    def shown(value: str) -> str:
        if value != SIGNED:
            return escape(value)
        return f'<img alt="" width="180" src="{_data(signature(random), "image/png")}">'

    outer, inner = random.choice(_MARKUPS)
    rows = "".join(inner.format(escape(label), shown(value)) for label, value in sheet.fields)
    text = (f"<p>{escape(part)}</p>" for part in sheet.text)
    parts = [f"<h1>{escape(sheet.title)}</h1>", *text, outer.format(rows)]
    if sheet.grid:
        lines = ("".join(f"<td>{shown(cell)}</td>" for cell in row) for row in sheet.grid)
        parts.append(f"<table class='history'>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>")
    if sheet.photo:
        parts.append(f'<img alt="" src="{_data(sheet.photo, "image/jpeg")}">')
    if sheet.inputs:
        parts.append(f"<form>{'<input>' * sheet.inputs}<button>{escape(sheet.chrome[1])}</button></form>")
    return "\n".join(parts)


def web(random: Random, sheet: Sheet) -> File:
    """A portal's page: a menu, a login link, a cookie notice, a footer."""
    menu, entry, cookies, foot = (escape(part) for part in sheet.chrome)
    links = "".join(f'<li><a href="#">{part}</a></li>' for part in menu.split("/"))
    page = f"""<!doctype html><html lang="{sheet.language}"><head><meta charset="utf-8">
<title>{escape(sheet.carrier)} | {escape(sheet.title)}</title><style>.row{{padding:4px}}</style>
<script>window.page = {{"name": "track", "language": "{sheet.language}"}};</script></head><body>
<div class="consent">{cookies}</div><header><nav><ul>{links}</ul></nav><a href="#">{entry}</a></header>
<main>{_html(random, sheet)}</main><footer>&copy; 2026 {escape(sheet.carrier)} - {foot}</footer></body></html>"""
    return page.encode(), "text/html"


def mail(random: Random, sheet: Sheet) -> File:
    page = f"""<html><head><meta http-equiv="Content-Type" content="text/html; charset=utf-8"></head>
<body><table width="600" align="center"><tr><td><b>{escape(sheet.carrier)}</b></td></tr>
<tr><td>{_html(random, sheet)}</td></tr><tr><td style="font-size:10px">{escape(sheet.chrome[3])}</td></tr></table></body></html>"""
    return page.encode(), "text/html"


def drawn(random: Random, sheets: list[Sheet], layout: str, output: str) -> File:
    """The file; `output` is one of web, mail, pdf, rotated, scan, layer (a scan with its text) and picture."""
    if output in {"web", "mail"}:
        return (web if output == "web" else mail)(random, sheets[-1])
    pages = [Page(random) for _ in sheets]
    for page, sheet in zip(pages, sheets, strict=True):
        LAYOUTS[layout](page, sheet)
    if output == "picture":
        return encoded(_photographed(random, pages[-1]), random.choice(("image/jpeg", "image/png")))
    if output in {"scan", "layer"}:
        return _scan(random, pages, has_text=output == "layer")
    if output == "rotated" or random.random() < 0.5:
        return _reportlab(random, pages, is_rotated=output == "rotated")
    return _fpdf(random, pages)

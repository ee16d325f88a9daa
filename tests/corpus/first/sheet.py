"""A sheet of paper, and three libraries that draw it: fpdf2, ReportLab and Pillow."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from io import BytesIO
from math import sin
from pathlib import Path
from random import Random
from textwrap import wrap

import reportlab
from fpdf import FPDF
from PIL import Image, ImageChops, ImageDraw, ImageFont
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

FAMILIES = ("Helvetica", "Times", "Courier", "Vera")
VERA = Path(reportlab.__file__).parent / "fonts" / "Vera.ttf"  # Bitstream Vera, the predecessor of DejaVu
VERA_BOLD = VERA.with_name("VeraBd.ttf")
_BASE = {
    "Helvetica": ("Helvetica", "Helvetica-Bold"),
    "Times": ("Times-Roman", "Times-Bold"),
    "Courier": ("Courier", "Courier-Bold"),
    "Vera": ("Vera", "VeraBold"),
}
Point = tuple[float, float]


@dataclass(frozen=True)
class Text:
    x: float
    y: float
    text: str
    size: float = 10
    bold: bool = False


@dataclass(frozen=True)
class Line:
    points: tuple[Point, ...]
    width: float = 0.7


@dataclass(frozen=True)
class Bar:
    x: float
    y: float
    width: float
    height: float
    grey: float = 0  # 0 is black, 1 is white


@dataclass(frozen=True)
class Picture:
    x: float
    y: float
    width: float
    height: float
    content: bytes


@dataclass
class Sheet:
    """In points from the top left corner; `y` of a text is its baseline."""

    width: float = 595
    height: float = 842
    rotation: int = 0
    marks: list[Text | Line | Bar | Picture] = field(default_factory=list)

    def text(self, x: float, y: float, text: str, size: float = 10, *, bold: bool = False) -> None:
        self.marks.append(Text(x, y, text, size, bold))

    def paragraph(self, y: float, text: str, size: float = 10, *, x: float = 60) -> float:
        """Add a paragraph wrapped to the sheet; returns the position of the next line."""
        for line in wrap(text, int((self.width - x - 50) / (size * 0.6)), break_on_hyphens=False):
            self.text(x, y, line, size)
            y += size * 1.4
        return y

    def fields(self, y: float, pairs: Sequence[tuple[str, str]], *, x: float = 60, gap: float = 160) -> float:
        for label, value in pairs:
            self.text(x, y, label, bold=True)
            self.text(x + gap, y, value)
            y += 20
        return y

    def row(self, y: float, xs: Sequence[float], cells: Sequence[str], *, bold: bool = False) -> None:
        for x, cell in zip(xs, cells, strict=True):
            self.text(x, y, cell, 8, bold=bold)
        self.marks.append(Line(((xs[0], y + 4), (self.width - 40, y + 4)), 0.4))

    def frame(self, x: float, y: float, width: float, height: float) -> None:
        corners = ((x, y), (x + width, y), (x + width, y + height), (x, y + height), (x, y))
        self.marks.append(Line(corners))

    def signature(self, random: Random, x: float, y: float, scale: float = 1) -> None:
        """Add handwriting of about 150 by 40 points."""
        for start in (0.0, random.uniform(40, 70)):
            a, b, c = random.uniform(0.1, 0.25), random.uniform(0.3, 0.6), random.uniform(6, 16)
            points = [
                (
                    x + scale * (start + t * 1.4 + 9 * sin(t * b)),
                    y + scale * (c * sin(t * a) + 9 * sin(t * b * 2)),
                )
                for t in range(60)
            ]
            self.marks.append(Line(tuple(points), 1.4 * scale))

    def barcode(self, random: Random, x: float, y: float, height: float = 60) -> None:
        for _ in range(60):
            width = random.choice((1, 1, 2, 3))
            self.marks.append(Bar(x, y, width, height))
            x += width + random.choice((1, 2, 2, 3))


def pdf(random: Random, *sheets: Sheet) -> bytes:
    """Drawn by fpdf2 or ReportLab, in any family; only ReportLab can rotate a page."""
    family = random.choice(FAMILIES)
    if random.random() < 0.5 and not any(sheet.rotation for sheet in sheets):
        return with_fpdf(sheets, family)
    return with_reportlab(sheets, family)


def with_fpdf(sheets: Sequence[Sheet], family: str) -> bytes:
    document = FPDF(unit="pt")
    document.set_creation_date(datetime(2026, 11, 1, tzinfo=UTC))
    if family == "Vera":
        document.add_font("Vera", "", VERA)
        document.add_font("Vera", "B", VERA_BOLD)
    for sheet in sheets:
        document.add_page(format=(sheet.width, sheet.height))
        for mark in sheet.marks:
            if isinstance(mark, Text):
                document.set_font(family, "B" * mark.bold, mark.size)
                document.text(mark.x, mark.y, mark.text)
            elif isinstance(mark, Line):
                document.set_line_width(mark.width)
                document.polyline(list(mark.points))
            elif isinstance(mark, Bar):
                document.set_fill_color(round(mark.grey * 255))
                document.rect(mark.x, mark.y, mark.width, mark.height, style="F")
            else:
                document.image(BytesIO(mark.content), mark.x, mark.y, mark.width, mark.height)
    return bytes(document.output())


def with_reportlab(sheets: Sequence[Sheet], family: str) -> bytes:
    buffer = BytesIO()
    document = canvas(buffer)
    for sheet in sheets:
        size = (sheet.width, sheet.height)
        if sheet.rotation in (90, 270):  # then ReportLab takes the displayed size
            size = (sheet.height, sheet.width)
        document.setPageSize(size)
        document.setPageRotation(sheet.rotation)
        draw(document, sheet, family)
        document.showPage()
    document.save()
    return buffer.getvalue()


def canvas(buffer: BytesIO) -> Canvas:
    """A canvas without time-dependent content."""
    _register_vera()
    return Canvas(buffer, invariant=1, pageCompression=1)


def draw(document: Canvas, sheet: Sheet, family: str) -> None:
    for mark in sheet.marks:
        if isinstance(mark, Text):
            document.setFont(_BASE[family][mark.bold], mark.size)
            document.drawString(mark.x, sheet.height - mark.y, mark.text)
        elif isinstance(mark, Line):
            document.setLineWidth(mark.width)
            path = document.beginPath()
            path.moveTo(mark.points[0][0], sheet.height - mark.points[0][1])
            for x, y in mark.points[1:]:
                path.lineTo(x, sheet.height - y)
            document.drawPath(path)
        elif isinstance(mark, Bar):
            document.setFillGray(mark.grey)
            document.rect(
                mark.x, sheet.height - mark.y - mark.height, mark.width, mark.height, stroke=0, fill=1
            )
            document.setFillGray(0)
        else:
            bottom = sheet.height - mark.y - mark.height
            document.drawImage(ImageReader(BytesIO(mark.content)), mark.x, bottom, mark.width, mark.height)


@cache
def _register_vera() -> None:
    pdfmetrics.registerFont(TTFont("Vera", VERA))
    pdfmetrics.registerFont(TTFont("VeraBold", VERA_BOLD))


@cache
def _font(size: int, *, bold: bool) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(VERA_BOLD if bold else VERA, size, layout_engine=ImageFont.Layout.BASIC)


def picture(sheet: Sheet, dpi: int = 90) -> Image.Image:
    """The sheet in gray, like a perfect scan."""
    scale = dpi / 72
    image = Image.new("L", (round(sheet.width * scale), round(sheet.height * scale)), 255)
    pen = ImageDraw.Draw(image)
    for mark in sheet.marks:
        if isinstance(mark, Text):
            font = _font(round(mark.size * scale), bold=mark.bold)
            pen.text((mark.x * scale, mark.y * scale), mark.text, 0, font, anchor="ls")
        elif isinstance(mark, Line):
            points = [(x * scale, y * scale) for x, y in mark.points]
            pen.line(points, 0, max(1, round(mark.width * scale)))
        elif isinstance(mark, Bar):
            corner = ((mark.x + mark.width) * scale, (mark.y + mark.height) * scale)
            pen.rectangle(((mark.x * scale, mark.y * scale), corner), round(mark.grey * 255))
        else:
            size = (round(mark.width * scale), round(mark.height * scale))
            photo = Image.open(BytesIO(mark.content)).convert("L").resize(size)
            image.paste(photo, (round(mark.x * scale), round(mark.y * scale)))
    return image


@cache
def grain(width: int, height: int) -> Image.Image:
    return Image.frombytes("L", (width, height), Random(2026).randbytes(width * height))


def scan(random: Random, sheet: Sheet, dpi: int = 90) -> Image.Image:
    """Skewed by up to two degrees, with the grain and the gray of paper."""
    image = picture(sheet, dpi)
    image = image.rotate(random.uniform(-2, 2), Image.Resampling.BILINEAR, fillcolor=235)
    noise = ImageChops.offset(grain(*image.size), random.randrange(500), random.randrange(500))
    return Image.blend(image, noise, random.uniform(0.06, 0.14))


MEDIA_TYPES = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "GIF": "image/gif",
    "TIFF": "image/tiff",
    "WEBP": "image/webp",
    "G4": "image/tiff",
}


def encode(image: Image.Image, form: str) -> bytes:
    """In one of MEDIA_TYPES; G4 is the TIFF of fax machines, black and white."""
    buffer = BytesIO()
    if form == "G4":
        image.point(lambda grey: 255 * (grey > 150)).convert("1").save(buffer, "TIFF", compression="group4")
    elif form == "TIFF":
        image.save(buffer, "TIFF", compression="tiff_lzw")
    elif form == "PNG":
        image.save(buffer, "PNG", compress_level=1)
    else:
        image.save(buffer, form, quality=80)
    return buffer.getvalue()

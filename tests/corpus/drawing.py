"""Draws PDFs, pictures and web pages: the same Random gives the same bytes.

PDFs are drawn on ReportLab's Canvas and pictures on Pillow's Image; these functions add to both. Coordinates of a PDF
are points from the lower left corner, those of a picture are pixels from the upper left corner.
"""

import io
from collections.abc import Callable, Iterable
from functools import cache
from html import escape
from pathlib import Path
from random import Random

import reportlab
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont
from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

_FONT_FILE = Path(reportlab.__file__).parent / "fonts" / "Vera.ttf"

Page = Callable[[Canvas], object]
Box = tuple[float, float, float, float]  # left, bottom (of a picture: top), width, height


# --- PDF ---


def pdf(*pages: Page) -> bytes:
    """A file of these pages."""
    file = io.BytesIO()
    canvas = Canvas(file, pagesize=A4, invariant=1)
    for page in pages:
        page(canvas)
        canvas.showPage()
    canvas.save()
    return file.getvalue()


def write(canvas: Canvas, x: float, y: float, lines: Iterable[str]) -> None:
    """Draw lines of text below each other, the first at `y`."""
    canvas.setFont("Helvetica", 10)
    for line in lines:
        canvas.drawString(x, y, line)
        y -= 15


def sign(canvas: Canvas, random: Random, box: Box) -> None:
    """Draw a signature in the box, as lines of the PDF."""
    points = scribble(random, box)
    path = canvas.beginPath()
    path.moveTo(*points[0])
    for point in points[1:]:
        path.lineTo(*point)
    canvas.setLineWidth(1.2)
    canvas.drawPath(path)


def place(canvas: Canvas, picture: Image.Image, box: Box) -> None:
    """Draw a picture in the box, stretched to fill it."""
    left, bottom, width, height = box
    canvas.drawImage(ImageReader(picture), left, bottom, width, height)


def scribble(random: Random, box: Box) -> list[tuple[float, float]]:
    """Points of a curve like handwriting, from the left to the right of the box."""
    left, low, width, height = box
    steps = random.randint(25, 45)
    return [
        (
            left + width * min(1.0, max(0.0, (step + random.uniform(-2, 2)) / steps)),
            low + height * random.betavariate(2, 2),
        )
        for step in range(steps)
    ]


# --- Pictures ---


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(_FONT_FILE), size)


def paper(size: tuple[int, int] = (620, 440), shade: int = 255) -> Image.Image:
    """A blank sheet in greys; 255 is white."""
    return Image.new("L", size, shade)


def print_on(sheet: Image.Image, x: float, y: float, lines: Iterable[str], size: int = 16) -> None:
    """Draw lines of text below each other, with the first one's upper edge at `y`."""
    draw = ImageDraw.Draw(sheet)
    for line in lines:
        draw.text((x, y), line, fill=20, font=_font(size))
        y += size * 1.5


def sign_on(sheet: Image.Image, random: Random, box: Box, ink: int = 30) -> None:
    """Draw a signature in the box, two or three pixels wide."""
    ImageDraw.Draw(sheet).line(scribble(random, box), fill=ink, width=random.randint(2, 3))


def scanned(sheet: Image.Image, random: Random, *, skew: float, noise: int) -> Image.Image:
    """The sheet as a scanner or a phone sees it: rotated by up to `skew` degrees, noisy, a little blurred."""
    turned = sheet.rotate(random.uniform(-skew, skew), resample=Image.Resampling.BILINEAR, fillcolor=235)
    return add_noise(turned.filter(ImageFilter.GaussianBlur(0.6)), random, noise)


def add_noise(sheet: Image.Image, random: Random, most: int) -> Image.Image:
    """Darken each pixel by a random amount up to `most` of 255."""
    grain = Image.frombytes("L", sheet.size, random.randbytes(sheet.width * sheet.height))
    return ImageChops.subtract(sheet, grain.point(lambda shade: shade * most // 255))


def encoded(sheet: Image.Image, media_type: str) -> bytes:
    """As image/png or image/jpeg."""
    file = io.BytesIO()
    sheet.save(file, media_type.removeprefix("image/"), **({"quality": 60} if "jpeg" in media_type else {}))
    return file.getvalue()


# --- Web pages ---


def web_page(title: str, body: str) -> bytes:
    """A page in UTF-8; `body` is HTML."""
    return (
        f'<!DOCTYPE html>\n<html><head><meta charset="utf-8"><title>{escape(title)}</title></head>\n'
        f"<body>{body}</body></html>\n"
    ).encode()

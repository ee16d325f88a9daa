"""Sheets laid out on pages, and these as PDF by reportlab and fpdf2; the same chance, the same bytes."""

import itertools
from abc import ABC, abstractmethod
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from random import Random

import reportlab
from fpdf import FPDF
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from tests.corpus.fourth.sheets import Grid, Ink, Sheet

FILES = {name: str(Path(reportlab.__file__).parent / "fonts" / name) for name in ("Vera.ttf", "VeraBd.ttf")}
WIDTH, HEIGHT = 595, 842  # A4 in points
_FONTS = (("Helvetica", "Helvetica-Bold"), ("Times-Roman", "Times-Bold"), ("Courier",) * 2, tuple(FILES))
_PLAIN = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "„": '"', "–": "-", "€": "EUR", "œ": "oe"})
for _name, _file in FILES.items():
    pdfmetrics.registerFont(TTFont(_name, _file))


class Page(ABC):
    """A page that is drawn on, in points from its top left corner; a text's y is its baseline."""

    @abstractmethod
    def measure(self, text: str, size: float, *, is_bold: bool) -> float:
        """The width of a text."""

    @abstractmethod
    def write(self, text: str, x: float, y: float, size: float, *, is_bold: bool) -> None:
        """Draw a text."""

    @abstractmethod
    def line(self, points: list[tuple[float, float]]) -> None:
        """Draw a line from point to point."""

    def frame(self, x: float, y: float, width: float, height: float) -> None:
        self.line([(x, y), (x + width, y), (x + width, y + height), (x, y + height), (x, y)])


def arrange(random: Random, sheet: Sheet, page: Page) -> None:  # noqa: C901 (the parts of a page, from top to bottom)
    """Puts the sheet on a page: in one column or two, ruled or not, in some size."""
    left, size, is_ruled = random.choice((40, 52, 64)), random.choice((8, 9, 10)), random.random() < 0.5
    is_split = random.random() < 0.15 and not any(
        isinstance(block, Grid) and block.header for block in sheet.blocks
    )
    full, top = WIDTH - 2 * left, float(left)

    def write(text: str, x: float, width: float, scale: float = 1.0, *, is_bold: bool = False) -> float:
        """Wrapped at the width; gives the height that it took."""
        rows = [""]
        for word in text.split():
            longer = f"{rows[-1]} {word}".strip()
            if rows[-1] and page.measure(longer, size * scale, is_bold=is_bold) > width:
                rows.append(word)
            else:
                rows[-1] = longer
        for at, row in enumerate(rows, 1):
            page.write(row, x, top + at * size * scale * 1.3, size * scale, is_bold=is_bold)
        return len(rows) * size * scale * 1.3 + 4

    top += write(sheet.head, left, full, random.choice((1.5, 1.9)), is_bold=True) + 14
    top += write(sheet.title, left, full, 1.3, is_bold=True) + 6
    start, full = top, (full - 16) // 2 if is_split else full
    for block in sheet.blocks:
        if is_split and top > HEIGHT * 0.24:
            left, top, is_split = left + full + 16, start, False
        if isinstance(block, str):
            top += write(block, left, full) + 4
            continue
        for count, row in enumerate((block.header, *block.rows) if block.header else block.rows):
            x, height = float(left), size * 1.5
            for column, (cell, width) in enumerate(zip(row, _widths(block, full), strict=True)):
                if isinstance(cell, Ink):
                    height = max(height, 30)
                    for stroke in cell.strokes:
                        page.line([(x + 3 + px * min(width, 90), top + 2 + py * 24) for px, py in stroke])
                else:
                    is_bold = count == 0 if block.header else column == 0
                    height = max(height, write(cell, x + 2, width - 4, 0.85, is_bold=is_bold))
                x += width
            if is_ruled:
                page.frame(left, top, full, height)
            top += height
        top += 8
    if sheet.foot:
        write(sheet.foot, left, full, 0.7)


def _widths(grid: Grid, total: float) -> list[float]:
    """Of the columns: each has room for its longest word, so that no number is broken."""
    if not grid.header:
        return [total * 0.36, total * 0.64]
    columns = zip(grid.header, *grid.rows, strict=True)
    longest = [
        max(9 if isinstance(cell, Ink) else max(map(len, cell.split())) for cell in column)
        for column in columns
    ]
    return [total * (length + 2) / (sum(longest) + 2 * len(longest)) for length in longest]


class _ByReportlab(Page):
    def __init__(self, random: Random, title: str) -> None:
        self.fonts, self.file = random.choice(_FONTS), BytesIO()
        is_compressed = random.choice((0, 1))
        self.canvas = Canvas(self.file, (WIDTH, HEIGHT), pageCompression=is_compressed, invariant=1)
        self.canvas.setTitle(title)

    def measure(self, text: str, size: float, *, is_bold: bool) -> float:
        return pdfmetrics.stringWidth(text, self.fonts[is_bold], size)

    def write(self, text: str, x: float, y: float, size: float, *, is_bold: bool) -> None:
        self.canvas.setFont(self.fonts[is_bold], size)
        self.canvas.drawString(x, HEIGHT - y, text)

    def line(self, points: list[tuple[float, float]]) -> None:
        ends = itertools.pairwise(points)
        self.canvas.lines([(x, HEIGHT - y, u, HEIGHT - v) for (x, y), (u, v) in ends])

    def content(self) -> bytes:
        self.canvas.save()
        return self.file.getvalue()


class _ByFpdf(Page):
    def __init__(self, random: Random, title: str) -> None:
        self.file, self.family = (
            FPDF(unit="pt", format="A4"),
            random.choice(("helvetica", "times", "courier", "vera")),
        )
        self.file.set_creation_date(datetime(2026, 11, 2, 8, 0, tzinfo=UTC))
        self.file.set_title(title)
        self.file.add_page()
        for style, file in zip(("", "B"), FILES.values(), strict=True):
            self.file.add_font("vera", style, file)

    def _plain(self, text: str) -> str:
        """In the characters of the font: the core fonts have Latin-1 only."""
        return text if self.family == "vera" else text.translate(_PLAIN)

    def measure(self, text: str, size: float, *, is_bold: bool) -> float:
        self.file.set_font(self.family, "B" if is_bold else "", size)
        return self.file.get_string_width(self._plain(text))

    def write(self, text: str, x: float, y: float, size: float, *, is_bold: bool) -> None:
        self.measure("", size, is_bold=is_bold)  # sets the font
        self.file.text(x, y, self._plain(text))

    def line(self, points: list[tuple[float, float]]) -> None:
        self.file.polyline(points)

    def content(self) -> bytes:
        return bytes(self.file.output())


def pdf(random: Random, sheet: Sheet) -> bytes:
    page = random.choice((_ByReportlab, _ByFpdf))(random, sheet.title)
    arrange(random, sheet, page)
    return page.content()

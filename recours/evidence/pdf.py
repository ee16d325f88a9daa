"""Reads the visible text and drawings of a PDF, with PDFium.

Only the process of `recours.evidence.pdf_child` imports this module: PDFium is C++, and carriers' files are untrusted.
"""

import ctypes
import io
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import pypdfium2
from pypdfium2 import PdfBitmap, PdfDocument, PdfiumError, PdfMatrix, raw

from recours.evidence.pdf_child import Result, Task
from recours.evidence.reading import UNREADABLE, Appearance, Cell, Reading, Row

# The limits of an examination. A proof has one or two pages with a few thousand characters.
_MOST_PAGES = 10
_MOST_CHARACTERS = 20_000  # on a page
_MOST_OBJECTS = 100_000  # on a page, including the segments of its paths
_MOST_IMAGES = 1_000  # in a document; an image counts each time it is drawn
_DEEPEST_FORM = 4
_LARGE_IMAGE = 9_000_000  # pixels (A4 at 300 dpi); larger images are reduced first

_FEWEST_STROKES = 8  # minimum number of slanted lines and curves in a signature
_ALONG_AN_EDGE = 0.3  # points; a line that slants less counts as horizontal or vertical
_TOP = 0.15  # the share of the page's height that counts as the top
# The size of a rendered page in pixels: A4 at 150 dpi.
_WIDTH = 1240
_HIGHEST = 5000
# To find visible text, a page is rendered at 54 dpi.
_SMALL = 54 / 72
_MOST_DOTS = 2000  # on the longer side
_CONTRAST = 24  # gray levels between the lightest and the darkest dot of visible text
_SMALLEST_LETTERS = 1.5  # points
_LARGE = 0.4  # the minimum height of a scan's picture, as a share of the page's height
_LARGER = 0.6  # scanned letters may be larger than the text by this share of its width and height
_SAMPLE = 8  # one in eight characters is tested for whether its font states the letter
_WHITE = 255

Point = tuple[float, float]


Box = tuple[float, float, float, float]  # left, bottom, right, top


class TooMuchError(Exception):
    """Raised if a page has too many characters or objects, or forms that are nested too deeply."""


def answer_request(task: Task, content: bytes, page: int) -> tuple[Result, bytes]:
    """Perform a task on a document; see `Task`. `page`: counted from 1. Raises MemoryError."""
    document = raw.FPDF_LoadMemDocument64(content, len(content), None)
    if not document:
        return Result.BROKEN, str(pypdfium2.internal.ErrorToStr.get(raw.FPDF_GetLastError())).encode()
    with PdfDocument(document) as pdf:
        if len(pdf) == 0:
            return Result.EMPTY, b""
        if task == Task.COUNT:
            return Result.DONE, b"%d" % len(pdf)
        if task == Task.READ:
            return Result.DONE, json.dumps(read(pdf), default=_fields).encode()
        if page > len(pdf):
            return Result.BROKEN, b"no such page"
        return Result.DONE, _page_as_png(pdf[page - 1])


def _fields(part: Reading | Cell) -> list[Any]:
    return [*vars(part).values()]


def _page_as_png(page: Any) -> bytes:
    width, height = page.get_size()
    png = io.BytesIO()
    page.render(scale=min(_WIDTH / width, _HIGHEST / height)).to_pil().save(png, "PNG")
    return png.getvalue()


def read(pdf: PdfDocument) -> Reading:
    """Read the first pages. If one of them is unreadable, the whole document is. Raises MemoryError."""
    images = Images(pdf)
    try:
        sheets = [Sheet(pdf[number], images) for number in range(min(len(pdf), _MOST_PAGES))]
    except (PdfiumError, TooMuchError):
        return UNREADABLE
    return Reading(
        rows=tuple(row for sheet in sheets for row in _rows(_level(sheet)) if row),
        has_ink=any(sheet.has_ink for sheet in sheets),
        # On a page without text, the curves may be the content. On a page with text, they belong to the letterhead.
        has_picture=any(sheet.has_picture or (sheet.has_curves and not sheet.texts) for sheet in sheets),
        has_handwriting=any(sheet.strokes >= _FEWEST_STROKES for sheet in sheets),
        has_signature_image=any(sheet.has_signature_image for sheet in sheets),
    )


@dataclass(frozen=True)
class DrawnText:
    """Text drawn in one operation. `x` (to the right) and `y` (up) are its position after turning the text upright.

    `box`: the position on the page before turning. `size`: the font size in points.
    """

    box: Box
    turned: int  # quarter turns
    x: float
    y: float
    end: float
    size: float
    text: str


# Minimum distances between rows, cells and words, as multiples of the font size.
_NEXT_ROW = 0.4
_NEXT_CELL = 1.0
_NEXT_WORD = 0.12


# The slopes that a tilted scan may have, in points up per point to the right.
_SLOPES = sorted((step / 400 for step in range(-16, 17)), key=abs)
_FEWER_ROWS = 0.9  # leveling must reduce the number of rows to this share


def _level(sheet: "Sheet") -> list[DrawnText]:
    """Return the text of a sheet. A tilted scan is leveled by the slope that results in the fewest rows."""
    texts = sheet.texts
    if not (sheet.is_scan and texts):
        return texts
    rows = {slope: _count_rows(texts, slope) for slope in _SLOPES}
    slope = min(rows, key=rows.__getitem__)
    if rows[slope] > _FEWER_ROWS * rows[0.0]:
        return texts
    return [replace(drawn, y=drawn.y - slope * drawn.x) for drawn in texts]


def _count_rows(texts: list[DrawnText], slope: float) -> int:
    next_row = _NEXT_ROW * min(drawn.size for drawn in texts)
    count = 0
    top = math.inf
    for height in sorted((drawn.y - slope * drawn.x for drawn in texts), reverse=True):
        if top - height >= next_row:
            count += 1
            top = height
    return count


def _rows(texts: list[DrawnText]) -> Iterator[Row]:
    """Yield the text as rows of cells, from top to bottom."""
    row: list[DrawnText] = []
    for drawn in sorted(texts, key=lambda drawn: (drawn.turned, -drawn.y, drawn.x)):
        if row and (
            drawn.turned != row[0].turned or row[0].y - drawn.y >= _NEXT_ROW * min(row[0].size, drawn.size)
        ):
            yield _cells(row)
            row = []
        row.append(drawn)
    yield _cells(row)


def _cells(row: list[DrawnText]) -> Row:
    cells: list[Cell] = []
    end = -math.inf
    for drawn in sorted(row, key=lambda drawn: drawn.x):
        gap = (drawn.x - end) / drawn.size
        if gap > _NEXT_CELL:
            cells.append(Cell(drawn.text, drawn.x))
        else:
            space = " " if gap > _NEXT_WORD else ""
            cells[-1] = Cell(cells[-1].text + space + drawn.text, cells[-1].at)
        end = drawn.end
    plain = (Cell(" ".join(cell.text.split()), cell.at) for cell in cells)
    return tuple(cell for cell in plain if cell.text)


class Sheet:
    """The content of one page: its text and other drawings."""

    def __init__(self, page: Any, images: "Images") -> None:
        """Examine the whole page. Raises PdfiumError, TooMuchError, MemoryError."""
        self.texts: list[DrawnText] = []
        self.strokes = 0
        self.has_signature_image = False
        self.has_curves = False
        self.is_scan = False  # whether a large picture lies under the text
        self._page = page
        self._images = images
        self._objects = 0
        self._pictures: list[tuple[Box, Appearance]] = []
        self._box = page.get_mediabox()
        self._turned = page.get_rotation() // 90
        text_page = page.get_textpage()
        self._text = text_page.raw
        characters = raw.FPDFText_CountChars(self._text)
        if characters > _MOST_CHARACTERS:
            raise TooMuchError
        self._letters = (ctypes.c_ushort * (characters + 1))()
        self.has_ink = any(_is_visible(page, number) for number in range(raw.FPDFPage_GetAnnotCount(page)))
        self.has_picture = self.has_ink
        self._add_objects(page.raw, raw.FPDFPage_CountObjects, raw.FPDFPage_GetObject)
        if self.texts:
            self.texts = [text for text in self.texts if self._is_readable(text)]
            # If fonts do not state which letters they draw, the page may show more than its text.
            if self.texts and any(
                raw.FPDFText_HasUnicodeMapError(self._text, number) == 1
                for number in range(0, characters, _SAMPLE)
            ):
                self.has_ink = self.has_picture = True
        for box, appearance in self._pictures:
            self._add_picture(box, appearance)
        page.close()

    @cached_property
    def _drawing(self) -> "Drawing":
        return Drawing(self._page)

    @cached_property
    def _without_text(self) -> Any:
        return self._drawing.without_texts([text.box for text in self.texts])

    def _is_readable(self, text: DrawnText) -> bool:
        """Return whether a person can see the text, either the text itself or the letters of a scan under it."""
        return text.size >= _SMALLEST_LETTERS and self._drawing.has_contrast(text.box)

    def _add_objects(
        self,
        whole: Any,
        count: Callable[[Any], int],
        part_of: Callable[[Any, int], Any],
        matrix: PdfMatrix | None = None,
        depth: int = 0,
    ) -> None:
        """Examine the objects of a page, or of a form that `matrix` positions on the page."""
        if depth > _DEEPEST_FORM:
            raise TooMuchError
        for number in range(count(whole)):
            self._count(1)
            item = part_of(whole, number)
            kind = raw.FPDFPageObj_GetType(item)
            if kind == raw.FPDF_PAGEOBJ_TEXT:
                self._add_text(item, matrix)
            elif kind == raw.FPDF_PAGEOBJ_PATH:
                self._add_path(item, matrix)
            elif kind == raw.FPDF_PAGEOBJ_IMAGE:
                self._add_image(item, matrix)
            elif kind == raw.FPDF_PAGEOBJ_SHADING:
                self.has_ink = self.has_picture = True
            elif kind == raw.FPDF_PAGEOBJ_FORM:
                within = _matrix_of(item, matrix)
                self._add_objects(
                    item, raw.FPDFFormObj_CountObjects, raw.FPDFFormObj_GetObject, within, depth + 1
                )

    def _count(self, objects: int) -> None:
        self._objects += objects
        if self._objects > _MOST_OBJECTS:
            raise TooMuchError

    def _add_text(self, item: Any, matrix: PdfMatrix | None) -> None:
        size = raw.FPDFTextObj_GetText(item, self._text, self._letters, ctypes.sizeof(self._letters))
        # PDFium returns a control character for a hyphen at the end of a line.
        letters = ctypes.string_at(self._letters, max(0, size - 2))
        text = letters.decode("utf-16-le", "replace").replace("\x02", "-")
        if not text:
            return
        font_size = ctypes.c_float()
        raw.FPDFTextObj_GetFontSize(item, font_size)
        a, b, c, d, e, f = _matrix_of(item, matrix).get()
        turned = (0 if a >= 0 else 2) if abs(a) >= abs(b) else (1 if b > 0 else 3)
        x, y = _upright(turned, e, f)
        box = _box_of(item, matrix)
        end = max(_upright(turned, *corner)[0] for corner in (box[:2], box[2:]))
        points = abs(font_size.value) * (math.hypot(a, b) or math.hypot(c, d)) or 1.0
        self.texts.append(DrawnText(box, turned, x, y, end, points, text))

    def _add_image(self, item: Any, matrix: PdfMatrix | None) -> None:
        box = _box_of(item, matrix)
        appearance = self._images.appearance_of(item, self._page)
        if appearance is None:
            has_contrast = self._drawing.has_contrast(box)
            appearance = Appearance(has_ink=has_contrast, has_print=has_contrast)
        self.has_ink = self.has_ink or appearance.has_ink
        if not self._is_at_the_top(_middle([box[:2], box[2:]])):
            self._pictures.append((box, appearance))

    def _add_picture(self, box: Box, appearance: Appearance) -> None:
        """Add a picture. The letters in a scan with text are not part of the picture, because they are read as text."""
        height = self._box[3] - self._box[1]
        if self.texts and box[3] - box[1] >= _LARGE * height and self._drawing.has_contrast(box):
            self.is_scan = True
            from recours.evidence import picture  # noqa: PLC0415 (only for the first picture)

            appearance = replace(
                picture.appearance_of(self._without_text.crop(self._drawing.dots(box))), has_print=False
            )
        self.has_picture = self.has_picture or appearance.is_proof
        self.has_signature_image = self.has_signature_image or appearance.has_signature

    def _add_path(self, path: Any, matrix: PdfMatrix | None) -> None:
        """Count the curves and slanted lines of a path, unless the path is white."""
        fills = ctypes.c_int()
        strokes = ctypes.c_int()
        raw.FPDFPath_GetDrawMode(path, fills, strokes)
        is_stroked = strokes.value and not _is_white(path, raw.FPDFPageObj_GetStrokeColor)
        if not is_stroked and (not fills.value or _is_white(path, raw.FPDFPageObj_GetFillColor)):
            return
        self._count(raw.FPDFPath_CountSegments(path))
        slanted = 0
        is_closed = False
        points: list[Point] = [(0.0, 0.0)]
        start = points[0]
        for kind, point, closes in _segments(path):
            if kind == raw.FPDF_SEGMENT_MOVETO:
                start = point
            elif kind != raw.FPDF_SEGMENT_LINETO or not _is_along_an_edge(point, points[-1]):
                slanted += 1
                is_closed = is_closed or point == start
            is_closed = is_closed or closes
            points.append(point)
        self.has_curves = self.has_curves or slanted > 0
        self.has_ink = self.has_ink or slanted > 0
        middle = _middle(points[1:])
        if matrix:
            middle = matrix.on_point(*middle)
        if is_stroked and not is_closed and not self._is_at_the_top(middle):
            self.strokes += slanted

    def _is_at_the_top(self, point: Point) -> bool:
        """Return whether a point is at the top of the page as a viewer displays it."""
        left, bottom, right, top = self._box
        x, y = point
        across = (x - left) / ((right - left) or 1)
        up = (y - bottom) / ((top - bottom) or 1)
        from_top: float = (1 - up, across, up, 1 - across)[self._turned]
        return from_top < _TOP


class Drawing:
    """A page as a person sees it: small, in gray levels, and cropped to the visible part."""

    def __init__(self, page: Any) -> None:
        self._left, _, _, self._top = page.get_bbox()
        self._scale = min(_SMALL, _MOST_DOTS / max(page.get_size()))
        upright = (360 - page.get_rotation()) % 360
        bitmap = page.render(
            scale=self._scale, rotation=upright, force_bitmap_format=raw.FPDFBitmap_Gray, no_smoothimage=True
        )
        self._width, self._height, self._stride = bitmap.width, bitmap.height, bitmap.stride
        self._levels = bytes(bitmap.buffer)

    def dots(self, box: Box) -> tuple[int, int, int, int]:
        """Convert a box on the page to dots: left, top, right, bottom."""
        return (
            max(0, math.floor((box[0] - self._left) * self._scale)),
            max(0, math.floor((self._top - box[3]) * self._scale)),
            min(self._width, math.ceil((box[2] - self._left) * self._scale)),
            min(self._height, math.ceil((self._top - box[1]) * self._scale)),
        )

    def without_texts(self, texts: list[Box]) -> Any:
        """Return the page with its texts painted over, with a margin because scanned letters may be larger."""
        from PIL import Image  # noqa: PLC0415 (only for the first picture)

        size = (self._width, self._height)
        page = Image.frombuffer("L", size, self._levels, "raw", "L", self._stride, 1).copy()
        counts = page.histogram()
        for left, bottom, right, top in texts:
            across = _LARGER * (right - left)
            down = _LARGER * (top - bottom)
            page.paste(
                counts.index(max(counts)), self.dots((left - down, bottom - down, right + across, top + down))
            )
        return page

    def has_contrast(self, box: Box) -> bool:
        """Return whether a box on the page contains both lighter and darker dots."""
        start, first, end, last = self.dots(box)
        if start >= end or first >= last:
            return False
        dots = b"".join(
            self._levels[row * self._stride + start : row * self._stride + end] for row in range(first, last)
        )
        return max(dots) - min(dots) >= _CONTRAST


def _is_visible(page: Any, number: int) -> bool:
    """Return whether an annotation is visible. Links and pop-ups do not count."""
    note = raw.FPDFPage_GetAnnot(page, number)
    kind = raw.FPDFAnnot_GetSubtype(note)
    flags = raw.FPDFAnnot_GetFlags(note)
    raw.FPDFPage_CloseAnnot(note)
    is_hidden = flags & (raw.FPDF_ANNOT_FLAG_HIDDEN | raw.FPDF_ANNOT_FLAG_NOVIEW)
    return not is_hidden and kind not in (raw.FPDF_ANNOT_LINK, raw.FPDF_ANNOT_POPUP)


def _segments(path: Any) -> Iterator[tuple[int, Point, bool]]:
    """Yield the type and the end point of each segment, and whether the segment closes the path."""
    x = ctypes.c_float()
    y = ctypes.c_float()
    for number in range(raw.FPDFPath_CountSegments(path)):
        segment = raw.FPDFPath_GetPathSegment(path, number)
        raw.FPDFPathSegment_GetPoint(segment, x, y)
        closes = bool(raw.FPDFPathSegment_GetClose(segment))
        yield raw.FPDFPathSegment_GetType(segment), (x.value, y.value), closes


def _is_along_an_edge(point: Point, last: Point) -> bool:
    return min(abs(point[0] - last[0]), abs(point[1] - last[1])) < _ALONG_AN_EDGE


def _is_white(path: Any, color_of: Callable[..., int]) -> bool:
    red, green, blue, alpha = (ctypes.c_uint() for _ in range(4))
    is_plain = color_of(path, red, green, blue, alpha)  # a pattern has no color
    return bool(is_plain) and (alpha.value == 0 or red.value == green.value == blue.value == _WHITE)


def _upright(turned: int, x: float, y: float) -> Point:
    """Return a point after turning the page back by `turned` quarter turns."""
    return ((x, y), (y, -x), (-x, -y), (-y, x))[turned]


def _box_of(item: Any, matrix: PdfMatrix | None) -> Box:
    bounds = [ctypes.c_float() for _ in range(4)]
    raw.FPDFPageObj_GetBounds(item, *bounds)
    left, bottom, right, top = (bound.value for bound in bounds)
    return matrix.on_rect(left, bottom, right, top) if matrix else (left, bottom, right, top)


def _middle(points: Sequence[Point]) -> Point:
    return sum(x for x, _ in points) / len(points), sum(y for _, y in points) / len(points)


def _matrix_of(item: Any, within: PdfMatrix | None = None) -> PdfMatrix:
    place = raw.FS_MATRIX()
    raw.FPDFPageObj_GetMatrix(item, place)
    matrix = PdfMatrix.from_raw(place)
    return matrix.multiply(within) if within else matrix


class Images:
    """The images of a document. A page may draw the same image thousands of times."""

    def __init__(self, pdf: PdfDocument) -> None:
        self._pdf = pdf
        self._images = 0
        self._pixels = 0

    def appearance_of(self, image: Any, page: Any) -> Appearance | None:
        """Examine an image. None: the images are too many or too large. An undecodable image counts as empty."""
        from recours.evidence import picture  # noqa: PLC0415 (only for the first picture)

        width = ctypes.c_uint()
        height = ctypes.c_uint()
        raw.FPDFImageObj_GetImagePixelSize(image, width, height)
        pixels = width.value * height.value
        self._images += 1
        self._pixels += pixels
        if self._images > _MOST_IMAGES or self._pixels > picture.MOST_PIXELS:
            return None
        if not pixels:
            return Appearance()
        try:
            plain = (
                picture.appearance_of(_pillow(raw.FPDFImageObj_GetBitmap(image)))
                if pixels <= _LARGE_IMAGE
                else None
            )
            if plain and plain.is_proof:
                return plain
            # A mask may make something visible in an image of a single color. Only rendering applies the mask.
            scale = min(1.0, math.sqrt(_LARGE_IMAGE / pixels))
            place = _matrix_of(image).to_raw()
            raw.FPDFPageObj_SetMatrix(image, raw.FS_MATRIX(width.value * scale, 0, 0, height.value * scale))
            drawn = _pillow(raw.FPDFImageObj_GetRenderedBitmap(self._pdf, page, image))
            raw.FPDFPageObj_SetMatrix(image, place)
        except PdfiumError:
            return Appearance()
        is_whole = drawn.getchannel("A").getextrema()[0] == _WHITE
        return plain if plain and is_whole else picture.appearance_of(drawn)


def _pillow(bitmap: Any) -> Any:
    return PdfBitmap.from_raw(bitmap).to_pil()

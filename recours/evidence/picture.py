"""Classifies pictures by their appearance. Imported together with Pillow when the first picture is examined.

No rule reads the text of a picture, so its appearance counts: a signature, a photograph or a page of print. Pictures
drawn for web pages (logos, icons, empty forms) look different. Each limit is defined in this module with its unit.
"""

import io
import math
import re
import warnings
from itertools import islice, pairwise
from typing import Any

from PIL import Image, ImageChops, ImageFilter, ImageSequence, ImageStat

from recours.evidence.reading import UNREADABLE, Appearance, Reading

MOST_PIXELS = 40_000_000  # for all images of a document

_LARGEST_DECODED = (2000, 2000)
_SMALLEST = 12  # pixels of the longer side; nothing can be seen in a smaller picture
_WHITE = 255

# ---------------------------------------------------------------- a photograph
# A photograph has many gray levels, and no few of them cover most of its pixels. A drawing has one level per color.
_FEWEST_LEVELS = 4
_MOST_IN_LEVELS = 0.8
_BRIGHTEST = 225  # the mean gray level; a brighter picture is paper
# A photograph has objects that remain visible when it is reduced and thin lines are smoothed away. This share of its
# pixels differs from the surrounding area by this many levels, or by more in brighter pictures. In a gradient, few do.
_SMALL = 32  # pixels of the longer side
_SMOOTHED = 7  # pixels of a square's side
_AROUND = 2  # pixels on each side
_STANDS_OUT = 0.03
_DIFFERENT = 2
_PER_BRIGHTNESS = 1 / 32
# Or a photograph has grain in only some places. Noise and paper have the same grain everywhere: across this many
# squares along the shorter side, brightness and grain vary by less than this share of the grain.
_GRAIN = 4  # gray levels
_SQUARES = 12
_SMALLEST_SQUARE = 6  # pixels
_ALIKE = 0.33
_LARGE = 200  # pixels of the shorter side
_BLOCK = 3  # pixels per side that count as one in a large picture

# ---------------------------------------------------------------- ink on paper
_DRAWN = 480  # pixels of the longer side when the picture is searched for ink
_DARK = 110  # the median level; below it, the ink is light and the paper dark
_PAPER = 4  # pixels per side that count as one when only the paper is examined
# Sizes per side. No line is this thick; thicker areas belong to the paper, including its edges.
_CLOSED = 5
_OPENED = 7
_MARK = 24  # gray levels between ink and paper
_RULE = 1 / 14  # of the longer side; a straight line this long is not part of a signature or a letter
_SHORTEST_RULE = 30  # pixels
_MOST_RUNS = 15_000  # of pixels in a row; a picture with more is just noise
# The lines of a signature are large and thin. Letters are about seven times as high as their lines are thick.
_LARGE_MARK = 1 / 24  # of the longer side
_LOWEST_MARK = 5  # pixels of the shorter side
_THIN = (7, 20)  # times the line thickness: the shorter side, and both sides together
_THICKEST = 1 / 70, 3.2  # of the longer side, or pixels; an icon's lines are thicker
_STRAIGHT = 1.05  # times width and height: the length of a line without turns
# Together, the lines are at least about half as long as the perimeter of their box. Unlike in a QR code, most of the
# box is empty.
_LENGTH = 0.9  # times width and height
_SHORTEST = 1 / 4  # of the picture's longer side
_FULL = 0.32
_FULL_OF_FINE_LINES = 0.42
_FINE = 2.2  # pixels; thinner lines look thicker than they are
# Print consists of many small marks in rows, more than an empty form has. A caption is a single row.
_TALLEST_GLYPH = 1 / 20  # of the height, plus 4 pixels
_WIDEST_WORD = 1 / 4  # of the width
_FEWEST_LETTERS = 40
_FEWEST_ROWS = 4
_FEWEST_LINES = 1.8  # times the width of the page
_NEXT_ROW = 3  # pixels
_SHORTEST_GLYPH = 2  # pixels
_SOLID = 0.9  # of its box

_RUN = re.compile(rb"\xff+")


def read_picture(content: bytes) -> Reading:
    """Decode all frames of a picture and examine them. Raises any exception of Pillow for a damaged picture."""
    with warnings.catch_warnings(action="ignore"):
        with Image.open(io.BytesIO(content)) as image:
            image.verify()  # verifies the checksums of a PNG
        with Image.open(io.BytesIO(content)) as image:
            image.draft("L", _LARGEST_DECODED)  # decodes a JPEG at a reduced size
            pixels = 0
            frames = []
            for frame in ImageSequence.Iterator(image):
                pixels += frame.width * frame.height
                if pixels > MOST_PIXELS:
                    return UNREADABLE
                frame.load()
                frames.append(appearance_of(frame))
    return Reading(
        has_ink=any(appearance.has_ink for appearance in frames),
        has_picture=any(appearance.is_proof for appearance in frames),
        is_print=not any(appearance.is_photograph or appearance.has_signature for appearance in frames),
        has_signature_image=any(appearance.has_signature for appearance in frames),
    )


def appearance_of(image: Any) -> Appearance:
    """Classify one picture by its appearance."""
    if max(image.size) < _SMALLEST:
        return Appearance()
    gray = _on_paper(image)
    lowest, highest = gray.getextrema()
    if lowest == highest:
        return Appearance()
    if _is_noise(gray):
        return Appearance(has_ink=True)
    if _is_photograph(gray):
        return Appearance(has_ink=True, is_photograph=True)
    return Appearance(True, False, *_signature_and_print(gray))


def _on_paper(image: Any) -> Any:
    """Return the picture in gray levels, on white paper where it is transparent."""
    if image.mode.startswith(("I", "F")):  # more levels than fit into a byte
        lowest, highest = image.getextrema()
        step = _WHITE / ((highest - lowest) or 1)
        return image.convert("F").point(lambda level: level * step - lowest * step).convert("L")
    if image.mode in ("RGBA", "LA", "PA", "P") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return image.convert("L")


# ---------------------------------------------------------------- a photograph


def _is_photograph(gray: Any) -> bool:
    counts = sorted(gray.histogram(), reverse=True)
    if sum(counts[: _FEWEST_LEVELS - 1]) >= _MOST_IN_LEVELS * sum(counts) or _mean(gray) > _BRIGHTEST:
        return False
    return _has_objects(gray) or _has_patches_of_grain(gray)


def _has_objects(gray: Any) -> bool:
    small = gray.reduce(math.ceil(max(gray.size) / _SMALL)).filter(ImageFilter.MedianFilter(_SMOOTHED))
    ground = small.filter(ImageFilter.BoxBlur(_AROUND))
    inner = (_AROUND, _AROUND, max(_AROUND, small.width - _AROUND), max(_AROUND, small.height - _AROUND))
    differences = ImageChops.difference(small, ground).crop(inner).histogram()
    least = int(_DIFFERENT + _mean(gray) * _PER_BRIGHTNESS)
    return sum(differences[least + 1 :]) > _STANDS_OUT * sum(differences)


def _has_patches_of_grain(gray: Any) -> bool:
    _, fine = _squares(gray, _BLOCK)
    if min(fine.size) < _SMALLEST_SQUARE:
        return False
    grain = ImageStat.Stat(fine.reduce(max(1, min(fine.size) // _SQUARES)))
    return grain.mean[0] >= _GRAIN and grain.stddev[0] >= _ALIKE * grain.mean[0]


def _is_noise(gray: Any) -> bool:
    """Return whether the picture has the same random dots everywhere."""
    if min(gray.size) >= _LARGE:
        gray = gray.reduce(_BLOCK)
    side = max(_SMALLEST_SQUARE, min(gray.size) // _SQUARES)
    if min(gray.size) < 2 * side:
        return False
    brightness, grain = map(ImageStat.Stat, _squares(gray, side))
    return all(statistics.stddev[0] < _ALIKE * grain.mean[0] for statistics in (brightness, grain))


def _squares(gray: Any, side: int) -> tuple[Any, Any]:
    """Return the mean level of each square of a picture, and how far its pixels deviate from it."""
    whole = gray.crop((0, 0, max(side, gray.width // side * side), max(side, gray.height // side * side)))
    brightness = whole.reduce(side)
    differences = ImageChops.difference(whole, brightness.resize(whole.size, Image.Resampling.NEAREST))
    return brightness, differences.reduce(side)


def _mean(gray: Any) -> float:
    return float(ImageStat.Stat(gray).mean[0])


# ---------------------------------------------------------------- ink on paper

Run = tuple[int, int, int]  # the row, the start and the end


class _Mark:
    """Connected pixels of ink."""

    def __init__(self, runs: list[Run]) -> None:
        self._runs = runs  # from top to bottom
        left = min(run[1] for run in runs)
        right = max(run[2] for run in runs)
        top = runs[0][0]
        bottom = runs[-1][0] + 1
        self.box = (left, top, right, bottom)
        self.size = (right - left, bottom - top)
        self.area = sum(end - start for _, start, end in runs)

    def length(self) -> int:
        """Return the length of the mark's lines, counted as their crossings with rows and columns of pixels."""
        left, top, _, _ = self.box
        width, height = self.size
        columns = [bytearray(height) for _ in range(width)]
        for row, start, end in self._runs:
            for column in columns[start - left : end - left]:
                column[row - top] = _WHITE
        return len(self._runs) + sum(len(_RUN.findall(column)) for column in columns)


def _signature_and_print(gray: Any) -> tuple[bool, bool]:
    """Return whether the ink is a signature, and whether it is print."""
    ink = _without_rules(_ink(gray))
    marks = _marks(ink)
    return _is_signature(ink, marks), _is_print(ink, marks)


def _ink(gray: Any) -> Any:
    """Return the ink in white on black."""
    small = gray.reduce(math.ceil(max(gray.size) / _DRAWN))
    if ImageStat.Stat(small).median[0] < _DARK:
        small = ImageChops.invert(small)
    paper = small.reduce(_PAPER).filter(ImageFilter.MaxFilter(_CLOSED)).filter(ImageFilter.MinFilter(_OPENED))
    paper = paper.resize(small.size, Image.Resampling.BILINEAR)
    return ImageChops.subtract(paper, small).point([0] * (_MARK + 1) + [_WHITE] * (_WHITE - _MARK))


def _without_rules(ink: Any) -> Any:
    """Return the ink without straight horizontal and vertical lines, such as frames, tables and bar codes."""
    least = max(_SHORTEST_RULE, int(max(ink.size) * _RULE))
    rule = re.compile(rb"\xff{%d,}" % least)
    for _ in ("across", "down"):
        rows = ink.crop((0, 0, ink.width + 1, ink.height))  # ends each run with its row
        pixels = rule.sub(lambda line: bytes(len(line[0])), rows.tobytes())
        rows = Image.frombytes("L", rows.size, pixels)
        ink = rows.crop((0, 0, *ink.size)).transpose(Image.Transpose.TRANSPOSE)
    return ink


def _marks(ink: Any) -> list[_Mark]:
    """Return the marks of a picture: its connected areas of ink. A picture with too many, such as noise, has none."""
    pixels = ink.tobytes()
    runs: list[Run] = []
    parents: list[int] = []  # union-find: for each run, another run of the same mark
    above: list[int] = []
    for row in range(ink.height):
        start = row * ink.width
        current: list[int] = []
        passed = 0
        for run in _RUN.finditer(pixels, start, start + ink.width):
            left = run.start() - start
            right = run.end() - start
            current.append(len(runs))
            parents.append(len(runs))
            while passed < len(above) and runs[above[passed]][2] < left:
                passed += 1
            for other in islice(above, passed, None):
                if runs[other][1] > right:
                    break
                parents[_root(parents, other)] = _root(parents, current[-1])
            runs.append((row, left, right))
        if len(runs) > _MOST_RUNS:
            return []
        above = current
    marks: dict[int, list[Run]] = {}
    for number, run_of_mark in enumerate(runs):
        marks.setdefault(_root(parents, number), []).append(run_of_mark)
    return [_Mark(runs_of_mark) for runs_of_mark in marks.values()]


def _root(parents: list[int], run: int) -> int:
    while parents[run] != run:
        parents[run] = run = parents[parents[run]]
    return run


def _is_signature(ink: Any, marks: list[_Mark]) -> bool:
    longer = max(ink.size)
    thickest = max(longer * _THICKEST[0], _THICKEST[1])
    area = lines = 0
    strokes = []
    for mark in marks:
        if min(mark.size) >= _LOWEST_MARK and max(mark.size) >= longer * _LARGE_MARK:
            length = mark.length()
            thickness = mark.area / length
            is_thin = min(mark.size) >= _THIN[0] * thickness and sum(mark.size) >= _THIN[1] * thickness
            if is_thin and thickness <= thickest and length >= _STRAIGHT * sum(mark.size):
                area += mark.area
                lines += length
                strokes.append(mark.box)
    if not strokes:
        return False
    lefts, tops, rights, bottoms = zip(*strokes, strict=True)
    box = min(lefts), min(tops), max(rights), max(bottoms)
    width, height = box[2] - box[0], box[3] - box[1]
    full = _FULL_OF_FINE_LINES if area <= _FINE * lines else _FULL
    is_long = lines >= max(_LENGTH * (width + height), _SHORTEST * longer)
    return is_long and _mean(ink.crop(box)) <= full * _WHITE


def _is_print(ink: Any, marks: list[_Mark]) -> bool:
    highest = ink.height * _TALLEST_GLYPH + 4
    letters = [
        mark
        for mark in marks
        if min(mark.size) >= _SHORTEST_GLYPH
        and mark.size[0] <= ink.width * _WIDEST_WORD
        and mark.size[1] <= highest
        and mark.area <= _SOLID * mark.size[0] * mark.size[1]
    ]
    bottoms = sorted(letter.box[3] for letter in letters)
    rows = 1 + sum(lower - upper > _NEXT_ROW for upper, lower in pairwise(bottoms))
    lines = sum(letter.size[0] for letter in letters) / ink.width
    return len(letters) >= _FEWEST_LETTERS and rows >= _FEWEST_ROWS and lines >= _FEWEST_LINES

"""Classifies pictures by their appearance. Imported together with Pillow when the first picture is examined.

The text of a picture is not read. A picture is classified as a signature, a photograph, a page of print or none of
these, such as the logos, icons and empty forms of web pages. This module defines each limit with its unit.
"""

import io
import math
import re
import warnings
from itertools import islice, pairwise
from typing import Any

from PIL import Image, ImageChops, ImageFilter, ImageSequence, ImageStat

from recours.evidence.reading import UNREADABLE, Appearance, Reading

MOST_PIXELS = 40_000_000  # in all images of a document together

_LARGEST_DECODED = (2000, 2000)
_SMALLEST = 12  # pixels on the longer side; a smaller picture shows nothing
_WHITE = 255

# ---------------------------------------------------------------- a photograph
# A photograph has many gray levels, and a few levels never cover most pixels. A drawing has one level per color.
_FEWEST_LEVELS = 4
_MOST_IN_LEVELS = 0.8
_BRIGHTEST = 225  # mean gray level; a brighter picture is paper
# A photograph has objects that remain visible after the picture is reduced and thin lines are smoothed away: more than
# _STANDS_OUT of its pixels differ clearly from the surrounding area. In a gradient, few pixels do.
_SMALL = 32  # pixels on the longer side of the reduced picture
_SMOOTHED = 7  # pixels per side of the squares that are smoothed
_AROUND = 2  # pixels in each direction that count as the surrounding area
_STANDS_OUT = 0.03
_DIFFERENT = 2  # minimum difference in gray levels, in a dark picture
_PER_BRIGHTNESS = 1 / 32  # added to the minimum difference for each level of the mean brightness
# Other photographs have grain in only some places. Noise and paper have the same grain everywhere. Their brightness and
# grain vary by less than _ALIKE (a share of the grain) between squares, of which _SQUARES fit into the shorter side.
_GRAIN = 4  # gray levels
_SQUARES = 12
_SMALLEST_SQUARE = 6  # pixels per side
_ALIKE = 0.33
_LARGE = 200  # pixels on the shorter side
_BLOCK = 3  # in a large picture, this many pixels per side count as one

# ---------------------------------------------------------------- ink on paper
_DRAWN = 480  # pixels on the longer side when the picture is searched for ink
_DARK = 110  # if the median level is lower, the ink is light and the paper dark
_PAPER = 4  # pixels per side that count as one when only the paper is examined
# Pixels per side. Lines of ink are thinner than this. Thicker areas, and their edges, belong to the paper.
_CLOSED = 5
_OPENED = 7
_MARK = 24  # gray levels between ink and paper
_RULE = 1 / 14  # of the longer side; a straight line this long is not part of a signature or a letter
_SHORTEST_RULE = 30  # pixels
_MOST_RUNS = 15_000  # horizontal runs of pixels; a picture with more is just noise
# The lines of a signature are large and thin. Letters are about seven times as high as their lines are thick.
_LARGE_MARK = 1 / 24  # of the longer side
_LOWEST_MARK = 5  # pixels on the mark's shorter side
_THIN = (7, 20)  # minimum shorter side, and sum of both sides, as multiples of the line thickness
_THICKEST = 1 / 70, 3.2  # of the longer side, or pixels; the lines of icons are thicker
_STRAIGHT = 1.05  # a line without turns is shorter than this multiple of width plus height
# Together, the lines are at least about half as long as the perimeter of their box. Most of the box is empty, unlike in
# a QR code.
_LENGTH = 0.9  # minimum length, as a multiple of width plus height
_SHORTEST = 1 / 4  # minimum length, as a share of the picture's longer side
_FULL = 0.32  # maximum share of the box that is ink
_FULL_OF_FINE_LINES = 0.42
_FINE = 2.2  # pixels; lines thinner than this appear thicker than they are
# Print consists of small marks in rows. An empty form has fewer marks, and a caption has a single row.
_TALLEST_GLYPH = 1 / 20  # of the picture's height, plus 4 pixels
_WIDEST_WORD = 1 / 4  # of the picture's width
_FEWEST_LETTERS = 40
_FEWEST_ROWS = 4
_FEWEST_LINES = 1.8  # all glyphs side by side, as a multiple of the picture's width
_NEXT_ROW = 3  # pixels
_SHORTEST_GLYPH = 2  # pixels
_SOLID = 0.9  # a mark that fills more of its box is not a glyph

_RUN = re.compile(rb"\xff+")


def read_picture(content: bytes) -> Reading:
    """Decode and examine all frames of a picture. Pillow may raise any exception for a damaged picture."""
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
    """Classify a single picture."""
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
    """Return the picture in gray levels, with white paper where the picture is transparent."""
    if image.mode.startswith(("I", "F")):  # a mode with more levels than a byte can store
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
    """Return whether the picture consists of similar random dots everywhere."""
    if min(gray.size) >= _LARGE:
        gray = gray.reduce(_BLOCK)
    side = max(_SMALLEST_SQUARE, min(gray.size) // _SQUARES)
    if min(gray.size) < 2 * side:
        return False
    brightness, grain = map(ImageStat.Stat, _squares(gray, side))
    return all(statistics.stddev[0] < _ALIKE * grain.mean[0] for statistics in (brightness, grain))


def _squares(gray: Any, side: int) -> tuple[Any, Any]:
    """Return the mean level of each square of a picture, and the mean deviation of its pixels from that level."""
    whole = gray.crop((0, 0, max(side, gray.width // side * side), max(side, gray.height // side * side)))
    brightness = whole.reduce(side)
    differences = ImageChops.difference(whole, brightness.resize(whole.size, Image.Resampling.NEAREST))
    return brightness, differences.reduce(side)


def _mean(gray: Any) -> float:
    return float(ImageStat.Stat(gray).mean[0])


# ---------------------------------------------------------------- ink on paper

Run = tuple[int, int, int]  # the row, the start and the end of connected pixels


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
        """Return the length of the mark's lines: how often they cross a row or a column of pixels."""
        left, top, _, _ = self.box
        width, height = self.size
        columns = [bytearray(height) for _ in range(width)]
        for row, start, end in self._runs:
            for column in columns[start - left : end - left]:
                column[row - top] = _WHITE
        return len(self._runs) + sum(len(_RUN.findall(column)) for column in columns)


def _signature_and_print(gray: Any) -> tuple[bool, bool]:
    """Return whether the ink is a signature, and whether the ink is print."""
    ink = _without_rules(_ink(gray))
    marks = _marks(ink)
    return _is_signature(ink, marks), _is_print(ink, marks)


def _ink(gray: Any) -> Any:
    """Return a picture with the ink in white, on black."""
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
        rows = ink.crop((0, 0, ink.width + 1, ink.height))  # so that no run continues in the next row
        pixels = rule.sub(lambda line: bytes(len(line[0])), rows.tobytes())
        rows = Image.frombytes("L", rows.size, pixels)
        ink = rows.crop((0, 0, *ink.size)).transpose(Image.Transpose.TRANSPOSE)
    return ink


def _marks(ink: Any) -> list[_Mark]:
    """Return the marks (connected areas of ink) of a picture. If there are too many, as in noise, return none."""
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

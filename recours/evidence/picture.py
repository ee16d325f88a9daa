"""What a picture looks like. It is imported when the first one comes, and Pillow with it.

No rule reads a picture, so it counts for what it looks like: a signature, a photograph, or a page of print. What an author of a
web page draws looks like none of them: a logo, an icon, an empty form. The bounds stand here, each with what it is measured on.
"""

import io
import math
import re
import warnings
from itertools import islice, pairwise
from typing import Any

from PIL import Image, ImageChops, ImageFilter, ImageSequence, ImageStat

from recours.evidence.reading import UNREADABLE, Look, Reading

MOST_PIXELS = 40_000_000  # of all images of a document

_LARGEST_DECODED = (2000, 2000)
_SMALLEST = 12  # pixels, the longer side: nothing can be seen on less
_WHITE = 255

# ---------------------------------------------------------------- a photograph
# Its light comes in many levels of grey: fewer do not hold most of its pixels. A drawing has one for each colour.
_FEWEST_LEVELS = 4
_HELD = 0.8
_BRIGHTEST = 225  # levels of grey, the mean; brighter is paper
# Things stand out in it that are still there when it is made small and thin lines are smoothed away: so much of it differs
# from what is around by so many levels, and by more where there is more light. One colour that fades into another does not.
_SMALL = 32  # pixels, the longer side
_SMOOTHED = 7  # pixels, a square
_AROUND = 2  # pixels on each side
_STANDS_OUT = 0.03
_DIFFERENT = 2
_OF_THE_LIGHT = 1 / 32
# Or it is grain in some places and none in others. Noise and the grain of paper are the same everywhere: of so many squares
# along the shorter side, the means and the grain differ by so little of the grain.
_GRAIN = 4  # levels of grey
_SQUARES = 12
_SMALLEST_SQUARE = 6  # pixels
_ALIKE = 0.33
_LARGE = 200  # pixels, the shorter side
_BLOCK = 3  # pixels a side that count as one of a large picture

# ---------------------------------------------------------------- ink on paper
_DRAWN = 480  # pixels, the longer side of what ink is looked for on
_DARK = 110  # the middle level; below, the ink is light and the paper dark
_PAPER = 4  # pixels a side that are one where only the paper is looked at
# Of these a side: no line is so thick. What is thicker belongs to the paper, with its edges.
_CLOSED = 5
_OPENED = 7
_MARK = 24  # levels of grey between ink and paper
_RULE = 1 / 14  # of the longer side: a straight line so long is no part of a signature or a letter
_SHORTEST_RULE = 30  # pixels
_MOST_RUNS = 15_000  # of pixels in a row: more are a confusion
# The lines of a signature are large, and thin for their size; letters are about seven times as high as their lines are thick.
_LARGE_MARK = 1 / 24  # of the longer side
_LOWEST_MARK = 5  # pixels of the shorter one
_THIN = (7, 20)  # times the thickness of the line: the shorter side, and both together
_THICKEST = 1 / 70, 3.2  # of the longer side, or pixels: an icon's lines are thicker
_STRAIGHT = 1.05  # times width and height: the length of a line that does not turn
# Together they are about as long as half way round their box, and leave most of it empty: a QR code does not.
_LENGTH = 0.9  # times width and height
_SHORTEST = 1 / 4  # of the picture's longer side
_FULL = 0.32
_FULL_OF_FINE_LINES = 0.42
_FINE = 2.2  # pixels: lines of so few look thicker than they are
# Print is many small marks in rows, and more of them than a form has that nobody filled in; a caption is one row.
_TALLEST_GLYPH = 1 / 20  # of the height, with 4 pixels more
_WIDEST_WORD = 1 / 4  # of the width
_FEWEST_LETTERS = 40
_FEWEST_ROWS = 4
_FEWEST_LINES = 1.8  # times the width of the page
_NEXT_ROW = 3  # pixels
_SHORTEST_GLYPH = 2  # pixels
_SOLID = 0.9  # of its box

_RUN = re.compile(rb"\xff+")


def read_picture(content: bytes) -> Reading:
    """What is seen on a picture, every frame of which is decoded. Raises whatever Pillow raises on a damaged one."""
    with warnings.catch_warnings(action="ignore"):
        with Image.open(io.BytesIO(content)) as image:
            image.verify()  # the check sums of a PNG
        with Image.open(io.BytesIO(content)) as image:
            image.draft("L", _LARGEST_DECODED)  # a JPEG is decoded as small as that
            pixels = 0
            frames = []
            for frame in ImageSequence.Iterator(image):
                pixels += frame.width * frame.height
                if pixels > MOST_PIXELS:
                    return UNREADABLE
                frame.load()
                frames.append(look_at(frame))
    return Reading(
        has_ink=any(look.has_ink for look in frames),
        has_picture=any(look.is_proof for look in frames),
        is_print=not any(look.is_photograph or look.has_signature for look in frames),
        has_signature_image=any(look.has_signature for look in frames),
    )


def look_at(image: Any) -> Look:
    """What one picture looks like."""
    if max(image.size) < _SMALLEST:
        return Look()
    grey = _on_paper(image)
    lowest, highest = grey.getextrema()
    if lowest == highest:
        return Look()
    if _is_noise(grey):
        return Look(has_ink=True)
    if _is_photograph(grey):
        return Look(has_ink=True, is_photograph=True)
    return Look(True, False, *_look_of_ink(grey))


def _on_paper(image: Any) -> Any:
    """The picture in levels of grey, seen on white paper where it is transparent."""
    if image.mode.startswith(("I", "F")):  # more levels than a byte has
        lowest, highest = image.getextrema()
        step = _WHITE / ((highest - lowest) or 1)
        return image.convert("F").point(lambda level: level * step - lowest * step).convert("L")
    if image.mode in ("RGBA", "LA", "PA", "P") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return image.convert("L")


# ---------------------------------------------------------------- a photograph


def _is_photograph(grey: Any) -> bool:
    counts = sorted(grey.histogram(), reverse=True)
    if sum(counts[: _FEWEST_LEVELS - 1]) >= _HELD * sum(counts) or _mean(grey) > _BRIGHTEST:
        return False
    return _has_things(grey) or _has_patches_of_grain(grey)


def _has_things(grey: Any) -> bool:
    small = grey.reduce(math.ceil(max(grey.size) / _SMALL)).filter(ImageFilter.MedianFilter(_SMOOTHED))
    ground = small.filter(ImageFilter.BoxBlur(_AROUND))
    inner = (_AROUND, _AROUND, max(_AROUND, small.width - _AROUND), max(_AROUND, small.height - _AROUND))
    differences = ImageChops.difference(small, ground).crop(inner).histogram()
    least = int(_DIFFERENT + _mean(grey) * _OF_THE_LIGHT)
    return sum(differences[least + 1 :]) > _STANDS_OUT * sum(differences)


def _has_patches_of_grain(grey: Any) -> bool:
    _, fine = _squares(grey, _BLOCK)
    if min(fine.size) < _SMALLEST_SQUARE:
        return False
    grain = ImageStat.Stat(fine.reduce(max(1, min(fine.size) // _SQUARES)))
    return grain.mean[0] >= _GRAIN and grain.stddev[0] >= _ALIKE * grain.mean[0]


def _is_noise(grey: Any) -> bool:
    """Tell whether a picture is the same confusion of dots everywhere."""
    if min(grey.size) >= _LARGE:
        grey = grey.reduce(_BLOCK)
    side = max(_SMALLEST_SQUARE, min(grey.size) // _SQUARES)
    if min(grey.size) < 2 * side:
        return False
    brightness, grain = map(ImageStat.Stat, _squares(grey, side))
    return all(statistics.stddev[0] < _ALIKE * grain.mean[0] for statistics in (brightness, grain))


def _squares(grey: Any, side: int) -> tuple[Any, Any]:
    """The mean level of each square of a picture, and how far its pixels are from that."""
    whole = grey.crop((0, 0, max(side, grey.width // side * side), max(side, grey.height // side * side)))
    brightness = whole.reduce(side)
    differences = ImageChops.difference(whole, brightness.resize(whole.size, Image.Resampling.NEAREST))
    return brightness, differences.reduce(side)


def _mean(grey: Any) -> float:
    return float(ImageStat.Stat(grey).mean[0])


# ---------------------------------------------------------------- ink on paper

Run = tuple[int, int, int]  # the row, where it begins and where it ends


class _Mark:
    """Pixels of ink that touch each other."""

    def __init__(self, runs: list[Run]) -> None:
        self._runs = runs  # from the top down
        left = min(run[1] for run in runs)
        right = max(run[2] for run in runs)
        top = runs[0][0]
        bottom = runs[-1][0] + 1
        self.box = (left, top, right, bottom)
        self.size = (right - left, bottom - top)
        self.area = sum(end - start for _, start, end in runs)

    def length(self) -> int:
        """How long its lines are: how often a row or a column of pixels crosses them."""
        left, top, _, _ = self.box
        width, height = self.size
        columns = [bytearray(height) for _ in range(width)]
        for row, start, end in self._runs:
            for column in columns[start - left : end - left]:
                column[row - top] = _WHITE
        return len(self._runs) + sum(len(_RUN.findall(column)) for column in columns)


def _look_of_ink(grey: Any) -> tuple[bool, bool]:
    """Tell whether ink on paper is a signature, and whether it is print."""
    ink = _without_rules(_ink(grey))
    marks = _marks(ink)
    return _is_signature(ink, marks), _is_print(ink, marks)


def _ink(grey: Any) -> Any:
    """White where ink is, on black."""
    small = grey.reduce(math.ceil(max(grey.size) / _DRAWN))
    if ImageStat.Stat(small).median[0] < _DARK:
        small = ImageChops.invert(small)
    paper = small.reduce(_PAPER).filter(ImageFilter.MaxFilter(_CLOSED)).filter(ImageFilter.MinFilter(_OPENED))
    paper = paper.resize(small.size, Image.Resampling.BILINEAR)
    return ImageChops.subtract(paper, small).point([0] * (_MARK + 1) + [_WHITE] * (_WHITE - _MARK))


def _without_rules(ink: Any) -> Any:
    """Ink without straight lines across and down: those of frames and tables, and the bars of a code."""
    least = max(_SHORTEST_RULE, int(max(ink.size) * _RULE))
    rule = re.compile(rb"\xff{%d,}" % least)
    for _ in ("across", "down"):
        rows = ink.crop((0, 0, ink.width + 1, ink.height))  # what ends a row does not go on in the next
        pixels = rule.sub(lambda line: bytes(len(line[0])), rows.tobytes())
        rows = Image.frombytes("L", rows.size, pixels)
        ink = rows.crop((0, 0, *ink.size)).transpose(Image.Transpose.TRANSPOSE)
    return ink


def _marks(ink: Any) -> list[_Mark]:
    """The marks of a picture; none if it is a confusion."""
    pixels = ink.tobytes()
    runs: list[Run] = []
    touched: list[int] = []  # for each run: one of the same mark, at last the first of all
    above: list[int] = []
    for row in range(ink.height):
        start = row * ink.width
        current: list[int] = []
        passed = 0
        for run in _RUN.finditer(pixels, start, start + ink.width):
            left = run.start() - start
            right = run.end() - start
            current.append(len(runs))
            touched.append(len(runs))
            while passed < len(above) and runs[above[passed]][2] < left:
                passed += 1
            for other in islice(above, passed, None):
                if runs[other][1] > right:
                    break
                touched[_first(touched, other)] = _first(touched, current[-1])
            runs.append((row, left, right))
        if len(runs) > _MOST_RUNS:
            return []
        above = current
    marks: dict[int, list[Run]] = {}
    for number, run_of_mark in enumerate(runs):
        marks.setdefault(_first(touched, number), []).append(run_of_mark)
    return [_Mark(runs_of_mark) for runs_of_mark in marks.values()]


def _first(touched: list[int], run: int) -> int:
    while touched[run] != run:
        touched[run] = run = touched[touched[run]]
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

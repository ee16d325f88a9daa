"""The ink of pictures. It is imported when the first one comes, and Pillow with it."""

import io
import math
import warnings
from typing import Any

from PIL import Image, ImageChops, ImageSequence, ImageStat

from recours.documents.reading import UNREADABLE, Reading

MOST_PIXELS = 40_000_000  # of all images of a document

_LARGEST_DECODED = (2000, 2000)
_SMALLEST = 12  # pixels, the longer side: nothing can be seen on less
# How much darker or lighter than the paper a mark is at least, of 256 levels of grey; the grain of a scan is less.
_MARK = 40
_PALE = 20  # so much at least is the line of a frame
_FEWEST_MARKS = 0.0002  # of all pixels
_LARGE = 200  # pixels, the shorter side
_BLOCK = 3  # pixels a side that count as one of a large picture
# A signature is on bright paper, and so much of it is ink. A photograph has no such paper, a bar code more ink.
_BRIGHT = 192
_INK = (0.001, 0.25)
_RULED = 0.6  # so much of a row of pixels is a line's
_MOST_RULED = 0.1  # of all rows; more are a picture
_MARGIN = 0.2  # of the width and height, on each side: where the line of a frame runs
_LINED = 0.3  # so much of a margin's length has marks at least where a line runs along it, pale or askew
# Where two areas of a dim photograph meet, they differ in brightness, or in grain: by so many levels.
_EDGE = 9
_EDGE_OF_GRAIN = 6
_LOOKED_AT = 320  # pixels, the longer side of what areas are looked for on
_SQUARE = 6  # pixels a side
_FEWEST_EDGES = 8  # pairs of squares
# Of noise, all squares are about as bright and as coarse as all others: they differ by so much of what the pixels do.
_SQUARES, _SMALLEST_SQUARE = 12, 6  # along the shorter side, and pixels
_ALIKE = 0.33


def read_picture(content: bytes) -> Reading:
    """What is seen on a picture, every frame of which is decoded. Raises whatever Pillow raises on a damaged one."""
    with warnings.catch_warnings(action="ignore"):
        with Image.open(io.BytesIO(content)) as image:
            image.verify()  # the check sums of a PNG
        with Image.open(io.BytesIO(content)) as image:
            image.draft("L", _LARGEST_DECODED)  # a JPEG is decoded as small as that
            pixels, shows_something, is_like_a_signature = 0, False, False
            for frame in ImageSequence.Iterator(image):
                pixels += frame.width * frame.height
                if pixels > MOST_PIXELS:
                    return UNREADABLE
                frame.load()
                if not shows_something:
                    shows_something, is_like_a_signature = look_at(frame)
    return Reading(
        has_ink=shows_something, has_picture=shows_something, has_signature_image=is_like_a_signature
    )


def look_at(image: Any) -> tuple[bool, bool]:
    """Tell whether a picture shows anything, and whether that is like a signature: thin dark lines on bright paper."""
    if max(image.size) < _SMALLEST:
        return False, False
    if image.mode.startswith(("I", "F")):  # more levels than a byte has
        lowest, highest = image.getextrema()
        return lowest != highest, False
    whole = grey = _on_paper(image)
    if min(grey.size) >= _LARGE:
        grey = grey.reduce(_BLOCK)  # the grain of a scan goes, its lines stay
    if _is_noise(grey):
        return False, False
    counts = grey.histogram()
    paper = counts.index(max(counts))  # the commonest level
    marks = grey.point([255 if abs(level - paper) > _MARK else 0 for level in range(256)])
    pale = grey.point([255 if abs(level - paper) > _PALE else 0 for level in range(256)])
    ink = 0.0 if _is_a_frame(marks, pale) else _share(_without_ruled_lines(marks))
    is_dim = paper < _BRIGHT
    small = whole.reduce(math.ceil(max(whole.size) / _LOOKED_AT))
    # One colour that fades into another has no edge.
    shows_something = _edges(small, _EDGE) >= _FEWEST_EDGES and (
        ink >= _FEWEST_MARKS or (is_dim and _has_areas(small))
    )
    return shows_something, shows_something and not is_dim and _INK[0] <= ink <= _INK[1]


def _share(marks: Any) -> float:
    return float(marks.histogram()[255] / (marks.width * marks.height))


def _is_a_frame(marks: Any, pale: Any) -> bool:
    """Tell whether all marks are lines around the sheet, askew or not: along edges that meet, and none within."""
    width, height = marks.size
    left, top, right, bottom = inner = _inner(marks)
    if min(left, top) == 0 or _share(marks.crop(inner)) >= _FEWEST_MARKS:
        return False
    across = pale.crop((left, 0, right, height)).resize((right - left, 1), Image.Resampling.BOX).tobytes()
    down = pale.crop((0, top, width, bottom)).resize((1, bottom - top), Image.Resampling.BOX).tobytes()
    return all(len(line) - line.count(0) >= _LINED * len(line) for line in (across, down))


def _inner(image: Any) -> tuple[int, int, int, int]:
    """The box of a picture without its margins."""
    left, top = int(image.width * _MARGIN), int(image.height * _MARGIN)
    return left, top, image.width - left, image.height - top


def _is_noise(grey: Any) -> bool:
    """Tell whether a picture is the same confusion of dots everywhere."""
    side = max(_SMALLEST_SQUARE, min(grey.size) // _SQUARES)
    if min(grey.size) < 2 * side:
        return False
    brightness, grain = map(ImageStat.Stat, _squares(grey, side))
    least = _ALIKE * grain.mean[0]
    return all(each.stddev[0] < least for each in (brightness, grain))


def _edges(levels: Any, least: int) -> int:
    """How many places of a picture differ from one that is two places across or down."""
    edges = 0
    for across, down in ((2, 0), (0, 2)):
        other = levels.crop((across, down, max(across, levels.width), max(down, levels.height)))
        differences = ImageChops.difference(levels.crop((0, 0, *other.size)), other).histogram()
        edges += sum(differences[least + 1 :])
    return edges


def _has_areas(small: Any) -> bool:
    """Tell whether a picture has areas that differ in brightness or in grain, as a dim photograph has."""
    inner = small.crop(_inner(small))
    if min(inner.size) < 3 * _SQUARE:
        return False
    brightness, grain = _squares(inner, _SQUARE)
    return _edges(brightness, _EDGE) + _edges(grain, _EDGE_OF_GRAIN) >= _FEWEST_EDGES


def _squares(grey: Any, side: int) -> tuple[Any, Any]:
    """The mean level of each square of a picture, and how far its pixels are from that."""
    whole = grey.crop((0, 0, grey.width // side * side, grey.height // side * side))
    brightness = whole.reduce(side)
    differences = ImageChops.difference(whole, brightness.resize(whole.size, Image.Resampling.NEAREST))
    return brightness, differences.reduce(side)


def _without_ruled_lines(marks: Any) -> Any:
    """Marks without lines from edge to edge: a frame around nothing is nothing."""
    width, height = marks.size
    for size, whole, line in (((1, height), height, width), ((width, 1), width, height)):
        shares = marks.resize(size, Image.Resampling.BOX).tobytes()
        ruled = [place for place, share in enumerate(shares) if share > _RULED * 255]
        if len(ruled) <= _MOST_RULED * whole:
            for place in ruled:
                marks.paste(0, (0, place, line, place + 1) if size[0] == 1 else (place, 0, place + 1, line))
    return marks


def _on_paper(image: Any) -> Any:
    """The picture in levels of grey, seen on white paper where it is transparent."""
    if image.mode in ("RGBA", "LA", "PA", "P") or "transparency" in image.info:
        shown = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", shown.size, "white"), shown)
    return image.convert("L")

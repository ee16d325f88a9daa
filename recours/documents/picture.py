"""The ink of pictures. Pillow is imported when the first one comes."""

import io
import warnings
from typing import Any

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
_MARGIN = 0.17  # of the width and height, on each side: where the line of a frame runs
_LINED = 0.3  # so much of a margin's length has marks at least where a line runs along it, pale or askew
# Where two areas of a dim photograph meet, they differ in brightness, or in grain: by so many levels, and by so much of the grain.
_EDGE = 9
_EDGE_OF_GRAIN = 6
_OF_GRAIN = 0.8
# Of noise, all squares are about as bright and as coarse as all others: they differ by so much of what the pixels do.
_SQUARES, _SMALLEST_SQUARE = 12, 6  # along the shorter side, and pixels
_ALIKE = 0.33
_LOOKED_AT = 320  # pixels, the longer side of what areas are looked for on
_SQUARE = 8  # pixels, of which the mean is taken
_FEWEST_EDGES = 8  # pairs of squares


def read_picture(content: bytes) -> Reading:
    """What is seen on a picture, every frame of which is decoded. Raises whatever Pillow raises on a damaged one."""
    from PIL import Image, ImageSequence  # noqa: PLC0415 (imported when the first image comes)

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
    shows_something = ink >= _FEWEST_MARKS or _has_areas(whole)
    return shows_something, paper >= _BRIGHT and _INK[0] <= ink <= _INK[1]


def _share(marks: Any) -> float:
    return float(marks.histogram()[255] / (marks.width * marks.height))


def _is_a_frame(marks: Any, pale: Any) -> bool:
    """Tell whether all marks are lines around the sheet, askew or not: along edges that meet, and none within."""
    from PIL import Image  # noqa: PLC0415 (imported when the first image comes)

    width, height = marks.size
    left, top = int(width * _MARGIN), int(height * _MARGIN)
    right, bottom = width - left, height - top
    if min(left, top) == 0 or _share(marks.crop((left, top, right, bottom))) >= _FEWEST_MARKS:
        return False

    def is_lined(*margin: int, size: tuple[int, int]) -> bool:
        along = pale.crop(margin).resize(size, Image.Resampling.BOX).tobytes()
        return bool(len(along) - along.count(0) >= _LINED * len(along))

    across, down = (right - left, 1), (1, bottom - top)
    return (
        is_lined(left, 0, right, top, size=across) or is_lined(left, bottom, right, height, size=across)
    ) and (is_lined(0, top, left, bottom, size=down) or is_lined(right, top, width, bottom, size=down))


def _is_noise(grey: Any) -> bool:
    """Tell whether a picture is the same confusion of dots everywhere."""
    from PIL import Image, ImageChops, ImageStat  # noqa: PLC0415 (imported when the first image comes)

    side = max(_SMALLEST_SQUARE, min(grey.size) // _SQUARES)
    if min(grey.size) < 2 * side:
        return False
    whole = grey.crop((0, 0, grey.width // side * side, grey.height // side * side))
    brightness = whole.reduce(side)
    coarse = ImageChops.difference(whole, brightness.resize(whole.size, Image.Resampling.NEAREST))
    squares = ImageStat.Stat(brightness), ImageStat.Stat(coarse.reduce(side))
    least = _ALIKE * squares[1].mean[0]
    return all(each.stddev[0] < least for each in squares)


def _has_areas(grey: Any) -> bool:
    """Tell whether a picture has areas that differ in brightness or in grain, as a dim photograph has; lines are none."""
    from PIL import Image, ImageChops, ImageFilter, ImageStat  # noqa: PLC0415 (imported when the first image comes)

    seen = grey.reduce(max(1, max(grey.size) // _LOOKED_AT))
    darkest, brightest = seen.getextrema()
    if brightest - darkest <= _EDGE_OF_GRAIN:  # no two squares can differ by more
        return False
    brightness = seen.filter(ImageFilter.MedianFilter(7))
    grain = ImageChops.difference(seen, brightness).filter(ImageFilter.MedianFilter(7))
    least = _OF_GRAIN * ImageStat.Stat(grain).mean[0]
    across, down = int(seen.width * _MARGIN), int(seen.height * _MARGIN)
    found = 0
    for levels, edge in ((brightness, max(_EDGE, least)), (grain, max(_EDGE_OF_GRAIN, least))):
        inner = levels.crop((across, down, seen.width - across, seen.height - down))
        squares = inner.resize(
            (max(1, inner.width // _SQUARE), max(1, inner.height // _SQUARE)), Image.Resampling.BOX
        )
        for step in ((2, 0), (0, 2)):
            if squares.width <= step[0] or squares.height <= step[1]:
                continue
            other = squares.crop((*step, *squares.size))
            differences = ImageChops.difference(squares.crop((0, 0, *other.size)), other).histogram()
            found += sum(differences[int(edge) + 1 :])
    return found >= _FEWEST_EDGES


def _without_ruled_lines(marks: Any) -> Any:
    """Marks without lines from edge to edge: a frame around nothing is nothing."""
    from PIL import Image  # noqa: PLC0415 (imported when the first image comes)

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
    from PIL import Image  # noqa: PLC0415 (imported when the first image comes)

    if image.mode in ("RGBA", "LA", "PA", "P") or "transparency" in image.info:
        shown = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", shown.size, "white"), shown)
    return image.convert("L")

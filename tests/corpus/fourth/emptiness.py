"""Pictures that show no proof: plain areas, logos, icons, empty pads, codes, maps and drawn messages."""

from collections.abc import Callable
from functools import partial
from random import Random

from PIL import Image, ImageDraw, ImageFilter

from tests.corpus.fourth.facts import FOLDER, wordings
from tests.corpus.fourth.pictures import font, gradient, grain
from tests.corpus.fourth.sheets import bars
from tests.corpus.parcels import LANGUAGES, NAMES

SIZES = ((320, 120), (400, 300), (640, 480), (300, 300), (800, 600))
GROUNDS = ("white", "#f4f4f4", "#cccccc", "#1d4f91", "#c8102e", "#ffcc00", "#2e7d32")
_DRAWINGS = [
    part.splitlines() for part in (FOLDER / "drawings.txt").read_text(encoding="utf-8").split("[")[1:]
]


def _words(random: Random, text: str) -> str:
    texts = wordings(random.choice(LANGUAGES))
    if text == "@carrier":
        return random.choice(list(NAMES.values()))
    return random.choice(texts[text[1:]] if text[1:] in texts else texts["hollow server_error"]).split(" | ")[
        0
    ]


def drawing(kind: str, random: Random) -> Image.Image:
    """One of the kind's drawings in wordings/drawings.txt: a/b is a choice, ~9 a number below 9."""
    head, *lines = random.choice([lines for lines in _DRAWINGS if lines[0].startswith(f"{kind}]")])
    width, height, ground = (random.choice(part.split("/")) for part in head.split()[1:])
    picture = Image.new("RGB", (int(width), int(height)), ground)
    pen = ImageDraw.Draw(picture)
    for shape, *parts in map(str.split, lines):
        chosen = [random.choice(part.split("/")) for part in parts]
        chosen = [str(random.randrange(int(part[1:]))) if part[0] == "~" else part for part in chosen]
        *numbers, last = [int(part) for part in chosen if part.isdigit()]
        match shape:
            case "line":
                pen.line(numbers, chosen[-1], last)
            case "polygon":
                pen.polygon((*numbers, last), chosen[-1])
            case "disc":
                pen.circle(numbers, last, chosen[-1])
            case "text":
                text = chosen[-1] if chosen[-1][0] != "@" else _words(random, chosen[-1])
                pen.text((numbers[0], numbers[1]), text, chosen[-2], font(last), "mm")
            case _:
                x, y, wide, tall = (*numbers, last)[:4]
                style = {"fill": chosen[-1]} if shape == "box" else {"outline": chosen[-1], "width": last}
                pen.rectangle((x, y, x + wide, y + tall), **style)
    return picture


def plain(kind: str, random: Random) -> Image.Image:
    """One colour, black with a little noise, noise alone, or a gradient."""
    size = random.choice(SIZES)
    if kind == "noise":
        mode = random.choice(("L", "RGB"))
        return Image.frombytes(mode, size, random.randbytes(size[0] * size[1] * len(mode)))
    if kind == "colour_gradient":
        return gradient(size, tuple(random.randbytes(3)), tuple(random.randbytes(3)))
    if kind == "black_frame":
        return grain(random, Image.new("RGB", size, (random.randrange(12),) * 3), random.randrange(1, 6))
    return Image.new("RGB", size, random.choice(GROUNDS))


def blank_paper(random: Random) -> Image.Image:
    """An empty sheet on the glass: grain, a fold and a grey edge."""
    width, height = random.choice(((620, 877), (992, 1403), (877, 620)))
    picture = Image.new("L", (width, height), random.randrange(225, 250))
    pen = ImageDraw.Draw(picture)
    pen.line((0, height // 2, width, height // 2 + 4), random.choice((205, 240)), 3)
    pen.rectangle((0, 0, random.randrange(2, 14), height), 140)
    return grain(random, picture.filter(ImageFilter.GaussianBlur(1)), random.randrange(2, 9))


def qr_code(random: Random) -> Image.Image:
    count, scale = random.choice((25, 29, 33)), random.choice((5, 8, 12))
    picture = Image.new("L", (count + 8, count + 8), 255)
    pen = ImageDraw.Draw(picture)
    for at in range(count * count):
        pen.point((at % count + 4, at // count + 4), random.choice((0, 255)))
    for x, y in ((4, 4), (count - 3, 4), (4, count - 3)):  # the three finder marks
        for inset, tone in ((-1, 255), (0, 0), (1, 255), (2, 0)):
            pen.rectangle((x + inset, y + inset, x + 6 - inset, y + 6 - inset), tone)
    return picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST)


def bar_code(random: Random) -> Image.Image:
    picture = Image.new("L", (460, random.choice((120, 180))), 255)
    for (x, _), _ in bars(random).strokes:
        ImageDraw.Draw(picture).rectangle((30 + x * 400, 12, 33 + x * 400, picture.height - 14), 0)
    return picture


_DRAWN = ("carrier_logo", "icon", "empty_pad", "spinner", "map_tile", "error_screenshot", "no_image")
PICTURES: dict[str, Callable[[Random], Image.Image]] = {
    **{kind: partial(plain, kind) for kind in ("solid_colour", "black_frame", "noise", "colour_gradient")},
    **{kind: partial(drawing, kind) for kind in _DRAWN},
    "blank_paper": blank_paper,
    "qr_code": qr_code,
    "bar_code": bar_code,
}

"""Sheets as pictures and scans, signatures, and photo-like pictures of parcels; drawn by Pillow."""

from io import BytesIO
from math import cos, radians, sin
from random import Random
from typing import Any

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from tests.corpus.fourth.printing import FILES, HEIGHT, WIDTH, Page, arrange
from tests.corpus.fourth.sheets import Sheet, signature

_DOTS = 120 / 72  # for a point of a page, at 120 dots per inch
Colour = tuple[int, ...]


def font(size: float, *, is_bold: bool = False) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(FILES["VeraBd.ttf" if is_bold else "Vera.ttf"], size)


def encoded(picture: Image.Image, form: str, **options: object) -> bytes:
    file = BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


def grain(random: Random, picture: Image.Image, amount: int, blur: float = 0.6) -> Image.Image:
    """Noise of a sensor: the same for all colours, around the picture's own tones."""
    noise = Image.frombytes("L", picture.size, random.randbytes(picture.width * picture.height))
    noise = noise.filter(ImageFilter.GaussianBlur(blur)).point(lambda tone: 128 + (tone - 128) * amount // 40)
    return ImageChops.add(picture, noise.convert(picture.mode), scale=1, offset=-128)


class Paper(Page):
    """A sheet printed on A4 and signed by hand; it remembers the texts and where they stand."""

    def __init__(self, random: Random, sheet: Sheet) -> None:
        self.picture = Image.new("L", (round(WIDTH * _DOTS), round(HEIGHT * _DOTS)), 255)
        self.pen = ImageDraw.Draw(self.picture)
        self.texts: list[tuple[str, float, float, float]] = []
        self._faces = [font(100), font(100, is_bold=True)]
        arrange(random, sheet, self)

    def measure(self, text: str, size: float, *, is_bold: bool) -> float:
        return self._faces[is_bold].getlength(text) * size / 100

    def write(self, text: str, x: float, y: float, size: float, *, is_bold: bool) -> None:
        self.texts.append((text, x, y, size))
        face = font(size * _DOTS, is_bold=is_bold)
        self.pen.text((x * _DOTS, y * _DOTS), text, font=face, fill=20, anchor="ls")

    def line(self, points: list[tuple[float, float]]) -> None:
        self.pen.line([(x * _DOTS, y * _DOTS) for x, y in points], fill=50, width=2)


def scanned(random: Random, picture: Image.Image, angle: float) -> Image.Image:
    """Slightly turned on the glass, greyish, with grain, and sometimes a dark edge."""
    white = random.randrange(215, 234)
    turned = picture.rotate(angle, Image.Resampling.BICUBIC, fillcolor=255)
    turned = turned.point(lambda tone: 18 + tone * white // 255)
    edge = (0, 0, random.randrange(16), turned.height)
    ImageDraw.Draw(turned).rectangle(edge, fill=random.randrange(70, 160))
    return grain(random, turned.filter(ImageFilter.GaussianBlur(0.5)), random.randrange(4, 14))


def scan(random: Random, picture: Image.Image, texts: list[tuple[str, float, float, float]]) -> bytes:
    """A PDF whose page is the picture, with the texts as an invisible layer, as of OCR."""
    angle = random.choice((-1, 1)) * random.uniform(0.3, 1.6)
    jpeg = encoded(scanned(random, picture, angle), "JPEG", quality=random.choice((50, 62, 75)))
    file, over, up = BytesIO(), cos(radians(angle)), sin(radians(angle))
    canvas = Canvas(file, pagesize=(WIDTH, HEIGHT), invariant=1)
    canvas.drawImage(ImageReader(BytesIO(jpeg)), 0, 0, WIDTH, HEIGHT)
    for text, left, top, size in texts:
        x, y = left - WIDTH / 2, HEIGHT / 2 - top
        layer = canvas.beginText()
        layer.setTextRenderMode(3)
        layer.setFont("Helvetica", size)
        layer.setTextTransform(
            over, up, -up, over, WIDTH / 2 + x * over - y * up, HEIGHT / 2 + x * up + y * over
        )
        layer.textOut(text)
        canvas.drawText(layer)
    canvas.save()
    return file.getvalue()


def snapshot(random: Random, sheet: Sheet) -> Image.Image:
    """The printed sheet photographed on a table, under uneven light."""
    page = Paper(random, sheet).picture.resize((760, 1075), Image.Resampling.LANCZOS).crop((0, 0, 760, 958))
    table, angle = (
        gradient((940, 1150), (random.randrange(70, 130), 90, 70), (150, 125, 100)),
        random.uniform(-4, 4),
    )
    mask = Image.new("L", page.size, 255).rotate(angle, expand=True)
    table.paste(page.convert("RGB").rotate(angle, Image.Resampling.BICUBIC, expand=True), (60, 70), mask)
    return _lit(random, table, 0.7)


def gradient(size: tuple[int, int], first: Colour, last: Colour) -> Image.Image:
    """From the first colour at the top to the last at the bottom."""
    ramp = Image.linear_gradient("L").resize(size)
    return Image.composite(Image.new("RGB", size, last), Image.new("RGB", size, first), ramp)


def _lit(random: Random, picture: Image.Image, blur: float) -> Image.Image:
    """Out of focus, in uneven light, with a sensor's noise."""
    light = gradient(picture.size, (random.randrange(190, 256),) * 3, (random.randrange(130, 230),) * 3)
    return grain(random, ImageChops.multiply(picture.filter(ImageFilter.GaussianBlur(blur)), light), 5)


def _texture(random: Random, size: tuple[int, int], tone: Colour, coarse: float) -> Image.Image:
    return grain(random, Image.new("RGB", size, tone), round(15 * coarse), coarse)


def _muted(random: Random, darkest: int, lightest: int) -> Colour:
    """A greyish colour, as walls and floors have."""
    tone = random.randrange(darkest, lightest)
    return tuple(min(255, max(0, tone + random.randrange(-24, 25))) for _ in range(3))


def doorstep(random: Random, place: str) -> Image.Image:
    """A parcel before a door, in a hallway or in a locker's compartment, as a courier photographs it."""
    width, height = random.choice(((640, 853), (768, 1024), (900, 675), (600, 800)))
    ground, wall = height * random.randrange(55, 72) // 100, _muted(random, 90, 215)
    seam = tuple(max(0, tone - 25) for tone in wall)
    picture = _texture(random, (width, height), wall, 2.5)
    pen = ImageDraw.Draw(picture)
    if place == "door":
        for row in range(0, ground, 34):  # bricks
            pen.line((0, row, width, row), fill=seam, width=3)
            for left in range((row // 34 % 2) * 40, width, 80):
                pen.line((left, row, left, row + 34), fill=seam, width=3)
        left, right = width * 28 // 100, width * 74 // 100
        pen.rectangle((left, height // 14, right, ground), _muted(random, 50, 170), (230, 230, 225), 9)
        pen.rectangle((left + 40, height // 8, right - 40, height // 3), outline=(120, 120, 120), width=5)
        pen.circle((right - 30, ground // 2), 9, fill=(200, 180, 90))
    elif place == "locker":
        pen.rectangle((60, 40, width - 60, height - 60), (55, 58, 62), (190, 190, 190), 14)
    picture.paste(_texture(random, (width, height - ground), _muted(random, 70, 160), 1.6), (0, ground))
    if place == "hall":
        for left in range(-width, 2 * width, 110):  # tiles
            pen.line((left, height, width // 2 + (left - width // 2) // 2, ground), fill=seam, width=2)
    _put_box(random, picture, ground)
    return _lit(random, picture, random.uniform(0.8, 1.8))


def _put_box(random: Random, picture: Image.Image, ground: int) -> None:
    """A cardboard box seen from above its front edge, with tape, label and a soft shadow."""
    wide = picture.width * random.randrange(30, 46) // 100
    tall = wide * random.randrange(45, 75) // 100
    left = random.randrange(picture.width // 5, picture.width * 4 // 5 - wide)
    foot = min(picture.height - 30, ground + random.randrange(60, 150))
    top, depth, shift = foot - tall, tall * 2 // 5, random.randrange(-50, 50)
    shadow = Image.new("L", picture.size, 0)
    ImageDraw.Draw(shadow).ellipse((left - 30, foot - 35, left + wide + 70, foot + 35), fill=150)
    picture.paste((15, 14, 12), (0, 0), shadow.filter(ImageFilter.GaussianBlur(16)))
    tone = random.choice(((176, 132, 84), (190, 150, 102), (158, 116, 70), (225, 222, 214), (60, 62, 70)))
    picture.paste(_texture(random, (wide, tall), tone, 0.9), (left, top))
    pen, middle = ImageDraw.Draw(picture), left + wide // 2
    for at, end, more in ((left, left + wide, 16), (middle - 14, middle + 14, 34)):  # the lid, the tape
        tint = tuple(min(255, part + more) for part in tone)
        pen.polygon(((at, top), (end, top), (end + shift, top - depth), (at + shift, top - depth)), fill=tint)
    side = left + wide * random.randrange(8, 50) // 100
    pen.rectangle((side, top + tall // 3, side + wide * 2 // 5, top + tall * 4 // 5), fill=(238, 238, 234))
    for row in range(top + tall // 3 + 8, top + tall * 4 // 5 - 8, 9):  # the label's print
        pen.line(
            (side + 8, row, side + wide * random.randrange(12, 36) // 100, row), fill=(70, 70, 70), width=3
        )


def pad(random: Random, style: str) -> Image.Image:
    """A signature's picture in a style."""
    width, height = random.choice(((320, 120), (480, 200), (640, 240), (240, 96), (800, 260)))
    styles: dict[str, tuple[Any, Any, int]] = {
        "white_on_black": ("white", "black", 3),
        "coloured": (random.choice(((20, 40, 160), (160, 20, 40), (10, 110, 60))), "white", 3),
        "thin": ((60, 60, 60), "white", 1),
        "on_grey": ((30, 30, 45), (random.randrange(170, 225),) * 3, 3),
        "transparent": ((0, 0, 0, 255), (0, 0, 0, 0), 3),
    }
    ink, ground, pen_width = styles.get(style, ("black", "white", random.choice((2, 3, 4))))
    picture = Image.new("RGBA" if style == "transparent" else "RGB", (width, height), ground)
    pen = ImageDraw.Draw(picture)
    if style == "on_baseline":
        pen.line((14, height * 4 // 5, width - 14, height * 4 // 5), fill=(120, 120, 120), width=2)
        pen.text((16, height * 4 // 5 - 26), "X", font=font(20), fill=(120, 120, 120))
    across = width * random.uniform(0.5, 0.85)
    for stroke in signature(random).strokes:
        line = [(width * 0.1 + x * across, height * (0.08 + y * 0.84)) for x, y in stroke]
        pen.line(line, fill=ink, width=pen_width, joint="curve")
    return grain(random, picture.filter(ImageFilter.GaussianBlur(0.8)), 10) if style == "noisy" else picture

"""Pictures without a page: a parcel at a door, a signature, nothing at all."""

from random import Random

from PIL import Image, ImageDraw, ImageFilter, ImageFont

from recours.core.evidence import EvidenceKind
from tests.corpus.model import Made, Parcel, Truth
from tests.corpus.parcels import NAMES
from tests.corpus.third.paper import CAPTION_FONT, encoded, grained, signature


def door(random: Random) -> Image.Image:
    """A taped and labeled box in front of a door, lit from one side."""
    width, height = 480, 360
    light = Image.linear_gradient("L").resize((width, height)).rotate(random.choice((0, 90, 180)))
    wall = Image.blend(
        Image.new("L", (width, height), random.randrange(120, 190)), light.resize((width, height)), 0.25
    )
    picture = wall.convert("RGB")
    draw = ImageDraw.Draw(picture)
    left, size = random.randrange(60, 200), random.randrange(110, 160)
    draw.rectangle((0, 290, width, height), fill=(112, 104, 96))
    draw.rectangle(
        (left, 20, left + 190, 290), fill=(random.randrange(30, 120), 62, random.randrange(30, 110))
    )
    draw.ellipse((left + 165, 150, left + 179, 164), fill=(205, 190, 120))
    x, y = left + random.randrange(0, 120), 330 - size
    draw.rectangle((x, y, x + size, y + size), fill=(176, 132, 84), outline=(110, 78, 44), width=3)
    draw.polygon(((x, y), (x + 26, y - 24), (x + size + 26, y - 24), (x + size, y)), fill=(196, 154, 104))
    draw.rectangle((x + size // 2 - 9, y, x + size // 2 + 9, y + size), fill=(214, 190, 150))
    draw.rectangle((x + 14, y + 24, x + 58, y + 64), fill=(240, 240, 236))
    for bar in range(x + 18, x + 54, 4):
        draw.line((bar, y + 30, bar, y + 46), fill=(30, 30, 30), width=random.choice((1, 2)))
    return grained(random, picture.filter(ImageFilter.GaussianBlur(0.8)).convert("L"), 0.05).convert("RGB")


def door_photo(random: Random, parcel: Parcel) -> Made:
    return Made(*encoded(door(random)), Truth(number_shown=None), EvidenceKind.PHOTO)


def stamped_photo(random: Random, parcel: Parcel) -> Made:
    """As stamped by a courier's device: number, time and coordinates below the picture."""
    picture = Image.new("RGB", (480, 420), (20, 20, 20))
    picture.paste(door(random), (0, 0))
    place = f"{random.uniform(43, 50):.5f} N {random.uniform(0, 7):.5f} E"
    lines = f"{NAMES[parcel.carrier]} {parcel.number}\nDELIVERED {parcel.delivered:%d/%m/%Y %H:%M} {place}"
    ImageDraw.Draw(picture).multiline_text(
        (12, 370), lines, font=ImageFont.truetype(CAPTION_FONT, 15), fill=(240, 240, 240)
    )
    return Made(*encoded(picture), Truth(number_shown=None, delivered=parcel.delivered), EvidenceKind.PHOTO)


def signature_picture(random: Random, parcel: Parcel) -> Made:
    """As stored by a signature pad, in some cases with the name below."""
    picture = signature(random)
    is_named = random.random() < 0.5
    if is_named:
        font = ImageFont.truetype(CAPTION_FONT, 16)
        ImageDraw.Draw(picture).text((20, 150), parcel.signatory, font=font, fill=40)
    media_type = random.choice(("image/png", "image/jpeg"))
    signatory = parcel.signatory if is_named else None
    truth = Truth(number_shown=None, has_signature=True, signatory=signatory)
    return Made(*encoded(picture, media_type), truth, EvidenceKind.SIGNATURE)


def empty_pad(random: Random, parcel: Parcel) -> Made:
    """An unsigned signature pad: its frame, its line and its cross."""
    picture = Image.new("L", (420, 180), random.choice((255, 244)))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((4, 4, 415, 175), outline=170)
    draw.line((40, 140, 380, 140), fill=120, width=2)
    draw.text((22, 118), "X", font=ImageFont.truetype(CAPTION_FONT, 18), fill=110)
    return Made(*encoded(picture, "image/png"), Truth(number_shown=None), EvidenceKind.SIGNATURE)


def nothing(random: Random, parcel: Parcel) -> Made:
    """A gradient, noise, or the dark of a covered lens."""
    picture = random.choice(
        (
            Image.radial_gradient("L").resize((480, 360)),
            Image.linear_gradient("L").resize((480, 360)),
            grained(random, Image.new("L", (480, 360), 128), 1),
            grained(random, Image.new("L", (480, 360), random.randrange(2, 14)), 0.02),
        )
    )
    return Made(*encoded(picture), Truth(number_shown=None), EvidenceKind.PHOTO)


def logo(random: Random, parcel: Parcel) -> Made:
    """The carrier's name on its color, in place of a picture of the parcel."""
    picture = Image.new(
        "RGB", (480, 360), (random.randrange(256), random.randrange(120), random.randrange(160))
    )
    font = ImageFont.truetype(CAPTION_FONT, 54)
    ImageDraw.Draw(picture).text(
        (240, 180), NAMES[parcel.carrier], font=font, fill=(255, 255, 255), anchor="mm"
    )
    return Made(*encoded(picture), Truth(number_shown=None), EvidenceKind.PHOTO)

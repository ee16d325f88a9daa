"""Creates small but valid proofs of delivery with invented facts. The same facts produce the same bytes."""

import base64
import io
import math
import zlib
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

from recours.sandbox.scenarios import ALL_PIECES, ParcelState, Scenario, french_time

_PAGE = (595, 420)  # points: A5, landscape
_INK_BOX = (300, 60, 240, 120)  # position of the signature on the page: left, bottom, width, height

_NOT_BASE64 = "JVBERi0xLjQK*** ceci n'est pas du base64 ***"
_PLAIN_TEXT = b"Document indisponible. Veuillez reessayer plus tard.\r\n" * 30


def document_of(state: ParcelState, carrier: str, number: str) -> bytes:
    at = french_time(state.delivered_at)
    good = partial(proof_pdf, carrier, number, signatory_of(state), at)
    return _document(state, number, good, partial(_pdf, b""))


def _document(
    state: ParcelState, number: str, good: Callable[[], bytes], hollow: Callable[[], bytes]
) -> bytes:
    makers: dict[Scenario, Callable[[], bytes]] = {
        Scenario.EMPTY_POD: bytes,
        Scenario.BAD_BASE64: _NOT_BASE64.encode,
        Scenario.NOT_A_DOCUMENT: lambda: _PLAIN_TEXT,
        Scenario.HOLLOW_POD: hollow,
        Scenario.PARTLY_HOLLOW: hollow,
        Scenario.BROKEN_PDF: broken_pdf,
        Scenario.DELIVERED_PNG: partial(signature_png, number),
        Scenario.DELIVERED_GIF: partial(signature_gif, number),
    }
    return makers.get(state.scenario, good)()


def document_text(state: ParcelState, carrier: str, number: str) -> str:
    """The document in base64, or invalid base64 for BAD_BASE64."""
    content = document_of(state, carrier, number)
    return _NOT_BASE64 if state.scenario is Scenario.BAD_BASE64 else base64.b64encode(content).decode("ascii")


def signature_text(state: ParcelState, number: str) -> str:
    """An image of the signature in hexadecimal digits, or invalid digits for BAD_BASE64."""
    if state.scenario is Scenario.BAD_BASE64:
        return _NOT_BASE64
    signature = partial(signature_gif, number)
    return _document(state, number, signature, partial(signature, ink=False)).hex()


def document_texts(state: ParcelState, carrier: str, number: str) -> list[str]:
    """The document in base64, followed by another page in scenarios with every piece."""
    texts = [document_text(state, carrier, number)]
    if state.scenario in ALL_PIECES:
        more = proof_pdf(carrier, number, f"{signatory_of(state)} (page 2)", french_time(state.delivered_at))
        texts.append(base64.b64encode(more).decode("ascii"))
    return texts


def signatory_of(state: ParcelState) -> str:
    """The signatory, or an empty string if the carrier gives no name."""
    return "" if state.scenario is Scenario.DELIVERED_NO_SIGNATORY else state.parcel.signatory


def proof_pdf(carrier: str, number: str, signatory: str, delivered_at: datetime) -> bytes:
    """A PDF of one page with these facts as text, and a drawn signature if there is a signatory.

    The date is shown in the time zone in which it is given.
    """
    lines = [
        ("F2", 20, 370, f"{carrier} - Preuve de livraison"),
        ("F1", 12, 320, f"Numéro : {number}"),
        ("F1", 12, 295, f"Livré le : {delivered_at:%d/%m/%Y %H:%M}"),
        ("F1", 12, 270, f"Réceptionnaire : {signatory or '(non renseigné)'}"),
        ("F1", 8, 25, "Simulation (recours sandbox)"),
    ]
    page = ""
    for font, size, y, line in lines:
        printable = "".join(char if char.isprintable() else " " for char in line)
        text = printable.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
        page += f"BT /{font} {size} Tf 40 {y} Td ({text}) Tj ET\n"
    if signatory:
        x0, bottom, width, height = _INK_BOX
        curve = _scribble(number + signatory, 160)
        points = [f"{x0 + x * width:.1f} {bottom + y * height:.1f}" for x, y in curve]
        page += f"1.2 w {points[0]} m " + " ".join(f"{point} l" for point in points[1:]) + " S\n"
    return _pdf(page.encode("cp1252", "replace"))


def broken_pdf() -> bytes:
    """Bytes that start and end like a PDF and have no usable content."""
    noise = b"".join(bytes([(n * 37 + n // 7) % 251]) for n in range(2000))
    return b"%PDF-1.4\n" + noise.replace(b"obj", b"___") + b"\nstartxref\n99999999\n%%EOF\n"


def signature_png(seed: str) -> bytes:
    """A grayscale picture of a signature, different for each seed."""
    return _picture(seed, (480, 200), "PNG")


def signature_gif(seed: str, *, ink: bool = True) -> bytes:
    return _picture(seed, (240, 100), "GIF", ink=ink)


def photo_jpeg(seed: str) -> bytes:
    """A picture of a parcel in front of a door, different for each seed."""
    from PIL import Image, ImageDraw, ImageFilter  # noqa: PLC0415 (only for a few scenarios)

    width, height = 320, 240
    mark = zlib.crc32(seed.encode("utf-8", "replace"))
    left = 40 + mark % 120
    image = Image.linear_gradient("L").resize((width, height)).convert("RGB")
    draw = ImageDraw.Draw(image)
    draw.rectangle((left + 60, 10, left + 140, 200), fill=(70, 45, 35))  # the door
    draw.rectangle((left, 140, left + 100, 220), fill=(190, 150, 100))  # the parcel
    draw.rectangle((left + 40, 140, left + 60, 220), fill=(150, 110, 70))  # its tape
    file = io.BytesIO()
    image.filter(ImageFilter.GaussianBlur(1)).save(file, "JPEG")
    return file.getvalue()


def _picture(seed: str, size: tuple[int, int], form: str, *, ink: bool = True) -> bytes:
    from PIL import Image, ImageDraw  # noqa: PLC0415 (only for a few scenarios)

    width, height = size
    image = Image.new("L", size, 248)  # not quite white, like a scanned sheet
    points = [(20 + x * (width - 40), 20 + y * (height - 40)) for x, y in _scribble(seed, 4000)]
    if ink:
        ImageDraw.Draw(image).line(points, fill=0x20, width=2)
    file = io.BytesIO()
    image.save(file, form)
    return file.getvalue()


def _scribble(seed: str, points: int) -> Sequence[tuple[float, float]]:
    """A curve that looks like a signature, as points between 0 and 1."""
    mark = zlib.crc32(seed.encode("utf-8", "replace"))
    a, b, c = 5 + mark % 7, 9 + mark // 7 % 11, mark // 77 % 100 / 16
    steps = [n / (points - 1) for n in range(points)]
    return [
        (
            min(1.0, max(0.0, t + 0.06 * math.sin(2 * math.pi * a * t + c))),
            0.5 + 0.3 * math.sin(2 * math.pi * b * t + c) * (1 - 0.6 * t) + 0.15 * math.cos(math.pi * a * t),
        )
        for t in steps
    ]


def _pdf(content: bytes) -> bytes:
    """A file with one page: the objects, the table of their offsets (20 bytes per line) and the trailer."""
    font = "<< /Type /Font /Subtype /Type1 /BaseFont /{} /Encoding /WinAnsiEncoding >>"
    width, height = _PAGE
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {width} {height}] /Contents 4 0 R "
        "/Resources << /Font << /F1 5 0 R /F2 6 0 R >> >> >>".encode(),
        f"<< /Length {len(content)} >>\nstream\n".encode() + content + b"\nendstream",
        font.format("Helvetica").encode(),
        font.format("Helvetica-Bold").encode(),
    ]
    file = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")  # four high bytes mark the file as binary
    starts = []
    for number, content_of in enumerate(objects, 1):
        starts.append(len(file))
        file += b"%d 0 obj\n" % number + content_of + b"\nendobj\n"
    table = len(file)
    file += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    file += b"".join(b"%010d 00000 n \n" % start for start in starts)
    file += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, table)
    return bytes(file)

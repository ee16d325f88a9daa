"""Makes proofs of delivery: small and invented, yet real documents. The same facts give the same bytes."""

import base64
import math
import struct
import zlib
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache

from recours.sandbox.scenarios import ParcelState, Scenario

_PAGE = (595, 420)  # points: A5, landscape
_INK_BOX = (300, 60, 240, 120)  # of the signature on the page: left, bottom, width, height
_PNG = (480, 200)  # pixels
_GIF = (240, 100)


_NOT_BASE64 = "JVBERi0xLjQK*** ceci n'est pas du base64 ***"
_PLAIN_TEXT = b"Document indisponible. Veuillez reessayer plus tard.\r\n" * 30


def document_of(state: ParcelState, carrier: str, number: str, when: datetime) -> bytes:
    """The document that the state's scenario gives; `when`: the delivery, in the zone it is to be shown in."""
    made: dict[Scenario, Callable[[], bytes]] = {
        Scenario.EMPTY_POD: bytes,
        Scenario.NOT_A_DOCUMENT: lambda: _PLAIN_TEXT,
        Scenario.HOLLOW_POD: lambda: _pdf(b""),
        Scenario.BROKEN_PDF: broken_pdf,
        Scenario.DELIVERED_PNG: lambda: signature_png(number),
        Scenario.DELIVERED_GIF: lambda: signature_gif(number),
    }
    make = made.get(state.scenario, lambda: proof_pdf(carrier, number, signatory_of(state), when))
    return make()


def document_text(state: ParcelState, carrier: str, number: str, when: datetime) -> str:
    """The same in base64; for BAD_BASE64 something that does not decode."""
    if state.scenario is Scenario.BAD_BASE64:
        return _NOT_BASE64
    return base64.b64encode(document_of(state, carrier, number, when)).decode("ascii")


def signatory_of(state: ParcelState) -> str:
    """Who signed; empty if no name is given."""
    return "" if state.scenario is Scenario.DELIVERED_NO_SIGNATORY else state.parcel.signatory


def proof_pdf(carrier: str, number: str, signatory: str, delivered_at: datetime) -> bytes:
    """A PDF of one page with these facts as text, and a drawn signature if there is a signatory.

    The date is shown as it is given, so in the zone it is given in.
    """
    lines = [
        ("F2", 20, 370, f"{carrier} - Preuve de livraison"),
        ("F1", 12, 320, f"Numéro : {number}"),
        ("F1", 12, 295, f"Livré le : {delivered_at:%d/%m/%Y %H:%M}"),
        ("F1", 12, 270, f"Réceptionnaire : {signatory or '(non renseigné)'}"),
        ("F1", 8, 25, "Document simulé, sans valeur (simulated, not a real proof of delivery)"),
    ]
    text = "".join(
        f"BT /{font} {size} Tf 40 {y} Td ({_pdf_text(line)}) Tj ET\n" for font, size, y, line in lines
    )
    drawing = _ink(number + signatory) if signatory else ""
    return _pdf(f"{text}{drawing}".encode("cp1252", "replace"))


def broken_pdf() -> bytes:
    """Bytes that begin and end like a PDF, with nothing in between that a reader could use."""
    noise = b"".join(bytes([(n * 37 + n // 7) % 251]) for n in range(2000))
    return b"%PDF-1.4\n" + noise.replace(b"obj", b"___") + b"\nstartxref\n99999999\n%%EOF\n"


def signature_png(seed: str) -> bytes:
    """A greyscale picture of a signature, another one for another seed."""
    width, height = _PNG
    rows = [bytearray(row) for row in _paper()]
    for x, y in _scribble(seed, 4000):
        column, row = 20 + int(x * (width - 42)), 20 + int(y * (height - 42))
        for line in (rows[row], rows[row + 1]):
            line[column : column + 2] = b"\x20\x20"
    pixels = b"".join(b"\x00" + row for row in rows)  # each row begins with its filter: none
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)  # 8 bits of grey
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(pixels, 9)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_png_chunk(kind, data) for kind, data in chunks)


def signature_gif(seed: str) -> bytes:
    """The same as a GIF of two colours. Its codes are not packed: each pixel is one, and none is long enough to grow."""
    width, height = _GIF
    pixels = bytearray(width * height)
    for x, y in _scribble(seed, 4000):
        pixels[(8 + int(y * (height - 16))) * width + 8 + int(x * (width - 16))] = 1
    clear, end = 4, 5
    codes = [code for n, pixel in enumerate(pixels) for code in ((clear, pixel) if n % 2 == 0 else (pixel,))]
    data = _three_bits([*codes, end])
    blocks = b"".join(bytes([len(part)]) + part for part in _parts(data, 255))
    screen = struct.pack("<HHBBB", width, height, 0x80, 0, 0)
    image = struct.pack("<BHHHHB", 0x2C, 0, 0, width, height, 0)
    return b"GIF89a" + screen + b"\xff\xff\xff\x20\x20\x20" + image + b"\x02" + blocks + b"\x00;"


def _three_bits(codes: Sequence[int]) -> bytes:
    """Codes of three bits, the first in the lowest bits; eight of them are three bytes."""
    groups = [codes[start : start + 8] for start in range(0, len(codes), 8)]
    bits = (sum(code << 3 * place for place, code in enumerate(group)) for group in groups)
    return b"".join(group.to_bytes(3, "little") for group in bits)


def _parts(data: bytes, most: int) -> list[bytes]:
    return [data[start : start + most] for start in range(0, len(data), most)]


@cache
def _paper() -> list[bytes]:
    """Rows of pixels that are not quite white, as a scanner sees a sheet."""
    width, height = _PNG
    return [bytes(245 + (x * 7 + y * 13 + x * y) % 9 for x in range(width)) for y in range(height)]


def _png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _scribble(seed: str, points: int) -> Sequence[tuple[float, float]]:
    """A curve like a signature, as points between 0 and 1."""
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


def _ink(seed: str) -> str:
    left, bottom, width, height = _INK_BOX
    points = [f"{left + x * width:.1f} {bottom + y * height:.1f}" for x, y in _scribble(seed, 160)]
    return f"1.2 w {points[0]} m " + " ".join(f"{point} l" for point in points[1:]) + " S\n"


def _pdf_text(text: str) -> str:
    shown = "".join(char if char.isprintable() else " " for char in text)
    return shown.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")


def _pdf(content: bytes) -> bytes:
    """A file of one page: the objects, the table of where each begins (20 bytes a line), and the trailer."""
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
    file = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")  # four high bytes tell programs that it is binary
    starts = []
    for number, content_of in enumerate(objects, 1):
        starts.append(len(file))
        file += b"%d 0 obj\n" % number + content_of + b"\nendobj\n"
    table = len(file)
    file += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    file += b"".join(b"%010d 00000 n \n" % start for start in starts)
    file += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, table)
    return bytes(file)

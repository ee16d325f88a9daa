"""Harmful PDFs: small files that use up memory or time, or crash the program that opens them."""

import zlib
from collections.abc import Callable, Sequence

_FONT = b"<< /Type /Font /Subtype /TrueType /BaseFont /F /FirstChar 32 /LastChar 32 /Widths [500] %s >>"


def pdf_of(
    content: bytes, *objects: bytes, page: bytes = b"/MediaBox [0 0 300 200]", pages: int = 1
) -> bytes:
    """A PDF whose pages all show the stream `content`, which may refer to the objects /O5, /O6 and so on."""
    names = b" ".join(b"/O%d %d 0 R" % (number, number) for number in range(5, 5 + len(objects)))
    resources = b" ".join(b"/%s << %s >>" % (kind, names) for kind in (b"XObject", b"Font"))
    numbered = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [%s] /Count %d >>" % (b"3 0 R " * pages, pages),
        b"<< /Type /Page /Parent 2 0 R %s /Contents 4 0 R /Resources << %s >> >>" % (page, resources),
        content,
        *objects,
    ]
    body = b"".join(b"%d 0 obj\n%s\nendobj\n" % (number, each) for number, each in enumerate(numbered, 1))
    return b"%PDF-1.7\n" + body + b"trailer << /Root 1 0 R >>\n%%EOF\n"


def stream(data: bytes, head: bytes = b"", filters: bytes = b"") -> bytes:
    return b"<< %s %s /Length %d >>\nstream\n%s\nendstream" % (head, filters, len(data), data)


def bomb(unit: bytes, megabytes: int, head: bytes = b"") -> bytes:
    """A stream of a few kilobytes that unpacks to this many megabytes of `unit`s."""
    packer = zlib.compressobj(9, wbits=-15)
    block = packer.compress(unit * ((1 << 20) // len(unit))) + packer.flush(zlib.Z_FULL_FLUSH)
    packed = zlib.compress(b"\x78\xda" + block * megabytes + b"\x03\x00", 9)
    return stream(packed, head, b"/Filter [/FlateDecode /FlateDecode]")


def _form(data: bytes, objects: Sequence[int] = ()) -> bytes:
    names = b" ".join(b"/O%d %d 0 R" % (number, number) for number in objects)
    return stream(data, b"/Subtype /Form /BBox [0 0 300 200] /Resources << /XObject << %s >> >>" % names)


def _image(side: int, unit: bytes, more: bytes = b"/ColorSpace /DeviceRGB") -> bytes:
    """A square picture of `unit`s, which are pixels."""
    head = b"/Subtype /Image /Width %d /Height %d /BitsPerComponent 8 %s" % (side, side, more)
    return bomb(unit, len(unit) * side * side >> 20, head)


_SHOWN = stream(b"300 0 0 200 0 0 cm /O5 Do")
_LETTER = stream(b"BT /O5 9 Tf ( ) Tj ET")

HOSTILE: dict[str, Callable[[], bytes]] = {
    "a page of two gigabytes": lambda: pdf_of(bomb(b" ", 2048)),
    "strokes without end": lambda: pdf_of(bomb(b"0 0 m 9 9 l S ", 512)),
    "a form that draws itself": lambda: pdf_of(stream(b"/O5 Do"), _form(b"/O5 Do /O5 Do /O5 Do", [5])),
    "forms that draw each other": lambda: pdf_of(
        stream(b"/O5 Do"), *(_form(b"/O%d Do " % number * 30, [number]) for number in range(6, 20))
    ),
    "a font of half a gigabyte": lambda: pdf_of(
        _LETTER,
        _FONT % b"/FontDescriptor 6 0 R",
        b"<< /Type /FontDescriptor /FontName /F /Flags 4 /FontFile2 7 0 R >>",
        bomb(b"\0", 512, b"/Length1 536870912"),
    ),
    "a table of letters without end": lambda: pdf_of(
        _LETTER, _FONT % b"/ToUnicode 6 0 R", bomb(b"1 beginbfrange <00> <FF> <0000> endbfrange ", 512)
    ),
    "an image of three gigabytes": lambda: pdf_of(_SHOWN, _image(32_000, b"\xff\xff\xff")),
    "an image as large as is looked at": lambda: pdf_of(_SHOWN, _image(6_300, b"\xff\xff\xff")),
    "an image that is drawn a hundred thousand times": lambda: pdf_of(
        bomb(b"/O5 Do ", 1), _image(3_000, b"\xff\xff\xff")
    ),
    "a picture behind a mask": lambda: pdf_of(
        _SHOWN,
        _image(6_000, b"\0\0\0", b"/ColorSpace /DeviceRGB /SMask 6 0 R"),
        _image(6_000, b"\0", b"/ColorSpace /DeviceGray"),
    ),
    "letters without end": lambda: pdf_of(bomb(b"BT /O5 9 Tf (letters letters) Tj ET ", 64), _FONT % b""),
    "brackets without end": lambda: pdf_of(bomb(b"[", 64)),
    "an object of brackets": lambda: pdf_of(stream(b""), b"[" * 5_000_000, page=b"/MediaBox 5 0 R"),
    "pages that hold themselves": lambda: pdf_of(stream(b"")).replace(b"[3 0 R ]", b"[2 0 R 2 0 R]"),
    "ten thousand pages": lambda: pdf_of(stream(b"0 0 m 9 9 l S"), pages=10_000),
    "a page as large as a country": lambda: pdf_of(
        stream(b"0 0 m 9 9 l S"), page=b"/MediaBox [0 0 1e30 1e30]"
    ),
}

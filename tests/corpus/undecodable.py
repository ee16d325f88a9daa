"""Files that begin like a document and cannot be decoded completely. All are hollow."""

from collections.abc import Callable
from functools import partial
from io import BytesIO
from zlib import compress

from pypdf import PdfReader, PdfWriter
from pypdf.generic import ArrayObject, NameObject, NumberObject, StreamObject

from recours.core.evidence import EvidenceKind
from tests.corpus.first.case import UNREAD, Case, by_language
from tests.corpus.first.sheet import MEDIA_TYPES, Picture, Sheet, encode, scan, with_fpdf, with_reportlab
from tests.corpus.model import Made, Template

PDF = "application/pdf"


def _paper(case: Case) -> Sheet:
    sheet = case.sheet(case.words.proof)
    y = sheet.fields(160, case.facts())
    sheet.signature(case.random, 80, y + 60)
    return sheet


def _scan(case: Case, form: str) -> bytes:
    return encode(scan(case.random, _paper(case), 60), form)


def _scan_as_pdf(case: Case) -> bytes:
    sheet = Sheet()
    sheet.marks.append(Picture(0, 0, 595, 842, _scan(case, "JPEG")))
    return with_fpdf([sheet], "Helvetica")


def _cut(form: str, share: float, case: Case) -> bytes:
    content = _scan(case, form)
    return content[: int(len(content) * share)]


def _head(form: str, count: int, case: Case) -> bytes:
    return _scan(case, form)[:count]


def _zeros(head: bytes, _case: Case) -> bytes:
    return head + bytes(3000)


def _zero_middle(form: str, case: Case) -> bytes:
    content = bytearray(_scan(case, form))
    third = len(content) // 3
    content[third : 2 * third] = bytes(third)
    return bytes(content)


def _edit_png(offset: int, values: bytes, case: Case) -> bytes:
    """The header's fields: width at 16, height at 20, depth at 24, its CRC at 29."""
    content = bytearray(_scan(case, "PNG"))
    content[offset : offset + len(values)] = values
    return bytes(content)


def _png_byte(case: Case) -> bytes:
    """One byte of the compressed rows is wrong, and so is the checksum."""
    content = bytearray(_scan(case, "PNG"))
    content[len(content) // 3] ^= 0xFF
    return bytes(content)


def _tiff_strips_outside(case: Case) -> bytes:
    """The entry of tag 273, the strips' offsets, points behind the end of the file."""
    content = bytearray(_scan(case, "G4"))
    entry = content.rindex(b"\x11\x01\x04\x00")
    count = int.from_bytes(content[entry + 4 : entry + 8], "little")
    place = entry + 8
    if count > 1:
        place = int.from_bytes(content[entry + 8 : entry + 12], "little")
    for strip in range(count):
        content[place + 4 * strip : place + 4 * strip + 4] = (0x7FFF0000).to_bytes(4, "little")
    return bytes(content)


def _gif_without_image(case: Case) -> bytes:
    """Header and color table, then the end."""
    content = _scan(case, "GIF")
    return content[: 13 + 3 * 2 ** ((content[10] & 7) + 1)] + b";"


def _image_size(case: Case, width: int) -> bytes:
    return _edit_image(case, {"/Width": NumberObject(width)})


def _unknown_filter(case: Case) -> bytes:
    return _edit_image(case, {"/Filter": NameObject("/XyzDecode")})


def _edit_image(case: Case, entries: dict[str, NameObject | NumberObject]) -> bytes:
    writer = PdfWriter(clone_from=PdfReader(BytesIO(_scan_as_pdf(case))))
    for item in writer._objects:
        if isinstance(item, StreamObject) and item.get("/Subtype") == "/Image":
            for key, value in entries.items():
                item[NameObject(key)] = value
    return _content(writer)


def _pdf_without_pages(case: Case) -> bytes:
    writer = PdfWriter(clone_from=PdfReader(BytesIO(_scan_as_pdf(case))))
    pages = writer._root_object["/Pages"].get_object()
    assert isinstance(pages, dict)
    pages[NameObject("/Kids")] = ArrayObject()
    pages[NameObject("/Count")] = NumberObject(0)
    return _content(writer)


def _pdf_without_tree(case: Case) -> bytes:
    writer = PdfWriter(clone_from=PdfReader(BytesIO(_scan_as_pdf(case))))
    del writer._root_object["/Pages"]
    return _content(writer)


def _content(writer: PdfWriter) -> bytes:
    buffer = BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


def _pdf_cut(share: float, case: Case) -> bytes:
    content = _scan_as_pdf(case)
    return content[: int(len(content) * share)]


def _pdf_text_cut(case: Case) -> bytes:
    """The stream of the page's text ends before the first fact; the following objects are intact."""
    content = with_fpdf([_paper(case)], "Helvetica")
    start = content.index(b"stream\n") + 7
    end = content.index(b"endstream", start)
    size = (end - start) // 10
    return content[: start + size] + bytes(end - start - size) + content[end:]


def _pdf_picture_zeroed(case: Case) -> bytes:
    content = bytearray(_scan_as_pdf(case))
    start = content.index(b"\xff\xd8") + 2
    content[start : start + 2000] = bytes(2000)
    return bytes(content)


def _pdf_encrypted(case: Case) -> bytes:
    """Encrypted with a cipher that does not exist."""
    content = with_reportlab([_paper(case)], "Times")
    return content.replace(b"/Root", b"/Encrypt << /Filter /Foreign /V 9 >> /Root")


def _png_signature(case: Case) -> bytes:
    """Random bytes after the signature of a PNG."""
    return b"\x89PNG\r\n\x1a\n" + case.random.randbytes(4000)


def _pdf_header(case: Case) -> bytes:
    return b"%PDF-1.4\n" + compress(case.random.randbytes(3000))


WAYS: dict[str, tuple[str, Callable[[Case], bytes]]] = {
    "tiff_half": (MEDIA_TYPES["TIFF"], partial(_cut, "TIFF", 0.5)),
    "tiff_g4_half": (MEDIA_TYPES["G4"], partial(_cut, "G4", 0.5)),
    "tiff_zeros": (MEDIA_TYPES["TIFF"], partial(_zeros, b"II*\0")),
    "tiff_strips_outside": (MEDIA_TYPES["TIFF"], _tiff_strips_outside),
    "png_middle_zeroed": (MEDIA_TYPES["PNG"], partial(_zero_middle, "PNG")),
    "png_cut": (MEDIA_TYPES["PNG"], partial(_cut, "PNG", 0.6)),
    "png_header_crc": (MEDIA_TYPES["PNG"], partial(_edit_png, 29, b"\0\0\0\0")),
    "png_byte": (MEDIA_TYPES["PNG"], _png_byte),
    "png_wrong_width": (MEDIA_TYPES["PNG"], partial(_edit_png, 16, b"\0\0\x40\0")),
    "png_no_height": (MEDIA_TYPES["PNG"], partial(_edit_png, 20, b"\0\0\0\0")),
    "png_signature_only": (MEDIA_TYPES["PNG"], _png_signature),
    "jpeg_header": (MEDIA_TYPES["JPEG"], partial(_head, "JPEG", 200)),
    "jpeg_cut": (MEDIA_TYPES["JPEG"], partial(_cut, "JPEG", 0.5)),
    "jpeg_zeros": (MEDIA_TYPES["JPEG"], partial(_zeros, b"\xff\xd8\xff\xe0\0\x10JFIF\0")),
    "gif_without_image": (MEDIA_TYPES["GIF"], _gif_without_image),
    "gif_cut": (MEDIA_TYPES["GIF"], partial(_cut, "GIF", 0.4)),
    "webp_cut": (MEDIA_TYPES["WEBP"], partial(_cut, "WEBP", 0.5)),
    "webp_header": (MEDIA_TYPES["WEBP"], partial(_head, "WEBP", 20)),
    "pdf_unknown_filter": (PDF, _unknown_filter),
    "pdf_picture_without_width": (PDF, partial(_image_size, width=0)),
    "pdf_picture_zeroed": (PDF, _pdf_picture_zeroed),
    "pdf_cut_early": (PDF, partial(_pdf_cut, 0.3)),
    "pdf_cut_late": (PDF, partial(_pdf_cut, 0.9)),
    "pdf_text_cut": (PDF, _pdf_text_cut),
    "pdf_without_pages": (PDF, _pdf_without_pages),
    "pdf_without_tree": (PDF, _pdf_without_tree),
    "pdf_foreign_cipher": (PDF, _pdf_encrypted),
    "pdf_header_only": (PDF, _pdf_header),
}


def _make(media_type: str, damage: Callable[[Case], bytes], case: Case) -> Made:
    kind = EvidenceKind.PHOTO
    if media_type == PDF:
        kind = EvidenceKind.LETTER
    return Made(damage(case), media_type, UNREAD, kind)


TEMPLATES: tuple[Template, ...] = tuple(
    by_language(f"undecodable_{way}", partial(_make, media_type, damage), is_good=False)[position % 6]
    for position, (way, (media_type, damage)) in enumerate(WAYS.items())
)

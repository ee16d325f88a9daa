"""Whether bytes are a document that can win a dispute, and of which kind.

A file that opens is not yet a proof. A *hollow* one shows nothing: a blank page, a picture of one colour, an error, login
or "not available" page. A missing signature is not hollow, and what cannot be read counts.
"""

import html as markup
import io
import logging
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import Any

from recours.core.outcome import NotADocumentError, begins_as
from recours.core.text import clean, plain

# ---------------------------------------------------------------- what can be read of a document
# The text of PDFs and pages, the ink of images. A carrier's file is hostile: what would take long, or much memory, is not
# read, and counts as something that could not be read. pypdf and Pillow are imported when the first file of their kind comes.


# What is unpacked and looked through at most: a page of a proof takes some kilobytes.
_MOST_BYTES = 500_000
_MOST_PAGES = 10
_MOST_FONTS = 50
_MOST_PIXELS = 40_000_000  # of all images of a document
_MOST_HTML = 1_000_000
_DEEPEST_FORM = 4

# Levels of grey, of 256, within which an image counts as being of one colour: paper is never quite white.
_ONE_COLOUR = 16


@dataclass(frozen=True)
class Reading:
    """What could be read of a document.

    `text`: what a person would read on it; None: it has text that could not be read.
    `has_ink`: something other than text is drawn on it; also True where that could not be found out.
    `asks_for_password`: a web page with a field for a password.
    """

    text: str | None
    has_ink: bool
    asks_for_password: bool = False


_UNREADABLE = Reading(text=None, has_ink=True)
# What pypdf and Pillow raise on a damaged file is any exception at all.
_DAMAGED = Exception


def read(content: bytes, media_type: str, pdf: Any = None) -> Reading:
    """What can be read of a document whose kind is known; what cannot be read is said to be so. `pdf`: its open reader."""
    try:
        if media_type == "text/html":
            return read_page(content[:_MOST_HTML].decode("utf-8", "replace"))
        if media_type == "application/pdf":
            return _read_pdf(pdf_library().PdfReader(io.BytesIO(content)) if pdf is None else pdf)
        from PIL import Image  # noqa: PLC0415 (imported when the first image comes)

        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(content)) as image:
            is_large = image.width * image.height > _MOST_PIXELS
            return Reading(text="", has_ink=is_large or not _has_one_colour(image))
    except ImportError:  # a fault of the installation, not of the file
        raise
    except _DAMAGED:
        return _UNREADABLE


# ---------------------------------------------------------------- web pages

# Not the head: carriers' pages leave it open, and a browser ends it where the body begins.
_UNSEEN = re.compile(r"<(script|style|title|template)(?=[\s/>])")
_PASSWORD = re.compile(r"<input\b[^<>]{0,500}\btype\s*=\s*[\"']?password\b", re.IGNORECASE)
_PICTURE = re.compile(r"<img\b[^<>]{0,200}\bsrc\s*=\s*[\"']?data:image/", re.IGNORECASE)


def read_page(page: str) -> Reading:
    """What a person would read on a web page. A picture counts as ink only if it is part of the page."""
    return Reading(
        text=markup.unescape(_visible(page)),
        has_ink=_PICTURE.search(page) is not None,
        asks_for_password=_PASSWORD.search(page) is not None,
    )


def _visible(page: str) -> str:
    """The text between the tags, in one pass: each step goes forward, or ends where no end of a tag is found."""
    folded, parts, at, length = page.lower(), list[str](), 0, 0
    while length < MOST_TEXT and (start := page.find("<", at)) >= 0:
        parts.append(page[at:start])
        length += start - at
        ends_with = "-->" if folded.startswith("<!--", start) else ">"
        end = page.find(ends_with, start)
        if end < 0:
            return "".join(parts)
        at = end + len(ends_with)
        if unseen := _UNSEEN.match(folded, start):
            at = folded.find(f"</{unseen[1]}", at)
            if at < 0:
                return "".join(parts)
        else:
            parts.append(" ")
    return "".join([*parts, page[at : at + MOST_TEXT]])


# ---------------------------------------------------------------- images


def _has_one_colour(image: Any) -> bool:
    """Tell whether a picture is of one colour, seen on white paper."""
    from PIL import Image  # noqa: PLC0415 (imported when the first image comes)

    if image.mode in ("RGBA", "LA", "PA", "P") or "transparency" in image.info:
        shown = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", shown.size, "white"), shown).convert("L")
    extrema = image.getextrema()
    bands = extrema if isinstance(extrema[0], tuple) else (extrema,)
    return all(highest - lowest <= _ONE_COLOUR for lowest, highest in bands)


# ---------------------------------------------------------------- PDFs

_FORM = re.compile(rb"/([^\s/<>\[\]()]+)\s+Do\b")
_WHITE = {1: [1], 3: [1, 1, 1], 4: [0, 0, 0, 0]}  # by how many numbers tell a colour
_FILL_COLOURS = frozenset({b"g", b"rg", b"k", b"sc", b"scn"})
_STROKE_COLOURS = frozenset({b"G", b"RG", b"K", b"SC", b"SCN"})
_FILLS = frozenset({b"f", b"F", b"f*"})
_STROKES = frozenset({b"S", b"s"})
_FILLS_AND_STROKES = frozenset({b"B", b"B*", b"b", b"b*"})
_UNSEEN_NOTES = frozenset({"/Link", "/Popup"})
# A drawing, such as a signature: many lines and curves, one after the other. No text looks like that.
_DRAWING = re.compile(rb"(?<!\S)(?:(?:[-+.\d]++\s++){2,6}[mlcvy]\s++){8,}")


_loading = Lock()


@cache
def pdf_library() -> Any:
    """The package pypdf. Raises ImportError for whatever keeps it from being loaded, such as too little memory."""
    with _loading:
        try:
            import pypdf  # noqa: PLC0415 (imported when the first PDF comes)
        except Exception as error:
            # What was loaded of it stays behind, and the next import would take that for the whole.
            for name in [name for name in sys.modules if name.partition(".")[0] == "pypdf"]:
                del sys.modules[name]
            raise ImportError(f"pypdf cannot be loaded ({type(error).__name__}: {error})") from error
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # what it says of a damaged file, our sentence says
    return pypdf


def _read_pdf(pdf: Any) -> Reading:
    pages, images = pdf.pages, _Images()
    readings = [_read_page(pages[number], images) for number in range(min(len(pages), _MOST_PAGES))]
    texts = [reading.text for reading in readings if reading.text is not None]
    return Reading(
        text="\n".join(texts) if len(texts) == len(readings) else None,
        has_ink=any(reading.has_ink for reading in readings),
    )


def _read_page(page: Any, images: "_Images") -> Reading:
    """One page of a PDF; unreadable where it would take long."""
    contents = page.get_contents()
    drawn = contents.get_data() if contents is not None else b""
    resources = page.get("/Resources", {})
    if _unpacked(drawn, resources, 0) > _MOST_BYTES or not _has_small_fonts(resources):
        return _UNREADABLE
    with suppress(_DAMAGED):
        text = _text_of(page, drawn) if drawn else ""
        # Where there is text, the ink does not matter: finding out costs as much again.
        has_ink = (
            bool(text.strip())
            or _has_notes(page)
            or (contents is not None and _has_ink(contents, page, images))
        )
        return Reading(text=text, has_ink=has_ink)
    return _UNREADABLE


def _text_of(page: Any, drawn: bytes) -> str:
    """The text of a page. Without its drawings: pypdf takes longer over a drawn signature than over all the rest."""
    generic = pdf_library().generic
    undrawn = generic.DecodedStreamObject()
    undrawn.set_data(_DRAWING.sub(b"", drawn))
    page[generic.NameObject("/Contents")] = undrawn
    return str(page.extract_text())


def _unpacked(drawn: bytes, resources: Any, depth: int) -> int:
    """How many bytes are looked through if each form is followed wherever it is drawn."""
    size = len(drawn)
    for form in _forms(drawn, resources):
        if depth == _DEEPEST_FORM or size > _MOST_BYTES:
            return _MOST_BYTES + 1
        size += _unpacked(form.get_data(), form.get("/Resources", resources), depth + 1)
    return size


def _forms(drawn: bytes, resources: Any) -> Iterator[Any]:
    things = resources.get("/XObject", {})
    for name in _FORM.findall(drawn[: _MOST_BYTES + 1]):
        thing = things.get("/" + name.decode("latin-1"))
        thing = thing.get_object() if thing is not None else None
        if thing is not None and thing.get("/Subtype") == "/Form":
            yield thing


def _has_small_fonts(resources: Any) -> bool:
    """Tell whether no font has a table of characters so large that reading it would take long."""
    fonts = list(resources.get("/Font", {}).values())
    if len(fonts) > _MOST_FONTS:
        return False
    tables = [font.get_object().get("/ToUnicode") for font in fonts]
    streams = [table.get_object() for table in tables if table is not None]
    return all(not hasattr(stream, "get_data") or len(stream.get_data()) <= _MOST_BYTES for stream in streams)


def _has_notes(page: Any) -> bool:
    notes = page.get("/Annots") or []
    return any(note.get_object().get("/Subtype") not in _UNSEEN_NOTES for note in notes)


def _has_ink(contents: Any, page: Any, images: "_Images") -> bool:
    """Tell whether anything but text is drawn on the page in another colour than white."""
    fill, stroke, saved = False, False, list[tuple[bool, bool]]()  # whether the colour is white
    for operands, operator in contents.operations:
        if operator in _FILL_COLOURS:
            fill = _is_white(operands)
        elif operator in _STROKE_COLOURS:
            stroke = _is_white(operands)
        elif operator == b"q":
            saved.append((fill, stroke))
        elif operator == b"Q" and saved:
            fill, stroke = saved.pop()
        elif operator == b"Do":
            if images.show_something(page, operands[0]):
                return True
        elif _paints(operator, fill=fill, stroke=stroke):
            return True
    return False


def _paints(operator: bytes, *, fill: bool, stroke: bool) -> bool:
    """Tell whether an operator leaves ink; `fill`, `stroke`: that colour is white."""
    if operator in _FILLS:
        return not fill
    if operator in _STROKES:
        return not stroke
    if operator in _FILLS_AND_STROKES:
        return not (fill and stroke)
    return operator in (b"sh", b"INLINE IMAGE")


def _is_white(operands: Any) -> bool:
    return list(operands) == _WHITE.get(len(operands))


class _Images:
    """The images of a document. A page may draw one of them, or many names of it, thousands of times."""

    def __init__(self) -> None:
        self._pixels = 0
        self._shown: dict[int, bool] = {}  # by the number of the object

    def show_something(self, page: Any, name: str) -> bool:
        """Tell whether an image of a page has more than one colour; a form counts as something."""
        thing = page["/Resources"]["/XObject"][name].get_object()
        if thing.get("/Subtype") != "/Image":
            return True
        number = thing.indirect_reference.idnum
        if number not in self._shown:
            self._pixels += int(thing["/Width"]) * int(thing["/Height"])
            too_many = self._pixels > _MOST_PIXELS
            self._shown[number] = too_many or not _has_one_colour(page.images[name].image)
        return self._shown[number]


# ---------------------------------------------------------------- what is hollow

# Characters of a document that the rules look at: a proof is a page or two.
MOST_TEXT = 100_000
_QUOTED = 80

# Folded: no accents, no capitals, single blanks. The subject must be the proof: "no signature is available" is said by
# good letters too, where none was required.
_PROOF = (
    r"(proof of delivery|proof[- ]of[- ]delivery|p\.?o\.?d\.?|delivery (notification|receipt|document)|document"
    r"|preuve de livraison|justificatif( de livraison)?|bordereau( de livraison)?)"
)
_NOT_THERE = re.compile(
    rf"\b{_PROOF} (is |was |could |can |est |n'est |n'a |ne )?(currently |actuellement |temporarily )?"
    r"(not (yet )?(be )?(available|found|retrieved|displayed)|cannot be (found|displayed|retrieved)|unavailable"
    r"|(pas |non )(encore )?(disponible|trouvee?|ete trouvee?)|indisponible|introuvable)"
    rf"|\b(no|aucune?) {_PROOF} (is |was |n'est |n'a ete )?(available|found|disponible|trouvee?)"
)
_ERROR_PAGE = re.compile(
    r"\b((error|erreur|http) ?(code )?[45]\d\d|[45]\d\d (not found|forbidden|unauthorized|internal server error"
    r"|bad gateway|service unavailable)|page (not found|introuvable)|service (unavailable|indisponible)"
    r"|(an|une) (unexpected |internal )?(error|erreur)( interne)? (has occurred|occurred|est survenue|s'est produite)"
    r"|(votre |your )?session (has |a )?(expired|expire)|access denied|acces (refuse|interdit)"
    r"|(site|service) (en|under) maintenance|please (log|sign) in|veuillez vous (connecter|identifier))"
)
# A page that tells of a delivery is no error page, whatever else it says.
_DELIVERY = re.compile(
    r"\b(delivered|delivery date|livree? le|livraison effectuee|date de livraison|signed (for )?by|received by"
    r"|signe par|signataire|receptionnaire|remis a)\b"
)


def why_hollow(reading: Reading) -> str | None:
    """Why a document proves nothing, as a phrase; None if it may prove something."""
    if reading.asks_for_password:
        return "it is a login page"
    if reading.text is None:
        return None
    text = " ".join(plain(reading.text[:MOST_TEXT]).replace("\u2019", "'").split())
    if not text:
        return None if reading.has_ink else "it is blank"
    if said := _NOT_THERE.search(text):
        return f'it says that there is none ("{clean(said[0], _QUOTED)}")'
    if (said := _ERROR_PAGE.search(text)) and not _DELIVERY.search(text):
        return f'it is an error page ("{clean(said[0], _QUOTED)}")'
    return None


# ---------------------------------------------------------------- what is evidence


_SMALLEST = 64  # bytes: no document of any kind is smaller

# How a complete image ends: one that was cut off shows half a signature.
_ENDINGS = {"image/png": b"IEND\xaeB`\x82", "image/jpeg": b"\xff\xd9", "image/gif": b"\x00;"}

SUFFIXES = {
    "application/pdf": ".pdf",
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/gif": ".gif",
    "image/tiff": ".tif",
    "text/html": ".html",
}


def kind_of(content: bytes, *, html: bool = False) -> str:
    """The kind of document that the bytes look like, found out at once; `html`: a web page is one too.

    Raises NotADocumentError with a phrase that says why they are none.
    """
    if len(content) < _SMALLEST:
        raise NotADocumentError(f"it has only {len(content)} bytes")
    found = begins_as(content, html=html)
    if found is None:
        kinds = "HTML, PDF, PNG, JPEG, GIF nor TIFF" if html else "PDF, PNG, JPEG, GIF nor TIFF"
        raise NotADocumentError(f"it is neither {kinds}")
    ending = _ENDINGS.get(found)
    if ending and ending not in content[-1024:]:
        raise NotADocumentError("the image is cut off")
    return found


def media_type_of(content: bytes, *, html: bool = False) -> str:
    """The kind of document that the bytes are, opened where that can fail. Raises NotADocumentError."""
    found = kind_of(content, html=html)
    if found == "application/pdf":
        _open_pdf(content)
    return found


def appraise(content: bytes, media_type: str) -> None:
    """See that a document opens and shows something. Raises NotADocumentError with a phrase that says what it is instead."""
    pdf = _open_pdf(content) if media_type == "application/pdf" else None
    if why := why_hollow(read(content, media_type, pdf)):
        raise NotADocumentError(why)


def _open_pdf(content: bytes) -> Any:
    """The reader of pypdf; None for one that is encrypted as this machine has no library for: it counts, a person can open it.

    Raises NotADocumentError.
    """
    pypdf = pdf_library()
    try:
        reader = pypdf.PdfReader(io.BytesIO(content))
        pages = len(reader.pages)
    except pypdf.errors.DependencyError:
        return None
    except (MemoryError, ImportError):  # the machine's fault, or the installation's, not the file's
        raise
    except Exception as error:
        raise NotADocumentError(f"the PDF cannot be opened ({type(error).__name__})") from error
    if pages == 0:
        raise NotADocumentError("the PDF has no page")
    return reader

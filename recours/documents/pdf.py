"""What a person would read on a PDF, and the ink on it.

A carrier's file is hostile: what would take long, or much memory, is not read, and counts as something that could not be
read.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from recours.documents.pdf_drawing import FEWEST_STROKES, Images, Sheet
from recours.documents.pdf_state import GraphicsState
from recours.documents.pdf_text import hides_letters, rows_of
from recours.documents.reading import UNREADABLE, Reading

# What is unpacked and looked through at most: a page of a proof takes some kilobytes.
_MOST_BYTES = 500_000
_MOST_PAGES = 10
_MOST_FONTS = 50
_DEEPEST_FORM = 4
# What pypdf and Pillow raise on a damaged file is any exception at all.
_DAMAGED = Exception
_UNSEEN_NOTES = frozenset({"/Link", "/Popup"})


def read_pdf(pdf: Any) -> Reading:
    """`pdf`: its reader. Raises whatever pypdf raises on a damaged one."""
    pages, images = pdf.pages, Images()
    readings = [_read_page(pages[number], images) for number in range(min(len(pages), _MOST_PAGES))]
    rows = [reading.rows for reading in readings if reading.rows is not None]
    return Reading(
        rows=tuple(row for page in rows for row in page) if len(rows) == len(readings) else None,
        has_ink=any(reading.has_ink for reading in readings),
        has_picture=any(reading.has_picture for reading in readings),
        has_handwriting=any(reading.has_handwriting for reading in readings),
        has_signature_image=any(reading.has_signature_image for reading in readings),
    )


def _read_page(page: Any, images: "Images") -> Reading:
    """One page of a PDF; unreadable where it would take long."""
    contents = page.get_contents()
    drawn = contents.get_data() if contents is not None else b""
    resources = page.get("/Resources", {})
    if _unpacked(drawn, resources, 0) > _MOST_BYTES or not _has_small_fonts(resources):
        return UNREADABLE
    with suppress(_DAMAGED):
        sheet = Sheet(page, images)
        sheet.draw(drawn, resources, GraphicsState())
        has_notes = _has_notes(page)
        return Reading(
            rows=rows_of(sheet.shows, page.pdf),
            has_ink=sheet.has_ink or has_notes,
            has_picture=sheet.has_picture
            or has_notes
            or any(hides_letters(show.font) for show in sheet.shows),
            has_handwriting=sheet.strokes >= FEWEST_STROKES,
            has_signature_image=sheet.has_signature_image,
        )
    return UNREADABLE


# ---------------------------------------------------------------- what would take long

_FORM = re.compile(rb"/([^\s/<>\[\]()]+)\s+Do\b")


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

"""Documents of claims, sent so that nothing in them comes alive, and the pages of PDFs as pictures."""

from pathlib import PurePath
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.status import HTTP_404_NOT_FOUND, HTTP_422_UNPROCESSABLE_CONTENT

from recours.core.text import clean
from recours.dashboard.documents import MOST_PAGES, POLICY, Document, NoDocument, find_document
from recours.dashboard.views.claim import claim_named
from recours.dashboard.visit import Visit, number_in
from recours.documents.kinds import SUFFIXES
from recours.documents.pdf_process import NotDrawnError, draw_page

PICTURES = ("image/png", "image/jpeg", "image/gif")
_SHOWN = (*PICTURES, "text/html")
# X-Frame-Options says for browsers that do not know frame-ancestors what that says.
_HEADERS = {"Content-Security-Policy": POLICY, "X-Frame-Options": "SAMEORIGIN"}


def show(visit: Visit) -> Response:
    """A document to be saved; with `shown`, as part of the page; with `page`, that page of a PDF."""
    listed = claim_named(visit, visit.query.get("claim", ""))
    if listed is None:
        raise HTTPException(HTTP_404_NOT_FOUND)
    pieces = visit.operations.records.evidence(listed.claim.id)
    found = find_document(listed, pieces, visit.query.get("piece", ""), visit.settings.pod_dir)
    if isinstance(found, NoDocument):
        raise HTTPException(HTTP_404_NOT_FOUND)
    if number := visit.query.get("page"):
        return _page(found.content, number)
    is_shown = "shown" in visit.query and found.media_type in _SHOWN
    place = "inline" if is_shown else f"attachment; filename*=UTF-8''{quote(_name(found), safe='')}"
    return Response(
        found.content, headers={**_HEADERS, "Content-Disposition": place}, media_type=found.media_type
    )


def _name(found: Document) -> str:
    """What it is saved as: with the ending of what it is, since the name may be other software's."""
    name = clean(found.name, 200)
    suffix = SUFFIXES.get(found.media_type)
    return f"{PurePath(name).stem}{suffix}" if suffix else name


def _page(content: bytes, asked: str) -> Response:
    number = number_in(asked, MOST_PAGES)
    if number is None:
        raise HTTPException(HTTP_404_NOT_FOUND)
    try:
        drawn = draw_page(content, number)
    except NotDrawnError:
        # Where the picture should be, the page says so, and offers the document.
        return Response(status_code=HTTP_422_UNPROCESSABLE_CONTENT)
    return Response(drawn, headers=_HEADERS, media_type="image/png")

"""What a person would read on a web page, in one pass and without a browser."""

import html as markup
import re

from recours.documents.reading import MOST_TEXT, Cell, Reading, Row

_MOST_HTML = 1_000_000

# Not the head: carriers' pages leave it open, and a browser ends it where the body begins.
_UNSEEN = re.compile(r"<(script|style|title|template)(?=[\s/>])")
_TAG = re.compile(r"</?([a-z][a-z0-9]{0,20})")
# Where a row of text begins or ends; where a cell of a row does. Other tags stand within the text.
_ROWS = frozenset(
    {
        "address", "article", "aside", "blockquote", "body", "br", "caption", "center", "dl", "dt", "div", "fieldset", "footer",
        "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav", "ol", "p", "pre", "section", "table",
        "tbody", "tfoot", "thead", "tr", "ul",
    }
)  # fmt: skip
_CELLS = frozenset({"td", "th", "dd"})
_OPEN_ENDED = _CELLS | {"dt"}  # where these end, the next one or the row's end tells
_COLUMN = 100.0  # how far columns are apart
_PASSWORD = re.compile(r"<input\b[^<>]{0,500}\btype\s*=\s*[\"']?password\b", re.IGNORECASE)
# A picture counts only if it is part of the page.
_PICTURE = re.compile(r"<img\b[^<>]{0,200}\bsrc\s*=\s*[\"']?data:image/", re.IGNORECASE)
_SIGNATURE = re.compile(r"sign(?:ature|é)|unterschrift", re.IGNORECASE)
_AROUND = 300  # characters of the page before a picture that say what it is


def read_web_page(content: bytes) -> Reading:
    page = content[:_MOST_HTML].decode("utf-8", "replace")
    pictures = [page[max(0, found.start() - _AROUND) : found.end()] for found in _PICTURE.finditer(page)]
    return Reading(
        rows=tuple(_rows(page)),
        has_ink=bool(pictures),
        has_picture=bool(pictures),
        has_signature_image=any(_SIGNATURE.search(before) for before in pictures),
        asks_for_password=_PASSWORD.search(page) is not None,
    )


def _rows(page: str) -> list[Row]:
    rows = []
    for line in _visible(page).split("\n"):
        texts = [" ".join(markup.unescape(cell).split()) for cell in line.split("\t")]
        if row := tuple(Cell(text, at * _COLUMN) for at, text in enumerate(texts) if text):
            rows.append(row)
    return rows


def _visible(page: str) -> str:
    """The text between the tags, rows apart by line breaks and cells by tabs.

    In one pass: each step goes forward, or ends where no end of a tag is found.
    """
    page = page.translate({ord("\n"): " ", ord("\r"): " ", ord("\t"): " "})
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
            continue
        tag = _TAG.match(folded, start)
        name = tag[1] if tag else ""
        if folded.startswith("</", start) and name in _OPEN_ENDED:
            name = ""
        parts.append("\n" if name in _ROWS else "\t" if name in _CELLS else " ")
    return "".join([*parts, page[at : at + MOST_TEXT]])

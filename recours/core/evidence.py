"""Whether a document proves anything: rules over what could be read of it.

A file that opens is not yet a proof. A *hollow* one shows nothing: a blank page, a picture of one colour, an error, login
or "not available" page. A missing signature is not hollow, and what cannot be read counts.
"""

import html
import re
from dataclasses import dataclass

from recours.core.text import clean, plain

# ---------------------------------------------------------------- what bytes begin as
# The first thing that tells a document from what is none.


_HEAD = 4096  # bytes: what of a page is looked at

_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"GIF87a", "image/gif"),  # signatures of UPS and DHL Parcel (two public sources)
    (b"GIF89a", "image/gif"),
)
_PAGE_START = re.compile(
    rb"(\xef\xbb\xbf)?\s*(<!doctype\s+html|<html|<!--.*?-->\s*<html)[\s>]", re.IGNORECASE | re.DOTALL
)


def begins_as(content: bytes, *, html: bool = False) -> str | None:
    """The media type of a document that begins so, None if none does; `html`: a web page is one too."""
    if html and _PAGE_START.match(content[:_HEAD]):
        return "text/html"
    return next((kind for start, kind in _SIGNATURES if content.startswith(start)), None)


# ---------------------------------------------------------------- what proves something


# Characters of a document that the rules look at: a proof is a page or two.
MOST_TEXT = 100_000
_QUOTED = 80


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


# ---------------------------------------------------------------- web pages

# Not the head: carriers' pages leave it open, and a browser ends it where the body begins.
_UNSEEN = re.compile(r"<(script|style|title|template)(?=[\s/>])")
_PASSWORD = re.compile(r"<input\b[^<>]{0,500}\btype\s*=\s*[\"']?password\b", re.IGNORECASE)
_PICTURE = re.compile(r"<img\b[^<>]{0,200}\bsrc\s*=\s*[\"']?data:image/", re.IGNORECASE)


def read_page(page: str) -> Reading:
    """What a person would read on a web page. A picture counts as ink only if it is part of the page."""
    return Reading(
        text=html.unescape(_visible(page)),
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

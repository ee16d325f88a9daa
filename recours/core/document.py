"""What bytes begin as: the first thing that tells a document from what is none."""

import re

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

"""The blanks of French, at which no line may break: before a colon and the like, and inside quotation marks."""

import re

_FIXED, _NARROW = "\N{NO-BREAK SPACE}", "\N{NARROW NO-BREAK SPACE}"
# What is sent back by a form or stands as its writer set it, then any other tag: only what is between them is prose.
_PARTS = re.compile(r"(<(pre|option|textarea|script|style)\b.*?</\2>|<[^>]*>)|[^<]+", re.DOTALL)
_WIDE, _THIN = re.compile(r"(?<=\S) (?=[:»])|(?<=«) "), re.compile(r"(?<=\S) (?=[;!?])")


def typeset(html: str, language: str) -> str:
    """A page with these blanks, if it is French."""
    if language != "fr":
        return html
    return _PARTS.sub(
        lambda part: part[0] if part[1] else _THIN.sub(_NARROW, _WIDE.sub(_FIXED, part[0])), html
    )

"""Finds names of persons and towns at the start of a text."""

import re

from recours.core.text import clean
from recours.evidence import labels
from recours.evidence.rows import fold

_LONGEST_NAME = 60
_LONGEST_IN_PARTS = 5
_WORD = re.compile(r"['’]?[^\W\d_]+(?:['’.\-][^\W\d_]*)*")
# Where a name within a sentence ends.
_NAME_ENDS = re.compile(
    r"[,;:()/|\n\d\"<>*]|(?<=\w\w\w)(?<!Mme)(?<!Mlle)(?<!Mrs)(?<!Sig)(?<!Sra)(?<!Mevr)(?<!Dhr)\.\s|\s[-–]\s|\s(?:on|at|in|le|à|am|um|the|was|est|wurde|for|pour|date|el|en|il|op|om|te|presso|from|desde|aus|dal|uit|who|qui|che)\s"
)
FILLERS = re.compile(r"^[\s:._\-–*]+|[\s:._\-–*]+$")
TOWN = re.compile(r"(?:^|[\s,(])(?:[A-Z]{1,2}-)?\d{4,5}\s+(?P<town>[^\W\d_][^\d,;()/|]*)")
_TOWN_ENDS = re.compile(
    r"\s*[,;:()/|\d]|\s[-–]\s|\.\s"
    r"|\s(?:on|at|and|et|und|le|the|by|par|von|signed|am|contre|avec|sans|pour|against|with|without|to|gegen|mit|ohne|zugestellt|ausgeliefert)(?:\s|$)"
)


def name_of(text: str) -> str | None:
    """Return the person's name at the start of a text, or None."""
    words = _parts(text, _NAME_ENDS)
    folded = [fold(word) for word in words]
    if any(word.strip(".") in labels.NO_NAMES for word in folded):
        return None
    of_name = [
        word
        for word, plain in zip(words, folded, strict=True)
        if plain not in labels.NAME_PARTICLES and plain not in labels.TITLES
    ]
    has_letters = any(len(word.strip(".")) > 1 for word in of_name)
    return clean(" ".join(words)) if has_letters and all(word[0].isupper() for word in of_name) else None


def town_of(text: str) -> str | None:
    """Return the town after a postcode or at the start of a text, or None."""
    match = TOWN.search(text)
    words = _parts(match["town"] if match else text, _TOWN_ENDS)
    folded = [fold(word) for word in words]
    if not words or folded[0].strip(".") in labels.TITLES or not labels.NO_PLACES.isdisjoint(folded):
        return None
    return clean(" ".join(words)) if words[0][0].isupper() else None


def _parts(text: str, ends: re.Pattern[str]) -> list[str]:
    """Return the words at the start of a text up to the end of a name; empty if they are too many or not words."""
    begins = FILLERS.sub("", " ".join(ends.split(FILLERS.sub("", text), maxsplit=1)[0].split()))
    words = begins.split()
    are_few = len(begins) <= _LONGEST_NAME and len(words) <= _LONGEST_IN_PARTS
    return words if are_few and all(map(_WORD.fullmatch, words)) else []

"""Phrases that are recorded in English, without their keys, and read back for the reader of another language. Pure."""

import re
from enum import Enum
from functools import cache

from recours.core.text import clean

_LONGEST = 200  # signs, of a fact


class RecordedPhrase(Enum):
    """A phrase in English and in French, with its facts as markers. A set of phrases is a subclass."""

    def __init__(self, en: str, fr: str) -> None:
        self.en = en
        self.fr = fr

    def text(self, **facts: str | int) -> str:
        """The phrase that is recorded."""
        return self.en.format(**facts)

    @classmethod
    def translated(cls, language: str, recorded: str) -> str:
        """The recorded phrase in a reader's language; where it is none of these, it is quoted."""
        if language == "en":
            return clean(recorded)
        for phrase, pattern in cls._patterns():
            if found := pattern.fullmatch(recorded):
                facts = {name: clean(fact, _LONGEST) for name, fact in found.groupdict().items()}
                return phrase.fr.format(**facts)
        return f"« {clean(recorded)} »"

    @classmethod
    @cache
    def _patterns(cls) -> "list[tuple[RecordedPhrase, re.Pattern[str]]]":
        marker = re.compile(r"\\\{(\w+)\\\}")
        return [
            (phrase, re.compile(marker.sub(r"(?P<\1>.+?)", re.escape(phrase.en)), re.DOTALL))
            for phrase in cls
        ]

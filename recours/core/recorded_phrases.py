"""Phrases that are recorded in English, without their keys, and read back for the reader of another language. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Generic, TypeVar

from recours.core.text import clean

Key = TypeVar("Key", bound=StrEnum)

_LONGEST = 200  # signs, of a fact


@dataclass(frozen=True)
class RecordedPhrases(Generic[Key]):
    """`texts`: by language and key, with their facts as markers."""

    texts: Mapping[str, Mapping[Key, str]]

    def text(self, key: Key, **facts: str | int) -> str:
        """The phrase that is recorded."""
        return self.texts["en"][key].format(**facts)

    def told(self, language: str, recorded: str) -> str:
        """The recorded phrase in a reader's language; where it is none of these, it is quoted."""
        if language == "en":
            return clean(recorded)
        for key, pattern in self._patterns:
            if found := pattern.fullmatch(recorded):
                facts = {name: clean(fact, _LONGEST) for name, fact in found.groupdict().items()}
                return self.texts[language][key].format(**facts)
        return f"« {clean(recorded)} »"

    @cached_property
    def _patterns(self) -> list[tuple[Key, re.Pattern[str]]]:
        marker = re.compile(r"\\\{(\w+)\\\}")
        return [
            (key, re.compile(marker.sub(r"(?P<\1>.+?)", re.escape(text)), re.DOTALL))
            for key, text in self.texts["en"].items()
        ]

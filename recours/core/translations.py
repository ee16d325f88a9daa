"""English messages in the language of their reader. The code has the English, `locale/fr/LC_MESSAGES/recours.po` the French.

The file is read as translators write it, so that a checkout needs no build step, and only once a French text is asked for.
"""

import gettext
import json
import re
from enum import Enum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from recours.core.text import clean

if TYPE_CHECKING:
    from gettext import _TranslationsReader

LANGUAGES = ("fr", "en")
LOCALE = Path(__file__).parents[1] / "locale"


def N_(message: str) -> str:  # noqa: N802 (the name that tools for gettext know)
    """Mark a message that is translated where it is shown."""
    return message


class Counted(NamedTuple):
    """A message about a count, marked like `N_`: of one thing, and of several."""

    one: str
    several: str


class PoTranslations(gettext.GNUTranslations):
    """What an uncompiled catalog holds, in two forms of plurals: the second is used for any count but 1."""

    def _parse(self, fp: "_TranslationsReader") -> None:
        self._catalog: dict[str | tuple[str, int], str] = {}
        self.plural = lambda count: int(count != 1)
        for entry in fp.read().decode().replace("\r\n", "\n").split("\n\n"):
            fields: dict[str, str] = {}
            name = ""
            for line in entry.splitlines():
                if line and not line.startswith("#"):
                    keyword, _, text = line.partition('"')
                    name = keyword.strip() or name
                    fields[name] = fields.get(name, "") + json.loads(f'"{text}')
            self._add(fields)

    def _add(self, fields: dict[str, str]) -> None:
        message = fields.get("msgid")
        if not message:
            return
        if "msgctxt" in fields:
            message = self.CONTEXT % (fields["msgctxt"], message)
        if "msgstr" in fields:
            self._catalog[message] = fields["msgstr"]
        else:
            for form in (0, 1):
                self._catalog[message, form] = fields[f"msgstr[{form}]"]


@cache
def translations(language: str) -> gettext.NullTranslations:
    """The messages of a language; English ones are the messages themselves. Raises RunError."""
    if language == "en":
        return gettext.NullTranslations()
    file = LOCALE / language / "LC_MESSAGES" / "recours.po"
    try:
        with file.open("rb") as catalog:
            return PoTranslations(catalog)
    except (OSError, ValueError, KeyError) as error:
        from recours.core.errors import RunError  # noqa: PLC0415 (which has messages itself)

        raise RunError(f"The texts in {file} cannot be read: install recours again") from error


def translate(language: str, message: str) -> str:
    """The message in a language, with its markers."""
    return translations(language).gettext(message)


_LONGEST = 200  # signs, of a fact


class RecordedPhrase(Enum):
    """A phrase that is recorded without its key, with its facts as markers. A set of phrases is a subclass."""

    value: str

    def text(self, **facts: str | int) -> str:
        """The phrase that is recorded."""
        return self.value.format(**facts)

    @classmethod
    def translated(cls, language: str, recorded: str) -> str:
        """The recorded phrase in a reader's language; where it is none of these, it is quoted."""
        if language == "en":
            return clean(recorded)
        for phrase, pattern in cls._patterns():
            if match := pattern.fullmatch(recorded):
                facts = {name: clean(fact, _LONGEST) for name, fact in match.groupdict().items()}
                return translate(language, phrase.value).format(**facts)
        return f"« {clean(recorded)} »"

    @classmethod
    @cache
    def _patterns(cls) -> "list[tuple[RecordedPhrase, re.Pattern[str]]]":
        marker = re.compile(r"\\\{(\w+)\\\}")
        return [
            (phrase, re.compile(marker.sub(r"(?P<\1>.+?)", re.escape(phrase.value)), re.DOTALL))
            for phrase in cls
        ]

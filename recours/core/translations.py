"""Translates messages. The code contains the English text, and `locale/fr/LC_MESSAGES/recours.po` the French text.

The .po file is read directly, so that a checkout needs no build step. It is loaded when French text is first needed.
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


def N_(message: str) -> str:  # noqa: N802 (the name that gettext tools expect)
    """Mark a message that is translated on display."""
    return message


class Counted(NamedTuple):
    """The singular and plural of a message with a count, to be translated like a message in `N_`."""

    one: str
    several: str


class PoTranslations(gettext.GNUTranslations):
    """The messages of an uncompiled catalog with two plural forms. The second form is for any count other than 1."""

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
    """Load the messages of a language; English needs no catalog. Raises RunError."""
    if language == "en":
        return gettext.NullTranslations()
    file = LOCALE / language / "LC_MESSAGES" / "recours.po"
    try:
        with file.open("rb") as catalog:
            return PoTranslations(catalog)
    except (OSError, ValueError, KeyError) as error:
        from recours.core.errors import RunError  # noqa: PLC0415 (it imports this module)

        raise RunError(f"Cannot read the translations in {file}. Reinstall recours.") from error


def translate(language: str, message: str) -> str:
    """Translate a message without filling in its placeholders."""
    return translations(language).gettext(message)


_LONGEST = 200  # characters per fact


class RecordedPhrase(Enum):
    """A phrase, stored in English and translated on display. Subclasses list phrases, with placeholders for facts."""

    value: str

    def text(self, **facts: str | int) -> str:
        """Return the English phrase, as it is stored."""
        return self.value.format(**facts)

    @classmethod
    def translated(cls, language: str, recorded: str) -> str:
        """Translate a stored phrase. Unknown text is quoted."""
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

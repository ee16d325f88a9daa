"""How the page puts its texts, in one language."""

from datetime import UTC, tzinfo

from recours.core.errors import Actor, ErrorKind
from recours.core.localized import Texts
from recours.core.position import Standing
from recours.core.text import by_language
from recours.dashboard.phrases import ROWS
from recours.reporting.labels import ACTORS, KINDS, STANDING, person_named

TEXTS = by_language(ROWS)


class PageTexts(Texts):
    """What the page says in one language, by keys, with markers in braces; and times, in one zone."""

    def __init__(self, language: str, zone: tzinfo = UTC) -> None:
        super().__init__(language, zone, TEXTS[language])

    def name_of(self, language: str) -> str:
        """What a language calls itself."""
        return {"fr": "Français", "en": "English"}[language]

    def kind(self, kind: str) -> str:
        return KINDS[self.language][ErrorKind(kind)] if kind in set(ErrorKind) else kind

    def stage(self, stage: str) -> str:
        return STANDING[self.language][Standing(stage)]

    def actor(self, actor: Actor) -> str:
        return ACTORS[self.language][actor]

    def who(self, by: str) -> str:
        """Who did something."""
        return person_named(self.language, by)

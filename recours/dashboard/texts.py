"""How the page puts its texts, in one language."""

from collections.abc import Mapping
from typing import Any

from recours.core.errors import Actor, ErrorKind
from recours.core.localized import Localized
from recours.core.pauses import Refusal
from recours.dashboard.phrases import ROWS
from recours.operations.labels import ACTORS, CLOSINGS, KINDS, STANDING, person_named
from recours.operations.position import Standing, closing_of

TEXTS: dict[str, dict[str, Any]] = {
    language: {key: row[place] for key, row in ROWS.items()} for place, language in enumerate(("en", "fr"))
}


class PageTexts(Localized):
    """What the page says in one language, by keys, with markers in braces; and times, in one zone."""

    def __call__(self, key: str, /, **facts: Any) -> str:
        return str(TEXTS[self.language][key]).format(**facts)

    def sums(self, amounts: Mapping[str, float]) -> str:
        """Money in several currencies; "": none."""
        return " + ".join(self.money(amount, currency) for currency, amount in amounts.items())

    def counted(self, key: str, count: float, /, **facts: Any) -> str:
        """A text about a count."""
        return self.agree(TEXTS[self.language][key], count, **facts)

    def of(self, prefix: str, value: str, /, **facts: Any) -> str:
        """The text of a stored value; one that this version does not know stands for itself."""
        return self(prefix + value, **facts) if prefix + value in TEXTS[self.language] else value

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

    def closing(self, refusal: Refusal, carrier: str) -> str:
        return CLOSINGS[self.language][closing_of(refusal)].format(carrier=carrier)

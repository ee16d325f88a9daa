"""What the rules, the settings and the queue know of a carrier without calling it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from recours.core.claim import Delivery
from recours.core.quota import Capability
from recours.core.text import plain


@dataclass(frozen=True)
class CarrierSpec:
    """A carrier's fixed facts. Their sources stand in its module."""

    key: str  # canonical, lower case: what the database holds
    name: str  # as people write it
    limits: Mapping[Capability | None, str]  # default limits, in the form of the QUOTA_ settings
    credentials: tuple[str, ...]  # names of the settings it needs
    base_url: str
    number_form: re.Pattern[str]  # of an upper-case number without blanks
    number_words: str  # the same in words
    calls: Mapping[Capability, int]  # the most a fetch may need
    spellings: tuple[str, ...] = ()  # beside `name` and `key`

    @property
    def prefix(self) -> str:
        """What the names of its settings begin with."""
        return self.key.upper()

    @property
    def base_url_setting(self) -> str:
        """The setting that replaces scheme, host and port."""
        return f"{self.prefix}_BASE_URL"

    def calls_for(self, known: Delivery | None) -> dict[Capability, int]:
        """The calls a fetch may need: the tracking is not asked again once the parcel is known to be delivered."""
        skipped = {Capability.TRACKING} if known else set()
        return {what: n for what, n in self.calls.items() if what not in skipped}


class Catalog:
    """The carriers there are, found by whatever name a claims database holds."""

    def __init__(self, specs: Iterable[CarrierSpec]) -> None:
        """Know these carriers."""
        self.specs = {spec.key: spec for spec in specs}
        self._keys = {
            fold(name): spec.key
            for spec in self.specs.values()
            for name in (spec.key, spec.name, *spec.spellings)
        }

    @property
    def names(self) -> list[str]:
        """The carriers' names for people, sorted."""
        return sorted(spec.name for spec in self.specs.values())

    def resolve(self, name: str) -> str | None:
        """The key of the carrier that `name` means; None if there is none such."""
        return self._keys.get(fold(name))

    def name_of(self, key: str | None, otherwise: str = "") -> str:
        """The name for people of a key; `otherwise` if it is none."""
        return self.specs[key].name if key in self.specs else otherwise

    def nearest(self, name: str) -> str | None:
        """The carrier's name that `name` is most like, if any is."""
        close = get_close_matches(fold(name), self._keys, n=1)
        return self.specs[self._keys[close[0]]].name if close else None


def fold(name: str) -> str:
    """`DHL Express`, `dhl_express` and `DHL-EXPRESS` are one name."""
    return "".join(c for c in plain(name) if c.isalnum())

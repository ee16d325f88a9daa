"""Codes that carriers sent and that the tables here do not have: counted over the whole run, and logged once."""

from collections import Counter

from recours.core.outcome import Outcome, unknown_of
from recours.core.text import plural
from recours.runs.log import log


class UnknownCodes:
    """What was counted so far. Used by one thread, the run's own."""

    def __init__(self) -> None:
        """None yet."""
        self._counts: Counter[tuple[str, str]] = Counter()  # by carrier's key and code
        self._words: dict[tuple[str, str], str] = {}

    def note(self, key: str, carrier: str, outcome: Outcome) -> None:
        """Count by the code: the carrier's words beside it may differ from parcel to parcel."""
        for seen in unknown_of(outcome):
            code = (key, seen.partition(" (")[0])
            self._counts[code] += 1
            self._words.setdefault(code, f"{carrier} sent {seen}")

    def mention(self) -> None:
        """Log each code with its count, for those who keep the tables."""
        for code, count in self._counts.items():
            log.warning(f"{self._words[code]}, which recours does not know: {plural(count, 'parcel')}")

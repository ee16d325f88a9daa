"""The quota on paper: units are held before a call and used by it, as the ledger counts them."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from recours.core.quota import Calls, Exhausted, Limit, Usage, kept_for_new_claims
from recours.operations.forecast.facts import CarrierFacts


class QuotaCounts:
    """How far each limit is used in each of its windows."""

    def __init__(self, carriers: Mapping[str, CarrierFacts], now: datetime) -> None:
        """Begin with what is used (or held) now."""
        self._limits = {key: [use.limit for use in facts.uses] for key, facts in carriers.items()}
        self.used: Counter[tuple[str, datetime]] = Counter()
        self._held: Counter[tuple[str, datetime]] = Counter()
        for facts in carriers.values():
            for use in facts.uses:
                self.used[_window(use.limit, now)] = use.used + use.held

    def reserve(
        self, carrier: str, fetches: Sequence[Calls], share: float, now: datetime
    ) -> tuple[int, Exhausted | None]:
        """Hold the units of as many fetches as can be had, in their order; and what stands in the way of the next one.

        `share`: the part of a day's quota that is left to new claims.
        """
        wanted, short = list(fetches), None
        while wanted and (found := self._exhausted(carrier, wanted, share, now)):
            wanted, short = found.fitting(wanted), found
        for calls in wanted:
            self._add(self._held, carrier, calls, now)
        return len(wanted), short

    def _exhausted(
        self, carrier: str, fetches: Iterable[Calls], share: float, now: datetime
    ) -> Exhausted | None:
        for limit in self._limits[carrier]:
            units = sum(limit.units(calls) for calls in fetches)
            found = self._use_of(limit, now).exhausted(kept_for_new_claims(limit, share, now))
            if units > found.left:
                return found
        return None

    def _use_of(self, limit: Limit, now: datetime) -> Usage:
        window = _window(limit, now)
        return Usage(limit, self.used[window], self._held[window], limit.window.around(now)[1])

    def settle(self, carrier: str, held: Calls, made: Calls, now: datetime) -> None:
        """Of the calls that units were held for, these were made."""
        self._add(self._held, carrier, held, now, sign=-1)
        self._add(self.used, carrier, made, now)

    def _add(
        self, to: Counter[tuple[str, datetime]], carrier: str, calls: Calls, now: datetime, *, sign: int = 1
    ) -> None:
        for limit in self._limits[carrier]:
            to[_window(limit, now)] += sign * limit.units(calls)


def _window(limit: Limit, now: datetime) -> tuple[str, datetime]:
    return limit.key, limit.window.around(now)[0]

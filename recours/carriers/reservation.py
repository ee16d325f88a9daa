"""Units of quota held for one fetch, each turned into a used one just before its call."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from recours.carriers.account import Account
from recours.carriers.quota_store import LEASE, QuotaStore
from recours.core.outcome import CallError, Failure
from recours.core.quota import Capability, Exhausted, Limit, QuotaRequest, Reserved
from recours.core.sentences import Sentence
from recours.runs.ports import Clock

# How long a call may be on its way to the carrier, and the two clocks differ.
_LAST_MOMENT = timedelta(seconds=1)


class QuotaReservation:
    """Units held for one fetch."""

    def __init__(
        self, quota: QuotaStore, clock: Clock, account: Account, held: Mapping[Reserved, int]
    ) -> None:
        """`held`: how many units of each limit are this fetch's."""
        self._quota = quota
        self._clock = clock
        self._account = account
        self._held = dict(held)
        self._last: list[Reserved] = []  # what the last call used

    def consume(self, what: Capability) -> None:
        """Turn a held unit into a used one, just before the call; waits out short windows. Raises CallFailed."""
        limits = [limit for limit in self._account.limits if limit.units({what: 1})]
        self._last = []
        try:
            while lacking := self._lacking(limits):
                self._take(lacking)
        except CallError:  # by one of several limits: the others lose nothing
            self.refund(what)
            raise

    def _lacking(self, limits: Sequence[Limit]) -> list[Limit]:
        """Those of whose present window the call has no unit: a window may end while others are waited for."""
        for limit in limits:
            if not limit.window.is_short:
                self._let_it_end(limit)
        now = self._clock.now()
        for held in list(self._last):
            if not held.start <= now < held.end:
                self._last.remove(held)
                if not held.limit.window.is_short:  # nobody looks at a short one any more
                    self._quota.give_back(held, used=1)
        has = {held.limit for held in self._last}
        return [limit for limit in limits if limit not in has]

    def _take(self, lacking: Sequence[Limit]) -> None:
        """Units of the short windows all at once, or a wait for them; only then those of the long ones."""
        if short := [limit for limit in lacking if limit.window.is_short]:
            now = self._clock.now()
            got = self._quota.reserve([QuotaRequest(limit, 1) for limit in short], now, now + LEASE)
            if isinstance(got, Exhausted):
                self._clock.sleep(max((got.resets_at - now).total_seconds(), 0.01))
            else:
                self._last += got
        else:
            for limit in lacking:
                self._last.append(self._in_long_window(limit))

    def _in_long_window(self, limit: Limit) -> Reserved:
        held = self._current(limit)
        if held is None or not self._quota.consume(held, self._clock.now() + LEASE):
            # A repeated call, a window that has ended, or a hold that expired: one more unit, if there is one.
            held = self._one_more(limit)
            self._quota.consume(held, self._clock.now() + LEASE)
        else:
            self._held[held] -= 1
        return held

    def _let_it_end(self, limit: Limit) -> None:
        """Wait out the last moment of a window: the carrier would count the call in the next one."""
        now = self._clock.now()
        _, end = limit.window.around(now)
        if end - now < _LAST_MOMENT:
            self._clock.sleep((end - now).total_seconds())

    def _current(self, limit: Limit) -> Reserved | None:
        """What is held of the limit in the present window; what is held in one that has ended is given back."""
        now = self._clock.now()
        for held, units in list(self._held.items()):
            if held.limit != limit or units == 0:
                continue
            if held.start <= now < held.end:
                return held
            self._quota.give_back(held, kept=self._held.pop(held))
        return None

    def _one_more(self, limit: Limit) -> Reserved:
        now = self._clock.now()
        got = self._quota.reserve([QuotaRequest(limit, 1)], now, now + LEASE)
        if isinstance(got, Exhausted):
            failure = Failure.of(Sentence.LIMIT_REACHED, self._account.spec.name, detail=str(limit))
            raise CallError(replace(failure, retry_at=got.resets_at))
        return got[0]

    def refund(self, what: Capability) -> None:
        """Give back the units of the last call: certainly nothing of it was sent."""
        del what
        for held in self._last:
            self._quota.give_back(held, used=1)
        self._last = []

    def release(self) -> None:
        """Give back what is still held."""
        for held, units in self._held.items():
            if units:
                self._quota.give_back(held, kept=units)
        self._held = {}

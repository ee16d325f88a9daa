"""The counts of calls and the states of carriers and accounts in memory, for one run after another."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from recours.core.accounts import carrier_of
from recours.core.pauses import AccountState, CarrierState, DocumentRight, Pause, Stop, lasts
from recours.core.quota import Exhausted, Limit, QuotaRequest, Reserved, Usage

_Window = tuple[str, datetime]


class MemoryQuota:
    """See `QuotaStore`. One run at a time uses it, in one thread."""

    def __init__(self, uses: Iterable[Usage], now: datetime, states: Mapping[str, CarrierState]) -> None:
        """Begin with what is used at `now`; what others hold then counts as used. `states`: by the accounts' keys."""
        self._used = Counter({_window(use.limit, now): use.used + use.reserved for use in uses})
        self._reserved: Counter[_Window] = Counter()
        self._states = dict(states)

    def reserve(
        self, requests: Sequence[QuotaRequest], now: datetime, expires_at: datetime
    ) -> list[Reserved] | Exhausted:
        del expires_at
        for request in sorted(requests, key=lambda request: request.limit.key):
            found = self._usage(request.limit, now).exhausted(request.headroom)
            if request.units > found.left:
                return found
        for request in requests:
            counts = self._used if request.limit.window.is_short else self._reserved
            counts[_window(request.limit, now)] += request.units
        return [Reserved(request.limit, *request.limit.window.around(now)) for request in requests]

    def consume(self, reserved: Reserved, expires_at: datetime) -> bool:
        del expires_at
        window = reserved.limit.key, reserved.start
        if self._reserved[window] < 1:
            return False
        self._reserved[window] -= 1
        self._used[window] += 1
        return True

    def give_back(self, reserved: Reserved, *, kept: int = 0, used: int = 0) -> None:
        self._reserved[reserved.limit.key, reserved.start] -= kept
        self._used[reserved.limit.key, reserved.start] -= used

    def leave(self) -> None:
        self._reserved.clear()

    def uses(self, limits: Sequence[Limit], now: datetime) -> list[Usage]:
        return [self._usage(limit, now) for limit in limits]

    def _usage(self, limit: Limit, now: datetime) -> Usage:
        start, end = limit.window.around(now)
        return Usage(limit, self._used[limit.key, start], self._reserved[limit.key, start], end)

    def forget_short_windows(self, now: datetime) -> None:
        del now  # there are few

    # ---------------------------------------------------------------- carriers and accounts

    def carrier_state(self, key: str) -> CarrierState:
        of_carrier = self._states.get(carrier_of(key)) or CarrierState()
        of_account = self._states.get(key) or CarrierState()
        return replace(of_account, outage=of_carrier.outage, stopped=of_carrier.stopped)

    def carrier_states(self, keys: Collection[str]) -> dict[str, CarrierState]:
        return {key: self.carrier_state(key) for key in keys}

    def pause(self, key: str, until: datetime, reason: str, now: datetime) -> None:
        state = self.carrier_state(key)
        self._states[key] = replace(state, pause=_longer(state.pause, Pause(until, reason), now))

    def pause_carrier(self, carrier: str, until: datetime, reason: str, now: datetime) -> None:
        state = self.carrier_state(carrier)
        self._states[carrier] = replace(state, outage=_longer(state.outage, Pause(until, reason), now))

    def stop(self, key: str, stop: Stop, by: str, why: str = "") -> None:
        del by, why  # nothing is recorded in memory
        before = self.take_up(key, "", stop.at)
        self._set_stop(key, replace(stop, at=before.at) if before else stop)

    def take_up(self, key: str, by: str, now: datetime) -> Stop | None:
        del by, now
        state = self.carrier_state(key)
        self._set_stop(key, None)
        return state.own_stop if carrier_of(key) != key else state.stopped

    def _set_stop(self, key: str, stop: Stop | None) -> None:
        state = self.carrier_state(key)
        is_of_client = carrier_of(key) != key
        self._states[key] = replace(state, own_stop=stop) if is_of_client else replace(state, stopped=stop)

    def set_account_state(self, key: str, state: AccountState) -> None:
        self._states[key] = replace(self.carrier_state(key), account=state)

    def set_documents(self, key: str, right: DocumentRight, expected: DocumentRight | None = None) -> bool:
        state = self.carrier_state(key)
        if expected is not None and state.documents.next_call_at != expected.next_call_at:
            return False
        self._states[key] = replace(state, documents=right)
        return True

    def try_again(self, key: str, now: datetime, until: datetime) -> bool:
        account = self.carrier_state(key).account
        if lasts(account.refused_until, now) or account.refused_until is None:
            return False
        self.set_account_state(key, replace(account, refused_until=until))
        return True


def _longer(stands: Pause | None, asked: Pause, now: datetime) -> Pause:
    is_kept = stands and lasts(stands.until, now) and stands.until >= asked.until
    return stands if stands and is_kept else asked


def _window(limit: Limit, now: datetime) -> _Window:
    return limit.key, limit.window.around(now)[0]

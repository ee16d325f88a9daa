"""An account at a carrier, and the units of quota reserved for the calls of one fetch.

The units of short windows are taken by one thread of a process for itself and for the threads that wait behind it. If
each thread took its own, every new window would cost one transaction per thread, and most threads would get nothing.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING

from recours.carriers.client import Client
from recours.core.accounts import account_name
from recours.core.carrier import CarrierSpec
from recours.core.outcome import CallError, Failure
from recours.core.quota import Capability, Exhausted, Limit, QuotaRequest, Reserved
from recours.core.sentences import Sentence, SentenceParts
from recours.database.quota import QuotaTables
from recours.runs.ports import Clock, Reservation

if TYPE_CHECKING:
    from recours.carriers.http import HttpSession


# ---------------------------------------------------------------- short windows

# The interval in which a waiting thread checks whether its run is ending.
_POLL_S = 0.25

# A function that takes this many units of each limit, or none at all.
Take = Callable[[int], list[Reserved] | Exhausted]


class ShortWindows:
    """The short windows of one account, shared by all threads of a process."""

    def __init__(self) -> None:
        self._queues: dict[tuple[Limit, ...], _Queue] = {}

    def wait(
        self, limits: Sequence[Limit], take: Take, clock: Clock, may_continue: Callable[[], bool]
    ) -> Sequence[Reserved]:
        """Wait for a unit of each limit, and return the units, or none if `may_continue` returns False first."""
        # One queue per set of limits, because calls with other limits must not wait behind these calls.
        queue = self._queues.setdefault(tuple(limits), _Queue(min(limit.number for limit in limits)))
        return queue.wait(take, clock, may_continue)


@dataclass(eq=False)
class _Waiter:
    units: Sequence[Reserved] = ()
    called: threading.Event = field(default_factory=threading.Event)  # set if it has units or is first


class _Queue:
    """Threads that wait for units of the same limits, in order of arrival."""

    def __init__(self, size: int) -> None:
        self._size = size  # units per window
        self._waiters: deque[_Waiter] = deque()
        self._guard = threading.Lock()

    def wait(self, take: Take, clock: Clock, may_continue: Callable[[], bool]) -> Sequence[Reserved]:
        mine = _Waiter()
        with self._guard:
            self._waiters.append(mine)
        try:
            while not mine.units and may_continue():
                if self._waiters[0] is mine:
                    self._take(take, clock, may_continue)
                else:
                    mine.called.wait(_POLL_S)
        finally:
            with self._guard:
                self._waiters.remove(mine)
                if self._waiters:
                    self._waiters[0].called.set()
        return mine.units

    def _take(self, take: Take, clock: Clock, may_continue: Callable[[], bool]) -> None:
        """Take units for as many waiters as possible, in order. If no unit is left, sleep until the window ends."""
        with self._guard:
            waiters = [waiter for waiter in self._waiters if not waiter.units]
        count = min(len(waiters), self._size)
        while isinstance(units := take(count), Exhausted):
            if not units.available:
                _sleep_until(units.resets_at, clock, may_continue)
                return
            count = min(count, units.available)
        for waiter in waiters[:count]:
            waiter.units = units
            waiter.called.set()


def _sleep_until(end: datetime, clock: Clock, may_continue: Callable[[], bool]) -> None:
    """Sleep until `end`, in short steps. If the clock is set back during the sleep, the sleep does not get longer."""
    seconds = max((end - clock.now()).total_seconds(), 0.01)
    while seconds > 0 and clock.now() < end and may_continue():
        clock.sleep(min(seconds, _POLL_S))
        seconds -= _POLL_S


# ---------------------------------------------------------------- an account


@dataclass(frozen=True)
class Account:
    """Everything needed to call one carrier with one account."""

    spec: CarrierSpec
    limits: tuple[Limit, ...]
    make_client: Callable[[], Client]
    open_session: Callable[[Reservation, Client], "HttpSession"]  # a session for one fetch
    credentials: tuple[str, ...] = field(repr=False)
    source: str = ""  # where the credentials are configured
    missing: str = ""  # the missing settings, for display; for a client's account, why it cannot be used
    client_address: str = ""  # the client's address; empty for the default account
    short_windows: ShortWindows = field(default_factory=ShortWindows, repr=False, compare=False)

    @cached_property
    def client(self) -> Client | None:
        """The client, or None without credentials. Created on first use, because most processes call few carriers."""
        return None if self.missing else self.make_client()

    @property
    def name(self) -> str:
        return account_name(self.spec.name, self.client_address)

    def explain(self, key: Sentence, words: str = "") -> SentenceParts:
        return SentenceParts(key, self.spec.name, words, self.client_address)

    def presents(self, capability: Capability) -> bool:
        """Return whether calls with this capability send the account's credentials."""
        return (
            capability is not Capability.TRACKING or self.client is None or self.client.tracking_shows_account
        )

    @property
    def has_document_right(self) -> bool:
        """Return whether the account needs a right to documents that its tracking calls do not show."""
        return self.presents(Capability.TRACKING)

    def right(self, capability: Capability | None) -> Capability:
        """The right that a call needs: TRACKING or POD, but always TRACKING if tracking calls send no credentials."""
        has_one = capability is Capability.POD and not self.has_document_right
        return Capability.TRACKING if has_one or capability is None else capability


class CalledOffError(Exception):
    """The run ended while the first call of a fetch was still waiting, so nothing was sent."""


# Allows for the time a call takes to reach the carrier and for clocks that differ.
_LAST_MOMENT = timedelta(seconds=1)


# ---------------------------------------------------------------- one fetch


@dataclass(eq=False)
class QuotaReservation:
    """Units reserved for one fetch."""

    _quota: QuotaTables
    _clock: Clock
    _account: Account
    _reserved: dict[Reserved, int]  # units of each limit reserved for this fetch
    _may_continue: Callable[[], bool] = lambda: True  # whether calls may still wait
    _slots: Sequence[threading.Semaphore] = ()  # acquired in this order for each call, and released after it
    _has_called: bool = False
    _last: list[Reserved] = field(default_factory=list)  # units used by the last call
    _is_calling: bool = False

    def consume(self, capability: Capability) -> None:
        """Take a reserved unit of each limit for the next call. Waits for other calls, and for short windows.

        The call counts as in progress until `called` is called. Raises CallError, CalledOffError.
        """
        for slot in self._slots:  # before taking units of a short window, which may end while waiting
            slot.acquire()
        self._is_calling = True
        limits = [limit for limit in self._account.limits if limit.units({capability: 1})]
        self._last = []
        try:
            self._check_may_continue()
            while missing := self._missing(limits):
                # First take the units of all short windows together, waiting if necessary, then those of long windows.
                if short := [limit for limit in missing if limit.window.is_short]:
                    take = partial(self._reserve, short)
                    units = self._account.short_windows.wait(short, take, self._clock, self._may_continue)
                    if not units:
                        self._check_may_continue()
                    self._last += units
                else:
                    for limit in missing:
                        self._last.append(self._take_long_window(limit))
        except (CallError, CalledOffError):  # one limit is exhausted: return the units of the other limits
            self.refund()
            self.called()
            raise
        except BaseException:
            self.called()
            raise
        self._has_called = True

    def _check_may_continue(self) -> None:
        """Raise CalledOffError, or CallError after a first call, if the run must make no more calls.

        The CallError affects only this claim.
        """
        if self._may_continue():
            return
        if not self._has_called:
            raise CalledOffError
        message = f"{self._account.name} received no more calls in this run"
        raise CallError(
            Failure.of(Sentence.LIMIT_REACHED, self._account.name, message=message, claim_only=True)
        )

    def called(self) -> None:
        if self._is_calling:
            self._is_calling = False
            for slot in self._slots:
                slot.release()

    def _missing(self, limits: Sequence[Limit]) -> list[Limit]:
        """The limits without a unit for this call. A unit's window may have ended while the call waited for others."""
        now = self._clock.now()
        for limit in limits:
            _, end = limit.window.around(now)
            # The carrier would count a call in the last moment of a window in the next window.
            if not limit.window.is_short and end - now < _LAST_MOMENT:
                self._clock.sleep((end - now).total_seconds())
                now = self._clock.now()
        for reserved in list(self._last):
            if not reserved.start <= now < reserved.end:
                self._last.remove(reserved)
                if not reserved.limit.window.is_short:  # units of an ended short window need not be returned
                    self._put_back(reserved)
        has = {reserved.limit for reserved in self._last}
        return [limit for limit in limits if limit not in has]

    def _reserve(self, limits: Sequence[Limit], units: int) -> list[Reserved] | Exhausted:
        return self._quota.reserve([QuotaRequest(limit, units) for limit in limits], self._clock.now())

    def _take_long_window(self, limit: Limit) -> Reserved:
        reserved = self._current(limit)
        if reserved is None:  # the call is a repeat, or a new window has begun since the reservation
            more = self._reserve([limit], 1)
            if isinstance(more, Exhausted):
                name = self._account.name
                at = more.resets_at
                raise CallError(Failure.of(Sentence.LIMIT_REACHED, name, detail=str(limit), retry_at=at))
            reserved = more[0]
            self._reserved[reserved] = 1
        self._reserved[reserved] -= 1
        self._quota.use(reserved)
        return reserved

    def _current(self, limit: Limit) -> Reserved | None:
        """The units of this limit reserved in the current window. Gives units of ended windows back to the quota."""
        now = self._clock.now()
        for reserved, units in list(self._reserved.items()):
            if reserved.limit != limit or units == 0:
                continue
            if reserved.start <= now < reserved.end:
                return reserved
            self._quota.give_back(reserved, self._reserved.pop(reserved))
        return None

    def refund(self) -> None:
        """Return the units of the last call, because it was certainly not sent."""
        for reserved in self._last:
            if reserved.limit.window.is_short:
                self._quota.give_back(reserved)
            else:
                self._put_back(reserved)
        self._last = []

    def _put_back(self, reserved: Reserved) -> None:
        """Return a unit of a long window to this fetch's reservation, because the unit was not used."""
        self._reserved[reserved] = self._reserved.get(reserved, 0) + 1
        self._quota.use(reserved, -1)

    def release(self) -> None:
        for reserved, units in self._reserved.items():
            if units:
                self._quota.give_back(reserved, units)
        self._reserved = {}

"""Waiting for short windows: one thread of a process asks for units, for itself and for those that wait behind it.

If every thread asked, each new window would cost a transaction per thread, and most threads would get nothing.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from recours.core.quota import Exhausted, Limit, Reserved
from recours.runs.ports import Clock

# How often a thread that waits looks whether its run is to end.
_LOOK_S = 0.25

# Takes so many units of each limit, all or none.
Take = Callable[[int], list[Reserved] | Exhausted]


class ShortWindows:
    """The short windows of one account, for all threads of a process."""

    def __init__(self) -> None:
        self._queues: dict[tuple[Limit, ...], _Queue] = {}

    def wait(
        self, limits: Sequence[Limit], take: Take, clock: Clock, go_on: Callable[[], bool]
    ) -> Sequence[Reserved]:
        """A unit of each limit, as soon as there are; none if `go_on` says no before."""
        # Calls of another kind may have other limits: they do not stand behind those that wait for these.
        queue = self._queues.setdefault(tuple(limits), _Queue(min(limit.number for limit in limits)))
        return queue.wait(take, clock, go_on)


@dataclass(eq=False)
class _Waiter:
    """One thread that waits."""

    units: Sequence[Reserved] = ()
    called: threading.Event = field(default_factory=threading.Event)  # it has units, or is the first


class _Queue:
    """Threads that wait for units of the same limits, in the order in which they came."""

    def __init__(self, most: int) -> None:
        """`most`: how many units there are in a window."""
        self._most = most
        self._waiters: deque[_Waiter] = deque()
        self._guard = threading.Lock()

    def wait(self, take: Take, clock: Clock, go_on: Callable[[], bool]) -> Sequence[Reserved]:
        mine = _Waiter()
        with self._guard:
            self._waiters.append(mine)
        try:
            while not mine.units and go_on():
                if self._waiters[0] is mine:
                    self._take(take, clock, go_on)
                else:
                    mine.called.wait(_LOOK_S)
        finally:
            with self._guard:
                self._waiters.remove(mine)
                if self._waiters:
                    self._waiters[0].called.set()
        return mine.units

    def _take(self, take: Take, clock: Clock, go_on: Callable[[], bool]) -> None:
        """Take units for as many waiters as there are units, the first ones first; sleep if there are none."""
        with self._guard:
            waiters = [waiter for waiter in self._waiters if not waiter.units]
        count = min(len(waiters), self._most)
        while isinstance(units := take(count), Exhausted):
            if not units.left:
                _sleep_until(units.resets_at, clock, go_on)
                return
            count = min(count, units.left)
        for waiter in waiters[:count]:
            waiter.units = units
            waiter.called.set()


def _sleep_until(end: datetime, clock: Clock, go_on: Callable[[], bool]) -> None:
    """Sleep a little at a time; a clock that is set back meanwhile does not prolong it."""
    left = max((end - clock.now()).total_seconds(), 0.01)
    while left > 0 and clock.now() < end and go_on():
        clock.sleep(min(left, _LOOK_S))
        left -= _LOOK_S

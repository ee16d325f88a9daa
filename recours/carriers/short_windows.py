"""Waiting for short windows: of the threads of a process one asks for a unit at a time.

If all asked, nearly all would do so in vain whenever a window begins, each with a transaction of its own.
"""

import threading
from collections.abc import Callable, Sequence
from datetime import datetime

from recours.core.quota import Exhausted, Limit, Reserved
from recours.runs.ports import Clock

# How often a thread that waits looks whether its run is to end.
_LOOK_S = 0.25

# Takes a unit of each limit, or none.
Take = Callable[[], list[Reserved] | Exhausted]


class ShortWindows:
    """The short windows of one account, for all threads of a process."""

    def __init__(self) -> None:
        self._locks: dict[tuple[Limit, ...], threading.Lock] = {}

    def wait(
        self, limits: Sequence[Limit], take: Take, clock: Clock, go_on: Callable[[], bool]
    ) -> Sequence[Reserved]:
        """A unit of each limit, as soon as there are; none if `go_on` says no before."""
        # Calls of another kind may have other limits: they do not stand behind those that wait for these.
        lock = self._locks.setdefault(tuple(limits), threading.Lock())
        while not lock.acquire(timeout=_LOOK_S):
            if not go_on():
                return ()
        try:
            while go_on():
                reserved = take()
                if not isinstance(reserved, Exhausted):
                    return reserved
                _sleep_until(reserved.resets_at, clock, go_on)
            return ()
        finally:
            lock.release()


def _sleep_until(end: datetime, clock: Clock, go_on: Callable[[], bool]) -> None:
    """Sleep a little at a time; a clock that is set back meanwhile does not prolong it."""
    left = max((end - clock.now()).total_seconds(), 0.01)
    while left > 0 and clock.now() < end and go_on():
        clock.sleep(min(left, _LOOK_S))
        left -= _LOOK_S

"""What takes long to find out, kept for a while, for all visitors of this process."""

import threading
import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

_MOST = 20
_Value = TypeVar("_Value")


class TimedCache(Generic[_Value]):
    """Who asks while it is being found out waits for it, and does not start it again."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._clock = seconds, clock
        self._lock = threading.Lock()
        self._found: dict[Hashable, tuple[float, _Value]] = {}

    def get(self, key: Hashable, find_out: Callable[[], _Value]) -> _Value:
        with self._lock:
            at, value = self._found.get(key, (None, None))
            if at is not None and value is not None and self._clock() - at < self._seconds:
                return value
            found = find_out()
            self._found.pop(key, None)
            self._found[key] = self._clock(), found
            while len(self._found) > _MOST:
                del self._found[next(iter(self._found))]
            return found

"""A clock that moves only when told to, so that days of retries pass in no time."""

import threading
from datetime import UTC, datetime, timedelta

_START = datetime(2026, 2, 2, 8, 0, tzinfo=UTC)  # a Monday


class SimulatedClock:
    """Time for the demo and the tests: the wall clock and the monotonic one move together. Thread-safe."""

    def __init__(self, start: datetime = _START) -> None:
        """Stand at `start`, which must be aware."""
        if start.tzinfo is None:
            raise ValueError("a simulated clock starts at an aware datetime")
        self._start = start.astimezone(UTC)
        self._passed = timedelta()
        self._lock = threading.Lock()

    def now(self) -> datetime:
        with self._lock:
            return self._start + self._passed

    def monotonic(self) -> float:
        with self._lock:
            return self._passed.total_seconds()

    def sleep(self, seconds: float) -> None:
        """Advance by so many seconds and return at once. Sleeps of several threads add up."""
        self.advance(timedelta(seconds=seconds))

    def advance(self, duration: timedelta) -> None:
        """Move on. Raises ValueError for a negative duration: monotonic time never goes back."""
        if duration < timedelta():
            raise ValueError("a simulated clock does not go back")
        with self._lock:
            self._passed += duration

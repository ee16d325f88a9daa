"""Threads that wait for a short window: one thread takes units for all, in order of arrival."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from recours.carriers.reservation import ShortWindows
from recours.core.quota import Capability, Exhausted, Limit, Reserved, parse_limits
from recours.sandbox import SimulatedClock
from tests.postgres import wait_until

NOW = datetime(2026, 2, 2, 8, tzinfo=UTC)
SECOND = timedelta(seconds=1)
(LIMIT,) = parse_limits("3/second", "ups", None, "UTC")
(OF_PODS,) = parse_limits("2/second", "ups", Capability.POD, "UTC")

# Starts this many threads that wait for a unit.
Come = Callable[[int], list[Future[Sequence[Reserved]]]]


class StoppedClock(SimulatedClock):
    """Sleeping threads sleep until the test advances by a second."""

    def __init__(self) -> None:
        super().__init__(NOW)
        self.sleepers = 0
        self._woken = threading.Condition()

    def sleep(self, seconds: float) -> None:
        until = self.now() + timedelta(seconds=seconds)
        with self._woken:
            self.sleepers += 1
            is_woken = self._woken.wait_for(lambda: self.now() >= until, 10)
            self.sleepers -= 1
        assert is_woken, "nobody let the time pass"

    def tick(self) -> None:
        with self._woken:
            self.advance(SECOND)
            self._woken.notify_all()


@dataclass
class Windows:
    """Windows of one second, the threads that wait for them, and their requests."""

    limit: Limit = LIMIT
    clock: Any = field(default_factory=StoppedClock)
    short_windows: ShortWindows = field(default_factory=ShortWindows)
    asked: list[tuple[int, int]] = field(default_factory=list)  # units, and their number
    used: int = 0
    fault: Exception | None = None
    is_over: bool = False  # the run
    _second: datetime = NOW

    def take(self, units: int) -> list[Reserved] | Exhausted:
        if self.fault:
            raise self.fault
        start, end = self.limit.window.around(self.clock.now())
        if start != self._second:
            self._second, self.used = start, 0
        left = self.limit.number - self.used
        self.asked.append((units, left))
        if units > left:
            return Exhausted(self.limit, left, left, end)
        self.used += units
        return [Reserved(self.limit, start, end)]

    def wait(self) -> Sequence[Reserved]:
        return self.short_windows.wait([self.limit], self.take, self.clock, lambda: not self.is_over)


@pytest.fixture
def windows() -> Windows:
    return Windows()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as threads:
        yield threads


@pytest.fixture
def come(windows: Windows, pool: ThreadPoolExecutor) -> Come:
    """Start threads one after another, while no unit is left."""

    def come(count: int) -> list[Future[Sequence[Reserved]]]:
        windows.used = LIMIT.number
        waiting = []
        for n in range(1, count + 1):
            waiting.append(pool.submit(windows.wait))
            await_waiters(windows, n)
        return waiting

    return come


def await_waiters(windows: Windows, count: int) -> None:
    """Wait for this many waiting threads, one of them for the end of the window."""
    queues = windows.short_windows._queues
    wait_until(lambda: len(queues[LIMIT,]._waiters) == count, "other threads wait than should")
    wait_until(lambda: windows.clock.sleepers == min(count, 1), "not one thread waits for the window")


def ends_of(waiting: Sequence[Future[Sequence[Reserved]]]) -> list[float]:
    """The ends of the windows of these threads' units, in seconds from now."""
    return [(reserved.end - NOW).total_seconds() for one in waiting for reserved in one.result(10)]


def test_one_thread_takes_units_for_all_waiting_threads_in_order(windows: Windows, come: Come) -> None:
    waiting = come(7)
    assert windows.asked == [(1, 0)]
    for done in (3, 6, 7):
        windows.clock.tick()
        wait(waiting[:done], 10)
        await_waiters(windows, 7 - done)
    assert ends_of(waiting) == [2, 2, 2, 3, 3, 3, 4]
    assert windows.asked == [(1, 0), (3, 3), (3, 0), (3, 3), (1, 0), (1, 3)]


def test_the_remaining_units_are_taken(windows: Windows, come: Come) -> None:
    waiting = come(3)
    windows.limit = parse_limits("2/second", "ups", None, "UTC")[0]  # one of three belongs to another process
    windows.clock.tick()
    assert ends_of(waiting[:2]) == [2, 2]
    await_waiters(windows, 1)
    windows.clock.tick()
    assert ends_of(waiting) == [2, 2, 3]
    assert windows.asked == [(1, 0), (3, 2), (2, 2), (1, 0), (1, 2)]


def test_a_call_of_another_kind_does_not_wait_behind_these(windows: Windows, come: Come) -> None:
    waiting = come(2)
    pods = Windows(OF_PODS, windows.clock, windows.short_windows)
    assert [one.limit for one in pods.wait()] == [OF_PODS]
    windows.clock.tick()
    ends_of(waiting)


def test_an_error_is_raised_in_each_waiting_thread(windows: Windows, come: Come) -> None:
    waiting = come(3)
    windows.fault = OSError("no database")
    windows.clock.tick()
    assert [str(one.exception(10)) for one in waiting] == ["no database"] * 3
    windows.fault = None
    assert windows.wait()


def test_threads_of_an_ended_run_stop_waiting_and_other_threads_continue(
    windows: Windows, come: Come, pool: ThreadPoolExecutor
) -> None:
    waiting = come(3)
    other = Windows(clock=windows.clock, short_windows=windows.short_windows)
    longer = pool.submit(other.wait)
    await_waiters(windows, 4)
    windows.is_over = True
    windows.clock.tick()  # wakes the sleeping thread
    assert [one.result(10) for one in waiting] == [()] * 3
    assert ends_of([longer]) == [2]
    assert (windows.asked, other.asked) == ([(1, 0)], [(1, 3)])


def test_sleeping_threads_check_regularly_whether_the_run_is_over() -> None:
    clock = SimulatedClock(NOW)
    windows = Windows(clock=clock, used=LIMIT.number)

    ends = NOW + SECOND / 2
    got = windows.short_windows.wait([LIMIT], windows.take, clock, lambda: clock.now() < ends)
    assert got == ()
    assert clock.now() == ends


def test_waiting_with_a_simulated_clock_takes_no_real_time(pool: ThreadPoolExecutor) -> None:
    windows = Windows(clock=SimulatedClock(NOW))
    begun = time.monotonic()
    ends = Counter(ends_of([pool.submit(windows.wait) for _ in range(40)]))
    assert (ends.total(), max(ends.values())) == (40, LIMIT.number)
    assert time.monotonic() - begun < 5

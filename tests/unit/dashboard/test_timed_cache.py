"""What takes long is found out once for all who ask within a while."""

import threading

from recours.dashboard.views.forecast import TimedCache
from recours.sandbox import SimulatedClock


def test_it_is_found_out_again_after_a_while() -> None:
    clock, asked = SimulatedClock(), list[str]()
    kept: TimedCache[int] = TimedCache(60, clock.monotonic)

    def ask(key: str) -> int:
        def find_out() -> int:
            asked.append(key)
            return len(asked)

        return kept.get(key, find_out)

    assert [ask("a"), ask("a"), ask("b")] == [1, 1, 2]
    clock.sleep(59)
    assert ask("a") == 1
    clock.sleep(1)
    assert ask("a") == 3


def test_who_asks_meanwhile_waits() -> None:
    kept: TimedCache[int] = TimedCache(60)
    begun, go_on, asked = threading.Event(), threading.Event(), list[int]()

    def find_out() -> int:
        asked.append(1)
        begun.set()
        assert go_on.wait(10)
        return 7

    found = list[int]()
    others = [threading.Thread(target=lambda: found.append(kept.get("a", find_out))) for _ in range(3)]
    for other in others:
        other.start()
    assert begun.wait(10)
    go_on.set()
    for other in others:
        other.join(10)
    assert (found, asked) == ([7, 7, 7], [1])


def test_only_the_latest_are_kept() -> None:
    kept: TimedCache[int] = TimedCache(60)
    for key in range(100):
        kept.get(key, lambda: 1)
    assert kept.get(99, lambda: 2) == 1
    assert kept.get(0, lambda: 2) == 2

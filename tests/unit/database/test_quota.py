"""Writing together what several threads want written in the same instant."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager

import pytest

from recours.database.quota import Together
from tests.postgres import wait_until


class Slow:
    """Doubles numbers; the first time it does not go on before the others wait."""

    def __init__(self, others: int) -> None:
        self.batches: list[list[int]] = []
        self._others = others
        self._begun = threading.Event()
        self._waiting = threading.Semaphore(0)
        self.together: Together[int, int] = Together(self._do_all, threading.Lock())

    def _do_all(self, wanted: Sequence[int]) -> list[int]:
        self.batches.append(list(wanted))
        if len(self.batches) == 1:
            self._begun.set()
            for _ in range(self._others):
                assert self._waiting.acquire(timeout=10)
        if -1 in wanted:
            raise ValueError("not that one")
        return [2 * n for n in wanted]

    def first(self) -> int:
        return self.together.do(0)

    def later(self, n: int) -> int:
        assert self._begun.wait(10)
        self._waiting.release()
        return self.together.do(n)


def test_what_comes_while_others_write_is_written_together() -> None:
    slow = Slow(others=5)
    with ThreadPoolExecutor(6) as pool:
        first = pool.submit(slow.first)
        others = [pool.submit(slow.later, n) for n in range(1, 6)]
        assert (first.result(10), [each.result(10) for each in others]) == (0, [2, 4, 6, 8, 10])
    assert slow.batches[0] == [0]
    assert sorted(n for batch in slow.batches for n in batch) == [0, 1, 2, 3, 4, 5]


def test_a_fault_is_everybodys_who_was_together_and_nobody_elses() -> None:
    slow = Slow(others=0)
    assert slow.first() == 0
    with pytest.raises(ValueError, match="not that one"):
        slow.together.do(-1)
    assert slow.together.do(4) == 8


def test_what_comes_while_the_turn_is_waited_for_is_done_with_the_first() -> None:
    turn = threading.Lock()
    batches: list[list[int]] = []

    def do_all(wanted: Sequence[int]) -> list[int]:
        batches.append(sorted(wanted))
        return [2 * n for n in wanted]

    together: Together[int, int] = Together(do_all, turn)
    with ThreadPoolExecutor(3) as pool:
        with turn:
            wanted = [pool.submit(together.do, n) for n in (1, 2, 3)]
            wait_until(lambda: len(together._waiting) == 3, "not all have come")
            assert batches == []
        assert [each.result(10) for each in wanted] == [2, 4, 6]
    assert batches == [[1, 2, 3]]


def test_a_turn_that_cannot_be_had_is_a_fault_too() -> None:
    class Broken(AbstractContextManager[None]):
        def __enter__(self) -> None:
            raise OSError("no turn")

        def __exit__(self, *_: object) -> None: ...

    together: Together[int, int] = Together(list, Broken())
    faults: list[str] = []

    def wants() -> None:
        for _ in range(2):  # the second finds nothing left waiting for a turn that nobody takes
            with pytest.raises(OSError, match="no turn") as fault:
                together.do(1)
            faults.append(str(fault.value))

    thread = threading.Thread(target=wants, daemon=True)
    thread.start()
    thread.join(10)
    assert faults == ["no turn", "no turn"]

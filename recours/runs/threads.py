"""The threads of a run: they ask carriers, each for one claim at a time."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from queue import Empty, SimpleQueue
from time import monotonic
from typing import TypeAlias

from recours.runs.attempt import Ended
from recours.runs.supply import InHand

_COMPANY_S = 0.03  # how long one answer waits for others
_COMPANY = 8  # for how many: while more are recorded in one go, the threads wait for the interpreter

# How it ended; the exception that came instead; None: it was not asked for any more.
Answer: TypeAlias = Ended | Exception | None


class Threads:
    """So many threads, what has been given to them, and their answers. Used by one thread, the run's own."""

    def __init__(self, count: int, ask: Callable[[InHand], Ended | None]) -> None:
        """`ask` is called in one of the threads."""
        self._ask = ask
        self._answered: SimpleQueue[tuple[InHand, Answer]] = SimpleQueue()
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="fetch")
        self._enough = count + count // 4
        self._given: dict[InHand, int] = {}
        self._place = 0

    @property
    def given(self) -> list[InHand]:
        """What was given and not answered yet, in its order."""
        return list(self._given)

    def __len__(self) -> int:
        """How much was given and not answered yet."""
        return len(self._given)

    def give(self, entry: InHand) -> None:
        """Have it asked as soon as a thread is free."""
        self._place += 1
        self._given[entry] = self._place
        self._pool.submit(self._answer, entry)

    def _answer(self, entry: InHand) -> None:
        try:
            answer: Answer = self._ask(entry)
        except Exception as error:  # noqa: BLE001 (it is the run's own thread that deals with it)
            answer = error
        self._answered.put((entry, answer))

    def answers(self, longest_s: float) -> list[tuple[InHand, Answer]]:
        """Wait so long for an answer; it and those close behind it, in the order in which they were given.

        Several cost those who deal with them little more than one. So they are waited for a moment, as long as the
        threads have enough to do.
        """
        found: list[tuple[InHand, Answer]] = []
        with suppress(Empty):
            found.append(self._answered.get(timeout=longest_s))
            until = monotonic() + _COMPANY_S
            while True:
                left_s = until - monotonic()
                patient = (
                    left_s > 0 and len(found) < _COMPANY and len(self._given) - len(found) > self._enough
                )
                found.append(self._answered.get(block=patient, timeout=left_s))
        places = {entry: self._given.pop(entry) for entry, _ in found}
        return sorted(found, key=lambda answered: places[answered[0]])

    def last_answers(self) -> list[tuple[InHand, Answer]]:
        """Wait for all that is left; nothing can be given any more."""
        self._pool.shutdown(wait=True)
        return self.answers(0.0) if self._given else []

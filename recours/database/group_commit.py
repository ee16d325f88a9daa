"""Writing together what several threads want written in the same instant."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from typing import Generic, TypeVar

_Wanted = TypeVar("_Wanted")
_Done = TypeVar("_Done")


class Together(Generic[_Wanted, _Done]):
    """The first thread waits for the turn, and does what all those want that have come until then.

    A transaction costs much the same for one row as for twenty, and threads that stand in a line for the write lock
    would otherwise take it in turns.
    """

    def __init__(
        self, do_all: Callable[[Sequence[_Wanted]], Sequence[_Done]], turn: AbstractContextManager[object]
    ) -> None:
        """`do_all`: does many, and tells the result of each in their order. `turn`: the lock under which it does."""
        self._do_all = do_all
        self._turn = turn
        self._guard = threading.Lock()
        self._waiting: list[tuple[_Wanted, Future[_Done]]] = []

    def do(self, wanted: _Wanted) -> _Done:
        """Have it done; returns its result. Raises what `do_all` raises, for all that were together."""
        mine: Future[_Done] = Future()
        with self._guard:
            is_first = not self._waiting
            self._waiting.append((wanted, mine))
        if is_first:
            self._do_what_waits()
        return mine.result()

    def _do_what_waits(self) -> None:
        batch: list[tuple[_Wanted, Future[_Done]]] = []
        try:
            with self._turn:
                batch = self._taken()
                results = self._do_all([wanted for wanted, _ in batch])
        except BaseException as error:  # noqa: BLE001 (each who waits raises it)
            for _, future in batch or self._taken():
                future.set_exception(error)
            return
        for (_, future), result in zip(batch, results, strict=True):
            future.set_result(result)

    def _taken(self) -> list[tuple[_Wanted, "Future[_Done]"]]:
        with self._guard:
            taken, self._waiting = self._waiting, []
            return taken

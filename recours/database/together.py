"""Writing together what several threads want written in the same instant."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

_Wanted = TypeVar("_Wanted")
_Done = TypeVar("_Done")


@dataclass(eq=False, slots=True)
class _Part(Generic[_Wanted, _Done]):
    """What one thread wants, and what came of it: a result or an error."""

    wanted: _Wanted
    results: Sequence[_Done] = ()
    error: BaseException | None = None


class Together(Generic[_Wanted, _Done]):
    """Whoever comes first does what is wanted by all that have come until then; the others wait for their part.

    A transaction costs much the same for one row as for twenty, and threads that stand in a line for the write lock
    would otherwise take it in turns.
    """

    def __init__(self, do_all: Callable[[Sequence[_Wanted]], Sequence[_Done]]) -> None:
        """`do_all`: does many, and tells the result of each in their order."""
        self._do_all = do_all
        self._turn = threading.Lock()
        # Any thread adds to it; only the one whose turn it is takes from it.
        self._waiting: deque[_Part[_Wanted, _Done]] = deque()

    def do(self, wanted: _Wanted) -> _Done:
        """Have it done; returns its result. Raises what `do_all` raises, for all that were together."""
        mine: _Part[_Wanted, _Done] = _Part(wanted)
        self._waiting.append(mine)
        with self._turn:
            if not mine.results and mine.error is None:
                self._do_what_waits()
        if mine.error is not None:
            raise mine.error
        return mine.results[0]

    def _do_what_waits(self) -> None:
        parts = [self._waiting.popleft() for _ in range(len(self._waiting))]
        try:
            results = self._do_all([part.wanted for part in parts])
        except BaseException as error:  # noqa: BLE001 (each who waits raises it)
            for part in parts:
                part.error = error
            return
        for part, result in zip(parts, results, strict=True):
            part.results = (result,)

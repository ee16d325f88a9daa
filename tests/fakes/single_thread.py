"""The engine in a single thread: for runs whose carriers answer at once, and which are to be the same each time."""

from collections import deque
from collections.abc import Iterator

from recours.runs.attempt import Ended, attempt
from recours.runs.engine import Engine
from recours.runs.leasing import Leased
from recours.runs.ports import Fetched


class SingleThreadEngine(Engine):
    """Has as many bundles under way as the engine's threads would; the one that began first is answered first."""

    _under_way: deque[list[Leased]]

    def _run_threads(self) -> None:
        self._under_way = deque()
        while bundle := self._next():
            self._under_way.append(bundle)
            if len(self._under_way) == self._limits.concurrency:
                self._await_answers()
        while self._under_way:  # the run's time is over
            self._await_answers()

    def _await_answers(self) -> None:
        self._fetch(self._under_way.popleft())

    def _ask(self, leased: Leased, answers: Iterator[Fetched]) -> Ended | None:
        """A mistake of recours's own is raised: it must not pass for an answer."""
        return attempt(leased.claim, leased.known, leased.reservation, answers, self._deps)

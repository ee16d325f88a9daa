"""The engine in a single thread: for runs whose carriers answer at once, and which are to be the same each time."""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, cast

from recours.runs.attempt import AttemptResult, attempt
from recours.runs.engine import AttemptFinished, BundleFinished, Engine
from recours.runs.lane import LeasedClaim
from recours.runs.ports import CarrierAnswer


class SingleThreadEngine(Engine):
    """Has as many bundles under way as the engine's threads would; the one that began first is answered first."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._under_way: deque[list[LeasedClaim]] = deque()

    def _fetch_all(self, pool: Any) -> None:
        del pool
        super()._fetch_all(cast("Any", self))

    def submit(self, fetch: Callable[[list[LeasedClaim]], None], bundle: list[LeasedClaim]) -> None:
        """As a pool's: it is fetched when its answers are waited for."""
        del fetch
        self._under_way.append(bundle)

    def _next_message(self) -> AttemptFinished | BundleFinished | None:
        if self._from_threads.empty():
            self._fetch(self._under_way.popleft())
        return self._from_threads.get()

    def _attempt(self, leased: LeasedClaim, answers: Iterator[CarrierAnswer]) -> AttemptResult | None:
        """A mistake of recours's own is raised: it must not pass for an answer."""
        return attempt(leased.claim, leased.delivery, leased.reservation, answers, self._deps)

"""The engine in a single thread, for reproducible runs whose carriers answer immediately."""

from collections import deque
from collections.abc import Iterator
from typing import Any, cast

from recours.runs.attempt import AttemptResult, attempt
from recours.runs.engine import AttemptFinished, BundleFinished, Engine
from recours.runs.lane import LeasedClaim
from recours.runs.ports import CarrierAnswer


class SingleThreadEngine(Engine):
    """Has as many bundles in progress as the engine has threads. Bundles are answered in the order of submission."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._under_way: deque[list[LeasedClaim]] = deque()

    def _fetch_all(self, threads: Any) -> None:
        del threads
        super()._fetch_all(cast("Any", self))

    def submit(self, bundle: list[LeasedClaim]) -> None:
        """Keep the bundle until its answers are awaited."""
        self._under_way.append(bundle)

    def _next_message(self, threads: Any) -> AttemptFinished | BundleFinished | None:
        del threads
        if self._from_threads.empty():
            self._fetch(self._under_way.popleft())
        return self._from_threads.get()

    def _attempt(self, leased: LeasedClaim, answers: Iterator[CarrierAnswer]) -> AttemptResult | None:
        """Raise internal errors instead of treating them as answers."""
        return attempt(leased.claim, leased.delivery, leased.reservation, answers, self._deps)

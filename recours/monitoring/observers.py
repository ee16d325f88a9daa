"""Several watchers as one, none of which can harm the run."""

import logging
from collections.abc import Callable, Sequence

from recours.runs.ports import RunObserver

log = logging.getLogger("__main__")


class RunObservers:
    """Tells each of them. Without any, nothing happens."""

    def __init__(self, observers: Sequence[RunObserver] = ()) -> None:
        self._observers = tuple(observers)

    def started(self) -> None:
        self._tell(lambda observer: observer.started())

    def found(self, claims: int) -> None:
        self._tell(lambda observer: observer.found(claims))

    def progressed(self, success: int, failed: int) -> None:
        self._tell(lambda observer: observer.progressed(success, failed))

    def ended(self, exit_status: int, lines: Sequence[str]) -> None:
        self._tell(lambda observer: observer.ended(exit_status, lines))

    def _tell(self, tell: Callable[[RunObserver], None]) -> None:
        for observer in self._observers:
            try:
                tell(observer)
            except Exception:  # an error in an observer must not end the run
                log.exception(f"An error of ours in {type(observer).__name__}; the run goes on")

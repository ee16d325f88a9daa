"""Several watchers as one, none of which can harm the run."""

import logging
from collections.abc import Callable, Sequence

from recours.runs.ports import Watcher

log = logging.getLogger("__main__")


class Watchers:
    """Tells each of them. Without any, nothing happens."""

    def __init__(self, watchers: Sequence[Watcher] = ()) -> None:
        """Keep them."""
        self._watchers = tuple(watchers)

    def started(self) -> None:
        """The run begins."""
        self._tell(lambda watcher: watcher.started())

    def found(self, claims: int) -> None:
        """So many claims are to be fetched."""
        self._tell(lambda watcher: watcher.found(claims))

    def progressed(self, success: int, failed: int) -> None:
        """So many have ended by now."""
        self._tell(lambda watcher: watcher.progressed(success, failed))

    def ended(self, exit_status: int, lines: Sequence[str]) -> None:
        """The run is over."""
        self._tell(lambda watcher: watcher.ended(exit_status, lines))

    def _tell(self, tell: Callable[[Watcher], None]) -> None:
        for watcher in self._watchers:
            try:
                tell(watcher)
            except Exception:  # a mistake of ours in what only looks on must not end the run
                log.exception(f"An error of ours in {type(watcher).__name__}; the run goes on")

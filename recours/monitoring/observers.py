"""Observers of a run: several as one, none of which can harm it, and a progress bar below the log."""

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from recours.runs.ports import RunObserver

if TYPE_CHECKING:
    from logging import StreamHandler

    from rich.console import Console
    from rich.progress import Progress, TaskID

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
                log.exception(f"Internal error in {type(observer).__name__}; the run goes on")


class ProgressBar:
    """Draws a line below the log from the first claim on, and takes it away at the end.

    Log lines are written above it, by the console that draws it and as they are: nothing in them is coloured, wrapped
    or taken as markup. While there is nothing to fetch, nothing is loaded and the log is left alone.
    """

    def __init__(self, handler: "StreamHandler[Any]") -> None:
        """`handler`: the log's, whose stream is a terminal."""
        self._handler = handler
        self._screen: Any = None  # the handler's own stream, while the bar is drawn
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    def started(self) -> None:
        """Not a claim yet."""

    def found(self, claims: int) -> None:
        from rich.console import Console  # noqa: PLC0415 (not needed without a terminal)
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

        stream = self._handler.stream
        console = Console(file=stream, highlight=False, markup=False, emoji=False)
        self._progress = Progress(
            BarColumn(bar_width=30),
            TextColumn("{task.completed:.0f}/{task.total:.0f}", markup=False),
            TextColumn("success {task.fields[success]}", markup=False),
            TextColumn("failed {task.fields[failed]}", markup=False),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            # The log has its own way to the screen, and --json needs stdout as it is.
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._progress.add_task("", total=claims, success=0, failed=0)
        self._progress.start()
        self._screen = self._handler.setStream(_AboveTheBar(console))

    def progressed(self, success: int, failed: int) -> None:
        if self._progress and self._task is not None:
            self._progress.update(self._task, completed=success + failed, success=success, failed=failed)

    def ended(self, exit_status: int, lines: Sequence[str]) -> None:
        """Take it away; the log writes as before."""
        del exit_status, lines
        if self._progress:
            self._handler.setStream(self._screen)
            self._progress.stop()
            self._progress = None


class _AboveTheBar:
    """A stream for a log handler. Each of its writes is whole lines."""

    def __init__(self, console: "Console") -> None:
        self._console = console

    def write(self, text: str) -> int:
        self._console.out(text.removesuffix("\n"), highlight=False)
        return len(text)

    def flush(self) -> None:
        """The console flushes what it writes."""

"""The log in the guide's format, written to stderr and to a rotating file that several processes share."""

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from concurrent_log_handler import ConcurrentRotatingFileHandler
from portalocker import LOCK_EX, LOCK_NB, AlreadyLocked, lock

from recours.core.errors import RunError
from recours.core.text import clean
from recours.host.files import PRIVATE, Access
from recours.host.installation import pasteable

FILES_KEPT = 10  # rotated log files
RUN_LOGGER = "__main__"
_FORM = "%(asctime)s - [%(levelname)s] - %(name)s - %(message)s"
_LONGEST_LINE = 4000
_LOCK_WAIT_S = 5.0
_LOCK_POLLS_S = 0.001, 0.005  # first and longest interval between attempts to lock the file
_PACKAGE = Path(__file__).parents[1]


def local(at: datetime) -> datetime:
    """Convert a time to this machine's zone."""
    return at.astimezone()


class GuideFormatter(logging.Formatter):
    """The guide's format. Each record is one line, followed by the indented lines of a traceback, if any."""

    def __init__(self, redact: Callable[[str], str], now: Callable[[], datetime]) -> None:
        super().__init__(_FORM)
        self._redact = redact
        self._now = now

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 (logging's name)
        """The local time according to the injected clock."""
        del record, datefmt
        return f"{local(self._now()):%Y-%m-%d %H:%M:%S}"

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (logging's name)
        record.message = pasteable(clean(record.message, _LONGEST_LINE))
        return super().formatMessage(record)

    def format(self, record: logging.LogRecord) -> str:
        """The line and any traceback, without secrets."""
        first, *continuation = super().format(record).splitlines()
        return self._redact(
            "\n".join([first, *(f"    {clean(more, _LONGEST_LINE)}" for more in continuation)])
        )


class _File(ConcurrentRotatingFileHandler):
    """A log file with a timeout for its lock. Write errors are stored in `failure`, not printed."""

    failure: BaseException | None = None
    is_passed_over = False  # whether lines are not written because another program has locked the file
    _is_reported = False
    _is_closed = False

    def __init__(
        self, *args: Any, aside: logging.Handler, has_all: bool, access: Access, **named: Any
    ) -> None:
        """While another program locks the file, `aside` gets a warning and, unless `has_all`, all lines.

        `access`: the permissions of the log file, also after rotation.
        """
        super().__init__(*args, **named)
        self.maxLockAttempts = 1  # _lock_stream_lock waits instead of the library
        self._aside = aside
        self._has_all = has_all
        self._access = access

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line unless another thread closed this file, because the library would reopen the file for good."""
        if not self._is_closed:
            super().emit(record)

    def close(self) -> None:
        """Close the file permanently."""
        self.acquire()
        try:
            self._is_closed = True
            super().close()
        finally:
            self.release()

    def do_open(self, mode: str | None = None) -> Any:
        """Open the file as the library does, but create it with our permissions, not world-readable."""
        self._access.create(Path(self.baseFilename))
        return super().do_open(mode)

    def _lock_stream_lock(self, stream_lock: Any) -> None:
        """Lock with a timeout, because the library's method waits forever. Raises AlreadyLocked."""
        ends = time.monotonic() + (0 if self.is_passed_over else _LOCK_WAIT_S)
        pause, longest = _LOCK_POLLS_S
        while True:
            try:
                lock(stream_lock, LOCK_EX | LOCK_NB)
            except AlreadyLocked:
                if time.monotonic() >= ends:
                    self.is_passed_over = True
                    raise
                time.sleep(pause)
                pause = min(2 * pause, longest)
            else:
                self.is_passed_over = False
                return

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (logging's name)
        if not self.is_passed_over:
            self.failure = self.failure or sys.exc_info()[1]
            return
        if not self._is_reported:
            self._is_reported = True
            sentence = (
                f"Another program has locked the log {self.baseFilename} for more than {_LOCK_WAIT_S:.0f} s. Lines of this run "
                "are missing in the file. Find out which program holds the lock (a stalled worker, a program that copies the "
                "folder)"
            )
            level = {"levelname": "WARNING", "levelno": logging.WARNING}
            self._aside.handle(logging.makeLogRecord({"msg": sentence, "name": RUN_LOGGER, **level}))
        if not self._has_all:
            self._aside.handle(record)


@dataclass
class Log:
    path: Path
    file: Any
    console: logging.Handler

    @property
    def fault(self) -> str | None:
        """An error message if lines were lost, else None."""
        if self.file.failure is None:
            return None
        reason = getattr(self.file.failure, "strerror", None) or self.file.failure
        return (
            f"The log {self.path} could not be written: {reason}. Lines of this run are missing in the file."
        )

    def close(self) -> None:
        """Remove and close the handlers."""
        root = logging.getLogger()
        for handler in (self.file, self.console):
            root.removeHandler(handler)
            with suppress(OSError):  # the disk may be full; `fault` reports lost lines
                handler.close()


def run_log() -> logging.Logger:
    return logging.getLogger(RUN_LOGGER)


@dataclass(eq=False)
class LogFile:
    """The parameters of a log file. `redact` removes secrets logged by mistake; `now` returns aware times."""

    path: Path
    max_bytes: int = 5 * 1024 * 1024  # the size at which the file is rotated
    files: int = FILES_KEPT  # rotated files to keep
    redact: Callable[[str], str] = str
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    access: Access = PRIVATE

    def opened(self, aside: logging.Handler | None = None) -> _File:
        """Open the file. `aside`: another handler for all lines; by default, stderr while the file is locked.

        Raises RunError.
        """
        other = aside or logging.StreamHandler(sys.stderr)
        path = self.path
        try:
            self.access.make_folder(path.parent)
            # With a byte-order mark, the command `type` on Windows displays all characters correctly.
            encoding = "utf-8-sig" if sys.platform == "win32" else "utf-8"
            file = _File(str(path), "a", self.max_bytes, self.files, encoding=encoding,
                         aside=other, has_all=aside is not None, access=self.access)  # fmt: skip
            for log_path in files_of(path):
                self.access.create(log_path)  # so that errors are raised now, not at the first line
        except OSError as error:
            named = next(
                (f"{log_path.name}: " for log_path in files_of(path) if error.filename == str(log_path)), ""
            )
            raise RunError(
                f"Cannot write the log in {path.parent}: {named}{error.strerror or error}. "
                "Give the user of this job write access to the folder, or set RECOURS_LOG_DIR."
            ) from error
        formatter = GuideFormatter(self.redact, self.now)
        for handler in (other, file):
            handler.setFormatter(formatter)
        return file


def files_of(path: Path) -> tuple[Path, ...]:
    """The files written for the log `path`: the log itself and its lock file."""
    return path, Path(*ConcurrentRotatingFileHandler.baseLockFilename(str(path)))


def set_up(log: LogFile, *, verbose: bool = False, console: Any = None, quiet: bool = False) -> Log:
    """Log to the file and, unless `quiet`, to `console` (a text stream; default: stderr). Raises RunError."""
    screen = logging.NullHandler() if quiet else logging.StreamHandler(console or sys.stderr)
    file = log.opened(screen)
    root = logging.getLogger()
    root.setLevel(logging.WARNING)
    run_log().setLevel(logging.DEBUG if verbose else logging.INFO)
    for handler in (file, screen):
        root.addHandler(handler)
    return Log(log.path, file, screen)


@contextmanager
def file_of(logger_name: str, log: LogFile) -> Iterator[None]:
    """Write the lines of one logger to its own file and nowhere else. Raises RunError."""
    file = log.opened()
    logger = logging.getLogger(logger_name)
    logger.addHandler(file)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(file)
        logger.propagate = True
        with suppress(OSError):
            file.close()


@dataclass
class _Shared:
    """A log file shared by several callers in one process."""

    file: _File
    level: int  # the logger's previous level
    users: int = 0


# The open files of this process. They are global, like the handlers of `logging`.
_shared: dict[Path, _Shared] = {}
_sharing = threading.Lock()


@contextmanager
def lines_to(log: LogFile) -> Iterator[None]:
    """Also write the log lines of runs in this process to a file. For programs that embed recours.

    The program's own log lines are not written, even if its logger has the same name. Thread-safe. Raises RunError.
    """
    logger = run_log()
    path = log.path
    with _sharing:
        if path not in _shared:
            file = log.opened()
            file.addFilter(lambda record: Path(record.pathname).is_relative_to(_PACKAGE))
            _shared[path] = _Shared(file, logger.level)
            logger.addHandler(file)
            if not logger.isEnabledFor(logging.INFO):
                logger.setLevel(logging.INFO)
        _shared[path].users += 1
    try:
        yield
    finally:
        with _sharing:
            shared = _shared[path]
            shared.users -= 1
            if not shared.users:
                del _shared[path]
                logger.removeHandler(shared.file)
                logger.setLevel(shared.level)
                with suppress(OSError):
                    shared.file.close()

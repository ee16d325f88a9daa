"""Sends PDFs to a child process; see `recours.evidence.pdf_child`.

The process is started for the first document and serves the threads one after another. A file counts as unreadable if
it crashes the process twice, or twice exceeds the limits of memory or time. If the process cannot be started or is
killed from outside, the file is not at fault.
"""

import atexit
import errno
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TypeVar, cast

from recours.core.evidence import DocumentFlaw
from recours.core.outcome import NotADocumentError
from recours.core.text import clean
from recours.evidence import pdf_child
from recours.evidence.kinds import kind_of
from recours.evidence.pdf_child import REQUEST, RESPONSE, Result, Task
from recours.evidence.reading import UNREADABLE, Cell, Reading

T = TypeVar("T")

_MOST_ATTEMPTS = 2
_LONGEST_S = 6.5  # for one attempt, including the start of the process
_LARGEST = {Task.COUNT: 1_000, Task.READ: 4_000_000, Task.DRAW: 20_000_000}  # maximum bytes of an answer
_ENDING_S = 1.0  # how long the process may take to exit after the end of its output
# Environment variables without which Windows starts no process, and some Pythons do not find their libraries.
_NEEDED = ("SYSTEMROOT", "LD_LIBRARY_PATH")
_FROM_OUTSIDE = (-1, -2, -9, -15)  # killed by SIGHUP, SIGINT, SIGKILL or SIGTERM; not a crash
_LONGEST_REASON = 60
_TOO_LITTLE = (errno.ENOMEM, errno.EAGAIN)


class NotDrawnError(Exception):
    """Raised if the PDF or one of its pages cannot be rendered within the limits."""


class _CrashError(Exception):
    """Raised if the file crashed the process, made it exceed its time limit, or led to an invalid answer."""


def count_pages(content: bytes) -> int:
    """Return the number of pages, or 1 if the file is unreadable. Raises the same errors as `PdfProcess.ask`."""
    return _process.ask(Task.COUNT, content, int, otherwise=1)


def read_pdf(content: bytes) -> Reading:
    """Read a PDF. Raises the same errors as `PdfProcess.ask`."""
    return _process.ask(Task.READ, content, _reading, otherwise=UNREADABLE)


def _reading(answer: bytes) -> Reading:
    rows, *ink = json.loads(answer)
    if rows is not None:
        rows = tuple(tuple(Cell(str(text), float(at)) for text, at in row) for row in rows)
    return Reading(rows, *map(bool, ink))


def draw_page(content: bytes, number: int) -> bytes:
    """Return page `number`, counted from 1, as PNG. Raises NotDrawnError."""
    try:
        picture = _process.ask(Task.DRAW, content, bytes, number, otherwise=b"")
    except (NotADocumentError, ImportError, MemoryError) as error:
        raise NotDrawnError(str(error)) from error
    if not picture:
        raise NotDrawnError
    return picture


class PdfProcess:
    """The child process. It is started for the first task, and again after a file has crashed it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._is_ready = False

    def ask(
        self, task: Task, content: bytes, parse: Callable[[bytes], T], page: int = 0, *, otherwise: T
    ) -> T:
        """Return the parsed answer, or `otherwise` if the file exceeds the limits or crashes the process.

        Raises NotADocumentError if the document does not open, and ImportError if the process or its packages cannot be
        loaded. Raises MemoryError if there is too little memory to load them, or the process is killed from outside.
        """
        fault = None
        with self._lock:
            for _ in range(_MOST_ATTEMPTS):
                try:
                    return self._ask(task, content, parse, page)
                except MemoryError as error:
                    fault = error
                except _CrashError:
                    continue
        if fault:
            raise fault
        return otherwise

    def _ask(self, task: Task, content: bytes, parse: Callable[[bytes], T], page: int) -> T:
        process = self._running()
        with self._time_limit(process) as has_expired:
            try:
                if not self._is_ready:
                    self._wait_until_ready(process)
                result, answer = _talk(process, task, content, page)
                if result is Result.DONE:
                    return parse(answer)
            except (OSError, EOFError) as error:
                status = _status_of(process)
                self.end()
                if not self._is_ready and status not in _FROM_OUTSIDE:
                    raise ImportError(
                        f"the process that reads PDFs exits immediately (status {status})"
                    ) from error
                if status in _FROM_OUTSIDE and not (has_expired.is_set() and self._is_ready):
                    raise MemoryError("the process that reads PDFs was killed from outside") from error
                raise _CrashError from error
            except (ValueError, TypeError, RecursionError) as error:  # the answer is invalid
                self.end()
                raise _CrashError from error
            except BaseException:  # the rest of an answer may still be in the pipe
                self.end()
                raise
        if result is Result.EMPTY:
            raise NotADocumentError(DocumentFlaw.EMPTY_PDF.text())
        reason = clean(answer.decode("utf-8", "replace"), _LONGEST_REASON)
        raise NotADocumentError(DocumentFlaw.BROKEN_PDF.text(error=reason))

    @contextmanager
    def _time_limit(self, process: subprocess.Popen[bytes]) -> Iterator[threading.Event]:
        """Kill the process and set the event if the context takes too long."""
        has_expired = threading.Event()

        def expire() -> None:
            has_expired.set()
            process.kill()

        timer = threading.Timer(_LONGEST_S, expire)
        try:
            timer.start()
        except RuntimeError as error:
            raise MemoryError("no thread can be started") from error
        try:
            yield has_expired
        finally:
            timer.cancel()
            timer.join()
            if has_expired.is_set():  # the answer may have arrived just before
                self.end()

    def _running(self) -> subprocess.Popen[bytes]:
        # After a fork, the forked process starts its own child, because `poll` reports that this one has ended.
        if self._process and self._process.poll() is None:
            return self._process
        self.end()
        # The command contains no external input. `-I` excludes the user's modules and those in the current folder.
        folders = [str(Path(folder).absolute()) for folder in sys.path]
        try:
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-I", pdf_child.__file__, *folders],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={name: os.environ[name] for name in _NEEDED if name in os.environ},
                start_new_session=True,  # a signal that stops the run must not reach it
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as error:
            kind = MemoryError if error.errno in _TOO_LITTLE else ImportError
            raise kind(f"the process that reads PDFs cannot be started ({error.strerror})") from error
        self._is_ready = False
        return self._process

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        result, reason = _receive(process, _LARGEST[Task.READ])
        if result is not Result.READY:
            self.end()
            why = clean(reason.decode("utf-8", "replace"), _LONGEST_REASON)
            raise ImportError(f"PDFs cannot be read ({why})")
        self._is_ready = True

    def end(self) -> None:
        """Kill the process, if it is running."""
        process = self._process
        self._process = None
        if process is None:
            return
        process.kill()
        for pipe in filter(None, (process.stdin, process.stdout)):
            with suppress(OSError):  # the process may not have read the whole request
                pipe.close()
        process.wait()


def _status_of(process: subprocess.Popen[bytes]) -> int | None:
    """Return the exit status, or None if the process closed its output but has not exited."""
    try:
        return process.wait(_ENDING_S)
    except subprocess.TimeoutExpired:
        return None


def _talk(process: subprocess.Popen[bytes], task: Task, content: bytes, page: int) -> tuple[Result, bytes]:
    requests = cast("BinaryIO", process.stdin)
    requests.write(REQUEST.pack(task, page, len(content)))
    requests.write(content)
    requests.flush()
    return _receive(process, _LARGEST[task])


def _receive(process: subprocess.Popen[bytes], largest: int) -> tuple[Result, bytes]:
    """Read a response. Raises EOFError if the process ends, or ValueError if the response is invalid or too large."""
    responses = cast("BinaryIO", process.stdout)
    header = responses.read(RESPONSE.size)
    if len(header) < RESPONSE.size:
        raise EOFError
    result, length = RESPONSE.unpack(header)
    if length > largest:
        raise ValueError(length)
    content = responses.read(length)
    if len(content) < length:
        raise EOFError
    return Result(result), content


_process = PdfProcess()
atexit.register(_process.end)


def media_type_of(content: bytes, *, html: bool = False) -> str:
    """Return the media type of a document. A PDF must also open. Raises NotADocumentError."""
    kind = kind_of(content, html=html)
    if kind == "application/pdf":
        count_pages(content)
    return kind

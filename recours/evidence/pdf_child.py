"""The process that reads and draws PDFs: what a foreign file does to PDFium ends with it.

`recours.evidence.pdf_process` runs this file by itself and asks it about one document after another. It sees no settings,
may take so much memory and time, writes no file, and ends when its input does: also if its parent is killed.
"""

import math
import os
import signal
import struct
import sys
import time
from contextlib import suppress
from enum import IntEnum
from typing import BinaryIO

QUESTION = struct.Struct("<BII")  # the task, the number of a page, and the size of the document that follows
ANSWER = struct.Struct("<BI")  # the result, and the size of the rest that follows


class Task(IntEnum):
    COUNT = 0  # the answer is the number of pages, in decimal
    READ = 1  # the answer is the reading as JSON: a list of its fields
    DRAW = 2  # the answer is a page, counted from 1, as PNG


class Result(IntEnum):
    READY = 0  # before the first question
    NOT_READY = 1  # instead; the rest says why
    DONE = 2
    BROKEN = 3  # it does not open, or has no such page; the rest says why
    EMPTY = 4  # it has no page


_MEMORY = 320 << 20  # bytes
_CPU_S = 5  # for one document


def main() -> None:
    """Answer questions until there are no more."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # a stop of the run is none of the document's
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    questions = sys.stdin.buffer
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what a library prints is no answer
    _limit("RLIMIT_AS", _MEMORY)
    _limit("RLIMIT_FSIZE", 0)
    _limit("RLIMIT_CORE", 0)
    try:
        from recours.evidence.pdf import answer  # noqa: PLC0415 (the parent loads none of this)
    except Exception as error:  # noqa: BLE001 (whatever keeps a library from being loaded)
        _send(answers, Result.NOT_READY, f"{type(error).__name__}: {error}".encode())
        return
    _send(answers, Result.READY, b"")
    while header := questions.read(QUESTION.size):
        task, page, size = QUESTION.unpack(header)
        content = questions.read(size)
        _limit("RLIMIT_CPU", math.ceil(time.process_time()) + _CPU_S)
        _send(answers, *answer(Task(task), content, page))


def _limit(name: str, limit: int) -> None:
    try:
        import resource  # noqa: PLC0415 (Windows has none: there, the time alone is limited)
    except ImportError:
        return
    kind = getattr(resource, name)
    hard = resource.getrlimit(kind)[1]
    with suppress(ValueError):  # macOS limits no memory
        resource.setrlimit(kind, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


def _send(answers: BinaryIO, result: Result, content: bytes) -> None:
    answers.write(ANSWER.pack(result, len(content)) + content)
    answers.flush()


if __name__ == "__main__":
    sys.path[:] = sys.argv[1:]  # what the parent imports from
    main()

"""The child process that reads and renders PDFs. If an untrusted file crashes PDFium, only this process dies.

`recours.evidence.pdf_process` runs this file directly and sends it one document after another. The process gets no settings, has
limited memory and time, writes no file, and ends when its input ends, even if its parent is killed.
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

QUESTION = struct.Struct("<BII")  # the task, the page number, and the size of the document that follows
ANSWER = struct.Struct("<BI")  # the result, and the size of the content that follows


class Task(IntEnum):
    COUNT = 0  # the answer is the number of pages, in decimal
    READ = 1  # the answer is the reading as JSON, a list of its fields
    DRAW = 2  # the answer is a page, counted from 1, as PNG


class Result(IntEnum):
    READY = 0  # sent before the first question
    NOT_READY = 1  # sent instead; the content says why
    DONE = 2
    BROKEN = 3  # the document does not open or has no such page; the content says why
    EMPTY = 4  # the document has no pages


_MEMORY = 320 << 20  # bytes
_CPU_S = 5  # per document


def main() -> None:
    """Answer questions until the input ends."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # stopping the run must not stop the document's examination
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    questions = sys.stdin.buffer
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # output printed by a library must not mix with the answers
    _limit("RLIMIT_AS", _MEMORY)
    _limit("RLIMIT_FSIZE", 0)
    _limit("RLIMIT_CORE", 0)
    try:
        from recours.evidence.pdf import answer  # noqa: PLC0415 (the parent must not load the library)
    except Exception as error:  # noqa: BLE001 (any reason why a library cannot be loaded)
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
        import resource  # noqa: PLC0415 (not on Windows, where only the time is limited)
    except ImportError:
        return
    kind = getattr(resource, name)
    hard = resource.getrlimit(kind)[1]
    with suppress(ValueError):  # macOS does not limit memory
        resource.setrlimit(kind, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


def _send(answers: BinaryIO, result: Result, content: bytes) -> None:
    answers.write(ANSWER.pack(result, len(content)) + content)
    answers.flush()


if __name__ == "__main__":
    sys.path[:] = sys.argv[1:]  # the parent's import path
    main()

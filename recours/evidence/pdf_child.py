"""The child process that reads and renders PDFs. If an untrusted file crashes PDFium, only this process dies.

`recours.evidence.pdf_process` runs this file directly and sends one document after another. The process receives no
settings, has limited memory and time, and writes no files. It ends when its input ends, even if its parent is killed.
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

REQUEST = struct.Struct("<BII")  # the task, the page number, and the size of the document that follows
RESPONSE = struct.Struct("<BI")  # the result, and the size of the content that follows


class Task(IntEnum):
    COUNT = 0  # return the number of pages, in decimal
    READ = 1  # return the fields of the `Reading` as a JSON list
    DRAW = 2  # return a page, counted from 1, as PNG


class Result(IntEnum):
    READY = 0  # the process waits for its first request
    NOT_READY = 1  # the process cannot work; the content is the reason
    DONE = 2
    BROKEN = 3  # the document does not open, or has no such page; the content is the reason
    EMPTY = 4  # the document has no pages


_MEMORY = 320 << 20  # bytes
_CPU_S = 5  # per document


def main() -> None:
    """Answer requests until the input ends."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # stopping the run must not stop an examination
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    requests = sys.stdin.buffer
    responses = os.fdopen(os.dup(1), "wb")
    # Anything that a library prints must not mix with the responses.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    _limit("RLIMIT_AS", _MEMORY)
    _limit("RLIMIT_FSIZE", 0)
    _limit("RLIMIT_CORE", 0)
    try:
        from recours.evidence.pdf import answer_request  # noqa: PLC0415 (the parent must not load the library)
    except Exception as error:  # noqa: BLE001 (any reason why a library cannot be loaded)
        _send(responses, Result.NOT_READY, f"{type(error).__name__}: {error}".encode())
        return
    _send(responses, Result.READY, b"")
    while header := requests.read(REQUEST.size):
        task, page, size = REQUEST.unpack(header)
        content = requests.read(size)
        _limit("RLIMIT_CPU", math.ceil(time.process_time()) + _CPU_S)
        _send(responses, *answer_request(Task(task), content, page))


def _limit(name: str, limit: int) -> None:
    if sys.platform == "win32":  # there, only the parent limits the time
        return
    import resource  # noqa: PLC0415 (not on Windows)

    kind = getattr(resource, name)
    hard = resource.getrlimit(kind)[1]
    with suppress(ValueError):  # macOS cannot limit memory
        resource.setrlimit(kind, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


def _send(responses: BinaryIO, result: Result, content: bytes) -> None:
    responses.write(RESPONSE.pack(result, len(content)) + content)
    responses.flush()


if __name__ == "__main__":
    sys.path[:] = sys.argv[1:]  # the parent's import path
    main()

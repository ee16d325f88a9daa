"""The log of the runs. What an imagined run says is not written, while other threads go on writing."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_silent: ContextVar[bool] = ContextVar("silent", default=False)


class _RunLog(logging.LoggerAdapter[logging.Logger]):
    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 (logging's name)
        return not _silent.get() and super().isEnabledFor(level)


log = _RunLog(logging.getLogger("__main__"))


@contextmanager
def silence() -> Iterator[None]:
    """Write nothing of what the runs say in this thread meanwhile."""
    before = _silent.set(True)
    try:
        yield
    finally:
        _silent.reset(before)

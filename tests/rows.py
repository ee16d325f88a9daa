"""One test over a whole table, where a test a row would repeat itself: a failure names the row that it is about."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def row(*facts: object) -> Iterator[None]:
    """An error inside says which row of the table it is about."""
    try:
        yield
    except Exception as error:
        error.add_note(f"In the row: {', '.join(map(repr, facts))}")
        raise

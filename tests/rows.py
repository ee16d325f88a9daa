"""One test over a whole table, instead of one test per row: a failure names its row."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def row(*facts: object) -> Iterator[None]:
    """Context manager: an error inside names the row of the table."""
    try:
        yield
    except Exception as error:
        error.add_note(f"In the row: {', '.join(map(repr, facts))}")
        raise

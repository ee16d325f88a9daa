"""Lets one test check all rows of a table, with failures that name the row."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def row(*facts: object) -> Iterator[None]:
    """Add the row of the table to errors in the block."""
    try:
        yield
    except Exception as error:
        error.add_note(f"In the row: {', '.join(map(repr, facts))}")
        raise

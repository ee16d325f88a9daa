"""Tables for people: by rich on a terminal, plain text elsewhere."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import click

from recours.core.text import clean

_LONGEST_CELL = 200


@dataclass(frozen=True)
class Table:
    """A title, the heads of its columns and its rows. Columns named in `numbers` are ranged right."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    numbers: frozenset[str] = frozenset()


def show(table: Table) -> None:
    """Print it on stdout. Nothing in a cell is taken as markup, and none can forge a line."""
    rows = [[clean(cell, _LONGEST_CELL) for cell in row] for row in table.rows]
    if sys.stdout.isatty():
        _show_rich(table, rows)
    else:
        _show_plain(table, rows)


def _show_rich(table: Table, rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console  # noqa: PLC0415 (not needed in a pipe)
    from rich.table import Table as RichTable  # noqa: PLC0415 (same)
    from rich.text import Text  # noqa: PLC0415 (same)

    drawn = RichTable(title=Text(table.title, style="bold"), title_justify="left")
    for name in table.columns:
        drawn.add_column(Text(name), justify="right" if name in table.numbers else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(cell) for cell in row))
    Console().print(drawn)


def _show_plain(table: Table, rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(table.columns, *rows, strict=True)]
    click.echo(table.title)
    for row in (table.columns, *rows):
        cells = [
            cell.rjust(width) if name in table.numbers else cell.ljust(width)
            for name, cell, width in zip(table.columns, row, widths, strict=True)
        ]
        click.echo(("  " + "  ".join(cells)).rstrip())

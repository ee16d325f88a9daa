"""`recours export`: claims or attempts as CSV or JSON, one after the other, however many there are."""

import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

import click

from recours.access import publish
from recours.cli.console import FAILED, past_time, say_error, time_of
from recours.cli.operations import database_option, with_operations
from recours.operations.export import (
    ATTEMPT_COLUMNS,
    CLAIM_COLUMNS,
    attempt_row,
    claim_row,
    csv_pieces,
    json_pieces,
)
from recours.wiring.operations import Operations


@click.command("export")
@click.option("--csv", "as_csv", is_flag=True, help="CSV for spreadsheets, UTF-8 with a byte-order mark.")
@click.option("--json", "as_json", is_flag=True, help="One JSON array of objects.")
@click.option(
    "--what",
    type=click.Choice(["claims", "attempts"]),
    default="claims",
    show_default=True,
    help="What to write.",
)
@click.option(
    "--since",
    type=past_time(),
    metavar="DATE",
    help="Only claims made, or attempts begun, since then: 2026-02-03, 2026-02-03T14:00, 3d or 12h.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="A file; else stdout.")
@click.option("--force", is_flag=True, help="Replace the file if it is there.")
@database_option
def command(
    what: str,
    since: datetime | timedelta | None,
    output: Path | None,
    database_url: str | None,
    *,
    as_csv: bool,
    as_json: bool,
    force: bool,
) -> None:
    """Write claims or attempts as CSV or JSON. A file is complete, or not there."""
    if as_csv == as_json:
        raise click.UsageError("Choose one of --csv and --json.")
    with with_operations(database_url) as operations:
        text = _pieces(operations, what, since, as_csv=as_csv)
        pieces = (piece.encode("utf-8", "replace") for piece in text)
        try:
            _write(pieces, output, replace=force)
        except AlreadyThereError as there:
            sentence = f"{there} is there already; --force replaces it."
            raise click.BadParameter(sentence, param_hint="-o") from there
        except OSError as error:
            if output is None:
                raise  # as all that goes to stdout
            say_error(f"{output} cannot be written: {error.strerror or error}.")
            raise SystemExit(FAILED) from error


def _pieces(
    operations: Operations, what: str, since: datetime | timedelta | None, *, as_csv: bool
) -> Iterator[str]:
    start = time_of(since, operations.clock.now(), "--since")
    records, catalog = operations.records, operations.catalog
    if what == "claims":
        columns: Sequence[str] = CLAIM_COLUMNS
        rows = (claim_row(*one, catalog) for one in operations.with_positions(records.each_claim(start)))
    else:
        columns = ATTEMPT_COLUMNS
        rows = (attempt_row(*one, catalog) for one in records.each_attempt(start))
    return csv_pieces(rows, columns) if as_csv else json_pieces(rows)


def _write(pieces: Iterable[bytes], output: Path | None, *, replace: bool) -> None:
    if output is None:
        # In bytes: what the console cannot encode must not be lost in a file that this is redirected to.
        sys.stdout.buffer.writelines(pieces)
        sys.stdout.buffer.flush()
    else:
        with written(output, replace=replace) as file:
            file.writelines(pieces)


class AlreadyThereError(Exception):
    """The file is there, and was not to be replaced. The text is its path."""


@contextmanager
def written(path: Path, *, replace: bool = False) -> Iterator[BinaryIO]:
    """A file to write to, that comes to be under its name when all of it is on the disk.

    Readable by its owner alone. Raises AlreadyThereError, OSError.
    """
    if not replace and path.exists():
        raise AlreadyThereError(str(path))
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    part = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if replace:
            part.replace(path)
        elif not publish(part, path):
            raise AlreadyThereError(str(path))
    finally:
        part.unlink(missing_ok=True)

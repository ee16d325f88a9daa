"""`recours export`: claims or attempts as CSV or JSON, one after the other, however many there are."""

import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any, BinaryIO

import click

from recours.cli.console import say_error
from recours.cli.desk import FAILED, at_desk, database_option
from recours.cli.outfile import AlreadyThereError, written
from recours.desk.export import (
    ATTEMPT_COLUMNS,
    CLAIM_COLUMNS,
    attempt_row,
    claim_row,
    csv_pieces,
    json_pieces,
)
from recours.wiring import Desk


class Day(click.ParamType):  # type: ignore[type-arg]  # click 8.2, which we allow, takes no type argument here
    """A day, as `2026-02-06`."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Its midnight, in no zone yet."""
        try:
            return datetime.strptime(str(value), "%Y-%m-%d")  # noqa: DTZ007 (its zone is a setting, not yet read)
        except ValueError:
            self.fail(f"'{str(value)[:40]}' is not a day; write it as 2026-02-06.", param, ctx)


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
    type=Day(),
    metavar="DATE",
    help="Only claims made, or attempts begun, on this day or later.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="A file; else stdout.")
@click.option("--force", is_flag=True, help="Replace the file if it is there.")
@database_option
def command(
    what: str,
    since: datetime | None,
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
    with at_desk(database_url) as desk:
        pieces = (piece.encode("utf-8", "replace") for piece in _pieces(desk, what, since, as_csv=as_csv))
        try:
            _write(pieces, output, replace=force)
        except AlreadyThereError as there:
            raise click.BadParameter(
                f"{there} is there already; --force replaces it.", param_hint="-o"
            ) from there
        except BrokenPipeError:
            raise  # click ends quietly
        except OSError as error:
            say_error(f"{output or 'The answer'} cannot be written: {error.strerror or error}.")
            raise SystemExit(FAILED) from error


def _pieces(desk: Desk, what: str, since: datetime | None, *, as_csv: bool) -> Iterator[str]:
    zone = desk.settings.policy.zone
    start = datetime.combine(since.date(), time(), zone).astimezone(UTC) if since else None
    columns: tuple[str, ...] = CLAIM_COLUMNS
    if what == "claims":
        rows = (claim_row(listed, desk.catalog) for listed in desk.records.each_claim(start))
    else:
        columns = ATTEMPT_COLUMNS
        rows = (attempt_row(*one, desk.catalog) for one in desk.records.each_attempt(start))
    return csv_pieces(rows, columns) if as_csv else json_pieces(rows)


def _write(pieces: Iterable[bytes], output: Path | None, *, replace: bool) -> None:
    if output is None:
        # In bytes: what the console's encoding lacks must not be lost in a file that this is redirected to.
        _write_to(sys.stdout.buffer, pieces)
        sys.stdout.buffer.flush()
    else:
        with written(output, replace=replace) as file:
            _write_to(file, pieces)


def _write_to(file: BinaryIO, pieces: Iterable[bytes]) -> None:
    file.writelines(pieces)

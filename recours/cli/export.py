"""`recours export`: claims, attempts or evidence as CSV or JSON, one after the other, however many there are."""

import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import click

from recours.access import publish
from recours.carriers.registry import CATALOG
from recours.cli.console import FAILED, past_time, say_error, time_of
from recours.cli.operations import database_option, with_operations
from recours.core.claim import Stage
from recours.operations.export import (
    ATTEMPT_COLUMNS,
    CLAIM_COLUMNS,
    EVIDENCE_COLUMNS,
    attempt_row,
    claim_row,
    csv_pieces,
    evidence_rows,
    json_pieces,
)
from recours.operations.records import ClaimFilter, ListedClaim, Sort
from recours.wiring.operations import Operations


@click.command("export")
@click.option("--csv", "as_csv", is_flag=True, help="CSV for spreadsheets, UTF-8 with a byte-order mark.")
@click.option("--json", "as_json", is_flag=True, help="One JSON array of objects.")
@click.option(
    "--what",
    type=click.Choice(["claims", "attempts", "evidence"]),
    default="claims",
    show_default=True,
    help="What to write.",
)
@click.option(
    "--since",
    type=past_time(),
    metavar="DATE",
    help="Only claims made, attempts begun, or evidence that came since then: 2026-02-03, 2026-02-03T14:00, 3d or 12h.",
)
@click.option(
    "--search",
    "text",
    default="",
    metavar="TEXT",
    help="Only claims with this in their reference, tracking number, order or customer.",
)
@click.option(
    "--status",
    "statuses",
    metavar="STATUS",
    multiple=True,
    help="Only claims with this pod_fetch_status; repeatable.",
)
@click.option(
    "--stage",
    "stages",
    type=click.Choice([stage.value for stage in Stage]),
    multiple=True,
    help="Only claims at this stage; repeatable.",
)
@click.option(
    "--carrier", "carriers", metavar="NAME", multiple=True, help="Only claims of this carrier; repeatable."
)
@click.option(
    "--client", "clients", metavar="ID", multiple=True, help="Only claims of this client; repeatable."
)
@click.option(
    "--kind", "kinds", metavar="KIND", multiple=True, help="Only claims with this pod_error_kind; repeatable."
)
@click.option(
    "--sort", type=click.Choice([sort.value for sort in Sort]), help="Sort claims by this; else by their ids."
)
@click.option("--desc", "descending", is_flag=True, help="With --sort: the other way round.")
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
    sort: str | None,
    descending: bool,
    **chosen: Any,
) -> None:
    """Write claims, attempts or pieces of evidence as CSV or JSON. A file is complete, or not there."""
    if as_csv == as_json:
        raise click.UsageError("Choose one of --csv and --json.")
    if what != "claims" and (sort or any(chosen.values())):
        raise click.UsageError(f"Only claims can be filtered and sorted, not {what}.")
    if descending and not sort:
        raise click.UsageError("--desc needs --sort.")
    for name in chosen["carriers"]:
        if not CATALOG.keys_of(name):
            raise click.BadParameter(CATALOG.no_such(name), param_hint="--carrier")
    with with_operations(database_url) as operations:
        chosen["carriers"] = [key for name in chosen["carriers"] for key in operations.catalog.keys_of(name)]
        claims = partial(
            operations.records.each_claim,
            wanted=ClaimFilter(**chosen),
            sort=Sort(sort) if sort else None,
            descending=descending,
        )
        text = _pieces(operations, what, since, claims, as_csv=as_csv)
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
    operations: Operations,
    what: str,
    since: datetime | timedelta | None,
    claims: Callable[[datetime | None], Iterable[ListedClaim]],
    *,
    as_csv: bool,
) -> Iterator[str]:
    now = operations.clock.now()
    start = time_of(since, now, "--since")
    records, catalog = operations.records, operations.catalog
    columns: Sequence[str] = CLAIM_COLUMNS
    if what == "evidence":
        columns = EVIDENCE_COLUMNS
        found = records.with_evidence(start, now + timedelta(days=1))
        rows: Iterable[dict[str, Any]] = evidence_rows(found, start, catalog, operations.settings.policy.zone)
    elif what == "claims":
        rows = (claim_row(*one, catalog) for one in operations.with_positions(claims(start)))
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

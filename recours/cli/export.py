"""`recours export`: claims as CSV or JSON, one after the other, however many there are."""

import sys
from datetime import datetime, timedelta
from pathlib import Path

import click

from recours.cli.common import database_option, with_app, write_new_file
from recours.cli.console import carriers_option, past_time, time_of
from recours.core.claim import Stage
from recours.reporting.export import CLAIM_COLUMNS, claim_row, csv_pieces, json_pieces
from recours.reporting.records import ClaimFilter
from recours.reporting.snapshot import Reports


@click.command("export")
@click.option("--csv", "as_csv", is_flag=True, help="CSV for spreadsheets, UTF-8 with a byte-order mark.")
@click.option("--json", "as_json", is_flag=True, help="One JSON array of objects.")
@click.option(
    "--from",
    "since",
    type=past_time(),
    metavar="DATE",
    help="Only claims made since then: 2026-02-03, 2026-02-03T14:00, 3d or 12h.",
)
@click.option(
    "--stage",
    "stages",
    type=click.Choice([stage.value for stage in Stage]),
    multiple=True,
    help="Only claims at this stage; repeatable.",
)
@carriers_option
@click.option(
    "--client", "clients", metavar="ID", multiple=True, help="Only claims of this client; repeatable."
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="A new file; else stdout."
)
@database_option
def command(
    since: datetime | timedelta | None,
    stages: tuple[str, ...],
    carriers: tuple[str, ...],
    clients: tuple[str, ...],
    output: Path | None,
    database_url: str | None,
    *,
    as_csv: bool,
    as_json: bool,
) -> None:
    """Write claims as CSV or JSON. A file is complete, or not there."""
    if as_csv == as_json:
        raise click.UsageError("Choose one of --csv and --json.")
    with with_app(database_url) as app:
        zone = app.settings.policy.zone
        criteria = ClaimFilter(
            stages=tuple(Stage(stage) for stage in stages),
            carriers=tuple(key for name in carriers for key in app.catalog.keys_of(name)),
            clients=clients,
            due_until=app.due_until,
        )
        reports = Reports(app)
        claims = reports.records.each_claim(time_of(since, app.clock.now(), zone, "--from"), criteria)
        rows = (claim_row(*listed, app.catalog, zone) for listed in reports.with_positions(claims))
        text = csv_pieces(rows, CLAIM_COLUMNS) if as_csv else json_pieces(rows)
        pieces = (piece.encode("utf-8", "replace") for piece in text)
        if output is None:
            # In bytes: what the console cannot encode must not be lost in a file that this is redirected to.
            sys.stdout.buffer.writelines(pieces)
            sys.stdout.buffer.flush()
            return
        write_new_file(pieces, output)

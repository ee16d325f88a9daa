"""`recours export`: claims as CSV or JSON, streamed row by row."""

import sys
from datetime import date, datetime, timedelta
from pathlib import Path

import click

from recours.cli.common import database_option, with_app, write_new_file
from recours.cli.console import a_day, carriers_option, past_time, time_of
from recours.core.claim import Stage, deadline_end
from recours.reporting.export import CLAIM_COLUMNS, EXCEL_FR, PLAIN, export_pieces
from recours.reporting.records import ClaimFilter
from recours.reporting.snapshot import Reports


def _known_columns(_context: click.Context, _parameter: click.Parameter, typed: str | None) -> list[str]:
    if typed is None:
        return [*CLAIM_COLUMNS]
    columns = [name.strip() for name in typed.split(",")]
    if unknown := [name for name in columns if name not in CLAIM_COLUMNS]:
        raise click.BadParameter(
            f"there is no column '{unknown[0][:40]}'. Columns: {', '.join(CLAIM_COLUMNS)}."
        )
    return columns


@click.group("export")
def command() -> None:
    """Export claims for spreadsheets, accountants and other programs."""


@command.command("claims")
@click.option("--json", "as_json", is_flag=True, help="Write one JSON array of objects instead of CSV.")
@click.option(
    "--excel-fr",
    is_flag=True,
    help="Write CSV that French Excel opens as a table: ';', decimal comma, 26/11/2026 14:05, French sentences.",
)
@click.option(
    "--from",
    "since",
    type=past_time(),
    metavar="DATE",
    help="Limit to claims created since this time: 2026-02-03, 2026-02-03T14:00, 3d or 12h.",
)
@click.option(
    "--to", "last_day", type=a_day, metavar="DATE", help="Limit to claims created up to the end of this day."
)
@click.option(
    "--columns",
    metavar="NAMES",
    callback=_known_columns,
    help="Write only these columns, in this order, such as claim,order,amount.",
)
@click.option(
    "--stage",
    "stages",
    type=click.Choice([stage.value for stage in Stage]),
    multiple=True,
    help="Limit to claims at this stage; repeatable.",
)
@carriers_option
@click.option(
    "--client", "clients", metavar="ID", multiple=True, help="Limit to claims of this client; repeatable."
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write to this new file instead of stdout.",
)
@database_option
def claims_command(
    since: datetime | timedelta | None,
    last_day: date | None,
    columns: list[str],
    stages: tuple[str, ...],
    carriers: tuple[str, ...],
    clients: tuple[str, ...],
    output: Path | None,
    database_url: str | None,
    *,
    as_json: bool,
    excel_fr: bool,
) -> None:
    """Export claims as CSV or JSON. A file is written completely or not at all.

    Sentences are in English, and times are in RECOURS_TIMEZONE with their offset. Column names never change.
    """
    if as_json and excel_fr:
        raise click.UsageError("--json and --excel-fr cannot be combined.")
    with with_app(database_url) as app:
        zone = app.settings.policy.zone
        if (since or last_day) and not app.database.border.has("created_at"):
            raise click.UsageError(
                "--from and --to require the column created_at, which your claims table does not have."
            )
        criteria = ClaimFilter(
            stages=tuple(Stage(stage) for stage in stages),
            carriers=tuple(key for name in carriers for key in app.catalog.keys_of(name)),
            clients=clients,
            created_from=time_of(since, app.clock.now(), zone, "--from"),
            created_until=deadline_end(last_day, zone) if last_day else None,
            due_until=app.due_until,
        )
        reports = Reports(app)
        form = EXCEL_FR if excel_fr else PLAIN
        pieces = export_pieces(reports, reports.records.each_claim(criteria), columns, form, as_json=as_json)
        if output is None:
            # Write bytes, because a file may receive characters that the console cannot encode.
            sys.stdout.buffer.writelines(pieces)
            sys.stdout.buffer.flush()
            return
        write_new_file(pieces, output)

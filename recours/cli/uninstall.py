"""`recours uninstall`: takes out of a database what recours added to it."""

from contextlib import closing

import click

from recours.cli.operations import confirmed, database_option, report_faults, settings_for, yes_option
from recours.core.errors import RunError
from recours.database.engine import Database
from recours.database.schema.removal import Removal, find_removal, remove, work_under_way
from recours.settings.model import Settings
from recours.wiring.databases import clock_of, connect


@click.command("uninstall")
@click.option(
    "--columns",
    "with_columns",
    is_flag=True,
    help="Also drop the columns of the service's table that recours added.",
)
@click.option("--sql", "as_sql", is_flag=True, help="Print the SQL instead of running it.")
@yes_option
@database_option
def command(database_url: str | None, *, with_columns: bool, as_sql: bool, yes: bool) -> None:
    """Drop what recours added to the database: its tables, its view and its index. Documents and settings stay."""
    settings = settings_for(database_url)
    with report_faults(), closing(connect(settings)) as database:
        removal = find_removal(database, with_columns=with_columns)
        if as_sql:
            for statement in removal.statements:
                click.echo(f"{statement};")
            return
        if not removal.statements:
            click.echo(f"There is nothing of recours in {database.safe_url}.")
            return
        clock = clock_of(database)
        if work := work_under_way(database, clock.now()):
            raise RunError(
                f"A run is under way in {database.safe_url}: {work}. Disable the jobs (recours schedule remove) and wait "
                "until it has ended; claims of a run that died are free after 10 minutes. Nothing was changed."
            )
        _say_removal(settings, database, removal, with_columns=with_columns)
        if not confirmed("Drop it?", yes=yes):
            click.echo("Nothing was changed.", err=True)
            return
        remove(database, removal, clock)
        click.echo(f"Done: {database.border.claims.name} is your service's alone again.")


def _say_removal(settings: Settings, database: Database, removal: Removal, *, with_columns: bool) -> None:
    name = database.border.claims.name
    click.echo(f"To be dropped from {database.safe_url}, with everything in it:")
    if removal.tables:
        click.echo(f"  tables: {', '.join(removal.tables)}")
    if removal.indexes:
        click.echo(f"  indexes on {name}: {', '.join(removal.indexes)}")
    if removal.columns and with_columns:
        click.echo(f"  columns of {name}: {', '.join(removal.columns)}")
    elif removal.columns:
        click.echo(
            f"What recours added to {name} stays, unless you add --columns: {', '.join(removal.columns)}."
        )
    click.echo(
        f"Documents ({settings.pod_dir}), logs and .env stay. A job that still starts a worker adds it all again: "
        "see 'recours schedule remove'."
    )

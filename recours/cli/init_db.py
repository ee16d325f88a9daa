"""`recours init-db`: create or complete the database."""

from pathlib import Path

import click

from recours.carriers.registry import CATALOG
from recours.cli.console import say_error
from recours.cli.desk import database_option
from recours.database.create import complete, create_file
from recours.database.engine import DatabaseFault
from recours.settings.loading import load
from recours.settings.model import SettingsFault
from recours.settings.sources import process_environment
from recours.wiring.databases import clock_of, connect, named

ROOT = Path(__file__).resolve().parents[2]


@click.command("init-db")
@database_option
def command(database_url: str | None) -> None:
    """Create the configured database with its whole schema, or add to it what lacks. Nothing that is there changes."""
    try:
        settings = load(ROOT, process_environment(), CATALOG, database_url=database_url)
        database = named(settings)
        if database.path is not None and not database.is_there():
            made = create_file(database.path, settings.access)
            made_by = "Created" if made else "Another process created"
            click.echo(f"{made_by} {database.path} with its whole schema.")
            return
        database = connect(settings)
        for remark in complete(database, clock_of(database)) or ["Nothing was missing."]:
            click.echo(f"{database.shown}: {remark}")
    except SettingsFault as faults:
        for fault in faults.faults:
            say_error(fault)
        raise SystemExit(2) from faults
    except DatabaseFault as fault:
        say_error(str(fault))
        for line in fault.details:
            click.echo(line, err=True)
        raise SystemExit(1) from fault

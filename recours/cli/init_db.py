"""`recours init-db`: create or complete the database."""

import click

from recours.carriers.registry import CATALOG
from recours.cli.console import say_error
from recours.cli.operations import database_option
from recours.database.engine import Database, DatabaseError
from recours.database.schema.create import complete, create_file, sql_of_completion
from recours.database.schema.upgrade import grant_rights
from recours.home import NoHomeError, make_home
from recours.settings.loading import load
from recours.settings.model import SettingsError
from recours.settings.sources import process_environment
from recours.wiring.databases import clock_of, connect, named


@click.command("init-db")
@database_option
@click.option(
    "--grant-to", metavar="ROLE", help="Give this PostgreSQL role the rights that runs need, and no more."
)
@click.option("--sql", "as_sql", is_flag=True, help="Print the SQL instead of running it.")
def command(database_url: str | None, grant_to: str | None, *, as_sql: bool) -> None:
    """Create the configured database with its whole schema, or add what is missing. Nothing that is there changes.

    Large tables of an older version are widened for 64-bit claim ids, which may take minutes: do that at a quiet moment.
    """
    environment = process_environment()
    try:
        settings = load(make_home(environment), environment, CATALOG, database_url=database_url)
        database = named(settings)
        if grant_to and database.is_sqlite:
            raise click.UsageError("--grant-to is for PostgreSQL: an SQLite file has no roles.")
        if as_sql:
            said = sql_of_completion(database, grant_to)
        elif database.path is not None and not database.is_there():
            made_by = "Created" if create_file(database.path, settings.access) else "Another process created"
            said = [f"{made_by} {database.path} with its whole schema."]
        else:
            said = [f"{database.shown}: {remark}" for remark in _completed(connect(settings), grant_to)]
        for line in said:
            click.echo(line)
    except NoHomeError as error:
        say_error(str(error))
        raise SystemExit(2) from error
    except SettingsError as faults:
        for fault in faults.faults:
            say_error(fault)
        raise SystemExit(2) from faults
    except DatabaseError as fault:
        say_error(str(fault))
        for line in fault.details:
            click.echo(line, err=True)
        raise SystemExit(1) from fault


def _completed(database: Database, grant_to: str | None) -> list[str]:
    done = complete(database, clock_of(database)) or ["Nothing was missing."]
    return [*done, *(grant_rights(database, grant_to) if grant_to else [])]

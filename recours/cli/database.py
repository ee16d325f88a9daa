"""`recours init-db`, `backup`, `restore` and `uninstall`."""

import os
from contextlib import closing
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import click

from recours import __version__
from recours.admin.backup import Backup, BackupFacts, Restored, make_backup, open_backup, restore_backup
from recours.app import connect, named, read_clock
from recours.carriers.registry import CATALOG
from recours.cli.common import (
    confirmed,
    database_option,
    json_option,
    report_faults,
    say_fault,
    settings_for,
    tell_json,
    yes_option,
)
from recours.cli.console import FAILED, echo, harmless, say_error, status_of
from recours.core.errors import RunError
from recours.core.localized import Localized
from recours.core.text import plural
from recours.database.dialect import is_file
from recours.database.engine import Database
from recours.database.schema.creation import complete, create_file, grant_rights, sql_of_completion
from recours.database.schema.inspection import inspect_schema, require_claims
from recours.database.schema.removal import Removal, find_removal, remove, work_in_progress
from recours.fleet.job_queue import NEEDS, create_tables, open_queue, sql_of_tables
from recours.host.home import make_home
from recours.host.installation import pasteable, quoted_word
from recours.settings.loading import load
from recours.settings.model import Settings


@click.command("init-db")
@database_option
@click.option(
    "--grant-to", metavar="ROLE", help="Grant this PostgreSQL role exactly the rights that runs need."
)
@click.option("--fleet", is_flag=True, help="Also create the job queue tables for 'recours worker'.")
@click.option("--sql", "as_sql", is_flag=True, help="Print the SQL instead of running it.")
def init_db_command(database_url: str | None, grant_to: str | None, *, fleet: bool, as_sql: bool) -> None:
    """Create the configured database with its schema, or add what is missing. Existing data does not change."""
    environment = os.environ
    with report_faults():
        settings = load(make_home(environment), environment, CATALOG, database_url=database_url)
    try:
        database = named(settings)
        if grant_to and database.is_sqlite:
            raise click.UsageError("--grant-to works on PostgreSQL only; an SQLite file has no roles.")
        with report_faults():
            job_queue = open_queue(settings) if fleet else None
        if as_sql:
            lines = sql_of_completion(database, grant_to)
            lines += sql_of_tables(database, job_queue.schema(), grant_to) if job_queue else []
        elif database.path is not None and not database.is_there():
            made_by = "Created" if create_file(database.path, settings.access) else "Another process created"
            lines = [f"{made_by} {database.path} with its whole schema."]
        else:
            database = connect(settings)
            queue_is_new = job_queue is not None and create_tables(database, job_queue.schema())
            notes = complete(database, read_clock(database))
            notes += ["the job queue tables were created"] if queue_is_new else []
            notes = notes or ["the schema is already up to date"]
            if grant_to:
                notes += grant_rights(database, grant_to, NEEDS if fleet else ())
            lines = [f"{database.safe_url}: {remark}" for remark in notes]
        say = click.echo if as_sql else echo  # SQL must not be wrapped
        for line in lines:
            say(line)
    except RunError as fault:
        say_fault(fault)
        raise SystemExit(status_of(fault)) from fault


@click.command("backup")
@click.argument("folder", required=False, type=click.Path(file_okay=False, path_type=Path))
@database_option
@json_option
def backup_command(folder: Path | None, database_url: str | None, as_json: bool) -> None:
    """Back up the database and its documents to a new folder in FOLDER (default: data/backups).

    The folder is named recours-backup-<UTC time> and appears only when the backup is complete. It does not contain secrets
    (.env, secrets.toml). Runs and the claims service may continue.
    """
    settings = settings_for(database_url)
    with report_faults(), closing(connect(settings)) as database:
        require_claims(database, inspect_schema(database))
        parent = (folder or settings.root / "data" / "backups").absolute()
        target, facts = make_backup(
            database, parent, settings.pod_dir, __version__, read_clock(database).now()
        )
    _warn(facts)
    if as_json:
        tell_json(asdict(facts) | {"folder": str(target)})
        return
    echo(f"{target}: {_content(facts)}.")
    echo(
        "The backup does not contain .env and secrets.toml: keep copies of them elsewhere. Copy the backup folder to "
        "another machine."
    )
    echo(pasteable(f"To verify the backup: recours restore --check {quoted_word(str(target))}"))


def _warn(facts: BackupFacts) -> None:
    for missing in facts.documents_missing:
        echo(f"WARNING: {harmless(missing)}.", err=True)


def _content(facts: BackupFacts) -> str:
    return (
        f"{plural(facts.claims, 'claim')}, {plural(facts.attempts, 'attempt')}, "
        f"{plural(facts.documents, 'document')}, {facts.bytes:,} bytes"
    )


@click.command("restore")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--check", is_flag=True, help="Only verify the backup; restore nothing.")
@click.option("--force", is_flag=True, help="Restore even if a run seems to be in progress.")
@database_option
def restore_command(folder: Path, check: bool, force: bool, database_url: str | None) -> None:
    """Restore the backup in FOLDER: replace the configured database and add missing documents.

    Stop the workers and the claims service first. The backup is verified before anything is restored: the SHA-256 of every
    file must match SHA256SUMS.
    """
    settings = settings_for(database_url)
    with report_faults():
        backup = open_backup(folder.absolute())
        made_at = Localized("en", settings.policy.zone).minute(datetime.fromisoformat(backup.facts.made_at))
        faults = list(backup.faults())
        _say_verified(backup, faults, made_at)
        if faults:
            raise SystemExit(FAILED)
        if check:
            echo("The backup is complete, and no file has changed.")
        else:
            # The current SQLite file is not opened: it may be damaged or missing, and the backup replaces it.
            opened = named(settings) if is_file(settings.database_url) else connect(settings)
            with closing(opened) as database:
                result = restore_backup(backup, database, settings.pod_dir, settings.access, force=force)
            _say_restored(result, made_at)


def _say_verified(backup: Backup, faults: list[str], made_at: str) -> None:
    facts = backup.facts
    schema = facts.schema or "without recours"
    echo(f"{backup.folder}: made {made_at} by recours {facts.recours}, {facts.database}, schema {schema}")
    echo(f"{_content(facts)}.")
    _warn(facts)
    for fault in faults:
        say_error(fault)
    if faults:
        say_error(f"The backup is damaged: {plural(len(faults), 'problem')}. Nothing was restored.")


def _say_restored(result: Restored, made_at: str) -> None:
    echo(f"{result.database} was restored to its state of {made_at}.")
    if result.aside:
        echo(f"The previous database is kept as {result.aside}; delete it once you are satisfied.")
    echo(f"{plural(result.copied, 'missing document')} restored.")
    if result.moved:
        echo(f"The documents folder has moved: {plural(result.moved, 'path')} in the database corrected.")
    for path in result.conflicts:
        echo(f"WARNING: {harmless(path)} differs from the backup; it was not changed.", err=True)
    echo(
        f"API calls made after {made_at} are not counted. Lower the QUOTA_ settings for today if you are close to a limit."
    )
    echo(
        "Documents fetched after the backup are fetched again under other names. Emails sent after the backup may be sent "
        "again."
    )
    echo(pasteable("Next: run recours retry --dry-run, then enable the jobs."))


@click.command("uninstall")
@click.option(
    "--columns",
    "with_columns",
    is_flag=True,
    help="Also drop the columns that recours added to the claims table.",
)
@click.option("--sql", "as_sql", is_flag=True, help="Print the SQL instead of running it.")
@yes_option
@database_option
def uninstall_command(database_url: str | None, *, with_columns: bool, as_sql: bool, yes: bool) -> None:
    """Remove what recours added to the database: its tables, its view and its index. Documents and settings stay."""
    settings = settings_for(database_url)
    with report_faults(), closing(connect(settings)) as database:
        removal = find_removal(database, with_columns=with_columns)
        if as_sql:
            click.echo("".join(f"{statement};\n" for statement in removal.statements), nl=False)
            return
        if not removal.statements:
            echo(f"{database.safe_url} contains nothing that recours created.")
            return
        clock = read_clock(database)
        if work := work_in_progress(database, clock.now()):
            raise RunError(
                f"A run is in progress in {database.safe_url}: {work}. Disable the jobs (recours schedule remove) and wait "
                "until the run has ended; the leases of a run that died expire after 10 minutes. Nothing was changed."
            )
        _say_removal(settings, database, removal, with_columns=with_columns)
        if not confirmed("Remove?", yes=yes):
            return
        remove(database, removal, clock)
        echo("Removed.")


def _say_removal(settings: Settings, database: Database, removal: Removal, *, with_columns: bool) -> None:
    name = database.border.claims.name
    echo(f"To be removed from {database.safe_url}, with all data in it:")
    if removal.tables:
        echo(f"  tables: {', '.join(removal.tables)}")
    if removal.indexes:
        echo(f"  indexes on {name}: {', '.join(removal.indexes)}")
    if removal.columns and with_columns:
        echo(f"  columns of {name}: {', '.join(removal.columns)}")
    elif removal.columns:
        echo(
            f"The columns that recours added to {name} stay (drop them with --columns): {', '.join(removal.columns)}."
        )
    echo(
        f"Documents ({settings.pod_dir}), logs and .env stay. If a job still starts a worker, the worker adds everything "
        "again; see 'recours schedule remove'."
    )

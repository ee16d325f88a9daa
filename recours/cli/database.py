"""`recours init-db`, `backup`, `restore` and `uninstall`: the database made, copied with its documents, put back, cleared."""

import os
from contextlib import closing
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import click

from recours import __version__
from recours.admin.backup import Backup, BackupFacts, Restored, make_backup, open_backup, put_back
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
from recours.database.schema.inspection import look, require_claims
from recours.database.schema.removal import Removal, find_removal, remove, work_under_way
from recours.fleet.job_queue import NEEDS, create_tables, open_queue, sql_of_tables
from recours.host.home import make_home
from recours.host.installation import pasteable, quoted_word
from recours.settings.loading import load
from recours.settings.model import Settings


@click.command("init-db")
@database_option
@click.option(
    "--grant-to", metavar="ROLE", help="Give this PostgreSQL role the rights that runs need, and no more."
)
@click.option("--fleet", is_flag=True, help="Also make the tables of the job queue of 'recours worker'.")
@click.option("--sql", "as_sql", is_flag=True, help="Print the SQL instead of running it.")
def init_db_command(database_url: str | None, grant_to: str | None, *, fleet: bool, as_sql: bool) -> None:
    """Create the configured database with its whole schema, or add what is missing. Nothing that is there changes."""
    environment = os.environ
    with report_faults():
        settings = load(make_home(environment), environment, CATALOG, database_url=database_url)
    try:
        database = named(settings)
        if grant_to and database.is_sqlite:
            raise click.UsageError("--grant-to is for PostgreSQL: an SQLite file has no roles.")
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
            notes += ["the tables of the job queue were created"] if queue_is_new else []
            notes = notes or ["Nothing was missing."]
            if grant_to:
                notes += grant_rights(database, grant_to, NEEDS if fleet else ())
            lines = [f"{database.safe_url}: {remark}" for remark in notes]
        say = click.echo if as_sql else echo  # SQL is for programs
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
    """Copy the database, then the documents that it knows of, to a new folder in FOLDER (default: data/backups).

    Runs and the service's application go on meanwhile. The new folder is called recours-backup-<UTC time>, and is there
    only when it is whole. Secrets (.env, secrets.toml) are not in it.
    """
    settings = settings_for(database_url)
    with report_faults(), closing(connect(settings)) as database:
        require_claims(database, look(database))
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
        "Not in it: .env and secrets.toml. Keep them elsewhere, and a copy of this folder on another machine."
    )
    echo(pasteable(f"To verify it: recours restore --check {quoted_word(str(target))}"))


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
@click.option("--check", is_flag=True, help="Verify the backup only; nothing that is in use is touched.")
@click.option("--force", is_flag=True, help="Even if a run seems to be under way.")
@database_option
def restore_command(folder: Path, check: bool, force: bool, database_url: str | None) -> None:
    """Put the backup in FOLDER back: its database in the place of the configured one, and the missing documents.

    It is verified first: every file's SHA-256, as SHA256SUMS has it. Stop both jobs and the service's application before.
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
            echo("The backup is whole: every file is what it was.")
        else:
            _say_restored(_restored(settings, backup, force=force), made_at)


def _say_verified(backup: Backup, faults: list[str], made_at: str) -> None:
    facts = backup.facts
    schema = facts.schema or "none of recours"
    echo(f"{backup.folder}: made {made_at} by recours {facts.recours}, {facts.database}, schema {schema}")
    echo(f"{_content(facts)}.")
    _warn(facts)
    for fault in faults:
        say_error(fault)
    if faults:
        say_error(f"The backup is not whole: {plural(len(faults), 'fault')}. Nothing was restored.")


def _restored(settings: Settings, backup: Backup, *, force: bool) -> Restored:
    # An SQLite database that is damaged, or not there, is no reason to keep a good one back: it is not looked at.
    opened = named(settings) if is_file(settings.database_url) else connect(settings)
    with closing(opened) as database:
        return put_back(backup, database, settings.pod_dir, settings.access, force=force)


def _say_restored(result: Restored, made_at: str) -> None:
    echo(f"Restored: {result.database} is as it was on {made_at}.")
    if result.aside:
        echo(f"What was there is kept as {result.aside}; delete it once you are satisfied.")
    echo(f"{plural(result.copied, 'missing document')} restored.")
    if result.moved:
        echo(
            f"{plural(result.moved, 'document')} in another folder now: the paths in the database are corrected."
        )
    for path in result.conflicts:
        echo(f"WARNING: {harmless(path)} differs from the one in the backup; it is left as it is.", err=True)
    echo(
        f"API calls made after {made_at} are not counted. Lower the QUOTA_ settings for today if you are close to a limit."
    )
    echo("Documents fetched since are fetched again, and kept apart. Mails sent since may be sent once more.")
    echo(pasteable("Next: recours retry --dry-run, then enable the jobs."))


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
def uninstall_command(database_url: str | None, *, with_columns: bool, as_sql: bool, yes: bool) -> None:
    """Drop what recours added to the database: its tables, its view and its index. Documents and settings stay."""
    settings = settings_for(database_url)
    with report_faults(), closing(connect(settings)) as database:
        removal = find_removal(database, with_columns=with_columns)
        if as_sql:
            click.echo("".join(f"{statement};\n" for statement in removal.statements), nl=False)
            return
        if not removal.statements:
            echo(f"There is nothing of recours in {database.safe_url}.")
            return
        clock = read_clock(database)
        if work := work_under_way(database, clock.now()):
            raise RunError(
                f"A run is under way in {database.safe_url}: {work}. Disable the jobs (recours schedule remove) and wait "
                "until it has ended; claims of a run that died are free after 10 minutes. Nothing was changed."
            )
        _say_removal(settings, database, removal, with_columns=with_columns)
        if not confirmed("Drop it?", yes=yes):
            return
        remove(database, removal, clock)
        echo(f"Done: {database.border.claims.name} is your service's alone again.")


def _say_removal(settings: Settings, database: Database, removal: Removal, *, with_columns: bool) -> None:
    name = database.border.claims.name
    echo(f"To be dropped from {database.safe_url}, with everything in it:")
    if removal.tables:
        echo(f"  tables: {', '.join(removal.tables)}")
    if removal.indexes:
        echo(f"  indexes on {name}: {', '.join(removal.indexes)}")
    if removal.columns and with_columns:
        echo(f"  columns of {name}: {', '.join(removal.columns)}")
    elif removal.columns:
        echo(f"What recours added to {name} stays, unless you add --columns: {', '.join(removal.columns)}.")
    echo(
        f"Documents ({settings.pod_dir}), logs and .env stay. A job that still starts a worker adds it all again: "
        "see 'recours schedule remove'."
    )

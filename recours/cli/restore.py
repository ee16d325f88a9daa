"""`recours restore`: a backup verified, or put back."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import click

from recours.backup.folder import FolderBackup, open_backup, stamp
from recours.cli.backup import in_it, told
from recours.cli.console import harmless, say_error
from recours.cli.operations import FAILED, database_option, faults_told, json_option, settings_for, tell_json
from recours.core.text import clean, plural
from recours.database.backup.postgres import PostgresCopies, is_empty, restore_command, restore_into
from recours.database.backup.replacement import correct_paths, staged, work_under_way
from recours.database.backup.sqlite import SqliteCopies
from recours.database.clock import SystemClock
from recours.database.engine import Database, DatabaseError
from recours.database.schema.inspection import KNOWN
from recours.logs import local
from recours.operations.backup import DOCUMENTS, BackupError, DatabaseCopies, Examined, KnownDocument, examine
from recours.runs.summary import format_minute
from recours.settings.model import Settings
from recours.wiring.databases import connect

_COPIES: dict[str, DatabaseCopies] = {copies.kind: copies for copies in (SqliteCopies(), PostgresCopies())}


@dataclass
class _Restored:
    """What was done."""

    database: str
    aside: Path | None = None
    copied: int = 0  # missing documents that were restored
    moved: int = 0  # documents that lie elsewhere than they did
    kept: list[str] = field(default_factory=list)  # files of the same name and another content


@click.command("restore")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--check", is_flag=True, help="Verify the backup only; nothing that is in use is touched.")
@click.option("--force", is_flag=True, help="Even if a run seems to be under way.")
@database_option
@json_option
def command(folder: Path, check: bool, force: bool, database_url: str | None, as_json: bool) -> None:
    """Put the backup in FOLDER back: its database in the place of the configured one, and the missing documents.

    It is verified first: every file's SHA-256, the copy of the database itself, and every document that it knows of.
    Stop both jobs and the service's application before.
    """
    with faults_told():
        backup = open_backup(folder.absolute())
        found = _examined(backup)
        if not as_json:
            _say(backup, found)
        if found.faults or check:
            _end(backup, found, as_json)
            return
        done = _restored(settings_for(database_url), backup, force=force)
    if as_json:
        tell_json(_as_json(backup, found) | _restored_as_json(done))
    else:
        _say_restored(backup, done)


# ---------------------------------------------------------------- verifying


def _examined(backup: FolderBackup) -> Examined:
    copies = _COPIES.get(backup.manifest.kind)
    if copies is None:
        raise BackupError(
            f"It is a backup of a database of the kind '{clean(backup.manifest.kind, 40)}', which is unknown here."
        )
    return examine(backup, copies, KNOWN)


def _say(backup: FolderBackup, found: Examined) -> None:
    manifest = found.manifest
    made = format_minute(manifest.made_at, local)
    schema = manifest.facts.schema or "none of recours"
    click.echo(
        f"{backup.folder}: made {made} by recours {clean(manifest.version, 40)}, {manifest.kind}, schema {clean(schema, 40)}"
    )
    click.echo(f"{in_it(manifest)}.")
    for warning in found.warnings:
        click.echo(f"WARNING: {harmless(warning)}.", err=True)
    for fault in found.faults:
        say_error(fault)


def _end(backup: FolderBackup, found: Examined, as_json: bool) -> None:
    if as_json:
        tell_json(_as_json(backup, found))
    elif not found.faults:
        click.echo(
            "The backup is whole: every file is what it was, and every document that the database knows of is there."
        )
    if found.faults:
        if not as_json:
            say_error(f"The backup is not whole: {plural(len(found.faults), 'fault')}. Nothing was restored.")
        raise SystemExit(FAILED)


def _as_json(backup: FolderBackup, found: Examined) -> dict[str, object]:
    return told(found.manifest) | {
        "folder": str(backup.folder),
        "whole": not found.faults,
        "faults": found.faults,
        "warnings": found.warnings,
    }


# ---------------------------------------------------------------- putting back


def _restored(settings: Settings, backup: FolderBackup, *, force: bool) -> _Restored:
    database = (
        Database(settings.database_url)
        if settings.database_url.get_backend_name() == "sqlite"
        else connect(settings)
    )
    try:
        kind = "sqlite" if database.is_sqlite else "postgresql"
        if kind != backup.manifest.kind:
            raise BackupError(
                f"It is a backup of {backup.manifest.kind}, and {database.shown} is none: name one with --database-url."
            )
        if database.path:
            return _sqlite(settings, backup, database, database.path, force=force)
        return _postgres(settings, backup, database)
    finally:
        database.close()


def _sqlite(
    settings: Settings, backup: FolderBackup, database: Database, path: Path, *, force: bool
) -> _Restored:
    clock = SystemClock()
    if database.is_there() and not force:
        _require_rest(database, clock)
    database.close()
    copy = backup.path_of(backup.manifest.database_file)
    done = _Restored(database.shown)
    with staged(copy, path, stamp(clock.now()), settings.access) as ready:
        if backup.manifest.facts.schema is not None:
            at_work = ready.database
            done.moved = correct_paths(at_work, _place(settings, backup))
            at_work.close()
        if backup.manifest.notes.get("journal_mode") == "wal":
            ready.write_ahead()
        done.copied, done.kept = backup.put_documents_back(settings.pod_dir, settings.access)
        # Last: what was restored so far is of no consequence without it.
        done.aside = ready.take_its_place()
    return done


def _require_rest(database: Database, clock: SystemClock) -> None:
    try:
        under_way = work_under_way(database, clock.now())
    except DatabaseError as fault:
        raise BackupError(
            f"Whether a run is under way cannot be found out: {fault} If none is, repeat it with --force."
        ) from fault
    if under_way:
        raise BackupError(
            f"A run is under way in {database.shown}: {', '.join(under_way)}. Disable the jobs and wait until it has ended "
            "(claims of a run that died are free after 10 minutes), or repeat it with --force."
        )


def _postgres(settings: Settings, backup: FolderBackup, database: Database) -> _Restored:
    dump = backup.path_of(backup.manifest.database_file)
    if not is_empty(database):
        command, _ = restore_command(database, dump)
        raise BackupError(
            f"{database.shown} is not empty, and recours fills an empty database only. Create one (createdb NAME), and either "
            "repeat this with --database-url of it, or run the following with its name in dbname (the password in PGPASSWORD):",
            [shlex.join(command)],
        )
    done = _Restored(database.shown)
    done.copied, done.kept = backup.put_documents_back(settings.pod_dir, settings.access)
    restore_into(database, dump)
    if backup.manifest.facts.schema is not None:
        done.moved = correct_paths(database, _place(settings, backup))
    return done


def _place(settings: Settings, backup: FolderBackup) -> Callable[[KnownDocument], str | None]:
    """Where a document lies once the backup is put back; None: it is not in it."""

    def place(document: KnownDocument) -> str | None:
        if document.name is None or f"{DOCUMENTS}/{document.name}" not in backup.manifest.files:
            return None
        return str(settings.pod_dir.joinpath(*document.name.split("/")))

    return place


# ---------------------------------------------------------------- what was done


def _say_restored(backup: FolderBackup, done: _Restored) -> None:
    made = format_minute(backup.manifest.made_at, local)
    click.echo(f"Restored: {done.database} is as it was on {made}.")
    if done.aside:
        click.echo(f"What was there is kept as {done.aside}; delete it when you are content.")
    click.echo(f"{plural(done.copied, 'missing document')} restored.")
    if done.moved:
        click.echo(
            f"{plural(done.moved, 'document')} in another folder now: the paths in the database are corrected."
        )
    for path in done.kept:
        click.echo(
            f"WARNING: {harmless(path)} differs from the one in the backup; it is left as it is.",
            err=True,
        )
    click.echo(
        f"API calls made after {made} are not counted. Lower the QUOTA_ settings for today if you are close to a limit."
    )
    click.echo(
        "Documents fetched since are fetched again, and kept apart. Mails sent since may be sent once more."
    )
    click.echo("Next: python scripts/pod_retry_scheduler.py --dry-run, then enable the jobs.")


def _restored_as_json(done: _Restored) -> dict[str, object]:
    return {
        "restored": True,
        "aside": str(done.aside) if done.aside else None,
        "documents_put_back": done.copied,
        "documents_moved": done.moved,
        "files_left_as_they_are": done.kept,
    }

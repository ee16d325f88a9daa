"""`recours backup`: the database and its documents in a folder, consistent while runs go on."""

from pathlib import Path

import click

from recours import __version__
from recours.backup.folder import new_box
from recours.cli.console import as_typed
from recours.cli.operations import database_option, faults_told, json_option, settings_for, tell_json
from recours.core.text import plural
from recours.database.backup.postgres import PostgresSource
from recours.database.backup.sqlite import SqliteSource
from recours.database.engine import Database
from recours.database.schema.inspection import look, require_claims
from recours.operations.backup import DatabaseSource, Manifest, lacking_words, make_backup
from recours.settings.model import Settings
from recours.wiring.databases import clock_of, connect


@click.command("backup")
@click.argument("folder", required=False, type=click.Path(file_okay=False, path_type=Path))
@database_option
@json_option
def command(folder: Path | None, database_url: str | None, as_json: bool) -> None:
    """Copy the database, then the documents that it knows of, to a new folder in FOLDER (default: data/backups).

    Runs and the service's application go on meanwhile. The new folder is called recours-backup-<UTC time>, and is there
    only when it is whole. Secrets (.env, secrets.toml) are not in it.
    """
    settings = settings_for(database_url)
    with faults_told():
        database = connect(settings)
        try:
            made, manifest = _make(
                settings, database, (folder or settings.root / "data" / "backups").absolute()
            )
        finally:
            database.close()
    for lacking in manifest.lacking:
        click.echo(f"WARNING: {lacking_words(lacking)}.", err=True)
    if as_json:
        tell_json(told(manifest) | {"folder": str(made)})
        return
    click.echo(f"{made}: {in_it(manifest)}.")
    click.echo(
        "Not in it: .env and secrets.toml. Keep them elsewhere, and a copy of this folder on another machine."
    )
    click.echo(f"To verify it: recours restore --check {as_typed(made)}")


def _make(settings: Settings, database: Database, parent: Path) -> tuple[Path, Manifest]:
    require_claims(database, look(database))
    source: DatabaseSource = (
        SqliteSource(database=database.path) if database.path else PostgresSource(database=database)
    )
    now = clock_of(database).now()
    with new_box(parent, now) as box:
        return make_backup(source, box, settings.pod_dir, __version__, now)


def in_it(manifest: Manifest) -> str:
    """What a backup holds, in words."""
    facts = manifest.facts
    return (
        f"{plural(facts.claims, 'claim')}, {plural(facts.attempts, 'attempt')}, "
        f"{plural(len(manifest.documents), 'document')}, {manifest.size:,} bytes"
    )


def told(manifest: Manifest) -> dict[str, object]:
    """What a backup holds, for programs."""
    return {
        "made_at": manifest.made_at.isoformat(),
        "recours": manifest.version,
        "database": manifest.kind,
        "schema": manifest.facts.schema,
        "claims": manifest.facts.claims,
        "attempts": manifest.facts.attempts,
        "documents": len(manifest.documents),
        "bytes": manifest.size,
        "documents_lacking": [
            {"path": lacking.path, "sha256": lacking.sha256, "why": lacking.why}
            for lacking in manifest.lacking
        ],
    }

"""A backup put back: its documents where they are missing, its database in the place of the configured one."""

import shlex
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import bindparam, func, select, update

from recours.access import Access
from recours.backup.folder import FolderBackup, stamp
from recours.backup.manifest import DOCUMENTS, BackupError, name_below
from recours.backup.postgres import KIND as POSTGRESQL
from recours.backup.postgres import is_empty, restore_command, restore_into
from recours.backup.sqlite import KIND as SQLITE
from recours.backup.sqlite import staged
from recours.core.text import plural
from recours.database.clock import SystemClock
from recours.database.engine import Database, DatabaseError
from recours.database.rows import free
from recours.database.schema.inspection import look
from recours.database.tables import attempts, claims, runs

# A run that began longer ago than that and has no end has died.
_LONGEST_RUN = timedelta(hours=1)
_CHUNK = 1000
_a, _c = attempts.c, claims.c

_TO_ATTEMPT = update(attempts).where(_a.id == bindparam("of")).values(document_path=bindparam("to"))
_TO_CLAIM = (
    update(claims)
    .where(_c.id == bindparam("of_claim"), _c.pod_url == bindparam("before"))
    .values(pod_url=bindparam("to"))
)


@dataclass
class Restored:
    """What was done to put a backup back."""

    database: str
    aside: Path | None = None
    copied: int = 0  # missing documents that were restored
    moved: int = 0  # documents that lie elsewhere than they did
    kept: list[str] = field(default_factory=list)  # files of the same name and another content


def put_back(
    backup: FolderBackup, database: Database, pod_dir: Path, access: Access, *, force: bool
) -> Restored:
    """Put a backup that was verified in the place of the database. `force`: whatever runs are about. Raises BackupError."""
    kind = SQLITE if database.is_sqlite else POSTGRESQL
    if kind != backup.manifest.kind:
        raise BackupError(
            f"It is a backup of {backup.manifest.kind}, and {database.shown} is none: name one with --database-url."
        )
    if database.path and database.is_there() and not force:
        _require_rest(database)
    copied = backup.path_of(backup.manifest.database_file)
    if not database.path and not is_empty(database):
        command, _ = restore_command(database, copied)
        raise BackupError(
            f"{database.shown} is not empty, and recours fills an empty database only. Create one (createdb NAME), and either "
            "repeat this with --database-url of it, or run the following with its name in dbname (the password in PGPASSWORD):",
            [shlex.join(command)],
        )
    done = Restored(database.shown)
    if not database.path:
        done.copied, done.kept = backup.put_documents_back(pod_dir, access)
        restore_into(database, copied)
        done.moved = _correct_paths(database, backup, pod_dir)
        return done
    database.close()
    with staged(copied, database.path, stamp(SystemClock().now()), access) as ready:
        done.moved = _correct_paths(ready.database, backup, pod_dir)
        if backup.manifest.notes.get("journal_mode") == "wal":
            ready.write_ahead()
        done.copied, done.kept = backup.put_documents_back(pod_dir, access)
        # Last: what was restored so far is of no consequence without it.
        done.aside = ready.take_its_place()
    return done


def _require_rest(database: Database) -> None:
    try:
        under_way = _work_under_way(database, SystemClock().now())
    except DatabaseError as fault:
        raise BackupError(
            f"Whether a run is under way cannot be found out: {fault} If none is, repeat it with --force."
        ) from fault
    if under_way:
        raise BackupError(
            f"A run is under way in {database.shown}: {', '.join(under_way)}. Disable the jobs and wait until it has ended "
            "(claims of a run that died are free after 10 minutes), or repeat it with --force."
        )


def _work_under_way(database: Database, now: datetime) -> list[str]:
    """What runs are about at this moment, as phrases. Raises DatabaseError."""
    schema = look(database)
    if not schema.is_current:
        return []  # no run works on it before it is
    under_way = runs.c.ended_at.is_(None), runs.c.started_at > now - _LONGEST_RUN
    with database.read() as connection:
        held = connection.scalar(select(func.count()).where(_c.pod_lease_token.is_not(None), ~free(now))) or 0
        begun = connection.scalar(select(func.count()).where(*under_way)) or 0
    said = [f"{plural(held, 'claim')} being fetched"] if held else []
    return [*said, f"{plural(begun, 'run')} without an end yet"] if begun else said


def _correct_paths(database: Database, backup: FolderBackup, pod_dir: Path) -> int:
    """Say in the records and the claims where the documents are now; returns how many have moved. Raises DatabaseError."""
    if backup.manifest.facts.schema is None:
        return 0
    moved, last = 0, 0
    query = select(_a.id, _a.claim_id, _a.document_path).where(_a.document_path.is_not(None))
    while True:
        with database.write() as connection:
            found = connection.execute(query.where(_a.id > last).order_by(_a.id).limit(_CHUNK)).all()
            changed: list[dict[str, Any]] = []
            for row in found:
                to = _place(row.document_path, backup, pod_dir)
                if to not in (None, row.document_path):
                    named = {"of": row.id, "of_claim": row.claim_id, "before": row.document_path, "to": to}
                    changed.append(named)
            if changed:
                connection.execute(_TO_ATTEMPT, changed)
                connection.execute(_TO_CLAIM, changed)
        moved += len(changed)
        if len(found) < _CHUNK:
            return moved
        last = found[-1].id


def _place(path: str, backup: FolderBackup, pod_dir: Path) -> str | None:
    """Where a document lies once the backup is put back; None: it is not in it."""
    name = name_below(path)
    if name is None or f"{DOCUMENTS}/{name}" not in backup.manifest.files:
        return None
    return str(pod_dir.joinpath(*name.split("/")))

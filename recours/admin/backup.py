"""Creates, verifies and restores backups, each of which is a folder.

The database is copied first, then every document that the copy names. A document is always on disk before its row is
committed, so the copy names no document that is missing from the backup.

Until everything is on disk, a folder's name starts with a dot and ends with `.partial`.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Connection, func, inspect, literal, select, union, update

from recours.core.errors import RunError
from recours.core.evidence import FOLDER, Manifest
from recours.core.text import clean
from recours.database.border import TableNames
from recours.database.claim_rows import owed_in, owed_text
from recours.database.dialect import (
    DIALECTS,
    FileError,
    connection_to_file,
    copy_file,
    files_of_sqlite,
    url_of_file,
)
from recours.database.engine import (
    KEEPALIVES,
    SECRET_QUERY,
    Database,
    DatabaseError,
    SystemClock,
    explain,
)
from recours.database.evidence import MANIFEST
from recours.database.schema.inspection import HEAD, REVISIONS, version_of
from recours.database.schema.removal import work_in_progress
from recours.database.tables import attempts, claims, erasures, evidence
from recours.evidence.store import is_inside, sync_folder
from recours.host.files import PRIVATE, Access, create_like, environment_of_others, exists, read_regular

_a = attempts.c
_c = claims.c
_v = evidence.c

DOCUMENTS = "documents"
PREFIX = "recours-backup-"
COPIES = {name: dialect.backup_file for name, dialect in DIALECTS.items()}  # the copy's name, by dialect
_FACTS = "backup.json"
_SUMS = "SHA256SUMS"
_PARTIAL = ".partial"
_ABANDONED_AFTER_S = 24 * 3600


class BackupError(RunError):
    """A backup cannot be created, read or restored. The text says why and what to do."""


@dataclass(frozen=True)
class BackupFacts:
    """Metadata of a backup, stored as JSON."""

    recours: str  # the version that made the backup
    made_at: str
    database: str  # sqlite, postgresql
    schema: str | None  # None: recours never changed the database
    pod_dir: str
    claims: int
    attempts: int
    documents: int
    bytes: int
    documents_missing: list[str]  # a sentence for each missing or altered document


@dataclass(frozen=True)
class Backup:
    folder: Path
    facts: BackupFacts
    sums: Mapping[str, str]  # SHA-256 by relative path, with / as the separator

    def faults(self) -> Iterator[str]:
        """Verify the backup without changing it. Yield a sentence for each fault."""
        for name, digest in self.sums.items():
            try:
                is_same = sha256_of(self.folder / name) == digest
            except OSError as error:
                yield f"{clean(name)} cannot be read: {error.strerror or error}."
                continue
            if not is_same:
                yield f"{clean(name)} has changed since the backup was made (different SHA-256)."
        if self.facts.schema not in (None, *REVISIONS):
            yield (
                f"The backup has schema {clean(self.facts.schema, 40)}, but this version of recours has {HEAD}. Restore it with the "
                f"version that made it ({clean(self.facts.recours, 40)})."
            )


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Yield a folder to fill, then rename it to `target`, or remove it if anything failed. Raises BackupError."""
    parent = target.parent
    folder = target.with_name(f".{target.name}{_PARTIAL}")
    try:
        PRIVATE.make_folder(parent)
        for abandoned in parent.glob(f".{PREFIX}*{_PARTIAL}"):  # left by backups that were killed
            if time.time() - abandoned.stat().st_mtime > _ABANDONED_AFTER_S:
                shutil.rmtree(abandoned, ignore_errors=True)
        folder.mkdir(mode=0o700)
        try:
            yield folder
            folder.rename(target)
            sync_folder(parent)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        raise BackupError(
            f"The backup cannot be written to {parent}: {error.strerror or error}. The incomplete backup was removed."
        ) from error


def seal(folder: Path, facts: BackupFacts) -> None:
    """Write the metadata and the checksums, make all files private and flush them to disk. Raises OSError."""
    (folder / _FACTS).write_text(json.dumps(asdict(facts), indent=1), encoding="utf-8")
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    sums = "".join(f"{sha256_of(path)}  {path.relative_to(folder).as_posix()}\n" for path in files)
    (folder / _SUMS).write_text(sums, encoding="utf-8", newline="\n")
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
        if path.is_dir():
            sync_folder(path)
        else:
            with path.open("rb+") as file:
                os.fsync(file.fileno())


def open_backup(folder: Path) -> Backup:
    """Open the backup in a folder. Raises BackupError if it is missing or incomplete."""
    try:
        lines = (folder / _SUMS).read_text(encoding="utf-8").splitlines()
        facts = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
        sums = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
        return Backup(folder, BackupFacts(**facts), sums)
    except OSError as error:
        raise BackupError(
            f"{folder} is not a complete backup ({error.strerror or error}). Name a folder that 'recours backup' created "
            f"({PREFIX}…)."
        ) from error
    except (ValueError, TypeError) as error:
        raise BackupError(f"{_FACTS} or {_SUMS} in {folder} is damaged. Restore another backup.") from error


# ---------------------------------------------------------------- creating


def make_backup(
    database: Database, parent: Path, pod_dir: Path, version: str, now: datetime
) -> tuple[Path, BackupFacts]:
    """Create a backup in a new folder in `parent`, and return the folder and the metadata. Raises BackupError."""
    target = parent / f"{PREFIX}{_stamp(now)}"
    with new_folder(target) as folder:
        kind = database.dialect.name
        if database.path:
            copying = copying_of_sqlite(database.path, folder / COPIES[kind])
        else:
            copying = copying_of_postgres(database, folder / COPIES[kind])
        with copying as connection:
            schema = version_of(connection)
            documents = _documents(connection, pod_dir) if schema else []
            tables = (database.border.claims, attempts) if schema else (database.border.claims,)
            counts = [connection.scalar(select(func.count()).select_from(table)) for table in tables]
        missing = list(_copied(documents, pod_dir, folder / DOCUMENTS))
        files = [path for path in folder.rglob("*") if path.is_file()]
        facts = BackupFacts(
            recours=version,
            made_at=now.isoformat(),
            database=kind,
            schema=schema,
            pod_dir=str(pod_dir),
            claims=counts[0] or 0,
            attempts=sum(count or 0 for count in counts[1:]),
            documents=sum(_is_document(path.relative_to(folder)) for path in files),
            bytes=sum(path.stat().st_size for path in files),
            documents_missing=missing,
        )
        seal(folder, facts)
    return target, facts


def _is_document(path: Path) -> bool:
    """Return whether a file of the backup is a document. `path`: relative to the backup."""
    return path.parts[0] == DOCUMENTS and path.parts[1] != FOLDER


def _stamp(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _documents(connection: Connection, pod_dir: Path) -> list[tuple[str, str]]:
    """Return path and SHA-256 of every document, manifest and timestamp in the database ("" for timestamps)."""
    of_attempts = select(_a.document_path, _a.document_sha256).where(_a.document_path.is_not(None))
    rows = connection.execute(union(of_attempts, select(_v.path, _v.sha256)))
    documents = [(path, sha256) for path, sha256 in rows]
    for row in connection.execute(MANIFEST):
        manifest = Manifest(*row)
        documents.append((str(pod_dir / manifest.name), manifest.sha256))
        token = pod_dir / manifest.token_name
        documents += [(str(token), "")] if exists(token) else []
    return documents


def _copied(documents: list[tuple[str, str]], pod_dir: Path, folder: Path) -> Iterator[str]:
    """Copy documents; yield a sentence for each missing or altered document. Raises BackupError, OSError."""
    root = pod_dir.resolve()
    for path, sha256 in documents:
        if not is_inside(pod_dir, path):
            yield f"{clean(path)} is outside the document folder {pod_dir}, so it is not copied"
            continue
        source = Path(path).resolve()
        try:
            content = read_regular(source)
        except (FileNotFoundError, NotADirectoryError):
            yield f"{clean(path)} is in the database but not on disk"
            continue
        except OSError as error:
            raise BackupError(
                f"{source} cannot be read: {error.strerror or error}. No backup was made. Give this user read access, or "
                "run the backup as a user who has it."
            ) from error
        place = folder / source.relative_to(root)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        if sha256 and hashlib.sha256(content).hexdigest() != sha256:
            yield f"{clean(path)} has changed since it was fetched (different SHA-256); it is copied as it is"


# ---------------------------------------------------------------- restoring


@dataclass
class Restored:
    database: str
    aside: Path | None = None
    copied: int = 0  # missing documents that were restored
    moved: int = 0  # documents whose path has changed
    conflicts: list[str] = field(
        default_factory=list
    )  # existing files with the same name and different content


def restore_backup(
    backup: Backup, database: Database, pod_dir: Path, access: Access, *, force: bool
) -> Restored:
    """Replace the database with a verified backup. `force`: even during a run. Raises BackupError."""
    kind = database.dialect.name
    if backup.facts.database != kind:
        raise BackupError(
            f"This backup contains a {backup.facts.database} database, but {database.safe_url} is of a different kind. "
            "Name a matching database with --database-url."
        )
    result = Restored(database.safe_url)
    copied = backup.folder / COPIES[kind]
    if not database.path:
        require_empty(database)
        result.copied, result.conflicts = _restore_documents(backup, pod_dir, access)
        restore_into(database, copied)
        result.moved = _correct_paths(database, backup, pod_dir)
        return result
    if database.is_there() and not force:
        _require_rest(database)
    database.close()
    aside = database.path.with_name(f"{database.path.name}.before-restore-{_stamp(SystemClock().now())}")
    with replacing(database.path, copied, aside, access, database.names, force=force) as beside:
        # Replace the database last: until then, the restored files have no effect.
        result.moved = _correct_paths(beside, backup, pod_dir)
        result.copied, result.conflicts = _restore_documents(backup, pod_dir, access)
    result.aside = aside if aside.exists() else None
    return result


def _require_rest(database: Database) -> None:
    try:
        work = work_in_progress(database, SystemClock().now())
    except DatabaseError as error:
        raise BackupError(
            f"Cannot check whether a run is in progress: {error} If you know that none is, repeat the command with --force."
        ) from error
    if work:
        raise BackupError(
            f"A run is in progress in {database.safe_url}: {work}. Disable the jobs and wait until it has ended (claims of a "
            "run that died are released after 10 minutes), or repeat the command with --force."
        )


def _restore_documents(backup: Backup, pod_dir: Path, access: Access) -> tuple[int, list[str]]:
    """Restore missing documents. Return their number and the conflicting files, which are kept. Raises BackupError."""
    copied = 0
    other = []
    for source in sorted(path for path in (backup.folder / DOCUMENTS).rglob("*") if path.is_file()):
        place = pod_dir / source.relative_to(backup.folder / DOCUMENTS)
        part = place.with_name(f".{place.name}.partial")
        try:
            if place.exists():
                other += [] if sha256_of(place) == sha256_of(source) else [str(place)]
                continue
            access.make_folder(place.parent)
            access.create(part)
            shutil.copyfile(source, part)
            part.replace(place)
            copied += _is_document(source.relative_to(backup.folder))
        except OSError as error:
            part.unlink(missing_ok=True)
            raise BackupError(
                f"{place} cannot be written: {error.strerror or error}. The database was not changed."
            ) from error
    return copied, other


def _correct_paths(database: Database, backup: Backup, pod_dir: Path) -> int:
    """Update document paths in the database, and return how many changed. Raises DatabaseError."""
    former = backup.facts.pod_dir
    if backup.facts.schema is None or former == str(pod_dir):
        return 0
    separator = "\\" if "\\" in former else "/"
    start = f"{former}{separator}"

    def correct(connection: Connection, path: Column[Any]) -> int:
        below = func.replace(func.substr(path, len(start) + 1), separator, os.sep)
        is_in = func.substr(path, 1, len(start)) == start
        to = literal(f"{pod_dir}{os.sep}").concat(below)
        return connection.execute(update(path.table).where(is_in).values({path: to})).rowcount

    border = database.border
    with database.long(), database.write() as connection:
        correct(connection, _a.document_path)
        correct(connection, erasures.c.path)
        if border.has("pod_url"):
            correct(connection, border.column("pod_url"))
        owed = select(_c.claim_id, _c.owed).where(_c.owed.is_not(None))
        for claim_id, text in connection.execute(owed).all():
            projection = owed_in(text)
            path = projection.get("pod_url") or ""
            if path.startswith(start):
                below = path.removeprefix(start).replace(separator, os.sep)
                moved = owed_text(projection | {"pod_url": f"{pod_dir}{os.sep}{below}"})
                connection.execute(update(claims).where(_c.claim_id == claim_id).values(owed=moved))
        return correct(connection, _v.path)


# ---------------------------------------------------------------- copies of SQLite databases


_WAIT_S = 5.0  # how long to wait for another transaction to end


@contextmanager
def copying_of_sqlite(database: Path, path: Path) -> Iterator[Connection]:
    """Write a consistent copy while other programs write, and yield a connection to the copy. Raises BackupError."""
    try:
        copy_file(database, path)
    except FileError as error:
        if "full" in str(error):
            raise BackupError(
                f"The backup cannot be written to {path.parent.parent}: the disk is full. The incomplete backup was removed."
            ) from error
        raise BackupError(explain(error, f"SQLite {database}")) from error
    copied = Database(url_of_file(path))
    with closing(copied), copied.read() as connection:
        yield connection


@contextmanager
def replacing(
    path: Path, copied: Path, aside: Path, access: Access, names: TableNames, *, force: bool
) -> Iterator[Database]:
    """Yield a copy of `copied`. At the end, move the database at `path` to `aside` and put the copy in its place.

    `names`: the names of the service's table and columns. `force`: replace the database even while another program is
    writing. If anything fails before the end, nothing is changed. Raises BackupError.
    """
    beside = path.with_name(f".{aside.name}.copy")
    try:
        access.make_folder(path.parent)
        if path.exists():
            create_like(beside, path)
        else:
            access.create(beside)
        shutil.copyfile(copied, beside)
        with closing(Database(url_of_file(beside), names=names)) as database:
            yield database
        if not force:
            _require_no_transaction(path)
        for file, new_file in zip(files_of_sqlite(path), files_of_sqlite(aside), strict=True):
            if file.exists():
                file.rename(new_file)
        beside.rename(path)
    except OSError as error:
        note = f"The previous database is {aside}*." if aside.exists() else "Nothing was changed."
        raise BackupError(f"{path} cannot be replaced: {error.strerror or error}. {note}") from error
    finally:
        for file in files_of_sqlite(beside):
            file.unlink(missing_ok=True)


def _require_no_transaction(path: Path) -> None:
    """Raise BackupError if another program is writing, because its commit would change the old file."""
    if not path.exists():
        return
    with closing(connection_to_file(path, _WAIT_S)) as connection:
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except FileError as error:
            if "locked" in str(error):  # ignore other errors: a damaged file must not prevent the restore
                raise BackupError(
                    f"Another program has an open transaction on {path}: stop the service's application, then repeat the "
                    "command. The database was not changed."
                ) from error


# ---------------------------------------------------------------- copies of PostgreSQL databases
# Passwords are passed to PostgreSQL's programs in the environment, because every user can read command lines.


# The maximum duration of a dump or a restore.
_DEADLINE_S = 6 * 3600.0
# How long a dump waits for a table that another program has locked.
_LOCK_WAIT_MS = 300_000
_ERROR = re.compile(r"\b(?:error|fatal)\b: ", re.IGNORECASE)


@contextmanager
def copying_of_postgres(database: Database, path: Path) -> Iterator[Connection]:
    """Write a dump in the directory format, and yield a connection with the same snapshot. Raises BackupError."""
    with database.long(), database.outside_transactions() as connection:
        try:
            connection.exec_driver_sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
            _dump(database, path, connection.exec_driver_sql("SELECT pg_export_snapshot()").scalar_one())
            yield connection
        except BaseException:
            connection.invalidate()  # a regular close could take long, because the server may not answer
            raise


def _dump(database: Database, path: Path, snapshot: str) -> None:
    target, secrets = conninfo(database)
    options = ["--format=directory", "--no-password", f"--lock-wait-timeout={_LOCK_WAIT_MS}"]
    options += [f"--snapshot={snapshot}", f"--file={path}", f"--dbname={target}"]
    if complaint := _run_program(["pg_dump", *options], secrets):
        raise BackupError(f"pg_dump could not copy {database.safe_url}: {complaint}. No backup was made.")


def require_empty(database: Database) -> None:
    with database.read() as connection:
        if inspect(connection).get_table_names():
            raise BackupError(
                f"{database.safe_url} is not empty, and recours restores only into an empty database. Create a database "
                "(createdb NAME), and give its URL with --database-url."
            )


def restore_into(database: Database, dump: Path) -> None:
    """Restore a dump into an empty database in one transaction. Raises BackupError."""
    target, secrets = conninfo(database)
    options = ["--no-password", "--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction"]
    if complaint := _run_program(["pg_restore", *options, f"--dbname={target}", str(dump)], secrets):
        raise BackupError(
            f"pg_restore could not restore into {database.safe_url}: {complaint}. The database is unchanged."
        )


def conninfo(database: Database) -> tuple[str, dict[str, str]]:
    """Return the connection string and the secret environment for PostgreSQL's programs. Raises BackupError."""
    from recours.database.postgres import address_of, option_names  # noqa: PLC0415 (needs the driver, an extra)

    _, url_arguments = database.engine.dialect.create_connect_args(database.url)
    # Other options belong to the driver. recours sets `application_name` to recognize its own sessions.
    keywords = option_names() - {"application_name"}
    options = {name: value for name, value in {**KEEPALIVES, **url_arguments}.items() if name in keywords}
    secrets = {name: str(options.pop(name)) for name in SECRET_QUERY if options.get(name) is not None}
    if "sslpassword" in secrets:
        raise BackupError(
            "PostgreSQL's programs accept sslpassword only on the command line, where others can read it: use a key "
            "without a password, or call pg_dump yourself."
        )
    names = {"password": "PGPASSWORD", "passfile": "PGPASSFILE"}
    return address_of(options), {names[name]: value for name, value in secrets.items()}


def _run_program(command: Sequence[str], secrets: Mapping[str, str]) -> str:
    """Run one of PostgreSQL's programs, and return why it failed, or "" on success. Raises BackupError."""
    environment = {**environment_of_others(), "LC_ALL": "C", "PGCONNECT_TIMEOUT": "30", **secrets}
    try:
        process = subprocess.run(  # noqa: S603 (programs of PostgreSQL, with recours's arguments)
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=_DEADLINE_S,
        )
    except subprocess.TimeoutExpired:
        return f"it did not end within {_DEADLINE_S:.0f} s"
    except FileNotFoundError as error:
        raise BackupError(
            f"The program {command[0]} is not on the PATH: install PostgreSQL's client programs, at least as new as the server "
            "(Debian: apt-get install postgresql-client)."
        ) from error
    except OSError as error:
        return f"{command[0]} cannot be started: {error.strerror or error}"
    if process.returncode == 0:
        return ""
    # Report the first error only; the lines after it are details such as the failed query.
    lines = [line.strip() for line in process.stderr.splitlines() if line.strip()]
    errors = [line for line in lines if _ERROR.search(line)]
    return clean(next(iter(errors or lines), f"it ended with status {process.returncode}")).rstrip(".")

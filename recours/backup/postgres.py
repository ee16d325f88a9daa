"""A PostgreSQL database copied and put back by its own programs.

Passwords are given to them by the environment, never on a command line, which every user of the machine can read. And
they are ended when the server falls silent, so that a backup does not hang for ever. A large dump may take hours: what
counts is progress.
"""

import os
import re
import shutil
import subprocess
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from sqlalchemy import Connection, func, inspect, select, text, union

from recours.access import environment_of_others
from recours.backup.folder import BackupError, Copied, CopyFacts, KnownDocument
from recours.core.text import clean
from recours.database.engine import KEEPALIVES, SECRET_QUERY, Database, DatabaseError
from recours.database.schema.inspection import look_closer
from recours.database.tables import attempts, claims, evidence
from recours.database.waits import Waits

KIND = "postgresql"
FILE_NAME = "database.dump"
# Where packages put the programs of each version beside one another.
_FOLDERS = (
    "/usr/lib/postgresql/*/bin",  # Debian, Ubuntu
    "/usr/pgsql-*/bin",  # PGDG's packages for Red Hat and its like
    "/opt/homebrew/opt/*postgresql*/bin",
    "/usr/local/opt/*postgresql*/bin",
    "C:/Program Files/PostgreSQL/*/bin",
)
_VERSION = re.compile(r"\(PostgreSQL\) (\d+)")
_ERROR = re.compile(r"\b(?:error|fatal)\b: ", re.IGNORECASE)
# A dump waits so long for a table that another program holds.
_LOCK_WAIT_MS = 300_000
_POLL_S = 0.2
# Asking must not hang either.
_ASKING = Waits(statement=10.0, connect=10.0, quiet=5.0)
_HAS_COPY_PROGRESS = 14  # PostgreSQL's version
_COPIED = "(SELECT sum(bytes_processed) FROM pg_stat_progress_copy WHERE pid = a.pid)"
_SESSIONS = (
    "SELECT state = 'active' AND wait_event_type IS DISTINCT FROM 'Client' AS works,"
    " CAST(query_start AS text) AS began, {copied} AS copied"
    " FROM pg_stat_activity AS a WHERE application_name = :name"
)
_a = attempts.c


# ---------------------------------------------------------------- a program watched


@dataclass(frozen=True)
class Deadlines:
    """Seconds without progress. `quiet`: then the server is asked; `stuck`: then it is not waited for, though it answers."""

    quiet: float = 30.0
    stuck: float = 600.0


@dataclass
class DumpWatch:
    """What tells whether a program that works on a database makes progress."""

    database: Database
    major: int  # of the server
    file: Path | None = None  # that the program writes
    deadlines: Deadlines = field(default_factory=Deadlines)
    name: str = field(default_factory=lambda: f"recours {uuid.uuid4().hex[:12]}")  # of the program's session

    def __post_init__(self) -> None:
        self._progress_at = self._looked_at = monotonic()
        self._size = -1
        self._session: object = None

    def why_end(self) -> str | None:
        """Why the program is to be ended; None: it is not. Call it several times a second."""
        now = monotonic()
        size = self.file.stat().st_size if self.file and self.file.exists() else 0
        if size != self._size:
            self._size, self._progress_at, self._looked_at = size, now, now
        if now - self._looked_at < self.deadlines.quiet:
            return None
        try:
            session = self._look()
        except DatabaseError as fault:
            if not fault.was_answered:
                return f"the server does not answer any more ({fault.message})"
            session = None  # it is there, and has no connection to spare
        self._looked_at = monotonic()
        if session is True or session != self._session:
            self._session, self._progress_at = session, self._looked_at
        waited = self._looked_at - self._progress_at
        if waited < self.deadlines.stuck:
            return None
        return f"nothing came from the server for {round(waited)} s, though it answers others"

    def _look(self) -> object:
        """What the server says of the program's sessions: True if one works, or what changes with their progress."""
        copied = _COPIED if self.major >= _HAS_COPY_PROGRESS else "NULL"
        asked = Database(self.database.url, waits=_ASKING)
        try:
            with asked.read() as connection:
                rows = connection.execute(text(_SESSIONS.format(copied=copied)), {"name": self.name}).all()
        finally:
            asked.close()
        return any(row.works for row in rows) or [tuple(row) for row in rows]


# ---------------------------------------------------------------- copies


def copy(database: Database, path: Path, deadlines: Deadlines = Deadlines()) -> Copied:
    """Write a dump; what it holds is asked of the very snapshot that it was made of. Raises BackupError."""
    with _snapshot(database) as (connection, snapshot):
        major = server_major(database)
        target, secrets = conninfo(database, **KEEPALIVES)
        done = _run(
            [
                _newest("pg_dump", at_least=major),
                "--format=custom",
                "--no-password",
                f"--lock-wait-timeout={_LOCK_WAIT_MS}",
                f"--snapshot={snapshot}",
                f"--file={path}",
                f"--dbname={target}",
            ],
            secrets,
            DumpWatch(database, major, path, deadlines),
        )
        if done.returncode:
            raise BackupError(
                f"pg_dump could not copy {database.shown}: {_complaint(done)}. No backup was made."
            )
        schema = look_closer(connection).version
        count = connection.scalar(select(func.count()).select_from(claims)) or 0
        if schema is None:
            return Copied(CopyFacts(None, count, 0), [], {"server_version": major})
        tried = connection.scalar(select(func.count()).select_from(attempts)) or 0
        of_attempts = select(_a.document_path, _a.document_sha256).where(_a.document_path.is_not(None))
        known = [of_attempts]
        if inspect(connection).has_table(evidence.name):  # not before version 0011
            known.append(select(evidence.c.path, evidence.c.sha256))
        documents = [KnownDocument(path, sha256 or "") for path, sha256 in connection.execute(union(*known))]
        return Copied(CopyFacts(schema, count, tried), documents, {"server_version": major})


@contextmanager
def _snapshot(database: Database) -> Iterator[tuple[Connection, str]]:
    """A connection that sees the database as it is now, whatever others write; and the name by which pg_dump does too."""
    with database.long(), database.outside_transactions() as connection:
        try:
            connection.exec_driver_sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
            if connection.scalar(text("SELECT to_regclass(:name) IS NOT NULL"), {"name": attempts.name}):
                # A month that 'recours prune' empties would be empty for this snapshot too, and not for the dump.
                connection.exec_driver_sql(f"LOCK TABLE {attempts.name} IN ACCESS SHARE MODE")
            yield connection, connection.exec_driver_sql("SELECT pg_export_snapshot()").scalar_one()
        except BaseException:
            connection.invalidate()  # its server may have fallen silent: closing in order could take long
            raise


def faults(path: Path) -> list[str]:
    """What is wrong with the dump itself, a sentence each. Raises BackupError if that cannot be found out."""
    done = _run([_newest("pg_restore"), "--list", path])
    return [f"The dump cannot be read: {_complaint(done)}."] if done.returncode else []


def restore_command(database: Database, dump: Path, **keepalives: int) -> tuple[list[str], dict[str, str]]:
    """How a dump is read into an empty database, and what of the environment that needs. Raises BackupError."""
    target, secrets = conninfo(database, **keepalives)
    program = _newest("pg_restore", at_least=server_major(database))
    options = ["--no-password", "--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction"]
    return [program, *options, f"--dbname={target}", str(dump)], secrets


def restore_into(database: Database, dump: Path, deadlines: Deadlines = Deadlines()) -> None:
    """Read a dump into an empty database, in one transaction. Raises BackupError."""
    command, secrets = restore_command(database, dump, **KEEPALIVES)
    done = _run(command, secrets, DumpWatch(database, server_major(database), deadlines=deadlines))
    if done.returncode < 0:  # ended while it waited: nobody knows for what
        raise BackupError(
            f"pg_restore was ended while it filled {database.shown}: {_complaint(done)}. Most likely the database is still "
            "empty: try again when the server answers."
        )
    if done.returncode:
        raise BackupError(f"pg_restore could not fill {database.shown}: {_complaint(done)}. It is as it was.")


def is_empty(database: Database) -> bool:
    query = (
        "SELECT count(*) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace"
        " WHERE relkind IN ('r', 'v', 'm', 'p', 'S') AND nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'"
    )
    with database.read() as connection:
        return not connection.scalar(text(query))


def server_major(database: Database) -> int:
    with database.read() as connection:
        return int(connection.scalar(text("SHOW server_version_num")) or 0) // 10000


def conninfo(database: Database, **keepalives: int) -> tuple[str, dict[str, str]]:
    """How the programs reach the database, without its secrets; and these as their environment. Raises BackupError."""
    from psycopg.conninfo import make_conninfo  # noqa: PLC0415 (an extra)
    from psycopg.pq import Conninfo  # noqa: PLC0415 (same)

    _, given = database.engine.dialect.create_connect_args(database.url)
    # The others are the driver's own. The session's name is recours's, to find it among the server's.
    known = {option.keyword.decode() for option in Conninfo.get_defaults()} - {"application_name"}
    options = {name: value for name, value in {**keepalives, **given}.items() if name in known}
    secrets = {name: str(options.pop(name)) for name in SECRET_QUERY if options.get(name) is not None}
    if "sslpassword" in secrets:
        raise BackupError(
            "PostgreSQL's programs take sslpassword on their command line only, where others can read it: use a key "
            "without a password, or call pg_dump yourself."
        )
    names = {"password": "PGPASSWORD", "passfile": "PGPASSFILE"}
    return make_conninfo(**options), {names[name]: value for name, value in secrets.items()}


# ---------------------------------------------------------------- the programs


def _newest(name: str, *, at_least: int = 0) -> str:
    """The newest of the installed programs of that name. Raises BackupError if none can read such a server."""
    on_path = shutil.which(name)
    places = [Path(on_path)] if on_path else []
    for folder in map(Path, _FOLDERS):
        if folder.is_absolute():  # else it is another system's
            program = folder / (f"{name}.exe" if os.name == "nt" else name)
            places += Path(folder.anchor).glob(str(program.relative_to(folder.anchor)))
    found: dict[str, int] = {}
    for place in places:
        version = _VERSION.search(_run([place, "--version"]).stdout)
        found[str(place)] = int(version[1]) if version else 0
    fitting = {place: version for place, version in found.items() if version >= max(at_least, 1)}
    if not fitting:
        there = ", ".join(f"{place} (version {version})" for place, version in found.items())
        needed = f" of version {at_least} or newer" if at_least else ""
        raise BackupError(
            f"The program {name}{needed} is needed: install PostgreSQL's client programs (Debian: apt-get install "
            f"postgresql-client)." + (f" Found: {there}." if there else "")
        )
    return max(fitting, key=lambda place: fitting[place])


def _run(
    command: Sequence[str | Path], secrets: dict[str, str] | None = None, watch: DumpWatch | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run a program to its end, or end it when `watch` says so: its complaint is then why."""
    environment = {**environment_of_others(), "LC_ALL": "C", "PGCONNECT_TIMEOUT": "30", **(secrets or {})}
    if watch:
        environment["PGAPPNAME"] = watch.name
    try:
        process = subprocess.Popen(  # noqa: S603 (programs found above, with recours's arguments)
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
        )
    except OSError as error:
        return subprocess.CompletedProcess(command, 127, "", f"{command[0]}: {error.strerror or error}")
    why = None
    with process:
        while True:
            try:
                output, complaint = process.communicate(timeout=_POLL_S)
                return subprocess.CompletedProcess(command, process.returncode, output, why or complaint)
            except subprocess.TimeoutExpired:
                if watch and (why := why or watch.why_end()):
                    process.kill()
            except BaseException:
                process.kill()
                raise


def _complaint(done: "subprocess.CompletedProcess[str]") -> str:
    """The first error that a program reported, as one line: details follow it, such as the query that failed."""
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    errors = [line for line in lines if _ERROR.search(line)]
    said = next(iter(errors or lines), f"it ended with status {done.returncode}")
    return clean(said).rstrip(".")

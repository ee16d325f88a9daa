"""A PostgreSQL database copied by its own programs, and what such a dump holds.

Passwords are given to them by the environment, never on a command line, which every user of the machine can read.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from sqlalchemy import text

from recours.core.text import clean
from recours.database.backup.progress import Deadlines, Watch, run_watched
from recours.database.engine import KEEPALIVES, SECRET_QUERY, Database
from recours.database.tables import VERSION_TABLE
from recours.operations.backup import BackupError, CopyFacts, KnownDocument

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
_COPY = re.compile(r"COPY (?:\S+\.)?\"?(\w+)\"? \((.*)\) FROM stdin;")
_ESCAPED = re.compile(r"\\(.)")
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
# A dump waits so long for a table that another program holds.
_LOCK_WAIT_MS = 300_000
_LOOKED_AT = ("claims", "recours_attempts", VERSION_TABLE)


@dataclass(frozen=True)
class PostgresCopies:
    """Dumps of PostgreSQL databases, in its custom form."""

    kind: str = "postgresql"
    file_name: str = "database.dump"

    def look_into(self, path: Path) -> CopyFacts:
        """What the dump holds. Raises BackupFault."""
        counts, schema = dict.fromkeys(_LOOKED_AT, 0), None
        for table, columns, line in _rows(path, _LOOKED_AT):
            counts[table] += 1
            if table == VERSION_TABLE:
                schema = _values(columns, line)["version_num"]
        return CopyFacts(schema, counts["claims"], counts["recours_attempts"])

    def documents(self, path: Path) -> Iterator[KnownDocument]:
        """The documents that the dump knows of. Raises BackupFault."""
        seen = set()
        for _, columns, line in _rows(path, ["recours_attempts"]):
            row = _values(columns, line)
            if row["document_path"] is not None:
                found = KnownDocument(
                    row["document_path"], row["document_sha256"] or "", int(row["document_size"] or 0)
                )
                if found not in seen:
                    seen.add(found)
                    yield found

    def faults(self, path: Path) -> list[str]:
        """What is wrong with the dump itself."""
        done = _run([_newest("pg_restore"), "--list", path])
        return [f"The dump cannot be read: {_complaint(done)}."] if done.returncode else []


@dataclass(frozen=True)
class PostgresSource(PostgresCopies):
    """A database that is in use."""

    database: Database = field(kw_only=True)
    deadlines: Deadlines = field(default_factory=Deadlines, kw_only=True)

    def copy_to(self, path: Path) -> dict[str, Any]:
        """Write a consistent dump; returns the versions. Raises BackupFault."""
        major = server_major(self.database)
        program = _newest("pg_dump", at_least=major)
        target, secrets = connection_words(self.database, **KEEPALIVES)
        options = ["--format=custom", "--no-password", f"--lock-wait-timeout={_LOCK_WAIT_MS}"]
        done = _run(
            [program, *options, f"--file={path}", f"--dbname={target}"],
            secrets,
            Watch(self.database, major, path, self.deadlines),
        )
        if done.returncode:
            raise BackupError(
                f"pg_dump could not copy {self.database.shown}: {_complaint(done)}. No backup was made."
            )
        return {"server_version": major}


def restore_command(database: Database, dump: Path, **keepalives: int) -> tuple[list[str], dict[str, str]]:
    """How a dump is read into an empty database, and what of the environment that needs. Raises BackupFault."""
    target, secrets = connection_words(database, **keepalives)
    program = _newest("pg_restore", at_least=server_major(database))
    options = ["--no-password", "--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction"]
    return [program, *options, f"--dbname={target}", str(dump)], secrets


def restore_into(database: Database, dump: Path, deadlines: Deadlines = Deadlines()) -> None:  # noqa: B008 (a value)
    """Read a dump into an empty database, in one transaction. Raises BackupFault."""
    command, secrets = restore_command(database, dump, **KEEPALIVES)
    done = _run(command, secrets, Watch(database, server_major(database), deadlines=deadlines))
    if done.returncode < 0:  # ended while it waited: nobody knows for what
        raise BackupError(
            f"pg_restore was ended while it filled {database.shown}: {_complaint(done)}. Most likely the database is still "
            "empty: try again when the server answers."
        )
    if done.returncode:
        raise BackupError(f"pg_restore could not fill {database.shown}: {_complaint(done)}. It is as it was.")


def is_empty(database: Database) -> bool:
    """Tell whether there is no table in the database but the server's own."""
    query = (
        "SELECT count(*) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace"
        " WHERE relkind IN ('r', 'v', 'm', 'p', 'S') AND nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'"
    )
    with database.read() as connection:
        return not connection.scalar(text(query))


def server_major(database: Database) -> int:
    """The server's version, its first part."""
    with database.read() as connection:
        return int(connection.scalar(text("SHOW server_version_num")) or 0) // 10000


def connection_words(database: Database, **keepalives: int) -> tuple[str, dict[str, str]]:
    """How the programs reach the database, without its secrets, and these as their environment. Raises BackupFault."""
    from psycopg.conninfo import make_conninfo  # noqa: PLC0415 (an extra)
    from psycopg.pq import Conninfo  # noqa: PLC0415 (same)

    _, given = database.engine.dialect.create_connect_args(database.url)
    words = {option.keyword.decode() for option in Conninfo.get_defaults()}  # what is not is the driver's own
    # The name of the session is ours, by which it is found among the server's.
    options = {name: value for name, value in given.items() if name in words - {"application_name"}}
    options |= {name: value for name, value in keepalives.items() if name in words and name not in options}
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
    """The newest of the installed programs of that name. Raises BackupFault if none can read such a server."""
    found: dict[str, int] = {}
    for folder in ("", *_FOLDERS):
        for place in _places(name, folder):
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


def _places(name: str, folder: str) -> Iterator[Path]:
    if not folder:
        if on_path := shutil.which(name):
            yield Path(on_path)
        return
    anchor = Path(Path(folder).anchor)
    for place in anchor.glob(str(Path(folder).relative_to(anchor))) if anchor.exists() else ():
        program = place / (f"{name}.exe" if os.name == "nt" else name)
        if program.is_file():
            yield program


def _run(
    command: Sequence[str | Path], secrets: dict[str, str] | None = None, watch: Watch | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run a program. `watch`: one that works on a server, which may fall silent."""
    environment = {**os.environ, "LC_ALL": "C", "PGCONNECT_TIMEOUT": "30", **(secrets or {})}
    try:
        if watch:
            return run_watched(command, environment, watch)
        return subprocess.run(  # noqa: S603 (programs found above, arguments of our own)
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    except OSError as error:
        return subprocess.CompletedProcess(command, 127, "", f"{command[0]}: {error.strerror or error}")


def _complaint(done: "subprocess.CompletedProcess[str]") -> str:
    """The first error that a program told, as one line: what follows it are details, such as the query that failed."""
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    errors = [line for line in lines if _ERROR.search(line)]
    said = next(iter(errors or lines), f"it ended with status {done.returncode}")
    return clean(said).rstrip(".")


# ---------------------------------------------------------------- what a dump holds


def _rows(path: Path, tables: Sequence[str]) -> Iterator[tuple[str, list[str], str]]:
    """The rows of these tables: the table, its columns, the row as COPY has it. Raises BackupFault."""
    with _printed(path, tables) as lines:
        inside: tuple[str, list[str]] | None = None
        for line in lines:
            if inside is None:
                if begins := _COPY.match(line):
                    inside = begins[1], [name.strip().strip('"') for name in begins[2].split(",")]
            elif line.rstrip("\n") == "\\.":
                inside = None
            else:
                yield *inside, line.rstrip("\n")


@contextmanager
def _printed(path: Path, tables: Sequence[str]) -> Iterator[Iterator[str]]:
    """What pg_restore prints of these tables, a line at a time in memory."""
    chosen = [f"--table={table}" for table in tables]
    command = [_newest("pg_restore"), "--data-only", *chosen, "--file=-", str(path)]
    environment = os.environ | {"LC_ALL": "C"}
    # A file takes what it complains of: a pipe that nobody empties meanwhile could fill up.
    with (
        _scratch() as complaints,
        subprocess.Popen(  # noqa: S603 (a program found above, arguments of our own)
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=complaints,
            encoding="utf-8",
            errors="replace",
        ) as process,
    ):
        yield iter(process.stdout or ())
        if process.wait():
            complaints.seek(0)
            said = clean(complaints.read().strip() or "pg_restore failed").rstrip(".")
            raise BackupError(f"The dump cannot be read: {said}.")


def _scratch() -> IO[str]:
    try:
        return TemporaryFile("w+", encoding="utf-8", errors="replace")
    except OSError as error:
        raise BackupError(f"No temporary file can be written: {error.strerror or error}.") from error


def _values(columns: Sequence[str], line: str) -> dict[str, str | None]:
    values = line.split("\t")
    if len(values) != len(columns):
        raise BackupError("The dump cannot be read: a row has more or fewer values than columns.")
    return {
        name: None if value == "\\N" else _ESCAPED.sub(lambda found: _ESCAPES.get(found[1], found[1]), value)
        for name, value in zip(columns, values, strict=True)
    }

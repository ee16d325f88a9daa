"""A PostgreSQL database copied and put back by its own programs.

Passwords are given to them by the environment, never on a command line, which every user of the machine can read.
"""

import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, inspect

from recours.access import environment_of_others
from recours.backup.folder import BackupError
from recours.core.text import clean
from recours.database.engine import KEEPALIVES, SECRET_QUERY, Database

KIND, COPY = "postgresql", "database.dump"
# Of a dump or a restore as a whole.
_DEADLINE_S = 6 * 3600.0
# A dump waits so long for a table that another program holds.
_LOCK_WAIT_MS = 300_000
_ERROR = re.compile(r"\b(?:error|fatal)\b: ", re.IGNORECASE)


@contextmanager
def copying(database: Database, path: Path) -> Iterator[Connection]:
    """Write a dump in the directory format; gives a connection that sees what it holds. Raises BackupError."""
    with database.long(), database.outside_transactions() as connection:
        try:
            connection.exec_driver_sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
            _dump(database, path, connection.exec_driver_sql("SELECT pg_export_snapshot()").scalar_one())
            yield connection
        except BaseException:
            connection.invalidate()  # its server may have fallen silent: closing in order could take long
            raise


def _dump(database: Database, path: Path, snapshot: str) -> None:
    target, secrets = conninfo(database)
    options = ["--format=directory", "--no-password", f"--lock-wait-timeout={_LOCK_WAIT_MS}"]
    options += [f"--snapshot={snapshot}", f"--file={path}", f"--dbname={target}"]
    if complaint := _run(["pg_dump", *options], secrets):
        raise BackupError(f"pg_dump could not copy {database.safe_url}: {complaint}. No backup was made.")


def require_empty(database: Database) -> None:
    with database.read() as connection:
        if inspect(connection).get_table_names():
            raise BackupError(
                f"{database.safe_url} is not empty, and recours fills an empty database only. Create one (createdb NAME), "
                "and repeat this with --database-url of it."
            )


def restore_into(database: Database, dump: Path) -> None:
    """Read a dump into an empty database, in one transaction. Raises BackupError."""
    target, secrets = conninfo(database)
    options = ["--no-password", "--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction"]
    if complaint := _run(["pg_restore", *options, f"--dbname={target}", str(dump)], secrets):
        raise BackupError(f"pg_restore could not fill {database.safe_url}: {complaint}. It is as it was.")


def conninfo(database: Database) -> tuple[str, dict[str, str]]:
    """How the programs reach the database, without its secrets; and these as their environment. Raises BackupError."""
    from psycopg.conninfo import make_conninfo  # noqa: PLC0415 (an extra)
    from psycopg.pq import Conninfo  # noqa: PLC0415 (same)

    _, given = database.engine.dialect.create_connect_args(database.url)
    # The others are the driver's own. The session's name is recours's, to find it among the server's.
    known = {option.keyword.decode() for option in Conninfo.get_defaults()} - {"application_name"}
    options = {name: value for name, value in {**KEEPALIVES, **given}.items() if name in known}
    secrets = {name: str(options.pop(name)) for name in SECRET_QUERY if options.get(name) is not None}
    if "sslpassword" in secrets:
        raise BackupError(
            "PostgreSQL's programs take sslpassword on their command line only, where others can read it: use a key "
            "without a password, or call pg_dump yourself."
        )
    names = {"password": "PGPASSWORD", "passfile": "PGPASSFILE"}
    return make_conninfo(**options), {names[name]: value for name, value in secrets.items()}


def _run(command: Sequence[str], secrets: Mapping[str, str]) -> str:
    """Run one of PostgreSQL's programs to its end; returns why it failed, "": it did not. Raises BackupError."""
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
            f"The program {command[0]} is not on the PATH: install PostgreSQL's client programs, as new as the server "
            "(Debian: apt-get install postgresql-client)."
        ) from error
    except OSError as error:
        return f"{command[0]} cannot be started: {error.strerror or error}"
    if process.returncode == 0:
        return ""
    # The first error: details follow it, such as the query that failed.
    lines = [line.strip() for line in process.stderr.splitlines() if line.strip()]
    errors = [line for line in lines if _ERROR.search(line)]
    return clean(next(iter(errors or lines), f"it ended with status {process.returncode}")).rstrip(".")

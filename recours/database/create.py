"""Making a database: the embedded one, or one that a person names to `recours init-db`."""

import os
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from sqlalchemy import URL

from recours.database.engine import Database, DatabaseFault
from recours.database.schema import bring_up_to_date, create_service_tables, look


def create_file(path: Path) -> bool:
    """Make an SQLite file with the whole schema; False if another process made it first.

    It is made under another name and published complete: nobody ever sees half of it, and of several first runs at
    the same time one wins. Raises DatabaseFault.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".new-", dir=path.parent) as folder:
            made = Path(folder) / path.name
            _make(made)
            return _publish(made, path)
    except OSError as error:
        raise DatabaseFault(f"The database {path} cannot be created: {error.strerror or error}.") from error


def _make(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        # Once, here: switching on every connection ends in "database is locked".
        connection.execute("PRAGMA journal_mode=WAL")
    database = Database(URL.create("sqlite", database=str(path)))
    try:
        complete(database)
    finally:
        database.close()


def _publish(made: Path, path: Path) -> bool:
    try:
        os.link(made, path)
    except FileExistsError:
        return False
    except (
        OSError
    ):  # a file system without links: there, renaming over an existing file is not asked for twice
        if path.exists():
            return False
        made.replace(path)
    return True


def complete(database: Database) -> list[str]:
    """Create whatever table lacks, the service's own included; what to say about it. Raises DatabaseFault."""
    with database.write() as connection:
        create_service_tables(connection)
    return bring_up_to_date(database, look(database))[1]

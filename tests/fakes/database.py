"""A database in memory with the whole schema. The real adapters work as with a file, but faster."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import URL, Connection, create_engine
from sqlalchemy.pool import QueuePool

from recours.database.engine import Database
from recours.database.schema.creation import create_file


class MemoryDatabase(Database):
    """SQLite in memory, with a single connection that the threads of a run share."""

    def __init__(self) -> None:
        """Create the whole schema without rows."""
        super().__init__(URL.create("sqlite"))
        self._connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
        self.engine = create_engine(
            "sqlite://", creator=lambda: self._connection, poolclass=QueuePool, pool_size=1, max_overflow=0
        )
        self.empty()
        _ = self.border  # computed now: during a transaction, the only connection is in use

    def empty(self) -> None:
        """Delete all rows."""
        _template().backup(self._connection)

    @contextmanager
    def _synced(self, connection: Connection, *, durable: bool) -> Iterator[None]:
        """Ignore `durable`, because a database in memory ends with its process."""
        del connection, durable
        yield


@cache
def memory_database() -> MemoryDatabase:
    """One database for all tests of a process, so that SQLAlchemy compiles each statement only once."""
    return MemoryDatabase()


@cache
def _template() -> sqlite3.Connection:
    template = sqlite3.connect(":memory:", check_same_thread=False)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "template.db"
        create_file(path)
        with closing(sqlite3.connect(path)) as connection:
            connection.backup(template)
    return template

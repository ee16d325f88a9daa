"""A database in memory, with the whole schema: the real adapters work over it as over a file, and faster."""

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
    """SQLite in memory, with a single connection that the threads of a run use in turn."""

    def __init__(self) -> None:
        """With the whole schema, and without a row."""
        super().__init__(URL.create("sqlite"))
        self._connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
        self.engine = create_engine(
            "sqlite://", creator=lambda: self._connection, poolclass=QueuePool, pool_size=1, max_overflow=0
        )
        self.empty()
        _ = (
            self.border
        )  # which nobody may look at in the middle of a transaction: the connection is in use then

    def empty(self) -> None:
        """Have no rows again."""
        _template().backup(self._connection)

    @contextmanager
    def _synced(self, connection: Connection, *, durable: bool) -> Iterator[None]:
        """Nothing of it outlasts its process, whatever `durable` asks for."""
        del connection, durable
        yield


@cache
def memory_database() -> MemoryDatabase:
    """One for all tests of a process, which have it in turn: SQLAlchemy compiles each statement once."""
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

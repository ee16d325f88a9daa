"""What the PostgreSQL driver is to do otherwise than it would."""

from typing import Any, ClassVar

from psycopg import Connection, DataError
from psycopg.abc import AdaptContext
from psycopg.adapt import Buffer, Loader
from psycopg.types.datetime import DateLoader, TimestampLoader, TimestamptzLoader


class _Lenient(Loader):
    """Gives the text of a value that Python cannot hold, such as `infinity`: one must not hide the other rows."""

    strict: ClassVar[type[Loader]]

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        """As psycopg makes it, for a type and a connection."""
        super().__init__(oid, context)
        self._strict = self.strict(oid, context)

    def load(self, data: Buffer) -> Any:
        try:
            return self._strict.load(data)
        except DataError:
            return bytes(data).decode("utf-8", "replace")


class _Date(_Lenient):
    strict = DateLoader


class _Timestamp(_Lenient):
    strict = TimestampLoader


class _TimestampTz(_Lenient):
    strict = TimestamptzLoader


def read_leniently(connection: "Connection[Any]") -> None:
    """Have dates and times be read row by row."""
    for name, loader in (("date", _Date), ("timestamp", _Timestamp), ("timestamptz", _TimestampTz)):
        connection.adapters.register_loader(name, loader)

"""What the PostgreSQL driver is to do otherwise than it would."""

from typing import Any

from psycopg import Connection, DataError
from psycopg.adapt import Buffer
from psycopg.types.datetime import DateLoader, TimestampLoader, TimestamptzLoader


class _Lenient:
    """Gives the text of a value that Python cannot hold, such as `infinity`: one must not hide the other rows."""

    def load(self, data: Buffer) -> Any:
        try:
            return super().load(data)  # type: ignore[misc] # of the loader that it is mixed into
        except DataError:
            return bytes(data).decode("utf-8", "replace")


class _Date(_Lenient, DateLoader):
    pass


class _Timestamp(_Lenient, TimestampLoader):
    pass


class _TimestampTz(_Lenient, TimestamptzLoader):
    pass


def read_leniently(connection: "Connection[Any]") -> None:
    """Have dates and times be read row by row."""
    for name, loader in (("date", _Date), ("timestamp", _Timestamp), ("timestamptz", _TimestampTz)):
        connection.adapters.register_loader(name, loader)

"""What the PostgreSQL driver is to do otherwise than it would."""

from collections.abc import Generator, Mapping
from typing import Any, ClassVar, TypeVar, cast

from psycopg import Connection, DataError, Error, OperationalError
from psycopg.abc import RV, AdaptContext, PQGen
from psycopg.adapt import Buffer, Loader
from psycopg.errors import ConnectionTimeout
from psycopg.types.datetime import DateLoader, TimestampLoader, TimestamptzLoader

from recours.database.patience import Patience, ServerWait

_Yielded = TypeVar("_Yielded")
_Sent = TypeVar("_Sent")


class _Lenient(Loader):
    """Gives the text of a value that Python cannot hold, such as `infinity`: one must not hide the other rows."""

    strict: ClassVar[type[Loader]]

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
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


class SilentError(OperationalError):
    """The server does not answer."""


def connection_class(patience: Patience) -> "type[Connection[Any]]":
    """Connections that wait for the server no longer than `patience` allows.

    An answer that does not come is a SilentError, and the connection is closed: a late answer would be taken for that
    of another statement.
    """

    class Impatient(Connection[Any]):
        def wait(self, gen: PQGen[RV], *args: Any, **words: Any) -> RV:  # which looks ten times a second
            try:
                return super().wait(_watched(gen, patience.begin()), *args, **words)
            except SilentError:
                self.close()
                raise

        @classmethod
        def connect(cls, *args: Any, **words: Any) -> "Impatient":
            if patience.is_silent():
                raise SilentError(patience.begin_connecting().words())
            if patience.in_doubt:
                words["connect_timeout"] = round(patience.waits.answer)
            try:
                made = super().connect(*args, **words)
            except ConnectionTimeout:
                patience.fell_silent()
                raise
            patience.answered()
            return made

        @classmethod
        def _connect_gen(cls, *args: Any, **words: Any) -> Any:
            return _watched(super()._connect_gen(*args, **words), patience.begin_connecting())

    return Impatient


def _watched(gen: Generator[_Yielded, _Sent, RV], waiting: ServerWait) -> Generator[_Yielded, _Sent, RV]:
    """What the driver waits for, given up when `waiting` says so. Raises SilentError."""
    has_waited = False  # not everything that the driver does needs the server
    try:
        state = next(gen)
        while True:
            ready = yield state
            has_waited = True
            if not ready and (why := waiting.why_end()):
                raise SilentError(why)
            state = gen.send(ready)
    except StopIteration as end:
        if has_waited:
            waiting.was_answered()
        return cast("RV", end.value)


def gives_connections(words: Mapping[str, Any], longest_s: float) -> bool:
    """Tell whether a server gives a connection, or a reason why it gives none, within `longest_s` seconds.

    Nothing is asked over it: a proxy may have no session left for that.
    """
    try:
        Connection.connect(**{**words, "connect_timeout": round(longest_s)}).close()
    except ConnectionTimeout:
        return False
    except Error as error:
        return "FATAL" in str(error)  # PostgreSQL's word before its reasons
    return True

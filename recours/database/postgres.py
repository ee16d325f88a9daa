"""Adapts the PostgreSQL driver: limits how long it waits, and lets it read every value.

A client cannot tell a busy server from an unresponsive one (a frozen proxy, a firewall that drops packets). After a
while, recours opens a second connection. If the server accepts it, the server is busy; otherwise it is unresponsive.
"""

import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from time import monotonic
from typing import Any, TypeVar, cast

from psycopg import Connection, Error, OperationalError
from psycopg.abc import RV, PQGen
from psycopg.conninfo import make_conninfo
from psycopg.errors import ConnectionTimeout
from psycopg.pq import Conninfo
from sqlalchemy import URL, Engine, create_engine, event

from recours.database.dialect import Waits
from recours.database.engine import KEEPALIVES, DatabaseError, safe_text

_Yielded = TypeVar("_Yielded")
_Sent = TypeVar("_Sent")

_NEVER = float("-inf")


class Patience:
    """Limits how long a process waits for its server. If one thread finds the server unresponsive, all stop waiting."""

    def __init__(
        self, answers: Callable[[], bool], waits: Waits, clock: Callable[[], float] = monotonic
    ) -> None:
        """`answers`: whether a second connection opens within `waits.answer` seconds. `clock`: monotonic seconds."""
        self.waits = waits
        self.now = clock
        self._answers = answers
        self._asking = threading.Lock()
        self._asked_at = _NEVER
        # When a connection failed, or two consecutive statements got no answer
        self.silent_at = _NEVER
        self.in_doubt = False  # the last statement got no answer
        self.hurried = False  # the run is ending, so check sooner whether the server responds
        self._long = threading.local()

    @property
    def statement_s(self) -> float:
        return self.waits.long_statement if getattr(self._long, "depth", 0) else self.waits.statement

    @contextmanager
    def long(self) -> Iterator[None]:
        """Let this thread's statements take longer within the context, as long as the server responds."""
        self._long.depth = getattr(self._long, "depth", 0) + 1
        try:
            yield
        finally:
            self._long.depth -= 1

    def begin(self) -> "ServerWait":
        return ServerWait(self, self.waits.answer if self.in_doubt else self.statement_s, self.waits.quiet)

    def begin_connecting(self) -> "ServerWait":
        """Begin to wait for a connection. The driver applies its own timeout."""
        return ServerWait(self, float("inf"), float("inf"))

    @property
    def is_silent(self) -> bool:
        return self.now() - self.silent_at < self.waits.silence

    def note_connection(self, *, is_connected: bool) -> None:
        self.silent_at = _NEVER if is_connected else self.now()

    def doubt(self) -> None:
        """Register a statement that timed out. Either its connection is broken, or the server is unresponsive.

        The next statement shows which, and has only as long as opening a connection may take.
        """
        if self.in_doubt:
            self.silent_at = self.now()
        self.in_doubt = True

    def ask(self, since: float) -> None:
        """Check whether the server responds, unless another thread has checked since `since`."""
        with self._asking:
            if self._asked_at < since:
                self.note_connection(is_connected=self._answers())
                self._asked_at = self.now()


class ServerWait:
    def __init__(self, patience: Patience, longest_s: float, quiet_s: float) -> None:
        self._patience = patience
        self._since = self._asked_at = patience.now()
        self._longest_s = longest_s
        self._quiet_s = quiet_s

    def why_end(self) -> str | None:
        """The reason to stop waiting; None: continue waiting. Must be called several times a second."""
        patience = self._patience
        now = patience.now()
        if now - self._since >= self._longest_s:
            patience.doubt()
            return self.message()
        quiet_s = min(self._quiet_s, patience.waits.hurried) if patience.hurried else self._quiet_s
        if now - self._asked_at >= quiet_s:
            self._asked_at = now
            patience.ask(now)
        return self.message() if patience.is_silent else None

    def message(self) -> str:
        waited = round(self._patience.now() - self._since)
        so_long = f" (waited {waited} s)" if waited else ""
        return f"it does not answer{so_long}. Check the server, and the network and any proxy in between."


class SilentError(OperationalError):
    """The server does not respond."""


def connection_class(patience: Patience) -> "type[Connection[Any]]":
    """A class of connections that wait for the server no longer than `patience` allows.

    When the wait ends, the connection is closed and SilentError raised, because a late answer could be mistaken for
    the answer to the next statement.
    """

    class Impatient(Connection[Any]):
        def wait(self, gen: PQGen[RV], *args: Any, **named: Any) -> RV:  # called ten times a second
            try:
                return super().wait(_watched(gen, patience.begin(), note_answer), *args, **named)
            except SilentError:
                self.close()
                raise

        @classmethod
        def connect(cls, *args: Any, **named: Any) -> "Impatient":
            if patience.is_silent:
                raise SilentError(patience.begin_connecting().message())
            if patience.in_doubt:
                named["connect_timeout"] = round(patience.waits.answer)
            try:
                connection = super().connect(*args, **named)
            except ConnectionTimeout:
                patience.note_connection(is_connected=False)
                raise
            patience.note_connection(is_connected=True)
            return connection

        @classmethod
        def _connect_gen(cls, *args: Any, **named: Any) -> Any:
            return _watched(super()._connect_gen(*args, **named), patience.begin_connecting())

    def note_answer() -> None:
        patience.in_doubt = False

    return Impatient


# Connections kept open between transactions if the number of connections is unlimited.
_KEPT = 5
# Encodings that can store every character. SQL_ASCII accepts any bytes, and recours writes UTF-8.
_COMPLETE_ENCODINGS = ("UTF8", "SQL_ASCII")


def server_engine(url: URL, waits: Waits, connections: int | None) -> tuple[Engine, Patience]:
    """Create an engine that also works through a pooler that gives each transaction another session.

    No session keeps state: the engine uses no prepared statements, and each transaction sets its own local settings.
    """
    _, url_arguments = url.get_dialect()().create_connect_args(url)
    usual = {"connect_timeout": round(waits.connect), **KEEPALIVES}
    # `client_encoding` overrides the server's default.
    arguments = {**usual, **url_arguments, "prepare_threshold": None, "client_encoding": "utf8"}
    patience = Patience(partial(gives_connections, arguments, waits.answer), waits)
    engine = create_engine(
        url,
        isolation_level="AUTOCOMMIT",  # `Database` begins transactions, with their settings
        pool_pre_ping=True,
        pool_size=connections or _KEPT,
        max_overflow=0 if connections else -1,
        creator=partial(connection_class(patience).connect, **arguments),
    )

    @event.listens_for(engine, "connect")
    def set_up(connection: Any, _record: Any) -> None:
        encoding = connection.info.parameter_status("server_encoding") or "UTF8"
        if encoding not in _COMPLETE_ENCODINGS:
            connection.close()
            raise DatabaseError(
                f"The encoding of the database {safe_text(url)} is {encoding}, which cannot store every name and carrier "
                "answer, so runs would fail. Move the data to a database with the encoding UTF8: createdb "
                "--encoding UTF8 --template template0, then pg_dump and pg_restore."
            )

    @event.listens_for(engine, "handle_error")
    def give_up(context: Any) -> None:
        # If the server stops responding during a batch, the connection cannot be rolled back.
        if "pipeline mode" in str(context.original_exception):
            context.is_disconnect = True

    return engine, patience


def _watched(
    gen: Generator[_Yielded, _Sent, RV], waiting: ServerWait, answered: Callable[[], object] = lambda: None
) -> Generator[_Yielded, _Sent, RV]:
    """Wrap one of the driver's waits, and raise SilentError as soon as `waiting` gives a reason to stop."""
    has_waited = False  # some steps of the driver need no answer from the server
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
            answered()
        return cast("RV", end.value)


def option_names() -> set[str]:
    """The names of the options that a database URL may contain."""
    return {option.keyword.decode() for option in Conninfo.get_defaults()}


def address_of(options: Mapping[str, Any]) -> str:
    """The server's address from these options, in the form that libpq's programs accept."""
    return make_conninfo(**options)


def gives_connections(arguments: Mapping[str, Any], longest_s: float) -> bool:
    """Return whether a server accepts a connection, or rejects it with a reason, within `longest_s` seconds.

    No statement is sent, because a proxy may have no free session.
    """
    try:
        Connection.connect(**{**arguments, "connect_timeout": round(longest_s)}).close()
    except ConnectionTimeout:
        return False
    except Error as error:
        return "FATAL" in str(error)  # PostgreSQL's prefix for the reason of a rejection
    return True

"""What the PostgreSQL driver is to do otherwise than it would: wait no longer than is good, and read every value.

A server that is busy and one that fell silent look alike from here: a proxy that froze, a firewall that drops packets.
So a second connection is asked for after a while. A server that gives one is busy; another is silent.
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
    """Of one process with one server. Threads share it: the silence that one of them met holds for all."""

    def __init__(
        self, answers: Callable[[], bool], waits: Waits, clock: Callable[[], float] = monotonic
    ) -> None:
        """`answers` asks for a second connection, for `waits.answer` at most. `clock`: seconds that never go back."""
        self.waits = waits
        self.now = clock
        self._answers = answers
        self._asking = threading.Lock()
        self._asked_at = _NEVER
        self.silent_at = _NEVER  # it gave no connection, or twice in a row no answer
        self.in_doubt = False  # the last statement had no answer
        self.hurried = False  # the run is to end: find out soon whether the server is there
        self._long = threading.local()

    @property
    def statement_s(self) -> float:
        return self.waits.long_statement if getattr(self._long, "depth", 0) else self.waits.statement

    @contextmanager
    def long(self) -> Iterator[None]:
        """Statements of this thread may last long meanwhile, as long as the server is there."""
        self._long.depth = getattr(self._long, "depth", 0) + 1
        try:
            yield
        finally:
            self._long.depth -= 1

    def begin(self) -> "ServerWait":
        return ServerWait(self, self.waits.answer if self.in_doubt else self.statement_s, self.waits.quiet)

    def begin_connecting(self) -> "ServerWait":
        """A connection is asked for now; how long it may take is the driver's to count."""
        return ServerWait(self, float("inf"), float("inf"))

    @property
    def is_silent(self) -> bool:
        return self.now() - self.silent_at < self.waits.silence

    def note_connection(self, *, is_connected: bool) -> None:
        self.silent_at = _NEVER if is_connected else self.now()

    def doubt(self) -> None:
        """A statement had no answer in all its time: the connection may be broken, or the server silent behind a proxy.

        The next one finds out, and is waited for as long as a connection.
        """
        if self.in_doubt:
            self.silent_at = self.now()
        self.in_doubt = True

    def ask(self, since: float) -> None:
        """Find out whether the server is there, unless a thread has since then."""
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
        """Why not to wait any longer; None: wait on. Call it several times a second."""
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
    """The server does not answer."""


def connection_class(patience: Patience) -> "type[Connection[Any]]":
    """Connections that wait for the server no longer than `patience` allows.

    An answer that does not come is a SilentError, and the connection is closed: a late answer would be taken for that
    of another statement.
    """

    class Impatient(Connection[Any]):
        def wait(self, gen: PQGen[RV], *args: Any, **named: Any) -> RV:  # which looks ten times a second
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


# Connections that are kept open between transactions, where there may be any number.
_KEPT = 5
# Encodings that can hold every sign. The second takes any bytes: recours's and, it is hoped, the service's are UTF-8.
_OF_ALL_SIGNS = ("UTF8", "SQL_ASCII")


def server_engine(url: URL, waits: Waits, connections: int | None) -> tuple[Engine, Patience]:
    """Good for a proxy that hands each transaction to another session, too: nothing is kept between transactions.

    No statement stays prepared, and what a transaction needs of its session it sets for itself alone.
    """
    _, url_arguments = url.get_dialect()().create_connect_args(url)
    usual = {"connect_timeout": round(waits.connect), **KEEPALIVES}
    # `client_encoding`: whatever the server takes its clients to speak.
    arguments = {**usual, **url_arguments, "prepare_threshold": None, "client_encoding": "utf8"}
    patience = Patience(partial(gives_connections, arguments, waits.answer), waits)
    engine = create_engine(
        url,
        isolation_level="AUTOCOMMIT",  # `Database` begins a transaction, with all that it needs
        pool_pre_ping=True,
        pool_size=connections or _KEPT,
        max_overflow=0 if connections else -1,
        creator=partial(connection_class(patience).connect, **arguments),
    )

    @event.listens_for(engine, "connect")
    def set_up(connection: Any, _record: Any) -> None:
        encoding = connection.info.parameter_status("server_encoding") or "UTF8"
        if encoding not in _OF_ALL_SIGNS:
            connection.close()
            raise DatabaseError(
                f"The encoding of the database {safe_text(url)} is {encoding}: it cannot hold every name and answer of a "
                "carrier, and what it cannot hold would end runs. Move it to one of the encoding UTF8: createdb "
                "--encoding UTF8 --template template0, then pg_dump and pg_restore."
            )

    @event.listens_for(engine, "handle_error")
    def give_up(context: Any) -> None:
        # A server that ends in the middle of a batch leaves a connection on which nothing can be rolled back.
        if "pipeline mode" in str(context.original_exception):
            context.is_disconnect = True

    return engine, patience


def _watched(
    gen: Generator[_Yielded, _Sent, RV], waiting: ServerWait, answered: Callable[[], object] = lambda: None
) -> Generator[_Yielded, _Sent, RV]:
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
            answered()
        return cast("RV", end.value)


def option_names() -> set[str]:
    """Those that a database's URL may have."""
    return {option.keyword.decode() for option in Conninfo.get_defaults()}


def address_of(options: Mapping[str, Any]) -> str:
    """A server's address with these options, as its own programs take it."""
    return make_conninfo(**options)


def gives_connections(arguments: Mapping[str, Any], longest_s: float) -> bool:
    """Return whether a server gives a connection, or a reason why it gives none, within `longest_s` seconds.

    Nothing is asked over it: a proxy may have no session left for that.
    """
    try:
        Connection.connect(**{**arguments, "connect_timeout": round(longest_s)}).close()
    except ConnectionTimeout:
        return False
    except Error as error:
        return "FATAL" in str(error)  # PostgreSQL's word before its reasons
    return True

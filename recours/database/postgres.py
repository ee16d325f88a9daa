"""What the PostgreSQL driver is to do otherwise than it would: wait no longer than is good, and read every value.

A server that is busy and one that fell silent look alike from here: a proxy that froze, a firewall that drops packets.
So a second connection is asked for after a while. A server that gives one is busy; another is silent.
"""

import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from time import monotonic
from typing import Any, TypeVar, cast

from psycopg import Connection, Error, OperationalError
from psycopg.abc import RV, PQGen
from psycopg.errors import ConnectionTimeout

from recours.database.engine import Waits

_Yielded = TypeVar("_Yielded")
_Sent = TypeVar("_Sent")

_NEVER = float("-inf")


# ---------------------------------------------------------------- how long a server is waited for


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
        """How long a statement of this thread may last."""
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


# ---------------------------------------------------------------- connections


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


def gives_connections(arguments: Mapping[str, Any], longest_s: float) -> bool:
    """Tell whether a server gives a connection, or a reason why it gives none, within `longest_s` seconds.

    Nothing is asked over it: a proxy may have no session left for that.
    """
    try:
        Connection.connect(**{**arguments, "connect_timeout": round(longest_s)}).close()
    except ConnectionTimeout:
        return False
    except Error as error:
        return "FATAL" in str(error)  # PostgreSQL's word before its reasons
    return True

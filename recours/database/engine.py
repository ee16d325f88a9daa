"""Connections to the database, error messages for people, and the database's clock, which all machines share."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    URL,
    ColumnElement,
    Connection,
    Executable,
    RowMapping,
    delete,
    or_,
    text,
)
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from recours.core.errors import RunError
from recours.core.pauses import FURTHEST_END
from recours.database.border import USUAL_NAMES, Border, TableNames
from recours.database.dialect import DIALECTS, LOCK_WAIT_S, USUAL, FileError, Waits, is_file, meaning_of, put
from recours.database.schema.rights import MISSING, NOT_ALLOWED, how_to_get_sql
from recours.database.tables import leases
from recours.host.files import exists

if TYPE_CHECKING:
    from recours.database.postgres import Patience


_LOCK_TIMED_OUT = "55P03"  # PostgreSQL's error code
_RAISED_IN_FUNCTION = "P0"  # the prefix of the codes of errors raised by PL/pgSQL functions

# The errors of PostgreSQL and SQLite about a column that was dropped or whose type was changed.
_TABLE_CHANGED = ("42703", "42804")
_NO_SUCH_COLUMN = "no such column"

# Query parameters of a database URL whose values are secrets.
SECRET_QUERY = ("password", "passfile", "sslpassword")

# The server's statement timeout is this share of our timeout, so that the server releases its locks before we give up.
_SERVER_SHARE = 0.9
# The longest pause between two statements of a write transaction. After a longer pause, the server releases its locks.
_IDLE_S = 120.0
# Wait for the disk even if the service has turned synchronous_commit off; stricter settings are kept.
_SYNCHRONOUS = "SELECT set_config('synchronous_commit', 'local', true) WHERE current_setting('synchronous_commit') = 'off'"
# How soon the operating system detects a dead connection, in seconds (the last in milliseconds). The default is hours.
KEEPALIVES = {
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}


class DatabaseError(RunError):
    """The database cannot be used. The message states the cause and the remedy."""

    @property
    def _driver_error(self) -> BaseException | None:
        return getattr(self.__cause__, "orig", self.__cause__)

    @property
    def sqlstate(self) -> str | None:
        """PostgreSQL's error code; None for another database, or if no server answered."""
        return getattr(self._driver_error, "sqlstate", None)

    @property
    def message(self) -> str:
        """The first line of the database's own message, or else of this error's message."""
        return _first_line(self._driver_error or self)

    @property
    def is_lock_timeout(self) -> bool:
        """Return whether waiting for another program's lock timed out."""
        if isinstance(self._driver_error, FileError):
            return "locked" in str(self._driver_error)
        return self.sqlstate == _LOCK_TIMED_OUT

    @property
    def is_rejection(self) -> bool:
        """Return whether a constraint or a trigger of the service rejected the values."""
        is_raised = (self.sqlstate or "").startswith(_RAISED_IN_FUNCTION)
        return is_raised or isinstance(self.__cause__, IntegrityError | DataError)

    @property
    def is_permission_error(self) -> bool:
        return self.sqlstate == NOT_ALLOWED

    @property
    def is_from_server(self) -> bool:
        """Return whether the error came from a server, so that the next statement may succeed."""
        return self.sqlstate is not None


class Database:
    """One database, read and written in short transactions.

    On SQLite a write transaction acquires the write lock at its beginning, so that it is never rolled back because
    another process wrote first. The threads of this process wait for `write_lock` instead, because SQLite waits by
    sleeping for increasing times.
    """

    def __init__(
        self,
        url: URL,
        *,
        lock_wait_s: float = LOCK_WAIT_S,
        waits: Waits = USUAL,
        connections: int | None = None,
        names: TableNames = USUAL_NAMES,
    ) -> None:
        """Prepare the engine without connecting.

        `waits`: how long to wait for a server. `connections`: the maximum number of open connections; None: no limit.
        `names`: the names of the service's table of claims and of its columns.
        """
        self.url = url
        self.names = names
        self._border: Border | None = None
        self._border_lock = threading.Lock()
        self.dialect = DIALECTS[url.get_backend_name()]
        self.is_sqlite = is_file(url)
        self.write_lock = threading.RLock()  # held by the thread of this process that writes
        self._lock_wait_s = lock_wait_s
        self._user = url.username  # on PostgreSQL; set at the first transaction if the URL has no user
        self._patience: Patience | None  # None on SQLite
        self.engine, self._patience = self.dialect.engine(url, lock_wait_s, waits, connections)

    @property
    def safe_url(self) -> str:
        return safe_text(self.url)

    @property
    def path(self) -> Path | None:
        """The SQLite file; None for other databases."""
        return Path(self.url.database) if self.is_sqlite and self.url.database else None

    def is_there(self) -> bool:
        """Return whether the SQLite file exists; True for servers. Raises DatabaseError if access is denied."""
        try:
            return self.path is None or exists(self.path)
        except OSError as error:
            raise DatabaseError(
                f"The database {self.safe_url} cannot be opened ({error.strerror}); "
                "check that the file exists and that this user can read and write it."
            ) from error

    @property
    def border(self) -> Border:
        """The service's tables, inspected on first use. Raises DatabaseError."""
        border = self._border
        if border is None:
            with self.read() as connection:
                border = self._keep(Border(connection, self.names))
        return border

    def reinspect(self, connection: Connection | None = None) -> None:
        """Inspect the service's tables again, because they may have changed.

        `connection`: inspect now, in its transaction; None: on next use.
        """
        if connection is None:
            self._border = None
        else:
            self._keep(Border(connection, self.names))

    def _keep(self, border: Border) -> Border:
        """Keep the previous border if nothing changed: another thread may be building a statement with its columns."""
        with self._border_lock:
            if self._border is None or self._border.description != border.description:
                self._border = border
            return self._border

    @contextmanager
    def read(self) -> Iterator[Connection]:
        with self._translated(), self.engine.connect() as connection:
            self._begin(connection, writing=False)
            yield connection

    def all(self, query: Executable, values: Mapping[str, Any] | None = None) -> Sequence[Any]:
        """All rows of a query in its own transaction. This and the next three methods raise DatabaseError."""
        with self.read() as connection:
            return connection.execute(query, values).all()

    def mappings(self, query: Executable, values: Mapping[str, Any] | None = None) -> Sequence[RowMapping]:
        """All rows of a query, as mappings by column name."""
        with self.read() as connection:
            return connection.execute(query, values).mappings().all()

    def scalars(self, query: Executable, values: Mapping[str, Any] | None = None) -> list[Any]:
        """The first value of each row."""
        return [row[0] for row in self.all(query, values)]

    def scalar(self, query: Executable, values: Mapping[str, Any] | None = None) -> Any:
        """The first value of the first row; None if there is no row."""
        with self.read() as connection:
            return connection.scalar(query, values)

    @contextmanager
    def write(self, *, durable: bool = False, lock_wait_s: float | None = None) -> Iterator[Connection]:
        """A write transaction, committed at the end. Raises DatabaseError.

        `lock_wait_s`: how long a statement on a database server waits for another program's lock; None: LOCK_WAIT_S.
        `durable`: flush this and all earlier commits to disk, so that a power cut cannot undo them. Use it right before
        a call or an email.
        """
        with (
            self.write_lock if self.is_sqlite else nullcontext(),
            self._translated(),
            self.engine.connect() as connection,
            self.dialect.synced(connection) if durable else nullcontext(),
            connection.begin(),
        ):
            self._begin(connection, writing=True, durable=durable, lock_wait_s=lock_wait_s)
            yield connection

    def long(self) -> AbstractContextManager[None]:
        """Within the context, let this thread's statements take up to an hour, provided that the server responds."""
        return self._patience.long() if self._patience else nullcontext()

    def hurry(self) -> None:
        """Stop waiting for an unresponsive server, because the run is ending. Safe in a signal handler."""
        if self._patience:
            self._patience.hurried = True

    def _begin(
        self,
        connection: Connection,
        *,
        writing: bool,
        durable: bool = False,
        lock_wait_s: float | None = None,
    ) -> None:
        """Begin a transaction with its settings.

        A listener for SQLAlchemy's "begin" event would be slower. If an engine has one listener, SQLAlchemy checks for
        others at every step of every statement: a sixth of the time of a small transaction.
        """
        driver: Any = connection.connection.driver_connection
        # Use the driver directly: through SQLAlchemy, this step takes a third of the time of a transaction.
        if self._patience is None:
            driver.execute("BEGIN IMMEDIATE" if writing else "BEGIN")
            return
        self._user = driver.info.user
        # Override the server's defaults: concurrent writes must not cause errors, and a program that locks a table for
        # hours must not block a run for hours. All settings are sent in one message, to save round trips.
        begin = [
            "BEGIN ISOLATION LEVEL READ COMMITTED",
            f"SET LOCAL lock_timeout = '{_ms(lock_wait_s or self._lock_wait_s)}'",
            f"SET LOCAL statement_timeout = '{_ms(_SERVER_SHARE * self._patience.statement_s)}'",
            # The text form of times depends on these settings, which another user of a shared session may have changed.
            # Naive values are UTC, and dates are ISO.
            "SET LOCAL TimeZone = 'UTC'",
            "SET LOCAL DateStyle = 'ISO'",
        ]
        if writing:
            begin.append(f"SET LOCAL idle_in_transaction_session_timeout = '{_ms(_IDLE_S)}'")
        if durable:
            begin.append(_SYNCHRONOUS)
        try:
            driver.execute("; ".join(begin))
        except self.engine.dialect.loaded_dbapi.Error:
            connection.invalidate()  # the server is gone or unresponsive: do not attempt a rollback
            raise

    @contextmanager
    def outside_transactions(self) -> Iterator[Connection]:
        """A connection in autocommit mode, which some PostgreSQL statements require. Raises DatabaseError."""
        with self._translated(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, PoolTimeout, self.engine.dialect.loaded_dbapi.Error) as error:
            original = getattr(error, "orig", None) or error
            sqlstate = getattr(original, "sqlstate", None)
            message = _first_line(original)
            sentence = explain(error, self.safe_url)
            if sqlstate == NOT_ALLOWED:
                sentence = f"{MISSING} ({message}): {how_to_get_sql(self._user)}"
            if sqlstate in _TABLE_CHANGED or message.startswith(_NO_SUCH_COLUMN):
                self.reinspect()
            raise DatabaseError(sentence) from error

    def close(self) -> None:
        self.engine.dispose()


def _ms(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"


def safe_text(url: URL) -> str:
    """The URL without secrets, for display."""
    if is_file(url):
        return f"SQLite {url.database}"
    secret = {name: "***" for name in SECRET_QUERY if name in url.query}
    return url.update_query_dict(secret).render_as_string(hide_password=True)


def explain(error: Exception, address: str) -> str:
    """A driver's error as a sentence, without the statement or its values."""
    original = getattr(error, "orig", None) or error
    if meaning := meaning_of(original):
        return f"The database {address} {meaning}."
    return f"The database {address} cannot be used: {_first_line(original)}"


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


_CLOCK = text("SELECT CAST(extract(epoch FROM clock_timestamp()) AS double precision)")
_ZERO = timedelta(0)


class SystemClock:
    def __init__(self, offset: timedelta = _ZERO) -> None:
        """`offset`: the difference to add to this machine's clock."""
        self._offset = offset

    def now(self) -> datetime:
        return _now() + self._offset

    def adjust(self, offset: timedelta) -> None:
        """Replace the clock offset after the machine's clock was set or has drifted."""
        self._offset = offset

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def _now() -> datetime:
    return datetime.now(UTC)


def clock_offset(database: Database, now: Callable[[], datetime] = _now) -> timedelta:
    """The database's clock minus this machine's (`now`, aware); zero on SQLite. Raises DatabaseError."""
    if database.is_sqlite:
        return _ZERO
    with database.outside_transactions() as connection:  # a BEGIN would add to the measured time
        start = now()
        database_time = connection.scalar(_CLOCK)
        end = now()
    return offset_between(start, datetime.fromtimestamp(database_time or 0, UTC), end)


def offset_between(start: datetime, other_time: datetime, end: datetime) -> timedelta:
    """The time of another clock, read between `start` and `end` and probably in the middle, minus this clock's time.

    Zero if the difference is smaller than the uncertainty of the measurement.
    """
    if start <= other_time <= end:
        return _ZERO
    return other_time - (start + (end - start) / 2)


def is_over(until: ColumnElement[Any], now: datetime) -> ColumnElement[bool]:
    """Leases or pauses that have ended, or whose end is impossibly late because a clock was wrong."""
    return or_(until <= now, until > now + FURTHEST_END)


def lease_name(database: Database, name: str, holder: str, until: datetime, now: datetime) -> bool:
    """Lease a named task until `until`, unless another process has leased it. Return whether `holder` has the lease."""
    values = {"holder": holder, "held_until": until}
    with database.write() as connection:
        is_free = is_over(leases.c.held_until, now)
        return put(connection, leases, values | {"name": name}, values, where=is_free)


def release_name(database: Database, name: str, holder: str) -> None:
    """End the lease of a named task, unless another process has leased it since."""
    with database.write() as connection:
        connection.execute(delete(leases).where(leases.c.name == name, leases.c.holder == holder))

"""The connection to the database, its errors as sentences, and its clock, by which runs on several machines share leases."""

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

if TYPE_CHECKING:
    from recours.database.postgres import Patience


_LOCK_TIMED_OUT = "55P03"  # PostgreSQL's code for that
_OF_PLPGSQL = "P0"  # how its codes begin for what a function in PL/pgSQL raises

# What is said of a column that was dropped, or has another type now: by PostgreSQL, by SQLite.
_OF_ANOTHER_TABLE = ("42703", "42804")
_NO_SUCH_COLUMN = "no such column"

# Names in the query of a database URL whose values are secrets.
SECRET_QUERY = ("password", "passfile", "sslpassword")

# The server ends a statement itself before it is given up here, so that whatever it locked is free then.
_SOONER = 0.9
# Between two statements of a transaction that writes: a server whose client fell silent keeps what it locked no longer.
_IDLE_S = 120.0
# A service may have its commits not wait for the disk; where they wait for more than that, they go on to.
_NOT_ASYNCHRONOUS = "SELECT set_config('synchronous_commit', 'local', true) WHERE current_setting('synchronous_commit') = 'off'"
# How soon the system finds out that packets are dropped (seconds, milliseconds): it would take hours by itself.
KEEPALIVES = {
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}


class DatabaseError(RunError):
    """The database cannot be used. The text says why and what to do."""

    @property
    def _driver_error(self) -> BaseException | None:
        return getattr(self.__cause__, "orig", self.__cause__)

    @property
    def sqlstate(self) -> str | None:
        """PostgreSQL's code for it; None if it is another database's error, or no server answered."""
        return getattr(self._driver_error, "sqlstate", None)

    @property
    def message(self) -> str:
        """The database's own message, or else the whole sentence."""
        return _first_line(self._driver_error or self)

    @property
    def is_of_lock(self) -> bool:
        """Return whether another program locked for too long what was to be read or written."""
        if isinstance(self._driver_error, FileError):
            return "locked" in str(self._driver_error)
        return self.sqlstate == _LOCK_TIMED_OUT

    @property
    def is_of_rules(self) -> bool:
        """Return whether a constraint or a trigger of the service's refused what was to be written."""
        is_raised = (self.sqlstate or "").startswith(_OF_PLPGSQL)
        return is_raised or isinstance(self.__cause__, IntegrityError | DataError)

    @property
    def is_of_rights(self) -> bool:
        return self.sqlstate == NOT_ALLOWED

    @property
    def was_answered(self) -> bool:
        """Return whether a server said it: the next statement may fare better."""
        return self.sqlstate is not None


class Database:
    """One database, read and written in short transactions.

    On SQLite a write transaction takes the write lock at its beginning, so that it never has to be rolled back
    half-way because another process wrote first. The threads of this process queue for it on a lock of this object: SQLite's
    own waiting is a sleep that grows.
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
        """Connect nowhere yet.

        `waits`: how long a server is waited for. `connections`: to it at once, at most; None: any number. `names`: what the
        service calls its claims.
        """
        self.url = url
        self.names = names
        self._border: Border | None = None
        self._border_lock = threading.Lock()
        self.dialect = DIALECTS[url.get_backend_name()]
        self.is_sqlite = is_file(url)
        self.write_lock = threading.RLock()  # which thread of this process writes
        self._lock_wait_s = lock_wait_s
        self._user = url.username  # PostgreSQL's; where the URL names none, as it is at the first transaction
        self._patience: Patience | None  # with a server; SQLite has none
        self.engine, self._patience = self.dialect.engine(url, lock_wait_s, waits, connections)

    @property
    def safe_url(self) -> str:
        return safe_text(self.url)

    @property
    def path(self) -> Path | None:
        """The SQLite file; None if it is another kind of database."""
        return Path(self.url.database) if self.is_sqlite and self.url.database else None

    def is_there(self) -> bool:
        """Return whether its file is there; a server's counts as such. Raises DatabaseError if this user may not know."""
        try:
            return self.path is None or self.path.exists()
        except OSError as error:
            raise DatabaseError(
                f"The database {self.safe_url} cannot be opened ({error.strerror}); "
                "check that the file exists and that this user may read and write it."
            ) from error

    @property
    def border(self) -> Border:
        """The service's tables, as they were when they were first needed. Raises DatabaseError."""
        border = self._border
        if border is None:
            with self.read() as connection:
                border = self._keep(Border(connection, self.names))
        return border

    def look_again(self, connection: Connection | None = None) -> None:
        """Have the service's tables looked at again: they may have changed.

        `connection`: at once, in its transaction; None: when they are needed.
        """
        if connection is None:
            self._border = None
        else:
            self._keep(Border(connection, self.names))

    def _keep(self, border: Border) -> Border:
        """Keep the border of before if nothing has changed: another thread may be building a statement of its columns."""
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
        """All rows of a query, in a transaction of its own. Raises DatabaseError, as the next three do."""
        with self.read() as connection:
            return connection.execute(query, values).all()

    def mappings(self, query: Executable, values: Mapping[str, Any] | None = None) -> Sequence[RowMapping]:
        """The same, by the names of their columns."""
        with self.read() as connection:
            return connection.execute(query, values).mappings().all()

    def scalars(self, query: Executable, values: Mapping[str, Any] | None = None) -> list[Any]:
        """The first value of each row."""
        return [row[0] for row in self.all(query, values)]

    def scalar(self, query: Executable, values: Mapping[str, Any] | None = None) -> Any:
        """The first value of the first row; None: there is no row."""
        with self.read() as connection:
            return connection.scalar(query, values)

    @contextmanager
    def write(self, *, durable: bool = False, lock_wait_s: float | None = None) -> Iterator[Connection]:
        """A transaction to write in, committed at the end. Raises DatabaseError.

        `lock_wait_s`: how long a statement waits for another program's lock on a server; None: LOCK_WAIT_S.
        `durable`: a power cut later does not undo it, nor what was committed before it. For what is spent outside
        right afterwards: a call, a mail.
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
        """Statements of this thread may last up to an hour meanwhile, as long as the server is there."""
        return self._patience.long() if self._patience else nullcontext()

    def hurry(self) -> None:
        """The run is to end: a server that fell silent is not waited for. Good for a signal's handler."""
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
        """Say what kind of transaction begins.

        Not on SQLAlchemy's event: an engine that has a listener looks for others at each step of each statement, which
        is a sixth of what a small transaction costs.
        """
        driver: Any = connection.connection.driver_connection
        # By the driver: by SQLAlchemy it would be a third of what a transaction costs.
        if self._patience is None:
            driver.execute("BEGIN IMMEDIATE" if writing else "BEGIN")
            return
        self._user = driver.info.user
        # Whatever the server's defaults are: rows that others wrote meanwhile are no error, and a program that locks a
        # table for hours must not stop a run as long. All of it in one message, each being a way to the server and back.
        says = [
            "BEGIN ISOLATION LEVEL READ COMMITTED",
            f"SET LOCAL lock_timeout = '{_ms(lock_wait_s or self._lock_wait_s)}'",
            f"SET LOCAL statement_timeout = '{_ms(_SOONER * self._patience.statement_s)}'",
            # Texts of times depend on these, and a proxy shares sessions: naive values are UTC, and dates ISO.
            "SET LOCAL TimeZone = 'UTC'",
            "SET LOCAL DateStyle = 'ISO'",
        ]
        if writing:
            says.append(f"SET LOCAL idle_in_transaction_session_timeout = '{_ms(_IDLE_S)}'")
        if durable:
            says.append(_NOT_ASYNCHRONOUS)
        try:
            driver.execute("; ".join(says))
        except self.engine.dialect.loaded_dbapi.Error:
            connection.invalidate()  # its server is gone, or as good as: nobody is to try to put it in order
            raise

    @contextmanager
    def outside_transactions(self) -> Iterator[Connection]:
        """A connection whose statements are each by themselves, as some of PostgreSQL's must. Raises DatabaseError."""
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
            if sqlstate in _OF_ANOTHER_TABLE or message.startswith(_NO_SUCH_COLUMN):
                self.look_again()
            raise DatabaseError(sentence) from error

    def close(self) -> None:
        self.engine.dispose()


def _ms(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"


def safe_text(url: URL) -> str:
    """The URL for people, without secrets."""
    if is_file(url):
        return f"SQLite {url.database}"
    secret = {name: "***" for name in SECRET_QUERY if name in url.query}
    return url.update_query_dict(secret).render_as_string(hide_password=True)


def explain(error: Exception, address: str) -> str:
    """A driver's error as a sentence. Never holds the statement or its values."""
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
        """`offset`: what is added to this machine's clock."""
        self._offset = offset

    def now(self) -> datetime:
        return _now() + self._offset

    def adjust(self, offset: timedelta) -> None:
        """This machine's clock was set meanwhile, or went astray: add another offset from now on."""
        self._offset = offset

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def _now() -> datetime:
    return datetime.now(UTC)


def clock_offset(database: Database, now: Callable[[], datetime] = _now) -> timedelta:
    """The database's clock minus this machine's (`now`, aware); zero on SQLite, which has none. Raises DatabaseError."""
    if database.is_sqlite:
        return _ZERO
    with database.outside_transactions() as connection:  # whose beginning would be measured too
        start = now()
        database_time = connection.scalar(_CLOCK)
        end = now()
    return offset_between(start, datetime.fromtimestamp(database_time or 0, UTC), end)


def offset_between(start: datetime, other_time: datetime, end: datetime) -> timedelta:
    """Their clock minus this one, by which theirs was read between `start` and `end`, most likely in the middle.

    Zero if it may have been that time by this clock too.
    """
    if start <= other_time <= end:
        return _ZERO
    return other_time - (start + (end - start) / 2)


def is_over(until: ColumnElement[Any], now: datetime) -> ColumnElement[bool]:
    """A lease or a pause that is over; also one that a wrong clock set to last longer than any can."""
    return or_(until <= now, until > now + FURTHEST_END)


def lease_name(database: Database, name: str, holder: str, until: datetime, now: datetime) -> bool:
    """Return whether `holder` may do this work until then: no other process does, or the one that did has died."""
    values = {"holder": holder, "held_until": until}
    with database.write() as connection:
        is_free = is_over(leases.c.held_until, now)
        return put(connection, leases, values | {"name": name}, values, where=is_free)


def release_name(database: Database, name: str, holder: str) -> None:
    """The work is done; nothing happens if another process has leased it since."""
    with database.write() as connection:
        connection.execute(delete(leases).where(leases.c.name == name, leases.c.holder == holder))

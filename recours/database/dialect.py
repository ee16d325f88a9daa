"""What differs between SQLite and PostgreSQL, and functions for SQLite files. `postgres` has PostgreSQL's driver."""

import json
import re
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    ARRAY,
    CTE,
    NUMERIC,
    URL,
    BigInteger,
    ColumnCollection,
    ColumnElement,
    Connection,
    Engine,
    Integer,
    Interval,
    LargeBinary,
    Select,
    Subquery,
    Table,
    Text,
    and_,
    bindparam,
    cast,
    create_engine,
    event,
    func,
    literal,
    literal_column,
    or_,
    select,
    text,
    true,
    union_all,
)
from sqlalchemy.engine.interfaces import ReflectedColumn
from sqlalchemy.engine.reflection import Inspector, ObjectKind
from sqlalchemy.exc import NoSuchTableError
from sqlalchemy.pool import QueuePool
from sqlalchemy.types import NullType

from recours.core.order import LAST
from recours.core.text import plain, spellings

if TYPE_CHECKING:
    from recours.database.postgres import Patience

# A function that builds a query for the ids and ranks of a lane's first claims that meet the given conditions.
First = Callable[..., Select[Any]]
Columns = ColumnCollection[str, Any]
# The tier of each of the `index_ranges`: see `recours.core.order.urgency`.
TIERS = (0, 0, 1, LAST)
# How long a statement waits for another program's lock, in seconds.
LOCK_WAIT_S = 30

# SQLite's levels of syncing to disk, and the key under which a connection stores its levels.
_FULL = 2
_EXTRA = 3
_SYNCED = "recours.synced"


@dataclass(frozen=True)
class Waits:
    """How long to wait for a server, in seconds."""

    statement: float = 40.0  # for one statement; longer than the wait for a lock
    long_statement: float = 3600.0  # for a statement that reads a whole table or builds an index
    connect: float = 20.0  # for a connection, at each of the server's addresses
    quiet: float = 10.0  # for an answer, before a second connection tests whether the server responds
    hurried: float = 1.0  # replaces `quiet` when the run is ending
    answer: float = 5.0  # for the second connection
    # How long an unresponsive server is not called again, so that a run ends at once
    silence: float = 20.0


USUAL = Waits()


class _Dialect:
    """Base class for both databases."""

    name: str

    def insert(self, table: Table) -> Any:
        """An INSERT that supports ON CONFLICT and returns no id. Imports only the dialect in use, for speed."""
        return import_module(f"sqlalchemy.dialects.{self.name}").insert(table).inline()

    def compared(self, value: ColumnElement[str]) -> ColumnElement[str]:
        """The text in a form that is compared character by character, regardless of the database's collation."""
        return value

    @contextmanager
    def synced(self, connection: Connection) -> Iterator[None]:
        """Sync the commits in this context to disk."""
        del connection
        yield

    def columns_of(
        self, inspector: Inspector, schema: str | None, names: Collection[str]
    ) -> dict[str, list[ReflectedColumn]]:
        """The columns of these tables or views, by table name. Missing tables are left out."""
        columns_by_table = inspector.get_multi_columns(schema, list(names), ObjectKind.ANY)
        return {name: columns for (_, name), columns in columns_by_table.items()}


class _Sqlite(_Dialect):
    """A database in a file."""

    name = "sqlite"
    driver = "sqlite"
    backup_file = "database.sqlite"
    # One transaction writes at a time and locks the whole database, so rows are never locked separately.
    has_one_writer = True
    has_any_text = True  # a column may contain values of any type, and text that is not valid UTF-8
    has_rights = False  # no users with different rights
    # To sort many rows, read the whole table, because an index would read the rows in random order.
    reads_by_table = True
    number_type = "INTEGER"  # for the service's numeric keys in recours's tables
    unknown_type = "NUMERIC"  # for keys whose type SQLAlchemy does not know
    new_key = "INTEGER PRIMARY KEY"  # assigned by the database
    is_true = "1"
    now = "CURRENT_TIMESTAMP"
    create_index = "CREATE INDEX"  # on the service's table
    before_reads = None  # the settings for transactions that find rows by key
    # Inspects the table :name (quoted: :table) and its :index in one statement; SQLAlchemy would need many.
    inspection = text(
        """SELECT (SELECT type = 'view' FROM sqlite_master WHERE name = :name) AS is_view,
            (SELECT group_concat(name) FROM pragma_table_info(:name) WHERE pk) AS keys,
            EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'index' AND name = :index) AS has_index,
            NULL AS hidden"""
    )

    def engine(
        self, url: URL, lock_wait_s: float, waits: Waits, connections: int | None
    ) -> tuple[Engine, None]:
        """The engine for this database. `waits` and `connections` apply only to servers."""
        del waits, connections
        path = Path(url.database or "")
        mode = str(url.query.get("mode", "rw"))
        creator = partial(connection_to_file, path, lock_wait_s, mode)
        engine = create_engine("sqlite://", creator=creator, poolclass=QueuePool, max_overflow=-1)

        @event.listens_for(engine, "connect")
        def set_up(connection: sqlite3.Connection, record: Any) -> None:
            has_log = connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
            if has_log:
                # Committed transactions survive the death of a process, but a power cut may undo the latest commits.
                connection.execute("PRAGMA synchronous=NORMAL")
            # Overwrite deleted data in the file, which only some builds of SQLite do by default.
            connection.execute("PRAGMA secure_delete=ON")
            (usual,) = connection.execute("PRAGMA synchronous").fetchone()
            # Without a write-ahead log, a commit deletes its journal. The folder must be synced, too, to store this
            # deletion on disk.
            record.info[_SYNCED] = usual, max(usual, _FULL if has_log else _EXTRA)

        return engine, None

    @contextmanager
    def synced(self, connection: Connection) -> Iterator[None]:
        driver: Any = connection.connection.driver_connection
        usual, safe = connection.info[_SYNCED]
        driver.execute(f"PRAGMA synchronous={safe}")
        try:
            yield
        finally:
            driver.execute(f"PRAGMA synchronous={usual}")

    def empty_log(self, connection: Connection) -> None:
        """Remove deleted data from the write-ahead log, unless a reader still needs it."""
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    def insert_missing(self, connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows, all with the same columns. Rows with existing keys are skipped."""
        connection.execute(self.insert(table).on_conflict_do_nothing(), rows)

    def lanes(self) -> CTE:
        """One parameter as rows of lanes, so that the statement does not depend on the number. See `lanes_named`."""
        lane = func.json_each(bindparam("lanes", type_=Text)).table_valued("value")
        return select(lane.c.value.label("carrier_key")).cte("lanes")

    def lanes_named(self, keys: Collection[str]) -> dict[str, Any]:
        return {"lanes": json.dumps(list(keys))}

    def first_of_each(self, lanes: CTE, first: Select[Any], *, locks: bool = False) -> Select[Any]:
        """The ids and ranks of the claims that the query `first` returns for each of these lanes.

        `locks`: lock the rows, and skip rows that others have locked.
        """
        del locks
        key: Any = first.selected_columns.claim_id
        ids = first.with_only_columns(key).correlate(lanes)  # SQLite has no LATERAL
        claim = key.table.alias("claim")
        return select(claim.c.claim_id, claim.c.rank_at).join_from(lanes, claim, claim.c.claim_id.in_(ids))

    def first_of_ranges(self, lanes: CTE, first: First, columns: Columns, *, locks: bool) -> Subquery:
        """The ids, ranks and tiers of the first claims of each range of each lane.

        `first`: builds the query for a lane with further conditions. `columns`: the table's columns.
        """
        del locks
        parts = [
            self.first_of_each(lanes, first(lanes.c.carrier_key, *where)).add_columns(
                literal(tier).label("tier")
            )
            for tier, where in zip(TIERS, index_ranges(columns), strict=True)
        ]
        return union_all(*parts).subquery()

    def exact(self, column: ColumnElement[Any]) -> ColumnElement[str]:
        """The value as text, prefixed with its type, because an SQLite column can contain values of any type."""
        return func.typeof(column).concat(" ").concat(func.hex(column))

    def contains(self, value: ColumnElement[str], typed: str) -> ColumnElement[bool]:
        """Texts that contain the typed text, with or without its accents. The case of ASCII letters is ignored."""
        return _contains(value, typed)

    def contains_folded(self, value: ColumnElement[str], typed: str) -> ColumnElement[bool]:
        """Texts that contain the typed text, ignoring case and accents: see `recours.core.text.plain`."""
        has_accents = func.length(value) < func.length(cast(value, LargeBinary))
        is_alike = [
            # The first pattern is fast, because it accepts any accented letter; the second checks the accented letters.
            and_(*(value.bool_op("GLOB")(_glob(letters, accents)) for accents in (_ANY_ACCENT, "")))
            for letters in spellings(typed)
        ]
        return or_(self.contains(value, typed), and_(has_accents, or_(*is_alike)))

    def moment(self, value: ColumnElement[str]) -> ColumnElement[str]:
        """A time as text in UTC (`2026-02-03 14:00:00`), so that texts sort like times; NULL for other texts."""
        return func.datetime(value)

    @contextmanager
    def scanning(self, connection: Connection) -> Iterator[None]:
        """Map the file into memory while whole tables are read, which takes a quarter less time.

        At other times the file is not mapped, because a failing disk or an overwritten file would kill the process.
        """
        connection.exec_driver_sql("PRAGMA mmap_size = 2147418112")
        try:
            yield
        finally:
            connection.exec_driver_sql("PRAGMA mmap_size = 0")

    def columns_of(
        self, inspector: Inspector, schema: str | None, names: Collection[str]
    ) -> dict[str, list[ReflectedColumn]]:
        """Inspect only these tables, without listing all tables first. Unknown types, such as UUID, become NullType."""
        columns_by_table = {}
        for name in names:
            with suppress(NoSuchTableError):
                columns_by_table[name] = inspector.get_columns(name, schema)
        for column in chain(*columns_by_table.values()):
            if type(column["type"]) is NUMERIC:
                column["type"] = NullType()
        return columns_by_table


class _Postgres(_Dialect):
    name = "postgresql"
    driver = "postgresql+psycopg"
    backup_file = "database.dump"
    has_one_writer = has_any_text = reads_by_table = False
    has_rights = True
    number_type = "BIGINT"
    unknown_type = "TEXT"
    new_key = "SERIAL PRIMARY KEY"
    is_true = "TRUE"
    now = "CURRENT_TIMESTAMP AT TIME ZONE 'UTC'"
    create_index = "CREATE INDEX CONCURRENTLY"
    # Rows found by key are probably cached. By default, the planner would read the whole table instead of 10,000 of its
    # rows, and would start parallel processes, which takes longer than the query itself.
    before_reads = text(
        "SELECT set_config('random_page_cost', '1.1', true), set_config('max_parallel_workers_per_gather', '0', true)"
    )
    # An invalid index, which remains if a process is killed while building it, is ignored.
    inspection = text(
        """SELECT (SELECT relkind = 'v' FROM pg_class WHERE oid = to_regclass(:table)) AS is_view,
            (SELECT string_agg(attname, ',') FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY(indkey)
                WHERE indrelid = to_regclass(:table) AND indisprimary) AS keys,
            EXISTS (SELECT FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
                WHERE indrelid = to_regclass(:table) AND relname = :index AND indisvalid) AS has_index,
            (SELECT string_agg(name, ',') FROM unnest(ARRAY['clients', 'system_settings']) AS name
                WHERE NOT has_any_column_privilege(to_regclass(name), 'SELECT')) AS hidden"""
    )

    def engine(
        self, url: URL, lock_wait_s: float, waits: Waits, connections: int | None
    ) -> "tuple[Engine, Patience]":
        from recours.database.postgres import server_engine  # noqa: PLC0415 (needs the driver, which is an extra)

        del lock_wait_s
        return server_engine(url, waits, connections)

    def empty_log(self, connection: Connection) -> None:
        """Do nothing, because the server manages its own log."""

    def insert_missing(self, connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        # Send all rows as one JSON value, because separate INSERT statements would be parsed again for each row.
        columns = ", ".join(rows[0])
        recordset = f"json_populate_recordset(CAST(NULL AS {table.name}), CAST(:rows AS json))"
        insertion = f"INSERT INTO {table.name} ({columns}) SELECT {columns} FROM {recordset}"  # noqa: S608 (our own names)
        connection.execute(
            text(f"{insertion} ON CONFLICT DO NOTHING"),
            {"rows": json.dumps(rows, default=str, ensure_ascii=False)},
        )

    def lanes(self) -> CTE:
        return select(func.unnest(bindparam("lanes", type_=ARRAY(Text))).label("carrier_key")).cte("lanes")

    def lanes_named(self, keys: Collection[str]) -> dict[str, Any]:
        return {"lanes": list(keys)}

    def first_of_each(self, lanes: CTE, first: Select[Any], *, locks: bool = False) -> Select[Any]:
        first = first.with_for_update(skip_locked=True) if locks else first
        rows = first.correlate(lanes).lateral()
        return select(rows.c.claim_id, rows.c.rank_at).select_from(lanes.join(rows, true()))

    def first_of_ranges(self, lanes: CTE, first: First, columns: Columns, *, locks: bool) -> Subquery:
        """Join the ranges as rows in one query, because planning a UNION would take longer than reading the claims."""
        from sqlalchemy.dialects.postgresql import array  # noqa: PLC0415 (loads all of that dialect)

        time = columns.rank_at.type
        now = bindparam("now", type_=time)
        just_before = now - literal_column("interval '1 microsecond'", Interval)
        lowest, highest = (literal_column(f"timestamp '{end}'", time) for end in ("-infinity", "infinity"))
        parts = {
            "tier": TIERS,
            "is_deadline": (0, 1, 0, 1),
            "since": (now, now, lowest, lowest),
            "until": (highest, highest, just_before, just_before),
        }
        unnested = func.unnest(*map(array, parts.values())).table_valued(*parts, name="index_range")
        rows = unnested.render_derived()
        lane_ranges = select(lanes.c.carrier_key, *rows.c).join_from(lanes, rows, true()).cte("index_ranges")
        within = (
            columns.rank_is_deadline == lane_ranges.c.is_deadline,
            columns.rank_at.between(lane_ranges.c.since, lane_ranges.c.until),
        )
        firsts = self.first_of_each(lane_ranges, first(lane_ranges.c.carrier_key, *within), locks=locks)
        return firsts.add_columns(lane_ranges.c.tier).subquery()

    def exact(self, column: ColumnElement[Any]) -> ColumnElement[str]:
        return cast(column, Text)

    def contains(self, value: ColumnElement[str], typed: str) -> ColumnElement[bool]:
        return _contains(func.lower(value.collate("C")), typed)

    def contains_folded(self, value: ColumnElement[str], typed: str) -> ColumnElement[bool]:
        exact = value.collate("C")
        patterns = ("".join(map(_regular, letters)) for letters in spellings(typed))
        has_accents = func.length(value) < func.octet_length(value)
        is_alike = or_(*(exact.bool_op("~")(pattern) for pattern in patterns))
        return or_(self.contains(value, typed), and_(has_accents, is_alike))

    def moment(self, value: ColumnElement[str]) -> ColumnElement[str]:
        """Times already have this form. Texts are assumed to be in UTC; casting a text that is no time would fail."""
        return func.replace(value, "T", " ").collate("C")

    @contextmanager
    def scanning(self, connection: Connection) -> Iterator[None]:
        """Let the server scan in parallel, even if it expects to find enough rows early in the scan.

        JIT is off, because compiling the conditions takes longer than it saves.
        """
        connection.exec_driver_sql(
            "SET LOCAL parallel_setup_cost = 0; SET LOCAL parallel_tuple_cost = 0; SET LOCAL jit = off; "
            "SET LOCAL work_mem = '16MB'"  # enough for a hash of a million claims without temporary files
        )
        yield

    def compared(self, value: ColumnElement[str]) -> ColumnElement[str]:
        return value.collate("C")


Dialect = _Sqlite | _Postgres
DIALECTS: dict[str, Dialect] = {dialect.name: dialect for dialect in (_Sqlite(), _Postgres())}


# The type of recours's own numeric keys. On SQLite, INTEGER also has 64 bits, and only an INTEGER key is the row id.
KEY = BigInteger().with_variant(Integer, _Sqlite.name)


def dialect_of(connection: Connection) -> Dialect:
    return DIALECTS[connection.dialect.name]


def _contains(value: ColumnElement[str], typed: str) -> ColumnElement[bool]:
    """The condition of `contains`. On PostgreSQL, whose LIKE is case-sensitive, `value` must be in lower case."""
    lower = typed.encode().lower().decode()  # lowercases only ASCII letters, as both databases do
    return or_(*(value.contains(form, autoescape=True) for form in dict.fromkeys((lower, plain(typed)))))


_ANY_ACCENT = "\x80-\U0010ffff"


def _glob(spelling: Iterable[str], accents: str) -> str:
    """A GLOB pattern for texts that contain these letters. `accents`: a range that replaces all accented letters."""
    places = []
    for letters in spelling:
        if len(letters) == 1:
            places.append(f"[{letters}]" if letters in "*?[" else letters)
        elif accents:
            places.append(f"[{''.join(filter(str.isascii, letters))}{accents}]")
        else:
            places.append(f"[{letters}]")
    return f"*{''.join(places)}*"


def _regular(letters: str) -> str:
    """A regular expression that matches one of these letters."""
    return f"[{letters}]" if len(letters) > 1 else re.escape(letters)


# ---------------------------------------------------------------- files of SQLite

FileConnection = sqlite3.Connection
FileError = sqlite3.Error
OLDEST_SQLITE = (3, 37)  # 3.34 has no RETURNING; 3.35 reads all claims where newer versions use an index
_MEANINGS = (
    ("not a database", "is not a SQLite database; check DATABASE_PATH or DATABASE_URL"),
    ("file is encrypted", "is not a SQLite database; check DATABASE_PATH or DATABASE_URL"),
    ("malformed", "is damaged; restore it from a backup"),
    ("readonly", "is read-only; give the user of this job permission to write the file and its folder"),
    ("locked", f"is locked by another program (waited {LOCK_WAIT_S} s). Find the program that has it open"),
    ("disk is full", "cannot be written: the disk is full"),
    (
        "unable to open",
        "cannot be opened; check that the file exists and that this user may read and write it",
    ),
    ("disk i/o", "cannot be read or written: the disk reports an error"),
)


def meaning_of(error: BaseException | None) -> str | None:
    """The meaning of an SQLite error, as the end of a sentence; None: unknown error, or another database."""
    if not isinstance(error, FileError):
        return None
    return next((meaning for sign, meaning in _MEANINGS if sign in str(error).lower()), None)


def is_file(url: URL) -> bool:
    """Return whether the database is an SQLite file."""
    return url.get_backend_name() == _Sqlite.name


def url_of_file(path: Path | str) -> URL:
    return URL.create(_Sqlite.name, database=str(path))


def files_of_sqlite(path: Path) -> tuple[Path, ...]:
    """The file of an SQLite database, and the files next to it that belong to the database while it is in use."""
    return path, Path(f"{path}-wal"), Path(f"{path}-shm")


def connection_to_file(path: Path, wait_s: float = LOCK_WAIT_S, mode: str = "rw") -> sqlite3.Connection:
    """A connection in autocommit mode. A missing file is not created. Raises FileError."""
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        oldest = ".".join(map(str, OLDEST_SQLITE))
        raise FileError(
            f"this Python has SQLite {sqlite3.sqlite_version}, and recours needs {oldest} or newer. "
            "Use another Python, or PostgreSQL."
        )
    address = f"{path.absolute().as_uri()}?mode={mode}"
    connection = sqlite3.connect(
        address, uri=True, timeout=wait_s, isolation_level=None, check_same_thread=False
    )
    # One badly encoded value must not make the other rows unreadable.
    connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
    return connection


def copy_file(path: Path, copy: Path) -> None:
    """Write a copy in one step, so that it is consistent despite concurrent writes. Raises FileError."""
    with closing(connection_to_file(path)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)


def index_ranges(columns: Columns) -> list[tuple[ColumnElement[bool], ColumnElement[bool]]]:
    """The conditions of the four ranges of a lane's index, in the order of `TIERS`. Parameter: `now`."""
    now = bindparam("now", type_=columns.rank_at.type)
    to_come = columns.rank_at >= now
    past = columns.rank_at < now
    has_none = columns.rank_is_deadline == 0
    has_deadline = columns.rank_is_deadline == 1
    return [(has_none, to_come), (has_deadline, to_come), (has_none, past), (has_deadline, past)]


def put(
    connection: Connection,
    table: Table,
    row: Mapping[str, Any],
    values: Mapping[str, Any],
    where: ColumnElement[bool] | None = None,
) -> bool:
    """Insert a row, or update the row with the same key if it meets `where`. Return whether a row was written."""
    upsert = dialect_of(connection).insert(table).values(row)
    keys = [*table.primary_key]
    upsert = upsert.on_conflict_do_update(index_elements=keys, set_=values, where=where)
    # Without this option, SQLAlchemy closes the cursor before `rowcount` is read, and psycopg then returns -1.
    return connection.execute(upsert, execution_options={"preserve_rowcount": True}).rowcount > 0

"""The database cost of one claim, from its first assessment to its recorded proof, and of a carrier's quota row.

The claims need two calls each. One run with eight threads processes them, and the carrier answers immediately.
"""

import multiprocessing
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
from sqlalchemy import URL, make_url

from recours.core.quota import Limit, QuotaRequest, Window
from recours.database.engine import Database, SystemClock
from recours.database.quota import QuotaTables
from tests.benchmarks.fixtures import (
    add_failed,
    carrier,
    cpu_of_children,
    environment,
    new_folder,
    new_postgres,
    new_sqlite,
    numbers,
    plain,
    scheduler,
)
from tests.benchmarks.rows import Row
from tests.postgres import running

_CLAIMS = 2_000
_SECONDS = 5.0
# The size of each table in bytes, including all indexes.
_TABLES = """
    SELECT relname, pg_total_relation_size(relid) FROM pg_stat_user_tables
    WHERE relname = 'claims' OR relname LIKE 'recours%' ORDER BY relname
"""
_TABLES_OF_FILE = """
    SELECT m.tbl_name, sum(s.pgsize) FROM dbstat s JOIN sqlite_schema m ON m.name = s.name
    WHERE m.tbl_name = 'claims' OR m.tbl_name LIKE 'recours%' GROUP BY m.tbl_name ORDER BY m.tbl_name
"""
_COUNTERS = """
    SELECT (SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()),
        pg_current_wal_lsn() - '0/0'::pg_lsn, theirs.n_tup_upd, ours.n_tup_upd, ours.n_tup_hot_upd
    FROM pg_stat_user_tables theirs, pg_stat_user_tables ours
    WHERE theirs.relname = 'claims' AND ours.relname = 'recours_claims'
"""


def of_a_claim() -> Iterator[Row]:
    """The bytes of each table on both databases. On PostgreSQL also transactions, write-ahead log and updates."""
    yield from _on_sqlite()
    yield from _on_postgres()


def _on_sqlite() -> Iterator[Row]:
    url = new_sqlite()
    folder = new_folder()
    yield Row("SQLite: CPU of the run, ms a claim", _run(url, folder))
    manifests = sum(path.stat().st_size for path in folder.glob("pods/manifests/**/*.txt"))
    yield Row("manifests: bytes a document", manifests / _CLAIMS)
    with closing(sqlite3.connect(str(url.database))) as connection:
        for table, size in connection.execute(_TABLES_OF_FILE).fetchall():
            (rows,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
            yield from _table("SQLite", table, rows, size)


def _on_postgres() -> Iterator[Row]:
    with running(durable=True) as server:
        url = new_postgres(server)
        with psycopg.connect(plain(url), autocommit=True) as connection:
            before = connection.execute(_COUNTERS).fetchone()
            yield Row("PostgreSQL: CPU of the run, ms a claim", _run(url, new_folder()))
            time.sleep(1.5)  # the server updates its statistics after a second
            after = connection.execute(_COUNTERS).fetchone()
            assert before
            assert after
            transactions, log, of_service, updates, hot = (
                int(end - begin) for begin, end in zip(before, after, strict=True)
            )
            yield Row("PostgreSQL: transactions a claim", transactions / _CLAIMS)
            yield Row("PostgreSQL: write-ahead log a claim, KB", log / _CLAIMS / 1000)
            yield Row("PostgreSQL: updates of the service's row", of_service / _CLAIMS, 1)
            yield Row("PostgreSQL: our updates", updates / _CLAIMS)
            yield Row("PostgreSQL: share of them that leaves the indexes alone", hot / updates)
            for table, size in connection.execute(_TABLES).fetchall():
                (rows,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone() or (0,)
                yield from _table("PostgreSQL", table, rows, size)


def _run(database: URL, folder: Path) -> float:
    """CPU milliseconds of the process per claim, including the start of Python."""
    add_failed(database, numbers(_CLAIMS))
    address = database.render_as_string(hide_password=False)
    with carrier(_CLAIMS, 0.0) as (url, _):
        settings = environment(folder, CHRONOPOST_BASE_URL=url, DATABASE_URL=address)
        before = cpu_of_children()
        _, report = scheduler(settings, _CLAIMS, 8)
        spent = cpu_of_children() - before
    assert report["success"] == _CLAIMS, report
    return 1000 * spent / _CLAIMS


def _table(kind: str, table: str, rows: int, size: int) -> Iterator[Row]:
    """The size of a table per claim, if it depends on the number of claims."""
    if rows * 10 >= _CLAIMS:
        yield Row(f"{kind}: {table}: rows a claim", rows / _CLAIMS)
        yield Row("  bytes a row, with indexes", size / rows)


# ---------------------------------------------------------------- units of quota


def of_quota() -> Iterator[Row]:
    """The cost of reserving units one by one from several processes, all in the same row."""
    with running(durable=True) as server:
        for processes in (1, 2, 4):
            url = new_postgres(server).render_as_string(hide_password=False)
            with multiprocessing.get_context("spawn").Pool(processes) as pool:
                units = sum(pool.map(_take_units, [url] * processes))
            yield Row(
                f"calls a second that one row of quota gives out to {processes} processes", units / _SECONDS
            )


def _take_units(url: str) -> int:
    clock, limit = SystemClock(), Limit("bench", 10**9, Window())
    taken = 0
    with closing(Database(make_url(url))) as database:
        quota = QuotaTables(database)
        ends = time.monotonic() + _SECONDS
        while time.monotonic() < ends:
            now = clock.now()
            reserved = quota.reserve([QuotaRequest(limit, 1)], now)
            assert isinstance(reserved, list)
            taken += 1
    return taken

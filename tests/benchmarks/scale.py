"""`python -m tests.benchmarks.scale`: the constants behind docs/scale.md, measured on a PostgreSQL of its own.

What a claim costs the database, from its first assessment to its recorded proof: bytes, transactions, write-ahead log,
updates that leave the indexes alone (HOT). And how many units of quota one row can give out in a second.
"""

import json
import multiprocessing
import platform
import sys
import time
import uuid
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import URL, make_url

from recours.core.quota import Limit, QuotaRequest, Window
from recours.database.engine import Database, SystemClock
from recours.database.quota import QuotaTables
from tests.benchmarks.bench import CALLS_A_CLAIM, environment
from tests.benchmarks.growth import _filled, _new_folder, _new_postgres, _plain, carrier, schedulers
from tests.postgres import Server, running

CLAIMS = 2000
SECONDS = 5.0
_SIZES = """
    SELECT relname, n_tup_ins, pg_table_size(relid), pg_indexes_size(relid), n_tup_upd, n_tup_hot_upd
    FROM pg_stat_user_tables WHERE relname IN ('claims', 'recours_attempts', 'recours_events')
"""


def a_claim(server: Server) -> dict[str, Any]:
    """What each of some claims cost, asked with two calls and recorded by one process."""
    folder = _new_folder()
    with carrier(CLAIMS, 0.0) as (address, _):
        url = _filled(server, "of_claims", CLAIMS)
        given = environment(folder) | {"CHRONOPOST_BASE_URL": address, "DATABASE_URL": url}
        del given["DATABASE_PATH"]
        before = _counters(make_url(url))
        seconds, (report,) = schedulers(given, 1, CLAIMS, 8)
        assert report["success"] == CLAIMS, report
        time.sleep(1.5)  # the server's statistics come a second late
        after = _counters(make_url(url))
        with psycopg.connect(_plain(make_url(url))) as connection:
            sizes = {name: facts for name, *facts in connection.execute(_SIZES)}
    found: dict[str, Any] = {
        "claims_a_second": round(CLAIMS / seconds),
        "transactions": round((after["xacts"] - before["xacts"]) / CLAIMS, 1),
        "wal_bytes": round((after["wal"] - before["wal"]) / CLAIMS),
    }
    for name, (rows, table, indexes, updates, hot) in sizes.items():
        found[name] = {
            "rows_a_claim": rows / CLAIMS,
            "table_bytes_a_row": round(table / max(rows, 1)),
            "index_bytes_a_row": round(indexes / max(rows, 1)),
            "updates_a_claim": round(updates / CLAIMS, 1),
            "hot_share": round(hot / updates, 2) if updates else None,
        }
    return found


def _counters(url: URL) -> dict[str, int]:
    query = (
        "SELECT (SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()),"
        " pg_current_wal_lsn() - '0/0'::pg_lsn"
    )
    with psycopg.connect(_plain(url)) as connection:
        xacts, wal = connection.execute(query).fetchone() or (0, 0)
    return {"xacts": int(xacts), "wal": int(wal)}


# ---------------------------------------------------------------- units of quota


def units_a_second(server: Server) -> dict[int, int]:
    """Units that processes reserve and use one by one, all of the same row, by their number."""
    rates = {}
    for processes in (1, 2, 4):
        url = _new_postgres(server, f"of_units_{processes}").render_as_string(hide_password=False)
        with multiprocessing.get_context("spawn").Pool(processes) as pool:
            rates[processes] = round(sum(pool.map(_take_units, [url] * processes)) / SECONDS)
    return rates


def _take_units(url: str) -> int:
    clock, limit = SystemClock(), Limit("bench", 10**9, Window())
    with closing(Database(make_url(url))) as database:
        quota, taken = QuotaTables(database, uuid.uuid4().hex), 0
        ends = time.monotonic() + SECONDS
        while time.monotonic() < ends:
            now = clock.now()
            reserved = quota.reserve([QuotaRequest(limit, 1)], now, now + timedelta(minutes=10))
            assert isinstance(reserved, list)
            assert quota.consume(reserved[0], now + timedelta(minutes=10))
            taken += 1
    return taken


def main() -> None:
    """Measure and show."""
    print(f"Python {platform.python_version()}, {platform.system()}, fsync on")
    with running(durable=True) as server:
        print(f"a claim, {CALLS_A_CLAIM} calls: {json.dumps(a_claim(server))}", flush=True)
        print(f"units a second, by processes: {json.dumps(units_a_second(server))}", flush=True)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    main()

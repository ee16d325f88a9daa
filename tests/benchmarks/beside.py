"""The cost of recours with a growing number of claims: the service's writes, an idle run, and the adoption."""

import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import timedelta
from functools import partial
from itertools import count
from typing import Any

import psycopg
from sqlalchemy import URL, text

from recours.database.engine import Database, SystemClock
from recours.database.schema.removal import find_removal, remove
from tests.benchmarks.fixtures import (
    NOW,
    SCRIPT,
    STAMP,
    KeptClaim,
    add_failed,
    add_kept,
    cpu_of_all,
    environment,
    execute,
    kinds,
    new_folder,
    numbers,
    plain,
    timed,
)
from tests.benchmarks.rows import Row, least_in_turns
from tests.long_form import IS_LONG

MANY = 1_000_000 if IS_LONG else 100_000  # claims
# Rows per transaction of the service: many, because a server's CPU time is measured in hundredths of a second.
_AT_ONCE = 50_000
# One of a hundred claims is open.
_STAGES = ("waiting", *["given_up"] * 30, *["success"] * 69)
# The columns that only recours adds; a service may already have the other POD columns.
_GUIDES = ("pod_retry_count", "pod_last_retry_at")
_SERVICE_BOUNDS = {"SQLite": 1.25, "PostgreSQL": 1.15}
_IDLE_BOUNDS_MS = {"SQLite": 150.0, "PostgreSQL": 200.0}

Execute = Callable[[str, Sequence[tuple[Any, ...]]], None]


def old_claims(claims: int) -> Iterator[KeptClaim]:
    """A service's claims of a thousand days. One in a hundred waits for its next retry; the others are closed."""
    later = (NOW + timedelta(days=1)).strftime(STAMP)
    for n in range(claims):
        stage = _STAGES[n % len(_STAGES)]
        written_at = (NOW - timedelta(days=1000 * (claims - n) / claims)).strftime(STAMP)
        next_at = later if stage == "waiting" else None
        yield KeptClaim(stage, later, next_at=next_at, written_at=written_at)


# ---------------------------------------------------------------- the service's own writes


def service() -> Iterator[Row]:
    """The cost of the service's inserts and updates of numbers, relative to a table without recours.

    A table without recours has neither our index nor the guide's two columns, but it has the other POD columns. All
    inserted claims are pending, so each row is in our index. The cost is the CPU time, including the server's, because
    other load hardly affects it. Measurements alternate.
    """
    with kinds() as new:
        for kind, new_url in new.items():
            beside, alone = (add_kept(new_url(), partial(old_claims, MANY)) for _ in range(2))
            with closing(Database(alone)) as database:
                remove(database, find_removal(database, with_columns=False), SystemClock())
            execute(alone, *(f"ALTER TABLE claims DROP COLUMN {name}" for name in _GUIDES))
            works = {
                (what, url is beside): work for url in (beside, alone) for what, work in _writing(url).items()
            }
            clock = time.process_time if kind == "SQLite" else cpu_of_all
            least = least_in_turns(works, 7, clock)
            for what in ("insert", "update"):
                ratio = least[what, True] / least[what, False]
                words = f"{kind}: the service's {what}, {MANY:,} claims / without recours"
                yield Row(words, ratio, _SERVICE_BOUNDS[kind])


def _writing(url: URL) -> dict[str, Callable[[], None]]:
    """A function for each kind of transaction."""
    columns = "claim_reference, order_id, carrier, dispute_type, amount_requested, tracking_number, pod_fetch_status"
    insert = f"INSERT INTO claims ({columns}) VALUES (?, 'o', 'Chronopost', 'lost', 10, ?, 'pending')"
    rounds = count()
    update = "UPDATE claims SET tracking_number = ?, updated_at = CURRENT_TIMESTAMP WHERE id = ?"
    run = _transactions(url)

    def inserting() -> None:
        number = next(rounds)
        run(insert, [(f"NEW-{number}-{n}", f"XZ{n:09d}FR") for n in range(_AT_ONCE)])

    def updating() -> None:
        number = next(rounds)
        step = MANY // _AT_ONCE
        run(update, [(f"XW{number:04d}{n:05d}FR", 1 + n * step) for n in range(_AT_ONCE)])

    return {"insert": inserting, "update": updating}


def _transactions(url: URL) -> Execute:
    """A function that runs a statement with many parameter rows in a transaction, with the service's driver."""
    if url.get_backend_name() == "sqlite":
        file = sqlite3.connect(str(url.database))

        def on_sqlite(statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
            with file:
                file.executemany(statement, rows)

        return on_sqlite
    connection = psycopg.connect(plain(url))

    def on_postgres(statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
        with connection.transaction(), connection.cursor() as cursor:
            cursor.executemany(statement.replace("?", "%s"), rows)

    return on_postgres


# ---------------------------------------------------------------- a run that finds nothing to do


def idle() -> Iterator[Row]:
    """The CPU time of a whole run with a sweep of 50,000 claims, in addition to a run without any claims.

    Includes the CPU time of the server.
    """
    sizes = (100_000, MANY) if MANY > 100_000 else (MANY,)
    with kinds(durable=True) as new:
        for kind, new_url in new.items():
            urls = {0: add_kept(new_url(), partial(old_claims, 0))}
            urls |= {claims: add_kept(new_url(), partial(old_claims, claims)) for claims in sizes}
            runs = {claims: partial(_run, url) for claims, url in urls.items()}
            least = least_in_turns(runs, 7, cpu_of_all)
            for claims in sizes:
                above_ms = 1000 * (least[claims] - least[0])
                words = f"{kind}: idle run, {claims:,} claims, above start-up, ms"
                yield Row(words, above_ms, _IDLE_BOUNDS_MS[kind])
                yield Row("  claims that only the sweep found to differ", _repaired(urls[claims]), 0)


def _run(url: URL) -> float:
    address = url.render_as_string(hide_password=False)
    settings = environment(new_folder(), DATABASE_URL=address)
    return timed([sys.executable, str(SCRIPT)], settings)


def _repaired(url: URL) -> float:
    with closing(Database(url)) as database, database.read() as connection:
        return float(connection.scalar(text("SELECT repaired FROM recours_intake")) or 0)


# ---------------------------------------------------------------- the adoption


def adoption() -> Iterator[Row]:
    """The first run on a database with failed claims whose retries were all used by other software."""
    with kinds(durable=True) as new:
        for kind, new_url in new.items():
            url = new_url()
            add_failed(url, numbers(MANY))
            execute(url, "UPDATE claims SET pod_retry_count = 4")
            if url.get_backend_name() != "sqlite":
                execute(url, "ANALYZE claims")
            seconds = _run(url)
            with closing(Database(url)) as database, database.read() as connection:
                given_up = text("SELECT count(*) FROM recours_claims WHERE stage = 'given_up'")
                assert connection.scalar(given_up) == MANY
            yield Row(f"{kind}: adoption of {MANY:,} claims that are used up, s", seconds, 60)

"""The cost of a page of the claims list, searched, filtered and sorted: a part of `make bench-growth`."""

import statistics
import time
from contextlib import closing

from sqlalchemy import URL, text

from recours.carriers.registry import CATALOG
from recours.core.claim import Stage
from recours.database.engine import Database
from recours.reporting.reader import DatabaseRecords
from recours.reporting.records import ClaimFilter, ProblemClaims, Sort

BOUND_S = 1.0  # with a million claims
_PAGE = 50

_NUMBERS = {
    "sqlite": "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {most})",
    "postgresql": "WITH s AS (SELECT n FROM generate_series(CAST(1 AS bigint), {most}) n)",
}
_DAYS = {
    "sqlite": "date('2026-06-01', '-' || (n * 7919 % 300) || ' days')",
    "postgresql": "date '2026-06-01' - CAST(n * 7919 % 300 AS integer)",
}
# Rows as wide as a service's: a kilobyte each. One in a hundred belongs to client 7. One in five was fetched
# long ago, and recours no longer has a row for it.
_FILL = """
{numbers} INSERT INTO claims (claim_reference, order_id, tracking_number, customer_name, description, client_id, carrier,
    dispute_type, amount_requested, response_deadline, created_at, pod_fetch_status)
SELECT 'CLM-2026-' || n, 'ORD-' || (n * 104729 % 99999989), 'XY ' || (100000000 + n * 611953 % 899999999) || ' FR',
    CASE n % 4 WHEN 0 THEN 'Zoé Lefèvre ' WHEN 1 THEN 'Marie Dupont ' WHEN 2 THEN 'Éric Müller ' ELSE 'Jean Martin ' END || n,
    '{long}', 1 + n % 100, CASE n % 3 WHEN 0 THEN 'UPS' ELSE 'Chronopost' END, 'lost', n * 31 % 90000 / 100.0, {day}, {day},
    CASE n % 5 WHEN 0 THEN 'success' ELSE 'failed' END
FROM s;
{numbers} INSERT INTO recours_claims (claim_id, stage, lane, kind, next_at, failed_at, rank_at, since, written_at,
    seen_fetch_status, seen_number, seen_carrier, seen_reference, seen_client, seen_deadline)
SELECT n, CASE n % 5 WHEN 1 THEN 'waiting' WHEN 2 THEN 'given_up' WHEN 3 THEN 'waiting' WHEN 4 THEN 'ready' END,
    CASE n % 3 WHEN 0 THEN 'ups' ELSE 'chronopost' END, CASE n % 5 WHEN 1 THEN 'timeout' ELSE 'not_found' END, {day}, {day},
    {day}, {day}, {day}, 'failed', 'XY ' || (100000000 + n * 611953 % 899999999) || ' FR',
    CASE n % 3 WHEN 0 THEN 'UPS' ELSE 'Chronopost' END, 'CLM-2026-' || n, 1 + n % 100, '2026-06-01'
FROM s WHERE n % 5 > 0
"""

_SEARCHED = {
    "nothing": ClaimFilter(text="ZZZZ"),
    "one": ClaimFilter(text="2026-77123"),
    "a number": ClaimFilter(text="xy 100611"),
    "an accent": ClaimFilter(text="LEFÈVRE 4711"),
    "without its accent": ClaimFilter(text="lefevre 4711"),
    "many": ClaimFilter(text="dupont"),
    "a client's": ClaimFilter(text="shop7@"),
    "among others": ClaimFilter(text="martin", stages=[Stage.WAITING], carriers=["ups"]),
    "among given up": ClaimFilter(text="ZZZZ", stages=[Stage.GIVEN_UP]),
    "given up": ClaimFilter(stages=[Stage.GIVEN_UP]),
    "tried": ClaimFilter(stages=[Stage.READY, Stage.WAITING]),
    "shelved": ClaimFilter(stages=[Stage.SHELVED]),
    "fetched": ClaimFilter(statuses=["success"]),
    "by hand": ClaimFilter(statuses=["manual"]),
    "a carrier": ClaimFilter(carriers=["ups"]),
    "a rare carrier": ClaimFilter(carriers=["dpd"]),
    "an account's": ClaimFilter(problem_claims=ProblemClaims(["chronopost"])),
    "a kind": ClaimFilter(kinds=["timeout"]),
    "a client's kind": ClaimFilter(kinds=["timeout"], clients=["7"]),
}


def fill(url: URL, claims: int) -> None:
    with closing(Database(url)) as database:
        kind = database.engine.dialect.name
        filled = _FILL.format(
            numbers=_NUMBERS[kind].format(most=claims), day=_DAYS[kind], long="Announced as delivered. " * 25
        )
        with database.long(), database.write() as connection:
            for column in ("customer_name", "description"):
                connection.execute(text(f"ALTER TABLE claims ADD COLUMN {column} TEXT"))
            for n in range(1, 101):
                connection.execute(
                    text("INSERT INTO clients (id, email) VALUES (:n, :email)"),
                    {"n": n, "email": f"shop{n}@example.org"},
                )
            for statement in filled.split(";\n"):
                connection.exec_driver_sql(
                    statement.replace("%", "%%") if kind == "postgresql" else statement
                )
        with database.long(), database.outside_transactions() as connection:
            connection.exec_driver_sql("ANALYZE" if database.is_sqlite else "VACUUM ANALYZE")


def pages(url: URL, rounds: int = 3) -> dict[str, dict[str, float]]:
    """The median seconds of a page with its count, and this process's CPU seconds, with queries only on SQLite."""
    questions = {
        f"{name}, by {by}": (wanted, by, 0)
        for name, wanted in _SEARCHED.items()
        for by in (None, Sort.DEADLINE)
    }
    questions |= {f"by {by}, page {page}": (ClaimFilter(), by, page) for by in Sort for page in (1, 50)}
    with closing(Database(url)) as database:
        records = DatabaseRecords(database, CATALOG)
        found = {}
        for name, (wanted, by, page) in questions.items():
            took, computed = [], []
            for round_ in range(rounds + 1):
                wall_start, cpu_start = time.perf_counter(), time.process_time()
                records.page(wanted, _PAGE, skip=max(page - 1, 0) * _PAGE, sort=by, descending=page > 1)
                if round_:  # the first round is a warm-up
                    took.append(time.perf_counter() - wall_start)
                    computed.append(time.process_time() - cpu_start)
            found[name] = {"seconds": statistics.median(took), "computed": statistics.median(computed)}
    return found

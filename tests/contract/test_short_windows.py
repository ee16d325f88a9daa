"""Many threads that wait for the windows of a second: never above the limit, no unit wasted, few transactions."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import NoReturn

import pytest
from sqlalchemy import event, select

from recours.carriers.chronopost import SPEC
from recours.carriers.reservation import Account, QuotaReservation
from recours.core.quota import Capability, parse_limits
from recours.database.engine import Database, SystemClock
from recours.database.quota import QuotaTables
from recours.database.tables import quota
from recours.runs.ports import Reservation

LIMITS = parse_limits("8/second", "chronopost", None, "UTC")
THREADS = 24  # each makes one call: enough for three windows


@pytest.fixture
def transactions(database: Database) -> list[object]:
    """One entry for each: a transaction has a connection of its own."""
    seen: list[object] = []
    event.listen(database.engine, "checkout", lambda *_: seen.append(1))
    return seen


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(THREADS) as threads:
        yield threads


def never(reservation: Reservation) -> NoReturn:
    raise AssertionError("nothing is sent here")


@pytest.mark.parametrize("processes", [1, 2])
def test_all_units_of_a_window_are_used_and_few_transactions_ask_for_them(
    database: Database, transactions: list[object], pool: ThreadPoolExecutor, processes: int
) -> None:
    clock, calls = SystemClock(), Counter[datetime]()
    accounts = [Account(SPEC, LIMITS, None, never, ()) for _ in range(processes)]

    def call(n: int) -> datetime:
        store = QuotaTables(database)
        QuotaReservation(store, clock, accounts[n % processes], {}).consume(Capability.TRACKING)
        return clock.now().replace(microsecond=0)

    clock.sleep(1 - clock.now().microsecond / 1e6)
    calls.update(pool.map(call, range(THREADS)))
    assert list(calls.values()) == [8, 8, 8], "a unit was wasted, or a window exceeded"
    assert len(transactions) <= THREADS
    with database.read() as connection:
        taken = connection.execute(select(quota.c.window_start, quota.c.taken)).all()
    assert dict(map(tuple, taken)) == calls

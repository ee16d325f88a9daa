"""The chain of custody on real databases: many processes add to it, and die at any statement, without a fork or a gap."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from sqlalchemy import Engine, event, make_url
from sqlalchemy.engine.default import DefaultDialect

from recours.core.custody import CustodyEntry, CustodyEvent, FileState
from recours.database.custody import DatabaseCustody, append
from recours.database.engine import Database, DatabaseError
from recours.operations.verify import Verification
from tests.conftest import claim_row
from tests.contract.test_claims import NOW, SUCCESS, Run, rows

SPAWN = multiprocessing.get_context("spawn")
PROCESSES = 8
MOST_BOUNDARIES = 60


def entry(n: int, sha256: str = "0" * 64) -> CustodyEntry:
    return CustodyEntry(CustodyEvent.STORED, NOW, "a test", n, f"CLM-{n}", "chronopost", "X", sha256, 99)


def verified(database: Database) -> Verification:
    """Whose chain is whole, and whose rows are all recorded."""
    verification = Verification(DatabaseCustody(database))
    assert not list(verification.breaches(lambda *_: FileState("0" * 64, 99)))
    return verification


def test_nothing_of_a_transaction_that_fails_is_in_the_chain(database: Database) -> None:
    def fail() -> None:
        with database.write() as connection:
            append(connection, [entry(1), entry(2)])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert verified(database).chain.count == 0
    with database.write() as connection:
        append(connection, [entry(3), entry(4)])
        append(connection, [])
        append(connection, [entry(5)])
    assert [record.content()["claim_id"] for record in DatabaseCustody(database).records(None)] == [3, 4, 5]


def test_a_fork_cannot_be_written(database: Database) -> None:
    with database.write() as connection:
        append(connection, [entry(1)])
    with pytest.raises(DatabaseError), database.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO recours_custody SELECT 2, claim_id, entry, previous, hash FROM recours_custody"
        )


# ---------------------------------------------------------------- many processes


def _record_and_die(url: str, name: str, boundary: int) -> None:
    """Lease a claim and record its document; be killed at that boundary: before or after a statement or the commit."""
    reached = 0

    def reach(*_: Any) -> None:
        nonlocal reached
        reached += 1
        if reached == boundary:
            os.kill(os.getpid(), signal.SIGKILL)

    run = Run(Database(make_url(url)), name)
    (claim,) = run.take(1)
    event.listen(Engine, "before_cursor_execute", reach)
    event.listen(Engine, "after_cursor_execute", reach)
    commit: Any = DefaultDialect.do_commit

    def watched_commit(dialect: DefaultDialect, connection: Any) -> None:
        reach()
        commit(dialect, connection)
        reach()

    DefaultDialect.do_commit = watched_commit
    assert run.record(claim, SUCCESS)
    print(f"{name}: all {reached} boundaries are passed")
    os._exit(0)


def _die_everywhere(url: str, name: str) -> None:
    """In processes of its own, one for each boundary; the last one lives."""
    for boundary in range(1, MOST_BOUNDARIES):
        pid = os.fork()
        if not pid:
            try:
                _record_and_die(url, f"{name}-{boundary}", boundary)
            finally:
                os._exit(1)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        assert status in (0, -signal.SIGKILL), status
        if status == 0:
            return
    raise AssertionError("it never lived")


@pytest.mark.full("kills of eight processes: the next test has eight that live")
def test_eight_processes_that_die_at_every_boundary_leave_no_fork_and_no_gap(
    url: str, database: Database, add_claims: Callable[[Database, Iterable[dict[str, Any]]], None]
) -> None:
    add_claims(database, [claim_row(n) for n in range(PROCESSES * MOST_BOUNDARIES)])
    Run(database).keep()
    processes = [SPAWN.Process(target=_die_everywhere, args=(url, f"process-{n}")) for n in range(PROCESSES)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(240)
    assert [process.exitcode for process in processes] == [0] * PROCESSES
    recorded = rows(database, "SELECT claim_id, run_id FROM recours_attempts ORDER BY id")
    in_chain = [record.content() for record in DatabaseCustody(database).records(None)]
    assert sorted((one["claim_id"], one["run_id"]) for one in in_chain) == sorted(
        (row["claim_id"], row["run_id"]) for row in recorded
    )
    # One that is killed after its commit has recorded; one that is killed before has not.
    assert PROCESSES < len(recorded) < PROCESSES * MOST_BOUNDARIES
    assert verified(database).chain.count == len(recorded)


def _add_many(url: str, first: int, count: int) -> None:
    database = Database(make_url(url))
    for n in range(count):
        with database.write() as connection:
            append(connection, [entry(first + n, f"{first + n:064x}") for _ in range(1 + n % 3)])
    database.close()


def test_eight_processes_at_once_make_one_chain(url: str, database: Database) -> None:
    count = 30
    processes = [SPAWN.Process(target=_add_many, args=(url, 1000 * n, count)) for n in range(PROCESSES)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0] * PROCESSES
    custody = DatabaseCustody(database)
    verification = Verification(custody)
    assert not list(verification.breaches(lambda *_: FileState(), claims=()))
    assert verification.chain.count == PROCESSES * sum(1 + n % 3 for n in range(count))

"""The effect of PostgreSQL's waits and failures on readers and writers."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from time import monotonic
from typing import Any

import pytest
from sqlalchemy import URL

from recours.database.dialect import Waits
from recours.database.engine import Database, DatabaseError
from recours.database.schema.inspection import inspect_schema
from tests.conftest import Kind
from tests.contract.test_claims import Run
from tests.fakes.proxy import Proxy


@pytest.fixture
def server_url(kinds: Callable[[str], Kind], tmp_path: Path) -> Iterator[URL]:
    kind = kinds("postgresql")
    url = kind.ready(tmp_path)
    yield url
    kind.drop(url)


CHECKS: dict[str, Callable[[Database], Any]] = {
    "claims": lambda database: Run(database).claims.count(),
    "recours_schema_version": inspect_schema,
}


@pytest.mark.parametrize("table", CHECKS)
def test_a_reader_of_a_table_under_change_does_not_wait_forever(server_url: URL, table: str) -> None:
    service, hasty = Database(server_url), Database(server_url, lock_wait_s=0.1)
    with ThreadPoolExecutor(1) as pool, service.write() as migration:
        migration.exec_driver_sql(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        looking = pool.submit(CHECKS[table], hasty)
        try:
            with pytest.raises(DatabaseError, match="lock timeout"):
                looking.result(20)
        finally:
            migration.rollback()
    hasty.close()
    service.close()


def test_a_deadlock_is_not_reported_as_a_locked_file(server_url: URL) -> None:
    service, ours = Database(server_url), Database(server_url)
    locks = [f"SELECT pg_advisory_xact_lock({n})" for n in (1, 2)]
    met = Barrier(2)

    def both(database: Database, statements: list[str]) -> str:
        try:
            with database.write() as connection:
                connection.exec_driver_sql(statements[0])
                met.wait(20)
                connection.exec_driver_sql(statements[1])
        except DatabaseError as fault:
            return str(fault)
        return ""

    with ThreadPoolExecutor(2) as pool:
        ended = [pool.submit(both, service, locks), pool.submit(both, ours, locks[::-1])]
        (told,) = [said for one in ended if (said := one.result())]
    assert told.endswith("cannot be used: deadlock detected")
    ours.close()
    service.close()


# ---------------------------------------------------------------- a server that falls silent

SHORT = Waits(statement=1.0, long_statement=30.0, quiet=0.3, answer=2.0, silence=20.0)


def ask(database: Database, query: str = "SELECT 1") -> Any:
    with database.read() as connection:
        return connection.exec_driver_sql(query).scalar()


def test_after_a_timeout_later_statements_fail_without_waiting(server_url: URL) -> None:
    with Proxy(server_url.port or 0) as proxy:
        database = Database(server_url.set(port=proxy.port), waits=SHORT)
        assert ask(database) == 1
        proxy.freeze()
        with pytest.raises(DatabaseError, match="cannot be used: it does not answer"):
            ask(database)
        taken, begun = proxy.taken, monotonic()
        for _ in range(20):
            with pytest.raises(DatabaseError, match="does not answer"):
                ask(database)
        assert monotonic() - begun < SHORT.answer
        assert proxy.taken == taken
        database.close()


def test_a_silent_idle_connection_is_replaced(server_url: URL) -> None:
    with Proxy(server_url.port or 0) as proxy:
        database = Database(server_url.set(port=proxy.port), waits=SHORT)
        assert ask(database) == 1
        proxy.freeze(new_ones_too=False)
        assert ask(database) == 1
        assert proxy.taken > 1
        database.close()


def test_a_single_silent_connection_is_dropped_after_the_statement_timeout(
    server_url: URL,
) -> None:
    with Proxy(server_url.port or 0) as proxy:
        database = Database(server_url.set(port=proxy.port), waits=SHORT)
        with pytest.raises(DatabaseError, match="does not answer"), database.write() as connection:  # noqa: PT012
            proxy.freeze(new_ones_too=False)
            connection.exec_driver_sql("SELECT 1")
        assert ask(database) == 1
        database.close()


def test_the_server_itself_ends_a_statement_that_takes_too_long(server_url: URL) -> None:
    database = Database(server_url, waits=SHORT)
    with pytest.raises(DatabaseError, match="statement timeout"):
        ask(database, "SELECT pg_sleep(30)")
    database.close()


def test_a_long_statement_is_waited_for_even_by_a_run_that_is_ending(
    server_url: URL,
) -> None:
    database = Database(server_url, waits=SHORT)
    database.hurry()
    with database.long():
        assert ask(database, "SELECT 1 FROM pg_sleep(1.5)") == 1
    with pytest.raises(DatabaseError, match="statement timeout"):
        ask(database, "SELECT 1 FROM pg_sleep(1.5)")
    database.close()


def test_a_stopped_run_does_not_wait_for_a_silent_server(server_url: URL) -> None:
    with Proxy(server_url.port or 0) as proxy:
        database = Database(server_url.set(port=proxy.port), waits=Waits(answer=2.0))
        assert ask(database) == 1
        proxy.freeze()
        begun = monotonic()
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(ask, database)
            database.hurry()
            with pytest.raises(DatabaseError, match="does not answer"):
                asked.result(20)
        assert monotonic() - begun < Waits().quiet
        database.close()


def test_a_connection_left_in_pipeline_mode_is_dropped_without_a_traceback(
    server_url: URL, caplog: pytest.LogCaptureFixture
) -> None:
    """psycopg leaves this state if the server ends in the middle of an executemany."""
    database = Database(server_url)

    def write() -> None:
        with database.write() as connection:
            driver: Any = connection.connection.driver_connection
            driver.pgconn.enter_pipeline_mode()
            connection.exec_driver_sql("SELECT 1")

    with pytest.raises(DatabaseError, match="pipeline mode"):
        write()
    assert caplog.messages == []
    with database.read() as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar_one() == 1
    database.close()

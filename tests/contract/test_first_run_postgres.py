"""The first run on PostgreSQL: once, beside a working service, by a user with or without rights."""

import multiprocessing
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import inspect, make_url

from recours.database.border import INDEX, POD_COLUMNS
from recours.database.engine import Database, DatabaseError
from recours.database.schema import creation
from recours.database.schema.creation import MISSING, bring_up_to_date, sql_of_completion
from recours.database.schema.inspection import HEAD, inspect_schema, require_claims
from tests.conftest import Kind
from tests.postgres import execute, programs

SPAWN = multiprocessing.get_context("spawn")

OLD_SERVICE = """
CREATE TABLE clients (id SERIAL PRIMARY KEY, email TEXT UNIQUE NOT NULL, iban TEXT);
CREATE TABLE claims (
    id SERIAL PRIMARY KEY, claim_reference TEXT UNIQUE NOT NULL, client_id INTEGER REFERENCES clients (id),
    order_id TEXT NOT NULL, carrier TEXT NOT NULL, dispute_type TEXT NOT NULL,
    amount_requested REAL NOT NULL CHECK (amount_requested >= 0), status VARCHAR(20) DEFAULT 'pending',
    response_deadline DATE, tracking_number TEXT, created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    updated_at TIMESTAMP, ai_notes BYTEA
);
CREATE INDEX idx_claims_status ON claims (status);
CREATE VIEW open_claims AS SELECT * FROM claims WHERE status <> 'paid';
CREATE TABLE audit (what TEXT);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO audit VALUES (old.status || '>' || new.status); RETURN new; END $$;
CREATE TRIGGER claims_touched AFTER UPDATE OF status ON claims FOR EACH ROW EXECUTE FUNCTION note();
INSERT INTO clients (email, iban) VALUES ('a@example.org', 'FR76'), ('b@example.org', NULL);
INSERT INTO claims (claim_reference, client_id, order_id, carrier, dispute_type, amount_requested, ai_notes)
    VALUES ('CLM-1', 1, 'O-1', 'Chronopost', 'lost', 12.5, '\\x00ff'), ('CLM-2', 2, 'O-2', 'DHL', 'late', 0, NULL);
"""


@pytest.fixture
def old(kinds: Callable[[str], Kind], tmp_path: Path) -> Iterator[Database]:
    """The service's database, with rows and without a POD column."""
    database = Database(kinds("postgresql").empty(tmp_path))
    with service(database) as connection:
        connection.execute(OLD_SERVICE)
    yield database
    database.close()


@contextmanager
def service(database: Database, **options: Any) -> Iterator[psycopg.Connection[Any]]:
    """A connection of the service's own application; committed at the end."""
    with psycopg.connect(plain(database), **options) as connection:
        yield connection


def plain(database: Database) -> str:
    return database.url.set(drivername="postgresql").render_as_string(hide_password=False)


def first_run(database: Database) -> list[str]:
    found = inspect_schema(database)
    require_claims(database, found)
    after, remarks = bring_up_to_date(database, found)
    assert after.is_current
    return remarks


def is_valid(database: Database) -> bool | None:
    """Whether the index on claims is valid; None: there is no index."""
    with service(database) as connection:
        row = connection.execute(
            "SELECT indisvalid FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid"
            " WHERE indrelid = 'claims'::regclass AND relname = %s",
            [INDEX],
        ).fetchone()
    return row[0] if row else None


def next_run(database: Database) -> list[str]:
    """The next run, of another process."""
    database.reinspect()
    return first_run(database)


def leases(database: Database) -> list[tuple[Any, ...]]:
    with service(database) as connection:
        return connection.execute("SELECT name, holder, held_until FROM recours_leases").fetchall()


def test_the_first_run_keeps_existing_rows_and_views(old: Database) -> None:
    with service(old) as connection:
        before = connection.execute("SELECT * FROM claims ORDER BY id").fetchall()
        view = connection.execute("SELECT pg_get_viewdef('open_claims')").fetchall()
    remarks = first_run(old)
    assert [remark for remark in remarks if f"is now {HEAD}" in remark]
    assert first_run(old) == []
    with service(old) as connection:
        after = connection.execute("SELECT * FROM claims ORDER BY id").fetchall()
        assert [row[: len(before[0])] for row in after] == before
        assert connection.execute("SELECT pg_get_viewdef('open_claims')").fetchall() == view
        connection.execute("UPDATE claims SET status = 'paid' WHERE id = 1")
        assert connection.execute("SELECT what FROM audit").fetchall() == [("pending>paid",)]
        assert connection.execute("SELECT iban FROM clients ORDER BY id").fetchall() == [("FR76",), (None,)]
    assert "idx_claims_status" in {index["name"] for index in inspect(old.engine).get_indexes("claims")}
    assert leases(old) == []


def test_an_upgrade_that_fails_half_way_leaves_nothing_behind(old: Database) -> None:
    with service(old) as connection:
        # No view with this name can be created any more: a later step of the migration fails.
        connection.execute("CREATE TABLE recours_documents (id INTEGER)")
    with pytest.raises(DatabaseError):
        first_run(old)
    found = inspect(old.engine)
    assert [name for name in found.get_table_names() if name.startswith("recours")] == ["recours_documents"]
    assert not [column for column in found.get_columns("claims") if column["name"].startswith("pod_")]


# ---------------------------------------------------------------- several at once


def _first_run_elsewhere(url: str, start: Any, answers: Any) -> None:
    database = Database(make_url(url))
    try:
        inspect_schema(database)  # so that all of them are connected at the start
        start.wait(60)
        answers.put(first_run(database))
    except BaseException as error:  # noqa: BLE001 (to be seen by the test)
        answers.put([f"FAILED {error!r}"])
    finally:
        database.close()


@pytest.mark.full("many first runs at once: each by itself is shown")
def test_one_of_several_concurrent_first_runs_upgrades_the_database(old: Database) -> None:
    with service(old) as connection:  # large enough that building an index takes a moment
        connection.execute(
            "INSERT INTO claims (claim_reference, order_id, carrier, dispute_type, amount_requested)"
            " SELECT 'B-' || n, 'O', 'DHL', 'lost', 1 FROM generate_series(1, 50000) n"
        )
    start, answers = SPAWN.Barrier(3), SPAWN.Queue()
    url = old.url.render_as_string(hide_password=False)
    crew = [SPAWN.Process(target=_first_run_elsewhere, args=(url, start, answers)) for _ in range(3)]
    for process in crew:
        process.start()
    said = [remark for _ in crew for remark in answers.get(timeout=120)]
    for process in crew:
        process.join(60)
    assert not [remark for remark in said if remark.startswith(("FAILED", MISSING))]
    assert len([remark for remark in said if "is now" in remark]) == 1
    assert len([remark for remark in said if remark.startswith("Built")]) == 1
    assert not inspect_schema(old).lacks_index
    assert leases(old) == []


def test_a_run_does_not_wait_for_an_index_that_another_run_builds(old: Database) -> None:
    first_run(old)
    until = datetime.now(UTC).replace(tzinfo=None) + timedelta(minutes=30)
    with service(old) as connection:
        connection.execute(f"DROP INDEX {INDEX}")
        connection.execute("INSERT INTO recours_leases VALUES ('index on claims', 'other', %s)", [until])
    (remark,) = next_run(old)
    assert remark.startswith(f"Another run is building the index {INDEX}")
    assert is_valid(old) is None
    assert [holder for _, holder, _ in leases(old)] == ["other"]
    with service(old) as connection:
        connection.execute("UPDATE recours_leases SET held_until = held_until - INTERVAL '1 hour'")
    assert next_run(old) == [f"Built the index {INDEX} on claims"]
    assert leases(old) == []


# ---------------------------------------------------------------- beside the service


def test_the_service_is_not_kept_waiting_by_a_run_that_waits_for_it(old: Database) -> None:
    said: list[Any] = []

    def run() -> None:
        try:
            said.append(first_run(old))
        except BaseException as error:  # noqa: BLE001 (to be seen by the test)
            said.append(error)

    waits: list[float] = []
    with service(old) as holder, service(old, autocommit=True) as other:
        holder.execute("SELECT * FROM claims FOR UPDATE")
        thread = threading.Thread(target=run)
        thread.start()
        ends = time.monotonic() + 6
        while time.monotonic() < ends:
            begun = time.monotonic()
            assert other.execute("SELECT count(*) FROM claims").fetchone() == (2,)
            waits.append(time.monotonic() - begun)
            time.sleep(0.02)
        assert not said
        holder.commit()
        thread.join(60)
    assert [remark for remark in said[0] if "is now" in remark], said
    assert 1 < max(waits) < 3  # the run did wait for the table, and released it
    assert len([wait for wait in waits if wait < 0.1]) > 20


def test_a_table_locked_too_long_is_explained(old: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(creation, "PATIENCE_S", 3.0)
    with service(old) as holder:
        holder.execute("SELECT * FROM claims")
        with pytest.raises(DatabaseError, match="another program has locked the table claims for 3 s"):
            first_run(old)
    assert inspect_schema(old).version is None
    assert first_run(old)


def test_a_schema_locked_by_another_run_is_explained(old: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(creation, "PATIENCE_S", 1.0)
    with service(old) as holder:
        holder.execute("SELECT pg_advisory_xact_lock(%s)", [creation._LOCK])
        with pytest.raises(DatabaseError, match="another run has been changing its schema for 1 s"):
            first_run(old)


# ---------------------------------------------------------------- the index


def test_an_index_left_incomplete_is_rebuilt(old: Database) -> None:
    first_run(old)
    statement = old.border.index
    assert statement
    with service(old) as writer, service(old, autocommit=True) as builder:
        builder.execute(f"DROP INDEX {INDEX}")
        writer.execute("UPDATE claims SET carrier = 'GLS' WHERE id = 1")
        ending = threading.Timer(1, builder.cancel)
        ending.start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            builder.execute(statement)
        ending.join()
    assert is_valid(old) is False
    assert next_run(old) == [f"Built the index {INDEX} on claims"]
    assert is_valid(old)


# ---------------------------------------------------------------- rights


@pytest.fixture
def unprivileged(old: Database) -> Iterator[Database]:
    """The same database, for a user with only read and write rights on the service's tables."""
    name = "Job of " + str(old.url.database)[-12:]
    execute(
        old.url,
        f'CREATE ROLE "{name}" LOGIN',
        f'GRANT SELECT, UPDATE ON claims TO "{name}"',
        f'GRANT SELECT ON clients TO "{name}"',
    )
    database = Database(old.url.set(username=name))
    yield database
    database.close()
    execute(old.url, f'DROP OWNED BY "{name}"', f'DROP ROLE "{name}"')


def test_a_user_who_may_not_alter_tables_gets_the_sql_for_someone_who_may(
    old: Database, unprivileged: Database
) -> None:
    with pytest.raises(DatabaseError, match="ask your administrator to run the SQL printed by") as fault:
        first_run(unprivileged)
    psql(old, "\n".join(fault.value.details))
    assert next_run(unprivileged) == []
    assert is_valid(old)
    assert next_run(old) == []
    with unprivileged.write() as connection:
        connection.exec_driver_sql("INSERT INTO recours_accounts VALUES ('gls', true)")
        connection.exec_driver_sql(
            "INSERT INTO recours_events (event, audience, claim_id, carrier, tracking_number, run_id, created_at, facts)"
            " VALUES ('e', 'a', 1, 'c', 'n', 'r', '2026-02-02', '{}')"
        )


def test_a_missing_right_to_build_the_index_is_reported_once(old: Database, unprivileged: Database) -> None:
    """If the service has all columns, anyone who may create tables creates recours's."""
    columns = ", ".join(f"ADD COLUMN {name} {kind}" for name, kind in POD_COLUMNS.items())
    execute(
        old.url,
        f"ALTER TABLE claims {columns}",
        f'GRANT CREATE ON SCHEMA public TO "{unprivileged.url.username}"',
    )
    remarks = first_run(unprivileged)
    assert remarks[-1].startswith(MISSING)
    assert "(must be owner of table claims): ask your administrator to run the SQL" in remarks[-1]
    assert next_run(unprivileged) == []
    assert inspect_schema(unprivileged).lacks_index
    (sql,) = [line for line in sql_of_completion(unprivileged) if INDEX in line]
    psql(old, sql)
    unprivileged.reinspect()
    assert not inspect_schema(unprivileged).lacks_index


def psql(database: Database, script: str) -> None:
    """Run the SQL like an administrator."""
    subprocess.run(
        [programs("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", plain(database)],
        input=script,
        check=True,
        text=True,
        encoding="utf-8",
        capture_output=True,
        timeout=60,
    )

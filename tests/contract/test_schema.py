"""The schema, on real databases: created once, without touching the service's tables."""

import multiprocessing
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, make_url, select, text

from recours.app import open_database
from recours.database.border import INDEX, POD_COLUMNS
from recours.database.engine import Database, DatabaseError
from recours.database.schema import inspection
from recours.database.schema.creation import bring_up_to_date, sql_of_additions
from recours.database.schema.inspection import inspect_schema, require_claims
from recours.database.tables import metadata
from recours.host.home import migrations
from recours.settings.model import Settings
from tests.own_rows import statements_of

ROOT = Path(inspection.__file__).parents[3]
SPAWN = multiprocessing.get_context("spawn")

# The service's tables before recours is installed, including unrelated ones.
OLD_SERVICE = """
CREATE TABLE clients (
    id INTEGER PRIMARY KEY AUTOINCREMENT, email TEXT UNIQUE NOT NULL, full_name TEXT, company_name TEXT,
    is_active BOOLEAN DEFAULT 1, notification_preferences TEXT, iban TEXT
);
CREATE TABLE claims (
    id INTEGER PRIMARY KEY AUTOINCREMENT, claim_reference TEXT UNIQUE NOT NULL,
    client_id INTEGER REFERENCES clients (id), order_id TEXT NOT NULL, carrier TEXT NOT NULL,
    dispute_type TEXT NOT NULL, amount_requested REAL NOT NULL CHECK (amount_requested >= 0),
    currency TEXT DEFAULT 'EUR', status TEXT DEFAULT 'pending', response_deadline DATE, order_date DATE,
    tracking_number TEXT, created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, updated_at TIMESTAMP, ai_notes BLOB
);
CREATE INDEX idx_claims_status ON claims (status);
CREATE VIEW open_claims AS SELECT * FROM claims WHERE status <> 'paid';
CREATE TABLE audit (what TEXT);
CREATE TRIGGER claims_touched AFTER UPDATE OF status ON claims
    BEGIN INSERT INTO audit VALUES (old.status || '>' || new.status); END;
INSERT INTO clients (email, iban) VALUES ('a@example.org', 'FR76'), ('b@example.org', NULL);
INSERT INTO claims (claim_reference, client_id, order_id, carrier, dispute_type, amount_requested, ai_notes)
    VALUES ('CLM-1', 1, 'O-1', 'Chronopost', 'lost', 12.5, x'00ff'), ('CLM-2', 2, 'O-2', 'DHL', 'late', 0, NULL);
"""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """An SQLite file of the service, with rows and without a POD column, in the default journal mode."""
    path = tmp_path / "claims.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(OLD_SERVICE)
    return path


def dump(path: Path, columns: dict[str, list[str]] | None = None) -> dict[str, Any]:
    """Rows of the tables that are not recours's (only their first columns, if given), and all definitions."""
    with closing(sqlite3.connect(path)) as connection:
        connection.text_factory = bytes
        names = "SELECT name, type, sql FROM sqlite_master WHERE name NOT LIKE 'recours%' ORDER BY name"
        found = [tuple(part and part.decode() for part in row) for row in connection.execute(names)]
        tables = [name for name, kind, _ in found if kind == "table"]
        held = columns or {
            table: [row[1].decode() for row in connection.execute(f"PRAGMA table_info({table})")]
            for table in tables
        }
        content = {
            table: connection.execute(
                f"SELECT {', '.join(held[table])} FROM {table} ORDER BY rowid"
            ).fetchall()
            for table in tables
        }
        journal = connection.execute("PRAGMA journal_mode").fetchone()
    return {"columns": held, "content": content, "journal": journal, "defined": found}


def copies(path: Path) -> list[Path]:
    return list(path.parent.glob(f"{path.name}.before-recours-*"))


def upgrade(path: Path) -> list[str]:
    database = Database(make_url(f"sqlite:///{path}"))
    try:
        found = inspect_schema(database)
        require_claims(database, found)
        return bring_up_to_date(database, found)[1]
    finally:
        database.close()


# ---------------------------------------------------------------- what the code says, and what Alembic makes


def test_head_is_the_newest_migration() -> None:
    assert ScriptDirectory(str(migrations())).get_current_head() == inspection.HEAD


def test_tables_of_the_code_match_the_migrations(database: Database) -> None:
    found = inspect(database.engine)
    for table in metadata.tables.values():
        columns = {column["name"]: column for column in found.get_columns(table.name)}
        assert set(columns) == {column.name for column in table.columns}
        for column in table.columns:
            assert columns[column.name]["nullable"] == (column.nullable and not column.primary_key) or (
                database.is_sqlite and column.primary_key
            ), (table.name, column.name)
        assert {index["name"] for index in found.get_indexes(table.name)} >= {
            index.name for index in table.indexes
        }


# ---------------------------------------------------------------- first runs


def first_run(path: str, rounds: int, start: Any, answers: Any) -> None:
    """The steps of a run before its first claim, on a new database each round."""
    for n in range(rounds):
        start.wait(60)
        try:
            remarks = upgrade(Path(f"{path}-{n}"))
        except Exception as error:  # noqa: BLE001 (to be seen by the test)
            remarks = [f"FAILED {error!r}"]
        answers.put((n, remarks))


@pytest.mark.full("many first runs at once: each by itself is shown")
def test_one_of_several_concurrent_first_runs_updates_the_database(
    old: Path, repeats: Callable[[int, int], range]
) -> None:
    rounds = len(repeats(4, 20))
    for n in range(rounds):
        old.with_name(f"{old.name}-{n}").write_bytes(old.read_bytes())
    start, answers = SPAWN.Barrier(8), SPAWN.Queue()
    crew = [SPAWN.Process(target=first_run, args=(str(old), rounds, start, answers)) for _ in range(8)]
    for process in crew:
        process.start()
    said = [answers.get(timeout=120) for _ in range(8 * rounds)]
    for process in crew:
        process.join(60)
    before = dump(old)
    for n in range(rounds):
        path = old.with_name(f"{old.name}-{n}")
        remarks = [remark for m, found in said if m == n for remark in found]
        assert not [remark for remark in remarks if remark.startswith("FAILED")]
        assert len([remark for remark in remarks if "is now" in remark]) == 1
        assert len(copies(path)) == 1
        database = Database(make_url(f"sqlite:///{path}"))
        assert inspect_schema(database).is_current
        database.close()
        assert_untouched(before, path)


def assert_untouched(before: dict[str, Any], path: Path) -> None:
    after = dump(path, before["columns"])
    assert after["content"] == before["content"]
    assert after["journal"] == before["journal"]
    defined = {name: sql for name, _, sql in after["defined"]}
    for name, kind, sql in before["defined"]:
        if name != "claims":
            assert defined[name] == sql, (kind, name)
    claims = next(sql for name, _, sql in before["defined"] if name == "claims")
    assert defined["claims"].startswith(claims.rstrip(")").rstrip())


def test_an_upgrade_keeps_existing_data(old: Path) -> None:
    before = dump(old)
    (copied, told, built) = upgrade(old)
    assert_untouched(before, old)
    (copy,) = copies(old)
    assert dump(copy) == before
    assert copy.name in copied
    assert told.endswith(f"added to claims: {', '.join(POD_COLUMNS)}")
    assert built == f"Built the index {INDEX} on claims"
    with closing(sqlite3.connect(old)) as connection:
        assert (
            connection.execute("SELECT pod_fetch_status, pod_retry_count FROM claims").fetchall()
            == [(None, 0)] * 2
        )
        connection.execute("UPDATE claims SET status = 'paid' WHERE id = 1")
        assert connection.execute("SELECT what FROM audit").fetchall() == [("pending>paid",)]
        assert len(connection.execute("SELECT claim_reference FROM open_claims").fetchall()) == 1


@pytest.mark.parametrize("mode", [0o600, 0o640])
def test_a_copy_has_the_permissions_of_the_database(old: Path, mode: int) -> None:
    old.chmod(mode)
    if os.geteuid() == 0:
        os.chown(old, 65534, 65533)
    upgrade(old)
    found, expected = copies(old)[0].stat(), old.stat()
    assert (found.st_mode, found.st_uid, found.st_gid) == (expected.st_mode, expected.st_uid, expected.st_gid)


def test_a_second_run_finds_nothing_to_do(old: Path) -> None:
    upgrade(old)
    after_first = old.read_bytes()
    assert upgrade(old) == []
    assert old.read_bytes() == after_first
    assert len(copies(old)) == 1


@pytest.mark.parametrize("mode", ["delete", "truncate", "persist", "wal"])
def test_the_journal_mode_stays(old: Path, mode: str) -> None:
    with closing(sqlite3.connect(old)) as connection:
        connection.execute(f"PRAGMA journal_mode={mode}")
    is_wal = dump(old)["journal"] == (b"wal",)
    upgrade(old)
    assert (dump(old)["journal"] == (b"wal",)) == is_wal


def test_existing_pod_columns_keep_their_values(old: Path) -> None:
    with closing(sqlite3.connect(old)) as connection:
        connection.execute("ALTER TABLE claims ADD COLUMN pod_fetch_status TEXT DEFAULT 'manual'")
        connection.execute("ALTER TABLE claims ADD COLUMN pod_url VARCHAR(20)")
        connection.execute("UPDATE claims SET pod_url = '/theirs.pdf' WHERE id = 1")
        connection.commit()
    before = dump(old)
    upgrade(old)
    assert_untouched(before, old)


def test_a_file_may_be_named_like_a_fault(old: Path) -> None:
    renamed = old.rename(old.with_name("blocked.db"))
    with closing(Database(make_url(f"sqlite:///{renamed}"))) as database:
        assert inspect_schema(database).version is None


def test_the_services_own_alembic_is_not_touched(old: Path) -> None:
    with closing(sqlite3.connect(old)) as connection:
        connection.executescript(
            "CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY);"
            "INSERT INTO alembic_version VALUES ('0001'), ('feedbeef');"
        )
    before = dump(old)
    upgrade(old)
    assert_untouched(before, old)
    with closing(sqlite3.connect(old)) as connection:
        versions = "SELECT version_num FROM recours_schema_version"
        assert connection.execute(versions).fetchall() == [(inspection.HEAD,)]


def test_an_upgrade_that_fails_half_way_leaves_nothing_behind(old: Path) -> None:
    with closing(sqlite3.connect(old)) as connection:
        # No view with this name can be created any more: the last step of the migration fails.
        connection.execute("CREATE TABLE recours_documents (id INTEGER)")
        connection.commit()
    before = dump(old)
    with pytest.raises(DatabaseError):
        upgrade(old)
    assert dump(old) == before
    with closing(sqlite3.connect(old)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE name LIKE 'recours%'").fetchall()
    assert tables == [("recours_documents",)]


def test_dropped_columns_are_named(old: Path) -> None:
    upgrade(old)
    with closing(sqlite3.connect(old)) as connection:
        connection.execute("ALTER TABLE claims DROP COLUMN pod_signature_url")
        connection.commit()
    before = dump(old)
    with pytest.raises(DatabaseError, match="claims has no pod_signature_url") as raised:
        upgrade(old)
    script = ["BEGIN;", "ALTER TABLE claims ADD COLUMN pod_signature_url TEXT;", "COMMIT;"]
    assert [*raised.value.details] == script
    with closing(Database(make_url(f"sqlite:///{old}"))) as database:
        assert sql_of_additions(database, inspect_schema(database)) == script
    assert dump(old) == before


@pytest.mark.parametrize(
    ("statements", "said"),
    [
        ("", r"no table 'claims'.*recours init-db"),
        (
            "CREATE TABLE claims (id INTEGER PRIMARY KEY, carrier TEXT)",
            "no column 'claim_reference'; 'claims' has no column 'tracking_number'",
        ),
    ],
)
def test_a_database_without_usable_claims_is_reported_and_not_changed(
    empty_url: str, statements: str, said: str
) -> None:
    database = Database(make_url(empty_url))
    if statements:
        with database.write() as connection:
            connection.exec_driver_sql(statements)
    before = tables_of(database)
    found = inspect_schema(database)
    with pytest.raises(DatabaseError, match=said):
        require_claims(database, found)
    assert tables_of(database) == before
    if database.path:
        assert copies(database.path) == []
    database.close()


def tables_of(database: Database) -> dict[str, list[str]]:
    found = inspect(database.engine)
    return {
        name: [column["name"] for column in found.get_columns(name)]
        for name in sorted(found.get_table_names())
    }


# ---------------------------------------------------------------- the embedded database


def embed(folder: str, rounds: int, start: Any, answers: Any) -> None:
    for n in range(rounds):
        root = Path(folder) / str(n)
        start.wait(60)
        try:
            settings = embedded(root)
            opened = open_database(settings)
            with opened.database.read() as connection:
                found = connection.scalar(text("SELECT count(*) FROM claims"))
            answers.put((n, opened.schema.is_current, found, opened.remarks))
            opened.database.close()
        except Exception as error:  # noqa: BLE001 (to be seen by the test)
            answers.put((n, False, repr(error), ()))


def embedded(root: Path) -> Settings:
    from recours.carriers.registry import CATALOG  # noqa: PLC0415 (for other processes)
    from recours.settings.loading import load  # noqa: PLC0415

    return load(root, {}, CATALOG)


@pytest.mark.full("many first runs at once: each by itself is shown")
def test_the_embedded_database_is_created_once_by_many_processes(
    tmp_path: Path, repeats: Callable[[int, int], range]
) -> None:
    rounds = len(repeats(3, 20))
    start, answers = SPAWN.Barrier(8), SPAWN.Queue()
    crew = [SPAWN.Process(target=embed, args=(str(tmp_path), rounds, start, answers)) for _ in range(8)]
    for process in crew:
        process.start()
    said = [answers.get(timeout=120) for _ in range(8 * rounds)]
    for process in crew:
        process.join(60)
    assert {answer[1:3] for answer in said} == {(True, 0)}
    for n in range(rounds):
        assert len([answer for answer in said if answer[0] == n and answer[3]]) == 1
        with closing(sqlite3.connect(tmp_path / str(n) / "data" / "recours.db")) as connection:
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        assert tables >= {"clients", "claims", "notifications", "system_settings", "recours_quota"}
        assert [path.name for path in (tmp_path / str(n) / "data").glob(".new-*")] == []


# ---------------------------------------------------------------- what the check costs


def test_a_current_schema_is_seen_by_few_statements(database: Database) -> None:
    def statements() -> int:
        with statements_of(database) as seen:
            found = inspect_schema(database)
            require_claims(database, found)
            assert bring_up_to_date(database, found) == (found, [])
        return len([sql for sql, _ in seen if sql not in ("BEGIN", "BEGIN IMMEDIATE")])

    statements()
    assert statements() == (1 if database.is_sqlite else 2)  # of the version and the rights
    if not database.is_sqlite:  # whose reflection needs one PRAGMA for each query
        database.reinspect()
        assert statements() <= 4


A_RUN = """
import sys
from recours.cli.workers import main
status = main("pod_retry_scheduler", ["--database-url", sys.argv[1]])
print(status, sorted(name for name in sys.modules if name.split(".")[0] in ("alembic", "mako")))
"""


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
def test_a_run_on_a_current_schema_does_not_import_alembic(url: str, tmp_path: Path) -> None:
    environment = {
        "RECOURS_LOG_DIR": str(tmp_path),
        "RECOURS_POD_DIR": str(tmp_path),
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        [sys.executable, "-c", A_RUN, url],
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert done.stdout.splitlines()[-1:] == ["0 []"], done.stderr


def test_a_column_that_the_service_drops_is_noticed_by_the_first_error(database: Database) -> None:
    assert database.border.has("status")
    with database.write() as connection:
        connection.exec_driver_sql("ALTER TABLE claims DROP COLUMN status")
    with pytest.raises(DatabaseError), database.read() as connection:
        connection.execute(select(database.border.text("status")))
    assert not database.border.has("status")

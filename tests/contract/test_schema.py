"""The schema, on real databases: brought up to date once, nothing of the service's touched, foreign rows read."""

import logging
import multiprocessing
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import event, inspect, make_url, select, text

from recours.core.policy import EnrollNew
from recours.database.border import INDEX, POD_COLUMNS
from recours.database.engine import Database, DatabaseError
from recours.database.schema import inspection
from recours.database.schema.creation import bring_up_to_date
from recours.database.schema.inspection import look, require_claims
from recours.database.tables import metadata
from recours.home import migrations
from recours.runs.fetch import PODFetchWorker
from recours.runs.retry import PODRetryScheduler
from recours.runs.summary import Report
from recours.runs.worker import Options
from recours.sandbox import Sandbox, SimulatedClock
from recours.settings.model import Settings
from recours.wiring.databases import open_database
from recours.wiring.workers import make_worker
from tests.conftest import KINDS

ROOT = Path(inspection.__file__).parents[3]
SPAWN = multiprocessing.get_context("spawn")

# The service's tables as they are before this system comes, with what is none of our business.
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


def per_kind(both: Iterable[Any], **alone: Iterable[Any]) -> list[Any]:
    """Parameters `kind` and a value: values that every kind of database can hold, and those that only one can."""
    return [(kind, value) for kind in KINDS for value in (*both, *alone.get(kind, ()))]


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """An SQLite file of the service's, with rows and without a POD column, in the default journal mode."""
    path = tmp_path / "claims.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(OLD_SERVICE)
    return path


def dump(path: Path, columns: dict[str, list[str]] | None = None) -> dict[str, Any]:
    """Rows of the tables that are not ours (their first columns only, if given), and how everything is defined."""
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
        found = look(database)
        require_claims(database, found)
        return bring_up_to_date(database, found)[1]
    finally:
        database.close()


# ---------------------------------------------------------------- what the code says, and what Alembic makes


def test_head_is_the_newest_migration() -> None:
    assert ScriptDirectory(str(migrations())).get_current_head() == inspection.HEAD


def test_the_tables_of_the_code_are_those_of_the_migrations(database: Database) -> None:
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
    """What a run does before its first claim, on a new database each round."""
    for n in range(rounds):
        start.wait(60)
        try:
            remarks = upgrade(Path(f"{path}-{n}"))
        except Exception as error:  # noqa: BLE001 (to be seen by the test)
            remarks = [f"FAILED {error!r}"]
        answers.put((n, remarks))


@pytest.mark.full("many first runs at once: each by itself is shown")
def test_of_several_first_runs_at_once_one_brings_the_database_up_to_date(
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
        assert look(database).is_current
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


def test_what_was_there_is_left_as_it_is(old: Path) -> None:
    before = dump(old)
    (copied, told, built) = upgrade(old)
    assert_untouched(before, old)
    (copy,) = copies(old)
    assert dump(copy) == before
    assert copy.name in copied
    assert told.endswith(f"added to claims: {', '.join(POD_COLUMNS)}")
    assert built == f"Built on claims: {INDEX}"
    with closing(sqlite3.connect(old)) as connection:
        assert (
            connection.execute("SELECT pod_fetch_status, pod_retry_count FROM claims").fetchall()
            == [(None, 0)] * 2
        )
        connection.execute("UPDATE claims SET status = 'paid' WHERE id = 1")
        assert connection.execute("SELECT what FROM audit").fetchall() == [("pending>paid",)]
        assert len(connection.execute("SELECT claim_reference FROM open_claims").fetchall()) == 1


@pytest.mark.parametrize("mode", [0o600, 0o640])
def test_only_who_may_read_the_database_may_read_its_copy(old: Path, mode: int) -> None:
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


def test_pod_columns_that_are_there_keep_their_values(old: Path) -> None:
    with closing(sqlite3.connect(old)) as connection:
        connection.execute("ALTER TABLE claims ADD COLUMN pod_fetch_status TEXT DEFAULT 'manual'")
        connection.execute("ALTER TABLE claims ADD COLUMN pod_url VARCHAR(20)")
        connection.execute("UPDATE claims SET pod_url = '/theirs.pdf' WHERE id = 1")
        connection.commit()
    before = dump(old)
    upgrade(old)
    assert_untouched(before, old)


def test_a_file_may_be_named_like_a_fault(old: Path) -> None:
    assert look(Database(make_url(f"sqlite:///{old.rename(old.with_name('blocked.db'))}"))).version is None


def test_an_alembic_of_the_services_own_is_not_touched(old: Path) -> None:
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
        # Of this name there can be no view any more: the last step of the migration fails.
        connection.execute("CREATE TABLE recours_documents (id INTEGER)")
        connection.commit()
    before = dump(old)
    with pytest.raises(DatabaseError):
        upgrade(old)
    assert dump(old) == before
    with closing(sqlite3.connect(old)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE name LIKE 'recours%'").fetchall()
    assert tables == [("recours_documents",)]


def test_columns_that_someone_dropped_are_named(old: Path) -> None:
    upgrade(old)
    with closing(sqlite3.connect(old)) as connection:
        connection.execute("ALTER TABLE claims DROP COLUMN pod_signature_url")
        connection.commit()
    before = dump(old)
    with pytest.raises(DatabaseError, match="claims has no pod_signature_url"):
        upgrade(old)
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
def test_what_is_not_the_services_database_is_said_and_not_changed(
    empty_url: str, statements: str, said: str
) -> None:
    database = Database(make_url(empty_url))
    if statements:
        with database.write() as connection:
            connection.exec_driver_sql(statements)
    before = tables_of(database)
    found = look(database)
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
    seen: list[str] = []

    @event.listens_for(database.engine, "before_cursor_execute")
    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    def statements() -> int:
        seen.clear()
        found = look(database)
        require_claims(database, found)
        assert bring_up_to_date(database, found) == (found, [])
        return len([statement for statement in seen if statement not in ("BEGIN", "BEGIN IMMEDIATE")])

    statements()
    assert statements() == (1 if database.is_sqlite else 2)  # of the version, and of rights
    if not database.is_sqlite:  # whose reflection is a PRAGMA for each thing that is asked
        database.look_again()
        assert statements() <= 4


A_RUN = """
import sys
from recours.cli.workers import main
status = main("pod_retry_scheduler", ["--database-url", sys.argv[1]])
print(status, sorted(name for name in sys.modules if name.split(".")[0] in ("alembic", "mako")))
"""


def test_a_run_on_a_current_schema_does_not_import_alembic(
    database: Database, url: str, tmp_path: Path
) -> None:
    database.close()
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


# ---------------------------------------------------------------- foreign rows


class Service:
    """The service's database, written by software that has its own ideas, and runs on it."""

    def __init__(
        self, url: str, settings_of: Callable[..., Settings], box: Sandbox, clock: SimulatedClock
    ) -> None:
        self.database = Database(make_url(url))
        self.kind = self.database.engine.dialect.name
        self.settings = settings_of(url, box)
        self.clock = clock

    def add(self, reference: str, **values: Any) -> None:
        row = {
            "claim_reference": reference,
            "order_id": "O",
            "carrier": "Chronopost",
            "dispute_type": "lost",
            "amount_requested": 1,
            "tracking_number": "XY001234567FR",
            "pod_fetch_status": "failed",
        } | values
        there = {column["name"] for column in inspect(self.database.engine).get_columns("claims")}
        row = {name: value for name, value in row.items() if name in there}
        mark = "?" if self.database.is_sqlite else "%s"
        self.execute(
            f"INSERT INTO claims ({', '.join(row)}) VALUES ({', '.join([mark] * len(row))})", *row.values()
        )

    def execute(self, statement: str, *values: Any) -> None:
        with self.database.write() as connection:
            connection.exec_driver_sql(statement, values)

    def select(self, query: str) -> list[dict[str, Any]]:
        """Values as the driver gives them."""
        with self.database.read() as connection:
            return [dict(row) for row in connection.exec_driver_sql(query).mappings()]

    def rows(self) -> dict[str, dict[str, Any]]:
        """With what recours keeps of each beside it."""
        joined = "claims LEFT JOIN recours_claims ON claim_id = id"
        query = f"SELECT claims.*, stage, kind FROM {joined}"
        return {row["claim_reference"]: row for row in self.select(query)}

    def run(self, kind: type = PODRetryScheduler) -> Report:
        opened = open_database(self.settings)
        try:
            options = Options(batch_size=1000)
            return make_worker(
                kind, self.settings, opened, options, clock=self.clock, jitter=lambda: 0.0
            ).run()
        finally:
            opened.database.close()


@pytest.fixture
def service(
    url: str, settings_of: Callable[..., Settings], sandbox: Sandbox, clock: SimulatedClock
) -> Iterator[Service]:
    service = Service(url, settings_of, sandbox, clock)
    yield service
    service.database.close()


@pytest.fixture
def new_service(
    empty_url: str, settings_of: Callable[..., Settings], sandbox: Sandbox, clock: SimulatedClock
) -> Iterator[Service]:
    """On a database without any table."""
    service = Service(empty_url, settings_of, sandbox, clock)
    yield service
    service.database.close()


def status_of(service: Service, reference: str) -> tuple[Any, Any]:
    row = service.rows()[reference]
    return row["pod_fetch_status"], row["stage"]


LONG_AGO = "2026-02-02 06:30:00"  # the first wait is over at START


OPTIONAL = ("client_id", "status", "response_deadline", "created_at", "updated_at")


@pytest.mark.sample("other columns that a service may be without", every=4)
@pytest.mark.parametrize("missing", [*[(name,) for name in OPTIONAL], OPTIONAL])
def test_a_service_without_optional_columns_is_served(new_service: Service, missing: tuple[str, ...]) -> None:
    service = new_service
    key = "INTEGER PRIMARY KEY" if service.database.is_sqlite else "SERIAL PRIMARY KEY"
    service.execute(
        f"CREATE TABLE claims (id {key}, claim_reference TEXT, client_id INTEGER, order_id TEXT,"
        " carrier TEXT, dispute_type TEXT, amount_requested REAL, status TEXT, response_deadline DATE,"
        " tracking_number TEXT, created_at TIMESTAMP, updated_at TIMESTAMP)"
    )
    for column in missing:
        service.execute(f"ALTER TABLE claims DROP COLUMN {column}")
    assert service.run().fault is None
    service.add(
        "due", updated_at=LONG_AGO, created_at=LONG_AGO, response_deadline="2026-02-10", status="submitted"
    )
    service.add("new", pod_fetch_status="pending", created_at=LONG_AGO, status="submitted")
    service.add("hopeless", tracking_number="?", updated_at=LONG_AGO, created_at=LONG_AGO, status="submitted")
    assert service.run(PODFetchWorker).stats.success == 1
    service.clock.advance(timedelta(hours=2))
    report = service.run()
    assert (report.fault, report.stats.success, report.stats.failed) == (None, 1, 1)
    assert service.run().stats.total == 0
    for _ in range(4):
        service.clock.advance(timedelta(hours=72))
        assert service.run().fault is None
    assert status_of(service, "hopeless") == ("failed", "given_up")


COUNTS = per_kind(
    [(None, 0), (-3, 0), (2.0, 2), ("1", 1), ("-3", 0)],
    sqlite=[("two", 0), ("", 0), (b"\xff\x00", 0)],
)


@pytest.mark.sample("other forms of the same value", every=4)
@pytest.mark.parametrize(("kind", "counted"), COUNTS, indirect=["kind"])
def test_counts_of_all_kinds(service: Service, counted: tuple[Any, int]) -> None:
    count, turns = counted
    service.add("it", pod_retry_count=count, updated_at=LONG_AGO, tracking_number="XY101234567FR")
    service.add("next", updated_at=LONG_AGO)
    assert service.run().stats.failed == (0 if turns else 1)  # a turn that is not the first one waits longer
    assert service.rows()["next"]["pod_fetch_status"] == "success"
    assert service.rows()["it"]["pod_retry_count"] == (turns or 1)
    service.clock.advance(timedelta(hours=80))
    assert service.run().stats.failed == 1
    assert service.rows()["it"]["pod_retry_count"] == (turns or 1) + 1


MOMENTS = per_kind(
    [
        "2026-02-02 06:59:00",
        "2026-02-02T06:59:00",
        "2026-02-02 06:59:00.123456",
        "2026-02-02T06:59:00.123Z",
        " 2026-02-02 06:59:00 ",
        "2026-02-02",
    ],
    sqlite=[
        "2026-02-02 07:59:00+01:00",
        "2026-02-02T07:59:00.5+0100",
        # unreadable: due now
        "hier",
        "02/02/2026 06:59",
        b"\xff\xfe2026",
        1770015540,
        "",
        "9999-99-99",
        "2026-02-02 07:59:00+99:99",
    ],
    postgresql=["infinity", "-infinity", "0044-03-15 12:00:00 BC", "12026-02-02 06:59:00"],
)


@pytest.mark.sample("other forms of the same value", every=4)
@pytest.mark.parametrize(("kind", "updated_at"), MOMENTS, indirect=["kind"])
def test_the_moment_of_failure_in_all_its_forms(service: Service, updated_at: Any) -> None:
    service.add("due", updated_at=updated_at)
    service.add("other", updated_at=LONG_AGO)
    report = service.run()
    assert (report.fault, report.stats.success) == (None, 2)


def test_an_unreadable_value_is_reported_once_and_hides_nothing(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    if service.database.is_sqlite:
        service.add("bad", updated_at="hier", response_deadline="bientôt", created_at=b"\xff")
        service.add("worse", client_id="x", response_deadline="32/13/2026", updated_at=LONG_AGO)
    else:
        service.add("bad", updated_at="infinity", response_deadline="infinity", created_at="-infinity")
        service.add("worse", response_deadline="0044-03-15 BC", updated_at=LONG_AGO)
    service.add("good", updated_at=LONG_AGO)
    if service.database.is_sqlite:
        service.execute("UPDATE claims SET pod_fetch_error = CAST(x'4c69767265e9' AS TEXT), status = x'ff'")
    with caplog.at_level(logging.WARNING, "__main__"):
        assert service.run().stats.success == 3
        service.add("another", updated_at=LONG_AGO)
        assert service.run().stats.success == 1
    said = [message for message in caplog.messages if "cannot read" in message]
    assert len([message for message in said if message.startswith("bad:")]) == 1
    assert any("response_deadline" in message for message in said)


SPELLINGS = per_kind(
    [
        ("chronopost", "success"),
        ("CHRONOPOST", "success"),
        (" Chronopost ", "success"),
        ("Chrono Post", "success"),
        ("Chronopost International", "success"),
        ("Heppner", "failed"),
        ("", "failed"),
        ("Chronopost\n2026-02-06 14:00:00 - [INFO] - forged", "failed"),
    ],
    sqlite=[(b"Chronopost", "success"), (b"\xff", "failed")],
)


@pytest.mark.parametrize(("kind", "spelling"), SPELLINGS, indirect=["kind"])
def test_carriers_as_others_spell_them(service: Service, spelling: tuple[Any, str]) -> None:
    carrier, expected = spelling
    service.add("it", carrier=carrier, updated_at=LONG_AGO)
    report = service.run()
    assert report.fault is None
    row = service.rows()["it"]
    assert row["pod_fetch_status"] == expected
    assert row["carrier"] == carrier
    if expected == "failed":
        assert row["kind"] == "unsupported_carrier"
    keys = {row["limit_key"] for row in service.select("SELECT limit_key FROM recours_quota")}
    assert keys == ({"chronopost/*/day@Europe/Paris"} if expected == "success" else set())


def test_numbers_that_cannot_be_read_are_no_numbers(service: Service) -> None:
    service.add("blank", tracking_number="  ", updated_at=LONG_AGO)
    service.add("none", tracking_number=None, updated_at=LONG_AGO)
    service.add("spaced", tracking_number=" xy 001 234 567 fr\n", updated_at=LONG_AGO)
    service.add("number", tracking_number="10345678901234", updated_at=LONG_AGO)
    service.add("waiting", tracking_number=None, pod_fetch_status="pending", updated_at=LONG_AGO)
    report = service.run()
    assert (report.fault, report.stats.success, report.stats.failed) == (None, 1, 3)
    kinds = {row["id"]: row["kind"] for row in service.rows().values()}
    assert [kinds[n] for n in (1, 2)] == ["invalid_tracking"] * 2
    assert kinds[4] == "not_delivered_yet"  # it was asked about
    assert status_of(service, "waiting") == ("pending", "unnumbered")


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
def test_numbers_that_are_no_text(service: Service) -> None:
    service.add("bytes", tracking_number=b"XY001234567FR\xff", updated_at=LONG_AGO)
    service.add("number", tracking_number=10345678901234, updated_at=LONG_AGO)
    service.execute("UPDATE claims SET claim_reference = CAST(x'e9ff' AS TEXT) WHERE id = 1")
    report = service.run()
    assert (report.fault, report.stats.success, report.stats.failed) == (None, 0, 2)
    kinds = {row["id"]: row["kind"] for row in service.rows().values()}
    assert kinds == {1: "invalid_tracking", 2: "not_delivered_yet"}


def test_fetching_is_pending_once_it_is_older_than_an_hour(service: Service) -> None:
    service.add("old", pod_fetch_status="fetching", updated_at="2026-02-02 06:59:00")
    service.add("young", pod_fetch_status="fetching", updated_at="2026-02-02 07:30:00")
    assert service.run(PODFetchWorker).stats.success == 1
    assert status_of(service, "old")[0] == "success"
    assert status_of(service, "young")[0] == "fetching"
    service.clock.advance(timedelta(minutes=29))
    assert service.run(PODFetchWorker).stats.total == 0
    service.clock.advance(timedelta(minutes=2))
    assert service.run(PODFetchWorker).stats.success == 1


def test_other_statuses_are_left_alone(service: Service) -> None:
    statuses: tuple[Any, ...] = (None, "", "success", "not_available", "manual", "FAILED", "en cours")
    if service.database.is_sqlite:
        statuses += (b"\xff", 7)
    for n, status in enumerate(statuses):
        service.add(f"s{n}", pod_fetch_status=status, updated_at=LONG_AGO)
    before = service.select("SELECT * FROM claims ORDER BY id")
    service.settings = replace(service.settings, enroll_new=EnrollNew.FALSE)  # no status is one too
    for kind in (PODRetryScheduler, PODFetchWorker):
        assert service.run(kind).stats.total == 0
    assert service.select("SELECT * FROM claims ORDER BY id") == before


def test_what_we_write_is_read_by_the_service_as_naive_utc(service: Service) -> None:
    service.add("it", updated_at=LONG_AGO)
    service.run()
    row = service.rows()["it"]
    for name in ("pod_fetched_at", "pod_last_retry_at"):
        assert datetime.fromisoformat(str(row[name])) == datetime(2026, 2, 2, 8, 0)  # noqa: DTZ001 (that is the point)

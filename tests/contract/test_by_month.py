"""The attempts by month on PostgreSQL: `init-db` makes them so while others work, and keeps them so for years."""

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text

from recours.backup.postgres import _snapshot
from recours.database.engine import Database, DatabaseError
from recours.database.schema import alone, by_month
from recours.database.schema.inspection import look
from recours.database.schema.partitions import (
    BY_MONTH,
    PROOF,
    REFUSED,
    is_by_month,
    left_proofs,
    months_ahead,
    partitions_of,
    readiness,
)
from recours.database.schema.rights import quoted
from recours.database.schema.upgrade import bring_up_to_date, complete, grant_rights, sql_of_completion
from recours.database.tables import service_tables
from recours.sandbox import SimulatedClock
from tests.acceptance.person import Person
from tests.conftest import Kind
from tests.postgres import execute, role_without_rights

NOW = datetime(2026, 11, 27, 8, tzinfo=UTC)
INSERT = (
    "INSERT INTO recours_attempts (claim_id, run_id, worker, carrier, tracking_number, turn, started_at, duration_s, calls,"
    " outcome, used, document_path) VALUES (%s, 'r', 'w', 'chronopost', 'XY1', 0, %s, 0.1, 2, 'success', true, '/p') RETURNING id"
)
EVERYTHING = "SELECT id, claim_id, started_at, document_path, error_words FROM recours_attempts ORDER BY id"


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(NOW)


@pytest.fixture
def old(kinds: Callable[[str], Kind], tmp_path: Path) -> Iterator[Database]:
    """A database as runs make it: the attempts are one table, with three rows of this year."""
    url = kinds("postgresql").empty(tmp_path)
    database = Database(url)
    for statement in service_tables("postgresql").values():
        execute(url, statement)
    bring_up_to_date(database, look(database))
    for n, month in enumerate((1, 6, 11)):
        add(database, n, datetime(2026, month, 3, 12))  # noqa: DTZ001 (as the column has it)
    yield database
    database.close()
    kinds("postgresql").drop(url)


def add(database: Database, claim: int, at: datetime) -> int:
    with database.write() as connection:
        return int(connection.exec_driver_sql(INSERT, (claim, at)).scalar_one())


def rows(database: Database, query: str = EVERYTHING) -> list[tuple[Any, ...]]:
    with database.read() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def names(database: Database) -> list[str]:
    with database.read() as connection:
        return [partition.name.removeprefix("recours_attempts_") for partition in partitions_of(connection)]


def places(database: Database) -> dict[int, str]:
    """In which partition each claim's attempt is."""
    return {
        claim: name.removeprefix("recours_attempts_")
        for claim, name in rows(
            database, "SELECT claim_id, CAST(CAST(tableoid AS regclass) AS text) FROM recours_attempts"
        )
    }


def kept_by_month(database: Database) -> bool:
    with database.read() as connection:
        return is_by_month(connection)


def proofs(database: Database) -> list[str]:
    with database.read() as connection:
        return list(left_proofs(connection))


# ---------------------------------------------------------------- from one table to many


def test_what_there_is_becomes_one_partition_and_numbers_run_on(old: Database, clock: SimulatedClock) -> None:
    before, file = rows(old), rows(old, "SELECT pg_relation_filenode('recours_attempts')")
    assert not kept_by_month(old)  # runs leave it alone
    (said,) = complete(old, clock)
    assert (
        said
        == "recours_attempts is kept by month now; what there was is recours_attempts_before_2026_12, as it was"
    )
    assert names(old)[0] == "2026_12"
    assert names(old)[-3:] == ["2028_11", "before_2026_12", "default"]
    assert len(names(old)) == 26
    assert rows(old) == before
    assert (
        rows(old, "SELECT pg_relation_filenode('recours_attempts_before_2026_12')") == file
    )  # not rewritten
    assert rows(old, "SELECT count(*) FROM recours_documents") == [(3,)]
    assert [add(old, 9, clock.now()), add(old, 10, clock.now() + timedelta(days=40))] == [4, 5]
    assert rows(old, "SELECT count(*) FROM recours_documents") == [(5,)]
    assert places(old)[10] == "2027_01"
    assert complete(old, clock) == []
    assert look(old).is_current


def test_every_index_is_there_and_none_was_built_anew(old: Database, clock: SimulatedClock) -> None:
    of_old = "SELECT indexrelid, pg_relation_filenode(indexrelid) FROM pg_index WHERE indrelid = CAST('{}' AS regclass)"
    before = rows(old, of_old.format("recours_attempts"))
    complete(old, clock)
    assert rows(old, of_old.format("recours_attempts_before_2026_12")) == before
    counts = rows(
        old,
        "SELECT relname, count(indexrelid), count(*) FILTER (WHERE indisprimary), bool_and(indisvalid) FROM pg_inherits"
        " JOIN pg_class ON pg_class.oid = inhrelid JOIN pg_index ON indrelid = inhrelid"
        " WHERE inhparent = CAST('recours_attempts' AS regclass) GROUP BY relname",
    )
    assert {row[1:] for row in counts} == {(3, 1, True)}
    assert len(counts) == 26


def test_printed_sql_does_the_same(old: Database, clock: SimulatedClock) -> None:
    before = rows(old)
    execute(old.url, *sql_of_completion(old, clock=clock))
    assert (rows(old), len(names(old))) == (before, 26)
    assert complete(old, clock) == []
    clock.advance(timedelta(days=31))
    execute(old.url, *sql_of_completion(old, clock=clock))
    assert names(old)[-3] == "2028_12"
    assert complete(old, clock) == []


def test_nothing_written_meanwhile_is_lost_and_nothing_fails(old: Database, clock: SimulatedClock) -> None:
    written: list[int] = []
    faults: list[BaseException] = []
    ended = threading.Event()

    def work() -> None:
        try:
            while not ended.is_set():
                written.append(add(old, 50, NOW.replace(tzinfo=None)))
                found = rows(old, "SELECT id FROM recours_attempts WHERE claim_id = 50")
                assert {(n,) for n in written} >= set(found[-1:])
                rows(old, "SELECT count(*) FROM recours_documents")
        except BaseException as fault:  # noqa: BLE001 (to be seen by the test)
            faults.append(fault)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        while len(written) < 20:
            time.sleep(0.01)
        said = complete(old, clock)
        done = len(written)
        while len(written) < done + 20 and thread.is_alive():
            time.sleep(0.01)
    finally:
        ended.set()
        thread.join(30)
    assert faults == []
    assert [remark for remark in said if "is kept by month now" in remark]
    found = rows(old, "SELECT id FROM recours_attempts WHERE claim_id = 50 ORDER BY id")
    assert [n for (n,) in found] == written


def test_of_several_at_once_one_does_it(old: Database) -> None:
    """By a clock that waits: the others are about to do it too."""
    said: list[list[str]] = []
    threads = [threading.Thread(target=lambda: said.append(complete(old))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(map(len, said)) == [0, 0, 1], "\n".join(map(str, said))
    assert len(names(old)) == 26


def test_a_table_that_others_read_for_long_stays_one_and_is_said(
    old: Database, clock: SimulatedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alone, "PATIENCE_S", 0.5)
    with old.read() as backup:
        backup.execute(text("SELECT 1 FROM recours_attempts"))
        (said,) = complete(old, clock)
    assert said.startswith(f"{BY_MONTH}: left as it is (another program holds recours_attempts)")
    assert not kept_by_month(old)
    complete(old, clock)
    assert kept_by_month(old)
    assert readiness(old, clock.now()).remarks == []


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ("CREATE VIEW theirs AS SELECT id FROM recours_attempts", "view theirs"),
        ("CREATE VIEW theirs AS SELECT path FROM recours_documents", "view theirs"),
        ("CREATE PUBLICATION theirs FOR TABLE recours_attempts", "publication theirs"),
        ("CREATE TABLE theirs (id INTEGER REFERENCES recours_attempts (id))", "foreign key theirs_id_fkey"),
        ("CREATE POLICY theirs ON recours_attempts", "policy theirs"),
        (
            "CREATE TRIGGER theirs AFTER INSERT ON recours_attempts EXECUTE FUNCTION suppress_redundant_updates_trigger()",
            "trigger theirs",
        ),
    ],
)
def test_what_others_put_on_the_table_must_not_go_stale(
    old: Database, clock: SimulatedClock, made: str, said: str
) -> None:
    execute(old.url, made)
    (remark,) = complete(old, clock)
    assert f"it has the {said}, which would see nothing of the months to come" in remark
    assert not kept_by_month(old)


# ---------------------------------------------------------------- clocks that were wrong


def test_attempts_dated_later_go_to_their_months(old: Database, clock: SimulatedClock) -> None:
    add(old, 20, datetime(2027, 5, 5))  # noqa: DTZ001 (as the column has it)
    add(old, 21, datetime(2099, 1, 1))  # noqa: DTZ001 (same)
    before = rows(old)
    said = complete(old, clock)
    assert said[-1] == "2 attempts moved to the months of their dates"
    assert rows(old) == before
    assert places(old) == {
        0: "before_2026_12",
        1: "before_2026_12",
        2: "before_2026_12",
        20: "2027_05",
        21: "default",
    }


def test_of_too_many_dated_later_it_is_said(
    old: Database, clock: SimulatedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_month, "_MOST_MOVED", 1)
    for n in range(3):
        add(old, 20 + n, datetime(2027, 5, 5))  # noqa: DTZ001 (as the column has it)
    (said,) = complete(old, clock)
    assert (
        "(2 attempts or more dated 2026-12-01 or later: a clock was wrong, or is. Correct started_at)" in said
    )
    assert not kept_by_month(old)


# ---------------------------------------------------------------- large tables


@pytest.fixture
def large(old: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """Every table counts as large."""
    monkeypatch.setattr(by_month, "_LARGE", -1)
    return old


def notices(database: Database) -> list[str]:
    """What the server says from now on of what it does."""
    said: list[str] = []

    @event.listens_for(database.engine, "connect")
    def listen(driver: Any, _record: Any) -> None:
        driver.add_notice_handler(lambda diagnostic: said.append(diagnostic.message_primary))

    execute(database.url, f"ALTER DATABASE \"{database.url.database}\" SET client_min_messages = 'debug1'")
    database.engine.dispose()
    return said


def looked_through(said: list[str]) -> Counter[str]:
    """How often PostgreSQL went through which table."""
    return Counter(found[1] for line in said if (found := re.match(r'verifying table "(.*)"', line)))


def test_a_large_table_is_looked_through_before_others_have_to_wait(
    large: Database, clock: SimulatedClock
) -> None:
    before, said = rows(large), notices(large)
    complete(large, clock)
    assert rows(large) == before
    assert "before_2027_01" in names(large)  # a proof that stays would refuse nothing for four weeks
    # Once: to prove it, beside everybody. The other one has just been made.
    assert looked_through(said) == {"recours_attempts": 1, "recours_attempts_default": 1}
    assert proofs(large) == []


def test_a_large_table_with_attempts_dated_later_stays_one(large: Database, clock: SimulatedClock) -> None:
    add(large, 20, datetime(2099, 1, 1))  # noqa: DTZ001 (as the column has it)
    (said,) = complete(large, clock)
    assert "(1 attempt dated 2027-01-01 or later" in said
    assert (kept_by_month(large), proofs(large)) == (False, [])


def test_printed_sql_is_good_for_a_large_table(large: Database, clock: SimulatedClock) -> None:
    lines = sql_of_completion(large, clock=clock)
    assert lines[1] == f"ALTER TABLE recours_attempts VALIDATE CONSTRAINT {PROOF};"
    execute(large.url, *lines)
    assert (kept_by_month(large), proofs(large)) == (True, [])


def test_a_proof_of_a_process_that_was_killed_is_dropped(
    large: Database, clock: SimulatedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as killed:
        killed.setattr(by_month, "_drop_proofs", lambda *_: None)
        killed.setattr(by_month, "_conversion", _dying)
        with pytest.raises(KeyboardInterrupt):
            complete(large, clock)
    assert proofs(large) == ["recours_attempts"]
    assert readiness(large, NOW).remarks == [f"{BY_MONTH}: {REFUSED}. Run 'recours init-db'"]
    complete(large, clock)
    assert (kept_by_month(large), proofs(large)) == (True, [])


_real_conversion = by_month._conversion


def _dying(connection: Any, now: datetime) -> by_month.Change:
    if left_proofs(connection):
        raise KeyboardInterrupt
    return _real_conversion(connection, now)


# ---------------------------------------------------------------- years


def test_months_come_and_empty_ones_go(old: Database, clock: SimulatedClock) -> None:
    complete(old, clock)
    add(old, 7, datetime(2026, 12, 5))  # noqa: DTZ001 (as the column has it)
    clock.advance(timedelta(days=90))  # to February
    with old.read() as connection:
        assert months_ahead(partitions_of(connection), clock.now()) == 21
    said = complete(old, clock)
    assert said == [
        "Months added to recours_attempts: 2028-12 to 2029-02",
        "Empty months dropped: recours_attempts_2027_01",
    ]
    assert names(old)[:2] == ["2026_12", "2027_02"]
    assert names(old)[-3:] == ["2029_02", "before_2026_12", "default"]
    assert complete(old, clock) == []
    execute(old.url, "TRUNCATE recours_attempts_before_2026_12")
    assert complete(old, clock) == ["Empty months dropped: recours_attempts_before_2026_12"]
    assert add(old, 8, clock.now()) == 5  # numbers do not begin anew
    assert add(old, 9, datetime(2020, 1, 1)) == 6  # noqa: DTZ001 (as the column has it)
    assert places(old) == {7: "2026_12", 8: "2027_02", 9: "default"}


@pytest.mark.parametrize("size", ["small", "large"])
def test_after_years_without_init_db_the_months_are_made_up_for(
    old: Database, clock: SimulatedClock, monkeypatch: pytest.MonkeyPatch, size: str
) -> None:
    complete(old, clock)
    monkeypatch.setattr(by_month, "_LARGE", -1 if size == "large" else 2**40)
    clock.advance(timedelta(days=3 * 365))
    add(old, 30, clock.now() - timedelta(days=100))
    add(old, 31, clock.now())
    before, noticed = rows(old), notices(old)
    assert places(old)[31] == "default"
    assert (
        "0 months ahead; attempts of later ones are kept together" in readiness(old, clock.now()).remarks[0]
    )
    said = complete(old, clock)
    assert rows(old) == before
    with old.read() as connection:
        assert months_ahead(partitions_of(connection), clock.now()) == (24 if size == "small" else 23)
    if size == "small":
        assert "1 attempt moved to the months of their dates" in said
        assert places(old)[31] == "2029_11"
    else:
        assert (
            f"{BY_MONTH}: recours_attempts_default has too many attempts of 2029-11, 2029-12 to move them. They stay"
            " there, and are deleted row by row"
        ) in said
        assert places(old)[31] == "default"
    assert places(old)[30] == "default"
    # The large one once, beside everybody.
    assert looked_through(noticed)["recours_attempts_default"] == (25 if size == "small" else 1)
    assert proofs(old) == []
    assert add(old, 32, clock.now() + timedelta(days=40)) == 6
    assert places(old)[32] == "2030_01"


def test_check_says_how_many_months_are_ahead(old: Database, tmp_path: Path) -> None:
    """By the clock of the machine: a person has no other."""
    person = Person(tmp_path, old.url.render_as_string(hide_password=False))

    def found() -> list[tuple[str, str, str | None]]:
        said = json.loads(person.types("check", "--offline", "--json").stdout)["findings"]
        return [
            (one["state"], one["words"], one["remedy"]) for one in said if one["name"] == "attempts by month"
        ]

    remedy = "run recours init-db, as the owner of the tables"
    assert found() == []
    now = datetime.now(UTC)
    complete(old, SimulatedClock(now - timedelta(days=3 * 365)))
    few = "0 months ahead; attempts of later ones are kept together, and deleted row by row"
    assert found() == [("remark", few, remedy)]
    complete(old)
    assert found() == [("ok", "ready for the months to come", None)]
    execute(old.url, f"ALTER TABLE recours_attempts_default ADD CONSTRAINT {PROOF} CHECK (id > 0) NOT VALID")
    assert found() == [("fault", REFUSED, remedy)]


def test_a_month_is_not_emptied_under_a_backup(old: Database, clock: SimulatedClock) -> None:
    complete(old, clock)
    other = Database(old.url, lock_wait_s=0.1)
    emptying = "TRUNCATE recours_attempts_before_2026_12"
    with _snapshot(old), pytest.raises(DatabaseError) as refusal, other.write() as connection:
        connection.exec_driver_sql(emptying)
    assert refusal.value.is_of_lock
    with other.write() as connection:
        connection.exec_driver_sql(emptying)
    other.close()


# ---------------------------------------------------------------- rights


def test_rights_are_carried_over_and_those_to_empty_months_to_new_ones(
    old: Database, clock: SimulatedClock
) -> None:
    with role_without_rights(old.url, "Job") as role, role_without_rights(old.url, "Eye") as reader:
        grant_rights(old, role)
        execute(
            old.url,
            f"GRANT SELECT (id, outcome) ON recours_attempts TO {quoted(reader)}",
            f"GRANT TRUNCATE ON recours_attempts TO {quoted(role)} WITH GRANT OPTION",
            "GRANT SELECT ON recours_documents TO PUBLIC",
        )
        complete(old, clock)
        job = Database(old.url.set(username=role))
        assert look(job).missing_rights == ()
        assert add(job, 60, clock.now()) == 4
        assert len(rows(job)) == 4
        clock.advance(timedelta(days=31))
        complete(old, clock)
        with job.read() as connection:
            months = [partition for partition in partitions_of(connection) if partition.month]
        assert "recours_attempts_2028_12" in {month.name for month in months}
        assert {month.name for month in months if not month.may_be_emptied} == set()
        eye = Database(old.url.set(username=reader))
        assert rows(eye, "SELECT id, outcome FROM recours_attempts WHERE id = 1") == [(1, "success")]
        assert len(rows(eye, "SELECT path FROM recours_documents")) == 4
        with pytest.raises(DatabaseError):
            rows(eye)
        # As pg_dump does.
        assert rows(job, "SELECT count(*) FROM recours_attempts_default") == [(0,)]
        assert rows(job, "SELECT count(*) FROM recours_attempts_2028_12") == [(0,)]
        job.close()
        eye.close()


def test_grant_to_lets_a_role_empty_months(old: Database, clock: SimulatedClock) -> None:
    with role_without_rights(old.url, "Job") as role:
        grant_rights(old, role)
        complete(old, clock)
        job = Database(old.url.set(username=role))
        with job.read() as connection:
            assert not any(month.may_be_emptied for month in partitions_of(connection))
        grant_rights(old, role)
        with job.read() as connection:
            assert {month.name for month in partitions_of(connection) if not month.may_be_emptied} == {
                "recours_attempts_default"
            }
        job.close()


def test_an_administrator_makes_what_belongs_to_the_owner(old: Database, clock: SimulatedClock) -> None:
    with role_without_rights(old.url, "Owner") as owner:
        execute(
            old.url,
            f"GRANT CREATE ON SCHEMA public TO {quoted(owner)}",
            f"CREATE SCHEMA {quoted(owner)} AUTHORIZATION {quoted(owner)}",  # where they would make tables of their own
            f"ALTER TABLE recours_attempts OWNER TO {quoted(owner)}",
            f"ALTER VIEW recours_documents OWNER TO {quoted(owner)}",
        )
        complete(old, clock)
        assert kept_by_month(old)
        clock.advance(timedelta(days=31))
        complete(old, clock)
        owners = rows(
            old,
            "SELECT DISTINCT tableowner FROM pg_tables WHERE tablename LIKE 'recours_attempts%'"
            " UNION SELECT viewowner FROM pg_views WHERE viewname = 'recours_documents'",
        )
        assert owners == [(owner,)]
        schemas = "SELECT DISTINCT schemaname FROM pg_tables WHERE tablename LIKE 'recours_attempts%'"
        assert rows(old, schemas) == [("public",)]

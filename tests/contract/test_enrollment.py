"""Claims without a decision whether recours works on them, on real databases."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import make_url, text

from recours.core.claim import Claim, Stage
from recours.core.policy import EnrollNew
from recours.database.by_person import ClaimEnrollment
from recours.database.claim_rows import CHUNK
from recours.database.claims import ClaimRepository
from recours.database.engine import Database, SystemClock
from recours.database.intake import Assessor
from recours.database.schema.creation import bring_up_to_date
from recours.database.schema.inspection import inspect_schema
from recours.runs.eligibility import EnrollCriteria, count_candidates
from recours.runs.ports import Lease
from recours.runs.summary import not_enrolled_warning
from recours.sandbox import SimulatedClock
from tests.contract.test_claims import CATALOG, POLICY
from tests.fakes.intake import intake_of, take_in
from tests.own_rows import plan, statements_of

NOW = datetime(2026, 2, 2, 8, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# A service without PODs: the column of times has any type.
SERVICE = """CREATE TABLE claims (id BIGINT PRIMARY KEY, claim_reference TEXT UNIQUE NOT NULL, carrier TEXT,
    tracking_number TEXT, status TEXT, created_at {type})"""


@pytest.fixture
def service(empty_url: str) -> Iterator[Database]:
    database = Database(make_url(empty_url))
    execute(database, SERVICE.format(type="TEXT" if database.is_sqlite else "TIMESTAMP"))
    yield database
    database.close()


def execute(database: Database, statement: str, **values: Any) -> None:
    with database.write() as connection:
        connection.execute(text(statement), values)


def add(database: Database, claim_id: int, created_at: Any = NOW, **columns: Any) -> None:
    row = {"carrier": "Chronopost", "number": f"XY{claim_id:09}FR", "status": "submitted"} | columns
    if database.is_sqlite and isinstance(created_at, datetime):
        created_at = created_at.strftime("%Y-%m-%d %H:%M:%S")
    elif isinstance(created_at, datetime):
        created_at = created_at.replace(tzinfo=None)
    execute(
        database,
        "INSERT INTO claims (id, claim_reference, carrier, tracking_number, status, created_at)"
        " VALUES (:id, :reference, :carrier, :number, :status, :made)",
        id=claim_id, reference=f"CLM-{claim_id}", made=created_at, **row,
    )  # fmt: skip


def adopt(database: Database) -> None:
    bring_up_to_date(database, inspect_schema(database), SimulatedClock(NOW))


def assessor(database: Database) -> Assessor:
    return intake_of(database, CATALOG, POLICY, NOW).assessor


def enrollment(database: Database, setting: EnrollNew = EnrollNew.AUTO) -> ClaimEnrollment:
    """The enrollment of claims that a run has just taken in."""
    take_in(database, CATALOG, NOW + HOUR, POLICY)
    return ClaimEnrollment(assessor(database), frozenset({"paid"}), setting)


def pending(database: Database) -> list[Any]:
    with database.read() as connection:
        return list(
            connection.scalars(text("SELECT id FROM claims WHERE pod_fetch_status = 'pending' ORDER BY id"))
        )


# ---------------------------------------------------------------- a service that knows no proofs


def test_new_claims_are_enrolled_and_those_that_were_there_are_reported(service: Database) -> None:
    add(service, 1, NOW - DAY)
    add(service, 2, NOW - DAY, status="paid")
    adopt(service)
    assert enrollment(service).undecided(99, NOW + 2 * HOUR) == 1
    add(service, 3, NOW + HOUR)
    add(service, 4, NOW + HOUR, number="  ")
    add(service, 5, NOW + HOUR, number=None)
    add(service, 6, NOW + HOUR, status="Paid")
    add(service, 7, NOW + HOUR, status=None)
    assert enrollment(service).enroll_new(NOW + 2 * HOUR) == 2
    assert pending(service) == [3, 7]
    assert enrollment(service).enroll_new(NOW + 3 * HOUR) == 0
    assert enrollment(service).undecided(99, NOW + 2 * HOUR) == 1, "the one that was there before"


def test_a_claim_is_enrolled_when_it_gets_its_number(service: Database) -> None:
    adopt(service)
    add(service, 1, NOW + HOUR, number=None)
    assert enrollment(service).enroll_new(NOW + 2 * HOUR) == 0
    execute(service, "UPDATE claims SET tracking_number = 'XY1FR'")
    assert enrollment(service).enroll_new(NOW + 3 * HOUR) == 1


def test_new_claims_are_found_by_creation_time_or_else_by_id(service: Database) -> None:
    add(service, 5_000_000_000, NOW - 9 * DAY)
    adopt(service)
    add(service, 7, NOW + HOUR)  # ids that do not increase
    add(service, 8, None)
    add(service, 5_000_000_001, None)
    add(service, 5_000_000_002, NOW - 9 * DAY)  # an old claim that was imported later
    add(service, 5_000_000_003, NOW + 900 * DAY)
    add(service, 9, NOW + 900 * DAY)
    add(service, 5_000_000_004, NOW - 3 * HOUR)  # written in another time zone
    expected = [7, 5_000_000_001, 5_000_000_003, 5_000_000_004]
    if service.is_sqlite:  # which accepts any text as a time
        for place, garbage in enumerate(["garbage", " 2026", "", "0000-00-00", b"\xff", 17, "31/12/2025"]):
            add(service, 20 + place, garbage)
            add(service, 6_000_000_000 + place, garbage)
            expected.append(6_000_000_000 + place)
    assert enrollment(service).enroll_new(NOW + 2 * HOUR) == len(expected)
    assert pending(service) == expected


def test_unreadable_creation_times_are_replaced_by_ids(service: Database) -> None:
    database = service
    execute(database, "DROP TABLE claims")
    execute(database, SERVICE.format(type="BIGINT"))
    add(database, 1, 1_770_000_000)
    adopt(database)
    add(database, 2, 1_780_000_000)
    assert enrollment(database).enroll_new(NOW + HOUR) == 1
    assert pending(database) == [2]


def test_a_table_without_status_and_creation_time_is_sufficient(service: Database) -> None:
    database = service
    execute(database, "DROP TABLE claims")
    execute(
        database,
        "CREATE TABLE claims (id BIGINT PRIMARY KEY, claim_reference TEXT, carrier TEXT, tracking_number TEXT)",
    )
    execute(database, "INSERT INTO claims VALUES (1, 'CLM-1', 'UPS', '1Z1')")
    adopt(database)
    execute(
        database,
        "INSERT INTO claims (id, claim_reference, carrier, tracking_number) VALUES (2, 'CLM-2', 'UPS', '1Z2')",
    )
    assert (enrollment(database).enroll_new(NOW), pending(database)) == (1, [2])
    assert enrollment(database).undecided(99, NOW + 2 * HOUR) == 1


@pytest.mark.parametrize(
    ("setting", "enrolled", "told"),
    [(EnrollNew.AUTO, 1, 1), (EnrollNew.TRUE, 1, 1), (EnrollNew.FALSE, 0, 0)],
)
def test_the_setting_decides_about_new_claims(
    service: Database, setting: EnrollNew, enrolled: int, told: int
) -> None:
    add(service, 1, NOW - DAY)
    adopt(service)
    add(service, 2, NOW + HOUR)
    found = enrollment(service, setting)
    assert (found.enroll_new(NOW + HOUR), found.undecided(99, NOW + 2 * HOUR)) == (enrolled, told)


@pytest.fixture
def adopted(service: Database) -> ClaimEnrollment:
    """An adopted database with two later claims, the second of them paid, that no run has read yet."""
    add(service, 1, NOW - DAY)
    adopt(service)
    adopted = enrollment(service)
    add(service, 2, NOW + HOUR)
    add(service, 3, NOW + HOUR, status="paid")
    return adopted


def test_a_preview_counts_claims_that_no_run_has_read_yet(
    service: Database, adopted: ClaimEnrollment
) -> None:
    add(service, 4, NOW - DAY)
    assert adopted.count_new(NOW + 2 * HOUR) == 1
    take_in(service, CATALOG, NOW + 2 * HOUR, POLICY)
    assert adopted.count_new(NOW + 2 * HOUR) == 1, "read, and not enrolled"
    assert adopted.enroll_new(NOW + 2 * HOUR) == 1
    assert adopted.count_new(NOW + 2 * HOUR) == 0


def test_one_claim_is_enrolled_before_any_run_has_read_it(
    service: Database, adopted: ClaimEnrollment
) -> None:
    claims = ClaimRepository(service, CATALOG, "command", "command")
    enrolled = [
        adopted.enroll_if_new(claim, NOW + 2 * HOUR)
        for number in (1, 2, 3)
        if (claim := claims.find(f"CLM-{number}"))
    ]
    assert (enrolled, pending(service)) == ([False, True, False], [2])


@pytest.mark.parametrize("kind", ["postgresql"], indirect=True)  # a writer locks the whole SQLite database
def test_a_claim_locked_by_the_service_is_enrolled_later(service: Database) -> None:
    adopt(service)
    add_new(service, 3)
    found = enrollment(service)
    with closing(Database(service.url)) as other, other.write() as connection:
        connection.execute(text("SELECT id FROM claims WHERE id = 2 FOR UPDATE")).all()
        assert found.enroll([1, 2, 3], NOW + 2 * HOUR) == {1, 3}
        assert not found.enroll_named([Claim(2, "CLM-2")], "ann", NOW + 2 * HOUR)
    assert found.enroll([1, 2, 3], NOW + 2 * HOUR) == {2}


def test_an_enrolled_claim_is_leased_next(service: Database) -> None:
    adopt(service)
    add(service, 1, NOW - DAY)
    assert enrollment(service).enroll([1], NOW + HOUR) == {1}
    claims = ClaimRepository(service, CATALOG, "run-1", "run-1")
    [claim] = claims.lease(Stage.NEW, ["chronopost"], 9, Lease("run-1", NOW + 2 * HOUR), NOW + HOUR)
    assert (claim.id, claim.state.since) == (1, NOW + HOUR)


def test_keys_other_than_numbers_are_replaced_by_creation_times(service: Database) -> None:
    execute(service, "DROP TABLE claims")
    execute(service, SERVICE.format(type="TIMESTAMP").replace("id BIGINT", "id TEXT"))
    insert = (
        "INSERT INTO claims (id, claim_reference, carrier, tracking_number, created_at)"
        " VALUES ({0}, {0}, 'Chronopost', 'XY1FR', {1})"
    )
    execute(service, insert.format("'b'", "'2026-02-01 20:00:00'"))  # less than a day before the adoption
    execute(service, insert.format("'c'", "NULL"))
    adopt(service)
    execute(service, insert.format("'a'", "'2026-02-02 09:00:00'"))
    found = enrollment(service)
    assert found.enroll_new(NOW + 2 * HOUR) == 1
    assert pending(service) == ["a"]
    assert found.undecided(99, NOW + 2 * HOUR) == 2


# ---------------------------------------------------------------- other databases


def test_a_service_with_its_own_status_column_decides_itself(service: Database) -> None:
    execute(service, "ALTER TABLE claims ADD COLUMN pod_fetch_status TEXT")
    add(service, 1, NOW - DAY)
    adopt(service)
    add(service, 2, NOW + HOUR)
    assert (
        enrollment(service).enroll_new(NOW + HOUR),
        enrollment(service).undecided(99, NOW + 2 * HOUR),
    ) == (
        0,
        0,
    )
    assert enrollment(service, EnrollNew.TRUE).enroll_new(NOW + HOUR) == 1
    assert pending(service) == [2]


def test_a_fresh_database_has_nothing_to_decide(database: Database) -> None:
    assert enrollment(database).undecided(99, NOW + 2 * HOUR) == 0


# ---------------------------------------------------------------- what a person decides


def test_a_person_enrolls_selected_claims(service: Database) -> None:
    add(service, 1, NOW - DAY)
    add(service, 2, NOW - DAY, status="refunded")
    add(service, 3, NOW - DAY, status="paid")
    add(service, 4, NOW - DAY, carrier="Other Carrier")
    add(service, 5, NOW - 90 * DAY)
    add(service, 6, NOW - DAY, number=None)
    adopt(service)
    found, wanted = enrollment(service), EnrollCriteria(carriers=("chronopost",), since=NOW - 9 * DAY)
    counts = count_candidates(found.candidates(), wanted, POLICY, CATALOG)
    assert dict(counts.open) == {("chronopost", "submitted"): 1}
    assert sum(counts.skipped.values()) == 2
    assert counts.calls["chronopost"] == 2
    assert found.enroll_all(wanted, POLICY, CATALOG, lambda: NOW) == 1
    assert pending(service) == [1]
    assert found.undecided(99, NOW + 2 * HOUR) == 0, "somebody has decided"
    assert found.enroll_all(EnrollCriteria(statuses=["refunded"]), POLICY, CATALOG, lambda: NOW) == 1
    assert pending(service) == [1, 2]


def test_a_claim_edited_in_the_meantime_is_not_enrolled(service: Database) -> None:
    add(service, 1, NOW - DAY)
    adopt(service)
    execute(service, "UPDATE claims SET pod_fetch_status = 'not_available'")
    assert enrollment(service).enroll([1], NOW) == set()
    assert pending(service) == []


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (1, "1 open claim with a tracking number is not enrolled, so no POD is fetched for it."),
        (312, "312 open claims with a tracking number are not enrolled, so no POD is fetched for them."),
        (10_000, "10000 or more open claims"),
    ],
)
def test_one_line_contains_the_count_and_the_command(count: int, expected: str) -> None:
    sentence = not_enrolled_warning(count)
    assert sentence.startswith(expected)
    assert "recours enroll" in sentence
    assert "\n" not in sentence
    assert not_enrolled_warning(0) == ""


# ---------------------------------------------------------------- several at once

MANY = 2 * CHUNK + 100


@dataclass(eq=False)
class Together(ClaimEnrollment):
    """One of several processes that all find the same claims before any of them writes."""

    met: Barrier = field(kw_only=True)

    def enroll(self, ids: Sequence[Any], now: datetime) -> set[Any]:
        self.met.wait(60)
        return super().enroll(ids, now)

    def enroll_named(self, found: Sequence[Claim], who: str, now: datetime) -> set[Any]:
        self.met.wait(60)
        return super().enroll_named(found, who, now)


def by_a_run(found: ClaimEnrollment) -> int:
    return found.enroll_new(NOW + 2 * HOUR)


def by_a_person(found: ClaimEnrollment) -> int:
    return found.enroll_all(EnrollCriteria(), POLICY, CATALOG, lambda: NOW + 2 * HOUR)


def by_name(found: ClaimEnrollment) -> int:
    named = [Claim(claim_id, f"CLM-{claim_id}") for claim_id in (3, 1, 2)]
    return len(found.enroll_named(named, "somebody", NOW + 2 * HOUR))


def enrolled_together(url: str, *ways: Callable[[ClaimEnrollment], int]) -> list[int]:
    """How many claims each process enrolled, concurrently and with its own connection."""
    met = Barrier(len(ways))

    def enroll(way: Callable[[ClaimEnrollment], int]) -> int:
        with closing(Database(make_url(url))) as database:
            return way(Together(assessor(database), frozenset({"paid"}), met=met))

    with ThreadPoolExecutor(len(ways)) as pool:
        return list(pool.map(enroll, ways))


@pytest.mark.parametrize(
    "ways",
    [(by_a_run, by_a_run), (by_a_person, by_a_person), (by_a_run, by_a_person, by_a_run, by_a_person)],
    ids=["two runs", "two persons", "two of each"],
)
def test_concurrent_enrollments_enroll_each_claim_once(
    service: Database, empty_url: str, ways: tuple[Callable[[ClaimEnrollment], int], ...]
) -> None:
    adopt(service)
    add_new(service, MANY)
    take_in(service, CATALOG, NOW + HOUR, POLICY)
    assert sum(enrolled_together(empty_url, *ways)) == MANY
    assert pending(service) == list(range(1, MANY + 1))
    assert enrolled_together(empty_url, *ways) == [0] * len(ways)


@pytest.mark.parametrize("other", [by_name, by_a_run, by_a_person])
def test_claims_that_are_named_at_the_same_time_are_enrolled_once_and_all_or_none(
    service: Database, empty_url: str, other: Callable[[ClaimEnrollment], int]
) -> None:
    adopt(service)
    add_new(service, 3)
    take_in(service, CATALOG, NOW + HOUR, POLICY)
    named, others = enrolled_together(empty_url, by_name, other)
    assert named in (0, 3)
    assert named + others == len(pending(service))
    assert enrollment(service).enroll_new(NOW + 2 * HOUR) == 3 - named - others, "a later run takes the rest"


def add_new(database: Database, count: int) -> None:
    rows = [
        {"id": n, "reference": f"CLM-{n}", "number": f"XY{n:09}FR", "made": "2026-02-02 09:00:00"}
        for n in range(1, count + 1)
    ]
    made = ":made" if database.is_sqlite else "CAST(:made AS TIMESTAMP)"
    statement = (
        "INSERT INTO claims (id, claim_reference, carrier, tracking_number, status, created_at)"
        f" VALUES (:id, :reference, 'Chronopost', :number, 'submitted', {made})"
    )
    with database.write() as connection:
        connection.execute(text(statement), rows)


# ---------------------------------------------------------------- how they are found


def test_every_query_is_answered_by_an_index(service: Database) -> None:
    add_many(service)
    adopt(service)
    found = enrollment(service)
    execute(service, "UPDATE recours_claims SET stage = 'done' WHERE claim_id > 1000")
    with service.outside_transactions() as connection:
        connection.exec_driver_sql("ANALYZE recours_claims")
    with statements_of(service) as seen:
        assert found.undecided(500, NOW + 2 * HOUR) == 500
        assert found.enroll_new(NOW + HOUR) == 0
    looks = [(sql, values) for sql, values in seen if "FROM recours_claims" in sql]
    assert looks
    for sql, values in looks:
        lines = "\n".join(plan(service, sql, values))
        assert "Seq Scan" not in lines, lines
        assert "ix_recours_claims_" in lines or "recours_claims_pkey" in lines, lines


def add_many(database: Database) -> None:
    numbers = (
        "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 20000)"
        if database.is_sqlite
        else "WITH s AS (SELECT n FROM generate_series(1, 20000) n)"
    )
    made = "'2025-01-01 00:00:00'" if database.is_sqlite else "timestamp '2025-01-01'"
    execute(
        database,
        "INSERT INTO claims (id, claim_reference, carrier, tracking_number, status, created_at)"
        f" {numbers} SELECT n, 'CLM-' || n, 'UPS', '1Z' || n,"
        f" CASE WHEN n % 3 = 0 THEN 'paid' WHEN n % 3 = 1 THEN 'submitted' END, {made} FROM s",
    )


def test_the_clock_of_a_first_run_is_the_databases(service: Database) -> None:
    adopt(service)
    adopted = enrollment(service).adoption()
    assert adopted is not None
    assert adopted.at == NOW
    bring_up_to_date(service, inspect_schema(service), SystemClock())
    again = enrollment(service).adoption()
    assert again is not None
    assert again.at == NOW, "once"

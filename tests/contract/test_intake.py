"""The intake of the service's claims, regardless of its application's edits."""

import string
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, make_url, select, text, update

from recours.carriers.registry import CATALOG
from recours.core.assessment import assess
from recours.core.claim import Claim, State
from recours.core.policy import Policy
from recours.database import intake as module
from recours.database.claim_rows import owed_text, unchanged
from recours.database.engine import Database, lease_name
from recours.database.intake import Assessor, ClaimIntake
from recours.database.schema.creation import complete
from recours.database.tables import changes, claims, intake
from recours.sandbox import SimulatedClock
from tests.conftest import START, add_claims

POLICY = Policy(ZoneInfo("Europe/Paris"))
NOW = START
HOUR = timedelta(hours=1)


@dataclass
class Runs:
    """Intakes of one database, one after the other."""

    database: Database
    now: datetime = NOW
    assess: Callable[[Claim, datetime], State] = field(default=partial(assess, policy=POLICY))

    def intake(self, name: str = "a") -> ClaimIntake:
        assessor = Assessor(self.database, CATALOG, self.assess)
        return ClaimIntake(
            assessor, POLICY.skip_claim_statuses, POLICY.max_retries, name, SimulatedClock(self.now)
        )

    def take_in(self, *, after: timedelta = timedelta(0)) -> list[Any]:
        """The keys of the assessed claims, in order."""
        self.now += after
        keys = sorted((claim.id for claim in self.intake().run(self.now)), key=str)
        list(self.intake().adopt_exhausted(self.now))
        return keys


@pytest.fixture
def runs(database: Database) -> Runs:
    return Runs(database)


@pytest.fixture
def slow_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sweep compares one key a run, so anything found at once was found otherwise."""
    monkeypatch.setattr(module, "_SWEEP_SIZE", 1)


on_postgres = pytest.mark.parametrize("kind", ["postgresql"], indirect=True)
on_sqlite = pytest.mark.parametrize("kind", ["sqlite"], indirect=True)


def edit(database: Database, statement: str, **values: Any) -> None:
    with database.write() as connection:
        connection.execute(text(statement), values)


def set_claim(database: Database, key: Any = 1, **values: Any) -> None:
    """Change a claim like the service."""
    columns = ", ".join(f"{name} = :{name}" for name in values)
    edit(database, f"UPDATE claims SET {columns} WHERE id = :of_claim", of_claim=key, **values)


def set_row(database: Database, key: Any = 1, **values: Any) -> None:
    """Change recours's row like a run."""
    with database.write() as connection:
        connection.execute(update(claims).where(claims.c.claim_id == key).values(**values))


def row_of(database: Database, key: Any = 1) -> Any:
    with database.read() as connection:
        return connection.execute(select(claims).where(claims.c.claim_id == key)).first()


def claim_of(database: Database, key: Any = 1) -> Any:
    with database.read() as connection:
        return connection.execute(text("SELECT * FROM claims WHERE id = :key"), {"key": key}).one()


def stages(database: Database) -> dict[Any, str]:
    with database.read() as connection:
        rows = connection.execute(select(claims).order_by(claims.c.claim_id))
        return {row.claim_id: row.stage for row in rows}


def edits_of(database: Database) -> list[Any]:
    with database.read() as connection:
        return [row.details for row in connection.execute(select(changes).order_by(changes.c.id))]


def position(database: Database) -> Any:
    with database.read() as connection:
        return connection.execute(select(intake)).one()


# ---------------------------------------------------------------- the first round


def test_the_first_round_reads_claims_that_are_or_may_be_enrolled(runs: Runs, database: Database) -> None:
    rows: list[dict[str, Any]] = [
        {},
        {"pod_fetch_status": "pending"},
        {"pod_fetch_status": None},
        {"pod_fetch_status": ""},
        {"pod_fetch_status": "success"},
        {"pod_fetch_status": None, "tracking_number": " "},
        {"pod_fetch_status": None, "status": "Paid "},
        {"status": " Paid"},
        {"pod_retry_count": 4},
        {"pod_fetch_status": "pending", "tracking_number": None},
        {"pod_fetch_status": "manual"},
    ]
    add_claims(database, rows)
    assert runs.take_in() == [1, 10, 2, 8]
    assert stages(database) == {
        1: "waiting",
        2: "new",
        3: "not_enrolled",
        4: "not_enrolled",
        8: "shelved",
        9: "given_up",
        10: "unnumbered",
    }
    assert row_of(database, 3).since == row_of(database, 1).since == START - timedelta(days=2)
    assert runs.take_in() == []
    assert position(database).swept_at == position(database).exhausted_at == NOW


def test_a_creation_that_the_database_cannot_read_is_unknown(runs: Runs, database: Database) -> None:
    add_claims(database, [{"pod_fetch_status": None}] * 4)
    if database.is_sqlite:
        edit(database, "UPDATE claims SET created_at = 'yesterday' WHERE id = 1")
        edit(database, "UPDATE claims SET created_at = '2026-01-31T10:00:00+02:00' WHERE id = 2")
        edit(database, "UPDATE claims SET created_at = '20260131T0800' WHERE id = 3")
    else:
        edit(database, "UPDATE claims SET created_at = NULL WHERE id = 1")
        edit(database, "UPDATE claims SET created_at = '2026-01-31 08:00' WHERE id IN (2, 3)")
    edit(database, "UPDATE claims SET created_at = NULL WHERE id = 4")
    runs.take_in()
    eight = datetime(2026, 1, 31, 8, tzinfo=START.tzinfo)
    assert [row_of(database, key).since for key in (1, 2, 3, 4)] == [None, eight, eight, None]


def test_bulk_adoption_of_exhausted_claims_matches_single_assessments(runs: Runs, database: Database) -> None:
    errors = ["Timeout", "Invalid tracking number", None, "HTTP 503 for XY1FR", 'a "quoted", {odd} \\ text']
    rows = [
        {"carrier": carrier, "pod_fetch_error": error, "tracking_number": number, "status": status}
        for carrier in ("Chronopost", "other", "")
        for error in errors
        for number in ("XY1", "  ", None)
        for status in ("open", "PAID ", None)
    ]
    add_claims(database, [row | {"pod_retry_count": 5} for row in rows])
    assert list(runs.intake().run(NOW)) == []
    assert list(runs.intake().adopt_exhausted(NOW)) == [len(rows)]
    assert list(runs.intake().adopt_exhausted(NOW)) == []
    columns = [
        column for column in claims.c if column.name not in ("written_at", "failed_at", "rank_at", "version")
    ]
    with database.read() as connection:
        at_once = connection.execute(select(*columns).order_by(claims.c.claim_id)).all()
        assert not connection.execute(select(claims).where(claims.c.written_at.is_not(None))).all()
    edit(database, "DELETE FROM recours_claims")
    runs.take_in()
    with database.read() as connection:
        one_by_one = connection.execute(select(*columns).order_by(claims.c.claim_id)).all()
    assert at_once == one_by_one


def test_adoption_resumes_where_a_crash_ended_it(
    runs: Runs, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ADOPTION_SIZE", 4)
    monkeypatch.setattr(module, "CHUNK", 2)
    add_claims(database, [{}] * 10)

    def crash(claim: Claim, now: datetime) -> State:
        if claim.id == 8:
            raise RuntimeError
        return assess(claim, now, POLICY)

    with pytest.raises(RuntimeError):
        Runs(database, assess=crash).take_in()
    assert position(database).swept_to == 4
    assert list(stages(database)) == [1, 2, 3, 4, 5, 6]
    assert runs.take_in() == [10, 7, 8, 9]
    assert position(database).swept_at == NOW


# ---------------------------------------------------------------- what the service does later


@pytest.mark.usefixtures("slow_sweep")
def test_the_next_run_reads_new_claims(runs: Runs, database: Database) -> None:
    add_claims(database, [{"id": 1}, {"id": 5}])
    runs.take_in()
    add_claims(database, [{"id": 4, "claim_reference": "A"}])
    add_claims(database, [{"id": 6, "claim_reference": "B", "pod_fetch_status": None}])
    assert runs.take_in() == [4, 6]
    assert position(database).mark == 6


@pytest.mark.usefixtures("slow_sweep")
def test_sweep_finds_a_claim_that_was_committed_late(
    runs: Runs, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MARGIN", 1)
    add_claims(database, [{"id": key} for key in (1, 2, 4, 5)])
    runs.take_in()
    add_claims(database, [{"id": 3, "claim_reference": "late"}])
    assert [runs.take_in() for _ in range(4)] == [[], [], [3], []]
    assert position(database).repaired == 0


@pytest.mark.usefixtures("slow_sweep")
def test_the_next_run_fetches_a_claim_that_is_pending_again(runs: Runs, database: Database) -> None:
    add_claims(database, [{}, {"pod_fetch_status": "pending"}])
    runs.take_in()
    set_claim(database, 2, pod_fetch_status="success")
    runs.take_in()
    assert stages(database)[2] == "done"
    set_claim(database, 2, response_deadline="2026-05-01")
    assert runs.take_in() == []
    set_claim(database, 2, pod_fetch_status="pending")
    assert runs.take_in(after=HOUR) == [2]
    assert row_of(database, 2).stage == "new"
    assert row_of(database, 2).since == NOW + HOUR


CORRECTIONS = [{"tracking_number": "XY009999999FR"}, {"carrier": "UPS"}, {"client_id": 7}]


@pytest.mark.usefixtures("slow_sweep")
@pytest.mark.parametrize("correction", CORRECTIONS, ids=lambda values: next(iter(values)))
@pytest.mark.parametrize("stage", ["waiting", "given_up", "shelved"])
def test_next_run_starts_corrected_claims_over(
    runs: Runs, database: Database, stage: str, correction: dict[str, Any]
) -> None:
    add_claims(database, [{}, {"pod_retry_count": 2, "status": "paid" if stage == "shelved" else "open"}])
    edit(database, "INSERT INTO clients (id, email) VALUES (7, 'a@example.org')")
    runs.take_in()
    set_row(database, 2, stage=stage, next_at=NOW + 99 * HOUR)
    set_claim(database, 2, **correction)
    assert runs.take_in(after=HOUR) == [2]
    row = row_of(database, 2)
    assert (row.stage, row.retries_used, row.since) == (
        "shelved" if stage == "shelved" else "waiting",
        0,
        runs.now,
    )
    assert stage == "shelved" or row.next_at == runs.now
    assert claim_of(database, 2).pod_retry_count == 0
    assert row.owed is None
    assert runs.take_in() == []


@pytest.mark.usefixtures("slow_sweep")
def test_the_next_run_finds_corrections_of_texts_too_long_for_an_index(
    runs: Runs, database: Database
) -> None:
    letters = "".join(Random(1).choices(string.ascii_letters, k=5_000))
    add_claims(database, [{}, {"status": letters}])
    runs.take_in()
    set_claim(database, 2, tracking_number="XY009999999FR")
    assert [runs.take_in(), row_of(database, 2).seen_number] == [[2], "XY009999999FR"]
    set_claim(database, 2, status=letters[:100])
    assert [runs.take_in(), runs.take_in()] == [[2], []]


@pytest.mark.usefixtures("slow_sweep")
def test_a_claim_that_was_given_up_long_ago_is_left_to_the_sweep(runs: Runs, database: Database) -> None:
    add_claims(database, [{}, {}])
    runs.take_in()
    set_row(database, 2, stage="given_up")
    set_claim(database, 2, tracking_number="XY009999999FR")
    assert [runs.take_in(after=timedelta(days=61)), runs.take_in()] == [[], [2]]
    assert position(database).repaired == 1
    assert [runs.take_in(), runs.take_in(), position(database).repaired] == [[], [], 0]


@pytest.mark.usefixtures("slow_sweep")
def test_a_claim_that_is_paid_and_then_reopened_resumes_where_it_was(runs: Runs, database: Database) -> None:
    add_claims(database, [{}, {"pod_retry_count": 2}])
    runs.take_in()
    before = row_of(database, 2)
    set_claim(database, 2, status="paid")
    assert runs.take_in() == [2]
    assert row_of(database, 2).stage == "shelved"
    set_claim(database, 2, status="open")
    assert runs.take_in(after=HOUR) == [2]
    after = row_of(database, 2)
    assert (after.stage, after.next_at, after.retries_used) == ("waiting", before.next_at, 2)
    assert edits_of(database) == [{"status": "paid"}, {"status": "open"}]


@pytest.mark.usefixtures("slow_sweep")
def test_rows_of_deleted_claims_are_deleted(runs: Runs, database: Database) -> None:
    add_claims(database, [{}, {}, {"pod_fetch_status": None}, {}])
    runs.take_in()
    set_row(database, 4, lease_token="t", lease_until=NOW + HOUR)
    edit(database, "DELETE FROM claims WHERE id > 1")
    runs.take_in()
    assert list(stages(database)) == [1, 3, 4]
    runs.take_in(after=2 * HOUR)
    assert list(stages(database)) == [1]
    assert position(database).repaired == 0


@pytest.mark.usefixtures("slow_sweep")
def test_a_claim_whose_status_is_cleared_is_not_enrolled(runs: Runs, database: Database) -> None:
    add_claims(database, [{}, {"pod_retry_count": 1}, {"pod_retry_count": 1}])
    runs.take_in()
    set_claim(database, 2, pod_fetch_status="manual", pod_retry_count=0)
    set_claim(database, 3, pod_fetch_status=None)
    assert runs.take_in() == [2, 3]
    assert stages(database) == {1: "waiting", 2: "done", 3: "not_enrolled"}
    assert edits_of(database) == [
        {"status": ["failed", "manual"], "count": [1, 0]},
        {"status": ["failed", None]},
    ]
    assert [runs.take_in(), row_of(database, 2).owed] == [[], None]


@pytest.mark.parametrize("blank", [None, ""])
def test_claims_that_are_not_enrolled_follow_the_service(
    runs: Runs, database: Database, blank: str | None
) -> None:
    add_claims(database, [{"pod_fetch_status": blank, "status": "open"}] * 4)
    runs.take_in()
    set_claim(database, 1, tracking_number="XY009999999FR")
    set_claim(database, 2, status="paid")
    set_claim(database, 3, pod_fetch_status="pending")
    set_claim(database, 4, tracking_number="")
    runs.take_in(after=HOUR)
    assert stages(database) == {1: "not_enrolled", 3: "new"}
    assert row_of(database, 1).seen_number == "XY009999999FR"
    assert row_of(database, 3).since == START - timedelta(days=2)
    assert edits_of(database) == []


@on_sqlite
def test_another_claim_of_the_same_key_is_a_new_claim(runs: Runs, database: Database) -> None:
    add_claims(database, [{"pod_retry_count": 3}, {"pod_retry_count": 3}, {"pod_retry_count": 3}])
    runs.take_in()
    edit(database, "DELETE FROM claims")
    rows: list[dict[str, Any]] = [
        {"pod_fetch_status": "pending"},
        {"pod_fetch_status": None},
        {"pod_fetch_status": "manual"},
    ]
    add_claims(database, [row | {"claim_reference": f"new {n}"} for n, row in enumerate(rows)])
    runs.take_in(after=HOUR)
    assert (row_of(database, 1).stage, row_of(database, 1).retries_used) == ("new", 0)
    assert stages(database) == {1: "new", 2: "not_enrolled"}
    assert edits_of(database) == []


@on_sqlite
def test_invalid_utf8_is_not_an_edit(runs: Runs, database: Database) -> None:
    add_claims(database, [{}, {"pod_fetch_status": None}, {"pod_retry_count": 4}])
    edit(
        database,
        "UPDATE claims SET tracking_number = CAST(x'5859e931' AS TEXT), claim_reference = CAST(x'e9' || id AS TEXT)",
    )
    assert runs.take_in() == [1]
    assert runs.take_in() == []
    set_claim(database, status="paid")
    assert [runs.take_in(), runs.take_in()] == [[1], []]
    set_claim(database, tracking_number="XY\ufffd1")
    assert runs.take_in() == [1]


# ---------------------------------------------------------------- beside others


@on_postgres
def test_rows_locked_by_the_service_delay_nothing(runs: Runs, database: Database) -> None:
    add_claims(database, [{}] * 3)
    runs.take_in()
    set_claim(database, 2, tracking_number="XY009999999FR")
    service = Database(database.url)
    with service.write() as connection:
        connection.execute(text("SELECT * FROM claims FOR UPDATE")).all()
        connection.execute(text("UPDATE claims SET tracking_number = 'XY008888888FR' WHERE id = 1"))
        assert runs.take_in() == [2]
    service.close()
    assert runs.take_in() == [1]


@on_postgres
def test_an_intake_undoes_nothing_that_a_run_wrote_after_it_had_read(
    runs: Runs, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_claims(database, [{}, {}])
    runs.take_in()
    set_claim(database, 1, tracking_number="XY009999999FR")
    set_claim(database, 2, tracking_number="XY008888888FR")

    def written_first(connection: Connection, read: list[Claim]) -> list[Claim]:
        set_row(other, 2, stage="given_up", version=claims.c.version + 1)
        return unchanged(connection, read)

    other = Database(database.url)
    monkeypatch.setattr(module, "unchanged", written_first)
    assert runs.take_in() == [1]
    assert row_of(database, 2).stage == "given_up"
    other.close()


@pytest.mark.usefixtures("slow_sweep")
def test_leased_claims_are_left_alone(runs: Runs, database: Database) -> None:
    add_claims(database, [{}, {}])
    runs.take_in()
    set_row(database, 2, lease_token="t", lease_until=NOW + HOUR)
    set_claim(database, 2, tracking_number="XY009999999FR")
    assert [runs.take_in(), runs.take_in(after=2 * HOUR)] == [[], [2]]


@pytest.mark.usefixtures("slow_sweep")
def test_claims_marked_for_assessment_are_assessed_without_an_edit(runs: Runs, database: Database) -> None:
    add_claims(database, [{}, {}])
    runs.take_in()
    set_row(database, 2, stage="given_up", written_at=None, to_assess=1)
    assert [runs.take_in(), runs.take_in()] == [[2], []]


def test_an_intake_waits_for_another_process_only_for_a_time(runs: Runs, database: Database) -> None:
    add_claims(database, [{}])
    assert lease_name(database, "intake", "b", NOW + timedelta(seconds=10), NOW)
    waiting = runs.intake()
    assert [claim.id for claim in waiting.run(NOW)] == [1]
    assert waiting.clock.now() >= NOW + timedelta(seconds=10)
    set_claim(database, tracking_number="XY009999999FR")
    assert lease_name(database, "intake", "b", NOW + HOUR, NOW)
    impatient = runs.intake()
    assert list(impatient.run(NOW)) == []
    assert impatient.clock.now() <= NOW + timedelta(seconds=30)
    assert runs.take_in(after=2 * HOUR) == [1]


def test_a_long_intake_keeps_others_out(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 1)
    add_claims(database, [{}] * 4)
    intake_ = Runs(database).intake()
    for _ in intake_.run(NOW):
        now = intake_.clock.now() + timedelta(seconds=90)
        assert not lease_name(database, "intake", "b", now + HOUR, now)
        intake_.clock.sleep(90)
    assert lease_name(database, "intake", "b", NOW + HOUR, NOW)


@on_postgres
def test_two_intakes_at_once_do_not_block_each_other(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ClaimIntake, "_lease", lambda _: True)
    monkeypatch.setattr(module, "CHUNK", 20)
    kinds: list[dict[str, Any]]
    kinds = [{}, {"pod_fetch_status": None}, {"pod_retry_count": 4}, {"pod_fetch_status": "pending"}]
    add_claims(database, kinds * 50)
    others = [Runs(Database(database.url)) for _ in range(3)]
    faults: list[BaseException] = []

    def run(one: Runs) -> None:
        try:
            for turn in range(4):
                edit(one.database, "UPDATE claims SET carrier = 'UPS' WHERE id = :id", id=turn + 1)
                one.take_in(after=HOUR)
        except BaseException as fault:  # noqa: BLE001 (reported by the test's own thread)
            faults.append(fault)
        finally:
            one.database.close()

    threads = [threading.Thread(target=run, args=[one]) for one in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert len(stages(database)) == 200


# ---------------------------------------------------------------- what the service is owed


@pytest.fixture
def owed(runs: Runs, database: Database) -> None:
    """The service has not yet received that claim 1 was fetched and claim 2 was retried."""
    add_claims(database, [{}, {}])
    runs.take_in()
    news = {"pod_fetch_status": "success", "pod_url": "a.pdf", "pod_fetched_at": NOW}
    set_row(database, stage="done", owed=owed_text(news), owed_since=NOW)
    set_row(database, 2, retries_used=3, owed=owed_text({"pod_retry_count": 3}), owed_since=NOW)


@pytest.mark.usefixtures("owed")
def test_an_owed_result_is_written_once(runs: Runs, database: Database) -> None:
    assert runs.intake().write_owed(NOW) == 2
    assert (claim_of(database).pod_fetch_status, claim_of(database).pod_url) == ("success", "a.pdf")
    row = row_of(database)
    assert (row.owed, row.owed_since, row.seen_fetch_status, row.to_assess) == (None, None, "success", 0)
    set_claim(database, pod_url="b.pdf")
    assert [runs.intake().write_owed(NOW), runs.take_in()] == [0, []]
    assert claim_of(database).pod_url == "b.pdf"


@pytest.mark.usefixtures("owed")
def test_an_owed_result_never_overwrites_an_edit(runs: Runs, database: Database) -> None:
    set_claim(database, tracking_number="XY009999999FR")
    assert runs.intake().write_owed(NOW) == 1
    assert runs.take_in() == [1]
    assert (claim_of(database).pod_fetch_status, claim_of(database).pod_url) == ("failed", None)
    assert (row_of(database).stage, row_of(database).owed) == ("waiting", None)


@on_postgres
@pytest.mark.usefixtures("owed")
def test_an_update_that_the_service_skips_delays_no_other_result(runs: Runs, database: Database) -> None:
    leave_out = (
        "CREATE FUNCTION leave_out() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;"
        " CREATE TRIGGER rule BEFORE UPDATE ON claims FOR EACH ROW WHEN (NEW.id = 1) EXECUTE FUNCTION leave_out()"
    )
    with database.write() as connection:
        connection.execute(text(leave_out))
    assert runs.intake().write_owed(NOW) == 1
    assert (claim_of(database).pod_fetch_status, claim_of(database, 2).pod_retry_count) == ("failed", 3)
    assert (row_of(database, 2).owed, row_of(database, 2).seen_count) == (None, "3")


@on_postgres
@pytest.mark.usefixtures("owed")
def test_the_result_of_a_locked_claim_stays_owed(runs: Runs, database: Database) -> None:
    service = Database(database.url)
    with service.write() as connection:
        connection.execute(text("SELECT 1 FROM claims WHERE id = 1 FOR UPDATE")).all()
        assert runs.intake().write_owed(NOW) == 1
        assert (row_of(database).owed_since, row_of(database, 2).owed_since) == (NOW, None)
    service.close()
    assert runs.intake().write_owed(NOW) == 1


@pytest.mark.usefixtures("owed")
def test_a_result_that_the_service_rejects_delays_no_other(runs: Runs, database: Database) -> None:
    edit(database, "CREATE UNIQUE INDEX one_file ON claims (pod_url)")
    set_claim(database, 2, pod_url="a.pdf")
    assert runs.intake().write_owed(NOW) == 1
    set_claim(database, 1, response_deadline="2026-05-01")
    assert [runs.take_in(), row_of(database).owed_since] == [[], NOW]
    assert claim_of(database, 2).pod_retry_count == 3


def test_owed_results_are_written_through_a_view(empty_url: str) -> None:
    database = Database(make_url(empty_url))
    edit(
        database,
        "CREATE TABLE parcels (id INTEGER PRIMARY KEY, claim_reference TEXT, carrier TEXT, tracking_number TEXT,"
        " pod_fetch_status TEXT, pod_url TEXT, pod_fetched_at TEXT, pod_fetch_error TEXT, pod_delivery_person TEXT,"
        " pod_signature_url TEXT, pod_retry_count INTEGER, pod_last_retry_at TEXT)",
    )
    edit(database, "CREATE VIEW claims AS SELECT * FROM parcels")
    if database.is_sqlite:
        columns = "pod_retry_count = NEW.pod_retry_count, pod_last_retry_at = NEW.pod_last_retry_at"
        edit(
            database,
            f"CREATE TRIGGER tell INSTEAD OF UPDATE ON claims BEGIN UPDATE parcels SET {columns} WHERE id = NEW.id; END",
        )
    complete(database)
    number = "1Z999AA10123456784"
    edit(database, f"INSERT INTO parcels VALUES (1, 'A', 'UPS', '{number}', 'failed'{', NULL' * 5}, 2, NULL)")
    edit(database, f"INSERT INTO parcels VALUES (2, 'B', 'UPS', '{number}', 'failed'{', NULL' * 5}, 2, NULL)")
    runs = Runs(database)
    assert runs.take_in() == [1, 2]
    edit(database, "UPDATE parcels SET tracking_number = '1Z999AA10123456793'")
    assert [runs.take_in(), claim_of(database).pod_retry_count, row_of(database).owed] == [[1, 2], 0, None]
    for key in (1, 2):
        set_row(database, key, owed=owed_text({"pod_retry_count": 3}), owed_since=NOW)
    if not database.is_sqlite:
        service = Database(database.url)
        with service.write() as connection:
            connection.execute(text("SELECT 1 FROM parcels WHERE id = 1 FOR UPDATE")).all()
            assert runs.intake().write_owed(NOW) == 1
        service.close()
    runs.intake().write_owed(NOW)
    assert (row_of(database).owed, row_of(database, 2).owed) == (None, None)
    database.close()


# ---------------------------------------------------------------- other keys


KEYS: dict[str, list[Any]] = {
    "uuid": [UUID(int=n) for n in range(1, 6)],
    "text": ["é/1", "Z 2", "a'3", "10", "9"],
}


@pytest.mark.parametrize("key_type", list(KEYS))
def test_keys_of_any_type(empty_url: str, key_type: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ADOPTION_SIZE", 2)
    monkeypatch.setattr(module, "_SWEEP_SIZE", 2)
    database = Database(make_url(empty_url))
    keys = KEYS[key_type]
    sql_type = "UUID" if key_type == "uuid" else "VARCHAR(40)"
    if database.is_sqlite:
        keys = [str(key) for key in keys]
        sql_type = "CHAR(36)"
    edit(
        database,
        f"CREATE TABLE claims (id {sql_type} PRIMARY KEY, claim_reference TEXT, carrier TEXT, tracking_number TEXT,"
        " pod_fetch_status TEXT, pod_retry_count INTEGER)",
    )
    complete(database)
    statement = "INSERT INTO claims (id, claim_reference, carrier, tracking_number, pod_fetch_status, pod_retry_count) VALUES (:id, :id, 'UPS', '1Z999AA10123456784', :status, :count)"
    kinds = [("failed", 0), ("failed", 4), ("pending", 0), (None, None), ("success", 0)]
    for key, (status, count) in zip(keys, kinds, strict=True):
        edit(
            database,
            statement.replace(":id, :id", f"'{key}', '{key}'".replace("a'3", "a''3")),
            status=status,
            count=count,
        )
    runs = Runs(database)
    assert set(runs.take_in()) == {keys[0], keys[2]}
    named = dict(zip(keys, ["waiting", "given_up", "new", "not_enrolled"], strict=False))
    assert stages(database) == named
    assert [key for _ in range(4) for key in runs.take_in()] == []
    set_claim(database, keys[4], pod_fetch_status="pending")
    set_claim(database, keys[0], tracking_number="1Z999AA10123456785")
    assert set(runs.take_in()) == {keys[0], keys[4]}
    set_claim(database, keys[3], pod_fetch_status="failed")
    assert [key for _ in range(4) for key in runs.take_in()] == [keys[3]]
    database.close()

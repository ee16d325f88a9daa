"""The data behind the operator's pages and commands, on real databases: complete despite unusual rows."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import insert, text, update

from recours.carriers.chronopost import SPEC
from recours.core.carrier import Catalog
from recours.core.claim import Stage
from recours.core.errors import Actor, ErrorKind
from recours.core.mail import Event, EventName, MailState
from recours.core.policy import Policy
from recours.database.engine import Database
from recours.database.journal import add_events
from recours.database.maintenance import ClaimMaintenance
from recours.database.tables import attempts, events, mail_events, mails, runs
from recours.reporting.reader import DatabaseRecords
from recours.reporting.records import ClaimFilter, ClaimPage, Sort
from recours.reporting.system import Backlog, Differences, Pile
from recours.reporting.system_reader import SystemReader
from tests.conftest import Kind, add_claims
from tests.fakes.intake import take_in
from tests.own_rows import plan, set_own, statements_of

NOW = datetime(2026, 2, 2, 8, 0, tzinfo=UTC)
PARIS = ZoneInfo("Europe/Paris")
CATALOG = Catalog([SPEC, replace(SPEC, key="other", name="Other Carrier", spellings=())])
POLICY = Policy(zone=PARIS)
ATTEMPT: dict[str, Any] = {
    "run_id": "run-1",
    "worker": "pod_retry_scheduler",
    "carrier": "chronopost",
    "tracking_number": "XY000000001FR",
    "turn": 1,
    "started_at": NOW,
    "duration_s": 0.5,
    "calls": 2,
    "outcome": "failed",
    "used": True,
    "error_kind": "not_found",
    "message": "Chronopost does not recognize this tracking number",
    "http_status": 200,
}


@pytest.fixture
def records(database: Database) -> DatabaseRecords:
    return DatabaseRecords(database, CATALOG)


def system_of(records: DatabaseRecords) -> SystemReader:
    return SystemReader(records.database, records.catalog)


def put(database: Database, table: Any, *rows: dict[str, Any]) -> None:
    with database.write() as connection:
        for row in rows:
            connection.execute(insert(table).values(row))


def sql(database: Database, statement: str, **values: Any) -> None:
    """Write like another program."""
    with database.write() as connection:
        connection.execute(text(statement), values)


def run_over(database: Database, now: datetime = NOW) -> None:
    """The steps of a run before its first call."""
    take_in(database, CATALOG, now, POLICY)
    ClaimMaintenance(database, CATALOG, "run-1").stage_due(POLICY.due_until(now))


def id_of(records: DatabaseRecords, reference: str) -> Any:
    found = records.find(reference)
    assert found is not None
    return found.claim.id


# ---------------------------------------------------------------- runs


def test_runs_are_listed_newest_first_with_their_counts(database: Database, records: DatabaseRecords) -> None:
    hours = [NOW + timedelta(hours=n) for n in range(3)]
    put(
        database,
        runs,
        {"id": "a", "worker": "pod_fetch_worker", "started_at": hours[0], "ended_at": hours[0], "exit_status": 0,
         "stats": {"success": 3}},
        {"id": "b", "worker": "pod_retry_scheduler", "started_at": hours[1]},
        {"id": "c", "worker": "pod_fetch_worker", "started_at": hours[2], "exit_status": 130, "stats": None},
    )  # fmt: skip
    assert [run.id for run in system_of(records).runs()] == ["c", "b", "a"]
    assert [run.id for run in system_of(records).runs(limit=1)] == ["c"]
    assert [run.id for run in system_of(records).runs(since=hours[1])] == ["c", "b"]
    stopped, unended, ended = system_of(records).runs()
    assert (ended.started_at, ended.ended_at, ended.exit_status, ended.stats) == (
        hours[0],
        hours[0],
        0,
        {"success": 3},
    )
    assert (unended.ended_at, unended.exit_status, unended.stats) == (None, None, {})
    assert (stopped.exit_status, stopped.stats) == (130, {})


# ---------------------------------------------------------------- attempts


def test_attempts_of_a_claim_are_read_as_recorded(database: Database, records: DatabaseRecords) -> None:
    add_claims(database, [{}, {}])
    one, other = id_of(records, "CLM-00000"), id_of(records, "CLM-00001")
    document = {
        "outcome": "success", "error_kind": None, "message": None, "http_status": None, "turn": 2,
        "started_at": NOW + timedelta(hours=6), "delivered_at": NOW - timedelta(days=1), "signatory": "Mme ÉTÉ",
        "document_path": "/pods/a.pdf", "document_sha256": "0" * 64, "document_size": 123_456,
        "document_type": "application/pdf", "document_source": "chronopost",
    }  # fmt: skip
    put(database, attempts, ATTEMPT | {"claim_id": one}, ATTEMPT | {"claim_id": other},
        ATTEMPT | {"claim_id": one} | document)  # fmt: skip
    first, second = records.attempts(one)
    assert (first.retry, first.kind, first.message) == (
        1,
        "not_found",
        "Chronopost does not recognize this tracking number",
    )
    assert (first.started_at, first.duration_s, first.calls, first.used) == (NOW, 0.5, 2, True)
    assert (first.http_status, first.document_path, first.claim_id) == (200, None, one)
    assert (second.outcome, second.kind, second.signatory) == ("success", None, "Mme ÉTÉ")
    assert (second.document_size, second.delivered_at) == (123_456, NOW - timedelta(days=1))
    assert (second.started_at, second.document_type) == (NOW + timedelta(hours=6), "application/pdf")
    assert records.attempts(999) == []


# ---------------------------------------------------------------- money

MINUTE = timedelta(minutes=1)


def test_money_is_secured_by_the_proofs_of_that_time(database: Database, records: DatabaseRecords) -> None:
    add_claims(database, [{}, {}])
    sql(
        database,
        "UPDATE claims SET amount_requested = 120.5, currency = 'EUR' WHERE claim_reference = 'CLM-00000'",
    )
    sql(database, "UPDATE claims SET amount_requested = -3 WHERE claim_reference = 'CLM-00001'")
    mine, other = (id_of(records, reference) for reference in numbered(0, 1))
    put(
        database,
        attempts,
        ATTEMPT | {"claim_id": mine, "started_at": NOW - 9 * MINUTE, "calls": 7},
        ATTEMPT | {"claim_id": mine, "outcome": "success", "error_kind": None},
        ATTEMPT | {"claim_id": other, "started_at": NOW - MINUTE},
        ATTEMPT | {"claim_id": 999_999, "started_at": NOW - 2 * MINUTE},
        ATTEMPT | {"claim_id": mine, "started_at": NOW + MINUTE},
    )
    assert system_of(records).secured(NOW - 5 * MINUTE, NOW + MINUTE) == {"EUR": 120.5}
    assert system_of(records).secured(NOW - 9 * MINUTE, NOW - 5 * MINUTE) == {}


def test_no_amount_is_secured_without_a_column_of_amounts(
    database: Database, records: DatabaseRecords
) -> None:
    add_claims(database, [{}])
    put(database, attempts, ATTEMPT | {"claim_id": id_of(records, "CLM-00000"), "outcome": "success"})
    for column in ("amount_requested", "currency"):
        sql(database, f"ALTER TABLE claims DROP COLUMN {column}")
    database.reinspect()
    assert system_of(records).secured(NOW - MINUTE, NOW + MINUTE) == {}


# ---------------------------------------------------------------- tallies


def test_attempts_are_counted_by_group(database: Database, records: DatabaseRecords) -> None:
    put(
        database,
        attempts,
        *[ATTEMPT | {"claim_id": 1}] * 3,
        ATTEMPT | {"claim_id": 1, "turn": 2},
        ATTEMPT | {"claim_id": 1, "outcome": "success", "error_kind": None},
        ATTEMPT | {"claim_id": 1, "carrier": "Unknown & Co"},
        ATTEMPT | {"claim_id": 1, "started_at": NOW - timedelta(days=1)},
    )
    day = date(2026, 2, 2)
    found = {
        (t.carrier, t.retry, t.outcome, t.kind): t.count for t in system_of(records).tallies([day], PARIS)
    }
    assert found == {
        ("chronopost", 1, "failed", "not_found"): 3,
        ("chronopost", 2, "failed", "not_found"): 1,
        ("chronopost", 1, "success", None): 1,
        ("Unknown & Co", 1, "failed", "not_found"): 1,
    }
    both = system_of(records).tallies([day - timedelta(days=1), day], PARIS)
    assert [t.count for t in both if t.day == day - timedelta(days=1)] == [1]
    assert system_of(records).tallies([], PARIS) == []


@pytest.mark.parametrize(
    ("zone", "day", "begins", "ends"),
    [
        ("Europe/Paris", date(2026, 3, 29), "2026-03-28T23:00", "2026-03-29T22:00"),  # 23 hours
        ("Europe/Paris", date(2026, 10, 25), "2026-10-24T22:00", "2026-10-25T23:00"),  # 25 hours
        ("America/New_York", date(2026, 3, 8), "2026-03-08T05:00", "2026-03-09T04:00"),
        ("Asia/Kolkata", date(2026, 2, 2), "2026-02-01T18:30", "2026-02-02T18:30"),
        ("America/Santiago", date(2026, 9, 6), "2026-09-06T04:00", "2026-09-07T03:00"),  # has no midnight
        ("UTC", date(2026, 2, 2), "2026-02-02T00:00", "2026-02-03T00:00"),
    ],
)
def test_a_day_has_the_length_of_its_time_zone(
    database: Database, records: DatabaseRecords, zone: str, day: date, begins: str, ends: str
) -> None:
    first, after = (datetime.fromisoformat(moment).replace(tzinfo=UTC) for moment in (begins, ends))
    instant = timedelta(microseconds=1)
    moments = {"before": first - instant, "first": first, "last": after - instant, "after": after}
    put(
        database,
        attempts,
        *(ATTEMPT | {"claim_id": 1, "carrier": n, "started_at": at} for n, at in moments.items()),
    )
    assert sorted(t.carrier for t in system_of(records).tallies([day], ZoneInfo(zone))) == ["first", "last"]


# ---------------------------------------------------------------- backlogs


def backlog_of(records: DatabaseRecords, key: str, **more: Any) -> Backlog:
    return {backlog.carrier: backlog for backlog in system_of(records).backlogs(**more)}[key]


def test_backlogs_count_open_claims_by_carrier_and_stage(
    database: Database, records: DatabaseRecords
) -> None:
    old, young = NOW - timedelta(days=3), NOW - timedelta(minutes=10)
    add_claims(
        database,
        [
            {"updated_at": old},
            {"updated_at": young},
            {"updated_at": young, "carrier": "Other Carrier"},
            {
                "pod_fetch_status": "pending",
                "created_at": NOW - timedelta(days=9),
                "carrier": "Other Carrier",
            },
            {"pod_fetch_status": "pending", "tracking_number": None},
            {"status": "paid"},
            {"carrier": "Pigeon Post"},
            {"pod_fetch_status": "success"},
            {"pod_fetch_status": None},
            {"pod_fetch_status": "manual"},
        ],
    )
    run_over(database)
    chronopost = {Stage.READY: 1, Stage.WAITING: 1, Stage.UNNUMBERED: 1, Stage.SHELVED: 1}
    assert system_of(records).backlogs() == [
        Backlog("", {Stage.READY: 1}, NOW - timedelta(hours=2)),
        Backlog("chronopost", chronopost, old),
        Backlog("other", {Stage.WAITING: 1, Stage.NEW: 1}, NOW - timedelta(days=9)),
    ]
    assert backlog_of(records, "other").due == 1


def test_unassessed_claims_are_counted_in_the_backlog(database: Database, records: DatabaseRecords) -> None:
    add_claims(database, [{}, {"pod_fetch_status": "pending"}, {"pod_fetch_status": "success"}])
    assert system_of(records).backlogs() == [Backlog("", {}, None, unassessed=2)]
    run_over(database)
    assert [(b.carrier, b.unassessed) for b in system_of(records).backlogs()] == [("chronopost", 0)]
    add_claims(database, [{"claim_reference": "later"}])
    assert backlog_of(records, "").unassessed == 1
    assert backlog_of(records, "", limit=1).unassessed == 1


def test_claims_settled_by_the_service_are_not_in_the_backlog(
    database: Database, records: DatabaseRecords
) -> None:
    add_claims(database, [{}, {}])
    run_over(database)
    sql(database, "UPDATE claims SET pod_fetch_status = 'manual' WHERE claim_reference = 'CLM-00000'")
    run_over(database)
    assert backlog_of(records, "chronopost").stages == {Stage.READY: 1}


def test_retries_since_the_last_run_are_due(database: Database, records: DatabaseRecords) -> None:
    add_claims(database, [{"updated_at": NOW - timedelta(minutes=n)} for n in (0, 10, 20)])
    run_over(database)
    assert backlog_of(records, "chronopost").stages == {Stage.WAITING: 3}
    later = NOW + timedelta(minutes=51)
    assert backlog_of(records, "chronopost", due_until=later).stages == {Stage.WAITING: 1, Stage.READY: 2}
    assert backlog_of(records, "chronopost", due_until=NOW + timedelta(days=1)).stages == {Stage.READY: 3}


def test_backlogs_are_counted_up_to_the_limit(database: Database, records: DatabaseRecords) -> None:
    add_claims(database, [{}] * 5)
    run_over(database)
    capped = backlog_of(records, "chronopost", limit=3)
    assert (capped.stages, capped.due, capped.counted_up_to) == ({Stage.READY: 3}, 3, 3)


def test_an_empty_database_has_no_backlog(records: DatabaseRecords) -> None:
    assert system_of(records).backlogs(NOW) == []
    assert records.page(ClaimFilter(), 50).claims == []
    assert records.page(ClaimFilter(), 50) == ClaimPage([], 0)
    assert system_of(records).mails(NOW) == {}
    assert list(records.each_claim()) == []


# ---------------------------------------------------------------- claims


ALL = ClaimFilter()


def references(records: DatabaseRecords, wanted: ClaimFilter = ALL, most: int = 50, **more: Any) -> list[str]:
    return [listed.claim.reference for listed in records.page(wanted, most, **more).claims]


def numbered(*numbers: int) -> list[str]:
    return [f"CLM-{n:05d}" for n in numbers]


def test_a_listed_claim_contains_the_path_of_its_pod(database: Database, records: DatabaseRecords) -> None:
    stored = {"pod_url": "/pods/a.pdf", "pod_delivery_person": "Mme ÉTÉ", "pod_fetched_at": NOW}
    add_claims(database, [{}, {"pod_fetch_status": "success"} | stored])
    listed = records.find("CLM-00001")
    assert listed is not None
    assert (listed.pod_url, listed.signatory, listed.fetched_at) == ("/pods/a.pdf", "Mme ÉTÉ", NOW)
    assert listed.claim.number == "XY000000001FR"
    assert records.page(ClaimFilter(statuses=["success"]), 9).claims == [listed]
    assert records.find("CLM-99999") is None


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "spoilt",
    [
        "claim_reference = x'00ff'",
        "tracking_number = x'00ff'",
        "tracking_number = 12345",
        "pod_fetch_status = x'66ff'",
        "pod_fetch_status = 5",
        "created_at = 'last week'",
        "pod_url = x'ff'",
        "pod_fetched_at = 'never'",
        "response_deadline = 'soon'",
    ],
)
def test_a_spoiled_claim_hides_no_other(database: Database, records: DatabaseRecords, spoilt: str) -> None:
    add_claims(database, [{}, {}])
    run_over(database)
    sql(database, f"UPDATE claims SET {spoilt} WHERE claim_reference = 'CLM-00001'")
    assert len(records.page(ClaimFilter(), 9).claims) == 2
    assert len(list(records.each_claim())) == 2
    assert "CLM-00000" in references(records, ClaimFilter(statuses=["failed"]))
    assert "CLM-00000" in references(records, ClaimFilter(carriers=["chronopost"], stages=[Stage.READY]))
    assert references(records, ClaimFilter(text="clm-00000")) == ["CLM-00000"]
    assert sum(backlog.due for backlog in system_of(records).backlogs(NOW)) >= 1
    assert backlog_of(records, "chronopost").oldest == NOW - timedelta(hours=2)
    for listed in records.page(ClaimFilter(), 9).claims:
        assert listed.leased_until(NOW) is None


def test_texts_too_long_for_an_index_are_written(database: Database, records: DatabaseRecords) -> None:
    add_claims(database, [{}])
    # Incompressible, otherwise PostgreSQL would make it fit.
    long = "".join(f"{n * n:x}" for n in range(2000))
    sql(database, "UPDATE claims SET tracking_number = :long, pod_fetch_status = :long", long=long)
    assert references(records, ClaimFilter(text=long[:50])) == ["CLM-00000"]
    assert references(records, ClaimFilter(statuses=[long])) == ["CLM-00000"]
    assert [listed.claim.fetch_status for listed in records.each_claim()] == [long]


def test_every_claim_is_in_exactly_one_part(
    database: Database, records: DatabaseRecords, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recours.reporting.reader._AT_ONCE", 3)
    add_claims(database, [{} for _ in range(7)])
    assert [c.claim.reference for c in records.each_claim()] == numbered(*range(7))


# A second after the end of January in Paris, in a service's formats; `None`: unknown.
FEBRUARY = ["2026-01-31 23:00:01", "2026-01-31T23:00:01", "2026-02-01", None]


@pytest.mark.parametrize("column_type", ["TIMESTAMP", "TIMESTAMPTZ", "TEXT"])
def test_claims_of_a_month_were_created_in_it(
    database: Database, records: DatabaseRecords, column_type: str
) -> None:
    january = ["2025-12-31 23:00:00", "2026-01-15T10:00:00.25", "2026-01-31 22:59:59", "2026-01-01"]
    times = [*january, *FEBRUARY]
    add_claims(database, [{} for _ in times])
    if not database.is_sqlite:
        sql(
            database, f"ALTER TABLE claims ALTER created_at DROP DEFAULT, ALTER created_at TYPE {column_type}"
        )
        database.reinspect()
    for n, at in enumerate(times):
        value = f"'{at}'" if at else "NULL"
        sql(database, f"UPDATE claims SET created_at = {value} WHERE claim_reference = 'CLM-{n:05}'")
    month = ClaimFilter(
        created_from=datetime(2026, 1, 1, tzinfo=PARIS), created_until=datetime(2026, 2, 1, tzinfo=PARIS)
    )
    assert [c.claim.reference for c in records.each_claim(month)] == numbered(0, 1, 2, 3)
    assert records.page(month, 9).count == 4


def test_a_claim_is_leased_until_its_lease_ends(database: Database, records: DatabaseRecords) -> None:
    add_claims(database, [{}])
    until = NOW + timedelta(minutes=10)
    set_own(database, "CLM-00000", lease_token="run-1", lease_until=until)
    (listed,) = records.each_claim()
    hours_before = until - timedelta(hours=2)  # set by a wrong clock
    assert (listed.leased_until(NOW), listed.leased_until(until)) == (until, None)
    assert listed.leased_until(hours_before) is None


# ---------------------------------------------------------------- how both tables agree


def test_repaired_rows_and_long_owed_values(database: Database, records: DatabaseRecords) -> None:
    add_claims(database, [{}, {}, {}])
    run_over(database)
    assert system_of(records).intake(NOW).differences == Differences(0, 0)
    hour = timedelta(hours=1)
    set_own(database, "CLM-00000", owed_since=NOW - hour)
    set_own(database, "CLM-00001", owed_since=NOW - hour + timedelta(seconds=1))
    sql(database, "UPDATE recours_intake SET repaired = 7")
    assert system_of(records).intake(NOW).differences == Differences(repaired=7, owed=1)


# ---------------------------------------------------------------- notifications


def test_messages_say_what_happened_to_them(database: Database, records: DatabaseRecords) -> None:
    told = [
        Event(name, Actor.CLIENT, "chronopost", "XY1", {"kind": ErrorKind.NOT_FOUND})
        for name in (EventName.POD_FAILED, EventName.GAVE_UP, EventName.POD_RETRIEVED)
    ]
    with database.write() as connection:
        add_events(connection, [(7, event) for event in told], "run-1", NOW)
        add_events(connection, [(8, told[0])], "run-1", NOW)
    ended = NOW + timedelta(minutes=1)
    put(database, mails, {"id": 1, "message_id": "m", "kind": "pod_failed", "recipient": "a@example.org", "language": "fr",
                          "subject": "s", "plain": "p", "html": "h", "state": "sent", "run_id": "r", "created_at": NOW,
                          "tries": 1, "ended_at": ended})  # fmt: skip
    with database.write() as connection:
        first = connection.scalar(text("SELECT min(id) FROM recours_events WHERE claim_id = 7"))
        connection.execute(insert(mail_events).values(mail_id=1, event_id=first))
        connection.execute(update(events).where(events.c.id == first).values(told="mail"))
        connection.execute(
            update(events).where(events.c.id == first + 1).values(told="the client is inactive")
        )
    mailed, not_mailed, untold = records.messages(7)
    assert (mailed.event, mailed.told, mailed.mail_state) == ("pod_failed", "mail", "sent")
    assert (mailed.recipient, mailed.ended_at, mailed.written_at) == ("a@example.org", ended, NOW)
    assert (not_mailed.told, not_mailed.mail_state) == ("the client is inactive", None)
    assert (untold.event, untold.audience, untold.told) == ("pod_retrieved", "client", None)
    assert records.messages(9) == []


def test_unfinished_emails_are_counted(database: Database, records: DatabaseRecords) -> None:
    mail = {"kind": "pod_failed", "recipient": "a@example.org", "language": "fr", "subject": "s", "plain": "p",
            "html": "h", "run_id": "r", "created_at": NOW, "tries": 0}  # fmt: skip
    states = ["ready", "ready", "held", "sending", "sent", "failed", "cancelled", "undecided"]
    put(database, mails, *(mail | {"message_id": str(n), "state": state} for n, state in enumerate(states)))
    assert system_of(records).mails(NOW) == {
        MailState.READY: Pile(2, NOW),
        MailState.HELD: Pile(1, NOW),
        MailState.SENDING: Pile(1, NOW),
    }


# ---------------------------------------------------------------- how they are found

CHECKS: dict[str, tuple[Callable[[DatabaseRecords], Any], set[str]]] = {
    "runs": (lambda r: system_of(r).runs(), {"ix_recours_runs_day"}),
    "tallies": (lambda r: system_of(r).tallies([NOW.date()], PARIS), {"ix_recours_attempts_day"}),
    "secured": (lambda r: system_of(r).secured(NOW - timedelta(days=1), NOW), {"ix_recours_attempts_day"}),
    "attempts": (lambda r: r.attempts(7), {"ix_recours_attempts_claim"}),
    "backlogs": (
        lambda r: system_of(r).backlogs(NOW),
        {"ix_recours_claims_lane", "ix_recours_claims_waiting"},
    ),
    "first page": (lambda r: r.claims(ClaimFilter(), 50), set()),
    "a stage": (lambda r: r.page(ClaimFilter(stages=[Stage.UNNUMBERED]), 50), {"ix_recours_claims_stage"}),
    "search": (lambda r: r.page(ClaimFilter(text="b-77"), 50, sort=Sort.DEADLINE), set()),
    "intake": (lambda r: system_of(r).intake(NOW), {"ix_recours_claims_owed"}),
    "messages": (lambda r: r.messages(7), {"uq_recours_events"}),
}  # fmt: skip

NUMBERS = {
    "sqlite": "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {most})",
    "postgresql": "WITH s AS (SELECT n FROM generate_series(1, {most}) n)",
}
FILL = """
INSERT INTO claims (claim_reference, order_id, carrier, dispute_type, amount_requested, tracking_number, pod_fetch_error,
    pod_fetch_status)
{numbers} SELECT 'B-' || n, 'O', 'Chronopost', 'lost', 1, 'XY' || n, '{long}',
    CASE WHEN n % 100 = 50 THEN 'pending' WHEN n % 3 = 0 THEN 'success' ELSE 'failed' END FROM s;
INSERT INTO recours_claims (claim_id, stage, lane, failed_at, rank_at, next_at, seen_fetch_status, written_at)
{numbers} SELECT n, CASE WHEN n % 100 = 50 THEN 'new' WHEN n % 3 = 1 THEN 'waiting' WHEN n % 3 = 2 THEN 'given_up' ELSE 'done' END,
    'chronopost', {moment}, {moment}, '2026-02-05 00:00:00.000000', 'failed', {moment} FROM s;
UPDATE recours_intake SET swept_at = adopted_at, mark = 20000;
INSERT INTO recours_attempts (claim_id, run_id, worker, carrier, tracking_number, turn, started_at, duration_s, calls,
    outcome, used)
{numbers} SELECT n, 'r', 'w', 'chronopost', 'XY', 1, {moment}, 1, 1, 'success', {true} FROM s;
INSERT INTO recours_runs (id, worker, started_at) {numbers} SELECT 'r' || n, 'w' || n % 2, {moment} FROM s;
INSERT INTO recours_events (event, audience, claim_id, carrier, tracking_number, run_id, created_at, facts)
{numbers} SELECT 'pod_failed', 'client', n, 'chronopost', 'XY', 'r', '2026-02-01 00:00:00', '{{}}' FROM s
"""
MOMENTS = {
    "sqlite": "strftime('%Y-%m-%d %H:%M:%f000', '2026-02-02 09:00:00', '-' || n || ' minutes')",
    "postgresql": "timestamp '2026-02-02 09:00' - n * interval '1 minute'",
}
OURS = "claims|recours_claims|recours_attempts|recours_runs|recours_events"


@pytest.fixture(scope="module", params=["sqlite", "sqlite, analyzed", "postgresql"])
def many(
    request: pytest.FixtureRequest, kinds: Callable[[str], Kind], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DatabaseRecords]:
    """Twenty thousand rows of everything."""
    kind = request.param.split(",")[0]
    database = Database(kinds(kind).ready(tmp_path_factory.mktemp("many")))
    true = "1" if database.is_sqlite else "true"
    filled = FILL.format(
        numbers=NUMBERS[kind].format(most=20_000), moment=MOMENTS[kind], true=true, long="No answer. " * 40
    )
    with database.write() as connection:
        for statement in filled.split(";\n"):
            connection.exec_driver_sql(statement.replace("%", "%%") if kind == "postgresql" else statement)
    if request.param != "sqlite":
        with database.outside_transactions() as connection:
            connection.exec_driver_sql("ANALYZE" if database.is_sqlite else "VACUUM ANALYZE")
    yield DatabaseRecords(database, CATALOG)
    database.close()


@pytest.mark.parametrize(("look_for", "indexes"), CHECKS.values(), ids=CHECKS.keys())
def test_every_query_uses_an_index(
    many: DatabaseRecords, look_for: Callable[[DatabaseRecords], Any], indexes: set[str]
) -> None:
    with statements_of(many.database) as seen:
        look_for(many)
    asked = [(statement, values) for statement, values in seen if "FROM" in statement]
    assert asked
    plans = [line for statement, values in asked for line in plan(many.database, statement, values)]
    # A search reads all rows.
    is_search = look_for is CHECKS["search"][0]
    for line in plans:
        # A month without claims is read in vain, in any way.
        assert is_search or not re.search(rf"Seq Scan on ({OURS})(?!.*cost=0\.00\.\.0\.00 )", line), line
        scanned = re.search(rf"\bSCAN ({OURS})\b(?! USING)", line)
        is_first_page = look_for is CHECKS["first page"][0]  # which ends after fifty rows
        assert not scanned or is_search or is_first_page, line
    # Those of the attempts are named by month.
    found = {re.sub(r"_\d{4}_\d\d$", "", name) for name in re.findall(r"\b((?:ix|uq)_\w+)", "\n".join(plans))}
    if many.database.is_sqlite:  # which names a constraint's index by a number
        indexes = {name for name in indexes if not name.startswith("uq_")}
    assert indexes <= found

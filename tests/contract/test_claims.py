"""The repository of claims, on real databases: no claim is leased twice, and outdated results are not recorded."""

import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Date, bindparam, insert, make_url, text

from recours.app import App
from recours.bootstrap import make_worker
from recours.carriers.chronopost import SPEC
from recours.core.assessment import reschedule, revive
from recours.core.carrier import Catalog
from recours.core.claim import Claim, Delivery, Stage
from recours.core.decision import Decision, decide, pass_retry, succeed
from recours.core.errors import ErrorKind
from recours.core.outcome import Failure, Retrieved, StoredDocument
from recours.core.policy import Policy
from recours.core.sentences import Sentence
from recours.database.claim_rows import owed_in
from recours.database.claims import ClaimRepository
from recours.database.engine import Database, DatabaseError
from recours.database.maintenance import ClaimMaintenance
from recours.database.schema.inspection import inspect_schema
from recours.database.tables import DONE
from recours.reporting.reader import most_urgent_claims
from recours.runs.ports import Attempt, Lease, NotRecordedError
from recours.runs.worker import Options, PODRetryScheduler
from recours.sandbox import Sandbox, SimulatedClock
from tests.conftest import SERVICE_CLAIMS, SERVICE_CLIENTS, add_claims
from tests.fakes.intake import take_in
from tests.own_rows import joined_row, joined_rows, plan, set_own, statements_of

NOW = datetime(2026, 2, 2, 8, 0, tzinfo=UTC)
LEASE = timedelta(minutes=10)
# A second carrier, to show the effect of one carrier's claims on another's.
CATALOG = Catalog([SPEC, replace(SPEC, key="other", name="Other Carrier", spellings=())])
POLICY = Policy(zone=ZoneInfo("Europe/Paris"))
SUCCESS = Retrieved.single(b"", Delivery(NOW - timedelta(days=1), "DUPONT"), "a test")
TIMED_OUT = Failure(ErrorKind.TIMEOUT, "Chronopost did not answer in time")
HOPELESS = Failure(ErrorKind.INVALID_TRACKING, "Invalid tracking number")


@dataclass(frozen=True)
class Run:
    """A run's operations on the database, one step at a time."""

    database: Database
    token: str = "run-1"
    worker: str = "pod_retry_scheduler"

    @property
    def claims(self) -> ClaimRepository:
        return ClaimRepository(self.database, CATALOG, self.token, self.worker)

    @property
    def maintenance(self) -> ClaimMaintenance:
        return ClaimMaintenance(self.database, CATALOG, self.token)

    def add(self, claims: Iterable[dict[str, Any]]) -> None:
        """Add claims to the service's table, and assess them."""
        add_claims(self.database, claims)
        self.keep()

    def keep(self, now: datetime = NOW, policy: Policy = POLICY) -> None:
        take_in(self.database, CATALOG, now, policy)
        self.maintenance.stage_due(policy.due_until(now))

    def lease(self, now: datetime = NOW) -> Lease:
        return Lease(self.token, now + LEASE)

    def take(
        self,
        most: int = 10_000,
        *,
        now: datetime = NOW,
        carriers: tuple[str, ...] = ("chronopost",),
        stage: Stage = Stage.READY,
    ) -> list[Claim]:
        return self.claims.lease(stage, carriers, most, self.lease(now), now)

    def put_back(self, *taken: Claim) -> None:
        self.claims.release([(claim, claim.state) for claim in taken], self.lease())

    def record(self, claim: Claim, outcome: Failure | Retrieved, now: datetime = NOW) -> bool:
        if isinstance(outcome, Failure):
            decision, failure, document = decide(claim, outcome, now, POLICY), outcome, None
        else:
            decision, failure = succeed(claim, outcome, now), None
            document = StoredDocument(
                "/pods/a.pdf", "0" * 64, 99, "application/pdf", outcome.delivery, outcome.best.source
            )
        attempt = attempt_at(claim, decision, failure, document)
        return self.claims.record([(attempt, decision)], self.lease(), now) == [True]


def attempt_at(
    claim: Claim, decision: Decision, failure: Failure | None = None, document: StoredDocument | None = None
) -> Attempt:
    word = "success" if document else "failed"
    evidence = (document,) if document else ()
    return Attempt(claim, 1, NOW, 0.5, 2, word, decision.uses_attempt, failure, evidence)


def rows(database: Database, query: str, **values: Any) -> list[dict[str, Any]]:
    with database.read() as connection:
        return [dict(row) for row in connection.execute(text(query), values).mappings()]


@pytest.fixture
def clients(database: Database) -> None:
    """One client to which a claim may be moved."""
    with database.write() as connection:
        connection.execute(insert(SERVICE_CLIENTS).values(id=1, email="shop@example.com"))


def edit(database: Database, statement: str, **values: Any) -> None:
    """Write like the service's own application."""
    with database.write() as connection:
        # Python's own conversion of dates for SQLite is deprecated.
        dates = (bindparam(name, type_=Date) for name, value in values.items() if type(value) is date)
        assert connection.execute(text(statement).bindparams(*dates), values).rowcount


def counts(run: Run, stage: Stage) -> dict[str, int]:
    return {key: ready.claims for key, ready in run.claims.ready_by_carrier(stage, NOW).items()}


def references(taken: list[Claim]) -> list[str]:
    return [claim.reference for claim in taken]


@pytest.fixture
def run(database: Database) -> Run:
    return Run(database)


@pytest.fixture
def other(database: Database) -> Run:
    return Run(database, "run-2")


# ---------------------------------------------------------------- taking


@pytest.mark.parametrize(
    ("fetch_status", "stage"), [("failed", Stage.READY), ("pending", Stage.NEW)], ids=["failed", "pending"]
)
def test_the_nearest_deadline_is_first_and_past_deadlines_are_last(
    run: Run, fetch_status: str, stage: Stage
) -> None:
    days: dict[str, dict[str, Any]] = {
        "past-long": {"response_deadline": date(2026, 1, 15)},
        "past": {"response_deadline": date(2026, 2, 1)},
        "far": {"response_deadline": date(2026, 2, 20)},
        "none-new": since(NOW - timedelta(days=1)),  # as if its deadline was February 15
        "near": {"response_deadline": date(2026, 2, 10)},
        "none-old": since(NOW - timedelta(days=60)),  # after this date, but it can still be won
        "today": {"response_deadline": date(2026, 2, 2)},  # which ends at 23:00 UTC
    }
    of_all = {"pod_fetch_status": fetch_status}
    run.add([values | of_all | {"claim_reference": name} for name, values in days.items()])
    expected = ["today", "near", "none-new", "far", "none-old", "past-long", "past"]
    assert references(run.take(3, stage=stage)) == expected[:3]
    assert references(run.take(stage=stage)) == expected[3:]


def since(at: datetime) -> dict[str, datetime]:
    """A claim that was created, and failed, at this time."""
    return {"created_at": at, "updated_at": at}


@pytest.mark.parametrize(
    ("at", "is_past"),
    [
        (datetime(2026, 2, 2, 22, 59, tzinfo=UTC), False),
        (datetime(2026, 2, 2, 23, 0, 1, tzinfo=UTC), True),
        (datetime(2026, 7, 2, 21, 59, tzinfo=UTC), False),
        (datetime(2026, 7, 2, 22, 0, 1, tzinfo=UTC), True),
    ],
)
def test_a_deadline_ends_with_its_day_in_paris(run: Run, at: datetime, *, is_past: bool) -> None:
    failed_at = at - timedelta(days=1)
    rows_of = [
        {
            "claim_reference": "ends-today",
            "response_deadline": date(2026, at.month, 2),
            "updated_at": failed_at,
        },
        {"claim_reference": "none", "updated_at": failed_at},
    ]
    add_claims(run.database, rows_of)
    run.keep(at)
    expected = ["none", "ends-today"] if is_past else ["ends-today", "none"]
    assert references(run.take(now=at)) == expected


def test_no_other_run_leases_a_claim_until_the_lease_ends(run: Run, other: Run) -> None:
    run.add([{}] * 3)
    (first,) = run.take(1)
    assert len(other.take()) == 2
    assert other.take() == []
    assert run.claims.is_leased(first, NOW)
    assert other.take(now=NOW + LEASE - timedelta(seconds=1)) == []

    later = NOW + LEASE
    assert not run.claims.is_leased(first, later)
    taken = {claim.id: claim for claim in Run(run.database, "run-3").take(now=later)}
    assert len(taken) == 3
    # The runs that leased them before were killed.
    assert [taken[n].state.interruptions for n in sorted(taken)] == [1, 1, 1]
    assert first.state.interruptions == 0
    assert run.claims.renew([first], run.lease(later)) == []  # another run has it by now


@pytest.mark.parametrize("kind", ["postgresql"], indirect=True)  # a writer locks the whole SQLite database
def test_claims_that_another_run_is_leasing_are_skipped(run: Run, other: Run) -> None:
    run.add([{}] * 3)
    with closing(Database(run.database.url)) as second, second.write() as connection:
        connection.execute(text("SELECT 1 FROM recours_claims WHERE claim_id = 1 FOR UPDATE")).all()
        assert {claim.id for claim in other.take(2)} == {2, 3}


def test_a_claim_that_was_edited_since_it_was_assessed_is_not_leased(run: Run) -> None:
    run.add([{}] * 3)
    edit(run.database, "UPDATE claims SET tracking_number = 'XY000000001FR' WHERE id = 1")
    assert {claim.id for claim in run.take(2)} == {2, 3}
    row = joined_row(run.database, "CLM-00000")
    assert (row["to_assess"], row["lease_token"], row["interruptions"]) == (1, None, 0)


def test_an_extended_lease_lasts_longer(run: Run, other: Run) -> None:
    run.add([{}] * 2)
    taken = run.take()
    run.claims.renew(taken[:1], Lease(run.token, NOW + 2 * LEASE))
    assert references(other.take(now=NOW + LEASE)) == references(taken[1:])
    # A claim leased by another run cannot be extended any more.
    run.claims.renew(taken[1:], Lease(run.token, NOW + 5 * LEASE))
    assert len(Run(run.database, "run-3").take(now=NOW + 3 * LEASE)) == 2


def test_a_lease_by_a_wrong_clock_is_valid_only_for_its_own_run(run: Run, other: Run) -> None:
    run.add([{}])
    run.take(now=NOW + timedelta(days=300))
    assert run.take() == []  # its clock was set back: it still leases the claim
    assert len(other.take()) == 1


def test_releasing_a_claim_restores_its_state(run: Run, other: Run) -> None:
    run.add([{}])
    (before,) = joined_rows(run.database)
    for _ in range(4):
        run.put_back(*run.take())
    (after,) = joined_rows(run.database)
    assert before | {"version": after["version"]} == after
    assert len(other.take()) == 1


def test_releasing_an_edited_claim_keeps_the_edit(run: Run, other: Run) -> None:
    run.add([{}])
    taken = run.take()
    edit(run.database, "UPDATE claims SET tracking_number = 'XY009999999FR', pod_retry_count = 0")
    run.put_back(*taken)
    assert other.take() == []  # not before it is assessed again
    other.keep()
    (again,) = other.take()
    assert again.number == "XY009999999FR"


def test_a_claim_leased_by_another_run_is_not_released(run: Run, other: Run) -> None:
    run.add([{}])
    taken = run.take()
    later = NOW + LEASE
    assert other.take(now=later)
    run.put_back(*taken)
    assert Run(run.database, "run-3").take(now=later) == []


def test_waiting_and_blocked_claims_never_delay_due_claims(run: Run, other: Run) -> None:
    urgent = {"response_deadline": date(2026, 2, 3)}
    blocking: list[dict[str, Any]] = []
    blocking += [urgent | {"updated_at": NOW}] * 60  # wait
    blocking += [urgent | {"status": "paid"}] * 60  # shelved
    blocking += [urgent | {"carrier": "Other Carrier"}] * 60  # of a carrier that accepts no calls now
    blocking += [urgent | {"carrier": "Nobody"}] * 60
    blocking += [urgent | {"pod_fetch_status": status} for status in (None, "success", "manual")] * 20
    blocking += [urgent | {"pod_fetch_status": "pending", "tracking_number": None}] * 60
    blocking += [urgent | {"pod_fetch_status": "pending"}] * 60
    blocking += [urgent] * 60  # to be settled
    blocking += [urgent] * 60  # to be held
    due = [{"claim_reference": f"due-{n}", "response_deadline": date(2025, 1, 1 + n)} for n in range(3)]
    run.add([*blocking, *due])
    for claim in run.take(60):
        run.record(claim, HOPELESS)
    assert len(other.take(60)) == 60
    assert references(run.take(8)) == ["due-0", "due-1", "due-2"]


def settled(run: Run) -> int:
    return int(rows(run.database, "SELECT count(*) n FROM recours_claims WHERE stage = 'settled'")[0]["n"])


def test_a_claim_with_a_confirmed_persistent_error_is_not_leased_again(run: Run) -> None:
    run.add([{}])
    run.record(run.take()[0], HOPELESS)
    assert settled(run) == 1
    run.keep(NOW + timedelta(days=30))
    assert run.take(now=NOW + timedelta(days=30)) == []
    assert run.claims.waiting().count == 1


def test_only_claims_of_the_requested_stage_and_carriers_are_leased(run: Run) -> None:
    run.add(
        [
            {"claim_reference": "failed"},
            {"claim_reference": "new", "pod_fetch_status": "pending"},
            {"claim_reference": "other", "carrier": "other carrier"},
            {"claim_reference": "unknown", "carrier": "Nobody & Sons"},
        ],
    )
    assert counts(run, Stage.READY) == {"chronopost": 1, "other": 1, "": 1}
    assert counts(run, Stage.NEW) == {"chronopost": 1}
    assert run.take(carriers=()) == []
    assert run.take(0) == []
    assert references(run.take(carriers=("",))) == ["unknown"]
    assert references(run.take(stage=Stage.NEW, carriers=("chronopost", "other"))) == ["new"]
    assert references(run.take(carriers=("chronopost", "other"))) == ["failed", "other"]


def test_a_named_claim_is_leased_once(run: Run, other: Run) -> None:
    add_claims(run.database, [{"updated_at": NOW}, {}])  # the first one waits
    run.keep()
    claim = run.claims.find("CLM-00000")
    assert claim is not None
    assert run.claims.lease_named(claim, run.lease(), NOW) is not None
    assert other.claims.lease_named(claim, other.lease(), NOW) is None
    assert run.claims.find("CLM-99999") is None
    assert run.claims.references_like("CLM-00002") == ["CLM-00000", "CLM-00001"]


@pytest.mark.parametrize(
    "edit_of_it", ["pod_fetch_status = 'success'", "tracking_number = 'XY009999999FR'", "carrier = 'UPS'"]
)
def test_a_named_claim_is_not_leased_after_an_edit(run: Run, edit_of_it: str) -> None:
    run.add([{}])
    claim = run.claims.find("CLM-00000")
    assert claim is not None
    edit(run.database, f"UPDATE claims SET {edit_of_it}")
    assert run.claims.lease_named(claim, run.lease(), NOW) is None


# ---------------------------------------------------------------- recording

# The result for recours's row of a claim that was edited while it was leased.
LET_GO = {"lease_token": None, "lease_until": None, "to_assess": 1}
EDITS = {
    "number": "UPDATE claims SET tracking_number = 'XY009999999FR'",
    "number, to none": "UPDATE claims SET tracking_number = NULL",
    "carrier": "UPDATE claims SET carrier = 'Other Carrier'",
    "status": "UPDATE claims SET pod_fetch_status = 'manual'",
    "status, to success": "UPDATE claims SET pod_fetch_status = 'success', pod_url = '/theirs.pdf'",
    "status, to none": "UPDATE claims SET pod_fetch_status = NULL",
    "count": "UPDATE claims SET pod_retry_count = 3",
    "count, to none": "UPDATE claims SET pod_retry_count = NULL",
    "reference": "UPDATE claims SET claim_reference = 'CLM-OTHER'",
    "client": "UPDATE claims SET client_id = 1",
}


@pytest.mark.sample("other edits with another answer", every=5)
@pytest.mark.parametrize("outcome", [SUCCESS, TIMED_OUT, HOPELESS], ids=["success", "failure", "persistent"])
@pytest.mark.parametrize("statement", EDITS.values(), ids=EDITS.keys())
@pytest.mark.usefixtures("clients")
def test_an_answer_about_a_claim_that_was_edited_is_kept_but_not_recorded(
    run: Run, statement: str, outcome: Failure | Retrieved
) -> None:
    run.add([{}, {}])
    claim, untouched = run.take()
    edit(run.database, f"{statement} WHERE id = :id", id=claim.id)
    (before,) = joined_rows(run.database, SERVICE_CLAIMS.c.id == claim.id)
    assert run.record(claim, outcome) is False
    (after,) = joined_rows(run.database, SERVICE_CLAIMS.c.id == claim.id)
    assert after == before | LET_GO | {"version": before["version"] + 1}
    (attempt,) = rows(run.database, "SELECT * FROM recours_attempts")
    assert (attempt["claim_id"], attempt["tracking_number"]) == (claim.id, claim.number)
    assert rows(run.database, "SELECT * FROM recours_events") == []
    # The other one is unchanged.
    assert run.record(untouched, outcome) is True


@pytest.mark.parametrize("statement", EDITS.values(), ids=EDITS.keys())
@pytest.mark.usefixtures("clients")
def test_releasing_an_edited_claim_changes_nothing_else(run: Run, statement: str) -> None:
    run.add([{}])
    taken = run.take()
    edit(run.database, statement)
    (before,) = joined_rows(run.database)
    run.put_back(*taken)
    (after,) = joined_rows(run.database)
    assert after == before | LET_GO | {"version": before["version"] + 1}


def test_an_answer_after_another_run_leased_the_claim_changes_nothing(run: Run, other: Run) -> None:
    run.add([{}])
    (claim,) = run.take()
    later = NOW + LEASE
    (again,) = other.take(now=later)
    before = joined_rows(run.database)
    assert run.record(claim, TIMED_OUT, later) is False
    assert joined_rows(run.database) == before
    assert other.record(again, SUCCESS, later) is True
    outcomes = rows(run.database, "SELECT run_id, outcome FROM recours_attempts ORDER BY id")
    assert [tuple(row.values()) for row in outcomes] == [("run-1", "failed"), ("run-2", "success")]


def test_a_run_that_leased_a_claim_twice_records_one_answer(run: Run, other: Run) -> None:
    """After the machine slept, the lease had expired before the first answer, and another run had leased the claim."""
    run.add([{}])
    later = NOW + LEASE
    taken = run.take()
    other.put_back(*other.take(now=later))
    taken += run.take(now=later)
    decisions = [(claim, decide(claim, TIMED_OUT, later, POLICY)) for claim in taken]
    ended = [(attempt_at(claim, decision, TIMED_OUT), decision) for claim, decision in decisions]
    assert run.claims.record(ended, run.lease(), later) == [True, False]
    assert [row["pod_retry_count"] for row in joined_rows(run.database)] == [1]


def test_an_answer_after_the_lease_ended_counts_if_no_run_leased_the_claim(run: Run) -> None:
    run.add([{}])
    (claim,) = run.take()
    assert run.record(claim, SUCCESS, NOW + 2 * LEASE) is True


@pytest.mark.parametrize("kind", ["postgresql"], indirect=True)
@pytest.mark.full("a row that is locked, on PostgreSQL")
def test_the_result_of_a_claim_locked_by_the_service_is_owed(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recours.database.claims.SERVICE_LOCK_WAIT_S", 0.1)
    run.add([{}] * 4)
    taken = run.take()
    answered, waiting = taken[:2], taken[2:]
    decisions = [(claim, decide(claim, TIMED_OUT, NOW, POLICY)) for claim in answered]
    ended = [(attempt_at(claim, decision, TIMED_OUT), decision) for claim, decision in decisions]
    with run.database.write() as service:
        hold = text("UPDATE claims SET amount_requested = 1 WHERE id IN (:answered, :waiting)")
        service.execute(hold, {"answered": answered[0].id, "waiting": waiting[0].id})
        assert run.claims.record(ended, run.lease(), NOW) == [True, True]
        run.put_back(*waiting)
    locked, free = (joined_row(run.database, claim.reference) for claim in answered)
    assert (locked["pod_fetch_error"], free["pod_fetch_error"]) == ("Timeout", TIMED_OUT.message)
    assert locked["owed_since"] == NOW
    assert owed_in(locked["owed"]) == {
        "pod_fetch_status": "failed",
        "pod_fetch_error": TIMED_OUT.message,
        "pod_retry_count": 1,
        "pod_last_retry_at": NOW,
    }
    run.keep()
    (told,) = [row for row in joined_rows(run.database) if row["id"] == answered[0].id]
    assert (told["pod_fetch_error"], told["pod_retry_count"]) == (TIMED_OUT.message, 1)
    assert (told["owed"], told["owed_since"], told["seen_count"]) == (None, None, "1")
    assert told["pod_last_retry_at"] == NOW


# Rules of the service that no claim of that carrier satisfies, and the result of each.
RULES = {
    "a trigger of SQLite": (
        "sqlite",
        "CREATE TRIGGER rule BEFORE UPDATE OF pod_fetch_error ON claims WHEN NEW.carrier = 'CHRONOPOST'"
        " BEGIN SELECT RAISE(ABORT, 'never'); END",
        "DROP TRIGGER rule",
    ),
    "a constraint": (
        "postgresql",
        "ALTER TABLE claims ADD CONSTRAINT rule CHECK (carrier <> 'CHRONOPOST' OR pod_fetch_error = '')",
        "ALTER TABLE claims DROP CONSTRAINT rule",
    ),
    "a trigger of PostgreSQL": (
        "postgresql",
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'never'; END $$;"
        " CREATE TRIGGER rule BEFORE UPDATE OF pod_fetch_error ON claims FOR EACH ROW"
        " WHEN (NEW.carrier = 'CHRONOPOST') EXECUTE FUNCTION refuse()",
        "DROP TRIGGER rule ON claims",
    ),
}


@pytest.mark.parametrize(("kind", "refusing", "allowing"), RULES.values(), ids=RULES, indirect=["kind"])
def test_a_result_that_the_service_rejects_is_owed_until_it_is_accepted(
    run: Run, refusing: str, allowing: str
) -> None:
    run.add([{"carrier": "CHRONOPOST", "pod_fetch_error": ""}, {}])
    edit_without_rows(run.database, refusing)
    decisions = [(claim, decide(claim, TIMED_OUT, NOW, POLICY)) for claim in run.take()]
    ended = [(attempt_at(claim, decision, TIMED_OUT), decision) for claim, decision in decisions]
    assert run.claims.record(ended, run.lease(), NOW) == [True, True]
    for _ in range(2):
        refused, told = joined_rows(run.database)
        assert (refused["pod_fetch_error"], told["pod_fetch_error"]) == ("", TIMED_OUT.message)
        assert (refused["stage"], refused["owed_since"], refused["lease_token"]) == ("waiting", NOW, None)
        run.keep()
    edit_without_rows(run.database, allowing)
    run.keep()
    refused, _ = joined_rows(run.database)
    assert (refused["pod_fetch_error"], refused["owed_since"]) == (TIMED_OUT.message, None)


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
def test_nothing_is_recorded_or_released_while_another_program_writes(database: Database, url: str) -> None:
    add_claims(database, [{}] * 2)
    hasty = Database(make_url(url), lock_wait_s=0.1)
    run = Run(hasty)
    run.keep()
    answered, waiting = run.take()
    decision = decide(answered, TIMED_OUT, NOW, POLICY)
    with database.write() as service:
        service.execute(text("UPDATE claims SET amount_requested = 1"))
        with pytest.raises(NotRecordedError) as fault:
            run.claims.record([(attempt_at(answered, decision, TIMED_OUT), decision)], run.lease(), NOW)
        with pytest.raises(DatabaseError):
            run.put_back(waiting)
    assert fault.value.recorded == {}
    assert [row["lease_token"] for row in joined_rows(database)] == [run.token] * 2
    assert rows(database, "SELECT * FROM recours_attempts") == []
    hasty.close()


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)  # where several are recorded in one transaction
def test_results_recorded_one_by_one_before_a_fault_are_reported(run: Run) -> None:
    run.add([{}] * 3)
    taken = run.take()
    first, edited, faulty = taken
    edit(run.database, "UPDATE claims SET carrier = 'UPS' WHERE id = :id", id=edited.id)
    with run.database.write() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER full BEFORE INSERT ON recours_attempts "
            f"WHEN NEW.claim_id = {faulty.id} BEGIN SELECT RAISE(ABORT, 'no room'); END"
        )
    decisions = [(claim, decide(claim, TIMED_OUT, NOW, POLICY)) for claim in taken]
    ended = [(attempt_at(claim, decision, TIMED_OUT), decision) for claim, decision in decisions]
    with pytest.raises(NotRecordedError) as fault:
        run.claims.record(ended, run.lease(), NOW)
    assert fault.value.recorded == {first.id: True, edited.id: False}
    told = [row["claim_id"] for row in rows(run.database, "SELECT claim_id FROM recours_attempts")]
    assert told == [first.id, edited.id]


def test_a_success_is_written_to_the_service(run: Run) -> None:
    run.add([{"pod_retry_count": 2}])
    later = NOW + timedelta(days=2)
    run.keep(later)
    (claim,) = run.take(now=later)
    assert run.record(claim, SUCCESS, later)
    (row,) = joined_rows(run.database)
    told = {
        "pod_fetch_status": "success",
        "pod_url": "/pods/a.pdf",
        "pod_fetch_error": None,
        "pod_delivery_person": "DUPONT",
        "pod_retry_count": 3,
        "stage": DONE,
    }
    assert {name: row[name] for name in told} == told
    assert row["pod_fetched_at"] == later
    (attempt,) = rows(run.database, "SELECT * FROM recours_attempts")
    assert (attempt["outcome"], attempt["document_path"], attempt["used"]) == ("success", "/pods/a.pdf", 1)
    (document,) = rows(run.database, "SELECT * FROM recours_documents")
    assert (document["path"], document["sha256"], document["size"]) == ("/pods/a.pdf", "0" * 64, 99)
    assert (document["signatory"], document["source"]) == ("DUPONT", "a test")
    (told_event,) = rows(run.database, "SELECT * FROM recours_events")
    assert (told_event["event"], told_event["tracking_number"]) == ("pod_retrieved", claim.number)


def test_a_failure_is_written_to_the_service(run: Run) -> None:
    run.add([{}])
    assert run.record(run.take()[0], TIMED_OUT)
    (row,) = joined_rows(run.database)
    assert (row["pod_fetch_status"], row["pod_retry_count"]) == ("failed", 1)
    assert row["pod_fetch_error"] == "Chronopost did not answer in time"
    assert row["next_at"] == NOW + timedelta(hours=6)
    assert run.take() == []
    assert run.claims.waiting().count == 1
    assert run.claims.waiting().first_at == NOW + timedelta(hours=6)


def test_a_failure_is_stored_in_three_parts_and_read_again(run: Run) -> None:
    run.add([{}])
    claim = run.take()[0]
    refused = Failure.of(Sentence.NUMBER_UNKNOWN, "Chronopost", "Colis {inconnu}\x00\nici", 200)
    decision = decide(claim, refused, NOW, POLICY)
    claims = replace(run.claims, language="fr")
    assert claims.record([(attempt_at(claim, decision, refused), decision)], run.lease(), NOW) == [True]
    (row,) = joined_rows(run.database)
    assert (
        row["pod_fetch_error"] == "Numéro de suivi inconnu chez Chronopost : « Colis {inconnu}\\x00\\x0aici »"
    )
    kept = "number_unknown", "Colis {inconnu}\\x00\\x0aici"
    assert (row["kind"], row["error_key"], row["error_words"]) == ("not_found", *kept)
    (attempt,) = rows(run.database, "SELECT * FROM recours_attempts")
    assert (attempt["error_kind"], attempt["error_key"], attempt["error_words"]) == ("not_found", *kept)
    assert (
        attempt["message"]
        == "Chronopost does not recognize this tracking number: Colis {inconnu}\\x00\\x0aici"
    )
    found = run.claims.find(claim.reference)
    assert found is not None
    assert found.explanation == refused.explanation
    # A success leaves no trace of it.
    set_own(run.database, claim.reference, next_at=NOW)
    run.keep()
    assert run.record(run.take()[0], SUCCESS)
    (row,) = joined_rows(run.database)
    told = row["pod_fetch_error"], row["error_key"], row["error_words"]
    assert told == (None, None, None)


def test_a_rate_limit_uses_no_attempt_and_keeps_the_error(run: Run) -> None:
    run.add([{}])
    asked_to_wait = Failure(ErrorKind.RATE_LIMITED, "Chronopost asks us to wait", 429)
    assert run.record(run.take()[0], asked_to_wait)
    (row,) = joined_rows(run.database)
    assert (row["pod_retry_count"], row["pod_fetch_error"], row["stage"]) == (0, "Timeout", "ready")
    assert len(run.take()) == 1
    (attempt,) = rows(run.database, "SELECT outcome, used FROM recours_attempts")
    assert attempt["used"] == 0


def test_only_calls_about_the_current_number_are_counted(run: Run) -> None:
    run.add([{}])
    (claim,) = run.take()
    run.record(claim, TIMED_OUT)
    assert run.claims.times_asked(claim) == 1
    assert run.claims.times_asked(replace(claim, number="XY009999999FR")) == 0
    edit(run.database, "UPDATE recours_attempts SET calls = 0")  # no call could be made
    assert run.claims.times_asked(claim) == 0
    edit(run.database, "UPDATE recours_attempts SET http_status = 404")  # of a call shared with other claims
    assert run.claims.times_asked(claim) == 1
    # Skipped because others were refused
    edit(run.database, "UPDATE recours_attempts SET used = :no", no=False)
    assert run.claims.times_asked(claim) == 0


def test_successes_with_the_same_number_create_one_event(run: Run, other: Run) -> None:
    add_claims(run.database, [{}])
    for n, number in enumerate(("XY000000001FR", "XY000000001FR", "XY000000002FR")):
        edit(run.database, "UPDATE claims SET tracking_number = :n, pod_fetch_status = 'failed'", n=number)
        later = NOW + timedelta(days=n)
        run.keep(later)
        (claim,) = (run if n != 1 else other).take(now=later)
        assert (run if n != 1 else other).record(claim, SUCCESS, later)
    found = rows(run.database, "SELECT event, tracking_number, run_id FROM recours_events ORDER BY id")
    assert [tuple(row.values()) for row in found] == [
        ("pod_retrieved", "XY000000001FR", "run-1"),
        ("pod_retrieved", "XY000000002FR", "run-1"),
    ]


def test_times_are_written_as_naive_utc_in_any_time_zone(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    if hasattr(time, "tzset"):
        time.tzset()
    try:
        run.add([{}, {}])
        done, failed = run.take()
        paris = NOW.astimezone(ZoneInfo("Europe/Paris"))
        run.record(done, SUCCESS, paris)
        run.record(failed, TIMED_OUT, paris)
    finally:
        monkeypatch.undo()
        with suppress(AttributeError):
            time.tzset()
    moments = {
        (table, name): str(value)
        for table in ("claims", "recours_claims", "recours_attempts", "recours_events")
        for row in rows(run.database, f"SELECT * FROM {table}")
        for name, value in row.items()
        if value is not None and (name.endswith(("_at", "_until")))
    }
    assert len(moments) >= 10
    for where, value in moments.items():
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?", value), where
    assert moments["recours_attempts", "started_at"].startswith("2026-02-02 08:00:00")
    assert moments["claims", "pod_fetched_at"].startswith("2026-02-02 08:00:00")
    assert moments["recours_claims", "next_at"].startswith("2026-02-02 14:00:00")


# ---------------------------------------------------------------- what it costs


@pytest.fixture
def statements(database: Database) -> Iterator[list[tuple[str, Any]]]:
    with statements_of(database) as seen:
        yield seen


# The queries, and the indexes that answer them.
CHECKS: dict[str, tuple[Callable[[Run], Any], str]] = {
    "take": (lambda run: run.take(5, carriers=("chronopost", "other")), "ready"),
    "take new": (lambda run: run.take(5, stage=Stage.NEW), "new"),
    "count": (lambda run: run.claims.ready_by_carrier(Stage.READY, NOW), "ready|lane"),
    "deadlines": (lambda run: run.claims.deadlines(Stage.READY, "chronopost", 1000, NOW), "ready"),
    "most urgent": (
        lambda run: most_urgent_claims(run.database, CATALOG, "chronopost", 1001, NOW),
        "ready new",
    ),
    "count new": (lambda run: run.claims.ready_by_carrier(Stage.NEW, NOW, 5), "new"),
    "count some": (
        lambda run: run.claims.ready_by_carrier(Stage.READY, NOW, 5, ["chronopost", "other"]),
        "ready",
    ),
    "make ready": (lambda run: run.maintenance.stage_due(NOW), "waiting"),
    "waiting": (lambda run: run.claims.waiting(), "waiting|written settled|written"),
    "settled": (
        lambda run: list(run.maintenance.pass_retries(NOW, lambda c: pass_retry(c, NOW, POLICY), NOW)),
        "settled",
    ),
    "mend": (
        lambda run: list(run.maintenance.repair_times(NOW, lambda c: reschedule(c.state, NOW, POLICY), NOW)),
        "backoff settled",
    ),
    "given up": (
        lambda run: list(run.maintenance.revive_exhausted(9, lambda c: revive(c, NOW, POLICY), NOW)),
        "given_up",
    ),
    "shelved": (
        lambda run: run.maintenance.unshelve({"paid"}),
        "shelved",
    ),
}


@pytest.mark.parametrize("analyzed", [False, True], ids=["fresh", "analyzed"])
@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)  # each database formats its plans differently
@pytest.mark.parametrize(("look_for", "indexes"), CHECKS.values(), ids=CHECKS.keys())
def test_each_query_reads_its_partial_index(
    run: Run,
    statements: list[tuple[str, Any]],
    look_for: Callable[[Run], Any],
    indexes: str,
    *,
    analyzed: bool,
) -> None:
    quiet = [{"pod_fetch_status": status} for status in (None, "success", "manual")] * 60
    states: list[dict[str, Any]] = [
        {},
        {"updated_at": NOW},
        {"status": "paid"},
        {"pod_fetch_status": "pending"},
    ]
    run.add([*quiet, *states * 5])
    if analyzed:
        edit_without_rows(run.database, "ANALYZE")
    edit(run.database, "UPDATE claims SET tracking_number = 'XY009999999FR' WHERE id % 7 = 0")
    statements.clear()
    look_for(run)
    asked = [(sql, values) for sql, values in statements if "claims" in sql]
    asked = [(sql, values) for sql, values in asked if not sql.lstrip().startswith("SELECT (SELECT")]
    assert asked
    found: set[str] = set()
    for sql, values in asked:
        one = values[0] if isinstance(values, list) else values
        for line in plan(run.database, sql, one):
            if not re.search(r"\b(?:recours_)?claims\b", line):
                continue
            named = re.search(r"USING (?:COVERING )?INDEX ix_recours_(?:claims_)?(\w+)", line)
            is_by_key = "USING INTEGER PRIMARY KEY" in line or line == "SEARCH claims"  # for the highest key
            assert named or is_by_key, f"{line}\n{sql}"
            found |= {named[1]} if named else set()
    assert_read(found, indexes)


def assert_read(found: set[str], indexes: str) -> None:
    """Only these indexes are used; of `a|b` either is correct."""
    groups = [set(group.split("|")) for group in indexes.split()]
    assert all(found & group for group in groups)
    assert found <= set().union(*groups)


def edit_without_rows(database: Database, statement: str) -> None:
    with database.write() as connection:
        connection.exec_driver_sql(statement)


@pytest.mark.full("statements are counted, by a run that takes seconds")
def test_a_successful_claim_takes_at_most_eight_statements(
    database: Database,
    clock: SimulatedClock,
    sandbox: Sandbox,
    settings_of: Callable[..., Any],
    statements: list[tuple[str, Any]],
    url: str,
) -> None:
    def cost_of(batch: int, *, threads: int) -> int:
        statements.clear()
        app = App(settings_of(url, sandbox), database, inspect_schema(database), clock)
        options = Options(batch_size=batch, concurrency=threads)
        worker = make_worker(PODRetryScheduler, app, options, jitter=lambda: 0.0)
        report = worker.run()
        assert report.fault is None
        assert (report.stats.success, report.stats.total) == (batch, batch)
        verbs = [sql.lstrip().split(maxsplit=1)[0].upper() for sql, _ in statements]
        return sum(verb in ("SELECT", "WITH", "INSERT", "UPDATE", "DELETE") for verb in verbs)

    add_claims(database, [{}] * 85)
    cost_of(4, threads=1)  # assesses the rows
    alone, several, shared = cost_of(1, threads=1), cost_of(40, threads=1), cost_of(40, threads=8)
    assert len(sandbox.calls) == 2 * 85
    # One to lease it, two to reserve quota, four to record it with its event and to update the service, one for its
    # evidence.
    # Simultaneous answers are recorded together: how many depends on the processor's load.
    assert several - alone <= 39 * 8
    assert shared < several


def test_reading_methods_write_nothing(run: Run, tmp_path: Path) -> None:
    run.add([{}] * 3)
    before = joined_rows(run.database)
    claim = run.claims.find("CLM-00000")
    assert claim is not None
    run.claims.count()
    run.claims.is_leased(claim, NOW)
    run.claims.waiting()
    run.claims.times_asked(claim)
    run.claims.ready_by_carrier(Stage.READY, NOW)
    assert joined_rows(run.database) == before

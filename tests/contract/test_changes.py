"""The record of changes, on real databases: each external change of a claim is recorded once, and nothing else."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from recours.core.claim import Claim, Stage
from recours.database.by_person import ClaimEnrollment, GivenUpClaims
from recours.database.claims import ClaimRepository
from recours.database.engine import Database
from recours.database.intake import Assessor
from recours.runs.source import find_named
from tests.conftest import add_claims
from tests.contract.test_claims import CATALOG, HOPELESS, NOW, POLICY, TIMED_OUT, Run, edit, rows
from tests.fakes.intake import intake_of
from tests.own_rows import joined_row, joined_rows, set_own, statements_of

HOUR = timedelta(hours=1)
FAILED: dict[str, Any] = {"updated_at": NOW - 2 * HOUR}


def changes(database: Database, *columns: str) -> list[tuple[Any, ...]]:
    """The recorded changes, oldest first: claim, kind, author and details, or these columns."""
    found = rows(database, "SELECT * FROM recours_changes ORDER BY id")
    for row in found:
        row["details"] = json.loads(row["details"]) if isinstance(row["details"], str) else row["details"]
    return [tuple(row[name] for name in columns or ("claim_id", "what", "by", "details")) for row in found]


def of_changes(seen: Sequence[tuple[str, Any]]) -> list[str]:
    """The statements about the record; statements about the schema name all tables."""
    return [sql for sql, _ in seen if re.search("(FROM|INTO) recours_changes", sql)]


# ---------------------------------------------------------------- the first sight


def test_new_claims_record_no_change_and_run_no_extra_statement(run: Run, database: Database) -> None:
    paid = {"status": "paid"}
    add_claims(database, [FAILED, {"pod_fetch_status": "pending"}, FAILED | paid, {"pod_retry_count": 3}])
    with statements_of(database) as seen:
        run.keep()
    assert of_changes(seen) == []
    assert changes(database) == []


def test_results_written_by_recours_are_not_changes(run: Run, database: Database) -> None:
    run.add([FAILED, {"pod_fetch_status": "pending"}])
    [failed], [new] = run.take(), run.take(stage=Stage.NEW)
    assert run.record(failed, HOPELESS)
    assert run.record(new, HOPELESS)
    for hours in (1, 2, 200):
        run.keep(NOW + hours * HOUR)
    assert changes(database) == []


# ---------------------------------------------------------------- edits


@pytest.mark.parametrize(
    ("column", "value", "noted"),
    [
        ("tracking_number", "XY 000000099 fr", {"number": ["XY000000000FR", "XY000000099FR"]}),
        ("tracking_number", None, {"number": ["XY000000000FR", None]}),
        ("carrier", "Other Carrier", {"carrier": ["Chronopost", "Other Carrier"]}),
        ("pod_fetch_status", "pending", {"status": ["failed", "pending"]}),
        ("pod_retry_count", 0, {"count": [2, 0]}),
        ("response_deadline", date(2026, 3, 9), {"deadline": ["2026-03-01", "2026-03-09"]}),
        ("response_deadline", None, {"deadline": ["2026-03-01", None]}),
    ],
)
def test_an_edit_is_noted_once_with_the_old_and_the_new_value(
    run: Run, database: Database, column: str, value: Any, noted: Any
) -> None:
    run.add([FAILED | {"response_deadline": date(2026, 3, 1), "pod_retry_count": 2}])
    edit(database, f"UPDATE claims SET {column} = :value", value=value)
    assert changes(database) == []
    run.keep(NOW + HOUR)
    assert changes(database) == [(1, "edited", "service", noted)]
    run.keep(NOW + 2 * HOUR)
    assert len(changes(database)) == 1
    [(at,)] = changes(database, "at")
    assert str(at).startswith("2026-02-02 09:00:00")


def test_several_values_that_were_edited_together_are_one_edit(run: Run, database: Database) -> None:
    run.add([FAILED, FAILED])
    edit(
        database,
        "UPDATE claims SET carrier = 'Other Carrier', response_deadline = '2026-03-09' WHERE id = 2",
    )
    run.keep(NOW + HOUR)
    assert changes(database) == [
        (
            2,
            "edited",
            "service",
            {"carrier": ["Chronopost", "Other Carrier"], "deadline": [None, "2026-03-09"]},
        )
    ]


def test_another_spelling_of_a_number_is_not_an_edit(run: Run, database: Database) -> None:
    run.add([FAILED])
    edit(database, "UPDATE claims SET tracking_number = 'xy 000000000 fr'")
    run.keep(NOW + HOUR)
    assert changes(database) == []


def test_another_account_for_the_same_carrier_is_not_an_edit(run: Run, database: Database) -> None:
    run.add([FAILED])
    set_own(database, "CLM-00000", lane="other", to_assess=1)  # like repair_keys
    run.keep(NOW + HOUR)
    assert changes(database) == []


def test_a_named_fetch_records_an_edit_that_it_finds_first(run: Run, database: Database) -> None:
    run.add([FAILED, FAILED])
    edit(database, "UPDATE claims SET tracking_number = 'XY000000099FR' WHERE id = 1")
    found = find_named(run.claims, ["CLM-00000", "CLM-00001"], POLICY, NOW + HOUR)
    for claim in found:
        assert run.claims.lease_named(claim, run.lease(NOW + HOUR), NOW + HOUR)
    run.keep(NOW + 2 * HOUR)
    assert changes(database) == [(1, "edited", "service", {"number": ["XY000000000FR", "XY000000099FR"]})]


def test_a_thousand_edits_cost_a_statement_for_each_chunk(run: Run, database: Database) -> None:
    count = 2 * 500
    run.add([FAILED] * count)
    edit(
        database,
        "UPDATE claims SET pod_fetch_status = 'pending', pod_retry_count = 0, carrier = 'Other Carrier'",
    )
    with statements_of(database) as seen:
        run.keep(NOW + HOUR)
    assert len(changes(database)) == count
    assert [statement.split()[0] for statement in of_changes(seen)] == ["INSERT"] * 2
    assert len(seen) < 50


# ---------------------------------------------------------------- payments


def test_both_changes_of_a_claim_paid_and_reopened_are_recorded(run: Run, database: Database) -> None:
    run.add([FAILED, FAILED])
    edit(database, "UPDATE claims SET status = 'Paid' WHERE id = 1")
    for _ in range(2):
        run.keep(NOW + HOUR)
    assert changes(database) == [(1, "set_aside", "service", {"status": "Paid"})]
    assert joined_row(database, "CLM-00000")["stage"] == "shelved"

    edit(database, "UPDATE claims SET status = 'pending' WHERE id = 1")
    for _ in range(2):
        run.keep(NOW + 2 * HOUR)
    assert changes(database)[1:] == [(1, "resumed", "service", {"status": "pending"})]


def test_a_claim_paid_while_leased_is_recorded_at_its_release(run: Run, database: Database) -> None:
    run.add([FAILED])
    [claim] = run.take()
    run.claims.shelve(replace(claim, claim_status="Paid"), run.lease(), NOW + HOUR)
    assert changes(database) == [(1, "set_aside", "service", {"status": "Paid"})]
    row = joined_row(database, "CLM-00000")
    assert (row["stage"], row["lease_token"]) == ("shelved", None)


def test_a_claim_edited_while_leased_is_not_shelved_by_its_old_values(run: Run, database: Database) -> None:
    run.add([FAILED | {"status": "paid"}])
    set_own(database, "CLM-00000", stage="ready", next_at=None)
    [claim] = run.take()
    edit(database, "UPDATE claims SET tracking_number = 'XY000000099FR'")
    run.claims.shelve(claim, run.lease(), NOW)
    assert changes(database) == []


def test_a_claim_edited_and_paid_at_once_has_both_changes(run: Run, database: Database) -> None:
    run.add([FAILED])
    edit(database, "UPDATE claims SET status = 'paid', pod_retry_count = 1")
    run.keep(NOW + HOUR)
    assert [(what, details) for _, what, _, details in changes(database)] == [
        ("edited", {"count": [0, 1]}),
        ("set_aside", {"status": "paid"}),
    ]


# ---------------------------------------------------------------- what a person decides


def assessor(database: Database) -> Assessor:
    return intake_of(database, CATALOG, POLICY, NOW).assessor


def the_claims(database: Database) -> list[Claim]:
    claim = ClaimRepository(database, CATALOG, "command", "command").find("CLM-00000")
    assert claim
    return [claim]


def give_up(run: Run, database: Database) -> None:
    run.keep()
    edit(database, "UPDATE claims SET pod_retry_count = 4")
    given_up = {"stage": Stage.GIVEN_UP, "retries_used": 4, "seen_count": "4", "next_at": None}
    set_own(database, "CLM-00000", **given_up)


def reopen(database: Database, claims: Sequence[Claim], now: Any) -> None:
    assert GivenUpClaims(assessor(database)).start_over(claims, "ann", now)


def test_reopening_a_claim_is_not_an_edit_of_the_service(run: Run, database: Database) -> None:
    add_claims(database, [FAILED])
    give_up(run, database)
    reopen(database, the_claims(database), NOW + HOUR)
    assert changes(database) == [(1, "reopened", "ann", {})]
    run.keep(NOW + 2 * HOUR)
    assert len(changes(database)) == 1
    [row] = joined_rows(database)
    assert (row["stage"], row["pod_retry_count"]) == ("ready", 0)


def test_a_fault_leaves_the_claim_unchanged(run: Run, database: Database) -> None:
    add_claims(database, [FAILED])
    give_up(run, database)
    before = joined_rows(database)

    def fail(claim: Claim, now: Any) -> Any:
        raise RuntimeError(claim.reference, now)

    broken = GivenUpClaims(replace(assessor(database), assess=fail))
    with pytest.raises(RuntimeError):
        broken.start_over(the_claims(database), "ann", NOW + HOUR)
    assert joined_rows(database) == before
    assert changes(database) == []


def test_edits_by_the_service_during_and_after_a_reopening_are_recorded(run: Run, database: Database) -> None:
    add_claims(database, [FAILED])
    give_up(run, database)
    reopen(database, the_claims(database), NOW + HOUR)
    edit(database, "UPDATE claims SET response_deadline = '2026-03-09'")
    run.keep(NOW + 2 * HOUR)
    assert changes(database)[1:] == [(1, "edited", "service", {"deadline": [None, "2026-03-09"]})]
    edit(database, "UPDATE claims SET pod_retry_count = 3")
    run.keep(NOW + 3 * HOUR)
    edit(database, "UPDATE claims SET pod_retry_count = 0")  # like the reopening, long ago
    run.keep(NOW + 4 * HOUR)
    assert [details for *_, details in changes(database)[2:]] == [{"count": [0, 3]}, {"count": [3, 0]}]


def test_excluding_and_enrolling_a_claim_are_recorded_without_an_edit(run: Run, database: Database) -> None:
    run.add([FAILED])
    enrollment = ClaimEnrollment(assessor(database))
    assert enrollment.exclude(the_claims(database), "ann", NOW + HOUR, "damaged")
    run.keep(NOW + 2 * HOUR)
    assert enrollment.enroll_named(the_claims(database), "bob", NOW + 3 * HOUR)
    run.keep(NOW + 4 * HOUR)
    assert changes(database) == [(1, "excluded", "ann", {"why": "damaged"}), (1, "enrolled", "bob", {})]


def test_a_later_edit_of_an_enrolled_claim_is_recorded(run: Run, database: Database) -> None:
    add_claims(database, [{"pod_fetch_status": "manual"}])
    enrollment = ClaimEnrollment(assessor(database))
    assert enrollment.enroll_named(the_claims(database), "bob", NOW)
    run.keep(NOW + HOUR)
    [new] = run.take(stage=Stage.NEW, now=NOW + HOUR)
    assert run.record(new, TIMED_OUT, now=NOW + HOUR)
    edit(database, "UPDATE claims SET pod_fetch_status = 'pending'")  # like the enrollment, long ago
    run.keep(NOW + 2 * HOUR)
    assert changes(database)[1:] == [(1, "edited", "service", {"status": ["failed", "pending"]})]


def test_rejected_actions_are_not_recorded(run: Run, database: Database) -> None:
    run.add([FAILED])
    enrollment = ClaimEnrollment(assessor(database))
    outdated = [replace(claim, fetch_status="pending") for claim in the_claims(database)]
    assert not enrollment.exclude(outdated, "ann", NOW, "damaged")
    assert not enrollment.enroll_named(outdated, "ann", NOW)
    given_up = GivenUpClaims(assessor(database))
    assert not given_up.start_over(the_claims(database), "ann", NOW)  # it is not given up
    assert changes(database) == []


# ---------------------------------------------------------------- beside others


def test_two_runs_record_an_edit_once(run: Run, other: Run, database: Database) -> None:
    run.add([FAILED] * 20)
    edit(database, "UPDATE claims SET response_deadline = '2026-03-09'")
    for one in (run, other):
        one.keep(NOW + HOUR)
    assert len(changes(database)) == 20


@pytest.fixture
def run(database: Database) -> Run:
    return Run(database)


@pytest.fixture
def other(database: Database) -> Run:
    return Run(database, "run-2")

"""A person corrects a number or a carrier, on real databases: recorded once, and not mistaken for the service's edit."""

import json
from datetime import timedelta
from typing import Any

import pytest

from recours.core.claim import Claim, Delivery, Stage
from recours.database.by_person import ClaimEnrollment
from recours.database.by_person import correct as correct_claims
from recours.database.engine import Database
from recours.runs.eligibility import Correction
from tests.contract.test_changes import assessor, changes, the_claims
from tests.contract.test_claims import HOPELESS, NOW, Run, edit, rows
from tests.own_rows import joined_rows, set_own

HOUR = timedelta(hours=1)
FAILED: dict[str, Any] = {"updated_at": NOW - 2 * HOUR}
RIGHT = Correction(number="XY000000099FR")
NOTED = (1, "corrected", "ann", {"number": ["XY000000000FR", "XY000000099FR"]})


@pytest.fixture
def run(database: Database) -> Run:
    return Run(database)


def correct(
    database: Database, claim: Claim, correction: Correction = RIGHT, at: Any = NOW + HOUR
) -> Claim | None:
    return next(iter(correct_claims(assessor(database), [(claim, correction)], "ann", at)), None)


def test_a_corrected_claim_starts_over_at_once_and_runs_note_no_edit(run: Run, database: Database) -> None:
    run.add([FAILED])
    [claim] = run.take()
    assert run.record(claim, HOPELESS)
    [claim] = the_claims(database)
    corrected = correct(database, claim)
    assert corrected is not None
    assert corrected.number == RIGHT.number
    [row] = joined_rows(database)
    assert (row["tracking_number"], row["stage"], row["pod_retry_count"]) == (RIGHT.number, "waiting", 0)
    assert (row["retries_used"], row["pod_last_retry_at"], row["owed"]) == (0, None, None)
    run.keep(NOW + HOUR)
    assert [claim.number for claim in run.take()] == [RIGHT.number]
    assert changes(database) == [NOTED]


def test_edits_before_and_after_a_correction_are_recorded_separately(run: Run, database: Database) -> None:
    run.add([FAILED])
    edit(database, "UPDATE claims SET response_deadline = '2026-03-09'")
    [claim] = the_claims(database)
    assert correct(database, claim)
    edit(database, "UPDATE claims SET tracking_number = 'XY000000000FR'")
    run.keep(NOW + 2 * HOUR)
    back = {"number": [RIGHT.number, "XY000000000FR"]}
    edited = (1, "edited", "service", {"deadline": [None, "2026-03-09"]})
    assert changes(database) == [edited, NOTED, (1, "edited", "service", back)]


def test_an_excluded_claim_starts_over_when_it_is_enrolled(run: Run, database: Database) -> None:
    run.add([FAILED])
    enrollment = ClaimEnrollment(assessor(database))
    assert enrollment.exclude(the_claims(database), "ann", NOW, "damaged")
    set_own(database, "CLM-00000", known_delivery=json.dumps(Delivery(signatory="Lea").as_json()))
    [claim] = the_claims(database)
    assert correct(database, claim)
    run.keep(NOW + HOUR)
    assert enrollment.enroll_named(the_claims(database), "ann", NOW + 2 * HOUR)
    run.keep(NOW + 3 * HOUR)
    [claim] = run.take(stage=Stage.NEW)
    assert (claim.number, claim.state.delivery) == (RIGHT.number, None)
    assert [what for _, what, *_ in changes(database)] == ["excluded", "corrected", "enrolled"]


def test_the_carrier_is_corrected_too(run: Run, database: Database) -> None:
    run.add([FAILED])
    [claim] = the_claims(database)
    corrected = correct(database, claim, Correction(carrier="Other Carrier"))
    assert corrected is not None
    assert corrected.carrier == "other"
    assert changes(database) == [(1, "corrected", "ann", {"carrier": ["Chronopost", "Other Carrier"]})]
    run.keep(NOW + HOUR)
    assert [claim.carrier for claim in run.take(carriers=("other",))] == ["other"]
    assert len(changes(database)) == 1


def test_a_leased_claim_is_not_corrected(run: Run, database: Database) -> None:
    run.add([FAILED])
    [claim] = the_claims(database)
    assert run.take()
    assert correct(database, claim, at=NOW) is None
    assert changes(database) == []
    [row] = rows(database, "SELECT tracking_number FROM claims")
    assert row["tracking_number"] == "XY000000000FR"


@pytest.mark.parametrize("edited", ["tracking_number = 'XY000000011FR'", "pod_fetch_status = 'success'"])
def test_a_claim_edited_in_the_meantime_is_not_corrected(run: Run, database: Database, edited: str) -> None:
    run.add([FAILED])
    [claim] = the_claims(database)
    edit(database, f"UPDATE claims SET {edited}")
    assert correct(database, claim) is None
    assert changes(database) == []

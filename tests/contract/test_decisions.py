"""A person's decision is written into any kind of schema, or a sentence explains why this is impossible."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from recours.carriers.registry import CATALOG
from recours.core.claim import Claim, Stage
from recours.database.by_person import ClaimEnrollment, GivenUpClaims, correct
from recours.database.claims import ClaimRepository
from recours.database.engine import DatabaseError
from recours.database.intake import Assessor
from recours.database.tables import claims
from recours.runs.eligibility import Correction
from recours.runs.refusals import ClaimsRefusedError
from tests.contract.test_border import NUMBER, OTHER_NUMBER, prepare
from tests.contract.test_claims import POLICY
from tests.fakes.intake import intake_of, take_in
from tests.fakes.schemas import SCHEMAS, Application

NOW = datetime(2026, 2, 2, 8, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def ready(application: Application) -> Application:
    """A database with all additions of recours, and a claim with a number that nobody has enrolled."""
    prepare(application.database)
    application.add(1, tracking_number=NUMBER)
    take_in(application.database, CATALOG, NOW, POLICY)
    return application


def assessor(service: Application) -> Assessor:
    return intake_of(service.database, CATALOG, POLICY, NOW).assessor


def the_claim(service: Application) -> Claim:
    claim = ClaimRepository(service.database, CATALOG, "command", "command").find("CLM-1")
    assert claim
    return claim


@pytest.mark.sample(
    "other kinds of schema: tests/contract/test_border.py reads and writes each of them", every=3
)
def test_claims_are_enrolled_corrected_and_reopened(ready: Application) -> None:
    database, enrollment = ready.database, ClaimEnrollment(assessor(ready))
    [candidate] = enrollment.candidates()
    assert (candidate.number, candidate.carrier_name, candidate.status) == (NUMBER, "DPD", "open")
    assert enrollment.enroll([candidate.id], NOW) == {candidate.id}
    assert ready.row(1)["pod_fetch_status"] == "pending"
    assert the_claim(ready).state.stage is Stage.NEW

    take_in(database, CATALOG, NOW + HOUR, POLICY)
    corrections = [(the_claim(ready), Correction(number=OTHER_NUMBER))]
    [corrected] = correct(assessor(ready), corrections, "ann", NOW + HOUR)
    if not (database.border.is_view and database.is_sqlite):  # whose trigger writes the same as a run
        assert (ready.row(1)["tracking_number"], corrected.number) == (OTHER_NUMBER, OTHER_NUMBER)

    ready.change(1, pod_fetch_status="failed", pod_retry_count=4)
    take_in(database, CATALOG, NOW + 2 * HOUR, POLICY)
    with database.write() as connection:
        connection.execute(update(claims).values(stage=Stage.GIVEN_UP, retries_used=4, next_at=None))
    assert GivenUpClaims(assessor(ready)).start_over([the_claim(ready)], "ann", NOW + 3 * HOUR) == {
        candidate.id
    }
    assert ready.row(1)["pod_retry_count"] == "0"
    assert (the_claim(ready).state.stage, the_claim(ready).state.next_at) == (Stage.WAITING, NOW + 3 * HOUR)


@pytest.mark.sample(
    "other kinds of schema: tests/contract/test_border.py reads and writes each of them", every=3
)
def test_claims_are_excluded_if_the_column_can_store_the_status(ready: Application) -> None:
    enrollment = ClaimEnrollment(assessor(ready))
    if ready.kind is SCHEMAS["pod_fetch_status as an enum"]:
        refusal = DatabaseError if ready.database.is_sqlite else ClaimsRefusedError
        with pytest.raises(refusal):
            enrollment.exclude([the_claim(ready)], "ann", NOW, "damaged")
        assert ready.row(1)["pod_fetch_status"] is None
        return
    assert enrollment.exclude([the_claim(ready)], "ann", NOW, "damaged")
    assert ready.row(1)["pod_fetch_status"] == "manual"
    assert enrollment.enroll_named([the_claim(ready)], "ann", NOW + HOUR)
    assert the_claim(ready).state.stage is Stage.NEW


@pytest.mark.parametrize(
    "application",
    [(name, "postgresql") for name in ("native enums, UUID", "bigint numbers", "Django")],
    indirect=True,
)
def test_a_value_that_does_not_fit_a_column_is_rejected_before_any_write(ready: Application) -> None:
    wrong = {
        "native enums, UUID": (
            Correction(carrier="Chronopost"),
            r"'Chronopost' does not fit in the column carrier \(type carrier\)",
        ),
        "bigint numbers": (Correction(number="1Z999"), r"'1Z999' does not fit .* \(type BIGINT\)"),
        "Django": (Correction(number="9" * 41), r"'9+' does not fit .* \(type VARCHAR\(40\)\)"),
    }
    ((correction, says),) = [wrong[name] for name, kind in SCHEMAS.items() if kind is ready.kind]
    before = ready.row(1)
    with pytest.raises(ClaimsRefusedError, match=says):
        correct(assessor(ready), [(the_claim(ready), correction)], "ann", NOW)
    assert ready.row(1) == before

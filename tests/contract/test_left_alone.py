"""A claim that other software took over (`manual`, or any status of its own) is no run's, whatever its stage says."""

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from sqlalchemy import text

from recours.core.claim import Stage
from recours.database.engine import Database
from recours.database.reports.records import DatabaseRecords
from recours.database.reports.survey import DatabaseOutlook, survey
from recours.database.schema.inspection import look
from recours.operations.forecast.coming import ComingRuns
from recours.operations.forecast.facts import ComingRun
from recours.operations.preview import preview
from recours.runs.fetch import PODFetchWorker
from recours.runs.retry import PODRetryScheduler
from tests.contract.test_claims import CATALOG, NOW, POLICY, Run, edit, rows
from tests.fakes.paper import rules

HOUR = timedelta(hours=1)
# As a run leaves them, each due or soon due.
STAGES = {
    Stage.READY: "failed",
    Stage.WAITING: "failed",
    Stage.SETTLED: "failed",
    Stage.GIVEN_UP: "failed",
    Stage.NEW: "pending",
    Stage.UNNUMBERED: "pending",
    Stage.SHELVED: "failed",
}


@pytest.fixture(params=["manual", "not_available", "archived"])
def left(database: Database, add_claims: Callable[..., None], request: pytest.FixtureRequest) -> Run:
    """A claim of each stage that a run has assessed, and that other software has taken over since."""
    run = Run(database)
    add_claims(
        database,
        [
            {
                "claim_reference": stage.value,
                "pod_fetch_status": status,
                "response_deadline": date(2026, 2, 9),
            }
            for stage, status in STAGES.items()
        ],
    )
    run.keep()
    for stage in STAGES:
        values = "pod_stage = :stage, pod_next_retry_at = :at, pod_fetch_status = :status"
        edit(
            run.database,
            f"UPDATE claims SET {values} WHERE claim_reference = :stage",
            stage=stage.value,
            at=(NOW + HOUR).replace(tzinfo=None),
            status=request.param,
        )
    return run


@pytest.mark.parametrize(("worker", "stage"), [(PODRetryScheduler, Stage.READY), (PODFetchWorker, Stage.NEW)])
def test_no_dry_run_would_take_it(left: Run, worker: type, stage: Stage) -> None:
    schema = look(left.database)
    seen = survey(left.database, schema, CATALOG, NOW + 2 * HOUR, 9, NOW, unnumbered=True)
    found = [(sighted.claim, False) for sighted in seen]
    shown = preview(found, stage, 30, (), {}, POLICY, NOW + 2 * HOUR)
    assert (shown.taken, dict(shown.rest)) == ([], {})


def test_no_plan_has_it(left: Run) -> None:
    outlook = DatabaseOutlook(left.database, look(left.database), CATALOG)
    later = NOW + timedelta(days=9)
    claims = list(outlook.claims(later, later, 9, NOW))
    coming = ComingRuns(claims, rules(), NOW + 2 * HOUR)
    assert coming.due() == {}
    for worker in (PODFetchWorker, PODRetryScheduler):
        foreseen = coming.run(ComingRun(NOW + 2 * HOUR, worker))
        assert (foreseen.tries, foreseen.passed, foreseen.gave_up, dict(foreseen.due)) == ([], 0, 0, {})
    assert list(outlook.not_due(NOW, NOW, later)) == []


def test_nobody_counts_it_as_due_or_waiting(left: Run) -> None:
    records = DatabaseRecords(left.database, CATALOG, look(left.database).columns)
    assert [backlog.due for backlog in records.backlogs(NOW + 2 * HOUR)] == []
    assert left.claims.waiting().count == 0
    assert left.claims.ready_by_carrier(Stage.READY, NOW) == {}
    assert left.claims.ready_by_carrier(Stage.NEW, NOW) == {}


def test_no_run_judges_or_takes_it(left: Run) -> None:
    before = rows(left.database, "SELECT * FROM claims ORDER BY id")
    maintenance, later = left.maintenance, NOW + timedelta(days=900)
    assessed = [
        *maintenance.assess_edited(lambda claim: claim.state, NOW),
        *maintenance.unshelve(set(), lambda claim: claim.state, NOW),
        *maintenance.revive_exhausted(9, lambda claim: claim.state, NOW),
        *maintenance.repair_times(NOW, lambda claim: claim.state, NOW),
    ]
    assert assessed == []
    assert rows(left.database, "SELECT * FROM claims ORDER BY id") == before
    left.keep(later)
    assert left.take(now=later) == []
    assert left.take(now=later, stage=Stage.NEW) == []


def test_given_back_it_goes_on(left: Run) -> None:
    """The service sets it back to what it was: the next run finds it where it stood, or assesses it again."""
    with left.database.write() as connection:
        connection.execute(
            text("UPDATE claims SET pod_fetch_status = 'failed' WHERE claim_reference = 'ready'")
        )
    left.keep()
    assert [claim.reference for claim in left.take()] == ["ready"]

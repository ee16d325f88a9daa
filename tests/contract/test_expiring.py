"""On real databases: recours gives up on claims whose deadline has long passed."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from recours.core.claim import Claim, Stage
from recours.core.decision import expire
from recours.core.order import is_expired
from recours.database.by_person import GivenUpClaims
from recours.database.claim_rows import owed_in
from recours.database.engine import Database
from recours.runs.eligibility import ReopenCriteria
from tests.conftest import add_claims
from tests.contract.test_claims import CATALOG, NOW, POLICY, TIMED_OUT, Run, edit, rows
from tests.fakes.intake import intake_of
from tests.own_rows import joined_row, plan, set_own, set_service, statements_of

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
OLD = {"response_deadline": date(2025, 12, 20), "created_at": NOW - 90 * DAY}


def given_up(
    run: Run, now: datetime, stage: Stage = Stage.READY, carriers: tuple[str, ...] = ()
) -> list[str]:
    one = partial(expire, now=now, policy=POLICY)
    assert POLICY.expire_after
    found = run.maintenance.expire(stage, now - POLICY.expire_after, one, now, carriers)
    return [claim.reference for claim, _ in found]


@pytest.fixture
def run(database: Database) -> Run:
    """Two claims long past their deadline: one was just tried, the other never."""
    add_claims(database, [OLD | {"claim_reference": "asked"}, OLD | {"claim_reference": "never"}])
    run = Run(database)
    run.keep()
    for claim in run.take():
        if claim.reference == "asked":
            run.record(claim, TIMED_OUT)
        else:
            run.put_back(claim)
    return run


def test_only_claims_that_were_fetched_are_given_up_at_their_retry(run: Run) -> None:
    assert given_up(run, NOW) == [], "its retry is not due"
    later = NOW + 7 * HOUR
    run.keep(later)
    assert given_up(run, later, Stage.NEW) == []
    assert given_up(run, later, carriers=("other",)) == []
    assert given_up(run, later) == ["asked"]
    assert given_up(run, later) == []
    row = joined_row(run.database, "asked")
    assert (row["stage"], row["error_key"]) == ("given_up", "expired")
    assert owed_in(row["owed"]) == {
        "pod_fetch_status": "failed",
        "pod_fetch_error": (
            "Given up: the claim's response deadline passed long ago (last answer: Chronopost did not answer in time)"
        ),
    }
    told = rows(run.database, "SELECT event, audience, told FROM recours_events")
    assert told == [{"event": "expired", "audience": "operator", "told": None}]
    run.keep(later)
    assert [claim.reference for claim in run.take(now=later)] == ["never"]


def test_a_leased_or_edited_claim_is_not_given_up(run: Run) -> None:
    later = NOW + 7 * HOUR
    run.keep(later)
    held = run.take(now=later)
    assert given_up(run, later) == []
    run.put_back(*held)
    edit(run.database, "UPDATE claims SET tracking_number = 'XY999999999FR' WHERE claim_reference = 'asked'")
    assert given_up(run, later) == []


def test_a_claim_whose_status_needs_no_proof_is_set_aside_instead(run: Run) -> None:
    later = NOW + 7 * HOUR
    run.keep(later)
    edit(run.database, "UPDATE claims SET status = 'paid' WHERE claim_reference = 'asked'")
    assert given_up(run, later) == []
    row = joined_row(run.database, "asked")
    assert (row["stage"], row["pod_fetch_status"], row["owed"]) == ("shelved", "failed", None)
    assert rows(run.database, "SELECT * FROM recours_events") == []


def test_a_claim_of_a_killed_run_is_not_given_up_yet(run: Run) -> None:
    later = NOW + 7 * HOUR
    run.keep(later)
    run.take(now=later)  # and that run never reports again
    assert given_up(run, later + HOUR) == []
    other = replace(run, token="run-2")
    [again] = [claim for claim in other.take(now=later + HOUR) if claim.reference == "asked"]
    assert not is_expired(again.state, later + HOUR, POLICY)
    other.record(again, TIMED_OUT, later + HOUR)
    evening = later + 30 * HOUR
    run.keep(evening)
    assert given_up(run, evening) == ["asked"]


def test_a_claim_that_expired_can_be_reopened_though_it_used_no_retry(run: Run) -> None:
    set_service(run.database, "asked", pod_retry_count=0)
    set_own(run.database, "asked", retries_used=0, seen_count="0")
    later = NOW + 7 * HOUR
    run.keep(later)
    assert given_up(run, later) == ["asked"]
    assert list(run.maintenance.revive_exhausted(9, lambda claim: claim.state, later)) == []
    intake = intake_of(run.database, CATALOG, POLICY, later)
    assert intake.write_owed(later) == 1
    gave_up = GivenUpClaims(intake.assessor)
    [part] = gave_up.given_up(ReopenCriteria(since=later), later)
    assert [claim.reference for claim, _ in part] == ["asked"]
    assert gave_up.start_over([claim for claim, _ in part], "somebody", later)
    run.keep(later)
    assert {claim.reference for claim in run.take(now=later)} == {"asked", "never"}
    assert given_up(run, later) == []


def test_finding_expired_claims_costs_the_same_for_any_backlog(run: Run) -> None:
    later = NOW + 7 * HOUR
    with statements_of(run.database) as seen:
        assert given_up(run, later) == []
        run.keep(later)
        assert given_up(run, later) == ["asked"]
    looks = [(sql, values) for sql, values in seen if "expire_from <=" in sql and sql.startswith("SELECT")]
    assert looks
    if run.database.is_sqlite:
        lines = "\n".join(line for sql, values in looks for line in plan(run.database, sql, values))
        assert re.search(r"USING INDEX ix_recours_claims_expiring \(stage=\? AND expire_from<\?\)", lines), (
            lines
        )


def test_the_query_matches_the_rule(run: Run) -> None:
    """The query finds exactly the claims that the rule considers expired."""
    found: list[Claim] = []

    def noted(claim: Claim) -> Any:
        found.append(claim)
        return expire(claim, later, POLICY)

    later = datetime(2026, 3, 1, tzinfo=UTC)
    run.keep(later)
    assert POLICY.expire_after
    list(run.maintenance.expire(Stage.READY, later - POLICY.expire_after, noted, later))
    assert [is_expired(claim.state, later, POLICY) for claim in found] == [True]
    assert not is_expired(found[0].state, later, replace(POLICY, adopted_at=later - DAY))

"""Evidence that expires affects the order of claims, and nothing else."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from recours.carriers.chronopost import SPEC
from recours.core.carrier import Catalog
from recours.core.claim import Stage
from recours.core.decision import decide, expire
from recours.core.order import rerank
from recours.database.engine import Database
from recours.runs.ports import Attempt, Lease
from tests.conftest import add_claims
from tests.contract.test_claims import NOW, POLICY, TIMED_OUT, Run
from tests.fakes.intake import take_in
from tests.own_rows import plan, statements_of

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FORGETFUL = replace(POLICY, evidence_days={"chronopost": 120})
CATALOG = Catalog([replace(SPEC, evidence_days=120), replace(SPEC, key="other", name="Other", spellings=())])


class Side:
    """Operations of runs on claims whose carrier deletes old parcels."""

    def __init__(self, run: Run) -> None:
        self.claims, self.maintenance = run.claims, run.maintenance
        self._database = run.database

    def keep(self, now: datetime = NOW) -> int:
        """Run the maintenance; returns how many claims changed their place over time."""
        rank = partial(rerank, now=now, policy=FORGETFUL)
        moved = self.maintenance.rank_overdue(Stage.READY, FORGETFUL.evidence_days, rank, now)
        take_in(self._database, self.claims.catalog, now, FORGETFUL)
        self.maintenance.stage_due(now)
        return moved

    def order(self, now: datetime = NOW) -> list[str]:
        """The order of the ready claims, which are released again."""
        lease = Lease("run-1", now + HOUR)
        taken = self.claims.lease(Stage.READY, ["chronopost"], 100, lease, now)
        self.claims.release([(claim, claim.state) for claim in taken], lease)
        return [claim.reference for claim in taken]

    def fail(self, now: datetime = NOW) -> None:
        """Record a failure for each ready claim."""
        lease = Lease("run-1", now + HOUR)
        taken = self.claims.lease(Stage.READY, ["chronopost"], 100, lease, now)
        decided = [(claim, decide(claim, TIMED_OUT, now, FORGETFUL)) for claim in taken]
        ended = [
            (Attempt(claim, 1, now, 0.5, 1, "failed", uses_attempt=True, failure=TIMED_OUT), decision)
            for claim, decision in decided
        ]
        assert all(self.claims.record(ended, lease, now))

    def given_up(self, now: datetime) -> list[str]:
        assert FORGETFUL.expire_after
        give_up = partial(expire, now=now, policy=FORGETFUL)
        over = self.maintenance.expire(Stage.READY, now - FORGETFUL.expire_after, give_up, now)
        return sorted(claim.reference for claim, _ in over)


def side(database: Database, values: list[dict[str, Any]]) -> Side:
    add_claims(database, values)
    return Side(Run(database))


def claim(name: str, created_days_ago: float, **columns: Any) -> dict[str, Any]:
    at = NOW - created_days_ago * DAY
    return {"claim_reference": name, "created_at": at, "updated_at": NOW - 3 * DAY} | columns


ORDER = [
    claim("soon", 50, response_deadline=date(2026, 2, 5)),
    claim("forgotten in 4 days", 116, response_deadline=date(2026, 6, 1)),
    claim("forgotten in 8 days", 112),
    claim("14 days from its failure", 50),
    claim("forgotten in 20 days, failed long ago", 100, updated_at=NOW - 40 * DAY),
    claim("late", 50, response_deadline=date(2026, 3, 1)),
    claim("forgotten", 130),
    claim("missed", 50, response_deadline=date(2026, 1, 31)),
]


def test_claims_are_leased_by_what_ends_first(database: Database) -> None:
    world = side(database, list(reversed(ORDER)))
    world.keep()
    assert world.order() == [
        "soon",
        "forgotten in 4 days",
        "forgotten in 8 days",
        "14 days from its failure",
        "forgotten in 20 days, failed long ago",
        "late",
        "forgotten",
        "missed",
    ]


def test_a_claim_without_a_deadline_is_later_ranked_by_its_evidence(database: Database) -> None:
    world = side(
        database, [claim("older", 100), claim("newer", 90, updated_at=NOW - 4 * DAY), claim("dated", 1)]
    )
    world.keep()
    assert world.order() == ["newer", "older", "dated"], "by their failures"
    assert world.keep(NOW + DAY) == 0
    later = NOW + 15 * DAY
    assert world.keep(later) == 2 + 1
    assert world.order(later) == ["older", "newer", "dated"], "by the ends of their evidence"
    assert world.keep(later) == 0
    over = NOW + 25 * DAY
    assert world.order(over) == ["newer", "dated", "older"], "nothing can be won for one of them"


@pytest.mark.parametrize(
    "created_at", [None, datetime(1, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC)]
)
def test_a_claim_without_dates_keeps_its_rank(database: Database, created_at: datetime | None) -> None:
    unknown = claim("unknown", 1, created_at=created_at, updated_at=NOW - 40 * DAY)
    world = side(database, [unknown, claim("forgotten", 130)])
    world.keep()
    assert world.keep(NOW + DAY) == 0
    assert world.order() == ["unknown", "forgotten"]


def test_no_claim_is_given_up_because_its_evidence_expired(database: Database) -> None:
    world = side(database, [claim("dated", 130, response_deadline=date(2026, 2, 20)), claim("undated", 130)])
    world.keep()
    world.fail()
    ends = datetime(2026, 2, 20, 23, tzinfo=NOW.tzinfo) + 30 * DAY
    for now, expected in ((ends - HOUR, []), (ends, ["dated"]), (ends + 999 * DAY, [])):
        world.keep(now)
        assert world.given_up(now) == expected


def test_finding_overdue_claims_costs_the_same_for_any_backlog(database: Database) -> None:
    add_claims(database, ORDER)
    run = Run(database)
    run.keep()
    with statements_of(database) as seen:
        Side(run).keep()
    looks = [(sql, values) for sql, values in seen if "rank_at <" in sql and "LIMIT" in sql]
    assert looks
    if database.is_sqlite:
        index = (
            "USING INDEX ix_recours_claims_ready (stage=? AND lane=? AND rank_is_deadline=? AND rank_at<?)"
        )
        for sql, values in looks:
            assert any(index in line for line in plan(database, sql, values))

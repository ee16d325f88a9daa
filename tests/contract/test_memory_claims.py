"""Claims in memory go the way that they go in a database, whatever is done to them by several runs."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial
from random import Random
from typing import Any

import pytest

from recours.core.assessment import assess, go_on, ranked_anew, retimed
from recours.core.claim import Claim, Delivery, Stage, State
from recours.core.decision import Action, Decision, decide, expire, give_up, next_action, pass_retry
from recours.core.errors import ErrorKind
from recours.core.last_attempt import awaits_last_attempt
from recours.core.outcome import Failure
from recours.core.policy import Policy
from recours.database.engine import Database
from recours.database.reports.survey import survey
from recours.database.schema.inspection import look
from recours.memory.claims import MemoryClaims
from recours.memory.maintenance import MemoryMaintenance
from recours.memory.table import ClaimTable
from recours.runs.ports import Attempt, Claims, Lease, Maintenance
from tests.contract.test_claims import CATALOG, NOW, POLICY, Run, edit

SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
CARRIERS = ("chronopost", "other", "")
KINDS = (
    ErrorKind.TIMEOUT,
    ErrorKind.NOT_DELIVERED_YET,
    ErrorKind.INVALID_TRACKING,
    ErrorKind.RATE_LIMITED,
    ErrorKind.POD_NOT_AVAILABLE_YET,
)
DELIVERED_AT = NOW - 9 * DAY


@dataclass(frozen=True)
class Side:
    """The adapters of one of the two, and what runs do with them."""

    run_id: str
    claims: Claims
    maintenance: Maintenance

    def keep(self, now: datetime, policy: Policy) -> dict[str, Any]:
        """What both workers do before they fetch."""
        maintenance, most = self.maintenance, policy.max_retries
        due_until, horizon = policy.backoff.due_until(now), policy.backoff.horizon(now)
        before = now - 30 * DAY
        seen = partial(assess, now=now, policy=policy)
        give_way = partial(expire, now=now, policy=policy)
        found: dict[str, Any] = {
            "behind": maintenance.is_behind(due_until, horizon, most, policy.skip_claim_statuses, now)
        }
        rank = partial(ranked_anew, now=now, policy=policy)
        found["ranked"] = sum(
            maintenance.rank_overdue(stage, policy.evidence_days, rank, now)
            for stage in (Stage.READY, Stage.NEW)
        )
        maintenance.stage_due(due_until)
        found["assessed"] = _names(maintenance.assess_edited(seen, now, most))
        found["unshelved"] = _names(maintenance.unshelve(policy.skip_claim_statuses, seen, now))
        revive = partial(go_on, now=now, policy=policy)
        found["revived"] = _names(maintenance.revive_exhausted(most, revive, now))
        found["retimed"] = _names(
            maintenance.repair_times(horizon, lambda claim: retimed(claim.state, now, policy), now)
        )
        passing = maintenance.pass_retries(due_until, lambda claim: _pass(claim, now, policy), now)
        found["passed"] = _names(claim for claim, _ in passing)
        maintenance.stage_due(due_until)
        for stage in (Stage.READY, Stage.NEW):
            over = maintenance.expire(stage, before, give_way, now)
            found[f"expired {stage}"] = _names(claim for claim, _ in over)
            found[f"ready {stage}"] = self.claims.ready_by_carrier(stage, now)
            found[f"set aside {stage}"] = self.claims.set_aside(stage)
        found["adopted"] = sum(maintenance.adopt_exhausted(most, now))
        found["waiting"] = self.claims.waiting()
        return found

    def fetch(
        self, stage: Stage, lanes: tuple[str, ...], chance: Random, now: datetime, policy: Policy
    ) -> list[Any]:
        """Lease some claims, and record a failure of each, put it back, or die with it."""
        lease = Lease(self.run_id, now + timedelta(minutes=10))
        leased = self.claims.lease(stage, lanes, chance.randint(1, 12), lease, now)
        for place, claim in enumerate(leased):
            at = now + timedelta(seconds=place)  # or several would be of the same rank
            fate = chance.choice(("recorded", "recorded", "put back", "died with"))
            delivery = chance.choice((None, Delivery(DELIVERED_AT + claim.id * SECOND, "DUPONT")))
            failure = Failure(chance.choice(KINDS), "said no", delivery=delivery)
            if fate == "recorded":
                decision = decide(claim, failure, at, policy)
                attempt = Attempt(claim, 1, at, 0.5, 1, "failed", decision.uses_attempt, failure)
                assert self.claims.record([(attempt, decision)], lease, at) == [True]
            elif fate == "put back":
                self.claims.release([(claim, claim.state)], lease)
        return [_known(claim) for claim in leased]


def _pass(claim: Claim, now: datetime, policy: Policy) -> Decision | None:
    what = next_action(claim, now, policy)
    if what is Action.SHELVE:
        return None
    return (give_up if what is Action.GIVE_UP else pass_retry)(claim, now, policy)


def _names(claims: Any) -> list[str]:
    return sorted(claim.reference for claim in claims)


def _known(claim: Claim) -> tuple[str, State, int]:
    return claim.reference, claim.state, claim.retries_counted


def _rows(chance: Random) -> list[dict[str, Any]]:
    """Claims as the service leaves them; no two of the same rank, since their order would be anybody's."""
    found = []
    for n in range(80):
        failed_at = NOW - timedelta(hours=chance.randint(0, 900), seconds=n)
        row: dict[str, Any] = {
            "carrier": chance.choice(("Chronopost", "Chronopost", "Other Carrier", "Nobody")),
            "pod_fetch_status": chance.choice(
                ("failed", "failed", "failed", "pending", "fetching", "manual")
            ),
            "status": chance.choice((None, "submitted", "submitted", "paid")),
            "pod_retry_count": 5 if n == 7 else chance.choice((0, 0, 0, 1, 2, 3)),
            "updated_at": failed_at,
            "created_at": failed_at,
        }
        if n % 2:
            row["response_deadline"] = date(2026, 1, 2) + timedelta(days=n)
        found.append(row)
    return found


def _same(answers: Iterable[Any]) -> Any:
    of_database, of_memory = answers
    assert of_memory == of_database
    return of_memory


def _edit_deadlines(database: Database, table: ClaimTable, chance: Random) -> None:
    """What the service, or a person, does."""
    for row in chance.sample(sorted(table.rows.values(), key=lambda row: row.claim.id), 3):
        deadline = date(2026, 2, 1) + timedelta(days=chance.randint(0, 60))
        edit(
            database,
            "UPDATE claims SET response_deadline = :day WHERE id = :id",
            day=deadline,
            id=row.claim.id,
        )
        row.claim = replace(row.claim, deadline=deadline)


@pytest.mark.sample("more histories at random: with last attempts and without", every=3)
@pytest.mark.parametrize("seed", range(6))
def test_both_go_the_same_way(database: Database, add_claims: Callable[..., None], seed: int) -> None:
    chance = Random(seed)
    add_claims(database, _rows(chance))
    schema = look(database)
    table = ClaimTable()
    far = NOW + 9999 * DAY
    for sighted in survey(database, schema, CATALOG, far, 9, NOW, far, unnumbered=True):
        table.load(sighted.claim, edited=sighted.edited, leased_until=sighted.leased_until)
    in_memory = MemoryClaims(table), MemoryMaintenance(table)
    now, fetched, waited, seen = NOW, 0, 0, 0
    for place in range(40):
        run = Run(database, f"run-{place}")
        sides = Side(run.token, run.claims, run.maintenance), Side(run.token, *in_memory)
        now += timedelta(minutes=chance.choice((3, 30, 60, 60, 360, 1500)))
        policy = replace(POLICY, max_retries=chance.choice((4, 4, 4, 2, 6)) if place else 4)
        policy = replace(policy, evidence_days={"chronopost": 20} if seed % 3 else {})
        if seed % 2 and chance.random() < 0.95:
            policy = replace(policy, last_attempt=chance.choice((12, 30)) * HOUR)
        _same(side.keep(now, policy) for side in sides)
        waited += sum(awaits_last_attempt(row.claim.state) for row in table.rows.values())
        if seed % 2:
            _edit_deadlines(database, table, chance)
        stage, dice = chance.choice((Stage.READY, Stage.READY, Stage.NEW)), chance.random()
        lanes = tuple(chance.sample(CARRIERS, chance.randint(1, 3)))
        seen += len(_same(side.claims.deadlines(stage, lanes[0], 5, now) for side in sides))
        fetched += len(_same(side.fetch(stage, lanes, Random(dice), now, policy) for side in sides))
    assert fetched > 20
    assert seen > 10
    assert (waited > 20) is bool(seed % 2)


def test_in_both_only_times_that_nothing_can_have_set_are_recomputed(
    database: Database, add_claims: Callable[..., None]
) -> None:
    add_claims(database, [{"updated_at": NOW - 99 * HOUR}] * 3)
    run = Run(database, "run-1")
    run.keep()
    far, near = f"'{NOW + 40 * DAY:%Y-%m-%d %H:%M:%S}.000000'", f"'{NOW + HOUR:%Y-%m-%d %H:%M:%S}.000000'"
    for place, (next_at, last_attempt_at) in enumerate([(far, far), (far, near), (far, "NULL")], start=1):
        edit(
            database,
            f"UPDATE claims SET pod_stage = 'waiting', pod_retry_count = 4, pod_seen_count = 4,"
            f" pod_next_retry_at = {next_at},"
            f" pod_last_attempt_at = {last_attempt_at} WHERE id = {place}",
        )
    table, later = ClaimTable(), NOW + 99 * DAY
    for sighted in survey(database, look(database), CATALOG, later, 4, NOW):
        table.load(sighted.claim, edited=sighted.edited)
    policy = replace(POLICY, last_attempt=30 * HOUR)
    retime = partial(_retimed, now=NOW, policy=policy)
    for maintenance in (MemoryMaintenance(table), run.maintenance):
        found = maintenance.repair_times(NOW + 3 * DAY, retime, NOW)
        assert _names(found) == ["CLM-00001", "CLM-00002"]
        assert not list(maintenance.repair_times(NOW + 3 * DAY, retime, NOW))


def _retimed(claim: Claim, now: datetime, policy: Policy) -> State:
    return retimed(claim.state, now, policy)

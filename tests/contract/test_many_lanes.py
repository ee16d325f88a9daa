"""With many lanes, ready claims are found at once, and the most urgent claims overall are leased first."""

from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from functools import cached_property, partial
from random import Random
from typing import Any

import pytest
from sqlalchemy import insert, select

from recours.core.carrier import Catalog
from recours.core.claim import Claim, Stage, State
from recours.core.order import Urgency, rerank, urgency
from recours.database.claims import ClaimRepository
from recours.database.engine import Database
from recours.database.maintenance import ClaimMaintenance
from recours.database.tables import claims
from recours.runs.lane import LANES_AT_ONCE
from recours.runs.ports import Lease, Limits, Ready
from recours.sandbox import SimulatedClock
from tests.conftest import SERVICE_CLIENTS, add_claims
from tests.contract.test_claims import LEASE, NOW, POLICY
from tests.fakes.intake import take_in
from tests.fakes.many_lanes import Model, Slice, catalog_of_clients, lane_name, make_catalog
from tests.own_rows import statements_of

LANES = 3 * LANES_AT_ONCE
CATALOG = make_catalog(LANES)


@pytest.fixture
def repository(database: Database) -> ClaimRepository:
    return of_carriers(database)


def of_carriers(database: Database) -> ClaimRepository:
    return few_in_each(database, CATALOG, lambda n: {"carrier": lane_name(n)})


def of_clients_accounts(database: Database) -> ClaimRepository:
    """Each lane is the account of a client at one carrier."""
    with database.write() as connection:
        connection.execute(
            insert(SERVICE_CLIENTS), [{"id": n + 1, "email": f"shop{n}"} for n in range(LANES)]
        )
    catalog = catalog_of_clients(LANES)
    return few_in_each(database, catalog, lambda n: {"carrier": "Chronopost", "client_id": n + 1})


def few_in_each(
    database: Database, catalog: Catalog, of_lane: Callable[[int], dict[str, Any]]
) -> ClaimRepository:
    """A few ready claims in each lane, with future, past and no deadlines."""
    chance = Random(1)
    deadlines = [None, *(NOW.date() + timedelta(days=days) for days in range(-9, 20))]
    add_claims(
        database,
        (
            {
                **of_lane(chance.randrange(LANES)),
                "updated_at": NOW - timedelta(hours=chance.randint(2, 700)),
                "response_deadline": chance.choice([None, chance.choice(deadlines)]),
            }
            for _ in range(4 * LANES)
        ),
    )
    take_in(database, catalog, NOW, POLICY)
    ClaimMaintenance(database, catalog, "slice").stage_due(POLICY.due_until(NOW))
    return ClaimRepository(database, catalog, "slice", "pod_retry_scheduler")


def places(database: Database) -> dict[Any, tuple[str, Urgency]]:
    """The lane and the place of each ready claim by id."""
    c = claims.c
    ready = select(c.claim_id, c.lane, c.rank_at, c.rank_is_deadline).where(c.stage == "ready")
    with database.read() as connection:
        rows = connection.execute(ready).all()
    return {
        id_: (key, urgency(State(rank_at=rank_at, rank_is_deadline=bool(is_deadline)), NOW))
        for id_, key, rank_at, is_deadline in rows
    }


def brute_force(waiting: dict[Any, tuple[str, Urgency]]) -> dict[str, Ready]:
    lanes: dict[str, list[Urgency]] = {}
    for lane, place in waiting.values():
        lanes.setdefault(lane, []).append(place)
    return {lane: Ready(len(found), min(found)) for lane, found in lanes.items()}


def test_one_query_finds_how_much_is_ready_and_how_urgent(repository: ClaimRepository) -> None:
    database = repository.database
    leased = repository.lease(
        Stage.READY, [lane_name(n).lower() for n in range(9)], 9, Lease("x", NOW + LEASE), NOW
    )
    waiting = places(database)
    for claim in leased:
        del waiting[claim.id]
    expected = brute_force(waiting)
    assert {tier for _, (tier, _) in waiting.values()} == {0, 1, 2}
    with statements_of(database) as seen:
        found = repository.ready_by_carrier(Stage.READY, NOW)
    # For any number of lanes: whether a claim is ready, and the claims
    assert sum("claims" in sql for sql, _ in seen) == 2
    assert found == expected
    heads = [ready.head for ready in found.values()]
    assert heads == sorted(heads)


@pytest.mark.parametrize("most", [1, 3, LANES // 2, LANES + 1, 3 * LANES, 9 * LANES])
def test_claims_are_counted_until_there_are_enough(repository: ClaimRepository, most: int) -> None:
    every = brute_force(places(repository.database))
    for lanes in (list(every), list(every)[:7], ["no such lane", *list(every)[:1]]):
        found = repository.ready_by_carrier(Stage.READY, NOW, most, lanes if len(lanes) < len(every) else ())
        there = {lane: every[lane] for lane in lanes if lane in every}
        assert {lane: ready.head for lane, ready in found.items()} == {
            lane: r.head for lane, r in there.items()
        }
        counted, all_there = (sum(ready.claims for ready in of.values()) for of in (found, there))
        assert min(counted, most) == min(all_there, most)


def test_ready_claims_are_reported_only_for_the_named_lanes(repository: ClaimRepository) -> None:
    every = repository.ready_by_carrier(Stage.READY, NOW)
    for count in (1, 3, len(every)):
        named = list(every)[:count]
        assert repository.ready_by_carrier(Stage.READY, NOW, carriers=[*named, "no such lane"]) == {
            lane: every[lane] for lane in named
        }


@pytest.mark.sample("more histories at random: one on each database is lived through", every=3)
@pytest.mark.parametrize("of_lanes", [of_carriers, of_clients_accounts])
@pytest.mark.parametrize("seed", range(3))
def test_the_most_urgent_claim_of_all_lanes_with_room_is_leased_next(
    database: Database, of_lanes: Callable[..., ClaimRepository], seed: int
) -> None:
    repository = of_lanes(database)
    chance, clock = Random(seed), SimulatedClock(NOW)
    limits = Limits(5 * LANES, chance.randint(1, 20), chance.randint(1, 4), timedelta(hours=1))
    leased = Slice(repository, repository.catalog, clock, limits)
    model = Model(leased, places(repository.database))
    for _ in range(60):
        kind = chance.choice(("next", "next", "end", "back"))
        if kind == "next":
            model.next(NOW)
        elif leased.under_way and kind == "end":
            leased.end(chance.randrange(len(leased.under_way)))
        elif leased.under_way:
            model.return_claims(chance.randrange(len(leased.under_way)), NOW)
    while model.next(NOW):
        while leased.under_way:
            leased.end()


class CountedClaims(ClaimRepository):
    """Counts the lanes in each query of claims, and the reads of heads."""

    @cached_property
    def lanes_asked(self) -> list[int]:
        return []

    @cached_property
    def heads_read(self) -> list[datetime]:
        return []

    def ready_by_carrier(self, stage: Stage, now: datetime, *args: Any, **more: Any) -> dict[str, Ready]:
        self.heads_read.append(now)
        return super().ready_by_carrier(stage, now, *args, **more)

    def lease(self, stage: Stage, carriers: Collection[str], *args: Any, **more: Any) -> list[Claim]:
        self.lanes_asked.append(len(carriers))
        return super().lease(stage, carriers, *args, **more)


def test_a_few_lanes_are_processed_at_once_regardless_of_their_number(repository: ClaimRepository) -> None:
    """A statement with thousands of lanes is slow, and each bundle would need one."""
    claims = CountedClaims(repository.database, CATALOG, "slice", repository.worker)
    leased = Slice(claims, CATALOG, SimulatedClock(NOW), Limits(4 * LANES, 4, 2, timedelta(hours=1)))
    count = 0
    while taken := leased.next():
        count += len(taken)
        while leased.under_way:
            leased.end()
    assert count == len(places(repository.database))
    assert max(claims.lanes_asked) == LANES_AT_ONCE
    assert len(claims.heads_read) < len(claims.lanes_asked) / 3


def test_few_statements_are_built_for_any_number_of_lanes(repository: ClaimRepository) -> None:
    lanes = [lane_name(n).lower() for n in range(LANES)]
    with statements_of(repository.database) as seen:
        for count in range(1, LANES):
            repository.ready_by_carrier(Stage.READY, NOW, 1, lanes[:count])
            repository.lease(Stage.READY, lanes[:count], 1, Lease("slice", NOW + LEASE), NOW)
    selects = {sql for sql, _ in seen if "FROM recours_claims" in sql and not sql.startswith("UPDATE")}
    assert len(selects) <= 2 * (1 + (LANES - 1).bit_length())


def test_the_statements_of_a_run_do_not_grow_with_the_accounts(database: Database) -> None:
    """Its first queries and one bundle need the same with 48 accounts as with one; the bench measures a thousand."""
    of_clients = of_clients_accounts(database)
    catalog = of_clients.catalog
    maintenance = ClaimMaintenance(database, catalog, "slice")
    maintenance.repair_keys()
    rank = partial(rerank, now=NOW, policy=POLICY)
    with statements_of(database) as seen:
        assert maintenance.repair_keys() == []
        maintenance.rank_overdue(Stage.READY, ["chronopost"], rank, NOW - timedelta(days=60))
    selects = [sql for sql, _ in seen if sql.lstrip().startswith(("SELECT", "WITH", "UPDATE"))]
    assert len(selects) <= 4
    leased = Slice(of_clients, catalog, SimulatedClock(NOW), Limits(30, 8, 4, timedelta(hours=1)))
    with statements_of(database) as seen:
        assert leased.next()
    assert sum("claims" in sql for sql, _ in seen) <= 4

"""A preview of a run, without changes."""

import logging
from collections.abc import Iterator
from datetime import date, timedelta
from random import Random
from typing import Any

import pytest

from recours.core.claim import Claim, FetchStatus, Stage, State
from recours.core.errors import ErrorKind
from recours.core.outcome import Failure
from recours.core.pauses import Blocked, Refusal
from recours.core.position import Why
from recours.reporting.plan import Preview, preview
from tests.fakes.world import World

HOUR = timedelta(hours=1)


@pytest.fixture
def world() -> World:
    return World()


def candidates(world: World) -> Iterator[tuple[Claim, bool]]:
    leases = world.table.leases()
    for claim in world.table.claims():
        yield claim, claim.reference in leases


def look(world: World, stage: Stage = Stage.READY, batch: int = 30, **more: Any) -> Preview:
    policy = world.deps(**more.pop("policy", {})).policy
    options = {"carriers": (), "closed": {}} | more
    return preview(candidates(world), stage, batch, options["carriers"], options["closed"], policy, world.now)


def references(result: Preview) -> list[str]:
    return [claim.reference for claim, _ in result.batch]


def test_due_claims_are_listed_in_the_order_of_a_run(world: World) -> None:
    for reference, deadline in {
        "late": date(2026, 1, 20),
        "soon": date(2026, 2, 5),
        "later": date(2026, 2, 28),
        "none": None,
    }.items():
        world.failed(reference, deadline=deadline)
    world.failed("not yet", updated_at=world.now)
    result = look(world)
    assert references(result) == ["soon", "none", "later", "late"]
    assert [state.retries_used for _, state in result.batch] == [0, 0, 0, 0]
    assert result.waiting == {Why.BY_BACKOFF: 1}
    assert world.table["soon"].state.stage is None, "nothing was changed"


@pytest.mark.parametrize("stage", [Stage.READY, Stage.NEW])
def test_claims_without_a_deadline_are_ranked_by_age(world: World, stage: Stage) -> None:
    add = world.failed if stage is Stage.READY else world.pending
    old = world.now - timedelta(days=15)
    add("over", deadline=date(2026, 1, 20))
    add("none-old", created_at=old, updated_at=old)
    add("none-new", created_at=world.now - 2 * HOUR)
    add("far", deadline=date(2026, 3, 28))
    add("soon", deadline=date(2026, 2, 5))
    assert references(look(world, stage)) == ["soon", "none-new", "far", "none-old", "over"]


def test_a_batch_contains_the_most_urgent_claims(world: World) -> None:
    for day in (9, 5, 7, 6, 8):
        world.failed(f"CLM-{day}", deadline=date(2026, 2, day))
    result = look(world, batch=3)
    assert references(result) == ["CLM-5", "CLM-6", "CLM-7"]
    assert result.beyond_batch == 2


def test_each_worker_previews_its_own_claims(world: World) -> None:
    world.failed("CLM-1")
    world.pending("CLM-2")
    world.pending("CLM-3", number=None)
    assert references(look(world)) == ["CLM-1"]
    assert references(look(world, Stage.NEW)) == ["CLM-2"]


def test_a_claim_that_is_being_fetched_counts_for_its_own_worker_and_carrier(world: World) -> None:
    world.failed("CLM-1")
    world.table.lease("CLM-1", world.now + HOUR)
    assert look(world).waiting == look(world, carriers=("chronopost",)).waiting == {Why.IN_HAND: 1}
    assert look(world, carriers=("dhl_express",)).waiting == look(world, Stage.NEW).waiting == {}


def test_only_claims_of_the_named_carriers_are_previewed(world: World) -> None:
    world.failed("CLM-1")
    world.failed("CLM-2", "1234567890", carrier="DHL Express")
    world.failed("CLM-3", carrier="Heppner")
    assert references(look(world, carriers=("dhl_express",))) == ["CLM-2"]
    assert references(look(world)) == ["CLM-1", "CLM-2", "CLM-3"]


def test_claims_of_a_closed_carrier_are_deferred_outside_the_batch(world: World) -> None:
    world.many_failed(3)
    world.failed("DHL-1", "1234567890", carrier="DHL Express")
    closed = {"chronopost": Refusal(Blocked.RATE_LIMIT, "at its limit")}
    result = look(world, batch=1, closed=closed)
    assert (references(result), dict(result.left_behind)) == (["DHL-1"], {"chronopost": 3})


def test_a_claim_that_is_not_due_is_not_deferred(world: World) -> None:
    world.failed("CLM-1", updated_at=world.now)
    for until in (None, world.now + 9 * HOUR):
        result = look(world, closed={"chronopost": Refusal(Blocked.CARRIER, "unavailable", until)})
        assert (result.batch, result.left_behind, result.waiting) == ([], {}, {Why.BY_BACKOFF: 1})


def test_a_claim_without_a_number_needs_no_call_of_a_closed_carrier(world: World) -> None:
    world.failed("CLM-1", number=None)
    result = look(world, closed={"chronopost": Refusal(Blocked.RATE_LIMIT, "at its limit")})
    assert (references(result), dict(result.left_behind)) == (["CLM-1"], {})


def test_a_preview_explains_why_other_claims_wait(world: World) -> None:
    world.failed("paid", claim_status="paid")
    world.failed("held")
    world.table.lease("held", world.now + HOUR)
    world.failed("exhausted by others", retries_counted=5, updated_at=world.now - 90 * HOUR)
    world.failed("ends", retries_counted=5)
    world.table.assess("ends", State(Stage.READY, 5, failed_at=world.now, rank_at=world.now))
    world.failed("settled")
    denied = State(Stage.SETTLED, 1, next_at=world.now, rank_at=world.now, kind=ErrorKind.ACCESS_DENIED)
    world.table.assess("settled", denied)
    result = look(world)
    assert result.batch == []
    assert result.waiting == dict.fromkeys(
        (Why.SHELVED, Why.IN_HAND, Why.GIVEN_UP, Why.ENDING, Why.SETTLED), 1
    )


def test_a_claim_whose_retry_is_not_due_is_counted_as_waiting(world: World) -> None:
    """`survey` finds only those whose retry is due."""
    world.failed("new", updated_at=world.now + HOUR)
    assert look(world).waiting == {Why.BY_BACKOFF: 1}


# ---------------------------------------------------------------- a preview and the run after it

NO_CLOSING = (ErrorKind.NOT_DELIVERED_YET, ErrorKind.NOT_FOUND, ErrorKind.RETURNED_TO_SENDER)


def add_some(world: World, chance: Random) -> None:
    """Claims in states that the service or another program may have written."""
    rows: list[dict[str, Any]] = []
    for place in range(60):
        number = chance.choice([None, *[f"XY{place:09}FR"] * 5])
        row = {
            "reference": f"CLM-{place}",
            "carrier": chance.choice(["Chronopost", "Chronopost", "DHL Express", "Heppner"]),
            "number": number,
            "fetch_status": chance.choice([FetchStatus.FAILED, FetchStatus.PENDING, FetchStatus.FETCHING]),
            "claim_status": chance.choice([None, None, None, "paid"]),
            "deadline": chance.choice([None, world.now.date() + timedelta(days=chance.randrange(-60, 30))]),
            "created_at": world.now - timedelta(days=chance.randrange(1, 70)),
            "updated_at": world.now - timedelta(minutes=chance.choice([0, 30, 58, 65, 400, 9000, 90_000])),
            "retries_counted": chance.randrange(5),
            "error_text": chance.choice(["Timeout", "Access denied"]),
        }
        failures = [Failure(chance.choice(NO_CLOSING), "no") for _ in range(chance.randrange(6))]
        world.queue.answers[number or ""] = [*failures]
        rows.append(row)
    world.table.add_all(rows)


@pytest.mark.parametrize("seed", range(5))
def test_a_run_handles_the_claims_of_its_preview_in_the_same_order(
    world: World, caplog: pytest.LogCaptureFixture, seed: int
) -> None:
    """First claims that no run has seen; then those that runs under another limit have left."""
    caplog.set_level(logging.INFO, logger="__main__")
    chance = Random(seed)
    world.queue.limits = dict.fromkeys(world.queue.limits, 10_000)
    add_some(world, chance)
    for _ in range(4):
        limit = {"max_retries": chance.randrange(2, 6)}
        workers = world.fetch_worker(12, concurrency=1), world.scheduler(12, concurrency=1, policy=limit)
        for worker in workers:
            foreseen = look(world, worker.stage, 12, policy=limit if worker.stage is Stage.READY else {})
            caplog.clear()
            worker.run()
            lines = [line.partition(" for ")[2] for line in caplog.messages if line.startswith("[")]
            assert [line.partition(" ")[0] for line in lines] == references(foreseen)
        world.clock.advance(timedelta(minutes=chance.randrange(20, 3000)))

"""Runs of the fetch worker with samples: what ends them, what they leave, what the log says."""

import logging
from dataclasses import replace
from datetime import timedelta

import pytest

from recours.core.claim import Claim, FetchStatus, Snapshot, Stage, State
from recours.core.errors import ErrorKind, RunError
from recours.core.outcome import Failure, Outcome
from recours.core.policy import Policy
from recours.memory.clock import SimulatedClock
from recours.memory.table import ClaimRow
from tests.fakes.queue import GOT
from tests.fakes.world import PARIS, World

NOT_YET = Failure(ErrorKind.POD_NOT_AVAILABLE_YET, "No proof yet")
REFUSED = Failure(ErrorKind.AUTH_FAILED, "Chronopost rejects our credentials")
DOWN = Failure(ErrorKind.SERVER_ERROR, "Chronopost is unavailable")


def given_up(world: World, *answers: Outcome | Exception, count: int = 3) -> list[str]:
    """So many claims that gave up, each with these answers; returns their numbers."""
    numbers = [f"XY{place:09}FR" for place in range(1, count + 1)]
    for place, number in enumerate(numbers, 1):
        state = State(Stage.GIVEN_UP, 4, kind=ErrorKind.POD_NOT_AVAILABLE_YET, rank_at=world.now)
        assessed = Snapshot(FetchStatus.FAILED, number, "chronopost", 4)
        claim = Claim(
            place, f"CLM-{place}", carrier_name="Chronopost", carrier="chronopost", number=number,
            fetch_status=FetchStatus.FAILED, error_text="No proof", retries_counted=4, state=state, assessed=assessed,
        )  # fmt: skip
        world.table.load(claim, edited=False)
        world.queue.answers[number] = list(answers)
    return numbers


@pytest.fixture
def world(caplog: pytest.LogCaptureFixture) -> World:
    """Late in the evening of a day whose quota is hardly used."""
    caplog.set_level(logging.INFO, logger="__main__")
    world = World(policy=Policy(PARIS, samples={"chronopost": 5}))
    world.clock.advance(timedelta(hours=15))  # 23:00 UTC
    return world


def stages(world: World) -> list[Stage | None]:
    return [row.claim.state.stage for row in world.table.rows.values()]


def is_untouched(world: World) -> bool:
    """Tell whether no claim is leased, and all of them gave up as before."""
    return not world.table.leased and not world.samples.leased and set(stages(world)) == {Stage.GIVEN_UP}


def test_the_log_and_the_summary(world: World, caplog: pytest.LogCaptureFixture) -> None:
    _, second = given_up(world, NOT_YET, count=2)
    world.queue.answers[second] = []  # which brings the proof
    report = world.fetch()
    said = [record.getMessage() for record in caplog.records]
    assert [line for line in said if "CLM-" in line] == [
        "Sample of CLM-1 (Chronopost)",
        "No POD for CLM-1 - No proof yet; it stays given up",
        "Sample of CLM-2 (Chronopost)",
        "✅ SUCCESS: POD fetched for CLM-2 by a sample",
    ]
    assert (report.stats.samples, report.stats.sampled_proofs, report.stats.total) == (2, 1, 0)
    assert world.documents.secured == ["/pods/CLM-2_XY000000002FR.pdf"]
    assert [(one.outcome, one.used, one.retry) for one in world.table.attempts] == [
        ("sampled", False, 4),
        ("success", False, 4),
    ]


@pytest.mark.parametrize(("left", "comes_in", "samples"), [(3, 30, 0), (4, 30, 1), (3, 90, 1)])
def test_calls_for_claims_that_become_due_before_the_day_ends_are_kept(
    world: World, left: int, comes_in: int, samples: int
) -> None:
    """A fetch needs two calls, and the day ends in an hour."""
    given_up(world, NOT_YET, count=1)
    last_retry = State(last_retry_at=world.now - timedelta(hours=6) + timedelta(minutes=comes_in))
    world.failed("CLM-9", "XY000000009FR", retries_counted=1, state=last_retry)
    world.queue.limits["chronopost"] = left
    assert world.fetch().stats.samples == samples


def test_nothing_is_sampled_by_default_nor_by_others(world: World) -> None:
    given_up(world)
    world.retry()
    world.failed("CLM-9", "XY000000009FR")
    world.fetch(claims=("CLM-9",))
    assert world.asked == ["XY000000009FR"]
    world.queue.asked.clear()
    world.policy = replace(world.policy, samples={})
    world.fetch()
    world.policy = replace(world.policy, samples={"dhl_express": 5})
    world.fetch()
    assert world.asked == []


@pytest.mark.parametrize("answer", [REFUSED, DOWN, ValueError("a mistake")])
def test_what_the_next_answer_would_not_change_ends_the_samples(
    world: World, answer: Outcome | Exception, caplog: pytest.LogCaptureFixture
) -> None:
    given_up(world, answer)
    report = world.fetch()
    assert (len(world.asked), report.stats.samples, report.exit_status) == (1, 1, 0)
    assert is_untouched(world)
    assert ("an internal error" in caplog.text) == isinstance(answer, ValueError)


def test_a_run_that_is_stopped_begins_none(world: World) -> None:
    given_up(world, NOT_YET)
    worker = world.fetch_worker()
    world.queue.during = lambda _: worker.stop(15)
    assert worker.run().exit_status == 143
    assert (len(world.asked), worker.stats.samples) == (1, 1)
    assert is_untouched(world)


def test_calls_that_are_gone_by_then_leave_the_claim_as_it_was(world: World) -> None:
    given_up(world, NOT_YET)
    world.queue.limits["chronopost"] = 3  # a fetch needs two, and then uses one
    assert world.fetch().stats.samples == 2
    assert is_untouched(world)


def test_a_claim_that_is_set_aside_after_it_was_chosen_goes_back(world: World) -> None:
    given_up(world, NOT_YET)
    world.queue.during = lambda _: world.table.edit("CLM-2", claim_status="paid")
    assert world.fetch().stats.samples == 2
    assert world.asked == ["XY000000001FR", "XY000000003FR"]
    assert is_untouched(world)


def test_claims_that_become_due_meanwhile_come_first(world: World) -> None:
    given_up(world, NOT_YET)
    world.queue.during = lambda _: world.table.note(due(world))
    assert world.fetch().stats.samples == 1


def due(world: World) -> ClaimRow:
    row = world.table.row("CLM-3")
    row.claim = replace(row.claim, state=replace(row.claim.state, stage=Stage.READY))
    return row


def test_none_is_begun_that_could_outlast_the_lease(world: World) -> None:
    given_up(world, NOT_YET)
    world.queue.during = lambda _: world.clock.advance(timedelta(minutes=3))
    assert world.fetch().stats.samples == 2


def test_another_runs_samples_are_left_to_it(world: World) -> None:
    given_up(world, NOT_YET)
    world.samples.others = {"chronopost"}
    assert world.fetch().stats.samples == 0


def test_claims_of_clients_with_accounts_of_their_own_are_not_sampled(world: World) -> None:
    ours, _ = given_up(world, NOT_YET, count=2)
    row = world.table.row("CLM-2")
    of_client = replace(row.claim, account=7)
    assert of_client.assessed is not None
    assessed = replace(of_client.assessed, account=of_client.account_key)
    world.table.load(replace(of_client, assessed=assessed), edited=False)
    world.fetch()
    assert world.asked == [ours]


def test_only_carriers_that_the_run_is_for(world: World) -> None:
    given_up(world, NOT_YET)
    assert world.fetch(carriers=("dhl_express",)).stats.samples == 0
    assert world.fetch(carriers=("chronopost",)).stats.samples == 3


def test_a_claim_that_is_corrected_during_its_call_keeps_the_correction(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    given_up(world, GOT, count=1)
    world.queue.during = lambda _: world.table.edit("CLM-1", number="XY000000009FR")
    report = world.fetch()
    assert (report.stats.samples, report.stats.sampled_proofs) == (1, 0)
    assert "CLM-1 was edited while its call was under way" in caplog.text
    assert world.table["CLM-1"].fetch_status == FetchStatus.FAILED


def test_a_database_that_fails_ends_the_run_with_its_reason(world: World) -> None:
    given_up(world, NOT_YET)
    world.queue.during = lambda _: setattr(world.claims, "broken", "The database is full.")
    report = world.fetch()
    assert (report.exit_status, report.fault) == (1, "The database is full.")
    assert len(world.asked) == 1


def test_none_is_made_after_a_fault_of_the_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    given_up(world, NOT_YET)

    def fail() -> list[str]:
        raise RunError("The schema is gone.")

    monkeypatch.setattr(world.maintenance, "repair_keys", fail)
    assert world.fetch().exit_status == 1
    assert world.asked == []


def test_the_day_is_that_of_the_quota(world: World) -> None:
    """It ends at 0:00 UTC, an hour after midnight in Paris."""
    world.clock = SimulatedClock(world.now - timedelta(minutes=30))
    world.queue.clock = world.clock
    world.policy = replace(world.policy, samples={"chronopost": 2})
    given_up(world, NOT_YET, count=6)
    assert world.fetch().stats.samples == 2
    world.clock.advance(timedelta(minutes=40))
    assert world.fetch().stats.samples == 0
    world.clock.advance(timedelta(days=1))
    assert world.fetch().stats.samples == 2

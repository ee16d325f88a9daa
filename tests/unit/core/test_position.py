"""Where a claim stands, and whether a run that starts now handles it."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from recours.carriers.registry import CATALOG
from recours.core.claim import Claim, FetchStatus, Stage
from recours.core.errors import ErrorKind
from recours.core.outcome import Failure
from recours.core.pauses import Blocked, Refusal
from recours.core.position import Standing, Why, position
from recours.reporting.claim_status import StatusSentences
from recours.reporting.explain import Facts, explain
from recours.reporting.records import ListedClaim
from tests.fakes.world import World
from tests.unit.reporting.test_explain import HOUR, NOW, PASSED, POLICY, claim

S = Standing
USED_UP: dict[str, Any] = {"retries_used": 4}
SOON, LATER = NOW + HOUR / 20, NOW + timedelta(days=3)


@pytest.mark.parametrize(
    ("of", "standing", "why", "is_due"),
    [
        (claim(Stage.READY, **USED_UP), S.GIVEN_UP, Why.ENDING, True),
        (claim(Stage.WAITING, **USED_UP, next_at=SOON), S.GIVEN_UP, Why.ENDING, True),
        (claim(Stage.WAITING, **USED_UP, next_at=LATER), S.WAITING, Why.ENDING, False),
        (claim(Stage.SETTLED, **USED_UP, next_at=SOON), S.GIVEN_UP, Why.ENDING, True),
        (claim(Stage.SETTLED, **USED_UP, next_at=LATER), S.SETTLED, Why.ENDING, False),
        (claim(Stage.SETTLED, next_at=SOON), S.SETTLED, Why.SETTLED, True),
        (claim(Stage.SETTLED, next_at=LATER), S.SETTLED, Why.SETTLED, False),
        (claim(Stage.READY), S.READY, Why.DUE, True),
        (claim(Stage.WAITING, next_at=SOON), S.READY, Why.DUE, True),
        (claim(Stage.WAITING, next_at=LATER), S.WAITING, Why.BY_BACKOFF, False),
        (claim(Stage.NEW, "pending"), S.NEW, Why.NEW, True),
        (claim(Stage.GIVEN_UP, **USED_UP), S.GIVEN_UP, Why.GIVEN_UP, False),
        (claim(Stage.READY, "success"), S.FETCHED, Why.HAS_POD, False),
        (claim(Stage.READY, "manual"), S.LEFT_ALONE, Why.LEFT_ALONE, False),
    ],
)
def test_a_claim_is_due_if_a_run_that_begins_now_processes_it(
    of: Claim, standing: Standing, why: Why, is_due: bool
) -> None:
    where = position(of, NOW, POLICY)
    assert (where.standing, where.why, where.is_due) == (standing, why, is_due)


@pytest.mark.parametrize(
    ("of", "standing"),
    [
        (claim(Stage.READY, **PASSED), S.GIVEN_UP),
        (claim(Stage.WAITING, **PASSED, next_at=LATER), S.WAITING),
        (claim(Stage.NEW, "pending", **PASSED), S.GIVEN_UP),
    ],
)
def test_a_due_claim_long_past_its_deadline_counts_as_given_up(of: Claim, standing: Standing) -> None:
    where = position(replace(of, deadline=date(2025, 12, 24)), NOW, POLICY)
    assert (where.why, where.standing) == (Why.EXPIRING, standing)


def test_a_leased_claim_is_not_due() -> None:
    assert not position(claim(Stage.READY), NOW, POLICY, leased=True).is_due


def test_a_claim_of_a_closed_carrier_is_due() -> None:
    refusal = Refusal(Blocked.RATE_LIMIT, "at its limit", NOW + HOUR)
    where = position(claim(Stage.READY), NOW, POLICY, refusal=refusal)
    assert (where.why, where.is_due) == (Why.CLOSED, True)


# ---------------------------------------------------------------- new claims that wait


@pytest.fixture
def world() -> World:
    return World()


def test_a_claim_that_another_program_keeps_fetching_is_not_due(world: World) -> None:
    """Each change of the row shows it; the time that a run stored when it first saw the claim is less reliable."""
    started = world.now - HOUR / 2
    world.table.add("CLM-1", number="XY000000001FR", fetch_status=FetchStatus.FETCHING, updated_at=started)
    world.fetch()
    world.clock.advance(HOUR)
    world.table.edit("CLM-1", updated_at=world.now - HOUR / 3)
    for _ in range(2):  # before a run has seen it, and after
        where = position(world.table["CLM-1"], world.now, world.policy)
        assert (where.standing, where.why, where.is_due) == (S.WAITING, Why.OTHERS, False)
        assert where.next_at == world.now + HOUR * 2 / 3
        world.fetch()
        assert world.called_numbers == []
    world.clock.advance(HOUR * 2 / 3)
    assert position(world.table["CLM-1"], world.now, world.policy).why is Why.NEW
    world.fetch()
    assert world.called_numbers == ["XY000000001FR"]


def test_a_deferred_claim_waits_until_its_next_attempt(world: World) -> None:
    world.pending("CLM-1")
    until = world.now + 6 * HOUR
    refused = Failure(ErrorKind.AUTH_FAILED, "not this parcel", retry_at=until, claim_only=True)
    world.queue.answers["XY000000001FR"] = [refused]
    world.fetch()
    where = position(world.table["CLM-1"], world.now, world.policy)
    assert (where.standing, where.why, where.next_at) == (S.WAITING, Why.BY_BACKOFF, until)
    assert not where.is_due
    world.fetch()
    assert world.called_numbers == ["XY000000001FR"]
    explanation = explain(ListedClaim(world.table["CLM-1"]), Facts(), CATALOG, world.policy, world.now)
    assert explanation.sentences == ("CLM-1 is waiting for its next attempt on 2 Feb 2026, 15:00 CET.",)


# ---------------------------------------------------------------- a lowered --max-retries, for people


@pytest.mark.parametrize(
    ("next_at", "english", "french"),
    [
        (
            NOW,
            "CLM-1 has no retries left: recours gives up on it in the next run.",
            "CLM-1 : plus aucune relance, la recherche est abandonnée à la prochaine exécution.",
        ),
        (
            LATER,
            "CLM-1 has no retries left: recours gives up on it on 5 Feb 2026, 09:00 CET.",
            "CLM-1 : plus aucune relance, la recherche est abandonnée le 05/02/2026 à 09 h 00 CET.",
        ),
    ],
)
def test_a_claim_without_retries_left_is_given_up_when_it_is_due(
    next_at: Any, english: str, french: str
) -> None:
    of = claim(Stage.WAITING, **USED_UP, next_at=next_at)
    where = position(of, NOW, POLICY)
    for language, sentence in {"en": english, "fr": french}.items():
        sentences = StatusSentences(language, POLICY.zone)
        status = sentences.status(ListedClaim(of), where, carrier="Chronopost", asked_count=4)
        assert (status.sentence, status.next_try_at) == (sentence, None)

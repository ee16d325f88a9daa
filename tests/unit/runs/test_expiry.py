"""Claims long past their deadline: tried once, then given up."""

import logging
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from recours.carriers.registry import CATALOG
from recours.core.assessment import assess
from recours.core.claim import Stage
from recours.core.errors import ErrorKind
from recours.core.mail import EventName, MailKind, OutboxEvent
from recours.core.order import is_expired, mark_asked
from recours.core.outcome import Failure
from recours.core.position import Why
from recours.mail.render import Branding, render
from recours.reporting.plan import Preview, preview
from tests.fakes.world import World

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
N = "XY000000001FR"
PASSED = date(2025, 12, 20)  # 44 days before the start of the world
OUTAGE = Failure(ErrorKind.NOT_DELIVERED_YET, "The parcel is on its way")


@pytest.fixture
def world(caplog: pytest.LogCaptureFixture) -> World:
    caplog.set_level(logging.INFO, logger="__main__")
    world = World()
    world.queue.answers[N] = [OUTAGE] * 9
    return world


def pending(world: World, **columns: Any) -> None:
    world.pending("CLM-1", N, **{"deadline": PASSED, "created_at": world.now - 60 * DAY} | columns)


def expired_lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [line for record in caplog.records if "EXPIRED" in (line := record.getMessage())]


def preview_of(world: World) -> Preview:
    """The preview of a dry run of the scheduler."""
    rows = [(claim, False) for claim in world.table.claims()]
    return preview(rows, Stage.READY, 30, (), {}, world.policy, world.now)


def test_an_expired_claim_is_tried_once_and_then_given_up(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    pending(world)
    world.fetch()
    world.clock.advance(2 * HOUR)
    report = world.retry()
    claim = world.table["CLM-1"]
    assert world.called_numbers == [N], "once"
    assert (claim.state.stage, claim.fetch_status) == (Stage.GIVEN_UP, "failed")
    assert claim.error_text == (
        "Given up: the claim's response deadline passed long ago (last answer: The parcel is on its way)"
    )
    assert report.stats.max_retries_reached == 1
    assert expired_lines(caplog) == [
        "🛑 EXPIRED: gave up on 1 claim whose response_deadline passed more than 30 days ago "
        "(RECOURS_EXPIRE_DAYS): CLM-1"
    ]
    assert [(event.name, event.audience) for event in world.table.events] == [("expired", "operator")]


def test_an_expired_claim_denied_without_using_an_attempt_is_tried_only_once(world: World) -> None:
    pending(world)
    denied = Failure(
        ErrorKind.ACCOUNT_DENIED,
        "Not for us",
        retry_at=world.now + 6 * HOUR,
        claim_only=True,
        http_status=403,
    )
    world.queue.answers[N] = [denied] * 9
    world.each_hour(30, world.fetch)
    assert world.called_numbers == [N], "once, and not every six hours for ever"
    assert world.table["CLM-1"].state.stage is Stage.GIVEN_UP


def test_no_later_run_retries_an_expired_claim(world: World) -> None:
    pending(world)
    world.fetch()
    world.each_hour(100, world.retry)
    assert world.called_numbers == [N]
    assert world.table["CLM-1"].state.retries_used == 0, "no attempt is made up"


@pytest.mark.parametrize(
    "columns",
    [
        {"deadline": None},
        {"deadline": date(2026, 1, 10)},  # passed 23 days ago
        {"created_at": datetime(2026, 1, 20, tzinfo=UTC)},  # created long after its deadline
    ],
    ids=["no deadline", "not long over", "made since"],
)
def test_a_claim_that_has_not_expired_is_not_given_up(world: World, columns: dict[str, Any]) -> None:
    pending(world, **columns)
    world.fetch()
    world.clock.advance(2 * HOUR)
    world.retry()
    assert len(world.called_numbers) == 2


@pytest.mark.parametrize(
    "policy", [{"expire_after": None}, {"adopted_at": datetime(2026, 1, 30, tzinfo=UTC)}]
)
def test_nothing_expires_if_turned_off_or_soon_after_the_first_run(
    world: World, policy: dict[str, Any]
) -> None:
    world.policy = replace(world.policy, **policy)
    pending(world)
    world.fetch()
    world.clock.advance(2 * HOUR)
    world.retry()
    assert len(world.called_numbers) == 2


def test_a_corrected_claim_gets_every_retry_again(world: World) -> None:
    pending(world)
    world.fetch()
    world.clock.advance(2 * HOUR)
    world.retry()
    world.queue.answers["XY000000002FR"] = [OUTAGE] * 9
    world.table.edit("CLM-1", number="XY000000002FR")
    world.each_hour(110, world.retry)
    assert world.called_numbers == [N, *["XY000000002FR"] * 4], "every retry of its backoff"


def test_moving_the_deadline_resumes_an_expired_claim(world: World) -> None:
    pending(world)
    world.fetch()
    world.clock.advance(2 * HOUR)
    world.retry()
    world.table.edit("CLM-1", deadline=date(2026, 3, 1))
    world.each_hour(3, world.retry)
    assert world.called_numbers == [N, N]


def test_many_expired_claims_are_logged_in_one_line(world: World, caplog: pytest.LogCaptureFixture) -> None:
    for place in range(1, 9):
        number = f"XY{place:09}FR"
        world.queue.answers[number] = [OUTAGE] * 2
        world.pending(f"CLM-{place}", number, deadline=PASSED, created_at=world.now - 60 * DAY)
    world.fetch()
    world.clock.advance(2 * HOUR)
    assert world.retry().stats.max_retries_reached == 8
    assert len(expired_lines(caplog)) == 1
    assert "gave up on 8 claims" in expired_lines(caplog)[0]
    assert "and 3 more" in expired_lines(caplog)[0]


def test_a_dry_run_does_not_expire_a_claim(world: World) -> None:
    pending(world)
    world.fetch()
    world.clock.advance(2 * HOUR)
    assert (preview_of(world).batch, preview_of(world).waiting) == ([], {Why.EXPIRING: 1})


def test_claims_never_fetched_do_not_expire(world: World) -> None:
    pending(world)
    claim = world.table["CLM-1"]
    state = assess(claim, world.now, world.policy)
    assert not is_expired(state, world.now, world.policy)
    assert is_expired(mark_asked(claim, state, world.policy), world.now, world.policy)


@pytest.mark.parametrize(
    ("language", "subject", "expected"),
    [
        (
            "en",
            "Deadline passed – 3 claims given up",
            ["3 claims given up: deadline passed", "passed more than 30 days ago", "recours reopen CLM-0"],
        ),
        (
            "fr",
            "Échéance dépassée – 3 réclamations abandonnées",
            ["3 réclamations abandonnées", "dépassée depuis plus de 30 jours", "recours reopen CLM-0"],
        ),
    ],
)
def test_the_operators_email_lists_an_expired_claim_once(
    language: str, subject: str, expected: list[str]
) -> None:
    events = [
        OutboxEvent(
            n, EventName.EXPIRED, n, "chronopost", N, datetime(2026, 2, 2, tzinfo=UTC),
            {"reference": f"CLM-{n}", "days": 30, "deadline": "2025-12-20", "attempts": 0},
        )
        for n in range(3)
    ]  # fmt: skip
    mail = render(MailKind.OPERATOR_SUMMARY, events, language, None, Branding(), CATALOG)
    for words in (*expected, "CLM-0, CLM-1, CLM-2"):
        assert words in mail.plain.replace("\n", " ")
    assert mail.subject == subject

"""Runs of the scheduler over claims with a deadline: one more attempt before it, and the log lines."""

import logging
from dataclasses import replace
from datetime import date, timedelta

import pytest

from recours.carriers.registry import CATALOG
from recours.core.errors import ErrorKind
from recours.core.mail import EventName, MailKind, OutboxEvent
from recours.core.outcome import Failure
from recours.core.position import Standing, Why, position
from recours.mail.render import Branding, render
from recours.reporting.claim_status import StatusSentences
from recours.reporting.records import ListedClaim
from tests.fakes.world import World

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
N = "XY000000001FR"
DEADLINE = date(2026, 2, 12)  # the world begins on the 2nd at 9:00 in Paris
ON_THE_WAY = Failure(ErrorKind.NOT_DELIVERED_YET, "The parcel is on its way")


@pytest.fixture
def world(caplog: pytest.LogCaptureFixture) -> World:
    caplog.set_level(logging.INFO, logger="__main__")
    world = World()
    world.policy = replace(world.policy, last_attempt=30 * HOUR)
    world.queue.answers[N] = [ON_THE_WAY] * 9
    world.failed("CLM-1", N, deadline=DEADLINE)
    return world


def used_up(world: World) -> None:
    """Five days of runs, until its retries are used."""
    world.each_hour(120, world.retry)
    assert world.table["CLM-1"].state.retries_used == 4


def lines(caplog: pytest.LogCaptureFixture, part: str) -> list[str]:
    return [line for record in caplog.records if part in (line := record.getMessage())]


def test_the_last_attempt_is_announced_made_and_counted(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    used_up(world)
    assert lines(caplog, "last attempt") == [
        "❌ FAILED: CLM-1 - The parcel is on its way; one last attempt on 2026-02-11 18:00, 30 h before the deadline"
    ]
    assert (len(world.called_numbers), world.table.events) == (4, [])
    caplog.clear()
    reports = []
    world.each_hour(140, lambda: reports.append(world.retry()))
    assert len(world.called_numbers) == 5
    assert lines(caplog, "CLM-1") == [
        "[1] Last attempt for CLM-1 (Chronopost)",
        "🛑 FINAL FAILURE: CLM-1 gave up after 4 attempts and a last attempt - The parcel is on its way",
    ]
    (report,) = [report for report in reports if report.stats.total]
    assert (report.stats.failed, report.stats.last_attempts, report.stats.max_retries_reached) == (1, 1, 1)
    assert report.as_json()["last_attempts"] == 1
    assert "Last attempts: 1" in report.lines()
    assert "last_attempts" not in reports[0].as_json()
    assert not any("Last attempts" in line for line in reports[0].lines())
    assert world.table["CLM-1"].retries_counted == 4


def test_a_successful_last_attempt_counts_as_an_attempt(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    used_up(world)
    del world.queue.answers[N]
    world.each_hour(140, world.retry)
    assert lines(caplog, "SUCCESS") == ["✅ SUCCESS: POD fetched for CLM-1 after 5 attempts"]


def test_a_requested_attempt_is_not_the_last_attempt(world: World, caplog: pytest.LogCaptureFixture) -> None:
    used_up(world)
    caplog.clear()
    report = world.retry(claims=("CLM-1",))
    assert lines(caplog, "CLM-1") == [
        "[1] Retry #5 for CLM-1 (Chronopost)",
        "❌ FAILED: CLM-1 - The parcel is on its way; next attempt unchanged (2026-02-11 18:00)",
    ]
    assert report.stats.last_attempts == 0
    world.each_hour(140, world.retry)
    assert len(world.called_numbers) == 6


def test_after_a_fault_the_last_attempt_is_repeated_without_using_an_attempt(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    used_up(world)
    caplog.clear()
    world.queue.answers[N] = [Failure(ErrorKind.SERVER_ERROR, "unavailable", http_status=503)] * 3
    world.each_hour(140, world.retry)
    again = "⏸️ DEFERRED: CLM-1 - unavailable; no attempt was used, its last attempt is repeated at 2026-02-11"
    assert lines(caplog, "CLM-1") == [
        "[1] Last attempt for CLM-1 (Chronopost)",
        f"{again} 19:00",
        "[1] Last attempt for CLM-1 (Chronopost)",
        f"{again} 20:00",
        "[1] Last attempt for CLM-1 (Chronopost)",
        f"{again} 21:00",
        "[1] Last attempt for CLM-1 (Chronopost)",
        "✅ SUCCESS: POD fetched for CLM-1 after 5 attempts",
    ]
    assert world.queue.used["chronopost"] == 8, "each call takes its unit"


def test_after_the_deadline_the_claim_is_given_up_without_a_last_attempt(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    used_up(world)
    world.clock.advance(20 * DAY)
    assert world.retry().stats.last_attempts == 0
    assert len(world.called_numbers) == 4
    assert lines(caplog, "FINAL") == [
        "🛑 FINAL FAILURE: CLM-1 gave up after 4 attempts - The parcel is on its way"
    ]


# ---------------------------------------------------------------- where it stands


def test_the_position_before_and_when_the_last_attempt_is_due(world: World) -> None:
    used_up(world)
    claim = world.table["CLM-1"]
    where = position(claim, world.now, world.policy)
    assert (where.why, where.standing, where.is_last, where.asks) == (
        Why.BY_BACKOFF,
        Standing.WAITING,
        True,
        True,
    )
    assert where.next_at == claim.state.last_attempt_at
    assert claim.state.last_attempt_at is not None
    due = position(claim, claim.state.last_attempt_at, world.policy)
    assert (due.why, due.is_last, due.is_due) == (Why.DUE, True, True)
    late = position(claim, claim.state.last_attempt_at + 2 * DAY, world.policy)
    assert (late.why, late.is_last, late.next_at) == (Why.ENDING, False, None)


@pytest.mark.parametrize(
    ("language", "waits", "is_due"),
    [
        (
            "en",
            "CLM-1 is waiting until 11 Feb 2026, 18:00 CET for one last attempt before its deadline. Last result: ",
            "CLM-1 is due. The next run makes one last attempt before its deadline. Last result: ",
        ),
        (
            "fr",
            "CLM-1 : une dernière tentative est prévue le 11/02/2026 à 18 h 00 CET, avant l'échéance. Dernier résultat : ",
            "CLM-1 : la prochaine exécution fait une dernière tentative avant l'échéance. Dernier résultat : ",
        ),
    ],
)
def test_the_status_for_the_service_mentions_the_last_attempt(
    world: World, language: str, waits: str, is_due: str
) -> None:
    used_up(world)
    claim, sentences = world.table["CLM-1"], StatusSentences(language, world.policy.zone)
    for at, begins in ((world.now, waits), (claim.state.next_at or world.now, is_due)):
        where = position(claim, at, world.policy)
        told = sentences.status(ListedClaim(claim), where, carrier="Chronopost", asked_count=4)
        assert told.sentence.startswith(begins)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "Given up after 4 attempts and a last attempt before the deadline"),
        ("fr", "Abandonnée après 4 tentatives, puis une dernière avant l'échéance"),
    ],
)
def test_the_operators_email_mentions_the_last_attempt(world: World, language: str, text: str) -> None:
    used_up(world)
    world.each_hour(140, world.retry)
    (event,) = world.table.events
    told = OutboxEvent(1, EventName.GAVE_UP, 1, "chronopost", N, world.now, dict(event.facts))
    mail = render(
        MailKind.OPERATOR_SUMMARY, [told], language, None, Branding(zone=world.policy.zone), CATALOG
    )
    assert text in mail.plain
    before = replace(told, facts={name: fact for name, fact in event.facts.items() if name != "last_attempt"})
    mail = render(
        MailKind.OPERATOR_SUMMARY, [before], language, None, Branding(zone=world.policy.zone), CATALOG
    )
    assert text not in mail.plain

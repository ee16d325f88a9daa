"""Lanes of client accounts: what closes one, what closes all lanes of its carrier, and the messages about it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from recours.core.carrier import Catalog
from recours.core.errors import ErrorKind
from recours.core.mail import EventName
from recours.core.outcome import Failure
from recours.runs.lane import LANES_AT_ONCE
from tests.fakes.carriers import CHRONOPOST, DHL
from tests.fakes.world import World

UNTIL = datetime(2026, 2, 2, 15, tzinfo=UTC)
ACCOUNTS = range(6)  # the default account and those of five clients
DENIED = Failure(ErrorKind.ACCESS_DENIED, "The parcel does not belong to our Chronopost contract", 403)
DOWN = Failure(ErrorKind.SERVER_ERROR, "Chronopost is unavailable", 503)


@pytest.fixture
def world() -> World:
    client_accounts = {account: {CHRONOPOST.key: account} for account in range(1, LANES_AT_ONCE + 5)}
    world = World(catalog=Catalog([CHRONOPOST, DHL], client_accounts=client_accounts))
    world.queue.limits |= {key_of(account): 100 for account in ACCOUNTS}
    return world


def key_of(account: int) -> str:
    return f"chronopost#{account}" if account else "chronopost"


def number_of(account: int, place: int) -> str:
    return f"XY{account:02}{place:07}FR"


def claims(world: World, each: int = 2, accounts: Sequence[int] = ACCOUNTS) -> None:
    """Due claims of each account, with decreasing urgency by account."""
    for place in range(each):
        for account in accounts:
            failed_at = world.now - timedelta(hours=9) + timedelta(minutes=10 * place + account)
            number = number_of(account, place)
            world.failed(f"CLM-{account}-{place}", number, client_id=account or None, updated_at=failed_at)


def answers(world: World, account: int, *failures: Failure) -> None:
    for place, failure in enumerate(failures):
        world.queue.answers[number_of(account, place)] = [failure]


def asked_of(world: World) -> list[int]:
    """How many claims of each account were tried."""
    return [
        sum(number.startswith(f"XY{account:02}") for number in world.called_numbers) for account in ACCOUNTS
    ]


def faults(world: World) -> list[tuple[str, Any, Any]]:
    events = [event for event in world.journal.events if event.name is EventName.ACCOUNT_FAULT]
    return [(event.carrier, event.facts["carrier"], event.facts.get("client")) for event in events]


def run(world: World) -> Any:
    return world.retry(concurrency=1, carrier_concurrency=1)


@pytest.mark.parametrize(
    ("failures", "asked"),
    [
        ([(0, DOWN), (1, DOWN), (2, DOWN)], 3),  # regardless of the account
        ([(2, replace(DOWN, retry_at=UNTIL))], 3),  # those before it had their answers
        ([(1, DOWN), (3, DOWN), (5, DOWN)], 12),  # answers between them
    ],
)
def test_an_outage_closes_all_lanes_of_the_carrier(
    world: World, caplog: pytest.LogCaptureFixture, failures: Sequence[tuple[int, Failure]], asked: int
) -> None:
    claims(world)
    world.failed("CLM-DHL", "1234567890", carrier="DHL Express")
    for account, failure in failures:
        answers(world, account, failure)
    report = run(world)
    assert sum(asked_of(world)) == asked
    assert report.stats.skipped_carrier == 12 - asked
    assert "1234567890" in world.called_numbers
    is_closed = asked < 12
    closed = [line for line in caplog.messages if line.startswith(("⚠️ Skipped:", "⚠️ Skipped until"))]
    assert len(closed) == is_closed, "once, for all its accounts"
    assert set(world.queue.used) >= {"dhl_express"}


def test_an_outage_closes_lanes_that_were_not_used_before(world: World) -> None:
    many = range(1, LANES_AT_ONCE + 5)
    world.queue.limits |= {key_of(account): 100 for account in many}
    claims(world, 1, many)
    for account in (1, 2, 3):
        answers(world, account, DOWN)
    assert run(world).stats.skipped_carrier == len(many) - 3
    assert len(world.called_numbers) == 3


def test_many_denials_are_reported_with_the_command_for_their_account(world: World) -> None:
    claims(world, 8, accounts=[1, 2])
    answers(world, 1, *[DENIED] * 8)
    run(world)
    assert asked_of(world)[1:3] == [8, 8]
    assert faults(world) == [(key_of(1), "Chronopost", "client-1@shop.example")]
    (event,) = [event for event in world.journal.events if event.name is EventName.ACCOUNT_FAULT]
    assert event.facts["error"] == (
        "Chronopost denied the account of client-1@shop.example access to many parcels in one run (8). If the "
        "account is the cause, have the carrier fix it, then run: recours reopen --error access_denied --carrier Chronopost --account client-1@shop.example"
    )

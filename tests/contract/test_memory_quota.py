"""The counts in memory are those of the database, whatever is reserved, called, given back and left."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from recours.carriers.reservation import QuotaStore
from recours.core.errors import ErrorKind
from recours.core.pauses import AccountState, CarrierState, Pause, Stop
from recours.core.quota import Exhausted, QuotaRequest, Reserved, Usage, parse_limits
from recours.database.engine import Database
from recours.database.quota import QuotaTables
from recours.memory.quota import MemoryQuota

NOW = datetime(2026, 2, 2, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
LIMITS = parse_limits("9/day@Europe/Paris,5/hour,3/10seconds", "ups", None, "UTC")


@pytest.fixture
def stores(database: Database) -> tuple[QuotaStore, QuotaStore]:
    return QuotaTables(database, "run-1"), MemoryQuota((), NOW, {})


@dataclass
class Both:
    """Does to both stores what runs do, by chance, and compares what they answer."""

    stores: tuple[QuotaStore, QuotaStore]
    chance: Random
    now: datetime = NOW
    held: list[Reserved] = field(default_factory=list)
    used: list[Reserved] = field(default_factory=list)

    def reserve(self) -> None:
        wanted = [QuotaRequest(limit, 1, self.chance.choice((0, 0, 2))) for limit in LIMITS]
        got = _same(store.reserve(wanted, self.now, self.now + HOUR) for store in self.stores)
        if not isinstance(got, Exhausted):
            self.held += [one for one in got if not one.limit.window.is_short]

    def consume(self) -> None:
        if one := self._taken_from(self.held):
            is_used = _same(store.consume(one, self.now + HOUR) for store in self.stores)
            self.used += [one] if is_used else []

    def give_back(self) -> None:
        if one := self._taken_from(self.held):
            for store in self.stores:
                store.give_back(one, kept=1)

    def refund(self) -> None:
        if one := self._taken_from(self.used):
            for store in self.stores:
                store.give_back(one, used=1)

    def leave(self) -> None:
        self.held.clear()
        for store in self.stores:
            store.leave()

    def _taken_from(self, units: list[Reserved]) -> Reserved | None:
        return units.pop(self.chance.randrange(len(units))) if units else None


@pytest.mark.parametrize("seed", range(3))
def test_both_answer_the_same(stores: tuple[QuotaStore, QuotaStore], seed: int) -> None:
    both = Both(stores, Random(seed))
    steps = [both.reserve] * 8 + [both.consume, both.give_back, both.refund] * 3 + [both.leave]
    refused = 0
    for _ in range(120):
        both.now += timedelta(seconds=both.chance.choice((0, 0, 7, 900)))
        both.chance.choice(steps)()
        uses = _same(store.uses(LIMITS, both.now) for store in stores)
        refused += any(not use.left for use in uses)
    assert refused > 3


def _same(answers: Any) -> Any:
    first, second = answers
    assert first == second
    return first


def test_what_is_known_of_a_carrier(stores: tuple[QuotaStore, QuotaStore]) -> None:
    refused = AccountState(1, NOW + HOUR, "no", "00", "11", ErrorKind.ACCOUNT_DENIED, None)
    for store in stores:
        store.pause("ups", NOW + 2 * HOUR, "wait", NOW)
        store.pause("ups", NOW + HOUR, "wait less", NOW)
        store.stop("ups", Stop(NOW, "works"), "lea")
        store.stop("ups", Stop(NOW + HOUR, "still"), "lea")
        store.set_account_state("ups", refused)
        assert not store.try_again("ups", NOW, NOW + 3 * HOUR)
    known = _same(store.carrier_state("ups") for store in stores)
    assert known == CarrierState(
        pause=Pause(NOW + 2 * HOUR, "wait"), account=refused, stopped=Stop(NOW, "still")
    )
    assert _same(store.try_again("ups", NOW + HOUR, NOW + 3 * HOUR) for store in stores)
    assert _same(store.take_up("ups", "lea", NOW) for store in stores) == Stop(NOW, "still")
    assert _same(store.take_up("ups", "lea", NOW) for store in stores) is None
    _same(store.carrier_state("ups") for store in stores)
    assert _same(store.carrier_state("gls") for store in stores) == CarrierState()


def test_what_one_account_is_asked_and_refused_is_not_the_others(
    stores: tuple[QuotaStore, QuotaStore],
) -> None:
    refused, client, other = AccountState(2, NOW + HOUR, "no", "00", "11"), "ups#17", "ups#18"
    for store in stores:
        store.set_account_state(client, refused)
        store.pause(client, NOW + HOUR, "too many calls", NOW)
        store.pause_carrier("ups", NOW + 2 * HOUR, "unavailable", NOW)
        store.pause_carrier("ups", NOW + HOUR, "unavailable, less", NOW)
        store.stop("ups", Stop(NOW, "works"), "lea")
        store.stop(client, Stop(NOW, "unpaid"), "lea")
        store.stop(client, Stop(NOW + HOUR, "still unpaid"), "lea")
    for_all = CarrierState(outage=Pause(NOW + 2 * HOUR, "unavailable"), stopped=Stop(NOW, "works"))
    for key in ("ups", other):
        assert _same(store.carrier_state(key) for store in stores) == for_all
        assert not _same(store.try_again(key, NOW + HOUR, NOW + 3 * HOUR) for store in stores)
    known = _same(store.carrier_state(client) for store in stores)
    assert known == replace(
        for_all,
        pause=Pause(NOW + HOUR, "too many calls"),
        account=refused,
        own_stop=Stop(NOW, "still unpaid"),
    )
    assert known.pause_at(NOW) == for_all.outage
    assert known.pause_at(NOW + 2 * HOUR) is None
    assert _same(store.try_again(client, NOW + HOUR, NOW + 3 * HOUR) for store in stores)
    assert not _same(store.try_again(client, NOW + HOUR, NOW + 3 * HOUR) for store in stores)


def test_what_was_used_before_is_counted() -> None:
    uses = [Usage(limit, used=2, reserved=1, resets_at=NOW) for limit in LIMITS]
    assert [use.left for use in MemoryQuota(uses, NOW, {}).uses(LIMITS, NOW)] == [6, 2, 0]

"""Claims, carriers and rules for forecasts: no run has seen these claims, all of them are due."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from recours.carriers.queue import APIRequestQueue
from recours.carriers.registry import CATALOG
from recours.carriers.reservation import Account, CarrierConnection
from recours.core.claim import Claim, FetchStatus
from recours.core.pauses import CarrierState
from recours.core.policy import Policy
from recours.core.quota import Limit, Usage, parse_limits
from recours.memory.quota import MemoryQuota
from recours.operations.forecast.facts import CarrierFacts, Rules
from recours.runs.fetch import PODFetchWorker
from recours.runs.ports import Clock, Reservation
from recours.runs.retry import PODRetryScheduler
from recours.sandbox import SimulatedClock
from recours.wiring.plan import assumed_account
from tests.fakes.simulated import client_of

NOW = datetime(2026, 2, 2, 8, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)
ZONE = "Europe/Paris"
POLICY = Policy(ZoneInfo(ZONE))
RETRY, FETCH = PODRetryScheduler.name, PODFetchWorker.name
NUMBERS = {"Chronopost": "XY{:09d}FR", "UPS": "1Z{:016d}", "DHL Express": "{:010d}", "Nobody": "{}"}


def claim(n: int, **columns: Any) -> Claim:
    """A failed claim, due since long."""
    name = columns.pop("name", "Chronopost")
    number = columns.pop("number", NUMBERS[name].format(n))
    row: dict[str, Any] = {
        "fetch_status": FetchStatus.FAILED,
        "updated_at": NOW - timedelta(hours=200, minutes=n),
    } | columns
    return Claim(
        n, f"CLM-{n}", carrier_name=name, carrier=CATALOG.resolve(name, number), number=number, **row
    )


class Carriers:
    """What is known of all carriers now: their limits, how much of each is used, and what keeps them closed."""

    def __init__(
        self,
        quotas: Mapping[str, str] | None = None,
        *,
        used: int = 0,
        states: Mapping[str, CarrierState] | None = None,
    ) -> None:
        given = quotas or {}
        limits = {key: parse_limits(given.get(key, "1000/day"), key, None, ZONE) for key in CATALOG.specs}
        uses = [Usage(limit, min(used, limit.number), 0, NOW) for of in limits.values() for limit in of]
        self.quota = MemoryQuota(uses, NOW, states or {})
        self.limits = [use.limit for use in uses]
        self._accounts = {key: _account(key, of) for key, of in limits.items()}

    def queue(self, clock: Clock) -> APIRequestQueue:
        assumed = {key: assumed_account(one, clock) for key, one in self._accounts.items()}
        return APIRequestQueue(assumed, self.quota, clock)

    @property
    def facts(self) -> dict[str, CarrierFacts]:
        queue = self.queue(SimulatedClock(NOW))
        return {
            key: CarrierFacts(queue.usage(key), next(iter(queue.closings(key)), None))
            for key in CATALOG.specs
        }


def _account(key: str, limits: tuple[Limit, ...]) -> Account:
    def never(reservation: Reservation) -> CarrierConnection:
        raise AssertionError(f"a call: {reservation}")

    return Account(CATALOG.specs[key], limits, client_of(key), never, credentials=())


def rules(carriers: Carriers | None = None, retry: int = 30, fetch: int = 50, **more: Any) -> Rules:
    carriers = carriers or Carriers()
    usual: dict[str, Any] = {
        "policy": POLICY,
        "catalog": CATALOG.with_accounts(CATALOG.specs),
        "queue": carriers.queue,
        "batch_sizes": {RETRY: retry, FETCH: fetch},
    }
    return Rules(**(usual | more))

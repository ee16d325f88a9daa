"""Claims, carriers and rules for forecasts: no run has seen these claims, all of them are due."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from recours.carriers.registry import CATALOG
from recours.core.claim import Claim, FetchStatus
from recours.core.policy import Policy
from recours.core.quota import Capability, Usage, parse_limits
from recours.operations.forecast.facts import CarrierFacts, Rules
from recours.runs.fetch import PODFetchWorker
from recours.runs.retry import PODRetryScheduler

NOW = datetime(2026, 2, 2, 8, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)
POLICY = Policy(ZoneInfo("Europe/Paris"))
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


def facts(quotas: dict[str, str], used: int = 0) -> dict[str, CarrierFacts]:
    found = {}
    for key, spec in CATALOG.specs.items():
        limits = parse_limits(quotas.get(key, "1000/day"), key, None, "Europe/Paris")
        uses = [Usage(limit, min(used, limit.number), 0, NOW) for limit in limits]
        setup_calls = {Capability.TOKEN: 1} if Capability.TOKEN in spec.limits else {}
        found[key] = CarrierFacts(spec, uses, setup_calls=setup_calls)
    return found


def rules(retry: int = 30, fetch: int = 50, **more: Any) -> Rules:
    catalog = CATALOG.with_accounts(CATALOG.specs)
    usual: dict[str, Any] = {
        "policy": POLICY,
        "catalog": catalog,
        "batch_sizes": {RETRY: retry, FETCH: fetch},
    }
    return Rules(**(usual | more))

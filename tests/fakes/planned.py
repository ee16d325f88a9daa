"""Claims, accounts and terms for plans. All claims are open and due, and no run has assessed them."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from recours.carriers.registry import CATALOG
from recours.core.claim import Claim, FetchStatus
from recours.core.pauses import Refusal
from recours.core.policy import Policy
from recours.core.quota import Usage, parse_limits
from recours.reporting.plan import AccountFacts, Terms, planned_claim
from recours.runs.worker import PODFetchWorker, PODRetryScheduler

NOW = datetime(2026, 2, 2, 8, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)
ZONE = "Europe/Paris"
POLICY = Policy(ZoneInfo(ZONE))
RETRY, FETCH = PODRetryScheduler.name, PODFetchWorker.name
_NUMBERS = {"Chronopost": "XY{:09d}FR", "UPS": "1Z{:016d}", "FedEx": "{:012d}", "Nobody": "{}"}


def claim(n: int, **columns: Any) -> Claim:
    """A failed claim that has been due for a long time."""
    name = columns.pop("name", "Chronopost")
    number = columns.pop("number", _NUMBERS[name].format(n))
    row: dict[str, Any] = {
        "fetch_status": FetchStatus.FAILED,
        "updated_at": NOW - timedelta(hours=200, minutes=n),
    } | columns
    carrier = CATALOG.resolve(name, number)
    return Claim(n, f"CLM-{n}", carrier_name=name, carrier=carrier, number=number, **row)


def planned(*claims: Claim, policy: Policy = POLICY) -> list[Claim]:
    return [found for each in claims if (found := planned_claim(each, NOW, policy))]


def account(key: str, quota: str = "1000/day", closing: Refusal | None = None) -> AccountFacts:
    if not key:
        return AccountFacts("")
    limits = parse_limits(quota, key, None, ZONE)
    uses = [Usage(limit, 0, limit.window.around(NOW)[1]) for limit in limits]
    return AccountFacts(CATALOG.name_of(key), CATALOG.specs[key], uses, closing)


def terms(policy: Policy = POLICY, *, retry: int = 30, fetch: int = 50, **more: Any) -> Terms:
    catalog = CATALOG.with_accounts(CATALOG.specs)
    return Terms(policy, catalog, {RETRY: retry, FETCH: fetch}, **more)

"""Generated claims of a service over four weeks with their carriers' future answers, for `bench_yield`.

No number here was measured at a real service, or chosen to get a certain result. A seed always yields the same
population.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import TypeVar
from zoneinfo import ZoneInfo

from recours.core.claim import deadline_end
from recours.core.errors import ErrorKind

ZONE = ZoneInfo("Europe/Paris")
START = datetime(2026, 3, 2, tzinfo=ZONE).astimezone(
    UTC
)  # a Monday; summer time begins within the four weeks
ARRIVAL_DAYS = 28
END = START + timedelta(days=61)  # after every deadline

# Calls a day, and the number of claims out of three that are the carrier's. Claims and calls are proportional.
QUOTAS = {"chronopost": 100, "dhl_express": 50}
_NAMES = {"chronopost": "Chronopost", "dhl_express": "DHL Express"}
_SHARES = {"chronopost": 2, "dhl_express": 1}


@dataclass(frozen=True)
class Regime:
    """The number of claims on a working day (half as many on weekends), and of new claims at the start.

    `is_of_old`: claims are filed weeks after the delivery, and the carrier retrieves their proofs from an archive at
    the first request. `failed`: the number of claims at the start whose first fetch has already failed.
    """

    name: str
    a_day: float
    backlog: int = 0
    is_of_old: bool = False
    failed: int = 0


REGIMES = (
    Regime("light", 10),
    Regime("medium", 25),
    Regime("busy", 45),
    Regime("scarce", 90),
    Regime("backlog", 10, backlog=640),
)
ARCHIVE = Regime("archive", 25, is_of_old=True)
MANY_FAILED = Regime("many failed", 25, failed=1500)


@dataclass(frozen=True)
class Outage:
    """A time in which a carrier answers each call with its own error."""

    carrier: str
    begins: datetime
    ends: datetime


@dataclass(frozen=True)
class Case:
    """A claim and the future of its parcel. Datetimes are aware UTC."""

    id: int
    carrier: str  # the carrier's key
    number: str
    client: int
    amount: float  # in euros
    created_at: datetime
    deadline: date | None
    delivered_at: datetime | None  # None if it is never delivered
    proof_at: datetime | None  # the earliest time of the proof; None if there is never a proof
    # The carrier's permanent answer: to the document call if the parcel is delivered, or else to tracking.
    hopeless: ErrorKind | None = None
    has_failed: bool = False  # whether a fetch failed before the first run
    archived: timedelta | None = None  # time from the first request until the archive provides the proof

    @property
    def reference(self) -> str:
        return f"CLM-{self.id:05d}"

    @property
    def carrier_name(self) -> str:
        return _NAMES[self.carrier]

    @property
    def can_be_called(self) -> bool:
        """Whether the number is valid at the carrier. No call is made for an invalid number."""
        return self.hopeless is not ErrorKind.INVALID_TRACKING

    @property
    def ends(self) -> datetime | None:
        """The time at which the deadline passes."""
        return deadline_end(self.deadline, ZONE) if self.deadline else None

    def tracked(self, at: datetime) -> ErrorKind | None:
        """The failure of tracking, or None if the parcel is delivered."""
        if self.delivered_at is None:
            return self.hopeless or ErrorKind.NOT_DELIVERED_YET
        return None if self.delivered_at <= at else ErrorKind.NOT_DELIVERED_YET

    def proved(self, at: datetime, first_request: datetime) -> ErrorKind | None:
        """The failure of a document call, or None for a document. `first_request`: the time of the first such call."""
        if self.hopeless:
            return self.hopeless
        proof_at = self.proof_at if self.archived is None else first_request + self.archived
        is_there = proof_at is not None and proof_at <= at
        return None if is_there else ErrorKind.POD_NOT_AVAILABLE_YET


@dataclass(frozen=True)
class Population:
    """The claims in order of creation."""

    regime: Regime
    seed: int
    cases: Sequence[Case]
    outages: Sequence[Outage] = ()
    ends: datetime = END

    def is_down(self, carrier: str, at: datetime) -> bool:
        return any(one.carrier == carrier and one.begins <= at < one.ends for one in self.outages)

    def failing_each_evening(self, carrier: str) -> "Population":
        """The same population, in which the only outages are this carrier's, from 18:00 to 20:00 each day."""
        days = [START + timedelta(days=day) for day in range((self.ends - START).days + 1)]
        evenings = [
            datetime.combine(day.astimezone(ZONE).date(), time(18), ZONE).astimezone(UTC) for day in days
        ]
        return replace(self, outages=[Outage(carrier, at, at + timedelta(hours=2)) for at in evenings])

    def up_from(self, carrier: str, at: datetime) -> datetime:
        """The first time from `at` on at which the carrier is available."""
        for one in sorted(self.outages, key=lambda outage: outage.begins):
            if one.carrier == carrier and one.begins <= at < one.ends:
                at = one.ends
        return at


def populate(regime: Regime, seed: int) -> Population:
    """The population of a regime with this seed."""
    chance = Random(f"{regime.name} {seed}")
    arrivals = sorted([*_arrivals(regime, chance), *[START] * regime.backlog])
    cases = [_case(place, at, chance) for place, at in enumerate([*[START] * regime.failed, *arrivals], 1)]
    cases[: regime.failed] = [replace(case, has_failed=True) for case in cases[: regime.failed]]
    if regime.is_of_old:
        cases = [_of_old(case, chance) for case in cases]
    outages = [outage for carrier in QUOTAS for outage in _outages(carrier, chance)]
    return Population(regime, seed, cases, outages)


def _arrivals(regime: Regime, chance: Random) -> list[datetime]:
    found: list[datetime] = []
    for day in range(ARRIVAL_DAYS):
        begins = datetime.combine(
            START.astimezone(ZONE).date() + timedelta(days=day), datetime.min.time(), ZONE
        )
        is_weekend = begins.weekday() >= 5
        count = _poisson(regime.a_day / 2 if is_weekend else regime.a_day, chance)
        hours = [chance.uniform(7, 21) for _ in range(count)]
        found += [begins.astimezone(UTC) + timedelta(hours=hour) for hour in hours]
    return found


def _poisson(mean: float, chance: Random) -> int:
    bound, count, product = math.exp(-mean), 0, chance.random()
    while product > bound:
        count, product = count + 1, product * chance.random()
    return count


def _outages(carrier: str, chance: Random) -> list[Outage]:
    """Outages of two to twelve hours, about one in two weeks."""
    found, at = [], START
    while (at := at + timedelta(days=chance.expovariate(1 / 14))) < END:
        found.append(Outage(carrier, at, at + timedelta(hours=chance.uniform(2, 12))))
    return found


# ---------------------------------------------------------------- one claim

_CLIENTS = range(1, 9)  # the first has the most claims, and the eighth has an eighth of that number
# Results without a proof, with their percentage of all claims.
_HOPELESS = {
    ErrorKind.NOT_FOUND: 7,
    ErrorKind.POD_NEVER_AVAILABLE: 5,
    ErrorKind.NOT_DELIVERED_YET: 5,
    ErrorKind.RETURNED_TO_SENDER: 2,
    ErrorKind.INVALID_TRACKING: 2,
}
# Carriers that report that a parcel has no signature. At other carriers, its proof is always "not available yet".
_SAYING_NEVER = frozenset({"chronopost"})
# Days from creation to deadline, and the percentage of claims with this deadline; the others have none.
_DEADLINES = {(2, 4): 7, (5, 9): 23, (10, 16): 34, (17, 30): 21}


def _case(serial: int, created_at: datetime, chance: Random) -> Case:
    created_at = created_at.replace(microsecond=0)
    carrier = chance.choices(list(_SHARES), list(_SHARES.values()))[0]
    client = chance.choices(_CLIENTS, [1 / one for one in _CLIENTS])[0]
    amount = round(min(chance.lognormvariate(4, 0.8), 2000), 2)
    hopeless = _random_key(_HOPELESS, chance)
    span = _random_key(_DEADLINES, chance)
    deadline = created_at.astimezone(ZONE).date() + timedelta(days=chance.randint(*span)) if span else None
    delivered_at = _delivered_at(created_at, chance)
    proof_at = delivered_at + _proof_delay(chance)
    is_delivered = hopeless in (None, ErrorKind.POD_NEVER_AVAILABLE)
    if hopeless is ErrorKind.POD_NEVER_AVAILABLE and carrier not in _SAYING_NEVER:
        hopeless = ErrorKind.POD_NOT_AVAILABLE_YET
    number = _number(carrier, serial, hopeless)
    return Case(
        id=serial,
        carrier=carrier,
        number=number,
        client=client,
        amount=amount,
        created_at=created_at,
        deadline=deadline,
        delivered_at=delivered_at if is_delivered else None,
        proof_at=None if hopeless else proof_at,
        hopeless=hopeless,
    )


def _of_old(case: Case, chance: Random) -> Case:
    """The same claim, filed 15 to 40 days after the delivery. Its proof appears some time after the first request."""
    if case.hopeless not in (None, ErrorKind.POD_NEVER_AVAILABLE, ErrorKind.POD_NOT_AVAILABLE_YET):
        return case
    delivered_at = case.created_at - timedelta(days=chance.uniform(15, 40))
    is_quick = chance.random() < 1 / 2
    archived = timedelta(hours=chance.uniform(1, 12)) if is_quick else timedelta(days=chance.uniform(0.5, 4))
    proof_at = None if case.hopeless else case.created_at + archived
    return replace(case, delivered_at=delivered_at, proof_at=proof_at, archived=archived)


_T = TypeVar("_T")


def _random_key(percentages: dict[_T, int], chance: Random) -> _T | None:
    remaining = chance.uniform(0, 100)
    for one, share in percentages.items():
        remaining -= share
        if remaining < 0:
            return one
    return None


def _delivered_at(created_at: datetime, chance: Random) -> datetime:
    """The time of delivery. Two of three parcels arrive before their claim is filed, and the others within days."""
    if chance.random() < 2 / 3:
        return created_at - timedelta(days=min(chance.expovariate(1 / 3), 10))
    return created_at + timedelta(days=min(chance.expovariate(1 / 4), 20))


def _proof_delay(chance: Random) -> timedelta:
    """The time from delivery to proof. Most proofs are available on the same day, and some are scanned days later."""
    kind = chance.random()
    if kind < 0.65:
        return timedelta(hours=chance.uniform(0, 12))
    if kind < 0.85:
        return timedelta(days=chance.uniform(0.5, 4))
    return timedelta(days=chance.uniform(4, 12))


def _number(carrier: str, serial: int, hopeless: ErrorKind | None) -> str:
    if hopeless is ErrorKind.INVALID_TRACKING:
        return f"12-34-{serial}"
    return f"XY{serial:09d}FR" if carrier == "chronopost" else f"{serial:09d}{serial % 7}"

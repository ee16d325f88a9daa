"""A catalog with any number of carriers, and a slice that leases their claims."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, cast
from zoneinfo import ZoneInfo

from recours.core.carrier import Catalog
from recours.core.claim import Claim, Stage
from recours.core.order import Urgency, urgency
from recours.core.policy import Policy
from recours.database.claims import ClaimRepository
from recours.runs.lane import LeasedClaim
from recours.runs.leasing import Leasing
from recours.runs.ports import Clock, Dependencies, Limits
from recours.runs.recorder import Recorder
from recours.runs.source import DueClaims
from recours.runs.summary import Stats
from tests.fakes.carriers import CHRONOPOST
from tests.fakes.queue import FakeQueue

AMPLE = 10**9


def lane_name(n: int) -> str:
    """The carrier of a lane, as a claim spells it. The carrier's key is the same in lower case."""
    return f"Lane{n:05d}"


def make_catalog(lanes: int) -> Catalog:
    names = map(lane_name, range(lanes))
    return Catalog(replace(CHRONOPOST, key=name.lower(), name=name, spellings=()) for name in names)


def catalog_of_clients(accounts: int) -> Catalog:
    """A catalog with one carrier, at which this many clients have an account."""
    client_accounts = {n + 1: {CHRONOPOST.key: n + 1} for n in range(accounts)}
    return Catalog([CHRONOPOST], configured=[CHRONOPOST.key], client_accounts=client_accounts)


@dataclass
class Slice:
    """Leases bundles like the threads of an engine whose carriers accept every call."""

    claims: ClaimRepository
    catalog: Catalog
    clock: Clock
    limits: Limits
    under_way: list[list[LeasedClaim]] = field(default_factory=list)

    def __post_init__(self) -> None:
        queue = FakeQueue(
            self.clock, self.catalog, dict.fromkeys(self.catalog.accounts_of(self.catalog.specs), AMPLE)
        )
        queue.asks_alone = lambda key: False  # noqa: ARG005 (the real one names it)
        policy, unused = Policy(ZoneInfo("Europe/Paris")), cast("Any", None)
        deps = Dependencies(
            clock=self.clock,
            claims=self.claims,
            intake=unused,
            maintenance=unused,
            journal=unused,
            queue=cast("Any", queue),
            documents=unused,
            policy=policy,
        )
        recorder = Recorder(deps, Stats(), "slice", lambda at: at, by_name=False, token="slice")
        source = DueClaims(self.claims, Stage.READY)
        self.leasing = Leasing(deps, self.catalog, self.limits, recorder, source, lambda: True)
        self.leasing.open(source.ready(self.clock.now(), self.limits.batch_size))

    def next(self) -> list[Claim]:
        """Lease the next bundles, and return their claims."""
        bundles = self.leasing.next()
        self.under_way += bundles
        return [leased.claim for bundle in bundles for leased in bundle]

    def end(self, place: int = 0) -> None:
        """End a bundle that was fetched. Its claims are no longer due."""
        self.leasing.end_bundle(self.under_way.pop(place)[0].lane)

    def return_claims(self, place: int = 0) -> list[Claim]:
        """End a bundle that was skipped, and return its claims, which become available again."""
        bundle = self.under_way.pop(place)
        self.leasing.end_bundle(bundle[0].lane)
        self.leasing.return_claims(bundle)
        return [leased.claim for leased in bundle]


def has_room(in_flight: int, at_once: int) -> bool:
    """Whether to lease more bundles: up to half of `at_once` ahead, and only when all earlier ones are in progress."""
    return in_flight <= at_once and in_flight < at_once + at_once // 2


@dataclass
class Model:
    """The claims that a slice may lease, computed from all claims each time."""

    slice: Slice
    waiting: dict[Any, tuple[str, Urgency]]  # lane and urgency of each claim by its id

    def next(self, now: datetime) -> int:
        """Check that the slice leases the most urgent claims in lanes with room, and return their number."""
        leasing, limits = self.slice.leasing, self.slice.limits
        full = {
            lane.key
            for lane in leasing.lanes.values()
            if not has_room(lane.in_flight, limits.carrier_concurrency)
        }
        places = sorted(place for lane, place in self.waiting.values() if lane not in full)
        is_room = has_room(leasing.in_flight, limits.concurrency)
        leased_claims = self.slice.next()
        assert sorted(urgency(claim.state, now) for claim in leased_claims) == places[: len(leased_claims)]
        assert bool(leased_claims) == (bool(places) and is_room)
        for claim in leased_claims:
            del self.waiting[claim.id]
        return len(leased_claims)

    def return_claims(self, place: int, now: datetime) -> None:
        for claim in self.slice.return_claims(place):
            self.waiting[claim.id] = claim.account_key, urgency(claim.state, now)

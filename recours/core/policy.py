"""The settings that the rules depend on, and when a claim is retried next."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from recours.core.claim import EARLIEST, Claim, State

DEFAULT_MAX_RETRIES = 4
DEFAULT_WAITS = (timedelta(hours=1), timedelta(hours=6), timedelta(hours=24), timedelta(hours=72))
# How early a retry counts as due. An hourly run is never on the second: without it a wait of one hour would become two.
DUE_SLACK = timedelta(minutes=5)


def faults_of(waits: tuple[timedelta, ...]) -> list[str]:
    """What is wrong with a table of waits, as phrases."""
    if not waits:
        return ["the list of waits is empty"]
    faults = []
    if any(wait <= timedelta() for wait in waits):
        faults.append("every wait must be positive")
    if any(later < earlier for earlier, later in pairwise(waits)):
        faults.append("a wait must not be shorter than the one before it")
    if waits[0] <= DUE_SLACK:
        faults.append("the first wait must be longer than 5 minutes")
    return faults


@dataclass(frozen=True)
class Policy:
    zone: ZoneInfo
    # Before retries 1, 2, 3, … Retries beyond the table repeat its last wait.
    waits: tuple[timedelta, ...] = DEFAULT_WAITS
    max_retries: int = DEFAULT_MAX_RETRIES
    skip_claim_statuses: frozenset[str] = frozenset({"paid"})
    # So long after its deadline a claim is given up; None: never.
    expire_after: timedelta | None = timedelta(days=30)
    adopted_at: datetime | None = None  # no claim expires sooner than that long after this time
    tell_persistent_at_once: bool = False
    tell_temporary: bool = False
    # Carriers, by their keys, that are asked for a new claim's document before the parcel is tracked.
    document_first: frozenset[str] = frozenset()
    # Carriers, by their keys, that forget a parcel after so many days.
    evidence_days: Mapping[str, int] = field(default_factory=dict)
    last_attempt: timedelta | None = None  # so long before the end of its deadline; None: none is made

    def wait(self, retry: int) -> timedelta:
        """How long to wait before a retry, counted from 1."""
        return self.waits[min(max(retry, 1), len(self.waits)) - 1]

    def next_retry(self, retries_used: int, since: datetime) -> datetime:
        """When the retry after `retries_used` is due, the last one (or the failure) having been at `since`."""
        return since + self.wait(retries_used + 1)

    def last_retry(self, retries_used: int, next_at: datetime) -> datetime:
        """When the last retry is due if each from `next_at` on is made on time."""
        later = (self.wait(retry) for retry in range(retries_used + 2, self.max_retries + 1))
        return next_at + sum(later, timedelta())

    def due_until(self, now: datetime) -> datetime:
        """Retries up to this time count as due at `now`."""
        return now + DUE_SLACK

    def horizon(self, now: datetime) -> datetime:
        """No retry set at `now` or before can lie later than this."""
        return now + self.waits[-1]

    def sets_aside(self, claim: Claim) -> bool:
        """Tell whether the claim's own status says that no POD is wanted any more."""
        return (
            claim.claim_status is not None and claim.claim_status.strip().lower() in self.skip_claim_statuses
        )


# What the service writes as a time may be that of its own zone, without saying so.
_ZONES = timedelta(days=1)
# A creation that lies further ahead than clocks differ says nothing.
_CLOCKS = timedelta(hours=1)


class EnrollNew(StrEnum):
    """`RECOURS_ENROLL_NEW`."""

    AUTO = "auto"  # only where recours added the column, so that the service cannot say `pending`
    TRUE = "true"
    FALSE = "false"


class Adoption(NamedTuple):
    """When recours first worked on a database (aware UTC), and what there was then."""

    at: datetime
    highest_claim_id: int | None  # None: there was no claim
    status_column_added: bool  # pod_fetch_status was added by recours
    decided: bool  # a person enrolled older claims, or there was nothing to decide

    def enrolls_new(self, setting: EnrollNew) -> bool:
        return setting is EnrollNew.TRUE or (setting is EnrollNew.AUTO and self.status_column_added)

    def is_undecided(self, setting: EnrollNew) -> bool:
        """Tell whether somebody has still to say what becomes of the claims that are not enrolled."""
        return not self.decided and setting is not EnrollNew.FALSE

    def is_new(self, claim_id: Any, created_at: datetime | None, now: datetime) -> bool:
        """Tell whether this claim is newer than the adoption.

        By its creation. Where that is unknown (None), or lies in the future, a higher id decides; and one that is higher
        outweighs a creation of the same day, which may have been written in another time zone. `claim_id`: None: ids are no
        numbers, and say nothing.
        """
        is_higher = claim_id is not None and (
            self.highest_claim_id is None or claim_id > self.highest_claim_id
        )
        if created_at is None or created_at > now + _CLOCKS:
            return is_higher
        return created_at > self.at or (is_higher and created_at > self.at - _ZONES)


def evidence_end(claim: Claim, state: State, policy: Policy) -> datetime | None:
    """When (UTC) the claim's carrier has forgotten the parcel at the latest; None: it is not known to forget any.

    Carriers count from days of their own, such as the pick-up. Nobody tells that day; but the parcel was picked up before
    it was delivered, and before anybody claimed anything.
    """
    days = policy.evidence_days.get(claim.carrier or "")
    delivered_at = state.delivery.latest if state.delivery else None
    times = [at for at in (claim.created_at, delivered_at) if at is not None and at >= EARLIEST]
    if days is None or not times:
        return None
    try:
        return min(times) + timedelta(days=days)
    except OverflowError:  # the year 9999
        return None

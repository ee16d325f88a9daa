"""Settings that the rules depend on, and the times of retries."""

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
# How early a retry counts as due. An hourly run never starts on the exact second, so a wait of 1 hour would become 2.
DUE_SLACK = timedelta(minutes=5)


def faults_of(waits: tuple[timedelta, ...]) -> list[str]:
    """Return phrases that say what is wrong with the waits."""
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
    # The waits before retries 1, 2, 3, … Later retries repeat the last wait.
    waits: tuple[timedelta, ...] = DEFAULT_WAITS
    max_retries: int = DEFAULT_MAX_RETRIES
    skip_claim_statuses: frozenset[str] = frozenset({"paid"})
    # How long after its deadline recours gives up on a claim; None: never.
    expire_after: timedelta | None = timedelta(days=30)
    adopted_at: datetime | None = None  # `expire_after` counts from this time at the earliest
    notify_persistent_at_once: bool = False
    notify_temporary: bool = False
    # Keys of carriers where a new claim's document is requested before the parcel is tracked.
    document_first: frozenset[str] = frozenset()
    # Days after which carriers delete a parcel's data, by key.
    evidence_days: Mapping[str, int] = field(default_factory=dict)
    last_attempt: timedelta | None = None  # before the end of the deadline; None: no last attempt

    def wait(self, retry: int) -> timedelta:
        """Return the wait before a retry (numbered from 1)."""
        return self.waits[min(max(retry, 1), len(self.waits)) - 1]

    def next_retry(self, retries_used: int, since: datetime) -> datetime:
        """Return when the next retry is due. `since`: the time of the last retry or of the failure."""
        return since + self.wait(retries_used + 1)

    def last_retry(self, retries_used: int, next_at: datetime) -> datetime:
        """Return when the final retry is due if all retries from `next_at` on are on time."""
        later = (self.wait(retry) for retry in range(retries_used + 2, self.max_retries + 1))
        return next_at + sum(later, timedelta())

    def due_until(self, now: datetime) -> datetime:
        """Return the time up to which retries count as due at `now`."""
        return now + DUE_SLACK

    def horizon(self, now: datetime) -> datetime:
        """Return the latest possible time of a retry scheduled at or before `now`."""
        return now + self.waits[-1]

    def sets_aside(self, claim: Claim) -> bool:
        """Return whether the claim's own status says that a POD is no longer needed."""
        return (
            claim.claim_status is not None and claim.claim_status.strip().lower() in self.skip_claim_statuses
        )


# The claims service may write local times without an offset.
_ZONES = timedelta(days=1)
# A creation time further in the future than this is ignored. Smaller differences may come from clocks.
_CLOCKS = timedelta(hours=1)


class EnrollNew(StrEnum):
    """The values of RECOURS_ENROLL_NEW."""

    AUTO = "auto"  # only if recours added the column, so that the service cannot set `pending`
    TRUE = "true"
    FALSE = "false"


class Adoption(NamedTuple):
    """When recours first ran on a database (aware UTC), and the state at that time."""

    at: datetime
    highest_claim_id: int | None  # None: there was no claim
    status_column_added: bool  # pod_fetch_status was added by recours
    decided: bool  # a person enrolled older claims, or there were none

    def enrolls_new(self, setting: EnrollNew) -> bool:
        return setting is EnrollNew.TRUE or (setting is EnrollNew.AUTO and self.status_column_added)

    def is_undecided(self, setting: EnrollNew) -> bool:
        """Return whether a person must still decide what to do with the claims that are not enrolled."""
        return not self.decided and setting is not EnrollNew.FALSE

    def is_new(self, claim_id: Any, created_at: datetime | None, now: datetime) -> bool:
        """Return whether this claim is newer than the adoption.

        The creation time decides. If it is unknown (None) or in the future, the id decides. A higher id also
        decides if the creation time is up to one day before the adoption, because it may be in another time zone.
        `claim_id`: None if ids are not numbers.
        """
        is_higher = claim_id is not None and (
            self.highest_claim_id is None or claim_id > self.highest_claim_id
        )
        if created_at is None or created_at > now + _CLOCKS:
            return is_higher
        return created_at > self.at or (is_higher and created_at > self.at - _ZONES)


def evidence_end(claim: Claim, state: State, policy: Policy) -> datetime | None:
    """Return when (UTC) the carrier deletes the parcel's data at the latest; None if the carrier is not known to do so.

    Carriers count from an event such as the pickup. The day of that event is unknown, but precedes delivery and claim.
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

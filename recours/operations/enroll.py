"""Which claims recours is to work on: those that a person enrols, and those that they take out of all work.

All that is done to a claim is what the service could do by hand: its pod_fetch_status is set to `pending`, or to
`manual`. It is assessed at once, so that the very next lease finds it.
"""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from recours.core.carrier import Catalog
from recours.core.claim import Claim, FetchStatus
from recours.core.policy import Policy
from recours.core.text import clean
from recours.operations.refusals import ClaimRefusal, not_wanted
from recours.runs.source import Unfit

# The status of claims that a person took out of all work; the service knows it too.
MANUAL = "manual"
# Claims with one of these are left out unless they are asked for: their money is back.
LEFT_OUT = frozenset({"refunded"})


@dataclass(frozen=True)
class Candidate:
    """A claim with a tracking number that is not enrolled. `status` (lower case) is the claim's own; "": none."""

    id: Any
    carrier_name: str
    number: str | None
    status: str
    created_at: datetime | None


@dataclass(frozen=True)
class EnrollCriteria:
    """What a person asks for; an empty field leaves all. `carriers`: keys; `statuses`: lower case."""

    carriers: Collection[str] = ()
    statuses: Collection[str] = ()
    since: datetime | None = None  # created then or later

    def why_not(self, candidate: Candidate, key: str, policy: Policy) -> str | None:
        """Why a claim that is asked for is left as it is; None: it is enrolled, "": it was not asked for."""
        if (self.carriers and key not in self.carriers) or (
            self.statuses and candidate.status not in self.statuses
        ):
            return ""
        if candidate.status in policy.skip_claim_statuses:
            return f"status '{clean(candidate.status, 30)}': such claims are not fetched"
        if candidate.status in LEFT_OUT - set(self.statuses):
            return f"status '{candidate.status}'; to enrol them all the same: --status {candidate.status}"
        if self.since is None:
            return None
        if candidate.created_at is None:
            return "it is not known when they were created"
        return None if candidate.created_at >= self.since else ""


@dataclass
class EnrolmentCounts:
    """How many claims would be enrolled, by carrier's key ("": of none that is known) and status; why the others not."""

    open: Counter[tuple[str, str]] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)  # at least so many, by carrier's key
    left: Counter[str] = field(default_factory=Counter)


def look_over(
    candidates: Iterable[Candidate], criteria: EnrollCriteria, policy: Policy, catalog: Catalog
) -> EnrolmentCounts:
    """What `ClaimEnrolment.enroll_all` would do."""
    counts = EnrolmentCounts()
    for candidate in candidates:
        key = catalog.resolve(candidate.carrier_name, candidate.number) or ""
        why = criteria.why_not(candidate, key, policy)
        if why:
            counts.left[why] += 1
        elif why is None:
            counts.open[key, candidate.status] += 1
            counts.calls[key] += sum(catalog.specs[key].calls.values()) if key in catalog.specs else 0
    return counts


def why_not_enroll(claim: Claim, policy: Policy) -> ClaimRefusal | None:
    if claim.fetch_status == FetchStatus.SUCCESS:
        return ClaimRefusal.of(claim, Unfit.HAS_POD)
    if claim.fetch_status == FetchStatus.FAILED:
        return ClaimRefusal.of(claim, "has_failed")
    if claim.is_pending:
        return ClaimRefusal.of(claim, "is_pending")
    return not_wanted(claim) if policy.sets_aside(claim) else None


def why_not_exclude(claim: Claim) -> ClaimRefusal | None:
    if claim.fetch_status == FetchStatus.SUCCESS:
        return ClaimRefusal.of(claim, Unfit.HAS_POD)
    return ClaimRefusal.of(claim, "excluded") if claim.fetch_status == MANUAL else None

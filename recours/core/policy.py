"""The settings that the rules depend on."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from recours.core.backoff import Backoff
from recours.core.claim import Claim


@dataclass(frozen=True)
class Policy:
    """The settings that the rules depend on."""

    zone: ZoneInfo
    backoff: Backoff = field(default_factory=Backoff)
    max_retries: int = 4
    skip_claim_statuses: frozenset[str] = frozenset({"paid"})
    patience: timedelta = timedelta(days=14)
    expire_after: timedelta | None = timedelta(
        days=30
    )  # so long after its deadline a claim is given up; None: never
    adopted_at: datetime | None = None  # no claim expires sooner than that long after this moment
    tell_persistent_at_once: bool = False
    tell_temporary: bool = False

    def sets_aside(self, claim: Claim) -> bool:
        """Tell whether the claim's own status says that no POD is wanted any more."""
        return (
            claim.claim_status is not None and claim.claim_status.strip().lower() in self.skip_claim_statuses
        )
